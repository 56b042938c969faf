"""Limits on how often something may be tried, kept in the memory of this process.

With several worker processes each counts for itself, so the limit is at most that many times as high; a proxy in front
is the place for a shared one.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

MAX_NAMES = 10_000
"""Names remembered at once; beyond it the one that was quiet longest is forgotten. Bounds the memory."""


class Throttle:
    """At most `limit` tries per name within `window`, counted over the window that ends now."""

    def __init__(self, limit: int, window: timedelta, now: Callable[[], datetime]) -> None:
        self._limit = limit
        self._window = window
        self._now = now
        self._marks: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> int:
        """Count one more for `name` and give 0; or, at the limit, count nothing and give the whole seconds to wait.

        Asking and counting are one act, so that many requests at once get no further than as many after each other.
        """
        with self._lock:
            marks = self._recent(name)
            if len(marks) >= self._limit:
                left = marks[0] + self._window - self._now()
                return max(1, math.ceil(left.total_seconds()))
            marks.append(self._now())
            # Put it last: the dictionary's order is then the order of the latest marks.
            self._marks.pop(name, None)
            self._marks[name] = marks
            while len(self._marks) > MAX_NAMES:
                del self._marks[next(iter(self._marks))]
            return 0

    def forget(self, name: str) -> None:
        """Start again for `name`."""
        with self._lock:
            self._marks.pop(name, None)

    def _recent(self, name: str) -> deque[datetime]:
        marks = self._marks.get(name) or deque[datetime]()
        oldest = self._now() - self._window
        while marks and marks[0] <= oldest:
            marks.popleft()
        return marks
