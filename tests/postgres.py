"""PostgreSQL servers of the tests' own: the system's programs, a free port of 127.0.0.1, a temporary folder.

PostgreSQL refuses to run as root; root's tests run it as nobody.
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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL


@dataclass(frozen=True)
class PostgresServer:
    """A server; user postgres, with a password made for it. folder: holds its data and its log."""

    bin: Path
    folder: Path
    port: int
    options: str
    password: str = field(repr=False)

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

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

    def start(self) -> None:
        """Start it and wait until it answers; after a crash that includes its recovery."""
        self.run("pg_ctl", "start", "-w", "-l", str(self.folder / "server.log"), "-o", self.options)

    def stop(self, mode: str = "fast") -> None:
        """Stop it. mode: of pg_ctl; "immediate" is a crash: no checkpoint, nothing flushed."""
        self.run("pg_ctl", "stop", "-w", "-m", mode)

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's programs on this server's data. Raises: RuntimeError with what it said."""
        # Output goes to a file: the server keeps a pipe open as long as it lives.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self.bin / program), "-D", str(self.data), *arguments],
                cwd=self.folder,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **_unprivileged(),
            )
            if done.returncode != 0:
                output.seek(0)
                log = self.folder / "server.log"
                said = output.read().decode(errors="replace") + (log.read_text() if log.exists() else "")
                raise RuntimeError(f"{program} exited with {done.returncode}:\n{said}")


@contextmanager
def new_server(options: str = "") -> Iterator[PostgresServer]:
    """A new server, running; stopped and removed with the block. options: further ones for its command line."""
    # Not in pytest's own temporary folder: that one is closed to other users.
    with tempfile.TemporaryDirectory(prefix="magnet-ledger-postgres-") as name:
        folder = Path(name)
        port = _free_port()
        all_options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' {options}"
        server = PostgresServer(_postgres_bin(), folder, port, all_options, secrets.token_hex(16))
        password_file = folder / "password"
        password_file.write_text(server.password)
        as_user = _unprivileged()
        if as_user:
            for path in (folder, password_file):
                os.chown(path, as_user["user"], as_user["group"])
        server.run(
            "initdb",
            *("--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()


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
    """Arguments for subprocess.run that give up root; none for other users."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
