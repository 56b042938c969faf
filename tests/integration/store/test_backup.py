"""Backup and restore."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import RootMismatchError, StoreError, VerificationError
from ledger.report import all_hold
from ledger.service.audit import verify_log
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger, State
from ledger.service.read import head, plant_of
from ledger.store.backup import backup, restore
from ledger.store.database import make_engine, upgrade
from tests.store_samples import ORIGIN, VKEY, append_receipts, make_ids, make_ledger, start_log


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url: str, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger on SQLite."""
    upgrade(url)
    made = make_ledger(url, tmp_path)
    start_log(made)
    yield made
    made.engine.dispose()


def test_a_backup_taken_in_use_is_the_whole_log(ledger: Ledger, url: str, tmp_path: Path) -> None:
    append_receipts(ledger, 1, 2)
    make_checkpoint(ledger)
    backup(url, tmp_path / "copy.db")
    append_receipts(ledger, 3, 1)
    copy = replace(ledger, engine=make_engine(f"sqlite:///{tmp_path / 'copy.db'}"), state=State())
    assert all_hold(verify_log(copy, VKEY))
    assert (head(copy).tree_size, head(ledger).tree_size) == (5, 6)
    copy.engine.dispose()


def test_database_and_backup_are_readable_by_their_owner_only(ledger: Ledger, url: str, tmp_path: Path) -> None:
    append_receipts(ledger, 1, 1)
    backup(url, tmp_path / "copy.db")
    assert {path.name for path in tmp_path.glob("*.db*")} == {"ledger.db", "ledger.db-wal", "ledger.db-shm", "copy.db"}
    assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("*.db*")} == {0o600}


def test_a_backup_overwrites_nothing(ledger: Ledger, url: str, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious")
    with pytest.raises(StoreError, match="does not exist yet"):
        backup(url, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "precious"


def test_a_backup_into_a_folder_that_is_not_there_is_refused(ledger: Ledger, url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        backup(url, tmp_path / "none" / "copy.db")


def test_a_restored_log_holds_and_goes_on_and_the_old_file_is_kept(ledger: Ledger, url: str, tmp_path: Path) -> None:
    append_receipts(ledger, 1, 2)
    make_checkpoint(ledger)
    backup(url, tmp_path / "copy.db")
    append_receipts(ledger, 3, 1)
    # The ledger stays open meanwhile, as a server's would.
    kept = restore(url, tmp_path / "copy.db", ORIGIN, ledger.pin_path)
    assert sorted(plant_of(ledger).batches) == ["IN-1", "IN-2"]
    assert all_hold(verify_log(ledger, VKEY))
    later = replace(ledger, new_id=make_ids(5))
    assert append_receipts(later, 4, 1)[0].seq == 5
    assert kept == tmp_path / "ledger.db.before-restore-1"
    old = replace(ledger, engine=make_engine(f"sqlite:///{kept}"), state=State())
    assert head(old).tree_size == 6
    old.engine.dispose()


def test_a_backup_older_than_the_pin_is_refused(ledger: Ledger, url: str, tmp_path: Path) -> None:
    backup(url, tmp_path / "copy.db")
    append_receipts(ledger, 1, 2)
    make_checkpoint(ledger)
    with pytest.raises(VerificationError, match="entries 3 to 4 are missing"):
        restore(url, tmp_path / "copy.db", ORIGIN, ledger.pin_path)
    assert head(ledger).tree_size == 5
    assert not list(tmp_path.glob("*before-restore*"))


def test_a_backup_with_another_history_is_refused(ledger: Ledger, url: str, tmp_path: Path) -> None:
    make_checkpoint(ledger)
    other_url = f"sqlite:///{tmp_path / 'other.db'}"
    upgrade(other_url)
    other = make_ledger(other_url, tmp_path / "elsewhere", series=8)
    start_log(other)
    other.engine.dispose()
    with pytest.raises(RootMismatchError):
        restore(url, tmp_path / "other.db", ORIGIN, ledger.pin_path)


def test_what_is_no_sound_backup_of_this_log_is_refused(ledger: Ledger, url: str, tmp_path: Path) -> None:
    backup(url, tmp_path / "copy.db")
    damaged = bytearray((tmp_path / "copy.db").read_bytes())
    damaged[8192:16384] = b"\xff" * 8192
    (tmp_path / "damaged.db").write_bytes(damaged)
    (tmp_path / "text.db").write_text("not a database, but long enough to be taken for one" * 100)
    sqlite3.connect(tmp_path / "foreign.db").executescript("CREATE TABLE t (x)").close()
    for name in ("damaged.db", "text.db", "foreign.db", "none.db"):
        with pytest.raises(StoreError):
            restore(url, tmp_path / name, ORIGIN, ledger.pin_path)
    with pytest.raises(StoreError, match="site-9"):
        restore(url, tmp_path / "copy.db", "example.com/magnets/site-9", ledger.pin_path)
    assert head(ledger).tree_size == 3


def test_a_database_that_is_destroyed_is_set_aside_and_replaced(ledger: Ledger, url: str, tmp_path: Path) -> None:
    make_checkpoint(ledger)
    backup(url, tmp_path / "copy.db")
    ledger.engine.dispose()
    (tmp_path / "ledger.db").write_bytes(b"destroyed " * 1000)
    kept = restore(url, tmp_path / "copy.db", ORIGIN, ledger.pin_path)
    assert kept is not None
    assert kept.read_bytes().startswith(b"destroyed")
    assert all_hold(verify_log(replace(ledger, state=State()), VKEY))


def test_a_database_that_is_lost_is_made_from_the_backup(ledger: Ledger, url: str, tmp_path: Path) -> None:
    backup(url, tmp_path / "copy.db")
    ledger.engine.dispose()
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    assert restore(url, tmp_path / "copy.db", ORIGIN, ledger.pin_path) is None
    assert head(ledger).tree_size == 3


def test_for_postgresql_the_line_to_type_is_said_without_the_password(tmp_path: Path) -> None:
    url = "postgresql://keeper:secret@db.example/ledger"
    with pytest.raises(StoreError, match="pg_dump --format=custom") as caught:
        backup(url, tmp_path / "copy.dump")
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreError, match="pg_restore --clean") as caught:
        restore(url, tmp_path / "copy.dump", ORIGIN, tmp_path / "pin")
    assert "secret" not in str(caught.value)
