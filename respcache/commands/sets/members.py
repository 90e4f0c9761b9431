"""One set: SADD to SSCAN, and SMOVE between two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.sampling import parse_count, random_elements
from respcache.commands.scanning import parse_cursor, parse_options, scan_reply
from respcache.commands.table import (
    DELETE,
    DENYOOM,
    EXAMINE,
    FAST,
    INSERT,
    READ,
    READONLY,
    TAKE,
    WRITE,
    family,
)
from respcache.commands.table.tips import RANDOM_ORDER, RANDOM_OUTPUT
from respcache.datatypes.set import Set
from respcache.errors import NOT_POSITIVE, WrongSyntax
from respcache.resp.types import Reply, SetReply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args

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
    else:
        shard.marked(key)
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
        else:
            shard.marked(destination)
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
