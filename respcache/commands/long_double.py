"""Arithmetic as INCRBYFLOAT and HINCRBYFLOAT do it: in C's `long double`, printed with up to 17 decimal places.

Redis on x86 computes with 64 bits of mantissa, which is more than Python's floats have, and it shows: there, 0.1 + 0.2
is 0.3. Here, numbers are exact fractions that are rounded to such a `long double` after each step.
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
# Beyond this power of ten or two, no text of that length is in range: "1e999999999" need not be spelled out.
_MAX_POWER = 40_000

_DECIMAL = re.compile(rb"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?")
_HEXADECIMAL = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?")
_INFINITY = re.compile(rb"([+-]?)inf(?:inity)?", re.IGNORECASE)


def parse_long_double(data: bytes | bytearray) -> Fraction | Infinity | None:
    """What `strtold` makes of the whole of `data`; None if it is no number, or one that is out of range."""
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


def format_long_double(value: Fraction) -> bytes:
    """17 decimal places, without the zeros at the end: ``3.1``, ``5000``."""
    digits = round(abs(value) * 10**17)
    whole, places = divmod(digits, 10**17)
    # Python limits how long an `int` becomes a `str`, but not a `Decimal`.
    text = f"{Decimal(whole)}.{places:017}".rstrip("0").rstrip(".")
    return (f"-{text}" if value < 0 and digits else text).encode()


def _scaled(found: re.Match[bytes], base: int, exponent_base: int, exponents_a_digit: int) -> Fraction | None:
    """The number in the four groups sign, digits before the point, digits behind it, exponent."""
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
    # A number so small that nothing is left of it is out of range, too.
    return (-value if sign == b"-" else value) if value else None


def _int(digits: bytes, base: int) -> int:
    # As in `format_long_double`: decimal digits take the way round the limit.
    return int(Decimal(digits.decode())) if base == 10 else int(digits, base)


def _rounded(value: Fraction) -> Fraction | None:
    """The nearest `long double`, the even one of two; None for infinity."""
    if not value:
        return value
    numerator, denominator = abs(value.numerator), value.denominator
    # The exponent of the last bit of the mantissa, at first perhaps one too small.
    exponent = numerator.bit_length() - denominator.bit_length() - _MANTISSA_BITS
    if numerator >= denominator * Fraction(2) ** (exponent + _MANTISSA_BITS):
        exponent += 1
    unit = Fraction(2) ** max(exponent, _MIN_EXPONENT)
    nearest = round(value / unit) * unit
    return nearest if abs(nearest) < _OVERFLOW else None
