"""The log's private key, where it is kept: a file, with or without passphrase, or a hardware module (PKCS#11).

What `open_signer` gives signs as an Ed25519PrivateKey does (`ledger.log.checkpoint.NoteSigner`); a key in a module
never leaves it. A key file may hold, in place of a PEM key, one line "pkcs11:..." that says where in a module the key
is, so that keys in modules are changed by moving files, too.
"""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import InputError, StoreError, problem
from ledger.store.key_files import load_private_key, read_file

if TYPE_CHECKING:
    from ledger.log.checkpoint import NoteSigner

PKCS11 = "pkcs11:"

_PATH_NAMES = frozenset({"token", "serial", "manufacturer", "model", "object", "id", "type", "slot-id"})
_QUERY_NAMES = frozenset({"module-path", "pin-source", "pin-value"})
_ESCAPED = re.compile(r"(?:[A-Za-z0-9._~:\[\]@!$'()*+,=&/-]|%[0-9A-Fa-f]{2})*")

_MAX_PIN_BYTES = 4_096


@dataclass(frozen=True)
class ModuleKey:
    """Where in which hardware module a key is: the attributes of an RFC 7512 URI that we use.

    module_path: the module's library. token, serial, manufacturer, model, slot_id: of the token, as far as given.
    label, id: of the key, one or both. pin_source: file that holds the PIN. pin: the PIN itself.
    """

    module_path: str
    token: str | None = None
    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    slot_id: int | None = None
    label: str | None = None
    id: bytes | None = None
    pin_source: str | None = None
    pin: str | None = field(default=None, repr=False)


def open_signer(where: str, keys_dir: Path, *, passphrase: bytes | None = None, pin: str | None = None) -> NoteSigner:
    """The Ed25519 key at `where`: "pkcs11:..." or the name of a file, relative to keys_dir.

    passphrase: of a key file, None if it is not encrypted. pin: of the hardware module, where its URI gives none.
    Raises: InputError for a URI that is not of its form; StoreError if the key is missing or another one than for
    Ed25519, others may read its file, passphrase or PIN is wrong, or the module cannot be reached.
    """
    if not where.startswith(PKCS11):
        path = keys_dir / where
        if not _points_to_module(path):
            return _from_file(path, passphrase)
        where = read_file(path).decode("utf-8").strip()
    return ModuleSigner(parse_pkcs11_uri(where), pin)


def _points_to_module(path: Path) -> bool:
    return read_file(path).startswith(PKCS11.encode("ascii"))


