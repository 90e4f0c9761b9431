"""The listpacks of streams: consecutive entries, whose ids are differences from that of the first one.

A listpack begins with the numbers of entries and of deleted ones, and the field names of the first entry. Each entry
is its flags, the two parts of its id, its values, each after its field's name unless the names are those, and how many
elements that were. Deleted entries stay with a flag; ours are written without them.
"""

from __future__ import annotations

from itertools import chain, pairwise
from typing import TYPE_CHECKING

from respcache.datatypes.stream_ids import MAX_PART, StreamID
from respcache.datatypes.stream_node import difference
from respcache.rdb.listpack import as_strings, elements, integer_entry, listpack, string_entry
from respcache.rdb.plain import PlainStreamNode
from respcache.rdb.strings import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respcache.datatypes.stream_node import Fields, Node
    from respcache.rdb.listpack import Element

_DELETED, _SAME_NAMES = 1, 2
# The elements of an entry besides names and values, and with names of its own.
_FIXED, _FIXED_WITH_NAMES = 3, 4


def read_node(key: bytes, blob: bytes) -> PlainStreamNode:
    """The node of a listpack and its key, the id that ids count from. Raises Malformed."""
    if len(key) != 16:
        raise Malformed("a key that is no id")
    master = int.from_bytes(key, "big")
    # As in Redis, which counts the entries instead.
    found = iter(elements(blob, counted=False))
    try:
        count = _number(next(found)) + _number(next(found))
        names = _take(found, _number(next(found)))
        if _number(next(found)) != 0:
            raise Malformed("no end of the first entry")
        entries: list[tuple[StreamID, Fields]] = []
        deleted, last = 0, master
        for _ in range(count):
            flags, last, fields = _read_entry(found, master, names)
            if flags & _DELETED:
                deleted += 1  # its id may be any: XSETID can go back behind it
            else:
                entries.append((last, fields))
    except StopIteration:
        raise Malformed("cut off") from None
    if next(found, None) is not None or any(one >= other for (one, _), (other, _) in pairwise(entries)):
        raise Malformed("entries too many or out of order")
    return PlainStreamNode(master, names, entries, last, deleted, len(blob))


def _read_entry(found: Iterator[Element], master: StreamID, names: Fields) -> tuple[int, StreamID, Fields]:
    flags = _number(next(found), negative=True)
    milliseconds, sequence = _number(next(found), negative=True), _number(next(found), negative=True)
    if flags & _SAME_NAMES:
        values = _take(found, len(names))
        fields = tuple(chain.from_iterable(zip(names, values, strict=True)))
        count = len(values) + _FIXED
    else:
        fields = _take(found, 2 * _number(next(found)))
        count = len(fields) + _FIXED_WITH_NAMES
    if _number(next(found)) != count:
        raise Malformed("an entry of another length")
    id = ((master >> 64) + milliseconds & MAX_PART) << 64 | (master + sequence & MAX_PART)
    return flags, id, fields


def _take(found: Iterator[Element], count: int) -> tuple[bytes, ...]:
    """The next so many elements. The count is not trusted."""
    return tuple(as_strings([next(found) for _ in range(count)]))


def _number(element: Element, *, negative: bool = False) -> int:
    if not isinstance(element, int) or (element < 0 and not negative):
        raise Malformed("no number where one should be")
    return element


def write_node(node: Node) -> tuple[bytes, bytes]:
    """The key and the listpack of a node that is open and has entries."""
    # Without the entries that are deleted, it is a node that begins with the first that is left.
    master = node.ids[0]
    entries = [integer_entry(node.count), integer_entry(0), integer_entry(len(node.names))]
    entries += map(string_entry, node.names)
    entries.append(integer_entry(0))
    add = entries.append
    high, low = master >> 64, master
    for id, fields in zip(node.ids, node.entries, strict=True):
        names, values = fields[::2], fields[1::2]
        same = names == node.names
        add(integer_entry(_SAME_NAMES if same else 0))
        add(integer_entry(difference(id >> 64, high)))
        add(integer_entry(difference(id, low)))
        if same:
            entries += map(string_entry, values)
            add(integer_entry(len(values) + _FIXED))
        else:
            add(integer_entry(len(names)))
            entries += map(string_entry, fields)
            add(integer_entry(len(fields) + _FIXED_WITH_NAMES))
    return master.to_bytes(16, "big"), listpack(entries)
