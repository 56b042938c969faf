"""Contents of certificates, made by hand after the two demonstration campaigns, for the tests of the pages.

They have the shape of real contents; their derived numbers are for show and no test of arithmetic rests on them.
`crowded` stretches a content to what a page must bear.
"""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

MASSES = {
    "values": [
        {"element": "Dy", "mass": "162.500"},
        {"element": "Nd", "mass": "144.242"},
        {"element": "O", "mass": "15.999"},
        {"element": "Pr", "mass": "140.90766"},
        {"element": "Tb", "mass": "158.92535"},
    ],
    "source": "periodictable 2.1.0, standard atomic weights of IUPAC 2021",
}

_HEADER: dict[str, Any] = {
    "v": 1,
    "issued_at": "2026-11-24T19:00:00Z",
    "issuer": {
        "name": "Belfast demonstration plant, operator",
        "site": "Belfast demonstration plant",
        "country": "GB",
    },
    "log": {"origin": "magnet-ledger.example/bel", "tree_size": 46},
    "renderer": "magnet-ledger-page/1",
}


def _factor(factor_id: str, unit: str, kg_co2e: str, source_row: str | None = None, **other: str) -> dict[str, str]:
    record = {
        "factor_id": factor_id,
        "activity": factor_id.split("/")[1].replace("-", " "),
        "unit": unit,
        "kg_co2e": kg_co2e,
        "gwp_set": "AR5",
        "region": "GB",
        "valid_from": "2023-01-01",
        "valid_to": "2023-12-31",
        "source": "UK Government GHG Conversion Factors for Company Reporting 2023 (DESNZ)",
        "licence": "Open Government Licence v3.0",
        "state": "adopted",
    }
    if source_row:
        record["source_row"] = source_row
    return record | other


def _placeholder(factor_id: str, kg_co2e: str, gsd: str) -> dict[str, str]:
    return {
        "factor_id": f"placeholder/{factor_id}",
        "activity": factor_id.replace("-", " "),
        "unit": "kg",
        "kg_co2e": kg_co2e,
        "gsd": gsd,
        "gwp_set": "AR5",
        "region": "GLO",
        "source": "illustrative: no open factor found; a plant enters its supplier's figure",
        "state": "placeholder",
    }


# activity, amount, unit, factors (id, kg CO2e a unit): BEL-DEMO-1, in the order of its entries.
_BEL_1 = [
    (2, "IN-001", "receipt", "road-freight", "461.25", "t.km", [("uk-2023/hgv-all-average-laden", "0.09696")]),
    (4, "BEL1-S1", "leach, separate, precipitate and calcine", "electricity", "2600", "kWh", [
        ("uk-2023/electricity-generation", "0.20707"),
        ("uk-2023/electricity-td", "0.01792"),
        ("uk-2023/electricity-generation-wtt", "0.0459"),
        ("uk-2023/electricity-td-wtt", "0.00397"),
    ]),
    (4, "BEL1-S1", "leach, separate, precipitate and calcine", "natural-gas", "1400", "kWh", [
        ("uk-2023/natural-gas-gross-cv", "0.18293"),
        ("uk-2023/natural-gas-gross-cv-wtt", "0.03021"),
    ]),
    (4, "BEL1-S1", "leach, separate, precipitate and calcine", "water-supply", "18", "m3",
     [("uk-2023/water-supply", "0.17668")]),
    (4, "BEL1-S1", "leach, separate, precipitate and calcine", "water-treatment", "16", "m3",
     [("uk-2023/water-treatment", "0.20132")]),
    (4, "BEL1-S1", "leach, separate, precipitate and calcine", "hydrochloric-acid-32", "1650", "kg",
     [("placeholder/hydrochloric-acid-32", "0.9")]),
    (4, "BEL1-S1", "leach, separate, precipitate and calcine", "oxalic-acid-dihydrate", "560", "kg",
     [("placeholder/oxalic-acid-dihydrate", "1.6")]),
    (4, "BEL1-S1", "leach, separate, precipitate and calcine", "sodium-hydroxide-50", "900", "kg",
     [("placeholder/sodium-hydroxide-50", "0.6")]),
    (4, "BEL1-S1", "leach, separate, precipitate and calcine", "extractant-diluent", "12", "kg",
     [("placeholder/extractant-diluent", "3.5")]),
]  # fmt: skip

