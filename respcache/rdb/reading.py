"""Reads values of every type that Redis 2.4 to 8.10 and Valkey 7.2 to 9.1 write.

The checks are those that Redis makes with ``sanitize-dump-payload yes``: no value has duplicates, an odd number of
elements, a score that is NaN, or nothing in it. It is stricter where Redis' own structures would bear what ours cannot:
NaN in a listpack, entries of a stream that are out of order or miscounted, times and counts below zero.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from itertools import chain
from math import isnan
from typing import TYPE_CHECKING, TypeVar

from respcache.rdb import older
from respcache.rdb.listpack import as_strings, elements
from respcache.rdb.modules import refuse_module
from respcache.rdb.plain import Deadline, Plain, PlainArray, PlainHash, PlainList, PlainSet, PlainZSet
from respcache.rdb.streams import ACTIVE_TIME, FIGURES, PRODUCERS, RELEASED, read_stream
from respcache.rdb.strings import Malformed, Reader, leading_number
from respcache.resp.encode import format_double

if TYPE_CHECKING:
    from respcache.rdb.listpack import Element

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

# The types of Valkey end with this one. Redis, which has more, used it for something else before 7.4 was released.
_HASH_2 = 22
# The first version of Valkey's own numbering.
VALKEY = 80

# Fields expire before this time, in milliseconds: 48 bits, as in Redis.
_LATEST_FIELD = (1 << 48) - 2

# How a quicklist holds a node: as one element, or in a listpack.
_PLAIN, _PACKED = 1, 2
# No index of an array.
_NO_CURSOR = (1 << 64) - 1


def read_value(reader: Reader, kind: int, version: int) -> Plain:
    """The value of a type that comes next, in data of a version of the format.

    Raises Malformed, and Unsupported for the values of modules.
    """
    if kind >= _HASH_2 and (kind == _HASH_2) != (version >= VALKEY):
        raise Malformed("a type of the other server")
    try:
        read = _READERS[kind]
    except KeyError:
        raise Malformed("an unknown type") from None
    return read(reader)


def _count(reader: Reader) -> int:
    """The number of elements of a collection, which is never empty. Not to be trusted."""
    count = reader.length()
    if not count:
        raise Malformed("an empty value")
    return count


def _add(found: dict[K, V], key: K, value: V) -> None:
    """Raises Malformed if the key is there already."""
    if key in found:
        raise Malformed("the same element twice")
    found[key] = value


# -- element by element: a loop over more elements than there are ends with an error where the data ends


def _list(reader: Reader) -> PlainList:
    return PlainList([reader.string() for _ in range(_count(reader))])


def _set(reader: Reader) -> PlainSet:
    members: dict[bytes, None] = {}
    for _ in range(_count(reader)):
        _add(members, reader.string(), None)
    return PlainSet(list(members))


def _hash(reader: Reader) -> PlainHash:
    pairs: dict[bytes, bytes] = {}
    for _ in range(_count(reader)):
        _add(pairs, reader.string(), reader.string())
    return PlainHash(list(pairs.items()))


def _old_zset(reader: Reader) -> PlainZSet:
    return _zset(reader, Reader.text_double)


def _new_zset(reader: Reader) -> PlainZSet:
    return _zset(reader, Reader.double)


def _zset(reader: Reader, read_score: Callable[[Reader], float]) -> PlainZSet:
    scores: dict[bytes, float] = {}
    for _ in range(_count(reader)):
        _add(scores, reader.string(), _score(read_score(reader)))
    return PlainZSet(list(scores.items()))


def _score(score: float) -> float:
    if isnan(score):
        raise Malformed("a score that is no number")
    return score


# -- flat blocks


def _quicklist(reader: Reader) -> PlainList:
    return _nodes(as_strings(older.ziplist(_block(reader))) for _ in range(_count(reader)))


def _quicklist_2(reader: Reader) -> PlainList:
    return _nodes(_node(reader) for _ in range(_count(reader)))


def _node(reader: Reader) -> list[bytes] | bytes:
    """The elements of one node, or the one that is too large for a listpack."""
    held = reader.length()
    if held not in (_PLAIN, _PACKED):
        raise Malformed("a node of an unknown kind")
    block = _block(reader)
    return block if held == _PLAIN else as_strings(elements(block))


def _block(reader: Reader) -> bytes:
    block = reader.string()
    if not block:
        raise Malformed("an empty node")
    return block


def _nodes(found: Iterable[list[bytes] | bytes]) -> PlainList:
    nodes: list[list[bytes] | bytes] = [node for node in found if node]
    if not nodes:
        raise Malformed("an empty value")
    single = len(nodes) == 1 and isinstance(nodes[0], list)
    members = chain.from_iterable([node] if isinstance(node, bytes) else node for node in nodes)
    return PlainList(list(members), single)


def _ziplist_list(reader: Reader) -> PlainList:
    return PlainList(_filled(as_strings(older.ziplist(reader.string()))), False)


def _intset(reader: Reader) -> PlainSet:
    return PlainSet([b"%d" % number for number in older.intset(reader.string())], b"intset")


def _listpack_set(reader: Reader) -> PlainSet:
    members = _filled(as_strings(elements(reader.string())))
    if len(set(members)) < len(members):
        raise Malformed("the same element twice")
    return PlainSet(members, b"listpack")


def _zipmap_hash(reader: Reader) -> PlainHash:
    pairs: dict[bytes, bytes] = {}
    for field, value in older.zipmap(reader.string()):
        _add(pairs, field, value)
    return PlainHash(list(pairs.items()))


def _ziplist_hash(reader: Reader) -> PlainHash:
    return _packed_hash(older.ziplist(reader.string()))


def _listpack_hash(reader: Reader) -> PlainHash:
    return _packed_hash(elements(reader.string()))


def _packed_hash(found: list[Element]) -> PlainHash:
    strings = _filled(as_strings(found))
    if len(strings) % 2:
        raise Malformed("a field without a value")
    pairs = dict(zip(strings[::2], strings[1::2], strict=True))
    if 2 * len(pairs) < len(strings):
        raise Malformed("the same element twice")
    return PlainHash(list(pairs.items()), True)


def _ziplist_zset(reader: Reader) -> PlainZSet:
    return _packed_zset(older.ziplist(reader.string()))


def _listpack_zset(reader: Reader) -> PlainZSet:
    return _packed_zset(elements(reader.string()))


def _packed_zset(found: list[Element]) -> PlainZSet:
    if len(_filled(found)) % 2:
        raise Malformed("a member without a score")
    scores: dict[bytes, float] = {}
    for member, score in zip(as_strings(found[::2]), found[1::2], strict=True):
        number = float(score) if isinstance(score, int) else leading_number(score)
        # As in Redis, a text that is no number at all counts as zero.
        _add(scores, member, 0.0 if number is None else _score(number))
    return PlainZSet(list(scores.items()), True)


def _filled(found: list[T]) -> list[T]:
    if not found:
        raise Malformed("an empty value")
    return found


# -- hashes whose fields may expire, and hashes with fields in common


def _hash_2(reader: Reader) -> PlainHash:
    """As Valkey 9 has it."""
    pairs: dict[bytes, bytes] = {}
    deadlines: dict[bytes, Deadline] = {}
    for _ in range(_count(reader)):
        field = reader.string()
        _add(pairs, field, reader.string())
        deadline = reader.milliseconds()
        if deadline < -1:
            raise Malformed("a deadline before all times")
        if deadline != -1:
            deadlines[field] = deadline
    return PlainHash(list(pairs.items()), False, deadlines)


def _hash_with_deadlines(reader: Reader) -> PlainHash:
    """As Redis 7.4 has it: deadlines are counted from the earliest one, and from 1."""
    earliest = reader.milliseconds()
    pairs: dict[bytes, bytes] = {}
    deadlines: dict[bytes, Deadline] = {}
    for _ in range(_count(reader)):
        after, field = reader.length(), reader.string()
        _add(pairs, field, reader.string())
        if after:
            deadlines[field] = _deadline(earliest + after - 1)
    return PlainHash(list(pairs.items()), False, deadlines)


def _listpack_with_deadlines(reader: Reader) -> PlainHash:
    """As Redis 7.4 has it: the deadline is behind the value, 0 for none, and those that expire first come first."""
    reader.milliseconds()  # the earliest deadline
    found = _filled(elements(reader.string()))
    if len(found) % 3:
        raise Malformed("a field without a value")
    pairs: dict[bytes, bytes] = {}
    deadlines: dict[bytes, Deadline] = {}
    before: int | None = None
    for field, value, deadline in zip(as_strings(found[::3]), as_strings(found[1::3]), found[2::3], strict=True):
        _add(pairs, field, value)
        if not isinstance(deadline, int):
            raise Malformed("a deadline that is no number")
        if deadline:
            deadlines[field] = _deadline(deadline)
            if before is not None and deadline < (before or deadline + 1):
                raise Malformed("deadlines out of order")
        before = deadline
    return PlainHash(list(pairs.items()), True, deadlines)


def _deadline(deadline: int) -> Deadline:
    if not 0 <= deadline <= _LATEST_FIELD:
        raise Malformed("a deadline outside all times")
    return deadline


def _template_hash(reader: Reader) -> PlainHash:
    """As Redis 8.10 has it: the fields, and a listpack of the template's number and the values."""
    fields = _fields(reader)
    values = as_strings(elements(reader.string()))
    if len(values) != len(fields) + 1:
        raise Malformed("another number of values")
    return PlainHash(list(zip(fields, values[1:], strict=True)))


