"""What the routes work with: the ledger, the keys and the limits that `create_app` was given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, TypeAlias

from fastapi import Depends, Request

from api.publishing import Reporter
from api.settings import Settings
from api.throttle import Throttle
from certificates.verify import Trust
from ledger.service.appender import Appender
from ledger.service.context import Actor, Ledger

Render: TypeAlias = Callable[[dict[str, Any], dict[str, Any]], bytes]
"""content, evidence -> the page's bytes, which a certificate's own are compared with."""


@dataclass(frozen=True)
class Services:
    """One application's dependencies.

    actor: whose key signs what is logged through this application. appends: takes what is logged. publishing: what the
    publisher's last round came to. render: None where
    pages are not redrawn, so that a certificate's page counts as not checked.
    """

    settings: Settings
    ledger: Ledger
    appends: Appender
    publishing: Reporter
    actor: Actor
    trust: Trust
    now: Callable[[], datetime]
    render: Render | None
    logins_of_name: Throttle
    logins_of_address: Throttle
    verifications: Throttle
    verifying: asyncio.Semaphore
    logging_in: asyncio.Semaphore

    @property
    def session_lasts(self) -> timedelta:
        """How long a login lasts, whatever is done in it."""
        return timedelta(hours=self.settings.session_hours)


def services_of(request: Request) -> Services:
    """The dependencies of the application that serves `request`."""
    services: Services = request.app.state.services
    return services


ServicesNow = Annotated[Services, Depends(services_of)]


def address_of(request: Request) -> str:
    """The caller's network address, for the limits. Behind a proxy that is the server's to find out (forwarded
    headers)."""
    return request.client.host if request.client else "unknown"
