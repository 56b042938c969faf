"""A signed statement on its way into a log: the exact bytes that its actor signed, and what is read from them.

Whoever states something may sign it far from the log. The bytes are kept as they came: what enters the log is what was
signed, never a copy made from values that were read. Which key the actor may use is for the caller to know.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import BadSignatureError, InputError, MalformedProofError, problem
from ledger.log.canonical import Json, canonical_bytes, parse_canonical
from ledger.log.statement import (
    SIGNATURE_BYTES,
    STATEMENT_LEVELS,
    STATEMENT_TYPE,
    Statement,
    check_commitment,
    key_id,
    pre_authentication_encoding,
    statement_from_value,
)

_CLIENT_ID = re.compile(r"[!-~]{1,128}")
_TENANT = re.compile(r"[!-~]{0,128}")


@dataclass(frozen=True)
class SignedStatement:
    """A statement as its sender hands it over.

    statement_bytes: its canonical bytes, the payload of the signature. signature: Ed25519, 64 bytes.
    private: salt and value of private fields, by name; those of the statement's commitments that are to be kept here.
    client_id: the sender's own id for this submission, 1 to 128 visible ASCII characters, under which sending it again
    is safe; None: the statement's id serves.
    """

    statement_bytes: bytes
    signature: bytes
    private: Mapping[str, tuple[bytes, Json]] = field(default_factory=dict, repr=False)
    client_id: str | None = None


@dataclass(frozen=True)
class CheckedStatement:
    """A signed statement that has been read and is of its form. Its signature may not have been verified yet.

    type, id: as the statement says. content_sha256: see the function of that name. The other fields are those of
    `SignedStatement`.
    """

    type: str
    id: str
    content_sha256: str
    statement_bytes: bytes
    signature: bytes
    private: Mapping[str, tuple[bytes, Json]] = field(repr=False)
    client_id: str | None

    @cached_property
    def statement(self) -> Statement:
        """What the bytes say; kept once it was read."""
        return statement_from_value(parse_canonical(self.statement_bytes))

    @property
    def key(self) -> str:
        """The sender's id for it, with which it is found again."""
        return self.id if self.client_id is None else self.client_id


def make_signed(
    statement: Statement,
    private_key: Ed25519PrivateKey,
    private: Mapping[str, tuple[bytes, Json]] | None = None,
    client_id: str | None = None,
) -> CheckedStatement:
    """The statement, signed with this key.

    Raises: InputError if `statement.kid` does not name the key, the body is outside the canonical profile, or client_id
    is not of its form.
    """
    expected = key_id(private_key.public_key())
    if statement.kid != expected:
        raise InputError(problem("/kid", statement.kid, expected, "Set kid to the id of the key that signs."))
    check_client_id(client_id)
    data = canonical_bytes(statement.to_value())
    signature = private_key.sign(pre_authentication_encoding(STATEMENT_TYPE, data))
    return _checked(statement, SignedStatement(data, signature, private or {}, client_id))


def check_form(signed: SignedStatement) -> CheckedStatement:
    """Read a signed statement; all of it but its signature is checked.

    Raises: InputError naming the field: not canonical, a field not of its form, a private value that is not the one
    committed to, a signature of another length.
    """
    try:
        statement = statement_from_value(parse_canonical(signed.statement_bytes, STATEMENT_LEVELS))
    except MalformedProofError as error:
        raise InputError(
            *(replace(one, next_step="Send the canonical bytes that were signed.") for one in error.problems)
        ) from error
    if len(signed.signature) != SIGNATURE_BYTES:
        raise InputError(
            problem(
                "/sig", f"{len(signed.signature)} bytes", f"{SIGNATURE_BYTES} bytes (Ed25519)", "Sign with Ed25519."
            )
        )
    check_client_id(signed.client_id)
    for name, (salt, value) in signed.private.items():
        if name not in statement.commit or not check_commitment(statement.commit[name], salt, value):
            raise InputError(
                problem(
                    f"/private/{name}",
                    "a value and salt",
                    "those that the statement commits to",
                    "Send the value and salt that the commitment was made from.",
                )
            )
    return _checked(statement, signed)


