"""Remake the test vectors of the log in tests/vectors/: known answers and named corruptions, as JSON.

    .venv/bin/python tools/make_vectors.py            write them
    .venv/bin/python tools/make_vectors.py --check    exit 1 if the committed ones differ

Keys, times and ids are fixed, so the same code makes the same bytes. The error that a corruption must meet is written
down here by hand, never taken from a run. What the files mean: tests/vectors/README.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import BadSignatureError, MalformedProofError, RootMismatchError
from ledger.log.canonical import canonical_bytes, parse_json
from ledger.log.checkpoint import Checkpoint, format_vkey, note_key_hash, sign_checkpoint
from ledger.log.envelope import GENESIS_PREV, Envelope, envelope_bytes
from ledger.log.forms import format_base64
from ledger.log.merkle import consistency_path, inclusion_path, leaf_hash, root_hash
from ledger.log.proof import InclusionProof, format_tlog_proof
from ledger.log.receipt import Receipt, format_receipt, make_receipt, parse_receipt
from ledger.log.statement import (
    STATEMENT_TYPE,
    Statement,
    key_id,
    pre_authentication_encoding,
    sign_statement,
)
from tools.witness_vectors import add_checkpoint_vectors, cosignature_vectors, split_view_vectors

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "vectors"

ORIGIN = "example.com/magnets/site-1"
# The secret keys of RFC 8032, 7.1, tests 1 to 3. Public for years: never to be used outside tests.
LOG_SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
ACTOR_SEED = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"
STRANGER_SEED = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"

MALFORMED = MalformedProofError.slug
BAD_SIGNATURE = BadSignatureError.slug
ROOT_MISMATCH = RootMismatchError.slug


def key_of(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))


def replaced(text: str, old: str, new: str) -> str:
    """`text` with `old`, which must stand in it exactly once, replaced: a corruption must change something."""
    if text.count(old) != 1 or old == new:
        raise ValueError(f"{old!r} stands {text.count(old)} times in {text!r}")
    return text.replace(old, new)


def canonical_vectors() -> dict[str, object]:
    """JSON texts with their canonical form, and texts that are refused."""
    answers = {
        "keys sorted": '{"b":1,"a_":2,"a1":3,"a":4}',
        "white space removed": ' { "a" : [ 1 , 2 ] ,\n\t"b" : { } } ',
        "literals": '[null,true,false,"",[],{}]',
        "integer limits": "[9007199254740991,-9007199254740991,0,-1]",
        "escapes of RFC 8785, 3.2.2": '"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/"',
        "control characters": '"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f\\u007f"',
        "text beyond ASCII unescaped": '"Gr\\u00f6\\u00dfe \\u2028 \\ud83e\\uddf2"',
        "decimal as text": '{"mass_kg":"12.500"}',
    }
    refused = {
        "duplicate key": ('{"a":1,"a":1}', "/a"),
        "duplicate key, escaped": '{"a":1,"\\u0061":2}',
        "fraction": ('{"a":{"b":[0,1.5]}}', "/a/b/1"),
        "whole number with fraction": ('{"a":1.0}', "/a"),
        "exponent": ('{"a":1e2}', "/a"),
        "number beyond any float": ('{"a":1e400}', "/a"),
        "minus zero": ('{"a":-0}', "/a"),
        "not a number": ('{"a":NaN}', "/a"),
        "infinity": ('{"a":-Infinity}', "/a"),
        "2^53": ('{"a":9007199254740992}', "/a"),
        "-2^53": ('{"a":-9007199254740992}', "/a"),
        "unpaired surrogate": ('{"a":"\\ud83e"}', "/a"),
        "surrogates in the wrong order": ('{"a":"\\uddf2\\ud83e"}', "/a"),
        "text in normal form D": ('{"a":"o\\u0308"}', "/a"),
        "upper-case key": ('{"massKg":1}', "/massKg"),
        "key beyond ASCII": ('{"größe":1}', "/größe"),
        "look-alike key": ('{"\\u0430":1}', "/\u0430"),
        "empty key": ('{"":1}', "/"),
        "byte order mark": ("\ufeff{}", ""),
        "trailing comma": ('{"a":1,}', ""),
        "two values": ("{}{}", ""),
        "nothing": ("", ""),
        "65 levels": ("[" * 65 + "]" * 65, "/0" * 64),
    }
    not_canonical = {
        "space": b'{"a": 1}',
        "line feed at the end": b'{"a":1}\n',
        "unsorted keys": b'{"b":1,"a":2}',
        "duplicate key": b'{"a":1,"a":1}',
        "needless escape": b'{"a":"\\u0041"}',
        "escaped slash": b'{"a":"\\/"}',
        "upper-case hexadecimal escape": b'{"a":"\\u001F"}',
        "escaped text beyond ASCII": b'{"a":"\\u00f6"}',
        "minus zero": b'{"a":-0}',
        "float": b'{"a":1.0}',
        "encoded surrogate": b'{"a":"\xed\xa0\x80"}',
        "overlong encoding": b'{"a":"\xc0\xaf"}',
        "byte order mark": b'\xef\xbb\xbf{"a":1}',
        "cut off": b'{"a":1',
    }
    return {
        "answers": [
            {"name": name, "text": text, "canonical_hex": canonical_bytes(parse_json(text)).hex()}
            for name, text in answers.items()
        ],
        "refused": [
            {"name": name, "text": case[0], "field": case[1]}
            if isinstance(case, tuple)
            else {"name": name, "text": case, "field": "/a"}
            for name, case in refused.items()
        ],
        "not_canonical": [{"name": name, "data_hex": data.hex()} for name, data in not_canonical.items()],
    }


def make_entries(count: int) -> list[bytes]:
    """The exact bytes of the entries of the vectors' log."""
    key = key_of(ACTOR_SEED)
    entries: list[bytes] = []
    prev = GENESIS_PREV
    for seq in range(count):
        statement = Statement(
            type="assay",
            id=f"01890000-0000-7000-8000-{seq:012x}",
            at=f"2026-05-04T07:30:{seq:02d}.000000Z",
            actor="operator-1",
            kid=key_id(key.public_key()),
            body={"batch": f"B-{seq}", "nd_percent": "28.40", "note": "geprüft", "count": seq},
            commit={"supplier": sha256(b"supplier %d" % seq).hexdigest()},
            refs=(sha256(b"report %d" % seq).hexdigest(),),
        )
        envelope = Envelope(
            ORIGIN, seq, prev, f"2026-05-04T08:00:{seq:02d}.000000Z", statement, sign_statement(statement, key)
        )
        entries.append(envelope_bytes(envelope))
        prev = leaf_hash(entries[-1]).hex()
    return entries


