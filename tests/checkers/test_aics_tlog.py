"""Published tiles, checkpoints and cosignatures held against aics-tlog, a reader of C2SP's formats that others wrote.

It runs as a program of its own from .venv-checkers (`./run test` makes it), and must refuse what was changed.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.log.checkpoint import format_vkey
from ledger.log.cosignature import WitnessPolicy, add_signature_lines, cosign, format_witness_vkey, make_witness_key
from ledger.log.merkle import leaf_hash
from ledger.report import Check
from ledger.service.publisher import publish
from ledger.service.read import entry_bytes
from ledger.store.database import upgrade
from ledger.store.sequencer import open_sequencer
from ledger.store.statements import Sent, StatementAdmission
from ledger.store.tile_folder import TileFolder
from tests.simulator.world import statement
from tests.store_samples import LOG_KEY, ORIGIN, make_ledger, start_log

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv-checkers" / "bin" / "aics-tlog"

OLD_SIZE, NEW_SIZE = 250, 600
"""Below one tile; and two full tiles with a third begun, so that there is a level above."""

WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(7, 39)))
WITNESS = make_witness_key("witness.example.com", WITNESS_KEY.public_key())
COSIGNED_AT = 1_777_000_000


@dataclass(frozen=True)
class Published:
    """A published log. folder: its tiles. old: the checkpoint of size OLD_SIZE. entries: the exact bytes."""

    folder: Path
    old: Path
    vkey: Path
    entries: list[bytes]


def ask_witness(note: str, _path_from: Callable[[int], list[bytes]]) -> tuple[str, list[Check]]:
    return add_signature_lines(note, [cosign(note, WITNESS.name, WITNESS_KEY, COSIGNED_AT)]), []


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    home = tmp_path_factory.mktemp("published")
    url = f"sqlite:///{home / 'ledger.db'}"
    upgrade(url)
    ledger = make_ledger(url, home)
    ledger.witnesses = WitnessPolicy(0, (WITNESS,), ("asked",))
    start_log(ledger)
    folder = home / "tiles"
    old = home / "old.checkpoint"
    for size in (OLD_SIZE, NEW_SIZE):
        with open_sequencer(ledger.engine, ORIGIN) as sequencer:
            first = sequencer.tree_size
            sent = Sent([statement(number, f"entry {number}") for number in range(first, size)])
            admission = StatementAdmission(sequencer, [sent], ledger.now())
            admission.admit(sent)
            admission.write()
        note = publish(ledger, TileFolder(folder), ask_witness).note
        if size == OLD_SIZE:
            old.write_text(note, encoding="utf-8")
    vkey = home / "log.vkey"
    vkey.write_text(format_vkey(ORIGIN, LOG_KEY.public_key()) + "\n", encoding="utf-8")
    entries = entry_bytes(ledger, range(NEW_SIZE))
    ledger.engine.dispose()
    return Published(folder, old, vkey, entries)


@pytest.fixture
def copy(published: Published, tmp_path: Path) -> Published:
    """The same to be corrupted."""
    shutil.copytree(published.folder, tmp_path / "tiles")
    return Published(tmp_path / "tiles", published.old, published.vkey, published.entries)


def accepts(command: str, published: Published, *arguments: object) -> bool:
    """Whether the checker says yes. It must say yes or no: an error of use is neither."""
    done = subprocess.run(
        [
            str(PROGRAM),
            command,
            *("--tiles", str(published.folder), "--vkey-file", str(published.vkey), "--origin", ORIGIN),
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
    )
    assert "usage:" not in done.stderr, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode == 0


def cosigned(*, quorum: int = 1) -> tuple[str, ...]:
    return ("--witness-key", format_witness_vkey(WITNESS), "--quorum", str(quorum))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def test_it_accepts_the_checkpoint_with_its_cosignature(published: Published) -> None:
    assert accepts("verify-checkpoint", published, *cosigned())


def test_it_refuses_a_checkpoint_with_too_few_cosignatures_or_a_broken_one(copy: Published) -> None:
    assert not accepts("verify-checkpoint", copy, *cosigned(quorum=2))
    note = (copy.folder / "checkpoint").read_text(encoding="utf-8")
    body, _, lines = note.partition("\n\n")
    own, witness = lines.splitlines()
    broken = witness[:-6] + ("A" if witness[-6] != "A" else "B") + witness[-5:]
    (copy.folder / "checkpoint").write_text(f"{body}\n\n{own}\n{broken}\n", encoding="utf-8")
    assert not accepts("verify-checkpoint", copy, *cosigned())
    assert accepts("verify-checkpoint", copy), "the log's own signature still holds"


def test_it_refuses_a_checkpoint_whose_root_was_changed(copy: Published) -> None:
    lines = (copy.folder / "checkpoint").read_text(encoding="utf-8").split("\n")
    lines[2] = ("A" if lines[2][0] != "A" else "B") + lines[2][1:]
    (copy.folder / "checkpoint").write_text("\n".join(lines), encoding="utf-8")
    assert not accepts("verify-checkpoint", copy)


@pytest.mark.parametrize("index", [0, 1, 255, 256, 511, 512, NEW_SIZE - 1])
def test_it_finds_every_entry_in_the_tiles(published: Published, index: int) -> None:
    leaf = leaf_hash(published.entries[index]).hex()
    assert accepts("verify-inclusion", published, "--index", index, "--leaf-hash", leaf, *cosigned())


def test_it_refuses_an_entry_at_another_place_and_another_entry(published: Published) -> None:
    leaf = leaf_hash(published.entries[300]).hex()
    assert not accepts("verify-inclusion", published, "--index", 301, "--leaf-hash", leaf)
    assert not accepts("verify-inclusion", published, "--index", 300, "--leaf-hash", leaf_hash(b"another").hex())


@pytest.mark.parametrize("tile", ["tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"])
def test_it_refuses_a_tile_with_a_flipped_bit(copy: Published, tile: str) -> None:
    # The sibling of entry 300 is 301, in the tile 0/001 at hash 45; the other two are hashed whole into every root.
    flip(copy.folder / tile, 45 * 32 if tile == "tile/0/001" else 0)
    leaf = leaf_hash(copy.entries[300]).hex()
    assert not accepts("verify-inclusion", copy, "--index", 300, "--leaf-hash", leaf)


def test_it_finds_that_the_log_has_only_grown(published: Published) -> None:
    assert accepts("verify-consistency", published, "--old-checkpoint", published.old)


def test_it_refuses_an_old_checkpoint_of_another_history(copy: Published, tmp_path: Path) -> None:
    from ledger.log.checkpoint import Checkpoint, sign_checkpoint

    other = tmp_path / "other.checkpoint"
    other.write_text(sign_checkpoint(Checkpoint(ORIGIN, OLD_SIZE, leaf_hash(b"x")), LOG_KEY), encoding="utf-8")
    assert not accepts("verify-consistency", copy, "--old-checkpoint", other)


def test_the_entry_bundles_hold_the_entries_it_verifies(published: Published, tmp_path: Path) -> None:
    out = tmp_path / "entry"
    leaf = leaf_hash(published.entries[511]).hex()
    assert accepts("verify-inclusion", published, "--index", 511, "--leaf-hash", leaf, "--entry-out", out)
    assert out.read_bytes() == published.entries[511]
