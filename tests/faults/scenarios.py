"""What is done to a small ledger while faults are injected. Each takes a folder that `prepare` has made.

What is acknowledged is written to the file "acks", a line each, only after the call has returned.
"""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ledger.errors import LedgerError
from ledger.service.append import GroupedAppend, append_entries
from ledger.service.context import Ledger
from ledger.service.private_fields import erase_fields
from ledger.service.publisher import publish
from ledger.store.tile_folder import TileFolder
from tests.faults.sequencing import append_in_a_group, sequence_queue
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


THREADS = 3


def append_in_groups(folder: Path) -> None:
    """Entries of several threads through one group commit, each acknowledged on its own; ends as the first refusal."""
    group = GroupedAppend(open_ledger(folder, 1))
    group.start()
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    refused: list[LedgerError] = []

    def work(thread: int) -> None:
        for number in range(APPENDS):
            try:
                (entry,) = group.append([receipt(f"G-{thread}-{number}")], ACTOR)
            except LedgerError as error:
                refused.append(error)
                return
            os.write(acks, f"{entry.seq} {entry.leaf_hash}\n".encode())

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    group.stop()
    if refused:
        raise refused[0]


def publish_all(folder: Path) -> None:
    """A round of the publisher: pin, checkpoint, tiles, entries."""
    publish(open_ledger(folder), TileFolder(folder / "tiles"))


SCENARIOS: dict[str, Callable[[Path], None]] = {
    "append": append_one_by_one,
    "append_in_groups": append_in_groups,
    "publish": publish_all,
    "append_on": append_on,
    "erase": erase_one_field,
    "sequence_queue": sequence_queue,
    "append_in_a_group": append_in_a_group,
}
