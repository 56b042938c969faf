"""Whether appending slows down as the log grows: the same load on a small log and on a large one."""

from __future__ import annotations

import itertools

from benchmarks.entries import signed
from benchmarks.harness import Load, Row, in_turns, median_load, say
from benchmarks.log_append import load_of_log
from benchmarks.workshop import DATABASES, Workshop
from ledger.log.signed import SignedStatement, check_form

GOAL = 0.8


def rows(workshop: Workshop) -> list[Row]:
    """A row for each database."""
    return [_row(workshop, kind, name) for kind, name in DATABASES.items()]


def _row(workshop: Workshop, kind: str, name: str) -> Row:
    sizes = workshop.sizes
    large = workshop.log(kind, sizes.large)
    say(f"append rate of a large log, {name}")
    numbers = itertools.count(1)

    def shares() -> list[list[SignedStatement]]:
        first = next(numbers) * sizes.clients  # series 0 is that of the log itself
        return [signed(sizes.each, first + client) for client in range(sizes.clients)]

    def of_large() -> Load:
        return load_of_log(large, shares(), check_form)

    def of_small() -> Load:
        with workshop.new_log(kind, sizes.small) as ledger:
            return load_of_log(ledger, shares(), check_form)

    loads = in_turns([of_large, of_small], sizes.repeats, warm_up=sizes.warm_up)
    at_large, at_small = (median_load(one) for one in loads)
    share = at_large.per_s / at_small.per_s
    return Row(
        f"append rate at {sizes.large:,} entries, {name}",
        f"the same at {sizes.small:,}",
        str(at_large),
        str(at_small),
        share,
        "0.8 or better",
        share >= GOAL,
    )
