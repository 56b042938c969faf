"""A process of its own for keys in a hardware module: the library is set up once a process, by SOFTHSM2_CONF.

softhsm_signer.py make LABEL...       makes an Ed25519 key pair for each label; prints their public keys in hex
softhsm_signer.py note URI...         signs a checkpoint with the keys; prints the note
softhsm_signer.py threads URI         signs 40 texts in 4 threads; prints how many signatures hold
softhsm_signer.py lost URI            signs, loses the module, fails, signs again; prints what happened
softhsm_signer.py refused URI         fails twice with a wrong PIN, signs with the right one; prints what happened
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pkcs11
from pkcs11.util.ec import encode_named_curve_parameters

from ledger.errors import LedgerError, StoreError
from ledger.log.checkpoint import Checkpoint, sign_checkpoint
from ledger.store.signers import open_signer

MODULE = os.environ["SOFTHSM_MODULE"]
PIN = os.environ.get("PIN")
ED25519 = "1.3.101.112"


def make(labels: list[str]) -> None:
    token = pkcs11.lib(MODULE).get_token(token_label="plant")
    with token.open(rw=True, user_pin=PIN) as session:
        for label in labels:
            parameters = session.create_domain_parameters(
                pkcs11.KeyType.EC_EDWARDS,
                {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(ED25519)},
                local=True,
            )
            public, _ = parameters.generate_keypair(
                mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN, store=True, label=label
            )
            print(bytes(public[pkcs11.Attribute.EC_POINT])[-32:].hex())


def note(where: list[str]) -> None:
    signers = [open_signer(one, Path.cwd(), pin=PIN) for one in where]
    print(sign_checkpoint(Checkpoint("example.com/hsm", 7, bytes(range(32))), *signers), end="")


def threads(where: str) -> None:
    signer = open_signer(where, Path.cwd(), pin=PIN)
    texts = [b"%d" % number for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        signatures = list(pool.map(signer.sign, texts))
    for text, signature in zip(texts, signatures, strict=True):
        signer.public_key().verify(signature, text)
    print(len(set(signatures)))


def lost(where: str) -> None:
    signer = open_signer(where, Path.cwd(), pin=PIN)
    first = signer.sign(b"text")
    pkcs11.lib(MODULE).finalize()  # as when the module is pulled out: every session is gone
    try:
        signer.sign(b"text")
    except StoreError as error:
        print(error)
    print(signer.sign(b"text") == first)


def refused(where: str) -> None:
    pin_file = Path("changing-pin")
    pin_file.write_text("1111")
    signer = open_signer(f"{where}&pin-source=file:{pin_file.absolute()}", Path.cwd())
    for _ in range(2):
        try:
            signer.sign(b"text")
        except StoreError as error:
            print(error)
    pin_file.write_text(f"{PIN}")
    print(len(signer.sign(b"text")))


def main(verb: str, arguments: list[str]) -> int:
    verbs = {
        "make": make,
        "note": note,
        "threads": lambda given: threads(*given),
        "lost": lambda given: lost(*given),
        "refused": lambda given: refused(*given),
    }
    try:
        verbs[verb](arguments)
    except LedgerError as error:
        print(f"{type(error).__name__}: {error}")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
