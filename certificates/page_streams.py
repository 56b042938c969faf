"""The drawing of the rare earths' way from the lots down to the batch, every width to one scale.

Rows go down, one for each stage: words at the left, bars and ribbons in the middle, what leaves the way at the right.
So no word ever lies on a ribbon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from certificates.page_bars import CLASSES, Paint, painted
from certificates.page_flow import WIDTH
from certificates.page_items import (
    GREEN,
    INK,
    MUTED,
    NOTE,
    RULE,
    SMALL,
    SMALL_STRONG,
    WHITE,
    Block,
    Box,
    Item,
    Line,
    Shape,
    Style,
    Text,
    paragraph,
    printable,
    shortened,
    stacked,
    wrap,
)
from certificates.page_parts import formula
from certificates.streams import Exit, Node, Stream, StreamMap, map_streams

LARGEST_HEIGHT = 640.0
"""A way with so many stages that its drawing is higher is told in the annex alone."""

MOST_STRETCH = 16.0
"""By how much a row may be made higher to fill the page."""

_WORDS_WIDTH = 128.0
_EXIT_WIDTH = 132.0
_LEFT = _WORDS_WIDTH + 8
_ROOM = WIDTH - _LEFT - _EXIT_WIDTH - 10
_BAR_HEIGHT = 10.0
_BAR_GAP = 7.0
_EXIT_STEP = 10.5
_RIBBON = "#DDEBE3"
_RIBBON_EDGE = "#B7D2C5"
_IN_BAR = Style(SMALL_STRONG.font, 6.2, 8, WHITE)
_ABOVE_BAR = Style(SMALL.font, 6.5, 8)
_LEAST_WIDTH = 0.35
"""A stream too thin to be seen is drawn as a line of this width."""


@dataclass
class _Bar:
    """A node's bar, or the room of a stream that passes a row. used_*: how much of its edge has ribbons already."""

    x: float
    width: float
    used_above: float = 0.0
    used_below: float = 0.0


def streams_drawing(content: Mapping[str, Any], height: float) -> Block | None:
    """The drawing, as wide as the text area, stretched towards `height`.

    Returns: None where the content does not allow it (see `map_streams`) or the way is too long for a page.
    """
    streams = map_streams(content)
    if streams is None:
        return None
    paints = {f"lot:{lot['batch_id']}": CLASSES[lot["consumer_class"]][1] for lot in content["lots"]}
    return _drawn(streams, paints, height)


def _drawn(streams: StreamMap, paints: Mapping[str, Paint], target: float) -> Block | None:
    rows = _rows(streams)
    words = [_row_words(row, index) for index, row in enumerate(rows)]
    tops = _tops(rows, words)
    height = tops[-1] + max(_BAR_HEIGHT, words[-1].height)
    if height > LARGEST_HEIGHT:
        return None
    stretch = min(max((target - height) / (len(rows) - 1), 0.0), MOST_STRETCH)
    tops = [top + index * stretch for index, top in enumerate(tops)]
    height += (len(rows) - 1) * stretch
    scale = _scale(rows)
    bars = _placed(rows, streams, scale)
    level_of = {node.key: index for index, row in enumerate(rows) for node in row}
    ribbons: list[Item] = []
    for stream in streams.streams:
        ribbons += _ribbon(stream, bars, tops, level_of, scale)
    items = ribbons
    for index, row in enumerate(rows):
        y = tops[index]
        items += words[index].at(0, y - 0.5)
        for node in row:
            bar = bars[node.key, index]
            free = 0.0
            if node.kind == "lot" and index == 0:
                free = bar.width + _gap(row) - 3 if node is not row[-1] else WIDTH - bar.x
            items += _bar_items(node, bar, paints.get(node.key), y, free)
        items += _exits(row, bars, index, y, scale)
    return Block(tuple(items), height)


def _rows(streams: StreamMap) -> list[list[Node]]:
    """The nodes row by row, ordered within a row by where their streams come from, so that few ribbons cross."""
    count = max(node.level for node in streams.nodes) + 1
    rows: list[list[Node]] = [[] for _ in range(count)]
    for node in streams.nodes:
        rows[node.level].append(node)
    place: dict[str, float] = {}
    for row in rows:

        def mean_place(node: Node) -> float:
            sources = [place[stream.source] for stream in streams.streams if stream.target == node.key]
            return sum(sources) / len(sources) if sources else float("inf")

        keys = {node.key: mean_place(node) for node in row}
        row.sort(key=lambda node: keys[node.key])
        for index, node in enumerate(row):
            place[node.key] = float(index)
    return rows


