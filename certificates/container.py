"""The signature inside a signed certificate, read byte by byte: which bytes it covers and what its container holds.

Nothing of the PDF is parsed here, so hostile bytes meet no parser but the few lines below. The container (CMS, RFC
5652) is not searched for what we want: its parts are taken out, the one container that our profile makes of them is
built anew, and the bytes must be equal. So no byte of the file is free: the ranges are covered by the digest, and the
gap between them is fixed by the profile. Without this, unsigned parts of a CMS could be changed unnoticed. One thing is
left, a property of ECDSA: whoever has a signature (r, s) can derive (r, n - s), which holds over the same bytes and
says the same; it differs in many bytes, so no damage makes it.

Profile: PAdES baseline B-B (ETSI EN 319 142-1) as pyHanko writes it: SHA-256, ECDSA, one signer by issuer and serial
number, signed attributes content-type, message-digest and signing-certificate-v2 (RFC 5035), no unsigned attributes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.errors import MalformedProofError, problem

MAX_CERTIFICATES = 5
MAX_CONTAINER_BYTES = 32 * 1024
"""Of the gap, decoded. A container of our profile with five certificates has some 6 KiB."""

_MAX_ATTRIBUTES = 3

_BYTE_RANGE = re.compile(rb"/ByteRange \[0 ([1-9][0-9]{0,11}) ([1-9][0-9]{0,11}) ([1-9][0-9]{0,11})\] *\n")
_SIGNING_TIME = re.compile(rb"/M \(D\\072([0-9]{14})Z\)\n")

_SEQUENCE, _SET, _INTEGER, _OCTETS, _CONTEXT_0, _CONTEXT_4 = 0x30, 0x31, 0x02, 0x04, 0xA0, 0xA4
_VERSION_1 = bytes.fromhex("020101")
_OID_DATA = bytes.fromhex("06092a864886f70d010701")
_OID_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_OID_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_OID_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_OID_SIGNING_CERTIFICATE_V2 = bytes.fromhex("060b2a864886f70d010910022f")
_SHA256 = bytes.fromhex("300d06096086480165030402010500")
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


@dataclass(frozen=True)
class SignedBytes:
    """What the signature covers: everything but the gap that holds its container.

    byte_range: start and length of the first part, start and length of the second, in bytes.
    digest: SHA-256 of everything else, 32 bytes.
    signed_at: the signing time that the covered bytes claim.
    """

    byte_range: tuple[int, int, int, int]
    digest: bytes
    signed_at: datetime

    @property
    def gap(self) -> slice:
        """Where in the file the container stands, angle brackets included."""
        return slice(self.byte_range[1], self.byte_range[2])


@dataclass(frozen=True)
class Container:
    """The parts of a signature container.

    leaf: the signer's certificate. intermediates: the others in it, as they stand.
    message_digest: the digest that was signed, 32 bytes. signed_attributes: what the signature is over, DER.
    signature: ECDSA signature, DER.
    """

    leaf: x509.Certificate
    intermediates: tuple[x509.Certificate, ...]
    message_digest: bytes
    signed_attributes: bytes
    signature: bytes


def find_signed_bytes(pdf: bytes) -> SignedBytes:
    """The bytes that the file's last signature covers, if they are all of the file but the gap for the container.

    Raises: MalformedProofError if there is no signature of our form, or bytes are missing or left over.
    """
    at = pdf.rfind(b"/ByteRange")
    if at < 0:
        _broken(f"{len(pdf)} bytes without a signature", "a signed PDF")
    match = _BYTE_RANGE.match(pdf, at)
    if match is None:
        _broken(pdf[at : at + 60], "a byte range of the form /ByteRange [0 a b c]")
    first, second, rest = (int(number) for number in match.groups())
    end = second + rest
    if end < len(pdf):
        _broken(f"{len(pdf) - end} bytes after the signed bytes", "nothing after them")
    if end > len(pdf):
        _broken(f"{len(pdf)} bytes", f"{end} bytes, as the signature says: the file was cut")
    if not (first < second - 1 and pdf[first : first + 1] == b"<" and pdf[second - 1 : second] == b">"):
        _broken(pdf[first : first + 20], "a gap that is exactly the signature's container, <...>")
    if not pdf.endswith(b"/Contents ", 0, first) or not second <= at:
        _broken(pdf[max(0, first - 20) : first], "the gap right after /Contents, and the byte range after it")
    time = _SIGNING_TIME.search(pdf, at, at + 400)
    if time is None:
        _broken(pdf[at : at + 60], "a signing time /M (D:YYYYMMDDHHMMSSZ) beside the signature")
    try:
        signed_at = datetime.strptime(time[1].decode("ascii"), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        _broken(time[1], "a signing time that exists")
    digest = hashlib.sha256(pdf[:first])
    digest.update(pdf[second:])
    return SignedBytes((0, first, second, rest), digest.digest(), signed_at)


def read_container(gap: bytes) -> Container:
    """The parts of the container in `gap`, if it is exactly the one that our profile makes of them.

    gap: the bytes "<...>" of /Contents: capital hex digits of the DER, then zeros.
    Raises: MalformedProofError otherwise.
    """
    text = gap[1:-1]
    if len(text) > 2 * MAX_CONTAINER_BYTES:
        _broken(f"a container of {len(text) // 2} bytes", f"at most {MAX_CONTAINER_BYTES} bytes")
    if len(text) % 2 or not re.fullmatch(rb"[0-9A-F]+", text):
        _broken(gap[:40], "capital hexadecimal digits, two a byte")
    padded = bytes.fromhex(text.decode("ascii"))
    try:
        whole, rest = _split(padded, _SEQUENCE)
        if rest.strip(b"\x00"):
            _broken(f"{len(rest.strip(bytes(1)))} bytes after the container", "zeros up to the end of the gap")
        container = _read_parts(whole)
        built = _build(container)
    except (ValueError, IndexError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
        _broken(gap[:40], f"a signature container of our profile ({error})")
    if built != padded[: len(padded) - len(rest)]:
        _broken(gap[:40], "exactly the container that our profile makes of its certificate, digest and signature")
    return container


def _read_parts(content_info: bytes) -> Container:
    """The parts of a ContentInfo's contents. Raises: ValueError where it has another shape."""
    _, rest = _take(content_info)  # contentType
    explicit, _ = _split(rest, _CONTEXT_0)
    signed_data, _ = _split(explicit, _SEQUENCE)
    _, rest = _take(signed_data)  # version
    _, rest = _take(rest)  # digestAlgorithms
    _, rest = _take(rest)  # encapContentInfo
    certificate_set, rest = _split(rest, _CONTEXT_0)
    certificates = []
    while certificate_set:
        one, certificate_set = _take(certificate_set)
        certificates.append(x509.load_der_x509_certificate(one))
        if len(certificates) > MAX_CERTIFICATES:
            raise ValueError(f"more than {MAX_CERTIFICATES} certificates")
    signer_set, _ = _split(rest, _SET)
    signer, _ = _split(signer_set, _SEQUENCE)
    _, rest = _take(signer)  # version
    signer_id, rest = _take(rest)
    _, rest = _take(rest)  # digestAlgorithm
    attributes, rest = _split(rest, _CONTEXT_0)
    _, rest = _take(rest)  # signatureAlgorithm
    signature, _ = _split(rest, _OCTETS)
    leaves = [item for item in certificates if _issuer_and_serial(item) == signer_id]
    if len(leaves) != 1:
        raise ValueError("the signer's certificate, once")
    others = tuple(item for item in certificates if item is not leaves[0])
    return Container(leaves[0], others, _message_digest(attributes), _tlv(_SET, attributes), signature)


