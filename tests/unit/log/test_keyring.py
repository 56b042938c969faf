"""The history of a log's keys: which signature counts at which size, revocation by date, handover, keys.json."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import BadSignatureError, InputError, MalformedProofError, RuleError
from ledger.log.checkpoint import Checkpoint, format_vkey, make_verifier_key, sign_checkpoint
from ledger.log.keyring import (
    Keyring,
    LogKey,
    Revocation,
    as_keyring,
    check_handover,
    format_keyring,
    handover_bytes,
    keyring_value,
    keyrings,
    parse_keyring,
    sign_handover,
    single_key,
)
from tests.log_samples import LOG_KEY, ORIGIN, OTHER_KEY

THIRD_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(96, 128)))
OLD, NEW, THIRD = (make_verifier_key(ORIGIN, key.public_key()) for key in (LOG_KEY, OTHER_KEY, THIRD_KEY))

# The old key signs up to size 19, the new one from size 10 on: from 10 to 19 both do.
RING = Keyring(ORIGIN, (LogKey(OLD, 0, 20), LogKey(NEW, 10)))
REVOKED = Keyring(ORIGIN, (LogKey(OLD, 0, 20, Revocation(19, "2026-05-04T08:00:30.500000Z")), LogKey(NEW, 10)))

ROOT = bytes(range(32))


def note_of(size: int, *keys: Ed25519PrivateKey) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, size, ROOT), *keys)


def second(number: int) -> datetime:
    return datetime(2026, 5, 4, 8, 0, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "signed_by", "counting"),
    [
        # before the overlap
        (9, [LOG_KEY], [OLD]),
        (9, [OTHER_KEY], None),
        (9, [LOG_KEY, OTHER_KEY], [OLD]),
        # the overlap, first size and last
        (10, [LOG_KEY], [OLD]),
        (10, [OTHER_KEY], [NEW]),
        (10, [LOG_KEY, OTHER_KEY], [OLD, NEW]),
        (19, [OTHER_KEY, LOG_KEY], [OLD, NEW]),
        (19, [LOG_KEY], [OLD]),
        # after it
        (20, [LOG_KEY], None),
        (20, [OTHER_KEY], [NEW]),
        (20, [LOG_KEY, OTHER_KEY], [NEW]),
        (2**53 - 1, [LOG_KEY], None),
        (2**53 - 1, [OTHER_KEY], [NEW]),
        # a key that the history does not hold, alone and beside others
        (15, [THIRD_KEY], None),
        (15, [THIRD_KEY, OTHER_KEY], [NEW]),
        (20, [THIRD_KEY, LOG_KEY], None),
    ],
)
def test_a_key_signs_the_sizes_in_its_range_and_no_other(size: int, signed_by: Any, counting: Any) -> None:
    note = note_of(size, *signed_by)
    if counting is None:
        with pytest.raises(BadSignatureError):
            RING.verify(note)
    else:
        signed = RING.verify(note)
        assert [key.vkey for key in signed.keys] == counting
        assert signed.checkpoint == Checkpoint(ORIGIN, size, ROOT)


def test_a_key_out_of_its_range_is_named_with_the_sizes_that_it_may_sign() -> None:
    with pytest.raises(BadSignatureError, match=f"{OLD.key_hash.hex()} may sign sizes from 0 to 19"):
        RING.verify(note_of(20, LOG_KEY))


def test_a_line_that_counts_and_does_not_hold_refuses_the_note_though_another_one_holds() -> None:
    body, lines = note_of(15, LOG_KEY, OTHER_KEY).split("\n\n")
    other_size = note_of(16, LOG_KEY).split("\n\n")[1]
    forged = f"{body}\n\n{other_size}{lines.splitlines(keepends=True)[1]}"
    with pytest.raises(BadSignatureError):
        RING.verify(forged)
    # The same false line does not count where the old key may not sign any more.
    body, lines = note_of(25, OTHER_KEY).split("\n\n")
    assert [key.vkey for key in RING.verify(f"{body}\n\n{other_size}{lines}").keys] == [NEW]


def test_two_lines_by_one_key_and_the_checkpoint_of_another_log_are_refused() -> None:
    note = note_of(15, LOG_KEY)
    with pytest.raises(MalformedProofError):
        RING.verify(note + note.split("\n\n")[1])
    with pytest.raises(BadSignatureError, match="a checkpoint of log"):
        RING.verify(sign_checkpoint(Checkpoint("example.com/other", 15, ROOT), LOG_KEY))


@pytest.mark.parametrize(
    ("size", "signed_by", "dated", "accepted"),
    [
        # The old key was revoked at 08:00:30.5: a date counts before the second 30.
        (15, [LOG_KEY], None, None),
        (15, [LOG_KEY], second(29), [OLD]),
        (15, [LOG_KEY], second(30), None),
        (15, [LOG_KEY], second(31), None),
        # A key in good standing that signed, too, needs no date, and the revoked one is not counted without one.
        (15, [LOG_KEY, OTHER_KEY], None, [NEW]),
        (15, [LOG_KEY, OTHER_KEY], second(29), [OLD, NEW]),
        (15, [LOG_KEY, OTHER_KEY], second(31), [NEW]),
        # A date does not widen a range.
        (20, [LOG_KEY], second(29), None),
        (9, [OTHER_KEY], second(29), None),
        (20, [OTHER_KEY], None, [NEW]),
    ],
)
def test_a_revoked_key_counts_only_for_what_others_dated_before(
    size: int, signed_by: Any, dated: datetime | None, accepted: Any
) -> None:
    note = note_of(size, *signed_by)
    if accepted is None:
        with pytest.raises(BadSignatureError):
            REVOKED.verify(note, dated)
    else:
        assert [key.vkey for key in REVOKED.verify(note, dated).keys] == accepted


def test_the_refusal_of_a_revoked_key_names_the_entry_and_signers_still_names_the_key() -> None:
    note = note_of(15, LOG_KEY)
    with pytest.raises(BadSignatureError, match="entry 19 revokes the key"):
        REVOKED.verify(note)
    assert [key.vkey for key in REVOKED.signers(note).keys] == [OLD]


def test_only_keys_in_their_range_and_not_revoked_sign() -> None:
    assert [key.vkey for key in RING.signing(9)] == [OLD]
    assert [key.vkey for key in RING.signing(10)] == [OLD, NEW]
    assert [key.vkey for key in RING.signing(20)] == [NEW]
    assert [key.vkey for key in REVOKED.signing(15)] == [NEW]


def test_a_verifier_key_is_the_history_of_one_key_that_signs_any_size() -> None:
    text = format_vkey(ORIGIN, LOG_KEY.public_key())
    assert as_keyring(text) == as_keyring(OLD) == as_keyring(single_key(OLD)) == single_key(OLD)
    assert [key.vkey for key in as_keyring(OLD).verify(note_of(2**53 - 1, LOG_KEY)).keys] == [OLD]


# Handing over


def test_a_handover_is_signed_by_both_keys_over_log_keys_and_size() -> None:
    signatures = sign_handover(ORIGIN, LOG_KEY, OTHER_KEY, 10)
    check_handover(OLD, NEW, 10, signatures)
    elsewhere = [make_verifier_key("example.com/other", key.public_key()) for key in (LOG_KEY, OTHER_KEY)]
    for old, new, size, given in (
        (OLD, NEW, 11, signatures),
        (NEW, OLD, 10, signatures),
        (OLD, THIRD, 10, signatures),
        (OLD, NEW, 10, signatures[::-1]),
        (OLD, NEW, 10, (signatures[0], signatures[0])),
        (OLD, NEW, 10, (b"", signatures[1])),
        (elsewhere[0], elsewhere[1], 10, signatures),
    ):
        with pytest.raises(BadSignatureError):
            check_handover(old, new, size, given)


def test_a_handover_is_spelled_as_the_format_says() -> None:
    # docs/log-format.md, section Keys: the encoding of DSSE over canonical JSON, keys in ascending order.
    old, new = RING.keys[0].text, RING.keys[1].text
    payload = f'{{"from_size":10,"new_vkey":"{new}","old_vkey":"{old}","origin":"{ORIGIN}","v":1}}'
    assert handover_bytes(OLD, NEW, 10) == (
        f"DSSEv1 51 application/vnd.magnet-ledger.log-key-handover+json {len(payload)} {payload}".encode()
    )


@pytest.mark.parametrize("new", [OLD, make_verifier_key("example.com/other", OTHER_KEY.public_key())])
def test_a_key_hands_over_neither_to_itself_nor_to_another_log(new: Any) -> None:
    with pytest.raises(InputError, match="another key of"):
        handover_bytes(OLD, new, 10)


def test_a_history_grows_by_handover_and_retirement_and_the_same_again_changes_nothing() -> None:
    grown = single_key(OLD).with_key(NEW, OLD, 10)
    assert grown == Keyring(ORIGIN, (LogKey(OLD), LogKey(NEW, 10)))
    assert grown.with_key(NEW, OLD, 10) == grown
    assert grown.without(OLD, 20) == RING
    assert RING.without(OLD, 20).with_key(NEW, OLD, 10) == RING
    revoked = grown.without(OLD, 20, Revocation(19, "2026-05-04T08:00:30.500000Z"))
    assert revoked == REVOKED == revoked.without(OLD, 20, Revocation(19, "2026-05-04T08:00:30.500000Z"))
    # Retired at 20 and revoked later: the range stays; revoked first, an entry that retires it later changes nothing.
    late = Revocation(40, "2026-05-04T09:00:00.000000Z")
    assert RING.without(OLD, 41, late).keys[0] == LogKey(OLD, 0, 20, late)
    # One that is revoked before its first size keeps a range of that size alone.
    assert Keyring(ORIGIN, (LogKey(OLD), LogKey(NEW, 50))).without(NEW, 41, late).keys[1].to_size == 51


@pytest.mark.parametrize(
    ("ring", "new", "old", "from_size"),
    [
        (single_key(OLD), NEW, THIRD, 10),  # an unknown key hands over
        (RING, THIRD, OLD, 20),  # one that was retired before
        (RING, THIRD, NEW, 9),  # one that does not sign yet
        (REVOKED, THIRD, OLD, 15),  # a revoked one
        (RING, NEW, OLD, 11),  # a known key, from another size on
    ],
)
def test_a_handover_that_does_not_fit_the_history_is_refused(ring: Keyring, new: Any, old: Any, from_size: int) -> None:
    with pytest.raises(RuleError):
        ring.with_key(new, old, from_size)


def test_a_key_ends_once_and_only_if_it_is_known() -> None:
    with pytest.raises(RuleError):
        RING.without(OLD, 21)
    with pytest.raises(RuleError):
        RING.without(THIRD, 30)
    with pytest.raises(RuleError, match="entry 19 revokes it"):
        REVOKED.without(OLD, 31, Revocation(30, "2026-05-04T09:00:00.000000Z"))


# keys.json


@pytest.mark.parametrize("ring", [single_key(OLD), RING, REVOKED])
def test_a_history_is_read_back_as_it_was_written(ring: Keyring) -> None:
    assert parse_keyring(format_keyring(ring)) == ring
    assert parse_keyring(json.dumps(keyring_value(ring), separators=(",", ":"))) == ring


def changed(**changes: Any) -> dict[str, Any]:
    """The value of REVOKED with the first key's members changed; those set to ... are left out."""
    value = keyring_value(REVOKED)
    value["keys"][0].update(changes)
    value["keys"][0] = {name: item for name, item in value["keys"][0].items() if item is not ...}
    return value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ([], ""),
        ({}, "/keys"),
        (keyring_value(RING) | {"v": 2}, "/v"),
        (keyring_value(RING) | {"v": True}, "/v"),
        (keyring_value(RING) | {"more": 1}, "/more"),
        (keyring_value(RING) | {"origin": 5}, "/origin"),
        (keyring_value(RING) | {"origin": "example.com/other"}, "/keys/0/vkey"),
        (keyring_value(RING) | {"keys": []}, "/keys"),
        (keyring_value(RING) | {"keys": {}}, "/keys"),
        (keyring_value(RING) | {"keys": [None]}, "/keys/0"),
        (keyring_value(RING) | {"keys": keyring_value(RING)["keys"][::-1]}, "/keys/1/from_size"),
        (keyring_value(RING) | {"keys": keyring_value(RING)["keys"] * 40}, "/keys"),
        (keyring_value(RING) | {"keys": keyring_value(RING)["keys"][:1] * 2}, "/keys/1/vkey"),
        (changed(vkey=...), "/keys/0/vkey"),
        (changed(vkey=7), "/keys/0/vkey"),
        (changed(vkey="x"), "/keys/0"),
        (changed(other=1), "/keys/0/other"),
        (changed(from_size=-1), "/keys/0/from_size"),
        (changed(from_size=True), "/keys/0/from_size"),
        (changed(from_size="0"), "/keys/0/from_size"),
        (changed(from_size=None), "/keys/0/from_size"),
        (changed(from_size=20), "/keys/0/to_size"),
        (changed(to_size=0), "/keys/0/to_size"),
        (changed(to_size=2**53), "/keys/0/to_size"),
        (changed(to_size=...), "/keys/0/to_size"),
        (changed(revoked=...), "/keys/0/revoked"),
        (changed(revoked=True), "/keys/0"),
        (changed(revoked={"seq": 1}), "/keys/0/at"),
        (changed(revoked={"seq": -1, "at": "2026-05-04T08:00:30.500000Z"}), "/keys/0/seq"),
        (changed(revoked={"seq": 1, "at": "2026-05-04T08:00:30Z"}), "/keys/0/at"),
    ],
)
def test_a_history_that_is_not_of_its_form_is_refused_at_the_field(value: Any, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_keyring(json.dumps(value))
    assert caught.value.problems[0].field == field


@pytest.mark.parametrize("text", ["", "{", '{"v":1,"v":1}', '{"v":1.0}', " " * 200_000, "[" * 100_000])
def test_text_that_is_no_such_json_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_keyring(text)


# A folder of trusted keys


def test_in_a_folder_a_history_counts_alone_and_several_keys_without_one_sign_any_size() -> None:
    old, new = RING.keys[0].text, RING.keys[1].text
    other = format_vkey("example.com/other", THIRD_KEY.public_key())
    rings = keyrings([old, new, other, old], [])
    assert rings == {ORIGIN: Keyring(ORIGIN, (LogKey(OLD), LogKey(NEW))), "example.com/other": as_keyring(other)}
    assert keyrings([new, other], [format_keyring(RING)])[ORIGIN] == RING
    assert keyrings([], []) == {}


def test_a_key_beside_a_history_that_does_not_hold_it_and_a_second_history_are_refused() -> None:
    stranger = format_vkey(ORIGIN, THIRD_KEY.public_key())
    with pytest.raises(InputError, match="a key that the history"):
        keyrings([stranger], [format_keyring(RING)])
    with pytest.raises(InputError, match="one history"):
        keyrings([], [format_keyring(RING), format_keyring(REVOKED)])
