"""`log verify` for private values: each is what its entry commits to, or was erased by an entry that says so.

A value that is gone without an entry, and one that is there though an entry erases it, are findings both. Where there
is no vault at all (an auditor with a copy of the database), the values cannot be opened: not checked.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from ledger.errors import InputError, LedgerError
from ledger.log.envelope import parse_envelope
from ledger.log.statement import check_commitment
from ledger.material.fields import parse_body
from ledger.material.private import PRIVATE_ERASED, Erasures, PrivateErased, make_erasures, subject_of
from ledger.report import Check, failed, not_checked, passed
from ledger.service.context import Ledger
from ledger.store import repository
from ledger.store.database import read_transaction
from ledger.store.private_rows import open_row, unused_keys
from ledger.store.vault import PrivateField, SealedField

VALUES = "private-fields"
ERASURES = "private-erasures"

VAULT_CLOSED = "vault-closed"
VAULT_KEYS = "vault-keys"

_RESUME = "`magnet-ledger private erase --resume` finishes it"


def erasures_of(connection: Connection, origin: str) -> Erasures:
    """What the log's erasure entries say. An entry that cannot be read erases nothing: it is a finding elsewhere."""
    found = []
    for row in repository.entries_of_type(connection, origin, PRIVATE_ERASED):
        try:
            found.append((row.seq, parse_body(PrivateErased, parse_envelope(row.data).statement.body)))
        except LedgerError:
            continue
    return make_erasures(found)


