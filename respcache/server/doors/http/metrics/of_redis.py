"""The metrics of redis_exporter: its names, types and labels, of the figures that INFO shows.

They are those that redis_exporter gives when it asks this server over RESP, but for
* those that `promtool check metrics` complains about, by which alerts and dashboards should not go; for some of them
  there is one of our own;
* those for which INFO looks at all clients.

Where a newer redis_exporter has metrics for more fields, they are here too.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from respcache.server.doors.http.metrics.exposition import COUNTER, GAUGE, SUMMARY, Metric, Summary, readable
from respcache.store.tally import percentile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from respcache.server.doors.http.metrics.exposition import Sample, Value
    from respcache.server.doors.http.metrics.scrape import Scrape
    from respcache.server.services.latency import Event as LatencyEvent
    from respcache.server.services.slowlog import SlowLog
    from respcache.store.tally import Entry

# The labels of redis_instance_info.
_INSTANCE = {
    "maxmemory_policy": "Memory",
    "os": "Server",
    "process_id": "Server",
    "redis_build_id": "Server",
    "redis_mode": "Server",
    "redis_version": "Server",
    "role": "Replication",
    "run_id": "Server",
    "tcp_port": "Server",
}


def _one(name: str, help: str, value: Callable[[Scrape], Value], kind: str = GAUGE) -> Metric:
    return Metric(f"redis_{name}", kind, help, lambda scrape: [((), value(scrape))])


def _directive(name: str, directive: str, help: str) -> Metric:
    return _one(f"config_{name}", help, lambda scrape: scrape.parts.config.value(directive))


def _field(section: str, field: str, name: str, help: str, kind: str, of_all_shards: bool, unused: bool) -> Metric:
    def read(scrape: Scrape) -> Iterable[Sample]:
        return [((), scrape.field(section, field))]

    return Metric(f"redis_{name}", kind, help, read, (), field, of_all_shards, unused)


def _of(section: str, *rows: tuple[str, str, str]) -> Iterator[Metric]:
    """Fields of a section of INFO: field, metric, help. In front of the name of a metric, `+` is for a counter, and `*`
    for one that is taken from all shards.
    """
    for field, name, help in rows:
        flags = name[: -len(name.lstrip("+*"))] if name[0] in "+*" else ""
        yield _field(
            section, field, name.lstrip("+*"), help, COUNTER if "+" in flags else GAUGE, "*" in flags, unused=False
        )


def _unused(section: str, feature: str, words: str) -> Iterator[Metric]:
    """Fields of a feature that there is not: `FIELD` where the metric has the same name, else `FIELD=METRIC`."""
    for word in words.split():
        field, _, name = word.partition("=")
        kind = COUNTER if name.endswith("_total") else GAUGE
        yield _field(section, field, name or field, f"Without meaning here: {feature}.", kind, False, unused=True)


# -- those with labels


def _instance(scrape: Scrape) -> Iterator[Sample]:
    yield tuple(readable(str(scrape.field(section, name))) for name, section in _INSTANCE.items()), 1


def _errors(scrape: Scrape) -> Iterator[Sample]:
    """Clients can make up codes, also such that become the same text."""
    counts: Counter[str] = Counter()
    for code, count in scrape.facts.errors.items():
        counts[readable(code)] += count
    for code, count in sorted(counts.items()):
        yield (code,), count


def _commands(figure: Callable[[Entry], Value]) -> Callable[[Scrape], Iterator[Sample]]:
    def read(scrape: Scrape) -> Iterator[Sample]:
        for name, entry in scrape.facts.commands.entries():
            yield (name,), figure(entry)

    return read


def _percentiles(scrape: Scrape) -> Iterator[Sample]:
    wanted = scrape.parts.config.latency_tracking_info_percentiles
    for name, entry in scrape.facts.commands.entries():
        if entry.histogram:
            found = {percent: percentile(entry.histogram, percent) for percent in wanted}
            yield (name,), Summary(entry.calls, entry.nanoseconds // 1000, found)


def _slowlog(figure: Callable[[SlowLog], Value]) -> Callable[[Scrape], Value]:
    """Of the default namespace, as INFO has it."""
    return lambda scrape: figure(scrape.parts.namespaces.default.slowlog)


def _last_slow(log: SlowLog) -> tuple[int, float]:
    """Number and seconds of the latest slow command; zeros if none is kept."""
    for entry in log.latest(1):
        return entry.number, entry.microseconds / 10**6
    return 0, 0.0


def _latest_events(figure: Callable[[LatencyEvent], Value]) -> Callable[[Scrape], Iterator[Sample]]:
    def read(scrape: Scrape) -> Iterator[Sample]:
        for name, event in scrape.parts.times.latency.all().items():
            yield (name,), figure(event)

    return read


def _databases(column: int) -> Callable[[Scrape], Iterator[Sample]]:
    def read(scrape: Scrape) -> Iterator[Sample]:
        for index, row in enumerate(scrape.facts.databases):
            yield (f"db{index}",), row[column]

    return read


def _average_ttl(scrape: Scrape) -> Iterator[Sample]:
    for index, (keys, _, milliseconds) in enumerate(scrape.facts.databases):
        if keys:
            yield (f"db{index}",), milliseconds / 1000


# -- all


METRICS: tuple[Metric, ...] = (
    _one("up", "1 if all shards have answered this scrape, else 0.", lambda scrape: int(scrape.complete)),
    Metric(
        "redis_instance_info",
        GAUGE,
        "Always 1; what INFO says about the server is in the labels.",
        _instance,
        tuple(_INSTANCE),
    ),
    _one(
        "start_time_seconds",
        "When the server was started, in seconds since the epoch.",
        lambda scrape: scrape.parts.stats.started // 1000,
    ),
    *_of(
        "Server",
        ("uptime_in_seconds", "uptime_in_seconds", "Seconds since the start of the server."),
        ("process_id", "process_id", "Process id of the main process."),
    ),
    *_of(
        "Clients",
        ("connected_clients", "connected_clients", "Clients that are connected."),
        ("blocked_clients", "blocked_clients", "Clients that wait for a key, or for the end of CLIENT PAUSE."),
        ("clients_in_timeout_table", "clients_in_timeout_table", "Clients that wait for a key up to some time."),
        ("tracking_clients", "tracking_clients", "Clients that cache, and are told when keys change."),
        ("total_blocking_keys", "*total_blocking_keys", "Keys that clients wait for."),
        (
            "total_blocking_keys_on_nokey",
            "*total_blocking_keys_on_nokey",
            "Keys whose removal ends a wait of some client.",
        ),
    ),
    _directive("maxclients", "maxclients", "How many clients may be connected."),
    _directive("maxmemory", "maxmemory", "The directive maxmemory, in bytes."),
    _directive("io_threads", "io-threads", "The directive io-threads, which has no effect."),
    *_of(
        "Memory",
        ("used_memory", "memory_used_bytes", "Memory in use: the physical memory of all processes."),
        ("used_memory_rss", "memory_used_rss_bytes", "Physical memory of all processes."),
        ("used_memory_peak", "memory_used_peak_bytes", "The most memory that was in use."),
        ("used_memory_overhead", "*memory_used_overhead_bytes", "Memory that is not taken by values."),
        ("used_memory_startup", "*memory_used_startup_bytes", "Memory in use before there was any data."),
        ("used_memory_dataset", "*memory_used_dataset_bytes", "About how much memory the values take."),
        ("used_memory_lua", "*memory_used_lua_bytes", "Memory of the Lua interpreters."),
        ("used_memory_vm_eval", "*memory_used_vm_eval_bytes", "Memory of the Lua interpreters; functions share them."),
        ("used_memory_scripts_eval", "memory_used_scripts_eval_bytes", "Memory of the texts of cached scripts."),
        ("used_memory_functions", "memory_used_functions_bytes", "Memory of the texts of libraries of functions."),
        ("used_memory_scripts", "memory_used_scripts_bytes", "Memory of the texts of scripts and functions."),
        ("number_of_cached_scripts", "number_of_cached_scripts", "Scripts that EVALSHA finds."),
        ("number_of_functions", "number_of_functions", "Functions that are loaded."),
        ("number_of_libraries", "number_of_libraries", "Libraries of functions that are loaded."),
        ("maxmemory", "memory_max_bytes", "The directive maxmemory."),
        ("allocator_allocated", "allocator_allocated_bytes", "Physical memory of all processes."),
        ("allocator_active", "allocator_active_bytes", "Physical memory of all processes."),
        ("allocator_resident", "allocator_resident_bytes", "Physical memory of all processes."),
        ("mem_fragmentation_ratio", "mem_fragmentation_ratio", "Always 1: what is in use is what is resident."),
    ),
    *_of(
        "Persistence",
        ("rdb_changes_since_last_save", "*rdb_changes_since_last_save", "Changes of keys since the start."),
        ("rdb_last_save_time", "rdb_last_save_timestamp_seconds", "When the server was started: nothing is saved."),
    ),
    *_of(
        "Stats",
        ("total_connections_received", "+connections_received_total", "Connections, those turned away included."),
        ("total_commands_processed", "+*commands_processed_total", "Commands that were carried out."),
        ("total_net_input_bytes", "+net_input_bytes_total", "Bytes received from clients."),
        ("total_net_output_bytes", "+net_output_bytes_total", "Bytes sent to clients."),
        ("rejected_connections", "+rejected_connections_total", "Connections that were turned away."),
        ("expired_keys", "+*expired_keys_total", "Keys removed because they had expired."),
        ("keyspace_hits", "+*keyspace_hits_total", "Look-ups that found a key."),
        ("keyspace_misses", "+*keyspace_misses_total", "Look-ups that found none."),
        ("pubsub_channels", "pubsub_channels", "Channels with subscribers."),
        ("pubsub_patterns", "pubsub_patterns", "Patterns with subscribers."),
        ("pubsubshard_channels", "pubsubshard_channels", "Shard channels with subscribers."),
        ("tracking_total_keys", "*tracking_total_keys", "Keys that are remembered for clients that cache."),
        ("tracking_total_items", "*tracking_total_items", "How many clients have read these keys, added up."),
        ("tracking_total_prefixes", "tracking_total_prefixes", "Prefixes that clients in BCAST mode listen to."),
        ("eventloop_cycles", "+eventloop_cycles_total", "Rounds of the poller."),
        ("eventloop_duration_sum", "+eventloop_duration_sum_usec_total", "Processor time of the main process."),
        ("eventloop_duration_cmd_sum", "+*eventloop_duration_cmd_sum_usec_total", "Processor time of the shards."),
        ("acl_access_denied_auth", "+*acl_access_denied_auth_total", "Failed logins."),
    ),
    _one(
        "client_output_buffer_limit_disconnections_total",
        "Clients disconnected because they left too many replies unread.",
        lambda scrape: scrape.parts.stats.output_limit_disconnections,
        COUNTER,
    ),
    Metric(
        "redis_commands_total",
        COUNTER,
        "Calls of a command.",
        _commands(lambda entry: entry.calls),
        ("cmd",),
        "cmdstat_*: calls",
        True,
    ),
    Metric(
        "redis_commands_duration_seconds_total",
        COUNTER,
        "Time that all calls of a command took.",
        _commands(lambda entry: entry.nanoseconds // 1000 / 10**6),
        ("cmd",),
        "cmdstat_*: usec",
        True,
    ),
    Metric(
        "redis_commands_rejected_calls_total",
        COUNTER,
        "Calls that were refused before they began.",
        _commands(lambda entry: entry.rejected),
        ("cmd",),
        "cmdstat_*: rejected_calls",
        True,
    ),
    Metric(
        "redis_commands_failed_calls_total",
        COUNTER,
        "Calls that ended with an error.",
        _commands(lambda entry: entry.failed),
        ("cmd",),
        "cmdstat_*: failed_calls",
        True,
    ),
    Metric(
        "redis_latency_percentiles_usec",
        SUMMARY,
        "How long calls take, in microseconds; quantiles are those of latency-tracking-info-percentiles.",
        _percentiles,
        ("cmd",),
        "latency_percentiles_usec_*",
        True,
    ),
    _one("slowlog_length", "Commands that SLOWLOG keeps.", _slowlog(len)),
    _one(
        "slowlog_last_id", "Number of the latest of them; 0 if there is none.", _slowlog(lambda log: _last_slow(log)[0])
    ),
    _one(
        "last_slow_execution_duration_seconds",
        "How long the latest of them took; 0 if there is none.",
        _slowlog(lambda log: _last_slow(log)[1]),
    ),
    Metric(
        "redis_latency_spike_last",
        GAUGE,
        "When an event of LATENCY was last seen, in seconds since the epoch.",
        _latest_events(lambda event: event.samples[-1].time),
        ("event_name",),
    ),
    Metric(
        "redis_latency_spike_duration_seconds",
        GAUGE,
        "How long it took then.",
        _latest_events(lambda event: event.samples[-1].milliseconds / 1000),
        ("event_name",),
    ),
    Metric("redis_errors_total", COUNTER, "Error replies by their first word.", _errors, ("err",), "errorstat_*", True),
    *_of(
        "CPU",
        ("used_cpu_sys", "+*cpu_sys_seconds_total", "System time of all processes, those that died included."),
        ("used_cpu_user", "+*cpu_user_seconds_total", "User time of all processes, those that died included."),
        ("used_cpu_sys_main_thread", "+cpu_sys_main_thread_seconds_total", "System time of the main process."),
        ("used_cpu_user_main_thread", "+cpu_user_main_thread_seconds_total", "User time of the main process."),
    ),
    Metric("redis_db_keys", GAUGE, "Keys in a database.", _databases(0), ("db",), "db*: keys", True),
    Metric("redis_db_keys_expiring", GAUGE, "Keys with a TTL.", _databases(1), ("db",), "db*: expires", True),
    Metric(
        "redis_db_avg_ttl_seconds",
        GAUGE,
        "About the average TTL, for databases with keys.",
        _average_ttl,
        ("db",),
        "db*: avg_ttl",
        True,
    ),
    *_unused("Server", "there are no I/O threads", "io_threads_active"),
    *_unused("Clients", "there is no cluster", "cluster_connections"),
    *_unused("Cluster", "there is no cluster", "cluster_enabled"),
    *_unused("Memory", "there is no cluster", "mem_cluster_links=mem_cluster_links_bytes"),
    *_unused(
        "Memory",
        "Python's allocator does not tell",
        "allocator_frag_ratio allocator_frag_bytes allocator_rss_ratio allocator_rss_bytes mem_fragmentation_bytes",
    ),
    *_unused(
        "Stats",
        "there is no defragmentation",
        "active_defrag_hits=defrag_hits active_defrag_misses=defrag_misses active_defrag_key_hits=defrag_key_hits "
        "active_defrag_key_misses=defrag_key_misses",
    ),
    *_unused("Memory", "there is no defragmentation", "active_defrag_running"),
    *_unused("Memory", "nothing is freed lazily", "lazyfree_pending_objects lazyfreed_objects"),
    *_unused(
        "Persistence",
        "nothing is saved",
        "loading=loading_dump_file async_loading rdb_bgsave_in_progress rdb_last_bgsave_status "
        "rdb_last_cow_size=rdb_last_cow_size_bytes rdb_last_load_keys_expired=rdb_last_load_expired_keys "
        "rdb_last_load_keys_loaded=rdb_last_load_loaded_keys aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled "
        "aof_last_bgrewrite_status aof_last_write_status aof_last_cow_size=aof_last_cow_size_bytes "
        "module_fork_in_progress module_fork_last_cow_size",
    ),
    *_unused("Memory", "nothing is saved", "mem_aof_buffer=mem_aof_buffer_bytes"),
    Metric(
        "redis_latest_fork_seconds",
        GAUGE,
        "Without meaning here: nothing is saved.",
        lambda scrape: [((), scrape.field("Stats", "latest_fork_usec") / 10**6)],
        field="latest_fork_usec",
        unused=True,
    ),
    *_unused("CPU", "nothing is saved", "used_cpu_sys_children=cpu_sys_children_seconds_total"),
    *_unused("CPU", "nothing is saved", "used_cpu_user_children=cpu_user_children_seconds_total"),
    *_unused(
        "Stats",
        "nothing is evicted",
        "evicted_keys=evicted_keys_total evicted_clients=evicted_clients_total",
    ),
    *_unused("Memory", "nothing is evicted", "mem_not_counted_for_evict=mem_not_counted_for_eviction_bytes"),
    *_unused(
        "Stats",
        "there are no ACLs",
        "acl_access_denied_cmd=acl_access_denied_cmd_total acl_access_denied_key=acl_access_denied_key_total "
        "acl_access_denied_channel=acl_access_denied_channel_total",
    ),
    *_unused("Stats", "expired keys are found by their deadlines", "expired_stale_perc=expired_stale_percentage"),
    *_unused(
        "Replication",
        "there is no replication",
        "connected_slaves master_repl_offset second_repl_offset repl_backlog_active=repl_backlog_is_active "
        "repl_backlog_size=replication_backlog_bytes repl_backlog_first_byte_offset "
        "repl_backlog_histlen=repl_backlog_history_bytes",
    ),
    *_unused(
        "Memory",
        "there is no replication",
        "mem_clients_slaves mem_replication_backlog=mem_replication_backlog_bytes "
        "mem_total_replication_buffers=mem_total_replication_buffers_bytes",
    ),
    *_unused(
        "Stats",
        "there is no replication",
        "sync_full=replica_resyncs_full sync_partial_ok=replica_partial_resync_accepted "
        "sync_partial_err=replica_partial_resync_denied slave_expires_tracked_keys "
        "total_net_repl_input_bytes=net_repl_input_bytes_total total_net_repl_output_bytes=net_repl_output_bytes_total",
    ),
)
