"""Entry bodies of the material: what a plant states, one frozen type per kind of entry.

Step, split, blend and pack are transformations of one graph, with the common form `Transformation`; receipt and ship
are its boundary. So genealogy, balance and footprint have one code path. Masses are dry unless a field says otherwise;
`mass_kg` of an output is its dry mass as weighed.

Sources: reference practice for lots and samples, weighing and moisture at 105 C; ISO 22095 for custody words. See
docs/concepts/material.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, model_validator

from ledger.errors import InputError, problem
from ledger.material.arithmetic import in_own_context
from ledger.material.fields import Body, Country, Day, FieldError, Id, Part, Sha256, Slug, Text, parse_body
from ledger.material.key_entries import KEY_ENTRIES, Kid, PublicKeyText
from ledger.quantity import AboveZero, NotNegative, Percent, format_decimal

Species = Annotated[str, StringConstraints(pattern=r"^([A-Z][a-z]?[0-9]{0,2}){1,6}$")]
"""An element or compound as a formula: "Nd", "Nd2O3", "Pr6O11"."""

Element = Annotated[str, StringConstraints(pattern=r"^[A-Z][a-z]?$")]

ConsumerClass = Literal["post-consumer", "pre-consumer", "primary", "internal"]
"""Where a lot was waste: after use, before use (swarf), never (mined), or a stream of this plant's own (neither)."""

Stage = Literal["mined", "refined", "separated", "melted", "produced"]
STAGES: tuple[Stage, ...] = get_args(Stage)

CustodyModel = Literal["identity-preserved", "segregated", "controlled-blending", "mass-balance", "book-and-claim"]


UNCERTAINTY_LIMIT_PERCENT = Decimal(20)
"""The largest relative expanded uncertainty of an assay value, in per cent of it."""

TRACE_LIMIT_POINTS = Decimal("0.1")
"""An absolute expanded uncertainty in percentage points that any value may have: traces are known less well."""

SCALE_LIMIT_PERCENT = Decimal(5)
"""The largest expanded uncertainty of a scale, in per cent of the net weight."""


def _check_uncertainty(wt_percent: Decimal, uncertainty_percent: Decimal | None) -> None:
    """A stated uncertainty loosens the mass balance; one that would switch it off is no measurement of the value.

    Raises: FieldError.
    """
    if uncertainty_percent is None or uncertainty_percent <= UNCERTAINTY_LIMIT_PERCENT:
        return
    if wt_percent * uncertainty_percent / 100 > TRACE_LIMIT_POINTS:
        raise FieldError(
            "uncertainty_percent",
            format_decimal(uncertainty_percent),
            f"at most {UNCERTAINTY_LIMIT_PERCENT} (per cent of the value, k=2), or for a trace what comes to at most "
            f"{TRACE_LIMIT_POINTS} percentage points",
        )


class Component(Part):
    """One line of an assay.

    wt_percent: mass fraction of the species in per cent of the sample, digits as reported.
    uncertainty_percent: relative expanded uncertainty (k=2) in per cent of the value, where the laboratory states it;
        at most UNCERTAINTY_LIMIT_PERCENT, or TRACE_LIMIT_POINTS.
    """

    species: Species
    wt_percent: Percent
    uncertainty_percent: NotNegative | None = None

    @model_validator(mode="after")
    def _uncertainty_of_a_measurement(self) -> Self:
        _check_uncertainty(self.wt_percent, self.uncertainty_percent)
        return self


SUM_LIMIT_PERCENT = Decimal(102)
"""A sum above 100 % happens within measurement uncertainty; above 102 % the assay is refused."""


def _check_components(components: tuple[Component, ...]) -> tuple[Component, ...]:
    species = [component.species for component in components]
    twice = sorted({each for each in species if species.count(each) > 1})
    if twice:
        raise ValueError(f"each species once, not {', '.join(twice)} again")
    total = sum((component.wt_percent for component in components), Decimal(0))
    if total > SUM_LIMIT_PERCENT:
        raise ValueError(
            f"components that add up to {SUM_LIMIT_PERCENT} % or less; these give {format_decimal(total)} %"
        )
    return components


