"""Inclusion proofs of pymerkle's SQLite tree: `python pymerkle_peer.py FILE SIZE SEED COUNT`, in .venv-checkers.

A program of its own: pymerkle bears another licence than this project and is not imported by it. Builds the tree in
FILE if it is not there yet, then prints the seconds of each of COUNT proofs at places drawn from SEED, as JSON.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from pymerkle import SqliteTree


def main(file: str, size: str, seed: str, count: str) -> None:
    fresh = not Path(file).exists()
    tree = SqliteTree(file)
    if fresh:
        # What it is given does not change how it proves: proofs come from the hashes that it keeps.
        tree.append_entries(b"%d" % number for number in range(int(size)))
    places = random.Random(int(seed))
    took = []
    for _ in range(int(count)):
        index = places.randrange(int(size)) + 1  # it counts from 1
        start = time.perf_counter()
        tree.prove_inclusion(index, int(size))
        took.append(time.perf_counter() - start)
    print(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
