"""Where clock, randomness, ids, files and the database enter: everything further in takes them as arguments."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import uuid6
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.settings import FILE_NAME, Settings
from ledger.errors import StoreError, problem

if TYPE_CHECKING:
    from certificates.keys import Issuer
    from certificates.verify import Trust
    from ledger.log.cosignature import WitnessPolicy
    from ledger.log.keyring import Keyring
    from ledger.service.context import Actor, AskWitnesses, Ledger

TSA_SUFFIX = ".tsa.pem"


def now() -> datetime:
    """The present time, UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A fresh UUIDv7: unique, and sorted by time."""
    return str(uuid6.uuid7())


def new_salt() -> bytes:
    """32 random bytes for a commitment to a private value."""
    return secrets.token_bytes(32)


def new_password() -> str:
    """A random password of 96 bits."""
    return secrets.token_urlsafe(12)


def open_ledger(settings: Settings) -> Ledger:
    """The installation's ledger, with its log key where there is one.

    Raises: StoreError if there is no database yet or its schema is not the one of this version.
    """
    from api.log_key_files import log_signers
    from ledger.service.context import Ledger
    from ledger.store.database import make_engine, require_current_schema

    if not (settings.folder / FILE_NAME).exists() and _is_missing_file(settings.database_url):
        next_step = "Go to the installation's folder, or set one up with `magnet-ledger init`."
        raise StoreError(problem("", str(settings.folder), f"a folder with {FILE_NAME}", next_step))
    engine = make_engine(settings.database_url)
    require_current_schema(engine)
    log_key, next_log_key = log_signers(settings)
    policy = witness_policy(settings)
    return Ledger(
        engine=engine,
        origin=settings.origin,
        log_key=log_key,
        next_log_key=next_log_key,
        log_keys=_trusted_log_keys(settings),
        pin_path=settings.pin_path,
        now=now,
        new_id=new_id,
        new_salt=new_salt,
        vault_dir=settings.vault_dir,
        witnesses=policy,
        ask_witnesses=witness_asker(policy),
        tsa_url=settings.tsa_url or None,
        tsa_roots=tsa_roots_of(settings),
    )


def operator_actor(settings: Settings) -> Actor:
    """The actor that signs what is logged here.

    Raises: StoreError if its key file is missing.
    """
    from ledger.log.statement import key_id
    from ledger.service.context import Actor

    key = _ed25519_key(settings.keys_dir / "operator.key")
    return Actor(actor=settings.operator, kid=key_id(key.public_key()), private_key=key)


def issuer_of(settings: Settings) -> Issuer:
    """The issuer's key and certificate, for signing PDFs."""
    from certificates.keys import load_issuer

    return load_issuer(settings.keys_dir)


def trust_of(settings: Settings) -> Trust:
    """What this installation trusts, by the names of the files in its trust folder.

    *.tsa.pem are roots of authorities that may tell the time, other *.pem those of issuers: who may do the one may not
    do the other. *.vkey are keys of logs, *-keys.json histories of a log's keys (ledger.log.keyring).
    *.witness are keys of witnesses; the settings say how many of them are needed.
    """
    from certificates.verify import Trust

    if not settings.trust_dir.is_dir():
        raise StoreError(
            problem(
                "/trust_dir",
                str(settings.trust_dir),
                "a folder with *.pem roots, *.tsa.pem roots, *.vkey and *-keys.json log keys",
                "Name it with --trust.",
            )
        )
    roots = _root_files(settings, time_stamping=False)
    vkeys = tuple(path.read_text(encoding="utf-8").strip() for path in sorted(settings.trust_dir.glob("*.vkey")))
    histories = tuple(path.read_text(encoding="utf-8") for path in sorted(settings.trust_dir.glob("*-keys.json")))
    return Trust(
        roots=roots,
        vkeys=vkeys,
        tsa_roots=tsa_roots_of(settings),
        log_keys=histories,
        witnesses=witness_policy(settings),
    )


def witness_policy(settings: Settings) -> WitnessPolicy:
    """The witnesses of the trust folder (*.witness), and how many of them are needed.

    Raises: InputError if more are needed than there are, or a file is not of its form; StoreError if one is unreadable.
    """
    from api.witness.trusted import read_policy

    return read_policy(settings.trust_dir, settings.witnesses_needed)


def witness_asker(policy: WitnessPolicy) -> AskWitnesses | None:
    """What asks the witnesses that have an address, None if none has."""
    if not any(policy.urls):
        return None
    from api.witness.client import WitnessClient

    return WitnessClient(policy, now).ask


def tsa_roots_of(settings: Settings) -> tuple[bytes, ...]:
    """The roots of the authorities that are trusted to tell the time: *.tsa.pem of the trust folder."""
    return _root_files(settings, time_stamping=True)


def _root_files(settings: Settings, *, time_stamping: bool) -> tuple[bytes, ...]:
    found = sorted(settings.trust_dir.glob("*.pem"))
    return tuple(path.read_bytes() for path in found if path.name.lower().endswith(TSA_SUFFIX) == time_stamping)


def log_keyring_of(settings: Settings) -> Keyring:
    """The keys of the log that the trust folder names.

    Raises: StoreError if none there is of this log; InputError if a file is not of its form.
    """
    keyring = _trusted_log_keys(settings)
    if keyring is None:
        expected = f"a *.vkey or *-keys.json file of {settings.origin}"
        raise StoreError(problem("/trust_dir", str(settings.trust_dir), expected, "Put the log's key there."))
    return keyring


def _trusted_log_keys(settings: Settings) -> Keyring | None:
    from ledger.log.keyring import keyrings

    if not settings.trust_dir.is_dir():
        return None
    trust = trust_of(settings)
    return keyrings(trust.vkeys, trust.log_keys).get(settings.origin)


def log_vkey(settings: Settings) -> str:
    """The log's newest verifier key from the trust folder. Raises: as log_keyring_of."""
    return log_keyring_of(settings).keys[-1].text


def _is_missing_file(database_url: str) -> bool:
    return database_url.startswith("sqlite:///") and not Path(database_url.removeprefix("sqlite:///")).exists()


def _ed25519_key(path: Path) -> Ed25519PrivateKey:
    from certificates.keys import load_private_key

    key = load_private_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise StoreError(problem("", str(path), "an Ed25519 key", "Put the right key there."))
    return key
