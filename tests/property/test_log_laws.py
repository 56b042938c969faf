"""Laws of the log: what is written is read back, and no byte changes unnoticed."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.errors import InputError, MalformedProofError, RootMismatchError, VerificationError
from ledger.log.canonical import canonical_bytes, parse_canonical, parse_json
from ledger.log.chain import check_chain
from ledger.log.checkpoint import (
    Checkpoint,
    format_vkey,
    make_verifier_key,
    parse_checkpoint,
    parse_vkey,
    sign_checkpoint,
    verify_checkpoint,
)
from ledger.log.envelope import Envelope, envelope_bytes, parse_envelope
from ledger.log.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from ledger.log.proof import InclusionProof, format_tlog_proof, parse_tlog_proof, verify_tlog_proof
from ledger.log.statement import commitment, sign_statement, statement_from_value, verify_statement_signature
from ledger.report import Outcome
from tests.log_samples import ACTOR_KEY, LOG_KEY, ORIGIN, make_envelope, make_log, make_note, make_statement

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)
BODIES = st.dictionaries(KEYS, DOCUMENTS, max_size=5)
HASHES = st.binary(min_size=32, max_size=32)
ORIGINS = st.from_regex(r"[a-z0-9.]{1,20}(/[a-z0-9~:@!-]{1,10}){0,3}", fullmatch=True)
SEEDS = st.binary(min_size=32, max_size=32)

ENTRIES = make_log(4)
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
NOTE = make_note(ENTRIES)
VKEY = make_verifier_key(ORIGIN, LOG_KEY.public_key())
PROVED = 2
PROOF = format_tlog_proof(InclusionProof(PROVED, tuple(inclusion_path(LEAVES, PROVED)), NOTE))


def in_nfc(value: Any) -> Any:
    """`value` with all its text in Unicode normal form C."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [in_nfc(item) for item in value]
    if isinstance(value, dict):
        return {key: in_nfc(item) for key, item in value.items()}
    return value


@st.composite
def changed_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """`data` with one stretch replaced, removed, doubled or inserted; never equal to data."""
    start = draw(st.integers(0, len(data)))
    end = draw(st.integers(start, min(len(data), start + 40)))
    filling = draw(st.binary(max_size=8) | st.just(data[start:end] * 2) | st.just(b"\n") | st.just(b"\r\n"))
    changed = data[:start] + filling + data[end:]
    assume(changed != data)
    return changed


