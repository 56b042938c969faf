"""Who may do what: accounts with passwords, the sessions of their browsers, and keys for programs.

Neither a password nor a token nor a key is kept: a password as its argon2 hash, a token or key (256 random bits, so a
plain hash cannot be searched) as its SHA-256. The account's name stays out of the log: a statement is signed by an
actor, and `Account.actor` says for which one the account may speak.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from ledger.errors import DuplicateIdError, InputError, Problem, UnknownIdError, problem
from ledger.service.context import Ledger
from ledger.store import accounts as store

Scope: TypeAlias = Literal["read", "write"]
Role: TypeAlias = Literal["operator", "auditor"]

_SCOPES_OF_ROLE: dict[str, frozenset[Scope]] = {
    "operator": frozenset({"read", "write"}),
    "auditor": frozenset({"read"}),
}

MIN_PASSWORD_CHARACTERS = 12
MAX_PASSWORD_CHARACTERS = 200
"""Long enough for a sentence, short enough that hashing it costs the same as any."""

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEY_START = re.compile(r"mlk_([0-9a-f]{8})(?:_[A-Za-z0-9_-]{43})?")
_KEY_TEXT = re.compile(r"mlk_([0-9a-f]{8})_[A-Za-z0-9_-]{43}")

_passwords = PasswordHash((Argon2Hasher(),))


@dataclass(frozen=True)
class Account:
    """A person or program known to this installation.

    role: "operator" reads and writes, "auditor" reads. actor: whose signing key its entries are signed with.
    """

    user_id: str
    username: str
    role: Role
    actor: str

    @property
    def scopes(self) -> frozenset[Scope]:
        """What the role allows."""
        return _SCOPES_OF_ROLE[self.role]


@dataclass(frozen=True)
class Login:
    """An open session. csrf_token: what every form of the session carries. expires: the end, whatever is done in it."""

    account: Account
    csrf_token: str
    expires: datetime


@dataclass(frozen=True)
class NewApiKey:
    """A key as made. text: the key itself, which cannot be shown again."""

    key_id: str
    text: str
    scopes: frozenset[Scope]
    expires: datetime


def create_account(ledger: Ledger, username: str, password: str, role: Role, actor: str) -> Account:
    """A new account.

    Raises: InputError for a name, password or role that is not in its form; DuplicateIdError if the name is taken.
    """
    problems = []
    if not _USERNAME.fullmatch(username):
        expected = "1 to 64 lower-case letters, digits, dots, dashes or underscores"
        problems.append(problem("/username", username, expected, "Choose another name."))
    problems += _password_problems(password)
    if role not in get_args(Role):
        problems.append(problem("/role", role, f"one of {', '.join(get_args(Role))}", "Choose a role."))
    if problems:
        raise InputError(*problems)
    account = Account(ledger.new_id(), username, role, actor)
    stored = store.StoredUser(account.user_id, username, _hash(password), role, actor, disabled=False)
    if not store.insert_user(ledger.engine, stored):
        raise DuplicateIdError(problem("/username", username, "a name that is free", "Choose another name."))
    return account


def log_in(ledger: Ledger, username: str, password: str, lasts: timedelta) -> tuple[str, Login] | None:
    """A new session for the account with this name and password: its token and what it is; None if they do not match.

    An unknown name takes as long as a wrong password, and no answer says which of the two it was.
    """
    # What can be nobody's name is not looked up: a database may not even take it (PostgreSQL refuses a NUL).
    stored = store.find_user(ledger.engine, username) if _USERNAME.fullmatch(username) else None
    password_hash = stored.password_hash if stored else _hash_of_nobody()
    right = len(password) <= MAX_PASSWORD_CHARACTERS and _passwords.verify(_normal(password), password_hash)
    if stored is None or stored.disabled or not right:
        return None
    token, csrf_token = new_token(ledger), new_token(ledger)
    login = Login(_account_of(stored), csrf_token, ledger.now() + lasts)
    store.delete_expired_sessions(ledger.engine, ledger.now())
    store.insert_session(
        ledger.engine,
        store.StoredSession(_sha256(token), stored.user_id, csrf_token, created=ledger.now(), expires=login.expires),
    )
    return token, login


def login_of(ledger: Ledger, token: str) -> Login | None:
    """The open session with this token; None if there is none, it has expired, or its account is disabled."""
    found = store.find_session(ledger.engine, _sha256(token))
    if found is None:
        return None
    session, user = found
    if session.expires <= ledger.now() or user.disabled:
        return None
    return Login(_account_of(user), session.csrf_token, session.expires)


def log_out(ledger: Ledger, token: str) -> None:
    """End the session with this token; nothing if there is none."""
    store.delete_session(ledger.engine, _sha256(token))


def change_password(ledger: Ledger, username: str, password: str) -> None:
    """Another password for the account; whoever is logged in with it is logged out.

    Raises: UnknownIdError if there is no such account; InputError for a password that is not in its form.
    """
    user = _find(ledger, username)
    if problems := _password_problems(password):
        raise InputError(*problems)
    store.update_user(ledger.engine, user.user_id, password_hash=_hash(password))


def set_disabled(ledger: Ledger, username: str, disabled: bool) -> None:
    """Shut the account out, its sessions and API keys included, or let it in again.

    Raises: UnknownIdError if there is no such account.
    """
    store.update_user(ledger.engine, _find(ledger, username).user_id, disabled=disabled)


@dataclass(frozen=True)
class Listed:
    """An account as it stands, with its API keys: prefix, scopes and end of each, no end being None."""

    account: Account
    disabled: bool
    api_keys: tuple[tuple[str, str, datetime | None], ...]


def list_accounts(ledger: Ledger) -> list[Listed]:
    """All accounts by name."""
    return [
        Listed(
            _account_of(user),
            user.disabled,
            tuple(
                (f"mlk_{key.prefix}", key.scopes, key.expires) for key in store.api_keys_of(ledger.engine, user.user_id)
            ),
        )
        for user in store.list_users(ledger.engine)
    ]


def delete_api_key(ledger: Ledger, text: str) -> None:
    """End an API key. text: the key, or its beginning as `list_accounts` shows it.

    Raises: UnknownIdError if there is none such.
    """
    found = _KEY_START.fullmatch(text)
    if found is None or not store.delete_api_keys(ledger.engine, found[1]):
        # The key itself is never part of a message.
        raise UnknownIdError(problem("/key", text[:12], "the beginning of a key, mlk_ and 8 digits", "List the keys."))


def create_api_key(ledger: Ledger, username: str, scopes: Collection[Scope], lasts: timedelta) -> NewApiKey:
    """A new key for the account: visible prefix, 256 random bits. It allows what both its scopes and the role allow.

    Raises: UnknownIdError if there is no such account; InputError for scopes other than read and write.
    """
    user = _find(ledger, username)
    unknown = sorted(set(scopes) - set(get_args(Scope)))
    if unknown or not scopes:
        raise InputError(problem("/scopes", list(scopes), "read, write or both", "Name the scopes."))
    key_id = ledger.new_id()
    prefix = _sha256(key_id)[:8]
    text = f"mlk_{prefix}_{new_token(ledger)}"
    expires = ledger.now() + lasts
    key = store.StoredApiKey(
        key_id, prefix, _sha256(text), user.user_id, " ".join(sorted(scopes)), created=ledger.now(), expires=expires
    )
    store.insert_api_key(ledger.engine, key)
    return NewApiKey(key_id, text, frozenset(scopes), expires)


def holder_of_key(ledger: Ledger, text: str) -> tuple[Account, frozenset[Scope]] | None:
    """Whose key this is and what it allows; None if it is unknown or expired, or its account is disabled."""
    if not _KEY_TEXT.fullmatch(text):
        return None
    found = store.find_api_key(ledger.engine, _sha256(text))
    if found is None:
        return None
    key, user = found
    if user.disabled or (key.expires is not None and key.expires <= ledger.now()):
        return None
    account = _account_of(user)
    return account, frozenset(scope for scope in account.scopes if scope in key.scopes.split())


def new_token(ledger: Ledger) -> str:
    """256 random bits as 43 characters that are safe in an address or a cookie."""
    return base64.urlsafe_b64encode(ledger.new_salt()).rstrip(b"=").decode("ascii")


def _find(ledger: Ledger, username: str) -> store.StoredUser:
    user = store.find_user(ledger.engine, username) if _USERNAME.fullmatch(username) else None
    if user is None:
        raise UnknownIdError(problem("/username", username, "the name of an account", "Make the account first."))
    return user


def _password_problems(password: str) -> list[Problem]:
    if MIN_PASSWORD_CHARACTERS <= len(password) <= MAX_PASSWORD_CHARACTERS:
        return []
    expected = f"{MIN_PASSWORD_CHARACTERS} to {MAX_PASSWORD_CHARACTERS} characters"
    # The password itself is never part of a message.
    return [problem("/password", f"{len(password)} characters", expected, "Choose another password.")]


def _account_of(stored: store.StoredUser) -> Account:
    # A role that this version does not know allows nothing.
    role: Role | None = next((role for role in get_args(Role) if role == stored.role), None)
    if role is None:
        raise InputError(
            problem("/role", stored.role, f"one of {', '.join(get_args(Role))}", "Set the account's role again.")
        )
    return Account(stored.user_id, stored.username, role, stored.actor)


def _hash(password: str) -> str:
    return _passwords.hash(_normal(password))


@functools.cache
def _hash_of_nobody() -> str:
    """A hash that no one's password has, for the time that checking takes."""
    return _passwords.hash("nobody")


def _normal(password: str) -> str:
    """`password` in the one spelling of its characters (NFKC), whichever keyboard typed it."""
    return unicodedata.normalize("NFKC", password)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
