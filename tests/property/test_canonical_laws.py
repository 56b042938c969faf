"""The fast ways to the canonical form are held against the textbook ones, on what is in the profile and what is not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.errors import InputError, LedgerError, MalformedProofError
from ledger.log.canonical import (
    MAX_DEPTH,
    canonical_bytes,
    canonical_bytes_by_walk,
    parse_canonical,
    parse_canonical_by_walk,
)
from ledger.log.envelope import MAX_ENTRY_BYTES, Envelope, envelope_bytes, splice_envelope
from ledger.log.statement import Statement
from tests.log_samples import ORIGIN, make_statement


class Text(str):
    """A kind of text that is not exactly str."""


class Number(int):
    """A kind of number that is not exactly int."""


class Grade(IntEnum):
    """orjson would write it as its number."""

    A = 1


class Form(StrEnum):
    """orjson would write it as its text."""

    OXIDE = "oxide"


KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
# Text full of what the fast way looks for: quotes, backslashes, colons, braces, keys, numbers.
HOSTILE_TEXT = st.text(alphabet='"\\:,{}[]aZ_01.e-\n\u00e9\ud800') | st.text()
ODD_KEYS = KEYS | HOSTILE_TEXT | st.sampled_from(['a":', '",a', "a\\", "A", "_a", "1", "", "é", Text("a")])
NUMBERS = st.integers(-(2**53) - 1, 2**53 + 1) | st.integers() | st.floats()
ODD_VALUES = st.sampled_from(
    [
        Text("a"),
        Number(1),
        Grade.A,
        Form.OXIDE,
        Decimal("1.5"),
        (1, 2),
        b"a",
        datetime(2026, 5, 4, tzinfo=UTC),
        {1},
        object(),
    ]
)
ANYTHING: Any = st.recursive(
    st.none() | st.booleans() | NUMBERS | HOSTILE_TEXT | ODD_VALUES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(ODD_KEYS, inner, max_size=5),
    max_leaves=20,
)
PROFILE: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(alphabet='"\\:,{}[]aZ_01.e-\né'),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)
PIECES = st.sampled_from(
    [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        '"a"',
        '"b":',
        '"a":1',
        '"A":1',
        "\\",
        "1",
        "-0",
        "1.5",
        "1e2",
        " ",
        "null",
        "true",
    ]
)


def outcome(function: Any, argument: Any) -> tuple[object, ...]:
    """What a function gives or how it refuses, in a form that tells True from 1 and one text from another."""
    try:
        given_back = function(argument)
    except LedgerError as error:
        return type(error), error.problems
    return ("gave", repr(given_back))


@given(ANYTHING)
@example([[[1.0]]])
@example({"a": {'b":': 1}})
@example({"a": ["x", {"y": 2**53}]})
def test_making_is_as_strict_as_the_walk(value: Any) -> None:
    assert outcome(canonical_bytes, value) == outcome(canonical_bytes_by_walk, value)


@given(PROFILE)
def test_making_within_the_profile_gives_what_the_walk_gives(value: Any) -> None:
    assert canonical_bytes(value) == canonical_bytes_by_walk(value)
    assert parse_canonical(canonical_bytes(value)) == value


@given(st.lists(PIECES, max_size=12).map("".join) | ANYTHING.map(lambda value: json.dumps(value, default=str)))
@example('{"a":1.5}')
@example('[{"a":1,"a":1}]')
@example('{"b":1,"a":1}')
@example('{"a":"\\":","B":1}')
@example("[18446744073709551616]")
@example("[-0]")
@example('["\\u0041"]')
def test_reading_is_as_strict_as_the_walk(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert outcome(parse_canonical, data) == outcome(parse_canonical_by_walk, data)


@given(ANYTHING)
def test_reading_what_orjson_writes_is_as_strict_as_the_walk(value: Any) -> None:
    """Sorted and without white space, as canonical data is, but with floats, large integers and any key."""
    try:
        data = orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str)
    except orjson.JSONEncodeError:
        return
    assert outcome(parse_canonical, data) == outcome(parse_canonical_by_walk, data)


@pytest.mark.parametrize("container", ["[%s]", '{"a":%s}'])
@pytest.mark.parametrize("levels", [MAX_DEPTH, MAX_DEPTH + 1])
def test_both_ways_count_the_same_levels(container: str, levels: int) -> None:
    text = "1"
    for _ in range(levels):
        text = container % text
    data = text.encode()
    if levels <= MAX_DEPTH:
        assert canonical_bytes(parse_canonical(data)) == data
    else:
        with pytest.raises(MalformedProofError, match="64 levels"):
            parse_canonical(data)
        with pytest.raises(InputError, match="64 levels"):
            canonical_bytes(json.loads(text))


# Envelopes

ORIGINS = st.from_regex(r"[!-*,-9;-~]{1,40}", fullmatch=True)  # quotes and backslashes too
HASHES = st.binary(min_size=32, max_size=32)
TIMES = st.datetimes().map(lambda at: f"{at.isoformat('T', 'microseconds')}Z")


@given(ORIGINS, st.integers(0, 2**53 - 1), HASHES, TIMES, st.binary(min_size=64, max_size=64), PROFILE)
def test_an_envelope_spliced_is_the_envelope_made(
    origin: str, seq: int, prev: bytes, recv: str, signature: bytes, content: Any
) -> None:
    statement = make_statement(1, body={"content": content})
    made = envelope_bytes(Envelope(origin, seq, prev.hex(), recv, statement, signature))
    spliced = splice_envelope(origin, seq, prev.hex(), recv, signature, canonical_bytes(statement.to_value()))
    assert spliced == made


GOOD: dict[str, Any] = {
    "origin": ORIGIN,
    "seq": 7,
    "prev": "ab" * 32,
    "recv": "2026-05-04T08:00:00.000000Z",
    "signature": bytes(64),
}


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "https://example.com"},
        {"origin": ""},
        {"seq": -1},
        {"seq": 2**53},
        {"seq": True},
        {"prev": "AB" * 32},
        {"prev": ""},
        {"recv": "2026-02-30T08:00:00.000000Z"},
        {"signature": bytes(63)},
    ],
    ids=str,
)
def test_splicing_refuses_what_an_envelope_refuses(change: dict[str, Any]) -> None:
    fields = GOOD | change
    statement = make_statement(1)
    with pytest.raises(InputError) as made:
        Envelope(fields["origin"], fields["seq"], fields["prev"], fields["recv"], statement, fields["signature"])
    with pytest.raises(InputError) as spliced:
        splice_envelope(**fields, statement_bytes=canonical_bytes(statement.to_value()))
    assert spliced.value.problems == made.value.problems


def test_an_entry_of_65535_bytes_is_spliced_and_one_byte_more_refused() -> None:
    def statement_of(note_chars: int) -> Statement:
        return make_statement(1, body={"note": "x" * note_chars})

    def spliced(statement: Statement) -> bytes:
        return splice_envelope(**GOOD, statement_bytes=canonical_bytes(statement.to_value()))

    room = MAX_ENTRY_BYTES - len(spliced(statement_of(0)))
    assert len(spliced(statement_of(room))) == 65_535
    with pytest.raises(InputError, match="65536 bytes"):
        spliced(statement_of(room + 1))
