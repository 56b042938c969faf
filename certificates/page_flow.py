"""How blocks flow down A4 pages: the grid, page breaks, and tables whose header repeats on every page.

The page: A4 with margins of 40 pt and a grid of 12 columns. Everything between the running head and the footer is
placed by `Sheet`, which knows how much room is left; head and footer come last, when the number of pages is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
    stacked,
    wrap,
)

PAGE_WIDTH = 595.28
PAGE_HEIGHT = 841.89
MARGIN = 40.0
WIDTH = PAGE_WIDTH - 2 * MARGIN
"""Of the text area."""

TOP = 72.0
BOTTOM = PAGE_HEIGHT - 62.0
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
    """A column of a table. width: with its padding."""

    title: str
    width: float
    align: Literal["left", "right"] = "left"
    style: Style = SMALL


@dataclass(frozen=True)
class Cell:
    """A cell that differs from its column's style, or has a second line beneath."""

    text: str
    style: Style | None = None
    note: str = ""


Row: TypeAlias = Sequence[str | Cell]

_CELL_PADDING = 4.0
_ROW_PADDING = 2.2


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

    def heading(self, text: str, note: str = "", keep: float = 40.0) -> None:
        """A section's heading with a rule above; never the last thing on a page."""
        self.gap(14)
        self.add(heading(text, WIDTH, note), keep=keep)

    def text(self, text: str, style: Style, width: float = WIDTH) -> None:
        """A paragraph that may run over the page's end, line by line."""
        for line in wrap(text, style, width):
            self.add(paragraph(line, style, width + 1))

    def table(self, columns: Sequence[Column], rows: Sequence[Row], total: Row | None = None) -> None:
        """A table; its header is repeated on each page, and a page never ends with the header alone.

        total: a last row set strong, kept with the row before it.
        """
        header = _header(columns)
        built = [_row(columns, row) for row in rows]
        if total is not None:
            last = _row(columns, total, strong=True)
            if built:
                built[-1] = stacked(built[-1], last)
            else:
                built.append(last)
        self.need(header.height + (built[0].height if built else 0.0))
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
    for number, text in enumerate(texts, 1):
        sign = f"{number}" if mark == "1" else mark
        parts += [beside((0, paragraph(sign, style, indent)), (indent, paragraph(text, style, width - indent))), 2.0]
    return stacked(*parts[:-1])


def grid_of(blocks: Sequence[Callable[[float], Block]], columns: int) -> list[Block]:
    """Blocks in reading order on a grid of `columns` equal columns: one block per line of the grid.

    blocks: each is called with the width it gets.
    """
    width = (WIDTH - (columns - 1) * GUTTER) / columns
    lines = []
    for start in range(0, len(blocks), columns):
        made = [block(width) for block in blocks[start : start + columns]]
        lines.append(beside(*((index * (width + GUTTER), block) for index, block in enumerate(made))))
    return lines


def _header(columns: Sequence[Column]) -> Block:
    width = sum(column.width for column in columns)
    cells = beside(*_cells(columns, [Cell(column.title, LABEL) for column in columns]))
    # Titles of unlike height stand on the line beneath them.
    items: list[Item] = [Box(0, 0, width, cells.height + 2 * _ROW_PADDING, fill=TINT)]
    items += cells.at(0, _ROW_PADDING)
    height = cells.height + 2 * _ROW_PADDING
    items.append(Line(0, height, width, height, INK, 0.5))
    return Block(tuple(items), height)


def _row(columns: Sequence[Column], row: Row, strong: bool = False) -> Block:
    width = sum(column.width for column in columns)
    cells = [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]
    if strong:
        cells = [Cell(cell.text, cell.style or SMALL_STRONG, cell.note) for cell in cells]
    content = beside(*_cells(columns, cells))
    height = content.height + 2 * _ROW_PADDING
    line = Line(0, height, width, height, INK if strong else RULE, 0.75 if strong else 0.4)
    return Block((*content.at(0, _ROW_PADDING), line), height)


def _cells(columns: Sequence[Column], cells: Sequence[Cell]) -> list[tuple[float, Block]]:
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} cells for {len(columns)} columns")
    placed = []
    x = 0.0
    for column, cell in zip(columns, cells, strict=True):
        room = column.width - 2 * _CELL_PADDING
        block = paragraph(cell.text, cell.style or column.style, room, column.align)
        if cell.note:
            block = stacked(block, paragraph(cell.note, NOTE, room, column.align))
        placed.append((x + _CELL_PADDING, block))
        x += column.width
    return placed
