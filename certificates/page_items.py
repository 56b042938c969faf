"""What a certificate page is made of: texts, boxes, lines and shapes at places, as plain values.

A page is laid out first and drawn afterwards (`certificates.render`), so that everything can be measured before it is
placed. Lengths are points; x runs to the right, y runs DOWN from the top of the page, and a text's y is its baseline.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TypeAlias

from certificates import fonts

Colour: TypeAlias = str
"""An sRGB colour as "#RRGGBB"."""

INK = "#15201B"
MUTED = "#5E6963"
GREEN = "#0B6B4B"
GREEN_PALE = "#DDEBE3"
TINT = "#F5F3EC"
RULE = "#D5D8D1"
WHITE = "#FFFFFF"
WARNING = "#F6C445"
WARNING_PALE = "#FDF3D7"
"""Only for what is provisional: hazard yellow, always with ink stripes and the word."""


@dataclass(frozen=True)
class Style:
    """How a text is set. leading: distance between baselines; tracking: extra space after each character."""

    font: str
    size: float
    leading: float
    colour: Colour = INK
    tracking: float = 0.0

    def in_colour(self, colour: Colour) -> Style:
        return replace(self, colour=colour)

    def width(self, text: str) -> float:
        return fonts.text_width(text, self.font, self.size) + self.tracking * len(text)


TITLE = Style(fonts.LIGHT, 32, 36)
FIGURE = Style(fonts.LIGHT, 28, 32)
FIGURE_SMALL = Style(fonts.LIGHT, 16, 19)
HEADING = Style(fonts.SEMIBOLD, 10, 13)
BODY = Style(fonts.REGULAR, 8, 11)
BODY_STRONG = Style(fonts.SEMIBOLD, 8, 11)
SMALL = Style(fonts.REGULAR, 7, 9.5)
SMALL_STRONG = Style(fonts.SEMIBOLD, 7, 9.5)
NOTE = Style(fonts.REGULAR, 7, 9.5, MUTED)
LABEL = Style(fonts.MEDIUM, 6.5, 9, MUTED, tracking=0.2)
EYEBROW = Style(fonts.SEMIBOLD, 7.5, 10, GREEN, tracking=0.4)
CODE = Style(fonts.MONO, 6.5, 9)
CODE_SMALL = Style(fonts.MONO, 5.8, 8, MUTED)


@dataclass(frozen=True)
class Text:
    """One line of text. x: left edge; y: baseline."""

    x: float
    y: float
    text: str
    style: Style

    def moved(self, dx: float, dy: float) -> Text:
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Box:
    """A rectangle. x, y: its top left corner; radius: of its corners."""

    x: float
    y: float
    width: float
    height: float
    fill: Colour | None = None
    stroke: Colour | None = None
    line_width: float = 0.5
    radius: float = 0.0

    def moved(self, dx: float, dy: float) -> Box:
        return replace(self, x=self.x + dx, y=self.y + dy)


@dataclass(frozen=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: Colour = RULE
    line_width: float = 0.5
    dash: tuple[float, ...] = ()

    def moved(self, dx: float, dy: float) -> Line:
        return replace(self, x1=self.x1 + dx, y1=self.y1 + dy, x2=self.x2 + dx, y2=self.y2 + dy)


@dataclass(frozen=True)
class Shape:
    """A closed path. points: the corners for `curved` False; otherwise a start and then triples of Bezier points."""

    points: tuple[tuple[float, float], ...]
    fill: Colour | None = None
    stroke: Colour | None = None
    line_width: float = 0.5
    curved: bool = False

    def moved(self, dx: float, dy: float) -> Shape:
        return replace(self, points=tuple((x + dx, y + dy) for x, y in self.points))


Item: TypeAlias = "Text | Box | Line | Shape"


@dataclass(frozen=True)
class Block:
    """Items laid out from (0, 0) and the height they take."""

    items: tuple[Item, ...]
    height: float

    def at(self, x: float, y: float) -> list[Item]:
        return [item.moved(x, y) for item in self.items]


def printable(text: str, font: str) -> str:
    """`text` with every character that the font lacks spelled as its code point, so that nothing is dropped."""
    known = fonts.characters(font)
    return "".join(letter if ord(letter) in known else f"[U+{ord(letter):04X}]" for letter in text)


def wrap(text: str, style: Style, width: float) -> list[str]:
    """`text` in lines no wider than `width`; a word that is wider by itself is broken between characters.

    Returns: at least one line. Precondition: width holds one character.
    """
    lines: list[str] = []
    line = ""
    glued = _BEFORE_UNIT.sub("\u00a0", _AFTER_SIGN.sub("\u00a0", printable(text, style.font)))
    for word in glued.split(" "):
        if not word:
            continue
        joined = f"{line} {word}" if line else word
        if style.width(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        while style.width(word) > width and len(word) > 1:
            cut = _longest_prefix(word, style, width)
            lines.append(word[:cut])
            word = word[cut:]
        line = word
    lines.append(line)
    return lines


def _longest_prefix(word: str, style: Style, width: float) -> int:
    """How many characters of `word` fit, at least one; a break after a separator of ids is preferred."""
    fits = 1
    while fits < len(word) and style.width(word[: fits + 1]) <= width:
        fits += 1
    for cut in range(fits, fits // 2, -1):
        if word[cut - 1] in "-./_,;:":
            return cut
    return fits


def fitted(text: str, style: Style, width: float, smallest: float) -> Style:
    """`style` made smaller, if need be, so that `text` takes at most `width`; not smaller than `smallest` points."""
    natural = style.width(printable(text, style.font))
    if natural <= width:
        return style
    scale = max(width / natural, smallest / style.size)
    # A hair less than the quotient, so that rounding cannot push the text over the edge.
    size = max(smallest, style.size * scale * 0.999)
    return replace(style, size=size, leading=style.leading * size / style.size, tracking=style.tracking * scale)


def shortened(text: str, style: Style, width: float) -> str:
    """`text` if it fits in `width`, else its beginning and three dots. Only for what stands whole elsewhere."""
    shown = printable(text, style.font)
    if style.width(shown) <= width:
        return shown
    while shown and style.width(shown + "…") > width:
        shown = shown[:-1]
    return shown.rstrip() + "…"


_BEFORE_UNIT = re.compile(r"(?<=[0-9]) (?=(?:%|kg|kWh|t\.km|m3|L|pt)(?![A-Za-z0-9]))")
_AFTER_SIGN = re.compile(r"(?<=±) (?=[0-9])")
"""A number and its unit, or its sign, stay on one line."""

ASCENT = 0.78
"""Height of Plex's capitals and ascenders above the baseline, as a share of the size."""


