"""The parts that both certificates share: title, key figures, seal, running head and footer.

Every function takes values of the content and returns blocks, or fills a sheet; see docs/certificate-format.md for the
content's fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any

from certificates.page_crest import crest
from certificates.page_flow import (
    GUTTER,
    WIDTH,
    Sheet,
    bullets,
    column_x,
    span,
)
from certificates.page_items import (
    BODY,
    BODY_STRONG,
    CODE,
    CODE_SMALL,
    EYEBROW,
    FIGURE,
    GREEN,
    GREEN_PALE,
    HEADING,
    INK,
    LABEL,
    MUTED,
    NOTE,
    RULE,
    SMALL,
    SMALL_STRONG,
    TINT,
    TITLE,
    WARNING,
    WARNING_PALE,
    Block,
    Box,
    Item,
    Line,
    Style,
    Text,
    beside,
    fitted,
    padded,
    paragraph,
    printable,
    stacked,
    wrap,
)
from ledger.log.canonical import canonical_bytes

KIND_NAMES = {"co2": "CO₂ certificate", "provenance": "Provenance certificate"}

_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_FORMULA = re.compile(r"(?:[A-Z][a-z]?[0-9]{0,2}){1,6}")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def formula(text: str) -> str:
    """`text` with the digits of chemical formulas as subscripts: "Dy2O3" is shown as "Dy₂O₃"."""

    def pretty(word: str) -> str:
        core = word.strip(",;:()")
        is_formula = any(c.isdigit() for c in core) and len(core) > 2 and _FORMULA.fullmatch(core) and _has_oxygen(core)
        return word.translate(_SUBSCRIPTS) if is_formula else word

    return " ".join(pretty(word) for word in text.split(" "))


def _has_oxygen(core: str) -> bool:
    """Only oxides are set with subscripts, so that a batch named "B2" stays as it is."""
    return re.search(r"O(?![a-z])", core) is not None and not core.startswith("O")


def number(text: str) -> str:
    """A decimal string as it is shown: digits kept, a true minus."""
    return text.replace("-", "−")


def day(text: str) -> str:
    """An ISO date or time as "27 June 2023"."""
    value = date.fromisoformat(text[:10])
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def kg(text: str) -> str:
    return f"{number(text)} kg"


def is_provisional(content: Mapping[str, Any]) -> bool:
    """Anything that is not stated to be final is shown as provisional."""
    return bool(content["state"] != "final")


def content_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content's canonical form, in hexadecimal: what the crest draws and the last page prints."""
    return sha256(canonical_bytes(dict(content))).hexdigest()


@dataclass(frozen=True)
class KeyFigure:
    """One of the large figures. beneath: its interval or what it is made of; drawing: a small picture of that."""

    label: str
    figure: str
    unit: str
    beneath: str
    drawing: Callable[[float], Block] | None = None


def opening(sheet: Sheet, content: Mapping[str, Any], figures: Sequence[KeyFigure]) -> None:
    """The top of page one: title, the batch in one line, the crest, what it replaces, why provisional, key figures."""
    batch = content["batch"]
    issuer = content["issuer"]
    crest_size = 84.0
    words = span(10) - 12
    product = formula(batch["product"])
    title_style = fitted(product, TITLE, words, 20)
    if len(wrap(product, title_style, words)) > 2:
        title_style = replace(title_style, size=13, leading=16)
    about = (
        f"Batch {batch['batch_id']}  ·  {kg(batch['mass_kg'])} as made on {day(batch['made_on'])}"
        if batch.get("mass_kg")
        else f"Batch {batch['batch_id']}  ·  made {day(batch['made_on'])}"
    )
    about_style = replace(BODY, size=9.5, leading=13)
    title = stacked(
        paragraph(KIND_NAMES[content["kind"]], EYEBROW, words),
        2.0,
        paragraph(product, title_style, words),
        4.0,
        paragraph(about, about_style, words),
        paragraph(
            f"Issued {day(content['issued_at'])} by {issuer['name']}, {issuer['site']}, {issuer['country']}",
            replace(NOTE, size=8.5, leading=12),
            words,
        ),
        *(
            [paragraph(assay_text(batch["assay"]), replace(NOTE, size=8.5, leading=12), words)]
            if "assay" in batch
            else []
        ),
    )
    mark = crest(content_digest(content), crest_size, INK if is_provisional(content) else GREEN)
    sheet.add(beside((0, title), (WIDTH - crest_size, mark)))
    sheet.gap(12)
    if content.get("supersedes"):
        reason = content.get("supersede_reason")
        text = f"Replaces certificate {content['supersedes']}" + (f": {reason}" if reason else "")
        sheet.add(
            padded(paragraph(text, BODY_STRONG, WIDTH - 12), WIDTH, 6, GREEN_PALE),
        )
        sheet.gap(6)
    if is_provisional(content):
        sheet.add(_why_provisional(content["provisional_because"]))
        sheet.gap(10)
    sheet.add(key_figures(figures))


