"""Lists: BLPOP to BLMPOP, which wait while there is nothing to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import Args
from respcache.commands.lists.elements import move, pop_from_first, side, take, take_lmpop
from respcache.commands.table import BLOCKING, DENYOOM, INSERT, TAKE, WRITE, NumKeys, family
from respcache.datatypes.list import List
from respcache.resp.types import NULL_ARRAY, Reply
from respcache.store.waiting import Blocked

if TYPE_CHECKING:
    from respcache.store.shard import Shard

command = family("list")


@command(
    "BLPOP", "key [key ...] timeout", arity=-3, keys=TAKE.at(1, -2), flags=WRITE | BLOCKING, by_key=True, since="2.0.0"
)
def blpop(shard: Shard, args: Args) -> Reply:
    """Remove and return the first element of the first list that is not empty; wait for one if all are."""
    return _pop_command(shard, args, head=True)


@command(
    "BRPOP", "key [key ...] timeout", arity=-3, keys=TAKE.at(1, -2), flags=WRITE | BLOCKING, by_key=True, since="2.0.0"
)
def brpop(shard: Shard, args: Args) -> Reply:
    """Remove and return the last element of the first list that is not empty; wait for one if all are."""
    return _pop_command(shard, args, head=False)


def _pop_command(shard: Shard, args: Args, *, head: bool) -> Reply:
    *keys, timeout = args.rest()
    milliseconds = Args([timeout], 0).timeout(shard.now)

    for key in keys:
        items = shard.edit(key, List)
        if items is not None:
            return [key, take(shard, key, items, 1, head)[0]]
    raise Blocked(keys, milliseconds, NULL_ARRAY, (List,))


@command(
    "BLMPOP",
    "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
    arity=-5,
    keys=NumKeys(2, access="RW ACCESS DELETE"),
    flags=WRITE | BLOCKING,
    by_key=True,
    since="7.0.0",
)
def blmpop(shard: Shard, args: Args) -> Reply:
    """Remove and return elements of the first list that is not empty; wait for one if all are."""
    timeout = args.next()
    keys, head, count = take_lmpop(args)
    milliseconds = Args([timeout], 0).timeout(shard.now)  # looked at last, as in Redis

    found = pop_from_first(shard, keys, head, count)
    if found is None:
        raise Blocked(keys, milliseconds, NULL_ARRAY, (List,))
    return found


@command(
    "BLMOVE",
    "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
    arity=6,
    keys=(TAKE, INSERT.at(2)),
    flags=WRITE | DENYOOM | BLOCKING,
    since="6.2.0",
)
def blmove(shard: Shard, args: Args) -> Reply:
    """Move an element from an end of one list to an end of another, and return it; wait for one if there is none."""
    source, destination = args.next(), args.next()
    return _move_command(shard, source, destination, side(args.option()), side(args.option()), args)


@command(
    "BRPOPLPUSH",
    "source destination timeout",
    arity=4,
    keys=(TAKE, INSERT.at(2)),
    flags=WRITE | DENYOOM | BLOCKING,
    since="2.2.0",
)
def brpoplpush(shard: Shard, args: Args) -> Reply:
    """Move the last element of one list to the head of another, and return it; wait for one if there is none."""
    return _move_command(shard, args.next(), args.next(), False, True, args)


def _move_command(shard: Shard, source: bytes, destination: bytes, from_head: bool, to_head: bool, args: Args) -> Reply:
    milliseconds = args.timeout(shard.now)

    element = move(shard, source, destination, from_head, to_head)
    if element is None:
        # The one command that has another reply where nothing may wait: `TIMED_OUT` is an array.
        raise Blocked([source], milliseconds, None, (List,))
    return element
