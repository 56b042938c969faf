"""What a witness answers: each status of C2SP tlog-witness, and the order in which its checks are made."""

from __future__ import annotations

import base64

import pytest

from ledger.errors import InputError, MalformedProofError, RootMismatchError
from ledger.log.add_checkpoint import (
    BAD_REQUEST,
    COSIGNED,
    INCONSISTENT,
    MAX_REQUEST_BYTES,
    NO_TRUSTED_SIGNATURE,
    OTHER_SIZE_SEEN,
    UNKNOWN_LOG,
    AddCheckpoint,
    Answer,
    Seen,
    decide,
    format_request,
    parse_request,
)
from ledger.log.checkpoint import Checkpoint, make_verifier_key, sign_checkpoint
from ledger.log.cosignature import add_signature_lines
from ledger.log.forms import format_base64
from ledger.log.merkle import EMPTY_ROOT, consistency_path, leaf_hash, root_hash
from tests.log_samples import LOG_KEY, ORIGIN, OTHER_KEY
from tests.witness_samples import line_of

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(9)]
FORKED = [*LEAVES[:4], leaf_hash(b"another history"), *LEAVES[5:]]
VKEY = make_verifier_key(ORIGIN, LOG_KEY.public_key())


def note(size: int, leaves: list[bytes] = LEAVES) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, size, root_hash(leaves[:size])), LOG_KEY)


def seen(size: int) -> Seen:
    return Seen(size, root_hash(LEAVES[:size]), note(size))


def request(old: int, new: int, leaves: list[bytes] = LEAVES) -> AddCheckpoint:
    return AddCheckpoint(old, tuple(consistency_path(leaves, old, new)), note(new, leaves))


def answer(before: Seen | None, what: AddCheckpoint) -> Answer:
    return decide(before, [VKEY], what)


@pytest.mark.parametrize("old", range(10))
def test_every_growth_from_what_was_seen_is_cosigned(old: int) -> None:
    for new in range(old, 10):
        given = answer(seen(old) if old else None, request(old, new))
        assert given.status == COSIGNED
        assert given.now_seen == seen(new)


def test_the_first_checkpoint_of_a_log_is_cosigned_whatever_its_size() -> None:
    assert answer(None, request(0, 7)).status == COSIGNED


def test_the_first_checkpoint_needs_an_empty_proof() -> None:
    assert answer(None, AddCheckpoint(0, (LEAVES[0],), note(7))).status == INCONSISTENT


def test_the_same_checkpoint_is_cosigned_again() -> None:
    assert answer(seen(5), request(5, 5)).status == COSIGNED


def test_the_same_size_with_a_proof_is_refused() -> None:
    assert answer(seen(5), AddCheckpoint(5, (LEAVES[0],), note(5))).status == INCONSISTENT


def test_an_empty_log_is_cosigned_and_may_grow() -> None:
    empty = AddCheckpoint(0, (), note(0))
    assert answer(None, empty).status == COSIGNED
    assert answer(Seen(0, EMPTY_ROOT, note(0)), empty).status == COSIGNED
    assert answer(Seen(0, EMPTY_ROOT, note(0)), request(0, 3)).status == COSIGNED


def test_the_same_size_with_another_root_is_refused_as_evidence() -> None:
    given = answer(seen(5), AddCheckpoint(5, (), note(5, FORKED)))
    assert (given.status, given.refused) == (INCONSISTENT, Seen(5, root_hash(FORKED[:5]), note(5, FORKED)))
    assert "its root differs" in given.why


def test_a_forked_log_is_refused_as_evidence_whatever_proof_it_brings() -> None:
    for proof in (consistency_path(FORKED, 5, 8), consistency_path(LEAVES, 5, 8), []):
        given = answer(seen(5), AddCheckpoint(5, tuple(proof), note(8, FORKED)))
        assert (given.status, given.now_seen) == (INCONSISTENT, None)
        assert given.refused == Seen(8, root_hash(FORKED[:8]), note(8, FORKED))


@pytest.mark.parametrize("old", [0, 4, 6, 7])
def test_another_old_size_than_the_one_seen_is_answered_with_that(old: int) -> None:
    given = answer(seen(5), request(old, 7))
    assert (given.status, given.seen_size) == (OTHER_SIZE_SEEN, 5)


def test_a_smaller_tree_than_the_one_seen_is_never_cosigned() -> None:
    for old in range(4):
        assert answer(seen(5), request(old, 3)).status == OTHER_SIZE_SEEN
    assert answer(seen(5), AddCheckpoint(5, (), note(3))).status == BAD_REQUEST


def test_an_old_size_above_the_checkpoint_is_a_bad_request() -> None:
    assert answer(None, AddCheckpoint(8, (), note(7))).status == BAD_REQUEST


def test_an_unknown_log_is_not_found_even_with_nonsense_sizes() -> None:
    assert decide(None, [], AddCheckpoint(8, (), note(7))).status == UNKNOWN_LOG


