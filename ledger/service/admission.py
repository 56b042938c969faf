"""What one transaction appends: each submission checked against the plant's rules, signed, placed, or refused alone.

The state of the plant grows with each submission that is good and stays as it was with one that is not. A submission is
all or nothing, and so is what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from ledger.carbon.factors import FactorAdoption, check_adoption
from ledger.errors import (
    ConflictError,
    InputError,
    LedgerError,
    Problem,
    RuleError,
    UnknownIdError,
    problem,
    shown,
)
from ledger.log.canonical import canonical_bytes
from ledger.log.checkpoint import format_vkey
from ledger.log.envelope import parse_envelope
from ledger.log.forms import format_time, parse_time
from ledger.log.signed import (
    CheckedStatement,
    check_client_id,
    check_tenant,
    content_sha256,
    is_client_id,
    make_signed,
)
from ledger.log.statement import Statement, check_commitment, commitment
from ledger.material.batch import add_entry
from ledger.material.entries import Correction
from ledger.material.fields import Body, parse_body
from ledger.material.key_entries import KeyRevoked, LogKeyAdded, LogKeyRetired
from ledger.material.plant import Plant
from ledger.material.warnings import warnings_between
from ledger.service.context import Actor, Ledger, State
from ledger.service.entry_types import body_type_of
from ledger.service.factor_library import factor_records
from ledger.service.state import state_at
from ledger.service.submissions import Appended, Draft, ForeignStatement, Submission
from ledger.store import projection
from ledger.store.repository import StoredEntry
from ledger.store.sequencer import Sequencer
from ledger.store.statements import replay


def open_admission(ledger: Ledger) -> Callable[[Sequencer, Sequence[Submission]], ServiceAdmission]:
    """What a group commit of this ledger opens in each transaction."""
    return lambda sequencer, submissions: ServiceAdmission(ledger, sequencer, submissions)


class ServiceAdmission:
    """The submissions of one transaction (a ledger.store.group_commit.Admission). state: with those that are good."""

    def __init__(self, ledger: Ledger, sequencer: Sequencer, submissions: Sequence[Submission]) -> None:
        self._ledger = ledger
        self._sequencer = sequencer
        self._before = state_at(ledger, sequencer.connection, sequencer.head)
        self._now = ledger.now()
        self._new: list[tuple[str, Appended]] = []  # with the JSON pointer of what was sent
        self.state = self._before
        _look_up(sequencer, submissions)

    def admit(self, submission: Submission) -> list[Appended]:
        """The entries of the submission, in order, not written yet.

        Raises: InputError, RuleError (or a kind of it) or ConflictError with the problems of all bad items. The
        sequencer may then hold entries of good ones: the caller goes back to its mark, or gives up the transaction.
        """
        check_tenant(submission.tenant)
        size, expected = self._sequencer.tree_size, submission.expected_tree_size
        if expected is not None and size != expected:
            raise ConflictError(
                problem("/expected_tree_size", expected, f"{size}, the log's size", "Read the log again.")
            )
        run = _Run(self._ledger, self._sequencer, submission, self.state, self._now)
        appended: list[tuple[str, Appended]] = []
        failures: list[LedgerError] = []
        lost_ids: set[str] = set()  # of bad items: that others then name something unknown is not their fault
        for index, item in enumerate(submission.items):
            place, body_place = (f"/{index}", f"/{index}/body") if submission.listed else ("", "")
            try:
                appended.append((place, run.append(item, place, body_place)))
            except (InputError, RuleError, ConflictError) as error:
                if not (isinstance(error, UnknownIdError) and {one.value for one in error.problems} <= lost_ids):
                    failures.append(error)
                body = item.body if isinstance(item, Draft) else item.checked.statement.body
                lost_ids.update(shown(identity) for identity in _ids_in(body))
            if submission.progress is not None:
                submission.progress(index + 1, len(submission.items))
        if failures:
            raise _one_error(failures)
        self.state = replace(
            run.state, tree_size=self._sequencer.tree_size, last_leaf_hash=self._sequencer.last_leaf_hash
        )
        self._new.extend(one for one in appended if not one[1].repeated)
        return [one for _, one in appended]

    def flag_said_before(self) -> None:
        """Warn of new entries whose content an earlier entry has: one event logged twice, or a copied ticket."""
        said_before = self._sequencer.said_before()
        for place, appended in self._new:
            if appended.seq in said_before:
                appended.warnings.append(_said_before(place, said_before[appended.seq]))

    def write(self) -> None:
        """Write what was admitted, and bring the derived tables up to it."""
        self.flag_said_before()
        self._sequencer.write()
        projection.update(self._sequencer.connection, self._ledger.origin, self._before.plant, self.state.plant)

    def committed(self) -> None:
        """Keep the state for the next one who asks."""
        self._ledger.state = self.state


class _Run:
    """One submission: state and sequencer grow with each item that is good."""

    def __init__(
        self, ledger: Ledger, sequencer: Sequencer, submission: Submission, state: State, now: datetime
    ) -> None:
        self.ledger = ledger
        self.sequencer = sequencer
        self.actor = submission.actor
        self.tenant = submission.tenant
        self.state = state
        self.recv = sequencer.recv(now)
        self.clock_warnings = _clock_warnings(now, self.recv)

    def append(self, item: Draft | ForeignStatement, place: str, body_place: str) -> Appended:
        """The item's entry, added to the sequencer; or the entry that the same one gave before.

        place, body_place: JSON pointers of the item and of its body, for errors.
        """
        draft = item if isinstance(item, Draft) else _as_draft(item.checked)
        with _at(place):
            check_client_id(draft.client_id)
            body_type = body_type_of(draft.entry_type)
        with _at(body_place):
            body = parse_body(body_type, dict(draft.body))
        value = body.to_value() if isinstance(item, Draft) else item.checked.statement.body
        with _at(place):
            first = self._first(draft)
            if first is not None:
                return self._repeated(first, draft, value, self._signer(item))
            self._check_signer(item, body)
            _check_private(draft if isinstance(item, Draft) else item.checked.statement, value)
            if not isinstance(item, Draft):
                _check_values_came_along(item.checked)
        with _at(body_place):
            _check_event_dates(body, parse_time(self.recv, "/recv").date())
            plant = self._plant_with(draft.entry_type, body)
        warnings = warnings_between(self.state.plant, plant, body, self.ledger.masses)
        with _at_statement(place, body_place):
            self._check_at(draft.at if isinstance(item, Draft) else item.checked.statement.at)
            checked = self._signed(item, value) if isinstance(item, Draft) else item.checked
            entry = self.sequencer.add(checked, self.recv, self.tenant)
        adoptions = self.state.adoptions
        if isinstance(body, FactorAdoption):
            adoptions = (*adoptions, (entry.seq, body))
        self.state = replace(self.state, plant=plant, adoptions=adoptions)
        warnings = [replace(warning, field=body_place + warning.field) for warning in warnings]
        return _appended(entry, [*self.clock_warnings, *warnings], repeated=False)

    def _first(self, draft: Draft) -> StoredEntry | None:
        """The entry that was logged under the draft's key.

        Raises: ConflictError if its statement is in the log under another key.
        """
        if draft.key is not None and is_client_id(draft.key):
            entry = self.sequencer.find_client(self.tenant, draft.key)
            if entry is not None:
                return entry
        if draft.statement_id is None or not is_client_id(draft.statement_id):  # the latter no statement can have
            return None
        entry = self.sequencer.find_statement(draft.statement_id)
        if entry is not None and draft.client_id is not None:
            raise replay(entry, "/statement_id")
        return entry

    def _signer(self, item: Draft | ForeignStatement) -> str:
        """Pseudonym of who states the item."""
        return self._own_actor().actor if isinstance(item, Draft) else item.checked.statement.actor

    def _own_actor(self) -> Actor:
        assert self.actor is not None, "a submission of drafts names who signs them"
        return self.actor

    def _check_signer(self, item: Draft | ForeignStatement, body: Body) -> None:
        """Raises: RuleError unless the item's key may sign the next entry; see `ledger.material.keys`."""
        seq, keys = self.sequencer.tree_size, self.state.plant.keys
        if isinstance(item, Draft):
            actor = self._own_actor()
            key = keys.signing_key(seq, actor.kid, actor.actor, body)
            if key.public_key != actor.private_key.public_key():
                raise RuleError(
                    problem(
                        "/actor",
                        f"another key than {actor.kid}",
                        "the key that the log registers",
                        "Put the right key.",
                    )
                )
            return
        statement = item.checked.statement
        key = keys.signing_key(seq, statement.kid, statement.actor, body)
        if item.verified_with is None or key.public_key != item.verified_with:
            raise RuleError(
                problem("/kid", statement.kid, "a key that was registered when the statement came", "Send it again.")
            )

    def _plant_with(self, entry_type: str, body: Body) -> Plant:
        """The plant with the entry. Raises: InputError or RuleError if a rule is against it."""
        if isinstance(body, LogKeyAdded | LogKeyRetired) or (isinstance(body, KeyRevoked) and body.kind == "log"):
            _check_log_key(self.ledger, self.state.plant, self.sequencer.tree_size, body)
        if isinstance(body, FactorAdoption):
            check_adoption(body, factor_records())
        return add_entry(self.state.plant, self.sequencer.tree_size, entry_type, body, self.ledger.masses)

    def _signed(self, draft: Draft, value: dict[str, Any]) -> CheckedStatement:
        """The draft's statement, signed."""
        actor = self._own_actor()
        private = {name: (self.ledger.new_salt(), secret) for name, secret in draft.private.items()}
        statement = Statement(
            type=draft.entry_type,
            id=self.ledger.new_id() if draft.statement_id is None else draft.statement_id,
            at=self.recv if draft.at is None else draft.at,
            actor=actor.actor,
            kid=actor.kid,
            body=value,
            commit={name: commitment(salt, secret) for name, (salt, secret) in private.items()},
        )
        return make_signed(statement, actor.private_key, private, draft.client_id)

    def _check_at(self, at: str | None) -> None:
        """Raises: InputError for a time of statement on a day after the day of receipt."""
        if at is not None and parse_time(at, "/at").date() > parse_time(self.recv, "/recv").date():
            raise InputError(problem("/at", at, f"a time up to that of receipt, {self.recv}", "Correct the time."))

    def _repeated(self, entry: StoredEntry, draft: Draft, value: Mapping[str, Any], actor: str) -> Appended:
        """The answer to a key that the log has: the same entry, if the content is the same.

        Raises: ConflictError naming the hashes of both contents.
        """
        first = parse_envelope(entry.data).statement
        names = dict.fromkeys(draft.private, "0" * 64)
        again = replace(first, type=draft.entry_type, actor=actor, body=dict(value), commit=names)
        pointer = "/statement_id" if draft.client_id is None else "/client_id"
        conflicts: list[tuple[str, str, str]] = []
        if content_sha256(again) != content_sha256(first):
            conflicts.append((pointer, content_sha256(again), content_sha256(first)))
        elif draft.at is not None and draft.at != first.at:
            conflicts.append(("/at", draft.at, first.at))
        elif draft.private and entry.tenant != self.tenant:
            # Whether they are the same values is nobody's to find out but the first sender's: they could be guessed.
            conflicts.append((pointer, "private values", "those of another sender"))
        else:
            conflicts.extend(self._other_private_values(entry.seq, draft, first))
        if conflicts:
            named = pointer.removeprefix("/")
            raise ConflictError(
                *(
                    Problem(
                        field,
                        f"{draft.key} with {found}",
                        f"{stored}, as in entry {entry.seq} with the same {named.replace('_', ' ')}",
                        f"Send the same content to repeat it, or another {named} to state something new.",
                    )
                    for field, found, stored in conflicts
                )
            )
        return _appended(entry, [], repeated=True)

    def _other_private_values(self, seq: int, draft: Draft, first: Statement) -> list[tuple[str, str, str]]:
        """Private fields whose value is not the one that the entry commits to, or can no longer be compared."""
        kept = {one.field: one for one in self.sequencer.private_fields_of(seq)}
        others = []
        for name, secret in draft.private.items():
            if name not in kept:
                others.append((f"/private/{name}", "a value", f"{first.commit[name]}, whose value was erased"))
            elif not check_commitment(first.commit[name], kept[name].salt, secret):
                others.append((f"/private/{name}", commitment(kept[name].salt, secret), first.commit[name]))
        return others


