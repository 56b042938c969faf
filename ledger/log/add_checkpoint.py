"""The call by which a log asks a witness for its cosignature (C2SP tlog-witness, add-checkpoint).

    old 20852014
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
    ...

    example.com/behind-the-sofa
    20852163
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeO...

What the witness answers is decided here, from what it has seen of the log, whose keys it trusts and the request: a
function without a store. Whoever stores must read what was seen, decide and write what is now seen in one atomic step:
else a slower request for a smaller tree could undo a larger one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from ledger.errors import BadSignatureError, InputError, MalformedProofError, RootMismatchError, problem
from ledger.log.checkpoint import MAX_NOTE_CHARS, VerifierKey, parse_checkpoint, verify_checkpoint
from ledger.log.forms import check_hash, format_base64, parse_base64, parse_count
from ledger.log.merkle import EMPTY_ROOT, MAX_TREE_SIZE, verify_consistency

MAX_PROOF_LINES = 63

SIZE_TYPE = "text/x.tlog.size"
"""Content type of the answer that names the size that the witness has seen."""

MAX_REQUEST_BYTES = MAX_NOTE_CHARS + 4096
"""Longest request read: 63 hashes are 2,835 bytes, and a note has room for 16 signatures of 5 kB."""

COSIGNED = 200
BAD_REQUEST = 400
NO_TRUSTED_SIGNATURE = 403
UNKNOWN_LOG = 404
OTHER_SIZE_SEEN = 409
INCONSISTENT = 422

_OLD = re.compile(r"old ([0-9]+)")
_EMPTY_TREE_NOTE = re.compile(r"[^\n]+\n0\n([^\n]+)\n\n")


@dataclass(frozen=True)
class AddCheckpoint:
    """A request. Nothing in it is verified.

    old_size: size that the log believes the witness has seen. proof: consistency path from there, hashes of 32 bytes.
    note: the signed checkpoint to be cosigned.
    Raises: InputError naming the field, where a number or hash is not of its form.
    """

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    def __post_init__(self) -> None:
        if type(self.old_size) is not int or not 0 <= self.old_size <= MAX_TREE_SIZE:
            raise InputError(problem("/old", self.old_size, f"0 <= old size <= {MAX_TREE_SIZE}", "Give a tree's size."))
        if len(self.proof) > MAX_PROOF_LINES:
            raise InputError(problem("/proof", len(self.proof), f"at most {MAX_PROOF_LINES} hashes", "Check the path."))
        for number, one in enumerate(self.proof):
            check_hash(one, f"/proof/{number}")


@dataclass(frozen=True)
class Seen:
    """The largest tree of a log that a witness has cosigned. root: 32 bytes. note: the signed note that showed it."""

    tree_size: int
    root: bytes
    note: str


@dataclass(frozen=True)
class Answer:
    """What the witness answers.

    status: HTTP status; COSIGNED if the checkpoint is to be cosigned. why: one sentence, for a person.
    now_seen: with COSIGNED alone, what is seen from now on and to be cosigned. seen_size: with OTHER_SIZE_SEEN alone.
    refused: with INCONSISTENT alone, the note that the log has signed all the same: worth keeping, since the log may
    have told two stories. Notes hold the lines of trusted keys alone: whoever asks can put any other under them.
    """

    status: int
    why: str
    now_seen: Seen | None = None
    seen_size: int | None = None
    refused: Seen | None = None


def format_request(request: AddCheckpoint) -> str:
    """The request as text: the body of the POST."""
    lines = [f"old {request.old_size}", *(format_base64(one) for one in request.proof)]
    return "\n".join(lines) + "\n\n" + request.note


def parse_request(data: bytes) -> AddCheckpoint:
    """The request that the bytes spell: format_request(parse_request(data)) == data.decode().

    Raises: MalformedProofError if it is not of the form, its checkpoint included; RootMismatchError if that is of the
    empty tree and has another root.
    """
    if len(data) > MAX_REQUEST_BYTES:
        _malformed(f"{len(data)} bytes", f"at most {MAX_REQUEST_BYTES}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        _malformed("bytes that are not UTF-8", "UTF-8")
    head, separator, note = text.partition("\n\n")
    if not separator:
        _malformed(text, "the old size, the proof's lines, an empty line, the checkpoint")
    lines = head.split("\n")
    old_line = _OLD.fullmatch(lines[0])
    if old_line is None:
        _malformed(lines[0], 'a line "old N"')
    if len(lines) - 1 > MAX_PROOF_LINES:
        _malformed(f"{len(lines) - 1} hashes", f"at most {MAX_PROOF_LINES}")
    try:
        request = AddCheckpoint(
            parse_count(old_line[1], "/old"),
            tuple(parse_base64(line, f"/proof/{number}") for number, line in enumerate(lines[1:])),
            note,
        )
    except InputError as error:
        raise MalformedProofError(*error.problems) from error
    empty_tree = _EMPTY_TREE_NOTE.match(note)
    if empty_tree is not None and empty_tree[1] != format_base64(EMPTY_ROOT):
        raise RootMismatchError(problem("/root", empty_tree[1], "the root of the empty tree", "Recompute the root."))
    parse_checkpoint(note)
    return request


def decide(seen: Seen | None, vkeys: Sequence[VerifierKey], request: AddCheckpoint) -> Answer:
    """What a witness answers to the request, the checks in the order of the specification.

    seen: what it has seen of the request's log, None for nothing. vkeys: the keys that it trusts for that log, none if
    it does not know the log. One of them must have signed; a line by one of them that does not hold spoils the note.
    Raises: MalformedProofError if the request's note is none.
    """
    checkpoint, _ = parse_checkpoint(request.note)
    if not vkeys:
        return Answer(UNKNOWN_LOG, f"no log {checkpoint.origin} is known here")
    note = _note_of_trusted(request.note, vkeys)
    if note is None:
        return Answer(NO_TRUSTED_SIGNATURE, f"no signature by a trusted key of {checkpoint.origin}")
    if request.old_size > checkpoint.tree_size:
        return Answer(BAD_REQUEST, f"old size {request.old_size} is above the checkpoint's {checkpoint.tree_size}")
    seen_size, seen_root = (0, EMPTY_ROOT) if seen is None else (seen.tree_size, seen.root)
    if request.old_size != seen_size:
        return Answer(OTHER_SIZE_SEEN, f"the last size cosigned is {seen_size}", seen_size=seen_size)
    shown = Seen(checkpoint.tree_size, checkpoint.root, note)
    try:
        verify_consistency(seen_size, seen_root, checkpoint.tree_size, checkpoint.root, request.proof)
    except RootMismatchError:
        why = "its root differs" if seen_size == checkpoint.tree_size else "the proof does not lead to both roots"
        return Answer(INCONSISTENT, f"not a continuation of size {seen_size}: {why}", refused=shown)
    except MalformedProofError as error:
        return Answer(INCONSISTENT, f"not a proof from size {seen_size}: {error.problems[0].value}", refused=shown)
    return Answer(COSIGNED, f"consistent with size {seen_size}", now_seen=shown)


def _note_of_trusted(note: str, vkeys: Sequence[VerifierKey]) -> str | None:
    """The note with the lines of these keys alone; None if none has signed or a line by one of them does not hold."""
    checkpoint, lines = parse_checkpoint(note)
    trusted = {(vkey.origin, vkey.key_hash): vkey for vkey in vkeys}
    theirs = [line for line in lines if (line.name, line.key_hash) in trusted]
    if not theirs:
        return None
    try:
        for line in theirs:
            verify_checkpoint(note, trusted[line.name, line.key_hash])
    except (BadSignatureError, MalformedProofError):
        return None
    kept = "".join(f"— {line.name} {format_base64(line.key_hash + line.signature)}\n" for line in theirs)
    return f"{checkpoint.body()}\n{kept}"


def _malformed(found: str, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Send the request as C2SP tlog-witness says."))
