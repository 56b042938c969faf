"""The footprint of a batch, as the log makes it."""

from __future__ import annotations

from typing import Any

from ledger.carbon.allocation import ALLOCATIONS, Allocation
from ledger.carbon.factors import make_factor_book
from ledger.carbon.statement import statement_value
from ledger.errors import InputError, problem
from ledger.service.context import Ledger
from ledger.service.factor_library import factor_records
from ledger.service.read import state_of


def footprint_value_of(ledger: Ledger, batch_id: str, allocation: str = "mass") -> dict[str, Any]:
    """The footprint of a batch under `allocation`, with the other allocations beside it, as JSON data.

    Raises: InputError for an allocation that is none; RuleError (or a kind of it) where there is no footprint.
    """
    state = state_of(ledger)
    book = make_factor_book(state.adoptions, factor_records())
    return statement_value(state.plant, book, batch_id, _allocation(allocation), ledger.masses)


def _allocation(name: str) -> Allocation:
    for allocation in ALLOCATIONS:
        if allocation == name:
            return allocation
    raise InputError(problem("/allocation", name, f"one of {', '.join(ALLOCATIONS)}", "Choose one of them."))