def _as_draft(checked: CheckedStatement) -> Draft:
    """What a statement signed elsewhere would be as a draft; its time is not compared with that of a repetition."""
    statement = checked.statement
    private = {name: value for name, (_, value) in checked.private.items()}
    return Draft(statement.type, statement.body, private, None, statement.id, checked.client_id)


def _look_up(sequencer: Sequencer, submissions: Sequence[Submission]) -> None:
    """Ask for all keys and statement ids at once."""
    keys: dict[str, list[str]] = {}
    statement_ids: list[str] = []
    for submission in submissions:
        own = keys.setdefault(submission.tenant, [])
        for item in submission.items:
            if item.key is not None and is_client_id(item.key):
                own.append(item.key)
            statement_id = item.statement_id if isinstance(item, Draft) else item.checked.id
            if statement_id is not None and is_client_id(statement_id):
                statement_ids.append(statement_id)
    sequencer.look_up(keys, statement_ids)


def _said_before(place: str, seq: int) -> Problem:
    return problem(
        place,
        f"what entry {seq} says",
        "a content that is not in the log yet",
        "If it happened once, it is logged twice now: say so with a correction.",
    )


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Puts `place` before the fields of the errors inside."""
    try:
        yield
    except (InputError, RuleError, ConflictError) as error:
        raise type(error)(*(replace(item, field=place + item.field) for item in error.problems)) from error


@contextmanager
def _at_statement(place: str, body_place: str) -> Iterator[None]:
    """Turns fields of the statement that is being made, in errors inside, into fields of what was sent."""
    try:
        yield
    except InputError as error:
        raise InputError(
            *(replace(item, field=sent_field(item.field, place, body_place)) for item in error.problems)
        ) from error


def sent_field(statement_field: str, place: str, body_place: str) -> str:
    """JSON pointer into the request for one into the statement that was made from it."""
    if statement_field.startswith("/body"):
        return body_place + statement_field.removeprefix("/body")
    if statement_field == "/id":
        return f"{place}/statement_id"
    return place if statement_field == "/stmt" else place + statement_field


def _one_error(failures: Sequence[LedgerError]) -> LedgerError:
    """All problems in one error: of their kind if they are of one, else bad input before broken rules."""
    problems = [item for error in failures for item in error.problems]
    kinds = {type(error) for error in failures}
    if len(kinds) == 1:
        return kinds.pop()(*problems)
    return InputError(*problems) if any(issubclass(kind, InputError) for kind in kinds) else RuleError(*problems)


def _ids_in(value: object) -> Iterator[str]:
    """Every identity that a body (JSON data) gives or names."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if isinstance(item, str) and isinstance(name, str) and name.endswith("_id"):
                yield item
            else:
                yield from _ids_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _ids_in(item)


