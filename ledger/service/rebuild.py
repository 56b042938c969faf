"""Making the derived tables anew."""

from __future__ import annotations

from sqlalchemy import Engine

from ledger.material.batch import fold_plant
from ledger.service.context import Ledger
from ledger.service.state import parse_stored
from ledger.store import projection, repository
from ledger.store.content_rows import rebuild_contents
from ledger.store.database import write_transaction
from ledger.store.tile_rows import rebuild_tiles, tiles_reach


def rebuild_derived(ledger: Ledger) -> int:
    """Make every derived table anew from the entries, in one transaction. Returns the number of entries.

    Raises: StoreError; VerificationError naming an entry that cannot be read.
    """
    with write_transaction(ledger.engine) as connection:
        head = repository.read_head(connection, ledger.origin, lock=True)
        bodies = [parse_stored(entry) for entry in repository.entries_from(connection, ledger.origin, 0)]
        projection.rebuild(connection, ledger.origin, fold_plant(bodies, ledger.masses))
        rebuild_tiles(connection, ledger.origin, head.tree_size)
        rebuild_contents(connection)
    return head.tree_size


def complete_derived(engine: Engine) -> None:
    """Make the tiles and contents of logs that were written by a version without them; of others, look only.

    Raises: StoreError; BrokenLinkError if a head row is damaged.
    """
    with write_transaction(engine) as connection:
        origins = repository.list_origins(connection)
        heads = [repository.read_head(connection, origin, lock=True) for origin in origins]
        for head in heads:
            if not tiles_reach(connection, head.origin, head.tree_size):
                rebuild_tiles(connection, head.origin, head.tree_size)
        if any(head.content_size < head.tree_size for head in heads):
            rebuild_contents(connection)
