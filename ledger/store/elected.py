"""The elected sequencer: one process that takes submissions out of the queue, in order, and appends them together.

Every process that could do it runs one of these. Who wins the election takes office: raises the epoch in the head row.
From then on each of its transactions begins with the head row, locked, under that epoch; when another has taken office
since, the transaction writes nothing and this one steps down. So one that was halted and believes itself elected when
it goes on is harmless, at whatever point it was halted. Entries, head and what became of each submission are written in
one transaction: an accepted submission is sequenced once, or still waits.

Processes that append directly, by the head row alone, may do so beside it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ledger.errors import BadSignatureError, ConflictError, InputError, LedgerError, RuleError
from ledger.log.signed import CheckedStatement, check_form
from ledger.store.database import read_transaction
from ledger.store.election import Election, election_of, session_name
from ledger.store.group_commit import Admission, GroupCommit
from ledger.store.sequencer import Sequencer, take_office
from ledger.store.statements import Receipt, Sent, statement_admission
from ledger.store.submissions import BATCH_ROWS, Settled, StoredSubmission, parse_payload, settle, waiting
from ledger.store.vault import Vault

FIRST_PAUSE_S, LAST_PAUSE_S = 0.001, 0.05
"""How long the queue is left alone when it was found empty: twice as long each time."""

RETRY_S = 1.0
"""How long to wait before trying to be elected again."""

STOP_S = 10.0
"""How long to wait for the end of what is under way."""

HOLDS_EVERY_S = 1.0
"""How often to ask whether the election still stands."""

_SENDERS_FAULT = (InputError, RuleError, ConflictError, BadSignatureError)
"""What refuses a submission for good. Any other error is not its sender's fault, and leaves it waiting."""

SubmissionT = TypeVar("SubmissionT", bound=Sized)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class Desk(Generic[SubmissionT, ResultT]):
    """How the level above reads submissions, admits them and tells what became of them.

    open_reader: called at the beginning of an office, for a function that makes a submission for the admission from a
    statement that is of its form, and its tenant; it may refuse it. It is called outside of transactions, in the order
    of the queue, perhaps before earlier ones are in the log.
    open_admission: as for a group commit.
    describe: entry number and outcome, as JSON, of what was admitted; called when it is written.
    """

    open_reader: Callable[[], Callable[[CheckedStatement, str], SubmissionT]]
    open_admission: Callable[[Sequencer, Sequence[SubmissionT]], Admission[SubmissionT, ResultT]]
    describe: Callable[[ResultT], tuple[int, Mapping[str, object]]]


