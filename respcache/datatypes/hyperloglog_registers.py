"""The 16384 registers of a HyperLogLog, packed and not, and the cardinality that they stand for.

A register holds the highest rank that was seen among the elements that belong to it. Unpacked registers are one byte
each. Packed, as Redis keeps them in a dense HyperLogLog, they have 6 bits each: four registers in three bytes, the
first one in the lowest bits of the first byte.

There is no loop over all registers here. They are unpacked, merged and counted as a few long integers or byte strings,
in C: each function takes between 30 and 130 microseconds.
"""

from __future__ import annotations

from itertools import compress
from math import inf, isinf, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGISTERS = 1 << 14
REGISTER_BITS = 6
HIGHEST = (1 << REGISTER_BITS) - 1
PACKED_SIZE = REGISTERS * REGISTER_BITS // 8

# A hash has 64 bits, of which 14 choose the register: a rank is at most the other 50, and one.
HASH_BITS = 64 - 14

NO_REGISTERS = bytes(REGISTERS)


def _table(change: Callable[[int], int]) -> bytes:
    """For `bytes.translate`; what does not fit into a byte is cut off."""
    return bytes(change(byte) & 0xFF for byte in range(256))


_LOW_2 = _table(lambda byte: byte << 6)
_LOW_4 = _table(lambda byte: byte << 4)
_LOW_6 = _table(lambda byte: byte & 63)
_LOW_4_UP_2 = _table(lambda byte: (byte & 15) << 2)
_LOW_2_UP_4 = _table(lambda byte: (byte & 3) << 4)
_UP_2 = _table(lambda byte: byte << 2)
_DOWN_2 = _table(lambda byte: byte >> 2)
_DOWN_4 = _table(lambda byte: byte >> 4)
_DOWN_6 = _table(lambda byte: byte >> 6)


def _either(one: bytes, other: bytes) -> bytes:
    """Bitwise or."""
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(len(one), "little")


def unpack(packed: bytes) -> bytes:
    """One byte per register."""
    first, second, third = packed[0::3], packed[1::3], packed[2::3]
    registers = bytearray(REGISTERS)
    registers[0::4] = first.translate(_LOW_6)
    registers[1::4] = _either(first.translate(_DOWN_6), second.translate(_LOW_4_UP_2))
    registers[2::4] = _either(second.translate(_DOWN_4), third.translate(_LOW_2_UP_4))
    registers[3::4] = third.translate(_DOWN_2)
    return bytes(registers)


def pack(registers: bytes) -> bytes:
    """Six bits per register."""
    first, second, third, fourth = (registers[at::4] for at in range(4))
    packed = bytearray(PACKED_SIZE)
    packed[0::3] = _either(first, second.translate(_LOW_2))
    packed[1::3] = _either(second.translate(_DOWN_2), third.translate(_LOW_4))
    packed[2::3] = _either(third.translate(_DOWN_4), fourth.translate(_UP_2))
    return bytes(packed)


# The highest bit of each register, one byte each. No register has it set.
_HIGH_BITS = int.from_bytes(b"\x80" * REGISTERS, "little")


def highest(one: bytes, other: bytes) -> bytes:
    """Of each register the higher one of both."""
    first, second = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    # All registers are compared by one subtraction: the bit that is lent to each stays where `first` is not lower.
    not_lower = ((first | _HIGH_BITS) - second) & _HIGH_BITS
    mask = not_lower - (not_lower >> 7)
    return (second ^ ((first ^ second) & mask)).to_bytes(REGISTERS, "little")


def raised(before: bytes, after: bytes) -> Iterator[tuple[int, int]]:
    """The index and the rank of each register that `after` has otherwise than `before`."""
    difference = int.from_bytes(before, "little") ^ int.from_bytes(after, "little")
    return compress(enumerate(after), difference.to_bytes(REGISTERS, "little"))


# The lowest bit of each packed register.
_LOWEST_BITS = int.from_bytes(pack(b"\x01" * REGISTERS), "little")


def histogram(packed: bytes) -> list[int]:
    """How many registers there are of each rank."""
    counts = [0] * (HIGHEST + 1)
    number = int.from_bytes(packed, "little")
    planes = [number >> bit & _LOWEST_BITS for bit in range(REGISTER_BITS)]

    def share_out(registers: int, bit: int, rank: int) -> None:
        """Count registers, given by a bit each, of which the bits above `bit` are those of `rank`."""
        if bit < 0:
            counts[rank] = registers.bit_count()
            return
        ones = registers & planes[bit]
        if ones:
            share_out(ones, bit - 1, rank | 1 << bit)
        zeros = registers ^ ones
        if zeros:
            share_out(zeros, bit - 1, rank)

    share_out(_LOWEST_BITS, REGISTER_BITS - 1, 0)
    return counts


# -- the cardinality

_ALPHA = 0.721347520444481703680  # 0.5 / ln(2)
_INT64_MIN = -(1 << 63)


def estimate(counts: list[int]) -> int:
    """The cardinality that a histogram stands for, by Otmar Ertl's estimator (arXiv:1702.01284).

    The operations are those of Redis, in the same order, so the floats are the same to the last bit. Where all
    registers are as high as can be, no number is high enough, and the result is the one of a C cast: -2**63.
    """
    registers = float(REGISTERS)
    z = registers * _tau((registers - counts[HASH_BITS + 1]) / registers)
    for rank in range(HASH_BITS, 0, -1):
        z += counts[rank]
        z *= 0.5
    z += registers * _sigma(counts[0] / registers)
    return _rounded(_ALPHA * registers * registers / z) if z else _INT64_MIN


def _sigma(x: float) -> float:
    if x == 1.0:
        return inf
    before, y, z = -1.0, 1.0, x
    while before != z:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in (0.0, 1.0):
        return 0.0
    before, y, z = -1.0, 1.0, 1.0 - x
    while before != z:
        x = sqrt(x)
        before = z
        y *= 0.5
        z -= (1.0 - x) * (1.0 - x) * y
    return z / 3


def _rounded(number: float) -> int:
    """`number`, which is not negative, to the next integer: halves are rounded up, as by `llround`."""
    if isinf(number) or number >= 2.0**63:
        return _INT64_MIN
    whole = int(number)
    return int(float(whole + (number - whole >= 0.5)))  # it becomes a double in Redis
