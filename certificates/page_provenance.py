"""The pages of a provenance certificate: the lots, their way to this batch, what was lost, and every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from certificates.page_annex import annex_constants, annex_steps
from certificates.page_bars import CLASSES, Paint, Segment, labelled_bar, share_bar
from certificates.page_flow import WIDTH, Cell, Column, Sheet, column_x, heading, span
from certificates.page_furniture import furnish
from certificates.page_items import (
    BODY_STRONG,
    NOTE,
    SMALL,
    SMALL_STRONG,
    Block,
    Item,
    beside,
    paragraph,
    stacked,
)
from certificates.page_parts import (
    KeyFigure,
    all_reasons,
    formula,
    how_to_check,
    not_claimed,
    number,
    opening,
    pairs,
)
from certificates.page_streams import streams_drawing
from ledger.material.chemistry import parse_formula

_COUNTRY_PAINTS = (Paint.FULL, Paint.PALE, Paint.HALF)
"""In turn, so that neighbours differ; the words beside name them in the same order."""


def provenance_pages(content: Mapping[str, Any]) -> list[list[Item]]:
    """The pages of a provenance certificate, laid out."""
    sheet = Sheet()
    opening(sheet, content, _key_figures(content))
    sheet.gap(14)
    check, limits = how_to_check(content), not_claimed(content)
    gap = 16.0
    way = _way(content, sheet.room - check.height - gap)
    fits = way.height + gap + check.height <= sheet.room
    if fits:
        sheet.fill([way, check], gap, 30)
    else:
        sheet.fill([limits, check], gap, 30)
        sheet.gap(gap)
        sheet.add(_way(content, 0.0))
    _lots(sheet, content)
    sheet.gap(14)
    sheet.add(_recycled(content))
    _origin(sheet, content)
    if fits:
        sheet.gap(14)
        sheet.add(limits)
    _balance(sheet, content)
    _settlements(sheet, content)
    sheet.gap(14)
    sheet.add(_custody(content))
    annex_steps(sheet, content)
    annex_constants(sheet, content)
    all_reasons(sheet, content)
    return furnish(sheet, content)


def _key_figures(content: Mapping[str, Any]) -> list[KeyFigure]:
    shares = _class_shares(content)
    main = main_element(content)
    balance = [row for row in content["balance"] if row["element"] == main]
    return [
        KeyFigure(
            "From waste after use",
            str(shares["post-consumer"]),
            "% post-consumer, by mass of rare earths",
            "; ".join(f"{kind} {share} %" for kind, share in shares.items() if kind != "post-consumer"),
            lambda width: share_bar(_class_segments(shares), width, 5),
        ),
        _balance_figure(main, balance),
        _origin_figure(content, main),
    ]


def main_element(content: Mapping[str, Any]) -> str:
    """The element that the batch is sold for: that of the largest component of its assay.

    A blend of several batches has no assay of its own; then it is that of its elements of which the plant made most.
    """
    assay = content["batch"].get("assay")
    if assay:
        largest = max(assay["components"], key=lambda component: Decimal(component["wt_percent"]))
        return next(iter(element for element in parse_formula(largest["species"]) if element != "O"), "O")
    made = {row["element"]: Decimal(row["product_kg"]) for row in content["balance"]}
    elements = [row["element"] for row in content["recycled"]]
    return max(elements, key=lambda element: made.get(element, Decimal(0)), default="")


def _class_shares(content: Mapping[str, Any]) -> dict[str, Decimal]:
    """The batch's rare earths by consumer class of their lots, in per cent."""
    whole = content["recycled_rare_earths"]
    return {kind: Decimal(whole[f"{kind.replace('-', '_')}_percent"]) for kind in CLASSES}


def _class_segments(shares: Mapping[str, Decimal]) -> list[Segment]:
    return [Segment(kind, shares[kind], paint) for kind, (_, paint) in CLASSES.items()]


def _balance_figure(element: str, rows: Sequence[Mapping[str, str]]) -> KeyFigure:
    label = f"Mass balance of {element}"
    if not rows or Decimal(rows[0]["in_kg"]) == 0:
        return KeyFigure(label, "none", "came in by assay", "so nothing can be said of what was lost")
    row = rows[0]
    return KeyFigure(
        label,
        row["unaccounted_percent"],
        f"% of the {element} unaccounted",
        f"{number(row['unaccounted_kg'])} of {number(row['in_kg'])} kg, uncertainty ± {row['uncertainty_kg']} kg: "
        f"{row['verdict']}",
        lambda width: _balance_bar(row, width, 5),
    )


