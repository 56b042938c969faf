"""Engines, transactions and migrations, the same on SQLite and PostgreSQL.

A write transaction on SQLite starts with BEGIN IMMEDIATE: one that first reads and then asks for the write lock can be
refused in the middle, when another process has written in between. Every commit is synced to disk (synchronous=FULL):
with NORMAL, a power cut could lose acknowledged entries.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.errors import InputError, StoreError, problem

APPLICATION_ID = 0x4D4C4731
"""SQLite `application_id` of a Magnet Ledger database: "MLG1"."""

BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for another one, before it gives up with a StoreError."""

_MIGRATION_LOCK = 0x4D4C4731
"""PostgreSQL advisory lock that keeps two processes from migrating at once."""


_UNDEFINED = ("42P01", "42703")
"""PostgreSQL's codes for a table or column that is not there; SQLite calls that an operational error."""


_FAILED_SQLITE = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT)
_FAILED_POSTGRESQL = ("58030", "XX001", "XX002")
"""Input or output failed, or the file or an index of it is damaged."""

_IDLE_TOO_LONG = ("25P03", "57P05")
"""PostgreSQL has ended a session that had nothing to do for too long, within a transaction or outside."""


_PAGE_BYTES = 8192
"""SQLite's pages. Of entries of 1.4 kB only two fit into one of 4,096 bytes, its default, and a fifth is lost."""


def make_engine(url: str) -> Engine:
    """An engine for `url`: "sqlite:///path/to/file" or "postgresql://user@host/database". Opens nothing yet.

    Raises: InputError if it is neither.
    """
    parsed = parse_database_url(url)
    if parsed.get_backend_name() == "postgresql":
        engine = create_engine(parsed, pool_pre_ping=True)
        event.listen(engine, "connect", _set_up_postgresql)
        return engine
    engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def parse_database_url(url: str) -> URL:
    """The URL with its driver. Raises: InputError naming what is supported."""
    expected = '"sqlite:////absolute/path/ledger.db" or "postgresql://user@host/database"'
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise InputError(problem("/database_url", url, expected, "Correct the setting database_url.")) from None
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed
    shown_url = parsed.render_as_string(hide_password=True)
    raise InputError(problem("/database_url", shown_url, expected, "Correct the setting database_url."))


def _set_up_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # sqlite3 must not start transactions by itself: _begin_sqlite does
    # What is not UTF-8 was put there by hand: it must read as some text that equals nothing valid, so that `log verify`
    # can name the entry instead of stopping at it.
    connection.text_factory = _readable_text
    cursor = connection.cursor()
    try:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # of a new file; one that is there keeps its own
        mode = cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten, not only forgotten
        cursor.execute("PRAGMA recursive_triggers = ON")  # so that REPLACE fires the triggers against DELETE
    finally:
        cursor.close()
    if mode != "wal":
        raise StoreError(
            problem("/database_url", f"journal mode {mode}", "journal mode wal", "Put the database on a local disk.")
        )


