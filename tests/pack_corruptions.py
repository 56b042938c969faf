"""Ways to corrupt an audit pack, each named by what is wrong, with the finding that must name it.

Each is made from the good pack of tests.pack_samples by somebody who mends what can be mended: numbers, links, tiles
and manifest are made anew unless the corruption is that they were not. Nothing that a key would be needed for is
mended, where not said: "by who holds the log's key".
"""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.canonical import canonical_bytes
from ledger.log.checkpoint import Checkpoint, format_vkey, sign_checkpoint
from ledger.log.cosignature import format_witness_vkey
from ledger.log.envelope import envelope_bytes, parse_envelope
from ledger.log.merkle import leaf_hash, root_hash
from ledger.log.statement import sign_statement
from ledger.service.context import Actor, make_actor
from tests.pack_samples import (
    HANDED_OVER,
    NEW_ACTOR,
    REGISTERED,
    RETIRED,
    ROTATED,
    SECOND_LOG_KEY,
    SIZE,
    SIZES,
    Members,
    Sample,
    put_together,
    relinked,
    with_entries,
    with_manifest,
    with_notes,
)
from tests.store_samples import ACTOR, LOG_KEY, ORIGIN, STRANGER, VKEY
from tests.witness_samples import WITNESSES

FORGER_KEY = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
FORGER = make_actor("operator-9", FORGER_KEY)
FORGER_VKEY = format_vkey(ORIGIN, FORGER_KEY.public_key())

BUNDLE, PARTIAL_BUNDLE = "tile/entries/000", "tile/entries/001.p/44"
TILE, PARTIAL_TILE, UPPER_TILE = "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"
LAST_SIZE = f"checkpoints.jsonl#size {SIZE}"
LAST_LINE = f"checkpoints.jsonl#line {len(SIZES)}"

PREVIOUS = "previous"
"""Argument that stands for a file with the newest checkpoint of the good pack, kept from an earlier visit."""


@dataclass(frozen=True)
class Corruption:
    """A corrupted pack and what must be said of it.

    make: the pack from the good one. check, seq, field: of a finding that must be among those reported.
    arguments: what the auditor brings along, beside the pack.
    """

    name: str
    make: Callable[[Sample], bytes]
    check: str
    seq: int | None
    field: str
    arguments: tuple[str, ...] = ("--vkey", VKEY)


CORRUPTIONS: list[Corruption] = []


def corruption(
    check: str, seq: int | None, field: str, arguments: tuple[str, ...] = ("--vkey", VKEY)
) -> Callable[[Callable[[Sample], bytes | Members]], Callable[[Sample], bytes | Members]]:
    """Puts the function into CORRUPTIONS under its own name."""

    def put(make: Callable[[Sample], bytes | Members]) -> Callable[[Sample], bytes | Members]:
        def bytes_of(sample: Sample) -> bytes:
            made = make(sample)
            return made if isinstance(made, bytes) else put_together(made)

        CORRUPTIONS.append(Corruption(make.__name__, bytes_of, check, seq, field, arguments))
        return make

    return put


# --- what forgers do --------------------------------------------------------------------------------------------------


def edited(sample: Sample, seq: int, change: Callable[[dict[str, Any]], Any], *, relink: bool = True) -> Members:
    """The pack with entry seq changed in place. relink: mend the links after it as well."""
    entries = sample.entries
    envelope = json.loads(entries[seq])
    change(envelope)
    entries[seq] = canonical_bytes(envelope)
    return with_entries(sample.members, relinked(entries) if relink else entries)


def spelled(sample: Sample, seq: int, old: bytes, new: bytes) -> Members:
    """The pack with entry seq spelled otherwise."""
    entries = sample.entries
    assert old in entries[seq]
    entries[seq] = entries[seq].replace(old, new, 1)
    return with_entries(sample.members, entries)


def stated_by(entry: bytes, actor: Actor) -> bytes:
    """The entry with its statement made and signed by another actor."""
    envelope = parse_envelope(entry)
    statement = replace(envelope.statement, actor=actor.actor, kid=actor.kid)
    return envelope_bytes(
        replace(envelope, statement=statement, signature=sign_statement(statement, actor.private_key))
    )


def rearranged(sample: Sample, change: Callable[[list[bytes]], Any]) -> Members:
    """The pack with entries changed as a list, and links mended."""
    entries = sample.entries
    change(entries)
    return with_entries(sample.members, relinked(entries))


