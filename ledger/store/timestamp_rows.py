"""Time stamps as they are kept. Each function takes the connection of the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, LargeBinary, Select, cast, select, text
from sqlmodel import col

from ledger.store.tables import TimestampRow


@dataclass(frozen=True)
class KeptTimestamp:
    """A token over the checkpoint of tree_size. tsa: address of who gave it. token: TimeStampResp, DER.

    created: when it was kept, by the log's clock.
    """

    tree_size: int
    tsa: str
    token: bytes
    created: str


def keep_timestamp(connection: Connection, origin: str, kept: KeptTimestamp) -> None:
    """Keep a token. Of two by one authority over one checkpoint the first, which is older, stays."""
    connection.execute(
        text(
            "INSERT INTO timestamp_token (origin, tree_size, tsa, token, created)"
            " VALUES (:origin, :tree_size, :tsa, :token, :created) ON CONFLICT DO NOTHING"
        ),
        {"origin": origin, **vars(kept)},
    )


def timestamp_of(connection: Connection, origin: str, tree_size: int, tsa: str) -> KeptTimestamp | None:
    """The token of this authority over the checkpoint of this size, None if there is none. Unverified."""
    query = _timestamps(origin).where(col(TimestampRow.tree_size) == tree_size, col(TimestampRow.tsa) == tsa)
    row = connection.execute(query).one_or_none()
    return None if row is None else KeptTimestamp(*row)


def last_timestamp(connection: Connection, origin: str, tsa: str) -> KeptTimestamp | None:
    """The token of this authority over the largest tree, None if there is none. Unverified.

    Not by `created`: a clock that once ran ahead would hide what was kept since.
    """
    newest = col(TimestampRow.tree_size).desc()
    query = _timestamps(origin).where(col(TimestampRow.tsa) == tsa).order_by(newest).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else KeptTimestamp(*row)


def timestamps(connection: Connection, origin: str) -> list[KeptTimestamp]:
    """All tokens, by rising tree size. Unverified."""
    query = _timestamps(origin).order_by(col(TimestampRow.tree_size), col(TimestampRow.tsa))
    return [KeptTimestamp(*row) for row in connection.execute(query)]


def _timestamps(origin: str) -> Select[int, str, bytes, str]:
    return select(
        col(TimestampRow.tree_size),
        col(TimestampRow.tsa),
        cast(col(TimestampRow.token), LargeBinary),  # bytes, whatever somebody has put there
        col(TimestampRow.created),
    ).where(col(TimestampRow.origin) == origin)
