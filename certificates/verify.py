"""Verification of a certificate: the file and what is trusted come in, a verdict and its checks go out.

Needs neither database nor web nor drawing library, so that a buyer can run it offline. It works from the outside in:
first the bytes and the signature over all of them; only what a trusted issuer has signed is parsed at all. Then the
log: proofs, checkpoint, the actors' signatures. Then the numbers: everything is computed again from the entries inside.

No input makes it raise: hostile bytes end in a failed check. A check that could not be made is "not checked" and says
why.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from certificates.container import Container, SignedBytes, find_signed_bytes, read_container
from certificates.content import Head, content_sha256, head_of
from certificates.embedded import CONTENT_FILE, EVIDENCE_FILE, read_certificate
from certificates.evidence import Evidence, body_of, first_difference, parse_evidence, recompute_content
from certificates.renderer import RENDERER, drawn_with
from certificates.signer import parse_roots, verify_signature, verify_signer
from certificates.status import Status
from ledger.errors import BadSignatureError, LedgerError, VerificationError, problem
from ledger.log.canonical import parse_canonical
from ledger.log.checkpoint import VerifierKey, parse_checkpoint, parse_vkey, verify_checkpoint
from ledger.log.envelope import Envelope
from ledger.log.merkle import leaf_hash, verify_inclusion
from ledger.log.statement import key_id, verify_statement_signature
from ledger.material.entries import ActorKey, CertificateIssued
from ledger.report import Check, Outcome, all_hold, failed, not_checked, passed

SIGNED_BYTES = "signed-bytes"
CONTAINER = "signature-container"
SIGNATURE = "signature"
SIGNER = "signer-trust"
CONTENT = "embedded-content"
ISSUANCE = "issuance"
INCLUSION = "inclusion-proofs"
CHECKPOINT = "checkpoint-signature"
ENTRIES = "entry-signatures"
ARITHMETIC = "arithmetic"
PAGE = "page"
STATUS = "status"
TIMESTAMP = "timestamp"

VALID = "valid"
STATUS_UNKNOWN = "valid when issued, status unknown"
SUPERSEDED = "superseded"
REVOKED = "revoked"
NOT_VALID = "not valid"
UNDECIDED = "cannot be checked"

MAX_PDF_BYTES = 64 * 1024 * 1024
MAX_CLOCK_SKEW = timedelta(minutes=10)
"""How far a signing time may lie ahead of the verifier's clock."""

_CODE_ERRORS = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, AssertionError, RecursionError)
"""What computing raises on values that nobody thought of. Only content that a trusted issuer signed gets that far; if
it makes the computation stumble, that is a failed check, not a crash."""


@dataclass(frozen=True)
class Trust:
    """What the verifier trusts, brought by it and not by the certificate.

    roots: certificates of issuers' authorities, PEM or DER. vkeys: verifier keys of logs (C2SP signed-note text).
    """

    roots: tuple[bytes, ...]
    vkeys: tuple[str, ...]


@dataclass(frozen=True)
class Verification:
    """What verifying a certificate came to.

    verdict: one of the six texts above. checks: each check with its outcome, in the order made.
    content: the certificate's content, if a trusted issuer has signed it; else None. It is to be shown with the
    verdict.
    """

    verdict: str
    checks: list[Check]
    content: dict[str, Any] | None

    @property
    def ok(self) -> bool:
        """Whether the verdict is positive."""
        return self.verdict in (VALID, STATUS_UNKNOWN)


