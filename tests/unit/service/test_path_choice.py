"""When appends go by the queue and when they go back: on a clock that the test holds."""

from __future__ import annotations

from ledger.service.path_choice import BUSY, CALM, SLOW_S, STAY_S, AppendPath, PathChoice

QUICK_S = SLOW_S / 10


class Load:
    """Appends of a number of senders, each beginning the next one when one has ended."""

    def __init__(self, wanted: AppendPath) -> None:
        self.choice = PathChoice(wanted)
        self.now = 1000.0

    def run(self, senders: int, takes_s: float, times: int) -> list[str]:
        """So many appends of each sender, all at once, of this length. Returns: the ways that they took."""
        ways: list[str] = []
        for _ in range(times):
            begun = [self.choice.begin(self.now) for _ in range(senders)]
            self.now += takes_s
            for way, ticket in begun:
                ways.append(way)
                self.choice.end(ticket, way, self.now)
        return ways


def test_one_sender_stays_with_the_head_row_however_slow_it_is() -> None:
    load = Load("auto")
    assert set(load.run(senders=1, takes_s=5 * SLOW_S, times=100)) == {"head"}


def test_many_senders_stay_with_the_head_row_as_long_as_it_is_quick() -> None:
    load = Load("auto")
    assert set(load.run(senders=50, takes_s=QUICK_S, times=100)) == {"head"}


def test_many_senders_who_wait_for_each_other_turn_to_the_queue() -> None:
    load = Load("auto")
    ways = load.run(senders=2 * BUSY, takes_s=2 * SLOW_S, times=20)
    turned = ways.index("queue")
    # Each append counts 1/16 in the average, which is 2 SLOW_S x (1 - (15/16)^n) after n of them: 0.81 SLOW_S after the
    # first eight, 1.29 after the second. Of the third eight, the fifth finds that BUSY have begun before it.
    assert turned == 2 * 2 * BUSY + BUSY
    assert set(ways[turned:]) == {"queue"}
    assert load.choice.turns == 1


def test_appends_that_do_not_come_to_an_end_turn_the_next_ones_to_the_queue() -> None:
    choice = PathChoice("auto")
    ways = [choice.begin(now)[0] for now in (0.0, 0.01, 0.02, 0.03, 0.04, 1.0, 1.1)]
    assert ways == ["head"] * 5 + ["queue"] * 2
    assert choice.under_way == 7


def test_the_queue_is_kept_while_many_append_and_for_a_while_in_any_case() -> None:
    load = Load("auto")
    load.run(senders=2 * BUSY, takes_s=2 * SLOW_S, times=20)
    turned_at = load.now
    busy = load.run(senders=2 * BUSY, takes_s=QUICK_S, times=round(2 * STAY_S / QUICK_S))
    # Among those that begin at once the first find few under way, so that it may turn back once it has stayed.
    early = round((STAY_S - (turned_at - 1000.0)) / QUICK_S) * 2 * BUSY
    assert set(busy[:early]) == {"queue"}


def test_when_it_is_calm_again_appends_go_back_and_do_not_remember_that_it_was_slow() -> None:
    load = Load("auto")
    load.run(senders=2 * BUSY, takes_s=2 * SLOW_S, times=20)
    assert load.choice.way == "queue"
    load.now += STAY_S
    assert set(load.run(senders=1, takes_s=QUICK_S, times=3)) == {"head"}
    assert set(load.run(senders=2 * BUSY, takes_s=QUICK_S, times=3)) == {"head"}
    assert load.choice.turns == 2


def test_a_load_in_between_does_not_go_to_and_fro() -> None:
    load = Load("auto")
    load.run(senders=2 * BUSY, takes_s=2 * SLOW_S, times=20)
    between = [load.choice.begin(load.now) for _ in range(CALM + 1)]
    load.now += STAY_S
    assert load.choice.begin(load.now)[0] == "queue", "more than few are under way"
    for way, ticket in between:
        load.choice.end(ticket, way, load.now)
    assert load.choice.begin(load.now)[0] == "head"


def test_who_wants_one_way_always_gets_it() -> None:
    assert set(Load("head").run(senders=50, takes_s=9 * SLOW_S, times=20)) == {"head"}
    assert set(Load("queue").run(senders=1, takes_s=QUICK_S, times=20)) == {"queue"}
