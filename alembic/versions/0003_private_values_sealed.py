"""Private values sealed: the table holds ciphertext, the keys lie outside the database.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op
from alembic.util import CommandError

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

PLAIN = "SELECT origin, seq, field, salt, value FROM private_field ORDER BY origin, seq, field"
ENTRY = "SELECT data FROM entry WHERE origin = :origin AND seq = :seq"
INSERT = "INSERT INTO private_field (origin, seq, field, scope, sealed) VALUES (:origin, :seq, :field, :scope, :sealed)"


def text_column(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def upgrade() -> None:
    """Values that lie there in clear are sealed by the function that the program gives; without it nothing is changed.

    attributes["seal"](origin, seq, field, salt, value, entry data or None) -> (scope, sealed).
    """
    connection = op.get_bind()
    plain = connection.execute(sa.text(PLAIN)).all()
    seal = context.config.attributes.get("seal")
    if plain and seal is None:
        raise CommandError(f"{len(plain)} private values in clear, and no vault to seal them with")
    sealed = []
    for origin, seq, field, salt, value in plain:
        data = connection.execute(sa.text(ENTRY), {"origin": origin, "seq": seq}).scalar_one_or_none()
        scope, blob = seal(origin, seq, field, bytes(salt), value, None if data is None else bytes(data))
        sealed.append({"origin": origin, "seq": seq, "field": field, "scope": scope, "sealed": blob})
    op.drop_table("private_field")
    op.create_table(
        "private_field",
        text_column("origin"),
        sa.Column("seq", BIG_INTEGER, nullable=False),
        text_column("field"),
        text_column("scope"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "seq", "field", name="pk_private_field"),
        sqlite_strict=True,
    )
    op.create_index("ix_private_field_origin_scope", "private_field", ["origin", "scope"])
    if sealed:
        connection.execute(sa.text(INSERT), sealed)


def downgrade() -> None:
    """Raises: CommandError while there are private values: the old table would hold them in clear."""
    count = op.get_bind().execute(sa.text("SELECT count(*) FROM private_field")).scalar_one()
    if count:
        raise CommandError(f"{count} sealed private values, which the older schema cannot hold")
    op.drop_table("private_field")
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