def verify_certificate(
    pdf: bytes,
    trust: Trust,
    *,
    now: datetime,
    render: Callable[[dict[str, Any], dict[str, Any]], bytes] | None = None,
    status_of: Callable[[str], Status | None] | None = None,
) -> Verification:
    """Verifies the signed certificate `pdf`.

    now: the verifier's time, with zone. render: (content, evidence) -> the unsigned file, to compare the page with;
    None leaves the page unchecked. status_of: looks up what became of a certificate id; None, or answering None,
    leaves the status unchecked.
    Raises: InputError if `trust` itself is not of its form; never because of `pdf`.
    """
    roots, vkeys = parse_roots(trust.roots), [parse_vkey(text) for text in trust.vkeys]
    checks = _Checks()
    covered = _check_signature(checks, pdf, roots, now)
    files = None if covered is None else checks.value(SIGNATURE, lambda: read_certificate(pdf, covered))
    if covered is None or files is None:
        checks.skip_rest("what is inside was not read, since the signature does not hold")
        return Verification(checks.verdict(None), checks.done, None)
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

    checks.run(ISSUANCE, lambda: _check_issuance(content, head, envelopes, covered))
    checks.run(INCLUSION, lambda: _check_inclusion(evidence, head))
    _check_checkpoint(checks, evidence, head, vkeys)
    checks.run(ENTRIES, lambda: _check_entry_signatures(envelopes))
    checks.run(ARITHMETIC, lambda: _check_arithmetic(content, envelopes[:-1], evidence))
    _check_page(checks, pdf, content, evidence_value, render)
    status = _check_status(checks, head, status_of)
    checks.not_checked(TIMESTAMP, "the certificate carries no trusted timestamp; its times are the issuer's word")
    return Verification(checks.verdict(status), checks.done, content)


class _Checks:
    """The checks made so far. Each name gets one outcome."""

    _ORDER = (
        SIGNED_BYTES, CONTAINER, SIGNATURE, SIGNER, CONTENT, ISSUANCE, INCLUSION, CHECKPOINT, ENTRIES, ARITHMETIC,
        PAGE, STATUS, TIMESTAMP,
    )  # fmt: skip
    _OPTIONAL = (PAGE, STATUS, TIMESTAMP)

    def __init__(self) -> None:
        self._by_name: dict[str, Check] = {}

    @property
    def done(self) -> list[Check]:
        """All checks in their order."""
        return [self._by_name[name] for name in self._ORDER if name in self._by_name]

    def passed(self, name: str, detail: str) -> None:
        self._by_name[name] = passed(name, detail, required=name not in self._OPTIONAL)

    def failed(self, name: str, detail: str) -> None:
        self._by_name[name] = failed(name, detail)

    def not_checked(self, name: str, why: str) -> None:
        self._by_name[name] = not_checked(name, why, required=name not in self._OPTIONAL)

    def skip_rest(self, why: str) -> None:
        """Every check without an outcome is not checked."""
        for name in self._ORDER:
            if name not in self._by_name:
                self.not_checked(name, why)

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives; or None, and the check has failed, where it raises."""
        try:
            return make()
        except LedgerError as error:
            self.failed(name, _sentence(error))
        except _CODE_ERRORS as error:
            self.failed(name, f"could not be read: {type(error).__name__}: {str(error)[:200]}")
        return None

    def run(self, name: str, check: Callable[[], str]) -> None:
        """Makes a check that gives its detail, or raises."""
        detail = self.value(name, check)
        if detail is not None:
            self.passed(name, detail)

    def verdict(self, status: Status | None) -> str:
        """The verdict that the checks add up to."""
        broken = [check for check in self.done if check.outcome is Outcome.FAILED]
        if broken:
            only_status = all(check.name == STATUS for check in broken)
            if not only_status or status is None:
                return NOT_VALID
        others = [check for check in self.done if check.name != STATUS]
        if not all_hold(others):
            return UNDECIDED
        if broken:
            assert status is not None
            return REVOKED if status.state == "revoked" else SUPERSEDED
        return VALID if self._by_name[STATUS].outcome is Outcome.PASSED else STATUS_UNKNOWN


def _check_signature(checks: _Checks, pdf: bytes, roots: Sequence[Any], now: datetime) -> SignedBytes | None:
    """The bytes covered by a trusted signature, or None. Whether it is the file's only one is seen later."""
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
    if not roots:
        checks.not_checked(SIGNER, "no root certificate was given to check the signer against")
        return None
    checks.run(SIGNER, lambda: _check_signer(container, covered, roots, now))
    outcomes = {check.outcome for check in checks.done}
    return covered if outcomes == {Outcome.PASSED} else None


def _check_digest_and_signature(container: Container, covered: SignedBytes) -> str:
    if container.message_digest != covered.digest:
        _wrong(
            f"digest {covered.digest.hex()}", f"{container.message_digest.hex()}, which was signed: a byte was changed"
        )
    verify_signature(container.leaf, container.signature, container.signed_attributes)
    return "the signature holds over every byte; the file's structure was not read"


