"""Every page of every sample, the crowded ones too: nothing outside its place, no word upon another."""

from __future__ import annotations

import pytest

from certificates.page_flow import MARGIN, PAGE_HEIGHT, PAGE_WIDTH
from certificates.page_items import SMALL, Box, Item, Line, Shape, Text, wrap
from certificates.render import layout
from tests.certificates_samples import SAMPLES

LETTER_TOP, LETTER_BOTTOM = 0.70, 0.20
"""Plex's capitals reach 0.698 em above the baseline (CapHeight); descenders of g and p about 0.2 em below."""

samples = pytest.mark.parametrize("name", SAMPLES)


def box_of(text: Text) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the letters."""
    size = text.style.size
    return (
        text.x,
        text.y - LETTER_TOP * size,
        text.x + text.style.width(text.text),
        text.y + LETTER_BOTTOM * size,
    )


def texts(page: list[Item]) -> list[Text]:
    return [item for item in page if isinstance(item, Text) and item.text.strip()]


def overlaps(page: list[Item]) -> list[tuple[str, str]]:
    found = []
    boxes = sorted((box_of(text), text.text) for text in texts(page))
    for index, (one, first) in enumerate(boxes):
        for other, second in boxes[index + 1 :]:
            if other[0] >= one[2] - 0.05:
                break
            if one[1] < other[3] - 0.05 and other[1] < one[3] - 0.05:
                found.append((first, second))
    return found


@samples
def test_no_two_texts_overlap(name: str) -> None:
    for page in layout(SAMPLES[name]()):
        assert overlaps(page) == []


def test_two_texts_on_one_place_are_seen_to_overlap() -> None:
    page: list[Item] = [Text(50, 50, "one", SMALL), Text(55, 52, "other", SMALL), Text(50, 59.6, "below", SMALL)]

    assert overlaps(page) == [("one", "other")]


@samples
def test_every_text_is_within_the_margins(name: str) -> None:
    for page in layout(SAMPLES[name]()):
        for text in texts(page):
            left, top, right, bottom = box_of(text)

            assert left >= MARGIN - 0.05, text
            assert right <= PAGE_WIDTH - MARGIN + 0.05, text
            assert top >= 0, text
            assert bottom <= PAGE_HEIGHT - 30, text


@samples
def test_no_drawing_leaves_the_page_or_has_a_negative_size(name: str) -> None:
    for page in layout(SAMPLES[name]()):
        for item in page:
            if isinstance(item, Box):
                assert item.width >= 0, item
                assert item.height >= 0, item
                points = [(item.x, item.y), (item.x + item.width, item.y + item.height)]
            elif isinstance(item, Line):
                points = [(item.x1, item.y1), (item.x2, item.y2)]
            elif isinstance(item, Shape):
                points = list(item.points)
            else:
                continue
            for x, y in points:
                assert -0.01 <= x <= PAGE_WIDTH + 0.01, item
                assert -0.01 <= y <= PAGE_HEIGHT + 0.01, item


@samples
def test_no_page_is_empty_and_the_content_stays_above_the_footer(name: str) -> None:
    pages = layout(SAMPLES[name]())
    for page in pages:
        footer = min(text.y for text in texts(page) if text.text.startswith("Page "))
        body = [box_of(text)[3] for text in texts(page) if text.y < footer - 1]

        assert len(texts(page)) > 6
        assert max(body) <= footer - 14


def test_a_long_text_is_wrapped_whole() -> None:
    text = "one  two-three_four " + "x" * 120

    lines = wrap(text, SMALL, 60)

    # Every character but the white space is there, in order.
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(SMALL.width(line) <= 60 for line in lines)


def test_a_number_stays_with_its_unit() -> None:
    lines = wrap("a mass of 250.00 kg, of which 99.5 % is known", SMALL, SMALL.width("a mass of 250.00"))

    assert not any(line.endswith(("250.00", "99.5")) for line in lines)


def test_a_character_without_a_glyph_is_spelled_out() -> None:
    # U+78C1 is "magnet" in Chinese; Plex Sans has Latin, Greek and Cyrillic.
    assert wrap("磁 oxide", SMALL, 100) == ["[U+78C1] oxide"]
