"""Rotating the keys of an installation: the files, around what the log says (`ledger.service.key_changes`).

Every step can be repeated: after a crash the same command goes on where it stopped. A new key is written to a file
before the log names it, and stands in its place only after; a key that was given up is kept beside it, since old data
may still be encrypted or asked for with it, and nothing here deletes a key.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.deps import now, open_ledger, operator_actor
from api.log_key_files import log_key_path, next_key_path, passphrase_of, signer_at, signer_named
from api.settings import Settings
from certificates.keys import load_issuer, load_private_key, private_key_pem, renew_issuer, write_new_file
from certificates.signer import certificate_sha256
from ledger.errors import InputError, RuleError, StoreError, problem
from ledger.log.checkpoint import format_vkey
from ledger.log.forms import format_base64
from ledger.log.keyring import Keyring, format_keyring, parse_keyring
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger, make_actor
from ledger.service.key_changes import add_log_key, keyring_now, retire_log_key, rotate_actor_key, vkey_of
from ledger.store.key_files import read_file
from ledger.store.pin import sync_folder, write_file
from ledger.store.signers import PKCS11, parse_pkcs11_uri

RETIRED = ".retired-"
KEYRING_FILE = "log-keys.json"
VKEY_FILE = "log.vkey"


@dataclass(frozen=True)
class Rotation:
    """What a step came to. key: name of the new key. seq: of the entry that says so, None if nothing is logged of it.

    done: whether this was the last step, and the old key is out of use.
    """

    role: str
    key: str
    seq: int | None
    done: bool


def rotate_log_key(settings: Settings, where: str | None = None) -> Rotation:
    """Add a second log key, signed for by both; from then on both sign checkpoints.

    where: "pkcs11:..." of a key in a hardware module that is to be the new one; None to make one in a file.
    Raises: StoreError if the settings name a module directly, or a key cannot be used; RuleError if another rotation is
    not finished.
    """
    path = _own_file(settings)
    beside = next_key_path(path)
    if not beside.exists():
        if where is None:
            data = private_key_pem(Ed25519PrivateKey.generate(), passphrase_of(settings))
        else:
            _check_module_key(settings, where)
            data = f"{where}\n".encode()
        write_new_file(beside, data)
    elif where is not None and read_file(beside).strip() != where.encode():
        raise RuleError(
            problem("/new", str(beside), "no rotation under way", "Finish that one, or take its file away.")
        )
    new = signer_at(settings, beside)
    ledger = open_ledger(settings)
    appended = add_log_key(ledger, new, operator_actor(settings))
    write_trusted_keys(settings, keyring_now(ledger))
    make_checkpoint(ledger, full=False)
    vkey = format_vkey(settings.origin, new.public_key())
    return Rotation("log", vkey, None if appended is None else appended.seq, done=False)


def finish_log_key(settings: Settings) -> Rotation:
    """End the overlap: the old key is retired in the log, its file moved aside, the new one stands in its place.

    Raises: RuleError if no rotation is under way.
    """
    path = _own_file(settings)
    beside = next_key_path(path)
    ledger = open_ledger(settings)
    seq = None
    if beside.exists():
        new = signer_at(settings, beside)
        ring = keyring_now(ledger)
        vkey = format_vkey(settings.origin, new.public_key())
        if ring.find(vkey) is None:
            raise RuleError(problem("/new", vkey, "a key that the log has added", "Run `key rotate log` first."))
        old = vkey_of(ledger, ledger.signing_key())
        # A checkpoint with both lines that holds the handover: who knows the old key alone can follow it.
        make_checkpoint(ledger, full=False)
        appended = retire_log_key(ledger, old, operator_actor(settings))
        seq = None if appended is None else appended.seq
        _put_aside(path, old.key_hash.hex())
        os.replace(beside, path)
        sync_folder(path.parent)
        ledger = open_ledger(settings)
    ring = keyring_now(ledger)
    vkey = format_vkey(settings.origin, ledger.signing_key().public_key())
    if not ring.is_history:
        raise RuleError(problem("/log_key", vkey, "a rotation under way", "Run `key rotate log` first."))
    make_checkpoint(ledger, full=False)
    write_trusted_keys(settings, ring)
    return Rotation("log", vkey, seq, done=True)


def write_trusted_keys(settings: Settings, ring: Keyring) -> None:
    """The history, and the newest key that is not revoked, into the trust folder. Raises: StoreError."""
    path = settings.trust_dir / KEYRING_FILE
    if path.exists() and parse_keyring(read_file(path).decode("utf-8")).origin != ring.origin:
        raise StoreError(problem("/trust_dir", str(path), f"the keys of {ring.origin}", "Give that file another name."))
    usable = [key for key in ring.keys if key.to_size is None and key.revoked is None]
    try:
        # The history first: with it beside, a verifier key counts only if it is in there.
        write_file(path, format_keyring(ring).encode("utf-8"))
        if len(usable) == 1:
            write_file(settings.trust_dir / VKEY_FILE, f"{usable[0].text}\n".encode())
    except OSError as error:
        raise StoreError(
            problem("/trust_dir", f"{settings.trust_dir}: {error}", "a folder to write in", "Check the folder.")
        ) from error


def rotate_operator_key(settings: Settings) -> Rotation:
    """A new key for the operator, signed for by both; the old one signs nothing after the entry that says so."""
    path = settings.keys_dir / "operator.key"
    beside = next_key_path(path)
    if not beside.exists():
        write_new_file(beside, private_key_pem(Ed25519PrivateKey.generate()))
    new_key = load_private_key(beside)
    if not isinstance(new_key, Ed25519PrivateKey):
        raise StoreError(problem("", str(beside), "an Ed25519 key", "Take the file away."))
    old = operator_actor(settings)
    appended = rotate_actor_key(open_ledger(settings), old, new_key)
    _put_aside(path, old.kid)
    os.replace(beside, path)
    sync_folder(path.parent)
    kid = make_actor(old.actor, new_key).kid
    return Rotation("actor", kid, None if appended is None else appended.seq, done=True)


def make_actor_key(path: Path) -> str:
    """A new key in a file that must not exist yet. Returns its public half: base64 of 32 bytes. Raises: StoreError."""
    key = Ed25519PrivateKey.generate()
    write_new_file(path, private_key_pem(key))
    return format_base64(key.public_key().public_bytes_raw())


def rotate_issuer_key(settings: Settings) -> Rotation:
    """A new key and certificate for the issuer of certificates.

    issuer.key.next and issuer.pem.next, if one's own authority has made them; else by the demonstration authority,
    where its key is here. Nothing is logged: every certificate's entry names its signer.
    Raises: StoreError without either.
    """
    key_path, chain_path = settings.keys_dir / "issuer.key", settings.keys_dir / "issuer.pem"
    next_key, next_chain = next_key_path(key_path), next_key_path(chain_path)
    if not next_key.exists():
        if not (settings.keys_dir / "ca.key").exists():
            raise StoreError(
                problem(
                    "/keys_dir",
                    str(next_key),
                    f"the new key there and its certificate in {next_chain.name}",
                    "Have your authority certify a new P-256 key, put both files there, and run this again.",
                )
            )
        write_new_file(next_key, private_key_pem(ec.generate_private_key(ec.SECP256R1())))
    issuer_key = load_private_key(next_key)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise StoreError(problem("", str(next_key), "an ECDSA P-256 key", "Sign with a P-256 key."))
    # A crash between the two replacements below leaves the new chain in place and the new key beside the old one.
    if not next_chain.exists() and _first_certificate(chain_path).public_key() != issuer_key.public_key():
        write_new_file(next_chain, _certified_here(settings, issuer_key))
    if next_chain.exists():
        if _first_certificate(next_chain).public_key() != issuer_key.public_key():
            raise StoreError(problem("", str(next_chain), f"the certificate of {next_key}", "Put both of one issuer."))
        name = certificate_sha256(_first_certificate(chain_path))[:16]
        _put_aside(key_path, name)
        _put_aside(chain_path, name)
        os.replace(next_chain, chain_path)
    os.replace(next_key, key_path)
    sync_folder(settings.keys_dir)
    return Rotation("issuer", certificate_sha256(load_issuer(settings.keys_dir).certificate), None, done=True)


def _first_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(read_file(path))[0]
    except ValueError as error:
        raise StoreError(problem("", str(path), f"PEM certificates ({error})", "Restore the file.")) from error


def _certified_here(settings: Settings, issuer_key: ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate for the key by the demonstration authority, PEM."""
    authority_key = load_private_key(settings.keys_dir / "ca.key")
    if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
        raise StoreError(problem("", str(settings.keys_dir / "ca.key"), "a P-256 key", "Put the right key there."))
    root = _first_certificate(settings.trust_dir / "ca.pem")
    issuer = renew_issuer(root, authority_key, issuer_key, now())
    return issuer.certificate.public_bytes(serialization.Encoding.PEM)


