"""`magnet-ledger account`: who may log in, and keys for programs."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from api.cli.output import print_json, print_table, reported, say

app = typer.Typer(help="Accounts for the pages, and API keys for programs.", no_args_is_help=True)


class RoleChoice(StrEnum):
    """What an account may do."""

    OPERATOR = "operator"
    AUDITOR = "auditor"


@app.command()
def add(
    username: Annotated[str, typer.Argument(help="Name to log in with.")],
    role: Annotated[RoleChoice, typer.Option(help="operator may log entries, auditor may read.")] = RoleChoice.OPERATOR,
) -> None:
    """Make an account with a random password, which is shown once."""
    from api.deps import new_password, open_ledger
    from api.settings import load_settings
    from ledger.service.accounts import create_account

    with reported():
        settings = load_settings()
        password = new_password()
        create_account(open_ledger(settings), username, password, role.value, settings.operator)
    say(f"Log in as {username} with the password {password}   (shown this once; only its hash is kept)")


@app.command("api-key")
def api_key(
    username: Annotated[str, typer.Argument(help="The account that the key acts for.")],
    write: Annotated[bool, typer.Option("--write", help="Let the key log entries, not only read.")] = False,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until it expires.")] = 90,
) -> None:
    """Make an API key, which is shown once."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.accounts import create_api_key

    with reported():
        key = create_api_key(
            open_ledger(load_settings()), username, {"read", "write"} if write else {"read"}, timedelta(days=days)
        )
    say(f"{key.text}   (shown this once; expires {key.expires:%Y-%m-%d})")


@app.command()
def password(username: Annotated[str, typer.Argument(help="The account.")]) -> None:
    """Give the account another random password, which is shown once; who is logged in is logged out."""
    from api.deps import new_password, open_ledger
    from api.settings import load_settings
    from ledger.service.accounts import change_password

    with reported():
        text = new_password()
        change_password(open_ledger(load_settings()), username, text)
    say(f"Log in as {username} with the password {text}   (shown this once; only its hash is kept)")


@app.command()
def disable(username: Annotated[str, typer.Argument(help="The account.")]) -> None:
    """Shut the account out at once, with its sessions and API keys. What it logged stays."""
    _set_disabled(username, True)
    say(f"{username} can no longer log in; let them in again with: magnet-ledger account enable {username}")


@app.command()
def enable(username: Annotated[str, typer.Argument(help="The account.")]) -> None:
    """Let a disabled account in again."""
    _set_disabled(username, False)
    say(f"{username} can log in.")


def _set_disabled(username: str, disabled: bool) -> None:
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.accounts import set_disabled

    with reported():
        set_disabled(open_ledger(load_settings()), username, disabled)


@app.command("delete-api-key")
def delete_api_key(
    key: Annotated[str, typer.Argument(help="Its beginning, mlk_ and 8 digits, as `list` shows it.")],
) -> None:
    """End an API key."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.accounts import delete_api_key as delete_key

    with reported():
        delete_key(open_ledger(load_settings()), key)
    say("The key is of no use any more.")


@app.command("list")
def list_all(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """All accounts and their API keys."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.accounts import list_accounts

    with reported(as_json):
        listed = list_accounts(open_ledger(load_settings()))
    if as_json:
        print_json(
            [
                {
                    "username": one.account.username,
                    "role": one.account.role,
                    "actor": one.account.actor,
                    "disabled": one.disabled,
                    "api_keys": [
                        {"key": key, "scopes": scopes.split(), "expires": None if end is None else end.isoformat()}
                        for key, scopes, end in one.api_keys
                    ],
                }
                for one in listed
            ]
        )
        return
    rows: list[tuple[str, ...]] = []
    for one in listed:
        rows.append((one.account.username, one.account.role, "disabled" if one.disabled else "", "", ""))
        rows += [
            ("", "", "", key, f"{scopes}, {'without end' if end is None else f'until {end:%Y-%m-%d}'}")
            for key, scopes, end in one.api_keys
        ]
    print_table(("account", "role", "state", "API key", "allows"), rows)
