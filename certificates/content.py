"""The content of a certificate: one JSON value, from which the page is drawn and which a program reads.

A pure function of the plant, the factor book and a header of what no entry can give. Numbers are text, rounded once,
and parts add up to what is printed. What is not known is said to be so; nothing is left out because it is inconvenient.
See docs/certificate-format.md for the fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt, StringConstraints

from ledger.carbon.allocation import Allocation
from ledger.carbon.factors import FactorBook
from ledger.carbon.footprint import footprint_of
from ledger.carbon.gate import check_whole
from ledger.carbon.statement import statement_value
from ledger.errors import InputError, RuleError, UnknownIdError, problem
from ledger.log.canonical import canonical_bytes
from ledger.material.balance import BalanceRow, balance_of, check_balance, check_margin, contents_of, lineage_balance
from ledger.material.chemistry import (
    ELEMENTS,
    EXCHANGED_WITH_SURROUNDINGS,
    MASSES_SOURCE,
    RARE_EARTHS,
    parse_formula,
    usual_oxide,
)
from ledger.material.composition import assays_that_count, is_disputed, settled_components, settlement_holds
from ledger.material.contents import residues_of
from ledger.material.entries import (
    STAGES,
    Assay,
    Blend,
    Draw,
    Output,
    Pack,
    Residue,
    Settlement,
    Split,
    Step,
    Transformation,
)
from ledger.material.fields import Body, Id, Part, Text, parse_body
from ledger.material.genealogy import (
    ancestor_transformations,
    ancestors,
    descendant_transformations,
    evidence_seqs,
    lots_of,
)
from ledger.material.origin import lot_shares, recycled_shares, stage_shares
from ledger.material.plant import Batch, Plant
from ledger.quantity import AboveZero, apportion, format_decimal, round_decimal, round_fraction

Kind = Literal["co2", "provenance"]

PERCENT_PLACES = 1
KG_PLACES = 4
_HUNDRED = Decimal("100.0")

_SAME_COMPOSITION = ("split", "pack", "blend")
"""Transformations that only handle: what comes out is known where what goes in is."""

_NOT_VERIFIED = "none: signed by the plant, not verified by a third party"

_NOT_CLAIMED = {
    "co2": (
        "That the footprint is lower than that of any other product: nothing is compared.",
        "That a third party has verified it: it is signed by the plant alone.",
        "Conformity with ISO 14067 or any other standard: the calculation follows it, nobody has certified that.",
        "Any offset, credit or contractual instrument: none is counted.",
        "Anything about use, end of life, or transport to the buyer.",
        "That the log holds everything that happened: it shows what was logged, and that it was not changed since.",
        "That the whole batch is in one hand: its mass is that as made, whatever was drawn or shipped since.",
    ),
    "provenance": (
        "Compliance with any law or sourcing rule: origins are stated per stage, the judgement is the reader's.",
        "That the suppliers' declarations of origin are true: they are theirs, with the evidence that they named.",
        "A chain-of-custody model of ISO 22095: none was certified.",
        "Anything about carbon, labour or other effects: see the CO2 certificate for the footprint.",
        "That a third party has verified it: it is signed by the plant alone.",
        "That the log holds everything that happened: it shows what was logged, and that it was not changed since.",
        "That the whole batch is in one hand: its mass is that as made, whatever was drawn or shipped since.",
    ),
}

_CUSTODY = (
    "No chain-of-custody model is claimed. The lots named were mixed physically where the steps show it; shares "
    "follow the mass of each element through every step, as assayed. A lot of acid "
    "without an assay counts as holding none."
)


@dataclass(frozen=True)
class Header:
    """What no entry can give.

    certificate_id. issued_at: RFC 3339 UTC to the second. origin, tree_size: the log, and how many of its entries the
    content was computed from. renderer, drawn_with: the drawing of its page and the libraries that do it (see
    `certificates.renderer`); a later version must compute this content again as it was. supersedes,
    supersede_reason: the certificate that this one replaces, and why; or neither.
    """

    certificate_id: str
    issued_at: str
    origin: str
    tree_size: int
    renderer: str
    drawn_with: str
    supersedes: str | None = None
    supersede_reason: str | None = None

    def issued_moment(self) -> datetime:
        """issued_at as a time."""
        return datetime.fromisoformat(self.issued_at)


def make_content(
    kind: Kind,
    plant: Plant,
    book: FactorBook,
    batch_id: str,
    header: Header,
    masses: Mapping[str, Decimal],
    allocation: Allocation = "mass",
) -> dict[str, Any]:
    """The content of a certificate of `kind` for the batch.

    allocation: the one certified; for a CO2 certificate alone.
    Raises: UnknownIdError, RuleError (MissingFactorError, MassBalanceError) if the batch cannot be certified: see
    check_certifiable, and ledger.carbon.gate for a footprint.
    """
    check_certifiable(plant, batch_id, masses)
    batch = plant.batches[batch_id]
    base = _header_value(kind, plant, batch_id, header)
    ending = {
        "not_claimed": list(_NOT_CLAIMED[kind]),
        "constants": _constants(plant, batch_id, masses),
        "renderer": header.renderer,
        "drawn_with": header.drawn_with,
    }
    if kind == "co2":
        return {**base, **_co2_value(plant, book, batch, allocation, masses), **ending}
    return {**base, **_provenance_value(plant, batch, masses), **ending}


def content_sha256(content: Mapping[str, Any]) -> str:
    """Hex SHA-256 of the content's canonical form: what the issuance entry states."""
    return hashlib.sha256(canonical_bytes(dict(content))).hexdigest()


