"""Sets: SADD to SSCAN.

What is computed from several sets keeps the order in which Redis' small sets come, and leaves the comparing of members
to C: `filter` with the look-up of a dict.
"""

from __future__ import annotations

from itertools import chain, filterfalse, islice
from typing import TYPE_CHECKING

from respcache.commands.sampling import parse_count, random_elements
from respcache.commands.scanning import parse_cursor, parse_options, scan_reply
from respcache.commands.table import (
    DELETE,
    DENYOOM,
    EXAMINE,
    FAST,
    INSERT,
    OVERWRITE,
    READ,
    READONLY,
    TAKE,
    UPDATE,
    WRITE,
    NumKeys,
    family,
)
from respcache.commands.table.tips import RANDOM_ORDER, RANDOM_OUTPUT
from respcache.datatypes.set import Set
from respcache.errors import LIMIT_NEGATIVE, NOT_POSITIVE, NUMKEYS_NOT_POSITIVE, TOO_FEW_KEYS, CommandError, WrongSyntax
from respcache.resp.types import Reply, SetReply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from respcache.commands.args import Args
    from respcache.datatypes.limits import Limits

command = family("set")


# -- members


@command("SADD", "key member [member ...]", arity=-3, keys=INSERT, flags=WRITE | DENYOOM | FAST, since="1.0.0")
def sadd(shard: Shard, args: Args) -> Reply:
    """Add members to a set, creating it if need be, and count those that are new."""
    key, members = args.next(), args.rest()
    target = shard.obtain(key, Set)
    added = target.update(members)
    if added:
        shard.changed(key, target, Event.SET, b"sadd")
    return added


@command("SREM", "key member [member ...]", arity=-3, keys=DELETE, flags=WRITE | FAST, since="1.0.0")
def srem(shard: Shard, args: Args) -> Reply:
    """Remove members, and count those that were there."""
    key, members = args.next(), args.rest()
    source = shard.edit(key, Set)
    if source is None:
        return 0
    removed = sum(map(source.discard, members))
    if removed:
        shard.changed(key, source, Event.SET, b"srem")
    return removed


@command("SMOVE", "source destination member", arity=4, keys=(TAKE, INSERT.at(2)), flags=WRITE | FAST, since="1.0.0")
def smove(shard: Shard, args: Args) -> Reply:
    """Move a member from one set to another."""
    key, destination, member = args.next(), args.next(), args.next()
    source = shard.edit(key, Set)
    if source is None:
        return 0
    target = shard.obtain(destination, Set)
    if member not in source:
        return 0

    if target is not source:
        source.discard(member)
        shard.changed(key, source, Event.SET, b"srem")
        if target.update((member,)):
            shard.changed(destination, target, Event.SET, b"sadd")
    return 1


@command("SCARD", "key", arity=2, keys=EXAMINE, flags=READONLY | FAST, since="1.0.0")
def scard(shard: Shard, args: Args) -> Reply:
    """Return the number of members."""
    return len(shard.find(args.next(), Set) or ())


@command("SISMEMBER", "key member", arity=3, keys=EXAMINE, flags=READONLY | FAST, since="1.0.0")
def sismember(shard: Shard, args: Args) -> Reply:
    """Tell whether a set has a member."""
    key, member = args.next(), args.next()
    return int(member in (shard.find(key, Set) or ()))


@command("SMISMEMBER", "key member [member ...]", arity=-3, keys=READ, flags=READONLY | FAST, since="6.2.0")
def smismember(shard: Shard, args: Args) -> Reply:
    """Tell of each of the members whether a set has it."""
    key, members = args.next(), args.rest()
    found = shard.find(key, Set) or ()
    return [int(member in found) for member in members]


@command("SMEMBERS", "key", arity=2, keys=READ, flags=READONLY, since="1.0.0", tips=RANDOM_ORDER)
def smembers(shard: Shard, args: Args) -> Reply:
    """Return all members."""
    return SetReply(shard.find(args.next(), Set) or ())


@command(
    "SSCAN",
    "key cursor [MATCH pattern] [COUNT count]",
    arity=-3,
    keys=READ,
    flags=READONLY,
    since="2.8.0",
    tips=RANDOM_OUTPUT,
)
def sscan(shard: Shard, args: Args) -> Reply:
    """Iterate over the members of a set."""
    key, cursor = args.next(), parse_cursor(args.next())
    members = shard.find(key, Set)
    if members is None:
        return scan_reply(0, [])
    options = parse_options(args)

    cursor, found = members.scan(cursor, options.count)
    matches = options.match
    return scan_reply(cursor, found if matches is None else [member for member in found if matches(member)])


# -- random members


@command("SPOP", "key [count]", arity=-2, keys=TAKE, flags=WRITE | FAST, since="1.0.0", tips=RANDOM_OUTPUT)
def spop(shard: Shard, args: Args) -> Reply:
    """Remove and return one random member, or `count` of them."""
    key = args.next()
    if len(args) > 1:
        raise WrongSyntax
    count = args.int(NOT_POSITIVE, low=0) if len(args) else None

    source = shard.edit(key, Set)
    if source is None or count == 0:
        return None if count is None else SetReply()
    popped = source.pop(shard.random, 1 if count is None else count)
    shard.changed(key, source, Event.SET, b"spop")
    return popped[0] if count is None else SetReply(popped)


@command("SRANDMEMBER", "key [count]", arity=-2, keys=READ, flags=READONLY, since="1.0.0", tips=RANDOM_OUTPUT)
def srandmember(shard: Shard, args: Args) -> Reply:
    """Return a random member, `count` different ones, or -`count` that may come again."""
    key = args.next()
    if len(args) > 1:
        raise WrongSyntax
    count = parse_count(args) if len(args) else None

    members = shard.find(key, Set)
    if members is None:
        return None if count is None else []
    if count is None:
        return members.choices(shard.random, 1)[0]
    return random_elements(members, shard.random, count)


