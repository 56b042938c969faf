#!/usr/bin/env python3
"""Check an audit pack of a Magnet Ledger log, with Python 3.11 or newer, the library `cryptography`, and this one file.

    python verify.py pack.zip --vkey 'ledger.example.com/belfast+1a2b3c4d+AX...'

It recomputes everything that the pack claims: every entry's form, place, link and signature, every tile of the tree,
every checkpoint. What is wrong is named by sequence number and field; what could not be checked is said to be so.

    --vkey KEY          the log's verifier key, from the log's owner and NOT from the pack (may be repeated). Without it
                        the pack is checked against its own keys only, which a forger would have made too.
    --previous FILE     a checkpoint of this log that you kept from an earlier visit. It alone shows that history was
                        rewritten, or the tail cut off, by somebody who holds the log's key.
    --witness KEY       verifier key of a witness that you trust (may be repeated); --needed K, how many must sign.
    --entry SEQ         also print this entry and the proof that it is in the log (C2SP tlog-proof).
    --jobs N            processes that check entries (default: one for each processor).
    --json              the report as JSON.

Take this program from a release that you trust, not from the pack: whoever forges a pack may change the copy in it.
Exit code: 0 nothing failed and every required check was made; 1 something failed; 2 wrong use; 3 cannot run here.
The formats are those of docs/log-format.md; the numbers of sections below are that document's.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import io
import json
import os
import re
import struct
import sys
import zipfile
from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stderr.write("This program needs the library cryptography. Type: python -m pip install cryptography\n")
    raise SystemExit(3) from None

VERSION = "1.0"

# Limits. The work that a pack can cause is bounded by its size in bytes (nothing in it is compressed), memory by these.
MAX_MEMBERS = 200_000  # enough for 25 million entries
MAX_DIRECTORY_BYTES = 16 * 2**20
MAX_MANIFEST_BYTES = 32 * 2**20
MAX_FILE_BYTES = 2**20  # of keys, witnesses, README and so on
MAX_LINE_BYTES = 2**20
MAX_ENTRY_BYTES = 65_535
MAX_NOTE_CHARS = 131_072
MAX_SIGNATURES = 64
MAX_DEPTH = 64
MAX_INTEGER = 2**53 - 1
MAX_FINDINGS = 1_000
MAX_SKEW_SECONDS = 600  # that a witness's clock may be ahead of this computer's
MAX_KEYS_SENT = 1_000  # to another process with each bundle
TILE_WIDTH = 256
MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES)

# --- the report -------------------------------------------------------------------------------------------------------

CHECKS = {
    "container": "the file is a ZIP of plain members, none hidden, double, compressed or of a foreign name",
    "manifest": "the members are those that the manifest lists, with its sizes, hashes and counts",
    "verifier": "the pack's copy of verify.py is this program",
    "log-keys": "the history of the log's keys is the one that its entries give",
    "entry-form": "every entry is in canonical form and has the members it must have",
    "entry-origin": "every entry names this log",
    "entry-sequence": "sequence numbers run from 0 without gap",
    "entry-link": "every entry names the hash of the one before it",
    "entry-time": "times of receipt never fall",
    "entry-key": "every entry's key was registered for its actor by an earlier entry",
    "entry-signature": "every statement is signed by the key it names",
    "compromised-keys": "no entry is signed by a key that somebody else may have held by then",
    "entry-repeated": "no statement stands in the log twice",
    "tiles": "the tiles of every level are those of the entries",
    "checkpoint-form": "every checkpoint is a note of this log, sizes rise, the newest has the size of the log",
    "checkpoint-root": "every checkpoint states the root of the entries up to its size, so each extends the last",
    "checkpoint-signature": "every checkpoint is signed by a key of the log that was valid at its size",
    "trusted-key": "the log's keys are those that you gave",
    "previous-checkpoint": "the log begins with the entries of the checkpoint that you kept",
    "cosignatures": "every cosignature by a known witness holds",
    "witness-policy": "enough witnesses have signed the newest checkpoint",
    "trusted-witnesses": "the witnesses' keys are those that you gave",
    "timestamps": "every time stamp is over the checkpoint that it lies beside",
    "timestamp-signature": "every time stamp is signed by an authority that you trust",
    "disclosed-fields": "every disclosed private value is what its entry commits to",
    "meaning": "what the entries say is true",
}
"""Every check in the order of the report, and what is true when it passed."""


class Finding(NamedTuple):
    """Something that does not hold. seq: entry concerned. field: JSON pointer into the entry, or place in the pack."""

    check: str
    seq: int | None
    field: str
    detail: str


class Report:
    """What each check came to. A check of which nothing was said was not made, and that is what the report says."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.failed: Counter[str] = Counter()
        self.passed: dict[str, str] = {}
        self.skipped: dict[str, tuple[str, bool]] = {}

    def fail(self, check: str, detail: str, seq: int | None = None, field: str = "") -> None:
        """A finding. Only the first MAX_FINDINGS are kept; all are counted."""
        self.failed[check] += 1
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(check, seq, printable(field), printable(detail)))

    def hold(self, check: str, how_many: str = "") -> None:
        """The check was made of everything; it passed unless there is a finding."""
        self.passed[check] = CHECKS[check] + (f" ({how_many})" if how_many else "")

    def skip(self, check: str, why: str, *, required: bool = False) -> None:
        """The check was not made. required: the verdict cannot be positive without it."""
        self.skipped[check] = (printable(why), required)

    def lines(self) -> Iterator[tuple[str, str, str, bool]]:
        """(check, outcome, detail, required) of every check."""
        for check in CHECKS:
            if self.failed[check]:
                yield check, "failed", f"{self.failed[check]} finding(s)", True
            elif check in self.skipped:
                yield check, "not checked", *self.skipped[check]
            elif check in self.passed:
                yield check, "passed", self.passed[check], True
            else:
                yield check, "not checked", "it could not be, because of what failed", True

    def verdict(self) -> str:
        """verified, or not verified; consistent if all holds but the log's keys were compared with nothing."""
        lines = list(self.lines())
        if any(outcome == "failed" or (outcome == "not checked" and required) for _, outcome, _, required in lines):
            return "not verified"
        return "verified" if "trusted-key" in self.passed else "consistent"


def printable(text: str, most: int = 500) -> str:
    """Text from a hostile file, made safe for a terminal."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text[:most])


class RefusedError(Exception):
    """Something is not of its form. field: where in it. seq: the first entry that cannot be had because of it."""

    def __init__(self, field: str, detail: str, seq: int | None = None) -> None:
        super().__init__(field, detail)
        self.field = field
        self.detail = detail
        self.seq = seq


# --- canonical form (section 1) ---------------------------------------------------------------------------------------

KEY = re.compile(r"[a-z][a-z0-9_]*")
SURROGATE = re.compile("[\ud800-\udfff]")


class OddNumber(str):
    """A number with a fraction or exponent, NaN or Infinity, as it was spelled."""


def canonical(value: object) -> bytes:
    """The canonical form of a value of the profile: keys sorted, no white space, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def read_canonical(data: bytes) -> Any:
    """The value whose canonical form `data` is. Raises: RefusedError, naming the place of what is no part of one."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, parse_float=OddNumber, parse_constant=OddNumber)
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, or a number of thousands of digits
        raise RefusedError("", f"not JSON in UTF-8: {error}") from None
    check_profile(value, 0)
    if canonical(value) != data:
        json.loads(text, object_pairs_hook=refuse_double_key)
        raise RefusedError("", "not canonical: white space, keys out of order, or another spelling of a text or number")
    return value


def check_profile(value: object, depth: int) -> None:
    """Raises: RefusedError at the first thing that has no canonical form."""
    if isinstance(value, OddNumber):
        raise RefusedError("", f"{value:.40} is not an integer")
    if isinstance(value, str):
        if not value.isascii() and SURROGATE.search(value):
            raise RefusedError("", "text with an unpaired surrogate")
    elif isinstance(value, dict | list):
        if depth == MAX_DEPTH:
            raise RefusedError("", f"nested deeper than {MAX_DEPTH}")
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(key, str) and not KEY.fullmatch(key):
                raise RefusedError(f"/{key}", "a key that is not in lower snake case")
            try:
                check_profile(item, depth + 1)
            except RefusedError as refused:
                raise RefusedError(f"/{key}{refused.field}", refused.detail) from None
    elif isinstance(value, int) and not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise RefusedError("", "an integer beyond 2^53-1")


def refuse_double_key(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object of these pairs. Raises: RefusedError if a key is there twice."""
    key, count = Counter(key for key, _ in pairs).most_common(1)[0] if pairs else ("", 1)
    if count > 1:
        raise RefusedError(f"/{key}", "a key that stands twice in one object")
    return dict(pairs)


# --- small forms ------------------------------------------------------------------------------------------------------

