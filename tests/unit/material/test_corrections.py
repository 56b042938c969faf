"""Corrections: what they change, and what they must not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledger.errors import InputError, LedgerError, MassBalanceError, OverdrawnError, RuleError, UnknownIdError
from ledger.material.balance import contents
from ledger.material.batch import fold_plant
from ledger.material.genealogy import evidence_seqs
from tests.plants import DAY, MASSES, PlantLog, kg, out


@pytest.fixture
def log() -> PlantLog:
    """A lot M of 100 kg with 20 % Nd; from 90 kg of it step S1 makes 50 kg P with 35 % Nd, of which K1 packs 40 kg."""
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd": "20"})
    log.step(
        "S1", [kg("M", "90")], [out("P", "50")], activity=[{"activity": "electricity", "amount": "980", "unit": "kWh"}]
    )
    log.assay("P", {"Nd": "35"})
    pack = {"input": kg("P", "40"), "output": out("D", "40"), "packaging": "drum", "packages": 2}
    log.log("pack", pack_id="K1", performed_on=DAY, **pack)
    return log


def correct(log: PlantLog, seq: int, pointer: str, old: str, new: str) -> None:
    body: dict[str, Any] = {"corrects_seq": seq, "pointer": pointer, "old": old, "new": new}
    log.log("correction", **body, reason="misread", corrected_on=DAY)


def test_a_correction_changes_the_value_and_keeps_the_entrys_number(log: PlantLog) -> None:
    seq = log.plant.transformations["S1"][0]
    correct(log, seq, "/activity/0/amount", "980", "1038")
    assert log.plant.transformations["S1"][0] == seq
    assert log.plant.transformations["S1"][1].activity[0].amount == Decimal(1038)
    assert log.plant.bodies[seq][1].to_value()["activity"][0]["amount"] == "1038"
    assert [correction.new for _, correction in log.plant.corrections] == ["1038"]


def test_a_corrected_mass_changes_everything_downstream(log: PlantLog) -> None:
    # 50.5 x 35 % = 17.675 kg Nd out of 90 x 20 % = 18; the drum holds 40 of them, 40 x 35 % = 14 as before
    correct(log, log.plant.transformations["S1"][0], "/outputs/0/mass_kg", "50", "50.5")
    assert log.plant.batches["P"].remaining == Decimal("10.5")
    held = contents(log.plant, MASSES)
    assert held["P"]["Nd"].mass_kg == Decimal("17.675")
    assert held["D"]["Nd"].mass_kg == 14


def test_a_correction_is_corrected_by_another_of_the_same_value(log: PlantLog) -> None:
    seq = log.plant.transformations["S1"][0]
    correct(log, seq, "/activity/0/amount", "980", "1038")
    with pytest.raises(RuleError, match="'1038', the value that stands"):
        correct(log, seq, "/activity/0/amount", "980", "1000")
    correct(log, seq, "/activity/0/amount", "1038", "1000")
    assert log.plant.transformations["S1"][1].activity[0].amount == Decimal(1000)
    with pytest.raises(RuleError, match="/corrects_seq"):
        correct(log, log.plant.corrections[0][0], "/new", "1038", "1")


def test_a_whole_number_is_corrected_as_a_whole_number(log: PlantLog) -> None:
    seq = log.plant.transformations["K1"][0]
    correct(log, seq, "/packages", "2", "3")
    assert log.plant.transformations["K1"][1].process == "pack, 3 x drum"
    with pytest.raises(InputError, match="a whole number"):
        correct(log, seq, "/packages", "3", "3.5")


STEP = 6  # OP, SUP, BUY, BEL, M, its assay, then the step S1


@pytest.mark.parametrize(
    ("seq", "pointer", "old", "new", "kind", "field"),
    [
        (99, "/mass_kg", "1", "2", UnknownIdError, "/corrects_seq"),
        (STEP, "/outputs/0/batch_id", "P", "X", RuleError, "/pointer"),
        (STEP, "/step_id", "S1", "X", RuleError, "/pointer"),
        (STEP, "/schema", "1", "2", RuleError, "/pointer"),
        (STEP - 1, "/components/0/species", "Nd", "Pr", RuleError, "/pointer"),
        (STEP, "/outputs/1/mass_kg", "50", "51", RuleError, "/pointer"),
        (STEP, "/outputs", "50", "51", RuleError, "/pointer"),
        (STEP, "/process/0", "l", "m", RuleError, "/pointer"),
        (STEP, "/outputs/0/mass_kg", "50.0", "51", RuleError, "/old"),
        (STEP, "/outputs/0/mass_kg", "50", "50", RuleError, "/new"),
        (STEP, "/outputs/0/mass_kg", "50", "-50", InputError, "/new"),
        (STEP, "/outputs/0/mass_kg", "50", "5e1", InputError, "/new"),
        # the history would not hold: 40 kg were packed; more Nd out than in; drawn before it was received
        (STEP, "/outputs/0/mass_kg", "50", "39.9", OverdrawnError, "/new"),
        (STEP, "/outputs/0/mass_kg", "50", "60", MassBalanceError, "/new"),
        (STEP - 1, "/components/0/wt_percent", "20", "19", MassBalanceError, "/new"),
        (STEP, "/performed_on", DAY, "2023-09-01", RuleError, "/new"),
    ],
)
def test_what_a_correction_cannot_do_is_refused_by_its_field(
    log: PlantLog, seq: int, pointer: str, old: str, new: str, kind: type[LedgerError], field: str
) -> None:
    before = log.plant
    with pytest.raises(LedgerError) as error:
        correct(log, seq, pointer, old, new)
    assert type(error.value) is kind
    assert [item.field for item in error.value.problems] == [field]
    assert log.plant is before


def test_a_refused_correction_names_the_entry_that_it_would_break(log: PlantLog) -> None:
    with pytest.raises(OverdrawnError) as error:
        correct(log, STEP, "/outputs/0/mass_kg", "50", "39.9")
    pack_seq = log.plant.transformations["K1"][0]
    assert f"/entries/{pack_seq}/input/mass_kg" in error.value.problems[0].expected
    assert "at most 39.9 kg" in error.value.problems[0].expected


def test_folding_the_log_anew_applies_corrections_and_gives_the_same_plant(log: PlantLog) -> None:
    correct(log, STEP, "/outputs/0/mass_kg", "50", "50.5")
    log.step("S2", [kg("P", "10.5")], [out("E", "10.5")])  # only enough after the correction
    assert fold_plant(log.entries, MASSES) == log.plant


def test_evidence_holds_the_corrections_of_what_it_holds_and_no_others(log: PlantLog) -> None:
    log.lot("OTHER", "5", description="unrelated")
    correct(log, log.plant.receipts["OTHER"][0], "/dry_mass_kg", "5", "6")
    unrelated = log.plant.corrections[-1][0]
    correct(log, STEP, "/outputs/0/mass_kg", "50", "50.5")
    seqs = evidence_seqs(log.plant, "D")
    assert log.plant.corrections[-1][0] in seqs
    assert unrelated not in seqs
    part = fold_plant([entry for entry in log.entries if entry[0] in seqs], MASSES)
    assert contents(part, MASSES)["D"] == contents(log.plant, MASSES)["D"]
    # Without the correction the same entries tell another story: so it has to be among them.
    without = [entry for entry in log.entries if entry[0] in seqs and entry[1] != "correction"]
    assert contents(fold_plant(without, MASSES), MASSES)["P"] != contents(log.plant, MASSES)["P"]
