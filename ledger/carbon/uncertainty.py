"""The 95 % interval of a footprint that comes from its emission factors.

A footprint is linear in its factors: sum over k of A_k x f_k, with A_k the batch's part of the activity data that
factor k applies to. A factor with a geometric standard deviation g is lognormal with its stated figure as median. One
factor used in several lines is one random number (fully correlated); different factors are independent. Mean and
variance of the sum of the uncertain terms are then exact, and their quantiles are those of the lognormal with that mean
and variance (Fenton and Wilkinson's approximation, exact for one factor). What states no gsd enters as certain;
`covered_percent` says how much of the footprint is not so.

Decimal arithmetic of 40 digits, so that every machine prints the same interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

from ledger.carbon.factors import FactorBook
from ledger.carbon.footprint import Footprint
from ledger.quantity import round_fraction

_CONTEXT = Context(prec=40)

_NORMAL_97_5 = Decimal("1.959963984540054")
"""97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Interval:
    """Where the footprint per kg lies with 95 % probability.

    low, high: 2.5 % and 97.5 % quantile in kg CO2e/kg. Both equal the footprint if nothing states an uncertainty; then
        covered_percent is 0 and the method says so.
    mean: of the same distribution. The footprint itself adds up medians and lies below the mean, where a factor states
        an uncertainty; with many uncertain factors even below `low`.
    covered_percent: share of the footprint, in per cent, whose factors state an uncertainty; one decimal.
    method: one sentence for the reader.
    """

    low: Decimal
    high: Decimal
    mean: Decimal
    covered_percent: Decimal
    method: str


def interval_95(footprint: Footprint, book: FactorBook) -> Interval:
    """The interval of `footprint` from the uncertainty of its emission factors."""
    mass_kg = Fraction(footprint.mass_kg)
    per_factor: dict[str, Fraction] = {}
    certain = Fraction(0)
    for line in footprint.lines:
        per_kg = line.allocated / mass_kg
        if line.factor_sha256 is None or book.records[line.factor_sha256].gsd is None:
            certain += per_kg
        else:
            per_factor[line.factor_sha256] = per_factor.get(line.factor_sha256, Fraction(0)) + per_kg
    uncertain = {sha256: part for sha256, part in per_factor.items() if part}
    if not uncertain:
        point = _decimal(certain)
        return Interval(
            point, point, point, Decimal("0.0"), "No emission factor used states an uncertainty: no interval."
        )
    mean, variance = _moments([(_decimal(part), _gsd(book, sha256)) for sha256, part in uncertain.items()])
    low, high = (_CONTEXT.add(_decimal(certain), bound) for bound in _quantiles(mean, variance))
    covered = 100 * sum(uncertain.values(), Fraction(0)) / footprint.per_kg
    percent = round_fraction(covered, 1)
    return Interval(
        low,
        high,
        _CONTEXT.add(_decimal(certain), mean),
        percent,
        "Lognormal emission factors, stated figure as median, one factor one random number, quantiles by moments. "
        f"Factors that state an uncertainty carry {percent} % of the result; the rest, and amounts, count as certain. "
        f"{_of_medians(footprint, low, variance)}",
    )


def _of_medians(footprint: Footprint, low: Decimal, variance: Decimal) -> str:
    if variance == 0:
        return "None of them leaves any doubt."
    where = " and even below the interval" if _decimal(footprint.per_kg) < low else ""
    return f"The result adds up the factors as stated, their medians: it lies below the mean{where}."


def _moments(terms: list[tuple[Decimal, Decimal]]) -> tuple[Decimal, Decimal]:
    """Mean and variance of a sum of independent lognormals, each given by median and gsd."""
    c = _CONTEXT
    mean = variance = Decimal(0)
    for median, gsd in terms:
        spread = c.exp(c.power(c.ln(gsd), 2))  # exp(sigma^2)
        term_mean = c.multiply(median, c.sqrt(spread))
        mean = c.add(mean, term_mean)
        variance = c.add(variance, c.multiply(c.multiply(term_mean, term_mean), c.subtract(spread, 1)))
    return mean, variance


def _quantiles(mean: Decimal, variance: Decimal) -> tuple[Decimal, Decimal]:
    """2.5 % and 97.5 % quantile of the lognormal with this mean and variance."""
    c = _CONTEXT
    sigma_squared = c.ln(c.add(1, c.divide(variance, c.multiply(mean, mean))))
    mu = c.subtract(c.ln(mean), c.divide(sigma_squared, 2))
    reach = c.multiply(_NORMAL_97_5, c.sqrt(sigma_squared))
    return c.exp(c.subtract(mu, reach)), c.exp(c.add(mu, reach))


def _gsd(book: FactorBook, sha256: str) -> Decimal:
    gsd = book.records[sha256].gsd
    assert gsd is not None  # interval_95 has put the others aside
    return gsd


def _decimal(number: Fraction) -> Decimal:
    return _CONTEXT.divide(Decimal(number.numerator), Decimal(number.denominator))
