"""Files of private keys: made whole or not at all, never over an existing one, and for their owner's eyes alone."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import Problem, StoreError


def load_private_key(path: Path, passphrase: bytes | None = None) -> object:
    """The private key in the PEM file `path`, of whatever kind.

    Raises: StoreError if it is missing, not a key, others than its owner may read it, or its passphrase is wrong,
    missing or not needed.
    """
    pem = read_file(path)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise StoreError(Problem("", str(path), "a file that only its owner may read", f"Run: chmod 600 {path}"))
    try:
        return serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError) as error:
        raise StoreError(
            Problem("", str(path), f"a private key in PEM form ({error})", "Restore the file, or give its passphrase.")
        ) from error


def private_key_pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey, passphrase: bytes | None = None) -> bytes:
    """The key in PKCS#8 PEM form, encrypted if there is a passphrase; else the file's mode is what protects it."""
    encryption: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


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
        raise StoreError(Problem("", str(path), f"a folder to write in ({error})", "Check the folder.")) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError as error:
        raise StoreError(Problem("", str(path), f"a place to write to ({error})", "Check disk and folder.")) from error
    finally:
        os.unlink(temporary)


def refuse_existing(path: Path) -> None:
    """Raises: StoreError if path exists."""
    if path.exists():
        raise StoreError(
            Problem("", str(path), "no such file yet", "Keep the key, or move it away before making another.")
        )


def read_file(path: Path) -> bytes:
    """The bytes of the file. Raises: StoreError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(
            Problem("", str(path), f"a readable file ({error})", "Restore it, or make keys anew.")
        ) from error
