"""The keys of a log over time: which key may sign checkpoints of which size, and how one hands over to the next.

A log's key is changed while the log goes on, so a verifier that is to check old checkpoints and new ones needs the
history of its keys: each with the half-open range of tree sizes [from_size, to_size) that it may sign. The ranges of
two keys overlap while one hands over to the other; then both sign.

A signature line counts only if its key is in the history and the note's tree size lies in that key's range; any other
line is ignored, as that of an unknown key is. One line that counts is enough, and one that counts and does not hold
refuses the note. A key that was revoked counts in its range only for a note with a date:

| key              | size in its range | date by a trusted witness or TSA | verdict  |
|------------------|-------------------|----------------------------------|----------|
| not in history   | -                 | -                                | refused  |
| not revoked      | no                | -                                | refused  |
| not revoked      | yes               | -                                | accepted |
| revoked          | no                | -                                | refused  |
| revoked          | yes               | none                             | refused  |
| revoked          | yes               | before the second of revocation  | accepted |
| revoked          | yes               | in that second or later          | refused  |

The date is one that somebody else gave to this checkpoint or to a later one of the same log that it is proved to be a
part of; never the log's own clock, which a thief of the key sets as it likes. Whole seconds, since a cosignature has no
finer time. Which witnesses and authorities are trusted, and that their signatures hold, is for the caller.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NoReturn

from cryptography.exceptions import InvalidSignature

from ledger.errors import BadSignatureError, InputError, RuleError, VerificationError, problem
from ledger.log.canonical import canonical_bytes, parse_json
from ledger.log.checkpoint import (
    Checkpoint,
    NoteSigner,
    VerifierKey,
    format_vkey,
    make_verifier_key,
    parse_checkpoint,
    parse_vkey,
    verify_checkpoint,
)
from ledger.log.forms import check_members, check_version, parse_time
from ledger.log.merkle import MAX_TREE_SIZE
from ledger.log.statement import SIGNATURE_BYTES, pre_authentication_encoding

KEYRING_VERSION = 1
MAX_KEYS = 64
MAX_KEYRING_CHARS = 131_072

HANDOVER_TYPE = "application/vnd.magnet-ledger.log-key-handover+json"
"""Payload type of a handover. A checkpoint begins with its origin and never with "DSSEv1 ", so neither passes for the
other."""

_KEYRING_MEMBERS = frozenset({"v", "origin", "keys"})
_KEY_MEMBERS = frozenset({"vkey", "from_size", "to_size", "revoked"})
_REVOKED_MEMBERS = frozenset({"seq", "at"})


@dataclass(frozen=True)
class Revocation:
    """That a log key is not to be trusted any more. seq: of the entry that says so. at: when the log received it, text
    as in entries.
    """

    seq: int
    at: str

    def __post_init__(self) -> None:
        _check_size(self.seq, "/seq", least=0)
        parse_time(self.at, "/at")


@dataclass(frozen=True)
class LogKey:
    """A key of a log and the tree sizes that it may sign: from_size <= size < to_size, without end if to_size is None.

    revoked: where the key is not to be trusted any more, and since when; None else.
    Raises: InputError naming the field, where a field is not of its form.
    """

    vkey: VerifierKey
    from_size: int = 0
    to_size: int | None = None
    revoked: Revocation | None = None

    def __post_init__(self) -> None:
        _check_size(self.from_size, "/from_size", least=0)
        if self.to_size is not None:
            _check_size(self.to_size, "/to_size", least=self.from_size + 1)

    @property
    def text(self) -> str:
        """The verifier key as text."""
        return format_vkey(self.vkey.origin, self.vkey.public_key)

    def signs(self, tree_size: int) -> bool:
        """Whether it may sign a checkpoint of this size."""
        return self.from_size <= tree_size and (self.to_size is None or tree_size < self.to_size)

    def accepted(self, dated: datetime | None) -> bool:
        """Whether its signature, in its range, is to be accepted on a note with this date: see the module's table."""
        if self.revoked is None:
            return True
        at = parse_time(self.revoked.at, "/at").replace(microsecond=0)
        return dated is not None and dated < at

    def range_text(self) -> str:
        """The range in words."""
        return f"sizes from {self.from_size}" + ("" if self.to_size is None else f" to {self.to_size - 1}")


