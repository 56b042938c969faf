"""The signature over a small PDF: what it is, what it leaves alone, and that it covers every byte."""

import subprocess
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import MDPPerm
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from certificates.container import find_signed_bytes, read_container
from certificates.keys import DemoAuthority, make_demo_authority
from certificates.sign import FIELD_NAME, sign_certificate
from certificates.signer import parse_roots, verify_signature, verify_signer
from ledger.errors import BadSignatureError, InputError, MalformedProofError, VerificationError, problem

SIGNED_AT = datetime(2026, 11, 24, 19, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def authority() -> DemoAuthority:
    return make_demo_authority("Belfast Demo Plant", "GB", SIGNED_AT)


@pytest.fixture(scope="module")
def base() -> bytes:
    pdf = pikepdf.new()
    pdf.add_blank_page(page_size=(300, 300))
    pdf.Root.Metadata = pdf.make_stream(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", Type=pikepdf.Name.Metadata)
    output = BytesIO()
    pdf.save(output, deterministic_id=True, min_version="1.7", fix_metadata_version=False)
    return output.getvalue()


@pytest.fixture(scope="module")
def signed(base: bytes, authority: DemoAuthority) -> bytes:
    return sign_certificate(base, authority.issuer, SIGNED_AT)


def check_signature(pdf: bytes, authority: DemoAuthority) -> None:
    """The whole check of a signature's bytes; raises a VerificationError that says what is wrong."""
    covered = find_signed_bytes(pdf)
    container = read_container(pdf[covered.gap])
    if container.message_digest != covered.digest:
        raise BadSignatureError(problem("", covered.digest.hex(), container.message_digest.hex(), ""))
    verify_signature(container.leaf, container.signature, container.signed_attributes)
    verify_signer(container.leaf, container.intermediates, [authority.root], covered.signed_at)


def test_the_base_is_a_prefix_of_the_signed_file(base: bytes, signed: bytes) -> None:
    assert signed.startswith(base)
    assert len(signed) > len(base)


def test_the_claimed_time_is_the_one_given(signed: bytes) -> None:
    assert find_signed_bytes(signed).signed_at == SIGNED_AT


def test_metadata_and_version_stay_those_of_the_base(base: bytes, signed: bytes) -> None:
    update = signed[len(base) :]
    assert b"xmpmeta" not in update
    assert b"/Producer" not in update
    assert b"/Version" not in update


def test_pyhanko_finds_a_certification_signature_over_the_whole_file(signed: bytes, authority: DemoAuthority) -> None:
    reader = PdfFileReader(BytesIO(signed))
    (embedded,) = reader.embedded_signatures
    root = asn1_x509.Certificate.load(authority.root.public_bytes(Encoding.DER))
    status = validate_pdf_signature(embedded, ValidationContext(trust_roots=[root], moment=SIGNED_AT))
    assert status.bottom_line
    assert status.coverage == SignatureCoverageLevel.ENTIRE_FILE
    assert embedded.field_name == FIELD_NAME
    assert embedded.docmdp_level == MDPPerm.FILL_FORMS
    assert embedded.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"


def test_pdfsig_calls_the_signature_valid(signed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed)
    report = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=True).stdout
    assert "Signature Validation: Signature is Valid." in report
    assert "Total document signed" in report


def test_our_own_check_accepts_it(signed: bytes, authority: DemoAuthority) -> None:
    check_signature(signed, authority)


def test_every_single_flipped_byte_is_detected(signed: bytes, authority: DemoAuthority) -> None:
    # Every place, with a bit that walks along, so that each kind of place sees each bit.
    for place in range(len(signed)):
        flipped = bytearray(signed)
        flipped[place] ^= 1 << place % 8
        with pytest.raises(VerificationError):
            check_signature(bytes(flipped), authority)


def test_every_byte_of_the_container_in_lower_case_is_detected(signed: bytes, authority: DemoAuthority) -> None:
    # Lower-case hex digits spell the same container: to most readers nothing has changed.
    gap = find_signed_bytes(signed).gap
    for place in range(gap.start + 1, gap.stop - 1):
        if chr(signed[place]).isupper():
            changed = signed[:place] + signed[place : place + 1].lower() + signed[place + 1 :]
            with pytest.raises(MalformedProofError, match="capital hexadecimal digits"):
                check_signature(changed, authority)


def test_a_cut_file_is_detected_wherever_it_is_cut(signed: bytes, authority: DemoAuthority) -> None:
    for length in range(0, len(signed), 53):
        with pytest.raises(MalformedProofError):
            check_signature(signed[:length], authority)


@pytest.mark.parametrize("garbage", [b"\n", b"\x00", b" ", b"%%EOF\n", b"1 0 obj\n<<>>\nendobj\n"])
def test_bytes_after_the_signed_ones_are_detected(signed: bytes, authority: DemoAuthority, garbage: bytes) -> None:
    with pytest.raises(MalformedProofError, match="nothing after them"):
        check_signature(signed + garbage, authority)


def test_a_file_resaved_by_another_program_is_detected(signed: bytes, authority: DemoAuthority) -> None:
    output = BytesIO()
    with pikepdf.open(BytesIO(signed)) as pdf:
        pdf.save(output)
    with pytest.raises(VerificationError):
        check_signature(output.getvalue(), authority)


def test_a_stranger_with_the_same_names_is_not_trusted(base: bytes, authority: DemoAuthority) -> None:
    stranger = make_demo_authority("Belfast Demo Plant", "GB", SIGNED_AT)
    assert stranger.root.subject == authority.root.subject
    with pytest.raises(BadSignatureError, match="under a trusted root"):
        check_signature(sign_certificate(base, stranger.issuer, SIGNED_AT), authority)


@pytest.mark.parametrize("years", [-1, 6])
def test_a_signature_outside_the_certificates_validity_is_refused(
    base: bytes, authority: DemoAuthority, years: int
) -> None:
    # The issuer's certificate runs for 5 years from SIGNED_AT.
    pdf = sign_certificate(base, authority.issuer, SIGNED_AT + timedelta(days=365 * years))
    with pytest.raises(BadSignatureError, match="not valid at validation time"):
        check_signature(pdf, authority)


def test_an_authority_may_not_sign_certificates_itself(base: bytes, authority: DemoAuthority) -> None:
    certificate, key = authority.root, authority.root_key
    issuer = type(authority.issuer)(certificate, key)
    with pytest.raises(BadSignatureError, match="for signing documents"):
        check_signature(sign_certificate(base, issuer, SIGNED_AT), authority)


def test_roots_are_read_as_pem_and_as_der(authority: DemoAuthority) -> None:
    der, pem = authority.root.public_bytes(Encoding.DER), authority.root.public_bytes(Encoding.PEM)
    assert parse_roots([der, pem]) == [authority.root, authority.root]
    with pytest.raises(InputError) as error:
        parse_roots([der, b"no certificate"])
    assert error.value.problems[0].field == "/roots/1"
