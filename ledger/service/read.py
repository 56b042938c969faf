"""Reading: the plant as the log makes it, batches, genealogy, entries and their proofs."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import Connection

from ledger.carbon.factors import FactorBook, make_factor_book
from ledger.errors import InputError, UnknownIdError, problem
from ledger.log.canonical import canonical_bytes
from ledger.log.merkle import MAX_TREE_SIZE
from ledger.log.tiles import TiledTree
from ledger.material.balance import BalanceRow, contents, step_balance
from ledger.material.composition import is_disputed, settled_components
from ledger.material.genealogy import Link, ancestors, descendants
from ledger.material.plant import Batch, Plant
from ledger.quantity import format_decimal, round_decimal
from ledger.service.context import Ledger, State
from ledger.service.factor_library import factor_records
from ledger.service.private_values import kept_values
from ledger.service.state import state_at
from ledger.store import projection, repository
from ledger.store.database import read_transaction
from ledger.store.repository import Head
from ledger.store.tile_rows import StoredTiles

BALANCE_PLACES = 4
"""Decimal places of the kg in a balance that is shown: 0.1 g."""


def head(ledger: Ledger) -> Head:
    """Where the log ends. Raises: StoreError if there is no such log or database."""
    with read_transaction(ledger.engine) as connection:
        return repository.read_head(connection, ledger.origin)


def state_of(ledger: Ledger) -> State:
    """What all entries add up to; kept in the ledger's cache.

    Raises: StoreError; VerificationError naming an entry that cannot be read.
    """
    with read_transaction(ledger.engine) as connection:
        state = state_at(ledger, connection, repository.read_head(connection, ledger.origin))
    ledger.state = state
    return state


def plant_of(ledger: Ledger) -> Plant:
    """The plant after the last entry."""
    return state_of(ledger).plant


def factor_book_of(ledger: Ledger) -> FactorBook:
    """The emission factors in force. Raises: VerificationError if an adopted factor's record is another one."""
    return make_factor_book(state_of(ledger).adoptions, factor_records())


def entry_bytes(ledger: Ledger, seqs: Collection[int]) -> list[bytes]:
    """The exact bytes of the entries with these sequence numbers, in the order given.

    Raises: UnknownIdError naming the numbers that there are not.
    """
    if beyond := [seq for seq in seqs if not 0 <= seq < MAX_TREE_SIZE]:  # no database takes any number
        raise UnknownIdError(problem("/seq", beyond[0], "the sequence number of an entry", "Check the number."))
    with read_transaction(ledger.engine) as connection:
        found = repository.entries_at(connection, ledger.origin, seqs)
    return [found[seq].data for seq in seqs]


def tree_root(ledger: Ledger, tree_size: int) -> bytes:
    """Root of the first tree_size entries, by the stored tiles.

    Raises: InputError unless 0 <= tree_size <= size of the log.
    """
    with read_transaction(ledger.engine) as connection:
        return _tree(ledger, connection, tree_size).root()


def inclusion_proof(ledger: Ledger, seq: int, tree_size: int) -> list[bytes]:
    """The path from entry seq to the root of the tree of tree_size entries, sibling first.

    Raises: InputError unless 0 <= seq < tree_size <= size of the log.
    """
    return inclusion_proofs(ledger, [seq], tree_size)[0]


def inclusion_proofs(ledger: Ledger, seqs: Collection[int], tree_size: int) -> list[list[bytes]]:
    """`inclusion_proof` of several entries, in the order given."""
    with read_transaction(ledger.engine) as connection:
        tree = _tree(ledger, connection, tree_size)
        return [tree.inclusion_path(seq) for seq in seqs]


def _tree(ledger: Ledger, connection: Connection, tree_size: int) -> TiledTree:
    """The tree of the first tree_size entries. Raises: InputError if there are not as many."""
    log_size = repository.read_head(connection, ledger.origin).tree_size
    if not 0 <= tree_size <= log_size:
        raise InputError(
            problem("/tree_size", tree_size, f"a size up to that of the log, {log_size}", "Name such a size.")
        )
    return TiledTree(StoredTiles(connection, ledger.origin), tree_size)


