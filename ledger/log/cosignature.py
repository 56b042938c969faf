"""Witnesses: others who co-sign a checkpoint (C2SP tlog-cosignature, cosignature/v1), and how many are needed.

A cosignature says: at this time, the largest tree that I have seen of this log has this root, and all that I have seen
of it before is its beginning. It stands as one more signature line under the checkpoint:

    — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWX...

The decoded line is key hash (4 bytes), time (8 bytes, big-endian, seconds since 1970), Ed25519 signature (64 bytes).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, InputError, MalformedProofError, VerificationError, problem
from ledger.log.checkpoint import KEY_HASH_BYTES, Checkpoint, NoteSignature, NoteSigner, parse_checkpoint
from ledger.log.forms import format_base64, parse_base64
from ledger.report import Check, failed, not_checked, passed

COSIGNATURE_TYPE = b"\x04"
"""Signature type of a timestamped Ed25519 cosignature (C2SP signed-note)."""

CHECK = "witnesses"
"""Name of the check of a policy."""

MAX_TIME = 2**63 - 1
MAX_SKEW = timedelta(minutes=10)
"""How far the time of a cosignature may lie ahead of the verifier's."""

MAX_NAME_CHARS = 255
MAX_WITNESSES = 16
"""As many signatures as every reader of a note must accept."""

_NAME = re.compile(r"[!-*,-~]+")  # visible ASCII but "+"
_VKEY = re.compile(r"([!-*,-~]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)")
_TIME_BYTES = 8
_SIGNATURE_BYTES = 64


@dataclass(frozen=True)
class WitnessKey:
    """The public key of a witness. name: of witness and key. key_hash: 4 bytes, over name, type 0x04 and key."""

    name: str
    key_hash: bytes
    public_key: Ed25519PublicKey


@dataclass(frozen=True)
class WitnessPolicy:
    """Whose cosignatures count, and how many are needed.

    needed: k of the witnesses, 0 <= needed <= number of witnesses. urls: where each is asked, "" where it is not ours
    to ask; as many as witnesses, or none at all.
    Raises: InputError if more are needed than there are, or two witnesses share a name or a key: one who signs twice
    must not count twice.
    """

    needed: int
    witnesses: tuple[WitnessKey, ...]
    urls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = {witness.name for witness in self.witnesses}
        keys = {witness.public_key.public_bytes_raw() for witness in self.witnesses}
        if len(names) < len(self.witnesses) or len(keys) < len(self.witnesses):
            found = [witness.name for witness in self.witnesses]
            raise InputError(problem("/witnesses", found, "each name and each key once", "Name each witness once."))
        if len(self.witnesses) > MAX_WITNESSES:
            raise InputError(
                problem("/witnesses", len(self.witnesses), f"at most {MAX_WITNESSES}", "Name fewer witnesses.")
            )
        if not 0 <= self.needed <= len(self.witnesses):
            raise InputError(
                problem(
                    "/witnesses_needed",
                    self.needed,
                    f"a number from 0 to {len(self.witnesses)}, that of the witnesses named",
                    "Put the key of each witness into the trust folder (*.witness), or demand fewer.",
                )
            )
        if self.urls and len(self.urls) != len(self.witnesses):
            raise InputError(
                problem("/urls", len(self.urls), f"{len(self.witnesses)} addresses", 'Give "" where there is none.')
            )


NO_WITNESSES = WitnessPolicy(0, ())


def make_witness_key(name: str, public_key: Ed25519PublicKey) -> WitnessKey:
    """The key of the witness `name`; its key hash is SHA-256(name || LF || 0x04 || 32-byte key), the first 4 bytes.

    Raises: InputError if the name is not 1 to 255 characters of visible ASCII without plus.
    """
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME_CHARS:
        raise InputError(
            problem(
                "/name", name, "visible ASCII without space or plus, such as witness.example.com/w1", "Choose another."
            )
        )
    key_hash = hashlib.sha256(name.encode("ascii") + b"\n" + _key_bytes(public_key)).digest()[:KEY_HASH_BYTES]
    return WitnessKey(name, key_hash, public_key)


