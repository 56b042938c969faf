"""The unsigned certificate file: the drawn pages, the content and evidence attached, and metadata for archives.

The base is a PDF 1.7 after PDF/A-3, conformance level B (ISO 19005-3): fonts embedded with clean character maps, an
sRGB output intent, XMP metadata, and the two attachments as associated files. It is not tagged, so it claims neither
level A nor PDF/UA. Signing appends to these bytes and leaves them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

import pikepdf
from pikepdf import Array, AttachedFileSpec, Dictionary, Name, Stream, String

from certificates.colour_profile import DESCRIPTION, srgb_profile
from certificates.page_parts import KIND_NAMES
from certificates.render import render_page
from certificates.renderer import RENDERER
from ledger.log.canonical import canonical_bytes

CONTENT_NAME = "certificate.json"
EVIDENCE_NAME = "evidence.json"


def render_base(content: Mapping[str, Any], evidence: Mapping[str, Any]) -> bytes:
    """The certificate before it is signed.

    content, evidence: JSON values, see docs/certificate-format.md; their canonical bytes are attached. The pages show
    the content alone.
    Returns: the same bytes for the same content and evidence, in every process.
    """
    with pikepdf.open(BytesIO(render_page(content))) as pdf:
        _clean_character_maps(pdf)
        _describe(pdf, content)
        issued = _issued(content)
        attachments = [
            _attach(pdf, CONTENT_NAME, canonical_bytes(dict(content)), "What this certificate states", issued),
            _attach(pdf, EVIDENCE_NAME, canonical_bytes(dict(evidence)), "Log entries, proofs and factors", issued),
        ]
        pdf.Root.AF = Array(attachments)
        output = BytesIO()
        pdf.save(
            output,
            min_version="1.7",
            deterministic_id=True,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            compress_streams=True,
            linearize=False,
            fix_metadata_version=False,
        )
    return output.getvalue()


def _issued(content: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(content["issued_at"]).astimezone(UTC)


def _attach(pdf: pikepdf.Pdf, name: str, data: bytes, description: str, date: datetime) -> pikepdf.Object:
    moment = date.strftime("D:%Y%m%d%H%M%SZ")
    pdf.attachments[name] = AttachedFileSpec(
        pdf,
        data,
        filename=name,
        mime_type="application/json",
        description=description,
        creation_date=moment,
        mod_date=moment,
        relationship=Name.Data,
    )
    return pdf.attachments[name].obj


def _describe(pdf: pikepdf.Pdf, content: Mapping[str, Any]) -> None:
    """Catalogue entries: metadata, colour, language; and an information dictionary that says no more than they do."""
    moment = _issued(content)
    metadata = Stream(pdf, _xmp(content, moment))
    metadata.Type = Name.Metadata
    metadata.Subtype = Name.XML
    root = pdf.Root
    root.Metadata = pdf.make_indirect(metadata)
    profile = Stream(pdf, srgb_profile())
    profile.N = 3
    profile.Alternate = Name.DeviceRGB
    root.OutputIntents = Array(
        [
            pdf.make_indirect(
                Dictionary(
                    Type=Name.OutputIntent,
                    S=Name.GTS_PDFA1,
                    OutputConditionIdentifier=String(DESCRIPTION),
                    Info=String(DESCRIPTION),
                    DestOutputProfile=pdf.make_indirect(profile),
                )
            )
        ]
    )
    root.Lang = String("en")
    root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
    root.PageMode = Name.UseNone
    # Titles stand in XMP alone: readers disagree about the encoding of other than ASCII text in the old dictionary.
    date = String(moment.strftime("D:%Y%m%d%H%M%SZ"))
    del pdf.docinfo
    pdf.trailer.Info = pdf.make_indirect(Dictionary(CreationDate=date, ModDate=date, Producer=String(RENDERER)))


def _title(content: Mapping[str, Any]) -> str:
    return f"{KIND_NAMES[content['kind']]} {content['certificate_id']}: {content['batch']['product']}, batch " + str(
        content["batch"]["batch_id"]
    )


def _xmp(content: Mapping[str, Any], moment: datetime) -> bytes:
    """The XMP packet, written out here: only what is needed, and always the same bytes."""
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:pdf="http://ns.adobe.com/pdf/1.3/"
    xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">
   <pdfaid:part>3</pdfaid:part>
   <pdfaid:conformance>B</pdfaid:conformance>
   <dc:format>application/pdf</dc:format>
   <dc:language><rdf:Bag><rdf:li>en</rdf:li></rdf:Bag></dc:language>
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">{_xml(_title(content))}</rdf:li></rdf:Alt></dc:title>
   <xmp:CreateDate>{stamp}</xmp:CreateDate>
   <xmp:ModifyDate>{stamp}</xmp:ModifyDate>
   <xmp:MetadataDate>{stamp}</xmp:MetadataDate>
   <pdf:Producer>{_xml(RENDERER)}</pdf:Producer>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>""".encode()


def _xml(text: str) -> str:
    """`text` for XML, without the control characters that XML 1.0 cannot carry."""
    return escape("".join(letter for letter in text if letter >= " "))


_MAPPING = re.compile(rb"<([0-9A-Fa-f]{2})> <([0-9A-Fa-f]{4})>\n")
_MAPPINGS = re.compile(rb"[0-9]+ beginbfchar\n(?:<[0-9A-Fa-f]{2}> <[0-9A-Fa-f]{4}>\n)+endbfchar\n")


def _clean_character_maps(pdf: pikepdf.Pdf) -> None:
    """Write the fonts' maps to Unicode anew: reportlab maps every unused code to U+0000, which is no character."""
    for candidate in pdf.objects:
        if not isinstance(candidate, Dictionary) or candidate.get(Name.Type) != Name.Font:
            continue
        if Name.ToUnicode in candidate:
            candidate.ToUnicode.write(_clean_map(candidate.ToUnicode.read_bytes()))


def _clean_map(source: bytes) -> bytes:
    """A map in reportlab's form, the zero targets left out, in blocks of at most 100 (ISO 32000-1, 9.10.3; CMap rules).

    Raises: ValueError if the map is in another form, as of an unknown version of reportlab.
    """
    found = _MAPPINGS.search(source)
    if found is None:
        raise ValueError("a character map in a form that this version of reportlab was not known to write")
    lines = [
        b"<%s> <%s>\n" % (code, target) for code, target in _MAPPING.findall(found.group()) if int(target, 16) != 0
    ]
    blocks = b""
    for start in range(0, len(lines), 100):
        part = lines[start : start + 100]
        blocks += b"%d beginbfchar\n%sendbfchar\n" % (len(part), b"".join(part))
    return source[: found.start()] + blocks + source[found.end() :]
