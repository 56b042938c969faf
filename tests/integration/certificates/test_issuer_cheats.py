"""A dishonest issuer that holds every key: what it can make still ends in a verdict that is not positive.

The signature over the file is right in all of them, and so is whatever the test does not change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pikepdf
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from certificates.asked_log import AskedLog
from certificates.checklist import FIGURES_STATUS_UNKNOWN, FIGURES_VALID, NOT_VALID, STATUS_UNKNOWN
from certificates.content import content_sha256
from certificates.embedded import CONTENT_FILE
from certificates.issue import Issued, issue_certificate
from certificates.keys import Issuer
from certificates.pdfa import render_base
from certificates.renderer import RENDERER
from certificates.sign import sign_certificate
from certificates.signer import certificate_sha256
from certificates.verify import Verification
from ledger.errors import RuleError
from ledger.log.canonical import canonical_bytes
from ledger.log.checkpoint import format_vkey
from ledger.log.envelope import parse_envelope
from ledger.log.forms import format_time, parse_time
from ledger.report import Outcome
from ledger.service.append import Draft, append_entries, register_actor
from ledger.service.context import make_actor
from ledger.service.read import head, plant_of
from tests.certified_plant import (
    CERTIFIED,
    CertifiedPlant,
    embedded,
    failed_checks,
    forge,
    outcome_of,
    resigned,
    signed_with_update,
    verify,
)
from tests.dishonest_issuer import Fork, seqs_of
from tests.store_samples import ACTOR, ORIGIN


def detail_of(verification: Verification, name: str) -> str:
    return next(check.detail for check in verification.checks if check.name == name)


# The update that signs does more than sign: readers show what it says, and the drawn file before it is the true one


def dictionary(**entries: Any) -> generic.DictionaryObject:
    return generic.DictionaryObject({generic.pdf_name(f"/{key}"): value for key, value in entries.items()})


def nothing_besides(writer: IncrementalPdfFileWriter) -> None:
    """Signs, and does nothing else."""


def replace_the_page(writer: IncrementalPdfFileWriter) -> None:
    page = writer.root["/Pages"]["/Kids"][0]
    shown = page["/Contents"].data.replace(b"(PROVISIONAL)", b"(VERIFIED BY TUV)")
    assert b"VERIFIED BY TUV" in shown
    page["/Contents"] = writer.add_object(generic.StreamObject(stream_data=shown))
    writer.update_container(page)


def insert_a_first_page(writer: IncrementalPdfFileWriter) -> None:
    pages = writer.root["/Pages"]
    true = pages["/Kids"][0]
    text = generic.StreamObject(stream_data=b"BT /F1 30 Tf 50 400 Td (0.1 kg CO2e) Tj ET")
    page = dictionary(
        Type=generic.pdf_name("/Page"),
        Parent=writer.root.raw_get("/Pages"),
        MediaBox=true["/MediaBox"],
        Resources=true["/Resources"],
        Contents=writer.add_object(text),
    )
    pages["/Kids"].insert(0, writer.add_object(page))
    pages["/Count"] = generic.NumberObject(int(pages["/Count"]) + 1)
    writer.update_container(pages)


def script() -> generic.DictionaryObject:
    return dictionary(S=generic.pdf_name("/JavaScript"), JS=generic.pdf_string("app.alert(1)"))


def run_a_script(writer: IncrementalPdfFileWriter) -> None:
    writer.root["/OpenAction"] = script()
    writer.update_root()


def attach_a_file_to_the_page(writer: IncrementalPdfFileWriter) -> None:
    stream = generic.StreamObject(stream_data=b'{"kg_co2e_per_kg":"0.1"}')
    stream["/Type"] = generic.pdf_name("/EmbeddedFile")
    file = dictionary(
        Type=generic.pdf_name("/Filespec"),
        F=generic.pdf_string("certificate.json"),
        EF=dictionary(F=writer.add_object(stream)),
    )
    note = dictionary(
        Type=generic.pdf_name("/Annot"),
        Subtype=generic.pdf_name("/FileAttachment"),
        Rect=generic.ArrayObject(map(generic.NumberObject, (10, 10, 40, 40))),
        FS=file,
    )
    page = writer.root["/Pages"]["/Kids"][0]
    page["/Annots"] = generic.ArrayObject([writer.add_object(note)])
    writer.update_container(page)


def hide_a_second_signature(writer: IncrementalPdfFileWriter) -> None:
    writer.root["/Other"] = dictionary(ByteRange=generic.ArrayObject(map(generic.NumberObject, (0, 1, 2, 3))))
    writer.update_root()


def add_an_object_that_nothing_uses(writer: IncrementalPdfFileWriter) -> None:
    writer.add_object(generic.NumberObject(7))


def change_the_metadata(writer: IncrementalPdfFileWriter) -> None:
    metadata = writer.root["/Metadata"]
    metadata._data = metadata.data.replace(b"<pdf:Producer>", b"<pdf:Producer>TUV ")
    writer.update_container(metadata)


def test_the_helper_that_signs_with_an_update_makes_a_true_certificate_where_nothing_is_added(
    co2: Issued, plant: CertifiedPlant
) -> None:
    # Else the tests below would show nothing.
    assert failed_checks(verify(signed_with_update(co2, plant, nothing_besides), plant.trust)) == []


@pytest.mark.parametrize(
    "change",
    [
        replace_the_page,
        insert_a_first_page,
        run_a_script,
        attach_a_file_to_the_page,
        hide_a_second_signature,
        add_an_object_that_nothing_uses,
        change_the_metadata,
    ],
)
@pytest.mark.parametrize("drawn_again", [True, False])
def test_an_update_that_does_more_than_sign_is_detected_with_and_without_drawing_the_page(
    co2: Issued,
    plant: CertifiedPlant,
    change: Callable[[IncrementalPdfFileWriter], None],
    drawn_again: bool,
) -> None:
    pdf = signed_with_update(co2, plant, change)
    verification = verify(pdf, plant.trust, **({} if drawn_again else {"render": None}))
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["signed-update"]
    assert verification.content is None


# The drawn file itself does more than show, and the verifier cannot draw it again


def open_with_a_script(document: pikepdf.Pdf) -> None:
    document.Root.OpenAction = document.make_indirect(pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)"))


def run_a_script_on_the_page(document: pikepdf.Pdf) -> None:
    document.pages[1].obj.AA = pikepdf.Dictionary(O=pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)"))


def keep_a_third_file_aside(document: pikepdf.Pdf) -> None:
    stream = document.make_stream(b"{}", Type=pikepdf.Name.EmbeddedFile)
    file = pikepdf.Dictionary(Type=pikepdf.Name.Filespec, F="proof.json", EF=pikepdf.Dictionary(F=stream))
    document.pages[1].obj.PieceInfo = pikepdf.Dictionary(Other=pikepdf.Array([file]))


def keep_a_second_signature_aside(document: pikepdf.Pdf) -> None:
    document.pages[1].obj.PieceInfo = pikepdf.Dictionary(
        Other=pikepdf.Dictionary(ByteRange=pikepdf.Array([0, 1, 2, 3]))
    )


def annotate_the_second_page(document: pikepdf.Pdf) -> None:
    note = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.FreeText, Rect=pikepdf.Array([50, 50, 300, 100]), Contents="0.1"
    )
    document.pages[1].obj.Annots = pikepdf.Array([document.make_indirect(note)])


@pytest.mark.parametrize(
    "change",
    [
        open_with_a_script,
        run_a_script_on_the_page,
        keep_a_third_file_aside,
        keep_a_second_signature_aside,
        annotate_the_second_page,
    ],
)
def test_a_drawn_file_that_does_more_than_show_is_detected_without_drawing_it_again(
    co2: Issued, plant: CertifiedPlant, change: Callable[[pikepdf.Pdf], None]
) -> None:
    verification = verify(resigned(co2, plant, change), plant.trust, render=None)
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["signature"]
    assert outcome_of(verification, "page") is Outcome.NOT_CHECKED


# The page is drawn by a program that the verifier does not have, or so the issuer says


def draw_a_lie(content: dict[str, Any], evidence: dict[str, Any]) -> bytes:
    """The true content and evidence, attached to a page that shows another figure."""
    shown = {**content, "renderer": RENDERER, "result": {**content["result"], "kg_co2e_per_kg": "0.1000"}}
    with pikepdf.open(BytesIO(render_base(shown, evidence))) as document:
        document.attachments[CONTENT_FILE].obj.EF.F.write(canonical_bytes(content))
        output = BytesIO()
        document.save(output, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return output.getvalue()


@pytest.mark.parametrize("drawing", [{"drawn_with": "reportlab 9.9"}, {"renderer": "magnet-ledger-page/9"}])
def test_naming_another_drawing_program_does_not_make_a_page_valid(
    own_plant: CertifiedPlant, drawing: dict[str, str]
) -> None:
    issued = own_plant.issue()
    fork = Fork(own_plant, size=issued.seq)
    content = fork.content(issued, seqs_of(issued), **drawing)
    pdf = fork.certificate(issued, content, seqs_of(issued), base=draw_a_lie)
    verification = verify(pdf, own_plant.trust)
    assert failed_checks(verification) == []
    assert outcome_of(verification, "page") is Outcome.NOT_CHECKED
    assert verification.verdict == FIGURES_STATUS_UNKNOWN  # not "valid when issued": the figures are, the page is not
    assert verification.content is not None
    assert verification.content["result"]["kg_co2e_per_kg"] == issued.content["result"]["kg_co2e_per_kg"]


def test_where_the_page_cannot_be_drawn_the_verdict_says_so_even_if_the_log_knows_the_certificate(
    co2: Issued, plant: CertifiedPlant
) -> None:
    verification = verify(co2.pdf, plant.trust, render=None, log=AskedLog(plant.ledger))
    assert verification.verdict == FIGURES_VALID
    assert verification.ok


# Somebody else under the same root signs


def another_issuer(
    plant: CertifiedPlant, *extensions: tuple[x509.ExtensionType, bool], until: datetime | None = None
) -> Issuer:
    """An issuer of another name, whose certificate with these extensions is by the plant's own authority."""
    key, authority = ec.generate_private_key(ec.SECP256R1()), plant.authority
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Stranger Ltd")]))
        .issuer_name(authority.root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(authority.issuer.certificate.not_valid_before_utc)
        .not_valid_after(until or authority.issuer.certificate.not_valid_after_utc)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.root_key.public_key()), False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Issuer(builder.sign(authority.root_key, hashes.SHA256()), key)


