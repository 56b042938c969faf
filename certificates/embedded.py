"""What a signed certificate holds as a PDF: its two files, and nothing that acts, hides or is attached beside them.

Call it only once the signature over every byte has been verified under a trusted root, and what it adds has been found
in order (`certificates.update`): then the parser meets nothing but what the issuer made. No repair of damaged files is
attempted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import NoReturn

import pikepdf

from ledger.errors import MalformedProofError, problem

CONTENT_FILE = "certificate.json"
EVIDENCE_FILE = "evidence.json"

_CATALOGUE_KEYS = {
    "/AF", "/Lang", "/Metadata", "/Names", "/OutputIntents", "/PageMode", "/Pages", "/Type", "/ViewerPreferences",
    "/AcroForm", "/Extensions", "/Perms",
}  # fmt: skip
_ACTIVE_KEYS = {"/A", "/AA", "/JS", "/Launch", "/OpenAction", "/RichMedia", "/URI", "/XFA"}
"""Keys that make a reader do something. A certificate only shows."""

MAX_FILE_BYTES = 32 * 1024 * 1024
"""Of an embedded file, unpacked."""

_MAX_DEPTH = 20

_PARSER_ERRORS = (pikepdf.PikepdfError, ValueError, TypeError, LookupError, AttributeError, RuntimeError, zlib.error)
"""What pikepdf raises where an object is missing or of another type than the code expects."""


def read_certificate(pdf: bytes) -> Mapping[str, bytes]:
    """The two embedded files by name, CONTENT_FILE and EVIDENCE_FILE.

    Raises: MalformedProofError unless the file has exactly these two files, one signature, no annotation but its field,
    and nothing that a reader would run.
    """
    try:
        with pikepdf.open(BytesIO(pdf), attempt_recovery=False, suppress_warnings=True) as document:
            dictionaries = [found for each in document.objects for found in _dictionaries(each)]
            _check_inert(document, dictionaries)
            return _attachments(document, dictionaries)
    except _PARSER_ERRORS as error:
        _broken(type(error).__name__, f"a PDF of a certificate's structure ({error})")


def _dictionaries(value: pikepdf.Object, depth: int = 0) -> Iterator[pikepdf.Object]:
    """The dictionaries that an indirect object holds directly, itself first, those of streams included."""
    if depth > _MAX_DEPTH:
        _broken(f"values {depth} deep", f"at most {_MAX_DEPTH}")
    children: list[pikepdf.Object] = []
    if isinstance(value, pikepdf.Stream):
        value = value.stream_dict
    if isinstance(value, pikepdf.Dictionary):
        yield value
        children = list(value.as_dict().values())
    elif isinstance(value, pikepdf.Array):
        children = list(value.as_list())
    for child in children:
        if isinstance(child, pikepdf.Dictionary | pikepdf.Array) and not child.is_indirect:
            yield from _dictionaries(child, depth + 1)


def _check_inert(document: pikepdf.Pdf, dictionaries: list[pikepdf.Object]) -> None:
    """One signature and one annotation, its field; no actions; a catalogue with what a certificate needs."""
    keys = set(document.Root.keys())
    if not keys <= _CATALOGUE_KEYS or set(document.Root.Names.keys()) != {"/EmbeddedFiles"}:
        _broken(sorted(keys - _CATALOGUE_KEYS), "a catalogue with a certificate's keys and no other")
    signatures = [each for each in dictionaries if "/ByteRange" in each]
    if len(signatures) != 1:
        _broken(f"{len(signatures)} signatures", "one signature")
    annotations = [len(each.Annots.as_list()) for each in dictionaries if "/Annots" in each]
    if annotations != [1]:
        _broken(f"{annotations} annotations", "one annotation, the signature's field")
    for each in dictionaries:
        if found := _ACTIVE_KEYS & set(each.keys()):
            _broken(sorted(found), "a file that does nothing when it is opened or read")


def _attachments(document: pikepdf.Pdf, dictionaries: list[pikepdf.Object]) -> dict[str, bytes]:
    tree = pikepdf.NameTree(document.Root.Names.EmbeddedFiles)
    specifications = dict(tree.items())
    if sorted(specifications) != [CONTENT_FILE, EVIDENCE_FILE]:
        _broken(sorted(specifications), f"exactly two embedded files, {CONTENT_FILE} and {EVIDENCE_FILE}")
    with_files = [each for each in dictionaries if "/EF" in each]
    associated = sorted(each.objgen for each in document.Root.AF.as_list())
    if len(with_files) != 2 or associated != sorted(each.objgen for each in specifications.values()):
        _broken(f"{len(with_files)} file specifications", "the two embedded files and no other")
    files = {}
    for name, specification in specifications.items():
        streams = [specification.EF[key] for key in specification.EF.keys()]  # noqa: SIM118  # a pikepdf object, no dict
        if len({stream.objgen for stream in streams}) != 1 or str(specification.F) != name:
            _broken(name, "one file under one name")
        files[name] = _decoded(streams[0], name)
    return files


def _decoded(stream: pikepdf.Object, name: str) -> bytes:
    """The stream's bytes. A small stream can stand for gigabytes, so it is decoded up to a limit and by us."""
    raw = stream.read_raw_bytes()
    if "/Filter" not in stream and len(raw) <= MAX_FILE_BYTES:
        return raw
    if "/DecodeParms" in stream or stream.get("/Filter") != "/FlateDecode":
        _broken(name, "a file that is packed by FlateDecode alone")
    unpacker = zlib.decompressobj()
    data = unpacker.decompress(raw, MAX_FILE_BYTES)
    if not unpacker.eof or unpacker.unused_data:
        _broken(name, f"a whole file of at most {MAX_FILE_BYTES} bytes")
    return data


def _broken(found: object, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Get the file again from its issuer, unchanged."))
