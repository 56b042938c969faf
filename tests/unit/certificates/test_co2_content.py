"""What the content of a CO2 certificate says, and which it refuses, on plants made for one question each."""

from __future__ import annotations

from typing import Any

import pytest

from certificates.content import Header, make_content
from ledger.errors import RuleError
from tests.carbon_samples import activity, book
from tests.plants import MASSES, PlantLog, out, whole

HEADER = Header("C-1", "2026-06-01T12:00:00Z", "magnet-ledger.example/bel", 9, "none")


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


def test_a_zero_footprint_gets_no_certificate() -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    plant.assay("L", {"Nd": "30"}, uncertainty="1")
    plant.step("S", [whole("L")], [out("OX", "340")])
    plant.assay("OX", {"Nd2O3": "99.5"}, uncertainty="1")
    with pytest.raises(RuleError, match="above zero"):
        content_of(plant)
