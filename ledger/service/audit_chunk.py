"""The part of `log verify` that is done for a run of entries by itself, in this process or in another.

It answers whether everything about the entries is in order, and names nothing: for what is not, the walk goes through
the run again entry by entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import InputError
from ledger.log.chain import Links, check_links, parts_of
from ledger.log.forms import parse_base64, parse_time
from ledger.log.signed import SignedStatement, check_form
from ledger.log.statement import STATEMENT_TYPE, key_id, pre_authentication_encoding
from ledger.log.statement_frame import StatementFrame, read_frame
from ledger.log.tiles import TILE_WIDTH
from ledger.service.audit_findings import Extent

CLIENT_ID = re.compile(r"[!-~]{1,128}")
"""A sender's id for what it sends."""


@dataclass(frozen=True)
class KeyRecord:
    """A key of an actor, as signing it matters here. public_key: 32 bytes. Signs entries after from_seq (and entry 0
    if that registers it) up to until_seq, without end if None. Keys of other forms of use are for the walk.
    """

    kid: str
    actor: str
    public_key: bytes
    from_seq: int
    until_seq: int | None

    def signs(self, seq: int, actor: str) -> bool:
        """Whether it may sign entry `seq` of `actor`."""
        return (
            self.actor == actor
            and (self.from_seq < seq or seq == self.from_seq == 0)
            and (self.until_seq is None or seq <= self.until_seq)
        )


@dataclass(frozen=True)
class Chunk:
    """A run of rows, consecutive by number, within one tile of the tree.

    columns: of the rows, as ledger.store.audit_rows.entry_batches gives them: seq, leaf_hash, data, and so on. keys: by
    key id, as far as they occur in the entries. extent: how far to look.
    """

    origin: str
    columns: tuple[tuple[Any, ...], ...]
    keys: Mapping[str, KeyRecord]
    extent: Extent

    @property
    def seqs(self) -> tuple[int, ...]:
        """Numbers of the rows."""
        return self.columns[0]

    @property
    def entries(self) -> tuple[bytes, ...]:
        """Exact bytes of the entries."""
        return self.columns[2]

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one by one."""
        return zip(*self.columns, strict=True)


@dataclass(frozen=True)
class Sound:
    """A run in which nothing is wrong.

    root: over the leaves, if they are a whole tile. committed: numbers of the entries that commit to private values.
    """

    links: Links
    root: bytes | None
    committed: tuple[int, ...]


def check_chunk(chunk: Chunk) -> Sound | None:
    """The run, if it is sound in itself; None if anything about it must be looked at more closely."""
    links = check_links(chunk.entries, chunk.origin, chunk.seqs[0])
    if links is None or chunk.columns[1] != links.leaves:
        return None
    committed: tuple[int, ...] = ()
    if chunk.extent is not Extent.LINKS:
        try:
            statements = [_check_statement(chunk, row) for row in chunk.rows()]
            # In a loop of its own: between other work each of them takes a tenth longer.
            for one in statements:
                one.public_key.verify(one.signature, one.message)
        except (InputError, InvalidSignature, _NotSoundError):
            return None
        committed = tuple(one.seq for one in statements if one.has_commitments)
    root = tile_root(links.leaves) if len(links.leaves) == TILE_WIDTH else None
    return Sound(links, root, committed)


def tile_root(leaves: Sequence[bytes]) -> bytes:
    """Root over the 256 leaf hashes of a whole tile, or any number that is a power of two."""
    row = list(leaves)
    while len(row) > 1:
        # As ledger.log.merkle.node_hash, written out: one call less for each of a million nodes.
        row = [sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=True)]
    return row[0]


class _NotSoundError(Exception):
    """Something is not as it should be."""


class _Signed(NamedTuple):
    """A statement of which only the signature is still to be verified."""

    seq: int
    public_key: Ed25519PublicKey
    signature: bytes
    message: bytes
    has_commitments: bool


def _check_statement(chunk: Chunk, row: tuple[Any, ...]) -> _Signed:
    """What is left to verify of an entry whose form, columns, key and body are in order.

    Raises: one of what check_chunk catches, if not.
    """
    seq, _, data, entry_type, statement_id, content, client_id = row
    recv, signature_text, statement_bytes = parts_of(data, chunk.origin, seq)
    parse_time(recv.decode("ascii", "replace"), "/recv")
    signature = parse_base64(signature_text.decode("ascii", "replace"), "/sig")
    statement = read_frame(statement_bytes) or _parsed(statement_bytes, signature)
    key = chunk.keys.get(statement.kid)
    if (
        (entry_type, statement_id, content) != (statement.type, statement.id, statement.content_sha256)
        or not CLIENT_ID.fullmatch(client_id)
        or key is None
        or not key.signs(seq, statement.actor)
    ):
        raise _NotSoundError
    if chunk.extent is Extent.ALL:
        from ledger.service.entry_types import parse_entry_body  # a worker that needs none of it starts sooner

        parse_entry_body(statement.type, statement.body)
    message = pre_authentication_encoding(STATEMENT_TYPE, statement_bytes)
    return _Signed(seq, _public_key(key.kid, key.public_key), signature, message, bool(statement.commit))


def _parsed(statement_bytes: bytes, signature: bytes) -> StatementFrame:
    """The same by the textbook way. Raises: InputError."""
    checked = check_form(SignedStatement(statement_bytes, signature))
    one = checked.statement
    return StatementFrame(one.actor, one.kid, one.type, one.id, one.commit, one.body, checked.content_sha256)


@lru_cache(maxsize=1024)
def _public_key(kid: str, raw: bytes) -> Ed25519PublicKey:
    public_key = Ed25519PublicKey.from_public_bytes(raw)
    if key_id(public_key) != kid:
        raise _NotSoundError
    return public_key