def private_values(ledger: Ledger, seq: int) -> dict[str, str]:
    """The private values of an entry by name, as canonical JSON text; without those that were erased.

    Raises: VerificationError if one is not what was stored; StoreError if the vault cannot be read.
    """
    with read_transaction(ledger.engine) as connection:
        found = kept_values(ledger, connection, [seq])
    return {name: canonical_bytes(one.value).decode("utf-8") for (_, name), one in found.items()}


def list_batches(ledger: Ledger) -> list[dict[str, Any]]:
    """Every batch, oldest first, each with the fields of `batch_summary`. Reads the derived table alone."""
    with read_transaction(ledger.engine) as connection:
        rows = projection.read_batch_rows(connection, ledger.origin)
    return [_with_sizes(row) for row in rows.values()]


def batch_summary(batch: Batch) -> dict[str, Any]:
    """A batch in short.

    batch_id, seq (of the entry that made it), product, made_on, made_by (step id, or "receipt"), role, status,
    campaign; mass_kg, volume_l, remaining as exact text or None; size and left: the same with their unit, "not
    measured" without.
    """
    return _with_sizes(projection.batch_row(batch))


def batch_view(ledger: Ledger, batch_id: str) -> dict[str, Any]:
    """Everything about a batch.

    batch: `batch_summary`. receipt: body of the lot's receipt, or None. assays: their bodies, with "seq".
    components: the settled assay, or None; disputed: whether supplier and plant differ and nothing settles it.
    contents: kg of each element with expanded uncertainty (k=2). balance: `balance_of_step` of the step that made it.
    ancestors, descendants: as in `trace`. used_by: ids of the steps that drew from it. entries: sequence numbers about
    it.
    certificates: id, kind, seq, and status ("valid", "superseded" or "revoked"). warnings: texts.
    Raises: UnknownIdError if there is no such batch.
    """
    state = state_of(ledger)
    plant = state.plant
    batch = _batch(plant, batch_id)
    components = settled_components(plant, batch_id)
    balance = [] if batch.made_by not in plant.transformations else _balance(plant, batch.made_by, ledger)
    with read_transaction(ledger.engine) as connection:
        entries = projection.entries_of_batch(connection, ledger.origin, batch_id)
    receipt = plant.receipts.get(batch_id)
    return {
        "batch": batch_summary(batch),
        "receipt": None if receipt is None else receipt[1].to_value(),
        "assays": [
            {"seq": seq, **assay.to_value()} for seq, assay in plant.assays.values() if assay.batch_id == batch_id
        ],
        "components": None
        if components is None
        else [component.model_dump(mode="json", exclude_none=True) for component in components],
        "disputed": is_disputed(plant, batch_id),
        "contents": _contents(plant, batch_id, ledger),
        "balance": balance,
        "ancestors": _links(plant, ancestors(plant, batch_id)),
        "descendants": _links(plant, descendants(plant, batch_id)),
        "used_by": list(plant.used_by(batch_id)),
        "entries": entries,
        "certificates": _certificates(plant, batch_id),
        "warnings": _warnings(plant, batch_id, balance),
    }


def balance_of_step(ledger: Ledger, transformation_id: str) -> list[dict[str, Any]]:
    """The element balance of a step: element, in_kg, product_kg, residue_kg, unaccounted_kg, uncertainty_kg (k=2),
    unaccounted_percent (of what went in; None where nothing did), verdict.

    kg are rounded half to even to 0.1 g; unaccounted_kg is what then is left, so that the columns add up as shown.
    Raises: UnknownIdError if there is no such step.
    """
    plant = plant_of(ledger)
    if transformation_id not in plant.transformations:
        raise UnknownIdError(problem("", transformation_id, "the id of a step in the ledger", "Check the id."))
    return _balance(plant, transformation_id, ledger)


