"""What is accepted but looks odd: assays that do not add up, elements out of place, disputes, missing mass."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from ledger.errors import Problem, problem
from ledger.material.balance import BalanceRow, balance_from, contents_of
from ledger.material.chemistry import (
    RARE_EARTHS,
    AtomicMasses,
    element_fractions,
    metals_of,
    oxide_factor,
    usual_oxide,
)
from ledger.material.composition import disputed_species
from ledger.material.entries import Assay, Blend, Correction, Pack, Settlement, Split, Step
from ledger.material.fields import Body
from ledger.material.genealogy import affected_transformations
from ledger.material.plant import Plant
from ledger.quantity import format_decimal, round_decimal

EXPECTED_SUM_PERCENT = (Decimal(98), Decimal(100))
"""A full assay adds up to about this. Below, something is not reported; above is within uncertainty at best."""

TREO_MARGIN_POINTS = Decimal(2)
"""How far total rare-earth oxide may lie from the sum of the components as oxides, in percentage points."""

_NOT_IN_MAGNETS = frozenset({"La", "Ce", "Y", "U", "Th"})
"""Elements that come with mixed carbonate or concentrate, never with spent magnets or their grinding sludge."""


def warnings_between(before: Plant, after: Plant, body: Body, masses: AtomicMasses) -> list[Problem]:
    """What looks odd about `body`, the entry that took the plant from before to after."""
    warnings: list[Problem] = []
    if isinstance(body, Assay):
        warnings += _odd_sum(body)
        warnings += _odd_oxides(body, masses)
        warnings += _misdeclared(after, body)
        warnings += _without_mass(after, body)
        warnings += _disputes(after, [body.batch_id], "/components")
    if isinstance(body, Step | Split | Blend | Pack):
        drawn = {draw.batch_id: None for draw in body.transformation().inputs}
        warnings += _disputes(after, drawn, "")
    if isinstance(body, Correction):
        settled = [batch_id for batch_id in after.settlement_ids if not disputed_species(before, batch_id)]
        warnings += _disputes(after, settled, "/new")
    return warnings + _missing_mass(before, after, body, masses)


def _odd_sum(body: Assay) -> list[Problem]:
    low, high = EXPECTED_SUM_PERCENT
    total = body.sum_percent()
    single = len(body.components) == 1 and body.party != "plant"  # supplier and umpire may report just what is disputed
    if low <= total <= high or single or body.party == "umpire":
        return []
    return [
        problem(
            "/components",
            f"{format_decimal(total)} %",
            f"components that add up to {low} to {high} %",
            "It is taken as reported and never rescaled. Check whether a component is missing or wrong.",
        )
    ]


def _odd_oxides(body: Assay, masses: AtomicMasses) -> list[Problem]:
    """Total rare-earth oxide as reported, against what the components come to as oxides."""
    if body.treo_percent is None:
        return []
    total = Decimal(0)
    for component in body.components:
        fractions = element_fractions(component.species, masses)
        for element in fractions.keys() & RARE_EARTHS:
            total += component.wt_percent * fractions[element] * oxide_factor(usual_oxide(element), masses)
    if abs(total - body.treo_percent) <= TREO_MARGIN_POINTS:
        return []
    return [
        problem(
            "/treo_percent",
            f"{format_decimal(body.treo_percent)} %",
            f"within {TREO_MARGIN_POINTS} points of the {format_decimal(round_decimal(total, 2))} % that the rare "
            "earths among the components come to as oxides",
            "The components count. Check whether one is missing, or in per cent of the oxides and not of the sample.",
        )
    ]


def _misdeclared(plant: Plant, body: Assay) -> list[Problem]:
    receipt = plant.receipts.get(body.batch_id)
    if receipt is None or receipt[1].form not in ("magnets", "swarf"):
        return []
    return [
        problem(
            f"/components/{place}/species",
            component.species,
            f"elements that {receipt[1].form} hold; {', '.join(sorted(_NOT_IN_MAGNETS))} come with carbonate or ore",
            f"Check whether lot {body.batch_id} is what it was declared to be.",
        )
        for place, component in enumerate(body.components)
        if component.wt_percent and metals_of(component.species) & _NOT_IN_MAGNETS
    ]


def _without_mass(plant: Plant, body: Assay) -> list[Problem]:
    if plant.batches[body.batch_id].mass_kg is not None:
        return []
    return [
        problem(
            "/batch_id",
            body.batch_id,
            "a batch with a mass, which the per cents could apply to",
            "It is kept on record; the balance goes by what the inputs brought.",
        )
    ]


def _disputes(plant: Plant, batch_ids: Collection[str], field: str) -> list[Problem]:
    return [
        problem(
            field,
            f"{species} in {batch_id}",
            "one value: supplier and plant report different ones, or different compounds, and no settlement by its "
            "rule says which counts",
            "Log an assay of the plant in the supplier's terms if they report different compounds, then a settlement, "
            "with an umpire's assay if they differ by more than the splitting limit. "
            "The plant's value counts meanwhile.",
        )
        for batch_id in batch_ids
        for species in disputed_species(plant, batch_id)
    ]


def _missing_mass(before: Plant, after: Plant, body: Body, masses: AtomicMasses) -> list[Problem]:
    """Elements of which the entry leaves some unaccounted beyond uncertainty, where that was not so before."""
    warnings = []
    affected = affected_transformations(after, body)
    known_before = {
        row_id for row_id, _ in _unaccounted(before, [i for i in affected if i in before.transformations], masses)
    }
    field = {Assay: "/components", Settlement: "/settled_wt_percent", Correction: "/new"}.get(type(body), "")
    for (transformation_id, element), row in _unaccounted(after, affected, masses):
        if (transformation_id, element) not in known_before:
            warnings.append(_missing(row, transformation_id, field))
    return warnings


def _unaccounted(
    plant: Plant, transformation_ids: list[str], masses: AtomicMasses
) -> list[tuple[tuple[str, str], BalanceRow]]:
    flows = [plant.transformations[transformation_id][1] for transformation_id in transformation_ids]
    known = contents_of(plant, masses, (batch_id for flow in flows for batch_id in flow.batch_ids()))
    return [
        ((transformation_id, row.element), row)
        for transformation_id in transformation_ids
        for row in balance_from(plant, [transformation_id], known, masses)
        if row.verdict == "unaccounted beyond uncertainty"
    ]


def _missing(row: BalanceRow, transformation_id: str, field: str) -> Problem:
    missing, uncertainty = (format_decimal(round_decimal(kg, 3)) for kg in (row.unaccounted_kg, row.uncertainty_kg))
    percent = format_decimal(round_decimal(row.unaccounted_percent or Decimal(0), 2))
    return problem(
        field,
        f"{missing} kg {row.element} unaccounted ({percent} %)",
        f"at most {uncertainty} kg (k=2) of {row.element} missing between inputs and outputs of {transformation_id}",
        "Check masses and assays; assay residues and effluents, where it may have gone.",
    )