def check_certifiable(plant: Plant, batch_id: str, masses: Mapping[str, Decimal]) -> None:
    """Refuses a batch that cannot be certified.

    Raises: UnknownIdError if there is none such; RuleError if it is no product, was not weighed, its composition is not
    assayed, a composition it rests on is disputed, or it comes from no lot or from one without an assay;
    MassBalanceError if its lineage gives out more of an element than went in, beyond uncertainty or by more than 3 %,
    or all that was made of its lots does beyond uncertainty.
    """
    batch = plant.batches.get(batch_id)
    if batch is None:
        raise UnknownIdError(problem("/batch_id", batch_id, "the id of a batch in the ledger", "Check the id."))
    if batch_id in plant.receipts or batch.role != "product":
        raise RuleError(
            problem(
                "/batch_id",
                batch_id,
                "a product that was made here",
                "Name the batch that is sold, not a lot or a recycle.",
            )
        )
    if batch.mass_kg is None:
        raise RuleError(
            problem("/batch_id", batch_id, "a batch that was weighed", "Weigh it, or name one further down.")
        )
    for source in _assayed_batches(plant, batch_id):
        if settled_components(plant, source) is None:
            raise RuleError(problem("/batch_id", source, "a product with an assay", f"Log an assay of {source}."))
    lineage = [batch_id, *(link.batch_id for link in ancestors(plant, batch_id))]
    for source in lineage:
        if is_disputed(plant, source):
            raise RuleError(
                problem("/batch_id", source, "assays that agree or are settled", f"Log the settlement for {source}.")
            )
    lots = lots_of(plant, batch_id)
    if not lots:
        raise RuleError(
            problem("/batch_id", batch_id, "a batch that comes from a lot", "Log the receipt it comes from.")
        )
    for lot in lots:
        # A reagent without an assay counts as holding none, and the certificate says so. A feed without one is a guess.
        if settled_components(plant, lot) is None and plant.receipts[lot][1].form != "acid":
            raise RuleError(problem("/batch_id", lot, "lots whose content is assayed", f"Log an assay of {lot}."))
    balance = lineage_balance(plant, batch_id, masses)
    check_balance(balance, f"the lineage of {batch_id}", "/batch_id")
    check_margin(balance, f"the lineage of {batch_id}", "/batch_id")
    # What each draw may exceed within uncertainty may not add up over all that was made of the same lots.
    made = balance_of(plant, descendant_transformations(plant, lots), masses)
    check_balance(made, f"all that was made of the lots of {batch_id}", "/batch_id")


def _assayed_batches(plant: Plant, batch_id: str) -> list[str]:
    """The batches whose assays give this one's composition: itself, or what it was split, packed or blended from."""
    made_by = plant.maker(batch_id)
    if plant.assays_of(batch_id) or made_by is None or made_by.kind not in _SAME_COMPOSITION:
        return [batch_id]
    return [source for draw in made_by.inputs for source in _assayed_batches(plant, draw.batch_id)]


# What both kinds state


