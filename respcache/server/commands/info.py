"""INFO. Only figures that are real; what has no counterpart here is left out."""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from respcache import REDIS_VERSION, __version__
from respcache.commands.table import LOADING, STALE, family
from respcache.commands.table.tips import ALL_SHARDS_MERGED
from respcache.resp.types import Verbatim

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.resp.types import Reply
    from respcache.server.clients.client import Client
    from respcache.server.parts import Parts

command = family("server")


# Not among those that INFO without arguments shows.
_OWN_SECTIONS = ("modules", "shards")


@command(
    "INFO",
    "[section [section ...]]",
    arity=-1,
    flags=LOADING | STALE,
    since="1.0.0",
    categories=("dangerous",),
    tips=ALL_SHARDS_MERGED,
)
async def info(client: Client, args: Args) -> Reply:
    """Return figures about the server, by section."""
    wanted = {word.lower().decode("latin-1") for word in args.rest()} or {"default"}
    shown = [
        section
        for section in await sections(client.parts)
        if section.name in wanted
        or wanted & {"all", "everything"}
        or ("default" in wanted and section.name not in _OWN_SECTIONS)
    ]
    return Verbatim("\r\n".join(section.text() for section in shown).encode("utf-8", "surrogateescape"))


class Section(NamedTuple):
    name: str  # as INFO's argument
    fields: dict[str, Any]

    def text(self) -> str:
        title = "CPU" if self.name == "cpu" else self.name.capitalize()
        return f"# {title}\r\n" + "".join(f"{key}:{value}\r\n" for key, value in self.fields.items())


async def sections(parts: Parts) -> list[Section]:
    """All sections, in the order of Redis."""
    figures = await parts.figures()
    return [
        Section("server", _server(parts)),
        Section("clients", _clients(parts)),
        Section("memory", _memory(parts)),
        Section("persistence", _persistence(figures)),
        Section("stats", _stats(parts, figures)),
        Section("replication", _replication(parts)),
        Section("cpu", _cpu()),
        Section("modules", {}),
        Section("errorstats", {f"errorstat_{code}": f"count={n}" for code, n in _errors(parts, figures).items()}),
        Section("cluster", {"cluster_enabled": 0}),
        Section("keyspace", _keyspace(parts, figures)),
        Section("shards", _shards(parts)),
    ]


