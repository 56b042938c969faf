"""`log prove --format cose` and `log timestamp`, as a person types them, in a plant of one's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from scitt_cose import receipt as scitt

from ledger.log.checkpoint import parse_vkey
from tests.local_tsa import LocalTsa, honest, make_local_tsa, serving


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """`magnet-ledger` in a folder, as its own process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAGNET_LEDGER_")}
    program = Path(sys.executable).with_name("magnet-ledger")
    return subprocess.run([str(program), *words], cwd=folder, env=environment, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plant set up with `init`, which logs its first entries."""
    folder = tmp_path_factory.mktemp("commands")
    words = ("--origin", "ledger.example.com/plant", "--operator", "op", "--issuer", "Example Ltd", "--country", "GB")
    answer = run(folder, "init", "--dir", "plant", *words)
    assert answer.returncode == 0, answer.stderr
    return folder / "plant"


@pytest.fixture
def tsa(tmp_path: Path) -> LocalTsa:
    """A time stamping authority."""
    return make_local_tsa(tmp_path / "tsa")


def test_cose_receipt_on_standard_output_is_accepted_by_scitt_cose(plant: Path) -> None:
    answer = run(plant, "log", "prove", "1", "--format", "cose")
    assert answer.returncode == 0, answer.stderr
    entry = run(plant, "log", "show", "1").stdout
    key = parse_vkey((plant / "trust" / "log.vkey").read_text().strip()).public_key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert scitt.verify_receipt(answer.stdout, leaf_entry_hex=entry.hex(), log_public_key_pem=pem).ok
    assert not scitt.verify_receipt(answer.stdout, leaf_entry_hex=entry.hex() + "00", log_public_key_pem=pem).ok


def test_receipt_of_an_entry_that_there_is_not_is_refused(plant: Path) -> None:
    answer = run(plant, "log", "prove", "999", "--format", "cose")
    assert (answer.returncode, answer.stdout) == (1, b"")
    assert b"/seq" in answer.stderr


def test_time_stamp_without_an_authority_says_which_setting_to_make(plant: Path) -> None:
    assert run(plant, "log", "checkpoint").returncode == 0
    answer = run(plant, "log", "timestamp")
    assert answer.returncode == 3
    assert b"tsa_url" in answer.stderr


def test_time_stamp_is_had_from_the_authority_in_the_settings_and_kept(plant: Path, tsa: LocalTsa) -> None:
    assert run(plant, "log", "checkpoint").returncode == 0
    settings, root = plant / "magnet-ledger.toml", plant / "trust" / "local.tsa.pem"
    before = settings.read_text()
    root.write_bytes(tsa.root)
    with serving(honest(tsa)) as url:
        settings.write_text(before + f'tsa_url = "{url}"\n')
        first = run(plant, "log", "timestamp", "--json")
    again = run(plant, "log", "timestamp", "--json")  # the authority is gone: what is kept is enough
    root.unlink()
    distrusted = run(plant, "log", "timestamp")
    settings.write_text(before)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["tsa"] == "CN=Local Test TSA"
    assert again.stdout == first.stdout
    assert distrusted.returncode == 2
    assert b"NAME.tsa.pem" in distrusted.stderr
