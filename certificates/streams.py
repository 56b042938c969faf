"""The rare earths on their way from the lots to a batch: which stream goes where, and what leaves it.

Worked out from a provenance content alone: its steps name their streams and how much rare-earth element each holds.
Liquors have no mass that would mean anything beside an oxide's, so the elements are what can be followed through every
step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

NEGLIGIBLE_KG = Decimal("0.0005")
"""Half of the last digit that is shown: a smaller difference is rounding."""

ExitKind = Literal["residue", "unaccounted", "elsewhere"]


@dataclass(frozen=True)
class Stream:
    """Rare-earth elements from a lot or step to a step or the batch. amount_kg: above zero."""

    source: str
    target: str
    amount_kg: Decimal


@dataclass(frozen=True)
class Exit:
    """What leaves the way to the batch: a residue, an unaccounted difference, or a product that went elsewhere."""

    kind: ExitKind
    label: str
    amount_kg: Decimal


@dataclass(frozen=True)
class Node:
    """A lot, a step, or the batch itself.

    level: its row; every stream goes to a larger one. exits: in the order of the step's residues and outputs.
    gain_kg: how much more comes out than went in, zero or more; assays are uncertain.
    """

    key: str
    kind: Literal["lot", "step", "batch"]
    name: str
    words: str
    level: int
    size_kg: Decimal
    exits: tuple[Exit, ...] = ()
    gain_kg: Decimal = Decimal(0)


@dataclass(frozen=True)
class StreamMap:
    """Nodes in the order of their level, and the streams between them."""

    nodes: tuple[Node, ...]
    streams: tuple[Stream, ...]


def map_streams(content: Mapping[str, Any]) -> StreamMap | None:
    """The streams of rare earths in a provenance content, or None where a stream does not say what it holds.

    A lot stands one row above the step that first draws on it. Lots, streams and exits of nothing are left out.
    """
    steps = content["steps"]
    if any("rare_earths_kg" not in item for step in steps for item in (*step["inputs"], *step["outputs"])):
        return None
    batch_id = content["batch"]["batch_id"]
    maker = {item["batch_id"]: f"step:{step['step_id']}" for step in steps for item in step["outputs"]}
    streams = []
    drawn: dict[str, Decimal] = {}
    for step in steps:
        for item in step["inputs"]:
            amount = Decimal(item["rare_earths_kg"])
            name = item["batch_id"]
            drawn[name] = drawn.get(name, Decimal(0)) + amount
            if amount >= NEGLIGIBLE_KG:
                streams.append(Stream(maker.get(name, f"lot:{name}"), f"step:{step['step_id']}", amount))
    made = {item["batch_id"]: Decimal(item["rare_earths_kg"]) for step in steps for item in step["outputs"]}
    if batch_id not in made or made[batch_id] < NEGLIGIBLE_KG:
        return None
    streams.append(Stream(maker[batch_id], "batch", made[batch_id]))
    levels = _levels([f"step:{step['step_id']}" for step in steps], streams)
    nodes = [_lot_node(lot, streams, levels) for lot in content["lots"] if f"lot:{lot['batch_id']}" in levels]
    for step in steps:
        key = f"step:{step['step_id']}"
        if key in levels:
            nodes.append(_step_node(step, levels[key], drawn, batch_id))
    nodes.append(Node("batch", "batch", batch_id, content["batch"]["product"], levels["batch"], made[batch_id]))
    return StreamMap(tuple(sorted(nodes, key=lambda node: node.level)), tuple(streams))


def _levels(step_keys: list[str], streams: list[Stream]) -> dict[str, int]:
    """The row of every node that a stream touches: the longest way from a lot; a lot just above its first step.

    step_keys: in log order, so that a step comes after those it draws on.
    """
    levels: dict[str, int] = {}
    for key in (*step_keys, "batch"):
        above = [levels.get(stream.source, 0) for stream in streams if stream.target == key]
        if above:
            levels[key] = max(above) + 1
    for stream in streams:
        if stream.source.startswith("lot:"):
            row = levels[stream.target] - 1
            levels[stream.source] = min(row, levels.get(stream.source, row))
    return levels


def _lot_node(lot: Mapping[str, Any], streams: list[Stream], levels: Mapping[str, int]) -> Node:
    key = f"lot:{lot['batch_id']}"
    size = sum((stream.amount_kg for stream in streams if stream.source == key), Decimal(0))
    return Node(key, "lot", lot["batch_id"], lot["description"], levels[key], size)


def _step_node(step: Mapping[str, Any], level: int, drawn: Mapping[str, Decimal], batch_id: str) -> Node:
    into = sum((Decimal(item["rare_earths_kg"]) for item in step["inputs"]), Decimal(0))
    out = sum((Decimal(item["rare_earths_kg"]) for item in step["outputs"]), Decimal(0))
    exits = []
    for item in step["residues"]:
        amount = Decimal(item.get("rare_earths_kg", "0"))
        out += amount
        exits.append(Exit("residue", item["description"], amount))
    for item in step["outputs"]:
        rest = Decimal(item["rare_earths_kg"]) - drawn.get(item["batch_id"], Decimal(0))
        if item["batch_id"] != batch_id:
            exits.append(Exit("elsewhere", f"{item['batch_id']}, {item['product']}", rest))
    exits.append(Exit("unaccounted", "unaccounted", into - out))
    return Node(
        f"step:{step['step_id']}",
        "step",
        step["step_id"],
        step["process"],
        level,
        max(into, out),
        tuple(item for item in exits if item.amount_kg >= NEGLIGIBLE_KG),
        max(out - into, Decimal(0)) if out - into >= NEGLIGIBLE_KG else Decimal(0),
    )
