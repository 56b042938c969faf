"""What a signed certificate holds as a PDF: that its only signature is the issuer's certification, and its two files.

Call it only once the signature over every byte has been verified under a trusted root: then the parser meets nothing
but what the issuer made. No repair of damaged files is attempted.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import NoReturn

import pikepdf

from certificates.container import SignedBytes
from ledger.errors import MalformedProofError, problem

CONTENT_FILE = "certificate.json"
EVIDENCE_FILE = "evidence.json"

_PARSER_ERRORS = (pikepdf.PikepdfError, ValueError, TypeError, LookupError, AttributeError, RuntimeError)
"""What pikepdf raises where an object is missing or of another type than the code expects."""


def read_certificate(pdf: bytes, covered: SignedBytes) -> Mapping[str, bytes]:
    """The two embedded files by name, CONTENT_FILE and EVIDENCE_FILE.

    covered: what the signature was found to cover.
    Raises: MalformedProofError unless the file has exactly one signature, which is the one in `covered`, certifies the
    document and permits nothing but form filling (DocMDP 1 or 2), and exactly these two files.
    """
    try:
        with pikepdf.open(BytesIO(pdf), attempt_recovery=False, suppress_warnings=True) as document:
            _check_only_signature(document, covered, pdf)
            return _attachments(document)
    except _PARSER_ERRORS as error:
        _broken(type(error).__name__, f"a PDF of a certificate's structure ({error})")


def _check_only_signature(document: pikepdf.Pdf, covered: SignedBytes, pdf: bytes) -> None:
    fields = list(document.Root.AcroForm.Fields.as_list())
    if len(fields) != 1 or fields[0].FT != "/Sig" or "/Kids" in fields[0]:
        _broken(f"{len(fields)} form fields", "one form field, the issuer's signature")
    signature = fields[0].V
    if set(document.Root.Perms.keys()) != {"/DocMDP"} or document.Root.Perms.DocMDP.objgen != signature.objgen:
        _broken(sorted(document.Root.Perms.keys()), "a certification signature (DocMDP) in the one field")
    if [int(number) for number in signature.ByteRange.as_list()] != list(covered.byte_range):
        _broken("another byte range", "the byte range that was checked")
    if bytes(signature.Contents) != bytes.fromhex(pdf[covered.gap][1:-1].decode("ascii")):
        _broken("another container", "the signature container that was checked")
    if str(signature.M) != f"D:{covered.signed_at:%Y%m%d%H%M%S}Z":
        _broken(str(signature.M), "the signing time that was checked")
    kind = [str(signature.Type), str(signature.Filter), str(signature.SubFilter)]
    if kind != ["/Sig", "/Adobe.PPKLite", "/ETSI.CAdES.detached"]:
        _broken(kind, "a PAdES signature (ETSI.CAdES.detached)")
    references = signature.Reference.as_list()
    if len(references) != 1 or references[0].TransformMethod != "/DocMDP":
        _broken(f"{len(references)} references", "one reference, DocMDP")
    if int(references[0].TransformParams.P) not in (1, 2):
        _broken(int(references[0].TransformParams.P), "permission for form filling at most (DocMDP 1 or 2)")
    signatures = [each for each in document.objects if isinstance(each, pikepdf.Dictionary) and "/ByteRange" in each]
    if len(signatures) != 1:
        _broken(f"{len(signatures)} signatures", "one signature")


def _attachments(document: pikepdf.Pdf) -> dict[str, bytes]:
    tree = pikepdf.NameTree(document.Root.Names.EmbeddedFiles)
    specifications = dict(tree.items())
    if sorted(specifications) != [CONTENT_FILE, EVIDENCE_FILE]:
        _broken(sorted(specifications), f"exactly two embedded files, {CONTENT_FILE} and {EVIDENCE_FILE}")
    with_files = [each for each in document.objects if isinstance(each, pikepdf.Dictionary) and "/EF" in each]
    associated = sorted(each.objgen for each in document.Root.AF.as_list())
    if len(with_files) != 2 or associated != sorted(each.objgen for each in specifications.values()):
        _broken(f"{len(with_files)} file specifications", "the two embedded files and no other")
    files = {}
    for name, specification in specifications.items():
        streams = [specification.EF[key] for key in specification.EF.keys()]  # noqa: SIM118  # a pikepdf object, no dict
        if len({stream.objgen for stream in streams}) != 1 or str(specification.F) != name:
            _broken(name, "one file under one name")
        files[name] = streams[0].read_bytes()
    return files


def _broken(found: object, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Get the file again from its issuer, unchanged."))
