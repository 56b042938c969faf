"""What batches hold of each element.

A batch that was assayed holds its dry mass times the settled assay. Another holds what its inputs brought, less what
the assays of residues and of sibling outputs account for: that is carried, not measured.

Uncertainty is expanded (k=2) and comes from assays and scales. Each is one independent source, followed by name through
every step, so that halves of a batch add up to the uncertainty of the whole and not to less.
See docs/concepts/material.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from ledger.material.arithmetic import in_own_context
from ledger.material.chemistry import AtomicMasses, element_fractions
from ledger.material.composition import settled_components
from ledger.material.entries import Component, Output, Transformation
from ledger.material.genealogy import makers_upward
from ledger.material.plant import Plant

ROUNDING_KG = Decimal("1e-9")
"""A difference below this is rounding at the 28th digit, not mass."""


@dataclass(frozen=True)
class Content:
    """How much of an element a batch holds.

    mass_kg; uncertainty_kg: expanded (k=2), from all sources that state theirs.
    parts: signed uncertainty in kg by source. measured: by an assay of this batch, or of batches that it was only split
    from, packed from or blended of; else carried through a process step.
    """

    mass_kg: Decimal
    uncertainty_kg: Decimal
    parts: Mapping[str, Decimal] = field(default_factory=dict, repr=False)
    measured: bool = True


Contents = dict[str, dict[str, Content]]
"""Content by batch id and element."""


@in_own_context
def contents(plant: Plant, masses: AtomicMasses) -> Contents:
    """What every batch holds of each element that its or its inputs' assays name.

    Raises: InputError if an assay's compound has an element without an atomic mass.
    """
    return _contents(plant, masses, plant.receipts, plant.transformations)


@in_own_context
def contents_of(plant: Plant, masses: AtomicMasses, batch_ids: Iterable[str]) -> Contents:
    """As `contents`, of `batch_ids` and all their ancestors."""
    wanted = set(batch_ids)
    transformation_ids = makers_upward(plant, wanted)
    for transformation_id in transformation_ids:
        wanted.update(draw.batch_id for draw in plant.transformations[transformation_id][1].inputs)
    return _contents(plant, masses, [batch_id for batch_id in plant.receipts if batch_id in wanted], transformation_ids)


def is_assayed(plant: Plant, batch_id: str) -> bool:
    """Whether the batch's own assay tells what it holds: it has one, and a mass that the per cents apply to."""
    return plant.batches[batch_id].mass_kg is not None and settled_components(plant, batch_id) is not None


def holds_nothing(plant: Plant, batch_id: str) -> bool:
    """Whether a batch is taken to hold nothing for want of an assay: reagents, and streams that return to the plant."""
    if is_assayed(plant, batch_id):
        return False
    receipt = plant.receipts.get(batch_id)
    if receipt is not None:
        return receipt[1].form in ("acid", "other")
    return plant.batches[batch_id].role == "recycle"


def is_full(plant: Plant, batch_id: str, content: Content) -> bool:
    """Whether carried content fills the weighed batch, so that there was no room for more."""
    mass_kg = plant.batches[batch_id].mass_kg
    return not content.measured and mass_kg is not None and content.mass_kg >= mass_kg - ROUNDING_KG


@dataclass
class Amount:
    """A sum of masses of one element while it is being made; fields as in Content."""

    mass_kg: Decimal = Decimal(0)
    parts: dict[str, Decimal] = field(default_factory=dict)
    measured: bool = True

    def add(self, mass_kg: Decimal, parts: Mapping[str, Decimal], scale: Fraction, measured: bool) -> None:
        """Add `scale` times the mass."""
        self.mass_kg += _scaled(mass_kg, scale)
        for source, part in parts.items():
            self.parts[source] = self.parts.get(source, Decimal(0)) + _scaled(part, scale)
        self.measured = self.measured and (measured or mass_kg == 0)

    def content(self) -> Content:
        """The sum, final."""
        return Content(self.mass_kg, root_of_squares(self.parts), self.parts, self.measured)


