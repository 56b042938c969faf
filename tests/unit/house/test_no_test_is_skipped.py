"""A run with a skipped test fails: pytest by itself would call it green."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[2] / "conftest.py"
ROOT = CONFTEST.parents[1]

pytestmark = pytest.mark.slow  # each starts a pytest of its own


def run_pytest(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """A pytest run of its own over one test file, with this project's conftest."""
    shutil.copy(CONFTEST, folder / "conftest.py")
    (folder / "test_sample.py").write_text("import pytest\n\n" + source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.skip(reason='a reason')\ndef test_it(): pass\n",
        "@pytest.mark.skipif(True, reason='a reason')\ndef test_it(): pass\n",
        "def test_it(): pytest.skip('a reason')\n",
        "@pytest.fixture\ndef thing(): pytest.skip('a reason')\n\ndef test_it(thing): pass\n",
        "pytest.skip('a reason', allow_module_level=True)\n",
        "pytest.importorskip('no_such_library', reason='a reason')\n",
        "@pytest.mark.xfail(reason='a reason')\ndef test_it(): assert False\n",
    ],
    ids=["mark", "condition", "in a test", "in a fixture", "module", "missing library", "expected failure"],
)
def test_a_skipped_test_fails_the_run(tmp_path: Path, source: str) -> None:
    done = run_pytest(tmp_path, source)
    assert done.returncode in {1, 2}, done.stdout + done.stderr  # 2: a module that could not be collected
    assert "a reason" in done.stdout
    assert " skipped" not in done.stdout.splitlines()[-1]


def test_a_run_without_skips_passes(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "def test_it(): pass\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout.splitlines()[-1]
