"""What the log says for a certificate: its issuance, the proofs of its entries, and who signed them.

Each check gives its detail, or raises a LedgerError that says what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from cryptography import x509

from certificates.checklist import sentence_of, wrong
from certificates.container import SignedBytes
from certificates.content import Head, content_sha256
from certificates.evidence import Evidence, body_of
from certificates.signer import certificate_sha256
from ledger.errors import VerificationError
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.cosignature import WitnessPolicy, check_policy, cosignatures_of
from ledger.log.envelope import Envelope
from ledger.log.forms import parse_base64, parse_time
from ledger.log.merkle import leaf_hash, verify_inclusion
from ledger.log.timestamp import verify_timestamp
from ledger.material.entries import CertificateIssued
from ledger.report import Check, Outcome, failed

ISSUING_ROLES = ("operator", "issuer", "sustainability")
"""Roles of keys that may state that a certificate was issued. A laboratory's may not."""

MAX_CLOCK_SKEW = timedelta(minutes=10)
"""How far a time may lie ahead of another clock's, and how long issuing may take."""


def check_issuance(
    content: Mapping[str, Any], head: Head, envelopes: Sequence[Envelope], covered: SignedBytes, leaf: x509.Certificate
) -> str:
    """The last envelope is the entry that this certificate, with this content and this signer, was issued."""
    issuance = envelopes[-1]
    body = body_of(issuance)
    if not isinstance(body, CertificateIssued):
        wrong(issuance.statement.type, "an entry certificate_issued")
    header = head.header
    stated = {
        "certificate_id": (body.certificate_id, header.certificate_id),
        "kind": (body.kind, head.kind),
        "batch_id": (body.batch_id, head.batch_id),
        "content_sha256": (body.content_sha256, content_sha256(content)),
        "basis_tree_size": (body.basis_tree_size, header.tree_size),
        "supersedes": (body.supersedes, header.supersedes),
        "reason": (body.reason, header.supersede_reason),
        "log": (issuance.log, header.origin),
        "signer_sha256": (body.signer_sha256, certificate_sha256(leaf)),
    }
    for name, (in_log, in_certificate) in stated.items():
        if in_log != in_certificate:
            wrong(f"{name} {in_certificate}", f"{in_log}, as entry {issuance.seq} of the log says")
    if issuance.seq != header.tree_size:
        wrong(
            f"issuance at entry {issuance.seq}",
            f"the entry right after the {header.tree_size} that the content was computed from",
        )
    if late := [envelope.seq for envelope in envelopes[:-1] if envelope.seq >= header.tree_size]:
        wrong(f"entry {late[0]} as evidence", f"entries before {header.tree_size}, the log's size that was used")
    return (
        f"entry {issuance.seq} of {issuance.log} says that {body.certificate_id} was issued with this very content, to "
        f"be signed by {leaf.subject.rfc4514_string()}, certificate {body.signer_sha256[:16]}..."
    )


def check_times(envelopes: Sequence[Envelope], head: Head, covered: SignedBytes, now: datetime) -> str:
    """The times that the log and the issuer state fit each other: none lies before what it rests on.

    The log's clock is the issuer's too, so this shows no true time; it leaves one story that can be told.
    """
    received = [(envelope.seq, parse_time(envelope.recv, "/recv")) for envelope in envelopes]
    for (earlier_seq, earlier), (seq, moment) in pairwise(received):
        if moment < earlier:
            wrong(f"entry {seq}, received {_time(moment)}", f"not before entry {earlier_seq}, {_time(earlier)}")
    issuance = received[-1][1]
    last = max((moment for _, moment in received[:-1]), default=issuance).replace(microsecond=0)
    issued, signed = head.header.issued_moment(), covered.signed_at
    for name, moment in (("issued", issued), ("signed", signed)):
        if moment < last:
            wrong(f"{name} {_time(moment)}", f"not before the last entry that the content rests on, {_time(last)}")
        if abs(moment - issuance) > MAX_CLOCK_SKEW:
            wrong(f"{name} {_time(moment)}", f"within 10 minutes of the entry of its issue, {_time(issuance)}")
    if signed < issued:
        wrong(f"signed {_time(signed)}", f"a signing time from {_time(issued)} on")
    if issuance > now + MAX_CLOCK_SKEW:
        wrong(f"issue received {_time(issuance)}", f"a time before now, {_time(now)}")
    return f"received, issued and signed in this order, the issue at {_time(issuance)} by the log's own clock"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def check_inclusion(evidence: Evidence, head: Head) -> str:
    checkpoint, _ = parse_checkpoint(evidence.checkpoint)
    if checkpoint.origin != head.header.origin:
        wrong(f"checkpoint of {checkpoint.origin}", f"of the certificate's log, {head.header.origin}")
    seqs = [entry.seq for entry in evidence.entries]
    if any(later <= earlier for earlier, later in pairwise(seqs)):
        wrong(f"entries {seqs}", "each entry once, by rising number")
    for entry in (*evidence.entries, evidence.issuance):
        if (log := entry.envelope().log) != checkpoint.origin:
            wrong(f"entry {entry.seq} of {log}", f"an entry of {checkpoint.origin}")
        path = [bytes.fromhex(one) for one in entry.path]
        leaf = leaf_hash(entry.data.encode("utf-8"))
        try:
            verify_inclusion(leaf, entry.seq, checkpoint.tree_size, path, checkpoint.root)
        except VerificationError as error:
            wrong(f"entry {entry.seq}", f"a proof that leads to the checkpoint's root ({sentence_of(error)})")
    return f"{len(seqs) + 1} entries stand under the root of the checkpoint of {checkpoint.tree_size} entries"


def check_witnesses(note: str, policy: WitnessPolicy, issuance: Envelope, now: datetime) -> Check:
    """Whether as many witnesses as demanded have co-signed the checkpoint, at a time that agrees with the log's clock.

    They are asked while the certificate is issued, so that their clocks show whether the log's tells the truth.
    """
    check = check_policy(note, policy, now)
    if check.outcome is Outcome.PASSED:
        issued = parse_time(issuance.recv, "/recv")
        for witness, seconds in cosignatures_of(note, policy.witnesses):
            if abs(seconds - issued.timestamp()) > MAX_CLOCK_SKEW.total_seconds():
                signed = _time(datetime.fromtimestamp(seconds, UTC))
                return failed(
                    check.name,
                    f"found issue received {_time(issued)} by the log's clock; expected within 10 minutes of {signed}, "
                    f"when {witness.name} co-signed",
                )
    return check


def check_checkpoint_time(token: str, note: str, issuance: Envelope, tsa_roots: Sequence[bytes]) -> str:
    """The token (base64) is over the checkpoint, by a trusted authority, and agrees with the log's own clock.

    tsa_roots: not empty. Issuing logs the issue, signs the checkpoint and has it stamped, which takes a few minutes at
    most.
    """
    timestamp = verify_timestamp(parse_base64(token, "/timestamp"), note, tsa_roots)
    issued = parse_time(issuance.recv, "/recv")
    if abs(timestamp.gen_time - issued) > MAX_CLOCK_SKEW:
        wrong(
            f"issue received {_time(issued)} by the log's clock",
            f"within 10 minutes of {_time(timestamp.gen_time)}, when {timestamp.tsa} stamped the checkpoint",
        )
    return f"the checkpoint existed at {_time(timestamp.gen_time)}, says {timestamp.tsa}; the log's clock agrees"
