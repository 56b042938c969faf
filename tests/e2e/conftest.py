"""The demonstration, run once for all end-to-end tests, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from api.demo import run_demo
from api.deps import open_ledger
from api.settings import load_settings
from ledger.service.context import Ledger

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished demonstration. Tests must not change it: those that do work on a copy."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    assert run_demo(folder)
    return folder


@pytest.fixture(scope="session")
def demo_ledger(demo_folder: Path) -> Ledger:
    """The demonstration's ledger, for reading."""
    return open_ledger(load_settings(demo_folder))


@pytest.fixture(scope="session")
def command() -> Command:
    """Runs `magnet-ledger` as its own process in a folder, as a person would."""

    def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}
        program = Path(sys.executable).with_name("magnet-ledger")
        return subprocess.run(
            [str(program), *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
