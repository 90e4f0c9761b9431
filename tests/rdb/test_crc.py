"""The checksum, with short loops over bits and bytes as the measure."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from respcache.rdb import crc
from respcache.rdb.crc import crc64

# ``x**64`` and what it is equal to, the highest power first.
POLYNOMIAL = 1 << 64 | 0xAD93D23594C935A9


def slow(data: bytes) -> int:
    found = 0
    for byte in data:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ 0x95AC9329AC4BC9B5 if found & 1 else found >> 1
    return found


def power(exponent: int) -> int:
    """The remainder of a power of x."""
    found = 1
    for digit in f"{exponent:b}":
        square = 0
        for at in range(64):  # twice the exponents
            square |= (found >> at & 1) << 2 * at
        found = square << 1 if digit == "1" else square
        while found.bit_length() > 64:
            found ^= POLYNOMIAL << found.bit_length() - 65
    return found


def test_the_check_value() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


@given(st.binary(max_size=100))
def test_short_data(data: bytes) -> None:
    assert crc64(data) == slow(data)


@pytest.mark.parametrize("size", crc._REMAINDERS)
def test_remainders(size: int) -> None:
    assert power(8 * size) == crc._REMAINDERS[size]


@given(st.integers(990, 9000), st.integers(0, 1 << 32))
@example(1000, 1)
@example(1001, 1)
def test_folded_data(size: int, seed: int) -> None:
    data = Random(seed).randbytes(size)
    assert crc64(data) == crc._with_tables(memoryview(data))


@pytest.mark.parametrize("more", [-1, 0, 1, 7, 8, 9, 1000, 130_000])
def test_pieces(more: int) -> None:
    data = Random(more).randbytes(crc._PIECE + more)
    assert crc64(data) == crc64(memoryview(data)) == crc._with_tables(memoryview(data))
