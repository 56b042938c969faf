"""What the fault tests did to the log and what it cost: printed at the end of every run, whatever the verbosity."""

from __future__ import annotations

from collections import Counter

DONE: Counter[str] = Counter()
"""Kind of fault -> how often it was injected: "schedules", "kills", "system calls failed", ..."""

LOST: Counter[str] = Counter()
"""What must stay at 0: "losses" of acknowledged entries, "forks"."""


def summary() -> list[str]:
    """Lines for the end of the run; none if no fault test ran."""
    if not DONE:
        return []
    done = ", ".join(f"{count:,} {kind}" for kind, count in sorted(DONE.items()))
    return [f"injected: {done}", f"losses: {LOST['losses']}, forks: {LOST['forks']}"]