def _origin_figure(content: Mapping[str, Any], element: str) -> KeyFigure:
    mined = [row for row in content["origin"] if row["element"] == element and row["stage"] == "mined"]
    countries = sorted({lot["country_of_dispatch"] for lot in content["lots"] if lot.get("country_of_dispatch")})
    dispatched = f"{len(content['lots'])} lots, sent from {', '.join(countries) or 'places not stated'}"
    if not mined:
        return KeyFigure("Lots", str(len(content["lots"])), "lots", dispatched)
    known = Decimal(100) - Decimal(mined[0]["unknown_percent"])
    return KeyFigure(
        "Origin of mining",
        str(known),
        f"% of the {element}: country declared",
        f"{mined[0]['unknown_percent']} % unknown. {dispatched}",
        lambda width: share_bar(_origin_segments(mined[0]), width, 5),
    )


def _way(content: Mapping[str, Any], height: float) -> Block:
    """The drawing of the way, or where to read it instead; as high as `height` if it can be stretched so far."""
    note = (
        "Rare-earth elements in kg, every width to one scale. Lots are painted by their class, as above; hatched is "
        "what no record accounts for."
    )
    head = stacked(heading("From the lots to this batch", WIDTH, note), 4.0)
    drawing = streams_drawing(content, height - head.height)
    if drawing is None:
        words = "The way is too long to draw on a page, or a stream does not state what it holds: see the annex."
        return stacked(heading("From the lots to this batch", WIDTH), paragraph(words, NOTE, WIDTH))
    return stacked(head, drawing)


def _lots(sheet: Sheet, content: Mapping[str, Any]) -> None:
    columns = [
        Column("Entry", align="right"),
        Column("Lot", share=1.4),
        Column("Form", share=0.6),
        Column("Class", share=1.0),
        Column("Received"),
        Column("Sent from"),
        Column("Dry mass", align="right"),
        Column("Share", align="right"),
        Column("", share=0.6),
    ]
    rows = []
    for lot in content["lots"]:
        words, paint = CLASSES[lot["consumer_class"]]
        rows.append(
            (
                str(lot["seq"]),
                Cell(lot["batch_id"], style=SMALL_STRONG, note=lot["description"]),
                lot["form"],
                Cell(lot["consumer_class"], note=words),
                lot["received_on"],
                lot.get("country_of_dispatch", "not stated"),
                f"{number(lot['dry_mass_kg'])} kg",
                f"{lot['share_percent']} %",
                Cell(draw=_share_cell(Decimal(lot["share_percent"]), paint)),
            )
        )
    sheet.table(
        "Where it came from", "The share is of this batch's rare-earth mass. Dispatch is not origin.", columns, rows
    )


def _share_cell(percent: Decimal, paint: Paint) -> Callable[[float], Block]:
    return lambda width: Block(
        tuple(share_bar([Segment("", percent, paint)], width, 6.5, Decimal(100)).at(0, 1.6)), 9.5
    )


def _recycled(content: Mapping[str, Any]) -> Block:
    parts: list[Block | float] = [
        heading(
            "Recycled content, element by element",
            WIDTH,
            "By mass of each element: " + "; ".join(f"{kind}: {words}" for kind, (words, _) in CLASSES.items()) + ".",
        )
    ]
    for row in content["recycled"]:
        shares = {kind: Decimal(row[f"{kind.replace('-', '_')}_percent"]) for kind in CLASSES}
        words = ", ".join(f"{kind} {share} %" for kind, share in shares.items())
        parts += [labelled_bar(row["element"], _class_segments(shares), words, WIDTH, 28, 200), 3.0]
    return stacked(*parts)


