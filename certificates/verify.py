"""Verification of a certificate: the file and what is trusted come in, a verdict and its checks go out.

Needs neither database nor web nor drawing library, so that a buyer can run it offline. It works from the outside in:
first the bytes and the signature over all of them; only what a trusted issuer has signed is parsed at all. Then the
log: proofs, checkpoint, the actors' signatures. Then the numbers: everything is computed again from the entries inside.

No input makes it raise: hostile bytes end in a failed check. A check that could not be made is "not checked" and says
why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from typing import Any

from certificates.checklist import (
    ARITHMETIC,
    CHECKPOINT,
    CHECKPOINT_TIME,
    CONTAINER,
    CONTENT,
    ENTRIES,
    INCLUSION,
    ISSUANCE,
    PAGE,
    POSITIVE,
    SIGNATURE,
    SIGNED_BYTES,
    SIGNER,
    TIMES,
    TIMESTAMP,
    UPDATE,
    Checklist,
    wrong,
)
from certificates.container import Container, SignedBytes, find_signed_bytes, read_container
from certificates.content import Head, head_of
from certificates.embedded import CONTENT_FILE, EVIDENCE_FILE, read_certificate
from certificates.evidence import Evidence, differing_masses, first_difference, parse_evidence, recompute_content
from certificates.key_checks import (
    check_entry_signatures,
    check_note,
    checkpoint_dates,
    doubt,
    keys_of,
    without_revoked_witnesses,
)
from certificates.log_checks import (
    MAX_CLOCK_SKEW,
    check_checkpoint_time,
    check_inclusion,
    check_issuance,
    check_times,
    check_witnesses,
)
from certificates.renderer import RENDERER, drawn_with
from certificates.signer import parse_roots, verify_signature, verify_signer
from certificates.standing import check_status
from certificates.status import LogAtHand
from certificates.update import base_length
from ledger.log.canonical import parse_canonical
from ledger.log.cosignature import NO_WITNESSES, WitnessPolicy
from ledger.log.envelope import Envelope
from ledger.log.forms import parse_time
from ledger.log.keyring import Keyring, keyrings
from ledger.log.timestamp import parse_tsa_roots
from ledger.report import Check, Outcome

MAX_PDF_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Trust:
    """What the verifier trusts, brought by it and not by the certificate.

    roots: certificates of issuers' authorities, PEM or DER. vkeys: verifier keys of logs (C2SP signed-note text).
    tsa_roots: certificates, PEM, of the time stamping authorities that are trusted to tell the time.
    witnesses: whose cosignatures under the checkpoint count, and how many are demanded.
    log_keys: histories of logs' keys, texts of keys.json; such a one counts in place of the log's vkeys.
    """

    roots: tuple[bytes, ...]
    vkeys: tuple[str, ...]
    tsa_roots: tuple[bytes, ...] = ()
    witnesses: WitnessPolicy = NO_WITNESSES
    log_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verification:
    """What verifying a certificate came to.

    verdict: one of the texts in `certificates.checklist`. checks: each check with its outcome, in the order made.
    content: the certificate's content, if a trusted issuer has signed it; else None. It is to be shown with the
    verdict.
    """

    verdict: str
    checks: list[Check]
    content: dict[str, Any] | None

    @property
    def ok(self) -> bool:
        """Whether the verdict is positive: what the content states holds, but perhaps not what the page shows."""
        return self.verdict in POSITIVE


def verify_certificate(
    pdf: bytes,
    trust: Trust,
    *,
    now: datetime,
    render: Callable[[dict[str, Any], dict[str, Any]], bytes] | None = None,
    log: LogAtHand | None = None,
) -> Verification:
    """Verifies the signed certificate `pdf`.

    now: the verifier's time, with zone. render: (content, evidence) -> the unsigned file, to compare the page with;
    None leaves the page unchecked. log: a log to ask what became of the certificate; with None, or another log than
    the certificate's, the status is not checked.
    Raises: InputError if `trust` itself is not of its form; never because of `pdf`.
    """
    roots, rings = parse_roots(trust.roots), keyrings(trust.vkeys, trust.log_keys)
    parse_tsa_roots(trust.tsa_roots)
    checks = Checklist()
    signature = _check_signature(checks, pdf, roots, now)
    covered, container = signature or (None, None)
    drawn_bytes = None if covered is None else checks.value(UPDATE, lambda: base_length(pdf, covered))
    files = None if drawn_bytes is None else checks.value(SIGNATURE, lambda: read_certificate(pdf))
    if covered is None or container is None or files is None:
        checks.skip_rest("what is inside was not read, since the signature or what it adds is not in order")
        return Verification(checks.verdict(None), checks.done, None)
    checks.passed(UPDATE, f"after the {drawn_bytes} bytes of the drawn file comes the signature and nothing else")
    checks.passed(SIGNATURE, "the only signature is the issuer's certification, and it holds over every byte")

    parsed = checks.value(CONTENT, lambda: _parse_files(files))
    if parsed is None:
        checks.skip_rest("the embedded content could not be read")
        return Verification(checks.verdict(None), checks.done, None)
    content, evidence_value, evidence, head = parsed
    envelopes = checks.value(CONTENT, lambda: [entry.envelope() for entry in (*evidence.entries, evidence.issuance)])
    if envelopes is None:
        checks.skip_rest("the embedded entries could not be read")
        return Verification(checks.verdict(None), checks.done, content)
    checks.passed(CONTENT, f"{CONTENT_FILE} and {EVIDENCE_FILE} are in canonical form ({len(envelopes)} entries)")

    checks.run(ISSUANCE, lambda: check_issuance(content, head, envelopes, covered, container.leaf))
    checks.run(TIMES, lambda: _check_times(container, covered, roots, envelopes, head, now))
    checks.run(INCLUSION, lambda: check_inclusion(evidence, head))
    cosigned = without_revoked_witnesses(evidence.checkpoint, trust.witnesses, envelopes)
    dated = checkpoint_dates(cosigned, evidence.timestamp, trust.witnesses, trust.tsa_roots)
    _check_checkpoint(checks, evidence, head, rings, envelopes, dated)
    checks.add(check_witnesses(cosigned, trust.witnesses, envelopes[-1], now))
    _check_checkpoint_time(checks, evidence, envelopes[-1], trust.tsa_roots)
    _check_entries(checks, envelopes)
    checks.run(ARITHMETIC, lambda: _check_arithmetic(content, envelopes[:-1], evidence))
    _check_page(checks, pdf[:drawn_bytes], content, evidence_value, render)
    status = check_status(checks, head, evidence, log)
    checks.not_checked(TIMESTAMP, _signature_time(checks))
    return Verification(checks.verdict(status), checks.done, content)


def _signature_time(checks: Checklist) -> str:
    """What is known of the time of the signature, which carries no time stamp of its own."""
    if any(check.name == CHECKPOINT_TIME and check.outcome is Outcome.PASSED for check in checks.done):
        return "the signature carries no time stamp; that of the checkpoint shows when the log stood as it is used here"
    return "the certificate carries no trusted timestamp; its times are the issuer's word"


def _check_signature(
    checks: Checklist, pdf: bytes, roots: Sequence[Any], now: datetime
) -> tuple[SignedBytes, Container] | None:
    """What a trusted signature covers, and its container, or None. Whether it is the only one is seen later."""
    if len(pdf) > MAX_PDF_BYTES:
        checks.failed(SIGNED_BYTES, f"{len(pdf)} bytes; a certificate has at most {MAX_PDF_BYTES}")
        return None
    covered: SignedBytes | None = checks.value(SIGNED_BYTES, lambda: find_signed_bytes(pdf))
    if covered is None:
        return None
    checks.passed(SIGNED_BYTES, f"the signature covers all {len(pdf)} bytes but its own container; nothing follows")
    container: Container | None = checks.value(CONTAINER, lambda: read_container(pdf[covered.gap]))
    if container is None:
        return None
    checks.passed(CONTAINER, "the container holds the signer's certificate, digest and signature, and nothing else")
    checks.run(SIGNATURE, lambda: _check_digest_and_signature(container, covered))
    if any(check.name == SIGNATURE and check.outcome is Outcome.FAILED for check in checks.done):
        # Anybody can put a trusted signer's certificate beside a signature that is not theirs.
        checks.not_checked(SIGNER, "no signature of the signer named in the file holds")
        return None
    if not roots:
        checks.not_checked(SIGNER, "no root certificate was given to check the signer against")
        return None
    checks.run(SIGNER, lambda: _check_signer(container, covered, roots, now))
    outcomes = {check.outcome for check in checks.done}
    return (covered, container) if outcomes == {Outcome.PASSED} else None


def _check_digest_and_signature(container: Container, covered: SignedBytes) -> str:
    if container.message_digest != covered.digest:
        wrong(
            f"digest {covered.digest.hex()}", f"{container.message_digest.hex()}, which was signed: a byte was changed"
        )
    verify_signature(container.leaf, container.signature, container.signed_attributes)
    return "the signature holds over every byte; the file's structure was not read"


def _check_signer(container: Container, covered: SignedBytes, roots: Sequence[Any], now: datetime) -> str:
    if covered.signed_at > now + MAX_CLOCK_SKEW:
        wrong(f"{covered.signed_at:%Y-%m-%d %H:%M} UTC", f"a signing time before now, {now:%Y-%m-%d %H:%M %Z}")
    chain = verify_signer(container.leaf, container.intermediates, roots, covered.signed_at)
    names = " <- ".join(certificate.subject.rfc4514_string() for certificate in chain)
    return (
        f"{names}; valid at the time that the issuer claims, {covered.signed_at:%Y-%m-%d %H:%M} UTC. Whether it was "
        "revoked since was not looked up"
    )


def _check_times(
    container: Container,
    covered: SignedBytes,
    roots: Sequence[Any],
    envelopes: Sequence[Envelope],
    head: Head,
    now: datetime,
) -> str:
    """The times fit each other, and the signer's certificate was valid when the log took in the issue."""
    detail = check_times(envelopes, head, covered, now)
    verify_signer(container.leaf, container.intermediates, roots, parse_time(envelopes[-1].recv, "/recv"))
    return detail


