"""One database of one shard: keys, values, deadlines and access times.

Raw storage only. Who may see what (expiry, wrong types, watchers, notifications) is decided in `respcache.store.shard`.
"""

from __future__ import annotations

from array import array
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from respcache.datatypes.indexed import IndexedDict

if TYPE_CHECKING:
    from collections.abc import Iterable

# A key of one of the databases: (database, key).
Place = tuple[int, bytes]

# Deadlines that were changed or removed stay in the heap until they surface. The heap is rebuilt when more than half of
# it, and more than this many entries, are such litter: `EXPIRE k` in a loop must not grow it without bound.
_LITTER = 1024
# No deadline is later: clients get it as a 64-bit integer.
_LATEST = (1 << 63) - 1


class Contents(NamedTuple):
    """All that a database holds; whoever has it owns it."""

    slots: dict[bytes, int]
    members: list[bytes]
    values: list[Any]
    accessed: array[int]
    deadlines: dict[bytes, int]
    heap: list[tuple[int, bytes]]


class Keyspace(IndexedDict[Any]):
    """Keys to values. Times are milliseconds since the epoch, access times seconds."""

    __slots__ = ("_heap", "accessed", "deadlines", "shift")

    def __init__(self) -> None:
        super().__init__()
        # When each key was last accessed, parallel to `members`: seconds (32 bits last until 2106).
        self.accessed = array("I")
        # When keys expire, less `shift`; keys that never do are not in it.
        self.deadlines: dict[bytes, int] = {}
        # Added to all of them: what moves every deadline at once (the restoring of a snapshot), in O(1).
        self.shift = 0
        # The same as a heap, earliest first, with litter (see `_LITTER`).
        self._heap: list[tuple[int, bytes]] = []

    def insert(self, key: bytes, value: Any, now: int) -> None:
        """Store `value` under a key, new or not, as accessed now. Its deadline, if any, stays."""
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
        """Remove a key with its deadline. False if there was no such key."""
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
        """Let an existing key expire after a time, or never (None)."""
        if deadline is None:
            self.deadlines.pop(key, None)
            return
        deadline -= self.shift
        self.deadlines[key] = deadline
        heappush(self._heap, (deadline, key))
        if len(self._heap) > 2 * len(self.deadlines) + _LITTER:
            self._heap = [(when, key) for key, when in self.deadlines.items()]
            heapify(self._heap)

    def deadline(self, key: bytes) -> int | None:
        """When a key expires; None for never."""
        deadline = self.deadlines.get(key)
        return None if deadline is None else min(deadline + self.shift, _LATEST)

    def has_expired(self, key: bytes, now: int) -> bool:
        """True if the deadline of a key has passed; the key may still be here."""
        deadline = self.deadlines.get(key)
        return deadline is not None and deadline + self.shift < now

    def next_deadline(self) -> int | None:
        """The earliest deadline of any key. Amortised O(log n): litter is dropped on the way."""
        heap = self._heap
        while heap:
            deadline, key = heap[0]
            if self.deadlines.get(key) == deadline:
                return deadline + self.shift
            heappop(heap)
        return None

    def due(self, now: int, limit: int) -> Iterable[bytes]:
        """Up to `limit` expired keys, earliest first. The caller removes each before it asks for the next."""
        for _ in range(limit):
            deadline = self.next_deadline()
            if deadline is None or deadline >= now:
                return
            yield self._heap[0][1]

    # -- everything at once, for snapshots

    def detach(self) -> Contents:
        """Give everything away, and be empty."""
        contents = Contents(self.slots, self.members, self.values, self.accessed, self.deadlines, self._heap)
        self.attach(Contents({}, [], [], array("I"), {}, []))
        return contents

    def attach(self, contents: Contents) -> None:
        """Hold this in the place of everything."""
        self.slots, self.members, self.values, self.accessed, self.deadlines, self._heap = contents
        self._cursor = self._ahead = 0

    def fill(self, values: dict[bytes, Any], deadlines: dict[bytes, int], now: int) -> None:
        """Hold these values, as accessed now, in the place of everything; the deadlines are less `shift`."""
        heap = [(deadline, key) for key, deadline in deadlines.items()]
        heapify(heap)
        slots = dict(zip(values, range(len(values)), strict=True))
        accessed = array("I", [now // 1000]) * len(values)
        self.attach(Contents(slots, list(values), list(values.values()), accessed, dict(deadlines), heap))
