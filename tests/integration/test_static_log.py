"""A log in static files behind `python -m http.server`: any entry is proved by whoever has the log's key."""

from __future__ import annotations

import gzip
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ledger.errors import (
    BadSignatureError,
    LedgerError,
    MalformedProofError,
    RootMismatchError,
    StoreError,
    UnknownIdError,
)
from ledger.log.checkpoint import parse_vkey
from ledger.log.keyring import single_key
from ledger.log.proof import format_tlog_proof, verify_tlog_proof
from ledger.log.tiles import Bundle, Tile
from ledger.service.append import append_entries
from ledger.service.context import Ledger
from ledger.service.publisher import publish
from ledger.service.read import entry_bytes
from ledger.service.static_proof import prove_from
from ledger.store import static_log
from ledger.store.static_log import open_static_log
from ledger.store.tile_folder import TileFolder
from tests.store_samples import ACTOR, VKEY, make_ledger, receipt, start_log

KEYS = single_key(parse_vkey(VKEY))
SIZE = 515
"""Two full tiles (512 entries) and three entries more; level 1 holds two hashes."""


@pytest.fixture(scope="module")
def ledger(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger of SIZE entries."""
    folder = tmp_path_factory.mktemp("static")
    shutil.copyfile(_sqlite_template, folder / "ledger.db")
    made = make_ledger(f"sqlite:///{folder / 'ledger.db'}", folder)
    start_log(made)
    append_entries(made, [receipt(f"S-{number}") for number in range(SIZE - 3)], ACTOR)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def published(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published files of that ledger. Not to be changed."""
    folder = tmp_path_factory.mktemp("published") / "tiles"
    publish(ledger, TileFolder(folder))
    return folder


@contextmanager
def http_server(folder: Path) -> Iterator[str]:
    """`python -m http.server` over the folder, on a port of its own choice."""
    command = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            port = re.search(r"port (\d+)", server.stdout.readline())
            assert port is not None
            yield f"http://127.0.0.1:{port[1]}"
        finally:
            server.terminate()


def test_every_entry_is_proved_from_a_static_server_alone(ledger: Ledger, published: Path) -> None:
    seqs = [0, 1, 255, 256, 300, 511, 512, 513, 514]
    entries = dict(zip(seqs, entry_bytes(ledger, seqs), strict=True))
    with http_server(published) as address:
        for slash in ("", "/"):
            source = open_static_log(address + slash)
            for seq, data in entries.items():
                found = prove_from(source, seq, KEYS)
                assert (found.entry, found.checkpoint.tree_size) == (data, SIZE)
                verify_tlog_proof(format_tlog_proof(found.proof), data, KEYS.keys[0].vkey)
        with pytest.raises(UnknownIdError):
            prove_from(open_static_log(address), SIZE, KEYS)
    with pytest.raises(StoreError):
        prove_from(open_static_log(address), 0, KEYS)


def test_every_entry_is_proved_from_the_folder(ledger: Ledger, published: Path) -> None:
    source = open_static_log(str(published))
    for seq, data in enumerate(entry_bytes(ledger, range(SIZE))):
        assert prove_from(source, seq, KEYS).entry == data


def test_the_command_builds_and_verifies_the_proof_without_an_installation(
    ledger: Ledger, published: Path, tmp_path: Path
) -> None:
    (tmp_path / "log.vkey").write_text(VKEY + "\n")
    program = str(Path(sys.executable).with_name("magnet-ledger"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}

    def prove(*words: str) -> subprocess.CompletedProcess[str]:
        command = [program, "log", "prove", *words, "--vkey", "log.vkey"]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    with http_server(published) as address:
        done = prove("300", "--from", address)
        assert done.returncode == 0, done.stderr
        (data,) = entry_bytes(ledger, [300])
        assert verify_tlog_proof(done.stdout, data, KEYS.keys[0].vkey).tree_size == SIZE
        assert "Entry 300" in done.stderr
        as_json = prove("514", "--from", address, "--format", "json")
        assert json.loads(as_json.stdout)["leaf_index"] == 514
        assert prove("515", "--from", address).returncode == 1
    from_folder = prove("300", "--from", str(published))
    assert from_folder.stdout == done.stdout
    assert prove("300", "--from", address).returncode == 3, "nobody serves there any more"
    assert prove("300", "--from", str(published), "--tree-size", "5").returncode == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.vkey"]


# --- servers that lie, stall or are behind ----------------------------------------------------------------------------


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    """A copy of the published files, to be damaged."""
    return Path(shutil.copytree(published, tmp_path / "copy"))


@pytest.mark.parametrize(
    ("path", "damage", "error"),
    [
        ("checkpoint", lambda data: data.replace(b"\n515\n", b"\n514\n"), BadSignatureError),
        ("checkpoint", lambda data: b"", MalformedProofError),
        ("checkpoint", lambda data: b"\xff" + data, MalformedProofError),
        ("checkpoint", lambda data: data + b"x" * 600_000, StoreError),
        ("tile/0/001", lambda data: data[:32] + bytes(32) + data[64:], RootMismatchError),
        ("tile/0/001", lambda data: data[:-1], MalformedProofError),
        ("tile/0/001", lambda data: data + b"x", StoreError),
        ("tile/1/000.p/2", lambda data: data[32:] + data[:32], RootMismatchError),
        ("tile/0/002.p/3", lambda data: bytes(96), RootMismatchError),
        ("tile/entries/001", lambda data: data[:200] + b"#" + data[201:], RootMismatchError),
        ("tile/entries/001", lambda data: data[:-1], MalformedProofError),
        ("tile/entries/001", lambda data: b"", MalformedProofError),
        ("tile/entries/001", lambda data: data + b"\x00", MalformedProofError),
    ],
)
def test_a_changed_file_is_found(
    copy: Path, path: str, damage: Callable[[bytes], bytes], error: type[LedgerError]
) -> None:
    file = copy / path
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(error):
        prove_from(open_static_log(str(copy)), 256, KEYS)


@pytest.mark.parametrize("path", ["checkpoint", "tile/0/001", "tile/1/000.p/2", "tile/0/002.p/3"])
def test_a_missing_file_is_named(copy: Path, path: str) -> None:
    (copy / path).unlink()
    with pytest.raises(StoreError, match=re.escape(path)):
        prove_from(open_static_log(str(copy)), 256, KEYS)


def test_without_bundles_the_proof_stands_and_the_entry_counts_as_not_seen(copy: Path) -> None:
    shutil.rmtree(copy / "tile" / "entries")
    found = prove_from(open_static_log(str(copy)), 256, KEYS)
    assert found.entry is None
    assert len(found.leaf_hash) == 32


@pytest.fixture
def growing(_sqlite_template: Path, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of three entries."""
    shutil.copyfile(_sqlite_template, tmp_path / "ledger.db")
    made = make_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    start_log(made)
    yield made
    made.engine.dispose()


def test_a_checkpoint_read_before_the_log_grew_is_still_provable(growing: Ledger, tmp_path: Path) -> None:
    """Its partial tiles are gone as soon as there are full ones, which begin with the same hashes."""
    folder = tmp_path / "tiles"
    publish(growing, TileFolder(folder))
    source = open_static_log(str(folder))
    old = source.checkpoint()
    append_entries(growing, [receipt(f"G-{number}") for number in range(260)], ACTOR)
    publish(growing, TileFolder(folder))
    assert not (folder / "tile/0/000.p").exists()
    source.checkpoint = lambda: old  # type: ignore[method-assign]
    for seq, data in enumerate(entry_bytes(growing, range(3))):
        assert prove_from(source, seq, KEYS).entry == data


@contextmanager
def odd_server(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A server that answers every request in its own way."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer_with(status: int, body: bytes, **headers: str) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        answer_with(500, b""),
        answer_with(403, b""),
        answer_with(302, b"", Location="/elsewhere"),
        answer_with(200, b"x" * 9000),
        # 20 MB of zeros packed into 20 kB: unpacked only up to the limit.
        answer_with(200, gzip.compress(bytes(20_000_000)), Content_Encoding="gzip"),
        answer_with(200, b"no gzip", Content_Encoding="gzip"),
    ],
    ids=["broken", "forbidden", "elsewhere", "too long", "packed bomb", "not packed"],
)
def test_an_odd_answer_is_an_error(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> None:
    with odd_server(answer) as address, pytest.raises(StoreError, match=re.escape(address)):
        open_static_log(address).tile(Tile(0, 0))


def test_a_packed_file_is_unpacked(published: Path) -> None:
    data = (published / "tile/0/001").read_bytes()
    with odd_server(answer_with(200, gzip.compress(data), Content_Encoding="gzip")) as address:
        assert open_static_log(address).tile(Tile(0, 1)) == data


def test_a_server_that_drips_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(static_log, "MAX_SECONDS", 0.2)

    def drip(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "8192")
        handler.end_headers()
        for _ in range(100):
            try:
                handler.wfile.write(b"x")
            except OSError:  # the reader has left
                return
            time.sleep(0.02)

    with odd_server(drip) as address, pytest.raises(StoreError, match="not whole after"):
        open_static_log(address).tile(Tile(0, 0))


def test_names_of_files_are_made_and_never_taken_from_answers(published: Path) -> None:
    asked: list[str] = []

    def get(path: str, _most_bytes: int) -> bytes | None:
        asked.append(path)
        return None

    source = static_log.StaticLog("nowhere", get)
    assert source.entry(300, 515) is None
    with pytest.raises(StoreError):
        source.tile(Tile(0, 2, 3))
    assert asked == ["tile/entries/001", "tile/0/002.p/3", "tile/0/002"]
    assert Bundle(1).is_full
