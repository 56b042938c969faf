"""Verifying a log of several tiles: runs of entries, tiles, guards, submissions, and what was verified before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from ledger.errors import InputError, StoreError
from ledger.log.chain import check_links
from ledger.log.checkpoint import parse_checkpoint, sign_checkpoint
from ledger.log.cosignature import WitnessPolicy, add_signature_lines, cosign, make_witness_key
from ledger.log.merkle import leaf_hash
from ledger.report import Check, Outcome, all_hold
from ledger.service import audit_chunk
from ledger.service.append import Draft, actor_key_body, append_entries
from ledger.service.audit import Extent, last_verified, left_out, verify_log
from ledger.service.audit_findings import MOST_FINDINGS
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger, State
from ledger.service.rebuild import rebuild_derived
from ledger.store.guards import missing_guards
from ledger.store.verified import Verified, read_verified, verified_path
from tests.store_samples import (
    ACTOR,
    LOG_KEY,
    ORIGIN,
    STRANGER,
    VKEY,
    append_receipts,
    drop_guards,
    execute,
    receipt,
    rows,
)

SIZE = 600
"""Entries of the log: two whole tiles of 256 and 88 more."""


@pytest.fixture
def long_log(ledger: Ledger) -> Ledger:
    """A log of SIZE entries: of start_log, lots, and a laboratory's key as entry 300; checkpoints at 500 and SIZE."""
    lots = iter(range(SIZE))
    append_entries(ledger, [receipt(f"IN-{next(lots)}") for _ in range(3, 300)], ACTOR)
    append_entries(ledger, [Draft("actor_key", actor_key_body(STRANGER, "laboratory"))], ACTOR)
    append_entries(ledger, [receipt(f"IN-{next(lots)}") for _ in range(301, 500)], STRANGER)
    make_checkpoint(ledger)
    append_entries(ledger, [receipt(f"IN-{next(lots)}") for _ in range(500, SIZE)], ACTOR)
    make_checkpoint(ledger)
    return ledger


def failed_of(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.outcome is Outcome.FAILED]


def named(checks: list[Check]) -> set[tuple[str, int | None]]:
    """Name and sequence number of what failed."""
    return {(check.name, check.seq) for check in failed_of(checks)}


def outcome_of(checks: list[Check], name: str) -> Outcome:
    (check,) = (check for check in checks if check.name == name)
    return check.outcome


def data_of(engine: Engine, seq: int) -> bytes:
    return bytes(rows(engine, f"SELECT data FROM entry WHERE seq = {seq}")[0][0])


def tampered(ledger: Ledger) -> Ledger:
    """The same ledger, as somebody opens it afterwards whose cache is empty."""
    return replace(ledger, state=State())


# Runs of entries


