"""`magnet-ledger log verify`, in full and since the last time, as its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PARTY = {"type": "party", "body": {"party_id": "SUP-1", "roles": ["supplier"], "country": "CZ"}}
SITE = {"type": "site", "body": {"site_id": "BRN", "name": "Brno", "country": "CZ", "operator_id": "SUP-1"}}


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}
    program = Path(sys.executable).with_name("magnet-ledger")
    return subprocess.run(
        [str(program), *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_log_is_verified_in_full_then_since_that_and_says_what_it_left_out(tmp_path: Path) -> None:
    words = ("--origin", "ledger.example.com/plant", "--operator", "op", "--issuer", "Example", "--country", "GB")
    assert run(tmp_path, "init", *words).returncode == 0
    (tmp_path / "party.jsonl").write_text(json.dumps(PARTY))
    (tmp_path / "site.jsonl").write_text(json.dumps(SITE))
    assert run(tmp_path, "log", "append", "party.jsonl").returncode == 0
    assert run(tmp_path, "log", "checkpoint").returncode == 0

    early = run(tmp_path, "log", "verify", "--since-last")
    assert early.returncode == 3
    assert "log verify --full" in early.stderr

    full = run(tmp_path, "log", "verify", "--jobs", "2")
    assert full.returncode == 0, full.stdout
    assert full.stdout.startswith("The log holds. Not checked: ")
    assert "plant-rules" not in full.stdout.splitlines()[0]
    assert [path.name for path in (tmp_path / "pins").glob("*.verified")] == [
        "ledger.example.com_plant.checkpoint.verified"
    ]

    assert run(tmp_path, "log", "append", "site.jsonl").returncode == 0
    since = run(tmp_path, "log", "verify", "--since-last", "--json")
    assert since.returncode == 0, since.stdout
    answer = json.loads(since.stdout)
    assert answer["ok"]
    assert {"earlier-entries", "plant-rules", "derived-tables"} <= set(answer["not_checked"])
    form = next(check for check in answer["checks"] if check["check"] == "entry-form")
    # Two entries register the keys of a new plant, the third is the party; the site is the one that came since.
    assert form["outcome"] == "passed"
    assert "(entry 3)" in form["detail"]

    for option, left_out in (("--log-only", "plant-rules"), ("--links-only", "entry-signature")):
        part = run(tmp_path, "log", "verify", option)
        assert part.returncode == 0
        assert left_out in part.stdout.splitlines()[0]
