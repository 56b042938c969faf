"""Inclusion proofs from a large log on disk, at places drawn at random, against pymerkle's SQLite tree of that size.

Both are processes of their own. From disk: they have just opened a file of which the system holds nothing in memory.
`python -m benchmarks.log_proof URL PIN SIZE SEED COUNT` is the product's; it prints the seconds of each proof as JSON.
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.harness import Row, in_turns, quantile, say
from benchmarks.workshop import Workshop, forget_file, opened, read_file, sqlite_file
from ledger.service.checkpoints import find_proof

ROOT = Path(__file__).parents[1]
CHECKERS_PYTHON = ROOT / ".venv-checkers" / "bin" / "python"
TIMES_GOAL = 5.0
P50_GOAL_S = 0.001


def rows(workshop: Workshop) -> list[Row]:
    """The goal's row, and one for when memory holds what either keeps there."""
    sizes = workshop.sizes
    ledger = workshop.log("sqlite", sizes.large)
    tree_file = workshop.folder / "pymerkle.db"
    say("inclusion proof: making pymerkle's tree")
    url, size = ledger.engine.url.render_as_string(hide_password=False), str(sizes.large)
    product = [sys.executable, "-m", "benchmarks.log_proof", url, str(ledger.pin_path), size]
    peer = [str(CHECKERS_PYTHON), str(Path(__file__).with_name("pymerkle_peer.py")), str(tree_file), size]
    _prove(peer, 0, 0)
    say("inclusion proof")
    seeds = itertools.count()

    def cold(command: list[str], file: Path) -> list[float]:
        forget_file(file)
        return _prove(command, next(seeds) // 2, sizes.proofs)  # // 2: the same places for both

    def warm(command: list[str], file: Path) -> list[float]:
        read_file(file)
        return _prove(command, next(seeds) // 2, sizes.warm_proofs + sizes.proofs)[-sizes.proofs :]

    against = "pymerkle's SQLite tree, its own process"
    found = []
    for measure, where in ((cold, "from disk"), (warm, f"from memory, after {sizes.warm_proofs:,} others")):
        ours, theirs = in_turns(
            [partial(measure, product, sqlite_file(ledger)), partial(measure, peer, tree_file)],
            sizes.repeats,
            warm_up=False,
        )
        (p50, text), (peer_p50, peer_text) = _medians(ours), _medians(theirs)
        times = peer_p50 / p50
        goal, met = "", None
        if measure is cold:
            goal, met = "at least 5 times faster; p50 under 1 ms", times >= TIMES_GOAL and p50 < P50_GOAL_S
        what = f"inclusion proof at {sizes.large:,} entries, {where}"
        found.append(Row(what, against, text, peer_text, times, goal, met))
    return found


def _medians(runs: list[list[float]]) -> tuple[float, str]:
    """Median of the runs' p50, and that with p99 as text."""
    p50, p99 = (median(quantile(run, share) for run in runs) for share in (0.5, 0.99))
    return p50, f"p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.1f} ms"


def _prove(command: list[str], seed: int, count: int) -> list[float]:
    """Seconds of each of `count` proofs at places drawn from `seed`, by a new process."""
    done = subprocess.run([*command, str(seed), str(count)], check=True, capture_output=True, text=True, cwd=ROOT)
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
