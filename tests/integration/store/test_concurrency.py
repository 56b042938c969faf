"""Several writers at once, and writers that die: no fork, no gap, nothing acknowledged is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from ledger.errors import StoreError
from ledger.log.merkle import leaf_hash
from ledger.report import all_hold
from ledger.service.append import Appended, append_entries
from ledger.service.audit import verify_log
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger, State
from ledger.service.read import entry_bytes, head
from ledger.store.database import make_engine, upgrade
from tests.store_samples import ACTOR, VKEY, make_ids, make_ledger, receipt, start_log

EACH = 15


def start_writer(url: str, folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    """A writer that has read its code and waits for a line before it appends."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.store.writer", url, str(folder), name, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def acknowledged(output: str) -> dict[int, str]:
    """Leaf hash by sequence number, of whole lines: a process that is killed may leave half a one."""
    lines = [line.split() for line in output.splitlines(keepends=True) if line.endswith("\n")]
    return {int(seq): leaf for seq, leaf in lines}


def assert_holds(ledger: Ledger, acks: dict[int, str]) -> None:
    """The log holds, and every acknowledged entry stands in it with the hash that was acknowledged."""
    checks = verify_log(replace(ledger, state=State()), VKEY)
    assert all_hold(checks), [check for check in checks if check.outcome != "passed"]
    stored = entry_bytes(ledger, range(head(ledger).tree_size))
    for seq, leaf in acks.items():
        assert leaf_hash(stored[seq]).hex() == leaf


def test_threads_of_one_process_append_without_gap_or_fork(ledger: Ledger) -> None:
    appended: list[Appended] = []

    def write(series: int) -> None:
        own = replace(ledger, new_id=make_ids(series), state=State())
        for number in range(EACH):
            appended.extend(append_entries(own, [receipt(f"T{series}-{number}")], ACTOR))

    threads = [threading.Thread(target=write, args=(series,)) for series in (1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.seq for entry in appended) == list(range(3, 3 + 3 * EACH))
    assert_holds(ledger, {entry.seq: entry.leaf_hash for entry in appended})


def test_threads_may_share_one_ledger(ledger: Ledger) -> None:
    appended: list[Appended] = []

    def write(series: int) -> None:
        for number in range(EACH):
            appended.extend(append_entries(ledger, [receipt(f"T{series}-{number}")], ACTOR))

    threads = [threading.Thread(target=write, args=(series,)) for series in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(entry.seq for entry in appended) == list(range(3, 3 + 2 * EACH))
    assert_holds(ledger, {entry.seq: entry.leaf_hash for entry in appended})


def test_two_writers_of_the_same_batch_get_one_yes_and_one_no(ledger: Ledger) -> None:
    from ledger.errors import DuplicateIdError

    outcomes: list[str] = []
    start = threading.Barrier(2)

    def write(series: int) -> None:
        own = replace(ledger, new_id=make_ids(series), state=State())
        start.wait()
        try:
            append_entries(own, [receipt("IN-1")], ACTOR)
            outcomes.append("yes")
        except DuplicateIdError:
            outcomes.append("no")

    threads = [threading.Thread(target=write, args=(series,)) for series in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["no", "yes"]
    assert head(ledger).tree_size == 4


def test_checkpoints_made_while_others_append_all_agree_with_the_log(ledger: Ledger) -> None:
    notes: list[str] = []
    done = threading.Event()

    def sign() -> None:
        own = replace(ledger, state=State())
        while not done.wait(0.01):
            notes.append(make_checkpoint(own))

    signers = [threading.Thread(target=sign) for _ in range(2)]
    for thread in signers:
        thread.start()
    for number in range(EACH):
        append_entries(ledger, [receipt(f"IN-{number}")], ACTOR)
    done.set()
    for thread in signers:
        thread.join()
    sizes = [int(note.split("\n")[1]) for note in notes]
    assert len(set(notes)) == len(set(sizes)) >= 1
    assert int(ledger.pin_path.read_text().split("\n")[1]) == max(sizes)
    assert_holds(ledger, {})


@pytest.mark.slow
def test_processes_append_to_one_database_without_gap_or_fork(ledger: Ledger, tmp_path: Path) -> None:
    url = ledger.engine.url.render_as_string(hide_password=False)
    writers = [start_writer(url, tmp_path, f"PROCESS-{letter}", EACH) for letter in "AB"]
    for writer in writers:
        go(writer)
    outputs = [writer.communicate(timeout=120)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    acks = [acknowledged(output) for output in outputs]
    assert sorted([*acks[0], *acks[1]]) == list(range(3, 3 + 2 * EACH))
    assert_holds(ledger, acks[0] | acks[1])


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_loses_nothing_that_it_acknowledged(ledger: Ledger, tmp_path: Path) -> None:
    url = ledger.engine.url.render_as_string(hide_password=False)
    acks: dict[int, str] = {}
    for number in range(6):
        writer = start_writer(url, tmp_path, f"KILLED-{number}", 10_000)
        go(writer)
        assert writer.stdout is not None
        first = writer.stdout.readline()
        time.sleep(0.003 + 0.0137 * number)
        writer.kill()
        output, _ = writer.communicate(timeout=60)
        assert writer.returncode == -9
        acks |= acknowledged(first + output)
        # What was committed and not acknowledged any more may stand there too, but nothing of it half.
        assert_holds(ledger, acks)
    assert append_entries(ledger, [receipt("AFTER-0")], ACTOR)[0].seq > max(acks)


def test_on_a_full_disk_nothing_acknowledged_is_lost_and_the_log_goes_on_when_there_is_room(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    ledger = make_ledger(url, tmp_path)
    start_log(ledger)
    with ledger.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def limit(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages + 6}")  # SQLite then says "full", as on a full disk

    event.listen(ledger.engine, "connect", limit)
    ledger.engine.dispose()
    acks: dict[int, str] = {}

    def fill() -> None:
        for number in range(1000):
            entry = append_entries(ledger, [receipt(f"IN-{number}")], ACTOR)[0]
            acks[entry.seq] = entry.leaf_hash

    with pytest.raises(StoreError, match="full"):
        fill()
    assert acks
    assert head(ledger).tree_size == 3 + len(acks)
    event.remove(ledger.engine, "connect", limit)
    ledger.engine.dispose()
    assert append_entries(ledger, [receipt("AFTER-0")], ACTOR)[0].seq == 3 + len(acks)
    assert_holds(ledger, acks)
    ledger.engine.dispose()


def test_a_writer_that_waits_too_long_gets_an_error_and_no_half_entry(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.database.BUSY_TIMEOUT_MS", 100)
    ledger = make_ledger(database_url, tmp_path)
    start_log(ledger)
    other = make_engine(database_url)
    with other.connect() as blocker:
        blocker.exec_driver_sql("UPDATE head SET epoch = epoch")
        with pytest.raises(StoreError, match="lock"):
            append_entries(ledger, [receipt("IN-1")], ACTOR)
    assert append_entries(ledger, [receipt("IN-1")], ACTOR)[0].seq == 3
    other.dispose()
    ledger.engine.dispose()
