"""Ratios against a named peer, measured in the same run: product and peer take turns, and medians are compared.

A number of one machine says little elsewhere; a ratio of two numbers taken side by side says more. Every table is
printed; that of a whole run is kept in RESULTS.md under its name, with the machine that it was measured on.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Barrier
from typing import TypeVar

RESULTS = Path(__file__).parent / "RESULTS.md"

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One line of a table.

    what, against: product and peer. product, peer: medians as text, with unit. ratio: the figure that the goal is set
    for; None where the goal is absolute. goal: in words, "" for a row that only informs. met: whether it was reached,
    None where there is none.
    """

    what: str
    against: str
    product: str
    peer: str
    ratio: float | None
    goal: str = ""
    met: bool | None = None


@dataclass(frozen=True)
class Load:
    """What a number of clients saw. per_s: items done each second by all; p50_s, p99_s: seconds that one took."""

    per_s: float
    p50_s: float
    p99_s: float

    def __str__(self) -> str:
        return f"{self.per_s:,.0f}/s, p50 {self.p50_s * 1e3:.1f} ms, p99 {self.p99_s * 1e3:.1f} ms"


def in_turns(works: Sequence[Callable[[], T]], repeats: int, *, warm_up: bool) -> list[list[T]]:
    """What each of these gives, `repeats` times, one after the other in each round. warm_up: a round before these, not
    counted."""
    rounds = [[work() for work in works] for _ in range(repeats + warm_up)]
    return [list(column) for column in zip(*rounds[warm_up:], strict=True)]


def median_load(loads: Sequence[Load]) -> Load:
    """Each figure's median."""
    return Load(*(median(getattr(load, name) for load in loads) for name in ("per_s", "p50_s", "p99_s")))


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of them does not exceed."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def drive(clients: Sequence[tuple[Callable[[T], object], Sequence[T]]]) -> Load:
    """A thread for each client, which sends its items one after the other, each once the one before is done."""
    ready = Barrier(len(clients) + 1)

    def work(send: Callable[[T], object], items: Sequence[T]) -> list[float]:
        took = []
        ready.wait()
        for item in items:
            start = time.perf_counter()
            send(item)
            took.append(time.perf_counter() - start)
        return took

    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(work, send, items) for send, items in clients]
        ready.wait()
        start = time.perf_counter()
        took = [one for client in running for one in client.result()]
        end = time.perf_counter()
    return Load(len(took) / (end - start), quantile(took, 0.5), quantile(took, 0.99))


def say(text: str) -> None:
    """Progress, beside the result."""
    print(text, file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | against | product | peer | ratio | goal | met |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        cells = (row.what, row.against, row.product, row.peer, ratio, row.goal, met)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine(folder: Path) -> str:
    """What it ran on. folder: where it wrote."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)
        cpu = names[0] if names else cpu
    return (
        f"{os.cpu_count()} cores, {cpu}; {platform.system()} {platform.release()}; databases on {filesystem(folder)};"
        f" Python {platform.python_version()}"
    )


def filesystem(folder: Path) -> str:
    """Type of the file system that holds the folder, as Linux names it; a durable write to tmpfs costs nothing."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return "an unknown file system"
    kinds = {fields[1]: fields[2] for fields in map(str.split, mounts.read_text().splitlines())}
    above = [str(folder.resolve()), *(str(parent) for parent in folder.resolve().parents)]
    return next(kinds[one] for one in above if one in kinds)


def section(name: str, rows: Sequence[Row], notes: str, head: str) -> str:
    """The table under its name, as Markdown. head: when and where it was measured."""
    return f"## {name}\n\n{head}\n\n{table(rows)}\n\n{notes.strip()}\n"


def keep(name: str, text: str) -> None:
    """Put a section into RESULTS.md, in place of the one with this name."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Measured\n"
    sections = re.split(r"(?m)^(?=## )", old)
    kept = [one for one in sections if not one.startswith(f"## {name}\n")]
    RESULTS.write_text("\n".join(part.strip("\n") + "\n" for part in [*kept, text]), encoding="utf-8")
