"""Submissions that were refused leave their sender's id free; those that wait have an index of their own.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

COLUMNS = "number, origin, tenant, client_id, payload_sha256, payload, received, state, seq, outcome"
KEY = ["origin", "tenant", "client_id"]
TWICE = (
    "SELECT count(*) FROM (SELECT 1 FROM submission GROUP BY origin, tenant, client_id HAVING count(*) > 1) AS twice"
)


def text_column(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _make_anew()  # SQLite cannot drop a constraint
    else:
        op.drop_constraint("uq_submission_origin_tenant_client_id", "submission")
        op.drop_index("ix_submission_origin_state_number", "submission")
    not_refused, waiting = sa.text("state <> 'refused'"), sa.text("state = 'waiting'")
    op.create_index(
        "ix_submission_origin_tenant_client_id",
        "submission",
        KEY,
        unique=True,
        sqlite_where=not_refused,
        postgresql_where=not_refused,
    )
    op.create_index(
        "ix_submission_origin_number",
        "submission",
        ["origin", "number"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


def downgrade() -> None:
    """Raises: CommandError if a sender's id was used again after a refusal: the older schema has one row for each."""
    count = op.get_bind().execute(sa.text(TWICE)).scalar_one()
    if count:
        raise CommandError(f"{count} senders' ids with several submissions, which the older schema cannot hold")
    op.drop_index("ix_submission_origin_number", "submission")
    op.drop_index("ix_submission_origin_tenant_client_id", "submission")
    if op.get_bind().dialect.name == "sqlite":
        _make_anew(sa.UniqueConstraint(*KEY, name="uq_submission_origin_tenant_client_id"))
    else:
        op.create_unique_constraint("uq_submission_origin_tenant_client_id", "submission", KEY)
    op.create_index("ix_submission_origin_state_number", "submission", ["origin", "state", "number"])


def _make_anew(*constraints: sa.UniqueConstraint) -> None:
    """The same table with these constraints, and without its indexes."""
    op.rename_table("submission", "submission_before")
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
        sa.ForeignKeyConstraint(["origin"], ["log.origin"], name="fk_submission_origin_log"),
        *constraints,
        sqlite_strict=True,
    )
    op.execute(f"INSERT INTO submission ({COLUMNS}) SELECT {COLUMNS} FROM submission_before")  # noqa: S608 - constants
    op.drop_table("submission_before")
