"""Which assay counts, and when a settlement holds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.errors import DuplicateIdError, LedgerError, RuleError, UnknownIdError
from ledger.material.composition import disputed_species, is_disputed, settled_components
from tests.plants import DAY, PlantLog


def disputed(supplier: str = "4.4", plant: str = "4.0", umpire: str = "4.1") -> PlantLog:
    """A lot M whose dysprosium supplier, plant and umpire have measured; the plant has measured Nd too."""
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Dy": supplier}, party="supplier", assay_id="A-S", uncertainty="2")
    log.assay("M", {"Nd": "23.5", "Dy": plant}, assay_id="A-P", uncertainty="2")
    log.assay("M", {"Dy": umpire}, party="umpire", assay_id="A-U", uncertainty="1")
    return log


def settlement(**more: Any) -> dict[str, Any]:
    body = {
        "settlement_id": "S",
        "batch_id": "M",
        "species": "Dy",
        "supplier_assay_id": "A-S",
        "plant_assay_id": "A-P",
        "umpire_assay_id": "A-U",
        "splitting_limit_percent": "0.2",
        "settled_wt_percent": "4.1",
        "settled_on": DAY,
    }
    return {name: value for name, value in {**body, **more}.items() if value is not None}


def percents(log: PlantLog) -> dict[str, str]:
    components = settled_components(log.plant, "M")
    assert components is not None
    return {component.species: str(component.wt_percent) for component in components}


def test_outside_the_splitting_limit_the_umpires_value_settles() -> None:
    log = disputed()
    log.log("settlement", **settlement())
    assert percents(log) == {"Nd": "23.5", "Dy": "4.1"}
    assert not is_disputed(log.plant, "M")
    components = settled_components(log.plant, "M")
    assert components is not None
    assert components[-1].uncertainty_percent == 1  # the umpire's
    assert len(log.plant.assays_of("M")) == 3  # all stay on record


def test_within_the_splitting_limit_the_mean_settles_without_an_umpire() -> None:
    log = disputed(supplier="4.2", plant="4.0")
    # (4.2 + 4.0) / 2; uncertainty sqrt((4.2 x 2 %)^2 + (4.0 x 2 %)^2) / 2 = 0.058 = 1.4146 % of 4.1
    log.log("settlement", **settlement(umpire_assay_id=None))
    components = settled_components(log.plant, "M")
    assert components is not None
    assert components[-1].wt_percent == Decimal("4.1")
    assert components[-1].uncertainty_percent is not None
    assert round(components[-1].uncertainty_percent, 4) == Decimal("1.4146")


def test_a_difference_of_exactly_the_limit_is_within_it() -> None:
    log = disputed(supplier="4.2", plant="4.0")
    log.log("settlement", **settlement(splitting_limit_percent="0.2"))
    assert percents(log)["Dy"] == "4.1"


@pytest.mark.parametrize(
    ("change", "kind", "field", "words"),
    [
        ({"settled_wt_percent": "4.2"}, RuleError, "/settled_wt_percent", "4.1, the umpire's value"),
        ({"splitting_limit_percent": "0.4"}, RuleError, "/settled_wt_percent", "4.2, their mean"),
        ({"umpire_assay_id": None}, RuleError, "/umpire_assay_id", "differ by 0.4, outside the splitting limit of 0.2"),
        ({"batch_id": "X"}, UnknownIdError, "/batch_id", "the id of a batch"),
        ({"umpire_assay_id": "X"}, UnknownIdError, "/umpire_assay_id", "the id of an assay"),
        ({"species": "Nd"}, RuleError, "/supplier_assay_id", "this one reports Dy"),
        ({"supplier_assay_id": "A-U"}, RuleError, "/supplier_assay_id", "this one is the umpire's"),
        ({"plant_assay_id": "B-P"}, RuleError, "/plant_assay_id", "this one is of batch N"),
        ({"settled_on": "2023-09-03"}, RuleError, "/supplier_assay_id", "reported by 2023-09-03"),
    ],
)
def test_a_settlement_against_its_rule_is_refused(
    change: dict[str, Any], kind: type[LedgerError], field: str, words: str
) -> None:
    log = disputed()
    log.lot("N", "1")
    log.assay("N", {"Dy": "4.0"}, assay_id="B-P")
    with pytest.raises(LedgerError) as error:
        log.log("settlement", **settlement(**change))
    assert type(error.value) is kind
    assert error.value.problems[0].field == field
    assert words in error.value.problems[0].expected


def test_a_species_is_settled_once() -> None:
    log = disputed()
    log.log("settlement", **settlement())
    with pytest.raises(RuleError, match="S settles this one"):
        log.log("settlement", **settlement(settlement_id="S2"))
    with pytest.raises(DuplicateIdError):
        log.log("settlement", **settlement())


def test_supplier_and_plant_that_agree_have_no_dispute() -> None:
    assert disputed_species(disputed(supplier="4.00", plant="4.0").plant, "M") == []
    assert disputed_species(disputed().plant, "M") == ["Dy"]


def test_an_assay_corrected_after_the_settlement_opens_the_dispute_again() -> None:
    log = disputed()
    log.log("settlement", **settlement())
    seq = log.plant.assays["A-U"][0]
    correction = {"corrects_seq": seq, "old": "4.1", "new": "4.2", "reason": "misread", "corrected_on": DAY}
    warnings = log.log("correction", pointer="/components/0/wt_percent", **correction)
    assert [(item.field, item.value) for item in warnings] == [("/new", "'Dy in M'")]
    assert is_disputed(log.plant, "M")
    mended = {**correction, "corrects_seq": log.plant.settlements["S"][0], "pointer": "/settled_wt_percent"}
    with pytest.raises(RuleError, match=r"expected 4\.2, the umpire's value"):
        log.log("correction", **{**mended, "new": "4.3"})
    log.log("correction", **mended)
    assert not is_disputed(log.plant, "M")
    assert percents(log)["Dy"] == "4.2"


def test_the_plants_assays_count_before_the_umpires_and_the_suppliers() -> None:
    log = PlantLog()
    log.lot("M", "100")
    assert settled_components(log.plant, "M") is None
    log.assay("M", {"Nd": "20"}, party="supplier", assay_id="1")
    assert percents(log) == {"Nd": "20"}
    log.assay("M", {"Nd": "21"}, party="umpire", assay_id="2")
    assert percents(log) == {"Nd": "21"}
    log.assay("M", {"Nd": "22"}, assay_id="3")
    assert percents(log) == {"Nd": "22"}


def test_a_later_assay_replaces_what_an_earlier_one_said_about_the_same_metal() -> None:
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd2O3": "30", "Fe": "60"}, assay_id="1")
    log.assay("M", {"Nd": "25", "Tb": "0.1"}, assay_id="2")
    assert percents(log) == {"Fe": "60", "Nd": "25", "Tb": "0.1"}


def test_one_metal_as_two_compounds_is_a_dispute_until_both_report_the_same_one() -> None:
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd2O3": "24", "Tb": "0.1"}, party="supplier", assay_id="1")
    log.assay("M", {"Nd": "30", "Dy": "2"}, assay_id="2")  # the supplier says nothing about Dy, the plant nothing of Tb
    assert disputed_species(log.plant, "M") == ["Nd2O3"]
    log.assay("M", {"Nd2O3": "24.0"}, assay_id="3")
    assert not is_disputed(log.plant, "M")


@pytest.mark.parametrize(("party", "value"), [("plant", "3.0"), ("supplier", "4.5")])
def test_a_later_assay_with_another_value_ends_the_settlement_until_there_is_a_new_one(party: str, value: str) -> None:
    log = disputed()
    log.log("settlement", **settlement())
    log.assay("M", {"Dy": "4.0"}, assay_id="A-again")  # the same value again changes nothing
    assert not is_disputed(log.plant, "M")
    warnings = log.assay("M", {"Dy": value}, party=party, assay_id="A-new")
    assert ("'Dy in M'" in [item.value for item in warnings], is_disputed(log.plant, "M")) == (True, True)
    assert (
        percents(log)["Dy"] == {"plant": "3.0", "supplier": "4.0"}[party]
    )  # the plant's, as long as nothing is settled
    new = {f"{party}_assay_id": "A-new", "settlement_id": "S-new"}
    log.log("settlement", **settlement(**new))
    assert not is_disputed(log.plant, "M")
    assert percents(log)["Dy"] == "4.1"
    with pytest.raises(RuleError, match="S-new settles this one"):
        log.log("settlement", **settlement(settlement_id="S3"))
