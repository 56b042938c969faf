"""Entries to be logged, read from JSON lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from ledger.errors import InputError, LedgerError, Problem, problem
from ledger.log.canonical import parse_json
from ledger.material.fields import Part, parse_body
from ledger.service.append import Appended, Draft, append_entries
from ledger.service.campaigns import MADE_BY_COMMANDS
from ledger.service.context import Actor, Ledger


class EntryLine(Part):
    """One line of a file of entries.

    type, body: of the entry. private: values that stay out of the log. id: statement id (UUID of version 7), with which
    the line can be sent again safely. client_id: an id of the sender's own for the same, 1 to 128 visible ASCII
    characters.
    """

    type: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
    body: dict[str, Any]
    private: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], str] = Field(default_factory=dict)
    id: str | None = None
    client_id: str | None = None


def parse_drafts(data: bytes) -> tuple[list[Draft], list[int]]:
    """The drafts that the lines of `data` spell, and the number of each line; empty lines are passed over.

    Raises: InputError with the problems of every bad line; their fields begin with the line's number, "/line 3/body".
    """
    drafts: list[Draft] = []
    numbers: list[int] = []
    problems: list[Problem] = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = parse_body(EntryLine, parse_json(line))
            if entry.type in MADE_BY_COMMANDS:
                raise InputError(problem("/type", entry.type, "an entry of the plant", MADE_BY_COMMANDS[entry.type]))
        except InputError as error:
            problems.extend(replace(item, field=f"/line {number}{item.field}") for item in error.problems)
        else:
            numbers.append(number)
            drafts.append(_draft_of(entry))
    if problems:
        raise InputError(*problems)
    return drafts, numbers


def _draft_of(entry: EntryLine) -> Draft:
    return Draft(entry.type, entry.body, dict(entry.private), statement_id=entry.id, client_id=entry.client_id)


def append_lines(ledger: Ledger, data: bytes, actor: Actor) -> list[Appended]:
    """Append the entries that the lines of `data` spell, in one transaction.

    Raises: as `append_entries`; fields begin with the line's number, "/line 3/body/mass_kg".
    """
    drafts, numbers = parse_drafts(data)
    if not drafts:
        raise InputError(problem("", "no lines", "at least one line", "Write one entry a line."))
    try:
        return append_entries(ledger, drafts, actor, listed=True)
    except LedgerError as error:
        raise type(error)(*(_on_line(item, numbers) for item in error.problems)) from error


def _on_line(item: Problem, numbers: list[int]) -> Problem:
    _, index, *rest = item.field.split("/", 2)
    if not index.isdigit():
        return item
    field = "/".join([f"/line {numbers[int(index)]}", *rest])
    return replace(item, field=field.replace("/statement_id", "/id"))
