"""One plant with certificates for all tests of this folder that only read them; a fresh one for those that write."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from certificates.issue import Issued
from tests.certified_plant import CertifiedPlant, make_certified_plant


@pytest.fixture(scope="session")
def _plant_folder(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database that holds both campaigns; to be copied or read, not written."""
    folder = tmp_path_factory.mktemp("certified")
    shutil.copyfile(_sqlite_template, folder / "ledger.db")
    return folder


@pytest.fixture(scope="session")
def plant(_plant_folder: Path) -> Iterator[CertifiedPlant]:
    """A plant that tests of this session share: they issue nothing and log nothing."""
    made = make_certified_plant(f"sqlite:///{_plant_folder / 'ledger.db'}", _plant_folder)
    yield made
    made.ledger.engine.dispose()


@pytest.fixture(scope="session")
def co2(plant: CertifiedPlant) -> Issued:
    """A CO2 certificate of the shared plant."""
    return plant.issue(kind="co2")


@pytest.fixture(scope="session")
def provenance(plant: CertifiedPlant, co2: Issued) -> Issued:
    """A provenance certificate of the shared plant."""
    return plant.issue(kind="provenance")


@pytest.fixture
def own_plant(_sqlite_template: Path, tmp_path: Path) -> Iterator[CertifiedPlant]:
    """A plant of the test's own, to log and issue in."""
    shutil.copyfile(_sqlite_template, tmp_path / "ledger.db")
    made = make_certified_plant(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    yield made
    made.ledger.engine.dispose()
