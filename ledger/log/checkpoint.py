"""Checkpoint: origin, tree size and root, signed by the log (C2SP tlog-checkpoint, signed-note).

    example.com/site-1
    1234
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.com/site-1 Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeO...

The key is named as the origin. Extension lines are refused: nobody could audit them. Signature lines of keys that the
verifier does not know are ignored, as the specification demands, so that witnesses and further keys can be added.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import NoReturn, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, InputError, MalformedProofError, problem
from ledger.log.forms import check_hash, check_origin, format_base64, parse_base64, parse_count
from ledger.log.merkle import EMPTY_ROOT, MAX_TREE_SIZE

ED25519_TYPE = b"\x01"
"""Signature type of an Ed25519 note signature (C2SP signed-note)."""

KEY_HASH_BYTES = 4
MAX_NOTE_CHARS = 131_072
"""Longest note read. The specification asks for room for 16 signatures of up to 5 kB."""
MAX_SIGNATURES = 64

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGNATURE_LINE = re.compile(r"— ([^\s+]+) ([A-Za-z0-9+/=]+)")
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log that a checkpoint states.

    origin: name of the log and of its key.
    tree_size: number of entries.
    root: root hash over them, 32 bytes.
    Raises: InputError naming the field, where a field is not of its form.
    """

    origin: str
    tree_size: int
    root: bytes

    def __post_init__(self) -> None:
        check_origin(self.origin, "/origin")
        if type(self.tree_size) is not int or not 0 <= self.tree_size <= MAX_TREE_SIZE:
            raise InputError(
                problem("/tree_size", self.tree_size, f"0 <= tree size <= {MAX_TREE_SIZE}", "Give the tree's size.")
            )
        check_hash(self.root, "/root")
        if self.tree_size == 0 and self.root != EMPTY_ROOT:
            raise InputError(problem("/root", self.root.hex(), "the root of the empty tree", "Recompute the root."))

    def body(self) -> str:
        """The note text: three lines. What is signed."""
        return f"{self.origin}\n{self.tree_size}\n{format_base64(self.root)}\n"


@dataclass(frozen=True)
class NoteSignature:
    """One signature line of a note, not verified.

    name: name of the key. key_hash: first 4 bytes of a hash over name and key; picks the key, proves nothing.
    signature: the bytes after the key hash; their form depends on the key.
    """

    name: str
    key_hash: bytes
    signature: bytes


class NoteSigner(Protocol):
    """What signs notes: an Ed25519PrivateKey, or a key in a hardware module that answers in the same way."""

    def public_key(self) -> Ed25519PublicKey:
        """The public half."""

    def sign(self, data: bytes, /) -> bytes:
        """The Ed25519 signature of data, 64 bytes. Raises: StoreError if the key cannot be reached."""


@dataclass(frozen=True)
class VerifierKey:
    """The public key of a log, as verifiers are given it.

    origin: name of the log and key. key_hash: 4 bytes; see note_key_hash. public_key: the key.
    """

    origin: str
    key_hash: bytes
    public_key: Ed25519PublicKey


def note_key_hash(name: str, public_key: Ed25519PublicKey) -> bytes:
    """Key id of an Ed25519 note key: SHA-256(name || LF || 0x01 || 32-byte key), the first 4 bytes."""
    return hashlib.sha256(name.encode("utf-8") + b"\n" + _key_bytes(public_key)).digest()[:KEY_HASH_BYTES]


def make_verifier_key(origin: str, public_key: Ed25519PublicKey) -> VerifierKey:
    """The verifier key of the log `origin`. Raises: InputError if the origin is not of its form."""
    check_origin(origin, "/origin")
    return VerifierKey(origin, note_key_hash(origin, public_key), public_key)


def format_vkey(origin: str, public_key: Ed25519PublicKey) -> str:
    """The verifier key as text: name+key hash in hex+base64(0x01 || key).

    Raises: InputError if the origin is not of its form.
    """
    vkey = make_verifier_key(origin, public_key)
    return f"{origin}+{vkey.key_hash.hex()}+{format_base64(_key_bytes(public_key))}"


def parse_vkey(text: str) -> VerifierKey:
    """The verifier key that `text` spells: format_vkey(v.origin, v.public_key) == text.

    Raises: InputError if it is not of this form, is not an Ed25519 key, or its key hash is not that of name and key.
    """
    next_step = "Copy the verifier key again, all of it, without line breaks."
    match = _VKEY.fullmatch(text)
    if match is None:
        raise InputError(problem("", text, "name+key hash+base64 key", next_step))
    name, key_hash, encoded = match.groups()
    key_bytes = parse_base64(encoded, "")
    if len(key_bytes) != 33 or key_bytes[:1] != ED25519_TYPE:
        raise InputError(problem("", text, "an Ed25519 key: byte 0x01 and 32 bytes", next_step))
    vkey = make_verifier_key(name, Ed25519PublicKey.from_public_bytes(key_bytes[1:]))
    if vkey.key_hash.hex() != key_hash:
        raise InputError(problem("", key_hash, f"key hash {vkey.key_hash.hex()} for this name and key", next_step))
    return vkey


