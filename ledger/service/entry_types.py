"""All types of entry by name: to the log a body is bytes, here it gets its meaning."""

from __future__ import annotations

from ledger.carbon.factors import CARBON_ENTRIES
from ledger.errors import InputError, problem
from ledger.material.entries import MATERIAL_ENTRIES
from ledger.material.fields import Body, parse_body
from ledger.material.private import PRIVATE_ENTRIES

ENTRY_TYPES: dict[str, type[Body]] = {**MATERIAL_ENTRIES, **CARBON_ENTRIES, **PRIVATE_ENTRIES}


def body_type_of(entry_type: str) -> type[Body]:
    """The type of the bodies of such entries. Raises: InputError at "/type" if there is no such type of entry."""
    body_type = ENTRY_TYPES.get(entry_type)
    if body_type is None:
        raise InputError(
            problem("/type", entry_type, f"one of {', '.join(sorted(ENTRY_TYPES))}", "Correct the entry's type.")
        )
    return body_type


def parse_entry_body(entry_type: str, value: object) -> Body:
    """The body of an entry of `entry_type` from JSON data.

    Raises: InputError naming every field that is wrong, or "/type" if there is no such type.
    """
    return parse_body(body_type_of(entry_type), value)
