"""The footprint of a batch: its share of the burden of everything that led to it.

A batch's burden F is the direct burden D of the step that made it plus what it draws from its inputs: F = D + W F, with
W[c, p] the share of p's burden that c draws. One reverse pass over the ancestors (the adjoint of that system) gives the
weight with which every event counts, and so every line of the statement. All arithmetic is exact: fractions for shares,
decimals for amounts; nothing is rounded here.

Scrap arrives without burden (cut-off). Shipping lies behind the gate and is not counted. Material that came in without
the burden of making it, though it is no scrap, is named, so that nobody takes the figure for a whole one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from fractions import Fraction
from typing import Literal

from ledger.carbon.allocation import (
    ALLOCATIONS,
    Allocation,
    AllocationError,
    BatchContents,
    counts_by_oxide,
    needs_contents,
    shares,
)
from ledger.carbon.factors import Factor, FactorBook
from ledger.errors import RuleError, UnknownIdError, problem
from ledger.material.balance import contents_of
from ledger.material.chemistry import RARE_EARTHS
from ledger.material.entries import Activity, ConsumerClass, DirectEmission
from ledger.material.genealogy import ancestor_transformations
from ledger.material.plant import Plant

# Amounts and factors have at most 12 digits on either side of the point: their product has at most 48, and 10^12 lines
# add 12. So products and sums below this precision are exact.
_EXACT = Context(prec=100)

DataQuality = Literal["measured", "supplier", "estimated", "not stated", "direct"]
"""Where an amount comes from, as logged; "direct" for an emission of the step itself, which states no source."""


@dataclass(frozen=True)
class Line:
    """One product of activity data and factor, and the part of it that falls on the batch.

    seq, source_id, process, on: the entry (a step, or a lot's receipt), its id, what it was, its date.
    activity: as logged, or "direct-co2" and so on for a gas that left the step. amount: in unit.
    factor_id, factor_sha256: absent for a direct emission, whose factor is the gas's GWP.
    kg_co2e_per_unit: the factor. kg_co2e = amount x kg_co2e_per_unit, of the whole event.
    share: of the event's burden that falls on the batch, 0 to 1. allocated = kg_co2e x share, in kg CO2e.
    """

    seq: int
    source_id: str
    process: str
    activity: str
    amount: Decimal
    unit: str
    factor_id: str | None
    kg_co2e_per_unit: Decimal
    kg_co2e: Decimal
    share: Fraction
    allocated: Fraction
    on: date
    data: DataQuality
    factor_sha256: str | None


@dataclass(frozen=True)
class Source:
    """An event that counts into a footprint, with or without activity data of its own. consumer_class: of a lot."""

    seq: int
    source_id: str
    kind: str
    process: str
    on: date
    consumer_class: ConsumerClass | None = None


@dataclass(frozen=True)
class OutsideValidity:
    """A factor used for an event on a day outside the period that the factor's source states."""

    factor_id: str
    source_id: str
    on: date
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True)
class Footprint:
    """The footprint of a batch under one allocation.

    mass_kg: dry mass of the batch as made, all of it, whatever was drawn or shipped since.
    lines: in order of the log. sources: every event that counts, in order of the log.
    placeholders: ids of the placeholder factors used. outside_validity: factors used outside their period.
    burden_free: batches that are no scrap, hold rare earths and were drawn on the way without the burden of making
        them: streams that return, and lots of the plant's own. In order of the log.
    by_oxide: steps whose burden was shared by the oxides that their products' rare earths make, for want of a weight.
    """

    batch_id: str
    product: str
    mass_kg: Decimal
    allocation: Allocation
    lines: tuple[Line, ...]
    sources: tuple[Source, ...]
    placeholders: tuple[str, ...]
    outside_validity: tuple[OutsideValidity, ...]
    burden_free: tuple[str, ...] = ()
    by_oxide: tuple[str, ...] = ()

    @property
    def primary_lots(self) -> list[str]:
        """Lots of mined material, in order of the log: what it cost before its delivery is in no entry."""
        return [source.source_id for source in self.sources if source.consumer_class == "primary"]

    @property
    def system_kg_co2e(self) -> Decimal:
        """Burden in kg CO2e of all the events that count, before allocation: the exact sum of the lines' kg_co2e."""
        return exact_sum(line.kg_co2e for line in self.lines)

    @property
    def total(self) -> Fraction:
        """Burden of the batch in kg CO2e, exact."""
        return sum((line.allocated for line in self.lines), Fraction(0))

    @property
    def per_kg(self) -> Fraction:
        """Burden per kg of the batch in kg CO2e/kg, exact."""
        return self.total / Fraction(self.mass_kg)


def exact_sum(numbers: Iterable[Decimal]) -> Decimal:
    """Sum without rounding, whatever the precision of the decimal context."""
    total = Decimal(0)
    for number in numbers:
        total = _EXACT.add(total, number)
    return total