def resigned(members: Members, entries: list[bytes], size: int, *keys: Ed25519PrivateKey) -> str:
    """A checkpoint over the first `size` of these entries, by these keys."""
    root = root_hash([leaf_hash(entry) for entry in entries[:size]])
    return sign_checkpoint(Checkpoint(ORIGIN, size, root), *keys)


def all_resigned(sample: Sample, entries: list[bytes]) -> Members:
    """The pack with these entries and every checkpoint signed anew by who holds the log's keys."""
    keys: dict[int, tuple[Ed25519PrivateKey, ...]] = {SIZES[0]: (LOG_KEY,), SIZES[1]: (LOG_KEY, SECOND_LOG_KEY)}
    members = without_cosignatures(with_entries(sample.members, entries))
    sizes = [size for size in SIZES if size < len(entries)] + [len(entries)]
    notes = [resigned(members, entries, size, *keys.get(size, (SECOND_LOG_KEY,))) for size in sizes]
    return with_notes(without_timestamps(members), notes)


def without_timestamps(members: Members) -> Members:
    """The pack without time stamps, and a manifest that knows of none."""
    kept = {name: data for name, data in members.items() if not name.startswith("timestamps/")}
    return with_manifest(kept, counts=json.loads(members["manifest.json"])["counts"] | {"timestamps": 0})


def without_cosignatures(members: Members) -> Members:
    """The pack with a policy that demands no witness."""
    return replaced(members, "witnesses.json", canonical_bytes({"needed": 0, "v": 1, "witnesses": []}))


def replaced(members: Members, name: str, data: bytes) -> Members:
    """The pack with another content of one member, and a manifest that fits."""
    return with_manifest(members | {name: data})


def removed(members: Members, name: str) -> Members:
    """The pack without one member."""
    return {other: data for other, data in members.items() if other != name}


def flipped(data: bytes, place: int) -> bytes:
    """The bytes with one bit flipped."""
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def with_last_note(sample: Sample, note: str) -> Members:
    """The pack with another newest checkpoint."""
    return with_notes(sample.members, [*sample.notes[:-1], note])


def signature_flipped(note: str, line: int) -> str:
    """The note with a bit of the signature in one of its lines flipped; key name and key hash stay."""
    lines = note.splitlines(keepends=True)
    name, blob = lines[line].removeprefix("— ").split()
    changed = base64.b64encode(flipped(base64.b64decode(blob), -1)).decode()
    lines[line] = f"— {name} {changed}\n"
    return "".join(lines)


# --- entries edited ---------------------------------------------------------------------------------------------------


@corruption("entry-signature", 20, "/sig")
def a_mass_was_changed_and_everything_after_it_mended(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry["stmt"]["body"].update(dry_mass_kg="900.0"))


@corruption("checkpoint-root", 7, "checkpoints.jsonl#size 260")
def a_mass_was_changed_under_a_checkpoint(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry["stmt"]["body"].update(dry_mass_kg="900.0"))


@corruption("entry-link", 21, "/prev")
def a_mass_was_changed_and_the_next_link_not_mended(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry["stmt"]["body"].update(dry_mass_kg="900.0"), relink=False)


@corruption("manifest", None, BUNDLE)
def a_mass_was_changed_in_the_bundle_alone(sample: Sample) -> Members:
    return sample.members | {BUNDLE: sample.members[BUNDLE].replace(b'"100.0"', b'"900.0"', 1)}


@corruption("entry-signature", 20, "/sig")
def the_time_of_an_event_was_changed(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry["stmt"].update(at="2026-05-03T08:00:00.000000Z"))


@corruption("entry-signature", 20, "/sig")
def the_type_of_an_entry_was_changed(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry["stmt"].update(type="shipment"))


@corruption("entry-signature", 1, "/sig")
def a_commitment_was_changed(sample: Sample) -> Members:
    return edited(sample, 1, lambda entry: entry["stmt"]["commit"].update(name="ab" * 32))


@corruption("entry-signature", 20, "/sig")
def a_file_was_referred_to_later(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry["stmt"]["refs"].append("ab" * 32))


@corruption("entry-key", 20, "/stmt/kid")
def an_entry_was_put_into_the_mouth_of_another_actor(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry["stmt"].update(actor=STRANGER.actor))


@corruption("entry-link", 21, "/prev")
def the_time_of_receipt_was_changed_which_nobody_signs(sample: Sample) -> Members:
    entry = json.loads(sample.entries[20])
    later = entry["recv"].replace(".000000Z", ".500000Z")
    return edited(sample, 20, lambda entry: entry.update(recv=later), relink=False)


