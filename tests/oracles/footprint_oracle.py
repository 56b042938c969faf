"""The footprint by the textbook: a batch's burden is its share of its step's burden and of what the step drew.

Plain recursion over plain numbers, straight from the definition, with no code of the ledger: slow, because a batch that
is reached twice is computed twice, and obvious. The engine goes the other way, from the batch to its ancestors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class OracleStep:
    """kg_co2e: the step's own burden. drawn: share of each input batch taken. weights: what its products share by."""

    kg_co2e: Fraction
    drawn: Mapping[str, Fraction]
    weights: Mapping[str, Fraction]


def burden(batch: str, steps: Mapping[str, OracleStep], lots: Mapping[str, Fraction]) -> Fraction:
    """Burden of `batch` in kg CO2e. lots: what each delivery cost."""
    if batch in lots:
        return lots[batch]
    maker = next(step for step in steps.values() if batch in step.weights)
    whole = maker.kg_co2e + sum(burden(parent, steps, lots) * part for parent, part in maker.drawn.items())
    return whole * maker.weights[batch] / sum(maker.weights.values())
