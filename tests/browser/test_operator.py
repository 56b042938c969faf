"""The operator, at the scales and in gloves: logs in, logs a receipt and a step, reads the balance, loses nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site, log_in
from tests.web_plant import RECEIPT

pytestmark = pytest.mark.browser


def fill_in_receipt(page: Page, batch_id: str = "IN-1") -> None:
    page.fill("#batch_id", batch_id)
    page.fill("#received_on", "2026-11-20")
    page.select_option("#form", "magnets")
    page.select_option("#consumer_class", "post-consumer")
    page.fill("#description", "hard-disk magnets, whole")
    page.fill("#gross_kg", "648,20")
    page.fill("#tare_kg", "24")
    page.fill("#moisture_percent", "0,3")
    page.select_option("#supplier_id", "SUP")


def fill_in_step(page: Page) -> None:
    page.fill("#step_id", "ST-1")
    page.fill("#process", "mill")
    page.fill("#performed_on", "2026-11-21")
    page.select_option("#inputs-0-batch_id", "IN-1")
    page.fill("#inputs-0-amount", "600,5")
    page.fill("#outputs-0-batch_id", "MI-1")
    page.fill("#outputs-0-product", "milled magnets")
    page.fill("#outputs-0-amount", "598")
    page.select_option("#activity-0-kind", "electricity kWh")
    page.fill("#activity-0-amount", "120")


def test_the_operator_logs_a_receipt_and_a_step_and_sees_the_balance(site: Site) -> None:
    page = site.visitor()
    page.goto("/")
    page.get_by_role("link", name="Log in").first.click()
    log_in(page)
    expect(page.get_by_role("heading", name="No batch yet")).to_be_visible()

    page.get_by_role("link", name="Log a receipt").click()
    fill_in_receipt(page)
    page.get_by_role("button", name="Log the receipt").click()
    expect(page.get_by_role("heading", name="Logged as entry 5")).to_be_visible()
    # (648.20 - 24) x (1 - 0.3 / 100) = 622.3274
    expect(page.locator("main")).to_contain_text("622.3274 kg")

    site.plant.assay("IN-1")

    page.get_by_role("navigation", name="Main").get_by_role("link", name="Log step").click()
    expect(page.locator("#inputs-0-batch_id")).to_contain_text("IN-1 · hard-disk magnets, whole · 622.3274 kg left")
    fill_in_step(page)
    page.get_by_role("button", name="Log the step").click()
    expect(page.locator("[data-seq]")).to_have_text("7")
    row = page.locator('#balance tr[data-element="Nd"]')
    # 600.5 kg x 22.8 % = 136.914 kg went in; the product holds what its assay will say.
    expect(row).to_contain_text("136.9140")
    expect(row).to_contain_text("not measured")
    expect(page.locator("main")).to_contain_text("21.8274 kg")  # 622.3274 - 600.5 is left

    site.plant.assay("MI-1")
    page.reload()
    # 598 kg x 22.8 % = 136.344 kg came out; 0.570 kg is missing, within 0.8 % of either (1.546 kg combined).
    expect(row).to_contain_text("136.3440")
    expect(row).to_contain_text("0.5700")
    expect(row).to_contain_text("closed")

    page.get_by_role("link", name="MI-1").click()
    expect(page.locator("svg.genealogy")).to_contain_text("IN-1")
    expect(page.locator("#footprint")).to_contain_text("Electricity")
    page.locator("svg.genealogy a", has_text="IN-1").click()
    expect(page.get_by_role("heading", name="IN-1", exact=True)).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    page.goto("/batches")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_bad_input_comes_back_with_what_was_typed_and_a_message_beside_each_field(site: Site) -> None:
    site.plant.log("receipt", RECEIPT)
    page = site.operator()
    page.goto("/steps/new")
    fill_in_step(page)
    page.fill("#step_id", "ST 1")
    page.fill("#inputs-0-amount", "1,234")
    page.fill("#outputs-0-product", "")
    page.get_by_role("button", name="Log the step").click()

    expect(page.get_by_role("alert")).to_contain_text("Nothing was logged yet")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.locator("#step_id")).to_have_value("ST 1")
    expect(page.locator("#inputs-0-batch_id")).to_have_value("IN-1")
    expect(page.locator("#inputs-0-amount")).to_have_value("1,234")
    expect(page.locator("#activity-0-kind")).to_have_value("electricity kWh")
    expect(page.locator("#inputs-0-amount")).to_have_accessible_description(
        "Is this 1234 or 1.234? Write it without a comma."
    )
    expect(page.locator("#step_id")).to_have_accessible_description(
        "Use letters, digits, dots, dashes and underscores; no spaces."
    )
    assert site.plant.tree_size == 6

    page.fill("#step_id", "ST-1")
    page.fill("#inputs-0-amount", "123,4")
    page.fill("#outputs-0-amount", "120")
    page.fill("#outputs-0-product", "milled magnets")
    page.get_by_role("button", name="Log the step").click()
    expect(page.get_by_role("heading", name="Logged as entry 6")).to_be_visible()


def test_more_taken_than_there_is_is_refused_beside_the_amount(site: Site) -> None:
    site.plant.log("receipt", RECEIPT)
    page = site.operator()
    page.goto("/steps/new")
    fill_in_step(page)
    page.fill("#inputs-0-amount", "1000,5")
    page.get_by_role("button", name="Log the step").click()
    expect(page.locator("#error-inputs-0-amount")).to_contain_text("1000")
    assert site.plant.tree_size == 6


def test_rows_are_added_on_the_page_and_by_the_server_alike(site: Site) -> None:
    for batch_id in ("IN-1", "IN-2"):
        site.plant.log("receipt", RECEIPT | {"batch_id": batch_id})
    for number, options in enumerate(({}, {"java_script_enabled": False})):
        page = site.operator(**options)
        page.goto("/steps/new")
        fill_in_step(page)
        page.fill("#step_id", f"ST-{number}")
        page.fill("#outputs-0-batch_id", f"MI-{number}")
        page.fill("#inputs-0-amount", "100")
        page.get_by_role("button", name="Add another input").click()
        expect(page.locator("#inputs-0-amount")).to_have_value("100")
        page.select_option("#inputs-1-batch_id", "IN-2")
        page.fill("#inputs-1-amount", "50,5")
        page.select_option("#inputs-1-measure", "kg")
        page.fill("#outputs-0-amount", "150")
        page.get_by_role("button", name="Log the step").click()
        expect(page.get_by_role("heading", name=f"Logged as entry {7 + number}")).to_be_visible()
    # 1000 kg of each, twice 100 from the one and twice 50.5 from the other.
    batches = site.plant.ledger.state.plant.batches
    assert [str(batches[name].remaining) for name in ("IN-1", "IN-2")] == ["800", "899.0"]


def test_everything_that_logs_works_without_javascript(site: Site) -> None:
    page = site.operator(java_script_enabled=False)
    page.goto("/receipts/new")
    fill_in_receipt(page)
    page.get_by_role("button", name="Log the receipt").click()
    expect(page.get_by_role("heading", name="Logged as entry 5")).to_be_visible()


def test_pressing_twice_logs_once(site: Site) -> None:
    page = site.operator()
    page.goto("/receipts/new")
    fill_in_receipt(page)
    page.get_by_role("button", name="Log the receipt").dblclick()
    expect(page.get_by_role("heading", name="Logged as entry 5")).to_be_visible()
    assert site.plant.tree_size == 6


def test_what_was_typed_survives_an_expired_login(site: Site) -> None:
    site.plant.log("receipt", RECEIPT)
    page = site.operator()
    page.goto("/steps/new")
    fill_in_step(page)
    page.get_by_role("button", name="Add another output").click()
    page.fill("#outputs-1-batch_id", "FI-1")
    page.fill("#outputs-1-product", "fines")
    site.plant.clock.forward(hours=13)
    page.get_by_role("button", name="Log the step").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    assert site.plant.tree_size == 6
    log_in(page)
    expect(page.get_by_text("What you had typed before is back.")).to_be_visible()
    expect(page.locator("#inputs-0-amount")).to_have_value("600,5")
    expect(page.locator("#inputs-0-batch_id")).to_have_value("IN-1")
    expect(page.locator("#outputs-1-product")).to_have_value("fines")
    page.get_by_role("button", name="Log the step").click()
    expect(page.get_by_role("heading", name="Logged as entry 6")).to_be_visible()
    # And it is not offered again once it was logged.
    page.wait_for_function("sessionStorage.length === 0")
    page.goto("/steps/new")
    expect(page.locator("#step_id")).to_have_value("")


def test_an_empty_form_can_be_had_instead_of_what_was_typed(site: Site) -> None:
    page = site.operator()
    page.goto("/receipts/new")
    page.fill("#batch_id", "IN-7")
    page.reload()
    expect(page.locator("#batch_id")).to_have_value("IN-7")
    page.get_by_role("link", name="Start with an empty form instead").click()
    expect(page.locator("#batch_id")).to_have_value("")


def test_logging_out_forgets_what_was_typed(site: Site) -> None:
    page = site.operator()
    page.goto("/receipts/new")
    page.fill("#batch_id", "IN-7")
    page.get_by_role("button", name="Log out").click()
    page.goto("/login")
    log_in(page)
    page.goto("/receipts/new")
    expect(page.locator("#batch_id")).to_have_value("")


def test_a_scanner_that_ends_with_enter_moves_on_and_logs_nothing(site: Site) -> None:
    """A wedge scanner types the label and Enter. The first field has the focus, so nothing needs to be touched."""
    page = site.operator()
    page.goto("/receipts/new")
    page.keyboard.type("IN-2041")
    page.keyboard.press("Enter")
    expect(page.locator("#batch_id")).to_have_value("IN-2041")
    expect(page.locator("#received_on")).to_be_focused()
    assert site.plant.tree_size == 5


def test_a_scanned_label_chooses_the_input_and_its_measure(site: Site) -> None:
    site.plant.log("receipt", RECEIPT)
    site.plant.log("step", {
        "step_id": "ST-0", "process": "leach", "performed_on": "2026-11-21",
        "inputs": [{"batch_id": "IN-1", "mass_kg": "1"}],
        "outputs": [
            {"batch_id": "LQ-1", "product": "liquor", "volume_l": "90"},
            {"batch_id": "XX-1", "product": "cake"},
        ],
    })  # fmt: skip
    page = site.operator()
    page.goto("/steps/new")
    page.focus("#inputs-0-batch_id")
    page.keyboard.type("LQ-1")
    page.keyboard.press("Enter")
    expect(page.locator("#inputs-0-batch_id")).to_have_value("LQ-1")
    expect(page.locator("#inputs-0-measure")).to_have_value("l")
    expect(page.locator("#inputs-0-amount")).to_be_focused()
    page.select_option("#inputs-0-batch_id", "XX-1")
    expect(page.locator("#inputs-0-measure")).to_have_value("whole")
