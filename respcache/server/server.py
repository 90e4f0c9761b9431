"""What the parts of the main process share: one object that knows them all, and the life of a connection.

The parts themselves do not know each other; they are given what they need here.
"""

from __future__ import annotations

import secrets
import socket
from typing import TYPE_CHECKING, Any

import trio

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache import errors
from respcache.clock import Clock
from respcache.errors import CommandError
from respcache.logs import log
from respcache.server.clients import Clients
from respcache.server.idle import IdleClients
from respcache.server.poller import Poller
from respcache.server.pubsub import PubSub
from respcache.server.router import Router
from respcache.server.sequencer import Sequencer
from respcache.server.session import Session, simple_rows
from respcache.server.shard_link import ShardLink
from respcache.server.stats import Stats
from respcache.server.transport import SocketTransport
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from respcache.config import Config
    from respcache.server.outbox import Outbox

_DENIED = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    b"default user. In this mode connections are only accepted from the loopback interface. Set a password, bind to "
    b"the loopback interface only, or start with --protected-mode no.\r\n"
)


class Server:
    """The main process while it serves. `tasks` runs what commands await; it is set before anything is accepted."""

    tasks: trio.Nursery

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = Clock()
        self.run_id = secrets.token_hex(20)
        self.poller = Poller()
        self.router = Router(config.shards)
        self.clients = Clients(self.clock, on_pause=self._configure_shards)
        self.idle = IdleClients(self)
        self.pubsub = PubSub()
        self.stats = Stats(self.clock.now_ms())
        self.simple = simple_rows()
        self.links = [
            ShardLink(
                index,
                config.shards,
                self.poller,
                self.clock,
                config.databases,
                self.publish_event,
                self.shard_settings,
                self._shard_died,
            )
            for index in range(config.shards)
        ]
        self.sequencer = Sequencer(self.links, self.router, self.poller)
        self.stop_requested = trio.Event()
        self.port = 0
        self.congested = False  # some shard has more queued than `shard-queue-limit`
        self.stalled: list[Session] = []  # not read from because of that
        self._to_flush: list[Outbox] = []
        self.poller.before_round.append(self.clock.now_us)
        self.poller.after_round += [self.sequencer.flush, self._flush_outboxes, self._check_congestion]
        config.on_shard_change(self._configure_shards)

    # -- connections

    def accept(self, sock: socket.socket, peer: str, local: str) -> None:
        """A client has connected: give it a session, or turn it away."""
        self.stats.connections += 1
        if len(self.clients) >= self.config.maxclients:
            self.stats.rejected += 1
            _turn_away(sock, CommandError(errors.MAX_CLIENTS).line())
            return
        if self.config.protected_mode and not self.config.requirepass and not _is_local(peer):
            self.stats.rejected += 1
            _turn_away(sock, _DENIED)
            return
        if sock.family != socket.AF_UNIX:
            _keep_alive(sock, self.config.tcp_keepalive)
        transport = SocketTransport(sock, self.poller, peer, local)
        session = Session(self, transport, self.clients.next_id())
        transport.session = session
        self.clients.add(session)

    def flush_soon(self, outbox: Outbox) -> None:
        """There are replies to send: at the end of the poller's round, or now if there is none."""
        if self.poller.in_round:
            self._to_flush.append(outbox)
        else:
            outbox.flush()

    def _flush_outboxes(self) -> None:
        outboxes, self._to_flush = self._to_flush, []
        for outbox in outboxes:
            outbox.flush()

    def _check_congestion(self) -> None:
        """Nobody is read from while some shard is far behind; half-way down again, all may go on."""
        limit = self.config.shard_queue_limit
        queued = max(link.queued for link in self.links)
        if not self.congested:
            self.congested = queued > limit
        elif queued <= limit // 2:
            self.congested = False
            stalled, self.stalled = self.stalled, []
            for session in stalled:
                session.apply_backpressure()

    def spawn(self, function: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Run a command's coroutine in a task of its own."""
        self.tasks.start_soon(function, *args)
        self.poller.yield_soon()

    # -- shards

    def shard_settings(self) -> dict[str, Any]:
        """What a shard has to know of the configuration, and of CLIENT PAUSE."""
        return self.config.shard_values() | {"expiry_paused": self.clients.paused}

    def _configure_shards(self) -> None:
        for link in self.links:
            link.call_soon((wire.CONFIGURE, self.shard_settings()))

    def publish_event(self, db: int, event: bytes, key: bytes) -> None:
        """A keyspace event of a shard: publish it to the channels that ``notify-keyspace-events`` asks for."""
        flags = self.config.notify_keyspace_events
        if "K" in flags:
            self.pubsub.publish(b"__keyspace@%d__:%b" % (db, key), event)
        if "E" in flags:
            self.pubsub.publish(b"__keyevent@%d__:%b" % (db, event), key)

    def _shard_died(self, shard: int) -> None:
        """Its watches died with it: EXEC must not succeed on the strength of them."""
        for session in self.clients.all():
            if shard in session.watching:
                session.watch_lost = True

    async def advance_clock(self, milliseconds: int) -> None:
        """Shift time, and let what that expires expire before anybody's next command."""
        self.clock.advance(milliseconds)
        for link in self.links:
            # Behind a barrier, which may be that of the transaction this is in, the tick comes when it is lifted.
            if link.next_deadline and link.active_expiry and not link.corked:
                await link.tick()
            link.tick_soon()
        self.clients.pause_changed.set()
        self.idle.check()

    def set_active_expiry(self, active: bool) -> None:
        """Whether keys whose time is over are removed although nobody asks for them."""
        for link in self.links:
            link.active_expiry = active
            link.tick_soon()

    async def figures(self) -> list[dict[str, Any]]:
        """Each shard's STATS. Not a moment of the global order: figures need none."""
        calls = [link.call_soon((wire.STATS,)) for link in self.links]
        return [await call.result() for call in calls]

    def stop(self) -> None:
        """Ask for an orderly end."""
        if not self.stop_requested.is_set():
            log.warning("User requested shutdown...")
            self.stop_requested.set()
            self.poller.yield_soon()


def _keep_alive(sock: socket.socket, seconds: int) -> None:
    """Have TCP find out about a dead peer: asked after `seconds` of silence, then three times more."""
    if not seconds:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # The names differ by platform; where one is missing, the system's default serves.
    for name, value in (("TCP_KEEPIDLE", seconds), ("TCP_KEEPINTVL", max(1, seconds // 3)), ("TCP_KEEPCNT", 3)):
        if option := getattr(socket, name, None):
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _turn_away(sock: socket.socket, reply: bytes) -> None:
    try:
        sock.send(reply)
    except OSError:
        pass
    sock.close()


def _is_local(peer: str) -> bool:
    return peer.startswith(("127.", "[::1]", "/")) or peer.endswith(":0")
