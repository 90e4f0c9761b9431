"""What clients, handlers and doors share: the parts of the main process, each with one job.

`Parts` only holds them; `respcache.server.server` builds them and ties them together. A part does not know `Parts`: it
is given what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import trio

    from respcache.alarms import Alarms
    from respcache.clock import Clock
    from respcache.config import Config
    from respcache.server.io.poller import Poller
    from respcache.server.order.busy import Busy
    from respcache.server.order.carry import Carrier
    from respcache.server.order.claims import Claims
    from respcache.server.order.exec import Executor
    from respcache.server.order.monitoring import Monitoring
    from respcache.server.order.namespaces import Namespaces
    from respcache.server.order.outbox import Outboxes
    from respcache.server.order.router import Router
    from respcache.server.order.sequencer import Sequencer
    from respcache.server.order.snapshots import Snapshots
    from respcache.server.order.waits import Waits
    from respcache.server.services.congestion import Congestion
    from respcache.server.services.faults import Faults
    from respcache.server.services.interception import Interception
    from respcache.server.services.journal import Journal
    from respcache.server.services.lint.linter import Lint
    from respcache.server.services.missing import MissingCommands
    from respcache.server.services.rates import Rates
    from respcache.server.services.registry import Registry
    from respcache.server.services.stats import Stats
    from respcache.server.services.times import Times
    from respcache.server.services.tracking import Tracking
    from respcache.server.shards.expiry import ActiveExpiry
    from respcache.server.shards.figures import ShardFigures
    from respcache.server.shards.link import ShardLink
    from respcache.server.shards.timekeeper import Timekeeper


@dataclass
class Parts:
    """One object of each kind, except where it says otherwise."""

    config: Config
    clock: Clock
    time: Timekeeper
    alarms: Alarms
    poller: Poller
    stats: Stats
    times: Times
    rates: Rates
    run_id: str  # 40 hexadecimal digits, new with each start
    replication_id: str  # likewise, of what replicas would follow; DEBUG CHANGE-REPL-ID gives a new one
    links: Sequence[ShardLink]  # by shard
    figures: ShardFigures
    expiry: Sequence[ActiveExpiry]  # by shard
    router: Router
    sequencer: Sequencer
    carrier: Carrier
    executor: Executor
    snapshots: Snapshots
    namespaces: Namespaces  # which have what is not shared: channels, scripts, pauses
    busy: Busy
    waits: Waits
    claims: Claims
    outboxes: Outboxes
    registry: Registry[Any]  # of `respcache.server.clients.client.Client`, which is built on this
    tracking: Tracking
    interception: Interception
    monitoring: Monitoring
    journal: Journal
    lint: Lint
    faults: Faults
    congestion: Congestion
    missing: MissingCommands
    # Run an async function in a task that ends with the server.
    spawn: Callable[..., None]
    # Ask for an orderly end of the server; and the event that is set then.
    stop: Callable[[], None]
    stop_requested: trio.Event
    # Open the HTTP door of a server that was started without one; its port. Raises CommandError. It is there as long as
    # clients are accepted.
    open_http: Callable[[], int] = field(init=False)
    # What RESPCACHE RESET does besides removing the keys and resetting what a namespace has for itself, in order: how
    # each part that can leave its starting state gets back there. Not called within a namespace. Called in one
    # synchronous step, before anything else takes its place in the order.
    on_reset: list[Callable[[], object]] = field(default_factory=list)
    supervised: str = "no"  # by whom, see `respcache.server.host.supervision`
    # DEBUG SET-SKIP-CHECKSUM-VALIDATION: RESTORE takes payloads whose checksum is wrong.
    skip_checksum_validation: bool = False
    # The ports, once they are known; 0 where there is none.
    port: int = 0
    http_port: int = 0
    metrics_port: int = 0

    def reset_counters(self) -> None:
        """CONFIG RESETSTAT."""
        self.stats.reset()
        self.times.tally.reset()
        self.poller.rounds = 0
        self.rates.reset()
        self.figures.reset()