def every_flipped_bit(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every text that differs from data in one bit, with the place of its byte."""
    for place in range(len(data)):
        for bit in range(8):
            yield place, data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def is_refused(verify: Callable[[str], object], data: bytes) -> bool:
    """Whether `data` is no UTF-8 text, or `verify` refuses the text."""
    try:
        verify(data.decode("utf-8"))
    except (UnicodeDecodeError, VerificationError):
        return True
    return False


# Canonical form


@given(DOCUMENTS)
def test_the_canonical_form_is_that_of_rfc_8785(document: Any) -> None:
    assert canonical_bytes(document) == rfc8785.dumps(document)


@given(DOCUMENTS)
def test_canonical_bytes_are_read_back(document: Any) -> None:
    assert parse_canonical(canonical_bytes(document)) == document


@given(DOCUMENTS, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_however_json_is_spelled_it_has_one_canonical_form(
    document: Any, escaped: bool, indent: int | str | None
) -> None:
    document = in_nfc(document)
    spelled = json.dumps(document, ensure_ascii=escaped, indent=indent)
    assert canonical_bytes(parse_json(spelled)) == canonical_bytes(document)


@given(BODIES, st.data())
def test_changed_canonical_bytes_never_mean_the_same(body: Any, data: st.DataObject) -> None:
    original = canonical_bytes(body)
    changed = data.draw(changed_bytes(original))
    try:
        assert canonical_bytes(parse_canonical(changed)) == changed
    except MalformedProofError:
        return


@given(st.text() | st.binary())
def test_the_door_reads_or_refuses_anything(text: str | bytes) -> None:
    try:
        value = parse_json(text)
    except InputError:
        return
    assert parse_json(canonical_bytes(value)) == value


@given(st.floats(), st.lists(KEYS, max_size=4))
def test_no_float_passes_at_any_depth(number: float, keys: list[str]) -> None:
    value: object = number
    for key in keys:
        value = {key: [value]}
    with pytest.raises(InputError) as caught:
        canonical_bytes(value)
    assert caught.value.problems[0].field == "".join(f"/{key}/0" for key in reversed(keys))


# Statements and envelopes


@given(BODIES, SEEDS)
def test_a_signed_statement_is_read_back_and_verifies(body: dict[str, Any], seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    statement = make_statement(1, key, body=body)
    signature = sign_statement(statement, key)
    read = statement_from_value(parse_canonical(canonical_bytes(statement.to_value())))
    assert read == statement
    verify_statement_signature(read, signature, key.public_key())


@given(BODIES, st.integers(0, 2**53 - 1), HASHES)
def test_an_envelope_is_read_back(body: dict[str, Any], seq: int, prev: bytes) -> None:
    statement = make_statement(1, body=body)
    envelope = Envelope(
        ORIGIN, seq, prev.hex(), "2026-05-04T08:00:00.000000Z", statement, sign_statement(statement, ACTOR_KEY)
    )
    data = envelope_bytes(envelope)
    assert parse_envelope(data) == envelope
    assert envelope_bytes(parse_envelope(data)) == data


@given(DOCUMENTS, DOCUMENTS, HASHES)
def test_a_commitment_binds_its_value(one: Any, other: Any, salt: bytes) -> None:
    same = canonical_bytes(one) == canonical_bytes(other)
    assert (commitment(salt, one) == commitment(salt, other)) is same


# The tree


@given(st.integers(1, 600), st.data())
def test_paths_made_are_accepted_and_no_bit_of_them_can_change(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(b"%d" % number) for number in range(size)]
    root = root_hash(leaves)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_path(leaves, index)
    verify_inclusion(leaves[index], index, size, path, root)
    old = data.draw(st.integers(1, size))
    old_root = root_hash(leaves[:old])
    steps = consistency_path(leaves, old)
    verify_consistency(old, old_root, size, root, steps)

    place, bit = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))
    for number in range(len(path)):
        with pytest.raises(RootMismatchError):
            verify_inclusion(leaves[index], index, size, flipped(path, number, place, bit), root)
    for number in range(len(steps)):
        with pytest.raises(RootMismatchError):
            verify_consistency(old, old_root, size, root, flipped(steps, number, place, bit))


def flipped(path: list[bytes], number: int, place: int, bit: int) -> list[bytes]:
    one = path[number]
    return [*path[:number], one[:place] + bytes([one[place] ^ 1 << bit]) + one[place + 1 :], *path[number + 1 :]]


@given(st.lists(HASHES, max_size=70))
def test_a_frontier_has_the_root_of_its_leaves(leaves: list[bytes]) -> None:
    frontier = Frontier()
    for leaf in leaves:
        frontier = frontier.append(leaf)
    assert frontier.root() == root_hash(leaves)
    assert frontier.tree_size == len(leaves)


# Checkpoints and proofs


@given(ORIGINS, st.integers(1, 2**53 - 1), HASHES, SEEDS)
def test_a_checkpoint_is_read_back_and_verifies(origin: str, size: int, root: bytes, seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    checkpoint = Checkpoint(origin, size, root)
    note = sign_checkpoint(checkpoint, key)
    assert parse_checkpoint(note)[0] == checkpoint
    assert verify_checkpoint(note, parse_vkey(format_vkey(origin, key.public_key()))) == checkpoint
    assert note.startswith(checkpoint.body())


@given(st.integers(0, 2**53 - 1), st.lists(HASHES, max_size=53), st.binary(max_size=100))
def test_a_proof_is_read_back(leaf_index: int, path: list[bytes], extra: bytes) -> None:
    proof = InclusionProof(leaf_index, tuple(path), NOTE, extra)
    text = format_tlog_proof(proof)
    assert parse_tlog_proof(text) == proof
    assert format_tlog_proof(parse_tlog_proof(text)) == text


def test_every_flipped_bit_of_a_checkpoint_is_refused() -> None:
    accepted = [
        place
        for place, changed in every_flipped_bit(NOTE.encode())
        if not is_refused(lambda text: verify_checkpoint(text, VKEY), changed)
    ]
    assert accepted == []


def test_every_flipped_bit_of_a_proof_is_refused() -> None:
    accepted = [
        place
        for place, changed in every_flipped_bit(PROOF.encode())
        if not is_refused(lambda text: verify_tlog_proof(text, ENTRIES[PROVED], VKEY), changed)
    ]
    assert accepted == []


def test_every_flipped_bit_of_a_verifier_key_is_refused() -> None:
    original = format_vkey(ORIGIN, LOG_KEY.public_key())
    for place, changed in every_flipped_bit(original.encode()):
        try:
            vkey = parse_vkey(changed.decode("utf-8"))
        except (UnicodeDecodeError, InputError):
            continue
        pytest.fail(f"byte {place}: {vkey}")


def test_every_flipped_bit_of_an_entry_is_refused_by_its_proof() -> None:
    for place, changed in every_flipped_bit(ENTRIES[PROVED]):
        try:
            verify_tlog_proof(PROOF, changed, VKEY)
        except RootMismatchError:
            continue
        pytest.fail(f"byte {place}")


def actor_key(_: Envelope) -> Ed25519PublicKey:
    return ACTOR_KEY.public_key()


@pytest.mark.slow
@pytest.mark.parametrize("seq", range(len(ENTRIES)))
def test_every_flipped_bit_of_an_entry_is_found_by_the_audit_and_named(seq: int) -> None:
    """The finding names the entry or, by its link, the one after it. What the last entry's envelope says, no link
    holds fast: there the root of the audit differs from the checkpoint's.
    """
    root = root_hash(LEAVES)
    for place, changed in every_flipped_bit(ENTRIES[seq]):
        report = check_chain([*ENTRIES[:seq], changed, *ENTRIES[seq + 1 :]], ORIGIN, actor_key)
        named = {check.seq for check in report.checks if check.outcome is Outcome.FAILED}
        assert report.frontier.root() != root, place
        if seq < len(ENTRIES) - 1:
            assert seq + 1 in named, place
        assert named <= {seq, seq + 1}, place


@given(changed_bytes(NOTE.encode()))
def test_a_changed_checkpoint_is_refused_or_says_the_same(changed: bytes) -> None:
    """Signature lines of unknown keys may come and go; origin, size and root may not change."""
    try:
        assert verify_checkpoint(changed.decode("utf-8"), VKEY) == parse_checkpoint(NOTE)[0]
    except (UnicodeDecodeError, VerificationError):
        return


@given(changed_bytes(PROOF.encode()))
def test_a_changed_proof_is_refused_or_says_the_same(changed: bytes) -> None:
    try:
        text = changed.decode("utf-8")
        assert verify_tlog_proof(text, ENTRIES[PROVED], VKEY) == parse_checkpoint(NOTE)[0]
        assert parse_tlog_proof(text).leaf_index == PROVED
    except (UnicodeDecodeError, VerificationError):
        return


@given(st.text() | st.text(alphabet="c2sp.org/tlog-proof@v1\n index0—=A+"))
def test_parsers_of_notes_and_proofs_read_or_refuse_anything(text: str) -> None:
    for parse, refusal in (
        (parse_checkpoint, MalformedProofError),
        (parse_tlog_proof, MalformedProofError),
        (parse_vkey, InputError),
    ):
        with contextlib.suppress(refusal):  # any other error fails the test
            parse(text)


@given(st.binary())
def test_the_parser_of_entries_reads_or_refuses_anything(data: bytes) -> None:
    with pytest.raises(MalformedProofError):
        parse_envelope(data)


def test_two_histories_are_never_consistent() -> None:
    """Every pair of sizes of two logs that differ in their first entry."""
    other = [leaf_hash(envelope_bytes(make_envelope(0, "11" * 32))), *LEAVES[1:]]
    for new in range(1, 5):
        for old in range(1, new + 1):
            with pytest.raises(RootMismatchError):
                verify_consistency(
                    old, root_hash(LEAVES[:old]), new, root_hash(other[:new]), consistency_path(other, old, new)
                )
    assert root_hash([]) == EMPTY_ROOT
