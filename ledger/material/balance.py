"""The balance of elements over steps: in = products + residues + unaccounted, with its uncertainty and a verdict.

Content that no assay shows (`ledger.material.contents`) is never called closed. Where more comes out than went in,
beyond uncertainty, the entry that says so is refused. See docs/concepts/material.md.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ledger.errors import MassBalanceError, Problem
from ledger.material.arithmetic import in_own_context
from ledger.material.chemistry import EXCHANGED_WITH_SURROUNDINGS, AtomicMasses
from ledger.material.contents import (
    ROUNDING_KG,
    Amount,
    Content,
    Contents,
    contents,
    contents_of,
    holds_nothing,
    is_assayed,
    is_full,
    residues_of,
    root_of_squares,
)
from ledger.material.genealogy import ancestor_transformations
from ledger.material.plant import Plant
from ledger.quantity import format_decimal, round_decimal

__all__ = [
    "BalanceRow",
    "Content",
    "Contents",
    "balance_from",
    "balance_of",
    "check_balance",
    "check_margin",
    "check_transformation_balance",
    "contents",
    "contents_of",
    "lineage_balance",
    "step_balance",
]

MARGIN_PERCENT = 3
"""What may be missing from a balance that is called closed, and exceed one that is certified, whatever uncertainty
is stated: in per cent of what came in. A gap above it is a finding, not noise."""

Verdict = Literal[
    "closed",
    "not measured",
    "unaccounted within uncertainty",
    "unaccounted beyond uncertainty",
    "more out than in, within uncertainty",
    "more out than in, beyond uncertainty",
]


@dataclass(frozen=True)
class BalanceRow:
    """The balance of one element: in_kg = product_kg + residue_kg + unaccounted_kg.

    uncertainty_kg: expanded (k=2), of unaccounted_kg.
    verdict: "closed": what is unaccounted is within uncertainty and MARGIN_PERCENT. "not measured": an input's or
    product's content was not measured, so that nothing was checked. Else by how much the two sides differ.
    excess_kg, with its own uncertainty: how much more the assays of products and residues show than came in, 0 or
    less if they do not. Carried content does not count: it is what the inputs bring, wherever it went.
    """

    element: str
    in_kg: Decimal
    product_kg: Decimal
    residue_kg: Decimal
    unaccounted_kg: Decimal
    uncertainty_kg: Decimal
    verdict: Verdict
    excess_kg: Decimal = Decimal(0)
    excess_uncertainty_kg: Decimal = Decimal(0)

    @property
    def unaccounted_percent(self) -> Decimal | None:
        """What is unaccounted in per cent of what came in; None if nothing did."""
        return None if self.in_kg == 0 else 100 * self.unaccounted_kg / self.in_kg


@in_own_context
def balance_of(plant: Plant, transformation_ids: Collection[str], masses: AtomicMasses) -> list[BalanceRow]:
    """The balance of each element over a set of transformations, by element symbol.

    In is what they drew of batches from outside the set, products are what they made and did not draw themselves; of a
    batch drawn in part, its part. Elements of air, water and reagents are left out.
    """
    batch_ids = {
        batch_id
        for transformation_id in transformation_ids
        for batch_id in plant.transformations[transformation_id][1].batch_ids()
    }
    return balance_from(plant, transformation_ids, contents_of(plant, masses, batch_ids), masses)


def step_balance(plant: Plant, transformation_id: str, masses: AtomicMasses) -> list[BalanceRow]:
    """The balance of one transformation."""
    return balance_of(plant, [transformation_id], masses)


@in_own_context
def lineage_balance(plant: Plant, batch_id: str, masses: AtomicMasses) -> list[BalanceRow]:
    """The balance over everything that led to a batch, co-products included; empty for a lot."""
    return balance_of(plant, ancestor_transformations(plant, batch_id), masses)


def check_transformation_balance(
    plant: Plant, transformation_id: str, known: Contents, masses: AtomicMasses, field: str = ""
) -> None:
    """Refuse a transformation that gives out more of an element than its inputs hold, beyond uncertainty.

    known: contents of its batches and all their ancestors. An element that none of its inputs is known to hold, while
    one of them was not assayed, may have come along unseen, such as a trace of iron in a liquor: it is held against
    what went into all steps since the last assays.
    Raises: MassBalanceError with JSON pointer `field`.
    """
    rows = balance_from(plant, [transformation_id], known, masses)
    check_balance(rows, transformation_id, field)
    traces = {row.element for row in rows if row.in_kg == 0 and row.excess_kg > ROUNDING_KG}
    if traces:
        steps = _back_to_assays(plant, transformation_id)
        wider = balance_from(plant, steps, known, masses)
        where = transformation_id if len(steps) == 1 else f"{transformation_id} and the steps that fed it"
        check_balance((row for row in wider if row.element in traces), where, field)


def _back_to_assays(plant: Plant, transformation_id: str) -> list[str]:
    """The transformation and those upstream of it, up to batches that were assayed and lots."""
    found = {transformation_id: None}
    waiting = [transformation_id]
    while waiting:
        for draw in plant.transformations[waiting.pop()][1].inputs:
            maker = plant.maker(draw.batch_id)
            if maker is not None and maker.id not in found and not is_assayed(plant, draw.batch_id):
                found[maker.id] = None
                waiting.append(maker.id)
    return list(found)


def check_balance(rows: Iterable[BalanceRow], where: str, field: str = "") -> None:
    """Refuse a balance in which more of an element comes out than went in, beyond its uncertainty.

    where: the step, in words, for the error. field: JSON pointer of the input that brought it about.
    Raises: MassBalanceError with one problem for each such element.
    """
    excess = [row for row in rows if row.verdict == "more out than in, beyond uncertainty"]
    if excess:
        raise MassBalanceError(*(_excess_problem(row, where, field) for row in excess))


def check_margin(rows: Iterable[BalanceRow], where: str, field: str = "") -> None:
    """Refuse a balance in which more comes out than MARGIN_PERCENT above what went in, however uncertain it is said.

    where, field: as in `check_balance`. Raises: MassBalanceError.
    """
    problems = [
        Problem(
            field,
            f"{_grams(row.excess_kg)} kg {row.element} more out than in",
            f"at most {MARGIN_PERCENT} % more than the {_grams(row.in_kg)} kg {row.element} that went into {where}, "
            f"whatever uncertainty the assays state",
            f"Check masses and assays in {where}; have what is doubtful assayed again.",
        )
        for row in rows
        if row.in_kg and 100 * row.excess_kg > MARGIN_PERCENT * row.in_kg
    ]
    if problems:
        raise MassBalanceError(*problems)


def _excess_problem(row: BalanceRow, where: str, field: str) -> Problem:
    shown_kg = row.excess_kg + row.in_kg - row.residue_kg
    out = f"{_grams(shown_kg)} kg {row.element} in products and {_grams(row.residue_kg)} kg in residues, as assayed"
    return Problem(
        field,
        out,
        f"at most the {_grams(row.in_kg)} kg {row.element} that went into {where}, give or take "
        f"{_grams(row.excess_uncertainty_kg)} kg (k=2): this is {_grams(row.excess_kg)} kg too much",
        f"Check masses and assays of the outputs and of all inputs of {where}, and whether each input has an assay "
        f"that names {row.element} and states its uncertainty; log a correction or the missing assay first.",
    )


def _grams(kg: Decimal) -> str:
    return format_decimal(round_decimal(kg, 3))


@in_own_context
def balance_from(
    plant: Plant, transformation_ids: Collection[str], known: Contents, masses: AtomicMasses
) -> list[BalanceRow]:
    """As `balance_of`, from contents that are known already."""
    transformations = [plant.transformations[transformation_id][1] for transformation_id in transformation_ids]
    made = [output.batch_id for transformation in transformations for output in transformation.outputs]
    left = dict.fromkeys(made, Fraction(1))
    sums: dict[str, _Sums] = defaultdict(_Sums)
    drawn: set[str] = set()
    for transformation in transformations:
        for draw in transformation.inputs:
            share = plant.batches[draw.batch_id].drawn_share(draw)
            if draw.batch_id in left:
                left[draw.batch_id] -= share
                continue
            drawn.add(draw.batch_id)
            for element, content in known[draw.batch_id].items():
                sums[element].came_in.add(content.mass_kg, content.parts, share, content.measured)
        for element, amount in residues_of(transformation, masses).items():
            sums[element].residue.add(amount.mass_kg, amount.parts, Fraction(1), True)
    for batch_id, share in left.items():
        for element, content in known[batch_id].items():
            one = sums[element]
            one.product.add(content.mass_kg, content.parts, share, content.measured)
            if content.measured:
                one.shown.add(content.mass_kg, content.parts, share, True)
            one.full = one.full or is_full(plant, batch_id, content)
    return [
        _row(element, sums[element], _inputs_measured(plant, drawn, known, element))
        for element in sorted(sums.keys() - EXCHANGED_WITH_SURROUNDINGS)
    ]


_Inputs = Literal["known", "partly known", "unknown"]


def _inputs_measured(plant: Plant, drawn: Collection[str], known: Contents, element: str) -> _Inputs:
    """How far it is known what the inputs hold of the element.

    An input without any assay behind it is not known, unless it is taken to hold nothing, as acid is. An element that
    no input is known to hold is not known if one of them was not assayed itself.
    """
    unknown = [batch_id for batch_id in drawn if not known[batch_id] and not holds_nothing(plant, batch_id)]
    if len(unknown) == len(drawn):
        return "unknown"
    if all(element not in known[batch_id] for batch_id in drawn) and any(
        not is_assayed(plant, batch_id) and not holds_nothing(plant, batch_id) for batch_id in drawn
    ):
        return "unknown"
    return "partly known" if unknown else "known"


@dataclass
class _Sums:
    """What the balance of one element adds up. shown: the part of product that assays show. full: see `is_full`."""

    came_in: Amount = field(default_factory=Amount)
    product: Amount = field(default_factory=Amount)
    shown: Amount = field(default_factory=Amount)
    residue: Amount = field(default_factory=Amount)
    full: bool = False


def _row(element: str, sums: _Sums, inputs: _Inputs) -> BalanceRow:
    unaccounted = _difference(sums.came_in, sums.product, sums.residue)
    excess = _difference(sums.shown, sums.came_in, Amount())
    excess.add(sums.residue.mass_kg, sums.residue.parts, Fraction(1), True)
    row = BalanceRow(
        element,
        sums.came_in.mass_kg,
        sums.product.mass_kg,
        sums.residue.mass_kg,
        unaccounted.mass_kg,
        root_of_squares(unaccounted.parts),
        "not measured",
        excess.mass_kg,
        root_of_squares(excess.parts),
    )
    return replace(row, verdict=_verdict(row, inputs, sums.product.measured, sums.full))


def _difference(whole: Amount, *parts: Amount) -> Amount:
    left = Amount()
    left.add(whole.mass_kg, whole.parts, Fraction(1), True)
    for part in parts:
        left.add(part.mass_kg, part.parts, Fraction(-1), True)
    return left


def _verdict(row: BalanceRow, inputs: _Inputs, measured: bool, full: bool) -> Verdict:
    """measured: all products. full: a product was carried less than came in, only because it does not weigh more, so
    that nobody measured a loss.
    """
    if inputs == "unknown":
        return "not measured"
    if row.excess_kg > row.excess_uncertainty_kg + ROUNDING_KG:
        return "more out than in, beyond uncertainty"
    if row.unaccounted_kg > row.uncertainty_kg + ROUNDING_KG and not full:
        return "unaccounted beyond uncertainty"
    if inputs == "partly known" or not measured:
        return "not measured"
    if row.unaccounted_kg < -ROUNDING_KG:
        return "more out than in, within uncertainty"
    if 100 * row.unaccounted_kg > MARGIN_PERCENT * row.in_kg:
        return "unaccounted within uncertainty"
    return "closed"
