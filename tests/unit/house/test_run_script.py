"""The script `run` is plain POSIX shell, and says what to type where it cannot help itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(folder: Path, *arguments: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(folder / "run"), *arguments],
        cwd=folder,
        env={"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def bare_machine(tmp_path: Path) -> Path:
    """A copy of the script in an empty folder, with a PATH of a few tools: no Python, no uv, and nobody is root."""
    shutil.copy(ROOT / "run", tmp_path / "run")
    for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("cat", "cmp", "dirname", "sh"):
        found = shutil.which(tool)
        assert found is not None
        (tools / tool).symlink_to(found)
    (tools / "id").write_text("#!/bin/sh\necho 1000\n")
    (tools / "id").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("script", ["run", "tools/lock"])
def test_the_shell_reads_the_script(script: str) -> None:
    path = ROOT / script
    assert path.read_text().startswith("#!/bin/sh\n")
    assert os.access(path, os.X_OK)
    done = subprocess.run(["/bin/sh", "-n", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_names_every_command() -> None:
    done = run(ROOT, "help")
    assert done.returncode == 0
    for verb in ("demo", "serve", "test", "check", "bench"):
        assert f"./run {verb}" in done.stdout


@pytest.mark.parametrize("arguments", [[], ["tset"]])
def test_a_wrong_command_shows_the_usage_and_exits_with_2(arguments: list[str]) -> None:
    done = run(ROOT, *arguments)
    assert done.returncode == 2
    assert "./run test" in done.stderr


def test_an_unknown_benchmark_exits_with_2_and_names_those_there_are() -> None:
    done = run(ROOT, "bench", "lgo")
    assert done.returncode == 2
    assert "there are: log" in done.stderr


@pytest.mark.parametrize("verb", ["demo", "test", "check", "serve", "bench"])
def test_without_python_it_says_the_line_to_type_and_exits_with_3(bare_machine: Path, verb: str) -> None:
    done = run(bare_machine, verb, path=str(bare_machine / "tools"))
    assert done.returncode == 3
    assert "sudo apt-get update && sudo apt-get install -y python3 python3-venv" in done.stderr
    assert not (bare_machine / ".venv").exists()


def test_a_python_that_is_too_old_is_not_taken(bare_machine: Path) -> None:
    old = bare_machine / "tools" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # what `sys.exit(sys.version_info < (3, 11))` makes of an old one
    old.chmod(0o755)
    done = run(bare_machine, "demo", path=str(bare_machine / "tools"))
    assert done.returncode == 3
    assert "python3-venv" in done.stderr


def test_without_the_programs_that_tests_start_it_says_which_packages_to_install(bare_machine: Path) -> None:
    checkers = "requirements-checkers.lock"
    shutil.copy(ROOT / checkers, bare_machine / checkers)
    # Two environments that are as the lock files say: the script takes no second look at what is inside.
    for folder in (".venv", ".venv-checkers"):
        (bare_machine / folder / "bin").mkdir(parents=True)
        (bare_machine / folder / "bin" / "python").write_text("#!/bin/sh\n")
        (bare_machine / folder / "bin" / "python").chmod(0o755)
    lock, project = ((bare_machine / name).read_text() for name in ("requirements-dev.lock", "pyproject.toml"))
    (bare_machine / ".venv" / "requirements-dev.lock.installed").write_text(f"{bare_machine}\n{lock}{project}")
    (bare_machine / ".venv-checkers" / "installed").write_text(
        f"{bare_machine}\n{(bare_machine / checkers).read_text()}"
    )
    done = run(bare_machine, "test", path=str(bare_machine / "tools"))
    assert done.returncode == 3, done.stderr
    packages = done.stderr.splitlines()[0].removeprefix("run: missing system packages: ").split()
    assert {"chromium", "openssl", "poppler-utils", "qpdf", "softhsm2", "strace"} <= set(packages)
    assert f"sudo apt-get install -y {' '.join(packages)}" in done.stderr