def _header_value(kind: Kind, plant: Plant, batch_id: str, header: Header) -> dict[str, Any]:
    batch = plant.batches[batch_id]
    assay = _assay_value(plant, batch_id)
    return {
        "v": 1,
        "kind": kind,
        "certificate_id": header.certificate_id,
        "state": "final",
        "provisional_because": [],
        "issued_at": header.issued_at,
        "issuer": _issuer(plant, batch_id),
        **({} if header.supersedes is None else {"supersedes": header.supersedes}),
        **({} if header.supersede_reason is None else {"supersede_reason": header.supersede_reason}),
        "log": {"origin": header.origin, "tree_size": header.tree_size},
        "batch": {
            "batch_id": batch_id,
            "product": batch.product,
            "mass_kg": format_decimal(batch.mass_kg or Decimal(0)),
            "made_on": batch.made_on.isoformat(),
            **({} if assay is None else {"assay": assay}),
        },
    }


def _issuer(plant: Plant, batch_id: str) -> dict[str, str]:
    """Operator, site and country of the plant that took in the batch's first lot."""
    first = min(lots_of(plant, batch_id), key=lambda lot: plant.receipts[lot][0])
    site = plant.sites[plant.receipts[first][1].site_id][1]
    operator = plant.parties[site.operator_id][1]
    return {"name": operator.name or operator.party_id, "site": site.name, "country": site.country}


def _assay_value(plant: Plant, batch_id: str) -> dict[str, Any] | None:
    """The settled composition of the batch, or of the one that it is a part of; None for a blend of several.

    With every assay that it is put together from, and who had it made; a later one replaces what it says of a metal.
    """
    sources = _assayed_batches(plant, batch_id)
    if len(sources) != 1:
        return None
    components = settled_components(plant, sources[0])
    if components is None:
        return None
    assays = assays_that_count(plant, sources[0])
    settlements = [one for one in plant.settlements_of(sources[0]) if settlement_holds(plant, one)]
    treo = [assay.treo_percent for assay in assays if assay.treo_percent is not None]
    loi = [assay.loi_percent for assay in assays if assay.loi_percent is not None]
    return {
        "batch_id": sources[0],
        "reports": [
            {
                "assay_id": assay.assay_id,
                "party": assay.party,
                "method": assay.method,
                "reported_on": assay.reported_on.isoformat(),
            }
            for assay in assays
        ],
        **({"settlements": [one.settlement_id for one in settlements]} if settlements else {}),
        "components": [part.model_dump(mode="json", exclude_none=True) for part in components],
        **({"treo_percent": format_decimal(treo[-1])} if treo else {}),
        **({"loi_percent": format_decimal(loi[-1])} if loi else {}),
    }


def _constants(plant: Plant, batch_id: str, masses: Mapping[str, Decimal]) -> dict[str, Any]:
    """The atomic masses that the entries behind the batch call for, by symbol in lower case (as keys must be)."""
    elements = {"O"}
    for seq in evidence_seqs(plant, batch_id):
        elements.update(_elements_of(plant.bodies[seq][1]))
    return {
        "atomic_masses": {element.lower(): format_decimal(masses[element]) for element in sorted(elements)},
        "source": MASSES_SOURCE,
    }


def _elements_of(body: Body) -> set[str]:
    if isinstance(body, Assay):
        species = {part.species for part in body.components}
    elif isinstance(body, Settlement):
        species = {body.species}
    elif isinstance(body, Step | Split | Blend | Pack):
        transformation = body.transformation()
        species = {part.species for residue in transformation.residues for part in residue.components}
        carried = {element for output in transformation.outputs for element in output.carries}
        species |= {usual_oxide(element) if element in RARE_EARTHS else element for element in carried}
    else:
        species = set()
    return {element for one in species for element in parse_formula(one)}


# What a CO2 certificate states


def _co2_value(
    plant: Plant, book: FactorBook, batch: Batch, allocation: Allocation, masses: Mapping[str, Decimal]
) -> dict[str, Any]:
    statement = statement_value(plant, book, batch.batch_id, allocation, masses)
    check_whole(footprint_of(plant, book, batch.batch_id, allocation, masses))
    because = [f"{factor_id} is a placeholder factor, not the supplier's" for factor_id in statement["placeholders"]]
    return {
        "state": "provisional" if because else "final",
        "provisional_because": because,
        "declared_unit": statement["declared_unit"],
        "allocation": allocation,
        "result": {
            name: statement[name] for name in ("kg_co2e_per_kg", "total_kg_co2e", "system_kg_co2e", "interval_95")
        },
        "results_by_allocation": statement["results_by_allocation"],
        "hot_spots": statement["hot_spots"],
        "lines": statement["lines"],
        "factors": _factor_records(book, statement["lines"]),
        "method": {**statement["method"], "verification": _NOT_VERIFIED},
    }


