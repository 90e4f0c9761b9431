"""Strings: GET, SET and their relatives, counters, and ranges of bytes. Bits are in `bitmaps`, LCS in `lcs`.

A string is `bytes` as it arrived, or `bytearray` once changed in place, which APPEND and SETRANGE then do not copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands._args import INT64_MAX, INT64_MIN, parse_int
from respcache.commands._long_double import add_long_doubles, format_long_double, parse_long_double
from respcache.commands._spec import DENYOOM, FAST, READONLY, WRITE, Keys, all_succeeded, command, in_key_order
from respcache.errors import (
    NAN_OR_INFINITY,
    OVERFLOW,
    STRING_TOO_LONG,
    CommandError,
    NotAFloat,
    NotAnInteger,
    WrongSyntax,
    wrong_arity,
)
from respcache.resp.types import OK, Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands._args import Args

# The unit of each expiry option in milliseconds, and whether it counts from now.
_EXPIRY = {b"EX": (1000, True), b"PX": (1, True), b"EXAT": (1000, False), b"PXAT": (1, False)}
_EXPIRY_SYNTAX = "EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds"

_PER_SHARD = ("request_policy:multi_shard", "response_policy:all_succeeded")


# -- reading


@command("GET", arity=2, keys=Keys(1, access="RO ACCESS"), flags=READONLY | FAST, since="1.0.0", group="string",
         syntax="key")  # fmt: skip
def get(shard: Shard, args: Args) -> Reply:
    """Return the value of a key."""
    value = shard.find_string(args.argv[1])
    return bytes(value) if type(value) is bytearray else value


@command("MGET", arity=-2, keys=Keys(1, -1, access="RO ACCESS"), gather=in_key_order, flags=READONLY | FAST,
         since="1.0.0", group="string", syntax="key [key ...]", tips=("request_policy:multi_shard",))  # fmt: skip
def mget(shard: Shard, args: Args) -> Reply:
    """Return the values of keys; nothing for those that are missing or hold no string."""
    values = [shard.look(key) for key in args.rest()]
    return [value if type(value) is bytes else bytes(value) if type(value) is bytearray else None for value in values]


@command("STRLEN", arity=2, keys=Keys(1, access="RO"), flags=READONLY | FAST, since="2.2.0", group="string",
         syntax="key")  # fmt: skip
def strlen(shard: Shard, args: Args) -> Reply:
    """Return the length of a value in bytes."""
    value = shard.find_string(args.next())
    return 0 if value is None else len(value)


@command("GETRANGE", arity=4, keys=Keys(1, access="RO ACCESS"), flags=READONLY, since="2.4.0", group="string",
         syntax="key start end")  # fmt: skip
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


@command("SUBSTR", arity=4, keys=Keys(1, access="RO ACCESS"), flags=READONLY, since="1.0.0", group="string",
         syntax="key start end")  # fmt: skip
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
        raise CommandError(f"ERR invalid expire time in '{name}' command")
    return deadline


@command("SET", arity=-3, keys=Keys(1, access="RW ACCESS UPDATE VARIABLE_FLAGS"), flags=WRITE | DENYOOM, since="1.0.0",
         group="string", syntax=f"key value [NX | XX] [GET] [{_EXPIRY_SYNTAX} | KEEPTTL]")  # fmt: skip
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
        exists = shard.look_to_write(key) is not None
        if exists == (options.only_if == b"NX"):
            return _copied(old)
    _put(shard, key, value, deadline, keep_ttl=options.keep_ttl)
    return _copied(old) if options.get else OK


def _copied(value: bytes | bytearray | None) -> bytes | None:
    """A value as a reply that no later command changes."""
    return bytes(value) if type(value) is bytearray else value  # type: ignore[return-value]  # bytes or None then


def _put(shard: Shard, key: bytes, value: bytes, deadline: int | None, *, keep_ttl: bool = False) -> None:
    shard.put(key, value, Event.STRING, b"set", keep_ttl=keep_ttl)
    if deadline is not None:
        shard.set_deadline(key, deadline)
        shard.notify(Event.GENERIC, b"expire", key)


@command("SETNX", arity=3, keys=Keys(1, access="OW INSERT"), flags=WRITE | DENYOOM | FAST, since="1.0.0",
         group="string", syntax="key value")  # fmt: skip
def setnx(shard: Shard, args: Args) -> Reply:
    """Set the value of a key that does not exist."""
    key, value = args.next(), args.next()
    if shard.look_to_write(key) is not None:
        return 0
    _put(shard, key, value, None)
    return 1


@command("SETEX", arity=4, keys=Keys(1, access="OW UPDATE"), flags=WRITE | DENYOOM, since="2.0.0", group="string",
         syntax="key seconds value")  # fmt: skip
def setex(shard: Shard, args: Args) -> Reply:
    """Set the value of a key, and let it expire in so many seconds."""
    return _set_and_expire(shard, args, 1000, "setex")


@command("PSETEX", arity=4, keys=Keys(1, access="OW UPDATE"), flags=WRITE | DENYOOM, since="2.6.0", group="string",
         syntax="key milliseconds value")  # fmt: skip
def psetex(shard: Shard, args: Args) -> Reply:
    """Set the value of a key, and let it expire in so many milliseconds."""
    return _set_and_expire(shard, args, 1, "psetex")


def _set_and_expire(shard: Shard, args: Args, unit: int, name: str) -> Reply:
    key, deadline, value = args.next(), _deadline(args.next(), unit, True, shard.now, name), args.next()
    _put(shard, key, value, deadline)
    return OK


@command("GETSET", arity=3, keys=Keys(1, access="RW ACCESS UPDATE"), flags=WRITE | DENYOOM | FAST, since="1.0.0",
         group="string", syntax="key value")  # fmt: skip
def getset(shard: Shard, args: Args) -> Reply:
    """Set the value of a key, and return the one it had."""
    key, value = args.next(), args.next()
    old = _copied(shard.find_string(key))
    _put(shard, key, value, None)
    return old


@command("GETDEL", arity=2, keys=Keys(1, access="RW ACCESS DELETE"), flags=WRITE | FAST, since="6.2.0", group="string",
         syntax="key")  # fmt: skip
def getdel(shard: Shard, args: Args) -> Reply:
    """Return the value of a key, and delete it."""
    key = args.next()
    value = _copied(shard.find_string(key))
    if value is not None:
        shard.delete(key)
    return value


@command("GETEX", arity=-2, keys=Keys(1, access="RW ACCESS UPDATE"), flags=WRITE | FAST, since="6.2.0",
         group="string", syntax=f"key [{_EXPIRY_SYNTAX} | PERSIST]")  # fmt: skip
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


@command("MSET", arity=-3, keys=Keys(1, -1, 2, access="OW UPDATE"), gather=all_succeeded, flags=WRITE | DENYOOM,
         since="1.0.1", group="string", syntax="key value [key value ...]", tips=_PER_SHARD)  # fmt: skip
def mset(shard: Shard, args: Args) -> Reply:
    """Set the values of several keys in one step."""
    for key, value in _pairs(args, "mset"):
        _put(shard, key, value, None)
    return OK


def _pairs(args: Args, name: str) -> list[tuple[bytes, bytes]]:
    if len(args) % 2:
        raise wrong_arity(name)
    return args.pairs()


@command("MSETNX", arity=-3, keys=Keys(1, -1, 2, access="OW INSERT"), flags=WRITE | DENYOOM, since="1.0.1",
         group="string", syntax="key value [key value ...]")  # fmt: skip
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


@command("APPEND", arity=3, keys=Keys(1, access="RW INSERT"), flags=WRITE | DENYOOM | FAST, since="2.0.0",
         group="string", syntax="key value")  # fmt: skip
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


@command("SETRANGE", arity=4, keys=Keys(1, access="RW UPDATE"), flags=WRITE | DENYOOM, since="2.2.0", group="string",
         syntax="key offset value")  # fmt: skip
def setrange(shard: Shard, args: Args) -> Reply:
    """Overwrite bytes from an offset on, which grows the value with zero bytes where needed; return its length."""
    key, offset, patch = args.next(), args.int(), args.next()
    if offset < 0:
        raise CommandError("ERR offset is out of range")
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


@command("INCR", arity=2, keys=Keys(1, access="RW ACCESS UPDATE"), flags=WRITE | DENYOOM | FAST, since="1.0.0",
         group="string", syntax="key")  # fmt: skip
def incr(shard: Shard, args: Args) -> Reply:
    """Add one to the integer value of a key, which counts as 0 where it is missing."""
    return _increase(shard, args.next(), 1)


@command("DECR", arity=2, keys=Keys(1, access="RW ACCESS UPDATE"), flags=WRITE | DENYOOM | FAST, since="1.0.0",
         group="string", syntax="key")  # fmt: skip
def decr(shard: Shard, args: Args) -> Reply:
    """Subtract one from the integer value of a key, which counts as 0 where it is missing."""
    return _increase(shard, args.next(), -1)


@command("INCRBY", arity=3, keys=Keys(1, access="RW ACCESS UPDATE"), flags=WRITE | DENYOOM | FAST, since="1.0.0",
         group="string", syntax="key increment")  # fmt: skip
def incrby(shard: Shard, args: Args) -> Reply:
    """Add to the integer value of a key, which counts as 0 where it is missing."""
    return _increase(shard, args.next(), args.int())


@command("DECRBY", arity=3, keys=Keys(1, access="RW ACCESS UPDATE"), flags=WRITE | DENYOOM | FAST, since="1.0.0",
         group="string", syntax="key decrement")  # fmt: skip
def decrby(shard: Shard, args: Args) -> Reply:
    """Subtract from the integer value of a key, which counts as 0 where it is missing."""
    key, decrement = args.next(), args.int()
    if decrement == INT64_MIN:  # its negation is not a 64-bit integer
        raise CommandError("ERR decrement would overflow")
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


@command("INCRBYFLOAT", arity=3, keys=Keys(1, access="RW ACCESS UPDATE"), flags=WRITE | DENYOOM | FAST, since="2.6.0",
         group="string", syntax="key increment")  # fmt: skip
def incrbyfloat(shard: Shard, args: Args) -> Reply:
    """Add to the decimal value of a key, which counts as 0 where it is missing."""
    key, amount = args.next(), args.next()
    # Unlike elsewhere, Redis looks at the key first here.
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
