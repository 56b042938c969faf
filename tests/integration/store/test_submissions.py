"""The queue of submissions and who is elected to sequence it, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from ledger.errors import (
    BadSignatureError,
    ConflictError,
    DuplicateIdError,
    InputError,
    LedgerError,
    Problem,
    StoreError,
    UnknownIdError,
    VerificationError,
    error_from_value,
    problem,
)
from ledger.log.canonical import canonical_bytes
from ledger.log.checkpoint import format_vkey
from ledger.log.envelope import parse_envelope
from ledger.log.merkle import leaf_hash
from ledger.log.signed import CheckedStatement, SignedStatement
from ledger.report import all_hold
from ledger.service.append import Appended, Draft, actor_key_body, append_entries, create_log
from ledger.service.audit import verify_log
from ledger.service.context import Ledger, State
from ledger.service.queued import (
    Pending,
    Refused,
    accept_draft,
    accept_signed,
    plant_desk,
    queue_sequencer,
    read_outcome,
    sign_draft,
)
from ledger.service.read import entry_bytes, head
from ledger.store import submissions
from ledger.store.database import downgrade, make_engine, read_transaction, upgrade, write_transaction
from ledger.store.elected import Desk, ElectedSequencer, Event, LeftOffice, Office, Round, TookOffice, statement_desk
from ledger.store.election import AdvisoryLock, election_of, session_name
from ledger.store.outcomes import Outcomes
from ledger.store.sequencer import Sequencer, open_sequencer, take_office
from ledger.store.submissions import StoredSubmission, empty_refused, parse_payload, wait_for
from tests.postgres import PostgresServer
from tests.store_samples import (
    ACTOR,
    STRANGER,
    blend,
    execute,
    make_ids,
    make_ledger,
    make_salts,
    receipt,
    rows,
    start_log,
)

START = 3
"""Entries of `start_log`."""


def accept(ledger: Ledger, name: str, **changes: Any) -> Pending | Refused | Appended:
    return accept_draft(ledger, receipt(name, **changes), ACTOR)


def number_of(outcome: Pending | Refused | Appended) -> int:
    assert isinstance(outcome, Pending)
    return outcome.number


def office_of(ledger: Ledger) -> Office[Any, Any]:
    return queue_sequencer(ledger).take_office()


def row_of(ledger: Ledger, number: int) -> StoredSubmission:
    return submissions.read_one(ledger.engine, ledger.origin, number)


def entry_leaf(ledger: Ledger, seq: int) -> str:
    """Leaf hash of an entry, from its bytes."""
    return leaf_hash(entry_bytes(ledger, [seq])[0]).hex()


def batches_of(ledger: Ledger) -> list[str]:
    """What the log's receipts took in, in order."""
    stored = entry_bytes(ledger, range(START, head(ledger).tree_size))
    return [parse_envelope(data).statement.body["batch_id"] for data in stored]


def assert_holds(ledger: Ledger) -> None:
    vkey = format_vkey(ledger.origin, ledger.signing_key().public_key())
    checks = verify_log(replace(ledger, state=State()), vkey)
    assert all_hold(checks), [check for check in checks if check.outcome != "passed"]


# Accepting


def test_what_is_accepted_waits_in_the_order_in_which_it_came(ledger: Ledger) -> None:
    numbers = [number_of(accept(ledger, f"IN-{index}")) for index in range(3)]
    assert numbers == sorted(numbers)
    with read_transaction(ledger.engine) as connection:
        stored = submissions.waiting(connection, ledger.origin)
        assert submissions.count_waiting(connection, ledger.origin) == 3
    assert [row.number for row in stored] == numbers
    assert [read_outcome(ledger, number) for number in numbers] == [Pending(number) for number in numbers]
    assert head(ledger).tree_size == START
    assert_holds(ledger)


def test_a_round_gives_places_in_the_order_of_acceptance_and_tells_each_its_entry(ledger: Ledger) -> None:
    numbers = [number_of(accept(ledger, f"IN-{index}")) for index in range(5)]
    office = office_of(ledger)
    assert office.round() == Round(epoch=1, sequenced=5, refused=0)
    assert office.round() is None
    assert batches_of(ledger) == [f"IN-{index}" for index in range(5)]
    for index, number in enumerate(numbers):
        outcome = read_outcome(ledger, number)
        assert isinstance(outcome, Appended)
        assert (outcome.seq, outcome.repeated, outcome.entry_type) == (START + index, False, "receipt")
        assert row_of(ledger, number).seq == START + index
    assert_holds(ledger)


