"""What all tests share: real databases of both kinds, and the rule that no test is skipped.

`database_url` hands each test a fresh database with the schema of the migrations, once on SQLite and once on
PostgreSQL; `empty_database_url` does so without a schema, for tests of the migrations themselves. PostgreSQL is a real
server, started from the system's programs on a free port of 127.0.0.1 in a temporary folder, and stopped at the end.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from ledger.store.database import upgrade
from tests.faults import tally
from tests.postgres import PostgresServer, new_server

# The machine may be busy: a slow example is no failure.
hypothesis.settings.register_profile("magnet-ledger", deadline=None)
hypothesis.settings.load_profile("magnet-ledger")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: while playwright runs, so does an event loop, and signing elsewhere starts one of its own."""
    items.sort(key=lambda item: "browser" in item.path.parts)


# No test is skipped: a test that did not run proves nothing, and nobody sees it. `./run test` installs what tests need.


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _count_skipped_as_failed(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _count_skipped_as_failed(report)
    return report


def _count_skipped_as_failed(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.outcome == "skipped":
        # pytest's session does not count a failure that still bears the mark of an expected one.
        expected_failure = report.__dict__.pop("wasxfail", "")
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else expected_failure or report.longrepr
        report.outcome = "failed"
        report.longrepr = f"no test may be skipped or expected to fail here, but this one was: {reason}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the fault tests injected, and what was lost by it."""
    if lines := tally.summary():
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)


# PostgreSQL


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server, from the first test that wants one to the end of the run. Nothing of it has to last."""
    with new_server("-c fsync=off") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """URL of the server's database "postgres". Tests that write take `database_url` instead."""
    return postgres_server.url("postgres")


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: PostgresServer) -> str:
    """Name of a database with the schema of the migrations, to be copied and never written."""
    postgres_server.execute("CREATE DATABASE {}", "migrated")
    upgrade(postgres_server.url("migrated"))
    return "migrated"


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the schema of the migrations, to be copied and never written."""
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    upgrade(f"sqlite:///{path}")
    assert not path.with_name("ledger.db-wal").exists(), "the last connection's close has merged the WAL into the file"
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a fresh database with the schema of the migrations and no rows."""
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        shutil.copyfile(request.getfixturevalue("_sqlite_template"), path)
        yield f"sqlite:///{path}"
    else:
        yield from _postgres_database(request, request.getfixturevalue("_postgres_template"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a fresh database without any table; the SQLite file does not exist yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
    else:
        yield from _postgres_database(request, "template0")


def _postgres_database(request: pytest.FixtureRequest, template: str) -> Iterator[str]:
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"test_{secrets.token_hex(8)}"
    server.execute("CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield server.url(name)
    finally:
        server.execute("DROP DATABASE {} WITH (FORCE)", name)  # FORCE: an engine's pool may still hold connections
