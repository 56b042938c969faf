"""The state of a plant: its batches and the entries that they come from. `ledger.material.batch` makes it.

Values only: what the entries say and how much of each batch is left. What a batch holds is `balance`, where it comes
from `genealogy` and `origin`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ledger.material.entries import (
    Assay,
    CertificateIssued,
    CertificateRevoked,
    ConsumerClass,
    Correction,
    Draw,
    Party,
    Receipt,
    Settlement,
    Ship,
    Site,
    Transformation,
)
from ledger.material.fields import Body
from ledger.material.keys import NO_KEYS, Keys

RECEIPT = "receipt"
"""What `Batch.made_by` says of a lot, which no transformation of this plant made."""

Status = Literal["in stock", "part drawn", "consumed", "shipped"]


@dataclass(frozen=True)
class Batch:
    """A batch as far as the entries tell.

    product: description of a lot, product of an output. made_on: day of receipt or of the step. seq: the entry that
    made it. made_by: id of the transformation, or RECEIPT.
    mass_kg (dry), volume_l: size, at most one; neither for a stream that is not measured.
    drawn: what steps took out of it, in its measure (0 if it has none). drawn_whole: a step took all of it.
    shipped_kg: what left custody. carries: elements that the separation sent into it. consumer_class: of a lot.
    """

    batch_id: str
    product: str
    made_on: date
    seq: int
    made_by: str
    mass_kg: Decimal | None = None
    volume_l: Decimal | None = None
    drawn: Decimal = Decimal(0)
    drawn_whole: bool = False
    shipped_kg: Decimal = Decimal(0)
    role: Literal["product", "recycle"] = "product"
    carries: tuple[str, ...] = ()
    price_usd_per_kg: Decimal | None = None
    consumer_class: ConsumerClass | None = None
    campaign: str | None = None

    @property
    def size(self) -> Decimal | None:
        """Size in its measure, kg or litres; None if it is not measured."""
        return self.volume_l if self.mass_kg is None else self.mass_kg

    @property
    def unit(self) -> str:
        """Unit of size, drawn and remaining: "kg", "L", or "" if it is not measured."""
        return "kg" if self.mass_kg is not None else "L" if self.volume_l is not None else ""

    @property
    def remaining(self) -> Decimal | None:
        """What is left of it in its measure; None for all of a batch that is not measured."""
        if self.drawn_whole:
            return Decimal(0)
        return None if self.size is None else self.size - self.drawn - self.shipped_kg

    @property
    def status(self) -> Status:
        """Whether it is there, partly or wholly gone, and whether to a buyer."""
        if self.remaining == 0:
            return "shipped" if self.shipped_kg else "consumed"
        return "part drawn" if self.drawn or self.shipped_kg else "in stock"

    def drawn_share(self, draw: Draw) -> Fraction:
        """Share of the batch, above 0 and up to 1, that `draw` takes. A whole draw takes a batch not drawn before."""
        if draw.whole:
            return Fraction(1)
        amount = draw.volume_l if draw.mass_kg is None else draw.mass_kg
        assert amount is not None  # a Draw has one measure
        assert self.size is not None  # the rules let a batch without a size be drawn whole only
        return Fraction(amount) / Fraction(self.size)


@dataclass(frozen=True)
class Plant:
    """Everything that the entries add up to, with every correction applied.

    Mappings by identity, in the order of the log; the number beside a body is the sequence number of its entry, where a
    corrected body keeps the number of the entry that was corrected. corrections: in order. keys: which may sign what.
    bodies: every entry by sequence number, as corrected. assay_ids, settlement_ids, uses, shipment_ids: by batch id,
    what concerns it.
    """

    batches: Mapping[str, Batch] = field(default_factory=dict)
    receipts: Mapping[str, tuple[int, Receipt]] = field(default_factory=dict)
    transformations: Mapping[str, tuple[int, Transformation]] = field(default_factory=dict)
    assays: Mapping[str, tuple[int, Assay]] = field(default_factory=dict)
    settlements: Mapping[str, tuple[int, Settlement]] = field(default_factory=dict)
    shipments: Mapping[str, tuple[int, Ship]] = field(default_factory=dict)
    certificates: Mapping[str, tuple[int, CertificateIssued]] = field(default_factory=dict)
    revoked: Mapping[str, tuple[int, CertificateRevoked]] = field(default_factory=dict)
    parties: Mapping[str, tuple[int, Party]] = field(default_factory=dict)
    sites: Mapping[str, tuple[int, Site]] = field(default_factory=dict)
    keys: Keys = NO_KEYS
    corrections: tuple[tuple[int, Correction], ...] = ()
    bodies: Mapping[int, tuple[str, Body]] = field(default_factory=dict)
    assay_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settlement_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shipment_ids: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def assays_of(self, batch_id: str) -> list[Assay]:
        """Assays of the batch, in the order of the log."""
        return [self.assays[assay_id][1] for assay_id in self.assay_ids.get(batch_id, ())]

    def settlements_of(self, batch_id: str) -> list[Settlement]:
        """Settlements of the batch, in the order of the log."""
        return [self.settlements[settlement_id][1] for settlement_id in self.settlement_ids.get(batch_id, ())]

    def used_by(self, batch_id: str) -> list[str]:
        """Ids of the transformations that drew from the batch, each once, in the order of the log."""
        return list(self.uses.get(batch_id, ()))

    def maker(self, batch_id: str) -> Transformation | None:
        """The transformation that made the batch; None for a lot."""
        made_by = self.batches[batch_id].made_by
        return None if made_by == RECEIPT else self.transformations[made_by][1]


EMPTY_PLANT = Plant()
