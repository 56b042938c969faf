"""Private fields: what each belongs to, and the entry by which some are erased.

A private value is not in the log: its entry holds a commitment (`ledger.log.statement.commitment`). It belongs to a
subject (a batch, a party, ...), whose values are kept under one key and can be erased together. An erasure is an entry
of its own: it names what was erased and why, so that a value that is gone without one is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, StrictInt, StringConstraints, model_validator

from ledger.material.fields import Body, FieldError, Id, Part, Text

PRIVATE_ERASED = "private_erased"
"""Type of the entry that an erasure is."""

MAX_ERASED_ENTRIES = 500
"""Entries that one erasure may name: with long field names, they still fit into an entry."""

Subject = Annotated[str, StringConstraints(pattern=r"^(actor|batch|entry|party|site|step)/[A-Za-z0-9._-]{1,64}$")]
"""What private values belong to: kind and id, for example "batch/IN-2026-001"; see subject_of."""

FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]

_IDENTITIES = (
    ("batch_id", "batch"),
    ("party_id", "party"),
    ("step_id", "step"),
    ("split_id", "step"),
    ("blend_id", "step"),
    ("pack_id", "step"),
    ("site_id", "site"),
    ("actor", "actor"),
)
"""Fields of a body that say what it is about, the first one that it has counts; and the kind of subject."""


def subject_of(body: Mapping[str, Any], seq: int) -> str:
    """The subject that the private values of entry `seq` belong to; the entry itself where its body names none.

    body: as logged; a correction of the entry does not move its private values.
    """
    for name, kind in _IDENTITIES:
        if isinstance(body.get(name), str):
            return f"{kind}/{body[name]}"
    return f"entry/{seq}"


class ErasedFields(Part):
    """Private fields of one entry. seq: its sequence number. fields: their names."""

    seq: Annotated[StrictInt, Field(ge=0)]
    fields: Annotated[tuple[FieldName, ...], Field(min_length=1, max_length=100)]


class PrivateErased(Body):
    """Private values that were erased, and why: all of a subject in the entries before this one, or fields by name.

    requested_by: who asked for it, by pseudonymous id. Nothing in it may say what was erased: it stays for ever.
    """

    subject: Subject | None = None
    entries: Annotated[tuple[ErasedFields, ...], Field(max_length=MAX_ERASED_ENTRIES)] = ()
    reason: Text
    requested_by: Id | None = None

    @model_validator(mode="after")
    def _subject_or_entries(self) -> Self:
        if (self.subject is None) is not bool(self.entries):
            raise FieldError("subject", self.subject, "either subject or entries")
        return self


@dataclass(frozen=True)
class Erasures:
    """What the erasure entries of a log say.

    subjects: subject -> sequence number of the last entry that erases all of it.
    fields: (sequence number, field) -> sequence number of the entry that erases it.
    """

    subjects: Mapping[str, int]
    fields: Mapping[tuple[int, str], int]

    def erased_by(self, seq: int, field: str, subject: str) -> int | None:
        """The entry that erases the private field of entry `seq`, which belongs to `subject`; None if none does."""
        by = self.fields.get((seq, field))
        if by is not None:
            return by
        whole = self.subjects.get(subject, -1)
        return whole if whole > seq else None


def make_erasures(entries: Iterable[tuple[int, PrivateErased]]) -> Erasures:
    """What the erasure entries (sequence number, body; in order) say. None erases what comes after it."""
    subjects: dict[str, int] = {}
    fields: dict[tuple[int, str], int] = {}
    for seq, body in entries:
        if body.subject is not None:
            subjects[body.subject] = seq
        for erased in body.entries:
            if erased.seq < seq:
                fields.update({(erased.seq, name): seq for name in erased.fields})
    return Erasures(subjects, fields)


PRIVATE_ENTRIES: dict[str, type[Body]] = {PRIVATE_ERASED: PrivateErased}
