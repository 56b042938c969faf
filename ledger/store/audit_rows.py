"""The tables as `log verify` reads them: plain rows in large batches, as they stand there, however damaged.

Each function takes the connection of the caller's transaction. Those that iterate stream: none holds a whole table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, TypeAlias

from sqlalchemy import Connection, LargeBinary, cast, func, literal, select, type_coerce
from sqlalchemy.types import NullType
from sqlmodel import col

from ledger.errors import StoreError, problem
from ledger.store.tables import CheckpointRow, EntryRow, SubmissionRow, TileRow

Columns: TypeAlias = "Sequence[Any]"
"""A row."""

_numbers = itertools.count()
"""For names of cursors."""

BATCH_ROWS = 512
"""Rows fetched at once, about half a megabyte of entries, or 4 MB of tiles."""


def entry_batches(connection: Connection, origin: str, start: int, *, whole: bool) -> Iterator[Sequence[Columns]]:
    """The rows of the entries from seq `start` on, in order: seq, leaf_hash, data.

    whole: then entry_type, statement_id, content_sha256, client_id as well.
    """
    columns = [col(EntryRow.seq), _bytes(EntryRow.leaf_hash), _bytes(EntryRow.data)]
    if whole:
        columns += [
            col(EntryRow.entry_type),
            col(EntryRow.statement_id),
            col(EntryRow.content_sha256),
            func.coalesce(col(EntryRow.client_id), ""),
        ]
    query = select(*columns).where(col(EntryRow.origin) == origin, col(EntryRow.seq) >= start)
    return _batches(connection, query.order_by(col(EntryRow.seq)))


def entry_data(connection: Connection, origin: str, seq: int) -> bytes | None:
    """The bytes of one entry, None if there is no such row."""
    query = select(_bytes(EntryRow.data)).where(col(EntryRow.origin) == origin, col(EntryRow.seq) == seq)
    data: bytes | None = connection.scalar(query)
    return data


def leaf_hashes(connection: Connection, origin: str, start: int, end: int) -> dict[int, bytes]:
    """Stored leaf hashes of the entries with start <= seq < end, by seq."""
    query = select(col(EntryRow.seq), _bytes(EntryRow.leaf_hash)).where(
        col(EntryRow.origin) == origin, col(EntryRow.seq) >= start, col(EntryRow.seq) < end
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def count_before(connection: Connection, origin: str, seq: int) -> int:
    """How many rows of entries are numbered 0 to seq - 1."""
    query = (
        select(func.count())
        .select_from(EntryRow)
        .where(col(EntryRow.origin) == origin, col(EntryRow.seq) >= 0, col(EntryRow.seq) < seq)
    )
    return connection.execute(query).scalar_one()


def tile_hashes(connection: Connection, origin: str, level: int, index: int) -> bytes | None:
    """The hashes in a stored tile, None if it is not stored."""
    query = select(_bytes(TileRow.hashes)).where(
        col(TileRow.origin) == origin, col(TileRow.level) == level, col(TileRow.tile_index) == index
    )
    hashes: bytes | None = connection.scalar(query)
    return hashes


def lowest_tiles(connection: Connection, origin: str) -> Iterator[tuple[int, bytes]]:
    """Index and hashes of every stored tile of level 0, in order."""
    query = select(col(TileRow.tile_index), _bytes(TileRow.hashes)).where(
        col(TileRow.origin) == origin, col(TileRow.level) == 0
    )
    for batch in _batches(connection, query.order_by(col(TileRow.tile_index))):
        yield from ((row[0], row[1]) for row in batch)


def tile_names(connection: Connection, origin: str) -> Iterator[tuple[int, int]]:
    """Level and index of every stored tile, in order."""
    query = (
        select(col(TileRow.level), col(TileRow.tile_index))
        .where(col(TileRow.origin) == origin)
        .order_by(col(TileRow.level), col(TileRow.tile_index))
    )
    for batch in _batches(connection, query):
        yield from ((row[0], row[1]) for row in batch)


def checkpoint_sizes(connection: Connection, origin: str) -> Iterator[int]:
    """Tree size of every kept checkpoint, the smallest first."""
    query = select(col(CheckpointRow.tree_size)).where(col(CheckpointRow.origin) == origin)
    for batch in _batches(connection, query.order_by(col(CheckpointRow.tree_size))):
        yield from (row[0] for row in batch)


def checkpoint_notes(connection: Connection, origin: str) -> Iterator[tuple[int, str]]:
    """Tree size and note of every kept checkpoint, the smallest first. Unverified."""
    query = select(col(CheckpointRow.tree_size), col(CheckpointRow.note)).where(col(CheckpointRow.origin) == origin)
    for batch in _batches(connection, query.order_by(col(CheckpointRow.tree_size))):
        yield from ((row[0], row[1]) for row in batch)


def repeated_client_ids(connection: Connection, origin: str) -> Iterator[tuple[str, str, int, int]]:
    """Tenant, client id, second entry and number of entries of every key that more than one entry has."""
    tenant, client_id, seq = col(EntryRow.tenant), col(EntryRow.client_id), col(EntryRow.seq)
    query = (
        select(tenant, client_id, func.max(seq), func.count())
        .where(col(EntryRow.origin) == origin)
        .group_by(tenant, client_id)
        .having(func.count() > 1)
        .order_by(func.max(seq))
    )
    for batch in _batches(connection, query):
        yield from ((row[0], row[1], row[2], row[3]) for row in batch)


def repeated_statements(connection: Connection, origin: str) -> Iterator[tuple[str, int, int]]:
    """Statement id, first and last entry of every statement that more than one row has."""
    statement_id, seq = col(EntryRow.statement_id), col(EntryRow.seq)
    query = (
        select(statement_id, func.min(seq), func.max(seq))
        .where(col(EntryRow.origin) == origin)
        .group_by(statement_id)
        .having(func.count() > 1)
        .order_by(func.max(seq))
    )
    for batch in _batches(connection, query):
        yield from ((row[0], row[1], row[2]) for row in batch)


def contents(connection: Connection, origin: str, end: int) -> Iterator[Sequence[Columns]]:
    """seq and content hash of the entries before `end`, in order."""
    query = select(col(EntryRow.seq), col(EntryRow.content_sha256)).where(
        col(EntryRow.origin) == origin, col(EntryRow.seq) < end
    )
    return _batches(connection, query.order_by(col(EntryRow.seq)))


def submissions(connection: Connection, origin: str) -> Iterator[Columns]:
    """Of every submission number, state, seq, tenant, client_id; then tenant, client_id and statement_id of its entry.

    The last three are None where there is no such entry.
    """
    submission, entry = SubmissionRow, EntryRow
    query = (
        select(
            col(submission.number),
            col(submission.state),
            col(submission.seq),
            col(submission.tenant),
            col(submission.client_id),
            col(entry.tenant),
            col(entry.client_id),
            col(entry.statement_id),
        )
        .select_from(submission)
        .outerjoin(entry, (col(entry.origin) == col(submission.origin)) & (col(entry.seq) == col(submission.seq)))
        .where(col(submission.origin) == origin)
        .order_by(col(submission.number))
    )
    for batch in _batches(connection, query):
        yield from batch


def _bytes(column: Any) -> Any:
    """A column as bytes, whatever somebody has put there, and as the driver gives them."""
    return type_coerce(func.coalesce(cast(col(column), LargeBinary), literal(b"", LargeBinary)), NullType())


def _batches(connection: Connection, query: Any) -> Iterator[Sequence[Columns]]:
    """The rows of a query as the driver gives them: SQLAlchemy's own take as long to make as SQLite's to read.

    Raises: StoreError if the database cannot be read.
    """
    compiled = query.compile(dialect=connection.dialect)
    values = compiled.params
    if compiled.positional:
        values = [values[name] for name in compiled.positiontup]
    driver: Any = connection.connection.driver_connection
    # On PostgreSQL a cursor of the server, with its binary format: the driver would else fetch the whole result first,
    # and read bytes from hex.
    on_server = connection.dialect.name == "postgresql"
    try:
        with closing(driver.cursor(f"audit_{next(_numbers)}", binary=True) if on_server else driver.cursor()) as cursor:
            cursor.execute(str(compiled), values)
            while batch := cursor.fetchmany(BATCH_ROWS):
                yield batch
    except connection.dialect.loaded_dbapi.Error as error:
        expected = "a database that can be read"
        raise StoreError(problem("/database_url", str(error), expected, "Run `magnet-ledger doctor`.")) from error
