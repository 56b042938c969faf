"""Importing many statements at once, checked, hashed and put into the tree, against one row per commit."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from benchmarks.entries import ACTOR_KEY, KID, signed
from benchmarks.harness import Row, in_turns, say, seconds
from benchmarks.peers import plain, rate_of_one
from benchmarks.workshop import DATABASES, Workshop
from ledger.log.signed import SignedStatement
from ledger.service.imports import import_signed
from ledger.service.parallel import available_cores

GOALS = {"sqlite": 30.0, "postgresql": 40.0}


def rows(workshop: Workshop) -> list[Row]:
    """The goal's row for each database, and one that says what verifying signatures costs."""
    sizes = workshop.sizes
    statements = signed(sizes.bulk)
    plain_rows = [plain(one) for one in statements[: sizes.plain_bulk]]
    found = []
    for kind, name in DATABASES.items():
        say(f"bulk import, {name}")

        def formal(kind: str = kind) -> float:
            return _rate(workshop, kind, statements, None)

        def verified(kind: str = kind) -> float:
            return _rate(workshop, kind, statements, {KID: ACTOR_KEY.public_key().public_bytes_raw()})

        def peer(kind: str = kind) -> float:
            with workshop.database(kind) as url:
                return rate_of_one(url, plain_rows)

        rates = [median(one) for one in in_turns([formal, verified, peer], sizes.repeats, warm_up=sizes.warm_up)]
        found += _rows(name, GOALS[kind], *rates)
    return found


def _rows(name: str, least: float, formal: float, verified: float, peer: float) -> list[Row]:
    against = "session.add + commit"
    times = formal / peer
    return [
        Row(
            f"bulk import with validation, hashing and tree, {name}",
            against,
            f"{formal:,.0f}/s",
            f"{peer:,.0f}/s",
            times,
            f"at least {least:.0f} times",
            times >= least,
        ),
        Row(
            "the same, and every signature verified",
            against,
            f"{verified:,.0f}/s",
            f"{peer:,.0f}/s",
            verified / peer,
        ),
    ]


def _rate(workshop: Workshop, kind: str, statements: list[SignedStatement], keys: Mapping[str, bytes] | None) -> float:
    """Entries per second of an import into a new log. keys: verify the signatures with these, on all cores."""
    jobs = 1 if keys is None else available_cores()  # a process would take longer to start than to check forms
    with workshop.new_log(kind) as ledger:
        took = seconds(lambda: import_signed(ledger, statements, keys=keys, jobs=jobs))
    return len(statements) / took
