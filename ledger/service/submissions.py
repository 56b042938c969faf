"""What is handed in to be appended: drafts that are signed here, statements signed elsewhere; and the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import Problem
from ledger.log.canonical import Json
from ledger.log.signed import CheckedStatement
from ledger.service.context import Actor

Progress = Callable[[int, int], None]
"""Called with the number of items done and of all."""


@dataclass(frozen=True)
class Draft:
    """An entry as somebody wants it.

    entry_type: one of ledger.service.entry_types.ENTRY_TYPES.
    body: JSON data.
    private: values that stay out of the log, by name; only salted commitments to them enter it.
    at: when it was stated, RFC 3339 UTC with microseconds; the time of receipt if None.
    statement_id: UUID of version 7; a new one if None.
    client_id: the sender's own id for it, 1 to 128 visible ASCII characters, with which the same draft can be sent
    again safely, also years later; None: statement_id serves.
    """

    entry_type: str
    body: Mapping[str, Any]
    private: Mapping[str, Json] = field(default_factory=dict, repr=False)
    at: str | None = None
    statement_id: str | None = None
    client_id: str | None = None

    @property
    def key(self) -> str | None:
        """The id with which it can be sent again; None where there is none."""
        return self.statement_id if self.client_id is None else self.client_id


@dataclass(frozen=True)
class ForeignStatement:
    """A statement signed elsewhere, on its way in.

    verified_with: the key that its signature was verified with; None if the log knew no such key by then.
    """

    checked: CheckedStatement
    verified_with: Ed25519PublicKey | None

    @property
    def key(self) -> str:
        """The id with which it can be sent again."""
        return self.checked.key


@dataclass(frozen=True)
class Submission:
    """What is to be appended together or not at all.

    items: in order. actor: who signs the drafts among them. tenant: who sends it, "" where nobody needs to be told
    apart; an id means something only beside its tenant.
    listed: whether the fields of problems are JSON pointers into the list ("/3/body/mass_kg") or, for a single item,
    into its body ("/mass_kg").
    expected_tree_size: append only if the log has just this many entries, for items that rest on its state.
    progress: called with the number of items checked and of all.
    """

    items: Sequence[Draft | ForeignStatement]
    actor: Actor | None
    tenant: str = ""
    listed: bool = False
    expected_tree_size: int | None = None
    progress: Progress | None = None

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Appended:
    """An entry that is in the log.

    leaf_hash: in hex. warnings: what was accepted but looks odd, such as a content that an earlier entry has; none for
    a repeated one. repeated: the entry was there before, under the same key.
    """

    seq: int
    leaf_hash: str
    statement_id: str
    entry_type: str
    warnings: list[Problem]
    repeated: bool
