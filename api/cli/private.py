"""`magnet-ledger private`: list, show, disclose, check, erase."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.output import (
    EXIT_DONE,
    EXIT_NEGATIVE,
    EXIT_USAGE,
    print_checks,
    print_json,
    print_table,
    reported,
    say,
    tell,
)

if TYPE_CHECKING:
    from ledger.service.private_fields import Erased, FieldState

app = typer.Typer(help="Values that stay out of the log: show, disclose, erase.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]
SeqArgument = Annotated[int, typer.Argument(min=0, help="Sequence number of the entry.")]


@app.command("list")
def list_fields(
    batch: Annotated[str | None, typer.Option(help="Only of the entries about this batch.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the private fields: of which entry, of what, and whether the value is kept."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.private_fields import list_private

    with reported(as_json):
        states = list_private(open_ledger(load_settings()), batch)
    if as_json:
        print_json([vars(one) for one in states])
        return
    table = [(str(one.seq), one.field, one.subject, _state_words(one)) for one in states]
    print_table(("entry", "field", "subject", "value"), table, right=frozenset({0}))


def _state_words(one: FieldState) -> str:
    if one.state == "kept" and one.erased_by is not None:
        return f"still there, though entry {one.erased_by} erases it: private erase --resume"
    words = {"kept": "kept", "no key": "no key in the vault", "gone": "gone, no entry says why"}
    return words.get(one.state) or f"erased by entry {one.erased_by}"


@app.command()
def show(
    seq: SeqArgument, field: Annotated[list[str] | None, typer.Argument(help="Names of fields; all if none.")] = None
) -> None:
    """Print the private values of entry SEQ as JSON."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.private_fields import show_private

    with reported():
        values = show_private(open_ledger(load_settings()), seq, field or ())
    print_json(values)
    if not values:
        tell("No private value of this entry is kept. `private list` says whether it had any, and what erased them.")


@app.command()
def disclose(
    seq: SeqArgument,
    field: Annotated[list[str], typer.Argument(help="Names of the fields.")],
    out: Annotated[Path, typer.Option(help="File to write; must not exist.", dir_okay=False)],
) -> None:
    """Write fields of entry SEQ with their salts into a file, for a reader to check.

    What has been handed out cannot be called back.
    """
    from api.deps import open_ledger
    from api.settings import load_settings
    from certificates.keys import write_new_file
    from ledger.log.disclosure import format_disclosure
    from ledger.service.private_fields import disclose as disclose_fields

    with reported():
        disclosure = disclose_fields(open_ledger(load_settings()), seq, field)
        write_new_file(out, format_disclosure(disclosure))
    say(f"Written: {out}. The reader needs the entry as well (`log show {seq}`) and its proof (`log prove {seq}`).")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A disclosure.", exists=True, dir_okay=False)],
    entry: Annotated[Path, typer.Option(help="The entry's exact bytes.", exists=True, dir_okay=False)],
    as_json: JsonOption = False,
) -> None:
    """Check a disclosure against the entry that it is of. Needs neither database nor keys."""
    from ledger.log.disclosure import check_disclosure
    from ledger.report import all_hold

    checks = check_disclosure(entry.read_bytes(), file.read_bytes())
    holds = all_hold(checks)
    if as_json:
        print_json({"ok": holds, "checks": [one.to_value() for one in checks]})
    else:
        say("The entry commits to these values." if holds else "The disclosure does NOT hold.")
        print_checks(checks)
    raise typer.Exit(EXIT_DONE if holds else EXIT_NEGATIVE)


@app.command()
def erase(
    subject: Annotated[str | None, typer.Option(help='All of a subject, for example "batch/IN-1".')] = None,
    entry: Annotated[int | None, typer.Option(min=0, help="Only fields of this entry.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="With --entry: name of a field; may be repeated.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why. Stays in the log: nothing of what is erased.")] = None,
    requested_by: Annotated[str | None, typer.Option(help="Pseudonymous id of who asked for it.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Finish erasures that were cut short.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Erase private values for good. The erasure is an entry of the log; proofs go on holding."""
    from api.deps import open_ledger, operator_actor
    from api.settings import load_settings
    from ledger.service.private_fields import erase_fields, erase_subject, resume_erasures

    _check_choice(subject, entry, field, reason, requested_by, resume)
    with reported(as_json):
        settings = load_settings()
        ledger = open_ledger(settings)
        if resume:
            erased = resume_erasures(ledger)
        elif subject is not None:
            erased = erase_subject(ledger, subject, operator_actor(settings), reason or "", requested_by)
        else:
            fields = {entry or 0: field or []}
            erased = erase_fields(ledger, fields, operator_actor(settings), reason or "", requested_by)
    if as_json:
        print_json({**vars(erased), "fields": [{"seq": seq, "field": name} for seq, name in erased.fields]})
    else:
        _say_erased(erased, str(settings.vault_dir))


def _check_choice(
    subject: str | None,
    entry: int | None,
    field: list[str] | None,
    reason: str | None,
    requested_by: str | None,
    resume: bool,
) -> None:
    """Exit with the usage unless exactly one thing is asked for, with all that it needs."""
    ways = [resume, subject is not None, entry is not None]
    complete = (entry is None) is not bool(field) and (reason is None) is resume and not (resume and requested_by)
    if sum(ways) == 1 and complete:
        return
    tell("Give --subject ID --reason TEXT, or --entry SEQ --field NAME --reason TEXT, or --resume alone.")
    raise typer.Exit(EXIT_USAGE)


def _say_erased(erased: Erased, vault: str) -> None:
    where = "" if erased.seq is None else f", by entry {erased.seq}"
    say(f"{len(erased.fields)} values erased{where}; {erased.keys} keys destroyed.")
    if not erased.scrubbed:
        tell("The database has a reader now: its journal keeps ciphertext, which no key opens, until it is emptied.")
    if erased.keys:
        tell(f"Copies of {vault} that were made before still hold the keys: destroy them, too.")
