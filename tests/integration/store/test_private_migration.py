"""Private values that an older schema holds in clear: sealed by the upgrade, else it is refused. None is lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from ledger.errors import StoreError
from ledger.log.envelope import GENESIS_PREV, envelope_bytes
from ledger.log.merkle import leaf_hash
from ledger.log.statement import check_commitment, commitment, sign_statement
from ledger.store.database import current_revision, downgrade, make_engine, read_transaction, upgrade
from ledger.store.private_rows import PlainSealer, read_private, scrub
from ledger.store.vault import Vault
from tests.log_samples import ACTOR_KEY, ORIGIN, make_envelope, make_statement
from tests.store_samples import execute, rows

VALUE = '"Reklamní kovošrot Beneš, 4711"'
SALT = bytes(range(200, 232))
COMMITTED = commitment(SALT, "Reklamní kovošrot Beneš, 4711")


@pytest.fixture
def old(empty_database_url: str) -> Iterator[Engine]:
    """A database of schema 0002 with one entry, about batch B-0, and two private values; one of no entry."""
    upgrade(empty_database_url, "0002")
    engine = make_engine(empty_database_url)
    statement = make_statement(commit={"supplier": COMMITTED})
    statement = replace(statement, body={"batch_id": "B-0"})
    envelope = make_envelope(0, GENESIS_PREV)
    data = envelope_bytes(replace(envelope, statement=statement, signature=sign_statement(statement, ACTOR_KEY)))
    execute(engine, "INSERT INTO log VALUES (:origin, 'now')", origin=ORIGIN)
    execute(
        engine,
        "INSERT INTO entry (origin, seq, leaf_hash, data, entry_type, statement_id, content_sha256)"
        " VALUES (:origin, 0, :leaf, :data, 'assay', 'id', 'hash')",
        origin=ORIGIN,
        leaf=leaf_hash(data),
        data=data,
    )
    for seq in (0, 5):
        execute(
            engine,
            "INSERT INTO private_field (origin, seq, field, salt, value) VALUES (:origin, :seq, 'supplier', :salt, :v)",
            origin=ORIGIN,
            seq=seq,
            salt=SALT,
            v=VALUE,
        )
    yield engine
    engine.dispose()


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_values_in_clear_are_sealed_and_none_is_lost(old: Engine, tmp_path: Path) -> None:
    vault = Vault(tmp_path / "vault", lambda: secrets.token_bytes(32))
    sealer = PlainSealer(vault)
    upgrade(url_of(old), seal=sealer)
    scrub(old, whole=True)
    assert sealer.count == 2
    assert rows(old, "SELECT seq, field, scope FROM private_field ORDER BY seq") == [
        (0, "supplier", "batch/B-0"), (5, "supplier", "entry/5")
    ]  # fmt: skip
    with read_transaction(old) as connection:
        found = read_private(connection, vault, ORIGIN, [0, 5])
    for private in found.values():
        assert check_commitment(COMMITTED, private.salt, private.value)
    assert len(found) == len(vault.files()) == 2
    for file in tmp_path.glob("*.db*"):  # SQLite's; PostgreSQL gives the dropped table's file back by itself
        content = file.read_bytes()
        assert VALUE.strip('"').encode() not in content
        assert SALT not in content


def test_without_a_vault_the_upgrade_is_refused_and_changes_nothing(old: Engine) -> None:
    with pytest.raises(StoreError, match="2 private values in clear"):
        upgrade(url_of(old))
    assert current_revision(url_of(old)) == "0002"
    assert [row[0] for row in rows(old, "SELECT value FROM private_field")] == [VALUE, VALUE]


def test_a_value_that_cannot_be_sealed_stops_the_upgrade_and_changes_nothing(old: Engine, tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("no folder")
    with pytest.raises(StoreError, match="/vault_dir"):
        upgrade(url_of(old), seal=PlainSealer(Vault(tmp_path / "vault", lambda: bytes(32))))
    assert current_revision(url_of(old)) == "0002"
    assert [row[0] for row in rows(old, "SELECT value FROM private_field")] == [VALUE, VALUE]


def test_sealed_values_are_not_taken_back_to_a_schema_that_would_lose_them(old: Engine, tmp_path: Path) -> None:
    upgrade(url_of(old), seal=PlainSealer(Vault(tmp_path / "vault", lambda: secrets.token_bytes(32))))
    with pytest.raises(StoreError, match="2 sealed private values"):
        downgrade(url_of(old), "0002")
    assert len(rows(old, "SELECT sealed FROM private_field")) == 2
