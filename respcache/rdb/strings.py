"""Lengths and strings, as they stand in RDB files and payloads."""

from __future__ import annotations

from respcache.rdb.lzf import decompress

# The two highest bits of the first byte of a length of 14 bits.
_MEDIUM = 1
# Encodings of strings: integers of 1, 2 and 4 bytes are 0 to 2.
_INT32, _LZF = 2, 3


class Reader:
    """Reads one payload from the front. Raises ValueError when it is broken."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def take(self, size: int) -> bytes:
        """The next bytes."""
        found = self._data[self._at : self._at + size]
        if len(found) != size:
            raise ValueError("cut off")
        self._at += size
        return found

    def byte(self) -> int:
        return self.take(1)[0]

    def length(self) -> int:
        """A length that is no mark of an encoding."""
        encoded, value = self._length()
        if encoded:
            raise ValueError("an encoded string in place of a length")
        return value

    def _length(self) -> tuple[bool, int]:
        """Whether an encoded string follows; the length of a plain one, or the kind of encoding."""
        first = self.byte()
        match first >> 6:
            case 0:
                return False, first & 63
            case 1:
                return False, (first & 63) << 8 | self.byte()
            case 2:
                return False, int.from_bytes(self.take(8 if first & 1 else 4), "big")
            case _:
                return True, first & 63

    def string(self) -> bytes:
        encoded, value = self._length()
        if not encoded:
            return self.take(value)
        if value == _LZF:
            compressed, size = self.length(), self.length()
            return decompress(self.take(compressed), size)
        if value > _INT32:
            raise ValueError("an unknown encoding")
        return b"%d" % int.from_bytes(self.take(1 << value), "little", signed=True)


def write_length(value: int) -> bytes:
    if value < 1 << 6:
        return bytes((value,))
    if value < 1 << 14:
        return bytes((_MEDIUM << 6 | value >> 8, value & 255))
    if value < 1 << 32:
        return b"\x80" + value.to_bytes(4, "big")
    return b"\x81" + value.to_bytes(8, "big")


def write_string(value: bytes) -> bytes:
    """A string as it is, not compressed."""
    return write_length(len(value)) + value