Amounts = dict[str, Amount]


def _scaled(mass_kg: Decimal, scale: Fraction) -> Decimal:
    return mass_kg if scale == 1 else mass_kg * scale.numerator / scale.denominator


def root_of_squares(parts: Mapping[str, Decimal]) -> Decimal:
    """Uncertainty of a sum from its independent sources."""
    return sum((part * part for part in parts.values()), Decimal(0)).sqrt()


def add_content(amounts: Amounts, element: str, content: Content, scale: Fraction) -> None:
    """Add `scale` times the content to the amount of the element."""
    amounts.setdefault(element, Amount()).add(content.mass_kg, content.parts, scale, content.measured)


def _contents(plant: Plant, masses: AtomicMasses, lots: Iterable[str], transformation_ids: Iterable[str]) -> Contents:
    """Contents of the lots and of all outputs of the transformations, which come after those that they draw from."""
    known: Contents = {lot: _assayed(plant, masses, lot) or {} for lot in lots}
    for transformation_id in transformation_ids:
        transformation = plant.transformations[transformation_id][1]
        assayed = {output.batch_id: _assayed(plant, masses, output.batch_id) for output in transformation.outputs}
        known.update({batch_id: content for batch_id, content in assayed.items() if content is not None})
        carriers = [output for output in transformation.outputs if assayed[output.batch_id] is None]
        known.update({output.batch_id: {} for output in carriers})
        if carriers:
            _carry(plant, transformation, carriers, known, masses)
    return known


def _assayed(plant: Plant, masses: AtomicMasses, batch_id: str) -> dict[str, Content] | None:
    """Content by the settled assay; None if there is none, or no mass that its per cents could apply to."""
    mass_kg = plant.batches[batch_id].mass_kg
    components = settled_components(plant, batch_id)
    if mass_kg is None or components is None:
        return None
    receipt = plant.receipts.get(batch_id)
    scale_kg = Decimal(0) if receipt is None else receipt[1].dry_mass_uncertainty_kg()
    amounts = _amounts_of(components, mass_kg, scale_kg, batch_id, masses)
    return {element: amount.content() for element, amount in amounts.items()}


def _amounts_of(
    components: Iterable[Component], mass_kg: Decimal, scale_kg: Decimal, source: str, masses: AtomicMasses
) -> Amounts:
    """What `mass_kg` of a material with these components holds.

    scale_kg: expanded uncertainty of mass_kg. source: what was sampled, the name of the sources of uncertainty.
    """
    amounts: Amounts = {}
    for component in components:
        for element, fraction in element_fractions(component.species, masses).items():
            share = component.wt_percent / 100 * fraction
            held = mass_kg * share
            parts = {}
            if component.uncertainty_percent:
                parts[f"{source} {component.species}"] = held * component.uncertainty_percent / 100
            if scale_kg:
                parts[f"{source} mass"] = scale_kg * share
            amounts.setdefault(element, Amount()).add(held, parts, Fraction(1), True)
    return amounts


def _inputs(plant: Plant, transformation: Transformation, known: Contents) -> Amounts:
    amounts: Amounts = {}
    for draw in transformation.inputs:
        share = plant.batches[draw.batch_id].drawn_share(draw)
        for element, content in known[draw.batch_id].items():
            add_content(amounts, element, content, share)
    return amounts


@in_own_context
def residues_of(transformation: Transformation, masses: AtomicMasses) -> Amounts:
    """What the residues of the transformation hold by their assays; without an assay nothing."""
    amounts: Amounts = {}
    for place, residue in enumerate(transformation.residues):
        source = f"{transformation.id} residue {place}"
        for element, amount in _amounts_of(residue.components, residue.mass_kg, Decimal(0), source, masses).items():
            amounts.setdefault(element, Amount()).add(amount.mass_kg, amount.parts, Fraction(1), True)
    return amounts


