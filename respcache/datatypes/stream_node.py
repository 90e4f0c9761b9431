"""Macro nodes: consecutive entries of a stream, up to 100 by default, compact while nobody uses them.

Redis keeps a stream as a radix tree of listpacks. Which entries share a listpack shows: XTRIM ``~`` removes only whole
ones, and XINFO STREAM counts them. So a node counts the bytes that its listpack would have, and the entries that were
deleted, which keep their place there (redis 7.2 `streamAppendItem`).

The entries of an *open* node are in lists; only there can they be read and changed. Those of a *packed* node are one
byte string, which takes about an eighth of the memory. To open a node of 100 entries takes 10 microseconds, to pack it
30, so a stream keeps the nodes open that it used last.
"""

from __future__ import annotations

import marshal
from itertools import accumulate, chain
from operator import sub
from typing import TYPE_CHECKING

from respcache.datatypes.listpack import EMPTY, SMALLEST_ENTRY, entry_size, integer_size
from respcache.datatypes.stream_ids import MAX_PART, StreamID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.datatypes.limits import Limits

# The fields of an entry, each followed by its value.
Fields = tuple[bytes, ...]

# A node as plain data: its slots, the entries packed.
NodeData = tuple[StreamID, StreamID, Fields, int, int, int, bytes]

# The largest listpack for a stream, whatever ``stream-node-max-bytes`` says.
MOST_BYTES = 1 << 30

_SIGN = 1 << 63

# What a packed node has instead of its lists. Never changed.
_NO_IDS: list[StreamID] = []
_NO_ENTRIES: list[Fields] = []


class Node:
    """Entries in ascending order of their ids."""

    __slots__ = ("_packed", "count", "deleted", "entries", "ids", "is_open", "last", "master", "names", "size")

    def __init__(self, master: StreamID, names: Fields) -> None:
        # The id of the first entry that it ever had: its key in Redis' radix tree.
        self.master = master
        # The id of the last entry that it ever had.
        self.last = master
        # The field names of that first entry. Entries with the same names take less room.
        self.names = names
        # How many entries it has, and how many of its entries were deleted.
        self.count = 0
        self.deleted = 0
        # Its bytes as a listpack, without the two numbers above, which are part of it.
        self.size = EMPTY + integer_size(len(names)) + sum(map(entry_size, names)) + SMALLEST_ENTRY
        # True while `ids` and `entries`, which are parallel, hold the entries.
        self.is_open = True
        self.ids: list[StreamID] = []
        self.entries: list[Fields] = []
        # The entries as bytes. None if they have changed since they were packed.
        self._packed: bytes | None = None

    def has_room(self, limits: Limits, size: int) -> bool:
        """Whether an entry whose fields have `size` bytes may be appended."""
        most_bytes = limits.stream_node_max_bytes
        if not 0 < most_bytes <= MOST_BYTES:
            most_bytes = MOST_BYTES
        if self.listpack_size + size >= most_bytes:
            return False
        most_entries = limits.stream_node_max_entries
        return most_entries == 0 or self.count + self.deleted < most_entries

    @property
    def listpack_size(self) -> int:
        """Its bytes as a listpack."""
        return self.size + integer_size(self.count) + integer_size(self.deleted)

    def append(self, id: StreamID, fields: Fields) -> None:
        """Add an entry with a higher id than all others. The node is open."""
        names = fields[::2]
        added = 3 + len(names)  # the elements of the listpack: flags, two parts of the id, values, and their number
        size = SMALLEST_ENTRY + sum(map(entry_size, fields[1::2]))
        if names != self.names:
            size += integer_size(len(names)) + sum(map(entry_size, names))
            added += 1 + len(names)
        size += integer_size(difference(id >> 64, self.master >> 64)) + integer_size(difference(id, self.master))
        self.size += size + integer_size(added)
        self.last = id
        self.ids.append(id)
        self.entries.append(fields)
        self.count += 1
        self._packed = None

    def remove(self, start: int, stop: int) -> None:
        """Delete the entries from index `start` to `stop` (not included). The node is open."""
        del self.ids[start:stop], self.entries[start:stop]
        self.count -= stop - start
        self.deleted += stop - start
        self._packed = None

    @classmethod
    def of(
        cls,
        master: StreamID,
        names: Fields,
        entries: Sequence[tuple[StreamID, Fields]],
        last: StreamID,
        deleted: int,
        size: int,
    ) -> Node:
        """A packed node as it is in a file. `deleted` entries have a place in its listpack of `size` bytes."""
        # A node that has lost nothing begins with its first entry.
        node = cls(master if deleted or not entries else entries[0][0], names)
        node.last = last
        node.ids, node.entries = [id for id, _ in entries], [fields for _, fields in entries]
        node.count, node.deleted = len(entries), deleted
        node.size = size - integer_size(node.count) - integer_size(deleted)
        node.pack()
        return node

    # -- open and packed

    def open(self) -> None:
        """Make the entries accessible."""
        if not self.is_open:
            assert self._packed is not None
            differences, self.entries = marshal.loads(self._packed)
            self.ids = list(accumulate(differences))
            self.is_open = True

    def pack(self) -> None:
        """Make the node compact."""
        self._packed = self._as_bytes()
        self.is_open = False
        self.ids, self.entries = _NO_IDS, _NO_ENTRIES

    def _as_bytes(self) -> bytes:
        """The entries as one byte string."""
        if self._packed is not None:
            return self._packed
        # From the id before, the first one from 0: these are smaller numbers than the ids.
        differences = list(map(sub, self.ids, chain((0,), self.ids)))
        # Each distinct string is written once, as long as it is the same object.
        intern = {name: name for name in self.names}.setdefault
        entries = [tuple(map(intern, fields, fields)) for fields in self.entries]
        return marshal.dumps((differences, entries))

    # -- travelling

    def dump(self) -> NodeData:
        return self.master, self.last, self.names, self.count, self.deleted, self.size, self._as_bytes()

    @classmethod
    def load(cls, data: NodeData) -> Node:
        node = cls.__new__(cls)
        node.master, node.last, node.names, node.count, node.deleted, node.size, node._packed = data
        node.is_open = False
        node.ids, node.entries = _NO_IDS, _NO_ENTRIES
        return node


def difference(one: int, other: int) -> int:
    """The difference of their lowest 64 bits as a signed number, which wraps around as in C."""
    difference = (one - other) & MAX_PART
    return difference - (MAX_PART + 1) if difference & _SIGN else difference
