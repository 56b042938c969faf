"""The pages of a CO2 certificate: the footprint, where it comes from, how it was worked out, and every line of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from certificates.page_annex import annex_constants, annex_factors, annex_lines
from certificates.page_bars import interval_bar
from certificates.page_flow import GUTTER, WIDTH, Sheet, column_x, heading, span
from certificates.page_furniture import furnish
from certificates.page_items import (
    FIGURE_SMALL,
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
    Style,
    beside,
    paragraph,
    stacked,
)
from certificates.page_parts import (
    KeyFigure,
    all_reasons,
    day,
    figure_line,
    formula,
    how_to_check,
    not_claimed,
    number,
    opening,
    pairs,
)

ALLOCATION_NAMES = {"mass": "By mass", "economic": "By price", "element": "By element"}


def co2_pages(content: Mapping[str, Any]) -> list[list[Item]]:
    """The pages of a CO2 certificate, laid out."""
    sheet = Sheet()
    opening(sheet, content, _key_figures(content))
    sheet.gap(14)
    figures = beside((0, _hot_spots(content, span(8))), (column_x(8), _allocations(content, span(4))))
    counted = _boundary(content["method"])
    _first_page(sheet, figures, counted, not_claimed(content), how_to_check(content))
    _method(sheet, content)
    annex_lines(sheet, content)
    annex_factors(sheet, content)
    annex_constants(sheet, content)
    all_reasons(sheet, content)
    return furnish(sheet, content)


def _first_page(sheet: Sheet, figures: Block, counted: Sequence[Block], limits: Block, check: Block) -> None:
    """Fills page one with the fullest choice of blocks that fits; the others begin the next page."""
    least, most = 9.0, 30.0
    choices: list[tuple[list[Block], Sequence[Block]]] = [
        ([figures, stacked(*counted), limits, check], []),
        ([figures, limits, check], counted),
        ([figures, stacked(*counted), limits], [check]),
        ([figures, limits], [check, *counted]),
    ]
    fitting = (choice for choice in choices if sum(block.height + least for block in choice[0]) - least <= sheet.room)
    blocks, rest = next(fitting, choices[-1])
    sheet.fill(blocks, least, most)
    for block in rest:
        sheet.gap(16)
        sheet.add(block)


def _key_figures(content: Mapping[str, Any]) -> list[KeyFigure]:
    result = content["result"]
    interval = result["interval_95"]
    method = content["method"]
    low, high = interval["low_kg_co2e_per_kg"], interval["high_kg_co2e_per_kg"]
    covered = interval["covered_percent"]
    has_interval = Decimal(covered) > 0
    beneath = (
        f"95 % interval {number(low)} to {number(high)}, mean {number(interval['mean_kg_co2e_per_kg'])}; the figure "
        f"adds up medians. From the factors of {covered} % of it; the rest counts as certain"
        if has_interval
        else "No interval: no factor used states how uncertain it is"
    )
    return [
        KeyFigure(
            _scope(method),
            result["kg_co2e_per_kg"],
            f"kg CO₂e per {formula(content['declared_unit'].removeprefix('1 '))}",
            beneath,
            (lambda width: interval_bar(Decimal(low), Decimal(result["kg_co2e_per_kg"]), Decimal(high), width))
            if has_interval
            else None,
        ),
        KeyFigure(
            "The whole batch",
            result["total_kg_co2e"],
            f"kg CO₂e in {number(content['batch']['mass_kg'])} kg",
            f"of {number(result['system_kg_co2e'])} kg CO₂e that the steps behind it cost, shared "
            f"{_by(content['allocation'])} among their products",
        ),
        KeyFigure(
            "Amounts logged as measured",
            method["measured_amounts_percent"],
            "% of the result",
            "rests on amounts that the plant logged as measured or as stated by a supplier; the rest on estimates, "
            "amounts of unstated source and direct emissions",
        ),
    ]


def _scope(method: Mapping[str, Any]) -> str:
    """The boundary in a few words: what stands before the colon of its sentence."""
    return str(method["boundary"]).split(":")[0]


def _by(allocation: str) -> str:
    return ALLOCATION_NAMES.get(allocation, allocation).lower()


def _hot_spots(content: Mapping[str, Any], width: float) -> Block:
    """Bars that begin where the one above ended: together they are as long as the headline's."""
    spots = _largest(content["hot_spots"])
    label_width, value_width, percent_width = 112.0, 50.0, 32.0
    bars = width - label_width - value_width - percent_width - 6

    def row(label: str, value: str, percent: str, style: Style, bar: Item | None) -> Block:
        words = beside(
            (0, paragraph(label, style, label_width - 8)),
            (width - percent_width - value_width, paragraph(value, style, value_width, "right")),
            (width - percent_width, paragraph(percent, style, percent_width, "right")),
        )
        return words if bar is None else Block((bar, *words.items), words.height)

    total = sum((Decimal(spot["kg_co2e"]) for spot in spots), Decimal(0))
    parts: list[Block | float] = [
        heading("Where the carbon comes from", width),
        row("Activity", "kg CO₂e/kg", "%", LABEL, None),
        2.0,
    ]
    start = Decimal(0)
    for spot in spots:
        amount = Decimal(spot["kg_co2e"])
        left, length = (float(start / total), float(amount / total)) if total > 0 else (0.0, 0.0)
        start += amount
        bar = Box(label_width + left * bars, 1.6, max(length * bars, 0.4), 6.5, fill=GREEN)
        parts += [row(spot["label"], number(spot["kg_co2e_per_kg"]), spot["percent"], SMALL, bar), 3.0]
    if not spots:
        parts += [paragraph("No burden: nothing that counts was logged.", SMALL, width), 3.0]
    whole = Box(label_width, 1.6, bars, 6.5, fill=GREEN_PALE)
    percent = str(sum((Decimal(spot["percent"]) for spot in spots), Decimal(0)))
    parts += [
        Block((Line(0, 0, width, 0, INK, 0.75),), 2.5),
        row("Sum, the headline", number(content["result"]["kg_co2e_per_kg"]), percent, SMALL_STRONG, whole),
    ]
    return stacked(*parts)


