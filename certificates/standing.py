"""How a certificate stands with a log at hand: whether that log issued it just so, and what became of it since."""

from __future__ import annotations

from certificates.checklist import STATUS, Checklist, sentence_of
from certificates.content import Head
from certificates.evidence import Evidence
from certificates.key_checks import doubt
from certificates.status import LogAtHand, Status
from ledger.errors import LedgerError
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.merkle import leaf_hash


def check_status(checks: Checklist, head: Head, evidence: Evidence, log: LogAtHand | None) -> Status | None:
    """What became of the certificate, as `log` says. None if it could not be asked, or contradicts the certificate.

    A certificate that the log contradicts is not a matter of status: it was never issued by that log.
    """
    if log is None:
        checks.not_checked(STATUS, "no log at hand to ask whether it was superseded or revoked")
        return None
    if log.origin != head.header.origin:
        checks.not_checked(STATUS, f"the log at hand is {log.origin}, the certificate is of {head.header.origin}")
        return None
    try:
        status = log.status(head.header.certificate_id)
        otherwise = _contradiction(head, evidence, status, log)
        envelopes = [entry.envelope() for entry in (*evidence.entries, evidence.issuance)]
        uncertain = doubt(log.keys(), envelopes) if otherwise is None else None
        corrected = (
            log.corrections_since(status.certificate_id) if otherwise is None and status.state == "valid" else []
        )
    except LedgerError as error:
        checks.not_checked(STATUS, f"the log could not be asked: {sentence_of(error)}")
        return None
    if otherwise is not None:
        checks.failed(STATUS, f"the log at hand says otherwise: {otherwise}")
        return None
    if uncertain is not None:
        checks.failed(STATUS, uncertain)
        return None
    if corrected:
        # Neither superseded nor revoked, and yet not what the log says now: that must not read as a good status.
        entries = ", ".join(str(seq) for seq in corrected)
        checks.failed(
            STATUS, f"corrected since by entry {entries} and not superseded: its content would be another now"
        )
        return None
    reason = f": {status.reason}" if status.reason else ""
    if status.state == "valid":
        checks.passed(STATUS, "issued just so, and neither superseded nor revoked, as the log at hand stands now")
    elif status.state == "revoked":
        checks.failed(STATUS, f"revoked by entry {status.seq}{reason}")
    else:
        checks.failed(STATUS, f"superseded by {status.by}, entry {status.seq}{reason}")
    return status


def _contradiction(head: Head, evidence: Evidence, status: Status, log: LogAtHand) -> str | None:
    """In what the log differs from what the certificate carries of it; None if in nothing."""
    if status.state == "unknown":
        return f"it never issued {head.header.certificate_id}"
    issuance = evidence.issuance
    if log.leaf(issuance.seq) != leaf_hash(issuance.data.encode("utf-8")):
        return f"entry {issuance.seq} is not the issuance that the certificate carries"
    checkpoint, _ = parse_checkpoint(evidence.checkpoint)
    root = log.root(checkpoint.tree_size)
    if root is None:
        return f"it has fewer entries than the {checkpoint.tree_size} that the checkpoint covers"
    if root != checkpoint.root:
        return f"its first {checkpoint.tree_size} entries have root {root.hex()}, not {checkpoint.root.hex()}"
    needed = log.needed(head.kind, head.batch_id, head.header.tree_size)
    present = [entry.seq for entry in evidence.entries]
    if left_out := sorted(set(needed) - set(present)):
        return f"the content also rests on the entries {left_out}, which were left out"
    if needed != present:
        return f"the content does not rest on the entries {sorted(set(present) - set(needed))}"
    return None
