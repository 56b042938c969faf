"""Which batches a batch was made of, and which were made of it.

The graph goes from batch to batch through transformations. Sequence numbers order it: a transformation comes after
everything that it draws from, so there is no loop and sorting by them is enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ledger.errors import UnknownIdError, problem
from ledger.material.entries import Assay, Blend, Correction, Pack, Settlement, Split, Step
from ledger.material.fields import Body
from ledger.material.plant import RECEIPT, Plant


@dataclass(frozen=True)
class Link:
    """A batch related to another. depth: transformations between them on the shortest way, 1 for neighbours.

    via: id of the transformation next to this batch on that way: the one that drew from an ancestor, or that made a
    descendant.
    """

    batch_id: str
    depth: int
    via: str


def ancestors(plant: Plant, batch_id: str) -> list[Link]:
    """Every batch that `batch_id` was made of, nearest first. Raises: UnknownIdError."""

    def made_of(batch_id: str) -> Iterable[tuple[str, str]]:
        maker = plant.maker(batch_id)
        return [] if maker is None else [(draw.batch_id, maker.id) for draw in maker.inputs]

    return _walk(plant, batch_id, made_of)


def descendants(plant: Plant, batch_id: str) -> list[Link]:
    """Every batch that was made of `batch_id`, nearest first. Raises: UnknownIdError."""

    def made_into(batch_id: str) -> Iterable[tuple[str, str]]:
        return [
            (output.batch_id, transformation_id)
            for transformation_id in plant.used_by(batch_id)
            for output in plant.transformations[transformation_id][1].outputs
        ]

    return _walk(plant, batch_id, made_into)


def ancestor_transformations(plant: Plant, batch_id: str) -> list[str]:
    """Ids of all transformations that led to the batch, those that made inputs first. Raises: UnknownIdError."""
    _check_batch(plant, batch_id)
    return makers_upward(plant, [batch_id])


def descendant_transformations(plant: Plant, batch_ids: Iterable[str]) -> list[str]:
    """Ids of all transformations downstream of the batches, in the order of the log."""
    found: set[str] = set()
    waiting = list(batch_ids)
    while waiting:
        for transformation_id in plant.used_by(waiting.pop()):
            if transformation_id not in found:
                found.add(transformation_id)
                waiting.extend(output.batch_id for output in plant.transformations[transformation_id][1].outputs)
    return _in_order(plant, found)


def makers_upward(plant: Plant, batch_ids: Iterable[str]) -> list[str]:
    """Ids of all transformations upstream of the batches, in the order of the log."""
    found: set[str] = set()
    waiting = list(batch_ids)
    while waiting:
        made_by = plant.batches[waiting.pop()].made_by
        if made_by != RECEIPT and made_by not in found:
            found.add(made_by)
            waiting.extend(draw.batch_id for draw in plant.transformations[made_by][1].inputs)
    return _in_order(plant, found)


def affected_transformations(plant: Plant, body: Body) -> list[str]:
    """Ids of the transformations whose balance an entry changes, in the order of the log.

    A transformation changes its own; an assay or settlement those around the batch and downstream of it; a correction
    may change any. plant: with the entry.
    """
    if isinstance(body, Step | Split | Blend | Pack):
        return [body.transformation().id]
    if isinstance(body, Correction):
        return list(plant.transformations)
    if not isinstance(body, Assay | Settlement):
        return []
    maker = plant.maker(body.batch_id)
    if maker is None:
        return descendant_transformations(plant, [body.batch_id])
    return [maker.id, *descendant_transformations(plant, [output.batch_id for output in maker.outputs])]


def lots_of(plant: Plant, batch_id: str) -> list[str]:
    """Ids of the lots that the batch was made of, in the order of receipt; the batch itself if it is a lot.

    Raises: UnknownIdError.
    """
    batches = {batch_id, *(link.batch_id for link in ancestors(plant, batch_id))}
    return sorted(batches & plant.receipts.keys(), key=lambda lot: plant.receipts[lot][0])


def evidence_seqs(plant: Plant, batch_id: str) -> list[int]:
    """Sequence numbers, rising, of every entry that folding and computing this batch anew needs.

    They are its ancestors' receipts and transformations, assays and settlements of all batches among them (a
    co-product's assay decides what is left for the others), the sites and parties that these name, corrections of any,
    and all keys.
    Raises: UnknownIdError.
    """
    seqs = set(plant.keys.seqs)
    batches = {batch_id}
    for transformation_id in ancestor_transformations(plant, batch_id):
        seq, transformation = plant.transformations[transformation_id]
        seqs.add(seq)
        batches.update(transformation.batch_ids())
    parties: set[str] = set()
    for member in batches:
        if member in plant.receipts:
            seq, receipt = plant.receipts[member]
            site_seq, site = plant.sites[receipt.site_id]
            seqs.update((seq, site_seq))
            parties.add(site.operator_id)
            if receipt.supplier_id is not None:
                parties.add(receipt.supplier_id)
        seqs.update(plant.assays[assay_id][0] for assay_id in plant.assay_ids.get(member, ()))
        seqs.update(plant.settlements[settlement_id][0] for settlement_id in plant.settlement_ids.get(member, ()))
    seqs.update(plant.parties[party_id][0] for party_id in parties)
    seqs.update(seq for seq, correction in plant.corrections if correction.corrects_seq in seqs)
    return sorted(seqs)


def _walk(plant: Plant, batch_id: str, neighbours: Callable[[str], Iterable[tuple[str, str]]]) -> list[Link]:
    """Breadth first from `batch_id`, each batch once."""
    _check_batch(plant, batch_id)
    links: dict[str, Link] = {}
    waiting = deque([(batch_id, 0)])
    while waiting:
        current, depth = waiting.popleft()
        for neighbour, via in neighbours(current):
            if neighbour not in links:
                links[neighbour] = Link(neighbour, depth + 1, via)
                waiting.append((neighbour, depth + 1))
    return list(links.values())


def _in_order(plant: Plant, transformation_ids: Iterable[str]) -> list[str]:
    return sorted(transformation_ids, key=lambda transformation_id: plant.transformations[transformation_id][0])


def _check_batch(plant: Plant, batch_id: str) -> None:
    if batch_id not in plant.batches:
        raise UnknownIdError(
            problem("/batch_id", batch_id, "the id of a batch in the ledger", "List the batches and correct the id.")
        )
