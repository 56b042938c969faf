"""The list of batches, and one batch: figures, genealogy, element balance, footprint, certificates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from api import auth
from api.auth import PageLogin
from api.services import ServicesNow
from api.web.formatting import size_words
from api.web.genealogy import Drawing, Node, draw
from api.web.templating import render_page
from ledger.errors import RuleError
from ledger.material.batch import Plant
from ledger.service.context import Ledger
from ledger.service.footprints import footprint_value_of
from ledger.service.read import batch_summary, batch_view, list_batches, plant_of

router = APIRouter(dependencies=[Depends(auth.login_if_any)])

PAGE_SIZE = 50
MAX_DRAWN = 80
"""Batches and steps in a drawing; beyond it the table alone is readable."""

ALLOCATIONS = ("mass", "economic", "element")


@router.get("/batches")
def batches(
    request: Request,
    _login: PageLogin,
    services: ServicesNow,
    q: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Batches, newest first, those that match the search."""
    everything = list_batches(services.ledger)
    words = q.lower().split()
    found = [batch for batch in reversed(everything) if _matches(batch, words)]
    start = (page - 1) * PAGE_SIZE
    return render_page(
        request,
        "batches.html",
        batches=found[start : start + PAGE_SIZE],
        found=len(found),
        total=len(everything),
        query=q,
        page=page,
        pages=max(1, -(-len(found) // PAGE_SIZE)),
    )


@router.get("/batches/{batch_id}")
def batch(request: Request, _login: PageLogin, services: ServicesNow, batch_id: str) -> Response:
    """Everything about one batch."""
    view = batch_view(services.ledger, batch_id)
    plant = plant_of(services.ledger)
    family = _family(plant, batch_id, view)
    return render_page(
        request,
        "batch.html",
        view=view,
        batch=view["batch"],
        family=family,
        drawing=_drawing(plant, batch_id, family),
        footprint=_footprint(services.ledger, batch_id),
    )


def _matches(batch: dict[str, Any], words: list[str]) -> bool:
    text = f"{batch['batch_id']} {batch['product']} {batch['status']} {batch['campaign'] or ''}".lower()
    return all(word in text for word in words)


@dataclass(frozen=True)
class FamilyMember:
    """A relative in the table. relation: "made from it" or "it was made from"; via: the step between, and its
    process."""

    relation: str
    batch: dict[str, Any]
    depth: int
    via: str
    process: str


def _family(plant: Plant, batch_id: str, view: dict[str, Any]) -> list[FamilyMember]:
    """Ancestors, farthest first, then descendants, nearest first: the order in which it happened."""
    up = [_member(plant, "ancestor", link) for link in reversed(view["ancestors"])]
    return up + [_member(plant, "descendant", link) for link in view["descendants"]]


def _member(plant: Plant, relation: str, link: dict[str, Any]) -> FamilyMember:
    process = plant.transformations[link["via"]][1].process
    summary = batch_summary(plant.batches[link["batch_id"]])
    return FamilyMember(relation, summary, link["depth"], link["via"], process)


def _drawing(plant: Plant, batch_id: str, family: list[FamilyMember]) -> Drawing | None:
    """The family as a drawing; None for a batch without relatives or with too many for one."""
    members = {batch_id, *(member.batch["batch_id"] for member in family)}
    up = {batch_id, *(member.batch["batch_id"] for member in family if member.relation == "ancestor")}
    down = members - up
    steps: dict[str, tuple[list[str], list[str]]] = {}
    for step_id, (_, step) in plant.transformations.items():
        made = [output.batch_id for output in step.outputs]
        drawn = [draw.batch_id for draw in step.inputs]
        # Upwards: steps that made an ancestor or the batch, with all their inputs. Downwards: steps that drew from it
        # or a descendant, with all their outputs. So no line leads to what is neither.
        if any(name in up for name in made):
            steps[step_id] = ([name for name in drawn if name in up], [name for name in made if name in up])
        elif any(name in down or name == batch_id for name in drawn):
            parents = [name for name in drawn if name in down or name == batch_id]
            steps[step_id] = (parents, [name for name in made if name in down])
    if not steps or len(members) + len(steps) > MAX_DRAWN:
        return None
    nodes = [_batch_node(plant, name, batch_id) for name in members if _is_root(name, steps)]
    for step_id, (_, made) in _in_order(plant, steps).items():
        nodes.append(Node(f"step {step_id}", "step", _short(plant.transformations[step_id][1].process, 30)))
        nodes.extend(_batch_node(plant, name, batch_id) for name in made)
    edges = [
        edge
        for step_id, (drawn, made) in steps.items()
        for edge in [
            *((f"batch {name}", f"step {step_id}") for name in dict.fromkeys(drawn)),
            *((f"step {step_id}", f"batch {name}") for name in made),
        ]
    ]
    return draw(nodes, edges)


def _is_root(name: str, steps: dict[str, tuple[list[str], list[str]]]) -> bool:
    return not any(name in made for _, made in steps.values())


def _in_order(plant: Plant, steps: dict[str, tuple[list[str], list[str]]]) -> dict[str, tuple[list[str], list[str]]]:
    """`steps` in the order in which they were logged: what a step draws was made before."""
    return dict(sorted(steps.items(), key=lambda item: plant.transformations[item[0]][0]))


def _batch_node(plant: Plant, name: str, here: str) -> Node:
    batch = plant.batches[name]
    css = "here" if name == here else "lot" if batch.made_by == "receipt" else ""
    under = (_short(batch.product, 25), size_words(batch_summary(batch)))
    return Node(f"batch {name}", "batch", _short(name, 24), under, css, f"/batches/{name}")


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _footprint(ledger: Ledger, batch_id: str) -> dict[str, Any]:
    """The footprint by mass with the other allocations beside it, or the reason why there is none."""
    try:
        return footprint_value_of(ledger, batch_id, "mass") | {"not_available": ""}
    except RuleError as error:
        return {"not_available": "; ".join(f"{item.value}: expected {item.expected}" for item in error.problems)}