def _server(parts: Parts) -> dict[str, Any]:
    now = parts.clock.now_ms()
    uptime = (now - parts.stats.started) // 1000
    return {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": 0,
        "redis_mode": "standalone",
        "respcache_version": __version__,
        "python_version": platform.python_version(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "arch_bits": 64 if sys.maxsize > 1 << 32 else 32,
        "process_id": os.getpid(),
        "run_id": parts.run_id,
        "tcp_port": parts.port,
        "server_time_usec": parts.clock.now_us(),
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
        "hz": 10,
        "configured_hz": 10,
        "executable": sys.executable,
        "config_file": parts.config.path,
        "io_threads_active": 0,
    }


def _clients(parts: Parts) -> dict[str, Any]:
    clients = parts.registry.all()
    return {
        "connected_clients": len(clients),
        "maxclients": parts.config.maxclients,
        "client_recent_max_output_buffer": max((c.transport.unsent for c in clients), default=0),
        "blocked_clients": len(parts.pause.held),
        "tracking_clients": 0,
        "pubsub_clients": sum(1 for c in clients if len(c.subscriptions)),
        "watching_clients": sum(1 for c in clients if c.watching),
        "clients_in_timeout_table": 0,
    }


def _memory(parts: Parts) -> dict[str, Any]:
    used = resident(os.getpid()) + sum(resident(link.pid) for link in parts.links)
    parts.stats.peak_memory = max(parts.stats.peak_memory, used)
    return {
        "used_memory": used,
        "used_memory_human": human(used),
        "used_memory_rss": used,
        "used_memory_rss_human": human(used),
        "used_memory_peak": parts.stats.peak_memory,
        "used_memory_peak_human": human(parts.stats.peak_memory),
        "maxmemory": parts.config.value("maxmemory"),
        "maxmemory_human": human(parts.config.value("maxmemory")),
        "maxmemory_policy": parts.config.value("maxmemory-policy"),
        "mem_fragmentation_ratio": 1,
        "mem_allocator": "python",
        # Nothing is freed lazily: what a command removes is gone when it answers.
        "lazyfree_pending_objects": 0,
        "lazyfreed_objects": 0,
    }


def resident(pid: int) -> int:
    """Bytes of physical memory that a process holds; 0 where the system does not say (no /proc)."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def human(size: int) -> str:
    """A size as INFO prints it for people: two digits behind the point, and a unit."""
    if size < 1024:
        return f"{size}B"
    power = min((size.bit_length() - 1) // 10, 5)
    return f"{size / 1024**power:.2f}{' KMGTP'[power]}"


def _persistence(figures: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "loading": 0,
        "async_loading": 0,
        "rdb_changes_since_last_save": sum(shard["changes"] for shard in figures),
        "rdb_bgsave_in_progress": 0,
        "aof_enabled": 0,
        "aof_rewrite_in_progress": 0,
    }


def _stats(parts: Parts, figures: list[dict[str, Any]]) -> dict[str, Any]:
    stats = parts.stats
    clients = parts.registry.all()
    return {
        "total_connections_received": stats.connections,
        "total_commands_processed": stats.commands,
        "total_net_input_bytes": stats.bytes_in + sum(c.bytes_in for c in clients),
        "total_net_output_bytes": stats.bytes_out + sum(c.outbox.bytes_out for c in clients),
        "rejected_connections": stats.rejected,
        "client_output_buffer_limit_disconnections": stats.output_limit_disconnections,
        "expired_keys": sum(shard["expired_keys"] for shard in figures),
        "evicted_keys": 0,
        "keyspace_hits": sum(shard["keyspace_hits"] for shard in figures),
        "keyspace_misses": sum(shard["keyspace_misses"] for shard in figures),
        "pubsub_channels": len(parts.pubsub.channels),
        "pubsub_patterns": len(parts.pubsub.patterns),
        "pubsubshard_channels": len(parts.pubsub.shard_channels),
        "latest_fork_usec": 0,
        "total_error_replies": sum(_errors(parts, figures).values()),
    }


def _errors(parts: Parts, figures: list[dict[str, Any]]) -> Counter[str]:
    """Errors by their first word, of main and of all shards."""
    counts = Counter(parts.stats.errors.by_code)
    for shard in figures:
        counts.update(shard["errors"])
    return counts


def _replication(parts: Parts) -> dict[str, Any]:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": parts.run_id,
        "master_replid2": "0" * 40,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": 1048576,
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def _cpu() -> dict[str, Any]:
    used = os.times()
    return {
        "used_cpu_sys": f"{used.system:.6f}",
        "used_cpu_user": f"{used.user:.6f}",
        "used_cpu_sys_children": f"{used.children_system:.6f}",
        "used_cpu_user_children": f"{used.children_user:.6f}",
    }


def _keyspace(parts: Parts, figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Databases that have keys: how many, how many of them expire, and how long those have on the average."""
    now = parts.clock.now_ms()
    fields = {}
    for index in range(parts.config.databases):
        rows = [shard["databases"][index] for shard in figures]
        keys = sum(row[0] for row in rows)
        expires = sum(row[1] for row in rows)
        if keys:
            mean = sum(row[1] * row[2] for row in rows) // expires - now if expires else 0
            fields[f"db{index}"] = f"keys={keys},expires={expires},avg_ttl={max(mean, 0)}"
    return fields


def _shards(parts: Parts) -> dict[str, Any]:
    """Our own: the processes behind main."""
    fields: dict[str, Any] = {"shards": len(parts.links)}
    for link in parts.links:
        fields[f"shard{link.index}"] = f"pid={link.pid},restarts={link.restarts},queued={link.queue.unanswered}"
    return fields
