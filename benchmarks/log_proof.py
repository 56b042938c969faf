"""Inclusion proofs from a large log on disk, at places drawn at random, against pymerkle's SQLite tree of that size.

Both are processes of their own that have just opened a file of which the system holds nothing in memory.
`python -m benchmarks.log_proof URL PIN SIZE SEED COUNT` is the product's; it prints the seconds of each proof as JSON.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.harness import Row, in_turns, quantile, say
from benchmarks.workshop import Workshop, forget_file, opened, sqlite_file
from ledger.service.checkpoints import find_proof

ROOT = Path(__file__).parents[1]
CHECKERS_PYTHON = ROOT / ".venv-checkers" / "bin" / "python"
TIMES_GOAL = 5.0
P50_GOAL_S = 0.001


def rows(workshop: Workshop) -> list[Row]:
    """The goal's rows, and two for when both have done it for a while."""
    sizes = workshop.sizes
    ledger = workshop.log("sqlite", sizes.large)
    file, tree_file = sqlite_file(ledger), workshop.folder / "pymerkle.db"
    say("inclusion proof: making pymerkle's tree")
    peer = [str(CHECKERS_PYTHON), str(Path(__file__).with_name("pymerkle_peer.py")), str(tree_file), str(sizes.large)]
    _seconds([*peer, "0", "0"], tree_file)
    say("inclusion proof")
    url = ledger.engine.url.render_as_string(hide_password=False)
    product = [sys.executable, "-m", "benchmarks.log_proof", url, str(ledger.pin_path), str(sizes.large)]
    count = str(sizes.proofs + sizes.warm_proofs + sizes.proofs)
    seeds = itertools.count()
    ours, theirs = in_turns(
        [
            lambda: _seconds([*product, str(next(seeds) // 2), count], file),  # // 2: the same places for both
            lambda: _seconds([*peer, str(next(seeds) // 2), count], tree_file),
        ],
        sizes.repeats,
        warm_up=False,
    )
    first, last = slice(sizes.proofs), slice(-sizes.proofs, None)
    what = f"inclusion proof at {sizes.large:,} entries, from disk"
    against = "pymerkle's SQLite tree, its own process"
    p50, peer_p50, p50_text, peer_text = _compared(ours, theirs, first)
    times = peer_p50 / p50
    later_p50, peer_later_p50, later_text, peer_later_text = _compared(ours, theirs, last)
    return [
        Row(
            what,
            against,
            p50_text,
            peer_text,
            times,
            "at least 5 times faster; p50 under 1 ms",
            times >= TIMES_GOAL and p50 < P50_GOAL_S,
        ),
        Row(
            f"the same after {sizes.proofs + sizes.warm_proofs:,} proofs, with pymerkle's cache in memory",
            against,
            later_text,
            peer_later_text,
            peer_later_p50 / later_p50,
        ),
    ]


def _compared(ours: list[list[float]], theirs: list[list[float]], which: slice) -> tuple[float, float, str, str]:
    """Median p50 of both, over these proofs of each run, and what to print for both."""
    figures = []
    for runs in (ours, theirs):
        p50, p99 = (median(quantile(run[which], share) for run in runs) for share in (0.5, 0.99))
        figures.append((p50, f"p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.1f} ms"))
    return figures[0][0], figures[1][0], figures[0][1], figures[1][1]


def _seconds(command: list[str], file: Path) -> list[float]:
    """What the command prints, with `file` out of the system's memory when it starts."""
    if file.exists():
        forget_file(file)
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    took: list[float] = json.loads(done.stdout)
    return took


def main(url: str, pin: str, size: str, seed: str, count: str) -> None:
    places = random.Random(int(seed))
    took = []
    with opened(url, Path(pin)) as ledger:
        for _ in range(int(count)):
            seq = places.randrange(int(size))
            start = time.perf_counter()
            find_proof(ledger, seq, int(size))
            took.append(time.perf_counter() - start)
    print(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
