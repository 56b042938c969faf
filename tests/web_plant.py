"""A ledger with a site, a supplier, adopted factors and accounts, and clients that speak to its application.

Shared by the tests of the JSON interface and those in a browser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uuid6
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from certificates.verify import Trust
from ledger.log.checkpoint import format_vkey
from ledger.service.accounts import create_account, create_api_key
from ledger.service.append import Appended, Draft, append_entries, create_log
from ledger.service.context import Actor, Ledger, make_actor
from ledger.service.factor_library import default_adoption
from ledger.store.database import make_engine

ORIGIN = "ledger.example/api-tests"
PASSWORD = "correct horse battery staple"


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    time: datetime = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **by: float) -> None:
        self.time += timedelta(**by)


@dataclass
class Plant:
    """A running ledger with its application, and what tests need to reach into it."""

    ledger: Ledger
    actor: Actor
    app: FastAPI
    clock: Clock

    def client(self, **options: Any) -> TestClient:
        """A visitor with an empty cookie jar."""
        return TestClient(self.app, follow_redirects=False, **options)

    def program(
        self, scopes: str = "read write", username: str = "operator", options: dict[str, Any] | None = None
    ) -> TestClient:
        """A program with an API key of these scopes."""
        key = create_api_key(self.ledger, username, scopes.split(), timedelta(days=1))  # type: ignore[arg-type]
        return self.client(headers={"Authorization": f"Bearer {key.text}"}, **(options or {}))

    def log(self, entry_type: str, body: dict[str, Any]) -> Appended:
        """Log an entry past the application."""
        return append_entries(self.ledger, [Draft(entry_type, body)], self.actor)[0]

    def browser(self, username: str = "operator") -> TestClient:
        """A browser that is logged in."""
        client = self.client()
        answer = log_in(client, username)
        assert answer.status_code == 303, answer.text
        return client


def hidden(page: str, name: str) -> str:
    """The value of a hidden field of a page."""
    match = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert match, f"no field {name} on the page"
    return match[1]


def log_in(
    client: TestClient, username: str = "operator", password: str = PASSWORD, next_path: str = "/batches"
) -> Any:
    """Fill in the login form."""
    page = client.get("/login").text
    fields = {"csrf_token": hidden(page, "csrf_token"), "next": next_path, "username": username, "password": password}
    return client.post("/login", data=fields)


def new_id() -> str:
    """A fresh UUID of version 7."""
    return str(uuid6.uuid7())


def make_plant(url: str, pins: Path, *, secure_cookies: bool = False) -> Plant:
    """A plant in the (migrated, empty) database at `url`."""
    clock = Clock()
    key, counter = Ed25519PrivateKey.from_private_bytes(b"\1" * 32), iter(range(1, 10**6))
    ledger = Ledger(
        engine=make_engine(url),
        origin=ORIGIN,
        log_key=key,
        pin_path=pins / "pin",
        now=clock,
        new_id=new_id,
        new_salt=lambda: next(counter).to_bytes(32, "big"),
    )
    actor = make_actor("plant-operator", Ed25519PrivateKey.from_private_bytes(b"\2" * 32))
    create_log(ledger, actor)
    append_entries(
        ledger,
        [
            Draft("party", {"party_id": "OP", "roles": ["operator"], "country": "GB"}),
            Draft("party", {"party_id": "SUP", "roles": ["supplier"], "country": "GB", "name": "Leeds IT disposal"}),
            Draft("site", {"site_id": "BEL", "name": "Belfast", "country": "GB", "operator_id": "OP"}),
            Draft("factor_adoption", default_adoption("gb-2023", clock().date()).to_value()),
        ],
        actor,
    )
    create_account(ledger, "operator", PASSWORD, "operator", actor.actor)
    create_account(ledger, "auditor", PASSWORD, "auditor", actor.actor)
    settings = Settings(database_url=url, origin=ORIGIN, secure_cookies=secure_cookies)
    trust = Trust(roots=(), vkeys=(format_vkey(ORIGIN, key.public_key()),))
    app = create_app(settings, ledger=ledger, actor=actor, trust=trust, now=clock)
    return Plant(ledger, actor, app, clock)