def entry_vectors() -> dict[str, object]:
    """A log of five entries: what is signed, hashed and proved, step by step."""
    key = key_of(ACTOR_SEED)
    entries = make_entries(5)
    leaves = [leaf_hash(entry) for entry in entries]
    values = [json.loads(entry) for entry in entries]
    return {
        "origin": ORIGIN,
        "actor_seed_hex": ACTOR_SEED,
        "actor_public_key_hex": key.public_key().public_bytes_raw().hex(),
        "payload_type": STATEMENT_TYPE,
        "entries": [
            {
                "data": entry.decode(),
                "signed_hex": pre_authentication_encoding(STATEMENT_TYPE, canonical_bytes(value["stmt"])).hex(),
                "leaf_hash_hex": leaf.hex(),
            }
            for entry, value, leaf in zip(entries, values, leaves, strict=True)
        ],
        "root_hex_by_tree_size": [root_hash(leaves[:size]).hex() for size in range(6)],
        "inclusion_paths_hex": [[one.hex() for one in inclusion_path(leaves, index)] for index in range(5)],
        "consistency_paths_hex": [
            {"old_size": old, "new_size": new, "path": [one.hex() for one in consistency_path(leaves, old, new)]}
            for new in range(6)
            for old in range(new + 1)
        ],
    }


