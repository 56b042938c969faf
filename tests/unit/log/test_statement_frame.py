"""The fast reading of a statement agrees with the textbook one, or says nothing."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InputError, MalformedProofError
from ledger.log.canonical import canonical_bytes
from ledger.log.envelope import parse_envelope, splice_envelope
from ledger.log.signed import SignedStatement, check_form
from ledger.log.statement_frame import StatementFrame, read_frame
from tests.log_samples import make_statement

SAMPLES: list[dict[str, Any]] = [
    {},
    {"commit": {}, "refs": ()},
    {"commit": {"name": "01" * 32, "price": "ab" * 32}, "refs": ("cd" * 32, "ef" * 32)},
    {"type": "factor.adopted", "actor": "x" * 128},
    {"type": "a" * 64},
    # Bodies that look like the end of a statement, as text and as an object.
    {"body": {"note": ',"commit":{},"id":"01890000-0000-7000-8000-000000000001","kid":"' + "0" * 16}},
    {"body": {"x": {"commit": {}, "id": "01890000-0000-7000-8000-000000000001", "kid": "0" * 16, "refs": []}}},
    {"body": {}},
]


def textbook(data: bytes) -> StatementFrame | None:
    """The same fields by `check_form`, None if it refuses."""
    try:
        checked = check_form(SignedStatement(data, b"\0" * 64))
    except InputError:
        return None
    one = checked.statement
    return StatementFrame(one.actor, one.kid, one.type, one.id, one.commit, one.body, checked.content_sha256)


@pytest.mark.parametrize("changes", SAMPLES)
def test_a_statement_is_read_as_the_textbook_reads_it(changes: dict[str, Any]) -> None:
    data = canonical_bytes(make_statement(3, **changes).to_value())
    found = read_frame(data)
    assert found is not None
    assert found == textbook(data)


def test_an_actor_whose_name_is_written_with_escapes_is_left_to_the_textbook() -> None:
    data = canonical_bytes(make_statement(actor='a"b\\c').to_value())
    assert read_frame(data) is None
    assert textbook(data) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1}', b'"v":2}'),
        (b'"v":1}', b'"v":1} '),
        (b'"v":1}', b'"v":1,"w":1}'),
        (b'"body":{', b'"body":[],"c":{'),
        (b'"commit":{', b'"c":1,"commit":{'),
        (b'"at":"2026-05-04', b'"at":"2026-02-30'),
        (b'"kid":"', b'"kid":"g'),
        (b'"type":"assay"', b'"type":"' + b"a" * 65 + b'"'),
        (b'"type":"assay"', b'"type":"Assay"'),
        (b'"type":"assay"', b'"type":"assay."'),
        (b'"refs":["', b'"refs":["c'),
        (b'"supplier":"', b'"Supplier":"'),
        (b'{"actor":"', b'{"actor":"\xc3\xa4'),
        (b'"mass_kg":"12.500"', b'"mass_kg":12.5'),
    ],
)
def test_what_is_no_statement_is_not_read(old: bytes, new: bytes) -> None:
    data = canonical_bytes(make_statement().to_value())
    changed = data.replace(old, new, 1) if old != b'"v":1}' else data.removesuffix(old) + new
    assert changed != data
    assert read_frame(changed) is None
    assert textbook(changed) is None


def nested(levels: int) -> dict[str, Any]:
    """An object that holds one inside the other, so many levels deep."""
    body: dict[str, Any] = {}
    for _ in range(levels - 1):
        body = {"x": body}
    return body


@pytest.mark.parametrize(("levels", "is_one"), [(62, True), (63, False)])
def test_a_statement_is_nested_no_deeper_than_its_entry_can_be_read(levels: int, is_one: bool) -> None:
    # An entry may have 64 levels (docs/log-format.md, section 1): itself, its statement, and 62 of the body.
    data = canonical_bytes(make_statement(body=nested(levels)).to_value())
    entry = splice_envelope("example.com/log", 0, "0" * 64, "2026-05-04T08:00:00.000000Z", b"\0" * 64, data)
    assert (read_frame(data) is not None) is is_one
    assert (textbook(data) is not None) is is_one
    with nullcontext() if is_one else pytest.raises(MalformedProofError, match="at most 64 levels"):
        parse_envelope(entry)


@given(
    st.sampled_from(SAMPLES).map(lambda changes: canonical_bytes(make_statement(3, **changes).to_value())),
    st.data(),
)
def test_whatever_is_changed_it_never_reads_what_the_textbook_does_not(data: bytes, draw: st.DataObject) -> None:
    begin = draw.draw(st.integers(0, len(data) - 1))
    end = draw.draw(st.integers(begin, min(begin + 40, len(data))))
    piece = draw.draw(st.one_of(st.binary(max_size=3), st.sampled_from([b'"', b"}", b",", b"{}", b'","id":"', b"\\"])))
    changed = data[:begin] + piece + data[end:]
    found = read_frame(changed)
    assert found is None or found == textbook(changed)
