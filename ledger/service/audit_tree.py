"""The tree over the entries as `log verify` reads them: roots at the sizes that somebody has signed, and the tiles.

Tiles are derived: what is stored must be what the leaves give, every one, and nothing else (invariant I5). Only hashes
of the levels above the leaves are held, 0.13 bytes an entry.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from ledger.log.merkle import EMPTY_ROOT, Frontier
from ledger.log.tiles import TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, Tile, tile_path
from ledger.service.audit_chunk import tile_root
from ledger.service.audit_findings import TILES, Findings
from ledger.store import audit_rows

MOST_TILES = 10
"""Tiles of one level that are named one by one: after a removed entry every tile is another."""


class TreeAudit:
    """A tree that leaves are added to in order.

    sizes: tree sizes whose roots are wanted, rising, each once.
    """

    def __init__(self, connection: Connection, origin: str, sizes: Sequence[int], findings: Findings) -> None:
        self._connection = connection
        self._origin = origin
        self._findings = findings
        self._sizes = array("q", sizes)
        self._roots = bytearray()  # of the sizes, in their order, as far as the tree has come
        self._tops = Frontier()  # of the tree that has the roots of whole tiles for leaves
        self._window: list[bytes] = []  # leaves after the last whole tile
        self._levels: list[bytearray] = []  # hashes of level 1 and above
        self._wrong: list[int] = []  # by level, how many tiles are not what they should be
        self._stored_any = next(audit_rows.tile_names(connection, origin), None) is not None
        self._stored = audit_rows.lowest_tiles(connection, origin)
        self._next_stored = next(self._stored, None)
        self.take_roots()

    @property
    def tree_size(self) -> int:
        """Number of leaves so far."""
        return self._tops.tree_size * TILE_WIDTH + len(self._window)

    def extend(self, leaves: Sequence[bytes], root: bytes | None = None) -> None:
        """Add leaves by their hashes. root: over them, where they are exactly a whole tile and it is known."""
        begin = 0
        while begin < len(leaves):
            part = leaves[begin : begin + TILE_WIDTH - len(self._window)]
            begin += len(part)
            self._window.extend(part)
            if len(self._window) == TILE_WIDTH:
                self._close_tile(root if len(part) == len(leaves) == TILE_WIDTH else None)

    def finish(self) -> None:
        """No leaf follows: take the last roots, compare the tiles above the leaves and look for ones too many."""
        self.take_roots()
        if self._tops.tree_size and not self._stored_any:
            why = "no tile is stored, as in a log from before there were any"
            self._findings.fail(TILES, f"{why}; `magnet-ledger db rebuild` makes them")
            return
        for above, hashes in enumerate(self._levels):
            for index in range(-(-len(hashes) // TILE_BYTES)):
                self._compare(above + 1, index, bytes(hashes[index * TILE_BYTES : (index + 1) * TILE_BYTES]))
        for level, index in audit_rows.tile_names(self._connection, self._origin):
            if not 0 <= level <= len(self._levels) or not 0 <= index < self._tiles_at(level):
                self._wrong_tile(level, f"a tile is stored at level {level}, index {index}, where the tree has none")
        for level, count in enumerate(self._wrong):
            if count > MOST_TILES:
                self._findings.fail(TILES, f"{count - MOST_TILES} more tiles of level {level} are wrong")

    def frontier(self) -> Frontier:
        """The frontier of the tree as it is now."""
        # The root of a whole tile is a node of the tree, so the peaks of the one are peaks of the other.
        return Frontier(self.tree_size, (*self._tops.peaks, *Frontier().extend(self._window).peaks))

    def root_at(self, tree_size: int) -> bytes | None:
        """The root at one of the sizes asked for at the beginning, None if the tree is not so large."""
        place = bisect_left(self._sizes, tree_size)
        if place == len(self._sizes) or self._sizes[place] != tree_size:
            raise ValueError(f"the root at size {tree_size} was not asked for")
        return bytes(self._roots[place * 32 : place * 32 + 32]) or None

    def tiles_named(self) -> str:
        """How many tiles there are, in words."""
        count = sum(self._tiles_at(level) for level in range(len(self._levels) + 1))
        return f"all {count} tiles are what the entries give"

    def _close_tile(self, root: bytes | None) -> None:
        """The window is a whole tile."""
        self.take_roots()
        self._compare(0, self._tops.tree_size, b"".join(self._window))
        node = tile_root(self._window) if root is None else root
        self._tops = self._tops.append(node)
        self._window = []
        for level in self._grown_levels():
            level += node
            if len(level) % TILE_BYTES:
                break
            last = level[-TILE_BYTES:]
            node = tile_root([bytes(last[at : at + 32]) for at in range(0, TILE_BYTES, 32)])

    def _grown_levels(self) -> Iterator[bytearray]:
        yield from self._levels
        while True:
            self._levels.append(bytearray())
            yield self._levels[-1]

    def take_roots(self) -> None:
        """Take the roots at the sizes wanted that the tree has come to, each from the one before it."""
        whole = self._tops.tree_size * TILE_WIDTH
        frontier, taken = None, 0
        while (place := len(self._roots) // 32) < len(self._sizes) and self._sizes[place] <= self.tree_size:
            if frontier is None:
                frontier = Frontier(whole, self._tops.peaks)
            upto = self._sizes[place] - whole
            frontier = frontier.extend(self._window[taken:upto])
            taken = upto
            self._roots += frontier.root() if frontier.tree_size else EMPTY_ROOT

    def _tiles_at(self, level: int) -> int:
        return self._tops.tree_size if level == 0 else -(-len(self._levels[level - 1]) // TILE_BYTES)

    def _compare(self, level: int, index: int, expected: bytes) -> None:
        if not self._stored_any:
            return
        stored = (
            self._lowest(index) if level == 0 else audit_rows.tile_hashes(self._connection, self._origin, level, index)
        )
        if stored == expected:
            return
        name = tile_path(Tile(level, index, len(expected) // 32))
        fault = "is not stored" if stored is None else "is not what the entries give"
        seq = (index * TILE_WIDTH) << (level * TILE_HEIGHT)
        self._wrong_tile(level, f"{name} {fault}; `magnet-ledger db rebuild` makes it anew", seq)

    def _lowest(self, index: int) -> bytes | None:
        """The hashes of the stored tile of level 0, None if there is none. Called with rising index."""
        while self._next_stored is not None and self._next_stored[0] < index:
            self._next_stored = next(self._stored, None)
        if self._next_stored is None or self._next_stored[0] != index:
            return None
        return self._next_stored[1]

    def _wrong_tile(self, level: int, detail: str, seq: int | None = None) -> None:
        known = min(max(level, 0), len(self._levels))
        while len(self._wrong) <= known:
            self._wrong.append(0)
        self._wrong[known] += 1
        if self._wrong[known] <= MOST_TILES:
            self._findings.fail(TILES, detail, seq)
