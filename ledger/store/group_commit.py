"""Group commit: one thread takes what many have handed in and commits it in one transaction.

A commit costs a sync of the disk, whatever is in it. While one runs, submissions gather; the next one takes them all.
Each submission stands or falls by itself: one that is refused leaves the others alone, since nothing is written before
all of them were looked at. A result is handed out only after the commit has returned. Where the disk itself fails, what
was written can no longer be known, and nothing is acknowledged any more until somebody has looked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError, StoreError, problem
from ledger.store.database import is_storage_failure
from ledger.store.sequencer import Sequencer, open_sequencer
from ledger.store.vault import Vault

MAX_ENTRIES = 256
"""Entries that one commit takes; a larger submission has one of its own."""

MAX_WAIT_S = 0.002
"""Seconds that the first submission of a commit waits for others at most."""

SubmissionT = TypeVar("SubmissionT", bound=Sized)
SubmissionT_contra = TypeVar("SubmissionT_contra", bound=Sized, contravariant=True)
ResultT = TypeVar("ResultT")
ResultT_co = TypeVar("ResultT_co", covariant=True)


class Admission(Protocol[SubmissionT_contra, ResultT_co]):
    """What is done with the submissions of one transaction. Its len() is the number of a submission's entries."""

    def admit(self, submission: SubmissionT_contra, /) -> ResultT_co:
        """Check a submission and add its entries to the sequencer. Any error refuses this submission alone; what it has
        added is then taken back, and nothing of it may be left elsewhere."""

    def write(self) -> None:
        """Write what was admitted, within the transaction."""

    def committed(self) -> None:
        """What was written is durable."""


@dataclass
class _Job(Generic[SubmissionT, ResultT]):
    submission: SubmissionT
    future: Future[ResultT] = field(default_factory=Future)

    def __post_init__(self) -> None:
        # What was handed in cannot be taken back: a cancelled future would refuse its answer, and end the thread.
        self.future.set_running_or_notify_cancel()


class _Phase(Enum):
    """NEW: no thread; each submission has a transaction of its own, in its caller's thread."""

    NEW = "new"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"


