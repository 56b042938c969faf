from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.errors import InputError
from ledger.material.chemistry import (
    ELEMENTS,
    atomic_masses,
    element_fractions,
    metals_of,
    oxide_factor,
    parse_formula,
    usual_oxide,
)
from tests.plants import MASSES


@pytest.mark.parametrize(
    ("oxide", "factor"),
    [
        # From IUPAC's abridged atomic weights, for example Nd2O3: (2 x 144.242 + 3 x 15.999) / (2 x 144.242) = 1.16638.
        ("Nd2O3", "1.16638"),
        ("Pr6O11", "1.20816"),  # (6 x 140.90766 + 11 x 15.999) / (6 x 140.90766)
        ("Dy2O3", "1.14768"),
        ("Tb4O7", "1.17617"),  # (4 x 158.925354 + 7 x 15.999) / (4 x 158.925354)
        ("Sm2O3", "1.15961"),
        ("Gd2O3", "1.15261"),
        ("Ho2O3", "1.14551"),
        ("La2O3", "1.17277"),
        ("CeO2", "1.22837"),
        ("Co3O4", "1.36197"),
        ("B2O3", "3.22003"),
        ("Fe2O3", "1.42973"),
    ],
)
def test_oxide_factors_agree_with_the_published_ones_to_five_digits(oxide: str, factor: str) -> None:
    assert round(oxide_factor(oxide, MASSES), 5) == Decimal(factor)


def test_the_factor_follows_the_atomic_masses_that_are_given() -> None:
    # (2 x 100 + 3 x 20) / (2 x 100) = 1.3
    assert oxide_factor("Nd2O3", {"Nd": Decimal(100), "O": Decimal(20)}) == Decimal("1.3")


def test_the_fractions_of_a_compound_add_up_to_one() -> None:
    assert abs(sum(element_fractions("Pr6O11", MASSES).values()) - 1) < Decimal("1e-27")


def test_an_element_is_wholly_itself_and_needs_no_atomic_mass() -> None:
    assert element_fractions("Ni", {}) == {"Ni": 1}


def test_a_formula_gives_its_atoms_also_where_an_element_stands_twice() -> None:
    assert parse_formula("Nd2O3") == {"Nd": 2, "O": 3}
    assert parse_formula("NdFeO3") == {"Nd": 1, "Fe": 1, "O": 3}
    assert parse_formula("CH3COOH") == {"C": 2, "H": 4, "O": 2}


@pytest.mark.parametrize("formula", ["Xx", "Nd2Xx3", "nd", "Nd0", "Nd2O3 ", "", "2Nd", "Nd02"])
def test_what_is_no_formula_of_elements_is_refused_with_the_formula(formula: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_formula(formula)
    assert refusal.value.problems[0].value == repr(formula)


def test_a_compound_without_an_atomic_mass_for_all_elements_is_refused() -> None:
    with pytest.raises(InputError, match="atomic mass of O"):
        element_fractions("Nd2O3", {"Nd": Decimal("144.242")})


@pytest.mark.parametrize("species", ["Nd", "NdFeO3", "O2"])
def test_only_an_oxide_of_one_metal_has_an_oxide_factor(species: str) -> None:
    with pytest.raises(InputError, match="oxide of one metal"):
        oxide_factor(species, MASSES)


def test_the_trades_oxides_are_those_that_calcining_in_air_makes() -> None:
    assert [usual_oxide(element) for element in ("Nd", "Pr", "Tb", "Ce", "Sm")] == [
        "Nd2O3", "Pr6O11", "Tb4O7", "CeO2", "Sm2O3",
    ]  # fmt: skip
    with pytest.raises(InputError):
        usual_oxide("Fe")


def test_the_metals_of_an_oxide_leave_oxygen_out() -> None:
    assert metals_of("Nd2O3") == {"Nd"}
    assert metals_of("NdFeO3") == {"Nd", "Fe"}
    assert metals_of("C") == {"C"}


def test_the_librarys_masses_cover_every_element_and_are_exact_text() -> None:
    assert atomic_masses().keys() == ELEMENTS
    assert len(ELEMENTS) == 92
    assert atomic_masses(["Nd", "O"]) == {"Nd": Decimal("144.242"), "O": Decimal("15.999")}
