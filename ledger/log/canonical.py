"""Canonical form: the one byte string of a JSON value.

The profile is the part of JSON on which every serialiser with sorted keys agrees with RFC 8785 (JCS): keys are ASCII
lower snake case, numbers are integers within 2^53-1, text is valid Unicode, objects have no duplicate keys. Outside it
they disagree (JCS sorts keys by UTF-16 units and prints floats as ECMAScript does), so a value outside it is refused,
never repaired. Numbers with a fraction are decimal strings; see `ledger.quantity`.

`parse_json` is the door for input from people and programs; `parse_canonical` reads what is already in the log.

Making and reading have each a textbook version, which walks the value in Python and names the place of what is wrong,
and a fast one, which leaves most of that to orjson. Where the fast one cannot prove that all is well, the walk decides:
it is the oracle in the tests and the only maker of errors.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, TypeAlias

import orjson

from ledger.errors import InputError, MalformedProofError, problem

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
"""A JSON value of the profile."""

MAX_SAFE_INTEGER = 2**53 - 1
"""The largest integer that a program with IEEE 754 numbers reads exactly (RFC 8259, section 6)."""

MAX_DEPTH = 64
"""Deepest nesting of arrays and objects accepted; keeps every reader's recursion bounded."""

_KEY = re.compile(r"[a-z][a-z0-9_]*")
_BAD_KEY_BACKWARDS = re.compile(rb':"(?![a-z0-9_]*[a-z]"[{,])')
_DUMPS = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
_KEY_EXPECTED = "a key of lower-case ASCII letters, digits and underscores that starts with a letter"
_INTEGER_EXPECTED = "an integer within +-(2^53-1)"
_DEPTH_EXPECTED = f"at most {MAX_DEPTH} levels of arrays and objects"
_WRITE_TEXT = 'Write it as text in quotes, for example "12.500".'


def canonical_bytes(value: object) -> bytes:
    """The canonical form of `value`: UTF-8, keys sorted, no white space; equals RFC 8785 within the profile.

    value: None, bool, int, str, list or dict, of exactly these types.
    Raises: InputError naming the JSON pointer of the first thing outside the profile.
    """
    fast = _fast_bytes(value)
    return canonical_bytes_by_walk(value) if fast is None else fast


def canonical_bytes_by_walk(value: object, levels: int = MAX_DEPTH) -> bytes:
    """The textbook version of `canonical_bytes`: the same result and the same errors. levels: of nesting allowed."""
    _check_profile(value, "", MAX_DEPTH - levels)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def parse_canonical(data: bytes, levels: int = MAX_DEPTH) -> Json:
    """The value whose canonical form is exactly `data`.

    levels: how deep arrays and objects may be nested; fewer for what will stand inside another value.
    Raises: MalformedProofError if data is not JSON, is outside the profile, or differs from its value's canonical form
    by so much as a space.
    """
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _not_canonical(data, f"JSON text ({error})") from error
    # Written back as the same bytes, keys sorted: no white space, no second spelling, no unsorted and no duplicate key.
    return value if _fast_bytes(value, levels) == data else _walked(data, value, levels)


def parse_canonical_by_walk(data: bytes) -> Json:
    """The textbook version of `parse_canonical`: the same result and the same errors."""
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _not_canonical(data, f"JSON text ({error})") from error
    return _walked(data, value)


def _walked(data: bytes, value: Json, levels: int = MAX_DEPTH) -> Json:
    """`value`, which `data` spells, if data is its canonical form and nested no deeper than allowed."""
    try:
        canonical = canonical_bytes_by_walk(value, levels)
    except InputError as error:
        raise MalformedProofError(*error.problems) from error
    if canonical != data:
        raise _not_canonical(data, "the canonical form: sorted keys, no white space, no duplicate keys, one spelling")
    return value


def _fast_bytes(value: object, levels: int = MAX_DEPTH) -> bytes | None:
    """The canonical form of a list or object; None where it cannot be proved here that there is one.

    `_is_plain` has seen that every value is of one of the six types, nested no deeper than allowed. orjson itself
    refuses keys that are not exactly str, text with an unpaired surrogate and, with OPT_STRICT_INTEGER, integers beyond
    2^53-1. That leaves the spelling of the keys, for `_BAD_KEY_BACKWARDS`.
    """
    if (type(value) is not dict and type(value) is not list) or not _is_plain(value, levels):
        return None
    try:
        data = orjson.dumps(value, option=_DUMPS)
    except orjson.JSONEncodeError:
        return None
    return data if _has_good_keys(data) else None


def _is_plain(container: Any, levels: int) -> bool:
    """Whether a list or dict holds nothing but values of exactly the profile's types, at most `levels` deep."""
    if levels == 0:
        return False
    for item in container.values() if type(container) is dict else container:
        kind = type(item)
        if kind is str or kind is int:
            continue
        if kind is dict or kind is list:
            if not _is_plain(item, levels - 1):
                return False
        elif item is not None and kind is not bool:
            return False
    return True


def _has_good_keys(data: bytes) -> bool:
    """Whether every key in `data`, JSON as orjson writes it, is proved to be of the profile.

    A key's closing quote is followed by a colon. Read backwards from each such pair there must be characters of a key,
    a letter last, then a quote after a brace or comma. That quote has no backslash before it, so it is the opening one,
    and the characters are the whole key. An escaped quote and a colon inside a string only leave it open.
    """
    return _BAD_KEY_BACKWARDS.search(data[::-1]) is None


