"""kill -9 of writers and immediate stops of PostgreSQL, again and again: nothing acknowledged is lost, no fork.

Three writers append one entry after the other, each in a process of its own, while the killer picks its moment. The
moments are drawn from a fixed seed; what happens at them is up to the machine.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.log.merkle import leaf_hash
from ledger.report import all_hold
from ledger.service.append import append_entries
from ledger.service.audit import verify_log
from ledger.service.context import Ledger, State
from ledger.service.read import entry_bytes, head
from ledger.store.database import upgrade
from tests.faults import tally
from tests.faults.scenarios import write_orders
from tests.faults.strace import Zygote, zygote
from tests.postgres import new_server
from tests.store_samples import ACTOR, VKEY, make_ledger, receipt, start_log

pytestmark = pytest.mark.slow

WRITERS = 3
KILL_ROUNDS = 10
CRASHES = 4


@pytest.fixture(scope="module")
def writers() -> Iterator[list[Zygote]]:
    with ExitStack() as stack:
        yield [stack.enter_context(zygote()) for _ in range(WRITERS)]


def folders_of(tmp_path: Path, url: str, number: int) -> list[Path]:
    """A folder for each writer of a round, with its orders."""
    folders = []
    for writer in range(WRITERS):
        folder = tmp_path / f"round-{number}-{writer}"
        folder.mkdir()
        write_orders(folder, url, name=f"R{number}-W{writer}", series=1 + number * WRITERS + writer)
        folders.append(folder)
    return folders


def acknowledged(folders: list[Path]) -> dict[int, str]:
    """Leaf hash by sequence number, of whole lines: who is killed may leave half a one."""
    acks = {}
    for folder in folders:
        path = folder / "acks"
        for line in path.read_text().splitlines(keepends=True) if path.exists() else []:
            if line.endswith("\n"):
                seq, leaf = line.split()
                assert int(seq) not in acks, f"entry {seq} was acknowledged twice: a fork"
                acks[int(seq)] = leaf
    return acks


def wait_for_acknowledgements(folders: list[Path]) -> None:
    """Until every writer is at it."""
    deadline = time.monotonic() + 60
    while any(not (folder / "acks").exists() or not (folder / "acks").stat().st_size for folder in folders):
        assert time.monotonic() < deadline, "a writer acknowledged nothing within a minute"
        time.sleep(0.001)


def assert_nothing_is_lost(ledger: Ledger, acks: dict[int, str], unacknowledged: int) -> None:
    fresh = replace(ledger, state=State())
    size = head(fresh).tree_size
    stored = [leaf_hash(data).hex() for data in entry_bytes(fresh, range(size))]
    lost = [seq for seq, leaf in acks.items() if seq >= size or stored[seq] != leaf]
    tally.LOST["losses"] += len(lost)
    assert not lost
    checks = verify_log(fresh, VKEY)
    if not all_hold(checks):
        tally.LOST["forks"] += 1
    assert all_hold(checks), [check for check in checks if check.outcome != "passed"]
    # What was committed just before the end and never acknowledged is there as well: one entry of a writer at most.
    assert len(acks) <= size - START <= len(acks) + unacknowledged


START = 3
"""Entries that the log begins with (tests.store_samples.start_log)."""


def test_writers_killed_at_any_moment_lose_nothing_that_they_acknowledged(
    database_url: str, tmp_path: Path, writers: list[Zygote]
) -> None:
    ledger = make_ledger(database_url, tmp_path)
    start_log(ledger)
    moments = random.Random(20260504)
    acks: dict[int, str] = {}
    for number in range(KILL_ROUNDS):
        folders = folders_of(tmp_path, database_url, number)
        for writer, folder in zip(writers, folders, strict=True):
            writer.begin("append_on", folder)
        wait_for_acknowledgements(folders)
        for writer in moments.sample(writers, WRITERS):
            time.sleep(moments.uniform(0, 0.012))
            os.kill(writer.child, signal.SIGKILL)
            tally.DONE["kills"] += 1
        assert [writer.end() for writer in writers] == [-signal.SIGKILL] * WRITERS
        acks |= acknowledged(folders)
    assert_nothing_is_lost(ledger, acks, unacknowledged=KILL_ROUNDS * WRITERS)
    assert append_entries(ledger, [receipt("AFTER")], ACTOR)[0].seq > max(acks)
    ledger.engine.dispose()


def test_a_crash_of_the_postgresql_server_loses_nothing_that_was_acknowledged(
    tmp_path: Path, writers: list[Zygote]
) -> None:
    moments = random.Random(20260505)
    acks: dict[int, str] = {}
    with new_server() as server:  # with fsync, as it is by default
        url = server.url("postgres")
        upgrade(url)
        ledger = make_ledger(url, tmp_path)
        start_log(ledger)
        for number in range(CRASHES):
            folders = folders_of(tmp_path, url, number)
            for writer, folder in zip(writers, folders, strict=True):
                writer.begin("append_on", folder)
            wait_for_acknowledgements(folders)
            time.sleep(moments.uniform(0.01, 0.06))
            server.stop("immediate")
            tally.DONE["server crashes"] += 1
            for writer, folder in zip(writers, folders, strict=True):
                assert writer.end() == 3, "a writer without a server must be told, not die of it"
                assert "StoreError" in (folder / "refused").read_text()
            acks |= acknowledged(folders)
            ledger.engine.dispose()
            server.start()
        assert_nothing_is_lost(ledger, acks, unacknowledged=CRASHES * WRITERS)
        ledger.engine.dispose()
