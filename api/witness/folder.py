"""A witness's folder: its key, its verifier key for everybody, what it has seen, and what it refused.

witness.key     private key, PEM, for its owner's eyes only; encrypted where a passphrase was given
witness.vkey    verifier key, to be handed to the logs and to those who check their checkpoints
witness.db      what was seen of each log; never to be restored from a copy
refused/        checkpoints that a log signed but that do not continue what was seen: evidence for the operator
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from api.witness.store import WitnessStore
from ledger.errors import InputError, LedgerError, StoreError, problem
from ledger.log.add_checkpoint import AddCheckpoint, Answer, Seen, format_request
from ledger.log.checkpoint import Checkpoint, NoteSigner, parse_checkpoint, parse_vkey
from ledger.log.cosignature import cosign, format_witness_vkey, make_witness_key, parse_witness_vkey
from ledger.log.split_view import compare_checkpoints
from ledger.store.key_files import load_private_key, make_private_folder, write_new_file

_log = logging.getLogger(__name__)

MAX_REFUSED_FILES = 1000
"""More are not kept: whoever holds a log's key could otherwise fill the disk."""


@dataclass(frozen=True)
class Witness:
    """A witness at work. now: aware time."""

    name: str
    key: NoteSigner = field(repr=False)
    store: WitnessStore
    refused_dir: Path
    now: Callable[[], datetime]

    def add_checkpoint(self, request: AddCheckpoint) -> tuple[Answer, str]:
        """The answer to the request, and the cosignature's line, empty unless the answer is to cosign.

        Raises: StoreError if what was seen cannot be read or written; MalformedProofError if the note is none.
        """
        answer, before, line = self.store.add_checkpoint(request, self._cosign)
        if answer.refused is not None:
            try:
                self._keep_refused(request, before, answer.refused)
            except (StoreError, OSError) as error:  # the refusal stands all the same
                _log.error("what was refused could not be kept: %s", error)
        return answer, line

    def _cosign(self, checkpoint: Checkpoint) -> str:
        return cosign(checkpoint, self.name, self.key, int(self.now().timestamp()))

    def _keep_refused(self, request: AddCheckpoint, before: Seen | None, refused: Seen) -> None:
        """Keep what the log signed against its own history: as evidence for anybody where it is that by itself."""
        origin = parse_checkpoint(refused.note)[0].origin
        name = f"{hashlib.sha256(origin.encode()).hexdigest()[:16]}-{refused.tree_size}-{refused.root.hex()[:16]}"
        text, suffix = format_request(AddCheckpoint(request.old_size, request.proof, refused.note)), "request"
        if before is not None and before.tree_size == refused.tree_size:
            keys = [vkey for vkey in map(parse_vkey, self.store.log_keys()) if vkey.origin == origin]
            evidence = compare_checkpoints(before.note, refused.note, keys)[1]
            if evidence is not None:
                text, suffix = evidence, "split-view"
        path = self.refused_dir / f"{name}.{suffix}"
        if not path.exists() and sum(1 for _ in self.refused_dir.iterdir()) < MAX_REFUSED_FILES:
            write_new_file(path, text.encode())


def make_witness(folder: Path, name: str, passphrase: bytes | None = None) -> str:
    """Make a witness in `folder`. passphrase: to encrypt its key with. Returns: its verifier key.

    Raises: InputError for a name out of its form; StoreError if there is a witness already, whose key is then kept.
    """
    key = Ed25519PrivateKey.generate()
    vkey = format_witness_vkey(make_witness_key(name, key.public_key()))
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    make_private_folder(folder)
    make_private_folder(folder / "refused")
    write_new_file(folder / "witness.key", pem)
    WitnessStore(folder / "witness.db").create()
    write_new_file(folder / "witness.vkey", f"{vkey}\n".encode(), mode=0o644)
    return vkey


def read_vkey(folder: Path) -> str:
    """The witness's verifier key. Raises: StoreError if there is no witness in the folder."""
    path = folder / "witness.vkey"
    try:
        text = path.read_text(encoding="utf-8").strip()
        parse_witness_vkey(text)
    except (OSError, UnicodeDecodeError, InputError) as error:
        found = f"{path}: {error.problems[0].value if isinstance(error, LedgerError) else error}"
        raise StoreError(
            problem(
                "", found, "the verifier key of a witness", "Make one: `magnet-ledger witness init DIR --name NAME`."
            )
        ) from error
    return text


def open_witness(folder: Path, now: Callable[[], datetime], passphrase: bytes | None = None) -> Witness:
    """The witness in `folder`.

    Raises: StoreError if a file is missing, key and verifier key do not belong together, or the passphrase is wrong.
    """
    vkey = parse_witness_vkey(read_vkey(folder))
    key = load_private_key(folder / "witness.key", passphrase)
    if not isinstance(key, Ed25519PrivateKey) or key.public_key() != vkey.public_key:
        raise StoreError(
            problem("", str(folder / "witness.key"), "the key of witness.vkey", "Put the right key there.")
        )
    store = WitnessStore(folder / "witness.db")
    store.log_keys()  # a file that has gone is noticed now and not at the first request
    return Witness(vkey.name, key, store, folder / "refused", now)
