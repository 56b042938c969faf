"""A certificate's content as a page: reportlab draws what the page modules have laid out.

`render_page` is a pure function of the content: no clock, no system fonts, no settings. So a verifier can draw the page
again and compare the bytes. A change here that changes bytes must raise
`certificates.renderer.RENDERER`, for old certificates name theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from threading import Lock
from typing import Any

from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.pdfgen.canvas import Canvas

from certificates import fonts
from certificates.page_co2 import co2_pages
from certificates.page_flow import PAGE_HEIGHT, PAGE_WIDTH
from certificates.page_items import Box, Colour, Item, Line, Shape, Text
from certificates.page_provenance import provenance_pages
from certificates.renderer import RENDERER
from ledger.errors import InputError, problem

_drawing = Lock()
"""reportlab's font objects belong to one document at a time."""


def layout(content: Mapping[str, Any]) -> list[list[Item]]:
    """The pages of a certificate, each a list of items in drawing order.

    Raises: InputError for a kind or renderer that this version does not know.
    """
    if content["renderer"] != RENDERER:
        raise InputError(
            problem(
                "/renderer", content["renderer"], RENDERER, "Use the version of magnet-ledger that has this renderer."
            )
        )
    if content["kind"] == "co2":
        return co2_pages(content)
    if content["kind"] == "provenance":
        return provenance_pages(content)
    raise InputError(problem("/kind", content["kind"], "co2 or provenance", "Check the certificate's kind."))


def render_page(content: Mapping[str, Any]) -> bytes:
    """The pages of the certificate as a plain PDF 1.7 without metadata or attachments; `certificates.pdfa` adds those.

    content: a certificate content, see docs/certificate-format.md.
    Returns: the same bytes for the same content, in every process.
    """
    pages = layout(content)
    with _drawing:
        return _draw_pages(pages)


def _draw_pages(pages: list[list[Item]]) -> bytes:
    fonts.register_fonts()
    # The canvas takes invariant as an argument, but images and a few objects look at the global.
    rl_config.invariant = 1
    output = BytesIO()
    canvas = Canvas(
        output,
        pagesize=(PAGE_WIDTH, PAGE_HEIGHT),
        pageCompression=1,
        invariant=1,
        pdfVersion=(1, 7),
        lang="en",
        initialFontName=fonts.REGULAR,  # the default, Helvetica, would not be embedded
        initialFontSize=8,
    )
    for items in pages:
        for item in items:
            _draw(canvas, item)
        canvas.showPage()
    canvas.save()
    return output.getvalue()


def _draw(canvas: Canvas, item: Item) -> None:
    if isinstance(item, Text):
        canvas.setFillColor(_colour(item.style.colour))
        canvas.setFont(item.style.font, item.style.size)
        canvas.drawString(item.x, PAGE_HEIGHT - item.y, item.text, charSpace=item.style.tracking)
    elif isinstance(item, Line):
        canvas.setStrokeColor(_colour(item.colour))
        canvas.setLineWidth(item.line_width)
        canvas.setDash(list(item.dash))
        canvas.line(item.x1, PAGE_HEIGHT - item.y1, item.x2, PAGE_HEIGHT - item.y2)
    elif isinstance(item, Box):
        fill, stroke = _paint(canvas, item.fill, item.stroke, item.line_width)
        y = PAGE_HEIGHT - item.y - item.height
        if item.radius:
            canvas.roundRect(item.x, y, item.width, item.height, item.radius, stroke=stroke, fill=fill)
        else:
            canvas.rect(item.x, y, item.width, item.height, stroke=stroke, fill=fill)
    else:
        _draw_shape(canvas, item)


def _draw_shape(canvas: Canvas, shape: Shape) -> None:
    fill, stroke = _paint(canvas, shape.fill, shape.stroke, shape.line_width)
    points = [(x, PAGE_HEIGHT - y) for x, y in shape.points]
    path = canvas.beginPath()
    path.moveTo(*points[0])
    if shape.curved:
        for index in range(1, len(points) - 2, 3):
            path.curveTo(*points[index], *points[index + 1], *points[index + 2])
    else:
        for point in points[1:]:
            path.lineTo(*point)
    path.close()
    canvas.drawPath(path, stroke=stroke, fill=fill)


def _paint(canvas: Canvas, fill: Colour | None, stroke: Colour | None, line_width: float) -> tuple[int, int]:
    if fill is not None:
        canvas.setFillColor(_colour(fill))
    if stroke is not None:
        canvas.setStrokeColor(_colour(stroke))
        canvas.setLineWidth(line_width)
        canvas.setDash([])
    return int(fill is not None), int(stroke is not None)


def _colour(colour: Colour) -> HexColor:
    return HexColor(colour)
