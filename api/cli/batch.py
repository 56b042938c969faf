"""`magnet-ledger batch`: a batch and its genealogy."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api.cli.output import print_json, print_table, reported, say

app = typer.Typer(help="Batches: what they are, where they came from, where they went.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]
BatchArgument = Annotated[str, typer.Argument(metavar="ID", help="Batch id.")]


@app.command("list")
def list_all(as_json: JsonOption = False) -> None:
    """Every batch with its product, mass and what is left."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.read import list_batches

    with reported(as_json):
        rows = list_batches(open_ledger(load_settings()))
    if as_json:
        print_json({"batches": rows})
        return
    print_table(
        ("batch", "product", "size", "left", "status"),
        [[str(row[key]) for key in ("batch_id", "product", "size", "left", "status")] for row in rows],
        right=frozenset({2, 3}),
    )


@app.command()
def show(batch_id: BatchArgument, as_json: JsonOption = False) -> None:
    """A batch: size, assays, the balance of the step that made it, certificates."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.read import batch_view

    with reported(as_json):
        view = batch_view(open_ledger(load_settings()), batch_id)
    if as_json:
        print_json(view)
    else:
        _print_view(view)


def _print_view(view: dict[str, Any]) -> None:
    batch = view["batch"]
    say(f"{batch['batch_id']}: {batch['product']}, {batch['size']}, {batch['left']} left, {batch['status']}")
    say(f"made {batch['made_on']} by {batch['made_by']} (entry {batch['seq']})")
    for assay in view["assays"]:
        parts = ", ".join(f"{part['species']} {part['wt_percent']} %" for part in assay["components"])
        say(f"assay {assay['assay_id']} ({assay['party']}, {assay['method']}): {parts}")
    if view["balance"]:
        say()
        say("Element balance of the step, kg:")
        columns = ("in_kg", "product_kg", "residue_kg", "unaccounted_kg", "uncertainty_kg")
        print_table(
            ("element", "in", "products", "residues", "unaccounted", "+/- (k=2)", "verdict"),
            [[row["element"], *(row[key] for key in columns), row["verdict"]] for row in view["balance"]],
            right=frozenset(range(1, 6)),
        )
    for warning in view["warnings"]:
        say(f"warning: {warning}")
    for certificate in view["certificates"]:
        say(f"certificate {certificate['certificate_id']} ({certificate['kind']}): {certificate['status']}")


@app.command()
def trace(
    batch_id: BatchArgument,
    up: Annotated[bool, typer.Option("--up", help="What it was made of.")] = False,
    down: Annotated[bool, typer.Option("--down", help="What was made of it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """The genealogy of a batch, both ways if neither is named."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.read import trace as trace_batch

    direction = "up" if up and not down else "down" if down and not up else "both"
    with reported(as_json):
        links = trace_batch(open_ledger(load_settings()), batch_id, direction)
    if as_json:
        print_json(links)
        return
    for way, title in (("up", "made of"), ("down", "made into")):
        for link in links.get(way, []):
            say(f"{title:9}  {'  ' * (link['depth'] - 1)}{link['batch_id']} ({link['product']}) through {link['via']}")
