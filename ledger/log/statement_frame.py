"""A statement read by the places of its fields: the fast way, for verifying many.

A canonical statement begins with actor and time and ends with commit, id, kid, refs, type and v, so that two patterns
find all of it but the body. What is found here is what `check_form` finds; what does not fit the patterns may still be
a statement, and is for that function.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

import orjson

from ledger.errors import InputError, MalformedProofError
from ledger.log.canonical import parse_canonical
from ledger.log.forms import parse_time
from ledger.log.statement import STATEMENT_LEVELS

_HASH = rb'"[0-9a-f]{64}"'
_COMMIT = rb'"[a-z][a-z0-9_]*":' + _HASH

# No quote and no backslash in the actor's name: such a name is written with escapes.
_HEAD = re.compile(rb'\{"actor":("[!#-\[\]-~]{1,128}"),"at":"([0-9T:.Z-]{27})","body":(?=\{)')

_TAIL = re.compile(
    rb',"commit":(\{(?:' + _COMMIT + rb"(?:," + _COMMIT + rb")*)?\})"
    rb',"id":"([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"'
    rb',"kid":"([0-9a-f]{16})"'
    rb',"refs":(\[(?:' + _HASH + rb"(?:," + _HASH + rb")*)?\])"
    rb',"type":("(?=.{1,64}",)[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*"),"v":1\}'
)
_MEMBERS = 9


class StatementFrame(NamedTuple):
    """The fields of a statement, and its content hash (`ledger.log.signed.content_sha256`)."""

    actor: str
    kid: str
    type: str
    id: str
    commit: Mapping[str, object]
    body: Mapping[str, object]
    content_sha256: str


def read_frame(statement_bytes: bytes) -> StatementFrame | None:
    """What the statement says, if these are its exact bytes; None if they are not found to be so here."""
    head = _HEAD.match(statement_bytes)
    # All of the tail is text that no string can hold, so the last place where it begins is the only one.
    tail = _TAIL.fullmatch(statement_bytes, max(statement_bytes.rfind(b',"commit":{'), 0))
    if head is None or tail is None:
        return None
    try:
        value = parse_canonical(statement_bytes, STATEMENT_LEVELS)
        parse_time(head[2].decode("ascii"), "/at")
    except (MalformedProofError, InputError):
        return None
    # The last byte closes the object that the first one opens, so what was found are its own members; with the body
    # they are the nine of a statement.
    if not isinstance(value, dict) or len(value) != _MEMBERS:
        return None
    commit, body = value["commit"], value["body"]
    if not isinstance(commit, dict) or not isinstance(body, dict):
        return None
    names = orjson.dumps(list(commit))  # sorted already: the form is canonical
    content = b'{"actor":%b,"body":%b,"private":%b,"refs":%b,"type":%b}' % (
        head[1],
        statement_bytes[head.end() : tail.start()],
        names,
        tail[4],
        tail[5],
    )
    return StatementFrame(
        head[1][1:-1].decode("ascii"),
        tail[3].decode("ascii"),
        tail[5][1:-1].decode("ascii"),
        tail[2].decode("ascii"),
        commit,
        body,
        sha256(content).hexdigest(),
    )
