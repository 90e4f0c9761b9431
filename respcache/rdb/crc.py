"""CRC-64 as Redis computes it: the polynomial of Jones, reflected, without inversions. Pure Python: some 10 MB/s."""

from __future__ import annotations

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # 0xad93d23594c935a9 with its bits reversed


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _POLYNOMIAL if byte & 1 else byte >> 1
    return byte


_TABLE = tuple(map(_entry, range(256)))


def crc64(data: bytes) -> int:
    """The checksum of `data`."""
    table, crc = _TABLE, 0
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc
