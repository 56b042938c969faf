"""Private values between the vault, which has the keys, and the table, which has the ciphertext.

The key of a scope is the one that its rows are sealed with: a scope without rows gets a new one. So a key that no row
names is never used again, and one left over by an erasure that was interrupted can safely be destroyed. Keys are made
and chosen while the log's head is locked; two writers could else choose differently.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ledger.errors import StoreError, problem
from ledger.log.canonical import parse_canonical
from ledger.log.envelope import parse_envelope
from ledger.material.private import subject_of
from ledger.store import repository
from ledger.store.vault import DataKey, PrivateField, SealedField, Vault, seal, unseal


def insert_private(connection: Connection, vault: Vault | None, origin: str, fields: Sequence[PrivateField]) -> None:
    """Seal the values and insert their rows. Makes the keys that there are not; they are durable before it returns.

    The caller holds the log's head. Raises: StoreError if there is no vault or it cannot be written.
    """
    if not fields:
        return
    if vault is None:
        raise StoreError(
            problem("/vault_dir", "no vault", "a vault for the keys of private values", "Name its folder: vault_dir.")
        )
    keys = _keys_of(connection, vault, origin, {one.scope for one in fields})
    sealed = [seal(keys[one.scope], vault.new_nonce(), origin, one) for one in fields]
    repository.insert_private_fields(connection, origin, sealed)


def open_row(vault: Vault, origin: str, row: SealedField) -> PrivateField | None:
    """The value, None if its key is gone.

    Raises: VerificationError if the row or its key is not what was stored; StoreError if the vault cannot be read.
    """
    key = vault.find_key(origin, row.scope, row.key_id)
    return None if key is None else unseal(key, origin, row)


def read_private(
    connection: Connection, vault: Vault, origin: str, seqs: Iterable[int]
) -> dict[tuple[int, str], PrivateField]:
    """The private values of these entries by sequence number and field, without those that were erased.

    Raises: as `open_row`.
    """
    opened = (open_row(vault, origin, row) for row in repository.private_fields(connection, origin, list(seqs)))
    return {(one.seq, one.field): one for one in opened if one is not None}


def delete_private(
    connection: Connection, vault: Vault, origin: str, scope: str, erased: Iterable[tuple[int, str]]
) -> None:
    """Delete the values (sequence number, field) of a scope, and seal what remains of it under a new key.

    The old key is then named by no row; `destroy_unused_keys` destroys it once the transaction is committed. A row that
    cannot be opened stays as it is. The caller holds the log's head.
    Raises: VerificationError if a row that remains was changed; StoreError.
    """
    gone = set(erased)
    repository.delete_private_fields(connection, origin, gone)
    rows = list(repository.private_fields(connection, origin, scope=scope))
    opened = [one for one in (open_row(vault, origin, row) for row in rows) if one is not None]
    if not opened:
        return
    repository.delete_private_fields(connection, origin, ((one.seq, one.field) for one in opened))
    key = vault.make_keys(origin, [scope])[scope]
    resealed = [seal(key, vault.new_nonce(), origin, one) for one in opened]
    repository.insert_private_fields(connection, origin, resealed)


def unused_keys(connection: Connection, vault: Vault, origin: str, scopes: Iterable[str]) -> list[tuple[str, bytes]]:
    """Keys of these scopes that the vault holds and no row names: (scope, key id). Raises: StoreError."""
    wanted = sorted(set(scopes))
    used = repository.private_keys(connection, origin, wanted)
    return [
        (scope, key_id) for scope in wanted for key_id in sorted(vault.key_ids(origin, scope) - used.get(scope, set()))
    ]


def destroy_unused_keys(connection: Connection, vault: Vault, origin: str, scopes: Iterable[str]) -> int:
    """Destroy the keys of these scopes that no row names. Returns their number.

    The caller holds the log's head, so that nobody is about to use one. Raises: StoreError.
    """
    unused = unused_keys(connection, vault, origin, scopes)
    for scope, key_id in unused:
        vault.destroy(origin, scope, key_id)
    return len(unused)


class PlainSealer:
    """Seals what an older schema holds in clear, for `ledger.store.database.upgrade`. count: of values sealed so far.

    A value whose entry is not there is kept with the subject "entry/<seq>".
    """

    def __init__(self, vault: Vault) -> None:
        self.count = 0
        self._vault = vault
        self._keys: dict[tuple[str, str], DataKey] = {}

    def __call__(
        self, origin: str, seq: int, field: str, salt: bytes, value: str, entry: bytes | None
    ) -> tuple[str, bytes]:
        """Scope and sealed value. Raises: VerificationError if the entry cannot be read; StoreError."""
        body = {} if entry is None else parse_envelope(entry).statement.body
        scope = subject_of(body, seq)
        if (origin, scope) not in self._keys:
            self._keys[origin, scope] = self._vault.make_keys(origin, [scope])[scope]
        private = PrivateField(seq, field, scope, salt, parse_canonical(value.encode("utf-8")))
        self.count += 1
        return scope, seal(self._keys[origin, scope], self._vault.new_nonce(), origin, private).sealed


def scrub(engine: Engine, *, whole: bool = False) -> bool:
    """Have the database forget what was deleted: its journal emptied, its free space given back.

    What an erasure deletes is ciphertext; this keeps less of it. whole: write a SQLite file anew, for what stood in it
    in clear. Returns whether it could be done now: readers of an older state hold it up.
    Raises: StoreError if the database cannot do it.
    """
    try:
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM private_field")
            return True
        raw = engine.raw_connection()  # neither can be done inside a transaction
        try:
            if whole:
                raw.cursor().execute("VACUUM")
            (busy, _, _) = raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.close()
    except (sqlite3.Error, DBAPIError) as error:
        raise StoreError(
            problem("/database_url", error, "a database that can be cleaned up", "Check that it has room; try again.")
        ) from error
    return not busy


def _keys_of(connection: Connection, vault: Vault, origin: str, scopes: set[str]) -> dict[str, DataKey]:
    """The key of each scope: that of its rows, else a new one."""
    keys: dict[str, DataKey] = {}
    for scope, key_ids in repository.private_keys(connection, origin, scopes).items():
        for key_id in sorted(key_ids):
            key = vault.find_key(origin, scope, key_id)
            if key is not None:
                keys[scope] = key
                break
    return keys | vault.make_keys(origin, sorted(scopes - keys.keys()))
