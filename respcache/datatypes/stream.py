"""Streams: entries in the order of their ids. Appending and trimming cost O(1) per entry, finding one O(log n).

The entries are in nodes (`respcache.datatypes.stream_node`), which begin and end where Redis' do. A node is found by
bisection. Only the last node, and the few that were used last, are open. Whole nodes are removed without being opened.
Removing the first nodes moves the list of nodes up, 8 bytes per 100 entries, which costs less than keeping an offset.

Unlike other collections, a stream without entries remains: its last id, its counters and its groups matter.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from respcache.datatypes.radix import radix_nodes
from respcache.datatypes.stream_groups import Group
from respcache.datatypes.stream_ids import MAX_ID, MIN_ID, StreamID
from respcache.datatypes.stream_node import MOST_BYTES, Fields, Node, NodeData

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from respcache.datatypes.limits import Limits

# An id with the fields of its entry, each field followed by its value.
Entry = tuple[StreamID, Fields]

# How many nodes besides the last one are open: one for a reader, and one for what trims the stream.
_OPEN = 2

_MASTER = attrgetter("master")


class Stream:
    """Entries with ascending ids, and what is remembered of those that are gone."""

    __slots__ = (
        "_length",
        "_limits",
        "_nodes",
        "_opened",
        "_tree_nodes",
        "entries_added",
        "first_id",
        "groups",
        "last_id",
        "max_deleted_id",
    )

    encoding = b"stream"

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        # In ascending order. Only the first one may be without entries: MINID does that.
        self._nodes: list[Node] = []
        # The nodes that are open although they are not the last one, in the order in which they were opened.
        self._opened: list[Node] = []
        # What `tree` has found out about the present nodes.
        self._tree_nodes: int | None = None
        self._length = 0
        # The id of the first entry, 0 without entries.
        self.first_id = MIN_ID
        # The highest id ever used. XSETID can change it.
        self.last_id = MIN_ID
        # The highest id that was deleted by XDEL (trimming does not count), 0 if none was.
        self.max_deleted_id = MIN_ID
        # How many entries were added in all. XSETID can change it.
        self.entries_added = 0
        # Consumer groups by name.
        self.groups: dict[bytes, Group] = {}

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Entry]:
        for node in self._nodes:
            self._open(node)
            yield from zip(node.ids, node.entries, strict=True)

    # -- ids

    def next_id(self, milliseconds: int) -> StreamID:
        """The id for an entry that is added at this time. More than `MAX_ID` if there is none left."""
        return max(milliseconds << 64, self.last_id + 1)

    @property
    def last_entry_id(self) -> StreamID:
        """The highest id of an entry that is still here, 0 without entries."""
        for node in reversed(self._nodes):
            if node.count:
                return self._open(node).ids[-1]
        return MIN_ID

    # -- adding and removing

    def append(self, id: StreamID, fields: Sequence[bytes]) -> None:
        """Add an entry. Its id is higher than `last_id`; `fields` are names, each followed by its value.

        Raises OverflowError if they are too large for any node.
        """
        fields = tuple(fields)
        size = sum(map(len, fields))
        if size > MOST_BYTES:
            raise OverflowError
        nodes = self._nodes
        if nodes and nodes[-1].has_room(self._limits, size):
            node = self._open(nodes[-1])
        else:
            node = self._begin_node(id, fields[::2])
        node.append(id, fields)
        self._length += 1
        if self._length == 1:
            self.first_id = id
        self.last_id = id
        self.entries_added += 1

    def delete(self, id: StreamID) -> bool:
        """Remove one entry. False if there is none with this id. O(log n)."""
        at = self._node_at(id)
        if at < 0:
            return False
        node = self._open(self._nodes[at])
        index = bisect_left(node.ids, id)
        if index == len(node.ids) or node.ids[index] != id:
            return False
        if node.count == 1:
            self._drop(at, at + 1)
        else:
            node.remove(index, index + 1)
            self._length -= 1
        self.max_deleted_id = max(self.max_deleted_id, id)
        if id == self.first_id:
            self._find_first()
        return True

    def trim_to_length(self, length: int, *, whole_nodes: bool, limit: int = 0) -> int:
        """Remove entries from the head until there are `length`; return how many. `limit` as for `trim_below`.

        With `whole_nodes`, a node of which some entries would stay stays whole.
        """
        at, left = 0, self._length
        while left > length and at < len(self._nodes):
            count = self._nodes[at].count
            if limit and self._length - left + count > limit:
                break
            if left - count < length:
                if not whole_nodes:
                    self._open(self._nodes[at]).remove(0, left - length)
                    return self._trimmed(at, left - length)
                break
            left -= count
            at += 1
        return self._trimmed(at, 0)

    def trim_below(self, id: StreamID, *, whole_nodes: bool, limit: int = 0) -> int:
        """Remove the entries with lower ids; return how many. `limit` is the most entries to remove, 0 for no limit.

        It stops before a node that has more entries than may still be removed, even if it would remove only some.
        """
        at, removed = 0, 0
        while at < len(self._nodes):
            node = self._nodes[at]
            if limit and removed + node.count > limit:
                break
            if node.last >= id:
                if not whole_nodes and node.master < id:
                    below = bisect_left(self._open(node).ids, id)
                    node.remove(0, below)
                    return self._trimmed(at, below)
                break
            removed += node.count
            at += 1
        return self._trimmed(at, 0)

    def _trimmed(self, nodes: int, entries: int) -> int:
        """Drop the first `nodes`; the next one has lost `entries` already. How many entries are gone in all."""
        before = self._length
        if nodes:
            self._drop(0, nodes)
        self._length -= entries
        if self._length < before:
            self._find_first()
        return before - self._length

    # -- reading

    def get(self, id: StreamID) -> Fields | None:
        """The fields of one entry, or None. O(log n)."""
        at = self._node_at(id)
        if at < 0:
            return None
        node = self._open(self._nodes[at])
        index = bisect_left(node.ids, id)
        return node.entries[index] if index < len(node.ids) and node.ids[index] == id else None

    def __contains__(self, id: StreamID) -> bool:
        return self.get(id) is not None

    def range(self, start: StreamID = MIN_ID, end: StreamID = MAX_ID, count: int | None = None) -> list[Entry]:
        """The entries from `start` to `end`, both inclusive; the first `count` of them, unless None."""
        found: list[Entry] = []
        left = self._length if count is None else count
        if start > end:
            return found
        for at in range(max(self._node_at(start), 0), len(self._nodes)):
            node = self._nodes[at]
            if not left or node.master > end:
                break
            ids = self._open(node).ids
            low = bisect_left(ids, start)
            high = min(bisect_right(ids, end), low + left)
            found += zip(ids[low:high], node.entries[low:high], strict=True)
            left -= high - low
        return found

    def reverse_range(self, start: StreamID = MIN_ID, end: StreamID = MAX_ID, count: int | None = None) -> list[Entry]:
        """The same entries, from the last one to the first one."""
        found: list[Entry] = []
        left = self._length if count is None else count
        if start > end:
            return found
        for at in range(self._node_at(end), -1, -1):
            node = self._nodes[at]
            if not left or node.last < start:
                break
            ids = self._open(node).ids
            high = bisect_right(ids, end)
            low = max(bisect_left(ids, start), high - left)
            found += zip(ids[low:high][::-1], node.entries[low:high][::-1], strict=True)
            left -= high - low
        return found

    # -- nodes

    def tree(self) -> tuple[int, int]:
        """How many keys and how many nodes Redis' radix tree has: a key for each of our nodes.

        O(1) until a node is added or removed, then once O(n / 100). In Redis it is always O(1).
        """
        if self._tree_nodes is None:
            self._tree_nodes = radix_nodes(list(map(_MASTER, self._nodes)))
        return len(self._nodes), self._tree_nodes

    def nodes(self) -> Iterator[Node]:
        """The nodes that have entries, each open until the next one is asked for."""
        for node in self._nodes:
            if node.count:
                yield self._open(node)

    def _node_at(self, id: StreamID) -> int:
        """The index of the node that an id belongs to, -1 if it is lower than those of all nodes."""
        return bisect_right(self._nodes, id, key=_MASTER) - 1

    def _begin_node(self, id: StreamID, names: Fields) -> Node:
        """A new last node."""
        nodes = self._nodes
        if nodes:
            last = nodes[-1]
            if names == last.names:
                names = last.names  # one object for all nodes
            if last.is_open and last not in self._opened:
                self._keep_open(last)
        nodes.append(Node(id, names))
        self._tree_nodes = None
        return nodes[-1]

    def _open(self, node: Node) -> Node:
        """The node, open now."""
        if not node.is_open:
            node.open()
            self._keep_open(node)
        return node

    def _keep_open(self, node: Node) -> None:
        """Note a node that is open, and pack the one that was opened longest ago if these are too many."""
        if len(self._opened) == _OPEN:
            self._opened.pop(0).pack()
        self._opened.append(node)

    def _drop(self, start: int, stop: int) -> None:
        """Remove whole nodes with all their entries."""
        dropped = self._nodes[start:stop]
        del self._nodes[start:stop]
        self._tree_nodes = None
        self._length -= sum(node.count for node in dropped)
        self._opened = [node for node in self._opened if node not in dropped]

    def _find_first(self) -> None:
        """Set `first_id` after entries were removed."""
        self.first_id = MIN_ID
        for node in self._nodes:
            if node.count:
                self.first_id = self._open(node).ids[0] if node.deleted else node.master
                break

    # -- copies

    def copy(self) -> Stream:
        return Stream.load(self._limits, self.dump())

    def dump(self) -> tuple[Any, ...]:
        nodes = [node.dump() for node in self._nodes]
        groups = [(name, group.dump()) for name, group in self.groups.items()]
        return nodes, self.first_id, self.last_id, self.max_deleted_id, self.entries_added, groups

    @classmethod
    def of_nodes(cls, limits: Limits, nodes: list[Node]) -> Stream:
        """A stream of packed nodes with ascending ids. Its figures are those of the entries, until they are set."""
        stream = cls(limits)
        stream._nodes = nodes
        stream._length = stream.entries_added = sum(node.count for node in nodes)
        stream._find_first()
        return stream

    @classmethod
    def load(cls, limits: Limits, data: tuple[Any, ...]) -> Stream:
        stream = cls(limits)
        nodes: list[NodeData]
        nodes, stream.first_id, stream.last_id, stream.max_deleted_id, stream.entries_added, groups = data
        stream.groups = {name: Group.load(group) for name, group in groups}
        stream._nodes = list(map(Node.load, nodes))
        stream._length = sum(node.count for node in stream._nodes)
        return stream
