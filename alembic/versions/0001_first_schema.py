"""The log, its derived tables, and the accounts.

Revision: 0001, after none
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPLICATION_ID = 0x4D4C4731  # "MLG1"

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FLAG = sa.Boolean().with_variant(sa.Integer(), "sqlite")

# The triggers guard against accidents and honest mistakes. An administrator can drop them: what then happens to an
# entry is found by `log verify`.
SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry
    BEGIN SELECT RAISE(ABORT, 'entry is append-only: UPDATE refused'); END
    """,
    """
    CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry
    BEGIN SELECT RAISE(ABORT, 'entry is append-only: DELETE refused'); END
    """,
    # INSERT OR REPLACE deletes the old row without firing the trigger above, unless recursive_triggers is on.
    """
    CREATE TRIGGER entry_no_replace BEFORE INSERT ON entry
    WHEN EXISTS (
        SELECT 1 FROM entry
        WHERE origin = NEW.origin AND (seq = NEW.seq OR statement_id = NEW.statement_id)
    )
    BEGIN SELECT RAISE(ABORT, 'entry is append-only: it exists already'); END
    """,
)

POSTGRESQL_TRIGGERS = (
    """
    CREATE FUNCTION entry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'entry is append-only: % refused', TG_OP;
    END
    $$
    """,
    """
    CREATE TRIGGER entry_no_change BEFORE UPDATE OR DELETE ON entry
    FOR EACH ROW EXECUTE FUNCTION entry_refuse_change()
    """,
    """
    CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION entry_refuse_change()
    """,
)


def text_column(name: str, *arguments: sa.SchemaItem, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), *arguments, nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "log",
        text_column("origin"),
        text_column("created"),
        sa.PrimaryKeyConstraint("origin", name="pk_log"),
        sqlite_strict=True,
    )
    op.create_table(
        "head",
        text_column("origin"),
        sa.Column("tree_size", BIG_INTEGER, nullable=False),
        sa.Column("last_leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("origin", name="pk_head"),
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_head_origin_log"),
        sqlite_strict=True,
    )
    op.create_table(
        "entry",
        text_column("origin"),
        sa.Column("seq", BIG_INTEGER, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        text_column("entry_type"),
        text_column("statement_id"),
        text_column("content_sha256"),
        sa.PrimaryKeyConstraint("origin", "seq", name="pk_entry"),
        sa.UniqueConstraint("origin", "statement_id", name="uq_entry_origin_statement_id"),
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_entry_origin_log"),
        sqlite_strict=True,
    )
    op.create_index("ix_entry_origin_entry_type_seq", "entry", ["origin", "entry_type", "seq"])
    op.create_table(
        "private_field",
        text_column("origin"),
        sa.Column("seq", BIG_INTEGER, nullable=False),
        text_column("field"),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        text_column("value"),
        sa.PrimaryKeyConstraint("origin", "seq", "field", name="pk_private_field"),
        sqlite_strict=True,
    )
    op.create_table(
        "checkpoint",
        text_column("origin"),
        sa.Column("tree_size", BIG_INTEGER, nullable=False),
        text_column("note"),
        sa.PrimaryKeyConstraint("origin", "tree_size", name="pk_checkpoint"),
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_checkpoint_origin_log"),
        sqlite_strict=True,
    )
    op.create_table(
        "batch_row",
        text_column("origin"),
        text_column("batch_id"),
        sa.Column("seq", BIG_INTEGER, nullable=False),
        text_column("product"),
        text_column("made_on"),
        text_column("made_by"),
        text_column("role"),
        text_column("mass_kg", nullable=True),
        text_column("volume_l", nullable=True),
        text_column("remaining", nullable=True),
        text_column("status"),
        text_column("campaign", nullable=True),
        sa.PrimaryKeyConstraint("origin", "batch_id", name="pk_batch_row"),
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_batch_row_origin_log"),
        sqlite_strict=True,
    )
    op.create_index("ix_batch_row_origin_seq", "batch_row", ["origin", "seq"])
    op.create_table(
        "entry_batch",
        text_column("origin"),
        text_column("batch_id"),
        sa.Column("seq", BIG_INTEGER, nullable=False),
        sa.PrimaryKeyConstraint("origin", "batch_id", "seq", name="pk_entry_batch"),
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_entry_batch_origin_log"),
        sqlite_strict=True,
    )
    op.create_table(
        "user",
        text_column("user_id"),
        text_column("username"),
        text_column("password_hash"),
        text_column("role"),
        text_column("actor"),
        sa.Column("disabled", FLAG, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_user"),
        sa.UniqueConstraint("username", name="uq_user_username"),
        sqlite_strict=True,
    )
    op.create_table(
        "session",
        text_column("token_sha256"),
        text_column("user_id"),
        text_column("csrf_token"),
        text_column("created"),
        text_column("expires"),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_session"),
        sa.ForeignKeyConstraint(["user_id"], ["user.user_id"], name="fk_session_user_id_user"),
        sqlite_strict=True,
    )
    op.create_index("ix_session_user_id", "session", ["user_id"])
    op.create_table(
        "api_key",
        text_column("key_id"),
        text_column("prefix"),
        text_column("sha256"),
        text_column("user_id"),
        text_column("scopes"),
        text_column("created"),
        text_column("expires", nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_key"),
        sa.UniqueConstraint("sha256", name="uq_api_key_sha256"),
        sa.ForeignKeyConstraint(["user_id"], ["user.user_id"], name="fk_api_key_user_id_user"),
        sqlite_strict=True,
    )
    op.create_index("ix_api_key_prefix", "api_key", ["prefix"])
    op.create_index("ix_api_key_user_id", "api_key", ["user_id"])
    if op.get_bind().dialect.name == "sqlite":
        for statement in SQLITE_TRIGGERS:
            op.execute(statement)
        op.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        op.execute("PRAGMA user_version = 1")
    else:
        for statement in POSTGRESQL_TRIGGERS:
            op.execute(statement)


def downgrade() -> None:
    for table in ("api_key", "session", "user", "entry_batch", "batch_row", "checkpoint", "private_field", "entry"):
        op.drop_table(table)
    op.drop_table("head")
    op.drop_table("log")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION entry_refuse_change()")
    else:
        op.execute("PRAGMA application_id = 0")
        op.execute("PRAGMA user_version = 0")
