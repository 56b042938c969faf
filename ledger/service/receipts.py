"""COSE receipts of entries, signed when they are asked for."""

from __future__ import annotations

from ledger.log.checkpoint import make_verifier_key, verify_checkpoint
from ledger.log.receipt import make_receipt
from ledger.service.checkpoints import find_proof
from ledger.service.context import Ledger
from ledger.service.read import entry_bytes


def cose_receipt(ledger: Ledger, seq: int) -> bytes:
    """A COSE receipt that entry seq is under the newest checkpoint; makes one if that does not reach so far.

    The key signs no root but one that it has signed in a checkpoint before: the note is verified first, since what the
    database says is not to be relied on.
    Raises: UnknownIdError if there is no such entry; StoreError without the log's key or cbor2; BadSignatureError if
    the checkpoint kept is not the log's; RootMismatchError if entry and checkpoint do not agree.
    """
    key = ledger.signing_key()
    proof = find_proof(ledger, seq)
    checkpoint = verify_checkpoint(proof.checkpoint, make_verifier_key(ledger.origin, key.public_key()))
    (entry,) = entry_bytes(ledger, [seq])
    return make_receipt(entry, seq, proof.path, checkpoint, key)
