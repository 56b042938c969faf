"""The append transaction: gives entries their place, links and leaf hashes, and moves the head with them.

Order of events: write lock, head row, last entry compared with the head; then the caller decides what to append; then
entries, tiles and head are written together; the commit makes them durable. Nothing may be acknowledged before the
commit has returned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from ledger.errors import BrokenLinkError, ConflictError, problem
from ledger.log.envelope import GENESIS_PREV, join_envelope, parse_envelope
from ledger.log.forms import format_time
from ledger.log.merkle import leaf_hash
from ledger.log.signed import CheckedStatement
from ledger.material.private import subject_of
from ledger.store import content_rows, repository, tile_rows
from ledger.store.database import write_transaction
from ledger.store.private_rows import insert_private, read_private
from ledger.store.repository import Head, StoredEntry
from ledger.store.vault import PrivateField, Vault


@contextmanager
def open_sequencer(
    engine: Engine,
    origin: str,
    created: datetime | None = None,
    vault: Vault | None = None,
    *,
    epoch: int | None = None,
    late_contents: Mapping[str, int] | None = None,
    session_name: str | None = None,
) -> Iterator[Sequencer]:
    """The only one that may append to the log while the block lasts. Commits at its end, rolls back on an error.

    created: make the log, at this time, if it is not there. vault: keeps the keys of private values.
    epoch: of the caller's office, if it holds one; see `take_office`. late_contents: see `Sequencer`.
    session_name: what PostgreSQL calls the session while it holds the head, so that a successor can end it; see
    `ledger.store.election`.
    Raises: StoreError if there is no such log or database; BrokenLinkError if head and last entry do not agree;
    ConflictError if another has taken office since.
    """
    with write_transaction(engine) as connection:
        if created is not None:
            repository.insert_log(connection, origin, format_time(created))
        head = repository.read_head(connection, origin, lock=True, session_name=session_name)
        if epoch is not None and head.epoch != epoch:
            raise ConflictError(
                problem(
                    "/epoch", epoch, f"{head.epoch}, the office's epoch now", "Another has taken office: stop here."
                )
            )
        last = repository.last_entry(connection, origin)
        _check_head(head, last)
        yield Sequencer(connection, head, last, vault, late_contents=late_contents)


def take_office(engine: Engine, origin: str) -> int:
    """Become the one who sequences this log; whoever was before gets ConflictError from now on. Returns the epoch.

    Raises: StoreError if there is no such log or database.
    """
    with write_transaction(engine) as connection:
        return repository.raise_epoch(connection, origin)


@dataclass(frozen=True)
class Mark:
    """A state of a sequencer to go back to. For its own use."""

    entry_count: int
    private_count: int
    last_recv: str


class Sequencer:
    """Entries to be appended, in order, inside one transaction.

    connection: the transaction's. vault: keeps the keys of private values; None where there are to be none.
    tree_size, last_leaf_hash (empty before the first): where the log ends, with the entries added so far.
    late_contents: for a caller who adds to the table `content` later, many at once: the first entries, by content hash,
    that are not in the table yet. None: the table is brought up to the log's end, and kept there.
    new_contents: after `write`: the first entries, by content hash, of the contents that were new.
    Nothing is written before `write`.
    """

    new_contents: Mapping[str, int]

    def __init__(
        self,
        connection: Connection,
        head: Head,
        last: StoredEntry | None,
        vault: Vault | None = None,
        *,
        late_contents: Mapping[str, int] | None = None,
    ) -> None:
        self.connection = connection
        self.origin = head.origin
        self.vault = vault
        self.new_contents = {}
        self._late_contents = late_contents
        self.tree_size = head.tree_size
        self.last_leaf_hash = head.last_leaf_hash
        self._written = head
        self._last_recv = "" if last is None else parse_envelope(last.data).recv
        self._entries: list[StoredEntry] = []
        self._private: list[PrivateField] = []
        # What is in the log or about to be, as far as it was asked for; None: it is not.
        self._by_client: dict[tuple[str, str], StoredEntry | None] = {}
        self._by_statement: dict[str, StoredEntry | None] = {}
        self._stored_contents: dict[str, int | None] = {}
        self._has_caught_up = False

    @property
    def head(self) -> Head:
        """Where the log ends, with the entries added so far."""
        if not self._entries:
            return self._written
        frontier = self._written.frontier.extend(entry.leaf_hash for entry in self._entries)
        content_size = frontier.tree_size if self._late_contents is None else self._written.content_size
        return Head(self.origin, self.last_leaf_hash, frontier, self._written.epoch, content_size)

    def recv(self, now: datetime) -> str:
        """The time of receipt of entries added at `now`: never before that of the last entry, whatever the clock."""
        return max(format_time(now), self._last_recv)

    def add(self, checked: CheckedStatement, recv: str, tenant: str = "") -> StoredEntry:
        """The statement's entry at the log's end. tenant: who sent it.

        That neither its key nor its statement is in the log yet is for the caller to see, with find_client and
        find_statement.
        Raises: InputError if the entry would be too long; the sequencer is then as before.
        """
        seq, key = self.tree_size, checked.key
        prev = self.last_leaf_hash.hex() if seq else GENESIS_PREV
        data = join_envelope(self.origin, seq, prev, recv, checked.signature, checked.statement_bytes)
        leaf = leaf_hash(data)
        entry = StoredEntry(seq, leaf, data, checked.type, checked.id, checked.content_sha256, tenant, key)
        self.tree_size, self.last_leaf_hash = seq + 1, leaf
        self._last_recv = recv
        self._entries.append(entry)
        if checked.private:
            subject = subject_of(checked.statement.body, seq)
            self._private.extend(
                PrivateField(seq, field, subject, salt, value) for field, (salt, value) in checked.private.items()
            )
        self._by_client[tenant, key] = self._by_statement[checked.id] = entry
        return entry

    def mark(self) -> Mark:
        """The present state, for `go_back`."""
        return Mark(len(self._entries), len(self._private), self._last_recv)

    def go_back(self, mark: Mark) -> None:
        """Forget what was added since `mark`, which is of this sequencer and after its last `write`."""
        for entry in self._entries[mark.entry_count :]:
            self._by_client[entry.tenant, entry.client_id] = self._by_statement[entry.statement_id] = None
        del self._entries[mark.entry_count :]
        del self._private[mark.private_count :]
        self._last_recv = mark.last_recv
        self.tree_size = self._written.tree_size + mark.entry_count
        self.last_leaf_hash = self._entries[-1].leaf_hash if self._entries else self._written.last_leaf_hash

    # What is in the log already, or about to be

    def look_up(
        self,
        keys: Mapping[str, Collection[str]],
        statement_ids: Collection[str],
    ) -> None:
        """Read at once what find_client and find_statement will be asked. keys: senders' ids by tenant."""
        wanted = {(tenant, one) for tenant, client_ids in keys.items() for one in client_ids} - self._by_client.keys()
        unknown = set(statement_ids) - self._by_statement.keys()
        clients, statements = repository.known_entries(self.connection, self.origin, wanted, unknown)
        self._by_client.update((key, clients.get(key)) for key in wanted)
        self._by_statement.update((one, statements.get(one)) for one in unknown)

    def find_client(self, tenant: str, client_id: str) -> StoredEntry | None:
        """The entry that this tenant sent under this id of theirs."""
        if (tenant, client_id) not in self._by_client:
            self.look_up({tenant: [client_id]}, ())
        return self._by_client[tenant, client_id]

    def find_statement(self, statement_id: str) -> StoredEntry | None:
        """The entry whose statement has this id."""
        if statement_id not in self._by_statement:
            self.look_up({}, [statement_id])
        return self._by_statement[statement_id]

    def said_before(self) -> dict[int, int]:
        """Of the entries added since the last `write`: those whose content an earlier one has, with the first such."""
        self._read_contents({entry.content_sha256 for entry in self._entries})
        late = self._late_contents or {}
        first_of: dict[str, int] = {}
        repeated = {}
        for entry in self._entries:
            content = entry.content_sha256
            first = self._stored_contents[content]
            if first is None:
                first = late.get(content)
            if first is None:
                first = first_of.setdefault(content, entry.seq)
            if first != entry.seq:
                repeated[entry.seq] = first
        return repeated

    def private_fields_of(self, seq: int) -> list[PrivateField]:
        """The private values of an entry, in the log or about to be; without those that were erased.

        Raises: VerificationError if one is not what was stored; StoreError if the vault cannot be read.
        """
        added = [field for field in self._private if field.seq == seq]
        if added or self.vault is None:
            return added
        return list(read_private(self.connection, self.vault, self.origin, [seq]).values())

    # Writing

    def write(self) -> None:
        """Insert what was added, with its tiles, and move the head.

        Raises: ConflictError if the head has moved meanwhile or another has taken office.
        """
        if self._entries:
            head = self.head
            repeated = self.said_before()
            self.new_contents = {one.content_sha256: one.seq for one in self._entries if one.seq not in repeated}
            repository.insert_entries(self.connection, self.origin, self._entries)
            insert_private(self.connection, self.vault, self.origin, self._private)
            leaves = [entry.leaf_hash for entry in self._entries]
            tile_rows.grow(self.connection, self.origin, self._written.tree_size, leaves)
            if self._late_contents is None:
                content_rows.insert_contents(self.connection, self.origin, self.new_contents)
            self._stored_contents.update(self.new_contents)
            repository.update_head(self.connection, self._written, head)
            self._written = head
        self._entries, self._private = [], []

    def _read_contents(self, contents: Collection[str]) -> None:
        """Find the first entries with these contents, in a table that goes as far as it must."""
        if self._late_contents is None and not self._has_caught_up:
            content_rows.catch_up(self.connection, self.origin, self._written.content_size, self._written.tree_size)
            self._has_caught_up = True
        unknown = {one for one in contents if one not in self._stored_contents}
        firsts = content_rows.first_seqs(self.connection, self.origin, unknown)
        self._stored_contents.update((one, firsts.get(one)) for one in unknown)


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