def signers_here(settings: Settings, ledger: Ledger) -> list[str]:
    """Verifier keys of the log whose private halves are here."""
    here = [signer for signer in (ledger.log_key, ledger.next_log_key) if signer is not None]
    return [format_vkey(settings.origin, signer.public_key()) for signer in here]


def _own_file(settings: Settings) -> Path:
    path = log_key_path(settings)
    if path is None:
        raise StoreError(
            problem(
                "/log_key",
                "an address of a hardware module",
                "a file that holds the address, so that it can hand over to another",
                f'Write the address into {settings.keys_dir / "log.key"} (chmod 600), set log_key = "log.key".',
            )
        )
    return path


def _check_module_key(settings: Settings, where: str) -> None:
    """That the key is there and signs, before anything rests on it. Raises: StoreError, InputError."""
    if not where.startswith(PKCS11):
        shown = where.partition("?")[0]  # what comes after may hold a PIN
        raise StoreError(problem("--new", shown, f"{PKCS11}..., RFC 7512", "Leave it out to make a key in a file."))
    if parse_pkcs11_uri(where).pin is not None:
        next_step = "Set MAGNET_LEDGER_LOG_KEY_PIN, or name a file: pin-source=file:..."
        raise InputError(
            problem("--new", "a PIN", "an address without one: others see what is on a command line", next_step)
        )
    signer_named(settings, where).sign(b"can it sign?")


def _put_aside(path: Path, name: str) -> None:
    """A second name for the file, so that its own can go to another; it never stands without a key."""
    aside = path.with_name(f"{path.name}{RETIRED}{name}")
    if not aside.exists():
        os.link(path, aside)
        sync_folder(path.parent)