_LABELS = {
    "road-freight": "Road freight",
    "electricity": "Electricity",
    "natural-gas": "Natural gas",
    "water-supply": "Water supply",
    "water-treatment": "Water treatment",
    "hydrochloric-acid-32": "Hydrochloric acid, 32 %",
    "oxalic-acid-dihydrate": "Oxalic acid dihydrate",
    "sodium-hydroxide-50": "Sodium hydroxide, 50 %",
    "extractant-diluent": "Extractant and diluent",
}


def _largest_remainder(values: list[Decimal], total: Decimal) -> list[str]:
    """`values`, rounded to the digits of `total`, so that they add up to it."""
    step = Decimal(1).scaleb(total.as_tuple().exponent)  # type: ignore[arg-type]
    floors = [value // step * step for value in values]
    left = int((total - sum(floors)) / step)
    for index in sorted(range(len(values)), key=lambda i: floors[i] - values[i])[:left]:
        floors[index] += step
    return [str(value) for value in floors]


def co2_sample() -> dict[str, Any]:
    """A provisional CO2 content after BEL-DEMO-1: NdPr oxide, 13.0674 kg CO2e/kg by mass."""
    mass, total_mass = Decimal("295.100"), Decimal("308.184")
    share = mass / total_mass
    lines = []
    for seq, source, process, activity, amount, unit, factors in _BEL_1:
        for factor_id, per_unit in factors:
            burden = Decimal(amount) * Decimal(per_unit)
            lines.append(
                {
                    "seq": seq,
                    "source_id": source,
                    "process": process,
                    "activity": activity,
                    "amount": amount,
                    "unit": unit,
                    "factor_id": factor_id,
                    "kg_co2e_per_unit": per_unit,
                    "kg_co2e": str(burden),
                    "share": f"{share:.6f}",
                    "allocated_kg_co2e": burden * share,
                }
            )
    system = sum((Decimal(line["kg_co2e"]) for line in lines), Decimal(0))  # 4027.1562
    total = (system * share).quantize(Decimal("0.000001"))
    for line, text in zip(lines, _largest_remainder([line["allocated_kg_co2e"] for line in lines], total), strict=True):
        line["allocated_kg_co2e"] = text
    by_activity: dict[str, Decimal] = {}
    for line in lines:
        by_activity[line["activity"]] = by_activity.get(line["activity"], Decimal(0)) + Decimal(
            line["allocated_kg_co2e"]
        )
    ranked = sorted(by_activity.items(), key=lambda item: -item[1])
    per_kg = _largest_remainder([value / mass for _, value in ranked], Decimal("13.0674"))
    percent = _largest_remainder([value / total * 100 for _, value in ranked], Decimal("100.0"))
    return deepcopy(_HEADER) | {
        "kind": "co2",
        "certificate_id": "CO2-BEL1-OX-NdPr-0001",
        "state": "provisional",
        "provisional_because": [
            "The factor placeholder/hydrochloric-acid-32 is a placeholder: enter the supplier's figure.",
            "The factor placeholder/oxalic-acid-dihydrate is a placeholder: enter the supplier's figure.",
            "The factor placeholder/sodium-hydroxide-50 is a placeholder: enter the supplier's figure.",
            "The factor placeholder/extractant-diluent is a placeholder: enter the supplier's figure.",
        ],
        "batch": {
            "batch_id": "BEL1-OX-NdPr",
            "product": "NdPr oxide",
            "mass_kg": "295.100",
            "made_on": "2023-06-27",
        },
        "declared_unit": "1 kg NdPr oxide",
        "allocation": "mass",
        "result": {
            "kg_co2e_per_kg": "13.0674",
            "total_kg_co2e": str(total),
            "system_kg_co2e": str(system),
            "interval_95": {
                "low_kg_co2e_per_kg": "9.0341",
                "high_kg_co2e_per_kg": "18.9127",
                "covered_percent": "73.6",
                "method": "Lognormal factors with their geometric standard deviation; a factor used twice counts as "
                "one; the sum fitted by its first two moments (Fenton and Wilkinson).",
            },
        },
        "results_by_allocation": {
            "mass": {"kg_co2e_per_kg": "13.0674", "total_kg_co2e": str(total)},
            "economic": {"kg_co2e_per_kg": "11.9512", "total_kg_co2e": "3526.790297"},
            "element": {"kg_co2e_per_kg": "13.0558", "total_kg_co2e": "3852.767416"},
        },
        "hot_spots": [
            {
                "activity": activity,
                "label": _LABELS[activity],
                "kg_co2e": str(value),
                "kg_co2e_per_kg": each,
                "percent": part,
            }
            for (activity, value), each, part in zip(ranked, per_kg, percent, strict=True)
        ],
        "lines": lines,
        "factors": [
            _factor("uk-2023/hgv-all-average-laden", "t.km", "0.09696", "11_309_4000_5_1"),
            _factor("uk-2023/electricity-generation", "kWh", "0.20707", "7_400_4000_5_4"),
            _factor("uk-2023/electricity-td", "kWh", "0.01792", "13_402_4000_5_4"),
            _factor("uk-2023/electricity-generation-wtt", "kWh", "0.0459", "15_917_4000_5_1"),
            _factor("uk-2023/electricity-td-wtt", "kWh", "0.00397", "15_918_4000_5_1"),
            _factor("uk-2023/natural-gas-gross-cv", "kWh", "0.18293", "1_1_4000_5_2"),
            _factor("uk-2023/natural-gas-gross-cv-wtt", "kWh", "0.03021", "14_1_4000_5_1"),
            _factor("uk-2023/water-supply", "m3", "0.17668", "9_1_4000_5_1"),
            _factor("uk-2023/water-treatment", "m3", "0.20132", "10_1_4000_5_1"),
            _placeholder("hydrochloric-acid-32", "0.9", "1.5"),
            _placeholder("oxalic-acid-dihydrate", "1.6", "1.5"),
            _placeholder("sodium-hydroxide-50", "0.6", "1.5"),
            _placeholder("extractant-diluent", "3.5", "2.0"),
        ],
        "method": {
            "standard": "ISO 14067:2018 and GHG Protocol Product Standard; partial footprint of a product.",
            "boundary": "partial, cradle to gate",
            "boundary_stages": [
                "Collection and road freight of the lots",
                "Leach, separate, precipitate and calcine",
                "Blend",
            ],
            "period": {"from": "2023-06-05", "to": "2023-06-27"},
            "gwp_set": "AR5",
            "gwp_horizon": "100 years",
            "electricity": "Location-based: the United Kingdom's grid, with transmission losses and upstream "
            "burdens; no contractual instruments used.",
            "recycling": "Cut-off: scrap and end-of-life magnets arrive free of burden; the burdens of recycling "
            "them are counted here.",
            "allocation_why": "Oxide masses, because co-products leave the same steps and the prices differ by less "
            "than five times.",
            "cut_offs": "Packaging, capital goods and the plant's overheads are left out; CO2 from oxalate in the "
            "calciner is not logged for this batch.",
            "biogenic": "None known.",
            "land_use": "None known.",
            "aircraft": "None.",
            "primary_data_percent": "100.0",
            "data_quality": "Amounts are metered at the site; factors are national averages or placeholders.",
            "uncertainty": "Of factors only, where they state it; amounts are taken as exact.",
            "limits": [
                "A footprint of one batch; it does not compare with another producer's unless unit, boundary, "
                "allocation and warming potentials are the same.",
                "Intervals that overlap must not be ranked.",
            ],
            "verification": "Not verified by a third party after ISO 14064-3; signed by the plant and open to "
            "recalculation.",
        },
        "not_claimed": [
            "No reduction against any other product is claimed: no like-for-like baseline is named.",
            "No offset or credit is subtracted.",
            "Not verified by an accredited body; the plant signed it.",
            "Use, end of life and transport to the buyer are not counted.",
        ],
        "constants": {"atomic_masses": MASSES["values"], "source": MASSES["source"]},
    }


def final_co2_sample() -> dict[str, Any]:
    """The same with adopted factors, so final; it replaces an earlier certificate."""
    content = co2_sample()
    content["state"] = "final"
    content["provisional_because"] = []
    content["certificate_id"] = "CO2-BEL1-OX-NdPr-0002"
    content["supersedes"] = "CO2-BEL1-OX-NdPr-0001"
    content["supersede_reason"] = "the meter reading of BEL1-S1 was corrected"
    for factor in content["factors"]:
        factor["state"] = "adopted"
    return content


def provenance_sample() -> dict[str, Any]:
    """A provenance content after BEL-DEMO-2: NdPr oxide from three lots of unlike origin."""
    return deepcopy(_HEADER) | {
        "kind": "provenance",
        "certificate_id": "PROV-OX-NdPr-501-A-0001",
        "state": "final",
        "provisional_because": [],
        "batch": {
            "batch_id": "OX-NdPr-501-A",
            "product": "NdPr oxide",
            "mass_kg": "250.00",
            "made_on": "2023-10-04",
            "assay": {
                "assay_id": "OX-NdPr-501-ICP",
                "method": "ICP-OES",
                "components": [
                    {"species": "Nd2O3", "wt_percent": "82.45", "uncertainty_percent": "0.8"},
                    {"species": "Pr6O11", "wt_percent": "17.25", "uncertainty_percent": "1.5"},
                ],
                "treo_percent": "99.7",
                "loi_percent": "0.3",
            },
        },
        "lots": [
            _lot(6, "IN-101", "hard-disk magnets, whole", "magnets", "post-consumer",
                 "622.3274", "GB", "2023-09-04", "43.0"),
            _lot(8, "IN-102", "EV traction rotor magnets", "magnets", "post-consumer",
                 "409.18", "DE", "2023-09-05", "31.9"),
            _lot(13, "IN-103", "grinding swarf, wet", "swarf", "pre-consumer", "360.0000", "GB", "2023-09-06", "25.1"),
            _lot(15, "R-1", "regenerated acid from the previous campaign's separation", "acid", "internal", "760", None,
                 "2023-09-11", "0.0"),
        ],
        "recycled": [
            _recycled("Nd", "75.5", "24.5"),
            _recycled("Pr", "69.9", "30.1"),
        ],
        "origin": [
            _origin("Nd", "mined", [("CN", "44.9"), ("AU", "24.5")], "30.6"),
            _origin("Nd", "refined", [("CN", "44.9"), ("MY", "24.5")], "30.6"),
            _origin("Nd", "separated", [], "100.0"),
            _origin("Nd", "melted", [("CN", "62.0"), ("GB", "24.5"), ("JP", "13.5")], "0.0"),
            _origin("Nd", "produced", [], "100.0"),
            _origin("Pr", "mined", [("AU", "30.1"), ("CN", "32.5")], "37.4"),
            _origin("Pr", "refined", [("MY", "30.1"), ("CN", "32.5")], "37.4"),
            _origin("Pr", "separated", [], "100.0"),
            _origin("Pr", "melted", [("CN", "60.2"), ("GB", "30.1"), ("JP", "9.7")], "0.0"),
            _origin("Pr", "produced", [], "100.0"),
        ],
        "steps": _steps(),
        "balance": [
            _balance("Nd", "315.447", "301.275", "6.298", "7.874", "2.50", "3.1", "unaccounted beyond uncertainty"),
            _balance("Pr", "63.712", "60.854", "1.374", "1.484", "2.33", "1.3", "unaccounted beyond uncertainty"),
            _balance("Dy", "31.084", "29.768", "0.573", "0.743", "2.39", "0.9", "closed"),
            _balance("Tb", "2.357", "2.270", "0", "0.087", "3.69", "0.14", "closed"),
            _balance("Fe", "852.151", "0", "0", "852.151", "100.00", "5.2", "unaccounted beyond uncertainty"),
            _balance("Co", "22.559", "0", "0", "22.559", "100.00", "0.4", "unaccounted beyond uncertainty"),
            _balance("B", "12.933", "0", "0", "12.933", "100.00", "0.4", "unaccounted beyond uncertainty"),
        ],
        "settlements": [
            {
                "batch_id": "IN-102",
                "species": "Dy",
                "supplier": "4.4",
                "plant": "4.0",
                "umpire": "4.1",
                "settled": "4.1",
            },
        ],
        "custody": {
            "model": "none claimed",
            "words": "Lots were blended in known proportions (controlled blending in the words of ISO 22095); no "
            "model is claimed and no credit is transferred.",
        },
        "not_claimed": [
            "No statement of conformity with DFARS 225.7018, the Critical Raw Materials Act or any other rule is made.",
            "Country of dispatch is not country of origin.",
            "Origin rests on the declarations named in the lots' entries; where there is none it is unknown.",
            "No chain-of-custody model is claimed.",
        ],
        "constants": {"atomic_masses": MASSES["values"], "source": MASSES["source"]},
    }  # fmt: skip


def _lot(
    seq: int,
    batch_id: str,
    description: str,
    form: str,
    consumer_class: str,
    mass: str,
    country: str | None,
    on: str,
    share: str,
) -> dict[str, Any]:
    lot: dict[str, Any] = {
        "seq": seq,
        "batch_id": batch_id,
        "description": description,
        "form": form,
        "consumer_class": consumer_class,
        "dry_mass_kg": mass,
        "received_on": on,
        "share_percent": share,
    }
    if country:
        lot["country_of_dispatch"] = country
    return lot


def _recycled(element: str, post: str, pre: str) -> dict[str, str]:
    return {
        "element": element,
        "post_consumer_percent": post,
        "pre_consumer_percent": pre,
        "primary_percent": "0.0",
        "internal_percent": "0.0",
    }


def _origin(element: str, stage: str, shares: list[tuple[str, str]], unknown: str) -> dict[str, Any]:
    return {
        "element": element,
        "stage": stage,
        "shares": [{"country": country, "percent": percent} for country, percent in shares],
        "unknown_percent": unknown,
    }


def _balance(
    element: str, into: str, product: str, residue: str, gone: str, percent: str, uncertainty: str, verdict: str
) -> dict[str, str]:
    return {
        "element": element,
        "in_kg": into,
        "product_kg": product,
        "residue_kg": residue,
        "unaccounted_kg": gone,
        "unaccounted_percent": percent,
        "uncertainty_kg": uncertainty,
        "verdict": verdict,
    }


def _steps() -> list[dict[str, Any]]:
    def step(
        seq: int,
        step_id: str,
        kind: str,
        process: str,
        on: str,
        inputs: list[Any],
        outputs: list[Any],
        residues: list[Any],
    ) -> dict[str, Any]:
        return {
            "seq": seq,
            "step_id": step_id,
            "kind": kind,
            "process": process,
            "on": on,
            "inputs": [_stream(*item) for item in inputs],
            "outputs": [_stream(item[0], *item[2:]) | {"product": item[1]} for item in outputs],
            "residues": [{"description": description, "mass_kg": mass} for description, mass in residues],
        }

    return [
        step(16, "S1", "step", "demagnetise and de-coat", "2023-09-12", [("IN-101", "622.3274", "kg")],
             [("B-201", "de-coated hard-disk magnets", "611.90", "kg")], [("nickel coating and glue", "8.60")]),
        step(17, "S2", "step", "demagnetise and de-coat", "2023-09-13", [("IN-102", "409.18", "kg")],
             [("B-202", "de-coated rotor magnets", "401.20", "kg")], [("epoxy coating", "6.90")]),
        step(18, "S3", "step", "dry and roast swarf", "2023-09-13", [("IN-103", "360.0000", "kg")],
             [("B-203", "roasted swarf", "352.40", "kg")], [("oil vapour, water and carbon burnt off", "147.60")]),
        step(19, "S4", "blend", "blend and mill", "2023-09-14",
             [("B-201", "611.90", "kg"), ("B-202", "401.20", "kg"), ("B-203", "352.40", "kg")],
             [("F-301", "milled feed", "1361.80", "kg")], []),
        step(20, "S5", "step", "selective leach", "2023-09-18", [("F-301", "1361.80", "kg"), ("R-1", "760", "kg")],
             [("L-401", "leach liquor", "9800", "L")], [("iron oxide filter cake (waste)", "1145.0")]),
        step(21, "S6", "step", "separation", "2023-09-25", [("L-401", "9800", "L")],
             [("Q-NdPr", "NdPr strip liquor"), ("Q-Dy", "Dy strip liquor"), ("Q-Tb", "Tb strip liquor"),
              ("R-2", "regenerated acid, kept for the next leach", "760", "kg")], []),
        step(22, "S7", "step", "oxalate precipitation and calcination, NdPr line", "2023-09-29", [("Q-NdPr",)],
             [("OX-NdPr-501", "NdPr oxide", "426.20", "kg")], []),
        step(28, "S10", "split", "split", "2023-10-04", [("OX-NdPr-501",)],
             [("OX-NdPr-501-A", "NdPr oxide", "250.00", "kg"), ("OX-NdPr-501-B", "NdPr oxide", "176.20", "kg")], []),
    ]  # fmt: skip


def _stream(batch_id: str, amount: str | None = None, unit: str | None = None) -> dict[str, str]:
    stream = {"batch_id": batch_id}
    if amount and unit:
        stream |= {"amount": amount, "unit": unit}
    return stream
