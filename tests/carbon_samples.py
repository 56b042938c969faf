"""Plants for the tests of the footprint: the two demonstration campaigns reduced to what carbon needs.

Facts: BEL-DEMO-1 and BEL-DEMO-2, illustrative campaigns of a Belfast demonstration plant; assay of the hard-disk
magnets from Belfqueh et al., J. Rare Earths 41 (2023) 621.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from ledger.carbon.factors import ActivityFactors, Factor, FactorAdoption, FactorBook, FactorRef, make_factor_book
from ledger.material.batch import fold_plant
from ledger.material.chemistry import atomic_masses
from ledger.material.entries import parse_entry
from ledger.material.plant import Plant
from ledger.service.factor_library import default_adoption, factor_records

Entry = tuple[str, dict[str, Any]]

HDD_MAGNETS = {"Nd": "22.8", "Pr": "3.3", "Dy": "1.2", "Fe": "62.6", "Co": "1.5", "B": "0.9", "Ni": "0.6"}
EV_MAGNETS = {"Nd": "23.5", "Pr": "5.8", "Dy": "4.1", "Tb": "0.4", "Fe": "62.9", "Co": "2.0", "B": "1.0"}
SWARF = {"Nd": "21.5", "Pr": "5.4", "Dy": "1.9", "Tb": "0.2", "Fe": "57.0", "Co": "1.4", "B": "0.9"}

PRICE_SOURCE = "illustrative reference price"


@cache
def masses() -> dict[str, Decimal]:
    """Atomic masses of every element."""
    return atomic_masses()


@cache
def book() -> FactorBook:
    """The default adoption over the project's library."""
    return make_factor_book([(0, default_adoption("uk-2023", date(2023, 1, 2)))], factor_records())


def book_of(factors: Iterable[Factor], activity_of: dict[str, tuple[str, str]]) -> FactorBook:
    """A book of `factors`; activity_of: activity and unit of each factor id."""
    listed = list(factors)
    rows: dict[tuple[str, str], list[FactorRef]] = {}
    for factor in listed:
        ref = FactorRef(factor_id=factor.factor_id, sha256=factor.sha256())
        rows.setdefault(activity_of[factor.factor_id], []).append(ref)
    adoption = FactorAdoption(
        set_id="test",
        gwp_set="AR5",
        region="GB",
        activities=tuple(
            ActivityFactors(activity=activity, unit=unit, factors=tuple(refs))
            for (activity, unit), refs in rows.items()
        ),
        adopted_on=date(2023, 1, 2),
    )
    return make_factor_book([(0, adoption)], listed)


def plant_of(entries: Iterable[Entry]) -> Plant:
    """The plant after `entries`, numbered from 1, each parsed from JSON data as a log would hold it."""
    parsed = [(seq, kind, parse_entry(kind, body)) for seq, (kind, body) in enumerate(entries, start=1)]
    return fold_plant(parsed, masses())


def party_and_site() -> list[Entry]:
    """The operator, a supplier and the plant."""
    return [
        ("party", {"party_id": "OP", "roles": ["operator"], "country": "GB"}),
        ("party", {"party_id": "SUP", "roles": ["supplier"], "country": "GB"}),
        ("site", {"site_id": "BEL", "name": "Belfast demonstration plant", "country": "GB", "operator_id": "OP"}),
    ]


def activity(name: str, amount: str, unit: str = "kWh") -> dict[str, Any]:
    """One row of activity data."""
    return {"activity": name, "amount": amount, "unit": unit}


def receipt(batch_id: str, dry_mass_kg: str, *rows: dict[str, Any], form: str = "magnets") -> Entry:
    """A lot of scrap."""
    body: dict[str, Any] = {
        "batch_id": batch_id,
        "site_id": "BEL",
        "supplier_id": "SUP",
        "description": "spent magnets",
        "form": form,
        "consumer_class": "internal" if form == "acid" else "post-consumer",
        "received_on": "2023-09-01",
        "dry_mass_kg": dry_mass_kg,
        "activity": list(rows),
    }
    return "receipt", body


def assay(batch_id: str, components: dict[str, str]) -> Entry:
    """The plant's assay of a batch, in wt %."""
    body: dict[str, Any] = {
        "assay_id": f"A-{batch_id}",
        "batch_id": batch_id,
        "party": "plant",
        "method": "ICP-OES",
        "components": [{"species": species, "wt_percent": value} for species, value in components.items()],
        "reported_on": "2023-09-30",
    }
    return "assay", body


def draw(batch_id: str, mass_kg: str | None = None) -> dict[str, Any]:
    """mass_kg of a batch, or the whole of it."""
    return {"batch_id": batch_id, "whole": True} if mass_kg is None else {"batch_id": batch_id, "mass_kg": mass_kg}


def output(
    batch_id: str, product: str, mass_kg: str | None = None, price: str | None = None, **more: Any
) -> dict[str, Any]:
    """A batch made."""
    body: dict[str, Any] = {"batch_id": batch_id, "product": product, **more}
    if mass_kg is not None:
        body["mass_kg"] = mass_kg
    if price is not None:
        body |= {"price_usd_per_kg": price, "price_source": PRICE_SOURCE}
    return body


def step(
    step_id: str,
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
    *rows: dict[str, Any],
    direct_kg_co2: str | None = None,
    residues: list[dict[str, Any]] | None = None,
    on: str = "2023-09-15",
) -> Entry:
    """A process step."""
    body: dict[str, Any] = {
        "step_id": step_id,
        "process": f"process {step_id}",
        "performed_on": on,
        "inputs": inputs,
        "outputs": outputs,
        "activity": list(rows),
        "residues": residues or [],
    }
    if direct_kg_co2 is not None:
        body["direct"] = [{"gas": "CO2", "mass_kg": direct_kg_co2, "description": "from the oxalate"}]
    return "step", body


