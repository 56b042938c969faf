"""The pages of a CO2 certificate: the footprint, where it comes from, how it was worked out, and every line of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from certificates.page_annex import annex_constants, annex_factors, annex_lines
from certificates.page_flow import GUTTER, WIDTH, Sheet, column_x, heading, span
from certificates.page_items import (
    BODY_STRONG,
    GREEN,
    GREEN_PALE,
    INK,
    LABEL,
    NOTE,
    RULE,
    SMALL,
    SMALL_STRONG,
    Block,
    Box,
    Item,
    Line,
    beside,
    paragraph,
    stacked,
)
from certificates.page_parts import (
    KeyFigure,
    formula,
    furnish,
    how_to_check,
    not_claimed,
    number,
    opening,
    pairs,
    small_figure,
)

ALLOCATION_NAMES = {"mass": "By mass", "economic": "By price", "element": "By element"}


def co2_pages(content: Mapping[str, Any]) -> list[list[Item]]:
    """The pages of a CO2 certificate, laid out."""
    sheet = Sheet()
    opening(sheet, content, _key_figures(content))
    sheet.gap(16)
    sheet.add(beside((0, _hot_spots(content, span(8))), (column_x(8), _allocations(content, span(4)))))
    _boundary(sheet, content)
    not_claimed(sheet, content)
    sheet.gap(14)
    sheet.add(how_to_check(content))
    _method(sheet, content)
    annex_lines(sheet, content)
    annex_factors(sheet, content)
    annex_constants(sheet, content)
    return furnish(sheet, content)


def _key_figures(content: Mapping[str, Any]) -> list[KeyFigure]:
    result = content["result"]
    interval = result["interval_95"]
    method = content["method"]
    low, high = number(interval["low_kg_co2e_per_kg"]), number(interval["high_kg_co2e_per_kg"])
    covered = interval["covered_percent"]
    return [
        KeyFigure(
            f"Footprint, {method['boundary']}",
            result["kg_co2e_per_kg"],
            f"kg CO₂e per {formula(content['declared_unit'])}",
            f"95 % interval {low} to {high}, over the {covered} % of it whose factors state their spread",
        ),
        KeyFigure(
            "The whole batch",
            result["total_kg_co2e"],
            f"kg CO₂e in {number(content['batch']['mass_kg'])} kg",
            f"of {number(result['system_kg_co2e'])} kg CO₂e of the whole system, shared {_by(content['allocation'])}",
        ),
        KeyFigure(
            "Primary data",
            method["primary_data_percent"],
            "% of the emissions",
            f"rest on amounts measured here. {method['data_quality']}",
        ),
    ]


def _by(allocation: str) -> str:
    return ALLOCATION_NAMES.get(allocation, allocation).lower()


def _hot_spots(content: Mapping[str, Any], width: float) -> Block:
    """Bars that begin where the one above ended: together they are as long as the headline's."""
    spots = content["hot_spots"]
    label_width, value_width, percent_width = 132.0, 44.0, 36.0
    bars = width - label_width - value_width - percent_width - 12
    total = sum((Decimal(spot["kg_co2e"]) for spot in spots), Decimal(0))
    parts: list[Block | float] = [heading("Where the carbon comes from", width)]
    columns = beside(
        (0, paragraph("Activity", LABEL, label_width)),
        (width - percent_width - value_width, paragraph("kg CO₂e/kg", LABEL, value_width, "right")),
        (width - percent_width, paragraph("%", LABEL, percent_width, "right")),
    )
    parts += [columns, 2.0]
    start = Decimal(0)
    for index, spot in enumerate(spots):
        amount = Decimal(spot["kg_co2e"])
        left, length = (float(start / total), float(amount / total)) if total else (0.0, 0.0)
        start += amount
        words = beside(
            (0, paragraph(spot["label"], SMALL, label_width - 8)),
            (
                width - percent_width - value_width,
                paragraph(number(spot["kg_co2e_per_kg"]), SMALL, value_width, "right"),
            ),
            (width - percent_width, paragraph(spot["percent"], SMALL, percent_width, "right")),
        )
        bar: list[Item] = [
            Box(
                label_width + left * bars,
                1.2,
                max(length * bars, 0.4),
                words.height - 2.4,
                fill=GREEN if index < 3 else INK,
            )
        ]
        parts += [Block((*bar, *words.items), words.height), 2.4]
    last = beside(
        (0, paragraph("Sum: the headline figure", SMALL_STRONG, label_width)),
        (
            width - percent_width - value_width,
            paragraph(number(content["result"]["kg_co2e_per_kg"]), SMALL_STRONG, value_width, "right"),
        ),
        (width - percent_width, paragraph("100.0", SMALL_STRONG, percent_width, "right")),
    )
    rule = Block((Line(0, 0, width, 0, INK, 0.75),), 2.5)
    whole = Box(label_width, 1.2, bars, last.height - 2.4, fill=GREEN_PALE)
    parts += [rule, Block((whole, *last.items), last.height)]
    return stacked(*parts)


