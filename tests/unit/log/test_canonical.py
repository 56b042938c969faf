"""Canonical form and the door in front of it."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum

import pytest
import rfc8785

from ledger.errors import InputError, MalformedProofError
from ledger.log.canonical import MAX_DEPTH, MAX_SAFE_INTEGER, Json, canonical_bytes, parse_canonical, parse_json


def nested(levels: int) -> Json:
    """An empty list inside lists, `levels` of them in all."""
    value: Json = []
    for _ in range(levels - 1):
        value = [value]
    return value


def refusal(error: InputError | MalformedProofError) -> str:
    return error.problems[0].field


def test_keys_are_sorted_and_white_space_is_left_out() -> None:
    assert canonical_bytes({"b": [1, None], "a": True, "a_1": "x"}) == b'{"a":true,"a_1":"x","b":[1,null]}'


def test_text_is_escaped_as_rfc_8785_shows() -> None:
    # RFC 8785, 3.2.2 and 3.2.3: the sample's "string" member; the expected text is that of the RFC.
    text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/"
    assert canonical_bytes(text) == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'.encode()


def test_every_control_character_is_written_as_rfc8785_writes_it() -> None:
    text = "".join(map(chr, range(0x20))) + "\x7f\x80\u2028\u2029\ufeff\U0001f9f2"
    assert canonical_bytes(text) == rfc8785.dumps(text)


def test_the_largest_safe_integers_are_kept_and_the_next_are_refused() -> None:
    assert canonical_bytes([MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER]) == b"[9007199254740991,-9007199254740991]"
    for number in (MAX_SAFE_INTEGER + 1, -MAX_SAFE_INTEGER - 1, 2**200_000):
        with pytest.raises(InputError) as caught:
            canonical_bytes({"n": [0, number]})
        assert refusal(caught.value) == "/n/1"


class Grade(IntEnum):
    A = 1


@pytest.mark.parametrize(
    "value",
    [1.0, float("nan"), Decimal("1.5"), (1, 2), {1, 2}, b"bytes", Grade.A, object()],
    ids=lambda v: repr(v)[:20],
)
def test_other_types_are_refused_by_their_place(value: object) -> None:
    with pytest.raises(InputError) as caught:
        canonical_bytes({"a": [{"b": value}]})
    assert refusal(caught.value) == "/a/0/b"


@pytest.mark.parametrize(
    ("key", "pointer"),
    [("A", "/A"), ("größe", "/größe"), ("", "/"), ("1a", "/1a"), ("a/b~c", "/a~1b~0c"), ("_a", "/_a"), ("a\n", "/a\n")],
)
def test_keys_outside_the_profile_are_refused(key: str, pointer: str) -> None:
    with pytest.raises(InputError) as caught:
        canonical_bytes({key: 1})
    assert refusal(caught.value) == pointer


def test_keys_that_are_no_text_are_refused() -> None:
    with pytest.raises(InputError):
        canonical_bytes({1: 1})
    with pytest.raises(InputError):
        canonical_bytes({"\ud800": 1})


def test_an_unpaired_surrogate_is_refused_by_its_place() -> None:
    with pytest.raises(InputError) as caught:
        canonical_bytes({"a": "x\ud800"})
    assert refusal(caught.value) == "/a"


def test_composed_and_decomposed_letters_have_different_bytes() -> None:
    assert canonical_bytes("\u00e9") != canonical_bytes("e\u0301")


def test_nesting_is_bounded() -> None:
    deepest = nested(MAX_DEPTH)
    assert parse_canonical(canonical_bytes(deepest)) == deepest
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH) == deepest
    with pytest.raises(InputError):
        canonical_bytes(nested(MAX_DEPTH + 1))
    for levels in (MAX_DEPTH + 1, 5_000, 200_000):
        text = "[" * levels + "]" * levels
        with pytest.raises(InputError):
            parse_json(text)
        with pytest.raises(MalformedProofError):
            parse_canonical(text.encode())
        with pytest.raises(InputError):
            parse_json('{"a":' * levels + "1" + "}" * levels)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('{"a":1,"b":{"c":2,"c":2}}', "/b/c"),
        ('{"a":[1.0]}', "/a/0"),
        ('{"a":1e400}', "/a"),
        ('{"a":-0}', "/a"),
        ('{"a":-0.0}', "/a"),
        ('{"a":NaN}', "/a"),
        ('{"a":Infinity}', "/a"),
        ('{"a":-Infinity}', "/a"),
        ('{"a":9007199254740992}', "/a"),
        ('{"a":-9007199254740992}', "/a"),
        ('{"a":' + "9" * 10_000 + "}", "/a"),
        ('{"a":"\\ud800"}', "/a"),
        ('{"a":"\\udc00\\ud800"}', "/a"),
        ('{"a":"e\\u0301"}', "/a"),
        ('{"A":1}', "/A"),
        ('{"\\u0430":1}', "/\u0430"),  # a Cyrillic letter that looks like "a"
        ("{} {}", ""),
        ("{'a':1}", ""),
        ('{"a":01}', ""),
        ('{"a":1,}', ""),
        ('{"a":"\n"}', ""),
        ("", ""),
        ("\ufeff{}", ""),
    ],
)
def test_the_door_refuses_by_the_json_pointer(text: str, pointer: str) -> None:
    for spelled in (text, text.encode()):
        with pytest.raises(InputError) as caught:
            parse_json(spelled)
        assert refusal(caught.value) == pointer


@pytest.mark.parametrize("data", [b"\xff{}", '{"a":1}'.encode("utf-16"), b'{"a":"\xc0\xaf"}', b'"\xed\xa0\x80"'])
def test_the_door_refuses_what_is_not_utf_8(data: bytes) -> None:
    with pytest.raises(InputError):
        parse_json(data)


def test_the_door_reads_what_a_person_may_write() -> None:
    text = ' { "b" : [ 1 , -2 , "\\u00e9" ] ,\n "a" : null, "c": {"d": false}, "t": "\\ud83e\\uddf2" } '
    expected = {"b": [1, -2, "é"], "a": None, "c": {"d": False}, "t": "\U0001f9f2"}
    assert parse_json(text) == expected
    assert parse_json(text.encode()) == expected


@pytest.mark.parametrize(
    "data",
    [
        b'{"b":1,"a":2}',
        b'{"a":1 }',
        b'{"a":1}\n',
        b'{"a":1,"a":1}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        b'{"a":-0}',
        b'{"a":1.0}',
        b'{"a":1e2}',
        b'{"a":9007199254740992}',
        b'{"A":1}',
        b'{"a":"\\ud800"}',
        b'"\xed\xa0\x80"',
        b'\xef\xbb\xbf{"a":1}',
        b"",
        b"NaN",
    ],
)
def test_bytes_that_are_not_the_canonical_form_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedProofError):
        parse_canonical(data)


def test_canonical_bytes_are_read_back() -> None:
    value: Json = {"a": [1, "é", None, True], "b": {"c": "e\u0301"}}
    assert parse_canonical(canonical_bytes(value)) == value
