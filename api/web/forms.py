"""From what was typed on a form to the body of an entry, and from a problem with the body back to the field.

Pure. Nothing is judged here but a comma: the types of `ledger.material.entries` and the rules of the plant judge the
rest, for forms and programs alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ledger.errors import Problem
from ledger.material.entries import STAGES
from ledger.quantity import format_decimal, parse_decimal

# "1,234" and "12,500": a weight with a decimal comma, or thousands. Who guesses wrong is wrong by a factor of thousand.
_TWO_READINGS = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
_DECIMAL_COMMA = re.compile(r"-?[0-9]+,[0-9]+")


def plain_number(typed: str) -> str:
    """`typed` with a decimal comma turned into a point: "12,5" -> "12.5", "0,125" -> "0.125".

    What could as well be thousands ("1,234") stays as it is, and is then refused with a message that asks.
    """
    text = typed.strip()
    if _DECIMAL_COMMA.fullmatch(text) and not _TWO_READINGS.fullmatch(text):
        return text.replace(",", ".")
    return text


def two_readings(typed: str) -> str | None:
    """The message for a number that can be read in two ways; None if it cannot."""
    text = typed.strip()
    if not _TWO_READINGS.fullmatch(text):
        return None
    return f"Is this {text.replace(',', '')} or {text.replace(',', '.')}? Write it without a comma."


@dataclass
class Reading:
    """A body as far as it was read, and which field each of its places came from.

    fields: JSON pointer into the body -> name of the form's field.
    """

    body: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)

    def field_of(self, pointer: str) -> str:
        """The field that a problem at `pointer` belongs beside: its own, else that of what contains it, else ""."""
        while pointer and pointer not in self.fields:
            pointer = pointer.rpartition("/")[0]
        return self.fields.get(pointer, "")


def receipt_reading(form: Mapping[str, str]) -> Reading:
    """A receipt's body. An empty field is left out."""
    reading = Reading()
    for name in ("batch_id", "site_id", "supplier_id", "supplier_lot", "description", "form", "consumer_class"):
        _put(reading, reading.body, "", name, name, form)
    _put(reading, reading.body, "", "received_on", "received_on", form)
    for name in ("gross_kg", "tare_kg", "moisture_percent", "dry_mass_kg", "scale_uncertainty_kg"):
        _put(reading, reading.body, "", name, name, form, number=True)
    _put(reading, reading.body, "", "country_of_dispatch", "country_of_dispatch", form, upper=True)
    _read_origin(reading, form)
    _read_activity(reading, form)
    return reading


def step_reading(form: Mapping[str, str]) -> Reading:
    """A process step's body. A row in which nothing was typed is left out."""
    reading = Reading(body={"inputs": [], "outputs": []})
    for name in ("step_id", "process", "performed_on"):
        _put(reading, reading.body, "", name, name, form)
    reading.fields |= {"/inputs": "inputs-0-batch_id", "/outputs": "outputs-0-batch_id"}
    for index in _rows(form, "inputs", ("batch_id", "amount")):
        _read_input(reading, form, index)
    for index in _rows(
        form, "outputs", ("batch_id", "product", "amount", "carries", "price_usd_per_kg", "price_source")
    ):
        _read_output(reading, form, index)
    for index in _rows(form, "residues", ("description", "mass_kg")):
        row, at = _new_row(reading, "residues", f"residues-{index}-description")
        _put(reading, row, at, "description", f"residues-{index}-description", form)
        _put(reading, row, at, "mass_kg", f"residues-{index}-mass_kg", form, number=True)
    _read_activity(reading, form)
    for index in _rows(form, "direct", ("mass_kg", "description")):
        row, at = _new_row(reading, "direct", f"direct-{index}-mass_kg")
        _put(reading, row, at, "gas", f"direct-{index}-gas", form)
        _put(reading, row, at, "mass_kg", f"direct-{index}-mass_kg", form, number=True)
        _put(reading, row, at, "description", f"direct-{index}-description", form)
    return reading


