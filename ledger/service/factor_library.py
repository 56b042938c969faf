"""The project's factor library: the data files of `ledger/carbon/data`, and the adoption that fits a UK plant."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.resources import files

from ledger.carbon.factors import ActivityFactors, Factor, FactorAdoption, FactorRef, parse_factors

FACTOR_FILES = ("uk-2023.csv", "us-egrid-2023.csv", "placeholder.csv")

_ACTIVITIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "electricity",
        "kWh",
        (
            "uk-2023/electricity-generation",
            "uk-2023/electricity-td",
            "uk-2023/electricity-generation-wtt",
            "uk-2023/electricity-td-wtt",
        ),
    ),
    # Per kWh of gross calorific value, as UK meters bill it.
    ("natural-gas", "kWh", ("uk-2023/natural-gas-gross-cv", "uk-2023/natural-gas-gross-cv-wtt")),
    ("water-supply", "m3", ("uk-2023/water-supply",)),
    ("water-treatment", "m3", ("uk-2023/water-treatment",)),
    # Without the fuel's upstream (uk-2023/hgv-all-average-laden-wtt): the known answer of BEL-DEMO-1 leaves it out. The
    # statement lists the factors used, so a reader sees that it is not there.
    ("road-freight", "t.km", ("uk-2023/hgv-all-average-laden",)),
    ("hydrochloric-acid-32", "kg", ("placeholder/hydrochloric-acid-32",)),
    ("oxalic-acid-dihydrate", "kg", ("placeholder/oxalic-acid-dihydrate",)),
    ("sodium-hydroxide-50", "kg", ("placeholder/sodium-hydroxide-50",)),
    ("extractant-diluent", "kg", ("placeholder/extractant-diluent",)),
    ("argon", "kg", ("placeholder/argon",)),
)


@cache
def _records() -> tuple[Factor, ...]:
    folder = files("ledger.carbon") / "data"
    return tuple(
        factor for name in FACTOR_FILES for factor in parse_factors((folder / name).read_text(encoding="utf-8"))
    )


def factor_records() -> list[Factor]:
    """Every factor of the library, in the order of the files."""
    return list(_records())


def default_adoption(set_id: str, adopted_on: date) -> FactorAdoption:
    """The adoption that the demonstration plant logs: UK factors of 2023 under AR5, placeholders for reagents."""
    by_id = {factor.factor_id: factor for factor in _records()}
    return FactorAdoption(
        set_id=set_id,
        gwp_set="AR5",
        region="GB; reagents GLO",
        electricity_approach="location-based",
        activities=tuple(
            ActivityFactors(
                activity=activity,
                unit=unit,
                factors=tuple(
                    FactorRef(factor_id=factor_id, sha256=by_id[factor_id].sha256()) for factor_id in factor_ids
                ),
            )
            for activity, unit, factor_ids in _ACTIVITIES
        ),
        adopted_on=adopted_on,
        note="Reagent factors are placeholders: a certificate that rests on them is provisional.",
    )
