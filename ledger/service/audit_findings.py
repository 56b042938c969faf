"""Names of the checks of `log verify`, how far it goes, and the list that its findings gather in."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from ledger.report import Check, Outcome, failed

DATABASE = "database"
GUARDS = "append-only-guards"
ROWS = "entry-rows"
LEAF_HASHES = "stored-leaf-hashes"
COLUMNS = "entry-columns"
BODY = "entry-body"
KEYS = "key-entries"
SENDERS = "sender-ids"
REPEATED = "entry-repeated"
EARLIER = "earlier-entries"
TILES = "stored-tiles"
HEAD = "head-row"
CHECKPOINTS = "stored-checkpoints"
PIN = "pinned-checkpoint"
COSIGNATURES = "witness-cosignatures"
TIMESTAMPS = "stored-timestamps"
SUBMISSIONS = "submissions"
RULES = "plant-rules"
DERIVED = "derived-tables"

BESIDE_THE_ENTRIES = frozenset({GUARDS, SENDERS, TILES, COSIGNATURES, TIMESTAMPS, SUBMISSIONS})
"""What may be broken while every entry is as it was."""

MOST_FINDINGS = 1000
"""Findings of one kind that are told one by one: a log of a million foreign entries must not fill the memory."""


class Extent(StrEnum):
    """How far a verification goes.

    LINKS: hashes, places, links, tree and what is signed over the tree; entries are not read. LOG: entries as well,
    with every signature, but not what their bodies mean. ALL: the rules of the plant and the derived tables as well.
    """

    LINKS = "links"
    LOG = "log"
    ALL = "all"


class Findings:
    """The failed checks, in the order found; of each kind the first MOST_FINDINGS, and how many there were."""

    def __init__(self) -> None:
        self._checks: list[Check] = []
        self._counts: Counter[str] = Counter()

    def add(self, check: Check) -> None:
        """One more. Checks that did not fail may be added as well."""
        if check.outcome is Outcome.FAILED:
            self._counts[check.name] += 1
            if self._counts[check.name] > MOST_FINDINGS:
                return
        self._checks.append(check)

    def fail(self, name: str, detail: str, seq: int | None = None) -> None:
        """One more failed check."""
        self.add(failed(name, detail, seq))

    def entries_hold(self) -> bool:
        """Whether nothing has failed that makes the entries doubtful."""
        return not self._counts.keys() - BESIDE_THE_ENTRIES

    def names(self) -> set[str]:
        """The kinds that there is a check of."""
        return {check.name for check in self._checks}

    def checks(self) -> list[Check]:
        """All, and for each kind with more failures than are listed one that says how many."""
        more = [
            failed(name, f"{count - MOST_FINDINGS} more findings of this kind are not listed")
            for name, count in self._counts.items()
            if count > MOST_FINDINGS
        ]
        return [*self._checks, *more]
