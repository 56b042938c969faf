"""What all tests share: real databases of both kinds, and the rule that no test is skipped.

`database_url` hands each test a fresh database with the schema of the migrations, once on SQLite and once on
PostgreSQL; `empty_database_url` does so without a schema, for tests of the migrations themselves. PostgreSQL is a real
server, started from the system's programs on a free port of 127.0.0.1 in a temporary folder, and stopped at the end.
"""

from __future__ import annotations

import glob
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import hypothesis
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL

from ledger.store.database import upgrade
from tests.faults import tally

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


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL server of the tests' own; user postgres, with a password made for this run."""

    bin: Path
    data: Path
    port: int
    password: str = field(repr=False)

    def url(self, database: str) -> str:
        """SQLAlchemy URL of one of its databases."""
        return URL.create(
            "postgresql+psycopg", "postgres", self.password, "127.0.0.1", self.port, database
        ).render_as_string(hide_password=False)

    def execute(self, statement: LiteralString, *names: str) -> None:
        """Run one statement of the server's administration; {} in it stands for a quoted name."""
        where = make_conninfo(
            host="127.0.0.1", port=self.port, user="postgres", password=self.password, dbname="postgres"
        )
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _postgres_bin() -> Path:
    """Folder of PostgreSQL's programs: from PATH, Debian's versioned folders (newest first), or pg_config."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    versions = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda name: float(name.split("/")[4]))
    if versions:
        return Path(versions[-1]).parent
    if shutil.which("pg_config"):
        asked = subprocess.run(["pg_config", "--bindir"], check=True, capture_output=True, text=True)
        folder = Path(asked.stdout.strip())
        if (folder / "initdb").exists():
            return folder
    raise RuntimeError("these tests need PostgreSQL: run `./run test` as root, or type: apt-get install postgresql")


def _unprivileged() -> dict[str, Any]:
    """Arguments for subprocess.run that give up root, as which PostgreSQL refuses to run; none for other users."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server, from the first test that wants one to the end of the run."""
    # Not in pytest's own temporary folder: that one is closed to other users.
    with tempfile.TemporaryDirectory(prefix="magnet-ledger-postgres-") as name:
        folder = Path(name)
        password_file, log = folder / "password", folder / "server.log"
        server = PostgresServer(_postgres_bin(), folder / "data", _free_port(), secrets.token_hex(16))
        as_user = _unprivileged()
        password_file.write_text(server.password)
        if as_user:
            for path in (folder, password_file):
                os.chown(path, as_user["user"], as_user["group"])

        def run(program: str, *arguments: str) -> None:
            # Output goes to a file: the server keeps a pipe open as long as it lives.
            with tempfile.TemporaryFile() as output:
                done = subprocess.run(
                    [str(server.bin / program), "-D", str(server.data), *arguments],
                    cwd=folder,
                    env={"PATH": os.defpath, "LC_ALL": "C"},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    **as_user,
                )
                if done.returncode != 0:
                    output.seek(0)
                    said = output.read().decode(errors="replace") + (log.read_text() if log.exists() else "")
                    raise RuntimeError(f"{program} exited with {done.returncode}:\n{said}")

        run(
            "initdb",
            *("--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )
        options = f"-c listen_addresses=127.0.0.1 -c port={server.port} -c unix_socket_directories='' -c fsync=off"
        run("pg_ctl", "start", "-w", "-l", str(log), "-o", options)
        try:
            yield server
        finally:
            run("pg_ctl", "stop", "-w", "-m", "fast")


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