@corruption("entry-signature", 20, "/sig")
def a_bit_of_a_signature_was_flipped(sample: Sample) -> Members:
    def flip(entry: dict[str, Any]) -> None:
        entry["sig"] = base64.b64encode(flipped(base64.b64decode(entry["sig"]), 9)).decode()

    return edited(sample, 20, flip)


@corruption("previous-checkpoint", SIZE - 1, "--previous", ("--vkey", VKEY, "--previous", PREVIOUS))
def history_was_rewritten_by_who_holds_the_keys_of_log_and_actor(sample: Sample) -> Members:
    entries = sample.entries
    envelope = parse_envelope(entries[20])
    statement = replace(envelope.statement, body=envelope.statement.body | {"dry_mass_kg": "900.0"})
    signature = sign_statement(statement, NEW_ACTOR.private_key)
    entries[20] = envelope_bytes(replace(envelope, statement=statement, signature=signature))
    return all_resigned(sample, relinked(entries))


# --- entries removed, inserted, moved ---------------------------------------------------------------------------------


@corruption("entry-sequence", 20, "/seq")
def an_entry_was_removed(sample: Sample) -> Members:
    entries = sample.entries
    del entries[20]
    return with_entries(sample.members, entries)


@corruption("checkpoint-root", 7, "checkpoints.jsonl#size 260")
def an_entry_was_removed_and_the_links_mended(sample: Sample) -> Members:
    return rearranged(sample, lambda entries: entries.pop(20))


@corruption("entry-key", 20, "/stmt/kid")
def an_entry_of_a_stranger_was_inserted(sample: Sample) -> Members:
    return rearranged(sample, lambda entries: entries.insert(20, stated_by(entries[20], FORGER)))


@corruption("entry-sequence", 20, "/seq")
def two_entries_were_swapped(sample: Sample) -> Members:
    entries = sample.entries
    entries[20], entries[21] = entries[21], entries[20]
    return with_entries(sample.members, entries)


@corruption("entry-repeated", 21, "/stmt/id")
def an_entry_was_logged_twice_by_who_holds_the_log_key(sample: Sample) -> Members:
    entries = sample.entries
    entries.insert(21, entries[20])
    return all_resigned(sample, relinked(entries))


@corruption("checkpoint-root", SIZE - 1, LAST_SIZE)
def the_last_entry_was_cut_off(sample: Sample) -> Members:
    return with_entries(sample.members, sample.entries[:-1])


@corruption("previous-checkpoint", 260, "--previous", ("--vkey", VKEY, "--previous", PREVIOUS))
def the_tail_was_cut_off_together_with_its_checkpoint(sample: Sample) -> Members:
    members = with_entries(sample.members, sample.entries[:260])
    stamps = {name: data for name, data in members.items() if not name.startswith(f"timestamps/{SIZE}")}
    counts = json.loads(members["manifest.json"])["counts"] | {"timestamps": 1}
    return with_notes(without_cosignatures(with_manifest(stamps, counts=counts)), sample.notes[:-1])


@corruption("checkpoint-form", 260, "checkpoint")
def an_entry_stands_after_the_newest_checkpoint(sample: Sample) -> Members:
    return with_notes(sample.members, sample.notes[:-1])


# --- who said it ------------------------------------------------------------------------------------------------------


@corruption("entry-signature", 20, "/sig")
def a_statement_is_signed_by_another_key_than_it_names(sample: Sample) -> Members:
    def sign(entry: dict[str, Any]) -> None:
        entry["sig"] = base64.b64encode(FORGER_KEY.sign(canonical_bytes(entry["stmt"]))).decode()

    return edited(sample, 20, sign)


@corruption("entry-key", 20, "/stmt/kid")
def an_actor_is_not_registered(sample: Sample) -> Members:
    return rearranged(sample, lambda entries: entries.__setitem__(20, stated_by(entries[20], FORGER)))


@corruption("entry-key", 2, "/stmt/kid")
def a_key_is_registered_after_its_use(sample: Sample) -> Members:
    return rearranged(sample, lambda entries: entries.__setitem__(2, stated_by(entries[2], STRANGER)))


@corruption("entry-key", 20, "/stmt/kid")
def a_key_is_used_after_it_was_replaced(sample: Sample) -> Members:
    return rearranged(sample, lambda entries: entries.__setitem__(20, stated_by(entries[20], ACTOR)))


@corruption("entry-key", ROTATED, "/stmt/body/proof")
def an_actor_took_over_a_key_without_having_it(sample: Sample) -> Members:
    return edited(sample, ROTATED, lambda entry: entry["stmt"]["body"].update(proof="A" * 86 + "=="))