@dataclass(frozen=True)
class Signed:
    """A note that keys of a log have signed. keys: those whose lines count, in the history's order; at least one."""

    checkpoint: Checkpoint
    keys: tuple[LogKey, ...]


@dataclass(frozen=True)
class Keyring:
    """The history of a log's keys, the earliest first.

    Raises: InputError if there is none or more than MAX_KEYS, one is of another log or there twice, or they do not
    rise by from_size.
    """

    origin: str
    keys: tuple[LogKey, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= MAX_KEYS:
            _refuse("/keys", f"{len(self.keys)} keys", f"1 to {MAX_KEYS} keys")
        seen: set[str] = set()
        for place, key in enumerate(self.keys):
            if key.vkey.origin != self.origin:
                _refuse(f"/keys/{place}/vkey", key.text, f"a key of {self.origin}")
            if key.text in seen:
                _refuse(f"/keys/{place}/vkey", key.text, "each key once: a key that was given up does not come back")
            if place and key.from_size < self.keys[place - 1].from_size:
                _refuse(f"/keys/{place}/from_size", key.from_size, "keys by rising from_size")
            seen.add(key.text)

    @property
    def is_history(self) -> bool:
        """Whether anything is known of sizes or revocations; else it is a bare list of keys."""
        return any((key.from_size, key.to_size, key.revoked) != (0, None, None) for key in self.keys)

    def find(self, vkey: str) -> LogKey | None:
        """The key with this text, None if it is not in the history."""
        return next((key for key in self.keys if key.text == vkey), None)

    def signing(self, tree_size: int) -> tuple[LogKey, ...]:
        """The keys that may sign a checkpoint of this size and were not revoked."""
        return tuple(key for key in self.keys if key.signs(tree_size) and key.revoked is None)

    def signers(self, note: str) -> Signed:
        """Which keys of the log have signed the note, each for a size in its range; a revoked one is among them.

        Raises: MalformedProofError if it is no note, or for two lines by one key; BadSignatureError if it is the
        checkpoint of another log, no line counts, or one that counts does not hold.
        """
        checkpoint, lines = parse_checkpoint(note)
        named = {line.key_hash for line in lines if line.name == self.origin}
        known = [key for key in self.keys if key.vkey.key_hash in named]
        counting = [key for key in known if key.signs(checkpoint.tree_size)]
        if not counting:
            if checkpoint.origin == self.origin and known:
                found = f"size {checkpoint.tree_size}, signed by " + ", ".join(key.vkey.key_hash.hex() for key in known)
                may = "; ".join(f"{key.vkey.key_hash.hex()} may sign {key.range_text()}" for key in known)
                raise _not_accepted(found, f"a signature by a key for this size: {may}")
            # Says what is wrong: another log, or a key that is not known.
            verify_checkpoint(note, self.keys[-1].vkey)
        for key in counting:
            verify_checkpoint(note, key.vkey)
        return Signed(checkpoint, tuple(counting))

    def verify(self, note: str, dated: datetime | None = None) -> Signed:
        """The note, if a key signed it that may sign this size and is not revoked, or signed it before it was revoked.

        dated: the earliest date, with zone, that a trusted witness or TSA gave to this checkpoint or to one that holds
        it; None without any.
        Raises: as signers; BadSignatureError, too, if every key that signed was revoked and the date does not help.
        """
        signed = self.signers(note)
        accepted = tuple(key for key in signed.keys if key.accepted(dated))
        if not accepted:
            key = signed.keys[0]
            assert key.revoked is not None
            found = f"signed by {key.vkey.key_hash.hex()} alone, dated {dated or 'by nobody'}"
            expected = (
                f"a date before {key.revoked.at} by a trusted witness or time stamp: entry {key.revoked.seq} revokes "
                "the key"
            )
            raise _not_accepted(found, expected)
        return replace(signed, keys=accepted)

    def with_key(self, new: VerifierKey, old: VerifierKey, from_size: int) -> Keyring:
        """The history with `new`, to which `old` hands over from from_size on. The same again changes nothing.

        Raises: RuleError if old may not hand over (not in the history, out of its range, revoked), or new is in the
        history with another range.
        """
        new_text = format_vkey(new.origin, new.public_key)
        known = self.find(new_text)
        if known is not None:
            if known.from_size != from_size:
                raise _rule("/from_size", from_size, f"{known.from_size}, as the history of the log's keys says")
            return self
        old_text = format_vkey(old.origin, old.public_key)
        giver = self.find(old_text)
        if giver is None or not giver.signs(from_size) or giver.revoked is not None:
            raise _rule("/old_vkey", old_text, f"a key of the log that may sign size {from_size} and is not revoked")
        keys = sorted((*self.keys, LogKey(new, from_size)), key=lambda key: key.from_size)
        return Keyring(self.origin, tuple(keys))

    def without(self, vkey: VerifierKey, to_size: int, revoked: Revocation | None = None) -> Keyring:
        """The history in which the key ends before to_size: retired, or revoked. The same again changes nothing.

        Raises: RuleError if the key is not in the history or has ended otherwise.
        """
        text = format_vkey(vkey.origin, vkey.public_key)
        key = self.find(text)
        if key is None:
            raise _rule("/vkey", text, "a key in the history of the log's keys")
        if revoked is None:
            if key.to_size not in (None, to_size) and key.revoked is None:
                raise _rule("/to_size", to_size, f"{key.to_size}, as the history of the log's keys says")
            ended = replace(key, to_size=to_size if key.to_size is None else min(key.to_size, to_size))
        else:
            if key.revoked is not None and key.revoked != revoked:
                raise _rule("/key", text, f"a key that was not revoked yet; entry {key.revoked.seq} revokes it")
            # Revoking ends the range no later than retiring did; a key that never began ends at its first size.
            last = max(to_size, key.from_size + 1)
            ended = replace(key, to_size=last if key.to_size is None else min(key.to_size, last), revoked=revoked)
        return Keyring(self.origin, tuple(ended if one is key else one for one in self.keys))


def single_key(vkey: VerifierKey) -> Keyring:
    """The history of a log of which one key is known: it may sign any size."""
    return Keyring(vkey.origin, (LogKey(vkey),))


def as_keyring(trusted: Keyring | VerifierKey | str) -> Keyring:
    """The key history in any of the forms that a caller may hold it: a history, a verifier key, or its text.

    Raises: InputError if text is no verifier key.
    """
    if isinstance(trusted, str):
        trusted = parse_vkey(trusted)
    return single_key(trusted) if isinstance(trusted, VerifierKey) else trusted


def keyrings(vkeys: Sequence[str], histories: Sequence[str]) -> dict[str, Keyring]:
    """What a folder of trusted keys adds up to, by origin. vkeys: texts of verifier keys. histories: of keys.json.

    Several keys of one log without a history may each sign any size. A history counts alone for its log.
    Raises: InputError if a text is not of its form, there are two histories of a log, or a key beside a history is not
    in it.
    """
    rings: dict[str, Keyring] = {}
    for text in histories:
        ring = parse_keyring(text)
        if ring.origin in rings:
            _refuse("/origin", ring.origin, "one history of a log's keys")
        rings[ring.origin] = ring
    from_history = set(rings)
    for text in vkeys:
        vkey = parse_vkey(text)
        ring_so_far = rings.get(vkey.origin)
        if vkey.origin in from_history:
            assert ring_so_far is not None
            if ring_so_far.find(text) is None:
                _refuse("/vkeys", text, f"a key that the history of {vkey.origin} holds")
        elif ring_so_far is None:
            rings[vkey.origin] = single_key(vkey)
        elif ring_so_far.find(text) is None:
            rings[vkey.origin] = Keyring(vkey.origin, (*ring_so_far.keys, LogKey(vkey)))
    return rings


# keys.json


def keyring_value(keyring: Keyring) -> dict[str, Any]:
    """The history as JSON data."""
    return {
        "v": KEYRING_VERSION,
        "origin": keyring.origin,
        "keys": [
            {
                "vkey": key.text,
                "from_size": key.from_size,
                "to_size": key.to_size,
                "revoked": None if key.revoked is None else {"seq": key.revoked.seq, "at": key.revoked.at},
            }
            for key in keyring.keys
        ],
    }


def format_keyring(keyring: Keyring) -> str:
    """The history as the text of a file keys.json: parse_keyring(format_keyring(k)) == k."""
    return json.dumps(keyring_value(keyring), indent=2) + "\n"


def parse_keyring(text: str) -> Keyring:
    """The history that `text` spells. White space is free; members, forms and ranges are not.

    Raises: InputError naming the field.
    """
    if len(text) > MAX_KEYRING_CHARS:
        _refuse("", f"{len(text)} characters", f"at most {MAX_KEYRING_CHARS}")
    members = check_members(parse_json(text), _KEYRING_MEMBERS)
    check_version(members["v"], KEYRING_VERSION)
    origin, items = members["origin"], members["keys"]
    if not isinstance(origin, str):
        _refuse("/origin", origin, "the name of the log")
    if not isinstance(items, list) or len(items) > MAX_KEYS:
        _refuse("/keys", items, f"a list of 1 to {MAX_KEYS} keys")
    keys = []
    for place, item in enumerate(items):
        try:
            keys.append(_parse_key(item))
        except InputError as error:
            raise InputError(*(replace(one, field=f"/keys/{place}{one.field}") for one in error.problems)) from error
    return Keyring(origin, tuple(keys))


def _parse_key(value: object) -> LogKey:
    members = check_members(value, _KEY_MEMBERS)
    if not isinstance(members["vkey"], str):
        _refuse("/vkey", members["vkey"], "a verifier key")
    revoked = members["revoked"]
    if revoked is not None:
        stated = check_members(revoked, _REVOKED_MEMBERS)
        revoked = Revocation(stated["seq"], stated["at"])
    return LogKey(parse_vkey(members["vkey"]), members["from_size"], members["to_size"], revoked)


# Handing over


def handover_bytes(old: VerifierKey, new: VerifierKey, from_size: int) -> bytes:
    """What both keys sign when `old` hands over to `new`, which may sign from from_size on: DSSE over canonical JSON.

    Raises: InputError if they are one key, or keys of two logs.
    """
    old_text, new_text = (format_vkey(key.origin, key.public_key) for key in (old, new))
    if old.origin != new.origin or old_text == new_text:
        _refuse("/vkey", new_text, f"another key of {old.origin}")
    value = {"v": 1, "origin": old.origin, "old_vkey": old_text, "new_vkey": new_text, "from_size": from_size}
    return pre_authentication_encoding(HANDOVER_TYPE, canonical_bytes(value))


def sign_handover(origin: str, old: NoteSigner, new: NoteSigner, from_size: int) -> tuple[bytes, bytes]:
    """The signatures of the old key and of the new one over the handover. Raises: InputError; what a signer raises."""
    vkeys = [make_verifier_key(origin, key.public_key()) for key in (old, new)]
    data = handover_bytes(vkeys[0], vkeys[1], from_size)
    return old.sign(data), new.sign(data)


def check_handover(old: VerifierKey, new: VerifierKey, from_size: int, signatures: tuple[bytes, bytes]) -> None:
    """Raises: BadSignatureError unless both keys have signed the handover, old first; InputError as handover_bytes."""
    data = handover_bytes(old, new, from_size)
    for key, signature in zip((old, new), signatures, strict=True):
        try:
            if len(signature) != SIGNATURE_BYTES:
                raise InvalidSignature
            key.public_key.verify(signature, data)
        except InvalidSignature as error:
            raise BadSignatureError(
                problem("", signature.hex(), f"a signature by {key.key_hash.hex()} over the handover", "Make it again.")
            ) from error


def _check_size(value: object, field: str, *, least: int) -> None:
    if type(value) is not int or not least <= value <= MAX_TREE_SIZE:
        _refuse(field, value, f"a whole number from {least} to {MAX_TREE_SIZE}")


def _refuse(field: str, value: object, expected: str) -> NoReturn:
    raise InputError(problem(field, value, expected, "Take the history of the log's keys again, unchanged."))


def _rule(field: str, value: object, expected: str) -> RuleError:
    return RuleError(problem(field, value, expected, "See `magnet-ledger key list`."))


def _not_accepted(found: str, expected: str) -> VerificationError:
    return BadSignatureError(problem("", found, expected, "Treat it as not from that log, or get its later keys."))
