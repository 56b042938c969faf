"""COSE receipt of inclusion (RFC 9942, RFC9162_SHA256): a proof that an entry is in the log, for readers of COSE.

18([ << {1: -8, 395: 1} >>,                            signed headers: EdDSA, RFC9162_SHA256
     {396: {-1: [ << [tree size, leaf index, [path]] >> ]}},
     nil,                                              the root is not in it: it must be computed from the entry
     signature ])                                      Ed25519, by the log's key

There is one encoding of a receipt (RFC 8949, section 4.2.1: shortest lengths, keys in order) and no other member, so
that no byte of it can change unnoticed. Needs cbor2, which the extra `cose` installs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, InputError, MalformedProofError, RootMismatchError, StoreError, problem
from ledger.log.canonical import MAX_SAFE_INTEGER
from ledger.log.checkpoint import Checkpoint, NoteSigner
from ledger.log.envelope import parse_envelope
from ledger.log.forms import HASH_BYTES
from ledger.log.merkle import leaf_hash, root_from_inclusion, verify_inclusion
from ledger.log.proof import MAX_PATH_HASHES

COSE_SIGN1_TAG = 18
ALG_LABEL, EDDSA = 1, -8
VDS_LABEL, RFC9162_SHA256 = 395, 1
"""Which kind of tree the proof is of: verifiable data structure."""
VDP_LABEL, INCLUSION_LABEL = 396, -1
"""Where the proofs are: verifiable data proofs."""

SIGNATURE_BYTES = 64

MAX_RECEIPT_BYTES = 2_048
"""The longest receipt of the form has 1,910: 53 hashes in 34 bytes each, 108 around them."""

_MAX_DEPTH = 8
"""A receipt is nested 5 deep, counting the tag."""


@dataclass(frozen=True)
class Receipt:
    """What a receipt says. Unverified until verify_receipt has seen entry and key.

    leaf_index, tree_size: place of the entry, from 0, and number of entries. path: sibling hashes of 32 bytes, the
    leaf's own first. signature: 64 bytes.
    Raises: InputError naming the field, where a field is not of its form.
    """

    leaf_index: int
    tree_size: int
    path: tuple[bytes, ...]
    signature: bytes

    def __post_init__(self) -> None:
        for name in ("leaf_index", "tree_size"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value <= MAX_SAFE_INTEGER:
                raise InputError(problem(f"/{name}", value, "a number from 0 to 2^53-1", "Give the number."))
        if len(self.path) > MAX_PATH_HASHES:
            raise InputError(problem("/path", len(self.path), f"at most {MAX_PATH_HASHES} hashes", "Check the path."))
        for number, one in enumerate(self.path):
            _check_bytes(one, HASH_BYTES, f"/path/{number}")
        _check_bytes(self.signature, SIGNATURE_BYTES, "/signature")


def make_receipt(
    entry: bytes, leaf_index: int, path: Sequence[bytes], checkpoint: Checkpoint, private_key: NoteSigner
) -> bytes:
    """The receipt that `entry` (its exact bytes) stands at leaf_index under `checkpoint`, signed by the log's key.

    The checkpoint must be one that the log has signed and pinned: a receipt promises the same as a checkpoint, and one
    for another root would be a fork.
    Raises: RootMismatchError if the path does not lead from the entry to the checkpoint's root; MalformedProofError if
    it has not the length that index and size demand; StoreError if cbor2 is not installed or the key cannot be reached.
    """
    verify_inclusion(leaf_hash(entry), leaf_index, checkpoint.tree_size, path, checkpoint.root)
    signature = private_key.sign(_signed_bytes(checkpoint.root))
    return format_receipt(Receipt(leaf_index, checkpoint.tree_size, tuple(path), signature))


def format_receipt(receipt: Receipt) -> bytes:
    """The receipt as bytes. File extension ".cose". Raises: StoreError if cbor2 is not installed."""
    cbor2 = _cbor2()
    proof = _encode([receipt.tree_size, receipt.leaf_index, list(receipt.path)])
    unprotected = {VDP_LABEL: {INCLUSION_LABEL: [proof]}}
    return _encode(cbor2.CBORTag(COSE_SIGN1_TAG, [_protected(), unprotected, None, receipt.signature]))


def parse_receipt(data: bytes) -> Receipt:
    """The receipt that `data` spells: format_receipt(parse_receipt(data)) == data. Nothing is verified.

    Raises: MalformedProofError if it is not of the form or not in the one encoding, has other members, or is longer
    than MAX_RECEIPT_BYTES; StoreError if cbor2 is not installed.
    """
    if len(data) > MAX_RECEIPT_BYTES:
        _malformed(f"{len(data)} bytes", f"at most {MAX_RECEIPT_BYTES}")
    tagged = _decode(data)
    try:
        _, unprotected, _, signature = tagged.value
        ((_, proofs),) = unprotected.items()
        ((_, (encoded_proof,)),) = proofs.items()
        tree_size, leaf_index, path = _decode(encoded_proof)
        receipt = Receipt(leaf_index, tree_size, tuple(path), signature)
    except InputError as error:
        raise MalformedProofError(*error.problems) from error
    except (AttributeError, TypeError, ValueError) as error:
        _malformed(f"{len(data)} bytes of CBOR ({error})", "a COSE_Sign1 with one RFC9162_SHA256 inclusion proof")
    # Not only the encoding is held to: whatever was not looked at above must be what format_receipt puts there.
    if format_receipt(receipt) != data:
        _malformed(
            f"{len(data)} bytes",
            "the one encoding: headers {1: -8, 395: 1} and {396: {-1: [proof]}}, no payload, no more",
        )
    return receipt


def verify_receipt(
    data: bytes, entry: bytes, public_key: Ed25519PublicKey, checkpoint: Checkpoint | None = None
) -> bytes:
    """The root, 32 bytes, that the log with this key has signed and under which `entry` (its exact bytes) stands.

    The signature does not cover the receipt's tree size, and one path fits trees of several sizes. So the size is not
    to be relied on, unless a verified checkpoint is given: then size and root must be its own. The index is held to the
    entry's own number.
    Raises: MalformedProofError as parse_receipt does, if `entry` is none or has another number, or if the path has not
    the length that index and size demand; BadSignatureError if the root to which the path leads from this entry is not
    the one signed; RootMismatchError if the checkpoint states another tree; StoreError if cbor2 is not installed.
    """
    receipt = parse_receipt(data)
    if (seq := parse_envelope(entry).seq) != receipt.leaf_index:
        _malformed(f"leaf index {receipt.leaf_index}", f"{seq}, the number of the entry")
    root = root_from_inclusion(leaf_hash(entry), receipt.leaf_index, receipt.tree_size, receipt.path)
    try:
        public_key.verify(receipt.signature, _signed_bytes(root))
    except InvalidSignature:
        raise BadSignatureError(
            problem(
                "/signature",
                receipt.signature.hex(),
                f"a signature of the log over root {root.hex()[:16]}..., to which the path leads from this entry",
                "Check that it is this entry's receipt and this log's key; else treat it as false.",
            )
        ) from None
    if checkpoint is not None and (checkpoint.tree_size, checkpoint.root) != (receipt.tree_size, root):
        raise RootMismatchError(
            problem(
                "",
                f"tree size {receipt.tree_size}, root {root.hex()[:16]}...",
                f"tree size {checkpoint.tree_size}, root {checkpoint.root.hex()[:16]}..., as the checkpoint states",
                "Take the checkpoint of the receipt's size. If that has another root, the log has forked: keep both.",
            )
        )
    return root


def _signed_bytes(root: bytes) -> bytes:
    """What the signature is over: Sig_structure of RFC 9052, section 4.4, with the root as detached payload.

    It begins with byte 0x84, which no checkpoint and no statement does: the key's signatures cannot be confused.
    """
    return _encode(["Signature1", _protected(), b"", root])


def _protected() -> bytes:
    return _encode({ALG_LABEL: EDDSA, VDS_LABEL: RFC9162_SHA256})


def _encode(value: object) -> bytes:
    encoded: bytes = _cbor2().dumps(value, canonical=True)
    return encoded


def _decode(data: object) -> Any:
    cbor2 = _cbor2()
    if not isinstance(data, bytes):
        _malformed(repr(data)[:40], "a byte string of CBOR")
    try:
        return cbor2.loads(data, max_depth=_MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
    except cbor2.CBORDecodeError as error:
        _malformed(f"{len(data)} bytes ({error})", "CBOR in the deterministic encoding")


def _cbor2() -> ModuleType:
    try:
        import cbor2
    except ImportError as error:
        raise StoreError(
            problem("", "cbor2 is not installed", "the extra `cose`", 'Type: pip install "magnet-ledger[cose]"')
        ) from error
    return cbor2


def _check_bytes(value: object, length: int, field: str) -> None:
    if not isinstance(value, bytes) or len(value) != length:
        raise InputError(problem(field, value, f"{length} bytes", "Give all of it, as bytes."))


def _malformed(found: str, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Take the receipt from the log again, unchanged."))
