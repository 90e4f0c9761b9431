"""MEMORY STATS and DOCTOR: the memory of all processes. MEMORY USAGE, about one key, runs in a shard."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import family
from respcache.commands.table.tips import ALL_SHARDS_MERGED
from respcache.resp.types import Verbatim
from respcache.server.commands.info.facts import Facts

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client
    from respcache.server.commands.info.footprint import Footprint

command = family("server")

# The thresholds of MEMORY DOCTOR, as in Redis: growth too small to diagnose, the ratio of peak to present use, and the
# bytes of buffers per client.
_LITTLE = 5 << 20
_HIGH_PEAK = 1.5
_LARGE_BUFFERS = 200 << 10


@command("MEMORY STATS", arity=2, since="4.0.0", tips=ALL_SHARDS_MERGED)
async def memory_stats(client: Client, args: Args) -> Reply:
    """Return how memory is used, in total and in each database."""
    facts = await Facts.gather(client, memory=True)
    footprint = facts.footprint
    return {
        b"peak.allocated": footprint.peak,
        b"total.allocated": footprint.used,
        b"startup.allocated": footprint.startup,
        b"replication.backlog": 0,
        b"clients.slaves": 0,
        b"clients.normal": footprint.clients,
        b"cluster.links": 0,
        b"aof.buffer": 0,
        b"lua.caches": 0,
        b"functions.caches": 0,
        **{
            b"db.%d" % (database.index - client.namespace.first): {
                b"overhead.hashtable.main": database.main,
                b"overhead.hashtable.expires": database.expires,
                b"overhead.hashtable.slot-to-keys": 0,
            }
            for database in footprint.databases
            if 0 <= database.index - client.namespace.first < client.parts.config.databases
        },
        b"overhead.total": footprint.overhead,
        b"keys.count": sum(keys for keys, _, _ in facts.databases),
        b"keys.bytes-per-key": footprint.bytes_per_key,
        b"dataset.bytes": footprint.dataset,
        b"dataset.percentage": footprint.dataset_percentage,
        b"peak.percentage": footprint.peak_percentage,
        # As in INFO memory, the resident memory where only jemalloc would know more.
        b"allocator.allocated": footprint.used,
        b"allocator.active": footprint.used,
        b"allocator.resident": footprint.used,
        b"allocator-fragmentation.ratio": 1.0,
        b"allocator-fragmentation.bytes": 0,
        b"allocator-rss.ratio": 1.0,
        b"allocator-rss.bytes": 0,
        b"rss-overhead.ratio": 1.0,
        b"rss-overhead.bytes": 0,
        b"fragmentation": 1.0,
        b"fragmentation.bytes": 0,
    }


@command("MEMORY DOCTOR", arity=2, since="4.0.0", tips=ALL_SHARDS_MERGED)
async def memory_doctor(client: Client, args: Args) -> Reply:
    """Report problems with the use of memory, in words."""
    facts = await Facts.gather(client, memory=True)
    return Verbatim("\n".join(_report(facts.footprint, len(facts.clients))).encode() + b"\n")


def _report(footprint: Footprint, clients: int) -> list[str]:
    if footprint.used - footprint.startup < _LITTLE:
        return ["The server uses little more memory than at its start: there is nothing to diagnose yet."]
    findings = []
    if footprint.peak > footprint.used * _HIGH_PEAK:
        findings.append(" * Peak: the server has used more than 1.5 times the memory that it uses now.")
    if clients and footprint.clients // clients > _LARGE_BUFFERS:
        findings.append(" * Clients: their buffers hold more than 200 kB each on average; see CLIENT LIST.")
    return ["Found:", *findings] if findings else ["There are no problems to report."]
