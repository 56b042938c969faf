"""Rows of accounts, sessions and API keys: stored, found, changed, deleted.

What they mean is `ledger.service.accounts`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from ledger.store.database import read_transaction, write_transaction
from ledger.store.tables import ApiKey, LoginSession, Table

_USER = Table.metadata.tables["user"]
_SESSION = Table.metadata.tables[str(LoginSession.__tablename__)]
_API_KEY = Table.metadata.tables[str(ApiKey.__tablename__)]


@dataclass(frozen=True)
class StoredUser:
    """A row of `user`."""

    user_id: str
    username: str
    password_hash: str
    role: str
    actor: str
    disabled: bool


@dataclass(frozen=True)
class StoredSession:
    """A row of `session`. created, expires: aware."""

    token_sha256: str
    user_id: str
    csrf_token: str
    created: datetime
    expires: datetime


@dataclass(frozen=True)
class StoredApiKey:
    """A row of `api_key`. scopes: words separated by spaces. expires: aware; None for a key without an end."""

    key_id: str
    prefix: str
    sha256: str
    user_id: str
    scopes: str
    created: datetime
    expires: datetime | None


def insert_user(engine: Engine, user: StoredUser) -> bool:
    """Store `user`; False, with nothing stored, if the name or id is taken."""
    try:
        with write_transaction(engine) as connection:
            connection.execute(insert(_USER).values(**vars(user)))
    except IntegrityError:
        return False
    return True


def find_user(engine: Engine, username: str) -> StoredUser | None:
    """The user of this name."""
    with read_transaction(engine) as connection:
        row = connection.execute(select(_USER).where(_USER.c.username == username)).one_or_none()
    return None if row is None else _user(row)


def update_user(engine: Engine, user_id: str, **changes: str | bool) -> None:
    """Change columns of a user and end every open session: who was logged in logs in again, if they still may."""
    with write_transaction(engine) as connection:
        connection.execute(update(_USER).where(_USER.c.user_id == user_id).values(**changes))
        connection.execute(delete(_SESSION).where(_SESSION.c.user_id == user_id))


def insert_session(engine: Engine, session: StoredSession) -> None:
    """Store `session`."""
    values = vars(session) | {"created": _text(session.created), "expires": _text(session.expires)}
    with write_transaction(engine) as connection:
        connection.execute(insert(_SESSION).values(**values))


def find_session(engine: Engine, token_sha256: str) -> tuple[StoredSession, StoredUser] | None:
    """The session of this token's hash, with its user."""
    with read_transaction(engine) as connection:
        row = connection.execute(select(_SESSION).where(_SESSION.c.token_sha256 == token_sha256)).one_or_none()
        if row is None:
            return None
        user = connection.execute(select(_USER).where(_USER.c.user_id == row.user_id)).one()
    session = StoredSession(row.token_sha256, row.user_id, row.csrf_token, _moment(row.created), _moment(row.expires))
    return session, _user(user)


def delete_session(engine: Engine, token_sha256: str) -> None:
    """Delete the session of this token's hash, if there is one."""
    with write_transaction(engine) as connection:
        connection.execute(delete(_SESSION).where(_SESSION.c.token_sha256 == token_sha256))


def delete_expired_sessions(engine: Engine, moment: datetime) -> None:
    """Delete every session that ended at or before `moment`."""
    with write_transaction(engine) as connection:
        # Text order is time order, since every time is written by _text.
        connection.execute(delete(_SESSION).where(_SESSION.c.expires <= _text(moment)))


def insert_api_key(engine: Engine, key: StoredApiKey) -> None:
    """Store `key`."""
    values = vars(key) | {"created": _text(key.created), "expires": _text(key.expires) if key.expires else None}
    with write_transaction(engine) as connection:
        connection.execute(insert(_API_KEY).values(**values))


def api_keys_of(engine: Engine, user_id: str) -> list[StoredApiKey]:
    """The user's keys, the oldest first."""
    with read_transaction(engine) as connection:
        query = select(_API_KEY).where(_API_KEY.c.user_id == user_id).order_by(_API_KEY.c.created, _API_KEY.c.key_id)
        return [_api_key(row) for row in connection.execute(query)]


def delete_api_keys(engine: Engine, prefix: str) -> int:
    """Delete the keys that begin so. Returns their number."""
    with write_transaction(engine) as connection:
        return connection.execute(delete(_API_KEY).where(_API_KEY.c.prefix == prefix)).rowcount


def list_users(engine: Engine) -> list[StoredUser]:
    """All users by name."""
    with read_transaction(engine) as connection:
        return [_user(row) for row in connection.execute(select(_USER).order_by(_USER.c.username))]


def find_api_key(engine: Engine, sha256: str) -> tuple[StoredApiKey, StoredUser] | None:
    """The key of this hash, with its user."""
    with read_transaction(engine) as connection:
        row = connection.execute(select(_API_KEY).where(_API_KEY.c.sha256 == sha256)).one_or_none()
        if row is None:
            return None
        user = connection.execute(select(_USER).where(_USER.c.user_id == row.user_id)).one()
    return _api_key(row), _user(user)


def _api_key(row: Row[Any]) -> StoredApiKey:
    expires = _moment(row.expires) if row.expires is not None else None
    return StoredApiKey(row.key_id, row.prefix, row.sha256, row.user_id, row.scopes, _moment(row.created), expires)


def _user(row: Row[Any]) -> StoredUser:
    return StoredUser(row.user_id, row.username, row.password_hash, row.role, row.actor, bool(row.disabled))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
