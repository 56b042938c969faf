"""Whether a signer's certificate leads to a root that the verifier trusts. No other root counts, and no network is
used.

Revocation of the signer's certificate is not looked up: a B-B signature carries nothing to do it with, offline.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from ledger.errors import BadSignatureError, InputError, problem

MAX_CHAIN_DEPTH = 4

_DOCUMENT_USES = {
    "1.3.6.1.5.5.7.3.36",  # id-kp-documentSigning, RFC 9336
    "1.3.6.1.4.1.311.10.3.12",  # the same of Microsoft, older
    "1.2.840.113583.1.1.5",  # the same of Adobe, older
    "1.3.6.1.5.5.7.3.4",  # id-kp-emailProtection, with which most authorities issue certificates for signing documents
    "2.5.29.37.0",  # any
}
"""Extended key usages of which a signer's certificate must name one, if it names any (RFC 5280, 4.2.1.12)."""

_ASK_ISSUER = "Ask the issuer which root certificate it uses, by another way than this file."


def parse_roots(roots: Sequence[bytes]) -> list[x509.Certificate]:
    """The root certificates in `roots`, PEM (one or more each) or DER.

    Raises: InputError naming the one that is not a certificate.
    """
    certificates = []
    for index, data in enumerate(roots):
        try:
            if data.lstrip().startswith(b"-----BEGIN"):
                certificates.extend(x509.load_pem_x509_certificates(data))
            else:
                certificates.append(x509.load_der_x509_certificate(data))
        except ValueError as error:
            raise InputError(
                problem(f"/roots/{index}", data[:40], f"a certificate, PEM or DER ({error})", "Give the root's file.")
            ) from error
    return certificates


def certificate_sha256(certificate: x509.Certificate) -> str:
    """Hex SHA-256 of the certificate's DER form."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def verify_signature(leaf: x509.Certificate, signature: bytes, data: bytes) -> None:
    """Raises: BadSignatureError unless `signature` (ECDSA P-256 with SHA-256, DER) is over `data` by leaf's key."""
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _bad_signature(f"a certificate with a key that can be read ({error})") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _bad_signature("a signature by an ECDSA P-256 key")
    try:
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise _bad_signature("a signature by the key of the certificate in it") from error


def verify_signer(
    leaf: x509.Certificate, intermediates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime
) -> list[x509.Certificate]:
    """The chain from leaf to one of the roots, if all of it was valid at the moment `at` and leaf may sign documents.

    Raises: BadSignatureError if there is no such chain, it does not use all intermediates, or the leaf is not a
    certificate for signing documents (key usage digitalSignature and nonRepudiation, an extended key usage that covers
    documents or none, basic constraints that say it is no authority).
    """
    authority = (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, verification.Criticality.CRITICAL, None)
        .require_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, None)
    )
    signer = (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, None)
        .require_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, None)
    )
    try:
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(list(roots)))
            .time(at)
            .max_chain_depth(MAX_CHAIN_DEPTH)
            .extension_policies(ca_policy=authority, ee_policy=signer)
            .build_client_verifier()
        )
        chain = verifier.verify(leaf, list(intermediates)).chain
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
        is_authority = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        uses = _extended_uses(leaf)
    except (verification.VerificationError, ValueError, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise BadSignatureError(
            problem(
                "", _subject(leaf), f"a certificate under a trusted root, valid on {at:%Y-%m-%d} ({error})", _ASK_ISSUER
            )
        ) from error
    for_documents = usage.digital_signature and usage.content_commitment and (not uses or uses & _DOCUMENT_USES)
    if not for_documents or is_authority:
        raise BadSignatureError(
            problem(
                "",
                _subject(leaf),
                "a certificate for signing documents (digitalSignature, nonRepudiation, no other extended use alone)",
                _ASK_ISSUER,
            )
        )
    if len(chain) != len(intermediates) + 2:
        raise BadSignatureError(
            problem("", len(intermediates), "only the certificates that the chain uses", _ASK_ISSUER)
        )
    return chain


def _extended_uses(certificate: x509.Certificate) -> set[str]:
    """Its extended key usages in dotted form; empty if it names none."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return set()
    return {use.dotted_string for use in extension.value}


def _subject(certificate: x509.Certificate) -> str:
    try:
        return certificate.subject.rfc4514_string()
    except ValueError:
        return "a certificate whose subject cannot be read"


def _bad_signature(expected: str) -> BadSignatureError:
    return BadSignatureError(problem("", "another", expected, "Treat the file as not signed by its issuer."))