Components = Annotated[tuple[Component, ...], AfterValidator(_check_components)]
"""The lines of an assay: each species once, adding up to no more than SUM_LIMIT_PERCENT."""


class Activity(Part):
    """Activity data: something measured that an emission factor applies to, for example 2600 kWh of electricity.

    activity: name of the activity, for example "electricity"; the adopted factor set maps it to factors.
    data: where the amount comes from: a meter or scale of the plant, an estimate or a calculation, the supplier's word;
        absent where nobody says.
    """

    activity: Slug
    amount: NotNegative
    unit: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.]{1,12}$")]
    data: Literal["measured", "estimated", "supplier"] | None = None
    note: Text | None = None


class DirectEmission(Part):
    """A greenhouse gas that leaves the step itself, for example CO2 from oxalate in the calciner."""

    gas: Literal["CO2", "CH4", "N2O"]
    mass_kg: NotNegative
    description: Text


class Draw(Part):
    """What is taken out of a batch: a dry mass, a volume of a liquor, or the whole of it; exactly one of them."""

    batch_id: Id
    mass_kg: AboveZero | None = None
    volume_l: AboveZero | None = None
    whole: Literal[True] | None = None

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if sum(measure is not None for measure in (self.mass_kg, self.volume_l, self.whole)) != 1:
            raise ValueError("exactly one of mass_kg, volume_l, whole (true)")
        return self


class Output(Part):
    """A batch that a transformation makes.

    mass_kg, volume_l: its size as measured, at most one; neither for a stream that is not measured, which can then
        only be drawn whole.
    role: "product" shares the step's burden; "recycle" returns to the plant and carries none, so it holds no rare
        earths.
    carries: the elements that a separation sends into this batch; empty for a step that does not separate.
    price_usd_per_kg: reference price per kg of oxide for economic allocation, with `price_source`.
    """

    batch_id: Id
    product: Text
    mass_kg: AboveZero | None = None
    volume_l: AboveZero | None = None
    role: Literal["product", "recycle"] = "product"
    carries: tuple[Element, ...] = ()
    price_usd_per_kg: AboveZero | None = None
    price_source: Text | None = None

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.mass_kg is not None and self.volume_l is not None:
            raise FieldError("volume_l", format_decimal(self.volume_l), "mass_kg or volume_l, not both")
        if self.price_usd_per_kg is not None and self.price_source is None:
            raise FieldError("price_source", None, "the source of the price")
        if self.price_source is not None and self.price_usd_per_kg is None:
            raise FieldError("price_usd_per_kg", None, "the price that price_source is about")
        return self


class Residue(Part):
    """What leaves a step as waste: filter cake, coating, vapour. Carries no burden.

    components: its assay where there is one; without it the residue is taken to hold none of any element, and says so.
    """

    description: Text
    mass_kg: NotNegative
    components: Components = ()


@dataclass(frozen=True)
class Transformation:
    """The common form of step, split, blend and pack: inputs become outputs and residues.

    id: identity of the step. kind: type of the entry. process: in the plant's words. conserves_mass: nothing but
    handling happens, so outputs and residues together can never weigh more than the inputs.
    """

    id: str
    kind: str
    process: str
    on: date
    inputs: tuple[Draw, ...]
    outputs: tuple[Output, ...]
    residues: tuple[Residue, ...] = ()
    activity: tuple[Activity, ...] = ()
    direct: tuple[DirectEmission, ...] = ()
    conserves_mass: bool = False
    campaign: str | None = None

    def batch_ids(self) -> list[str]:
        """Ids of the batches that it draws from and makes, in this order."""
        return [*(draw.batch_id for draw in self.inputs), *(output.batch_id for output in self.outputs)]


class Party(Body):
    """A company of the trade, under a pseudonymous id. A private name goes into the statement's commitments."""

    party_id: Id
    roles: Annotated[
        tuple[Literal["operator", "supplier", "buyer", "laboratory", "carrier", "verifier"], ...], Field(min_length=1)
    ]
    country: Country
    name: Text | None = None


