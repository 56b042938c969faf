"""The committed vectors: remade they are the same, and every answer and corruption comes out as it says."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import InputError, MalformedProofError, RootMismatchError, VerificationError
from ledger.log.add_checkpoint import Seen, decide, parse_request
from ledger.log.canonical import canonical_bytes, parse_canonical, parse_json
from ledger.log.chain import check_chain
from ledger.log.checkpoint import Checkpoint, parse_checkpoint, parse_vkey, verify_checkpoint
from ledger.log.cosignature import WitnessPolicy, check_policy, parse_witness_vkey
from ledger.log.envelope import parse_envelope
from ledger.log.forms import parse_time
from ledger.log.merkle import leaf_hash, verify_consistency, verify_inclusion
from ledger.log.proof import parse_tlog_proof, verify_tlog_proof
from ledger.log.receipt import parse_receipt, verify_receipt
from ledger.log.split_view import check_split_view
from ledger.log.statement import verify_statement_signature
from ledger.report import Outcome, all_hold
from tools.make_vectors import make_vectors

FOLDER = Path(__file__).resolve().parents[2] / "vectors"


def vectors(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return read


CANONICAL = vectors("canonical.json")
ENTRIES = vectors("entries.json")
CHECKPOINT = vectors("checkpoint.json")
PROOF = vectors("tlog-proof.json")


def by_name(cases: list[dict[str, str]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


@pytest.mark.parametrize("name", sorted(make_vectors()))
def test_the_committed_vectors_are_those_the_tool_makes(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == make_vectors()[name]


# Canonical form


@by_name(CANONICAL["answers"])
def test_canonical_answers(case: dict[str, str]) -> None:
    canonical = bytes.fromhex(case["canonical_hex"])
    assert canonical_bytes(parse_json(case["text"])) == canonical
    assert canonical_bytes(parse_canonical(canonical)) == canonical


@by_name(CANONICAL["refused"])
def test_texts_refused_at_the_door(case: dict[str, str]) -> None:
    with pytest.raises(InputError) as caught:
        parse_json(case["text"].encode("utf-8", "surrogatepass"))
    assert caught.value.problems[0].field == case["field"]


@by_name(CANONICAL["not_canonical"])
def test_bytes_that_are_not_canonical(case: dict[str, str]) -> None:
    with pytest.raises(MalformedProofError):
        parse_canonical(bytes.fromhex(case["data_hex"]))


# Entries and tree


def test_entries_are_signed_hashed_and_linked_as_the_vectors_say() -> None:
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(ENTRIES["actor_public_key_hex"]))
    own = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(ENTRIES["actor_seed_hex"])).public_key()
    assert own.public_bytes_raw() == key.public_bytes_raw()
    datas = [entry["data"].encode() for entry in ENTRIES["entries"]]
    for data, entry in zip(datas, ENTRIES["entries"], strict=True):
        envelope = parse_envelope(data)
        verify_statement_signature(envelope.statement, envelope.signature, key)
        key.verify(envelope.signature, bytes.fromhex(entry["signed_hex"]))
        assert leaf_hash(data).hex() == entry["leaf_hash_hex"]
    report = check_chain(datas, ENTRIES["origin"], lambda _: key)
    assert all_hold(report.checks)
    assert report.frontier.root().hex() == ENTRIES["root_hex_by_tree_size"][-1]


def test_paths_of_the_vectors_lead_to_their_roots() -> None:
    leaves = [bytes.fromhex(entry["leaf_hash_hex"]) for entry in ENTRIES["entries"]]
    roots = [bytes.fromhex(root) for root in ENTRIES["root_hex_by_tree_size"]]
    for index, path in enumerate(ENTRIES["inclusion_paths_hex"]):
        verify_inclusion(leaves[index], index, 5, [bytes.fromhex(one) for one in path], roots[5])
    for case in ENTRIES["consistency_paths_hex"]:
        old, new = case["old_size"], case["new_size"]
        verify_consistency(old, roots[old], new, roots[new], [bytes.fromhex(one) for one in case["path"]])


# Checkpoints


@by_name(CHECKPOINT["accepted"])
def test_notes_that_say_the_same(case: dict[str, str]) -> None:
    expected = Checkpoint(CHECKPOINT["origin"], CHECKPOINT["tree_size"], bytes.fromhex(CHECKPOINT["root_hex"]))
    assert verify_checkpoint(case["note"], parse_vkey(CHECKPOINT["vkey"])) == expected


@by_name(CHECKPOINT["refused"])
def test_corrupted_checkpoints(case: dict[str, str]) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_checkpoint(case["note"], parse_vkey(CHECKPOINT["vkey"]))
    assert caught.value.slug == case["error"]


# Proofs


@by_name(PROOF["accepted"])
def test_texts_that_prove_the_same(case: dict[str, str]) -> None:
    checkpoint = verify_tlog_proof(case["proof"], PROOF["entry"].encode(), parse_vkey(PROOF["vkey"]))
    assert (checkpoint.tree_size, checkpoint.root.hex()) == (PROOF["tree_size"], PROOF["root_hex"])
    assert parse_tlog_proof(case["proof"]).leaf_index == PROOF["leaf_index"]


@by_name(PROOF["refused"])
def test_corrupted_proofs(case: dict[str, str]) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_tlog_proof(case["proof"], PROOF["entry"].encode(), parse_vkey(PROOF["vkey"]))
    assert caught.value.slug == case["error"]


@by_name(PROOF["other_entries"])
def test_entries_that_are_not_the_proved_one(case: dict[str, str]) -> None:
    with pytest.raises(RootMismatchError):
        verify_tlog_proof(PROOF["accepted"][0]["proof"], case["entry"].encode(), parse_vkey(PROOF["vkey"]))


# COSE receipt

RECEIPT = vectors("cose-receipt.json")
RECEIPT_KEY = Ed25519PublicKey.from_public_bytes(bytes.fromhex(RECEIPT["public_key_hex"]))
RECEIPT_CHECKPOINT = Checkpoint(CHECKPOINT["origin"], RECEIPT["tree_size"], bytes.fromhex(RECEIPT["root_hex"]))


@by_name(RECEIPT["accepted"])
def test_receipts_over_the_same_root(case: dict[str, Any]) -> None:
    """Where the tree size is not the checkpoint's, only the checkpoint can tell."""
    data, entry = bytes.fromhex(case["receipt_hex"]), RECEIPT["entry"].encode()
    assert verify_receipt(data, entry, RECEIPT_KEY).hex() == RECEIPT["root_hex"]
    assert parse_receipt(data).leaf_index == RECEIPT["leaf_index"]
    if case["of_the_checkpoint"]:
        assert verify_receipt(data, entry, RECEIPT_KEY, RECEIPT_CHECKPOINT).hex() == RECEIPT["root_hex"]
    else:
        with pytest.raises(RootMismatchError):
            verify_receipt(data, entry, RECEIPT_KEY, RECEIPT_CHECKPOINT)


