"""Memory that a verification of the large log takes: that of a process of its own, at its highest.

`python -m benchmarks.log_memory URL PIN EXTENT` is that process; it prints its seconds and megabytes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.harness import Row, say, seconds
from benchmarks.log_verify import verify
from benchmarks.workshop import Workshop, opened
from ledger.service.audit import Extent

GOAL_MB = 200


def rows(workshop: Workshop) -> list[Row]:
    """A row for the links, and one with all signatures, in one process as well."""
    ledger = workshop.log("sqlite", workshop.sizes.large)
    url = ledger.engine.url.render_as_string(hide_password=False)
    found = []
    # The second takes minutes, and its memory does not vary from run to run.
    for extent, what, times in (
        (Extent.LINKS, "hash, prev, tree", workshop.sizes.repeats),
        (Extent.LOG, "with every actor signature", 1),
    ):
        say(f"memory of verify, {what}")
        runs = []
        for _ in range(times):
            command = [sys.executable, "-m", "benchmarks.log_memory", url, str(ledger.pin_path), extent.value]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            runs.append(json.loads(done.stdout))
        highest, took = median(one["mb"] for one in runs), median(one["s"] for one in runs)
        found.append(
            Row(
                f"memory of verify at {workshop.sizes.large:,} entries, {what}, one process",
                "",
                f"{highest:.0f} MB, in {took:.1f} s",
                "",
                None,
                "under 200 MB",
                highest < GOAL_MB,
            )
        )
    return found


def peak_mb() -> float:
    """The most memory that this process has had at one time, in megabytes (Linux: /proc/self/status, VmHWM)."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None, "Linux states it"
    return int(found[1]) * 1024 / 1e6


def main(url: str, pin: str, extent: str) -> None:
    with opened(url, Path(pin)) as ledger:
        took = seconds(lambda: verify(ledger, Extent(extent), jobs=1))
    print(json.dumps({"s": took, "mb": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
