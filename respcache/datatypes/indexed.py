"""A dict whose keys can also be picked by number: uniform random choice and stable cursors, both O(1).

Python's dict can be iterated, but not entered in the middle, which is what SCAN and RANDOMKEY need. So the keys also
stand in a list, and the dict maps a key to its place there. Removing a key moves the last one into its place.

Cursors walk the list downwards. A removal only ever moves the last key to a lower place: a key that was not yet visited
(its place is below the cursor) stays below the cursor, so a key that is present throughout is always returned. A key
that was visited may move below the cursor and come again, which SCAN allows. New keys go to the end, behind the walk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Generic, TypeVar

V = TypeVar("V")


class IndexedSet:
    """Distinct byte strings."""

    __slots__ = ("members", "slots")

    def __init__(self, members: Iterable[bytes] = ()) -> None:
        self.members: list[bytes] = list(members)  # the caller vouches that they are distinct
        self.slots: dict[bytes, int] = {member: slot for slot, member in enumerate(self.members)}

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.members)

    def __contains__(self, member: bytes) -> bool:
        return member in self.slots

    def add(self, member: bytes) -> bool:
        """Whether it is new."""
        if member in self.slots:
            return False
        self.slots[member] = len(self.members)
        self.members.append(member)
        return True

    def discard(self, member: bytes) -> bool:
        """Whether it was there."""
        slot = self.slots.pop(member, None)
        if slot is None:
            return False
        last = self.members.pop()
        if slot < len(self.members):
            self.members[slot] = last
            self.slots[last] = slot
        return True

    def choice(self, random: Random) -> bytes:
        """A uniformly chosen member. Raises IndexError when empty."""
        return self.members[int(random.random() * len(self.members))]

    def sample(self, random: Random, count: int) -> list[bytes]:
        """`count` different members (all of them if there are fewer), uniformly chosen, in O(count)."""
        return random.sample(self.members, min(count, len(self.members)))

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """The members of the next `count` places, and the cursor to go on with; 0 starts, and says it is over."""
        end = min(cursor, len(self.members)) if cursor else len(self.members)
        start = max(0, end - count)
        return start, self.members[start:end][::-1]


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
        """Whether it was there."""
        slot = self.slots.pop(member, None)
        if slot is None:
            return False
        last, value = self.members.pop(), self.values.pop()
        if slot < len(self.members):
            self.members[slot] = last
            self.values[slot] = value
            self.slots[last] = slot
        return True

    def items(self) -> Iterator[tuple[bytes, V]]:
        return zip(self.members, self.values, strict=True)

    def clear(self) -> None:
        self.slots.clear()
        self.members.clear()
        self.values.clear()
