"""Durable appends by many clients at once: each waits for its own entry to be on disk before it sends the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from benchmarks.entries import ACTOR, ACTOR_KEY, ORIGIN, receipts, sign, signed
from benchmarks.harness import Load, Row, drive, in_turns, median_load, say
from benchmarks.peers import load_of_clients, plain
from benchmarks.workshop import DATABASES, Workshop, now
from ledger.log.signed import CheckedStatement, SignedStatement, check_form, verify_signature
from ledger.log.statement import Statement
from ledger.service.append import Draft, GroupedAppend, append_entries, create_log
from ledger.service.context import Actor, Ledger, make_actor
from ledger.store.group_commit import GroupCommit
from ledger.store.statements import Receipt, Sent, statement_admission

THROUGHPUT_GOAL = 5.0
P99_GOAL = 0.1

T = TypeVar("T")


def rows(workshop: Workshop) -> list[Row]:
    """The goal's rows for each database, and those that say what more checks cost."""
    sizes = workshop.sizes
    shares = [signed(sizes.each, series) for series in range(sizes.clients)]
    lots = [list(receipts(sizes.ruled_each, series)) for series in range(sizes.clients)]
    signed_lots = [[sign(one) for one in share] for share in lots]
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

        def drafted(kind: str = kind) -> Load:
            with workshop.new_log(kind) as ledger:
                return _load_of_service(ledger, lots, _send_draft)

        def ruled(kind: str = kind) -> Load:
            with workshop.new_log(kind) as ledger:
                return _load_of_service(ledger, signed_lots, _send_signed)

        def peer(kind: str = kind) -> Load:
            with workshop.database(kind) as url:
                return load_of_clients(url, plain_shares)

        loads = [
            median_load(one)
            for one in in_turns([formal, verified, drafted, ruled, peer], sizes.repeats, warm_up=sizes.warm_up)
        ]
        found += _rows(f"durable append, {sizes.clients} clients, {name}", *loads)
    return found


def _rows(what: str, formal: Load, verified: Load, drafted: Load, ruled: Load, peer: Load) -> list[Row]:
    against = "the same entry as one SQLModel row per commit"
    times = formal.per_s / peer.per_s
    tail = formal.p99_s / peer.p99_s
    informing = {
        "the same, and every signature verified": verified,
        "receipts under all rules of the plant, signed here": drafted,
        "receipts under all rules of the plant, signed elsewhere and verified": ruled,
    }
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
        *(Row(name, against, str(load), str(peer), load.per_s / peer.per_s) for name, load in informing.items()),
    ]


def check_form_and_signature(one: SignedStatement) -> CheckedStatement:
    """Read a statement and verify its signature, as whoever takes it in does before it is handed on."""
    checked = check_form(one)
    verify_signature(checked, ACTOR_KEY.public_key())
    return checked


def load_of_log(
    ledger: Ledger, shares: Sequence[Sequence[SignedStatement]], check: Callable[[SignedStatement], CheckedStatement]
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


def _load_of_service(
    ledger: Ledger, shares: Sequence[Sequence[T]], send: Callable[[GroupedAppend, Actor, T], object]
) -> Load:
    """The same through the use case that the API calls, in a plant that has a site."""
    actor = make_actor(ACTOR, ACTOR_KEY)
    create_log(ledger, actor)
    party = Draft("party", {"party_id": "P-1", "roles": ["operator", "supplier"], "country": "GB"})
    site = Draft("site", {"site_id": "BEL", "name": "Belfast", "country": "GB", "operator_id": "P-1"})
    append_entries(ledger, [party, site], actor)
    grouped = GroupedAppend(ledger)
    grouped.start()
    try:
        return drive([(partial(send, grouped, actor), share) for share in shares])
    finally:
        grouped.stop()


def _send_draft(grouped: GroupedAppend, actor: Actor, one: Statement) -> None:
    grouped.append([Draft(one.type, one.body, client_id=one.id)], actor)


def _send_signed(grouped: GroupedAppend, _actor: Actor, one: SignedStatement) -> None:
    grouped.append_signed([one])
