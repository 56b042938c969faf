"""Disclosure: what a reader is shown checks against the entry, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ledger.errors import MalformedProofError
from ledger.log.canonical import canonical_bytes
from ledger.log.disclosure import (
    MAX_DISCLOSURE_BYTES,
    DisclosedField,
    Disclosure,
    check_disclosure,
    format_disclosure,
    parse_disclosure,
)
from ledger.log.envelope import GENESIS_PREV, envelope_bytes
from ledger.log.statement import commitment, sign_statement
from ledger.report import Outcome, all_hold
from tests.log_samples import ACTOR_KEY, ORIGIN, make_envelope, make_statement

SALT = bytes(range(100, 132))
FIELDS = {"price": DisclosedField(SALT, "12.00"), "recipe": DisclosedField(SALT[::-1], {"steps": ["leach", 3, None]})}
DISCLOSURE = Disclosure(ORIGIN, 7, FIELDS)


def entry(seq: int = 7, **changes: str) -> bytes:
    commit = {name: commitment(one.salt, one.value) for name, one in FIELDS.items()} | changes
    statement = make_statement(seq, commit=commit)
    signature = sign_statement(statement, ACTOR_KEY)
    return envelope_bytes(replace(make_envelope(seq, GENESIS_PREV), statement=statement, signature=signature))


def failed_names(data: bytes, disclosure: bytes) -> set[str]:
    checks = check_disclosure(data, disclosure)
    names = {check.name for check in checks if check.outcome is Outcome.FAILED}
    assert all_hold(checks) is not bool(names)
    return names


def test_a_disclosure_has_one_form_and_is_read_back() -> None:
    data = format_disclosure(DISCLOSURE)
    assert data == (
        b'{"fields":{"price":{"salt":"' + SALT.hex().encode() + b'","value":"12.00"},"recipe":{"salt":"'
        + SALT[::-1].hex().encode() + b'","value":{"steps":["leach",3,null]}}},"log":"' + ORIGIN.encode()
        + b'","seq":7,"v":1}\n'
    )  # fmt: skip
    assert parse_disclosure(data) == parse_disclosure(data[:-1]) == DISCLOSURE


def test_what_is_disclosed_checks_against_its_entry_and_says_what_was_not_looked_at() -> None:
    checks = check_disclosure(entry(), format_disclosure(DISCLOSURE))
    assert all_hold(checks)
    assert [(check.name, str(check.outcome)) for check in checks] == [
        ("disclosure-form", "passed"),
        ("disclosure-entry", "passed"),
        ("disclosed-value", "passed"),
        ("disclosed-value", "passed"),
        ("entry-in-log", "not checked"),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price", DisclosedField(SALT, "12.01")),
        ("price", DisclosedField(SALT, 12)),
        ("price", DisclosedField(bytes(32), "12.00")),
        ("cost", DisclosedField(SALT, "12.00")),
        ("recipe", DisclosedField(SALT[::-1], {"steps": ["leach", 3]})),
    ],
)
def test_another_value_salt_or_field_fails(field: str, value: DisclosedField) -> None:
    changed = replace(DISCLOSURE, fields={**FIELDS, field: value})
    assert failed_names(entry(), format_disclosure(changed)) == {"disclosed-value"}


def test_the_disclosure_of_another_entry_or_log_fails() -> None:
    assert failed_names(entry(6), format_disclosure(DISCLOSURE)) == {"disclosure-entry"}
    other = replace(DISCLOSURE, log="example.com/magnets/site-2")
    assert failed_names(entry(), format_disclosure(other)) == {"disclosure-entry"}
    assert failed_names(b"{}", format_disclosure(DISCLOSURE)) == {"disclosure-entry"}


def changed(**members: Any) -> bytes:
    value = DISCLOSURE.to_value() | members
    return canonical_bytes({name: item for name, item in value.items() if item != "left out"})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"null",
        b"\xff",
        b"[" * 100_000,
        json.dumps(DISCLOSURE.to_value(), indent=1).encode(),
        format_disclosure(DISCLOSURE) + b"\n",
        changed(v=2),
        changed(v="left out"),
        changed(more=1),
        changed(seq=-1),
        changed(seq=True),
        changed(log="with space"),
        changed(fields={}),
        changed(fields=[]),
        changed(fields={"price": {"salt": "00", "value": 1}}),
        changed(fields={"price": {"salt": SALT.hex().upper(), "value": 1}}),
        changed(fields={"price": {"salt": SALT.hex()}}),
        changed(fields={"price": "12.00"}),
        b" " * (MAX_DISCLOSURE_BYTES + 1),
    ],
)
def test_what_is_not_of_the_form_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedProofError):
        parse_disclosure(data)
    assert failed_names(entry(), data) == {"disclosure-form"}


def test_value_and_salt_are_in_no_text_made_for_logs() -> None:
    assert "12.00" not in repr(DISCLOSURE)
    assert str(SALT) not in repr(DISCLOSURE)
