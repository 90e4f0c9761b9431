"""Builds the parts of the main process, ties them together, and lets clients in."""

from __future__ import annotations

import random
import secrets
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import trio

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache.alarms import Alarms
from respcache.clock import Clock
from respcache.errors import CommandError
from respcache.logs import log
from respcache.server.clients.client import IN_SCRIPT
from respcache.server.clients.idle import IdleClients
from respcache.server.clients.injector import FaultInjector
from respcache.server.doors.resp import RespDoor
from respcache.server.io.poller import Poller
from respcache.server.order.busy import Busy
from respcache.server.order.carry import Carrier
from respcache.server.order.claims import Claims
from respcache.server.order.exec import Executor
from respcache.server.order.measuring import Measuring
from respcache.server.order.monitoring import Monitoring
from respcache.server.order.namespaces import Namespaces
from respcache.server.order.outbox import Outboxes
from respcache.server.order.router import Router
from respcache.server.order.sequencer import Sequencer
from respcache.server.order.snapshots import Snapshots
from respcache.server.order.tickets import batch_of
from respcache.server.order.waits import Waits
from respcache.server.parts import Parts
from respcache.server.services.congestion import Congestion
from respcache.server.services.events import KeyspaceEvents
from respcache.server.services.faults import Faults
from respcache.server.services.interception import Interception
from respcache.server.services.journal import Journal
from respcache.server.services.lint.linter import Lint
from respcache.server.services.missing import MissingCommands
from respcache.server.services.rates import Rates
from respcache.server.services.registry import Registry
from respcache.server.services.stats import Stats
from respcache.server.services.times import Times
from respcache.server.services.tracking import TableLimit, Tracking
from respcache.server.shards.expiry import ActiveExpiry
from respcache.server.shards.figures import ShardFigures
from respcache.server.shards.link import ShardLink
from respcache.server.shards.queue import NOBODY, Answer, Order
from respcache.server.shards.timekeeper import Timekeeper
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from respcache.config import Config
    from respcache.server.clients.client import Client
    from respcache.shard.wire import Item
    from respcache.store.call import Caller
    from respcache.store.reports import Report


