"""Logging one entry through a door: the same for a form and for a program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from api.services import Services
from ledger.errors import InputError, problem
from ledger.service.append import Appended, Draft, append_entries

_UUID_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def is_statement_id(text: str) -> bool:
    """Whether `text` can be a statement's id: a UUID of version 7 in lower case."""
    return _UUID_V7.fullmatch(text) is not None


def log_entry(services: Services, entry_type: str, body: Mapping[str, Any], statement_id: str) -> Appended:
    """Append one entry, signed by this server's actor. What is returned is durable.

    statement_id: UUID of version 7 that the sender made, so that sending again logs once.
    Raises: InputError, RuleError (or a kind of it) or ConflictError, each with every problem found; StoreError.
    """
    if not is_statement_id(statement_id):
        # Before anything is looked up by it.
        raise InputError(problem("/statement_id", statement_id, "a UUID of version 7", "Open the form anew."))
    draft = Draft(entry_type, body, statement_id=statement_id)
    (appended,) = append_entries(services.ledger, [draft], services.actor)
    return appended