def test_more_than_a_round_takes_wait_for_the_next_one(ledger: Ledger) -> None:
    for index in range(5):
        accept(ledger, f"IN-{index}")
    sequencer = ElectedSequencer(ledger.engine, ledger.origin, plant_desk(ledger), batch_rows=2)
    office = sequencer.take_office()
    done = [office.round() for _ in range(4)]
    assert [one and one.sequenced for one in done] == [2, 2, 1, None]
    assert batches_of(ledger) == [f"IN-{index}" for index in range(5)]


@pytest.mark.parametrize("batch_rows", [1, 2])
def test_a_key_that_is_registered_by_the_queue_signs_what_follows_in_it(ledger: Ledger, batch_rows: int) -> None:
    registration = Draft("actor_key", actor_key_body(STRANGER, "operator"))
    number_of(accept_draft(ledger, registration, ACTOR))
    numbers = [number_of(accept_draft(ledger, receipt(f"IN-{index}"), STRANGER)) for index in range(3)]
    office = ElectedSequencer(ledger.engine, ledger.origin, plant_desk(ledger), batch_rows=batch_rows).take_office()
    while office.round():  # each batch is read while the one before is written
        pass
    office.leave()
    assert [row_of(ledger, number).seq for number in numbers] == [START + 1, START + 2, START + 3]
    assert_holds(ledger)


def test_the_same_key_and_content_give_the_row_that_is_there_and_later_its_entry(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), client_id="ticket 4711".replace(" ", "-"))
    first = accept_draft(ledger, draft, ACTOR, "T1")
    assert accept_draft(ledger, draft, ACTOR, "T1") == first
    other_tenant = accept_draft(ledger, replace(receipt("IN-2"), client_id="ticket-4711"), ACTOR, "T2")
    assert other_tenant != first
    office_of(ledger).round()
    # A new process, and years later by the clock:
    again = replace(ledger, engine=make_engine(ledger.engine.url.render_as_string(hide_password=False)), state=State())
    told = accept_draft(again, draft, ACTOR, "T1")
    assert isinstance(told, Appended)
    assert (told.seq, told.repeated, told.warnings) == (START, True, [])
    assert told.leaf_hash == entry_leaf(ledger, told.seq)
    assert rows(ledger.engine, "SELECT count(*) FROM submission") == [(2,)]
    again.engine.dispose()


def test_the_key_of_an_entry_that_came_directly_gives_that_entry(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), client_id="K")
    (direct,) = append_entries(ledger, [draft], ACTOR, tenant="T1")
    told = accept_draft(ledger, draft, ACTOR, "T1")
    assert told == replace(direct, repeated=True)
    assert rows(ledger.engine, "SELECT count(*) FROM submission") == [(0,)]


def test_the_key_of_a_sequenced_submission_gives_its_entry_to_whoever_appends_directly(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), client_id="K")
    accept_draft(ledger, draft, ACTOR, "T1")
    office_of(ledger).round()
    (direct,) = append_entries(ledger, [draft], ACTOR, tenant="T1")
    assert (direct.seq, direct.repeated) == (START, True)


def test_a_submission_whose_key_was_used_directly_meanwhile_gives_that_entry(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), client_id="K")
    number = number_of(accept_draft(ledger, draft, ACTOR, "T1"))
    (direct,) = append_entries(ledger, [draft], ACTOR, tenant="T1")
    assert not direct.repeated
    office_of(ledger).round()
    told = read_outcome(ledger, number, "T1")
    assert isinstance(told, Appended)
    assert (told.seq, told.repeated) == (direct.seq, True)
    assert head(ledger).tree_size == START + 1
    assert_holds(ledger)


def test_a_statement_that_is_in_the_log_under_another_key_gives_its_entry(ledger: Ledger) -> None:
    statement_id = "01890000-0000-7000-8000-00000000abcd"
    draft = replace(receipt("IN-1"), statement_id=statement_id)
    (direct,) = append_entries(ledger, [replace(draft, client_id="K")], ACTOR, tenant="T1")
    number = number_of(accept_draft(ledger, draft, ACTOR, "T2"))
    office_of(ledger).round()
    told = read_outcome(ledger, number, "T2")
    assert isinstance(told, Appended)
    assert (told.seq, told.repeated) == (direct.seq, True)
    assert_holds(ledger)


