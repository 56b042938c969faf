"""A batch's family as a drawing: lots on top, products below, steps between. Pure: names in, coordinates out.

Layered drawing after Sugiyama, in its plainest form: layers by longest path, dummy points where an edge spans several
layers, order and place by the mean of the neighbours. A table beside it says the same for whoever cannot see it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

BATCH_WIDTH, BATCH_HEIGHT = 196, 74
STEP_HEIGHT = 30
CHARACTER_WIDTH = 7.4
"""Width of a character of a step's label, in px, generously."""

GAP_X, GAP_Y, MARGIN = 22, 34, 4
SWEEPS = 12


@dataclass(frozen=True)
class Node:
    """A batch or a step. under: further lines of a batch. css: further classes. href: where it leads; "" for
    nowhere."""

    key: str
    kind: str
    text: str
    under: tuple[str, ...] = ()
    css: str = ""
    href: str = ""


@dataclass(frozen=True)
class Placed:
    """A node with the centre and size of its box, in px."""

    node: Node
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Drawing:
    """Everything that the template needs. edges: SVG path data."""

    width: int
    height: int
    nodes: list[Placed]
    edges: list[str]


def draw(nodes: Sequence[Node], edges: Sequence[tuple[str, str]]) -> Drawing:
    """The drawing of `nodes`, with `edges` (from, to) that all lead downwards.

    nodes: parents before children.
    """
    layer_of = _layers([node.key for node in nodes], edges)
    by_key = {node.key: node for node in nodes}
    widths = {node.key: _width(node) for node in nodes}
    links, chains = _split_long_edges(edges, layer_of, widths)
    rows = _rows(layer_of)
    above, below = _neighbours(links)
    places = _place(rows, above, below, widths)
    left = min((places[key] - widths[key] / 2 for key in places), default=0.0) - MARGIN
    right = max((places[key] + widths[key] / 2 for key in places), default=0.0) + MARGIN
    middles, bottom = _heights(rows, by_key)
    placed = [
        Placed(node, places[node.key] - left, middles[layer_of[node.key]], widths[node.key], _height(node))
        for node in nodes
    ]
    half = {key: _height(node) / 2 for key, node in by_key.items()}
    row_half = [max((half[key] for key in row if key in half), default=0.0) for row in rows]
    paths = [
        _path([(places[key] - left, middles[layer_of[key]], half.get(key, row_half[layer_of[key]])) for key in chain])
        for chain in chains
    ]
    return Drawing(round(right - left), round(bottom), placed, paths)


def _layers(keys: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Layer of each node: below all its parents; what has no parent comes down to just above its first child."""
    parents: dict[str, list[str]] = {key: [] for key in keys}
    children: dict[str, list[str]] = {key: [] for key in keys}
    for start, end in edges:
        parents[end].append(start)
        children[start].append(end)
    layer: dict[str, int] = {}
    for key in keys:
        layer[key] = max((layer[parent] + 1 for parent in parents[key]), default=0)
    for key in keys:
        if not parents[key] and children[key]:
            layer[key] = min(layer[child] for child in children[key]) - 1
    return layer


def _split_long_edges(
    edges: Sequence[tuple[str, str]], layer_of: dict[str, int], widths: dict[str, float]
) -> tuple[list[tuple[str, str]], list[list[str]]]:
    """Edges between neighbouring layers, and each edge as the chain of points that it runs through.

    Dummy points are added to layer_of and widths.
    """
    links: list[tuple[str, str]] = []
    chains: list[list[str]] = []
    for number, (start, end) in enumerate(edges):
        chain = [start]
        for layer in range(layer_of[start] + 1, layer_of[end]):
            dummy = f"\0{number}/{layer}"
            layer_of[dummy] = layer
            widths[dummy] = 10.0
            chain.append(dummy)
        chain.append(end)
        links.extend(pairwise(chain))
        chains.append(chain)
    return links, chains


def _rows(layer_of: Mapping[str, int]) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(max(layer_of.values(), default=-1) + 1)]
    for key, layer in layer_of.items():
        rows[layer].append(key)
    return rows


def _neighbours(links: Iterable[tuple[str, str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for start, end in links:
        below.setdefault(start, []).append(end)
        above.setdefault(end, []).append(start)
    return above, below


def _place(
    rows: list[list[str]],
    above: Mapping[str, list[str]],
    below: Mapping[str, list[str]],
    widths: Mapping[str, float],
) -> dict[str, float]:
    """Middle of each node, in px: down and up again, each row ordered and placed by the mean of its neighbours."""
    places: dict[str, float] = {}
    for row in rows:
        _set_row(row, dict.fromkeys(row, 0.0), widths, places)
    for sweep in range(SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = {key: _mean([places[other] for other in neighbours.get(key, [key])]) for key in row}
            row.sort(key=lambda key: wanted[key])
            _set_row(row, wanted, widths, places)
    return places


def _set_row(
    row: list[str], wanted: Mapping[str, float], widths: Mapping[str, float], places: dict[str, float]
) -> None:
    """Put a row's nodes side by side, as near to where they want to be as their widths allow."""
    groups: list[list[str]] = []
    for key in row:
        groups.append([key])
        # A group that would overlap the one before it joins it; both then stand around their common mean.
        while len(groups) > 1 and _left(groups[-1], wanted, widths) < _right(groups[-2], wanted, widths) + GAP_X:
            last = groups.pop()
            groups[-1].extend(last)
    for group in groups:
        x = _left(group, wanted, widths)
        for key in group:
            places[key] = x + widths[key] / 2
            x += widths[key] + GAP_X


def _span(group: list[str], widths: Mapping[str, float]) -> float:
    return sum(widths[key] for key in group) + GAP_X * (len(group) - 1)


def _left(group: list[str], wanted: Mapping[str, float], widths: Mapping[str, float]) -> float:
    return _mean([wanted[key] for key in group]) - _span(group, widths) / 2


def _right(group: list[str], wanted: Mapping[str, float], widths: Mapping[str, float]) -> float:
    return _left(group, wanted, widths) + _span(group, widths)


def _heights(rows: list[list[str]], by_key: Mapping[str, Node]) -> tuple[list[float], float]:
    """Middle of each row, and the height of all, in px."""
    middles: list[float] = []
    y = float(MARGIN)
    for row in rows:
        height = max((_height(by_key[key]) for key in row if key in by_key), default=0)
        middles.append(y + height / 2)
        y += height + GAP_Y
    return middles, y - GAP_Y + MARGIN


def _path(points: list[tuple[float, float, float]]) -> str:
    """A line through `points` (x, y, half height): from below the first to above the last, straight past those
    between."""
    (x, y, half), *rest = points
    y += half
    text = f"M{x:.1f} {y:.1f}"
    for index, (next_x, next_y, next_half) in enumerate(rest):
        top = next_y - next_half
        middle = (y + top) / 2
        text += f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {top:.1f}"
        x, y = next_x, top
        if index < len(rest) - 1:
            y = next_y + next_half
            text += f"V{y:.1f}"
    return text


def _width(node: Node) -> float:
    return BATCH_WIDTH if node.kind == "batch" else max(90.0, CHARACTER_WIDTH * len(node.text) + 24)


def _height(node: Node) -> float:
    return BATCH_HEIGHT if node.kind == "batch" else STEP_HEIGHT


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
