"""Group commit: one transaction for many, each submission by itself, nothing acknowledged that is not durable."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from ledger.errors import ConflictError, DuplicateIdError, InputError, StoreError
from ledger.log.chain import check_chain
from ledger.log.envelope import MAX_ENTRY_BYTES
from ledger.log.merkle import Frontier, leaf_hash
from ledger.log.signed import CheckedStatement, make_signed
from ledger.report import Outcome
from ledger.service.append import Draft, GroupedAppend, append_entries
from ledger.service.context import Ledger, State
from ledger.service.read import head, plant_of
from ledger.store.bulk import Imported, append_bulk
from ledger.store.database import make_engine, read_transaction, upgrade, write_transaction
from ledger.store.group_commit import GroupCommit
from ledger.store.repository import entries_from, insert_log, read_head
from ledger.store.sequencer import open_sequencer, take_office
from ledger.store.statements import Receipt, Sent, statement_admission
from tests.log_samples import ACTOR_KEY, make_statement
from tests.store_samples import ACTOR, ORIGIN, receipt, rows

Group = GroupCommit[Sent, list[Receipt]]


def now() -> datetime:
    return datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with an empty log."""
    yield from make_log(database_url)


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """The same on SQLite alone, for faults that only its driver can be made to show."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    yield from make_log(url)


def make_log(url: str) -> Iterator[Engine]:
    made = make_engine(url)
    with write_transaction(made) as connection:
        insert_log(connection, ORIGIN, "2026-05-04T08:00:00.000000Z")
    yield made
    made.dispose()


@pytest.fixture
def group(engine: Engine) -> Group:
    return GroupCommit(engine, ORIGIN, statement_admission(now))


def statement(number: int, client_id: str | None = None, **changes: Any) -> CheckedStatement:
    return make_signed(make_statement(number, **changes), ACTOR_KEY, client_id=client_id)


def sent(*numbers: int, tenant: str = "") -> Sent:
    return Sent([statement(number) for number in numbers], tenant)


TOO_LONG = Sent([statement(900, body={"note": "x" * MAX_ENTRY_BYTES})])


def size(engine: Engine) -> int:
    with read_transaction(engine) as connection:
        return read_head(connection, ORIGIN).tree_size


def assert_holds(engine: Engine, receipts: list[Receipt]) -> None:
    """Numbers without gap, links, tree and head agree; each receipt is for the entry that stands in its place."""
    with read_transaction(engine) as connection:
        entries = list(entries_from(connection, ORIGIN, 0))
        stored = read_head(connection, ORIGIN)
    report = check_chain([entry.data for entry in entries], ORIGIN, lambda _: ACTOR_KEY.public_key())
    assert {check.outcome for check in report.checks} <= {Outcome.PASSED}
    assert stored.frontier == report.frontier == Frontier().extend(leaf_hash(entry.data) for entry in entries)
    for one in receipts:
        assert entries[one.seq].leaf_hash == one.leaf_hash


# Together and apart


def test_submissions_handed_in_together_share_a_commit_and_are_answered_apart(engine: Engine, group: Group) -> None:
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    futures = group.run([sent(1), sent(2, 3), TOO_LONG, sent(4), sent(2)])
    with pytest.raises(InputError, match=str(MAX_ENTRY_BYTES)):
        futures[2].result()
    receipts = [future.result() for index, future in enumerate(futures) if index != 2]
    assert [[one.seq for one in each] for each in receipts] == [[0], [1, 2], [3], [1]]
    assert [[one.repeated for one in each] for each in receipts] == [[False], [False, False], [False], [True]]
    assert len(commits) == 1
    assert_holds(engine, [one for each in receipts for one in each])
    assert size(engine) == 4


def test_of_a_submission_that_is_refused_in_its_middle_nothing_stays_and_its_ids_are_free(
    engine: Engine, group: Group
) -> None:
    half_bad = Sent([statement(1), *TOO_LONG.statements])
    futures = group.run([half_bad, sent(1), Sent([statement(2, "key")]), Sent([statement(3, "key"), statement(4)])])
    assert [one.field for one in caught(futures[0], InputError).problems] == ["/1"]
    assert [one.seq for one in futures[1].result()] == [0]
    assert not futures[1].result()[0].repeated
    (problem,) = caught(futures[3], ConflictError).problems
    assert problem.field == "/0/client_id"
    assert statement(3).content_sha256 in problem.value
    assert statement(2).content_sha256 in problem.expected
    assert size(engine) == 2
    assert_holds(engine, [*futures[1].result(), *futures[2].result()])


def caught(future: Future[list[Receipt]], kind: type[Exception]) -> Any:
    error = future.exception(timeout=30)
    assert type(error) is kind
    return error


def test_a_fault_of_the_program_hits_only_the_submission_that_brings_it_about(engine: Engine, group: Group) -> None:
    """Here a body that is found to be bad only when it is written."""

    class FaultError(Exception):
        """A fault."""

    def fail(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO entry") and "poison" in repr(parameters):
            raise FaultError

    event.listen(engine, "before_cursor_execute", fail)
    poison = Sent([statement(9, body={"note": "poison"})])
    futures = group.run([sent(1), poison, sent(2)])
    caught(futures[1], FaultError)
    assert [future.result()[0].seq for future in (futures[0], futures[2])] == [0, 1]
    event.remove(engine, "before_cursor_execute", fail)
    assert_holds(engine, futures[0].result() + futures[2].result())


def test_many_threads_get_contiguous_numbers_and_no_fork(engine: Engine, group: Group) -> None:
    """16 threads with 12 submissions each, and a second writer that opens transactions of its own."""
    receipts: list[Receipt] = []
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)

    def send(thread: int) -> None:
        for number in range(12):
            receipts.extend(group.submit(sent(thread * 100 + number)).result(timeout=60))

    def meddle() -> None:
        other: Group = GroupCommit(engine, ORIGIN, statement_admission(now))
        for number in range(5):
            receipts.extend(other.submit(sent(50_000 + number)).result(timeout=60))

    group.start()
    threads = [threading.Thread(target=send, args=(thread,)) for thread in range(16)]
    threads.append(threading.Thread(target=meddle))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    group.stop()
    assert sorted(one.seq for one in receipts) == list(range(16 * 12 + 5))
    assert_holds(engine, receipts)
    assert len(commits) < 16 * 12  # they did share commits


def test_after_stop_what_was_handed_in_is_answered_and_what_comes_is_refused(engine: Engine, group: Group) -> None:
    group.start()
    futures = [group.submit(sent(number)) for number in range(20)]
    group.stop()
    assert sorted(one.seq for future in futures for one in future.result(timeout=0)) == list(range(20))
    with pytest.raises(StoreError, match="stopped"):
        group.submit(sent(99)).result()
    assert size(engine) == 20
    group.start()
    with pytest.raises(StoreError, match="running"):
        group.start()
    assert group.submit(sent(99)).result(timeout=30)[0].seq == 20
    group.stop()


def test_stopped_twice_it_can_be_started_again(engine: Engine, group: Group) -> None:
    group.start()
    group.stop()
    group.stop()
    group.start()
    assert group.submit(sent(1)).result(timeout=30)[0].seq == 0
    assert group.submit(sent(2)).result(timeout=30)[0].seq == 1
    group.stop()
    assert not group.has_failed


def test_what_was_handed_in_cannot_be_taken_back_and_disturbs_nobody(engine: Engine, group: Group) -> None:
    with write_transaction(engine):  # holds the write lock, so that the thread has to wait
        group.start()
        futures = [group.submit(sent(number)) for number in (1, 2)]
        assert [future.cancel() for future in futures] == [False, False]
    assert sorted(future.result(timeout=30)[0].seq for future in futures) == [0, 1]
    group.stop()
    assert not group.has_failed


def test_a_submission_above_the_limit_has_a_commit_of_its_own(engine: Engine) -> None:
    group: Group = GroupCommit(engine, ORIGIN, statement_admission(now), max_entries=4)
    group.start()
    futures = [group.submit(sent(*range(start, start + 10))) for start in (0, 10)]
    assert [[one.seq for one in future.result(timeout=30)] for future in futures] == [
        list(range(10)),
        list(range(10, 20)),
    ]
    group.stop()


def test_a_single_sender_does_not_wait_for_others(engine: Engine) -> None:
    group: Group = GroupCommit(engine, ORIGIN, statement_admission(now), max_wait_s=20.0)
    group.start()
    started = time.monotonic()
    for number in range(3):
        group.submit(sent(number)).result(timeout=60)
    assert time.monotonic() - started < 20.0
    group.stop()


# Failures


def failing_commit(engine: Engine, error: BaseException) -> Any:
    """From now on each commit of the engine fails. Returns what ends that."""
    original = engine.dialect.do_commit

    def fail(_connection: Any) -> None:
        raise error

    setattr(engine.dialect, "do_commit", fail)  # noqa: B010 - mypy rightly refuses to assign to a method
    return lambda: setattr(engine.dialect, "do_commit", original)


def test_when_the_commit_fails_nobody_is_acknowledged_and_the_next_one_goes_on(sqlite_engine: Engine) -> None:
    group: Group = GroupCommit(sqlite_engine, ORIGIN, statement_admission(now))
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    mend = failing_commit(sqlite_engine, full)
    futures = group.run([sent(1), TOO_LONG, sent(2)])
    for future in futures:  # the bad one, too: why it was refused may rest on what is not in the log now
        assert "full" in str(caught(future, StoreError))
    mend()
    assert size(sqlite_engine) == 0
    assert [one.result()[0].seq for one in group.run([sent(1), sent(2)])] == [0, 1]
    assert not group.has_failed


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CORRUPT])
def test_when_the_disk_fails_nothing_is_acknowledged_any_more(sqlite_engine: Engine, code: int) -> None:
    group: Group = GroupCommit(sqlite_engine, ORIGIN, statement_admission(now))
    group.start()
    assert group.submit(sent(1)).result(timeout=30)[0].seq == 0
    broken = sqlite3.OperationalError("disk I/O error")
    broken.sqlite_errorcode = code
    mend = failing_commit(sqlite_engine, broken)
    futures = [group.submit(sent(number)) for number in range(2, 8)]
    for future in futures:
        assert "log verify" in str(caught(future, StoreError))
    mend()
    assert group.has_failed
    for _ in range(2):  # for good: that the disk seems well again says nothing of what it lost
        with pytest.raises(StoreError, match="Restart, then run `magnet-ledger log verify`"):
            group.submit(sent(9)).result(timeout=30)
    group.stop()
    with pytest.raises(StoreError, match="log verify"):
        group.start()
    assert size(sqlite_engine) == 1


def test_a_database_that_is_busy_is_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.store.database.BUSY_TIMEOUT_MS", 100)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    for engine in make_log(url):
        group: Group = GroupCommit(engine, ORIGIN, statement_admission(now))
        other = make_engine(url)
        with other.connect() as blocker:
            blocker.exec_driver_sql("INSERT INTO log VALUES ('x', 'y')")
            assert "locked" in str(caught(group.submit(sent(1)), StoreError))
        assert group.submit(sent(1)).result()[0].seq == 0
        other.dispose()


def test_a_database_error_in_the_middle_fails_the_whole_commit(sqlite_engine: Engine) -> None:
    group: Group = GroupCommit(sqlite_engine, ORIGIN, statement_admission(now))

    def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("UPDATE head"):
            raise OperationalError(statement, None, sqlite3.OperationalError("no such thing"))

    event.listen(sqlite_engine, "before_cursor_execute", fail)
    for future in group.run([sent(1), sent(2)]):
        caught(future, StoreError)
    event.remove(sqlite_engine, "before_cursor_execute", fail)
    assert size(sqlite_engine) == 0


def test_an_end_of_the_thread_that_nobody_foresaw_leaves_nobody_waiting(
    engine: Engine, group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)

    class EndError(BaseException):
        """As the interpreter's own, which no handler for errors takes."""

    def end(_connection: Any) -> None:
        raise EndError

    event.listen(engine, "begin", end)
    group.start()
    future = group.submit(sent(1))
    assert "Restart" in str(caught(future, StoreError))
    event.remove(engine, "begin", end)
    assert "Restart" in str(caught(group.submit(sent(2)), StoreError))
    group.stop()


