"""Appending as a server does it: by the head row while few append, by the queue when many do.

The answer is the same either way: the entry, its number and hash; or the refusal. By the queue it may take longer than
somebody wants to wait: then the answer is a number to ask by, and what was accepted is durable.

The key (tenant, client id) means the same on both ways: whoever sends again gets the entry, or waits for the submission
that is in the queue already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ledger.errors import StoreError
from ledger.service.append import GroupedAppend
from ledger.service.context import Actor, Ledger
from ledger.service.path_choice import AppendPath, PathChoice, Way
from ledger.service.queued import Pending, Refused, accept_draft, outcome_of, queue_sequencer
from ledger.service.submissions import Appended, Draft
from ledger.store import submissions
from ledger.store.database import single_read
from ledger.store.elected import Event, LeftOffice, Round, TookOffice
from ledger.store.outcomes import Outcomes

WAIT_S = 10.0
"""How long an append by the queue waits for its place."""


@dataclass(frozen=True)
class AppendCounters:
    """What an Appender has done since it was made, and how it stands.

    way: that of the next append. under_way: appends that have begun and not ended. turns: how often the way changed.
    by_head, by_queue: appends that ended with an entry. refused: with an error. pending: without knowing, in time.
    epoch: of the office by which this process sequences the queue, None if another process does, or none.
    rounds, sequenced: transactions of this process's offices, and submissions that got their place in them.
    """

    way: Way
    under_way: int
    turns: int = 0
    by_head: int = 0
    by_queue: int = 0
    refused: int = 0
    pending: int = 0
    epoch: int | None = None
    rounds: int = 0
    sequenced: int = 0


class Appender:
    """Appends drafts for the threads of a server, between `start` and `stop` by threads of its own.

    path: see `ledger.service.path_choice`; on SQLite "auto" is "head", as there is one writer at a time anyway.
    wait_s: how long an append by the queue waits for its place. report: is told what the sequencer of the queue does.
    """

    def __init__(
        self,
        ledger: Ledger,
        path: AppendPath = "auto",
        wait_s: float = WAIT_S,
        report: Callable[[Event], None] = lambda _event: None,
    ) -> None:
        self._ledger = ledger
        self._wait_s = wait_s
        self._tell = report
        self._uses_queue = path == "queue" or (path == "auto" and ledger.engine.dialect.name == "postgresql")
        self._choice = PathChoice(path if self._uses_queue else "head")
        self._lock = threading.Lock()  # over the choice and the counters
        self._counters = AppendCounters(self._choice.way, 0)
        self._direct = GroupedAppend(ledger)
        self._outcomes = Outcomes(ledger.engine, ledger.origin)
        self._sequencer = queue_sequencer(ledger, self._report)
        self._sequences = False

    def start(self) -> None:
        """Let threads do the work from now on. Stands for election as the one who sequences the queue, if this server
        uses it, or finds something in it."""
        self._direct.start()
        self._outcomes.start()
        self._sequences = self._uses_queue or self._queue_may_hold_something()
        if self._sequences:
            self._sequencer.start()

    def stop(self) -> None:
        """Finish what was begun, and end the threads. What waits in the queue stays there."""
        self._direct.stop()
        if self._sequences:
            self._sequencer.stop()
        self._outcomes.stop()

    def append(self, draft: Draft, actor: Actor, *, tenant: str = "") -> Appended | Pending:
        """Append one draft, signed by the actor. What is returned is durable: the entry, or, where its place is not
        known within wait_s, the number of its submission.

        Raises: InputError, RuleError (or a kind of it) or ConflictError with all problems; StoreError: then it may be
        in the log or the queue, or not. Send it again with the same key.
        """
        with self._lock:
            way, ticket = self._choice.begin(time.monotonic())
        result: Appended | Pending | None = None
        try:
            if way == "queue" and draft.private:
                way = "head"  # private values do not pass through the queue
            if way == "head" and self._waits_already(draft, tenant):
                way = "queue"  # accepted before: its place in the queue is the one that it gets
            result = self._by_queue(draft, actor, tenant) if way == "queue" else self._by_head(draft, actor, tenant)
            return result
        finally:
            with self._lock:
                self._choice.end(ticket, way, time.monotonic())
                self._count(way, result)

    def counters(self) -> AppendCounters:
        """What was done so far."""
        with self._lock:
            choice = self._choice
            return replace(self._counters, way=choice.way, under_way=choice.under_way, turns=choice.turns)

    def _by_head(self, draft: Draft, actor: Actor, tenant: str) -> Appended:
        (appended,) = self._direct.append([draft], actor, tenant=tenant)
        return appended

    def _by_queue(self, draft: Draft, actor: Actor, tenant: str) -> Appended | Pending:
        outcome = accept_draft(self._ledger, draft, actor, tenant)
        if isinstance(outcome, Pending):
            self._sequencer.wake()
            outcome = outcome_of(self._outcomes.wait(outcome.number, self._wait_s))
        if isinstance(outcome, Refused):
            raise outcome.error
        return outcome

    def _waits_already(self, draft: Draft, tenant: str) -> bool:
        if not self._uses_queue or draft.key is None or draft.private:
            return False
        ledger = self._ledger
        return submissions.find_waiting(ledger.engine, ledger.origin, tenant, draft.key) is not None

    def _queue_may_hold_something(self) -> bool:
        try:
            with single_read(self._ledger.engine) as connection:
                return submissions.count_waiting(connection, self._ledger.origin) > 0
        except StoreError:
            return True

    def _count(self, way: Way, result: Appended | Pending | None) -> None:
        counters = self._counters
        if result is None:
            self._counters = replace(counters, refused=counters.refused + 1)
        elif isinstance(result, Pending):
            self._counters = replace(counters, pending=counters.pending + 1)
        elif way == "queue":
            self._counters = replace(counters, by_queue=counters.by_queue + 1)
        else:
            self._counters = replace(counters, by_head=counters.by_head + 1)

    def _report(self, event: Event) -> None:
        with self._lock:
            counters = self._counters
            if isinstance(event, TookOffice):
                self._counters = replace(counters, epoch=event.epoch)
            elif isinstance(event, LeftOffice):
                self._counters = replace(counters, epoch=None)
            elif isinstance(event, Round):
                self._counters = replace(
                    counters, rounds=counters.rounds + 1, sequenced=counters.sequenced + event.sequenced
                )
        self._tell(event)