def _check_signer(container: Container, covered: SignedBytes, roots: Sequence[Any], now: datetime) -> str:
    if covered.signed_at > now + MAX_CLOCK_SKEW:
        _wrong(f"{covered.signed_at:%Y-%m-%d %H:%M} UTC", f"a signing time before now, {now:%Y-%m-%d %H:%M %Z}")
    chain = verify_signer(container.leaf, container.intermediates, roots, covered.signed_at)
    names = " <- ".join(certificate.subject.rfc4514_string() for certificate in chain)
    return (
        f"{names}; valid at the time that the issuer claims, {covered.signed_at:%Y-%m-%d %H:%M} UTC. Whether it was "
        "revoked since was not looked up"
    )


def _parse_files(files: Mapping[str, bytes]) -> tuple[dict[str, Any], dict[str, Any], Evidence, Head]:
    """(content, evidence as JSON data, evidence, what the content says of itself)."""
    content, evidence = parse_canonical(files[CONTENT_FILE]), parse_canonical(files[EVIDENCE_FILE])
    if not isinstance(content, dict) or not isinstance(evidence, dict):
        _wrong("a JSON value", "two JSON objects")
    return content, evidence, parse_evidence(evidence), head_of(content)


def _check_issuance(content: Mapping[str, Any], head: Head, envelopes: Sequence[Envelope], covered: SignedBytes) -> str:
    """The last envelope is the entry that this certificate, with this content, was issued."""
    issuance = envelopes[-1]
    body = body_of(issuance)
    if not isinstance(body, CertificateIssued):
        _wrong(issuance.statement.type, "an entry certificate_issued")
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
    }
    for name, (in_log, in_certificate) in stated.items():
        if in_log != in_certificate:
            _wrong(f"{name} {in_certificate}", f"{in_log}, as entry {issuance.seq} of the log says")
    if issuance.seq < header.tree_size:
        _wrong(f"issuance at entry {issuance.seq}", f"an entry after the {header.tree_size} that the content rests on")
    if late := [envelope.seq for envelope in envelopes[:-1] if envelope.seq >= header.tree_size]:
        _wrong(f"entry {late[0]} as evidence", f"entries before {header.tree_size}, the log's size that was used")
    if header.issued_moment() > covered.signed_at:
        _wrong(f"signed {covered.signed_at:%Y-%m-%dT%H:%M:%SZ}", f"a signing time from {header.issued_at} on")
    return f"entry {issuance.seq} of {issuance.log} says that {body.certificate_id} was issued with this very content"


def _check_inclusion(evidence: Evidence, head: Head) -> str:
    checkpoint, _ = parse_checkpoint(evidence.checkpoint)
    if checkpoint.origin != head.header.origin:
        _wrong(f"checkpoint of {checkpoint.origin}", f"of the certificate's log, {head.header.origin}")
    seqs = [entry.seq for entry in evidence.entries]
    if any(later <= earlier for earlier, later in pairwise(seqs)):
        _wrong(f"entries {seqs}", "each entry once, by rising number")
    for entry in (*evidence.entries, evidence.issuance):
        if (log := entry.envelope().log) != checkpoint.origin:
            _wrong(f"entry {entry.seq} of {log}", f"an entry of {checkpoint.origin}")
        path = [bytes.fromhex(one) for one in entry.path]
        leaf = leaf_hash(entry.data.encode("utf-8"))
        try:
            verify_inclusion(leaf, entry.seq, checkpoint.tree_size, path, checkpoint.root)
        except VerificationError as error:
            _wrong(f"entry {entry.seq}", f"a proof that leads to the checkpoint's root ({_sentence(error)})")
    return f"{len(seqs) + 1} entries stand under the root of the checkpoint of {checkpoint.tree_size} entries"


def _check_checkpoint(checks: _Checks, evidence: Evidence, head: Head, vkeys: Sequence[VerifierKey]) -> None:
    origin = head.header.origin
    mine = [vkey for vkey in vkeys if vkey.origin == origin]
    if not mine:
        checks.not_checked(CHECKPOINT, f"no key of the log {origin} is among the trusted ones")
        return
    checks.run(CHECKPOINT, lambda: _check_note(evidence.checkpoint, mine))


