"""What entries may not make of the figures: metal counted twice, batches purer than matter, limits without limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from certificates.content import Header, check_certifiable, make_content
from ledger.errors import InputError, MassBalanceError, RuleError
from ledger.material.balance import BalanceRow, contents, step_balance
from ledger.material.origin import lot_shares
from tests.carbon_samples import book
from tests.plants import DAY, MASSES, PlantLog, components, kg, out, whole


@pytest.fixture
def log() -> PlantLog:
    """A lot M of 100 kg with 20 % Nd, known to 1 %."""
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd": "20"}, uncertainty="1")
    return log


def row(log: PlantLog, step_id: str, element: str) -> BalanceRow:
    return next(row for row in step_balance(log.plant, step_id, MASSES) if row.element == element)


@pytest.mark.parametrize(
    ("percents", "place"),
    [
        ({"Nd": "22.8", "Fe": "50", "Nd2O3": "26.6"}, 2),
        ({"Pr6O11": "10", "Pr2O3": "10"}, 1),
        ({"Nd2Fe14B": "80", "Fe": "5"}, 1),
    ],
)
def test_an_assay_that_names_a_metal_in_two_components_is_refused(
    log: PlantLog, percents: dict[str, str], place: int
) -> None:
    with pytest.raises(InputError, match="in one component only") as error:
        log.assay("M", percents)
    assert [item.field for item in error.value.problems] == [f"/components/{place}/species"]


def test_a_residue_that_names_a_metal_in_two_components_is_refused(log: PlantLog) -> None:
    cake = {"description": "cake", "mass_kg": "5", "components": components({"Fe2O3": "50", "Fe": "10"})}
    with pytest.raises(InputError) as error:
        log.step("S1", [kg("M", "10")], [out("P", "5")], residues=[cake])
    assert [item.field for item in error.value.problems] == ["/residues/0/components/1/species"]


def test_oxygen_carbon_and_water_may_stand_in_several_components(log: PlantLog) -> None:
    log.assay("M", {"Nd2O3": "60", "Fe2O3": "5", "CO2": "20", "H2O": "10", "C": "1"})


def test_a_blend_makes_nothing_purer_than_its_richest_input() -> None:
    log = PlantLog()
    for lot, percent in (("A", "60"), ("B", "60"), ("C", "10")):
        log.lot(lot, "1000")
        log.assay(lot, {"Nd": percent}, uncertainty="1")
    log.log("blend", blend_id="S1", performed_on=DAY, inputs=[kg("A", "500"), whole("B")], output=out("P", "1000"))
    # 900 kg Nd were drawn; 1000 kg of the blend hold 60 % at most, and 300 kg went missing between the scales
    nd = contents(log.plant, MASSES)["P"]["Nd"]
    assert round(nd.mass_kg, 9) == 600
    # 1 % of 300 kg of A and of 600 kg of B, all scaled by 600 / 900: sqrt(3^2 + 6^2) x 2/3 = 4.4721
    assert round(nd.uncertainty_kg, 4) == Decimal("4.4721")
    assert row(log, "S1", "Nd").unaccounted_kg == 900 - nd.mass_kg
    assert row(log, "S1", "Nd").verdict == "unaccounted beyond uncertainty"
    # 300 kg of A and 100 kg of C in 1400 kg: 28.6 %, below the 60 % of A, so all of it is carried
    log.log("blend", blend_id="S2", performed_on=DAY, inputs=[kg("A", "500"), whole("C")], output=out("Q", "1400"))
    assert contents(log.plant, MASSES)["Q"]["Nd"].mass_kg == 400


def test_a_batch_without_an_assay_holds_no_more_of_an_element_than_it_weighs(log: PlantLog) -> None:
    log.step("S1", [whole("M")], [out("Q", "10")])  # 20 kg Nd went in
    assert contents(log.plant, MASSES)["Q"]["Nd"].mass_kg == 10
    assert row(log, "S1", "Nd").unaccounted_kg == 10
    # a kilogram of it cannot give two kilograms of neodymium
    log.step("S2", [kg("Q", "1")], [out("P", "3")])
    with pytest.raises(MassBalanceError, match=r"at most the 1\.000 kg Nd that went into S2"):
        log.assay("P", {"Nd": "66.7"}, uncertainty="1")


@pytest.mark.parametrize(
    ("percent", "uncertainty", "taken"),
    [
        ("30", "20", True),
        ("30", "20.1", False),
        ("0.2", "50", True),  # a trace: 0.1 percentage points
        ("0.2", "51", False),
        ("0", "1000", True),
    ],
)
def test_an_assay_states_no_uncertainty_that_would_switch_the_balance_off(
    log: PlantLog, percent: str, uncertainty: str, taken: bool
) -> None:
    cake = {"description": "cake", "mass_kg": "5", "components": components({"Nd": percent}, uncertainty)}
    if taken:
        log.assay("M", {"Nd": percent}, uncertainty=uncertainty)
        return
    with pytest.raises(InputError) as error:
        log.assay("M", {"Nd": percent}, uncertainty=uncertainty)
    (item,) = error.value.problems
    assert (item.field, item.value) == ("/components/0/uncertainty_percent", repr(uncertainty))
    with pytest.raises(InputError) as error:
        log.step("S1", [kg("M", "10")], [out("P", "5")], residues=[cake])
    assert [item.field for item in error.value.problems] == ["/residues/0/components/0/uncertainty_percent"]


def test_a_correction_cannot_state_such_an_uncertainty_either(log: PlantLog) -> None:
    correction = {"corrects_seq": log.plant.assays["M-A0"][0], "pointer": "/components/0/uncertainty_percent"}
    with pytest.raises(InputError, match="/new"):
        log.log("correction", **correction, old="1", new="90", reason="x", corrected_on=DAY)


@pytest.mark.parametrize(
    "weight",
    [{"dry_mass_kg": "100"}, {"dry_mass_kg": None, "gross_kg": "110", "tare_kg": "10", "moisture_percent": "50"}],
)
def test_a_scale_is_good_to_five_per_cent_of_the_net_weight(weight: dict[str, str | None]) -> None:
    given = {name: value for name, value in weight.items() if value is not None}
    body = {"batch_id": "N", "site_id": "BEL", "description": "magnets", "form": "magnets", "received_on": DAY}
    body |= {"consumer_class": "post-consumer", **given}
    PlantLog().log("receipt", **body, scale_uncertainty_kg="5")
    with pytest.raises(InputError) as error:
        PlantLog().log("receipt", **body, scale_uncertainty_kg="5.01")
    (item,) = error.value.problems
    assert item.field == "/scale_uncertainty_kg"
    assert "at most 5, 5 % of the net weight" in item.expected


def test_a_gap_of_more_than_three_per_cent_is_not_closed_however_uncertain() -> None:
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd": "20"}, uncertainty="10")
    # 20 +- 2 kg in; 19.4 kg out is 3 % less, 19.38 kg 3.1 %
    for name, percent in (("P", "64.6667"), ("Q", "64.6")):
        log.step(f"S-{name}", [kg("M", "50")], [out(name, "15")])
        log.assay(name, {"Nd": percent}, uncertainty="1")
    assert row(log, "S-P", "Nd").verdict == "closed"
    assert row(log, "S-Q", "Nd").verdict == "unaccounted within uncertainty"


def test_an_excess_of_more_than_three_per_cent_is_not_certified_however_uncertain() -> None:
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd": "20"}, uncertainty="10")
    # 10 +- 1 kg in; 15 x 68.66 % = 10.299 kg out is 2.99 % more, 15 x 68.68 % = 10.302 kg 3.02 %
    for name, percent in (("P", "68.66"), ("Q", "68.68")):
        log.step(f"S-{name}", [kg("M", "50")], [out(name, "15")])
        log.assay(name, {"Nd": percent}, uncertainty="1")
    check_certifiable(log.plant, "P", MASSES)
    with pytest.raises(MassBalanceError, match=r"at most 3 % more than the 10\.000 kg Nd") as error:
        check_certifiable(log.plant, "Q", MASSES)
    assert error.value.problems[0].field == "/batch_id"


@pytest.mark.parametrize(
    ("entry_type", "body", "field"),
    [
        (
            "split",
            {"split_id": "S1", "input": kg("M", "10"), "outputs": [out("A", "1"), out("R", "9", role="recycle")]},
            "/outputs/1/role",
        ),
        (
            "blend",
            {"blend_id": "S1", "inputs": [kg("M", "5"), kg("M", "5")], "output": out("R", "10", role="recycle")},
            "/output/role",
        ),
        (
            "pack",
            {
                "pack_id": "S1",
                "input": kg("M", "10"),
                "output": out("R", "10", role="recycle"),
                "packaging": "drum",
                "packages": 1,
            },
            "/output/role",
        ),
    ],
)
def test_handling_makes_no_stream_that_returns(
    log: PlantLog, entry_type: str, body: dict[str, Any], field: str
) -> None:
    with pytest.raises(RuleError) as error:
        log.log(entry_type, performed_on=DAY, **body)
    assert [item.field for item in error.value.problems] == [field]


def test_a_stream_that_returns_is_not_said_to_carry_rare_earths(log: PlantLog) -> None:
    outputs = [out("P", "2"), out("R", "8", role="recycle", carries=["Fe", "Nd"])]
    with pytest.raises(RuleError) as error:
        log.step("S1", [kg("M", "10")], outputs)
    assert [(item.field, item.value) for item in error.value.problems] == [("/outputs/1/carries/1", "'Nd'")]


def test_a_stream_that_returns_is_not_assayed_to_hold_rare_earths_until_it_is_a_product(log: PlantLog) -> None:
    log.step("S1", [kg("M", "10")], [out("P", "2"), out("R", "8", role="recycle")])
    log.assay("R", {"Cl": "30", "Nd": "0"})
    with pytest.raises(RuleError) as error:
        log.assay("R", {"Cl": "30", "Nd2O3": "0.1"})
    (item,) = error.value.problems
    assert (item.field, item.value) == ("/components/1/species", "'Nd2O3'")
    step_seq = log.plant.batches["R"].seq
    assert f"entry {step_seq}" in item.next_step
    correction: dict[str, Any] = {"corrects_seq": step_seq, "pointer": "/outputs/1/role", "reason": "x"}
    log.log("correction", **correction, old="recycle", new="product", corrected_on=DAY)
    log.assay("R", {"Cl": "30", "Nd2O3": "0.1"})
    with pytest.raises(RuleError, match="/new"):
        log.log("correction", **correction, old="product", new="recycle", corrected_on=DAY)


def separated(dy_percent: str) -> PlantLog:
    """A lot with 30 kg Nd and 2 kg Dy, each sent into a liquor of its own; the Nd oxide is assayed to hold some Dy."""
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd": "30", "Dy": "2"}, uncertainty="1")
    log.step("S1", [whole("M")], [out("Q-Nd", carries=["Nd"]), out("Q-Dy", carries=["Dy"])])
    log.step("S2", [whole("Q-Nd")], [out("P", "34")])
    log.assay("P", {"Nd2O3": "92", "Dy2O3": dy_percent}, uncertainty="1")
    return log


def test_a_trace_of_what_a_separation_sent_elsewhere_is_genuine_until_both_are_assayed() -> None:
    # 34 kg x 0.05 % / 1.1477 = 0.0148 kg Dy, while an unassayed liquor is taken to have received all 2 kg
    log = separated("0.05")
    check_certifiable(log.plant, "P", MASSES)
    # 2.2 kg of oxide with 99 % hold 1.898 kg Dy: with the trace 1.913 of 2 kg
    log.step("S3", [whole("Q-Dy")], [out("D", "2.2")])
    log.assay("D", {"Dy2O3": "99"}, uncertainty="1")
    check_certifiable(log.plant, "P", MASSES)


def test_such_a_trace_is_never_more_than_all_that_went_in() -> None:
    # 34 kg x 7 % / 1.1477 = 2.074 kg Dy of 2 +- 0.02 kg
    with pytest.raises(MassBalanceError, match=r"2\.074 kg Dy in products"):
        separated("7")


def returned(assayed: bool) -> PlantLog:
    """Oxide OX of a lot from AU, made with a stream R that came back from working up a lot from CN."""
    log = PlantLog()
    for lot in ("CN", "AU"):
        log.lot(lot, "1000", origin={"mined": [{"country": lot, "share": "1"}], "evidence": "declared"})
        log.assay(lot, {"Nd": "30"}, uncertainty="1")
    log.step("S1", [whole("CN")], [out("T", "340"), out("R", "900", role="recycle")])
    if assayed:
        log.assay("R", {"Cl": "30"})
    log.step("S2", [whole("R"), whole("AU")], [out("OX", "340")])
    log.assay("OX", {"Nd2O3": "99.9"}, uncertainty="1")
    return log


def test_origin_is_not_told_past_a_returned_stream_that_nobody_assayed() -> None:
    with pytest.raises(RuleError) as error:
        lot_shares(returned(assayed=False).plant, "OX", MASSES)
    (item,) = error.value.problems
    assert item.value == "'R'"
    assert "lots that held Nd" in item.expected
    assert lot_shares(returned(assayed=True).plant, "OX", MASSES) == {"Nd": {"AU": 1}}


def test_a_certificate_names_the_streams_that_returned() -> None:
    header = Header("C-1", "2026-01-01T00:00:00Z", "log", 9, "page", "drawn")
    content = make_content("provenance", returned(assayed=True).plant, book(), "OX", header, MASSES)
    assert content["custody"]["words"].endswith("went in as holding no rare earths: R.")


@pytest.mark.parametrize(
    ("entry_type", "body", "field"),
    [
        ("pack", {"pack_id": "S9", "input": whole("L"), "output": out("P", "10")}, "/output/volume_l"),
        ("pack", {"pack_id": "S9", "input": whole("M"), "output": out("P", volume_l="10")}, "/output/mass_kg"),
        ("pack", {"pack_id": "S9", "input": whole("M"), "output": out("P")}, "/output/mass_kg"),
        ("blend", {"blend_id": "S9", "inputs": [whole("M"), whole("Q")], "output": out("P")}, "/output/mass_kg"),
        ("blend", {"blend_id": "S9", "inputs": [whole("L"), whole("M")], "output": out("P", "10")}, "/inputs"),
        (
            "split",
            {"split_id": "S9", "input": whole("L"), "outputs": [out("P", "1"), out("R", "2")]},
            "/outputs/0/volume_l",
        ),
    ],
)
def test_handling_keeps_to_the_measure_of_what_it_handles(entry_type: str, body: dict[str, Any], field: str) -> None:
    log = PlantLog()
    for lot in ("A", "B", "M"):
        log.lot(lot, "100")
    log.step("S1", [whole("A")], [out("L", volume_l="40")])
    log.step("S2", [whole("B")], [out("Q")])
    packed = {"packaging": "drum", "packages": 1} if entry_type == "pack" else {}
    with pytest.raises(RuleError) as error:
        log.log(entry_type, performed_on=DAY, **body, **packed)
    assert error.value.problems[0].field == field


def test_what_had_no_measure_may_be_weighed_when_it_is_packed(log: PlantLog) -> None:
    log.step("S1", [whole("M")], [out("Q")])
    pack = {"pack_id": "S2", "performed_on": DAY, "packaging": "drum", "packages": 1}
    log.log("pack", **pack, input=whole("Q"), output=out("P", "90"))
    assert contents(log.plant, MASSES)["P"]["Nd"].mass_kg == 20


def test_components_and_loss_on_ignition_are_parts_of_one_sample(log: PlantLog) -> None:
    log.assay("M", {"Nd2O3": "60", "CO2": "40"}, loi_percent="40")  # what burns off, reported twice
    log.assay("M", {"Nd2O3": "62"}, loi_percent="40")
    with pytest.raises(RuleError) as error:
        log.assay("M", {"Nd2O3": "62.1"}, loi_percent="40")
    (item,) = error.value.problems
    assert item.field == "/loi_percent"
    assert "these give 102.1 %" in item.expected


def test_excesses_within_uncertainty_may_not_add_up_over_the_slices_of_a_lot() -> None:
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd": "20"}, uncertainty="0.5")
    for number in range(10):
        log.step(f"S{number}", [kg("M", "10")], [out(f"P{number}", "3")])
    # Each slice holds 2 +- 0.01 kg Nd and gives 3 x 68 % = 2.04 +- 0.0612 kg: 2 % more, within uncertainty.
    # All ten give 20.4 of 20 kg, and the independent assays are good to sqrt(0.1^2 + 10 x 0.0612^2) = 0.218 kg.
    log.assay("P0", {"Nd": "68"}, uncertainty="3")
    check_certifiable(log.plant, "P0", MASSES)
    for number in range(1, 10):
        log.assay(f"P{number}", {"Nd": "68"}, uncertainty="3")
    with pytest.raises(MassBalanceError, match=r"0\.400 kg too much"):
        check_certifiable(log.plant, "P0", MASSES)


def test_assays_together_name_no_more_than_the_sample(log: PlantLog) -> None:
    log.assay("M", {"Fe": "82"}, assay_id="A-iron")  # with 20 % Nd 102 %
    with pytest.raises(RuleError) as error:
        log.assay("M", {"Dy": "0.1"})
    assert [(item.field, item.value) for item in error.value.problems] == [("/components", "'102.1 %'")]
    correction = {"corrects_seq": log.plant.assays["A-iron"][0], "pointer": "/components/0/wt_percent", "reason": "x"}
    with pytest.raises(RuleError, match="/new"):
        log.log("correction", **correction, old="82", new="83", corrected_on=DAY)
