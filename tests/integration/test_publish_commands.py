"""`log tiles`, `log publish` and `log prove --tree-size`, as processes of their own in a plant of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = str(Path(sys.executable).with_name("magnet-ledger"))
SITE = {"type": "site", "body": {"site_id": "BRN", "name": "Brno", "country": "CZ", "operator_id": "OP-1"}}
PARTY = {"type": "party", "body": {"party_id": "OP-1", "roles": ["operator"], "country": "CZ"}}


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], cwd=folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


def done(folder: Path, *words: str) -> str:
    answer = run(folder, *words)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def log_one(folder: Path, entry: dict[str, object]) -> None:
    (folder / "line.jsonl").write_text(json.dumps(entry))
    done(folder, "log", "append", "line.jsonl")


@pytest.fixture(scope="module")
def new_plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new plant that publishes into public/. Its log has two entries: the operator's key and the factors."""
    folder = tmp_path_factory.mktemp("plants") / "plant"
    words = ("--origin", "ledger.example.com/plant", "--operator", "op", "--issuer", "Example", "--country", "GB")
    done(folder.parent, "init", *words, "--dir", str(folder))
    with (folder / "magnet-ledger.toml").open("a") as file:
        file.write('tiles_dir = "public"\n')
    return folder


@pytest.fixture
def plant(new_plant: Path, tmp_path: Path) -> Path:
    """A copy of that plant for one test."""
    return Path(shutil.copytree(new_plant, tmp_path / "plant"))


def size_of(folder: Path) -> int:
    return int((folder / "checkpoint").read_text(encoding="utf-8").split("\n")[1])


def test_a_log_is_written_as_files_and_every_entry_proved_from_them(plant: Path) -> None:
    written = json.loads(done(plant, "log", "tiles", "out", "--json"))
    assert written == {"tree_size": 2, "folder": "out", "entries": True}
    log_one(plant, PARTY)
    assert "size 3" in done(plant, "log", "tiles", "out")
    assert size_of(plant / "out") == 3
    for seq in (0, 2):
        from_files = run(plant, "log", "prove", str(seq), "--from", "out")
        assert from_files.returncode == 0, from_files.stderr
        assert from_files.stdout == done(plant, "log", "prove", str(seq))
    assert run(plant, "log", "prove", "3", "--from", "out").returncode == 1
    done(plant, "log", "tiles", "hashes", "--hashes-only")
    assert not (plant / "hashes" / "tile" / "entries").exists()
    assert "not published" in run(plant, "log", "prove", "2", "--from", "hashes").stderr


def test_without_the_logs_key_the_newest_checkpoint_is_what_is_written(plant: Path) -> None:
    done(plant, "log", "checkpoint")
    log_one(plant, PARTY)
    (plant / "keys" / "log.key").rename(plant / "log.key")
    assert json.loads(done(plant, "log", "tiles", "out", "--json"))["tree_size"] == 2


def test_an_entry_is_proved_under_an_older_checkpoint_too(plant: Path) -> None:
    done(plant, "log", "checkpoint")
    log_one(plant, PARTY)
    done(plant, "log", "checkpoint")
    assert "\n3\n" in done(plant, "log", "prove", "1")
    older = json.loads(done(plant, "log", "prove", "1", "--tree-size", "2", "--format", "json"))
    assert "\n2\n" in older["checkpoint"]
    assert len(older["path"]) == 1  # the other one of two leaves
    for seq, size in (("2", "2"), ("0", "1"), ("0", "9")):
        assert run(plant, "log", "prove", seq, "--tree-size", size).returncode == 1


def test_a_round_is_published_and_a_rollback_refused_with_evidence(plant: Path) -> None:
    first = json.loads(done(plant, "log", "publish", "--json"))
    assert (first["tree_size"], first["is_new"], first["published"], first["findings"]) == (2, True, True, [])
    assert size_of(plant / "public") == 2
    assert not (plant / "public" / "tile" / "entries").exists(), "only where the settings say so"
    done(plant, "db", "backup", "old.db")
    log_one(plant, PARTY)
    assert json.loads(done(plant, "log", "publish", "--json"))["tree_size"] == 3
    for suffix in ("", "-wal", "-shm"):  # not by `db restore`, which refuses it as well
        (plant / f"ledger.db{suffix}").unlink(missing_ok=True)
    (plant / "old.db").rename(plant / "ledger.db")
    refused = run(plant, "log", "publish", "--json")
    assert refused.returncode == 1
    assert "entries 2 to 2 are missing" in refused.stdout
    (evidence,) = (plant / "pins" / "evidence").iterdir()
    assert json.loads(evidence.read_text(encoding="utf-8"))["kind"] == "rollback"
    assert size_of(plant / "public") == 3


def test_watching_publishes_what_others_log_until_it_is_interrupted(plant: Path) -> None:
    command = [PROGRAM, "log", "publish", "--watch", "--every", "1"]
    with subprocess.Popen(
        command, cwd=plant, env=environment(), stderr=subprocess.PIPE, text=True, preexec_fn=_heed_interrupts
    ) as watcher:
        try:
            _wait_for(plant, 2)
            log_one(plant, PARTY)
            log_one(plant, SITE)
            _wait_for(plant, 4)
            watcher.send_signal(signal.SIGINT)
            _, said = watcher.communicate(timeout=30)
        finally:
            watcher.kill()  # nothing, if it has ended
    assert (watcher.returncode, said) == (0, "")


def _heed_interrupts() -> None:
    """Whoever runs the tests in the background of a shell has them, and all they start, ignore interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _wait_for(plant: Path, size: int) -> None:
    for _ in range(600):
        if (plant / "public" / "checkpoint").exists() and size_of(plant / "public") == size:
            return
        time.sleep(0.05)
    raise AssertionError(f"size {size} was not published within 30 seconds")
