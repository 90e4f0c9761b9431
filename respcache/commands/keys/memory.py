"""MEMORY: the memory that keys and values take in this Python process, not what they would take in Redis.

All figures are estimated from samples. INFO memory tells what the processes take in all.
"""

from __future__ import annotations

import gc
from collections import Counter
from sys import getsizeof
from typing import TYPE_CHECKING

from respcache.commands.table import EXAMINE, READONLY, Reach, family
from respcache.commands.table.tips import ALL_SHARDS, ALL_SHARDS_MERGED
from respcache.datatypes.sizes import memory_of
from respcache.errors import SYNTAX, WrongSyntax
from respcache.resp.types import OK, Reply, Verbatim

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.commands.table import Part
    from respcache.store.keyspace import Keyspace
    from respcache.store.shard import Shard

command = family("server")
command.container("MEMORY", "Tell how memory is used.", since="4.0.0", help_since="4.0.0")

# How many elements of a container are measured by default, and how many keys of a database.
SAMPLES = 5
SAMPLED_KEYS = 100

# About what a key takes in the tables of its database, besides the key and the value: an entry in a half-full dict,
# three places in the parallel lists, and the index that the dict holds.
PLACE = 110

# What a deadline adds: an entry in the dict of deadlines, the deadline, and an entry in their heap.
DEADLINE = 220


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


def _merge(parts: list[Part]) -> Reply:
    """What clients see of the figures of all shards."""
    databases: dict[int, Counter[str]] = {}
    for part in parts:
        for index, figures in part.reply.items():
            databases.setdefault(index, Counter()).update(figures)
    sums = sum(databases.values(), Counter[str]())
    keys, data, overhead = sums["keys"], sums["values"], sums["main"] + sums["expires"]
    return {
        b"total.allocated": data + overhead,
        **{
            b"db.%d" % index: {
                b"overhead.hashtable.main": figures["main"],
                b"overhead.hashtable.expires": figures["expires"],
            }
            for index, figures in sorted(databases.items())
        },
        b"overhead.total": overhead,
        b"keys.count": keys,
        b"keys.bytes-per-key": (data + overhead) // keys if keys else 0,
        b"dataset.bytes": data,
        b"dataset.percentage": 100 * data / (data + overhead) if keys else 0.0,
    }


@command("MEMORY STATS", arity=2, reach=Reach.ALL, gather=_merge, since="4.0.0", tips=ALL_SHARDS_MERGED)
def memory_stats(shard: Shard, args: Args) -> dict[int, dict[str, int]]:
    """Estimate what keys and values take, in all and in each database."""
    return {index: _figures(db) for index, db in enumerate(shard.databases) if len(db)}


def _figures(db: Keyspace) -> dict[str, int]:
    """About how many bytes a database takes, estimated from evenly spaced keys."""
    keys, values = (column[:: -(-len(db) // SAMPLED_KEYS)] for column in (db.members, db.values))
    return {
        "keys": len(db),
        "main": len(db) * PLACE + sum(map(getsizeof, keys)) * len(db) // len(keys),
        "expires": len(db.deadlines) * DEADLINE,
        "values": sum(memory_of(value, SAMPLES) for value in values) * len(db) // len(values),
    }


def _purged(_: list[Part]) -> Reply:
    return OK


@command("MEMORY PURGE", arity=2, reach=Reach.ALL, gather=_purged, since="4.0.0", tips=ALL_SHARDS)
def memory_purge(shard: Shard, args: Args) -> Reply:
    """Collect garbage at once."""
    gc.collect()
    return None


@command("MEMORY DOCTOR", arity=2, since="4.0.0", tips=ALL_SHARDS_MERGED)
def memory_doctor(shard: Shard, args: Args) -> Reply:
    """Say in words where to look for problems with memory; nothing is diagnosed here."""
    return Verbatim(b"MEMORY STATS says what keys and values take, INFO memory what the processes take in all.\n")


@command("MEMORY MALLOC-STATS", arity=2, since="4.0.0", tips=ALL_SHARDS_MERGED)
def memory_malloc_stats(shard: Shard, args: Args) -> Reply:
    """Report on the allocator."""
    # Redis says so for any allocator but jemalloc.
    return b"Stats not supported for the current allocator"
