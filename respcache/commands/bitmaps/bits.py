"""Strings as rows of bits: SETBIT to BITOP. Numbers of any width inside of them are in `bitfields`.

Bit 0 is the highest bit of the first byte. Whole values are counted and combined as Python integers, that is in C.
"""

from __future__ import annotations

from functools import reduce
from operator import and_, or_, xor
from typing import NamedTuple

from respcache.commands.args import Args, parse_int
from respcache.commands.table import DENYOOM, FAST, MODIFY, OVERWRITE, READ, READONLY, WRITE, family
from respcache.errors import (
    BAD_BIT,
    BAD_BIT_OFFSET,
    BIT_NOT_0_OR_1,
    BITOP_NOT_SINGLE,
    CommandError,
    WrongSyntax,
    WrongType,
)
from respcache.resp.types import Reply
from respcache.store.shard import Event, Shard

command = family("bitmap")


def bit_offset(shard: Shard, word: bytes, width: int = 0) -> int:
    """The offset that `word` gives; with a `width`, ``#3`` is three times that. Raises CommandError."""
    factor = 1
    if width and word.startswith(b"#"):
        word, factor = word[1:], width
    offset = parse_int(word)
    if offset is None or not 0 <= (offset * factor) >> 3 < shard.limits.proto_max_bulk_len:
        raise CommandError(BAD_BIT_OFFSET)
    return offset * factor


def writable(value: bytes | bytearray | None, size: int) -> bytearray:
    """A string to be changed in place, grown to at least `size` bytes."""
    buffer = value if type(value) is bytearray else bytearray(value or b"")
    if len(buffer) < size:
        buffer.extend(bytes(size - len(buffer)))
    return buffer


@command("SETBIT", "key offset value", arity=4, keys=MODIFY, flags=WRITE | DENYOOM, since="2.2.0")
def setbit(shard: Shard, args: Args) -> Reply:
    """Set a bit to 0 or 1, growing the string where needed; return what the bit was."""
    key, offset = args.next(), bit_offset(shard, args.next())
    bit = args.int(BAD_BIT, low=0, high=1)
    value = shard.edit_string(key)

    at, mask = offset >> 3, 0x80 >> (offset & 7)
    grows = value is None or len(value) <= at
    old = 0 if grows else int(bool(value[at] & mask))  # type: ignore[index]  # it is no None then
    if grows or old != bit:
        buffer = writable(value, at + 1)
        buffer[at] = buffer[at] | mask if bit else buffer[at] & ~mask
        shard.changed(key, buffer, Event.STRING, b"setbit")
    else:
        shard.recast(key, writable(value, 0))
    return old


@command("GETBIT", "key offset", arity=3, keys=READ, flags=READONLY | FAST, since="2.2.0")
def getbit(shard: Shard, args: Args) -> Reply:
    """Return a bit; behind the end of the string all are 0."""
    key, offset = args.next(), bit_offset(shard, args.next())
    value = shard.find_string(key) or b""
    at = offset >> 3
    return int(at < len(value) and bool(value[at] & (0x80 >> (offset & 7))))


# -- counting and finding


class _Range(NamedTuple):
    """First and last bit of a range, as they are given: in bytes or in bits, negative from the end."""

    start: int
    end: int
    unit: int  # bits

    def of(self, size: int) -> tuple[int, int]:
        """First and last bit in a string of `size` bytes; an empty range has its last before its first."""
        total = size * 8 // self.unit
        start, end = self.start, self.end
        start = max(start + total, 0) if start < 0 else start
        end = min(max(end + total, 0) if end < 0 else end, total - 1)
        return start * self.unit, (end + 1) * self.unit - 1


def _take_unit(args: Args) -> int:
    """BYTE or BIT as a number of bits, and nothing behind it. Raises WrongSyntax."""
    if not len(args):
        return 8
    unit = {b"BYTE": 8, b"BIT": 1}.get(args.option())
    if unit is None or len(args):
        raise WrongSyntax
    return unit


