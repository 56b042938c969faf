"""Witnesses with fixed keys and times, for the tests of cosignatures."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.cosignature import cosign, make_witness_key

NAMES = ("witness.example.com/w1", "buyer.example.com/witness", "trade-body.example.org/w")
KEYS = tuple(Ed25519PrivateKey.from_private_bytes(bytes(range(start, start + 32))) for start in (96, 128, 160))
WITNESSES = tuple(make_witness_key(name, key.public_key()) for name, key in zip(NAMES, KEYS, strict=True))

SIGNED_AT = 1_777_881_600
"""2026-05-04 08:00:00 UTC: 20,577 days of 86,400 s since 1970, and 8 h."""

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


def line_of(which: int, note: str, time: int = SIGNED_AT) -> str:
    """The cosignature of one of the witnesses over the note's checkpoint."""
    return cosign(note, NAMES[which], KEYS[which], time)
