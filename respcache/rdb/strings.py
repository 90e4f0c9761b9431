"""Lengths and strings, as they stand in RDB files and payloads.

No length is trusted: what is read is at hand, and what a reader makes of it grows with what it has read.
"""

from __future__ import annotations

import re
from math import inf, nan
from struct import unpack_from

from respcache.rdb.lzf import compress, decompress

# The two highest bits of the first byte of a length of 14 bits, and the first bytes of longer ones.
_MEDIUM, _LONG, _LONGER = 1, 0x80, 0x81
# The first bytes of an integer of 1, 2 and 4 bytes, and of compressed data.
_INT8_MARK, _INT16_MARK, _INT32_MARK, _LZF_MARK = 0xC0, 0xC1, 0xC2, 0xC3

# Strings of up to this length are tried as integers, longer ones than the second are compressed.
_INTEGER_LENGTH, _UNCOMPRESSED = 11, 20
_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,9}")
# The bytes that compression must save.
_SAVED = 4

# What C's strtod takes from the front of a text.
_NUMBER = re.compile(
    rb"[ \t-\r]*([+-]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?"
    rb"|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF]|[nN][aA][nN]))"
)
# The doubles that stand for themselves in the old text form, in place of the length of the text.
_IN_PLACE_OF_A_LENGTH = {253: nan, 254: inf, 255: -inf}


class Malformed(ValueError):
    """The data is not what it should be."""


class Reader:
    """Reads from the front of some data. Raises Malformed."""

    __slots__ = ("_data", "at")

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        # The position of the next byte.
        self.at = at

    @property
    def at_end(self) -> bool:
        return self.at == len(self._data)

    def take(self, size: int) -> bytes:
        """The next bytes."""
        start, end = self.at, self.at + size
        if end > len(self._data):
            raise Malformed("cut off")
        self.at = end
        return self._data[start:end]

    def byte(self) -> int:
        try:
            byte = self._data[self.at]
        except IndexError:
            raise Malformed("cut off") from None
        self.at += 1
        return byte

    def length(self) -> int:
        """A length. As in Redis, the mark of an encoding counts as one, too."""
        first = self.byte()
        if first < 0x40:
            return first
        if first < 0x80:
            return (first & 63) << 8 | self.byte()
        if first == _LONG:
            return int.from_bytes(self.take(4), "big")
        if first == _LONGER:
            return int.from_bytes(self.take(8), "big")
        if first < 0xC0:
            raise Malformed("an unknown form of a length")
        return first & 63

    def string(self) -> bytes:
        first = self.byte()
        if first < 0x40:
            return self.take(first)
        if first < 0xC0:
            self.at -= 1
            return self.take(self.length())
        if first == _LZF_MARK:
            return self._compressed()
        if first > _INT32_MARK:
            raise Malformed("an unknown encoding")
        return b"%d" % int.from_bytes(self.take(1 << (first & 63)), "little", signed=True)

    def _compressed(self) -> bytes:
        compressed, size = self.length(), self.length()
        data = self.take(compressed)
        if not size:
            return b""  # liblzf's failure is a length of 0, too, so Redis takes anything for nothing
        try:
            return decompress(data, size)
        except ValueError as error:
            raise Malformed(str(error)) from None

    def milliseconds(self) -> int:
        """A time, or a duration."""
        return int.from_bytes(self.take(8), "little", signed=True)

    def double(self) -> float:
        """A double in its eight bytes."""
        number: float = unpack_from("<d", self.take(8))[0]
        return number

    def text_double(self) -> float:
        """A double in digits, as it was written up to Redis 4."""
        length = self.byte()
        if length in _IN_PLACE_OF_A_LENGTH:
            return _IN_PLACE_OF_A_LENGTH[length]
        found = leading_number(self.take(length))
        if found is None:
            raise Malformed("a text that is no number")
        return found


def leading_number(text: bytes) -> float | None:
    """The number at the front of a text, as C's strtod finds it; None if there is none."""
    found = _NUMBER.match(text)
    if found is None:
        return None
    digits = found[1].decode()
    if "x" not in digits.lower():
        return float(digits)
    try:
        return float.fromhex(digits)
    except OverflowError:
        return -inf if digits.startswith("-") else inf


def write_length(value: int) -> bytes:
    if value < 1 << 6:
        return bytes((value,))
    if value < 1 << 14:
        return bytes((_MEDIUM << 6 | value >> 8, value & 255))
    if value < 1 << 32:
        return bytes((_LONG,)) + value.to_bytes(4, "big")
    return bytes((_LONGER,)) + value.to_bytes(8, "big")


def write_string(value: bytes, *, compressed: bool = False) -> bytes:
    """A string as Redis writes it: as an integer, compressed if asked for and worth it, or as it is."""
    size = len(value)
    if size <= _INTEGER_LENGTH:
        if size and (value[0] <= 0x39) and _INTEGER.fullmatch(value):
            number = int(value)
            if -128 <= number < 128:
                return bytes((_INT8_MARK, number & 0xFF))
            if -(1 << 15) <= number < 1 << 15:
                return bytes((_INT16_MARK,)) + number.to_bytes(2, "little", signed=True)
            if -(1 << 31) <= number < 1 << 31:
                return bytes((_INT32_MARK,)) + number.to_bytes(4, "little", signed=True)
    elif compressed and size > _UNCOMPRESSED:
        packed = compress(value, size - _SAVED)
        if packed is not None:
            return bytes((_LZF_MARK,)) + write_length(len(packed)) + write_length(size) + packed
    return write_length(size) + value