def _scale(rows: Sequence[Sequence[Node]]) -> float:
    """Points per kg with which the widest row just fits beside its gaps."""
    scales = []
    for row in rows:
        total = float(sum((node.size_kg for node in row), Decimal(0)))
        scales.append((_ROOM - _gap(row) * len(row)) / total)
    return min(scales)


def _gap(row: Sequence[Node]) -> float:
    """Between the bars of a row; all of them together leave most of the room to the bars."""
    return min(_BAR_GAP, 0.3 * _ROOM / len(row))


def _width(amount_kg: Decimal, scale: float) -> float:
    return max(float(amount_kg) * scale, _LEAST_WIDTH)


def _placed(rows: Sequence[Sequence[Node]], streams: StreamMap, scale: float) -> dict[tuple[str, int], _Bar]:
    """Every bar by node and row, and by stream and row the room of a stream that passes a row without stopping."""
    level_of = {node.key: index for index, row in enumerate(rows) for node in row}
    bars: dict[tuple[str, int], _Bar] = {}
    for index, row in enumerate(rows):
        x = _LEFT
        for node in row:
            width = _width(node.size_kg, scale)
            bars[node.key, index] = _Bar(x, width)
            x += width + _gap(row)
        for stream in streams.streams:
            if level_of[stream.source] < index < level_of[stream.target]:
                width = _width(stream.amount_kg, scale)
                bars[_passing(stream), index] = _Bar(x, width)
                x += width + _gap(row)
    return bars


def _passing(stream: Stream) -> str:
    return f"{stream.source}>{stream.target}"


def _row_words(row: Sequence[Node], index: int) -> Block:
    """The words at the left of a row. Lots of the first row have their names above their bars."""
    parts: list[Block | float] = []
    lots = [node for node in row if node.kind == "lot"]
    if lots and index == 0:
        noun = "Lot" if len(lots) == 1 else f"{len(lots)} lots"
        parts.append(_named(noun, _kg(sum((node.size_kg for node in lots), Decimal(0))), SMALL_STRONG))
    for node in row:
        if node.kind == "step":
            parts.append(_named(node.name, node.words, SMALL_STRONG))
        elif node.kind == "batch":
            parts.append(_named("This batch", _kg(node.size_kg), SMALL_STRONG.in_colour(GREEN)))
        elif index > 0:
            parts.append(_named(node.name, f"lot, {_kg(node.size_kg)}", SMALL_STRONG))
    return stacked(*parts)


def _named(name: str, words: str, style: Style) -> Block:
    """A strong name and the words after it, on two lines at most; more ends in dots and is whole in the annex."""
    name = shortened(name, style, _WORDS_WIDTH * 0.75)
    start = style.width(name) + 4
    words = " ".join(printable(words, NOTE.font).split())
    first = wrap(words, NOTE, _WORDS_WIDTH - start)[0]
    rest = words[len(first) :].strip()
    head = Block(
        (*paragraph(name, style, _WORDS_WIDTH).items, *paragraph(first, NOTE, _WORDS_WIDTH).at(start, 0)), NOTE.leading
    )
    return stacked(head, paragraph(shortened(rest, NOTE, _WORDS_WIDTH), NOTE, _WORDS_WIDTH)) if rest else head


def _tops(rows: Sequence[Sequence[Node]], words: Sequence[Block]) -> list[float]:
    """Where each row's bars begin: below the row above with its words and exits."""
    tops = [11.0]
    for row, block in zip(rows[:-1], words[:-1], strict=True):
        exits = sum(len(node.exits) + (node.gain_kg > 0) for node in row)
        needed = max(block.height + 6, _BAR_HEIGHT + 22, _BAR_HEIGHT + exits * _EXIT_STEP + 12)
        tops.append(tops[-1] + needed)
    return tops


