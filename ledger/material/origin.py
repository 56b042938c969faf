"""Origin and recycled content: which lots, countries and waste classes an element in a batch came from.

Shares go by the mass of the element itself: the neodymium of a blend has another origin than its dysprosium. They are
physical shares, carried through the genealogy; each vector adds up to 1 exactly, and what is not declared is "unknown".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from ledger.errors import Problem, RuleError, problem
from ledger.material.chemistry import EXCHANGED_WITH_SURROUNDINGS, RARE_EARTHS, AtomicMasses
from ledger.material.composition import settled_components
from ledger.material.contents import Contents, contents_of, holds_nothing
from ledger.material.entries import STAGES, Draw, Receipt, Stage
from ledger.material.genealogy import ancestor_transformations, lots_of
from ledger.material.plant import Plant

UNKNOWN = "unknown"

Shares = dict[str, Fraction]
"""Shares of 1 by name; they add up to 1 exactly."""


def lot_shares(plant: Plant, batch_id: str, masses: AtomicMasses) -> dict[str, Shares]:
    """For each element in the batch, the share of its mass that came from each lot.

    Within a step everything mixes: each output has the origin of what went in. Elements that come with air, water and
    reagents have no vector, nor has a trace of another than a rare earth that no lot was known to hold, or that may
    have come along in a stream that returned.
    Raises: RuleError naming the lots and returned streams whose assays are missing, where shares would be a guess;
    UnknownIdError.
    """
    lots = lots_of(plant, batch_id)
    held = contents_of(plant, masses, [batch_id])
    if len(lots) > 1:
        _check_assayed(held, [lot for lot in lots if not holds_nothing(plant, lot)])
    vectors: dict[str, dict[str, Shares]] = {
        lot: {element: {lot: Fraction(1)} for element in held[lot]} for lot in lots
    }
    unseen: dict[str, set[str]] = {}
    for transformation_id in ancestor_transformations(plant, batch_id):
        transformation = plant.transformations[transformation_id][1]
        for draw in transformation.inputs:
            if plant.batches[draw.batch_id].role == "recycle" and settled_components(plant, draw.batch_id) is None:
                unseen.setdefault(draw.batch_id, set()).update(vectors[draw.batch_id])
        mixed = _mixed(plant, transformation.inputs, vectors, held)
        vectors.update((output.batch_id, mixed) for output in transformation.outputs)
    result = {}
    for element, content in held[batch_id].items():
        if content.mass_kg == 0 or element in EXCHANGED_WITH_SURROUNDINGS:
            continue
        if len(lots) == 1:
            result[element] = {lots[0]: Fraction(1)}
        elif streams := [stream for stream, elements in unseen.items() if element in elements]:
            if element in RARE_EARTHS:
                raise RuleError(*(_unseen(stream, element) for stream in streams))
        elif element in vectors[batch_id]:
            result[element] = vectors[batch_id][element]
        elif element in RARE_EARTHS:
            raise RuleError(
                problem(
                    "/batch_id",
                    batch_id,
                    f"a batch whose {element} came in with a lot that is known to hold it",
                    f"Log assays of {', '.join(lots)} that name {element}.",
                )
            )
    return result


def _unseen(stream: str, element: str) -> Problem:
    return problem(
        "/batch_id",
        stream,
        f"an assay of this returned stream: made of lots that held {element}, it may have brought some along",
        f"Log an assay of {stream}.",
    )


def _check_assayed(held: Contents, lots: Iterable[str]) -> None:
    missing = [lot for lot in lots if not held[lot]]
    if missing:
        raise RuleError(
            *(
                problem("/batch_id", lot, "a lot with an assay, so that its share is known", f"Log an assay of {lot}.")
                for lot in missing
            )
        )


def _mixed(
    plant: Plant, draws: Iterable[Draw], vectors: Mapping[str, Mapping[str, Shares]], held: Contents
) -> dict[str, Shares]:
    """The lots' shares of each element in what is drawn, weighted by the mass of the element.

    An element that no input is known to hold any more, a trace that a separation was to leave behind, keeps its origin
    if all that could have brought it have the same.
    """
    masses_by_lot: dict[str, Shares] = {}
    candidates: dict[str, list[Shares]] = {}
    for draw in draws:
        share_drawn = plant.batches[draw.batch_id].drawn_share(draw)
        for element, shares in vectors[draw.batch_id].items():
            candidates.setdefault(element, []).append(shares)
            content = held[draw.batch_id].get(element)
            if content is None:
                continue
            into = masses_by_lot.setdefault(element, {})
            for lot, share in shares.items():
                into[lot] = into.get(lot, Fraction(0)) + share * share_drawn * Fraction(content.mass_kg)
    mixed: dict[str, Shares] = {}
    for element, vectors_of_element in candidates.items():
        masses = masses_by_lot.get(element, {})
        total = sum(masses.values(), Fraction(0))
        if total:
            mixed[element] = {lot: mass / total for lot, mass in masses.items() if mass}
        elif all(shares == vectors_of_element[0] for shares in vectors_of_element):
            mixed[element] = vectors_of_element[0]
    return mixed


def recycled_shares(plant: Plant, batch_id: str, masses: AtomicMasses) -> dict[str, Shares]:
    """For each element in the batch, the share from each consumer class of its lots. Raises: as `lot_shares`."""
    result: dict[str, Shares] = {}
    for element, shares in lot_shares(plant, batch_id, masses).items():
        by_class: Shares = {}
        for lot, share in shares.items():
            consumer_class = plant.receipts[lot][1].consumer_class
            by_class[consumer_class] = by_class.get(consumer_class, Fraction(0)) + share
        result[element] = by_class
    return result


def stage_shares(plant: Plant, batch_id: str, masses: AtomicMasses) -> dict[str, dict[Stage, Shares]]:
    """For each element and stage, the share that took place in each country, by the lots' declarations, or UNKNOWN.

    Raises: as `lot_shares`.
    """
    return {
        element: {stage: _by_country(plant, shares, stage) for stage in STAGES}
        for element, shares in lot_shares(plant, batch_id, masses).items()
    }


def _by_country(plant: Plant, shares: Shares, stage: Stage) -> Shares:
    result: Shares = {}
    for lot, share in shares.items():
        for country, part in _declared(plant.receipts[lot][1], stage).items():
            result[country] = result.get(country, Fraction(0)) + share * part
    return result


def _declared(receipt: Receipt, stage: Stage) -> Shares:
    declared = () if receipt.origin is None else receipt.origin.shares_of(stage)
    shares = {item.country: Fraction(item.share) for item in declared}
    rest = 1 - sum(shares.values(), Fraction(0))
    return {**shares, UNKNOWN: rest} if rest else shares
