"""What an installed copy needs is in the wheel: the three packages with their data, the command, and the migrations."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for package in ("ledger", "certificates", "api")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    migrations = {
        f"ledger/store/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "alembic").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert any("/versions/" in name for name in migrations)
    assert names == expected | migrations


def test_the_wheel_brings_the_command_and_the_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (scripts,) = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
    assert "magnet-ledger = api.cli.main:main" in archive.read(scripts).decode()
    (licence,) = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_an_installed_copy_makes_the_schema_from_its_own_migrations(wheel: Path, tmp_path: Path) -> None:
    installed, database = tmp_path / "installed", tmp_path / "ledger.db"
    zipfile.ZipFile(wheel).extractall(installed)
    code = (
        "import ledger.store.database as database, sys\n"
        "assert database.__file__.startswith(sys.argv[1]), database.__file__\n"
        "database.upgrade(sys.argv[2])\n"
        "assert database.current_revision(sys.argv[2]) == database.newest_revision()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(installed), f"sqlite:///{database}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert database.stat().st_size > 0
