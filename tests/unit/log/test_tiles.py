"""Tiles: paths as C2SP spells them, contents, and proofs equal to those made from all leaf hashes."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import InputError, MalformedProofError
from ledger.log import merkle
from ledger.log.merkle import MAX_TREE_SIZE, Frontier
from ledger.log.tiles import (
    TILE_WIDTH,
    Bundle,
    Tile,
    bundles_of,
    consistency_path,
    format_bundle,
    frontier,
    inclusion_path,
    parse_bundle,
    parse_tile_path,
    path_of,
    root,
    split_tile,
    tile_path,
    tile_width,
    tiles_of,
)

LEAVES = [hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(65_537)]


def levels_of(leaves: list[bytes]) -> list[list[bytes]]:
    """The hashes of each tile level, the textbook way: level n+1 holds the roots of 256 hashes of level n each."""
    levels = [leaves]
    while len(levels[-1]) >= TILE_WIDTH:
        below = levels[-1]
        starts = range(0, len(below) - len(below) % TILE_WIDTH, TILE_WIDTH)
        levels.append([merkle.root_hash(below[start : start + TILE_WIDTH]) for start in starts])
    return levels


class ListedTiles:
    """Tiles cut from lists of hashes; counts those that are read."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.levels = levels_of(leaves)
        self.read: list[Tile] = []

    def tile(self, tile: Tile) -> bytes:
        self.read.append(tile)
        start = tile.index * TILE_WIDTH
        return b"".join(self.levels[tile.level][start : start + tile.width])


ALL = ListedTiles(LEAVES)

SIZES = [1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537]
"""Around a full tile, two, and a full tile of level 1 (256 * 256 = 65,536)."""


# --- paths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [
        # 1234067 is the example of the specification.
        (Tile(0, 1234067), "tile/0/x001/x234/067"),
        (Tile(0, 0), "tile/0/000"),
        (Tile(1, 999, 255), "tile/1/999.p/255"),
        (Tile(2, 1000, 1), "tile/2/x001/000.p/1"),
        (Tile(5, 0, 17), "tile/5/000.p/17"),
        (Bundle(1234067), "tile/entries/x001/x234/067"),
        (Bundle(0, 112), "tile/entries/000.p/112"),
    ],
)
def test_paths_are_spelt_as_the_specification_says(name: Tile | Bundle, path: str) -> None:
    assert path_of(name) == path
    assert parse_tile_path(path) == name


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/0",
        "tile/0/0000",
        "tile/00/000",
        "tile/01/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/64/000",
        "tile/7/000",  # its leaves would be beyond 2^53-1
        "tile/100/000",
        "tile/entry/000",
        "tile/data/000",
        "tile/0/x000/000",
        "tile/0/x001/x000",
        "tile/0/001/000",
        "tile/0/X001/000",
        "tile/0/x01/000",
        "tile/0/000.p/0",
        "tile/0/000.p/00",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/999",
        "tile/0/000.p/1000",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/1/",
        "tile/0/000.P/1",
        "tile/0/x001.p/1/000",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "tile/0/../000",
        "tile/0/x035/x184/x372/x088/832",  # 2^45 * 256 leaves are beyond 2^53-1
        "tile/0/x001/x000/x000/x000/x000/000",
        "tile/0/" + "x000/" * 100_000 + "000",
        "tile/entries/000.p/256",
        "tile/entries/x000/000",
    ],
)
def test_another_spelling_or_a_tile_of_no_tree_is_refused(path: str) -> None:
    with pytest.raises(InputError):
        parse_tile_path(path)