NO_AUTHORITY = (x509.BasicConstraints(ca=False, path_length=None), True)


def test_a_signer_that_the_log_does_not_name_is_detected(own_plant: CertifiedPlant) -> None:
    issued = own_plant.issue()
    stranger = another_issuer(own_plant, NO_AUTHORITY)
    copy = forge(issued, replace(own_plant.authority, issuer=stranger), lambda content, evidence: None)
    verification = verify(copy, own_plant.trust)
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["issuance"]
    assert "signer_sha256" in detail_of(verification, "issuance")
    assert "Stranger Ltd" in detail_of(verification, "signer-trust")


@pytest.mark.parametrize(
    ("extensions", "holds"),
    [
        ((NO_AUTHORITY,), True),
        ((NO_AUTHORITY, (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")]), True)), True),
        ((NO_AUTHORITY, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)), True),
        ((NO_AUTHORITY, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), True)), False),
        ((NO_AUTHORITY, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), False)), False),
        ((), False),
        (((x509.BasicConstraints(ca=True, path_length=0), True),), False),
    ],
)
def test_a_signer_must_be_for_documents_and_no_authority(
    own_plant: CertifiedPlant, extensions: tuple[tuple[x509.ExtensionType, bool], ...], holds: bool
) -> None:
    issued = own_plant.issue()
    fork = Fork(own_plant, size=issued.seq)
    pdf = fork.certificate(issued, issued.content, seqs_of(issued), issuer=another_issuer(own_plant, *extensions))
    verification = verify(pdf, own_plant.trust)
    assert failed_checks(verification) == ([] if holds else ["signer-trust"])


