"""The log's tiles in the database: kept up in the append transaction, read for proofs.

Leaf hashes have a row once their tile is full; until then they are read from the entries. A row of the levels above is
there from its first hash on and grows in place up to 256. Derived: `rebuild_tiles` makes all of them from the leaf
hashes of the entries.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from ledger.errors import StoreError, problem
from ledger.log.forms import HASH_BYTES
from ledger.log.merkle import root_hash
from ledger.log.tiles import TILE_BYTES, TILE_WIDTH, Tile, tile_path

_REBUILD_LEAVES = TILE_WIDTH * TILE_WIDTH
"""Leaves that a rebuild takes at a time: whole tiles, 2 MB of hashes."""

_READ = text("SELECT hashes FROM tile WHERE origin = :origin AND level = :level AND tile_index = :tile_index")
_WRITE = text(
    "INSERT INTO tile (origin, level, tile_index, hashes) VALUES (:origin, :level, :tile_index, :hashes)"
    " ON CONFLICT (origin, level, tile_index) DO UPDATE SET hashes = excluded.hashes"
)
_LEAVES = text("SELECT leaf_hash FROM entry WHERE origin = :origin AND seq >= :start AND seq < :end ORDER BY seq")


class StoredTiles:
    """Reads the tiles of a log (a ledger.log.tiles.TileReader) within the caller's transaction."""

    def __init__(self, connection: Connection, origin: str) -> None:
        self.connection = connection
        self.origin = origin

    def tile(self, tile: Tile, /) -> bytes:
        """The tile's hashes, tile.width * 32 bytes, unverified.

        Raises: StoreError if the log has no such tile, or its row is missing or too short.
        """
        data: bytes | None
        if tile.level == 0 and not tile.is_full:  # mostly the log's end, which has no row yet
            start = tile.index * TILE_WIDTH
            data = b"".join(_leaves(self.connection, self.origin, start, start + tile.width))
        else:
            data = _row(self.connection, self.origin, tile.level, tile.index)
        length = tile.width * HASH_BYTES
        if data is None or len(data) < length:
            raise StoreError(
                problem(
                    "/tile",
                    tile_path(tile),
                    "a tile of this log",
                    "If the log is long enough to have it, make the derived tables anew: `magnet-ledger db rebuild`.",
                )
            )
        return data[:length]


def grow(connection: Connection, origin: str, old_size: int, leaf_hashes: Sequence[bytes]) -> None:
    """Write the tiles that these leaves, the ones after the first old_size, complete, and the levels above them.

    The rows of all these entries are there already. Where tiles of before are missing, all are made anew.
    Raises: StoreError if entries of before are missing.
    """
    first = old_size // TILE_WIDTH
    full = (old_size + len(leaf_hashes)) // TILE_WIDTH - first
    if full == 0:
        return
    before = _leaves(connection, origin, first * TILE_WIDTH, old_size)
    if len(before) != old_size % TILE_WIDTH:
        raise StoreError(
            problem(
                "/entries",
                f"{len(before)} entries from {first * TILE_WIDTH} on",
                "all up to the log's end",
                "Run `log verify`.",
            )
        )
    hashes = [*before, *leaf_hashes]
    tiles = [hashes[number * TILE_WIDTH : (number + 1) * TILE_WIDTH] for number in range(full)]
    rows = [_new_row(origin, 0, first + number, b"".join(tile)) for number, tile in enumerate(tiles)]
    roots = [root_hash(tile) for tile in tiles]
    level, count = 1, first  # of the hashes that the level above has so far
    while roots:
        index, width = divmod(count, TILE_WIDTH)
        data = _row(connection, origin, level, index) if width else b""
        if data is None or len(data) != width * HASH_BYTES:
            rebuild_tiles(connection, origin, old_size + len(leaf_hashes))
            return
        data += b"".join(roots)
        roots = []
        for start in range(0, len(data), TILE_BYTES):
            tile_bytes = data[start : start + TILE_BYTES]
            rows.append(_new_row(origin, level, index + start // TILE_BYTES, tile_bytes))
            if len(tile_bytes) == TILE_BYTES:
                roots.append(root_hash([tile_bytes[at : at + HASH_BYTES] for at in range(0, TILE_BYTES, HASH_BYTES)]))
        level, count = level + 1, index
    connection.execute(_WRITE, rows)


def rebuild_tiles(connection: Connection, origin: str, tree_size: int) -> None:
    """Make all tiles of the log anew from the leaf hashes of its first tree_size entries.

    Raises: StoreError if one of the entries is missing.
    """
    connection.execute(text("DELETE FROM tile WHERE origin = :origin"), {"origin": origin})
    for start in range(0, tree_size, _REBUILD_LEAVES):
        end = min(start + _REBUILD_LEAVES, tree_size)
        leaves = _leaves(connection, origin, start, end)
        if len(leaves) != end - start:
            raise StoreError(
                problem(
                    "/entries",
                    f"{len(leaves)} entries from {start} on",
                    f"entries {start} to {end - 1}",
                    "Run `log verify`.",
                )
            )
        grow(connection, origin, start, leaves)


def tiles_reach(connection: Connection, origin: str, tree_size: int) -> bool:
    """Whether there are as many rows as a log of this size has tiles; it does not look into them."""
    found = connection.execute(
        text("SELECT count(*) FROM tile WHERE origin = :origin"), {"origin": origin}
    ).scalar_one()
    level, count, expected = 0, tree_size // TILE_WIDTH, 0
    while count:
        expected += count if level == 0 else -(-count // TILE_WIDTH)
        level, count = level + 1, count if level == 0 else count // TILE_WIDTH
    return bool(found == expected)


def _row(connection: Connection, origin: str, level: int, index: int) -> bytes | None:
    found = connection.execute(_READ, {"origin": origin, "level": level, "tile_index": index}).scalar_one_or_none()
    return None if found is None else bytes(found)


def _leaves(connection: Connection, origin: str, start: int, end: int) -> list[bytes]:
    """The leaf hashes of these entries, those that there are."""
    if start == end:
        return []
    return list(connection.execute(_LEAVES, {"origin": origin, "start": start, "end": end}).scalars())


def _new_row(origin: str, level: int, index: int, hashes: bytes) -> dict[str, object]:
    return {"origin": origin, "level": level, "tile_index": index, "hashes": hashes}
