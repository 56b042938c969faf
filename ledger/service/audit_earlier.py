"""The entries that an incremental verification does not read: bound by their leaf hashes to what was verified then.

The stored hashes of the tree's leaves must give the root of the checkpoint that was verified. So no earlier entry can
be exchanged for another in what follows: the last of them, and those about keys, are read and hashed again, the others
are not looked at, and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from ledger.errors import InputError, MalformedProofError, VerificationError
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.envelope import Envelope, parse_envelope
from ledger.log.forms import HASH_BYTES
from ledger.log.keyring import Keyring
from ledger.log.merkle import leaf_hash
from ledger.log.tiles import TILE_BYTES, TILE_WIDTH
from ledger.material.fields import Body
from ledger.material.keys import followed
from ledger.report import failed, not_checked
from ledger.service.audit_findings import EARLIER, ROWS, Findings
from ledger.service.audit_tree import TreeAudit
from ledger.service.audit_walk import Walk
from ledger.service.entry_types import parse_entry_body
from ledger.store import audit_rows
from ledger.store.verified import Verified

_FULL = "run `magnet-ledger log verify --full`"


class _BrokenError(Exception):
    """The earlier entries cannot be built on."""

    def __init__(self, detail: str, seq: int | None = None) -> None:
        super().__init__(detail)
        self.seq = seq


def begin_after_verified(
    connection: Connection, verified: Verified, trusted: Keyring, walk: Walk, tree: TreeAudit, findings: Findings
) -> bool:
    """Set walk and tree after the entries that were verified; True if that could be done.

    The tree must have been made with the size of the verified checkpoint among its sizes. Findings say what was not
    looked at, and what does not hold.
    """
    size = verified.tree_size
    count = audit_rows.count_before(connection, walk.origin, size)
    if count != size:
        findings.fail(ROWS, f"{count} of the entries 0 to {size - 1} have a row; the others were deleted or renumbered")
    try:
        last, keys = _build(connection, verified, trusted, walk.origin, tree)
    except _BrokenError as error:
        findings.add(failed(EARLIER, f"{error}; {_FULL}", error.seq))
        return False
    walk.begin_after(size, leaf_hash(last[0]).hex(), last[1].recv, keys)
    why = f"the data of entries 0 to {size - 1} were not read now: they were verified on {verified.at}"
    findings.add(not_checked(EARLIER, f"{why}, and the tree over their hashes is still the same", required=False))
    return True


def _build(
    connection: Connection, verified: Verified, trusted: Keyring, origin: str, tree: TreeAudit
) -> tuple[tuple[bytes, Envelope], list[tuple[int, str, Body]]]:
    """The last entry that was verified, and those about keys. Raises: _BrokenError."""
    checkpoint, _ = parse_checkpoint(verified.note)
    size = checkpoint.tree_size
    wanted = {*verified.key_entries, size - 1}
    kept: dict[int, bytes] = {}
    for start, leaves in _leaves(connection, origin, size):
        kept.update((seq, leaves[seq - start]) for seq in wanted if start <= seq < start + len(leaves))
        tree.extend(leaves)
    tree.take_roots()
    if tree.root_at(size) != checkpoint.root:
        raise _BrokenError(
            f"the stored hashes of the first {size} entries do not give the root verified on {verified.at}"
        )
    entries = {seq: _entry(connection, origin, seq, leaf) for seq, leaf in kept.items()}
    keys = []
    for seq in verified.key_entries:
        envelope = entries[seq][1]
        try:
            body = parse_entry_body(envelope.statement.type, envelope.statement.body)
        except InputError as error:
            raise _BrokenError(f"entry {seq}: {error}", seq) from error
        keys.append((seq, envelope.recv, body))
    try:
        followed(trusted, keys).signers(verified.note)
    except (VerificationError, InputError) as error:
        raise _BrokenError(f"the checkpoint verified on {verified.at} is not the log's: {error}") from error
    return entries[size - 1], keys


def _leaves(connection: Connection, origin: str, size: int) -> Iterator[tuple[int, list[bytes]]]:
    """The stored leaf hashes of the first `size` entries, a tile at a time, with the number of the first."""
    for index in range(size // TILE_WIDTH):
        hashes = audit_rows.tile_hashes(connection, origin, 0, index)
        start = index * TILE_WIDTH
        if hashes is None or len(hashes) != TILE_BYTES:
            raise _BrokenError(f"the tile of entries {start} to {start + TILE_WIDTH - 1} is not stored whole", start)
        yield start, [hashes[at : at + HASH_BYTES] for at in range(0, TILE_BYTES, HASH_BYTES)]
    start = size - size % TILE_WIDTH
    found = audit_rows.leaf_hashes(connection, origin, start, size)
    leaves = []
    for seq in range(start, size):
        if len(found.get(seq, b"")) != HASH_BYTES:
            raise _BrokenError(f"entry {seq} has no row, or its leaf hash is damaged", seq)
        leaves.append(found[seq])
    yield start, leaves


def _entry(connection: Connection, origin: str, seq: int, leaf: bytes) -> tuple[bytes, Envelope]:
    data = audit_rows.entry_data(connection, origin, seq)
    if data is None or leaf_hash(data) != leaf:
        raise _BrokenError(f"entry {seq} is not the one that was verified", seq)
    try:
        return data, parse_envelope(data)
    except MalformedProofError as error:
        raise _BrokenError(f"entry {seq}: {error}", seq) from error
