"""Appending: what is acknowledged is there, what is refused leaves nothing."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event

from ledger.errors import (
    BrokenLinkError,
    ConflictError,
    DuplicateIdError,
    InputError,
    LedgerError,
    OverdrawnError,
    RuleError,
    StoreError,
    UnknownIdError,
)
from ledger.log.chain import check_chain
from ledger.log.envelope import MAX_ENTRY_BYTES, parse_envelope
from ledger.log.merkle import leaf_hash
from ledger.log.statement import check_commitment
from ledger.report import Outcome
from ledger.service.append import Draft, append_entries, create_log, register_actor
from ledger.service.context import Ledger
from ledger.service.factor_library import default_adoption
from ledger.service.read import entry_bytes, head, plant_of, private_values, state_of
from ledger.store.database import read_transaction
from ledger.store.private_rows import read_private
from tests.store_samples import (
    ACTOR,
    ORIGIN,
    SECRET_NAME,
    STRANGER,
    append_receipts,
    blend,
    drop_guards,
    execute,
    make_clock,
    receipt,
    rows,
)

ID = "01890000-0000-7000-8fff-000000000001"
LONG = "x" * 300


def everything(engine: Engine) -> dict[str, list[Any]]:
    """All rows of the tables that an append writes."""
    tables = ("head", "entry", "private_field", "batch_row", "entry_batch")
    return {table: sorted(rows(engine, f"SELECT * FROM {table}"), key=repr) for table in tables}


def test_what_is_acknowledged_is_in_the_log_with_the_bytes_that_were_signed(ledger: Ledger) -> None:
    appended = append_entries(ledger, [receipt("IN-1")], ACTOR)[0]
    (data,) = entry_bytes(ledger, [appended.seq])
    envelope = parse_envelope(data)
    assert (appended.seq, appended.repeated, appended.entry_type) == (3, False, "receipt")
    assert appended.leaf_hash == leaf_hash(data).hex()
    assert envelope.statement.id == appended.statement_id
    assert envelope.statement.body["batch_id"] == "IN-1"
    public_key = ACTOR.private_key.public_key()
    entries = entry_bytes(ledger, range(4))
    report = check_chain(entries, ORIGIN, lambda _: public_key)
    assert {check.outcome for check in report.checks} == {Outcome.PASSED}
    now = head(ledger)
    assert (now.tree_size, now.last_leaf_hash.hex(), now.frontier) == (4, report.head, report.frontier)


def test_the_first_entry_of_a_log_is_the_key_that_signs_it(ledger: Ledger) -> None:
    first = parse_envelope(entry_bytes(ledger, [0])[0])
    assert first.statement.type == "actor_key"
    assert first.statement.body["kid"] == first.statement.kid == ACTOR.kid


def test_a_log_that_exists_is_not_made_again(ledger: Ledger) -> None:
    with pytest.raises(DuplicateIdError, match=ORIGIN):
        create_log(ledger, ACTOR)
    assert head(ledger).tree_size == 3


def test_a_ledger_without_its_log_is_refused(ledger: Ledger) -> None:
    other = replace(ledger, origin="example.com/magnets/site-2")
    with pytest.raises(StoreError, match="site-2"):
        append_entries(other, [receipt("IN-1")], ACTOR)
    with pytest.raises(StoreError, match="site-2"):
        head(other)


def test_two_logs_live_in_one_database(ledger: Ledger) -> None:
    other = replace(ledger, origin="example.com/magnets/site-2", state=type(ledger.state)())
    create_log(other, STRANGER)
    append_receipts(ledger, 1, 1)
    assert (head(ledger).tree_size, head(other).tree_size) == (4, 1)
    assert list(plant_of(other).batches) == []


def test_a_reader_with_another_connection_sees_the_entry_once_it_is_acknowledged(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 2)
    second = replace(ledger, state=type(ledger.state)())
    assert sorted(plant_of(second).batches) == ["IN-1", "IN-2"]


# Private fields


def test_private_values_are_nowhere_in_clear(ledger: Ledger) -> None:
    stored = everything(ledger.engine)
    assert len(stored["private_field"]) == 2
    for spelling in (SECRET_NAME.encode(), b"Schmidt", b"K\\u00f6ln", b"DE123456789"):
        for (data,) in rows(ledger.engine, "SELECT data FROM entry UNION ALL SELECT sealed FROM private_field"):
            assert spelling not in bytes(data)
    assert "Schmidt" not in repr(stored)


def test_the_entry_commits_to_each_private_value_under_its_own_salt(ledger: Ledger) -> None:
    commit = parse_envelope(entry_bytes(ledger, [1])[0]).statement.commit
    with read_transaction(ledger.engine) as connection:
        found = read_private(connection, ledger.vault, ORIGIN, [1])
    kept = {name: private.salt for (_, name), private in found.items()}
    assert check_commitment(commit["name"], kept["name"], SECRET_NAME)
    assert check_commitment(commit["vat_id"], kept["vat_id"], "DE123456789")
    assert kept["name"] != kept["vat_id"]
    assert private_values(ledger, 1) == {"name": f'"{SECRET_NAME}"', "vat_id": '"DE123456789"'}


@pytest.mark.parametrize(
    ("private", "field"),
    [({"country": "DE"}, "/private/country"), ({"Name": "x"}, "/private/Name"), ({"price": 1.5}, "/private/price")],
)
def test_a_private_field_that_is_shown_or_out_of_form_is_refused(
    ledger: Ledger, private: dict[str, Any], field: str
) -> None:
    draft = Draft("party", {"party_id": "P-2", "roles": ["buyer"], "country": "DE"}, private=private)
    with pytest.raises(InputError) as caught:
        append_entries(ledger, [draft], ACTOR)
    assert [item.field for item in caught.value.problems] == [field]


# All or nothing


def test_a_bad_draft_among_many_leaves_nothing_and_every_bad_one_is_named(ledger: Ledger) -> None:
    before = everything(ledger.engine)
    drafts = [
        receipt("IN-1"),
        receipt("IN-2", dry_mass_kg="-5"),
        receipt("IN-3", received_on="2026-02-30", colour="grey"),
        receipt("IN-1"),
        Draft("smelt", {}),
        blend("BL-1", [("IN-1", "60.0"), ("IN-1", "60.0")], ("M-1", "120.0")),
    ]
    with pytest.raises(InputError) as caught:
        append_entries(ledger, drafts, ACTOR)
    assert [item.field for item in caught.value.problems][:4] == [
        "/1/body/dry_mass_kg",
        "/2/body/received_on",
        "/2/body/colour",
        "/3/body/batch_id",
    ]
    assert "/4/type" in [item.field for item in caught.value.problems]
    assert any(item.field.startswith("/5/body/") for item in caught.value.problems)
    assert everything(ledger.engine) == before


def test_a_draft_that_needs_a_bad_one_is_not_reported_for_it(ledger: Ledger) -> None:
    drafts = [
        receipt("IN-1", dry_mass_kg="0"),
        receipt("IN-2"),
        blend("BL-1", [("IN-1", "10.0"), ("IN-2", "10.0")], ("M-1", "20.0")),
        blend("BL-2", [("M-1", "10.0"), ("IN-2", "10.0")], ("M-2", "20.0")),
    ]
    with pytest.raises(InputError) as caught:
        append_entries(ledger, drafts, ACTOR)
    assert [item.field for item in caught.value.problems] == ["/0/body/dry_mass_kg"]


def test_a_later_draft_may_use_what_an_earlier_one_makes(ledger: Ledger) -> None:
    drafts = [receipt("IN-1"), receipt("IN-2"), blend("BL-1", [("IN-1", "60.0"), ("IN-2", "40.0")], ("M-1", "100.0"))]
    done: list[tuple[int, int]] = []
    appended = append_entries(ledger, drafts, ACTOR, progress=lambda count, of: done.append((count, of)))
    assert [entry.seq for entry in appended] == [3, 4, 5]
    assert done == [(1, 3), (2, 3), (3, 3)]
    remaining = {name: str(batch.remaining) for name, batch in plant_of(ledger).batches.items()}
    assert remaining == {"IN-1": "40.0", "IN-2": "60.0", "M-1": "100.0"}


def test_a_dry_run_says_what_would_happen_and_writes_nothing(ledger: Ledger) -> None:
    before = everything(ledger.engine)
    appended = append_entries(ledger, [receipt("IN-1"), receipt("IN-2")], ACTOR, dry_run=True)
    assert [entry.seq for entry in appended] == [3, 4]
    assert everything(ledger.engine) == before
    assert append_entries(ledger, [receipt("IN-1")], ACTOR)[0].seq == 3


@pytest.mark.parametrize(
    ("draft", "kind", "field"),
    [
        (receipt("IN-1", site_id="NOWHERE"), UnknownIdError, "/site_id"),
        (receipt("IN-0"), DuplicateIdError, "/batch_id"),
        (blend("BL-1", [("IN-0", "60.0"), ("IN-0", "60.0")], ("M-1", "120.0")), OverdrawnError, "/inputs/1/mass_kg"),
        (receipt("IN-1", dry_mass_kg=1.5), InputError, "/dry_mass_kg"),
        (replace(receipt("IN-1"), entry_type="smelt"), InputError, "/type"),
        (replace(receipt("IN-1"), statement_id="42"), InputError, "/statement_id"),
        (replace(receipt("IN-1"), at="today"), InputError, "/at"),
    ],
)
def test_a_single_bad_draft_is_refused_with_the_field_of_its_body(
    ledger: Ledger, draft: Draft, kind: type[LedgerError], field: str
) -> None:
    append_receipts(ledger, 0, 1)
    before = everything(ledger.engine)
    with pytest.raises(kind) as caught:
        append_entries(ledger, [draft], ACTOR)
    assert type(caught.value) is kind
    assert [item.field for item in caught.value.problems] == [field]
    assert everything(ledger.engine) == before


def test_an_entry_that_is_too_long_is_refused(ledger: Ledger) -> None:
    # 300 residues of 300 characters are more than the 65,535 bytes that an entry may have.
    step = Draft(
        "step",
        {
            "step_id": "S-1",
            "process": "sorting",
            "performed_on": "2026-05-04",
            "inputs": [{"batch_id": "IN-1", "whole": True}],
            "outputs": [{"batch_id": "M-1", "product": "magnets", "mass_kg": "99.0"}],
            "residues": [{"description": LONG, "mass_kg": "0.001"} for _ in range(300)],
        },
    )
    append_receipts(ledger, 1, 1)
    with pytest.raises(InputError, match=str(MAX_ENTRY_BYTES)):
        append_entries(ledger, [step], ACTOR)
    assert head(ledger).tree_size == 4


def test_a_failure_in_the_middle_of_writing_leaves_nothing(ledger: Ledger) -> None:
    before = everything(ledger.engine)

    class DiskFullError(Exception):
        """The disk is full, say."""

    def fail_late(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE head"):
            raise DiskFullError

    event.listen(ledger.engine, "before_cursor_execute", fail_late)
    with pytest.raises(DiskFullError):
        append_entries(ledger, [receipt("IN-1")], ACTOR)
    event.remove(ledger.engine, "before_cursor_execute", fail_late)
    assert everything(ledger.engine) == before
    assert append_entries(ledger, [receipt("IN-1")], ACTOR)[0].seq == 3


# Sending again


def test_the_same_statement_sent_again_gives_the_entry_that_it_gave_before(ledger: Ledger) -> None:
    draft = Draft(
        "party", {"party_id": "P-2", "roles": ["buyer"], "country": "DE"}, {"name": SECRET_NAME}, statement_id=ID
    )
    first = append_entries(ledger, [draft], ACTOR)[0]
    before = everything(ledger.engine)
    append_receipts(replace(ledger), 1, 1)
    again = append_entries(ledger, [draft], ACTOR)[0]
    assert (again.seq, again.leaf_hash, again.statement_id) == (first.seq, first.leaf_hash, first.statement_id)
    assert (first.repeated, again.repeated) == (False, True)
    assert len(everything(ledger.engine)["entry"]) == len(before["entry"]) + 1


def test_the_same_statement_twice_in_one_request_is_logged_once(ledger: Ledger) -> None:
    draft = Draft(
        "party", {"party_id": "P-2", "roles": ["buyer"], "country": "DE"}, {"name": SECRET_NAME}, statement_id=ID
    )
    appended = append_entries(ledger, [draft, receipt("IN-1"), draft], ACTOR)
    assert [(entry.seq, entry.repeated) for entry in appended] == [(3, False), (4, False), (3, True)]


@pytest.mark.parametrize(
    "other",
    [
        receipt("IN-1", dry_mass_kg="100.00"),
        receipt("IN-2"),
        replace(receipt("IN-1"), private={"price": "12"}),
    ],
)
def test_another_content_under_the_same_statement_id_is_refused_with_both_hashes(ledger: Ledger, other: Draft) -> None:
    append_entries(ledger, [replace(receipt("IN-1"), statement_id=ID)], ACTOR)
    before = everything(ledger.engine)
    ((first_hash,),) = rows(ledger.engine, f"SELECT content_sha256 FROM entry WHERE statement_id = '{ID}'")
    with pytest.raises(ConflictError) as caught:
        append_entries(ledger, [replace(other, statement_id=ID)], ACTOR)
    (item,) = caught.value.problems
    assert item.field == "/statement_id"
    assert first_hash in item.expected
    assert first_hash not in item.value
    assert ID in item.value
    assert everything(ledger.engine) == before


def test_another_private_value_under_the_same_statement_id_is_refused(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), private={"price": "12.00"}, statement_id=ID)
    append_entries(ledger, [draft], ACTOR)
    with pytest.raises(ConflictError) as caught:
        append_entries(ledger, [replace(draft, private={"price": "13.00"})], ACTOR)
    assert [item.field for item in caught.value.problems] == ["/private/price"]
    assert "13.00" not in str(caught.value)


def test_once_a_private_value_is_erased_a_repetition_cannot_be_told_and_is_refused(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), private={"price": "12.00"}, statement_id=ID)
    append_entries(ledger, [draft], ACTOR)
    execute(ledger.engine, "DELETE FROM private_field WHERE field = 'price'")
    with pytest.raises(ConflictError, match="erased"):
        append_entries(ledger, [draft], ACTOR)


def test_another_time_under_the_same_statement_id_is_refused(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), at="2026-05-04T07:00:00.000000Z", statement_id=ID)
    append_entries(ledger, [draft], ACTOR)
    assert append_entries(ledger, [replace(draft, at=None)], ACTOR)[0].repeated
    with pytest.raises(ConflictError, match="/at"):
        append_entries(ledger, [replace(draft, at="2026-05-04T07:00:01.000000Z")], ACTOR)


# Who signs


def test_a_stranger_cannot_append_and_a_registered_one_can(ledger: Ledger) -> None:
    with pytest.raises(RuleError) as caught:
        append_entries(ledger, [receipt("IN-1")], STRANGER)
    assert [item.field for item in caught.value.problems] == ["/actor"]
    register_actor(ledger, STRANGER, ACTOR)
    assert append_entries(ledger, [receipt("IN-1")], STRANGER)[0].seq == 4


def test_nobody_appends_with_anothers_key_or_name(ledger: Ledger) -> None:
    register_actor(ledger, STRANGER, ACTOR)
    for impostor in (
        replace(STRANGER, actor=ACTOR.actor),
        replace(ACTOR, actor=STRANGER.actor),
        replace(STRANGER, kid=ACTOR.kid),
        replace(STRANGER, kid=ACTOR.kid, actor=ACTOR.actor),
    ):
        with pytest.raises(RuleError):
            append_entries(ledger, [receipt("IN-1")], impostor)
    assert head(ledger).tree_size == 4


def test_an_actor_key_whose_id_is_not_its_own_is_refused(ledger: Ledger) -> None:
    public_key = base64.b64encode(STRANGER.private_key.public_key().public_bytes_raw()).decode()
    body = {"kid": "0" * 16, "public_key": public_key, "actor": "somebody"}
    with pytest.raises(InputError) as caught:
        append_entries(ledger, [Draft("actor_key", body)], ACTOR)
    assert [item.field for item in caught.value.problems] == ["/kid"]
    # 43 characters of base64 spell 258 bits: the last character has two that must be zero.
    twisted = public_key[:42] + chr(ord(public_key[42]) + 1) + "="
    body = {"kid": STRANGER.kid, "public_key": twisted, "actor": "somebody"}
    with pytest.raises(InputError) as caught:
        append_entries(ledger, [Draft("actor_key", body)], ACTOR)
    assert [item.field for item in caught.value.problems] == ["/public_key"]


# Time


def test_the_time_of_receipt_never_falls_whatever_the_clock_says(ledger: Ledger) -> None:
    append_receipts(ledger, 1, 1)
    back = replace(ledger, now=make_clock(datetime(2026, 5, 4, 7, 0, tzinfo=UTC)))
    appended = append_entries(back, [receipt("IN-2")], ACTOR)[0]
    times = [parse_envelope(data).recv for data in entry_bytes(ledger, range(5))]
    assert times == sorted(times)
    assert times[4] == times[3]
    assert [warning.field for warning in appended.warnings] == ["/recv"]


def test_an_event_may_be_dated_on_the_day_of_receipt_and_not_after(ledger: Ledger) -> None:
    late = replace(ledger, now=lambda: datetime(2026, 5, 4, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(InputError) as caught:
        append_entries(late, [receipt("IN-1", received_on="2026-05-05")], ACTOR)
    assert [item.field for item in caught.value.problems] == ["/received_on"]
    append_entries(late, [receipt("IN-1", received_on="2026-05-04")], ACTOR)
    correction = {"corrects_seq": 3, "pointer": "/received_on", "old": "2026-05-04", "new": "2026-05-05"}
    body = {**correction, "reason": "typing error", "corrected_on": "2026-05-04"}
    with pytest.raises(InputError) as caught:
        append_entries(late, [Draft("correction", body)], ACTOR)
    assert [item.field for item in caught.value.problems] == ["/new"]
    next_day = replace(late, now=lambda: late.now() + timedelta(seconds=1))
    append_entries(next_day, [Draft("correction", body)], ACTOR)
    assert str(plant_of(ledger).batches["IN-1"].made_on) == "2026-05-05"


def test_a_statement_may_not_be_made_after_the_day_of_receipt(ledger: Ledger) -> None:
    append_entries(ledger, [replace(receipt("IN-1"), at="2026-05-04T23:00:00.000000Z")], ACTOR)
    with pytest.raises(InputError, match="/at"):
        append_entries(ledger, [replace(receipt("IN-2"), at="2026-05-05T00:00:00.000000Z")], ACTOR)


# Factors


def test_adopted_factors_must_be_in_the_library_as_they_are_named(ledger: Ledger) -> None:
    adoption = default_adoption("gb-2023", datetime(2026, 5, 4, tzinfo=UTC).date()).to_value()
    append_entries(ledger, [Draft("factor_adoption", adoption)], ACTOR)
    assert [seq for seq, _ in state_of(ledger).adoptions] == [3]
    adoption["activities"][0]["factors"][0]["sha256"] = "0" * 64
    with pytest.raises(RuleError) as caught:
        append_entries(ledger, [Draft("factor_adoption", adoption), receipt("IN-1")], ACTOR)
    assert [item.field for item in caught.value.problems] == ["/0/body/activities/0/factors/0/sha256"]


# A log that is not whole is not written to


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE head SET tree_size = 2",
        "UPDATE head SET last_leaf_hash = (SELECT leaf_hash FROM entry WHERE seq = 1)",
        "UPDATE head SET frontier = last_leaf_hash",
        "DELETE FROM entry WHERE seq = 2",
        "UPDATE entry SET leaf_hash = (SELECT leaf_hash FROM entry WHERE seq = 1) WHERE seq = 2",
        "UPDATE entry SET data = (SELECT data FROM entry WHERE seq = 1) WHERE seq = 2",
    ],
)
def test_nothing_is_appended_behind_a_damaged_end(ledger: Ledger, damage: str) -> None:
    drop_guards(ledger.engine)
    execute(ledger.engine, damage)
    before = everything(ledger.engine)
    with pytest.raises(BrokenLinkError, match="log verify"):
        append_entries(replace(ledger, state=type(ledger.state)()), [receipt("IN-1")], ACTOR)
    assert everything(ledger.engine) == before


def test_an_append_on_a_head_that_moved_is_refused(ledger: Ledger) -> None:
    from ledger.store.database import write_transaction
    from ledger.store.repository import read_head, update_head

    with write_transaction(ledger.engine) as connection:
        old = read_head(connection, ORIGIN)
    append_receipts(ledger, 1, 1)
    new = replace(old, last_leaf_hash=b"\1" * 32, frontier=old.frontier.append(b"\1" * 32))
    with pytest.raises(ConflictError, match="moved"), write_transaction(ledger.engine) as connection:
        update_head(connection, old, new)
    assert head(ledger).tree_size == 4
