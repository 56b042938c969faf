"""Laws of the material, on plants made at random."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import OverdrawnError
from ledger.material.balance import contents, contents_of, lineage_balance, step_balance
from ledger.material.batch import Batch, Plant, fold_plant
from ledger.material.genealogy import ancestors, descendants, evidence_seqs, lots_of
from ledger.material.origin import lot_shares, recycled_shares, stage_shares
from tests.plants import DAY, MASSES, PlantLog, kg, out, random_plants

ROUNDING_KG = Decimal("1e-18")  # of masses of some tonnes with 28 digits, some thousand times added


def share_left(plant: Plant, batch: Batch) -> Fraction:
    """Share of the batch that nothing has drawn, counted from the draws themselves."""
    drawn = Fraction(0)
    for transformation_id in plant.used_by(batch.batch_id):
        for draw in plant.transformations[transformation_id][1].inputs:
            if draw.batch_id == batch.batch_id:
                drawn += Fraction(1) if draw.whole else Fraction(draw.mass_kg or 0) / Fraction(batch.mass_kg or 1)
    return 1 - drawn


@given(random_plants())
def test_all_of_each_element_that_came_in_is_in_batches_or_residues(log: PlantLog) -> None:
    plant = log.plant
    held = contents(plant, MASSES)
    came_in: dict[str, Decimal] = defaultdict(Decimal)
    found: dict[str, Decimal] = defaultdict(Decimal)
    for lot in plant.receipts:
        for element, content in held[lot].items():
            came_in[element] += content.mass_kg
    for batch in plant.batches.values():
        left = share_left(plant, batch)
        for element, content in held[batch.batch_id].items():
            found[element] += content.mass_kg * left.numerator / left.denominator
    for _, transformation in plant.transformations.values():
        for residue in transformation.residues:
            for component in residue.components:
                found[component.species] += residue.mass_kg * component.wt_percent / 100
        # A step whose inputs hold less iron than its cake would be refused, so nothing is clipped at zero.
    assert came_in.keys() == found.keys()
    for element, mass_kg in came_in.items():
        assert abs(mass_kg - found[element]) <= ROUNDING_KG, element


@given(random_plants())
def test_no_batch_goes_below_zero_and_a_gram_more_than_is_left_is_refused(log: PlantLog) -> None:
    for batch in list(log.plant.batches.values()):
        left = batch.remaining
        if left is None:
            continue
        assert left >= 0
        before = log.plant
        with pytest.raises(OverdrawnError):
            log.step("too-much", [kg(batch.batch_id, str(left + Decimal("0.001")))], [out("never")])
        assert log.plant is before


@given(random_plants())
def test_ancestors_and_descendants_are_inverse(log: PlantLog) -> None:
    plant = log.plant
    upward = {(link.batch_id, name, link.depth) for name in plant.batches for link in ancestors(plant, name)}
    downward = {(name, link.batch_id, link.depth) for name in plant.batches for link in descendants(plant, name)}
    assert upward == downward


@given(random_plants())
def test_origin_shares_of_each_element_add_up_to_exactly_one(log: PlantLog) -> None:
    plant = log.plant
    for batch_id in plant.batches:
        lots = set(lots_of(plant, batch_id))
        for shares in lot_shares(plant, batch_id, MASSES).values():
            assert sum(shares.values()) == 1
            assert shares.keys() <= lots
            assert all(share > 0 for share in shares.values())
        for by_class in recycled_shares(plant, batch_id, MASSES).values():
            assert sum(by_class.values()) == 1
        for stages in stage_shares(plant, batch_id, MASSES).values():
            assert all(sum(shares.values()) == 1 for shares in stages.values())


@given(random_plants())
def test_the_evidence_for_a_batch_alone_gives_the_same_results(log: PlantLog) -> None:
    plant = log.plant
    for batch_id in plant.batches:
        needed = set(evidence_seqs(plant, batch_id))
        part = fold_plant([entry for entry in log.entries if entry[0] in needed], MASSES)
        assert contents_of(part, MASSES, [batch_id]) == contents_of(plant, MASSES, [batch_id])
        assert lineage_balance(part, batch_id, MASSES) == lineage_balance(plant, batch_id, MASSES)
        assert stage_shares(part, batch_id, MASSES) == stage_shares(plant, batch_id, MASSES)
        assert ancestors(part, batch_id) == ancestors(plant, batch_id)


@given(random_plants())
def test_folding_at_once_and_adding_one_by_one_give_the_same_plant(log: PlantLog) -> None:
    assert fold_plant(log.entries, MASSES) == log.plant


@given(random_plants(), st.data())
def test_two_parts_of_a_batch_are_together_as_uncertain_as_the_whole(log: PlantLog, data: st.DataObject) -> None:
    plant = log.plant
    weighed = [batch for batch in plant.batches.values() if batch.status == "in stock" and batch.mass_kg]
    if not weighed:
        return
    batch = data.draw(st.sampled_from(weighed))
    assert batch.mass_kg is not None
    hundredths = int(batch.mass_kg * 100)
    if hundredths < 2:
        return
    cut = Decimal(data.draw(st.integers(1, hundredths - 1))) / 100
    parts = [out("half-A", f"{cut:.2f}"), out("half-B", f"{batch.mass_kg - cut:.2f}")]
    log.log(
        "split", split_id="halves", performed_on=DAY, input={"batch_id": batch.batch_id, "whole": True}, outputs=parts
    )
    held = contents(log.plant, MASSES)
    for element, content in held[batch.batch_id].items():
        together = held["half-A"][element].uncertainty_kg + held["half-B"][element].uncertainty_kg
        assert abs(together - content.uncertainty_kg) <= ROUNDING_KG
    # What goes in and what comes out is uncertain together: of the difference nothing is.
    assert all(row.uncertainty_kg <= ROUNDING_KG for row in step_balance(log.plant, "halves", MASSES))
