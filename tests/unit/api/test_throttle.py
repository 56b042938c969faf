"""A limit on tries: so many in a while, then wait; and never more memory than agreed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api import throttle
from api.throttle import Throttle


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


def test_the_try_after_the_last_allowed_one_waits_until_the_first_is_old_enough() -> None:
    clock = Clock()
    limit = Throttle(2, timedelta(seconds=60), clock)
    assert limit.take("a") == 0
    clock.time += timedelta(seconds=20)
    assert limit.take("a") == 0
    clock.time += timedelta(seconds=10)
    assert limit.take("a") == 30  # the first was 30 of 60 seconds ago
    clock.time += timedelta(seconds=29.5)
    assert limit.take("a") == 1
    clock.time += timedelta(seconds=0.5)
    assert limit.take("a") == 0  # the first has left the window
    assert limit.take("a") == 20  # the second, of 40 seconds ago, and this one fill it again


def test_a_refused_try_does_not_prolong_the_wait() -> None:
    clock = Clock()
    limit = Throttle(1, timedelta(seconds=10), clock)
    limit.take("a")
    for _ in range(9):
        clock.time += timedelta(seconds=1)
        assert limit.take("a") > 0
    clock.time += timedelta(seconds=1)
    assert limit.take("a") == 0


def test_names_do_not_touch_each_other_and_one_can_be_forgotten() -> None:
    limit = Throttle(1, timedelta(seconds=10), Clock())
    assert limit.take("a") == 0
    assert limit.take("b") == 0
    assert limit.take("a") > 0
    limit.forget("a")
    assert limit.take("a") == 0


def test_the_name_that_was_quiet_longest_is_forgotten_first(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(throttle, "MAX_NAMES", 2)
    limit = Throttle(2, timedelta(seconds=10), Clock())
    for name in ("a", "b", "a", "c"):
        limit.take(name)
    assert limit.take("a") > 0  # still remembered: b was quiet longer
    assert limit.take("b") == 0
    assert limit.take("b") == 0
