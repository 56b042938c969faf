"""Processes that sequence, to be halted in the middle: they tell what they do in a file, and linger where it matters.

Each takes a folder with its orders (`write_orders`) and never ends by itself. The file "events" has a line for each
event: its name and a number.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import StoreError
from ledger.service.admission import open_admission
from ledger.service.context import Ledger
from ledger.service.queued import plant_desk
from ledger.service.submissions import Submission
from ledger.store import database
from ledger.store.elected import Desk, ElectedSequencer, Event, LeftOffice, Round, TookOffice
from ledger.store.election import AdvisoryLock
from ledger.store.group_commit import GroupCommit
from ledger.store.sequencer import Sequencer
from tests.store_samples import ACTOR, make_ledger, receipt

INSIDE, TOOK, LEFT, ROUND, ERROR, REFUSED = "inside", "took", "left", "round", "error", "refused"


@dataclass(frozen=True)
class Orders:
    """url: of the database. series: of the process's ids. linger_s: how long a transaction lasts at least, once it has
    the head. busy_ms: how long to wait for another one's. silent_s: see ledger.store.election."""

    url: str
    series: int
    linger_s: float
    busy_ms: int = 30_000
    silent_s: float = 20


def write_orders(folder: Path, orders: Orders) -> None:
    """What a process in this new folder is to do."""
    folder.mkdir()
    (folder / "orders").write_text(json.dumps(vars(orders)))


def read_events(folder: Path) -> list[tuple[str, int]]:
    """The events so far, in order."""
    path = folder / "events"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    split = [line.split() for line in lines if line.endswith("\n")]
    return [(name, int(number)) for name, number in split]


def sequence_queue(folder: Path) -> None:
    """A candidate for sequencing the queue, without end."""
    orders, tell = _begin(folder)
    ledger = make_ledger(orders.url, folder, orders.series)
    desk = plant_desk(ledger)

    def report(event: Event) -> None:
        if isinstance(event, TookOffice):
            tell(TOOK, event.epoch)
        elif isinstance(event, LeftOffice):
            tell(LEFT, event.epoch)
        elif isinstance(event, Round):
            tell(ROUND, event.sequenced)
        else:
            tell(ERROR, 0)

    lingering: Desk[Submission, Any] = Desk(desk.open_reader, _lingering(ledger, orders, tell), desk.describe)
    election = AdvisoryLock(ledger.engine, ledger.origin, silent_s=orders.silent_s)
    ElectedSequencer(ledger.engine, ledger.origin, lingering, report=report, election=election, retry_s=0.02).serve()


def append_in_a_group(folder: Path) -> None:
    """One entry after the other by a group commit, each until it is in the log; the file "acks" says so."""
    orders, tell = _begin(folder)
    database.BUSY_TIMEOUT_MS = orders.busy_ms
    own = make_ledger(orders.url, folder, orders.series)
    group = GroupCommit(own.engine, own.origin, _lingering(own, orders, tell), vault=own.vault)
    group.start()
    acks = os.open(folder / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    number = 0
    while True:
        draft = receipt(f"P{orders.series}-{number}")
        try:
            (entry,) = group.submit(Submission([draft], ACTOR)).result()
        except StoreError:
            tell(REFUSED, number)
            continue
        os.write(acks, f"{entry.seq} {entry.leaf_hash}\n".encode())
        number += 1


def _begin(folder: Path) -> tuple[Orders, Callable[[str, int], None]]:
    events = os.open(folder / "events", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def tell(name: str, number: int) -> None:
        os.write(events, f"{name} {number}\n".encode())

    return Orders(**json.loads((folder / "orders").read_text())), tell


def _lingering(
    own: Ledger, orders: Orders, tell: Callable[[str, int], None]
) -> Callable[[Sequencer, Sequence[Submission]], Any]:
    """The plant's admission, which tells that its transaction has the head, and lets it wait."""
    plain = open_admission(own)

    def opened(sequencer: Sequencer, handed_in: Sequence[Submission]) -> Any:
        tell(INSIDE, sequencer.tree_size)
        time.sleep(orders.linger_s)
        return plain(sequencer, handed_in)

    return opened
