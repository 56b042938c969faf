"""The files of the published log, made from the database when asked for: the same bytes as `publisher` writes."""

from __future__ import annotations

from ledger.log.tiles import TILE_WIDTH, Tile, TileName, format_bundle, tile_width
from ledger.service.context import Ledger
from ledger.store.checkpoint_rows import leaf_rows, newest_checkpoint
from ledger.store.database import read_transaction
from ledger.store.tile_rows import StoredTiles


def published_file(ledger: Ledger, name: TileName) -> bytes | None:
    """The bytes of a tile or bundle, None if the tree of the newest kept checkpoint does not reach so far.

    What no checkpoint covers is not given out: it could not be verified, and might still be lost.
    """
    with read_transaction(ledger.engine) as connection:
        newest = newest_checkpoint(connection, ledger.origin)
        level = name.level if isinstance(name, Tile) else 0
        if newest is None or name.width > tile_width(level, name.index, newest[0]):
            return None
        if isinstance(name, Tile):
            return StoredTiles(connection, ledger.origin).tile(name)
        start = name.index * TILE_WIDTH
        return format_bundle([data for _, _, data in leaf_rows(connection, ledger.origin, start, start + name.width)])
