"""MONITOR: every command is shown, in the order of all commands, to the monitors of its namespace.

A command is shown when it takes its place in the order. What scripts call, their shards report, formatted already; a
script and an EXEC are entries of `respcache.server.services.monitor` until all of it is known. The calls of a script
bear the time of the script, as does everything else that it sees of time.

A shard runs one script at a time, in the order of its queue, so what it reports belongs to the first entry that is open
for it. An item behind the script tells that it is over. The shards are told in order, too, that there are monitors.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from respcache.commands.args import parse_int
from respcache.commands.table import Flag, Reach
from respcache.quoting import quote_bytes
from respcache.server.io.listener import is_unix_socket
from respcache.server.services.secret_words import redacted
from respcache.server.shards.queue import NOBODY
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.clock import Clock
    from respcache.commands.table import Command
    from respcache.config import Config
    from respcache.errors import CommandError
    from respcache.resp.types import Argv
    from respcache.server.order.exec import Transaction
    from respcache.server.order.plan import Plan
    from respcache.server.services.monitor import Entry
    from respcache.server.shards.link import ShardLink
    from respcache.store.reports import Report

_HIDDEN = Flag.ADMIN
_LUA = b"lua"


class Monitoring:
    """An `Interceptor`: it looks at nothing itself, but while it is active no command takes the fast path.

    on_change: called when `active` has changed.
    """

    def __init__(
        self, links: Sequence[ShardLink], clock: Clock, config: Config, on_change: Callable[[], object]
    ) -> None:
        self.active = False
        self._links = links  # by shard
        self._clock = clock
        self._config = config
        self._on_change = on_change
        self._monitors = 0  # in all namespaces
        # Of each shard: the entries that it has still to report something for, in the order of its queue.
        self._open: list[deque[_Open]] = [deque() for _ in links]

    # -- the interceptor

    def command(self, client: Any, row: Command | None, argv: Argv, refusal: CommandError | None) -> None:
        """See `Interceptor`. A refused command is not shown, and one that is held back only when it runs."""

    def message(self, client: Any, data: bytes) -> None:
        """See `Interceptor`. Messages are not shown."""

    # -- monitors

    def begin(self, client: Any) -> None:
        """MONITOR: from now on a client sees what is sent to its namespace."""
        if not client.monitoring:
            client.monitoring = True
            client.namespace.view.watchers[client] = None
            self._count(1)

    def end(self, client: Any) -> None:
        """It sees nothing more."""
        if client.monitoring:
            client.monitoring = False
            del client.namespace.view.watchers[client]
            self._count(-1)

    def _count(self, change: int) -> None:
        self._monitors += change
        active = bool(self._monitors)
        if active is not self.active:
            self.active = active
            for link in self._links:
                link.submit(wire.configure({"monitored": active}), NOBODY)
            self._on_change()

    # -- commands

    def show(self, client: Any, row: Command, argv: Argv, how: Plan, transaction: Transaction | None) -> None:
        """A command has just taken its place. `transaction`: what was queued before, if it is EXEC."""
        view = client.namespace.view
        if not view.active or row.flags & _HIDDEN:
            return
        head = self._head(client, client.db)
        if transaction is not None and transaction.placed:
            self._show_transaction(client, transaction, argv)
        elif row.reach is Reach.SCRIPT:
            opened = _Open(self, view.open([head + _words(argv)]), [how.shard])
            self._links[how.shard].submit(wire.skip(), opened)
        else:
            view.add(head + _words(argv))

    def _show_transaction(self, client: Any, transaction: Transaction, argv: Argv) -> None:
        view = client.namespace.view
        db = client.db
        lines: list[bytes | None] = []
        for queued in transaction.commands:
            if queued.row.name == "SELECT":
                db = _selected(queued.argv, db, self._config.databases)
            if not queued.row.flags & _HIDDEN:
                lines.append(self._head(client, db) + _words(queued.argv))
            if queued.row.reach is Reach.SCRIPT:
                lines.append(None)
        lines.append(self._head(client, db) + _words(argv))
        if not transaction.may_fail and None not in lines:
            for line in lines:
                assert line is not None
                view.add(line)
            return
        shards = {queued.plan.shard for queued in transaction.commands if queued.row.reach is Reach.SCRIPT}
        opened = _Open(self, view.open((), lines, self._head(client, client.db) + _words(argv)), shards)
        transaction.on_end = opened.close

    def _head(self, client: Any, db: int) -> bytes:
        peer: str = client.transport.peer
        if is_unix_socket(peer):
            peer = f"unix:{self._config.unixsocket}"
        return self._begin(self._clock.now_us(), db, peer.encode("utf-8", "surrogateescape"))

    @staticmethod
    def _begin(now: int, db: int, who: bytes) -> bytes:
        return b"+%d.%06d [%d %b] " % (*divmod(now, 1_000_000), db, who)

    # -- what scripts call

    def reported(self, report: Report) -> None:
        """A MONITORED report, see `respcache.shard.wire`."""
        _, _, shard, index, words = report
        opened = self._open[shard]
        if not opened:
            return
        entry = opened[0].entry
        if words is None:
            entry.script_begins()
        else:
            entry.add(self._begin(opened[0].now, index % self._config.databases, _LUA) + words + b"\r\n")

    def called_foreign(self, shard: int, index: int, row: Command, argv: Argv) -> None:
        """A script on `shard` has had main carry out a command."""
        if self.active and not row.flags & _HIDDEN:
            self.reported((wire.MONITORED, 0, shard, index, b" ".join(map(quote_bytes, redacted(argv)))))

    def now_us(self) -> int:
        """The time of the server's clock."""
        return self._clock.now_us()

    def register(self, opened: _Open) -> None:
        for shard in opened.shards:
            self._open[shard].append(opened)

    def forget(self, opened: _Open) -> None:
        for shard in opened.shards:
            self._open[shard].remove(opened)


class _Open:
    """An entry that shards report something for. A ticket of the item behind a script."""

    __slots__ = ("_monitoring", "entry", "now", "shards")

    def __init__(self, monitoring: Monitoring, entry: Entry, shards: Sequence[int] | set[int]) -> None:
        self._monitoring = monitoring
        self.entry = entry
        self.now = monitoring.now_us()  # the time of its calls
        self.shards = shards
        monitoring.register(self)

    def close(self, ran: bool) -> None:
        """It is over."""
        self._monitoring.forget(self)
        self.entry.close(ran)

    def deliver(self, result: object) -> None:  # noqa: ARG002 - the item does nothing
        self.close(True)

    def deliver_piece(self, result: object) -> None:
        """There are no pieces."""

    def fail(self, error: CommandError) -> None:  # noqa: ARG002 - the shard died, and the script is over as well
        self.close(True)


def _words(argv: Argv) -> bytes:
    return b" ".join(map(quote_bytes, redacted(argv))) + b"\r\n"


def _selected(argv: Argv, db: int, databases: int) -> int:
    """The database after a SELECT, which may fail."""
    index = parse_int(argv[1])
    return index if index is not None and 0 <= index < databases else db
