"""Keys that sign certificates: the issuer's certificate and key as files, and a demo authority to issue them.

The issuer signs with ECDSA on P-256, which common PDF readers accept (they call an Ed25519 signature broken). Private
keys are files of mode 0600 in a folder of mode 0700, written whole or not at all and never over an existing file. A
real plant puts its own authority's root into `trust/` and its own issuer certificate into `keys/`; nothing else
changes.
"""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ledger.errors import StoreError, problem

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
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    root_name = _name(organisation, country, f"{organisation} demo root")
    root = (
        _unsigned_certificate(root_name, root_name, root_key.public_key(), made_at, ROOT_YEARS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    issuer_name = _name(organisation, country, f"{organisation} certificate issuer")
    certificate = (
        _unsigned_certificate(issuer_name, root_name, issuer_key.public_key(), made_at, ISSUER_YEARS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage("digital_signature", "content_commitment"), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    return DemoAuthority(root, root_key, Issuer(certificate, issuer_key))


def write_demo_authority(authority: DemoAuthority, keys_dir: Path, trust_dir: Path) -> None:
    """Writes `ca.key`, `issuer.key` and `issuer.pem` into keys_dir and the root `ca.pem` into trust_dir.

    Raises: StoreError if one of them exists already: a key is never written over.
    """
    for path in (keys_dir / "ca.key", keys_dir / "issuer.key", keys_dir / "issuer.pem", trust_dir / "ca.pem"):
        _refuse_existing(path)
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
        chain = x509.load_pem_x509_certificates(_read(chain_path))
    except ValueError as error:
        raise StoreError(problem("", str(chain_path), f"PEM certificates ({error})", "Restore the file.")) from error
    if chain[0].public_key() != private_key.public_key():
        raise StoreError(
            problem(
                "", str(chain_path), f"the certificate of {key_path}", "Put key and certificate that belong together."
            )
        )
    return Issuer(chain[0], private_key, tuple(chain[1:]))


def load_private_key(path: Path, passphrase: bytes | None = None) -> object:
    """The private key in the PEM file `path`, of whatever kind.

    Raises: StoreError if it is missing, not a key, its passphrase is wrong, or others than its owner may read it.
    """
    pem = _read(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise StoreError(problem("", str(path), "a file that only its owner may read", f"Run: chmod 600 {path}"))
    try:
        return serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError) as error:
        raise StoreError(
            problem("", str(path), f"a private key in PEM form ({error})", "Restore the file, or give its passphrase.")
        ) from error


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key in PKCS#8 PEM form, not encrypted: the file's mode is what protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_private_folder(folder: Path) -> None:
    """Makes `folder` if it is not there, and gives it mode 0700."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)


def write_new_file(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Writes `data` to `path`, whole or not at all, durably, and never over an existing file.

    The bytes go to a temporary file in the same folder, which is then linked to `path`: linking fails if path exists,
    where renaming would replace it.
    Raises: StoreError if path exists or cannot be written.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600 from the start
    except OSError as error:
        raise StoreError(problem("", str(path), f"a folder to write in ({error})", "Check the folder.")) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        _refuse_existing(path)
        raise
    except OSError as error:
        raise StoreError(problem("", str(path), f"a place to write to ({error})", "Check disk and folder.")) from error
    finally:
        os.unlink(temporary)


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise StoreError(
            problem("", str(path), "no such file yet", "Keep the key, or move it away before making another.")
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(
            problem("", str(path), f"a readable file ({error})", "Restore it, or make keys anew.")
        ) from error


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
