"""Which composition of a batch counts: its assays, and the settlements of what supplier and plant disagree on."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from ledger.material.arithmetic import in_own_context
from ledger.material.chemistry import metals_of
from ledger.material.entries import Assay, Component, Settlement
from ledger.material.plant import Plant

_ORDER_OF_PARTIES = ("plant", "umpire", "supplier")
"""Whose assays count where several parties have reported: an umpire is asked about single species only."""


@in_own_context
def settled_components(plant: Plant, batch_id: str) -> tuple[Component, ...] | None:
    """The composition of the batch that counts; None if it was never assayed.

    The plant's assays count, without one the umpire's, without both the supplier's. Of several by one party a later one
    replaces what an earlier one says about the same metal. Settlements that hold then replace what they settle.
    Nothing is rescaled.
    """
    components: tuple[Component, ...] = ()
    for assay in assays_that_count(plant, batch_id):
        components = _replaced(components, assay.components)
    if not components:
        return None
    for settlement in plant.settlements_of(batch_id):
        if settlement_holds(plant, settlement):
            components = _replaced(components, [_settled_component(plant, settlement)])
    return components


def is_disputed(plant: Plant, batch_id: str) -> bool:
    """Whether supplier and plant report different values of a metal that no settlement by its rule has ended."""
    return bool(disputed_species(plant, batch_id))


def disputed_species(plant: Plant, batch_id: str) -> list[str]:
    """The species of the supplier's that the plant reports differently, without a settlement that holds.

    They are compared metal by metal: one metal as two compounds, 24 % Nd2O3 against 30 % Nd, is no agreement. What only
    one of them reports is none of the other's business.
    """
    own = _reported_by(plant, batch_id, "plant")
    settled = {each.species for each in plant.settlements_of(batch_id) if settlement_holds(plant, each)}
    return [
        reported.species
        for reported in _reported_by(plant, batch_id, "supplier")
        if reported.species not in settled
        and any(
            (other.species, other.wt_percent) != (reported.species, reported.wt_percent)
            for other in own
            if metals_of(other.species) & metals_of(reported.species)
        )
    ]


def settlement_holds(plant: Plant, settlement: Settlement) -> bool:
    """Whether the settlement still ends its dispute: its value is the one of its rule, and neither side has since
    reported another value of the species than the one it was settled from.
    """
    if settlement.settled_wt_percent != value_by_rule(plant, settlement):
        return False
    sides = (("supplier", settlement.supplier_assay_id), ("plant", settlement.plant_assay_id))
    for party, assay_id in sides:
        settled_from = wt_percent(plant.assays[assay_id][1], settlement.species)
        metals = metals_of(settlement.species)
        for reported in _reported_by(plant, settlement.batch_id, party):
            same = (reported.species, reported.wt_percent) == (settlement.species, settled_from)
            if metals & metals_of(reported.species) and not same:
                return False
    return True


@in_own_context
def value_by_rule(plant: Plant, settlement: Settlement) -> Decimal | None:
    """The value in per cent that the settlement's rule gives; None if it takes an umpire's assay that is not named.

    Rule: within the splitting limit the mean of supplier and plant, else the umpire's value. The assays named exist and
    hold the species.
    """
    supplier = wt_percent(plant.assays[settlement.supplier_assay_id][1], settlement.species)
    own = wt_percent(plant.assays[settlement.plant_assay_id][1], settlement.species)
    assert supplier is not None
    assert own is not None
    if abs(supplier - own) <= settlement.splitting_limit_percent:
        return (supplier + own) / 2
    if settlement.umpire_assay_id is None:
        return None
    return wt_percent(plant.assays[settlement.umpire_assay_id][1], settlement.species)


def wt_percent(assay: Assay, species: str) -> Decimal | None:
    """What the assay says about the species; None if nothing."""
    component = _component(assay, species)
    return None if component is None else component.wt_percent


def assays_that_count(plant: Plant, batch_id: str) -> list[Assay]:
    """The assays that the composition is put together from, in the order of the log: all of one party's."""
    assays = plant.assays_of(batch_id)
    for party in _ORDER_OF_PARTIES:
        of_party = [assay for assay in assays if assay.party == party]
        if of_party:
            return of_party
    return []


def _replaced(components: tuple[Component, ...], newer: Iterable[Component]) -> tuple[Component, ...]:
    """`components` with `newer` in place of what they say about the same metals, in place or else at the end."""
    newer = list(newer)
    metals = frozenset[str]().union(*(metals_of(component.species) for component in newer))
    kept = [component for component in components if not metals & metals_of(component.species)]
    return (*kept, *newer)


def _settled_component(plant: Plant, settlement: Settlement) -> Component:
    """The settled value. Without a stated uncertainty it has that of the assays it comes from, if they state theirs."""
    uncertainty = settlement.uncertainty_percent
    if uncertainty is None:
        uncertainty = _uncertainty_by_rule(plant, settlement)
    return Component(
        species=settlement.species, wt_percent=settlement.settled_wt_percent, uncertainty_percent=uncertainty
    )


def _uncertainty_by_rule(plant: Plant, settlement: Settlement) -> Decimal | None:
    """Relative expanded uncertainty in per cent of the umpire's value, or of the mean of two independent values."""
    supplier = _component(plant.assays[settlement.supplier_assay_id][1], settlement.species)
    own = _component(plant.assays[settlement.plant_assay_id][1], settlement.species)
    assert supplier is not None
    assert own is not None
    if abs(supplier.wt_percent - own.wt_percent) > settlement.splitting_limit_percent:
        if settlement.umpire_assay_id is None:
            return None
        umpire = _component(plant.assays[settlement.umpire_assay_id][1], settlement.species)
        return None if umpire is None else umpire.uncertainty_percent
    total = supplier.wt_percent + own.wt_percent
    if supplier.uncertainty_percent is None or own.uncertainty_percent is None or total == 0:
        return None
    parts = (part.wt_percent * part.uncertainty_percent for part in (supplier, own) if part.uncertainty_percent)
    return sum((part * part for part in parts), Decimal(0)).sqrt() / total


def _component(assay: Assay, species: str) -> Component | None:
    return next((component for component in assay.components if component.species == species), None)


def _reported_by(plant: Plant, batch_id: str, party: str) -> tuple[Component, ...]:
    """What the party says about each metal, by its last assay that names it."""
    components: tuple[Component, ...] = ()
    for assay in plant.assays_of(batch_id):
        if assay.party == party:
            components = _replaced(components, assay.components)
    return components
