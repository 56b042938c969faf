"""The audit of a whole log: what it finds, where, and what it leaves to others."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.log.chain import FORM, LINK, ORIGIN, SEQUENCE, SIGNATURE, TIME, ChainReport, check_chain
from ledger.log.envelope import GENESIS_PREV, Envelope, envelope_bytes, parse_envelope
from ledger.log.merkle import Frontier, leaf_hash, root_hash
from ledger.report import Outcome, all_hold
from tests.log_samples import ACTOR_KEY, OTHER_KEY, make_envelope, make_log, make_statement
from tests.log_samples import ORIGIN as LOG

ENTRIES = make_log(8)
ALL = {FORM, ORIGIN, SEQUENCE, LINK, TIME, SIGNATURE}


def actor_key(_: Envelope) -> Ed25519PublicKey:
    return ACTOR_KEY.public_key()


def audit(entries: Sequence[bytes]) -> ChainReport:
    return check_chain(entries, LOG, actor_key)


def findings(report: ChainReport) -> list[tuple[str, int | None]]:
    """Name and sequence number of what failed, in the order found."""
    return [(check.name, check.seq) for check in report.checks if check.outcome is Outcome.FAILED]


def outcomes(report: ChainReport) -> dict[str, Outcome]:
    return {check.name: check.outcome for check in report.checks}


def rechained(envelopes: Sequence[Envelope]) -> list[bytes]:
    """The entries as a careful forger would write them: each with the hash of the one before it."""
    entries: list[bytes] = []
    prev = GENESIS_PREV
    for envelope in envelopes:
        entries.append(envelope_bytes(dataclasses.replace(envelope, prev=prev)))
        prev = leaf_hash(entries[-1]).hex()
    return entries


def test_a_whole_log_passes_every_check_and_gives_its_tree() -> None:
    report = audit(ENTRIES)
    assert outcomes(report) == dict.fromkeys(ALL, Outcome.PASSED)
    assert all_hold(report.checks)
    assert report.frontier.tree_size == 8
    assert report.frontier.root() == root_hash([leaf_hash(entry) for entry in ENTRIES])
    assert report.head == leaf_hash(ENTRIES[-1]).hex()


def test_an_empty_log_has_nothing_to_check_and_does_not_claim_to_have_passed() -> None:
    report = audit([])
    assert outcomes(report) == dict.fromkeys(ALL, Outcome.NOT_CHECKED)
    assert report.frontier == Frontier()
    assert report.head == GENESIS_PREV


def test_without_keys_signatures_are_not_checked_and_the_verdict_is_not_positive() -> None:
    report = check_chain(ENTRIES, LOG, None)
    assert outcomes(report) == dict.fromkeys(ALL, Outcome.PASSED) | {SIGNATURE: Outcome.NOT_CHECKED}
    assert not all_hold(report.checks)


def test_an_edited_statement_breaks_its_signature_and_the_next_link() -> None:
    changed = ENTRIES[3].replace(b"12.500", b"12.501")
    report = audit([*ENTRIES[:3], changed, *ENTRIES[4:]])
    assert findings(report) == [(SIGNATURE, 3), (LINK, 4)]
    assert outcomes(report)[FORM] is Outcome.PASSED


def test_an_edited_envelope_breaks_the_next_link() -> None:
    changed = envelope_bytes(dataclasses.replace(parse_envelope(ENTRIES[3]), recv="2026-05-04T08:00:03.000001Z"))
    assert findings(audit([*ENTRIES[:3], changed, *ENTRIES[4:]])) == [(LINK, 4)]


def test_an_edited_number_is_found_at_its_place_and_not_at_every_entry_after_it() -> None:
    changed = envelope_bytes(dataclasses.replace(parse_envelope(ENTRIES[3]), seq=1000))
    assert findings(audit([*ENTRIES[:3], changed, *ENTRIES[4:]])) == [(SEQUENCE, 3), (LINK, 4)]


def test_a_removed_entry_is_named() -> None:
    assert findings(audit([*ENTRIES[:3], *ENTRIES[4:]])) == [(SEQUENCE, 3), (LINK, 4)]


def test_a_removed_first_entry_is_named() -> None:
    assert findings(audit(ENTRIES[1:])) == [(SEQUENCE, 0), (LINK, 1)]


def test_an_inserted_entry_is_named() -> None:
    # A copy of entry 2 after itself: it is expected to be entry 3, and its link names entry 1.
    assert findings(audit([*ENTRIES[:3], ENTRIES[2], *ENTRIES[3:]])) == [(SEQUENCE, 3), (LINK, 2)]


def test_swapped_entries_are_named() -> None:
    swapped = [*ENTRIES[:3], ENTRIES[4], ENTRIES[3], *ENTRIES[5:]]
    # Found: 4, 3, 5, where 3, then 5, then 4 were expected; the first fall of the clock is at the second.
    assert findings(audit(swapped)) == [
        (SEQUENCE, 3),
        (LINK, 4),
        (SEQUENCE, 5),
        (LINK, 3),
        (TIME, 3),
        (SEQUENCE, 4),
        (LINK, 5),
    ]


def test_an_entry_that_cannot_be_read_is_one_finding_and_the_rest_is_not_called_passed() -> None:
    broken = ENTRIES[3].replace(b'"v":1}', b'"v":1 }')
    report = audit([*ENTRIES[:3], broken, *ENTRIES[4:]])
    # Its hash changed as well, so the link after it breaks.
    assert findings(report) == [(FORM, 3), (LINK, 4)]
    assert outcomes(report) == {
        FORM: Outcome.FAILED,
        LINK: Outcome.FAILED,
        ORIGIN: Outcome.NOT_CHECKED,
        SEQUENCE: Outcome.NOT_CHECKED,
        TIME: Outcome.NOT_CHECKED,
        SIGNATURE: Outcome.NOT_CHECKED,
    }


def test_garbage_at_the_end_is_found() -> None:
    assert findings(audit([*ENTRIES, b"garbage"])) == [(FORM, 8)]


def test_a_cut_tail_is_not_seen_by_the_chain_but_by_the_frontier() -> None:
    report = audit(ENTRIES[:6])
    assert findings(report) == []
    assert report.frontier.tree_size == 6
    assert report.frontier.root() != root_hash([leaf_hash(entry) for entry in ENTRIES])


def test_every_fault_is_found_not_only_the_first() -> None:
    changed = [
        entry.replace(b"12.500", b"12.501") if number in (1, 5) else entry for number, entry in enumerate(ENTRIES)
    ]
    assert findings(audit(changed)) == [(SIGNATURE, 1), (LINK, 2), (SIGNATURE, 5), (LINK, 6)]


def test_an_entry_of_another_log_is_found() -> None:
    foreign = rechained([make_envelope(0, GENESIS_PREV), make_envelope(1, GENESIS_PREV, log="example.com/other")])
    assert findings(audit(foreign)) == [(ORIGIN, 1)]


def test_a_clock_that_steps_back_is_found_once() -> None:
    times = ["10", "12", "11", "11", "13"]
    envelopes = [
        make_envelope(seq, GENESIS_PREV, recv=f"2026-05-04T08:00:{second}.000000Z") for seq, second in enumerate(times)
    ]
    assert findings(audit(rechained(envelopes))) == [(TIME, 2)]


def test_a_key_nobody_knows_fails_the_entry() -> None:
    def known(envelope: Envelope) -> Ed25519PublicKey | None:
        return None if envelope.seq == 2 else ACTOR_KEY.public_key()

    report = check_chain(ENTRIES, LOG, known)
    assert findings(report) == [(SIGNATURE, 2)]
    (finding,) = [check for check in report.checks if check.outcome is Outcome.FAILED]
    assert "unknown key" in finding.detail


def test_a_statement_signed_by_a_key_that_is_not_its_actors_fails() -> None:
    foreign = rechained([make_envelope(0, GENESIS_PREV), make_envelope(1, GENESIS_PREV, key=OTHER_KEY)])
    assert findings(audit(foreign)) == [(SIGNATURE, 1)]


def test_a_signature_moved_to_another_statement_fails() -> None:
    moved = make_envelope(0, GENESIS_PREV, statement=make_statement(7))
    assert findings(audit([envelope_bytes(moved)])) == [(SIGNATURE, 0)]


def test_progress_is_told_after_each_entry() -> None:
    told: list[int] = []
    check_chain(iter(ENTRIES), LOG, None, told.append)
    assert told == [1, 2, 3, 4, 5, 6, 7, 8]
