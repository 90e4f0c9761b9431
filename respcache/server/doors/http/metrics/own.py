"""The metrics that only respcache has: shards, queues, processes, and what clients wait for."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

from respcache import __version__
from respcache.server.doors.http.metrics.exposition import COUNTER, GAUGE, Metric
from respcache.system import resident

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from respcache.server.doors.http.metrics.exposition import Sample, Value
    from respcache.server.doors.http.metrics.scrape import Scrape
    from respcache.server.parts import Parts
    from respcache.server.shards.link import ShardLink


def _one(name: str, kind: str, help: str, value: Callable[[Parts], Value]) -> Metric:
    return Metric(f"respcache_{name}", kind, help, lambda scrape: [((), value(scrape.parts))])


def _by_shard(name: str, kind: str, help: str, value: Callable[[ShardLink], Value]) -> Metric:
    """One sample per shard, of what main knows."""

    def read(scrape: Scrape) -> Iterator[Sample]:
        for link in scrape.parts.links:
            yield (str(link.index),), value(link)

    return Metric(f"respcache_shard_{name}", kind, help, read, ("shard",))


def _build(_: Scrape) -> Iterator[Sample]:
    yield (__version__, platform.python_version()), 1


def _responding(scrape: Scrape) -> Iterator[Sample]:
    for shard, answer in enumerate(scrape.answers):
        yield (str(shard),), int(answer is not None)


def _keys(scrape: Scrape) -> Iterator[Sample]:
    for shard, answer in enumerate(scrape.answers):
        if answer is not None:
            yield (str(shard),), sum(row[0] for row in answer["databases"].values())


def _processor(scrape: Scrape) -> Iterator[Sample]:
    times = {"main": os.times()[:2]}
    times |= {f"shard{shard}": answer["processor"] for shard, answer in enumerate(scrape.answers) if answer is not None}
    for process, (user, system) in times.items():
        yield (process, "user"), user
        yield (process, "system"), system


def _memory(scrape: Scrape) -> Iterator[Sample]:
    processes = {"main": os.getpid(), **{f"shard{link.index}": link.pid for link in scrape.parts.links if link.running}}
    for process, pid in processes.items():
        if size := resident(pid):  # else it has just ended, or the system does not tell
            yield (process,), size


METRICS = (
    Metric("respcache_build_info", GAUGE, "Always 1; the versions are in the labels.", _build, ("version", "python")),
    _one("shards", GAUGE, "Shards that the server has.", lambda parts: len(parts.links)),
    _by_shard("up", GAUGE, "1 if the process of the shard runs, else 0.", lambda link: int(link.running)),
    Metric(
        "respcache_shard_responding",
        GAUGE,
        "1 if the shard has answered this scrape within five seconds, else 0: perhaps it runs a script.",
        _responding,
        ("shard",),
    ),
    _by_shard("restarts_total", COUNTER, "Deaths of the process of the shard.", lambda link: link.restarts),
    _by_shard("frames_sent_total", COUNTER, "Frames of commands sent to the shard.", lambda link: link.frames_sent),
    _by_shard("frames_received_total", COUNTER, "Frames of answers from the shard.", lambda link: link.frames_received),
    _by_shard("sent_bytes_total", COUNTER, "Bytes of the frames sent to the shard.", lambda link: link.bytes_sent),
    _by_shard("received_bytes_total", COUNTER, "Bytes received from the shard.", lambda link: link.bytes_received),
    _by_shard(
        "queued_items",
        GAUGE,
        "Items, such as runs of commands, that the shard has not answered: those under way and those not sent yet.",
        lambda link: link.queue.unanswered,
    ),
    _by_shard(
        "queued_bytes",
        GAUGE,
        "About how many bytes wait to be sent to the shard; over shard-queue-limit no client is read from.",
        lambda link: link.size,
    ),
    _by_shard(
        "corked",
        GAUGE,
        "1 while a command over several shards holds the queue up, else 0.",
        lambda link: int(link.queue.corked),
    ),
    _by_shard(
        "waits", GAUGE, "Blocking commands sent to the shard and not answered.", lambda link: len(link.queue.waits)
    ),
    Metric(
        "respcache_active_expiry_cpu_seconds_total",
        COUNTER,
        "Processor time that shards took to remove expired keys.",
        lambda scrape: [((), scrape.facts.total("expiring") / 10**9)],
        of_all_shards=True,
    ),
    Metric("respcache_shard_keys", GAUGE, "Keys in the shard, of all databases.", _keys, ("shard",)),
    Metric(
        "respcache_process_cpu_seconds_total",
        COUNTER,
        "Processor time of each process; that of a shard begins again with its process.",
        _processor,
        ("process", "mode"),
    ),
    Metric("respcache_process_resident_memory_bytes", GAUGE, "Physical memory of each process.", _memory, ("process",)),
    _one(
        "poller_rounds_total",
        COUNTER,
        "Rounds of the poller: each reads from all sockets and pipes that are ready, and sends what came of it.",
        lambda parts: parts.poller.rounds,
    ),
    _one("client_reads_total", COUNTER, "Reads from sockets of clients.", lambda parts: parts.stats.reads),
    _one("client_writes_total", COUNTER, "Writes to sockets of clients.", lambda parts: parts.stats.writes),
    _one(
        "waiting_clients", GAUGE, "Clients whose blocking command has found nothing.", lambda parts: parts.waits.blocked
    ),
    _one("paused_clients", GAUGE, "Clients that CLIENT PAUSE holds up.", lambda parts: parts.namespaces.held),
    _one(
        "congested",
        GAUGE,
        "1 while the queue of some shard is over shard-queue-limit, else 0.",
        lambda parts: int(parts.congestion.active),
    ),
    _one("stalled_clients", GAUGE, "Clients not read from because of that.", lambda parts: parts.congestion.stalled),
    _one(
        "slow_scripts",
        GAUGE,
        "Scripts that have run for longer than busy-reply-threshold, and still run.",
        lambda parts: len(parts.busy.scripts),
    ),
)
