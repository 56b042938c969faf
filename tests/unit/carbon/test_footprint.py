"""The footprint of a batch: known answer, independent cross-check, allocation, validity, refusals."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from ledger.carbon.allocation import ALLOCATIONS, Allocation, AllocationError, shares
from ledger.carbon.footprint import Footprint, all_allocations, footprint_of, weights_of
from ledger.errors import MissingFactorError, RuleError, UnknownIdError
from ledger.material.balance import contents
from ledger.material.plant import Plant
from tests.carbon_samples import (
    Entry,
    activity,
    assay,
    bel_demo_1,
    bel_demo_2,
    book,
    draw,
    masses,
    output,
    party_and_site,
    plant_of,
    receipt,
    split,
    step,
)
from tests.oracles.footprint_oracle import OracleStep, burden


def footprint(entries: list[Entry], batch_id: str, allocation: Allocation = "mass") -> Footprint:
    return footprint_of(plant_of(entries), book(), batch_id, allocation, masses())


# Known answer


def test_the_system_of_bel_demo_1_is_the_known_total_exactly() -> None:
    result = footprint(bel_demo_1(), "OX-NdPr")
    # 2600 x 0.27486 + 1400 x 0.21314 + 18 x 0.17668 + 16 x 0.20132 + 461.25 x 0.09696 + 1650 x 0.9 + 560 x 1.6
    #   + 900 x 0.6 + 12 x 3.5 = 714.636 + 298.396 + 3.18024 + 3.22112 + 44.7228 + 1485 + 896 + 540 + 42
    #   = 4027.15616, printed as 4027.1562
    assert result.system_kg_co2e == Decimal("4027.15616")
    # Electricity has four factors, natural gas two, the other seven one.
    assert len(result.lines) == 4 + 2 + 7


@pytest.mark.parametrize(
    ("batch_id", "allocation", "kg_co2e_per_kg"),
    [
        # 4027.1562 / (256.626 + 38.474 + 13.084) kg
        ("OX-Nd", "mass", "13.0674"),
        ("OX-NdPr", "mass", "13.0674"),
        ("OX-Dy", "mass", "13.0674"),
        # Shares 295.1 x 75 / 25272.66 = 0.875752 and 13.084 x 240 / 25272.66 = 0.124248
        ("OX-NdPr", "economic", "11.9512"),
        ("OX-Dy", "economic", "38.2437"),
        # 15.296968 kg CO2e per kg of element, over the oxide factors 1.16638, 1.20816, 1.14768
        ("OX-Nd", "element", "13.1149"),
        ("OX-Pr", "element", "12.6614"),
        ("OX-Dy", "element", "13.3286"),
    ],
)
def test_the_oxides_of_bel_demo_1_have_the_known_footprints(
    batch_id: str, allocation: Allocation, kg_co2e_per_kg: str
) -> None:
    result = footprint(bel_demo_1(), batch_id, allocation)
    assert abs(result.per_kg - Fraction(kg_co2e_per_kg)) <= Fraction("0.0002")


@pytest.mark.parametrize("allocation", ALLOCATIONS)
def test_the_products_of_bel_demo_1_carry_the_whole_exactly(allocation: Allocation) -> None:
    plant = plant_of(bel_demo_1())
    products = [footprint_of(plant, book(), batch_id, allocation, masses()) for batch_id in ("OX-NdPr", "OX-Dy")]
    assert sum(product.total for product in products) == Fraction("4027.15616")


# Independent cross-check

# kg CO2e per unit, added up by hand from the rows of the data files.
POWER, GAS, ROAD = Fraction("0.27486"), Fraction("0.21314"), Fraction("0.09696")
HCL, OXALIC, NAOH, EXTRACTANT, WATER = (Fraction(text) for text in ("0.9", "1.6", "0.6", "3.5", "0.17668"))

# IUPAC abridged atomic masses (2021).
ATOMIC = {"O": 15.999, "Nd": 144.242, "Pr": 140.90766, "Dy": 162.500, "Tb": 158.925354}
OXIDE_PER_ELEMENT = {
    "Nd": 1 + 3 * ATOMIC["O"] / (2 * ATOMIC["Nd"]),
    "Pr": 1 + 11 * ATOMIC["O"] / (6 * ATOMIC["Pr"]),
    "Dy": 1 + 3 * ATOMIC["O"] / (2 * ATOMIC["Dy"]),
    "Tb": 1 + 7 * ATOMIC["O"] / (4 * ATOMIC["Tb"]),
}


def liquor_kg() -> dict[str, float]:
    """Rare earths in the leach liquor: lots by assay and by what was drawn on, less the assayed cake of 1000 kg."""
    lots = {
        620 * 600 / 611.9: {"Nd": 22.8, "Pr": 3.3, "Dy": 1.2},
        300.0: {"Nd": 23.5, "Pr": 5.8, "Dy": 4.1, "Tb": 0.4},
        360 * 300 / 352.4: {"Nd": 21.5, "Pr": 5.4, "Dy": 1.9, "Tb": 0.2},
    }
    cake = {"Nd": 0.55, "Pr": 0.12, "Dy": 0.05}
    return {
        element: sum(kg * lot.get(element, 0.0) / 100 for kg, lot in lots.items()) - 1000 * cake.get(element, 0.0) / 100
        for element in ("Nd", "Pr", "Dy", "Tb")
    }


def separation_weights(allocation: Allocation) -> dict[str, Fraction]:
    """What the three unweighed streams share the separation by, worked out a second time."""
    kg = liquor_kg()
    oxide = {element: kg[element] * OXIDE_PER_ELEMENT[element] for element in kg}
    by_policy = {
        "mass": {"Q-NdPr": oxide["Nd"] + oxide["Pr"], "Q-Dy": oxide["Dy"], "Q-Tb": oxide["Tb"]},
        "economic": {
            "Q-NdPr": 75 * (oxide["Nd"] + oxide["Pr"]),
            "Q-Dy": 240 * oxide["Dy"],
            "Q-Tb": 810 * oxide["Tb"],
        },
        "element": {"Q-NdPr": kg["Nd"] + kg["Pr"], "Q-Dy": kg["Dy"], "Q-Tb": kg["Tb"]},
    }
    return {batch_id: Fraction(weight) for batch_id, weight in by_policy[allocation].items()}


def oracle_graph(allocation: Allocation) -> tuple[dict[str, OracleStep], dict[str, Fraction]]:
    """`bel_demo_2` written down again as plain numbers."""
    one = Fraction(1)
    steps = {
        "S1": OracleStep(214 * POWER, {"IN-101": one}, {"B-201": one}),
        "S2": OracleStep(141 * POWER, {"IN-102": Fraction(300, 400)}, {"B-202": one}),
        "S3": OracleStep(690 * GAS + 38 * POWER + Fraction("27.7"), {"IN-103": one}, {"B-203": one}),
        "S4": OracleStep(
            409 * POWER,
            {"B-201": 600 / Fraction("611.9"), "B-202": one, "B-203": 300 / Fraction("352.4")},
            {"F-301": one},
        ),
        "S5": OracleStep(655 * POWER + 820 * GAS + 1480 * HCL + 11 * WATER, {"F-301": one, "R-1": one}, {"L-401": one}),
        "S6": OracleStep(
            760 * POWER + 1260 * NAOH + 17 * EXTRACTANT, {"L-401": Fraction(9000, 9800)}, separation_weights(allocation)
        ),
        "S7": OracleStep(980 * POWER + 774 * OXALIC + 334, {"Q-NdPr": one}, {"OX-NdPr-501": one}),
        "S8": OracleStep(96 * POWER + 55 * OXALIC + 24, {"Q-Dy": one}, {"OX-Dy-502": one}),
        "S9": OracleStep(31 * POWER, {"Q-Tb": one}, {"OX-Tb-503": one}),
        "S10": OracleStep(
            12 * POWER, {"OX-NdPr-501": one}, {"OX-NdPr-501-A": Fraction(250), "OX-NdPr-501-B": Fraction(80)}
        ),
    }
    lots = {
        "IN-101": Fraction("260.4") * ROAD,
        "IN-102": 660 * ROAD,
        "IN-103": Fraction("111.6") * ROAD,
        "R-1": Fraction(0),
    }
    return steps, lots


@pytest.mark.parametrize("allocation", ALLOCATIONS)
@pytest.mark.parametrize("batch_id", ["F-301", "OX-NdPr-501", "OX-NdPr-501-A", "OX-Dy-502", "OX-Tb-503"])
def test_the_reverse_pass_agrees_with_plain_recursion(batch_id: str, allocation: Allocation) -> None:
    steps, lots = oracle_graph(allocation)
    expected = burden(batch_id, steps, lots)
    result = footprint(bel_demo_2(), batch_id, allocation).total
    # Atomic masses of two editions differ in the seventh digit, and touch only what lies behind the separation.
    assert abs(result / expected - 1) < (Fraction(1, 10**5) if batch_id.startswith("OX") else Fraction(1, 10**30))


def test_policies_differ_where_the_separation_shares_its_burden() -> None:
    per_kg = {allocation: footprint(bel_demo_2(), "OX-Tb-503", allocation).per_kg for allocation in ALLOCATIONS}
    assert len(set(per_kg.values())) == 3
    assert per_kg["economic"] > 5 * per_kg["mass"]


# Structure


def test_shares_of_a_step_add_up_to_one_and_a_returned_stream_has_none() -> None:
    plant = plant_of(bel_demo_2())
    known = contents(plant, masses())
    for allocation in ALLOCATIONS:
        for _, transformation in plant.transformations.values():
            assert sum(shares(transformation, allocation, masses(), known).values()) == 1
        assert shares(plant.transformations["S6"][1], allocation, masses(), known)["R-2"] == 0


def test_weights_name_every_event_that_counts() -> None:
    weights = weights_of(plant_of(bel_demo_2()), "OX-Tb-503", "mass", masses())
    assert set(weights) == {"S1", "S2", "S3", "S4", "S5", "S6", "S9", "IN-101", "IN-102", "IN-103", "R-1"}
    assert weights["S9"] == 1
    # Three quarters of the lot were drawn on the way.
    assert weights["IN-102"] == weights["S2"] * Fraction(3, 4)


def test_a_lot_has_the_footprint_of_its_delivery() -> None:
    assert footprint(bel_demo_1(), "IN-001").total == Fraction("461.25") * ROAD


def test_a_direct_emission_is_a_line_of_its_own_under_the_books_gwp_set() -> None:
    entries = [*party_and_site(), receipt("L", "10"), step("S", [draw("L")], [output("P", "oxide", "8")])]
    entries[-1][1]["direct"] = [
        {"gas": "CO2", "mass_kg": "2", "description": "calciner"},
        {"gas": "CH4", "mass_kg": "0.5", "description": "leak"},
    ]
    lines = footprint(entries, "P").lines
    # AR5: 2 x 1 and 0.5 x 28
    assert [(line.activity, line.factor_id, line.kg_co2e) for line in lines] == [
        ("direct-co2", None, Decimal(2)),
        ("direct-ch4", None, Decimal(14)),
    ]


def test_a_stream_that_returns_brings_nothing_of_the_campaign_it_comes_from() -> None:
    entries = [
        *bel_demo_2(),
        receipt("IN-201", "100"),
        step(
            "S20", [draw("IN-201"), draw("R-2")], [output("P-20", "liquor solids", "90")], activity("electricity", "10")
        ),
    ]
    result = footprint(entries, "P-20")
    assert result.total == result.system_kg_co2e == 10 * POWER
    assert {source.source_id for source in result.sources} == {"IN-201", "S20"}


def test_a_returned_stream_has_no_footprint_of_its_own() -> None:
    with pytest.raises(RuleError, match="returns to the plant"):
        footprint(bel_demo_2(), "R-2")


def test_a_step_that_only_restores_a_stream_passes_its_burden_on_with_it() -> None:
    entries = [
        *party_and_site(),
        receipt("SPENT", "100", form="acid"),
        step("REGEN", [draw("SPENT")], [output("ACID", "acid", "90", role="recycle")], activity("electricity", "50")),
        receipt("IN", "10"),
        step("LEACH", [draw("IN"), draw("ACID")], [output("P", "solids", "8")], activity("electricity", "3")),
    ]
    assert footprint(entries, "P").total == 53 * POWER


def test_a_split_by_volume_shares_by_volume() -> None:
    entries = [
        *party_and_site(),
        receipt("IN", "10"),
        step("LEACH", [draw("IN")], [output("L", "liquor", volume_l="100")], activity("electricity", "40")),
        split("SP", draw("L"), [output("L1", "liquor", volume_l="25"), output("L2", "liquor", volume_l="75")]),
        step("DRY", [draw("L1")], [output("P", "oxide", "2")], on="2023-09-17"),
    ]
    assert footprint(entries, "P").total == 10 * POWER


# What is refused or flagged


def test_a_missing_price_makes_only_the_economic_result_unavailable() -> None:
    entries = [
        *party_and_site(),
        receipt("IN", "10"),
        assay("IN", {"Nd": "20", "Dy": "5"}),
        step(
            "S",
            [draw("IN")],
            [output("P", "Nd2O3", "2", "75"), output("Q", "Dy2O3", "0.5")],
            activity("electricity", "1"),
        ),
        assay("P", {"Nd2O3": "99"}),
        assay("Q", {"Dy2O3": "99"}),
    ]
    with pytest.raises(AllocationError) as caught:
        footprint(entries, "P", "economic")
    assert [item.value for item in caught.value.problems] == ["'Q'"]
    results = all_allocations(plant_of(entries), book(), "P", masses())
    assert results["economic"] == "needs a reference price for every product of S (missing for Q)"
    assert isinstance(results["mass"], Footprint)
    assert isinstance(results["element"], Footprint)


def test_products_of_unknown_composition_cannot_share_by_element() -> None:
    entries = [
        *party_and_site(),
        receipt("IN", "10"),
        step("S", [draw("IN")], [output("P", "a", "2"), output("Q", "b", "3")], activity("electricity", "5")),
    ]
    assert footprint(entries, "P").total == 2 * POWER
    with pytest.raises(AllocationError, match="composition is known"):
        footprint(entries, "P", "element")


def test_products_without_a_rare_earth_cannot_share_by_element() -> None:
    entries = [
        *party_and_site(),
        receipt("IN", "10"),
        assay("IN", {"Fe": "90"}),
        step("S", [draw("IN")], [output("P", "a", "2"), output("Q", "b", "3")]),
    ]
    with pytest.raises(AllocationError, match="something to share"):
        footprint(entries, "P", "element")


@pytest.mark.parametrize("allocation", ["mass", "economic"])
def test_a_product_without_rare_earths_does_not_escape_the_burden_of_a_step_with_an_unweighed_one(
    allocation: Allocation,
) -> None:
    entries = [
        *party_and_site(),
        receipt("IN", "1000"),
        assay("IN", {"Nd": "30", "Co": "5"}),
        step(
            "SX",
            [draw("IN")],
            [output("Q-Nd", "Nd strip liquor", price="75", carries=["Nd"]), output("CO", "cobalt salt", "80", "10")],
            activity("electricity", "1000"),
        ),
        assay("CO", {"Co": "60"}),
        step("S2", [draw("Q-Nd")], [output("OX", "Nd2O3", "340")]),
    ]
    with pytest.raises(AllocationError, match="would carry no burden") as caught:
        footprint(entries, "OX", allocation)
    assert [item.value for item in caught.value.problems] == ["'CO'"]


def test_a_product_without_rare_earths_is_not_given_a_footprint_of_nothing_by_element() -> None:
    entries = [
        *party_and_site(),
        receipt("IN", "1000"),
        assay("IN", {"Nd": "30", "Co": "5"}),
        step(
            "SX", [draw("IN")], [output("OX", "Nd2O3", "340"), output("CO", "salt", "80")], activity("electricity", "1")
        ),
        assay("OX", {"Nd2O3": "99"}),
        assay("CO", {"Co": "60"}),
        step("DRY", [draw("CO")], [output("CO-2", "dry salt", "70")], activity("electricity", "1")),
    ]
    for batch_id in ("CO", "CO-2"):
        with pytest.raises(AllocationError, match="shares the burden of SX by element") as caught:
            footprint(entries, batch_id, "element")
        assert caught.value.problems[0].value == "'CO'"
        results = all_allocations(plant_of(entries), book(), batch_id, masses())
        assert isinstance(results["mass"], Footprint)
        assert isinstance(results["element"], str)
    # The oxide carries all of it, for the salt has no rare earths to share by.
    assert footprint(entries, "OX", "element").total == POWER


def test_an_activity_without_an_adopted_factor_is_refused_not_left_out() -> None:
    entries = [*party_and_site(), receipt("IN", "10", activity("air-freight", "5", "t.km"))]
    with pytest.raises(MissingFactorError, match="air-freight"):
        footprint(entries, "IN")
    with pytest.raises(MissingFactorError, match="air-freight"):
        all_allocations(plant_of(entries), book(), "IN", masses())


def test_an_unknown_or_unweighed_batch_is_refused() -> None:
    with pytest.raises(UnknownIdError):
        footprint(bel_demo_1(), "NONE")
    with pytest.raises(RuleError, match="weighed"):
        footprint(bel_demo_2(), "Q-Dy")


def test_placeholders_are_those_used_and_no_others() -> None:
    assert footprint(bel_demo_1(), "OX-Dy").placeholders == (
        "placeholder/extractant-diluent",
        "placeholder/hydrochloric-acid-32",
        "placeholder/oxalic-acid-dihydrate",
        "placeholder/sodium-hydroxide-50",
    )
    assert footprint(bel_demo_1(), "IN-001").placeholders == ()


def test_a_factor_used_outside_its_period_is_named_with_the_event() -> None:
    entries = [
        *party_and_site(),
        receipt("IN", "10", activity("road-freight", "1", "t.km")),
        step("S", [draw("IN")], [output("P", "oxide", "2")], activity("water-supply", "1", "m3"), on="2024-01-01"),
    ]
    found = footprint(entries, "P").outside_validity
    assert [(item.factor_id, item.source_id) for item in found] == [("uk-2023/water-supply", "S")]
    assert footprint(bel_demo_1(), "OX-Dy").outside_validity == ()


def test_sums_are_exact_beyond_the_usual_precision_of_decimals() -> None:
    entries = [
        *party_and_site(),
        receipt("IN", "10", activity("road-freight", "999999999999.999999999999", "t.km")),
        step("S", [draw("IN")], [output("P", "oxide", "2")], activity("water-supply", "0.000000000001", "m3")),
    ]
    result = footprint(entries, "P")
    expected = Fraction("999999999999.999999999999") * ROAD + Fraction("0.000000000001") * WATER
    assert result.system_kg_co2e == expected
    assert result.total == expected


def test_all_allocations_equal_the_single_ones() -> None:
    plant: Plant = plant_of(bel_demo_2())
    results = all_allocations(plant, book(), "OX-Dy-502", masses())
    assert results == {
        allocation: footprint_of(plant, book(), "OX-Dy-502", allocation, masses()) for allocation in ALLOCATIONS
    }
