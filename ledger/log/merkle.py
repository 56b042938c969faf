"""Merkle tree over the log's entries: hashes, inclusion and consistency proofs (RFC 9162, section 2.1).

Leaves are numbered from 0. A tree of n > 1 leaves is split at k, the largest power of two below n: the left subtree
holds the first k leaves, the right one the rest. Making a path and verifying one are written apart, each after its own
clause, and share only the hashes. Take tree size and root from one verified checkpoint: an inclusion path by itself
also fits other sizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from ledger.errors import InputError, MalformedProofError, RootMismatchError, problem
from ledger.log.canonical import MAX_SAFE_INTEGER
from ledger.log.forms import HASH_BYTES

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""Root of the tree without leaves."""

MAX_TREE_SIZE = MAX_SAFE_INTEGER
"""Largest tree accepted; no path is longer than 53 hashes."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf, 32 bytes: SHA-256(0x00 || data). The prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a node over its children's hashes, 32 bytes each: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_hash(leaf_hashes: Sequence[bytes]) -> bytes:
    """Root of the tree over these leaf hashes (RFC 9162, 2.1.1)."""
    return _subtree_hash(leaf_hashes, 0, len(leaf_hashes))


def inclusion_path(leaf_hashes: Sequence[bytes], leaf_index: int) -> list[bytes]:
    """The sibling hashes from leaf to root (RFC 9162, 2.1.3.1) in the tree over all of leaf_hashes.

    0 <= leaf_index < len(leaf_hashes). Returns at most ceil(log2(tree size)) hashes, the leaf's sibling first.
    Raises: InputError if leaf_index is out of range.
    """
    tree_size = len(leaf_hashes)
    if not 0 <= leaf_index < tree_size:
        raise InputError(
            problem("/leaf_index", leaf_index, f"0 <= leaf index < {tree_size}", "Name an entry of this tree.")
        )
    path = []
    start, end = 0, tree_size  # the subtree that holds the leaf
    while end - start > 1:
        middle = start + _split(end - start)
        if leaf_index < middle:
            path.append(_subtree_hash(leaf_hashes, middle, end))
            end = middle
        else:
            path.append(_subtree_hash(leaf_hashes, start, middle))
            start = middle
    path.reverse()
    return path


def root_from_inclusion(leaf: bytes, leaf_index: int, tree_size: int, path: Sequence[bytes]) -> bytes:
    """The root of a tree of tree_size leaves in which `path` leads from `leaf` at leaf_index (RFC 9162, 2.1.3.2).

    leaf: leaf hash, 32 bytes. 0 <= leaf_index < tree_size <= MAX_TREE_SIZE. path: hashes of 32 bytes, sibling first.
    Raises: MalformedProofError if a number is out of range or the path has not the length that they demand.
    """
    if not 0 <= leaf_index < tree_size <= MAX_TREE_SIZE:
        _malformed(f"leaf {leaf_index} in a tree of {tree_size}", f"0 <= leaf index < tree size <= {MAX_TREE_SIZE}")
    _check_hashes([leaf, *path])
    index, last = leaf_index, tree_size - 1  # fn and sn of the RFC: the leaf's ancestor and the last node, per level
    root = leaf
    for sibling in path:
        if last == 0:
            _malformed(f"{len(path)} hashes", f"fewer hashes for leaf {leaf_index} in a tree of {tree_size}")
        if index % 2 == 1 or index == last:
            root = node_hash(sibling, root)
            while index % 2 == 0 and index != 0:  # a last node without sibling moves up unhashed
                index, last = index >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        index, last = index >> 1, last >> 1
    if last != 0:
        _malformed(f"{len(path)} hashes", f"more hashes for leaf {leaf_index} in a tree of {tree_size}")
    return root


def verify_inclusion(leaf: bytes, leaf_index: int, tree_size: int, path: Sequence[bytes], root: bytes) -> None:
    """Verifies that `leaf` (a leaf hash) stands at leaf_index in the tree of tree_size leaves with this root.

    Raises: RootMismatchError if the path leads to another root; MalformedProofError as root_from_inclusion does.
    """
    found = root_from_inclusion(leaf, leaf_index, tree_size, path)
    _compare_roots(found, root, f"of the tree of {tree_size} leaves, by way of leaf {leaf_index}")


def consistency_path(leaf_hashes: Sequence[bytes], old_size: int, new_size: int | None = None) -> list[bytes]:
    """The hashes that prove the tree of old_size leaves to be the beginning of that of new_size (RFC 9162, 2.1.4.1).

    0 <= old_size <= new_size <= len(leaf_hashes); new_size is all of leaf_hashes unless given. The path is empty for
    equal sizes and, beyond the RFC, from the empty tree: every tree begins with it.
    Raises: InputError if a size is out of range.
    """
    if new_size is None:
        new_size = len(leaf_hashes)
    if not 0 <= old_size <= new_size <= len(leaf_hashes):
        raise InputError(
            problem(
                "/old_size",
                f"old size {old_size}, new size {new_size}",
                f"0 <= old size <= new size <= {len(leaf_hashes)}",
                "Name two sizes that the tree has had.",
            )
        )
    if old_size == 0:
        return []
    path = []
    start, end = 0, new_size  # the subtree in which the old tree ends
    while old_size < end:
        middle = start + _split(end - start)
        if old_size <= middle:
            path.append(_subtree_hash(leaf_hashes, middle, end))
            end = middle
        else:
            path.append(_subtree_hash(leaf_hashes, start, middle))
            start = middle
    if start > 0:  # else this subtree is the whole old tree, whose root the verifier has
        path.append(_subtree_hash(leaf_hashes, start, end))
    path.reverse()
    return path


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> None:
    """Verifies that the tree (new_size, new_root) begins with the tree (old_size, old_root) (RFC 9162, 2.1.4.2).

    0 <= old_size <= new_size <= MAX_TREE_SIZE. From old_size 0 the path must be empty and old_root the empty root;
    this says nothing of new_root. For equal sizes the path must be empty and the roots equal.
    Raises: RootMismatchError if the path leads to another old or new root; MalformedProofError if a size is out of
    range or the path has not the length that the sizes demand.
    """
    if not 0 <= old_size <= new_size <= MAX_TREE_SIZE:
        _malformed(f"sizes {old_size} and {new_size}", f"0 <= old size <= new size <= {MAX_TREE_SIZE}")
    _check_hashes([old_root, new_root, *path])
    if old_size == 0 or old_size == new_size:
        if path:
            _malformed(f"{len(path)} hashes", f"no hashes from size {old_size} to {new_size}")
        if old_size == 0:
            _compare_roots(EMPTY_ROOT, old_root, "of the empty tree")
        if old_size == new_size:
            _compare_roots(old_root, new_root, f"of the tree of {new_size} leaves")
        return
    hashes = list(path)
    if old_size & (old_size - 1) == 0:  # a power of two: the old tree is one whole subtree, its root is not sent
        hashes.insert(0, old_root)
    if not hashes:
        _malformed("no hashes", f"a path from size {old_size} to {new_size}")
    index, last = old_size - 1, new_size - 1  # fn and sn of the RFC
    while index % 2 == 1:
        index, last = index >> 1, last >> 1
    old_found = new_found = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            _malformed(f"{len(path)} hashes", f"fewer hashes from size {old_size} to {new_size}")
        if index % 2 == 1 or index == last:
            old_found = node_hash(sibling, old_found)
            new_found = node_hash(sibling, new_found)
            while index % 2 == 0 and index != 0:
                index, last = index >> 1, last >> 1
        else:
            new_found = node_hash(new_found, sibling)
        index, last = index >> 1, last >> 1
    if last != 0:
        _malformed(f"{len(path)} hashes", f"more hashes from size {old_size} to {new_size}")
    _compare_roots(old_found, old_root, f"of the old tree of {old_size} leaves")
    _compare_roots(new_found, new_root, f"of the new tree of {new_size} leaves")


@dataclass(frozen=True)
class Frontier:
    """What must be known of a tree to add leaves to it: the roots of its whole subtrees, the largest (leftmost) first.

    tree_size: number of leaves, 0 <= tree_size <= MAX_TREE_SIZE.
    peaks: one hash of 32 bytes for each 1 in the binary form of tree_size, from the highest.
    Raises: MalformedProofError if the peaks cannot belong to that size.
    """

    tree_size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.tree_size <= MAX_TREE_SIZE:
            _malformed(f"a tree of {self.tree_size}", f"0 <= tree size <= {MAX_TREE_SIZE}")
        if len(self.peaks) != self.tree_size.bit_count():
            _malformed(f"{len(self.peaks)} peaks", f"{self.tree_size.bit_count()} peaks at size {self.tree_size}")
        _check_hashes(self.peaks)

    def append(self, leaf: bytes) -> Frontier:
        """The frontier after one more leaf with this leaf hash."""
        return self.extend([leaf])

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier after more leaves with these leaf hashes, in order."""
        peaks = list(self.peaks)
        tree_size = self.tree_size
        for leaf in leaves:
            node = leaf
            carry = tree_size  # adding 1 to the size joins one pair of equal subtrees per trailing 1
            while carry % 2 == 1:
                node = node_hash(peaks.pop(), node)
                carry >>= 1
            peaks.append(node)
            tree_size += 1
        return Frontier(tree_size, tuple(peaks))

    def root(self) -> bytes:
        """Root of the tree."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def _split(size: int) -> int:
    """The largest power of two below size, for size > 1."""
    return 1 << ((size - 1).bit_length() - 1)


def _subtree_hash(leaf_hashes: Sequence[bytes], start: int, end: int) -> bytes:
    """Root over leaf_hashes[start:end]: subtrees of equal size are joined as they become whole."""
    if start == end:
        return EMPTY_ROOT
    peaks: list[bytes] = []
    for count in range(end - start):
        node = leaf_hashes[start + count]
        while count % 2 == 1:
            node = node_hash(peaks.pop(), node)
            count >>= 1
        peaks.append(node)
    root = peaks.pop()
    while peaks:
        root = node_hash(peaks.pop(), root)
    return root


def _check_hashes(hashes: Sequence[bytes]) -> None:
    for one in hashes:
        if len(one) != HASH_BYTES:
            _malformed(f"a hash of {len(one)} bytes", f"hashes of {HASH_BYTES} bytes")


def _compare_roots(found: bytes, stated: bytes, which: str) -> None:
    if found != stated:
        raise RootMismatchError(
            problem(
                "",
                f"computed root {found.hex()[:16]}...",
                f"stated root {stated.hex()[:16]}... {which}",
                "Treat the proof as false; ask the log for a new one.",
            )
        )


def _malformed(found: str, expected: str) -> NoReturn:
    raise MalformedProofError(problem("", found, expected, "Ask the log for a new proof."))
