"""Making the derived tables anew."""

from __future__ import annotations

from ledger.material.batch import fold_plant
from ledger.service.context import Ledger
from ledger.service.state import parse_stored
from ledger.store import projection, repository
from ledger.store.database import write_transaction


def rebuild_derived(ledger: Ledger) -> int:
    """Make every derived table anew from the entries, in one transaction. Returns the number of entries.

    Raises: StoreError; VerificationError naming an entry that cannot be read.
    """
    with write_transaction(ledger.engine) as connection:
        head = repository.read_head(connection, ledger.origin, lock=True)
        bodies = [parse_stored(entry) for entry in repository.entries_from(connection, ledger.origin, 0)]
        projection.rebuild(connection, ledger.origin, fold_plant(bodies, ledger.masses))
    return head.tree_size
