"""CRC-64 as Redis computes it: the polynomial of Jones, reflected, without inversions. Pure Python.

The usual table makes 17 MB/s. So long data is *folded* first: if ``x**(8*k)`` has the same remainder as a sum of few
lower powers, then bytes that are followed by k others may be replaced by that sum of copies of them, shifted to within
the others. As numbers of thousands of bytes are shifted and added in C, this makes 150 MB/s.
"""

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

# Numbers of bytes k, the highest first, with the remainder of ``x**(8*k)``: bit e stands for ``x**e``. Each is the one
# with the fewest bits among its neighbours.
_REMAINDERS = {
    60610: 0x01222A181B1C0814,
    34771: 0x4A00142A8D831102,
    16182: 0xC020C02893B42101,
    7988: 0x02E704A2DA840604,
    4003: 0x8189160488850C15,
    2083: 0x1504B233400420C3,
    946: 0xC49C1B4059149290,
    511: 0x290214F06B324944,
}
_FOLDS = [(size, [power for power in range(64) if remainder >> power & 1]) for size, remainder in _REMAINDERS.items()]
# Data is folded in pieces of this size, and only if there is more of it than this.
_PIECE, _SHORT = 120_000, 1000


def crc64(data: bytes | memoryview) -> int:
    """The checksum of `data`."""
    view = memoryview(data)
    if len(view) <= _SHORT:
        return _with_tables(view)
    crc, start = 0, 0
    while start < len(view):
        piece = view[start : start + _PIECE]
        if len(view) - start < _PIECE + 8:
            piece = view[start:]
        # The checksum so far counts as if it were added to the next eight bytes.
        crc = _with_tables(_folded(int.from_bytes(piece, "little") ^ crc, len(piece)))
        start += len(piece)
    return crc


def _folded(number: int, size: int) -> memoryview:
    """Fewer bytes with the same checksum as `number` of `size` bytes, the first one lowest."""
    for left, powers in _FOLDS:
        while size > left:
            cut = 8 * min(size - left, left - 8)  # bits that are replaced
            front = number & ((1 << cut) - 1)
            number >>= cut
            for power in powers:
                number ^= front << (8 * left - cut - power)
            size -= cut // 8
    return memoryview(number.to_bytes(size, "little"))


def _with_tables(data: memoryview) -> int:
    t0, t1, t2, t3, t4, t5, t6, t7 = _TABLES
    crc, whole = 0, len(data) & ~7
    for (word,) in _WORDS.iter_unpack(data[:whole]):
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
