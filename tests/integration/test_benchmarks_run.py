"""The benchmarks still run, in sizes that say nothing about speed: no figure is looked at here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "RESULTS.md"

# Rows of each part: what is measured on both databases, with its further rows, gives twice as many.
ROWS = {"append": 10, "bulk": 4, "verify": 1, "signatures": 1, "memory": 2, "proof": 2, "growth": 2}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.bench_log", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_every_part_gives_its_rows_and_a_quick_run_leaves_the_results_alone() -> None:
    before = RESULTS.read_bytes() if RESULTS.exists() else None
    done = bench("--quick")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    header, rows = lines[0], lines[2:]
    assert header == "| what | against | product | peer | ratio | goal | met |"
    assert len(rows) == sum(ROWS.values())
    assert (RESULTS.read_bytes() if RESULTS.exists() else None) == before


def test_one_part_can_be_chosen() -> None:
    done = bench("--quick", "--only", "verify")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| full verify")]
    assert len(rows) == ROWS["verify"]


def test_an_unknown_part_is_refused_and_the_known_ones_are_named() -> None:
    done = bench("--only", "speed")
    assert done.returncode == 2
    assert all(name in done.stderr for name in ROWS)
