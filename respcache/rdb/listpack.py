"""Listpacks: flat blocks of strings and integers, in which Redis keeps small collections and the nodes of streams.

A header (bytes in all, number of elements), the elements, and an end mark. An element is its encoding with its length
or value, its bytes, and the length of all that again, for walking backwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from respcache.datatypes.listpack import is_integer
from respcache.rdb.strings import Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

Element: TypeAlias = "bytes | int"

_HEADER = 6
_END = 0xFF
# The number of elements where there are more than the header can say.
_MANY = 0xFFFF
# The first byte of an integer, and how many bytes the integer has.
_INTEGERS = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}


# -- reading


def elements(blob: bytes, *, counted: bool = True) -> list[Element]:
    """All elements; what Redis keeps as an integer comes as one. Everything is checked. Raises Malformed.

    Not `counted`: the number of elements in the header may be any.
    """
    size = len(blob)
    if size < _HEADER + 1 or int.from_bytes(blob[:4], "little") != size or blob[-1] != _END:
        raise Malformed("no listpack")
    found: list[Element] = []
    append = found.append
    at, end = _HEADER, size - 1
    try:
        while (first := blob[at]) != _END:
            if first < 0x80:
                append(first)
                length = 1
            elif first < 0xC0:
                length = first - 0x7F
                append(blob[at + 1 : at + length])
            elif first < 0xE0:
                number = (first & 0x1F) << 8 | blob[at + 1]
                append(number - 8192 if number >= 4096 else number)
                length = 2
            elif first <= 0xF0:
                start = at + (2 if first < 0xF0 else 5)
                count = (
                    (first & 15) << 8 | blob[at + 1]
                    if first < 0xF0
                    else int.from_bytes(blob[at + 1 : at + 5], "little")
                )
                append(blob[start : start + count])
                length = start + count - at
            else:
                width = _INTEGERS[first]
                append(int.from_bytes(blob[at + 1 : at + 1 + width], "little", signed=True))
                length = 1 + width
            at += length
            if length < 128:
                if blob[at] != length:
                    raise Malformed("an entry with another length at its end")
                at += 1
            else:
                tail = _tail(length)
                if blob[at : at + len(tail)] != tail:
                    raise Malformed("an entry with another length at its end")
                at += len(tail)
    except (IndexError, KeyError):
        raise Malformed("a broken listpack") from None
    if at != end:
        raise Malformed("an end mark in the middle")
    count = int.from_bytes(blob[4:6], "little")
    if counted and count not in (len(found), _MANY):
        raise Malformed("another number of elements")
    return found


def as_strings(found: Iterable[Element]) -> list[bytes]:
    """The elements as clients see them."""
    # The smallest numbers, of which a few bytes of compressed data can hold thousands, share their strings.
    return [
        (_DIGITS[element] if 0 <= element < 128 else b"%d" % element) if isinstance(element, int) else element
        for element in found
    ]


# -- writing


def listpack(entries: list[bytes]) -> bytes:
    """A listpack of entries, each made by `string_entry` or `integer_entry`."""
    body = b"".join(entries)
    count = min(len(entries), _MANY)
    return b"%b%b%b\xff" % ((len(body) + _HEADER + 1).to_bytes(4, "little"), count.to_bytes(2, "little"), body)


def string_entry(element: bytes) -> bytes:
    """The entry of a string; as an integer, if it looks like one."""
    size = len(element)
    if size <= 20 and (element.isdigit() or element[:1] == b"-") and is_integer(element):
        return integer_entry(int(element))
    if size < 64:
        return _HEADS[size] + element + _TAILS[size]
    if size < 4096:
        return bytes((0xE0 | size >> 8, size & 0xFF)) + element + _tail(size + 2)
    return b"\xf0" + size.to_bytes(4, "little") + element + _tail(size + 5)


def integer_entry(number: int) -> bytes:
    """The entry of an integer of 64 bits."""
    if 0 <= number < 128:
        return _SMALL[number]
    if -4096 <= number < 4096:
        return bytes((0xC0 | (number & 0x1FFF) >> 8, number & 0xFF, 2))
    bits = (number if number >= 0 else ~number).bit_length() + 1
    first, width = next((first, width) for first, width in _INTEGERS.items() if bits <= 8 * width)
    return bytes((first,)) + number.to_bytes(width, "little", signed=True) + bytes((1 + width,))


def _tail(length: int) -> bytes:
    """The length of an entry, as it stands behind it: groups of seven bits, to be read from the right."""
    # The limits are those of `lpEncodeBacklen`, some of which are one too low.
    more = 0 if length <= 127 else 1 if length < 16383 else 2 if length < 2097151 else 3 if length < 268435455 else 4
    return bytes(length >> 7 * at & 127 | (128 if at < more else 0) for at in range(more, -1, -1))


_HEADS = [bytes((0x80 | size,)) for size in range(64)]
_TAILS = [bytes((size + 1,)) for size in range(64)]
_DIGITS = [b"%d" % number for number in range(128)]
_SMALL = [bytes((number, 1)) for number in range(128)]