def paragraph(text: str, style: Style, width: float, align: str = "left") -> Block:
    """`text` wrapped to `width`. align: "left", "right" or "centre"."""
    lines = wrap(text, style, width)
    items: list[Item] = []
    first = (style.leading - style.size) / 2 + style.size * ASCENT
    for index, line in enumerate(lines):
        room = width - style.width(line)
        x = {"left": 0.0, "right": room, "centre": room / 2}[align]
        items.append(Text(x, first + index * style.leading, line, style))
    return Block(tuple(items), len(lines) * style.leading)


def stacked(*parts: Block | float) -> Block:
    """Blocks one under the other; a number is a gap."""
    items: list[Item] = []
    y = 0.0
    for part in parts:
        if isinstance(part, Block):
            items += part.at(0, y)
            y += part.height
        else:
            y += part
    return Block(tuple(items), y)


def beside(*placed: tuple[float, Block]) -> Block:
    """Blocks side by side, each with its x; as high as the highest."""
    items: list[Item] = []
    for x, block in placed:
        items += block.at(x, 0)
    return Block(tuple(items), max(block.height for _, block in placed))


def padded(block: Block, width: float, padding: float, fill: Colour | None, stroke: Colour | None = None) -> Block:
    """`block` in a panel of `width`; it must have been laid out for width - 2 x padding."""
    height = block.height + 2 * padding
    panel = Box(0, 0, width, height, fill=fill, stroke=stroke, radius=2)
    return Block((panel, *block.at(padding, padding)), height)
