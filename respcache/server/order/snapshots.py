"""RESPCACHE SNAPSHOT and RESTORE: the whole server as it was at one moment.

The shards keep the keys (`respcache.store.snapshots`), main what it has itself: scripts, libraries, the configuration,
the time. Both snapshot and restore hold a barrier over all shards, as changes of libraries do, so that all of it is of
one point in the order; and what fails on one shard can still be undone on, or kept from, the others.

A shard that dies takes its part along. The snapshot is lost then, and only its name is kept, for a clear error.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.errors import CommandError
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine

    from respcache.clock import Clock
    from respcache.config import Config
    from respcache.server.order.libraries import Libraries
    from respcache.server.order.namespaces import Namespace
    from respcache.server.order.scripts import Scripts
    from respcache.server.order.sequencer import Sequencer
    from respcache.server.shards.queue import Barrier, Call
    from respcache.server.shards.timekeeper import Timekeeper
    from respcache.shard.wire import Item

# How many snapshots there may be, and how long their names.
_MOST = 1000
_LONGEST_NAME = 128


class Snapshot:
    """What main has of a snapshot."""

    def __init__(
        self, number: int, time: int, frozen: bool, scripts: Scripts, libraries: Libraries, config: Config
    ) -> None:
        self.number = number  # by which the shards know it
        self.time = time  # when it was taken, in milliseconds since the epoch
        self.frozen = frozen  # time stood still then
        self.scripts = scripts.image()
        self.libraries = libraries.all()
        self.config = config.image()
        self.keys = 0
        # Bytes that it would take alone, about.
        self.size = self.scripts.size + sum(len(library.code) for library in self.libraries)
        self.lost = False  # a shard has died since


class Snapshots:
    """All of them, by name.

    namespace: the one whose scripts and libraries are kept, beside its databases: the default one.
    settle: serves those who wait for what a restore has brought back (`Claims.settle`).
    restored: called when shards have changed anything, at its place in the order.
    """

    def __init__(
        self,
        sequencer: Sequencer,
        namespace: Namespace,
        config: Config,
        clock: Clock,
        time: Timekeeper,
        settle: Callable[[Collection[int]], Awaitable[None]],
        restored: Callable[[], None],
    ) -> None:
        self._sequencer = sequencer
        self._links = sequencer.links
        self._scripts = namespace.scripts
        self._libraries = namespace.libraries
        self._config = config
        self._clock = clock
        self._time = time
        self._settle = settle
        self._restored = restored
        self._number = count(1).__next__
        self._by_name: dict[bytes, Snapshot] = {}
        # Bytes that they hold in each shard, about: less than the sum of their sizes, as they share much.
        self._held = [0] * len(sequencer.links)

    def all(self) -> list[tuple[bytes, Snapshot]]:
        """The names and what is known of them, the oldest first."""
        return list(self._by_name.items())

    # -- commands. What returns a coroutine has taken its place in the order by then.

    def take(self, name: bytes) -> Coroutine[Any, Any, None]:
        """Keep everything as it is, in the place of an older snapshot of that name. Raises CommandError."""
        if not 1 <= len(name) <= _LONGEST_NAME:
            raise errors.bad_snapshot_name(_LONGEST_NAME)
        return self._under_barrier(lambda barrier: self._take(name, barrier))

    def restore(self, name: bytes, *, config: bool, clock: bool) -> Coroutine[Any, Any, None]:
        """Have everything as it was; settings and the time only if they are asked for.

        The coroutine raises CommandError, and has changed nothing then, unless a shard dies in the middle of it.
        """
        restored = self._under_barrier(lambda barrier: self._restore(name, barrier, config=config, clock=clock))
        return self._with_what_is_due(restored) if clock else restored

    def drop(self, name: bytes) -> None:
        """Forget a snapshot. Raises CommandError."""
        if name not in self._by_name:
            raise errors.no_snapshot(name)
        self._forget(self._by_name.pop(name).number)

    def shard_died(self, shard: int) -> None:
        """Every snapshot has lost a part, so the others are of no use."""
        for snapshot in self._by_name.values():
            if not snapshot.lost:
                snapshot.lost = True
                self._forget(snapshot.number)
        self._held[shard] = 0

    # -- under a barrier over all shards

    def _under_barrier(self, change: Callable[[Barrier], Awaitable[None]]) -> Coroutine[Any, Any, None]:
        self._scripts.unsettled += 1
        return self._run(change, self._sequencer.barrier(range(len(self._links))))

    async def _run(self, change: Callable[[Barrier], Awaitable[None]], barrier: Barrier) -> None:
        """The barrier is lifted whatever happens, cancellation included."""
        try:
            await barrier.reached()
            await change(barrier)
        finally:
            self._scripts.unsettled -= 1
            barrier.lift()

    async def _with_what_is_due(self, restored: Coroutine[Any, Any, None]) -> None:
        """Once the barrier is lifted, what is due at the new time happens before the reply."""
        await restored
        await self._time.let_happen()

    async def _take(self, name: bytes, barrier: Barrier) -> None:
        if len(self._by_name) >= _MOST and name not in self._by_name:
            raise CommandError(errors.TOO_MANY_SNAPSHOTS)
        snapshot = Snapshot(
            self._number(), barrier.moment, self._clock.frozen, self._scripts, self._libraries, self._config
        )
        limit = self._config.snapshot_limit
        try:
            for shard, call in enumerate(self._call(wire.take_snapshot(snapshot.number, limit))):
                keys, size, self._held[shard] = await call.result()
                snapshot.keys += keys
                snapshot.size += size
            # What was dropped before this is accounted for: those answers came earlier.
            if sum(self._held) > limit:
                raise CommandError(errors.SNAPSHOT_LIMIT)
        except CommandError:
            self._forget(snapshot.number)
            raise
        older = self._by_name.pop(name, None)
        if older is not None:
            self._forget(older.number)
        self._by_name[name] = snapshot

    async def _restore(self, name: bytes, barrier: Barrier, *, config: bool, clock: bool) -> None:
        snapshot = self._by_name.get(name)
        if snapshot is None:
            raise errors.no_snapshot(name)
        if not await self._is_complete(snapshot):
            raise CommandError(errors.SNAPSHOT_GONE)
        elapsed = 0 if clock else barrier.moment - snapshot.time
        self._restored()
        for call in self._call(wire.restore_snapshot(snapshot.number, elapsed)):
            await call.result()
        self._scripts.put_back(snapshot.scripts)
        self._libraries.put_back(snapshot.libraries)
        if config:
            self._config.put_back(snapshot.config)
        if clock:
            self._time.put_back(snapshot.time, frozen=snapshot.frozen)
            barrier.moment = self._clock.now_ms()
        await self._settle(range(len(self._links)))

    async def _is_complete(self, snapshot: Snapshot) -> bool:
        """Whether all shards have it. With one shard the restoring tells; so it does if one dies unnoticed."""
        if snapshot.lost or len(self._links) == 1:
            return not snapshot.lost
        try:
            return all([await call.result() for call in self._call(wire.has_snapshot(snapshot.number))])
        except CommandError:
            return False

    def _call(self, item: Item) -> list[Call]:
        return [link.call(item) for link in self._links]

    def _forget(self, number: int) -> None:
        for link in self._links:
            link.submit(wire.drop_snapshot(number), _Held(self._held, link.index))


class _Held:
    """Ticket of a `drop_snapshot`: it leaves behind how much the others hold."""

    __slots__ = ("_held", "_shard")

    def __init__(self, held: list[int], shard: int) -> None:
        self._held = held
        self._shard = shard

    def deliver(self, result: int) -> None:
        self._held[self._shard] = result

    def deliver_piece(self, result: Any) -> None:  # noqa: ARG002 - a Ticket has it, and gets no pieces here
        raise AssertionError("it is answered whole")

    def fail(self, error: CommandError) -> None:
        """The shard has died, and holds nothing."""
