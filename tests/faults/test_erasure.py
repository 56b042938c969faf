"""An error or a kill at each system call of an erasure in turn: it happened or it did not, and can be finished.

Whatever the fault: the other field of the subject is not lost; a value that an entry calls erased is shown to nobody;
`log verify` holds, or says that the erasure is to be resumed; and once it is, no key opens the old ciphertext.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.report import Outcome
from ledger.service.audit import verify_log
from ledger.service.context import Ledger, State
from ledger.service.private_fields import list_private, resume_erasures, show_private
from ledger.service.read import head
from ledger.store import repository
from ledger.store.database import read_transaction
from ledger.store.private_rows import open_row
from ledger.store.vault import SealedField
from tests.faults import tally
from tests.faults.scenarios import open_ledger
from tests.faults.strace import KILL, Zygote, zygote
from tests.faults.zygote import REFUSED
from tests.store_samples import ORIGIN, SECRET_NAME, VKEY, make_salts

pytestmark = pytest.mark.slow

CALLS = ("pwrite64", "write", "fdatasync", "fsync", "ftruncate", "unlink")

START = 3
"""Entries that the log holds before (tests.store_samples.start_log); entry 1 has two private fields."""


@pytest.fixture(scope="module")
def children() -> Iterator[Zygote]:
    with zygote() as made:
        yield made


def old_row(template: Path) -> SealedField:
    """The ciphertext of the value that is to be erased, as a backup has it."""
    ledger = open_ledger(template)
    with read_transaction(ledger.engine) as connection:
        (row,) = (one for one in repository.private_fields(connection, ORIGIN) if one.field == "vat_id")
    ledger.engine.dispose()
    return row


def problems(ledger: Ledger) -> list[str]:
    checks = verify_log(replace(ledger, state=State()), VKEY)
    return [f"{check.name}: {check.detail}" for check in checks if check.outcome is Outcome.FAILED]


def assert_done_or_not(folder: Path, old: SealedField, what: str) -> bool:
    """Whether the erasure is in the log, after all that must hold then has been checked."""
    ledger = replace(open_ledger(folder), new_salt=make_salts(7))
    try:
        erased = head(ledger).tree_size == START + 1
        found = problems(ledger)
        values = show_private(ledger, 1)
        assert values.pop("name") == SECRET_NAME, what
        assert list(values) == ([] if erased else ["vat_id"]), what
        if not erased:
            assert not (folder / "erased").exists(), f"{what}: acknowledged, but lost"
            assert found == [], what
            return False
        assert all("--resume" in detail for detail in found), (what, found)
        if (folder / "erased").exists():
            assert found == [], f"{what}: acknowledged, but not finished"
        resume_erasures(ledger)
        assert problems(ledger) == [], what
        assert open_row(ledger.vault, ORIGIN, old) is None, what
        assert show_private(ledger, 1) == {"name": SECRET_NAME}, what
        assert [(one.field, one.state) for one in list_private(ledger)] == [("name", "kept"), ("vat_id", "erased")]
        return True
    finally:
        ledger.engine.dispose()


def test_an_erasure_survives_a_fault_at_each_of_its_system_calls(
    children: Zygote, template: Path, tmp_path: Path
) -> None:
    old = old_row(template)
    clean = tmp_path / "clean"
    shutil.copytree(template, clean)
    before = {path.name for path in (clean / "vault").iterdir()}
    assert children.run("erase", clean, [clean], CALLS).code == 0
    assert assert_done_or_not(clean, old, "no fault")
    keys = before | {path.name for path in (clean / "vault").iterdir()}  # the salts, and so the keys, repeat themselves

    def paths(folder: Path) -> list[Path]:
        database = [folder / name for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db-journal")]
        return [*database, folder / "vault", *(folder / "vault" / name for name in keys)]

    counted = tmp_path / "counted"
    shutil.copytree(template, counted)
    made = children.run("erase", counted, paths(counted), CALLS).calls()
    assert {"fdatasync", "fsync", "unlink", "write"} <= made.keys(), "database and vault are both traced"
    outcomes = set()
    for call, count in sorted(made.items()):
        for when in range(1, count + 1):
            for fault in ("EIO", KILL):
                folder = tmp_path / f"{call}-{when}-{fault}"
                shutil.copytree(template, folder)
                how = f"signal={KILL}" if fault == KILL else f"error={fault}"
                what = f"{fault} at {call} number {when}"
                ended = children.run("erase", folder, paths(folder), CALLS, f"{call}:{how}:when={when}")
                assert ended.injected, f"{what} did not take place"
                assert ended.code in (0, REFUSED, -9), f"{what}: exit code {ended.code}"
                tally.DONE["kills" if fault == KILL else "system calls failed"] += 1
                outcomes.add((assert_done_or_not(folder, old, what), ended.code == 0))
                shutil.rmtree(folder)
    # Faults before the commit, between it and the end, and ones that the erasure gets over.
    assert outcomes == {(False, False), (True, False), (True, True)}
