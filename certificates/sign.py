"""The issuer's signature over a certificate: PAdES baseline B-B, a certification signature, by pyHanko.

The signed file is the base, byte for byte, followed by one incremental update that holds the signature; so whoever can
render the base again can compare it. The signature's place is an invisible field unless the base brings a field of the
name `FIELD_NAME`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.extensions import DeveloperExtension
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.signers.pdf_signer import PdfSigningSession
from pyhanko_certvalidator.registry import SimpleCertificateStore

from certificates.container import find_signed_bytes
from certificates.keys import Issuer
from certificates.update import FIELD_NAME, base_length
from ledger.errors import StoreError, problem


def sign_certificate(base: bytes, issuer: Issuer, signed_at: datetime) -> bytes:
    """`base` with the issuer's certification signature appended.

    base: an unsigned PDF. signed_at: the time claimed for the signature, with zone; it is the issuer's word, not a
    trusted timestamp.
    Returns: the signed file; base is its prefix. Its signature value is random, as ECDSA's is, so two calls differ.
    Changes later on that the signature permits (DocMDP 2) are form filling and further signatures, so that a
    timestamp can be added one day; common readers misjudge timestamps after DocMDP 1.
    Raises: StoreError unless what comes out is base and then the one update that a verifier accepts;
    MalformedProofError if base is not of the form of a drawn certificate.
    """
    metadata = PdfSignatureMetadata(
        field_name=FIELD_NAME,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.FILL_FORMS,
    )
    output = BytesIO()
    SignerAt(metadata, signer_of(issuer), signed_at).sign_pdf(WriterThatKeepsMetadata(BytesIO(base)), output=output)
    signed = output.getvalue()
    if not signed.startswith(base) or base_length(signed, find_signed_bytes(signed)) != len(base):
        raise StoreError(problem("", len(signed), "the base, and then the signature alone", "Report this fault."))
    return signed


def signer_of(issuer: Issuer) -> SimpleSigner:
    """The issuer in pyHanko's terms. Its container holds the issuer's certificate and intermediates, no root."""
    registry = SimpleCertificateStore()  # type: ignore[no-untyped-call]  # pyHanko's, without annotations
    registry.register_multiple(_asn1_certificate(item) for item in issuer.intermediates)
    return SimpleSigner(
        signing_cert=_asn1_certificate(issuer.certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(
            issuer.private_key.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        ),
        cert_registry=registry,
        embed_roots=False,  # the verifier brings the roots; one in the file would prove nothing
    )


class WriterThatKeepsMetadata(IncrementalPdfFileWriter):
    """An incremental writer that leaves the document's metadata and version alone.

    pyHanko rewrites XMP with every update and loses the extension schema that PDF/A demands (pyHanko issue 755); its
    option xmp_unmanaged still writes date and producer. Overriding the hook per writer is the maintainer's advice in
    issue 223. The version stays the base's 1.7, of which PDF/A-3 is made; so extensions of 2.0 are not declared.
    ECDSA needs none.
    """

    def _update_meta(self) -> None:
        pass

    def ensure_output_version(self, version: tuple[int, int]) -> None:
        pass

    def register_extension(self, ext: DeveloperExtension) -> None:
        if ext.base_version == "/1.7":
            super().register_extension(ext)


class SignerAt(PdfSigner):
    """A signer whose claimed time is given, not read from the clock."""

    def __init__(self, metadata: PdfSignatureMetadata, signer: SimpleSigner, signed_at: datetime) -> None:
        super().__init__(metadata, signer)
        self._signed_at = signed_at.astimezone(UTC)

    def init_signing_session(self, pdf_out: BasePdfFileWriter, existing_fields_only: bool = False) -> PdfSigningSession:
        session = super().init_signing_session(pdf_out, existing_fields_only)
        session.system_time = self._signed_at
        return session


def _asn1_certificate(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