def sign_checkpoint(checkpoint: Checkpoint, *signers: NoteSigner) -> str:
    """The checkpoint as a signed note: one signature line for each signer, in this order, each key named as the origin.

    Two signers while one log key hands over to the next: who trusts either accepts the note.
    Never sign one that does not extend the last one signed: that is for the caller to make sure of.
    Raises: InputError without a signer, with more than MAX_SIGNATURES, or if two of them are the same key; whatever a
    signer raises.
    """
    body = checkpoint.body()
    lines: dict[bytes, str] = {}
    for signer in signers:
        key_hash = note_key_hash(checkpoint.origin, signer.public_key())
        signature = signer.sign(body.encode("utf-8"))
        lines[key_hash] = f"— {checkpoint.origin} {format_base64(key_hash + signature)}\n"
    if not 1 <= len(signers) <= MAX_SIGNATURES or len(lines) != len(signers):
        expected = f"1 to {MAX_SIGNATURES} signers, each another key"
        raise InputError(problem("", f"{len(signers)} signers, {len(lines)} keys", expected, "Give each key once."))
    return f"{body}\n{''.join(lines.values())}"


def parse_checkpoint(note: str) -> tuple[Checkpoint, tuple[NoteSignature, ...]]:
    """What the note says and by which keys it claims to be signed. Nothing is verified: see verify_checkpoint.

    Raises: MalformedProofError if it is not a signed note of exactly three lines of text and 1 to MAX_SIGNATURES
    signature lines, in the one spelling.
    """
    if len(note) > MAX_NOTE_CHARS:
        _malformed(f"{len(note)} characters", f"at most {MAX_NOTE_CHARS}")
    if _CONTROL.search(note) or not note.endswith("\n"):
        _malformed(note, "lines that each end in a line feed, without other control characters")
    lines = note.removesuffix("\n").split("\n")
    if len(lines) < 5 or lines[3] != "" or "" in lines[4:]:
        _malformed(note, "three lines (origin, size, root), an empty line, then signature lines")
    if len(lines) - 4 > MAX_SIGNATURES:
        _malformed(f"{len(lines) - 4} signature lines", f"at most {MAX_SIGNATURES}")
    try:
        checkpoint = Checkpoint(lines[0], parse_count(lines[1], "/tree_size"), parse_base64(lines[2], "/root"))
        return checkpoint, tuple(_parse_signature_line(line) for line in lines[4:])
    except InputError as error:
        raise MalformedProofError(*error.problems) from error


def verify_checkpoint(note: str, vkey: VerifierKey) -> Checkpoint:
    """The checkpoint in `note`, if the log that vkey belongs to has signed it.

    Raises: MalformedProofError as parse_checkpoint does, and for two lines by this key; BadSignatureError if it is the
    checkpoint of another log, carries no line by this key, or the signature does not hold.
    """
    checkpoint, signatures = parse_checkpoint(note)
    if checkpoint.origin != vkey.origin:
        _not_signed(checkpoint.origin, f"a checkpoint of log {vkey.origin}")
    mine = [line for line in signatures if (line.name, line.key_hash) == (vkey.origin, vkey.key_hash)]
    if not mine:
        _not_signed([line.name for line in signatures], f"a signature by {vkey.origin}+{vkey.key_hash.hex()}")
    if len(mine) > 1:
        _malformed(f"{len(mine)} signature lines by {vkey.origin}", "one")
    try:
        vkey.public_key.verify(mine[0].signature, checkpoint.body().encode("utf-8"))
    except InvalidSignature:
        _not_signed(mine[0].signature.hex(), f"a signature of {vkey.origin} over this origin, size and root")
    return checkpoint


def _parse_signature_line(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None:
        _malformed(line, "a signature line: em dash, space, key name, space, base64")
    blob = parse_base64(match[2], "/signatures")
    if len(blob) <= KEY_HASH_BYTES:
        _malformed(line, f"more than {KEY_HASH_BYTES} bytes of key hash and signature")
    return NoteSignature(match[1], blob[:KEY_HASH_BYTES], blob[KEY_HASH_BYTES:])


def _key_bytes(public_key: Ed25519PublicKey) -> bytes:
    return ED25519_TYPE + public_key.public_bytes_raw()


def _malformed(found: str, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Take the checkpoint from the log again, unchanged."))


def _not_signed(found: object, expected: str) -> NoReturn:
    raise BadSignatureError(problem("", found, expected, "Treat it as not from that log; check which key you trust."))
