"""A witness behind a real server on this machine, and the log that asks it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from api.witness.app import create_witness_app
from api.witness.folder import Witness, make_witness, open_witness
from ledger.log.add_checkpoint import AddCheckpoint
from ledger.log.checkpoint import Checkpoint, make_verifier_key, sign_checkpoint
from ledger.log.cosignature import WitnessKey, make_witness_key
from ledger.log.merkle import consistency_path, leaf_hash, root_hash
from tests.log_samples import LOG_KEY, ORIGIN

NAME = "witness.example.com/w1"
VKEY = make_verifier_key(ORIGIN, LOG_KEY.public_key())
NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)

LEAVES = [leaf_hash(b"entry %d" % number) for number in range(40)]
FORKED = [*LEAVES[:4], leaf_hash(b"another history"), *LEAVES[5:]]


def note(size: int, leaves: list[bytes] = LEAVES) -> str:
    """The signed checkpoint over the first `size` leaves."""
    return sign_checkpoint(Checkpoint(ORIGIN, size, root_hash(leaves[:size])), LOG_KEY)


def request(old: int, new: int, leaves: list[bytes] = LEAVES) -> AddCheckpoint:
    """The call by which the log asks to have its growth from old to new cosigned."""
    return AddCheckpoint(old, tuple(consistency_path(leaves, old, new)), note(new, leaves))


def make_test_witness(folder: Path, name: str = NAME) -> Witness:
    """A new witness in `folder` that knows the log of the samples, with a clock that stands still."""
    make_witness(folder, name)
    made = open_witness(folder, lambda: NOW)
    made.store.add_log_key(VKEY)
    return made


@dataclass(frozen=True)
class Served:
    """A witness, its key, and where it is asked."""

    witness: Witness
    key: WitnessKey
    url: str


@contextmanager
def serve(witness: Witness) -> Iterator[Served]:
    """The witness behind uvicorn, in a thread, on a free port of 127.0.0.1."""
    server = uvicorn.Server(uvicorn.Config(create_witness_app(witness), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while not server.started:
            assert thread.is_alive(), "the server has ended"
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Served(witness, make_witness_key(witness.name, witness.key.public_key()), f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(10)
