"""Global warming potentials."""

from __future__ import annotations

from decimal import Decimal
from typing import get_args

import pytest

from ledger.carbon.gwp import Gas, GwpSet, gwp


@pytest.mark.parametrize(
    # IPCC: AR4 WG1 table 2.14; AR5 WG1 table 8.7, without feedbacks; AR6 WG1 table 7.15.
    ("gwp_set", "ch4", "n2o"),
    [("AR4", "25", "298"), ("AR5", "28", "265"), ("AR6", "27.9", "273")],
)
def test_the_potentials_are_those_of_the_assessment_report(gwp_set: GwpSet, ch4: str, n2o: str) -> None:
    assert gwp("CO2", gwp_set) == 1
    assert gwp("CH4", gwp_set) == Decimal(ch4)
    assert gwp("N2O", gwp_set) == Decimal(n2o)


def test_every_gas_has_a_potential_in_every_set() -> None:
    assert all(gwp(gas, gwp_set) > 0 for gas in get_args(Gas) for gwp_set in get_args(GwpSet))
