"""The statement of a footprint: JSON data with every number as text, rounded once, parts adding up to what is printed.

Its `method` answers, item by item, what ISO 14067:2018 (clauses 6 and 7) and the GHG Protocol Product Standard (chapter
13) ask a report to state. What was not assessed is said to be so; no item is left out because it is inconvenient.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ledger.carbon.allocation import Allocation
from ledger.carbon.factors import FactorBook
from ledger.carbon.footprint import Footprint, Line, all_allocations
from ledger.carbon.gwp import HORIZON
from ledger.carbon.uncertainty import Interval, interval_95
from ledger.errors import RuleError, problem
from ledger.material.plant import Plant
from ledger.quantity import apportion, format_decimal, round_decimal, round_fraction

TOTAL_PLACES = 6
PER_KG_PLACES = 4
SYSTEM_PLACES = 4
PERCENT_PLACES = 1
SHARE_PLACES = 12

_LABELS = {
    "electricity": "Electricity",
    "natural-gas": "Natural gas",
    "water-supply": "Water supply",
    "water-treatment": "Water treatment",
    "road-freight": "Road freight",
    "hydrochloric-acid-32": "Hydrochloric acid 32 %",
    "oxalic-acid-dihydrate": "Oxalic acid dihydrate",
    "sodium-hydroxide-50": "Sodium hydroxide 50 %",
    "extractant-diluent": "Extractant and diluent",
    "argon": "Argon",
    "direct-co2": "Direct emissions of CO2",
    "direct-ch4": "Direct emissions of CH4",
    "direct-n2o": "Direct emissions of N2O",
}

_ALLOCATION_WHY: dict[Allocation, str] = {
    "mass": (
        "By mass of product: a physical relation that no price moves. The products leave common steps that could not "
        "be metered apart. Results by price and by element stand beside it."
    ),
    "economic": (
        "By mass times reference price: it follows why the plant is run. Prices and their sources are in the log. "
        "Results by mass and by element stand beside it."
    ),
    "element": (
        "By mass of rare-earth element: a physical relation that does not count the oxygen of the oxide. Results by "
        "mass and by price stand beside it."
    ),
}


def statement_value(
    plant: Plant,
    book: FactorBook,
    batch_id: str,
    allocation: Allocation,
    masses: Mapping[str, Decimal],
) -> dict[str, Any]:
    """The whole statement of the footprint of `batch_id` under `allocation`, the other allocations beside it.

    Raises: as `ledger.carbon.footprint.footprint_of`; RuleError if `allocation` itself is not available, or if nothing
    at all was logged that could make a footprint.
    """
    results = all_allocations(plant, book, batch_id, masses)
    chosen = results[allocation]
    if isinstance(chosen, str):
        others = [name for name, result in results.items() if not isinstance(result, str)]
        raise RuleError(
            problem(
                "/allocation",
                allocation,
                f"an allocation that is available for {batch_id}: {', '.join(others) or 'none is'}",
                f"{allocation} {chosen}.",
            )
        )
    if not chosen.lines:
        raise RuleError(
            problem(
                "/batch_id",
                batch_id,
                "a batch with activity or direct emissions logged for it or what it was made of: nothing was, so there "
                "is no footprint, not one of zero",
                "Log the activity data of its steps.",
            )
        )
    return footprint_value(chosen, interval_95(chosen, book), results, book)


def footprint_value(
    footprint: Footprint,
    interval: Interval,
    results: Mapping[Allocation, Footprint | str],
    book: FactorBook,
) -> dict[str, Any]:
    """`footprint` as JSON data.

    results: the footprints under every allocation, or the reason why one is not available.
    total_kg_co2e to 6 places; the allocated_kg_co2e of the lines and the kg_co2e of the hot spots add up to it exactly
    (largest remainder). kg_co2e_per_kg to 4 places. system_kg_co2e to 4 places, system_kg_co2e_exact with all digits:
    the sum of the lines' kg_co2e.
    """
    total = round_fraction(footprint.total, TOTAL_PLACES)
    return {
        "batch_id": footprint.batch_id,
        "product": footprint.product,
        "mass_kg": format_decimal(footprint.mass_kg),
        "declared_unit": f"1 kg {footprint.product}",
        "allocation": footprint.allocation,
        "system_kg_co2e": format_decimal(round_decimal(footprint.system_kg_co2e, SYSTEM_PLACES)),
        "system_kg_co2e_exact": _plain(footprint.system_kg_co2e),
        **_result(footprint),
        "interval_95": interval_value(interval),
        "results_by_allocation": {
            name: {"not_available": result} if isinstance(result, str) else _result(result)
            for name, result in results.items()
        },
        "hot_spots": hot_spots(footprint),
        "lines": _lines(footprint.lines, total),
        "placeholders": list(footprint.placeholders),
        "outside_validity": [
            {
                "factor_id": item.factor_id,
                "source_id": item.source_id,
                "on": item.on.isoformat(),
                **({"valid_from": item.valid_from.isoformat()} if item.valid_from else {}),
                **({"valid_to": item.valid_to.isoformat()} if item.valid_to else {}),
            }
            for item in footprint.outside_validity
        ],
        "method": method_value(footprint, interval, book),
    }


def _result(footprint: Footprint) -> dict[str, str]:
    return {
        "total_kg_co2e": format_decimal(round_fraction(footprint.total, TOTAL_PLACES)),
        "kg_co2e_per_kg": format_decimal(round_fraction(footprint.per_kg, PER_KG_PLACES)),
    }


def interval_value(interval: Interval) -> dict[str, str]:
    """`interval` as JSON data, kg CO2e/kg to 4 places."""
    return {
        "low_kg_co2e_per_kg": format_decimal(round_decimal(interval.low, PER_KG_PLACES)),
        "high_kg_co2e_per_kg": format_decimal(round_decimal(interval.high, PER_KG_PLACES)),
        "mean_kg_co2e_per_kg": format_decimal(round_decimal(interval.mean, PER_KG_PLACES)),
        "covered_percent": format_decimal(interval.covered_percent),
        "method": interval.method,
    }


def _lines(lines: Iterable[Line], total: Decimal) -> list[dict[str, Any]]:
    ordered = list(lines)
    allocated = apportion(total, [line.allocated for line in ordered])
    return [
        {
            "seq": line.seq,
            "source_id": line.source_id,
            "process": line.process,
            "activity": line.activity,
            "amount": format_decimal(line.amount),
            "unit": line.unit,
            **({} if line.factor_id is None else {"factor_id": line.factor_id}),
            "kg_co2e_per_unit": format_decimal(line.kg_co2e_per_unit),
            "kg_co2e": _plain(line.kg_co2e),
            "share": format_decimal(round_fraction(line.share, SHARE_PLACES)),
            "allocated_kg_co2e": format_decimal(part),
        }
        for line, part in zip(ordered, allocated, strict=True)
    ]


def _plain(number: Decimal) -> str:
    """A computed number with all its digits but zeros at the end, which no measurement put there."""
    text = format_decimal(number)
    return text.rstrip("0").rstrip(".") if "." in text else text


def hot_spots(footprint: Footprint) -> list[dict[str, str]]:
    """The batch's burden by activity, largest first.

    kg_co2e adds up to the printed total, kg_co2e_per_kg to the printed result, percent to 100.0, to the last digit.
    """
    by_activity: dict[str, Fraction] = {}
    for line in footprint.lines:
        by_activity[line.activity] = by_activity.get(line.activity, Fraction(0)) + line.allocated
    ordered = sorted(by_activity.items(), key=lambda item: (-item[1], item[0]))
    parts = [part for _, part in ordered]
    total = sum(parts, Fraction(0))
    if total == 0:
        return []
    mass_kg = Fraction(footprint.mass_kg)
    kg = apportion(round_fraction(total, TOTAL_PLACES), parts)
    per_kg = apportion(round_fraction(footprint.per_kg, PER_KG_PLACES), [part / mass_kg for part in parts])
    percent = apportion(round_decimal(Decimal(100), PERCENT_PLACES), [100 * part / total for part in parts])
    return [
        {
            "activity": activity,
            "label": label_of(activity),
            "kg_co2e": format_decimal(kg[i]),
            "kg_co2e_per_kg": format_decimal(per_kg[i]),
            "percent": format_decimal(percent[i]),
        }
        for i, (activity, _) in enumerate(ordered)
    ]


def label_of(activity: str) -> str:
    """Name of an activity for a reader."""
    return _LABELS.get(activity) or activity.replace("-", " ").capitalize()


def method_value(footprint: Footprint, interval: Interval, book: FactorBook) -> dict[str, Any]:
    """How the figure came about: the items of ISO 14067 and the GHG Protocol Product Standard."""
    days = [source.on for source in footprint.sources]
    measured = measured_amounts_percent(footprint)
    return {
        "standard": (
            "Calculated after ISO 14067:2018 and the GHG Protocol Product Standard; conformity has not been verified "
            "by a third party."
        ),
        "boundary": _boundary(footprint),
        "boundary_stages": _stages(footprint),
        "period": {"from": min(days).isoformat(), "to": max(days).isoformat()} if days else {},
        "gwp_set": book.gwp_set or "none",
        "gwp_horizon": HORIZON,
        "electricity": _electricity(footprint, book),
        "recycling": _recycling(footprint),
        "allocation_why": _allocation_why(footprint),
        "cut_offs": _cut_offs(footprint),
        "biogenic": "Biogenic emissions and removals: not assessed separately.",
        "land_use": "Land-use change: not assessed.",
        "aircraft": _aircraft(footprint),
        "measured_amounts_percent": format_decimal(measured),
        "data_quality": (
            f"{measured} % of the result rests on amounts that the log calls measured in the plant or stated by a "
            "supplier; the rest on estimates, on amounts whose source the log does not state, and on direct emissions. "
            "That is the plant's word: nobody read the meters again. All emission factors are secondary data. No "
            "quality rating was given."
        ),
        "uncertainty": interval.method,
        "limits": _limits(footprint),
        "verification": "Not verified. The plant's signature says who states the figure, not that it was audited.",
    }


def measured_amounts_percent(footprint: Footprint) -> Decimal:
    """Share of the burden, in per cent, whose amount was logged as measured or as stated by a supplier; one decimal."""
    total = footprint.total
    if total == 0:
        return Decimal("0.0")
    measured = sum((line.allocated for line in footprint.lines if line.data in ("measured", "supplier")), Fraction(0))
    return round_fraction(100 * measured / total, PERCENT_PLACES)


_SCRAP = ("post-consumer", "pre-consumer")


def _lots_of_class(footprint: Footprint, *classes: str) -> list[str]:
    return [source.source_id for source in footprint.sources if source.consumer_class in classes]


def _boundary(footprint: Footprint) -> str:
    """From where to where; the words before the colon name the kind of footprint."""
    not_included = "Use, end of life and transport to the buyer are not included."
    if footprint.primary_lots:
        return (
            "Partial footprint, gate to gate: from the material as delivered to the product at the plant's gate. What "
            f"it took to mine and make {', '.join(footprint.primary_lots)} is not included. {not_included}"
        )
    start = "scrap" if _lots_of_class(footprint, *_SCRAP) else "material"
    return (
        f"Partial footprint, cradle to gate: from the {start} as delivered to the product at the plant's gate. "
        f"{not_included}"
    )


def _recycling(footprint: Footprint) -> str:
    """What each class of lot brings with it, and none that is not there."""
    parts = []
    if _lots_of_class(footprint, *_SCRAP):
        parts.append(
            "Cut-off: scrap arrives without burden, and the product takes no credit for being recycled. What is scrap "
            "is as declared at receipt."
        )
    if own := _lots_of_class(footprint, "internal"):
        parts.append(f"Of the plant's own, taken in without burden: {', '.join(own)}.")
    if footprint.primary_lots:
        parts.append(
            f"Primary material, whose burden before delivery is not known here: {', '.join(footprint.primary_lots)}."
        )
    return " ".join(parts) or "No lots."


def _allocation_why(footprint: Footprint) -> str:
    why = _ALLOCATION_WHY[footprint.allocation]
    if not footprint.by_oxide:
        return why
    return (
        f"{why} Not so in {', '.join(footprint.by_oxide)}: a product was not weighed there, so all its products count "
        "by the oxide mass that their rare earths would make."
    )


def _stages(footprint: Footprint) -> list[str]:
    """The processes that count, each once, in order of the log."""
    return list(dict.fromkeys(source.process for source in footprint.sources))


def _electricity(footprint: Footprint, book: FactorBook) -> str:
    factors = sorted({line.factor_id for line in footprint.lines if line.activity == "electricity" and line.factor_id})
    if not factors or book.electricity_approach is None:
        return 'No activity named "electricity" was logged. Power logged under another name would not show here.'
    return (
        f"{book.electricity_approach.capitalize()}, contractual instruments are not counted. "
        f"Factors: {', '.join(factors)}."
    )


def _aircraft(footprint: Footprint) -> str:
    by_air = sum((line.allocated for line in footprint.lines if line.activity.startswith("air-")), Fraction(0))
    if by_air == 0:
        return (
            'No activity whose name begins with "air-" counts. A flight logged under another name would not show here.'
        )
    return f'Activities whose name begins with "air-": {round_fraction(by_air, TOTAL_PLACES)} kg CO2e of the total.'


def _cut_offs(footprint: Footprint) -> str:
    """What is not counted. A factor for what lies upstream of a fuel or vehicle ends in "-wtt" (well to tank)."""
    freight = {line.activity for line in footprint.lines if line.unit == "t.km"}
    upstream = {line.activity for line in footprint.lines if line.factor_id and line.factor_id.endswith("-wtt")}
    without = ", ".join(label_of(activity) for activity in sorted(freight - upstream))
    return (
        "Not counted: capital goods, packaging, staff, laboratory, and any flow that is not in the log; the treatment "
        "of residues, unless it was logged as an activity; what lies upstream of a fuel or vehicle, unless a factor "
        f"of the list covers it{f' (none does for: {without})' if without else ''}. Their share was not estimated."
    )


def _limits(footprint: Footprint) -> list[str]:
    limits = [
        "One indicator, climate change; it says nothing of other effects on the environment.",
        "Not to be compared with a figure of another product, stage, boundary, GWP set or allocation.",
    ]
    if footprint.primary_lots:
        limits.append(
            f"The burden of primary material before its delivery is missing: {', '.join(footprint.primary_lots)}."
        )
    if footprint.burden_free:
        limits.append(f"Rare earths were drawn without the burden of making them: {', '.join(footprint.burden_free)}.")
    if footprint.placeholders:
        limits.append(
            f"Rests on placeholder factors, which the suppliers' figures must replace: "
            f"{', '.join(footprint.placeholders)}."
        )
    if footprint.outside_validity:
        factors = sorted({item.factor_id for item in footprint.outside_validity})
        limits.append(f"Factors used outside the period that their source states: {', '.join(factors)}.")
    with_lines = {line.source_id for line in footprint.lines}
    silent = [source for source in footprint.sources if source.source_id not in with_lines]
    if silent:
        names = ", ".join(f"{source.source_id} ({source.process})" for source in silent)
        limits.append(f"No activity data logged for: {names}.")
    return limits
