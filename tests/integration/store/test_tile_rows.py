"""Tiles in the database are those of the leaf hashes, after appends of whatever sizes."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Connection, Engine

from ledger.errors import StoreError
from ledger.log.merkle import root_hash
from ledger.log.tiles import TILE_WIDTH, Tile, root, tiles_of
from ledger.service.context import Ledger
from ledger.service.rebuild import complete_derived, rebuild_derived
from ledger.store.content_rows import rebuild_contents
from ledger.store.database import make_engine, read_transaction, write_transaction
from ledger.store.repository import StoredEntry, insert_entries, insert_log
from ledger.store.tile_rows import StoredTiles, grow, rebuild_tiles, tiles_reach
from tests.store_samples import ORIGIN, append_receipts, execute, rows

LEAVES = [hashlib.sha256(b"%d" % number).digest() for number in range(66_400)]
SEED = 20_261_124


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with an empty log."""
    made = make_engine(database_url)
    with write_transaction(made) as connection:
        insert_log(connection, ORIGIN, "2026-05-04T08:00:00.000000Z")
    yield made
    made.dispose()


def add(connection: Connection, old_size: int, new_size: int) -> None:
    """The entries from old_size to new_size - 1, of which only the leaf hash matters here, and their tiles."""
    entries = [
        StoredEntry(seq, LEAVES[seq], b"", "test", f"statement {seq}", "00" * 32, "", f"client {seq}")
        for seq in range(old_size, new_size)
    ]
    insert_entries(connection, ORIGIN, entries)
    grow(connection, ORIGIN, old_size, LEAVES[old_size:new_size])


def expected_tiles(tree_size: int) -> dict[Tile, bytes]:
    """Every tile of the tree, recomputed level by level from the leaves."""
    expected = {}
    level, hashes = 0, LEAVES[:tree_size]
    while hashes:
        for start in range(0, len(hashes), TILE_WIDTH):
            part = hashes[start : start + TILE_WIDTH]
            expected[Tile(level, start // TILE_WIDTH, len(part))] = b"".join(part)
        whole = len(hashes) // TILE_WIDTH
        hashes = [root_hash(hashes[index * TILE_WIDTH : (index + 1) * TILE_WIDTH]) for index in range(whole)]
        level += 1
    return expected


def assert_tiles(connection: Connection, tree_size: int) -> None:
    """The tiles are those of the leaves, and there is no row more than a log of this size has."""
    tiles = StoredTiles(connection, ORIGIN)
    expected = expected_tiles(tree_size)
    assert {tile: tiles.tile(tile) for tile in tiles_of(tree_size)} == expected
    assert root(tiles, tree_size) == root_hash(LEAVES[:tree_size])
    assert tiles_reach(connection, ORIGIN, tree_size)
    stored = connection.exec_driver_sql("SELECT level, tile_index, hashes FROM tile").all()
    kept = {tile: data for tile, data in expected.items() if tile.level > 0 or tile.is_full}
    assert {(level, index): bytes(hashes) for level, index, hashes in stored} == {
        (tile.level, tile.index): data for tile, data in kept.items()
    }


@pytest.mark.parametrize(
    "sizes",
    [
        [0, 1, 255, 256, 257, 511, 512, 513, 1024],
        [0, 257],
        [0, 256, 768],
        [0, 255, 1000, 1001],
    ],
    ids=str,
)
def test_tiles_are_those_of_the_leaves_after_each_append(engine: Engine, sizes: Sequence[int]) -> None:
    for old_size, new_size in itertools.pairwise(sizes):
        with write_transaction(engine) as connection:
            add(connection, old_size, new_size)
        with read_transaction(engine) as connection:
            assert_tiles(connection, new_size)


def test_tiles_are_those_of_the_leaves_across_the_second_level(engine: Engine) -> None:
    """65,536 leaves fill the first tile of level 1, whose root is the first hash of level 2."""
    chance = random.Random(SEED)
    size = 0
    for goal in (65_535, 65_536, 65_537, 66_400):
        with write_transaction(engine) as connection:
            while size < goal:
                step = chance.choice([1, 255, 256, 257, 5000])
                add(connection, size, min(goal, size + step))
                size = min(goal, size + step)
            assert_tiles(connection, size)


def test_rebuilt_tiles_are_the_same(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        add(connection, 0, 66_000)
        before = connection.exec_driver_sql("SELECT * FROM tile ORDER BY level, tile_index").all()
        rebuild_tiles(connection, ORIGIN, 66_000)
        assert connection.exec_driver_sql("SELECT * FROM tile ORDER BY level, tile_index").all() == before
        assert_tiles(connection, 66_000)


def test_where_tiles_are_missing_the_next_append_that_needs_them_makes_all_anew(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        add(connection, 0, 600)
        connection.exec_driver_sql("DELETE FROM tile")
        assert not tiles_reach(connection, ORIGIN, 600)
        add(connection, 600, 800)
        assert_tiles(connection, 800)


def test_a_tile_that_is_missing_or_beyond_the_log_is_refused_with_the_command_to_type(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        add(connection, 0, 300)
        tiles = StoredTiles(connection, ORIGIN)
        for tile in (Tile(0, 1, 45), Tile(0, 1), Tile(1, 0, 2), Tile(2, 0, 1), Tile(0, 7, 1)):
            with pytest.raises(StoreError, match="db rebuild"):
                tiles.tile(tile)
        connection.exec_driver_sql("DELETE FROM tile WHERE level = 0")
        with pytest.raises(StoreError, match="db rebuild"):
            tiles.tile(Tile(0, 0))
        assert tiles.tile(Tile(0, 1, 44)) == b"".join(LEAVES[256:300])


def test_entries_that_are_missing_stop_an_append_and_a_rebuild(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        with pytest.raises(StoreError, match="log verify"):
            grow(connection, ORIGIN, 200, LEAVES[200:300])
        add(connection, 0, 10)
        with pytest.raises(StoreError, match="log verify"):
            rebuild_tiles(connection, ORIGIN, 11)


def test_a_log_of_before_gets_its_tiles_and_contents_when_the_schema_is_upgraded(ledger: Ledger) -> None:
    """As after migration 0002: no tile, no content, and a head that says so."""
    append_receipts(ledger, 1, 3)
    with write_transaction(ledger.engine) as connection:
        rebuild_contents(connection)
    contents = rows(ledger.engine, "SELECT content_key, seq FROM content ORDER BY seq")
    assert [seq for _, seq in contents] == list(range(6))
    for statement in ("DELETE FROM content", "UPDATE head SET content_size = 0"):
        execute(ledger.engine, statement)
    complete_derived(ledger.engine)
    assert rows(ledger.engine, "SELECT content_key, seq FROM content ORDER BY seq") == contents
    assert rows(ledger.engine, "SELECT content_size FROM head") == [(6,)]
    execute(ledger.engine, "DELETE FROM content")
    assert rebuild_derived(ledger) == 6
    assert rows(ledger.engine, "SELECT content_key, seq FROM content ORDER BY seq") == contents
