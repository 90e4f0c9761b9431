"""Lists: O(1) at both ends, O(sqrt n) or better inside.

The elements stand in blocks of at most `BLOCK` elements. Every block knows the position at which it begins, counted
from an origin that moves when the list grows at its head; so pushing and popping at either end leaves the positions
of all other blocks as they are, and an index finds its block by bisection. Only insertion and removal inside the
list renumber the blocks behind.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from respcache.datatypes.limits import Limits

BLOCK = 512

# Bytes a list may take in one piece for ``list-max-listpack-size`` -1 to -5.
_SIZE_CLASSES = {-1: 4096, -2: 8192, -3: 16384, -4: 32768, -5: 65536}


def _entry_size(element: bytes) -> int:
    """About the bytes an element takes in Redis' listpack: its header, itself, and the length for walking back."""
    size = len(element)
    header = 1 if size < 64 else 2 if size < 4096 else 5
    back = 1 if size < 126 else 2 if size < 16382 else 3
    return header + size + back


class List:
    """A sequence of byte strings."""

    __slots__ = ("_blocks", "_length", "_limits", "_size", "_starts", "encoding")

    def __init__(self, limits: Limits, elements: Iterable[bytes] = ()) -> None:
        self._limits = limits
        self._blocks: list[list[bytes]] = []
        self._starts: list[int] = []  # position of the first element of each block; the first one is the origin
        self._length = 0
        self._size = 7  # bytes as one listpack: a header and an end mark, then the elements
        self.encoding = b"listpack"
        self.extend(elements)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            yield from block

    def __reversed__(self) -> Iterator[bytes]:
        for block in reversed(self._blocks):
            yield from reversed(block)

    def __getitem__(self, index: int) -> bytes:
        """The element at `index`, negative ones from the end. Raises IndexError."""
        block, offset = self._locate(index)
        return self._blocks[block][offset]

    def __setitem__(self, index: int, element: bytes) -> None:
        block, offset = self._locate(index)
        self._size += _entry_size(element) - _entry_size(self._blocks[block][offset])
        self._blocks[block][offset] = element
        self._grown()

    def append(self, element: bytes) -> None:
        if not self._blocks or len(self._blocks[-1]) >= BLOCK:
            start = self._starts[-1] + len(self._blocks[-1]) if self._blocks else 0
            self._blocks.append([])
            self._starts.append(start)
        self._blocks[-1].append(element)
        self._added(element)

    def appendleft(self, element: bytes) -> None:
        if not self._blocks or len(self._blocks[0]) >= BLOCK:
            self._blocks.insert(0, [])
            self._starts.insert(0, self._starts[0] if self._starts else 0)
        self._blocks[0].insert(0, element)
        self._starts[0] -= 1
        self._added(element)

    def extend(self, elements: Iterable[bytes]) -> None:
        for element in elements:
            self.append(element)

    def extendleft(self, elements: Iterable[bytes]) -> None:
        """Prepend one after the other, so that the last one given ends up first."""
        for element in elements:
            self.appendleft(element)

    def pop(self) -> bytes:
        element = self._blocks[-1].pop()
        if not self._blocks[-1]:
            del self._blocks[-1], self._starts[-1]
        self._removed(element)
        return element

    def popleft(self) -> bytes:
        element = self._blocks[0].pop(0)
        self._starts[0] += 1
        if not self._blocks[0]:
            del self._blocks[0], self._starts[0]
        self._removed(element)
        return element

    def slice(self, start: int, stop: int) -> list[bytes]:
        """The elements start..stop-1, both not negative and within the list."""
        if start >= stop:
            return []
        block, offset = self._locate(start)
        found = self._blocks[block][offset : offset + stop - start]
        while len(found) < stop - start:
            block += 1
            found += self._blocks[block][: stop - start - len(found)]
        return found

    def insert(self, index: int, element: bytes) -> None:
        """Insert before the element at `index`, which exists."""
        at, offset = self._locate(index)
        block = self._blocks[at]
        block.insert(offset, element)
        if len(block) > BLOCK:
            self._blocks[at : at + 1] = [block[: BLOCK // 2], block[BLOCK // 2 :]]
            self._starts.insert(at + 1, 0)
        self._renumber(at)
        self._added(element)

    def remove(self, element: bytes, count: int) -> int:
        """Remove the first `count` occurrences (the last ones if negative, all if 0); how many there were. O(n)."""
        kept: list[bytes] = []
        left = abs(count) or self._length
        removed = 0
        for candidate in reversed(self) if count < 0 else self:
            if removed < left and candidate == element:
                removed += 1
            else:
                kept.append(candidate)
        if removed:
            self._replace(kept[::-1] if count < 0 else kept)
        return removed

    def trim(self, start: int, stop: int) -> None:
        """Keep only start..stop-1. O(removed + n / BLOCK)."""
        for _ in range(self._length - stop):
            self.pop()
        for _ in range(min(start, self._length)):
            self.popleft()

    def copy(self) -> List:
        other = List(self._limits, self)
        other.encoding = self.encoding
        return other

    def dump(self) -> tuple[bytes, list[bytes]]:
        return self.encoding, list(self)

    @classmethod
    def load(cls, limits: Limits, data: tuple[bytes, list[bytes]]) -> List:
        encoding, elements = data
        value = cls(limits, elements)
        # A list that has shrunk a little is still a quicklist: that depends on its past, not on its elements.
        value.encoding = encoding
        return value

    # -- blocks

    def _locate(self, index: int) -> tuple[int, int]:
        """Block and offset of an element."""
        if index < 0:
            index += self._length
        if not 0 <= index < self._length:
            raise IndexError(index)
        position = self._starts[0] + index
        block = bisect_right(self._starts, position) - 1
        return block, position - self._starts[block]

    def _renumber(self, block: int) -> None:
        """Give the blocks behind `block` their positions again."""
        position = self._starts[block]
        for at in range(block, len(self._blocks)):
            self._starts[at] = position
            position += len(self._blocks[at])

    def _replace(self, elements: list[bytes]) -> None:
        encoding = self.encoding
        self._blocks = [elements[at : at + BLOCK] for at in range(0, len(elements), BLOCK)]
        self._starts = list(range(0, len(elements), BLOCK))
        self._length = len(elements)
        self._size = 7 + sum(map(_entry_size, elements))
        self.encoding = encoding
        self._shrunk()

    # -- encoding: grows into a quicklist at the limit, shrinks back at half of it (as t_list.c does since 7.2)

    def _added(self, element: bytes) -> None:
        self._length += 1
        self._size += _entry_size(element)
        self._grown()

    def _removed(self, element: bytes) -> None:
        self._length -= 1
        self._size -= _entry_size(element)
        self._shrunk()

    def _fits(self, share: int) -> bool:
        limit = self._limits.list_max_listpack_size
        if limit < 0:
            return self._size <= _SIZE_CLASSES[max(limit, -5)] // share
        return self._length <= max(limit, 1) // share

    def _grown(self) -> None:
        if self.encoding == b"listpack" and not self._fits(1):
            self.encoding = b"quicklist"

    def _shrunk(self) -> None:
        if self.encoding == b"quicklist" and self._fits(2):
            self.encoding = b"listpack"
