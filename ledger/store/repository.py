"""Rows of the log in and out, one function per question. Each takes the connection of the caller's transaction.

Nothing here decides: what may be appended is for `sequencer` and the service.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, TypeVar

import psycopg
from sqlalchemy import Connection, LargeBinary, Select, cast, delete, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from ledger.errors import BrokenLinkError, ConflictError, MalformedProofError, StoreError, UnknownIdError, problem
from ledger.log.forms import HASH_BYTES
from ledger.log.merkle import Frontier
from ledger.log.signed import content_sha256 as content_sha256
from ledger.store.many import listed
from ledger.store.tables import CheckpointRow, EntryRow, LogRow, PrivateFieldRow
from ledger.store.vault import KEY_NAME_BYTES, SealedField, key_id_of

T = TypeVar("T")

_CHUNK = 500
"""Rows asked for by key at once: below the 999 variables of an old SQLite."""

_COPY_ABOVE = 20
"""More rows than this go to PostgreSQL by COPY; setting one up costs about as much as these."""

_ENTRY_TYPES = ("text", "int8", "bytea", "bytea", "text", "text", "text", "text", "text")
_INSERT_ENTRY_SQLITE = (
    "INSERT INTO entry (origin, seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_ENTRY_POSTGRESQL = (  # the rows as columns: one message to the server, however many they are
    "INSERT INTO entry (origin, seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id)"
    " SELECT * FROM unnest(%s::text[], %s::int8[], %s::bytea[], %s::bytea[], %s::text[], %s::text[], %s::text[],"
    " %s::text[], %s::text[])"
)
_COPY_ENTRY = (
    "COPY entry (origin, seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id)"
    " FROM STDIN (FORMAT BINARY)"
)

_READ_HEAD = text("SELECT tree_size, last_leaf_hash, frontier, epoch, content_size FROM head WHERE origin = :origin")
_LOCK_HEAD = text(
    "SELECT tree_size, last_leaf_hash, frontier, epoch, content_size FROM head WHERE origin = :origin FOR UPDATE"
)
# The name is given by the very statement that takes the lock: there is no moment in which it is held without.
_LOCK_HEAD_AS = text(
    "SELECT tree_size, last_leaf_hash, frontier, epoch, content_size,"
    " set_config('application_name', :name, true) FROM head WHERE origin = :origin FOR UPDATE"
)

_MOVE_HEAD = text(
    "UPDATE head SET tree_size = :tree_size, last_leaf_hash = :last_leaf_hash, frontier = :frontier,"
    " content_size = :content_size"
    " WHERE origin = :origin AND tree_size = :old_tree_size AND last_leaf_hash = :old_last_leaf_hash"
    " AND epoch = :old_epoch"
)

# What every append asks, as text made once: composing and hashing such a query costs more than running it. The casts
# give bytes, whatever somebody has put there. The fence OFFSET 0 makes PostgreSQL look up one key after the other: with
# "= ANY" and without fresh statistics, it reads all entries of the log instead, for every append.
_LAST_ENTRY = {
    "sqlite": text(
        "SELECT seq, CAST(leaf_hash AS BLOB), CAST(data AS BLOB), entry_type, statement_id, content_sha256, tenant,"
        " client_id FROM entry WHERE origin = :origin ORDER BY seq DESC LIMIT 1"
    ),
    "postgresql": text(
        "SELECT seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id"
        " FROM entry WHERE origin = :origin ORDER BY seq DESC LIMIT 1"
    ),
}
_BY_CLIENT = {
    "sqlite": text(
        "SELECT seq, CAST(leaf_hash AS BLOB), CAST(data AS BLOB), entry_type, statement_id, content_sha256, tenant,"
        " client_id FROM entry WHERE origin = :origin AND tenant = :tenant"
        " AND client_id IN (SELECT value FROM json_each(:wanted))"
    ),
    "postgresql": text(
        "SELECT found.* FROM unnest(CAST(:wanted AS text[])) AS wanted(id) CROSS JOIN LATERAL ("
        " SELECT seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id FROM entry"
        " WHERE origin = :origin AND tenant = :tenant AND client_id = wanted.id OFFSET 0) AS found"
    ),
}
_BY_STATEMENT = {
    "sqlite": text(
        "SELECT seq, CAST(leaf_hash AS BLOB), CAST(data AS BLOB), entry_type, statement_id, content_sha256, tenant,"
        " client_id FROM entry WHERE origin = :origin AND statement_id IN (SELECT value FROM json_each(:wanted))"
    ),
    "postgresql": text(
        "SELECT found.* FROM unnest(CAST(:wanted AS text[])) AS wanted(id) CROSS JOIN LATERAL ("
        " SELECT seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id FROM entry"
        " WHERE origin = :origin AND statement_id = wanted.id OFFSET 0) AS found"
    ),
}


# Both questions in one message; "by" tells which one a row answers.
_KNOWN_POSTGRESQL = text(
    "SELECT 'client' AS by, found.*"
    " FROM unnest(CAST(:tenants AS text[]), CAST(:client_ids AS text[])) AS wanted(tenant, id) CROSS JOIN LATERAL ("
    " SELECT seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id FROM entry"
    " WHERE origin = :origin AND tenant = wanted.tenant AND client_id = wanted.id OFFSET 0) AS found"
    " UNION ALL"
    " SELECT 'statement', found.* FROM unnest(CAST(:statement_ids AS text[])) AS wanted(id) CROSS JOIN LATERAL ("
    " SELECT seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id FROM entry"
    " WHERE origin = :origin AND statement_id = wanted.id OFFSET 0) AS found"
)


@dataclass(frozen=True)
class Head:
    """Where a log ends. last_leaf_hash: 32 bytes, empty before the first entry. frontier: its tree.

    epoch: of the one who sequences; see `take_office`. content_size: how far the table `content` goes.
    """

    origin: str
    last_leaf_hash: bytes
    frontier: Frontier
    epoch: int = 0
    content_size: int = 0

    @property
    def tree_size(self) -> int:
        """Number of entries."""
        return self.frontier.tree_size


@dataclass(frozen=True)
class StoredEntry:
    """A row of the entry table, as it stands there.

    data: the exact bytes; type, statement id and content hash repeat what they say.
    tenant, client_id: who sent it, and under which id of theirs.
    """

    seq: int
    leaf_hash: bytes
    data: bytes
    entry_type: str
    statement_id: str
    content_sha256: str
    tenant: str
    client_id: str


@dataclass(frozen=True)
class StoredHead:
    """The head row as it stands there, which may be damaged."""

    tree_size: int
    last_leaf_hash: bytes
    frontier: bytes
    epoch: int
    content_size: int


def insert_log(connection: Connection, origin: str, created: str) -> None:
    """A new, empty log; nothing happens if it is there already. created: RFC 3339 text."""
    connection.execute(
        text("INSERT INTO log (origin, created) VALUES (:origin, :created) ON CONFLICT DO NOTHING"),
        {"origin": origin, "created": created},
    )
    connection.execute(
        text(
            "INSERT INTO head (origin, tree_size, last_leaf_hash, frontier) VALUES (:origin, 0, :none, :none)"
            " ON CONFLICT DO NOTHING"
        ),
        {"origin": origin, "none": b""},
    )


def list_origins(connection: Connection) -> list[str]:
    """The logs of this installation."""
    return list(connection.scalars(select(col(LogRow.origin)).order_by(col(LogRow.origin))))


def read_stored_head(
    connection: Connection, origin: str, *, lock: bool = False, session_name: str | None = None
) -> StoredHead | None:
    """The head row, None if there is none. lock: on PostgreSQL, hold the row until the transaction ends.

    session_name: and call the session so, until then.
    """
    query, values = _READ_HEAD, {"origin": origin}
    if lock and connection.dialect.name == "postgresql":
        query = _LOCK_HEAD
        if session_name is not None:
            query, values = _LOCK_HEAD_AS, {"origin": origin, "name": session_name}
    row = connection.execute(query, values).one_or_none()
    return None if row is None else StoredHead(*row[:5])


def read_head(connection: Connection, origin: str, *, lock: bool = False, session_name: str | None = None) -> Head:
    """The head of the log. lock, session_name: as in `read_stored_head`.

    Raises: StoreError if there is no such log; BrokenLinkError if the head row cannot be one.
    """
    stored = read_stored_head(connection, origin, lock=lock, session_name=session_name)
    if stored is None:
        raise _no_log(origin)
    try:
        return Head(origin, stored.last_leaf_hash, parse_frontier(stored), stored.epoch, stored.content_size)
    except MalformedProofError as error:
        raise BrokenLinkError(
            problem("/head", f"a head row that is damaged: {error}", "the head of the log", "Run `log verify`.")
        ) from error


def _no_log(origin: str) -> StoreError:
    return StoreError(
        problem("/origin", origin, "a log of this database", "Make the log first, or correct the setting origin.")
    )


def parse_frontier(stored: StoredHead) -> Frontier:
    """The tree that the head row states. Raises: MalformedProofError if it cannot be one of its size."""
    peaks = tuple(stored.frontier[start : start + HASH_BYTES] for start in range(0, len(stored.frontier), HASH_BYTES))
    return Frontier(stored.tree_size, peaks)


def update_head(connection: Connection, old: Head, new: Head) -> None:
    """Move the head from old to new. Raises: ConflictError if it is no longer at old, or another holds the office."""
    result = connection.execute(
        _MOVE_HEAD,
        {
            "origin": old.origin,
            "tree_size": new.tree_size,
            "last_leaf_hash": new.last_leaf_hash,
            "frontier": b"".join(new.frontier.peaks),
            "content_size": new.content_size,
            "old_tree_size": old.tree_size,
            "old_last_leaf_hash": old.last_leaf_hash,
            "old_epoch": old.epoch,
        },
    )
    if result.rowcount != 1:
        raise ConflictError(
            problem(
                "/head",
                "a head that has moved",
                f"tree size {old.tree_size}, epoch {old.epoch}",
                "Send the entries again.",
            )
        )


def raise_epoch(connection: Connection, origin: str) -> int:
    """One epoch more: whoever holds an earlier one can no longer write. Returns the new one.

    Raises: StoreError if there is no such log.
    """
    epoch: int | None = connection.execute(
        text("UPDATE head SET epoch = epoch + 1 WHERE origin = :origin RETURNING epoch"), {"origin": origin}
    ).scalar_one_or_none()
    if epoch is None:
        raise _no_log(origin)
    return epoch


def insert_entries(connection: Connection, origin: str, entries: Sequence[StoredEntry]) -> None:
    """New rows of the entry table."""
    rows = [(origin, *vars(entry).values()) for entry in entries]
    if connection.dialect.name == "sqlite":
        if rows:
            connection.exec_driver_sql(_INSERT_ENTRY_SQLITE, rows)
    elif len(rows) > _COPY_ABOVE:
        copy_rows(connection, _COPY_ENTRY, _ENTRY_TYPES, rows)
    elif rows:
        connection.exec_driver_sql(_INSERT_ENTRY_POSTGRESQL, tuple(list(column) for column in zip(*rows, strict=True)))


def last_entry(connection: Connection, origin: str) -> StoredEntry | None:
    """The entry with the highest sequence number."""
    row = connection.execute(_LAST_ENTRY[connection.dialect.name], {"origin": origin}).one_or_none()
    return None if row is None else StoredEntry(*row)


def entries_from(connection: Connection, origin: str, start: int, end: int | None = None) -> Iterator[StoredEntry]:
    """Entries with start <= seq < end, in order; to the last one if end is None. Streams; does not hold them all."""
    query = _entries(origin).where(col(EntryRow.seq) >= start).order_by(col(EntryRow.seq))
    if end is not None:
        query = query.where(col(EntryRow.seq) < end)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield StoredEntry(*row)


def entries_of_type(connection: Connection, origin: str, entry_type: str) -> list[StoredEntry]:
    """Entries of one type, in order."""
    query = _entries(origin).where(col(EntryRow.entry_type) == entry_type).order_by(col(EntryRow.seq))
    return [StoredEntry(*row) for row in connection.execute(query)]


def entries_at(connection: Connection, origin: str, seqs: Collection[int]) -> dict[int, StoredEntry]:
    """The entries with these sequence numbers. Raises: UnknownIdError naming the ones that there are not."""
    wanted = sorted(set(seqs))
    found: dict[int, StoredEntry] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = _entries(origin).where(col(EntryRow.seq).in_(wanted[start : start + _CHUNK]))
        found.update((row[0], StoredEntry(*row)) for row in connection.execute(query))
    missing = [seq for seq in wanted if seq not in found]
    if missing:
        raise UnknownIdError(
            *(problem("/seq", seq, "the sequence number of an entry", "Check the number.") for seq in missing)
        )
    return found


def entries_by_statement(connection: Connection, origin: str, ids: Collection[str]) -> dict[str, StoredEntry]:
    """The entries whose statements have these ids, as far as there are any."""
    if not ids:
        return {}
    wanted = listed(connection, sorted(set(ids)))
    rows = connection.execute(_BY_STATEMENT[connection.dialect.name], {"origin": origin, "wanted": wanted})
    return {row[4]: StoredEntry(*row) for row in rows}


def entries_by_client(
    connection: Connection, origin: str, tenant: str, client_ids: Collection[str]
) -> dict[str, StoredEntry]:
    """The entries that this tenant sent under these ids of theirs, as far as there are any."""
    if not client_ids:
        return {}
    wanted = listed(connection, sorted(set(client_ids)))
    query = _BY_CLIENT[connection.dialect.name]
    rows = connection.execute(query, {"origin": origin, "tenant": tenant, "wanted": wanted})
    return {row[7]: StoredEntry(*row) for row in rows}


def known_entries(
    connection: Connection, origin: str, keys: Collection[tuple[str, str]], statement_ids: Collection[str]
) -> tuple[dict[tuple[str, str], StoredEntry], dict[str, StoredEntry]]:
    """The entries that tenants sent under ids of theirs (keys: tenant and id), and those of these statements."""
    if connection.dialect.name == "sqlite" or not (keys and statement_ids):
        by_client: dict[tuple[str, str], StoredEntry] = {}
        for tenant in {tenant for tenant, _ in keys}:
            found = entries_by_client(connection, origin, tenant, [one for owner, one in keys if owner == tenant])
            by_client.update(((tenant, client_id), entry) for client_id, entry in found.items())
        return by_client, entries_by_statement(connection, origin, statement_ids)
    wanted = sorted(set(keys))
    rows = connection.execute(
        _KNOWN_POSTGRESQL,
        {
            "origin": origin,
            "tenants": [tenant for tenant, _ in wanted],
            "client_ids": [client_id for _, client_id in wanted],
            "statement_ids": sorted(set(statement_ids)),
        },
    )
    clients: dict[tuple[str, str], StoredEntry] = {}
    statements: dict[str, StoredEntry] = {}
    for by, *columns in rows:
        entry = StoredEntry(*columns)
        if by == "client":
            clients[entry.tenant, entry.client_id] = entry
        else:
            statements[entry.statement_id] = entry
    return clients, statements


def copy_rows(connection: Connection, copy: LiteralString, types: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Send rows to PostgreSQL by a COPY ... FROM STDIN (FORMAT BINARY), in the connection's transaction.

    types: PostgreSQL's names of the columns' types.
    Raises: DBAPIError, as SQLAlchemy would for any other statement.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    try:
        with driver.cursor() as cursor, cursor.copy(copy) as sending:
            sending.set_types(types)
            for row in rows:
                sending.write_row(row)
    except psycopg.Error as error:
        raise DBAPIError.instance(copy, None, error, psycopg.Error, dialect=connection.dialect) from error


def leaf_hashes(connection: Connection, origin: str, tree_size: int) -> list[bytes]:
    """The stored leaf hashes of the first tree_size entries; shorter if there are fewer."""
    query = (
        select(col(EntryRow.leaf_hash))
        .where(col(EntryRow.origin) == origin, col(EntryRow.seq) < tree_size)
        .order_by(col(EntryRow.seq))
    )
    return list(connection.scalars(query))


def insert_private_fields(connection: Connection, origin: str, fields: Sequence[SealedField]) -> None:
    """Private values, sealed."""
    if fields:
        connection.execute(insert(PrivateFieldRow), [{"origin": origin, **vars(field)} for field in fields])


def private_fields(
    connection: Connection, origin: str, seqs: Collection[int] | None = None, *, scope: str | None = None
) -> Iterator[SealedField]:
    """The private values of these entries, of all if seqs is None, by entry and field; erased ones are gone.

    scope: only those that belong to it. Streams; does not hold them all.
    """
    query = (
        select(
            col(PrivateFieldRow.seq),
            col(PrivateFieldRow.field),
            col(PrivateFieldRow.scope),
            cast(col(PrivateFieldRow.sealed), LargeBinary),  # bytes, whatever somebody has put there
        )
        .where(col(PrivateFieldRow.origin) == origin)
        .order_by(col(PrivateFieldRow.seq), col(PrivateFieldRow.field))
    )
    if scope is not None:
        query = query.where(col(PrivateFieldRow.scope) == scope)
    wanted = [None] if seqs is None else _chunks(sorted(set(seqs)))
    for chunk in wanted:
        chosen = query if chunk is None else query.where(col(PrivateFieldRow.seq).in_(chunk))
        for row in connection.execute(chosen.execution_options(yield_per=1000)):
            yield SealedField(*row)


def private_keys(connection: Connection, origin: str, scopes: Collection[str]) -> dict[str, set[bytes]]:
    """Ids of the keys that the private values of each scope are sealed with; scopes without values are left out."""
    found: dict[str, set[bytes]] = {}
    for chunk in _chunks(sorted(set(scopes))):
        query = (
            select(col(PrivateFieldRow.scope), func.substr(col(PrivateFieldRow.sealed), 1, KEY_NAME_BYTES))
            .where(col(PrivateFieldRow.origin) == origin, col(PrivateFieldRow.scope).in_(chunk))
            .distinct()
        )
        for scope, beginning in connection.execute(query):
            found.setdefault(scope, set()).add(key_id_of(beginning))
    return found


def delete_private_fields(connection: Connection, origin: str, fields: Iterable[tuple[int, str]]) -> None:
    """Delete the rows of these private values (sequence number, field)."""
    for seq, field in fields:
        connection.execute(
            delete(PrivateFieldRow).where(
                col(PrivateFieldRow.origin) == origin,
                col(PrivateFieldRow.seq) == seq,
                col(PrivateFieldRow.field) == field,
            )
        )


def insert_checkpoint(connection: Connection, origin: str, tree_size: int, note: str) -> None:
    """Keep a checkpoint that was signed. Raises: ConflictError if another one is kept for that size."""
    kept = checkpoints(connection, origin).get(tree_size)
    if kept == note:
        return
    if kept is not None:
        raise ConflictError(
            problem("/tree_size", note, f"the checkpoint kept for size {tree_size}: {kept}", "Run `log verify`.")
        )
    connection.execute(insert(CheckpointRow), [{"origin": origin, "tree_size": tree_size, "note": note}])


def checkpoints(connection: Connection, origin: str) -> Mapping[int, str]:
    """The kept checkpoints by tree size, smallest first."""
    query = (
        select(col(CheckpointRow.tree_size), col(CheckpointRow.note))
        .where(col(CheckpointRow.origin) == origin)
        .order_by(col(CheckpointRow.tree_size))
    )
    return {row[0]: row[1] for row in connection.execute(query)}


def count_entries(connection: Connection, origin: str) -> int:
    """How many rows the entry table holds."""
    query = select(func.count()).select_from(EntryRow).where(col(EntryRow.origin) == origin)
    return connection.execute(query).scalar_one()


def _entries(origin: str) -> Select[int, bytes, bytes, str, str, str, str, str]:
    return select(
        col(EntryRow.seq),
        cast(col(EntryRow.leaf_hash), LargeBinary),  # bytes, whatever somebody has put there
        cast(col(EntryRow.data), LargeBinary),
        col(EntryRow.entry_type),
        col(EntryRow.statement_id),
        col(EntryRow.content_sha256),
        col(EntryRow.tenant),
        col(EntryRow.client_id),
    ).where(col(EntryRow.origin) == origin)


def _chunks(wanted: Sequence[T]) -> Iterator[Sequence[T]]:
    """`wanted` in pieces that one query can name."""
    for start in range(0, len(wanted), _CHUNK):
        yield wanted[start : start + _CHUNK]