@corruption("entry-key", REGISTERED, "/stmt/body/kid")
def a_key_is_registered_under_the_id_of_another(sample: Sample) -> Members:
    return edited(sample, REGISTERED, lambda entry: entry["stmt"]["body"].update(kid="0" * 16))


@corruption("entry-key", RETIRED, "/stmt/kid")
def a_laboratory_retired_a_key_of_the_log(sample: Sample) -> Members:
    return rearranged(sample, lambda entries: entries.__setitem__(RETIRED, stated_by(entries[RETIRED], STRANGER)))


# --- form, place and time of entries ----------------------------------------------------------------------------------


@corruption("entry-time", 20, "/recv")
def the_time_of_receipt_falls(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry.update(recv="2026-05-03T08:00:00.000000Z"))


@corruption("entry-form", 20, "/recv")
def a_time_is_the_thirtieth_of_february(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry.update(recv="2026-02-30T08:00:00.000000Z"))


@corruption("entry-origin", 20, "/log")
def an_entry_belongs_to_another_log(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry.update(log="example.com/magnets/site-2"))


@corruption("entry-sequence", 20, "/seq")
def the_number_of_an_entry_was_changed(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry.update(seq=22), relink=False)


@corruption("entry-form", 20, "")
def a_space_was_added(sample: Sample) -> Members:
    return spelled(sample, 20, b'"log":', b'"log": ')


@corruption("entry-form", 20, "/v")
def a_key_stands_twice(sample: Sample) -> Members:
    return spelled(sample, 20, b'"v":1}', b'"v":1,"v":1}')


@corruption("entry-form", 20, "/stmt/body/dry_mass_kg")
def a_number_has_a_fraction(sample: Sample) -> Members:
    return spelled(sample, 20, b'"100.0"', b"100.5")


@corruption("entry-form", 20, "/stmt/body/schema")
def a_number_is_beyond_what_all_programs_read(sample: Sample) -> Members:
    return spelled(sample, 20, b'"schema":1', b'"schema":9007199254740992')


# Envelope, statement and body are levels 1 to 3 of 64, so the list that is one too deep lies in 61 others.
@corruption("entry-form", 20, "/stmt/body/schema" + "/0" * 61)
def a_value_is_nested_too_deep(sample: Sample) -> Members:
    return spelled(sample, 20, b'"schema":1', b'"schema":' + b"[" * 100 + b"]" * 100)


@corruption("entry-form", 20, "/stmt/at")
def a_field_of_a_statement_is_missing(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry["stmt"].pop("at"))


@corruption("entry-form", 20, "/extra")
def an_entry_has_a_field_too_many(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry.update(extra=1))


@corruption("entry-form", 20, "/prev")
def a_hash_is_in_capitals(sample: Sample) -> Members:
    return edited(sample, 20, lambda entry: entry.update(prev=entry["prev"].upper()), relink=False)


@corruption("entry-form", 20, "")
def an_entry_is_not_text(sample: Sample) -> Members:
    return spelled(sample, 20, b'"v":1}', b'"v":\xff}')


# --- tiles ------------------------------------------------------------------------------------------------------------


@corruption("tiles", 7, TILE)
def a_bit_of_a_full_tile_was_flipped(sample: Sample) -> Members:
    return replaced(sample.members, TILE, flipped(sample.members[TILE], 7 * 32))


@corruption("tiles", 256 + 43, PARTIAL_TILE)
def a_bit_of_a_partial_tile_was_flipped(sample: Sample) -> Members:
    return replaced(sample.members, PARTIAL_TILE, flipped(sample.members[PARTIAL_TILE], -1))


@corruption("tiles", 0, UPPER_TILE)
def a_bit_of_an_upper_tile_was_flipped(sample: Sample) -> Members:
    return replaced(sample.members, UPPER_TILE, flipped(sample.members[UPPER_TILE], 0))


@corruption("tiles", 0, TILE)
def a_tile_is_missing(sample: Sample) -> Members:
    return with_manifest(removed(sample.members, TILE))


@corruption("tiles", 256 + 44, PARTIAL_TILE)
def a_tile_is_too_wide(sample: Sample) -> Members:
    return replaced(sample.members, PARTIAL_TILE, sample.members[PARTIAL_TILE] + b"\0" * 32)


@corruption("tiles", None, f"{TILE}.p/7")
def a_partial_tile_with_other_content_was_left_over(sample: Sample) -> Members:
    return replaced(sample.members, f"{TILE}.p/7", b"\1" * 7 * 32)


