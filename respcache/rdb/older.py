"""Blocks that Redis wrote up to 6.2 (ziplists), up to 2.4 (zipmaps), and still writes (intsets).

Everything is checked as Redis' deep sanitization does. All functions raise Malformed.
"""

from __future__ import annotations

from array import array
from struct import unpack
from sys import byteorder
from typing import TYPE_CHECKING

from respcache.rdb.strings import Malformed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.rdb.listpack import Element

_END = 0xFF
_ZIPLIST_HEADER = 10
# Number of elements: more than the header can say.
_MANY = 0xFFFF
# The first byte of an integer, and how many bytes it has.
_ZIPLIST_INTEGERS = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}
# The mark of a length of four bytes; in the count of a zipmap, that it is not known.
_LONG = 0xFE

_INTSET_CODES = {2: "h", 4: "i", 8: "q"}


def ziplist(blob: bytes) -> list[Element]:
    """The elements; each is preceded by the length of the one before it."""
    size = len(blob)
    if size < _ZIPLIST_HEADER + 1 or blob[-1] != _END:
        raise Malformed("no ziplist")
    total, tail, count = unpack("<IIH", blob[:_ZIPLIST_HEADER])
    if total != size:
        raise Malformed("a ziplist of another size")
    found: list[Element] = []
    at, end, before = _ZIPLIST_HEADER, size - 1, 0
    last = None
    try:
        while blob[at] != _END:
            last = at
            if blob[at] < _LONG:
                previous = blob[at]
                at += 1
            else:
                previous = int.from_bytes(blob[at + 1 : at + 5], "little")
                at += 5
            if previous != before:
                raise Malformed("an entry with another length before it")
            element, at = _ziplist_element(blob, at)
            if at > end:
                raise Malformed("cut off")
            found.append(element)
            before = at - last
    except (IndexError, KeyError):
        raise Malformed("a broken ziplist") from None
    if at != end or (last is not None and last != tail) or tail > end or count not in (len(found), _MANY):
        raise Malformed("a ziplist with other figures")
    return found


def _ziplist_element(blob: bytes, at: int) -> tuple[Element, int]:
    """The element at a position, and where it ends."""
    first = blob[at]
    if first < 0xC0:
        if first < 0x40:
            length, at = first, at + 1
        elif first < 0x80:
            length, at = (first & 63) << 8 | blob[at + 1], at + 2
        else:
            length, at = int.from_bytes(blob[at + 1 : at + 5], "big"), at + 5
        return blob[at : at + length], at + length
    if 0xF1 <= first <= 0xFD:
        return (first & 15) - 1, at + 1
    width = _ZIPLIST_INTEGERS[first]
    return int.from_bytes(blob[at + 1 : at + 1 + width], "little", signed=True), at + 1 + width


def zipmap(blob: bytes) -> list[tuple[bytes, bytes]]:
    """The fields with their values; behind each value some bytes may be free."""
    if len(blob) < 2 or blob[-1] != _END:
        raise Malformed("no zipmap")
    found = []
    at, end = 1, len(blob) - 1
    try:
        while blob[at] != _END:
            field, at = _zipmap_string(blob, at, 0)
            value, at = _zipmap_string(blob, at, 1)
            if at > end:
                raise Malformed("cut off")
            found.append((field, value))
    except IndexError:
        raise Malformed("a broken zipmap") from None
    # As in Redis, the first end mark counts, whatever is behind it.
    if not found or blob[0] not in (len(found), _LONG):
        raise Malformed("a zipmap with other figures")
    return found


def _zipmap_string(blob: bytes, at: int, free: int) -> tuple[bytes, int]:
    """The string at a position, and where it ends with its free bytes; `free` bytes say how many these are."""
    length = blob[at]
    at += 1
    if length >= _LONG:
        length = int.from_bytes(blob[at : at + 4], "little")
        at += 4
    skipped = blob[at] if free else 0
    at += free
    return blob[at : at + length], at + length + skipped


def intset(blob: bytes) -> Sequence[int]:
    """The integers, in ascending order."""
    if len(blob) < 8:
        raise Malformed("no intset")
    width, count = unpack("<II", blob[:8])
    if width not in _INTSET_CODES or not count or len(blob) != 8 + width * count:
        raise Malformed("no intset")
    numbers = array(_INTSET_CODES[width])
    numbers.frombytes(blob[8:])
    if byteorder == "big":
        numbers.byteswap()
    if any(map(int.__ge__, numbers, numbers[1:])):
        raise Malformed("an intset that is not in order")
    return numbers


def write_intset(numbers: list[int]) -> bytes:
    """The intset of integers in ascending order, at least one."""
    bits = max((number if number >= 0 else ~number).bit_length() for number in (numbers[0], numbers[-1])) + 1
    width = next(width for width in _INTSET_CODES if bits <= 8 * width)
    packed = array(_INTSET_CODES[width], numbers)
    if byteorder == "big":
        packed.byteswap()
    return width.to_bytes(4, "little") + len(numbers).to_bytes(4, "little") + packed.tobytes()
