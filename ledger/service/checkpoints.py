"""Signing the log's state, pinning it, and proving entries under it. `ledger.service.audit` verifies the whole log.

A checkpoint is a promise: it extends every one that was signed before. So it is made in these steps:

1. read the pin, then the committed head: the head read later cannot be behind the pin by another's work;
2. the log must begin with the pinned tree and with the newest checkpoint kept in the database, and the consistency
   proof from the pin, built from the stored tiles, must hold;
3. the entries since the pin (all of them for a full check) are hashed anew from their bytes; rows and head must agree;
4. sign, in memory;
5. swap the pin for the new note, if it is still the one of step 1; else begin again;
6. keep the note in the database; only then it is given out.

Until step 5 nothing has happened. A crash after it leaves a pin whose note nobody has and the database does not know:
the next one to come finds the log at that size or beyond it, which is what the pin demands, and keeps the pinned note
together with its own. Keys of Ed25519 sign the same text alike, so signing one state twice gives the same note.
No step holds the database's write lock but the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from sqlalchemy import Connection

from ledger.errors import (
    BrokenLinkError,
    ConflictError,
    LedgerError,
    Problem,
    RootMismatchError,
    StoreError,
    UnknownIdError,
    VerificationError,
    problem,
)
from ledger.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from ledger.log.keyring import Keyring
from ledger.log.merkle import Frontier, leaf_hash, verify_consistency, verify_inclusion
from ledger.log.proof import InclusionProof, format_tlog_proof
from ledger.log.tiles import consistency_path, frontier, inclusion_path, root
from ledger.report import Check, failed, not_checked, passed
from ledger.service.audit import verify_log
from ledger.service.context import Ledger
from ledger.service.log_keys import log_keyring, signers_of
from ledger.store import repository
from ledger.store.checkpoint_rows import checkpoint_at, entry_data, keep_checkpoint, leaf_rows
from ledger.store.checkpoint_rows import newest_checkpoint as newest_row
from ledger.store.database import read_transaction, write_transaction
from ledger.store.evidence import write_evidence
from ledger.store.pin import check_begins_with, read_pin, swap_pin
from ledger.store.repository import Head
from ledger.store.tile_rows import StoredTiles

__all__ = [
    "SignedHead",
    "check_pin",
    "find_proof",
    "make_checkpoint",
    "newest_checkpoint",
    "prove",
    "refuse",
    "sign_head",
    "verify_log",
]

PIN = "pin"
"""Name of the check of the pin."""

ATTEMPTS = 20
"""How often to begin again when others move the pin. Each time somebody got ahead, so there is progress."""

_LEAVES_AT_ONCE = 4096


@dataclass(frozen=True)
class SignedHead:
    """A checkpoint of the log's present state.

    note: as it is kept, with the cosignatures that it has. is_new: whether this state was not signed before.
    """

    checkpoint: Checkpoint
    note: str
    is_new: bool


@dataclass(frozen=True)
class _Earlier:
    """A checkpoint that was signed before, and its note."""

    checkpoint: Checkpoint
    note: str


def make_checkpoint(ledger: Ledger, *, full: bool = True) -> str:
    """Sign the log's size and root, pin the note outside the database, keep it in the database. Returns the note.

    full: hash every entry anew first; else those since the pinned checkpoint, which were hashed when it was made.
    The same size gives the same note again.
    Raises: as sign_head.
    """
    return sign_head(ledger, full=full).note


def sign_head(ledger: Ledger, *, full: bool, published: str | None = None) -> SignedHead:
    """As make_checkpoint, and whether there was anything to sign.

    published: a note known from elsewhere, read before, that the log must extend as well.
    Raises: StoreError without the log's key or entries, or without the pin of what was signed before; BrokenLinkError
    if an entry or the head row was changed; VerificationError if the log is shorter than a checkpoint signed before,
    RootMismatchError if it is another history, each with a file of evidence beside the pin; ConflictError if others
    keep moving the pin. Nothing is signed then.
    """
    ledger.signing_key()
    for _ in range(ATTEMPTS):
        pinned_note = read_pin(ledger.pin_path)
        with read_transaction(ledger.engine) as connection:
            keyring = log_keyring(ledger, connection)
            pinned = None if pinned_note is None else _Earlier(keyring.signers(pinned_note).checkpoint, pinned_note)
            kept = _newest_kept(connection, ledger.origin, keyring)
            seen = None if published is None else _Earlier(keyring.signers(published).checkpoint, published)
            checkpoint = _check_log(ledger, connection, {"pinned": pinned, "kept": kept, "published": seen}, full=full)
        if pinned is None and kept is not None and read_pin(ledger.pin_path) is None:
            raise _no_pin(ledger)  # else a restored database would sign what it does not know it has signed
        note = sign_checkpoint(checkpoint, *signers_of(ledger, keyring, checkpoint.tree_size))
        if note == pinned_note and kept is not None and kept.checkpoint == checkpoint:
            return SignedHead(checkpoint, kept.note, is_new=False)
        try:
            swap_pin(ledger.pin_path, pinned_note, note)
        except ConflictError:
            continue
        is_new = pinned is None or pinned.checkpoint != checkpoint
        return SignedHead(checkpoint, _keep(ledger, pinned_note, note), is_new)
    raise ConflictError(
        problem("/pin", f"a pin moved by others {ATTEMPTS} times", "a pin that stays", "Let one process publish.")
    )


def check_pin(ledger: Ledger) -> Check:
    """Whether the pin is there, signed by the log, and the log begins with it, by the stored tiles."""
    try:
        note = read_pin(ledger.pin_path)
        with read_transaction(ledger.engine) as connection:
            keyring = log_keyring(ledger, connection)
            size = repository.read_head(connection, ledger.origin).tree_size
            if note is None:
                if _newest_kept(connection, ledger.origin, keyring) is not None:
                    raise _no_pin(ledger)
                return not_checked(PIN, "no checkpoint was signed yet", required=False)
            pinned = keyring.signers(note).checkpoint
            tiles = StoredTiles(connection, ledger.origin)
            check_begins_with(pinned, size, lambda size: root(tiles, size), "the log in the database")
    except LedgerError as error:
        return failed(PIN, str(error))
    return passed(PIN, f"the log has {size} entries and begins with the {pinned.tree_size} of the pinned checkpoint")


def newest_checkpoint(ledger: Ledger) -> str | None:
    """The newest checkpoint kept in the database, None if none was made. Unverified."""
    with read_transaction(ledger.engine) as connection:
        kept = newest_row(connection, ledger.origin)
    return None if kept is None else kept[1]


def prove(ledger: Ledger, seq: int, tree_size: int | None = None) -> str:
    """`find_proof` as a C2SP tlog-proof."""
    return format_tlog_proof(find_proof(ledger, seq, tree_size))


def find_proof(ledger: Ledger, seq: int, tree_size: int | None = None) -> InclusionProof:
    """That entry seq is under the newest checkpoint; makes a new one if that does not reach so far.

    tree_size: prove it under the checkpoint kept for this size instead. Built from a few stored tiles; the path is
    verified against the entry's bytes and the checkpoint before it is given out.
    Raises: UnknownIdError if there is no such entry, or no checkpoint of that size; StoreError if a new checkpoint is
    needed and the log's key is not here; RootMismatchError if entry, tiles and checkpoint do not agree.
    """
    with read_transaction(ledger.engine) as connection:
        if tree_size is None:
            kept = newest_row(connection, ledger.origin)
            note = kept[1] if kept is not None and 0 <= seq < kept[0] else None
        else:
            note = checkpoint_at(connection, ledger.origin, tree_size)
            if note is None or not 0 <= seq < tree_size:
                expected = "a size with a kept checkpoint, above the entry's number"
                raise UnknownIdError(problem("/tree_size", tree_size, expected, "Leave the size out for the newest."))
        if note is not None:
            return _proof(connection, ledger.origin, seq, note)
        head_size = repository.read_head(connection, ledger.origin).tree_size
    if not 0 <= seq < head_size:
        raise UnknownIdError(problem("/seq", seq, f"an entry from 0 to {head_size - 1}", "Check the number."))
    note = make_checkpoint(ledger, full=False)
    with read_transaction(ledger.engine) as connection:
        return _proof(connection, ledger.origin, seq, note)


def _proof(connection: Connection, origin: str, seq: int, note: str) -> InclusionProof:
    checkpoint, _ = parse_checkpoint(note)
    data = entry_data(connection, origin, seq)
    path = inclusion_path(StoredTiles(connection, origin), seq, checkpoint.tree_size)
    verify_inclusion(leaf_hash(data), seq, checkpoint.tree_size, path, checkpoint.root)
    return InclusionProof(seq, tuple(path), note)


def _keep(ledger: Ledger, pinned_note: str | None, note: str) -> str:
    """Keep the new note, and the one pinned before, which a crash may have kept from it. The note as kept."""
    with write_transaction(ledger.engine) as connection:
        try:
            for one in (pinned_note, note):
                if one is not None:
                    kept = keep_checkpoint(connection, ledger.origin, parse_checkpoint(one)[0].tree_size, one)
        except ConflictError as error:
            # Two notes of one size with different roots: no log that keeps its promise has them.
            refuse(ledger, "fork", error, {"pinned": pinned_note, "signed": note})
    return kept


def _check_log(
    ledger: Ledger, connection: Connection, signed: Mapping[str, _Earlier | None], *, full: bool
) -> Checkpoint:
    """The checkpoint that may be signed: steps 2 and 3 above. Raises: as sign_head.

    signed: what was signed before, by where it is known from; the pin as "pinned".
    """
    head = repository.read_head(connection, ledger.origin)
    head_root = head.frontier.root()
    pinned = signed["pinned"]
    earlier = [one.checkpoint for one in signed.values() if one is not None]
    if head.tree_size == 0 and not earlier:
        raise StoreError(problem("/tree_size", 0, "a log with entries", "Append an entry first."))
    tiles = StoredTiles(connection, head.origin)
    evidence: dict[str, object] = {
        "origin": head.origin,
        "tree_size": head.tree_size,
        "root": head_root.hex(),
        **{where: one.note for where, one in signed.items() if one is not None},
    }
    roots: dict[int, bytes] = {}
    if full or pinned is None:
        roots = _hash_entries(connection, head, Frontier(), {one.tree_size for one in earlier})
    for one in earlier:
        try:
            check_begins_with(
                one, head.tree_size, lambda size: roots.get(size) or root(tiles, size), "the log in the database"
            )
        except VerificationError as error:
            if head.tree_size < one.tree_size:
                kind = "rollback"
            else:
                kind = "fork" if isinstance(error, RootMismatchError) else "proof"
            refuse(ledger, kind, error, evidence)
    if pinned is not None and not roots:
        _hash_entries(connection, head, frontier(tiles, pinned.checkpoint.tree_size), set())
    # Whoever asks for proofs gets them from the stored tiles: those of what is signed must hold.
    path: list[bytes] = []
    try:
        if pinned is None:
            verify_consistency(head.tree_size, root(tiles, head.tree_size), head.tree_size, head_root, path)
        else:
            old = pinned.checkpoint
            path = consistency_path(tiles, old.tree_size, head.tree_size)
            verify_consistency(old.tree_size, old.root, head.tree_size, head_root, path)
    except VerificationError as error:
        refuse(ledger, "proof", error, evidence | {"path": [one.hex() for one in path]})
    return Checkpoint(head.origin, head.tree_size, head_root)


def _no_pin(ledger: Ledger) -> StoreError:
    return StoreError(
        Problem(
            "/pins_dir",
            f"no {ledger.pin_path}, though the database holds checkpoints",
            "the last one that was signed: if the database was restored, it may be one that is not in it",
            "Put the pin back from its backup. If it is lost, save the newest checkpoint that anybody has (published, "
            "of a witness, in a certificate or pack) under that name.",
        )
    )


def _newest_kept(connection: Connection, origin: str, keyring: Keyring) -> _Earlier | None:
    """The newest checkpoint in the database. What was signed before it was its beginning when it was signed."""
    kept = newest_row(connection, origin)
    if kept is None:
        return None
    tree_size, note = kept
    checkpoint = keyring.signers(note).checkpoint
    if checkpoint.tree_size != tree_size:
        raise RootMismatchError(
            problem("/tree_size", checkpoint.tree_size, f"the checkpoint for size {tree_size}", "Run `log verify`.")
        )
    return _Earlier(checkpoint, note)


def _hash_entries(connection: Connection, head: Head, base: Frontier, sizes: set[int]) -> dict[int, bytes]:
    """Hash the entries after the tree `base` from their bytes; the roots at `sizes` and at the end, by size.

    Raises: BrokenLinkError unless rows and head row agree with them.
    """
    tree, roots = base, {}
    leaves: list[bytes] = []
    for seq, stored, data in leaf_rows(connection, head.origin, base.tree_size):
        leaf = leaf_hash(data)
        expected = tree.tree_size + len(leaves)
        if seq != expected or stored != leaf:
            _broken(f"entry {seq} with leaf hash {leaf.hex()}", f"entry {expected}, unchanged")
        leaves.append(leaf)
        if expected + 1 in sizes or len(leaves) == _LEAVES_AT_ONCE:
            tree, leaves = tree.extend(leaves), []
            roots[tree.tree_size] = tree.root()
    tree = tree.extend(leaves)
    if tree != head.frontier:
        _broken(
            f"{tree.tree_size} entries with root {tree.root().hex()}",
            f"what the head row states: {head.tree_size} entries with root {head.frontier.root().hex()}",
        )
    return {size: roots[size] for size in sizes & roots.keys()} | {tree.tree_size: tree.root()}


def refuse(
    ledger: Ledger, kind: str, error: VerificationError | ConflictError, evidence: Mapping[str, object]
) -> NoReturn:
    """Raise the error again with the place of the evidence, which is put down beside the pin.

    kind: first word of the file's name. Where it cannot be written, the error says that instead.
    """
    value = {"findings": [str(one) for one in error.problems], **evidence}
    try:
        path = write_evidence(ledger.pin_path.parent / "evidence", kind, value)
    except StoreError as unwritten:
        raise type(error)(*error.problems, *unwritten.problems) from error
    where = Problem("/evidence", str(path), "a log that extends every checkpoint signed before", "Keep this file.")
    raise type(error)(*error.problems, where) from error


def _broken(found: str, expected: str) -> NoReturn:
    raise BrokenLinkError(
        Problem("/entries", found, expected, "Nothing was signed. Run `magnet-ledger log verify` to see what broke.")
    )