MOST_HOT_SPOTS = 12


def _largest(spots: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The hot spots, the smallest put together where there are too many for a page."""
    if len(spots) <= MOST_HOT_SPOTS:
        return list(spots)
    shown, rest = spots[: MOST_HOT_SPOTS - 1], spots[MOST_HOT_SPOTS - 1 :]
    together = {
        name: str(sum((Decimal(spot[name]) for spot in rest), Decimal(0)))
        for name in ("kg_co2e", "kg_co2e_per_kg", "percent")
    }
    return [*shown, {"label": f"{len(rest)} others, see annex A", **together}]


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
                figure_line(result["kg_co2e_per_kg"], inner, FIGURE_SMALL),
                paragraph(f"kg CO₂e per kg; {number(result['total_kg_co2e'])} in all", NOTE, inner),
            )
        height = block.height + 8
        panel: list[Item] = []
        if certified:
            panel = [Box(0, 0, width, height, fill=GREEN_PALE), Box(0, 0, 2.5, height, fill=GREEN)]
        parts += [Block((*panel, *block.at(8, 4)), height), Block((Line(0, 0, width, 0, RULE, 0.4),), 2.0)]
    return stacked(*parts)


def _boundary(method: Mapping[str, Any]) -> list[Block]:
    """What is counted, stage by stage: a heading with the first stages, and further rows of stages."""
    period = method["period"]
    when = f" Activity data from {day(period['from'])} to {day(period['to'])}." if period else ""
    head = heading("What is counted", WIDTH, f"{method['boundary']}{when}")
    rows = _chain(method["boundary_stages"])
    return [stacked(head, 3.0, *rows[:1]), *rows[1:]]


def _chain(stages: list[str]) -> list[Block]:
    """Stages as rows of numbered words under a line that ends at the last one, the gate."""
    columns = min(max(len(stages), 1), 5)
    width = (WIDTH - (columns - 1) * GUTTER) / columns
    rows = []
    for start in range(0, len(stages), columns):
        placed = []
        row = stages[start : start + columns]
        for index, stage in enumerate(row):
            is_last = start + index == len(stages) - 1
            reach = 0.0 if is_last else width + (0.0 if index == columns - 1 else GUTTER)
            dot = Block((Line(0, 2, reach, 2, GREEN, 1.0), Box(0, 0, 4, 4, fill=GREEN)), 7.0)
            words = paragraph(f"{start + index + 1}  {stage}", SMALL, width - 6)
            placed.append((index * (width + GUTTER), stacked(dot, words, 4.0)))
        rows.append(beside(*placed))
    return rows


METHOD_LABEL_WIDTH = 74.0
MOST_METHOD_HEIGHT = 500.0
"""Of the table in two columns; longer texts run down the page in one."""


def _method(sheet: Sheet, content: Mapping[str, Any]) -> None:
    method = content["method"]
    sheet.heading("How it was worked out")
    items = [
        ("Standard", method["standard"]),
        ("Declared unit", formula(content["declared_unit"])),
        ("Warming potentials", f"{method['gwp_set']}, {method['gwp_horizon']}"),
        ("Electricity", method["electricity"]),
        ("Recycling", method["recycling"]),
        ("Allocation", method["allocation_why"]),
        ("Cut-offs", method["cut_offs"]),
        ("Biogenic carbon", method["biogenic"]),
        ("Land-use change", method["land_use"]),
        ("Aircraft", method["aircraft"]),
        ("Data quality", method["data_quality"]),
        ("Uncertainty", method["uncertainty"]),
        ("Verification", method["verification"]),
    ]
    half = span(6)
    blocks = [pairs([item], half, METHOD_LABEL_WIDTH) for item in items]
    whole = sum(block.height for block in blocks)
    if whole > 2 * MOST_METHOD_HEIGHT:
        for label, text in items:
            sheet.text(text, SMALL, label, METHOD_LABEL_WIDTH)
            sheet.gap(4)
    else:
        # Two columns of about equal height, read down the first and then the second.
        cut = min(range(len(blocks)), key=lambda count: abs(2 * sum(block.height for block in blocks[:count]) - whole))
        sheet.add(beside((0, stacked(*blocks[:cut])), (column_x(6), stacked(*blocks[cut:]))))
    sheet.gap(4)
    for index, text in enumerate(method["limits"]):
        sheet.text(text, SMALL, "" if index else "Limits", METHOD_LABEL_WIDTH)
