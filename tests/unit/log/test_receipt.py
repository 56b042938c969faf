"""COSE receipts: one encoding, bound to entry and key, refused in every other form."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from scitt_cose import receipt as scitt

from ledger.errors import BadSignatureError, LedgerError, MalformedProofError, RootMismatchError
from ledger.log.checkpoint import parse_checkpoint
from ledger.log.merkle import inclusion_path, leaf_hash
from ledger.log.receipt import MAX_RECEIPT_BYTES, Receipt, format_receipt, make_receipt, parse_receipt, verify_receipt
from tests.log_samples import LOG_KEY, OTHER_KEY, make_log, make_note

PUBLIC_KEY = LOG_KEY.public_key()
PEM = PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
ENTRIES = make_log(9)


def receipt_of(index: int, size: int = 9) -> bytes:
    """The receipt of the entry at this index, in the log of the first `size` entries."""
    path = inclusion_path([leaf_hash(entry) for entry in ENTRIES[:size]], index)
    checkpoint, _ = parse_checkpoint(make_note(ENTRIES[:size]))
    return make_receipt(ENTRIES[index], index, path, checkpoint, LOG_KEY)


def scitt_accepts(receipt: bytes, entry: bytes, pem: bytes = PEM) -> bool:
    """Whether scitt-cose takes it."""
    ok: bool = scitt.verify_receipt(receipt, leaf_entry_hex=entry.hex(), log_public_key_pem=pem).ok
    return ok


GOOD = receipt_of(5)


@pytest.mark.parametrize("size", range(1, 10))
def test_every_entry_of_every_small_log_has_a_receipt_that_we_and_scitt_cose_accept(size: int) -> None:
    for index in range(size):
        data = receipt_of(index, size)
        checkpoint, _ = parse_checkpoint(make_note(ENTRIES[:size]))
        assert verify_receipt(data, ENTRIES[index], PUBLIC_KEY, checkpoint) == checkpoint.root
        receipt = parse_receipt(data)
        assert (receipt.leaf_index, receipt.tree_size) == (index, size)
        assert format_receipt(receipt) == data
        found = scitt.verify_receipt(data, leaf_entry_hex=ENTRIES[index].hex(), log_public_key_pem=PEM)
        assert (found.ok, found.leaf_index, found.tree_size) == (True, index, size)


def test_receipt_has_the_bytes_of_the_specification() -> None:
    """Tag 18, array of 4; headers {1: -8, 395: 1} in 7 bytes; {396: {-1: [proof]}}; nil; 64 bytes of signature.

    The proof [9, 5, [4 hashes]] takes 1 + 1 + 1 + 1 + 4 * 34 = 140 bytes, so that its head is 58 8c.
    """
    head = ("d284", "47a2012719018b01", "a119018ca12081", "588c", "83090584", "5820")
    assert GOOD[:25].hex() == "".join(head)
    assert GOOD[-67:-64].hex() == "f65840"


def test_receipt_for_another_root_is_not_made() -> None:
    checkpoint, _ = parse_checkpoint(make_note(ENTRIES))
    path = inclusion_path([leaf_hash(entry) for entry in ENTRIES], 5)
    with pytest.raises(RootMismatchError):
        make_receipt(ENTRIES[4], 5, path, checkpoint, LOG_KEY)
    with pytest.raises(MalformedProofError):
        make_receipt(ENTRIES[5], 5, path[:-1], checkpoint, LOG_KEY)


def test_receipt_of_another_entry_or_key_is_refused() -> None:
    edited = ENTRIES[5].replace(b"12.500", b"12.501")
    with pytest.raises(BadSignatureError):
        verify_receipt(GOOD, edited, PUBLIC_KEY)
    with pytest.raises(MalformedProofError):
        verify_receipt(GOOD, ENTRIES[4], PUBLIC_KEY)
    assert not scitt_accepts(GOOD, edited)
    with pytest.raises(BadSignatureError):
        verify_receipt(GOOD, ENTRIES[5], OTHER_KEY.public_key())
    other_pem = OTHER_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert not scitt_accepts(GOOD, ENTRIES[4])
    assert not scitt_accepts(GOOD, ENTRIES[5], other_pem)


def test_longest_receipt_is_within_the_limit_and_one_hash_more_is_not_made() -> None:
    """2^53-1 is written in 9 bytes, 53 hashes in 34 each: 1,910 bytes."""
    longest = Receipt(2**53 - 1, 2**53 - 1, (bytes(32),) * 53, bytes(64))
    assert len(format_receipt(longest)) == 1_910 <= MAX_RECEIPT_BYTES
    assert parse_receipt(format_receipt(longest)) == longest
    with pytest.raises(LedgerError):
        Receipt(2**53 - 1, 2**53 - 1, (bytes(32),) * 54, bytes(64))


def parts() -> tuple[dict[int, Any], list[Any], bytes]:
    """Protected headers, proof and signature of the good receipt."""
    protected, unprotected, _, signature = cbor2.loads(GOOD).value
    return dict(cbor2.loads(protected)), [*cbor2.loads(unprotected[396][-1][0])], signature


def assembled(
    protected: Any = None,
    proof: Any = None,
    *,
    proofs: Any = None,
    unprotected: Any = None,
    payload: bytes | None = None,
    signature: Any = None,
    tag: int = 18,
) -> bytes:
    """The good receipt with other parts."""
    good_protected, good_proof, good_signature = parts()
    if proofs is None:
        proofs = [cbor2.dumps(good_proof if proof is None else proof)]
    members = [
        cbor2.dumps(good_protected if protected is None else protected),
        {396: {-1: proofs}} if unprotected is None else unprotected,
        payload,
        good_signature if signature is None else signature,
    ]
    return cbor2.dumps(cbor2.CBORTag(tag, members))


SIZE, INDEX, PATH = parts()[1]

MALFORMED = {
    "nothing": b"",
    "not CBOR": b"c2sp.org/tlog-proof@v1",
    "a byte more": GOOD + b"\x00",
    "a byte less": GOOD[:-1],
    "too long": GOOD + bytes(MAX_RECEIPT_BYTES),
    "no tag": GOOD[1:],
    "another tag": assembled(tag=98),
    "another algorithm": assembled({1: -7, 395: 1}),
    "another kind of tree": assembled({1: -8, 395: 2}),
    "no kind of tree": assembled({1: -8}),
    "kind of tree as true": assembled({1: -8, 395: True}),
    "one more signed header": assembled({1: -8, 395: 1, 4: b"key"}),
    "one more unsigned header": assembled(unprotected={4: b"key", 396: {-1: [cbor2.dumps(parts()[1])]}}),
    "a consistency proof beside it": assembled(unprotected={396: {-1: [cbor2.dumps(parts()[1])], -2: []}}),
    "no proof": assembled(proofs=[]),
    "two proofs": assembled(proofs=[cbor2.dumps(parts()[1])] * 2),
    "a number as proof": assembled(proofs=[2**40]),
    "the root as payload": assembled(payload=bytes(32)),
    "an empty payload": assembled(payload=b""),
    "no path": assembled(proof=[SIZE, INDEX]),
    "a hash less": assembled(proof=[SIZE, INDEX, PATH[:-1]]),
    "a hash more": assembled(proof=[SIZE, INDEX, [*PATH, bytes(32)]]),
    "a short hash": assembled(proof=[SIZE, INDEX, [*PATH[:-1], bytes(31)]]),
    "a hash as text": assembled(proof=[SIZE, INDEX, [*PATH[:-1], "a" * 32]]),
    "54 hashes": assembled(proof=[SIZE, INDEX, [bytes(32)] * 54]),
    "a negative index": assembled(proof=[SIZE, -1, PATH]),
    "an index past the end": assembled(proof=[SIZE, SIZE, PATH]),
    "index true": assembled(proof=[SIZE, True, PATH]),
    "size 2^53": assembled(proof=[2**53, INDEX, PATH]),
    "size as fraction": assembled(proof=[9.0, INDEX, PATH]),
    "a short signature": assembled(signature=bytes(63)),
    "no signature": assembled(signature=b""),
    "index in two bytes": assembled(
        proofs=[cbor2.dumps([SIZE]).replace(b"\x81", b"\x83") + b"\x18\x05" + cbor2.dumps(PATH)]
    ),
    "path of open length": GOOD.replace(b"\x83\x09\x05\x84", b"\x83\x09\x05\x9f"),
    "a doubled key": GOOD.replace(bytes.fromhex("47a2012719018b01"), bytes.fromhex("49a3012719018b010127")),
    "nested 4,000 deep": b"\xd2" + b"\x81" * 2_000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_receipt_of_another_form_is_malformed(name: str) -> None:
    assert MALFORMED[name] != GOOD
    with pytest.raises(MalformedProofError):
        verify_receipt(MALFORMED[name], ENTRIES[5], PUBLIC_KEY)


def test_parts_put_together_again_are_the_good_receipt() -> None:
    """So the malformed ones differ from it in what their names say and nothing else."""
    assert assembled() == GOOD


def test_no_bit_can_change_but_those_of_a_size_that_fits_as_well_and_scitt_cose_agrees_on_each() -> None:
    """The signature is over the root alone (RFC 9942), and the path of leaf 5 is the same in all trees of 9 to 16.

    9 is 1001: one bit away are 11 and 13, which have the same path, and 8, 1 and numbers above 16, which have not.
    With the checkpoint at hand, these are refused as well.
    """
    checkpoint, _ = parse_checkpoint(make_note(ENTRIES))
    accepted = []
    for bit in range(len(GOOD) * 8):
        changed = bytearray(GOOD)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            assert verify_receipt(bytes(changed), ENTRIES[5], PUBLIC_KEY) == checkpoint.root
        except (MalformedProofError, BadSignatureError):
            assert not scitt_accepts(bytes(changed), ENTRIES[5]), bit
        else:
            assert scitt_accepts(bytes(changed), ENTRIES[5]), bit
            accepted.append(parse_receipt(bytes(changed)))
            with pytest.raises(RootMismatchError):
                verify_receipt(bytes(changed), ENTRIES[5], PUBLIC_KEY, checkpoint)
    good = parse_receipt(GOOD)
    assert accepted == [replace(good, tree_size=11), replace(good, tree_size=13)]


def test_receipt_at_another_index_is_refused_even_where_the_path_leads_to_the_root() -> None:
    """The last leaf of 9 has one sibling, to its left, as leaf 1 of 2 has: index and size are not signed either."""
    moved = format_receipt(replace(parse_receipt(receipt_of(8)), leaf_index=1, tree_size=2))
    assert scitt_accepts(moved, ENTRIES[8])
    with pytest.raises(MalformedProofError):
        verify_receipt(moved, ENTRIES[8], PUBLIC_KEY)


@given(st.binary(max_size=300))
def test_any_bytes_raise_nothing_but_a_ledger_error(data: bytes) -> None:
    with pytest.raises(LedgerError):
        verify_receipt(data, ENTRIES[5], PUBLIC_KEY)


@given(st.data())
def test_a_spliced_receipt_raises_nothing_but_a_ledger_error(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, len(GOOD)))
    changed = GOOD[:start] + data.draw(st.binary(max_size=40)) + GOOD[end:]
    checkpoint, _ = parse_checkpoint(make_note(ENTRIES))
    if changed == GOOD:
        assert verify_receipt(changed, ENTRIES[5], PUBLIC_KEY, checkpoint) == checkpoint.root
        return
    with pytest.raises(LedgerError):
        verify_receipt(changed, ENTRIES[5], PUBLIC_KEY, checkpoint)


def test_scitt_coses_own_command_accepts_a_receipt_and_refuses_a_changed_one(tmp_path: Any) -> None:
    (tmp_path / "log.pem").write_bytes(PEM)
    for data, code in ((GOOD, 0), (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), 1)):
        (tmp_path / "receipt.cose").write_bytes(data)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "scitt_cose.cli", "--json"),
                *("--receipt", str(tmp_path / "receipt.cose"), "--receipt-log-pubkey", str(tmp_path / "log.pem")),
                *("--leaf-entry-hex", ENTRIES[5].hex()),
            ],
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout


def test_without_cbor2_the_next_step_is_to_install_the_extra() -> None:
    code = (
        "import sys; sys.modules['cbor2'] = None\n"
        "from ledger.errors import StoreError\n"
        "from ledger.log.receipt import parse_receipt\n"
        "try:\n    parse_receipt(b'x')\n"
        "except StoreError as error:\n    print(error.problems[0].next_step)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 'pip install "magnet-ledger[cose]"' in done.stdout
