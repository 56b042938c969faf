"""The log as a folder of files that any static server or object store can serve (C2SP tlog-tiles).

`checkpoint`, `tile/<level>/<index>`, `tile/entries/<index>`. Every file but the checkpoint is written once and never
changes. A file appears under its name whole and durable or not at all; a crash leaves at most a `.new` file that the
next writing replaces. The checkpoint comes last: what it covers is there before it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import Problem, RootMismatchError, StoreError, problem
from ledger.log.checkpoint import MAX_NOTE_CHARS
from ledger.log.tiles import MAX_BUNDLE_BYTES, TileName, path_of
from ledger.store.pin import sync_folder, write_file

CHECKPOINT = "checkpoint"
MAX_NOTE_BYTES = 4 * MAX_NOTE_CHARS
_LOCK = ".lock"


class TileFolder:
    """Writes the files. path: the folder, which is made if absent. Errors of the file system are StoreErrors."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one to write while the block lasts. Raises: StoreError if somebody else is writing."""
        with _store_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                found = f"{self.path} is being written by another process"
                raise StoreError(
                    Problem("/tiles_dir", found, "one publisher", "Try again, or stop the other.")
                ) from error
            yield
        finally:
            os.close(descriptor)

    def checkpoint(self) -> str | None:
        """The published note, None if none is. Raises: StoreError if it cannot be read."""
        path = self.path / CHECKPOINT
        data = self._read(path, MAX_NOTE_BYTES)
        try:
            return None if data is None else data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise StoreError(problem("/tiles_dir", str(path), "a note in UTF-8", "Move the file away.")) from error

    def has(self, name: TileName) -> bool:
        """Whether the file of this tile or bundle is there."""
        return (self.path / path_of(name)).exists()

    def write(self, name: TileName, data: bytes) -> None:
        """Write a tile or bundle; once it is full, drop the partial ones that it makes needless.

        Raises: RootMismatchError if it is there already with other content, which is left as it is.
        """
        path = self.path / path_of(name)
        there = self._read(path, MAX_BUNDLE_BYTES)
        if there is None:
            with _store_errors(path):
                self._make_folder(path.parent)
                write_file(path, data)
        elif there != data:
            found, expected = hashlib.sha256(there).hexdigest(), hashlib.sha256(data).hexdigest()
            raise RootMismatchError(
                Problem(
                    "/tiles_dir",
                    f"{path} with SHA-256 {found}",
                    f"SHA-256 {expected}, by the log",
                    "A published file never changes: find out which was changed, keep both, then move this one away.",
                )
            )
        if name.is_full:
            with _store_errors(path):
                partials = path.with_name(path.name + ".p")
                if partials.exists():
                    shutil.rmtree(partials)

    def write_checkpoint(self, note: str) -> None:
        """Publish the note. Everything that it covers must have been written."""
        with _store_errors(self.path):
            write_file(self.path / CHECKPOINT, note.encode("utf-8"))

    def _make_folder(self, folder: Path) -> None:
        """Make `folder` and what is missing above it, durably."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)

    def _read(self, path: Path, most_bytes: int) -> bytes | None:
        with _store_errors(path):
            try:
                with path.open("rb") as file:
                    return file.read(most_bytes + 1)
            except FileNotFoundError:
                return None


@contextmanager
def _store_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            Problem("/tiles_dir", f"{path}: {error}", "a folder that can be read and written", "Check rights and room.")
        ) from error
