"""What keeps a footprint from being certified: a burden that is left out, or none at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledger.carbon.footprint import Footprint, footprint_of
from ledger.carbon.gate import check_whole
from ledger.carbon.statement import statement_value
from ledger.errors import RuleError
from tests.carbon_samples import activity, bel_demo_1, bel_demo_2, book, plant_of
from tests.plants import MASSES, PlantLog, out, whole


def power(kwh: str) -> dict[str, Any]:
    """Activity data of a step: electricity alone."""
    return {"activity": [activity("electricity", kwh)]}


def footprint(plant: PlantLog, batch_id: str) -> Footprint:
    return footprint_of(plant.plant, book(), batch_id, "mass", MASSES)


def method(plant: PlantLog, batch_id: str) -> dict[str, Any]:
    value: dict[str, Any] = statement_value(plant.plant, book(), batch_id, "mass", MASSES)["method"]
    return value


def refused(plant: PlantLog, batch_id: str) -> list[str]:
    """The values that the gate names."""
    with pytest.raises(RuleError) as caught:
        check_whole(footprint(plant, batch_id))
    return [item.value.strip("'") for item in caught.value.problems]


def one_lot(**more: Any) -> PlantLog:
    """A lot of 1000 kg with 30 % Nd, from which a step with electricity makes the oxide OX."""
    plant = PlantLog()
    plant.lot("L", "1000", **more)
    plant.assay("L", {"Nd": "30"})
    plant.step("S", [whole("L")], [out("OX", "340")], **power("100"))
    return plant


def test_the_demonstration_campaigns_pass() -> None:
    for entries, batch_id in ((bel_demo_1(), "OX-NdPr"), (bel_demo_2(), "OX-NdPr-501-A")):
        check_whole(footprint_of(plant_of(entries), book(), batch_id, "mass", MASSES))


# Mined material


def test_mined_material_is_not_scrap_and_its_footprint_is_refused() -> None:
    plant = one_lot(form="concentrate", consumer_class="primary")
    assert refused(plant, "OX") == ["L"]


def test_the_statement_of_mined_material_does_not_speak_of_scrap() -> None:
    said = method(one_lot(form="concentrate", consumer_class="primary"), "OX")
    assert said["boundary"].startswith("Partial footprint, gate to gate: ")
    assert "scrap" not in said["boundary"] + said["recycling"]
    assert "Primary material, whose burden before delivery is not known here: L." in said["recycling"]
    assert "The burden of primary material before its delivery is missing: L." in said["limits"]


def test_scrap_and_mined_material_are_told_apart() -> None:
    plant = PlantLog()
    plant.lot("OLD", "1000")
    plant.lot("ORE", "1000", consumer_class="primary")
    plant.step("S", [whole("OLD"), whole("ORE")], [out("OX", "340")], **power("100"))
    assert refused(plant, "OX") == ["ORE"]
    assert "Cut-off: scrap arrives without burden" in method(plant, "OX")["recycling"]


def test_the_plants_own_acid_is_not_called_scrap() -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    plant.lot("ACID", "700", form="acid", consumer_class="internal")
    plant.step("S", [whole("L"), whole("ACID")], [out("OX", "340")], **power("100"))
    check_whole(footprint(plant, "OX"))
    assert "Of the plant's own, taken in without burden: ACID." in method(plant, "OX")["recycling"]


def test_a_lot_of_the_plants_own_that_holds_rare_earths_is_refused() -> None:
    assert refused(one_lot(form="oxide", consumer_class="internal"), "OX") == ["L"]


# Streams that return: the ledger refuses one that carries rare earths, and the gate does not rely on it


def returning(plant: PlantLog, batch_id: str) -> PlantLog:
    """The plant with that output as a stream that returns, which no entry could have made of it."""
    batch = plant.plant.batches[batch_id]
    seq, step = plant.plant.transformations[batch.made_by]
    outputs = tuple(
        output.model_copy(update={"role": "recycle"} if output.batch_id == batch_id else {}) for output in step.outputs
    )
    plant.plant = replace(
        plant.plant,
        batches={**plant.plant.batches, batch_id: replace(batch, role="recycle")},
        transformations={**plant.plant.transformations, batch.made_by: (seq, replace(step, outputs=outputs))},
    )
    return plant


def test_a_stream_that_returns_with_rare_earths_cannot_wash_off_its_burden() -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    plant.assay("L", {"Nd": "30"})
    plant.step("S1", [whole("L")], [out("TINY", "0.01"), out("RX", "300", carries=["Nd"])], **power("9"))
    plant.lot("M", "1000")
    plant.assay("M", {"Nd": "30"})
    plant.step("S2", [whole("RX"), whole("M")], [out("OX", "600")], **power("1"))
    returning(plant, "RX")
    # S1 has no weight: its burden stays with TINY, though its neodymium is in OX.
    assert {source.source_id for source in footprint(plant, "OX").sources} == {"M", "S2"}
    assert refused(plant, "OX") == ["RX"]
    assert "Rare earths were drawn without the burden of making them: RX." in method(plant, "OX")["limits"]


def test_a_step_that_counts_a_little_through_its_product_does_not_hide_its_returned_stream() -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    plant.assay("L", {"Nd": "30"})
    plant.step("S1", [whole("L")], [out("P", "10"), out("RX", "300", carries=["Nd"])], **power("900"))
    plant.step("S2", [{"batch_id": "P", "mass_kg": "0.01"}, whole("RX")], [out("OX", "299")], **power("1"))
    assert refused(returning(plant, "RX"), "OX") == ["RX"]


def test_regenerated_acid_that_holds_no_rare_earths_may_return() -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    plant.step("S1", [whole("L")], [out("P", "300"), out("ACID", "300", role="recycle")], **power("9"))
    plant.lot("M", "1000")
    plant.step("S2", [whole("ACID"), whole("M")], [out("OX", "340")], **power("1"))
    check_whole(footprint(plant, "OX"))


# Nothing at all


def test_a_footprint_of_zero_is_refused() -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    plant.step("S", [whole("L")], [out("OX", "340")])
    assert refused(plant, "OX") == ["OX"]


def test_a_footprint_that_prints_as_zero_is_refused() -> None:
    plant = PlantLog()
    plant.lot("L", "1000")
    # 0.01 kWh x 0.27486 / 340 kg = 0.000008 kg CO2e/kg, which prints as 0.0000
    plant.step("S", [whole("L")], [out("OX", "340")], **power("0.01"))
    assert refused(plant, "OX") == ["OX"]