# -- several sets


@command("SINTER", "key [key ...]", arity=-2, keys=READ.at(1, -1), flags=READONLY, since="1.0.0", tips=RANDOM_ORDER)
def sinter(shard: Shard, args: Args) -> Reply:
    """Return the members that all sets have."""
    return SetReply(_intersection(_sets(shard, args.rest())))


# Redis 7.2 says of this destination alone that it is read too, which it is not; so clients see it.
@command(
    "SINTERSTORE",
    "destination key [key ...]",
    arity=-3,
    keys=(UPDATE, READ.at(2, -1)),
    flags=WRITE | DENYOOM,
    since="1.0.0",
)
def sinterstore(shard: Shard, args: Args) -> Reply:
    """Store the members that all sets have, and count them."""
    destination, keys = args.next(), args.rest()
    result = Set.of_intersection(shard.limits, _intersection(_sets(shard, keys)))
    return _store(shard, destination, result, b"sinterstore")


@command(
    "SINTERCARD",
    "numkeys key [key ...] [LIMIT limit]",
    arity=-3,
    keys=NumKeys(1, access="RO ACCESS"),
    flags=READONLY,
    since="7.0.0",
)
def sintercard(shard: Shard, args: Args) -> Reply:
    """Count the members that all sets have, up to a limit."""
    count = args.int(NUMKEYS_NOT_POSITIVE, low=1)
    if count > len(args):
        raise CommandError(TOO_FEW_KEYS)
    keys = [args.next() for _ in range(count)]
    limit = 0
    while len(args):
        if args.option() != b"LIMIT" or not len(args):
            raise WrongSyntax
        limit = args.int(LIMIT_NEGATIVE, low=0)

    common = _intersection(_sets(shard, keys))
    return sum(1 for _ in islice(common, limit or None))


@command("SUNION", "key [key ...]", arity=-2, keys=READ.at(1, -1), flags=READONLY, since="1.0.0", tips=RANDOM_ORDER)
def sunion(shard: Shard, args: Args) -> Reply:
    """Return the members that any of the sets has."""
    return SetReply(_union(shard.limits, _sets(shard, args.rest())))


@command(
    "SUNIONSTORE",
    "destination key [key ...]",
    arity=-3,
    keys=(OVERWRITE, READ.at(2, -1)),
    flags=WRITE | DENYOOM,
    since="1.0.0",
)
def sunionstore(shard: Shard, args: Args) -> Reply:
    """Store the members that any of the sets has, and count them."""
    destination, keys = args.next(), args.rest()
    return _store(shard, destination, _union(shard.limits, _sets(shard, keys)), b"sunionstore")


@command("SDIFF", "key [key ...]", arity=-2, keys=READ.at(1, -1), flags=READONLY, since="1.0.0", tips=RANDOM_ORDER)
def sdiff(shard: Shard, args: Args) -> Reply:
    """Return the members of the first set that no other one has."""
    return SetReply(_difference(shard.limits, _sets(shard, args.rest())))


@command(
    "SDIFFSTORE",
    "destination key [key ...]",
    arity=-3,
    keys=(OVERWRITE, READ.at(2, -1)),
    flags=WRITE | DENYOOM,
    since="1.0.0",
)
def sdiffstore(shard: Shard, args: Args) -> Reply:
    """Store the members of the first set that no other one has, and count them."""
    destination, keys = args.next(), args.rest()
    return _store(shard, destination, _difference(shard.limits, _sets(shard, keys)), b"sdiffstore")


def _sets(shard: Shard, keys: Iterable[bytes]) -> list[Set | None]:
    """The sets under these keys, None for those that do not exist. Raises WrongType."""
    return [shard.find(key, Set) for key in keys]


def _intersection(sets: Sequence[Set | None]) -> Iterator[bytes]:
    """The common members, in the order of the smallest set, one by one."""
    present = [found for found in sets if found is not None]
    if len(present) < len(sets):
        return iter(())
    smallest, *others = sorted(present, key=len)
    common = iter(smallest)
    for other in others:
        if other is not smallest:
            common = filter(other.lookup.__contains__, common)
    return common


def _union(limits: Limits, sets: Sequence[Set | None]) -> Set:
    return Set(limits, chain.from_iterable(found for found in sets if found is not None))


def _difference(limits: Limits, sets: Sequence[Set | None]) -> Set:
    first, *others = sets
    subtracted = [other for other in others if other is not None]
    if first is None or any(other is first for other in subtracted):
        return Set(limits)
    # As Redis: either look for each member of the first set in all others, or, where these are many and small, take
    # each of their members away. The second way leaves the encoding that the first set has.
    looking = len(first) * (1 + len(subtracted)) // 2
    taking = len(first) + sum(map(len, subtracted))
    if looking <= taking:
        left: Iterator[bytes] = iter(first)
        for other in sorted(subtracted, key=len, reverse=True):
            left = filterfalse(other.lookup.__contains__, left)
        return Set(limits, left)
    result = Set(limits, first)
    for member in filter(first.lookup.__contains__, chain.from_iterable(subtracted)):
        result.discard(member)
    return result


def _store(shard: Shard, destination: bytes, result: Set, event: bytes) -> int:
    """Put the result in the place of whatever is there; the number of its members. An empty one removes the key."""
    if len(result):
        shard.put(destination, result, Event.SET, event)
    else:
        shard.delete(destination)
    return len(result)
