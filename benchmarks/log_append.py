"""Durable appends by many clients at once: each waits for its own entry to be on disk before it sends the next."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.entries import ACTOR, ACTOR_KEY, ORIGIN, receipts, sign, signed
from benchmarks.harness import Load, Row, drive, in_turns, median_load, say
from benchmarks.peers import load_of_clients, plain
from benchmarks.workshop import DATABASES, Workshop, now
from ledger.log.signed import CheckedStatement, SignedStatement, check_form, verify_signature
from ledger.service.append import Draft, GroupedAppend, append_entries, create_log
from ledger.service.context import Ledger, make_actor
from ledger.store.group_commit import GroupCommit
from ledger.store.statements import Receipt, Sent, statement_admission

THROUGHPUT_GOAL = 5.0
P99_GOAL = 0.1


def rows(workshop: Workshop) -> list[Row]:
    """The goal's rows for each database, and two that say what more checks cost."""
    sizes = workshop.sizes
    shares = [signed(sizes.each, series) for series in range(sizes.clients)]
    lots = [[sign(one) for one in receipts(sizes.ruled_each, series)] for series in range(sizes.clients)]
    plain_shares = [[plain(one) for one in share[: sizes.plain_each]] for share in shares]
    found = []
    for kind, name in DATABASES.items():
        say(f"durable append, {name}")

        def formal(kind: str = kind) -> Load:
            with workshop.new_log(kind) as ledger:
                return load_of_log(ledger, shares, check_form)

        def verified(kind: str = kind) -> Load:
            with workshop.new_log(kind) as ledger:
                return load_of_log(ledger, shares, check_form_and_signature)

        def ruled(kind: str = kind) -> Load:
            with workshop.new_log(kind) as ledger:
                return _load_of_service(ledger, lots)

        def peer(kind: str = kind) -> Load:
            with workshop.database(kind) as url:
                return load_of_clients(url, plain_shares)

        loads = [
            median_load(one) for one in in_turns([formal, verified, ruled, peer], sizes.repeats, warm_up=sizes.warm_up)
        ]
        found += _rows(f"durable append, {sizes.clients} clients, {name}", *loads)
    return found


def _rows(what: str, formal: Load, verified: Load, ruled: Load, peer: Load) -> list[Row]:
    against = "the same entry as one SQLModel row per commit"
    times = formal.per_s / peer.per_s
    tail = formal.p99_s / peer.p99_s
    return [
        Row(what, against, str(formal), str(peer), times, "at least 5 times the throughput", times >= THROUGHPUT_GOAL),
        Row(
            "the same: p99",
            against,
            f"{formal.p99_s * 1e3:.1f} ms",
            f"{peer.p99_s * 1e3:.1f} ms",
            tail,
            "at most 0.1",
            tail <= P99_GOAL,
        ),
        Row("the same, and every signature verified", against, str(verified), str(peer), verified.per_s / peer.per_s),
        Row(
            "receipts under all rules of the plant, signatures verified",
            against,
            str(ruled),
            str(peer),
            ruled.per_s / peer.per_s,
        ),
    ]


def check_form_and_signature(one: SignedStatement) -> CheckedStatement:
    """Read a statement and verify its signature, as whoever takes it in does before it is handed on."""
    checked = check_form(one)
    verify_signature(checked, ACTOR_KEY.public_key())
    return checked


def load_of_log(
    ledger: Ledger, shares: list[list[SignedStatement]], check: Callable[[SignedStatement], CheckedStatement]
) -> Load:
    """A client for each share, all through one group commit; reading and checking a statement is part of the work."""
    commit: GroupCommit[Sent, list[Receipt]] = GroupCommit(ledger.engine, ORIGIN, statement_admission(now))

    def send(one: SignedStatement) -> None:
        commit.submit(Sent([check(one)])).result()

    commit.start()
    try:
        return drive([(send, share) for share in shares])
    finally:
        commit.stop()


def _load_of_service(ledger: Ledger, shares: list[list[SignedStatement]]) -> Load:
    """The same through the use case that the API calls."""
    actor = make_actor(ACTOR, ACTOR_KEY)
    create_log(ledger, actor)
    party = Draft("party", {"party_id": "P-1", "roles": ["operator", "supplier"], "country": "GB"})
    site = Draft("site", {"site_id": "BEL", "name": "Belfast", "country": "GB", "operator_id": "P-1"})
    append_entries(ledger, [party, site], actor)
    grouped = GroupedAppend(ledger)
    grouped.start()
    try:
        return drive([(partial(_send, grouped), share) for share in shares])
    finally:
        grouped.stop()


def _send(grouped: GroupedAppend, one: SignedStatement) -> None:
    grouped.append_signed([one])
