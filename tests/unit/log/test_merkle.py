"""The tree: known answers, ranges, and what verification refuses. Every small tree: test_independent_checkers.py."""

from __future__ import annotations

import pytest

from ledger.errors import InputError, MalformedProofError, RootMismatchError
from ledger.log.merkle import (
    EMPTY_ROOT,
    MAX_TREE_SIZE,
    Frontier,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_hash,
    verify_consistency,
    verify_inclusion,
)

# Inputs and roots of Certificate Transparency's reference tests (transparency-dev/merkle, testonly/constants.go).
CT_INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(data) for data in CT_INPUTS]
A, B, C, D, E, F, J = (leaf_hash(letter.encode()) for letter in "abcdefj")


def test_roots_are_those_of_the_certificate_transparency_reference() -> None:
    assert [root_hash(LEAVES[:size]).hex() for size in range(9)] == CT_ROOTS


def test_a_frontier_grows_through_the_same_roots() -> None:
    frontier = Frontier()
    roots = [frontier.root().hex()]
    for leaf in LEAVES:
        frontier = frontier.append(leaf)
        roots.append(frontier.root().hex())
    assert roots == CT_ROOTS
    assert frontier == Frontier(8, (bytes.fromhex(CT_ROOTS[8]),))


def test_a_frontier_grown_by_many_leaves_at_once_is_the_same() -> None:
    for first in range(9):
        grown = Frontier().extend(LEAVES[:first]).extend(iter(LEAVES[first:]))
        assert grown == Frontier(8, (bytes.fromhex(CT_ROOTS[8]),))
        assert Frontier().extend(LEAVES[:first]).root().hex() == CT_ROOTS[first]


def test_peaks_stand_from_the_largest_subtree_to_the_smallest() -> None:
    frontier = Frontier()
    for leaf in LEAVES[:7]:
        frontier = frontier.append(leaf)
    # 7 = 4 + 2 + 1
    assert frontier.peaks == (root_hash(LEAVES[:4]), root_hash(LEAVES[4:6]), LEAVES[6])


@pytest.mark.parametrize(
    ("tree_size", "peaks"), [(0, (A,)), (1, ()), (3, (A,)), (4, (A, B)), (1, (b"short",)), (-1, ()), (2**53, (A,))]
)
def test_peaks_that_cannot_belong_to_the_size_are_refused(tree_size: int, peaks: tuple[bytes, ...]) -> None:
    with pytest.raises(MalformedProofError):
        Frontier(tree_size, peaks)


def test_the_example_of_rfc_9162_comes_out() -> None:
    """RFC 9162, 2.1.5: seven leaves with the hashes a to f and j, the nodes g, h, i, k, l, and the paths it lists."""
    leaves = [A, B, C, D, E, F, J]
    g, h, i = node_hash(A, B), node_hash(C, D), node_hash(E, F)
    k, last = node_hash(g, h), node_hash(i, J)  # "last" is the RFC's l
    assert root_hash(leaves) == node_hash(k, last)
    assert inclusion_path(leaves, 0) == [B, h, last]
    assert inclusion_path(leaves, 3) == [C, g, last]
    assert inclusion_path(leaves, 4) == [F, J, k]
    assert inclusion_path(leaves, 6) == [i, k]
    assert consistency_path(leaves, 3, 7) == [C, D, g, last]
    assert consistency_path(leaves, 4, 7) == [last]
    assert consistency_path(leaves, 6, 7) == [i, J, k]


def test_leaves_and_nodes_cannot_be_taken_for_each_other() -> None:
    assert leaf_hash(A + B) != node_hash(A, B)
    assert root_hash([A, B]) != leaf_hash(A + B)


@pytest.mark.parametrize("leaf_index", [-1, 8, 9])
def test_a_path_for_no_leaf_is_not_made(leaf_index: int) -> None:
    with pytest.raises(InputError):
        inclusion_path(LEAVES, leaf_index)
    with pytest.raises(InputError):
        inclusion_path([], 0)


@pytest.mark.parametrize(("old_size", "new_size"), [(-1, 3), (4, 3), (3, 9), (9, None)])
def test_a_path_between_sizes_the_tree_has_not_had_is_not_made(old_size: int, new_size: int | None) -> None:
    with pytest.raises(InputError):
        consistency_path(LEAVES, old_size, new_size)


