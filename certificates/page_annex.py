"""The annexes: every line and factor of a footprint, and every step of a batch's history."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from certificates.page_flow import WIDTH, Cell, Column, Sheet
from certificates.page_items import CODE_SMALL, SMALL
from certificates.page_parts import formula, number
from ledger.log.canonical import canonical_bytes


def annex_lines(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """Every line of the footprint, with the sum that is the headline."""
    sheet.heading(
        "Annex A: every line",
        "Each line is an amount from a log entry times a factor; the share is what the chosen allocation gives to this "
        "batch. All of it stands in certificate.json inside this file.",
    )
    columns = [
        Column("Entry", 34, "right"),
        Column("Source and process", 124),
        Column("Activity", 96),
        Column("Amount", 66, "right"),
        Column("kg CO₂e per unit", 54, "right"),
        Column("kg CO₂e", 58, "right"),
        Column("Share", 42, "right"),
        Column("To this batch", WIDTH - 474, "right"),
    ]
    rows = [
        (
            str(line["seq"]),
            Cell(line["source_id"], note=line["process"]),
            Cell(line["activity"], note=line.get("factor_id") or ""),
            f"{number(line['amount'])} {line['unit']}",
            number(line["kg_co2e_per_unit"]),
            number(line["kg_co2e"]),
            line["share"],
            number(line["allocated_kg_co2e"]),
        )
        for line in content["lines"]
    ]
    result = content["result"]
    total = ("", "Sum", "", "", "", number(result["system_kg_co2e"]), "", number(result["total_kg_co2e"]))
    sheet.table(columns, rows, total)


def annex_factors(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """The emission factors as they were used, with source and hash."""
    sheet.heading(
        "Annex B: emission factors",
        "As used, whole records in certificate.json. The last column begins the SHA-256 of each record, as adopted "
        "in the log.",
    )
    columns = [
        Column("Factor", 128),
        Column("kg CO₂e", 44, "right"),
        Column("per", 30),
        Column("GWP", 28),
        Column("Where, when", 62),
        Column("Source", WIDTH - 362),
        Column("SHA-256", 70, style=CODE_SMALL),
    ]
    rows = []
    for record in content["factors"]:
        until = record.get("valid_to")
        valid = str(record["valid_from"]) + (f" to {until}" if until else " on") if record.get("valid_from") else ""
        row = record.get("source_row")
        licence = record.get("licence")
        note = "; ".join(text for text in (f"row {row}" if row else "", licence or "") if text)
        state = record["state"]
        rows.append(
            (
                Cell(record["factor_id"], note="" if state == "adopted" else f"{state}, not final".upper()),
                number(record["kg_co2e"]),
                record["unit"],
                record["gwp_set"],
                Cell(record["region"], note=valid),
                Cell(record["source"], note=note),
                sha256(canonical_bytes(record)).hexdigest()[:16],
            )
        )
    sheet.table(columns, rows)


def annex_constants(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """The atomic masses that turn oxides into elements."""
    constants = content["constants"]
    masses = ", ".join(f"{item['element']} {item['mass']}" for item in constants["atomic_masses"])
    sheet.gap(8)
    sheet.text(f"Atomic masses used: {masses}. Source: {constants['source']}.", SMALL)


def annex_steps(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """Every step from the lots to the batch."""
    sheet.heading("Annex: every step", "In log order; amounts as weighed or metered. A whole stream has no amount.")
    columns = [
        Column("Entry", 34, "right"),
        Column("Step", 110),
        Column("Date", 52),
        Column("In", 118),
        Column("Out", 118),
        Column("Residues", WIDTH - 432),
    ]
    rows = []
    for step in content["steps"]:
        into = "; ".join(_stream(item) for item in step["inputs"])
        out = "; ".join(_stream(item) for item in step["outputs"])
        residues = "; ".join(f"{item['description']} {number(item['mass_kg'])} kg" for item in step["residues"])
        rows.append(
            (
                str(step["seq"]),
                Cell(step["step_id"], note=step["process"]),
                step["on"],
                into,
                out,
                residues or "none weighed",
            )
        )
    sheet.table(columns, rows)


def _stream(item: Mapping[str, Any]) -> str:
    name = str(item["batch_id"])
    if item.get("product"):
        name += f" ({formula(item['product'])})"
    if item.get("amount"):
        return f"{name} {number(item['amount'])} {item.get('unit', '')}".rstrip()
    return f"{name}, whole"
