"""Streams: their nodes, what is remembered of deleted entries, consumer groups with all that is pending."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from respcache.rdb.plain import PlainConsumer, PlainGroup, PlainStream
from respcache.rdb.stream_nodes import read_node
from respcache.rdb.strings import Malformed

if TYPE_CHECKING:
    from respcache.datatypes.stream_ids import StreamID
    from respcache.rdb.plain import PlainStreamNode
    from respcache.rdb.strings import Reader

# What each type of streams adds to the one before: figures of what was deleted and read (Redis 7.0), when consumers
# were given something (7.2), messages of producers (8.6), entries that consumers gave back (8.8).
FIRST, FIGURES, ACTIVE_TIME, PRODUCERS, RELEASED = range(5)

# What stands for a number of entries that is not known.
UNKNOWN = (1 << 64) - 1
# Redis tells these numbers to clients as signed ones.
_LARGEST = (1 << 63) - 1


def read_stream(reader: Reader, *, since: int = FIRST) -> PlainStream:
    """A stream of one of the types above. Raises Malformed."""
    nodes = _read_nodes(reader)
    length, last_id = reader.length(), _read_id(reader)
    max_deleted_id = entries_added = None
    if since >= FIGURES:
        _read_id(reader)  # of the first entry, which the nodes tell
        max_deleted_id, entries_added = _read_id(reader), _figure(reader)
    if length != sum(len(node.entries) for node in nodes):
        raise Malformed("another number of entries")
    if any(node.entries and node.entries[-1][0] > last_id for node in nodes):
        raise Malformed("an entry after the last one")
    groups: dict[bytes, PlainGroup] = {}
    for _ in range(reader.length()):
        group = _read_group(reader, since)
        if group.name in groups:
            raise Malformed("the same group twice")
        groups[group.name] = group
    producers = _read_producers(reader) if since >= PRODUCERS else {}
    return PlainStream(nodes, last_id, max_deleted_id, entries_added, list(groups.values()), producers)


def _read_nodes(reader: Reader) -> list[PlainStreamNode]:
    """All nodes in ascending order, in which Redis' tree puts them."""
    nodes = [read_node(reader.string(), reader.string()) for _ in range(reader.length())]
    nodes.sort(key=lambda node: node.master)
    if any(node.master == following.master for node, following in pairwise(nodes)):
        raise Malformed("the same node twice")
    filled = [node for node in nodes if node.entries]
    if any(node.entries[-1][0] >= following.master for node, following in pairwise(filled)):
        raise Malformed("nodes that overlap")
    if any(node.entries[0][0] < node.master for node in filled):
        raise Malformed("an entry before its node")
    return nodes


def _read_id(reader: Reader) -> StreamID:
    return reader.length() << 64 | reader.length()


def _figure(reader: Reader) -> int:
    figure = reader.length()
    if figure > _LARGEST:
        raise Malformed("a figure that is too large")
    return figure


def _time(reader: Reader, least: int = 0) -> int:
    time = reader.milliseconds()
    if time < least:
        raise Malformed("a time before all times")
    return time


def _read_group(reader: Reader, since: int) -> PlainGroup:
    name, last_id, entries_read = reader.string(), _read_id(reader), None
    if since >= FIGURES:
        entries_read = reader.length()
        if _LARGEST < entries_read < UNKNOWN:
            raise Malformed("a figure that is too large")
    pending: dict[StreamID, tuple[int, int]] = {}
    for _ in range(reader.length()):
        id = int.from_bytes(reader.take(16), "big")
        if id in pending:
            raise Malformed("the same entry twice")
        pending[id] = _time(reader), _figure(reader)
    owned: set[StreamID] = set()
    consumers: dict[bytes, PlainConsumer] = {}
    for _ in range(reader.length()):
        consumer = _read_consumer(reader, since)
        if consumer.name in consumers or not owned.isdisjoint(consumer.pending):
            raise Malformed("the same consumer twice, or the same entry")
        owned.update(consumer.pending)
        if len(set(consumer.pending)) < len(consumer.pending):
            raise Malformed("the same entry twice")
        consumers[consumer.name] = consumer
    released = _read_ids(reader) if since >= RELEASED else []
    if not owned.isdisjoint(released) or {*owned, *released} != pending.keys():
        raise Malformed("pending entries that nobody has, or that are not pending")
    return PlainGroup(
        name, last_id, None if entries_read == UNKNOWN else entries_read, pending, list(consumers.values()), released
    )


def _read_consumer(reader: Reader, since: int) -> PlainConsumer:
    name, seen_time = reader.string(), _time(reader)
    # The best that older versions tell, as Redis takes it.
    active_time = _time(reader, -1) if since >= ACTIVE_TIME else seen_time
    return PlainConsumer(name, seen_time, active_time, _read_ids(reader))


def _read_ids(reader: Reader) -> list[StreamID]:
    return [int.from_bytes(reader.take(16), "big") for _ in range(reader.length())]


def _read_producers(reader: Reader) -> dict[bytes, dict[bytes, StreamID]]:
    """What XADD with IDMP remembers. The settings and counters around it are of no use without it."""
    _duration, _most = reader.length(), reader.length()
    producers: dict[bytes, dict[bytes, StreamID]] = {}
    for _ in range(reader.length()):
        name, messages = reader.string(), {}
        for _ in range(reader.length()):
            message = reader.string()
            messages[message] = _read_id(reader)
        producers[name] = messages
    _added, _duplicates = reader.length(), reader.length()
    return producers
