"""Envelopes: exact bytes, one spelling."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ledger.errors import InputError, MalformedProofError
from ledger.log.canonical import canonical_bytes
from ledger.log.envelope import GENESIS_PREV, MAX_ENTRY_BYTES, envelope_bytes, parse_envelope
from tests.log_samples import make_envelope, make_statement


def test_an_envelope_is_read_back_from_its_bytes() -> None:
    envelope = make_envelope(4, "ab" * 32)
    data = envelope_bytes(envelope)
    assert parse_envelope(data) == envelope
    assert envelope_bytes(parse_envelope(data)) == data


def test_the_keys_are_those_of_the_format() -> None:
    data = envelope_bytes(make_envelope(0, GENESIS_PREV))
    assert data.startswith(b'{"log":"example.com/magnets/site-1","prev":"' + b"0" * 64 + b'","recv":"2026-')
    assert sorted(make_envelope(0, GENESIS_PREV).to_value()) == ["log", "prev", "recv", "seq", "sig", "stmt", "v"]


def test_the_longest_entry_fits_and_one_byte_more_does_not() -> None:
    def entry_of(note_chars: int) -> bytes:
        return envelope_bytes(make_envelope(0, GENESIS_PREV, statement=make_statement(body={"note": "x" * note_chars})))

    room = MAX_ENTRY_BYTES - len(entry_of(0))
    longest = entry_of(room)
    assert len(longest) == MAX_ENTRY_BYTES
    assert envelope_bytes(parse_envelope(longest)) == longest
    with pytest.raises(InputError) as caught:
        entry_of(room + 1)
    assert caught.value.problems[0].field == "/stmt"
    too_long = longest.replace(b'"note":"', b'"note":"x')
    with pytest.raises(MalformedProofError):
        parse_envelope(too_long)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"log": "https://example.com"}, "/log"),
        ({"seq": -1}, "/seq"),
        ({"seq": True}, "/seq"),
        ({"seq": 2**53}, "/seq"),
        ({"prev": "00"}, "/prev"),
        ({"recv": "yesterday"}, "/recv"),
        ({"signature": bytes(63)}, "/sig"),
    ],
)
def test_an_envelope_that_is_not_of_the_form_is_never_made(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InputError) as caught:
        dataclasses.replace(make_envelope(0, GENESIS_PREV), **changes)
    assert caught.value.problems[0].field == pointer


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"v": 2}, "/v"),
        ({"v": True}, "/v"),
        ({"seq": "0"}, "/seq"),
        ({"seq": None}, "/seq"),
        ({"sig": "AAAA"}, "/sig"),
        ({"sig": 1}, "/sig"),
        ({"stmt": []}, "/stmt"),
        ({"stmt": make_statement().to_value() | {"kid": "x"}}, "/stmt/kid"),
        ({"extra": 1}, "/extra"),
    ],
)
def test_bytes_of_an_envelope_that_is_not_of_the_form_are_refused_by_the_field(
    changes: dict[str, Any], pointer: str
) -> None:
    data = canonical_bytes(make_envelope(0, GENESIS_PREV).to_value() | changes)
    with pytest.raises(MalformedProofError) as caught:
        parse_envelope(data)
    assert caught.value.problems[0].field == pointer


@pytest.mark.parametrize("data", [b"", b"{}", b"null", b"[]", b"\xff", b'{"v":1}'])
def test_what_is_no_envelope_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedProofError):
        parse_envelope(data)


def test_the_same_envelope_in_another_spelling_is_refused() -> None:
    data = envelope_bytes(make_envelope(0, GENESIS_PREV))
    for other in (data + b"\n", data.replace(b'"seq":0', b'"seq": 0'), data.replace(b'"v":1', b'"v":1,"v":1')):
        with pytest.raises(MalformedProofError):
            parse_envelope(other)
