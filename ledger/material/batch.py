"""From entries to the state of the plant: each entry is checked against the rules, then added.

`fold_plant` does it in one pass for a whole log, `add_entry` for one entry more. Corrections are applied to the entries
that they mend before anything is folded, so that the state is what it would be had the entry been right at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ledger.errors import LedgerError, Problem, RuleError, problem
from ledger.material.arithmetic import in_own_context
from ledger.material.balance import check_transformation_balance, contents, contents_of
from ledger.material.chemistry import AtomicMasses
from ledger.material.corrections import corrected_body
from ledger.material.entries import (
    Assay,
    Blend,
    CertificateIssued,
    CertificateRevoked,
    Correction,
    Pack,
    Party,
    Receipt,
    Settlement,
    Ship,
    Site,
    Split,
    Step,
    Transformation,
)
from ledger.material.fields import Body
from ledger.material.flow_rules import check_transformation
from ledger.material.genealogy import affected_transformations
from ledger.material.keys import KeyBody, Keys
from ledger.material.plant import EMPTY_PLANT, RECEIPT, Batch, Plant
from ledger.material.rules import (
    check_assay,
    check_certificate_issued,
    check_certificate_revoked,
    check_composition,
    check_party,
    check_receipt,
    check_settled_value,
    check_settlement,
    check_ship,
    check_site,
)
from ledger.material.warnings import warnings_between

__all__ = ["EMPTY_PLANT", "RECEIPT", "Batch", "Plant", "add_entry", "fold_plant", "warnings_for"]

_KNOWN = (
    Assay, Blend, CertificateIssued, CertificateRevoked, Correction, KeyBody, Pack, Party, Receipt, Settlement, Ship,
    Site, Split, Step,
)  # fmt: skip


@in_own_context
def add_entry(plant: Plant, seq: int, entry_type: str, body: Body, masses: AtomicMasses) -> Plant:
    """The plant with one entry more. An entry that is not about material leaves it as it is.

    seq: its sequence number, above those of all entries so far.
    Raises: RuleError or a kind of it, or InputError, with JSON pointers into the body. The given plant never changes.
    """
    if not isinstance(body, _KNOWN):
        return plant
    if isinstance(body, Correction):
        return _with_correction(plant, seq, entry_type, body, masses)
    tables = _Tables.of(plant)
    _add(tables, seq, entry_type, body, masses)
    after = tables.plant()
    if isinstance(body, Settlement):
        check_settled_value(after, body)
    if isinstance(body, Assay | Settlement):
        check_composition(after, body.batch_id, "/components" if isinstance(body, Assay) else "/settled_wt_percent")
    _check_mass_balance(after, body, masses)
    return after


@in_own_context
def warnings_for(plant: Plant, entry_type: str, body: Body, masses: AtomicMasses) -> list[Problem]:
    """What would be accepted, but looks odd, if the entry were added to the plant; fields as in `add_entry`.

    Raises: as `add_entry`.
    """
    if not isinstance(body, _KNOWN):
        return []
    seq = max(plant.bodies, default=-1) + 1
    return warnings_between(plant, add_entry(plant, seq, entry_type, body, masses), body, masses)


@in_own_context
def fold_plant(entries: Iterable[tuple[int, str, Body]], masses: AtomicMasses) -> Plant:
    """The plant that the entries (sequence number, type, body) add up to, in rising order of number.

    Numbers may be missing: the entries may be a part of a log that makes sense by itself.
    Raises: as `add_entry`, with /entries/<seq> before each field.
    """
    bodies: dict[int, tuple[str, Body]] = {}
    corrections: list[tuple[int, Correction]] = []
    last = -1
    for seq, entry_type, body in entries:
        if seq <= last:
            raise RuleError(problem(f"/entries/{seq}", seq, f"a number above {last}", "Give the entries in order."))
        last = seq
        if not isinstance(body, _KNOWN):
            continue
        if isinstance(body, Correction):
            try:
                mended = corrected_body(bodies, body)
            except LedgerError as error:
                raise _in_entry(seq, error) from error
            bodies[body.corrects_seq] = (bodies[body.corrects_seq][0], mended)
            corrections.append((seq, body))
        bodies[seq] = (entry_type, body)
    return _fold_corrected(bodies, corrections, masses)


def _fold_corrected(
    bodies: Mapping[int, tuple[str, Body]], corrections: Iterable[tuple[int, Correction]], masses: AtomicMasses
) -> Plant:
    """The plant of entries that are corrected already. A settlement is not held to its rule here: an assay that was
    corrected after it may have changed what the rule gives, and `composition.is_disputed` then says so.
    """
    tables = _Tables.of(EMPTY_PLANT)
    for seq, (entry_type, body) in bodies.items():
        try:
            _add(tables, seq, entry_type, body, masses)
        except LedgerError as error:
            raise _in_entry(seq, error) from error
    plant = replace(tables.plant(), corrections=tuple(corrections))
    for batch_id, assay_ids in plant.assay_ids.items():
        check_composition(plant, batch_id, f"/entries/{plant.assays[assay_ids[-1]][0]}/components")
    known = contents(plant, masses)
    for transformation_id, (seq, _) in plant.transformations.items():
        check_transformation_balance(plant, transformation_id, known, masses, f"/entries/{seq}")
    return plant


def _in_entry(seq: int, error: LedgerError) -> LedgerError:
    return type(error)(*(replace(item, field=f"/entries/{seq}{item.field}") for item in error.problems))


def _with_correction(plant: Plant, seq: int, entry_type: str, body: Correction, masses: AtomicMasses) -> Plant:
    mended = corrected_body(plant.bodies, body)
    bodies = dict(plant.bodies)
    bodies[body.corrects_seq] = (bodies[body.corrects_seq][0], mended)
    bodies[seq] = (entry_type, body)
    try:
        after = _fold_corrected(bodies, (*plant.corrections, (seq, body)), masses)
        if isinstance(mended, Settlement):
            check_settled_value(after, mended)
    except LedgerError as error:
        broken = "; ".join(f"{item.field or 'the settlement'} would be {item.value}, expected {item.expected}"
                           for item in error.problems)  # fmt: skip
        raise type(error)(
            problem(
                "/new",
                body.new,
                f"a value with which the whole history still holds, but: {broken}",
                "Check the value, or correct the entries that it contradicts first.",
            )
        ) from error
    return after


def _check_mass_balance(plant: Plant, body: Body, masses: AtomicMasses) -> None:
    """Check each transformation whose balance the entry changes: its own, or those around and after the batch."""
    affected = affected_transformations(plant, body)
    flows = [plant.transformations[transformation_id][1] for transformation_id in affected]
    known = contents_of(plant, masses, (batch_id for flow in flows for batch_id in flow.batch_ids()))
    field = "/components" if isinstance(body, Assay) else "/settled_wt_percent" if isinstance(body, Settlement) else ""
    for transformation_id in affected:
        check_transformation_balance(plant, transformation_id, known, masses, field)


@dataclass
class _Tables:
    """The plant while it grows: the same tables, to be written to."""

    batches: dict[str, Batch]
    receipts: dict[str, tuple[int, Receipt]]
    transformations: dict[str, tuple[int, Transformation]]
    assays: dict[str, tuple[int, Assay]]
    settlements: dict[str, tuple[int, Settlement]]
    shipments: dict[str, tuple[int, Ship]]
    certificates: dict[str, tuple[int, CertificateIssued]]
    revoked: dict[str, tuple[int, CertificateRevoked]]
    parties: dict[str, tuple[int, Party]]
    sites: dict[str, tuple[int, Site]]
    keys: Keys
    corrections: tuple[tuple[int, Correction], ...]
    bodies: dict[int, tuple[str, Body]]
    assay_ids: dict[str, tuple[str, ...]]
    settlement_ids: dict[str, tuple[str, ...]]
    uses: dict[str, tuple[str, ...]]
    shipment_ids: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, plant: Plant) -> _Tables:
        """Copies of the plant's tables."""
        return cls(
            dict(plant.batches),
            dict(plant.receipts),
            dict(plant.transformations),
            dict(plant.assays),
            dict(plant.settlements),
            dict(plant.shipments),
            dict(plant.certificates),
            dict(plant.revoked),
            dict(plant.parties),
            dict(plant.sites),
            plant.keys,
            plant.corrections,
            dict(plant.bodies),
            dict(plant.assay_ids),
            dict(plant.settlement_ids),
            dict(plant.uses),
            dict(plant.shipment_ids),
        )

    def plant(self) -> Plant:
        """The plant that reads from these tables: final once nothing is written to them any more."""
        return Plant(**vars(self))