# Fencing


def test_who_holds_an_older_office_is_refused_and_writes_nothing(engine: Engine) -> None:
    old = take_office(engine, ORIGIN)
    first: Group = GroupCommit(engine, ORIGIN, statement_admission(now), epoch=old)
    assert first.submit(sent(1)).result()[0].seq == 0
    new = take_office(engine, ORIGIN)
    assert new == old + 1
    assert "/epoch" in str(caught(first.submit(sent(2)), ConflictError))
    second: Group = GroupCommit(engine, ORIGIN, statement_admission(now), epoch=new)
    assert second.submit(sent(2)).result()[0].seq == 1
    assert size(engine) == 2
    assert_holds(engine, [])


def test_a_leader_that_was_asleep_since_it_read_the_head_cannot_write(engine: Engine) -> None:
    """The head is not locked here, as on a database whose lock was lost: the epoch alone refuses."""
    from ledger.store.repository import raise_epoch, update_head

    with write_transaction(engine) as connection:
        asleep = read_head(connection, ORIGIN)
    take_office(engine, ORIGIN)
    awake = replace(asleep, last_leaf_hash=b"\1" * 32, frontier=asleep.frontier.append(b"\1" * 32))
    with pytest.raises(ConflictError), write_transaction(engine) as connection:
        update_head(connection, asleep, awake)
    with write_transaction(engine) as connection:
        assert raise_epoch(connection, ORIGIN) == 2
    assert size(engine) == 0


