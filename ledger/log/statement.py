"""Statement: what an actor says and signs, without its place in the log.

The signature is Ed25519 over the pre-authentication encoding of DSSE, which binds the payload's type, so that a
signature over another kind of document never passes for one over a statement. Which key an actor may use, and when, is
for the caller to know: the algorithm belongs to the key's record, not to the message.

Private fields are left out of the body and committed to instead: SHA-256 over a random salt and the field's value.
Value and salt are kept elsewhere and can be erased or disclosed without touching the log.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import BadSignatureError, InputError, problem
from ledger.log.canonical import MAX_DEPTH, Json, canonical_bytes
from ledger.log.forms import check_hash_hex, check_members, check_version, parse_time

STATEMENT_TYPE = "application/vnd.magnet-ledger.statement+json"
"""Payload type that the signature covers."""

STATEMENT_VERSION = 1
SIGNATURE_BYTES = 64
SALT_BYTES = 32

STATEMENT_LEVELS = MAX_DEPTH - 1
"""Deepest nesting of a statement: its entry, one level more, must have a canonical form."""

_KEYS = frozenset({"v", "type", "id", "at", "actor", "kid", "body", "commit", "refs"})
_TYPE = re.compile(r"(?=.{1,64}\Z)[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_UUID_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_ACTOR = re.compile(r"[!-~]{1,128}")
_KEY_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Statement:
    """One thing said by one actor.

    type: kind of event in lower snake case, dots between parts, for example "step" or "factor.adopted".
    id: UUID of version 7 (RFC 9562), lower case; the same statement sent twice has the same id.
    at: when it happened by the actor's clock, RFC 3339 UTC with microseconds. Nothing is ordered by it.
    actor: identity of who says it, visible ASCII; a pseudonym, since nothing in the log can be erased.
    kid: id of the key that signs it; see key_id.
    body: the event itself, a JSON object within the canonical profile. To the log it is only bytes.
    commit: name of a private field -> commitment to its value; see commitment.
    refs: SHA-256 of files that belong to it, 64 hexadecimal digits each.
    Raises: InputError naming the field, where a field is not of its form.
    """

    type: str
    id: str
    at: str
    actor: str
    kid: str
    body: dict[str, Any]
    commit: dict[str, str] = field(default_factory=dict)
    refs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_match(_TYPE, self.type, "/type", 'a kind in lower snake case such as "step" or "factor.adopted"')
        _check_match(_UUID_V7, self.id, "/id", "a UUID of version 7 in lower case")
        parse_time(self.at, "/at")
        _check_match(_ACTOR, self.actor, "/actor", "1 to 128 visible ASCII characters")
        _check_match(_KEY_ID, self.kid, "/kid", "16 lower-case hexadecimal digits")
        if not isinstance(self.body, dict):
            raise InputError(problem("/body", self.body, "a JSON object", "Put the event's fields in an object."))
        for name, hash_hex in self.commit.items():
            check_hash_hex(hash_hex, f"/commit/{name}")
        for index, hash_hex in enumerate(self.refs):
            check_hash_hex(hash_hex, f"/refs/{index}")

    def to_value(self) -> dict[str, Json]:
        """The statement as JSON data; its canonical bytes are what is signed."""
        return {
            "v": STATEMENT_VERSION,
            "type": self.type,
            "id": self.id,
            "at": self.at,
            "actor": self.actor,
            "kid": self.kid,
            "body": self.body,
            "commit": dict(self.commit),
            "refs": list(self.refs),
        }


def statement_from_value(value: object) -> Statement:
    """The statement that the JSON value `value` is: exactly the keys of `Statement.to_value`, each of its form.

    Raises: InputError naming the field.
    """
    members = check_members(value, _KEYS)
    check_version(members["v"], STATEMENT_VERSION)
    if not isinstance(members["commit"], dict):
        raise InputError(problem("/commit", members["commit"], "an object of commitments", "Use {} for none."))
    if not isinstance(members["refs"], list):
        raise InputError(problem("/refs", members["refs"], "a list of hashes", "Use [] for none."))
    return Statement(
        type=members["type"],
        id=members["id"],
        at=members["at"],
        actor=members["actor"],
        kid=members["kid"],
        body=members["body"],
        commit=members["commit"],
        refs=tuple(members["refs"]),
    )


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature covers: both parts with their lengths in bytes (DSSE protocol, version 1.0.0)."""
    type_bytes = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(type_bytes), type_bytes, len(payload), payload)


def sign_statement(statement: Statement, private_key: Ed25519PrivateKey) -> bytes:
    """The actor's signature, 64 bytes (RFC 8032).

    Raises: InputError if `statement.kid` does not name this key, or the body is outside the canonical profile.
    """
    expected = key_id(private_key.public_key())
    if statement.kid != expected:
        raise InputError(problem("/kid", statement.kid, expected, "Set kid to the id of the key that signs."))
    return private_key.sign(_signed_bytes(statement))


def verify_statement_signature(statement: Statement, signature: bytes, public_key: Ed25519PublicKey) -> None:
    """Raises: BadSignatureError unless `signature` is by the key that `statement.kid` names, over this statement."""
    expected = key_id(public_key)
    if statement.kid != expected:
        raise BadSignatureError(
            problem("/kid", statement.kid, f"key {expected}", "Check it against the key that the statement names.")
        )
    try:
        public_key.verify(signature, _signed_bytes(statement))
    except InvalidSignature as error:
        raise BadSignatureError(
            problem(
                "/sig",
                signature.hex(),
                f"a signature by key {expected} over statement {statement.id}",
                "Treat the statement as not made by its actor.",
            )
        ) from error


def key_id(public_key: Ed25519PublicKey) -> str:
    """The name of a key in statements: the first 8 bytes of the SHA-256 of its 32 bytes, in hex."""
    return hashlib.sha256(public_key.public_bytes_raw()).hexdigest()[:16]


def commitment(salt: bytes, value: object) -> str:
    """Commitment to a private `value`: SHA-256(salt || canonical form of value), 64 hexadecimal digits.

    salt: 32 random bytes, a new one for each value; with it erased, the value cannot be found by trying.
    Raises: InputError if salt has another length or value is outside the canonical profile.
    """
    if len(salt) != SALT_BYTES:
        raise InputError(problem("", f"{len(salt)} bytes", f"a salt of {SALT_BYTES} random bytes", "Make a new salt."))
    return hashlib.sha256(salt + canonical_bytes(value)).hexdigest()


def check_commitment(committed: str, salt: bytes, value: object) -> bool:
    """Whether `committed` is the commitment to `value` under `salt`."""
    return commitment(salt, value) == committed


def _signed_bytes(statement: Statement) -> bytes:
    return pre_authentication_encoding(STATEMENT_TYPE, canonical_bytes(statement.to_value()))


def _check_match(form: re.Pattern[str], text: object, where: str, expected: str) -> None:
    if not isinstance(text, str) or not form.fullmatch(text):
        raise InputError(problem(where, text, expected, "Correct the field."))
