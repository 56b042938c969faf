"""Derived tables: made from the plant that the log folds to, kept up with each append, rebuilt or compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, insert, select
from sqlmodel import col

from ledger.material.entries import CertificateRevoked, Correction
from ledger.material.fields import Part
from ledger.material.plant import Batch, Plant
from ledger.quantity import format_decimal
from ledger.store.tables import BatchRow, EntryBatchRow

BATCH_COLUMNS = tuple(name for name in BatchRow.model_fields if name != "origin")


def batch_row(batch: Batch) -> dict[str, Any]:
    """The columns of a batch's row, without the origin."""
    return {
        "batch_id": batch.batch_id,
        "seq": batch.seq,
        "product": batch.product,
        "made_on": batch.made_on.isoformat(),
        "made_by": batch.made_by,
        "role": batch.role,
        "mass_kg": _text(batch.mass_kg),
        "volume_l": _text(batch.volume_l),
        "remaining": _text(batch.remaining),
        "status": batch.status,
        "campaign": batch.campaign,
    }


def batches_of_entry(plant: Plant, seq: int) -> set[str]:
    """The batches that an entry is about: those it names; for a correction those of the entry that it mends, for a
    revocation that of the certificate.
    """
    _, body = plant.bodies[seq]
    if isinstance(body, Correction):
        return batches_of_entry(plant, body.corrects_seq)
    if isinstance(body, CertificateRevoked):
        return {plant.certificates[body.certificate_id][1].batch_id}
    return set(_batch_ids_in(body))


def update(connection: Connection, origin: str, before: Plant, after: Plant) -> None:
    """Bring the derived tables from `before` to `after`, which has more entries."""
    changed = [
        batch for name, batch in after.batches.items() if name not in before.batches or before.batches[name] != batch
    ]
    _delete_batches(connection, origin, [batch.batch_id for batch in changed if batch.batch_id in before.batches])
    _insert(connection, BatchRow, origin, [batch_row(batch) for batch in changed])
    new = [seq for seq in after.bodies if seq not in before.bodies]
    _insert(connection, EntryBatchRow, origin, _entry_batch_rows(after, new))


def rebuild(connection: Connection, origin: str, plant: Plant) -> None:
    """Make the derived tables anew from the plant."""
    connection.execute(delete(BatchRow).where(col(BatchRow.origin) == origin))
    connection.execute(delete(EntryBatchRow).where(col(EntryBatchRow.origin) == origin))
    _insert(connection, BatchRow, origin, [batch_row(batch) for batch in plant.batches.values()])
    _insert(connection, EntryBatchRow, origin, _entry_batch_rows(plant, list(plant.bodies)))


def differences(connection: Connection, origin: str, plant: Plant) -> list[tuple[int | None, str]]:
    """Where the derived tables are not what the plant gives: sequence number and what differs."""
    found: list[tuple[int | None, str]] = []
    stored = read_batch_rows(connection, origin)
    for name, batch in plant.batches.items():
        row, expected = stored.pop(name, None), batch_row(batch)
        if row is None:
            found.append((batch.seq, f"batch {name} is missing from batch_row"))
        elif row != expected:
            columns = ", ".join(column for column in expected if row[column] != expected[column])
            found.append((batch.seq, f"batch {name} differs in batch_row: {columns}"))
    found.extend((None, f"batch {name} of batch_row is not in the log") for name in stored)
    listed = {(row["batch_id"], row["seq"]) for row in _read_entry_batches(connection, origin)}
    derived = {(row["batch_id"], row["seq"]) for row in _entry_batch_rows(plant, list(plant.bodies))}
    found.extend((seq, f"entry {seq} is not listed under batch {name}") for name, seq in sorted(derived - listed))
    found.extend((seq, f"entry {seq} is listed under batch {name}") for name, seq in sorted(listed - derived))
    return found


def read_batch_rows(connection: Connection, origin: str) -> dict[str, dict[str, Any]]:
    """The rows of all batches by batch id, oldest first."""
    columns = [col(getattr(BatchRow, name)) for name in BATCH_COLUMNS]
    query = select(*columns).where(col(BatchRow.origin) == origin).order_by(col(BatchRow.seq), col(BatchRow.batch_id))
    return {row["batch_id"]: dict(row) for row in connection.execute(query).mappings()}


def entries_of_batch(connection: Connection, origin: str, batch_id: str) -> list[int]:
    """Sequence numbers of the entries about a batch, in order."""
    query = (
        select(col(EntryBatchRow.seq))
        .where(col(EntryBatchRow.origin) == origin, col(EntryBatchRow.batch_id) == batch_id)
        .order_by(col(EntryBatchRow.seq))
    )
    return list(connection.scalars(query))


def _read_entry_batches(connection: Connection, origin: str) -> list[Mapping[str, Any]]:
    query = select(col(EntryBatchRow.batch_id), col(EntryBatchRow.seq)).where(col(EntryBatchRow.origin) == origin)
    return [dict(row) for row in connection.execute(query).mappings()]


def _entry_batch_rows(plant: Plant, seqs: list[int]) -> list[dict[str, Any]]:
    return [{"batch_id": batch_id, "seq": seq} for seq in seqs for batch_id in sorted(batches_of_entry(plant, seq))]


def _batch_ids_in(part: Part) -> Iterator[str]:
    for name, value in part:
        if name == "batch_id":
            yield value
        elif isinstance(value, Part):
            yield from _batch_ids_in(value)
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, Part):
                    yield from _batch_ids_in(item)


def _delete_batches(connection: Connection, origin: str, batch_ids: list[str]) -> None:
    for batch_id in batch_ids:
        connection.execute(delete(BatchRow).where(col(BatchRow.origin) == origin, col(BatchRow.batch_id) == batch_id))


def _insert(
    connection: Connection, table: type[BatchRow] | type[EntryBatchRow], origin: str, rows: list[dict[str, Any]]
) -> None:
    if rows:
        connection.execute(insert(table), [{"origin": origin, **row} for row in rows])


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format_decimal(number)
