"""`log verify` against the work that nobody can do without: hashing the bytes, verifying the signatures."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from hashlib import sha256
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from benchmarks.entries import ACTOR_KEY
from benchmarks.harness import Row, in_turns, say, seconds
from benchmarks.workshop import VKEY, Sizes, Workshop
from ledger.log.chain import SIGNATURE
from ledger.log.envelope import parse_envelope
from ledger.log.statement import STATEMENT_TYPE, pre_authentication_encoding
from ledger.report import Outcome
from ledger.service.audit import Extent, verify_log
from ledger.service.context import Ledger
from ledger.service.parallel import available_cores
from ledger.store.audit_rows import entry_batches
from ledger.store.database import read_transaction

LINKS_GOAL = 4.0
LINKS_GOAL_PER_S = 200_000
SIGNATURES_GOAL = 1.3
PER_TASK = 256
"""Signatures that a process verifies at a time."""


def links_rows(workshop: Workshop) -> list[Row]:
    """Hashes, links and tree, in one process, from the database."""
    ledger = workshop.log("sqlite", workshop.sizes.verified)
    say("full verify: hash, prev, tree")
    entries = _entries(ledger)

    def hash_all() -> None:
        for data in entries:
            sha256(data).digest()

    took, hashing = _medians(workshop.sizes, lambda: verify(ledger, Extent.LINKS, jobs=1), hash_all)
    count, times = len(entries), took / hashing
    return [
        Row(
            f"full verify of {count:,} entries: hash, prev, tree",
            "hashlib over the same bytes, in memory",
            f"{took:.2f} s, {count / took:,.0f}/s",
            f"{hashing:.2f} s, {count / hashing:,.0f}/s",
            times,
            "at most 4 times its time; above 200,000/s on one core",
            times <= LINKS_GOAL and count / took > LINKS_GOAL_PER_S,
        )
    ]


def signatures_rows(workshop: Workshop) -> list[Row]:
    """The whole log, with every actor's signature, on all cores."""
    ledger = workshop.log("sqlite", workshop.sizes.verified)
    say("full verify with every actor signature")
    signed = []
    for data in _entries(ledger):
        envelope = parse_envelope(data)
        start = data.index(b'"stmt":') + len(b'"stmt":')
        message = pre_authentication_encoding(STATEMENT_TYPE, data[start : -len(b',"v":1}')])
        signed.append((envelope.signature, message))
    tasks = [signed[start : start + PER_TASK] for start in range(0, len(signed), PER_TASK)]
    cores = available_cores()
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(verify_raw, tasks[: 4 * cores]))  # they are started by now
        took, raw = _medians(
            workshop.sizes,
            lambda: verify(ledger, Extent.LOG, jobs=cores),
            lambda: list(pool.map(verify_raw, tasks)),
        )
    count, times = len(signed), took / raw
    return [
        Row(
            f"full verify of {count:,} entries with every actor signature, {cores} processes",
            f"raw Ed25519 verify, {cores} processes started before",
            f"{took:.2f} s, {count / took:,.0f}/s",
            f"{raw:.2f} s, {count / raw:,.0f}/s",
            times,
            "at most 1.3 times its time",
            times <= SIGNATURES_GOAL,
        )
    ]


def verify(ledger: Ledger, extent: Extent, jobs: int | None = None) -> None:
    """Verify the log. Raises: RuntimeError unless it holds and its signatures were verified, if they were to be."""
    checks = verify_log(ledger, VKEY, extent=extent, jobs=jobs)
    bad = [check for check in checks if check.outcome is Outcome.FAILED]
    if bad:
        raise RuntimeError(f"the log does not verify: {bad[0].name}: {bad[0].detail}")
    if extent is not Extent.LINKS and SIGNATURE not in {one.name for one in checks if one.outcome is Outcome.PASSED}:
        raise RuntimeError("signatures were not verified")


def verify_raw(task: Sequence[tuple[bytes, bytes]]) -> None:
    """Verify these signatures (signature, message)."""
    key = Ed25519PublicKey.from_public_bytes(ACTOR_KEY.public_key().public_bytes_raw())
    for signature, message in task:
        key.verify(signature, message)


def _medians(sizes: Sizes, product: Callable[[], object], peer: Callable[[], object]) -> tuple[float, float]:
    """Seconds that they take."""
    ours, theirs = in_turns([partial(seconds, product), partial(seconds, peer)], sizes.repeats, warm_up=sizes.warm_up)
    return median(ours), median(theirs)


def _entries(ledger: Ledger) -> list[bytes]:
    with read_transaction(ledger.engine) as connection:
        batches = entry_batches(connection, ledger.origin, 0, whole=False)
        return [row[2] for batch in batches for row in batch]