def _parse_files(files: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, Any], Evidence, Head]:
    """(content, evidence as JSON data, evidence, what the content says of itself)."""
    content, evidence = parse_canonical(files[CONTENT_FILE]), parse_canonical(files[EVIDENCE_FILE])
    if not isinstance(content, dict) or not isinstance(evidence, dict):
        wrong("a JSON value", "two JSON objects")
    return content, evidence, parse_evidence(evidence), head_of(content)


def _check_checkpoint(
    checks: Checklist,
    evidence: Evidence,
    head: Head,
    rings: Mapping[str, Keyring],
    envelopes: Sequence[Envelope],
    dated: Sequence[tuple[str, datetime]],
) -> None:
    origin = head.header.origin
    if origin not in rings:
        checks.not_checked(CHECKPOINT, f"no key of the log {origin} is among the trusted ones")
        return
    ring = rings[origin]
    checks.run(CHECKPOINT, lambda: check_note(evidence.checkpoint, evidence.vkey, ring, envelopes, dated))


def _check_entries(checks: Checklist, envelopes: Sequence[Envelope]) -> None:
    """Who signed the entries; where somebody else may have, that cannot be checked, and the verdict says so."""
    detail = checks.value(ENTRIES, lambda: check_entry_signatures(envelopes))
    if detail is None:
        return
    uncertain = doubt(keys_of(envelopes), envelopes)
    if uncertain is None:
        checks.passed(ENTRIES, detail)
    else:
        checks.not_checked(ENTRIES, uncertain)


