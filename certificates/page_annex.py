"""The annexes: every line and factor of a footprint, and every step of a batch's history."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from certificates.page_flow import Cell, Column, Sheet
from certificates.page_items import CODE_SMALL, NOTE, SMALL
from certificates.page_parts import formula, number
from ledger.log.canonical import canonical_bytes


def annex_lines(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """Every line of the footprint, with the sum that is the headline."""
    columns = [
        Column("Entry", align="right"),
        Column("Source", share=0.9),
        Column("Activity and factor", share=1.2),
        Column("Amount", align="right"),
        Column("kg CO₂e per unit", align="right"),
        Column("kg CO₂e", align="right"),
        Column("Share", align="right"),
        Column("kg CO₂e of this batch", align="right"),
    ]
    labels = {spot["activity"]: spot["label"] for spot in content["hot_spots"]}
    rows = []
    before: tuple[Any, ...] = ()
    for line in content["lines"]:
        # The process is named once for the lines of one entry, the activity once for its factors.
        here = (line["seq"], line["source_id"], line["process"], line["activity"])
        factor = line.get("factor_id") or "no factor: its GWP"
        activity = Cell(labels.get(line["activity"], line["activity"]), note=factor)
        rows.append(
            (
                str(line["seq"]),
                Cell(line["source_id"], note="" if here[:3] == before[:3] else line["process"]),
                Cell(factor, style=NOTE) if here == before else activity,
                f"{number(line['amount'])} {line['unit']}",
                number(line["kg_co2e_per_unit"]),
                number(line["kg_co2e"]),
                share_text(line["share"]),
                number(line["allocated_kg_co2e"]),
            )
        )
        before = here
    result = content["result"]
    total = ("", "Sum", "", "", "", number(result["system_kg_co2e"]), "", number(result["total_kg_co2e"]))
    sheet.table(
        "Annex A: every line",
        "A line is an amount from a log entry times a factor; the share is what the chosen allocation gives this "
        "batch.",
        columns,
        rows,
        total,
    )


def share_text(share: str) -> str:
    """A share of one with the digits that it has, zeros at the end left out."""
    return share.rstrip("0").rstrip(".") if "." in share else share


def annex_factors(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """The emission factors as they were used, with source and hash; each source is written out once."""
    sources: dict[str, int] = {}
    columns = [
        Column("Factor", share=1.0),
        Column("kg CO₂e", align="right"),
        Column("per"),
        Column("GWP set"),
        Column("Region"),
        Column("Valid"),
        Column("Source"),
        Column("SHA-256", style=CODE_SMALL),
    ]
    rows = []
    for record in content["factors"]:
        place = sources.setdefault(_source(record), len(sources) + 1)
        row = record.get("source_row")
        rows.append(
            (
                Cell(record["factor_id"], note="" if record["state"] == "adopted" else f"{record['state']}: not final"),
                number(record["kg_co2e"]),
                record["unit"],
                record["gwp_set"],
                record["region"],
                _validity(record),
                f"[{place}]" + (f" row {row}" if row and row != "none" else ""),
                sha256(canonical_bytes(record)).hexdigest()[:16],
            )
        )
    sheet.table(
        "Annex B: emission factors",
        "As used; whole records in certificate.json. The hash is the first part of each record's SHA-256, as adopted "
        "in the log.",
        columns,
        rows,
    )
    sheet.gap(5)
    for source, place in sources.items():
        sheet.text(f"[{place}] {source}", SMALL)


def _source(record: Mapping[str, Any]) -> str:
    licence = record.get("licence")
    return str(record["source"]) + (f". Licence: {licence}" if licence else "")


def _validity(record: Mapping[str, Any]) -> str:
    start, end = record.get("valid_from"), record.get("valid_to")
    if start and end:
        whole_year = start[:4] == end[:4] and start[4:] == "-01-01" and end[4:] == "-12-31"
        return str(start[:4]) if whole_year else f"{start} to {end}"
    if start:
        return f"from {start}"
    return f"to {end}" if end else "not stated"


def annex_constants(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """The atomic masses that turn oxides into elements."""
    constants = content["constants"]
    masses = ", ".join(f"{symbol.capitalize()} {mass}" for symbol, mass in sorted(constants["atomic_masses"].items()))
    sheet.gap(8)
    sheet.text(f"Atomic masses used: {masses}. Source: {constants['source']}.", SMALL)


def annex_steps(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """Every step from the lots to the batch."""
    columns = [
        Column("Entry", align="right"),
        Column("Step", share=1.0),
        Column("Date"),
        Column("In", share=1.1),
        Column("Out", share=1.2),
        Column("Residues", share=0.8),
    ]
    rows = []
    for step in content["steps"]:
        into = "; ".join(_stream(item, "whole") for item in step["inputs"])
        out = "; ".join(_stream(item, "not measured") for item in step["outputs"])
        residues = "; ".join(f"{item['description']} {number(item['mass_kg'])} kg" for item in step["residues"])
        rows.append(
            (
                str(step["seq"]),
                Cell(step["step_id"], note=step["process"]),
                step["on"],
                into,
                out,
                residues or "none logged",
            )
        )
    sheet.table("Annex: every step", "In log order, amounts as weighed or metered.", columns, rows)


def _stream(item: Mapping[str, Any], without_amount: str) -> str:
    name = str(item["batch_id"])
    if item.get("product"):
        name += f" ({formula(item['product'])})"
    if item.get("amount"):
        return f"{name} {number(item['amount'])} {item.get('unit', '')}".rstrip()
    return f"{name}, {without_amount}"