@pytest.mark.parametrize(
    ("level", "index", "width"),
    [(-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (7, 0, 1), (10**9, 0, 1), (True, 0, 1)],
)
def test_a_tile_that_no_tree_has_cannot_be_named(level: int, index: int, width: int) -> None:
    with pytest.raises(InputError):
        Tile(level, index, width)


def test_the_last_tile_of_the_largest_tree_has_a_name() -> None:
    # 2^53-1 leaves: 2^45 - 1 full tiles and 255 leaves in the last one, whose index is therefore 2^45 - 1.
    last = Tile(0, 2**45 - 1, 255)
    assert tile_path(last) == "tile/0/x035/x184/x372/x088/831.p/255"
    assert parse_tile_path(tile_path(last)) == last
    assert tile_width(0, last.index, MAX_TREE_SIZE) == 255
    with pytest.raises(InputError):
        Tile(0, 2**45 - 1, 256)


@given(st.integers(0, 6), st.integers(0, 2**45), st.integers(1, 256))
def test_every_name_is_read_back_from_its_path(level: int, index: int, width: int) -> None:
    index >>= 8 * level
    if ((index * 256 + width) << (8 * level)) > MAX_TREE_SIZE:
        with pytest.raises(InputError):
            Tile(level, index, width)
        return
    for name in (Tile(level, index, width), Bundle(index >> 1, width)):
        assert parse_tile_path(path_of(name)) == name


@given(st.text(alphabet="tile/0123x.pentrs\n", max_size=40))
def test_whatever_is_accepted_is_the_one_spelling(path: str) -> None:
    try:
        name = parse_tile_path(path)
    except InputError:
        return
    assert path_of(name) == path


# --- which tiles there are --------------------------------------------------------------------------------------------


def test_a_tree_of_70000_has_the_tiles_of_the_specifications_example() -> None:
    tiles = list(tiles_of(70_000))
    level_0 = [tile for tile in tiles if tile.level == 0]
    assert level_0 == [*(Tile(0, index) for index in range(273)), Tile(0, 273, 112)]
    assert tiles[274:] == [Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert list(bundles_of(70_000)) == [Bundle(tile.index, tile.width) for tile in level_0]


def test_a_tree_of_256_has_one_full_tile_and_one_hash_above() -> None:
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(tiles_of(0)) == []


@pytest.mark.parametrize("old_size", [0, 1, 255, 256, 300, 65_536])
@pytest.mark.parametrize("new_size", [65_536, 65_537, 66_048])
def test_what_a_grown_tree_has_in_addition_is_what_the_old_one_had_not(old_size: int, new_size: int) -> None:
    had = set(tiles_of(old_size))
    assert [tile for tile in tiles_of(new_size) if tile not in had] == list(tiles_of(new_size, old_size))


@pytest.mark.parametrize(("old_size", "new_size"), [(-1, 3), (4, 3), (0, MAX_TREE_SIZE + 1)])
def test_sizes_that_no_tree_has_are_refused(old_size: int, new_size: int) -> None:
    with pytest.raises(InputError):
        list(tiles_of(new_size, old_size))
    with pytest.raises(InputError):
        consistency_path(ALL, old_size, new_size)


# --- contents ---------------------------------------------------------------------------------------------------------


def test_a_bundle_holds_each_entry_after_its_length() -> None:
    # 2 and 258 = 0x0102 bytes: lengths 00 02 and 01 02.
    entries = [b"ab", b"c" * 258]
    data = format_bundle(entries)
    assert data == b"\x00\x02ab\x01\x02" + b"c" * 258
    assert parse_bundle(data, 2) == entries


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=256))
def test_every_bundle_is_read_back(entries: list[bytes]) -> None:
    assert parse_bundle(format_bundle(entries), len(entries)) == entries


@pytest.mark.parametrize("entries", [[], [b"x"] * 257, [b"x" * 65_536]])
def test_entries_that_no_bundle_can_hold_are_refused(entries: list[bytes]) -> None:
    with pytest.raises(InputError):
        format_bundle(entries)


@given(st.lists(st.binary(max_size=5), min_size=2, max_size=6), st.data())
def test_a_bundle_cut_short_or_with_more_behind_it_is_malformed(entries: list[bytes], data: st.DataObject) -> None:
    whole = format_bundle(entries)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for wrong, width in [
        (whole[:cut], len(entries)),
        (whole + b"\x00", len(entries)),
        (whole, len(entries) - 1),
        (whole, len(entries) + 1),
    ]:
        with pytest.raises(MalformedProofError):
            parse_bundle(wrong, width)


