"""Appending entries: parse, check against the plant's rules, sign, place, store, acknowledge after the commit.

All in one transaction, all or nothing. A statement id is the idempotency key: sent again with the same content, it
gives the entry it gave before; with another content it is refused.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from ledger.carbon.factors import FactorAdoption, check_adoption
from ledger.errors import (
    ConflictError,
    DuplicateIdError,
    InputError,
    LedgerError,
    Problem,
    RuleError,
    UnknownIdError,
    problem,
    shown,
)
from ledger.log.canonical import Json, canonical_bytes
from ledger.log.checkpoint import format_vkey
from ledger.log.envelope import parse_envelope
from ledger.log.forms import format_time, parse_time
from ledger.log.signed import content_sha256, make_signed
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
from ledger.store import projection, repository
from ledger.store.repository import StoredEntry
from ledger.store.sequencer import Sequencer, open_sequencer

Progress = Callable[[int, int], None]
"""Called with the number of items done and of all."""


@dataclass(frozen=True)
class Draft:
    """An entry as somebody wants it.

    entry_type: one of ledger.service.entry_types.ENTRY_TYPES.
    body: JSON data.
    private: values that stay out of the log, by name; only salted commitments to them enter it.
    at: when it was stated, RFC 3339 UTC with microseconds; the time of receipt if None.
    statement_id: UUID of version 7, with which the same draft can be sent again safely; a new one if None.
    """

    entry_type: str
    body: Mapping[str, Any]
    private: Mapping[str, Json] = field(default_factory=dict)
    at: str | None = None
    statement_id: str | None = None


@dataclass(frozen=True)
class Appended:
    """An entry that is in the log.

    leaf_hash: in hex. warnings: what was accepted but looks odd; none for a repeated draft.
    repeated: the entry was there before, from the same statement id.
    """

    seq: int
    leaf_hash: str
    statement_id: str
    entry_type: str
    warnings: list[Problem]
    repeated: bool


def append_entries(
    ledger: Ledger,
    drafts: Sequence[Draft],
    actor: Actor,
    *,
    dry_run: bool = False,
    listed: bool | None = None,
    progress: Progress | None = None,
    expected_tree_size: int | None = None,
) -> list[Appended]:
    """Append the drafts in order, signed by the actor. Returns after the commit: what is returned is durable.

    dry_run: check everything, write nothing; the sequence numbers are those that the entries would get.
    listed: whether the fields of problems are JSON pointers into the list ("/3/body/mass_kg") or, for a single draft,
    into its body ("/mass_kg"); None: into the list if there are several.
    progress: called with the number of drafts checked and of all.
    expected_tree_size: append only if the log has just this many entries, for drafts that rest on its state;
    ConflictError if it has others.
    Raises: InputError, RuleError (or a kind of it) or ConflictError with the problems of all bad drafts.
    StoreError if the database cannot do it; BrokenLinkError if the log's end is damaged. Nothing is written then.
    """
    with open_sequencer(ledger.engine, ledger.origin, vault=ledger.vault) as sequencer:
        size = sequencer.tree_size
        if expected_tree_size is not None and size != expected_tree_size:
            raise ConflictError(
                problem("/expected_tree_size", expected_tree_size, f"{size}, the log's size", "Read the log again.")
            )
        appended, state = _append(
            ledger, sequencer, drafts, actor, dry_run, len(drafts) > 1 if listed is None else listed, progress
        )
    if not dry_run:
        ledger.state = state
    return appended


def append_in(
    ledger: Ledger, sequencer: Sequencer, drafts: Sequence[Draft], actor: Actor
) -> tuple[list[Appended], State]:
    """Append in a transaction of the caller's, for an entry that must stand or fall with other changes.

    Returns what `append_entries` does, and the state to put into ledger.state once the transaction is committed.
    Raises: as `append_entries`.
    """
    return _append(ledger, sequencer, drafts, actor, False, False, None)


def create_log(ledger: Ledger, actor: Actor, role: str = "operator") -> Appended:
    """Make the log. Its first entry is the actor's own key.

    Raises: DuplicateIdError if the log has entries already.
    """
    with open_sequencer(ledger.engine, ledger.origin, ledger.now(), ledger.vault) as sequencer:
        if sequencer.tree_size:
            raise DuplicateIdError(
                problem("/origin", ledger.origin, "a log that does not exist yet", "Use the log that is there.")
            )
        draft = Draft("actor_key", actor_key_body(actor, role))
        (first,), state = _append(ledger, sequencer, [draft], actor, False, False, None)
    ledger.state = state
    return first


def register_actor(ledger: Ledger, new: Actor, by: Actor, role: str = "operator") -> Appended:
    """Let the key of `new` sign statements from now on; `by` states it."""
    return append_entries(ledger, [Draft("actor_key", actor_key_body(new, role))], by)[0]


def actor_key_body(actor: Actor, role: str) -> dict[str, Any]:
    """The body of the entry that registers the actor's key."""
    return {"kid": actor.kid, "public_key": _public_key_text(actor), "actor": actor.actor, "role": role}