ORIGIN = re.compile(r"(?!.*://)[!-*,-~]{1,255}")
HASH = re.compile(r"[0-9a-f]{64}")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
COUNT = re.compile(r"0|[1-9][0-9]{0,15}")
TYPE = re.compile(r"(?=.{1,64}\Z)[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
ACTOR = re.compile(r"[!-~]{1,128}")
KEY_ID = re.compile(r"[0-9a-f]{16}")


def members(value: Any, names: str, pointer: str) -> dict[str, Any]:
    """`value`, if it is an object with exactly these keys (and v = 1). Raises: RefusedError."""
    wanted = set(names.split())
    if not isinstance(value, dict):
        raise RefusedError(pointer, "not an object")
    for name in sorted(wanted ^ value.keys()):
        raise RefusedError(f"{pointer}/{name}", "missing" if name in wanted else "a member that it must not have")
    if "v" in wanted and (type(value["v"]) is not int or value["v"] != 1):
        raise RefusedError(f"{pointer}/v", "another version than 1")
    return value


def text(form: re.Pattern[str], value: Any, pointer: str) -> str:
    """`value`, if it is text of this form. Raises: RefusedError."""
    if not isinstance(value, str) or not form.fullmatch(value):
        raise RefusedError(pointer, f"{value!r:.80} is not of its form")
    return value


def time(value: Any, pointer: str) -> str:
    """`value`, if it is a time in UTC with six digits: text order is time order. Raises: RefusedError."""
    try:
        datetime.fromisoformat(text(TIME, value, pointer))
    except ValueError:
        raise RefusedError(pointer, f"{value!r:.40} is no time") from None
    return str(value)


def number(value: Any, pointer: str) -> int:
    """`value`, if it is a count. Raises: RefusedError."""
    if type(value) is not int or not 0 <= value <= MAX_INTEGER:
        raise RefusedError(pointer, f"{value!r:.40} is no count")
    return value


def decoded(value: Any, pointer: str, length: int | None = None) -> bytes:
    """The bytes that base64 text spells, in its one spelling. Raises: RefusedError."""
    try:
        data = base64.b64decode(value, validate=True)
    except (TypeError, ValueError):  # binascii.Error is a ValueError
        data = None
    if data is None or base64.b64encode(data).decode("ascii") != value or length not in (None, len(data)):
        raise RefusedError(pointer, f"not base64{f' of {length} bytes' if length else ''}")
    return data


@lru_cache(maxsize=4096)
def ed25519(public_key: bytes) -> Ed25519PublicKey:
    """The key with these 32 bytes."""
    return Ed25519PublicKey.from_public_bytes(public_key)


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the Ed25519 signature holds (RFC 8032); never under bytes that are no key."""
    try:
        ed25519(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def signed_message(kind: str, payload: bytes) -> bytes:
    """What a signature covers: pre-authentication encoding of DSSE, version 1.0.0."""
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(payload), payload)


# --- entries (sections 2 and 3) ---------------------------------------------------------------------------------------


class Entry(NamedTuple):
    """What is needed of an entry after its form was checked.

    id_hash: first 8 bytes of the SHA-256 of the statement's id. body: of entries about keys alone. commit: commitments.
    signed: whether the signature holds, None if the key was not known yet; then key id, signature and message tell.
    """

    log: str
    seq: int
    prev: str
    recv: str
    type: str
    id_hash: int
    actor: str
    kid: str
    body: dict[str, Any] | None
    commit: dict[str, str]
    signed: bool | None
    signature: bytes
    message: bytes


KEY_BODIES = {
    "actor_key": "schema kid public_key actor role",
    "actor_key_rotated": "schema old_kid kid public_key actor proof",
    "log_key_added": "schema vkey old_vkey from_size old_signature new_signature",
    "log_key_retired": "schema vkey to_size",
    "key_revoked": "schema kind key reason",
}
"""Types of entry that say which key may sign what from the next entry on, and the members of their bodies."""


def read_entry(data: bytes, keys: Mapping[str, bytes]) -> Entry:
    """The entry with these bytes. keys: public keys by id, as far as they are known. Raises: RefusedError."""
    envelope = members(read_canonical(data), "v log seq prev recv stmt sig", "")
    statement = members(envelope["stmt"], "v type id at actor kid body commit refs", "/stmt")
    for name, form in (("type", TYPE), ("id", UUID7), ("actor", ACTOR), ("kid", KEY_ID)):
        text(form, statement[name], f"/stmt/{name}")
    time(statement["at"], "/stmt/at")
    if not isinstance(statement["body"], dict):
        raise RefusedError("/stmt/body", "not an object")
    if not isinstance(statement["commit"], dict) or not isinstance(statement["refs"], list):
        raise RefusedError("/stmt/refs" if isinstance(statement["commit"], dict) else "/stmt/commit", "not of its kind")
    for name, value in statement["commit"].items():
        text(HASH, value, f"/stmt/commit/{name}")
    for place, value in enumerate(statement["refs"]):
        text(HASH, value, f"/stmt/refs/{place}")
    signature = decoded(envelope["sig"], "/sig", 64)
    message = signed_message("application/vnd.magnet-ledger.statement+json", canonical(statement))
    key = keys.get(statement["kid"])
    return Entry(
        log=text(ORIGIN, envelope["log"], "/log"),
        seq=number(envelope["seq"], "/seq"),
        prev=text(HASH, envelope["prev"], "/prev"),
        recv=time(envelope["recv"], "/recv"),
        type=statement["type"],
        id_hash=id_hash(statement["id"]),
        actor=statement["actor"],
        kid=statement["kid"],
        body=statement["body"] if statement["type"] in KEY_BODIES else None,
        commit=statement["commit"],
        signed=None if key is None else is_signed(key, signature, message),
        signature=b"" if key is not None else signature,
        message=b"" if key is not None else message,
    )


def id_hash(statement_id: str) -> int:
    """A number for a statement's id, by which repeated ones are found."""
    return int.from_bytes(hashlib.sha256(statement_id.encode()).digest()[:8], "big")


def split_bundle(data: bytes, width: int) -> list[bytes]:
    """The entries in a bundle, each after its length in two bytes (C2SP tlog-tiles). Raises: RefusedError."""
    entries, start = [], 0
    for place in range(width):
        end = start + 2 + int.from_bytes(data[start : start + 2], "big")
        if end > len(data) or start + 2 > len(data):
            raise RefusedError(f"/{place}", f"the bundle ends inside entry {place} of {width}")
        entries.append(data[start + 2 : end])
        start = end
    if start != len(data):
        raise RefusedError(f"/{width}", f"{len(data) - start} bytes after the last of {width} entries")
    return entries


Examined = tuple[bytes, Entry | tuple[str, str]]
"""An entry's leaf hash, and the entry, or the field and detail of why it was refused."""


def examine(data: bytes, width: int, keys: Mapping[str, bytes]) -> list[Examined] | tuple[str, str]:
    """Every entry of a bundle; or field and detail if it is none. Runs in a process of its own."""
    examined: list[Examined] = []
    try:
        entries = split_bundle(data, width)
    except RefusedError as refused:
        return refused.field, refused.detail
    for entry in entries:
        try:
            examined.append((leaf_hash(entry), read_entry(entry, keys)))
        except RefusedError as refused:
            examined.append((leaf_hash(entry), (refused.field, refused.detail)))
    return examined


# --- the tree (section 4) ---------------------------------------------------------------------------------------------


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A growing tree: the roots of the whole subtrees that it is made of, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """One more leaf: it merges with as many peaks as the old size has ones at its end in binary."""
        merged, ones = leaf, self.size
        while ones & 1:
            merged = node_hash(self.peaks.pop(), merged)
            ones >>= 1
        self.peaks.append(merged)
        self.size += 1

    def root(self) -> bytes:
        """Root of the tree."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        found = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            found = node_hash(peak, found)
        return found


def tile_path(level: int | str, index: int, width: int) -> str:
    """Name of a tile (C2SP tlog-tiles): the index in groups of three digits, all but the last marked with an x."""
    groups = [f"{index % 1000:03d}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03d}")
    return f"tile/{level}/" + "/".join(reversed(groups)) + ("" if width == TILE_WIDTH else f".p/{width}")


def tiles_of(level: int, tree_size: int) -> Iterator[tuple[int, int]]:
    """(index, width) of every tile of a level of the tree."""
    count = tree_size >> (8 * level)
    for index in range(-(-count // TILE_WIDTH)):
        yield index, min(TILE_WIDTH, count - index * TILE_WIDTH)


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Root over a power of two of hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[place], row[place + 1]) for place in range(0, len(row), 2)]
    return row[0]


# --- notes (section 5) ------------------------------------------------------------------------------------------------

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
VERIFIER_KEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


class Note(NamedTuple):
    """A checkpoint as it stands, not verified. body: what is signed. lines: (key name, key hash, signature)."""

    origin: str
    size: int
    root: bytes
    body: bytes
    lines: list[tuple[str, bytes, bytes]]


class VerifierKey(NamedTuple):
    """A key that signs notes. text: as it is handed out."""

    text: str
    name: str
    key_hash: bytes
    public_key: bytes

    def signatures(self, note: Note) -> list[bytes]:
        """The note's signatures that claim to be by this key."""
        return [blob for name, key_hash, blob in note.lines if (name, key_hash) == (self.name, self.key_hash)]


def parse_note(note: str) -> Note:
    """The checkpoint that a signed note states. Raises: RefusedError unless it is one, in its one spelling."""
    lines = note.removesuffix("\n").split("\n")
    if len(note) > MAX_NOTE_CHARS or CONTROL.search(note) or not note.endswith("\n"):
        raise RefusedError("", "not a signed note")
    if len(lines) < 5 or lines[3] != "" or len(lines) - 4 > MAX_SIGNATURES:
        raise RefusedError("", "not three lines, an empty one and signature lines")
    signatures = []
    for line in lines[4:]:
        match = SIGNATURE_LINE.fullmatch(line)
        blob = decoded(match[2], "/signatures") if match else b""
        if match is None or len(blob) <= 4:
            raise RefusedError("/signatures", f"{line!r:.80} is no signature line")
        signatures.append((match[1], blob[:4], blob[4:]))
    size = int(text(COUNT, lines[1], "/tree_size"))
    root = decoded(lines[2], "/root", 32)
    body = "".join(f"{line}\n" for line in lines[:3])
    return Note(text(ORIGIN, lines[0], "/origin"), number(size, "/tree_size"), root, body.encode(), signatures)


def parse_verifier_key(key: Any, kind: int, field: str) -> VerifierKey:
    """The key that a verifier key text names. kind: 1 for a log, 4 for a witness. Raises: RefusedError."""
    match = VERIFIER_KEY.fullmatch(key) if isinstance(key, str) else None
    data = decoded(match[3], field, 33) if match else b""
    if match is None or data[0] != kind:
        raise RefusedError(
            field, f"{key!r:.80} is not a verifier key: name+key hash+base64 of {kind:#04x} and 32 bytes"
        )
    if hashlib.sha256(match[1].encode() + b"\n" + data).digest()[:4].hex() != match[2]:
        raise RefusedError(field, "the key hash is not that of name and key")
    return VerifierKey(match[0], match[1], bytes.fromhex(match[2]), data[1:])


# --- the container: a ZIP of plain members, read without unpacking ----------------------------------------------------

MOST_BYTES = {"manifest.json": MAX_MANIFEST_BYTES, "checkpoints.jsonl": 2**31 - 1, "disclosed.jsonl": 2**31 - 1}
MEMBER = re.compile(
    r"README\.md|checkpoint|keys\.json|verify\.py|witnesses\.json|manifest\.json|(checkpoints|disclosed)\.jsonl"
    r"|timestamps/([1-9][0-9]{0,15})(\.txt|-[0-9]{1,3}\.tsr)"
    r"|tile/(entries|[0-6])/(x[0-9]{3}/){0,5}[0-9]{3}(\.p/[1-9][0-9]{0,2})?"
)


STAMPED = re.compile(r"timestamps/([0-9]+)\.txt")


def most_bytes(name: str) -> int:
    """The size that a member may have."""
    if name.startswith("tile/"):
        return MAX_BUNDLE_BYTES if name.startswith("tile/entries/") else TILE_WIDTH * 32
    return MOST_BYTES.get(name, MAX_FILE_BYTES)


def open_container(file: BinaryIO, report: Report) -> dict[str, tuple[int, int]]:
    """Offset and size of every member. Findings go to the report; nothing may be read if there are any.

    The members must lie one after the other from the first byte to the directory, each exactly as its header says that
    the format writes it: stored, not encrypted, of the fixed date. So no byte is hidden and none can expand.
    Raises: RefusedError if the directory cannot be read.
    """
    directory = file_end = file.seek(0, os.SEEK_END)
    file.seek(max(0, file_end - 98))
    end = file.read(98)
    if len(end) < 22 or end[-22:-18] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        raise RefusedError("", "it does not end as a ZIP does: cut off, damaged, or something was added at the end")
    large = len(end) == 98 and end[-42:-38] == b"PK\x06\x07"  # ZIP64: 56 bytes of record, 20 of locator before the end
    length = struct.unpack("<Q", end[40:48])[0] if large else struct.unpack("<L", end[-10:-6])[0]
    if length > MAX_DIRECTORY_BYTES:
        raise RefusedError("", f"a directory of {length} bytes, more than {MAX_DIRECTORY_BYTES}")
    directory -= (98 if large else 22) + length
    try:
        with zipfile.ZipFile(file) as archive:
            infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError, struct.error) as error:
        raise RefusedError("", f"it cannot be read as a ZIP: {error}") from None
    places: dict[str, tuple[int, int]] = {}
    offset = 0
    for info in infos[:MAX_MEMBERS]:
        name, size = info.orig_filename, info.file_size
        if not MEMBER.fullmatch(name):
            report.fail("container", "no member of a pack has this name", field=name)
        elif name in places:
            report.fail("container", "two members of this name", field=name)
        elif size > most_bytes(name):
            report.fail("container", f"{size} bytes, more than {most_bytes(name)}", field=name)
            return {}
        encoded = name.encode()
        # Signature, version 2.0, no flags, stored, 1980-01-01, checksum, both sizes, length of name, nothing extra.
        wanted = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, info.CRC, size, size, len(encoded), 0)
        file.seek(offset)
        plain = (info.header_offset, info.flag_bits, info.compress_type, info.compress_size) == (offset, 0, 0, size)
        if not plain or file.read(30 + len(encoded)) != wanted + encoded:
            report.fail("container", "not stored plainly where the member before it ends", field=name)
            return {}
        places[name] = (offset + 30 + len(encoded), size)
        offset += 30 + len(encoded) + size
    if offset != directory or len(infos) > MAX_MEMBERS:
        report.fail("container", f"bytes that belong to no member, or more than {MAX_MEMBERS} members")
    return places


