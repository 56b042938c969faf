"""Ratios against a named peer, measured in the same run: product and peer take turns, and medians are compared.

A number of one machine says little elsewhere; a ratio of two numbers taken side by side says more. Every table is
printed, and kept in RESULTS.md under its name with the machine that it was measured on.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
REPEATS = 5


@dataclass(frozen=True)
class Row:
    """One line of a table.

    what, against: product and peer. product, peer: medians as text, with unit. ratio: the figure that the goal is set
    for; None where the goal is absolute. goal: in words. met: whether it was reached, None where there is none.
    """

    what: str
    against: str
    product: str
    peer: str
    ratio: float | None
    goal: str
    met: bool | None


def medians(product: Callable[[], float], peer: Callable[[], float], repeats: int = REPEATS) -> tuple[float, float]:
    """Medians of what the two measure, run in turns after one run of each that does not count."""
    product(), peer()
    found = [(product(), peer()) for _ in range(repeats)]
    return statistics.median(one for one, _ in found), statistics.median(one for _, one in found)


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def say(text: str) -> None:
    """Progress, beside the result."""
    print(text, file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | against | product | peer | ratio | at least | met |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        cells = (row.what, row.against, row.product, row.peer, ratio, row.goal, met)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine() -> str:
    """What it ran on."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        cpu = names[0] if names else cpu
    return (
        f"{os.cpu_count()} cores, {cpu}; {platform.system()} {platform.release()}; Python {platform.python_version()}"
    )


def publish(name: str, rows: Sequence[Row], notes: str, date: str) -> None:
    """Print the table, and put it in RESULTS.md in place of the section with this name."""
    text = f"## {name}\n\n{date}. {machine()}.\n\n{table(rows)}\n\n{notes.strip()}\n"
    print(text)
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Measured\n"
    sections = re.split(r"(?m)^(?=## )", old)
    kept = [section for section in sections if not section.startswith(f"## {name}\n")]
    RESULTS.write_text("\n".join(part.strip("\n") + "\n" for part in [*kept, text]), encoding="utf-8")
