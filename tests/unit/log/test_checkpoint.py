"""Checkpoints as C2SP signed notes. Named corruptions of a whole note: test_vectors.py."""

from __future__ import annotations

from typing import Any

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
from ledger.log.forms import format_base64, parse_base64
from ledger.log.merkle import EMPTY_ROOT
from tests.log_samples import LOG_KEY, ORIGIN, OTHER_KEY

CHECKPOINT = Checkpoint(ORIGIN, 1234, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, LOG_KEY)
VKEY = make_verifier_key(ORIGIN, LOG_KEY.public_key())

# golang.org/x/mod/sumdb/note, note_test.go and the note package's documentation: a verifier key and a note it verifies.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_BLOB = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
# The verifier key of Go's checksum database, as built into the go command.
SUMDB_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


@pytest.mark.parametrize("text", [GO_VKEY, SUMDB_VKEY])
def test_verifier_keys_of_others_are_read_and_written_back(text: str) -> None:
    vkey = parse_vkey(text)
    assert format_vkey(vkey.origin, vkey.public_key) == text


def test_a_note_signature_of_others_verifies_over_text_and_carries_the_key_hash() -> None:
    vkey = parse_vkey(GO_VKEY)
    blob = parse_base64(GO_BLOB, "")
    assert blob[:4] == vkey.key_hash
    vkey.public_key.verify(blob[4:], GO_TEXT.encode())


def test_the_example_checkpoint_of_the_specification_is_read() -> None:
    # c2sp.org/tlog-checkpoint, introduction.
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
        "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    checkpoint, signatures = parse_checkpoint(note)
    assert (checkpoint.origin, checkpoint.tree_size) == ("example.com/behind-the-sofa", 20852163)
    assert [(line.name, line.key_hash.hex(), len(line.signature)) for line in signatures] == [
        ("example.com/behind-the-sofa", "033de0ae", 64)
    ]
    assert note.startswith(checkpoint.body() + "\n")


def test_a_signed_checkpoint_verifies_under_its_key() -> None:
    assert verify_checkpoint(NOTE, VKEY) == CHECKPOINT
    assert verify_checkpoint(NOTE, parse_vkey(format_vkey(ORIGIN, LOG_KEY.public_key()))) == CHECKPOINT
    assert NOTE.startswith(f"{ORIGIN}\n1234\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— {ORIGIN} ")


def test_a_checkpoint_is_not_taken_for_one_of_another_log_or_key() -> None:
    with pytest.raises(BadSignatureError):
        verify_checkpoint(NOTE, make_verifier_key("example.com/magnets/site-2", LOG_KEY.public_key()))
    with pytest.raises(BadSignatureError):
        verify_checkpoint(NOTE, make_verifier_key(ORIGIN, OTHER_KEY.public_key()))


def test_a_note_of_another_origin_signed_under_our_key_name_is_refused() -> None:
    body = Checkpoint("example.com/other", 1234, bytes(range(32))).body()
    line = f"— {ORIGIN} {format_base64(VKEY.key_hash + LOG_KEY.sign(body.encode()))}\n"
    with pytest.raises(BadSignatureError):
        verify_checkpoint(f"{body}\n{line}", VKEY)


def test_lines_of_unknown_keys_are_ignored_even_where_they_share_the_name() -> None:
    other = sign_checkpoint(CHECKPOINT, OTHER_KEY).split("\n\n")[1]
    witness = "— witness1.example/größe mJirIklj\n"
    assert verify_checkpoint(NOTE + other + witness + witness, VKEY) == CHECKPOINT
    body, own = NOTE.split("\n\n")
    assert verify_checkpoint(f"{body}\n\n{other}{own}", VKEY) == CHECKPOINT
    with pytest.raises(BadSignatureError):
        verify_checkpoint(f"{body}\n\n{other}{witness}", VKEY)


def test_sixteen_signatures_of_five_kilobytes_are_room_enough() -> None:
    # c2sp.org/signed-note: verifiers must accept at least 16 signatures, which can be nearly 5 kB each.
    lines = [f"— witness{number}.example {format_base64(bytes(4999) + bytes([number]))}\n" for number in range(15)]
    assert verify_checkpoint(NOTE + "".join(lines), VKEY) == CHECKPOINT


def test_a_note_without_end_is_refused_before_it_is_split() -> None:
    with pytest.raises(MalformedProofError):
        parse_checkpoint(NOTE + "— witness.example mJirIklj\n" * 64)
    with pytest.raises(MalformedProofError):
        parse_checkpoint(NOTE + f"— {'x' * 200_000} mJirIklj\n")


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"origin": "a b"}, "/origin"),
        ({"origin": "example.com/a\n999"}, "/origin"),
        ({"tree_size": -1}, "/tree_size"),
        ({"tree_size": 2**53}, "/tree_size"),
        ({"tree_size": True}, "/tree_size"),
        ({"root": b"short"}, "/root"),
        ({"tree_size": 0}, "/root"),
    ],
)
def test_a_checkpoint_that_is_not_of_the_form_is_never_made(changes: dict[str, Any], pointer: str) -> None:
    fields: dict[str, Any] = {"origin": ORIGIN, "tree_size": 5, "root": bytes(32)}
    with pytest.raises(InputError) as caught:
        Checkpoint(**(fields | changes))
    assert caught.value.problems[0].field == pointer


def test_the_empty_log_has_a_checkpoint() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert verify_checkpoint(sign_checkpoint(empty, LOG_KEY), VKEY) == empty


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        GO_VKEY + "\n",
        " " + GO_VKEY,
        GO_VKEY.replace("c74f20a3", "c74f20a4"),
        GO_VKEY.replace("c74f20a3", "C74F20A3"),
        GO_VKEY.replace("PeterNeumann", "PeterNeuman"),
        GO_VKEY.replace("+ARpc", "+AhpC"),
        GO_VKEY.replace("+ARpc", "+ARpd"),
        GO_VKEY[:-4],
        GO_VKEY[:-1] + "=",
        GO_VKEY.replace("+ARpc", "+BRpc"),
    ],
)
def test_a_verifier_key_with_a_fault_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_vkey(text)


def test_each_of_two_signers_has_a_line_of_its_own_and_either_key_verifies_the_note() -> None:
    note = sign_checkpoint(CHECKPOINT, LOG_KEY, OTHER_KEY)
    other = make_verifier_key(ORIGIN, OTHER_KEY.public_key())
    assert [line.key_hash for line in parse_checkpoint(note)[1]] == [VKEY.key_hash, other.key_hash]
    assert verify_checkpoint(note, VKEY) == verify_checkpoint(note, other) == CHECKPOINT
    assert note.removesuffix("\n").rpartition("\n")[0] + "\n" == NOTE  # the first line is as with one signer


@pytest.mark.parametrize("signers", [(), (LOG_KEY, LOG_KEY), (LOG_KEY, OTHER_KEY, LOG_KEY)])
def test_no_signer_and_a_signer_given_twice_are_refused(signers: Any) -> None:
    with pytest.raises(InputError, match="each another key"):
        sign_checkpoint(CHECKPOINT, *signers)