def _checked(statement: Statement, signed: SignedStatement) -> CheckedStatement:
    checked = CheckedStatement(
        statement.type,
        statement.id,
        _spliced_sha256(statement, signed.statement_bytes),
        signed.statement_bytes,
        signed.signature,
        signed.private,
        signed.client_id,
    )
    vars(checked)["statement"] = statement  # has been read already
    return checked


def verify_signature(checked: CheckedStatement, public_key: Ed25519PublicKey) -> None:
    """Raises: BadSignatureError unless the key that the statement names is this one, and signed these bytes."""
    expected = key_id(public_key)
    if checked.statement.kid != expected:
        raise BadSignatureError(
            problem("/kid", checked.statement.kid, f"key {expected}", "Use the key that the statement names.")
        )
    try:
        public_key.verify(checked.signature, pre_authentication_encoding(STATEMENT_TYPE, checked.statement_bytes))
    except InvalidSignature as error:
        raise BadSignatureError(
            problem(
                "/sig",
                checked.signature.hex(),
                f"a signature by key {expected} over statement {checked.statement.id}",
                "Sign the statement's exact bytes with that key.",
            )
        ) from error


def is_client_id(text: str) -> bool:
    """Whether it is 1 to 128 visible ASCII characters; every statement id is, too."""
    return _CLIENT_ID.fullmatch(text) is not None


def check_client_id(client_id: str | None) -> None:
    """Raises: InputError unless it is None or 1 to 128 visible ASCII characters."""
    if client_id is not None and not is_client_id(client_id):
        raise InputError(
            problem("/client_id", client_id, "1 to 128 visible ASCII characters", "Make another id, such as a UUID.")
        )


def check_tenant(tenant: str) -> None:
    """Raises: InputError unless it is at most 128 visible ASCII characters; none for who has no account here."""
    if not _TENANT.fullmatch(tenant):
        raise InputError(problem("/tenant", tenant, "up to 128 visible ASCII characters", "Name the sender so."))


def content_sha256(statement: Statement) -> str:
    """SHA-256, in hex, of what a repeated statement must have in common with the first: all but its id, times and key.

    Of private fields only the names count here: a hash of their values, without salt, could be searched for.
    """
    content = {
        "actor": statement.actor,
        "body": statement.body,
        "private": sorted(statement.commit),
        "refs": list(statement.refs),
        "type": statement.type,
    }
    return hashlib.sha256(canonical_bytes(content)).hexdigest()


def _spliced_sha256(statement: Statement, statement_bytes: bytes) -> str:
    """content_sha256(statement), its body cut out of the statement's canonical bytes instead of written again.

    The keys come in the order actor, at, body, commit, id, kid, refs, type, v; what stands before and after the body is
    written anew, and only its length is used.
    """
    actor = orjson.dumps(statement.actor)
    commit = orjson.dumps(statement.commit, option=orjson.OPT_SORT_KEYS)
    refs = orjson.dumps(statement.refs)
    kind = orjson.dumps(statement.type)
    start = len(b'{"actor":,"at":"","body":') + len(actor) + len(statement.at)
    after = b',"commit":%b,"id":"%b","kid":"%b","refs":%b,"type":%b,"v":1}' % (
        commit,
        statement.id.encode("ascii"),
        statement.kid.encode("ascii"),
        refs,
        kind,
    )
    digest = hashlib.sha256(b'{"actor":%b,"body":' % actor)
    digest.update(statement_bytes[start : len(statement_bytes) - len(after)])
    digest.update(b',"private":%b,"refs":%b,"type":%b}' % (orjson.dumps(sorted(statement.commit)), refs, kind))
    return digest.hexdigest()