def checkpoint_corruptions(note: str, checkpoint: Checkpoint, key: Ed25519PrivateKey) -> dict[str, tuple[str, str]]:
    """Name -> (changed note, error it must meet)."""
    origin, size, root, _, line, _ = note.split("\n")
    blob = line.rsplit(" ", 1)[1]
    body = checkpoint.body()

    def signed(changed_body: str) -> str:
        """A note with another body, signed by the log's own key: well signed, and still no checkpoint."""
        signature = key.sign(changed_body.encode())
        return f"{changed_body}\n— {origin} {format_base64(key_hash + signature)}\n"

    key_hash = note_key_hash(origin, key.public_key())
    stranger = sign_checkpoint(checkpoint, key_of(STRANGER_SEED)).split("\n")[4]
    disguised = format_base64(key_hash + key_of(STRANGER_SEED).sign(body.encode()))
    return {
        "size changed": (replaced(note, f"\n{size}\n", f"\n{int(size) + 1}\n"), BAD_SIGNATURE),
        "root changed": (replaced(note, root, format_base64(bytes(32))), BAD_SIGNATURE),
        "origin of another log": (note.replace(origin, "example.com/magnets/site-2"), BAD_SIGNATURE),
        "origin changed, key name kept": (replaced(note, f"{origin}\n", f"{origin}0\n"), BAD_SIGNATURE),
        "signature of zeros": (replaced(note, blob, format_base64(key_hash + bytes(64))), BAD_SIGNATURE),
        "signature cut short": (replaced(note, blob, blob[:-4]), BAD_SIGNATURE),
        "signed by a stranger": (replaced(note, line, stranger), BAD_SIGNATURE),
        "stranger's signature under our key hash": (replaced(note, blob, disguised), BAD_SIGNATURE),
        "key hash changed": (replaced(note, f" {blob}", f" A{blob[1:]}"), BAD_SIGNATURE),
        "no signature": (f"{body}\n", MALFORMED),
        "body only": (body, MALFORMED),
        "signature line twice": (f"{note}{line}\n", MALFORMED),
        "extension line, well signed": (signed(f"{body}extra\n"), MALFORMED),
        "leading zero in size, well signed": (signed(f"{origin}\n0{size}\n{root}\n"), MALFORMED),
        "plus before size, well signed": (signed(f"{origin}\n+{size}\n{root}\n"), MALFORMED),
        "negative size, well signed": (signed(f"{origin}\n-{size}\n{root}\n"), MALFORMED),
        "size of 2^53, well signed": (signed(f"{origin}\n9007199254740992\n{root}\n"), MALFORMED),
        "size in Arabic digits, well signed": (signed(f"{origin}\n٥\n{root}\n"), MALFORMED),
        "root of 31 bytes, well signed": (signed(f"{origin}\n{size}\n{format_base64(bytes(31))}\n"), MALFORMED),
        "root without padding, well signed": (signed(f"{origin}\n{size}\n{root.rstrip('=')}\n"), MALFORMED),
        "root with unused bits set, well signed": (signed(f"{origin}\n{size}\n{'A' * 42}B=\n"), MALFORMED),
        "empty log with a root, well signed": (signed(f"{origin}\n0\n{root}\n"), MALFORMED),
        "origin with a space, well signed": (signed(f"example.com/site 1\n{size}\n{root}\n"), MALFORMED),
        "two lines only, well signed": (signed(f"{origin}\n{size}\n"), MALFORMED),
        "CRLF": (note.replace("\n", "\r\n"), MALFORMED),
        "tab before size": (replaced(note, f"\n{size}\n", f"\n\t{size}\n"), MALFORMED),
        "no line feed at the end": (note[:-1], MALFORMED),
        "empty line at the end": (note + "\n", MALFORMED),
        "text at the end": (note + "garbage\n", MALFORMED),
        "no empty line before the signature": (replaced(note, "\n\n", "\n"), MALFORMED),
        "two empty lines before the signature": (replaced(note, "\n\n", "\n\n\n"), MALFORMED),
        "hyphen for em dash": (replaced(note, "— ", "- "), MALFORMED),
        "en dash for em dash": (replaced(note, "— ", "– "), MALFORMED),
        "two spaces before the key name": (replaced(note, "— ", "—  "), MALFORMED),
        "URL-safe base64": (replaced(note, blob, f"{blob[:8]}-_{blob[10:]}"), MALFORMED),
        "signature without padding": (note.rstrip("=\n") + "\n", MALFORMED),
        "nothing": ("", MALFORMED),
    }


def checkpoint_vectors() -> dict[str, object]:
    """A signed checkpoint, notes that say the same, and corruptions."""
    key = key_of(LOG_SEED)
    leaves = [leaf_hash(entry) for entry in make_entries(5)]
    checkpoint = Checkpoint(ORIGIN, 5, root_hash(leaves))
    note = sign_checkpoint(checkpoint, key)
    stranger = sign_checkpoint(checkpoint, key_of(STRANGER_SEED)).split("\n\n")[1]
    return {
        "vkey": format_vkey(ORIGIN, key.public_key()),
        "log_seed_hex": LOG_SEED,
        "origin": ORIGIN,
        "tree_size": 5,
        "root_hex": checkpoint.root.hex(),
        "accepted": [
            {"name": "as signed", "note": note},
            {"name": "with a line by an unknown key of our name", "note": note + stranger},
            {"name": "with a witness's line", "note": f"{note}— witness.example/größe mJirIklj\n"},
        ],
        "refused": [
            {"name": name, "note": changed, "error": error}
            for name, (changed, error) in checkpoint_corruptions(note, checkpoint, key).items()
        ],
    }