@corruption("tiles", 256, f"{PARTIAL_BUNDLE}#/44")
def bytes_stand_after_the_last_entry_of_a_bundle(sample: Sample) -> Members:
    return replaced(sample.members, PARTIAL_BUNDLE, sample.members[PARTIAL_BUNDLE] + b"\0\0")


@corruption("tiles", 256, f"{PARTIAL_BUNDLE}#/43")
def a_bundle_ends_inside_an_entry(sample: Sample) -> Members:
    return replaced(sample.members, PARTIAL_BUNDLE, sample.members[PARTIAL_BUNDLE][:-1])


@corruption("entry-form", 256, "")
def a_length_in_a_bundle_is_wrong(sample: Sample) -> Members:
    data = sample.members[PARTIAL_BUNDLE]
    # One byte of the first entry counts as the beginning of the second one's length, and so on to the end.
    shorter = (int.from_bytes(data[:2], "big") - 1).to_bytes(2, "big") + data[2:-1]
    first = int.from_bytes(data[:2], "big")
    return replaced(sample.members, PARTIAL_BUNDLE, shorter[: 2 + first - 1] + data[2 + first :])


@corruption("tiles", 0, BUNDLE)
def a_bundle_of_entries_is_missing(sample: Sample) -> Members:
    return with_manifest(removed(sample.members, BUNDLE))


# --- checkpoints and keys of the log ----------------------------------------------------------------------------------


@corruption("checkpoint-signature", None, LAST_SIZE)
def a_bit_of_a_checkpoint_signature_was_flipped(sample: Sample) -> Members:
    return with_last_note(sample, signature_flipped(sample.notes[-1], 4))


@corruption("checkpoint-form", None, LAST_LINE)
def the_newest_checkpoint_is_of_another_log(sample: Sample) -> Members:
    other = Checkpoint("example.com/magnets/site-2", SIZE, b"\1" * 32)
    return with_last_note(sample, sign_checkpoint(other, SECOND_LOG_KEY))


@corruption("checkpoint-form", None, f"checkpoints.jsonl#line {len(SIZES) + 1}")
def two_checkpoints_of_one_size_have_different_roots(sample: Sample) -> Members:
    other = sign_checkpoint(Checkpoint(ORIGIN, SIZE, b"\1" * 32), SECOND_LOG_KEY)
    return with_notes(sample.members, [*sample.notes, other])


@corruption("checkpoint-root", 7, "checkpoints.jsonl#size 260")
def a_checkpoint_states_another_root(sample: Sample) -> Members:
    other = sign_checkpoint(Checkpoint(ORIGIN, 260, b"\1" * 32), SECOND_LOG_KEY)
    return with_notes(without_timestamps(sample.members), [*sample.notes[:2], other, sample.notes[3]])


@corruption("checkpoint-form", None, "checkpoints.jsonl#line 2")
def checkpoints_are_not_in_order_of_size(sample: Sample) -> Members:
    first, second, *rest = sample.notes
    return with_notes(sample.members, [second, first, *rest])


@corruption("checkpoint-form", None, "checkpoint")
def the_newest_checkpoint_is_not_the_last_one(sample: Sample) -> Members:
    return replaced(sample.members, "checkpoint", sample.notes[2].encode())


@corruption("checkpoint-root", SIZE, "checkpoints.jsonl#size 301")
def a_checkpoint_is_over_more_entries_than_there_are(sample: Sample) -> Members:
    return with_notes(
        sample.members, [*sample.notes, sign_checkpoint(Checkpoint(ORIGIN, SIZE + 1, b"\1" * 32), SECOND_LOG_KEY)]
    )


@corruption("checkpoint-form", None, "checkpoints.jsonl#line 1")
def a_checkpoint_has_an_extension_line(sample: Sample) -> Members:
    notes = sample.notes
    notes[0] = notes[0].replace("\n\n", "\nextension\n\n", 1)
    return with_notes(sample.members, notes)


@corruption("checkpoint-signature", None, LAST_SIZE)
def the_newest_checkpoint_is_signed_by_a_key_that_was_retired(sample: Sample) -> Members:
    return with_last_note(sample, resigned(sample.members, sample.entries, SIZE, LOG_KEY))


@corruption("checkpoint-signature", None, "checkpoints.jsonl#size 4")
def a_checkpoint_is_signed_by_a_key_of_later(sample: Sample) -> Members:
    early = resigned(sample.members, sample.entries, SIZES[0], SECOND_LOG_KEY)
    return with_notes(sample.members, [early, *sample.notes[1:]])


