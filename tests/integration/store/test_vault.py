"""The vault's files: made once, for their owner only, found by id, destroyed for good."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from ledger.errors import StoreError, VerificationError
from ledger.store.vault import Vault

ORIGIN = "example.com/site-1"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "inner" / "vault", lambda: secrets.token_bytes(32))


def test_a_key_is_found_by_log_scope_and_id_alone(vault: Vault) -> None:
    keys = vault.make_keys(ORIGIN, ["batch/A", "batch/B"])
    assert keys["batch/A"] != keys["batch/B"]
    for scope, key in keys.items():
        assert vault.find_key(ORIGIN, scope, key.key_id) == key
        assert vault.key_ids(ORIGIN, scope) == {key.key_id}
    assert vault.find_key("example.com/site-2", "batch/A", keys["batch/A"].key_id) is None
    assert vault.find_key(ORIGIN, "batch/A", keys["batch/B"].key_id) is None
    assert vault.find_key(ORIGIN, "batch/A", b"") is None
    assert "secret" not in repr(keys)


def test_making_no_key_makes_no_folder(vault: Vault) -> None:
    assert vault.make_keys(ORIGIN, []) == {}
    assert not vault.exists()
    assert vault.files() == []
    assert vault.key_ids(ORIGIN, "batch/A") == set()


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    vault = Vault(tmp_path, lambda: bytes(32))
    (key,) = vault.make_keys(ORIGIN, ["batch/A"]).values()
    with pytest.raises(StoreError, match="File exists"):
        vault.make_keys(ORIGIN, ["batch/A"])
    assert vault.find_key(ORIGIN, "batch/A", key.key_id) == key


def test_a_destroyed_key_is_overwritten_before_its_file_is_removed(vault: Vault, tmp_path: Path) -> None:
    keys = vault.make_keys(ORIGIN, ["batch/A", "batch/B"])
    (path,) = (one for one in vault.files() if keys["batch/A"].key_id.hex() in one.name)
    os.link(path, tmp_path / "same file")
    vault.destroy(ORIGIN, "batch/A", keys["batch/A"].key_id)
    assert not path.exists()
    assert (tmp_path / "same file").read_bytes() == bytes(32)
    assert vault.find_key(ORIGIN, "batch/A", keys["batch/A"].key_id) is None
    assert vault.find_key(ORIGIN, "batch/B", keys["batch/B"].key_id) == keys["batch/B"]
    vault.destroy(ORIGIN, "batch/A", keys["batch/A"].key_id)  # once more does nothing


@pytest.mark.parametrize("content", [b"", bytes(32), bytes(33)])
def test_a_damaged_key_is_told_from_one_that_is_gone(vault: Vault, content: bytes) -> None:
    (key,) = vault.make_keys(ORIGIN, ["batch/A"]).values()
    vault.files()[0].write_bytes(content)
    with pytest.raises(VerificationError, match="damaged"):
        vault.find_key(ORIGIN, "batch/A", key.key_id)


def test_other_files_in_the_folder_are_left_alone(vault: Vault) -> None:
    (key,) = vault.make_keys(ORIGIN, ["batch/A"]).values()
    name = vault.files()[0].name
    for other in (name.upper(), name[:65] + "zz.key", name + ".bak", "README"):
        (vault.folder / other).write_text("x")
    assert vault.key_ids(ORIGIN, "batch/A") == {key.key_id}


def test_a_folder_that_is_a_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("x")
    vault = Vault(tmp_path / "vault", lambda: bytes(32))
    assert not vault.exists()
    with pytest.raises(StoreError, match="/vault_dir"):
        vault.make_keys(ORIGIN, ["batch/A"])
