"""One database of one shard: keys, values, deadlines and access times.

Raw storage only. Who may see what (expiry, wrong types, watchers, notifications) is decided in `respcache.store.shard`.
"""

from __future__ import annotations

from array import array
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

from respcache.datatypes.indexed import IndexedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

# Deadlines that were changed or removed stay in the heap until they surface; when more than this many and more than
# half of the heap is such litter, it is built anew. Keeps `EXPIRE k` in a loop from growing without bound.
_LITTER = 1024


class Keyspace(IndexedDict[Any]):
    """Keys to values. Times are milliseconds since the epoch, access times seconds."""

    __slots__ = ("_heap", "accessed", "deadlines")

    def __init__(self) -> None:
        super().__init__()
        self.accessed = array("I")  # parallel to `members`, seconds (32 bits last until 2106)
        self.deadlines: dict[bytes, int] = {}
        self._heap: list[tuple[int, bytes]] = []

    def insert(self, key: bytes, value: Any, now: int) -> None:
        """Store `value` under a key, new or not. Its deadline, if any, stays."""
        slot = self.slots.get(key)
        if slot is None:
            self.slots[key] = len(self.members)
            self.members.append(key)
            self.values.append(value)
            self.accessed.append(now // 1000)
        else:
            self.values[slot] = value
            self.accessed[slot] = now // 1000

    def discard(self, key: bytes) -> bool:
        """Remove a key with its deadline; whether it was there."""
        slot = self.slots.get(key)
        if slot is None:
            return False
        if slot < self._ahead:
            slot = self._pass_by(slot)
        accessed = self.accessed.pop()
        if slot < len(self.accessed):
            self.accessed[slot] = accessed
        if self.deadlines:
            self.deadlines.pop(key, None)
        return super().discard(key)

    def _exchange(self, slot: int, other: int) -> None:
        super()._exchange(slot, other)
        self.accessed[slot], self.accessed[other] = self.accessed[other], self.accessed[slot]

    def clear(self) -> None:
        super().clear()
        del self.accessed[:]
        self.deadlines.clear()
        self._heap.clear()

    def set_deadline(self, key: bytes, deadline: int | None) -> None:
        """When the key of this database expires, or None for never."""
        if deadline is None:
            self.deadlines.pop(key, None)
            return
        self.deadlines[key] = deadline
        heappush(self._heap, (deadline, key))
        if len(self._heap) > 2 * len(self.deadlines) + _LITTER:
            self._heap = [(when, key) for key, when in self.deadlines.items()]
            heapify(self._heap)

    def next_deadline(self) -> int | None:
        """The earliest deadline of any key. Amortised O(log n): litter is dropped on the way."""
        heap = self._heap
        while heap:
            deadline, key = heap[0]
            if self.deadlines.get(key) == deadline:
                return deadline
            heappop(heap)
        return None

    def due(self, now: int, limit: int) -> Iterable[bytes]:
        """Up to `limit` keys whose time is over, earliest first; each is removed before the next is asked for."""
        for _ in range(limit):
            deadline = self.next_deadline()
            if deadline is None or deadline >= now:
                return
            yield self._heap[0][1]