# The content is of an earlier state of the log than the issuance says it is


def test_an_issuance_long_after_the_state_that_the_content_was_computed_from_is_detected(
    own_plant: CertifiedPlant,
) -> None:
    # Between the two the meter was corrected: nothing in the evidence is left out of what it claims to rest on.
    issued = own_plant.issue()
    own_plant.correct_meter()
    stale = Fork(own_plant)
    content = stale.content(issued, seqs_of(issued), certificate_id="stale")
    verification = verify(stale.certificate(issued, content, seqs_of(issued)), own_plant.trust)
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["issuance"]
    assert "right after" in detail_of(verification, "issuance")


def test_a_verification_says_what_the_evidence_cannot_show(co2: Issued, plant: CertifiedPlant) -> None:
    detail = detail_of(verify(co2.pdf, plant.trust), "arithmetic")
    assert "That no correction, assay or settlement was left out of them is the issuer's word" in detail


# Times that cannot all be true


def certificate_at(plant: CertifiedPlant, **times: Any) -> Verification:
    """A true certificate issued anew with other times; header: of the content, else of `Fork.certificate`."""
    issued = plant.issue()
    fork = Fork(plant, size=issued.seq)
    content = fork.content(issued, seqs_of(issued), **times.pop("header", {}))
    return verify(fork.certificate(issued, content, seqs_of(issued), **times), plant.trust)


