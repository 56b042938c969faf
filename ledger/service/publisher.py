"""The publisher: signs the log's head when it has moved, asks witnesses, publishes tiles first and checkpoint last.

What a crash between two steps leaves, and what the next round does:

| after             | there is                                   | the next round                            |
|-------------------|--------------------------------------------|-------------------------------------------|
| signing           | nothing: the note was in memory            | begins anew                               |
| swapping the pin  | a pin that the database does not know      | keeps it with its own note, goes on       |
| keeping the note  | a note without cosignatures, unpublished   | asks those that are missing, publishes    |
| asking witnesses  | the same, and witnesses that know it       | asks again, from the size that they know  |
| some tiles        | tiles that no published checkpoint covers  | finds them there, writes the rest         |
| all tiles         | the same                                   | publishes the checkpoint                  |
| publishing        | everything                                 | has nothing to do                         |

At no step are there two signed roots for one size: the pin stands between each signature and the next.
Neither a witness that fails nor a folder that is full keeps anybody from appending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ledger.errors import LedgerError, RootMismatchError, VerificationError, problem
from ledger.log.checkpoint import Checkpoint, parse_checkpoint
from ledger.log.cosignature import holds_lines_of
from ledger.log.envelope import parse_envelope
from ledger.log.forms import parse_time
from ledger.log.merkle import leaf_hash, root_hash
from ledger.log.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    Bundle,
    Tile,
    TiledTree,
    TileReader,
    bundles_of,
    format_bundle,
    root,
    split_tile,
    tile_width,
    tiles_of,
)
from ledger.report import Check, failed, not_checked, passed
from ledger.service.checkpoints import refuse, sign_head
from ledger.service.context import AskWitnesses, Ledger
from ledger.service.log_keys import log_keyring
from ledger.service.timestamps import timestamp_if_due
from ledger.service.witnesses import cosigned
from ledger.store.checkpoint_rows import entry_data, leaf_rows, newest_checkpoint
from ledger.store.database import read_transaction
from ledger.store.pin import check_begins_with
from ledger.store.repository import read_head
from ledger.store.tile_folder import TileFolder
from ledger.store.tile_rows import StoredTiles

TIMESTAMP = "timestamp"

PUBLISHED = "published"
"""Name of the check that publishing keeps up."""

LATE_SECONDS, LATE_ROUNDS = 60, 10
"""How long an entry may wait for its checkpoint before something must be wrong."""


@dataclass(frozen=True)
class Round:
    """What a round of the publisher came to.

    note: newest checkpoint, with its cosignatures. is_new: whether it was signed in this round. published: whether it
    is in the folder. findings: witnesses that failed, and a time stamp that was due and could not be had.
    """

    note: str
    tree_size: int
    is_new: bool
    published: bool = False
    findings: list[Check] = field(default_factory=list)

    def to_value(self) -> dict[str, object]:
        """The round as JSON data."""
        findings = [finding.to_value() for finding in self.findings]
        return {**vars(self), "findings": findings}


def publish(
    ledger: Ledger,
    folder: TileFolder | None = None,
    ask_witnesses: AskWitnesses | None = None,
    *,
    full: bool = False,
    with_entries: bool = True,
) -> Round:
    """One round.

    ask_witnesses: the ledger's own if None.
    full: hash every entry anew and compare every published file, not only what came since the last round.
    with_entries: publish entry bundles, which hold what was logged, beside the hashes.
    Raises: as ledger.service.checkpoints.sign_head, nothing being signed then; StoreError if the folder cannot be
    written; RootMismatchError if what is published there is not of this log, or was changed.
    """
    published_note = None if folder is None else folder.checkpoint()
    signed = sign_head(ledger, full=full, published=published_note)
    note = signed.note
    findings: list[Check] = []
    if signed.is_new or _is_missing_witnesses(ledger, note):
        note, findings = cosigned(ledger, note, ask_witnesses)
    if folder is not None:
        publish_tiles(ledger, folder, note, full=full, with_entries=with_entries)
    return Round(note, signed.checkpoint.tree_size, signed.is_new, folder is not None, findings + _stamp(ledger))


def run_publisher(
    ledger: Ledger,
    every_seconds: float,
    stop: threading.Event,
    folder: TileFolder | None = None,
    ask_witnesses: AskWitnesses | None = None,
    *,
    with_entries: bool = True,
    report: Callable[[Round | Exception], None] = lambda _result: None,
) -> None:
    """Rounds, every_seconds apart, until `stop` is set. A round that fails is reported, and the next one tries again.

    report: called with what each round came to; with what it raised, a LedgerError or a fault of the program.
    """
    while not stop.is_set():
        result: Round | Exception
        try:
            result = publish(ledger, folder, ask_witnesses, with_entries=with_entries)
        except Exception as error:  # noqa: BLE001 - reported; a thread that ended here would end publishing, unseen
            result = error
        report(result)
        stop.wait(every_seconds)


def check_published(ledger: Ledger, folder: TileFolder | None, every_seconds: int) -> Check:
    """Whether whoever publishes every_seconds (0: nobody does by itself) has kept up, and what is published in folder.

    Failed where an entry waits for its checkpoint longer than LATE_ROUNDS rounds and LATE_SECONDS, by the log's clock.
    Raises: StoreError if the database or the folder cannot be read.
    """
    published_note = None if folder is None else folder.checkpoint()
    with read_transaction(ledger.engine) as connection:
        size = read_head(connection, ledger.origin).tree_size
        newest = newest_checkpoint(connection, ledger.origin)
        signed_size = 0 if newest is None else newest[0]
        done_size = signed_size
        if folder is not None:
            done_size = 0 if published_note is None else parse_checkpoint(published_note)[0].tree_size
        waiting = entry_data(connection, ledger.origin, done_size) if done_size < size else None
    where = "" if folder is None else f", published in {folder.path} up to {done_size}"
    state = f"the log has {size} entries, signed up to {signed_size}{where}"
    if every_seconds == 0:
        why = "publish_seconds is 0, so nobody signs by itself: type `magnet-ledger log publish`"
        return not_checked(PUBLISHED, f"{state}; {why}", required=False)
    if waiting is not None:
        since = parse_time(parse_envelope(waiting).recv, "/recv")
        if (ledger.now() - since).total_seconds() > max(LATE_SECONDS, LATE_ROUNDS * every_seconds):
            why = "does the server run, and what does its log say? `magnet-ledger log publish` shows the error"
            return failed(PUBLISHED, f"{state}; entry {done_size} waits since {since:%Y-%m-%d %H:%M:%S} UTC: {why}")
    return passed(PUBLISHED, state)


def publish_log(ledger: Ledger, folder: TileFolder, *, with_entries: bool = True) -> int:
    """Write the whole log into the folder, or what is missing there; the size up to which it is published then.

    Signs its head first where no kept checkpoint reaches so far and the log's key is here; else up to the newest one.
    Every file that is there is compared.
    Raises: StoreError if there is no checkpoint and none can be signed; else as publish.
    """
    with read_transaction(ledger.engine) as connection:
        head_size = read_head(connection, ledger.origin).tree_size
        newest = newest_checkpoint(connection, ledger.origin)
    if newest is None or (newest[0] < head_size and ledger.log_key is not None):
        published = folder.checkpoint()
        signed = sign_head(ledger, full=False, published=published)
        newest = signed.checkpoint.tree_size, signed.note
    publish_tiles(ledger, folder, newest[1], full=True, with_entries=with_entries)
    return newest[0]


def publish_tiles(
    ledger: Ledger,
    folder: TileFolder,
    note: str,
    *,
    full: bool = False,
    with_entries: bool = True,
) -> None:
    """Write the files of the tree of `note` that are not published yet, then the note as the folder's checkpoint.

    full: look at every file instead. The note, and what is published in the folder, must be signed by the log's keys.
    Each file is checked on its way out: entries hash to their tile, a tile to its hash in the tile above, the last
    tiles to the note's root. Nothing is done if a larger tree is published already.
    Raises: as publish.
    """
    with folder.locked():
        published_note = folder.checkpoint()  # before the database is read, as the pin is
        try:
            with read_transaction(ledger.engine) as connection:
                keyring = log_keyring(ledger, connection)
                checkpoint = keyring.signers(note).checkpoint
                tiles = StoredTiles(connection, ledger.origin)
                old_size = 0
                if published_note is not None:
                    published = keyring.signers(published_note).checkpoint
                    size = read_head(connection, ledger.origin).tree_size
                    check_begins_with(published, size, lambda size: root(tiles, size), "the log in the database")
                    if published.tree_size > checkpoint.tree_size:
                        return
                    whole = not full and (not with_entries or _has_entries(folder, published.tree_size))
                    old_size = published.tree_size if whole else 0
                _write_tiles(tiles, folder, checkpoint, old_size)
                if with_entries:
                    _write_bundles(connection, ledger.origin, folder, checkpoint.tree_size, old_size)
        except VerificationError as error:
            refuse(ledger, "published", error, {"published": published_note, "signed": note})
        if published_note is None or not holds_lines_of(published_note, note):
            folder.write_checkpoint(note)


def _write_tiles(tiles: TileReader, folder: TileFolder, checkpoint: Checkpoint, old_size: int) -> None:
    """Write the tiles that the tree has and had not at old_size. Raises: RootMismatchError if one does not fit."""
    tree = TiledTree(tiles, checkpoint.tree_size)
    if tree.root() != checkpoint.root:
        raise _misfit(f"stored tiles with root {tree.root().hex()}", f"the signed root {checkpoint.root.hex()}")
    for tile in tiles_of(checkpoint.tree_size, old_size):
        data = tiles.tile(tile)
        hashes = split_tile(data, tile.width)
        if tile.is_full:  # the partial ones have just been hashed into the root
            above = tree.node(TILE_HEIGHT * (tile.level + 1), tile.index)
            if root_hash(hashes) != above:
                raise _misfit(f"{tile} with root {root_hash(hashes).hex()}", f"{above.hex()}, by the tile above")
        folder.write(tile, data)


def _write_bundles(connection: Connection, origin: str, folder: TileFolder, tree_size: int, old_size: int) -> None:
    """Write the bundles that the log has and had not at old_size. Raises: RootMismatchError if an entry does not fit.

    Their tiles have been checked.
    """
    tiles = StoredTiles(connection, origin)
    for bundle in bundles_of(tree_size, old_size):
        start = bundle.index * TILE_WIDTH
        end = start + bundle.width
        entries = [data for _seq, _leaf, data in leaf_rows(connection, origin, start, end)]
        if b"".join(map(leaf_hash, entries)) != tiles.tile(Tile(0, bundle.index, bundle.width)):
            raise _misfit(f"entries {start} to {end - 1} with other hashes", "those of their tile")
        folder.write(bundle, format_bundle(entries))


def _has_entries(folder: TileFolder, tree_size: int) -> bool:
    """Whether entries were published, too, when the folder's checkpoint was."""
    if tree_size == 0:
        return True
    index = (tree_size - 1) // TILE_WIDTH
    return folder.has(Bundle(index, tile_width(0, index, tree_size)))


def _is_missing_witnesses(ledger: Ledger, note: str) -> bool:
    """Whether a witness that is ours to ask has no line under the note."""
    lines = {(line.name, line.key_hash) for line in parse_checkpoint(note)[1]}
    asked = zip(ledger.witnesses.witnesses, ledger.witnesses.urls, strict=False)
    return any(url and (witness.name, witness.key_hash) not in lines for witness, url in asked)


def _stamp(ledger: Ledger) -> list[Check]:
    """Have the checkpoint time stamped, where that is due; a finding if it could not be. The next round tries again."""
    try:
        timestamp_if_due(ledger)
    except LedgerError as error:
        return [failed(TIMESTAMP, str(error))]
    return []


def _misfit(found: str, expected: str) -> RootMismatchError:
    return RootMismatchError(problem("/tiles", found, expected, "Nothing of it was published. Run `log verify`."))
