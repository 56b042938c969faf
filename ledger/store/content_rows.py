"""Which entry said the same first: the table `content`, derived from the entries' content hashes.

It holds the first entry of each content alone, so that a lookup stays short however often something is repeated. Its
keys fall anywhere; added one by one to a large table, each would rewrite a page. So an import of many entries may leave
the table behind, `head.content_size` says how far it goes, and `catch_up` adds the rest sorted, a run at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from functools import lru_cache

from sqlalchemy import Connection, text

from ledger.store.many import listed

CATCH_UP_ENTRIES = 100_000
"""Entries whose contents are added in one run: some 20 MB of memory."""

_CANDIDATES = {
    "sqlite": text("SELECT seq FROM content WHERE content_key IN (SELECT value FROM json_each(:keys))"),
    "postgresql": text(  # a lookup for each key, whatever the statistics say; see ledger.store.repository
        "SELECT found.seq FROM unnest(CAST(:keys AS bigint[])) AS wanted(content_key) CROSS JOIN LATERAL"
        " (SELECT seq FROM content WHERE content_key = wanted.content_key OFFSET 0) AS found"
    ),
}
# In two queries: joined, a database without fresh statistics may read all entries first.
_CONTENTS_AT = {
    "sqlite": text(
        "SELECT content_sha256, seq FROM entry"
        " WHERE origin = :origin AND seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq DESC"
    ),
    "postgresql": text(
        "SELECT content_sha256, seq FROM entry"
        " WHERE origin = :origin AND seq = ANY(CAST(:seqs AS bigint[])) ORDER BY seq DESC"
    ),
}
# A clash would be two logs with the same 48 bits at the same place; the second is then not listed.
_INSERT_SQLITE = "INSERT INTO content (content_key, seq) VALUES (?, ?) ON CONFLICT DO NOTHING"
_INSERT_POSTGRESQL = text(
    "INSERT INTO content (content_key, seq)"
    " SELECT * FROM unnest(CAST(:keys AS bigint[]), CAST(:seqs AS bigint[])) ON CONFLICT DO NOTHING"
)
_CONTENTS = text("SELECT content_sha256, seq FROM entry WHERE origin = :origin AND seq >= :start AND seq < :end")


def content_key(origin: str, content_sha256: str) -> int:
    """The key of a content in this log, 48 bits: enough to find a candidate, whose whole hash is then compared."""
    return int(content_sha256[:12], 16) ^ _key_of_origin(origin)


def first_seqs(connection: Connection, origin: str, contents: Collection[str]) -> dict[str, int]:
    """The first entry with each of these contents, as far as there is one and the table goes."""
    if not contents:
        return {}
    dialect = connection.dialect.name
    keys = sorted({content_key(origin, content) for content in contents})
    seqs = list(connection.execute(_CANDIDATES[dialect], {"keys": listed(connection, keys)}).scalars())
    if not seqs:
        return {}
    found = connection.execute(_CONTENTS_AT[dialect], {"origin": origin, "seqs": listed(connection, seqs)}).all()
    wanted = set(contents)  # what has the same key by chance is none of them
    return {content: seq for content, seq in found if content in wanted}


def insert_contents(connection: Connection, origin: str, first_of: Mapping[str, int]) -> None:
    """List contents that no entry in the table has, with the entry that says each first."""
    rows = sorted((content_key(origin, content), seq) for content, seq in first_of.items())
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_INSERT_SQLITE, rows)
    else:
        connection.execute(_INSERT_POSTGRESQL, {"keys": [key for key, _ in rows], "seqs": [seq for _, seq in rows]})


def catch_up(connection: Connection, origin: str, content_size: int, tree_size: int) -> None:
    """List the contents of the entries from content_size to tree_size - 1. The caller moves `head.content_size`."""
    for start in range(content_size, tree_size, CATCH_UP_ENTRIES):
        end = min(start + CATCH_UP_ENTRIES, tree_size)
        first_of: dict[str, int] = {}
        for content, seq in connection.execute(_CONTENTS, {"origin": origin, "start": start, "end": end}):
            first_of[content] = min(seq, first_of.get(content, seq))
        known = first_seqs(connection, origin, first_of)
        insert_contents(connection, origin, {content: seq for content, seq in first_of.items() if content not in known})


def rebuild_contents(connection: Connection) -> None:
    """Make the table anew, for all logs of the database: its rows do not say which log they belong to."""
    connection.execute(text("DELETE FROM content"))
    heads = connection.execute(text("SELECT origin, tree_size FROM head ORDER BY origin")).all()
    for origin, tree_size in heads:
        catch_up(connection, origin, 0, tree_size)
    connection.execute(text("UPDATE head SET content_size = tree_size"))


@lru_cache
def _key_of_origin(origin: str) -> int:
    """48 bits that differ from log to log."""
    return int.from_bytes(hashlib.sha256(origin.encode("ascii")).digest()[:6], "big")