class Pack:
    """Members of the pack. What is read is compared with the manifest on the way; unread: what was not yet."""

    def __init__(self, file: BinaryIO, report: Report) -> None:
        self.file = file
        self.report = report
        self.places = open_container(file, report)
        self.listed: dict[str, tuple[int, str]] = {}
        self.unread = set(self.places) - {"manifest.json"}

    def read(self, name: str) -> bytes:
        """A member. Raises: RefusedError if there is none."""
        if name not in self.places:
            raise RefusedError(name, "missing")
        offset, size = self.places[name]
        self.file.seek(offset)
        data = self.file.read(size)
        self._compare(name, size, hashlib.sha256(data).hexdigest())
        return data

    def lines(self, name: str) -> Iterator[bytes]:
        """A member's lines, without their line feeds. Raises: RefusedError, where one is too long or not whole."""
        if name not in self.places:
            raise RefusedError(name, "missing")
        offset, size = self.places[name]
        end, digest, rest = offset + size, hashlib.sha256(), b""
        while offset < end:
            self.file.seek(offset)
            chunk = self.file.read(min(65_536, end - offset))
            offset += len(chunk)
            digest.update(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
            if len(rest) > MAX_LINE_BYTES or not chunk:
                raise RefusedError(name, f"a line of more than {MAX_LINE_BYTES} bytes")
        if rest:
            raise RefusedError(name, "the last line does not end")
        self._compare(name, size, digest.hexdigest())

    def value(self, name: str, keys: str) -> dict[str, Any]:
        """The JSON object in a member, with exactly these keys. Raises: RefusedError."""
        data = self.read(name)
        with within(name):
            return members(read_canonical(data), keys, "")

    def _compare(self, name: str, size: int, sha256: str) -> None:
        if name in self.unread:
            self.unread.discard(name)
            if name in self.listed and self.listed[name] != (size, sha256):
                self.report.fail("manifest", "not the bytes that the manifest lists", field=name)


@contextmanager
def within(name: str) -> Iterator[None]:
    """Puts the name of a file before the fields of what is refused inside."""
    try:
        yield
    except RefusedError as refused:
        raise RefusedError(f"{name}#{refused.field}" if refused.field else name, refused.detail) from None


# --- what the pack says of itself -------------------------------------------------------------------------------------


class Manifest(NamedTuple):
    """What the pack is a pack of. counts: how many things of each kind are in it."""

    origin: str
    tree_size: int
    root: str
    counts: dict[str, int]


def read_manifest(pack: Pack, report: Report) -> Manifest:
    """The manifest, compared with the members. Raises: RefusedError if it is none."""
    data = pack.read("manifest.json")
    # Reading JSON takes much memory for each of its parts, so they are counted first; a member of the pack has four.
    if data.count(b",") + data.count(b"[") + data.count(b"{") > 5 * MAX_MEMBERS:
        raise RefusedError("manifest.json", "more parts than a manifest can have")
    value = pack.value("manifest.json", "v format origin tree_size root counts members")
    with within("manifest.json"):
        if value["format"] != "magnet-ledger-audit-pack":
            raise RefusedError("/format", "not the manifest of an audit pack")
        counts = members(value["counts"], "entries checkpoints timestamps disclosed_fields", "/counts")
        for name, count in counts.items():
            number(count, f"/counts/{name}")
        if not isinstance(value["members"], list):
            raise RefusedError("/members", "not a list")
        for place, item in enumerate(value["members"]):
            members(item, "name bytes sha256", f"/members/{place}")
            name = text(MEMBER, item["name"], f"/members/{place}/name")
            if name in pack.listed:
                raise RefusedError(f"/members/{place}/name", "listed twice")
            size = number(item["bytes"], f"/members/{place}/bytes")
            pack.listed[name] = size, text(HASH, item["sha256"], f"/members/{place}/sha256")
        manifest = Manifest(
            text(ORIGIN, value["origin"], "/origin"),
            number(value["tree_size"], "/tree_size"),
            text(HASH, value["root"], "/root"),
            counts,
        )
    for name in sorted(pack.unread ^ pack.listed.keys()):
        report.fail("manifest", "missing" if name in pack.listed else "the manifest does not list it", field=name)
    return manifest


class LogKey(NamedTuple):
    """A key of the log and the tree sizes from_size <= size < to_size that it may sign; without end if that is None."""

    key: VerifierKey
    from_size: int
    to_size: int | None
    revoked: tuple[int, str] | None  # number of the entry that revokes it, and when that was received

    def signs(self, size: int) -> bool:
        """Whether it may sign a checkpoint of this size."""
        return self.from_size <= size and (self.to_size is None or size < self.to_size)


def read_log_keys(pack: Pack, origin: str) -> list[LogKey]:
    """The history of the log's keys as keys.json states it. Raises: RefusedError."""
    value = pack.value("keys.json", "v origin keys")
    keys: list[LogKey] = []
    with within("keys.json"):
        if value["origin"] != origin or not isinstance(value["keys"], list) or not 1 <= len(value["keys"]) <= 64:
            raise RefusedError("/origin" if value["origin"] != origin else "/keys", f"not 1 to 64 keys of {origin}")
        for place, item in enumerate(value["keys"]):
            pointer = f"/keys/{place}"
            members(item, "vkey from_size to_size revoked", pointer)
            key = parse_verifier_key(item["vkey"], 1, f"{pointer}/vkey")
            if key.name != origin or key in [other.key for other in keys]:
                raise RefusedError(f"{pointer}/vkey", "a key of another log, or one that stands there twice")
            from_size = number(item["from_size"], f"{pointer}/from_size")
            to_size = item["to_size"]
            if to_size is not None and number(to_size, f"{pointer}/to_size") <= from_size:
                raise RefusedError(f"{pointer}/to_size", "not above from_size")
            revoked = item["revoked"]
            if revoked is not None:
                members(revoked, "seq at", f"{pointer}/revoked")
                number(revoked["seq"], f"{pointer}/revoked/seq")
                revoked = (revoked["seq"], time(revoked["at"], f"{pointer}/revoked/at"))
            keys.append(LogKey(key, from_size, to_size, revoked))
    return keys


def read_witnesses(pack: Pack) -> tuple[int, list[VerifierKey]]:
    """How many of which witnesses must have signed, as the pack says. Raises: RefusedError."""
    value = pack.value("witnesses.json", "v needed witnesses")
    with within("witnesses.json"):
        needed = number(value["needed"], "/needed")
        if not isinstance(value["witnesses"], list) or not needed <= len(value["witnesses"]) <= 16:
            raise RefusedError("/witnesses", f"not {needed} to 16 keys")
        keys = [parse_verifier_key(item, 4, f"/witnesses/{n}") for n, item in enumerate(value["witnesses"])]
        if len({key.name for key in keys}) < len(keys) or len({key.public_key for key in keys}) < len(keys):
            raise RefusedError("/witnesses", "a name or key twice: who signs twice must not count twice")
    return needed, keys


# --- the walk: each of these looks at every entry in order, and says at the end what held -----------------------------


class Links:
    """Origin, place, link and time of each entry (section 7)."""

    def __init__(self, origin: str, report: Report) -> None:
        self.origin = origin
        self.report = report
        self.head, self.expected, self.last_time = "0" * 64, 0, ""

    def take(self, leaf: bytes, entry: Entry | None) -> None:
        """The next entry; None if it could not be read, so that it says nothing of its place."""
        place = self.expected
        if entry is not None:
            linked = entry.prev == self.head
            # An entry linked to the last one stands at its place, whatever its number. Any other was moved, or what
            # was before it: its own number is the best name that there is.
            place = self.expected if linked else entry.seq
            if entry.log != self.origin:
                self.report.fail("entry-origin", f"it belongs to log {entry.log}, not {self.origin}", place, "/log")
            if entry.seq != self.expected:
                detail = f"entry {entry.seq} stands where {self.expected} should: "
                detail += "its number was changed" if linked else "entries were removed, inserted or moved"
                self.report.fail("entry-sequence", detail, self.expected, "/seq")
            if not linked:
                detail = f"it names {entry.prev[:16]}... as hash of the entry before, which is {self.head[:16]}...: "
                self.report.fail("entry-link", detail + "one of the two was changed or moved", place, "/prev")
            if entry.recv < self.last_time:
                self.report.fail("entry-time", f"{entry.recv} is before {self.last_time}", place, "/recv")
            self.last_time = entry.recv
        self.expected = place + 1
        self.head = leaf.hex()

    def end(self) -> None:
        """All entries were looked at."""
        for check in ("entry-form", "entry-origin", "entry-sequence", "entry-link", "entry-time"):
            self.report.hold(check)


class ActorKey(NamedTuple):
    """A key that signs statements. until: the last entry that it may sign, None while it is in use."""

    actor: str
    role: str
    public_key: bytes
    until: int | None = None
    compromised: int | None = None  # the first entry at which somebody else may have held it
    registered: tuple[int, str] = (0, "")  # by which entry, signed with which key


class Signers:
    """Signatures, and the keys that the entries themselves register, replace and revoke: actors' and the log's."""

    def __init__(self, stated: list[LogKey], report: Report) -> None:
        self.report = report
        self.actors: dict[str, ActorKey] = {}
        self.known: dict[str, bytes] = {}  # public key by id, for the processes that check signatures
        self.stated = stated
        first = stated[0].key
        self.log: dict[str, LogKey] = {first.text: LogKey(first, 0, None, None)}
        self.handovers: list[tuple[str, str]] = []  # from which key to which
        self.revoked: set[tuple[str, str]] = set()  # kind and name
        self.last_used: dict[str, int] = {}  # the last entry that a key has signed, by id

    def take(self, seq: int, entry: Entry) -> None:
        """The entry at this place. The first entry of a log registers the key that signs it."""
        if first := seq == 0 and entry.type == "actor_key":
            self._key_entry(seq, entry)
        key = self.actors.get(entry.kid)
        if key is None or key.actor != entry.actor:
            self._refuse(seq, f"no earlier entry registers key {entry.kid} for {entry.actor}")
        elif key.until is not None and seq > key.until:
            self._refuse(seq, f"entry {key.until} ended the use of key {entry.kid}")
        if entry.type == "private_erased":
            self._by_operator(seq, entry)
        self.last_used[entry.kid] = seq
        signed = entry.signed
        if signed is None and key is not None:
            signed = is_signed(key.public_key, entry.signature, entry.message)
        if signed is False:
            self.report.fail("entry-signature", f"key {entry.kid} did not sign this statement", seq, "/sig")
        if entry.body is not None and not first:
            self._key_entry(seq, entry)

    def _refuse(self, seq: int, detail: str, field: str = "/kid") -> None:
        self.report.fail("entry-key", detail, seq, f"/stmt{field}")

    def _key_entry(self, seq: int, entry: Entry) -> None:
        """What an entry about keys changes, from the next entry on (section Keys)."""
        assert entry.body is not None
        try:
            names = KEY_BODIES[entry.type]
            if "compromised_from_seq" in entry.body:
                names += " compromised_from_seq"
            body = members({"schema": 1, **entry.body}, names, "")  # a body that states no schema is of schema 1
            if type(body["schema"]) is not int or body["schema"] != 1:
                raise RefusedError("/schema", "another version than 1")
            if entry.type == "actor_key_rotated":
                self._rotate(seq, entry, body)
                return
            if not (entry.type == "key_revoked" and body["key"] == entry.kid):
                self._by_operator(seq, entry)
            if entry.type == "actor_key":
                self._register(body, text(ACTOR, body["role"], "/role"), (seq, entry.kid))
            elif entry.type == "log_key_added":
                self._add(seq, body)
            elif entry.type == "log_key_retired":
                self._retire(seq, body)
            else:
                self._revoke(seq, entry.recv, body)
        except RefusedError as refused:
            self._refuse(seq, refused.detail, f"/body{refused.field}")

    def _by_operator(self, seq: int, entry: Entry) -> None:
        key = self.actors.get(entry.kid)
        if key is not None and key.role != "operator":
            self._refuse(seq, f"only an operator may say so; the role of key {entry.kid} is {key.role}")

    def _register(self, body: dict[str, Any], role: str, registered: tuple[int, str]) -> None:
        kid, actor = text(KEY_ID, body["kid"], "/kid"), text(ACTOR, body["actor"], "/actor")
        public_key = decoded(body["public_key"], "/public_key", 32)
        if hashlib.sha256(public_key).hexdigest()[:16] != kid or kid in self.actors:
            raise RefusedError("/kid", f"{kid} is not the id of this key, or was registered before")
        self.actors[kid] = ActorKey(actor, role, public_key, registered=registered)
        self.known[kid] = public_key

    def _rotate(self, seq: int, entry: Entry, body: dict[str, Any]) -> None:
        old = self.actors.get(str(body["old_kid"]))
        if old is None or old.actor != body["actor"] or body["old_kid"] != entry.kid or old.until is not None:
            raise RefusedError("/old_kid", "not the key that signs this entry, or not one in use")
        self._register(body, old.role, (seq, entry.kid))
        value = {"v": 1, "actor": body["actor"], "old_kid": body["old_kid"], "kid": body["kid"]}
        message = signed_message("application/vnd.magnet-ledger.actor-key-possession+json", canonical(value))
        if not is_signed(self.known[body["kid"]], decoded(body["proof"], "/proof", 64), message):
            raise RefusedError("/proof", "the new key did not sign this")
        self.actors[entry.kid] = old._replace(until=seq)

    def _add(self, seq: int, body: dict[str, Any]) -> None:
        old = self.log.get(str(body["old_vkey"]))
        new = parse_verifier_key(body["vkey"], 1, "/vkey")
        if old is None or not old.signs(seq + 1) or new.name != old.key.name:
            raise RefusedError("/old_vkey", "not a key of this log in use")
        if new.text in self.log or ("log", new.text) in self.revoked:
            raise RefusedError("/vkey", "not a new key")
        if body["from_size"] != seq + 1:
            raise RefusedError("/from_size", f"not {seq + 1}, the first size that holds this entry")
        value = {"v": 1, "origin": new.name, "old_vkey": old.key.text, "new_vkey": new.text, "from_size": seq + 1}
        message = signed_message("application/vnd.magnet-ledger.log-key-handover+json", canonical(value))
        for key, field in ((old.key, "old_signature"), (new, "new_signature")):
            if not is_signed(key.public_key, decoded(body[field], f"/{field}", 64), message):
                raise RefusedError(f"/{field}", "the handover is not signed by this key")
        self.log[new.text] = LogKey(new, seq + 1, None, None)
        self.handovers.append((old.key.text, new.text))

    def _retire(self, seq: int, body: dict[str, Any]) -> None:
        key = self.log.get(str(body["vkey"]))
        if key is None or sum(one.signs(seq + 1) for one in self.log.values()) < 2 or not key.signs(seq + 1):
            raise RefusedError("/vkey", "not a key of the log in use, or the only one")
        if body["to_size"] != seq + 1:
            raise RefusedError("/to_size", f"not {seq + 1}, the first size that holds this entry")
        self.log[key.key.text] = key._replace(to_size=seq + 1)

    def _revoke(self, seq: int, recv: str, body: dict[str, Any]) -> None:
        kind, name = str(body["kind"]), str(body["key"])
        actor, log = self.actors.get(name), self.log.get(name)
        if (kind, name) in self.revoked or kind not in ("actor", "log", "issuer", "witness"):
            raise RefusedError("/key", "revoked before, or not of a known kind")
        since = body.get("compromised_from_seq")
        if since is not None and number(since, "/compromised_from_seq") > seq:
            raise RefusedError("/compromised_from_seq", "after this entry")
        if kind == "actor" and actor is None:
            raise RefusedError("/key", "not a registered key")
        self.revoked.add((kind, name))
        if kind == "actor" and actor is not None:
            until = seq if actor.until is None else actor.until
            self.actors[name] = actor._replace(until=until, compromised=since)
        elif kind == "log" and log is not None:
            end = max(seq + 1, log.from_size + 1)
            self.log[name] = log._replace(to_size=min(end, log.to_size or end), revoked=(seq, recv))

    def _suspect(self) -> list[str]:
        """Keys that have signed entries that somebody else may have made, and from which entry on."""
        suspect = []
        for kid, key in list(self.actors.items()):  # in order of registration
            seq, by = key.registered
            taken = self.actors[by].compromised if by in self.actors else None
            if seq > 0 and taken is not None and seq >= taken:  # who took that key may have registered this one
                since = seq + 1 if key.compromised is None else min(seq + 1, key.compromised)
                key = self.actors[kid] = key._replace(compromised=since)
            if key.compromised is not None and self.last_used.get(kid, -1) >= key.compromised:
                suspect.append(f"from {key.compromised} on that key {kid}")
        return suspect

    def end(self) -> None:
        """All entries were looked at."""
        self.report.hold("entry-key", f"{len(self.actors)} keys of actors")
        self.report.hold("entry-signature")
        self.report.hold("compromised-keys")
        if suspect := self._suspect():
            why = f"who made the entries {', '.join(suspect)} signed cannot be told: it was revoked as one that "
            why += "somebody else may have held by then, or registered with such a key"
            self.report.skip("compromised-keys", why)
        for place, (stated, found) in enumerate(zip_longest(self.stated, self.log.values())):
            if stated != found:
                detail = f"keys.json states {ranged(stated)}; the entries, from its first key on, give {ranged(found)}"
                self.report.fail("log-keys", detail, field=f"keys.json#/keys/{place}")
        self.report.hold("log-keys", f"{len(self.stated)} keys")


def ranged(key: LogKey | None) -> str:
    """A key of the log in words."""
    if key is None:
        return "no such key"
    end = "on" if key.to_size is None else f"to {key.to_size - 1}"
    return f"{key.key.key_hash.hex()} for sizes {key.from_size} {end}" + (", revoked" if key.revoked else "")


class Repeats:
    """Statements that stand in the log twice, found by the ids' hashes: 8 bytes of memory for an entry."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.hashes = array("Q")

    def take(self, entry: Entry) -> None:
        """The next entry."""
        self.hashes.append(entry.id_hash)

    def end(self, pack: Pack, tree_size: int) -> None:
        """Look for repeated ones; only if there are any, all entries are read again to name them."""
        ordered = sorted(self.hashes)
        repeated = {one for one, following in pairwise(ordered) if one == following}
        seen: dict[str, int] = {}
        for position, data in enumerate(entries_of(pack, tree_size) if repeated else ()):
            try:
                statement_id = read_canonical(data)["stmt"]["id"]
            except (RefusedError, KeyError, TypeError):
                continue  # named already as malformed
            if isinstance(statement_id, str) and id_hash(statement_id) in repeated:
                first = seen.setdefault(statement_id, position)
                if first != position:
                    self.report.fail("entry-repeated", f"the statement of entry {first} again", position, "/stmt/id")
        self.report.hold("entry-repeated")


class Tiles:
    """The tiles of every level, against those that the entries give."""

    def __init__(self, pack: Pack, report: Report) -> None:
        self.pack = pack
        self.report = report
        self.rows: list[list[bytes]] = [[]]  # by level: hashes of the tile that is not full yet
        self.counts = [0]  # by level: full tiles so far
        self.found: set[str] = set()

    def take(self, leaf: bytes, level: int = 0) -> None:
        """One more hash of a level."""
        if level == len(self.rows):
            self.rows.append([])
            self.counts.append(0)
        row = self.rows[level]
        row.append(leaf)
        if len(row) == TILE_WIDTH:
            self._compare(level)
            self.take(root_of(row), level + 1)
            row.clear()
            self.counts[level] += 1

    def end(self, tree_size: int) -> None:
        """The tiles at the right edge; then no other tile may be there."""
        for level, row in enumerate(self.rows):
            if row:
                self._compare(level)
        self.found.update(tile_path("entries", index, width) for index, width in tiles_of(0, tree_size))
        for name in self.pack.places:
            if name.startswith("tile/") and name not in self.found:
                self.report.fail("tiles", f"a log of {tree_size} entries has no such tile", field=name)
        self.report.hold("tiles", f"{sum(not name.startswith('tile/entries') for name in self.found)} tiles")

    def _compare(self, level: int) -> None:
        row, index = self.rows[level], self.counts[level]
        name = tile_path(level, index, len(row))
        self.found.add(name)
        if name not in self.pack.places:
            self.report.fail("tiles", "missing", index * TILE_WIDTH << 8 * level, name)
            return
        data = self.pack.read(name)
        hashes = [data[start : start + 32] for start in range(0, len(data), 32)]
        if hashes == row:
            return
        other = [place for place, pair in enumerate(zip_longest(hashes, row)) if pair[0] != pair[1]]
        seq = (index * TILE_WIDTH + other[0]) << 8 * level
        detail = (
            f"hash {other[0]} is not that of the entries; {len(other)} differ, {len(hashes)} are there of {len(row)}"
        )
        self.report.fail("tiles", detail, seq, name)


class Notes:
    """The checkpoints, each against the log's keys, and against the root of the tree when it had that size."""

    def __init__(
        self, pack: Pack, keys: list[LogKey], witnesses: list[VerifierKey], latest: int, report: Report
    ) -> None:
        self.pack, self.keys, self.witnesses, self.latest, self.report = pack, keys, witnesses, latest, report
        self.tree = Frontier()
        self.count = 0
        self.agreed = 0  # the size up to which a checkpoint has agreed with the entries
        self.newest: Note | None = None
        self.newest_text = ""
        self.cosigned = 0
        self.roots: dict[int, bytes | None] = {}  # by size, where somebody asks for them
        self.stamped: dict[int, bytes | None] = {}  # likewise what a time stamp is over
        self.stream = self._read()
        self.next: Note | None = None

    def begin(self) -> None:
        """Before the first entry."""
        self.next = next(self.stream, None)
        self._compare()

    def take(self, leaf: bytes) -> None:
        """One more entry in the tree."""
        self.tree.append(leaf)
        self._compare()

    def _compare(self) -> None:
        size = self.tree.size
        if size in self.roots:
            self.roots[size] = self.tree.root()
        while self.next is not None and self.next.size <= size:
            if self.next.root == self.tree.root():
                self.agreed = size
            else:
                where = f"checkpoints.jsonl#size {size}"
                detail = f"the entries give another root: one from {self.agreed} to {size - 1} is not what was signed"
                self.report.fail("checkpoint-root", detail, min(self.agreed, max(size - 1, 0)), where)
            self.next = next(self.stream, None)

    def _read(self) -> Iterator[Note]:
        """The checkpoints in order of size; what is wrong with one in itself is reported on the way."""
        last_size = -1
        for line_number, line in enumerate(self.pack.lines("checkpoints.jsonl")):
            where = f"checkpoints.jsonl#line {line_number + 1}"
            self.count += 1
            try:
                value = members(read_canonical(line), "note tree_size", "")
                if not isinstance(value["note"], str):
                    raise RefusedError("/note", "not text")
                note = parse_note(value["note"])
                if note.origin != self.keys[0].key.name:
                    raise RefusedError("/origin", f"a checkpoint of another log: {note.origin}")
                if note.size != value["tree_size"] or note.size <= last_size:
                    raise RefusedError("/tree_size", "not the size that the line states, or not above the last one")
            except RefusedError as refused:
                self.report.fail("checkpoint-form", f"{refused.field} {refused.detail}", field=where)
                continue
            last_size, self.newest, self.newest_text = note.size, note, value["note"]
            self._signatures(note)
            if note.size in self.stamped:
                own = next((line for line in note.lines if line[0] == note.origin), None)
                self.stamped[note.size] = own and note.body + signature_line(*own)
            yield note

    def _signatures(self, note: Note) -> None:
        where = f"checkpoints.jsonl#size {note.size}"
        signing = [key.key for key in self.keys if key.signs(note.size) and key.key.signatures(note)]
        if not signing:
            known = ", ".join(ranged(key) for key in self.keys if key.key.signatures(note)) or "none"
            detail = f"no key of the log that may sign size {note.size} has signed it (keys of the log on it: {known})"
            self.report.fail("checkpoint-signature", detail, field=where)
        for key in signing:
            blobs = key.signatures(note)
            if len(blobs) > 1 or not is_signed(key.public_key, blobs[0], note.body):
                detail = f"the signature of key {key.key_hash.hex()} does not hold, or stands there twice"
                self.report.fail("checkpoint-signature", detail, field=where)
        for witness in self.witnesses:
            if any(not is_cosigned(witness, blob, note, self.latest) for blob in witness.signatures(note)):
                detail = f"that of {witness.name} does not hold, or its time is yet to come"
                self.report.fail("cosignatures", detail, field=where)
            self.cosigned += bool(witness.signatures(note))

    def end(self, manifest: Manifest) -> None:
        """All entries are in the tree."""
        size = self.tree.size
        while self.next is not None:
            self._too_large("checkpoint-root", f"checkpoints.jsonl#size {self.next.size}", self.next.size)
            self.next = next(self.stream, None)
        if self.tree.root().hex() != manifest.root:
            self.report.fail("manifest", "not the root of the entries", field="manifest.json#/root")
        if self.pack.read("checkpoint") != self.newest_text.encode():
            self.report.fail("checkpoint-form", "not the last one of checkpoints.jsonl", field="checkpoint")
        if self.newest is None or self.newest.size < size:
            detail = "the newest checkpoint does not reach to the end of the entries: what is after it nobody signed"
            self.report.fail("checkpoint-form", detail, self.newest.size if self.newest else 0, "checkpoint")
        for check in ("checkpoint-form", "checkpoint-root", "checkpoint-signature"):
            self.report.hold(check, f"{self.count} checkpoints")
        if self.cosigned:
            self.report.hold("cosignatures", f"{self.cosigned} cosignatures")
        else:
            self.report.skip("cosignatures", "there is none by a witness whose key is known")

    def _too_large(self, check: str, where: str, size: int) -> None:
        count = self.tree.size
        which = f"entry {count} is" if size == count + 1 else f"entries {count} to {size - 1} are"
        self.report.fail(check, f"signed over {size} entries; {which} missing", count, where)

    def previous(self, note: Note | None) -> None:
        """Whether the log begins with what a checkpoint that the auditor kept was signed over."""
        check, where = "previous-checkpoint", "--previous"
        if note is None:
            why = "you gave none: a history rewritten, or cut off at the end, by who holds the log's key cannot be seen"
            self.report.skip(check, why)
            return
        keys = [key.key for key in self.keys if key.signs(note.size) and key.key.signatures(note)]
        if note.origin != self.keys[0].key.name or not keys:
            self.report.fail(check, "it is of another log, or not signed by a key for its size", field=where)
        elif not all(is_signed(key.public_key, blob, note.body) for key in keys for blob in key.signatures(note)):
            self.report.fail(check, "its signature does not hold", field=where)
        elif note.size > self.tree.size:
            self._too_large(check, where, note.size)
        elif self.roots[note.size] != note.root:
            detail = f"its root at size {note.size} is not the pack's: history was rewritten. Keep both, they prove it"
            self.report.fail(check, detail, max(note.size - 1, 0), where)
        self.report.hold(check, f"size {note.size}")


def signature_line(name: str, key_hash: bytes, blob: bytes) -> bytes:
    """The empty line and one signature line of a note."""
    return f"\n— {name} {base64.b64encode(key_hash + blob).decode()}\n".encode()


def is_cosigned(witness: VerifierKey, blob: bytes, note: Note, latest: int) -> bool:
    """Whether the cosignature holds (C2SP tlog-cosignature, cosignature/v1): 8 bytes of time, 64 of signature."""
    seconds = int.from_bytes(blob[:8], "big")
    message = f"cosignature/v1\ntime {seconds}\n".encode() + note.body
    return len(blob) == 72 and 0 < seconds <= latest and is_signed(witness.public_key, blob[8:], message)


class Disclosures:
    """Private values that the pack discloses, against the commitments in their entries (section 2)."""

    def __init__(self, pack: Pack, origin: str, report: Report) -> None:
        self.origin = origin
        self.report = report
        self.lines = pack.lines("disclosed.jsonl")
        self.count = self.line_count = 0
        self.last_seq = -1
        self.next = self._read()

    def take(self, seq: int, entry: Entry | None) -> None:
        """The entry at this place; None if it could not be read."""
        while self.next is not None and self.next["seq"] <= seq:
            for name, shown in self.next["fields"].items():
                committed = entry.commit.get(name) if entry is not None else None
                found = hashlib.sha256(bytes.fromhex(shown["salt"]) + canonical(shown["value"])).hexdigest()
                if found != committed:
                    detail = "value and salt are not what the entry commits to" if committed else "it commits to none"
                    self.report.fail("disclosed-fields", detail, seq, f"/stmt/commit/{name}")
            self.next = self._read()

    def _read(self) -> dict[str, Any] | None:
        for line in self.lines:
            self.line_count += 1
            try:
                value = members(read_canonical(line), "v log seq fields", "")
                if value["log"] != self.origin or not isinstance(value["fields"], dict):
                    raise RefusedError("/log", "of another log, or no fields")
                for name, shown in value["fields"].items():
                    text(HASH, members(shown, "salt value", f"/fields/{name}")["salt"], f"/fields/{name}/salt")
                if number(value["seq"], "/seq") <= self.last_seq:
                    raise RefusedError("/seq", "not above that of the line before")
            except RefusedError as refused:
                where = f"disclosed.jsonl#line {self.line_count}"
                self.report.fail("disclosed-fields", f"{refused.field} {refused.detail}", field=where)
                continue
            self.last_seq = value["seq"]
            self.count += len(value["fields"])
            return value
        return None

    def end(self) -> None:
        """All entries were looked at."""
        while self.next is not None:
            self.report.fail("disclosed-fields", "there is no such entry", self.next["seq"], "disclosed.jsonl")
            self.next = self._read()
        if self.line_count:
            self.report.hold("disclosed-fields", f"{self.count} values")
        else:
            self.report.skip("disclosed-fields", "the pack discloses none")


def entries_of(pack: Pack, tree_size: int) -> Iterator[bytes]:
    """The bytes of every entry."""
    for index, width in tiles_of(0, tree_size):
        yield from split_bundle(pack.read(tile_path("entries", index, width)), width)


def examined(pack: Pack, tree_size: int, keys: Mapping[str, bytes], jobs: int) -> Iterator[Examined]:
    """Every entry with its form, leaf hash and, where its key is known already, signature checked; in order.

    keys: public keys by id; more come in while the caller walks on. Bundles are examined in `jobs` processes, a few
    ahead of the caller. Raises: RefusedError at a bundle that is none: what comes after it cannot be read.
    """
    if jobs == 1 or tree_size <= 8 * TILE_WIDTH:
        for index, width in tiles_of(0, tree_size):
            yield from bundle(index, width, examine(read_bundle(pack, index, width), width, keys))
        return
    with ProcessPoolExecutor(jobs) as pool:
        ahead: deque[tuple[int, int, Future[list[Examined] | tuple[str, str]]]] = deque()
        missing: RefusedError | None = None
        for index, width in tiles_of(0, tree_size):
            try:
                data = read_bundle(pack, index, width)
            except RefusedError as refused:  # not raised before the entries of the bundles ahead were looked at
                missing = refused
                break
            sent = dict(keys) if len(keys) <= MAX_KEYS_SENT else {}
            ahead.append((index, width, pool.submit(examine, data, width, sent)))
            if len(ahead) > 2 * jobs:
                index, width, future = ahead.popleft()
                yield from bundle(index, width, future.result())
        for index, width, future in ahead:
            yield from bundle(index, width, future.result())
        if missing is not None:
            raise missing


def read_bundle(pack: Pack, index: int, width: int) -> bytes:
    """A bundle of entries. Raises: RefusedError if there is none."""
    name = tile_path("entries", index, width)
    if name not in pack.places:
        raise RefusedError(name, "missing", index * TILE_WIDTH)
    return pack.read(name)


def bundle(index: int, width: int, result: list[Examined] | tuple[str, str]) -> list[Examined]:
    """What `examine` found in the bundle. Raises: RefusedError if it is none."""
    if isinstance(result, tuple):
        raise RefusedError(tile_path("entries", index, width) + "#" + result[0], result[1], index * TILE_WIDTH)
    return result


# --- time stamps (RFC 3161) -------------------------------------------------------------------------------------------

HASHES = {bytes.fromhex(f"60864801650304020{n}"): name for n, name in ((1, "sha256"), (2, "sha384"), (3, "sha512"))}


def der(data: bytes) -> list[bytes]:
    """The contents of the DER values that stand in `data` one after the other. Raises: ValueError, IndexError."""
    contents, start = [], 0
    while start < len(data):
        length, start = data[start + 1], start + 2
        if length == 0x80:
            raise ValueError("no length")
        if length > 0x80:
            start, length = start + length - 0x80, int.from_bytes(data[start : start + length - 0x80], "big")
        if start + length > len(data):
            raise ValueError("longer than what holds it")
        contents.append(data[start : start + length])
        start += length
    return contents


def check_timestamps(pack: Pack, stamped: Mapping[int, bytes | None], report: Report) -> int:
    """Whether each token is over the checkpoint of its size. Returns how many there are.

    A token states hash and time in a TSTInfo; that the authority signed it is not looked at, and said not to be.
    """
    names = sorted(name for name in pack.places if name.endswith(".tsr"))
    for name in names:
        size = int(name.removeprefix("timestamps/").split("-")[0])
        data, beside = stamped.get(size), f"timestamps/{size}.txt"
        if data is None or beside not in pack.places or pack.read(beside) != data:
            report.fail("timestamps", "not what a time stamp of the checkpoint of its size is over", field=beside)
            continue
        try:
            status, token = der(der(pack.read(name))[0])  # TimeStampResp: status, ContentInfo
            signed_data = der(der(der(token)[1])[0])  # version, hashes, encapsulated content, ...
            info = der(der(der(der(signed_data[2])[1])[0])[0])  # TSTInfo: version, policy, imprint, number, time, ...
            algorithm, imprint = der(info[2])
            if der(status)[0] != b"\0" or hashlib.new(HASHES[der(algorithm)[0]], data).digest() != imprint:
                raise RefusedError(name, "not granted, or over another text than this checkpoint")
        except (ValueError, IndexError, KeyError):
            report.fail("timestamps", "not a time stamp response over SHA-256, SHA-384 or SHA-512", field=name)
        except RefusedError as refused:
            report.fail("timestamps", refused.detail, field=name)
    if not names:
        report.skip("timestamps", "the pack holds none")
        report.skip("timestamp-signature", "the pack holds none")
        return 0
    report.hold("timestamps", f"{len(names)} time stamps")
    command = f"openssl ts -verify -in {names[-1]} -data {beside} -CAfile ROOT.pem"
    why = f"not by this program. Unpack the pack and type, with the authority's own root certificate: {command}"
    report.skip("timestamp-signature", why + (" (likewise the others)" if len(names) > 1 else ""))
    return len(names)


# --- the whole check --------------------------------------------------------------------------------------------------


class Wanted(NamedTuple):
    """What the auditor brings along: keys that are trusted, a checkpoint kept from earlier, a policy of their own."""

    keys: list[VerifierKey]
    witnesses: list[VerifierKey]
    needed: int | None
    previous: Note | None
    latest: int  # the latest time that a cosignature may state, in seconds since 1970
    jobs: int


FILES = {
    "checkpoint": "checkpoint-form",
    "disclosed": "disclosed-fields",
    "keys": "log-keys",
    "tile": "tiles",
    "timestamps": "timestamps",
    "verify": "verifier",
    "witnesses": "witness-policy",
}
"""Which check fails if a file whose name begins so cannot be read; the manifest, if it is another one."""


def check_pack(file: BinaryIO, wanted: Wanted, report: Report, progress: Callable[[int, int], None]) -> Pack | None:
    """Make every check. Returns the pack if its entries could be walked to the end."""
    report.skip("meaning", "a lie was one when it was logged: no program can know. Nor are masses weighed up here")
    try:
        pack = Pack(file, report)
    except RefusedError as refused:
        report.fail("container", refused.detail, field=refused.field)
        return None
    if report.failed:
        return None
    report.hold("container", f"{len(pack.places)} members")
    try:
        manifest = read_manifest(pack, report)
        check_verifier(pack, report)
        walk(pack, manifest, wanted, report, progress)
        for name in sorted(pack.unread):
            pack.read(name)
        report.hold("manifest", f"{len(pack.listed)} members")
        return pack
    except RefusedError as refused:
        check = next((check for start, check in FILES.items() if refused.field.startswith(start)), "manifest")
        report.fail(check, refused.detail, refused.seq, refused.field)
    return None


def check_verifier(pack: Pack, report: Report) -> None:
    """Whether the pack's verify.py is this program. Of itself it can only say what it is."""
    inside, mine = pack.read("verify.py"), Path(__file__).read_bytes()
    if inside == mine:
        report.hold("verifier", "which says nothing if you took this program from the pack")
    elif f'\nVERSION = "{VERSION}"\n'.encode() in inside:
        report.fail("verifier", "it calls itself this version and is another program: do not run it", field="verify.py")
    else:
        report.skip("verifier", "the pack holds another version of verify.py: do not run that one unless you trust it")


def walk(pack: Pack, manifest: Manifest, wanted: Wanted, report: Report, progress: Callable[[int, int], None]) -> None:
    """Look at every entry, then at what all of them add up to. Raises: RefusedError where that cannot go on."""
    size = manifest.tree_size
    keys = read_log_keys(pack, manifest.origin)
    needed, witnesses = read_witnesses(pack)
    if wanted.witnesses:
        needed, witnesses = 1, wanted.witnesses
    if wanted.needed is not None:
        needed = wanted.needed
    links, signers, repeats = Links(manifest.origin, report), Signers(keys, report), Repeats(report)
    tiles, notes = Tiles(pack, report), Notes(pack, keys, witnesses, wanted.latest, report)
    disclosures = Disclosures(pack, manifest.origin, report)
    if wanted.previous is not None:
        notes.roots[wanted.previous.size] = None
    notes.stamped.update({int(match[1]): None for name in pack.places if (match := STAMPED.fullmatch(name))})
    notes.begin()
    for seq, (leaf, found) in enumerate(examined(pack, size, signers.known, wanted.jobs)):
        entry = found if isinstance(found, Entry) else None
        if isinstance(found, Entry):
            signers.take(seq, found)
            repeats.take(found)
        else:
            report.fail("entry-form", found[1], seq, found[0])
        links.take(leaf, entry)
        tiles.take(leaf)
        notes.take(leaf)
        disclosures.take(seq, entry)
        progress(seq + 1, size)
    links.end()
    signers.end()
    repeats.end(pack, size)
    tiles.end(size)
    notes.end(manifest)
    notes.previous(wanted.previous)
    disclosures.end()
    timestamps = check_timestamps(pack, notes.stamped, report)
    counted = {
        "entries": size,
        "checkpoints": notes.count,
        "timestamps": timestamps,
        "disclosed_fields": disclosures.count,
    }
    for name, count in counted.items():
        if manifest.counts[name] != count:
            detail = f"it counts {manifest.counts[name]}, the pack holds {count}"
            report.fail("manifest", detail, field=f"manifest.json#/counts/{name}")
    check_trust(notes, signers, needed, wanted, report)


def check_trust(notes: Notes, signers: Signers, needed: int, wanted: Wanted, report: Report) -> None:
    """Whether the keys are ones that the auditor has from elsewhere, and enough witnesses have signed."""
    if not wanted.keys:
        why = (
            "you gave no --vkey: these keys are from the pack itself, and whoever made it may have made them. Ask the "
        )
        report.skip(
            "trusted-key", f"{why}log's owner, by another way, whether this is one: {signers.stated[-1].key.text}"
        )
    else:
        trusted = {key.text for key in wanted.keys}
        for old, new in signers.handovers:  # in order: trust goes on to the key that a trusted one hands over to
            if old in trusted and signers.log[old].revoked is None:
                trusted.add(new)
        newest = notes.newest
        if newest is None or not any(
            key.key.text in trusted and key.signs(newest.size) and key.key.signatures(newest) for key in notes.keys
        ):
            detail = "the newest checkpoint is not signed by a key that you gave, nor by one that it has handed over to"
            if any(key.key.text in trusted and key.revoked is not None for key in notes.keys):
                detail += "; a key that you gave was revoked: ask the log's owner for the present one"
            report.fail("trusted-key", detail, field="checkpoint")
        report.hold("trusted-key")
    trusted_still = [one for one in notes.witnesses if ("witness", one.text) not in signers.revoked]
    signed = [one.name for one in trusted_still if notes.newest is not None and one.signatures(notes.newest)]
    if len(signed) < needed:
        have = ", ".join(signed) or "nobody"
        report.fail("witness-policy", f"{needed} needed, {len(signed)} have signed: {have}", field="checkpoint")
    if needed:
        report.hold("witness-policy", ", ".join(signed))
    else:
        report.skip(
            "witness-policy", "none is demanded: nobody beside the log has confirmed that it shows all one history"
        )
    if wanted.witnesses:
        report.hold("trusted-witnesses")
    else:
        report.skip("trusted-witnesses", "you gave no --witness: the witnesses' keys, if any, are from the pack itself")


# --- one entry and its proof (section 6) ------------------------------------------------------------------------------


def prove(pack: Pack, seq: int, tree_size: int, checkpoint: str) -> str:
    """The C2SP tlog-proof that entry seq is in the tree, made from the pack's tiles (RFC 9162, section 2.1.3.1)."""

    def node(height: int, index: int) -> bytes:  # root of the index-th whole subtree of 2**height leaves
        level, above = divmod(height, 8)
        tile, place = divmod(index << above, TILE_WIDTH)
        width = min(TILE_WIDTH, (tree_size >> 8 * level) - tile * TILE_WIDTH)
        data = pack.read(tile_path(level, tile, width))
        return root_of([data[start * 32 : start * 32 + 32] for start in range(place, place + (1 << above))])

    def root(start: int, end: int) -> bytes:  # over the leaves from start to end - 1
        middle = start + (1 << (end - start).bit_length() - 1)
        whole = node((end - start).bit_length() - 1, start >> (end - start).bit_length() - 1)
        return whole if middle == end else node_hash(whole, root(middle, end))

    path, start, end = [], 0, tree_size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        path.append(root(middle, end) if seq < middle else root(start, middle))
        start, end = (start, middle) if seq < middle else (middle, end)
    lines = [base64.b64encode(one).decode() for one in reversed(path)]
    return "\n".join(["c2sp.org/tlog-proof@v1", f"index {seq}", *lines, "", checkpoint])


# --- the command ------------------------------------------------------------------------------------------------------

VERDICTS = {
    "verified": "VERIFIED: nothing failed, and the log's key is the one that you gave.",
    "consistent": "CONSISTENT IN ITSELF, NOT AUTHENTICATED: nothing failed, but the key was compared with nothing.",
    "not verified": "NOT VERIFIED.",
}


def main() -> int:
    """The command. Returns its exit code."""
    if sys.hexversion < 0x030B0000:  # an older Python would call good times bad
        sys.stderr.write("This program needs Python 3.11 or newer.\n")
        return 3
    options, wanted = read_options()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # notes have a dash that not every terminal's code page knows
    report = Report()
    digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    with options.pack.open("rb") as file:
        pack = check_pack(file, wanted, report, show_progress if sys.stderr.isatty() else no_progress)
        extra = entry_and_proof(pack, options.entry) if options.entry is not None else {}
    verdict = report.verdict()
    if options.json:
        checks = [
            {"check": check, "outcome": outcome, "detail": detail, "required": required}
            for check, outcome, detail, required in report.lines()
        ]
        findings = [finding._asdict() for finding in report.findings]
        program = {"version": VERSION, "sha256": digest}
        value = {"verdict": verdict, "checks": checks, "findings": findings, "program": program}
        sys.stdout.write(json.dumps(value | extra, indent=2) + "\n")
        return int(verdict == "not verified")
    lines = [VERDICTS[verdict], ""]
    for check, outcome, detail, _ in report.lines():
        lines.append(f"  {outcome.upper() if outcome == 'failed' else outcome:11}  {check}: {detail}")
    for finding in report.findings:
        where = "" if finding.seq is None else f"entry {finding.seq} "
        lines.append(f"  FINDING      {finding.check}: {where}{finding.field}: {finding.detail}")
    if report.failed.total() > len(report.findings):
        lines.append(f"  and {report.failed.total() - len(report.findings)} findings more")
    lines += ["", f"This program: verify.py {VERSION}, SHA-256 {digest}", "Compare that with the release you trust."]
    sys.stdout.write("\n".join([*lines, *extra.values()]) + "\n")
    return int(verdict == "not verified")


def read_options() -> tuple[argparse.Namespace, Wanted]:
    """What was asked for. Leaves with exit code 2 if it cannot be understood."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--vkey", action="append", default=[])
    parser.add_argument("--previous", type=Path)
    parser.add_argument("--witness", action="append", default=[])
    parser.add_argument("--needed", type=int)
    parser.add_argument("--entry", type=int)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        if not options.pack.is_file():
            parser.error(f"{options.pack} is no file")
        if not 1 <= options.jobs <= 256 or not 0 <= (options.needed or 0) <= 16 or (options.entry or 0) < 0:
            parser.error("--jobs from 1 to 256, --needed from 0 to 16, --entry from 0 on")
        keys = [parse_verifier_key(key, 1, "--vkey") for key in options.vkey]
        witnesses = [parse_verifier_key(key, 4, "--witness") for key in options.witness]
        previous = parse_note(options.previous.read_text(encoding="utf-8")) if options.previous else None
    except RefusedError as refused:
        parser.error(f"{refused.field or '--previous'}: {refused.detail}")
    except (OSError, UnicodeDecodeError) as error:
        parser.error(str(error))
    now = datetime.now(UTC)  # noqa: TID251 - the outermost layer of a program of its own
    latest = int(now.timestamp()) + MAX_SKEW_SECONDS
    return options, Wanted(keys, witnesses, options.needed, previous, latest, options.jobs)


def entry_and_proof(pack: Pack | None, seq: int) -> dict[str, str]:
    """The entry and its proof as text; what of them can be had."""
    if pack is None:
        return {"entry": "(no entry is shown of a pack that could not be read to its end)"}
    try:
        checkpoint = pack.read("checkpoint").decode("utf-8", "replace")
        size = parse_note(checkpoint).size
        if seq >= size:
            return {"entry": f"(there is no entry {seq}: the log has {size})"}
        index, place = divmod(seq, TILE_WIDTH)
        width = min(TILE_WIDTH, size - index * TILE_WIDTH)
        data = split_bundle(pack.read(tile_path("entries", index, width)), width)[place]
        return {
            "entry": printable(data.decode("utf-8", "replace"), MAX_ENTRY_BYTES),
            "proof": prove(pack, seq, size, checkpoint),
        }
    except RefusedError as refused:
        return {"entry": f"(it cannot be read: {refused.field} {refused.detail})"}


def show_progress(done: int, of: int) -> None:
    """A line on the terminal that is written over."""
    if done % 1000 == 0 or done == of:
        sys.stderr.write(f"\r{done} of {of} entries" + ("\n" if done == of else ""))


def no_progress(done: int, of: int) -> None:
    """Nothing, where nobody looks."""


if __name__ == "__main__":
    sys.exit(main())
