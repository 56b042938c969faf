"""`magnet-ledger account`: who may log in, and keys for programs."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from api.cli.output import reported, say

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
