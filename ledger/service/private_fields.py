"""Private fields: what there is, showing it, disclosing it to a reader, erasing it.

An erasure is an entry. The entry, the deletion of the rows and the new key of what remains are one transaction; then
the old key is destroyed, which makes every copy of the ciphertext worthless. If that is cut short, the key left over
is a finding of `log verify`, and `resume_erasures` finishes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy import Connection

from ledger.errors import InputError, LedgerError, RuleError, StoreError, UnknownIdError, VerificationError, problem
from ledger.log.canonical import Json
from ledger.log.disclosure import DisclosedField, Disclosure
from ledger.log.envelope import parse_envelope
from ledger.log.statement import Statement, check_commitment
from ledger.material.private import PRIVATE_ERASED, Erasures, subject_of
from ledger.service.append import Draft, append_in
from ledger.service.context import Actor, Ledger
from ledger.service.private_audit import erasures_of
from ledger.service.private_values import kept_values
from ledger.store import projection, repository
from ledger.store.database import read_transaction
from ledger.store.private_rows import delete_private, destroy_unused_keys, open_row, scrub
from ledger.store.repository import StoredEntry
from ledger.store.sequencer import open_sequencer
from ledger.store.vault import PrivateField, SealedField

_NO_COMMITMENTS = b'"commit":{}'
"""Part of every entry without private fields (canonical form), to pass over it without parsing."""

_SHORTEST_TELLING = 3
"""Characters of a value from which on a reason may not repeat it: shorter ones turn up by chance."""


@dataclass(frozen=True)
class FieldState:
    """A private field and what became of its value.

    state: "kept"; "erased" by entry erased_by; "no key": the vault has none for it; "gone" without an entry.
    """

    seq: int
    field: str
    subject: str
    state: Literal["kept", "erased", "no key", "gone"]
    erased_by: int | None = None


@dataclass(frozen=True)
class Erased:
    """What an erasure did.

    seq: its entry, None if none was made. fields: values deleted. keys: keys destroyed.
    scrubbed: whether the database has emptied its journal as well.
    """

    seq: int | None
    fields: tuple[tuple[int, str], ...]
    keys: int
    scrubbed: bool


def list_private(ledger: Ledger, batch_id: str | None = None) -> list[FieldState]:
    """Every private field of the log, or of the entries about one batch, in the order of the log.

    Raises: StoreError; VerificationError if an entry or a key file is damaged.
    """
    with read_transaction(ledger.engine) as connection:
        erasures = erasures_of(connection, ledger.origin)
        entries: Iterable[StoredEntry]
        if batch_id is None:
            entries = repository.entries_from(connection, ledger.origin, 0)
        else:
            seqs = projection.entries_of_batch(connection, ledger.origin, batch_id)
            found = repository.entries_at(connection, ledger.origin, seqs)
            entries = [found[seq] for seq in sorted(found)]
        with_private = [(entry.seq, _statement(entry)) for entry in entries if _NO_COMMITMENTS not in entry.data]
        return list(_states(ledger, connection, with_private, erasures))


def show_private(ledger: Ledger, seq: int, fields: Collection[str] = ()) -> dict[str, Json]:
    """The private values of entry `seq` by name; all that are kept if no fields are named.

    Raises: as `disclose`, but for an entry of which nothing is kept if none is named.
    """
    if fields:
        return {name: one.value for name, one in disclose(ledger, seq, fields).fields.items()}
    with read_transaction(ledger.engine) as connection:
        kept = kept_values(ledger, connection, [seq])
    return {name: one.value for (_, name), one in kept.items()}


def disclose(ledger: Ledger, seq: int, fields: Collection[str]) -> Disclosure:
    """Values and salts of these fields of entry `seq`, for a reader to check with `check_disclosure`.

    Raises: UnknownIdError if there is no such entry or field, or its value is not there any more; VerificationError if
    a value is not what the entry commits to; StoreError if the vault cannot be read.
    """
    with read_transaction(ledger.engine) as connection:
        statement = _statement(repository.entries_at(connection, ledger.origin, [seq])[seq])
        kept = kept_values(ledger, connection, [seq])
        erasures = erasures_of(connection, ledger.origin)
    disclosed = {}
    subject = subject_of(statement.body, seq)
    for name in fields:
        _require_field(statement, seq, name)
        private = kept.get((seq, name))
        if private is None:
            by = erasures.erased_by(seq, name, subject)
            why = "no value any more: neither kept nor erased by an entry" if by is None else f"erased by entry {by}"
            raise UnknownIdError(problem(f"/{name}", why, "a private field whose value is kept", "It cannot be shown."))
        if not check_commitment(statement.commit[name], private.salt, private.value):
            raise VerificationError(
                problem(f"/{name}", "another value", "the one that the entry commits to", "Run `log verify`.")
            )
        disclosed[name] = DisclosedField(private.salt, private.value)
    return Disclosure(ledger.origin, seq, disclosed)


def erase_subject(ledger: Ledger, subject: str, actor: Actor, reason: str, requested_by: str | None = None) -> Erased:
    """Erase every private value of a subject, for example "batch/IN-1", by an entry of the actor that says so.

    reason, requested_by (a pseudonymous id): stay in the log for ever, so they must not say what was erased.
    Raises: UnknownIdError if the subject has no private value that is not erased yet; InputError if reason or
    requested_by repeats an erased value; as `append_entries`. Nothing is changed then. StoreError, with the entry made,
    if the vault cannot be changed: see `resume_erasures`.
    """
    with open_sequencer(ledger.engine, ledger.origin, vault=ledger.vault) as sequencer:
        connection = sequencer.connection
        rows = list(repository.private_fields(connection, ledger.origin, scope=subject))
        if not rows:
            _require_left(connection, ledger.origin, subject)
        _require_discreet(_opened(ledger, rows), reason, requested_by)
        body = _body(reason, requested_by, subject=subject)
        (appended,), state = append_in(ledger, sequencer, [Draft(PRIVATE_ERASED, body)], actor)
        erased = tuple((row.seq, row.field) for row in rows)
        delete_private(connection, ledger.vault, ledger.origin, subject, erased)
    ledger.state = state
    return _finish(ledger, Erased(appended.seq, erased, 0, False), [subject])


def erase_fields(
    ledger: Ledger,
    fields: Mapping[int, Collection[str]],
    actor: Actor,
    reason: str,
    requested_by: str | None = None,
) -> Erased:
    """Erase private fields by entry and name; what else belongs to the same subjects stays, under new keys.

    Raises: UnknownIdError if there is no such entry or field; RuleError if one is erased already; else as
    `erase_subject`.
    """
    with open_sequencer(ledger.engine, ledger.origin, vault=ledger.vault) as sequencer:
        connection = sequencer.connection
        scopes = _require_fields(connection, ledger.origin, fields)
        wanted = {(seq, name) for seq, names in fields.items() for name in names}
        found = repository.private_fields(connection, ledger.origin, list(fields))
        rows = [row for row in found if (row.seq, row.field) in wanted]
        _require_discreet(_opened(ledger, rows), reason, requested_by)
        entries = [{"seq": seq, "fields": sorted(set(names))} for seq, names in sorted(fields.items())]
        body = _body(reason, requested_by, entries=entries)
        (appended,), state = append_in(ledger, sequencer, [Draft(PRIVATE_ERASED, body)], actor)
        _delete(ledger, connection, rows)
    ledger.state = state
    return _finish(ledger, Erased(appended.seq, tuple(sorted(wanted)), 0, False), scopes)


def resume_erasures(ledger: Ledger) -> Erased:
    """Do whatever the log's erasure entries say that is not done: values deleted, keys destroyed. Safe to repeat.

    Raises: StoreError; VerificationError if a value that stays beside an erased one was changed.
    """
    with open_sequencer(ledger.engine, ledger.origin, vault=ledger.vault) as sequencer:
        connection = sequencer.connection
        erasures = erasures_of(connection, ledger.origin)
        seqs = {seq for seq, _ in erasures.fields}
        entries = repository.entries_at(connection, ledger.origin, seqs)
        scopes = {subject_of(_statement(entry).body, seq) for seq, entry in entries.items()} | set(erasures.subjects)
        rows = [
            row
            for scope in sorted(scopes)
            for row in repository.private_fields(connection, ledger.origin, scope=scope)
            if erasures.erased_by(row.seq, row.field, scope) is not None
        ]
        _delete(ledger, connection, rows)
    return _finish(ledger, Erased(None, tuple((row.seq, row.field) for row in rows), 0, False), scopes)


def _finish(ledger: Ledger, erased: Erased, scopes: Iterable[str]) -> Erased:
    """Destroy the keys that nothing is sealed with any more. The transaction that made them so is committed."""
    with open_sequencer(ledger.engine, ledger.origin) as sequencer:
        keys = destroy_unused_keys(sequencer.connection, ledger.vault, ledger.origin, scopes)
    try:
        scrubbed = scrub(ledger.engine)
    except StoreError:  # the values are erased all the same: no key opens what is left
        scrubbed = False
    return replace(erased, keys=keys, scrubbed=scrubbed)


def _delete(ledger: Ledger, connection: Connection, rows: Iterable[SealedField]) -> None:
    by_scope: dict[str, list[tuple[int, str]]] = {}
    for row in rows:
        by_scope.setdefault(row.scope, []).append((row.seq, row.field))
    for scope, erased in by_scope.items():
        delete_private(connection, ledger.vault, ledger.origin, scope, erased)


def _body(reason: str, requested_by: str | None, **what: Any) -> dict[str, Any]:
    return {"reason": reason, **what} | ({} if requested_by is None else {"requested_by": requested_by})


def _states(
    ledger: Ledger, connection: Connection, entries: list[tuple[int, Statement]], erasures: Erasures
) -> Iterator[FieldState]:
    seqs = [seq for seq, _ in entries]
    rows = {(row.seq, row.field): row for row in repository.private_fields(connection, ledger.origin, seqs)}
    for seq, statement in entries:
        subject = subject_of(statement.body, seq)
        for name in sorted(statement.commit):
            row = rows.get((seq, name))
            by = erasures.erased_by(seq, name, subject)
            key = None if row is None else ledger.vault.find_key(ledger.origin, row.scope, row.key_id)
            if key is not None:
                yield FieldState(seq, name, subject, "kept", by)
            elif by is not None:
                yield FieldState(seq, name, subject, "erased", by)
            else:
                yield FieldState(seq, name, subject, "gone" if row is None else "no key")


def _require_fields(connection: Connection, origin: str, fields: Mapping[int, Collection[str]]) -> set[str]:
    """The subjects of the fields. Raises: UnknownIdError, RuleError."""
    erasures = erasures_of(connection, origin)
    scopes = set()
    for seq, entry in repository.entries_at(connection, origin, list(fields)).items():
        statement = _statement(entry)
        subject = subject_of(statement.body, seq)
        scopes.add(subject)
        for name in fields[seq]:
            _require_field(statement, seq, name)
            by = erasures.erased_by(seq, name, subject)
            if by is not None:
                next_step = "If `log verify` finds it still there, run `magnet-ledger private erase --resume`."
                raise RuleError(problem(f"/{name}", f"erased by entry {by}", "a field not erased yet", next_step))
    return scopes


def _require_field(statement: Statement, seq: int, name: str) -> None:
    if name not in statement.commit:
        names = ", ".join(sorted(statement.commit)) or "none"
        raise UnknownIdError(problem(f"/{name}", name, f"a private field of entry {seq}: {names}", "Name one of them."))


def _require_left(connection: Connection, origin: str, subject: str) -> None:
    """Raises: UnknownIdError unless some entry commits to a private value of the subject that is not erased yet."""
    erasures = erasures_of(connection, origin)
    for entry in repository.entries_from(connection, origin, 0):
        if _NO_COMMITMENTS in entry.data:
            continue
        statement = _statement(entry)
        if subject_of(statement.body, entry.seq) == subject and any(
            erasures.erased_by(entry.seq, name, subject) is None for name in statement.commit
        ):
            return
    raise UnknownIdError(
        problem("/subject", subject, "a subject with private values", "See `magnet-ledger private list`.")
    )


def _opened(ledger: Ledger, rows: Iterable[SealedField]) -> Iterator[PrivateField]:
    """The values that can be opened: one that was damaged must not stand in the way of its erasure."""
    for row in rows:
        try:
            private = open_row(ledger.vault, ledger.origin, row)
        except LedgerError:
            continue
        if private is not None:
            yield private


def _require_discreet(values: Iterable[PrivateField], reason: str, requested_by: str | None) -> None:
    """Raises: InputError if what is written down for ever repeats a value that is to be erased."""
    told = {"/reason": reason.casefold(), "/requested_by": (requested_by or "").casefold()}
    for private in values:
        for word in _texts(private.value):
            for where, told_text in told.items():
                if len(word) >= _SHORTEST_TELLING and word.casefold() in told_text:
                    expected = "words that do not repeat what is erased: they stay in the log for ever"
                    raise InputError(problem(where, "the value of a private field", expected, "Say it without."))


def _texts(value: Json) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _statement(entry: StoredEntry) -> Statement:
    return parse_envelope(entry.data).statement
