"""Reading private values: what is kept, and not what an erasure entry of the log takes away.

An erased value can still be there: the erasure was cut short, or database and vault were put back from before it. The
log has the say then; `log verify` and `private erase --resume` see to the rest.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from ledger.service.context import Ledger
from ledger.service.private_audit import erasures_of
from ledger.store.private_rows import read_private
from ledger.store.vault import PrivateField


def kept_values(ledger: Ledger, connection: Connection, seqs: Collection[int]) -> dict[tuple[int, str], PrivateField]:
    """The private values of these entries by sequence number and field, without those that were erased.

    Raises: VerificationError if one is not what was stored; StoreError if the vault cannot be read.
    """
    found = read_private(connection, ledger.vault, ledger.origin, seqs)
    if not found:
        return found
    erasures = erasures_of(connection, ledger.origin)
    return {place: one for place, one in found.items() if erasures.erased_by(one.seq, one.field, one.scope) is None}
