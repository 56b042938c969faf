"""Appending as a server does: by the head row, by the queue, and from one to the other, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from ledger.errors import ConflictError, DuplicateIdError, InputError
from ledger.report import all_hold
from ledger.service.append import Appended, Draft
from ledger.service.appender import Appender
from ledger.service.audit import verify_log
from ledger.service.context import Ledger, State
from ledger.service.path_choice import AppendPath
from ledger.service.queued import Pending, accept_draft, read_outcome
from ledger.store.elected import Event, LeftOffice, Round, TookOffice
from ledger.store.sequencer import open_sequencer
from ledger.store.submissions import wait_for
from tests.store_samples import ACTOR, SECRET_NAME, VKEY, receipt, rows

START = 3
"""Entries that the log begins with."""


@contextmanager
def appending(ledger: Ledger, path: AppendPath, wait_s: float = 30.0, **options: Any) -> Iterator[Appender]:
    """An appender at work while the block lasts."""
    appender = Appender(ledger, path, wait_s, **options)
    appender.start()
    try:
        yield appender
    finally:
        appender.stop()


def keyed(name: str, key: str) -> Draft:
    return replace(receipt(name), client_id=key)


def assert_holds(ledger: Ledger) -> None:
    checks = verify_log(replace(ledger, state=State()), VKEY)
    assert all_hold(checks), [check for check in checks if check.outcome != "passed"]


@pytest.mark.parametrize("path", ["auto", "head", "queue"])
def test_the_answer_is_the_same_by_whichever_way(ledger: Ledger, path: AppendPath) -> None:
    with appending(ledger, path) as appender:
        first = appender.append(keyed("IN-1", "K"), ACTOR, tenant="T")
        assert isinstance(first, Appended)
        assert (first.seq, first.repeated, first.entry_type, first.warnings) == (START, False, "receipt", [])
        assert appender.append(keyed("IN-1", "K"), ACTOR, tenant="T") == replace(first, repeated=True)
        with pytest.raises(ConflictError) as conflict:
            appender.append(keyed("IN-2", "K"), ACTOR, tenant="T")
        assert conflict.value.problems[0].field == "/client_id"
        with pytest.raises(DuplicateIdError) as duplicate:
            appender.append(keyed("IN-1", "L"), ACTOR, tenant="T")
        assert duplicate.value.problems[0].field == "/batch_id"
        with pytest.raises(InputError) as bad:
            appender.append(receipt("IN-3", dry_mass_kg="-1"), ACTOR)
        assert bad.value.problems[0].field == "/dry_mass_kg"
        # What was refused has taken nothing: its key is free.
        corrected = appender.append(keyed("IN-3", "L"), ACTOR, tenant="T")
        assert isinstance(corrected, Appended)
        assert corrected.seq == START + 1
        counters = appender.counters()
    by = (counters.by_head, counters.by_queue)
    assert by == ((0, 3) if path == "queue" else (3, 0))
    assert (counters.refused, counters.pending, counters.under_way, counters.turns) == (3, 0, 0, 0)
    assert_holds(ledger)


def test_private_values_go_by_the_head_row_even_where_the_queue_is_wanted(ledger: Ledger) -> None:
    draft = Draft("party", {"party_id": "P-2", "roles": ["supplier"], "country": "DE"}, private={"name": SECRET_NAME})
    with appending(ledger, "queue") as appender:
        assert isinstance(appender.append(draft, ACTOR), Appended)
        assert appender.counters().by_head == 1
    assert rows(ledger.engine, "SELECT count(*) FROM submission") == [(0,)]


def test_what_takes_too_long_is_answered_by_a_number_and_gets_its_place_later(ledger: Ledger) -> None:
    waiting = Appender(ledger, "queue", wait_s=0.05)  # not started: nobody sequences
    pending = waiting.append(keyed("IN-1", "K"), ACTOR, tenant="T")
    assert isinstance(pending, Pending)
    assert waiting.append(keyed("IN-1", "K"), ACTOR, tenant="T") == pending
    assert waiting.counters().pending == 2
    with appending(ledger, "queue") as appender:
        told = appender.append(keyed("IN-1", "K"), ACTOR, tenant="T")
        assert isinstance(told, Appended)
        assert told.seq == START
    assert read_outcome(ledger, pending.number, "T") == replace(told, repeated=False)


def test_a_key_that_waits_in_the_queue_keeps_its_place_there(ledger: Ledger) -> None:
    number = accept_draft(ledger, keyed("IN-1", "K"), ACTOR, "T")
    assert isinstance(number, Pending)
    appender = Appender(ledger, "auto", wait_s=0.05)
    if ledger.engine.dialect.name == "postgresql":
        assert appender.append(keyed("IN-1", "K"), ACTOR, tenant="T") == number
        with pytest.raises(ConflictError, match="submission"):
            appender.append(keyed("IN-2", "K"), ACTOR, tenant="T")
    other_tenant = appender.append(keyed("IN-3", "K"), ACTOR, tenant="U")
    assert isinstance(other_tenant, Appended)


def test_what_is_left_in_the_queue_is_sequenced_where_the_queue_is_not_wanted_any_more(ledger: Ledger) -> None:
    pending = accept_draft(ledger, receipt("IN-1"), ACTOR)
    assert isinstance(pending, Pending)
    with appending(ledger, "head"):
        assert wait_for(ledger.engine, ledger.origin, pending.number, 30).state == "sequenced"
    assert_holds(ledger)


def test_while_somebody_keeps_the_head_row_appends_turn_to_the_queue_and_are_accepted(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    if ledger.engine.dialect.name == "sqlite":
        with appending(ledger, "auto") as appender:
            assert appender.counters().way == "head"
            assert isinstance(appender.append(receipt("IN-1"), ACTOR), Appended)
        return
    events: list[Event] = []
    told: list[Appended | Pending] = []

    def append(name: str) -> None:
        told.append(appender.append(receipt(name), ACTOR))

    with appending(ledger, "auto", wait_s=0.2, report=events.append) as appender:
        with open_sequencer(ledger.engine, ledger.origin):
            stuck = [threading.Thread(target=append, args=(f"STUCK-{index}",)) for index in range(4)]
            for thread in stuck:
                thread.start()
            end = time.monotonic() + 30
            while appender.counters().under_way < 4:
                assert time.monotonic() < end
                time.sleep(0.01)
            time.sleep(0.15)  # longer than what counts as slow
            append("QUEUED")
            (queued,) = told
            assert isinstance(queued, Pending)
            assert appender.counters().way == "queue"
        for thread in stuck:
            thread.join()
        assert [type(one) for one in told] == [Pending] + [Appended] * 4
        assert wait_for(ledger.engine, ledger.origin, queued.number, 30).state == "sequenced"
        # The office was taken before the head was kept, or after.
        counters = appender.counters()
        assert (counters.rounds, counters.sequenced) == (1, 1)
        assert counters.epoch is not None
    assert appender.counters().epoch is None
    assert [type(one) for one in events] == [TookOffice, Round, LeftOffice]
    assert_holds(ledger)
