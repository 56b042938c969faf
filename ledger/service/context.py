"""What the use cases work with: a ledger, and who acts on it.

Clock, ids and randomness are functions given by the doors, so that all of it can be run again with the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from ledger.carbon.factors import FactorAdoption
from ledger.errors import StoreError, problem
from ledger.log.checkpoint import NoteSigner, VerifierKey, make_verifier_key
from ledger.log.cosignature import NO_WITNESSES, WitnessPolicy
from ledger.log.keyring import Keyring
from ledger.log.statement import key_id
from ledger.material.chemistry import atomic_masses
from ledger.material.plant import EMPTY_PLANT, Plant
from ledger.report import Check
from ledger.store.vault import Vault

AskWitnesses: TypeAlias = Callable[[str, Callable[[int], list[bytes]]], tuple[str, list[Check]]]
"""(note, old size -> consistency path from it) -> the note with the lines of those who co-signed, and what failed."""


@dataclass(frozen=True)
class Actor:
    """Somebody who signs statements. actor: their pseudonymous id. kid: id of the key. private_key: the key itself."""

    actor: str
    kid: str
    private_key: Ed25519PrivateKey = field(repr=False)


def make_actor(actor: str, private_key: Ed25519PrivateKey) -> Actor:
    """The actor with this key."""
    return Actor(actor, key_id(private_key.public_key()), private_key)


@dataclass(frozen=True)
class State:
    """What the first tree_size entries add up to.

    last_leaf_hash: of the last of them, 32 bytes, empty for none; tells whether a log still begins with them.
    plant: the material. adoptions: factor adoptions with their sequence numbers.
    """

    tree_size: int = 0
    last_leaf_hash: bytes = b""
    plant: Plant = EMPTY_PLANT
    adoptions: tuple[tuple[int, FactorAdoption], ...] = ()


@dataclass
class Ledger:
    """One log and the installation that it lives in.

    engine: database. origin: name of the log. log_key: signs checkpoints, None where this process must not.
    next_log_key: signs them too, while one log key hands over to the next.
    log_keys: history of the log's keys as trusted here; that of log_key alone if None.
    vault_dir: folder of the keys that private values are sealed with; beside pin_path's folder if None.
    witnesses: who is to co-sign checkpoints. ask_witnesses: asks them, None where nobody is to be asked.
    tsa_url: who is asked for time stamps, None for nobody.
    tsa_roots: certificates, PEM, of the authorities that are trusted to tell the time.
    pin_path: file outside the database with the last checkpoint that was signed.
    now: aware time. new_id: UUID of version 7 as text. new_salt: 32 random bytes.
    state: cache of what was read last; replaced whole, so that threads may share a Ledger.
    """

    engine: Engine
    origin: str
    log_key: NoteSigner | None = field(repr=False)
    pin_path: Path
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    new_salt: Callable[[], bytes]
    next_log_key: NoteSigner | None = field(default=None, repr=False)
    log_keys: Keyring | None = None
    vault_dir: Path | None = None
    witnesses: WitnessPolicy = NO_WITNESSES
    ask_witnesses: AskWitnesses | None = field(default=None, repr=False)
    tsa_url: str | None = None
    tsa_roots: tuple[bytes, ...] = ()
    state: State = field(default_factory=State, repr=False)

    @cached_property
    def masses(self) -> Mapping[str, Decimal]:
        """Atomic masses that chemistry is reckoned with."""
        return atomic_masses()

    @property
    def vault(self) -> Vault:
        """The keys that private values are sealed with."""
        folder = self.pin_path.parent.parent / "vault" if self.vault_dir is None else self.vault_dir
        return Vault(folder, self.new_salt)

    def signing_key(self) -> NoteSigner:
        """The log's key. Raises: StoreError if this process has none."""
        if self.log_key is None:
            raise StoreError(
                problem("/keys_dir", "no log key", "the log's private key", "Run this where the log's key is kept.")
            )
        return self.log_key

    def verifier_key(self) -> VerifierKey:
        """The public half of the log's key. Raises: StoreError if this process has none."""
        return make_verifier_key(self.origin, self.signing_key().public_key())
