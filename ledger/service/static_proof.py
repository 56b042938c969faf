"""Proving an entry from static files alone, as anybody can: checkpoint, tiles, entry bundle, and the log's key."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import UnknownIdError, problem
from ledger.log.checkpoint import Checkpoint
from ledger.log.forms import HASH_BYTES
from ledger.log.keyring import Keyring
from ledger.log.merkle import leaf_hash, verify_inclusion
from ledger.log.proof import InclusionProof
from ledger.log.tiles import TILE_WIDTH, Tile, TiledTree, tile_width
from ledger.store.static_log import StaticLog


@dataclass(frozen=True)
class StaticProof:
    """A verified proof. leaf_hash: of the entry, 32 bytes. entry: its exact bytes, None if they are not published."""

    proof: InclusionProof
    checkpoint: Checkpoint
    leaf_hash: bytes
    entry: bytes | None


def prove_from(source: StaticLog, seq: int, keyring: Keyring) -> StaticProof:
    """That entry seq is under the published checkpoint, which the log has signed with one of its keys.

    Raises: BadSignatureError if it has not; UnknownIdError if the checkpoint does not reach so far;
    RootMismatchError or MalformedProofError if the files do not agree with it; StoreError if they cannot be read.
    """
    note = source.checkpoint()
    checkpoint = keyring.verify(note).checkpoint
    if not 0 <= seq < checkpoint.tree_size:
        expected = f"an entry from 0 to {checkpoint.tree_size - 1}"
        raise UnknownIdError(problem("/seq", seq, expected, "Check the number, or wait for the next checkpoint."))
    index, place = divmod(seq, TILE_WIDTH)
    path = TiledTree(source, checkpoint.tree_size).inclusion_path(seq)
    entry = source.entry(seq, checkpoint.tree_size)
    if entry is not None:
        leaf = leaf_hash(entry)
    else:
        data = source.tile(Tile(0, index, tile_width(0, index, checkpoint.tree_size)))
        leaf = data[place * HASH_BYTES : (place + 1) * HASH_BYTES]
    verify_inclusion(leaf, seq, checkpoint.tree_size, path, checkpoint.root)
    return StaticProof(InclusionProof(seq, tuple(path), note), checkpoint, leaf, entry)
