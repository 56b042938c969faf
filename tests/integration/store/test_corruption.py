"""Every damage that an administrator can do, at every place of a small log, is found and named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from ledger.log.canonical import canonical_bytes
from ledger.log.checkpoint import Checkpoint, format_vkey, sign_checkpoint
from ledger.log.envelope import parse_envelope
from ledger.log.merkle import Frontier, leaf_hash
from ledger.log.signed import SignedStatement, check_form, make_signed
from ledger.log.statement import Statement
from ledger.report import Check, Outcome, all_hold
from ledger.service.append import Draft, actor_key_body, append_entries
from ledger.service.audit import Extent, verify_log
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Actor, Ledger, State
from ledger.service.rebuild import rebuild_derived
from ledger.store.database import make_engine
from ledger.store.pin import write_pin
from ledger.store.sequencer import open_sequencer
from tests.store_samples import (
    ACTOR,
    LOG_KEY,
    ORIGIN,
    STRANGER,
    VKEY,
    append_receipts,
    blend,
    drop_guards,
    execute,
    make_ids,
    receipt,
    rows,
)

SIZE = 8
"""Entries in the log that is damaged: key, party, site, two lots, (checkpoint), a blend, two lots, (checkpoint)."""


@pytest.fixture
def whole(ledger: Ledger) -> Ledger:
    """A log of SIZE entries, with two checkpoints and the pin at its end; its guards are dropped."""
    append_receipts(ledger, 1, 2)
    make_checkpoint(ledger)
    append_entries(ledger, [blend("BL-1", [("IN-1", "60.0"), ("IN-2", "40.0")], ("M-1", "100.0"))], ACTOR)
    append_entries(ledger, [replace(receipt("IN-3"), private={"price": "12.00"})], ACTOR)
    append_receipts(ledger, 4, 1)
    make_checkpoint(ledger)
    assert all_hold(verify_log(ledger, VKEY))
    drop_guards(ledger.engine)
    return ledger


def checks_of(ledger: Ledger) -> list[Check]:
    """A verification, but for what it says of the guards, which are dropped here."""
    checks = verify_log(replace(ledger, state=State()), VKEY)
    return [check for check in checks if check.name != "append-only-guards"]


def failures(ledger: Ledger) -> list[Check]:
    """What a verification finds broken. A verification with a finding must not hold."""
    checks = checks_of(ledger)
    found = [check for check in checks if check.outcome is Outcome.FAILED]
    assert all_hold(checks) == (not found)
    return found


@contextmanager
def put_back(engine: Engine) -> Iterator[None]:
    """Afterwards every row is as it was before."""
    tables = ("head", "entry", "private_field", "checkpoint", "batch_row", "entry_batch")
    with engine.connect() as connection:
        kept = {table: connection.execute(text(f"SELECT * FROM {table}")).mappings().all() for table in tables}
    yield
    with engine.connect() as connection:
        for table in tables:
            connection.execute(text(f"DELETE FROM {table}"))
            for row in kept[table]:
                values = ", ".join(f":{name}" for name in row)
                connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"), dict(row))
        connection.commit()


def data_of(engine: Engine, seq: int) -> bytes:
    return bytes(rows(engine, f"SELECT data FROM entry WHERE seq = {seq}")[0][0])


def names_at(found: list[Check], seq: int) -> set[str]:
    """Names of the findings at an entry."""
    return {check.name for check in found if check.seq == seq}


def test_a_whole_log_holds_and_every_check_was_made(whole: Ledger) -> None:
    checks = checks_of(whole)
    not_passed = {check.name for check in checks if check.outcome is not Outcome.PASSED}
    # There are no witnesses and no time stamps here.
    nothing_there = {"witness-cosignatures", "stored-timestamps"}
    assert not_passed == nothing_there | (set() if whole.engine.dialect.name == "sqlite" else {"database"})
    assert {check.name for check in checks} == {
        "entry-form", "entry-origin", "entry-sequence", "entry-link", "entry-time", "entry-signature", "database",
        "entry-rows", "stored-leaf-hashes", "entry-columns", "entry-body", "key-entries", "sender-ids",
        "entry-repeated",
        "private-fields", "private-erasures", "stored-tiles", "head-row", "stored-checkpoints", "pinned-checkpoint",
        "witness-cosignatures", "stored-timestamps", "submissions", "plant-rules", "derived-tables",
    }  # fmt: skip


@pytest.mark.parametrize("mend", [False, True], ids=["bytes alone", "leaf hash mended"])
def test_a_changed_byte_is_named_wherever_it_is(whole: Ledger, mend: bool) -> None:
    for seq in range(SIZE):
        data = data_of(whole.engine, seq)
        for position in (0, len(data) // 3, len(data) // 2, len(data) - 2):
            changed = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
            with put_back(whole.engine):
                execute(whole.engine, "UPDATE entry SET data = :data WHERE seq = :seq", data=changed, seq=seq)
                if mend:
                    leaf = leaf_hash(changed)
                    execute(whole.engine, "UPDATE entry SET leaf_hash = :leaf WHERE seq = :seq", leaf=leaf, seq=seq)
                found = failures(whole)
            assert names_at(found, seq), (seq, position, found)
            assert mend or "stored-leaf-hashes" in names_at(found, seq)


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe\x00", b"{}", b"null", b"[" * 5000, b'{"v":1}', b"x" * 100_000])
def test_garbage_in_place_of_an_entry_is_a_finding_and_no_crash(whole: Ledger, garbage: bytes) -> None:
    for seq in range(SIZE):
        with put_back(whole.engine):
            execute(whole.engine, "UPDATE entry SET data = :data WHERE seq = :seq", data=garbage, seq=seq)
            found = failures(whole)
        assert {"entry-form", "stored-leaf-hashes"} <= names_at(found, seq), found


def test_a_deleted_entry_is_named(whole: Ledger) -> None:
    for seq in range(SIZE):
        with put_back(whole.engine):
            delete(whole.engine, seq)
            found = failures(whole)
        if seq < SIZE - 1:
            assert {"entry-rows", "entry-sequence"} <= names_at(found, seq), found
        else:
            assert {"head-row", "pinned-checkpoint"} <= names_at(found, seq), found
        assert {"head-row", "stored-checkpoints", "pinned-checkpoint"} <= {check.name for check in found}


def test_a_deleted_entry_is_found_when_the_rest_moves_up_and_the_head_row_is_mended(whole: Ledger) -> None:
    for seq in range(SIZE - 1):
        with put_back(whole.engine):
            delete(whole.engine, seq)
            for later in range(seq + 1, SIZE):
                execute(whole.engine, f"UPDATE entry SET seq = {later - 1} WHERE seq = {later}")
            mend_head(whole.engine)
            found = failures(whole)
        assert "entry-sequence" in names_at(found, seq), found
        assert "pinned-checkpoint" in {check.name for check in found}


def test_two_swapped_entries_are_both_named(whole: Ledger) -> None:
    for first in range(SIZE):
        for second in range(first + 1, SIZE):
            with put_back(whole.engine):
                for old, new in ((first, 99), (second, first), (99, second)):
                    execute(whole.engine, f"UPDATE entry SET seq = {new} WHERE seq = {old}")
                found = failures(whole)
            assert names_at(found, first), found
            assert names_at(found, second), found


def test_a_cut_tail_is_seen_by_pin_and_checkpoint_even_with_the_head_row_mended(whole: Ledger) -> None:
    for kept in range(1, SIZE):
        with put_back(whole.engine):
            for seq in range(kept, SIZE):
                delete(whole.engine, seq)
            mend_head(whole.engine)
            found = failures(whole)
        assert {"stored-checkpoints", "pinned-checkpoint"} <= names_at(found, kept), found
        missing = f"entry {kept} is missing" if kept == SIZE - 1 else f"entries {kept} to {SIZE - 1} are missing"
        assert any(missing in check.detail for check in found if check.name == "pinned-checkpoint"), found


def test_a_cut_tail_is_seen_by_the_pin_when_the_checkpoints_are_cut_as_well(whole: Ledger) -> None:
    delete(whole.engine, SIZE - 1)
    execute(whole.engine, f"DELETE FROM checkpoint WHERE tree_size = {SIZE}")
    execute(whole.engine, "DELETE FROM batch_row WHERE batch_id = 'IN-4'")
    execute(whole.engine, "DELETE FROM entry_batch WHERE batch_id = 'IN-4'")
    mend_head(whole.engine)
    assert [(check.name, check.seq) for check in failures(whole)] == [("pinned-checkpoint", SIZE - 1)]


def test_without_its_pin_a_log_with_checkpoints_is_not_called_whole(whole: Ledger) -> None:
    whole.pin_path.unlink()
    checks = checks_of(whole)
    (pin,) = (check for check in checks if check.name == "pinned-checkpoint")
    assert pin.outcome is Outcome.NOT_CHECKED
    assert not all_hold(checks)


@pytest.mark.parametrize("note", ["", "garbage", "a\n1\nAAAA\n\n— b c\n", "\x00"])
def test_a_pin_that_is_no_checkpoint_of_this_log_is_a_finding(whole: Ledger, note: str) -> None:
    write_pin(whole.pin_path, note)
    assert {check.name for check in failures(whole)} == {"pinned-checkpoint"}


def test_a_pin_signed_by_another_key_or_of_another_tree_is_a_finding(whole: Ledger) -> None:
    true_root = Frontier(*tree_of(whole.engine)).root()
    write_pin(whole.pin_path, sign_checkpoint(Checkpoint(ORIGIN, SIZE, true_root), ACTOR.private_key))
    assert {check.name for check in failures(whole)} == {"pinned-checkpoint"}
    write_pin(whole.pin_path, sign_checkpoint(Checkpoint(ORIGIN, SIZE, b"\1" * 32), LOG_KEY))
    found = failures(whole)
    assert {check.name for check in found} == {"pinned-checkpoint"}
    assert found[0].seq is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE head SET tree_size = tree_size + 1",
        "UPDATE head SET tree_size = tree_size - 1",
        "UPDATE head SET tree_size = -1",
        "UPDATE head SET last_leaf_hash = :other",
        "UPDATE head SET last_leaf_hash = :nothing",
        "UPDATE head SET frontier = :other",
        "UPDATE head SET frontier = :nothing",
        "UPDATE head SET frontier = :short",
        "DELETE FROM head",
    ],
)
def test_an_edited_head_row_is_found(whole: Ledger, statement: str) -> None:
    values = {"other": b"\1" * 32, "nothing": b"", "short": b"\1" * 33}
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    execute(whole.engine, statement, **used)
    assert {check.name for check in failures(whole)} == {"head-row"}


@pytest.mark.parametrize(
    ("column", "value", "name"),
    [
        ("leaf_hash", b"\1" * 32, "stored-leaf-hashes"),
        ("leaf_hash", b"", "stored-leaf-hashes"),
        ("entry_type", "ship", "entry-columns"),
        ("statement_id", "01890000-0000-7000-8fff-00000000ffff", "entry-columns"),
        ("content_sha256", "0" * 64, "entry-columns"),
    ],
)
def test_an_edited_column_of_any_entry_is_named(whole: Ledger, column: str, value: Any, name: str) -> None:
    for seq in range(SIZE):
        with put_back(whole.engine):
            execute(whole.engine, f"UPDATE entry SET {column} = :value WHERE seq = :seq", value=value, seq=seq)
            found = failures(whole)
        assert [(check.name, check.seq) for check in found] == [(name, seq)]


@pytest.mark.parametrize("seq", [SIZE, SIZE + 5, -1])
def test_an_inserted_row_is_named(whole: Ledger, seq: int) -> None:
    execute(
        whole.engine,
        "INSERT INTO entry (origin, seq, leaf_hash, data, entry_type, statement_id, content_sha256, tenant, client_id)"
        f" SELECT origin, {seq}, leaf_hash, data, entry_type, 'another', content_sha256, tenant, 'another'"
        " FROM entry WHERE seq = 3",
    )
    found = failures(whole)
    assert names_at(found, seq) or "entry-rows" in names_at(found, SIZE), found


def test_text_that_is_not_utf_8_is_a_finding_and_no_crash(whole: Ledger) -> None:
    if whole.engine.dialect.name == "postgresql":  # refuses such text itself
        with pytest.raises(Exception, match="invalid byte sequence"):
            execute(whole.engine, "UPDATE entry SET entry_type = convert_from('\\xff', 'UTF8') WHERE seq = 2")
        return
    execute(whole.engine, "UPDATE entry SET entry_type = CAST(x'ff' AS TEXT) WHERE seq = 2")
    execute(whole.engine, "UPDATE private_field SET scope = CAST(x'ff' AS TEXT) WHERE field = 'price'")
    execute(whole.engine, "UPDATE checkpoint SET note = CAST(x'ff' AS TEXT) WHERE tree_size = 5")
    found = failures(whole)
    assert {(check.name, check.seq) for check in found} == {
        ("entry-columns", 2), ("private-fields", 6), ("stored-checkpoints", None)
    }  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE private_field SET sealed = :other WHERE field = 'price'",
        "UPDATE private_field SET sealed = :nothing WHERE field = 'price'",
        "UPDATE private_field SET scope = 'batch/IN-1' WHERE field = 'price'",
        "UPDATE private_field SET scope = '' WHERE field = 'price'",
        "UPDATE private_field SET field = 'cost' WHERE field = 'price'",
        "INSERT INTO private_field SELECT origin, seq, 'cost', scope, sealed FROM private_field WHERE field = 'price'",
        "UPDATE private_field SET sealed = (SELECT p.sealed FROM private_field p WHERE p.field = 'name') WHERE seq = 6",
    ],
)
def test_a_private_value_that_is_not_what_the_entry_commits_to_is_named(whole: Ledger, statement: str) -> None:
    values = {"other": b"\1" * 173, "nothing": b""}
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    execute(whole.engine, statement, **used)
    found = failures(whole)
    assert {check.seq for check in found} == {6}
    assert {check.name for check in found} <= {"private-fields", "private-erasures"}


def test_a_private_value_of_an_entry_that_does_not_exist_is_named(whole: Ledger) -> None:
    execute(whole.engine, "UPDATE private_field SET seq = 77 WHERE field = 'price'")
    assert {(check.name, check.seq) for check in failures(whole)} == {("private-fields", 77), ("private-erasures", 6)}


def test_a_private_value_that_is_gone_without_an_entry_is_named(whole: Ledger) -> None:
    execute(whole.engine, "DELETE FROM private_field WHERE field = 'price'")
    assert {(check.name, check.seq) for check in failures(whole)} == {("private-erasures", 6)}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE checkpoint SET note = 'x' WHERE tree_size = 5",
        "UPDATE checkpoint SET tree_size = 4 WHERE tree_size = 5",
        f"UPDATE checkpoint SET note = (SELECT note FROM checkpoint WHERE tree_size = {SIZE}) WHERE tree_size = 5",
    ],
)
def test_an_edited_checkpoint_is_found(whole: Ledger, statement: str) -> None:
    execute(whole.engine, statement)
    assert {check.name for check in failures(whole)} == {"stored-checkpoints"}


def test_a_rewritten_history_is_found_by_what_was_signed_before(whole: Ledger, tmp_path: Path) -> None:
    # The tail from entry 5 on is thrown away and others are made in its place, with the true keys and a true head.
    for seq in range(5, SIZE):
        delete(whole.engine, seq)
    execute(whole.engine, f"DELETE FROM checkpoint WHERE tree_size = {SIZE}")
    for table in ("private_field", "entry_batch", "batch_row"):
        execute(whole.engine, f"DELETE FROM {table} WHERE seq >= 5")
    for lot in ("IN-1", "IN-2"):
        execute(whole.engine, f"UPDATE batch_row SET remaining = '100.0', status = 'in stock' WHERE batch_id = '{lot}'")
    mend_head(whole.engine)
    forger = replace(whole, state=State(), new_id=make_ids(7))
    append_receipts(forger, 6, SIZE - 5)
    found = failures(whole)
    assert [check.name for check in found] == ["pinned-checkpoint"]
    # What lies under the checkpoint of size 5 is confirmed; the change is at or after it.
    assert found[0].seq == 5


def append_past_the_rules(ledger: Ledger, signer: Actor, draft: Draft, actor: str) -> None:
    """An entry in its right place with a true head row, made by somebody who does not go through append_entries."""
    with open_sequencer(ledger.engine, ORIGIN) as sequencer:
        recv = sequencer.recv(ledger.now())
        identity = "01890000-0000-7000-8fff-00000000eeee"
        statement = Statement(draft.entry_type, identity, recv, actor, signer.kid, dict(draft.body))
        sequencer.add(make_signed(statement, signer.private_key), recv)
        sequencer.write()


@pytest.mark.parametrize(
    ("signer", "name"),
    [(STRANGER, STRANGER.actor), (STRANGER, ACTOR.actor), (ACTOR, STRANGER.actor)],
    ids=["unknown key", "unknown key under a known name", "known key under another name"],
)
def test_an_entry_by_a_key_that_is_not_its_actors_is_named(whole: Ledger, signer: Actor, name: str) -> None:
    append_past_the_rules(whole, signer, receipt("IN-9"), name)
    assert [(check.name, check.seq) for check in failures(whole)] == [("entry-signature", SIZE)]


def test_an_entry_by_a_registered_key_holds_from_its_registration_on(whole: Ledger) -> None:
    append_entries(whole, [Draft("actor_key", actor_key_body(STRANGER, "laboratory"))], ACTOR)
    append_entries(whole, [receipt("IN-9")], STRANGER)
    assert failures(whole) == []


def test_a_key_that_registers_itself_later_than_the_first_entry_is_not_believed(whole: Ledger) -> None:
    append_past_the_rules(whole, STRANGER, Draft("actor_key", actor_key_body(STRANGER, "operator")), STRANGER.actor)
    assert [(check.name, check.seq) for check in failures(whole)] == [("entry-signature", SIZE)]


@pytest.mark.parametrize("extent", [Extent.LOG, Extent.ALL])
def test_a_statement_that_is_sent_again_past_the_rules_is_named(whole: Ledger, extent: Extent) -> None:
    """Its signature holds wherever it stands: whoever reaches the database needs no key to repeat what was said."""
    if whole.engine.dialect.name == "sqlite":
        with whole.engine.connect() as connection:
            connection.execute(text("ALTER TABLE entry RENAME TO kept"))
            connection.execute(text("CREATE TABLE entry AS SELECT * FROM kept"))
            connection.commit()
    else:
        execute(whole.engine, "ALTER TABLE entry DROP CONSTRAINT uq_entry_origin_statement_id")
    first = parse_envelope(data_of(whole.engine, 5))
    again = SignedStatement(canonical_bytes(first.statement.to_value()), first.signature, client_id="again")
    with open_sequencer(whole.engine, ORIGIN) as sequencer:
        sequencer.add(check_form(again), sequencer.recv(whole.now()))
        sequencer.write()
    found = [check for check in verify_log(whole, VKEY, extent=extent) if check.name == "entry-repeated"]
    assert [(check.outcome, check.seq) for check in found] == [(Outcome.FAILED, SIZE)]
    assert "entry 5" in found[0].detail


@pytest.mark.parametrize("draft", [Draft("smelt", {}), Draft("receipt", {"batch_id": "IN-9"})])
def test_an_entry_whose_body_is_none_of_its_type_is_named(whole: Ledger, draft: Draft) -> None:
    append_past_the_rules(whole, ACTOR, draft, ACTOR.actor)
    assert {(check.name, check.seq) for check in failures(whole)} == {("entry-body", SIZE)}


@pytest.mark.parametrize("extent", list(Extent))
@pytest.mark.parametrize("entry_type", ["actor_key", "key_revoked", "private_erased"])
def test_an_entry_about_keys_that_cannot_be_read_is_not_said_to_keep_their_rules(
    whole: Ledger, entry_type: str, extent: Extent
) -> None:
    append_entries(whole, [Draft("actor_key", actor_key_body(STRANGER, "laboratory"))], ACTOR)
    # Who may sign it hangs on what it says; here nothing tells, and no laboratory may register, revoke or erase.
    append_past_the_rules(whole, STRANGER, Draft(entry_type, {"note": "none of its type"}), STRANGER.actor)
    found = [check for check in verify_log(whole, VKEY, extent=extent) if check.name == "key-entries"]
    assert [(check.outcome, check.seq) for check in found] == [(Outcome.FAILED, SIZE + 1)]


def test_an_entry_that_breaks_a_rule_of_the_plant_is_found(whole: Ledger) -> None:
    append_past_the_rules(whole, ACTOR, receipt("IN-1"), ACTOR.actor)
    (found,) = failures(whole)
    assert (found.name, found.seq) == ("plant-rules", SIZE)
    assert f"/entries/{SIZE}/batch_id" in found.detail


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE batch_row SET remaining = '1' WHERE batch_id = 'IN-3'",
        "UPDATE batch_row SET batch_id = 'IN-9' WHERE batch_id = 'IN-3'",
        "DELETE FROM batch_row WHERE batch_id = 'IN-3'",
        "DELETE FROM entry_batch WHERE batch_id = 'IN-3'",
        "INSERT INTO entry_batch SELECT origin, 'IN-3', 7 FROM log",
    ],
)
def test_a_derived_table_that_says_something_else_is_found_and_can_be_rebuilt(whole: Ledger, statement: str) -> None:
    execute(whole.engine, statement)
    found = failures(whole)
    assert {check.name for check in found} == {"derived-tables"}
    assert "IN-3" in " ".join(check.detail for check in found)
    assert rebuild_derived(whole) == SIZE
    assert failures(whole) == []


def test_a_database_file_that_is_destroyed_is_a_finding_and_no_crash(tmp_path: Path, whole: Ledger) -> None:
    if whole.engine.dialect.name == "postgresql":  # its files are its own; a lost table stands for them
        execute(whole.engine, "DROP TABLE entry")
        assert {check.name for check in failures(whole)} == {"database"}
        return
    whole.engine.dispose()
    path = Path(str(whole.engine.url.database))
    content = path.read_bytes()
    for damaged in (b"not a database", content[:5000], content[:4096] + b"\xff" * 8192 + content[12288:]):
        copy = tmp_path / "damaged.db"
        copy.write_bytes(damaged)
        broken = replace(whole, engine=make_engine(f"sqlite:///{copy}"))
        found = failures(broken)
        assert found
        broken.engine.dispose()
        for leftover in tmp_path.glob("damaged.db*"):
            leftover.unlink()


def test_the_wrong_verifier_key_is_not_taken_for_the_logs(whole: Ledger) -> None:
    strangers = format_vkey(ORIGIN, ACTOR.private_key.public_key())
    checks = verify_log(whole, strangers)
    found = {check.name for check in checks if check.outcome is Outcome.FAILED}
    assert found == {"append-only-guards", "stored-checkpoints", "pinned-checkpoint"}


# Tools of the administrator


def delete(engine: Engine, seq: int) -> None:
    execute(engine, f"DELETE FROM entry WHERE seq = {seq}")


def tree_of(engine: Engine) -> tuple[int, tuple[bytes, ...]]:
    frontier = Frontier()
    for (data,) in rows(engine, "SELECT data FROM entry ORDER BY seq"):
        frontier = frontier.append(leaf_hash(bytes(data)))
    return frontier.tree_size, frontier.peaks


def mend_head(engine: Engine) -> None:
    """Make the head row agree with the entries that there are."""
    size, peaks = tree_of(engine)
    last = leaf_hash(bytes(rows(engine, "SELECT data FROM entry ORDER BY seq DESC LIMIT 1")[0][0]))
    execute(
        engine,
        "UPDATE head SET tree_size = :size, last_leaf_hash = :last, frontier = :frontier",
        size=size,
        last=last,
        frontier=b"".join(peaks),
    )
