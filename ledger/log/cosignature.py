"""Witnesses: others who co-sign a checkpoint (C2SP tlog-cosignature, cosignature/v1), and how many are needed."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True)
class WitnessKey:
    """The public key of a witness. name: of witness and key. key_hash: 4 bytes, over name, type 0x04 and key."""

    name: str
    key_hash: bytes
    public_key: Ed25519PublicKey


@dataclass(frozen=True)
class WitnessPolicy:
    """Whose cosignatures count, and how many are needed.

    needed: k of the witnesses, 0 <= needed <= number of witnesses. urls: where each is asked, "" where it is not ours
    to ask; as many as witnesses.
    """

    needed: int
    witnesses: tuple[WitnessKey, ...]
    urls: tuple[str, ...] = ()


NO_WITNESSES = WitnessPolicy(0, ())