@corruption("checkpoint-signature", None, LAST_SIZE)
def the_newest_checkpoint_is_signed_by_a_stranger(sample: Sample) -> Members:
    return with_last_note(sample, resigned(sample.members, sample.entries, SIZE, FORGER_KEY))


def with_key_changed(sample: Sample, place: int, **changes: Any) -> Members:
    """The pack with a key's record in keys.json changed."""
    value = json.loads(sample.members["keys.json"])
    value["keys"][place].update(changes)
    return replaced(sample.members, "keys.json", canonical_bytes(value))


@corruption("log-keys", None, "keys.json#/keys/0")
def the_keys_of_the_log_leave_sizes_without_a_key(sample: Sample) -> Members:
    return with_key_changed(sample, 0, to_size=3)


@corruption("log-keys", None, "keys.json#/keys/1")
def a_key_of_the_log_is_said_to_be_valid_from_earlier_on(sample: Sample) -> Members:
    return with_key_changed(sample, 1, from_size=0)


@corruption("log-keys", None, "keys.json#/keys/2")
def a_key_stands_in_the_history_that_no_entry_added(sample: Sample) -> Members:
    value = json.loads(sample.members["keys.json"])
    value["keys"].append({"vkey": FORGER_VKEY, "from_size": 9, "to_size": None, "revoked": None})
    return replaced(sample.members, "keys.json", canonical_bytes(value))


@corruption("log-keys", None, "keys.json#/keys/0/vkey")
def a_verifier_key_has_a_wrong_key_hash(sample: Sample) -> Members:
    return with_key_changed(sample, 0, vkey=VKEY.replace("+dd5b1805+", "+dd5b1806+"))


@corruption("entry-key", HANDED_OVER, "/stmt/body/old_signature")
def a_key_of_the_log_was_added_without_the_old_one(sample: Sample) -> Members:
    return edited(sample, HANDED_OVER, lambda entry: entry["stmt"]["body"].update(old_signature="A" * 86 + "=="))


@corruption("trusted-key", None, "checkpoint")
def everything_was_made_anew_with_keys_of_the_forger(sample: Sample) -> Members:
    entries = [stated_by(sample.entries[2], FORGER)]
    body = {"kid": FORGER.kid, "actor": FORGER.actor, "role": "operator", "schema": 1}
    body["public_key"] = base64.b64encode(FORGER_KEY.public_key().public_bytes_raw()).decode()
    envelope = parse_envelope(entries[0])
    statement = replace(envelope.statement, type="actor_key", body=body, commit={})
    signature = sign_statement(statement, FORGER_KEY)
    entries = relinked([envelope_bytes(replace(envelope, statement=statement, signature=signature))])
    members = with_entries(without_cosignatures(without_timestamps(sample.members)), entries)
    keys = [{"vkey": FORGER_VKEY, "from_size": 0, "to_size": None, "revoked": None}]
    members = replaced(members, "keys.json", canonical_bytes({"v": 1, "origin": ORIGIN, "keys": keys}))
    counts = json.loads(members["manifest.json"])["counts"] | {"disclosed_fields": 0}
    members = with_manifest(members | {"disclosed.jsonl": b""}, counts=counts)
    return with_notes(members, [resigned(members, entries, 1, FORGER_KEY)])


# --- witnesses --------------------------------------------------------------------------------------------------------


@corruption("cosignatures", None, LAST_SIZE)
def a_bit_of_a_cosignature_was_flipped(sample: Sample) -> Members:
    return with_last_note(sample, signature_flipped(sample.notes[-1], 5))


@corruption("cosignatures", None, LAST_SIZE)
def the_time_of_a_cosignature_was_changed(sample: Sample) -> Members:
    note = sample.notes[-1]
    line = note.splitlines()[5]
    name, blob = line.removeprefix("— ").split()
    later = base64.b64encode(flipped(base64.b64decode(blob), 11)).decode()  # after 4 bytes of key hash, the last of 8
    return with_last_note(sample, note.replace(line, f"— {name} {later}"))


@corruption("witness-policy", None, "checkpoint")
def too_few_witnesses_have_signed(sample: Sample) -> Members:
    lines = sample.notes[-1].splitlines(keepends=True)
    return with_last_note(sample, "".join(lines[:-1]))


POLICY = (
    "--vkey",
    VKEY,
    "--needed",
    "2",
    *(part for one in WITNESSES for part in ("--witness", format_witness_vkey(one))),
)


