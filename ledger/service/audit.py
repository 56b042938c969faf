"""`log verify`: everything that can be checked of a log, each finding with its sequence number.

What catches what: the leaf hash an edited entry; `prev` one that was moved, inserted or removed from the middle; the
head row a simple cut of the tail; a checkpoint, kept here or pinned elsewhere, a cut or rewrite that mended the head
row too. A rewrite by somebody who holds the log's key and can reach the pin is not seen here: for that there are
witnesses.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection

from ledger.errors import InputError, LedgerError, StoreError, VerificationError
from ledger.log.chain import ChainReport, check_chain
from ledger.log.checkpoint import Checkpoint, VerifierKey, parse_vkey, verify_checkpoint
from ledger.log.envelope import Envelope
from ledger.log.merkle import EMPTY_ROOT, Frontier, leaf_hash
from ledger.material.batch import fold_plant
from ledger.material.entries import ActorKey
from ledger.material.fields import Body
from ledger.report import Check, Outcome, failed, not_checked, passed
from ledger.service.context import Ledger
from ledger.service.entry_types import parse_entry_body
from ledger.service.private_audit import PrivateAudit
from ledger.store import projection, repository
from ledger.store.database import file_damage, read_transaction
from ledger.store.pin import read_pin
from ledger.store.repository import StoredEntry, content_sha256

DATABASE = "database"
ROWS = "entry-rows"
LEAF_HASHES = "stored-leaf-hashes"
COLUMNS = "entry-columns"
BODY = "entry-body"
HEAD = "head-row"
CHECKPOINTS = "stored-checkpoints"
PIN = "pinned-checkpoint"
RULES = "plant-rules"
DERIVED = "derived-tables"

LOWEST_SEQ = -(2**63)
"""Below every number that a row can have: a row with a negative number is a finding, too."""


def verify_log(ledger: Ledger, vkey: str | VerifierKey, progress: Callable[[int], None] | None = None) -> list[Check]:
    """Check the whole log: bytes, places, links, signatures, rows, head, checkpoints, pin, derived tables.

    vkey: the log's verifier key, from elsewhere than the database. progress: called with the number of entries done.
    Returns one failed check for each thing that broke, naming the entry, and one check for each kind that held or could
    not be made. Damage is a finding, never an error.
    Raises: InputError if vkey is not of its form.
    """
    key = parse_vkey(vkey) if isinstance(vkey, str) else vkey
    try:
        with read_transaction(ledger.engine) as connection:
            return _Audit(ledger, connection, key).run(progress)
    except StoreError as error:
        return [failed(DATABASE, f"the database cannot be read: {error}")]


class _Audit:
    """One walk over a log. Findings gather by kind of check, so that only a kind without any is called passed."""

    def __init__(self, ledger: Ledger, connection: Connection, vkey: VerifierKey) -> None:
        self.ledger = ledger
        self.origin = ledger.origin
        self.connection = connection
        self.vkey = vkey
        self.findings: list[Check] = []
        self.keys: dict[str, tuple[str, Ed25519PublicKey]] = {}  # actor and key by key id, as registered so far
        self.bodies: list[tuple[int, str, Body]] = []
        self.row: StoredEntry | None = None  # the one that the chain's check has in hand
        self.row_was_read = False
        self.unread = 0
        self.frontier = Frontier()
        self.notes: dict[int, str] = {}
        self.roots: dict[int, bytes] = {0: EMPTY_ROOT}  # by tree size, where a checkpoint states one

    def run(self, progress: Callable[[int], None] | None) -> list[Check]:
        """All checks, the failed ones of a kind in log order."""
        damage = file_damage(self.connection)
        self.findings.extend(failed(DATABASE, text) for text in damage or [])
        self.notes = dict(repository.checkpoints(self.connection, self.origin))
        pinned = self._pinned()
        self.sizes = {*self.notes, pinned.tree_size} if isinstance(pinned, Checkpoint) else set(self.notes)
        self.private = PrivateAudit(self.ledger, self.connection)
        chain = check_chain(self._rows(), self.origin, self._public_key_of, progress)
        private = self.private.finish(self.unread)
        self._head(chain)
        self._stored_checkpoints()
        self._pin(pinned)
        self._derived(chain)
        count = self.frontier.tree_size
        unread = f"{self.unread} of {count} entries could not be read; of the others "
        file_words = "SQLite finds its file sound"
        checks = [*chain.checks, *self.findings, *private]
        if damage is None:
            checks.append(not_checked(DATABASE, "PostgreSQL looks after its own files", required=False))
            file_words = ""
        held = {
            DATABASE: file_words,
            ROWS: f"there is a row for each of the {count} entries",
            LEAF_HASHES: "every stored leaf hash is that of the entry's bytes",
            COLUMNS: "type, statement id and content hash of every row are those of its bytes",
            BODY: "every body is one of its type",
            HEAD: f"the head row states these {count} entries, the last one's hash and the tree",
        }
        named = {check.name for check in checks}
        for name, words in held.items():
            if name not in named:
                unsure = self.unread and name in (COLUMNS, BODY)
                checks.append(not_checked(name, unread + words) if unsure else passed(name, words))
        return checks

    # The walk over the entries

    def _rows(self) -> Iterator[bytes]:
        """The bytes of all rows in order; each is compared with its row on the way."""
        expected = 0
        for row in repository.entries_from(self.connection, self.origin, LOWEST_SEQ):
            if row.seq > expected:
                which = f"entry {expected}" if row.seq == expected + 1 else f"entries {expected} to {row.seq - 1}"
                self._fail(ROWS, f"{which}: no such row; deleted or renumbered", expected)
            elif row.seq < expected:
                self._fail(ROWS, f"a row is numbered {row.seq}", row.seq)
            expected = row.seq + 1
            leaf = leaf_hash(row.data)
            if row.leaf_hash != leaf:
                detail = f"leaf hash {row.leaf_hash.hex()} is stored, the bytes give {leaf.hex()}"
                self._fail(LEAF_HASHES, f"entry {row.seq}: {detail}", row.seq)
            self.frontier = self.frontier.append(leaf)
            if self.frontier.tree_size in self.sizes:
                self.roots[self.frontier.tree_size] = self.frontier.root()
            self.row, self.row_was_read = row, False
            yield row.data
            self.unread += not self.row_was_read

    def _public_key_of(self, envelope: Envelope) -> Ed25519PublicKey | None:
        """The key that may sign the entry: one that an earlier entry registers for its actor.

        The log's first entry brings its own. Called once for each entry that can be read, before the next row is taken,
        so the row is looked at here as well.
        """
        row, statement = self.row, envelope.statement
        assert row is not None
        self.row_was_read = True
        self._columns(row, envelope)
        self.private.look(row.seq, statement.body, statement.commit)
        try:
            body = parse_entry_body(statement.type, statement.body)
        except InputError as error:
            self._fail(BODY, f"entry {row.seq}: {error}", row.seq)
            return self._key(statement.kid, statement.actor)
        self.bodies.append((row.seq, statement.type, body))
        if isinstance(body, ActorKey) and not self.keys:
            self._register(body)
        key = self._key(statement.kid, statement.actor)
        if isinstance(body, ActorKey):
            self._register(body)
        return key

    def _register(self, body: ActorKey) -> None:
        public_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(body.public_key))
        self.keys.setdefault(body.kid, (body.actor, public_key))

    def _key(self, kid: str, actor: str) -> Ed25519PublicKey | None:
        owner, key = self.keys.get(kid, (None, None))
        return key if owner == actor else None

    def _columns(self, row: StoredEntry, envelope: Envelope) -> None:
        statement = envelope.statement
        if envelope.seq != row.seq:
            self._fail(COLUMNS, f"row {row.seq} holds the bytes of entry {envelope.seq}", row.seq)
        for column, stored, stated in (
            ("entry_type", row.entry_type, statement.type),
            ("statement_id", row.statement_id, statement.id),
            ("content_sha256", row.content_sha256, content_sha256(statement)),
        ):
            if stored != stated:
                self._fail(COLUMNS, f"entry {row.seq}: {column} is {stored!r:.80}, its bytes say {stated}", row.seq)

    # What the entries are compared with

    def _head(self, chain: ChainReport) -> None:
        head = repository.read_stored_head(self.connection, self.origin)
        count = chain.frontier.tree_size
        if head is None:
            self._fail(HEAD, f"there is no head row for log {self.origin}", None)
            return
        if head.tree_size > count:
            which = (
                f"entry {count} is" if head.tree_size == count + 1 else f"entries {count} to {head.tree_size - 1} are"
            )
            self._fail(HEAD, f"the head row states {head.tree_size} entries, there are {count}: {which} missing", count)
        elif head.tree_size < count:
            detail = f"the head row states {head.tree_size} entries, there are {count}"
            self._fail(HEAD, detail, max(head.tree_size, 0))
        last = count - 1 if count else None
        if head.last_leaf_hash.hex() != (chain.head if count else ""):
            detail = f"the head row's last leaf hash is {head.last_leaf_hash.hex()}, the last entry gives {chain.head}"
            self._fail(HEAD, detail, last)
        if head.frontier != b"".join(chain.frontier.peaks):
            self._fail(HEAD, f"the head row's tree is not that of the {count} entries", last)

    def _stored_checkpoints(self) -> None:
        """Each kept checkpoint: signed by the log, and true of the entries."""
        before = len(self.findings)
        agreed = 0
        for tree_size, note in sorted(self.notes.items()):
            try:
                checkpoint = verify_checkpoint(note, self.vkey)
            except VerificationError as error:
                self._fail(CHECKPOINTS, f"the checkpoint kept for size {tree_size}: {error}", None)
                continue
            if checkpoint.tree_size != tree_size:
                detail = f"the checkpoint kept for size {tree_size} is of size {checkpoint.tree_size}"
                self._fail(CHECKPOINTS, detail, None)
            elif self._compare(CHECKPOINTS, f"the checkpoint of size {tree_size}", checkpoint, agreed):
                agreed = tree_size
        if len(self.findings) == before:
            if self.notes:
                words = f"{len(self.notes)} checkpoints, the newest of size {max(self.notes)}, agree with the entries"
                self.findings.append(passed(CHECKPOINTS, words))
            else:
                self.findings.append(not_checked(CHECKPOINTS, "no checkpoint was signed yet", required=False))
        self.agreed = agreed

    def _pinned(self) -> Checkpoint | LedgerError | None:
        """The pinned checkpoint, None without a pin, or why it cannot be used."""
        try:
            note = read_pin(self.ledger.pin_path)
            return None if note is None else verify_checkpoint(note, self.vkey)
        except (StoreError, VerificationError) as error:
            return error

    def _pin(self, pinned: Checkpoint | LedgerError | None) -> None:
        path = self.ledger.pin_path
        if isinstance(pinned, LedgerError):
            self._fail(PIN, f"the pin {path} cannot be used: {pinned}", None)
        elif pinned is None:
            why = f"there is no pin {path}: a tail cut off together with its checkpoints would not be seen"
            # A log with checkpoints had a pin; without one the answer cannot be "holds".
            self.findings.append(not_checked(PIN, why, required=bool(self.notes)))
        elif self._compare(PIN, "the pinned checkpoint", pinned, min(self.agreed, pinned.tree_size)):
            words = f"the log begins with the {pinned.tree_size} entries of the checkpoint pinned in {path}"
            self.findings.append(passed(PIN, words))

    def _compare(self, name: str, what: str, checkpoint: Checkpoint, agreed: int) -> bool:
        """Whether the entries bear the checkpoint out. agreed: size up to which an earlier one has confirmed them."""
        count, size = self.frontier.tree_size, checkpoint.tree_size
        if size > count:
            which = f"entry {count} is" if size == count + 1 else f"entries {count} to {size - 1} are"
            self._fail(name, f"{what} has {size} entries, the log {count}: {which} missing", count)
            return False
        found = self.roots[size]
        if found != checkpoint.root:
            where = f"an entry from {agreed} to {size - 1}" if size > agreed else f"an entry before {size}"
            detail = f"{what} of size {size} has root {checkpoint.root.hex()}, the entries give {found.hex()}"
            self._fail(name, f"{detail}: {where} was changed after signing", min(agreed, size - 1))
            return False
        return True

    def _derived(self, chain: ChainReport) -> None:
        """The rules of the plant, and the derived tables against what the entries fold to; for entries that hold."""
        if self.unread or any(check.outcome is Outcome.FAILED for check in (*chain.checks, *self.findings)):
            why = "what is above does not hold"
            self.findings.extend([not_checked(RULES, why), not_checked(DERIVED, why)])
            return
        try:
            plant = fold_plant(self.bodies, self.ledger.masses)
        except LedgerError as error:
            where = re.match(r"/entries/(\d+)", error.problems[0].field)
            self._fail(RULES, str(error), int(where[1]) if where else None)
            self.findings.append(not_checked(DERIVED, "the entries they derive from break a rule"))
            return
        self.findings.append(passed(RULES, "every entry keeps the rules of the plant"))
        different = projection.differences(self.connection, self.origin, plant)
        for seq, text in different:
            self._fail(DERIVED, f"{text}; `magnet-ledger db rebuild` makes them anew", seq)
        if not different:
            self.findings.append(passed(DERIVED, f"{len(plant.batches)} batches are listed as the entries give them"))

    def _fail(self, name: str, detail: str, seq: int | None) -> None:
        self.findings.append(failed(name, detail, seq))
