"""The tables, and nothing else: what is checked is checked before a row is made, since a table row validates nothing.

`entry` holds the log's exact bytes and is never updated. `head` and the columns beside `data` are there for speed and
are compared with the bytes by `log verify`. `batch_row` and `entry_batch` are derived and can be rebuilt from the log.
`private_field` is the one table that may be erased; it holds ciphertext, the keys of which lie in `vault`. `user`,
`session` and `api_key` belong to the doors.

Times are RFC 3339 text in UTC with microseconds and "Z" (text order is time order); exact numbers are text, because
SQLite would change a decimal's digits. On SQLite the tables are STRICT: a column takes its own type or refuses.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Index, Integer, LargeBinary, MetaData, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names of constraints, the same on both databases, so that a migration can name what it changes."""

BIG_INTEGER: Any = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits on both: a STRICT table of SQLite knows INTEGER alone."""

FLAG: Any = Boolean().with_variant(Integer(), "sqlite")

STRICT = {"sqlite_strict": True}

_NOT_REFUSED = text("state <> 'refused'")
_WAITING = text("state = 'waiting'")


class Table(SQLModel):
    """Base of all tables; holds their metadata."""

    metadata = MetaData(naming_convention=NAMING)


class LogRow(Table, table=True):
    """A log of this installation. origin: its name and its key's. created: when it was made."""

    __tablename__ = "log"
    __table_args__ = STRICT

    origin: str = Field(primary_key=True, sa_type=Text)
    created: str = Field(sa_type=Text)


class HeadRow(Table, table=True):
    """Where a log ends; locked by the one who appends.

    tree_size: number of entries. last_leaf_hash: of the last one, 32 bytes; empty before the first.
    frontier: the peaks of the tree one after the other, 32 bytes each.
    epoch: fencing token: who sequences raises it when taking office and writes only while it is still theirs.
    content_size: of how many entries, from the first, the content is listed in `content`.
    """

    __tablename__ = "head"
    __table_args__ = STRICT

    origin: str = Field(primary_key=True, foreign_key="log.origin", sa_type=Text)
    tree_size: int = Field(sa_type=BIG_INTEGER)
    last_leaf_hash: bytes = Field(sa_type=LargeBinary)
    frontier: bytes = Field(sa_type=LargeBinary)
    epoch: int = Field(default=0, sa_type=BIG_INTEGER, sa_column_kwargs={"server_default": "0"})
    content_size: int = Field(default=0, sa_type=BIG_INTEGER, sa_column_kwargs={"server_default": "0"})


class EntryRow(Table, table=True):
    """One entry. data: its exact bytes, the truth; the rest repeats what they say.

    content_sha256: what a repeated statement is compared by; see ledger.store.repository.content_sha256.
    tenant, client_id: who sent it and under which id of theirs: the key under which sending it again is safe.
    """

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("origin", "statement_id"),
        Index(None, "origin", "entry_type", "seq"),
        Index(None, "origin", "tenant", "client_id", unique=True),
        STRICT,
    )

    origin: str = Field(primary_key=True, foreign_key="log.origin", sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=BIG_INTEGER)
    leaf_hash: bytes = Field(sa_type=LargeBinary)
    data: bytes = Field(sa_type=LargeBinary)
    entry_type: str = Field(sa_type=Text)
    statement_id: str = Field(sa_type=Text)
    content_sha256: str = Field(sa_type=Text)
    tenant: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    client_id: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})


class ContentRow(Table, table=True):
    """Derived: which entries may have the same content; see ledger.store.content_rows.

    Not an index of `entry`, because hashes fall anywhere in it: on SQLite each new entry would rewrite a page of its
    own, and a large import would spend most of its time on that. Here keys can be added many at a time, sorted.
    content_key: 48 bits of origin and content hash. seq: an entry with that key.
    """

    __tablename__ = "content"
    __table_args__ = STRICT | {"sqlite_with_rowid": False}

    content_key: int = Field(primary_key=True, sa_type=BIG_INTEGER, sa_column_kwargs={"autoincrement": False})
    seq: int = Field(primary_key=True, sa_type=BIG_INTEGER, sa_column_kwargs={"autoincrement": False})


class TileRow(Table, table=True):
    """Hashes of the tree, 256 at most: level 0 holds leaf hashes, level n the roots of full tiles of level n-1.

    Level 0 is kept once a tile is full, the levels above as far as they go. Derived: `log verify` recomputes them.
    """

    __tablename__ = "tile"
    __table_args__ = STRICT

    origin: str = Field(primary_key=True, foreign_key="log.origin", sa_type=Text)
    level: int = Field(primary_key=True, sa_type=BIG_INTEGER)
    tile_index: int = Field(primary_key=True, sa_type=BIG_INTEGER)
    hashes: bytes = Field(sa_type=LargeBinary)