class Site(Body):
    """A plant."""

    site_id: Id
    name: Text
    country: Country
    operator_id: Id


class ActorKey(Body):
    """A public key that signs statements from this entry on. The first entry of a log adds its own signer's key.

    public_key: base64 of the 32 raw bytes of an Ed25519 key.
    """

    kid: Kid
    public_key: PublicKeyText
    actor: Id
    role: Literal["operator", "laboratory", "sustainability", "issuer"] = "operator"


class CountryShare(Part):
    """A country's share, of 1, of what a stage of a lot's history took place in."""

    country: Country
    share: AboveZero


class Origin(Part):
    """Declared country shares of a lot per stage; what does not add up to 1 is unknown, a stage left out wholly so.

    evidence: what the declaration rests on, or "none".
    """

    mined: tuple[CountryShare, ...] = ()
    refined: tuple[CountryShare, ...] = ()
    separated: tuple[CountryShare, ...] = ()
    melted: tuple[CountryShare, ...] = ()
    produced: tuple[CountryShare, ...] = ()
    evidence: Text

    @model_validator(mode="after")
    def _shares_at_most_one(self) -> Self:
        for stage in STAGES:
            shares = self.shares_of(stage)
            total = sum((item.share for item in shares), Decimal(0))
            if total > 1:
                raise FieldError(stage, f"shares of {format_decimal(total)}", "country shares that add up to at most 1")
            countries = [item.country for item in shares]
            if len(set(countries)) != len(countries):
                raise FieldError(stage, ", ".join(countries), "each country once")
        return self

    def shares_of(self, stage: Stage) -> tuple[CountryShare, ...]:
        """The declared shares of one stage."""
        shares: tuple[CountryShare, ...] = getattr(self, stage)
        return shares


_WAYS_TO_WEIGH = "dry_mass_kg, or gross_kg with tare_kg and moisture_percent"


class Receipt(Body):
    """A lot taken into custody: one delivery note.

    Weight: either gross_kg, tare_kg and moisture_percent, or dry_mass_kg alone; dry mass = (gross - tare) x
    (1 - moisture/100). scale_uncertainty_kg: of the net weight, expanded (k=2), at most SCALE_LIMIT_PERCENT of it.
    activity: what the delivery itself cost, for example road freight in t.km.
    """

    batch_id: Id
    site_id: Id
    supplier_id: Id | None = None
    supplier_lot: Text | None = None
    description: Text
    form: Literal["magnets", "swarf", "carbonate", "concentrate", "acid", "oxide", "other"]
    consumer_class: ConsumerClass
    received_on: Day
    gross_kg: AboveZero | None = None
    tare_kg: NotNegative | None = None
    moisture_percent: Percent | None = None
    dry_mass_kg: AboveZero | None = None
    scale_uncertainty_kg: NotNegative | None = None
    country_of_dispatch: Country | None = None
    origin: Origin | None = None
    activity: tuple[Activity, ...] = ()
    campaign: Id | None = None

    @model_validator(mode="after")
    def _one_way_to_weigh(self) -> Self:
        wet = {"gross_kg": self.gross_kg, "tare_kg": self.tare_kg, "moisture_percent": self.moisture_percent}
        given = {name: part for name, part in wet.items() if part is not None}
        if self.dry_mass_kg is not None:
            if given:
                raise FieldError("dry_mass_kg", format_decimal(self.dry_mass_kg), f"{_WAYS_TO_WEIGH}, not both")
            return self
        if len(given) < len(wet):
            name = next(name for name in wet if name not in given) if given else "dry_mass_kg"
            raise FieldError(name, None, _WAYS_TO_WEIGH)
        if self.gross_kg is not None and self.tare_kg is not None and self.gross_kg <= self.tare_kg:
            raise FieldError(
                "gross_kg", format_decimal(self.gross_kg), f"more than the tare of {format_decimal(self.tare_kg)} kg"
            )
        if self.moisture_percent == 100:
            raise FieldError("moisture_percent", format_decimal(self.moisture_percent), "less than 100: some dry mass")
        return self

    @model_validator(mode="after")
    def _scale_that_weighs(self) -> Self:
        net_kg = self.dry_mass_kg if self.gross_kg is None else self.gross_kg - (self.tare_kg or Decimal(0))
        if self.scale_uncertainty_kg is None or net_kg is None:
            return self
        most_kg = net_kg * SCALE_LIMIT_PERCENT / 100
        if self.scale_uncertainty_kg > most_kg:
            raise FieldError(
                "scale_uncertainty_kg",
                format_decimal(self.scale_uncertainty_kg),
                f"at most {format_decimal(most_kg)}, {SCALE_LIMIT_PERCENT} % of the net weight",
            )
        return self

    @in_own_context
    def dry_mass(self) -> Decimal:
        """Dry net mass in kg, exact."""
        if self.dry_mass_kg is not None:
            return self.dry_mass_kg
        assert self.gross_kg is not None
        assert self.tare_kg is not None
        assert self.moisture_percent is not None
        return (self.gross_kg - self.tare_kg) * (100 - self.moisture_percent) / 100

    @in_own_context
    def dry_mass_uncertainty_kg(self) -> Decimal:
        """Expanded uncertainty (k=2) of the dry mass in kg from the scale alone; 0 where it is not stated."""
        scale_kg = self.scale_uncertainty_kg or Decimal(0)
        return scale_kg if self.moisture_percent is None else scale_kg * (100 - self.moisture_percent) / 100


