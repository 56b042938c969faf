"""What is accepted with a warning."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.material.balance import contents
from tests.plants import DAY, MASSES, PlantLog, out, whole

# The assay of ground hard-disk magnets that adds up to 92.9 %: 22.8 + 3.3 + 1.2 + 62.6 + 1.5 + 0.9 + 0.6
HARD_DISKS = {"Nd": "22.8", "Pr": "3.3", "Dy": "1.2", "Fe": "62.6", "Co": "1.5", "B": "0.9", "Ni": "0.6"}


@pytest.fixture
def log() -> PlantLog:
    """A lot M of 1000 kg, not assayed."""
    log = PlantLog()
    log.lot("M", "1000")
    return log


def test_an_assay_that_adds_up_to_92_9_percent_is_accepted_with_a_warning_and_not_rescaled(log: PlantLog) -> None:
    (warning,) = log.assay("M", HARD_DISKS)
    assert (warning.field, warning.value) == ("/components", "'92.9 %'")
    assert "98 to 100 %" in warning.expected
    assert "never rescaled" in warning.next_step
    assert contents(log.plant, MASSES)["M"]["Nd"].mass_kg == 228


@pytest.mark.parametrize(
    ("iron", "count"), [("77.9", 1), ("78", 0), ("80", 0), ("80.1", 1)]
)  # with 20 % Nd: 97.9, 98, 100 and 100.1 %
def test_a_sum_is_odd_below_98_and_above_100_percent(log: PlantLog, iron: str, count: int) -> None:
    assert len(log.assay("M", {"Nd": "20", "Fe": iron})) == count


def test_an_umpires_assay_of_one_species_is_not_odd(log: PlantLog) -> None:
    assert log.assay("M", {"Dy": "4.1"}, party="umpire") == []


@pytest.mark.parametrize("species", ["La", "CeO2", "Y2O3", "U", "Th"])
def test_what_no_magnet_holds_flags_a_misdeclared_lot(log: PlantLog, species: str) -> None:
    (warning,) = log.assay("M", {"Fe": "98", species: "1"})
    assert (warning.field, warning.value) == ("/components/1/species", repr(species))
    assert "lot M" in warning.next_step


def test_lanthanum_belongs_in_a_carbonate_and_none_of_it_anywhere(log: PlantLog) -> None:
    log.lot("C", "10", form="carbonate", consumer_class="primary")
    assert log.assay("C", {"La": "98"}) == []
    assert log.assay("M", {"Fe": "98", "La": "0"}) == []


def test_supplier_and_plant_that_differ_are_a_dispute_also_when_the_lot_is_drawn(log: PlantLog) -> None:
    log.assay("M", {"Fe": "94", "Dy": "4.4"}, party="supplier")
    (warning,) = log.assay("M", {"Fe": "94", "Dy": "4.0"})
    assert warning.value == "'Dy in M'"
    assert [item.value for item in log.step("S1", [whole("M")], [out("P", "900")])] == ["'Dy in M'"]


def test_mass_that_is_missing_beyond_uncertainty_is_reported_with_its_numbers(log: PlantLog) -> None:
    log.assay("M", {"Nd": "20", "Fe": "79"}, uncertainty="1")
    log.step("S1", [whole("M")], [out("P", "300")])
    # 200 +- 2 kg in; 300 x 60 % = 180 +- 1.8 out; missing 20 +- sqrt(4 + 3.24) = 2.691
    warnings = log.assay("P", {"Nd": "60", "Fe": "39"}, uncertainty="1")
    assert [item.value for item in warnings] == [
        "'673.000 kg Fe unaccounted (85.19 %)'",  # 790 - 117
        "'20.000 kg Nd unaccounted (10.00 %)'",
    ]
    assert "at most 2.691 kg (k=2) of Nd missing" in warnings[1].expected
    assert all(item.field == "/components" for item in warnings)


def test_what_was_missing_before_is_not_reported_again(log: PlantLog) -> None:
    log.assay("M", {"Nd": "20", "Fe": "79"}, uncertainty="1")
    log.step("S1", [whole("M")], [out("P", "300")])
    assert log.assay("P", {"Nd": "60", "Fe": "39"}, uncertainty="1") != []
    assert log.assay("P", {"Nd": "60.1", "Fe": "39"}, uncertainty="1") == []


def test_a_correction_that_opens_a_balance_says_so(log: PlantLog) -> None:
    log.assay("M", {"Nd": "20", "Fe": "79"}, uncertainty="1")
    log.step("S1", [whole("M")], [out("P", "300")])
    log.assay("P", {"Nd": "66", "Fe": "34"}, uncertainty="1")
    body: dict[str, Any] = {"corrects_seq": 7, "pointer": "/components/0/wt_percent", "old": "66", "new": "60"}
    (warning,) = log.log("correction", **body, reason="misread", corrected_on=DAY)
    assert (warning.field, warning.value) == ("/new", "'20.000 kg Nd unaccounted (10.00 %)'")


def test_an_entry_without_anything_odd_has_no_warning(log: PlantLog) -> None:
    assert log.lot("N", "1") == []
    assert log.assay("N", {"Nd": "20", "Fe": "79"}) == []
    assert log.log("party", party_id="X", roles=["buyer"], country="DE") == []


@pytest.mark.parametrize(("treo", "odd"), [("87.1", True), ("87.2", False), ("91.1", False), ("91.2", True)])
def test_total_oxide_that_the_components_do_not_come_to_is_odd(log: PlantLog, treo: str, odd: bool) -> None:
    # 49.9 % Nd2O3, and 32.5 % Pr, which make 32.5 x 1021.44 / (6 x 140.908) = 39.265 % Pr6O11: together 89.165 %
    warnings = log.assay("M", {"Nd2O3": "49.9", "Pr": "32.5"}, treo_percent=treo)
    assert [item.value for item in warnings if item.field == "/treo_percent"] == [f"'{treo} %'"] * odd
