"""What is done to a small ledger while faults are injected. Each takes a folder that `prepare` has made.

What is acknowledged is written to the file "acks", a line each, only after the call has returned.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ledger.service.append import append_entries
from ledger.service.context import Ledger
from ledger.service.private_fields import erase_fields
from tests.store_samples import ACTOR, make_ids, make_ledger, receipt

APPENDS = 3


def open_ledger(folder: Path, series: int = 0) -> Ledger:
    """The ledger in the folder."""
    return make_ledger(f"sqlite:///{folder / 'ledger.db'}", folder, series)


def append_one_by_one(folder: Path) -> None:
    """Three entries, each acknowledged on its own."""
    ledger = replace(open_ledger(folder, 1), new_id=make_ids(1))
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in range(APPENDS):
        (entry,) = append_entries(ledger, [receipt(f"F-{number}")], ACTOR)
        os.write(acks, f"{entry.seq} {entry.leaf_hash}\n".encode())


def write_orders(folder: Path, url: str, name: str, series: int) -> None:
    """What `append_on` in this folder is to do: where, under which names, with which ids."""
    (folder / "orders").write_text(json.dumps({"url": url, "name": name, "series": series}))


def append_on(folder: Path) -> None:
    """Entries without end, each acknowledged on its own, into the log that the folder's orders name."""
    orders = json.loads((folder / "orders").read_text())
    ledger = make_ledger(orders["url"], folder, orders["series"])
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in itertools.count():
        (entry,) = append_entries(ledger, [receipt(f"{orders['name']}-{number}")], ACTOR)
        os.write(acks, f"{entry.seq} {entry.leaf_hash}\n".encode())


def erase_one_field(folder: Path) -> None:
    """One private field of the party that `start_log` logs; the other one stays."""
    erased = erase_fields(open_ledger(folder, 1), {1: ["vat_id"]}, ACTOR, "no longer needed")
    (folder / "erased").write_text(f"{erased.seq}\n")


SCENARIOS: dict[str, Callable[[Path], None]] = {
    "append": append_one_by_one,
    "append_on": append_on,
    "erase": erase_one_field,
}