def _factor_records(book: FactorBook, lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The records of the factors that the lines use, each once, by id."""
    hashes = {
        ref.sha256
        for line in lines
        for ref in book.adopted.get((line["activity"], line["unit"]), ())
        if ref.factor_id == line.get("factor_id")
    }
    return sorted((book.records[each].to_value() for each in hashes), key=lambda record: str(record["factor_id"]))


# What a provenance certificate states


def _provenance_value(plant: Plant, batch: Batch, masses: Mapping[str, Decimal]) -> dict[str, Any]:
    return {
        "lots": _lots(plant, batch, masses),
        "recycled": _recycled(plant, batch, masses),
        "recycled_rare_earths": _recycled_rare_earths(plant, batch, masses),
        "origin": _origin(plant, batch, masses),
        "steps": _steps(plant, batch, masses),
        "balance": [_balance_row(row) for row in lineage_balance(plant, batch.batch_id, masses)],
        "settlements": _settlements(plant, batch),
        "custody": {"model": "none claimed", "words": _custody(plant, batch)},
    }


def _custody(plant: Plant, batch: Batch) -> str:
    """How shares follow the material, with the streams of the plant's own that went into it."""
    returned = [
        link.batch_id for link in ancestors(plant, batch.batch_id) if plant.batches[link.batch_id].role == "recycle"
    ]
    if not returned:
        return _CUSTODY
    return f"{_CUSTODY} Streams of the plant that returned went in as holding no rare earths: {', '.join(returned)}."


def _lots(plant: Plant, batch: Batch, masses: Mapping[str, Decimal]) -> list[dict[str, Any]]:
    """The lots, each with its share of the batch's rare-earth mass; the shares add up to 100.0."""
    by_lot = _rare_earths_by_lot(plant, batch, masses)
    total = sum(by_lot.values(), Fraction(0))
    percents = apportion(_HUNDRED, [100 * mass / total for mass in by_lot.values()])
    return [_lot(plant, lot, percent) for lot, percent in zip(by_lot, percents, strict=True)]


def _rare_earths_by_lot(plant: Plant, batch: Batch, masses: Mapping[str, Decimal]) -> dict[str, Fraction]:
    """kg of the batch's rare earths that came from each lot, exact; their sum is above zero."""
    held = contents_of(plant, masses, [batch.batch_id])[batch.batch_id]
    by_lot = dict.fromkeys(lots_of(plant, batch.batch_id), Fraction(0))
    for element, shares in lot_shares(plant, batch.batch_id, masses).items():
        if element in RARE_EARTHS and element in held:
            for lot, share in shares.items():
                by_lot[lot] += share * Fraction(held[element].mass_kg)
    if not any(by_lot.values()):
        raise RuleError(
            problem("/batch_id", batch.batch_id, "a batch that holds rare earths", "Log assays of its lots.")
        )
    return by_lot


def _lot(plant: Plant, lot: str, percent: Decimal) -> dict[str, Any]:
    seq, receipt = plant.receipts[lot]
    dispatch = receipt.country_of_dispatch
    return {
        "seq": seq,
        "batch_id": lot,
        "description": receipt.description,
        "form": receipt.form,
        "consumer_class": receipt.consumer_class,
        "dry_mass_kg": format_decimal(receipt.dry_mass()),
        **({} if dispatch is None else {"country_of_dispatch": dispatch}),
        "received_on": receipt.received_on.isoformat(),
        "share_percent": format_decimal(percent),
    }


def _recycled(plant: Plant, batch: Batch, masses: Mapping[str, Decimal]) -> list[dict[str, str]]:
    """Per element, how much of it was waste after use, before use, never, or a stream of the plant's own."""
    rows = []
    for element, shares in sorted(recycled_shares(plant, batch.batch_id, masses).items()):
        if element in EXCHANGED_WITH_SURROUNDINGS:
            continue
        rows.append({"element": element, **_class_percents(shares)})
    return rows


def _recycled_rare_earths(plant: Plant, batch: Batch, masses: Mapping[str, Decimal]) -> dict[str, str]:
    """The same over all rare earths of the batch together, by mass."""
    by_lot = _rare_earths_by_lot(plant, batch, masses)
    total = sum(by_lot.values(), Fraction(0))
    shares: dict[str, Fraction] = {}
    for lot, mass in by_lot.items():
        kind = plant.receipts[lot][1].consumer_class
        shares[kind] = shares.get(kind, Fraction(0)) + mass / total
    return _class_percents(shares)


def _class_percents(shares: Mapping[str, Fraction]) -> dict[str, str]:
    """Percentages by consumer class that add up to 100.0, rounded from the exact shares."""
    classes = ("post-consumer", "pre-consumer", "primary", "internal")
    percents = apportion(_HUNDRED, [100 * shares.get(each, Fraction(0)) for each in classes])
    return {
        f"{each.replace('-', '_')}_percent": format_decimal(one) for each, one in zip(classes, percents, strict=True)
    }


def _origin(plant: Plant, batch: Batch, masses: Mapping[str, Decimal]) -> list[dict[str, Any]]:
    """Per element and stage, the shares of countries as suppliers declared them; what nobody declared is unknown."""
    rows = []
    for element, stages in sorted(stage_shares(plant, batch.batch_id, masses).items()):
        if element in EXCHANGED_WITH_SURROUNDINGS:
            continue
        for stage in STAGES:
            shares = dict(stages.get(stage, {}))
            unknown = shares.pop("unknown", Fraction(0)) if shares else Fraction(1)
            countries = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
            percents = apportion(_HUNDRED, [100 * share for share in (*(share for _, share in countries), unknown)])
            rows.append(
                {
                    "element": element,
                    "stage": stage,
                    "shares": [
                        {"country": country, "percent": format_decimal(percent)}
                        for (country, _), percent in zip(countries, percents[:-1], strict=True)
                    ],
                    "unknown_percent": format_decimal(percents[-1]),
                }
            )
    return rows


def _steps(plant: Plant, batch: Batch, masses: Mapping[str, Decimal]) -> list[dict[str, Any]]:
    """The steps behind the batch. Each stream says how much rare-earth element it holds, by assay or carried."""
    step_ids = ancestor_transformations(plant, batch.batch_id)
    steps = [plant.transformations[step_id] for step_id in step_ids]
    streams = {draw.batch_id for _, step in steps for draw in step.inputs}
    streams |= {output.batch_id for _, step in steps for output in step.outputs}
    held = {
        batch_id: _rare_earths_kg({element: content.mass_kg for element, content in contents.items()})
        for batch_id, contents in contents_of(plant, masses, streams).items()
    }
    return [_step(plant, seq, step, held, masses) for seq, step in steps]


def _step(
    plant: Plant, seq: int, step: Transformation, held: Mapping[str, Decimal], masses: Mapping[str, Decimal]
) -> dict[str, Any]:
    def drawn(draw: Draw) -> str:
        return _kg(Fraction(held[draw.batch_id]) * plant.batches[draw.batch_id].drawn_share(draw))

    def in_residue(residue: Residue) -> str:
        amounts = residues_of(replace(step, residues=(residue,)), masses)
        return _kg(Fraction(_rare_earths_kg({element: amount.mass_kg for element, amount in amounts.items()})))

    return {
        "seq": seq,
        "step_id": step.id,
        "kind": step.kind,
        "process": step.process,
        "on": step.on.isoformat(),
        "inputs": [{"batch_id": draw.batch_id, **_amount(draw), "rare_earths_kg": drawn(draw)} for draw in step.inputs],
        "outputs": [
            {
                "batch_id": out.batch_id,
                "product": out.product,
                **_amount(out),
                "rare_earths_kg": _kg(Fraction(held[out.batch_id])),
            }
            for out in step.outputs
        ],
        "residues": [
            {
                "description": residue.description,
                "mass_kg": format_decimal(residue.mass_kg),
                "rare_earths_kg": in_residue(residue),
            }
            for residue in step.residues
        ],
    }


def _rare_earths_kg(by_element: Mapping[str, Decimal]) -> Decimal:
    return sum((mass_kg for element, mass_kg in by_element.items() if element in RARE_EARTHS), Decimal(0))


def _kg(mass_kg: Fraction) -> str:
    return format_decimal(round_fraction(mass_kg, KG_PLACES))


def _amount(part: Draw | Output) -> dict[str, str]:
    """Amount and unit as logged; nothing for a whole batch or a stream that is not measured."""
    if part.mass_kg is not None:
        return {"amount": format_decimal(part.mass_kg), "unit": "kg"}
    if part.volume_l is not None:
        return {"amount": format_decimal(part.volume_l), "unit": "L"}
    return {}


def _balance_row(row: BalanceRow) -> dict[str, str]:
    """The row in kg to 0.1 g; unaccounted is what the printed figures leave, so that the columns add up as shown."""
    came_in, product, residue = (round_decimal(kg, KG_PLACES) for kg in (row.in_kg, row.product_kg, row.residue_kg))
    percent = row.unaccounted_percent
    return {
        "element": row.element,
        "in_kg": format_decimal(came_in),
        "product_kg": format_decimal(product),
        "residue_kg": format_decimal(residue),
        "unaccounted_kg": format_decimal(came_in - product - residue),
        "unaccounted_percent": "none came in" if percent is None else format_decimal(round_decimal(percent, 2)),
        "uncertainty_kg": format_decimal(round_decimal(row.uncertainty_kg, KG_PLACES)),
        "verdict": row.verdict,
    }


def _settlements(plant: Plant, batch: Batch) -> list[dict[str, str]]:
    """What supplier and plant disagreed on, among the batches behind this one, and what settled it; in per cent."""
    rows = []
    for member in (*(link.batch_id for link in reversed(ancestors(plant, batch.batch_id))), batch.batch_id):
        for one in plant.settlements_of(member):
            if not settlement_holds(plant, one):
                continue
            umpire = one.umpire_assay_id
            rows.append(
                {
                    "batch_id": member,
                    "species": one.species,
                    "supplier": _reported(plant, one.supplier_assay_id, one.species),
                    "plant": _reported(plant, one.plant_assay_id, one.species),
                    **({} if umpire is None else {"umpire": _reported(plant, umpire, one.species)}),
                    "settled": format_decimal(one.settled_wt_percent),
                }
            )
    return rows


def _reported(plant: Plant, assay_id: str, species: str) -> str:
    percents = [part.wt_percent for part in plant.assays[assay_id][1].components if part.species == species]
    return format_decimal(percents[0])


# Reading a content again


class _Log(Part):
    origin: Annotated[str, Field(max_length=255)]
    tree_size: Annotated[StrictInt, Field(ge=1)]


class _Open(Part):
    """A part of a content of which only some fields are read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Batch(_Open):
    batch_id: Id


class _Constants(_Open):
    atomic_masses: dict[Annotated[str, StringConstraints(pattern=r"^[a-z]{1,2}$")], AboveZero]


class _Given(_Open):
    v: Literal[1]
    kind: Kind
    certificate_id: Id
    issued_at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$")]
    supersedes: Id | None = None
    supersede_reason: Text | None = None
    log: _Log
    batch: _Batch
    allocation: Allocation | None = None
    constants: _Constants
    renderer: Text
    drawn_with: Text


@dataclass(frozen=True)
class Head:
    """What a content says that no entry can give, read back from it. masses: atomic masses by symbol."""

    kind: Kind
    batch_id: str
    header: Header
    allocation: Allocation
    masses: Mapping[str, Decimal]


def head_of(content: Mapping[str, Any]) -> Head:
    """The parts of `content` that the rest is computed from.

    Raises: InputError naming each that is missing or not of its form.
    """
    given = parse_body(_Given, content)
    header = Header(
        given.certificate_id,
        given.issued_at,
        given.log.origin,
        given.log.tree_size,
        given.renderer,
        given.drawn_with,
        given.supersedes,
        given.supersede_reason,
    )
    try:
        header.issued_moment()
    except ValueError:
        raise InputError(problem("/issued_at", given.issued_at, "a time that exists", "Ask the issuer.")) from None
    symbols = {symbol.lower(): symbol for symbol in ELEMENTS}
    unknown = sorted(given.constants.atomic_masses.keys() - symbols.keys())
    if unknown:
        raise InputError(problem("/constants/atomic_masses", unknown[0], "symbols of elements", "Ask the issuer."))
    masses = {symbols[name]: mass for name, mass in given.constants.atomic_masses.items()}
    return Head(given.kind, given.batch.batch_id, header, given.allocation or "mass", masses)