class Assay(Body):
    """A measured composition of a batch.

    party: who had it measured. basis: what 100 % is ("dry": dry mass as in the batch; "as-received": with moisture).
    treo_percent: total rare-earth oxide where reported (absolute purity); loi_percent: loss on ignition.
    """

    assay_id: Id
    batch_id: Id
    party: Literal["supplier", "plant", "umpire"]
    laboratory: Text | None = None
    method: Text
    basis: Literal["dry"] = "dry"
    components: Annotated[Components, Field(min_length=1)]
    loi_percent: Percent | None = None
    treo_percent: Percent | None = None
    source: Text | None = None
    reported_on: Day

    @in_own_context
    def sum_percent(self) -> Decimal:
        """Sum of all components in per cent; never rescaled to 100."""
        return sum((component.wt_percent for component in self.components), Decimal(0))


class Settlement(Body):
    """Which value of a disputed species counts, after the splitting-limit rule. All assays named stay on record.

    Rule "umpire-outside-limit": if supplier and plant differ by at most splitting_limit_percent (in percentage
    points), their mean settles; else the umpire's value does.
    """

    settlement_id: Id
    batch_id: Id
    species: Species
    supplier_assay_id: Id
    plant_assay_id: Id
    umpire_assay_id: Id | None = None
    splitting_limit_percent: NotNegative
    settled_wt_percent: Percent
    uncertainty_percent: NotNegative | None = None
    rule: Literal["umpire-outside-limit"] = "umpire-outside-limit"
    settled_on: Day

    @model_validator(mode="after")
    def _uncertainty_of_a_measurement(self) -> Self:
        _check_uncertainty(self.settled_wt_percent, self.uncertainty_percent)
        return self


class Step(Body):
    """A process step: inputs become products, recycled streams and residues, with activity and direct emissions."""

    step_id: Id
    process: Text
    performed_on: Day
    inputs: Annotated[tuple[Draw, ...], Field(min_length=1)]
    outputs: Annotated[tuple[Output, ...], Field(min_length=1)]
    residues: tuple[Residue, ...] = ()
    activity: tuple[Activity, ...] = ()
    direct: tuple[DirectEmission, ...] = ()
    campaign: Id | None = None

    def transformation(self) -> Transformation:
        """The step in the common form."""
        return Transformation(
            self.step_id, "step", self.process, self.performed_on, self.inputs, self.outputs, self.residues,
            self.activity, self.direct, False, self.campaign,
        )  # fmt: skip


class Split(Body):
    """One batch divided into several of the same material."""

    split_id: Id
    performed_on: Day
    input: Draw
    outputs: Annotated[tuple[Output, ...], Field(min_length=2)]
    activity: tuple[Activity, ...] = ()
    campaign: Id | None = None

    def transformation(self) -> Transformation:
        """The split in the common form."""
        return Transformation(
            self.split_id, "split", "split", self.performed_on, (self.input,), self.outputs, (), self.activity,
            (), True, self.campaign,
        )  # fmt: skip


