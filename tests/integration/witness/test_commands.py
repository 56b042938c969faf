"""`magnet-ledger witness` and `log compare` as their users type them, each as its own process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.add_checkpoint import format_request
from ledger.log.checkpoint import Checkpoint, format_vkey, parse_checkpoint, sign_checkpoint
from ledger.log.cosignature import cosignatures_of, parse_witness_vkey
from ledger.log.split_view import check_split_view
from ledger.report import Outcome
from ledger.store.key_files import load_private_key
from tests.log_samples import LOG_KEY, ORIGIN
from tests.served_witness import FORKED, NAME, note, request

pytestmark = pytest.mark.slow

VKEY = format_vkey(ORIGIN, LOG_KEY.public_key())
PROGRAM = str(Path(sys.executable).with_name("magnet-ledger"))
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """`witness serve` on a free port; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([PROGRAM, "witness", "serve", str(folder), "--port", str(port)], env=ENVIRONMENT)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except urllib.error.URLError:
                assert server.poll() is None, "the witness has ended"
                assert time.monotonic() < deadline, "the witness does not answer"
                time.sleep(0.05)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def test_a_witness_is_made_told_of_a_log_and_served(tmp_path: Path) -> None:
    made = run(tmp_path, "witness", "init", "w", "--name", NAME)
    key = parse_witness_vkey(made.stdout.strip())
    assert run(tmp_path, "witness", "key", "w").stdout == made.stdout
    assert run(tmp_path, "witness", "add-log", "w", VKEY).stdout == f"{ORIGIN}: added\n"
    assert run(tmp_path, "witness", "add-log", "w", VKEY).stdout == f"{ORIGIN}: known already\n"
    with served(tmp_path / "w") as url:
        body = format_request(request(0, 5)).encode()
        with urllib.request.urlopen(f"{url}/add-checkpoint", body, timeout=10) as answer:
            line = answer.read().decode()
        with pytest.raises(urllib.error.HTTPError, match="422"):
            urllib.request.urlopen(f"{url}/add-checkpoint", format_request(request(5, 5, FORKED)).encode(), timeout=10)
    ((witness, seconds),) = cosignatures_of(note(5) + line, [key])
    assert witness == key
    assert abs(seconds - time.time()) < 60  # the machine's clock
    status = json.loads(run(tmp_path, "witness", "status", "w", "--json").stdout)
    root = parse_checkpoint(note(5))[0].root.hex()
    assert status["logs"] == [{"origin": ORIGIN, "tree_size": 5, "root": root}]
    assert [name.rpartition(".")[2] for name in status["refused"]] == ["split-view"]
    shown = run(tmp_path, "witness", "status", "w").stdout
    assert root in shown
    assert "1 refused" in shown


def test_a_witness_is_not_made_twice_and_an_unknown_folder_is_refused(tmp_path: Path) -> None:
    first = run(tmp_path, "witness", "init", "w", "--name", NAME)
    again = run(tmp_path, "witness", "init", "w", "--name", NAME)
    assert (again.returncode, again.stdout) == (3, "")
    assert run(tmp_path, "witness", "key", "w").stdout == first.stdout
    for words in (["key", "x"], ["status", "x"], ["add-log", "x", VKEY], ["serve", "x"]):
        refused = run(tmp_path, "witness", *words)
        assert refused.returncode == 3, words
        assert "witness init" in refused.stderr
    assert run(tmp_path, "witness", "init", "y", "--name", "a b").returncode == 2
    assert run(tmp_path, "witness", "add-log", "w", "nonsense").returncode == 2
    assert not (tmp_path / "y").exists()


