"""From entries to the state of the plant, inside a transaction of the caller."""

from __future__ import annotations

from sqlalchemy import Connection

from ledger.carbon.factors import FactorAdoption
from ledger.errors import LedgerError, VerificationError, problem
from ledger.log.envelope import parse_envelope
from ledger.material.batch import add_entry, fold_plant
from ledger.material.fields import Body
from ledger.service.context import Ledger, State
from ledger.service.entry_types import parse_entry_body
from ledger.store import repository
from ledger.store.repository import Head, StoredEntry

REFOLD_ABOVE = 200
"""More new entries than this are folded anew with the old ones: adding one by one copies the plant each time."""


def state_at(ledger: Ledger, connection: Connection, head: Head) -> State:
    """The state of the log at `head`: the cached one extended by the new entries, or folded anew.

    Raises: VerificationError naming the entry that cannot be read or breaks a rule of the plant.
    """
    cached = ledger.state
    if not _begins_with(connection, cached, head):
        cached = State()
    if cached.tree_size == head.tree_size:
        return cached
    if head.tree_size - cached.tree_size > REFOLD_ABOVE:
        cached = State()
    new = [parse_stored(entry) for entry in repository.entries_from(connection, head.origin, cached.tree_size)]
    adoptions = (*cached.adoptions, *((seq, body) for seq, _, body in new if isinstance(body, FactorAdoption)))
    if cached.tree_size == 0:
        plant = fold_plant(new, ledger.masses)
    else:
        plant = cached.plant
        for seq, entry_type, body in new:
            plant = add_entry(plant, seq, entry_type, body, ledger.masses)
    return State(head.tree_size, head.last_leaf_hash, plant, adoptions)


def parse_stored(entry: StoredEntry) -> tuple[int, str, Body]:
    """Sequence number, type and body of an entry, from its bytes.

    Raises: VerificationError naming the entry, if its bytes are not those of an entry of a known type.
    """
    try:
        statement = parse_envelope(entry.data).statement
        return entry.seq, statement.type, parse_entry_body(statement.type, statement.body)
    except LedgerError as error:
        raise unreadable(entry.seq, error) from error


def unreadable(seq: int, error: LedgerError) -> VerificationError:
    """An entry of the log that cannot be used."""
    return VerificationError(
        problem(f"/entries/{seq}", str(error), "an entry that can be read", "Run `magnet-ledger log verify`.")
    )


def _begins_with(connection: Connection, cached: State, head: Head) -> bool:
    """Whether the log still begins with the entries that the cached state was made from."""
    if cached.tree_size == 0 or cached.tree_size > head.tree_size:
        return False
    if cached.tree_size == head.tree_size:
        return cached.last_leaf_hash == head.last_leaf_hash
    last = repository.entries_at(connection, head.origin, [cached.tree_size - 1])[cached.tree_size - 1]
    return last.leaf_hash == cached.last_leaf_hash