def _check_note(note: str, vkeys: Sequence[VerifierKey]) -> str:
    """A log may have had several keys: one that is trusted must have signed."""
    errors = []
    for vkey in vkeys:
        try:
            checkpoint = verify_checkpoint(note, vkey)
        except VerificationError as error:
            errors.append(error)
        else:
            return f"signed by the trusted key {vkey.key_hash.hex()} of {checkpoint.origin}"
    raise errors[0]


def _check_entry_signatures(envelopes: Sequence[Envelope]) -> str:
    """Every statement is signed by a key that an earlier entry registers for its actor; the first registers its own."""
    registered: dict[str, tuple[str, Ed25519PublicKey]] = {}
    for envelope in envelopes:
        statement = envelope.statement
        body = body_of(envelope)
        key = registered.get(statement.kid)
        if isinstance(body, ActorKey):
            public_key = Ed25519PublicKey.from_public_bytes(base64.b64decode(body.public_key, validate=True))
            if body.kid != key_id(public_key) or body.kid in registered:
                _wrong(f"key {body.kid} in entry {envelope.seq}", "a new key under its own id")
            if envelope.seq == 0 and body.kid == statement.kid:
                key = (body.actor, public_key)
            registered[body.kid] = (body.actor, public_key)
        if key is None:
            _wrong(f"key {statement.kid} of entry {envelope.seq}", "a key that an earlier entry among these registers")
        if key[0] != statement.actor:
            _wrong(f"entry {envelope.seq} by {statement.actor}", f"by {key[0]}, whose key signed it")
        try:
            verify_statement_signature(statement, envelope.signature, key[1])
        except BadSignatureError as error:
            _wrong(f"entry {envelope.seq}", f"a statement signed by its actor ({_sentence(error)})")
    return f"{len(envelopes)} statements are signed by keys that the log registers ({len(registered)} keys)"


def _check_arithmetic(content: Mapping[str, Any], envelopes: Sequence[Envelope], evidence: Evidence) -> str:
    recomputed = recompute_content(content, envelopes, evidence.factors)
    difference = first_difference(recomputed, content)
    if difference is not None:
        _wrong(f"content in which {difference}", "what the embedded entries and factors give")
    return (
        f"computed again from {len(evidence.entries)} entries and {len(evidence.factors)} factor records: every field "
        "agrees. That no correction was left out of them is the issuer's word"
    )


def _check_page(
    checks: _Checks,
    pdf: bytes,
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
    if pdf.startswith(base):
        digest = hashlib.sha256(base).hexdigest()
        checks.passed(
            PAGE, f"drawn again from the content, the page is the same byte for byte (SHA-256 {digest[:16]}...)"
        )
    else:
        checks.failed(PAGE, "drawn again from the content, the page differs: what it shows is not what it states")


def _check_status(checks: _Checks, head: Head, status_of: Callable[[str], Status | None] | None) -> Status | None:
    certificate_id = head.header.certificate_id
    if status_of is None:
        checks.not_checked(STATUS, "no log at hand to ask whether it was superseded or revoked")
        return None
    try:
        status = status_of(certificate_id)
    except LedgerError as error:
        checks.not_checked(STATUS, f"the log could not be asked: {_sentence(error)}")
        return None
    if status is None or status.state == "unknown":
        checks.not_checked(STATUS, f"the log that was asked does not know {certificate_id}")
        return None
    reason = f": {status.reason}" if status.reason else ""
    if status.state == "valid":
        checks.passed(STATUS, "neither superseded nor revoked, as the log that was asked stands now")
    elif status.state == "revoked":
        checks.failed(STATUS, f"revoked by entry {status.seq}{reason}")
    else:
        checks.failed(STATUS, f"superseded by {status.by}, entry {status.seq}{reason}")
    return status


def _sentence(error: LedgerError) -> str:
    """The first problem as one sentence, and how many more there are."""
    first = error.problems[0]
    more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
    where = f"{first.field}: " if first.field else ""
    return f"{where}found {first.value}; expected {first.expected}{more}"


def _wrong(found: object, expected: str) -> NoReturn:
    value = found if isinstance(found, str) else repr(found)
    raise VerificationError(problem("", value, expected, "Do not rely on this certificate."))
