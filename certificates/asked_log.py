"""The log of this installation, asked about certificates: what became of them, and whether it has their entries."""

from __future__ import annotations

from certificates.affected import corrections_since, state_of_first
from certificates.evidence import needed_seqs
from certificates.status import Status, certificate_status
from ledger.log.merkle import leaf_hash
from ledger.material.keys import Keys
from ledger.service.context import Ledger
from ledger.service.log_keys import keys_now
from ledger.service.read import entry_bytes, head, plant_of, tree_root


class AskedLog:
    """Answers for a verifier (`certificates.status.LogAtHand`) from the ledger as it stands when asked."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @property
    def origin(self) -> str:
        """Name of the log."""
        return self._ledger.origin

    def status(self, certificate_id: str) -> Status:
        """What has become of the certificate."""
        return certificate_status(plant_of(self._ledger), certificate_id)

    def leaf(self, seq: int) -> bytes | None:
        """Leaf hash of entry seq, hashed anew; None if there is none such."""
        if not 0 <= seq < head(self._ledger).tree_size:
            return None
        return leaf_hash(entry_bytes(self._ledger, [seq])[0])

    def root(self, tree_size: int) -> bytes | None:
        """Root of the first tree_size entries by the stored tiles; None if there are fewer."""
        if tree_size > head(self._ledger).tree_size:
            return None
        return tree_root(self._ledger, tree_size)

    def needed(self, kind: str, batch_id: str, tree_size: int) -> list[int]:
        """Numbers of the entries, of the first tree_size, that a certificate of the batch rests on, rising."""
        state = state_of_first(self._ledger, tree_size)
        return needed_seqs(kind, state.plant, state.book, batch_id)

    def keys(self) -> Keys:
        """What all entries of the log say of keys, heirs of compromised ones flagged."""
        return keys_now(self._ledger)

    def corrections_since(self, certificate_id: str) -> list[int]:
        """Numbers of the later corrections that make the certificate's content another."""
        return corrections_since(self._ledger, certificate_id)
