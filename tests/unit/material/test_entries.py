"""Bodies of entries: what is read exactly, and what is refused with its field, value, expectation and next step."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.errors import InputError
from ledger.material.entries import MATERIAL_ENTRIES, Receipt, parse_entry
from tests.plants import campaign_events

RECEIPT = {
    "batch_id": "B",
    "site_id": "S",
    "description": "magnets",
    "form": "magnets",
    "consumer_class": "post-consumer",
    "received_on": "2023-09-04",
    "dry_mass_kg": "10.50",
}
ASSAY: dict[str, Any] = {
    "assay_id": "A",
    "batch_id": "B",
    "party": "plant",
    "method": "ICP-OES",
    "components": [{"species": "Nd", "wt_percent": "22.8"}],
    "reported_on": "2023-09-04",
}
STEP: dict[str, Any] = {
    "step_id": "S1",
    "process": "leach",
    "performed_on": "2023-09-04",
    "inputs": [{"batch_id": "B", "mass_kg": "1"}],
    "outputs": [{"batch_id": "C", "product": "liquor", "volume_l": "40"}],
}
CAKE = {"description": "cake", "mass_kg": "1"}
WET = {"gross_kg": "648.20", "tare_kg": "24.00", "moisture_percent": "0.3", "dry_mass_kg": None}


def shares(**by_country: str) -> list[dict[str, str]]:
    return [{"country": country, "share": share} for country, share in by_country.items()]


def without_nothing(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def problems(entry_type: str, body: dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(InputError) as error:
        parse_entry(entry_type, without_nothing(body))
    assert all(item.next_step for item in error.value.problems)
    return [(item.field, item.value, item.expected) for item in error.value.problems]


@pytest.mark.parametrize(
    ("change", "field", "value", "words"),
    [
        ({"colour": "red"}, "/colour", "'red'", "no such field"),
        ({"batch_id": None}, "/batch_id", "nothing", "this field"),
        ({"batch_id": "a b"}, "/batch_id", "'a b'", "text of the form"),
        ({"dry_mass_kg": 10.5}, "/dry_mass_kg", "10.5", "not a JSON number"),
        ({"dry_mass_kg": 10}, "/dry_mass_kg", "10", "not a JSON number"),
        ({"dry_mass_kg": "-10.5"}, "/dry_mass_kg", "'-10.5'", "above zero"),
        ({"dry_mass_kg": "0"}, "/dry_mass_kg", "'0'", "above zero"),
        ({"dry_mass_kg": "1e3"}, "/dry_mass_kg", "'1e3'", "no exponent"),
        ({"dry_mass_kg": "10,5"}, "/dry_mass_kg", "'10,5'", "a plain decimal number"),
        ({"dry_mass_kg": "NaN"}, "/dry_mass_kg", "'NaN'", "plain decimal number"),
        ({"received_on": "2023-02-30"}, "/received_on", "'2023-02-30'", "a date that exists"),
        ({"received_on": "04.09.2023"}, "/received_on", "'04.09.2023'", "YYYY-MM-DD"),
        ({"form": "scrap"}, "/form", "'scrap'", "'magnets'"),
        ({"description": "two\nlines"}, "/description", "'two\\nlines'", "without line breaks"),
        ({"country_of_dispatch": "gb"}, "/country_of_dispatch", "'gb'", "[A-Z]{2}"),
        ({"dry_mass_kg": None}, "/dry_mass_kg", "nothing", "gross_kg with tare_kg and moisture_percent"),
        ({"gross_kg": "12"}, "/dry_mass_kg", "'10.50'", "not both"),
        ({**WET, "tare_kg": None}, "/tare_kg", "nothing", "gross_kg with tare_kg"),
        ({**WET, "gross_kg": "24.00"}, "/gross_kg", "'24.00'", "more than the tare of 24.00 kg"),
        ({**WET, "moisture_percent": "100"}, "/moisture_percent", "'100'", "less than 100"),
        ({**WET, "moisture_percent": "100.1"}, "/moisture_percent", "'100.1'", "from 0 to 100"),
        (
            {
                "origin": {
                    "evidence": "x",
                    "mined": [{"country": "CN", "share": "0.7"}, {"country": "JP", "share": "0.4"}],
                }
            },
            "/origin/mined",
            "'shares of 1.1'",
            "at most 1",
        ),
        (
            {
                "origin": {
                    "evidence": "x",
                    "melted": [{"country": "CN", "share": "0.1"}, {"country": "CN", "share": "0.1"}],
                }
            },
            "/origin/melted",
            "'CN, CN'",
            "each country once",
        ),
    ],
)
def test_a_bad_receipt_is_refused_by_its_field(change: dict[str, Any], field: str, value: str, words: str) -> None:
    ((found, shown, expected),) = problems("receipt", {**RECEIPT, **change})
    assert (found, shown) == (field, value)
    assert words in expected


@pytest.mark.parametrize(
    ("lines", "field", "words"),
    [
        ([{"species": "Nd", "wt_percent": "100.01"}], "/components/0/wt_percent", "from 0 to 100"),
        ([{"species": "Nd", "wt_percent": "-1"}], "/components/0/wt_percent", "from 0 to 100"),
        ([{"species": "Nd", "wt_percent": 22.8}], "/components/0/wt_percent", "not a JSON number"),
        ([{"species": "nd", "wt_percent": "1"}], "/components/0/species", "text of the form"),
        # 60 + 42.1
        (
            [{"species": "Nd", "wt_percent": "60"}, {"species": "Fe", "wt_percent": "42.1"}],
            "/components",
            "give 102.1 %",
        ),
        ([{"species": "Nd", "wt_percent": "1"}] * 2, "/components", "not Nd again"),
        ([], "/components", "a list of 1 or more"),
    ],
)
def test_a_bad_assay_is_refused_by_its_field(lines: list[dict[str, Any]], field: str, words: str) -> None:
    ((found, _, expected),) = problems("assay", {**ASSAY, "components": lines})
    assert found == field
    assert words in expected


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"inputs": [{"batch_id": "B"}]}, "/inputs/0"),
        ({"inputs": [{"batch_id": "B", "mass_kg": "1", "whole": True}]}, "/inputs/0"),
        ({"inputs": [{"batch_id": "B", "whole": False}]}, "/inputs/0/whole"),
        ({"inputs": []}, "/inputs"),
        ({"outputs": [{"batch_id": "C", "product": "x", "mass_kg": "1", "volume_l": "1"}]}, "/outputs/0/volume_l"),
        ({"outputs": [{"batch_id": "C", "product": "x", "price_usd_per_kg": "75"}]}, "/outputs/0/price_source"),
        ({"outputs": [{"batch_id": "C", "product": "x", "price_source": "x"}]}, "/outputs/0/price_usd_per_kg"),
        ({"activity": [{"activity": "electricity", "amount": "-1", "unit": "kWh"}]}, "/activity/0/amount"),
        ({"direct": [{"gas": "SF6", "mass_kg": "1", "description": "x"}]}, "/direct/0/gas"),
        (
            {"residues": [{"description": "x", "mass_kg": "1", "components": ASSAY["components"] * 2}]},
            "/residues/0/components",
        ),
    ],
)
def test_a_bad_step_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    assert [found for found, _, _ in problems("step", {**STEP, **change})] == [field]


def test_every_bad_field_is_named_at_once() -> None:
    found = problems("receipt", {**RECEIPT, "dry_mass_kg": "-1", "received_on": "never", "colour": "red"})
    assert [field for field, _, _ in found] == ["/received_on", "/dry_mass_kg", "/colour"]


def test_pointers_begin_where_the_body_stands() -> None:
    with pytest.raises(InputError) as error:
        parse_entry("receipt", {**RECEIPT, "dry_mass_kg": "-1"}, "/events/3/body")
    assert error.value.problems[0].field == "/events/3/body/dry_mass_kg"


def test_an_unknown_type_of_entry_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError) as error:
        parse_entry("wish", {})
    assert error.value.problems[0].field == "/type"
    assert "receipt" in error.value.problems[0].expected


def test_dry_mass_is_net_weight_less_moisture_with_every_digit() -> None:
    body = parse_entry("receipt", without_nothing({**RECEIPT, **WET, "scale_uncertainty_kg": "0.05"}))
    assert isinstance(body, Receipt)
    # (648.20 - 24.00) x (1 - 0.003) = 622.3274; the scale's 0.05 kg of wet magnets are 0.04985 kg dry
    assert body.dry_mass() == Decimal("622.3274")
    assert body.dry_mass_uncertainty_kg() == Decimal("0.04985")


@pytest.mark.parametrize("name", ["bel-demo-1", "bel-demo-2"])
def test_a_body_is_written_as_it_was_read(name: str) -> None:
    events = campaign_events(name)
    for event in events:
        value = parse_entry(event["type"], event["body"]).to_value()
        assert parse_entry(event["type"], value).to_value() == value
        # Digits as reported: whatever number the file holds as text stands in the body as the same text.
        assert set(_texts(event["body"])) <= set(_texts(value))
    assert {event["type"] for event in events} <= MATERIAL_ENTRIES.keys()


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("schema", [True, 2, "1", None])
def test_a_schema_that_is_not_the_number_1_is_refused(schema: object) -> None:
    """As verify.py refuses it: JSON true is not 1, though Python's is."""
    body = {"kind": "actor", "key": "0" * 16, "reason": "lost"}
    assert parse_entry("key_revoked", {"schema": 1, **body}).schema_version == 1
    with pytest.raises(InputError, match="/schema"):
        parse_entry("key_revoked", {"schema": schema, **body})
