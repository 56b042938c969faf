"""Allocation: how a step's burden is shared among its products.

Three policies, always computed side by side. mass: by kg of product. economic: by that mass times a reference price.
element: by kg of rare-earth element. Residues are waste and a stream that returns to the plant is no product: neither
carries burden. Shares are exact fractions that add up to 1, so nothing is lost and nothing counted twice.

See docs/concepts/footprint.md for why, and for what is done where a product is not weighed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal, get_args

from ledger.errors import RuleError, problem
from ledger.material.balance import Content
from ledger.material.chemistry import RARE_EARTHS, oxide_factor, usual_oxide
from ledger.material.entries import Output, Transformation

Allocation = Literal["mass", "economic", "element"]

ALLOCATIONS: tuple[Allocation, ...] = get_args(Allocation)

BatchContents = Mapping[str, Mapping[str, Content]]
"""Content of each batch by element, as `ledger.material.balance.contents` gives it."""

_SAME_MATERIAL = ("split", "pack")


class AllocationError(RuleError):
    """A step whose burden cannot be shared by the policy asked for: a price or a composition is missing."""

    slug = "allocation-not-available"


def burdened(transformation: Transformation) -> tuple[Output, ...]:
    """The outputs that share the burden: the products; where a step makes none, all its outputs.

    The second case is a step of its own that only restores a stream, for example acid regeneration: its burden follows
    the stream to where it is used, for otherwise it would be counted nowhere.
    """
    products = tuple(output for output in transformation.outputs if output.role == "product")
    return products or transformation.outputs


def needs_contents(transformation: Transformation, allocation: Allocation) -> bool:
    """Whether `shares` will look at the contents of the outputs."""
    outputs = burdened(transformation)
    if len(outputs) == 1:
        return False
    if transformation.kind in _SAME_MATERIAL:
        return not (_all_weighed(outputs) or _all_volumes(outputs))
    return allocation == "element" or not _all_weighed(outputs)


def counts_by_oxide(transformation: Transformation, allocation: Allocation) -> bool:
    """Whether `shares` by mass or price puts oxide equivalents in place of kg as weighed: a product has no weight."""
    outputs = burdened(transformation)
    if len(outputs) == 1 or allocation == "element" or _all_weighed(outputs):
        return False
    return not (transformation.kind in _SAME_MATERIAL and _all_volumes(outputs))


def shares(
    transformation: Transformation,
    allocation: Allocation,
    masses: Mapping[str, Decimal],
    contents: BatchContents,
) -> dict[str, Fraction]:
    """Share of the burden of `transformation` for each of its outputs, by batch id; they add up to 1 exactly.

    contents: may be empty where `needs_contents` is false. masses: atomic masses, for oxide equivalents.
    One product carries all. A split or packing gives the same material: by mass (or volume), whatever the policy.
    Where a product of a step is not weighed, all its products count by the oxide mass that their rare earths make.
    Raises: AllocationError, naming the batch, where a price (economic) or a known rare-earth content is missing, or
    where a product would count nothing because it holds none.
    """
    outputs = burdened(transformation)
    if len(outputs) == 1:
        weights = [Fraction(1)]
    elif transformation.kind in _SAME_MATERIAL:
        weights = _sizes(outputs, masses, contents)
    elif allocation == "element":
        weights = [_rare_earths_kg(output, contents) for output in outputs]
    elif allocation == "economic":
        prices = _prices(transformation, outputs)
        weights = [mass * price for mass, price in zip(_product_masses(outputs, masses, contents), prices, strict=True)]
    else:
        weights = _product_masses(outputs, masses, contents)
    total = sum(weights, Fraction(0))
    if total == 0:
        raise AllocationError(
            problem(
                "/outputs",
                ", ".join(output.batch_id for output in outputs),
                f"products with something to share the burden of {transformation.id} by ({allocation})",
                "Weigh the products, or log assays that show their rare earths.",
            )
        )
    result = {output.batch_id: Fraction(0) for output in transformation.outputs}
    result.update((output.batch_id, weight / total) for output, weight in zip(outputs, weights, strict=True))
    return result


def _all_weighed(outputs: Sequence[Output]) -> bool:
    return all(output.mass_kg is not None for output in outputs)


def _all_volumes(outputs: Sequence[Output]) -> bool:
    return all(output.volume_l is not None for output in outputs)


def _sizes(outputs: Sequence[Output], masses: Mapping[str, Decimal], contents: BatchContents) -> list[Fraction]:
    """Sizes of parts of one material, in one measure."""
    if _all_volumes(outputs):
        return [Fraction(output.volume_l or 0) for output in outputs]
    return _product_masses(outputs, masses, contents)


def _product_masses(
    outputs: Sequence[Output], masses: Mapping[str, Decimal], contents: BatchContents
) -> list[Fraction]:
    """kg of each product as weighed; if one of them is not weighed, oxide equivalents of all: one measure for all."""
    if _all_weighed(outputs):
        return [Fraction(output.mass_kg or 0) for output in outputs]
    oxides = [
        sum(
            (
                Fraction(content.mass_kg) * Fraction(oxide_factor(usual_oxide(element), masses))
                for element, content in _rare_earths(output, contents).items()
            ),
            Fraction(0),
        )
        for output in outputs
    ]
    without = [output.batch_id for output, oxide in zip(outputs, oxides, strict=True) if oxide == 0]
    if without:
        unweighed = ", ".join(output.batch_id for output in outputs if output.mass_kg is None)
        raise AllocationError(
            *(
                problem(
                    "/batch_id",
                    batch_id,
                    f"a product that holds rare earths, for all count by their oxides where one ({unweighed}) is not "
                    "weighed, and this one would carry no burden",
                    "Weigh all products of the step, or log this one as a residue if it is waste.",
                )
                for batch_id in without
            )
        )
    return oxides


def _rare_earths_kg(output: Output, contents: BatchContents) -> Fraction:
    return sum((Fraction(content.mass_kg) for content in _rare_earths(output, contents).values()), Fraction(0))


def _rare_earths(output: Output, contents: BatchContents) -> dict[str, Content]:
    """The rare earths that the output is known to hold; it may hold none, but it must be known.

    Raises: AllocationError if nothing at all is known of its composition.
    """
    known = contents.get(output.batch_id)
    if not known:
        raise AllocationError(
            problem(
                "/batch_id",
                output.batch_id,
                "a product whose composition is known, to share a burden by its rare earths",
                f"Log an assay of {output.batch_id}, or the elements that it carries.",
            )
        )
    return {element: content for element, content in known.items() if element in RARE_EARTHS}


def _prices(transformation: Transformation, outputs: Sequence[Output]) -> list[Fraction]:
    """Reference price of each output in USD/kg. Raises: AllocationError naming every output without one."""
    without = [output.batch_id for output in outputs if output.price_usd_per_kg is None]
    if without:
        raise AllocationError(
            *(
                problem(
                    "/price_usd_per_kg",
                    batch_id,
                    f"a reference price for every product of {transformation.id}",
                    f"State the price of {batch_id} with its source.",
                )
                for batch_id in without
            )
        )
    return [Fraction(output.price_usd_per_kg or 0) for output in outputs]
