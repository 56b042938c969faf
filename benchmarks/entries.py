"""Statements of about a kilobyte, as a plant might log them, signed before any clock runs."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.canonical import canonical_bytes
from ledger.log.statement import Statement, key_id, sign_statement

ORIGIN = "example.com/benchmark"
ACTOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
KID = key_id(ACTOR_KEY.public_key())
TEXT = "magnets from traction motors, demagnetised at 350 C, nickel coating removed, crushed below 2 mm; "


def statements(count: int, series: int = 0) -> Iterator[Statement]:
    """`count` statements; another series has other ids."""
    for number in range(count):
        yield Statement(
            type="benchmark",
            id=f"01890000-0000-7000-8{series:03x}-{number:012x}",
            at="2026-05-04T08:00:00.000000Z",
            actor="operator-1",
            kid=KID,
            body={
                "batch_id": f"B-{series}-{number}",
                "mass_kg": f"{100 + number % 900}.25",
                "note": (TEXT * 6)[:480],
                "assays": [{"element": name, "percent": "12.50"} for name in ("nd", "pr", "dy", "tb")],
            },
        )


def signed(count: int, series: int = 0) -> list[tuple[bytes, bytes]]:
    """Canonical bytes and signature of such statements."""
    return [(canonical_bytes(one.to_value()), sign_statement(one, ACTOR_KEY)) for one in statements(count, series)]
