"""COSE receipts of entries in a database: signed only over roots that the log has signed in a checkpoint."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.errors import BadSignatureError, StoreError, UnknownIdError
from ledger.log.checkpoint import Checkpoint, parse_checkpoint, parse_vkey, sign_checkpoint
from ledger.log.receipt import parse_receipt, verify_receipt
from ledger.service.checkpoints import make_checkpoint, newest_checkpoint
from ledger.service.context import Ledger
from ledger.service.read import entry_bytes
from ledger.service.receipts import cose_receipt
from tests.log_samples import OTHER_KEY
from tests.store_samples import LOG_KEY, ORIGIN, VKEY, append_receipts, execute

KEY = parse_vkey(VKEY).public_key


def test_receipt_is_under_the_newest_checkpoint_and_a_new_one_is_made_for_a_newer_entry(ledger: Ledger) -> None:
    """`start_log` logs entries 0, 1 and 2; 3 comes after the first checkpoint."""
    first, _ = parse_checkpoint(make_checkpoint(ledger))
    append_receipts(ledger, 1, 1)
    for seq, size in ((0, 3), (2, 3), (3, 4), (0, 4)):
        data = cose_receipt(ledger, seq)
        (entry,) = entry_bytes(ledger, [seq])
        newest = newest_checkpoint(ledger)
        assert newest is not None
        checkpoint, _ = parse_checkpoint(newest)
        assert parse_receipt(data).tree_size == checkpoint.tree_size == size
        assert verify_receipt(data, entry, KEY, checkpoint) == checkpoint.root
    assert first.tree_size == 3


def test_there_is_no_receipt_of_an_entry_that_there_is_not_or_without_the_logs_key(ledger: Ledger) -> None:
    with pytest.raises(UnknownIdError):
        cose_receipt(ledger, 3)
    make_checkpoint(ledger)
    with pytest.raises(StoreError, match="log key"):
        cose_receipt(replace(ledger, log_key=None), 0)


def test_checkpoint_that_somebody_else_put_into_the_database_is_not_signed_over(ledger: Ledger) -> None:
    """The right root, even: what the log has not signed it does not sign in another form."""
    checkpoint, _ = parse_checkpoint(make_checkpoint(ledger))
    forged = sign_checkpoint(Checkpoint(ORIGIN, 3, checkpoint.root), OTHER_KEY)
    execute(ledger.engine, "UPDATE checkpoint SET note = :note", note=forged)
    with pytest.raises(BadSignatureError):
        cose_receipt(ledger, 1)
    execute(ledger.engine, "UPDATE checkpoint SET note = :note", note=sign_checkpoint(checkpoint, LOG_KEY))
    assert verify_receipt(cose_receipt(ledger, 1), entry_bytes(ledger, [1])[0], KEY) == checkpoint.root
