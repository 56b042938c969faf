"""Contents of certificates, made by hand after the two demonstration campaigns, for the tests of the pages.

They have the shape of real contents; their derived numbers are for show and no test of arithmetic rests on them.
`crowded` stretches a content to what a page must bear.
"""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

MASSES = {
    "values": {"dy": "162.500", "nd": "144.242", "o": "15.999", "pr": "140.90766", "tb": "158.92535"},
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
            "placeholder/extractant-diluent is a placeholder factor, not the supplier's",
            "placeholder/hydrochloric-acid-32 is a placeholder factor, not the supplier's",
            "placeholder/oxalic-acid-dihydrate is a placeholder factor, not the supplier's",
            "placeholder/sodium-hydroxide-50 is a placeholder factor, not the supplier's",
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
                "mean_kg_co2e_per_kg": "13.9165",
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
            "standard": "Calculated after ISO 14067:2018 and the GHG Protocol Product Standard; conformity has not "
            "been verified by a third party.",
            "boundary": "Partial footprint, cradle to gate: from the scrap as delivered to the product at the plant's "
            "gate. Use, end of life and transport to the buyer are not included.",
            "boundary_stages": ["receipt", "leach, separate, precipitate and calcine", "blend"],
            "period": {"from": "2023-06-05", "to": "2023-06-27"},
            "gwp_set": "AR5",
            "gwp_horizon": "100 years",
            "electricity": "Location-based, contractual instruments are not counted. Factors: uk-2023/electricity-"
            "generation, uk-2023/electricity-generation-wtt, uk-2023/electricity-td, uk-2023/electricity-td-wtt.",
            "recycling": "Cut-off: scrap arrives without burden, and the product takes no credit for being recycled. "
            "What is scrap is as declared at receipt.",
            "allocation_why": "By mass of product: a physical relation that no price moves. The products leave common "
            "steps that could not be metered apart. Results by price and by element stand beside it.",
            "cut_offs": "Not counted: capital goods, packaging, staff, laboratory, and any flow that is not in the "
            "log; the treatment of residues, unless it was logged as an activity; what lies upstream of a fuel or "
            "vehicle, unless a factor of the list covers it (none does for: Road freight). Their share was not "
            "estimated.",
            "biogenic": "Biogenic emissions and removals: not assessed separately.",
            "land_use": "Land-use change: not assessed.",
            "aircraft": 'No activity whose name begins with "air-" counts. A flight logged under another name would '
            "not show here.",
            "measured_amounts_percent": "98.9",
            "data_quality": "98.9 % of the result rests on amounts that the log calls measured in the plant or stated "
            "by a supplier; the rest on estimates, on amounts whose source the log does not state, and on direct "
            "emissions. That is the plant's word: nobody read the meters again. All emission factors are secondary "
            "data. No quality rating was given.",
            "uncertainty": "Lognormal emission factors, stated figure as median, one factor one random number, "
            "quantiles by moments. Factors that state an uncertainty carry 73.6 % of the result; the rest, and "
            "amounts, count as certain. The result adds up the factors as stated, their medians: it lies below the "
            "mean.",
            "limits": [
                "One indicator, climate change; it says nothing of other effects on the environment.",
                "Not to be compared with a figure of another product, stage, boundary, GWP set or allocation.",
                "No activity data logged for: BEL1-S2 (blend).",
            ],
            "verification": "none: signed by the plant, not verified by a third party",
        },
        "not_claimed": [
            "That the footprint is lower than that of any other product: nothing is compared.",
            "That a third party has verified it: it is signed by the plant alone.",
            "Conformity with ISO 14067 or any other standard: the calculation follows it, nobody has certified that.",
            "Any offset, credit or contractual instrument: none is counted.",
            "Anything about use, end of life, or transport to the buyer.",
            "That the log holds everything that happened: it shows what was logged, and that it was not changed since.",
            "That the whole batch is in one hand: its mass is that as made, whatever was drawn or shipped since.",
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
                "batch_id": "OX-NdPr-501",
                "reports": [
                    {
                        "assay_id": "OX-NdPr-501-ICP",
                        "party": "plant",
                        "method": "ICP-OES",
                        "reported_on": "2023-10-02",
                    },
                ],
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
        "recycled_rare_earths": {key: text for key, text in _recycled("", "74.9", "25.1").items() if key != "element"},
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
            "words": "No chain-of-custody model is claimed. The lots named were mixed physically where the steps show "
            "it; shares follow the mass of each element through every step, as assayed.",
        },
        "not_claimed": [
            "Compliance with any law or sourcing rule: origins are stated per stage, the judgement is the reader's.",
            "That the suppliers' declarations of origin are true: they are theirs, with the evidence that they named.",
            "A chain-of-custody model of ISO 22095: none was certified.",
            "Anything about carbon, labour or other effects: see the CO2 certificate for the footprint.",
            "That a third party has verified it: it is signed by the plant alone.",
            "That the log holds everything that happened: it shows what was logged, and that it was not changed since.",
            "That the whole batch is in one hand: its mass is that as made, whatever was drawn or shipped since.",
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
    def stream(
        batch_id: str, rare_earths_kg: str, amount: str | None = None, unit: str | None = None
    ) -> dict[str, str]:
        measured = {} if amount is None or unit is None else {"amount": amount, "unit": unit}
        return {"batch_id": batch_id, **measured, "rare_earths_kg": rare_earths_kg}

    def output(batch_id: str, product: str, *rest: str) -> dict[str, str]:
        return stream(batch_id, *rest) | {"product": product}

    def residue(description: str, mass_kg: str, rare_earths_kg: str = "0.0000") -> dict[str, str]:
        return {"description": description, "mass_kg": mass_kg, "rare_earths_kg": rare_earths_kg}

    def step(
        seq: int,
        step_id: str,
        kind: str,
        process: str,
        on: str,
        inputs: list[dict[str, str]],
        outputs: list[dict[str, str]],
        residues: list[dict[str, str]],
    ) -> dict[str, Any]:
        named = {"seq": seq, "step_id": step_id, "kind": kind, "process": process, "on": on}
        return named | {"inputs": inputs, "outputs": outputs, "residues": residues}

    # Rare earths of the lots: 622.3274 kg x 27.3 %, 409.18 kg x 33.8 % (Dy settled at 4.1), 360 kg x 29.0 %.
    return [
        step(16, "S1", "step", "demagnetise and de-coat", "2023-09-12", [stream("IN-101", "169.8954")],
             [output("B-201", "de-coated hard-disk magnets", "169.8954", "611.90", "kg")],
             [residue("nickel coating and glue", "8.60")]),
        step(17, "S2", "step", "demagnetise and de-coat", "2023-09-13", [stream("IN-102", "138.3028")],
             [output("B-202", "de-coated rotor magnets", "138.3028", "401.20", "kg")],
             [residue("epoxy coating", "6.90")]),
        step(18, "S3", "step", "dry and roast swarf", "2023-09-13", [stream("IN-103", "104.4000")],
             [output("B-203", "roasted swarf", "104.4000", "352.40", "kg")],
             [residue("oil vapour, water and carbon burnt off", "147.60")]),
        step(19, "S4", "blend", "blend and mill", "2023-09-14",
             [stream("B-201", "169.8954", "611.90", "kg"), stream("B-202", "138.3028", "401.20", "kg"),
              stream("B-203", "104.4000", "352.40", "kg")],
             [output("F-301", "milled feed", "412.5982", "1361.80", "kg")], []),
        step(20, "S5", "step", "selective leach", "2023-09-18",
             [stream("F-301", "412.5982", "1361.80", "kg"), stream("R-1", "0.0000", "760", "kg")],
             [output("L-401", "leach liquor", "404.3542", "9800", "L")],
             [residue("iron oxide filter cake (waste)", "1145.0", "8.2440")]),
        step(21, "S6", "step", "separation", "2023-09-25", [stream("L-401", "404.3542", "9800", "L")],
             [output("Q-NdPr", "NdPr strip liquor", "371.4872"), output("Q-Dy", "Dy strip liquor", "30.5114"),
              output("Q-Tb", "Tb strip liquor", "2.3556"),
              output("R-2", "regenerated acid, kept for the next leach", "0.0000", "760", "kg")], []),
        step(22, "S7", "step", "oxalate precipitation and calcination, NdPr line", "2023-09-29",
             [stream("Q-NdPr", "371.4872")], [output("OX-NdPr-501", "NdPr oxide", "362.1300", "426.20", "kg")], []),
        step(28, "S10", "split", "split", "2023-10-04", [stream("OX-NdPr-501", "362.1300")],
             [output("OX-NdPr-501-A", "NdPr oxide", "212.4179", "250.00", "kg"),
              output("OX-NdPr-501-B", "NdPr oxide", "149.7121", "176.20", "kg")], []),
    ]  # fmt: skip


LONG_NAME = (
    "neodymium-praseodymium didymium oxide, calcined twice, milled, sieved below 45 micrometres, for sintered magnets"
)
LONG_ID = "BEL-2026-11-24-OX-NdPr-501-A-PART-7-OF-12-RELABELLED-AFTER-AUDIT"
UNBROKEN = "W" * 300
"""The longest text that an entry can hold, without a place to break it."""


def crowded_co2_sample() -> dict[str, Any]:
    """A CO2 content with what a page must bear: long names, 40 activities, long numbers, many reasons and limits."""
    content = co2_sample()
    content["certificate_id"] = "f" * 64
    content["supersedes"] = "e" * 64
    content["supersede_reason"] = UNBROKEN
    content["issuer"] = {"name": UNBROKEN, "site": LONG_NAME, "country": "GB"}
    content["batch"] |= {"batch_id": LONG_ID, "product": UNBROKEN, "mass_kg": "123456789012.123456789012"}
    content["declared_unit"] = f"1 kg {UNBROKEN}"
    content["provisional_because"] = [f"{UNBROKEN[:200]} {number}" for number in range(40)]
    content["result"] |= {
        "kg_co2e_per_kg": "123456789012.3456",
        "total_kg_co2e": "123456789012345678.123456",
        "system_kg_co2e": "123456789012345678.1234",
    }
    content["lines"] = [
        content["lines"][number % len(content["lines"])]
        | {
            "seq": 9007199254740991 - number,
            "source_id": LONG_ID,
            "process": UNBROKEN,
            "activity": f"{'w' * 58}-{number}",
            "amount": "123456789012.123456789012",
            "unit": "t.kmt.kmt.km",
            "factor_id": "w" * 64,
            "kg_co2e_per_unit": "123456789012.123456789012",
            "kg_co2e": "123456789012345678901234.123456789012",
        }
        for number in range(40)
    ]
    content["hot_spots"] = [
        content["hot_spots"][0] | {"activity": f"{'w' * 58}-{number}", "label": f"{'W' * 58} {number}"}
        for number in range(40)
    ]
    content["factors"] = [
        content["factors"][0]
        | {"factor_id": f"{'w' * 60}{number}", "source": f"{UNBROKEN} {number}", "licence": LONG_NAME}
        for number in range(40)
    ]
    content["method"] |= {
        "boundary": f"Partial footprint, cradle to gate: {LONG_NAME * 5}",
        "boundary_stages": [UNBROKEN] * 40,
        "cut_offs": LONG_NAME * 20,
        "limits": [LONG_NAME * 20] * 3,
    }
    content["results_by_allocation"]["economic"] = {"not_available": UNBROKEN}
    return content


def empty_co2_sample() -> dict[str, Any]:
    """A CO2 content of a batch that cost nothing: zeros, no lines, no hot spots, no period."""
    content = co2_sample()
    content |= {"state": "final", "provisional_because": [], "lines": [], "factors": [], "hot_spots": []}
    zero = {"kg_co2e_per_kg": "0.0000", "total_kg_co2e": "0.000000"}
    interval = {f"{name}_kg_co2e_per_kg": "0.0000" for name in ("low", "high", "mean")}
    interval |= {"covered_percent": "0.0", "method": ""}
    content["result"] = zero | {"system_kg_co2e": "0.0000", "interval_95": interval}
    content["results_by_allocation"] = dict.fromkeys(("mass", "economic", "element"), zero)
    content["method"] |= {"period": {}, "boundary_stages": [], "limits": [], "measured_amounts_percent": "0.0"}
    content["not_claimed"] = []
    return content


def crowded_provenance_sample() -> dict[str, Any]:
    """A provenance content with 12 lots, of which two are tiny, long names, and a step that draws on all of them."""
    content = provenance_sample()
    content["state"] = "provisional"
    content["provisional_because"] = [LONG_NAME]
    content["batch"] |= {"batch_id": LONG_ID, "product": LONG_NAME}
    amounts = ["0.0100", "900.0000", "0.2000", *(f"{40 + 7 * number}.0000" for number in range(9))]
    total = sum(Decimal(amount) for amount in amounts)
    content["lots"] = [
        content["lots"][number % 3]
        | {
            "batch_id": f"LOT-{number}-{'N' * 50}",
            "description": UNBROKEN,
            "share_percent": "8.3" if number else "8.7",
            "country_of_dispatch": "GB",
        }
        for number in range(12)
    ]
    countries = [{"country": f"{first}{second}", "percent": "2.0"} for first in "ABCDE" for second in "KLMNOPQRST"]
    content["origin"] = [
        {"element": element, "stage": stage, "shares": countries[:45], "unknown_percent": "10.0"}
        for element in ("Nd", "Pr", "Dy")
        for stage in ("mined", "refined", "separated", "melted", "produced")
    ]
    steps = [
        {
            "seq": 100 + number,
            "step_id": f"S{number}",
            "kind": "step",
            "process": f"{LONG_NAME} {number}",
            "on": "2026-01-01",
            "inputs": [{"batch_id": lot["batch_id"], "rare_earths_kg": amount}],
            "outputs": [{"batch_id": f"B-{number}", "product": UNBROKEN, "rare_earths_kg": amount}],
            "residues": [],
        }
        for number, (lot, amount) in enumerate(zip(content["lots"], amounts, strict=True))
    ]
    draws = [{"batch_id": f"B-{number}", "rare_earths_kg": amount} for number, amount in enumerate(amounts)]
    steps.append(
        {
            "seq": 200,
            "step_id": "S-LAST",
            "kind": "blend",
            "process": UNBROKEN,
            "on": "2026-01-02",
            "inputs": draws,
            "outputs": [
                {"batch_id": LONG_ID, "product": UNBROKEN, "rare_earths_kg": "500.0000"},
                {"batch_id": "SISTER", "product": UNBROKEN, "rare_earths_kg": str(total - 510)},
            ],
            "residues": [{"description": UNBROKEN, "mass_kg": "1", "rare_earths_kg": "1.0000"}] * 5,
        }
    )
    content["steps"] = steps
    content["settlements"] = [content["settlements"][0] | {"batch_id": LONG_ID}] * 12
    return content


SAMPLES = {
    "co2": co2_sample,
    "final co2": final_co2_sample,
    "provenance": provenance_sample,
    "crowded co2": crowded_co2_sample,
    "empty co2": empty_co2_sample,
    "crowded provenance": crowded_provenance_sample,
}
