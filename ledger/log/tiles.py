"""The tree in tiles: runs of up to 256 hashes that never change once full, and proofs built from a few of them.

C2SP tlog-tiles. The tile at level l with index n holds, for i from 0, the root of the i-th run of 256**l leaves from
leaf n * 256**(l+1) on: level 0 holds leaf hashes, each level above the roots of full tiles below. A tile with fewer
than 256 hashes is partial: it stands at the right edge of the tree of one size. A proof needs two tiles a level at
most. Tiles prove nothing by themselves: whoever builds a proof from them verifies it against a signed checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn, Protocol, TypeAlias

from ledger.errors import InputError, MalformedProofError, problem
from ledger.log.envelope import MAX_ENTRY_BYTES
from ledger.log.forms import HASH_BYTES
from ledger.log.merkle import EMPTY_ROOT, MAX_TREE_SIZE, Frontier, node_hash

TILE_HEIGHT = 8
"""Levels of the tree in one tile."""

TILE_WIDTH = 1 << TILE_HEIGHT
"""Hashes in a full tile: 256, which are 8,192 bytes."""

TILE_BYTES = TILE_WIDTH * HASH_BYTES

_LENGTH_BYTES = 2
"""Bytes of the length before an entry in a bundle, big-endian."""

MAX_BUNDLE_BYTES = TILE_WIDTH * (_LENGTH_BYTES + MAX_ENTRY_BYTES)

_MAX_PATH_CHARS = 64
_PATH = re.compile(r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


@dataclass(frozen=True)
class Tile:
    """Name of a tile of hashes.

    level: 0 for leaf hashes. index: place in its level, from 0. width: number of hashes, 1 to 256; below 256 for a
    partial tile.
    Raises: InputError if no tree of up to MAX_TREE_SIZE leaves has such a tile.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        numbers = (self.level, self.index, self.width)
        if (
            any(type(number) is not int or number < 0 for number in numbers)
            or not 1 <= self.width <= TILE_WIDTH
            or self.level * TILE_HEIGHT >= MAX_TREE_SIZE.bit_length()  # before shifting by whatever was given
            or (self.index * TILE_WIDTH + self.width) << (self.level * TILE_HEIGHT) > MAX_TREE_SIZE
        ):
            expected = f"a tile of 1 to {TILE_WIDTH} hashes in a tree of at most {MAX_TREE_SIZE} leaves"
            raise InputError(problem("/tile", numbers, expected, "Name a tile of this log."))

    @property
    def is_full(self) -> bool:
        """Whether it can never change."""
        return self.width == TILE_WIDTH


@dataclass(frozen=True)
class Bundle:
    """Name of a bundle of entries, whose leaf hashes are those of the tile at level 0 with this index and width."""

    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        Tile(0, self.index, self.width)  # the same limits

    @property
    def is_full(self) -> bool:
        """Whether it can never change."""
        return self.width == TILE_WIDTH


TileName: TypeAlias = Tile | Bundle


class TileReader(Protocol):
    """Where tiles come from: a database, a folder, a static server."""

    def tile(self, tile: Tile, /) -> bytes:
        """The tile's hashes one after the other, tile.width * 32 bytes.

        A reader that has a wider tile in this place gives the beginning of that. Unverified.
        Raises: StoreError if it cannot be had.
        """


# --- names ------------------------------------------------------------------------------------------------------------


def tile_path(tile: Tile) -> str:
    """Path of the tile under the log's prefix: "tile/0/x001/x234/067", "tile/1/000.p/17"."""
    return f"tile/{tile.level}/{_index_path(tile.index, tile.width)}"


def bundle_path(index: int, width: int = TILE_WIDTH) -> str:
    """Path of the entry bundle under the log's prefix: "tile/entries/x001/x234/067", "tile/entries/000.p/17".

    Raises: InputError if there can be no such bundle.
    """
    bundle = Bundle(index, width)
    return f"tile/entries/{_index_path(bundle.index, bundle.width)}"


def path_of(name: TileName) -> str:
    """Path of a tile or bundle under the log's prefix."""
    return tile_path(name) if isinstance(name, Tile) else bundle_path(name.index, name.width)


def parse_tile_path(path: str) -> TileName:
    """The tile or bundle that `path` names: path_of(parse_tile_path(path)) == path.

    Raises: InputError if it is not the one spelling of such a path.
    """
    # Cut short first: no path that is accepted is longer, and a text of megabytes is not worth a regular expression.
    match = _PATH.fullmatch(path) if len(path) <= _MAX_PATH_CHARS else None
    if match is not None:
        level, groups, last, width_text = match.groups()
        index = int((groups + last).replace("x", "").replace("/", ""))
        width = TILE_WIDTH if width_text is None else int(width_text)
        name: TileName = Bundle(index, width) if level == "entries" else Tile(int(level), index, width)
        # What the pattern lets through: groups x000 in front, and a full tile spelt as a partial one of width 256.
        if path_of(name) == path:
            return name
    raise InputError(
        problem("/path", path, '"tile/LEVEL/INDEX[.p/WIDTH]" or "tile/entries/INDEX[.p/WIDTH]"', "Name a tile.")
    )


