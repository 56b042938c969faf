"""Signing the log's state, pinning it, and proving entries under it. `ledger.service.audit` verifies the whole log."""

from __future__ import annotations

from sqlalchemy import Connection

from ledger.errors import BrokenLinkError, Problem, RootMismatchError, StoreError, UnknownIdError, problem
from ledger.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint, verify_checkpoint
from ledger.log.merkle import inclusion_path, leaf_hash, root_hash, verify_inclusion
from ledger.log.proof import InclusionProof, format_tlog_proof
from ledger.service.audit import verify_log
from ledger.service.context import Ledger
from ledger.store import repository
from ledger.store.database import read_transaction, write_transaction
from ledger.store.pin import check_begins_with, read_pin, write_pin
from ledger.store.repository import Head

__all__ = ["make_checkpoint", "newest_checkpoint", "prove", "verify_log"]


def make_checkpoint(ledger: Ledger) -> str:
    """Sign the log's size and root, pin the note outside the database, keep it in the database. Returns the note.

    Every leaf is hashed anew first. The same size gives the same note again.
    Raises: StoreError without the log's key or entries; BrokenLinkError if an entry or the head row was changed;
    VerificationError if the log is shorter than a checkpoint signed before, RootMismatchError if it is another history.
    Nothing is signed then.
    """
    key = ledger.signing_key()
    # Under the write lock, so that of two checkpoints made at once the smaller one cannot be pinned last.
    with write_transaction(ledger.engine) as connection:
        head = repository.read_head(connection, ledger.origin, lock=True)
        if head.tree_size == 0:
            raise StoreError(problem("/tree_size", 0, "a log with entries", "Append an entry first."))
        leaf_hashes = _hash_leaves(connection, head)
        _check_extends_earlier(ledger, connection, leaf_hashes)
        note = sign_checkpoint(Checkpoint(ledger.origin, head.tree_size, head.frontier.root()), key)
        # Pinned before it is given out: a note that somebody has and the pin does not know could be contradicted later.
        write_pin(ledger.pin_path, note)
        repository.insert_checkpoint(connection, ledger.origin, head.tree_size, note)
    return note


def newest_checkpoint(ledger: Ledger) -> str | None:
    """The newest checkpoint kept in the database, None if none was made. Unverified."""
    with read_transaction(ledger.engine) as connection:
        kept = repository.checkpoints(connection, ledger.origin)
    return kept[max(kept)] if kept else None


def prove(ledger: Ledger, seq: int) -> str:
    """A C2SP tlog-proof that entry seq is under the newest checkpoint; makes a new one if that does not reach so far.

    Raises: UnknownIdError if there is no such entry; StoreError if a new checkpoint is needed and the log's key is not
    here; RootMismatchError if entry and checkpoint do not agree.
    """
    with read_transaction(ledger.engine) as connection:
        tree_size = repository.read_head(connection, ledger.origin).tree_size
        kept = repository.checkpoints(connection, ledger.origin)
    if not 0 <= seq < tree_size:
        raise UnknownIdError(problem("/seq", seq, f"an entry from 0 to {tree_size - 1}", "Check the number."))
    note = kept[max(kept)] if kept and max(kept) > seq else make_checkpoint(ledger)
    checkpoint, _ = parse_checkpoint(note)
    with read_transaction(ledger.engine) as connection:
        leaf_hashes = repository.leaf_hashes(connection, ledger.origin, checkpoint.tree_size)
        data = repository.entries_at(connection, ledger.origin, [seq])[seq].data
    path = inclusion_path(leaf_hashes, seq)
    verify_inclusion(leaf_hash(data), seq, checkpoint.tree_size, path, checkpoint.root)
    return format_tlog_proof(InclusionProof(seq, tuple(path), note))


def _hash_leaves(connection: Connection, head: Head) -> list[bytes]:
    """Leaf hashes of all entries, from their bytes.

    Raises: BrokenLinkError unless rows and head row agree with them.
    """
    hashes: list[bytes] = []
    for entry in repository.entries_from(connection, head.origin, 0):
        leaf = leaf_hash(entry.data)
        if entry.seq != len(hashes) or entry.leaf_hash != leaf:
            raise _broken(f"entry {entry.seq} with leaf hash {leaf.hex()}", f"entry {len(hashes)}, unchanged")
        hashes.append(leaf)
    if len(hashes) != head.tree_size or root_hash(hashes) != head.frontier.root():
        raise _broken(
            f"{len(hashes)} entries with root {root_hash(hashes).hex()}",
            f"what the head row states: {head.tree_size} entries with root {head.frontier.root().hex()}",
        )
    return hashes


def _check_extends_earlier(ledger: Ledger, connection: Connection, leaf_hashes: list[bytes]) -> None:
    """Raises: VerificationError unless the log begins with what was signed last, by the pin and by the database.

    What was signed before that began in the same way when it was signed.
    """
    vkey = ledger.verifier_key()

    def root_of(size: int) -> bytes:
        return root_hash(leaf_hashes[:size])

    pin = read_pin(ledger.pin_path)
    if pin is not None:
        check_begins_with(verify_checkpoint(pin, vkey), len(leaf_hashes), root_of, "the log in the database")
    kept = repository.checkpoints(connection, ledger.origin)
    if kept:
        newest = verify_checkpoint(kept[max(kept)], vkey)
        if newest.tree_size != max(kept):
            raise RootMismatchError(
                problem("/tree_size", newest.tree_size, f"the checkpoint for size {max(kept)}", "Run `log verify`.")
            )
        check_begins_with(newest, len(leaf_hashes), root_of, "the log in the database")


def _broken(found: str, expected: str) -> BrokenLinkError:
    return BrokenLinkError(
        Problem("/entries", found, expected, "Nothing was signed. Run `magnet-ledger log verify` to see what broke.")
    )
