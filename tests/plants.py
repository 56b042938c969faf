"""Small plants for tests: entries logged one by one, as a plant would, and a strategy that makes plants at random."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib.resources import files
from typing import Any

from hypothesis import strategies as st

from ledger.errors import Problem
from ledger.material.batch import EMPTY_PLANT, Plant, add_entry, warnings_for
from ledger.material.chemistry import atomic_masses
from ledger.material.contents import contents_of
from ledger.material.entries import parse_entry
from ledger.material.fields import Body

MASSES = atomic_masses()
DAY = "2023-09-04"


class PlantLog:
    """A plant and the entries that it comes from; `log` adds one as it would be added to the ledger.

    It begins with an operator OP, a site BEL, a supplier SUP and a buyer BUY.
    """

    def __init__(self) -> None:
        self.plant: Plant = EMPTY_PLANT
        self.entries: list[tuple[int, str, Body]] = []
        for party_id, role in (("OP", "operator"), ("SUP", "supplier"), ("BUY", "buyer")):
            self.log("party", party_id=party_id, roles=[role], country="GB")
        self.log("site", site_id="BEL", name="demonstration plant", country="GB", operator_id="OP")

    def log(self, entry_type: str, **body: Any) -> list[Problem]:
        """Add an entry. Returns: its warnings. Raises what the ledger raises; then nothing was added."""
        parsed = parse_entry(entry_type, body)
        seq = len(self.entries)
        after = add_entry(self.plant, seq, entry_type, parsed, MASSES)
        warnings = warnings_for(self.plant, entry_type, parsed, MASSES)
        self.plant = after
        self.entries.append((seq, entry_type, parsed))
        return warnings

    def lot(self, batch_id: str, kg: str, **more: Any) -> list[Problem]:
        """A lot of magnets of that dry mass."""
        body = {
            "site_id": "BEL",
            "supplier_id": "SUP",
            "description": "magnets",
            "form": "magnets",
            "consumer_class": "post-consumer",
            "received_on": DAY,
            "dry_mass_kg": kg,
        }
        return self.log("receipt", batch_id=batch_id, **body | more)

    def assay(
        self, batch_id: str, percents: Mapping[str, str], *, uncertainty: str | None = None, **more: Any
    ) -> list[Problem]:
        """An assay by the plant: wt % by species, all with the same relative uncertainty in per cent."""
        assay_id = more.pop("assay_id", f"{batch_id}-A{len(self.plant.assays_of(batch_id))}")
        body = {"party": "plant", "method": "ICP-OES", "reported_on": DAY}
        return self.log(
            "assay", assay_id=assay_id, batch_id=batch_id, components=components(percents, uncertainty), **body | more
        )

    def step(
        self, step_id: str, inputs: Sequence[Mapping[str, Any]], outputs: Sequence[Mapping[str, Any]], **more: Any
    ) -> list[Problem]:
        """A process step."""
        body = {"process": "leach", "performed_on": DAY}
        return self.log("step", step_id=step_id, inputs=list(inputs), outputs=list(outputs), **body | more)


def components(percents: Mapping[str, str], uncertainty: str | None = None) -> list[dict[str, str]]:
    """Components of an assay as JSON data."""
    stated = {} if uncertainty is None else {"uncertainty_percent": uncertainty}
    return [{"species": species, "wt_percent": percent, **stated} for species, percent in percents.items()]


def kg(batch_id: str, mass_kg: str) -> dict[str, str]:
    """A draw by mass."""
    return {"batch_id": batch_id, "mass_kg": mass_kg}


def whole(batch_id: str) -> dict[str, Any]:
    """A draw of a whole batch."""
    return {"batch_id": batch_id, "whole": True}


def out(batch_id: str, mass_kg: str | None = None, **more: Any) -> dict[str, Any]:
    """An output."""
    return {"batch_id": batch_id, "product": batch_id, **({} if mass_kg is None else {"mass_kg": mass_kg}), **more}


def campaign_events(name: str) -> list[dict[str, Any]]:
    """The events of one of the demonstration's campaign files."""
    events: list[dict[str, Any]] = json.loads((files("api") / "campaigns" / f"{name}.json").read_text())["events"]
    return events


def campaign(name: str, before: str | None = None) -> PlantLog:
    """A plant with the events of a campaign, in order; only those before the first of type `before` if it is given."""
    log = PlantLog()
    log.entries, log.plant = [], EMPTY_PLANT
    for event in campaign_events(name):
        if event["type"] == before:
            break
        log.log(event["type"], **event["body"])
    return log