@pytest.mark.parametrize("data", [b"", b"x" * 63, b"x" * 65])
def test_a_tile_of_another_length_is_malformed(data: bytes) -> None:
    class WrongTiles:
        def tile(self, tile: Tile) -> bytes:
            return data

    with pytest.raises(MalformedProofError):
        split_tile(data, 2)
    with pytest.raises(MalformedProofError):
        root(WrongTiles(), 2)


# --- proofs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tree_size", SIZES)
def test_roots_and_peaks_are_those_of_the_leaves(tree_size: int) -> None:
    grown = Frontier()
    for leaf in LEAVES[:tree_size]:
        grown = grown.append(leaf)
    assert frontier(ALL, tree_size) == grown
    assert root(ALL, tree_size) == merkle.root_hash(LEAVES[:tree_size])


def test_the_empty_tree_needs_no_tile() -> None:
    nothing = ListedTiles([])
    assert (frontier(nothing, 0), root(nothing, 0), nothing.read) == (Frontier(), merkle.EMPTY_ROOT, [])
    assert consistency_path(ALL, 0, 300) == []
    assert consistency_path(ALL, 300, 300) == []


@pytest.mark.parametrize("tree_size", SIZES)
def test_inclusion_paths_are_those_made_from_the_leaves(tree_size: int) -> None:
    leaves = LEAVES[:tree_size]
    places = {0, 1, 254, 255, 256, 257, 511, 512, 65_279, 65_280, 65_535, tree_size // 2, tree_size - 2, tree_size - 1}
    for place in sorted(place for place in places if 0 <= place < tree_size):
        assert inclusion_path(ALL, place, tree_size) == merkle.inclusion_path(leaves, place)


@pytest.mark.parametrize("new_size", SIZES)
def test_consistency_paths_are_those_made_from_the_leaves(new_size: int) -> None:
    for old_size in (size for size in SIZES if size <= new_size):
        assert consistency_path(ALL, old_size, new_size) == merkle.consistency_path(LEAVES, old_size, new_size)


@given(st.integers(1, 1100), st.data())
@settings(max_examples=200)
def test_proofs_of_any_tree_are_those_made_from_the_leaves(tree_size: int, data: st.DataObject) -> None:
    leaf_index = data.draw(st.integers(0, tree_size - 1))
    old_size = data.draw(st.integers(0, tree_size))
    leaves = LEAVES[:tree_size]
    assert inclusion_path(ALL, leaf_index, tree_size) == merkle.inclusion_path(leaves, leaf_index)
    assert consistency_path(ALL, old_size, tree_size) == merkle.consistency_path(leaves, old_size)


@pytest.mark.parametrize("leaf_index", [-1, 5, 10**20])
def test_no_path_is_made_for_a_leaf_that_is_not_there(leaf_index: int) -> None:
    with pytest.raises(InputError):
        inclusion_path(ALL, leaf_index, 5)


def test_a_proof_reads_two_tiles_a_level_at_most_and_none_that_the_tree_has_not() -> None:
    for tree_size in (65_535, 65_536, 65_537):
        there = set(tiles_of(tree_size))
        levels = 1 + max(tile.level for tile in there)
        for leaf_index in (0, 300, 65_000, 65_534):
            counted = ListedTiles([])
            counted.levels = ALL.levels
            inclusion_path(counted, leaf_index, tree_size)
            assert len(counted.read) == len(set(counted.read)) <= 2 * levels
            assert set(counted.read) <= there
        counted = ListedTiles([])
        counted.levels = ALL.levels
        consistency_path(counted, 40_001, tree_size)
        assert len(counted.read) <= 2 * levels
        assert set(counted.read) <= there
