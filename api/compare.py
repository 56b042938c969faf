"""Comparing two checkpoints of a log: the files, keys and tiles that `log compare` brings to ledger.log.split_view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from api.deps import open_ledger, trust_of
from api.settings import load_settings
from ledger.errors import InputError, StoreError, problem
from ledger.log.checkpoint import MAX_NOTE_CHARS, VerifierKey, parse_checkpoint, parse_vkey
from ledger.log.keyring import keyrings
from ledger.log.split_view import compare_checkpoints
from ledger.log.tiles import TileReader
from ledger.report import Check
from ledger.store.database import read_transaction
from ledger.store.key_files import write_new_file
from ledger.store.static_log import open_static_log
from ledger.store.tile_rows import StoredTiles


def compare_files(
    file: Path, other: Path, vkeys: Sequence[str] | None, tiles: str | None, evidence: Path | None
) -> tuple[Check, Path | None]:
    """The outcome, and the file with the evidence if the two checkpoints are of two histories.

    vkeys: verifier keys of the log, those of the trust folder if there are none. tiles: folder or address of the log's
    tiles; this installation's if None. evidence: where to write; a name in the current folder if None.
    Raises: StoreError if a file cannot be read or written; InputError without a key; VerificationError unless both are
    checkpoints of one log, signed with its keys.
    """
    note, other_note = _read(file), _read(other)
    checkpoints = [parse_checkpoint(one)[0] for one in (note, other_note)]
    origin = checkpoints[0].origin
    keys = [parse_vkey(text) for text in vkeys] if vkeys else _trusted_keys(origin)
    wanted = checkpoints[0].tree_size != checkpoints[1].tree_size
    with _tiles(origin, tiles) if wanted else _no_tiles() as reader:
        check, text = compare_checkpoints(note, other_note, keys, reader)
    if text is None:
        return check, None
    size = min(one.tree_size for one in checkpoints)
    path = Path(f"{origin.replace('/', '_')}-{size}.split-view") if evidence is None else evidence
    write_new_file(path, text.encode(), mode=0o644)
    return check, path


def _trusted_keys(origin: str) -> list[VerifierKey]:
    trust = trust_of(load_settings())
    ring = keyrings(trust.vkeys, trust.log_keys).get(origin)
    if ring is None:
        raise InputError(problem("/vkey", origin, "a log whose key is in the trust folder", "Give it with --vkey."))
    return [key.vkey for key in ring.keys]


@contextmanager
def _tiles(origin: str, where: str | None) -> Iterator[TileReader | None]:
    """The tiles at `where`; without it those of this installation, None if it is that of another log."""
    if where is not None:
        log = open_static_log(where)
        log.checkpoint()  # tells it which partial tiles there are
        yield log
        return
    settings = load_settings()
    if settings.origin != origin:
        yield None
        return
    with read_transaction(open_ledger(settings).engine) as connection:
        yield StoredTiles(connection, origin)


@contextmanager
def _no_tiles() -> Iterator[TileReader | None]:
    yield None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(4 * MAX_NOTE_CHARS).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(problem("", f"{path}: {error}", "a checkpoint", "Name the file of a signed note.")) from error
