"""Exporting the audit pack: the same bytes from every database, nothing private unasked, nothing that does not hold."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import InputError, LedgerError, RootMismatchError, StoreError
from ledger.log.disclosure import DisclosedField
from ledger.log.keyring import as_keyring
from ledger.log.tiles import path_of, tiles_of
from ledger.service.append import append_entries
from ledger.service.checkpoints import make_checkpoint
from ledger.service.context import Ledger
from ledger.service.pack import export_pack
from ledger.service.private_fields import disclose
from ledger.store.database import upgrade
from tests.integration.pack.conftest import VERIFIER, Verify
from tests.local_tsa import LocalTsa
from tests.pack_samples import export_full_pack, make_full_log, put_together, take_apart
from tests.store_samples import (
    ACTOR,
    SECRET_NAME,
    VKEY,
    append_receipts,
    drop_guards,
    execute,
    make_ledger,
    receipt,
    start_log,
)


def small_ledger(url: str, folder: Path) -> Ledger:
    """A ledger with five entries."""
    ledger = make_ledger(url, folder)
    start_log(ledger)
    append_receipts(ledger, 1, 2)
    return ledger


def test_the_same_log_gives_the_same_pack_from_either_database(
    database_url: str, tmp_path: Path, good_pack: bytes, pack_tsa: LocalTsa
) -> None:
    # Tokens are signed anew each time, so the second log gets those of the first.
    tokens = iter([take_apart(good_pack)[name] for name in ("timestamps/260-0.tsr", "timestamps/300-0.tsr")])
    ledger = make_full_log(database_url, tmp_path, lambda _: next(tokens))
    pack = export_full_pack(ledger, tmp_path / "pack.zip")
    ledger.engine.dispose()
    assert pack == good_pack


def test_every_byte_of_the_file_follows_from_its_members(good_pack: bytes) -> None:
    assert put_together(take_apart(good_pack)) == good_pack


def test_exporting_twice_gives_the_same_bytes(database_url: str, tmp_path: Path) -> None:
    ledger = small_ledger(database_url, tmp_path)
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    export_pack(ledger, first)
    export_pack(ledger, second)
    ledger.engine.dispose()
    assert first.read_bytes() == second.read_bytes()


def test_what_a_static_server_would_publish_is_in_the_pack(good_pack: bytes) -> None:
    names = {name for name in take_apart(good_pack) if name.startswith("tile/") and "entries" not in name}
    assert names == {path_of(tile) for tile in tiles_of(300)}


def test_a_fresh_pack_verifies_alone(database_url: str, tmp_path: Path, verify: Verify) -> None:
    ledger = small_ledger(database_url, tmp_path)
    summary = export_pack(ledger, tmp_path / "pack.zip")
    ledger.engine.dispose()
    assert (summary.tree_size, summary.left_out, summary.checkpoints) == (5, 0, 1)
    assert summary.size == (tmp_path / "pack.zip").stat().st_size
    assert verify((tmp_path / "pack.zip").read_bytes(), "--vkey", VKEY).value["verdict"] == "verified"


def test_private_values_are_not_in_the_pack_unless_they_are_disclosed(database_url: str, tmp_path: Path) -> None:
    ledger = small_ledger(database_url, tmp_path)
    export_pack(ledger, tmp_path / "closed.zip")
    export_pack(ledger, tmp_path / "open.zip", [disclose(ledger, 1, ["name"])])
    ledger.engine.dispose()
    secret = SECRET_NAME.encode()
    assert secret not in (tmp_path / "closed.zip").read_bytes()
    assert secret in (tmp_path / "open.zip").read_bytes()
    assert b"DE123456789" not in (tmp_path / "open.zip").read_bytes()


def test_several_disclosures_of_one_entry_become_one(database_url: str, tmp_path: Path, verify: Verify) -> None:
    ledger = small_ledger(database_url, tmp_path)
    shown = [disclose(ledger, 1, ["vat_id"]), disclose(ledger, 1, ["name"])]
    assert export_pack(ledger, tmp_path / "pack.zip", shown).disclosed_fields == 2
    ledger.engine.dispose()
    (line,) = take_apart((tmp_path / "pack.zip").read_bytes())["disclosed.jsonl"].splitlines()
    assert list(json.loads(line)["fields"]) == ["name", "vat_id"]
    assert verify((tmp_path / "pack.zip").read_bytes()).outcome("disclosed-fields") == "passed"


def test_an_existing_file_is_not_written_over(database_url: str, tmp_path: Path) -> None:
    ledger = small_ledger(database_url, tmp_path)
    (tmp_path / "pack.zip").write_text("mine")
    with pytest.raises(StoreError, match="does not exist yet"):
        export_pack(ledger, tmp_path / "pack.zip")
    ledger.engine.dispose()
    assert (tmp_path / "pack.zip").read_text() == "mine"


@pytest.mark.parametrize(
    "change",
    [
        {"log": "example.com/other"},
        {"seq": 5},
        {"fields": {"name": DisclosedField(b"\0" * 32, "another name")}},
        {"fields": {"price": DisclosedField(b"\0" * 32, "100")}},
    ],
    ids=["another log", "no such entry", "another value", "another field"],
)
def test_what_an_entry_does_not_commit_to_is_not_disclosed(
    database_url: str, tmp_path: Path, change: dict[str, object]
) -> None:
    ledger = small_ledger(database_url, tmp_path)
    wrong = replace(disclose(ledger, 1, ["name"]), **change)  # type: ignore[arg-type]  # values of the fields' types
    with pytest.raises(InputError):
        export_pack(ledger, tmp_path / "pack.zip", [wrong])
    ledger.engine.dispose()
    assert not (tmp_path / "pack.zip").exists()


def test_entries_that_are_not_what_was_signed_are_not_exported(database_url: str, tmp_path: Path) -> None:
    ledger = small_ledger(database_url, tmp_path)
    make_checkpoint(ledger)
    drop_guards(ledger.engine)
    execute(ledger.engine, "UPDATE entry SET data = :data WHERE seq = 3", data=b"{}")
    with pytest.raises((RootMismatchError, LedgerError)):
        export_pack(ledger, tmp_path / "pack.zip")
    ledger.engine.dispose()
    assert not (tmp_path / "pack.zip").exists()


def test_without_the_logs_key_the_pack_ends_at_the_last_checkpoint(
    database_url: str, tmp_path: Path, verify: Verify
) -> None:
    ledger = small_ledger(database_url, tmp_path)
    make_checkpoint(ledger)
    append_receipts(ledger, 3, 2)
    keyless = replace(ledger, log_key=None, log_keys=None)
    with pytest.raises(StoreError):
        export_pack(keyless, tmp_path / "pack.zip")  # nor does it know which key it would be
    summary = export_pack(replace(keyless, log_keys=as_keyring(VKEY)), tmp_path / "pack.zip")
    ledger.engine.dispose()
    assert (summary.tree_size, summary.left_out) == (5, 2)
    assert verify((tmp_path / "pack.zip").read_bytes(), "--vkey", VKEY).value["verdict"] == "verified"


def test_a_log_without_entries_has_no_pack(database_url: str, tmp_path: Path) -> None:
    ledger = make_ledger(database_url, tmp_path)
    with pytest.raises(StoreError):
        export_pack(ledger, tmp_path / "pack.zip")
    ledger.engine.dispose()
    assert not (tmp_path / "pack.zip").exists()


def test_verifying_a_long_log_takes_little_memory(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    ledger = make_ledger(url, tmp_path)
    start_log(ledger)
    for first in range(0, 4000, 1000):
        append_entries(ledger, [receipt(f"IN-{number}") for number in range(first, first + 1000)], ACTOR)
    export_pack(ledger, tmp_path / "pack.zip")
    ledger.engine.dispose()
    command = [sys.executable, "-I", str(VERIFIER), str(tmp_path / "pack.zip"), "--json", "--vkey", VKEY]
    code = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True, check=True)
    exit_code, kibibytes = map(int, done.stdout.split())
    assert exit_code == 0
    # The pack has 3 MB of entries, in 16 bundles; Python with cryptography takes some 30 MiB before it has read one.
    assert kibibytes < 64 * 1024
