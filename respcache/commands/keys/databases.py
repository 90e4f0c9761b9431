"""Whole databases: counted, emptied, exchanged. Every shard does its part, and all parts reply alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.args import INT32_MAX, INT32_MIN
from respcache.commands.table import FAST, READONLY, WRITE, Reach, all_succeeded, family, total
from respcache.commands.table.tips import ALL_SHARDS
from respcache.errors import INVALID_FIRST_DB, INVALID_SECOND_DB, WrongSyntax
from respcache.resp.types import OK, Reply

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("server")

DANGEROUS = ("keyspace", "dangerous")


@command(
    "DBSIZE",
    arity=1,
    reach=Reach.ALL,
    gather=total,
    flags=READONLY | FAST,
    since="1.0.0",
    categories=("keyspace",),
    tips=("request_policy:all_shards", "response_policy:agg_sum"),
)
def dbsize(shard: Shard, args: Args) -> Reply:
    """Return the number of keys. Keys whose time is over count until they are removed."""
    return len(shard.db)


@command(
    "FLUSHDB",
    "[ASYNC | SYNC]",
    arity=-1,
    reach=Reach.ALL,
    gather=all_succeeded,
    flags=WRITE,
    since="1.0.0",
    categories=DANGEROUS,
    tips=ALL_SHARDS,
)
def flushdb(shard: Shard, args: Args) -> Reply:
    """Remove all keys of the selected database."""
    _take_flush_mode(args)
    shard.flush_all([shard.db_index])
    return OK


@command(
    "FLUSHALL",
    "[ASYNC | SYNC]",
    arity=-1,
    reach=Reach.ALL,
    gather=all_succeeded,
    flags=WRITE,
    since="1.0.0",
    categories=DANGEROUS,
    tips=ALL_SHARDS,
)
def flushall(shard: Shard, args: Args) -> Reply:
    """Remove all keys of all databases."""
    _take_flush_mode(args)
    shard.flush_all(shard.databases.block(shard.namespace))
    return OK


def _take_flush_mode(args: Args) -> None:
    """ASYNC or SYNC, which make no difference here: clearing a dict takes no time worth mentioning."""
    if len(args) and args.option() not in (b"ASYNC", b"SYNC"):
        raise WrongSyntax
    args.end()


@command(
    "SWAPDB",
    "index1 index2",
    arity=3,
    reach=Reach.ALL,
    gather=all_succeeded,
    flags=WRITE | FAST,
    since="4.0.0",
    categories=DANGEROUS,
)
def swapdb(shard: Shard, args: Args) -> Reply:
    """Exchange two databases, for all clients at once."""
    one = args.int(INVALID_FIRST_DB, low=INT32_MIN, high=INT32_MAX)
    other = args.int(INVALID_SECOND_DB, low=INT32_MIN, high=INT32_MAX)
    first, second = shard.database(one), shard.database(other)

    shard.swap(first, second)
    return OK
