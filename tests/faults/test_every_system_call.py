"""An error or a kill at each write, sync, truncation, rename and removal in turn: I1 to I4 and I7 of a log hold.

First the scenario runs without a fault and its calls are counted; then it runs again for each of them with that one
failing. Afterwards the log is opened anew: it must verify, hold whatever was acknowledged, and take the next entry.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.log.checkpoint import parse_checkpoint, parse_vkey, verify_checkpoint
from ledger.log.merkle import leaf_hash
from ledger.report import all_hold
from ledger.service.append import append_entries
from ledger.service.audit import verify_log
from ledger.service.context import State
from ledger.service.publisher import publish
from ledger.service.read import entry_bytes, head
from ledger.store.database import read_transaction
from ledger.store.repository import checkpoints
from ledger.store.tile_folder import TileFolder
from tests.faults import tally
from tests.faults.scenarios import APPENDS, THREADS, open_ledger
from tests.faults.strace import ERRORS, KILL, Zygote, zygote
from tests.faults.zygote import REFUSED
from tests.store_samples import ACTOR, VKEY, make_ids, receipt

pytestmark = pytest.mark.slow

CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "rename")
"""What SQLite does to its files on the way to a commit and at the closing of the last connection."""

WRITING = ("write", "pwrite64", "ftruncate", "openat", "mkdir")
"""Calls that may say that there is no room."""

PUBLISHING_CALLS = ("openat", "write", "fsync", "rename", "mkdir")
"""What Python does to write a file and put it under its name."""

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


def assert_nothing_is_lost(folder: Path, what: str, unacknowledged: int) -> None:
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
        assert START + len(acks) <= size <= START + len(acks) + unacknowledged, what
        (after,) = append_entries(replace(ledger, new_id=make_ids(2)), [receipt("AFTER")], ACTOR)
        assert after.seq == size, what
    finally:
        ledger.engine.dispose()


def faults_at(made: Counter[str]) -> Iterator[tuple[str, str, str]]:
    """Every fault at every call that was made: what it is, what strace is told, the fault."""
    for call, count in sorted(made.items()):
        for when in range(1, count + 1):
            for fault in (*ERRORS, KILL):
                if call not in WRITING and fault == "ENOSPC":
                    continue  # not an answer that the others give
                how = f"signal={KILL}" if fault == KILL else f"error={fault}"
                yield f"{fault} at {call} number {when}", f"{call}:{how}:when={when}", fault


def run_with_fault(
    children: Zygote, scenario: str, folder: Path, paths: list[Path], calls: tuple[str, ...], what: str, inject: str
) -> int:
    """The exit code. A fault that did not take place fails the test."""
    ended = children.run(scenario, folder, paths, calls, inject)
    assert ended.injected, f"{what} did not take place"
    assert ended.code in (0, REFUSED, -9), f"{what}: exit code {ended.code}"
    tally.DONE["kills" if KILL in what else "system calls failed"] += 1
    return ended.code


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
    for what, inject, _fault in faults_at(made):
        folder = copy_of(template, tmp_path / what.replace(" ", "-"))
        stopped += run_with_fault(children, "append", folder, database_files(folder), CALLS, what, inject) != 0
        # At most the entry in hand when the fault struck is there without having been acknowledged.
        assert_nothing_is_lost(folder, what, unacknowledged=1)
        shutil.rmtree(folder)
    assert stopped > APPENDS, "most of these faults must stop the writer, or they were not injected where it counts"


def test_a_group_commit_acknowledges_nothing_after_its_disk_has_failed(
    children: Zygote, template: Path, tmp_path: Path
) -> None:
    clean = copy_of(template, tmp_path / "clean")
    done = children.run("append_in_groups", clean, database_files(clean), CALLS)
    assert done.code == 0
    assert len(acknowledged(clean)) == THREADS * APPENDS
    # How many commits it takes is up to the threads: only the first calls of each kind are sure to come again.
    for call in ("pwrite64", "fdatasync"):
        for when in (1, 2, 3):
            for fault in (*ERRORS, KILL) if call == "pwrite64" else ("EIO", KILL):
                what = f"{fault} at {call} number {when} and after"
                folder = copy_of(template, tmp_path / what.replace(" ", "-"))
                how = f"signal={KILL}" if fault == KILL else f"error={fault}"
                inject = f"{call}:{how}:when={when}+"
                code = run_with_fault(children, "append_in_groups", folder, database_files(folder), CALLS, what, inject)
                assert code != 0, f"{what}: a group commit went on without a disk"
                assert_nothing_is_lost(folder, what, unacknowledged=THREADS)
                shutil.rmtree(folder)


def published_files(folder: Path) -> list[Path]:
    """The files and folders that a first round of the publisher writes, under all the names that they bear."""
    tiles = folder / "tiles"
    files = [
        folder / "pins" / "site-1.checkpoint",
        tiles / "checkpoint",
        tiles / "tile" / "0" / "000.p" / str(START),
        tiles / "tile" / "entries" / "000.p" / str(START),
    ]
    folders = [folder / "pins", tiles, *(file.parent for file in files[2:]), tiles / "tile" / "0"]
    return [*files, *(file.with_name(file.name + ".new") for file in files), *folders]


def signed_roots(folder: Path) -> dict[int, set[str]]:
    """Every root that was signed, by size: in pin, folder and database."""
    ledger = open_ledger(folder)
    with read_transaction(ledger.engine) as connection:
        notes = list(checkpoints(connection, ledger.origin).values())
    ledger.engine.dispose()
    files = (folder / "pins" / "site-1.checkpoint", folder / "tiles" / "checkpoint")
    notes.extend(path.read_text(encoding="utf-8") for path in files if path.exists())
    roots: dict[int, set[str]] = {}
    for note in notes:
        checkpoint, _ = parse_checkpoint(note)
        roots.setdefault(checkpoint.tree_size, set()).add(checkpoint.root.hex())
    return roots


def test_the_publisher_survives_a_fault_at_each_system_call_on_its_files(
    children: Zygote, template: Path, tmp_path: Path
) -> None:
    clean = copy_of(template, tmp_path / "clean")
    done = children.run("publish", clean, published_files(clean), PUBLISHING_CALLS)
    assert done.code == 0
    made = done.calls()
    assert made["rename"] == 4, "pin, checkpoint, one tile and one bundle come under their names whole"
    assert made["fsync"] >= 8, "each of them is synced, and so is its folder"
    for what, inject, _fault in faults_at(made):
        folder = copy_of(template, tmp_path / what.replace(" ", "-"))
        code = run_with_fault(children, "publish", folder, published_files(folder), PUBLISHING_CALLS, what, inject)
        # Making a folder that is there already may fail: it is there.
        assert code != 0 or "mkdir" in what, f"{what}: the publisher went on as if nothing had happened"
        # Whatever is published under the name of a checkpoint is whole and covered; and the next round mends the rest.
        if (folder / "tiles" / "checkpoint").exists():
            verify_checkpoint((folder / "tiles" / "checkpoint").read_text(encoding="utf-8"), parse_vkey(VKEY))
        ledger = open_ledger(folder)
        append_entries(replace(ledger, new_id=make_ids(2)), [receipt("AFTER")], ACTOR)
        result = publish(ledger, TileFolder(folder / "tiles"))
        assert result.published, what
        assert verify_checkpoint(result.note, parse_vkey(VKEY)).tree_size == START + 1, what
        ledger.engine.dispose()
        roots = signed_roots(folder)
        tally.LOST["forks"] += sum(len(one) > 1 for one in roots.values())
        assert all(len(one) == 1 for one in roots.values()), f"{what}: two roots for one size"
        shutil.rmtree(folder)
