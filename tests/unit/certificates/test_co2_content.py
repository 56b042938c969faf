"""What the content of a CO2 certificate says, and which it refuses, on plants made for one question each."""

from __future__ import annotations

from typing import Any

import pytest

from certificates.content import Header, make_content
from ledger.errors import RuleError
from tests.carbon_samples import activity, book
from tests.plants import MASSES, PlantLog, out, whole

HEADER = Header("C-1", "2026-06-01T12:00:00Z", "magnet-ledger.example/bel", 9, "magnet-ledger-page/1", "none")


def content_of(plant: PlantLog, batch_id: str = "OX", kind: Any = "co2") -> dict[str, Any]:
    return make_content(kind, plant.plant, book(), batch_id, HEADER, MASSES)


def oxide_plant(**lot: Any) -> PlantLog:
    """A lot of 1000 kg with 30 % Nd, from which 340 kg of assayed oxide OX were made with 100 kWh."""
    plant = PlantLog()
    plant.lot("L", "1000", **lot)
    plant.assay("L", {"Nd": "30"}, uncertainty="1")
    plant.step("S", [whole("L")], [out("OX", "340")], activity=[activity("electricity", "100")])
    plant.assay("OX", {"Nd2O3": "99.5"}, uncertainty="1")
    return plant


def test_mined_material_gets_a_provenance_certificate_and_no_co2_certificate() -> None:
    plant = oxide_plant(form="concentrate", consumer_class="primary")
    assert content_of(plant, kind="provenance")["lots"][0]["consumer_class"] == "primary"
    with pytest.raises(RuleError, match="mine and make primary material"):
        content_of(plant)


@pytest.mark.parametrize(
    ("logged", "why"),
    [
        ({}, "not one of zero"),
        ({"activity": ({"activity": "electricity", "amount": "0", "unit": "kWh"},)}, "above zero"),
    ],
    ids=["nothing-logged", "zero-logged"],
)
def test_a_zero_footprint_gets_no_certificate(logged: dict[str, Any], why: str) -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    plant.assay("L", {"Nd": "30"}, uncertainty="1")
    plant.step("S", [whole("L")], [out("OX", "340")], **logged)
    plant.assay("OX", {"Nd2O3": "99.5"}, uncertainty="1")
    with pytest.raises(RuleError, match=why):
        content_of(plant)


# The assay that it shows


def assay_of(plant: PlantLog) -> dict[str, Any]:
    value: dict[str, Any] = content_of(plant)["batch"]["assay"]
    return value


def test_a_composition_of_several_assays_names_them_all() -> None:
    plant = oxide_plant()
    plant.assay("L", {"Dy": "1", "Fe": "60"})
    plant.assay("OX", {"Dy2O3": "0.04"}, assay_id="OX-trace", method="ICP-MS", treo_percent="99.6")
    plant.assay("OX", {"Fe": "0.01"}, assay_id="OX-metals", method="GDMS")
    assay = assay_of(plant)
    assert [part["species"] for part in assay["components"]] == ["Nd2O3", "Dy2O3", "Fe"]
    assert [(one["assay_id"], one["method"]) for one in assay["reports"]] == [
        ("OX-A0", "ICP-OES"),
        ("OX-trace", "ICP-MS"),
        ("OX-metals", "GDMS"),
    ]
    assert assay["treo_percent"] == "99.6"


def test_an_assay_says_who_had_it_made() -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    plant.assay("L", {"Nd": "30"}, uncertainty="1")
    plant.step("S", [whole("L")], [out("OX", "340")], activity=[activity("electricity", "100")])
    plant.assay("OX", {"Nd2O3": "99.5"}, uncertainty="1", party="supplier")
    assert [one["party"] for one in assay_of(plant)["reports"]] == ["supplier"]


def test_an_assay_that_does_not_count_is_not_named_as_its_source() -> None:
    plant = oxide_plant()
    plant.assay("OX", {"Nd2O3": "99.5"}, uncertainty="1", party="supplier", assay_id="OX-supplier")
    assert [one["party"] for one in assay_of(plant)["reports"]] == ["plant"]


def test_a_settlement_that_replaced_a_value_is_named() -> None:
    plant = oxide_plant()
    plant.assay("OX", {"Nd2O3": "99.1"}, party="supplier", assay_id="OX-supplier")
    plant.log(
        "settlement",
        settlement_id="SET-1",
        batch_id="OX",
        species="Nd2O3",
        supplier_assay_id="OX-supplier",
        plant_assay_id="OX-A0",
        splitting_limit_percent="0.5",
        settled_wt_percent="99.3",  # the mean of 99.1 and 99.5
        settled_on="2023-09-10",
    )
    assay = assay_of(plant)
    assert assay["settlements"] == ["SET-1"]
    assert assay["components"][0]["wt_percent"] == "99.3"