@pytest.mark.parametrize(
    ("times", "detail"),
    [
        ({"header": {"issued_at": "2001-01-01T00:00:00Z"}}, "not before the last entry"),
        ({"header": {"issued_at": "2026-05-04T09:00:00Z"}}, "within 10 minutes"),
        ({"signed_at": datetime(2026, 5, 4, 7, 30, tzinfo=UTC)}, "not before the last entry"),
        ({"signed_at": datetime(2026, 5, 20, tzinfo=UTC)}, "within 10 minutes"),
        ({"recv": "2026-05-04T07:30:00.000000Z"}, "not before entry"),
        ({"recv": "2099-01-01T00:00:00.000000Z", "signed_at": datetime(2026, 5, 4, 8, 30, tzinfo=UTC)}, "10 minutes"),
    ],
)
def test_times_that_do_not_fit_each_other_are_detected(
    own_plant: CertifiedPlant, times: dict[str, Any], detail: str
) -> None:
    # The clock of the plant's log begins at 2026-05-04 08:00 and is some minutes later when it issues.
    verification = certificate_at(own_plant, **times)
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["times"]
    assert detail in detail_of(verification, "times")


def test_an_issue_after_the_verifiers_clock_is_detected(own_plant: CertifiedPlant) -> None:
    # The signing time may be ten minutes ahead of it, and so may the issue; this one is eleven.
    issued = own_plant.issue()
    received = parse_time(parse_envelope(Fork(own_plant).entries[issued.seq]).recv, "/recv")
    early = received - timedelta(minutes=11)
    verification = verify(issued.pdf, own_plant.trust, now=early)
    assert verification.verdict == NOT_VALID
    later = format_time(received + timedelta(minutes=5))
    fork = Fork(own_plant, size=issued.seq)
    pdf = fork.certificate(issued, issued.content, seqs_of(issued), recv=later, signed_at=received)
    verification = verify(pdf, own_plant.trust, now=received - timedelta(minutes=6))
    assert failed_checks(verification) == ["times"]
    assert "a time before now" in detail_of(verification, "times")


def test_entries_whose_times_fall_are_detected(own_plant: CertifiedPlant) -> None:
    issued = own_plant.issue()
    fork = Fork(own_plant, size=issued.seq)
    fork.received_again(seqs_of(issued)[-1], "2026-05-04T07:00:00.000000Z")
    verification = verify(fork.certificate(issued, issued.content, seqs_of(issued)), own_plant.trust)
    assert failed_checks(verification) == ["times"]


def test_a_signer_that_was_no_longer_valid_when_the_issue_was_logged_is_detected(own_plant: CertifiedPlant) -> None:
    # The certificate ends between the claimed signing time and the time of the issue.
    issued = own_plant.issue()
    signed = datetime.fromisoformat(issued.content["issued_at"])
    short = another_issuer(own_plant, NO_AUTHORITY, until=signed + timedelta(seconds=30))
    fork = Fork(own_plant, size=issued.seq)
    pdf = fork.certificate(
        issued,
        issued.content,
        seqs_of(issued),
        issuer=short,
        signed_at=signed,
        recv=format_time(signed + timedelta(minutes=1)),
    )
    verification = verify(pdf, own_plant.trust)
    assert failed_checks(verification) == ["times"]
    assert "under a trusted root, valid on" in detail_of(verification, "times")


# What the evidence holds beside the log's entries


def with_evidence(plant: CertifiedPlant, change: Callable[[dict[str, Any]], None]) -> Verification:
    """A true certificate issued anew with a change of its evidence."""
    issued = plant.issue()
    fork = Fork(plant, size=issued.seq)
    return verify(fork.certificate(issued, issued.content, seqs_of(issued), change=change), plant.trust)


def repeat_a_factor(evidence: dict[str, Any]) -> None:
    evidence["factors"].append(evidence["factors"][0])


def add_a_foreign_factor(evidence: dict[str, Any]) -> None:
    evidence["factors"].append({**evidence["factors"][-1], "factor_id": "zzz/bogus"})


