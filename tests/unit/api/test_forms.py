"""What was typed on a form becomes a body, and a problem with the body finds its field again."""

from __future__ import annotations

import pytest

from api.web.forms import messages, plain_number, receipt_reading, row_count, step_reading, two_readings
from ledger.errors import InputError
from ledger.material.entries import parse_entry


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("12,5", "12.5"),
        ("0,125", "0.125"),  # three digits, but no thousands begin with a nought
        ("1234,50", "1234.50"),
        ("1000,250", "1000.250"),  # thousands would have had a comma earlier
        (" 12.50 ", "12.50"),
        ("-3,5", "-3.5"),
        ("12", "12"),
    ],
)
def test_a_decimal_comma_becomes_a_point(typed: str, number: str) -> None:
    assert plain_number(typed) == number


@pytest.mark.parametrize("typed", ["1,234", "12,500", "999,000"])
def test_a_comma_that_may_mean_thousands_is_asked_about(typed: str) -> None:
    assert plain_number(typed) == typed
    question = two_readings(typed)
    assert question is not None
    assert typed.replace(",", "") in question
    assert typed.replace(",", ".") in question


@pytest.mark.parametrize("typed", ["1,234,567", "1.234,5", "1,2,3", ",5", "5,", "abc", "1 000"])
def test_what_is_no_plain_number_is_left_for_the_types_to_refuse(typed: str) -> None:
    assert plain_number(typed) == typed
    with pytest.raises(InputError):
        parse_entry("step", step_reading(STEP | {"inputs-0-amount": typed}).body)


STEP = {
    "step_id": "ST-1",
    "process": "leach",
    "performed_on": "2026-11-20",
    "inputs-0-batch_id": "IN-1",
    "inputs-0-amount": "12,5",
    "inputs-0-measure": "kg",
    "inputs-1-batch_id": "",
    "inputs-1-amount": "",
    "inputs-1-measure": "kg",
    "inputs-2-batch_id": "AC-1",
    "inputs-2-amount": "",
    "inputs-2-measure": "whole",
    "outputs-0-batch_id": "LQ-1",
    "outputs-0-product": "liquor",
    "outputs-0-amount": "900",
    "outputs-0-measure": "l",
    "outputs-0-role": "product",
    "outputs-0-carries": "Nd, Pr",
    "residues-0-description": "",
    "residues-0-mass_kg": "",
    "activity-0-kind": "electricity kWh",
    "activity-0-amount": "100",
    "direct-0-gas": "CO2",
    "direct-0-mass_kg": "",
    "direct-0-description": "",
}


def test_a_steps_rows_become_a_body_that_the_types_accept() -> None:
    reading = step_reading(STEP)
    assert parse_entry("step", reading.body).to_value() == {
        "schema": 1,
        "step_id": "ST-1",
        "process": "leach",
        "performed_on": "2026-11-20",
        "inputs": [{"batch_id": "IN-1", "mass_kg": "12.5"}, {"batch_id": "AC-1", "whole": True}],
        "outputs": [
            {
                "batch_id": "LQ-1",
                "product": "liquor",
                "volume_l": "900",
                "role": "product",
                "carries": ["Nd", "Pr"],
            }
        ],
        "residues": [],
        "activity": [{"activity": "electricity", "amount": "100", "unit": "kWh"}],
        "direct": [],
    }


def test_a_problem_after_an_empty_row_is_shown_beside_the_row_it_was_typed_in() -> None:
    reading = step_reading(STEP)
    # The third row of the form is the second input of the body.
    assert reading.field_of("/inputs/1/batch_id") == "inputs-2-batch_id"
    assert reading.field_of("/inputs/1/whole") == "inputs-2-amount"
    assert reading.field_of("/outputs/0/carries/1") == "outputs-0-carries"
    assert reading.field_of("/outputs/0/volume_l") == "outputs-0-amount"
    assert reading.field_of("/nowhere") == ""


