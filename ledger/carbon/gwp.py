"""Global warming potentials over 100 years: kg CO2e per kg of gas.

A figure under one set is never added to a figure under another; `ledger.carbon.factors` refuses the mixture.

Source: the assessment reports of the IPCC (AR4 2007; AR5 2013, without climate-carbon feedback; AR6 2021) as tabulated
in openclimatedata/globalwarmingpotentials (CC0). CO2 is 1 by definition. CH4 27.9 of AR6 makes no difference between
fossil and other methane.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

Gas = Literal["CO2", "CH4", "N2O"]

GwpSet = Literal["AR4", "AR5", "AR6"]

HORIZON = "100 years"

_KG_CO2E_PER_KG: dict[GwpSet, dict[Gas, Decimal]] = {
    "AR4": {"CO2": Decimal(1), "CH4": Decimal(25), "N2O": Decimal(298)},
    "AR5": {"CO2": Decimal(1), "CH4": Decimal(28), "N2O": Decimal(265)},
    "AR6": {"CO2": Decimal(1), "CH4": Decimal("27.9"), "N2O": Decimal(273)},
}


def gwp(gas: Gas, gwp_set: GwpSet) -> Decimal:
    """kg CO2e per kg of `gas` over 100 years under `gwp_set`."""
    return _KG_CO2E_PER_KG[gwp_set][gas]
