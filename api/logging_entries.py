"""Logging one entry through a door: the same for a form and for a program."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from api.services import Services
from ledger.log.signed import is_client_id
from ledger.service.accounts import Account
from ledger.service.append import Appended, Draft
from ledger.service.queued import Pending

_UUID_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def is_statement_id(text: str) -> bool:
    """Whether `text` can be a statement's id: a UUID of version 7 in lower case."""
    return _UUID_V7.fullmatch(text) is not None


KEY_POINTERS = ("/statement_id", "/client_id")
"""What an error about a sender's key points at."""

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(r'\\(["\\])')


def parse_key(header: str) -> str | None:
    """The sender's key that an Idempotency-Key header gives, None if there is none in it.

    A quoted string (RFC 9651, 3.3.3), as the header's draft demands, or the same without quotes, as many programs send
    it. A UUID of version 7 means the same in upper and lower case.
    """
    quoted = _QUOTED.fullmatch(header)
    key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else header
    if is_statement_id(key.lower()):
        return key.lower()
    return key if is_client_id(key) else None


def log_entry(
    services: Services, entry_type: str, body: Mapping[str, Any], account: Account, key: str
) -> Appended | Pending:
    """Append one entry, signed by this server's actor. What is returned is durable: the entry or, where many append and
    its place takes time, the number of its submission.

    account: who sends it. key: their own id for it, 1 to 128 visible ASCII characters, so that sending again logs once;
    a UUID of version 7 becomes the statement's id.
    Raises: InputError, RuleError (or a kind of it) or ConflictError, each with every problem found; StoreError.
    """
    draft = (
        Draft(entry_type, body, statement_id=key) if is_statement_id(key) else Draft(entry_type, body, client_id=key)
    )
    return services.appends.append(draft, services.actor, tenant=account.user_id)
