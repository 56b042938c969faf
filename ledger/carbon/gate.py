"""Whether a footprint is whole enough to be certified.

A statement may show a figure that leaves something out, and says so. A certificate goes to a stranger, who reads the
figure alone: what makes it smaller than it is stops it here.
"""

from __future__ import annotations

from ledger.carbon.footprint import Footprint
from ledger.carbon.statement import PER_KG_PLACES
from ledger.errors import Problem, RuleError, problem
from ledger.quantity import format_decimal, round_fraction


def check_whole(footprint: Footprint) -> None:
    """Refuses a footprint that cannot be certified.

    Raises: RuleError with a problem for every lot of primary material behind it (what it cost before delivery is in no
    entry), for every batch that brought rare earths without the burden of making them, and for a result of zero.
    """
    problems: list[Problem] = [
        problem(
            "/batch_id",
            lot,
            f"lots of scrap behind {footprint.batch_id}: what it took to mine and make primary material is in no entry",
            "Certify the provenance, or correct the lot's class if it is wrong.",
        )
        for lot in footprint.primary_lots
    ]
    problems += [
        problem(
            "/batch_id",
            batch_id,
            f"rare earths that came to {footprint.batch_id} with the burden of making them: this batch has some, and "
            "carries none",
            "Correct its role to product, or its class.",
        )
        for batch_id in footprint.burden_free
    ]
    if not problems and round_fraction(footprint.per_kg, PER_KG_PLACES) == 0:
        problems.append(
            problem(
                "/batch_id",
                footprint.batch_id,
                f"a footprint above zero; this is {format_decimal(round_fraction(footprint.per_kg, PER_KG_PLACES))} "
                "kg CO2e/kg",
                "Log the activity data of its steps.",
            )
        )
    if problems:
        raise RuleError(*problems)
