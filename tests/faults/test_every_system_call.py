"""An error or a kill at each write, sync, truncation, rename and removal in turn: I1 to I4 and I7 of a log hold.

First the scenario runs without a fault and its calls are counted; then it runs again for each of them with that one
failing. Afterwards the log is opened anew: it must verify, hold whatever was acknowledged, and take the next entry.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.log.merkle import leaf_hash
from ledger.report import all_hold
from ledger.service.append import append_entries
from ledger.service.audit import verify_log
from ledger.service.context import State
from ledger.service.read import entry_bytes, head
from tests.faults import tally
from tests.faults.scenarios import APPENDS, open_ledger
from tests.faults.strace import ERRORS, KILL, Zygote, zygote
from tests.faults.zygote import REFUSED
from tests.store_samples import ACTOR, VKEY, make_ids, receipt

pytestmark = pytest.mark.slow

CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "rename")
"""What SQLite does to its files on the way to a commit and at the closing of the last connection."""

START = 3
"""Entries that the log holds before (tests.store_samples.start_log)."""


@pytest.fixture(scope="module")
def children() -> Iterator[Zygote]:
    with zygote() as made:
        yield made


def copy_of(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder)
    return folder


def database_files(folder: Path) -> list[Path]:
    return [folder / name for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal")]


def acknowledged(folder: Path) -> dict[int, str]:
    """Leaf hash by sequence number."""
    path = folder / "acks"
    lines = path.read_text().splitlines() if path.exists() else []
    return {int(seq): leaf for seq, leaf in map(str.split, lines)}


def assert_nothing_is_lost(folder: Path, what: str) -> None:
    ledger = open_ledger(folder)
    acks = acknowledged(folder)
    try:
        size = head(ledger).tree_size
        stored = {seq: leaf_hash(data).hex() for seq, data in enumerate(entry_bytes(ledger, range(size)))}
        lost = [seq for seq, leaf in acks.items() if stored.get(seq) != leaf]
        tally.LOST["losses"] += len(lost)
        assert not lost, f"{what}: acknowledged entries {lost} are not there"
        checks = verify_log(replace(ledger, state=State()), VKEY)
        if not all_hold(checks):
            tally.LOST["forks"] += 1
        assert all_hold(checks), (what, [check for check in checks if check.outcome != "passed"])
        # At most the entry in hand when the fault struck is there without having been acknowledged.
        assert START + len(acks) <= size <= START + len(acks) + 1, what
        (after,) = append_entries(replace(ledger, new_id=make_ids(2)), [receipt("AFTER")], ACTOR)
        assert after.seq == size, what
    finally:
        ledger.engine.dispose()


def test_the_log_survives_a_fault_at_each_system_call_of_an_append(
    children: Zygote, template: Path, tmp_path: Path
) -> None:
    clean = copy_of(template, tmp_path / "clean")
    done = children.run("append", clean, database_files(clean), CALLS)
    assert done.code == 0
    assert len(acknowledged(clean)) == APPENDS
    made = done.calls()
    assert made["fdatasync"] >= APPENDS, "a commit that is not synced is not durable"
    stopped = 0
    for call, count in sorted(made.items()):
        for when in range(1, count + 1):
            for fault in (*ERRORS, KILL):
                if call in ("fdatasync", "fsync", "unlink", "rename") and fault == "ENOSPC":
                    continue  # not an answer that these give
                folder = copy_of(template, tmp_path / f"{call}-{when}-{fault}")
                how = f"signal={KILL}" if fault == KILL else f"error={fault}"
                what = f"{fault} at {call} number {when}"
                ended = children.run("append", folder, database_files(folder), CALLS, f"{call}:{how}:when={when}")
                assert ended.injected, f"{what} did not take place"
                assert ended.code in (0, REFUSED, -9), f"{what}: exit code {ended.code}"
                tally.DONE["kills" if fault == KILL else "system calls failed"] += 1
                stopped += ended.code != 0
                assert_nothing_is_lost(folder, what)
                shutil.rmtree(folder)
    assert stopped > APPENDS, "most of these faults must stop the writer, or they were not injected where it counts"
