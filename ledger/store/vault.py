"""The vault: keys that private values are sealed with, in files outside the database.

The database holds a private value and its salt encrypted only (AES-256-GCM), so do its journal, its backups and its
dumps. Each subject (a batch, a party, ...) has a data key of its own, a file of 32 bytes; destroying the file erases
what it sealed, wherever copies of the database may be. Here are keys and sealing; which rows there are is the affair of
`repository`.

A key file is named after the hash of log and subject and the key's id, so that a listing of the folder names nobody.
Writing is durable before it returns: a row whose key could be lost in a power cut must never be committed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ledger.errors import InputError, MalformedProofError, StoreError, VerificationError, problem
from ledger.log.canonical import Json, canonical_bytes, parse_canonical
from ledger.log.statement import SALT_BYTES
from ledger.store.pin import sync_folder

KEY_BYTES = 32
KEY_ID_BYTES = 8
NONCE_BYTES = 12
TAG_BYTES = 16
PADDING_BYTES = 64
"""A value is padded to a multiple of this, so that its length says little."""

SEALED_VERSION = b"\x01"
KEY_NAME_BYTES = len(SEALED_VERSION) + KEY_ID_BYTES
"""Length of what stands before nonce and ciphertext in a sealed value: version and key id."""

_SHORTEST_SEALED = KEY_NAME_BYTES + NONCE_BYTES + SALT_BYTES + PADDING_BYTES + TAG_BYTES
_FILE_NAME = re.compile(r"([0-9a-f]{64})-([0-9a-f]{16})\.key")


@dataclass(frozen=True)
class PrivateField:
    """A private value with its salt, in clear. seq: its entry. scope: what it belongs to, see `subject_of`."""

    seq: int
    field: str
    scope: str
    salt: bytes = dataclasses.field(repr=False)
    value: Json = dataclasses.field(repr=False)


@dataclass(frozen=True)
class SealedField:
    """A private value as the database holds it.

    sealed: version (1 byte) || key id (8) || nonce (12) || AES-256-GCM of (salt || canonical value, padded with spaces)
    with its tag (16); log, seq, field and scope are the associated data.
    """

    seq: int
    field: str
    scope: str
    sealed: bytes

    @property
    def key_id(self) -> bytes:
        """The id of the key that it is sealed with; empty if it has no such form."""
        return key_id_of(self.sealed)


@dataclass(frozen=True)
class DataKey:
    """The key of one scope. key_id: says which one, not what it is."""

    key_id: bytes
    secret: bytes = dataclasses.field(repr=False)


def key_id_of(sealed: bytes) -> bytes:
    """The key id in a sealed value or its beginning; empty if it is not of that form."""
    well_formed = sealed[:1] == SEALED_VERSION and len(sealed) >= KEY_NAME_BYTES
    return sealed[1:KEY_NAME_BYTES] if well_formed else b""


def seal(key: DataKey, nonce: bytes, origin: str, private: PrivateField) -> SealedField:
    """The value and its salt, sealed for its place in the log `origin`. nonce: 12 bytes never used with this key."""
    if len(nonce) != NONCE_BYTES or len(private.salt) != SALT_BYTES:
        raise ValueError(f"a nonce of {NONCE_BYTES} bytes and a salt of {SALT_BYTES}")
    value = canonical_bytes(private.value)
    value += b" " * (-len(value) % PADDING_BYTES)  # JSON text never ends in a space
    bound = _associated_data(origin, private.seq, private.field, private.scope)
    ciphertext = AESGCM(key.secret).encrypt(nonce, private.salt + value, bound)
    sealed = SEALED_VERSION + key.key_id + nonce + ciphertext
    return SealedField(private.seq, private.field, private.scope, sealed)


def unseal(key: DataKey, origin: str, row: SealedField) -> PrivateField:
    """The value and its salt. Raises: VerificationError if the row, or its place, is not what was sealed."""
    nonce = row.sealed[KEY_NAME_BYTES : KEY_NAME_BYTES + NONCE_BYTES]
    if row.key_id != key.key_id or len(row.sealed) < _SHORTEST_SEALED:
        _not_sealed(row, f"{len(row.sealed)} bytes under key {row.key_id.hex() or 'none'}")
    try:
        plain = AESGCM(key.secret).decrypt(
            nonce,
            row.sealed[KEY_NAME_BYTES + NONCE_BYTES :],
            _associated_data(origin, row.seq, row.field, row.scope),
        )
        value = parse_canonical(plain[SALT_BYTES:].rstrip(b" "))
    except (InvalidTag, InputError, MalformedProofError):  # InputError: a place that no entry can have
        _not_sealed(row, "bytes that were changed, or moved from another place")
    return PrivateField(row.seq, row.field, row.scope, plain[:SALT_BYTES], value)


@dataclass(frozen=True)
class Vault:
    """The folder of data keys. draw: 32 random bytes, other ones at each call."""

    folder: Path
    draw: Callable[[], bytes] = dataclasses.field(repr=False)

    def exists(self) -> bool:
        """Whether there is a vault on this machine at all."""
        return self.folder.is_dir()

    def new_nonce(self) -> bytes:
        """A nonce: 96 random bits, as NIST SP 800-38D section 8.2.2 allows for up to 2^32 values under one key."""
        return self.draw()[-NONCE_BYTES:]

    def make_keys(self, origin: str, scopes: Iterable[str]) -> dict[str, DataKey]:
        """A new key for each scope, on disk for good when this returns. Raises: StoreError."""
        keys = {scope: _make_key(self.draw()) for scope in scopes}
        if not keys:
            return keys
        try:
            self._make_folder()
            for scope, key in keys.items():
                _write_new(self._path(origin, scope, key.key_id), key.secret)
            sync_folder(self.folder)
        except OSError as error:
            raise self._unusable(error) from error
        return keys

    def find_key(self, origin: str, scope: str, key_id: bytes) -> DataKey | None:
        """The scope's key with this id, None if there is none (any more).

        Raises: VerificationError if its file is damaged; StoreError if it cannot be read.
        """
        path = self._path(origin, scope, key_id)
        try:
            secret = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unusable(error) from error
        key = _make_key(secret)
        if len(secret) != KEY_BYTES or key.key_id != key_id:
            raise VerificationError(
                problem("/vault_dir", f"{path}: damaged", "the key it is named for", "Put it back from a backup.")
            )
        return key

    def has_key(self, origin: str, scope: str, key_id: bytes) -> bool:
        """Whether there is a file for this key."""
        return self._path(origin, scope, key_id).exists()

    def key_ids(self, origin: str, scope: str) -> set[bytes]:
        """Ids of the keys that there are for a scope. Raises: StoreError."""
        prefix = _scope_name(origin, scope) + "-"
        found = (_FILE_NAME.fullmatch(path.name) for path in self._list(f"{prefix}*.key"))
        return {bytes.fromhex(match[2]) for match in found if match is not None}

    def destroy(self, origin: str, scope: str, key_id: bytes) -> None:
        """Overwrite the key and remove its file, for good when this returns; nothing happens if there is none.

        Overwriting reaches what the file system gives it: copies that it or a backup has made are out of reach.
        Raises: StoreError.
        """
        path = self._path(origin, scope, key_id)
        try:
            with path.open("r+b", buffering=0) as file:
                file.write(bytes(KEY_BYTES))
                os.fsync(file.fileno())
            path.unlink()
            sync_folder(self.folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._unusable(error) from error

    def files(self) -> list[Path]:
        """Every key file. Raises: StoreError."""
        return sorted(self._list("*.key"))

    def _list(self, pattern: str) -> list[Path]:
        try:
            return list(self.folder.glob(pattern))
        except OSError as error:
            raise self._unusable(error) from error

    def _path(self, origin: str, scope: str, key_id: bytes) -> Path:
        return self.folder / f"{_scope_name(origin, scope)}-{key_id.hex()}.key"

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self.folder.parent)

    def _unusable(self, error: OSError) -> StoreError:
        return StoreError(
            problem(
                "/vault_dir",
                f"{error.strerror}: {self.folder}",
                "a vault that can be used",
                "Check path, rights and room.",
            )
        )


def _make_key(secret: bytes) -> DataKey:
    """The key with its id: the first 8 bytes of SHA-256 over a label and the key, which tells nothing about it."""
    return DataKey(hashlib.sha256(b"magnet-ledger data key\n" + secret).digest()[:KEY_ID_BYTES], secret)


def _scope_name(origin: str, scope: str) -> str:
    return hashlib.sha256(canonical_bytes(["magnet-ledger scope", origin, scope])).hexdigest()


def _associated_data(origin: str, seq: int, field_name: str, scope: str) -> bytes:
    return canonical_bytes(["magnet-ledger private field", origin, seq, field_name, scope])


def _write_new(path: Path, secret: bytes) -> None:
    """A new file for its owner's eyes only, its content on disk when this returns; no file if that fails."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink()
        raise


def _not_sealed(row: SealedField, found: str) -> NoReturn:
    raise VerificationError(
        problem(
            f"/private/{row.field}",
            found,
            f"the sealed value of entry {row.seq}",
            "The database or the vault was changed by hand: put both back from a backup.",
        )
    )
