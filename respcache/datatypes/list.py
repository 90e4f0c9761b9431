"""Lists: O(1) at both ends, O(sqrt n) or better inside.

The elements are in blocks of at most `BLOCK` elements. Every block knows the position at which it begins, counted from
an origin that moves when the list grows or shrinks at its head. So pushing and popping at either end leaves the
positions of all other blocks as they are, and an index finds its block by bisection. Only insertion and removal inside
the list renumber the blocks after it.

Whole blocks are added, dropped, copied and searched at once, in C.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, chain
from typing import TYPE_CHECKING

from respcache.datatypes.listpack import EMPTY, SMALLEST_ENTRY, entry_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from respcache.datatypes.limits import Limits

BLOCK = 512

LISTPACK, QUICKLIST = b"listpack", b"quicklist"

# The maximum bytes of a listpack for ``list-max-listpack-size`` -1 to -5.
_SIZE_CLASSES = {-1: 4096, -2: 8192, -3: 16384, -4: 32768, -5: 65536}
# The maximum bytes if the directive gives a number of elements.
_CEILING = 8192
# The bytes that a node of a quicklist keeps free for a new entry, besides the entry's own bytes.
_SPARE = 8


class List:
    """A sequence of byte strings."""

    __slots__ = ("_blocks", "_length", "_limits", "_size", "_starts", "encoding")

    def __init__(self, limits: Limits, elements: Sequence[bytes] = ()) -> None:
        self._limits = limits
        self._blocks: list[list[bytes]] = []
        self._starts: list[int] = []  # position of the first element of each block; the first one is the origin
        self._length = 0
        # Bytes as one listpack. None while there are too many elements for one: then the size is not needed.
        self._size: int | None = EMPTY
        self.encoding = LISTPACK
        self.extend(elements)

    @classmethod
    def sorted_result(cls, limits: Limits, elements: Sequence[bytes]) -> List:
        """A list as SORT ... STORE makes it: a quicklist, which becomes a listpack if all elements fit in one node."""
        made = cls.load(limits, (QUICKLIST, list(elements)))
        if made._is_one_node():
            made.encoding = LISTPACK
        return made

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self._blocks)

    def __reversed__(self) -> Iterator[bytes]:
        return chain.from_iterable(map(reversed, reversed(self._blocks)))

    def __getitem__(self, index: int) -> bytes:
        """The element at `index`, negative ones from the end. Raises IndexError."""
        block, offset = self._locate(index)
        return self._blocks[block][offset]

    def __setitem__(self, index: int, element: bytes) -> None:
        """Replace the element at `index`. Raises IndexError.

        Redis makes room for one more element before it checks the index: that can end a listpack even if it fails.
        """
        self.expect((element,))
        block, offset = self._locate(index)
        if self._size is not None:
            self._size += entry_size(element) - entry_size(self._blocks[block][offset])
        self._blocks[block][offset] = element
        self.shrink()

    # -- the ends

    def extend(self, elements: Sequence[bytes]) -> None:
        if self.encoding == LISTPACK:
            self.expect(elements)
        self._append(elements)

    def extendleft(self, elements: Sequence[bytes]) -> None:
        """Prepend the elements one by one, so that the last one given ends up first."""
        if self.encoding == LISTPACK:
            self.expect(elements)
        blocks = self._blocks
        if not blocks:
            self._append(elements[::-1])
            return
        if len(elements) == 1 and len(blocks[0]) < BLOCK:
            blocks[0].insert(0, elements[0])
            self._starts[0] -= 1
        else:
            self._prepend_many(elements)
        self._length += len(elements)
        if self._size is not None:
            self._measure(elements)

    def pop(self) -> bytes:
        """Remove the last element. The caller must call `shrink` after its last change of the list."""
        element = self._blocks[-1].pop()
        if not self._blocks[-1]:
            del self._blocks[-1], self._starts[-1]
        self._length -= 1
        if self._size is not None:
            self._size -= entry_size(element)
        return element

    def popleft(self) -> bytes:
        """Remove the first element. The caller must call `shrink`, as for `pop`."""
        element = self._blocks[0].pop(0)
        self._starts[0] += 1
        if not self._blocks[0]:
            del self._blocks[0], self._starts[0]
        self._length -= 1
        if self._size is not None:
            self._size -= entry_size(element)
        return element

    def take(self, count: int, *, last: bool) -> list[bytes]:
        """Remove and return up to `count` elements from the head, or, if `last`, from the tail, the last one first."""
        count = min(count, self._length)
        if count == 1:
            taken = [self.pop() if last else self.popleft()]
            self.shrink()
        elif last:
            taken = self.slice(self._length - count, self._length)[::-1]
            self.trim(0, self._length - count)
        else:
            taken = self.slice(0, count)
            self.trim(count, self._length)
        return taken

    # -- ranges

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

    def trim(self, start: int, stop: int) -> None:
        """Keep only the elements start..stop-1, both within the list. O(n / BLOCK + BLOCK) for long lists."""
        if start >= stop:
            self._blocks, self._starts, self._length, self._size = [], [], 0, EMPTY
            self.shrink()
            return
        if self._size is not None:
            self._measure_slices(start, stop)
        last, end = self._locate(stop - 1)
        del self._blocks[last + 1 :], self._starts[last + 1 :], self._blocks[last][end + 1 :]
        first, offset = self._locate(start)
        del self._blocks[:first], self._starts[:first], self._blocks[0][:offset]
        self._starts[0] += offset
        self._length = stop - start
        self.shrink()

    def _measure_slices(self, start: int, stop: int) -> None:
        """Compute the size after a cut from the smaller part: the elements that stay, or those that go."""
        assert self._size is not None
        if stop - start <= self._length // 2:
            self._size = EMPTY + sum(map(entry_size, self.slice(start, stop)))
        else:
            gone = self.slice(0, start) + self.slice(stop, self._length)
            self._size -= sum(map(entry_size, gone))

    # -- inside

    def insert(self, index: int, element: bytes) -> None:
        """Insert before the element at `index`, or at the end. The caller must call `expect` first."""
        if index == self._length:
            self._append((element,))
            return
        at, offset = self._locate(index)
        block = self._blocks[at]
        block.insert(offset, element)
        if len(block) > BLOCK:
            self._blocks[at : at + 1] = [block[: BLOCK // 2], block[BLOCK // 2 :]]
            self._starts.insert(at + 1, 0)
        self._renumber(at)
        self._length += 1
        if self._size is not None:
            self._measure((element,))

    def remove(self, element: bytes, count: int) -> int:
        """Remove the first `count` occurrences (the last ones if negative, all if 0); return how many. O(n)."""
        left = abs(count) or self._length
        removed = 0
        order = range(len(self._blocks))
        for at in reversed(order) if count < 0 else order:
            block = self._blocks[at]
            found = min(block.count(element), left - removed)
            if found:
                self._blocks[at] = _without(block, element, found, last=count < 0)
                removed += found
                if removed == left:
                    break
        if removed:
            self._starts = [start for start, block in zip(self._starts, self._blocks, strict=True) if block]
            self._blocks = [block for block in self._blocks if block]
            self._renumber(0)
            self._length -= removed
            if self._size is not None:
                self._size -= removed * entry_size(element)
            self.shrink()
        return removed

    # -- copies

    def copy(self) -> List:
        other = List(self._limits)
        other._blocks = [block[:] for block in self._blocks]
        other._starts = self._starts[:]
        other._length, other._size, other.encoding = self._length, self._size, self.encoding
        return other

    def dump(self) -> tuple[bytes, list[bytes]]:
        return self.encoding, list(self)

    @classmethod
    def load(cls, limits: Limits, data: tuple[bytes, list[bytes]]) -> List:
        encoding, elements = data
        value = cls(limits)
        # Whether it is a quicklist depends on its past, not only on its elements.
        value.encoding = encoding
        value._append(elements)
        return value

    def nodes(self) -> Iterator[list[bytes]]:
        """The elements of each node of a list that is filled from left to right. In Redis it depends on the past."""
        limit = self._limits.list_max_listpack_size
        most_bytes = _most_bytes(limit)
        node: list[bytes] = []
        size = EMPTY
        for element in self:
            if node and (0 <= limit <= len(node) or size + len(element) + _SPARE > most_bytes):
                yield node
                node, size = [], EMPTY
            node.append(element)
            size += entry_size(element)
        yield node

    @classmethod
    def of_node(cls, limits: Limits, elements: Sequence[bytes]) -> List:
        """A list that was one node of a quicklist: a listpack, unless it is larger than those may be."""
        made = cls.load(limits, (QUICKLIST, list(elements)))
        limit = limits.list_max_listpack_size
        if made._few_enough(1) and (limit >= 0 or node_size(elements) <= _most_bytes(limit)):
            made.encoding = LISTPACK
        return made

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
        """Update the positions of the blocks after `block`."""
        if self._blocks:
            lengths = map(len, self._blocks[block:-1])
            self._starts[block:] = accumulate(lengths, initial=self._starts[block])

    def _append(self, elements: Sequence[bytes]) -> None:
        blocks = self._blocks
        if len(elements) == 1 and blocks and len(blocks[-1]) < BLOCK:
            blocks[-1].append(elements[0])
        else:
            self._append_many(elements)
        self._length += len(elements)
        if self._size is not None:
            self._measure(elements)

    def _append_many(self, elements: Sequence[bytes]) -> None:
        blocks = self._blocks
        room = max(BLOCK - len(blocks[-1]), 0) if blocks else 0
        if room:
            blocks[-1] += elements[:room]
        for at in range(room, len(elements), BLOCK):
            self._starts.append(self._starts[-1] + len(blocks[-1]) if blocks else 0)
            blocks.append(list(elements[at : at + BLOCK]))

    def _prepend_many(self, elements: Sequence[bytes]) -> None:
        """Prepend elements as LPUSH does, to a list that is not empty."""
        blocks, starts = self._blocks, self._starts
        room = max(BLOCK - len(blocks[0]), 0)
        blocks[0][:0] = elements[:room][::-1]
        starts[0] -= min(room, len(elements))
        for at in range(room, len(elements), BLOCK):
            blocks.insert(0, list(elements[at : at + BLOCK][::-1]))
            starts.insert(0, starts[0] - len(blocks[0]))

    def _measure(self, added: Sequence[bytes]) -> None:
        """Count the bytes of elements that were added, unless there are now too many for a listpack."""
        if self.encoding == QUICKLIST and not self._few_enough(1):
            self._size = None
        elif self._size is not None:
            self._size += sum(map(entry_size, added))

    # -- encoding, as `t_list.c` has it since Redis 7.2 (in 7.0 all lists are quicklists): a listpack that would grow
    # -- beyond the limit becomes a quicklist, and a quicklist that has shrunk to half of it becomes a listpack again

    def expect(self, elements: Sequence[bytes]) -> None:
        """These elements are about to be added. As in Redis, that ends a listpack even if they are not added then."""
        if self.encoding == QUICKLIST:
            return
        assert self._size is not None
        limit = self._limits.list_max_listpack_size
        # Redis leaves out the headers of entries here.
        size = self._size + (len(elements[0]) if len(elements) == 1 else sum(map(len, elements)))
        if size > _most_bytes(limit) or (limit >= 0 and self._length + len(elements) > max(limit, 1)):
            self.encoding = QUICKLIST

    def shrink(self) -> None:
        """Elements have been removed or replaced: the list may be small enough for a listpack."""
        if self.encoding == LISTPACK or not self._few_enough(2):
            return
        if self._size is None:
            self._size = EMPTY + sum(map(entry_size, self))
        # Redis also keeps the quicklist while its elements are in several nodes. That depends on their history; here it
        # is only known whether they fit in one.
        limit = self._limits.list_max_listpack_size
        if self._is_one_node() if limit >= 0 else self._size <= _most_bytes(limit) // 2:
            self.encoding = LISTPACK

    def _few_enough(self, share: int) -> bool:
        """Whether a listpack of the allowed size, divided by `share`, may have this many elements."""
        limit = self._limits.list_max_listpack_size
        if limit >= 0:
            return self._length <= max(limit, 1) // share
        return EMPTY + SMALLEST_ENTRY * self._length <= _most_bytes(limit) // share

    def _is_one_node(self) -> bool:
        """Whether Redis, pushing the elements one by one onto a quicklist, would put all of them into one listpack."""
        if not self._few_enough(1):
            return False
        limit = self._limits.list_max_listpack_size
        most = _most_bytes(limit)
        size = EMPTY
        for at, element in enumerate(self):
            if len(element) > most or (at and size + len(element) + _SPARE > most):
                return False
            size += entry_size(element)
        return limit >= 0 or size <= most


def node_size(elements: Sequence[bytes]) -> int:
    """The bytes of some elements as one listpack."""
    return EMPTY + sum(map(entry_size, elements))


def _most_bytes(limit: int) -> int:
    """The maximum bytes of a listpack for a value of ``list-max-listpack-size``."""
    return _CEILING if limit >= 0 else _SIZE_CLASSES[max(limit, -5)]


def _without(block: list[bytes], element: bytes, count: int, *, last: bool) -> list[bytes]:
    """A block without the first `count` occurrences of an element, or, if `last`, the last ones."""
    kept: list[bytes] = []
    for candidate in reversed(block) if last else block:
        if count and candidate == element:
            count -= 1
        else:
            kept.append(candidate)
    return kept[::-1] if last else kept