def test_a_key_with_a_passphrase_is_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("magnet\n")
    assert run(tmp_path, "witness", "init", "w", "--name", NAME, "--passphrase-file", "pass").returncode == 0
    assert run(tmp_path, "witness", "serve", "w").returncode == 3


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder with checkpoints of two stories."""
    for name, text in {"five": note(5), "seven": note(7), "other": note(7, FORKED), "ten": note(10, FORKED)}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_two_checkpoints_of_one_history_compare_with_0(notes: Path) -> None:
    same = run(notes, "log", "compare", "seven", "seven", "--vkey", VKEY)
    assert (same.returncode, "passed" in same.stdout) == (0, True)


def test_a_split_view_compares_with_1_and_leaves_evidence(notes: Path) -> None:
    split = run(notes, "log", "compare", "seven", "other", "--vkey", VKEY, "--json")
    assert split.returncode == 1
    value = json.loads(split.stdout)
    assert value["outcome"] == "failed"
    evidence = (notes / value["evidence"]).read_text()
    assert check_split_view(evidence).outcome is Outcome.PASSED
    # What was written once is not written over.
    assert run(notes, "log", "compare", "seven", "other", "--vkey", VKEY).returncode == 3
    named = run(notes, "log", "compare", "other", "seven", "--vkey", VKEY, "--evidence", "e.txt")
    assert named.returncode == 1
    assert (notes / "e.txt").read_text() != evidence  # the same proof, the other checkpoint first
    assert check_split_view((notes / "e.txt").read_text()).outcome is Outcome.PASSED


def test_two_sizes_without_tiles_compare_with_3_and_leave_no_evidence(notes: Path) -> None:
    before = sorted(notes.iterdir())
    unknown = run(notes, "log", "compare", "five", "ten", "--vkey", VKEY)
    assert (unknown.returncode, "not checked" in unknown.stdout) == (3, True)
    assert sorted(notes.iterdir()) == before


def test_without_the_log_s_key_nothing_is_compared(notes: Path) -> None:
    assert run(notes, "log", "compare", "seven", "other").returncode == 3  # no trust folder
    (notes / "trust").mkdir()
    assert run(notes, "log", "compare", "seven", "other").returncode == 2
    (notes / "trust" / "log.vkey").write_text(VKEY + "\n")
    assert run(notes, "log", "compare", "seven", "other").returncode == 1


# A whole installation: the log's own tiles, a witness, and a certificate's checkpoint.


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    words = ["--origin", "ledger.example.com/plant", "--operator", "op", "--issuer", "Example Ltd", "--country", "GB"]
    made = run(tmp_path, "init", "--dir", "plant", *words)
    assert made.returncode == 0, made.stderr
    return tmp_path / "plant"


def test_a_plant_publishes_with_its_witness_s_line_and_a_rewritten_copy_of_it_is_convicted(plant: Path) -> None:
    folder = plant.parent / "w"
    vkey = (plant / "trust" / "log.vkey").read_text().strip()
    key = parse_witness_vkey(run(plant, "witness", "init", str(folder), "--name", NAME).stdout.strip())
    assert run(plant, "witness", "add-log", str(folder), str(plant / "trust" / "log.vkey")).returncode == 0
    with served(folder) as url:
        (plant / "trust" / "w.witness").write_text((folder / "witness.vkey").read_text() + url + "\n")
        first = run(plant, "log", "publish", "--json")
        assert first.returncode == 0, first.stderr
    published = json.loads(first.stdout)["note"]
    assert [found for found, _ in cosignatures_of(published, [key])] == [key]
    (plant / "honest").write_text(published)

    # A second history under the same key: what a thief of the key, or the owner, could sign elsewhere.
    log_key = load_private_key(plant / "keys" / "log.key")
    assert isinstance(log_key, Ed25519PrivateKey)
    forged = sign_checkpoint(Checkpoint("ledger.example.com/plant", 1, bytes(32)), log_key)
    (plant / "forged").write_text(forged)
    split = run(plant, "log", "compare", "honest", "forged", "--evidence", "evidence")
    assert split.returncode == 1, split.stdout + split.stderr
    evidence = (plant / "evidence").read_text()
    assert check_split_view(evidence).outcome is Outcome.PASSED
    assert vkey in evidence
    assert "prefix " in evidence  # sizes 1 and 2: connected by the log's own tiles

    # With the witness gone, publishing goes on and says so; a certificate would be refused.
    record = plant / "entry.jsonl"
    body = {"party_id": "P-1", "roles": ["operator"], "country": "GB"}
    record.write_text(json.dumps({"type": "party", "body": body, "private": {"name": "Example Ltd"}}) + "\n")
    assert run(plant, "log", "append", str(record)).returncode == 0
    for verb in ("publish", "checkpoint"):
        silent = run(plant, "log", verb)
        assert silent.returncode == 0
        assert f"{NAME}: it cannot be reached" in silent.stderr
