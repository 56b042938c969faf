"""Tiles computed from the stored leaf hashes: exact, but slow above level 0."""

from __future__ import annotations

from sqlalchemy import Connection, LargeBinary, cast, select
from sqlmodel import col

from ledger.log.merkle import root_hash
from ledger.log.tiles import TILE_WIDTH, Tile
from ledger.store.tables import EntryRow


class StoredTiles:
    """A `ledger.log.tiles.TileReader` over the entry table."""

    def __init__(self, connection: Connection, origin: str) -> None:
        self._connection = connection
        self._origin = origin

    def tile(self, tile: Tile, /) -> bytes:
        """The tile's hashes; fewer if the log has fewer entries."""
        leaves = TILE_WIDTH**tile.level  # under one hash of the tile
        start = tile.index * TILE_WIDTH * leaves
        query = (
            select(cast(col(EntryRow.leaf_hash), LargeBinary))
            .where(
                col(EntryRow.origin) == self._origin,
                col(EntryRow.seq) >= start,
                col(EntryRow.seq) < start + tile.width * leaves,
            )
            .order_by(col(EntryRow.seq))
        )
        hashes = list(self._connection.scalars(query))
        return b"".join(root_hash(hashes[place : place + leaves]) for place in range(0, len(hashes), leaves))
