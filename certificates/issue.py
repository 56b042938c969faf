"""Issuing a certificate: gate, content, entry in the log, checkpoint, proofs, page, signature; and superseding one.

Nothing is logged before the content has been computed a second time from the evidence alone, as a verifier will, and
its page has been drawn once. The entry comes before the file: a certificate that the log does not know cannot exist.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from certificates.content import Header, Kind, content_sha256, make_content
from certificates.evidence import (
    Evidence,
    ProvenEntry,
    first_difference,
    needed_seqs,
    recompute_content,
)
from certificates.key_checks import doubt
from certificates.keys import Issuer
from certificates.log_checks import ISSUING_ROLES, MAX_CLOCK_SKEW
from certificates.pdfa import render_base
from certificates.renderer import RENDERER, drawn_with
from certificates.sign import sign_certificate
from certificates.signer import certificate_sha256
from certificates.status import certificate_status
from ledger.carbon.allocation import Allocation
from ledger.carbon.factors import Factor, FactorBook, make_factor_book
from ledger.errors import ConflictError, InputError, RuleError, StoreError, UnknownIdError, problem
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.envelope import Envelope, parse_envelope
from ledger.log.forms import format_base64, parse_time
from ledger.material.entries import CertificateIssued
from ledger.material.genealogy import ancestors, evidence_seqs
from ledger.material.plant import Plant
from ledger.service.append import Draft, append_entries
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Actor, Ledger
from ledger.service.factor_library import factor_records
from ledger.service.log_keys import keys_now, signed_by
from ledger.service.read import entry_bytes, inclusion_proofs, state_of
from ledger.service.timestamps import check_authority, timestamp_note
from ledger.service.witnesses import check_witnesses_answer, require_witnesses

MAX_REASON_CHARS = 300

MAX_TRIES = 4
"""How often a content is computed while others log."""


@dataclass(frozen=True)
class Issued:
    """A certificate as issued. pdf: the signed file. content: what it states. seq: of its entry in the log."""

    pdf: bytes = field(repr=False)
    content: dict[str, Any] = field(repr=False)
    certificate_id: str
    seq: int


def issue_certificate(
    ledger: Ledger,
    batch_id: str,
    kind: Kind | str,
    issuer: Issuer,
    actor: Actor,
    *,
    supersedes: str | None = None,
    reason: str | None = None,
    allocation: Allocation = "mass",
) -> Issued:
    """Issues a certificate of `kind` ("co2" or "provenance") for the batch, as the log stands now.

    supersedes, reason: the certificate that this one replaces, and why; both or neither.
    Raises: InputError for another kind, or one of the two without the other; UnknownIdError, RuleError if the batch
    cannot be certified (see certificates.content), was used up, or was made of a batch that was used up and has a
    certificate in force, or `supersedes` cannot be superseded by it; StoreError without the log's key, if the
    issuer's certificate is not valid now, or if fewer witnesses answer than are needed; ConflictError if others keep
    logging meanwhile. Nothing is logged then, but for the issue itself if a witness or time stamping authority that
    answered before does not any more: the error says so.
    """
    kind = _kind(kind)
    if (supersedes is None) != (reason is None):
        raise InputError(problem("/reason", reason, "a reason together with supersedes", "Give both or neither."))
    # What is logged between computing a content and logging its issuance could contradict it: then it is computed anew.
    for _ in range(MAX_TRIES - 1):
        with suppress(ConflictError):
            return _issue_now(ledger, batch_id, kind, issuer, actor, supersedes, reason, allocation)
    return _issue_now(ledger, batch_id, kind, issuer, actor, supersedes, reason, allocation)


def _issue_now(
    ledger: Ledger,
    batch_id: str,
    kind: Kind,
    issuer: Issuer,
    actor: Actor,
    supersedes: str | None,
    reason: str | None,
    allocation: Allocation,
) -> Issued:
    """Issues a certificate from the log as read once. Raises: ConflictError if the log has grown by then."""
    state = state_of(ledger)
    book = make_factor_book(state.adoptions, factor_records())
    if supersedes is not None:
        _check_supersedes(state.plant, supersedes, batch_id, kind)
    _check_actor(state.plant, actor)
    ledger.signing_key()
    issued_at = _time_of_issue(ledger, state.tree_size)
    _check_issuer(issuer, issued_at)
    header = Header(
        certificate_id=ledger.new_id(),
        issued_at=f"{issued_at:%Y-%m-%dT%H:%M:%SZ}",
        origin=ledger.origin,
        tree_size=state.tree_size,
        renderer=RENDERER,
        drawn_with=drawn_with(),
        supersedes=supersedes,
        supersede_reason=reason,
    )
    content = make_content(kind, state.plant, book, batch_id, header, ledger.masses, allocation)
    if supersedes is None:
        _check_not_certified_twice(state.plant, batch_id, kind)
    seqs = needed_seqs(kind, state.plant, book, batch_id)
    datas = entry_bytes(ledger, seqs)
    factors = _records(book, content)
    envelopes = [parse_envelope(data) for data in datas]
    _check_recomputes(content, envelopes, factors)
    _check_undoubted(ledger, batch_id, envelopes, actor, state.tree_size)
    render_base(content, {})  # a page that cannot be drawn is found out before anything is logged
    if ledger.tsa_url is not None:
        check_authority(ledger)  # as is an authority that does not answer
    if ledger.witnesses.needed:  # and witnesses who do not
        check_witnesses_answer(ledger, make_checkpoint(ledger))

    body = CertificateIssued(
        certificate_id=header.certificate_id,
        kind=kind,
        batch_id=batch_id,
        content_sha256=content_sha256(content),
        basis_tree_size=state.tree_size,
        signer_sha256=certificate_sha256(issuer.certificate),
        supersedes=supersedes,
        reason=reason,
    )
    draft = Draft("certificate_issued", body.to_value())
    issuance = append_entries(ledger, [draft], actor, expected_tree_size=state.tree_size)[0]
    note = require_witnesses(
        ledger,
        make_checkpoint(ledger),
        f"{header.certificate_id}, which is logged as issued",
        "No file was made. Issue it again, superseding it, when the witnesses answer.",
    )
    tree_size = parse_checkpoint(note)[0].tree_size
    all_seqs = [*seqs, issuance.seq]
    proven = [
        ProvenEntry(seq=seq, data=data.decode("utf-8"), path=tuple(one.hex() for one in path))
        for seq, data, path in zip(
            all_seqs,
            [*datas, *entry_bytes(ledger, [issuance.seq])],
            inclusion_proofs(ledger, all_seqs, tree_size),
            strict=True,
        )
    ]
    evidence = Evidence(
        v=1,
        entries=tuple(proven[:-1]),
        issuance=proven[-1],
        checkpoint=note,
        vkey=signed_by(ledger, note),
        factors=tuple(factors),
        timestamp=_stamped(ledger, note, header.certificate_id),
    )
    base = render_base(content, evidence.to_value())
    return Issued(
        sign_certificate(base, issuer, max(issued_at, ledger.now())), content, header.certificate_id, issuance.seq
    )


def _stamped(ledger: Ledger, note: str, certificate_id: str) -> str | None:
    """A time stamp over the certificate's checkpoint, in base64; None where no authority is set.

    Raises: StoreError if there is none to be had, though there was before the issue was logged.
    """
    if ledger.tsa_url is None:
        return None
    try:
        return format_base64(timestamp_note(ledger, note))
    except StoreError as error:
        raise StoreError(
            problem(
                "/tsa_url",
                str(error),
                f"a time stamp over the checkpoint of {certificate_id}, which is logged as issued",
                "No file was made. Issue it again, superseding it, when the authority answers.",
            ),
            *error.problems,
        ) from error


def supersede(ledger: Ledger, certificate_id: str, issuer: Issuer, actor: Actor, reason: str | None = None) -> Issued:
    """Issues the certificate's batch and kind anew, superseding it.

    reason: in words; if None, the corrections since that concern its batch are named.
    Raises: UnknownIdError if there is no such certificate; RuleError if it is not in force, or if no reason is given
    and no correction concerns it; else as issue_certificate.
    """
    plant = state_of(ledger).plant
    if certificate_id not in plant.certificates:
        raise UnknownIdError(problem("/certificate_id", certificate_id, "the id of a certificate", "Check the id."))
    _, issued = plant.certificates[certificate_id]
    why = _changes(plant, issued) if reason is None else reason
    return issue_certificate(ledger, issued.batch_id, issued.kind, issuer, actor, supersedes=certificate_id, reason=why)


def _time_of_issue(ledger: Ledger, tree_size: int) -> datetime:
    """Now, or the time of the log's last entry if the clock is a little behind that.

    Raises: StoreError if it is further behind: no verifier would take the times for true.
    """
    now = ledger.now().astimezone(UTC)
    if tree_size == 0:
        return now
    last = parse_time(parse_envelope(entry_bytes(ledger, [tree_size - 1])[0]).recv, "/recv")
    if last > now + MAX_CLOCK_SKEW:
        raise StoreError(
            problem(
                "/now",
                f"{now:%Y-%m-%d %H:%M} UTC",
                f"a time after the log's last entry, {last:%Y-%m-%d %H:%M} UTC",
                "Set this computer's clock right.",
            )
        )
    return max(now, last)


def _kind(kind: str) -> Kind:
    if kind == "co2":
        return "co2"
    if kind == "provenance":
        return "provenance"
    raise InputError(problem("/kind", kind, '"co2" or "provenance"', "Choose one of them."))


def _check_not_certified_twice(plant: Plant, batch_id: str, kind: Kind) -> None:
    """A batch that was used up has no certificate beside those of what it became. Not asked of one that supersedes."""
    if plant.batches[batch_id].status == "consumed":
        into = [
            output.batch_id for step in plant.used_by(batch_id) for output in plant.transformations[step][1].outputs
        ]
        raise RuleError(
            problem(
                "/batch_id",
                batch_id,
                "a batch of which something is left or was shipped; all of this one was drawn",
                f"Certify what it became: {', '.join(into)}.",
            )
        )
    used_up = {
        link.batch_id for link in ancestors(plant, batch_id) if plant.batches[link.batch_id].status == "consumed"
    }
    in_force = [
        problem(
            "/batch_id",
            batch_id,
            f"a batch whose mass is in no other {kind} certificate: {certificate_id} is in force for "
            f"{issued.batch_id}, all of which was drawn",
            f"Revoke {certificate_id} first.",
        )
        for certificate_id, (_, issued) in plant.certificates.items()
        if issued.batch_id in used_up
        and issued.kind == kind
        and certificate_status(plant, certificate_id).state == "valid"
    ]
    if in_force:
        raise RuleError(*in_force)


def _check_supersedes(plant: Plant, certificate_id: str, batch_id: str, kind: Kind) -> None:
    if certificate_id not in plant.certificates:
        raise UnknownIdError(problem("/supersedes", certificate_id, "the id of a certificate", "Check the id."))
    _, earlier = plant.certificates[certificate_id]
    if (earlier.batch_id, earlier.kind) != (batch_id, kind):
        raise RuleError(
            problem(
                "/supersedes",
                f"{earlier.kind} certificate for {earlier.batch_id}",
                f"a {kind} certificate for {batch_id}",
                "Supersede a certificate by one of the same batch and kind.",
            )
        )
    status = certificate_status(plant, certificate_id)
    if status.state != "valid":
        by = f" by {status.by}" if status.by else ""
        raise RuleError(
            problem(
                "/supersedes", f"{certificate_id}, {status.state}{by}", "a certificate in force", "Name the newest."
            )
        )


def _check_actor(plant: Plant, actor: Actor) -> None:
    """Raises: RuleError if the actor's key is registered for a role that may not issue."""
    if actor.kid in plant.keys.actors and (role := plant.keys.actors[actor.kid].role) not in ISSUING_ROLES:
        raise RuleError(
            problem("/actor", f"{actor.actor}, {role}", f"an actor who is {' or '.join(ISSUING_ROLES)}", "Ask one.")
        )


