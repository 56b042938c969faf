"""`magnet-ledger db`: schema, backup, restore, rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import reported, say

app = typer.Typer(help="The database: schema, backup, restore, derived tables.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the schema to this version; makes the database if there is none."""
    from api.settings import load_settings
    from ledger.store.database import upgrade as upgrade_schema

    with reported():
        settings = load_settings()
        upgrade_schema(settings.database_url)
    say("The schema is up to date.")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the copy; must not exist.", dir_okay=False)],
) -> None:
    """Copy the database into FILE while it is in use."""
    from api.settings import load_settings
    from ledger.store.backup import backup as backup_database

    with reported():
        backup_database(load_settings().database_url, file)
    say(f"Written: {file}")


@app.command()
def restore(file: Annotated[Path, typer.Argument(help="A backup.", exists=True, dir_okay=False)]) -> None:
    """Put the backup FILE in place of the database, unless it is older than the last signed checkpoint."""
    from api.settings import load_settings
    from ledger.store.backup import restore as restore_database

    with reported():
        settings = load_settings()
        restore_database(settings.database_url, file, settings.origin, settings.pin_path)
    say(f"Restored from {file}.")


@app.command()
def rebuild() -> None:
    """Make every derived table anew from the entries."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.rebuild import rebuild_derived

    with reported():
        count = rebuild_derived(open_ledger(load_settings()))
    say(f"Derived tables made anew from {count} entries.")
