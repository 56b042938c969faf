"""A good pack of the full log, and a verifier run as an auditor runs it: alone, in a virtual environment of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger.store.database import upgrade
from tests.local_tsa import LocalTsa, make_local_tsa
from tests.pack_samples import Sample, export_full_pack, make_full_log, take_apart

ROOT = Path(__file__).parents[3]
VERIFIER = ROOT / "ledger" / "pack" / "verify.py"


@pytest.fixture(scope="session")
def pack_tsa(tmp_path_factory: pytest.TempPathFactory) -> LocalTsa:
    """The time stamping authority of the good pack."""
    return make_local_tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="session")
def good_pack(tmp_path_factory: pytest.TempPathFactory, pack_tsa: LocalTsa) -> bytes:
    """The pack of `make_full_log`."""
    folder = tmp_path_factory.mktemp("full-log")
    url = f"sqlite:///{folder / 'ledger.db'}"
    upgrade(url)
    ledger = make_full_log(url, folder, pack_tsa.stamp)
    pack = export_full_pack(ledger, folder / "pack.zip")
    ledger.engine.dispose()
    return pack


@pytest.fixture
def sample(good_pack: bytes) -> Sample:
    """The good pack in parts."""
    return Sample(take_apart(good_pack))


@dataclass(frozen=True)
class Verdict:
    """What the verifier said. value: its JSON."""

    exit_code: int
    value: dict[str, Any]
    talk: str

    def outcome(self, check: str) -> str:
        """What a check came to."""
        (found,) = [one["outcome"] for one in self.value["checks"] if one["check"] == check]
        assert isinstance(found, str)
        return found

    @property
    def findings(self) -> set[tuple[str, int | None, str]]:
        """Check, sequence number and field of every finding."""
        return {(one["check"], one["seq"], one["field"]) for one in self.value["findings"]}


Verify = Callable[..., Verdict]
"""Runs the verifier on a pack's bytes with more arguments."""


@pytest.fixture(scope="session")
def auditors_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new virtual environment that holds only `cryptography`, in the version that we pin."""
    folder = tmp_path_factory.mktemp("auditor")
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    pins = [
        re.search(rf"^{name}==.*(?:\n    --hash.*)+", lock, re.MULTILINE)
        for name in ("cryptography", "cffi", "pycparser")
    ]
    wanted = folder / "requirements.txt"
    wanted.write_text("".join(f"{pin[0]}\n" for pin in pins if pin is not None), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(wanted)]
    subprocess.run([python, *install], check=True)
    return python


@pytest.fixture
def verify(auditors_python: Path, tmp_path: Path) -> Verify:
    """Runs verify.py on a pack, in an empty folder with these two files alone."""
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copyfile(VERIFIER, empty / "verify.py")

    def run(pack: bytes, *arguments: str) -> Verdict:
        (empty / "pack.zip").write_bytes(pack)
        command = [str(auditors_python), "-I", "verify.py", "pack.zip", "--json", *arguments]
        done = subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False)
        assert done.stdout, done.stderr
        return Verdict(done.returncode, json.loads(done.stdout), done.stderr)

    return run
