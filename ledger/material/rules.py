"""The rules that an entry must pass before the plant takes it: identities, amounts, dates, settlements, certificates.

Each check takes the plant as it stands and raises; none changes it. Fields of the errors are JSON pointers into the
entry's body. The rules for what flows through a step are in `ledger.material.flow_rules`, the mass balance of elements
is checked after the entry was added, in `ledger.material.batch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from ledger.errors import DuplicateIdError, InputError, OverdrawnError, Problem, RuleError, UnknownIdError, problem
from ledger.material.chemistry import (
    EXCHANGED_WITH_SURROUNDINGS,
    RARE_EARTHS,
    AtomicMasses,
    element_fractions,
    parse_formula,
)
from ledger.material.composition import settled_components, settlement_holds, value_by_rule, wt_percent
from ledger.material.entries import (
    SUM_LIMIT_PERCENT,
    Assay,
    CertificateIssued,
    CertificateRevoked,
    Component,
    Party,
    Receipt,
    Settlement,
    Ship,
    Site,
)
from ledger.material.plant import RECEIPT, Batch, Plant
from ledger.quantity import format_decimal


def check_new_id(identity: str, taken: Iterable[str], field: str, what: str) -> None:
    """Raises: DuplicateIdError at `field` if `identity` is among `taken`. what: "a batch", for the error."""
    if identity in taken:
        raise DuplicateIdError(
            problem(
                field,
                identity,
                f"an id that no other has; there is {what} of this id already",
                "Choose another id; to change what was logged under this one, log a correction.",
            )
        )


def unknown(field: str, identity: str, what: str, first: str) -> Problem:
    """A problem with an id that names nothing. what: "a batch". first: what to log first."""
    return problem(
        field, identity, f"the id of {what} in the ledger", f"Check its spelling, or log the {first} before this entry."
    )


def check_known_id(identity: str, known: Iterable[str], field: str, what: str, first: str) -> None:
    """Raises: UnknownIdError at `field` unless `identity` is among `known`."""
    if identity not in known:
        raise UnknownIdError(unknown(field, identity, what, first))


def check_species(components: Iterable[Component], masses: AtomicMasses, field: str) -> None:
    """Refuse a component that is no formula of elements, or names an element that another one names already.

    Neodymium as Nd and as Nd2O3 in one assay is the same neodymium reported twice: added up it would count double.
    Elements of air, water and reagents are in many compounds and may repeat. field: pointer of the list.
    Raises: InputError with a problem for every such component.
    """
    problems = []
    named: dict[str, str] = {}
    for place, component in enumerate(components):
        species, at = component.species, f"{field}/{place}/species"
        try:
            element_fractions(species, masses)
        except InputError as error:
            problems += [Problem(at, item.value, item.expected, item.next_step) for item in error.problems]
            continue
        elements = parse_formula(species).keys() - EXCHANGED_WITH_SURROUNDINGS
        for element in sorted(elements & named.keys()):
            expected = f"each element in one component only; {element} is in {named[element]} already"
            problems.append(problem(at, species, expected, f"Report all {element} as one of the two."))
        named.update(dict.fromkeys(elements, species))
    if problems:
        raise InputError(*problems)


def check_party(plant: Plant, body: Party) -> None:
    """A new party."""
    check_new_id(body.party_id, plant.parties, "/party_id", "a party")


def check_site(plant: Plant, body: Site) -> None:
    """A new site of a known operator."""
    check_new_id(body.site_id, plant.sites, "/site_id", "a site")
    check_known_id(body.operator_id, plant.parties, "/operator_id", "a party", "party entry")


def check_receipt(plant: Plant, body: Receipt) -> None:
    """A new batch at a known site, from a known supplier if one is named."""
    check_new_id(body.batch_id, plant.batches, "/batch_id", "a batch")
    problems = []
    if body.site_id not in plant.sites:
        problems.append(unknown("/site_id", body.site_id, "a site", "site entry"))
    if body.supplier_id is not None and body.supplier_id not in plant.parties:
        problems.append(unknown("/supplier_id", body.supplier_id, "a party", "party entry"))
    if problems:
        raise UnknownIdError(*problems)


def check_assay(plant: Plant, body: Assay, masses: AtomicMasses) -> None:
    """A new assay of a known batch, with species that exist, not reported before the batch was made.

    None of rare earths in a stream that returns to the plant.
    """
    check_new_id(body.assay_id, plant.assays, "/assay_id", "an assay")
    check_known_id(body.batch_id, plant.batches, "/batch_id", "a batch", "receipt or step that makes it")
    check_species(body.components, masses, "/components")
    _check_loss_on_ignition(body)
    batch = plant.batches[body.batch_id]
    _check_recycle_holds_none(batch, body)
    # A lot may come with an assay that is older than its receipt.
    if batch.made_by != RECEIPT and body.reported_on < batch.made_on:
        raise RuleError(
            problem(
                "/reported_on",
                body.reported_on.isoformat(),
                f"a day from {batch.made_on.isoformat()} on, when {batch.batch_id} was made by {batch.made_by}",
                "Correct the date or the batch.",
            )
        )


def check_composition(plant: Plant, batch_id: str, field: str) -> None:
    """The composition that several assays and settlements make up is one of matter, as each assay by itself is.

    Raises: RuleError if it adds up to more than SUM_LIMIT_PERCENT.
    """
    components = settled_components(plant, batch_id) or ()
    total = sum((component.wt_percent for component in components), Decimal(0))
    if total > SUM_LIMIT_PERCENT:
        raise RuleError(
            problem(
                field,
                f"{format_decimal(total)} %",
                f"at most {SUM_LIMIT_PERCENT} % in all that the assays of {batch_id} make up: a later one replaces "
                "only the metals that it names",
                "Report all metals of the sample in one assay, or correct the earlier one.",
            )
        )


def _check_loss_on_ignition(body: Assay) -> None:
    """What burns off is not in the components as well, unless they name carbon, water or another such species."""
    if body.loi_percent is None:
        return
    left = (part for part in body.components if parse_formula(part.species).keys() - EXCHANGED_WITH_SURROUNDINGS)
    total = sum((part.wt_percent for part in left), body.loi_percent)
    if total > SUM_LIMIT_PERCENT:
        raise RuleError(
            problem(
                "/loi_percent",
                format_decimal(body.loi_percent),
                f"components and loss on ignition that add up to {SUM_LIMIT_PERCENT} % or less; these give "
                f"{format_decimal(total)} %",
                "Report the components in per cent of the sample before ignition.",
            )
        )


def _check_recycle_holds_none(batch: Batch, body: Assay) -> None:
    """A stream that returns to the plant carries no burden, so it may hold no rare earths."""
    wrong = [
        problem(
            f"/components/{place}/species",
            component.species,
            f"no rare earths in {batch.batch_id}: it is logged as a stream that returns to the plant and carries none "
            "of the burden",
            f'Correct its role in entry {batch.seq} from "recycle" to "product", then log the assay again.',
        )
        for place, component in enumerate(body.components)
        if batch.role == "recycle" and component.wt_percent and parse_formula(component.species).keys() & RARE_EARTHS
    ]
    if wrong:
        raise RuleError(*wrong)


def check_settlement(plant: Plant, body: Settlement) -> None:
    """A new settlement of a species of a known batch, by known assays of it; its value is `check_settled_value`.

    An earlier one of the species must not hold any more.
    """
    check_new_id(body.settlement_id, plant.settlements, "/settlement_id", "a settlement")
    check_known_id(body.batch_id, plant.batches, "/batch_id", "a batch", "receipt or step that makes it")
    for other in plant.settlements_of(body.batch_id):
        if other.species == body.species and settlement_holds(plant, other):
            raise RuleError(
                problem(
                    "/species",
                    body.species,
                    f"a species of {body.batch_id} that is not settled; {other.settlement_id} settles this one",
                    f"Log a correction of {other.settlement_id}.",
                )
            )
    named = {
        "supplier": ("/supplier_assay_id", body.supplier_assay_id),
        "plant": ("/plant_assay_id", body.plant_assay_id),
        "umpire": ("/umpire_assay_id", body.umpire_assay_id),
    }
    missing = [
        unknown(field, assay_id, "an assay", "assay")
        for field, assay_id in named.values()
        if assay_id is not None and assay_id not in plant.assays
    ]
    if missing:
        raise UnknownIdError(*missing)
    for party, (field, assay_id) in named.items():
        if assay_id is not None:
            _check_settling_assay(plant.assays[assay_id][1], body, party, field)


def _check_settling_assay(assay: Assay, body: Settlement, party: str, field: str) -> None:
    expected = f"an assay of {body.batch_id} by the {party} that reports {body.species}"
    if assay.batch_id != body.batch_id:
        found = f"this one is of batch {assay.batch_id}"
    elif assay.party != party:
        found = f"this one is the {assay.party}'s"
    elif wt_percent(assay, body.species) is None:
        found = f"this one reports {', '.join(component.species for component in assay.components)}"
    elif assay.reported_on > body.settled_on:
        expected += f" and was reported by {body.settled_on.isoformat()}, the day of the settlement"
        found = f"this one was reported on {assay.reported_on.isoformat()}"
    else:
        return
    raise RuleError(problem(field, assay.assay_id, f"{expected}; {found}", "Name the right assay, or log it first."))


def check_settled_value(plant: Plant, body: Settlement) -> None:
    """Raises: RuleError unless the settled value is the one that the rule gives. Ids were checked before."""
    supplier = wt_percent(plant.assays[body.supplier_assay_id][1], body.species)
    own = wt_percent(plant.assays[body.plant_assay_id][1], body.species)
    difference = abs((supplier or Decimal(0)) - (own or Decimal(0)))
    compared = (
        f"supplier {supplier} % and plant {own} % differ by {difference}, "
        f"{'within' if difference <= body.splitting_limit_percent else 'outside'} the splitting limit of "
        f"{body.splitting_limit_percent}"
    )
    value = value_by_rule(plant, body)
    if value is None:
        raise RuleError(
            problem(
                "/umpire_assay_id",
                None,
                f"an umpire's assay: {compared}",
                f"Have an umpire measure {body.species} in {body.batch_id} and log that assay.",
            )
        )
    if body.settled_wt_percent != value:
        whose = "their mean" if difference <= body.splitting_limit_percent else "the umpire's value"
        raise RuleError(
            problem(
                "/settled_wt_percent",
                format_decimal(body.settled_wt_percent),
                f"{format_decimal(value)}, {whose}: {compared}",
                f"Settle at {format_decimal(value)}, or correct the assay that is wrong first.",
            )
        )


def check_ship(plant: Plant, body: Ship) -> None:
    """A new shipment to a known buyer of what is left of a weighed batch that was made by then."""
    check_new_id(body.shipment_id, plant.shipments, "/shipment_id", "a shipment")
    check_known_id(body.batch_id, plant.batches, "/batch_id", "a batch", "receipt or step that makes it")
    check_known_id(body.buyer_id, plant.parties, "/buyer_id", "a party", "party entry of the buyer")
    batch = plant.batches[body.batch_id]
    if batch.mass_kg is None:
        raise RuleError(
            problem(
                "/batch_id", batch.batch_id, "a batch with a weighed mass", "Log the step that packs or dries it first."
            )
        )
    check_amount(batch, body.mass_kg, batch.remaining or Decimal(0), "/mass_kg")
    if body.shipped_on < batch.made_on:
        raise RuleError(made_later(batch, "/shipped_on", body.shipped_on.isoformat()))


def check_amount(batch: Batch, amount: Decimal, left: Decimal, field: str) -> None:
    """Raises: OverdrawnError if `amount` is more than `left` of the batch, in its unit."""
    if amount > left:
        raise OverdrawnError(
            problem(
                field,
                format_decimal(amount),
                f"at most {format_decimal(left)} {batch.unit}: what is left of {batch.batch_id}, which had "
                f"{format_decimal(batch.size or Decimal(0))} {batch.unit}",
                "Take no more than is left; if an earlier entry is wrong, log a correction of it first.",
            )
        )


def made_later(batch: Batch, field: str, day: str) -> Problem:
    """A problem with something that happened to a batch before there was one."""
    how = "received" if batch.made_by == RECEIPT else f"made by {batch.made_by}"
    return problem(
        field,
        day,
        f"a day from {batch.made_on.isoformat()} on, when {batch.batch_id} was {how}",
        "Correct the date, or the date of the earlier entry.",
    )


def check_certificate_issued(plant: Plant, seq: int, body: CertificateIssued) -> None:
    """A new certificate of a known batch, by an issuer whose key is not revoked.

    One that it supersedes is of the same batch and kind, and the newest.
    """
    check_new_id(body.certificate_id, plant.certificates, "/certificate_id", "a certificate")
    check_known_id(body.batch_id, plant.batches, "/batch_id", "a batch", "receipt or step that makes it")
    if ("issuer", body.signer_sha256) in plant.keys.revoked:
        raise RuleError(
            problem(
                "/signer_sha256",
                body.signer_sha256,
                f"an issuer whose key is not revoked; entry {plant.keys.revoked['issuer', body.signer_sha256][0]} does",
                "Sign with another issuer's key.",
            )
        )
    if body.basis_tree_size > seq:
        raise RuleError(
            problem(
                "/basis_tree_size",
                body.basis_tree_size,
                f"at most {seq}, the size of the log before this entry",
                "State the size of the log that the content was computed from.",
            )
        )
    if body.supersedes is None:
        return
    check_known_id(body.supersedes, plant.certificates, "/supersedes", "a certificate", "issue of that certificate")
    older = plant.certificates[body.supersedes][1]
    if (older.batch_id, older.kind) != (body.batch_id, body.kind):
        raise RuleError(
            problem(
                "/supersedes",
                body.supersedes,
                f"a {body.kind} certificate of {body.batch_id}; this one is {older.kind} of {older.batch_id}",
                "Name the certificate that this one replaces.",
            )
        )
    successor = _successor(plant.certificates, body.supersedes)
    if successor is not None:
        raise RuleError(
            problem(
                "/supersedes",
                body.supersedes,
                f"a certificate that is not superseded yet; {successor} superseded this one",
                f"Supersede {successor} instead.",
            )
        )


def _successor(certificates: Mapping[str, tuple[int, CertificateIssued]], certificate_id: str) -> str | None:
    return next((name for name, (_, one) in certificates.items() if one.supersedes == certificate_id), None)


def check_certificate_revoked(plant: Plant, body: CertificateRevoked) -> None:
    """A known certificate that is not revoked yet."""
    check_known_id(
        body.certificate_id, plant.certificates, "/certificate_id", "a certificate", "issue of that certificate"
    )
    if body.certificate_id in plant.revoked:
        seq = plant.revoked[body.certificate_id][0]
        raise RuleError(
            problem(
                "/certificate_id",
                body.certificate_id,
                f"a certificate that is not revoked yet; entry {seq} revoked this one",
                "Nothing is left to do.",
            )
        )
