"""`magnet-ledger log`: append, verify, checkpoint, prove, publish, timestamp."""

from __future__ import annotations

import sys
import threading
import traceback
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.output import (
    EXIT_DONE,
    EXIT_ENVIRONMENT,
    EXIT_NEGATIVE,
    print_checks,
    print_json,
    progress_bar,
    reported,
    say,
    tell,
)
from ledger.report import Outcome

if TYPE_CHECKING:
    from ledger.log.proof import InclusionProof
    from ledger.service.append import Appended

app = typer.Typer(help="The log: append, verify, checkpoint, prove, publish, timestamp.", no_args_is_help=True)

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
def verify(
    since_last: Annotated[
        bool,
        typer.Option("--since-last/--full", help="Only entries after those of the last full verification, or all."),
    ] = False,
    log_only: Annotated[
        bool, typer.Option("--log-only", help="Leave out the rules of the plant, which need memory for every entry.")
    ] = False,
    links_only: Annotated[
        bool, typer.Option("--links-only", help="Hashes, links and tree alone: no signatures, no contents.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Processes for the signatures; as many as cores if not given.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every entry, link and signature, tiles, head, checkpoints and pin, and the rules of the plant.

    What was left out is listed as not checked. A full verification that holds is kept beside the pin, for --since-last.
    """
    from api.deps import log_keyring_of, open_ledger
    from api.settings import load_settings
    from ledger.report import all_hold
    from ledger.service.audit import Extent, last_verified, left_out, verify_log

    extent = Extent.LINKS if links_only else Extent.LOG if log_only else Extent.ALL
    with reported(as_json), progress_bar("verify", quiet=as_json) as progress:
        settings = load_settings()
        ledger = open_ledger(settings)
        checks = verify_log(
            ledger,
            log_keyring_of(settings),
            progress,
            extent=extent,
            since=last_verified(ledger) if since_last else None,
            jobs=jobs,
            remember=not since_last,
        )
    holds = all_hold(checks)
    missing = left_out(checks)
    if as_json:
        print_json({"ok": holds, "not_checked": missing, "checks": [check.to_value() for check in checks]})
    else:
        but = f" Not checked: {', '.join(missing)}." if missing else ""
        say(("The log holds." if holds else "The log does NOT hold.") + but)
        print_checks(checks)
    raise typer.Exit(EXIT_DONE if holds else EXIT_NEGATIVE)


@app.command()
def checkpoint() -> None:
    """Sign the log's present size and root, pin it outside the database, and ask the witnesses to co-sign."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.checkpoints import make_checkpoint
    from ledger.service.witnesses import cosigned

    with reported():
        ledger = open_ledger(load_settings())
        note, findings = cosigned(ledger, make_checkpoint(ledger))
    typer.echo(note, nl=False)
    for finding in findings:
        tell(f"{finding.name}: {finding.detail}")


@app.command()
def prove(
    seq: Annotated[int, typer.Argument(min=0, help="Sequence number of the entry.")],
    form: Annotated[ProofFormat, typer.Option("--format", help="Form of the proof.")] = ProofFormat.TLOG_PROOF,
    tree_size: Annotated[
        int | None, typer.Option(min=1, help="Under the kept checkpoint of this size; the newest if left out.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL|DIR", help="From static files alone; no installation is needed."),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--vkey", help="With --from: the log's *.vkey or *-keys.json; the trust folder's if left out.", exists=True
        ),
    ] = None,
) -> None:
    """Prove that entry SEQ is under the last checkpoint. A COSE receipt is bytes: send it to a file."""
    from api.deps import open_ledger
    from api.settings import load_settings

    if source is not None:
        _prove_from(source, seq, form, key_file, tree_size)
        return
    if form is ProofFormat.COSE:
        from ledger.service.receipts import cose_receipt

        with reported():
            receipt = cose_receipt(open_ledger(load_settings()), seq)
        sys.stdout.buffer.write(receipt)
        return
    from ledger.service.checkpoints import find_proof

    with reported(form is ProofFormat.JSON):
        proof = find_proof(open_ledger(load_settings()), seq, tree_size)
    _print_proof(proof, form)


def _prove_from(source: str, seq: int, form: ProofFormat, key_file: Path | None, tree_size: int | None) -> None:
    """Build the proof from a published log's files, verify it, and print it."""
    from api.deps import log_keyring_of
    from api.settings import load_settings
    from ledger.errors import InputError, problem
    from ledger.log.keyring import as_keyring, parse_keyring
    from ledger.service.static_proof import prove_from
    from ledger.store.static_log import open_static_log

    with reported(form is ProofFormat.JSON):
        if form is ProofFormat.COSE or tree_size is not None:
            what = "--format cose" if form is ProofFormat.COSE else "--tree-size"
            raise InputError(problem("/from", what, "the published checkpoint, without it", "Leave one of them out."))
        if key_file is None:
            keyring = log_keyring_of(load_settings())
        else:
            text = key_file.read_text(encoding="utf-8")
            keyring = parse_keyring(text) if text.lstrip().startswith("{") else as_keyring(text.strip())
        found = prove_from(open_static_log(source), seq, keyring)
    _print_proof(found.proof, form)
    if found.entry is None:
        tell(f"The entry is not published; its leaf hash {found.leaf_hash.hex()} is what was verified.")
    else:
        tell(f"Entry {seq} ({len(found.entry)} bytes) is under the checkpoint of size {found.checkpoint.tree_size}.")


def _print_proof(proof: InclusionProof, form: ProofFormat) -> None:
    from ledger.log.proof import format_tlog_proof

    if form is ProofFormat.TLOG_PROOF:
        typer.echo(format_tlog_proof(proof), nl=False)
    else:
        path = [node.hex() for node in proof.path]
        print_json({"leaf_index": proof.leaf_index, "path": path, "checkpoint": proof.checkpoint})


@app.command()
def tiles(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder; made if absent.", file_okay=False)],
    hashes_only: Annotated[
        bool, typer.Option("--hashes-only", help="Without the entries, which anybody could read.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the whole log as static files (C2SP tlog-tiles) into DIR, or add what is missing there.

    Signs a checkpoint first where the log has grown since the last one and its key is here.
    """
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.publisher import publish_log
    from ledger.store.tile_folder import TileFolder

    with reported(as_json):
        tree_size = publish_log(open_ledger(load_settings()), TileFolder(folder), with_entries=not hashes_only)
    if as_json:
        print_json({"tree_size": tree_size, "folder": str(folder), "entries": not hashes_only})
    else:
        say(f"{folder} holds the log up to size {tree_size}. To serve it: python -m http.server -d {folder}")


@app.command()
def publish(
    watch: Annotated[bool, typer.Option("--watch", help="Go on, every --every seconds, until Ctrl-C.")] = False,
    every: Annotated[
        int | None, typer.Option(min=1, help="Seconds between rounds; the settings' publish_seconds if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Sign what is new, ask the witnesses, and publish it into the settings' tiles_dir, if there is one."""
    from api.deps import open_ledger
    from api.publishing import tile_folder_of
    from api.settings import load_settings
    from ledger.errors import LedgerError
    from ledger.service.publisher import Round, run_publisher
    from ledger.service.publisher import publish as publish_once

    def show(result: Round | Exception) -> None:
        if isinstance(result, LedgerError):
            tell(f"Refused ({result.slug}): {result}")
            return
        if isinstance(result, Exception):
            tell(f"Unforeseen, and tried again: {''.join(traceback.format_exception(result))}")
            return
        if as_json:
            print_json(result.to_value())
        elif result.is_new or not watch:
            say(
                f"size {result.tree_size}{': signed now' if result.is_new else ''}"
                f"{', published' if result.published else ''}"
            )
        for finding in result.findings:
            tell(f"  {finding.name}: {finding.detail}")

    with reported(as_json):
        settings = load_settings()
        ledger, folder = open_ledger(settings), tile_folder_of(settings)
        if not watch:
            show(publish_once(ledger, folder, with_entries=settings.publish_entries))
            return
        seconds = every or settings.publish_seconds or 1
        try:
            run_publisher(
                ledger, seconds, threading.Event(), folder, with_entries=settings.publish_entries, report=show
            )
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_DONE) from None


@app.command()
def compare(
    note: Annotated[Path, typer.Argument(help="A checkpoint of the log.", exists=True, dir_okay=False)],
    other: Annotated[Path, typer.Argument(help="Another checkpoint of it.", exists=True, dir_okay=False)],
    vkey: Annotated[
        list[str] | None, typer.Option(help="Verifier key of the log; those of the trust folder if left out.")
    ] = None,
    tiles: Annotated[
        str | None, typer.Option(help="Folder or address of the log's tiles; this installation's if left out.")
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Where to write the evidence if they are of two histories; must not exist.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Whether two checkpoints, perhaps shown to two people, are of one history; writes the evidence if they are not."""
    from api.compare import compare_files

    with reported(as_json):
        check, path = compare_files(note, other, vkey, tiles, evidence)
    if as_json:
        print_json({**check.to_value(), "evidence": None if path is None else str(path)})
    else:
        print_checks([check])
        if path is not None:
            say(f"Two histories were signed. Evidence for anybody who knows the log's key: {path}")
    codes = {Outcome.PASSED: EXIT_DONE, Outcome.FAILED: EXIT_NEGATIVE, Outcome.NOT_CHECKED: EXIT_ENVIRONMENT}
    raise typer.Exit(codes[check.outcome])


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="PACK.zip", help="File to write; must not exist.", dir_okay=False)],
    disclose: Annotated[
        list[Path] | None,
        typer.Option(
            help="A file of `private disclose`, whose values the pack then shows; may be repeated.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the whole log as an audit pack, with the program that checks it. Signs a checkpoint first.

    Always the whole log, never a part: of a part nobody could check that nothing was left out.
    """
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.log.disclosure import parse_disclosure
    from ledger.service.pack import export_pack

    with reported(as_json), progress_bar("export", quiet=as_json) as progress:
        shown = [parse_disclosure(path.read_bytes()) for path in disclose or ()]
        summary = export_pack(open_ledger(load_settings()), file, shown, progress)
    if as_json:
        print_json({"file": str(file), **vars(summary)})
        return
    say(
        f"{file}: {summary.tree_size} entries, {summary.checkpoints} checkpoints, {summary.timestamps} time stamps, "
        f"{summary.disclosed_fields} disclosed values, {summary.size} bytes."
    )
    if summary.left_out:
        tell(f"{summary.left_out} entries after the last checkpoint are not in it: there is no key here to sign one.")
    say("To check it: python verify.py PACK.zip --vkey KEY; its README.md says how.")


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