class SubmissionRow(Table, table=True):
    """A statement that was accepted and waits for its place: durable, so it counts as not lost.

    number: order of acceptance, given by the database; it may have gaps. tenant, client_id: as in `entry`; one that was
    refused has taken nothing, so its id is free again. payload: canonical JSON of the signed statement; empty once it
    is sequenced, as the entry has it then. payload_sha256: of what it says; see ledger.store.submissions.
    state: "waiting", "sequenced" or "refused". seq: its entry, once sequenced. outcome: canonical JSON for the sender.
    """

    __tablename__ = "submission"
    __table_args__ = (
        Index(
            None,
            "origin",
            "tenant",
            "client_id",
            unique=True,
            sqlite_where=_NOT_REFUSED,
            postgresql_where=_NOT_REFUSED,
        ),
        Index(None, "origin", "number", sqlite_where=_WAITING, postgresql_where=_WAITING),
        STRICT,
    )

    number: int | None = Field(default=None, primary_key=True, sa_type=BIG_INTEGER)
    origin: str = Field(foreign_key="log.origin", sa_type=Text)
    tenant: str = Field(sa_type=Text)
    client_id: str = Field(sa_type=Text)
    payload_sha256: str = Field(sa_type=Text)
    payload: bytes = Field(sa_type=LargeBinary)
    received: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    seq: int | None = Field(default=None, sa_type=BIG_INTEGER)
    outcome: str | None = Field(default=None, sa_type=Text)


class TimestampRow(Table, table=True):
    """An RFC 3161 token over a checkpoint's text. tsa: address of who gave it. token: the whole response, DER."""

    __tablename__ = "timestamp_token"
    __table_args__ = STRICT

    origin: str = Field(primary_key=True, foreign_key="log.origin", sa_type=Text)
    tree_size: int = Field(primary_key=True, sa_type=BIG_INTEGER)
    tsa: str = Field(primary_key=True, sa_type=Text)
    token: bytes = Field(sa_type=LargeBinary)
    created: str = Field(sa_type=Text)


class PrivateFieldRow(Table, table=True):
    """A private value and its salt, sealed; the entry holds only the commitment. Erasing is deleting row and key.

    No foreign key to `entry`: it must stay possible to show a value whose entry was tampered with.
    scope: what it belongs to, whose key it is sealed with. sealed: see ledger.store.vault.SealedField.
    """

    __tablename__ = "private_field"
    __table_args__ = (Index(None, "origin", "scope"), STRICT)

    origin: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=BIG_INTEGER)
    field: str = Field(primary_key=True, sa_type=Text)
    scope: str = Field(sa_type=Text)
    sealed: bytes = Field(sa_type=LargeBinary)


class CheckpointRow(Table, table=True):
    """A checkpoint that was signed and given out. note: the whole signed note."""

    __tablename__ = "checkpoint"
    __table_args__ = STRICT

    origin: str = Field(primary_key=True, foreign_key="log.origin", sa_type=Text)
    tree_size: int = Field(primary_key=True, sa_type=BIG_INTEGER)
    note: str = Field(sa_type=Text)


class BatchRow(Table, table=True):
    """Derived: a batch as it stands after the last entry, for lists.

    seq: entry that made it. mass_kg, volume_l, remaining: exact decimal text, none where not measured.
    """

    __tablename__ = "batch_row"
    __table_args__ = (Index(None, "origin", "seq"), STRICT)

    origin: str = Field(primary_key=True, foreign_key="log.origin", sa_type=Text)
    batch_id: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(sa_type=BIG_INTEGER)
    product: str = Field(sa_type=Text)
    made_on: str = Field(sa_type=Text)
    made_by: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    mass_kg: str | None = Field(default=None, sa_type=Text)
    volume_l: str | None = Field(default=None, sa_type=Text)
    remaining: str | None = Field(default=None, sa_type=Text)
    status: str = Field(sa_type=Text)
    campaign: str | None = Field(default=None, sa_type=Text)


class EntryBatchRow(Table, table=True):
    """Derived: which entries name a batch."""

    __tablename__ = "entry_batch"
    __table_args__ = STRICT

    origin: str = Field(primary_key=True, foreign_key="log.origin", sa_type=Text)
    batch_id: str = Field(primary_key=True, sa_type=Text)
    seq: int = Field(primary_key=True, sa_type=BIG_INTEGER)


class User(Table, table=True):
    """Somebody who may log in. password_hash: argon2. actor: the actor whose key signs what they log."""

    __tablename__ = "user"
    __table_args__ = STRICT

    user_id: str = Field(primary_key=True, sa_type=Text)
    username: str = Field(unique=True, sa_type=Text)
    password_hash: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    disabled: bool = Field(default=False, sa_type=FLAG)


class LoginSession(Table, table=True):
    """A logged-in browser. The cookie's token is kept as its SHA-256 alone, in hex."""

    __tablename__ = "session"
    __table_args__ = STRICT

    token_sha256: str = Field(primary_key=True, sa_type=Text)
    user_id: str = Field(foreign_key="user.user_id", index=True, sa_type=Text)
    csrf_token: str = Field(sa_type=Text)
    created: str = Field(sa_type=Text)
    expires: str = Field(sa_type=Text)


class ApiKey(Table, table=True):
    """A program's key: shown once, kept as its SHA-256 in hex. scopes: words separated by spaces."""

    __tablename__ = "api_key"
    __table_args__ = STRICT

    key_id: str = Field(primary_key=True, sa_type=Text)
    prefix: str = Field(index=True, sa_type=Text)
    sha256: str = Field(unique=True, sa_type=Text)
    user_id: str = Field(foreign_key="user.user_id", index=True, sa_type=Text)
    scopes: str = Field(sa_type=Text)
    created: str = Field(sa_type=Text)
    expires: str | None = Field(default=None, sa_type=Text)
