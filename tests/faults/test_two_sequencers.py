"""Two processes that sequence one log, the leading one halted, killed or cut off at any moment: no fork, no loss.

Two clients put submissions into the queue without a pause, send again until they are told, and ask what became of each.
The moments are drawn from a fixed seed; what happens at them is up to the machine.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import text

from ledger.errors import StoreError
from ledger.log.envelope import parse_envelope
from ledger.log.merkle import leaf_hash
from ledger.report import all_hold
from ledger.service.append import Appended
from ledger.service.audit import verify_log
from ledger.service.context import Ledger, State
from ledger.service.queued import Pending, accept_draft, read_outcome
from ledger.service.read import entry_bytes, head
from ledger.store.database import upgrade
from tests.faults import tally
from tests.faults.sequencing import INSIDE, LEFT, REFUSED, ROUND, TOOK, Orders, read_events, write_orders
from tests.faults.strace import Zygote, zygote
from tests.postgres import PostgresServer, new_server
from tests.store_samples import ACTOR, VKEY, make_ids, make_ledger, receipt, start_log

pytestmark = pytest.mark.slow

START = 3
"""Entries that the log begins with (tests.store_samples.start_log)."""

HALTS = 8
KILLS = 4
CRASHES = 3

PATIENCE_S = 60
"""How long a test waits for what must happen."""


@pytest.fixture(scope="module")
def zygotes() -> Iterator[list[Zygote]]:
    with ExitStack() as stack:
        yield [stack.enter_context(zygote()) for _ in range(2)]


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE_S} seconds"
        time.sleep(0.002)


@dataclass
class Candidate:
    """A process that sequences, or would. folder: has its events."""

    process: Zygote
    folder: Path

    def count(self, name: str) -> int:
        """How many events of this name it has told of."""
        return Counter(event for event, _ in read_events(self.folder))[name]

    def epochs(self, name: str) -> list[int]:
        """Offices that it took or left."""
        return [number for event, number in read_events(self.folder) if event == name]

    def wait_for(self, name: str, times: int = 1) -> None:
        """Until it tells of this event, so many times from now on."""
        before = self.count(name)
        until(lambda: self.count(name) >= before + times, f"{name} of {self.folder.name}")

    def wait_until_left(self, epoch: int) -> None:
        """Until it has noticed that the office is not its own any more."""
        until(lambda: epoch in self.epochs(LEFT), f"{self.folder.name} leaves office {epoch}")

    def leads(self) -> bool:
        """Whether it took office and has not left it, as far as it knows."""
        return len(self.epochs(TOOK)) > len(self.epochs(LEFT))

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.child, number)

    def kill(self) -> None:
        """End it, halted or not."""
        self.signal(signal.SIGKILL)
        assert self.process.end() == -signal.SIGKILL


@dataclass
class Client:
    """Sends submissions, each until it is accepted, and asks for each until it has its place.

    told: entry by client id. accepted: number by client id.
    """

    ledger: Ledger
    name: str
    accepted: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)

    def work(self, stop: threading.Event) -> None:
        """Until stop; the last one is sent until it is accepted, too."""
        serial = 0
        while not stop.is_set():
            key = f"{self.name}-{serial}"
            with suppress(StoreError):
                self.accepted[key] = self._send(key)
                serial += 1
            self._ask()
            time.sleep(0.003)

    def wait_for_more(self) -> None:
        """Until something more was accepted."""
        before = len(self.accepted)
        until(lambda: len(self.accepted) > before, f"a submission of {self.name}")

    def _send(self, key: str) -> int:
        """Hand it in, twice now and then. Returns its number."""
        draft = replace(receipt(key), client_id=key)
        pending = [accept_draft(self.ledger, draft, ACTOR) for _ in range(1 + key.endswith("7"))]
        numbers = [one.number if isinstance(one, Pending) else self._number_of(key) for one in pending]
        assert len(set(numbers)) == 1, "the same key was accepted twice"
        return numbers[0]

    def _number_of(self, key: str) -> int:
        with self.ledger.engine.connect() as connection:
            query = text("SELECT number FROM submission WHERE client_id = :key")
            return int(connection.execute(query, {"key": key}).scalar_one())

    def _ask(self) -> None:
        with suppress(StoreError):
            for key in [key for key in self.accepted if key not in self.told][:5]:
                outcome = read_outcome(self.ledger, self.accepted[key])
                if isinstance(outcome, Appended):
                    self.told[key] = outcome.seq


@contextmanager
def clients_at_work(url: str, folder: Path) -> Iterator[list[Client]]:
    """Two clients, while the block lasts."""
    stop = threading.Event()
    clients = []
    for number in range(2):
        own = replace(make_ledger(url, folder, 2000 + number), new_id=make_ids(2000 + number))
        clients.append(Client(own, f"C{number}"))
    threads = [threading.Thread(target=client.work, args=(stop,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for client in clients:
            client.ledger.engine.dispose()


class Candidates:
    """The two processes, and what is done to them."""

    def __init__(self, zygotes: list[Zygote], url: str, folder: Path) -> None:
        self._zygotes = zygotes
        self._url = url
        self._folder = folder
        self._series = 0
        self.running: list[Candidate] = [self._begin(process) for process in zygotes]

    def _begin(self, process: Zygote) -> Candidate:
        self._series += 1
        folder = self._folder / f"candidate-{self._series}"
        write_orders(folder, Orders(self._url, self._series, linger_s=0.01, silent_s=4))
        process.begin("sequence_queue", folder)
        return Candidate(process, folder)

    def leader(self) -> Candidate:
        """The one in office, at work."""
        until(lambda: any(one.leads() for one in self.running), "somebody in office")
        return max((one for one in self.running if one.leads()), key=lambda one: max(one.epochs(TOOK)))

    def other(self, than: Candidate) -> Candidate:
        return next(one for one in self.running if one is not than)

    def kill(self, candidate: Candidate) -> None:
        """End one and let a new one stand in its place."""
        candidate.kill()
        self.running[self.running.index(candidate)] = self._begin(candidate.process)

    def end(self) -> None:
        for one in self.running:
            one.kill()


def cut_the_lock(server: PostgresServer) -> None:
    """End the session that has the advisory lock, as a network does that drops it."""
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)"
    )


def assert_sequenced_once(ledger: Ledger, clients: list[Client]) -> None:
    """Everything accepted is in the log, once, where its sender was told; nothing else is; and the log holds."""
    accepted = {key: number for client in clients for key, number in client.accepted.items()}
    assert accepted

    def settled() -> bool:
        with ledger.engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM submission WHERE state = 'waiting'")).scalar_one() == 0

    until(settled, "everything settled")
    stored = entry_bytes(ledger, range(START, head(ledger).tree_size))
    places = {parse_envelope(data).statement.body["batch_id"]: seq for seq, data in enumerate(stored, START)}
    lost = accepted.keys() - places.keys()
    moved = [key for client in clients for key, seq in client.told.items() if places.get(key) != seq]
    tally.LOST["losses"] += len(lost)
    tally.LOST["forks"] += len(moved)
    assert not lost
    assert not moved
    assert len(places) == len(stored), "something is in the log twice"
    assert places.keys() == accepted.keys()
    for key, number in accepted.items():
        outcome = read_outcome(ledger, number)
        assert isinstance(outcome, Appended)
        assert (outcome.seq, outcome.leaf_hash) == (places[key], leaf_hash(stored[places[key] - START]).hex())
    checks = verify_log(replace(ledger, state=State()), VKEY)
    if not all_hold(checks):
        tally.LOST["forks"] += 1
    assert all_hold(checks), [check for check in checks if check.outcome != "passed"]
    tally.DONE["submissions accepted"] += len(accepted)


@contextmanager
def queue_in_use(zygotes: list[Zygote], folder: Path) -> Iterator[tuple[PostgresServer, Candidates, list[Client]]]:
    """A server (with fsync, as it is by default), two candidates, two clients at work. At the end, everything accepted
    must be in the log, once."""
    with new_server() as server:
        url = server.url("postgres")
        upgrade(url)
        ledger = make_ledger(url, folder)
        start_log(ledger)
        candidates = Candidates(zygotes, url, folder)
        try:
            with clients_at_work(url, folder) as clients:
                yield server, candidates, clients
            assert_sequenced_once(ledger, clients)
        finally:
            candidates.end()
            ledger.engine.dispose()


def test_a_leader_that_is_halted_and_goes_on_later_forks_nothing_and_steps_down(
    zygotes: list[Zygote], tmp_path: Path
) -> None:
    moments = random.Random(20261124)
    halted_inside = 0
    with queue_in_use(zygotes, tmp_path) as (server, candidates, _clients):
        for number in range(HALTS):
            leader = candidates.leader()
            other = candidates.other(leader)
            leader.wait_for(ROUND)
            if number % 2:
                leader.wait_for(INSIDE)  # it has the head row now, for a moment
            else:
                time.sleep(moments.uniform(0, 0.03))
            leader.signal(signal.SIGSTOP)
            tally.DONE["leaders halted"] += 1
            halted_inside += read_events(leader.folder)[-1][0] == INSIDE
            old = leader.epochs(TOOK)[-1]
            if number % 4 < 3:
                cut_the_lock(server)  # else the server closes the session of one who says nothing for so long
            until(other.leads, "the other one in office")
            other.wait_for(ROUND, times=2)
            assert other.epochs(TOOK)[-1] > old
            assert leader.leads(), "the halted one still believes that it leads"
            leader.signal(signal.SIGCONT)
            leader.wait_until_left(old)
            assert candidates.leader() is other
    assert halted_inside >= HALTS // 4, "some must have been halted within a transaction"


def test_a_leader_that_is_killed_leaves_what_was_accepted_to_the_next(zygotes: list[Zygote], tmp_path: Path) -> None:
    moments = random.Random(20261125)
    with queue_in_use(zygotes, tmp_path) as (_server, candidates, _clients):
        for number in range(KILLS):
            leader = candidates.leader()
            leader.wait_for(INSIDE if number % 2 else ROUND)
            time.sleep(moments.uniform(0, 0.01))
            candidates.kill(leader)
            tally.DONE["kills"] += 1
            candidates.leader().wait_for(ROUND)


def test_a_crash_of_the_server_loses_no_submission_that_was_accepted(zygotes: list[Zygote], tmp_path: Path) -> None:
    moments = random.Random(20261126)
    with queue_in_use(zygotes, tmp_path) as (server, candidates, clients):
        for _ in range(CRASHES):
            candidates.leader().wait_for(ROUND)
            time.sleep(moments.uniform(0, 0.05))
            server.stop("immediate")
            tally.DONE["server crashes"] += 1
            server.start()
            for client in clients:
                client.wait_for_more()


# SQLite


def test_a_writer_halted_with_the_lock_of_a_sqlite_file_makes_others_wait_or_says_so(
    zygotes: list[Zygote], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    ledger = make_ledger(url, tmp_path)
    start_log(ledger)
    writers = []
    for series, process in enumerate(zygotes, start=1):
        folder = tmp_path / f"writer-{series}"
        write_orders(folder, Orders(url, series, linger_s=0.005, busy_ms=300))
        process.begin("append_in_a_group", folder)
        writers.append(Candidate(process, folder))
    try:
        for number in range(HALTS):
            halted, other = writers[number % 2], writers[1 - number % 2]
            halted.wait_for(INSIDE)
            halted.signal(signal.SIGSTOP)
            tally.DONE["writers halted"] += 1
            if read_events(halted.folder)[-1][0] == INSIDE and number % 4 < 2:
                other.wait_for(REFUSED)  # after 300 ms: "database is locked"
            halted.signal(signal.SIGCONT)
            other.wait_for(INSIDE, times=3)
            halted.wait_for(INSIDE, times=3)
    finally:
        for writer in writers:
            writer.kill()
    acks: dict[int, str] = {}
    for writer in writers:
        for line in (writer.folder / "acks").read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                seq, leaf = line.split()
                assert int(seq) not in acks, "an entry was acknowledged twice: a fork"
                acks[int(seq)] = leaf
    size = head(ledger).tree_size
    stored = [leaf_hash(data).hex() for data in entry_bytes(ledger, range(size))]
    lost = [seq for seq, leaf in acks.items() if seq >= size or stored[seq] != leaf]
    tally.LOST["losses"] += len(lost)
    assert not lost
    assert len(acks) <= size - START <= len(acks) + len(writers)  # one of each may be committed and not told of
    checks = verify_log(replace(ledger, state=State()), VKEY)
    assert all_hold(checks), [check for check in checks if check.outcome != "passed"]
    ledger.engine.dispose()
