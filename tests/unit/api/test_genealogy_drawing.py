"""The drawing of a batch's family: downwards, without overlaps, every edge between its ends."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from api.web.genealogy import GAP_X, Node, draw


@st.composite
def graphs(drawn: st.DrawFn) -> tuple[list[Node], list[tuple[str, str]]]:
    """Nodes and edges of a random graph, parents before children."""
    count = drawn(st.integers(1, 14))
    nodes = [Node(str(i), drawn(st.sampled_from(["batch", "step"])), f"name {i}") for i in range(count)]
    pairs = [(i, j) for j in range(count) for i in range(j)]
    chosen = drawn(st.lists(st.sampled_from(pairs), unique=True, max_size=25)) if pairs else []
    return nodes, [(str(i), str(j)) for i, j in chosen]


@given(graphs())
def test_boxes_do_not_overlap_and_lie_within_the_drawing(graph: tuple[list[Node], list[tuple[str, str]]]) -> None:
    drawing = draw(*graph)
    boxes = drawing.nodes
    assert [box.node for box in boxes] == graph[0]
    for box in boxes:
        assert box.x - box.width / 2 >= 0
        assert box.x + box.width / 2 <= drawing.width + 1
        assert box.y - box.height / 2 >= 0
        assert box.y + box.height / 2 <= drawing.height + 1
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            if abs(one.y - other.y) < (one.height + other.height) / 2:
                assert abs(one.x - other.x) >= (one.width + other.width) / 2 + GAP_X - 0.01


@given(graphs())
def test_every_edge_leads_down_from_below_its_parent_to_above_its_child(
    graph: tuple[list[Node], list[tuple[str, str]]],
) -> None:
    drawing = draw(*graph)
    boxes = {box.node.key: box for box in drawing.nodes}
    assert len(drawing.edges) == len(graph[1])
    for (start, end), path in zip(graph[1], drawing.edges, strict=True):
        numbers = [float(text) for text in re.findall(r"-?\d+\.\d", path)]
        parent, child = boxes[start], boxes[end]
        assert abs(numbers[0] - parent.x) < 0.1
        assert abs(numbers[1] - (parent.y + parent.height / 2)) < 0.1
        assert abs(numbers[-2] - child.x) < 0.1
        assert abs(numbers[-1] - (child.y - child.height / 2)) < 0.1
        assert parent.y < child.y


def test_a_lot_that_is_used_late_stands_just_above_the_step_that_uses_it() -> None:
    nodes = [Node("lot", "batch", "lot"), *(Node(str(i), "step", "s") for i in range(4)), Node("acid", "batch", "acid")]
    order = [nodes[0], nodes[5], *nodes[1:5]]
    edges = [("lot", "0"), ("0", "1"), ("1", "2"), ("2", "3"), ("acid", "3")]
    boxes = {box.node.key: box for box in draw(order, edges).nodes}
    assert boxes["acid"].y == boxes["2"].y


def test_nothing_drawn_is_an_empty_drawing() -> None:
    assert draw([], []).nodes == []
