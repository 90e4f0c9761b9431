"""docs/reference/metrics.md: the metrics of /metrics, and those of redis_exporter that are not among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from respcache.server.doors.http.metrics import METRICS, of_redis, own
from respcache.server.doors.http.metrics.exposition import Metric

# What redis_exporter gives of a genuine server, but not of respcache over RESP: names, and why.
# compat/test_redis_exporter.py checks this and the next table.
NOT_IN_INFO = (
    (("redis_db*_distrib_*", "redis_db_keys_cached"), "Redis 8 has figures in INFO that Redis 7.2 does not have"),
)
# What redis_exporter gives of respcache over RESP, but /metrics does not.
ONLY_OVER_RESP = (
    (
        (
            "redis_client_recent_max_input_buffer_bytes",
            "redis_client_recent_max_output_buffer_bytes",
            "redis_mem_clients_normal",
        ),
        "all clients have to be looked at for it; INFO does so when it is asked",
    ),
    (("redis_total_error_replies",), "its name is against the rules; it is the sum of `redis_errors_total`"),
    (("redis_total_reads_processed",), "its name is against the rules; it is `respcache_client_reads_total` here"),
    (("redis_total_writes_processed",), "its name is against the rules; it is `respcache_client_writes_total` here"),
    (
        (
            "redis_aof_current_rewrite_duration_sec",
            "redis_aof_last_rewrite_duration_sec",
            "redis_dump_payload_sanitizations",
            "redis_expired_time_cap_reached_total",
            "redis_io_threaded_reads_processed",
            "redis_io_threaded_writes_processed",
            "redis_migrate_cached_sockets_total",
            "redis_rdb_current_bgsave_duration_sec",
            "redis_rdb_last_bgsave_duration_sec",
            "redis_unexpected_error_replies",
        ),
        "its name or type is against the rules, and it is about a feature that respcache does not have",
    ),
    (
        (
            "redis_exporter_*",
            "redis_last_key_groups_scrape_duration_milliseconds",
            "redis_target_scrape_request_errors_total",
        ),
        "it is about redis_exporter itself",
    ),
)

_ABOUT = """\
With `--http-port` or `--metrics-port`, `GET /metrics` gives the figures of the server in Prometheus' text format 0.0.4,
and `GET /health` says whether all is well: status 200 if every shard runs and the server is not stopping, else 503. On
`http-port` both need the token that all requests need; on `metrics-port` they need none.

```yaml
scrape_configs:
  - job_name: respcache
    static_configs:
      - targets: ["127.0.0.1:9121"]  # --metrics-port 9121
```

Metrics that redis_exporter has too have its names, types and labels, so that dashboards and alerts made for it fit.
Their figures are those of [INFO](commands.md#server), and CONFIG RESETSTAT sets them back to 0 as it does there.
`respcache_shard_*_total` are never set back.

A metric that is marked *all shards* is taken from all of them together. It is left out while a shard does not answer
within five seconds, because a sum of the others would be wrong; `redis_up` is 0 then. A shard that was started again
counts on from what was last seen of the one before it, so that these counters do not decrease; what that one counted
after the last scrape or INFO is lost.

A scrape asks each shard once, and takes time in proportion to the shards and databases, whatever the number of keys and
clients. redis_exporter itself works, too: it asks over RESP."""


def parts() -> Iterator[tuple[tuple[str, ...], Iterable[tuple[str, ...]]] | str]:
    """The paragraphs of the page, after its title; a table is its head and its lines."""
    used = [metric for metric in of_redis.METRICS if not metric.unused]
    unused = [metric for metric in METRICS if metric.unused]
    yield _ABOUT
    yield "## Those that only respcache has"
    yield ("metric", "type", "labels", "", "means"), map(_own_cells, own.METRICS)
    yield "## Those of redis_exporter"
    yield ("metric", "type", "labels", "field of INFO", "", "means"), map(_redis_cells, used)
    yield "## About features that respcache does not have"
    yield "They are there for dashboards, and have the value that INFO shows for an unused feature."
    yield ("metric", "type", "field of INFO", "means"), map(_unused_cells, unused)
    yield "## Metrics of redis_exporter that are missing"
    yield "Because INFO does not have the figures:"
    yield ("metric", "why"), map(_missing_cells, NOT_IN_INFO)
    yield (
        "On purpose, while redis_exporter gives them when it asks respcache over RESP. *The rules* are those of "
        "`promtool check metrics`."
    )
    yield ("metric", "why"), map(_missing_cells, ONLY_OVER_RESP)


def _labels(metric: Metric) -> str:
    return ", ".join(f"`{label}`" for label in metric.labels)


def _all_shards(metric: Metric) -> str:
    return "all shards" if metric.of_all_shards else ""


def _own_cells(metric: Metric) -> tuple[str, ...]:
    return f"`{metric.name}`", metric.kind, _labels(metric), _all_shards(metric), metric.help


def _redis_cells(metric: Metric) -> tuple[str, ...]:
    return f"`{metric.name}`", metric.kind, _labels(metric), _field(metric), _all_shards(metric), metric.help


def _unused_cells(metric: Metric) -> tuple[str, ...]:
    return f"`{metric.name}`", metric.kind, _field(metric), metric.help


def _field(metric: Metric) -> str:
    return f"`{metric.field}`" if metric.field else ""


def _missing_cells(row: tuple[tuple[str, ...], str]) -> tuple[str, ...]:
    names, why = row
    return ", ".join(f"`{name}`" for name in names), why
