"""Namespaces: servers within the server, of which each client uses one. Tests that run at the same time have their own.

What a client sees of the data is in its namespace: databases, scripts and functions, channels, keyspace events, other
clients, CLIENT PAUSE. Shared are the processes, and so the clock, the configuration, counters, and the time that slow
commands take.

A namespace is a number. Shards have a block of databases for each (`respcache.store.databases`), and the `Caller` of a
command says which of them it uses, so what is known by database and key (WATCH, who waits for what) is separate without
more. A database is made in a shard when it is first used. So a namespace costs nothing until then, and shards need not
be told of new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.errors import CommandError, bad_name
from respcache.server.order.libraries import Libraries
from respcache.server.order.scripts import Scripts
from respcache.server.services.monitor import View
from respcache.server.services.pause import Pause
from respcache.server.services.pubsub import PubSub
from respcache.server.services.slowlog import SlowLog
from respcache.server.shards.link import settled
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from respcache.alarms import Alarms
    from respcache.config import Config
    from respcache.server.order.router import Router
    from respcache.server.shards.link import ShardLink
    from respcache.server.shards.queue import Call

# The most bytes that a name may have.
_LONGEST = 128


class Namespace:
    """One of them."""

    def __init__(
        self, number: int, name: bytes, first: int, pause: Pause, router: Router, links: Sequence[ShardLink]
    ) -> None:
        self.number = number  # by which shards know it
        self.name = name  # empty for the default namespace
        self.first = first  # what shards call its database 0
        self.pubsub = PubSub()
        self.slowlog = SlowLog()
        self.view = View()
        self.pause = pause
        self.libraries = Libraries(links, number)
        self.scripts = Scripts(router, self.libraries)

    @property
    def is_default(self) -> bool:
        """True for the one that clients are in to begin with."""
        return not self.number

    def reset(self) -> None:
        """RESPCACHE RESET, except for the keys, which FLUSHALL removes."""
        self.end_pause()
        self.scripts.flush()
        self.libraries.reset()
        self.slowlog.reset()

    def end_pause(self) -> None:
        """Let clients go on, if CLIENT PAUSE holds them up."""
        if self.pause.active:
            self.pause.end()


class Namespaces:
    """All of them."""

    def __init__(self, config: Config, links: Sequence[ShardLink], router: Router, alarms: Alarms) -> None:
        self._config = config
        self._links = links
        self._router = router
        self._alarms = alarms
        # Called when a pause begins or ends in any of them, or becomes a stricter one.
        self.on_pause: list[Callable[[], None]] = []
        # Also those that were dropped, until shards are done with them.
        self._by_number: dict[int, Namespace] = {}
        self._by_name: dict[bytes, Namespace] = {}
        # Numbers of those that are gone.
        self._free: list[int] = []
        self.default = self._make(b"")

    def all(self) -> list[Namespace]:
        """The default one first, then the oldest."""
        return list(self._by_name.values())

    def find(self, name: bytes) -> Namespace | None:
        """The one of this name, if there is one."""
        return self._by_name.get(name)

    def obtain(self, name: bytes) -> Namespace:
        """The one of this name, which may be new. Raises CommandError for a bad name, or if there are too many."""
        namespace = self._by_name.get(name)
        if namespace is not None:
            return namespace
        if any(not 33 <= byte <= 126 for byte in name):
            raise bad_name("Namespace names")
        if len(name) > _LONGEST:
            raise CommandError(errors.NAMESPACE_NAME_TOO_LONG)
        if len(self._by_number) > self._config.max_namespaces:
            raise CommandError(errors.TOO_MANY_NAMESPACES)
        return self._make(name)

    def _make(self, name: bytes) -> Namespace:
        number = self._free.pop() if self._free else len(self._by_number)
        pause = Pause(self._alarms)
        pause.on_change = self.on_pause
        first = number * self._config.databases
        namespace = Namespace(number, name, first, pause, self._router, self._links)
        self._by_number[number] = self._by_name[name] = namespace
        return namespace

    def drop(self, namespace: Namespace) -> Coroutine[object, object, None]:
        """Forget a namespace, whose clients have left. It is unknown at once, and gone when this has been awaited.

        It takes its place in the order when it is called. Cancellation, at the end of the server, is safe.
        """
        namespace.end_pause()
        del self._by_name[namespace.name]
        calls = [link.queue.submit_call(wire.drop(namespace.number)) for link in self._links]
        return self._gone(namespace, calls)

    async def _gone(self, namespace: Namespace, calls: list[Call]) -> None:
        for call in calls:
            await settled(call)  # a shard that has died has forgotten it, too
        # Not before: keyspace events of what its clients did last would go to the next one with this number.
        del self._by_number[namespace.number]
        self._free.append(namespace.number)

    @property
    def held(self) -> int:
        """How many clients CLIENT PAUSE holds up."""
        return sum(len(namespace.pause.held) for namespace in self._by_name.values())

    # -- for shards

    def pubsub_of(self, number: int) -> PubSub | None:
        """The channels of the namespace with this number; None if it is gone."""
        namespace = self._by_number.get(number)
        return None if namespace is None else namespace.pubsub

    def slowlog_of(self, db: int) -> SlowLog | None:
        """The SLOWLOG of those who use a database, by its number in shards; None if their namespace is gone."""
        namespace = self._by_number.get(db // self._config.databases)
        return None if namespace is None else namespace.slowlog

    def paused(self) -> list[int]:
        """The numbers of those where CLIENT PAUSE is on."""
        return [number for number, namespace in self._by_number.items() if namespace.pause.active]

    def codes(self) -> dict[int, dict[bytes, bytes]]:
        """By number: the texts of libraries of functions, by name."""
        return {each.number: codes for each in self._by_name.values() if (codes := each.libraries.codes())}

    def drop_script(self, sha: bytes) -> None:
        """A script that came with EVAL cannot be compiled, wherever."""
        for namespace in self._by_name.values():
            namespace.scripts.drop(sha)
