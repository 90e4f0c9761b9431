"""Sets with each other: union, intersection and difference.

Results have the order that Redis' small sets have. Members are compared in C, by `filter` and a dict's look-up.
"""

from __future__ import annotations

from itertools import chain, filterfalse, islice
from typing import TYPE_CHECKING

from respcache.commands.table import (
    DENYOOM,
    OVERWRITE,
    READ,
    READONLY,
    UPDATE,
    WRITE,
    NumKeys,
    family,
)
from respcache.commands.table.tips import RANDOM_ORDER
from respcache.datatypes.set import Set
from respcache.errors import LIMIT_NEGATIVE, NUMKEYS_NOT_POSITIVE, TOO_FEW_KEYS, CommandError, WrongSyntax
from respcache.resp.types import Reply, SetReply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from respcache.commands.args import Args
    from respcache.datatypes.limits import Limits

command = family("set")


@command("SINTER", "key [key ...]", arity=-2, keys=READ.at(1, -1), flags=READONLY, since="1.0.0", tips=RANDOM_ORDER)
def sinter(shard: Shard, args: Args) -> Reply:
    """Return the members that all sets have."""
    return SetReply(_intersection(_sets(shard, args.rest())))


# Redis 7.2 reports the destination of SINTERSTORE alone as read too, though it is not; clients see that flag.
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
    """The common members, one by one, in the order of the smallest set."""
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
    # As Redis does: look for each member of the first set in all others, or, if these are many and small, remove each
    # of their members from a copy. The second way keeps the encoding of the first set.
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
    """Store the result in place of whatever is there; an empty one removes the key. Returns its size."""
    if len(result):
        shard.put(destination, result, Event.SET, event)
    else:
        shard.delete(destination)
    return len(result)