def problems_of(form: dict[str, str], entry_type: str = "step") -> dict[str, str]:
    reading = (step_reading if entry_type == "step" else receipt_reading)(form)
    with pytest.raises(InputError) as caught:
        parse_entry(entry_type, reading.body)
    return messages(reading, form, caught.value.problems)


def test_every_message_stands_beside_its_field() -> None:
    form = STEP | {"step_id": "ST 1", "inputs-0-amount": "1,234", "outputs-0-product": "", "activity-0-amount": "-5"}
    found = problems_of(form)
    assert set(found) == {"step_id", "inputs-0-amount", "outputs-0-product", "activity-0-amount"}
    assert found["inputs-0-amount"] == "Is this 1234 or 1.234? Write it without a comma."
    assert found["outputs-0-product"] == "This is needed."
    assert "spaces" in found["step_id"]


def test_an_amount_beside_all_of_it_is_asked_about_and_not_dropped() -> None:
    found = problems_of(STEP | {"inputs-2-amount": "5"})
    assert set(found) == {"inputs-2-amount"}
    assert "all of it" in found["inputs-2-amount"]


def test_an_input_without_an_amount_is_asked_for_it() -> None:
    found = problems_of(STEP | {"inputs-0-amount": ""})
    assert set(found) == {"inputs-0-amount"}
    assert "how much" in found["inputs-0-amount"]


def test_an_empty_step_is_asked_for_an_input_and_an_output() -> None:
    found = problems_of({})
    assert {"step_id", "process", "performed_on", "inputs-0-batch_id", "outputs-0-batch_id"} <= set(found)


RECEIPT = {
    "batch_id": "IN-1",
    "site_id": "BEL",
    "description": "magnets",
    "form": "magnets",
    "consumer_class": "post-consumer",
    "received_on": "2026-11-20",
    "gross_kg": "648,20",
    "tare_kg": "24",
    "moisture_percent": "0,3",
    "country_of_dispatch": "gb",
}


def test_a_receipt_with_a_declared_origin_becomes_a_body_with_shares_of_one() -> None:
    form = RECEIPT | {
        "evidence": "supplier declaration",
        "origin-0-stage": "melted",
        "origin-0-country": "cn",
        "origin-0-percent": "70",
        "origin-1-stage": "melted",
        "origin-1-country": "JP",
        "origin-1-percent": "12,5",
    }
    body = parse_entry("receipt", receipt_reading(form).body).to_value()
    assert body["gross_kg"] == "648.20"
    assert body["country_of_dispatch"] == "GB"
    assert body["origin"]["melted"] == [{"country": "CN", "share": "0.7"}, {"country": "JP", "share": "0.125"}]


def test_without_a_declaration_there_is_no_origin_at_all() -> None:
    assert "origin" not in receipt_reading(RECEIPT | {"origin-0-stage": "mined"}).body


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"gross_kg": ""}, "gross_kg"),
        ({"dry_mass_kg": "600"}, "dry_mass_kg"),
        ({"tare_kg": "700"}, "gross_kg"),
        ({"origin-0-stage": "mined", "origin-0-country": "CN", "origin-0-percent": "x"}, "origin-0-percent"),
        ({"origin-0-stage": "evidence", "origin-0-country": "CN", "origin-0-percent": "1"}, "origin-0-country"),
        ({"origin-0-stage": "mined", "origin-0-country": "CN", "origin-0-percent": "1"}, "evidence"),
    ],
)
def test_a_rule_about_several_fields_is_shown_beside_one_of_them(change: dict[str, str], field: str) -> None:
    assert field in problems_of(RECEIPT | change, "receipt")


def test_rows_are_counted_with_their_empty_ones() -> None:
    assert row_count(STEP, "inputs") == 3
    assert row_count(STEP, "origin") == 0
    assert row_count({"inputs-9999999-batch_id": "x"}, "inputs") == 0
