"""INFO server, clients and cpu."""

from __future__ import annotations

import hashlib
import os
import platform
import select
import sys
from typing import TYPE_CHECKING

from respcache import REDIS_VERSION, __version__

if TYPE_CHECKING:
    from respcache.server.commands.info.facts import Facts, Fields

# Redis keeps 24 bits of its clock in seconds.
_LRU_MASK = (1 << 24) - 1


def server(facts: Facts) -> Fields:
    parts = facts.parts
    config = parts.config
    uptime = (facts.now - parts.stats.started) // 1000
    return {
        "redis_version": REDIS_VERSION,
        "redis_git_sha1": "00000000",
        "redis_git_dirty": 0,
        "redis_build_id": hashlib.sha256(__version__.encode()).hexdigest()[:16],
        "redis_mode": "standalone",
        "respcache_version": __version__,
        "python_version": platform.python_version(),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "arch_bits": 64 if sys.maxsize > 1 << 32 else 32,
        "monotonic_clock": "POSIX clock_gettime",
        "multiplexing_api": "epoll"
        if hasattr(select, "epoll")
        else "kqueue"
        if hasattr(select, "kqueue")
        else "select",
        "atomicvar_api": "gil",
        "gcc_version": _compiler(),
        "process_id": os.getpid(),
        "process_supervised": parts.supervised,
        "run_id": parts.run_id,
        "tcp_port": parts.port,
        "server_time_usec": parts.clock.now_us(),
        "uptime_in_seconds": uptime,
        "uptime_in_days": uptime // 86400,
        "hz": config.value("hz"),
        "configured_hz": config.value("hz"),
        "lru_clock": facts.now // 1000 & _LRU_MASK,
        "executable": sys.executable,
        "config_file": config.path,
        "io_threads_active": 0,
        **_listeners(facts),
    }


def _compiler() -> str:
    """The version of the GCC that built Python; zeros for another compiler, as in Redis."""
    words = platform.python_compiler().split()
    return words[1] if words[0] == "GCC" and len(words) > 1 else "0.0.0"


def _listeners(facts: Facts) -> Fields:
    """The number says what a listener speaks. Those up to 2, which is TLS, are Redis'."""
    parts = facts.parts
    addresses = "".join(f",bind={address}" for address in parts.config.bind)
    fields: Fields = {}
    if parts.port:
        fields["listener0"] = f"name=tcp{addresses},port={parts.port}"
    if parts.config.unixsocket:
        fields["listener1"] = f"name=unix,bind={parts.config.unixsocket}"
    if parts.http_port:
        fields["listener3"] = f"name=http{addresses},port={parts.http_port}"
    if parts.metrics_port:
        fields["listener4"] = f"name=metrics{addresses},port={parts.metrics_port}"
    return fields


def clients(facts: Facts) -> Fields:
    return {
        "connected_clients": facts.connected,
        "cluster_connections": 0,
        "maxclients": facts.parts.config.maxclients,
        "client_recent_max_input_buffer": lambda: max((client.input.buffered for client in facts.clients), default=0),
        "client_recent_max_output_buffer": lambda: max(
            (client.transport.unsent for client in facts.clients), default=0
        ),
        "blocked_clients": facts.waiting,
        "tracking_clients": facts.tracking_clients,
        "clients_in_timeout_table": facts.with_timeout,
        "total_blocking_keys": facts.blocking_keys(on_removal=False),
        "total_blocking_keys_on_nokey": facts.blocking_keys(on_removal=True),
    }


def cpu(facts: Facts) -> Fields:
    """The processor time of all processes; that of the main process is reported as Redis' main thread.

    The children of main whose time the system has summed up are shards that have died: they count with the others, so
    that the sums never decrease. What Redis calls children, processes that save, there are none.
    """
    main = os.times()
    system = main.system + main.children_system + sum(shard["processor"][1] for shard in facts.shards)
    user = main.user + main.children_user + sum(shard["processor"][0] for shard in facts.shards)
    return {
        "used_cpu_sys": f"{system:.6f}",
        "used_cpu_user": f"{user:.6f}",
        "used_cpu_sys_children": "0.000000",
        "used_cpu_user_children": "0.000000",
        "used_cpu_sys_main_thread": f"{main.system:.6f}",
        "used_cpu_user_main_thread": f"{main.user:.6f}",
    }