@dataclass(frozen=True)
class Round:
    """What one transaction has done. epoch: under which. sequenced, refused: numbers of submissions.

    faulty: numbers of submissions that this program could not handle; they wait until it is started again. errors: why,
    one for each.
    """

    epoch: int
    sequenced: int
    refused: int
    faulty: tuple[int, ...] = ()
    errors: tuple[BaseException, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class TookOffice:
    """This process sequences the log from now on. epoch: of its office."""

    epoch: int


@dataclass(frozen=True)
class LeftOffice:
    """This process does not sequence the log any more. epoch: of the office it had."""

    epoch: int


Event = TookOffice | Round | LedgerError | LeftOffice
"""What a candidate tells of. An error is why it could not be elected, or is about to leave office."""


@dataclass(frozen=True)
class _Read(Generic[SubmissionT]):
    """A row and the submission in it, or why there is none."""

    row: StoredSubmission
    submission: SubmissionT | LedgerError


class _FaultyRowError(Exception):
    """Raised from what the program did not foresee in one row, or could not do for it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class ElectedSequencer(Generic[SubmissionT, ResultT]):
    """Sequences a log's queue as long as it is elected, and stands for election as long as it is not.

    report: is told of each event. election: how it is elected; that of the database if None. retry_s: see RETRY_S.
    """

    def __init__(
        self,
        engine: Engine,
        origin: str,
        desk: Desk[SubmissionT, ResultT],
        *,
        vault: Vault | None = None,
        report: Callable[[Event], None] = lambda _event: None,
        election: Election | None = None,
        batch_rows: int = BATCH_ROWS,
        retry_s: float = RETRY_S,
    ) -> None:
        self._engine = engine
        self._origin = origin
        self._desk = desk
        self._vault = vault
        self._report = report
        self._election = election_of(engine, origin) if election is None else election
        self._batch_rows = batch_rows
        self._retry_s = retry_s
        self._faulty: set[int] = set()
        self._stopping = threading.Event()
        self._something = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Do it in a thread of its own, until `stop`."""
        self._stopping.clear()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self.serve, name=f"elected sequencer of {self._origin}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish the transaction under way and leave office. Submissions that wait are for the next one elected.

        Waits STOP_S for that: somebody else may have the head.
        """
        self._stopping.set()
        self._something.set()
        if self._thread is not None:
            self._thread.join(STOP_S)

    def wake(self) -> None:
        """There is something in the queue."""
        self._something.set()

    def serve(self) -> None:
        """Stand for election, hold office, step down, and again, until `stop`; or until a disk has failed: then nobody
        knows what was written, and somebody has to look first."""
        while not self._stopping.is_set():
            try:
                if self._election.win():
                    try:
                        if self._hold_office():
                            return
                    finally:
                        self._election.resign()
            except LedgerError as error:
                self._report(error)
            self._stopping.wait(self._retry_s)

    def take_office(self) -> Office[SubmissionT, ResultT]:
        """Take office. Without having won the election: for whoever knows why, such as a test."""
        make = self._desk.open_reader()  # reads what it needs to begin with: that may take longer than a round
        self._election.end_former()
        return Office(
            self._engine,
            self._origin,
            self._desk,
            make,
            take_office(self._engine, self._origin),
            vault=self._vault,
            batch_rows=self._batch_rows,
            faulty=self._faulty,
        )

    def _hold_office(self) -> bool:
        """Rounds until another takes office, the election is lost, or it is time to stop.

        Returns: whether the disk has failed. Raises: LedgerError if the office could not be taken.
        """
        office = self.take_office()
        self._report(TookOffice(office.epoch))
        try:
            return self._do_rounds(office)
        finally:
            office.leave()
            self._report(LeftOffice(office.epoch))

    def _do_rounds(self, office: Office[SubmissionT, ResultT]) -> bool:
        asked, pause = time.monotonic(), FIRST_PAUSE_S
        while not self._stopping.is_set():
            if time.monotonic() - asked > HOLDS_EVERY_S:
                if not self._election.holds():
                    return False
                asked = time.monotonic()
            self._something.clear()
            try:
                done = office.round()
            except LedgerError as error:
                self._report(error)
                return office.has_failed
            if done is None:
                self._something.wait(pause)
                pause = min(2 * pause, LAST_PAUSE_S)
            else:
                self._report(done)
                pause = FIRST_PAUSE_S
        return False


class Office(Generic[SubmissionT, ResultT]):
    """The right to sequence a log, until somebody else takes it. epoch: its number."""

    def __init__(
        self,
        engine: Engine,
        origin: str,
        desk: Desk[SubmissionT, ResultT],
        make: Callable[[CheckedStatement, str], SubmissionT],
        epoch: int,
        *,
        vault: Vault | None,
        batch_rows: int,
        faulty: set[int],
    ) -> None:
        self.epoch = epoch
        self._engine = engine
        self._origin = origin
        self._make = make
        self._batch_rows = batch_rows
        self._faulty = faulty
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="submissions")
        self._ahead: Future[list[_Read[SubmissionT]]] | None = None
        self._commit: GroupCommit[Sequence[_Read[SubmissionT]], list[Settled]] = GroupCommit(
            engine,
            origin,
            lambda sequencer, _batches: _QueueAdmission(sequencer, desk),
            vault=vault,
            epoch=epoch,
            session_name=session_name(origin),
        )

    @property
    def has_failed(self) -> bool:
        """Whether the disk has failed."""
        return self._commit.has_failed

    def round(self) -> Round | None:
        """Settle the submissions that wait, up to a batch of them, in one transaction; None if there are none.

        Raises: ConflictError if another has taken office; StoreError; BrokenLinkError if the log's end is damaged. The
        submissions then wait as before, or were settled, as far as the answer to a commit was lost.
        """
        ahead, self._ahead = self._ahead, None
        reads = self._take() if ahead is None else ahead.result()
        if not reads:
            return None
        if len(reads) == self._batch_rows:  # there are more: read them while these are written
            ahead = self._reader.submit(self._take, [one.row.number for one in reads])
        else:
            ahead = None
        done = self._settle(reads)
        self._ahead = ahead
        return done

    def leave(self) -> None:
        """End the thread that reads ahead."""
        self._reader.shutdown(wait=True)

    def _take(self, without: Sequence[int] = ()) -> list[_Read[SubmissionT]]:
        """The next rows that wait, read. without: numbers of those that are about to be settled."""
        with read_transaction(self._engine) as connection:
            rows = waiting(connection, self._origin, self._batch_rows, [*self._faulty, *without])
        return [_read(row, self._make) for row in rows]

    def _settle(self, reads: Sequence[_Read[SubmissionT]]) -> Round:
        """One transaction; without the rows that the program stumbles over, one more for each of them."""
        faulty: list[int] = []
        errors: list[BaseException] = []
        settled: list[Settled] = []
        batches = [list(reads)]
        while batches:
            batch = batches.pop(0)
            (future,) = self._commit.run([batch])
            error = future.exception()
            if error is None:
                settled += future.result()
            elif isinstance(error, LedgerError):
                raise error
            elif isinstance(error, _FaultyRowError) or len(batch) == 1:
                number = error.number if isinstance(error, _FaultyRowError) else batch[0].row.number
                faulty.append(number)
                errors.append(error.__cause__ or error)
                batches[:0] = [rest] if (rest := [one for one in batch if one.row.number != number]) else []
            else:  # which of them it was cannot be told
                batches[:0] = [[one] for one in batch]
        self._faulty.update(faulty)
        refused = sum(one.seq is None for one in settled)
        return Round(self.epoch, len(settled) - refused, refused, tuple(faulty), tuple(errors))


def statement_desk(now: Callable[[], datetime]) -> Desk[Sent, list[Receipt]]:
    """For a log without rules of what statements may say; see `ledger.store.statements`.

    Signatures are those that were verified when the statements were accepted. now: aware.
    """
    return Desk(
        open_reader=lambda: lambda checked, tenant: Sent([checked], tenant),
        open_admission=statement_admission(now),
        describe=_describe_receipt,
    )


def _describe_receipt(receipts: list[Receipt]) -> tuple[int, Mapping[str, object]]:
    (receipt,) = receipts
    return receipt.seq, {**vars(receipt), "leaf_hash": receipt.leaf_hash.hex()}


def _read(row: StoredSubmission, make: Callable[[CheckedStatement, str], SubmissionT]) -> _Read[SubmissionT]:
    """Outside of the transaction: what takes time and needs no head row."""
    try:
        return _Read(row, make(check_form(parse_payload(row.payload)), row.tenant))
    except _SENDERS_FAULT as error:
        return _Read(row, error)


class _QueueAdmission(Generic[SubmissionT, ResultT]):
    """The admission of a transaction's one batch of rows: each is admitted, or refused alone, by the level above, and
    what becomes of it is written beside the entries."""

    def __init__(self, sequencer: Sequencer, desk: Desk[SubmissionT, ResultT]) -> None:
        self._sequencer = sequencer
        self._desk = desk
        self._inner: Admission[SubmissionT, ResultT] | None = None
        self._admitted: list[tuple[int, ResultT]] = []
        self._settled: list[Settled] = []

    def admit(self, batch: Sequence[_Read[SubmissionT]]) -> list[Settled]:
        """Admit or refuse each row. Returns: what becomes of them, once `write` has written it.

        Raises: _FaultyRowError from what is neither the sender's fault nor the database's.
        """
        handed_in = [one.submission for one in batch if not isinstance(one.submission, LedgerError)]
        self._inner = self._desk.open_admission(self._sequencer, handed_in)
        for read in batch:
            mark = self._sequencer.mark()
            try:
                if isinstance(read.submission, LedgerError):
                    raise read.submission
                self._admitted.append((read.row.number, self._inner.admit(read.submission)))
            except _SENDERS_FAULT as error:
                self._sequencer.go_back(mark)
                self._settled.append(Settled(read.row.number, None, error.to_value()))
            except DBAPIError:
                raise  # the transaction is lost
            except Exception as error:  # raised again where it is looked at
                raise _FaultyRowError(read.row.number) from error
        return self._settled

    def write(self) -> None:
        """Write the entries, then what became of the rows."""
        assert self._inner is not None, "a batch was admitted"
        self._inner.write()
        self._settled += [Settled(number, *self._desk.describe(result)) for number, result in self._admitted]
        settle(self._sequencer.connection, self._sequencer.origin, self._settled)

    def committed(self) -> None:
        """Tell the level above."""
        assert self._inner is not None, "a batch was admitted"
        self._inner.committed()