def _index_path(index: int, width: int) -> str:
    """`index` in groups of three digits, all but the last marked with an x, so that no file is also a folder."""
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return "/".join(reversed(groups)) + ("" if width == TILE_WIDTH else f".p/{width}")


# --- which tiles there are --------------------------------------------------------------------------------------------


def tile_width(level: int, index: int, tree_size: int) -> int:
    """Number of hashes, 0 to 256, of the tile at this place in the tree of tree_size leaves."""
    return max(0, min(TILE_WIDTH, (tree_size >> (level * TILE_HEIGHT)) - index * TILE_WIDTH))


def tiles_of(tree_size: int, old_size: int = 0) -> Iterator[Tile]:
    """The tiles of the tree of tree_size leaves, level by level; without those that the tree of old_size has as well.

    0 <= old_size <= tree_size <= MAX_TREE_SIZE. Raises: InputError otherwise.
    """
    _check_sizes(old_size, tree_size)
    level = 0
    while count := tree_size >> (level * TILE_HEIGHT):  # hashes of this level
        old_count = old_size >> (level * TILE_HEIGHT)
        for index in range(old_count // TILE_WIDTH, -(-count // TILE_WIDTH)):
            width = tile_width(level, index, tree_size)
            if width != tile_width(level, index, old_size):
                yield Tile(level, index, width)
        level += 1


def bundles_of(tree_size: int, old_size: int = 0) -> Iterator[Bundle]:
    """The entry bundles of a log of tree_size entries; without those that it had at old_size. As tiles_of."""
    for tile in tiles_of(tree_size, old_size):
        if tile.level > 0:
            return
        yield Bundle(tile.index, tile.width)


# --- contents ---------------------------------------------------------------------------------------------------------


def split_tile(data: bytes, width: int) -> list[bytes]:
    """The hashes in a tile's bytes. Raises: MalformedProofError unless there are `width` of them."""
    if len(data) != width * HASH_BYTES:
        _malformed(f"a tile of {len(data)} bytes", f"{width} hashes of {HASH_BYTES} bytes")
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """The entries, 1 to 256, each after its length in two bytes, big-endian.

    Raises: InputError if there are none or too many, or one is longer than 65,535 bytes.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise InputError(
            problem("/entries", f"{len(entries)} entries", f"1 to {TILE_WIDTH} entries", "Split them into bundles.")
        )
    for number, entry in enumerate(entries):
        if len(entry) > MAX_ENTRY_BYTES:
            raise InputError(
                problem(f"/entries/{number}", f"{len(entry)} bytes", f"at most {MAX_ENTRY_BYTES} bytes", "Shorten it.")
            )
    return b"".join(len(entry).to_bytes(_LENGTH_BYTES, "big") + entry for entry in entries)


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """The entries in a bundle's bytes: format_bundle(parse_bundle(data, width)) == data. 1 <= width <= 256.

    Raises: MalformedProofError unless it holds exactly `width` entries and nothing after them.
    """
    entries: list[bytes] = []
    start = 0
    for number in range(width):
        begin = start + _LENGTH_BYTES
        end = begin + int.from_bytes(data[start:begin], "big")
        if begin > len(data) or end > len(data):
            _malformed(f"a bundle that ends inside entry {number} of {width}", f"{width} whole entries")
        entries.append(data[begin:end])
        start = end
    if start != len(data):
        _malformed(f"{len(data) - start} bytes after the last entry", f"a bundle of {width} entries")
    return entries


# --- proofs -----------------------------------------------------------------------------------------------------------


def inclusion_path(tiles: TileReader, leaf_index: int, tree_size: int) -> list[bytes]:
    """As ledger.log.merkle.inclusion_path: from leaf to root, the leaf's sibling first (RFC 9162, 2.1.3.1).

    0 <= leaf_index < tree_size. Raises: InputError if not; MalformedProofError if a tile has not its length; what the
    reader raises.
    """
    return TiledTree(tiles, tree_size).inclusion_path(leaf_index)


def consistency_path(tiles: TileReader, old_size: int, new_size: int) -> list[bytes]:
    """As ledger.log.merkle.consistency_path: that the new tree begins with the old one (RFC 9162, 2.1.4.1).

    0 <= old_size <= new_size. Raises: as inclusion_path.
    """
    return TiledTree(tiles, new_size).consistency_path(old_size)


def frontier(tiles: TileReader, tree_size: int) -> Frontier:
    """The frontier of the tree of tree_size leaves. Raises: as inclusion_path."""
    return TiledTree(tiles, tree_size).frontier()


def root(tiles: TileReader, tree_size: int) -> bytes:
    """Root of the tree of tree_size leaves. Raises: as inclusion_path."""
    return TiledTree(tiles, tree_size).root()


class TiledTree:
    """The tree of tree_size leaves, of which only the tiles that are needed are read, each once.

    0 <= tree_size <= MAX_TREE_SIZE, else InputError.
    """

    def __init__(self, tiles: TileReader, tree_size: int) -> None:
        _check_sizes(0, tree_size)
        self.tree_size = tree_size
        self._tiles = tiles
        self._nodes: dict[tuple[int, int], tuple[tuple[bytes, ...], ...]] = {}

    def inclusion_path(self, leaf_index: int) -> list[bytes]:
        """From the leaf to the root; see the function of that name."""
        if not 0 <= leaf_index < self.tree_size:
            raise InputError(
                problem("/leaf_index", leaf_index, f"0 <= leaf index < {self.tree_size}", "Name an entry of this tree.")
            )
        path = []
        start, end = 0, self.tree_size  # the subtree that holds the leaf
        while end - start > 1:
            middle = start + _largest_power(end - start - 1)
            if leaf_index < middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        path.reverse()
        return path

    def consistency_path(self, old_size: int) -> list[bytes]:
        """From the tree of old_size to this one; see the function of that name."""
        _check_sizes(old_size, self.tree_size)
        if old_size == 0:
            return []
        path = []
        start, end = 0, self.tree_size  # the subtree in which the old tree ends
        while old_size < end:
            middle = start + _largest_power(end - start - 1)
            if old_size <= middle:
                path.append(self._subtree(middle, end))
                end = middle
            else:
                path.append(self._subtree(start, middle))
                start = middle
        if start > 0:  # else this subtree is the whole old tree, whose root the verifier has
            path.append(self._subtree(start, end))
        path.reverse()
        return path

    def frontier(self) -> Frontier:
        """The whole subtrees that the tree is made of, the largest first."""
        return Frontier(self.tree_size, tuple(self._peaks(0, self.tree_size)))

    def root(self) -> bytes:
        """Root of the tree."""
        return self._subtree(0, self.tree_size) if self.tree_size else EMPTY_ROOT

    def node(self, height: int, index: int) -> bytes:
        """Root of the index-th whole subtree of 2**height leaves, of which the tree must have so many."""
        level, height_in_tile = divmod(height, TILE_HEIGHT)
        tile_index, place = divmod(index, TILE_WIDTH >> height_in_tile)
        rows = self._nodes.get((level, tile_index))
        if rows is None:
            tile = Tile(level, tile_index, tile_width(level, tile_index, self.tree_size))
            data = self._tiles.tile(tile)
            if len(data) != tile.width * HASH_BYTES:
                _malformed(f"{tile_path(tile)} of {len(data)} bytes", f"{tile.width * HASH_BYTES} bytes")
            rows = self._nodes[level, tile_index] = _rows_of_nodes(data)
        return rows[height_in_tile][place]

    def _subtree(self, start: int, end: int) -> bytes:
        """Root over the leaves from start to end - 1, of which there is at least one.

        start is a multiple of the smallest power of two that is not below end - start.
        """
        peaks = self._peaks(start, end)
        found = peaks.pop()
        while peaks:
            found = node_hash(peaks.pop(), found)
        return found

    def _peaks(self, start: int, end: int) -> list[bytes]:
        """Roots of the largest whole subtrees, from left to right, that leaves start to end - 1 are made of."""
        peaks = []
        while start < end:
            size = _largest_power(end - start)
            peaks.append(self.node(size.bit_length() - 1, start // size))
            start += size
        return peaks


@lru_cache(maxsize=256)
def _rows_of_nodes(data: bytes) -> tuple[tuple[bytes, ...], ...]:
    """The nodes of a tile: its hashes, then the nodes over each whole pair of the row before, as far as there are any.

    Kept by content, not by name, so that whoever changes a tile is not believed; 256 of them take some 9 MB. The tiles
    of the upper levels are needed by nearly every proof.
    """
    row = split_tile(data, len(data) // HASH_BYTES)
    rows = [tuple(row)]
    while len(row) > 1:
        row = [node_hash(row[place], row[place + 1]) for place in range(0, len(row) - 1, 2)]
        rows.append(tuple(row))
    return tuple(rows)


def _largest_power(size: int) -> int:
    """The largest power of two that is not above size, for size >= 1."""
    return 1 << (size.bit_length() - 1)


def _check_sizes(old_size: int, new_size: int) -> None:
    if not 0 <= old_size <= new_size <= MAX_TREE_SIZE:
        raise InputError(
            problem(
                "/tree_size",
                f"old size {old_size}, new size {new_size}",
                f"0 <= old size <= new size <= {MAX_TREE_SIZE}",
                "Name sizes that the tree has had.",
            )
        )


def _malformed(found: str, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Take the tile from the log again, unchanged."))