def row_count(form: Mapping[str, str], kind: str) -> int:
    """How many rows of a kind the form had, empty ones included."""
    return 1 + max(
        (int(match[1]) for name in form if (match := re.fullmatch(rf"{kind}-(\d{{1,3}})-\w+", name))), default=-1
    )


def messages(reading: Reading, form: Mapping[str, str], problems: Iterable[Problem]) -> dict[str, str]:
    """Field -> what is wrong with it; "" holds what belongs to no field."""
    found: dict[str, list[str]] = {}
    problems = list(problems)
    for problem in problems:
        # A list whose rows are wrong is itself reported, as too short; the rows say enough.
        if problem.field and any(other.field.startswith(f"{problem.field}/") for other in problems):
            continue
        name = reading.field_of(problem.field)
        name = name or _FIELD_OF_RULE.get(problem.expected, "")
        ambiguous = two_readings(form.get(name, "")) if name else None
        found.setdefault(name, []).append(ambiguous or _words(problem))
    return {name: " ".join(dict.fromkeys(texts)) for name, texts in found.items()}


_PLAIN_WORDS: Mapping[str, str] = {
    "this field": "This is needed.",
    "Tuple should have at least 1 item after validation, not 0": "At least one is needed.",
    "exactly one of mass_kg, volume_l, whole (true)": (
        "Enter how much was taken, or choose “all of it” and leave the amount empty."
    ),
    "dry_mass_kg, or gross_kg with tare_kg and moisture_percent": (
        "Enter gross, tare and moisture, or the dry mass alone."
    ),
    "dry_mass_kg, or gross_kg with tare_kg and moisture_percent, not both": (
        "Enter gross, tare and moisture, or the dry mass alone, not both."
    ),
    "text of the form ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": (
        "Use letters, digits, dots, dashes and underscores; no spaces."
    ),
    "text of the form ^[A-Z]{2}$": "Use the country’s two letters, such as GB or DE.",
    "text of the form ^[A-Z][a-z]?$": "Use element symbols, such as Nd Pr.",
}
"""What the types expect -> the same for somebody at the scales. Anything else is shown as the types say it."""

_FIELD_OF_RULE: Mapping[str, str] = {
    "dry_mass_kg, or gross_kg with tare_kg and moisture_percent": "gross_kg",
    "dry_mass_kg, or gross_kg with tare_kg and moisture_percent, not both": "dry_mass_kg",
    "gross_kg above tare_kg and moisture_percent below 100: a dry mass above zero": "gross_kg",
}
"""Rules about several fields of a receipt -> the field that the message stands beside."""


def _words(problem: Problem) -> str:
    return _PLAIN_WORDS.get(problem.expected) or f"Expected {problem.expected}. {problem.next_step}"


def _read_input(reading: Reading, form: Mapping[str, str], index: int) -> None:
    row, at = _new_row(reading, "inputs", f"inputs-{index}-amount")
    _put(reading, row, at, "batch_id", f"inputs-{index}-batch_id", form)
    amount = f"inputs-{index}-amount"
    measure = form.get(f"inputs-{index}-measure", "")
    if measure == "whole":
        row["whole"] = True
        reading.fields[f"{at}/whole"] = amount
        # An amount typed beside "all of it" is sent too, and refused: which of the two was meant is not ours to say.
        _put(reading, row, at, "mass_kg", amount, form, number=True)
    else:
        _put(reading, row, at, "volume_l" if measure == "l" else "mass_kg", amount, form, number=True)