ASSAYS_NAMED = 3
"""Of the assays that a composition is put together from: the last ones; all of them stand in the content."""


def assay_text(assay: Mapping[str, Any]) -> str:
    """A batch's composition: who had it assayed and how, and every component with its relative uncertainty."""
    parts = []
    for component in assay["components"]:
        spread = component.get("uncertainty_percent")
        species = formula(component["species"])
        parts.append(f"{species} {component['wt_percent']} %" + (f" (± {spread} % of it)" if spread else ""))
    if assay.get("treo_percent"):
        parts.append(f"TREO {assay['treo_percent']} %")
    if assay.get("loi_percent"):
        parts.append(f"loss on ignition {assay['loi_percent']} %")
    reports = assay["reports"]
    named = list(reports[-ASSAYS_NAMED:])
    names = ", ".join(f"{one['assay_id']} ({one['method']})" for one in named)
    if more := len(reports) - len(named):
        names += f" and {more} earlier, in certificate.json"
    kind = "Assay" if len(reports) == 1 else "Assays"
    settled = f", settled by {', '.join(assay['settlements'])}" if assay.get("settlements") else ""
    return f"{kind} by the {reports[-1]['party']}, {names}{settled}: {', '.join(parts)}"


REASONS_ON_PAGE_ONE = 6


def _why_provisional(reasons: Sequence[str]) -> Block:
    inner = WIDTH - 24
    head = paragraph("PROVISIONAL: not a final certificate. Why:", SMALL_STRONG, inner)
    listed = list(reasons[:REASONS_ON_PAGE_ONE]) or ["The issuer gave no reason."]
    if len(reasons) > REASONS_ON_PAGE_ONE:
        listed.append(f"and {len(reasons) - REASONS_ON_PAGE_ONE} more: all of them stand on the last page.")
    block = stacked(head, 2.0, min(in_two(listed, inner), bullets(listed, inner, SMALL), key=lambda each: each.height))
    height = block.height + 14
    panel = Box(0, 0, WIDTH, height, fill=WARNING_PALE)
    edge = Box(0, 0, 4, height, fill=WARNING)
    return Block((panel, edge, *block.at(12, 7)), height)


def all_reasons(sheet: Sheet, content: Mapping[str, Any]) -> None:
    """Every reason why the certificate is provisional, where page one had no room for all."""
    reasons = content["provisional_because"]
    if is_provisional(content) and len(reasons) > REASONS_ON_PAGE_ONE:
        sheet.heading("Why it is provisional")
        for reason in reasons:
            sheet.text(f"–  {reason}", SMALL)


def key_figures(figures: Sequence[KeyFigure]) -> Block:
    """Large figures side by side, as wide as the text area."""
    columns = 12 // len(figures)
    width = span(columns)
    placed = []
    for index, item in enumerate(figures):
        figure = figure_line(item.figure, width)
        picture: list[Block | float] = [] if item.drawing is None else [3.0, item.drawing(width)]
        block = stacked(
            Block((Box(0, 0, width, 2 if index == 0 else 0.75, fill=GREEN if index == 0 else INK),), 8.0),
            paragraph(item.label, LABEL, width),
            2.0,
            figure,
            paragraph(item.unit, BODY_STRONG, width),
            *picture,
            2.0,
            paragraph(item.beneath, NOTE, width),
        )
        placed.append((column_x(index * columns), block))
    return beside(*placed)


