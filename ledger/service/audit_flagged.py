"""Entries that are whole and signed, and yet may be by somebody else: their key was revoked as compromised by then.

So may those of keys that such a key has registered since.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection

from ledger.errors import LedgerError, MalformedProofError
from ledger.log.envelope import parse_envelope
from ledger.material.keys import Keys
from ledger.report import Check, not_checked
from ledger.service.log_keys import with_heirs
from ledger.store import repository

FLAGGED = "compromised-keys"

MOST_NAMED = 50
"""Entries that the check names one by one."""


def flagged_entries(connection: Connection, origin: str, keys: Keys) -> Check | None:
    """A check that could not be made: who signed these entries. None if no key was revoked as compromised.

    keys: as all entries leave them. That the log holds does not hang on it.
    """
    with suppress(LedgerError):  # an entry that registers a key is damaged: a finding elsewhere
        keys = with_heirs(connection, origin, keys)
    suspect = {kid: key for kid, key in keys.actors.items() if key.compromised_from_seq is not None}
    if not suspect:
        return None
    start = min(key.compromised_from_seq or 0 for key in suspect.values())
    ends = [key.until_seq for key in suspect.values()]
    end = None if None in ends else max(seq for seq in ends if seq is not None) + 1
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
    why = (
        f"entries {named} are signed with a key that was revoked as compromised by then, or that such a key has "
        "registered since: who made them cannot be told"
    )
    return not_checked(FLAGGED, why, required=False)