def _check_undoubted(ledger: Ledger, batch_id: str, envelopes: list[Envelope], actor: Actor, seq: int) -> None:
    """Raises: RuleError if an entry may be by somebody who had taken its actor's key: no reader would accept it.

    The same of entry seq, which is to be the issue, signed by the actor.
    """
    keys = keys_now(ledger)
    uncertain = doubt(keys, envelopes)
    if uncertain is not None:
        expected = f"a batch whose history was signed with keys that only their actors held: {uncertain}"
        next_step = "Log what is true under another batch id, from records that you trust."
        raise RuleError(problem("/batch_id", batch_id, expected, next_step))
    if keys.is_flagged(seq, actor.kid):
        expected = "a key that no compromised key has registered: the issue itself may be by somebody else"
        raise RuleError(
            problem("/actor", f"{actor.actor} with key {actor.kid}", expected, "Have another operator register a key.")
        )


def _check_issuer(issuer: Issuer, at: datetime) -> None:
    certificate = issuer.certificate
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise StoreError(
            problem(
                "",
                f"{at:%Y-%m-%d}",
                f"a time at which the issuer's certificate is valid: {certificate.not_valid_before_utc:%Y-%m-%d} to "
                f"{certificate.not_valid_after_utc:%Y-%m-%d}",
                "Get a new issuer certificate.",
            )
        )


