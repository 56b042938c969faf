"""Keys of a log that change while it goes on: append, checkpoints and the audit of the whole log, on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import BadSignatureError, ConflictError, InputError, LedgerError, RuleError, StoreError
from ledger.log.checkpoint import format_vkey, make_verifier_key, parse_checkpoint, sign_checkpoint, verify_checkpoint
from ledger.log.cosignature import WitnessPolicy, add_signature_lines
from ledger.log.forms import format_base64
from ledger.log.keyring import Keyring, LogKey, sign_handover, single_key
from ledger.report import Check, Outcome
from ledger.service.append import Draft, actor_key_body, append_entries, append_signed, register_actor
from ledger.service.audit import verify_log
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger, make_actor
from ledger.service.imports import import_signed
from ledger.service.key_changes import (
    add_log_key,
    find_log_key,
    keyring_now,
    retire_log_key,
    revoke_key,
    rotate_actor_key,
)
from ledger.service.log_keys import signed_by
from ledger.service.read import head, plant_of
from ledger.service.witnesses import cosigned
from tests.store_samples import ACTOR, LOG_KEY, ORIGIN, STRANGER, VKEY, receipt, signed_elsewhere
from tests.witness_samples import WITNESSES, line_of

NEW_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(96, 128)))
NEW_ACTOR_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(128, 160)))
OLD, NEW = (make_verifier_key(ORIGIN, key.public_key()) for key in (LOG_KEY, NEW_KEY))
NEW_VKEY = format_vkey(ORIGIN, NEW_KEY.public_key())


def failures(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.outcome is Outcome.FAILED]


def signers(note: str) -> list[str]:
    return [line.key_hash.hex() for line in parse_checkpoint(note)[1]]


def rotated(ledger: Ledger) -> Ledger:
    """The ledger with both keys at hand, after the old one has handed over."""
    both = replace(ledger, next_log_key=NEW_KEY)
    add_log_key(both, NEW_KEY, ACTOR)
    return both


# The log's key


def test_from_the_handover_on_both_keys_sign_and_from_retirement_on_the_new_one_alone(ledger: Ledger) -> None:
    before = make_checkpoint(ledger)
    size = head(ledger).tree_size
    both = replace(ledger, next_log_key=NEW_KEY)
    # A key that is at hand and not in the log signs nothing.
    assert signers(make_checkpoint(both)) == [OLD.key_hash.hex()]
    added = add_log_key(both, NEW_KEY, ACTOR)
    assert added is not None
    assert added.seq == size
    overlap = make_checkpoint(both)
    assert signers(overlap) == [OLD.key_hash.hex(), NEW.key_hash.hex()]
    assert verify_checkpoint(overlap, OLD) == verify_checkpoint(overlap, NEW)
    retired = retire_log_key(both, OLD, ACTOR)
    assert retired is not None
    after = make_checkpoint(both)
    assert signers(after) == [NEW.key_hash.hex()]
    assert signed_by(both, after) == NEW_VKEY
    ring = keyring_now(both)
    assert ring == Keyring(ORIGIN, (LogKey(OLD, 0, retired.seq + 1), LogKey(NEW, added.seq + 1)))
    for note, keys in ((before, [OLD]), (overlap, [OLD, NEW]), (after, [NEW])):
        assert [key.vkey for key in ring.verify(note).keys] == keys
    # Said once: the same again says nothing.
    assert add_log_key(both, NEW_KEY, ACTOR) is None
    assert retire_log_key(both, OLD, ACTOR) is None


def test_the_whole_log_holds_for_who_trusts_the_history_the_first_key_or_the_last(ledger: Ledger) -> None:
    make_checkpoint(ledger)
    both = rotated(ledger)
    make_checkpoint(both)
    retire_log_key(both, OLD, ACTOR)
    new = replace(ledger, log_key=NEW_KEY)
    append_entries(new, [receipt("IN-1")], ACTOR)
    make_checkpoint(new)
    for trusted in (keyring_now(both), VKEY, NEW_VKEY, single_key(OLD)):
        assert failures(verify_log(new, trusted)) == []
    stranger = format_vkey(ORIGIN, Ed25519PrivateKey.generate().public_key())
    assert failures(verify_log(new, stranger))


def test_a_process_that_still_holds_the_retired_key_alone_signs_nothing(ledger: Ledger) -> None:
    both = rotated(ledger)
    make_checkpoint(both)
    retire_log_key(both, OLD, ACTOR)
    append_entries(both, [receipt("IN-1")], ACTOR)
    pinned = both.pin_path.read_text()
    with pytest.raises(StoreError, match="a key that may sign size"):
        make_checkpoint(ledger)
    assert both.pin_path.read_text() == pinned
    # One that holds both signs with the new one.
    assert signers(make_checkpoint(both)) == [NEW.key_hash.hex()]


def test_a_checkpoint_signed_after_retirement_by_the_old_key_alone_is_found(ledger: Ledger) -> None:
    both = rotated(ledger)
    make_checkpoint(both)
    retire_log_key(both, OLD, ACTOR)
    checkpoint, _ = parse_checkpoint(make_checkpoint(both))
    forged = sign_checkpoint(checkpoint, LOG_KEY)
    ring = keyring_now(both)
    with pytest.raises(BadSignatureError, match="may sign sizes from 0 to"):
        ring.verify(forged)
    both.pin_path.write_text(forged)
    assert "pinned-checkpoint" in [check.name for check in failures(verify_log(both, ring))]


def test_a_handover_by_a_key_that_never_signed_this_log_is_refused(ledger: Ledger) -> None:
    size = head(ledger).tree_size
    thief = Ed25519PrivateKey.from_private_bytes(bytes(range(160, 192)))

    def body(origin: str, old: Ed25519PrivateKey) -> dict[str, Any]:
        signatures = sign_handover(origin, old, NEW_KEY, size + 1)
        return {
            "vkey": format_vkey(origin, NEW_KEY.public_key()),
            "old_vkey": format_vkey(origin, old.public_key()),
            "from_size": size + 1,
            "old_signature": format_base64(signatures[0]),
            "new_signature": format_base64(signatures[1]),
        }

    for wrong in (body("example.com/other", LOG_KEY), body(ORIGIN, thief)):
        with pytest.raises(RuleError):
            append_entries(ledger, [Draft("log_key_added", wrong)], ACTOR)
    with pytest.raises(InputError):
        append_entries(ledger, [Draft("log_key_added", body(ORIGIN, LOG_KEY) | {"new_signature": "x"})], ACTOR)
    assert head(ledger).tree_size == size
    assert append_entries(ledger, [Draft("log_key_added", body(ORIGIN, LOG_KEY))], ACTOR)[0].seq == size


def test_the_only_key_of_a_log_is_neither_retired_nor_revoked(ledger: Ledger) -> None:
    for change in (
        lambda: retire_log_key(ledger, OLD, ACTOR),
        lambda: revoke_key(ledger, "log", VKEY, "stolen", ACTOR),
    ):
        with pytest.raises(RuleError):
            change()
    both = rotated(ledger)
    revoke_key(both, "log", VKEY, "stolen", ACTOR)
    with pytest.raises(RuleError):
        revoke_key(both, "log", NEW_VKEY, "stolen, too", ACTOR)


def test_a_revoked_log_key_signs_no_more_and_the_new_one_beside_it_does(ledger: Ledger) -> None:
    both = rotated(ledger)
    undated = make_checkpoint(ledger)
    revoked = revoke_key(both, "log", find_log_key(both, OLD.key_hash.hex()), "stolen", ACTOR)
    assert signers(make_checkpoint(both)) == [NEW.key_hash.hex()]
    ring = keyring_now(both)
    old = ring.keys[0]
    assert (old.to_size, old.revoked is not None and old.revoked.seq) == (revoked.seq + 1, revoked.seq)
    # Signed by the old key alone, dated by nobody: it could as well have been made by the thief.
    with pytest.raises(BadSignatureError, match=f"entry {revoked.seq} revokes the key"):
        ring.verify(undated)
    assert retire_log_key(both, OLD, ACTOR) is None, "revoking has ended it"


def test_what_a_stolen_log_key_signed_is_dated_by_as_many_witnesses_as_are_needed(ledger: Ledger) -> None:
    both = replace(rotated(ledger), witnesses=WitnessPolicy(2, WITNESSES))
    undated = make_checkpoint(ledger)  # by the old key alone
    revoke_key(both, "log", find_log_key(both, OLD.key_hash.hex()), "stolen", ACTOR)
    make_checkpoint(both)
    hour_before = int(datetime(2026, 5, 4, 7, tzinfo=UTC).timestamp())  # the log's clock begins at eight
    outcomes = []
    for which in (0, 1):
        line = line_of(which, undated, hour_before)
        cosigned(both, undated, lambda note, _path_from, line=line: (add_signature_lines(note, [line]), []))
        counted = [check for check in verify_log(both, VKEY) if "count for nothing" in check.detail]
        outcomes.append(len(counted))
    assert outcomes == [1, 0], "one of two that are needed dates nothing"


def test_a_handover_while_others_log_is_said_of_the_size_that_it_gets(ledger: Ledger) -> None:
    other = replace(ledger, state=ledger.state)
    stop = threading.Event()
    failed: list[LedgerError] = []

    def log_on() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                append_entries(other, [receipt(f"IN-{number}")], ACTOR)
            except LedgerError as error:
                failed.append(error)
                return

    writer = threading.Thread(target=log_on)
    writer.start()
    try:
        added = add_log_key(ledger, NEW_KEY, ACTOR)
    except ConflictError:
        added = None  # twenty times in a row somebody was quicker: refused, not said of another size
    finally:
        stop.set()
        writer.join()
    assert not failed
    ranges = plant_of(ledger).keys.log_ranges
    assert ranges.get(NEW_VKEY) == (None if added is None else (added.seq + 1, None))


# Actors' keys


def test_after_a_rotation_the_new_key_signs_and_the_old_one_is_refused(ledger: Ledger) -> None:
    rotation = rotate_actor_key(ledger, ACTOR, NEW_ACTOR_KEY)
    assert rotation is not None
    new = make_actor(ACTOR.actor, NEW_ACTOR_KEY)
    append_entries(ledger, [receipt("IN-1")], new)
    with pytest.raises(RuleError, match=f"entry {rotation.seq} rotated this one"):
        append_entries(ledger, [receipt("IN-2")], ACTOR)
    assert rotate_actor_key(ledger, ACTOR, NEW_ACTOR_KEY) is None
    assert plant_of(ledger).keys.actors[new.kid].role == "operator"
    assert failures(verify_log(ledger, VKEY)) == []


def test_nobody_rotates_a_key_that_is_not_theirs(ledger: Ledger) -> None:
    register_actor(ledger, STRANGER, ACTOR, "operator")
    with pytest.raises(RuleError):
        rotate_actor_key(ledger, replace(ACTOR, private_key=STRANGER.private_key), NEW_ACTOR_KEY)
    with pytest.raises(LedgerError):
        rotate_actor_key(ledger, replace(STRANGER, kid=ACTOR.kid, actor=ACTOR.actor), NEW_ACTOR_KEY)


def test_a_revoked_key_is_refused_from_the_next_entry_on_and_what_it_signed_holds(ledger: Ledger) -> None:
    register_actor(ledger, STRANGER, ACTOR, "laboratory")
    append_entries(ledger, [receipt("IN-1")], STRANGER)
    revoked = revoke_key(ledger, "actor", STRANGER.kid, "laptop stolen", ACTOR)
    with pytest.raises(RuleError, match=f"entry {revoked.seq} revoked this one"):
        append_entries(ledger, [receipt("IN-2")], STRANGER)
    append_entries(ledger, [receipt("IN-2")], ACTOR)
    assert failures(verify_log(ledger, VKEY)) == []


@pytest.mark.parametrize(("compromised_from", "flagged"), [(None, None), (3, "4, 5"), (5, "5"), (6, None)])
def test_the_audit_names_entries_that_may_be_by_a_thief_and_calls_them_unchecked(
    ledger: Ledger, compromised_from: int | None, flagged: str | None
) -> None:
    # Entry 2 is the last of the fixture, 3 registers the stranger, who makes 4 and 5; 6 revokes their key.
    register_actor(ledger, STRANGER, ACTOR, "operator")
    append_entries(ledger, [receipt("IN-1")], STRANGER)
    append_entries(ledger, [receipt("IN-2")], STRANGER)
    revoke_key(ledger, "actor", STRANGER.kid, "laptop stolen", ACTOR, compromised_from)
    checks = verify_log(ledger, VKEY)
    assert failures(checks) == []
    named = [check for check in checks if check.name == "compromised-keys"]
    assert [check.outcome for check in named] == ([] if flagged is None else [Outcome.NOT_CHECKED])
    if flagged is not None:
        # Entry 3, in the span, is by another key.
        assert f"entries {flagged} are signed" in named[0].detail


def test_the_audit_names_entries_by_a_key_that_a_thief_registered(ledger: Ledger) -> None:
    thief = make_actor("operator-9", NEW_ACTOR_KEY)
    register_actor(ledger, STRANGER, ACTOR)  # 3
    register_actor(ledger, thief, STRANGER)  # 4
    append_entries(ledger, [receipt("IN-1")], thief)  # 5
    append_entries(ledger, [receipt("IN-2")], ACTOR)  # 6
    revoke_key(ledger, "actor", STRANGER.kid, "laptop stolen", ACTOR, 4)  # 7
    append_entries(ledger, [receipt("IN-3")], thief)  # 8: nobody has revoked the thief's own key yet
    checks = verify_log(ledger, VKEY)
    assert failures(checks) == []
    (named,) = [check for check in checks if check.name == "compromised-keys"]
    assert "entries 4, 5, 8 are signed" in named.detail


def test_a_laboratory_revokes_its_own_key_and_no_other(ledger: Ledger) -> None:
    register_actor(ledger, STRANGER, ACTOR, "laboratory")
    with pytest.raises(RuleError, match="an operator"):
        revoke_key(ledger, "actor", ACTOR.kid, "out of spite", STRANGER)
    revoke_key(ledger, "actor", STRANGER.kid, "laptop stolen", STRANGER)
    assert plant_of(ledger).keys.actors[STRANGER.kid].ended == "revoked"
    assert failures(verify_log(ledger, VKEY)) == []


NOT_A_LABORATORYS = [
    ("actor_key", actor_key_body(make_actor("operator-9", NEW_ACTOR_KEY), "operator")),
    ("private_erased", {"subject": "party/P-1", "reason": "out of spite"}),
]


@pytest.mark.parametrize(("entry_type", "body"), NOT_A_LABORATORYS)
def test_a_laboratory_registers_no_key_and_erases_nothing_by_whatever_door(
    ledger: Ledger, entry_type: str, body: dict[str, Any]
) -> None:
    register_actor(ledger, STRANGER, ACTOR, "laboratory")
    with pytest.raises(RuleError, match="role is laboratory"):
        append_entries(ledger, [Draft(entry_type, body)], STRANGER)
    for dry_run in (True, False):
        with pytest.raises(RuleError, match="role is laboratory"):
            append_signed(ledger, [signed_elsewhere(STRANGER, entry_type, body)], dry_run=dry_run)
    assert head(ledger).tree_size == 4


@pytest.mark.parametrize(("entry_type", "body"), NOT_A_LABORATORYS)
def test_the_audit_finds_a_key_or_an_erasure_by_a_laboratory(
    ledger: Ledger, entry_type: str, body: dict[str, Any]
) -> None:
    register_actor(ledger, STRANGER, ACTOR, "laboratory")
    append_entries(ledger, [receipt("IN-1")], STRANGER)
    import_signed(ledger, [signed_elsewhere(STRANGER, entry_type, body)], keys=None)  # which applies no rules
    append_entries(ledger, [receipt("IN-2")], ACTOR)
    (found,) = [check for check in failures(verify_log(ledger, VKEY)) if check.seq == 5]
    assert "role is laboratory" in found.detail


@pytest.mark.parametrize(("kind", "key"), [("actor", "x"), ("log", "x"), ("issuer", "x"), ("witness", "x"), ("x", "x")])
def test_a_revocation_that_names_no_key_of_its_kind_is_refused(ledger: Ledger, kind: str, key: str) -> None:
    with pytest.raises(InputError):
        revoke_key(ledger, kind, key, "no reason", ACTOR)


def test_keys_that_the_entries_do_not_speak_of_are_revoked_by_name(ledger: Ledger) -> None:
    revoke_key(ledger, "issuer", "ab" * 32, "key lost", ACTOR)
    assert plant_of(ledger).keys.revoked["issuer", "ab" * 32][1].reason == "key lost"
    with pytest.raises(RuleError):
        find_log_key(ledger, "00000000")
