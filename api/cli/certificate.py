"""`magnet-ledger certificate`: issue, verify, revoke."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import EXIT_DONE, EXIT_NEGATIVE, print_checks, print_json, reported, say

app = typer.Typer(help="Certificates: issue, verify, revoke.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


class Kind(StrEnum):
    """What a certificate states."""

    PROVENANCE = "provenance"
    CO2 = "co2"


@app.command()
def issue(
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="Batch id.")],
    kind: Annotated[Kind, typer.Option(help="What it states.")],
    out: Annotated[Path, typer.Option(help="Where to write the PDF; must not exist.", dir_okay=False)],
    supersedes: Annotated[str | None, typer.Option(help="Id of the certificate that this one replaces.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is replaced; goes with --supersedes.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Issue a signed certificate for a batch."""
    from api.deps import issuer_of, open_ledger, operator_actor
    from api.settings import load_settings
    from certificates.issue import issue_certificate
    from certificates.keys import write_new_file
    from ledger.errors import InputError, StoreError, problem

    with reported(as_json):
        if (supersedes is None) != (reason is None):
            raise InputError(problem("--reason", reason, "--supersedes and --reason together", "Give both or neither."))
        if out.exists():
            raise InputError(problem("--out", str(out), "a file that does not exist yet", "Choose another name."))
        if not os.access(out.absolute().parent, os.W_OK):
            raise InputError(problem("--out", str(out), "a file in a folder that can be written", "Make the folder."))
        settings = load_settings()
        issued = issue_certificate(
            open_ledger(settings), batch_id, kind.value, issuer_of(settings), operator_actor(settings),
            supersedes=supersedes, reason=reason,
        )  # fmt: skip
        try:
            write_new_file(out, issued.pdf, mode=0o644)
        except StoreError as error:  # the log cannot take it back: say so, and how to get the file
            hint = f"{issued.certificate_id} is logged, its file is not written. Issue again with --supersedes."
            raise StoreError(problem("--out", str(out), "a place to write to", f"{error} {hint}")) from error
    state = issued.content["state"]
    if as_json:
        print_json({"certificate_id": issued.certificate_id, "kind": kind.value, "state": state, "file": str(out)})
    else:
        say(f"{issued.certificate_id}: {state} {kind.value} certificate for {batch_id}, written to {out}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The certificate's PDF.", exists=True, dir_okay=False)],
    trust: Annotated[
        Path | None,
        typer.Option(
            help="Folder of trusted *.pem and *.tsa.pem roots and *.vkey log keys; the settings' if left out.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check a certificate and list each check: passed, failed, not checked."""
    from api.certificate_check import headline, verification_value, verify_file
    from api.deps import now
    from api.settings import load_settings

    with reported(as_json):
        settings = load_settings()
        verification = verify_file(file.read_bytes(), settings, trust_dir=trust, now=now())
    if as_json:
        print_json(verification_value(verification, file.name))
    else:
        say(f"{file.name}: {verification.verdict}")
        if "page not compared" in verification.verdict:
            say("Read the figures here, not on the page: what it shows was not compared with them.")
        for name, value in headline(verification):
            say(f"  {name}: {value}")
        print_checks(verification.checks)
    raise typer.Exit(EXIT_DONE if verification.ok else EXIT_NEGATIVE)


@app.command()
def affected(as_json: JsonOption = False) -> None:
    """The certificates in force whose content would be another by now, for example since a correction."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from certificates.affected import affected_certificates
    from ledger.service.read import plant_of

    with reported(as_json):
        ledger = open_ledger(load_settings())
        ids = affected_certificates(ledger)
        rows = [plant_of(ledger).certificates[certificate_id][1].to_value() for certificate_id in ids]
    if as_json:
        print_json({"certificates": rows})
        return
    for row in rows:
        say(f"{row['certificate_id']}  {row['kind']}  {row['batch_id']}")
    if not rows:
        say("None: every certificate in force states what the ledger does.")


@app.command()
def revoke(
    certificate_id: Annotated[str, typer.Argument(metavar="ID", help="Certificate id.")],
    reason: Annotated[str, typer.Option(help="Why it no longer holds.")],
) -> None:
    """Log that a certificate no longer holds."""
    from api.deps import open_ledger, operator_actor
    from api.settings import load_settings
    from ledger.service.append import Draft, append_entries

    with reported():
        settings = load_settings()
        draft = Draft("certificate_revoked", {"certificate_id": certificate_id, "reason": reason})
        entry = append_entries(open_ledger(settings), [draft], operator_actor(settings))[0]
    say(f"{certificate_id} is revoked (entry {entry.seq}).")
