"""Changing keys: handing the log over to a new key, retiring the old one, rotating an actor's key, revoking any.

Each can be called again after a crash: what the log says already is not said twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import ConflictError, InputError, RuleError, problem
from ledger.log.checkpoint import NoteSigner, VerifierKey, format_vkey, make_verifier_key
from ledger.log.forms import format_base64, parse_base64
from ledger.log.keyring import Keyring, sign_handover
from ledger.log.statement import key_id
from ledger.material.keys import Keys, possession_bytes
from ledger.service.append import Appended, Draft, append_entries
from ledger.service.context import Actor, Ledger, make_actor
from ledger.service.log_keys import log_keyring
from ledger.service.read import state_of
from ledger.store.database import read_transaction

_TRIES = 20
"""How often a statement about the log's size is made anew while others log."""


def keyring_now(ledger: Ledger) -> Keyring:
    """The history of the log's keys as the log stands now. Raises: as `log_keyring`."""
    with read_transaction(ledger.engine) as connection:
        return log_keyring(ledger, connection)


def add_log_key(ledger: Ledger, new: NoteSigner, actor: Actor) -> Appended | None:
    """The log's key hands over to `new`: from then on both sign. None if the log says so already.

    Raises: StoreError without the log's key; RuleError if the key here does not sign now or the new one had its turn.
    """
    old = ledger.signing_key()
    new_text = format_vkey(ledger.origin, new.public_key())

    def body(keys: Keys, size: int) -> dict[str, Any] | None:
        if new_text in keys.log_ranges:
            return None
        signatures = sign_handover(ledger.origin, old, new, size + 1)
        return {
            "vkey": new_text,
            "old_vkey": format_vkey(ledger.origin, old.public_key()),
            "from_size": size + 1,
            "old_signature": format_base64(signatures[0]),
            "new_signature": format_base64(signatures[1]),
        }

    return _say(ledger, "log_key_added", body, actor)


def retire_log_key(ledger: Ledger, vkey: VerifierKey, actor: Actor) -> Appended | None:
    """The key signs no checkpoint that holds this entry. None if it has ended already, by retirement or revocation.

    Raises: RuleError if no other key signs beside it.
    """
    text = format_vkey(vkey.origin, vkey.public_key)

    def body(keys: Keys, size: int) -> dict[str, Any] | None:
        if keys.log_ranges.get(text, (0, None))[1] is not None:
            return None
        return {"vkey": text, "to_size": size + 1}

    return _say(ledger, "log_key_retired", body, actor)


def rotate_actor_key(ledger: Ledger, old: Actor, new_key: Ed25519PrivateKey) -> Appended | None:
    """The actor's new key in place of the old one, which signs for the last time. None if the log says so already."""
    new = make_actor(old.actor, new_key)

    def body(keys: Keys, size: int) -> dict[str, Any] | None:
        if new.kid in keys.actors:
            return None
        proof = new_key.sign(possession_bytes(old.actor, old.kid, new.kid))
        return {
            "old_kid": old.kid,
            "kid": new.kid,
            "public_key": format_base64(new_key.public_key().public_bytes_raw()),
            "actor": old.actor,
            "proof": format_base64(proof),
        }

    return _say(ledger, "actor_key_rotated", body, old)


def register_key(ledger: Ledger, actor: str, public_key: str, role: str, by: Actor) -> Appended:
    """Let a key sign for an actor from now on. public_key: base64 of the 32 bytes of an Ed25519 key.

    Raises: InputError for what is not of its form; DuplicateIdError if the key is registered already.
    """
    raw = parse_base64(public_key, "/public_key")
    if len(raw) != 32:
        raise InputError(problem("/public_key", public_key, "base64 of 32 bytes", "Copy the key again."))
    kid = key_id(Ed25519PublicKey.from_public_bytes(raw))
    body = {"kid": kid, "public_key": public_key, "actor": actor, "role": role}
    return append_entries(ledger, [Draft("actor_key", body)], by)[0]


def revoke_key(
    ledger: Ledger, kind: str, key: str, reason: str, actor: Actor, compromised_from_seq: int | None = None
) -> Appended:
    """That a key is not to be trusted any more; see `ledger.material.key_entries.KeyRevoked`.

    Raises: InputError for another kind or form; RuleError, UnknownIdError, DuplicateIdError if it cannot be revoked.
    """
    body: dict[str, Any] = {"kind": kind, "key": key, "reason": reason}
    if compromised_from_seq is not None:
        body["compromised_from_seq"] = compromised_from_seq
    return append_entries(ledger, [Draft("key_revoked", body)], actor)[0]


def find_log_key(ledger: Ledger, name: str) -> str:
    """The verifier key of this log that `name` names: itself, or its key hash in hex.

    Raises: RuleError if the history of the log's keys holds none such.
    """
    ring = keyring_now(ledger)
    found = [key.text for key in ring.keys if name in (key.text, key.vkey.key_hash.hex())]
    if len(found) != 1:
        known = ", ".join(key.vkey.key_hash.hex() for key in ring.keys)
        raise RuleError(problem("/key", name, f"the key hash or verifier key of one of: {known}", "See `key list`."))
    return found[0]


def vkey_of(ledger: Ledger, signer: NoteSigner) -> VerifierKey:
    """The verifier key of a signer of this log."""
    return make_verifier_key(ledger.origin, signer.public_key())


def _say(
    ledger: Ledger, entry_type: str, body_at: Callable[[Keys, int], Mapping[str, Any] | None], actor: Actor
) -> Appended | None:
    """Append what body_at says of the keys and size of the log, right after that state; None if it says nothing."""
    for _ in range(_TRIES):
        state = state_of(ledger)
        body = body_at(state.plant.keys, state.tree_size)
        if body is None:
            return None
        try:
            return append_entries(ledger, [Draft(entry_type, body)], actor, expected_tree_size=state.tree_size)[0]
        except ConflictError:
            continue
    raise ConflictError(
        problem("/tree_size", f"a log that grew {_TRIES} times meanwhile", "a quiet moment", "Try again.")
    )
