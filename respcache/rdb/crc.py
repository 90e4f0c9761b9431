"""CRC-64 as Redis computes it: the polynomial of Jones, reflected, without inversions. Pure Python."""

from __future__ import annotations

from struct import Struct

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # 0xad93d23594c935a9 with its bits reversed


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _POLYNOMIAL if byte & 1 else byte >> 1
    return byte


# For a byte, and for a byte with 1 to 7 bytes after it.
_TABLES = [tuple(map(_entry, range(256)))]
for _ in range(7):
    _TABLES.append(tuple(crc >> 8 ^ _TABLES[0][crc & 0xFF] for crc in _TABLES[-1]))

_WORDS = Struct("<Q")


def crc64(data: bytes | memoryview) -> int:
    """The checksum of `data`."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _TABLES
    crc, whole = 0, len(data) & ~7
    for (word,) in _WORDS.iter_unpack(memoryview(data)[:whole]):
        crc ^= word
        crc = (
            t7[crc & 0xFF]
            ^ t6[crc >> 8 & 0xFF]
            ^ t5[crc >> 16 & 0xFF]
            ^ t4[crc >> 24 & 0xFF]
            ^ t3[crc >> 32 & 0xFF]
            ^ t2[crc >> 40 & 0xFF]
            ^ t1[crc >> 48 & 0xFF]
            ^ t0[crc >> 56]
        )
    for byte in data[whole:]:
        crc = t0[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc
