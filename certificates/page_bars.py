"""Bars that show shares of a whole, to scale, with the words beside them; colour is never the only sign.

The segments stand in the bar in the order of the words. What is unknown or lost is hatched, not left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from certificates.page_items import (
    GREEN,
    GREEN_PALE,
    INK,
    MUTED,
    SMALL,
    WHITE,
    Block,
    Box,
    Colour,
    Item,
    Line,
    beside,
    paragraph,
)


class Paint(Enum):
    """How a segment is filled. HATCHED is for what is not known or not accounted for."""

    FULL = GREEN
    HALF = "#5FA287"
    PALE = GREEN_PALE
    DARK = INK
    HATCHED = WHITE


CLASSES = {
    "post-consumer": ("waste after use", Paint.FULL),
    "pre-consumer": ("waste before use", Paint.HALF),
    "primary": ("mined, never waste", Paint.DARK),
    "internal": ("a stream of the plant's own", Paint.PALE),
}
"""The consumer classes of lots: what they mean, and how they are painted on every page."""


@dataclass(frozen=True)
class Segment:
    """One share. amount: in the same unit for the whole bar, zero or more."""

    label: str
    amount: Decimal
    paint: Paint


def share_bar(segments: Sequence[Segment], width: float, height: float, whole: Decimal | None = None) -> Block:
    """Segments end to end, to scale. whole: what the full width stands for; their sum if not given."""
    total = sum((segment.amount for segment in segments), Decimal(0)) if whole is None else whole
    items: list[Item] = []
    x = 0.0
    for segment in segments:
        if total <= 0 or segment.amount <= 0:
            continue
        length = min(float(segment.amount / total) * width, width - x)
        items += painted(x, 0, length, height, segment.paint)
        x += length
    items.append(Box(0, 0, width, height, stroke=MUTED, line_width=0.4))
    return Block(tuple(items), height)


def painted(x: float, y: float, width: float, height: float, paint: Paint) -> list[Item]:
    """A rectangle in that paint."""
    items: list[Item] = [Box(x, y, width, height, fill=paint.value)]
    if paint is Paint.HATCHED:
        items += hatching(x, y, width, height, MUTED)
    return items


def hatching(x: float, y: float, width: float, height: float, colour: Colour, step: float = 3.2) -> list[Item]:
    """Slanted lines that fill a rectangle, cut at its edges."""
    items: list[Item] = []
    offset = step / 2
    # The line of each offset runs from (x + offset, y) down to the left by 45 degrees.
    while offset < width + height:
        x1, y1 = (offset, 0.0) if offset <= width else (width, offset - width)
        x2, y2 = (0.0, offset) if offset <= height else (offset - height, height)
        items.append(Line(x + x1, y + y1, x + x2, y + y2, colour, 0.5))
        offset += step
    return items


def labelled_bar(
    label: str, segments: Sequence[Segment], words: str, width: float, label_width: float, bar_width: float
) -> Block:
    """A row: what it is about, its bar, and every share in words."""
    bar = share_bar(segments, bar_width, 6.5)
    start = label_width + bar_width + 8
    return beside(
        (0, paragraph(label, SMALL, label_width - 4)),
        (label_width, Block(tuple(bar.at(0, 1.6)), 9.5)),
        (start, paragraph(words, SMALL, width - start)),
    )


def interval_bar(low: Decimal, value: Decimal, high: Decimal, width: float) -> Block:
    """An interval on a line that begins at zero, the value marked; the line ends a little beyond the interval."""
    end = max(high, value) * Decimal("1.08")
    scale = width / float(end) if end > 0 else 0.0
    x1, x, x2 = float(low) * scale, float(value) * scale, float(high) * scale
    y = 4.0
    items: list[Item] = [
        Line(0, y, width, y, MUTED, 0.4),
        Line(0, y - 2, 0, y + 2, MUTED, 0.4),
        Box(x1, y - 2.2, max(x2 - x1, 0.3), 4.4, fill=GREEN_PALE),
        Line(x1, y - 3.2, x1, y + 3.2, GREEN, 0.8),
        Line(x2, y - 3.2, x2, y + 3.2, GREEN, 0.8),
        Box(x - 1.3, y - 3.6, 2.6, 7.2, fill=GREEN),
    ]
    return Block(tuple(items), 8.0)
