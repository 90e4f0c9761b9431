"""The size of a value in an RDB file, for DEBUG OBJECT, with no compression of long strings.

A compact collection is one string, a listpack or an intset; any other is a count and its elements. The sizes are those
of redis 7.2 `rdb.c`.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from respcache.datatypes.hash import Hash
from respcache.datatypes.list import QUICKLIST, List
from respcache.datatypes.listpack import EMPTY, entry_size, is_integer
from respcache.datatypes.set import Set
from respcache.datatypes.stream import Stream
from respcache.datatypes.stream_ids import MAX_PART
from respcache.datatypes.zset import ZSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from respcache.datatypes.stream_groups import Group


# The bytes of a stream id, and of a time.
_ID, _TIME = 16, 8

# What stands for a number of entries that is not known.
_UNKNOWN = (1 << 64) - 1


def serialized_length(value: Any, format_score: Callable[[float], bytes]) -> int:
    """The length of a value, its type and its key not included. `format_score` prints the scores of a listpack."""
    if isinstance(value, (bytes, bytearray)):
        return _string(bytes(value))
    if isinstance(value, List):
        nodes = value.nodes() if value.encoding == QUICKLIST else [EMPTY + sum(map(entry_size, value))]
        return _count(len(nodes)) + sum(1 + _packed(size) for size in nodes)
    if isinstance(value, Stream):
        return _stream(value)
    if value.encoding == b"intset":
        return _packed(8 + len(value) * _integer_width(value))
    elements = _elements(value, format_score)
    if value.encoding == b"listpack":
        return _packed(EMPTY + sum(map(entry_size, elements)))
    if isinstance(value, ZSet):
        return _count(len(value)) + sum(_string(member) + 8 for member in value)
    return _count(len(value)) + sum(map(_string, elements))


def _elements(value: Hash | Set | ZSet, format_score: Callable[[float], bytes]) -> Iterable[bytes]:
    if isinstance(value, Hash):
        return chain.from_iterable(value.items())
    if isinstance(value, ZSet):
        return chain.from_iterable((member, format_score(score)) for member, score in value.items())
    return value


def _stream(stream: Stream) -> int:
    nodes = stream.listpack_sizes()
    ids = (stream.last_id, stream.first_id, stream.max_deleted_id)
    numbers = [len(nodes), len(stream), stream.entries_added, len(stream.groups)]
    numbers += (part for id in ids for part in (id >> 64, id & MAX_PART))
    size = sum(map(_count, numbers)) + sum(_packed(_ID) + _packed(size) for size in nodes)
    return size + sum(_string(name) + _group(group) for name, group in stream.groups.items())


def _group(group: Group) -> int:
    read = _UNKNOWN if group.entries_read is None else group.entries_read
    size = sum(map(_count, (group.last_id >> 64, group.last_id & MAX_PART, read, len(group.pending))))
    size += sum(_ID + _TIME + _count(delivery.count) for _, delivery in group.pending.items())
    size += _count(len(group.consumers))
    for name, consumer in group.consumers.items():
        size += _string(name) + 2 * _TIME + _count(len(consumer.pending)) + _ID * len(consumer.pending)
    return size


def _integer_width(value: Set) -> int:
    numbers = [int(member) for member in value]
    return next(width for width in (2, 4, 8) if all(_fits(number, width) for number in numbers))


def _fits(number: int, width: int) -> bool:
    return -(1 << (8 * width - 1)) <= number < 1 << (8 * width - 1)


def _count(number: int) -> int:
    """The bytes of a length."""
    return 1 if number < 1 << 6 else 2 if number < 1 << 14 else 5 if number < 1 << 32 else 9


def _packed(size: int) -> int:
    return _count(size) + size


def _string(data: bytes) -> int:
    """A string outside a listpack; integers of up to 32 bits have a shorter form."""
    if len(data) <= 11 and is_integer(data):
        for width in (1, 2, 4):
            if _fits(int(data), width):
                return 1 + width
    return _packed(len(data))