def _append(
    ledger: Ledger,
    sequencer: Sequencer,
    drafts: Sequence[Draft],
    actor: Actor,
    dry_run: bool,
    listed: bool,
    progress: Progress | None,
) -> tuple[list[Appended], State]:
    """The drafts' entries, written in the sequencer's transaction unless dry_run, and the state with them."""
    before = state_at(ledger, sequencer.connection, sequencer.head)
    ids = [draft.statement_id for draft in drafts if draft.statement_id is not None]
    known = repository.entries_by_statement(sequencer.connection, ledger.origin, ids)
    run = _Run(ledger, sequencer, actor, before, known)
    appended: list[Appended] = []
    failures: list[LedgerError] = []
    lost_ids: set[str] = set()  # of bad drafts: that others then name something unknown is not their fault
    for index, draft in enumerate(drafts):
        place, body_place = (f"/{index}", f"/{index}/body") if listed else ("", "")
        try:
            appended.append(run.append(draft, place, body_place))
        except (InputError, RuleError, ConflictError) as error:
            if not (isinstance(error, UnknownIdError) and {item.value for item in error.problems} <= lost_ids):
                failures.append(error)
            lost_ids.update(shown(identity) for identity in _ids_in(draft.body))
        if progress is not None:
            progress(index + 1, len(drafts))
    if failures:
        raise _one_error(failures)
    after = replace(run.state, tree_size=sequencer.tree_size, last_leaf_hash=sequencer.last_leaf_hash)
    if not dry_run:
        sequencer.write()
        projection.update(sequencer.connection, ledger.origin, before.plant, after.plant)
    return appended, after