def test_a_long_log_holds_and_is_taken_in_whole_runs(long_log: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def seen(chunk: audit_chunk.Chunk) -> audit_chunk.Sound | None:
        sound = audit_chunk.check_chunk(chunk)
        sizes.append((chunk.seqs[0], len(chunk.seqs), sound is not None))
        return sound

    monkeypatch.setattr("ledger.service.audit_walk.check_chunk", seen)
    told: list[tuple[int, int]] = []
    checks = verify_log(long_log, VKEY, lambda done, total: told.append((done, total)))
    assert all_hold(checks)
    # Cut at tiles (256, 512) and around the entries about keys (0, 300). Who signs those is for the walk to judge.
    assert sizes == [
        (0, 1, False), (1, 255, True), (256, 44, True), (300, 1, False), (301, 211, True), (512, 88, True)
    ]  # fmt: skip
    assert told == [(1, SIZE), (256, SIZE), (300, SIZE), (301, SIZE), (512, SIZE), (SIZE, SIZE)]


def test_every_extent_says_what_it_left_out_and_does_not_call_it_passed(long_log: Ledger) -> None:
    nothing_there = {"witness-cosignatures", "stored-timestamps"}
    here = nothing_there | ({"database"} if long_log.engine.dialect.name == "postgresql" else set())
    for extent, without in (
        (Extent.ALL, set()),
        (Extent.LOG, {"entry-body", "plant-rules", "derived-tables"}),
        (
            Extent.LINKS,
            {
                "database", "entry-form", "entry-signature", "entry-columns", "entry-body", "sender-ids",
                "entry-repeated", "private-fields", "private-erasures", "plant-rules", "derived-tables",
            },
        ),
    ):  # fmt: skip
        checks = verify_log(long_log, VKEY, extent=extent)
        assert set(left_out(checks)) == here | without, extent
        assert all_hold(checks), extent
        assert len({check.name for check in checks}) == len(checks), "each kind once"


@pytest.mark.parametrize("jobs", [1, 2])
def test_damage_is_named_alike_by_one_process_and_by_two(long_log: Ledger, jobs: int) -> None:
    drop_guards(long_log.engine)
    for seq in (5, 255, 256, 300, 450, 599):
        changed = data_of(long_log.engine, seq).replace(b"2026-05-04", b"2026-05-03", 1)
        execute(long_log.engine, "UPDATE entry SET data = :data WHERE seq = :seq", data=changed, seq=seq)
    found = named(verify_log(tampered(long_log), VKEY, jobs=jobs))
    changed_entries = {5, 255, 256, 300, 450, 599}
    assert {seq for name, seq in found if name == "stored-leaf-hashes"} == changed_entries
    # The first date in an entry is that of its receipt by the log, so only the link after it is broken, not what was
    # signed. Of a neighbour pair 255, 256 the second breaks as well.
    assert {seq for name, seq in found if name == "entry-link"} == {6, 256, 257, 301, 451}
    assert "entry-signature" not in {name for name, _ in found}
    assert "entry-time" in {name for name, _ in found}


@pytest.mark.parametrize("seq", [1, 255, 256, 301, 512, 598])
def test_a_forged_statement_is_named_wherever_it_stands_in_a_run(long_log: Ledger, seq: int) -> None:
    # Everything after it is chained and hashed anew, as a careful forger would: only the signature can tell.
    drop_guards(long_log.engine)
    engine, origin = long_log.engine, json.dumps(ORIGIN).encode()
    prev = None
    with engine.connect() as connection:
        for number in range(seq, SIZE):
            data = data_of(engine, number)
            if number == seq:
                data = data.replace(b'"type":"', b'"type":"x', 1)
            else:
                assert prev is not None
                start = len(b'{"log":,"prev":"') + len(origin)
                data = data[:start] + prev + data[start + 64 :]
            leaf = leaf_hash(data)
            prev = leaf.hex().encode()
            connection.execute(
                text("UPDATE entry SET data = :data, leaf_hash = :leaf WHERE seq = :seq"),
                {"data": data, "leaf": leaf, "seq": number},
            )
        connection.commit()
    found = named(verify_log(tampered(long_log), VKEY, extent=Extent.LOG))
    assert ("entry-signature", seq) in found
    assert {name for name, _ in found} >= {"head-row", "stored-checkpoints", "pinned-checkpoint"}
    assert ("stored-tiles" in {name for name, _ in found}) == (seq < 512), "of the last tile, not full, no row is kept"
    assert not {name for name, _ in found} & {"entry-link", "entry-sequence", "stored-leaf-hashes", "entry-form"}


def test_a_deleted_entry_shifts_the_runs_and_is_named_once(long_log: Ledger) -> None:
    drop_guards(long_log.engine)
    execute(long_log.engine, "DELETE FROM entry WHERE seq = 100")
    found = named(verify_log(tampered(long_log), VKEY, extent=Extent.LOG))
    assert {one for one in found if one[0].startswith("entry-")} == {
        ("entry-rows", 100), ("entry-sequence", 100), ("entry-link", 101)
    }  # fmt: skip


def test_findings_of_a_kind_are_listed_up_to_a_limit_and_then_counted(
    long_log: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_FINDINGS >= SIZE, "or the tests above would not see all"
    monkeypatch.setattr("ledger.service.audit_findings.MOST_FINDINGS", 20)
    drop_guards(long_log.engine)
    execute(long_log.engine, "UPDATE entry SET content_sha256 = 'x'")
    columns = [check for check in failed_of(verify_log(long_log, VKEY)) if check.name == "entry-columns"]
    assert len(columns) == 21
    assert [check.seq for check in columns[:20]] == list(range(20))
    assert f"{SIZE - 20} more" in columns[20].detail


def test_a_stretch_whose_frame_is_changed_anywhere_is_not_taken_for_sound(long_log: Ledger) -> None:
    entries = [data_of(long_log.engine, seq) for seq in range(10, 14)]
    assert check_links(entries, ORIGIN, 10) is not None
    middle = entries[2]
    statement_at = middle.index(b'"stmt":') + len(b'"stmt":')
    sound = []
    for position in [*range(statement_at), *range(len(middle) - 7, len(middle))]:
        changed = middle[:position] + bytes([middle[position] ^ 1]) + middle[position + 1 :]
        if check_links([*entries[:2], changed], ORIGIN, 10) is not None:
            sound.append(position)
    # At the end of a stretch, two fields are free as far as the frame goes: the signature, and a later time of receipt.
    signature_at = middle.index(b'"sig":"') + len(b'"sig":"')
    recv_at = middle.index(b'"recv":"') + len(b'"recv":"')
    free = {*range(signature_at, signature_at + 88), *range(recv_at, recv_at + 27)}
    assert set(sound) <= free
    assert set(sound) >= set(range(signature_at, signature_at + 88))
    # Inside a stretch the next link fails whatever was changed.
    for position in range(0, len(middle), 7):
        changed = middle[:position] + bytes([middle[position] ^ 1]) + middle[position + 1 :]
        assert check_links([*entries[:2], changed, entries[3]], ORIGIN, 10) is None
    assert check_links(entries, "example.com/other", 10) is None
    assert check_links(entries, ORIGIN, 11) is None


# Tiles


TILE_EDITS = {
    "UPDATE tile SET hashes = :other WHERE level = 0 AND tile_index = 1": ("tile/0/001", 256),
    "UPDATE tile SET hashes = :short WHERE level = 0 AND tile_index = 0": ("tile/0/000", 0),
    "UPDATE tile SET hashes = :other WHERE level = 1": ("tile/1/000.p/2", 0),
    "UPDATE tile SET tile_index = 7 WHERE level = 0 AND tile_index = 1": ("tile/0/001", 256),
    "UPDATE tile SET level = 3 WHERE level = 1": ("tile/1/000.p/2", 0),
    "DELETE FROM tile WHERE level = 0 AND tile_index = 0": ("tile/0/000", 0),
    "DELETE FROM tile WHERE level = 1": ("tile/1/000.p/2", 0),
    "INSERT INTO tile SELECT origin, 0, 2, hashes FROM tile WHERE level = 0 AND tile_index = 1": (
        "level 0, index 2",
        None,
    ),
    "INSERT INTO tile SELECT origin, 2, 0, hashes FROM tile WHERE level = 1": ("level 2, index 0", None),
    "INSERT INTO tile SELECT origin, -1, -1, hashes FROM tile WHERE level = 1": ("level -1, index -1", None),
    "DELETE FROM tile": ("no tile is stored", None),
}
"""What is done to the tiles, and what the finding says and names."""


def test_every_edit_of_the_tiles_is_named_and_can_be_mended(long_log: Ledger) -> None:
    engine = long_log.engine
    values = {"other": b"\1" * 8192, "short": b"\1" * 31}
    for statement, (words, seq) in TILE_EDITS.items():
        used = {name: value for name, value in values.items() if f":{name}" in statement}
        execute(engine, statement, **used)
        found = failed_of(verify_log(long_log, VKEY, extent=Extent.LINKS))
        assert {check.name for check in found} == {"stored-tiles"}, statement
        assert (seq, True) in {(check.seq, words in check.detail) for check in found}, (statement, found)
        assert rebuild_derived(long_log) == SIZE
        assert failed_of(verify_log(long_log, VKEY, extent=Extent.LINKS)) == [], statement


# What else the log rests on


EDITS: list[tuple[str, set[str]]] = [
    ("UPDATE log SET created = '2020-01-01T00:00:00.000000Z'", set()),
    ("UPDATE head SET epoch = epoch + 1", set()),
    ("UPDATE head SET tree_size = tree_size + 1", {"head-row"}),
    ("UPDATE head SET last_leaf_hash = :bytes", {"head-row"}),
    ("UPDATE head SET frontier = :bytes", {"head-row"}),
    ("UPDATE entry SET leaf_hash = :bytes WHERE seq = 400", {"stored-leaf-hashes"}),
    ("UPDATE entry SET entry_type = 'ship' WHERE seq = 400", {"entry-columns"}),
    ("UPDATE entry SET entry_type = 'ship' WHERE seq = 300", {"entry-columns"}),
    ("UPDATE entry SET statement_id = 'x' WHERE seq = 400", {"entry-columns"}),
    ("UPDATE entry SET content_sha256 = 'x' WHERE seq = 400", {"entry-columns"}),
    ("UPDATE entry SET client_id = '' WHERE seq = 400", {"sender-ids"}),
    ("UPDATE entry SET client_id = 'a b' WHERE seq = 400", {"sender-ids"}),
    ("UPDATE entry SET client_id = 'another-id' WHERE seq = 400", set()),
    ("UPDATE entry SET tenant = 'another' WHERE seq = 400", set()),
    ("UPDATE checkpoint SET note = 'x' WHERE tree_size = 500", {"stored-checkpoints"}),
    ("UPDATE checkpoint SET tree_size = 499 WHERE tree_size = 500", {"stored-checkpoints"}),
    ("UPDATE checkpoint SET tree_size = -1 WHERE tree_size = 500", {"stored-checkpoints"}),
    ("UPDATE tile SET hashes = :bytes WHERE level = 0 AND tile_index = 0", {"stored-tiles"}),
    ("UPDATE batch_row SET status = 'shipped' WHERE batch_id = 'IN-7'", {"derived-tables"}),
    ("DELETE FROM entry_batch WHERE batch_id = 'IN-7'", {"derived-tables"}),
    ("INSERT INTO timestamp_token VALUES (:origin, 500, 'http://tsa', :bytes, 'x')", set()),
    ("INSERT INTO timestamp_token VALUES (:origin, 499, 'http://tsa', :bytes, 'x')", {"stored-timestamps"}),
    ("INSERT INTO submission VALUES (1, :origin, '', 'a', 'x', :bytes, 'x', 'sequenced', 400, NULL)", {"submissions"}),
    ("INSERT INTO submission VALUES (1, :origin, '', 'a', 'x', :bytes, 'x', 'sequenced', 7000, NULL)", {"submissions"}),
    ("INSERT INTO submission VALUES (1, :origin, '', 'a', 'x', :bytes, 'x', 'sequenced', NULL, NULL)", {"submissions"}),
    ("INSERT INTO submission VALUES (1, :origin, '', 'a', 'x', :bytes, 'x', 'waiting', 400, NULL)", {"submissions"}),
    ("INSERT INTO submission VALUES (1, :origin, '', 'a', 'x', :bytes, 'x', 'lost', NULL, NULL)", {"submissions"}),
    ("INSERT INTO submission VALUES (1, :origin, '', 'a', 'x', :bytes, 'x', 'waiting', NULL, NULL)", set()),
]
"""An administrator's edits, and the checks that fail.

Not seen, for these reasons: when the log was made is said nowhere else, and nothing rests on it; the epoch fences
sequencers off, a wrong one stops them and changes no entry; who sent an entry, and under which id of theirs, nobody has
signed, so that another one of the form is not told from the true one. A token over an existing checkpoint is not looked
into without a trusted authority: not checked. A waiting submission is judged when it is sequenced.
"""


def test_each_edit_of_a_table_that_the_log_rests_on_is_found_by_its_check(long_log: Ledger) -> None:
    engine = long_log.engine
    drop_guards(engine)
    for statement, expected in EDITS:
        with put_back(
            engine,
            statement.removeprefix("INSERT INTO ").removeprefix("UPDATE ").removeprefix("DELETE FROM ").split()[0],
        ):
            used = {"bytes": b"\1" * 32, "origin": ORIGIN}
            execute(engine, statement, **{name: value for name, value in used.items() if f":{name}" in statement})
            found = {check.name for check in failed_of(verify_log(tampered(long_log), VKEY))}
        assert found - {"append-only-guards"} == expected, statement
    assert {check.name for check in failed_of(verify_log(tampered(long_log), VKEY))} == {"append-only-guards"}


@contextmanager
def put_back(engine: Engine, table: str) -> Iterator[None]:
    """Afterwards every row of the table is as it was before."""
    with engine.connect() as connection:
        kept = [dict(row) for row in connection.execute(text(f"SELECT * FROM {table}")).mappings()]
    yield
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":  # a log's row is named by others; all of it is put back before the commit
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        else:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(f"DELETE FROM {table}"))
        if kept:
            values = ", ".join(f":{name}" for name in kept[0])
            connection.execute(text(f"INSERT INTO {table} ({', '.join(kept[0])}) VALUES ({values})"), kept)
        connection.commit()


def test_two_entries_with_one_senders_id_are_named_where_the_index_was_dropped(long_log: Ledger) -> None:
    drop_guards(long_log.engine)
    execute(long_log.engine, "DROP INDEX ix_entry_origin_tenant_client_id")
    execute(long_log.engine, "UPDATE entry SET client_id = 'twice' WHERE seq IN (400, 402)")
    assert ("sender-ids", 402) in named(verify_log(long_log, VKEY))


def test_a_content_that_is_not_listed_is_named_and_can_be_listed_again(long_log: Ledger) -> None:
    assert rebuild_derived(long_log) == SIZE  # lists all contents, as far as they were not yet
    execute(long_log.engine, "DELETE FROM content WHERE seq = 400")
    assert named(verify_log(long_log, VKEY)) == {("derived-tables", 400)}
    rebuild_derived(long_log)
    assert all_hold(verify_log(long_log, VKEY))


SQLITE_GUARDS = {
    "DROP TRIGGER entry_no_update": "entry_no_update is missing",
    "DROP TRIGGER entry_no_delete": "entry_no_delete is missing",
    "DROP TRIGGER entry_no_replace": "entry_no_replace is missing",
    "CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry WHEN 0 BEGIN SELECT 1; END": "entry_no_update was changed",
}
POSTGRESQL_GUARDS = {
    "DROP TRIGGER entry_no_change ON entry": "entry_no_change is missing",
    "DROP TRIGGER entry_no_truncate ON entry": "entry_no_truncate is missing",
    "ALTER TABLE entry DISABLE TRIGGER entry_no_change": "entry_no_change is switched off",
    "CREATE OR REPLACE FUNCTION entry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'": (
        "calls a function that was changed"
    ),
    "CREATE OR REPLACE TRIGGER entry_no_change BEFORE DELETE ON entry FOR EACH ROW"
    " EXECUTE FUNCTION entry_refuse_change()": "entry_no_change was changed",
}


def test_a_guard_that_is_gone_or_changed_is_named(ledger: Ledger) -> None:
    assert all_hold(verify_log(ledger, VKEY))
    is_sqlite = ledger.engine.dialect.name == "sqlite"
    for statement, words in (SQLITE_GUARDS if is_sqlite else POSTGRESQL_GUARDS).items():
        with ledger.engine.connect() as connection:
            if is_sqlite and statement.startswith("CREATE"):
                connection.exec_driver_sql("DROP TRIGGER IF EXISTS entry_no_update")
            connection.exec_driver_sql(statement)
            found = missing_guards(connection)
            connection.rollback()
        assert any(words in fault for fault in found), (statement, found)
    drop_guards(ledger.engine)
    checks = verify_log(ledger, VKEY)
    assert {check.name for check in failed_of(checks)} == {"append-only-guards"}
    # The entries hold all the same, and so the plant is looked at.
    assert outcome_of(checks, "derived-tables") is Outcome.PASSED


def test_a_witness_whose_line_does_not_hold_is_a_finding(ledger: Ledger) -> None:
    note = make_checkpoint(ledger)
    witness = make_witness_key("witness.example.com/w1", STRANGER.private_key.public_key())
    watched = replace(ledger, witnesses=WitnessPolicy(1, (witness,)))
    assert outcome_of(verify_log(watched, VKEY), "witness-cosignatures") is Outcome.NOT_CHECKED
    line = cosign(note, witness.name, STRANGER.private_key, 1_800_000_000)
    execute(ledger.engine, "UPDATE checkpoint SET note = :note", note=add_signature_lines(note, [line]))
    checks = verify_log(watched, VKEY)
    assert all_hold(checks)
    assert outcome_of(checks, "witness-cosignatures") is Outcome.PASSED
    # The same line under another checkpoint of the same log.
    append_receipts(ledger, 1, 1)
    other = make_checkpoint(ledger)
    execute(
        ledger.engine,
        "UPDATE checkpoint SET note = :note WHERE tree_size = 4",
        note=add_signature_lines(other, [line]),
    )
    assert named(verify_log(watched, VKEY)) == {("witness-cosignatures", None)}
    assert all_hold(verify_log(ledger, VKEY)), "to whom knows no witness, the line is anybody's"


# What was verified before


def verified_at_500(ledger: Ledger) -> Verified:
    """What a full verification keeps, made with the checkpoint of size 500 for the newest."""
    (note,) = (row[0] for row in rows(ledger.engine, "SELECT note FROM checkpoint WHERE tree_size = 500"))
    return Verified(note, "2026-05-04T09:00:00.000000Z", (0, 300))


def test_a_full_verification_that_holds_is_kept_and_no_other(long_log: Ledger) -> None:
    path = verified_path(long_log.pin_path)
    with pytest.raises(StoreError, match="--full"):
        last_verified(long_log)
    verify_log(long_log, VKEY, extent=Extent.LINKS, remember=True)
    verify_log(long_log, VKEY, since=verified_at_500(long_log), remember=True)
    assert not path.exists(), "neither links alone nor a part of the entries are a full verification"
    drop_guards(long_log.engine)
    execute(long_log.engine, "UPDATE entry SET entry_type = 'x' WHERE seq = 7")
    verify_log(long_log, VKEY, remember=True)
    assert not path.exists(), "what does not hold is not kept"


def test_what_was_verified_is_read_as_it_was_kept(long_log: Ledger) -> None:
    assert all_hold(verify_log(long_log, VKEY, extent=Extent.LOG, remember=True))
    kept = last_verified(long_log)
    assert kept.tree_size == SIZE
    assert kept.key_entries == (0, 300)
    checks = verify_log(long_log, VKEY, since=kept)
    assert all_hold(checks)
    assert outcome_of(checks, "entry-signature") is Outcome.NOT_CHECKED, "no entry came since"


def test_only_entries_after_the_verified_ones_are_read_and_the_report_says_so(long_log: Ledger) -> None:
    checks = verify_log(long_log, VKEY, since=verified_at_500(long_log))
    assert all_hold(checks)
    (earlier,) = (check for check in checks if check.name == "earlier-entries")
    assert earlier.outcome is Outcome.NOT_CHECKED
    assert "entries 0 to 499 were not read now: they were verified on 2026-05-04T09:00:00.000000Z" in earlier.detail
    assert {"earlier-entries", "plant-rules", "derived-tables"} <= set(left_out(checks))
    (form,) = (check for check in checks if check.name == "entry-form")
    assert "entries 500 to 599" in form.detail
    # Entries 500 to 599 are signed with the key of entry 0, and those before with that of entry 300: both are known.
    assert outcome_of(checks, "entry-signature") is Outcome.PASSED


def test_damage_after_the_verified_entries_is_named_as_by_a_full_verification(long_log: Ledger) -> None:
    drop_guards(long_log.engine)
    since = verified_at_500(long_log)
    for seq in (500, 511, 512, 599):
        data = data_of(long_log.engine, seq)
        changed = data.replace(b'"hard-disk magnets"', b'"hard-disk magnetS"')
        assert changed != data
        execute(long_log.engine, "UPDATE entry SET data = :data WHERE seq = :seq", data=changed, seq=seq)
        found = named(verify_log(tampered(long_log), VKEY, since=since))
        everything = named(verify_log(tampered(long_log), VKEY))
        assert found == everything
        assert {("entry-signature", seq), ("stored-leaf-hashes", seq)} <= found
        execute(long_log.engine, "UPDATE entry SET data = :data WHERE seq = :seq", data=data, seq=seq)
    execute(long_log.engine, "DELETE FROM entry WHERE seq >= 550")
    assert ("pinned-checkpoint", 550) in named(verify_log(tampered(long_log), VKEY, since=since))


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE tile SET hashes = :bytes WHERE level = 0 AND tile_index = 0", None),
        ("UPDATE tile SET hashes = :short WHERE level = 0 AND tile_index = 0", 0),
        ("DELETE FROM tile WHERE level = 0 AND tile_index = 0", 0),
        ("UPDATE entry SET leaf_hash = :hash WHERE seq = 400", None),
        ("UPDATE entry SET leaf_hash = :short WHERE seq = 400", 400),
        ("DELETE FROM entry WHERE seq = 400", 400),
        ("UPDATE entry SET data = :bytes WHERE seq = 300", 300),
        ("UPDATE entry SET data = :bytes WHERE seq = 499", 499),
        ("UPDATE entry SET data = :bytes WHERE seq = 0", 0),
        ("DELETE FROM entry WHERE seq = 0", 0),
    ],
)
def test_earlier_entries_that_are_not_what_was_verified_are_found(
    long_log: Ledger, statement: str, seq: int | None
) -> None:
    drop_guards(long_log.engine)
    values = {"bytes": b"\1" * 8192, "short": b"\1" * 31, "hash": b"\1" * 32}
    used = {name: value for name, value in values.items() if f":{name}" in statement}
    execute(long_log.engine, statement, **used)
    checks = verify_log(tampered(long_log), VKEY, since=verified_at_500(long_log))
    assert ("earlier-entries", seq) in named(checks)
    assert not all_hold(checks)
    assert any("--full" in check.detail for check in failed_of(checks))