def format_witness_vkey(witness: WitnessKey) -> str:
    """The verifier key as text: name+key hash in hex+base64(0x04 || key)."""
    return f"{witness.name}+{witness.key_hash.hex()}+{format_base64(_key_bytes(witness.public_key))}"


def parse_witness_vkey(text: str) -> WitnessKey:
    """The witness key that `text` spells: format_witness_vkey(parse_witness_vkey(text)) == text.

    Raises: InputError if it is not of this form, is not a witness's Ed25519 key (type 0x04), or its key hash is not
    that of name and key.
    """
    next_step = "Copy the witness's verifier key again, all of it, without line breaks."
    match = _VKEY.fullmatch(text)
    if match is None:
        raise InputError(problem("", text, "name+key hash+base64 key", next_step))
    name, key_hash, encoded = match.groups()
    key_bytes = parse_base64(encoded, "")
    if len(key_bytes) != 33 or key_bytes[:1] != COSIGNATURE_TYPE:
        raise InputError(problem("", text, "the key of a witness: byte 0x04 and 32 bytes", next_step))
    witness = make_witness_key(name, Ed25519PublicKey.from_public_bytes(key_bytes[1:]))
    if witness.key_hash.hex() != key_hash:
        raise InputError(problem("", key_hash, f"key hash {witness.key_hash.hex()} for this name and key", next_step))
    return witness


def cosign(checkpoint: Checkpoint | str, name: str, private_key: NoteSigner, time: int) -> str:
    """The signature line, LF included, by which the witness `name` co-signs the checkpoint (or that of a note).

    time: of signing, whole seconds since 1970, 0 < time <= 2^63-1. Whether the tree extends what the witness has seen
    is for the caller to make sure of: see ledger.log.add_checkpoint.
    Raises: InputError for a name or time out of its form; MalformedProofError if a note is not of its form.
    """
    if isinstance(checkpoint, str):
        checkpoint, _ = parse_checkpoint(checkpoint)
    if type(time) is not int or not 0 < time <= MAX_TIME:
        raise InputError(problem("/time", time, "seconds since 1970, more than 0", "Set the clock right."))
    witness = make_witness_key(name, private_key.public_key())
    signature = private_key.sign(_message(checkpoint, time))
    blob = witness.key_hash + time.to_bytes(_TIME_BYTES, "big") + signature
    return f"— {name} {format_base64(blob)}\n"


def cosignatures_of(note: str, witnesses: Sequence[WitnessKey]) -> list[tuple[WitnessKey, int]]:
    """Which of the witnesses have co-signed the note's checkpoint, each once, with the earliest time they state.

    In the order of `witnesses`. Lines of others are ignored; whether the log itself has signed is not looked at.
    Raises: MalformedProofError if the note is not of its form; BadSignatureError if a line that bears the name and key
    hash of one of the witnesses is not a cosignature of theirs over this checkpoint.
    """
    checkpoint, lines = parse_checkpoint(note)
    found = []
    for witness in witnesses:
        mine = [line for line in lines if (line.name, line.key_hash) == (witness.name, witness.key_hash)]
        if mine:
            found.append((witness, min(_verify(checkpoint, line, witness) for line in mine)))
    return found


def check_policy(note: str, policy: WitnessPolicy, now: datetime | None = None) -> Check:
    """Whether as many witnesses as the policy needs have co-signed the note's checkpoint.

    now: the verifier's time, with zone; a cosignature dated later than it (beyond MAX_SKEW) is refused. With None that
    is not looked at. Fails too if any line of a named witness does not hold. Where the policy needs none and none is
    there, nothing was checked, and the check says so.
    """
    names = ", ".join(witness.name for witness in policy.witnesses)
    try:
        found = cosignatures_of(note, policy.witnesses)
    except VerificationError as error:
        first = error.problems[0]
        return failed(CHECK, f"found {first.value}; expected {first.expected}")
    if now is not None:
        latest = int((now + MAX_SKEW).timestamp())
        if ahead := [f"{witness.name} at {_shown(time)}" for witness, time in found if time > latest]:
            return failed(CHECK, f"found {', '.join(ahead)}; expected times before {_shown(int(now.timestamp()))}")
    if len(found) < policy.needed:
        have = {witness.name for witness, _ in found}
        missing = ", ".join(witness.name for witness in policy.witnesses if witness.name not in have)
        return failed(
            CHECK,
            f"{len(found)} of the {policy.needed} witnesses needed have co-signed the checkpoint; there is no line of "
            f"{missing}",
        )
    if not found:
        why = f"no cosignature was demanded, and none of {names} has given one" if names else "no witness was named"
        return not_checked(CHECK, f"{why}: nobody beside the log has confirmed the checkpoint", required=False)
    who = ", ".join(f"{witness.name} at {_shown(time)}" for witness, time in found)
    return passed(CHECK, f"co-signed by {who}; {policy.needed} needed", required=policy.needed > 0)


