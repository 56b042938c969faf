"""Entries that are whole and signed, and yet may be by somebody else: their key was revoked as compromised by then."""

from __future__ import annotations

from sqlalchemy import Connection

from ledger.errors import MalformedProofError
from ledger.log.envelope import parse_envelope
from ledger.material.keys import Keys
from ledger.report import Check, not_checked
from ledger.store import repository

FLAGGED = "compromised-keys"

MOST_NAMED = 50
"""Entries that the check names one by one."""


def flagged_entries(connection: Connection, origin: str, keys: Keys) -> Check | None:
    """A check that could not be made: who signed these entries. None if no key was revoked as compromised.

    keys: as all entries leave them. That the log holds does not hang on it.
    """
    suspect = {
        kid: (key.compromised_from_seq, key.until_seq)
        for kid, key in keys.actors.items()
        if key.compromised_from_seq is not None and key.until_seq is not None
    }
    if not suspect:
        return None
    start = min(begin for begin, _ in suspect.values())
    end = max(last for _, last in suspect.values()) + 1
    found = []
    for entry in repository.entries_from(connection, origin, start, end):
        try:
            kid = parse_envelope(entry.data).statement.kid
        except MalformedProofError:
            continue  # a finding elsewhere
        if kid in suspect and keys.is_flagged(entry.seq, kid):
            found.append(entry.seq)
    if not found:
        return None
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    named = ", ".join(map(str, found[:MOST_NAMED])) + more
    why = f"entries {named} are signed with a key that was revoked as compromised by then: who made them cannot be told"
    return not_checked(FLAGGED, why, required=False)
