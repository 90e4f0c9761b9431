"""The arithmetic of INCRBYFLOAT, HINCRBYFLOAT and timeouts: C's `long double`, with up to 17 decimal places in print.

Redis on x86 computes with a mantissa of 64 bits, more than Python's floats have, and clients can tell: 0.1 + 0.2 is
0.3. Here numbers are exact fractions, rounded to such a `long double` after each step.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Literal, TypeAlias

Infinity: TypeAlias = Literal["inf", "-inf"]

_MANTISSA_BITS = 64
_MIN_EXPONENT = -16445  # of the last bit of the smallest number
_OVERFLOW = 1 << 16384
_MAX_LENGTH = 5 * 1024 - 1
# No text of that length is in range beyond this power of ten or two, so "1e999999999" is never spelled out.
_MAX_POWER = 40_000

_DECIMAL = re.compile(rb"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?")
_HEXADECIMAL = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?")
_INFINITY = re.compile(rb"([+-]?)inf(?:inity)?", re.IGNORECASE)


def parse_long_double(data: bytes | bytearray) -> Fraction | Infinity | None:
    """The number that `strtold` reads from all of `data`; None if it is not a number, or out of range."""
    if len(data) > _MAX_LENGTH:
        return None
    if found := _INFINITY.fullmatch(data):
        return "-inf" if found[1] == b"-" else "inf"
    if found := _DECIMAL.fullmatch(data):
        return _scaled(found, 10, 10, 1)
    if found := _HEXADECIMAL.fullmatch(data):
        return _scaled(found, 16, 2, 4)
    return None


def add_long_doubles(one: Fraction, other: Fraction) -> Fraction | None:
    """The sum as a `long double`; None if it is infinite."""
    return _rounded(one + other)


def multiply_long_doubles(one: Fraction, other: Fraction) -> Fraction | None:
    """The product as a `long double`; None if it is infinite."""
    return _rounded(one * other)


def format_long_double(value: Fraction) -> bytes:
    """17 decimal places, without the zeros at the end: ``3.1``, ``5000``."""
    digits = round(abs(value) * 10**17)
    whole, places = divmod(digits, 10**17)
    # Python limits the length of an `int` that becomes a `str`, but not that of a `Decimal`.
    text = f"{Decimal(whole)}.{places:017}".rstrip("0").rstrip(".")
    return (f"-{text}" if value < 0 and digits else text).encode()


def _scaled(found: re.Match[bytes], base: int, exponent_base: int, exponents_a_digit: int) -> Fraction | None:
    """The number in the groups of a match: sign, digits before the point, digits after it, exponent."""
    sign, whole, places, exponent = found.groups(b"")
    if not whole and not places:
        return None
    digits = _int(whole + places, base)
    if digits == 0:
        return Fraction(0)
    power = _int(exponent or b"0", 10) - len(places) * exponents_a_digit
    if abs(power) > _MAX_POWER:
        return None
    value = _rounded(digits * Fraction(exponent_base) ** power)
    # A number so small that it rounds to zero is out of range too.
    return (-value if sign == b"-" else value) if value else None


def _int(digits: bytes, base: int) -> int:
    # Decimal has no limit on the number of digits (see `format_long_double`).
    return int(Decimal(digits.decode())) if base == 10 else int(digits, base)


def _rounded(value: Fraction) -> Fraction | None:
    """The nearest `long double`, the even one if two are as near; None for infinity."""
    if not value:
        return value
    numerator, denominator = abs(value.numerator), value.denominator
    # The exponent of the last bit of the mantissa; at first it may be one too small.
    exponent = numerator.bit_length() - denominator.bit_length() - _MANTISSA_BITS
    if numerator >= denominator * Fraction(2) ** (exponent + _MANTISSA_BITS):
        exponent += 1
    unit = Fraction(2) ** max(exponent, _MIN_EXPONENT)
    nearest = round(value / unit) * unit
    return nearest if abs(nearest) < _OVERFLOW else None
