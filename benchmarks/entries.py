"""Statements of about a kilobyte, as a plant might log them, signed before any clock runs."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.canonical import canonical_bytes
from ledger.log.signed import SignedStatement
from ledger.log.statement import Statement, key_id, sign_statement
from ledger.service.parallel import available_cores, map_in_order

ORIGIN = "example.com/benchmark"
ACTOR = "operator-1"
ACTOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
KID = key_id(ACTOR_KEY.public_key())
TEXT = "magnets from traction motors, demagnetised at 350 C, nickel coating removed, crushed below 2 mm; "

AT = "2026-05-04T08:00:00.000000Z"
PER_TASK = 5_000
"""Statements that a process signs at a time."""


def statements(count: int, series: int = 0, start: int = 0) -> Iterator[Statement]:
    """`count` statements, numbered from `start` on; another series, 0 to 4094, has other ids and says other things."""
    for number in range(start, start + count):
        yield Statement(
            type="benchmark",
            id=f"01890000-0000-7000-8{series:03x}-{number:012x}",
            at=AT,
            actor=ACTOR,
            kid=KID,
            body={
                "batch_id": f"B-{series}-{number}",
                "mass_kg": f"{100 + number % 900}.25",
                "note": (TEXT * 6)[:480],
                "assays": [{"element": name, "percent": "12.50"} for name in ("nd", "pr", "dy", "tb")],
            },
        )


def receipts(count: int, series: int = 0) -> Iterator[Statement]:
    """`count` statements of the plant's own kind: lots taken in at site BEL, with papers, as long as the others."""
    for number in range(count):
        yield Statement(
            type="receipt",
            id=f"01890000-0000-7000-8{series:03x}-{number:012x}",
            at=AT,
            actor=ACTOR,
            kid=KID,
            body={
                "batch_id": f"IN-{series}-{number}",
                "site_id": "BEL",
                "description": f"{TEXT[:80]} {number}",
                "form": "magnets",
                "consumer_class": "post-consumer",
                "received_on": "2026-05-04",
                "dry_mass_kg": f"{100 + number % 900}.25",
            },
            refs=tuple(hashlib.sha256(b"%d" % paper).hexdigest() for paper in range(5)),
        )


def key_statement() -> Statement:
    """What registers the key of all others: the first entry of a log whose signatures are to be verified."""
    public_key = base64.b64encode(ACTOR_KEY.public_key().public_bytes_raw()).decode("ascii")
    body = {"kid": KID, "public_key": public_key, "actor": ACTOR, "role": "operator"}
    return Statement(type="actor_key", id=f"01890000-0000-7000-8fff-{0:012x}", at=AT, actor=ACTOR, kid=KID, body=body)


def sign(statement: Statement) -> SignedStatement:
    """The statement as its actor sends it."""
    return SignedStatement(canonical_bytes(statement.to_value()), sign_statement(statement, ACTOR_KEY))


def signed(count: int, series: int = 0, start: int = 0) -> list[SignedStatement]:
    """Such statements, signed."""
    return [sign(one) for one in statements(count, series, start)]


def signed_on_all_cores(count: int) -> Iterator[SignedStatement]:
    """A log's statements, the one that registers their key before `count` others, signed while they are read."""
    yield sign(key_statement())
    tasks = [(min(PER_TASK, count - start), start) for start in range(0, count, PER_TASK)]
    for _, done in map_in_order(_signed_task, tasks, available_cores() if len(tasks) > 1 else 1):
        yield from done


def _signed_task(task: tuple[int, int]) -> list[SignedStatement]:
    count, start = task
    return signed(count, start=start)
