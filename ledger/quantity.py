"""Exact quantities: decimal numbers made from text.

A quantity in an entry is a decimal string with its digits as reported ("12.500"), never a float: the digits are
part of the record. Its unit stands in the field's name (`mass_kg`) or in a `unit` field beside it.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

# Twelve digits on either side: a site's yearly mass in milligrams fits, an assay in parts per trillion too.
_PLAIN_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,12})?")


def parse_decimal(text: object) -> Decimal:
    """The number that `text` spells, digits kept.

    Raises: ValueError unless text is a string in plain decimal notation: optional minus, no plus, no exponent,
    no leading zeros, at most 12 digits before and after the point, and not minus zero.
    """
    if not isinstance(text, str):
        raise ValueError('a decimal number as text, such as "12.500" (in quotes, not a JSON number)')
    if not _PLAIN_DECIMAL.fullmatch(text) or (text.startswith("-") and not text.strip("-0.")):
        raise ValueError(
            'a plain decimal number such as "12.500": at most 12 digits on either side of the point, no exponent'
        )
    return Decimal(text)


def format_decimal(number: Decimal) -> str:
    """`number` in plain notation, every digit kept: parse_decimal(format_decimal(x)) == x, digits included."""
    return format(number, "f")


def _from_input(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else parse_decimal(value)


def _not_negative(number: Decimal) -> Decimal:
    if number < 0:
        raise ValueError("a number that is zero or more")
    return number


def _above_zero(number: Decimal) -> Decimal:
    if number <= 0:
        raise ValueError("a number above zero")
    return number


def _percent(number: Decimal) -> Decimal:
    if not 0 <= number <= 100:
        raise ValueError("a percentage from 0 to 100")
    return number


Exact = Annotated[Decimal, BeforeValidator(_from_input), PlainSerializer(format_decimal, return_type=str)]
"""A decimal number, any sign; text in JSON."""

NotNegative = Annotated[Exact, AfterValidator(_not_negative)]
AboveZero = Annotated[Exact, AfterValidator(_above_zero)]
Percent = Annotated[Exact, AfterValidator(_percent)]


def round_fraction(number: Fraction, places: int) -> Decimal:
    """`number` rounded half to even to `places` decimal places: the one rounding, where a result is stated."""
    scaled = number * 10**places
    whole, rest = divmod(scaled.numerator, scaled.denominator)
    twice = 2 * rest
    if twice > scaled.denominator or (twice == scaled.denominator and whole % 2):
        whole += 1
    return Decimal(whole).scaleb(-places)


def round_decimal(number: Decimal, places: int) -> Decimal:
    """`number` rounded half to even to `places` decimal places."""
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)


def apportion(total: Decimal, parts: list[Fraction]) -> list[Decimal]:
    """`parts` rounded to the digits of `total` so that they add up to it exactly.

    total: the rounded sum of parts. Each part is rounded down; the units left over go one each to the parts with the
    largest remainders, the earlier part first among equals (largest-remainder method).
    Raises: ValueError if the parts do not round to total.
    """
    exponent = total.as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    scale = 10**places
    floors = [(part * scale).__floor__() for part in parts]
    left = int(total * scale) - sum(floors)
    if not 0 <= left <= len(parts):
        raise ValueError(f"parts add up to {float(sum(parts, Fraction(0)))}, not to {total}")
    by_remainder = sorted(range(len(parts)), key=lambda i: (floors[i] - parts[i] * scale, i))
    for i in by_remainder[:left]:
        floors[i] += 1
    return [Decimal(units).scaleb(-places) for units in floors]
