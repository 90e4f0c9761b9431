"""INFO stats and errorstats."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.server.commands.info.facts import Facts, Fields

# What would make a line of INFO another one, as Redis replaces it.
_SAFE = str.maketrans("#:\n\r", "____")


def stats(facts: Facts) -> Fields:
    parts = facts.parts
    counted = parts.stats
    grown, seconds = parts.rates.growth()
    return {
        "total_connections_received": counted.connections,
        "total_commands_processed": facts.calls,
        "instantaneous_ops_per_sec": int(grown.commands / seconds),
        "total_net_input_bytes": counted.bytes_in,
        "total_net_output_bytes": counted.bytes_out,
        "total_net_repl_input_bytes": 0,
        "total_net_repl_output_bytes": 0,
        "instantaneous_input_kbps": f"{grown.bytes_in / seconds / 1024:.2f}",
        "instantaneous_output_kbps": f"{grown.bytes_out / seconds / 1024:.2f}",
        "instantaneous_input_repl_kbps": "0.00",
        "instantaneous_output_repl_kbps": "0.00",
        "rejected_connections": counted.rejected,
        "sync_full": 0,
        "sync_partial_ok": 0,
        "sync_partial_err": 0,
        "expired_keys": facts.total("expired_keys"),
        "expired_stale_perc": "0.00",
        "expired_time_cap_reached_count": 0,
        "expire_cycle_cpu_milliseconds": facts.total("expiring") // 1_000_000,
        "evicted_keys": 0,
        "evicted_clients": 0,
        "total_eviction_exceeded_time": 0,
        "current_eviction_exceeded_time": 0,
        "keyspace_hits": facts.total("keyspace_hits"),
        "keyspace_misses": facts.total("keyspace_misses"),
        "pubsub_channels": len(facts.namespace.pubsub.channels),
        "pubsub_patterns": len(facts.namespace.pubsub.patterns),
        "pubsubshard_channels": len(facts.namespace.pubsub.shard_channels),
        "latest_fork_usec": 0,
        "total_forks": 0,
        "migrate_cached_sockets": 0,
        "slave_expires_tracked_keys": 0,
        "active_defrag_hits": 0,
        "active_defrag_misses": 0,
        "active_defrag_key_hits": 0,
        "active_defrag_key_misses": 0,
        "total_active_defrag_time": 0,
        "current_active_defrag_time": 0,
        "tracking_total_keys": facts.tracked(0),
        "tracking_total_items": facts.tracked(1),
        "tracking_total_prefixes": parts.tracking.prefixes(facts.namespace),
        "unexpected_error_replies": 0,
        "total_error_replies": sum(facts.errors.values()),
        "dump_payload_sanitizations": 0,
        "total_reads_processed": counted.reads,
        "total_writes_processed": counted.writes,
        "io_threaded_reads_processed": 0,
        "io_threaded_writes_processed": 0,
        "reply_buffer_shrinks": 0,
        "reply_buffer_expands": 0,
        # A cycle is a round of the poller; the time in commands is the processor time of the shards.
        "eventloop_cycles": parts.poller.rounds,
        "eventloop_duration_sum": counted.busy // 1000,
        "eventloop_duration_cmd_sum": facts.total("busy") // 1000,
        "instantaneous_eventloop_cycles_per_sec": int(grown.rounds / seconds),
        "instantaneous_eventloop_duration_usec": grown.busy // 1000 // max(grown.rounds, 1),
        "acl_access_denied_auth": facts.errors["WRONGPASS"],
        "acl_access_denied_cmd": 0,
        "acl_access_denied_key": 0,
        "acl_access_denied_channel": 0,
    }


def errors(facts: Facts) -> Fields:
    return {f"errorstat_{code.translate(_SAFE)}": f"count={count}" for code, count in sorted(facts.errors.items())}