def _records(book: FactorBook, content: dict[str, Any]) -> list[Factor]:
    """The factor records that the content lists, as records."""
    used = {record["factor_id"] for record in content.get("factors", ())}
    hashes = {ref.sha256 for refs in book.adopted.values() for ref in refs if ref.factor_id in used}
    return sorted((book.records[each] for each in hashes), key=lambda factor: factor.factor_id)


def _check_recomputes(content: dict[str, Any], envelopes: list[Envelope], factors: list[Factor]) -> None:
    """Raises: StoreError unless the evidence alone gives the same content."""
    difference = first_difference(content, recompute_content(content, envelopes, factors))
    if difference is not None:
        raise StoreError(
            problem(
                "/evidence",
                difference,
                "what the whole log gives",
                "Report this; nothing was logged.",
            )
        )


def _changes(plant: Plant, issued: CertificateIssued) -> str:
    """The corrections since the certificate's content was computed that concern its batch, as one text.

    Raises: RuleError if there are none.
    """
    concerned = set(evidence_seqs(plant, issued.batch_id))
    texts = [
        f"entry {seq} corrects entry {one.corrects_seq}, {one.pointer} from {one.old} to {one.new}: {one.reason}"
        for seq, one in plant.corrections
        if seq >= issued.basis_tree_size and seq in concerned
    ]
    if not texts:
        raise RuleError(
            problem(
                "/reason", None, "a correction that concerns the batch, or a reason", "State why it is to be replaced."
            )
        )
    text = "; ".join(texts)
    return text if len(text) <= MAX_REASON_CHARS else text[: MAX_REASON_CHARS - 3] + "..."
