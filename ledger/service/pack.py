"""The audit pack: the whole log in one ZIP file that a stranger can check, with the program to check it.

It holds the entries under the newest checkpoint as tiles, all checkpoints, the log's keys, the witness policy, time
stamps, what private values are disclosed, and a manifest as the last member. docs/log-format.md has the format. Nothing
is compressed and every date is the same: the same log gives the same bytes, whatever the database, and a reader's work
is bounded by the file's size. Entries are hashed anew; the stored tiles are not looked at.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import IO

from sqlalchemy import Connection

from ledger.errors import InputError, RootMismatchError, StoreError, problem
from ledger.log.canonical import Json, canonical_bytes
from ledger.log.checkpoint import Checkpoint, parse_vkey
from ledger.log.cosignature import WitnessPolicy, format_witness_vkey
from ledger.log.disclosure import Disclosure
from ledger.log.envelope import parse_envelope
from ledger.log.keyring import Keyring, keyring_value, single_key
from ledger.log.merkle import Frontier, leaf_hash, root_hash
from ledger.log.statement import check_commitment
from ledger.log.tiles import TILE_WIDTH, Tile, bundle_path, format_bundle, tile_path
from ledger.log.timestamp import stamped_bytes
from ledger.material.key_entries import LogKeyAdded
from ledger.material.keys import followed
from ledger.service.append import Progress
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger
from ledger.service.log_keys import key_entries, log_keyring
from ledger.store import repository
from ledger.store.checkpoint_rows import entry_data, leaf_rows, newest_checkpoint
from ledger.store.database import read_transaction
from ledger.store.timestamp_rows import timestamps

PACK_FORMAT = "magnet-ledger-audit-pack"
PACK_VERSION = 1

MAX_LINE_BYTES = 2**20
"""Of a line that the verifier reads."""

_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a ZIP file can state."""

_UNIX = 3


@dataclass(frozen=True)
class PackSummary:
    """What a pack holds. left_out: entries after its checkpoint, which could not be signed here. size: in bytes."""

    tree_size: int
    left_out: int
    checkpoints: int
    timestamps: int
    disclosed_fields: int
    size: int = 0


def export_pack(
    ledger: Ledger, path: Path, disclosures: Iterable[Disclosure] = (), progress: Progress | None = None
) -> PackSummary:
    """Write the audit pack of the log to `path`. Signs a checkpoint first, where the log's key is here.

    disclosures: private values that the reader is to see; none are in the pack otherwise.
    progress: called with the number of entries written and of all.
    Raises: StoreError if the file exists or cannot be written, there is no checkpoint and no key to sign one, or no
    entry; InputError if a disclosure is of another log or not what its entry commits to; RootMismatchError or
    BrokenLinkError if the entries are not those that were signed. No file is left then.
    """
    if ledger.log_key is not None:
        make_checkpoint(ledger, full=False)
    with read_transaction(ledger.engine) as connection, _new_file(path) as file:
        newest = newest_checkpoint(connection, ledger.origin)
        if newest is None:
            expected = "a checkpoint, or the log's key to sign one"
            raise StoreError(problem("/checkpoint", None, expected, "Type: magnet-ledger log checkpoint"))
        checkpoint = log_keyring(ledger, connection).signers(newest[1]).checkpoint
        keyring = _history(ledger, connection, newest[1], checkpoint.tree_size)
        shown = _merged(connection, ledger.origin, checkpoint.tree_size, disclosures)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            summary = _Writer(ledger, connection, archive, checkpoint).write(newest[1], keyring, shown, progress)
        return replace(summary, size=file.tell())


