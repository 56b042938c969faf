"""Keys that sign certificates: the issuer's certificate and key as files, and a demo authority to issue them.

The issuer signs with ECDSA on P-256, which common PDF readers accept (they call an Ed25519 signature broken). Private
keys are files of mode 0600 in a folder of mode 0700, written whole or not at all and never over an existing file. A
real plant puts its own authority's root into `trust/` and its own issuer certificate into `keys/`; nothing else
changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ledger.errors import StoreError, problem
from ledger.store.key_files import (
    load_private_key,
    make_private_folder,
    private_key_pem,
    read_file,
    refuse_existing,
    write_new_file,
)

__all__ = [
    "DemoAuthority",
    "Issuer",
    "load_issuer",
    "load_private_key",
    "make_demo_authority",
    "make_private_folder",
    "private_key_pem",
    "renew_issuer",
    "write_demo_authority",
    "write_new_file",
]

ROOT_YEARS = 20
ISSUER_YEARS = 5
_YEAR = timedelta(days=365)
_CLOCK_SKEW = timedelta(minutes=5)
"""How long before it was made a certificate begins to be valid, for verifiers whose clock is a little behind."""


@dataclass(frozen=True)
class Issuer:
    """Who signs certificates.

    certificate: the issuer's X.509 certificate, for digitalSignature and nonRepudiation.
    private_key: its ECDSA P-256 key.
    intermediates: certificates between it and the root, nearest first; empty where the root issued it itself.
    """

    certificate: x509.Certificate
    private_key: ec.EllipticCurvePrivateKey
    intermediates: tuple[x509.Certificate, ...] = ()


@dataclass(frozen=True)
class DemoAuthority:
    """A freshly made authority and the issuer that it certified. The root is what verifiers trust."""

    root: x509.Certificate
    root_key: ec.EllipticCurvePrivateKey
    issuer: Issuer


def make_demo_authority(organisation: str, country: str, made_at: datetime) -> DemoAuthority:
    """A new root and an issuer certificate under it, both with new P-256 keys, in memory.

    organisation: the plant's name, for the subjects. country: ISO 3166-1 alpha-2. made_at: start of validity, with
    zone.
    """
    root_key = ec.generate_private_key(ec.SECP256R1())
    root_name = _name(organisation, country, f"{organisation} demo root")
    root = (
        _unsigned_certificate(root_name, root_name, root_key.public_key(), made_at, ROOT_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    return DemoAuthority(root, root_key, _certified(root, root_key, issuer_key, organisation, country, made_at))


def renew_issuer(
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    made_at: datetime,
) -> Issuer:
    """Another issuer, with a new key, under a root of `make_demo_authority`.

    Raises: StoreError if root_key is not the root's.
    """
    if root.public_key() != root_key.public_key():
        raise StoreError(
            problem("", "another key", "the key of the root certificate", "Put ca.key and ca.pem together.")
        )
    organisation, country = (
        str(root.subject.get_attributes_for_oid(oid)[0].value)
        for oid in (NameOID.ORGANIZATION_NAME, NameOID.COUNTRY_NAME)
    )
    return _certified(root, root_key, issuer_key, organisation, country, made_at)


def _certified(
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    organisation: str,
    country: str,
    made_at: datetime,
) -> Issuer:
    issuer_name = _name(organisation, country, f"{organisation} certificate issuer")
    certificate = (
        _unsigned_certificate(issuer_name, root.subject, issuer_key.public_key(), made_at, ISSUER_YEARS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage("digital_signature", "content_commitment"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return Issuer(certificate, issuer_key)


def write_demo_authority(authority: DemoAuthority, keys_dir: Path, trust_dir: Path) -> None:
    """Writes `ca.key`, `issuer.key` and `issuer.pem` into keys_dir and the root `ca.pem` into trust_dir.

    Raises: StoreError if one of them exists already: a key is never written over.
    """
    for path in (keys_dir / "ca.key", keys_dir / "issuer.key", keys_dir / "issuer.pem", trust_dir / "ca.pem"):
        refuse_existing(path)
    make_private_folder(keys_dir)
    write_new_file(keys_dir / "ca.key", private_key_pem(authority.root_key))
    write_new_file(keys_dir / "issuer.key", private_key_pem(authority.issuer.private_key))
    chain = (authority.issuer.certificate, *authority.issuer.intermediates)
    write_new_file(keys_dir / "issuer.pem", b"".join(item.public_bytes(serialization.Encoding.PEM) for item in chain))
    trust_dir.mkdir(parents=True, exist_ok=True)
    write_new_file(trust_dir / "ca.pem", authority.root.public_bytes(serialization.Encoding.PEM), mode=0o644)


def load_issuer(keys_dir: Path, passphrase: bytes | None = None) -> Issuer:
    """The issuer of `issuer.pem` (its certificate first, then intermediates) and `issuer.key` in keys_dir.

    Raises: StoreError if a file is missing or unreadable, others than the owner may read the key, it is not a P-256
    key, or it does not belong to the certificate.
    """
    key_path, chain_path = keys_dir / "issuer.key", keys_dir / "issuer.pem"
    private_key = load_private_key(key_path, passphrase)
    if not isinstance(private_key, ec.EllipticCurvePrivateKey) or not isinstance(private_key.curve, ec.SECP256R1):
        raise StoreError(
            problem("", str(key_path), "an ECDSA P-256 key", "Sign with a P-256 key: PDF readers know it.")
        )
    try:
        chain = x509.load_pem_x509_certificates(read_file(chain_path))
    except ValueError as error:
        raise StoreError(problem("", str(chain_path), f"PEM certificates ({error})", "Restore the file.")) from error
    if chain[0].public_key() != private_key.public_key():
        raise StoreError(
            problem(
                "", str(chain_path), f"the certificate of {key_path}", "Put key and certificate that belong together."
            )
        )
    return Issuer(chain[0], private_key, tuple(chain[1:]))


def _name(organisation: str, country: str, common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),  # X.520 upper bound
        ]
    )


def _unsigned_certificate(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey, made_at: datetime, years: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(made_at - _CLOCK_SKEW)
        .not_valid_after(made_at + years * _YEAR)
    )


def _key_usage(*uses: str) -> x509.KeyUsage:
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{use: use in uses for use in every})
