"""The pin: the last checkpoint that was signed, kept in a file outside the database.

Whoever can rewrite the database cannot rewrite it with the same stroke; so a log that was cut, restored from an older
backup or rewritten is seen when it no longer begins with the pinned tree.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import Problem, RootMismatchError, StoreError, VerificationError, problem
from ledger.log.checkpoint import Checkpoint
from ledger.log.merkle import root_hash


def read_pin(path: Path) -> str | None:
    """The pinned note, None if nothing was pinned yet. Raises: StoreError if the file cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(
            problem("/pins_dir", f"{path}: {error}", "a readable checkpoint", "Put the pin back from a backup.")
        ) from error


def write_pin(path: Path, note: str) -> None:
    """Put `note` in place of the pinned one: wholly and durably, or not at all. Raises: StoreError."""
    temporary = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreError(
            problem("/pins_dir", f"{path}: {error}", "a file that can be written", "Give the pin a place with room.")
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_begins_with(pinned: Checkpoint, leaf_hashes: Sequence[bytes], what: str) -> None:
    """That the log with these leaf hashes begins with the pinned tree. what: name of that log, for the error.

    Raises: VerificationError if it is shorter (entries were lost or cut off), RootMismatchError if it is another log
    (history was rewritten); both hold the two states as evidence.
    """
    stated = f"tree size {pinned.tree_size}, root {pinned.root.hex()} (pinned checkpoint)"
    if len(leaf_hashes) < pinned.tree_size:
        found = f"{what}: tree size {len(leaf_hashes)}, root {root_hash(leaf_hashes).hex()}"
        raise VerificationError(
            Problem(
                "/tree_size",
                found,
                f"a log of at least {stated}: entries {len(leaf_hashes)} to {pinned.tree_size - 1} are missing",
                "Keep the pin as evidence; restore a backup that holds those entries.",
            )
        )
    root = root_hash(leaf_hashes[: pinned.tree_size])
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
