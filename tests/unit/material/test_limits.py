"""What figures may not be made to say: metal counted twice, batches purer than matter, limits widened by their author."""

from __future__ import annotations

import pytest

from ledger.errors import InputError
from tests.plants import PlantLog, components, kg, out


@pytest.fixture
def log() -> PlantLog:
    """A lot M of 100 kg with 20 % Nd, known to 1 %."""
    log = PlantLog()
    log.lot("M", "100")
    log.assay("M", {"Nd": "20"}, uncertainty="1")
    return log


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