def _message_digest(attributes: bytes) -> bytes:
    for _ in range(_MAX_ATTRIBUTES):
        attribute, attributes = _split(attributes, _SEQUENCE)
        kind, values = _take(attribute)
        if kind == _OID_MESSAGE_DIGEST:
            value, _ = _split(values, _SET)
            return _split(value, _OCTETS)[0]
    raise ValueError("a message digest")


def _build(container: Container) -> bytes:
    """The one container that the profile makes of these parts, DER."""
    signer_id = _issuer_and_serial(container.leaf)
    attributes = [
        _tlv(_SEQUENCE, _OID_CONTENT_TYPE + _tlv(_SET, _OID_DATA)),
        _tlv(_SEQUENCE, _OID_MESSAGE_DIGEST + _tlv(_SET, _tlv(_OCTETS, container.message_digest))),
        _tlv(_SEQUENCE, _OID_SIGNING_CERTIFICATE_V2 + _tlv(_SET, _signing_certificate(container.leaf))),
    ]
    signed = b"".join(sorted(attributes))  # DER sorts the members of a SET OF by their bytes
    signer = _tlv(
        _SEQUENCE,
        _VERSION_1
        + signer_id
        + _SHA256
        + _tlv(_CONTEXT_0, signed)
        + _ECDSA_SHA256
        + _tlv(_OCTETS, container.signature),
    )
    certificates = sorted(_der(item) for item in (container.leaf, *container.intermediates))
    signed_data = _tlv(
        _SEQUENCE,
        _VERSION_1
        + _tlv(_SET, _SHA256)
        + _tlv(_SEQUENCE, _OID_DATA)
        + _tlv(_CONTEXT_0, b"".join(certificates))
        + _tlv(_SET, signer),
    )
    return _tlv(_SEQUENCE, _OID_SIGNED_DATA + _tlv(_CONTEXT_0, signed_data))