def _from_file(path: Path, passphrase: bytes | None) -> Ed25519PrivateKey:
    key = load_private_key(path, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError(problem("", str(path), "an Ed25519 key", "Put the right key there."))
    return key


def parse_pkcs11_uri(text: str) -> ModuleKey:
    """The key that an RFC 7512 URI names, such as
    "pkcs11:token=plant;object=log?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/secrets/pin".

    Attributes of the library or slot that this program does not use are refused rather than ignored.
    Raises: InputError if it is not of this form, an attribute is unknown or there twice, or module or key have no name.
    """
    if not text.startswith(PKCS11):
        _bad_uri(text, f"{PKCS11}..., RFC 7512")
    path, _, query = text.removeprefix(PKCS11).partition("?")
    given = {**_attributes(path, ";", _PATH_NAMES), **_attributes(query, "&", _QUERY_NAMES)}
    words = {name: _text(value) for name, value in given.items() if name != "id"}
    if words.get("type", "private") != "private":
        _bad_uri(words["type"], "type=private")
    if "module-path" not in words:
        _bad_uri(text, "?module-path=, the path of the module's library")
    if "object" not in words and "id" not in given:
        _bad_uri(text, "object= or id=, the key's label or id")
    slot_id = words.get("slot-id")
    if slot_id is not None and not re.fullmatch(r"0|[1-9][0-9]{0,18}", slot_id):
        _bad_uri(slot_id, "slot-id in decimal digits")
    return ModuleKey(
        module_path=words["module-path"],
        token=words.get("token"),
        serial=words.get("serial"),
        manufacturer=words.get("manufacturer"),
        model=words.get("model"),
        slot_id=None if slot_id is None else int(slot_id),
        label=words.get("object"),
        id=given.get("id"),
        pin_source=words.get("pin-source"),
        pin=words.get("pin-value"),
    )


def _attributes(text: str, separator: str, names: frozenset[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for part in text.split(separator) if text else []:
        name, equals, value = part.partition("=")
        if not equals or name not in names or not _ESCAPED.fullmatch(value):
            _bad_uri(name, f"one of {', '.join(sorted(names))}, each as name=value, percent-encoded")
        if name in found:
            _bad_uri(name, "each attribute once")
        found[name] = unquote_to_bytes(value)
    return found


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        _bad_uri(value, "UTF-8")


class ModuleSigner:
    """An Ed25519 key in a hardware module. It is opened when it is first used, and again after an error.

    A PIN that the module has refused is not tried again: a token locks itself after a few wrong ones, and a program
    that signs every second would see to that in no time.
    Threads may share it: a session of a module signs one text at a time. Every signature is verified before it is given
    out.
    """

    def __init__(self, key: ModuleKey, pin: str | None = None) -> None:
        self._key = key
        self._pin = pin
        self._lock = threading.Lock()
        self._opened: tuple[Any, Any, Ed25519PublicKey] | None = None  # session, private key, public key
        self._refused_pin: str | None = None

    def public_key(self) -> Ed25519PublicKey:
        """The public half, as the module has it. Raises: StoreError if the module or the key cannot be reached."""
        with self._lock:
            return self._open()[2]

    def sign(self, data: bytes, /) -> bytes:
        """The Ed25519 signature of data, 64 bytes. Raises: StoreError if the module does not sign."""
        pkcs11 = _library()
        with self._lock:
            _, private_key, public_key = self._open()
            try:
                signature = bytes(private_key.sign(data, mechanism=pkcs11.Mechanism.EDDSA))
                public_key.verify(signature, data)
            except pkcs11.PKCS11Error as error:
                self._close()
                _unreachable(self._key, error, "Check the module and try again.")
            except InvalidSignature as error:
                _unreachable(self._key, error, "Its private and public key are not a pair: put the right ones.")
        return signature

    def _open(self) -> tuple[Any, Any, Ed25519PublicKey]:
        if self._opened is not None:
            return self._opened
        pkcs11 = _library()
        session = None
        try:
            session = self._session(pkcs11)
            names = {"label": self._key.label, "id": self._key.id}
            private_key = session.get_key(object_class=pkcs11.ObjectClass.PRIVATE_KEY, **names)
            public = session.get_key(object_class=pkcs11.ObjectClass.PUBLIC_KEY, **names)
            point = bytes(public[pkcs11.Attribute.EC_POINT])
        except pkcs11.PKCS11Error as error:
            if session is not None:
                session.close()
            wrong_pin = isinstance(error, pkcs11.PinIncorrect)
            then = " A wrong PIN is not tried again: correct it, then start again." if wrong_pin else ""
            _unreachable(self._key, error, f"Check token, PIN and the key's label in the pkcs11: address.{then}")
        # DER octet string, as PKCS#11 3.0 says, or the bare 32 bytes, as some modules give it.
        raw = point.removeprefix(b"\x04\x20") if len(point) == 34 else point
        if private_key.key_type != pkcs11.KeyType.EC_EDWARDS or len(raw) != 32:
            session.close()
            _unreachable(self._key, f"a key of type {private_key.key_type}", "Make an Ed25519 key in the module.")
        self._opened = (session, private_key, Ed25519PublicKey.from_public_bytes(raw))
        return self._opened

    def _session(self, pkcs11: Any) -> Any:
        """A session on the one token that fits, logged in."""
        key = self._key
        wanted = {
            "token_label": key.token,
            "token_serial": None if key.serial is None else key.serial.encode("utf-8"),
        }
        module = pkcs11.lib(key.module_path)
        tokens = [
            token
            for token in module.get_tokens(**{name: value for name, value in wanted.items() if value is not None})
            if (key.slot_id is None or token.slot.slot_id == key.slot_id)
            and (key.manufacturer is None or token.manufacturer_id == key.manufacturer)
            and (key.model is None or token.model == key.model)
        ]
        if len(tokens) != 1:
            raise (pkcs11.MultipleTokensReturned if tokens else pkcs11.NoSuchToken)(f"{len(tokens)} tokens fit")
        pin = self._pin_text()
        if pin is not None and pin == self._refused_pin:
            raise pkcs11.PinIncorrect("PIN refused before")
        try:
            return tokens[0].open(user_pin=pin)
        except pkcs11.UserAlreadyLoggedIn:  # by another key on the same token
            return tokens[0].open()
        except (pkcs11.PinIncorrect, pkcs11.PinLenRange, pkcs11.PinInvalid, pkcs11.PinExpired, pkcs11.PinLocked):
            self._refused_pin = pin
            raise

    def _pin_text(self) -> str | None:
        if self._key.pin is not None or self._key.pin_source is None:
            return self._pin if self._key.pin is None else self._key.pin
        path = Path(self._key.pin_source.removeprefix("file://").removeprefix("file:"))
        data = read_file(path)
        try:
            return data[:_MAX_PIN_BYTES].decode("utf-8").removesuffix("\n")
        except UnicodeDecodeError as error:
            raise StoreError(problem("", str(path), "the PIN as UTF-8 text", "Write the PIN anew.")) from error

    def _close(self) -> None:
        """Forget the session, so that the next use opens another."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with contextlib.suppress(_library().PKCS11Error):  # it may be lost already
                opened[0].close()


def _library() -> Any:
    try:
        import pkcs11
    except ImportError as error:
        raise StoreError(
            problem("/log_key", "python-pkcs11 is not there", "the extra pkcs11", "pip install 'magnet-ledger[pkcs11]'")
        ) from error
    return pkcs11


def _unreachable(key: ModuleKey, found: object, next_step: str) -> NoReturn:
    text = str(found) or type(found).__name__
    where = f"{key.label or (key.id or b'').hex()} in {key.module_path}: {text}"
    cause = found if isinstance(found, Exception) else None
    raise StoreError(problem("/log_key", where, "an Ed25519 key in the hardware module", next_step)) from cause


def _bad_uri(found: object, expected: str) -> NoReturn:
    # The whole address is never shown: it may hold a PIN.
    shown = found if not isinstance(found, str) else found.partition("?")[0]
    raise InputError(problem("/log_key", shown, expected, "Correct the address of the key."))
