"""A ledger with a site, a supplier, adopted factors and accounts, and clients that speak to its application.

Shared by the tests of the JSON interface and those in a browser.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uuid6
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.settings import Settings
from certificates.issue import issue_certificate
from certificates.keys import DemoAuthority, make_demo_authority
from certificates.pdfa import render_base
from certificates.verify import Trust
from ledger.log.checkpoint import format_vkey
from ledger.service.accounts import create_account, create_api_key
from ledger.service.append import Appended, Draft, append_entries, create_log
from ledger.service.context import Actor, Ledger, make_actor
from ledger.service.factor_library import default_adoption
from ledger.service.read import head
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
    authority: DemoAuthority

    @property
    def tree_size(self) -> int:
        """How many entries the log has."""
        return head(self.ledger).tree_size

    def client(self, **options: Any) -> TestClient:
        """A visitor with an empty cookie jar."""
        return TestClient(self.app, follow_redirects=False, **options)

    def program(
        self, scopes: str = "read write", username: str = "operator", options: dict[str, Any] | None = None
    ) -> TestClient:
        """A program with an API key of these scopes."""
        key = create_api_key(self.ledger, username, scopes.split(), timedelta(days=1))  # type: ignore[arg-type]
        return self.client(headers={"Authorization": f"Bearer {key.text}"}, **(options or {}))

    def make_auditor(self) -> None:
        """An account that may only read."""
        create_account(self.ledger, "auditor", PASSWORD, "auditor", self.actor.actor)

    def log(self, entry_type: str, body: dict[str, Any]) -> Appended:
        """Log an entry past the application."""
        return append_entries(self.ledger, [Draft(entry_type, body)], self.actor)[0]

    def browser(self, username: str = "operator") -> TestClient:
        """A browser that is logged in."""
        client = self.client()
        answer = log_in(client, username)
        assert answer.status_code == 303, answer.text
        return client

    def assay(self, batch_id: str) -> None:
        """The laboratory finds 22.8 % Nd in a batch."""
        self.log("assay", {
            "assay_id": f"A-{batch_id}", "batch_id": batch_id, "party": "plant", "method": "ICP-OES",
            "components": [{"species": "Nd", "wt_percent": "22.8", "uncertainty_percent": "0.8"}],
            "reported_on": "2026-11-22",
        })  # fmt: skip

    def certificate(self, kind: str = "co2") -> bytes:
        """A genuine certificate of a batch of milled magnets, which is logged first."""
        self.log("receipt", RECEIPT | {"batch_id": "IN-C"})
        self.assay("IN-C")
        self.log("step", {
            "step_id": "ST-C", "process": "mill", "performed_on": "2026-11-21",
            "inputs": [{"batch_id": "IN-C", "whole": True}],
            "outputs": [{"batch_id": "MI-C", "product": "milled magnets", "mass_kg": "998"}],
            "activity": [{"activity": "electricity", "amount": "120", "unit": "kWh"}],
        })  # fmt: skip
        self.assay("MI-C")
        # In a thread of its own: signing runs an event loop, and a browser test's own thread has one running already.
        with ThreadPoolExecutor(1) as pool:
            issued = pool.submit(
                issue_certificate, self.ledger, "MI-C", kind, self.authority.issuer, self.actor
            ).result()
        return issued.pdf


RECEIPT: dict[str, Any] = {
    "batch_id": "IN-1",
    "site_id": "BEL",
    "description": "hard-disk magnets",
    "form": "magnets",
    "consumer_class": "post-consumer",
    "received_on": "2026-11-20",
    "dry_mass_kg": "1000",
}


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
        vault_dir=pins / "vault",
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
    settings = Settings(database_url=url, origin=ORIGIN, secure_cookies=secure_cookies)
    authority = make_demo_authority("Test plant", "GB", clock() - timedelta(days=1))
    trust = Trust((authority.root.public_bytes(Encoding.PEM),), (format_vkey(ORIGIN, key.public_key()),))
    app = create_app(settings, ledger=ledger, actor=actor, trust=trust, now=clock, render=render_base)
    return Plant(ledger, actor, app, clock, authority)
