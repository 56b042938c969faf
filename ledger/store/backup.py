"""Copies of the database, and putting one back. SQLite only: PostgreSQL has its own tools, which are named."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL

from ledger.errors import StoreError, problem
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.merkle import leaf_hash, root_hash
from ledger.store import repository
from ledger.store.database import (
    APPLICATION_ID,
    check_schema,
    make_engine,
    make_private_file,
    parse_database_url,
    read_transaction,
)
from ledger.store.pin import check_begins_with, read_pin, sync_folder


def backup(url: str, file: Path) -> None:
    """Copy the database into `file` while it is in use; the copy is one state of it, and durable when this returns.

    Only its owner may read it.
    Raises: StoreError if the file exists, cannot be written, or the database is PostgreSQL (the error has the line to
    type).
    """
    parsed = parse_database_url(url)
    if parsed.get_backend_name() == "postgresql":
        raise _use_tool(parsed, f"pg_dump --format=custom --file={file} {_plain(parsed)}")
    check_schema(url)
    if file.exists():
        raise StoreError(problem("", str(file), "a file that does not exist yet", "Choose another name."))
    temporary = file.with_name(file.name + ".new")
    with _sqlite_errors(temporary):
        try:
            _copy(_path(parsed), temporary)
            descriptor = os.open(temporary, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            temporary.rename(file)
            sync_folder(file.parent)
        finally:
            temporary.unlink(missing_ok=True)


def restore(url: str, file: Path, origin: str, pin_path: Path) -> Path | None:
    """Put the backup `file` in place of the database; what was there is kept beside it, and its path returned.

    Works while others have the database open: they see the old state or the new one.
    Raises: StoreError if the file is not a sound backup of this log in this version's schema, or the database is
    PostgreSQL (the error has the line to type); VerificationError if the backup is older than the pinned checkpoint,
    RootMismatchError if it holds another history. Nothing is changed then.
    """
    parsed = parse_database_url(url)
    if parsed.get_backend_name() == "postgresql":
        raise _use_tool(parsed, f"pg_restore --clean --if-exists --single-transaction --dbname={_plain(parsed)} {file}")
    _check_backup(file, origin, pin_path)
    target = _path(parsed)
    kept = None
    with _sqlite_errors(target):
        if target.exists():
            kept = _free_name(target)
            try:
                _copy(target, kept)
            except sqlite3.DatabaseError:  # too damaged to be read as a database: keep its bytes
                kept.unlink(missing_ok=True)
                for suffix in ("", "-wal", "-shm"):
                    part = target.with_name(target.name + suffix)
                    if part.exists():
                        part.rename(kept.with_name(kept.name + suffix))
        _copy(file, target)
    return kept


def _check_backup(file: Path, origin: str, pin_path: Path) -> None:
    """Raises: StoreError or VerificationError unless the file can take the database's place."""
    if not file.is_file():
        raise StoreError(problem("", str(file), "a backup file", "Check the path."))
    with _sqlite_errors(file), closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        damage = [text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok"]
    if application_id != APPLICATION_ID or damage:
        found = "; ".join(damage[:3]) if damage else "a database of another program"
        raise StoreError(problem("", f"{file}: {found}", "a sound backup of a ledger", "Use another backup."))
    url = URL.create("sqlite", database=str(file.absolute())).render_as_string()
    check_schema(url)
    engine = make_engine(url)
    try:
        with read_transaction(engine) as connection:
            repository.read_head(connection, origin)
            hashes = [leaf_hash(entry.data) for entry in repository.entries_from(connection, origin, 0)]
    finally:
        engine.dispose()
    note = read_pin(pin_path)
    if note is not None:
        pinned, _ = parse_checkpoint(note)
        check_begins_with(pinned, len(hashes), lambda size: root_hash(hashes[:size]), f"the backup {file}")


def _copy(source: Path, target: Path) -> None:
    """One consistent state of the source database into target, by SQLite's own backup; for its owner's eyes only."""
    make_private_file(target)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target, timeout=30)) as new:
        new.execute("PRAGMA synchronous = FULL")
        old.backup(new)


@contextmanager
def _sqlite_errors(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as StoreError."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(
            problem("", f"{path}: {error}", "a readable database and room to write", "Check path, rights and room.")
        ) from error


def _free_name(target: Path) -> Path:
    number = 1
    while (name := target.with_name(f"{target.name}.before-restore-{number}")).exists():
        number += 1
    return name


def _path(url: URL) -> Path:
    assert url.database is not None, "parse_database_url accepts SQLite with a file only"
    return Path(url.database)


def _plain(url: URL) -> str:
    """The URL as PostgreSQL's tools take it, without the password, which they ask for."""
    return url.set(drivername="postgresql", password=None).render_as_string()


def _use_tool(url: URL, line: str) -> StoreError:
    return StoreError(problem("/database_url", _plain(url), "a SQLite database", f"For PostgreSQL type: {line}"))
