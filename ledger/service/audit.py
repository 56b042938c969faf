"""`log verify`: everything that can be checked of a log, each finding with its sequence number.

What catches what: the leaf hash an edited entry; `prev` one that was moved, inserted or removed from the middle; the
head row a simple cut of the tail; a checkpoint, kept here or pinned elsewhere, a cut or rewrite that mended the head
row too. A rewrite by somebody who holds the log's key and can reach the pin is seen by witnesses' cosignatures and time
stamps, if there are any. Who sent an entry under which id of theirs is signed by nobody: only that the ids are of their
form, and none is there twice, can be checked.

Cost: hashes, links and tree at about the speed of reading and hashing the entries; then the signatures, on all cores;
the memory for both does not grow with the log. The rules of the plant are a stage of their own, which holds every
body; whoever leaves it out is told so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine

from ledger.errors import InputError, LedgerError, MalformedProofError, StoreError, VerificationError, problem
from ledger.log.chain import FORM, SIGNATURE
from ledger.log.checkpoint import Checkpoint, VerifierKey, parse_checkpoint
from ledger.log.cosignature import cosignatures_of
from ledger.log.envelope import GENESIS_PREV
from ledger.log.forms import format_time
from ledger.log.keyring import Keyring, Signed, as_keyring
from ledger.log.timestamp import verify_timestamp
from ledger.material.batch import fold_plant
from ledger.material.keys import followed
from ledger.report import Check, Outcome, all_hold, failed, not_checked, passed
from ledger.service.audit_earlier import begin_after_verified
from ledger.service.audit_findings import (
    BODY,
    CHECKPOINTS,
    COLUMNS,
    COSIGNATURES,
    DATABASE,
    DERIVED,
    GUARDS,
    HEAD,
    KEYS,
    LEAF_HASHES,
    PIN,
    REPEATED,
    ROWS,
    RULES,
    SENDERS,
    SUBMISSIONS,
    TILES,
    TIMESTAMPS,
    Extent,
    Findings,
)
from ledger.service.audit_flagged import flagged_entries
from ledger.service.audit_tree import TreeAudit
from ledger.service.audit_walk import Progress, Walk
from ledger.service.context import Ledger
from ledger.service.parallel import available_cores
from ledger.service.private_audit import ERASURES, VALUES, PrivateAudit
from ledger.service.state import parse_stored
from ledger.store import audit_rows, content_rows, projection, repository, timestamp_rows
from ledger.store.checkpoint_rows import checkpoint_at
from ledger.store.database import file_damage, read_transaction
from ledger.store.guards import missing_guards
from ledger.store.pin import read_pin
from ledger.store.verified import Verified, read_verified, verified_path, write_verified

__all__ = ["Extent", "Verified", "last_verified", "left_out", "verify_log"]

SMALL_LOG = 4096
"""Entries that one process checks sooner than others start."""


def verify_log(
    ledger: Ledger,
    vkey: str | VerifierKey | Keyring,
    progress: Progress | None = None,
    *,
    extent: Extent = Extent.ALL,
    since: Verified | None = None,
    jobs: int | None = None,
    remember: bool = False,
) -> list[Check]:
    """Check the log: bytes, places, links, signatures, rows, tiles, head, checkpoints, pin, derived tables.

    vkey: the log's verifier key or the history of its keys, from elsewhere than the database. progress: called with the
    number of entries done and of all. extent: how far to look. since: what was verified before: entries of then are not
    read again, and neither plant nor derived tables are looked at, which rest on all entries. jobs: processes for the
    signatures, as many as there are cores if None. remember: after a positive verdict that is not itself built on an
    earlier one and has looked at the signatures, keep what was verified beside the pin.

    Returns one failed check for each thing that broke, naming the entry, and one check for each kind that held or could
    not be made. Damage is a finding, never an error. What the caller left out is not checked, and not required.
    Raises: InputError if vkey is not of its form; StoreError if what was verified cannot be kept, or a worker process
    ended.
    """
    trusted = as_keyring(vkey)
    try:
        with read_transaction(ledger.engine) as connection:
            audit = _Audit(ledger, connection, trusted, extent, since)
            checks = audit.run(jobs, progress)
    except StoreError as error:
        return [failed(DATABASE, f"the database cannot be read: {error}")]
    if remember and since is None and extent is not Extent.LINKS and audit.newest is not None and all_hold(checks):
        below = tuple(seq for seq, _, _ in audit.walk.key_entries if seq < audit.newest.tree_size)
        write_verified(verified_path(ledger.pin_path), Verified(audit.newest.note, format_time(ledger.now()), below))
    return checks


@dataclass(frozen=True)
class _Newest:
    """A checkpoint that the entries bear out."""

    tree_size: int
    note: str


class _Audit:
    """One verification. Findings gather by kind of check, so that only a kind without any is called passed."""

    def __init__(
        self, ledger: Ledger, connection: Connection, trusted: Keyring, extent: Extent, since: Verified | None
    ) -> None:
        self.ledger = ledger
        self.origin = ledger.origin
        self.connection = connection
        self.trusted = trusted
        self.extent = extent
        self.since = since
        self.findings = Findings()
        self.newest: _Newest | None = None
        self.agreed = 0  # size up to which checkpoints have confirmed the entries
        self.held: dict[str, str] = {}  # what to say of a kind without a finding
        self.pinned = self._read_pin()
        sizes = set(audit_rows.checkpoint_sizes(connection, self.origin))
        sizes.update(one.tree_size for one in (self.pinned, since) if isinstance(one, Checkpoint | Verified))
        self.tree = TreeAudit(connection, self.origin, sorted(size for size in sizes if size >= 0), self.findings)
        self.walk = Walk(connection, self.origin, extent, self.findings, self.tree)

    def run(self, jobs: int | None, progress: Progress | None) -> list[Check]:
        """All checks, the failed ones of a kind in log order."""
        self._guards()
        if self.since is not None and not begin_after_verified(
            self.connection, self.since, self.trusted, self.walk, self.tree, self.findings
        ):
            return [*self.findings.checks(), not_checked(SIGNATURE, "the entries before do not hold")]
        stated = repository.read_stored_head(self.connection, self.origin)
        stated_size = 0 if stated is None else stated.tree_size
        if self.extent is not Extent.LINKS:
            self.walk.private = PrivateAudit(self.ledger, self.connection, self.walk.start or None)
        # SQLite's look at its own file takes long and needs nothing of ours: beside the walk, on another connection.
        with ThreadPoolExecutor(1) as beside:
            damage = None if self.extent is Extent.LINKS else beside.submit(_file_damage, self.ledger.engine)
            self.walk.run(self._jobs(jobs, stated_size), stated_size, progress)
        self._database(None if damage is None else damage.result())
        self.tree.finish()
        private = [] if self.walk.private is None else self.walk.private.finish(self.walk.chain.unread)
        for check in private:
            self.findings.add(check)
        self._repeated()
        self._head()
        if (flagged := flagged_entries(self.connection, self.origin, self.walk.keys)) is not None:
            self.findings.add(flagged)
        keyring = self._keyring()
        self._stored_checkpoints(keyring)
        self._pin(keyring)
        self._timestamps()
        self._submissions()
        self._plant()
        return [*self.walk.summary(self._unasked()), *self.findings.checks(), *self._summary()]

    def _jobs(self, jobs: int | None, stated_size: int) -> int:
        if self.extent is Extent.LINKS:
            return 1  # reading is most of it, and only one can read
        if jobs is not None:
            return max(jobs, 1)
        return 1 if stated_size - self.walk.start < SMALL_LOG else available_cores()

    # What was left out, and what held

    def _unasked(self) -> dict[str, Check]:
        """The checks that the caller left out."""
        left_out = []
        if self.extent is Extent.LINKS:
            left_out = [FORM, SIGNATURE, COLUMNS, BODY, SENDERS, REPEATED, VALUES, ERASURES]
        elif self.extent is Extent.LOG:
            left_out = [BODY]
        why = {
            Extent.LINKS: "left out: only the links were asked for",
            Extent.LOG: "left out: only the log was asked for",
        }
        checks = {name: not_checked(name, why[self.extent], required=False) for name in left_out}
        for name in (RULES, DERIVED):
            if self.extent is not Extent.ALL:
                checks[name] = not_checked(name, why[self.extent], required=False)
            elif self.since is not None:
                rest = "left out: they rest on all entries, and only those after the verified ones were read"
                checks[name] = not_checked(name, rest, required=False)
        return checks

    def _summary(self) -> list[Check]:
        """One check for each kind without a finding, but for those about the chain, which has its own summary."""
        count, read = self.tree.tree_size, self.walk.chain.count
        which = "all" if read == count else f"those from {self.walk.start} on"
        held = {
            ROWS: f"there is a row for each of the {count} entries",
            LEAF_HASHES: f"every stored leaf hash is that of the entry's bytes ({which})",
            COLUMNS: f"type, statement id and content hash of every row are those of its bytes ({which})",
            SENDERS: f"every entry has its sender's id, no two the same ({which})",
            REPEATED: "no statement is in the log twice",
            BODY: f"every body is one of its type ({which})",
            KEYS: f"{len(self.walk.key_entries)} entries about keys keep their rules",
            TILES: self.tree.tiles_named(),
            HEAD: f"the head row states these {count} entries, the last one's hash and the tree",
            **self.held,
        }
        named, unasked = self.findings.names(), self._unasked()
        unread = self.walk.chain.unread
        checks = []
        for name, words in held.items():
            if name in named:
                continue
            if name in unasked:
                checks.append(unasked[name])
            elif unread and name in (COLUMNS, BODY, KEYS, REPEATED):
                why = f"{unread} of {read} entries could not be read; of the others {words}"
                checks.append(not_checked(name, why))
            else:
                checks.append(passed(name, words))
        rest = (VALUES, ERASURES, RULES, DERIVED)
        return checks + [unasked[name] for name in rest if name in unasked and name not in named]

    # The database itself

    def _database(self, damage: list[str] | None) -> None:
        """damage: what is wrong with the file; None where that could not be looked at."""
        if self.extent is Extent.LINKS:
            why = "left out: only the links were asked for"
            self.findings.add(not_checked(DATABASE, why, required=False))
        elif damage is None:
            self.findings.add(not_checked(DATABASE, "PostgreSQL looks after its own files", required=False))
        else:
            for text in damage:
                self.findings.fail(DATABASE, text)
            self.held[DATABASE] = "SQLite finds its file sound"

    def _guards(self) -> None:
        for fault in missing_guards(self.connection):
            detail = f"{fault}: an entry can be changed by mistake; put it back as the migrations make it"
            self.findings.fail(GUARDS, detail)
        self.held[GUARDS] = "the triggers that refuse to change or delete an entry are in place"

    def _repeated(self) -> None:
        if self.extent is Extent.LINKS:
            return
        for tenant, client_id, seq, count in audit_rows.repeated_client_ids(self.connection, self.origin):
            detail = f"{count} entries, the last {seq}, have the sender's id {client_id!r:.80} of {tenant!r:.80}"
            self.findings.fail(SENDERS, detail, seq)
        # What an actor has said once, whoever reaches the database could say again: the signature would hold.
        for statement_id, first, last in audit_rows.repeated_statements(self.connection, self.origin):
            detail = f"entry {last}: statement {statement_id!r:.80} is in the log already, as entry {first}"
            self.findings.fail(REPEATED, detail, last)

    # What the entries are compared with

    def _head(self) -> None:
        head = repository.read_stored_head(self.connection, self.origin)
        count = self.tree.tree_size
        if head is None:
            self.findings.fail(HEAD, f"there is no head row for log {self.origin}")
            return
        if head.tree_size > count:
            detail = f"the head row states {head.tree_size} entries, there are {count}: "
            self.findings.fail(HEAD, detail + _missing(count, head.tree_size), count)
        elif head.tree_size < count:
            detail = f"the head row states {head.tree_size} entries, there are {count}"
            self.findings.fail(HEAD, detail, max(head.tree_size, 0))
        last = count - 1 if count else None
        found = self.walk.chain.head
        if head.last_leaf_hash.hex() != (found if found != GENESIS_PREV else ""):
            detail = f"the head row's last leaf hash is {head.last_leaf_hash.hex()}, the last entry gives {found}"
            self.findings.fail(HEAD, detail, last)
        if head.frontier != b"".join(self.tree.frontier().peaks):
            self.findings.fail(HEAD, f"the head row's tree is not that of the {count} entries", last)

    def _keyring(self) -> Keyring:
        """The trusted history of the log's keys, carried on by the entries; what is trusted if they contradict it."""
        try:
            return followed(self.trusted, self.walk.key_entries)
        except LedgerError as error:
            self.findings.fail(KEYS, f"the entries and the trusted keys of the log contradict each other: {error}")
            return self.trusted

    def _stored_checkpoints(self, keyring: Keyring) -> None:
        """Each kept checkpoint: signed by the log, true of the entries, its witnesses' lines true."""
        count = cosigned = undated = 0
        newest = 0
        for tree_size, note in audit_rows.checkpoint_notes(self.connection, self.origin):
            count += 1
            newest = tree_size
            dated, lines = self._cosigned(tree_size, note)
            cosigned += lines > 0
            try:
                signed = keyring.signers(note)
            except VerificationError as error:
                self.findings.fail(CHECKPOINTS, f"the checkpoint kept for size {tree_size}: {error}")
                continue
            if signed.checkpoint.tree_size != tree_size:
                detail = f"the checkpoint kept for size {tree_size} is of size {signed.checkpoint.tree_size}"
                self.findings.fail(CHECKPOINTS, detail)
            elif self._compare(CHECKPOINTS, f"the checkpoint of size {tree_size}", signed.checkpoint, self.agreed):
                if _counts(signed, dated):
                    self.agreed = tree_size
                    self.newest = _Newest(tree_size, note)
                else:
                    undated += 1
        if undated:
            why = f"{undated} checkpoints count for nothing: a revoked key alone has signed them, no witness dated them"
            self.findings.add(not_checked(CHECKPOINTS, why, required=False))
        self.kept = count
        if count:
            self.held[CHECKPOINTS] = f"{count} checkpoints, the newest of size {newest}, agree with the entries"
        else:
            self.findings.add(not_checked(CHECKPOINTS, "no checkpoint was signed yet", required=False))
        if not self.ledger.witnesses.witnesses:
            why = "no witness is named in the settings"
            self.findings.add(not_checked(COSIGNATURES, why, required=False))
        elif not cosigned:
            self.findings.add(
                not_checked(COSIGNATURES, "no checkpoint bears a line of a known witness", required=False)
            )
        else:
            self.held[COSIGNATURES] = f"the lines of known witnesses under {cosigned} of {count} checkpoints hold"

    def _cosigned(self, tree_size: int, note: str) -> tuple[datetime | None, int]:
        """The date by which as many known witnesses as are needed have co-signed the note, and how many have at all.

        One at least must have; those that the log has revoked by then do not count.
        """
        policy = self.ledger.witnesses
        revoked = self.walk.keys.revoked_witnesses(policy.witnesses, tree_size)
        needed = max(1, policy.needed)
        try:
            times = sorted(time for _, time in cosignatures_of(note, [w for w in policy.witnesses if w not in revoked]))
            return (datetime.fromtimestamp(times[needed - 1], UTC) if len(times) >= needed else None), len(times)
        except MalformedProofError:
            return None, 0  # not a note at all: a finding elsewhere
        except (VerificationError, ValueError, OverflowError, OSError) as error:  # the last three: no date of this era
            self.findings.fail(COSIGNATURES, f"the checkpoint kept for size {tree_size}: {error}")
            return None, 0

    def _read_pin(self) -> Checkpoint | LedgerError | None:
        """What the pin states, None without a pin, or why it cannot be used. Who signed it is looked at later."""
        try:
            self.pinned_note = read_pin(self.ledger.pin_path)
            return None if self.pinned_note is None else parse_checkpoint(self.pinned_note)[0]
        except (StoreError, VerificationError) as error:
            return error

    def _pin(self, keyring: Keyring) -> None:
        path, pinned = self.ledger.pin_path, self.pinned
        if isinstance(pinned, Checkpoint) and self.pinned_note is not None:
            try:
                dated, _ = self._cosigned(pinned.tree_size, self.pinned_note)
                keyring.verify(self.pinned_note, dated)
            except VerificationError as error:
                pinned = error
        if isinstance(pinned, LedgerError):
            self.findings.fail(PIN, f"the pin {path} cannot be used: {pinned}")
        elif pinned is None:
            why = f"there is no pin {path}: a tail cut off together with its checkpoints would not be seen"
            # A log with checkpoints had a pin; without one the answer cannot be "holds".
            self.findings.add(not_checked(PIN, why, required=bool(self.kept)))
        elif self._compare(PIN, "the pinned checkpoint", pinned, min(self.agreed, pinned.tree_size)):
            self.held[PIN] = f"the log begins with the {pinned.tree_size} entries of the checkpoint pinned in {path}"
            if self.pinned_note is not None and (self.newest is None or self.newest.tree_size < pinned.tree_size):
                self.newest = _Newest(pinned.tree_size, self.pinned_note)

    def _compare(self, name: str, what: str, checkpoint: Checkpoint, agreed: int) -> bool:
        """Whether the entries bear the checkpoint out. agreed: size up to which an earlier one has confirmed them."""
        count, size = self.tree.tree_size, checkpoint.tree_size
        if size > count:
            detail = f"{what} has {size} entries, the log {count}: {_missing(count, size)}"
            self.findings.fail(name, detail, count)
            return False
        found = self.tree.root_at(size)
        if found != checkpoint.root:
            where = f"an entry from {agreed} to {size - 1}" if size > agreed else f"an entry before {size}"
            gives = "none" if found is None else found.hex()
            detail = f"{what} of size {size} has root {checkpoint.root.hex()}, the entries give {gives}"
            self.findings.fail(name, f"{detail}: {where} was changed after signing", min(agreed, size - 1))
            return False
        return True

    def _timestamps(self) -> None:
        """Each kept token: over the checkpoint that it is kept for, by an authority that is trusted."""
        tokens = timestamp_rows.timestamps(self.connection, self.origin)
        held, unchecked = 0, ""
        for kept in tokens:
            what = f"the time stamp over the checkpoint of size {kept.tree_size} by {kept.tsa:.80}"
            note = checkpoint_at(self.connection, self.origin, kept.tree_size)
            if note is None:
                self.findings.fail(TIMESTAMPS, f"{what}: there is no such checkpoint")
                continue
            try:
                verify_timestamp(kept.token, note, self.ledger.tsa_roots)
                held += 1
            except VerificationError as error:
                self.findings.fail(TIMESTAMPS, f"{what} does not hold: {error}")
            except (InputError, StoreError) as error:  # no roots, or no library: nothing was found wrong
                unchecked = str(error)
        if not tokens:
            self.findings.add(not_checked(TIMESTAMPS, "no checkpoint was time stamped", required=False))
        elif unchecked:
            why = f"{len(tokens)} time stamps could not be checked: {unchecked}"
            self.findings.add(not_checked(TIMESTAMPS, why, required=False))
        else:
            self.held[TIMESTAMPS] = f"{held} time stamps are over their checkpoints, by trusted authorities"

    def _submissions(self) -> None:
        """Whoever was told that an entry is in the log finds it there."""
        count = 0
        for number, state, seq, tenant, client_id, *found in audit_rows.submissions(self.connection, self.origin):
            found_tenant, found_client_id, statement_id = found
            count += 1
            detail = ""
            if state == "sequenced":
                # A statement id serves as the sender's own, and finds its statement under whatever key that came.
                same = (found_tenant, found_client_id) == (tenant, client_id) or statement_id == client_id
                if seq is None or not same:
                    detail = f"is said to be entry {seq}, which is not there or has another sender's id"
            elif state not in ("waiting", "refused"):
                detail = f"has the state {state!r:.80}"
            elif seq is not None:
                detail = f"is {state}, but has entry {seq}"
            if detail:
                self.findings.fail(SUBMISSIONS, f"submission {number} {detail}", seq)
        self.held[SUBMISSIONS] = f"{count} submissions: those sequenced have their entries"

    # The plant

    def _plant(self) -> None:
        """The rules of the plant, and the derived tables against what the entries fold to; for entries that hold."""
        if self.extent is not Extent.ALL or self.since is not None:
            return
        if self.walk.chain.unread or self.walk.chain.broken or not self.findings.entries_hold():
            why = "what is above does not hold"
            for name in (RULES, DERIVED):
                self.findings.add(not_checked(name, why))
            return
        try:
            entries = repository.entries_from(self.connection, self.origin, 0)
            plant = fold_plant((parse_stored(entry) for entry in entries), self.ledger.masses)
        except LedgerError as error:
            where = re.match(r"/entries/(\d+)", error.problems[0].field)
            self.findings.fail(RULES, str(error), int(where[1]) if where else None)
            self.findings.add(not_checked(DERIVED, "the entries they derive from break a rule"))
            return
        self.held[RULES] = "every entry keeps the rules of the plant"
        for seq, text in (*projection.differences(self.connection, self.origin, plant), *self._unlisted_contents()):
            self.findings.fail(DERIVED, f"{text}; `magnet-ledger db rebuild` makes them anew", seq)
        self.held[DERIVED] = f"{len(plant.batches)} batches are listed as the entries give them"

    def _unlisted_contents(self) -> Iterator[tuple[int, str]]:
        """Entries whose repetition would not be noticed: their content is not in the table that is looked in."""
        head = repository.read_stored_head(self.connection, self.origin)
        end = 0 if head is None else head.content_size
        for batch in audit_rows.contents(self.connection, self.origin, end):
            first = content_rows.first_seqs(self.connection, self.origin, [row[1] for row in batch])
            for seq, content in batch:
                if first.get(content, seq + 1) > seq:
                    yield seq, f"entry {seq} is not listed under its content"


def _file_damage(engine: Engine) -> list[str] | None:
    with read_transaction(engine) as connection:
        return file_damage(connection)


def last_verified(ledger: Ledger) -> Verified:
    """What a full verification has kept. Raises: StoreError if none has, or it cannot be read."""
    path = verified_path(ledger.pin_path)
    verified = read_verified(path)
    if verified is None:
        next_step = "Verify the log in full first: `magnet-ledger log verify --full`."
        raise StoreError(problem("/pins_dir", f"no file {path}", "what was verified last", next_step))
    return verified


def left_out(checks: list[Check]) -> list[str]:
    """The kinds of check that were not made, each once, to be told beside the verdict."""
    return list(dict.fromkeys(check.name for check in checks if check.outcome is Outcome.NOT_CHECKED))


def _counts(signed: Signed, dated: datetime | None) -> bool:
    """Whether one of the keys that signed is to be believed: not revoked, or dated before it was."""
    return any(key.accepted(dated) for key in signed.keys)


def _missing(first: int, end: int) -> str:
    return f"entry {first} is missing" if end == first + 1 else f"entries {first} to {end - 1} are missing"
