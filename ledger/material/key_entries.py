"""Entry bodies about keys: a key of the log added or retired, an actor's key rotated, any key revoked.

`actor_key`, in `ledger.material.entries`, registers a key. What the entries add up to is `ledger.material.keys`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, StringConstraints, model_validator

from ledger.errors import InputError
from ledger.log.checkpoint import parse_vkey
from ledger.log.cosignature import parse_witness_vkey
from ledger.material.fields import Body, FieldError, Id, Text

Kid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
PublicKeyText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{43}=$")]
"""The 32 raw bytes of an Ed25519 key in base64."""

SignatureText = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{86}==$")]
"""An Ed25519 signature, 64 bytes, in base64."""

VkeyText = Annotated[str, StringConstraints(max_length=320)]
"""A verifier key of a log or witness (C2SP signed-note)."""

KeyKind = Literal["actor", "log", "issuer", "witness"]

_VKEY = re.compile(r"[!-*,-~]{1,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{43}[A-Za-z0-9+/=]")
_NAMES: dict[KeyKind, tuple[str, re.Pattern[str]]] = {
    "actor": ("a key id: 16 lower-case hexadecimal digits", re.compile(r"[0-9a-f]{16}")),
    "log": ("a verifier key: name+key hash+base64 key", _VKEY),
    "issuer": ("the SHA-256 of a certificate: 64 lower-case hexadecimal digits", re.compile(r"[0-9a-f]{64}")),
    "witness": ("a verifier key: name+key hash+base64 key", _VKEY),
}


def _check_vkey(field: str, text: str) -> None:
    """Raises: FieldError unless `text` is the verifier key of an Ed25519 log key."""
    try:
        parse_vkey(text)
    except InputError as error:
        raise FieldError(field, text, error.problems[0].expected) from None


class ActorKeyRotated(Body):
    """An actor's key replaced by a new one, which signs from the next entry on. The old key signs this statement.

    The role stays. proof: signature by the new key over `ledger.material.keys.possession_bytes`.
    """

    old_kid: Kid
    kid: Kid
    public_key: PublicKeyText
    actor: Id
    proof: SignatureText


class LogKeyAdded(Body):
    """A second key of the log, which signs checkpoints from `from_size` on, the first size that holds this entry.

    The signatures are by the old and the new key over `ledger.log.keyring.handover_bytes`.
    """

    vkey: VkeyText
    old_vkey: VkeyText
    from_size: Annotated[StrictInt, Field(ge=1)]
    old_signature: SignatureText
    new_signature: SignatureText

    @model_validator(mode="after")
    def _keys_of_one_log(self) -> Self:
        _check_vkey("vkey", self.vkey)
        _check_vkey("old_vkey", self.old_vkey)
        if self.vkey.split("+")[0] != self.old_vkey.split("+")[0] or self.vkey == self.old_vkey:
            raise FieldError("vkey", self.vkey, "another key of the same log as old_vkey")
        return self


class LogKeyRetired(Body):
    """A key of the log that signs no checkpoint of `to_size` or more, the first size that holds this entry."""

    vkey: VkeyText
    to_size: Annotated[StrictInt, Field(ge=1)]

    @model_validator(mode="after")
    def _is_a_key(self) -> Self:
        _check_vkey("vkey", self.vkey)
        return self


class KeyRevoked(Body):
    """A key that is not to be trusted any more, and why.

    key: key id of an actor's key; verifier key of a log's or witness's; SHA-256 of the certificate of an issuer's.
    compromised_from_seq: the first entry at which somebody else may have held it; absent if nobody is known to have.
    """

    kind: KeyKind
    key: Annotated[str, StringConstraints(max_length=320)]
    reason: Text
    compromised_from_seq: Annotated[StrictInt, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _named_after_its_kind(self) -> Self:
        expected, form = _NAMES[self.kind]
        if not form.fullmatch(self.key):
            raise FieldError("key", self.key, expected)
        if self.kind == "log":
            _check_vkey("key", self.key)
        if self.kind == "witness":
            try:
                parse_witness_vkey(self.key)
            except InputError as error:
                raise FieldError("key", self.key, error.problems[0].expected) from None
        return self


KEY_ENTRIES: dict[str, type[Body]] = {
    "actor_key_rotated": ActorKeyRotated,
    "log_key_added": LogKeyAdded,
    "log_key_retired": LogKeyRetired,
    "key_revoked": KeyRevoked,
}