class _Run:
    """One call of append_entries: state and sequencer grow with each draft that is good."""

    def __init__(
        self, ledger: Ledger, sequencer: Sequencer, actor: Actor, state: State, known: dict[str, StoredEntry]
    ) -> None:
        self.ledger = ledger
        self.sequencer = sequencer
        self.actor = actor
        self.state = state
        self.known = known
        now = ledger.now()
        self.recv = sequencer.recv(now)
        self.clock_warnings = _clock_warnings(now, self.recv)

    def append(self, draft: Draft, place: str, body_place: str) -> Appended:
        """The draft's entry, added to the sequencer; or the entry that the same draft gave before.

        place, body_place: JSON pointers of the draft and of its body, for errors.
        """
        with _at(place):
            body_type = body_type_of(draft.entry_type)
        with _at(body_place):
            body = parse_body(body_type, dict(draft.body))
        value = body.to_value()
        if draft.statement_id is not None and draft.statement_id in self.known:
            with _at(place):
                return self._repeated(self.known[draft.statement_id], draft, value)
        with _at(place):
            _check_signer(self.state.plant, self.sequencer.tree_size, self.actor, body)
            _check_private(draft, value)
        with _at(body_place):
            _check_event_dates(body, parse_time(self.recv, "/recv").date())
            plant = self._plant_with(draft.entry_type, body)
        warnings = warnings_between(self.state.plant, plant, body, self.ledger.masses)
        entry = self._add(draft, value, place, body_place)
        adoptions = self.state.adoptions
        if isinstance(body, FactorAdoption):
            adoptions = (*adoptions, (entry.seq, body))
        self.known[entry.statement_id] = entry
        self.state = replace(self.state, plant=plant, adoptions=adoptions)
        warnings = [replace(warning, field=body_place + warning.field) for warning in warnings]
        return _appended(entry, [*self.clock_warnings, *warnings], repeated=False)

    def _plant_with(self, entry_type: str, body: Body) -> Plant:
        """The plant with the entry. Raises: InputError or RuleError if a rule is against it."""
        if isinstance(body, LogKeyAdded | LogKeyRetired) or (isinstance(body, KeyRevoked) and body.kind == "log"):
            _check_log_key(self.ledger, self.state.plant, self.sequencer.head.tree_size, body)
        if isinstance(body, FactorAdoption):
            check_adoption(body, factor_records())
        seq = self.sequencer.tree_size
        return add_entry(self.state.plant, seq, entry_type, body, self.ledger.masses)

    def _add(self, draft: Draft, value: dict[str, Any], place: str, body_place: str) -> StoredEntry:
        """Make the statement, sign it and give it its place."""
        private = {name: (self.ledger.new_salt(), secret) for name, secret in draft.private.items()}
        try:
            statement = Statement(
                type=draft.entry_type,
                id=self.ledger.new_id() if draft.statement_id is None else draft.statement_id,
                at=self._at_time(draft),
                actor=self.actor.actor,
                kid=self.actor.kid,
                body=value,
                commit={name: commitment(salt, secret) for name, (salt, secret) in private.items()},
            )
            return self.sequencer.add(make_signed(statement, self.actor.private_key, private), self.recv)
        except InputError as error:
            raise InputError(
                *(replace(item, field=_draft_field(item.field, place, body_place)) for item in error.problems)
            ) from error

    def _at_time(self, draft: Draft) -> str:
        """When the draft was stated. Raises: InputError for a day after the day of receipt."""
        if draft.at is None:
            return self.recv
        if parse_time(draft.at, "/at").date() > parse_time(self.recv, "/recv").date():
            raise InputError(
                problem("/at", draft.at, f"a time up to that of receipt, {self.recv}", "Correct the time.")
            )
        return draft.at

    def _repeated(self, entry: StoredEntry, draft: Draft, value: dict[str, Any]) -> Appended:
        """The answer to a statement id that the log has: the same entry, if the content is the same.

        Raises: ConflictError naming the hashes of both contents.
        """
        first = parse_envelope(entry.data).statement
        names = dict.fromkeys(draft.private, "0" * 64)
        again = replace(first, type=draft.entry_type, actor=self.actor.actor, body=value, commit=names)
        conflicts: list[tuple[str, str, str]] = []
        if content_sha256(again) != content_sha256(first):
            conflicts.append(("/statement_id", content_sha256(again), content_sha256(first)))
        elif draft.at is not None and draft.at != first.at:
            conflicts.append(("/at", draft.at, first.at))
        else:
            conflicts.extend(self._other_private_values(entry.seq, draft, first))
        if conflicts:
            raise ConflictError(
                *(
                    Problem(
                        pointer,
                        f"statement {first.id} with {found}",
                        f"{stored}, as in entry {entry.seq} with the same statement id",
                        "Send the same content to repeat it, or leave statement_id out to state something new.",
                    )
                    for pointer, found, stored in conflicts
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


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Puts `place` before the fields of the errors inside."""
    try:
        yield
    except (InputError, RuleError, ConflictError) as error:
        raise type(error)(*(replace(item, field=place + item.field) for item in error.problems)) from error


def _draft_field(statement_field: str, place: str, body_place: str) -> str:
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


def _public_key_text(actor: Actor) -> str:
    return base64.b64encode(actor.private_key.public_key().public_bytes_raw()).decode("ascii")


def _check_signer(plant: Plant, seq: int, actor: Actor, body: Body) -> None:
    """Raises: RuleError unless the actor's key may sign entry seq; see `ledger.material.keys`."""
    key = plant.keys.signing_key(seq, actor.kid, actor.actor, body)
    if key.public_key != actor.private_key.public_key():
        raise RuleError(
            problem("/actor", f"another key than {actor.kid}", "the key that the log registers", "Put the right key.")
        )


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


def _check_private(draft: Draft, value: dict[str, Any]) -> None:
    """Raises: InputError for a private field that the body shows in clear, or that has no canonical form."""
    with _at("/private"):
        canonical_bytes(dict(draft.private))
    for name in draft.private:
        if name in value:
            raise InputError(
                problem(f"/private/{name}", name, "a field that the body does not show", "Take it out of the body.")
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
