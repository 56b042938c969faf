"""`magnet-ledger footprint`: the CO2e of a batch, line by line."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from api.cli.output import print_json, print_table, reported, say

app = typer.Typer(help="Footprints: CO2e per batch and per kg, with every line.", no_args_is_help=True)


class AllocationChoice(StrEnum):
    """How a burden is shared among co-products."""

    MASS = "mass"
    ECONOMIC = "economic"
    ELEMENT = "element"


@app.callback()
def _footprint() -> None:
    """Footprints."""


@app.command()
def show(
    batch_id: Annotated[str, typer.Argument(metavar="ID", help="Batch id.")],
    allocation: Annotated[AllocationChoice, typer.Option(help="Rule that shares the burden.")] = AllocationChoice.MASS,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """The footprint of a batch, cradle to gate, with all three allocations side by side."""
    from api.deps import open_ledger
    from api.settings import load_settings
    from ledger.service.footprints import footprint_value_of

    with reported(as_json):
        value = footprint_value_of(open_ledger(load_settings()), batch_id, allocation.value)
    if as_json:
        print_json(value)
        return
    say(f"{value['batch_id']}: {value['product']}, {value['mass_kg']} kg, allocation by {value['allocation']}")
    say(f"  {value['kg_co2e_per_kg']} kg CO2e per kg; {value['total_kg_co2e']} kg CO2e for the batch")
    say(f"  of {value['system_kg_co2e']} kg CO2e of the whole system")
    for name, result in value["results_by_allocation"].items():
        say(f"  {name:9} {result.get('kg_co2e_per_kg') or result['not_available']}")
    print_table(
        ("entry", "source", "activity", "amount", "unit", "factor", "kg CO2e", "share", "allocated"),
        [
            [str(line.get(key, "")) for key in (
                "seq", "source_id", "activity", "amount", "unit", "factor_id", "kg_co2e", "share", "allocated_kg_co2e",
            )]
            for line in value["lines"]
        ],
        right=frozenset({0, 3, 6, 7, 8}),
    )  # fmt: skip
    for placeholder in value["placeholders"]:
        say(f"provisional: {placeholder} is a placeholder factor")
