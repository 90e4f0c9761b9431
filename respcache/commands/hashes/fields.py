"""Hashes: HSET to HSCAN."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from respcache.commands.args import INT64_MAX, INT64_MIN, parse_int
from respcache.commands.long_double import add_long_doubles, format_long_double, parse_long_double
from respcache.commands.sampling import parse_count, random_elements
from respcache.commands.scanning import parse_cursor, parse_options, scan_reply
from respcache.commands.table import (
    DELETE,
    DENYOOM,
    EXAMINE,
    FAST,
    INSERT,
    MODIFY,
    READ,
    READONLY,
    UPDATE,
    WRITE,
    family,
)
from respcache.commands.table.tips import RANDOM_ORDER, RANDOM_OUTPUT
from respcache.datatypes.hash import Hash
from respcache.errors import (
    HASH_VALUE_NOT_FLOAT,
    HASH_VALUE_NOT_INTEGER,
    INCREMENT_NAN_OR_INFINITY,
    NAN_OR_INFINITY,
    OUT_OF_RANGE,
    OVERFLOW,
    CommandError,
    NotAFloat,
    WrongSyntax,
    wrong_arity,
)
from respcache.resp.types import OK, Pairs, Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from fractions import Fraction

    from respcache.commands.args import Args

command = family("hash")


# -- one field, or some


@command(
    "HSET", "key field value [field value ...]", arity=-4, keys=UPDATE, flags=WRITE | DENYOOM | FAST, since="2.0.0"
)
def hset(shard: Shard, args: Args) -> Reply:
    """Set fields of a hash, creating it if need be, and count those that are new."""
    return _set_fields(shard, args, "hset")


@command(
    "HMSET", "key field value [field value ...]", arity=-4, keys=UPDATE, flags=WRITE | DENYOOM | FAST, since="2.0.0"
)
def hmset(shard: Shard, args: Args) -> Reply:
    """Set fields of a hash, creating it if need be."""
    _set_fields(shard, args, "hmset")
    return OK


def _set_fields(shard: Shard, args: Args, name: str) -> int:
    key = args.next()
    if len(args) % 2:
        raise wrong_arity(name)
    pairs = args.pairs()

    fields = shard.obtain(key, Hash)
    created = fields.update(pairs)
    shard.changed(key, fields, Event.HASH, b"hset")
    return created


@command("HSETNX", "key field value", arity=4, keys=INSERT, flags=WRITE | DENYOOM | FAST, since="2.0.0")
def hsetnx(shard: Shard, args: Args) -> Reply:
    """Set a field of a hash that it does not have yet."""
    key, field, value = args.next(), args.next(), args.next()
    fields = shard.obtain(key, Hash)
    if field in fields:
        return 0
    fields.update([(field, value)])
    shard.changed(key, fields, Event.HASH, b"hset")
    return 1


@command("HGET", "key field", arity=3, keys=READ, flags=READONLY | FAST, since="2.0.0")
def hget(shard: Shard, args: Args) -> Reply:
    """Return the value of a field."""
    key, field = args.next(), args.next()
    fields = shard.find(key, Hash)
    return None if fields is None else fields.get(field)


@command("HMGET", "key field [field ...]", arity=-3, keys=READ, flags=READONLY | FAST, since="2.0.0")
def hmget(shard: Shard, args: Args) -> Reply:
    """Return the values of fields, null for those that are missing."""
    key, wanted = args.next(), args.rest()
    fields = shard.find(key, Hash)
    return [None] * len(wanted) if fields is None else list(map(fields.get, wanted))


@command("HDEL", "key field [field ...]", arity=-3, keys=DELETE, flags=WRITE | FAST, since="2.0.0")
def hdel(shard: Shard, args: Args) -> Reply:
    """Remove fields, and count those that were there."""
    key, unwanted = args.next(), args.rest()
    fields = shard.edit(key, Hash)
    if fields is None:
        return 0
    removed = sum(map(fields.discard, unwanted))
    if removed:
        shard.changed(key, fields, Event.HASH, b"hdel")
    return removed


@command("HEXISTS", "key field", arity=3, keys=EXAMINE, flags=READONLY | FAST, since="2.0.0")
def hexists(shard: Shard, args: Args) -> Reply:
    """Tell whether a hash has a field."""
    key, field = args.next(), args.next()
    return int(field in (shard.find(key, Hash) or ()))


@command("HSTRLEN", "key field", arity=3, keys=EXAMINE, flags=READONLY | FAST, since="3.2.0")
def hstrlen(shard: Shard, args: Args) -> Reply:
    """Return the length of the value of a field."""
    key, field = args.next(), args.next()
    fields = shard.find(key, Hash)
    return 0 if fields is None else len(fields.get(field) or b"")


# -- numbers


@command("HINCRBY", "key field increment", arity=4, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="2.0.0")
def hincrby(shard: Shard, args: Args) -> Reply:
    """Add to the integer value of a field, which counts as 0 where it is missing."""
    key, field, increment = args.next(), args.next(), args.int()

    fields = shard.obtain(key, Hash)
    text = fields.get(field)
    old = 0 if text is None else parse_int(text)
    if old is None:
        raise CommandError(HASH_VALUE_NOT_INTEGER)
    value = old + increment
    if not INT64_MIN <= value <= INT64_MAX:
        raise CommandError(OVERFLOW)

    fields.update([(field, b"%d" % value)])
    shard.changed(key, fields, Event.HASH, b"hincrby")
    return value


@command("HINCRBYFLOAT", "key field increment", arity=4, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="2.6.0")
def hincrbyfloat(shard: Shard, args: Args) -> Reply:
    """Add to the decimal value of a field, which counts as 0 where it is missing."""
    key, field, increment = args.next(), args.next(), parse_long_double(args.next())
    if increment is None:
        raise NotAFloat
    if isinstance(increment, str):
        raise CommandError(INCREMENT_NAN_OR_INFINITY)

    fields = shard.obtain(key, Hash)
    value = format_long_double(_increased(fields.get(field), increment))
    fields.update([(field, value)])
    shard.changed(key, fields, Event.HASH, b"hincrbyfloat")
    return value


def _increased(text: bytes | None, increment: Fraction) -> Fraction:
    old = parse_long_double(b"0" if text is None else text)
    if old is None:
        raise CommandError(HASH_VALUE_NOT_FLOAT)
    value = None if isinstance(old, str) else add_long_doubles(old, increment)
    if value is None:
        raise CommandError(NAN_OR_INFINITY)
    return value


# -- the whole hash


@command("HLEN", "key", arity=2, keys=EXAMINE, flags=READONLY | FAST, since="2.0.0")
def hlen(shard: Shard, args: Args) -> Reply:
    """Return the number of fields."""
    return len(shard.find(args.next(), Hash) or ())


@command("HGETALL", "key", arity=2, keys=READ, flags=READONLY, since="2.0.0", tips=RANDOM_ORDER)
def hgetall(shard: Shard, args: Args) -> Reply:
    """Return all fields with their values."""
    fields = shard.find(args.next(), Hash)
    return {} if fields is None else dict(fields.items())


@command("HKEYS", "key", arity=2, keys=READ, flags=READONLY, since="2.0.0", tips=RANDOM_ORDER)
def hkeys(shard: Shard, args: Args) -> Reply:
    """Return all fields."""
    return list(shard.find(args.next(), Hash) or ())


@command("HVALS", "key", arity=2, keys=READ, flags=READONLY, since="2.0.0", tips=RANDOM_ORDER)
def hvals(shard: Shard, args: Args) -> Reply:
    """Return all values."""
    fields = shard.find(args.next(), Hash)
    return [] if fields is None else list(fields.values())


@command(
    "HRANDFIELD", "key [count [WITHVALUES]]", arity=-2, keys=READ, flags=READONLY, since="6.2.0", tips=RANDOM_OUTPUT
)
def hrandfield(shard: Shard, args: Args) -> Reply:
    """Return a random field, `count` different ones, or -`count` that may come again."""
    key = args.next()
    if not len(args):
        fields = shard.find(key, Hash)
        return None if fields is None else fields.choices(shard.random, 1)[0]
    count = parse_count(args)
    with_values = bool(len(args))
    if with_values:
        if not args.flag(b"WITHVALUES"):
            raise WrongSyntax
        args.end()
        if abs(count) > INT64_MAX // 2:
            raise CommandError(OUT_OF_RANGE)

    fields = shard.find(key, Hash)
    if fields is None:
        return Pairs() if with_values else []
    chosen = random_elements(fields, shard.random, count)
    return Pairs((field, fields.get(field)) for field in chosen) if with_values else chosen


@command(
    "HSCAN",
    "key cursor [MATCH pattern] [COUNT count]",
    arity=-3,
    keys=READ,
    flags=READONLY,
    since="2.8.0",
    tips=RANDOM_OUTPUT,
)
def hscan(shard: Shard, args: Args) -> Reply:
    """Iterate over the fields and values of a hash.

    NOVALUES, which omits the values, is not in Redis 7.2; it came with 7.4, and programs use it.
    """
    key, cursor = args.next(), parse_cursor(args.next())
    fields = shard.find(key, Hash)
    if fields is None:
        return scan_reply(0, [])
    options = parse_options(args, allow_no_values=True)

    cursor, found = fields.scan(cursor, options.count)
    matches = options.match
    if matches is not None:
        found = [field for field in found if matches(field)]
    if options.no_values:
        return scan_reply(cursor, found)
    return scan_reply(cursor, list(chain.from_iterable((field, fields.get(field)) for field in found)))
