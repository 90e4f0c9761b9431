"""How many nodes Redis' radix tree has for some keys: XINFO STREAM shows it, and nothing else depends on it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BITS = 128
# The length of a key, in bytes.
_LENGTH = _BITS // 8


def radix_nodes(keys: Sequence[int]) -> int:
    """The nodes of a tree of 128-bit keys, given in ascending order. O(n).

    Each key ends in a node, and there is a node wherever keys part. Between two of these, all bytes that have no
    alternative share one node more.
    """
    if not keys:
        return 1
    common = [(_BITS - (one ^ other).bit_length()) // 8 for one, other in pairwise(keys)]
    ends = [max(before, after) for before, after in pairwise([-1, *common, -1])]
    nodes = len(ends) + sum(parent < _LENGTH - 1 for parent in ends)
    # The depths at which the current key and those before it part, of which some are not complete yet.
    open_depths = [-1]
    for depth in [*common, -1]:
        while open_depths[-1] > depth:
            complete = open_depths.pop()
            nodes += 1 + (complete - max(open_depths[-1], depth) > 1)
        if open_depths[-1] < depth:
            open_depths.append(depth)
    return nodes
