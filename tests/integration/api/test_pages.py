"""The pages without a browser: forms that lose nothing, double submits that log once, text that stays text."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.web_plant import RECEIPT, Plant, hidden, new_id

STEP = {
    "step_id": "ST-1",
    "process": "mill",
    "performed_on": "2026-11-21",
    "inputs-0-batch_id": "IN-1",
    "inputs-0-amount": "600,5",
    "inputs-0-measure": "kg",
    "outputs-0-batch_id": "MI-1",
    "outputs-0-product": "milled magnets",
    "outputs-0-amount": "598",
    "outputs-0-measure": "kg",
    "outputs-0-role": "product",
    "activity-0-kind": "electricity kWh",
    "activity-0-amount": "120",
}


def send(browser: TestClient, path: str, fields: dict[str, str], **changes: str) -> Any:
    """Open the form, fill it in, send it."""
    page = browser.get(path).text
    own = {name: hidden(page, name) for name in ("csrf_token", "statement_id")}
    return browser.post(path, data={**own, **fields, **changes})


def value_of(page: str, name: str) -> str:
    """What an input of a page holds."""
    match = re.search(rf'<input id="{name}"[^>]* value="([^"]*)"', page)
    assert match, f"no input {name}"
    return unescape(match[1])


def chosen_in(page: str, name: str) -> str:
    """Which option of a list is chosen."""
    options = page.split(f'<select id="{name}"')[1].split("</select>")[0]
    match = re.search(r'<option value="([^"]*)"[^>]* selected>', options)
    assert match, f"nothing chosen in {name}"
    return unescape(match[1])


def error_of(page: str, name: str) -> str:
    """The message beside a field, to which the field points."""
    match = re.search(rf'<span class="error" id="error-{name}">([^<]*)</span>', page)
    assert match, f"no message beside {name}"
    field = page.split(f'id="{name}"')[1].split(">")[0]
    assert f"error-{name}" in field
    assert 'aria-invalid="true"' in field
    return unescape(match[1])


def test_a_receipt_and_a_step_are_logged_and_the_page_says_the_entry_and_what_is_left(any_plant: Plant) -> None:
    browser = any_plant.browser()
    answer = send(browser, "/receipts/new", RECEIPT)
    assert (answer.status_code, answer.headers["location"]) == (303, "/entries/5?logged")
    page = browser.get(answer.headers["location"]).text
    assert "Logged as entry 5" in page
    assert "1\u202f000 kg" in page

    answer = send(browser, "/steps/new", STEP)
    assert answer.headers["location"] == "/entries/6?logged"
    page = browser.get(answer.headers["location"]).text
    assert "399.5 kg" in page  # 1000 - 600.5 is left of IN-1
    assert "Not enough evidence" in page  # nothing was assayed, so no element can be followed


def test_the_inputs_are_chosen_from_what_is_in_stock_with_what_is_left(plant: Plant) -> None:
    browser = plant.browser()
    for batch_id in ("IN-1", "IN-2"):
        send(browser, "/receipts/new", RECEIPT, batch_id=batch_id)
    send(browser, "/steps/new", STEP)
    send(browser, "/steps/new", STEP | {"step_id": "ST-2", "inputs-0-batch_id": "IN-2", "inputs-0-amount": "1000",
                                        "outputs-0-batch_id": "MI-2", "outputs-0-amount": ""})  # fmt: skip
    page = browser.get("/steps/new").text
    options = page.split('id="inputs-0-batch_id"')[1].split("</select>")[0]
    assert "IN-1 · hard-disk magnets · 399.5 kg left" in options
    assert "MI-2 · milled magnets · not measured: only all of it" in options
    assert "IN-2" not in options


def test_a_form_with_a_mistake_comes_back_with_everything_that_was_typed(plant: Plant) -> None:
    browser = plant.browser()
    send(browser, "/receipts/new", RECEIPT)
    typed = STEP | {
        "step_id": "ST 1",
        "inputs-0-amount": "1,234",
        "outputs-0-product": 'NdPr "oxide" <b>',
        "outputs-0-carries": "Nd Pr",
        "residues-0-description": "coating & dust",
        "residues-0-mass_kg": "-1",
    }
    answer = send(browser, "/steps/new", typed)
    assert answer.status_code == 422
    for name, value in typed.items():
        if name.endswith(("-batch_id", "-measure", "-role", "-kind")) and not name.startswith("outputs-0-batch"):
            assert chosen_in(answer.text, name) == value
        else:
            assert value_of(answer.text, name) == value
    assert error_of(answer.text, "inputs-0-amount") == "Is this 1234 or 1.234? Write it without a comma."
    assert "no spaces" in error_of(answer.text, "step_id")
    assert "zero or more" in error_of(answer.text, "residues-0-mass_kg")
    assert "Nothing was logged yet" in answer.text
    assert "ST 1" not in plant.ledger.state.plant.transformations


def test_a_rule_of_the_plant_is_explained_beside_the_field_it_is_about(plant: Plant) -> None:
    browser = plant.browser()
    send(browser, "/receipts/new", RECEIPT)
    page = send(browser, "/steps/new", STEP | {"inputs-0-amount": "1000.5"}).text
    assert "1000" in error_of(page, "inputs-0-amount")
    page = send(browser, "/steps/new", STEP | {"outputs-0-batch_id": "IN-1"}).text
    assert error_of(page, "outputs-0-batch_id")
    page = send(browser, "/steps/new", STEP | {"performed_on": "2026-11-19"}).text  # before the lot was received
    assert error_of(page, "performed_on")


def test_a_batch_that_is_no_longer_in_stock_stays_chosen_and_is_marked(plant: Plant) -> None:
    browser = plant.browser()
    send(browser, "/receipts/new", RECEIPT)
    answer = send(browser, "/steps/new", STEP | {"inputs-0-batch_id": "IN-GONE"})
    assert chosen_in(answer.text, "inputs-0-batch_id") == "IN-GONE"
    assert "IN-GONE · not in stock" in answer.text
    assert error_of(answer.text, "inputs-0-batch_id")


def test_sending_the_same_form_twice_logs_once_and_shows_the_same_entry(any_plant: Plant) -> None:
    browser = any_plant.browser()
    page = browser.get("/receipts/new").text
    fields = RECEIPT | {name: hidden(page, name) for name in ("csrf_token", "statement_id")}
    first, second = (browser.post("/receipts/new", data=fields) for _ in range(2))
    assert first.headers["location"] == second.headers["location"] == "/entries/5?logged"
    assert any_plant.tree_size == 6


def test_a_form_that_was_logged_and_then_changed_says_so_and_logs_nothing_by_itself(plant: Plant) -> None:
    browser = plant.browser()
    page = browser.get("/receipts/new").text
    fields = RECEIPT | {name: hidden(page, name) for name in ("csrf_token", "statement_id")}
    browser.post("/receipts/new", data=fields)
    changed = browser.post("/receipts/new", data=fields | {"batch_id": "IN-2"})
    assert changed.status_code == 409
    assert "was logged before" in changed.text
    assert value_of(changed.text, "batch_id") == "IN-2"
    assert "IN-2" not in plant.ledger.state.plant.batches
    # Its next press is another statement.
    again = {name: hidden(changed.text, name) for name in ("csrf_token", "statement_id")}
    assert again["statement_id"] != fields["statement_id"]
    assert browser.post("/receipts/new", data=fields | {"batch_id": "IN-2"} | again).status_code == 303


def test_without_javascript_a_row_is_added_by_the_server_and_nothing_is_logged(plant: Plant) -> None:
    browser = plant.browser()
    send(browser, "/receipts/new", RECEIPT)
    answer = send(browser, "/steps/new", STEP | {"add": "inputs"})
    assert answer.status_code == 200
    assert 'id="inputs-1-batch_id"' in answer.text
    assert 'id="inputs-2-batch_id"' not in answer.text
    assert value_of(answer.text, "inputs-0-amount") == "600,5"
    assert chosen_in(answer.text, "inputs-0-batch_id") == "IN-1"
    assert "ST-1" not in plant.ledger.state.plant.transformations


@pytest.mark.parametrize("statement_id", ["x", "\0", "01a20f1c-57ee-4c87-ab4b-b053e1357145"])
def test_a_statement_id_that_is_none_is_refused_with_the_form(any_plant: Plant, statement_id: str) -> None:
    answer = send(any_plant.browser(), "/receipts/new", RECEIPT | {"statement_id": statement_id})
    assert answer.status_code == 422
    assert "Nothing was logged yet" in answer.text


def test_text_from_the_ledger_is_never_markup(plant: Plant) -> None:
    browser = plant.browser()
    evil = "<script>alert(1)</script>\"'&"
    assert send(browser, "/receipts/new", RECEIPT, description=evil).status_code == 303
    for path in ("/batches", "/batches/IN-1", "/steps/new", f"/batches?q={evil}", "/login?next=%22%3E%3Cscript%3E"):
        assert "<script>alert" not in browser.get(path).text
        assert '"><script' not in plant.client().get(path).text


def test_batches_are_found_by_number_product_and_status(plant: Plant) -> None:
    browser = plant.browser()
    for number in range(60):
        plant.log("receipt", RECEIPT | {"batch_id": f"IN-{number:02}"})
    first = browser.get("/batches").text
    assert first.count("/batches/IN-") == 50
    assert "Page 1 of 2" in first
    assert browser.get("/batches?page=2").text.count("/batches/IN-") == 10
    found = browser.get("/batches?q=in-07+magnets").text
    assert found.count("/batches/IN-") == 1
    assert "No batch matches" in browser.get("/batches?q=zirconium").text


def test_an_empty_ledger_says_how_to_begin(plant: Plant) -> None:
    assert "No batch yet" in plant.browser().get("/batches").text


def test_a_batch_page_draws_its_family_and_names_it_in_a_table(plant: Plant) -> None:
    browser = plant.browser()
    plant.certificate()
    page = browser.get("/batches/MI-C").text
    drawing = page.split('<svg class="genealogy"')[1].split("</svg>")[0]
    assert 'href="/batches/IN-C"' in drawing
    assert "mill" in drawing
    assert drawing.count('class="edge"') == 2  # lot to step, step to batch
    assert "Went into it" in page
    assert '<tr data-element="Nd">' in page
    assert "CO₂ certificate" in page
    # 1000 kg x 22.8 % = 228 kg went in; the product was not assayed and carries all of it.
    assert "228.0000" in page


def test_the_footprint_that_cannot_be_reckoned_says_why(plant: Plant) -> None:
    browser = plant.browser()
    send(browser, "/receipts/new", RECEIPT)
    plant.log("step", {
        "step_id": "ST-9", "process": "mill", "performed_on": "2026-11-21",
        "inputs": [{"batch_id": "IN-1", "whole": True}],
        "outputs": [{"batch_id": "MI-9", "product": "milled", "mass_kg": "10"}],
        "activity": [{"activity": "moon-dust", "amount": "1", "unit": "kg"}],
    })  # fmt: skip
    page = browser.get("/batches/MI-9").text
    assert "Not available" in page
    assert "moon-dust" in page


@pytest.mark.parametrize(
    "path",
    [
        "/batches/NONE",
        "/entries/999",
        "/entries/x",
        "/entries/-1",
        "/entries/99999999999999999999",
        "/batches/%00",
        "/nowhere",
        "/batches?page=0",
    ],
)
def test_a_page_that_is_not_there_is_a_page_and_not_json(plant: Plant, path: str) -> None:
    answer = plant.browser().get(path)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert "To the start page" in answer.text


def test_pages_carry_no_inline_script_or_style_and_name_no_other_origin(plant: Plant) -> None:
    browser = plant.browser()
    plant.certificate()
    for path in ("/", "/verify", "/problems", "/batches", "/batches/MI-C", "/receipts/new", "/steps/new", "/entries/5"):
        page = browser.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page), path
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:", page), path
        assert not re.search(r'(src|href|action)="(?!/(?!/)|#)', page), path


def test_a_form_with_more_fields_than_allowed_is_refused(plant: Plant) -> None:
    answer = send(plant.browser(), "/steps/new", {f"inputs-{i}-amount": "1" for i in range(2100)})
    assert answer.status_code == 400
    assert new_id() not in answer.text
