"""Corrections: one value of an earlier entry replaced, the entry itself staying in the log as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.errors import InputError, RuleError, UnknownIdError, problem
from ledger.material.entries import (
    Assay,
    Blend,
    Correction,
    Pack,
    Party,
    Receipt,
    Settlement,
    Ship,
    Site,
    Split,
    Step,
)
from ledger.material.fields import Body, parse_body

_CORRECTABLE = (Party, Site, Receipt, Assay, Settlement, Step, Split, Blend, Pack, Ship)


def corrected_body(bodies: Mapping[int, tuple[str, Body]], correction: Correction) -> Body:
    """The body that `correction` mends, with the new value in place.

    bodies: the entries before it, with earlier corrections applied.
    Raises: UnknownIdError if there is no such entry; RuleError if its kind or that field cannot be corrected, or the
    value is not `old`; InputError if the body would not be valid. Whether the history still holds with it is for the
    caller.
    """
    _, body = _entry(bodies, correction)
    _check_field(correction)
    value = body.to_value()
    holder, key = _find(value, correction)
    present = holder[key]
    text = str(present) if isinstance(present, int) and not isinstance(present, bool) else present
    if not isinstance(text, str):
        raise RuleError(
            problem(
                "/pointer",
                correction.pointer,
                f"the pointer of a single value in entry {correction.corrects_seq}",
                "Point at the text or number itself.",
            )
        )
    if correction.old != text:
        raise RuleError(
            problem(
                "/old",
                correction.old,
                f"{text!r}, the value that stands at {correction.pointer} of entry {correction.corrects_seq}",
                "Look the value up again; it may have been corrected already.",
            )
        )
    if correction.new == correction.old:
        raise RuleError(problem("/new", correction.new, "another value than the old one", "State the right value."))
    if isinstance(present, int):
        if not correction.new.isdecimal():
            raise InputError(problem("/new", correction.new, "a whole number", "Correct the value."))
        holder[key] = int(correction.new)
    else:
        holder[key] = correction.new
    try:
        return parse_body(type(body), value)
    except InputError as error:
        expected = "; ".join(f"{item.expected} at {item.field or 'the entry'}" for item in error.problems)
        raise InputError(problem("/new", correction.new, expected, "Correct the value and send it again.")) from error


def _entry(bodies: Mapping[int, tuple[str, Body]], correction: Correction) -> tuple[str, Body]:
    entry = bodies.get(correction.corrects_seq)
    if entry is None:
        raise UnknownIdError(
            problem(
                "/corrects_seq",
                correction.corrects_seq,
                "the sequence number of an earlier entry about material",
                "Look up the entry's number.",
            )
        )
    if not isinstance(entry[1], _CORRECTABLE):
        raise RuleError(
            problem(
                "/corrects_seq",
                correction.corrects_seq,
                f"an entry that can be corrected; number {correction.corrects_seq} is of type {entry[0]}",
                "Correct the entry itself; a certificate is superseded or revoked, a correction corrected by another "
                "one of the same value.",
            )
        )
    return entry


def _check_field(correction: Correction) -> None:
    """Identities, species and the version say what the entry is about: another of them makes it another entry."""
    name = correction.pointer.rsplit("/", 1)[-1]
    if name in ("schema", "species") or name.endswith("_id"):
        raise RuleError(
            problem(
                "/pointer",
                correction.pointer,
                "a measured or stated value; ids, schema and species cannot be corrected",
                "Log a new entry with the right identity.",
            )
        )


def _find(value: dict[str, Any], correction: Correction) -> tuple[Any, Any]:
    """The object or list that holds the value, and its key there."""
    holder: Any = None
    key: Any = None
    found: Any = value
    for token in correction.pointer.split("/")[1:]:
        holder = found
        if not isinstance(holder, dict | list):
            holder = {}
        key = int(token) if isinstance(holder, list) and token.isdecimal() else token
        within = key in holder if isinstance(holder, dict) else isinstance(key, int) and key < len(holder)
        if not within:
            raise RuleError(
                problem(
                    "/pointer",
                    correction.pointer,
                    f"the JSON pointer of a value that entry {correction.corrects_seq} has; {token!r} is not there",
                    "Look up the entry, for example /activity/0/amount.",
                )
            )
        found = holder[key]
    return holder, key