@corruption("witness-policy", None, "checkpoint", POLICY)
def the_policy_was_lowered_below_that_of_the_auditor(sample: Sample) -> Members:
    lines = sample.notes[-1].splitlines(keepends=True)
    return with_last_note(replace(sample, members=without_cosignatures(sample.members)), "".join(lines[:-1]))


@corruption("witness-policy", None, "witnesses.json#/witnesses")
def one_witness_counts_twice(sample: Sample) -> Members:
    keys = [format_witness_vkey(WITNESSES[0])] * 2
    return replaced(sample.members, "witnesses.json", canonical_bytes({"v": 1, "needed": 2, "witnesses": keys}))


# --- time stamps and private fields -----------------------------------------------------------------------------------


@corruption("timestamps", None, "timestamps/300-0.tsr")
def a_time_stamp_is_over_another_checkpoint(sample: Sample) -> Members:
    return replaced(sample.members, "timestamps/300-0.tsr", sample.members["timestamps/260-0.tsr"])


@corruption("timestamps", None, "timestamps/300.txt")
def the_text_beside_a_time_stamp_is_of_another_checkpoint(sample: Sample) -> Members:
    other = {f"timestamps/300{end}": sample.members[f"timestamps/260{end}"] for end in (".txt", "-0.tsr")}
    return with_manifest(sample.members | other)


@corruption("timestamps", None, "timestamps/300-0.tsr")
def a_time_stamp_is_cut_short(sample: Sample) -> Members:
    return replaced(sample.members, "timestamps/300-0.tsr", sample.members["timestamps/300-0.tsr"][:-1])


def disclosed(sample: Sample, change: Callable[[dict[str, Any]], Any]) -> Members:
    """The pack with another disclosure."""
    value = json.loads(sample.members["disclosed.jsonl"])
    change(value)
    return replaced(sample.members, "disclosed.jsonl", canonical_bytes(value) + b"\n")


@corruption("disclosed-fields", 1, "/stmt/commit/name")
def a_disclosed_value_was_changed(sample: Sample) -> Members:
    return disclosed(sample, lambda value: value["fields"]["name"].update(value="Altmetall Meier GmbH"))


@corruption("disclosed-fields", 1, "/stmt/commit/name")
def the_salt_of_a_disclosed_value_was_changed(sample: Sample) -> Members:
    return disclosed(sample, lambda value: value["fields"]["name"].update(salt="ab" * 32))


@corruption("disclosed-fields", 1, "/stmt/commit/price")
def a_field_is_disclosed_that_the_entry_does_not_commit_to(sample: Sample) -> Members:
    return disclosed(sample, lambda value: value["fields"].update(price=value["fields"].pop("name")))


@corruption("disclosed-fields", SIZE, "disclosed.jsonl")
def a_field_is_disclosed_of_an_entry_that_does_not_exist(sample: Sample) -> Members:
    return disclosed(sample, lambda value: value.update(seq=SIZE))


@corruption("disclosed-fields", None, "disclosed.jsonl#line 1")
def a_disclosure_is_of_another_log(sample: Sample) -> Members:
    return disclosed(sample, lambda value: value.update(log="example.com/magnets/site-2"))


# --- manifest and container -------------------------------------------------------------------------------------------


@corruption("manifest", None, "manifest.json#/counts/checkpoints")
def a_checkpoint_was_removed_that_the_manifest_counts(sample: Sample) -> Members:
    members = with_notes(sample.members, [sample.notes[0], *sample.notes[2:]])
    counts = json.loads(sample.members["manifest.json"])["counts"]
    return with_manifest(members, counts=counts)


@corruption("manifest", None, "manifest.json#/root")
def the_root_in_the_manifest_is_another(sample: Sample) -> Members:
    return with_manifest(sample.members, root="ab" * 32)


@corruption("manifest", None, "manifest.json")
def the_manifest_has_a_million_parts(sample: Sample) -> Members:
    return sample.members | {"manifest.json": b"[" + b"{}," * 10**6 + b"{}]"}


@corruption("manifest", None, "manifest.json#/members/16/name")
def the_manifest_lists_a_member_twice(sample: Sample) -> Members:
    value = json.loads(sample.members["manifest.json"])
    value["members"].append(value["members"][0])  # there are sixteen, from 0 to 15
    return sample.members | {"manifest.json": canonical_bytes(value)}


@corruption("manifest", None, "README.md")
def a_member_is_missing(sample: Sample) -> Members:
    return removed(sample.members, "README.md")