def _appended(entry: StoredEntry, warnings: list[Problem], *, repeated: bool) -> Appended:
    return Appended(entry.seq, entry.leaf_hash.hex(), entry.statement_id, entry.entry_type, warnings, repeated)


def _check_log_key(ledger: Ledger, plant: Plant, size: int, body: LogKeyAdded | LogKeyRetired | KeyRevoked) -> None:
    """What only a log that knows its own name and key can tell of an entry about its keys. size: before the entry.

    Raises: RuleError if it is about another log's key, lets a key hand over that never signed this log, or revokes the
    only one that signs.
    """
    field, vkey = ("/key", body.key) if isinstance(body, KeyRevoked) else ("/vkey", body.vkey)
    if vkey.split("+")[0] != ledger.origin:
        raise RuleError(problem(field, vkey, f"a key of {ledger.origin}", "Name a key of this log."))
    if isinstance(body, KeyRevoked) and not plant.keys.others_sign(vkey, size):
        next_step = "Let it hand over first: `magnet-ledger key rotate log`. Then revoke it."
        raise RuleError(problem(field, vkey, "a key beside which another one signs the log's checkpoints", next_step))
    if isinstance(body, LogKeyAdded) and not plant.keys.log_ranges:
        own = ledger.signing_key().public_key()
        if body.old_vkey != format_vkey(ledger.origin, own):
            raise RuleError(
                problem("/old_vkey", body.old_vkey, "the key that signs this log's checkpoints", "See `key list`.")
            )