def _check_checkpoint_time(
    checks: Checklist, evidence: Evidence, issuance: Envelope, tsa_roots: Sequence[bytes]
) -> None:
    """Whether somebody else's clock says when the log stood at the checkpoint."""
    if evidence.timestamp is None:
        checks.not_checked(CHECKPOINT_TIME, "the certificate holds no time stamp over its checkpoint")
        return
    if not tsa_roots:
        checks.not_checked(CHECKPOINT_TIME, "no root of a time stamping authority is among the trusted ones")
        return
    if find_spec("rfc3161_client") is None:
        checks.not_checked(CHECKPOINT_TIME, 'rfc3161-client is not installed; type: pip install "magnet-ledger[time]"')
        return
    token = evidence.timestamp
    checks.run(CHECKPOINT_TIME, lambda: check_checkpoint_time(token, evidence.checkpoint, issuance, tsa_roots))


def _check_arithmetic(content: Mapping[str, Any], envelopes: Sequence[Envelope], evidence: Evidence) -> str:
    recomputed = recompute_content(content, envelopes, evidence.factors)
    difference = first_difference(recomputed, content)
    if difference is not None:
        wrong(f"content in which {difference}", "what the embedded entries and factors give")
    others = ", ".join(differing_masses(head_of(content).masses))
    masses = f", with atomic masses as the certificate states them, which differ from those at hand for {others}"
    return (
        f"computed again from {len(evidence.entries)} entries and {len(evidence.factors)} factor records"
        f"{masses if others else ''}: every field agrees. That no correction, assay or settlement was left out of them "
        "is the issuer's word"
    )


def _check_page(
    checks: Checklist,
    drawn: bytes,
    content: dict[str, Any],
    evidence: dict[str, Any],
    render: Callable[[dict[str, Any], dict[str, Any]], bytes] | None,
) -> None:
    if render is None:
        checks.not_checked(PAGE, "the page was not drawn again: no drawing library at hand")
        return
    if any(check.name == ARITHMETIC and check.outcome is not Outcome.PASSED for check in checks.done):
        checks.not_checked(PAGE, "the page was not drawn again, since its content does not hold")
        return
    theirs = (content.get("renderer"), content.get("drawn_with"))
    if theirs != (RENDERER, drawn_with()):
        checks.not_checked(
            PAGE,
            f"the page was not drawn again: it was drawn by {theirs[0]} with {theirs[1]}, here are {RENDERER} with "
            f"{drawn_with()}",
        )
        return
    base = checks.value(PAGE, lambda: render(content, evidence))
    if base is None:
        return
    if drawn == base:
        digest = hashlib.sha256(base).hexdigest()
        checks.passed(
            PAGE, f"drawn again from the content, the page is the same byte for byte (SHA-256 {digest[:16]}...)"
        )
    else:
        checks.failed(PAGE, "drawn again from the content, the page differs: what it shows is not what it states")
