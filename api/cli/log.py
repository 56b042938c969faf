"""`magnet-ledger log`: append, verify, checkpoint, prove, timestamp."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.output import EXIT_DONE, EXIT_NEGATIVE, print_checks, print_json, progress_bar, reported, say, tell

if TYPE_CHECKING:
    from ledger.service.append import Appended

app = typer.Typer(help="The log: append, verify, checkpoint, prove, timestamp.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]


class ProofFormat(StrEnum):
    """How a proof is written."""

    TLOG_PROOF = "tlog-proof"
    COSE = "cose"
    JSON = "json"


@app.command()
def append(
    file: Annotated[
        Path, typer.Argument(help='One entry a line: {"type": ..., "body": {...}}.', exists=True, dir_okay=False)
    ],
    as_json: JsonOption = False,
) -> None:
    """Append every line of FILE.jsonl in one transaction, or none of them."""
    from api.deps import open_ledger, operator_actor
    from api.settings import load_settings
    from ledger.service.drafts import append_lines

    with reported(as_json):
        settings = load_settings()
        appended = append_lines(open_ledger(settings), file.read_bytes(), operator_actor(settings))
    if as_json:
        print_json({"entries": [_appended_value(entry) for entry in appended]})
        return
    for entry in appended:
        say(f"{entry.seq}  {entry.entry_type}{'  (was logged before)' if entry.repeated else ''}")
        for warning in entry.warnings:
            tell(f"  warning: {warning}")


def _appended_value(entry: Appended) -> dict[str, object]:
    return {
        "seq": entry.seq,
        "type": entry.entry_type,
        "leaf_hash": entry.leaf_hash,
        "id": entry.statement_id,
        "repeated": entry.repeated,
        "warnings": [{"field": item.field, "text": str(item)} for item in entry.warnings],
    }


@app.command()
def show(seq: Annotated[int, typer.Argument(min=0, help="Sequence number of the entry.")]) -> None:
    """The exact bytes of entry SEQ, which its leaf hash is over; no line end is added."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.read import entry_bytes

    with reported():
        (data,) = entry_bytes(open_ledger(load_settings()), [seq])
    sys.stdout.buffer.write(data)


@app.command()
def verify(as_json: JsonOption = False) -> None:
    """Check every entry, link and signature, the head, the checkpoints and the pin."""
    from api.deps import log_vkey, open_ledger
    from api.settings import load_settings
    from ledger.report import all_hold
    from ledger.service.checkpoints import verify_log

    with reported(as_json), progress_bar("verify", quiet=as_json) as progress:
        settings = load_settings()
        ledger = open_ledger(settings)
        checks = verify_log(ledger, log_vkey(settings), progress=lambda done: progress(done, max(done, 1)))
    holds = all_hold(checks)
    if as_json:
        print_json({"ok": holds, "checks": [check.to_value() for check in checks]})
    else:
        say("The log holds." if holds else "The log does NOT hold.")
        print_checks(checks)
    raise typer.Exit(EXIT_DONE if holds else EXIT_NEGATIVE)


@app.command()
def checkpoint() -> None:
    """Sign the log's present size and root, and pin it outside the database."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.checkpoints import make_checkpoint

    with reported():
        note = make_checkpoint(open_ledger(load_settings()))
    typer.echo(note, nl=False)


@app.command()
def prove(
    seq: Annotated[int, typer.Argument(min=0, help="Sequence number of the entry.")],
    form: Annotated[ProofFormat, typer.Option("--format", help="Form of the proof.")] = ProofFormat.TLOG_PROOF,
) -> None:
    """Prove that entry SEQ is under the last checkpoint. A COSE receipt is bytes: send it to a file."""
    from api.deps import open_ledger
    from api.settings import load_settings

    if form is ProofFormat.COSE:
        from ledger.service.receipts import cose_receipt

        with reported():
            receipt = cose_receipt(open_ledger(load_settings()), seq)
        sys.stdout.buffer.write(receipt)
        return
    from ledger.log.proof import parse_tlog_proof
    from ledger.service.checkpoints import prove as prove_entry

    with reported(form is ProofFormat.JSON):
        text = prove_entry(open_ledger(load_settings()), seq)
    if form is ProofFormat.TLOG_PROOF:
        typer.echo(text, nl=False)
        return
    proof = parse_tlog_proof(text)
    print_json(
        {"leaf_index": proof.leaf_index, "path": [node.hex() for node in proof.path], "checkpoint": proof.checkpoint}
    )


@app.command()
def timestamp(as_json: JsonOption = False) -> None:
    """Have the last checkpoint time stamped by the authority at tsa_url, unless it is already."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.log.forms import format_time
    from ledger.service.timestamps import timestamp_newest

    with reported(as_json):
        stamped = timestamp_newest(open_ledger(load_settings()))
    if as_json:
        print_json(
            {
                "time": format_time(stamped.gen_time),
                "tsa": stamped.tsa,
                "serial_number": str(stamped.serial_number),
                "policy": stamped.policy,
            }
        )
    else:
        say(f"The last checkpoint existed at {stamped.gen_time:%Y-%m-%d %H:%M:%S} UTC, says {stamped.tsa}.")
