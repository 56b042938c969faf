"""Origin and recycled content: which lots, countries and waste classes an element in a batch came from.

Shares go by the mass of the element itself: the neodymium of a blend has another origin than its dysprosium. They are
physical shares, carried through the genealogy; each vector adds up to 1 exactly, and what is not declared is "unknown".
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from ledger.material.balance import contents_of
from ledger.material.batch import Plant
from ledger.material.chemistry import AtomicMasses
from ledger.material.entries import STAGES, Origin
from ledger.material.genealogy import ancestor_transformations, lots_of

UNKNOWN = "unknown"

Shares = dict[str, Fraction]
"""Shares of 1 by name."""


def lot_shares(plant: Plant, batch_id: str, masses: AtomicMasses) -> dict[str, Shares]:
    """For each element in the batch, the share of its mass that came from each lot; shares of an element add up to 1.

    An element that no input was known to hold has no vector.
    """
    held = contents_of(plant, masses, [batch_id])
    vectors: dict[str, dict[str, Shares]] = {
        lot: {element: {lot: Fraction(1)} for element in held.get(lot, {})} for lot in lots_of(plant, batch_id)
    }
    for name in ancestor_transformations(plant, batch_id):
        made = plant.transformations[name][1]
        mixed: dict[str, Shares] = {}
        for draw in made.inputs:
            drawn = plant.batches[draw.batch_id].drawn_share(draw)
            for element, shares in vectors[draw.batch_id].items():
                weight = Fraction(held[draw.batch_id][element].mass_kg) * drawn
                into = mixed.setdefault(element, {})
                for lot, share in shares.items():
                    into[lot] = into.get(lot, Fraction(0)) + share * weight
        normal = {element: scaled for element, parts in mixed.items() if (scaled := _normal(parts))}
        for output in made.outputs:
            vectors[output.batch_id] = {
                element: normal[element] for element in held.get(output.batch_id, {}) if element in normal
            }
    return vectors[batch_id]


def _normal(parts: Shares) -> Shares:
    whole = sum(parts.values(), Fraction(0))
    return {name: part / whole for name, part in parts.items() if part} if whole else {}


def recycled_shares(plant: Plant, batch_id: str, masses: AtomicMasses) -> dict[str, Shares]:
    """For each element in the batch, the share from each consumer class of its lots."""
    return {
        element: _regrouped(shares, {lot: {plant.receipts[lot][1].consumer_class: Fraction(1)} for lot in shares})
        for element, shares in lot_shares(plant, batch_id, masses).items()
    }


def stage_shares(plant: Plant, batch_id: str, masses: AtomicMasses) -> dict[str, dict[str, Shares]]:
    """For each element and stage, the share that took place in each country, by the lots' declarations."""
    result: dict[str, dict[str, Shares]] = {}
    for element, shares in lot_shares(plant, batch_id, masses).items():
        result[element] = {
            stage: _regrouped(shares, {lot: _declared(plant.receipts[lot][1].origin, stage) for lot in shares})
            for stage in STAGES
        }
    return result


def _declared(origin: Origin | None, stage: str) -> Shares:
    shares: Shares = {}
    if origin is not None:
        shares = {item.country: Fraction(item.share) for item in getattr(origin, stage)}
    rest = 1 - sum(shares.values(), Fraction(0))
    return {**shares, UNKNOWN: rest} if rest else shares


def _regrouped(shares: Shares, groups: Mapping[str, Shares]) -> Shares:
    result: Shares = {}
    for lot, share in shares.items():
        for name, part in groups[lot].items():
            result[name] = result.get(name, Fraction(0)) + share * part
    return result
