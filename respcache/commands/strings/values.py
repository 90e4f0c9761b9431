"""Strings: GET, SET and their relatives, counters, and ranges of bytes.

A string is `bytes` as received, or a `bytearray` after it was changed in place, so that APPEND and SETRANGE do not copy
it every time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import INT64_MAX, INT64_MIN, parse_int
from respcache.commands.copies import Copies
from respcache.commands.long_double import add_long_doubles, format_long_double, parse_long_double
from respcache.commands.table import (
    DENYOOM,
    EXAMINE,
    FAST,
    INSERT,
    MODIFY,
    OVERWRITE,
    READ,
    READONLY,
    TAKE,
    UPDATE,
    WRITE,
    Keys,
    all_succeeded,
    family,
    in_key_order,
)
from respcache.commands.table.tips import SPLIT_BY_SHARD
from respcache.errors import (
    DECREMENT_OVERFLOW,
    NAN_OR_INFINITY,
    OFFSET_OUT_OF_RANGE,
    OVERFLOW,
    STRING_TOO_LONG,
    CommandError,
    NotAFloat,
    NotAnInteger,
    WrongSyntax,
    invalid_expire_time,
    wrong_arity,
)
from respcache.resp.types import OK, Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args

command = family("string")

# The unit of each expiry option, and True if it counts from now.
_EXPIRY = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}
_EXPIRY_SYNTAX = "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds"


# -- reading


@command("GET", "key", arity=2, keys=READ, flags=READONLY | FAST, since="1.0.0")
def get(shard: Shard, args: Args) -> Reply:
    """Return the value of a key."""
    value = shard.find_string(args.argv[1])
    return bytes(value) if type(value) is bytearray else value


@command(
    "MGET",
    "key [key ...]",
    arity=-2,
    keys=READ.at(1, -1),
    gather=in_key_order,
    flags=READONLY | FAST,
    since="1.0.0",
    tips=("request_policy:multi_shard",),
)
def mget(shard: Shard, args: Args) -> Reply:
    """Return the values of keys; nothing for those that are missing or hold no string."""
    values = [shard.look(key) for key in args.rest()]
    copies = Copies()
    return [
        value if type(value) is bytes else copies.of(value) if type(value) is bytearray else None for value in values
    ]


@command("STRLEN", "key", arity=2, keys=EXAMINE, flags=READONLY | FAST, since="2.2.0")
def strlen(shard: Shard, args: Args) -> Reply:
    """Return the length of a value in bytes."""
    value = shard.find_string(args.next())
    return 0 if value is None else len(value)


@command("GETRANGE", "key start end", arity=4, keys=READ, flags=READONLY, since="2.4.0")
def getrange(shard: Shard, args: Args) -> Reply:
    """Return the bytes from one position to another, both included; negative ones count from the end."""
    key, start, end = args.next(), args.int(), args.int()
    value = shard.find_string(key) or b""
    if start < 0 and end < 0 and start > end:
        return b""
    length = len(value)
    start = max(start + length, 0) if start < 0 else start
    end = max(end + length, 0) if end < 0 else end
    return bytes(value[start : end + 1])


@command("SUBSTR", "key start end", arity=4, keys=READ, flags=READONLY, since="1.0.0")
def substr(shard: Shard, args: Args) -> Reply:
    """Return part of a value: the old name of GETRANGE."""
    return getrange(shard, args)


# -- SET and its relatives


class _Options:
    """The options of SET and GETEX, parsed from their words. Raises CommandError."""

    __slots__ = ("_allowed", "amount", "expiry", "get", "keep_ttl", "only_if", "persist")

    def __init__(self, args: Args, allowed: frozenset[bytes]) -> None:
        self._allowed = allowed
        self.expiry = b""  # EX, PX, EXAT or PXAT
        self.amount = b""  # what follows it
        self.only_if = b""  # NX or XX
        self.get = self.keep_ttl = self.persist = False
        while len(args):
            self._take(args)

    def _take(self, args: Args) -> None:
        option = args.option()
        if option not in self._allowed:
            raise WrongSyntax
        # An option may be repeated, but not followed by one that contradicts it. Of `EX 10 EX 20` the last counts.
        if option in (b"NX", b"XX") and self.only_if in (b"", option):
            self.only_if = option
        elif option == b"GET":
            self.get = True
        elif option == b"KEEPTTL" and not self.expiry:
            self.keep_ttl = True
        elif option == b"PERSIST" and not self.expiry:
            self.persist = True
        elif option in _EXPIRY and self.expiry in (b"", option) and not (self.keep_ttl or self.persist) and len(args):
            self.expiry, self.amount = option, args.next()
        else:
            raise WrongSyntax

    @property
    def is_absolute(self) -> bool:
        """Whether the deadline is given as a point in time."""
        return self.expiry in (b"EXAT", b"PXAT")

    def deadline(self, now: int, name: str) -> int | None:
        """The requested deadline, if any. Raises CommandError."""
        return _deadline(self.amount, *_EXPIRY[self.expiry], now, name) if self.expiry else None


_SET_OPTIONS = frozenset((b"NX", b"XX", b"GET", b"KEEPTTL", *_EXPIRY))
_GETEX_OPTIONS = frozenset((b"PERSIST", *_EXPIRY))


def _deadline(amount: bytes, unit: int, relative: bool, now: int, name: str) -> int:
    """A deadline in milliseconds since the epoch. Raises CommandError."""
    value = parse_int(amount)
    if value is None:
        raise NotAnInteger
    deadline = value * unit + (now if relative else 0)
    if value <= 0 or deadline > INT64_MAX:
        raise invalid_expire_time(name)
    return deadline


@command(
    "SET",
    f"key value [NX | XX] [GET] [{_EXPIRY_SYNTAX} | KEEPTTL]",
    arity=-3,
    keys=Keys(1, access="RW ACCESS UPDATE VARIABLE_FLAGS"),
    flags=WRITE | DENYOOM,
    since="1.0.0",
)
def set_(shard: Shard, args: Args) -> Reply:
    """Set the value of a key, whatever it held."""
    argv = args.argv
    if len(argv) == 3:
        shard.put(argv[1], argv[2], Event.STRING, b"set")
        return OK
    return _set_with_options(shard, args)


def _set_with_options(shard: Shard, args: Args) -> Reply:
    key, value, options = args.next(), args.next(), _Options(args, _SET_OPTIONS)
    deadline = options.deadline(shard.now, "set")

    old = shard.find_string(key) if options.get else None
    if options.only_if:
        # The value that is about to be stored is an access by itself.
        wants_none = options.only_if == b"NX"
        exists = (shard.look_to_write(key) if wants_none else shard.peek(key)) is not None
        if exists == wants_none:
            return _copied(old)
    if options.keep_ttl:
        shard.peek(key)  # removes the key if it has expired: its deadline is not for the new value
    _put(shard, key, value, deadline, keep_ttl=options.keep_ttl)
    return _copied(old) if options.get else OK


def _copied(value: bytes | bytearray | None) -> bytes | None:
    """A value as a reply, safe from later changes in place."""
    return bytes(value) if type(value) is bytearray else value  # type: ignore[return-value]  # bytes or None then


def _put(shard: Shard, key: bytes, value: bytes, deadline: int | None, *, keep_ttl: bool = False) -> None:
    shard.put(key, value, Event.STRING, b"set", keep_ttl=keep_ttl)
    if deadline is not None:
        shard.set_deadline(key, deadline)
        shard.notify(Event.GENERIC, b"expire", key)


@command("SETNX", "key value", arity=3, keys=Keys(1, access="OW INSERT"), flags=WRITE | DENYOOM | FAST, since="1.0.0")
def setnx(shard: Shard, args: Args) -> Reply:
    """Set the value of a key that does not exist."""
    key, value = args.next(), args.next()
    if shard.look_to_write(key) is not None:
        return 0
    _put(shard, key, value, None)
    return 1


@command("SETEX", "key seconds value", arity=4, keys=OVERWRITE, flags=WRITE | DENYOOM, since="2.0.0")
def setex(shard: Shard, args: Args) -> Reply:
    """Set the value of a key, and let it expire in so many seconds."""
    return _set_and_expire(shard, args, 1000, "setex")


@command("PSETEX", "key milliseconds value", arity=4, keys=OVERWRITE, flags=WRITE | DENYOOM, since="2.6.0")
def psetex(shard: Shard, args: Args) -> Reply:
    """Set the value of a key, and let it expire in so many milliseconds."""
    return _set_and_expire(shard, args, 1, "psetex")


def _set_and_expire(shard: Shard, args: Args, unit: int, name: str) -> Reply:
    key, deadline, value = args.next(), _deadline(args.next(), unit, True, shard.now, name), args.next()
    _put(shard, key, value, deadline)
    return OK


@command("GETSET", "key value", arity=3, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="1.0.0")
def getset(shard: Shard, args: Args) -> Reply:
    """Set the value of a key, and return the one it had."""
    key, value = args.next(), args.next()
    old = _copied(shard.find_string(key))
    _put(shard, key, value, None)
    return old


@command("GETDEL", "key", arity=2, keys=TAKE, flags=WRITE | FAST, since="6.2.0")
def getdel(shard: Shard, args: Args) -> Reply:
    """Return the value of a key, and delete it."""
    key = args.next()
    value = _copied(shard.find_string(key))
    if value is not None:
        shard.delete(key)
    return value


@command("GETEX", f"key [{_EXPIRY_SYNTAX} | PERSIST]", arity=-2, keys=MODIFY, flags=WRITE | FAST, since="6.2.0")
def getex(shard: Shard, args: Args) -> Reply:
    """Return the value of a key, and change when it expires."""
    key, options = args.next(), _Options(args, _GETEX_OPTIONS)
    value = _copied(shard.find_string(key))
    if value is None:
        return None
    deadline = options.deadline(shard.now, "getex")

    if deadline is not None and options.is_absolute and deadline <= shard.now:
        shard.delete(key)
    elif deadline is not None:
        shard.set_deadline(key, deadline)
        shard.notify(Event.GENERIC, b"expire", key)
    elif options.persist and shard.deadline(key) is not None:
        shard.set_deadline(key, None)
        shard.notify(Event.GENERIC, b"persist", key)
    return value


@command(
    "MSET",
    "key value [key value ...]",
    arity=-3,
    keys=OVERWRITE.at(1, -1, 2),
    gather=all_succeeded,
    flags=WRITE | DENYOOM,
    since="1.0.1",
    tips=SPLIT_BY_SHARD,
)
def mset(shard: Shard, args: Args) -> Reply:
    """Set the values of several keys in one step."""
    for key, value in _pairs(args, "mset"):
        _put(shard, key, value, None)
    return OK


def _pairs(args: Args, name: str) -> list[tuple[bytes, bytes]]:
    if len(args) % 2:
        raise wrong_arity(name)
    return args.pairs()


@command(
    "MSETNX",
    "key value [key value ...]",
    arity=-3,
    keys=Keys(1, -1, 2, access="OW INSERT"),
    flags=WRITE | DENYOOM,
    since="1.0.1",
)
def msetnx(shard: Shard, args: Args) -> Reply:
    """Set the values of several keys in one step if none of them exists."""
    pairs = _pairs(args, "msetnx")
    if any(shard.look_to_write(key) is not None for key, _ in pairs):
        return 0
    for key, value in pairs:
        _put(shard, key, value, None)
    return 1


# -- changing a part


def _check_length(shard: Shard, length: int) -> None:
    if length > shard.limits.proto_max_bulk_len:
        raise CommandError(STRING_TOO_LONG)


@command("APPEND", "key value", arity=3, keys=INSERT, flags=WRITE | DENYOOM | FAST, since="2.0.0")
def append(shard: Shard, args: Args) -> Reply:
    """Append to a value, which is empty where the key is missing; return the new length."""
    key, suffix = args.next(), args.next()
    value = shard.edit_string(key)
    if value is None:
        shard.changed(key, suffix, Event.STRING, b"append")
        return len(suffix)
    _check_length(shard, len(value) + len(suffix))

    value = value if type(value) is bytearray else bytearray(value)
    value += suffix
    shard.changed(key, value, Event.STRING, b"append")
    return len(value)


@command("SETRANGE", "key offset value", arity=4, keys=UPDATE, flags=WRITE | DENYOOM, since="2.2.0")
def setrange(shard: Shard, args: Args) -> Reply:
    """Overwrite bytes from an offset on, which grows the value with zero bytes where needed; return its length."""
    key, offset, patch = args.next(), args.int(), args.next()
    if offset < 0:
        raise CommandError(OFFSET_OUT_OF_RANGE)
    value = shard.edit_string(key)
    if not patch:
        return 0 if value is None else len(value)
    _check_length(shard, offset + len(patch))

    value = value if type(value) is bytearray else bytearray(value or b"")
    if len(value) < offset:
        value.extend(bytes(offset - len(value)))
    value[offset : offset + len(patch)] = patch
    shard.changed(key, value, Event.STRING, b"setrange")
    return len(value)


# -- counters


@command("INCR", "key", arity=2, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="1.0.0")
def incr(shard: Shard, args: Args) -> Reply:
    """Add one to the integer value of a key, which counts as 0 where it is missing."""
    return _increase(shard, args.next(), 1)


@command("DECR", "key", arity=2, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="1.0.0")
def decr(shard: Shard, args: Args) -> Reply:
    """Subtract one from the integer value of a key, which counts as 0 where it is missing."""
    return _increase(shard, args.next(), -1)


@command("INCRBY", "key increment", arity=3, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="1.0.0")
def incrby(shard: Shard, args: Args) -> Reply:
    """Add to the integer value of a key, which counts as 0 where it is missing."""
    return _increase(shard, args.next(), args.int())


@command("DECRBY", "key decrement", arity=3, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="1.0.0")
def decrby(shard: Shard, args: Args) -> Reply:
    """Subtract from the integer value of a key, which counts as 0 where it is missing."""
    key, decrement = args.next(), args.int()
    if decrement == INT64_MIN:  # its negation is not a 64-bit integer
        raise CommandError(DECREMENT_OVERFLOW)
    return _increase(shard, key, -decrement)


def _increase(shard: Shard, key: bytes, increment: int) -> int:
    old = shard.edit_string(key)
    number = 0 if old is None else parse_int(old)
    if number is None:
        raise NotAnInteger
    number += increment
    if not INT64_MIN <= number <= INT64_MAX:
        raise CommandError(OVERFLOW)

    shard.changed(key, b"%d" % number, Event.STRING, b"incrby")
    return number


@command("INCRBYFLOAT", "key increment", arity=3, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="2.6.0")
def incrbyfloat(shard: Shard, args: Args) -> Reply:
    """Add to the decimal value of a key, which counts as 0 where it is missing."""
    key, amount = args.next(), args.next()
    # Unlike other commands, this one looks at the key first in Redis.
    text = shard.edit_string(key)
    old = parse_long_double(b"0" if text is None else text)
    increment = parse_long_double(amount)
    if old is None or increment is None:
        raise NotAFloat
    number = None if isinstance(old, str) or isinstance(increment, str) else add_long_doubles(old, increment)
    if number is None:
        raise CommandError(NAN_OR_INFINITY)

    value = format_long_double(number)
    shard.changed(key, value, Event.STRING, b"incrbyfloat")
    return value
