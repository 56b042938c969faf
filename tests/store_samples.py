"""A small ledger in a real database, with its own clock, ids and salts: the same run gives the same bytes."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from ledger.log.checkpoint import format_vkey
from ledger.log.signed import SignedStatement, make_signed
from ledger.log.statement import Statement
from ledger.service.append import Appended, Draft, append_entries, create_log
from ledger.service.context import Actor, Ledger, make_actor
from ledger.store.database import make_engine

ORIGIN = "example.com/magnets/site-1"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEY = format_vkey(ORIGIN, LOG_KEY.public_key())
ACTOR = make_actor("operator-1", Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64))))
STRANGER = make_actor("stranger-1", Ed25519PrivateKey.from_private_bytes(bytes(range(64, 96))))

SECRET_NAME = "Altmetall Schmidt GmbH, Köln"
"""A private value, to be looked for where it must not be."""


def make_clock(start: datetime = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)) -> Callable[[], datetime]:
    """A clock that is a second later each time it is read."""
    seconds = itertools.count()
    return lambda: start + timedelta(seconds=next(seconds))


def make_ids(series: int = 0) -> Callable[[], str]:
    """UUIDs of version 7, one after the other; another series gives other ones."""
    numbers = itertools.count()
    return lambda: f"01890000-0000-7000-8{series:03x}-{next(numbers):012x}"


def make_salts(series: int = 0) -> Callable[[], bytes]:
    """Salts, each another one."""
    numbers = itertools.count()
    return lambda: hashlib.sha256(f"{series}/{next(numbers)}".encode()).digest()


def make_ledger(url: str, folder: Path, series: int = 0) -> Ledger:
    """A ledger on the database at `url`, its pin in `folder`. Ledgers of different series make different ids."""
    return Ledger(
        engine=make_engine(url),
        origin=ORIGIN,
        log_key=LOG_KEY,
        pin_path=folder / "pins" / "site-1.checkpoint",
        now=make_clock(),
        new_id=make_ids(series),
        new_salt=make_salts(series),
    )


def start_log(ledger: Ledger) -> None:
    """Three entries: the actor's key, a party whose name is private, a site."""
    create_log(ledger, ACTOR)
    append_entries(
        ledger,
        [
            Draft(
                "party",
                {"party_id": "P-1", "roles": ["operator", "supplier"], "country": "DE"},
                private={"name": SECRET_NAME, "vat_id": "DE123456789"},
            ),
            Draft("site", {"site_id": "BEL", "name": "Belfast", "country": "GB", "operator_id": "P-1"}),
        ],
        ACTOR,
    )


def receipt(batch_id: str, **changes: Any) -> Draft:
    """A lot of 100 kg of magnets taken in. changes: fields of the body."""
    body = {
        "batch_id": batch_id,
        "site_id": "BEL",
        "description": "hard-disk magnets",
        "form": "magnets",
        "consumer_class": "post-consumer",
        "received_on": "2026-05-04",
        "dry_mass_kg": "100.0",
    }
    return Draft("receipt", body | changes)


def signed_elsewhere(actor: Actor, entry_type: str, body: dict[str, Any], number: int = 1) -> SignedStatement:
    """A statement that the actor has signed far from the log, whatever its rules. number: another id for each."""
    statement = Statement(
        type=entry_type,
        id=f"01890000-0000-7000-8fff-{number:012x}",
        at="2026-05-04T08:00:00.000000Z",
        actor=actor.actor,
        kid=actor.kid,
        body={"schema": 1, **body},
    )
    checked = make_signed(statement, actor.private_key)
    return SignedStatement(checked.statement_bytes, checked.signature)


def blend(blend_id: str, inputs: list[tuple[str, str]], output: tuple[str, str]) -> Draft:
    """A blend of masses (batch id, kg) into one batch."""
    return Draft(
        "blend",
        {
            "blend_id": blend_id,
            "performed_on": "2026-05-04",
            "inputs": [{"batch_id": batch_id, "mass_kg": kg} for batch_id, kg in inputs],
            "output": {"batch_id": output[0], "product": "magnet blend", "mass_kg": output[1]},
        },
    )


def append_receipts(ledger: Ledger, first: int, count: int) -> list[Appended]:
    """Lots IN-<first> and so on, each in its own transaction."""
    return [append_entries(ledger, [receipt(f"IN-{number}")], ACTOR)[0] for number in range(first, first + count)]


def execute(engine: Engine, statement: str, **values: Any) -> None:
    """One SQL statement, committed, as an administrator would type it."""
    with engine.connect() as connection:
        connection.execute(text(statement), values)
        connection.commit()


def drop_guards(engine: Engine) -> None:
    """Drop the triggers that refuse changes of entries, as an administrator can."""
    names = ("entry_no_update", "entry_no_delete", "entry_no_replace")
    if engine.dialect.name == "postgresql":
        names = ("entry_no_change ON entry", "entry_no_truncate ON entry")
    for name in names:
        execute(engine, f"DROP TRIGGER {name}")


def rows(engine: Engine, query: str) -> list[Any]:
    """All rows of a query."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]
