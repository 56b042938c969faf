"""`magnet-ledger private`: from logging a secret to its erasure, as its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SECRET = "Kovošrot Beneš 4711"
LINES = [
    {"type": "party", "body": {"party_id": "SUP-1", "roles": ["supplier"], "country": "CZ"},
     "private": {"name": SECRET, "vat_id": "CZ12345678"}},
    {"type": "site", "body": {"site_id": "BRN", "name": "Brno", "country": "CZ", "operator_id": "SUP-1"}},
]  # fmt: skip


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}
    program = Path(sys.executable).with_name("magnet-ledger")
    return subprocess.run(
        [str(program), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def done(folder: Path, *words: str) -> str:
    answer = run(folder, *words)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plant whose entry 2 has two private fields."""
    folder = tmp_path_factory.mktemp("private")
    words = ("--origin", "ledger.example.com/plant", "--operator", "op", "--issuer", "Example", "--country", "GB")
    done(folder, "init", *words)
    (folder / "lines.jsonl").write_text("\n".join(json.dumps(line) for line in LINES))
    done(folder, "log", "append", "lines.jsonl")
    return folder


def test_a_secret_is_listed_shown_disclosed_checked_and_erased(plant: Path) -> None:
    listed = json.loads(done(plant, "private", "list", "--json"))
    assert [(one["seq"], one["field"], one["subject"], one["state"]) for one in listed] == [
        (2, "name", "party/SUP-1", "kept"), (2, "vat_id", "party/SUP-1", "kept")
    ]  # fmt: skip
    assert SECRET not in done(plant, "private", "list")
    assert json.loads(done(plant, "private", "show", "2", "name")) == {"name": SECRET}
    done(plant, "private", "disclose", "2", "name", "--out", "shown.json")
    assert (plant / "shown.json").stat().st_mode & 0o777 == 0o600
    entry = subprocess.run(
        [str(Path(sys.executable).with_name("magnet-ledger")), "log", "show", "2"],
        cwd=plant,
        check=True,
        capture_output=True,
    ).stdout
    (plant / "entry").write_bytes(entry)
    # The reader has these two files and nothing else.
    reader = plant / "reader"
    reader.mkdir()
    words = ("private", "check", "../shown.json", "--entry", "../entry")
    assert "The entry commits to these values." in done(reader, *words)
    (plant / "shown.json").write_text((plant / "shown.json").read_text().replace("4711", "4712"))
    refused = run(reader, *words, "--json")
    assert (refused.returncode, json.loads(refused.stdout)["ok"]) == (1, False)
    backup = done(plant, "db", "backup", "copy.db")
    assert "ciphertext only" in backup
    assert str(plant / "vault") in backup
    doctor = {one["check"]: one for one in json.loads(done(plant, "doctor", "--json"))["checks"]}
    assert "1 keys" in doctor["vault-closed"]["detail"]
    answer = run(plant, "private", "erase", "--subject", "party/SUP-1", "--reason", f"for {SECRET}")
    assert answer.returncode == 2
    assert SECRET not in answer.stderr
    one = done(plant, "private", "erase", "--entry", "2", "--field", "vat_id", "--reason", "not needed")
    assert "1 values erased, by entry 4; 1 keys destroyed." in one
    erased = json.loads(done(plant, "private", "erase", "--subject", "party/SUP-1", "--reason", "asked for", "--json"))
    assert (erased["seq"], erased["fields"]) == (5, [{"seq": 2, "field": "name"}])
    assert list((plant / "vault").iterdir()) == []
    assert "erased by entry 5" in done(plant, "private", "list")
    assert run(plant, "private", "disclose", "2", "name", "--out", "again.json").returncode == 1
    assert json.loads(done(plant, "private", "show", "2")) == {}
    assert "The log holds." in done(plant, "log", "verify")
    assert "0 values erased; 0 keys destroyed." in done(plant, "private", "erase", "--resume")
    for path in plant.glob("ledger.db*"):
        assert SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--subject", "party/SUP-1"),
        ("--subject", "party/SUP-1", "--reason", "x", "--resume"),
        ("--entry", "2", "--reason", "x"),
        ("--field", "name", "--reason", "x"),
        ("--resume", "--requested-by", "SUP-1"),
        ("--entry", "2", "--field", "name", "--subject", "party/SUP-1", "--reason", "x"),
    ],
)
def test_an_erasure_that_does_not_say_what_or_why_is_refused(plant: Path, words: tuple[str, ...]) -> None:
    answer = run(plant, "private", "erase", *words)
    assert answer.returncode == 2
    assert "--reason" in answer.stderr


def test_the_entry_of_an_erasure_cannot_be_appended_by_hand(plant: Path) -> None:
    line = {"type": "private_erased", "body": {"subject": "party/SUP-1", "reason": "x"}}
    (plant / "by-hand.jsonl").write_text(json.dumps(line))
    answer = run(plant, "log", "append", "by-hand.jsonl")
    assert answer.returncode == 2
    assert "private erase" in answer.stderr


def test_doctor_finds_a_vault_that_others_can_read_or_that_has_lost_a_key(plant: Path) -> None:
    (plant / "more.jsonl").write_text(json.dumps({**LINES[0], "body": {**LINES[0]["body"], "party_id": "SUP-2"}}))
    done(plant, "log", "append", "more.jsonl")
    (key,) = (plant / "vault").glob("*.key")
    key.chmod(0o644)
    answer = run(plant, "doctor")
    assert answer.returncode == 3
    assert "chmod" in answer.stdout
    key.unlink()
    assert "no key for private values of party/SUP-2" in run(plant, "doctor").stdout
