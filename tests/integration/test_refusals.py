"""Bad input at the command line: named, located, and nothing written, in a plant of one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run() -> Run:
    """Runs `magnet-ledger` in a folder, as its own process."""

    def run_in(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}
        program = Path(sys.executable).with_name("magnet-ledger")
        return subprocess.run(
            [str(program), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run_in


@pytest.fixture
def plant(tmp_path: Path, run: Run) -> Path:
    """A plant set up with `init`: two entries, the operator's key and the emission factors."""
    answer = run(tmp_path, *init_words("plant"))
    assert answer.returncode == 0, answer.stderr
    return tmp_path / "plant"


def init_words(folder: str, **changes: str) -> list[str]:
    values = {
        "origin": "ledger.example.com/plant",
        "operator": "op",
        "issuer": "Example Ltd",
        "country": "GB",
        **changes,
    }
    return ["init", "--dir", folder, *(word for name, value in values.items() for word in (f"--{name}", value))]


def size(plant: Path, run: Run) -> int:
    answer = run(plant, "doctor", "--json")
    detail: str = next(
        check["detail"] for check in json.loads(answer.stdout)["checks"] if check["check"] == "log-readable"
    )
    return int(detail.split(" ", 1)[0])


def campaign(plant: Path, *events: dict[str, Any]) -> str:
    document = {"format": "magnet-ledger-campaign/1", "campaign": "C", "purpose": "a test", "events": list(events)}
    (plant / "campaign.json").write_text(json.dumps(document), encoding="utf-8")
    return "campaign.json"


PARTY = {"type": "party", "body": {"party_id": "P-1", "roles": ["operator"], "country": "GB"}}


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"type": "party", "body": {**PARTY["body"], "party_id": ["P"]}}, "/events/0/body/party_id"),  # type: ignore[dict-item]
        ({"type": "party", "body": {**PARTY["body"], "name": "a\u202eb"}}, "/events/0/body/name"),  # type: ignore[dict-item]
        ({"type": "party", "body": {**PARTY["body"], "name": "\u200b"}}, "/events/0/body/name"),  # type: ignore[dict-item]
        ({"type": "magnet", "body": {}}, "/events/0/type"),
        ({"type": "certificate_issued", "body": {}}, "/events/0/type"),
        ({**PARTY, "private": {"country": "GB"}}, "/events/0/private/country"),
    ],
    ids=["id-of-a-list", "direction-override", "zero-width", "no-such-type", "made-by-a-command", "private-in-clear"],
)
def test_a_bad_event_is_named_by_its_place_and_nothing_is_logged(
    plant: Path, run: Run, event: dict[str, Any], field: str
) -> None:
    before = size(plant, run)
    answer = run(plant, "campaign", "import", campaign(plant, event), "--json")
    assert answer.returncode == 2, answer.stderr
    assert [item["field"] for item in json.loads(answer.stdout)["problems"]] == [field]
    assert size(plant, run) == before


def test_every_bad_event_of_a_file_is_listed(plant: Path, run: Run) -> None:
    bad = {"type": "party", "body": {"party_id": "P-2", "roles": [], "country": "Spain"}}
    answer = run(plant, "campaign", "import", campaign(plant, PARTY, bad, {"type": "nothing", "body": {}}), "--json")
    fields = {item["field"] for item in json.loads(answer.stdout)["problems"]}
    assert fields == {"/events/1/body/roles", "/events/1/body/country"}
    assert size(plant, run) == 2


def test_a_bad_line_is_named_by_its_number(plant: Path, run: Run) -> None:
    lines = [
        json.dumps(PARTY),
        "",
        json.dumps({"type": "site", "body": {"site_id": "S", "name": "n", "country": "GB", "operator_id": "P-9"}}),
    ]
    (plant / "lines.jsonl").write_text("\n".join(lines), encoding="utf-8")
    answer = run(plant, "log", "append", "lines.jsonl")
    assert answer.returncode == 1
    assert "/line 3/body/operator_id" in answer.stderr
    assert size(plant, run) == 2


def test_an_entry_can_be_shown_and_its_proof_checked_by_its_bytes(plant: Path, run: Run) -> None:
    from ledger.log.checkpoint import parse_vkey
    from ledger.log.proof import verify_tlog_proof

    (plant / "lines.jsonl").write_text(json.dumps(PARTY), encoding="utf-8")
    (appended,) = json.loads(run(plant, "log", "append", "lines.jsonl", "--json").stdout)["entries"]
    assert (appended["seq"], appended["repeated"], appended["warnings"]) == (2, False, [])
    data = run(plant, "log", "show", "2").stdout.encode("utf-8")
    proof = run(plant, "log", "prove", "2").stdout
    vkey = parse_vkey((plant / "trust" / "log.vkey").read_text(encoding="utf-8").strip())
    assert verify_tlog_proof(proof, data, vkey).tree_size == 3


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"origin": "led ger"}, "origin"),
        ({"operator": "o p"}, "operator"),
        ({"issuer": "a\nb"}, "issuer"),
        ({"country": "ÄÖ"}, "country"),
    ],
)
def test_an_installation_with_a_bad_name_leaves_nothing_behind(
    tmp_path: Path, run: Run, change: dict[str, str], word: str
) -> None:
    answer = run(tmp_path, *init_words("plant", **change))
    assert answer.returncode == 2, answer.stderr
    assert word in answer.stderr
    assert not (tmp_path / "plant").exists()


def test_a_certificate_is_not_logged_when_its_file_cannot_be_written(plant: Path, run: Run) -> None:
    answer = run(plant, "certificate", "issue", "B-1", "--kind", "co2", "--out", "no-such-folder/x.pdf")
    assert answer.returncode == 2
    assert "--out" in answer.stderr
    assert size(plant, run) == 2


def test_in_a_folder_without_an_installation_the_way_there_is_told(tmp_path: Path, run: Run) -> None:
    answer = run(tmp_path, "batch", "list")
    assert answer.returncode == 3
    assert "magnet-ledger init" in answer.stderr
    assert not list(tmp_path.iterdir())
