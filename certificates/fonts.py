"""The typefaces of the certificate pages: IBM Plex Sans in four weights and IBM Plex Mono, as reportlab fonts.

Nothing is looked up on the system: the fonts come from the packages `fontpkg-ibm-plex-sans` and `fontpkg-ibm-plex-mono`
(OFL-1.1), so that the same installation gives the same bytes anywhere. Plex Sans is one variable font there; reportlab
takes static TrueType only, so each weight is instanced in memory, once a process (about 0.12 s a weight). They are not
cached on disk: a file that somebody could swap would change what a certificate says.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import BytesIO
from threading import Lock

from fontTools.ttLib import TTFont as FontFile
from fontTools.varLib import instancer
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

LIGHT = "IBMPlexSans-Light"
REGULAR = "IBMPlexSans-Regular"
MEDIUM = "IBMPlexSans-Medium"
SEMIBOLD = "IBMPlexSans-SemiBold"
MONO = "IBMPlexMono-Regular"

_SANS_WEIGHTS = {LIGHT: 300, REGULAR: 400, MEDIUM: 500, SEMIBOLD: 600}
_SANS_FILE = "IBMPlexSans[wdth,wght].ttf"
_MONO_FILE = "IBMPlexMono-Regular.ttf"

# reportlab does no shaping, so ligatures, kerning and their variations are dead weight: without them instancing takes
# a sixteenth of the time. STAT describes the axes that are gone.
_UNUSED_TABLES = ("GSUB", "GPOS", "GDEF", "STAT")

_NAME_FULL, _NAME_POSTSCRIPT = 4, 6

_registering = Lock()


@cache
def font_bytes(name: str) -> bytes:
    """The TrueType file of the font `name`, one of the constants above. Same bytes in every process."""
    if name == MONO:
        return (files("fontpkg_ibm_plex_mono") / "files" / _MONO_FILE).read_bytes()
    variable = (files("fontpkg_ibm_plex_sans") / "files" / _SANS_FILE).read_bytes()
    font = FontFile(BytesIO(variable), recalcTimestamp=False)
    for table in _UNUSED_TABLES:
        if table in font:
            del font[table]
    instancer.instantiateVariableFont(font, {"wght": _SANS_WEIGHTS[name], "wdth": 100}, inplace=True)
    # All instances keep the variable font's one PostScript name, and reportlab, which goes by it, would embed only the
    # first of them.
    for record in font["name"].names:
        if record.nameID == _NAME_FULL:
            record.string = name.replace("-", " ")
        elif record.nameID == _NAME_POSTSCRIPT:
            record.string = name
    output = BytesIO()
    font.save(output)
    return output.getvalue()


def register_fonts() -> None:
    """Make the fonts known to reportlab under their names. Done once a process; later calls do nothing."""
    with _registering:
        _register_once()


@cache
def _register_once() -> None:
    for name in (*_SANS_WEIGHTS, MONO):
        pdfmetrics.registerFont(TTFont(name, BytesIO(font_bytes(name))))


@cache
def characters(name: str) -> frozenset[int]:
    """The code points that the font `name` has a glyph for."""
    font = FontFile(BytesIO(font_bytes(name)), lazy=True)
    return frozenset(font.getBestCmap())


def text_width(text: str, name: str, size: float) -> float:
    """The width of `text` in points, set in the font `name` at `size` points."""
    register_fonts()
    width: float = pdfmetrics.stringWidth(text, name, size)
    return width
