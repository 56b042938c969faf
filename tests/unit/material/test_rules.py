"""What a plant refuses: the field, the value, what was expected with its numbers, and the next step."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ledger.errors import (
    DuplicateIdError,
    InputError,
    LedgerError,
    MassBalanceError,
    OverdrawnError,
    RuleError,
    UnknownIdError,
)
from ledger.material.balance import step_balance
from ledger.material.batch import add_entry, fold_plant
from ledger.material.entries import parse_entry
from tests.plants import DAY, MASSES, PlantLog, components, kg, out, whole


@pytest.fixture
def log() -> PlantLog:
    """A lot M of 100 kg with 20 % Nd; of 10 kg each a batch L of 40 l liquor and a batch Q that is not measured."""
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd": "20"})
    log.step("S1", [kg("M", "10")], [out("L", volume_l="40")])
    log.step("S2", [kg("M", "10")], [out("Q")])
    return log


def refusal(log: PlantLog, kind: type[LedgerError], entry_type: str, /, **body: Any) -> list[tuple[str, str, str]]:
    """Field, value and expectation of each problem; checks that nothing was added and each has a next step."""
    before, count = log.plant, len(log.entries)
    with pytest.raises(LedgerError) as error:
        log.log(entry_type, **body)
    assert type(error.value) is kind
    assert (log.plant is before, len(log.entries)) == (True, count)
    assert all(item.next_step for item in error.value.problems)
    return [(item.field, item.value, item.expected) for item in error.value.problems]


def step(inputs: list[dict[str, Any]], outputs: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    outputs = [out("NEW")] if outputs is None else outputs
    body = {"step_id": "S9", "process": "leach", "performed_on": DAY, "inputs": inputs, "outputs": outputs}
    return body | more


def test_a_draw_beyond_what_is_left_says_how_much_is_left(log: PlantLog) -> None:
    # 100 kg less 10 and 10 for the two steps
    ((field, value, expected),) = refusal(log, OverdrawnError, "step", **step([kg("M", "80.01")]))
    assert (field, value) == ("/inputs/0/mass_kg", "'80.01'")
    assert "at most 80 kg" in expected
    assert "had 100 kg" in expected
    log.log("step", **step([kg("M", "80")]))
    assert log.plant.batches["M"].remaining == 0


def test_a_batch_drawn_twice_in_one_entry_must_be_enough_for_both(log: PlantLog) -> None:
    ((field, _, expected),) = refusal(log, OverdrawnError, "step", **step([kg("M", "50"), kg("M", "30.5")]))
    assert field == "/inputs/1/mass_kg"
    assert "at most 30 kg" in expected
    log.log("step", **step([kg("M", "50"), kg("M", "30")]))
    assert log.plant.used_by("M") == ["S1", "S2", "S9"]


def test_every_overdrawn_input_is_named(log: PlantLog) -> None:
    draws = [kg("M", "81"), {"batch_id": "L", "volume_l": "40.5"}]
    assert [field for field, _, _ in refusal(log, OverdrawnError, "step", **step(draws))] == [
        "/inputs/0/mass_kg",
        "/inputs/1/volume_l",
    ]


def test_a_whole_draw_of_a_batch_drawn_before_asks_for_the_amount(log: PlantLog) -> None:
    ((field, _, expected),) = refusal(log, RuleError, "step", **step([whole("M")]))
    assert field == "/inputs/0/whole"
    assert "80 kg are left" in expected


def test_nothing_can_be_drawn_of_a_batch_that_was_drawn_wholly(log: PlantLog) -> None:
    log.log("step", **step([whole("Q"), whole("L")]))
    for draw in (whole("Q"), whole("L"), {"batch_id": "L", "volume_l": "0.1"}, kg("Q", "1")):
        again = step([draw], [out("NEW-2")], step_id="S10")
        ((_, _, expected),) = refusal(log, OverdrawnError, "step", **again)
        assert "a batch that is there" in expected
    assert log.plant.batches["Q"].status == "consumed"


@pytest.mark.parametrize(
    ("draw", "field", "measure"),
    [
        ({"batch_id": "M", "volume_l": "1"}, "/inputs/0/volume_l", "mass_kg"),
        (kg("L", "1"), "/inputs/0/mass_kg", "volume_l"),
        (kg("Q", "1"), "/inputs/0/mass_kg", '"whole": true'),
    ],
)
def test_a_draw_is_in_the_measure_of_the_batch(log: PlantLog, draw: dict[str, str], field: str, measure: str) -> None:
    ((found, _, expected),) = refusal(log, RuleError, "step", **step([draw]))
    assert found == field
    assert measure in expected


def test_every_unknown_input_is_named(log: PlantLog) -> None:
    problems = refusal(log, UnknownIdError, "step", **step([kg("X", "1"), kg("M", "1"), kg("Y", "1")]))
    assert [(field, value) for field, value, _ in problems] == [
        ("/inputs/0/batch_id", "'X'"),
        ("/inputs/2/batch_id", "'Y'"),
    ]


@pytest.mark.parametrize(
    ("outputs", "field", "kind"),
    [
        ([out("NEW"), out("L")], "/outputs/1/batch_id", DuplicateIdError),
        ([out("NEW"), out("NEW")], "/outputs/1/batch_id", DuplicateIdError),
        ([out("M")], "/outputs/0/batch_id", RuleError),
    ],
)
def test_an_output_is_a_new_batch(
    log: PlantLog, outputs: list[dict[str, Any]], field: str, kind: type[LedgerError]
) -> None:
    assert [found for found, _, _ in refusal(log, kind, "step", **step([kg("M", "1")], outputs))] == [field]


@pytest.mark.parametrize(
    ("entry_type", "body", "field"),
    [
        ("step", step([kg("M", "1")], step_id="S1"), "/step_id"),
        ("step", step([kg("M", "1")], step_id="receipt"), "/step_id"),
        ("party", {"party_id": "SUP", "roles": ["buyer"], "country": "DE"}, "/party_id"),
        ("site", {"site_id": "BEL", "name": "x", "country": "GB", "operator_id": "OP"}, "/site_id"),
    ],
)
def test_an_id_is_given_once(log: PlantLog, entry_type: str, body: dict[str, Any], field: str) -> None:
    assert [found for found, _, _ in refusal(log, DuplicateIdError, entry_type, **body)] == [field]


def test_ids_of_lots_and_assays_are_given_once(log: PlantLog) -> None:
    with pytest.raises(DuplicateIdError, match="/batch_id"):
        log.lot("L", "1")
    with pytest.raises(DuplicateIdError, match="/assay_id"):
        log.assay("M", {"Nd": "20"}, assay_id="M-A0")


def test_a_receipt_names_known_sites_and_suppliers(log: PlantLog) -> None:
    with pytest.raises(UnknownIdError) as error:
        log.lot("N", "1", site_id="NOWHERE", supplier_id="NOBODY")
    assert [(item.field, item.value) for item in error.value.problems] == [
        ("/site_id", "'NOWHERE'"),
        ("/supplier_id", "'NOBODY'"),
    ]


def test_a_step_cannot_come_before_its_inputs_were_there(log: PlantLog) -> None:
    ((field, value, expected),) = refusal(log, RuleError, "step", **step([kg("M", "1")], performed_on="2023-09-03"))
    assert (field, value) == ("/performed_on", "'2023-09-03'")
    assert "from 2023-09-04 on" in expected


def test_an_assay_of_what_was_made_here_cannot_be_older_but_one_of_a_lot_can(log: PlantLog) -> None:
    log.step("S3", [kg("M", "5")], [out("P", "5")])
    with pytest.raises(RuleError, match="/reported_on"):
        log.assay("P", {"Nd": "20"}, reported_on="2023-09-03")
    log.assay("M", {"Nd": "20"}, reported_on="2023-09-01", party="supplier")


def test_an_assay_names_elements_that_exist(log: PlantLog) -> None:
    with pytest.raises(InputError) as error:
        log.assay("M", {"Nd": "1", "Xx": "1", "Nd2Zz3": "1"})
    assert [item.field for item in error.value.problems] == ["/components/1/species", "/components/2/species"]


def test_residues_and_carried_elements_exist_too(log: PlantLog) -> None:
    residue = {"description": "cake", "mass_kg": "1", "components": components({"Qq": "1"})}
    problems = refusal(log, InputError, "step", **step([kg("M", "1")], residues=[residue]))
    assert [field for field, _, _ in problems] == ["/residues/0/components/0/species"]
    problems = refusal(log, InputError, "step", **step([kg("M", "1")], [out("NEW", carries=["Nd", "Jj"])]))
    assert [field for field, _, _ in problems] == ["/outputs/0/carries/1"]


def split(outputs: list[dict[str, Any]], draw: dict[str, Any]) -> dict[str, Any]:
    return {"split_id": "P1", "performed_on": DAY, "input": draw, "outputs": outputs}


def test_parts_weigh_no_more_than_what_was_split(log: PlantLog) -> None:
    # 3.00 + 7.01 kg out of 10.00
    body = split([out("A", "3.00"), out("B", "7.01")], kg("M", "10.00"))
    ((field, value, expected),) = refusal(log, RuleError, "split", **body)
    assert (field, value) == ("/outputs", "'10.01'")
    assert "10.00 kg that the split draws: this is 0.01 kg too much" in expected
    log.log("split", **split([out("A", "3.00"), out("B", "7.00")], kg("M", "10.00")))


def test_parts_of_a_liquor_hold_no_more_volume(log: PlantLog) -> None:
    body = split([out("A", volume_l="30"), out("B", volume_l="10.5")], whole("L"))
    ((_, value, expected),) = refusal(log, RuleError, "split", **body)
    assert value == "'40.5'"
    assert "40 L" in expected


def test_parts_are_measured_as_the_batch_is(log: PlantLog) -> None:
    body = split([out("A", volume_l="1"), out("B", "1")], kg("M", "10"))
    assert [field for field, _, _ in refusal(log, RuleError, "split", **body)] == ["/outputs/0/mass_kg"]
    body = split([out("A", volume_l="1"), out("B")], whole("Q"))
    assert [field for field, _, _ in refusal(log, RuleError, "split", **body)] == ["/outputs/1/volume_l"]


def test_a_blend_and_a_packing_weigh_no_more_than_their_inputs(log: PlantLog) -> None:
    blend = {"blend_id": "B1", "performed_on": DAY, "inputs": [kg("M", "1"), kg("M", "2")], "output": out("A", "3.1")}
    assert [field for field, _, _ in refusal(log, RuleError, "blend", **blend)] == ["/output"]
    pack = {"pack_id": "K1", "performed_on": DAY, "input": kg("M", "1"), "packaging": "drum", "packages": 1}
    assert [field for field, _, _ in refusal(log, RuleError, "pack", **pack, output=out("A", "1.1"))] == ["/output"]
    assert [field for field, _, _ in refusal(log, OverdrawnError, "pack", **pack | {"input": kg("M", "81")},
                                             output=out("A", "1"))] == ["/input/mass_kg"]  # fmt: skip


def ship(**more: Any) -> dict[str, Any]:
    body = {
        "shipment_id": "X1",
        "batch_id": "M",
        "mass_kg": "80",
        "buyer_id": "BUY",
        "to_country": "DE",
        "shipped_on": DAY,
    }
    return body | more


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"mass_kg": "80.5"}, OverdrawnError, "/mass_kg"),
        ({"buyer_id": "NOBODY"}, UnknownIdError, "/buyer_id"),
        ({"batch_id": "NOTHING"}, UnknownIdError, "/batch_id"),
        ({"batch_id": "L"}, RuleError, "/batch_id"),
        ({"shipped_on": "2023-09-01"}, RuleError, "/shipped_on"),
    ],
)
def test_a_shipment_leaves_nothing_below_zero_and_names_what_is_known(
    log: PlantLog, change: dict[str, str], kind: type[LedgerError], field: str
) -> None:
    assert [found for found, _, _ in refusal(log, kind, "ship", **ship(**change))] == [field]


def test_a_shipment_is_taken_off_the_batch(log: PlantLog) -> None:
    log.log("ship", **ship(mass_kg="30"))
    assert (log.plant.batches["M"].remaining, log.plant.batches["M"].status) == (Decimal(50), "part drawn")
    log.log("ship", **ship(mass_kg="50", shipment_id="X2"))
    assert (log.plant.batches["M"].remaining, log.plant.batches["M"].status) == (Decimal(0), "shipped")


def certificate(**more: Any) -> dict[str, Any]:
    body = {
        "certificate_id": "C2",
        "kind": "co2",
        "batch_id": "M",
        "content_sha256": "0" * 64,
        "signer_sha256": "0" * 64,
        "basis_tree_size": 5,
    }
    return body | more


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"certificate_id": "C1"}, DuplicateIdError, "/certificate_id"),
        ({"batch_id": "NOTHING"}, UnknownIdError, "/batch_id"),
        ({"basis_tree_size": 999}, RuleError, "/basis_tree_size"),
        ({"supersedes": "C7"}, UnknownIdError, "/supersedes"),
        ({"supersedes": "C1", "kind": "provenance"}, RuleError, "/supersedes"),
        ({"supersedes": "C1", "batch_id": "L"}, RuleError, "/supersedes"),
    ],
)
def test_a_certificate_names_what_it_is_about_and_replaces_its_like(
    log: PlantLog, change: dict[str, Any], kind: type[LedgerError], field: str
) -> None:
    log.log("certificate_issued", **certificate(certificate_id="C1"))
    assert [found for found, _, _ in refusal(log, kind, "certificate_issued", **certificate(**change))] == [field]


def test_a_certificate_is_superseded_once_and_revoked_once(log: PlantLog) -> None:
    log.log("certificate_issued", **certificate(certificate_id="C1"))
    log.log("certificate_issued", **certificate(supersedes="C1"))
    ((_, _, expected),) = refusal(
        log, RuleError, "certificate_issued", **certificate(certificate_id="C3", supersedes="C1")
    )
    assert "C2 superseded this one" in expected
    log.log("certificate_revoked", certificate_id="C2", reason="key lost")
    assert log.plant.revoked["C2"][1].reason == "key lost"
    assert (
        refusal(log, RuleError, "certificate_revoked", certificate_id="C2", reason="again")[0][0] == "/certificate_id"
    )
    assert (
        refusal(log, UnknownIdError, "certificate_revoked", certificate_id="C9", reason="x")[0][0] == "/certificate_id"
    )


def test_an_entry_that_is_not_about_material_leaves_the_plant_as_it_is(log: PlantLog) -> None:
    from ledger.carbon.factors import FactorAdoption

    adoption = FactorAdoption.model_construct()
    assert add_entry(log.plant, 99, "factor_adoption", adoption, MASSES) is log.plant
    assert fold_plant([*log.entries, (99, "factor_adoption", adoption)], MASSES) == log.plant


def test_folding_says_which_entry_breaks_a_rule(log: PlantLog) -> None:
    bad = parse_entry("step", step([kg("M", "81")]))
    with pytest.raises(OverdrawnError) as error:
        fold_plant([*log.entries, (50, "step", bad)], MASSES)
    assert error.value.problems[0].field == "/entries/50/inputs/0/mass_kg"


def test_folding_takes_entries_in_order_only(log: PlantLog) -> None:
    with pytest.raises(RuleError, match="a number above"):
        fold_plant(reversed(log.entries), MASSES)


def refuse_nothing(_: PlantLog) -> None:
    """A plant as it is."""


def make_product(log: PlantLog) -> None:
    """A product P of 5 kg out of 10 kg of M, which holds 2 kg Nd."""
    log.step("S3", [kg("M", "10")], [out("P", "5")])


@pytest.mark.parametrize(
    ("prepare", "entry", "field"),
    [
        # 5 kg x 40.01 % = 2.0005 kg Nd out of 10 kg x 20 % = 2 kg
        (make_product, lambda log: log.assay("P", {"Nd": "40.01"}), "/components"),
        # the lot's second assay lowers what went in to 10 kg x 19.9 % = 1.99 kg below the product's 2 kg
        (
            lambda log: (make_product(log), log.assay("P", {"Nd": "40"})),
            lambda log: log.assay("M", {"Nd": "19.9"}),
            "/components",
        ),
        # a cake of 3 kg with 70 % Nd holds 2.1 kg
        (
            refuse_nothing,
            lambda log: log.step(
                "S3",
                [kg("M", "10")],
                [out("P", "5")],
                residues=[{"description": "cake", "mass_kg": "3", "components": components({"Nd": "70"})}],
            ),
            "",
        ),
    ],
)
def test_more_of_an_element_out_than_in_is_refused_whatever_entry_says_so(
    log: PlantLog, prepare: Callable[[PlantLog], object], entry: Callable[[PlantLog], object], field: str
) -> None:
    prepare(log)
    before = log.plant
    with pytest.raises(MassBalanceError) as error:
        entry(log)
    assert log.plant is before
    (item,) = error.value.problems
    assert item.field == field
    assert "kg Nd that went into S3" in item.expected
    assert "kg too much" in item.expected


def test_an_excess_within_uncertainty_is_accepted(log: PlantLog) -> None:
    make_product(log)
    # 2.02 kg out of 2.00: the product's assay is good to 1.5 % of 2.02 = 0.0303 kg
    log.assay("P", {"Nd": "40.4"}, uncertainty="1.5")
    (row,) = step_balance(log.plant, "S3", MASSES)
    assert row.verdict == "more out than in, within uncertainty"
    assert row.unaccounted_kg == Decimal("-0.02")
