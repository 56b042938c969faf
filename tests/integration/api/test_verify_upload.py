"""Verifying an uploaded certificate, as page and as JSON: the verdicts, the limits, and that nothing is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any

import pytest
from sqlalchemy import text

from api.web.verdicts import verdict_of
from certificates.verify import Verification
from ledger.report import Check, failed, not_checked, passed
from tests.web_plant import Plant

EMPTY_PART = b'--a\r\nContent-Disposition: form-data; name="f"\r\n\r\n\r\n'
PDF = {"Content-Type": "application/pdf"}


def post_form(plant: Plant, data: bytes) -> Any:
    return plant.client().post("/verify", files={"file": ("certificate.pdf", data, "application/pdf")})


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {check["check"]: check["outcome"] for check in report["checks"]}


def test_a_genuine_certificate_is_valid_without_an_account(any_plant: Plant) -> None:
    pdf = any_plant.certificate()
    answer = any_plant.client().post("/api/v1/certificates/verify", content=pdf, headers=PDF)
    assert answer.status_code == 200
    report = answer.json()
    assert (report["verdict"], report["ok"]) == ("valid", True)
    assert report["file"] == {"sha256": hashlib.sha256(pdf).hexdigest(), "size_bytes": len(pdf)}
    assert outcomes(report)["status"] == "passed"
    assert outcomes(report)["page"] == "passed"
    assert outcomes(report)["timestamp"] == "not checked"
    assert report["content"]["batch"]["batch_id"] == "MI-C"


def test_the_page_says_the_same_as_the_interface(plant: Plant) -> None:
    pdf = plant.certificate()
    page = post_form(plant, pdf)
    assert page.status_code == 200
    assert 'class="verdict is-good"' in page.text
    assert hashlib.sha256(pdf).hexdigest() in page.text
    assert 'data-check="page" data-outcome="passed"' in page.text
    as_form = plant.client().post("/api/v1/certificates/verify", files={"file": ("a.pdf", pdf, "application/pdf")})
    assert as_form.json()["verdict"] == "valid"


@pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
def test_a_changed_byte_is_not_valid_and_the_failed_check_is_named(plant: Plant, at: float) -> None:
    pdf = bytearray(plant.certificate("provenance"))
    pdf[int(len(pdf) * at)] ^= 1
    report = plant.client().post("/api/v1/certificates/verify", content=bytes(pdf), headers=PDF).json()
    assert (report["verdict"], report["ok"]) == ("not valid", False)
    assert "failed" in outcomes(report).values()
    page = post_form(plant, bytes(pdf))
    assert 'class="verdict is-bad"' in page.text
    assert "is-good" not in page.text.split('class="checks"')[0]
    assert 'data-outcome="failed"' in page.text


@pytest.mark.parametrize("data", [b"hello", b"%PDF-1.7\n", b"\0" * 1000, b"%PDF-1.7\n" + b"<<" * 5000])
def test_what_is_no_certificate_gets_a_verdict_and_not_an_error(plant: Plant, data: bytes) -> None:
    report = plant.client().post("/api/v1/certificates/verify", content=data, headers=PDF)
    assert report.status_code == 200
    assert report.json()["ok"] is False
    assert post_form(plant, data).status_code == 200


def test_a_superseded_certificate_is_called_that_and_never_shown_green(plant: Plant) -> None:
    pdf = plant.certificate()
    (certificate_id,) = plant.ledger.state.plant.certificates
    plant.log("certificate_issued", {
        "certificate_id": "newer", "kind": "co2", "batch_id": "MI-C", "content_sha256": "0" * 64,
        "basis_tree_size": 9, "signer_sha256": "0" * 64, "supersedes": certificate_id,
        "reason": "a meter was read wrongly",
    })  # fmt: skip
    page = post_form(plant, pdf)
    assert 'data-verdict="superseded"' in page.text
    assert 'class="verdict is-warn"' in page.text
    assert "newer" in page.text


def test_a_revoked_certificate_is_called_that(plant: Plant) -> None:
    pdf = plant.certificate()
    (certificate_id,) = plant.ledger.state.plant.certificates
    plant.log("certificate_revoked", {"certificate_id": certificate_id, "reason": "issued by mistake"})
    page = post_form(plant, pdf)
    assert 'data-verdict="revoked"' in page.text
    assert 'class="verdict is-bad"' in page.text


@pytest.mark.parametrize(
    ("send", "status"),
    [
        ({"content": b"x" * (10 * 1024 * 1024 + 1), "headers": PDF}, 413),
        ({"files": {"file": ("a.pdf", b"x" * (10 * 1024 * 1024 + 1), "application/pdf")}}, 413),
        ({"files": {"file": ("a.pdf", b"x" * (11 * 1024 * 1024), "application/pdf")}}, 413),
        ({"content": b"", "headers": PDF}, 422),
        ({"files": {"other": ("a.pdf", b"x", "application/pdf")}}, 422),
        ({"data": {"file": "not a file"}, "files": {"x": ("", b"")}}, 422),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"content": b"x"}, 415),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}, 400),
        (
            {"content": EMPTY_PART, "headers": {"Content-Type": "multipart/form-data; boundary=a; charset=undefined"}},
            400,
        ),
        ({"content": EMPTY_PART * 50, "headers": {"Content-Type": "multipart/form-data; boundary=a"}}, 400),
    ],
)
def test_an_upload_that_cannot_be_read_is_refused_in_both_doors(
    plant: Plant, send: dict[str, Any], status: int
) -> None:
    answer = plant.client().post("/api/v1/certificates/verify", **send)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    page = plant.client().post("/verify", **send)
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")


def test_nothing_of_an_upload_is_stored(plant: Plant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def to_disk(self: SpooledTemporaryFile[bytes]) -> None:
        raise AssertionError("an upload went to disk")

    pdf = plant.certificate()
    monkeypatch.setattr(SpooledTemporaryFile, "rollover", to_disk)

    def counts() -> list[int]:
        with plant.ledger.engine.connect() as connection:
            tables = ("entry", "private_field", "checkpoint", "session", "batch_row")
            return [connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables]

    before, files = counts(), sorted(path.name for path in tmp_path.iterdir())
    # Above starlette's own limit for keeping a file in memory, which is 1 MiB.
    assert post_form(plant, pdf + b"\0" * (3 * 1024 * 1024)).status_code == 200
    assert counts() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == files


def test_one_address_verifies_twenty_a_minute(plant: Plant) -> None:
    client = plant.client()
    answers = [client.post("/api/v1/certificates/verify", content=b"x", headers=PDF) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) == 60
    assert answers[-1].json()["type"] == "/problems#too-many-requests"
    plant.clock.forward(seconds=60)
    assert client.post("/api/v1/certificates/verify", content=b"x", headers=PDF).status_code == 200


ALL_PASSED = [passed("signature", "held"), passed("page", "the same"), passed("status", "not superseded")]


@pytest.mark.parametrize(
    ("word", "checks"),
    [
        ("valid", []),
        ("valid", [passed("signature", "held")]),
        ("valid", [passed("signature", "held"), not_checked("status", "offline", required=False)]),
        ("valid", [*ALL_PASSED, not_checked("arithmetic", "no evidence")]),
        ("valid", [*ALL_PASSED, failed("page", "differs")]),
        ("valid", [passed("signature", "held"), not_checked("page", "not drawn", required=False), ALL_PASSED[2]]),
        ("valid when issued, status unknown", ALL_PASSED),
        ("figures valid, page not compared", ALL_PASSED),
        ("figures valid when issued, page not compared, status unknown", ALL_PASSED),
        ("superseded", ALL_PASSED),
        ("revoked", ALL_PASSED),
        ("not valid", ALL_PASSED),
        ("cannot be checked", ALL_PASSED),
        ("a verdict of the future", ALL_PASSED),
    ],
)
def test_only_a_valid_certificate_whose_checks_bear_it_out_is_shown_green(word: str, checks: list[Check]) -> None:
    assert verdict_of(Verification(word, checks, None)).css != "is-good"


def test_a_valid_certificate_is_shown_green() -> None:
    checks = [*ALL_PASSED, not_checked("timestamp", "none in the file", required=False)]
    assert verdict_of(Verification("valid", checks, None)).css == "is-good"