def _add(tables: _Tables, seq: int, entry_type: str, body: Body, masses: AtomicMasses) -> None:
    """Check one entry and write it to the tables. Raises before anything is written."""
    plant = tables.plant()
    if isinstance(body, Step | Split | Blend | Pack):
        drawn = check_transformation(plant, body, masses)
        _add_transformation(tables, seq, body.transformation(), drawn)
    elif isinstance(body, Receipt):
        check_receipt(plant, body)
        tables.receipts[body.batch_id] = (seq, body)
        tables.batches[body.batch_id] = _lot(seq, body)
    elif isinstance(body, Assay):
        check_assay(plant, body, masses)
        tables.assays[body.assay_id] = (seq, body)
        _append(tables.assay_ids, body.batch_id, body.assay_id)
    elif isinstance(body, Settlement):
        check_settlement(plant, body)
        tables.settlements[body.settlement_id] = (seq, body)
        _append(tables.settlement_ids, body.batch_id, body.settlement_id)
    elif isinstance(body, Ship):
        check_ship(plant, body)
        tables.shipments[body.shipment_id] = (seq, body)
        _append(tables.shipment_ids, body.batch_id, body.shipment_id)
        batch = tables.batches[body.batch_id]
        tables.batches[body.batch_id] = replace(batch, shipped_kg=batch.shipped_kg + body.mass_kg)
    elif isinstance(body, CertificateIssued):
        check_certificate_issued(plant, seq, body)
        tables.certificates[body.certificate_id] = (seq, body)
    elif isinstance(body, CertificateRevoked):
        check_certificate_revoked(plant, body)
        tables.revoked[body.certificate_id] = (seq, body)
    elif isinstance(body, Party):
        check_party(plant, body)
        tables.parties[body.party_id] = (seq, body)
    elif isinstance(body, Site):
        check_site(plant, body)
        tables.sites[body.site_id] = (seq, body)
    elif isinstance(body, KeyBody):
        tables.keys = plant.keys.with_entry(seq, body)
    tables.bodies[seq] = (entry_type, body)


def _add_transformation(tables: _Tables, seq: int, transformation: Transformation, drawn: dict[str, Batch]) -> None:
    tables.transformations[transformation.id] = (seq, transformation)
    tables.batches.update(drawn)
    for batch_id in drawn:
        _append(tables.uses, batch_id, transformation.id)
    for output in transformation.outputs:
        tables.batches[output.batch_id] = Batch(
            output.batch_id,
            output.product,
            transformation.on,
            seq,
            transformation.id,
            output.mass_kg,
            output.volume_l,
            role=output.role,
            carries=output.carries,
            price_usd_per_kg=output.price_usd_per_kg,
            campaign=transformation.campaign,
        )


def _lot(seq: int, body: Receipt) -> Batch:
    return Batch(
        body.batch_id,
        body.description,
        body.received_on,
        seq,
        RECEIPT,
        body.dry_mass(),
        consumer_class=body.consumer_class,
        campaign=body.campaign,
    )


def _append(index: dict[str, tuple[str, ...]], key: str, value: str) -> None:
    index[key] = (*index.get(key, ()), value)
