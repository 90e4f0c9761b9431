"""A dict whose keys can also be picked by number: uniform random choice and stable cursors, both O(1).

Python's dict can be iterated, but not entered in the middle, which is what SCAN and RANDOMKEY need. So the keys are
also in a list, and the dict maps a key to its place there. Removing a key moves the last one into its place.

Cursors walk the list downwards, and new keys go to its end, where the walk has already been. Keys only ever move to
lower places. So a key that the walk has not reached stays ahead of it: a key that is present throughout is returned.

Removing a key that the walk has not reached would put the last key, which it has returned, ahead of it. So the removed
key first changes places with the next key of the walk, and the walk then skips that place. This is done for the walk
that was continued last; another walk may return a key twice, as SCAN allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Generic, TypeVar

V = TypeVar("V")


class IndexedSet:
    """Distinct byte strings."""

    __slots__ = ("_ahead", "_cursor", "members", "slots")

    def __init__(self, members: Iterable[bytes] = ()) -> None:
        self.members: list[bytes] = list(members)  # distinct: the caller makes sure of it
        self.slots: dict[bytes, int] = {member: slot for slot, member in enumerate(self.members)}
        # The cursor that was returned last (0: no walk is open), and how many places are ahead of that walk.
        self._cursor = self._ahead = 0

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.members)

    def __contains__(self, member: bytes) -> bool:
        return member in self.slots

    def add(self, member: bytes) -> bool:
        """Add a member; return whether it is new."""
        if member in self.slots:
            return False
        self.slots[member] = len(self.members)
        self.members.append(member)
        return True

    def discard(self, member: bytes) -> bool:
        """Remove a member; return whether it was there."""
        slot = self.slots.pop(member, None)
        if slot is None:
            return False
        if slot < self._ahead:
            slot = self._pass_by(slot)
            del self.slots[member]
        last = self.members.pop()
        if slot < len(self.members):
            self.members[slot] = last
            self.slots[last] = slot
        return True

    def choice(self, random: Random) -> bytes:
        """A member chosen uniformly. Raises IndexError when empty."""
        return self.members[int(random.random() * len(self.members))]

    def sample(self, random: Random, count: int) -> list[bytes]:
        """`count` different members (all of them if there are fewer), chosen uniformly, in O(count)."""
        return random.sample(self.members, min(count, len(self.members)))

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """The next cursor, and the members of the next `count` places. Cursor 0 starts a walk, and ends it."""
        size = len(self.members)
        end = size if not cursor else self._ahead if cursor == self._cursor else min(cursor, size)
        start = max(0, end - count)
        self._cursor = self._ahead = start
        return start, self.members[start:end][::-1]

    def _pass_by(self, slot: int) -> int:
        """Exchange a place ahead of the walk with the walk's next one. The walk skips that; it is returned."""
        self._ahead -= 1
        self._exchange(slot, self._ahead)
        return self._ahead

    def _exchange(self, slot: int, other: int) -> None:
        """Exchange the contents of two places."""
        members = self.members
        members[slot], members[other] = members[other], members[slot]
        self.slots[members[slot]], self.slots[members[other]] = slot, other


class IndexedDict(IndexedSet, Generic[V]):
    """Byte strings to values. `values` runs parallel to `members`."""

    __slots__ = ("values",)

    def __init__(self, items: Iterable[tuple[bytes, V]] = ()) -> None:
        pairs = list(items)
        super().__init__(key for key, _ in pairs)
        self.values: list[V] = [value for _, value in pairs]

    def __getitem__(self, key: bytes) -> V:
        return self.values[self.slots[key]]

    def __setitem__(self, key: bytes, value: V) -> None:
        slot = self.slots.get(key)
        if slot is None:
            self.slots[key] = len(self.members)
            self.members.append(key)
            self.values.append(value)
        else:
            self.values[slot] = value

    def get(self, key: bytes) -> V | None:
        slot = self.slots.get(key)
        return None if slot is None else self.values[slot]

    def add(self, member: bytes) -> bool:
        raise TypeError(f"{member!r} without a value")

    def discard(self, member: bytes) -> bool:
        """Remove a member; return whether it was there."""
        slot = self.slots.pop(member, None)
        if slot is None:
            return False
        if slot < self._ahead:
            slot = self._pass_by(slot)
            del self.slots[member]
        last, value = self.members.pop(), self.values.pop()
        if slot < len(self.members):
            self.members[slot] = last
            self.values[slot] = value
            self.slots[last] = slot
        return True

    def _exchange(self, slot: int, other: int) -> None:
        super()._exchange(slot, other)
        self.values[slot], self.values[other] = self.values[other], self.values[slot]

    def items(self) -> Iterator[tuple[bytes, V]]:
        return zip(self.members, self.values, strict=True)

    def clear(self) -> None:
        self.slots.clear()
        self.members.clear()
        self.values.clear()
        self._cursor = self._ahead = 0
