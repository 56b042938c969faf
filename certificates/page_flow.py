"""How blocks flow down A4 pages: the grid, page breaks, and tables whose header repeats on every page.

The page: A4 with margins of 40 pt and a grid of 12 columns. Everything between the running head and the footer is
placed by `Sheet`, which knows how much room is left; head and footer come last, when the number of pages is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from certificates.page_items import (
    BODY,
    HEADING,
    INK,
    LABEL,
    NOTE,
    RULE,
    SMALL,
    SMALL_STRONG,
    TINT,
    Block,
    Box,
    Item,
    Line,
    Style,
    beside,
    paragraph,
    printable,
    stacked,
    wrap,
)

PAGE_WIDTH = 595.28
PAGE_HEIGHT = 841.89
MARGIN = 40.0
WIDTH = PAGE_WIDTH - 2 * MARGIN
"""Of the text area."""

TOP = 69.0
BOTTOM = PAGE_HEIGHT - 57.0
"""Where blocks may start and must end; head and footer are outside."""

GUTTER = 12.0
_COLUMNS = 12
_COLUMN = (WIDTH - (_COLUMNS - 1) * GUTTER) / _COLUMNS


def span(columns: int) -> float:
    """The width of that many grid columns with the gutters between them."""
    return columns * _COLUMN + (columns - 1) * GUTTER


def column_x(column: int) -> float:
    """Where grid column `column` (0 to 11) begins, from the left margin."""
    return column * (_COLUMN + GUTTER)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    share: its part of the room that the other columns leave; 0 for a column as wide as its widest cell, within limits.
    """

    title: str
    share: float = 0.0
    align: Literal["left", "right"] = "left"
    style: Style = SMALL


@dataclass(frozen=True)
class Cell:
    """A cell that differs from its column's style, has a second line beneath, or is drawn.

    draw: makes the cell's block from the width it gets; then text and note are not used.
    """

    text: str = ""
    style: Style | None = None
    note: str = ""
    draw: Callable[[float], Block] | None = None


Row: TypeAlias = Sequence[str | Cell]

_CELL_PADDING = 4.0
_ROW_PADDING = 2.2
_MOST_LINES = 30
"""A cell with more lines is cut into several rows, so that every row fits on a page."""

_MOST_NATURAL = 0.68
"""Share of the width that columns without a share may take together; beyond it the widest are cut and break words."""


@dataclass
class Sheet:
    """Pages under construction. y: where the next block goes on the last page."""

    pages: list[list[Item]] = field(default_factory=lambda: [[]])
    y: float = TOP

    @property
    def room(self) -> float:
        """Height left on the page."""
        return BOTTOM - self.y

    def new_page(self) -> None:
        self.pages.append([])
        self.y = TOP

    def need(self, height: float) -> None:
        """Begin a new page unless `height` is left on this one (or this one is empty)."""
        if height > self.room and self.pages[-1]:
            self.new_page()

    def gap(self, height: float) -> None:
        """White space; none at the top of a page."""
        if self.pages[-1]:
            self.y += height

    def add(self, block: Block, x: float = 0.0, keep: float = 0.0) -> None:
        """`block` at `x` from the left margin, on a new page if it does not fit with `keep` beneath it."""
        self.need(block.height + keep)
        self.pages[-1].extend(block.at(MARGIN + x, self.y))
        self.y += block.height

    def fill(self, blocks: Sequence[Block], least: float, most: float) -> None:
        """Blocks down the page, the room left over shared among the gaps between them.

        As many as fit go on this page, with equal gaps of `least` to `most`; the rest flow on to the next.
        Precondition: each is no higher than a page.
        """
        fitting = 0
        height = 0.0
        while fitting < len(blocks) and height + blocks[fitting].height <= self.room:
            height += blocks[fitting].height + least
            fitting += 1
        left = self.room - (height - least)
        gap = least + (min(left / (fitting - 1), most - least) if fitting > 1 else 0.0)
        for index, block in enumerate(blocks):
            if index:
                self.gap(gap if index < fitting else least)
            self.add(block)

    def heading(self, text: str, note: str = "", keep: float = 40.0) -> None:
        """A section's heading with a rule above; never the last thing on a page."""
        self.gap(14)
        self.add(heading(text, WIDTH, note), keep=keep)

    def text(self, text: str, style: Style, label: str = "", label_width: float = 0.0) -> None:
        """A paragraph that may run over the page's end, line by line. label: words at the left of its first line."""
        width = WIDTH - label_width
        for index, line in enumerate(wrap(text, style, width)):
            block = Block(tuple(paragraph(line, style, width + 1).at(label_width, 0)), style.leading)
            if label and index == 0:
                block = beside((0, paragraph(label, LABEL, label_width - 6)), (0, block))
            self.add(block)

    def table(
        self,
        title: str,
        note: str,
        columns: Sequence[Column],
        rows: Sequence[Row],
        total: Row | None = None,
    ) -> None:
        """A section with a table. The header is repeated on each page; no page ends with heading or header alone.

        total: a last row set strong, kept with the row before it.
        """
        cells = [[_as_cell(cell) for cell in row] for row in rows]
        strong = [] if total is None else [replace(_as_cell(cell), style=SMALL_STRONG) for cell in total]
        widths = _widths(columns, [*cells, strong] if strong else cells)
        header = _header(columns, widths)
        parts = [part for row in cells for part in _split(columns, widths, row)]
        built = [_row(columns, widths, row) for row in parts]
        if strong:
            last = _row(columns, widths, strong, is_total=True)
            if built:
                built[-1] = stacked(built[-1], last)
            else:
                built.append(last)
        self.heading(title, note, keep=header.height + (built[0].height if built else 0.0))
        self.add(header)
        for row in built:
            if row.height > self.room:
                self.new_page()
                self.add(header)
            self.add(row)


