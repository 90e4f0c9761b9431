"""Sizes in Redis' listpack, the flat block that holds a small collection: they decide which encoding is reported."""

from __future__ import annotations

import re

# Bytes of a listpack without entries: its header and its end mark.
EMPTY = 7

# The minimum bytes of an entry.
SMALLEST_ENTRY = 2

# Signed 64-bit integers in the one form that prints the same, up to the range of those with 19 digits.
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")

# The maximum bits of an integer, its sign included, and the bytes of its entry. The smallest ones are tried first, by
# their values.
_INTEGER_SIZES = ((16, 4), (24, 5), (32, 6), (64, 10))


def is_integer(element: bytes) -> bool:
    """Whether Redis stores the element as a signed 64-bit integer in its compact encodings."""
    return bool(_INTEGER.fullmatch(element)) and (len(element) < 19 or -(1 << 63) <= int(element) < 1 << 63)


def entry_size(element: bytes) -> int:
    """The bytes that an element takes: its header, itself, and its length again for walking backwards."""
    size = len(element)
    if size <= 20 and (element.isdigit() or element[:1] == b"-") and is_integer(element):
        return integer_size(int(element))
    size += 1 if size < 64 else 2 if size < 4096 else 5
    return size + (1 if size < 128 else 2 if size < 16383 else 3 if size < 2097151 else 4 if size < 268435455 else 5)


def integer_size(number: int) -> int:
    """The bytes that an integer of 64 bits takes."""
    if 0 <= number < 128:
        return SMALLEST_ENTRY
    if -4096 <= number < 4096:
        return 3
    bits = (number if number >= 0 else ~number).bit_length() + 1
    return next(size for limit, size in _INTEGER_SIZES if bits <= limit)