class GroupCommit(Generic[SubmissionT, ResultT]):
    """The one in a process that appends to a log. Other processes may do so too: the head's lock is what counts.

    open_admission: called in each transaction with its submissions. epoch: of the caller's office, if it holds one.
    session_name: see `open_sequencer`.
    Between `start` and `stop` a thread does the work; before, callers do it themselves.
    """

    def __init__(
        self,
        engine: Engine,
        origin: str,
        open_admission: Callable[[Sequencer, Sequence[SubmissionT]], Admission[SubmissionT, ResultT]],
        *,
        vault: Vault | None = None,
        epoch: int | None = None,
        max_entries: int = MAX_ENTRIES,
        max_wait_s: float = MAX_WAIT_S,
        session_name: str | None = None,
    ) -> None:
        self._engine = engine
        self._origin = origin
        self._open_admission = open_admission
        self._vault = vault
        self._epoch = epoch
        self._max_entries = max_entries
        self._max_wait_s = max_wait_s
        self._session_name = session_name
        self._queue: SimpleQueue[_Job[SubmissionT, ResultT] | None] = SimpleQueue()
        self._lock = threading.Lock()  # over the phase, and over putting into the queue while it lasts
        self._phase = _Phase.NEW
        self._why = ""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Let a thread do the work from now on; after `stop`, too.

        Raises: StoreError if a thread does it already, or the disk has failed.
        """
        with self._lock:
            if self._phase in (_Phase.RUNNING, _Phase.FAILED):
                raise self._refusal()
            self._phase = _Phase.RUNNING
            self._thread = threading.Thread(target=self._work, name=f"sequencer of {self._origin}", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Finish what was handed in, refuse what comes after, and end the thread."""
        with self._lock:
            is_told = self._phase is _Phase.STOPPED
            if self._phase is not _Phase.FAILED:
                self._phase = _Phase.STOPPED
            thread = self._thread
        if thread is not None:
            if not is_told:  # told twice, it would end a second time, once it was started again
                self._queue.put(None)
            thread.join()

    def submit(self, submission: SubmissionT) -> Future[ResultT]:
        """Hand in a submission. Its result is durable; its error is that of `admit`, or:

        StoreError if the database cannot do it, the thread was stopped, or the disk has failed; ConflictError if
        another has taken office; BrokenLinkError if the log's end is damaged. After a StoreError it may be in the log
        or not: send it again with the same key.
        """
        job: _Job[SubmissionT, ResultT] = _Job(submission)
        with self._lock:
            if self._phase is _Phase.RUNNING:
                self._queue.put(job)
                return job.future
            if self._phase is not _Phase.NEW:
                job.future.set_exception(self._refusal())
                return job.future
        self._run([job])
        return job.future

    def run(self, submissions: Sequence[SubmissionT]) -> list[Future[ResultT]]:
        """All of them in one transaction, in the caller's thread. Returns when they are answered.

        Results and errors: as with `submit`.
        """
        jobs: list[_Job[SubmissionT, ResultT]] = [_Job(submission) for submission in submissions]
        if self._phase is _Phase.STOPPED:
            self._answer(jobs, self._refusal())
        elif jobs:
            self._run(jobs)
        return [job.future for job in jobs]

    @property
    def has_failed(self) -> bool:
        """Whether nothing is acknowledged any more, because the disk or the program has failed."""
        return self._phase is _Phase.FAILED

    def _work(self) -> None:
        """The thread: batches until it is told to stop."""
        jobs: list[_Job[SubmissionT, ResultT]] = []
        came_last = 1
        try:
            more = True
            while more:
                jobs, more = self._gather(came_last)
                came_last = len(jobs)
                if jobs:
                    self._run(jobs)
        finally:
            # Also after an error that nobody foresaw: nobody may wait for an answer that does not come.
            with self._lock:
                if self._phase is _Phase.RUNNING:
                    self._phase = _Phase.FAILED
                    self._why = "a sequencer that has ended by an error of the program"
            with suppress(Empty):
                while True:
                    left = self._queue.get_nowait()
                    jobs = [*jobs, left] if left is not None else jobs
            self._answer([job for job in jobs if not job.future.done()], self._refusal())

    def _gather(self, came_last: int) -> tuple[list[_Job[SubmissionT, ResultT]], bool]:
        """The submissions of the next commit, at least one unless it is time to stop; and whether to go on.

        Whoever was answered last time is likely to come again in a moment: as many as came then are waited for, up to
        max_wait_s after the first. A single sender never waits.
        """
        first = self._queue.get()
        if first is None:
            return [], False
        jobs, entries = [first], len(first.submission)
        end = time.monotonic() + self._max_wait_s
        while entries < self._max_entries:
            wait = end - time.monotonic() if len(jobs) < came_last else 0.0
            try:
                job = self._queue.get(timeout=wait) if wait > 0 else self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
            entries += len(job.submission)
        return jobs, True

    def _run(self, jobs: Sequence[_Job[SubmissionT, ResultT]]) -> None:
        """One transaction for all of them; then their answers."""
        if self._phase is _Phase.FAILED:
            self._answer(jobs, self._refusal())
            return
        admission: Admission[SubmissionT, ResultT]
        results: list[tuple[_Job[SubmissionT, ResultT], ResultT]] = []
        refused: list[tuple[_Job[SubmissionT, ResultT], Exception]] = []
        try:
            with open_sequencer(
                self._engine,
                self._origin,
                vault=self._vault,
                epoch=self._epoch,
                session_name=self._session_name,
            ) as sequencer:
                admission = self._open_admission(sequencer, [job.submission for job in jobs])
                for job in jobs:
                    mark = sequencer.mark()
                    try:
                        results.append((job, admission.admit(job.submission)))
                    except DBAPIError:
                        raise  # the transaction is lost, for all of them
                    except Exception as error:  # noqa: BLE001 - raised again where the submission came from
                        sequencer.go_back(mark)
                        refused.append((job, error))
                if results:
                    admission.write()
        except LedgerError as error:
            if is_storage_failure(error):
                with self._lock:
                    self._phase = _Phase.FAILED
                    self._why = f"a disk that has failed: {error.problems[0].value}"
                self._answer(jobs, self._refusal())
            else:
                self._answer(jobs, error)
        except Exception as error:  # noqa: BLE001 - a fault of the program: raised again where it came from
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
            else:
                for job in jobs:  # one by one, so that it hits nobody but the one that brings it about
                    self._run([job])
        else:
            try:
                admission.committed()
            finally:
                for job, refusal in refused:
                    job.future.set_exception(refusal)
                for job, result in results:
                    job.future.set_result(result)

    def _answer(self, jobs: Sequence[_Job[SubmissionT, ResultT]], error: LedgerError) -> None:
        """The same error for all, a copy for each: it will be raised in their threads."""
        for job in jobs:
            own = type(error)(*error.problems)
            own.__cause__ = error.__cause__
            job.future.set_exception(own)

    def _refusal(self) -> StoreError:
        if self._phase is _Phase.FAILED:
            return StoreError(
                problem(
                    "/database_url",
                    self._why,
                    "a log that was verified since",
                    "Restart, then run `magnet-ledger log verify`; what was not acknowledged may be in the log or not.",
                )
            )
        return StoreError(
            problem("", f"a group commit that is {self._phase.value}", "one that runs", "Send it again later.")
        )
