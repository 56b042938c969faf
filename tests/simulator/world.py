"""A seeded world: sequencers, a publisher, a witness and clients on one real log, and everything that may befall them.

All that the parts take from outside is injected: the clock (which also steps back), the commits of the database (which
fail before or after they are durable), the files of pin and tiles (whose writing breaks off at any step), the witness's
answers (lost, late, none) and the queue of submissions (in which things are lost and sent again). One seed gives one
schedule, always the same. After each step the log is read by code of its own, with hashlib alone, and the invariants
are held against it:

I1 sequence numbers without gap      I2 each entry names the leaf hash before it     I3 stored leaf hashes are right
I4 the head row is where the log ends, its tree the entries' tree                    I5 stored tiles are the tree's
I6 one root per size, sizes of the pin never fall                                    I7 what was acknowledged is there
I8 the same key gives the same entry, or a conflict if the content is another
I9 nothing is signed that does not extend what was signed before

`python -m tests.simulator.world SEED` runs one schedule and tells it step by step.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

import ledger.store.pin as pin_module
import ledger.store.tile_folder as tile_folder_module
from ledger.errors import ConflictError, LedgerError, StoreError, VerificationError
from ledger.log.add_checkpoint import COSIGNED, AddCheckpoint, Seen, decide, format_request, parse_request
from ledger.log.checkpoint import Checkpoint, make_verifier_key, parse_checkpoint
from ledger.log.cosignature import WitnessPolicy, add_signature_lines, cosign, make_witness_key
from ledger.log.merkle import root_hash
from ledger.log.signed import CheckedStatement, make_signed
from ledger.log.statement import Statement, key_id
from ledger.report import Check, failed
from ledger.service.context import Ledger
from ledger.service.publisher import publish
from ledger.store import repository
from ledger.store.database import make_engine, upgrade, write_transaction
from ledger.store.group_commit import GroupCommit
from ledger.store.sequencer import open_sequencer, take_office
from ledger.store.statements import Receipt, Sent, StatementAdmission, statement_admission
from ledger.store.tile_folder import TileFolder

ORIGIN = "example.com/simulated"
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
ACTOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
WITNESS = make_witness_key("witness.example.com", WITNESS_KEY.public_key())
KID = key_id(ACTOR_KEY.public_key())

SMALL, NEARLY_A_TILE = 2, 250
"""Entries that a schedule begins with. Three of four begin small, the fourth fills its first tile with six more."""

STEPS = (6, 16)
"""Fewest and most steps of a schedule."""

START_TIME = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)


class CrashError(BaseException):
    """The process ends here. No part of the product may catch it."""


class BrokenInvariantError(AssertionError):
    """An invariant does not hold; the message names it."""


def statement(number: int, text: str) -> CheckedStatement:
    """A signed statement with this number as its id."""
    made = Statement(
        type="simulated",
        id=f"01890000-0000-7000-8000-{number:012x}",
        at="2026-05-04T08:00:00.000000Z",
        actor="actor-1",
        kid=KID,
        body={"text": text},
    )
    return make_signed(made, ACTOR_KEY)


def make_templates(folder: Path) -> None:
    """The logs that schedules begin with, in a folder each, named by their sizes."""
    for size in (SMALL, NEARLY_A_TILE):
        (folder / str(size)).mkdir()
        _make_template(folder / str(size), size)


def _make_template(folder: Path, size: int) -> None:
    url = f"sqlite:///{folder / 'ledger.db'}"
    upgrade(url)
    engine = make_engine(url)
    with write_transaction(engine) as connection:
        repository.insert_log(connection, ORIGIN, "2026-05-04T07:00:00.000000Z")
    with open_sequencer(engine, ORIGIN) as sequencer:
        sent = Sent([statement(2**40 + number, f"start {number}") for number in range(size)])
        admission = StatementAdmission(sequencer, [sent], START_TIME)
        admission.admit(sent)
        admission.write()
    engine.dispose()


@dataclass
class Submission:
    """What a client wants in the log. receipts: what it was told, once it was told something."""

    sent: Sent
    receipts: list[tuple[int, bytes]] | None = None


@dataclass
class Sequencer:
    """A process that sequences: its office, and what it has in its queue."""

    group: GroupCommit[Sent, list[Receipt]]
    epoch: int | None
    queue: list[Submission] = field(default_factory=list)


class Faults:
    """Breaks what the world writes: files at the n-th step, commits before or after they are durable."""

    def __init__(self) -> None:
        self.file_steps: int | None = None
        self.commit: str | None = None
        self.count: Counter[str] = Counter()

    def file_step(self) -> None:
        """A step in writing a file: crash if it is the one."""
        if self.file_steps is not None:
            self.file_steps -= 1
            if self.file_steps < 0:
                self.file_steps = None
                self.count["crashes"] += 1
                raise CrashError

    def on_commit(self, _connection: Connection) -> None:
        """Called before the database commits."""
        if self.commit == "error":
            self.commit = None
            self.count["failed commits"] += 1
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database is locked"))
        if self.commit == "disk":
            self.commit = None
            self.count["failed disks"] += 1
            error = sqlite3.OperationalError("disk I/O error")
            raise OperationalError("COMMIT", {}, error)
        if self.commit == "crash":
            self.commit = None
            self.count["crashes"] += 1
            raise CrashError


class Database:
    """One engine for all schedules of a process, so that SQL is compiled once; it opens the file of the present one."""

    def __init__(self) -> None:
        self.path = Path()
        self.faults = Faults()
        self.engine = make_engine("sqlite:////the/present/schedule")
        event.listen(self.engine, "do_connect", self._redirect)
        event.listen(self.engine, "commit", lambda connection: self.faults.on_commit(connection))

    def _redirect(self, _dialect: object, _record: object, arguments: list[Any], _named: object) -> None:
        arguments[0] = str(self.path)

    def open(self, path: Path, faults: Faults) -> Engine:
        """The engine, on this file and with these faults."""
        self.engine.dispose()
        self.path, self.faults = path, faults
        return self.engine


@cache
def _database() -> Database:
    return Database()


class World:
    """One schedule in the making."""

    def __init__(self, seed: int, templates: Path, folder: Path, tell: Callable[[str], None]) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.tell = tell
        size = NEARLY_A_TILE if seed % 4 == 0 else SMALL
        shutil.copyfile(templates / str(size) / "ledger.db", folder / "ledger.db")
        self.faults = Faults()
        self.time = START_TIME
        self.numbers = iter(range(10**9))
        self.submissions: list[Submission] = []
        self.leaves: list[bytes] = []  # the log as read so far; it may only grow
        self.last_recv = ""
        self.entries: list[dict[str, Any]] = []
        self.peaks = b""  # of the tree over them
        self.roots: dict[int, bytes] = {}  # of everything that was ever signed
        self.notes: set[str] = set()
        self.pinned_size = 0
        self.published = ""
        self.seen: Seen | None = None
        self.witness_is_up = True
        self.backup: tuple[bytes, int] | None = None
        self.rolled_back = False  # acknowledged entries were lost, by an administrator's hand
        self.betrayed = False  # and checkpoints had been signed over them: nothing may be signed any more
        self.counts: Counter[str] = Counter()
        self.engine = self._open_engine()
        self.sequencers = [self._start_sequencer(), self._start_sequencer()]
        self.check()
        self.restores = seed % 5 == 2  # in every fifth schedule an administrator is at work
        if self.restores:
            self.back_up()

    # The parts

    def _open_engine(self) -> Engine:
        return _database().open(self.folder / "ledger.db", self.faults)

    def _start_sequencer(self, epoch: int | None = None) -> Sequencer:
        return Sequencer(GroupCommit(self.engine, ORIGIN, statement_admission(self.now), epoch=epoch), epoch)

    def now(self) -> datetime:
        """The clock of the world, which moves by itself and now and then steps back."""
        self.time += timedelta(milliseconds=1)
        return self.time

    def ledger(self) -> Ledger:
        """What the publisher works with."""
        return Ledger(
            engine=self.engine,
            origin=ORIGIN,
            log_key=LOG_KEY,
            pin_path=self.folder / "pins" / "pin",
            now=self.now,
            new_id=lambda: "",
            new_salt=lambda: b"",
            witnesses=WitnessPolicy(0, (WITNESS,), ("simulated",)),
        )

    def ask_witness(self, note: str, path_from: Callable[[int], list[bytes]]) -> tuple[str, list[Check]]:
        """The witness, asked over a line that loses requests and answers."""
        self._signed(note)
        if not self.witness_is_up:
            return note, [failed("witness", "the witness is down")]
        checkpoint, _ = parse_checkpoint(note)
        old_size = 0 if self.seen is None else self.seen.tree_size
        if old_size > checkpoint.tree_size:
            return note, [failed("witness", "the witness has seen more")]
        request = AddCheckpoint(old_size, tuple(path_from(old_size)), note)
        answer = decide(
            self.seen,
            [make_verifier_key(ORIGIN, LOG_KEY.public_key())],
            parse_request(format_request(request).encode()),
        )
        if answer.status != COSIGNED:
            if not self.betrayed:
                raise BrokenInvariantError(f"I9: the witness refuses an honest log: {answer.status} {answer.why}")
            return note, [failed("witness", answer.why)]
        self.seen = answer.now_seen
        if self.random.random() < 0.2:
            self.counts["lost answers"] += 1
            return note, [failed("witness", "the answer was lost")]
        line = cosign(note, WITNESS.name, WITNESS_KEY, int(self.time.timestamp()))
        return add_signature_lines(note, [line]), []

    # What happens

    def step(self) -> None:
        """One thing happens."""
        grown = self.backup is not None and self.backup[1] < len(self.leaves)
        happenings: list[tuple[float, Callable[[], None]]] = [
            (6, self.send),
            (2 if self.submissions else 0, self.send_again),
            (1.5 if self.submissions else 0, self.send_a_conflict),
            (8 if any(one.queue for one in self.sequencers) else 0, self.sequence),
            (0.7, self.restart_a_sequencer),
            (1, self.change_office),
            (3.5, self.publish),
            (0.5, self.turn_the_witness),
            (0.7, self.step_the_clock),
            (0.5, self.back_up),
            (2 if self.restores and grown and not self.rolled_back else 0, self.restore),
        ]
        weights = [weight for weight, _ in happenings]
        ((_, happening),) = self.random.choices(happenings, weights)
        happening()

    def send(self) -> None:
        """A client sends something new: one to three statements, together."""
        texts = [f"said {self.random.randrange(12)}" for _ in range(self.random.choice([1, 1, 1, 2, 3]))]
        statements = [statement(next(self.numbers), text) for text in texts]
        if self.random.random() < 0.3:
            statements = [replace(one, client_id=f"client-id-{next(self.numbers)}") for one in statements]
        self._hand_in(Submission(Sent(statements, tenant=self.random.choice(["", "T1", "T2"]))))
        self.tell(f"send {texts}")

    def send_again(self) -> None:
        """A client sends again what it has sent before, whether it was answered or not."""
        self.random.choice(self.sequencers).queue.append(self.random.choice(self.submissions))
        self.counts["retries"] += 1
        self.tell("send again")

    def send_a_conflict(self) -> None:
        """A client takes a key that it has used for something else."""
        old = self.random.choice(self.submissions)
        other = statement(next(self.numbers), "something else altogether")
        conflicting = replace(other, client_id=old.sent.statements[0].key)
        self.submissions.append(Submission(Sent([conflicting], tenant=old.sent.tenant)))
        self.random.choice(self.sequencers).queue.append(self.submissions[-1])
        self.tell("send a conflict")

    def _hand_in(self, submission: Submission) -> None:
        self.submissions.append(submission)
        self.random.choice(self.sequencers).queue.append(submission)

    def sequence(self) -> None:
        """A sequencer takes what is in its queue, or some of it, and commits it; or fails to."""
        sequencer = self.random.choice([one for one in self.sequencers if one.queue])
        count = self.random.randint(1, len(sequencer.queue))
        batch, sequencer.queue = sequencer.queue[:count], sequencer.queue[count:]
        self.faults.commit = self.random.choices([None, "error", "disk", "crash"], [12, 1, 0.5, 1])[0]
        acknowledgements_lost = self.random.random() < 0.1
        self.tell(f"sequence {len(batch)}, commit {self.faults.commit or 'works'}, lost {acknowledgements_lost}")
        try:
            futures = sequencer.group.run([submission.sent for submission in batch])
        except CrashError:
            self._crash(sequencer)
            return
        finally:
            self.faults.commit = None
        if acknowledgements_lost:
            self.counts["lost acknowledgements"] += 1
            return
        for submission, future in zip(batch, futures, strict=True):
            error = future.exception(timeout=0)
            if error is None:
                self._acknowledged(submission, future.result())
            elif isinstance(error, ConflictError):
                self.counts["conflicts"] += 1
            elif not isinstance(error, StoreError):
                raise error

    def _acknowledged(self, submission: Submission, receipts: list[Receipt]) -> None:
        told = [(receipt.seq, receipt.leaf_hash) for receipt in receipts]
        if submission.receipts is not None and not self.rolled_back and submission.receipts != told:
            raise BrokenInvariantError(f"I8: the same key was answered {submission.receipts} and then {told}")
        submission.receipts = told
        self.counts["acknowledged"] += len(told)

    def _crash(self, sequencer: Sequencer) -> None:
        """The process of this sequencer is gone, with its queue."""
        self.sequencers[self.sequencers.index(sequencer)] = self._start_sequencer()

    def restart_a_sequencer(self) -> None:
        """Its queue is lost; what was in it is sent again one day, or not."""
        self._crash(self.random.choice(self.sequencers))
        self.tell("restart a sequencer")

    def change_office(self) -> None:
        """A sequencer takes office. The one before does not know yet, and must not get anything in any more."""
        winner = self.random.randrange(len(self.sequencers))
        loser = self.sequencers[1 - winner]
        old_queue = self.sequencers[winner].queue
        epoch = take_office(self.engine, ORIGIN)
        self.sequencers[winner] = self._start_sequencer(epoch)
        self.sequencers[winner].queue = old_queue
        self.tell(f"take office {epoch}")
        if loser.epoch is not None:
            size = self._size()
            late = Sent([statement(next(self.numbers), "too late")])
            (future,) = loser.group.run([late])
            if not isinstance(future.exception(timeout=0), ConflictError | StoreError) or self._size() != size:
                raise BrokenInvariantError("I1: one who has lost the office still appends")
            self.counts["deposed writers refused"] += 1

    def publish(self) -> None:
        """A round of the publisher, which may break off at any step of writing a file."""
        crash_at = self.random.randrange(12) if self.random.random() < 0.35 else None
        self.faults.file_steps = crash_at
        self.tell(f"publish, crash at {crash_at}")
        try:
            result = publish(self.ledger(), TileFolder(self.folder / "tiles"), self.ask_witness)
        except CrashError:
            pass
        except VerificationError:
            if not self.betrayed:
                raise
            self.counts["rollbacks refused"] += 1
        except (LedgerError, StoreError):
            raise
        else:
            hold("I9", not self.betrayed, "the publisher goes on after a rollback below what it has signed")
            self._signed(result.note)
            self.counts["checkpoints"] += 1
        finally:
            self.faults.file_steps = None

    def turn_the_witness(self) -> None:
        self.witness_is_up = not self.witness_is_up
        self.tell(f"witness up: {self.witness_is_up}")

    def step_the_clock(self) -> None:
        self.time += timedelta(seconds=self.random.choice([-3600, -5, 3, 86_400]))
        self.counts["clock steps"] += 1
        self.tell(f"clock {self.time}")

    def back_up(self) -> None:
        """An administrator copies the database."""
        with sqlite3.connect(self.folder / "ledger.db") as source:
            source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.backup = (source.serialize(), len(self.leaves))
        source.close()
        self.tell("back up")

    def restore(self) -> None:
        """An administrator puts the copy back. The pin, which is elsewhere, stays."""
        assert self.backup is not None
        data, size = self.backup
        self.engine.dispose()
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        (self.folder / "ledger.db").write_bytes(data)
        self.engine = self._open_engine()
        self.sequencers = [self._start_sequencer(), self._start_sequencer()]
        self.rolled_back = True
        self.betrayed = max(self.roots, default=0) > size
        self.leaves, self.entries = self.leaves[:size], self.entries[:size]
        self.last_recv = self.entries[-1]["recv"] if self.entries else ""
        self.peaks = b"".join(peaks(self.leaves))
        self.tell(f"restore size {size}, signed beyond it: {self.betrayed}")

    def _size(self) -> int:
        with sqlite3.connect(self.folder / "ledger.db") as connection:
            size: int = connection.execute("SELECT tree_size FROM head").fetchone()[0]
        connection.close()
        return size

    # What must hold

    def check(self) -> None:
        """All invariants, on what stands on the disk, with code of its own."""
        connection = sqlite3.connect(self.folder / "ledger.db")
        try:
            self._check_log(connection)
            self._check_tiles(connection)
            self._check_checkpoints(connection)
        finally:
            connection.close()
        self._check_acknowledged()
        self._check_pin_and_files()

    def _check_log(self, connection: sqlite3.Connection) -> None:
        known = len(self.leaves)
        rows = connection.execute(
            "SELECT seq, leaf_hash, data FROM entry WHERE seq >= ? ORDER BY seq", (max(known - 1, 0),)
        ).fetchall()
        for seq, leaf, data in rows:
            own = hashlib.sha256(b"\0" + data).digest()
            hold("I3", leaf == own, f"entry {seq} is stored with another leaf hash")
            if seq < known:
                hold("I1", own == self.leaves[seq], f"entry {seq} has changed")
                continue
            hold("I1", seq == len(self.leaves), f"entry {len(self.leaves)} expected, {seq} found")
            entry = json.loads(data)
            prev = self.leaves[-1].hex() if self.leaves else "0" * 64
            hold("I2", entry["prev"] == prev and entry["seq"] == seq, f"entry {seq} does not continue the log")
            hold("I2", entry["recv"] >= self.last_recv, f"entry {seq} was received before the one before it")
            self.last_recv = entry["recv"]
            self.leaves.append(own)
            self.entries.append(entry)
        size, last, frontier = connection.execute("SELECT tree_size, last_leaf_hash, frontier FROM head").fetchone()
        hold("I4", size == len(self.leaves), f"the head says {size}, there are {len(self.leaves)}")
        hold("I4", last == self.leaves[-1], "the head names another last entry")
        if known != size:
            self.peaks = b"".join(peaks(self.leaves))
        hold("I4", frontier == self.peaks, "the head's tree is another")

    def _check_tiles(self, connection: sqlite3.Connection) -> None:
        rows = {
            (level, index): data
            for level, index, data in connection.execute("SELECT level, tile_index, hashes FROM tile")
        }
        full = len(self.leaves) // 256
        expected = {(0, number): b"".join(self.leaves[256 * number : 256 * number + 256]) for number in range(full)}
        if full:
            roots = [root_hash(self.leaves[256 * number : 256 * number + 256]) for number in range(full)]
            expected[1, 0] = b"".join(roots)
        hold("I5", rows == expected, f"tiles {sorted(rows)} of {len(self.leaves)} entries are not the tree's")

    def _check_checkpoints(self, connection: sqlite3.Connection) -> None:
        for (note,) in connection.execute("SELECT note FROM checkpoint"):
            self._signed(note)

    def _check_acknowledged(self) -> None:
        if self.rolled_back:
            return
        for submission in self.submissions:
            for (seq, leaf), checked in zip(submission.receipts or [], submission.sent.statements, strict=False):
                there = seq < len(self.leaves) and self.leaves[seq] == leaf
                hold("I7", there, f"entry {seq} was acknowledged and is not there")
                text = self.entries[seq]["stmt"]["body"]["text"]
                hold("I8", text == checked.statement.body["text"], f"entry {seq} is not what was acknowledged")
        ids = [entry["stmt"]["id"] for entry in self.entries]
        hold("I8", len(set(ids)) == len(ids), "a statement is in the log twice")

    def _check_pin_and_files(self) -> None:
        pin = self.folder / "pins" / "pin"
        if pin.exists():
            self._signed(note := pin.read_text(encoding="utf-8"))
            size = parse_checkpoint(note)[0].tree_size
            hold("I6", size >= self.pinned_size, f"the pin fell from {self.pinned_size} to {size}")
            self.pinned_size = size
        else:
            hold("I6", not self.notes, "there are signed notes and no pin")
        published = self.folder / "tiles" / "checkpoint"
        if published.exists() and (note := published.read_text(encoding="utf-8")) != self.published:
            self._signed(note)
            self._check_published(parse_checkpoint(note)[0])
            self.published = note

    def _check_published(self, checkpoint: Checkpoint) -> None:
        """What the published checkpoint covers is published, and hashes to its root."""
        folder = self.folder / "tiles" / "tile" / "0"
        leaves: list[bytes] = []
        for number in range(-(-checkpoint.tree_size // 256)):
            width = min(256, checkpoint.tree_size - 256 * number)
            full = folder / f"{number:03d}"
            # A partial tile makes room for the full one, which begins with the same hashes.
            path = full if width == 256 or full.exists() else folder / f"{number:03d}.p" / str(width)
            hold("I6", path.exists(), f"the published checkpoint covers {path.name}, which is not published")
            data = path.read_bytes()[: 32 * width]
            leaves += [data[at : at + 32] for at in range(0, len(data), 32)]
        hold("I6", root_hash(leaves) == checkpoint.root, "the published tiles do not hash to the published root")

    def _signed(self, note: str) -> None:
        """A note that bears the log's signature has come to light."""
        if note in self.notes:
            return
        lines = note.split("\n")
        size, root = int(lines[1]), base64.b64decode(lines[2])
        known_before = size in self.roots
        known = self.roots.setdefault(size, root)
        hold("I6", known == root, f"two roots were signed for size {size}")
        if self.betrayed:
            hold("I9", known_before, f"size {size} was signed after a rollback")
        else:
            hold("I9", size <= len(self.leaves) or self._catch_up(size), f"size {size} was signed before it was there")
            hold("I9", root_hash(self.leaves[:size]) == root, f"the root signed for size {size} is not the log's")
        self.notes.add(note)

    def _catch_up(self, size: int) -> bool:
        """Read what was committed since the last look."""
        connection = sqlite3.connect(self.folder / "ledger.db")
        self._check_log(connection)
        connection.close()
        return size <= len(self.leaves)


