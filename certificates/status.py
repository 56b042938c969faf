"""What has become of a certificate since it was issued, as the log tells it. Pure: plant in, status out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ledger.material.keys import Keys
from ledger.material.plant import Plant

State = Literal["valid", "superseded", "revoked", "unknown"]


@dataclass(frozen=True)
class Status:
    """What a log says of a certificate.

    state: "valid" (issued, and nothing later), "superseded", "revoked" (wins over superseded), or "unknown" to this
    log. by: id of the certificate that supersedes it. reason: as logged, for either.
    seq: sequence number of the entry that says so; None for an unknown certificate.
    """

    certificate_id: str
    state: State
    seq: int | None = None
    by: str | None = None
    reason: str | None = None


class LogAtHand(Protocol):
    """A log that a verifier can ask, beside what the certificate itself carries of it.

    Any answer may raise a LedgerError if the log cannot be read.
    """

    @property
    def origin(self) -> str:
        """Name of the log."""

    def status(self, certificate_id: str) -> Status:
        """What has become of the certificate."""

    def leaf(self, seq: int) -> bytes | None:
        """Leaf hash of entry seq, 32 bytes; None if the log has none such."""

    def root(self, tree_size: int) -> bytes | None:
        """Root of the first tree_size entries, 32 bytes; None if the log is shorter."""

    def needed(self, kind: str, batch_id: str, tree_size: int) -> list[int]:
        """Numbers of the entries, of the first tree_size, that a certificate of the batch rests on, rising."""

    def keys(self) -> Keys:
        """What all entries of the log say of keys."""

    def corrections_since(self, certificate_id: str) -> list[int]:
        """Numbers of the corrections logged since that make the content of the certificate, issued here, another."""


def certificate_status(plant: Plant, certificate_id: str) -> Status:
    """The status of the certificate in the log that `plant` was folded from.

    If it was superseded several times, the first to do so is named: from then on it no longer held.
    """
    if certificate_id not in plant.certificates:
        return Status(certificate_id, "unknown")
    if certificate_id in plant.revoked:
        seq, revoked = plant.revoked[certificate_id]
        return Status(certificate_id, "revoked", seq, reason=revoked.reason)
    successors = [(seq, one) for seq, one in plant.certificates.values() if one.supersedes == certificate_id]
    if successors:
        seq, successor = min(successors, key=lambda pair: pair[0])
        return Status(certificate_id, "superseded", seq, by=successor.certificate_id, reason=successor.reason)
    return Status(certificate_id, "valid", plant.certificates[certificate_id][0])
