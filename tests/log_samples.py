"""A small log with fixed keys and times, for the tests of the log."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.checkpoint import Checkpoint, sign_checkpoint
from ledger.log.envelope import GENESIS_PREV, Envelope, envelope_bytes
from ledger.log.merkle import leaf_hash, root_hash
from ledger.log.statement import Statement, key_id, sign_statement

ORIGIN = "example.com/magnets/site-1"

LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ACTOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(64, 96)))


def make_statement(number: int = 0, key: Ed25519PrivateKey = ACTOR_KEY, **changes: Any) -> Statement:
    """The statement with this number, to be signed by `key`."""
    fields: dict[str, Any] = {
        "type": "assay",
        "id": f"01890000-0000-7000-8000-{number:012x}",
        "at": f"2026-05-04T07:30:{number % 60:02d}.000000Z",
        "actor": "operator-1",
        "kid": key_id(key.public_key()),
        "body": {"batch": f"B-{number}", "mass_kg": "12.500", "note": "Größe geprüft"},
        "commit": {"supplier": "ab" * 32},
        "refs": ("cd" * 32,),
    }
    return Statement(**(fields | changes))


def make_envelope(seq: int, prev: str, key: Ed25519PrivateKey = ACTOR_KEY, **changes: Any) -> Envelope:
    """The envelope with a signed statement at place seq."""
    statement = make_statement(seq, key)
    fields: dict[str, Any] = {
        "log": ORIGIN,
        "seq": seq,
        "prev": prev,
        "recv": f"2026-05-04T08:00:{seq % 60:02d}.000000Z",
        "statement": statement,
        "signature": sign_statement(statement, key),
    }
    return Envelope(**(fields | changes))


def make_log(size: int) -> list[bytes]:
    """The exact bytes of the first `size` entries, size <= 60."""
    entries: list[bytes] = []
    prev = GENESIS_PREV
    for seq in range(size):
        entries.append(envelope_bytes(make_envelope(seq, prev)))
        prev = leaf_hash(entries[-1]).hex()
    return entries


def make_note(entries: list[bytes]) -> str:
    """The signed checkpoint over all entries."""
    root = root_hash([leaf_hash(entry) for entry in entries])
    return sign_checkpoint(Checkpoint(ORIGIN, len(entries), root), LOG_KEY)