@corruption("manifest", None, f"{TILE}.p/9")
def a_member_is_not_in_the_manifest(sample: Sample) -> Members:
    return {f"{TILE}.p/9": b"\0" * 9 * 32} | sample.members


@corruption("manifest", None, "manifest.json")
def the_manifest_is_missing(sample: Sample) -> Members:
    return removed(sample.members, "manifest.json")


@corruption("manifest", None, "README.md")
def the_readme_was_changed(sample: Sample) -> Members:
    return sample.members | {"README.md": sample.members["README.md"].replace(b"without trusting", b"by trusting")}


@corruption("verifier", None, "verify.py")
def the_copy_of_the_verifier_was_changed_and_the_manifest_mended(sample: Sample) -> Members:
    return replaced(sample.members, "verify.py", sample.members["verify.py"] + b"# always says yes\n")


@corruption("container", None, "")
def the_file_was_cut_off(sample: Sample) -> bytes:
    return put_together(sample.members)[:-1000]


@corruption("container", None, "")
def a_byte_was_added_at_the_end(sample: Sample) -> bytes:
    return put_together(sample.members) + b"\0"


@corruption("container", None, "README.md")
def bytes_were_added_at_the_beginning(sample: Sample) -> bytes:
    return b"#!/bin/sh\n" + put_together(sample.members)


@corruption("container", None, "../verify.py")
def a_member_wants_to_be_unpacked_outside_the_folder(sample: Sample) -> Members:
    return with_name(sample, "../verify.py")


@corruption("container", None, "/etc/passwd")
def a_member_has_an_absolute_path(sample: Sample) -> Members:
    return with_name(sample, "/etc/passwd")


def with_name(sample: Sample, name: str) -> Members:
    """The pack with one more member of this name."""
    return {name: b"x"} | sample.members


@corruption("container", None, "README.md")
def members_are_compressed(sample: Sample) -> bytes:
    return put_together(sample.members, zipfile.ZIP_DEFLATED)


@corruption("container", None, "disclosed.jsonl")
def a_member_expands_to_a_hundred_megabytes(sample: Sample) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sample.members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            bomb = name == "disclosed.jsonl"
            info.compress_type = zipfile.ZIP_DEFLATED if bomb else zipfile.ZIP_STORED
            archive.writestr(info, b"\n" * 10**8 if bomb else data)
    return buffer.getvalue()


@corruption("container", None, "README.md")
def two_members_have_one_name(sample: Sample) -> bytes:
    return put_together([("README.md", b"Trust us."), *sample.members.items()])


@corruption("container", None, "README.md")
def a_member_is_encrypted(sample: Sample) -> bytes:
    pack = bytearray(put_together(sample.members))
    directory = pack.rindex(b"PK\x01\x02" + bytes([20, 3]), 0, pack.index(b"PK\x01\x02") + 6)
    for flags in (6, directory + 8):
        pack[flags] |= 1
    return bytes(pack)


@corruption("container", None, "verify.py")
def bytes_are_hidden_between_two_members(sample: Sample) -> bytes:
    pack = put_together(sample.members)
    first = 30 + len("README.md") + len(sample.members["README.md"])
    return shifted(pack, first, b"hidden")


@corruption("container", None, "")
def bytes_are_hidden_before_the_directory(sample: Sample) -> bytes:
    pack = put_together(sample.members)
    return shifted(pack, pack.index(b"PK\x01\x02"), b"hidden")


def shifted(pack: bytes, place: int, hidden: bytes) -> bytes:
    """The ZIP with bytes put in at `place`, and every offset after it mended."""
    end = bytearray(pack[-22:])
    start = struct.unpack("<L", end[16:20])[0]
    end[16:20] = struct.pack("<L", start + len(hidden))
    directory = bytearray(pack[start:-22])
    at = 0
    while at < len(directory):
        offset = struct.unpack("<L", directory[at + 42 : at + 46])[0]
        if offset >= place:
            directory[at + 42 : at + 46] = struct.pack("<L", offset + len(hidden))
        at += 46 + sum(struct.unpack("<3H", directory[at + 28 : at + 34]))
    return pack[:place] + hidden + pack[place:start] + bytes(directory) + bytes(end)


@corruption("container", None, "keys.json")
def a_member_is_larger_than_it_may_be(sample: Sample) -> Members:
    return replaced(sample.members, "keys.json", b" " * (2**20 + 1))


@corruption("container", None, "")
def the_directory_claims_to_be_enormous(sample: Sample) -> bytes:
    pack = put_together(sample.members)
    return pack[:-10] + struct.pack("<L", 2**31) + pack[-6:]
