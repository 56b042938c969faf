"""Where the benchmarks of the log work: databases of their own, and logs in them, made once and removed at the end."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Self

from benchmarks.entries import LOG_KEY, ORIGIN, signed_on_all_cores
from benchmarks.harness import say
from ledger.log.checkpoint import format_vkey
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger
from ledger.service.imports import import_signed
from ledger.store import repository
from ledger.store.database import make_engine, upgrade, write_transaction
from tests.postgres import PostgresServer, new_server
from tests.store_samples import make_ids, make_salts

DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
VKEY = format_vkey(ORIGIN, LOG_KEY.public_key())


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    repeats: rounds that medians are taken of. warm_up: whether one before them does not count. clients: threads that
    append. each, ruled_each, plain_each: entries of one client, of one under the plant's rules, and of one of the
    peer's. bulk, plain_bulk: entries of an import, and of the peer's. verified: entries of the log that is verified for
    its speed. small, large: entries of the small and the large log. proofs: at places drawn at random. warm_proofs:
    made before those that are measured from memory.
    """

    repeats: int
    warm_up: bool
    clients: int
    each: int
    ruled_each: int
    plain_each: int
    bulk: int
    plain_bulk: int
    verified: int
    small: int
    large: int
    proofs: int
    warm_proofs: int


FULL = Sizes(5, True, 16, 300, 80, 60, 50_000, 1_000, 200_000, 1_000, 1_000_000, 100, 1_000)
QUICK = Sizes(1, False, 16, 10, 5, 3, 1_500, 20, 1_500, 500, 3_000, 20, 20)


def now() -> datetime:
    """The clock of the benchmarks."""
    return datetime.now(UTC)


class Workshop:
    """A folder for the time of a `with` block, and what is in it."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self._numbers = itertools.count(1)
        self._stack = ExitStack()
        self._logs: dict[tuple[str, int], Ledger] = {}

    def __enter__(self) -> Self:
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="magnet-ledger-bench-")))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()  # first the logs, then server and folder

    @cached_property
    def _sqlite_template(self) -> Path:
        """A file with the log's schema, to be copied."""
        path = self.folder / "template.db"
        upgrade(f"sqlite:///{path}")
        return path

    @cached_property
    def _postgres(self) -> PostgresServer:
        """A server with its settings as they come, so that every commit is synced, and a database to be copied."""
        server = self._stack.enter_context(new_server())
        server.execute("CREATE DATABASE {}", "template")
        upgrade(server.url("template"))
        return server

    @contextmanager
    def database(self, kind: str) -> Iterator[str]:
        """URL of a new database with the log's schema, removed with the block. kind: "sqlite" or "postgresql"."""
        name = f"bench_{next(self._numbers)}"
        if kind == "sqlite":
            path = self.folder / f"{name}.db"
            shutil.copyfile(self._sqlite_template, path)
            yield f"sqlite:///{path}"
            for ending in ("", "-wal", "-shm"):
                Path(f"{path}{ending}").unlink(missing_ok=True)
        else:
            self._postgres.execute("CREATE DATABASE {} TEMPLATE {}", name, "template")
            yield self._postgres.url(name)
            self._postgres.execute("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def new_log(self, kind: str, count: int = 0) -> Iterator[Ledger]:
        """A log in a new database. count: of its entries; the first registers the actor's key."""
        with self.database(kind) as url, opened(url, self.folder / "pins" / f"{next(self._numbers)}.pin") as ledger:
            with write_transaction(ledger.engine) as connection:
                repository.insert_log(connection, ORIGIN, "2026-05-04T08:00:00.000000Z")
            if count:
                import_signed(ledger, signed_on_all_cores(count - 1), keys=None)
            yield ledger

    def log(self, kind: str, count: int) -> Ledger:
        """A log of this many entries and a checkpoint over them, made when it is first asked for."""
        if (kind, count) not in self._logs:
            say(f"  making a log of {count:,} entries, {DATABASES[kind]}")
            ledger = self._stack.enter_context(self.new_log(kind, count))
            make_checkpoint(ledger)
            self._logs[kind, count] = ledger
        return self._logs[kind, count]


@contextmanager
def opened(url: str, pin: Path) -> Iterator[Ledger]:
    """The log in this database."""
    engine = make_engine(url)
    try:
        yield Ledger(
            engine=engine,
            origin=ORIGIN,
            log_key=LOG_KEY,
            pin_path=pin,
            now=now,
            new_id=make_ids(0xFFE),
            new_salt=make_salts(),
        )
    finally:
        engine.dispose()


def sqlite_file(ledger: Ledger) -> Path:
    """The file of a SQLite database."""
    name = ledger.engine.url.database
    assert name is not None
    return Path(name)


def forget_file(path: Path) -> None:
    """Let the system drop what it holds of a file in memory, as far as it can be told to."""
    if hasattr(os, "posix_fadvise"):
        for one in (path, path.with_name(f"{path.name}-wal")):
            if one.exists():
                file = os.open(one, os.O_RDONLY)
                os.fsync(file)
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(file)


def read_file(path: Path) -> None:
    """Let the system hold all of a file in memory, as far as there is room."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass
