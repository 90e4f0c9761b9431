"""INFO memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import system
from respcache.server.commands.info.facts import human

if TYPE_CHECKING:
    from respcache.server.commands.info.facts import Facts, Fields


def memory(facts: Facts) -> Fields:
    footprint = facts.footprint
    config = facts.parts.config
    installed = system.total()
    scripts, libraries = facts.namespace.scripts, facts.namespace.libraries
    # Scripts and functions share one interpreter per shard.
    lua = sum(shard["lua_memory"] for shard in facts.shards)
    return {
        "used_memory": footprint.used,
        "used_memory_human": human(footprint.used),
        "used_memory_rss": footprint.used,
        "used_memory_rss_human": human(footprint.used),
        "used_memory_peak": footprint.peak,
        "used_memory_peak_human": human(footprint.peak),
        "used_memory_peak_perc": f"{footprint.peak_percentage:.2f}%",
        "used_memory_overhead": footprint.overhead,
        "used_memory_startup": footprint.startup,
        "used_memory_dataset": footprint.dataset,
        "used_memory_dataset_perc": f"{footprint.dataset_percentage:.2f}%",
        # Redis reports the resident memory here for any allocator but jemalloc.
        "allocator_allocated": footprint.used,
        "allocator_active": footprint.used,
        "allocator_resident": footprint.used,
        "total_system_memory": installed,
        "total_system_memory_human": human(installed),
        "used_memory_lua": lua,
        "used_memory_vm_eval": lua,
        "used_memory_lua_human": human(lua),
        "used_memory_scripts_eval": scripts.memory,
        "number_of_cached_scripts": len(scripts),
        "number_of_functions": libraries.functions,
        "number_of_libraries": len(libraries.all()),
        "used_memory_vm_functions": 0,
        "used_memory_vm_total": lua,
        "used_memory_vm_total_human": human(lua),
        "used_memory_functions": libraries.memory,
        "used_memory_scripts": scripts.memory + libraries.memory,
        "used_memory_scripts_human": human(scripts.memory + libraries.memory),
        "maxmemory": config.value("maxmemory"),
        "maxmemory_human": human(config.value("maxmemory")),
        "maxmemory_policy": config.value("maxmemory-policy"),
        "allocator_frag_ratio": "1.00",
        "allocator_frag_bytes": 0,
        "allocator_rss_ratio": "1.00",
        "allocator_rss_bytes": 0,
        "rss_overhead_ratio": "1.00",
        "rss_overhead_bytes": 0,
        "mem_fragmentation_ratio": "1.00",
        "mem_fragmentation_bytes": 0,
        "mem_not_counted_for_evict": 0,
        "mem_replication_backlog": 0,
        "mem_total_replication_buffers": 0,
        "mem_clients_slaves": 0,
        "mem_clients_normal": lambda: footprint.clients,
        "mem_cluster_links": 0,
        "mem_aof_buffer": 0,
        "mem_allocator": "python",
        "active_defrag_running": 0,
        # Nothing is freed lazily.
        "lazyfree_pending_objects": 0,
        "lazyfreed_objects": 0,
    }
