"""`magnet-ledger db`: schema, backup, restore, rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import reported, say

app = typer.Typer(help="The database: schema, backup, restore, derived tables.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the schema to this version; makes the database if there is none.

    Private values that an older version kept in clear are sealed; older backups still hold them in clear.
    """
    from api.deps import new_salt
    from api.settings import load_settings
    from ledger.service.rebuild import complete_derived
    from ledger.store.database import make_engine
    from ledger.store.database import upgrade as upgrade_schema
    from ledger.store.private_rows import PlainSealer, scrub
    from ledger.store.vault import Vault

    with reported():
        settings = load_settings()
        sealer = PlainSealer(Vault(settings.vault_dir, new_salt))
        upgrade_schema(settings.database_url, seal=sealer)
        if sealer.count:
            scrub(make_engine(settings.database_url), whole=True)
            say(f"{sealer.count} private values sealed; their keys are in {settings.vault_dir}.")
        complete_derived(make_engine(settings.database_url))
    say("The schema is up to date.")


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the copy; must not exist.", dir_okay=False)],
) -> None:
    """Copy the database into FILE while it is in use."""
    from api.settings import load_settings
    from ledger.store.backup import backup as backup_database

    with reported():
        settings = load_settings()
        backup_database(settings.database_url, file)
    say(f"Written: {file}")
    say(f"Of private values it holds ciphertext only. Their keys are in {settings.vault_dir}: back that up apart, and")
    say("replace its copy after each erasure.")


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
