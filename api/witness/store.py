"""What a witness has seen of each log, in a SQLite file of its own.

Comparing a request with what was seen, writing what is now seen and signing that are one step, under the file's write
lock: of two requests at once, from threads or processes, the second is compared with the first's outcome. Otherwise a
slow request for a smaller tree could undo a larger one that was signed meanwhile.

Whoever loses this file must give the key up too: a witness that has forgotten would sign a second story.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from ledger.errors import StoreError, problem
from ledger.log.add_checkpoint import AddCheckpoint, Answer, Seen, decide
from ledger.log.checkpoint import Checkpoint, VerifierKey, format_vkey, parse_checkpoint, parse_vkey
from ledger.log.cosignature import add_signature_lines

BUSY_SECONDS = 10.0
"""How long one request waits for another."""

_SCHEMA = """
CREATE TABLE log_key (vkey TEXT NOT NULL PRIMARY KEY, origin TEXT NOT NULL) STRICT;
CREATE TABLE seen (
    origin TEXT NOT NULL PRIMARY KEY,
    tree_size INTEGER NOT NULL,
    root BLOB NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE TRIGGER seen_never_shrinks BEFORE UPDATE ON seen
WHEN NEW.tree_size < OLD.tree_size OR NEW.origin <> OLD.origin
BEGIN SELECT RAISE(ABORT, 'a witness never goes back to a smaller tree'); END;
CREATE TRIGGER seen_never_forgets BEFORE DELETE ON seen
BEGIN SELECT RAISE(ABORT, 'a witness never forgets a log'); END;
"""


class WitnessStore:
    """The file. Each call opens it anew, so threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the file, for its owner's eyes only. Raises: StoreError if there is one already."""
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except OSError as error:
            raise _unavailable(self.path, error) from error
        with self._connect() as connection:
            connection.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {_SCHEMA} COMMIT;")

    def add_log_key(self, vkey: VerifierKey) -> bool:
        """Trust this key for its log. Returns: whether that is new."""
        with self._writing() as connection:
            cursor = connection.execute(
                "INSERT INTO log_key (vkey, origin) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (format_vkey(vkey.origin, vkey.public_key), vkey.origin),
            )
            return cursor.rowcount == 1

    def log_keys(self) -> list[str]:
        """The verifier keys trusted, by origin."""
        with self._connect() as connection:
            return [row[0] for row in connection.execute("SELECT vkey FROM log_key ORDER BY origin, vkey")]

    def seen(self, origin: str) -> Seen | None:
        """What was seen of the log last, None for nothing."""
        with self._connect() as connection:
            return _read_seen(connection, origin)

    def all_seen(self) -> dict[str, Seen]:
        """What was seen last, by origin of the log."""
        with self._connect() as connection:
            rows = connection.execute("SELECT origin, tree_size, root, note FROM seen ORDER BY origin")
            return {row[0]: Seen(*row[1:]) for row in rows}

    def add_checkpoint(
        self, request: AddCheckpoint, cosign: Callable[[Checkpoint], str]
    ) -> tuple[Answer, Seen | None, str]:
        """Decide, and if the checkpoint is to be cosigned, keep it and sign it: all of that or nothing.

        cosign: gives the line for a checkpoint; called under the write lock, so that times rise with sizes.
        Returns: the answer, what had been seen before, and the line, which is empty unless the answer is to cosign. It
        was written durably before it is returned.
        Raises: StoreError if the file cannot be read or written, MalformedProofError if the note is none. Nothing is
        signed then.
        """
        checkpoint, _ = parse_checkpoint(request.note)
        with self._writing() as connection:
            keys = connection.execute("SELECT vkey FROM log_key WHERE origin = ?", (checkpoint.origin,))
            vkeys = [parse_vkey(row[0]) for row in keys]
            before = _read_seen(connection, checkpoint.origin)
            answer = decide(before, vkeys, request)
            if answer.now_seen is None:
                return answer, before, ""
            line = cosign(checkpoint)
            now_seen = replace(answer.now_seen, note=add_signature_lines(answer.now_seen.note, [line]))
            connection.execute(
                "INSERT INTO seen (origin, tree_size, root, note) VALUES (?, ?, ?, ?) ON CONFLICT (origin)"
                " DO UPDATE SET tree_size = excluded.tree_size, root = excluded.root, note = excluded.note",
                (checkpoint.origin, now_seen.tree_size, now_seen.root, now_seen.note),
            )
        return answer, before, line

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The file's only writer from the first read on; committed and synced at the end, or rolled back."""
        with self._connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        try:
            # mode=rw: a file that has gone is not made anew, empty.
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
            )
            with closing(connection):
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA recursive_triggers = ON")  # so that REPLACE meets the trigger against DELETE
                yield connection
        except sqlite3.Error as error:
            raise _unavailable(self.path, error) from error


def _read_seen(connection: sqlite3.Connection, origin: str) -> Seen | None:
    row = connection.execute("SELECT tree_size, root, note FROM seen WHERE origin = ?", (origin,)).fetchone()
    return None if row is None else Seen(*row)


def _unavailable(path: Path, error: Exception) -> StoreError:
    return StoreError(
        problem(
            "",
            f"{path.name}: {error}",
            "a witness's file that can be read and written",
            "Make a witness with `magnet-ledger witness init`; never put an old copy of this file back.",
        )
    )
