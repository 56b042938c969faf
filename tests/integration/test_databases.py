"""The databases that the other tests are given are what they seem to be."""

from __future__ import annotations

from sqlalchemy import inspect

from ledger.store.database import current_revision, make_engine, newest_revision


def test_a_test_gets_a_database_with_the_newest_schema_and_no_rows(database_url: str) -> None:
    assert current_revision(database_url) == newest_revision()
    engine = make_engine(database_url)
    with engine.connect() as connection:
        tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        assert tables
        for name in tables:
            assert connection.exec_driver_sql(f'SELECT COUNT(*) FROM "{name}"').scalar() == 0, name
    engine.dispose()


def test_an_empty_database_has_no_table(empty_database_url: str) -> None:
    assert current_revision(empty_database_url) is None
    engine = make_engine(empty_database_url)
    with engine.connect() as connection:
        assert inspect(connection).get_table_names() == []
    engine.dispose()


def test_the_postgresql_of_the_tests_is_a_real_server_of_our_own(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    with engine.connect() as connection:
        assert "PostgreSQL" in str(connection.exec_driver_sql("SELECT version()").scalar())
        assert connection.exec_driver_sql("SHOW fsync").scalar() == "off"
        assert connection.exec_driver_sql("SHOW listen_addresses").scalar() == "127.0.0.1"
    engine.dispose()
