"""The entries about keys, read by their type."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select
from sqlmodel import col

from ledger.store.tables import EntryRow


def key_entry_data(connection: Connection, origin: str, types: Sequence[str]) -> list[bytes]:
    """Exact bytes of the entries of these types, in order. What their rows say is not compared with them."""
    # Sorted here: asked for them in order, SQLite would rather walk through the whole log than use the index of types.
    query = select(col(EntryRow.seq), col(EntryRow.data)).where(
        col(EntryRow.origin) == origin, col(EntryRow.entry_type).in_(types)
    )
    rows = sorted((seq, bytes(data)) for seq, data in connection.execute(query))
    return [data for _seq, data in rows]