@command("BITCOUNT", "key [start end [BYTE | BIT]]", arity=-2, keys=READ, flags=READONLY, since="2.6.0")
def bitcount(shard: Shard, args: Args) -> Reply:
    """Count the bits that are 1, of the whole string or of a range."""
    key = args.next()
    wanted = None
    if len(args):
        if len(args) not in (2, 3):
            raise WrongSyntax
        wanted = _Range(args.int(), args.int(), _take_unit(args))
    value = shard.find_string(key) or b""

    if wanted is not None and wanted.end < wanted.start < 0:
        return 0  # also where both are so low that they would mean the first byte
    if wanted is None:
        return int.from_bytes(value, "big").bit_count()
    first, last = wanted.of(len(value))
    if first > last:
        return 0
    return _bits(value, first, last).bit_count()


def _bits(value: bytes | bytearray, first: int, last: int) -> int:
    """The bits from `first` to `last` as a number, the bits around them 0."""
    number = int.from_bytes(value[first >> 3 : (last >> 3) + 1], "big")
    number &= (1 << (((last >> 3) + 1) * 8 - first)) - 1
    spare = 7 - (last & 7)
    return number >> spare << spare


@command("BITPOS", "key bit [start [end [BYTE | BIT]]]", arity=-3, keys=READ, flags=READONLY, since="2.8.7")
def bitpos(shard: Shard, args: Args) -> Reply:
    """Return the position of the first bit that is 0 or 1, in the whole string or in a range."""
    key = args.next()
    bit = args.int()
    if bit not in (0, 1):
        raise CommandError(BIT_NOT_0_OR_1)
    if len(args) > 3:
        raise WrongSyntax
    start = args.int() if len(args) else 0
    ends = len(args) > 0
    end = args.next() if ends else b"-1"
    unit = _take_unit(args)
    wanted = _Range(start, Args([end], 0).int(), unit)
    value = shard.find_string(key)

    if value is None:
        return -1 if bit else 0
    first, last = wanted.of(len(value))
    if first > last:
        return -1
    found = _first_bit(value, first, last, bit)
    if found is not None:
        return found
    # Behind the end of the string there is one more 0, unless somebody said where to stop.
    return -1 if bit or ends else len(value) * 8


def _first_bit(value: bytes | bytearray, first: int, last: int, bit: int) -> int | None:
    start, stop = first >> 3, (last >> 3) + 1
    part = bytearray(value[start:stop])
    # Bits outside of the range are made such that they are not found.
    head, tail = 0xFF00 >> (first & 7) & 0xFF, 0x7F >> (last & 7)
    for at, outside in ((0, head), (-1, tail)):
        part[at] = part[at] & ~outside & 0xFF if bit else part[at] | outside
    rest = part.lstrip(b"\0" if bit else b"\xff")
    if not rest:
        return None
    byte = rest[0] if bit else rest[0] ^ 0xFF
    return (start + len(part) - len(rest)) * 8 + 8 - byte.bit_length()


# -- combining

_OPERATIONS = {b"AND": and_, b"OR": or_, b"XOR": xor}


@command(
    "BITOP",
    "<AND | OR | XOR | NOT> destkey key [key ...]",
    arity=-4,
    keys=(OVERWRITE.at(2), READ.at(3, -1)),
    flags=WRITE | DENYOOM,
    since="2.6.0",
)
def bitop(shard: Shard, args: Args) -> Reply:
    """Combine strings bit by bit, store the result, and return its length. Short strings count as filled with 0."""
    operation, destination, keys = args.option(), args.next(), args.rest()
    if operation not in _OPERATIONS and operation != b"NOT":
        raise WrongSyntax
    if operation == b"NOT" and len(keys) != 1:
        raise CommandError(BITOP_NOT_SINGLE)
    values = [_operand(shard, key) for key in keys]

    size = max(map(len, values))
    numbers = [int.from_bytes(value, "big") << (size - len(value)) * 8 for value in values]
    if operation == b"NOT":
        result = numbers[0] ^ ((1 << size * 8) - 1)
    else:
        result = reduce(_OPERATIONS[operation], numbers)
    if size:
        shard.put(destination, bytearray(result.to_bytes(size, "big")), Event.STRING, b"set")
    else:
        shard.delete(destination)
    return size


def _operand(shard: Shard, key: bytes) -> bytes | bytearray:
    value = shard.look(key)
    if value is None:
        return b""
    if type(value) is bytes or type(value) is bytearray:
        return value
    raise WrongType
