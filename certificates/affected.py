"""Certificates that no longer state what the log does: their content, computed again, would be another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from certificates.content import Header, make_content
from certificates.evidence import EvidenceState, body_of, fold_evidence, needed_seqs
from certificates.status import certificate_status
from ledger.carbon.factors import make_factor_book
from ledger.errors import LedgerError
from ledger.log.envelope import parse_envelope
from ledger.material.entries import CertificateIssued
from ledger.service.context import Ledger
from ledger.service.factor_library import factor_records
from ledger.service.read import entry_bytes, plant_of, state_of


def affected_certificates(ledger: Ledger) -> list[str]:
    """Ids of the certificates in force whose content, computed from the log as it stands now, differs from what it was.

    In the order of issue. In force: neither superseded nor revoked. Compared is everything but the header (ids, time,
    size of the log). A content that can no longer be computed differs.
    """
    state = state_of(ledger)
    present = EvidenceState(state.plant, make_factor_book(state.adoptions, factor_records()))
    earlier: dict[int, EvidenceState] = {}
    affected = []
    for certificate_id, (_, issued) in state.plant.certificates.items():
        if certificate_status(state.plant, certificate_id).state != "valid":
            continue
        size = issued.basis_tree_size
        if size not in earlier:
            earlier[size] = state_of_first(ledger, size)
        if statement_of(ledger, earlier[size], issued) != statement_of(ledger, present, issued):
            affected.append(certificate_id)
    return affected


def corrections_since(ledger: Ledger, certificate_id: str) -> list[int]:
    """Numbers of the corrections logged since the certificate was computed, if they make its content another.

    Only corrections count: a certificate keeps the factors that it was issued with.
    """
    plant = plant_of(ledger)
    issued = plant.certificates[certificate_id][1]
    size = issued.basis_tree_size
    before = state_of_first(ledger, size)
    rests_on = set(needed_seqs(issued.kind, before.plant, before.book, issued.batch_id))
    later = [seq for seq, correction in plant.corrections if seq >= size and correction.corrects_seq in rests_on]
    if not later:
        return []
    after = state_of_entries(ledger, [*range(size), *later])
    return later if statement_of(ledger, before, issued) != statement_of(ledger, after, issued) else []


def state_of_first(ledger: Ledger, tree_size: int) -> EvidenceState:
    """The state after the first tree_size entries, folded anew."""
    return state_of_entries(ledger, range(tree_size))


def state_of_entries(ledger: Ledger, seqs: Iterable[int]) -> EvidenceState:
    """The state after the entries with these numbers, which rise, folded anew."""
    envelopes = [parse_envelope(data) for data in entry_bytes(ledger, list(seqs))]
    bodies = [(envelope.seq, envelope.statement.type, body_of(envelope)) for envelope in envelopes]
    return fold_evidence(bodies, factor_records(), ledger.masses)


def statement_of(ledger: Ledger, state: EvidenceState, issued: CertificateIssued) -> dict[str, Any] | None:
    """What such a certificate states in this state, under a header that is the same for all; None if it cannot be."""
    header = Header("compared", "1970-01-01T00:00:00Z", ledger.origin, 1, "not drawn", "not drawn")
    try:
        return make_content(issued.kind, state.plant, state.book, issued.batch_id, header, ledger.masses)
    except LedgerError:
        return None
