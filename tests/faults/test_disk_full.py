"""A disk that runs full in the middle of appending: a clear refusal, nothing half written, and on it goes with room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import tally
from tests.faults.strace import ROOT

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("room_kib", [180, 250, 350, 500])
def test_a_full_disk_refuses_clearly_and_loses_nothing(tmp_path: Path, template: Path, room_kib: int) -> None:
    mount_point = tmp_path / "disk"
    mount_point.mkdir()
    # In a mount namespace of its own the file system vanishes with the process. Only root may have one without
    # a user namespace around it.
    namespace = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    done = subprocess.run(
        [*namespace, sys.executable, "-m", "tests.faults.disk_full", mount_point, template, str(room_kib * 1024)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    tally.DONE["full disks"] += 1
    tally.LOST["losses"] += len(found["lost"])
    assert found["acknowledged"] > 0, "the disk was full before the first append: no fault was injected"
    assert "disk" in found["refusal"] or "full" in found["refusal"], found
    assert found["lost"] == []
    # A commit that failed may not be half there.
    assert found["held_when_full"] == found["start"] + found["acknowledged"]
    assert found["after"] == found["held_when_full"]
    assert found["holds"], found["findings"]
