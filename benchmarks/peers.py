"""What the log is held against: the way most programs would keep the same entries, one SQLModel row per commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sqlalchemy import Engine, LargeBinary, MetaData
from sqlmodel import Field, Session, SQLModel


class Base(SQLModel):
    """Tables of the peer alone."""

    metadata = MetaData()


class PlainRow(Base, table=True):
    """The same entry as a row: its bytes, and the columns that the log keeps beside them, a unique id included."""

    __tablename__ = "plain_row"

    seq: int | None = Field(default=None, primary_key=True)
    data: bytes = Field(sa_type=LargeBinary)
    entry_type: str = Field(index=True)
    statement_id: str = Field(unique=True)
    content_sha256: str = Field(index=True)


def make_table(engine: Engine) -> None:
    """The peer's table, empty."""
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)


def add_and_commit(engine: Engine, rows: Sequence[tuple[bytes, str, str]]) -> list[float]:
    """Each row (bytes, id, content hash) added and committed. Returns: seconds of each."""
    took = []
    with Session(engine) as session:
        for data, statement_id, content in rows:
            start = time.perf_counter()
            session.add(PlainRow(data=data, entry_type="benchmark", statement_id=statement_id, content_sha256=content))
            session.commit()
            took.append(time.perf_counter() - start)
    return took


def add_and_commit_by_many(engine: Engine, shares: Sequence[Sequence[tuple[bytes, str, str]]]) -> list[float]:
    """A thread for each share. Returns: seconds of each row."""
    took: list[float] = []

    def work(share: Sequence[tuple[bytes, str, str]]) -> None:
        took.extend(add_and_commit(engine, share))

    threads = [threading.Thread(target=work, args=(share,)) for share in shares]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took
