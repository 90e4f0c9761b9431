"""/metrics and /health: the server's figures for Prometheus, and whether all is well.

* `exposition`: what a metric is, and the text format;
* `scrape`: what the metrics are read from, which is what INFO shows;
* `of_redis`: the metrics of redis_exporter, by its names, so that dashboards and alerts made for it fit;
* `own`: those about shards, queues and processes, which Redis does not have.

A scrape takes time in proportion to the shards and databases, never to clients or keys.
docs/reference/metrics.md lists the metrics; it is made from METRICS.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from respcache.server.doors.http.metrics import of_redis, own
from respcache.server.doors.http.metrics.exposition import exposition
from respcache.server.doors.http.metrics.scrape import Scrape

if TYPE_CHECKING:
    from respcache.server.parts import Parts

METRICS = (*of_redis.METRICS, *own.METRICS)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


async def metrics(parts: Parts) -> bytes:
    """The body of /metrics, of type CONTENT_TYPE. It takes up to five seconds while a shard does not answer.

    Cancellation is safe.
    """
    return exposition(METRICS, await Scrape.gather(parts))


def health(parts: Parts) -> tuple[bool, bytes]:
    """Whether every shard runs and the server is not stopping; and the body of /health, which is JSON.

    ``{"status": "ok", "shards": [{"shard": 0, "up": true, "restarts": 0}]}``; other states are ``stopping`` and
    ``shards down``.
    """
    up = all(link.running for link in parts.links)
    status = "stopping" if parts.stop_requested.is_set() else "ok" if up else "shards down"
    shards = [{"shard": link.index, "up": link.running, "restarts": link.restarts} for link in parts.links]
    return status == "ok", json.dumps({"status": status, "shards": shards}).encode() + b"\n"
