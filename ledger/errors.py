"""What can go wrong, sorted by whose fault it is.

Every error holds values, not only text, and says the next step. The doors (`api/errors.py`, `api/cli`) turn
types into HTTP statuses and exit codes; nothing in the domain knows of either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """One thing wrong with an input.

    field: JSON pointer into the input, for example "/inputs/0/mass_kg"; "" is the input as a whole.
    value: what was given, as text, shortened to 80 characters.
    expected: what would have been accepted.
    next_step: what the person can do about it.
    """

    field: str
    value: str
    expected: str
    next_step: str

    def __str__(self) -> str:
        where = self.field or "input"
        return f"{where}: got {self.value}; expected {self.expected}. {self.next_step}"


def shown(value: object) -> str:
    """`value` as it appears in a `Problem`: its repr, at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


class LedgerError(Exception):
    """Base of all errors that the ledger raises on purpose.

    slug: stable name of the error's kind, for programs.
    problems: what is wrong, one item each; never empty.
    """

    slug = "ledger-error"

    def __init__(self, *problems: Problem) -> None:
        if not problems:
            raise ValueError("a LedgerError needs at least one Problem")
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))

    def to_value(self) -> dict[str, object]:
        """The error as JSON data."""
        return {"error": self.slug, "problems": [asdict(problem) for problem in self.problems]}


def problem(field: str, value: object, expected: str, next_step: str) -> Problem:
    """A `Problem` about `value`, whatever its type."""
    return Problem(field, shown(value), expected, next_step)


class InputError(LedgerError):
    """Bad shape, unit or range: the sender's fault."""

    slug = "bad-input"


class RuleError(LedgerError):
    """Well-formed, but against a rule of the plant or the ledger."""

    slug = "against-a-rule"


class UnknownIdError(RuleError):
    """A batch, party, site, entry or certificate that does not exist."""

    slug = "unknown-id"


class DuplicateIdError(RuleError):
    """An identity that exists already."""

    slug = "duplicate-id"


class OverdrawnError(RuleError):
    """More consumed than there is."""

    slug = "overdrawn"


class MassBalanceError(RuleError):
    """A product holds more of an element than its inputs."""

    slug = "mass-balance"


class MissingFactorError(RuleError):
    """An activity without an adopted emission factor."""

    slug = "missing-factor"


class VerificationError(LedgerError):
    """A check of hashes, signatures or proofs failed."""

    slug = "verification-failed"


class BadSignatureError(VerificationError):
    """A signature does not match its key and bytes."""

    slug = "bad-signature"


class BrokenLinkError(VerificationError):
    """An entry does not name the hash of the one before it, or its place is wrong."""

    slug = "broken-link"


class RootMismatchError(VerificationError):
    """A computed tree root differs from the one stated."""

    slug = "root-mismatch"


class MalformedProofError(VerificationError):
    """A proof, note or entry that is not in its form."""

    slug = "malformed-proof"


class StoreError(LedgerError):
    """The store could not do it: head moved, database or key unavailable."""

    slug = "store-unavailable"


class ConflictError(StoreError):
    """The same idempotency key with another content, or a head that moved."""

    slug = "conflict"


def error_from_value(value: Mapping[str, Any]) -> LedgerError:
    """The error that `to_value` wrote down; a LedgerError of no special kind, where this program knows no such kind."""
    kinds = {kind.slug: kind for kind in _kinds(LedgerError)}
    return kinds.get(value["error"], LedgerError)(*(Problem(**item) for item in value["problems"]))


def _kinds(base: type[LedgerError]) -> Iterator[type[LedgerError]]:
    yield base
    for kind in base.__subclasses__():
        yield from _kinds(kind)