def _carry(
    plant: Plant,
    transformation: Transformation,
    carriers: list[Output],
    known: Contents,
    masses: AtomicMasses,
) -> None:
    """Give the outputs without an assay what went in less what assays of residues and other outputs account for.

    An output that states what it carries gets those elements only; where one does, the others get none. A stream that
    returns to the plant is taken to hold nothing that no assay of it shows. Less than nothing left is nothing: the
    balance then shows more out than in. More than there is room for is not carried, and stays unaccounted.
    """
    residues = residues_of(transformation, masses)
    sizes = {output.batch_id: output.mass_kg for output in carriers}
    for element, amount in _inputs(plant, transformation, known).items():
        if residue := residues.get(element):
            amount.add(residue.mass_kg, residue.parts, Fraction(-1), True)
        for output in transformation.outputs:
            if output not in carriers and (content := known[output.batch_id].get(element)):
                amount.add(content.mass_kg, content.parts, Fraction(-1), True)
        mass_kg = max(amount.mass_kg, Decimal(0))
        measured = amount.measured and transformation.conserves_mass
        for batch_id, share in _carried_shares(plant, transformation, carriers, element).items():
            part = Amount(measured=measured)
            part.add(mass_kg, amount.parts, share, measured)
            most_kg = _most_kg(plant, transformation, sizes[batch_id], known, element)
            if most_kg is not None and part.mass_kg > most_kg + ROUNDING_KG:
                scale = Fraction(most_kg) / Fraction(part.mass_kg)
                whole, part = part, Amount(measured=measured)
                part.add(whole.mass_kg, whole.parts, scale, measured)
            known[batch_id][element] = part.content()


def _most_kg(
    plant: Plant, transformation: Transformation, size_kg: Decimal | None, known: Contents, element: str
) -> Decimal | None:
    """The most of the element that an output of this mass can hold; None if it was not weighed.

    No batch holds more of an element than it weighs, and a blend is not richer than its richest input.
    """
    if size_kg is None or transformation.kind != "blend":
        return size_kg
    most = Decimal(0)
    for draw in transformation.inputs:
        drawn_kg = plant.batches[draw.batch_id].mass_kg
        if drawn_kg is None:
            return size_kg
        content = known[draw.batch_id].get(element)
        most = max(most, Decimal(0) if content is None else content.mass_kg / drawn_kg)
    return size_kg * most


def _carried_shares(
    plant: Plant, transformation: Transformation, carriers: list[Output], element: str
) -> dict[str, Fraction]:
    """How the element divides among the outputs without an assay: one measure of size for all, or it is not known.

    A split or packing makes nothing purer: its outputs hold what their size holds of the input, and what was lost
    between the scales is lost to them. Any other transformation carries everything on.
    """
    if transformation.kind in ("split", "pack") and (drawn := _drawn_size(plant, transformation)):
        sizes_drawn = {output.batch_id: output.mass_kg or output.volume_l for output in carriers}
        assayed = sum(
            (output.mass_kg or output.volume_l or 0 for output in transformation.outputs if output not in carriers),
            Decimal(0),
        )
        return {
            batch_id: Fraction(size) / Fraction(drawn - assayed)
            for batch_id, size in sizes_drawn.items()
            if size is not None and drawn > assayed
        }
    if any(output.carries for output in transformation.outputs):
        takers = [output for output in carriers if element in output.carries]
    else:
        takers = [output for output in carriers if output.role == "product"]
    if len(takers) == 1:
        return {takers[0].batch_id: Fraction(1)}
    for sizes in ([output.mass_kg for output in takers], [output.volume_l for output in takers]):
        measured = [Fraction(size) for size in sizes if size is not None]
        if measured and len(measured) == len(takers):
            total = sum(measured, Fraction(0))
            return {output.batch_id: size / total for output, size in zip(takers, measured, strict=True)}
    return {}


def _drawn_size(plant: Plant, transformation: Transformation) -> Decimal | None:
    """What a transformation of one input draws, in kg or litres; None if the input is not measured."""
    (draw,) = transformation.inputs
    return draw.mass_kg or draw.volume_l or plant.batches[draw.batch_id].size
