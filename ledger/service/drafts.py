"""Entries to be logged, read from JSON lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from ledger.errors import InputError, Problem
from ledger.log.canonical import parse_json
from ledger.material.fields import Part, parse_body
from ledger.service.append import Draft


class EntryLine(Part):
    """One line of a file of entries.

    type, body: of the entry. private: values that stay out of the log. id: statement id (UUID of version 7), with which
    the line can be sent again safely.
    """

    type: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
    body: dict[str, Any]
    private: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], str] = Field(default_factory=dict)
    id: str | None = None


def parse_drafts(data: bytes) -> list[Draft]:
    """The drafts that the lines of `data` spell; empty lines are passed over.

    Raises: InputError with the problems of every bad line; their fields begin with the line's number, "/line 3/body".
    """
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = parse_body(EntryLine, parse_json(line))
        except InputError as error:
            problems.extend(replace(item, field=f"/line {number}{item.field}") for item in error.problems)
        else:
            drafts.append(Draft(entry.type, entry.body, dict(entry.private), statement_id=entry.id))
    if problems:
        raise InputError(*problems)
    return drafts