def _ribbon(
    stream: Stream,
    bars: Mapping[tuple[str, int], _Bar],
    tops: Sequence[float],
    level_of: Mapping[str, int],
    scale: float,
) -> list[Item]:
    """The stream's ribbon, row by row."""
    items: list[Item] = []
    width = _width(stream.amount_kg, scale)
    first, last = level_of[stream.source], level_of[stream.target]
    for row in range(first, last):
        upper = bars[stream.source if row == first else _passing(stream), row]
        lower = bars[stream.target if row + 1 == last else _passing(stream), row + 1]
        x1, x2 = upper.x + upper.used_below, lower.x + lower.used_above
        upper.used_below += width
        lower.used_above += width
        y1, y2 = tops[row] + _BAR_HEIGHT, tops[row + 1]
        middle = (y1 + y2) / 2
        outline = (
            (x1, y1),
            (x1, middle), (x2, middle), (x2, y2),
            (x2, y2), (x2 + width, y2), (x2 + width, y2),
            (x2 + width, middle), (x1 + width, middle), (x1 + width, y1),
        )  # fmt: skip
        items.append(Shape(outline, fill=_RIBBON, stroke=_RIBBON_EDGE, line_width=0.3, curved=True))
        if row + 1 < last:  # passes the next row: no bar there, so the ribbon goes straight on
            items.append(Box(x2, y2, width, _BAR_HEIGHT, fill=_RIBBON))
    return items


def _bar_items(node: Node, bar: _Bar, paint: Paint | None, y: float, free: float) -> list[Item]:
    """A bar with its name in it; the name of a lot of the first row stands above.

    paint: of a lot, by its class. free: room to the right for the name above.
    """
    items: list[Item] = [Box(bar.x, y, bar.width, _BAR_HEIGHT, fill=INK if node.kind == "step" else GREEN)]
    if paint is not None:
        items = painted(bar.x, y, bar.width, _BAR_HEIGHT, paint)
    name = printable(node.name, _IN_BAR.font)
    if free > 0:
        for text in (f"{name}  {_kg(node.size_kg)}", name):
            if _ABOVE_BAR.width(text) <= free:
                return [*items, Text(bar.x, y - 3, text, _ABOVE_BAR)]
    if paint is None and _IN_BAR.width(name) <= bar.width - 5:
        items.append(Text(bar.x + 2.5, y + 7.2, name, _IN_BAR))
    return items


def _exits(row: Sequence[Node], bars: Mapping[tuple[str, int], _Bar], level: int, y: float, scale: float) -> list[Item]:
    """What leaves in this row: stubs down from the bars' right ends, each with a line to its words at the right.

    The stub furthest right is the shortest, so that no line crosses a stub.
    """
    items: list[Item] = []
    count = 0
    words_x = WIDTH - _EXIT_WIDTH
    for node in reversed(row):
        bar = bars[node.key, level]
        end = bar.x + bar.width
        for leaving in reversed(node.exits):
            width = _width(leaving.amount_kg, scale)
            depth = 6.0 + count * _EXIT_STEP
            top = y + _BAR_HEIGHT
            items += _stub(leaving, end - width, top, width, depth)
            line = top + depth - 1.5
            items.append(Line(end, line, words_x - 3, line, RULE, 0.5))
            items += _exit_words(f"{_kg(leaving.amount_kg)} {leaving.label}", words_x, line + 2.4)
            end -= width
            count += 1
        if node.gain_kg > 0:
            line = y + _BAR_HEIGHT + 4.5 + count * _EXIT_STEP
            items.append(Line(bar.x + bar.width, line, words_x - 3, line, RULE, 0.5))
            items += _exit_words(f"{_kg(node.gain_kg)} more out than in, by assay", words_x, line + 2.4)
            count += 1
    return items


def _exit_words(text: str, x: float, baseline: float) -> list[Item]:
    """One line of words; what is longer ends in dots and is whole in the annex."""
    return [Text(x, baseline, shortened(formula(text), SMALL, _EXIT_WIDTH), SMALL)]


def _stub(leaving: Exit, x: float, y: float, width: float, depth: float) -> list[Item]:
    if leaving.kind == "unaccounted":
        outline = Box(x, y, width, depth, stroke=MUTED, line_width=0.4)
        return [*painted(x, y, width, depth, Paint.HATCHED), outline]
    if leaving.kind == "residue":
        return [Box(x, y, width, depth, fill="#CFCABB")]
    return [
        Box(x, y, width, depth, fill=_RIBBON, stroke=_RIBBON_EDGE, line_width=0.3),
        Box(x, y + depth - 3, width, 3, fill=INK),
    ]


def _kg(amount: Decimal) -> str:
    return f"{amount.quantize(Decimal('0.001'))} kg"