def add_signature_lines(note: str, lines: Sequence[str]) -> str:
    """The note with these lines (each with its LF) under it; its text and the lines it has stay as they are.

    A line by a key (name and key hash) that has one already is left out. Nothing is verified.
    Raises: MalformedProofError if the note is none, a line is not a signature line, or there would be too many.
    """
    checkpoint, _ = parse_checkpoint(note)
    for line in lines:
        if not line.endswith("\n") or line.count("\n") != 1:
            raise MalformedProofError(problem("", line, "one line that ends in a line feed", "Ask the witness again."))
        (added,) = parse_checkpoint(f"{checkpoint.body()}\n{line}")[1]
        if all((added.name, added.key_hash) != (one.name, one.key_hash) for one in parse_checkpoint(note)[1]):
            note += line
    parse_checkpoint(note)
    return note


def without_cosignatures(note: str, witnesses: Sequence[WitnessKey]) -> str:
    """The note without the lines that bear the name and key hash of one of these witnesses.

    Raises: MalformedProofError if the note is none, or nothing would be left.
    """
    theirs = {(witness.name, witness.key_hash) for witness in witnesses}
    checkpoint, lines = parse_checkpoint(note)
    kept = [
        f"— {line.name} {format_base64(line.key_hash + line.signature)}\n"
        for line in lines
        if (line.name, line.key_hash) not in theirs
    ]
    bare = f"{checkpoint.body()}\n{''.join(kept)}"
    parse_checkpoint(bare)
    return bare


def holds_lines_of(note: str, earlier: str) -> bool:
    """Whether `note` is `earlier`, perhaps with more signature lines: same text, no line gone.

    Raises: MalformedProofError if one of them is not a signed note.
    """
    (checkpoint, lines), (earlier_checkpoint, earlier_lines) = parse_checkpoint(note), parse_checkpoint(earlier)
    return checkpoint == earlier_checkpoint and set(lines) >= set(earlier_lines)


def _verify(checkpoint: Checkpoint, line: NoteSignature, witness: WitnessKey) -> int:
    """The time that the line states, if it is the witness's cosignature. Raises: BadSignatureError."""
    if len(line.signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        _not_cosigned(f"{len(line.signature)} bytes by {witness.name}", "8 bytes of time and 64 of signature")
    time = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if not 0 < time <= MAX_TIME:
        _not_cosigned(f"time {time} by {witness.name}", f"0 < time <= {MAX_TIME}")
    try:
        witness.public_key.verify(line.signature[_TIME_BYTES:], _message(checkpoint, time))
    except InvalidSignature:
        _not_cosigned(
            f"a line of {witness.name} whose signature does not hold", "its cosignature over this origin, size and root"
        )
    return time


def _message(checkpoint: Checkpoint, time: int) -> bytes:
    """What a witness signs (C2SP tlog-cosignature, "Ed25519 signed message")."""
    return f"cosignature/v1\ntime {time}\n{checkpoint.body()}".encode()


def _key_bytes(public_key: Ed25519PublicKey) -> bytes:
    return COSIGNATURE_TYPE + public_key.public_bytes_raw()


def _shown(time: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # past the year 9999
        return f"{time} seconds after 1970"


def _not_cosigned(found: str, expected: str) -> NoReturn:
    raise BadSignatureError(
        problem("/witnesses", found, expected, "Treat the note as changed; ask the log for it again.")
    )
