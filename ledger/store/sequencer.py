"""The append transaction: gives entries their place, links and leaf hashes, and moves the head with them.

Order of events: write lock, head row, last entry compared with the head; then the caller decides what to append; then
entries and head are written together; the commit makes them durable. Nothing may be acknowledged before the commit has
returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, Engine

from ledger.errors import BrokenLinkError, problem
from ledger.log.canonical import Json
from ledger.log.envelope import GENESIS_PREV, Envelope, envelope_bytes, parse_envelope
from ledger.log.forms import format_time
from ledger.log.merkle import leaf_hash
from ledger.log.statement import Statement
from ledger.material.private import subject_of
from ledger.store import repository
from ledger.store.database import write_transaction
from ledger.store.private_rows import insert_private, read_private
from ledger.store.repository import Head, StoredEntry, content_sha256
from ledger.store.vault import PrivateField, Vault


@contextmanager
def open_sequencer(
    engine: Engine, origin: str, created: datetime | None = None, vault: Vault | None = None
) -> Iterator[Sequencer]:
    """The only one that may append to the log while the block lasts. Commits at its end, rolls back on an error.

    created: make the log, at this time, if it is not there. vault: keeps the keys of private values.
    Raises: StoreError if there is no such log or database; BrokenLinkError if head and last entry do not agree.
    """
    with write_transaction(engine) as connection:
        if created is not None:
            repository.insert_log(connection, origin, format_time(created))
        head = repository.read_head(connection, origin, lock=True)
        last = repository.last_entry(connection, origin)
        _check_head(head, last)
        yield Sequencer(connection, head, last, vault)


class Sequencer:
    """Entries to be appended, in order, inside one transaction.

    connection: the transaction's. head: where the log ends, with the entries added so far.
    vault: keeps the keys of private values; None where there are to be none. Nothing is written before `write`.
    """

    def __init__(
        self, connection: Connection, head: Head, last: StoredEntry | None, vault: Vault | None = None
    ) -> None:
        self.connection = connection
        self.head = head
        self.vault = vault
        self._written = head
        self._last_recv = "" if last is None else parse_envelope(last.data).recv
        self._entries: list[StoredEntry] = []
        self._private: list[PrivateField] = []

    def recv(self, now: datetime) -> str:
        """The time of receipt of entries added at `now`: never before that of the last entry, whatever the clock."""
        return max(format_time(now), self._last_recv)

    def add(
        self, statement: Statement, signature: bytes, recv: str, private: Mapping[str, tuple[bytes, Json]]
    ) -> StoredEntry:
        """The statement's entry at the log's end. private: salt and value of each field that the statement commits to.

        Raises: InputError if the entry would be too long; the sequencer is then as before.
        """
        seq = self.head.tree_size
        prev = self.head.last_leaf_hash.hex() if seq else GENESIS_PREV
        data = envelope_bytes(Envelope(self.head.origin, seq, prev, recv, statement, signature))
        leaf = leaf_hash(data)
        entry = StoredEntry(seq, leaf, data, statement.type, statement.id, content_sha256(statement), "", statement.id)
        self.head = Head(self.head.origin, leaf, self.head.frontier.append(leaf))
        self._last_recv = recv
        self._entries.append(entry)
        self._private.extend(
            PrivateField(seq, field, subject_of(statement.body, seq), salt, value)
            for field, (salt, value) in private.items()
        )
        return entry

    def private_fields_of(self, seq: int) -> list[PrivateField]:
        """The private values of an entry, in the log or about to be; without those that were erased.

        Raises: VerificationError if one is not what was stored; StoreError if the vault cannot be read.
        """
        added = [field for field in self._private if field.seq == seq]
        if added or self.vault is None:
            return added
        return list(read_private(self.connection, self.vault, self.head.origin, [seq]).values())

    def write(self) -> None:
        """Insert what was added and move the head. Raises: ConflictError if the head has moved meanwhile."""
        repository.insert_entries(self.connection, self.head.origin, self._entries)
        insert_private(self.connection, self.vault, self.head.origin, self._private)
        if self._entries:
            repository.update_head(self.connection, self._written, self.head)
        self._written = self.head
        self._entries, self._private = [], []


def _check_head(head: Head, last: StoredEntry | None) -> None:
    """Raises: BrokenLinkError unless the head row is where the entries end. The whole log is for `log verify`."""
    if last is None:
        agrees = head.tree_size == 0 and head.last_leaf_hash == b""
        found = "no entry"
    else:
        leaf = leaf_hash(last.data)
        agrees = last.seq == head.tree_size - 1 and leaf == last.leaf_hash == head.last_leaf_hash
        if agrees and head.tree_size % 2 == 1:
            agrees = head.frontier.peaks[-1] == leaf  # an odd tree's last peak is its last leaf
        found = f"last entry {last.seq} with leaf hash {leaf.hex()[:16]}..."
    if not agrees:
        stated = f"tree size {head.tree_size}, last leaf hash {head.last_leaf_hash.hex()[:16] or 'none'}..."
        raise BrokenLinkError(
            problem(
                "/head",
                found,
                f"what the head row states: {stated}",
                "Nothing was written. Run `magnet-ledger log verify` to see which entry was changed, removed or added.",
            )
        )
