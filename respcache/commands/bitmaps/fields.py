"""BITFIELD: integers of any width, at any bit of a string."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.bitmaps.bits import bit_offset, writable
from respcache.commands.table import DENYOOM, FAST, READ, READONLY, WRITE, Keys, family
from respcache.errors import BAD_BITFIELD_TYPE, BAD_OVERFLOW_TYPE, BITFIELD_RO_ONLY_GET, CommandError, WrongSyntax
from respcache.resp.types import Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args

command = family("bitmap")

_OVERFLOWS = (b"WRAP", b"SAT", b"FAIL")


class _Type(NamedTuple):
    """How the bits of a field are read: i8, u63 ..."""

    signed: bool
    width: int

    @property
    def low(self) -> int:
        return -(1 << self.width - 1) if self.signed else 0

    @property
    def high(self) -> int:
        return (1 << self.width - self.signed) - 1

    def wrapped(self, value: int) -> int:
        """The value that the lowest bits of `value` stand for."""
        value &= (1 << self.width) - 1
        return value - (1 << self.width) if value > self.high else value

    def fitted(self, value: int, overflow: bytes) -> int | None:
        """What to store for `value`; None if it overflows and must fail."""
        if self.low <= value <= self.high:
            return value
        if overflow == b"FAIL":
            return None
        if overflow == b"WRAP":
            return self.wrapped(value)
        return self.high if value > self.high else self.low


class _Step(NamedTuple):
    """One GET, SET or INCRBY."""

    name: bytes
    type: _Type
    offset: int  # bits
    operand: int
    overflow: bytes


@command(
    "BITFIELD",
    "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | "
    "INCRBY encoding offset increment> [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] "
    "<SET encoding offset value | INCRBY encoding offset increment> ...]]",
    arity=-2,
    keys=Keys(1, access="RW ACCESS UPDATE VARIABLE_FLAGS"),
    flags=WRITE | DENYOOM,
    since="3.2.0",
)
def bitfield(shard: Shard, args: Args) -> Reply:
    """Read, set and increase integers of any width inside a string, one after the other."""
    key, steps = args.next(), _steps(shard, args)
    if all(step.name == b"GET" for step in steps):
        return _read_all(shard, key, steps)

    value = shard.edit_string(key)
    size = max((step.offset + step.type.width + 7) >> 3 for step in steps if step.name != b"GET")
    grows = value is None or len(value) < size
    buffer = writable(value, size)
    replies: list[Reply] = []
    changed = False
    for step in steps:
        old = _read(buffer, step.type, step.offset)
        if step.name == b"GET":
            replies.append(old)
            continue
        new = step.type.fitted(step.operand if step.name == b"SET" else old + step.operand, step.overflow)
        if new is None:
            replies.append(None)
            continue
        _write(buffer, step.type, step.offset, new)
        replies.append(old if step.name == b"SET" else new)
        changed = changed or grows or new != old
    if changed:
        shard.changed(key, buffer, Event.STRING, b"setbit")
    elif grows:
        # Nothing was stored, so there is no event; but the string is longer now, as in Redis.
        shard.replace(key, buffer, shard.deadline(key))
    else:
        shard.recast(key, buffer)
    return replies


@command(
    "BITFIELD_RO",
    "key [GET encoding offset [GET encoding offset ...]]",
    arity=-2,
    keys=READ,
    flags=READONLY | FAST,
    since="6.0.0",
)
def bitfield_ro(shard: Shard, args: Args) -> Reply:
    """Read integers of any width inside a string."""
    key, steps = args.next(), _steps(shard, args)
    if any(step.name != b"GET" for step in steps):
        raise CommandError(BITFIELD_RO_ONLY_GET)
    return _read_all(shard, key, steps)


def _steps(shard: Shard, args: Args) -> list[_Step]:
    """What to do, in order. Raises CommandError."""
    steps = []
    overflow = b"WRAP"
    while len(args):
        name = args.option()
        if name == b"OVERFLOW" and len(args):
            overflow = args.option()
            if overflow not in _OVERFLOWS:
                raise CommandError(BAD_OVERFLOW_TYPE)
            continue
        if len(args) < {b"GET": 2, b"SET": 3, b"INCRBY": 3}.get(name, 1 << 62):
            raise WrongSyntax
        kind = _type(args.next())
        offset = bit_offset(shard, args.next(), kind.width)
        operand = 0 if name == b"GET" else args.int()
        if name == b"SET" and not kind.signed:
            operand &= (1 << 64) - 1  # Redis casts it
        steps.append(_Step(name, kind, offset, operand, overflow))
    return steps


def _type(word: bytes) -> _Type:
    signed = word[:1] == b"i"
    digits = word[1:]
    if word[:1] not in (b"i", b"u") or not digits.isdigit() or digits.startswith(b"0") or len(digits) > 2:
        raise CommandError(BAD_BITFIELD_TYPE)
    width = int(digits)
    if width > (64 if signed else 63):
        raise CommandError(BAD_BITFIELD_TYPE)
    return _Type(signed, width)


def _read_all(shard: Shard, key: bytes, steps: list[_Step]) -> list[Reply]:
    value = shard.find_string(key) or b""
    return [_read(value, step.type, step.offset) for step in steps]


def _read(value: bytes | bytearray, kind: _Type, offset: int) -> int:
    """The field at a bit; beyond the end of the string all bits are 0."""
    start, stop = offset >> 3, (offset + kind.width + 7) >> 3
    part = value[start:stop]
    number = int.from_bytes(part, "big") << (stop - start - len(part)) * 8
    return kind.wrapped(number >> (stop * 8 - offset - kind.width))


def _write(buffer: bytearray, kind: _Type, offset: int, value: int) -> None:
    start, stop = offset >> 3, (offset + kind.width + 7) >> 3
    shift = stop * 8 - offset - kind.width
    mask = (1 << kind.width) - 1
    number = int.from_bytes(buffer[start:stop], "big")
    number = (number & ~(mask << shift)) | ((value & mask) << shift)
    buffer[start:stop] = number.to_bytes(stop - start, "big")