class Server:
    """The main process while it serves. `tasks` runs what commands await; it is set before anything is accepted.

    It meets the system only in `poller`, `clock`, and the processes of its links; tests bring their own.
    """

    tasks: trio.Nursery

    def __init__(
        self, config: Config, poller: Poller | None = None, clock: Clock | None = None, *, supervised: str = "no"
    ) -> None:
        self.config = config
        self.poller = poller = poller or Poller()
        self.clock = clock = clock or Clock()
        self.alarms = alarms = Alarms(clock)
        self.registry: Registry[Client] = Registry()
        self.interception = Interception()
        self.journal = Journal(clock, poller, self.interception.changed, self._spawn)
        # Shards, and the order in which they get their work.
        self._order = Order()
        self.links = [self._link(index) for index in range(config.shards)]
        self.figures = ShardFigures(self.links)
        self.expiry = [ActiveExpiry(link, alarms, clock) for link in self.links]
        router = Router(config.shards)
        self.namespaces = Namespaces(config, self.links, router, alarms)
        stats = Stats(clock.now_ms(), clock.real_ms())
        self.times = times = self._build_times(stats)
        self.sequencer = Sequencer(self.links, router, poller.yield_soon, times)
        # Those who look on.
        self.monitoring = Monitoring(self.links, clock, config, self.interception.changed)
        self.lint = Lint(config, clock, Measuring(self.sequencer), self.interception.changed)
        self.tracking = self._build_tracking()
        # What takes several steps.
        self.slow_scripts = Busy(self.links, poller.yield_soon)
        self.time = self._build_timekeeper()
        carrier = Carrier(self.links, router, config.databases, self.tracking.trackers.__contains__, times)
        self.waits = Waits(self.links, alarms, times)
        self.claims = Claims(self.waits, self.sequencer, carrier, poller, self._spawn)
        self.snapshots = self._build_snapshots()
        self.stop_requested = trio.Event()
        self.parts = self._build_parts(router, stats, carrier, supervised)
        IdleClients(self.parts)  # kept alive by the configuration, which it listens to
        FaultInjector(self.parts)  # likewise by the interception
        self.accept = RespDoor(self.parts).accept
        # What a shard reports besides replies: kind -> who takes it.
        self._take_report = self._takers_of_reports()
        # What a shard asks in the middle of an item: kind -> who answers, by `ShardQueue.reply`, whatever happens.
        self._answer: dict[int, Callable[..., None]] = {
            wire.CLAIM: self.claims.claim,
            wire.FOREIGN: self.parts.executor.run_foreign,
        }
        self._tie_together()

    # -- building

    def _build_times(self, stats: Stats) -> Times:
        return Times(
            self.config,
            self.clock,
            self.registry,
            stats.count_error,
            self.namespaces.slowlog_of,
            lambda client: self.parts.executor.in_script(client),
        )

    def _build_tracking(self) -> Tracking:
        limit = TableLimit(
            self.config.shards,
            lambda: self.config.tracking_table_max_keys,
            lambda shard, keys: self.links[shard].submit(wire.allow(keys), NOBODY),
            self._evict_tracked,
            random.choices,
            self.poller.yield_soon,
        )
        return Tracking(
            self.config.shards,
            self._tell_shards,
            self.registry.get,
            lambda: batch_of(self._order.answering),
            limit,
        )

    def _build_timekeeper(self) -> Timekeeper:
        return Timekeeper(
            self.clock,
            self.alarms,
            self.poller,
            self.links,
            self.expiry,
            self.slow_scripts,
            on_step_back=self._on_step_back,
            on_reset=self._on_clock_reset,
        )

    def _build_snapshots(self) -> Snapshots:
        return Snapshots(
            self.sequencer,
            self.namespaces.default,
            self.config,
            self.clock,
            self.time,
            self.claims.settle,
            restored=lambda: self.tracking.flushed(self.namespaces.default.number, 0),
        )

    def _build_executor(self, carrier: Carrier) -> Executor:
        return Executor(
            self.sequencer,
            carrier,
            settle=self.claims.settle,
            counting=self.times,
            on_report=self._on_report,
            reports_wanted=lambda: bool(self.config.notify_keyspace_events) or self.monitoring.active,
            on_foreign=self.monitoring.called_foreign,
            spawn=self._spawn,
        )

    def _build_parts(self, router: Router, stats: Stats, carrier: Carrier, supervised: str) -> Parts:
        """What is built already, and those that nothing else is built on."""
        return Parts(
            config=self.config,
            clock=self.clock,
            alarms=self.alarms,
            poller=self.poller,
            stats=stats,
            times=self.times,
            rates=Rates(stats, self.poller, self.alarms, self.clock),
            run_id=secrets.token_hex(20),
            replication_id=secrets.token_hex(20),
            links=self.links,
            figures=self.figures,
            expiry=self.expiry,
            router=router,
            sequencer=self.sequencer,
            carrier=carrier,
            snapshots=self.snapshots,
            namespaces=self.namespaces,
            busy=self.slow_scripts,
            executor=self._build_executor(carrier),
            waits=self.waits,
            claims=self.claims,
            outboxes=Outboxes(stats),
            registry=self.registry,
            tracking=self.tracking,
            interception=self.interception,
            monitoring=self.monitoring,
            journal=self.journal,
            lint=self.lint,
            faults=Faults(),
            congestion=Congestion(self.config, self.links),
            missing=MissingCommands(),
            spawn=self._spawn,
            stop=self.stop,
            stop_requested=self.stop_requested,
            time=self.time,
            supervised=supervised,
        )

    def _takers_of_reports(self) -> dict[int, Callable[[Report], None]]:
        return {
            wire.EVENT: KeyspaceEvents(self.config, self.namespaces.pubsub_of).publish,
            wire.ASK: self._on_ask,
            wire.SERVED: self.waits.served,
            wire.SPOILT: self.claims.spoilt,
            wire.INVALID_SCRIPT: self._on_invalid_script,
            wire.SLOW_SCRIPT: self._on_slow_script,
            wire.END_OF_SLOW_SCRIPT: self._on_end_of_slow_script,
            wire.EARLY: self._on_early_answers,
            wire.SCRIPT_CALL: self._on_script_call,
            wire.INVALIDATED: self.tracking.invalidated,
            wire.FLUSHED: self.tracking.flushed_by_script,
            wire.TRACKED: self.tracking.limit.tracked,
            wire.SLOW: self.times.slow,
            wire.LATENCY: self.times.event,
            wire.MONITORED: self.monitoring.reported,
        }

    def _link(self, index: int) -> ShardLink:
        return ShardLink(
            index,
            self.config.shards,
            self.config.databases,
            self.poller,
            self.clock,
            self._order,
            settings=partial(self._settings_at_start, index),
            on_report=self._on_report,
            on_death=self._on_shard_death,
        )

    def _tie_together(self) -> None:
        self.poller.before_round.append(self.clock.now_us)  # so that `last_ms` is about now in all callbacks
        self.poller.after_round.append(self._send)
        self.sequencer.on_flush = self._on_flush
        self.namespaces.on_pause += [self._configure_shards, self._update_clients]
        self.interception.on_change.append(self._update_clients)
        self.interception.add(self.monitoring)
        self.interception.add(self.lint)  # after those that hold commands back
        self.interception.add(self.journal)  # the last: it is to see what the others make of commands and replies
        self.interception.changed()
        self.config.on_shard_change(self._configure_shards)
        self.config.on_change("tracking-table-max-keys", self.tracking.limit.look)
        self.parts.on_reset += [
            self.parts.faults.clear,
            self.config.reset,
            self.parts.executor.reset,
            self.time.reset,
            self.journal.reset,
            self.lint.reset,
            *[expiry.reset for expiry in self.expiry],
            self._check_checksums,
            self.parts.reset_counters,
            self.times.latency.reset,
        ]

    def _send(self) -> None:
        """The end of a round: shards get their work first, then clients their replies."""
        parts = self.parts
        if self.claims.open:
            self.claims.look()
        if self.tracking.pending:
            self.tracking.broadcast()
        left = self.sequencer.flush()
        if parts.outboxes.ready:
            parts.outboxes.flush()
            left = self.sequencer.flush()  # what clients go on with, now that there is room
        if left or parts.congestion.active:
            parts.congestion.look()

    # -- shards

    def _shard_settings(self) -> dict[str, Any]:
        """What a shard has to know of the configuration, and of CLIENT PAUSE."""
        return self.config.shard_values() | {
            "expiry_paused": self.namespaces.paused(),
            "skip_checksum_validation": self.parts.skip_checksum_validation,
        }

    def _settings_at_start(self, shard: int) -> dict[str, Any]:
        """What a shard that has just started has to know."""
        return self._shard_settings() | {
            "libraries": self.namespaces.codes(),
            "tracking": self.tracking.settings(),
            "counted": self.figures.counted(shard),
            "monitored": self.monitoring.active,
        }

    def _check_checksums(self) -> None:
        """RESPCACHE RESET: take back DEBUG SET-SKIP-CHECKSUM-VALIDATION."""
        if self.parts.skip_checksum_validation:
            self.parts.skip_checksum_validation = False
            self._configure_shards()

    def _configure_shards(self) -> None:
        settings = self._shard_settings()
        for link in self.links:
            link.call(wire.configure(settings))

    def _update_clients(self) -> None:
        for client in self.registry.all():
            client.update_plain()

    def _tell_shards(self, item: Item, shards: Iterable[int], passing: bool) -> None:
        """Give shards an item in its place in the order; or, for the owner of a barrier, in place of it (`passing`)."""
        for shard in shards:
            if passing:
                self.links[shard].queue.call(item)
            else:
                self.links[shard].submit(item, NOBODY)

    def _evict_tracked(self, shard: int, count: int, answered: Callable[[int], None]) -> None:
        self.links[shard].submit(wire.evict(count), Answer(answered, lost=0))

    def _on_flush(self, caller: Caller) -> None:
        self.tracking.flushed(caller.db // self.config.databases, caller.client)

    def _on_report(self, report: Report) -> None:
        self._take_report[report[0]](report)

    def _on_ask(self, report: Report) -> None:
        _, _, shard, kind, *details = report
        self._answer[kind](shard, *details)

    def _on_invalid_script(self, report: Report) -> None:
        _, _, sha = report
        self.namespaces.drop_script(sha)

    def _on_script_call(self, report: Report) -> None:
        _, _, client, *details = report
        caller = self.registry.get(client)
        if caller is not None:
            self.lint.script_called(caller, *details)

    def _on_slow_script(self, report: Report) -> None:
        _, _, *details = report
        script = self.slow_scripts.begin(*details)
        client = self.registry.get(script.client)
        if client is not None:
            client.suspend(IN_SCRIPT)
        self._update_clients()

    def _on_end_of_slow_script(self, report: Report) -> None:
        _, _, shard = report
        self._forget_slow_script(shard)

    def _forget_slow_script(self, shard: int) -> None:
        script = self.slow_scripts.end(shard)
        if script is None:
            return
        self._update_clients()
        client = self.registry.get(script.client)
        if client is not None:  # not now: answers are handed out
            self.poller.next_round(partial(client.resume, IN_SCRIPT))

    def _on_early_answers(self, report: Report) -> None:
        _, _, shard, places, error = report
        self.links[shard].queue.answer_early(places, None if error is None else CommandError(error))

    def _on_shard_death(self, shard: int) -> None:
        self._forget_slow_script(shard)
        for client in self.registry.all():
            client.lose_watches(shard)
        self.tracking.shard_died()
        self.snapshots.shard_died(shard)
        self.claims.shard_died(shard)
        self.waits.shard_died(shard)

    # -- time and tasks

    def _spawn(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        self.tasks.start_soon(function, *args)
        self.poller.yield_soon()

    async def run_alarms(self) -> None:
        """Fire alarms when they are due, until cancelled. Exceptions of their callbacks are logged."""
        earlier = trio.Event()

        def wake_up() -> None:
            earlier.set()
            self.poller.yield_soon()

        self.alarms.on_earlier = wake_up
        while True:
            deadline = self.alarms.next_deadline()
            left = inf if deadline is None else max(0, deadline - self.clock.now_ms()) / 1000
            if left and self.clock.frozen:
                left = inf
            with trio.move_on_after(left):
                await earlier.wait()
            earlier = trio.Event()
            with self.poller.round():
                self.alarms.fire()

    def _on_step_back(self, shift: int) -> None:
        self.parts.stats.started += shift
        for client in self.registry.all():
            client.clock_went_back(shift)

    def _on_clock_reset(self, shift: int) -> None:
        now, real = self.clock.now_ms(), self.clock.real_ms()
        self.parts.stats.clock_was_reset(now, real)
        for client in self.registry.all():
            client.clock_was_reset(shift, now, real)

    # -- the end

    def stop(self) -> None:
        """Ask for an orderly end. May be called again."""
        if not self.stop_requested.is_set():
            log.warning("User requested shutdown...")
            with self.poller.round():
                self.parts.faults.clear()  # what they hold up is not to be waited for
            self.stop_requested.set()
            self.poller.yield_soon()

    @property
    def busy(self) -> bool:
        """True while a client waits for an answer. Shards are not enough: a carried command may have nothing queued.

        While a script takes too long, as far as it is known whom it holds up: nobody waits for its end then.
        """
        scripts = self.parts.busy.scripts
        if scripts:
            free = [link.queue for link in self.links if link.index not in scripts]
            return any(queue.unanswered and not queue.corked for queue in free)
        return any(link.queue.unanswered for link in self.links) or any(c.busy for c in self.registry.all())
