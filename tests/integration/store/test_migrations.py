"""The schema that the migrations make."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from ledger.errors import InputError, StoreError
from ledger.service.context import Ledger
from ledger.store.database import (
    APPLICATION_ID,
    check_schema,
    current_revision,
    downgrade,
    make_engine,
    newest_revision,
    parse_database_url,
    read_transaction,
    require_current_schema,
    upgrade,
)
from ledger.store.tables import Table
from tests.store_samples import execute, rows


def test_the_migrations_go_up_down_and_up_again(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    assert current_revision(empty_database_url) == newest_revision()
    downgrade(empty_database_url, "base")
    assert current_revision(empty_database_url) is None
    engine = make_engine(empty_database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    upgrade(empty_database_url)
    check_schema(empty_database_url)


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    upgrade(database_url)
    assert current_revision(database_url) == newest_revision()


def test_the_migrated_schema_is_that_of_the_models(database_url: str) -> None:
    engine = make_engine(database_url)
    with read_transaction(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Table.metadata) == []
    engine.dispose()


def test_the_comparison_of_schema_and_models_sees_a_missing_column(database_url: str) -> None:
    engine = make_engine(database_url)
    execute(engine, "ALTER TABLE batch_row DROP COLUMN status")
    with read_transaction(engine) as connection:
        found = compare_metadata(MigrationContext.configure(connection), Table.metadata)
    assert [difference[0] for difference in found] == ["add_column"]
    engine.dispose()


def test_an_old_schema_is_refused_with_the_command_to_type(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    downgrade(empty_database_url, "base")
    with pytest.raises(StoreError, match="magnet-ledger db upgrade"):
        check_schema(empty_database_url)


def test_a_schema_of_a_newer_program_is_left_alone(database_url: str) -> None:
    engine = make_engine(database_url)
    execute(engine, "UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    with pytest.raises(StoreError, match="newer version"):
        upgrade(database_url)
    with pytest.raises(StoreError, match="9999"):
        check_schema(database_url)


def test_a_missing_sqlite_file_is_refused_and_not_made(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(StoreError, match="magnet-ledger db upgrade"):
        require_current_schema(engine)
    assert not (tmp_path / "none.db").exists()


def test_a_database_of_another_program_is_refused(empty_database_url: str) -> None:
    engine = make_engine(empty_database_url)
    execute(engine, "CREATE TABLE invoice (number INTEGER)")
    engine.dispose()
    with pytest.raises(StoreError, match="invoice"):
        upgrade(empty_database_url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "nonsense", ""])
def test_a_database_that_could_not_keep_a_log_is_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_database_url(url)
    assert caught.value.problems[0].field == "/database_url"


def test_a_database_that_cannot_be_reached_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="database_url"):
        upgrade(f"sqlite:///{tmp_path}/no/such/folder/ledger.db")
    with pytest.raises(StoreError, match="database_url") as caught:
        current_revision("postgresql://user:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_sqlite_syncs_every_commit_to_a_write_ahead_log(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    engine = make_engine(url)
    with read_transaction(engine) as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "application_id", "user_version")
        }
    engine.dispose()
    # 2 is FULL (sqlite.org/pragma.html#pragma_synchronous).
    assert pragma == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "application_id": APPLICATION_ID,
        "user_version": 1,
    }


def test_every_table_of_ours_on_sqlite_is_strict(tmp_path: Path) -> None:
    upgrade(f"sqlite:///{tmp_path / 'ledger.db'}")
    connection = sqlite3.connect(tmp_path / "ledger.db")
    strict = {row[1]: row[5] for row in connection.execute("PRAGMA table_list") if row[0] == "main"}
    connection.close()
    assert {name: strict[name] for name in Table.metadata.tables} == dict.fromkeys(Table.metadata.tables, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET entry_type = 'ship' WHERE seq = 1",
        "UPDATE entry SET seq = 9 WHERE seq = 1",
        "DELETE FROM entry WHERE seq = 2",
        "DELETE FROM entry",
    ],
)
def test_the_database_refuses_to_change_or_delete_an_entry(ledger: Ledger, statement: str) -> None:
    before = rows(ledger.engine, "SELECT * FROM entry ORDER BY seq")
    with pytest.raises(DBAPIError, match="append-only"):
        execute(ledger.engine, statement)
    assert rows(ledger.engine, "SELECT * FROM entry ORDER BY seq") == before


def test_postgresql_refuses_to_truncate_the_entries(ledger: Ledger) -> None:
    if ledger.engine.dialect.name == "sqlite":  # has no TRUNCATE: its DELETE without WHERE fires the trigger, see above
        with pytest.raises(DBAPIError, match="syntax error"):
            execute(ledger.engine, "TRUNCATE entry")
    else:
        with pytest.raises(DBAPIError, match="append-only"):
            execute(ledger.engine, "TRUNCATE entry CASCADE")
    assert len(rows(ledger.engine, "SELECT seq FROM entry")) == 3


@pytest.mark.parametrize(
    ("seq", "statement_id", "client_id"),
    [
        ("1", "'another'", "'another'"),
        ("99", "statement_id", "'another'"),
        ("99", "'another'", "client_id"),
    ],
)
def test_sqlite_refuses_to_replace_an_entry_even_without_recursive_triggers(
    tmp_path: Path, seq: str, statement_id: str, client_id: str
) -> None:
    from tests.store_samples import make_ledger, start_log

    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    upgrade(url)
    made = make_ledger(url, tmp_path)
    start_log(made)
    made.engine.dispose()
    connection = sqlite3.connect(tmp_path / "ledger.db")
    before = connection.execute("SELECT * FROM entry ORDER BY seq").fetchall()
    # Any of the three unique keys: each would delete the row without firing a DELETE trigger.
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(
            f"INSERT OR REPLACE INTO entry SELECT origin, {seq}, leaf_hash, data, entry_type, {statement_id},"
            f" content_sha256, tenant, {client_id} FROM entry WHERE seq = 1"
        )
    assert connection.execute("SELECT * FROM entry ORDER BY seq").fetchall() == before
    connection.close()
