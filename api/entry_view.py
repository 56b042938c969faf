"""One entry of the log, for people: its place, its hash, and what it means for mass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.log.envelope import parse_envelope
from ledger.log.merkle import leaf_hash
from ledger.material.batch import Plant
from ledger.service.context import Ledger
from ledger.service.read import balance_of_step, batch_summary, batch_view, entry_bytes, plant_of

_STEP_IDS = ("step_id", "split_id", "blend_id", "pack_id")


def entry_view(ledger: Ledger, seq: int) -> dict[str, Any]:
    """The entry, as it was logged, and what became of it.

    seq, entry_type, statement_id, received, leaf_hash (hex), body. step_id, process: "" if it is no step.
    balance: of a step, see `balance_of_step`. drawn, made: `batch_summary` of the batches, as they are now.
    warnings: of what was made, see `batch_view`.
    Raises: UnknownIdError if the log has no such entry.
    """
    (data,) = entry_bytes(ledger, [seq])
    envelope = parse_envelope(data)
    body = envelope.statement.body
    plant = plant_of(ledger)
    step_id = next((str(body[name]) for name in _STEP_IDS if name in body), "")
    made = _made(plant, seq)
    step = plant.transformations[step_id][1] if step_id in plant.transformations else None
    return {
        "seq": seq,
        "entry_type": envelope.statement.type,
        "statement_id": envelope.statement.id,
        "received": envelope.recv,
        "leaf_hash": leaf_hash(data).hex(),
        "body": body,
        "step_id": step_id,
        "process": "" if step is None else step.process,
        "balance": [] if step is None else balance_of_step(ledger, step_id),
        "drawn": [] if step is None else _summaries(plant, (draw.batch_id for draw in step.inputs)),
        "made": made,
        "warnings": batch_view(ledger, made[0]["batch_id"])["warnings"] if made else [],
    }


def _made(plant: Plant, seq: int) -> list[dict[str, Any]]:
    return [batch_summary(batch) for batch in plant.batches.values() if batch.seq == seq]


def _summaries(plant: Plant, batch_ids: Iterable[str]) -> list[dict[str, Any]]:
    return [batch_summary(plant.batches[batch_id]) for batch_id in dict.fromkeys(batch_ids)]