class Blend(Body):
    """Several batches made into one. Input rows are never merged: a batch drawn twice stands twice."""

    blend_id: Id
    process: Text = "blend"
    performed_on: Day
    inputs: Annotated[tuple[Draw, ...], Field(min_length=2)]
    output: Output
    activity: tuple[Activity, ...] = ()
    campaign: Id | None = None

    def transformation(self) -> Transformation:
        """The blend in the common form."""
        return Transformation(
            self.blend_id, "blend", self.process, self.performed_on, self.inputs, (self.output,), (),
            self.activity, (), True, self.campaign,
        )  # fmt: skip


class Pack(Body):
    """A batch put into its sales packages."""

    pack_id: Id
    performed_on: Day
    input: Draw
    output: Output
    packaging: Text
    packages: Annotated[StrictInt, Field(ge=1, le=100_000)]
    activity: tuple[Activity, ...] = ()
    campaign: Id | None = None

    def transformation(self) -> Transformation:
        """The packing in the common form."""
        return Transformation(
            self.pack_id, "pack", f"pack, {self.packages} x {self.packaging}", self.performed_on, (self.input,),
            (self.output,), (), self.activity, (), True, self.campaign,
        )  # fmt: skip


class Ship(Body):
    """Mass of a batch that leaves custody. Its transport is logged, and lies outside the cradle-to-gate boundary."""

    shipment_id: Id
    batch_id: Id
    mass_kg: AboveZero
    buyer_id: Id
    to_country: Country
    shipped_on: Day
    activity: tuple[Activity, ...] = ()
    campaign: Id | None = None


class Correction(Body):
    """Mends one value of an earlier entry, which stays on record as it was.

    corrects_seq: sequence number of the entry. pointer: JSON pointer of the value in its body. old, new: the value as
    it stands and as it should be, both as text.
    """

    corrects_seq: Annotated[StrictInt, Field(ge=0)]
    pointer: Annotated[str, StringConstraints(pattern=r"^(/[a-z0-9_]+)+$", max_length=200)]
    old: Annotated[str, StringConstraints(max_length=300)]
    new: Annotated[str, StringConstraints(max_length=300)]
    reason: Text
    corrected_on: Day


class CertificateIssued(Body):
    """A certificate that was issued: digest of its content, and the log's size that the content was computed from.

    signer_sha256: digest of the X.509 certificate (DER) that alone may sign it.
    """

    certificate_id: Id
    kind: Literal["provenance", "co2"]
    batch_id: Id
    content_sha256: Sha256
    basis_tree_size: Annotated[StrictInt, Field(ge=1)]
    signer_sha256: Sha256
    supersedes: Id | None = None
    reason: Text | None = None


class CertificateRevoked(Body):
    """A certificate that no longer holds, and why."""

    certificate_id: Id
    reason: Text


TransformationBody = Step | Split | Blend | Pack

MATERIAL_ENTRIES: dict[str, type[Body]] = {
    "party": Party,
    "site": Site,
    "actor_key": ActorKey,
    **KEY_ENTRIES,
    "receipt": Receipt,
    "assay": Assay,
    "settlement": Settlement,
    "step": Step,
    "split": Split,
    "blend": Blend,
    "pack": Pack,
    "ship": Ship,
    "correction": Correction,
    "certificate_issued": CertificateIssued,
    "certificate_revoked": CertificateRevoked,
}


def parse_entry(entry_type: str, value: object, at: str = "") -> Body:
    """The body of an entry of `entry_type` from JSON data.

    Raises: InputError naming every field that is wrong, or the type if there is none such.
    """
    body_type = MATERIAL_ENTRIES.get(entry_type)
    if body_type is None:
        raise InputError(
            problem(f"{at}/type", entry_type, f"one of {', '.join(MATERIAL_ENTRIES)}", "Correct the entry's type.")
        )
    return parse_body(body_type, value, at)
