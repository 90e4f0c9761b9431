"""Strings as rows of bits: SETBIT to BITOP. Integers of any width inside them are in `fields`.

Bit 0 is the highest bit of the first byte. Whole values are counted and combined as Python integers: in C.
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

# Longer strings are "raw" in OBJECT ENCODING anyway, so a write that changes nothing need not copy them to be so.
_EMBEDDED = 44


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
    """A string that can be changed in place, grown to at least `size` bytes."""
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
    old = 0 if grows else int(bool(value[at] & mask))  # type: ignore[index]  # it is not None then
    if grows or old != bit:
        buffer = writable(value, at + 1)
        buffer[at] = buffer[at] | mask if bit else buffer[at] & ~mask
        shard.changed(key, buffer, Event.STRING, b"setbit")
    elif len(value) <= _EMBEDDED:  # type: ignore[arg-type]  # it is not None then
        shard.recast(key, writable(value, 0))
    return old


@command("GETBIT", "key offset", arity=3, keys=READ, flags=READONLY | FAST, since="2.2.0")
def getbit(shard: Shard, args: Args) -> Reply:
    """Return a bit; beyond the end of the string all are 0."""
    key, offset = args.next(), bit_offset(shard, args.next())
    value = shard.find_string(key) or b""
    at = offset >> 3
    return int(at < len(value) and bool(value[at] & (0x80 >> (offset & 7))))


# -- counting and finding

_BLOCK = 4096
_BLOCKS_OF = {byte: bytes([byte]) * _BLOCK for byte in (0x00, 0xFF)}


class _Range(NamedTuple):
    """First and last position of a range as the client gave them: bytes or bits, negative from the end."""

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
    """BYTE or BIT, the last word if given, as a number of bits. Raises WrongSyntax."""
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
    # The string counts as followed by zeros, unless the command said where to stop.
    return -1 if bit or ends else len(value) * 8


def _first_bit(value: bytes | bytearray, first: int, last: int, bit: int) -> int | None:
    """The position of the first such bit from bit `first` to `last`, which are in the string."""
    start, end = first >> 3, last >> 3
    # The bytes at both ends lose the bits outside of the range; those in between are searched as they are.
    head, tail = 0xFF >> (first & 7), 0xFF00 >> (last & 7) + 1 & 0xFF
    if start == end:
        return _bit_in(value[start], head & tail, bit, start)
    if (found := _bit_in(value[start], head, bit, start)) is not None:
        return found
    at = _skip(value, start + 1, end, 0 if bit else 0xFF)
    return _bit_in(value[at], 0xFF if at < end else tail, bit, at)


def _bit_in(byte: int, mask: int, bit: int, at: int) -> int | None:
    """The position in the string of the first such bit of the byte at `at`, among the bits of `mask`."""
    wanted = (byte if bit else byte ^ 0xFF) & mask
    return at * 8 + 8 - wanted.bit_length() if wanted else None


def _skip(value: bytes | bytearray, start: int, end: int, byte: int) -> int:
    """The index from `start` on of the first byte that is another one; `end` if there is none before it."""
    # Whole blocks are compared at once; only the block with the other byte is looked at byte by byte.
    skipped = _BLOCKS_OF[byte]
    while end - start > _BLOCK and value.startswith(skipped, start):
        start += _BLOCK
    block = value[start : min(start + _BLOCK, end)]
    return start + len(block) - len(block.lstrip(skipped[:1]))


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
