"""What stands on every page: running head, footer and, where the certificate is provisional, the band."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from certificates.page_flow import GUTTER, MARGIN, PAGE_HEIGHT, PAGE_WIDTH, Sheet, span
from certificates.page_items import (
    BODY_STRONG,
    CODE_SMALL,
    GREEN,
    INK,
    NOTE,
    RULE,
    SMALL,
    SMALL_STRONG,
    WARNING,
    Box,
    Item,
    Line,
    Shape,
    Text,
    fitted,
    printable,
)
from certificates.page_parts import KIND_NAMES, is_provisional

BAND_HEIGHT = 24.0
"""Of the band across the top of a provisional page."""


def furnish(sheet: Sheet, content: Mapping[str, Any]) -> list[list[Item]]:
    """The sheet's pages with running head, footer and, where provisional, the band on every one of them."""
    total = len(sheet.pages)
    return [_head(content) + items + _foot(content, page, total) for page, items in enumerate(sheet.pages, 1)]


def _head(content: Mapping[str, Any]) -> list[Item]:
    provisional = is_provisional(content)
    items: list[Item] = []
    if provisional:
        items += _band()
    baseline = 50.0
    items += _magnet(MARGIN, baseline - 9.5)
    items.append(Text(MARGIN + 16, baseline, "Magnet Ledger", replace(BODY_STRONG, size=9.5)))
    right = f"{KIND_NAMES[content['kind']]}  ·  {content['batch']['batch_id']}"
    style = fitted(right, NOTE, span(8), 4.5)
    text = printable(right, style.font)
    items.append(Text(PAGE_WIDTH - MARGIN - style.width(text), baseline, text, style))
    items.append(Line(MARGIN, 58, PAGE_WIDTH - MARGIN, 58, RULE, 0.5))
    return items


def _magnet(x: float, y: float) -> list[Item]:
    """The house mark: two blocks of a chain, one pole filled, one open."""
    return [
        Box(x, y, 5, 10, fill=GREEN),
        Box(x + 6.25, y + 0.4, 4.2, 9.2, stroke=GREEN, line_width=0.8),
    ]


def _band() -> list[Item]:
    items: list[Item] = [Box(0, 0, PAGE_WIDTH, BAND_HEIGHT, fill=WARNING)]
    stripe = 9.0
    for start, end in ((0.0, MARGIN - 6), (PAGE_WIDTH - MARGIN + 6, PAGE_WIDTH)):
        x = start - BAND_HEIGHT
        while x < end:
            items += _stripe(x, stripe, start, end)
            x += 2 * stripe
    word = replace(BODY_STRONG, size=12, tracking=0.8)
    items.append(Text(MARGIN, 16.2, "PROVISIONAL", word))
    note = "Not a final certificate. Reasons on page 1."
    style = replace(SMALL, size=8)
    items.append(Text(PAGE_WIDTH - MARGIN - style.width(note), 15.5, note, style))
    return items


def _stripe(x: float, width: float, left: float, right: float) -> list[Item]:
    """One slanted stripe of the band, cut off at `left` and `right`."""

    def clamp(value: float) -> float:
        return min(max(value, left), right)

    h = BAND_HEIGHT
    # Corners of the slanted stripe: bottom from x, top from x + h. Cut with the vertical edges.
    corners = [(x, h), (x + width, h), (x + width + h, 0.0), (x + h, 0.0)]
    cut = _clip(_clip(corners, left, keep_right=True), right, keep_right=False)
    if len(cut) < 3:
        return []
    return [Shape(tuple((clamp(px), py) for px, py in cut), fill=INK)]


def _clip(points: list[tuple[float, float]], edge: float, *, keep_right: bool) -> list[tuple[float, float]]:
    """The part of a polygon on one side of the vertical line at `edge` (Sutherland and Hodgman, 1974)."""
    sign = 1 if keep_right else -1
    kept: list[tuple[float, float]] = []
    for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
        inside1, inside2 = sign * (x1 - edge) >= 0, sign * (x2 - edge) >= 0
        if inside1:
            kept.append((x1, y1))
        if inside1 != inside2:
            kept.append((edge, y1 + (y2 - y1) * (edge - x1) / (x2 - x1)))
    return kept


def _foot(content: Mapping[str, Any], page: int, total: int) -> list[Item]:
    y = PAGE_HEIGHT - 38
    items: list[Item] = [Line(MARGIN, y - 12, PAGE_WIDTH - MARGIN, y - 12, RULE, 0.5)]
    left = "A printout proves nothing: check the file."
    if is_provisional(content):
        left = "PROVISIONAL. " + left
    items.append(Text(MARGIN, y, left, NOTE))
    right = f"Page {page} of {total}"
    end = PAGE_WIDTH - MARGIN - SMALL_STRONG.width(right)
    items.append(Text(end, y, right, SMALL_STRONG))
    start = MARGIN + NOTE.width(left) + GUTTER
    name = str(content["certificate_id"])
    style = fitted(name, CODE_SMALL, end - GUTTER - start, 3.5)
    items.append(Text(end - GUTTER - style.width(name), y, name, style))
    return items