def figure_line(figure: str, width: float, style: Style = FIGURE) -> Block:
    """A large figure. Decimals after the second are set small, so that a long exact number stays readable."""
    text = printable(number(figure), style.font)
    point = text.find(".")
    large, small = (text[: point + 3], text[point + 3 :]) if point >= 0 and len(text) - point > 5 else (text, "")
    ratio = 0.5
    natural = style.width(large) + style.width(small) * ratio
    scale = min(1.0, width * 0.999 / natural)
    big = replace(style, size=style.size * scale)
    little = replace(big, size=big.size * ratio, colour=MUTED)
    baseline = style.leading * 0.8
    items: list[Item] = [Text(0, baseline, large, big)]
    if small:
        items.append(Text(big.width(large), baseline, small, little))
    return Block(tuple(items), style.leading)


def pairs(items: Sequence[tuple[str, str]], width: float, label_width: float) -> Block:
    """Labels with their texts, a hairline between."""
    parts: list[Block | float] = []
    for label, text in items:
        parts += [
            Block((Line(0, 0, width, 0, RULE, 0.4),), 2.5),
            beside(
                (0, paragraph(label, LABEL, label_width - 6)),
                (label_width, paragraph(text, SMALL, width - label_width)),
            ),
            2.5,
        ]
    return stacked(*parts)


def not_claimed(content: Mapping[str, Any]) -> Block:
    """What the certificate does not say, in a panel of its own."""
    inner = WIDTH - 24
    block = stacked(
        paragraph("What this certificate does not claim", HEADING, inner),
        4.0,
        in_two(content["not_claimed"], inner, "×"),
    )
    return padded(block, WIDTH, 10, TINT)


def in_two(texts: Sequence[str], width: float, mark: str = "–") -> Block:
    """A list in two columns of about equal height, read down the first and then the second; a single item stays one."""
    if len(texts) < 2:
        return bullets(texts, width, SMALL, mark)
    half = (width - GUTTER) / 2
    heights = [bullets([text], half, SMALL, mark).height for text in texts]
    middle = min(range(1, len(texts)), key=lambda cut: (abs(sum(heights[:cut]) - sum(heights[cut:])), cut))
    return beside(
        (0, bullets(texts[:middle], half, SMALL, mark)), (half + GUTTER, bullets(texts[middle:], half, SMALL, mark))
    )


def how_to_check(content: Mapping[str, Any]) -> Block:
    """How a stranger checks the file, beside the issuer's sealed box."""
    left = span(7)
    right = span(5)
    log = content["log"]
    digest = content_digest(content)
    indent = 10.0
    check = stacked(
        paragraph("How to check it", HEADING, left),
        4.0,
        _numbered(1, paragraph("Take the PDF file itself, not a printout or a picture of it.", SMALL, left - indent)),
        _numbered(
            2,
            stacked(
                paragraph(
                    "Offline, with the issuer's root certificate and log key, which you got by a way you trust, run",
                    SMALL,
                    left - indent,
                ),
                paragraph("magnet-ledger certificate verify FILE", CODE, left - indent),
                paragraph("or drop the file on the issuer's verify page, which keeps nothing.", SMALL, left - indent),
            ),
        ),
        _numbered(
            3,
            paragraph(
                "Read the verdict and its list: each check is passed, failed or not checked. The figures are computed "
                "again from the log entries inside the file.",
                SMALL,
                left - indent,
            ),
        ),
        5.0,
        paragraph(f"Log {log['origin']}, {log['tree_size']} entries when issued", LABEL, left),
        paragraph("SHA-256 of the content; the ring on page 1 draws its 64 digits as rays", LABEL, left),
        1.0,
        paragraph(digest, fitted(digest, CODE, left, 5), left),
    )
    issuer = content["issuer"]
    inner = right - 20
    words: list[Block | float] = [
        paragraph("Sealed electronically", HEADING, inner),
        2.0,
        paragraph(f"for {issuer['name']}, {issuer['site']}", SMALL_STRONG, inner),
        4.0,
        paragraph(
            "The seal is a signature inside the file. Your reader, or the check at the left, says whether it is "
            "whole and whose it is; this box cannot.",
            SMALL,
            inner,
        ),
        4.0,
        paragraph(content["issued_at"], CODE_SMALL, inner),
    ]
    seal = padded(stacked(*words), right, 10, None, GREEN)
    return beside((0, check), (column_x(7), seal))


def _numbered(place: int, block: Block) -> Block:
    return beside((0, paragraph(str(place), SMALL_STRONG, 10)), (10.0, stacked(block, 2.0)))
