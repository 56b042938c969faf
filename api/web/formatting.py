"""How values are written on a page. Digits are never dropped here unless a filter's name says how many stay."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ledger.quantity import format_decimal, round_decimal

NARROW_SPACE = "\u202f"
"""Between groups of three digits: cannot be taken for a decimal point or comma, whoever reads it."""

MINUS = "\u2212"


def figure(value: object) -> str:
    """A decimal number with its digits as they are: 1234.50 -> "1 234.50"."""
    text = format_decimal(value) if isinstance(value, Decimal) else str(value)
    sign, digits = (MINUS, text[1:]) if text.startswith("-") else ("", text)
    whole, point, rest = digits.partition(".")
    return sign + re.sub(r"(?<=\d)(?=(\d{3})+$)", NARROW_SPACE, whole) + point + rest


def rounded(value: object, places: int) -> str:
    """A decimal number rounded half to even to `places` places."""
    return figure(round_decimal(Decimal(str(value)), places))


def short_hash(text: str) -> str:
    """The start of a hash, for reading aloud."""
    return text[:12]


OUTCOMES: Mapping[str, tuple[str, str]] = {
    "passed": ("is-good", "Passed"),
    "failed": ("is-bad", "Failed"),
    "not checked": ("is-unknown", "Not checked"),
}
"""Outcome of a check -> its colour class and its word. The word is always shown: colour alone says nothing."""


def outcome_class(outcome: object) -> str:
    """Colour class of an outcome; one that is not known is never green."""
    return OUTCOMES.get(str(outcome), ("is-unknown", ""))[0]


def outcome_word(outcome: object) -> str:
    """The word for an outcome."""
    return OUTCOMES.get(str(outcome), ("", str(outcome)))[1]


STATUS_CLASSES: Mapping[str, str] = {"in stock": "is-good", "part drawn": "is-warn"}


def status_class(status: str) -> str:
    """Colour class of a batch's status."""
    return STATUS_CLASSES.get(status, "")


def size_words(batch: Mapping[str, Any]) -> str:
    """A batch's size with its unit."""
    return _measured(batch["mass_kg"] if batch["mass_kg"] is not None else batch["volume_l"], batch)


def left_words(batch: Mapping[str, Any]) -> str:
    """What is left of a batch, with its unit."""
    if batch["mass_kg"] is None and batch["volume_l"] is None:
        return "nothing" if batch["status"] == "consumed" else "all of it"
    return _measured(batch["remaining"], batch)


def _measured(amount: str | None, batch: Mapping[str, Any]) -> str:
    if amount is None:
        return "not measured"
    return f"{figure(amount)} {'kg' if batch['mass_kg'] is not None else 'L'}"


CERTIFICATE_KINDS: Mapping[str, str] = {"co2": "CO₂ certificate", "provenance": "Provenance certificate"}


def certificate_kind(kind: object) -> str:
    """A kind of certificate in words."""
    return CERTIFICATE_KINDS.get(str(kind), str(kind))


def certificate_class(status: str) -> str:
    """Colour class of a certificate's status in the log."""
    return {"valid": "is-good", "superseded": "is-warn", "revoked": "is-bad"}.get(status, "")


def balance_class(verdict: str) -> str:
    """Colour class of a balance's verdict: green for one that closes, none for one that nobody measured."""
    return {"closed": "is-good", "not measured": ""}.get(verdict, "is-warn")


def list_pair(word: str) -> tuple[str, str]:
    """An option of a list whose value is its own label."""
    return word, word.capitalize()


FILTERS: dict[str, Callable[..., Any]] = {
    "figure": figure,
    "size_words": size_words,
    "left_words": left_words,
    "certificate_kind": certificate_kind,
    "certificate_class": certificate_class,
    "balance_class": balance_class,
    "list_pair": list_pair,
    "rounded": rounded,
    "short_hash": short_hash,
    "outcome_class": outcome_class,
    "outcome_word": outcome_word,
    "status_class": status_class,
}