def proof_corruptions(text: str, stranger_note: str) -> dict[str, tuple[str, str]]:
    """Name -> (changed proof, error it must meet)."""
    head, note = text.split("\n\n", 1)
    header, index, first, *rest = head.split("\n")
    zeros = format_base64(bytes(32))

    def with_lines(*lines: str) -> str:
        return "\n".join(lines) + "\n\n" + note

    return {
        "index of another entry": (replaced(text, index, "index 1"), ROOT_MISMATCH),
        "index beyond the tree": (replaced(text, index, "index 5"), MALFORMED),
        "index of 2^53": (replaced(text, index, "index 9007199254740992"), MALFORMED),
        "index with leading zero": (replaced(text, index, "index 02"), MALFORMED),
        "negative index": (replaced(text, index, "index -2"), MALFORMED),
        "no index": (with_lines(header, first, *rest), MALFORMED),
        "index twice": (with_lines(header, index, index, first, *rest), MALFORMED),
        "hash changed": (replaced(text, first, zeros), ROOT_MISMATCH),
        "hash dropped": (with_lines(header, index, *rest), MALFORMED),
        "hash added": (with_lines(header, index, first, *rest, zeros), MALFORMED),
        "hashes in reverse": (with_lines(header, index, *reversed(rest), first), ROOT_MISMATCH),
        "hash without padding": (replaced(text, first, first.rstrip("=")), MALFORMED),
        "hash in hexadecimal": (replaced(text, first, "00" * 32), MALFORMED),
        "hash of 31 bytes": (replaced(text, first, format_base64(bytes(31))), MALFORMED),
        "54 hashes": (with_lines(header, index, *[zeros] * 54), MALFORMED),
        "another version": (replaced(text, header, "c2sp.org/tlog-proof@v2"), MALFORMED),
        "no header": (with_lines(index, first, *rest), MALFORMED),
        "extra after the index": (with_lines(header, index, "extra AAAA", first, *rest), MALFORMED),
        "extra without data": (with_lines(header, "extra ", index, first, *rest), MALFORMED),
        "extra that is not base64": (with_lines(header, "extra !", index, first, *rest), MALFORMED),
        "CRLF": (text.replace("\n", "\r\n"), MALFORMED),
        "no empty line": (head + "\n" + note, MALFORMED),
        "two empty lines": (head + "\n\n\n" + note, MALFORMED),
        "no checkpoint": (head + "\n\n", MALFORMED),
        "checkpoint cut off": (text[:-1], MALFORMED),
        "text at the end": (text + "garbage\n", MALFORMED),
        "checkpoint of another size": (replaced(text, "\n5\n", "\n6\n"), BAD_SIGNATURE),
        "checkpoint by a stranger": (head + "\n\n" + stranger_note, BAD_SIGNATURE),
        "nothing": ("", MALFORMED),
    }


def proof_vectors() -> dict[str, object]:
    """A portable inclusion proof, texts that prove the same, corruptions, and other entries."""
    key = key_of(LOG_SEED)
    entries = make_entries(5)
    leaves = [leaf_hash(entry) for entry in entries]
    checkpoint = Checkpoint(ORIGIN, 5, root_hash(leaves))
    note = sign_checkpoint(checkpoint, key)
    text = format_tlog_proof(InclusionProof(2, tuple(inclusion_path(leaves, 2)), note))
    with_extra = format_tlog_proof(InclusionProof(2, tuple(inclusion_path(leaves, 2)), note, b"not authenticated"))
    return {
        "vkey": format_vkey(ORIGIN, key.public_key()),
        "entry": entries[2].decode(),
        "leaf_index": 2,
        "tree_size": 5,
        "root_hex": checkpoint.root.hex(),
        "accepted": [{"name": "as made", "proof": text}, {"name": "with extra data", "proof": with_extra}],
        "refused": [
            {"name": name, "proof": changed, "error": error}
            for name, (changed, error) in proof_corruptions(
                text, sign_checkpoint(checkpoint, key_of(STRANGER_SEED))
            ).items()
        ],
        "other_entries": [
            {"name": "the entry after it", "entry": entries[3].decode()},
            {"name": "one digit changed", "entry": replaced(entries[2].decode(), "28.40", "28.41")},
            {"name": "a line feed added", "entry": entries[2].decode() + "\n"},
        ],
    }