def footprint_of(
    plant: Plant,
    book: FactorBook,
    batch_id: str,
    allocation: Allocation,
    masses: Mapping[str, Decimal],
) -> Footprint:
    """The footprint of `batch_id` under `allocation`.

    masses: atomic masses in g/mol.
    Raises: UnknownIdError without such a batch; RuleError if it was not weighed or returns to the plant without burden;
    MissingFactorError for an activity without an adopted factor; AllocationError where a step's burden cannot be shared
    in this way.
    """
    steps = _ancestor_steps(plant, batch_id)
    return _footprint(
        plant, book, batch_id, allocation, masses, steps, _contents(plant, batch_id, steps, (allocation,), masses)
    )


def all_allocations(
    plant: Plant, book: FactorBook, batch_id: str, masses: Mapping[str, Decimal]
) -> dict[Allocation, Footprint | str]:
    """The footprint of `batch_id` under every allocation; in place of one that is not available, the reason.

    Raises: as `footprint_of`, but for AllocationError.
    """
    steps = _ancestor_steps(plant, batch_id)
    known = _contents(plant, batch_id, steps, ALLOCATIONS, masses)
    results: dict[Allocation, Footprint | str] = {}
    for allocation in ALLOCATIONS:
        try:
            results[allocation] = _footprint(plant, book, batch_id, allocation, masses, steps, known)
        except AllocationError as error:
            results[allocation] = "; ".join(
                f"needs {item.expected} (missing for {item.value.strip(chr(39))})" for item in error.problems
            )
    return results


def weights_of(
    plant: Plant,
    batch_id: str,
    allocation: Allocation,
    masses: Mapping[str, Decimal],
) -> dict[str, Fraction]:
    """Share of the burden of every transformation and lot that falls on `batch_id`, by step id and lot's batch id.

    Only those above zero. Raises: as `footprint_of`.
    """
    steps = _ancestor_steps(plant, batch_id)
    weights = _weights(
        plant, batch_id, allocation, masses, steps, _contents(plant, batch_id, steps, (allocation,), masses)
    )
    lots = {lot: weight for lot, weight in weights.batches.items() if lot in plant.receipts}
    return {key: weight for key, weight in {**weights.steps, **lots}.items() if weight}


def _ancestor_steps(plant: Plant, batch_id: str) -> list[str]:
    """Ids of the transformations that led to `batch_id`, inputs before outputs."""
    batch = plant.batches.get(batch_id)
    if batch is None:
        raise UnknownIdError(
            problem("/batch_id", batch_id, "the id of a batch in the ledger", "List the batches and correct the id.")
        )
    if batch.mass_kg is None:
        raise RuleError(
            problem(
                "/batch_id",
                batch_id,
                "a batch with a weighed mass, for a footprint is per kg",
                "Ask for a batch further down that is weighed.",
            )
        )
    return list(ancestor_transformations(plant, batch_id))


def _contents(
    plant: Plant,
    batch_id: str,
    steps: Iterable[str],
    allocations: Iterable[Allocation],
    masses: Mapping[str, Decimal],
) -> BatchContents:
    """The contents of the batch, its ancestors and their siblings; nothing where no step needs them."""
    wanted = tuple(allocations)
    if any(needs_contents(plant.transformations[step][1], allocation) for step in steps for allocation in wanted):
        return contents_of(plant, masses, [batch_id])
    return {}


@dataclass(frozen=True)
class _Weights:
    """Weights of steps and of batches; free: outputs of the steps that have no share of their step's burden."""

    steps: dict[str, Fraction]
    batches: dict[str, Fraction]
    free: frozenset[str]


def _weights(
    plant: Plant,
    batch_id: str,
    allocation: Allocation,
    masses: Mapping[str, Decimal],
    steps: list[str],
    known: BatchContents,
) -> _Weights:
    """The reverse pass."""
    batch_weight: dict[str, Fraction] = {batch_id: Fraction(1)}
    step_weight: dict[str, Fraction] = {}
    free: set[str] = set()
    for step in reversed(steps):
        _, transformation = plant.transformations[step]
        share = shares(transformation, allocation, masses, known)
        free |= {output for output, part in share.items() if part == 0}
        for output in transformation.outputs:
            if output.role == "product" and share[output.batch_id] == 0 and batch_weight.get(output.batch_id):
                raise AllocationError(
                    problem(
                        "/batch_id",
                        output.batch_id,
                        f"a product that shares the burden of {step} by {allocation}: one that holds rare earths",
                        "Choose another allocation.",
                    )
                )
        weight = sum((batch_weight.get(output, Fraction(0)) * part for output, part in share.items()), Fraction(0))
        step_weight[step] = weight
        if weight == 0:
            continue
        for draw in transformation.inputs:
            drawn = weight * plant.batches[draw.batch_id].drawn_share(draw)
            batch_weight[draw.batch_id] = batch_weight.get(draw.batch_id, Fraction(0)) + drawn
    return _Weights(step_weight, batch_weight, frozenset(free))


