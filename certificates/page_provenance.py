"""The pages of a provenance certificate: the lots, their way to this batch, what was lost, and every step."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from certificates.page_annex import annex_constants, annex_steps
from certificates.page_flow import WIDTH, Cell, Column, Sheet
from certificates.page_items import Item
from certificates.page_parts import (
    KeyFigure,
    furnish,
    how_to_check,
    not_claimed,
    number,
    opening,
)


def provenance_pages(content: Mapping[str, Any]) -> list[list[Item]]:
    """The pages of a provenance certificate, laid out."""
    sheet = Sheet()
    opening(sheet, content, _key_figures(content))
    _lots(sheet, content)
    not_claimed(sheet, content)
    sheet.gap(14)
    sheet.add(how_to_check(content))
    annex_steps(sheet, content)
    annex_constants(sheet, content)
    return furnish(sheet, content)


def _key_figures(content: Mapping[str, Any]) -> list[KeyFigure]:
    shares = {
        kind: sum(
            (Decimal(lot["share_percent"]) for lot in content["lots"] if lot["consumer_class"] == kind), Decimal(0)
        )
        for kind in ("post-consumer", "pre-consumer", "primary", "internal")
    }
    row = content["balance"][0]
    return [
        KeyFigure(
            "Recycled", str(shares["post-consumer"]), "% post-consumer", f"pre-consumer {shares['pre-consumer']} %"
        ),
        KeyFigure(f"Unaccounted, {row['element']}", row["unaccounted_percent"], "% of what came in", row["verdict"]),
        KeyFigure("Lots", str(len(content["lots"])), "lots", ""),
    ]


def _lots(sheet: Sheet, content: Mapping[str, Any]) -> None:
    sheet.heading("Where it came from")
    columns = [
        Column("Entry", 34, "right"),
        Column("Lot", 130),
        Column("Form", 60),
        Column("Class", 80),
        Column("Dispatched from", 70),
        Column("Dry mass", 60, "right"),
        Column("Share", WIDTH - 434, "right"),
    ]
    rows = [
        (
            str(lot["seq"]),
            Cell(lot["batch_id"], note=lot["description"]),
            lot["form"],
            lot["consumer_class"],
            lot.get("country_of_dispatch", "not stated"),
            f"{number(lot['dry_mass_kg'])} kg",
            f"{lot['share_percent']} %",
        )
        for lot in content["lots"]
    ]
    sheet.table(columns, rows)
