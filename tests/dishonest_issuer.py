"""An issuer that holds every key and its own copy of the log, and writes into both what it likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certificates.content import content_sha256, head_of, make_content
from certificates.evidence import body_of, fold_evidence, parse_evidence
from certificates.issue import Issued
from certificates.keys import Issuer
from certificates.pdfa import render_base
from certificates.sign import sign_certificate
from certificates.signer import certificate_sha256
from ledger.log.checkpoint import Checkpoint, format_vkey, sign_checkpoint
from ledger.log.envelope import Envelope, envelope_bytes, parse_envelope
from ledger.log.forms import format_time, parse_time
from ledger.log.merkle import inclusion_path, leaf_hash, root_hash
from ledger.log.statement import Statement, sign_statement
from ledger.service.context import Actor
from ledger.service.read import entry_bytes, head
from tests.certified_plant import CertifiedPlant, embedded
from tests.store_samples import ACTOR, LOG_KEY, ORIGIN


class Fork:
    """A copy of a plant's log, to go on with in another way.

    entries: exact bytes of each. size: how many entries to take over; all of them if None.
    """

    def __init__(self, plant: CertifiedPlant, size: int | None = None) -> None:
        taken = head(plant.ledger).tree_size if size is None else size
        self.plant = plant
        self.entries = entry_bytes(plant.ledger, range(taken))

    def append(self, entry_type: str, body: Mapping[str, Any], *, actor: Actor = ACTOR, recv: str | None = None) -> int:
        """Adds an entry, signed by the actor; a second after the last one unless recv is given. Its number."""
        last = parse_envelope(self.entries[-1])
        received = format_time(parse_time(last.recv, "/recv") + timedelta(seconds=1)) if recv is None else recv
        statement = Statement(
            type=entry_type,
            id=f"01890000-0000-7000-9000-{len(self.entries):012x}",
            at=received,
            actor=actor.actor,
            kid=actor.kid,
            body={"schema": 1, **body},
            commit={},
        )
        seq = len(self.entries)
        prev = leaf_hash(self.entries[-1]).hex()
        envelope = Envelope(ORIGIN, seq, prev, received, statement, sign_statement(statement, actor.private_key))
        self.entries.append(envelope_bytes(envelope))
        return seq

    def received_again(self, seq: int, recv: str) -> None:
        """Puts another time of receipt into the entry and links the later ones anew; statements stay as signed."""
        for at in range(seq, len(self.entries)):
            envelope = parse_envelope(self.entries[at])
            prev = leaf_hash(self.entries[at - 1]).hex() if at else envelope.prev
            changed = replace(envelope, prev=prev, recv=recv if at == seq else envelope.recv)
            self.entries[at] = envelope_bytes(changed)

    def content(
        self, issued: Issued, seqs: Sequence[int], masses: Mapping[str, Decimal] | None = None, **header: Any
    ) -> dict[str, Any]:
        """The content that these entries give for the certificate, under its own header but for what is named.

        masses: of elements, that are to differ.
        """
        content, evidence = embedded(issued.pdf)
        stated = head_of(content)
        stated = replace(stated, masses={**stated.masses, **(masses or {})})
        envelopes = [parse_envelope(self.entries[seq]) for seq in seqs]
        bodies = [(envelope.seq, envelope.statement.type, body_of(envelope)) for envelope in envelopes]
        state = fold_evidence(bodies, parse_evidence(evidence).factors, stated.masses)
        return make_content(
            stated.kind, state.plant, state.book, stated.batch_id, replace(stated.header, **header), stated.masses,
            allocation=stated.allocation,
        )  # fmt: skip

    def certificate(
        self,
        issued: Issued,
        content: dict[str, Any],
        seqs: Sequence[int],
        *,
        issuer: Issuer | None = None,
        signed_at: datetime | None = None,
        actor: Actor = ACTOR,
        recv: str | None = None,
        body: Mapping[str, Any] | None = None,
        change: Callable[[dict[str, Any]], None] = lambda evidence: None,
        base: Callable[[dict[str, Any], dict[str, Any]], bytes] = render_base,
        log_key: Ed25519PrivateKey = LOG_KEY,
    ) -> bytes:
        """Logs the issuance of `content` and makes its certificate on these entries.

        body: fields of the issuance that are to differ. change: of the evidence. base: draws the page.
        signed_at: the time of the issuance if None.
        """
        signer = self.plant.authority.issuer if issuer is None else issuer
        stated = {
            "certificate_id": content["certificate_id"],
            "kind": content["kind"],
            "batch_id": content["batch"]["batch_id"],
            "content_sha256": content_sha256(content),
            "signer_sha256": certificate_sha256(signer.certificate),
            "basis_tree_size": content["log"]["tree_size"],
            **({"supersedes": content["supersedes"]} if "supersedes" in content else {}),
            **({"reason": content["supersede_reason"]} if "supersede_reason" in content else {}),
            **(body or {}),
        }
        issuance = self.append("certificate_issued", stated, actor=actor, recv=recv)
        evidence = {**embedded(issued.pdf)[1], **self.proofs(seqs, issuance, log_key)}
        change(evidence)
        received = parse_time(parse_envelope(self.entries[issuance]).recv, "/recv")
        return sign_certificate(base(content, evidence), signer, signed_at or received)

    def proofs(self, seqs: Sequence[int], issuance: int, log_key: Ed25519PrivateKey = LOG_KEY) -> dict[str, Any]:
        """The part of an evidence that proves these entries under a checkpoint of all."""
        leaves = [leaf_hash(entry) for entry in self.entries]

        def proven(seq: int) -> dict[str, Any]:
            path = [one.hex() for one in inclusion_path(leaves, seq)]
            return {"seq": seq, "data": self.entries[seq].decode(), "path": path}

        return {
            "entries": [proven(seq) for seq in seqs],
            "issuance": proven(issuance),
            "checkpoint": sign_checkpoint(Checkpoint(ORIGIN, len(leaves), root_hash(leaves)), log_key),
            "vkey": format_vkey(ORIGIN, log_key.public_key()),
        }


def seqs_of(issued: Issued) -> list[int]:
    """Numbers of the entries that the certificate carries."""
    return [entry["seq"] for entry in embedded(issued.pdf)[1]["entries"]]
