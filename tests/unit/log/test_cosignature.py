"""Cosignatures and policies. Known answers come from other people's witnesses and programs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ledger.errors import BadSignatureError, InputError, MalformedProofError
from ledger.log.checkpoint import (
    Checkpoint,
    format_vkey,
    make_verifier_key,
    parse_checkpoint,
    parse_vkey,
    sign_checkpoint,
    verify_checkpoint,
)
from ledger.log.cosignature import (
    MAX_SKEW,
    NO_WITNESSES,
    WitnessPolicy,
    add_signature_lines,
    check_policy,
    cosign,
    cosignatures_of,
    format_witness_vkey,
    holds_lines_of,
    make_witness_key,
    parse_witness_vkey,
    without_cosignatures,
)
from ledger.log.forms import format_base64, parse_base64
from ledger.report import Outcome
from tests.log_samples import LOG_KEY, ORIGIN, OTHER_KEY
from tests.witness_samples import KEYS, NAMES, NOW, SIGNED_AT, WITNESSES, line_of

CHECKPOINT = Checkpoint(ORIGIN, 5, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, LOG_KEY)
COSIGNED = add_signature_lines(NOTE, [line_of(0, NOTE), line_of(1, NOTE, SIGNED_AT + 60)])
TWO_OF_THREE = WitnessPolicy(2, WITNESSES)

# A checkpoint of the public certificate log arche2025h1 (staging) with the line of the public witness remora, as both
# publish them.
REMORA_VKEY = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
REMORA_NOTE = (
    "arche2025h1.staging.ct.transparency.dev\n1432088532\nU7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n\n"
    "— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei5"
    "9RA23oHP7Ry1k3ZFWwQ=\n"
    "— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0D"
    "rAWfBw==\n"
)
REMORA_TIME = 0x6A122120  # the 8 bytes after the key hash

# aics-tlog 0.2.1 (cosign.sign_cosignature, cosignature_vkey) with the key of bytes 96 to 127, witness.example.com/w1,
# time 1679315147, over origin ORIGIN, size 5 and the root that is SHA-256("root").
AICS_VKEY = "witness.example.com/w1+68d2b24d+BBdFU7RW3d/GkI7KscEB/mqyHiuqBhd5W31DpjSCmT/V"
AICS_LINE = (
    "— witness.example.com/w1 aNKyTQAAAABkGFDLTX6uo7U9i+yRGaomdKdYhicTynDANzYS5WBvWL5vGQWFrl1ggYq64wLuTCwxAwcZqcoejQQU"
    "y128IwL+bMDeBQ==\n"
)
AICS_ROOT = "4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2"  # printf root | sha256sum


def test_the_cosignature_of_a_public_witness_verifies() -> None:
    remora = parse_witness_vkey(REMORA_VKEY)
    assert format_witness_vkey(remora) == REMORA_VKEY
    assert cosignatures_of(REMORA_NOTE, [remora]) == [(remora, REMORA_TIME)]


def test_the_cosignature_of_a_public_witness_is_over_this_size_and_no_other() -> None:
    with pytest.raises(BadSignatureError, match=r"remora\.n621\.de"):
        cosignatures_of(REMORA_NOTE.replace("\n1432088532\n", "\n1432088533\n"), [parse_witness_vkey(REMORA_VKEY)])


def test_a_cosignature_is_byte_for_byte_that_of_another_program() -> None:
    checkpoint = Checkpoint(ORIGIN, 5, bytes.fromhex(AICS_ROOT))
    assert format_witness_vkey(WITNESSES[0]) == AICS_VKEY
    assert cosign(checkpoint, NAMES[0], KEYS[0], 1_679_315_147) == AICS_LINE


def test_the_log_s_own_signature_still_verifies_under_cosignatures() -> None:
    assert verify_checkpoint(COSIGNED, make_verifier_key(ORIGIN, LOG_KEY.public_key())) == CHECKPOINT


def test_a_witness_s_key_is_no_log_s_key_and_the_other_way_round() -> None:
    with pytest.raises(InputError):
        parse_vkey(format_witness_vkey(WITNESSES[0]))
    with pytest.raises(InputError):
        parse_witness_vkey(format_vkey(NAMES[0], KEYS[0].public_key()))


@pytest.mark.parametrize(
    "text",
    [
        AICS_VKEY.replace("68d2b24d", "68d2b24e"),
        AICS_VKEY.replace("w1+", "w2+"),
        AICS_VKEY + "\n",
        AICS_VKEY[:-4],
        AICS_VKEY.replace("+68d2b24d+", "+68D2B24D+"),
        "",
    ],
)
def test_a_changed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_witness_vkey(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "größe", "x" * 256])
def test_a_name_that_cannot_stand_in_a_line_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        make_witness_key(name, KEYS[0].public_key())


@pytest.mark.parametrize("time", [0, -1, 2**63])
def test_nothing_is_cosigned_at_an_impossible_time(time: int) -> None:
    with pytest.raises(InputError, match="time"):
        cosign(CHECKPOINT, NAMES[0], KEYS[0], time)


# Policies


def test_enough_cosignatures_pass_and_are_named_with_their_times() -> None:
    check = check_policy(COSIGNED, TWO_OF_THREE, NOW)
    assert check.outcome is Outcome.PASSED
    assert check.required
    assert "witness.example.com/w1 at 2026-05-04 08:00:00 UTC" in check.detail
    assert "buyer.example.com/witness at 2026-05-04 08:01:00 UTC" in check.detail


def test_too_few_cosignatures_fail_and_name_who_is_missing() -> None:
    check = check_policy(COSIGNED, WitnessPolicy(3, WITNESSES), NOW)
    assert check.outcome is Outcome.FAILED
    assert "2 of the 3" in check.detail
    assert check.detail.endswith("trade-body.example.org/w")


def test_two_lines_of_one_witness_count_once_with_the_earlier_time() -> None:
    twice = NOTE + line_of(0, NOTE, SIGNED_AT + 30) + line_of(0, NOTE)
    assert cosignatures_of(twice, WITNESSES) == [(WITNESSES[0], SIGNED_AT)]
    assert check_policy(twice, TWO_OF_THREE, NOW).outcome is Outcome.FAILED


def test_one_key_under_two_names_is_refused_as_two_witnesses() -> None:
    alias = make_witness_key("alias.example.com", KEYS[0].public_key())
    with pytest.raises(InputError, match="each key once"):
        WitnessPolicy(2, (WITNESSES[0], alias))


def test_a_policy_that_needs_more_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="/witnesses_needed"):
        WitnessPolicy(1, ())


def test_an_unknown_line_is_ignored() -> None:
    stranger = cosign(NOTE, "stranger.example.com", OTHER_KEY, SIGNED_AT)
    assert check_policy(COSIGNED + stranger, TWO_OF_THREE, NOW).outcome is Outcome.PASSED
    assert check_policy(NOTE + stranger, WitnessPolicy(1, WITNESSES), NOW).outcome is Outcome.FAILED


def test_a_line_in_a_witness_s_name_by_another_key_is_ignored_and_does_not_count() -> None:
    impostor = cosign(NOTE, NAMES[0], OTHER_KEY, SIGNED_AT)
    assert check_policy(NOTE + impostor, WitnessPolicy(1, WITNESSES), NOW).outcome is Outcome.FAILED


def blob_line(blob: bytes) -> str:
    return f"— {NAMES[2]} {format_base64(blob)}\n"


BLOB = parse_base64(line_of(2, NOTE).split(" ")[2].strip(), "")
BAD_LINES = {
    "signature with one bit changed": blob_line(BLOB[:-1] + bytes([BLOB[-1] ^ 1])),
    "time with one bit changed": blob_line(BLOB[:11] + bytes([BLOB[11] ^ 1]) + BLOB[12:]),
    "time 0": blob_line(BLOB[:4] + bytes(8) + BLOB[12:]),
    "time 2^63": blob_line(BLOB[:4] + (2**63).to_bytes(8, "big") + BLOB[12:]),
    "one byte too many": blob_line(BLOB + b"\0"),
    "one byte too few": blob_line(BLOB[:-1]),
    "plain signature without time": blob_line(BLOB[:4] + KEYS[2].sign(CHECKPOINT.body().encode())),
    "cosignature of another checkpoint": line_of(2, sign_checkpoint(Checkpoint(ORIGIN, 6, bytes(32)), LOG_KEY)),
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_of_a_named_witness_fails_even_if_enough_others_hold(line: str) -> None:
    assert check_policy(COSIGNED, TWO_OF_THREE, NOW).outcome is Outcome.PASSED
    check = check_policy(COSIGNED + line, TWO_OF_THREE, NOW)
    assert check.outcome is Outcome.FAILED
    assert NAMES[2] in check.detail


def test_time_zero_is_refused_even_if_the_witness_has_signed_it() -> None:
    message = f"cosignature/v1\ntime 0\n{CHECKPOINT.body()}".encode()
    line = blob_line(WITNESSES[2].key_hash + bytes(8) + KEYS[2].sign(message))
    with pytest.raises(BadSignatureError, match="time 0"):
        cosignatures_of(NOTE + line, WITNESSES)


def test_a_time_ahead_of_the_verifier_s_clock_is_refused_beyond_the_skew() -> None:
    skew = int(MAX_SKEW.total_seconds())
    policy = WitnessPolicy(1, WITNESSES)
    assert check_policy(NOTE + line_of(0, NOTE, SIGNED_AT + skew), policy, NOW).outcome is Outcome.PASSED
    ahead = NOTE + line_of(0, NOTE, SIGNED_AT + skew + 1)
    assert check_policy(ahead, policy, NOW).outcome is Outcome.FAILED
    assert check_policy(ahead, policy, NOW + timedelta(seconds=1)).outcome is Outcome.PASSED
    assert check_policy(ahead, policy).outcome is Outcome.PASSED  # without a clock it is not looked at


def test_a_time_past_the_calendar_s_end_is_shown_and_refused() -> None:
    ahead = NOTE + line_of(0, NOTE, 2**63 - 1)
    assert check_policy(ahead, WitnessPolicy(1, WITNESSES), NOW).outcome is Outcome.FAILED
    assert "9223372036854775807 seconds" in check_policy(ahead, WitnessPolicy(1, WITNESSES)).detail


def test_a_malformed_note_fails_a_policy() -> None:
    assert check_policy("not a note", TWO_OF_THREE, NOW).outcome is Outcome.FAILED


def test_where_no_witness_is_needed_and_none_has_signed_nothing_was_checked() -> None:
    for policy in (NO_WITNESSES, WitnessPolicy(0, WITNESSES)):
        check = check_policy(NOTE, policy, NOW)
        assert check.outcome is Outcome.NOT_CHECKED
        assert not check.required
        assert "nobody beside the log has confirmed the checkpoint" in check.detail


def test_where_no_witness_is_needed_a_cosignature_is_named_and_a_bad_one_still_fails() -> None:
    policy = WitnessPolicy(0, WITNESSES)
    assert check_policy(COSIGNED, policy, NOW).outcome is Outcome.PASSED
    assert check_policy(NOTE + BAD_LINES["time 0"], policy, NOW).outcome is Outcome.FAILED


# Adding lines


def test_added_lines_leave_the_note_s_text_and_lines_as_they_are() -> None:
    assert NOTE + line_of(0, NOTE) + line_of(1, NOTE, SIGNED_AT + 60) == COSIGNED


def test_a_line_of_a_key_that_has_one_is_not_added_again() -> None:
    assert add_signature_lines(COSIGNED, [line_of(0, NOTE), line_of(0, NOTE, SIGNED_AT + 1)]) == COSIGNED
    log_line = NOTE.split("\n\n")[1]
    assert add_signature_lines(NOTE, [log_line]) == NOTE


@pytest.mark.parametrize(
    "line", ["", "\n", "— a b", "— a AAAA\n", line_of(0, NOTE) * 2, "\n" + line_of(0, NOTE), "x\n"]
)
def test_what_is_no_signature_line_is_not_added(line: str) -> None:
    with pytest.raises(MalformedProofError):
        add_signature_lines(NOTE, [line])


def test_a_note_without_its_cosignatures_is_the_one_that_the_log_signed() -> None:
    assert without_cosignatures(COSIGNED, WITNESSES) == NOTE
    assert without_cosignatures(COSIGNED, WITNESSES[1:]) == NOTE + line_of(0, NOTE)
    with pytest.raises(MalformedProofError):
        without_cosignatures(NOTE.split("\n\n")[0] + "\n\n" + line_of(0, NOTE), WITNESSES)


def test_a_note_holds_the_lines_of_an_earlier_one_only_with_the_same_text() -> None:
    other = sign_checkpoint(Checkpoint(ORIGIN, 6, bytes(range(32))), LOG_KEY)
    assert holds_lines_of(COSIGNED, NOTE)
    assert holds_lines_of(NOTE, NOTE)
    assert not holds_lines_of(NOTE, COSIGNED)
    assert not holds_lines_of(other, NOTE)


def test_a_cosigned_note_is_still_one_that_others_read() -> None:
    assert [line.name for line in parse_checkpoint(COSIGNED)[1]] == [ORIGIN, NAMES[0], NAMES[1]]