class _Writer:
    """Writes the members, and keeps what the manifest says of each."""

    def __init__(
        self, ledger: Ledger, connection: Connection, archive: zipfile.ZipFile, checkpoint: Checkpoint
    ) -> None:
        self.ledger = ledger
        self.origin = ledger.origin
        self.connection = connection
        self.archive = archive
        self.checkpoint = checkpoint
        self.members: list[dict[str, Json]] = []

    def write(
        self, note: str, keyring: Keyring, disclosures: Sequence[Disclosure], progress: Progress | None
    ) -> PackSummary:
        """All of it."""
        size = self.checkpoint.tree_size
        notes = {at: kept for at, kept in repository.checkpoints(self.connection, self.origin).items() if at <= size}
        readme = Template(_data("readme.md").decode("utf-8"))
        self._add("README.md", readme.substitute(origin=self.origin, tree_size=size).encode("utf-8"))
        self._add("verify.py", _data("verify.py"))
        self._add("checkpoint", note.encode("utf-8"))
        self._add_lines("checkpoints.jsonl", ({"note": kept, "tree_size": at} for at, kept in notes.items()))
        self._add("keys.json", canonical_bytes(keyring_value(keyring)))
        self._add("witnesses.json", canonical_bytes(_policy_value(self.ledger.witnesses)))
        self._add_lines("disclosed.jsonl", (one.to_value() for one in disclosures))
        tokens = self._add_timestamps(notes)
        self._add_tiles(progress)
        counts = {
            "entries": size,
            "checkpoints": len(notes),
            "timestamps": tokens,
            "disclosed_fields": sum(len(one.fields) for one in disclosures),
        }
        manifest: dict[str, Json] = {
            "v": PACK_VERSION,
            "format": PACK_FORMAT,
            "origin": self.origin,
            "tree_size": size,
            "root": self.checkpoint.root.hex(),
            "counts": dict(counts),
            "members": list(self.members),
        }
        self._add("manifest.json", canonical_bytes(manifest))
        left_out = repository.read_head(self.connection, self.origin).tree_size - size
        return PackSummary(size, left_out, len(notes), tokens, counts["disclosed_fields"])

    def _add_timestamps(self, notes: dict[int, str]) -> int:
        """The tokens, numbered for each size in the order of their authorities' addresses. Returns how many."""
        numbers: dict[int, int] = {}
        for kept in timestamps(self.connection, self.origin):
            if kept.tree_size in notes:
                number = numbers.get(kept.tree_size, 0)
                if number == 0:
                    self._add(f"timestamps/{kept.tree_size}.txt", stamped_bytes(notes[kept.tree_size]))
                self._add(f"timestamps/{kept.tree_size}-{number}.tsr", kept.token)
                numbers[kept.tree_size] = number + 1
        return sum(numbers.values())

    def _add_tiles(self, progress: Progress | None) -> None:
        """Bundles and tiles as the entries come, a level's tile as soon as it is full, the partial ones at the end.

        Raises: RootMismatchError unless the entries are those of the checkpoint.
        """
        size = self.checkpoint.tree_size
        rows: list[list[bytes]] = [[]]
        full: list[int] = [0]
        entries: list[bytes] = []
        tree = Frontier()
        expected = 0
        for seq, _, data in leaf_rows(self.connection, self.origin, 0, size):
            if seq != expected:
                break
            expected += 1
            entries.append(data)
            if len(entries) < TILE_WIDTH and expected < size:
                continue
            leaves = [leaf_hash(entry) for entry in entries]
            self._add(bundle_path(full[0], len(entries)), format_bundle(entries))
            tree = tree.extend(leaves)
            level, row = 0, leaves
            while True:
                rows[level] += row
                if len(rows[level]) < TILE_WIDTH:
                    break
                self._add(tile_path(Tile(level, full[level])), b"".join(rows[level]))
                row, rows[level] = [root_hash(rows[level])], []
                full[level] += 1
                level += 1
                if level == len(rows):
                    rows.append([])
                    full.append(0)
            entries = []
            if progress is not None:
                progress(expected, size)
        for level, row in enumerate(rows):
            if row:
                self._add(tile_path(Tile(level, full[level], len(row))), b"".join(row))
        if tree.tree_size != size or tree.root() != self.checkpoint.root:
            raise RootMismatchError(
                problem(
                    "/root",
                    f"{tree.tree_size} entries with root {tree.root().hex()}",
                    f"what was signed: {size} entries with root {self.checkpoint.root.hex()}",
                    "Nothing was exported. Run `magnet-ledger log verify` to see what was changed.",
                )
            )

    def _add_lines(self, name: str, values: Iterable[dict[str, Json]]) -> None:
        """A member of one canonical JSON object a line."""
        digest, size = hashlib.sha256(), 0
        with self.archive.open(_info(name), "w") as member:
            for value in values:
                line = canonical_bytes(value) + b"\n"
                if len(line) > MAX_LINE_BYTES:
                    expected = f"lines of at most {MAX_LINE_BYTES} bytes"
                    raise InputError(problem(f"/{name}", f"{len(line)} bytes", expected, "Disclose fewer fields."))
                member.write(line)
                digest.update(line)
                size += len(line)
        self.members.append({"name": name, "bytes": size, "sha256": digest.hexdigest()})

    def _add(self, name: str, data: bytes) -> None:
        self.archive.writestr(_info(name), data)
        self.members.append({"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def _info(name: str) -> zipfile.ZipInfo:
    """What a member's header says: nothing of this machine."""
    info = zipfile.ZipInfo(name, _DATE)
    info.create_system = _UNIX
    info.external_attr = 0o644 << 16
    return info


def _data(name: str) -> bytes:
    return files("ledger.pack").joinpath(name).read_bytes()


def _policy_value(policy: WitnessPolicy) -> dict[str, Json]:
    return {"v": 1, "needed": policy.needed, "witnesses": [format_witness_vkey(one) for one in policy.witnesses]}


def _history(ledger: Ledger, connection: Connection, note: str, tree_size: int) -> Keyring:
    """The history of the log's keys as its first tree_size entries give it, from its first key on."""
    entries = [entry for entry in key_entries(connection, ledger.origin) if entry[0] < tree_size]
    added = [body for _, _, body in entries if isinstance(body, LogKeyAdded)]
    signed_by = log_keyring(ledger, connection).signers(note).keys[0].vkey
    return followed(single_key(parse_vkey(added[0].old_vkey) if added else signed_by), entries)


def _merged(connection: Connection, origin: str, tree_size: int, disclosures: Iterable[Disclosure]) -> list[Disclosure]:
    """One disclosure an entry, by rising number, each checked against its entry."""
    merged: dict[int, Disclosure] = {}
    for one in disclosures:
        if one.log != origin or one.seq >= tree_size:
            found, expected = f"entry {one.seq} of log {one.log}", f"an entry of {origin} below {tree_size}"
            raise InputError(problem("/disclose", found, expected, "Disclose fields of this log."))
        commit = parse_envelope(entry_data(connection, origin, one.seq)).statement.commit
        for name, field in one.fields.items():
            if name not in commit or not check_commitment(commit[name], field.salt, field.value):
                expected = f"what entry {one.seq} commits to"
                raise InputError(problem(f"/disclose/{one.seq}/{name}", "another value", expected, "Disclose it anew."))
        known = merged.get(one.seq)
        fields = {**known.fields, **one.fields} if known is not None else dict(one.fields)
        merged[one.seq] = Disclosure(origin, one.seq, fields)
    return [merged[seq] for seq in sorted(merged)]


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that did not exist before; taken away again if the block fails. Raises: StoreError."""
    try:
        file = path.open("xb")
    except OSError as error:
        expected = "a file that does not exist yet, in a folder that can be written"
        raise StoreError(problem("/pack", f"{path}: {error.strerror}", expected, "Choose another name.")) from error
    try:
        with file:
            yield file
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreError(problem("/pack", f"{path}: {error}", "a disk with room", "Make room.")) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
