"""Waiting for what becomes of submissions: one thread and one connection for all who wait in a process.

On PostgreSQL the thread is woken by the notification that each sequencing transaction sends; besides, and on SQLite, it
looks again after a moment.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress

import psycopg
from sqlalchemy import Connection, Engine

from ledger.errors import StoreError
from ledger.store.database import single_read, store_errors
from ledger.store.submissions import CHANNEL, WAITING, StoredSubmission, read, read_one, wait_for

POLL_S = 0.05
"""How long nobody looks if nobody notifies."""


class Outcomes:
    """Tells threads what became of their submissions. Between `start` and `stop` by a thread of its own; else each one
    asks by itself."""

    def __init__(self, engine: Engine, origin: str) -> None:
        self._engine = engine
        self._origin = origin
        self._lock = threading.Lock()
        self._waiting: dict[int, list[Future[StoredSubmission]]] = {}
        self._somebody_waits = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._listening: Connection | None = None

    def start(self) -> None:
        """Let a thread do the work from now on."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._work, name=f"outcomes of {self._origin}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Who still waits is given what is known by the end of their time."""
        self._stopping.set()
        self._somebody_waits.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wait(self, number: int, timeout_s: float) -> StoredSubmission:
        """The submission once it is settled, or as it is after timeout_s.

        Raises: UnknownIdError if the log has no submission with this number; StoreError.
        """
        if self._thread is None or self._stopping.is_set():
            return wait_for(self._engine, self._origin, number, timeout_s)
        future: Future[StoredSubmission] = Future()
        with self._lock:
            self._waiting.setdefault(number, []).append(future)
            self._somebody_waits.set()
        try:
            return future.result(timeout_s)
        except FutureTimeoutError:
            with self._lock, suppress(KeyError, ValueError):
                self._waiting[number].remove(future)
                if not self._waiting[number]:
                    del self._waiting[number]
            return read_one(self._engine, self._origin, number)

    def _work(self) -> None:
        """The thread: look for all who wait, pause, look again."""
        while not self._stopping.is_set():
            with self._lock:
                numbers = list(self._waiting)
                if not numbers:
                    self._somebody_waits.clear()
            if not numbers:
                self._somebody_waits.wait()
                continue
            try:
                self._listen()
                self._answer(numbers)
                if self._waiting:
                    self._pause()
            except StoreError:  # those who wait are told when their time is up: what was accepted is not lost
                self._hang_up()
                self._stopping.wait(POLL_S)
        self._hang_up()

    def _answer(self, numbers: list[int]) -> None:
        with single_read(self._engine) as connection:
            found = read(connection, self._origin, numbers)
        for number, row in found.items():
            if row.state != WAITING:
                with self._lock:
                    futures = self._waiting.pop(number, [])
                for future in futures:
                    future.set_result(row)

    def _listen(self) -> None:
        """Ask PostgreSQL to be notified, on a connection that is kept for it."""
        if self._engine.dialect.name == "postgresql" and self._listening is None:
            with store_errors(self._engine):
                connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
                connection.detach()
                self._listening = connection
                connection.exec_driver_sql(f"LISTEN {CHANNEL}")

    def _pause(self) -> None:
        """Until something was settled in this log, perhaps, or POLL_S are over."""
        driver = None if self._listening is None else self._listening.connection.dbapi_connection
        if not isinstance(driver, psycopg.Connection):
            self._stopping.wait(POLL_S)
            return
        try:
            for notice in driver.notifies(timeout=POLL_S):
                if notice.payload == self._origin:
                    break
        except psycopg.Error:  # the connection is gone: the next one listens anew
            self._hang_up()

    def _hang_up(self) -> None:
        if self._listening is not None:
            self._listening.invalidate()
            self._listening.close()
            self._listening = None