def _template_array(reader: Reader) -> PlainHash:
    """The same with the values one by one."""
    return PlainHash([(field, reader.string()) for field in _fields(reader)])


def _fields(reader: Reader) -> list[bytes]:
    """The fields of a template: one listpack, or one by one."""
    match reader.length():
        case 0:
            fields = as_strings(elements(reader.string()))
        case 1:
            fields = [reader.string() for _ in range(_count(reader))]
        case _:
            raise Malformed("fields of an unknown form")
    if len(set(_filled(fields))) < len(fields):
        raise Malformed("the same element twice")
    return fields


# -- others


def _array(reader: Reader) -> PlainArray:
    count = _count(reader)
    flag = reader.length()
    if flag > 1:
        raise Malformed("an unknown flag")
    cursor = reader.length() if flag else None
    found: dict[int, bytes] = {}
    for _ in range(count):
        index = reader.length()
        if index == _NO_CURSOR:
            raise Malformed("an index outside the array")
        _add(found, index, _array_element(reader))
    return PlainArray(found, cursor)


def _array_element(reader: Reader) -> bytes:
    match reader.length():
        case 0 | 3:
            return reader.string()
        case 1:
            return b"%d" % reader.milliseconds()
        case 2:
            digits = format_double(reader.double())
            return digits if any(mark in digits for mark in b".en") else digits + b".0"
    raise Malformed("an element of an unknown kind")


_READERS: dict[int, Callable[[Reader], Plain]] = {
    0: Reader.string,
    1: _list,
    2: _set,
    3: _old_zset,
    4: _hash,
    5: _new_zset,
    7: refuse_module,
    9: _zipmap_hash,
    10: _ziplist_list,
    11: _intset,
    12: _ziplist_zset,
    13: _ziplist_hash,
    14: _quicklist,
    15: read_stream,
    16: _listpack_hash,
    17: _listpack_zset,
    18: _quicklist_2,
    19: partial(read_stream, since=FIGURES),
    20: _listpack_set,
    21: partial(read_stream, since=ACTIVE_TIME),
    22: _hash_2,
    24: _hash_with_deadlines,
    25: _listpack_with_deadlines,
    26: partial(read_stream, since=PRODUCERS),
    27: partial(read_stream, since=RELEASED),
    28: _array,
    29: _template_hash,
    31: _template_array,
}
