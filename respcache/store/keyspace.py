"""One database of one shard: keys, values, deadlines and access times.

Raw storage only. Who may see what (expiry, wrong types, watchers, notifications) is decided in `respcache.store.shard`.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from respcache.datatypes.indexed import IndexedDict
from respcache.store.accesses import Accesses, store

if TYPE_CHECKING:
    from array import array
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

    __slots__ = ("_accesses", "_expiring", "_heap", "accessed", "deadlines", "index", "shift")

    def __init__(self, index: int = 0, expiring: set[int] | None = None, accesses: Accesses | None = None) -> None:
        """`expiring` is told `index`, the number of this database, when it gets deadlines. They stay there.

        `accesses` says how accesses are recorded: by default as times.
        """
        super().__init__()
        self.index = index
        self._expiring = set() if expiring is None else expiring
        self._accesses = accesses or Accesses(Random())
        # When each key was last accessed, or how often, parallel to `members`. Assigning a time in seconds records an
        # access (see `respcache.store.accesses`).
        self.accessed = self._accesses.records()
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
            store(self.accessed, slot, accessed)
        if self.deadlines:
            self.deadlines.pop(key, None)
        return super().discard(key)

    def _exchange(self, slot: int, other: int) -> None:
        super()._exchange(slot, other)
        one, two = self.accessed[slot], self.accessed[other]
        store(self.accessed, slot, two)
        store(self.accessed, other, one)

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
        if not self.deadlines:
            self._expiring.add(self.index)
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

    def record_by_policy(self, accessed: array[int]) -> None:
        """Go on from these records; the policy may have changed since they were made."""
        self.accessed = self._accesses.adapted(accessed)

    # -- everything at once, for snapshots

    def detach(self) -> Contents:
        """Give everything away, and be empty."""
        contents = Contents(self.slots, self.members, self.values, self.accessed, self.deadlines, self._heap)
        self.attach(Contents({}, [], [], self._accesses.records(), {}, []))
        return contents

    def attach(self, contents: Contents) -> None:
        """Hold this in the place of everything."""
        self.slots, self.members, self.values, accessed, self.deadlines, self._heap = contents
        self.record_by_policy(accessed)
        if self.deadlines:
            self._expiring.add(self.index)
        self._cursor = self._ahead = 0

    def fill(self, values: dict[bytes, Any], deadlines: dict[bytes, int], now: int) -> None:
        """Hold these values, as accessed now, in the place of everything; the deadlines are less `shift`."""
        heap = [(deadline, key) for key, deadline in deadlines.items()]
        heapify(heap)
        slots = dict(zip(values, range(len(values)), strict=True))
        accessed = self._accesses.records_of_new_keys(len(values), now // 1000)
        self.attach(Contents(slots, list(values), list(values.values()), accessed, dict(deadlines), heap))
