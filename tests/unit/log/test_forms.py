"""The small text forms: one spelling for each value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledger.errors import InputError
from ledger.log.forms import (
    check_hash,
    check_hash_hex,
    check_members,
    check_origin,
    check_version,
    format_base64,
    format_time,
    parse_base64,
    parse_count,
    parse_time,
)


def test_a_time_is_written_in_utc_with_microseconds_and_read_back() -> None:
    moment = datetime(2026, 5, 4, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(moment) == "2026-05-04T07:30:00.000000Z"
    assert parse_time(format_time(moment), "/at") == moment


def test_text_order_of_times_is_time_order() -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=3**n) for n in range(30)]
    assert sorted(format_time(moment) for moment in moments) == [format_time(moment) for moment in moments]


@pytest.mark.parametrize(
    "text",
    [
        "2026-05-04T07:30:00Z",
        "2026-05-04T07:30:00.000Z",
        "2026-05-04 07:30:00.000000Z",
        "2026-05-04T07:30:00.000000+00:00",
        "2026-05-04T07:30:00.000000z",
        "2026-02-30T07:30:00.000000Z",
        "2026-05-04T24:00:00.000000Z",
        "2026-05-04T07:30:60.000000Z",
        "0000-05-04T07:30:00.000000Z",
        "٢٠٢٦-05-04T07:30:00.000000Z",
        "2026-05-04T07:30:00.000000Z\n",
        20260504,
        None,
    ],
)
def test_other_spellings_of_a_time_are_refused(text: object) -> None:
    with pytest.raises(InputError) as caught:
        parse_time(text, "/at")
    assert caught.value.problems[0].field == "/at"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(InputError):
        format_time(datetime(2026, 5, 4))  # noqa: DTZ001  # the fault under test


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "01", "00", "1.0", "1 ", " 1", "1e3", "٣", "9007199254740992", "1" * 999]
)
def test_other_spellings_of_a_count_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_count(text, "/index")


def test_counts_up_to_the_largest_safe_integer_are_read() -> None:
    assert [parse_count(text, "") for text in ("0", "10", "9007199254740991")] == [0, 10, 2**53 - 1]


# RFC 4648, section 10: the test vectors.
@pytest.mark.parametrize(("data", "text"), [(b"", ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foobar", "Zm9vYmFy")])
def test_base64_is_that_of_rfc_4648(data: bytes, text: str) -> None:
    assert format_base64(data) == text
    assert parse_base64(text, "") == data


@pytest.mark.parametrize(
    "text", ["Zg", "Zg=", "Zg==\n", "Zg= =", "Zh==", "Zm9=", "Zm8_", "Zm8-", "Zg==Zg==", "é===", 7, None]
)
def test_other_spellings_of_base64_are_refused(text: object) -> None:
    # "Zh==" and "Zm9=" have unused bits that are not zero: a lenient reader takes them for "Zg==" and "Zm8=".
    with pytest.raises(InputError):
        parse_base64(text, "/sig")


@pytest.mark.parametrize("text", ["ab" * 31, "ab" * 33, "AB" * 32, "zz" * 32, "ab" * 32 + "\n", b"ab" * 32, None])
def test_what_is_not_a_sha_256_in_hex_is_refused(text: object) -> None:
    with pytest.raises(InputError):
        check_hash_hex(text, "/prev")


def test_hashes_of_the_right_length_pass() -> None:
    assert check_hash_hex("0a" * 32, "") == "0a" * 32
    assert check_hash(bytes(32), "") == bytes(32)
    with pytest.raises(InputError):
        check_hash(bytes(31), "")


@pytest.mark.parametrize(
    "origin",
    ["", " ", "a b", "a+b", "https://example.com/a", "a\n", "a\tb", "a\u00a0b", "größe.example", "x" * 256, 5, None],
)
def test_what_cannot_name_a_log_is_refused(origin: object) -> None:
    with pytest.raises(InputError):
        check_origin(origin, "/log")


@pytest.mark.parametrize("origin", ["example.com/site-1", "x", "x" * 255, "log.example:8443/a_b~c!*,-"])
def test_a_url_without_scheme_names_a_log(origin: str) -> None:
    assert check_origin(origin, "/log") == origin


def test_an_object_must_have_exactly_its_members() -> None:
    keys = frozenset({"a", "b"})
    assert check_members({"a": 1, "b": 2}, keys) == {"a": 1, "b": 2}
    for value, field in (({"a": 1}, "/b"), ({"a": 1, "b": 2, "c": 3}, "/c"), ([], "")):
        with pytest.raises(InputError) as caught:
            check_members(value, keys)
        assert caught.value.problems[0].field == field


def test_true_is_not_version_one() -> None:
    check_version(1, 1)
    for value in (True, "1", 2, None):
        with pytest.raises(InputError):
            check_version(value, 1)
