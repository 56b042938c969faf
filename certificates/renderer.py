"""Which drawing of the page a certificate names, so that a verifier knows whether its own drawing can be compared.

The page is compared byte for byte. Another version of a drawing or compression library may give other bytes for the
same page, so a content names the libraries that drew it, and where they differ the page is not checked rather than
failed. Needs no drawing library itself.
"""

from __future__ import annotations

import zlib
from importlib.metadata import PackageNotFoundError, version

RENDERER = "magnet-ledger-page/1"
"""The page's design. A change to the drawing that changes bytes must raise it, for old certificates name theirs."""

_LIBRARIES = ("reportlab", "pikepdf", "fonttools", "fontpkg-ibm-plex-sans", "fontpkg-ibm-plex-mono")


def drawn_with() -> str:
    """The libraries here that the bytes of a page depend on, with their versions, as one text."""
    parts = [f"{name} {_version(name)}" for name in _LIBRARIES]
    return ", ".join([*parts, f"zlib {zlib.ZLIB_RUNTIME_VERSION}"])


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
