"""Test vectors of cosignatures, witnesses and split views; `tools/make_vectors.py` writes them.

Outcomes and statuses are written down here by hand, never taken from a run.
"""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.add_checkpoint import AddCheckpoint, format_request
from ledger.log.checkpoint import Checkpoint, VerifierKey, format_vkey, make_verifier_key, sign_checkpoint
from ledger.log.cosignature import cosign, format_witness_vkey, make_witness_key
from ledger.log.forms import format_base64, parse_base64
from ledger.log.merkle import EMPTY_ROOT, consistency_path, leaf_hash, root_hash
from ledger.log.split_view import SplitView, format_split_view

ORIGIN = "example.com/magnets/site-1"
# The secret keys of RFC 8032, 7.1, tests 1 and 3, and two that are hashes of names. Never to be used outside tests.
LOG_KEY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
STRANGER_KEY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
)
NAMES = ("witness.example.com/w1", "buyer.example.com/witness")
KEYS = tuple(Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest()) for name in NAMES)
TIME = 1_777_881_600  # 2026-05-04 08:00:00 UTC

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(9)]
OTHER_LEAVES = [*LEAVES[:4], leaf_hash(b"another history"), *LEAVES[5:]]


def signed(size: int, leaves: list[bytes] = LEAVES, key: Ed25519PrivateKey = LOG_KEY) -> str:
    """The checkpoint over the first `size` leaves."""
    return sign_checkpoint(Checkpoint(ORIGIN, size, root_hash(leaves[:size])), key)


def cosignature_vectors() -> dict[str, object]:
    """Notes, how many witnesses are needed, and what the policy comes to."""
    note = signed(7)
    witnesses = [make_witness_key(name, key.public_key()) for name, key in zip(NAMES, KEYS, strict=True)]
    first, second = (cosign(note, name, key, TIME) for name, key in zip(NAMES, KEYS, strict=True))
    blob = parse_base64(first.split(" ")[2].strip(), "")

    def line(changed: bytes) -> str:
        return f"— {NAMES[0]} {format_base64(changed)}\n"

    message = f"cosignature/v1\ntime {TIME}\n{note.partition(chr(10) * 2)[0]}\n"
    cases = {
        "both, two needed": (note + first + second, 2, "passed"),
        "one, one needed": (note + second, 1, "passed"),
        "one, none needed": (note + first, 0, "passed"),
        "with a line by a stranger": (note + first + cosign(note, "other.example", STRANGER_KEY, TIME), 1, "passed"),
        "none, none needed": (note, 0, "not checked"),
        "none, one needed": (note, 1, "failed"),
        "one, two needed": (note + first, 2, "failed"),
        "one twice, two needed": (note + first + cosign(note, NAMES[0], KEYS[0], TIME + 1), 2, "failed"),
        "a stranger in a witness's name": (note + cosign(note, NAMES[0], STRANGER_KEY, TIME), 1, "failed"),
        "over another size": (note + cosign(signed(8), NAMES[0], KEYS[0], TIME), 1, "failed"),
        "over another history": (note + cosign(signed(7, OTHER_LEAVES), NAMES[0], KEYS[0], TIME), 1, "failed"),
        "time changed": (note + line(blob[:11] + bytes([blob[11] ^ 1]) + blob[12:]), 1, "failed"),
        "time 0": (note + line(blob[:4] + bytes(8) + blob[12:]), 1, "failed"),
        "time in little-endian": (note + line(blob[:4] + blob[11:3:-1] + blob[12:]), 1, "failed"),
        "signature changed": (note + line(blob[:-1] + bytes([blob[-1] ^ 1])), 1, "failed"),
        "signature over the checkpoint alone": (
            note + line(blob[:12] + KEYS[0].sign(note.partition("\n\n")[0].encode() + b"\n")),
            1,
            "failed",
        ),
        "no time": (note + line(blob[:4] + blob[12:]), 1, "failed"),
        "a byte too many": (note + line(blob + b"\x00"), 1, "failed"),
        "a bad line beside enough good ones": (note + second + line(blob[:-1] + bytes([blob[-1] ^ 1])), 1, "failed"),
        "a bad line, none needed": (note + line(blob[:4] + bytes(72)), 0, "failed"),
        "an hour ahead of the clock": (note + cosign(note, NAMES[0], KEYS[0], TIME + 3600), 1, "failed"),
    }
    return {
        "vkey": format_vkey(ORIGIN, LOG_KEY.public_key()),
        "witnesses": [format_witness_vkey(witness) for witness in witnesses],
        "now": "2026-05-04T08:00:00.000000Z",
        "message": message,
        "cosignature": first,
        "notes": [
            {"name": name, "note": text, "needed": needed, "outcome": outcome}
            for name, (text, needed, outcome) in cases.items()
        ],
    }