def swap_the_factors(evidence: dict[str, Any]) -> None:
    evidence["factors"].reverse()


@pytest.mark.parametrize("change", [repeat_a_factor, add_a_foreign_factor, swap_the_factors])
def test_factor_records_beside_those_needed_are_detected(
    own_plant: CertifiedPlant, change: Callable[[dict[str, Any]], None]
) -> None:
    verification = with_evidence(own_plant, change)
    assert failed_checks(verification) == ["arithmetic"]
    assert "the records that the content lists" in detail_of(verification, "arithmetic")


@pytest.mark.parametrize(
    "vkey", ["junk", format_vkey(ORIGIN, Ed25519PrivateKey.generate().public_key())], ids=["junk", "another key"]
)
def test_another_verifier_key_than_that_of_the_checkpoint_is_detected(own_plant: CertifiedPlant, vkey: str) -> None:
    verification = with_evidence(own_plant, lambda evidence: evidence.update(vkey=vkey))
    assert failed_checks(verification) == ["checkpoint-signature"]


def with_masses(plant: CertifiedPlant, **masses: str) -> Verification:
    """A certificate whose figures follow from other atomic masses than the table's, which it states."""
    issued = plant.issue(kind="provenance")
    fork = Fork(plant, size=issued.seq)
    content = fork.content(issued, seqs_of(issued), masses={name: Decimal(mass) for name, mass in masses.items()})
    return verify(fork.certificate(issued, content, seqs_of(issued)), plant.trust)


# Nd has 144.242 in the table: 144.25 is 0.0055 % more, 144.26 is 0.0125 % more.


def test_masses_of_another_edition_are_used_and_named(own_plant: CertifiedPlant) -> None:
    verification = with_masses(own_plant, Nd="144.25")
    assert failed_checks(verification) == []
    assert "which differ from those at hand for Nd:" in detail_of(verification, "arithmetic")


@pytest.mark.parametrize("mass", ["144.26", "144.2420"])
def test_masses_of_no_edition_and_other_spellings_are_detected(own_plant: CertifiedPlant, mass: str) -> None:
    verification = with_masses(own_plant, Nd=mass)
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["arithmetic"]


def test_a_certificate_whose_masses_are_the_tables_names_none(co2: Issued, plant: CertifiedPlant) -> None:
    assert "atomic masses" not in detail_of(verify(co2.pdf, plant.trust), "arithmetic")


# A laboratory issues


def test_an_issue_by_a_laboratorys_key_is_detected(own_plant: CertifiedPlant) -> None:
    laboratory = make_actor("lab-1", Ed25519PrivateKey.generate())
    register_actor(own_plant.ledger, laboratory, ACTOR, "laboratory")
    issued = own_plant.issue()
    seqs = seqs_of(issued)
    assert any(entry["data"].count("lab-1") for entry in embedded(issued.pdf)[1]["entries"])
    fork = Fork(own_plant, size=issued.seq)
    verification = verify(fork.certificate(issued, issued.content, seqs, actor=laboratory), own_plant.trust)
    assert failed_checks(verification) == ["entry-signatures"]
    assert "role laboratory" in detail_of(verification, "entry-signatures")


@pytest.mark.parametrize("role", ["operator", "issuer", "sustainability"])
def test_an_issue_by_a_key_of_another_role_holds(own_plant: CertifiedPlant, role: str) -> None:
    actor = make_actor("person-2", Ed25519PrivateKey.generate())
    register_actor(own_plant.ledger, actor, ACTOR, role)
    issued = issue_certificate(own_plant.ledger, CERTIFIED, "co2", own_plant.authority.issuer, actor)
    assert failed_checks(verify(issued.pdf, own_plant.trust)) == []


def test_a_laboratory_is_not_let_issue(own_plant: CertifiedPlant) -> None:
    laboratory = make_actor("lab-1", Ed25519PrivateKey.generate())
    register_actor(own_plant.ledger, laboratory, ACTOR, "laboratory")
    before = head(own_plant.ledger).tree_size
    with pytest.raises(RuleError, match="laboratory"):
        issue_certificate(own_plant.ledger, CERTIFIED, "co2", own_plant.authority.issuer, laboratory)
    assert head(own_plant.ledger).tree_size == before


# The log says otherwise than the certificate