@by_name(RECEIPT["refused"])
def test_corrupted_receipts(case: dict[str, str]) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_receipt(bytes.fromhex(case["receipt_hex"]), RECEIPT["entry"].encode(), RECEIPT_KEY)
    assert caught.value.slug == case["error"]


@by_name(RECEIPT["other_entries"])
def test_entries_that_are_not_the_receipts(case: dict[str, str]) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_receipt(bytes.fromhex(RECEIPT["accepted"][0]["receipt_hex"]), case["entry"].encode(), RECEIPT_KEY)
    assert caught.value.slug == case["error"]


# Cosignatures, witnesses and split views

COSIGNATURE = vectors("cosignature.json")
WITNESSES = tuple(parse_witness_vkey(text) for text in COSIGNATURE["witnesses"])
ADD_CHECKPOINT = vectors("add-checkpoint.json")
SPLIT_VIEW = vectors("split-view.json")


def test_the_message_of_the_vectors_is_what_the_witness_signed() -> None:
    blob = base64.b64decode(COSIGNATURE["cosignature"].split(" ")[2])
    WITNESSES[0].public_key.verify(blob[12:], COSIGNATURE["message"].encode())


@by_name(COSIGNATURE["notes"])
def test_policies_come_to_what_the_vectors_say(case: dict[str, Any]) -> None:
    check = check_policy(case["note"], WitnessPolicy(case["needed"], WITNESSES), parse_time(COSIGNATURE["now"], ""))
    assert check.outcome == case["outcome"]


@pytest.mark.parametrize(
    ("witness", "case"),
    [(witness, case) for witness in ADD_CHECKPOINT["witnesses"] for case in witness["requests"]],
    ids=lambda value: value.get("name", f"seen {value.get('seen_size')}"),
)
def test_requests_are_answered_as_the_vectors_say(witness: dict[str, Any], case: dict[str, Any]) -> None:
    seen = Seen(witness["seen_size"], bytes.fromhex(witness["seen_root_hex"]), "") if witness["seen_size"] else None
    vkey = parse_vkey(ADD_CHECKPOINT["vkey"])
    try:
        request = parse_request(case["request"].encode())
    except MalformedProofError:
        assert case["status"] == 400
    except RootMismatchError:
        assert case["status"] == 422
    else:
        known = parse_checkpoint(request.note)[0].origin == vkey.origin
        assert decide(seen, [vkey] if known else [], request).status == case["status"]


@by_name(SPLIT_VIEW["proves"])
def test_evidence_of_two_histories(case: dict[str, str]) -> None:
    assert check_split_view(case["evidence"], [parse_vkey(SPLIT_VIEW["vkey"])]).outcome is Outcome.PASSED


@by_name(SPLIT_VIEW["proves_nothing"])
def test_what_is_no_evidence(case: dict[str, str]) -> None:
    assert check_split_view(case["evidence"], [parse_vkey(SPLIT_VIEW["vkey"])]).outcome is Outcome.FAILED
