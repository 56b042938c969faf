"""A small ledger on SQLite, made once and copied for each fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.store.database import upgrade
from tests.faults.scenarios import open_ledger
from tests.store_samples import start_log


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, with nothing open. The log holds three entries."""
    folder = tmp_path_factory.mktemp("template")
    upgrade(f"sqlite:///{folder / 'ledger.db'}")
    ledger = open_ledger(folder)
    start_log(ledger)
    ledger.engine.dispose()
    return folder