def hold(invariant: str, holds: bool, otherwise: str) -> None:
    """Raises: BrokenInvariantError naming the invariant unless it holds."""
    if not holds:
        raise BrokenInvariantError(f"{invariant}: {otherwise}")


def peaks(leaves: list[bytes]) -> Iterator[bytes]:
    """Roots of the perfect trees that the leaves fall into, largest first."""
    start = 0
    for bit in range(len(leaves).bit_length() - 1, -1, -1):
        if len(leaves) >> bit & 1:
            yield root_hash(leaves[start : start + (1 << bit)])
            start += 1 << bit


@contextmanager
def breakable_files(faults: Faults) -> Iterator[None]:
    """Every write of a file by pin and tiles is two steps that may be the last: before it, and after it."""
    original = pin_module.write_file

    def write_file(path: Path, data: bytes) -> None:
        faults.file_step()
        original(path, data)
        faults.file_step()

    modules: tuple[Any, ...] = (pin_module, tile_folder_module)
    for module in modules:
        module.write_file = write_file
    try:
        yield
    finally:
        for module in modules:
            module.write_file = original


def run(seed: int, templates: Path, tell: Callable[[str], None] = lambda _text: None) -> Counter[str]:
    """One schedule, in a folder of its own beside the templates. Returns: what it came to.

    Raises: BrokenInvariantError, or any error that the product should not have let out.
    """
    with tempfile.TemporaryDirectory(prefix="simulated-", dir=templates) as name:
        world = World(seed, templates, Path(name), tell)
        with breakable_files(world.faults):
            for number in range(world.random.randint(*STEPS)):
                tell(f"{number}:")
                world.step()
                world.check()
            world.faults.commit = None
            if not world.betrayed:
                # In the end everybody comes through: what is still unanswered is sent once more, and published.
                world.witness_is_up = True
                for submission in list(world.submissions):
                    world.sequencers = [world._start_sequencer()]
                    world.sequencers[0].queue = [submission]
                    (future,) = world.sequencers[0].group.run([submission.sent])
                    if future.exception(timeout=0) is None:
                        world._acknowledged(submission, future.result())
                world.publish()
                world.check()
        world.engine.dispose()
        return world.counts + world.faults.count


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        make_templates(Path(made))
        print(run(int(sys.argv[1]), Path(made), print))