def heading(text: str, width: float, note: str = "") -> Block:
    """A section's heading: rule, words, and a note beside or beneath."""
    words = paragraph(text, HEADING, width)
    rule = Block((Line(0, 0, width, 0, INK, 0.75),), 5.0)
    if not note:
        return stacked(rule, words, 4.0)
    return stacked(rule, words, paragraph(note, NOTE, width), 4.0)


def bullets(texts: Sequence[str], width: float, style: Style = BODY, mark: str = "–") -> Block:
    """A list, one mark an item."""
    indent = 10.0
    parts: list[Block | float] = []
    for text in texts:
        parts += [beside((0, paragraph(mark, style, indent)), (indent, paragraph(text, style, width - indent))), 2.0]
    return stacked(*parts[:-1])


def _as_cell(cell: str | Cell) -> Cell:
    return cell if isinstance(cell, Cell) else Cell(cell)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[float]:
    """The columns' widths, padding included; together the text area's."""
    natural = {}
    for index, column in enumerate(columns):
        if column.share:
            continue
        widest = max((LABEL.width(word) for word in column.title.split()), default=0.0)
        for row in rows:
            cell = row[index]
            style = cell.style or column.style
            widest = max(
                widest, style.width(printable(cell.text, style.font)), NOTE.width(printable(cell.note, NOTE.font))
            )
        # A hair more, so that rounding does not break a line that just fits.
        natural[index] = widest + 0.01 + 2 * _CELL_PADDING
    shares = sum(column.share for column in columns)
    most = _cap(list(natural.values()), WIDTH * _MOST_NATURAL)
    fixed = {index: min(width, most) for index, width in natural.items()}
    left = WIDTH - sum(fixed.values())
    return [fixed[index] if index in fixed else left * column.share / shares for index, column in enumerate(columns)]


def _cap(widths: Sequence[float], room: float) -> float:
    """The largest width to which all of `widths` can be cut so that together they take at most `room`."""
    left = room
    ordered = sorted(widths)
    for place, width in enumerate(ordered):
        if width * (len(ordered) - place) > left:
            return left / (len(ordered) - place)
        left -= width
    return room


def _split(columns: Sequence[Column], widths: Sequence[float], row: Sequence[Cell]) -> list[list[Cell]]:
    """A row as it is, or cut into several where a cell has more lines than `_MOST_LINES`."""
    lines = []
    for column, width, cell in zip(columns, widths, row, strict=True):
        style = cell.style or column.style
        lines.append([] if cell.draw is not None else wrap(cell.text, style, width - 2 * _CELL_PADDING))
    count = max((len(each) + _MOST_LINES - 1) // _MOST_LINES for each in lines)
    if count <= 1:
        return [list(row)]
    rows = []
    for part in range(count):
        start = part * _MOST_LINES
        cut = [" ".join(each[start : start + _MOST_LINES]) for each in lines]
        rows.append(
            [
                replace(cell, text=text, note=cell.note if part == 0 else "", draw=cell.draw if part == 0 else None)
                for cell, text in zip(row, cut, strict=True)
            ]
        )
    return rows


def _header(columns: Sequence[Column], widths: Sequence[float]) -> Block:
    cells = _cells(columns, widths, [Cell(column.title, LABEL) for column in columns])
    height = cells.height + 2 * _ROW_PADDING
    return Block(
        (
            Box(0, 0, WIDTH, height, fill=TINT),
            *cells.at(0, _ROW_PADDING),
            Line(0, height, WIDTH, height, INK, 0.5),
        ),
        height,
    )


def _row(columns: Sequence[Column], widths: Sequence[float], row: Sequence[Cell], is_total: bool = False) -> Block:
    content = _cells(columns, widths, row)
    height = content.height + 2 * _ROW_PADDING
    line = Line(0, height, WIDTH, height, INK if is_total else RULE, 0.75 if is_total else 0.4)
    return Block((*content.at(0, _ROW_PADDING), line), height)


def _cells(columns: Sequence[Column], widths: Sequence[float], cells: Sequence[Cell]) -> Block:
    placed = []
    x = 0.0
    for column, width, cell in zip(columns, widths, cells, strict=True):
        room = width - 2 * _CELL_PADDING
        if cell.draw is not None:
            block = cell.draw(room)
        else:
            block = paragraph(cell.text, cell.style or column.style, room, column.align)
            if cell.note:
                block = stacked(block, paragraph(cell.note, NOTE, room, column.align))
        placed.append((x + _CELL_PADDING, block))
        x += width
    return beside(*placed)