@pytest.mark.parametrize("state", ["waiting", "sequenced", "entry"])
def test_the_same_key_with_another_content_is_a_conflict_that_names_both(ledger: Ledger, state: str) -> None:
    draft, other = (replace(receipt(name), client_id="K") for name in ("IN-1", "IN-2"))
    if state == "entry":
        append_entries(ledger, [draft], ACTOR)
    else:
        accept_draft(ledger, draft, ACTOR)
    if state == "sequenced":
        office_of(ledger).round()
    hashes = [sign_draft(ledger, one, ACTOR).content_sha256 for one in (draft, other)]
    with pytest.raises(ConflictError) as caught:
        accept_draft(ledger, other, ACTOR)
    (found,) = caught.value.problems
    assert found.field == "/client_id"
    assert hashes[1][:40] in found.value
    assert hashes[0] in found.expected


def test_who_accepts_the_same_at_once_gets_one_row(ledger: Ledger) -> None:
    told: list[Any] = []
    barrier = threading.Barrier(4)
    draft = replace(receipt("IN-1"), client_id="K")

    def send(series: int) -> None:
        own = replace(ledger, new_id=make_ids(series))
        barrier.wait()
        told.append(accept_draft(own, draft, ACTOR))

    threads = [threading.Thread(target=send, args=(series,)) for series in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 4
    assert len(set(told)) == 1


def test_what_is_not_of_its_form_is_refused_at_once(ledger: Ledger) -> None:
    with pytest.raises(InputError) as caught:
        accept(ledger, "IN-1", dry_mass_kg="heavy")
    assert caught.value.problems[0].field == "/dry_mass_kg"
    with pytest.raises(InputError) as caught:
        accept_draft(ledger, replace(receipt("IN-1"), statement_id="no-uuid"), ACTOR)
    assert caught.value.problems[0].field == "/statement_id"
    with pytest.raises(InputError, match="fits into an entry"):
        accept_draft(ledger, blend("BL", [(f"IN-{index}", "1.0") for index in range(2000)], ("OUT", "2000.0")), ACTOR)
    with pytest.raises(InputError):
        accept_draft(ledger, receipt("IN-1"), ACTOR, tenant="no tenant")
    assert rows(ledger.engine, "SELECT count(*) FROM submission") == [(0,)]


def test_private_values_are_not_taken_into_the_queue(ledger: Ledger) -> None:
    draft = replace(receipt("IN-1"), private={"supplier": "Altmetall Schmidt"})
    with pytest.raises(InputError, match="directly"):
        accept_draft(ledger, draft, ACTOR)
    checked = sign_draft(ledger, receipt("IN-1"), ACTOR)
    with pytest.raises(InputError, match="directly"):
        submissions.accept(
            ledger.engine, ledger.origin, replace(checked, private={"supplier": (bytes(32), "Schmidt")}), "2026"
        )
    assert rows(ledger.engine, "SELECT count(*) FROM submission") == [(0,)]


def test_a_statement_signed_elsewhere_enters_with_the_bytes_that_were_signed(ledger: Ledger) -> None:
    checked = sign_draft(ledger, receipt("IN-1"), ACTOR)
    accept_signed(ledger, signed_of(checked))
    office_of(ledger).round()
    (data,) = entry_bytes(ledger, [START])
    assert checked.statement_bytes in data
    assert_holds(ledger)


def test_a_false_signature_is_refused_at_once(ledger: Ledger) -> None:
    checked = sign_draft(ledger, receipt("IN-1"), ACTOR)
    with pytest.raises(BadSignatureError):
        accept_signed(ledger, replace(signed_of(checked), signature=bytes(64)))


def signed_of(checked: CheckedStatement) -> SignedStatement:
    return SignedStatement(checked.statement_bytes, checked.signature, client_id=checked.client_id)


def test_asking_for_a_submission_that_there_is_not_names_it(ledger: Ledger) -> None:
    with pytest.raises(UnknownIdError, match="/number"):
        read_outcome(ledger, 7)
    number = number_of(accept(ledger, "IN-1"))
    with pytest.raises(UnknownIdError):
        read_outcome(replace(ledger, origin="example.com/other"), number)
    with pytest.raises(UnknownIdError):
        read_outcome(ledger, number, "somebody else")


# What becomes of it


def test_one_that_is_against_a_rule_is_refused_alone_and_its_sender_is_told(ledger: Ledger) -> None:
    first, again, last = (number_of(accept(ledger, name)) for name in ("IN-1", "IN-1", "IN-2"))
    assert office_of(ledger).round() == Round(epoch=1, sequenced=2, refused=1)
    told = read_outcome(ledger, again)
    assert isinstance(told, Refused)
    assert isinstance(told.error, DuplicateIdError)
    assert told.error.problems[0].field == "/batch_id"
    assert [row_of(ledger, number).seq for number in (first, again, last)] == [START, None, START + 1]
    assert batches_of(ledger) == ["IN-1", "IN-2"]
    assert_holds(ledger)


def test_a_round_of_refusals_alone_is_written_down(ledger: Ledger) -> None:
    accept(ledger, "IN-1")
    office = office_of(ledger)
    office.round()
    number = number_of(accept(ledger, "IN-1"))
    assert office.round() == Round(epoch=1, sequenced=0, refused=1)
    assert isinstance(read_outcome(ledger, number), Refused)
    assert office.round() is None


def test_a_refused_submission_leaves_its_key_free_and_is_still_answered(ledger: Ledger) -> None:
    append_entries(ledger, [receipt("IN-1")], ACTOR)
    refused = number_of(accept_draft(ledger, replace(receipt("IN-1"), client_id="K"), ACTOR))
    office = office_of(ledger)
    office.round()
    corrected = number_of(accept_draft(ledger, replace(receipt("IN-2"), client_id="K"), ACTOR))
    assert corrected > refused
    office.round()
    assert isinstance(read_outcome(ledger, refused), Refused)
    told = read_outcome(ledger, corrected)
    assert isinstance(told, Appended)
    assert told.seq == START + 1
    assert_holds(ledger)


def test_the_same_content_under_a_new_key_is_taken_and_flagged(ledger: Ledger) -> None:
    # Without the plant's rules, which would refuse a second batch of that name.
    for _ in range(2):
        accept(ledger, "IN-1")
    ElectedSequencer(ledger.engine, ledger.origin, statement_desk(ledger.now)).take_office().round()
    told = [outcome for (outcome,) in rows(ledger.engine, "SELECT outcome FROM submission ORDER BY number")]
    assert ['"said_before":null' in one for one in told] == [True, False]
    assert f'"said_before":{START}' in told[1]


def test_a_sequenced_submission_gives_up_its_payload_and_a_refused_one_when_it_is_old(ledger: Ledger) -> None:
    numbers = [number_of(accept(ledger, "IN-1")) for _ in range(2)]
    office_of(ledger).round()
    sequenced, refused = (row_of(ledger, number) for number in numbers)
    assert (sequenced.state, sequenced.payload) == ("sequenced", b"")
    assert refused.state == "refused"
    assert b"IN-1" in parse_payload(refused.payload).statement_bytes
    with write_transaction(ledger.engine) as connection:
        assert empty_refused(connection, ledger.origin, refused.received) == 0
        assert empty_refused(connection, ledger.origin, "2030-01-01T00:00:00.000000Z") == 1
    assert row_of(ledger, refused.number).payload == b""
    assert isinstance(read_outcome(ledger, refused.number), Refused)


def test_what_somebody_put_into_the_table_without_a_signature_never_enters_the_log(ledger: Ledger) -> None:
    checked = sign_draft(ledger, receipt("IN-1"), ACTOR)
    stranger = sign_draft(ledger, receipt("IN-2"), replace(STRANGER, actor=ACTOR.actor))
    good = number_of(accept(ledger, "IN-3"))
    payloads = [
        submissions.format_payload(replace(checked, signature=bytes(64))),
        submissions.format_payload(stranger),
        b"not JSON",
        canonical_bytes({"client_id": None, "sig": "", "stmt": "%"}),
        canonical_bytes({"client_id": 7, "sig": "", "stmt": ""}),
        canonical_bytes([]),
    ]
    for index, payload in enumerate(payloads):
        execute(
            ledger.engine,
            "INSERT INTO submission (origin, tenant, client_id, payload_sha256, payload, received, state)"
            " VALUES (:origin, '', :key, '', :payload, '', 'waiting')",
            origin=ledger.origin,
            key=f"forged-{index}",
            payload=payload,
        )
    assert office_of(ledger).round() == Round(epoch=1, sequenced=1, refused=len(payloads))
    assert isinstance(read_outcome(ledger, good), Appended)
    assert isinstance(read_outcome(ledger, good + 1), Refused)
    assert batches_of(ledger) == ["IN-3"]


@pytest.mark.parametrize("fault", [ZeroDivisionError, VerificationError])
def test_a_submission_that_the_program_cannot_handle_holds_up_nobody_else(
    ledger: Ledger, fault: type[Exception]
) -> None:
    desk = plant_desk(ledger)

    class Stumbling:
        def __init__(self, sequencer: Sequencer, handed_in: Any) -> None:
            self.inner = desk.open_admission(sequencer, handed_in)
            self.write, self.committed = self.inner.write, self.inner.committed

        def admit(self, submission: Any) -> Any:
            if submission.items[0].checked.statement.body["batch_id"] == "IN-1":
                raise fault(*_problems())
            return self.inner.admit(submission)

    numbers = [number_of(accept(ledger, f"IN-{index}")) for index in range(3)]
    stumbling: Desk[Any, Any] = replace(desk, open_admission=Stumbling)
    office = ElectedSequencer(ledger.engine, ledger.origin, stumbling).take_office()
    done = office.round()
    assert done == Round(epoch=1, sequenced=2, refused=0, faulty=(numbers[1],))
    assert [type(error) for error in done.errors] == [fault]
    assert office.round() is None
    assert read_outcome(ledger, numbers[1]) == Pending(numbers[1])
    # A program without the fault takes it.
    assert office_of(ledger).round() == Round(epoch=2, sequenced=1, refused=0)
    assert batches_of(ledger) == ["IN-0", "IN-2", "IN-1"]


def test_a_fault_that_shows_in_writing_is_found_one_by_one(ledger: Ledger) -> None:
    desk = plant_desk(ledger)

    def describe(appended: Any) -> Any:
        if appended[0].entry_type == "receipt" and appended[0].seq == START + 1:
            raise ZeroDivisionError("a fault of the program")
        return desk.describe(appended)

    numbers = [number_of(accept(ledger, f"IN-{index}")) for index in range(3)]
    office = ElectedSequencer(ledger.engine, ledger.origin, replace(desk, describe=describe)).take_office()
    # The second and the third are each at that place, once they are tried one by one.
    assert office.round() == Round(epoch=1, sequenced=1, refused=0, faulty=tuple(numbers[1:]))
    assert office_of(ledger).round() == Round(epoch=2, sequenced=2, refused=0)
    assert batches_of(ledger) == ["IN-0", "IN-1", "IN-2"]
    assert_holds(ledger)


def test_after_a_commit_that_fails_everything_waits_as_before(ledger: Ledger) -> None:
    numbers = [number_of(accept(ledger, f"IN-{index}")) for index in range(2)]
    office = office_of(ledger)

    def fail(_connection: Any) -> None:
        raise OperationalError("COMMIT", {}, Exception("the network is gone"))

    # The round reads in a transaction of its own first; the commit of that one is the first to fail.
    for commits in range(2):
        calls = iter(range(10))

        def on_commit(connection: Any, calls: Iterator[int] = calls, commits: int = commits) -> None:
            if next(calls) == commits:
                fail(connection)

        event.listen(ledger.engine, "commit", on_commit)
        with pytest.raises(StoreError, match="network"):
            office.round()
        event.remove(ledger.engine, "commit", on_commit)
    assert [read_outcome(ledger, number) for number in numbers] == [Pending(number) for number in numbers]
    assert head(ledger).tree_size == START
    assert office.round() == Round(epoch=1, sequenced=2, refused=0)
    assert_holds(ledger)


def test_a_damaged_row_says_so_instead_of_pretending(ledger: Ledger) -> None:
    number = number_of(accept(ledger, "IN-1"))
    office_of(ledger).round()
    for damage in ("{", "[]", '{"seq":"x"}', '{"warnings":[{}]}'):
        execute(ledger.engine, "UPDATE submission SET outcome = :damage", damage=damage)
        with pytest.raises(StoreError, match="log verify"):
            read_outcome(ledger, number)


def test_an_error_comes_back_as_what_it_was() -> None:
    for error in (DuplicateIdError, ConflictError, LedgerError):
        made = error(*InputError(*_problems()).problems)
        back = error_from_value(made.to_value())
        assert type(back) is error
        assert back.problems == made.problems
    assert type(error_from_value({"error": "of-tomorrow", "problems": [vars(_problems()[0])]})) is LedgerError


def _problems() -> list[Problem]:
    return [problem("/mass_kg", "x", "a number", "Correct it.")]


# Who sequences


def test_who_has_lost_the_office_writes_nothing(ledger: Ledger) -> None:
    deposed = office_of(ledger)
    numbers = [number_of(accept(ledger, f"IN-{index}")) for index in range(2)]
    elected = office_of(ledger)
    assert (deposed.epoch, elected.epoch) == (1, 2)
    with pytest.raises(ConflictError, match="office"):
        deposed.round()
    assert [read_outcome(ledger, number) for number in numbers] == [Pending(number) for number in numbers]
    assert elected.round() == Round(epoch=2, sequenced=2, refused=0)
    assert_holds(ledger)


def test_of_two_candidates_one_is_elected_and_the_other_once_the_first_is_gone(ledger: Ledger) -> None:
    one, two = (election_of(ledger.engine, ledger.origin) for _ in range(2))
    other_log = election_of(ledger.engine, "example.com/other")
    assert one.win()
    assert one.holds()
    assert not two.win()
    assert not two.holds()
    assert other_log.win()
    one.resign()
    assert not one.holds()
    assert two.win()
    two.resign()
    other_log.resign()
    two.resign()


@contextmanager
def serving(ledger: Ledger, events: list[Event] | None = None) -> Iterator[ElectedSequencer[Any, Any]]:
    """The ledger's sequencer at work while the block lasts."""
    told = [] if events is None else events
    sequencer = ElectedSequencer(ledger.engine, ledger.origin, plant_desk(ledger), report=told.append, retry_s=0.05)
    sequencer.start()
    try:
        yield sequencer
    finally:
        sequencer.stop()


def test_whoever_waits_is_told_whichever_way_they_wait(ledger: Ledger) -> None:
    outcomes = Outcomes(ledger.engine, ledger.origin)
    number = number_of(accept(ledger, "IN-0"))
    assert wait_for(ledger.engine, ledger.origin, number, 0.02).state == "waiting"
    assert outcomes.wait(number, 0.02).state == "waiting"
    outcomes.start()
    assert outcomes.wait(number, 0.02).state == "waiting"
    with serving(ledger):
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
        assert outcomes.wait(number, 20).seq == START
        for index in range(1, 6):
            number = number_of(accept(ledger, f"IN-{index}"))
            assert outcomes.wait(number, 20).seq == START + index
        with pytest.raises(UnknownIdError):
            outcomes.wait(10**6, 0.02)
    outcomes.stop()
    assert outcomes.wait(number, 20).seq == START + 5  # asks by itself
    assert_holds(ledger)


def test_many_senders_and_direct_appends_beside_the_queue_make_one_log(ledger: Ledger) -> None:
    outcomes = Outcomes(ledger.engine, ledger.origin)
    outcomes.start()
    told: list[int] = []

    def send(series: int) -> None:
        own = replace(ledger, new_id=make_ids(series), state=State())
        for index in range(10):
            number = number_of(accept(own, f"Q{series}-{index}"))
            row = outcomes.wait(number, 30)
            assert row.seq is not None
            told.append(row.seq)

    def append(series: int) -> None:
        own = replace(ledger, new_id=make_ids(series), new_salt=make_salts(series), state=State())
        told.extend(append_entries(own, [receipt(f"D{series}-{index}")], ACTOR)[0].seq for index in range(10))

    threads = [threading.Thread(target=send, args=(series,)) for series in (1, 2, 3)]
    threads += [threading.Thread(target=append, args=(series,)) for series in (4, 5)]
    with serving(ledger):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    outcomes.stop()
    assert sorted(told) == list(range(START, START + 50))
    assert_holds(ledger)


def test_one_who_is_stopped_leaves_what_waits_to_the_next(ledger: Ledger) -> None:
    events: list[Event] = []
    with serving(ledger, events):
        number = number_of(accept(ledger, "IN-1"))
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
    number = number_of(accept(ledger, "IN-2"))
    assert wait_for(ledger.engine, ledger.origin, number, 0.05).state == "waiting"
    with serving(ledger, events):
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
    assert events == [
        *(TookOffice(1), Round(1, 1, 0), LeftOffice(1)),
        *(TookOffice(2), Round(2, 1, 0), LeftOffice(2)),
    ]


def test_an_elected_one_who_is_deposed_stands_again(ledger: Ledger) -> None:
    events: list[Event] = []
    with serving(ledger, events):
        number = number_of(accept(ledger, "IN-1"))
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
        take_office(ledger.engine, ledger.origin)  # by nobody, who does nothing
        number = number_of(accept(ledger, "IN-2"))
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
    kinds = [type(one) for one in events]
    assert kinds == [TookOffice, Round, ConflictError, LeftOffice, TookOffice, Round, LeftOffice]
    assert_holds(ledger)


def test_a_log_that_was_tampered_with_is_not_continued(ledger: Ledger) -> None:
    events: list[Event] = []
    execute(ledger.engine, "UPDATE head SET tree_size = 2")
    number = number_of(accept(ledger, "IN-1"))
    with serving(ledger, events):
        assert wait_for(ledger.engine, ledger.origin, number, 0.3).state == "waiting"
    assert {type(one).__name__ for one in events if isinstance(one, LedgerError)} == {"BrokenLinkError"}


def test_two_logs_in_one_database_are_sequenced_each_by_its_own(database_url: str, tmp_path: Path) -> None:
    ledgers = []
    for index, origin in enumerate(("example.com/belfast", "example.com/bochum")):
        folder = tmp_path / str(index)
        ledger = replace(make_ledger(database_url, folder, series=index), origin=origin)
        start_log(ledger)
        ledgers.append(ledger)
    with ExitStack() as stack:
        for ledger in ledgers:
            stack.enter_context(serving(ledger))
        numbers = [[number_of(accept(ledger, f"IN-{index}")) for ledger in ledgers] for index in range(10)]
        for pair in numbers:
            for ledger, number in zip(ledgers, pair, strict=True):
                assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
        # One of them comes to a halt while it has its head row: the other goes on.
        if ledgers[0].engine.dialect.name == "postgresql":
            with open_sequencer(ledgers[0].engine, ledgers[0].origin):
                held = number_of(accept(ledgers[0], "HELD"))
                number = number_of(accept(ledgers[1], "FREE"))
                assert wait_for(ledgers[1].engine, ledgers[1].origin, number, 20).state == "sequenced"
                assert row_of(ledgers[0], held).state == "waiting"
            assert wait_for(ledgers[0].engine, ledgers[0].origin, held, 20).state == "sequenced"
    for ledger in ledgers:
        assert batches_of(ledger)[:10] == [f"IN-{index}" for index in range(10)]
        assert_holds(ledger)
        ledger.engine.dispose()


# PostgreSQL alone


@pytest.fixture
def postgres_ledger(postgres_server: PostgresServer, _postgres_template: str, tmp_path: Path) -> Iterator[Ledger]:
    """As `ledger`, on PostgreSQL."""
    name = "submissions_alone"
    postgres_server.execute("CREATE DATABASE {} TEMPLATE {}", name, _postgres_template)
    made = make_ledger(postgres_server.url(name), tmp_path)
    start_log(made)
    yield made
    made.engine.dispose()
    postgres_server.execute("DROP DATABASE {} WITH (FORCE)", name)


def terminate(engine: Engine, condition: str) -> int:
    """End sessions as an administrator would. Returns how many."""
    with engine.connect() as connection:
        query = text(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {condition}"
        )
        return len(connection.execute(query).all())


HOLDS_THE_LOCK = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')"


def test_one_whose_lock_was_cut_notices_and_stands_again(
    postgres_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = postgres_ledger
    monkeypatch.setattr("ledger.store.elected.HOLDS_EVERY_S", 0.05)
    events: list[Event] = []
    with serving(ledger, events):
        number = number_of(accept(ledger, "IN-1"))
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
        assert terminate(ledger.engine, HOLDS_THE_LOCK) == 1
        end = time.monotonic() + 20
        while events[-2:] != [LeftOffice(1), TookOffice(2)]:
            assert time.monotonic() < end
            time.sleep(0.01)
        number = number_of(accept(ledger, "IN-2"))
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
    assert_holds(ledger)


def test_who_waits_is_woken_by_the_transaction_that_settles(
    postgres_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = postgres_ledger
    monkeypatch.setattr("ledger.store.outcomes.POLL_S", 30.0)
    outcomes = Outcomes(ledger.engine, ledger.origin)
    outcomes.start()
    with serving(ledger):
        number = number_of(accept(ledger, "IN-1"))
        begun = time.monotonic()
        assert outcomes.wait(number, 60).state == "sequenced"
        assert time.monotonic() - begun < 20
    # It ends at once, too, as nobody waits.
    outcomes.stop()


def test_who_listens_listens_again_after_the_connection_was_cut(postgres_ledger: Ledger) -> None:
    ledger = postgres_ledger
    outcomes = Outcomes(ledger.engine, ledger.origin)
    outcomes.start()
    with serving(ledger):
        for index in range(3):
            number = number_of(accept(ledger, f"IN-{index}"))
            assert outcomes.wait(number, 20).state == "sequenced"
            terminate(ledger.engine, "query LIKE 'LISTEN%'")
    outcomes.stop()


def test_whoever_is_elected_takes_the_head_from_one_that_has_come_to_a_halt(postgres_ledger: Ledger) -> None:
    ledger = postgres_ledger
    number = number_of(accept(ledger, "IN-1"))
    halted = open_sequencer(ledger.engine, ledger.origin, session_name=session_name(ledger.origin))
    sequencer = halted.__enter__()
    with serving(ledger):
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"
    with pytest.raises(DBAPIError) as caught:
        sequencer.look_up({"": ["K"]}, [])
    with pytest.raises(StoreError):
        halted.__exit__(DBAPIError, caught.value, None)
    assert_holds(ledger)


def test_a_direct_append_is_waited_for_and_not_ended(postgres_ledger: Ledger) -> None:
    ledger = postgres_ledger
    with serving(ledger):
        with open_sequencer(ledger.engine, ledger.origin) as sequencer:
            number = number_of(accept(ledger, "IN-1"))
            assert wait_for(ledger.engine, ledger.origin, number, 0.3).state == "waiting"
            sequencer.look_up({"": ["K"]}, [])
        assert wait_for(ledger.engine, ledger.origin, number, 20).state == "sequenced"


def test_a_winner_that_says_nothing_loses_the_lock(postgres_ledger: Ledger) -> None:
    ledger = postgres_ledger
    silent = AdvisoryLock(ledger.engine, ledger.origin, silent_s=0.2)
    assert silent.win()
    for _ in range(5):
        time.sleep(0.1)
        assert silent.holds()
    other = AdvisoryLock(ledger.engine, ledger.origin)
    assert not other.win()
    time.sleep(0.5)
    assert other.win()
    assert not silent.holds()
    other.resign()
    silent.resign()


# The schema


def test_the_older_schema_takes_back_one_row_for_each_key_and_refuses_more(ledger: Ledger) -> None:
    url = ledger.engine.url.render_as_string(hide_password=False)
    append_entries(ledger, [receipt("IN-1")], ACTOR)
    draft = replace(receipt("IN-1"), client_id="K")
    number = number_of(accept_draft(ledger, draft, ACTOR))
    office = office_of(ledger)
    office.round()
    ledger.engine.dispose()
    downgrade(url, "0003")
    upgrade(url)
    assert isinstance(read_outcome(ledger, number), Refused)
    assert number_of(accept_draft(ledger, draft, ACTOR)) > number
    ledger.engine.dispose()
    with pytest.raises(StoreError, match="several submissions"):
        downgrade(url, "0003")


def test_a_log_that_is_not_there_takes_no_submissions(database_url: str, tmp_path: Path) -> None:
    ledger = make_ledger(database_url, tmp_path)
    create_log(replace(ledger, origin="example.com/other"), ACTOR)
    with pytest.raises(StoreError, match="/origin"):
        accept(ledger, "IN-1")
    ledger.engine.dispose()