def test_a_signature_by_no_trusted_key_is_forbidden_before_sizes_are_looked_at() -> None:
    by_other = sign_checkpoint(Checkpoint(ORIGIN, 7, root_hash(LEAVES[:7])), OTHER_KEY)
    assert answer(seen(5), AddCheckpoint(8, (), by_other)).status == NO_TRUSTED_SIGNATURE


def test_a_changed_checkpoint_is_forbidden() -> None:
    assert answer(None, AddCheckpoint(0, (), note(7).replace("\n7\n", "\n8\n"))).status == NO_TRUSTED_SIGNATURE


def test_one_trusted_key_of_two_is_enough_but_a_bad_line_of_the_other_spoils_the_note() -> None:
    other = make_verifier_key(ORIGIN, OTHER_KEY.public_key())
    both_trusted = [VKEY, other]
    assert decide(None, both_trusted, request(0, 7)).status == COSIGNED
    bad = sign_checkpoint(Checkpoint(ORIGIN, 6, root_hash(LEAVES[:6])), OTHER_KEY).split("\n\n")[1]
    spoiled = AddCheckpoint(0, (), add_signature_lines(note(7), [bad]))
    assert decide(None, both_trusted, spoiled).status == NO_TRUSTED_SIGNATURE
    assert decide(None, [VKEY], spoiled).status == COSIGNED  # a line of a key that is not trusted is ignored


def test_lines_of_witnesses_do_not_hinder() -> None:
    cosigned = add_signature_lines(note(7), [line_of(0, note(7))])
    given = answer(None, AddCheckpoint(0, (), cosigned))
    assert (given.status, given.now_seen) == (COSIGNED, seen(7))  # and are not kept


# The text


def test_the_example_request_of_the_specification_is_read_and_written_back() -> None:
    # c2sp.org/tlog-witness, "add-checkpoint", its example without the second line of the log's (another type of key).
    text = (
        "old 20852014\n"
        "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n"
        "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=\n"
        "5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=\n"
        "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=\n"
        "\n"
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE"
        "+xeMcTOAYQ8=\n"
    )
    parsed = parse_request(text.encode())
    assert (parsed.old_size, len(parsed.proof), len(parsed.note.splitlines())) == (20852014, 4, 5)
    assert format_request(parsed) == text


GOOD = format_request(request(5, 7))
HASH = format_base64(LEAVES[0])
MALFORMED = {
    "empty": "",
    "no empty line": GOOD.replace("\n\n", "\n"),
    "no old line": GOOD.partition("\n")[2],
    "old in capitals": GOOD.replace("old 5", "Old 5"),
    "two spaces": GOOD.replace("old 5", "old  5"),
    "leading zero": GOOD.replace("old 5", "old 05"),
    "minus": GOOD.replace("old 5", "old -5"),
    "old size too large": GOOD.replace("old 5", f"old {2**53}"),
    "digits of another script": GOOD.replace("old 5", "old ٥"),
    "carriage returns": GOOD.replace("\n", "\r\n"),
    "a hash of 31 bytes": GOOD.replace("old 5\n", f"old 5\n{base64.b64encode(bytes(31)).decode()}\n"),
    "base64 without padding": GOOD.replace("old 5\n", f"old 5\n{HASH.rstrip('=')}\n"),
    "base64 with unused bits": GOOD.replace("old 5\n", f"old 5\n{'A' * 42}B=\n"),
    "64 hashes": "old 5\n" + f"{HASH}\n" * 64 + "\n" + note(7),
    "no checkpoint": "old 5\n\n",
    "checkpoint without signature": "old 5\n\n" + note(7).partition("\n\n")[0] + "\n",
    "checkpoint with an extension line": GOOD.replace("=\n\n— ", "=\nextension\n\n— "),
    "something after the checkpoint": GOOD + "\n",
    "cut in the last line": GOOD[:-1],
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_request_is_refused(text: str) -> None:
    assert parse_request(GOOD.encode()) == request(5, 7)
    with pytest.raises(MalformedProofError):
        parse_request(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(MalformedProofError):
        parse_request(GOOD.encode("utf-16"))


def test_a_request_beyond_the_limit_is_refused_unread() -> None:
    with pytest.raises(MalformedProofError, match=f"at most {MAX_REQUEST_BYTES}"):
        parse_request(b"x" * (MAX_REQUEST_BYTES + 1))


def test_63_hashes_are_read() -> None:
    assert len(parse_request(("old 5\n" + f"{HASH}\n" * 63 + "\n" + note(7)).encode()).proof) == 63


def test_an_empty_tree_with_another_root_is_a_mismatch_and_not_a_matter_of_form() -> None:
    text = "old 0\n\n" + note(0).replace(format_base64(EMPTY_ROOT), HASH)
    with pytest.raises(RootMismatchError):
        parse_request(text.encode())


@pytest.mark.parametrize("old", [-1, 2**53, True, 1.0])
def test_a_request_cannot_be_made_with_an_impossible_size(old: int) -> None:
    with pytest.raises(InputError):
        AddCheckpoint(old, (), note(7))
