"""Portable inclusion proofs. Named corruptions of a whole proof: test_vectors.py."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ledger.errors import BadSignatureError, InputError, MalformedProofError, RootMismatchError
from ledger.log.checkpoint import make_verifier_key, parse_checkpoint
from ledger.log.merkle import inclusion_path, leaf_hash
from ledger.log.proof import InclusionProof, format_tlog_proof, parse_tlog_proof, verify_tlog_proof
from tests.log_samples import LOG_KEY, ORIGIN, OTHER_KEY, make_log, make_note

ENTRIES = make_log(11)
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
NOTE = make_note(ENTRIES)
VKEY = make_verifier_key(ORIGIN, LOG_KEY.public_key())


def proof_of(leaf_index: int) -> InclusionProof:
    return InclusionProof(leaf_index, tuple(inclusion_path(LEAVES, leaf_index)), NOTE)


def test_every_entry_of_a_log_has_a_proof() -> None:
    for leaf_index, entry in enumerate(ENTRIES):
        text = format_tlog_proof(proof_of(leaf_index))
        assert verify_tlog_proof(text, entry, VKEY) == parse_checkpoint(NOTE)[0]
        assert parse_tlog_proof(text) == proof_of(leaf_index)


def test_the_only_entry_of_a_log_is_proved_without_hashes() -> None:
    note = make_note(ENTRIES[:1])
    text = format_tlog_proof(InclusionProof(0, (), note))
    assert text == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note}"
    assert verify_tlog_proof(text, ENTRIES[0], VKEY).tree_size == 1


def test_the_text_is_that_of_the_specification() -> None:
    # c2sp.org/tlog-proof: header, index, hashes from the leaf's sibling up, an empty line, the checkpoint verbatim.
    lines = format_tlog_proof(proof_of(10)).split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 10"]
    # Leaf 10 of 11 = 8 + 2 + 1: two hashes, the pair beside it and the first eight.
    assert lines[4] == ""
    assert "\n".join(lines[5:]) == NOTE


def test_another_entry_is_a_mismatch_and_another_key_no_signature() -> None:
    text = format_tlog_proof(proof_of(5))
    with pytest.raises(RootMismatchError):
        verify_tlog_proof(text, ENTRIES[4], VKEY)
    with pytest.raises(RootMismatchError):
        verify_tlog_proof(text, ENTRIES[5] + b" ", VKEY)
    with pytest.raises(BadSignatureError):
        verify_tlog_proof(text, ENTRIES[5], make_verifier_key(ORIGIN, OTHER_KEY.public_key()))


def test_the_place_is_proved_too() -> None:
    moved = dataclasses.replace(proof_of(5), leaf_index=4)
    with pytest.raises(RootMismatchError):
        verify_tlog_proof(format_tlog_proof(moved), ENTRIES[5], VKEY)


def test_an_index_beyond_the_tree_is_malformed() -> None:
    beyond = dataclasses.replace(proof_of(5), leaf_index=11)
    with pytest.raises(MalformedProofError):
        verify_tlog_proof(format_tlog_proof(beyond), ENTRIES[5], VKEY)


def test_extra_data_travels_along_and_changes_nothing() -> None:
    proof = dataclasses.replace(proof_of(5), extra=b"age-v1.2.1")
    text = format_tlog_proof(proof)
    assert text.split("\n")[1] == "extra YWdlLXYxLjIuMQ=="
    assert parse_tlog_proof(text) == proof
    assert verify_tlog_proof(text, ENTRIES[5], VKEY) == parse_checkpoint(NOTE)[0]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"leaf_index": -1}, "/leaf_index"),
        ({"leaf_index": 2**53}, "/leaf_index"),
        ({"path": (b"short",)}, "/path/0"),
        ({"path": (bytes(32),) * 54}, "/path"),
        ({"extra": bytes(65_536)}, "/extra"),
    ],
)
def test_a_proof_that_is_not_of_the_form_is_never_made(changes: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InputError) as caught:
        dataclasses.replace(proof_of(5), **changes)
    assert caught.value.problems[0].field == pointer


def test_a_hostile_length_is_refused_at_once() -> None:
    for text in ("c2sp.org/tlog-proof@v1\nindex 0\n" + "A" * 1_000_000, "c2sp.org/tlog-proof@v1\n" * 100_000):
        with pytest.raises(MalformedProofError):
            parse_tlog_proof(text)
