"""Our proofs held against code that others wrote, and against the RFC's recursive definitions.

Every leaf index and every old size of every tree of 1 to 260 leaves: 33,930 proofs of each kind. 260 crosses the
powers of two up to 256 and the width of a tile. Each checker must also refuse a proof with one bit changed, so that a
checker that has gone blind is seen.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest
from cryptography.exceptions import InvalidSignature
from histor import merkle as histor
from scitt_cose import merkle as scitt
from securesystemslib.dsse import Envelope as DsseEnvelope
from securesystemslib.exceptions import VerificationError as DsseVerificationError
from securesystemslib.signer import Signature, SSlibKey
from sigstore._internal.merkle import verify_merkle_inclusion
from sigstore._internal.rekor.checkpoint import SignedCheckpoint
from sigstore._internal.trust import RekorKeyring
from sigstore._utils import KeyID
from sigstore.errors import VerificationError as SigstoreVerificationError
from sigstore.models import TransparencyLogEntry

from ledger.log.canonical import canonical_bytes
from ledger.log.checkpoint import note_key_hash
from ledger.log.merkle import (
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)
from ledger.log.statement import STATEMENT_TYPE, key_id, sign_statement
from tests.log_samples import ACTOR_KEY, LOG_KEY, ORIGIN, make_log, make_note, make_statement
from tests.oracles.merkle_oracle import Oracle

LARGEST = 260
SIZES = range(1, LARGEST + 1)
PROOFS = LARGEST * (LARGEST + 1) // 2

ENTRIES = [b"entry %d" % number for number in range(LARGEST)]
ENTRIES_HEX = [entry.hex() for entry in ENTRIES]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def flip(path: list[bytes], which: int) -> list[bytes]:
    """`path` with one bit of one of its hashes changed."""
    place = which % len(path)
    changed = bytes([path[place][0] ^ 1]) + path[place][1:]
    return [*path[:place], changed, *path[place + 1 :]]


def sigstore_accepts(entry: bytes, index: int, size: int, path: list[bytes], root: bytes) -> bool:
    proof = SimpleNamespace(log_index=index, tree_size=size, root_hash=root, hashes=path)
    inner = SimpleNamespace(inclusion_proof=proof, canonicalized_body=entry)
    try:
        verify_merkle_inclusion(cast(TransparencyLogEntry, SimpleNamespace(_inner=inner)))
    except SigstoreVerificationError:
        return False
    return True


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle(ENTRIES)


@pytest.fixture(scope="module")
def inclusion_paths() -> dict[tuple[int, int], list[bytes]]:
    """(leaf index, tree size) -> our path."""
    return {(index, size): inclusion_path(LEAVES[:size], index) for size in SIZES for index in range(size)}


@pytest.fixture(scope="module")
def consistency_paths() -> dict[tuple[int, int], list[bytes]]:
    """(old size, new size) -> our path."""
    return {(old, new): consistency_path(LEAVES, old, new) for new in SIZES for old in range(1, new + 1)}


@pytest.mark.slow
def test_roots_are_those_of_the_definition_and_of_the_others(oracle: Oracle) -> None:
    for size in range(LARGEST + 1):
        root = root_hash(LEAVES[:size])
        assert root == oracle.mth(0, size)
        assert root.hex() == scitt.merkle_root(ENTRIES_HEX[:size])


@pytest.mark.slow
def test_inclusion_paths_are_those_of_the_definition(
    oracle: Oracle, inclusion_paths: dict[tuple[int, int], list[bytes]]
) -> None:
    assert len(inclusion_paths) == PROOFS
    for (index, size), path in inclusion_paths.items():
        assert path == oracle.path(index, 0, size), (index, size)
        verify_inclusion(LEAVES[index], index, size, path, oracle.mth(0, size))


@pytest.mark.slow
def test_scitt_cose_accepts_every_inclusion_path_and_no_changed_one(
    oracle: Oracle, inclusion_paths: dict[tuple[int, int], list[bytes]]
) -> None:
    for (index, size), path in inclusion_paths.items():
        root = oracle.mth(0, size).hex()
        hexes = [one.hex() for one in path]
        assert scitt.verify_inclusion(ENTRIES_HEX[index], index, size, hexes, root), (index, size)
        if path:
            changed = [one.hex() for one in flip(path, index)]
            assert not scitt.verify_inclusion(ENTRIES_HEX[index], index, size, changed, root), (index, size)


@pytest.mark.slow
def test_sigstore_accepts_every_inclusion_path_and_no_changed_one(
    oracle: Oracle, inclusion_paths: dict[tuple[int, int], list[bytes]]
) -> None:
    for (index, size), path in inclusion_paths.items():
        root = oracle.mth(0, size)
        assert sigstore_accepts(ENTRIES[index], index, size, path, root), (index, size)
        if path:
            assert not sigstore_accepts(ENTRIES[index], index, size, flip(path, index), root), (index, size)


@pytest.mark.slow
def test_histor_accepts_every_inclusion_path_and_no_changed_one(
    oracle: Oracle, inclusion_paths: dict[tuple[int, int], list[bytes]]
) -> None:
    for (index, size), path in inclusion_paths.items():
        root = oracle.mth(0, size)
        assert histor.verify_inclusion(LEAVES[index], index, size, path, root), (index, size)
        if path:
            assert not histor.verify_inclusion(LEAVES[index], index, size, flip(path, index), root), (index, size)


@pytest.mark.slow
def test_checkers_refuse_another_entry_and_another_root(
    oracle: Oracle, inclusion_paths: dict[tuple[int, int], list[bytes]]
) -> None:
    """For every tree, the one of a single leaf too, where there is no path to change."""
    for size in SIZES:
        index = size // 2
        path = inclusion_paths[index, size]
        hexes = [one.hex() for one in path]
        for entry, root in ((b"forged", oracle.mth(0, size)), (ENTRIES[index], bytes(32))):
            assert not scitt.verify_inclusion(entry.hex(), index, size, hexes, root.hex()), size
            assert not sigstore_accepts(entry, index, size, path, root), size
            assert not histor.verify_inclusion(leaf_hash(entry), index, size, path, root), size


@pytest.mark.slow
def test_consistency_paths_are_those_of_the_definition(
    oracle: Oracle, consistency_paths: dict[tuple[int, int], list[bytes]]
) -> None:
    assert len(consistency_paths) == PROOFS
    for (old, new), path in consistency_paths.items():
        assert path == oracle.proof(old, new), (old, new)
        verify_consistency(old, oracle.mth(0, old), new, oracle.mth(0, new), path)


@pytest.mark.slow
def test_scitt_cose_accepts_every_consistency_path_and_no_changed_one(
    oracle: Oracle, consistency_paths: dict[tuple[int, int], list[bytes]]
) -> None:
    for (old, new), path in consistency_paths.items():
        old_root, new_root = oracle.mth(0, old).hex(), oracle.mth(0, new).hex()
        hexes = [one.hex() for one in path]
        assert scitt.verify_consistency(old_root, new_root, old, new, hexes), (old, new)
        assert not scitt.verify_consistency("00" * 32, new_root, old, new, hexes), (old, new)
        if path:
            changed = [one.hex() for one in flip(path, old)]
            assert not scitt.verify_consistency(old_root, new_root, old, new, changed), (old, new)


@pytest.mark.slow
def test_histor_accepts_every_consistency_path_and_no_changed_one(
    oracle: Oracle, consistency_paths: dict[tuple[int, int], list[bytes]]
) -> None:
    for (old, new), path in consistency_paths.items():
        old_root, new_root = oracle.mth(0, old), oracle.mth(0, new)
        assert histor.verify_consistency(old, new, path, old_root, new_root), (old, new)
        assert not histor.verify_consistency(old, new, path, bytes(32), new_root), (old, new)
        if path:
            assert not histor.verify_consistency(old, new, flip(path, old), old_root, new_root), (old, new)


def test_sigstore_reads_our_checkpoint_and_its_signature() -> None:
    entries = make_log(5)
    note = make_note(entries)
    read = SignedCheckpoint.from_text(note)
    assert read.checkpoint.origin == ORIGIN
    assert read.checkpoint.log_size == 5
    assert read.checkpoint.log_hash == scitt.merkle_root([entry.hex() for entry in entries])
    assert read.checkpoint.other_content == []
    (line,) = read.signed_note.signatures
    assert line.name == ORIGIN
    assert line.sig_hash == note_key_hash(ORIGIN, LOG_KEY.public_key())


def test_sigstore_verifies_our_checkpoint_with_its_keyring_interface_and_refuses_a_changed_one() -> None:
    """SignedNote.verify picks the line by key hash and hands note text and signature to the keyring."""
    key_hash = note_key_hash(ORIGIN, LOG_KEY.public_key())

    class Keyring:
        def verify(self, *, key_id: bytes, signature: bytes, data: bytes) -> None:
            try:
                LOG_KEY.public_key().verify(signature, data)
            except InvalidSignature as error:
                raise SigstoreVerificationError("invalid") from error

    note = make_note(make_log(5))
    SignedCheckpoint.from_text(note).signed_note.verify(cast(RekorKeyring, Keyring()), KeyID(key_hash))
    changed = note.replace("\n5\n", "\n6\n")
    with pytest.raises(SigstoreVerificationError, match="invalid signature"):
        SignedCheckpoint.from_text(changed).signed_note.verify(cast(RekorKeyring, Keyring()), KeyID(key_hash))


def test_securesystemslib_verifies_our_statement_as_a_dsse_envelope_and_refuses_a_changed_one() -> None:
    statement = make_statement()
    public_key = ACTOR_KEY.public_key()
    kid = key_id(public_key)
    key = SSlibKey.from_crypto(public_key, kid)
    signature = Signature(kid, sign_statement(statement, ACTOR_KEY).hex())
    payload = canonical_bytes(statement.to_value())

    accepted = DsseEnvelope(payload, STATEMENT_TYPE, {kid: signature}).verify([key], 1)
    assert list(accepted) == [kid]
    for changed_payload, changed_type in (
        (payload.replace(b"12.500", b"12.501"), STATEMENT_TYPE),
        (payload, "application/json"),
    ):
        with pytest.raises(DsseVerificationError):
            DsseEnvelope(changed_payload, changed_type, {kid: signature}).verify([key], 1)