def receipt_corruptions(receipt: Receipt) -> dict[str, tuple[bytes, str]]:
    """Name -> (changed receipt, error it must meet)."""
    good = format_receipt(receipt)
    headers, other_headers = "47a2012719018b01", "47a2012619018b01"
    last = receipt.path[-1]

    def swapped(old: str, new: str) -> bytes:
        return bytes.fromhex(replaced(good.hex(), old, new))

    return {
        "index of another entry": (format_receipt(replace(receipt, leaf_index=1)), MALFORMED),
        "index beyond the tree": (format_receipt(replace(receipt, leaf_index=5)), MALFORMED),
        "tree of another shape": (format_receipt(replace(receipt, tree_size=3)), MALFORMED),
        "hash changed": (format_receipt(replace(receipt, path=(*receipt.path[:-1], bytes(32)))), BAD_SIGNATURE),
        "hash dropped": (format_receipt(replace(receipt, path=receipt.path[:-1])), MALFORMED),
        "hash added": (format_receipt(replace(receipt, path=(*receipt.path, last))), MALFORMED),
        "hashes in reverse": (format_receipt(replace(receipt, path=receipt.path[::-1])), BAD_SIGNATURE),
        "signature changed": (good[:-1] + bytes([good[-1] ^ 1]), BAD_SIGNATURE),
        "no tag": (good[1:], MALFORMED),
        "another algorithm": (swapped(headers, other_headers), MALFORMED),
        "another kind of tree": (swapped(headers, headers[:-2] + "02"), MALFORMED),
        "root as payload": (swapped("f65840", "5820" + bytes(32).hex() + "5840"), MALFORMED),
        "empty payload": (swapped("f65840", "405840"), MALFORMED),
        "one more unsigned header": (swapped("a119018ca12081", "a20440" + "19018ca12081"), MALFORMED),
        "index in two bytes": (swapped("586a83050283", "586b8305180283"), MALFORMED),
        "two proofs": (swapped("a119018ca12081", "a119018ca12082"), MALFORMED),
        "byte at the end": (good + b"\x00", MALFORMED),
        "byte cut off": (good[:-1], MALFORMED),
        "nothing": (b"", MALFORMED),
    }


def receipt_vectors() -> dict[str, object]:
    """A COSE receipt, what proves the same, corruptions, and other entries."""
    key = key_of(LOG_SEED)
    entries = make_entries(5)
    leaves = [leaf_hash(entry) for entry in entries]
    checkpoint = Checkpoint(ORIGIN, 5, root_hash(leaves))
    made = make_receipt(entries[2], 2, inclusion_path(leaves, 2), checkpoint, key)
    receipt = parse_receipt(made)
    other_size = format_receipt(replace(receipt, tree_size=8))
    return {
        "public_key_hex": key.public_key().public_bytes_raw().hex(),
        "entry": entries[2].decode(),
        "leaf_index": 2,
        "tree_size": 5,
        "root_hex": checkpoint.root.hex(),
        "accepted": [
            {"name": "as made", "receipt_hex": made.hex(), "of_the_checkpoint": True},
            {
                "name": "a size in which the path is the same",
                "receipt_hex": other_size.hex(),
                "of_the_checkpoint": False,
            },
        ],
        "refused": [
            {"name": name, "receipt_hex": changed.hex(), "error": error}
            for name, (changed, error) in receipt_corruptions(receipt).items()
        ]
        + [
            {
                "name": "signed by a stranger",
                "receipt_hex": make_receipt(entries[2], 2, receipt.path, checkpoint, key_of(STRANGER_SEED)).hex(),
                "error": BAD_SIGNATURE,
            }
        ],
        "other_entries": [
            {"name": "the entry after it", "entry": entries[3].decode(), "error": MALFORMED},
            {
                "name": "one digit changed",
                "entry": replaced(entries[2].decode(), "28.40", "28.41"),
                "error": BAD_SIGNATURE,
            },
            {"name": "a line feed added", "entry": entries[2].decode() + "\n", "error": MALFORMED},
        ],
    }


MAKERS: dict[str, Callable[[], dict[str, object]]] = {
    "canonical.json": canonical_vectors,
    "entries.json": entry_vectors,
    "checkpoint.json": checkpoint_vectors,
    "tlog-proof.json": proof_vectors,
    "cose-receipt.json": receipt_vectors,
    "cosignature.json": cosignature_vectors,
    "add-checkpoint.json": add_checkpoint_vectors,
    "split-view.json": split_view_vectors,
}


def make_vectors() -> dict[str, str]:
    """File name -> text of every vector file of the log."""
    return {name: json.dumps(make(), indent=1, ensure_ascii=True) + "\n" for name, make in MAKERS.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description="Remake the test vectors of the log.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the committed ones differ")
    arguments = parser.parse_args()
    differing = []
    for name, text in make_vectors().items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            differing.append(name)
            if not arguments.check:
                path.write_text(text, encoding="utf-8")
    print(f"{'differ' if arguments.check else 'written'}: {', '.join(differing) or 'none'}")
    return 1 if arguments.check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
