"""Tiles, contents, submissions, fencing, idempotency keys of the sender, timestamp tokens.

Revision: 0002, after 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

NO_UPDATE = """
    CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'entry is append-only: UPDATE refused'); END
"""

OLD_NO_REPLACE = """
    CREATE TRIGGER entry_no_replace BEFORE INSERT ON entry
    WHEN EXISTS (
        SELECT 1 FROM entry
        WHERE origin = NEW.origin AND (seq = NEW.seq OR statement_id = NEW.statement_id)
    )
    BEGIN SELECT RAISE(ABORT, 'entry is append-only: it exists already'); END
"""

# A third unique key is a third way for INSERT OR REPLACE to delete a row without firing a DELETE trigger.
NO_REPLACE = """
    CREATE TRIGGER entry_no_replace BEFORE INSERT ON entry
    WHEN EXISTS (SELECT 1 FROM entry WHERE origin = NEW.origin AND seq = NEW.seq)
        OR EXISTS (SELECT 1 FROM entry WHERE origin = NEW.origin AND statement_id = NEW.statement_id)
        OR EXISTS (
            SELECT 1 FROM entry WHERE origin = NEW.origin AND tenant = NEW.tenant AND client_id = NEW.client_id
        )
    BEGIN SELECT RAISE(ABORT, 'entry is append-only: it exists already'); END
"""


def text_column(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    op.add_column("head", sa.Column("epoch", BIG_INTEGER, nullable=False, server_default="0"))
    op.add_column("head", sa.Column("content_size", BIG_INTEGER, nullable=False, server_default="0"))
    op.add_column("entry", sa.Column("tenant", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("entry", sa.Column("client_id", sa.Text(), nullable=False, server_default=sa.text("''")))
    _name_old_entries()
    op.create_index("ix_entry_origin_tenant_client_id", "entry", ["origin", "tenant", "client_id"], unique=True)
    _replace_trigger("entry_no_replace", NO_REPLACE)
    op.create_table(
        "content",
        sa.Column("content_key", BIG_INTEGER, nullable=False, autoincrement=False),
        sa.Column("seq", BIG_INTEGER, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("content_key", "seq", name="pk_content"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tile",
        text_column("origin"),
        sa.Column("level", BIG_INTEGER, nullable=False),
        sa.Column("tile_index", BIG_INTEGER, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "level", "tile_index", name="pk_tile"),
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_tile_origin_log"),
        sqlite_strict=True,
    )
    op.create_table(
        "submission",
        sa.Column("number", BIG_INTEGER, nullable=False),
        text_column("origin"),
        text_column("tenant"),
        text_column("client_id"),
        text_column("payload_sha256"),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        text_column("received"),
        text_column("state"),
        sa.Column("seq", BIG_INTEGER, nullable=True),
        text_column("outcome", nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_submission"),
        sa.UniqueConstraint("origin", "tenant", "client_id", name="uq_submission_origin_tenant_client_id"),
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_submission_origin_log"),
        sqlite_strict=True,
    )
    op.create_index("ix_submission_origin_state_number", "submission", ["origin", "state", "number"])
    op.create_table(
        "timestamp_token",
        text_column("origin"),
        sa.Column("tree_size", BIG_INTEGER, nullable=False),
        text_column("tsa"),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        text_column("created"),
        sa.PrimaryKeyConstraint("origin", "tree_size", "tsa", name="pk_timestamp_token"),
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_timestamp_token_origin_log"),
        sqlite_strict=True,
    )


def _name_old_entries() -> None:
    """Entries from before have no sender's id: that of their statement serves, which was their key until now."""
    name = "UPDATE entry SET client_id = statement_id"
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER entry_no_update")
        op.execute(name)
        op.execute(NO_UPDATE)
    else:
        op.execute("ALTER TABLE entry DISABLE TRIGGER entry_no_change")
        op.execute(name)
        op.execute("ALTER TABLE entry ENABLE TRIGGER entry_no_change")


def _replace_trigger(name: str, statement: str) -> None:
    """On SQLite alone: PostgreSQL's triggers name no columns."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {name}")
        op.execute(statement)


def downgrade() -> None:
    for table in ("timestamp_token", "submission", "tile", "content"):
        op.drop_table(table)
    _replace_trigger("entry_no_replace", OLD_NO_REPLACE)
    op.drop_index("ix_entry_origin_tenant_client_id", "entry")
    op.drop_column("entry", "client_id")
    op.drop_column("entry", "tenant")
    op.drop_column("head", "content_size")
    op.drop_column("head", "epoch")
