"""Signed statements into a log, without rules of what they may say: form, key and content alone.

Two answers to a key that was seen before: the first entry, if the content is the same; a conflict, if it is not. A
statement id enters a log once, whatever the key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ledger.errors import ConflictError, InputError, Problem, problem
from ledger.log.signed import CheckedStatement, check_tenant
from ledger.store.repository import StoredEntry
from ledger.store.sequencer import Sequencer


@dataclass(frozen=True)
class Sent:
    """Statements that are to enter the log together or not at all. tenant: who sent them."""

    statements: Sequence[CheckedStatement]
    tenant: str = ""

    def __len__(self) -> int:
        return len(self.statements)


@dataclass
class Receipt:
    """Where a statement stands. leaf_hash: 32 bytes. repeated: it was there before, under the same key.

    said_before: an earlier entry with the same content, found when the transaction is written; None without one.
    """

    seq: int
    leaf_hash: bytes
    repeated: bool
    said_before: int | None = None


class StatementAdmission:
    """The submissions of one transaction (a ledger.store.group_commit.Admission)."""

    def __init__(self, sequencer: Sequencer, submissions: Sequence[Sent], now: datetime) -> None:
        self._sequencer = sequencer
        self._recv = sequencer.recv(now)
        self._new: list[Receipt] = []
        look_up(sequencer, submissions)

    def admit(self, submission: Sent) -> list[Receipt]:
        """The statements' entries, added or found. Raises: InputError or ConflictError naming the statement."""
        check_tenant(submission.tenant)
        receipts = []
        for index, checked in enumerate(submission.statements):
            entry = find_same(self._sequencer, checked, submission.tenant, f"/{index}")
            if entry is None:
                added = self._add(checked, submission.tenant, f"/{index}")
                receipts.append(Receipt(added.seq, added.leaf_hash, repeated=False))
            else:
                receipts.append(Receipt(entry.seq, entry.leaf_hash, repeated=True))
        self._new.extend(receipt for receipt in receipts if not receipt.repeated)
        return receipts

    def _add(self, checked: CheckedStatement, tenant: str, place: str) -> StoredEntry:
        try:
            return self._sequencer.add(checked, self._recv, tenant)
        except InputError as error:  # too long: the pointer is into the envelope, which the sender does not know
            raise InputError(*(replace(one, field=place) for one in error.problems)) from error

    def write(self) -> None:
        """Write what was admitted."""
        before = self._sequencer.said_before()
        for receipt in self._new:
            receipt.said_before = before.get(receipt.seq)
        self._sequencer.write()

    def committed(self) -> None:
        """Nothing to do."""


def statement_admission(now: Callable[[], datetime]) -> Callable[[Sequencer, Sequence[Sent]], StatementAdmission]:
    """What a group commit of signed statements opens in each transaction. now: aware."""
    return lambda sequencer, submissions: StatementAdmission(sequencer, submissions, now())


def look_up(sequencer: Sequencer, submissions: Sequence[Sent]) -> None:
    """Ask for all keys and statement ids at once."""
    keys: dict[str, list[str]] = {}
    for one in submissions:
        keys.setdefault(one.tenant, []).extend(checked.key for checked in one.statements)
    sequencer.look_up(keys, [checked.id for one in submissions for checked in one.statements])


def find_same(sequencer: Sequencer, checked: CheckedStatement, tenant: str, place: str) -> StoredEntry | None:
    """The entry that this statement gave before, None if it is new. place: JSON pointer of the statement.

    Raises: ConflictError naming both content hashes if the key was used for another content, or the statement is in the
    log under another key.
    """
    entry = sequencer.find_client(tenant, checked.key)
    if entry is None and checked.client_id is None:
        entry = sequencer.find_statement(checked.id)
    if entry is not None:
        if entry.content_sha256 != checked.content_sha256:
            raise ConflictError(
                Problem(  # as it is: both hashes are to be read
                    f"{place}/client_id" if checked.client_id is not None else f"{place}/id",
                    f"{checked.key} with content {checked.content_sha256}",
                    f"content {entry.content_sha256}, as in entry {entry.seq} with the same key",
                    "Send the same content to repeat it, or take another key to state something new.",
                )
            )
        return entry
    replayed = sequencer.find_statement(checked.id)
    if replayed is not None:
        raise replay(replayed, f"{place}/id")
    return None


def replay(entry: StoredEntry, field: str) -> ConflictError:
    """A statement that is in the log already, sent under another key than then."""
    return ConflictError(
        problem(
            field,
            entry.statement_id,
            f"a statement that is not in the log; entry {entry.seq} has it, sent under another client id",
            "Send it under that client id to get its receipt, or make a new statement.",
        )
    )