def _read_output(reading: Reading, form: Mapping[str, str], index: int) -> None:
    row, at = _new_row(reading, "outputs", f"outputs-{index}-batch_id")
    for name in ("batch_id", "product"):
        _put(reading, row, at, name, f"outputs-{index}-{name}", form)
    measure = "volume_l" if form.get(f"outputs-{index}-measure") == "l" else "mass_kg"
    _put(reading, row, at, measure, f"outputs-{index}-amount", form, number=True)
    _put(reading, row, at, "role", f"outputs-{index}-role", form)
    carries = f"outputs-{index}-carries"
    elements = [part for part in re.split(r"[\s,;+]+", form.get(carries, "").strip()) if part]
    if elements:
        row["carries"] = elements
        reading.fields[f"{at}/carries"] = carries
    _put(reading, row, at, "price_usd_per_kg", f"outputs-{index}-price_usd_per_kg", form, number=True)
    _put(reading, row, at, "price_source", f"outputs-{index}-price_source", form)


def _read_activity(reading: Reading, form: Mapping[str, str]) -> None:
    """Activity rows. The select's value holds activity and unit together ("electricity kWh"), so they cannot
    disagree."""
    for index in _rows(form, "activity", ("kind", "amount")):
        kind = f"activity-{index}-kind"
        row, at = _new_row(reading, "activity", kind)
        name, _, unit = form.get(kind, "").partition(" ")
        reading.fields |= {f"{at}/activity": kind, f"{at}/unit": kind}
        if name:
            row |= {"activity": name, "unit": unit}
        _put(reading, row, at, "amount", f"activity-{index}-amount", form, number=True)


def _read_origin(reading: Reading, form: Mapping[str, str]) -> None:
    """Declared countries: rows of stage, country and percent, grouped by stage; shares are of 1 in the body."""
    indices = _rows(form, "origin", ("country", "percent"))
    if not indices and not form.get("evidence", "").strip():
        return
    origin: dict[str, Any] = {}
    reading.body["origin"] = origin
    reading.fields["/origin"] = "evidence"
    _put(reading, origin, "/origin", "evidence", "evidence", form)
    for index in indices:
        stage = form.get(f"origin-{index}-stage", "")
        # Our own page sends none but these; what another sends is refused with the rest.
        stage = stage if stage in STAGES else "unknown_stage"
        shares = origin.setdefault(stage, [])
        at = f"/origin/{stage}/{len(shares)}"
        share: dict[str, Any] = {}
        shares.append(share)
        reading.fields.setdefault(f"/origin/{stage}", f"origin-{index}-country")
        reading.fields[at] = f"origin-{index}-country"
        _put(reading, share, at, "country", f"origin-{index}-country", form, upper=True)
        _put(reading, share, at, "share", f"origin-{index}-percent", form, number=True)
        if "share" in share:
            share["share"] = _share_of(share["share"])


def _share_of(percent: str) -> str:
    """A percentage as a share of 1, exactly; what is no number stays as typed and is refused later."""
    try:
        return format_decimal((parse_decimal(percent) / Decimal(100)).normalize())
    except ValueError:
        return percent


def _rows(form: Mapping[str, str], kind: str, typed: tuple[str, ...]) -> list[int]:
    """Indices of the rows of a kind in which something was typed, in order."""
    return [
        index
        for index in range(row_count(form, kind))
        if any(form.get(f"{kind}-{index}-{name}", "").strip() for name in typed)
    ]


def _new_row(reading: Reading, kind: str, field_name: str) -> tuple[dict[str, Any], str]:
    """A new row of the body's list `kind`, and its pointer."""
    rows = reading.body.setdefault(kind, [])
    row: dict[str, Any] = {}
    rows.append(row)
    at = f"/{kind}/{len(rows) - 1}"
    reading.fields[at] = field_name
    return row, at


def _put(
    reading: Reading,
    target: dict[str, Any],
    at: str,
    name: str,
    field_name: str,
    form: Mapping[str, str],
    *,
    number: bool = False,
    upper: bool = False,
) -> None:
    """Take a field into `target` under `name`, unless it is empty; remember where it came from either way."""
    reading.fields[f"{at}/{name}"] = field_name
    text = form.get(field_name, "").strip()
    if text:
        target[name] = plain_number(text) if number else text.upper() if upper else text