def _origin(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """Element by element, two beside each other."""
    elements = list(dict.fromkeys(row["element"] for row in content["origin"]))
    sheet.heading(
        "Origin, stage by stage",
        "As the suppliers declared it; hatched is unknown. The lots' entries name the evidence.",
        keep=60,
    )
    for start in range(0, len(elements), 2):
        pair = elements[start : start + 2]
        columns = [_origin_of(element, content["origin"], span(6)) for element in pair]
        for line in zip_longest(*columns, fillvalue=Block((), 0.0)):
            sheet.add(beside(*((column_x(6 * index), block) for index, block in enumerate(line))), keep=10)
        sheet.gap(6)


MOST_COUNTRIES = 12


def _origin_of(element: str, rows: Sequence[Mapping[str, Any]], width: float) -> list[Block]:
    """The element's name and one bar for each stage."""
    blocks = [stacked(paragraph(element, BODY_STRONG, width), 1.0)]
    for row in rows:
        if row["element"] == element:
            shares = row["shares"]
            words = [f"{share['country']} {share['percent']} %" for share in shares[:MOST_COUNTRIES]]
            if len(shares) > MOST_COUNTRIES:
                rest = sum((Decimal(share["percent"]) for share in shares[MOST_COUNTRIES:]), Decimal(0))
                words.append(f"{len(shares) - MOST_COUNTRIES} others {rest} %")
            if Decimal(row["unknown_percent"]) > 0:
                words.append(f"unknown {row['unknown_percent']} %")
            bar = labelled_bar(row["stage"], _origin_segments(row), ", ".join(words), width, 46, 84)
            blocks.append(stacked(bar, 2.0))
    return blocks


def _origin_segments(row: Mapping[str, Any]) -> list[Segment]:
    segments = [
        Segment(share["country"], Decimal(share["percent"]), _COUNTRY_PAINTS[index % len(_COUNTRY_PAINTS)])
        for index, share in enumerate(row["shares"])
    ]
    return [*segments, Segment("unknown", Decimal(row["unknown_percent"]), Paint.HATCHED)]


def _balance(sheet: Sheet, content: Mapping[str, Any]) -> None:
    columns = [
        Column("Element"),
        Column("In, kg", align="right"),
        Column("Products, kg", align="right"),
        Column("Residues, kg", align="right"),
        Column("Unaccounted, kg", align="right"),
        Column("% of in", align="right"),
        Column("± kg (k=2)", align="right"),
        Column("", share=1.0),
        Column("Verdict", share=1.2),
    ]
    rows = [
        (
            Cell(row["element"], style=SMALL_STRONG),
            number(row["in_kg"]),
            number(row["product_kg"]),
            number(row["residue_kg"]),
            number(row["unaccounted_kg"]),
            number(row["unaccounted_percent"]),
            row["uncertainty_kg"],
            Cell(draw=_balance_cell(row)),
            Cell(row["verdict"], style=SMALL if row["verdict"] == "closed" else SMALL_STRONG),
        )
        for row in content["balance"]
    ]
    sheet.table(
        "What came in and where it went",
        "Over every step behind this batch, co-products included. A residue without an assay counts as holding "
        "nothing, so what it took is unaccounted. Bar: products, residues, unaccounted.",
        columns,
        rows,
    )


def _balance_cell(row: Mapping[str, str]) -> Callable[[float], Block]:
    return lambda width: Block(tuple(_balance_bar(row, width).at(0, 1.6)), 9.5)


def _balance_bar(row: Mapping[str, str], width: float, height: float = 6.5) -> Block:
    """Products, residues and what is unaccounted; the full width is what came in, or what went out if that is more."""
    segments = [
        Segment("products", Decimal(row["product_kg"]), Paint.FULL),
        Segment("residues", Decimal(row["residue_kg"]), Paint.PALE),
        Segment("unaccounted", max(Decimal(row["unaccounted_kg"]), Decimal(0)), Paint.HATCHED),
    ]
    return share_bar(segments, width, height)


def _settlements(sheet: Sheet, content: Mapping[str, Any]) -> None:
    if not content["settlements"]:
        return
    columns = [
        Column("Batch", share=2.0),
        Column("Species", share=1.0),
        Column("Supplier, %", share=1.0, align="right"),
        Column("Plant, %", share=1.0, align="right"),
        Column("Umpire, %", share=1.0, align="right"),
        Column("Settled, %", share=1.0, align="right"),
    ]
    rows = [
        (
            row["batch_id"],
            formula(row["species"]),
            row["supplier"],
            row["plant"],
            row.get("umpire", "none called"),
            Cell(row["settled"], style=SMALL_STRONG),
        )
        for row in content["settlements"]
    ]
    sheet.table("Assays that were settled", "Weight per cent, as each party reported it.", columns, rows)


def _custody(content: Mapping[str, Any]) -> Block:
    custody = content["custody"]
    return stacked(
        heading("Chain of custody", WIDTH),
        pairs([("Model", custody["model"]), ("In words", custody["words"])], WIDTH, 74),
    )
