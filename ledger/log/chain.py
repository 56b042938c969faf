"""Audit of a whole log, entry by entry: every finding is collected, none stops the walk.

The chain alone sees an entry edited, removed from the middle, inserted or moved. It cannot see the tail cut off: for
that the caller compares the report's frontier with the head row and with a checkpoint kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, MalformedProofError
from ledger.log.envelope import GENESIS_PREV, Envelope, parse_envelope
from ledger.log.merkle import Frontier, leaf_hash
from ledger.log.statement import verify_statement_signature
from ledger.report import Check, Outcome, failed, not_checked, passed

FORM = "entry-form"
ORIGIN = "entry-origin"
SEQUENCE = "entry-sequence"
LINK = "entry-link"
TIME = "entry-time"
SIGNATURE = "entry-signature"

_HELD = {
    FORM: "every entry is in canonical form",
    ORIGIN: "every entry names this log",
    SEQUENCE: "sequence numbers run from 0 without gap",
    LINK: "every entry names the hash of the one before it",
    TIME: "times of receipt never fall",
    SIGNATURE: "every statement is signed by the key it names",
}
"""Checks in the order of a report, and what is true where one passed."""


@dataclass(frozen=True)
class ChainReport:
    """What an audit found.

    checks: one failed check per thing that broke, in log order, with its sequence number; then one check for each kind
    that did not fail: passed, or not checked and why.
    frontier: the tree over the entries as read; its root is to be compared with a checkpoint.
    head: leaf hash of the last entry in hex, GENESIS_PREV for an empty log: what the next entry's prev must be.
    """

    checks: list[Check]
    frontier: Frontier
    head: str


def check_chain(
    entries: Iterable[bytes],
    origin: str,
    public_key_of: Callable[[Envelope], Ed25519PublicKey | None] | None,
    progress: Callable[[int], None] | None = None,
) -> ChainReport:
    """Checks the exact bytes of all entries, in order from the first.

    origin: the log they should belong to.
    public_key_of: the key that may have signed an entry's statement, None where there is none; the entry then fails.
    If public_key_of itself is None, signatures are not checked, and the report says so.
    progress: called after each entry with the number of entries done.
    An entry that cannot be read is one finding; what it would have said of place, link and signature is not checked.
    After an entry out of place the next one is compared with it, so that a gap is named once and not at every entry
    after it. A finding's seq is the place expected (entry-sequence) or the entry's own.
    """
    findings: list[Check] = []
    frontier = Frontier()
    head = GENESIS_PREV
    expected_seq = 0
    last_time = ""  # text order is time order, and this is before all
    unread = 0

    for data in entries:
        try:
            envelope = parse_envelope(data)
        except MalformedProofError as error:
            findings.append(failed(FORM, f"entry {expected_seq}: {error}", expected_seq))
            unread += 1
            expected_seq += 1
        else:
            # An entry linked to the one before stands at its place, whatever number it states; any other was moved,
            # or something before it was, and its own number is the best name there is.
            place = expected_seq if envelope.prev == head else envelope.seq
            findings.extend(_check_place(envelope, origin, expected_seq, head, last_time))
            if public_key_of is not None:
                findings.extend(_check_signature(envelope, place, public_key_of(envelope)))
            expected_seq = place + 1
            last_time = envelope.recv
        leaf = leaf_hash(data)
        head = leaf.hex()
        frontier = frontier.append(leaf)
        if progress is not None:
            progress(frontier.tree_size)

    checks = findings + _summary(findings, frontier.tree_size, unread, signatures=public_key_of is not None)
    return ChainReport(checks, frontier, head)


def _check_place(envelope: Envelope, origin: str, expected_seq: int, prev: str, last_time: str) -> list[Check]:
    """Findings about an entry's place: log, sequence number, link, time of receipt."""
    findings = []
    linked = envelope.prev == prev
    seq = expected_seq if linked else envelope.seq
    if envelope.log != origin:
        findings.append(failed(ORIGIN, f"entry {seq} belongs to log {envelope.log}, not {origin}", seq))
    if envelope.seq != expected_seq:
        cause = "its number was changed" if linked else "entries were removed, inserted or moved"
        detail = f"entry {expected_seq} expected, entry {envelope.seq} found: {cause}"
        findings.append(failed(SEQUENCE, detail, expected_seq))
    if not linked:
        findings.append(
            failed(
                LINK,
                f"entry {seq} names {envelope.prev[:16]}... as the hash of the entry before it, which is "
                f"{prev[:16]}...: one of the two was changed, or is not in its place",
                seq,
            )
        )
    if envelope.recv < last_time:
        findings.append(failed(TIME, f"entry {seq} received {envelope.recv}, before {last_time}", seq))
    return findings


def _check_signature(envelope: Envelope, seq: int, public_key: Ed25519PublicKey | None) -> list[Check]:
    statement = envelope.statement
    if public_key is None:
        detail = f"entry {seq}: unknown key {statement.kid} of {statement.actor}"
        return [failed(SIGNATURE, detail, seq)]
    try:
        verify_statement_signature(statement, envelope.signature, public_key)
    except BadSignatureError as error:
        return [failed(SIGNATURE, f"entry {seq}: {error}", seq)]
    return []


def _summary(findings: list[Check], entry_count: int, unread: int, *, signatures: bool) -> list[Check]:
    """One check for each kind without a finding."""
    broken = {check.name for check in findings if check.outcome is Outcome.FAILED}
    summary = []
    for name, held in _HELD.items():
        if name in broken:
            continue
        if name == SIGNATURE and not signatures:
            summary.append(not_checked(name, "no keys were given to check signatures with"))
        elif entry_count == 0:
            summary.append(not_checked(name, "the log has no entries", required=False))
        elif unread:
            summary.append(not_checked(name, f"{unread} of {entry_count} entries could not be read; the rest hold"))
        else:
            summary.append(passed(name, f"{held} ({entry_count} entries)"))
    return summary
