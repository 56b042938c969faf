"""The history of this log's keys, and which of the keys at hand sign its next checkpoint."""

from __future__ import annotations

from sqlalchemy import Connection

from ledger.errors import StoreError, problem
from ledger.log.checkpoint import NoteSigner, format_vkey
from ledger.log.envelope import parse_envelope
from ledger.log.keyring import Keyring, single_key
from ledger.material.fields import Body
from ledger.material.keys import KEY_TYPES, Keys, followed
from ledger.service.context import Ledger
from ledger.service.entry_types import parse_entry_body
from ledger.service.read import plant_of
from ledger.store import repository
from ledger.store.database import read_transaction
from ledger.store.key_rows import key_entry_data


def key_entries(connection: Connection, origin: str) -> list[tuple[int, str, Body]]:
    """Sequence number, time of receipt and body of every entry about keys, in order.

    Raises: MalformedProofError, InputError if one cannot be read.
    """
    listed = []
    for data in key_entry_data(connection, origin, KEY_TYPES):
        envelope = parse_envelope(data)
        body = parse_entry_body(envelope.statement.type, envelope.statement.body)
        listed.append((envelope.seq, envelope.recv, body))
    return listed


def with_heirs(connection: Connection, origin: str, keys: Keys) -> Keys:
    """The keys of actors, with those flagged that a key revoked as compromised has registered since.

    Raises: UnknownIdError, MalformedProofError if an entry that registers a key is not there or cannot be read.
    """

    def signer_of(seq: int) -> str:
        return parse_envelope(repository.entries_at(connection, origin, [seq])[seq].data).statement.kid

    return keys.with_heirs(signer_of)


def keys_now(ledger: Ledger) -> Keys:
    """The keys of actors as the log stands now, heirs of compromised ones flagged.

    Raises: as `with_heirs` and `plant_of`.
    """
    keys = plant_of(ledger).keys
    with read_transaction(ledger.engine) as connection:
        return with_heirs(connection, ledger.origin, keys)


def log_keyring(ledger: Ledger, connection: Connection) -> Keyring:
    """The history of the log's keys: what this installation trusts, or else its own key, carried on by the entries.

    Raises: StoreError without either; RuleError if the entries contradict what is trusted; else as key_entries.
    """
    trusted = ledger.log_keys if ledger.log_keys is not None else single_key(ledger.verifier_key())
    return followed(trusted, key_entries(connection, ledger.origin))


def signers_of(ledger: Ledger, keyring: Keyring, tree_size: int) -> list[NoteSigner]:
    """Those of the keys at hand that may sign a checkpoint of this size: two while one hands over to the other.

    Raises: StoreError without the log's key, or if none at hand may: it was retired or revoked.
    """
    at_hand = [ledger.signing_key(), *([] if ledger.next_log_key is None else [ledger.next_log_key])]
    named = {format_vkey(ledger.origin, signer.public_key()): signer for signer in at_hand}
    wanted = [key.text for key in keyring.signing(tree_size)]
    signers = [named[vkey] for vkey in wanted if vkey in named]
    if not signers:
        raise StoreError(
            problem(
                "/log_key",
                ", ".join(named),
                f"a key that may sign size {tree_size}: {', '.join(wanted) or 'there is none'}",
                "Start again with the log's present key in the keys folder; see `magnet-ledger key list`.",
            )
        )
    return signers


def signed_by(ledger: Ledger, note: str) -> str:
    """The verifier key of one that has signed the checkpoint of this log. Raises: as Keyring.signers, log_keyring."""
    with read_transaction(ledger.engine) as connection:
        return log_keyring(ledger, connection).signers(note).keys[0].text