def test_without_an_office_one_may_write_as_before(engine: Engine) -> None:
    take_office(engine, ORIGIN)
    group: Group = GroupCommit(engine, ORIGIN, statement_admission(now))
    assert group.submit(sent(1)).result()[0].seq == 0


def test_of_a_log_that_is_not_there_nobody_takes_office(engine: Engine) -> None:
    with pytest.raises(StoreError, match="site-2"):
        take_office(engine, "example.com/magnets/site-2")


# The plant's rules, through the same path


def test_drafts_of_many_threads_keep_the_rules_and_the_state(ledger: Ledger) -> None:
    appends = GroupedAppend(ledger)
    appends.start()
    outcomes: dict[str, list[int]] = {}

    def send(name: str) -> None:
        own = [appends.append([receipt(f"{name}-{number}")], ACTOR, tenant=name)[0].seq for number in range(8)]
        outcomes[name] = own
        try:
            own.append(appends.append([receipt("ONE-FOR-ALL")], ACTOR, tenant=name)[0].seq)
        except DuplicateIdError:
            own.append(-1)

    threads = [threading.Thread(target=send, args=(f"T{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    appends.stop()
    seqs = sorted(seq for own in outcomes.values() for seq in own if seq >= 0)
    assert seqs == list(range(3, 3 + 6 * 8 + 1))
    assert sorted(own[-1] >= 0 for own in outcomes.values()) == [False] * 5 + [True]
    assert len(plant_of(replace(ledger, state=State())).batches) == 6 * 8 + 1
    assert ledger.state.tree_size == head(ledger).tree_size == 52
    assert len(rows(ledger.engine, "SELECT batch_id FROM batch_row")) == 49


def test_what_a_refused_submission_would_have_made_is_not_there_for_the_next(ledger: Ledger) -> None:
    appends = GroupedAppend(ledger)
    with pytest.raises(InputError):
        appends.append([receipt("IN-1"), receipt("IN-2", dry_mass_kg="-1")], ACTOR)
    assert appends.append([receipt("IN-1")], ACTOR)[0].seq == 3
    assert append_entries(ledger, [receipt("IN-2")], ACTOR)[0].seq == 4


def test_a_submission_that_rests_on_the_size_of_the_log_is_refused_once_it_has_grown(ledger: Ledger) -> None:
    appends = GroupedAppend(ledger)
    appends.append([receipt("IN-1")], ACTOR, expected_tree_size=3)
    with pytest.raises(ConflictError, match="/expected_tree_size"):
        appends.append([receipt("IN-2")], ACTOR, expected_tree_size=3)


def test_a_private_value_goes_into_the_vault_through_the_group_too(ledger: Ledger) -> None:
    from ledger.service.read import private_values

    draft = Draft("party", {"party_id": "P-2", "roles": ["buyer"], "country": "DE"}, private={"name": "Schmidt"})
    (appended,) = GroupedAppend(ledger).append([draft], ACTOR)
    assert private_values(ledger, appended.seq) == {"name": '"Schmidt"'}


# Many at a time


def batches(start: int, end: int, each: int) -> Iterator[list[CheckedStatement]]:
    for first in range(start, end, each):
        yield [statement(number) for number in range(first, min(end, first + each))]


def test_an_import_makes_the_same_log_as_appending_one_by_one_and_may_be_started_again(engine: Engine) -> None:
    seen: list[Imported] = []
    done = append_bulk(engine, ORIGIN, batches(0, 600, 250), now=now, progress=seen.append)
    assert done == Imported(appended=600, repeated=0, said_before=0, tree_size=600)
    assert [one.tree_size for one in seen] == [250, 500, 600]
    again = append_bulk(engine, ORIGIN, batches(400, 650, 100), now=now)
    assert again == Imported(appended=50, repeated=200, said_before=0, tree_size=650)
    assert_holds(engine, [])
    assert rows(engine, "SELECT tree_size, content_size FROM head") == [(650, 650)]
    assert rows(engine, "SELECT count(*) FROM content") == [(650,)]
    assert rows(engine, "SELECT level, count(*) FROM tile GROUP BY level ORDER BY level") == [(0, 2), (1, 1)]


def test_an_import_counts_contents_that_were_said_before_wherever_the_first_one_stands(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.store.content_rows.CATCH_UP_ENTRIES", 40)
    body = {"note": "a copied ticket"}
    GroupCommit(engine, ORIGIN, statement_admission(now)).submit(Sent([statement(900, body=body)])).result()
    again = [[statement(901, body=body)], *batches(0, 100, 10), [statement(5000 + 7, body=statement(7).statement.body)]]
    done = append_bulk(engine, ORIGIN, again, now=now)
    assert (done.appended, done.said_before) == (102, 2)
    assert rows(engine, "SELECT count(*) FROM content") == [(101,)]
    assert rows(engine, "SELECT tree_size, content_size FROM head") == [(103, 103)]


def test_an_import_beside_another_writer_lists_the_contents_of_both(engine: Engine) -> None:
    group: Group = GroupCommit(engine, ORIGIN, statement_admission(now))

    def with_others() -> Iterator[list[CheckedStatement]]:
        for number, batch in enumerate(batches(0, 300, 100)):
            yield batch
            group.submit(sent(9000 + number)).result()

    append_bulk(engine, ORIGIN, with_others(), now=now)
    assert_holds(engine, [])
    assert rows(engine, "SELECT tree_size, content_size FROM head") == [(303, 303)]
    assert [seq for (seq,) in rows(engine, "SELECT seq FROM content ORDER BY seq")] == list(range(303))


def test_an_import_stops_at_a_bad_statement_names_it_and_keeps_what_was_committed(engine: Engine) -> None:
    bad = [statement(number) for number in range(100, 110)]
    bad[5] = TOO_LONG.statements[0]
    with pytest.raises(InputError) as error:
        append_bulk(engine, ORIGIN, [*batches(0, 100, 100), bad], now=now)
    assert [one.field for one in error.value.problems] == ["/105"]
    assert size(engine) == 100
    append_bulk(engine, ORIGIN, batches(0, 110, 1000), now=now)
    assert_holds(engine, [])
    assert rows(engine, "SELECT tree_size, content_size FROM head") == [(110, 110)]


def work_of(engine: Engine, numbers: range) -> int:
    """What appending these statements costs: rows read (PostgreSQL), hundreds of instructions run (SQLite)."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    with open_sequencer(engine, ORIGIN) as sequencer:
        driver = sequencer.connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            driver.set_progress_handler(tick, 100)
        else:
            count = -rows_read_so_far(sequencer.connection)
        batch = Sent([statement(number, client_id=f"key-{number}") for number in numbers])
        admission = statement_admission(now)(sequencer, [batch])
        admission.admit(batch)
        admission.write()
        if isinstance(driver, sqlite3.Connection):
            driver.set_progress_handler(None, 0)
        else:
            count += rows_read_so_far(sequencer.connection)
    return count


def rows_read_so_far(connection: Connection) -> int:
    """By this session of PostgreSQL, since it has last reported."""
    query = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
    return int(connection.exec_driver_sql(query).scalar_one())


def test_the_work_of_an_append_does_not_grow_with_the_log(engine: Engine) -> None:
    """Also without statistics, which no database has of a log that is new. 10 entries each time, no full tile among
    them: at 300 and at 3,000 entries, that is from places 44 and 184 of their tiles on.
    """
    append_bulk(engine, ORIGIN, batches(0, 300, 100), now=now)
    few = work_of(engine, range(10_000, 10_010))
    append_bulk(engine, ORIGIN, batches(310, 3000, 1000), now=now)
    many = work_of(engine, range(20_000, 20_010))
    # For each entry the row of its log is read; a b-tree of ten times as many rows may be a level deeper.
    assert 0 < many < 2 * few + 20