def test_a_key_entry_hidden_behind_its_column_is_still_known(long_log: Ledger) -> None:
    append_entries(long_log, [receipt("IN-9000")], STRANGER)
    drop_guards(long_log.engine)
    execute(long_log.engine, "UPDATE entry SET entry_type = 'party' WHERE seq = 300")
    checks = verify_log(tampered(long_log), VKEY, since=verified_at_500(long_log))
    assert outcome_of(checks, "entry-signature") is Outcome.PASSED


def test_a_verified_checkpoint_of_another_key_or_log_is_not_built_on(long_log: Ledger) -> None:
    since = verified_at_500(long_log)
    forged = sign_checkpoint(parse_checkpoint(since.note)[0], STRANGER.private_key)
    checks = verify_log(long_log, VKEY, since=replace(since, note=forged))
    assert ("earlier-entries", None) in named(checks)
    wrong_root = sign_checkpoint(replace(parse_checkpoint(since.note)[0], root=b"\1" * 32), LOG_KEY)
    checks = verify_log(long_log, VKEY, since=replace(since, note=wrong_root))
    assert ("earlier-entries", None) in named(checks)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"null", b"{}", b"\xff", b'{"at":"x","key_entries":[],"note":"x","v":1}',
        b'{"at":"2026-05-04T09:00:00.000000Z","key_entries":[],"note":"x","v":1}',
        b'{"at":"2026-05-04T09:00:00.000000Z","key_entries":{},"note":"x","v":1}',
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_was_kept_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.verified"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="--full"):
        read_verified(path)


@pytest.mark.parametrize("numbers", [(3, 2), (0, 0), (-1,), (600,), (True,)])
def test_numbers_of_key_entries_that_cannot_be_are_refused(long_log: Ledger, numbers: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        replace(verified_at_500(long_log), key_entries=numbers)
