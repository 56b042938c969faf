"""Disclosure: private fields of one entry, shown to a reader who can check them without us.

It holds value and salt of each field. Whoever has the entry's bytes recomputes the commitment; that the entry is in the
log, its proof shows. What has been disclosed cannot be called back: an erasure here does not reach the reader's copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.errors import InputError, MalformedProofError, problem
from ledger.log.canonical import MAX_SAFE_INTEGER, Json, canonical_bytes, parse_canonical
from ledger.log.envelope import parse_envelope
from ledger.log.forms import check_hash_hex, check_members, check_origin, check_version
from ledger.log.statement import check_commitment
from ledger.report import Check, failed, not_checked, passed

DISCLOSURE_VERSION = 1
MAX_DISCLOSURE_BYTES = 1_048_576

FORM = "disclosure-form"
ENTRY = "disclosure-entry"
VALUE = "disclosed-value"

_KEYS = frozenset({"v", "log", "seq", "fields"})
_FIELD_KEYS = frozenset({"salt", "value"})


@dataclass(frozen=True)
class DisclosedField:
    """A private value with the salt of its commitment, 32 bytes."""

    salt: bytes = field(repr=False)
    value: Json = field(repr=False)


@dataclass(frozen=True)
class Disclosure:
    """Private fields of entry `seq` of the log with origin `log`, by name."""

    log: str
    seq: int
    fields: Mapping[str, DisclosedField]

    def to_value(self) -> dict[str, Json]:
        """The disclosure as JSON data."""
        return {
            "v": DISCLOSURE_VERSION,
            "log": self.log,
            "seq": self.seq,
            "fields": {name: {"salt": one.salt.hex(), "value": one.value} for name, one in self.fields.items()},
        }


def format_disclosure(disclosure: Disclosure) -> bytes:
    """The disclosure as a file: its canonical form and a line feed."""
    return canonical_bytes(disclosure.to_value()) + b"\n"


def parse_disclosure(data: bytes) -> Disclosure:
    """The disclosure that a file spells; the line feed at its end may be missing.

    Raises: MalformedProofError naming the field, if it is not of that form or longer than MAX_DISCLOSURE_BYTES.
    """
    if len(data) > MAX_DISCLOSURE_BYTES:
        raise MalformedProofError(
            problem("", f"{len(data)} bytes", f"at most {MAX_DISCLOSURE_BYTES} bytes", "Ask for fewer fields at once.")
        )
    value = parse_canonical(data.removesuffix(b"\n"))
    try:
        members = check_members(value, _KEYS)
        check_version(members["v"], DISCLOSURE_VERSION)
        seq = members["seq"]
        if type(seq) is not int or not 0 <= seq <= MAX_SAFE_INTEGER:
            raise InputError(problem("/seq", seq, "an integer from 0 to 2^53-1", "Take the file again."))
        if not isinstance(members["fields"], dict) or not members["fields"]:
            raise InputError(problem("/fields", members["fields"], "at least one field by name", "Take it again."))
        fields = {name: _field_of(one, f"/fields/{name}") for name, one in members["fields"].items()}
        return Disclosure(check_origin(members["log"], "/log"), seq, fields)
    except InputError as error:
        raise MalformedProofError(*error.problems) from error


def check_disclosure(entry: bytes, disclosure: bytes) -> list[Check]:
    """Whether the entry commits to every value that the disclosure (a file's bytes) shows.

    entry: its exact bytes, whose own proof is for the caller to verify; a reminder of that is among the checks.
    """
    try:
        shown = parse_disclosure(disclosure)
    except MalformedProofError as error:
        return [failed(FORM, str(error))]
    checks = [passed(FORM, f"{len(shown.fields)} fields of entry {shown.seq} of log {shown.log}")]
    try:
        envelope = parse_envelope(entry)
    except MalformedProofError as error:
        return [*checks, failed(ENTRY, f"the entry cannot be read: {error}")]
    if (envelope.log, envelope.seq) != (shown.log, shown.seq):
        detail = (
            f"the entry is number {envelope.seq} of log {envelope.log}, the fields are of {shown.seq} of {shown.log}"
        )
        return [*checks, failed(ENTRY, detail, shown.seq)]
    checks.append(passed(ENTRY, f"it is entry {envelope.seq} of log {envelope.log}"))
    for name, one in shown.fields.items():
        committed = envelope.statement.commit.get(name)
        if committed is None:
            checks.append(failed(VALUE, f"{name}: the entry commits to no such field", shown.seq))
        elif not check_commitment(committed, one.salt, one.value):
            checks.append(failed(VALUE, f"{name}: the entry commits to another value", shown.seq))
        else:
            checks.append(passed(VALUE, f"{name}: the entry commits to this value"))
    why = "that the entry is in the log is for its proof to show (`log prove`), which is not looked at here"
    checks.append(not_checked("entry-in-log", why, required=False))
    return checks


def _field_of(value: object, where: str) -> DisclosedField:
    try:
        members = check_members(value, _FIELD_KEYS)
        salt = bytes.fromhex(check_hash_hex(members["salt"], "/salt"))
    except InputError as error:
        first = error.problems[0]
        raise InputError(problem(where + first.field, first.value, first.expected, first.next_step)) from error
    return DisclosedField(salt, members["value"])
