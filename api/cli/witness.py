"""`magnet-ledger witness`: be one who co-signs the checkpoints of logs, so that none can tell two stories unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import print_json, print_table, reported, say

app = typer.Typer(help="Be a witness: co-sign the checkpoints of logs.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The witness's folder.", file_okay=False)]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File whose first line the key is encrypted with; without it the file's rights protect the key."),
]


@app.command()
def init(
    folder: Folder,
    name: Annotated[str, typer.Option(help='Of witness and key, for example "witness.example.com/w1".')],
    passphrase_file: PassphraseFile = None,
) -> None:
    """Make a witness in DIR, and print its verifier key."""
    from api.witness.folder import make_witness

    with reported():
        vkey = make_witness(folder, name, _passphrase(passphrase_file))
    say(vkey)


@app.command("add-log")
def add_log(
    folder: Folder,
    vkey: Annotated[str, typer.Argument(help="Verifier key of the log (name+hash+key), or a file that holds it.")],
) -> None:
    """Co-sign from now on what the log with this key signs. A log that changes its key has two for a while."""
    from api.witness.folder import read_vkey
    from api.witness.store import WitnessStore
    from ledger.log.checkpoint import parse_vkey

    with reported():
        read_vkey(folder)
        text = Path(vkey).read_text(encoding="utf-8") if "+" not in vkey and Path(vkey).is_file() else vkey
        parsed = parse_vkey(text.strip())
        is_new = WitnessStore(folder / "witness.db").add_log_key(parsed)
    say(f"{parsed.origin}: {'added' if is_new else 'known already'}")


@app.command()
def key(folder: Folder) -> None:
    """Print the witness's verifier key, for logs and for those who check their checkpoints."""
    from api.witness.folder import read_vkey

    with reported():
        vkey = read_vkey(folder)
    say(vkey)


@app.command()
def status(folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """What was seen of each log, and how much was refused."""
    from api.witness.folder import read_vkey
    from api.witness.store import WitnessStore
    from ledger.log.checkpoint import parse_vkey

    with reported(as_json):
        vkey, store = read_vkey(folder), WitnessStore(folder / "witness.db")
        seen = store.all_seen()
        origins = sorted({parse_vkey(text).origin for text in store.log_keys()})
        refused = sorted(path.name for path in (folder / "refused").iterdir())
    if as_json:
        logs = [
            {"origin": origin, "tree_size": seen[origin].tree_size, "root": seen[origin].root.hex()}
            if origin in seen
            else {"origin": origin, "tree_size": None, "root": None}
            for origin in origins
        ]
        print_json({"vkey": vkey, "logs": logs, "refused": refused})
        return
    say(vkey)
    rows = [
        [
            origin,
            str(seen[origin].tree_size) if origin in seen else "-",
            seen[origin].root.hex() if origin in seen else "-",
        ]
        for origin in origins
    ]
    print_table(["log", "tree size", "root"], rows, right=frozenset({1}))
    say(f"{len(refused)} refused that a log had signed{': ' + ', '.join(refused) if refused else ''}")


@app.command()
def serve(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8100,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Answer the logs. On another address than this machine's own, put a server that speaks https before it."""
    from api.deps import now
    from api.witness.folder import open_witness

    with reported():
        witness = open_witness(folder, now, _passphrase(passphrase_file))
    import uvicorn

    from api.witness.app import create_witness_app

    say(f"Witness {witness.name}: http://{host}:{port}/   (stop with Ctrl-C)")
    uvicorn.run(
        create_witness_app(witness),
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        limit_concurrency=64,
        timeout_keep_alive=30,
    )


def _passphrase(file: Path | None) -> bytes | None:
    from ledger.errors import StoreError, problem

    if file is None:
        return None
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise StoreError(problem("", str(file), f"a readable file ({error})", "Name the passphrase's file.")) from error
    if not lines or not lines[0]:
        raise StoreError(problem("", str(file), "a passphrase in the first line", "Write one there."))
    return lines[0]
