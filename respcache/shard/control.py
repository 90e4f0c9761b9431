"""What a shard does besides running commands: watches, settings, figures, active expiry."""

from __future__ import annotations

import os
from itertools import islice
from time import perf_counter_ns, process_time_ns
from typing import TYPE_CHECKING, Any

from respcache.logs import log
from respcache.store.footprint import footprint
from respcache.store.reports import EventFilter

if TYPE_CHECKING:
    from respcache.errors import ErrorCounts
    from respcache.shard.timing import Timing
    from respcache.store.keyspace import Keyspace, Place
    from respcache.store.shard import Shard


class Control:
    """Carries out the items that are no commands. See `respcache.shard.wire` for each."""

    def __init__(self, shard: Shard, errors: ErrorCounts, timing: Timing) -> None:
        self._shard = shard
        # The error replies of commands on this shard.
        self._errors = errors
        # The times of commands on this shard.
        self._timing = timing
        # Ticks that take so many nanoseconds are reported (``latency-monitor-threshold``); 0: none.
        self._slow_tick = 0

    # -- WATCH

    def watch(self, client: int, places: list[Place]) -> None:
        shard = self._shard
        shard.client = 0
        for index, key in places:
            shard.select(index)
            # Removes the key if it has expired already, so that its going later is not taken for a change.
            shard.peek(key)
            shard.watching.watch(client, (index, key))

    def unwatch(self, client: int) -> None:
        self._shard.watching.forget(client)

    def is_dirty(self, client: int) -> bool:
        shard = self._shard
        dirty = shard.watching.is_dirty(client, shard.databases, shard.now)
        shard.watching.forget(client)
        return dirty

    # -- time and settings

    def tick(self) -> None:
        started, moment = process_time_ns(), perf_counter_ns()
        self._shard.client = 0
        self._shard.expiry.expire_due(self._shard.now)
        self._shard.figures.expiring += process_time_ns() - started
        elapsed = perf_counter_ns() - moment
        if 0 < self._slow_tick <= elapsed:
            self._shard.reports.latency("expire-cycle", elapsed // 1_000_000)

    def configure(self, values: dict[str, Any]) -> None:
        """Directives that shards need, by their names with underscores; and

        monitored: whether there are monitors.
        expiry_paused: the numbers of the namespaces where CLIENT PAUSE is on.
        libraries: those of all namespaces, by number.
        tracking: of clients that cache: the readers, and prefixes with their namespaces, see `wire.reader`.
        counted: the counters of the process whose place this one takes, among its `stats`.
        """
        shard = self._shard
        for name, value in values.items():
            match name:
                case "notify_keyspace_events":
                    shard.reports.listen(EventFilter.parse(value))
                case "loglevel":
                    log.configure(level=value)
                case "logfile":
                    log.configure(path=value)
                case "syslog_enabled":
                    log.configure(system=(value, values["syslog_ident"], values["syslog_facility"]))
                case "syslog_ident" | "syslog_facility":
                    pass  # as above
                case "busy_reply_threshold":
                    shard.scripting.patience.threshold = value / 1000
                case "maxmemory_policy":
                    shard.databases.count_accesses(value.endswith("-lfu"))
                case "lfu_decay_time":
                    shard.accesses.decay_minutes = value
                case "lfu_log_factor":
                    shard.accesses.log_factor = value
                case "lint":
                    shard.scripting.reports_calls = value != "off"
                case "tracking_table_max_keys":
                    shard.tracking.bound(value)
                case "tracking":
                    self._track_all(*value)
                case "monitored":
                    shard.scripting.monitored = value
                case "libraries":
                    for namespace, codes in value.items():
                        self.change_libraries(namespace, codes, True)
                case "latency_tracking" | "slowlog_log_slower_than" | "latency_monitor_threshold":
                    pass  # below, together
                case "counted":
                    self._timing.tally.add(value.get("commands", {}))
                    shard.figures.go_on_from(value)
                    self._errors.by_code.update(value.get("errors", {}))
                case "expiry_paused":
                    shard.expiry.paused = frozenset(value)
                case _:  # sizes: a name that is not among them is a bug of main
                    setattr(shard.limits, name, value)
        if "latency_monitor_threshold" in values:
            threshold = values["latency_monitor_threshold"]
            self._slow_tick = threshold * 1_000_000
            self._timing.configure(values["slowlog_log_slower_than"], threshold, values["latency_tracking"])

    # -- clients that cache

    def _track_all(self, readers: list[int], prefixes: list[tuple[int, bytes]]) -> None:
        tracking = self._shard.tracking
        tracking.readers.update(readers)
        for namespace, prefix in prefixes:
            tracking.listen(namespace, prefix, True)

    def remember(self, client: int, index: int, keys: list[bytes]) -> None:
        shard = self._shard
        if client in shard.tracking.readers:
            shard.tracking.remember(index // shard.databases.each, client, keys)

    # -- snapshots

    def take_snapshot(self, number: int, limit: int) -> tuple[int, int, int]:
        shard = self._shard
        shard.client = 0
        shard.expiry.expire_all(shard.now)
        return *shard.snapshots.take(number, limit), shard.snapshots.held

    def restore_snapshot(self, number: int, elapsed: int) -> None:
        self._shard.snapshots.restore(number, elapsed, self._shard.now)
        self._shard.tracking.drop(0)

    def drop_snapshot(self, number: int) -> int:
        snapshots = self._shard.snapshots
        snapshots.drop(number)
        return snapshots.held

    # -- namespaces

    def change_libraries(self, namespace: int, codes: dict[bytes, bytes | None], flush: bool) -> None:
        self._shard.scripting.change_libraries(namespace, codes, flush=flush)

    def drop(self, namespace: int) -> None:
        self._shard.drop(namespace)
        self.change_libraries(namespace, {}, True)

    # -- figures

    def measure(self, index: int, keys: list[bytes]) -> tuple[int, list[tuple[int, int, bool] | None]]:
        shard = self._shard
        db = shard.databases[index]
        sizes: list[tuple[int, int, bool] | None] = []
        for key in keys:
            value = None if db.has_expired(key, shard.now) else db.get(key)
            if value is None:
                sizes.append(None)
            elif isinstance(value, (bytes, bytearray)):
                sizes.append((0, len(value), key in db.deadlines))
            else:
                sizes.append((len(value), 0, key in db.deadlines))
        return len(db), sizes

    def stats(self, memory: bool) -> dict[str, Any]:
        figures = self._shard.figures
        databases = self._shard.databases
        return {
            "keyspace_hits": figures.hits,
            "keyspace_misses": figures.misses,
            "expired_keys": figures.expired,
            "expiring": figures.expiring,
            "changes": figures.changes,
            "errors": self._errors.by_code,
            "commands": self._timing.tally.counts(),
            "databases": {
                index: (len(db), len(db.deadlines), _mean_deadline(db)) for index, db in databases.items() if len(db)
            },
            "processor": os.times()[:2],
            "busy": figures.busy,
            "blocking_keys": self._shard.waiting.keys(databases.each),
            "tracking": self._shard.tracking.figures(),
            "startup_memory": figures.startup_memory,
            "lua_memory": self._shard.scripting.memory(exact=memory),
            "snapshots": self._shard.snapshots.held,
            "footprints": {index: footprint(db) for index, db in databases.items() if len(db)} if memory else {},
        }

    def reset_stats(self) -> None:
        self._shard.figures.reset()
        self._timing.tally.reset()
        self._errors.by_code.clear()


def _mean_deadline(db: Keyspace) -> int:
    """About when keys expire, in milliseconds since the epoch, estimated from a sample. 0 if none does."""
    sample = list(islice(db.deadlines.values(), 100))
    return sum(sample) // len(sample) + db.shift if sample else 0
