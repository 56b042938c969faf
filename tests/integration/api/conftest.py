"""Plants for the tests of the application: on SQLite for most, on both databases where storage matters."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web_plant import Plant, make_plant


@pytest.fixture
def plant(_sqlite_template: Path, tmp_path: Path) -> Iterator[Plant]:
    """A plant on SQLite."""
    path = tmp_path / "ledger.db"
    shutil.copyfile(_sqlite_template, path)
    plant = make_plant(f"sqlite:///{path}", tmp_path)
    yield plant
    plant.ledger.engine.dispose()


@pytest.fixture
def any_plant(database_url: str, tmp_path: Path) -> Iterator[Plant]:
    """A plant, once on SQLite and once on PostgreSQL."""
    plant = make_plant(database_url, tmp_path)
    yield plant
    plant.ledger.engine.dispose()