def _allocations(content: Mapping[str, Any], width: float) -> Block:
    """The three rules for sharing the burden, one under the other; the certified one is marked."""
    parts: list[Block | float] = [heading("The same batch by three rules", width)]
    inner = width - 16
    for allocation, name in ALLOCATION_NAMES.items():
        result = content["results_by_allocation"][allocation]
        certified = allocation == content["allocation"]
        if "not_available" in result:
            block = stacked(
                paragraph(name, SMALL_STRONG, inner),
                paragraph(f"Not available: {result['not_available']}", NOTE, inner),
            )
        else:
            title = f"{name}: certified" if certified else name
            block = stacked(
                paragraph(title, SMALL_STRONG.in_colour(GREEN if certified else INK), inner),
                small_figure(result["kg_co2e_per_kg"], inner),
                paragraph(f"kg CO₂e per kg; {number(result['total_kg_co2e'])} in all", NOTE, inner),
            )
        height = block.height + 8
        panel: list[Item] = []
        if certified:
            panel = [Box(0, 0, width, height, fill=GREEN_PALE), Box(0, 0, 2.5, height, fill=GREEN)]
        parts += [Block((*panel, *block.at(8, 4)), height), Block((Line(0, 0, width, 0, RULE, 0.4),), 2.0)]
    return stacked(*parts)


def _boundary(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """What is counted, stage by stage."""
    method = content["method"]
    period = method["period"]
    sheet.heading(
        f"What is counted: {method['boundary']}", f"Activity data from {period['from']} to {period['to']}.", keep=20
    )
    sheet.add(_chain(method["boundary_stages"]))


def _chain(stages: list[str]) -> Block:
    """Stages as a row of numbered words, with a line through them; wraps where the row is full."""
    columns = min(max(len(stages), 1), 6)
    width = (WIDTH - (columns - 1) * GUTTER) / columns
    parts: list[Block | float] = []
    for start in range(0, len(stages), columns):
        row = stages[start : start + columns]
        placed = []
        for index, stage in enumerate(row):
            dot = Block((Line(0, 2, width + GUTTER, 2, GREEN, 1.0), Box(0, 0, 4, 4, fill=GREEN)), 8.0)
            if index == len(row) - 1:
                dot = Block((Box(0, 0, 4, 4, fill=GREEN),), 8.0)
            placed.append((index * (width + GUTTER), stacked(dot, paragraph(stage, SMALL, width))))
        parts += [beside(*placed), 4.0]
    return stacked(*parts)


def _method(sheet: Sheet, content: Mapping[str, Any]) -> None:
    method = content["method"]
    interval = content["result"]["interval_95"]
    sheet.heading("How it was worked out")
    items = [
        ("Standard", method["standard"]),
        ("Declared unit", formula(content["declared_unit"])),
        ("Boundary", method["boundary"]),
        ("Warming potentials", f"{method['gwp_set']}, {method['gwp_horizon']}"),
        ("Electricity", method["electricity"]),
        ("Recycling", method["recycling"]),
        ("Allocation", f"{ALLOCATION_NAMES[content['allocation']]}. {method['allocation_why']}"),
        ("Cut-offs", method["cut_offs"]),
        ("Biogenic carbon", method["biogenic"]),
        ("Land-use change", method["land_use"]),
        ("Aircraft", method["aircraft"]),
        ("Primary data", f"{method['primary_data_percent']} % of the emissions"),
        ("Data quality", method["data_quality"]),
        ("Uncertainty", method["uncertainty"]),
        ("Interval", interval["method"]),
        ("Verification", method["verification"]),
    ]
    half = span(6)
    blocks = [pairs([item], half, 74) for item in items]
    # Two columns of about equal height, read down the first and then the second.
    whole = sum(block.height for block in blocks)
    left: list[Block] = []
    height = 0.0
    while blocks and height + blocks[0].height / 2 <= whole / 2:
        height += blocks[0].height
        left.append(blocks.pop(0))
    both = beside((0, stacked(*left)), (column_x(6), stacked(*blocks)))
    sheet.add(both)
    if method["limits"]:
        sheet.gap(6)
        sheet.add(paragraph("Limits", BODY_STRONG, WIDTH), keep=12)
        for text in method["limits"]:
            sheet.text(f"–  {text}", SMALL)
