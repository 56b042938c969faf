"""Laws of the footprint, on random plants.

A random plant: lots of mixed oxide, then steps that draw part or all of what is there and make one to three weighed and
priced products, each event with activity data of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.carbon.allocation import ALLOCATIONS
from ledger.carbon.footprint import footprint_of
from ledger.carbon.statement import statement_value
from ledger.material.batch import fold_plant
from ledger.material.genealogy import evidence_seqs
from ledger.material.plant import Plant
from tests.carbon_samples import (
    Entry,
    activity,
    assay,
    book,
    draw,
    masses,
    output,
    party_and_site,
    plant_of,
    receipt,
    split,
    step,
)

ALLOCATION = st.sampled_from(ALLOCATIONS)


@dataclass(frozen=True)
class Random:
    """A random plant as entries, the setting-up first, and the batches in the order they were made."""

    entries: list[Entry]
    batch_ids: list[str]


@st.composite
def plants(draw_: st.DrawFn) -> Random:
    """Plants of one to three lots and one to five steps; masses are whole grams, so that every part is exact."""
    entries = party_and_site()
    left: dict[str, int] = {}
    for number in range(draw_(st.integers(1, 3))):
        lot, grams = f"L{number}", draw_(st.integers(1_000, 900_000))
        entries.append(receipt(lot, kg(grams), activity("road-freight", str(draw_(st.integers(0, 900))), "t.km")))
        neodymium = draw_(st.integers(1, 60))
        entries.append(assay(lot, {"Nd2O3": str(neodymium), "Dy2O3": str(draw_(st.integers(1, 39)))}))
        left[lot] = grams
    batch_ids = list(left)
    for number in range(draw_(st.integers(1, 5))):
        sources = draw_(st.lists(st.sampled_from(sorted(left)), min_size=1, max_size=3, unique=True))
        inputs: list[dict[str, Any]] = []
        total = 0
        for source in sources:
            grams = draw_(st.integers(1, left[source]))
            inputs.append(draw(source, kg(grams)))
            total += grams
            left[source] -= grams
        sizes = [size for size in parts(total, draw_(st.lists(st.integers(1, 9), min_size=1, max_size=3))) if size]
        outputs = [
            output(f"B{number}-{index}", "oxide", kg(size), str(draw_(st.integers(1, 900))))
            for index, size in enumerate(sizes)
        ]
        entries.append(step(f"S{number}", inputs, outputs, activity("electricity", str(draw_(st.integers(0, 999))))))
        left |= {made["batch_id"]: size for made, size in zip(outputs, sizes, strict=True)}
        batch_ids += [made["batch_id"] for made in outputs]
        left = {batch_id: grams for batch_id, grams in left.items() if grams}
        if not left:
            break
    return Random(entries, batch_ids)


def kg(grams: int) -> str:
    return f"{grams // 1000}.{grams % 1000:03d}"


def parts(total: int, weights: list[int]) -> list[int]:
    """`total` grams in whole grams by `weights`, nothing lost."""
    sizes = [total * weight // sum(weights) for weight in weights]
    return [*sizes[:-1], total - sum(sizes[:-1])]


def everything(plant: Plant) -> Fraction:
    """Burden of every event of the plant in kg CO2e, from the entries alone. Electricity and HGV factors of UK 2023."""
    amounts = [row for _, lot in plant.receipts.values() for row in lot.activity]
    amounts += [row for _, made in plant.transformations.values() for row in made.activity]
    factors = {"electricity": Fraction("0.27486"), "road-freight": Fraction("0.09696")}
    return sum((Fraction(row.amount) * factors[row.activity] for row in amounts), Fraction(0))


@given(plants(), ALLOCATION)
@settings(max_examples=60, deadline=None)
def test_what_lies_in_stock_carries_the_whole_burden_exactly(random: Random, allocation: Any) -> None:
    plant = plant_of(random.entries)
    in_stock = Fraction(0)
    for batch_id in random.batch_ids:
        batch = plant.batches[batch_id]
        assert batch.remaining is not None
        if batch.remaining:
            per_kg = footprint_of(plant, book(), batch_id, allocation, masses()).per_kg
            in_stock += per_kg * Fraction(batch.remaining)
    assert in_stock == everything(plant)


@given(plants(), ALLOCATION, st.data())
@settings(max_examples=40, deadline=None)
def test_splitting_a_batch_changes_nothing_per_kg(random: Random, allocation: Any, data: st.DataObject) -> None:
    plant = plant_of(random.entries)
    free = [b for b in random.batch_ids if (plant.batches[b].remaining or 0) > Decimal("0.001")]
    if not free:
        return
    batch_id = data.draw(st.sampled_from(free))
    remaining = plant.batches[batch_id].remaining
    assert remaining is not None
    grams = int(remaining * 1000)
    first = data.draw(st.integers(1, grams - 1))
    pieces = [output("PART-1", "oxide", kg(first)), output("PART-2", "oxide", kg(grams - first))]
    after = plant_of([*random.entries, split("SPLIT", draw(batch_id, kg(grams)), pieces)])
    whole = footprint_of(plant, book(), batch_id, allocation, masses()).per_kg
    for part in ("PART-1", "PART-2"):
        assert footprint_of(after, book(), part, allocation, masses()).per_kg == whole


@given(plants(), ALLOCATION, st.integers(2, 9))
@settings(max_examples=30, deadline=None)
def test_doing_everything_at_another_scale_changes_nothing_per_kg(random: Random, allocation: Any, scale: int) -> None:
    plant = plant_of(random.entries)
    larger = plant_of([scaled(entry, scale) for entry in random.entries])
    for batch_id in random.batch_ids:
        small = footprint_of(plant, book(), batch_id, allocation, masses())
        large = footprint_of(larger, book(), batch_id, allocation, masses())
        if allocation == "element":
            # Contents are decimals of 28 digits, so their ratios move in the last of them.
            assert abs(large.per_kg - small.per_kg) <= small.per_kg / 10**20
        else:
            assert large.per_kg == small.per_kg
            assert large.total == scale * small.total


def scaled(entry: Entry, scale: int) -> Entry:
    """The entry with every mass and every activity `scale` times as large."""

    def walk(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: walk(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [walk(item) for item in value]
        if key in ("mass_kg", "dry_mass_kg", "amount"):
            return format(Decimal(value) * scale, "f")
        return value

    return entry[0], walk(entry[1])


@given(plants(), ALLOCATION, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_independent_events_were_logged_does_not_matter(
    random: Random, allocation: Any, shuffler: Any
) -> None:
    plant, other = plant_of(random.entries), plant_of(reordered(random.entries, shuffler))
    for batch_id in random.batch_ids:
        first = footprint_of(plant, book(), batch_id, allocation, masses())
        second = footprint_of(other, book(), batch_id, allocation, masses())
        assert second.total == first.total
        assert second.system_kg_co2e == first.system_kg_co2e


def reordered(entries: list[Entry], shuffler: Any) -> list[Entry]:
    """The entries in another order that makes every batch before it is drawn or assayed."""
    setting_up, waiting = entries[:3], entries[3:]
    made: set[str] = set()
    result = list(setting_up)
    while waiting:
        ready = [entry for entry in waiting if needs(entry) <= made]
        chosen = shuffler.choice(ready)
        waiting.remove(chosen)
        result.append(chosen)
        made |= makes(chosen)
    return result


def needs(entry: Entry) -> set[str]:
    kind, body = entry
    if kind == "assay":
        return {body["batch_id"]}
    return {row["batch_id"] for row in body.get("inputs", [])}


def makes(entry: Entry) -> set[str]:
    kind, body = entry
    if kind == "receipt":
        return {body["batch_id"]}
    return {row["batch_id"] for row in body.get("outputs", [])}


@given(plants(), ALLOCATION)
@settings(max_examples=30, deadline=None)
def test_no_event_is_counted_more_than_once_over_all_that_was_drawn_from_it(random: Random, allocation: Any) -> None:
    plant = plant_of(random.entries)
    drawn: dict[str, Fraction] = {}
    for _, transformation in plant.transformations.values():
        for row in transformation.inputs:
            drawn[row.batch_id] = drawn.get(row.batch_id, Fraction(0)) + plant.batches[row.batch_id].drawn_share(row)
    assert all(share <= 1 for share in drawn.values())
    for batch_id in random.batch_ids:
        lines = footprint_of(plant, book(), batch_id, allocation, masses()).lines
        assert all(0 < line.share <= 1 for line in lines)


@given(plants(), ALLOCATION, st.data())
@settings(max_examples=40, deadline=None)
def test_the_entries_of_its_evidence_alone_give_the_same_footprint(
    random: Random, allocation: Any, data: st.DataObject
) -> None:
    plant = plant_of(random.entries)
    batch_id = data.draw(st.sampled_from(random.batch_ids))
    needed = evidence_seqs(plant, batch_id)
    part = fold_plant([(seq, *plant.bodies[seq]) for seq in needed], masses())
    assert footprint_of(part, book(), batch_id, allocation, masses()) == footprint_of(
        plant, book(), batch_id, allocation, masses()
    )


@given(plants(), ALLOCATION, st.data())
@settings(max_examples=40, deadline=None)
def test_the_lines_of_a_statement_add_up_to_its_printed_total(
    random: Random, allocation: Any, data: st.DataObject
) -> None:
    batch_id = data.draw(st.sampled_from(random.batch_ids))
    value = statement_value(plant_of(random.entries), book(), batch_id, allocation, masses())
    total = Decimal(value["total_kg_co2e"])
    assert sum(Decimal(line["allocated_kg_co2e"]) for line in value["lines"]) == total
    assert sum(Decimal(spot["kg_co2e"]) for spot in value["hot_spots"]) == total
    if value["hot_spots"]:
        assert sum(Decimal(spot["kg_co2e_per_kg"]) for spot in value["hot_spots"]) == Decimal(value["kg_co2e_per_kg"])
        assert sum(Decimal(spot["percent"]) for spot in value["hot_spots"]) == 100