def check_vault(ledger: Ledger) -> list[Check]:
    """Whether the vault can do its work: nobody else reads it, and every private value has its key.

    A value that an entry erases needs none. Reads no value. Raises: StoreError.
    """
    vault = ledger.vault
    with read_transaction(ledger.engine) as connection:
        keys = _keys_wanted(connection, ledger)
    if not vault.exists():
        if keys:
            why = f"there is no vault {vault.folder}, and private values under {len(keys)} keys: put it back"
            return [failed(VAULT_KEYS, why)]
        return [not_checked(VAULT_KEYS, "no private value was logged yet", required=False)]
    files = vault.files()
    open_ones = [path.name for path in (vault.folder, *files) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if open_ones:
        closed = failed(VAULT_CLOSED, f"others can read {', '.join(open_ones[:3])}: chmod -R go= {vault.folder}")
    else:
        closed = passed(VAULT_CLOSED, f"{vault.folder}: {len(files)} keys, readable by their owner only")
    lost = sorted(scope for scope, key_id in keys if not vault.has_key(ledger.origin, scope, key_id))
    if lost:
        detail = f"no key for private values of {', '.join(lost[:3])} ({len(lost)} in all), and no entry erases them"
        return [closed, failed(VAULT_KEYS, f"{detail}: put the vault back from its backup")]
    return [closed, passed(VAULT_KEYS, f"{len(keys)} keys are needed, and there")]


def _keys_wanted(connection: Connection, ledger: Ledger) -> set[tuple[str, bytes]]:
    """Scope and id of each key that a private value needs which no entry erases."""
    erasures = erasures_of(connection, ledger.origin)
    return {
        (row.scope, row.key_id)
        for row in repository.private_fields(connection, ledger.origin)
        if erasures.erased_by(row.seq, row.field, row.scope) is None
    }


class PrivateAudit:
    """One walk over the private values, beside that over the entries, in the same order.

    start: the walk begins with this entry; of earlier ones only what was erased is looked at.
    """

    def __init__(self, ledger: Ledger, connection: Connection, start: int | None = None) -> None:
        self.ledger = ledger
        self.connection = connection
        self.findings: list[Check] = []
        self.start = start
        self.has_vault = ledger.vault.exists()
        self.erasures = erasures_of(connection, ledger.origin)
        self.erased_scopes = set(self.erasures.subjects)
        self.held = self.erased = self.unopened = 0
        self._rows = _from(repository.private_fields(connection, ledger.origin), start)
        self._next = next(self._rows, None)

    @property
    def next_seq(self) -> int | None:
        """Number of the entry that the next private value is kept for, None if none is left."""
        return None if self._next is None else self._next.seq

    def look(self, seq: int, body: Mapping[str, Any], commit: Mapping[str, str]) -> None:
        """Check the private values of entry `seq`, which are kept for it. Sequence numbers must rise.

        Entries that commit to nothing and have no value kept (see next_seq) may be left out.
        """
        rows = {row.field: row for row in self._rows_of(seq)}
        for name in rows.keys() - commit.keys():
            self._fail(VALUES, f"entry {seq} commits to no private field {name!r:.80}", seq)
        subject = subject_of(body, seq) if commit else ""
        for name, committed in commit.items():
            erased_by = self.erasures.erased_by(seq, name, subject)
            if erased_by is not None:
                self.erased_scopes.add(subject)
            row = rows.get(name)
            if row is None and erased_by is None:
                self._fail(ERASURES, f"entry {seq}: {name} is gone, and no entry says that it was erased", seq)
            elif row is None:
                self.erased += 1
            else:
                self._look_at(row, subject, committed, erased_by)

    def finish(self, unread: int = 0) -> list[Check]:
        """The failed checks, or for each kind without any one that passed or could not be made.

        unread: number of entries that could not be read, whose private values were not looked at.
        """
        for row in self._rows_of(None):
            self._orphan(row)
        if self.start is not None:
            self._erased_earlier(self.start)
        self._keys_left()
        checks = list(self.findings)
        named = {check.name for check in checks}
        counted = f"{self.held} private values match their commitments, {self.erased} are erased"
        where = f"there is no vault {self.ledger.vault.folder}"
        if unread:
            why = f"{unread} entries could not be read; of the others {counted}"
            checks.extend(not_checked(name, why) for name in (VALUES, ERASURES) if name not in named)
            return checks
        if VALUES not in named:
            if self.unopened:
                why = f"{counted}; {self.unopened} cannot be opened: {where}"
                checks.append(not_checked(VALUES, why, required=False))
            else:
                checks.append(passed(VALUES, counted))
        if ERASURES not in named:
            if self.erased_scopes and not self.has_vault:
                why = f"whether the keys of what was erased are destroyed cannot be seen: {where}"
                checks.append(not_checked(ERASURES, why, required=False))
            else:
                checks.append(passed(ERASURES, "what is gone was erased by an entry, and what was erased is gone"))
        return checks

    def _rows_of(self, seq: int | None) -> Iterator[SealedField]:
        """The kept values of entry `seq` (of all that are left if None); earlier ones belong to no entry."""
        while self._next is not None and (seq is None or self._next.seq <= seq):
            row, self._next = self._next, next(self._rows, None)
            if seq is None or row.seq == seq:
                yield row
            else:
                self._orphan(row)

    def _look_at(self, row: SealedField, subject: str, committed: str, erased_by: int | None) -> None:
        what = f"entry {row.seq}: the private value {row.field}"
        if row.scope != subject:
            self._fail(VALUES, f"{what} is kept under {row.scope!r:.80}, but belongs to {subject}", row.seq)
            return
        try:
            private = open_row(self.ledger.vault, self.ledger.origin, row)
        except LedgerError as error:
            self._fail(VALUES, f"{what} cannot be opened: {error}", row.seq)
            return
        if private is None:
            self._unopened(row, what, erased_by)
        elif not _matches(committed, private):
            self._fail(VALUES, f"{what} is not what it commits to", row.seq)
        elif erased_by is not None:
            self._fail(ERASURES, f"{what} was erased by entry {erased_by}, but is still there: {_RESUME}", row.seq)
        else:
            self.held += 1

    def _unopened(self, row: SealedField, what: str, erased_by: int | None) -> None:
        if erased_by is not None:
            self.erased += 1
        elif not self.has_vault:
            self.unopened += 1
        else:
            detail = f"{what} has no key in the vault, and no entry says that it was erased"
            self._fail(ERASURES, detail, row.seq)

    def _erased_earlier(self, start: int) -> None:
        """What the log's erasures took from entries before `start` is gone."""
        earlier = {seq for seq, _ in self.erasures.fields if seq < start}
        subjects = (self._subject_of(seq) for seq in sorted(earlier))
        self.erased_scopes.update(subject for subject in subjects if subject is not None)
        for scope in sorted(self.erased_scopes):
            for row in repository.private_fields(self.connection, self.ledger.origin, scope=scope):
                by = self.erasures.erased_by(row.seq, row.field, scope)
                if row.seq < start and by is not None and self._has_key(row):
                    detail = (
                        f"entry {row.seq}: the private value {row.field} was erased by entry {by}, but is still there"
                    )
                    self._fail(ERASURES, f"{detail}: {_RESUME}", row.seq)

    def _subject_of(self, seq: int) -> str | None:
        """The subject of entry `seq`; None if there is no such entry or it cannot be read, which others report."""
        try:
            entry = repository.entries_at(self.connection, self.ledger.origin, [seq])[seq]
            return subject_of(parse_envelope(entry.data).statement.body, seq)
        except LedgerError:
            return None

    def _has_key(self, row: SealedField) -> bool:
        return self.ledger.vault.has_key(self.ledger.origin, row.scope, row.key_id)

    def _keys_left(self) -> None:
        try:
            left = unused_keys(self.connection, self.ledger.vault, self.ledger.origin, self.erased_scopes)
        except LedgerError as error:
            self._fail(ERASURES, f"the vault cannot be read: {error}", None)
            return
        for scope, key_id in left:
            detail = f"values of {scope} were erased, but their key {key_id.hex()} is still in the vault: {_RESUME}"
            self._fail(ERASURES, detail, None)

    def _orphan(self, row: SealedField) -> None:
        detail = f"private value {row.field:.80} of entry {row.seq}, which is not there or cannot be read"
        self._fail(VALUES, detail, row.seq)

    def _fail(self, name: str, detail: str, seq: int | None) -> None:
        self.findings.append(failed(name, detail, seq))


def _from(rows: Iterator[SealedField], start: int | None) -> Iterator[SealedField]:
    return rows if start is None else (row for row in rows if row.seq >= start)


def _matches(committed: str, private: PrivateField) -> bool:
    try:
        return check_commitment(committed, private.salt, private.value)
    except InputError:
        return False
