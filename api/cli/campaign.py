"""`magnet-ledger campaign`: import of campaign files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import print_json, progress_bar, reported, say, tell

app = typer.Typer(help="Campaign files: lots, steps, activity and assays in one JSON document.", no_args_is_help=True)


@app.callback()
def _campaign() -> None:
    """Campaign files."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="Campaign file (docs/campaign-format.md).", exists=True, dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Log every event of FILE in one transaction, or none of them."""
    from api.deps import open_ledger, operator_actor
    from api.settings import load_settings
    from certificates.affected import affected_certificates
    from ledger.log.canonical import parse_json
    from ledger.service.campaigns import import_campaign

    affected: list[str] = []
    with reported(as_json):
        settings = load_settings()
        ledger = open_ledger(settings)
        document = parse_json(file.read_bytes())
        with progress_bar(f"import {file.name}", quiet=as_json) as progress:
            result = import_campaign(ledger, document, operator_actor(settings), dry_run=dry_run, progress=progress)
        if not dry_run and any(entry.entry_type == "correction" for entry in result.appended):
            affected = affected_certificates(ledger)
    if as_json:
        print_json(
            {
                "campaign": result.campaign,
                "dry_run": dry_run,
                "entries": [{"seq": entry.seq, "type": entry.entry_type} for entry in result.appended],
                "known": result.known,
                "affected_certificates": affected,
                "warnings": [{"seq": seq, "field": item.field, "text": str(item)} for seq, item in result.warnings()],
            }
        )
        return
    verb = "would be logged" if dry_run else "logged"
    span = (
        f" (entries {result.appended[0].seq} to {result.appended[-1].seq})" if result.appended and not dry_run else ""
    )
    say(f"{result.campaign}: {len(result.appended)} events {verb}{span}, {len(result.known)} known already.")
    for seq, warning in result.warnings():
        tell(f"  warning, entry {seq}: {warning}")
    for certificate_id in affected:
        tell(f"  certificate {certificate_id} no longer states what the ledger does: issue one that supersedes it")
