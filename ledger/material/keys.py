"""Which key may sign which entry: what the entries about keys add up to. Judged by position alone, never by a clock.

An actor's key, registered by entry r, ended (rotated or revoked) by entry e, said to be compromised from entry c on:

| entry n that the key signs               | verdict                                                    |
|------------------------------------------|------------------------------------------------------------|
| n < r, or n = r > 0                      | refused: no earlier entry registers the key                |
| n = r = 0                                | accepted: the first entry of a log registers its own key   |
| r < n <= e, or without an end            | accepted                                                   |
| the same, and n >= c                     | accepted and flagged: who made it cannot be told           |
| n > e                                    | refused                                                    |

A key that a flagged entry registers, or puts in place of another, is flagged from its first entry on: see `with_heirs`.

A rotation is signed by the key that it ends, over a text that the new key signs, too. Other entries about keys are
signed by an operator, as is the erasure of private values; a revocation by an operator, or by the key that it revokes.
So a key that was taken can still revoke, which harms nobody's trust, and not undo it; and a laboratory's key makes no
operator.

Keys of the log itself: `followed` carries a trusted history (`ledger.log.keyring`, with its own table) through these
entries. Issuers' keys: `Keys.revoked`; witnesses': `Keys.revoked_witnesses`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger.errors import BadSignatureError, DuplicateIdError, InputError, RuleError, UnknownIdError, problem
from ledger.log.canonical import canonical_bytes
from ledger.log.checkpoint import parse_vkey
from ledger.log.cosignature import WitnessKey, format_witness_vkey
from ledger.log.keyring import MAX_KEYS, Keyring, Revocation, check_handover, single_key
from ledger.log.statement import key_id, pre_authentication_encoding
from ledger.material.entries import ActorKey
from ledger.material.fields import Body
from ledger.material.key_entries import ActorKeyRotated, KeyKind, KeyRevoked, LogKeyAdded, LogKeyRetired
from ledger.material.private import PRIVATE_ERASED, PrivateErased

KeyBody = ActorKey | ActorKeyRotated | LogKeyAdded | LogKeyRetired | KeyRevoked

KEY_TYPES = ("actor_key", "actor_key_rotated", "log_key_added", "log_key_retired", "key_revoked")
"""Types of the entries about keys."""

SIGNER_TYPES = (*KEY_TYPES, PRIVATE_ERASED)
"""Types of the entries that not every registered key may sign: who may depends on what they say."""

POSSESSION_TYPE = "application/vnd.magnet-ledger.actor-key-possession+json"
"""Payload type of what a new actor key signs to show that its owner has it."""


@dataclass(frozen=True)
class SigningKey:
    """A key of an actor and the entries that it may sign.

    from_seq: the entry that registers it; it signs those after, and entry 0 itself. until_seq: the entry that ended it,
    the last that it may sign; None while it is in use. ended: how. compromised_from_seq: see `KeyRevoked`.
    """

    kid: str
    actor: str
    role: str
    public_key: Ed25519PublicKey
    from_seq: int
    until_seq: int | None = None
    ended: Literal["rotated", "revoked"] | None = None
    compromised_from_seq: int | None = None


@dataclass(frozen=True)
class Keys:
    """What the entries so far say of keys.

    actors: by key id. revoked: by kind and name, with the entry's number. log_ranges: tree sizes from and to (None:
    open) of the log's keys by verifier key; empty as long as the log has had one key. seqs: of all key entries, rising.
    """

    actors: Mapping[str, SigningKey] = field(default_factory=dict)
    revoked: Mapping[tuple[KeyKind, str], tuple[int, KeyRevoked]] = field(default_factory=dict)
    log_ranges: Mapping[str, tuple[int, int | None]] = field(default_factory=dict)
    seqs: tuple[int, ...] = ()

    def with_entry(self, seq: int, body: Body) -> Keys:
        """The keys with one entry more; the same if it is not about keys. seq: above those of the entries so far.

        Raises: InputError or RuleError (or a kind of it), with JSON pointers into the body. Whether its signer may say
        so is `signing_key`'s.
        """
        if not isinstance(body, KeyBody):
            return self
        after = replace(self, seqs=(*self.seqs, seq))
        if isinstance(body, ActorKey):
            return replace(after, actors={**self.actors, body.kid: self._registered(seq, body)})
        if isinstance(body, ActorKeyRotated):
            return replace(after, actors={**self.actors, **self._rotated(seq, body)})
        if isinstance(body, LogKeyAdded):
            return replace(after, log_ranges=self._with_log_key(seq, body))
        if isinstance(body, LogKeyRetired):
            return replace(after, log_ranges=self._without_log_key(seq, body))
        return self._revoking(after, seq, body)

    def _registered(self, seq: int, body: ActorKey | ActorKeyRotated, role: str | None = None) -> SigningKey:
        if body.kid in self.actors:
            raise DuplicateIdError(
                problem(
                    "/kid", body.kid, "an id that no other has; there is a key of this id already", "Use a new key."
                )
            )
        public_key = _public_key(body.public_key)
        expected = key_id(public_key)
        if body.kid != expected:
            raise InputError(problem("/kid", body.kid, f"{expected}, the id of this key", "Correct the key id."))
        if isinstance(body, ActorKey):
            role = body.role
        assert role is not None
        return SigningKey(body.kid, body.actor, role, public_key, seq)

    def _rotated(self, seq: int, body: ActorKeyRotated) -> dict[str, SigningKey]:
        old = self.actors.get(body.old_kid)
        if old is None or old.actor != body.actor:
            raise UnknownIdError(
                problem("/old_kid", body.old_kid, f"the id of a key of {body.actor}", "Check key id and actor.")
            )
        if old.until_seq is not None:
            raise RuleError(
                problem(
                    "/old_kid", body.old_kid, f"a key in use; entry {old.until_seq} {old.ended} it", "Use its heir."
                )
            )
        new = self._registered(seq, body, old.role)
        try:
            new.public_key.verify(base64.b64decode(body.proof), possession_bytes(body.actor, body.old_kid, body.kid))
        except InvalidSignature:
            raise InputError(
                problem("/proof", body.proof, "a signature by the new key over its own id", "Sign with the new key.")
            ) from None
        return {body.old_kid: replace(old, until_seq=seq, ended="rotated"), body.kid: new}

    def _with_log_key(self, seq: int, body: LogKeyAdded) -> dict[str, tuple[int, int | None]]:
        if body.from_size != seq + 1:
            raise RuleError(
                problem("/from_size", body.from_size, f"{seq + 1}, the first size that holds this entry", "Sign anew.")
            )
        # The first entry of this kind tells which key the log has had until then; a verifier compares it with its own.
        ranges = dict(self.log_ranges) or {body.old_vkey: (0, None)}
        if body.vkey in ranges or ("log", body.vkey) in self.revoked:
            raise DuplicateIdError(problem("/vkey", body.vkey, "a key that the log has not had", "Make a new key."))
        if len(ranges) >= MAX_KEYS:
            expected = f"at most {MAX_KEYS} keys in a log's life: no verifier reads a longer history"
            raise RuleError(problem("/vkey", body.vkey, expected, "Keep the present key, or begin another log."))
        if not self._signs(ranges, body.old_vkey, body.from_size):
            raise RuleError(
                problem("/old_vkey", body.old_vkey, "a key that signs the log's checkpoints now", "See `key list`.")
            )
        try:
            check_handover(
                parse_vkey(body.old_vkey),
                parse_vkey(body.vkey),
                body.from_size,
                (base64.b64decode(body.old_signature), base64.b64decode(body.new_signature)),
            )
        except BadSignatureError as error:
            item = error.problems[0]
            raise InputError(problem("/old_signature", item.value, item.expected, item.next_step)) from None
        return {**ranges, body.vkey: (body.from_size, None)}

    def _without_log_key(self, seq: int, body: LogKeyRetired) -> dict[str, tuple[int, int | None]]:
        if body.to_size != seq + 1:
            raise RuleError(
                problem("/to_size", body.to_size, f"{seq + 1}, the first size that holds this entry", "State that.")
            )
        ranges = dict(self.log_ranges)
        if not self._signs(ranges, body.vkey, body.to_size):
            raise RuleError(
                problem("/vkey", body.vkey, "a key that signs the log's checkpoints now", "See `key list`.")
            )
        if not self.others_sign(body.vkey, body.to_size):
            raise RuleError(
                problem("/vkey", body.vkey, "a key beside which another one signs already", "Add a new key first.")
            )
        return {**ranges, body.vkey: (ranges[body.vkey][0], body.to_size)}

    def others_sign(self, vkey: str, size: int) -> bool:
        """Whether another key of the log than this may sign a checkpoint of this size."""
        return any(other != vkey and self._signs(self.log_ranges, other, size) for other in self.log_ranges)

    def _signs(self, ranges: Mapping[str, tuple[int, int | None]], vkey: str, size: int) -> bool:
        start, end = ranges.get(vkey, (size + 1, None))
        return start <= size and (end is None or size < end) and ("log", vkey) not in self.revoked

    def _revoking(self, after: Keys, seq: int, body: KeyRevoked) -> Keys:
        if (body.kind, body.key) in self.revoked:
            earlier = self.revoked[body.kind, body.key][0]
            raise DuplicateIdError(
                problem(
                    "/key", body.key, f"a key that was not revoked yet; entry {earlier} revokes it", "Nothing to do."
                )
            )
        if body.compromised_from_seq is not None and body.compromised_from_seq > seq:
            raise RuleError(
                problem("/compromised_from_seq", body.compromised_from_seq, f"an entry up to {seq}", "Correct it.")
            )
        after = replace(after, revoked={**self.revoked, (body.kind, body.key): (seq, body)})
        if body.kind == "actor":
            key = self.actors.get(body.key)
            if key is None:
                raise UnknownIdError(problem("/key", body.key, "the id of a registered key", "See `key list`."))
            if key.until_seq is None:
                key = replace(key, until_seq=seq, ended="revoked")
            key = replace(key, compromised_from_seq=body.compromised_from_seq)
            return replace(after, actors={**self.actors, body.key: key})
        if body.kind == "log" and body.key in self.log_ranges:
            start, end = self.log_ranges[body.key]
            return replace(after, log_ranges={**self.log_ranges, body.key: (start, seq + 1 if end is None else end)})
        return after

    def signing_key(self, seq: int, kid: str, actor: str, body: Body | None) -> SigningKey:
        """The key that signs entry seq, by the module's table. body: of the entry, None if it cannot be read.

        The keys may be those before the entry or those at any later place, the end of the log included: what is asked
        is decided by the places of entries alone.
        Raises: RuleError if the key may not sign it.
        """
        key = self.actors.get(kid)
        if key is None and seq == 0 and isinstance(body, ActorKey) and not self.actors:
            key = self._registered(seq, body) if body.kid == kid else None
        if key is None or key.actor != actor or (seq <= key.from_seq and not seq == key.from_seq == 0):
            raise _may_not_sign(
                actor,
                kid,
                "an actor with a key that an earlier entry registers",
                "Register the key with an actor_key entry, or sign with a registered one.",
            )
        if key.until_seq is not None and seq > key.until_seq:
            expected = f"a key in use; entry {key.until_seq} {key.ended} this one"
            raise _may_not_sign(actor, kid, expected, "Sign with the actor's new key; restart what holds the old one.")
        if isinstance(body, ActorKeyRotated) and kid != body.old_kid:
            raise _may_not_sign(actor, kid, f"the key that is rotated, {body.old_kid}", "Let its owner rotate it.")
        revokes_itself = isinstance(body, KeyRevoked) and (body.kind, body.key) == ("actor", kid)
        for_operators = isinstance(body, ActorKey | LogKeyAdded | LogKeyRetired | KeyRevoked | PrivateErased)
        registers_itself = seq == 0 and isinstance(body, ActorKey)
        if for_operators and key.role != "operator" and not (revokes_itself or registers_itself):
            raise _may_not_sign(actor, kid, f"an operator; this key's role is {key.role}", "Ask an operator.")
        return key

    def with_heirs(self, signer_of: Callable[[int], str | None]) -> Keys:
        """The keys, those compromised from the start that a flagged entry registers: a thief may have made them.

        Whose an heir is, its owner's new key or the thief's, cannot be told from the log.
        signer_of: id of the key that signed an entry; asked only of entries that register a key, None where unknown.
        """
        keys, flagged = self, [one.compromised_from_seq for one in self.actors.values()]
        first = min((seq for seq in flagged if seq is not None), default=None)
        if first is None:
            return self
        for key in sorted(self.actors.values(), key=lambda one: one.from_seq):
            signer = signer_of(key.from_seq) if key.from_seq >= max(first, 1) else None
            if signer is not None and keys.is_flagged(key.from_seq, signer):
                since = key.from_seq + 1
                if key.compromised_from_seq is not None:
                    since = min(since, key.compromised_from_seq)
                keys = replace(keys, actors={**keys.actors, key.kid: replace(key, compromised_from_seq=since)})
        return keys

    def revoked_witnesses(self, witnesses: Sequence[WitnessKey], tree_size: int) -> list[WitnessKey]:
        """Those of the witnesses that one of the first tree_size entries revokes: their lines count for nothing there.

        Under an earlier checkpoint they do: it was co-signed while the witness was trusted.
        """
        seqs = {name: seq for (kind, name), (seq, _) in self.revoked.items() if kind == "witness"}
        return [one for one in witnesses if seqs.get(format_witness_vkey(one), tree_size) < tree_size]

    def is_flagged(self, seq: int, kid: str) -> bool:
        """Whether entry seq is signed with a key that, by a later revocation, somebody else may have held by then.

        For keys that such a key has registered, ask this of `with_heirs`.
        """
        key = self.actors.get(kid)
        return key is not None and key.compromised_from_seq is not None and seq >= key.compromised_from_seq


NO_KEYS = Keys()


def actor_keys(entries: Iterable[tuple[int, Body]]) -> Keys:
    """What the entries (sequence number, body), rising, say of keys; those that are not about keys may be among them.

    Raises: as `Keys.with_entry`.
    """
    keys = NO_KEYS
    for seq, body in entries:
        keys = keys.with_entry(seq, body)
    return keys


def possession_bytes(actor: str, old_kid: str, kid: str) -> bytes:
    """What a new actor key signs when it takes over from an old one: DSSE over canonical JSON."""
    value = {"v": 1, "actor": actor, "old_kid": old_kid, "kid": kid}
    return pre_authentication_encoding(POSSESSION_TYPE, canonical_bytes(value))


def followed(trusted: Keyring, entries: Iterable[tuple[int, str, Body]]) -> Keyring:
    """The trusted history of a log's keys carried on through entries (sequence number, `recv`, body), rising.

    They are taken to be entries of that log under a checkpoint that was verified, or to be verified with the result,
    each with the rules of `Keys` kept. Where what is trusted is no history but a key, or several, of which no sizes are
    known, the log's own history counts if one of them is in it: both keys have signed each handover, so the later one
    vouches for the earlier and the other way round.
    Raises: RuleError if a key that is not trusted hands over, or the entries contradict the history.
    """
    listed = [(seq, recv, body) for seq, recv, body in entries if isinstance(body, KeyBody)]
    first = next((body for _, _, body in listed if isinstance(body, LogKeyAdded)), None)
    if first is None or trusted.is_history:
        return _carried_on(trusted, listed)
    own = _carried_on(single_key(parse_vkey(first.old_vkey)), listed)
    if not any(own.find(key.text) for key in trusted.keys):
        found = ", ".join(key.text for key in own.keys)
        expected = f"a trusted key among them: {', '.join(key.text for key in trusted.keys)}"
        raise RuleError(problem("/vkey", found, expected, "Get the log's verifier key from its owner."))
    return own


def _carried_on(keyring: Keyring, entries: Iterable[tuple[int, str, KeyBody]]) -> Keyring:
    for seq, recv, body in entries:
        if isinstance(body, LogKeyAdded):
            keyring = keyring.with_key(parse_vkey(body.vkey), parse_vkey(body.old_vkey), body.from_size)
        elif isinstance(body, LogKeyRetired):
            keyring = keyring.without(parse_vkey(body.vkey), body.to_size)
        elif isinstance(body, KeyRevoked) and body.kind == "log" and keyring.find(body.key) is not None:
            keyring = keyring.without(parse_vkey(body.key), seq + 1, Revocation(seq, recv))
    return keyring


def _public_key(text: str) -> Ed25519PublicKey:
    """Raises: InputError unless the text is spelled as base64 is."""
    raw = base64.b64decode(text)
    if base64.b64encode(raw).decode("ascii") != text:
        raise InputError(problem("/public_key", text, "base64 of 32 bytes", "Copy the key again."))
    return Ed25519PublicKey.from_public_bytes(raw)


def _may_not_sign(actor: str, kid: str, expected: str, next_step: str) -> RuleError:
    return RuleError(problem("/actor", f"{actor} with key {kid}", expected, next_step))
