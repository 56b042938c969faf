"""The small text forms that the log's formats share: hex, base64, decimal counts, times, origins.

Each has exactly one spelling per value: where two texts could mean the same, one is refused, so that no byte of an
entry, checkpoint or proof can change without being noticed. Every function raises InputError with the field given.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Any

from ledger.errors import InputError, problem
from ledger.log.canonical import MAX_SAFE_INTEGER

HASH_BYTES = 32
"""Length of a SHA-256 value."""

MAX_ORIGIN_CHARS = 255

_HASH_HEX = re.compile(r"[0-9a-f]{64}")
_COUNT = re.compile(r"0|[1-9][0-9]{0,15}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_ORIGIN = re.compile(r"[!-*,-~]+")  # visible ASCII but "+"


def check_origin(origin: object, field: str) -> str:
    """`origin`, if it can name a log and its key (C2SP tlog-checkpoint and signed-note).

    Visible ASCII without space or plus, no scheme, 1 to 255 characters, for example "example.com/magnets/site-1".
    """
    if (
        isinstance(origin, str)
        and _ORIGIN.fullmatch(origin)
        and "://" not in origin
        and len(origin) <= MAX_ORIGIN_CHARS
    ):
        return origin
    raise InputError(
        problem(
            field,
            origin,
            'a URL without scheme, visible ASCII without space or plus, such as "example.com/site-1"',
            "Set the log's origin to such a name.",
        )
    )


def check_members(value: object, keys: frozenset[str]) -> dict[str, Any]:
    """`value`, if it is a JSON object with exactly these keys."""
    if not isinstance(value, dict):
        raise InputError(problem("", value, "a JSON object", "Put the fields in an object."))
    if value.keys() == keys:
        return value
    if unknown := [key for key in value if key not in keys]:
        raise InputError(problem(f"/{unknown[0]}", unknown[0], f"one of {sorted(keys)}", "Remove the field."))
    if missing := sorted(keys - value.keys()):
        raise InputError(problem(f"/{missing[0]}", None, "the field", "Add the field."))
    return value


def check_version(value: object, version: int) -> None:
    """Nothing, if `value` is the number `version` (JSON true is not 1)."""
    if type(value) is not int or value != version:
        raise InputError(problem("/v", value, str(version), "Read it with a version of this program that knows it."))


def check_hash_hex(text: object, field: str) -> str:
    """`text`, if it is a SHA-256 value in 64 lower-case hexadecimal digits."""
    if isinstance(text, str) and _HASH_HEX.fullmatch(text):
        return text
    raise InputError(problem(field, text, "64 lower-case hexadecimal digits (SHA-256)", "Give the hash as hex."))


def check_hash(value: bytes, field: str) -> bytes:
    """`value`, if it is 32 bytes long."""
    if len(value) == HASH_BYTES:
        return value
    raise InputError(problem(field, value, f"{HASH_BYTES} bytes (SHA-256)", "Give the whole hash."))


def parse_time(text: object, field: str) -> datetime:
    """The moment that `text` spells: RFC 3339, UTC, six digits of microseconds, "Z".

    One spelling per moment, and text order is time order.
    """
    if isinstance(text, str) and _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:  # such as 30 February; falls through to the one message
            pass
    raise InputError(
        problem(field, text, 'a time in UTC such as "2026-05-04T07:30:00.000000Z"', "Convert it to UTC, six digits.")
    )


def format_time(moment: datetime) -> str:
    """`moment` in the form that parse_time reads.

    Raises: InputError if moment has no time zone: what hour it means would be a guess.
    """
    if moment.tzinfo is None:
        raise InputError(problem("", moment, "a time with its time zone", "Give the time zone, for example UTC."))
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def parse_count(text: str, field: str) -> int:
    """The number that `text` spells in decimal digits without sign or leading zeros, 0 to 2^53-1."""
    if _COUNT.fullmatch(text) and int(text) <= MAX_SAFE_INTEGER:
        return int(text)
    raise InputError(
        problem(field, text, "a number from 0 to 2^53-1, decimal digits without leading zeros", "Take the text again.")
    )


def format_base64(data: bytes) -> str:
    """`data` in base64 with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode("ascii")


def parse_base64(text: object, field: str) -> bytes:
    """The bytes that `text` spells in base64 (RFC 4648, section 4): padded, unused bits zero (section 3.5)."""
    if isinstance(text, str):
        try:
            data = base64.b64decode(text.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError):
            data = None
        if data is not None and format_base64(data) == text:
            return data
    raise InputError(problem(field, text, "standard base64 with padding", "Take the text again, unchanged."))
