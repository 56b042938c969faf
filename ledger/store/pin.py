"""The pin: the last checkpoint that was signed, kept in a file outside the database.

Whoever can rewrite the database cannot rewrite it with the same stroke; so a log that was cut, restored from an older
backup or rewritten is seen when it no longer begins with the pinned tree. The pin moves by compare-and-swap: of two
publishers that start from the same pin, in one process or in two, one moves it and the other is told.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import ConflictError, Problem, RootMismatchError, StoreError, VerificationError
from ledger.log.checkpoint import MAX_NOTE_CHARS, Checkpoint

LOCK_SECONDS = 30
"""How long to wait for another holder of the pin's lock, who needs it for one small file."""

_RETRY_SECONDS = 0.005


def read_pin(path: Path) -> str | None:
    """The pinned note, None if nothing was pinned yet. Raises: StoreError if the file cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return file.read(MAX_NOTE_CHARS + 1)
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            Problem("/pins_dir", f"{path}: {error}", "a readable checkpoint", "Put the pin back from a backup.")
        ) from error


def swap_pin(path: Path, expected_note: str | None, new_note: str) -> None:
    """Pin new_note, if the pin is still expected_note (None: if there is none): wholly and durably, or not at all.

    Under a lock on a file beside it, for the pins of other processes too.
    Raises: ConflictError if another note is pinned, which is then left as it is; StoreError if the pin cannot be read
    or written, or its lock is held too long.
    """
    with _locked(path):
        pinned = read_pin(path)
        if pinned != expected_note:
            raise ConflictError(
                Problem(
                    "/pin",
                    "no pin" if pinned is None else pinned,
                    "no pin" if expected_note is None else expected_note,
                    "Somebody else has signed meanwhile: read the pin and the log again.",
                )
            )
        write_pin(path, new_note)


def write_pin(path: Path, note: str) -> None:
    """Put `note` in place of whatever is pinned: wholly and durably, or not at all. Raises: StoreError.

    For putting a pin back from a backup; who signs uses swap_pin.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, note.encode("utf-8"))
    except OSError as error:
        raise StoreError(
            Problem("/pins_dir", f"{path}: {error}", "a file that can be written", "Give the pin a place with room.")
        ) from error


def write_file(path: Path, data: bytes) -> None:
    """Put a file with these bytes in place of what is there: wholly and durably, or not at all. Raises: OSError.

    The caller sees to it that no two write the same file at once. A link that somebody who may write in the folder has
    put in the way is not followed.
    """
    temporary = path.with_name(path.name + ".new")
    with open(temporary, "wb", opener=_open_no_link) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)  # less what the umask takes, as by open()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of the pin at `path`. The system drops it when its holder dies, so nothing is left to clean up."""
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock_path, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StoreError(
            Problem("/pins_dir", f"{lock_path}: {error}", "a file that can be written", "Check the folder's rights.")
        ) from error
    try:
        _wait_for_lock(descriptor, lock_path)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, lock_path: Path) -> None:
    for _ in range(int(LOCK_SECONDS / _RETRY_SECONDS)):
        try:
            # On the open file, not on the process: threads keep each other out as well.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_RETRY_SECONDS)
        except OSError as error:
            found = f"{lock_path}: {error}"
            raise StoreError(Problem("/pins_dir", found, "a lock", "Put the pins on a local disk.")) from error
        else:
            return
    raise StoreError(
        Problem(
            "/pins_dir",
            f"{lock_path} held by another process",
            f"its release within {LOCK_SECONDS} s",
            "See which process hangs, end it, and try again.",
        )
    )


def check_begins_with(pinned: Checkpoint, tree_size: int, root_of: Callable[[int], bytes], what: str) -> None:
    """That a log begins with the pinned tree. what: name of the log, for the error.

    tree_size: its size. root_of: its root at a size up to that.
    Raises: VerificationError if it is shorter (entries were lost or cut off), RootMismatchError if it is another log
    (history was rewritten); both hold the two states as evidence.
    """
    stated = f"tree size {pinned.tree_size}, root {pinned.root.hex()} (pinned checkpoint)"
    if tree_size < pinned.tree_size:
        found = f"{what}: tree size {tree_size}, root {root_of(tree_size).hex()}"
        raise VerificationError(
            Problem(
                "/tree_size",
                found,
                f"a log of at least {stated}: entries {tree_size} to {pinned.tree_size - 1} are missing",
                "Keep the pin as evidence; restore a backup that holds those entries.",
            )
        )
    root = root_of(pinned.tree_size)
    if root != pinned.root:
        found = f"{what}: root {root.hex()} at tree size {pinned.tree_size}"
        raise RootMismatchError(
            Problem(
                "/root",
                found,
                stated,
                "An entry before that size was changed after it was signed: keep both as evidence, run `log verify`.",
            )
        )