def parse_json(text: bytes | str) -> Json:
    """The value that `text` spells, if it is within the profile.

    Raises: InputError naming the JSON pointer: not UTF-8 or not JSON, a key twice in one object, a number with a
    fraction or exponent, NaN or Infinity, minus zero, an integer beyond 2^53-1, an unpaired surrogate, text that is not
    in Unicode normal form C, a key outside the profile, nesting deeper than MAX_DEPTH.
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(problem("", text, f"UTF-8 text ({error})", "Save the file as UTF-8.")) from error
    try:
        # Pairs, integers and other numbers are kept as read, so that the walk below can name the place of a bad one.
        read = json.loads(
            text, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Number
        )
    except json.JSONDecodeError as error:
        raise InputError(problem("", text, f"JSON text ({error})", "Correct the JSON at that place.")) from error
    except RecursionError as error:
        raise InputError(problem("", f"{len(text)} characters", _DEPTH_EXPECTED, "Flatten the value.")) from error
    return _value_of(read, "", 0)


class _Pairs:
    """An object as read: its members in order, duplicates included."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


class _Number:
    """A number as read: its text."""

    def __init__(self, text: str) -> None:
        self.text = text


def _value_of(read: object, pointer: str, depth: int) -> Json:
    """`read`, as json.loads gave it with our hooks, as a value of the profile."""
    if isinstance(read, _Number):
        return _integer_of(read.text, pointer)
    if isinstance(read, list):
        _check_depth(pointer, depth)
        return [_value_of(item, f"{pointer}/{index}", depth + 1) for index, item in enumerate(read)]
    if isinstance(read, _Pairs):
        _check_depth(pointer, depth)
        value: dict[str, Json] = {}
        for key, item in read.pairs:
            _check_key(key, pointer)
            if key in value:
                raise InputError(problem(f"{pointer}/{key}", key, "each key once in an object", "Remove one of them."))
            value[key] = _value_of(item, f"{pointer}/{key}", depth + 1)
        return value
    if isinstance(read, str):
        _check_text(read, pointer)
        if not unicodedata.is_normalized("NFC", read):
            raise InputError(
                problem(
                    pointer,
                    ascii(read),
                    "text in Unicode normal form C (letters with their accents as one character)",
                    "Type the text again, or normalise it to NFC.",
                )
            )
        return read
    if read is None or isinstance(read, bool):
        return read
    raise AssertionError(f"json.loads gave a {type(read).__name__}")


def _integer_of(text: str, pointer: str) -> int:
    if not text.lstrip("-").isdigit():  # has a point or exponent, or is NaN or Infinity
        raise InputError(problem(pointer, text, f"{_INTEGER_EXPECTED}, or a decimal number as text", _WRITE_TEXT))
    if text == "-0":
        raise InputError(problem(pointer, text, f"{_INTEGER_EXPECTED}, zero without a sign", "Write 0."))
    if len(text) > 17:  # a minus and the 16 digits of 2^53-1; longer texts are not even converted
        raise InputError(problem(pointer, text, _INTEGER_EXPECTED, _WRITE_TEXT))
    number = int(text)
    _check_integer(number, pointer)
    return number


def _check_profile(value: object, pointer: str, depth: int) -> None:
    """Raises InputError unless `value` is within the profile.

    Exact types only: orjson would also write enums, dataclasses and dates, each in its own way.
    """
    if type(value) is str:
        _check_text(value, pointer)
    elif type(value) is dict:
        _check_depth(pointer, depth)
        for key, item in value.items():
            _check_key(key, pointer)
            _check_profile(item, f"{pointer}/{key}", depth + 1)
    elif type(value) is list:
        _check_depth(pointer, depth)
        for index, item in enumerate(value):
            _check_profile(item, f"{pointer}/{index}", depth + 1)
    elif type(value) is int:
        _check_integer(value, pointer)
    elif value is not None and type(value) is not bool:
        raise InputError(
            problem(pointer, value, "null, true, false, an integer, text, a list or an object", _WRITE_TEXT)
        )


def _check_depth(pointer: str, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise InputError(problem(pointer, f"level {depth + 1}", _DEPTH_EXPECTED, "Flatten the value."))


def _check_key(key: object, pointer: str) -> None:
    if type(key) is not str or not _KEY.fullmatch(key):
        # "~" and "/" are written "~0" and "~1" in a JSON pointer (RFC 6901, section 3).
        member = str(key).replace("~", "~0").replace("/", "~1")
        printable = member.encode("utf-8", "backslashreplace").decode("utf-8")
        raise InputError(problem(f"{pointer}/{printable}", key, _KEY_EXPECTED, "Rename the key."))


def _check_integer(number: int, pointer: str) -> None:
    if not -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER:
        raise InputError(problem(pointer, hex(number), _INTEGER_EXPECTED, _WRITE_TEXT))


def _check_text(text: str, pointer: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            problem(pointer, ascii(text), "valid Unicode text, no unpaired surrogate", "Type the text again.")
        ) from error


def _not_canonical(data: bytes, expected: str) -> MalformedProofError:
    return MalformedProofError(problem("", data, expected, "Take the bytes from the log again; do not reformat them."))
