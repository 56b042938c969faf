"""Issuing: the gate, what is logged, what the content says, superseding."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from certificates.affected import affected_certificates
from certificates.asked_log import AskedLog
from certificates.checklist import FIGURES_VALID, REVOKED, STATUS_UNKNOWN, SUPERSEDED, VALID
from certificates.container import find_signed_bytes
from certificates.content import content_sha256
from certificates.issue import MAX_TRIES, Issued, supersede
from certificates.signer import certificate_sha256
from ledger.errors import ConflictError, InputError, RuleError, StoreError, UnknownIdError
from ledger.log.checkpoint import parse_checkpoint
from ledger.material.entries import CertificateIssued
from ledger.report import Outcome
from ledger.service.append import Draft, append_entries
from ledger.service.read import head, plant_of
from tests.certified_plant import CERTIFIED, NOW, CertifiedPlant, embedded, failed_checks, make_certified_plant, verify
from tests.store_samples import ACTOR

PART_B = "OX-NdPr-501-B"


def log(plant: CertifiedPlant, entry_type: str, **body: Any) -> int:
    """Logs one entry; its sequence number."""
    return append_entries(plant.ledger, [Draft(entry_type, body)], ACTOR)[0].seq


# What an issued certificate is


@pytest.mark.parametrize("kind", ["co2", "provenance"])
def test_an_issued_certificate_verifies(kind: str, request: pytest.FixtureRequest, plant: CertifiedPlant) -> None:
    issued: Issued = request.getfixturevalue(kind)
    verification = verify(issued.pdf, plant.trust, log=AskedLog(plant.ledger))
    assert failed_checks(verification) == []
    assert verification.verdict == VALID
    assert verification.content == issued.content


def test_a_certificate_verifies_whichever_database_holds_the_log(database_url: str, tmp_path: Path) -> None:
    plant = make_certified_plant(database_url, tmp_path)
    verification = verify(plant.issue().pdf, plant.trust, log=AskedLog(plant.ledger))
    plant.ledger.engine.dispose()
    assert verification.verdict == VALID


def test_the_log_says_that_it_was_issued(co2: Issued, plant: CertifiedPlant) -> None:
    seq, entry = plant_of(plant.ledger).certificates[co2.certificate_id]
    assert seq == co2.seq
    assert entry == CertificateIssued(
        certificate_id=co2.certificate_id,
        kind="co2",
        batch_id=CERTIFIED,
        content_sha256=content_sha256(co2.content),
        signer_sha256=certificate_sha256(plant.authority.issuer.certificate),
        basis_tree_size=co2.content["log"]["tree_size"],
    )
    assert entry.basis_tree_size == seq  # nothing else was logged between


def test_the_checkpoint_inside_reaches_to_the_issuance(co2: Issued) -> None:
    _, evidence = embedded(co2.pdf)
    assert parse_checkpoint(evidence["checkpoint"])[0].tree_size == co2.seq + 1


def test_the_evidence_holds_no_private_value(co2: Issued, provenance: Issued) -> None:
    # The campaign file names this supplier in a private field: only a commitment may leave the plant.
    for issued in (co2, provenance):
        _, evidence = embedded(issued.pdf)
        assert not any("Leeds" in entry["data"] for entry in evidence["entries"])
        assert b"Leeds" not in issued.pdf


def test_the_signing_time_is_not_before_the_time_of_issue(co2: Issued) -> None:
    assert f"{find_signed_bytes(co2.pdf).signed_at:%Y-%m-%dT%H:%M:%SZ}" >= co2.content["issued_at"]


def test_a_page_drawn_by_other_libraries_is_not_checked_and_not_called_false(
    co2: Issued, plant: CertifiedPlant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("certificates.verify.drawn_with", lambda: "reportlab 9.9.9")
    verification = verify(co2.pdf, plant.trust, log=AskedLog(plant.ledger))
    (page,) = [check for check in verification.checks if check.name == "page"]
    assert page.outcome is Outcome.NOT_CHECKED
    assert "reportlab 9.9.9" in page.detail
    assert verification.verdict == FIGURES_VALID


# What the content says


def test_a_footprint_on_placeholder_factors_is_provisional_and_says_why(co2: Issued) -> None:
    assert co2.content["state"] == "provisional"
    # BEL-DEMO-2 uses five reagents, whose factors are all placeholders.
    assert [reason.split(" ")[0] for reason in co2.content["provisional_because"]] == [
        f"placeholder/{name}"
        for name in (
            "argon",
            "extractant-diluent",
            "hydrochloric-acid-32",
            "oxalic-acid-dihydrate",
            "sodium-hydroxide-50",
        )
    ]


def test_hot_spots_and_lines_add_up_to_the_headline(co2: Issued) -> None:
    result, spots, lines = (co2.content[name] for name in ("result", "hot_spots", "lines"))
    assert sum(Decimal(line["allocated_kg_co2e"]) for line in lines) == Decimal(result["total_kg_co2e"])
    assert sum(Decimal(spot["kg_co2e"]) for spot in spots) == Decimal(result["total_kg_co2e"])
    assert sum(Decimal(spot["kg_co2e_per_kg"]) for spot in spots) == Decimal(result["kg_co2e_per_kg"])
    assert sum(Decimal(spot["percent"]) for spot in spots) == Decimal("100.0")


def test_a_co2_certificate_does_not_claim_to_be_verified(co2: Issued) -> None:
    assert co2.content["method"]["verification"] == "none: signed by the plant, not verified by a third party"


def test_every_factor_used_stands_in_the_certificate(co2: Issued) -> None:
    used = {line["factor_id"] for line in co2.content["lines"] if "factor_id" in line}
    assert used == {record["factor_id"] for record in co2.content["factors"]}
    # What leaves the step itself is weighted with the gas's GWP and has no factor record.
    assert {line["activity"] for line in co2.content["lines"] if "factor_id" not in line} == {"direct-co2"}


def test_shares_of_lots_classes_and_countries_add_up(provenance: Issued) -> None:
    content = provenance.content
    assert sum(Decimal(lot["share_percent"]) for lot in content["lots"]) == 100
    for row in content["recycled"]:
        assert sum(Decimal(row[name]) for name in row if name.endswith("_percent")) == 100
    for row in content["origin"]:
        declared = sum(Decimal(share["percent"]) for share in row["shares"])
        assert declared + Decimal(row["unknown_percent"]) == 100


def test_neodymium_comes_from_the_lots_by_its_mass(provenance: Issued) -> None:
    # Nd in the milled feed, kg: as assayed in the three lots, dry mass x wt %, for every lot goes whole into the blend:
    # IN-101 622.3274 x 22.8 % = 141.8906; IN-102 409.18 x 23.5 % = 96.1573; IN-103 360 x 21.5 % = 77.4; sum 315.4479.
    # Post-consumer are IN-101 and IN-102: 238.0479 / 315.4479 = 75.46 %.
    (nd,) = [row for row in provenance.content["recycled"] if row["element"] == "Nd"]
    assert (nd["post_consumer_percent"], nd["pre_consumer_percent"]) == ("75.5", "24.5")


def test_the_balance_shows_what_is_unaccounted(provenance: Issued) -> None:
    (nd,) = [row for row in provenance.content["balance"] if row["element"] == "Nd"]
    # In: 315.4479 kg as above. Product: 426.20 kg oxide x 82.45 % Nd2O3 x 0.857351 (2 x 144.242 / 336.481) = 301.2765.
    # Residue: 1145.0 kg cake x 0.55 % = 6.2975. Left: 315.4479 - 301.2765 - 6.2975 = 7.8739.
    assert (nd["in_kg"], nd["product_kg"], nd["residue_kg"]) == ("315.4479", "301.2765", "6.2975")
    assert nd["unaccounted_kg"] == "7.8739"


def test_the_disputed_assay_and_its_settlement_stand_in_the_certificate(provenance: Issued) -> None:
    assert provenance.content["settlements"] == [
        {"batch_id": "IN-102", "species": "Dy", "supplier": "4.4", "plant": "4.0", "umpire": "4.1", "settled": "4.1"}
    ]


def test_a_part_of_a_split_shows_the_assay_of_the_whole(co2: Issued) -> None:
    assay = co2.content["batch"]["assay"]
    assert assay["batch_id"] == "OX-NdPr-501"
    assert [(one["assay_id"], one["party"]) for one in assay["reports"]] == [("OX-NdPr-501-ICP", "plant")]
    assert assay["treo_percent"] == "99.7"


def test_a_blend_of_assayed_oxides_can_be_certified(own_plant: CertifiedPlant) -> None:
    issued = own_plant.issue("BEL1-OX-NdPr")
    assert "assay" not in issued.content["batch"]
    # The known answer of BEL-DEMO-1: 4 027.1562 kg CO2e / 308.184 kg of oxides = 13.0674 kg CO2e/kg by mass.
    assert issued.content["result"]["kg_co2e_per_kg"] == "13.0674"
    assert issued.content["result"]["system_kg_co2e"] == "4027.1562"
    assert verify(issued.pdf, own_plant.trust).verdict == STATUS_UNKNOWN


@pytest.mark.parametrize("kind", ["co2", "provenance"])
@pytest.mark.parametrize("batch_id", ["BEL1-OX-NdPr", "BEL1-OX-Dy", "OX-NdPr-501-B", "OX-Dy-502", "OX-Tb-503"])
def test_every_oxide_of_both_campaigns_can_be_certified(own_plant: CertifiedPlant, batch_id: str, kind: str) -> None:
    verification = verify(own_plant.issue(batch_id, kind).pdf, own_plant.trust)
    assert failed_checks(verification) == []
    assert verification.verdict == STATUS_UNKNOWN


@pytest.mark.parametrize("allocation", ["economic", "element"])
def test_another_allocation_can_be_certified_and_holds(own_plant: CertifiedPlant, allocation: Any) -> None:
    issued = own_plant.issue("BEL1-OX-Dy", allocation=allocation)
    chosen = issued.content["results_by_allocation"][allocation]
    assert issued.content["result"]["kg_co2e_per_kg"] == chosen["kg_co2e_per_kg"]
    # Known answers of BEL-DEMO-1 for Dy2O3, to 0.0002 for another edition of the atomic masses.
    known = {"economic": Decimal("38.2437"), "element": Decimal("13.3286")}[allocation]
    assert abs(Decimal(chosen["kg_co2e_per_kg"]) - known) <= Decimal("0.0002")
    assert verify(issued.pdf, own_plant.trust).verdict == STATUS_UNKNOWN


# The gate


@pytest.mark.parametrize(
    ("batch_id", "error", "expected"),
    [
        ("OX-unheard-of", UnknownIdError, "the id of a batch"),
        ("IN-101", RuleError, "a product that was made here"),
        ("R-2", RuleError, "a product that was made here"),
        ("L-401", RuleError, "weighed"),
        ("F-301", RuleError, "with an assay"),
        ("BEL1-OX-Nd", RuleError, "something is left or was shipped"),  # blended
        ("OX-NdPr-501", RuleError, "something is left or was shipped"),  # split
    ],
)
@pytest.mark.parametrize("kind", ["co2", "provenance"])
def test_a_batch_that_cannot_be_certified_is_refused_and_nothing_logged(
    plant: CertifiedPlant, kind: str, batch_id: str, error: type[RuleError], expected: str
) -> None:
    before = head(plant.ledger).tree_size
    with pytest.raises(error) as raised:
        plant.issue(batch_id, kind)
    assert expected in raised.value.problems[0].expected
    assert head(plant.ledger).tree_size == before


def test_a_batch_that_rests_on_a_disputed_assay_is_refused(own_plant: CertifiedPlant) -> None:
    # The supplier now reports 26 % Nd in IN-102, the plant has 23.5 %; no settlement names it.
    log(
        own_plant,
        "assay",
        assay_id="IN-102-supplier-2",
        batch_id="IN-102",
        party="supplier",
        method="ICP-OES",
        components=[{"species": "Nd", "wt_percent": "26.0"}],
        reported_on="2023-10-10",
    )
    with pytest.raises(RuleError) as raised:
        own_plant.issue()
    assert "IN-102" in raised.value.problems[0].value
    assert "settled" in raised.value.problems[0].expected


def test_a_lot_without_an_assay_is_refused(own_plant: CertifiedPlant) -> None:
    log(
        own_plant,
        "receipt",
        batch_id="IN-901",
        site_id="BEL",
        description="magnets of unknown make",
        form="magnets",
        consumer_class="post-consumer",
        received_on="2023-11-01",
        dry_mass_kg="10",
    )
    log(
        own_plant,
        "step",
        step_id="S901",
        process="all in one",
        performed_on="2023-11-02",
        inputs=[{"batch_id": "IN-901", "whole": True}],
        outputs=[{"batch_id": "OX-901", "product": "NdPr oxide", "mass_kg": "1"}],
    )
    log(
        own_plant,
        "assay",
        assay_id="OX-901-ICP",
        batch_id="OX-901",
        party="plant",
        method="ICP-OES",
        components=[{"species": "Nd2O3", "wt_percent": "99.0"}],
        reported_on="2023-11-03",
    )
    with pytest.raises(RuleError) as raised:
        own_plant.issue("OX-901", "provenance")
    assert "IN-901" in raised.value.problems[0].value


def split_part_b(plant: CertifiedPlant) -> None:
    """All of the part B, 176.20 kg, becomes two smaller parts."""
    log(
        plant,
        "split",
        split_id="S11",
        performed_on="2023-10-20",
        input={"batch_id": PART_B, "whole": True},
        outputs=[
            {"batch_id": f"{PART_B}{n}", "product": "NdPr oxide", "mass_kg": kg} for n, kg in ((1, "100"), (2, "76.20"))
        ],
    )


@pytest.mark.parametrize("kind", ["co2", "provenance"])
def test_a_batch_that_was_used_up_is_refused_and_its_parts_are_certified(own_plant: CertifiedPlant, kind: str) -> None:
    split_part_b(own_plant)
    before = head(own_plant.ledger).tree_size
    with pytest.raises(RuleError, match=rf"Certify what it became: {PART_B}1, {PART_B}2\."):
        own_plant.issue(PART_B, kind)
    assert head(own_plant.ledger).tree_size == before
    assert verify(own_plant.issue(f"{PART_B}1", kind).pdf, own_plant.trust).verdict == STATUS_UNKNOWN


def test_what_a_certified_batch_became_is_certified_once_that_certificate_is_revoked(own_plant: CertifiedPlant) -> None:
    certificates = {kind: own_plant.issue(PART_B, kind) for kind in ("co2", "provenance")}
    split_part_b(own_plant)
    for kind, certificate in certificates.items():
        with pytest.raises(RuleError, match=f"Revoke {certificate.certificate_id} first"):
            own_plant.issue(f"{PART_B}1", kind)
    certificate_id = certificates["co2"].certificate_id
    log(own_plant, "certificate_revoked", certificate_id=certificate_id, reason="the batch was divided")
    assert own_plant.issue(f"{PART_B}1").content["batch"]["mass_kg"] == "100"


def test_a_wrong_certificate_of_a_batch_that_was_used_up_can_still_be_superseded(own_plant: CertifiedPlant) -> None:
    old = own_plant.issue(PART_B)
    split_part_b(own_plant)
    assert affected_certificates(own_plant.ledger) == []
    own_plant.correct_meter()
    assert affected_certificates(own_plant.ledger) == [old.certificate_id]
    new = supersede(own_plant.ledger, old.certificate_id, own_plant.authority.issuer, ACTOR)
    assert new.content["supersedes"] == old.certificate_id


def test_a_batch_that_was_shipped_is_certified_with_its_mass_as_made(co2: Issued, plant: CertifiedPlant) -> None:
    # All 250.00 kg of part A were shipped.
    assert plant_of(plant.ledger).batches[CERTIFIED].remaining == 0
    assert co2.content["batch"]["mass_kg"] == "250.00"
    assert any("its mass is that as made" in text for text in co2.content["not_claimed"])


def test_another_kind_of_certificate_is_refused(plant: CertifiedPlant) -> None:
    with pytest.raises(InputError, match="provenance"):
        plant.issue(kind="water")


def test_without_the_logs_key_nothing_is_logged(own_plant: CertifiedPlant) -> None:
    own_plant.ledger.log_key = None
    before = head(own_plant.ledger).tree_size
    with pytest.raises(StoreError):
        own_plant.issue()
    assert head(own_plant.ledger).tree_size == before


# The clock


@pytest.mark.parametrize("minutes", [1, 9])
def test_a_clock_that_went_back_a_little_still_gives_a_certificate_that_holds(
    own_plant: CertifiedPlant, minutes: int
) -> None:
    now = own_plant.ledger.now
    own_plant.ledger.now = lambda: now() - timedelta(minutes=minutes)
    issued = own_plant.issue()
    assert verify(issued.pdf, own_plant.trust, log=AskedLog(own_plant.ledger)).verdict == VALID


def test_a_clock_far_behind_the_log_is_refused(own_plant: CertifiedPlant) -> None:
    before = head(own_plant.ledger).tree_size
    now = own_plant.ledger.now
    own_plant.ledger.now = lambda: now() - timedelta(minutes=20)
    with pytest.raises(StoreError, match="clock"):
        own_plant.issue()
    assert head(own_plant.ledger).tree_size == before


# Others who log at the same time


def log_meanwhile(plant: CertifiedPlant, times: int) -> None:
    """Between computing a content and logging its issuance somebody logs an entry, `times` times."""
    next_id = plant.ledger.new_id
    left = list(range(times))
    logging: list[bool] = []

    def new_id() -> str:
        if left and not logging:
            logging.append(True)
            log(plant, "party", party_id=f"P-9{left.pop()}", roles=["supplier"], country="DE")
            logging.clear()
        return next_id()

    plant.ledger.new_id = new_id


def test_a_content_is_computed_anew_if_somebody_logs_meanwhile(own_plant: CertifiedPlant) -> None:
    before = head(own_plant.ledger).tree_size
    log_meanwhile(own_plant, times=MAX_TRIES - 1)
    issued = own_plant.issue()
    assert issued.seq == before + MAX_TRIES - 1
    assert issued.content["log"]["tree_size"] == issued.seq
    assert verify(issued.pdf, own_plant.trust, log=AskedLog(own_plant.ledger)).verdict == VALID


def test_nothing_is_issued_while_others_do_not_stop_logging(own_plant: CertifiedPlant) -> None:
    before = head(own_plant.ledger).tree_size
    log_meanwhile(own_plant, times=MAX_TRIES)
    with pytest.raises(ConflictError):
        own_plant.issue()
    assert head(own_plant.ledger).tree_size == before + MAX_TRIES
    assert plant_of(own_plant.ledger).certificates == {}


# Correcting and superseding


def test_nothing_is_affected_as_long_as_nothing_changed(own_plant: CertifiedPlant) -> None:
    own_plant.issue()
    own_plant.issue(kind="provenance")
    assert affected_certificates(own_plant.ledger) == []


def test_a_corrected_meter_touches_the_footprints_that_rest_on_it(own_plant: CertifiedPlant) -> None:
    touched = own_plant.issue("OX-NdPr-501-A", "co2")
    own_plant.issue("OX-NdPr-501-A", "provenance")
    own_plant.issue("OX-Dy-502", "co2")  # of another line: step S7 is not among its ancestors
    own_plant.correct_meter()
    assert affected_certificates(own_plant.ledger) == [touched.certificate_id]


def test_superseding_names_the_change_and_the_new_figure_holds(own_plant: CertifiedPlant) -> None:
    old = own_plant.issue()
    own_plant.correct_meter()
    new = supersede(own_plant.ledger, old.certificate_id, own_plant.authority.issuer, ACTOR)
    assert new.content["supersedes"] == old.certificate_id
    assert "/activity/0/amount from 980 to 1038" in new.content["supersede_reason"]
    assert "meter multiplier read wrongly" in new.content["supersede_reason"]
    # 58 kWh more x 0.27486 kg CO2e/kWh = 15.94188 kg; of it 250.00 / 426.20 fall on the part A: 9.351173 kg.
    difference = Decimal(new.content["result"]["total_kg_co2e"]) - Decimal(old.content["result"]["total_kg_co2e"])
    assert abs(difference - Decimal("9.351173")) <= Decimal("0.000001")
    assert affected_certificates(own_plant.ledger) == []
    verification = verify(new.pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert verification.verdict == VALID


def test_the_old_certificate_is_then_superseded_and_still_itself_in_order(own_plant: CertifiedPlant) -> None:
    old = own_plant.issue()
    own_plant.correct_meter()
    new = supersede(own_plant.ledger, old.certificate_id, own_plant.authority.issuer, ACTOR)
    verification = verify(old.pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert verification.verdict == SUPERSEDED
    assert not verification.ok
    assert failed_checks(verification) == ["status"]
    assert any(new.certificate_id in check.detail for check in verification.checks)
    assert verify(old.pdf, own_plant.trust).verdict == STATUS_UNKNOWN


def test_a_revoked_certificate_is_revoked(own_plant: CertifiedPlant) -> None:
    issued = own_plant.issue()
    log(own_plant, "certificate_revoked", certificate_id=issued.certificate_id, reason="issued for the wrong buyer")
    verification = verify(issued.pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert verification.verdict == REVOKED
    assert any("issued for the wrong buyer" in check.detail for check in verification.checks)
    assert affected_certificates(own_plant.ledger) == []


def test_superseding_without_a_change_needs_a_reason(own_plant: CertifiedPlant) -> None:
    issued = own_plant.issue()
    with pytest.raises(RuleError, match="a correction that concerns the batch"):
        supersede(own_plant.ledger, issued.certificate_id, own_plant.authority.issuer, ACTOR)
    replaced = supersede(own_plant.ledger, issued.certificate_id, own_plant.authority.issuer, ACTOR, "new buyer format")
    assert replaced.content["supersede_reason"] == "new buyer format"


def test_only_a_certificate_in_force_of_the_same_batch_and_kind_can_be_superseded(own_plant: CertifiedPlant) -> None:
    first = own_plant.issue()
    with pytest.raises(RuleError, match="same batch and kind"):
        own_plant.issue("OX-Dy-502", "co2", supersedes=first.certificate_id, reason="mixed up")
    own_plant.issue(supersedes=first.certificate_id, reason="new logo")
    with pytest.raises(RuleError, match="in force"):
        own_plant.issue(supersedes=first.certificate_id, reason="new logo again")
    with pytest.raises(UnknownIdError):
        own_plant.issue(supersedes="unheard-of", reason="new logo")
    with pytest.raises(InputError, match="both or neither"):
        own_plant.issue(supersedes=first.certificate_id)


# What the tools of others say


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("kind", ["co2", "provenance"])
def test_popplers_tools_find_a_valid_signature_and_the_two_files(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    path = tmp_path / "certificate.pdf"
    path.write_bytes(request.getfixturevalue(kind).pdf)
    report = run("pdfsig", "-nocert", str(path))
    assert "Signature Validation: Signature is Valid." in report
    assert "Total document signed" in report
    assert report.count("Signature #") == 1
    files = run("pdfdetach", "-list", str(path))
    assert "2 embedded files" in files
    assert "certificate.json" in files
    assert "evidence.json" in files


def test_pyhanko_finds_no_change_after_the_certification(co2: Issued, plant: CertifiedPlant) -> None:
    (embedded_signature,) = PdfFileReader(BytesIO(co2.pdf)).embedded_signatures
    root = asn1_x509.Certificate.load(plant.authority.root.public_bytes(Encoding.DER))
    status = validate_pdf_signature(embedded_signature, ValidationContext(trust_roots=[root], moment=NOW))
    assert status.bottom_line
    assert status.docmdp_ok
    assert status.coverage == SignatureCoverageLevel.ENTIRE_FILE
