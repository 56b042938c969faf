"""The 95 % interval: exact for one factor, against simulation for several."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest

from ledger.carbon.factors import Factor, FactorBook
from ledger.carbon.footprint import Footprint, footprint_of
from ledger.carbon.uncertainty import interval_95
from ledger.material.fields import parse_body
from tests.carbon_samples import activity, bel_demo_1, book, book_of, masses, party_and_site, plant_of, receipt


def factor(factor_id: str, kg_co2e: str, gsd: str | None, unit: str = "kg") -> Factor:
    value = {
        "factor_id": factor_id,
        "activity": "Reagent",
        "unit": unit,
        "kg_co2e": kg_co2e,
        "gwp_set": "AR5",
        "region": "GB",
        "scope": "3",
        "source": "test",
        "source_row": "1",
        "licence": "test",
        "state": "adopted",
    }
    return parse_body(Factor, value if gsd is None else {**value, "gsd": gsd})


def lot_of_1_kg(factors: dict[str, tuple[str, str | None]]) -> tuple[Footprint, FactorBook]:
    """A lot of 1 kg whose delivery took 1 kg of each reagent; factors: kg CO2e per kg and gsd by reagent."""
    records = [factor(f"test/{name}", kg_co2e, gsd) for name, (kg_co2e, gsd) in factors.items()]
    its_book = book_of(records, {f"test/{name}": (name, "kg") for name in factors})
    plant = plant_of([*party_and_site(), receipt("L", "1", *(activity(name, "1", "kg") for name in factors))])
    return footprint_of(plant, its_book, "L", "mass", masses()), its_book


def test_the_interval_of_one_factor_is_that_of_its_lognormal() -> None:
    footprint, its_book = lot_of_1_kg({"acid": ("2", "1.5"), "water": ("1", None)})
    interval = interval_95(footprint, its_book)
    # 2 x 1.5^(+-1.959964) = 0.903429 and 4.427575, plus 1 that is certain; 2 of 3 is covered.
    assert float(interval.low) == pytest.approx(1 + 2 * 1.5**-1.959963984540054, rel=1e-14)
    assert float(interval.high) == pytest.approx(1 + 2 * 1.5**1.959963984540054, rel=1e-14)
    assert interval.covered_percent == Decimal("66.7")


@pytest.mark.parametrize(
    ("terms", "within_low", "within_high"),
    [
        # The reagents of BEL-DEMO-1; then spreads as wide as they get, where the fit is some per cent too low below.
        ({"a": ("1485", "1.5"), "b": ("896", "1.5"), "c": ("540", "1.5"), "d": ("42", "2.0")}, 0.025, 0.015),
        ({"a": ("2", "1.5"), "b": ("1", "2.0"), "c": ("3", "1.2")}, 0.06, 0.03),
    ],
)
def test_the_interval_of_several_factors_agrees_with_simulation(
    terms: dict[str, tuple[str, str | None]], within_low: float, within_high: float
) -> None:
    footprint, its_book = lot_of_1_kg(terms)
    interval = interval_95(footprint, its_book)
    generator = random.Random(20231016)
    draws = sorted(
        sum(float(median) * math.exp(generator.gauss(0, math.log(float(gsd or 1)))) for median, gsd in terms.values())
        for _ in range(40_000)
    )
    # The quantiles of 40 000 draws have a standard error of about 0.3 % below and 0.5 % above.
    assert float(interval.low) == pytest.approx(draws[1_000], rel=within_low)
    assert float(interval.high) == pytest.approx(draws[39_000], rel=within_high)


def test_the_result_adds_up_medians_and_the_mean_is_printed_beside_it() -> None:
    footprint, its_book = lot_of_1_kg({"acid": ("2", "1.5"), "water": ("1", None)})
    interval = interval_95(footprint, its_book)
    # Mean of a lognormal: median x exp(ln(gsd)^2 / 2); 2 x 1.085675 + 1 = 3.171349, above the 3 that is stated.
    assert float(interval.mean) == pytest.approx(1 + 2 * math.exp(math.log(1.5) ** 2 / 2), rel=1e-14)
    assert "medians: it lies below the mean." in interval.method


def test_a_result_below_its_own_interval_is_said_to_be() -> None:
    # 60 equal factors of gsd 3: the medians add up to 60, the means to 60 x exp(ln(3)^2 / 2) = 109.7. The sum's squared
    # coefficient of variation is (exp(ln(3)^2) - 1) / 60 = 0.0390, so sigma = 0.196 and the lower bound is near
    # 109.7 x exp(-0.0191 - 1.96 x 0.196) = 73, above 60.
    footprint, its_book = lot_of_1_kg({f"reagent-{n}": ("1", "3") for n in range(60)})
    interval = interval_95(footprint, its_book)
    assert interval.low > 60
    assert "below the mean and even below the interval" in interval.method


def test_a_factor_that_is_certain_leaves_the_result_at_the_mean() -> None:
    footprint, its_book = lot_of_1_kg({"acid": ("2", "1")})
    interval = interval_95(footprint, its_book)
    assert interval.mean == 2
    assert "below the mean" not in interval.method


def test_one_factor_in_many_lines_is_one_random_number() -> None:
    reagent = factor("test/acid", "2", "1.5")
    its_book = book_of([reagent], {"test/acid": ("acid", "kg")})
    once = plant_of([*party_and_site(), receipt("L", "1", activity("acid", "4", "kg"))])
    often = plant_of([*party_and_site(), receipt("L", "1", *[activity("acid", "1", "kg")] * 4)])
    intervals = [interval_95(footprint_of(plant, its_book, "L", "mass", masses()), its_book) for plant in (once, often)]
    assert intervals[0] == intervals[1]


def test_without_a_stated_uncertainty_there_is_no_interval_and_the_method_says_so() -> None:
    footprint, its_book = lot_of_1_kg({"water": ("3", None)})
    interval = interval_95(footprint, its_book)
    assert (interval.low, interval.high, interval.covered_percent) == (3, 3, 0)
    assert "no interval" in interval.method


def test_the_interval_does_not_depend_on_the_size_of_the_batch_or_the_order_of_lines() -> None:
    footprint, its_book = lot_of_1_kg({"a": ("2", "1.5"), "b": ("1", "2.0")})
    turned, _ = lot_of_1_kg({"b": ("1", "2.0"), "a": ("2", "1.5")})
    first, second = interval_95(footprint, its_book), interval_95(turned, its_book)
    assert abs(first.low - second.low) < Decimal("1e-30")
    assert abs(first.high - second.high) < Decimal("1e-30")


def test_the_interval_of_bel_demo_1_covers_the_reagents() -> None:
    footprint = footprint_of(plant_of(bel_demo_1()), book(), "OX-NdPr", "mass", masses())
    interval = interval_95(footprint, book())
    # Reagents with a gsd: 1485 + 896 + 540 + 42 = 2963 of 4027.15616 kg CO2e.
    assert interval.covered_percent == Decimal("73.6")
    assert 0 < interval.low < Decimal("13.0674") < interval.high
