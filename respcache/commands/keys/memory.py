"""MEMORY: the memory that keys and values take in this Python process, not what they would take in Redis.

All figures are estimated from samples. What the processes take in all is for main to say: MEMORY STATS and DOCTOR are
in `respcache.server.commands.memory`.
"""

from __future__ import annotations

import gc
from sys import getsizeof
from typing import TYPE_CHECKING

from respcache.commands.table import EXAMINE, READONLY, Reach, family
from respcache.commands.table.tips import ALL_SHARDS, ALL_SHARDS_MERGED
from respcache.datatypes.sizes import memory_of
from respcache.errors import SYNTAX, WrongSyntax
from respcache.resp.types import OK, Reply
from respcache.store.footprint import PLACE, SAMPLES

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.commands.table import Part
    from respcache.store.shard import Shard

command = family("server")
command.container("MEMORY", "Tell how memory is used.", since="4.0.0", help_since="4.0.0")


@command("MEMORY USAGE", "key [SAMPLES count]", arity=-3, keys=EXAMINE.at(2), flags=READONLY, since="4.0.0")
def memory_usage(shard: Shard, args: Args) -> Reply:
    """Estimate how many bytes a key and its value take."""
    key, samples = args.next(), SAMPLES
    while len(args):
        if not args.flag(b"SAMPLES") or not len(args):
            raise WrongSyntax
        samples = args.int(low=0, range_error=SYNTAX)

    value = shard.peek(key)
    if value is None:
        return None
    return PLACE + getsizeof(key) + memory_of(value, samples)


def _purged(_: list[Part]) -> Reply:
    return OK


@command("MEMORY PURGE", arity=2, reach=Reach.ALL, gather=_purged, since="4.0.0", tips=ALL_SHARDS)
def memory_purge(shard: Shard, args: Args) -> Reply:
    """Collect garbage at once."""
    gc.collect()
    return None


@command("MEMORY MALLOC-STATS", arity=2, since="4.0.0", tips=ALL_SHARDS_MERGED)
def memory_malloc_stats(shard: Shard, args: Args) -> Reply:
    """Report on the allocator."""
    # Redis says so for any allocator but jemalloc.
    return b"Stats not supported for the current allocator"