def _signing_certificate(leaf: x509.Certificate) -> bytes:
    """SigningCertificateV2 with one ESSCertIDv2 by SHA-256, the default algorithm and so left out (RFC 5035)."""
    issuer, rest = _take(_split(_issuer_and_serial(leaf), _SEQUENCE)[0])
    names = _tlv(_SEQUENCE, _tlv(_CONTEXT_4, issuer))
    one = _tlv(_OCTETS, hashlib.sha256(_der(leaf)).digest()) + _tlv(_SEQUENCE, names + rest)
    return _tlv(_SEQUENCE, _tlv(_SEQUENCE, _tlv(_SEQUENCE, one)))


def _issuer_and_serial(certificate: x509.Certificate) -> bytes:
    """IssuerAndSerialNumber with the very bytes of the certificate (RFC 5280: version, serial, algorithm, issuer)."""
    rest, _ = _split(certificate.tbs_certificate_bytes, _SEQUENCE)
    if rest[0] == _CONTEXT_0:
        _, rest = _take(rest)
    serial, rest = _take(rest)
    _, rest = _take(rest)
    issuer, _ = _take(rest)
    return _tlv(_SEQUENCE, issuer + serial)


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _header(data: bytes) -> tuple[int, int]:
    """(length of tag and length, length of the contents) of the element that `data` begins with.

    Raises: ValueError or IndexError if the element is not whole. Other spellings than DER need no care here: the
    rebuilt container would differ.
    """
    length, start = data[1], 2
    if length >= 0x80:
        start = 2 + (length & 0x7F)
        length = int.from_bytes(data[2:start], "big")
    if start + length > len(data):
        raise ValueError("an element within its bounds")
    return start, length


def _take(data: bytes) -> tuple[bytes, bytes]:
    """(first element, what follows it)."""
    start, length = _header(data)
    return data[: start + length], data[start + length :]


def _split(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """(contents of the first element, what follows it). Raises: ValueError if its tag is another."""
    if data[0] != tag:
        raise ValueError(f"tag {tag:#04x}, not {data[0]:#04x}")
    start, length = _header(data)
    return data[start : start + length], data[start + length :]


def _tlv(tag: int, contents: bytes) -> bytes:
    """An element in DER."""
    length = len(contents)
    if length < 0x80:
        return bytes([tag, length]) + contents
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + contents


def _broken(found: object, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Get the file again from its issuer, unchanged."))
