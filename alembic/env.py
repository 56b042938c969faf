"""Runs migrations: in the transaction that `ledger.store.database` has opened, or for `alembic` on the command line."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection

from ledger.store.database import make_engine, write_transaction
from ledger.store.tables import Table


def run_migrations(connection: Connection) -> None:
    """All in one transaction, on SQLite too: a failed migration leaves the schema as it was."""
    context.configure(connection=connection, target_metadata=Table.metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run_migrations(given)
else:
    with write_transaction(make_engine(os.environ["MAGNET_LEDGER_DATABASE_URL"])) as own:
        run_migrations(own)