ASSAYED = ("Nd", "Dy", "Fe")
COUNTRIES = ("CN", "AU", "JP")
UNMEASURED_KG = Decimal(4000)
"""What a stream that is not measured is found to weigh afterwards: at least what all lots together do."""


@st.composite
def random_plants(draw: st.DrawFn) -> PlantLog:
    """A plant of one to four lots and up to eight splits, blends, packings, steps and partial draws of them.

    Splits lose nothing, so that all of each element is in batches and residues. Batches are drawn wholly or in part.
    """
    plant = PlantLog()
    for number in range(draw(st.integers(1, 4))):
        lot = f"L{number}"
        shares = draw(st.lists(st.integers(1, 5), max_size=3))
        declared = [
            {"country": country, "share": f"0.{share}"}
            for country, share in zip(COUNTRIES, shares, strict=False)
            if sum(shares) <= 10
        ]
        plant.lot(
            lot,
            _decimal(draw, 100, 100_000),
            consumer_class=draw(st.sampled_from(["post-consumer", "pre-consumer", "primary", "internal"])),
            scale_uncertainty_kg="0.05",
            origin={"mined": declared, "evidence": "declared"},
        )
        percents = {element: _decimal(draw, 1, 3_000) for element in ASSAYED}
        plant.assay(lot, percents, uncertainty=draw(st.sampled_from([None, "0.8", "2.0"])))
    for number in range(draw(st.integers(0, 8))):
        _do_something(draw, plant, f"T{number}")
    return plant


def _do_something(draw: st.DrawFn, plant: PlantLog, name: str) -> None:
    there = [batch for batch in plant.plant.batches.values() if batch.remaining != 0]
    if not there:
        return
    kind = draw(st.sampled_from(["split", "blend", "pack", "step", "separate"]))
    picked = draw(st.lists(st.sampled_from(there), min_size=1, max_size=3, unique_by=lambda batch: batch.batch_id))
    draws, total = [], Decimal(0)
    for batch in picked if kind in ("blend", "step") else picked[:1]:
        left = UNMEASURED_KG if batch.remaining is None else batch.remaining
        if batch.remaining is None or (batch.status == "in stock" and draw(st.booleans())):
            draws.append(whole(batch.batch_id))
        else:
            left = Decimal(draw(st.integers(1, int(left * 100)))) / 100
            draws.append(kg(batch.batch_id, f"{left:.2f}"))
        total += left
    grams = int(total * 100)
    if kind == "blend" and len(draws) > 1:
        plant.log("blend", blend_id=name, performed_on=DAY, inputs=draws, output=out(f"{name}-A", f"{total:.2f}"))
    elif kind == "pack":
        size = out(f"{name}-A", f"{total:.2f}")
        plant.log("pack", pack_id=name, performed_on=DAY, input=draws[0], output=size, packaging="drum", packages=1)
    elif kind == "split" and grams > 1:
        first = draw(st.integers(1, grams - 1))
        parts = [
            out(f"{name}-A", f"{Decimal(first) / 100:.2f}"),
            out(f"{name}-B", f"{Decimal(grams - first) / 100:.2f}"),
        ]
        plant.log("split", split_id=name, performed_on=DAY, input=draws[0], outputs=parts)
    elif kind == "separate":
        carried = [out(f"{name}-A", carries=["Nd"]), out(f"{name}-B", carries=["Dy", "Fe"])]
        plant.step(name, draws, carried)
    else:
        held = contents_of(plant.plant, MASSES, [item["batch_id"] for item in draws])
        iron = [held[item["batch_id"]].get("Fe") for item in draws]
        # A cake a tenth as heavy as the poorest input's iron per kilogram drawn holds 0.05 % of it at most.
        concentrations = [
            content.mass_kg / (plant.plant.batches[item["batch_id"]].mass_kg or UNMEASURED_KG)
            for item, content in zip(draws, iron, strict=True)
            if content is not None
        ]
        cake_kg = total / 10 * min(concentrations, default=Decimal(0))
        cake = {"description": "cake", "mass_kg": f"{cake_kg:.4f}", "components": components({"Fe": "0.5"})}
        residues = [cake] if all(iron) and draw(st.booleans()) else []
        plant.step(name, draws, [out(f"{name}-A", f"{total:.2f}")], residues=residues)


def _decimal(draw: st.DrawFn, low: int, high: int) -> str:
    """A number of hundredths between low and high, as text with two places."""
    return f"{Decimal(draw(st.integers(low, high))) / 100:.2f}"