def _check_private(item: Draft | Statement, value: Mapping[str, Any]) -> None:
    """Raises: InputError for a private field that the body shows in clear, or that has no canonical form."""
    if isinstance(item, Draft):
        with _at("/private"):
            canonical_bytes(dict(item.private))
    for name in item.private if isinstance(item, Draft) else item.commit:
        if name in value:
            raise InputError(
                problem(f"/private/{name}", name, "a field that the body does not show", "Take it out of the body.")
            )


def _check_values_came_along(checked: CheckedStatement) -> None:
    """Raises: InputError for a commitment without its value, which every audit would miss and nobody have erased."""
    missing = sorted(checked.statement.commit.keys() - checked.private.keys())
    if missing:
        next_step = "Send value and salt along, directly and not by the queue."
        raise InputError(
            *(problem(f"/private/{name}", "no value", "that of the commitment, to keep", next_step) for name in missing)
        )


def _check_event_dates(body: Body, received_on: date) -> None:
    """Raises: InputError for a day after the day (UTC) of receipt: what has not happened cannot be logged."""
    days = {name: day for name, day in body if name.endswith("_on") and isinstance(day, date)}
    if isinstance(body, Correction) and body.pointer.endswith("_on"):
        with suppress(ValueError):  # not a date: the corrected body will not parse
            days["new"] = date.fromisoformat(body.new)
    late = {name: day for name, day in days.items() if day > received_on}
    if late:
        raise InputError(
            *(
                problem(
                    f"/{name}",
                    day.isoformat(),
                    f"a day up to that of receipt, {received_on.isoformat()} (UTC)",
                    "Correct the date; log an event once it has happened.",
                )
                for name, day in late.items()
            )
        )


def _clock_warnings(now: datetime, recv: str) -> list[Problem]:
    """A warning if the clock stands more than a second before the last entry, whose time then counts."""
    if (parse_time(recv, "/recv") - now).total_seconds() <= 1:
        return []
    return [
        problem(
            "/recv",
            format_time(now),
            f"a clock not before the time of the last entry, {recv}, which is used instead",
            "Set the clock of this machine.",
        )
    ]
