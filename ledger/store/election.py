"""Who sequences a log: one process of those that would. For liveness alone.

Winning says "try": nobody else is at it, as far as anybody can tell. It may be wrong, since a process can lose its lock
without knowing. What keeps two winners from forking the log is the epoch in its head row (see `take_office`).

A winner that comes to a halt must lose in the end, and must not keep the head row. PostgreSQL closes the session with
the lock when it has been silent for SILENT_S; the next winner has it end the transaction that the former one has under
way. (A time limit for idle transactions would not do: it is not kept in the middle of a COPY or a pipeline.)
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, Engine, text

from ledger.errors import StoreError, problem
from ledger.store.database import single_write, store_errors

SILENT_S = 20
"""How long the holder of PostgreSQL's lock may be silent. It speaks once a second, between two rounds."""

_END_FORMER = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = :name AND pid <> pg_backend_pid()"
)


def session_name(origin: str) -> str:
    """What PostgreSQL calls the session of a log's elected sequencer while it has the head row."""
    return f"magnet-ledger sequencer {_digest(origin).hex()[:16]}"


class Election(Protocol):
    """A lock that one process holds at a time, and that falls with it."""

    def win(self) -> bool:
        """Try to get the lock. Raises: StoreError."""

    def holds(self) -> bool:
        """Whether the lock is still held, as far as can be told."""

    def end_former(self) -> None:
        """End what a former winner has under way. Called by the one who has just won. Raises: StoreError."""

    def resign(self) -> None:
        """Let go of the lock; nothing happens if it is not held."""


def election_of(engine: Engine, origin: str) -> Election:
    """The election for this log: by an advisory lock on PostgreSQL, by a file's lock beside a SQLite database."""
    if engine.dialect.name == "postgresql":
        return AdvisoryLock(engine, origin)
    assert engine.url.database is not None, "make_engine takes SQLite with a file only"
    return FileLock(Path(f"{engine.url.database}.sequencer-{_digest(origin).hex()[:16]}"))


class AdvisoryLock:
    """PostgreSQL's session lock, on a connection of its own. Its key is made from the log's name.

    The key belongs to the database: installations on one server do not meet. silent_s: see SILENT_S.
    """

    def __init__(self, engine: Engine, origin: str, silent_s: float = SILENT_S) -> None:
        self._engine = engine
        self._name = session_name(origin)
        self._silent_ms = round(silent_s * 1000)
        self._key = int.from_bytes(_digest(origin)[:8], "big", signed=True)
        self._connection: Connection | None = None

    def win(self) -> bool:
        """Try to get the lock. Raises: StoreError if the database cannot be reached."""
        self.resign()
        with store_errors(self._engine):
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # from the pool: it lasts as long as the office
            self._connection = connection
            connection.execute(
                text("SELECT set_config('idle_session_timeout', :silent, false)"), {"silent": str(self._silent_ms)}
            )
            won: bool = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar_one()
        if not won:
            self.resign()
        return won

    def holds(self) -> bool:
        """Whether the connection lives, and with it the lock."""
        if self._connection is None:
            return False
        try:
            with store_errors(self._engine):
                self._connection.execute(text("SELECT 1"))
        except StoreError:
            return False
        return True

    def end_former(self) -> None:
        """Have the server end it. That needs the same database role as the former winner's."""
        with single_write(self._engine) as connection:
            connection.execute(_END_FORMER, {"name": self._name})

    def resign(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.invalidate()  # whatever its state: closing must not ask the server for anything
            self._connection.close()
            self._connection = None


class FileLock:
    """A lock on a file, which falls with its process. The file stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def win(self) -> bool:
        """Try to get the lock. Raises: StoreError if the file cannot be made."""
        self.resign()
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                problem("/database_url", f"{self._path}: {error.strerror}", "a file that can be made", "Check rights.")
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def holds(self) -> bool:
        """Whether the file is locked: that lasts until it is closed."""
        return self._descriptor is not None

    def end_former(self) -> None:
        """Nothing: the lock fell with the process, and so did its transaction."""

    def resign(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _digest(origin: str) -> bytes:
    return hashlib.sha256(b"magnet-ledger sequencer\n" + origin.encode("utf-8")).digest()
