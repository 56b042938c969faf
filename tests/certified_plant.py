"""A plant with both example campaigns in its log, an issuer, and ways to forge its certificates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata

from certificates.embedded import CONTENT_FILE, EVIDENCE_FILE
from certificates.issue import Issued, issue_certificate
from certificates.keys import DemoAuthority, make_demo_authority
from certificates.pdfa import render_base
from certificates.sign import SignerAt, WriterThatKeepsMetadata, sign_certificate, signer_of
from certificates.update import FIELD_NAME
from certificates.verify import Trust, Verification, verify_certificate
from ledger.log.canonical import parse_canonical, parse_json
from ledger.report import Outcome
from ledger.service.append import Draft, append_entries, create_log
from ledger.service.campaigns import import_campaign
from ledger.service.context import Ledger
from ledger.service.factor_library import default_adoption
from tests.store_samples import ACTOR, VKEY, make_ledger

MADE_AT = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
"""Before the first reading of the ledger's clock."""

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
"""When certificates are verified."""

CERTIFIED = "OX-NdPr-501-A"


@dataclass(frozen=True)
class CertifiedPlant:
    """ledger: with both campaigns. authority: the issuer's, whose root verifiers trust."""

    ledger: Ledger
    authority: DemoAuthority

    def issue(self, batch_id: str = CERTIFIED, kind: str = "co2", **options: Any) -> Issued:
        """A certificate by the plant's issuer."""
        return issue_certificate(self.ledger, batch_id, kind, self.authority.issuer, ACTOR, **options)

    @property
    def trust(self) -> Trust:
        """What a buyer of the plant trusts."""
        return Trust((self.authority.root.public_bytes(Encoding.PEM),), (VKEY,))

    def correct_meter(self) -> None:
        """The meter of the NdPr line was read wrongly: logs the correction."""
        self.run_campaign("bel-demo-2-correction")

    def run_campaign(self, name: str) -> None:
        """Logs the events of an example campaign."""
        import_campaign(self.ledger, parse_json((files("api") / "campaigns" / f"{name}.json").read_bytes()), ACTOR)


def make_certified_plant(url: str, folder: Path) -> CertifiedPlant:
    """A plant on the database at `url` (migrated, empty) with adopted factors and both campaigns."""
    ledger = make_ledger(url, folder)
    create_log(ledger, ACTOR)
    adoption = default_adoption("gb-2023", MADE_AT.date())
    append_entries(ledger, [Draft("factor_adoption", adoption.to_value())], ACTOR)
    plant = CertifiedPlant(ledger, make_demo_authority("Belfast Demo Plant", "GB", MADE_AT))
    plant.run_campaign("bel-demo-1")
    plant.run_campaign("bel-demo-2")
    return plant


def verify(pdf: bytes, trust: Trust, **options: Any) -> Verification:
    """Verification with the page drawn again."""
    return verify_certificate(pdf, trust, **{"now": NOW, "render": render_base, **options})


def failed_checks(verification: Verification) -> list[str]:
    """Names of the checks that failed."""
    return [check.name for check in verification.checks if check.outcome is Outcome.FAILED]


def outcome_of(verification: Verification, name: str) -> Outcome:
    """What the check of this name came to."""
    return next(check.outcome for check in verification.checks if check.name == name)


def embedded(pdf: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Content and evidence in the certificate."""
    with pikepdf.open(BytesIO(pdf)) as document:
        content = parse_canonical(document.attachments[CONTENT_FILE].get_file().read_bytes())
        evidence = parse_canonical(document.attachments[EVIDENCE_FILE].get_file().read_bytes())
    assert isinstance(content, dict)
    assert isinstance(evidence, dict)
    return content, evidence


def forge(
    issued: Issued,
    authority: DemoAuthority,
    change: Callable[[dict[str, Any], dict[str, Any]], None],
    *,
    signed_at: datetime | None = None,
) -> bytes:
    """The certificate drawn and signed anew by `authority` after `change` of content and evidence.

    With the plant's own authority it is what a dishonest issuer could make: every signature over the file is right.
    """
    content, evidence = embedded(issued.pdf)
    change(content, evidence)
    moment = datetime.fromisoformat(issued.content["issued_at"]) if signed_at is None else signed_at
    return sign_certificate(render_base(content, evidence), authority.issuer, moment)


def resigned(
    issued: Issued,
    plant: CertifiedPlant,
    change: Callable[[pikepdf.Pdf], None],
    base: bytes | None = None,
    keep_packing: bool = False,
) -> bytes:
    """The unsigned certificate, or `base`, changed with a PDF library and then signed by the issuer.

    keep_packing: streams stay packed as the change leaves them.
    """
    output = BytesIO()
    with pikepdf.open(BytesIO(render_base(*embedded(issued.pdf)) if base is None else base)) as document:
        change(document)
        document.save(
            output,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
            compress_streams=not keep_packing,
            stream_decode_level=pikepdf.StreamDecodeLevel.none if keep_packing else None,
        )
    moment = datetime.fromisoformat(issued.content["issued_at"])
    return sign_certificate(output.getvalue(), plant.authority.issuer, moment)


def signed_with_update(
    issued: Issued, plant: CertifiedPlant, change: Callable[[IncrementalPdfFileWriter], None]
) -> bytes:
    """The true certificate, signed by the issuer with an update that makes a `change` besides."""
    writer = WriterThatKeepsMetadata(BytesIO(render_base(*embedded(issued.pdf))))
    change(writer)
    metadata = PdfSignatureMetadata(
        field_name=FIELD_NAME,
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.FILL_FORMS,
    )
    output = BytesIO()
    moment = datetime.fromisoformat(issued.content["issued_at"])
    SignerAt(metadata, signer_of(plant.authority.issuer), moment).sign_pdf(writer, output=output)
    return output.getvalue()
