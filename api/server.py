"""The served application: settings, ledger, keys and trust put together."""

from __future__ import annotations

from fastapi import FastAPI

from api.app import create_app
from api.deps import now, open_ledger, operator_actor, trust_of
from api.settings import Settings
from certificates.pdfa import render_base


def build_app(settings: Settings) -> FastAPI:
    """The application of the installation that `settings` describe."""
    return create_app(
        settings,
        ledger=open_ledger(settings),
        actor=operator_actor(settings),
        trust=trust_of(settings),
        now=now,
        render=render_base,
    )
