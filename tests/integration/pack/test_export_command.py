"""`log export` in a plant of its own, and its pack checked with the key from the plant's trust folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.integration.pack.conftest import Verify

PROGRAM = str(Path(sys.executable).with_name("magnet-ledger"))
PARTY = {
    "type": "party",
    "body": {"party_id": "OP-1", "roles": ["operator"], "country": "GB"},
    "private": {"name": "Secret GmbH"},
}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}
    return subprocess.run(
        [PROGRAM, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def done(folder: Path, *words: str) -> str:
    answer = run(folder, *words)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_a_plant_exports_a_pack_that_its_auditor_verifies(tmp_path: Path, verify: Verify) -> None:
    plant = tmp_path / "plant"
    words = ("--origin", "ledger.example.com/plant", "--operator", "op", "--issuer", "Example", "--country", "GB")
    done(tmp_path, "init", *words, "--dir", str(plant))
    (plant / "line.jsonl").write_text(json.dumps(PARTY))
    done(plant, "log", "append", "line.jsonl")  # entry 2, after the operator's key and the factors
    done(plant, "private", "disclose", "2", "name", "--out", "shown.json")
    summary = json.loads(done(plant, "log", "export", "pack.zip", "--disclose", "shown.json", "--json"))
    pack = (plant / "pack.zip").read_bytes()
    assert summary == {
        "file": "pack.zip",
        "tree_size": 3,
        "left_out": 0,
        "checkpoints": 1,
        "timestamps": 0,
        "disclosed_fields": 1,
        "size": len(pack),
    }

    (vkey,) = [path.read_text(encoding="utf-8").strip() for path in (plant / "trust").glob("*.vkey")]
    verdict = verify(pack, "--vkey", vkey)
    assert (verdict.exit_code, verdict.value["verdict"]) == (0, "verified")
    assert verdict.outcome("disclosed-fields") == "passed"

    again = run(plant, "log", "export", "pack.zip")
    assert again.returncode == 3
    assert "does not exist yet" in again.stderr
    assert (plant / "pack.zip").read_bytes() == pack
    said = done(plant, "log", "export", "closed.zip")
    assert "3 entries, 1 checkpoints, 0 time stamps, 0 disclosed values" in said
    assert b"Secret GmbH" not in (plant / "closed.zip").read_bytes()


def test_a_disclosure_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    words = ("--origin", "ledger.example.com/plant", "--operator", "op", "--issuer", "Example", "--country", "GB")
    done(tmp_path, "init", *words, "--dir", str(tmp_path))
    (tmp_path / "shown.json").write_text("{}")
    refused = run(tmp_path, "log", "export", "pack.zip", "--disclose", "shown.json")
    assert refused.returncode == 1
    assert not (tmp_path / "pack.zip").exists()