def add_checkpoint_vectors() -> dict[str, object]:
    """Requests to a witness that has cosigned size 5, or nothing, and the status that it answers."""

    def ask(old: int, new: int, leaves: list[bytes] = LEAVES) -> str:
        return format_request(AddCheckpoint(old, tuple(consistency_path(leaves, old, new)), signed(new, leaves)))

    five = {
        "the same again": (ask(5, 5), 200),
        "grown": (ask(5, 9), 200),
        "from nothing": (ask(0, 9), 409),
        "from a smaller size": (ask(4, 9), 409),
        "from a larger size": (ask(8, 9), 409),
        "a smaller tree": (ask(3, 4), 409),
        "the same size, another root": (ask(5, 5, OTHER_LEAVES), 422),
        "grown in another history": (ask(5, 9, OTHER_LEAVES), 422),
        "without proof": (format_request(AddCheckpoint(5, (), signed(9))), 422),
        "the same size with a proof": (format_request(AddCheckpoint(5, (LEAVES[0],), signed(5))), 422),
        "a hash too many": (
            format_request(AddCheckpoint(5, (*consistency_path(LEAVES, 5, 9), LEAVES[0]), signed(9))),
            422,
        ),
        "old size above the checkpoint's": (format_request(AddCheckpoint(5, (), signed(4))), 400),
        "signed by a stranger": (format_request(AddCheckpoint(5, (), signed(5, key=STRANGER_KEY))), 403),
        "size changed": (ask(5, 9).replace("\n9\n", "\n8\n"), 403),
        "another log": (ask(5, 9).replace(ORIGIN, "example.com/magnets/site-2"), 404),
        "leading zero": (ask(5, 9).replace("old 5", "old 05"), 400),
        "no old size": (ask(5, 9).removeprefix("old 5\n"), 400),
        "CRLF": (ask(5, 9).replace("\n", "\r\n"), 400),
        "64 hashes": (f"old 5\n{(format_base64(LEAVES[0]) + chr(10)) * 64}\n{signed(9)}", 400),
        "no checkpoint": ("old 5\n\n", 400),
        "nothing": ("", 400),
    }
    nothing = {
        "the first checkpoint": (ask(0, 7), 200),
        "the empty log": (ask(0, 0), 200),
        "the empty log with another root": (
            ask(0, 0).replace(format_base64(EMPTY_ROOT), format_base64(LEAVES[0])),
            422,
        ),
        "the first checkpoint with a proof": (format_request(AddCheckpoint(0, (LEAVES[0],), signed(7))), 422),
        "from a size not seen": (ask(5, 9), 409),
    }
    return {
        "vkey": format_vkey(ORIGIN, LOG_KEY.public_key()),
        "witnesses": [
            {
                "seen_size": size,
                "seen_root_hex": root.hex(),
                "requests": [
                    {"name": name, "request": text, "status": status} for name, (text, status) in cases.items()
                ],
            }
            for size, root, cases in ((5, root_hash(LEAVES[:5]), five), (0, EMPTY_ROOT, nothing))
        ],
    }


def split_view_vectors() -> dict[str, object]:
    """Evidence that proves two histories, and texts that prove nothing."""
    key, stranger = (make_verifier_key(ORIGIN, one.public_key()) for one in (LOG_KEY, STRANGER_KEY))

    def text(
        small: str,
        large: str,
        prefix: bytes | None = None,
        path: tuple[bytes, ...] = (),
        keys: tuple[VerifierKey, ...] = (key,),
    ) -> str:
        return format_split_view(SplitView(keys, small, large, prefix, path))

    prefix, path = root_hash(OTHER_LEAVES[:5]), tuple(consistency_path(OTHER_LEAVES, 5, 9))
    true_prefix, true_path = root_hash(LEAVES[:5]), tuple(consistency_path(LEAVES, 5, 9))
    one_size = text(signed(7), signed(7, OTHER_LEAVES))
    two_sizes = text(signed(5), signed(9, OTHER_LEAVES), prefix, path)
    nothing = {
        "the same checkpoint twice": text(signed(7), signed(7)),
        "two sizes of one history": text(signed(5), signed(9), true_prefix, true_path),
        "two sizes, unconnected": text(signed(5), signed(9, OTHER_LEAVES)),
        "a path that leads nowhere": text(signed(5), signed(9, OTHER_LEAVES), prefix, (LEAVES[0], *path[1:])),
        "another prefix than the path's": text(signed(5), signed(9, OTHER_LEAVES), LEAVES[0], path),
        "a hash too few": text(signed(5), signed(9, OTHER_LEAVES), prefix, path[:-1]),
        "the larger tree first": text(signed(9, OTHER_LEAVES), signed(5), prefix, path),
        "one checkpoint by a stranger": text(signed(7), signed(7, OTHER_LEAVES, STRANGER_KEY)),
        "one checkpoint by a stranger whose key is named": text(
            signed(7), signed(7, OTHER_LEAVES, STRANGER_KEY), keys=(key, stranger)
        ),
        "a key that has not signed": text(signed(7), signed(7, OTHER_LEAVES), keys=(key, stranger)),
        "a prefix for one size": text(signed(7), signed(7, OTHER_LEAVES), root_hash(OTHER_LEAVES[:7])),
        "another version": one_size.replace("split-view/v1", "split-view/v2"),
        "CRLF": one_size.replace("\n", "\r\n"),
        "cut off": one_size[:-1],
        "nothing": "",
    }
    return {
        "vkey": format_vkey(ORIGIN, LOG_KEY.public_key()),
        "proves": [{"name": "one size", "evidence": one_size}, {"name": "two sizes", "evidence": two_sizes}],
        "proves_nothing": [{"name": name, "evidence": evidence} for name, evidence in nothing.items()],
    }
