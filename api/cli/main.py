"""The command `magnet-ledger`: nouns and their verbs. Each verb loads what it needs when it runs: --help is quick."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli import account, batch, campaign, certificate, database, footprint, key, log, private, witness
from api.cli.output import EXIT_DONE, EXIT_ENVIRONMENT, print_checks, print_json, reported, say

if TYPE_CHECKING:
    from api.settings import Settings

app = typer.Typer(
    name="magnet-ledger",
    help="Provenance and CO2 of recycled rare-earth magnets, on a log that anybody can check.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done or verified, 1 refused or not verified, 2 bad input or usage, 3 environment.",
)
app.add_typer(database.app, name="db")
app.add_typer(campaign.app, name="campaign")
app.add_typer(batch.app, name="batch")
app.add_typer(footprint.app, name="footprint")
app.add_typer(certificate.app, name="certificate")
app.add_typer(log.app, name="log")
app.add_typer(private.app, name="private")
app.add_typer(key.app, name="key")
app.add_typer(account.app, name="account")
app.add_typer(witness.app, name="witness")

HostOption = Annotated[str | None, typer.Option(help="Address to listen on; the settings' if left out.")]
PortOption = Annotated[int | None, typer.Option(min=1, max=65535, help="Port to listen on; the settings' if left out.")]


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Folder for the demonstration; made if absent.")] = Path("demo"),
    serve_pages: Annotated[bool, typer.Option("--serve/--no-serve", help="Serve the pages at the end.")] = True,
    host: HostOption = None,
    port: PortOption = None,
) -> None:
    """Run two campaigns from intake to verified certificates, then serve the pages."""
    from api.demo import run_demo
    from api.settings import load_settings

    with reported():
        holds = run_demo(folder)
        if serve_pages and holds:
            _serve(load_settings(folder), host, port)
    raise typer.Exit(EXIT_DONE if holds else 1)


@app.command()
def init(
    origin: Annotated[str, typer.Option(help='Name of the log, for example "ledger.example.com/belfast".')],
    operator: Annotated[str, typer.Option(help="Id of the actor whose key signs what is logged here.")],
    issuer: Annotated[str, typer.Option(help="Name in the certificate of the issuer.")],
    country: Annotated[str, typer.Option(help="The issuer's country, two letters.", min=2, max=2)],
    folder: Annotated[Path, typer.Option("--dir", help="Where; made if absent.")] = Path(),
) -> None:
    """Set up an installation: settings, keys, database, and the emission factors that come with the program."""
    from api.deps import now
    from api.setup import adopt_default_factors, make_installation

    with reported():
        values: dict[str, str | int] = {"origin": origin, "operator": operator, "issuer_name": issuer}
        settings, ledger, actor = make_installation(folder.resolve(), values, country)
        adopt_default_factors(ledger, actor, now().date())
    say(f"Set up in {settings.folder}. Next, inside it: magnet-ledger account add NAME; magnet-ledger serve")


@app.command()
def serve(host: HostOption = None, port: PortOption = None) -> None:
    """Serve the pages and the HTTP interface of the installation in this folder."""
    from api.settings import load_settings

    with reported():
        _serve(load_settings(), host, port)


def _serve(settings: Settings, host: str | None, port: int | None) -> None:
    import uvicorn

    from api.server import build_app

    address, number = host or settings.host, port or settings.port
    application = build_app(settings)
    say(f"Pages: http://{address}:{number}/   (stop with Ctrl-C)")
    uvicorn.run(
        application,
        host=address,
        port=number,
        log_level="warning",
        server_header=False,
        proxy_headers=settings.secure_cookies,
    )


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False) -> None:
    """Check that this installation can work: settings, database, keys, trust roots, clock."""
    from api.doctor import examine
    from api.settings import load_settings
    from ledger.report import all_hold

    with reported(as_json):
        checks = examine(load_settings())
    if as_json:
        print_json({"ok": all_hold(checks), "checks": [check.to_value() for check in checks]})
    else:
        print_checks(checks)
    raise typer.Exit(EXIT_DONE if all_hold(checks) else EXIT_ENVIRONMENT)


def main() -> None:
    """Entry point of the installed command."""
    app()
