"""The rules for what flows through a transformation: what it draws is there, what it makes is new and not heavier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from ledger.errors import InputError, OverdrawnError, Problem, RuleError, UnknownIdError, problem
from ledger.material.chemistry import ELEMENTS, RARE_EARTHS, AtomicMasses
from ledger.material.entries import Draw, Output, Transformation, TransformationBody
from ledger.material.plant import RECEIPT, Batch, Plant
from ledger.material.rules import check_amount, check_new_id, check_species, made_later, unknown
from ledger.quantity import format_decimal


def check_transformation(plant: Plant, body: TransformationBody, masses: AtomicMasses) -> dict[str, Batch]:
    """Check a step, split, blend or pack.

    Returns: the batches that it draws from, as they are after it.
    Raises: DuplicateIdError, UnknownIdError, OverdrawnError, RuleError or InputError.
    """
    transformation = body.transformation()
    inputs = dict(zip(_pointers(body, "input", len(transformation.inputs)), transformation.inputs, strict=True))
    outputs = dict(zip(_pointers(body, "output", len(transformation.outputs)), transformation.outputs, strict=True))
    _check_ids(plant, transformation, inputs, outputs)
    _check_elements(transformation, outputs, masses)
    _check_recycle(transformation, outputs)
    drawn = _draw_all(plant, inputs)
    late = [
        made_later(plant.batches[draw.batch_id], "/performed_on", transformation.on.isoformat())
        for draw in transformation.inputs
        if plant.batches[draw.batch_id].made_on > transformation.on
    ]
    if late:
        raise RuleError(*late)
    if transformation.conserves_mass:
        _check_one_measure(plant, transformation, outputs)
        _check_not_more(plant, transformation, "/output" if "/output" in outputs else "/outputs")
    return drawn


def _pointers(body: TransformationBody, name: str, count: int) -> list[str]:
    """JSON pointers of the inputs or outputs in the body: a list of them, or the only one."""
    if name in type(body).model_fields:
        return [f"/{name}"]
    return [f"/{name}s/{place}" for place in range(count)]


def _check_ids(
    plant: Plant, transformation: Transformation, inputs: Mapping[str, Draw], outputs: Mapping[str, Output]
) -> None:
    id_field = f"/{transformation.kind}_id"
    check_new_id(transformation.id, (RECEIPT,), id_field, "the taking in of lots")
    check_new_id(transformation.id, plant.transformations, id_field, "a step")
    drawn = {draw.batch_id for draw in transformation.inputs}
    made: set[str] = set()
    for field, output in outputs.items():
        if output.batch_id in drawn:
            raise RuleError(
                problem(
                    f"{field}/batch_id",
                    output.batch_id,
                    "a batch other than the inputs: what comes out is a new batch",
                    "Give the output an id of its own.",
                )
            )
        check_new_id(output.batch_id, plant.batches, f"{field}/batch_id", "a batch")
        check_new_id(output.batch_id, made, f"{field}/batch_id", "an output")
        made.add(output.batch_id)
    missing = [
        unknown(f"{field}/batch_id", draw.batch_id, "a batch", "receipt or step that makes it")
        for field, draw in inputs.items()
        if draw.batch_id not in plant.batches
    ]
    if missing:
        raise UnknownIdError(*missing)


def _check_elements(transformation: Transformation, outputs: Mapping[str, Output], masses: AtomicMasses) -> None:
    for place, residue in enumerate(transformation.residues):
        check_species(residue.components, masses, f"/residues/{place}/components")
    wrong = [
        problem(f"{field}/carries/{place}", element, "the symbol of an element, such as Nd", "Correct the symbol.")
        for field, output in outputs.items()
        for place, element in enumerate(output.carries)
        if element not in ELEMENTS
    ]
    if wrong:
        raise InputError(*wrong)


def _check_recycle(transformation: Transformation, outputs: Mapping[str, Output]) -> None:
    """A stream that returns to the plant carries no burden: it may be no material that burden belongs to.

    Handling makes none: what is split, blended or packed is the same material as before. A step may, but no stream
    that is said to carry rare earths; one that is assayed to hold them is refused in `rules.check_assay`.
    """
    wrong = []
    for field, output in outputs.items():
        if output.role != "recycle":
            continue
        if transformation.conserves_mass:
            expected = f'"product": what a {transformation.kind} makes is the material that it draws'
            wrong.append(problem(f"{field}/role", output.role, expected, "Leave the role out."))
        wrong += [
            problem(
                f"{field}/carries/{place}",
                element,
                "no rare earth in a stream that returns to the plant, for it carries no burden",
                'Make it an output of role "product", which shares the burden of the step.',
            )
            for place, element in enumerate(output.carries)
            if element in RARE_EARTHS
        ]
    if wrong:
        raise RuleError(*wrong)


def _draw_all(plant: Plant, inputs: Mapping[str, Draw]) -> dict[str, Batch]:
    """The batches after all draws, one after the other: a batch drawn twice must be enough for both."""
    drawn: dict[str, Batch] = {}
    wrong: list[Problem] = []
    overdrawn: list[Problem] = []
    for field, draw in inputs.items():
        batch = drawn.get(draw.batch_id, plant.batches[draw.batch_id])
        try:
            drawn[draw.batch_id] = _draw(batch, draw, field)
        except OverdrawnError as error:
            overdrawn += error.problems
        except RuleError as error:
            wrong += error.problems
    if wrong:
        raise RuleError(*wrong, *overdrawn)
    if overdrawn:
        raise OverdrawnError(*overdrawn)
    return drawn


def _draw(batch: Batch, draw: Draw, field: str) -> Batch:
    """The batch after the draw."""
    if draw.whole:
        return _draw_whole(batch, field)
    name, amount, size = ("mass_kg", draw.mass_kg, batch.mass_kg)
    if amount is None:
        name, amount, size = ("volume_l", draw.volume_l, batch.volume_l)
    assert amount is not None  # a Draw has one measure
    if batch.remaining == 0:
        raise _nothing_left(batch, f"{field}/{name}", format_decimal(amount))
    if size is None:
        measures = {"kg": "mass_kg: it is weighed", "L": "volume_l: its volume is measured"}
        expected = measures.get(batch.unit, '"whole": true: it is not measured')
        raise RuleError(
            problem(
                f"{field}/{name}",
                format_decimal(amount),
                f"a draw from {batch.batch_id} by {expected}",
                "State the draw in the measure of the batch.",
            )
        )
    check_amount(batch, amount, batch.remaining or Decimal(0), f"{field}/{name}")
    return replace(batch, drawn=batch.drawn + amount)


def _draw_whole(batch: Batch, field: str) -> Batch:
    if batch.status == "in stock":
        return replace(batch, drawn=batch.size or Decimal(0), drawn_whole=True)
    if not batch.remaining:
        raise _nothing_left(batch, f"{field}/whole", True)
    measure = "mass_kg" if batch.mass_kg is not None else "volume_l"
    left = format_decimal(batch.remaining)
    raise RuleError(
        problem(
            f"{field}/whole",
            True,
            f"the amount, for {batch.batch_id} is not whole any more: {left} {batch.unit} are left",
            f'Write "{measure}": "{left}" for all that is left.',
        )
    )


def _nothing_left(batch: Batch, field: str, value: object) -> OverdrawnError:
    return OverdrawnError(
        problem(
            field,
            value,
            f"a batch that is there: {format_decimal(batch.size or Decimal(0))} {batch.unit} of {batch.batch_id} were "
            "there, and nothing is left"
            if batch.size
            else f"a batch that is there; all of {batch.batch_id} was drawn",
            "Draw from another batch; if an earlier entry is wrong, log a correction of it first.",
        )
    )


def _check_one_measure(plant: Plant, transformation: Transformation, outputs: Mapping[str, Output]) -> None:
    """What handling draws and what comes of it is measured alike: a litre less a kilogram tells nothing.

    The parts of a split are measured in any case, else nobody knows what each holds; what is packed or blended from a
    batch without a measure may be in either, or in none.
    """
    units = {plant.batches[draw.batch_id].unit for draw in transformation.inputs} - {""}
    if len(units) > 1:
        drawn = ", ".join(
            f"{draw.batch_id} in {plant.batches[draw.batch_id].unit or 'no measure'}" for draw in transformation.inputs
        )
        raise RuleError(
            problem(
                "/inputs", drawn, "batches in one measure, kg or litres", "Log the step that dries or dissolves one."
            )
        )
    if not units and transformation.kind != "split":
        return
    wanted = {"kg": ("mass_kg",), "L": ("volume_l",)}.get("".join(units), ("mass_kg", "volume_l"))
    first = next(iter(outputs.values()))
    name = next((name for name in wanted if getattr(first, name) is not None), wanted[0])
    missing = [
        problem(
            f"{field}/{name}",
            None,
            f"the size of what the {transformation.kind} makes, in the measure of what it draws",
            f"Add {name}; what changes the measure, as drying does, is a step.",
        )
        for field, output in outputs.items()
        if getattr(output, name) is None
    ]
    if missing:
        raise RuleError(*missing)


def _check_not_more(plant: Plant, transformation: Transformation, field: str) -> None:
    """Where nothing but handling happens, no more comes out than went in, if both are in one measure."""
    for name, unit in (("mass_kg", "kg"), ("volume_l", "L")):
        amounts = [_amount(plant, draw, unit) for draw in transformation.inputs]
        sizes = [getattr(output, name) for output in transformation.outputs]
        if None in amounts or None in sizes:
            continue
        total_in, total_out = sum(filter(None, amounts), Decimal(0)), sum(sizes, Decimal(0))
        if total_out > total_in:
            raise RuleError(
                problem(
                    field,
                    format_decimal(total_out),
                    f"together at most the {format_decimal(total_in)} {unit} that the {transformation.kind} draws: "
                    f"this is {format_decimal(total_out - total_in)} {unit} too much",
                    "Check what was weighed; a process that adds material is a step.",
                )
            )


def _amount(plant: Plant, draw: Draw, unit: str) -> Decimal | None:
    """What the draw takes in `unit`; None if it is in another or not measured."""
    batch = plant.batches[draw.batch_id]
    if batch.unit != unit:
        return None
    return batch.size if draw.whole else draw.mass_kg if unit == "kg" else draw.volume_l
