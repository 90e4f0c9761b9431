"""Writes values in version 10 of the format, which all servers since Redis 7.0 read, or in 11, as Redis 7.2 does.

Version 11 has listpacks for sets, and tells when consumers were last given something.

Sets are in their own order, fields of hashtables too; Redis has them in the order of a hash function with a secret.
Where the layout depends on the past (nodes of a list, deleted entries of a stream), it is that of a value that was
filled from left to right.
"""

from __future__ import annotations

from itertools import chain
from math import copysign
from operator import attrgetter, itemgetter
from struct import pack
from typing import TYPE_CHECKING, Any

from respcache.datatypes.hash import Hash
from respcache.datatypes.list import List
from respcache.datatypes.set import INTSET, Set
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_groups import Group
from respcache.datatypes.stream_ids import MAX_PART, StreamID
from respcache.datatypes.zset import ZSet
from respcache.rdb.listpack import integer_entry, listpack, string_entry
from respcache.rdb.older import write_intset
from respcache.rdb.stream_nodes import write_node
from respcache.rdb.streams import UNKNOWN
from respcache.rdb.strings import write_length, write_string
from respcache.resp.encode import format_double

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The versions: that of Redis 7.0, and that of Redis 7.2.
OF_7_0, OF_7_2 = 10, 11

# The types.
STRING, SET, HASH, ZSET_2, SET_INTSET = 0, 2, 4, 5, 11
HASH_LISTPACK, ZSET_LISTPACK, QUICKLIST_2, STREAM_2 = 16, 17, 18, 19
SET_LISTPACK, STREAM_3 = 20, 21

_LISTPACK = b"listpack"
# A node of a quicklist that is a listpack.
_PACKED = b"\2"
# Up to this size, a whole number is written as an integer.
_SAFE = 1 << 62

# Bytes of one payload that are tried to be compressed: in pure Python, that takes up to a second per megabyte.
_COMPRESSED = 256 << 10

_name = itemgetter(0)


class Writer:
    """Writes one value. Strings are `compressed`, if that is worth it (``rdbcompression``), except for large ones."""

    __slots__ = ("_newer", "_room", "version")

    def __init__(self, *, compressed: bool, version: int = OF_7_0) -> None:
        # Bytes that may still be compressed.
        self._room = _COMPRESSED if compressed else 0
        self.version = version
        self._newer = version >= OF_7_2

    def value(self, value: Any) -> tuple[int, bytes]:
        """The type of a value, and its bytes."""
        return _WRITERS[type(value)](self, value)

    def string(self, data: bytes) -> bytes:
        compressed = len(data) <= self._room
        if compressed:
            self._room -= len(data)
        return write_string(data, compressed=compressed)

    def _string(self, value: bytes | bytearray) -> tuple[int, bytes]:
        return STRING, self.string(bytes(value))

    def _list(self, value: List) -> tuple[int, bytes]:
        nodes = [_PACKED + self._listpack(map(string_entry, node)) for node in value.nodes()]
        return QUICKLIST_2, write_length(len(nodes)) + b"".join(nodes)

    def _set(self, value: Set) -> tuple[int, bytes]:
        if value.encoding == INTSET:
            return SET_INTSET, self.string(write_intset(list(map(int, value))))
        if self._newer and value.encoding == _LISTPACK:
            return SET_LISTPACK, self._listpack(map(string_entry, value))
        return SET, write_length(len(value)) + b"".join(map(self.string, value))

    def _hash(self, value: Hash) -> tuple[int, bytes]:
        flat = chain.from_iterable(value.items())
        if value.encoding == _LISTPACK:
            return HASH_LISTPACK, self._listpack(map(string_entry, flat))
        return HASH, write_length(len(value)) + b"".join(map(self.string, flat))

    def _zset(self, value: ZSet) -> tuple[int, bytes]:
        if value.encoding == _LISTPACK:
            entries = ((string_entry(member), self._score(score)) for member, score in value.slice(0, len(value)))
            return ZSET_LISTPACK, self._listpack(chain.from_iterable(entries))
        # The highest score first: so Redis, which loads them one by one, always inserts at the head.
        members = value.slice(0, len(value), reverse=True)
        return ZSET_2, write_length(len(value)) + b"".join(
            self.string(member) + pack("<d", score) for member, score in members
        )

    def _score(self, score: float) -> bytes:
        """A score in a listpack: an integer, or all digits that may matter, or since 7.2 as few as tell it."""
        if -_SAFE <= score <= _SAFE and score.is_integer() and (score or copysign(1, score) > 0):
            return integer_entry(int(score))
        return string_entry(format_double(score) if self._newer else b"%.17g" % score)

    def _listpack(self, entries: Iterable[bytes]) -> bytes:
        return self.string(listpack(list(entries)))

    # -- streams

    def _stream(self, value: Stream) -> tuple[int, bytes]:
        nodes = [b"".join(map(self.string, write_node(node))) for node in value.nodes()]
        figures = (
            write_length(len(value)),
            _id(value.last_id),
            _id(value.first_id),
            _id(value.max_deleted_id),
            write_length(value.entries_added),
            write_length(len(value.groups)),
        )
        # In the order of Redis' tree.
        groups = (self.string(name) + self._group(group) for name, group in sorted(value.groups.items(), key=_name))
        return STREAM_3 if self._newer else STREAM_2, b"".join((write_length(len(nodes)), *nodes, *figures, *groups))

    def _group(self, group: Group) -> bytes:
        read = UNKNOWN if group.entries_read is None else group.entries_read
        parts = [_id(group.last_id), write_length(read), write_length(len(group.pending))]
        parts += (
            _raw_id(id) + _time(delivery.time) + write_length(delivery.count) for id, delivery in group.pending.walk()
        )
        parts.append(write_length(len(group.consumers)))
        for consumer in sorted(group.consumers.values(), key=attrgetter("name")):
            parts += (self.string(consumer.name), _time(consumer.seen_time))
            if self._newer:
                parts.append(_time(consumer.active_time))
            parts.append(write_length(len(consumer.pending)))
            parts += (_raw_id(id) for id, _ in consumer.pending.walk())
        return b"".join(parts)


_WRITERS: dict[type, Callable[[Writer, Any], tuple[int, bytes]]] = {
    bytes: Writer._string,
    bytearray: Writer._string,
    List: Writer._list,
    Set: Writer._set,
    Hash: Writer._hash,
    ZSet: Writer._zset,
    Stream: Writer._stream,
}


def _raw_id(id: StreamID) -> bytes:
    return id.to_bytes(16, "big")


def _id(id: StreamID) -> bytes:
    return write_length(id >> 64) + write_length(id & MAX_PART)


def _time(milliseconds: int) -> bytes:
    return milliseconds.to_bytes(8, "little", signed=True)
