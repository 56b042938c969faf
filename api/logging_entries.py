"""Logging one entry through a door: the same for a form and for a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.services import Services
from ledger.service.append import Appended, Draft, append_entries


def log_entry(services: Services, entry_type: str, body: Mapping[str, Any], statement_id: str) -> Appended:
    """Append one entry, signed by this server's actor. What is returned is durable.

    statement_id: UUID of version 7 that the sender made, so that sending again logs once.
    Raises: InputError, RuleError (or a kind of it) or ConflictError, each with every problem found; StoreError.
    """
    draft = Draft(entry_type, body, statement_id=statement_id)
    (appended,) = append_entries(services.ledger, [draft], services.actor)
    return appended
