"""Reading a log from static files alone: a folder, or any web server in front of one (C2SP tlog-tiles).

Nothing is verified here, and every answer is limited: whoever serves the files is not believed. `ledger.service.
static_proof` builds proofs from them and verifies those.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import urllib3

from ledger.errors import MalformedProofError, Problem, StoreError, problem
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.forms import HASH_BYTES
from ledger.log.tiles import (
    MAX_BUNDLE_BYTES,
    TILE_BYTES,
    TILE_WIDTH,
    Bundle,
    Tile,
    TileName,
    parse_bundle,
    path_of,
    tile_width,
)
from ledger.store.tile_folder import CHECKPOINT, MAX_NOTE_BYTES

Get: TypeAlias = Callable[[str, int], bytes | None]
"""(path under the log's prefix, most bytes to read) -> the file's bytes, None if there is none. Raises: StoreError."""

TIMEOUT_SECONDS = 10.0
"""For connecting, and for each silence of a server."""

MAX_SECONDS = 60.0
"""For one file."""


class StaticLog:
    """A log in static files; a `ledger.log.tiles.TileReader`. where: its folder or address, for messages."""

    def __init__(self, where: str, get: Get) -> None:
        self.where = where
        self._get = get
        self._published_size = 0  # tells which partial tiles there are

    def checkpoint(self) -> str:
        """The published note, unverified. Raises: StoreError if there is none; MalformedProofError if it is no note."""
        data = self._get(CHECKPOINT, MAX_NOTE_BYTES)
        if data is None:
            raise self._missing(CHECKPOINT)
        try:
            note = data.decode("utf-8")
        except UnicodeDecodeError as error:
            next_step = "Ask whoever serves it."
            raise MalformedProofError(problem("/checkpoint", self.where, "a note in UTF-8", next_step)) from error
        self._published_size = parse_checkpoint(note)[0].tree_size
        return note

    def tile(self, tile: Tile, /) -> bytes:
        """The tile's hashes, unverified. Raises: StoreError if it cannot be had."""
        found = self._widest(tile, TILE_BYTES)
        if found is None:
            raise self._missing(path_of(tile))
        return found[1][: tile.width * HASH_BYTES]

    def entry(self, seq: int, tree_size: int) -> bytes | None:
        """Entry seq of the first tree_size ones, unverified; None if entries are not published here.

        Raises: StoreError if the server fails; MalformedProofError if its bundle is not of the form.
        """
        index, place = divmod(seq, TILE_WIDTH)
        found = self._widest(Bundle(index, tile_width(0, index, tree_size)), MAX_BUNDLE_BYTES)
        return None if found is None else parse_bundle(found[1], found[0])[place]

    def _widest(self, name: TileName, most_bytes: int) -> tuple[int, bytes] | None:
        """Width and bytes of the first that there is of: this file, the one published now in its place, the full one.

        A partial tile may be gone once there is a full one, perhaps since the checkpoint was read.
        """
        level = name.level if isinstance(name, Tile) else 0
        widths = [name.width]
        for width in (tile_width(level, name.index, self._published_size), TILE_WIDTH):
            if width > widths[-1]:
                widths.append(width)
        for width in widths:
            one: TileName = Tile(level, name.index, width) if isinstance(name, Tile) else Bundle(name.index, width)
            data = self._get(path_of(one), most_bytes)
            if data is not None:
                return width, data
        return None

    def _missing(self, path: str) -> StoreError:
        return StoreError(Problem("/from", f"{self.where}: no {path}", "a published log", "Check the address."))


def open_static_log(where: str) -> StaticLog:
    """The log under an address ("https://...", "http://...") or in a folder. Opens nothing yet."""
    if where.startswith(("https://", "http://")):
        return StaticLog(where, _http_get(where))
    return StaticLog(where, _folder_get(Path(where)))


def _folder_get(folder: Path) -> Get:
    def get(path: str, most_bytes: int) -> bytes | None:
        try:
            with (folder / path).open("rb") as file:
                return _limited(file.read(most_bytes + 1), most_bytes, str(folder / path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(f"{folder / path}: {error}") from error

    return get


def _http_get(address: str) -> Get:
    pool = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=urllib3.Retry(2, redirect=0, backoff_factor=0.1))
    prefix = address.rstrip("/")

    def get(path: str, most_bytes: int) -> bytes | None:
        url = f"{prefix}/{path}"
        try:
            response = pool.request("GET", url, preload_content=False, headers={"Accept-Encoding": "gzip, identity"})
            try:
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise _unreadable(f"{url}: status {response.status}")
                return _limited(_body(response, most_bytes, url), most_bytes, url)
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            raise _unreadable(f"{url}: {error}") from error

    return get


def _body(response: urllib3.BaseHTTPResponse, most_bytes: int, url: str) -> bytes:
    """The answer's body, unpacked, one byte more than allowed at most, within MAX_SECONDS."""
    deadline = time.monotonic() + MAX_SECONDS
    parts: list[bytes] = []
    count = 0
    while count <= most_bytes and (part := response.read1(min(65_536, most_bytes + 1 - count), decode_content=True)):
        parts.append(part)
        count += len(part)
        if time.monotonic() > deadline:
            raise _unreadable(f"{url}: not whole after {MAX_SECONDS} s")
    return b"".join(parts)


def _limited(data: bytes, most_bytes: int, where: str) -> bytes:
    if len(data) > most_bytes:
        raise _unreadable(f"{where}: more than {most_bytes} bytes")
    return data


def _unreadable(found: str) -> StoreError:
    return StoreError(Problem("/from", found, "a file of a published log", "Check the address and try again."))