def test_every_tree_begins_with_the_empty_tree() -> None:
    assert consistency_path(LEAVES, 0) == []
    verify_consistency(0, EMPTY_ROOT, 8, root_hash(LEAVES), [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    with pytest.raises(RootMismatchError):
        verify_consistency(0, A, 8, root_hash(LEAVES), [])
    with pytest.raises(RootMismatchError):
        verify_consistency(0, EMPTY_ROOT, 0, A, [])
    with pytest.raises(MalformedProofError):
        verify_consistency(0, EMPTY_ROOT, 8, root_hash(LEAVES), [A])


def test_equal_sizes_have_equal_roots_and_no_path() -> None:
    root = root_hash(LEAVES)
    verify_consistency(8, root, 8, root, [])
    with pytest.raises(RootMismatchError):
        verify_consistency(8, root, 8, A, [])
    with pytest.raises(MalformedProofError):
        verify_consistency(8, root, 8, root, [A])


@pytest.mark.parametrize(
    ("leaf_index", "tree_size"), [(-1, 8), (8, 8), (0, 0), (0, -1), (0, MAX_TREE_SIZE + 1), (2**62, 2**62 + 1)]
)
def test_an_inclusion_proof_out_of_range_is_malformed(leaf_index: int, tree_size: int) -> None:
    with pytest.raises(MalformedProofError):
        root_from_inclusion(A, leaf_index, tree_size, [B, C, D])


@pytest.mark.parametrize(("old_size", "new_size"), [(-1, 8), (9, 8), (1, MAX_TREE_SIZE + 1)])
def test_a_consistency_proof_out_of_range_is_malformed(old_size: int, new_size: int) -> None:
    with pytest.raises(MalformedProofError):
        verify_consistency(old_size, A, new_size, B, [C])


@pytest.mark.parametrize("path_length", [0, 1, 2, 4, 5, 64, 1000])
def test_an_inclusion_path_of_another_length_is_malformed(path_length: int) -> None:
    with pytest.raises(MalformedProofError):
        verify_inclusion(LEAVES[5], 5, 8, [A] * path_length, root_hash(LEAVES))


@pytest.mark.parametrize("path_length", [0, 1, 2, 3, 5, 64, 1000])
def test_a_consistency_path_of_another_length_is_malformed(path_length: int) -> None:
    # From 3 to 8 leaves: c, d, the pair before them, the right half: four hashes.
    with pytest.raises(MalformedProofError):
        verify_consistency(3, root_hash(LEAVES[:3]), 8, root_hash(LEAVES), [A] * path_length)


def test_hashes_of_another_length_are_malformed() -> None:
    path = inclusion_path(LEAVES, 5)
    root = root_hash(LEAVES)
    with pytest.raises(MalformedProofError):
        verify_inclusion(LEAVES[5], 5, 8, [path[0][:31], *path[1:]], root)
    with pytest.raises(MalformedProofError):
        verify_inclusion(LEAVES[5] + b"x", 5, 8, path, root)
    with pytest.raises(MalformedProofError):
        verify_consistency(4, b"", 8, root, consistency_path(LEAVES, 4))


def test_another_leaf_place_or_root_is_a_mismatch() -> None:
    path, root = inclusion_path(LEAVES, 5), root_hash(LEAVES)
    verify_inclusion(LEAVES[5], 5, 8, path, root)
    with pytest.raises(RootMismatchError):
        verify_inclusion(LEAVES[4], 5, 8, path, root)
    with pytest.raises(RootMismatchError):
        verify_inclusion(LEAVES[5], 4, 8, path, root)
    with pytest.raises(RootMismatchError):
        verify_inclusion(LEAVES[5], 5, 8, path, root_hash(LEAVES[:7]))


def test_a_rewritten_history_is_a_mismatch() -> None:
    rewritten = [*LEAVES[:2], A, *LEAVES[3:]]
    for old in range(3, 8):
        path = consistency_path(rewritten, old)
        verify_consistency(old, root_hash(rewritten[:old]), 8, root_hash(rewritten), path)
        with pytest.raises(RootMismatchError):
            verify_consistency(old, root_hash(LEAVES[:old]), 8, root_hash(rewritten), path)
        with pytest.raises(RootMismatchError):
            verify_consistency(old, root_hash(rewritten[:old]), 8, root_hash(LEAVES), path)
