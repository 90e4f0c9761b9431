"""The argument cursor that every handler reads its arguments from, left to right.

Redis checks syntax first, then numbers, then types. A handler that takes its arguments from left to right before it
looks at the data gets that order for free.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil, inf, isinf, isnan
from typing import TYPE_CHECKING, TypeAlias

from respcache.commands.long_double import multiply_long_doubles, parse_long_double
from respcache.errors import (
    NOT_AN_INTEGER,
    TIMEOUT_NEGATIVE,
    TIMEOUT_NOT_A_FLOAT,
    TIMEOUT_NOT_AN_INTEGER,
    TIMEOUT_OUT_OF_RANGE,
    CommandError,
    NotAFloat,
    WrongSyntax,
)

if TYPE_CHECKING:
    from respcache.resp.types import Argv

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1

# What C's strtod takes, except hexadecimal. Python's float() also takes "1_000" and surrounding blanks.
_FLOAT = re.compile(rb"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?)\Z")
_HEX_FLOAT = re.compile(rb"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?\Z")


def parse_int(data: bytes | bytearray) -> int | None:
    """A signed 64-bit integer in its one canonical form (no plus sign, blanks, leading zeros or "-0"), or None."""
    if not 0 < len(data) <= 20:
        return None
    try:
        value = int(data)
    except ValueError:
        return None
    # Python's int() also takes "+1", " 1", "1_0" and "01"; Redis' string2ll does not.
    if b"%d" % value != data or not INT64_MIN <= value <= INT64_MAX:
        return None
    return value


def parse_float(data: bytes | bytearray) -> float | None:
    """A double as Redis' getDoubleFromObject reads it ("inf" allowed, NaN and surrounding blanks not), or None."""
    value = parse_any_float(data)
    # strtod's ERANGE: a number that is too large for a double, or too small, is refused.
    if value is not None and ((isinf(value) and not _INFINITE.match(data)) or (value == 0.0 and _NON_ZERO.match(data))):
        return None
    return value


def parse_any_float(data: bytes | bytearray) -> float | None:
    """Like `parse_float`, for callers that ignore strtod's ERANGE: too large is infinite, too small is zero."""
    if data.isdigit() or _FLOAT.match(data):  # most scores are plain numbers
        return float(data)
    if not _HEX_FLOAT.match(data):
        return None
    try:
        return float.fromhex(data.decode())
    except OverflowError:
        return -inf if data.startswith(b"-") else inf


# Infinity by its name.
_INFINITE = re.compile(rb"[+-]?[iI]")
# A mantissa that is not zero.
_NON_ZERO = re.compile(rb"[+-]?(?:0[xX][0.]*[1-9a-fA-F]|[0.]*[1-9])")


# Within `Args`, `int` is its method.
Milliseconds: TypeAlias = int


class Args:
    """A cursor over the words of one command, past its name.

    One instance is reused for all commands of a shard, so a handler must not keep it.
    """

    __slots__ = ("argv", "at")

    def __init__(self, argv: Argv, at: int = 1) -> None:
        self.argv = argv
        self.at = at

    def __len__(self) -> int:
        """The number of remaining words."""
        return len(self.argv) - self.at

    def next(self) -> bytes:
        """The next word. Raises WrongSyntax when there is none."""
        try:
            word = self.argv[self.at]
        except IndexError:
            raise WrongSyntax from None
        self.at += 1
        return word

    def rest(self) -> list[bytes]:
        """All remaining words."""
        words = self.argv[self.at :]
        self.at = len(self.argv)
        return words

    def option(self) -> bytes:
        """The next word in upper case: a keyword."""
        return self.next().upper()

    def flag(self, keyword: bytes) -> bool:
        """Take the next word if it is `keyword` (upper case), in any case."""
        if self.at < len(self.argv) and self.argv[self.at].upper() == keyword:
            self.at += 1
            return True
        return False

    def pairs(self) -> list[tuple[bytes, bytes]]:
        """The remaining words, two by two. The caller has checked that their number is even."""
        words = self.rest()
        return list(zip(words[::2], words[1::2], strict=True))

    def end(self) -> None:
        """Raises WrongSyntax if any word is left."""
        if self.at < len(self.argv):
            raise WrongSyntax

    def int(
        self, error: str = NOT_AN_INTEGER, low: int = INT64_MIN, high: int = INT64_MAX, range_error: str = ""
    ) -> int:
        """A signed 64-bit integer. `error` if it is not one; `range_error` (default: `error`) outside low..high."""
        value = parse_int(self.next())
        if value is None:
            raise CommandError(error)
        if not low <= value <= high:
            raise CommandError(range_error or error)
        return value

    def float(self, error: str | None = None) -> float:
        """A double. Raises NotAFloat, or CommandError(error)."""
        value = parse_float(self.next())
        if value is None or isnan(value):
            raise CommandError(error) if error else NotAFloat()
        return value

    def timeout(self, now: Milliseconds) -> Milliseconds:
        """Seconds, perhaps with decimals, as milliseconds; 0 is for ever. `now`: the time that it counts from."""
        word = self.next()
        if word.isdigit() and len(word) < 16:  # every other one is rare
            return _checked_timeout(int(word) * 1000, now)
        seconds = parse_long_double(word)
        if seconds is None:
            raise CommandError(TIMEOUT_NOT_A_FLOAT)
        if seconds == "-inf":
            raise CommandError(TIMEOUT_NEGATIVE)
        milliseconds = None if seconds == "inf" else multiply_long_doubles(seconds, Fraction(1000))
        if milliseconds is None:
            raise CommandError(TIMEOUT_OUT_OF_RANGE if seconds == "inf" or seconds > 0 else TIMEOUT_NEGATIVE)
        return _checked_timeout(ceil(milliseconds), now)

    def timeout_ms(self, now: Milliseconds) -> Milliseconds:
        """Like `timeout`, given in whole milliseconds."""
        return _checked_timeout(self.int(TIMEOUT_NOT_AN_INTEGER), now)


def _checked_timeout(milliseconds: int, now: int) -> int:
    """Raises CommandError for a timeout that is negative, or ends after the last time that 64 bits can hold."""
    if milliseconds < 0:
        raise CommandError(TIMEOUT_NEGATIVE)
    if milliseconds > INT64_MAX - now:
        raise CommandError(TIMEOUT_OUT_OF_RANGE)
    return milliseconds
