"""Sorted sets: BZPOPMIN, BZPOPMAX and BZMPOP, which wait while there is nothing to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import Args
from respcache.commands.table import BLOCKING, FAST, TAKE, WRITE, NumKeys, family
from respcache.commands.zsets.members import pop_from_first, take, take_zmpop
from respcache.datatypes.zset import ZSet
from respcache.resp.types import NULL_ARRAY, Reply
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from respcache.store.shard import Shard

command = family("sorted_set")


@command(
    "BZPOPMIN",
    "key [key ...] timeout",
    arity=-3,
    keys=TAKE.at(1, -2),
    flags=WRITE | FAST | BLOCKING,
    by_key=True,
    since="5.0.0",
)
def bzpopmin(shard: Shard, args: Args) -> Reply:
    """Remove and return the lowest member of the first sorted set that is not empty; wait for one if all are."""
    return _pop_command(shard, args, last=False)


@command(
    "BZPOPMAX",
    "key [key ...] timeout",
    arity=-3,
    keys=TAKE.at(1, -2),
    flags=WRITE | FAST | BLOCKING,
    by_key=True,
    since="5.0.0",
)
def bzpopmax(shard: Shard, args: Args) -> Reply:
    """Remove and return the highest member of the first sorted set that is not empty; wait for one if all are."""
    return _pop_command(shard, args, last=True)


def _pop_command(shard: Shard, args: Args, *, last: bool) -> Reply:
    *keys, timeout = args.rest()
    milliseconds = Args([timeout], 0).timeout(shard.now)

    for key in keys:
        zset = shard.edit(key, ZSet)
        if zset is not None:
            return [key, *take(shard, key, zset, 1, last=last)[0]]
    raise Blocked(keys, milliseconds, NULL_ARRAY, (ZSet,))


@command(
    "BZMPOP",
    "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
    arity=-5,
    keys=NumKeys(2, access="RW ACCESS DELETE"),
    flags=WRITE | BLOCKING,
    by_key=True,
    since="7.0.0",
)
def bzmpop(shard: Shard, args: Args) -> Reply:
    """Remove and return members of the first sorted set that is not empty; wait for one if all are."""
    timeout = args.next()
    keys, last, count = take_zmpop(args)
    milliseconds = Args([timeout], 0).timeout(shard.now)  # looked at last, as in Redis

    found = pop_from_first(shard, keys, last, count)
    if found is None:
        raise Blocked(keys, milliseconds, NULL_ARRAY, (ZSet,))
    return found
