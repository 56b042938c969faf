"""The walk of `log verify` over the entries: runs of rows are checked by themselves, here they are joined.

A run that is sound and joins the one before it is taken in one step. Any other is gone through entry by entry, which
names what is wrong, where. Nothing is kept for each entry, so that the memory needed does not grow with the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from ledger.errors import InputError, LedgerError, MalformedProofError
from ledger.log.chain import ChainAudit
from ledger.log.envelope import Envelope, parse_envelope
from ledger.log.merkle import leaf_hash
from ledger.log.tiles import TILE_WIDTH
from ledger.material.fields import Body
from ledger.material.keys import NO_KEYS, SIGNER_TYPES, Keys
from ledger.report import Check
from ledger.service.audit_chunk import CLIENT_ID, Chunk, KeyRecord, check_chunk
from ledger.service.audit_findings import BODY, COLUMNS, KEYS, LEAF_HASHES, ROWS, SENDERS, Extent, Findings
from ledger.service.audit_tree import TreeAudit
from ledger.service.entry_types import parse_entry_body
from ledger.service.parallel import map_in_order
from ledger.service.private_audit import PrivateAudit
from ledger.store import audit_rows
from ledger.store.audit_rows import Columns
from ledger.store.repository import content_sha256

LOWEST_SEQ = -(2**63)
"""Below every number that a row can have: a row with a negative number is a finding, too."""

Progress = Callable[[int, int], None]
"""Called with the number of entries done and the number that the head row states."""

_KEY_ENDINGS = tuple(b'"type":"%b","v":1},"v":1}' % name.encode("ascii") for name in SIGNER_TYPES)
"""How the entries about keys, and erasures, end in canonical form: the columns beside the bytes may say anything."""

_AFTER_TYPE = len(b'","v":1},"v":1}')
_TAIL = _AFTER_TYPE + 4
_KEY_TAILS = frozenset(ending[-_TAIL:-_AFTER_TYPE] for ending in _KEY_ENDINGS)
"""The last letters of those types, to tell sooner that none of many entries is of them."""

_KID = b'","kid":"'
_KID_CHARS = 16


class Walk:
    """One walk over the entries.

    origin: of the log. extent: how far to look. tree: takes the leaves. private: takes the entries, if it is given.
    keys, key_entries: what the entries so far say of keys, and those entries (number, time of receipt, body).
    start: number of the first entry.
    """

    def __init__(
        self, connection: Connection, origin: str, extent: Extent, findings: Findings, tree: TreeAudit
    ) -> None:
        self.origin = origin
        self.extent = extent
        self.tree = tree
        self.private: PrivateAudit | None = None
        self.keys: Keys = NO_KEYS
        self.key_entries: list[tuple[int, str, Body]] = []
        self.start = 0
        self.chain = ChainAudit(origin, findings.add)
        self._connection = connection
        self._findings = findings
        self._next_row = 0

    def begin_after(self, seq: int, head: str, last_recv: str, keys: Iterable[tuple[int, str, Body]]) -> None:
        """Begin with entry `seq` instead of 0. head, last_recv: as for ChainAudit. keys: about keys, before."""
        self.start = self._next_row = seq
        self.chain = ChainAudit(self.origin, self._findings.add, seq, head, last_recv)
        for key_seq, recv, body in keys:
            self._add_keys(key_seq, recv, body)

    def run(self, jobs: int, stated_size: int, progress: Progress | None) -> None:
        """Check all entries. jobs: processes to do it with. stated_size: what the head row says, for progress."""
        for chunk, sound in map_in_order(check_chunk, self._chunks(), jobs):
            self._check_numbers(chunk)
            if sound is not None and self.chain.extend(sound.links):
                self.tree.extend(sound.links.leaves, sound.root)
                self._private_of_sound(chunk, sound.committed)
            else:
                self._go_through(chunk)
            if progress is not None:
                progress(self.tree.tree_size, max(stated_size, self.tree.tree_size))

    # Rows into runs

    def _chunks(self) -> Iterator[Chunk]:
        start = LOWEST_SEQ if self.start == 0 else self.start
        batches = audit_rows.entry_batches(self._connection, self.origin, start, whole=self.extent is not Extent.LINKS)
        for rows in _runs(batches, self.start):
            columns = tuple(zip(*rows, strict=True))
            keys: dict[str, KeyRecord] = {}
            if rows[0][2].endswith(_KEY_ENDINGS):
                # Who may sign it depends on what it says: without keys the run is not found sound, and gone through.
                self._note_keys(rows[0])
            elif self.extent is not Extent.LINKS:
                keys = self._records(columns[2])
            yield Chunk(self.origin, columns, keys, self.extent)

    def _records(self, entries: Sequence[bytes]) -> dict[str, KeyRecord]:
        """The keys that the statements in these entries name, as far as they are registered."""
        records = {}
        for kid in {_kid_of(data) for data in entries}:
            key = self.keys.actors.get(kid)
            if key is not None:
                raw = key.public_key.public_bytes_raw()
                records[kid] = KeyRecord(kid, key.actor, raw, key.from_seq, key.until_seq)
        return records

    def _note_keys(self, row: Columns) -> None:
        """Take up what an entry about keys says. One out of form is found and named by the check of its entry."""
        try:
            envelope = parse_envelope(row[2])
        except MalformedProofError:
            return
        try:
            body = parse_entry_body(envelope.statement.type, envelope.statement.body)
        except InputError as error:  # at every extent: what it was meant to change, and who may, nobody can tell
            self._findings.fail(KEYS, f"entry {row[0]}: {error}", row[0])
            return
        self._add_keys(row[0], envelope.recv, body)

    def _add_keys(self, seq: int, recv: str, body: Body) -> None:
        try:
            self.keys = self.keys.with_entry(seq, body)
            self.key_entries.append((seq, recv, body))
        except LedgerError as error:
            self._findings.fail(KEYS, f"entry {seq}: {error}", seq)

    # What a run is compared with

    def _check_numbers(self, chunk: Chunk) -> None:
        """The numbers of the rows follow on those before. Within a run they rise by one."""
        seq = chunk.seqs[0]
        if seq > self._next_row:
            last = seq - 1
            which = f"entry {last}" if last == self._next_row else f"entries {self._next_row} to {last}"
            self._findings.fail(ROWS, f"{which}: no such row; deleted or renumbered", self._next_row)
        elif seq < self._next_row:
            self._findings.fail(ROWS, f"a row is numbered {seq}", seq)
        self._next_row = chunk.seqs[-1] + 1

    def _private_of_sound(self, chunk: Chunk, committed: tuple[int, ...]) -> None:
        if self.private is None:
            return
        kept_for = self.private.next_seq
        if not committed and (kept_for is None or kept_for > chunk.seqs[-1]):
            return
        wanted = set(committed)
        for seq, data in zip(chunk.seqs, chunk.entries, strict=True):
            kept_for = self.private.next_seq
            if seq in wanted or (kept_for is not None and kept_for <= seq):
                statement = parse_envelope(data).statement
                self.private.look(seq, statement.body, statement.commit)

    # Entry by entry

    def _go_through(self, chunk: Chunk) -> None:
        """The same checks, one entry after the other, each finding by its name."""
        leaves = []
        for row in chunk.rows():
            seq, stored, data = row[:3]
            leaf = leaf_hash(data)
            leaves.append(leaf)
            if stored != leaf:
                detail = f"leaf hash {stored.hex()} is stored, the bytes give {leaf.hex()}"
                self._findings.fail(LEAF_HASHES, f"entry {seq}: {detail}", seq)
            if self.extent is Extent.LINKS:
                self.chain.add(data)
                continue
            envelope = self.chain.add(data, partial(self._key_of, seq))
            self._check_sender(row)
            if envelope is not None:
                self._check_columns(row, envelope)
                self._check_body(seq, envelope)
                if self.private is not None:
                    self.private.look(seq, envelope.statement.body, envelope.statement.commit)
        self.tree.extend(leaves)

    def _key_of(self, seq: int, envelope: Envelope) -> Ed25519PublicKey:
        """The key that may have signed the entry. Raises: RuleError that says why there is none."""
        statement = envelope.statement
        body = None
        if statement.type in SIGNER_TYPES:
            try:
                body = parse_entry_body(statement.type, statement.body)
            except InputError:
                body = None
        return self.keys.signing_key(seq, statement.kid, statement.actor, body).public_key

    def _check_sender(self, row: Sequence[Any]) -> None:
        seq, client_id = row[0], row[6]
        if not CLIENT_ID.fullmatch(client_id):
            detail = f"entry {seq}: the sender's id is {client_id!r:.80}, not 1 to 128 visible characters"
            self._findings.fail(SENDERS, detail, seq)

    def _check_columns(self, row: Sequence[Any], envelope: Envelope) -> None:
        seq, statement = row[0], envelope.statement
        if envelope.seq != seq:
            self._findings.fail(COLUMNS, f"row {seq} holds the bytes of entry {envelope.seq}", seq)
        for column, stored, stated in (
            ("entry_type", row[3], statement.type),
            ("statement_id", row[4], statement.id),
            ("content_sha256", row[5], content_sha256(statement)),
        ):
            if stored != stated:
                detail = f"entry {seq}: {column} is {stored!r:.80}, its bytes say {stated}"
                self._findings.fail(COLUMNS, detail, seq)

    def _check_body(self, seq: int, envelope: Envelope) -> None:
        if self.extent is not Extent.ALL:
            return
        try:
            parse_entry_body(envelope.statement.type, envelope.statement.body)
        except InputError as error:
            self._findings.fail(BODY, f"entry {seq}: {error}", seq)

    def summary(self, unasked: dict[str, Check]) -> list[Check]:
        """One check for each kind about the chain that did not fail."""
        last = self.start + self.chain.count - 1
        which = f"entries {self.start} to {last}" if last > self.start else f"entry {self.start}"
        return self.chain.summary(unasked, which)


def _runs(batches: Iterable[Sequence[Columns]], position: int) -> Iterator[Sequence[Columns]]:
    """The rows in runs for one Chunk each. position: leaves in the tree before the first row."""
    buffer: list[Columns] = []
    for batch in batches:
        buffer.extend(batch)
        begin = 0
        while len(buffer) - begin >= (room := TILE_WIDTH - position % TILE_WIDTH):
            run = _joined(buffer[begin : begin + room])
            yield run
            begin += len(run)
            position += len(run)
        del buffer[:begin]
    while buffer:
        run = _joined(buffer[: TILE_WIDTH - position % TILE_WIDTH])
        yield run
        del buffer[: len(run)]
        position += len(run)


def _joined(rows: Sequence[Columns]) -> Sequence[Columns]:
    """The rows from the first on that are numbered without gap; an entry about keys by itself."""
    end = len(rows)
    if not _KEY_TAILS.isdisjoint([row[2][-_TAIL:-_AFTER_TYPE] for row in rows]):
        keys = [place for place, row in enumerate(rows) if row[2].endswith(_KEY_ENDINGS)]
        end = max(keys[0], 1) if keys else end
    if rows[end - 1][0] - rows[0][0] != end - 1:
        end = next(place for place in range(1, end) if rows[place][0] != rows[place - 1][0] + 1)
    return rows[:end]


def _kid_of(data: bytes) -> str:
    """The key id in an entry in canonical form, which the actor's own text cannot imitate: no bare quote is in it."""
    begin = data.rfind(_KID) + len(_KID)
    return data[begin : begin + _KID_CHARS].decode("ascii", "replace")