def trace(ledger: Ledger, batch_id: str, direction: Literal["up", "down", "both"] | str = "both") -> dict[str, Any]:
    """The genealogy of a batch: "up" what it was made of, "down" what was made of it; nearest first.

    Each link: batch_id, product, depth (1 is next to the batch), via (id of the step between).
    Raises: UnknownIdError if there is no such batch; InputError for another direction.
    """
    if direction not in ("up", "down", "both"):
        raise InputError(problem("/direction", direction, "up, down or both", "Choose one of them."))
    plant = plant_of(ledger)
    _batch(plant, batch_id)
    links: dict[str, Any] = {"batch_id": batch_id}
    if direction in ("up", "both"):
        links["up"] = _links(plant, ancestors(plant, batch_id))
    if direction in ("down", "both"):
        links["down"] = _links(plant, descendants(plant, batch_id))
    return links


def _batch(plant: Plant, batch_id: str) -> Batch:
    batch = plant.batches.get(batch_id)
    if batch is None:
        raise UnknownIdError(
            problem("", batch_id, "the id of a batch in the ledger", "Check the id; `batch list` names all.")
        )
    return batch


def _links(plant: Plant, links: list[Link]) -> list[dict[str, Any]]:
    return [
        {
            "batch_id": link.batch_id,
            "product": plant.batches[link.batch_id].product,
            "depth": link.depth,
            "via": link.via,
        }
        for link in links
    ]


def _with_sizes(row: dict[str, Any]) -> dict[str, Any]:
    unit = "kg" if row["mass_kg"] is not None else "L"
    size = row["mass_kg"] if row["mass_kg"] is not None else row["volume_l"]
    return {
        **row,
        "size": "not measured" if size is None else f"{size} {unit}",
        "left": "not measured" if row["remaining"] is None else f"{row['remaining']} {unit}",
    }


def _contents(plant: Plant, batch_id: str, ledger: Ledger) -> list[dict[str, str]]:
    return [
        {
            "element": element,
            "mass_kg": _kg(content.mass_kg),
            "uncertainty_kg": _kg(content.uncertainty_kg),
        }
        for element, content in sorted(contents(plant, ledger.masses).get(batch_id, {}).items())
    ]


def _balance(plant: Plant, transformation_id: str, ledger: Ledger) -> list[dict[str, Any]]:
    return [_balance_value(row) for row in step_balance(plant, transformation_id, ledger.masses)]


def _balance_value(row: BalanceRow) -> dict[str, Any]:
    parts = [round_decimal(kg, BALANCE_PLACES) for kg in (row.in_kg, row.product_kg, row.residue_kg)]
    percent = row.unaccounted_percent
    return {
        "element": row.element,
        "in_kg": format_decimal(parts[0]),
        "product_kg": format_decimal(parts[1]),
        "residue_kg": format_decimal(parts[2]),
        "unaccounted_kg": format_decimal(parts[0] - parts[1] - parts[2]),
        "unaccounted_percent": None if percent is None else format_decimal(round_decimal(percent, 2)),
        "uncertainty_kg": _kg(row.uncertainty_kg),
        "verdict": row.verdict,
    }


def _kg(number: Decimal) -> str:
    return format_decimal(round_decimal(number, BALANCE_PLACES))


def _certificates(plant: Plant, batch_id: str) -> list[dict[str, Any]]:
    superseded = {body.supersedes for _, body in plant.certificates.values()}
    found = []
    for seq, body in plant.certificates.values():
        if body.batch_id == batch_id:
            gone = body.certificate_id in superseded
            status = "revoked" if body.certificate_id in plant.revoked else "superseded" if gone else "valid"
            found.append({"certificate_id": body.certificate_id, "kind": body.kind, "seq": seq, "status": status})
    return found


def _warnings(plant: Plant, batch_id: str, balance: list[dict[str, Any]]) -> list[str]:
    texts = []
    if is_disputed(plant, batch_id):
        texts.append("supplier and plant assays differ, and no settlement says which counts")
    texts.extend(
        f"{row['element']}: {row['unaccounted_kg']} kg unaccounted for, {row['verdict']}"
        for row in balance
        if row["verdict"] not in ("closed", "not measured")
    )
    return texts
