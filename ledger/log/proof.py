"""Portable inclusion proof: an entry's place, its path and the checkpoint, in one text (C2SP tlog-proof, version 1).

c2sp.org/tlog-proof@v1
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
...

example.com/site-1
109482
...
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

from ledger.errors import InputError, MalformedProofError, problem
from ledger.log.canonical import MAX_SAFE_INTEGER
from ledger.log.checkpoint import MAX_NOTE_CHARS, Checkpoint, VerifierKey, parse_checkpoint, verify_checkpoint
from ledger.log.forms import check_hash, format_base64, parse_base64, parse_count
from ledger.log.merkle import leaf_hash, verify_inclusion

HEADER = "c2sp.org/tlog-proof@v1"

MAX_PATH_HASHES = 53
"""Longest path: the depth of a tree of 2^53-1 leaves."""

MAX_EXTRA_BYTES = 65_535

# The specification sets no order of checks; a text longer than its parts can be is refused before it is split.
_MAX_PROOF_CHARS = MAX_NOTE_CHARS + MAX_EXTRA_BYTES * 2 + 4096
_EXTRA = re.compile(r"extra ([A-Za-z0-9+/=]+)")
_INDEX = re.compile(r"index ([0-9]+)")


@dataclass(frozen=True)
class InclusionProof:
    """That some entry is in the tree of a checkpoint. Unverified until verify_tlog_proof has seen entry and key.

    leaf_index: place of the entry, from 0.
    path: sibling hashes of 32 bytes, the leaf's sibling first.
    checkpoint: the whole signed note.
    extra: opaque bytes that travel along. Nothing authenticates them: never rely on them. This log writes none.
    Raises: InputError naming the field, where a field is not of its form.
    """

    leaf_index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes = b""

    def __post_init__(self) -> None:
        if type(self.leaf_index) is not int or not 0 <= self.leaf_index <= MAX_SAFE_INTEGER:
            raise InputError(problem("/leaf_index", self.leaf_index, "0 <= leaf index <= 2^53-1", "Name an entry."))
        if len(self.path) > MAX_PATH_HASHES:
            raise InputError(problem("/path", len(self.path), f"at most {MAX_PATH_HASHES} hashes", "Check the path."))
        for number, one in enumerate(self.path):
            check_hash(one, f"/path/{number}")
        if len(self.extra) > MAX_EXTRA_BYTES:
            raise InputError(
                problem("/extra", f"{len(self.extra)} bytes", f"at most {MAX_EXTRA_BYTES} bytes", "Shorten it.")
            )


def format_tlog_proof(proof: InclusionProof) -> str:
    """The proof as text. File extension ".tlog-proof"."""
    lines = [HEADER]
    if proof.extra:
        lines.append(f"extra {format_base64(proof.extra)}")
    lines.append(f"index {proof.leaf_index}")
    lines.extend(format_base64(one) for one in proof.path)
    return "\n".join(lines) + "\n\n" + proof.checkpoint


def parse_tlog_proof(text: str) -> InclusionProof:
    """The proof that `text` spells: format_tlog_proof(parse_tlog_proof(text)) == text. Nothing is verified.

    Raises: MalformedProofError if it is not of the form, its checkpoint included.
    """
    if len(text) > _MAX_PROOF_CHARS:
        _malformed(f"{len(text)} characters", f"at most {_MAX_PROOF_CHARS}")
    head, separator, checkpoint = text.partition("\n\n")
    if not separator:
        _malformed(text, "the proof's lines, an empty line, the checkpoint")
    lines = head.split("\n")
    if lines.pop(0) != HEADER:
        _malformed(text, f'"{HEADER}" as the first line')
    extra_line = _EXTRA.fullmatch(lines[0]) if lines else None
    if extra_line is not None:
        lines.pop(0)
    index_line = _INDEX.fullmatch(lines[0]) if lines else None
    if index_line is None:
        _malformed(text, 'a line "index N" after the header')
    if len(lines) - 1 > MAX_PATH_HASHES:
        _malformed(f"{len(lines) - 1} hashes", f"at most {MAX_PATH_HASHES} hashes")
    parse_checkpoint(checkpoint)
    try:
        return InclusionProof(
            leaf_index=parse_count(index_line[1], "/index"),
            path=tuple(parse_base64(line, f"/path/{number}") for number, line in enumerate(lines[1:])),
            checkpoint=checkpoint,
            extra=parse_base64(extra_line[1], "/extra") if extra_line is not None else b"",
        )
    except InputError as error:
        raise MalformedProofError(*error.problems) from error


def verify_tlog_proof(text: str, leaf_data: bytes, vkey: VerifierKey) -> Checkpoint:
    """The verified checkpoint under which the entry with the exact bytes leaf_data stands, as `text` proves.

    Raises: MalformedProofError if the text is not of the form; BadSignatureError if the log of vkey has not signed the
    checkpoint; RootMismatchError if the path does not lead from leaf_data to the checkpoint's root.
    """
    proof = parse_tlog_proof(text)
    checkpoint = verify_checkpoint(proof.checkpoint, vkey)
    verify_inclusion(leaf_hash(leaf_data), proof.leaf_index, checkpoint.tree_size, proof.path, checkpoint.root)
    return checkpoint


def _malformed(found: str, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Take the proof from the log again, unchanged."))
