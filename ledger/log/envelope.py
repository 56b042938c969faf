"""Envelope: a statement at its place in the log; its canonical bytes are the leaf's data.

`prev` is the leaf hash of the entry before, the same hash that the Merkle tree uses: an exported stretch of the log can
be checked with SHA-256 alone, and a fork in a database shows between two checkpoints.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import orjson

from ledger.errors import InputError, MalformedProofError, Problem, problem
from ledger.log.canonical import MAX_SAFE_INTEGER, Json, canonical_bytes, parse_canonical
from ledger.log.forms import (
    check_hash_hex,
    check_members,
    check_origin,
    check_version,
    format_base64,
    parse_base64,
    parse_time,
)
from ledger.log.statement import SIGNATURE_BYTES, Statement, statement_from_value

GENESIS_PREV = "0" * 64
"""`prev` of the entry with seq 0."""

MAX_ENTRY_BYTES = 65_535
"""Longest entry: bundles carry a 16-bit length (C2SP tlog-tiles). Larger material is a file, named in refs."""

ENVELOPE_VERSION = 1

_KEYS = frozenset({"v", "log", "seq", "prev", "recv", "stmt", "sig"})


@dataclass(frozen=True)
class Envelope:
    """One entry of the log.

    log: origin of the log, for example "example.com/site-1"; an entry copied into another log is noticed.
    seq: place in the log, from 0; equals the leaf index.
    prev: leaf hash of the entry with seq - 1, in hex; GENESIS_PREV at seq 0.
    recv: when the log took it in, by the log's clock, RFC 3339 UTC with microseconds; never falls.
    statement: what was said.
    signature: the actor's signature over the statement, 64 bytes.
    Raises: InputError naming the field, where a field is not of its form. It does not verify the signature.
    """

    log: str
    seq: int
    prev: str
    recv: str
    statement: Statement
    signature: bytes

    def __post_init__(self) -> None:
        _check_fields(self.log, self.seq, self.prev, self.recv, self.signature)

    def to_value(self) -> dict[str, Json]:
        """The envelope as JSON data."""
        return {
            "v": ENVELOPE_VERSION,
            "log": self.log,
            "seq": self.seq,
            "prev": self.prev,
            "recv": self.recv,
            "stmt": self.statement.to_value(),
            "sig": format_base64(self.signature),
        }


def envelope_bytes(envelope: Envelope) -> bytes:
    """The entry's exact bytes, at most MAX_ENTRY_BYTES.

    Raises: InputError if they would be more, or the statement's body is outside the canonical profile.
    """
    return _checked_length(canonical_bytes(envelope.to_value()))


def splice_envelope(origin: str, seq: int, prev: str, recv: str, signature: bytes, statement_bytes: bytes) -> bytes:
    """The same bytes as `envelope_bytes` gives, put together around a statement that is in canonical form already.

    origin, seq, prev, recv, signature: as in `Envelope`. statement_bytes: exact canonical bytes of the statement, which
    are what its actor signed; the caller has checked or made them, here they are copied.
    Raises: InputError as `Envelope` and `envelope_bytes` do.
    """
    _check_fields(origin, seq, prev, recv, signature)
    return join_envelope(origin, seq, prev, recv, signature, statement_bytes)


def join_envelope(origin: str, seq: int, prev: str, recv: str, signature: bytes, statement_bytes: bytes) -> bytes:
    """As splice_envelope, for a caller who has made or checked every part: only the length is looked at.

    Raises: InputError if the entry would be longer than MAX_ENTRY_BYTES.
    """
    # Keys in their canonical order. Only the origin can hold a character that JSON escapes.
    return _checked_length(
        b'{"log":%b,"prev":"%b","recv":"%b","seq":%d,"sig":"%b","stmt":%b,"v":%d}'
        % (
            orjson.dumps(origin),
            prev.encode("ascii"),
            recv.encode("ascii"),
            seq,
            base64.b64encode(signature),
            statement_bytes,
            ENVELOPE_VERSION,
        )
    )


def _check_fields(log: str, seq: int, prev: str, recv: str, signature: bytes) -> None:
    check_origin(log, "/log")
    if type(seq) is not int or not 0 <= seq <= MAX_SAFE_INTEGER:
        raise InputError(problem("/seq", seq, "an integer from 0 to 2^53-1", "Give the place in the log."))
    check_hash_hex(prev, "/prev")
    parse_time(recv, "/recv")
    if len(signature) != SIGNATURE_BYTES:
        raise InputError(problem("/sig", signature, f"{SIGNATURE_BYTES} bytes (Ed25519)", "Sign with Ed25519."))


def _checked_length(data: bytes) -> bytes:
    if len(data) > MAX_ENTRY_BYTES:
        raise InputError(
            problem(
                "/stmt",
                f"an entry of {len(data)} bytes",
                f"at most {MAX_ENTRY_BYTES} bytes",
                "Keep the material as a file and put its SHA-256 into refs.",
            )
        )
    return data


def parse_envelope(data: bytes) -> Envelope:
    """The envelope whose exact bytes are `data`: envelope_bytes(parse_envelope(data)) == data.

    Raises: MalformedProofError naming the field, if there is none.
    """
    if len(data) > MAX_ENTRY_BYTES:
        raise MalformedProofError(
            problem("", f"{len(data)} bytes", f"at most {MAX_ENTRY_BYTES} bytes", "Take the entry from the log again.")
        )
    value = parse_canonical(data)
    try:
        members = check_members(value, _KEYS)
        check_version(members["v"], ENVELOPE_VERSION)
        return Envelope(
            log=members["log"],
            seq=members["seq"],
            prev=members["prev"],
            recv=members["recv"],
            statement=_statement_of(members["stmt"]),
            signature=parse_base64(members["sig"], "/sig"),
        )
    except InputError as error:
        raise MalformedProofError(*error.problems) from error


def _statement_of(value: object) -> Statement:
    """The statement in `value`; errors point into the envelope."""
    try:
        return statement_from_value(value)
    except InputError as error:
        raise InputError(
            *(Problem(f"/stmt{one.field}", one.value, one.expected, one.next_step) for one in error.problems)
        ) from error
