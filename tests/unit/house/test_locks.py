"""What the code imports is declared, and what is declared is locked: with hashes, alike in both locks, no address."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCKS = ["requirements.lock", "requirements-dev.lock"]
APART = "requirements-checkers.lock"
"""What .venv-checkers holds: another environment, which need not agree with ours."""


def pins(lock: str) -> dict[str, Requirement]:
    """What a lock file pins, by name."""
    lines = (ROOT / lock).read_text().splitlines()
    requirements = [Requirement(line.rstrip(" \\")) for line in lines if not line.startswith(" ")]
    found = {canonicalize_name(requirement.name): requirement for requirement in requirements}
    assert len(found) == len(requirements), "one version of each, on every Python"
    return found


def wanted(groups: list[str]) -> list[Requirement]:
    """What pyproject.toml asks for: at run time, and in these dependency groups."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    texts: list[str] = list(project["project"]["dependencies"])
    for group in groups:
        texts += [item for item in project["dependency-groups"][group] if isinstance(item, str)]
    return [Requirement(text) for text in texts]


def extras() -> list[Requirement]:
    """What pyproject.toml asks for where an extra is chosen."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [Requirement(text) for texts in project["project"]["optional-dependencies"].values() for text in texts]


@pytest.mark.parametrize("lock", [*LOCKS, APART])
def test_every_pin_is_exact_and_carries_hashes(lock: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / lock).read_text().strip())
    assert len(entries) > (5 if lock == APART else 50)
    for entry in entries:
        assert re.match(r"\S+==\S+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("lock", [*LOCKS, APART])
def test_a_lock_names_no_package_index(lock: str) -> None:
    # Options (where to look) and direct references begin so; a lock has names, versions and hashes alone.
    assert not re.search(r"://|^--(?!hash)| @ ", (ROOT / lock).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("lock", "groups"), [(LOCKS[0], ["build"]), (LOCKS[1], ["build", "dev"])])
def test_what_the_project_asks_for_is_locked_in_a_version_that_it_takes(lock: str, groups: list[str]) -> None:
    locked = pins(lock)
    for requirement in wanted(groups) + (extras() if lock == LOCKS[1] else []):
        pin = locked.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not in {lock}: run tools/lock"
        version = next(iter(pin.specifier)).version
        assert requirement.specifier.contains(version), f"{requirement} but {lock} has {version}: run tools/lock"


def test_development_has_the_run_time_versions() -> None:
    runtime, development = pins(LOCKS[0]), pins(LOCKS[1])
    for name, pin in runtime.items():
        assert str(development.get(name)) == str(pin)


def imported_by(folder: str) -> set[str]:
    """Top-level names of other people's modules that the files in `folder` import."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names - {"ledger", "certificates", "api", "tests", "tools"}


@pytest.mark.parametrize(
    ("folder", "groups"),
    [("ledger", []), ("certificates", []), ("api", []), ("alembic", []), ("tests", ["dev"]), ("tools", ["dev"])],
)
def test_every_import_is_of_a_declared_library(folder: str, groups: list[str]) -> None:
    """Nothing rests on a library that happens to come along with another one, or that lies on one machine only."""
    declared = {canonicalize_name(requirement.name) for requirement in wanted(groups) + extras()}
    distributions = packages_distributions()
    for name in imported_by(folder):
        assert name in distributions, f"{folder} imports {name}, which is not installed"
        assert {canonicalize_name(owner) for owner in distributions[name]} & declared, f"{folder} imports {name}"


@pytest.mark.parametrize("folder", ["ledger", "certificates", "api"])
def test_an_extras_library_is_imported_only_where_it_is_used(folder: str) -> None:
    """Without it, all but that must work."""
    distributions = packages_distributions()
    optional = {canonicalize_name(requirement.name) for requirement in extras()}
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            owners = {owner for module in modules for owner in distributions.get(module.split(".")[0], [])}
            assert not {canonicalize_name(owner) for owner in owners} & optional, f"{path}: {modules}"
