"""How long commands take: what main measures itself, and what shards report.

A command is counted once, by whoever carries out all of it: a shard (`respcache.shard.timing`), or main, if it answers
by itself, or merges the answers of shards. Times are real ones, also while tests have frozen the clock.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter_ns
from types import coroutine
from typing import TYPE_CHECKING, Any

from respcache.commands.table import Command, Flag, find_row
from respcache.errors import CommandError
from respcache.server.services.latency import LatencyMonitor
from respcache.server.services.secret_words import redacted
from respcache.shard.timing import trimmed
from respcache.store.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from respcache.clock import Clock
    from respcache.config import Config
    from respcache.resp.types import Argv
    from respcache.server.services.registry import Registry
    from respcache.server.services.slowlog import SlowLog
    from respcache.store.call import Caller
    from respcache.store.reports import Report
    from respcache.store.tally import Entry


class Times:
    """The times of all commands.

    count_error: told each error that main answers with.
    slowlog_of: the SLOWLOG of those who use a database, by its number in shards; None if they are gone.
    in_script: tells if what runs for a client at this moment was called by a script of that client.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        registry: Registry[Any],
        count_error: Callable[[CommandError], None],
        slowlog_of: Callable[[int], SlowLog | None],
        in_script: Callable[[int], bool],
    ) -> None:
        self.count_error = count_error
        self._config = config
        self._clock = clock
        self._registry = registry
        self._slowlog_of = slowlog_of
        self._in_script = in_script
        # Of the commands that main counts.
        self.tally = Tally()
        self._entries: dict[Command, Entry] = {}
        self.latency = LatencyMonitor()
        # Microseconds from which on a command is slow for SLOWLOG, and for `latency`; None: never.
        self._slower_than: int | None = None
        self._threshold: int | None = None
        # The smaller one of both, in nanoseconds.
        self._limit: float = float("inf")
        names = ("slowlog-log-slower-than", "latency-monitor-threshold", "latency-tracking")
        config.on_change(names, self._configure)
        self._configure()

    def _configure(self) -> None:
        slower_than, threshold = self._config.slowlog_log_slower_than, self._config.latency_monitor_threshold
        self._slower_than = slower_than if slower_than >= 0 else None
        self._threshold = threshold * 1000 if threshold else None
        limits = [limit * 1000 for limit in (self._slower_than, self._threshold) if limit is not None]
        self._limit = min(limits, default=float("inf"))
        self.tally.tracking = self._config.latency_tracking

    # -- what main counts

    def ran(self, row: Command, argv: Argv, caller: Caller, nanoseconds: int, *, failed: bool = False) -> None:
        """A command ran, and took so long in all; if it `failed`, its reply is an error."""
        if row.for_tests:
            return  # no command of Redis, and a test that resets the counters wants them to be zero
        entry = self._entries.get(row) or self._entry_of(row)
        if failed:
            entry.failed += 1
        self.tally.ran(entry, nanoseconds)
        if nanoseconds >= self._limit:
            self._slow(row, trimmed(argv), caller.client, caller.db, nanoseconds // 1000)

    def rejected(self, argv: Argv) -> None:
        """A command was refused before it began."""
        try:
            row = find_row(argv)
        except CommandError:
            return
        if not row.for_tests:
            self._entry_of(row).rejected += 1

    def _entry_of(self, row: Command) -> Entry:
        entry = self._entries[row] = self.tally.entry(row.wire_name)
        return entry

    # -- what shards report

    def slow(self, report: Report) -> None:
        """A SLOW report, see `respcache.shard.wire`."""
        _, _, client, db, microseconds, argv = report
        self._slow(find_row(argv), argv, client, db, microseconds)

    def event(self, report: Report) -> None:
        """A LATENCY report."""
        _, _, name, milliseconds = report
        self.latency.add(name, self._clock.now_ms() // 1000, milliseconds)

    def _slow(self, row: Command, argv: Argv, client: int, db: int, microseconds: int) -> None:
        """A command took long. Client 0: a script called it, in its own shard."""
        now = self._clock.now_ms() // 1000
        if self._threshold is not None and microseconds >= self._threshold:
            self.latency.add("fast-command" if row.flags & Flag.FAST else "command", now, microseconds // 1000)
        if self._slower_than is None or microseconds < self._slower_than or row.flags & Flag.SKIP_SLOWLOG:
            return
        log = self._slowlog_of(db)
        if log is None:
            return
        found = None if self._in_script(client) else self._registry.get(client)
        address, name = b"", b""
        if found is not None:
            address, name = found.transport.peer.encode("utf-8", "surrogateescape"), found.name
        log.add(now, microseconds, redacted(argv), address, name, most=self._config.slowlog_max_len)


@coroutine
def at_work(work: Coroutine[Any, Any, Any], took: Callable[[int], None]) -> Generator[Any, Any, Any]:
    """What `work` returns. `took` is told, once for each stretch, how long it ran without what it waited for."""
    step = partial(work.send, None)
    while True:
        started = perf_counter_ns()
        try:
            awaited = step()
        except StopIteration as end:
            return end.value
        finally:
            took(perf_counter_ns() - started)
        try:
            value = yield awaited
        except BaseException as error:  # such as trio.Cancelled: for `work` to see
            step = partial(work.throw, error)
        else:
            step = partial(work.send, value)
