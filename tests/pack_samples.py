"""A log with everything that a pack can hold, and what auditors and forgers do with a pack: take apart, put together.

The log has 300 entries, so that a tile is full and level 1 has one: two actors, one of whom changes the key; a log key
that hands over to another and is retired; witnesses, time stamps and private fields.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.canonical import canonical_bytes
from ledger.log.checkpoint import format_vkey
from ledger.log.cosignature import WitnessPolicy, add_signature_lines
from ledger.log.keyring import sign_handover
from ledger.log.merkle import leaf_hash, root_hash
from ledger.log.tiles import TILE_WIDTH, bundle_path, bundles_of, format_bundle, parse_bundle, tile_path, tiles_of
from ledger.log.timestamp import stamped_bytes
from ledger.material.keys import possession_bytes
from ledger.service.append import Draft, append_entries, register_actor
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger, make_actor
from ledger.service.pack import export_pack
from ledger.service.private_fields import disclose
from ledger.store.checkpoint_rows import keep_checkpoint
from ledger.store.database import write_transaction
from ledger.store.timestamp_rows import KeptTimestamp, keep_timestamp
from tests.store_samples import ACTOR, LOG_KEY, ORIGIN, STRANGER, VKEY, make_ledger, receipt, start_log
from tests.witness_samples import WITNESSES, line_of

SECOND_LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(192, 224)))
SECOND_VKEY = format_vkey(ORIGIN, SECOND_LOG_KEY.public_key())
SECOND_ACTOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(160, 192)))
NEW_ACTOR = make_actor(ACTOR.actor, SECOND_ACTOR_KEY)

SIZE = 300
REGISTERED, HANDED_OVER, ROTATED, RETIRED = 3, 4, 6, 8
"""Entries: the second actor's key; the log's second key; the first actor's new key; the end of the log's first key."""

SIZES = (4, 7, 260, SIZE)
"""Tree sizes with a checkpoint: by the first log key, by both, by the second, by the second."""


def base64_text(data: bytes) -> str:
    """`data` in base64."""
    return base64.b64encode(data).decode("ascii")


def make_full_log(url: str, folder: Path, stamp: Callable[[bytes], bytes]) -> Ledger:
    """The log in the database at `url`. stamp: gives the time stamp response over bytes."""
    ledger = make_ledger(url, folder)
    ledger.next_log_key = SECOND_LOG_KEY
    ledger.witnesses = WitnessPolicy(2, WITNESSES)
    start_log(ledger)
    register_actor(ledger, STRANGER, ACTOR, "laboratory")
    _checkpoint(ledger, (), None)
    signatures = sign_handover(ORIGIN, LOG_KEY, SECOND_LOG_KEY, HANDED_OVER + 1)
    handover = {
        "vkey": SECOND_VKEY,
        "old_vkey": VKEY,
        "from_size": HANDED_OVER + 1,
        "old_signature": base64_text(signatures[0]),
        "new_signature": base64_text(signatures[1]),
    }
    rotation = {
        "old_kid": ACTOR.kid,
        "kid": NEW_ACTOR.kid,
        "public_key": base64_text(SECOND_ACTOR_KEY.public_key().public_bytes_raw()),
        "actor": ACTOR.actor,
        "proof": base64_text(SECOND_ACTOR_KEY.sign(possession_bytes(ACTOR.actor, ACTOR.kid, NEW_ACTOR.kid))),
    }
    append_entries(ledger, [Draft("log_key_added", handover), receipt("IN-5")], ACTOR)
    append_entries(ledger, [Draft("actor_key_rotated", rotation)], ACTOR)
    _checkpoint(ledger, (), None)
    retired = Draft("log_key_retired", {"vkey": VKEY, "to_size": RETIRED + 1})
    append_entries(ledger, [receipt("IN-7"), retired], NEW_ACTOR)
    append_entries(ledger, [receipt(f"IN-{seq}") for seq in range(RETIRED + 1, 260)], NEW_ACTOR)
    _checkpoint(ledger, (0,), stamp)
    append_entries(ledger, [receipt(f"IN-{seq}") for seq in range(260, SIZE)], NEW_ACTOR)
    _checkpoint(ledger, (0, 2), stamp)
    return ledger


def _checkpoint(ledger: Ledger, witnesses: Sequence[int], stamp: Callable[[bytes], bytes] | None) -> None:
    """A checkpoint, co-signed by these of WITNESSES and stamped."""
    note = make_checkpoint(ledger)
    size = int(note.split("\n")[1])
    note = add_signature_lines(note, [line_of(one, note) for one in witnesses])
    with write_transaction(ledger.engine) as connection:
        keep_checkpoint(connection, ORIGIN, size, note)
        if stamp is not None:
            token = stamp(stamped_bytes(note))
            keep_timestamp(connection, ORIGIN, KeptTimestamp(size, "http://tsa", token, "2026-05-04T09:00:00.000000Z"))


def export_full_pack(ledger: Ledger, path: Path) -> bytes:
    """The pack of that log, which discloses a private field of entry 1."""
    export_pack(ledger, path, [disclose(ledger, 1, ["name"])])
    return path.read_bytes()


# A pack in parts


Members = dict[str, bytes]
"""Members of a pack by name, in order."""


def take_apart(pack: bytes) -> Members:
    """The members of a pack."""
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def put_together(members: Mapping[str, bytes] | Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    """The pack with these members, written as the export writes them."""
    buffer = io.BytesIO()
    pairs = list(members.items()) if isinstance(members, Mapping) else members
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in pairs:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr, info.compress_type = 3, 0o644 << 16, method
            archive.writestr(info, data)
    return buffer.getvalue()


def with_manifest(members: Members, **changes: Any) -> Members:
    """The members with a manifest that lists them as they are. changes: of what else it says."""
    manifest = json.loads(members["manifest.json"]) | changes
    rest = {name: data for name, data in members.items() if name != "manifest.json"}
    manifest["members"] = [
        {"name": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in rest.items()
    ]
    return rest | {"manifest.json": canonical_bytes(manifest)}


def entries_in(members: Members) -> list[bytes]:
    """The bytes of every entry."""
    size = json.loads(members["manifest.json"])["tree_size"]
    return [
        entry
        for bundle in bundles_of(size)
        for entry in parse_bundle(members[bundle_path(bundle.index, bundle.width)], bundle.width)
    ]


def with_entries(members: Members, entries: Sequence[bytes]) -> Members:
    """The members with these entries, and tiles and manifest made anew for them; checkpoints stay as they are."""
    manifest = json.loads(members["manifest.json"])
    made = {name: data for name, data in members.items() if not name.startswith("tile/")}
    for bundle in bundles_of(len(entries)):
        start = bundle.index * TILE_WIDTH
        made[bundle_path(bundle.index, bundle.width)] = format_bundle(entries[start : start + bundle.width])
    leaves = [leaf_hash(entry) for entry in entries]
    for tile in tiles_of(len(entries)):
        width = TILE_WIDTH**tile.level
        first = tile.index * TILE_WIDTH
        hashes = [root_hash(leaves[place * width : (place + 1) * width]) for place in range(first, first + tile.width)]
        made[tile_path(tile)] = b"".join(hashes)
    made = {name: data for name, data in made.items() if name != "manifest.json"} | {
        "manifest.json": members["manifest.json"]
    }
    counts = manifest["counts"] | {"entries": len(entries)}
    return with_manifest(made, tree_size=len(entries), root=root_hash(leaves).hex(), counts=counts)


def relinked(entries: Sequence[bytes]) -> list[bytes]:
    """The entries with numbers and links that fit, statements and signatures as they are: what a forger mends first."""
    made: list[bytes] = []
    prev = "0" * 64
    for seq, entry in enumerate(entries):
        made.append(canonical_bytes(json.loads(entry) | {"seq": seq, "prev": prev}))
        prev = leaf_hash(made[-1]).hex()
    return made


def notes_in(members: Members) -> list[str]:
    """Every checkpoint."""
    return [json.loads(line)["note"] for line in members["checkpoints.jsonl"].splitlines()]


def with_notes(members: Members, notes: Sequence[str]) -> Members:
    """The members with these checkpoints, the last one as the newest, and a manifest that fits."""
    lines = [canonical_bytes({"note": note, "tree_size": int(note.split("\n")[1])}) + b"\n" for note in notes]
    changed = members | {"checkpoints.jsonl": b"".join(lines), "checkpoint": notes[-1].encode()}
    counts = json.loads(members["manifest.json"])["counts"] | {"checkpoints": len(notes)}
    return with_manifest(changed, counts=counts)


@dataclass(frozen=True)
class Sample:
    """A good pack in parts."""

    members: Members = field(repr=False)

    @property
    def entries(self) -> list[bytes]:
        """The bytes of every entry."""
        return entries_in(self.members)

    @property
    def notes(self) -> list[str]:
        """Every checkpoint."""
        return notes_in(self.members)
