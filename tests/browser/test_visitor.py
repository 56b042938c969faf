"""The visitor without an account drops a PDF, reads a verdict and the checks behind it, and reaches nothing private."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

pytestmark = pytest.mark.browser

DROP = """([selector, data]) => {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "certificate.pdf", {type: "application/pdf"}));
  const target = document.querySelector(selector);
  for (const kind of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(kind, {bubbles: true, cancelable: true, dataTransfer: transfer}));
  }
}"""


def drop(page: Page, data: bytes) -> None:
    """Drop a file on the page's zone, as a mouse would."""
    page.evaluate(DROP, ["form.drop", base64.b64encode(data).decode()])
    page.wait_for_selector(".verdict")


@pytest.mark.parametrize("kind", ["co2", "provenance"])
def test_a_genuine_certificate_that_is_dropped_reads_valid(site: Site, kind: str) -> None:
    pdf = site.plant.certificate(kind)
    page = site.visitor()
    page.goto("/")
    drop(page, pdf)
    expect(page.get_by_role("heading", level=1)).to_have_text("Valid")
    expect(page.locator(".verdict")).to_have_class("verdict is-good")
    expect(page.locator("[data-sha256]")).to_have_text(hashlib.sha256(pdf).hexdigest())
    for check in ("signature", "signer-trust", "inclusion-proofs", "arithmetic", "page", "status"):
        expect(page.locator(f'[data-check="{check}"] .outcome')).to_have_text("Passed")
    # What was not checked is called that, on a valid certificate too.
    expect(page.locator('[data-check="timestamp"] .outcome')).to_have_text("Not checked")
    expect(page.locator("main")).to_contain_text("MI-C")


def test_a_tampered_certificate_names_the_check_that_failed(site: Site) -> None:
    pdf = bytearray(site.plant.certificate())
    pdf[len(pdf) // 2] ^= 1
    page = site.visitor()
    page.goto("/verify")
    drop(page, bytes(pdf))
    expect(page.get_by_role("heading", level=1)).to_have_text("Not valid")
    failed = page.locator('[data-outcome="failed"]')
    expect(failed).to_have_count(1)
    expect(failed).to_have_attribute("data-check", "signature")
    expect(failed.locator(".outcome")).to_have_text("Failed")
    # Everything behind a broken signature was left unread, and says so.
    expect(page.locator('[data-check="arithmetic"] .outcome')).to_have_text("Not checked")
    expect(page.locator(".verdict")).to_have_class("verdict is-bad")


def test_something_added_after_the_signature_is_found(site: Site) -> None:
    page = site.visitor()
    page.goto("/verify")
    drop(page, site.plant.certificate() + b"\n% and a little more\n")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not valid")
    expect(page.locator('[data-check="signed-bytes"] .outcome')).to_have_text("Failed")


def test_a_superseded_certificate_reads_so(site: Site) -> None:
    pdf = site.plant.certificate()
    (certificate_id,) = site.plant.ledger.state.plant.certificates
    site.plant.log("certificate_issued", {
        "certificate_id": "newer", "kind": "co2", "batch_id": "MI-C", "content_sha256": "0" * 64,
        "basis_tree_size": 9, "signer_sha256": "0" * 64, "supersedes": certificate_id,
        "reason": "a meter was read wrongly",
    })  # fmt: skip
    page = site.visitor()
    page.goto("/verify")
    drop(page, pdf)
    expect(page.get_by_role("heading", level=1)).to_have_text("Superseded")
    expect(page.locator('[data-check="status"]')).to_contain_text("newer")


def test_a_file_can_be_chosen_without_javascript(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "certificate.pdf"
    path.write_bytes(site.plant.certificate())
    page = site.visitor(java_script_enabled=False)
    page.goto("/verify")
    page.set_input_files("#certificate", path)
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Valid")


def test_a_file_that_is_no_certificate_gets_a_verdict_and_not_a_failure(site: Site) -> None:
    page = site.visitor()
    page.goto("/verify")
    drop(page, b"a shopping list")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Valid")
    expect(page.locator(".is-good")).to_have_count(0)


def test_a_file_dropped_beside_the_zone_does_not_leave_the_page(site: Site) -> None:
    page = site.visitor()
    page.goto("/verify")
    page.evaluate(DROP, ["footer", base64.b64encode(b"x").decode()])
    expect(page.get_by_role("heading", level=1)).to_have_text("Verify a certificate")


@pytest.mark.parametrize("path", ["/batches", "/batches/MI-C", "/receipts/new", "/steps/new", "/entries/0"])
def test_without_a_login_a_private_page_shows_the_login_and_nothing_of_its_own(site: Site, path: str) -> None:
    site.plant.certificate()
    page = site.visitor()
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    expect(page.locator("body")).not_to_contain_text("MI-C")


def test_without_a_login_nothing_can_be_written_or_read(site: Site) -> None:
    site.plant.certificate()
    size = site.plant.tree_size
    page = site.visitor()
    page.goto("/")
    statuses = page.context.request
    for path in ("/api/v1/batches", "/api/v1/batches/MI-C", "/api/v1/batches/MI-C/footprint"):
        assert statuses.get(path).status == 401
    for path in ("/api/v1/receipts", "/api/v1/steps"):
        answer = statuses.post(path, data={}, headers={"Idempotency-Key": "01a20f1c-57ee-7c87-ab4b-b053e1357145"})
        assert answer.status == 401
    for path in ("/receipts/new", "/steps/new", "/logout"):
        answer = statuses.post(path, form={"batch_id": "IN-9"}, max_redirects=0)
        assert answer.status == 303
        assert answer.headers["location"].startswith("/login")
    assert site.plant.tree_size == size