def split(split_id: str, source: dict[str, Any], outputs: list[dict[str, Any]], *rows: dict[str, Any]) -> Entry:
    """A batch divided."""
    body = {
        "split_id": split_id,
        "performed_on": "2023-09-16",
        "input": source,
        "outputs": outputs,
        "activity": list(rows),
    }
    return "split", body


def bel_demo_1() -> list[Entry]:
    """One lot, one furnace, three oxides; two of them blended."""
    return [
        *party_and_site(),
        receipt("IN-001", "1000", activity("road-freight", "461.25", "t.km")),
        assay("IN-001", HDD_MAGNETS),
        step(
            "ST-1",
            [draw("IN-001")],
            [
                output("OX-Nd", "Nd2O3", "256.626", "75"),
                output("OX-Pr", "Pr6O11", "38.474", "75"),
                output("OX-Dy", "Dy2O3", "13.084", "240"),
            ],
            activity("electricity", "2600"),
            activity("natural-gas", "1400"),
            activity("water-supply", "18", "m3"),
            activity("water-treatment", "16", "m3"),
            activity("hydrochloric-acid-32", "1650", "kg"),
            activity("oxalic-acid-dihydrate", "560", "kg"),
            activity("sodium-hydroxide-50", "900", "kg"),
            activity("extractant-diluent", "12", "kg"),
        ),
        assay("OX-Nd", {"Nd2O3": "100"}),
        assay("OX-Pr", {"Pr6O11": "100"}),
        assay("OX-Dy", {"Dy2O3": "100"}),
        (
            "blend",
            {
                "blend_id": "BL-1",
                "performed_on": "2023-09-16",
                "inputs": [draw("OX-Nd"), draw("OX-Pr")],
                "output": output("OX-NdPr", "NdPr oxide", "295.100"),
            },
        ),
    ]


def bel_demo_2() -> list[Entry]:
    """Three lots blended, leached with returned acid, separated into streams nobody weighed, calcined, split.

    Part of each intermediate stays in stock, so that partial draws are exercised; the amounts are of this test alone.
    """
    cake = [
        {"species": "Nd", "wt_percent": "0.55"},
        {"species": "Pr", "wt_percent": "0.12"},
        {"species": "Dy", "wt_percent": "0.05"},
    ]
    return [
        *party_and_site(),
        receipt("IN-101", "620", activity("road-freight", "260.4", "t.km")),
        assay("IN-101", HDD_MAGNETS),
        receipt("IN-102", "400", activity("road-freight", "660", "t.km")),
        assay("IN-102", EV_MAGNETS),
        receipt("IN-103", "360", activity("road-freight", "111.6", "t.km"), form="swarf"),
        assay("IN-103", SWARF),
        receipt("R-1", "760", form="acid"),
        step("S1", [draw("IN-101")], [output("B-201", "bare magnets", "611.9")], activity("electricity", "214")),
        step("S2", [draw("IN-102", "300")], [output("B-202", "bare magnets", "295")], activity("electricity", "141")),
        step(
            "S3",
            [draw("IN-103")],
            [output("B-203", "roasted swarf", "352.4")],
            activity("natural-gas", "690"),
            activity("electricity", "38"),
            direct_kg_co2="27.7",
        ),
        step(
            "S4",
            [draw("B-201", "600"), draw("B-202"), draw("B-203", "300")],
            [output("F-301", "feed", "1190")],
            activity("electricity", "409"),
        ),
        step(
            "S5",
            [draw("F-301"), draw("R-1")],
            [output("L-401", "leach liquor", volume_l="9800")],
            activity("electricity", "655"),
            activity("natural-gas", "820"),
            activity("hydrochloric-acid-32", "1480", "kg"),
            activity("water-supply", "11", "m3"),
            residues=[{"description": "iron oxide cake", "mass_kg": "1000", "components": cake}],
        ),
        step(
            "S6",
            [{"batch_id": "L-401", "volume_l": "9000"}],
            [
                output("Q-NdPr", "NdPr strip liquor", price="75", carries=["Nd", "Pr"]),
                output("Q-Dy", "Dy strip liquor", price="240", carries=["Dy"]),
                output("Q-Tb", "Tb strip liquor", price="810", carries=["Tb"]),
                output("R-2", "regenerated acid", "700", role="recycle"),
            ],
            activity("electricity", "760"),
            activity("sodium-hydroxide-50", "1260", "kg"),
            activity("extractant-diluent", "17", "kg"),
        ),
        step(
            "S7",
            [draw("Q-NdPr")],
            [output("OX-NdPr-501", "NdPr oxide", "330")],
            activity("electricity", "980"),
            activity("oxalic-acid-dihydrate", "774", "kg"),
            direct_kg_co2="334",
        ),
        step(
            "S8",
            [draw("Q-Dy")],
            [output("OX-Dy-502", "Dy2O3", "24")],
            activity("electricity", "96"),
            activity("oxalic-acid-dihydrate", "55", "kg"),
            direct_kg_co2="24",
        ),
        step("S9", [draw("Q-Tb")], [output("OX-Tb-503", "Tb4O7", "1.9")], activity("electricity", "31")),
        split(
            "S10",
            draw("OX-NdPr-501"),
            [output("OX-NdPr-501-A", "NdPr oxide", "250"), output("OX-NdPr-501-B", "NdPr oxide", "80")],
            activity("electricity", "12"),
        ),
    ]
