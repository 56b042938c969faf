"""What was verified last: a checkpoint and when, in a file beside the pin, outside the database.

Whoever can write there can write the pin: both are trusted as much as the folder that they lie in.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import InputError, MalformedProofError, StoreError, problem
from ledger.log.canonical import canonical_bytes, parse_canonical
from ledger.log.checkpoint import MAX_NOTE_CHARS, parse_checkpoint
from ledger.log.forms import check_members, check_version, parse_time
from ledger.store.pin import write_file

VERIFIED_VERSION = 1
MAX_BYTES = 16 * MAX_NOTE_CHARS

_KEYS = frozenset({"v", "note", "at", "key_entries"})


@dataclass(frozen=True)
class Verified:
    """That all entries under a checkpoint were verified. note: the checkpoint. at: when, text as in entries.

    key_entries: numbers of the entries about keys among them, rising, all below the tree size: what later entries are
    signed with. They are kept here because the database could leave one out.
    Raises: InputError, MalformedProofError where a field is not of its form.
    """

    note: str
    at: str
    key_entries: tuple[int, ...]

    def __post_init__(self) -> None:
        parse_time(self.at, "/at")
        numbers = (-1, *self.key_entries, self.tree_size)
        if any(type(one) is not int for one in numbers) or any(
            one >= other for one, other in itertools.pairwise(numbers)
        ):
            expected = f"rising numbers below {self.tree_size}"
            raise InputError(problem("/key_entries", list(self.key_entries), expected, "Verify the log in full again."))

    @property
    def tree_size(self) -> int:
        """Number of entries that were verified."""
        return parse_checkpoint(self.note)[0].tree_size


def verified_path(pin_path: Path) -> Path:
    """Where it is kept: the pin's name with .verified after it."""
    return pin_path.with_name(pin_path.name + ".verified")


def read_verified(path: Path) -> Verified | None:
    """What was kept, None if nothing was. Raises: StoreError if the file cannot be read or is not of its form."""
    try:
        with path.open("rb") as file:
            members = check_members(parse_canonical(file.read(MAX_BYTES)), _KEYS)
        check_version(members["v"], VERIFIED_VERSION)
        if not isinstance(members["note"], str) or not isinstance(members["key_entries"], list):
            raise InputError(problem("", members, "a note and a list of numbers", "Verify the log in full again."))
        return Verified(members["note"], members["at"], tuple(members["key_entries"]))
    except FileNotFoundError:
        return None
    except (OSError, InputError, MalformedProofError) as error:
        next_step = "Verify the log in full: `magnet-ledger log verify --full`."
        raise StoreError(problem("/pins_dir", f"{path}: {error}", "what was verified last", next_step)) from error


def write_verified(path: Path, verified: Verified) -> None:
    """Keep it in place of what was kept: wholly and durably, or not at all. Raises: StoreError."""
    value = {
        "v": VERIFIED_VERSION,
        "note": verified.note,
        "at": verified.at,
        "key_entries": list(verified.key_entries),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, canonical_bytes(value))
    except OSError as error:
        raise StoreError(
            problem("/pins_dir", f"{path}: {error}", "a file that can be written", "Give the pin a place with room.")
        ) from error
