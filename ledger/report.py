"""A report of checks: each passed, failed or not checked.

Used by every verification in the project. A check that could not be made is `not checked` and says why; nothing turns
it into `passed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What a check came to."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Check:
    """One check and what it came to.

    name: stable slug of the check, for example "checkpoint-signature".
    outcome: passed, failed or not checked.
    detail: one sentence for a person: what was compared, what was found, or why it was not checked.
    seq: sequence number of the entry concerned, where there is one.
    required: whether the verdict can be positive without it.
    """

    name: str
    outcome: Outcome
    detail: str
    seq: int | None = None
    required: bool = True

    def to_value(self) -> dict[str, object]:
        """The check as JSON data."""
        value: dict[str, object] = {"check": self.name, "outcome": str(self.outcome), "detail": self.detail}
        if self.seq is not None:
            value["seq"] = self.seq
        return value


def passed(name: str, detail: str, *, required: bool = True) -> Check:
    """A check that was made and held."""
    return Check(name, Outcome.PASSED, detail, required=required)


def failed(name: str, detail: str, seq: int | None = None) -> Check:
    """A check that was made and did not hold."""
    return Check(name, Outcome.FAILED, detail, seq)


def not_checked(name: str, why: str, *, required: bool = True) -> Check:
    """A check that was not made. required=False: a positive verdict may stand without it, and says so."""
    return Check(name, Outcome.NOT_CHECKED, why, required=required)


def all_hold(checks: list[Check]) -> bool:
    """Whether there is at least one check, none failed, and every required one passed."""
    return bool(checks) and all(
        check.outcome is Outcome.PASSED or (check.outcome is Outcome.NOT_CHECKED and not check.required)
        for check in checks
    )
