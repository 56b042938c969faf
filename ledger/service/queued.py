"""Appending by the queue: accepted at once, given a place by the elected sequencer, under the same rules.

A draft is signed when it is accepted. What lies in the queue is a signed statement, which the sequencer verifies anew:
who can write that table alone gets nothing into the log, and the sequencer needs no actor's key. The rules of the plant
are applied when its turn comes; so it may be refused after it was accepted, and the sender is told so when asking.

Private values go the direct way: their keys are chosen under the head's lock, and they must lie nowhere in clear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ledger.errors import (
    ConflictError,
    InputError,
    LedgerError,
    Problem,
    StoreError,
    UnknownIdError,
    error_from_value,
    problem,
)
from ledger.log.envelope import MAX_ENTRY_BYTES
from ledger.log.forms import format_time
from ledger.log.signed import CheckedStatement, SignedStatement, check_form, check_tenant, make_signed
from ledger.log.statement import Statement
from ledger.service.admission import open_admission, sent_field
from ledger.service.append import Verifier
from ledger.service.context import Actor, Ledger
from ledger.service.entry_types import parse_entry_body
from ledger.service.submissions import Appended, Draft, Submission
from ledger.store import submissions
from ledger.store.elected import Desk, ElectedSequencer, Event
from ledger.store.repository import StoredEntry
from ledger.store.submissions import REFUSED, WAITING, StoredSubmission


@dataclass(frozen=True)
class Pending:
    """A statement that was accepted, durably, and waits for its place. number: to ask by."""

    number: int


@dataclass(frozen=True)
class Refused:
    """A statement that was accepted and then found to be against a rule. error: which one."""

    number: int
    error: LedgerError


Outcome = Appended | Pending | Refused


def accept_draft(ledger: Ledger, draft: Draft, actor: Actor, tenant: str = "") -> Outcome:
    """Put a draft into the queue, signed by the actor. What is returned is durable; Pending, if it is new.

    Sent again with the same content, under the same key (tenant, client id): what became of it. Its time, if it names
    one, is not compared then.
    Raises: InputError for a draft that is not of its form, or has private values; ConflictError naming both content
    hashes if the key was used for another content; StoreError.
    """
    return _accept(ledger, sign_draft(ledger, draft, actor), tenant)


def accept_signed(ledger: Ledger, signed: SignedStatement, tenant: str = "") -> Outcome:
    """Put a statement that its actor has signed elsewhere into the queue. Else as `accept_draft`.

    Raises also: BadSignatureError if the log knows its key and the signature is not by it.
    """
    checked = check_form(signed)
    Verifier(ledger)(checked)
    return _accept(ledger, checked, tenant)


def read_outcome(ledger: Ledger, number: int, tenant: str = "") -> Outcome:
    """What became of a submission of this tenant.

    Raises: UnknownIdError if they have none of this number; StoreError.
    """
    row = submissions.read_one(ledger.engine, ledger.origin, number)
    if row.tenant != tenant:
        raise UnknownIdError(
            problem("/number", number, "the number of a submission of this sender", "Check the number.")
        )
    return outcome_of(row)


def outcome_of(row: StoredSubmission) -> Outcome:
    """What a row of the queue says. Raises: StoreError if it is damaged."""
    if row.state == WAITING:
        return Pending(row.number)
    try:
        told: Mapping[str, Any] = row.outcome or {}
        if row.state == REFUSED:
            return Refused(row.number, error_from_value(told))
        return Appended(**{**told, "warnings": [Problem(**item) for item in told["warnings"]]})
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            problem(f"/submissions/{row.number}", row.outcome, "an outcome", "The row was changed: run `log verify`.")
        ) from error


def queue_sequencer(
    ledger: Ledger, report: Callable[[Event], None] = lambda _event: None
) -> ElectedSequencer[Any, Any]:
    """A candidate for sequencing this ledger's queue. report: is told of each round, error and office."""
    return ElectedSequencer(ledger.engine, ledger.origin, plant_desk(ledger), vault=ledger.vault, report=report)


def plant_desk(ledger: Ledger) -> Desk[Submission, list[Appended]]:
    """Submissions under the rules of the plant, their signatures verified."""

    def open_reader() -> Callable[[CheckedStatement, str], Submission]:
        verify = Verifier(ledger)

        def make(checked: CheckedStatement, tenant: str) -> Submission:
            item = verify(checked)
            if item.verified_with is None:  # its key may have been registered since
                verify.refresh()
                item = verify(checked)
            return Submission([item], None, tenant)

        return make

    return Desk(open_reader, open_admission(ledger), _describe)


def sign_draft(ledger: Ledger, draft: Draft, actor: Actor) -> CheckedStatement:
    """The draft's statement, signed by the actor now. Raises: InputError, with JSON pointers into the draft's body."""
    if draft.private:
        raise InputError(
            problem("/private", sorted(draft.private), "no private values", "Append it directly, not by the queue.")
        )
    body = parse_entry_body(draft.entry_type, dict(draft.body))
    try:
        statement = Statement(
            type=draft.entry_type,
            id=ledger.new_id() if draft.statement_id is None else draft.statement_id,
            at=format_time(ledger.now()) if draft.at is None else draft.at,
            actor=actor.actor,
            kid=actor.kid,
            body=body.to_value(),
        )
        return make_signed(statement, actor.private_key, None, draft.client_id)
    except InputError as error:
        raise InputError(*(replace(one, field=sent_field(one.field, "", "")) for one in error.problems)) from error


def _accept(ledger: Ledger, checked: CheckedStatement, tenant: str) -> Outcome:
    check_tenant(tenant)
    if len(checked.statement_bytes) > MAX_ENTRY_BYTES:
        raise InputError(
            problem(
                "",
                f"{len(checked.statement_bytes)} bytes",
                f"a statement that fits into an entry of {MAX_ENTRY_BYTES} bytes",
                "Keep what is large in a file of its own, and log the file's hash.",
            )
        )
    try:
        accepted = submissions.accept(ledger.engine, ledger.origin, checked, format_time(ledger.now()), tenant)
    except ConflictError as error:
        raise ConflictError(*(replace(one, field=sent_field(one.field, "", "")) for one in error.problems)) from error
    if isinstance(accepted.found, StoredEntry):
        entry = accepted.found
        return Appended(entry.seq, entry.leaf_hash.hex(), entry.statement_id, entry.entry_type, [], repeated=True)
    outcome = outcome_of(accepted.found)
    return replace(outcome, warnings=[], repeated=True) if isinstance(outcome, Appended) else outcome


def _describe(appended: list[Appended]) -> tuple[int, Mapping[str, object]]:
    (entry,) = appended
    return entry.seq, asdict(entry)