def without_the_correction(plant: CertifiedPlant) -> tuple[Issued, list[int]]:
    """The true certificate after the meter was corrected, and its entries but for the correction, which says more."""
    plant.correct_meter()
    issued = plant.issue()
    corrected = plant_of(plant.ledger).corrections[-1][0]
    assert corrected in seqs_of(issued)
    return issued, [seq for seq in seqs_of(issued) if seq != corrected]


def test_another_history_under_the_id_of_a_true_certificate_is_found_by_asking_the_log(
    own_plant: CertifiedPlant,
) -> None:
    issued, seqs = without_the_correction(own_plant)
    fork = Fork(own_plant, size=issued.seq)
    content = fork.content(issued, seqs)
    assert content["result"]["kg_co2e_per_kg"] < issued.content["result"]["kg_co2e_per_kg"]
    pdf = fork.certificate(issued, content, seqs)
    # What nobody offline can see: every entry is in the log that the checkpoint signs, and one was left out.
    assert verify(pdf, own_plant.trust).verdict == STATUS_UNKNOWN
    verification = verify(pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["status"]
    assert "is not the issuance that the certificate carries" in detail_of(verification, "status")


def test_a_certificate_that_the_log_never_issued_is_found_by_asking_it(own_plant: CertifiedPlant) -> None:
    issued, seqs = without_the_correction(own_plant)
    fork = Fork(own_plant, size=issued.seq)
    pdf = fork.certificate(issued, fork.content(issued, seqs, certificate_id="unheard-of"), seqs)
    verification = verify(pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["status"]
    assert "never issued unheard-of" in detail_of(verification, "status")


def test_a_correction_that_was_left_out_is_found_by_asking_the_log(own_plant: CertifiedPlant) -> None:
    # The issuer logs the issuance in the true log, so entry and root are those of the log that is asked.
    issued, seqs = without_the_correction(own_plant)
    size = head(own_plant.ledger).tree_size
    content = Fork(own_plant).content(issued, seqs, certificate_id="lower", tree_size=size)
    body = {
        "certificate_id": "lower",
        "kind": "co2",
        "batch_id": CERTIFIED,
        "content_sha256": content_sha256(content),
        "signer_sha256": certificate_sha256(own_plant.authority.issuer.certificate),
        "basis_tree_size": size,
    }
    issuance = append_entries(own_plant.ledger, [Draft("certificate_issued", body)], ACTOR)[0].seq
    evidence = {**embedded(issued.pdf)[1], **Fork(own_plant).proofs(seqs, issuance)}
    moment = datetime.fromisoformat(issued.content["issued_at"]) + timedelta(seconds=30)
    pdf = sign_certificate(render_base(content, evidence), own_plant.authority.issuer, moment)
    assert verify(pdf, own_plant.trust).verdict == STATUS_UNKNOWN
    verification = verify(pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert verification.verdict == NOT_VALID
    assert failed_checks(verification) == ["status"]
    assert "which were left out" in detail_of(verification, "status")


def test_a_checkpoint_over_another_history_is_found_by_asking_the_log(own_plant: CertifiedPlant) -> None:
    issued = own_plant.issue()
    fork = Fork(own_plant)
    fork.append("party", {"party_id": "P-900", "roles": ["supplier"], "country": "DE"})
    own_plant.issue(kind="provenance")
    assert head(own_plant.ledger).tree_size == len(fork.entries)

    def take_the_fork(content: dict[str, Any], evidence: dict[str, Any]) -> None:
        evidence.update(fork.proofs(seqs_of(issued), issued.seq))

    pdf = forge(issued, own_plant.authority, take_the_fork)
    assert verify(pdf, own_plant.trust).verdict == STATUS_UNKNOWN
    verification = verify(pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert verification.verdict == NOT_VALID
    assert "entries have root" in detail_of(verification, "status")


def test_a_log_that_is_shorter_than_the_checkpoint_says_otherwise(own_plant: CertifiedPlant) -> None:
    issued = own_plant.issue()
    fork = Fork(own_plant)
    fork.append("party", {"party_id": "P-900", "roles": ["supplier"], "country": "DE"})

    def take_the_fork(content: dict[str, Any], evidence: dict[str, Any]) -> None:
        evidence.update(fork.proofs(seqs_of(issued), issued.seq))

    pdf = forge(issued, own_plant.authority, take_the_fork)
    verification = verify(pdf, own_plant.trust, log=AskedLog(own_plant.ledger))
    assert verification.verdict == NOT_VALID
    assert "fewer entries" in detail_of(verification, "status")
