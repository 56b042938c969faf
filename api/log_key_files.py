"""Where the log's keys lie in an installation: the present one, the next one while they hand over, and who they are.

keys/log.key              the key; a PEM file, or one line "pkcs11:..." that says where in a module it is
keys/log.key.next         its heir, while both sign
keys/log.key.retired-...  what was given up, by key hash
trust/log.vkey            the verifier key, for who needs no more than one
trust/log-keys.json       the history, once there has been more than one
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import StoreError, problem
from ledger.store.key_files import read_file
from ledger.store.signers import PKCS11, open_signer

if TYPE_CHECKING:
    from api.settings import Settings
    from ledger.log.checkpoint import NoteSigner


def log_key_path(settings: Settings) -> Path | None:
    """The file of the log's key; None if the settings name a key in a hardware module directly."""
    return None if settings.log_key.startswith(PKCS11) else settings.keys_dir / settings.log_key


def next_key_path(path: Path) -> Path:
    """The file of the key that the one at path hands over to."""
    return path.with_name(path.name + ".next")


def log_signers(settings: Settings) -> tuple[NoteSigner | None, NoteSigner | None]:
    """The log's key and the next one, each None where it is not here.

    Raises: StoreError if a key file is there and cannot be used; InputError for a bad pkcs11 address.
    """
    path = log_key_path(settings)
    if path is None:
        return signer_named(settings, settings.log_key), None
    beside = next_key_path(path)
    return (
        signer_named(settings, str(path)) if path.exists() else None,
        signer_named(settings, str(beside)) if beside.exists() else None,
    )


def signer_at(settings: Settings, path: Path) -> NoteSigner:
    """The key in the file. Raises: as log_signers."""
    return signer_named(settings, str(path))


def passphrase_of(settings: Settings) -> bytes | None:
    """What the log's key files are encrypted with; None if they are not.

    Raises: StoreError if the settings name a file that cannot be read or is empty, or both file and environment.
    """
    given = settings.log_key_passphrase.get_secret_value()
    if settings.log_key_passphrase_file is None:
        return given.encode("utf-8") or None
    path = settings.log_key_passphrase_file
    if given:
        raise StoreError(problem("/log_key_passphrase_file", str(path), "one passphrase", "Give file or environment."))
    line = read_file(path).partition(b"\n")[0].removesuffix(b"\r")
    if not line:
        raise StoreError(
            problem("/log_key_passphrase_file", str(path), "a passphrase in the first line", "Write it there.")
        )
    return line


def signer_named(settings: Settings, where: str) -> NoteSigner:
    """The key at a path or address. Raises: as log_signers; a hardware module is reached when the key is used."""
    pin = settings.log_key_pin.get_secret_value()
    return open_signer(where, settings.keys_dir, passphrase=passphrase_of(settings), pin=pin or None)
