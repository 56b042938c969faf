"""Laws of cosignatures and of the call for them, over random logs, orders and bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import BadSignatureError, InputError, MalformedProofError, VerificationError
from ledger.log.add_checkpoint import COSIGNED, AddCheckpoint, Seen, decide, format_request, parse_request
from ledger.log.checkpoint import Checkpoint, make_verifier_key, sign_checkpoint
from ledger.log.cosignature import (
    WitnessPolicy,
    add_signature_lines,
    check_policy,
    cosign,
    cosignatures_of,
    format_witness_vkey,
    parse_witness_vkey,
)
from ledger.log.merkle import consistency_path, leaf_hash, root_hash
from ledger.report import Outcome
from tests.log_samples import LOG_KEY, ORIGIN
from tests.witness_samples import KEYS, NAMES, WITNESSES, line_of

SIZE = 24
LEAVES = [leaf_hash(b"entry %d" % number) for number in range(SIZE)]
FORKED = [*LEAVES[:9], leaf_hash(b"another history"), *LEAVES[10:]]
VKEY = make_verifier_key(ORIGIN, LOG_KEY.public_key())
NOTES = {
    (story, size): sign_checkpoint(Checkpoint(ORIGIN, size, root_hash(leaves[:size])), LOG_KEY)
    for story, leaves in enumerate((LEAVES, FORKED))
    for size in range(SIZE + 1)
}
NOTE = NOTES[0, 7]
COSIGNED_NOTE = add_signature_lines(NOTE, [line_of(which, NOTE) for which in range(3)])
REQUEST = format_request(AddCheckpoint(5, tuple(consistency_path(LEAVES, 5, 7)), NOTE)).encode()

sizes = st.integers(0, SIZE)
requests = st.tuples(st.integers(0, 1), sizes, sizes).map(lambda three: (three[0], *sorted(three[1:])))


@given(st.lists(requests, max_size=30))
def test_a_witness_never_cosigns_two_stories_or_a_smaller_tree(asked: list[tuple[int, int, int]]) -> None:
    seen: Seen | None = None
    for story, old, new in asked:
        note = NOTES[story, new]
        leaves = (LEAVES, FORKED)[story]
        answer = decide(seen, [VKEY], AddCheckpoint(old, tuple(consistency_path(leaves, old, new)), note))
        if answer.status != COSIGNED:
            continue
        assert answer.now_seen is not None
        if seen is not None:
            assert answer.now_seen.tree_size >= seen.tree_size
            assert any(
                root_hash(told[: seen.tree_size]) == seen.root and root_hash(told[:new]) == answer.now_seen.root
                for told in (LEAVES, FORKED)
            )
        seen = answer.now_seen


@given(st.integers(1, 2**63 - 1), st.integers(0, 2**53 - 1), st.binary(min_size=32, max_size=32))
def test_what_is_cosigned_verifies_and_gives_its_time_back(time: int, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(ORIGIN, size or 1, root)
    note = sign_checkpoint(checkpoint, LOG_KEY)
    line = cosign(checkpoint, NAMES[0], KEYS[0], time)
    assert cosignatures_of(add_signature_lines(note, [line]), WITNESSES) == [(WITNESSES[0], time)]


@given(st.integers(0, len(COSIGNED_NOTE.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_of_a_cosigned_note_leaves_three_cosignatures(place: int, change: int) -> None:
    data = bytearray(COSIGNED_NOTE.encode())
    log_line = range(data.index("— ".encode()), data.index(f"— {NAMES[0]}".encode()))
    if place in log_line:  # the log's own signature is for verify_checkpoint to check
        return
    data[place] ^= change
    try:
        found = cosignatures_of(data.decode("utf-8", "replace"), WITNESSES)
    except (BadSignatureError, MalformedProofError):
        return
    assert len(found) < 3


@given(st.text(max_size=200), st.booleans())
def test_text_added_to_a_cosigned_note_takes_no_cosignature_away_unless_it_is_refused(text: str, before: bool) -> None:
    try:
        found = cosignatures_of(text + COSIGNED_NOTE if before else COSIGNED_NOTE + text, WITNESSES)
    except VerificationError:
        return
    assert found == cosignatures_of(COSIGNED_NOTE, WITNESSES)


@given(st.binary(max_size=300) | st.binary(max_size=20).map(lambda end: REQUEST + end))
def test_a_request_that_is_read_is_written_back_the_same(data: bytes) -> None:
    try:
        assert format_request(parse_request(data)).encode() == data
    except VerificationError:
        return


@given(st.integers(0, len(REQUEST) - 1), st.integers(1, 255))
def test_a_request_with_a_changed_byte_is_refused_or_written_back_the_same(place: int, change: int) -> None:
    data = bytearray(REQUEST)
    data[place] ^= change
    try:
        parsed = parse_request(bytes(data))
    except VerificationError:
        return
    assert format_request(parsed).encode() == data
    # Only the old size can have changed without the witness's seeing it in a signature or a proof: that is a conflict.
    seen = Seen(5, root_hash(LEAVES[:5]), NOTES[0, 5])
    answer = decide(seen, [VKEY], parsed)
    assert answer.status != COSIGNED or parsed.note.partition("\n\n")[0] == NOTE.partition("\n\n")[0]


@given(st.text())
def test_a_verifier_key_that_is_read_is_written_back_the_same(text: str) -> None:
    for candidate in (text, format_witness_vkey(WITNESSES[0]) + text):
        try:
            assert format_witness_vkey(parse_witness_vkey(candidate)) == candidate
        except InputError:
            continue


def test_the_laws_see_a_witness_s_line_where_there_is_one() -> None:
    assert len(cosignatures_of(COSIGNED_NOTE, WITNESSES)) == 3
    assert check_policy(COSIGNED_NOTE, WitnessPolicy(3, WITNESSES)).outcome is Outcome.PASSED
    with pytest.raises(MalformedProofError):
        parse_request(b"")