def _burden_free(plant: Plant, weights: _Weights, masses: Mapping[str, Decimal]) -> tuple[str, ...]:
    """See Footprint."""
    drawn = {
        draw.batch_id
        for step, weight in weights.steps.items()
        if weight
        for draw in plant.transformations[step][1].inputs
    }
    own = {lot for lot in drawn & plant.receipts.keys() if plant.receipts[lot][1].consumer_class == "internal"}
    suspects = (drawn & weights.free) | own
    if not suspects:
        return ()
    held = contents_of(plant, masses, suspects)
    found = [
        batch_id
        for batch_id in suspects
        if any(element in RARE_EARTHS and content.mass_kg > 0 for element, content in held[batch_id].items())
    ]
    return tuple(sorted(found, key=lambda batch_id: (plant.batches[batch_id].seq, batch_id)))


def _footprint(
    plant: Plant,
    book: FactorBook,
    batch_id: str,
    allocation: Allocation,
    masses: Mapping[str, Decimal],
    steps: list[str],
    known: BatchContents,
) -> Footprint:
    weights = _weights(plant, batch_id, allocation, masses, steps, known)
    lines: list[Line] = []
    sources: list[Source] = []
    for step, weight in weights.steps.items():
        if weight == 0:
            # It led here only through a stream that carries no burden: not a part of this system.
            continue
        seq, transformation = plant.transformations[step]
        source = Source(seq, step, transformation.kind, transformation.process, transformation.on)
        sources.append(source)
        lines += _lines(source, transformation.activity, transformation.direct, weight, book)
    for lot, weight in weights.batches.items():
        if weight == 0 or lot not in plant.receipts:
            continue
        seq, receipt = plant.receipts[lot]
        source = Source(seq, lot, "receipt", "receipt", receipt.received_on, receipt.consumer_class)
        sources.append(source)
        lines += _lines(source, receipt.activity, (), weight, book)
    if not sources:
        raise RuleError(
            problem(
                "/batch_id",
                batch_id,
                "a product; a stream that returns to the plant carries no burden, so it has no footprint of its own",
                "Ask for a product of the plant.",
            )
        )
    # A stable sort: lines of one entry keep the order in which the entry states them.
    lines.sort(key=lambda line: line.seq)
    sources.sort(key=lambda source: source.seq)
    used = {line.factor_sha256: book.records[line.factor_sha256] for line in lines if line.factor_sha256 is not None}
    batch = plant.batches[batch_id]
    assert batch.mass_kg is not None  # _ancestor_steps has refused it
    return Footprint(
        batch_id,
        batch.product,
        batch.mass_kg,
        allocation,
        tuple(lines),
        tuple(sources),
        tuple(sorted({factor.factor_id for factor in used.values() if factor.state == "placeholder"})),
        tuple(_outside_validity(lines, used)),
        _burden_free(plant, weights, masses),
        tuple(
            source.source_id
            for source in sources
            if source.kind != "receipt" and counts_by_oxide(plant.transformations[source.source_id][1], allocation)
        ),
    )


def _lines(
    source: Source,
    activity: Iterable[Activity],
    direct: Iterable[DirectEmission],
    weight: Fraction,
    book: FactorBook,
) -> list[Line]:
    """The lines of one event: one for each activity and factor, one for each direct emission."""
    lines = [
        _line(source, row.activity, row.amount, row.unit, factor.kg_co2e, weight, row.data or "not stated", factor)
        for row in activity
        for factor in book.factors_for(row)
    ]
    lines += [
        _line(
            source,
            f"direct-{emission.gas.lower()}",
            emission.mass_kg,
            "kg",
            book.direct_factor(emission.gas),
            weight,
            "direct",
            None,
        )
        for emission in direct
    ]
    return lines


def _line(
    source: Source,
    activity: str,
    amount: Decimal,
    unit: str,
    kg_co2e_per_unit: Decimal,
    weight: Fraction,
    data: DataQuality,
    factor: Factor | None,
) -> Line:
    kg_co2e = _EXACT.multiply(amount, kg_co2e_per_unit)
    return Line(
        seq=source.seq,
        source_id=source.source_id,
        process=source.process,
        activity=activity,
        amount=amount,
        unit=unit,
        factor_id=None if factor is None else factor.factor_id,
        kg_co2e_per_unit=kg_co2e_per_unit,
        kg_co2e=kg_co2e,
        share=weight,
        allocated=Fraction(kg_co2e) * weight,
        on=source.on,
        data=data,
        factor_sha256=None if factor is None else factor.sha256(),
    )


def _outside_validity(lines: Iterable[Line], used: Mapping[str, Factor]) -> list[OutsideValidity]:
    """The uses of a factor outside its period, each event and factor once, in order of the lines."""
    found: dict[tuple[str, str], OutsideValidity] = {}
    for line in lines:
        if line.factor_sha256 is None:
            continue
        factor = used[line.factor_sha256]
        early = factor.valid_from is not None and line.on < factor.valid_from
        late = factor.valid_to is not None and line.on > factor.valid_to
        if early or late:
            found[factor.factor_id, line.source_id] = OutsideValidity(
                factor.factor_id, line.source_id, line.on, factor.valid_from, factor.valid_to
            )
    return list(found.values())
