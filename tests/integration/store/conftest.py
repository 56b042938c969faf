"""Ledgers for the tests of the store: one a test, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.service.context import Ledger
from tests.store_samples import make_ledger, start_log


@pytest.fixture
def ledger(database_url: str, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with the three entries of `start_log`."""
    made = make_ledger(database_url, tmp_path)
    start_log(made)
    yield made
    made.engine.dispose()
