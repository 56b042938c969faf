"""What the log is held against: the way most programs would keep the same entries, one SQLModel row per commit.

The row has the columns that the log's entry has, and by an index one finds the same in it: place, type, statement,
sender's id, content. It has no hash, no link and no tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Engine, LargeBinary, MetaData, UniqueConstraint, create_engine
from sqlmodel import Field, Session, SQLModel

from benchmarks.entries import ORIGIN
from benchmarks.harness import Load, drive
from ledger.log.signed import SignedStatement, check_form
from ledger.store.database import make_engine, parse_database_url


class Base(SQLModel):
    """Tables of the peer alone."""

    metadata = MetaData()


class PlainRow(Base, table=True):
    """The same entry as a row."""

    __tablename__ = "plain_row"
    __table_args__ = (UniqueConstraint("tenant", "client_id"),)

    seq: int | None = Field(default=None, primary_key=True)
    origin: str
    data: bytes = Field(sa_type=LargeBinary)
    entry_type: str = Field(index=True)
    statement_id: str = Field(unique=True)
    content_sha256: str = Field(index=True)
    tenant: str
    client_id: str


@dataclass(frozen=True)
class Plain:
    """What becomes a row, made before any clock runs. data: as long as an entry, with the statement in it."""

    data: bytes
    entry_type: str
    statement_id: str
    content_sha256: str


def plain(signed: SignedStatement) -> Plain:
    """The statement as the peer keeps it."""
    checked = check_form(signed)
    frame = b'{"log":"%b","prev":"%064d","recv":"%027d","seq":%d,"sig":"%088d","stmt":' % (
        ORIGIN.encode("ascii"),
        *(0, 0, 100_000, 0),  # as long as those of an entry
    )
    data = frame + signed.statement_bytes + b',"v":1}'
    return Plain(data, checked.statement.type, checked.statement.id, checked.content_sha256)


def make_plain_engine(url: str, clients: int) -> Engine:
    """SQLite with the log's own settings: WAL, synchronous=FULL. PostgreSQL with a connection for each client, and
    without the question whether it still lives."""
    own = parse_database_url(url)
    engine = make_engine(url) if own.get_backend_name() == "sqlite" else create_engine(own, pool_size=clients)
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    return engine


def add_and_commit(session: Session, one: Plain) -> None:
    """One row, committed."""
    session.add(
        PlainRow(
            origin=ORIGIN,
            data=one.data,
            entry_type=one.entry_type,
            statement_id=one.statement_id,
            content_sha256=one.content_sha256,
            tenant="",
            client_id=one.statement_id,
        )
    )
    session.commit()


def load_of_clients(url: str, shares: Sequence[Sequence[Plain]]) -> Load:
    """A thread and a session for each share."""
    engine = make_plain_engine(url, len(shares))
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        sessions = [stack.enter_context(Session(engine)) for _ in shares]
        return drive(
            [(partial(add_and_commit, session), share) for session, share in zip(sessions, shares, strict=True)]
        )


def rate_of_one(url: str, rows: Sequence[Plain]) -> float:
    """Rows per second that one session adds, each with its commit."""
    engine = make_plain_engine(url, 1)
    try:
        with Session(engine) as session:
            return drive([(partial(add_and_commit, session), rows)]).per_s
    finally:
        engine.dispose()
