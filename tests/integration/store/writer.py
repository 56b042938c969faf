"""A writer in its own process: `python -m tests.integration.store.writer URL FOLDER NAME COUNT`.

Appends COUNT lots NAME-0, NAME-1, ... one by one, and prints each sequence number once it is acknowledged.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.service.append import append_entries
from tests.store_samples import ACTOR, make_ledger, receipt


def main(url: str, folder: str, name: str, count: str) -> None:
    ledger = make_ledger(url, Path(folder), series=ord(name[-1]))
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(count)):
        appended = append_entries(ledger, [receipt(f"{name}-{number}")], ACTOR)[0]
        print(appended.seq, appended.leaf_hash, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