def _set_up_postgresql(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.autocommit = True  # a setting made in a transaction falls with it
    connection.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
    # A plan that is kept was made while the log was short, and may read all of it when it is long.
    connection.execute("SET plan_cache_mode = force_custom_plan")
    connection.autocommit = False


def _readable_text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("magnet_ledger_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write; committed, and durable, when the block ends without an error, else rolled back.

    On SQLite it is the only writer from its first moment; on PostgreSQL the caller locks the rows that it must.
    Raises: StoreError if the database cannot be reached or written, or another writer holds it too long.
    """
    with (
        store_errors(engine),
        engine.connect().execution_options(magnet_ledger_writes=True) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def single_write(engine: Engine) -> Iterator[Connection]:
    """For one statement that writes, and is durable when the block ends; on PostgreSQL without BEGIN and COMMIT around
    it, which would take two more round trips.

    Raises: as `write_transaction`.
    """
    with _single(engine) if engine.dialect.name == "postgresql" else write_transaction(engine) as connection:
        yield connection


@contextmanager
def single_read(engine: Engine) -> Iterator[Connection]:
    """For one statement that reads. Raises: as `read_transaction`."""
    with _single(engine) if engine.dialect.name == "postgresql" else read_transaction(engine) as connection:
        yield connection


@contextmanager
def _single(engine: Engine) -> Iterator[Connection]:
    with store_errors(engine), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        yield connection


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database, however long it lasts.

    Raises: StoreError if the database cannot be read.
    """
    with store_errors(engine), engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            yield connection


@contextmanager
def store_errors(engine: Engine) -> Iterator[None]:
    """Database errors that are not the program's fault, as StoreError."""
    where = engine.url.render_as_string(hide_password=True)
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreError(
            problem("/database_url", f"all connections are busy ({where})", "a free connection", "Try again later.")
        ) from error
    except DBAPIError as error:
        damaged_file = type(error.orig) is sqlite3.DatabaseError
        # PostgreSQL counts these among wrong statements and errors of its own.
        not_ours = getattr(error.orig, "sqlstate", None) in (*_UNDEFINED, *_FAILED_POSTGRESQL, *_IDLE_TOO_LONG)
        if not (isinstance(error, OperationalError | InterfaceError) or damaged_file or not_ours):
            raise  # a violated constraint or a wrong statement is a fault of ours and must be seen as one
        found = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error).__name__
        raise StoreError(
            problem(
                "/database_url",
                f"{found} ({where})",
                "a database that can be read and written",
                "Check that it exists, runs, has room and is not locked; `magnet-ledger doctor` says more.",
            )
        ) from error


def is_storage_failure(error: Exception) -> bool:
    """Whether a StoreError says that the disk has failed, so that nobody knows what was written; not that it is full,
    or another writer was in the way.

    PostgreSQL stops itself when a sync fails and says so by closing the connection; what it finds after its restart is
    what it acknowledged.
    """
    cause = error.__cause__
    if not isinstance(cause, DBAPIError):
        return False
    code = getattr(cause.orig, "sqlite_errorcode", None)
    state = getattr(cause.orig, "sqlstate", None)
    return (code is not None and code & 0xFF in _FAILED_SQLITE) or state in _FAILED_POSTGRESQL


def file_damage(connection: Connection) -> list[str] | None:
    """What SQLite finds wrong with its own file, indexes included; None on PostgreSQL, which cannot be asked."""
    if connection.dialect.name != "sqlite":
        return None
    found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
    return [str(text) for text in found if text != "ok"]


Sealer = Callable[[str, int, str, bytes, str, bytes | None], tuple[str, bytes]]
"""Seals a private value for a migration: origin, seq, field, salt, canonical value and entry give scope and sealed."""


def upgrade(url: str, revision: str = "head", seal: Sealer | None = None) -> None:
    """Bring the schema to `revision`, in one transaction.

    Makes the SQLite file if there is none, in a folder that must exist, for its owner's eyes only: it holds password
    hashes. Its -wal and -shm files get the same rights.
    seal: for private values that an older schema holds in clear; see ledger.store.private_rows.PlainSealer.
    Raises: StoreError if the database belongs to another program or cannot be written, or holds values in clear and
    there is no seal.
    """
    parsed = parse_database_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database is not None:
        make_private_file(Path(parsed.database))
    _migrate(url, lambda config: command.upgrade(config, revision), seal)


def make_private_file(path: Path) -> None:
    """An empty file that only its owner can read, if there is no file yet. Raises: StoreError."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise StoreError(
            problem("/database_url", f"{path}: {error}", "a file that can be written", "Check its folder and rights.")
        ) from error


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to `revision` ("base" for none), in one transaction. Data of dropped tables is lost."""
    _migrate(url, lambda config: command.downgrade(config, revision))


def current_revision(url: str) -> str | None:
    """The revision of the schema, None for a database without one."""
    engine = make_engine(url)
    try:
        with read_transaction(engine) as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def newest_revision() -> str:
    """The revision that this program works with."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None, "there is at least one migration"
    return revision


def check_schema(url: str) -> None:
    """Raises: StoreError unless the schema is the one that this program works with."""
    engine = make_engine(url)
    try:
        require_current_schema(engine)
    finally:
        engine.dispose()


def require_current_schema(engine: Engine) -> None:
    """Raises: StoreError if the database cannot be reached or its schema is not the one that this program works with.

    Makes no SQLite file where there is none.
    """
    path = engine.url.database
    if engine.dialect.name == "sqlite" and path is not None and not Path(path).exists():
        raise StoreError(
            problem("/database_url", path, "a database file", "Run `magnet-ledger db upgrade` to make it.")
        )
    with read_transaction(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != newest_revision():
        raise StoreError(
            problem(
                "/database_url",
                f"schema {found or 'none'}",
                f"schema {newest_revision()}",
                "Run `magnet-ledger db upgrade`.",
            )
        )


def _migrate(url: str, run: Any, seal: Sealer | None = None) -> None:
    engine = make_engine(url)
    try:
        with write_transaction(engine) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            _refuse_foreign(connection)
            config = _config()
            config.attributes.update(connection=connection, seal=seal)
            try:
                run(config)
            except CommandError as error:
                raise _cannot_migrate(error) from error
    finally:
        engine.dispose()


def _cannot_migrate(error: CommandError) -> StoreError:
    if "locate revision" in str(error):
        expected = f"a schema up to {newest_revision()}"
        next_step = "The database was made by a newer version of this program: use that one."
    else:  # a migration has refused, as it would have lost something
        expected = "a database whose schema can be changed without loss"
        next_step = "Type `magnet-ledger db upgrade` in the installation's folder, which names the vault."
    return StoreError(problem("/database_url", str(error), expected, next_step))


def _refuse_foreign(connection: Connection) -> None:
    """Raises: StoreError if the database holds tables that no migration of ours has made."""
    tables = inspect(connection).get_table_names()
    if tables and "alembic_version" not in tables:
        raise StoreError(
            problem(
                "/database_url",
                f"a database with tables {', '.join(sorted(tables)[:5])}",
                "an empty database, or one of Magnet Ledger",
                "Give the ledger a database of its own.",
            )
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    return config


def _migrations() -> Path:
    """Folder of the migrations: inside the package where it is installed from a wheel, beside it in the source tree."""
    packaged = Path(__file__).parent / "alembic"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "alembic"
