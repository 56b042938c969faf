"""The Merkle tree of RFC 9162 as its recursive definitions read, slow and plain; an oracle for ledger.log.merkle.

Nothing is shared with it, not even the hashes. Subtrees are named by the entries they cover and remembered, else the
trees of the tests would take minutes.
"""

from __future__ import annotations

from hashlib import sha256


def largest_power_of_two_below(n: int) -> int:
    """k of RFC 9162, 2.1.1: k < n <= 2k."""
    k = 1
    while 2 * k < n:
        k = 2 * k
    return k


class Oracle:
    """Root, inclusion path and consistency path over d_0 ... d_(n-1)."""

    def __init__(self, entries: list[bytes]) -> None:
        self.entries = entries
        self.roots: dict[tuple[int, int], bytes] = {}

    def mth(self, start: int, end: int) -> bytes:
        """MTH(D[start:end]), RFC 9162, 2.1.1."""
        if (start, end) not in self.roots:
            n = end - start
            if n == 0:
                root = sha256(b"").digest()
            elif n == 1:
                root = sha256(b"\x00" + self.entries[start]).digest()
            else:
                k = largest_power_of_two_below(n)
                root = sha256(b"\x01" + self.mth(start, start + k) + self.mth(start + k, end)).digest()
            self.roots[start, end] = root
        return self.roots[start, end]

    def path(self, m: int, start: int, end: int) -> list[bytes]:
        """PATH(m, D[start:end]), RFC 9162, 2.1.3.1; m counts from start."""
        n = end - start
        if n == 1:
            return []
        k = largest_power_of_two_below(n)
        if m < k:
            return [*self.path(m, start, start + k), self.mth(start + k, end)]
        return [*self.path(m - k, start + k, end), self.mth(start, start + k)]

    def proof(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D_n), RFC 9162, 2.1.4.1, for 0 < m <= n."""
        return self.subproof(m, 0, n, True)

    def subproof(self, m: int, start: int, end: int, b: bool) -> list[bytes]:
        """SUBPROOF(m, D[start:end], b), RFC 9162, 2.1.4.1; m counts from start."""
        n = end - start
        if m == n:
            return [] if b else [self.mth(start, end)]
        k = largest_power_of_two_below(n)
        if m <= k:
            return [*self.subproof(m, start, start + k, b), self.mth(start + k, end)]
        return [*self.subproof(m - k, start + k, end, False), self.mth(start, start + k)]
