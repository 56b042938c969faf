"""Elements, formulas and the factors between a metal and its oxide.

Every factor is computed from atomic masses, which are an argument: a certificate carries the ones it was computed with,
and whoever checks it uses those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from ledger.errors import InputError, problem
from ledger.material.arithmetic import in_own_context

AtomicMasses = Mapping[str, Decimal]
"""Atomic mass in u (equally g/mol) by element symbol."""

MASSES_SOURCE = "Standard atomic weights, IUPAC (CIAAW) 2021, abridged, as tabulated by periodictable 2"

ELEMENTS = frozenset({
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar", "K", "Ca",
    "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",
    "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce",
    "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir",
    "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U",
})  # fmt: skip
"""Symbols of the elements 1 to 92: what an assay of material can name."""

RARE_EARTHS = ("Sc", "Y", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu")
"""The seventeen rare-earth elements, by atomic number."""

EXCHANGED_WITH_SURROUNDINGS = frozenset({"H", "C", "N", "O", "S", "Cl"})
"""Elements that come with air, water and reagents and leave with gas and effluent: no balance is made of them."""

_PART = re.compile(r"([A-Z][a-z]?)([0-9]*)")
_FORMULA = re.compile(r"([A-Z][a-z]?([1-9][0-9]?)?)+")
_OTHER_OXIDES = {"Ce": "CeO2", "Pr": "Pr6O11", "Tb": "Tb4O7"}


def atomic_masses(elements: Iterable[str] | None = None) -> dict[str, Decimal]:
    """Atomic masses of `elements` (all of ELEMENTS if None), from the library periodictable.

    Raises: InputError naming a symbol that is not an element.
    """
    import periodictable  # here, for it takes a while to load and a verifier has the masses from the certificate

    wanted = sorted(ELEMENTS) if elements is None else list(elements)
    for element in wanted:
        _check_element(element, element)
    # str gives the shortest text of the library's float, which is the tabulated one.
    return {element: Decimal(str(periodictable.elements.symbol(element).mass)) for element in wanted}


def parse_formula(species: str) -> dict[str, int]:
    """Atoms of each element in `species`: "Nd2O3" gives {"Nd": 2, "O": 3}.

    Raises: InputError if it is not a formula of elements.
    """
    if not _FORMULA.fullmatch(species):
        raise InputError(problem("", species, 'an element or a formula such as "Nd2O3"', "Correct the formula."))
    atoms: dict[str, int] = {}
    for element, count in _PART.findall(species):
        _check_element(element, species)
        atoms[element] = atoms.get(element, 0) + int(count or 1)
    return atoms


def metals_of(species: str) -> frozenset[str]:
    """The elements of `species` other than those of air, water and reagents; all of them if it has no other."""
    elements = frozenset(parse_formula(species))
    return elements - EXCHANGED_WITH_SURROUNDINGS or elements


@in_own_context
def element_fractions(species: str, masses: AtomicMasses) -> dict[str, Decimal]:
    """kg of each element per kg of `species`. They add up to 1, but for rounding at the 28th digit.

    Raises: InputError if species is not a formula, or is a compound with an element that `masses` does not have.
    """
    atoms = parse_formula(species)
    if len(atoms) == 1:
        return {element: Decimal(1) for element in atoms}
    missing = [element for element in atoms if element not in masses]
    if missing:
        raise InputError(
            problem("", species, f"an atomic mass of {', '.join(missing)}", "Add it to the atomic masses in use.")
        )
    weights = {element: count * masses[element] for element, count in atoms.items()}
    total = sum(weights.values(), Decimal(0))
    return {element: weight / total for element, weight in weights.items()}


@in_own_context
def oxide_factor(oxide: str, masses: AtomicMasses) -> Decimal:
    """kg of `oxide` that 1 kg of its metal makes, for example 1.166388... for Nd2O3.

    Raises: InputError unless it is an oxide of one metal with a known atomic mass.
    """
    atoms = parse_formula(oxide)
    metals = [element for element in atoms if element != "O"]
    if len(metals) != 1 or "O" not in atoms:
        raise InputError(problem("", oxide, 'an oxide of one metal, such as "Nd2O3"', "Correct the formula."))
    return 1 / element_fractions(oxide, masses)[metals[0]]


def usual_oxide(element: str) -> str:
    """The oxide that calcining in air makes of a rare earth, and that the trade counts it by.

    Raises: InputError if element is not a rare earth.
    """
    if element not in RARE_EARTHS:
        raise InputError(problem("", element, f"a rare earth: {', '.join(RARE_EARTHS)}", "Name a rare earth."))
    return _OTHER_OXIDES.get(element, f"{element}2O3")


def _check_element(element: str, species: str) -> None:
    if element not in ELEMENTS:
        raise InputError(
            problem("", species, f"symbols of elements; {element!r} is none", "Correct the spelling, for example Nd.")
        )
