"""Evidence that a log told two stories: two checkpoints, both signed with its key, that no one history can have.

    split-view/v1
    example.com/site-1+b96dc1ea+ATobyW...     1 or 2 verifier keys of the log
    prefix CsUYapGGPo4dkMgIAUqom/Xajj...      only where the sizes differ
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9te...       and the path with it

    (the checkpoint of the smaller tree, verbatim)

    (the checkpoint of the larger tree, verbatim)

Two checkpoints of the same size with different roots are evidence by themselves. Where the sizes differ, the
consistency path (RFC 9162, 2.1.4) leads from the root of the larger tree, which was signed, to the root of its first
entries, `prefix`; that is another than the one that was signed for that size. A path that merely leads nowhere proves
nothing: anybody can write one down.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from ledger.errors import InputError, LedgerError, MalformedProofError, VerificationError, problem
from ledger.log.checkpoint import (
    MAX_NOTE_CHARS,
    Checkpoint,
    VerifierKey,
    format_vkey,
    parse_checkpoint,
    parse_vkey,
    verify_checkpoint,
)
from ledger.log.forms import check_hash, format_base64, parse_base64
from ledger.log.merkle import verify_consistency
from ledger.log.proof import MAX_PATH_HASHES
from ledger.log.tiles import TiledTree, TileReader
from ledger.report import Check, failed, not_checked, passed

HEADER = "split-view/v1"

CHECK = "split-view"
"""Name of the check of an evidence file. It has passed where the file proves that the log told two stories."""

CONSISTENT = "consistency"
"""Name of the check that two checkpoints are of one history. It has failed where they are a split view."""

MAX_KEYS = 2
"""A log whose key was changed may have signed each of the two with another one."""

_MAX_CHARS = 2 * MAX_NOTE_CHARS + 8192
_PREFIX = re.compile(r"prefix ([A-Za-z0-9+/=]+)")


@dataclass(frozen=True)
class SplitView:
    """Two checkpoints and what connects them. Nothing in it is verified.

    smaller, larger: signed notes, in the order of their sizes. vkeys: the log's keys that are said to have signed.
    prefix: root of the first entries of the larger tree, as many as the smaller one has, with the path that shows it;
    None and empty for equal sizes.
    """

    vkeys: tuple[VerifierKey, ...]
    smaller: str
    larger: str
    prefix: bytes | None = None
    path: tuple[bytes, ...] = ()


def format_split_view(view: SplitView) -> str:
    """The evidence as text. File extension ".split-view"."""
    lines = [HEADER, *(format_vkey(vkey.origin, vkey.public_key) for vkey in view.vkeys)]
    if view.prefix is not None:
        lines.append(f"prefix {format_base64(view.prefix)}")
        lines.extend(format_base64(one) for one in view.path)
    return "\n".join(lines) + f"\n\n{view.smaller}\n{view.larger}"


def parse_split_view(text: str) -> SplitView:
    """The evidence that `text` spells: format_split_view(parse_split_view(text)) == text. Nothing is verified.

    Raises: MalformedProofError if it is not of the form.
    """
    if len(text) > _MAX_CHARS:
        _malformed(f"{len(text)} characters", f"at most {_MAX_CHARS}")
    parts = text.split("\n\n")
    if len(parts) != 5:
        _malformed(text, "the evidence's lines and two checkpoints, with an empty line between them")
    lines = parts[0].split("\n")
    if lines.pop(0) != HEADER:
        _malformed(text, f'"{HEADER}" as the first line')
    at = next((number for number, line in enumerate(lines) if line.startswith("prefix ")), len(lines))
    keys, connection = lines[:at], lines[at:]
    if not 1 <= len(keys) <= MAX_KEYS or len(connection) > 1 + MAX_PATH_HASHES + 1:
        _malformed(text, f"1 to {MAX_KEYS} verifier keys, then at most {MAX_PATH_HASHES + 1} hashes after the prefix")
    smaller, larger = f"{parts[1]}\n\n{parts[2]}\n", f"{parts[3]}\n\n{parts[4]}"
    prefix = None
    try:
        if connection:
            match = _PREFIX.fullmatch(connection[0])
            prefix = check_hash(parse_base64(match[1] if match else connection[0], "/prefix"), "/prefix")
        view = SplitView(
            vkeys=tuple(parse_vkey(key) for key in keys),
            smaller=smaller,
            larger=larger,
            prefix=prefix,
            path=tuple(
                check_hash(parse_base64(line, f"/path/{number}"), f"/path/{number}")
                for number, line in enumerate(connection[1:])
            ),
        )
    except InputError as error:
        raise MalformedProofError(*error.problems) from error
    for note in (smaller, larger):
        parse_checkpoint(note)
    return view


def check_split_view(text: str, vkeys: Sequence[VerifierKey] = ()) -> Check:
    """Whether the evidence proves that the log signed two histories: then the check has passed.

    vkeys: the log's keys as the reader knows them; with none, the file's own are believed and named in the detail, for
    the reader to compare. Raises nothing for any text.
    """
    try:
        view = parse_split_view(text)
        known = {_key_text(vkey) for vkey in vkeys}
        if known and (strange := [_key_text(vkey) for vkey in view.vkeys if _key_text(vkey) not in known]):
            _malformed(f"verifier key {strange[0]}", "a key of the log that the reader knows")
        return passed(CHECK, _prove(view))
    except LedgerError as error:
        first = error.problems[0]
        return failed(CHECK, f"proves nothing: found {first.value}; expected {first.expected}")


def compare_checkpoints(
    note: str, other: str, vkeys: Sequence[VerifierKey], tiles: TileReader | None = None
) -> tuple[Check, str | None]:
    """Whether two checkpoints of a log are of one history, and where they are not, the evidence for anybody.

    vkeys: keys of that log; one must have signed each. tiles: of the log as it stands, to compare different sizes with.
    Returns: passed; failed, with the evidence as text; or not checked, where the sizes differ and the tiles are none or
    are not those of the larger checkpoint.
    Raises: MalformedProofError, BadSignatureError unless both are checkpoints of one log, signed with its keys.
    """
    (smaller, small, small_key), (larger, large, large_key) = sorted(
        ((one, *_signed(one, vkeys)) for one in (note, other)), key=lambda signed: signed[1].tree_size
    )
    if small.origin != large.origin:
        raise VerificationError(
            problem("/origin", large.origin, f"a checkpoint of {small.origin}", "Compare two of it.")
        )
    keys = (small_key,) if small_key == large_key else (small_key, large_key)
    if small.tree_size == large.tree_size:
        if small.root == large.root:
            return passed(CONSISTENT, f"both state the same root at size {small.tree_size}"), None
        return _told_two(SplitView(keys, smaller, larger))
    if small.tree_size == 0:
        return passed(
            CONSISTENT, f"every tree, so also that of size {large.tree_size}, begins with the empty one"
        ), None
    sizes = f"sizes {small.tree_size} and {large.tree_size}"
    if tiles is None:
        return not_checked(CONSISTENT, f"{sizes} differ, and there are no tiles of the log to compare them with"), None
    try:
        tree = TiledTree(tiles, large.tree_size)
        if tree.root() != large.root:
            why = f"{sizes} differ, and the tiles at hand are not those of the tree of {large.tree_size}"
            return not_checked(CONSISTENT, why), None
        prefix, path = TiledTree(tiles, small.tree_size).root(), tuple(tree.consistency_path(small.tree_size))
        verify_consistency(small.tree_size, prefix, large.tree_size, large.root, path)
    except LedgerError as error:  # tiles prove nothing by themselves; whoever serves them may lie, or lack some
        why = f"{sizes} differ, and the tiles at hand do not connect them: {error.problems[0].value}"
        return not_checked(CONSISTENT, why), None
    if prefix != small.root:
        return _told_two(SplitView(keys, smaller, larger, prefix, path))
    return passed(CONSISTENT, f"the tree of size {large.tree_size} begins with that of size {small.tree_size}"), None


def _told_two(view: SplitView) -> tuple[Check, str]:
    detail = _prove(view)  # evidence that does not convince us is not given out
    return failed(CONSISTENT, detail), format_split_view(view)


def _prove(view: SplitView) -> str:
    """What the evidence proves, in a sentence. Raises: VerificationError if it proves nothing."""
    small, small_key = _signed(view.smaller, view.vkeys)
    large, large_key = _signed(view.larger, view.vkeys)
    if small.origin != large.origin or small.tree_size > large.tree_size:
        _malformed(
            f"{small.origin} at {small.tree_size}, {large.origin} at {large.tree_size}", "one log, by rising size"
        )
    if {_key_text(small_key), _key_text(large_key)} != {_key_text(vkey) for vkey in view.vkeys}:
        _malformed(f"{len(view.vkeys)} verifier keys", "only keys that have signed")
    if (view.prefix is None) != (small.tree_size == large.tree_size):
        _malformed(f"sizes {small.tree_size} and {large.tree_size}", "a prefix exactly where the sizes differ")
    prefix = large.root if view.prefix is None else view.prefix
    verify_consistency(small.tree_size, prefix, large.tree_size, large.root, view.path)
    if prefix == small.root:
        _malformed(f"the same root at size {small.tree_size} in both", "two roots for one size")
    who = " and ".join(_key_text(vkey) for vkey in view.vkeys)
    return (
        f"{who} has signed two histories of {small.origin}: for the first {small.tree_size} entries, root "
        f"{small.root.hex()} in the checkpoint of size {small.tree_size} and root {prefix.hex()} in that of size "
        f"{large.tree_size}"
    )


def _signed(note: str, vkeys: Sequence[VerifierKey]) -> tuple[Checkpoint, VerifierKey]:
    """The checkpoint and the first of the keys that has signed it. Raises: VerificationError if none has."""
    errors: list[VerificationError] = []
    for vkey in vkeys:
        try:
            return verify_checkpoint(note, vkey), vkey
        except VerificationError as error:
            errors.append(error)
    if not errors:
        raise InputError(problem("/vkeys", "no verifier key", "a key of the log", "Give the log's verifier key."))
    raise errors[0]


def _key_text(vkey: VerifierKey) -> str:
    return format_vkey(vkey.origin, vkey.public_key)


def _malformed(found: str, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Keep both checkpoints and compare them anew."))
