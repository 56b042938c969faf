"""The statement: what is printed adds up, and says what a footprint report must say."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.carbon.allocation import ALLOCATIONS, Allocation
from ledger.carbon.footprint import footprint_of
from ledger.carbon.statement import hot_spots, label_of, statement_value
from ledger.errors import RuleError
from ledger.log.canonical import canonical_bytes
from ledger.service.factor_library import factor_records
from tests.carbon_samples import (
    Entry,
    activity,
    bel_demo_1,
    bel_demo_2,
    book,
    book_of,
    draw,
    masses,
    output,
    party_and_site,
    plant_of,
    step,
)
from tests.carbon_samples import receipt as lot


def test_the_statement_of_bel_demo_1_prints_the_known_answer() -> None:
    value = statement_value(plant_of(bel_demo_1()), book(), "OX-NdPr", "economic", masses())
    assert value["system_kg_co2e"] == "4027.1562"
    assert value["system_kg_co2e_exact"] == "4027.15616"
    assert value["mass_kg"] == "295.100"
    assert value["declared_unit"] == "1 kg NdPr oxide"
    assert value["allocation"] == "economic"
    # 4027.15616 x 75 / (295.1 x 75 + 13.084 x 240) = 11.951125; 11.9512 with a share rounded to six digits
    assert value["kg_co2e_per_kg"] == "11.9511"
    assert value["results_by_allocation"]["mass"]["kg_co2e_per_kg"] == "13.0674"
    # 4027.15616 x 295.1 / 308.184, to the sixth place
    assert value["results_by_allocation"]["mass"]["total_kg_co2e"] == "3856.182614"
    assert value["outside_validity"] == []
    assert len(value["placeholders"]) == 4


def test_where_nothing_was_logged_there_is_no_footprint_rather_than_one_of_zero() -> None:
    plant = plant_of([*party_and_site(), lot("LOT", "10")])
    with pytest.raises(RuleError, match="not one of zero"):
        statement_value(plant, book(), "LOT", "mass", masses())


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("batch_id", ["OX-NdPr-501-A", "OX-Dy-502", "OX-Tb-503", "F-301"])
def test_what_is_printed_adds_up_to_the_last_digit(batch_id: str, allocation: Allocation) -> None:
    value = statement_value(plant_of(bel_demo_2()), book(), batch_id, allocation, masses())
    total = Decimal(value["total_kg_co2e"])
    assert sum(Decimal(line["allocated_kg_co2e"]) for line in value["lines"]) == total
    assert sum(Decimal(spot["kg_co2e"]) for spot in value["hot_spots"]) == total
    assert sum(Decimal(spot["kg_co2e_per_kg"]) for spot in value["hot_spots"]) == Decimal(value["kg_co2e_per_kg"])
    assert sum(Decimal(spot["percent"]) for spot in value["hot_spots"]) == 100
    assert sum(Decimal(line["kg_co2e"]) for line in value["lines"]) == Decimal(value["system_kg_co2e_exact"])


def test_every_line_can_be_worked_out_again_from_what_is_printed() -> None:
    value = statement_value(plant_of(bel_demo_2()), book(), "OX-NdPr-501-B", "mass", masses())
    for line in value["lines"]:
        assert Decimal(line["amount"]) * Decimal(line["kg_co2e_per_unit"]) == Decimal(line["kg_co2e"])
        # The printed share has 12 places, the printed part 6, and rounding may give a line one unit more or less.
        assert abs(Decimal(line["kg_co2e"]) * Decimal(line["share"]) - Decimal(line["allocated_kg_co2e"])) <= Decimal(
            "1e-6"
        )


def test_the_statement_is_json_in_the_logs_canonical_profile() -> None:
    assert canonical_bytes(statement_value(plant_of(bel_demo_2()), book(), "OX-Dy-502", "mass", masses()))


def test_hot_spots_are_sorted_and_named() -> None:
    value = statement_value(plant_of(bel_demo_1()), book(), "OX-NdPr", "mass", masses())
    assert [spot["label"] for spot in value["hot_spots"][:3]] == [
        "Hydrochloric acid 32 %",
        "Oxalic acid dihydrate",
        "Electricity",
    ]
    # 1485 of 4027.15616
    assert value["hot_spots"][0]["percent"] == "36.9"
    assert label_of("nitric-acid-60") == "Nitric acid 60"


def test_an_amount_of_nothing_that_was_logged_is_a_footprint_of_nothing_without_hot_spots() -> None:
    plant = plant_of([*party_and_site(), lot("L", "5", activity("electricity", "0"))])
    assert hot_spots(footprint_of(plant, book(), "L", "mass", masses())) == []
    value = statement_value(plant, book(), "L", "mass", masses())
    assert value["kg_co2e_per_kg"] == "0.0000"
    assert value["hot_spots"] == []


def test_the_method_answers_every_item_of_a_footprint_report() -> None:
    method = statement_value(plant_of(bel_demo_2()), book(), "OX-NdPr-501-A", "mass", masses())["method"]
    assert set(method) == {
        "standard", "boundary", "boundary_stages", "period", "gwp_set", "gwp_horizon", "electricity", "recycling",
        "allocation_why", "cut_offs", "biogenic", "land_use", "aircraft", "measured_amounts_percent",
        "data_quality", "uncertainty", "limits", "verification",
    }  # fmt: skip
    assert all(method.values())
    assert method["period"] == {"from": "2023-09-01", "to": "2023-09-16"}
    assert method["gwp_set"] == "AR5"
    assert method["electricity"].startswith("Location-based")
    assert "process S6" in method["boundary_stages"]
    assert any("placeholder" in limit for limit in method["limits"])
    # R-1 and IN lots: the acid's receipt has no activity data.
    assert any("R-1" in limit for limit in method["limits"])


def test_only_amounts_logged_as_measured_or_as_the_suppliers_count_as_such() -> None:
    water = activity("water-supply", "100", "m3")
    entries = [
        *party_and_site(),
        lot("L", "5", {**water, "data": "estimated"}, {**water, "data": "supplier"}),
        step(
            "S", [draw("L")], [output("P", "oxide", "2")], water, {**water, "data": "measured"}, direct_kg_co2="17.668"
        ),
    ]
    # Five equal parts of 17.668 kg CO2e: one measured, one stated by a supplier; an estimate, one of unstated source
    # and a direct emission are neither.
    method = statement_value(plant_of(entries), book(), "P", "mass", masses())["method"]
    assert method["measured_amounts_percent"] == "40.0"
    assert method["data_quality"].startswith("40.0 % of the result rests on amounts that the log calls measured")


def test_an_amount_whose_source_nobody_stated_does_not_count_as_measured() -> None:
    method = statement_value(plant_of(bel_demo_1()), book(), "OX-NdPr", "mass", masses())["method"]
    assert method["measured_amounts_percent"] == "0.0"


def test_electricity_and_aircraft_are_spoken_of_by_name_only() -> None:
    factors = {factor.factor_id: factor for factor in factor_records()}
    power, flight = (factors[f"uk-2023/{name}"] for name in ("electricity-generation", "air-freight-long-haul-with-rf"))
    other_names = book_of(
        [power, flight], {power.factor_id: ("grid-power", "kWh"), flight.factor_id: ("freight-by-air", "t.km")}
    )
    entries = [
        *party_and_site(),
        lot("L", "5", activity("freight-by-air", "10", "t.km")),
        step("S", [draw("L")], [output("P", "oxide", "2")], activity("grid-power", "10")),
    ]
    method = statement_value(plant_of(entries), other_names, "P", "mass", masses())["method"]
    assert method["electricity"].startswith('No activity named "electricity" was logged')
    assert method["aircraft"].startswith('No activity whose name begins with "air-" counts')


def test_the_cut_offs_name_residues_and_freight_without_its_fuels_upstream() -> None:
    said = statement_value(plant_of(bel_demo_2()), book(), "OX-NdPr-501-A", "mass", masses())["method"]["cut_offs"]
    assert "the treatment of residues, unless it was logged as an activity" in said
    # The default adoption has no well-to-tank factor for road freight; electricity and gas have theirs.
    assert "(none does for: Road freight)" in said


def test_freight_with_a_well_to_tank_factor_is_not_named_as_left_out() -> None:
    factors = {factor.factor_id: factor for factor in factor_records()}
    both = [factors[f"uk-2023/hgv-all-average-laden{end}"] for end in ("", "-wtt")]
    entries = [*party_and_site(), lot("L", "5", activity("road-freight", "10", "t.km"))]
    with_upstream = book_of(both, {factor.factor_id: ("road-freight", "t.km") for factor in both})
    said = statement_value(plant_of(entries), with_upstream, "L", "mass", masses())["method"]["cut_offs"]
    assert "none does for" not in said


@pytest.mark.parametrize("allocation", ["mass", "economic"])
def test_where_a_product_was_not_weighed_the_allocation_says_what_it_counted_by(allocation: Allocation) -> None:
    why = statement_value(plant_of(bel_demo_2()), book(), "OX-Dy-502", allocation, masses())["method"]["allocation_why"]
    # S6 makes three strip liquors that nobody weighed; S10, a split, is by weight.
    assert "Not so in S6: a product was not weighed there" in why


@pytest.mark.parametrize(("entries", "allocation"), [(bel_demo_1(), "mass"), (bel_demo_2(), "element")])
def test_where_the_allocation_counts_by_what_it_is_named_after_nothing_else_is_said(
    entries: list[Entry], allocation: Allocation
) -> None:
    batch_id = "OX-Dy" if allocation == "mass" else "OX-Dy-502"
    why = statement_value(plant_of(entries), book(), batch_id, allocation, masses())["method"]["allocation_why"]
    assert "Not so in" not in why


def test_an_allocation_that_is_not_available_is_refused_with_those_that_are() -> None:
    entries = [
        *party_and_site(),
        lot("L", "5"),
        step("S", [draw("L")], [output("P", "a", "2"), output("Q", "b", "1")], activity("electricity", "1")),
    ]
    with pytest.raises(RuleError, match="mass"):
        statement_value(plant_of(entries), book(), "P", "economic", masses())
    value = statement_value(plant_of(entries), book(), "P", "mass", masses())
    assert "P" in value["results_by_allocation"]["economic"]["not_available"]
    assert "composition" in value["results_by_allocation"]["element"]["not_available"]
