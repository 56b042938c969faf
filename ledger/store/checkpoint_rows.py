"""Kept checkpoints, and the entries as signing and publishing read them. Each takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, LargeBinary, cast, select, text, update
from sqlmodel import col

from ledger.errors import ConflictError, UnknownIdError, problem
from ledger.log.cosignature import add_signature_lines
from ledger.log.merkle import MAX_TREE_SIZE
from ledger.store.tables import CheckpointRow, EntryRow

# Spelt out where a proof waits for them: building such a query anew each time takes longer than the database does.
_NEWEST = text("SELECT tree_size, note FROM checkpoint WHERE origin = :origin ORDER BY tree_size DESC LIMIT 1")
_AT = text("SELECT note FROM checkpoint WHERE origin = :origin AND tree_size = :tree_size")
_DATA = text("SELECT data FROM entry WHERE origin = :origin AND seq = :seq")


def newest_checkpoint(connection: Connection, origin: str) -> tuple[int, str] | None:
    """Tree size and note of the largest kept checkpoint, None if none is kept. Unverified."""
    row = connection.execute(_NEWEST, {"origin": origin}).one_or_none()
    return None if row is None else (row[0], row[1])


def checkpoint_at(connection: Connection, origin: str, tree_size: int) -> str | None:
    """The note kept for this size, None if none is. Unverified."""
    if tree_size > MAX_TREE_SIZE:  # no database takes any number
        return None
    note: str | None = connection.execute(_AT, {"origin": origin, "tree_size": tree_size}).scalar_one_or_none()
    return note


def keep_checkpoint(connection: Connection, origin: str, tree_size: int, note: str) -> str:
    """Keep a signed note; if one of the same text is kept already, add the lines of keys that it has none of.

    Returns the note as kept now.
    Raises: ConflictError if one with another text is kept for that size; MalformedProofError if a note is none.
    """
    connection.execute(
        text(
            "INSERT INTO checkpoint (origin, tree_size, note) VALUES (:origin, :tree_size, :note)"
            " ON CONFLICT DO NOTHING"
        ),
        {"origin": origin, "tree_size": tree_size, "note": note},
    )
    query = select(col(CheckpointRow.note)).where(
        col(CheckpointRow.origin) == origin, col(CheckpointRow.tree_size) == tree_size
    )
    kept = connection.execute(query.with_for_update()).scalar_one()
    if note.partition("\n\n")[0] != kept.partition("\n\n")[0]:
        raise ConflictError(
            problem("/tree_size", note, f"the checkpoint kept for size {tree_size}: {kept}", "Run `log verify`.")
        )
    merged = add_signature_lines(kept, note.partition("\n\n")[2].splitlines(keepends=True))
    if merged != kept:
        connection.execute(
            update(CheckpointRow)
            .where(col(CheckpointRow.origin) == origin, col(CheckpointRow.tree_size) == tree_size)
            .values(note=merged)
        )
    return merged


def leaf_rows(
    connection: Connection, origin: str, start: int, end: int | None = None
) -> Iterator[tuple[int, bytes, bytes]]:
    """Sequence number, stored leaf hash and exact bytes of the entries with start <= seq < end, in order.

    To the last one if end is None. Streams; does not hold them all.
    """
    query = (
        select(col(EntryRow.seq), cast(col(EntryRow.leaf_hash), LargeBinary), cast(col(EntryRow.data), LargeBinary))
        .where(col(EntryRow.origin) == origin, col(EntryRow.seq) >= start)
        .order_by(col(EntryRow.seq))
    )
    if end is not None:
        query = query.where(col(EntryRow.seq) < end)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield row[0], row[1], row[2]


def entry_data(connection: Connection, origin: str, seq: int) -> bytes:
    """The exact bytes of one entry. Raises: UnknownIdError if there is no such entry."""
    data = connection.execute(_DATA, {"origin": origin, "seq": seq}).scalar_one_or_none()
    if data is None:
        raise UnknownIdError(problem("/seq", seq, "the sequence number of an entry", "Check the number."))
    return bytes(data)
