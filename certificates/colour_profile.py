"""The sRGB colour profile that a PDF/A output intent needs, written tag by tag.

A profile made by a library carries the time of its making, and its bytes move with the library's version; this one is
the same bytes for ever. Form: ICC.1:2004-10 (profile version 4.2), a matrix and curve display profile (clause 8.3.3).
Values: the sRGB primaries of IEC 61966-2-1 adapted to D50 by the Bradford matrix, as in the International Color
Consortium's own sRGB profiles; the curve is the parametric form of the same standard.
"""

from __future__ import annotations

from struct import pack

DESCRIPTION = "sRGB IEC61966-2.1"

_DATE = (2026, 1, 1, 0, 0, 0)

_D50 = ("0.9642", "1.0", "0.82491")
_COLUMNS = {
    b"rXYZ": (0.43606567, 0.22248840, 0.01391602),
    b"gXYZ": (0.38514709, 0.71687317, 0.09707642),
    b"bXYZ": (0.14306641, 0.06060791, 0.71409607),
}
_CHROMATIC_ADAPTATION = (
    1.04788208, 0.02291870, -0.05021667,
    0.02958679, 0.99047852, -0.01707458,
    -0.00923157, 0.01507568, 0.75167847,
)  # fmt: skip
# Function type 3 (clause 10.15): y = (a x + b)^g for x >= d, else y = c x.
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def srgb_profile() -> bytes:
    """The profile. Returns: always the same bytes."""
    curve = b"para" + pack(">IHH", 0, 3, 0) + b"".join(_s15_fixed16(value) for value in _CURVE)
    tags: list[tuple[bytes, bytes]] = [
        (b"desc", _text(DESCRIPTION)),
        (b"cprt", _text("No copyright, use freely")),
        (b"wtpt", _xyz(*(float(value) for value in _D50))),
        (b"chad", b"sf32" + bytes(4) + b"".join(_s15_fixed16(value) for value in _CHROMATIC_ADAPTATION)),
        *((name, _xyz(*values)) for name, values in _COLUMNS.items()),
        (b"rTRC", curve),
        (b"gTRC", curve),
        (b"bTRC", curve),
    ]
    return _file(tags)


def _file(tags: list[tuple[bytes, bytes]]) -> bytes:
    header_size, entry_size = 128, 12
    start = header_size + 4 + entry_size * len(tags)
    table = pack(">I", len(tags))
    data = b""
    places: dict[bytes, int] = {}
    for name, value in tags:
        if value not in places:  # the three curves share their bytes, as the standard allows
            places[value] = start + len(data)
            data += value + bytes(-len(value) % 4)
        table += name + pack(">II", places[value], len(value))
    size = start + len(data)
    header = (
        pack(">I4sI4s4s4s", size, bytes(4), 0x04200000, b"mntr", b"RGB ", b"XYZ ")
        + pack(">6H", *_DATE)
        + b"acsp"
        + bytes(4)  # no platform
        + bytes(4)  # flags: not embedded, usable alone
        + bytes(8)  # no maker, no model
        + bytes(8)  # attributes: reflective, glossy
        + bytes(4)  # perceptual
        + b"".join(_s15_fixed16(float(value)) for value in _D50)
        + bytes(4)  # no creator
        + bytes(16)  # no profile identity
        + bytes(28)
    )
    return header + table + data


def _s15_fixed16(value: float) -> bytes:
    return pack(">i", round(value * 65536))


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + _s15_fixed16(x) + _s15_fixed16(y) + _s15_fixed16(z)


def _text(text: str) -> bytes:
    """One American English record of a multi-localised text (clause 10.13)."""
    encoded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded
