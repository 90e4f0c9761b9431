"""C's `long double`, compared with the C library's, where that has x86's 64 bits of mantissa."""

from __future__ import annotations

import ctypes
import platform
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from respcache.commands.long_double import add_long_doubles, format_long_double, parse_long_double

DIGITS = st.text("0123456789", max_size=30)
DECIMALS = st.builds(
    lambda sign, whole, places, exponent: f"{sign}{whole or '0'}.{places}{exponent}",
    st.sampled_from(["", "-", "+"]),
    DIGITS,
    DIGITS,
    st.one_of(st.just(""), st.integers(-40, 40).map("e{}".format), st.integers(-4940, 4930).map("E{}".format)),
)


class LongDouble(ctypes.c_longdouble):
    """ctypes converts `c_longdouble` to a Python float, which has fewer bits, but not a class derived from it."""


def by_the_c_library(text: bytes) -> bytes:
    """What `strtold` reads, as `printf("%.17Lf")` prints it, without trailing zeros."""
    library = ctypes.CDLL(None)
    library.strtold.restype = LongDouble
    value = library.strtold(text, None)
    buffer = ctypes.create_string_buffer(6000)
    library.snprintf(buffer, ctypes.c_size_t(len(buffer)), b"%.17Lf", value)
    printed = buffer.value.rstrip(b"0").rstrip(b".")
    return b"0" if printed == b"-0" else printed


@pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc", reason="a different long double or C library"
)
@given(DECIMALS)
@example("0.1")
@example("3.14159265358979323846264338327950288")
@example("18446744073709551615.5")
@example("1e4932")
@example("0.000000000000000005")
@example("-0.000000000000000004")
def test_reading_and_printing(text: str) -> None:
    value = parse_long_double(text.encode())
    if value is None:  # out of range: strtold sets errno
        assert by_the_c_library(text.encode()) in (b"inf", b"-inf", b"0")
    else:
        assert isinstance(value, Fraction)
        assert format_long_double(value) == by_the_c_library(text.encode())


@pytest.mark.parametrize(
    ("one", "other", "total"),
    [
        (b"0.1", b"0.2", b"0.3"),
        (b"3.0", b"1.000", b"4"),
        (b"5.0e3", b"200", b"5200"),
        (b"18446744073709551616", b"1", b"18446744073709551616"),  # 2**64: the next number is larger by two
        (b"18446744073709551616", b"3", b"18446744073709551620"),
        (b"1", b"1e-30", b"1"),
        (b"-1.5", b"1.5", b"0"),
        (b"0x10", b"0x.8p1", b"17"),
    ],
)
def test_sums(one: bytes, other: bytes, total: bytes) -> None:
    first, second = parse_long_double(one), parse_long_double(other)
    assert isinstance(first, Fraction)
    assert isinstance(second, Fraction)
    found = add_long_doubles(first, second)
    assert found is not None
    assert format_long_double(found) == total


def test_a_sum_that_is_too_large() -> None:
    largest = parse_long_double(b"1.18973149535723176502e4932")
    assert isinstance(largest, Fraction)
    assert add_long_doubles(largest, largest) is None


@pytest.mark.parametrize(
    "text", [b"", b".", b"-", b"1e", b"1e+", b"0x", b" 1", b"1 ", b"1x", b"nan", b"1e5000", b"1e-5000"]
)
def test_not_a_number(text: bytes) -> None:
    assert parse_long_double(text) is None


def test_infinities() -> None:
    assert [parse_long_double(text) for text in (b"inf", b"+Infinity", b"-INF")] == ["inf", "inf", "-inf"]


@pytest.mark.parametrize("text", [b"1e999999999999", b"0x1p999999999999", b"9" * 6000])
def test_absurd_lengths_cost_nothing(text: bytes) -> None:
    assert parse_long_double(text) is None
