"""The crest of a certificate: its content's fingerprint, drawn."""

from __future__ import annotations

import math
from dataclasses import replace

from certificates.page_items import CODE, Block, Colour, Item, Line, Shape, Text


def crest(digest: str, size: float, colour: Colour) -> Block:
    """The content's fingerprint as a ring: 64 rays, each as long as a hexadecimal digit of its SHA-256.

    Two contents that differ anywhere have other rings; the digits stand in the middle and, in full, on the last page.
    """
    centre = size / 2
    inner, outer = size * 0.27, size * 0.46
    items: list[Item] = []
    for index, digit in enumerate(digest):
        # Clockwise from the top.
        angle = 2 * math.pi * index / len(digest) - math.pi / 2
        reach = inner + (outer - inner) * (0.12 + 0.88 * int(digit, 16) / 15)
        items.append(
            Line(
                centre + inner * math.cos(angle),
                centre + inner * math.sin(angle),
                centre + reach * math.cos(angle),
                centre + reach * math.sin(angle),
                colour,
                1.7,
            )
        )
    items.append(_circle(centre, centre, inner - 2.2, stroke=colour, line_width=0.6))
    items.append(_circle(centre, centre, size * 0.49, stroke=colour, line_width=0.6))
    digits = replace(CODE, size=6.2, colour=colour)
    for row in range(2):
        part = digest[row * 6 : row * 6 + 6]
        items.append(Text(centre - digits.width(part) / 2, centre - 1.2 + row * 8.0, part, digits))
    return Block(tuple(items), size)


_KAPPA = 0.5522847498
"""Control point distance with which four Bezier curves make a circle."""


def _circle(x: float, y: float, r: float, *, stroke: Colour, line_width: float) -> Shape:
    k = _KAPPA * r
    points = (
        (x + r, y),
        (x + r, y + k), (x + k, y + r), (x, y + r),
        (x - k, y + r), (x - r, y + k), (x - r, y),
        (x - r, y - k), (x - k, y - r), (x, y - r),
        (x + k, y - r), (x + r, y - k), (x + r, y),
    )  # fmt: skip
    return Shape(points, stroke=stroke, line_width=line_width, curved=True)
