"""INFO persistence, replication, cluster and keyspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.server.commands.info.facts import Facts, Fields


def persistence(facts: Facts) -> Fields:
    """Nothing is saved. Until the first save, Redis reports the start as the time of the last one."""
    return {
        "loading": 0,
        "async_loading": 0,
        "current_cow_peak": 0,
        "current_cow_size": 0,
        "current_cow_size_age": 0,
        "current_fork_perc": "0.00",
        "current_save_keys_processed": 0,
        "current_save_keys_total": 0,
        "rdb_changes_since_last_save": facts.total("changes"),
        "rdb_bgsave_in_progress": 0,
        "rdb_last_save_time": facts.parts.stats.started // 1000,
        "rdb_last_bgsave_status": "ok",
        "rdb_last_bgsave_time_sec": -1,
        "rdb_current_bgsave_time_sec": -1,
        "rdb_saves": 0,
        "rdb_last_cow_size": 0,
        "rdb_last_load_keys_expired": 0,
        "rdb_last_load_keys_loaded": 0,
        "aof_enabled": 0,
        "aof_rewrite_in_progress": 0,
        "aof_rewrite_scheduled": 0,
        "aof_last_rewrite_time_sec": -1,
        "aof_current_rewrite_time_sec": -1,
        "aof_last_bgrewrite_status": "ok",
        "aof_rewrites": 0,
        "aof_rewrites_consecutive_failures": 0,
        "aof_last_write_status": "ok",
        "aof_last_cow_size": 0,
        "module_fork_in_progress": 0,
        "module_fork_last_cow_size": 0,
    }


def replication(facts: Facts) -> Fields:
    return {
        "role": "master",
        "connected_slaves": 0,
        "master_failover_state": "no-failover",
        "master_replid": facts.parts.replication_id,
        "master_replid2": "0" * 40,
        "master_repl_offset": 0,
        "second_repl_offset": -1,
        "repl_backlog_active": 0,
        "repl_backlog_size": facts.parts.config.value("repl-backlog-size"),
        "repl_backlog_first_byte_offset": 0,
        "repl_backlog_histlen": 0,
    }


def cluster(_: Facts) -> Fields:
    return {"cluster_enabled": 0}


def keyspace(facts: Facts) -> Fields:
    """Databases that have keys: how many, how many of them expire, and their average TTL."""
    return {
        f"db{index}": f"keys={keys},expires={expires},avg_ttl={ttl}"
        for index, (keys, expires, ttl) in enumerate(facts.databases)
        if keys
    }
