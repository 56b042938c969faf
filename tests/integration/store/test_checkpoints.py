"""Checkpoints: signed only when they extend what was signed before, pinned outside the database."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import (
    BadSignatureError,
    BrokenLinkError,
    InputError,
    LedgerError,
    RootMismatchError,
    StoreError,
    UnknownIdError,
    VerificationError,
)
from ledger.log.checkpoint import Checkpoint, parse_vkey, sign_checkpoint, verify_checkpoint
from ledger.log.cosignature import add_signature_lines, cosign
from ledger.log.merkle import leaf_hash, root_hash, verify_inclusion
from ledger.log.proof import verify_tlog_proof
from ledger.report import Outcome
from ledger.service.checkpoints import check_pin, make_checkpoint, newest_checkpoint, prove
from ledger.service.context import Ledger, State
from ledger.service.read import entry_bytes, head, inclusion_proof
from ledger.service.receipts import cose_receipt
from ledger.store.database import write_transaction
from ledger.store.pin import read_pin, write_pin
from ledger.store.repository import insert_log
from tests.store_samples import (
    ACTOR,
    LOG_KEY,
    ORIGIN,
    VKEY,
    append_receipts,
    drop_guards,
    execute,
    make_ids,
    make_ledger,
    rows,
    start_log,
)

KEY = parse_vkey(VKEY)


def test_a_checkpoint_states_size_and_root_of_the_entries_and_is_pinned(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 2)
    note = make_checkpoint(ledger)
    checkpoint = verify_checkpoint(note, KEY)
    leaves = [leaf_hash(data) for data in entry_bytes(ledger, range(5))]
    assert (checkpoint.origin, checkpoint.tree_size, checkpoint.root) == (ORIGIN, 5, root_hash(leaves))
    assert ledger.pin_path.read_text(encoding="utf-8") == note == newest_checkpoint(ledger)
    assert {path.name for path in ledger.pin_path.parent.iterdir()} == {"site-1.checkpoint", "site-1.checkpoint.lock"}


def test_the_same_size_gives_the_same_note_again(ledger: Ledger) -> None:
    assert make_checkpoint(ledger) == make_checkpoint(ledger)
    assert len(rows(ledger.engine, "SELECT tree_size FROM checkpoint")) == 1


def test_without_the_logs_key_nothing_is_signed(ledger: Ledger) -> None:
    with pytest.raises(StoreError, match="log key"):
        make_checkpoint(replace(ledger, log_key=None))
    assert not ledger.pin_path.exists()


def test_a_log_restored_from_an_older_state_is_not_signed(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 2)
    pinned = make_checkpoint(ledger)
    drop_guards(ledger.engine)
    leaves = [bytes(row[0]) for row in rows(ledger.engine, "SELECT leaf_hash FROM entry ORDER BY seq")]
    execute(ledger.engine, "DELETE FROM entry WHERE seq = 4")
    execute(ledger.engine, "DELETE FROM checkpoint")
    execute(
        ledger.engine,
        "UPDATE head SET tree_size = 4, last_leaf_hash = :leaf, frontier = :root",
        leaf=leaves[3],
        root=root_hash(leaves[:4]),
    )
    with pytest.raises(VerificationError) as caught:
        make_checkpoint(ledger)
    text = str(caught.value)
    assert root_hash(leaves).hex() in text, "the pinned root is evidence"
    assert root_hash(leaves[:4]).hex() in text, "and so is the present one"
    assert "entries 4 to 4 are missing" in text
    assert ledger.pin_path.read_text(encoding="utf-8") == pinned
    assert rows(ledger.engine, "SELECT * FROM checkpoint") == []


def test_a_rewritten_history_is_not_signed(ledger: Ledger, tmp_path: Path) -> None:
    append_receipts(ledger, 1, 2)
    pinned = make_checkpoint(ledger)
    drop_guards(ledger.engine)
    for table in ("entry", "private_field", "checkpoint", "batch_row", "entry_batch"):
        execute(ledger.engine, f"DELETE FROM {table}")
    execute(ledger.engine, "UPDATE head SET tree_size = 0, last_leaf_hash = :n, frontier = :n", n=b"")
    forged = replace(ledger, new_id=make_ids(9), state=State())
    start_log(forged)
    append_receipts(forged, 1, 3)
    with pytest.raises(RootMismatchError) as caught:
        make_checkpoint(forged)
    assert verify_checkpoint(pinned, KEY).root.hex() in str(caught.value)
    assert ledger.pin_path.read_text(encoding="utf-8") == pinned


def test_a_log_is_not_signed_against_its_own_kept_checkpoints(ledger: Ledger) -> None:
    pinned = make_checkpoint(ledger)
    execute(ledger.engine, "UPDATE checkpoint SET tree_size = 2")
    with pytest.raises(RootMismatchError):
        make_checkpoint(ledger)
    assert ledger.pin_path.read_text(encoding="utf-8") == pinned


def test_a_restored_database_whose_pin_is_lost_is_not_signed_until_somebody_brings_a_checkpoint(
    ledger: Ledger,
) -> None:
    """Nobody here knows what was signed after the backup: entries under those numbers would be a second history."""
    first = make_checkpoint(ledger)
    ledger.pin_path.unlink()
    append_receipts(ledger, 7, 8)
    assert check_pin(ledger).outcome is Outcome.FAILED
    with pytest.raises(StoreError, match=r"no .*checkpoint, though .*Put the pin back") as caught:
        make_checkpoint(ledger)
    assert caught.value.problems[0].field == "/pins_dir"
    assert newest_checkpoint(ledger) == first
    # A witness's copy, with its line, is as good as the pin.
    name = "witness.example/w1"
    write_pin(ledger.pin_path, add_signature_lines(first, [cosign(first, name, LOG_KEY, 1)]))
    assert check_pin(ledger).outcome is Outcome.PASSED
    assert verify_checkpoint(make_checkpoint(ledger), KEY).tree_size > verify_checkpoint(first, KEY).tree_size


@pytest.mark.parametrize("what", ["another log's", "this log's, of another history", "nothing of the kind"])
def test_a_pin_that_was_replaced_is_found_and_nothing_is_signed(ledger: Ledger, what: str) -> None:
    make_checkpoint(ledger)
    append_receipts(ledger, 7, 8)
    pins = {
        "another log's": sign_checkpoint(Checkpoint("example.com/other", 1, bytes(32)), LOG_KEY),
        "this log's, of another history": sign_checkpoint(Checkpoint(ORIGIN, 1, bytes(32)), LOG_KEY),
        "nothing of the kind": "hello",
    }
    write_pin(ledger.pin_path, pins[what])
    assert check_pin(ledger).outcome is Outcome.FAILED
    with pytest.raises(VerificationError):
        make_checkpoint(ledger)
    assert ledger.pin_path.read_text(encoding="utf-8") == pins[what]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entry SET data = (SELECT data FROM entry WHERE seq = 1) WHERE seq = 0",
        "UPDATE entry SET leaf_hash = (SELECT leaf_hash FROM entry WHERE seq = 1) WHERE seq = 0",
        "DELETE FROM entry WHERE seq = 1",
        "UPDATE head SET frontier = (SELECT leaf_hash FROM entry WHERE seq = 1)",
        "UPDATE head SET tree_size = 2",
    ],
)
def test_a_damaged_log_is_not_signed(ledger: Ledger, damage: str) -> None:
    drop_guards(ledger.engine)
    execute(ledger.engine, damage)
    with pytest.raises(BrokenLinkError):
        make_checkpoint(ledger)
    assert not ledger.pin_path.exists()


@pytest.mark.parametrize("note", ["", "garbage\n", "\x00"])
def test_a_pin_that_cannot_be_read_stops_the_signing_and_is_kept(ledger: Ledger, note: str) -> None:
    write_pin(ledger.pin_path, note)
    with pytest.raises(LedgerError):
        make_checkpoint(ledger)
    assert ledger.pin_path.read_text(encoding="utf-8") == note


def test_a_pin_by_another_key_stops_the_signing(ledger: Ledger) -> None:
    make_checkpoint(replace(ledger, log_key=ACTOR.private_key))
    with pytest.raises(BadSignatureError):
        make_checkpoint(ledger)


def test_a_pin_is_written_wholly_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pin"
    write_pin(path, "old")

    def fail(_descriptor: int) -> None:
        raise OSError("no room")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="no room"):
        write_pin(path, "new")
    assert read_pin(path) == "old"
    assert read_pin(tmp_path / "none") is None


def test_a_pin_that_cannot_be_written_leaves_no_checkpoint_behind(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="pins_dir"):
        make_checkpoint(replace(ledger, pin_path=tmp_path / "file" / "pin"))
    assert newest_checkpoint(ledger) is None


def test_every_entry_is_proved_under_the_newest_checkpoint(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 4)
    make_checkpoint(ledger)
    for seq, data in enumerate(entry_bytes(ledger, range(7))):
        checkpoint = verify_tlog_proof(prove(ledger, seq), data, KEY)
        assert checkpoint.tree_size == 7
        path = inclusion_proof(ledger, seq, 7)
        verify_inclusion(leaf_hash(data), seq, 7, path, checkpoint.root)


def test_a_proof_of_an_entry_behind_the_newest_checkpoint_makes_a_new_one(ledger: Ledger) -> None:
    make_checkpoint(ledger)
    append_receipts(ledger, 1, 1)
    (data,) = entry_bytes(ledger, [3])
    assert verify_tlog_proof(prove(ledger, 3), data, KEY).tree_size == 4
    assert verify_tlog_proof(prove(replace(ledger, log_key=None), 3), data, KEY).tree_size == 4
    append_receipts(ledger, 2, 1)
    with pytest.raises(StoreError, match="log key"):
        prove(replace(ledger, log_key=None), 4)


@pytest.mark.parametrize("seq", [-1, 3, 10**9])
def test_what_is_not_in_the_log_is_not_proved(ledger: Ledger, seq: int) -> None:
    with pytest.raises(UnknownIdError):
        prove(ledger, seq)
    with pytest.raises(UnknownIdError):
        entry_bytes(ledger, [0, seq])


@pytest.mark.parametrize(("seq", "tree_size"), [(0, 4), (3, 3), (-1, 3), (0, 0)])
def test_an_inclusion_proof_for_places_that_are_not_there_is_refused(ledger: Ledger, seq: int, tree_size: int) -> None:
    with pytest.raises(InputError):
        inclusion_proof(ledger, seq, tree_size)


def test_a_changed_entry_is_not_proved(ledger: Ledger) -> None:
    make_checkpoint(ledger)
    drop_guards(ledger.engine)
    execute(ledger.engine, "UPDATE entry SET data = (SELECT data FROM entry WHERE seq = 1) WHERE seq = 0")
    with pytest.raises(RootMismatchError):
        prove(ledger, 0)


def test_an_empty_log_is_not_signed(database_url: str, tmp_path: Path) -> None:
    ledger = make_ledger(database_url, tmp_path)
    with write_transaction(ledger.engine) as connection:
        insert_log(connection, ORIGIN, "2026-05-04T08:00:00.000000Z")
    assert head(ledger).tree_size == 0
    with pytest.raises(StoreError, match="log with entries"):
        make_checkpoint(ledger)
    ledger.engine.dispose()


@pytest.mark.parametrize("number", [2**53, 2**63, 2**64, 10**30])
def test_a_number_that_no_database_takes_is_that_of_no_entry_and_no_checkpoint(ledger: Ledger, number: int) -> None:
    make_checkpoint(ledger)
    for ask in (
        lambda: prove(ledger, number),
        lambda: prove(ledger, 0, number),
        lambda: entry_bytes(ledger, [0, number]),
        lambda: cose_receipt(ledger, number),
    ):
        with pytest.raises(UnknownIdError):
            ask()
