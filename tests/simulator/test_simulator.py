"""Ten thousand schedules: whatever happens in whatever order, the invariants of the log hold. A failure names its seed.

So that the simulator is known to see something, products that are broken on purpose must be found by it, too.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from tests.faults import tally
from tests.simulator.world import BrokenInvariantError, make_templates, run

pytestmark = pytest.mark.slow

SCHEDULES = 10_000
CHUNK = 50
BROKEN_WITHIN = 400
"""Schedules within which each of the broken products must be found."""


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    make_templates(folder)
    return folder


def run_chunk(first: int, templates: Path) -> Counter[str]:
    """The schedules of CHUNK seeds from `first` on. Raises: AssertionError naming the seed that failed."""
    counts: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        try:
            counts += run(seed, templates)
        except Exception as error:
            raise AssertionError(
                f"seed {seed}: {type(error).__name__}: {error} (python -m tests.simulator.world {seed})"
            ) from error
    return counts


def test_the_invariants_hold_in_ten_thousand_schedules(templates: Path) -> None:
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for found in pool.map(run_chunk, range(0, SCHEDULES, CHUNK), [templates] * (SCHEDULES // CHUNK)):
            counts += found
            tally.DONE["schedules"] += CHUNK
    for kind, count in counts.items():
        tally.DONE[f"simulated {kind}"] += count
    # A world in which one of these never happens has gone blind to it.
    for kind in (
        "acknowledged",
        "checkpoints",
        "clock steps",
        "conflicts",
        "crashes",
        "deposed writers refused",
        "failed commits",
        "failed disks",
        "lost acknowledgements",
        "lost answers",
        "retries",
        "rollbacks refused",
    ):
        assert counts[kind] > 100, f"{kind}: {counts[kind]} in {SCHEDULES} schedules"


def test_the_same_seed_gives_the_same_schedule(templates: Path) -> None:
    told: list[list[str]] = [[], []]
    for lines in told:
        run(7, templates, lines.append)
    assert told[0] == told[1]
    assert len(told[0]) > 6


def acknowledging_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was admitted is answered, whatever became of the commit."""
    from ledger.errors import StoreError
    from ledger.store.group_commit import GroupCommit

    original = GroupCommit._run

    def run_and_smile(self: Any, jobs: Any) -> None:
        original(self, jobs)
        for job in jobs:
            if isinstance(job.future.exception(), StoreError) and job.submission.statements:
                job.future.__init__()
                size = 10_000
                from ledger.store.statements import Receipt

                job.future.set_result([Receipt(size, b"", repeated=False) for _ in job.submission.statements])

    monkeypatch.setattr(GroupCommit, "_run", run_and_smile)


def forgetting_the_keys_of_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry is answered with another entry's place."""
    from ledger.store import statements

    original = statements.StatementAdmission.admit

    def admit(self: Any, submission: Any) -> Any:
        receipts = original(self, submission)
        return [replace(one, seq=one.seq + 1) if one.repeated else one for one in receipts]

    monkeypatch.setattr(statements.StatementAdmission, "admit", admit)


def signing_whatever_the_pin_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher that overlooks the pin, what is kept and what is published."""
    from ledger.service import checkpoints, publisher
    from ledger.store import pin

    def overlook(*_arguments: object, **_named: object) -> None:
        return

    monkeypatch.setattr(checkpoints, "check_begins_with", overlook)
    monkeypatch.setattr(publisher, "check_begins_with", overlook)
    monkeypatch.setattr(checkpoints, "verify_consistency", overlook)
    monkeypatch.setattr(checkpoints, "read_pin", lambda _path: None)
    monkeypatch.setattr(checkpoints, "_newest_kept", lambda *_arguments: None)  # or it would ask where the pin is
    monkeypatch.setattr(checkpoints, "swap_pin", lambda path, _expected, note: pin.write_pin(path, note))


def publishing_the_checkpoint_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash then leaves a checkpoint over tiles that are not there."""
    from ledger.service import publisher

    original = publisher._write_tiles

    def write_tiles(tiles: Any, folder: Any, checkpoint: Any, old_size: int) -> None:
        note = next(iter(_notes_of(tiles)))
        folder.write_checkpoint(note)
        original(tiles, folder, checkpoint, old_size)

    def _notes_of(tiles: Any) -> list[str]:
        from ledger.store.checkpoint_rows import newest_checkpoint

        newest = newest_checkpoint(tiles.connection, tiles.origin)
        assert newest is not None
        return [newest[1]]

    monkeypatch.setattr(publisher, "_write_tiles", write_tiles)


def appending_without_an_office(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sequencer that never looks whether another has taken office."""
    from ledger.store import group_commit

    original = group_commit.open_sequencer

    def open_sequencer(*arguments: Any, **named: Any) -> Any:
        return original(*arguments, **{**named, "epoch": None})

    monkeypatch.setattr(group_commit, "open_sequencer", open_sequencer)


@pytest.mark.parametrize(
    "break_it",
    [
        acknowledging_before_the_commit,
        forgetting_the_keys_of_clients,
        signing_whatever_the_pin_says,
        publishing_the_checkpoint_first,
        appending_without_an_office,
    ],
    ids=lambda function: function.__name__,
)
def test_a_product_broken_on_purpose_is_found(
    break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch, templates: Path
) -> None:
    break_it(monkeypatch)
    for seed in range(BROKEN_WITHIN):
        try:
            run(seed, templates)
        except BrokenInvariantError:
            return
    pytest.fail(f"{BROKEN_WITHIN} schedules did not show it")
