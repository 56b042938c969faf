"""Which way the next append takes: directly, by the head row, or by the queue.

Directly is quicker as long as few want the head row at once: one commit, and the place is known. Beyond that they wait
for each other, while the queue takes from all at once and has one append for them. What counts is how long appends
wait for their turn, not how many there are: other processes, and long imports, are felt in it as well.

There and back is not at the same load, so that a load in between does not lead to and fro.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

AppendPath: TypeAlias = Literal["auto", "head", "queue"]
"""What an installation wants: "head" and "queue" always, "auto" as it is busy."""

Way: TypeAlias = Literal["head", "queue"]

SLOW_S = 0.1
"""Appends that take longer than this, on average or so far, are slow."""

BUSY = 4
"""As many under way, and slow: to the queue. Fewer gain nothing by it."""

CALM = 2
"""As few under way: back to the head row, ..."""

STAY_S = 10.0
"""... but not earlier than so many seconds after turning to the queue."""

_WEIGHT = 1 / 16
"""Of the newest append in the average."""


class PathChoice:
    """One log's way, as one process sees it. Not safe for threads: its caller has a lock.

    now: seconds of a clock that never steps back.
    """

    def __init__(self, wanted: AppendPath) -> None:
        self.way: Way = "queue" if wanted == "queue" else "head"
        self.turns = 0
        self._is_free = wanted == "auto"
        self._mean_s = 0.0
        self._since = 0.0
        self._begun: dict[int, float] = {}
        self._tickets = 0

    @property
    def under_way(self) -> int:
        """How many appends have begun and not ended."""
        return len(self._begun)

    def begin(self, now: float) -> tuple[Way, int]:
        """An append begins. Returns: its way, and a ticket for `end`."""
        if self._is_free:
            self._choose(now)
        self._tickets += 1
        self._begun[self._tickets] = now
        return self.way, self._tickets

    def end(self, ticket: int, way: Way, now: float) -> None:
        """An append has ended."""
        took_s = now - self._begun.pop(ticket)
        if way == "head":
            self._mean_s += _WEIGHT * (took_s - self._mean_s)

    def _choose(self, now: float) -> None:
        if self.way == "head":
            oldest_s = now - min(self._begun.values(), default=now)
            if self.under_way >= BUSY and max(self._mean_s, oldest_s) > SLOW_S:
                self._turn("queue", now)
        elif self.under_way <= CALM and now - self._since >= STAY_S:
            self._mean_s = 0.0
            self._turn("head", now)

    def _turn(self, way: Way, now: float) -> None:
        self.way, self._since = way, now
        self.turns += 1
