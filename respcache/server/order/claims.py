"""Blocking commands with keys on several shards, of which main is the judge.

Such a command begins under a barrier over the shards of its keys. If there is something for it, it has its reply;
otherwise the client is *enlisted* on each shard where it waits for a key. A shard that has something for it *claims*
it: the shard asks main in the middle of its work, and reads on only when it has the answer, so "push, then somebody
else's pop" comes out as with one shard. Main answers once the wait's other shards have done everything that comes
before the claiming command in the global order, as they may have an older claim. Everybody waits for what is older
only, so nobody waits in a circle.

* A command that takes from one key alone (`by_key`: BLPOP) is run by the first shard that claims it; the others forget
  it.
* Others (BLMOVE from one shard to another, XREAD) and those that may find a value of another type elsewhere are *tried*
  again by main, under a barrier. The shard holds them until then, and those behind them in the line.

When a command that ran under a barrier has made keys ready, its owner lets main `settle` before the barrier is lifted:
what is pushed to several shards by one EXEC is there at once, and the first key of the waiting command counts.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import trio

from respcache import errors
from respcache.errors import CommandError
from respcache.logs import log_exception
from respcache.server.order.waits import Wait, timed_out
from respcache.server.shards.queue import NOBODY
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.io.poller import Poller
    from respcache.server.order.carry import Carrier
    from respcache.server.order.in_parts import Lacking
    from respcache.server.order.plan import Plan
    from respcache.server.order.sequencer import Sequencer
    from respcache.server.order.waits import Member, Waits
    from respcache.server.shards.queue import Barrier
    from respcache.shard.wire import Until
    from respcache.store.reports import Report


class SharedWait(Wait):
    """A blocking command with keys on several shards."""

    __slots__ = (
        "_enlisted",
        "caller",
        "claimed",
        "lost",
        "positions",
        "spoilt",
        "time_is_up",
        "tried",
        "trying",
    )

    def __init__(self, waits: Waits, enlisted: Enlisted, member: Member, row: Command, argv: Argv, plan: Plan) -> None:
        self._enlisted = enlisted
        self.caller = member.caller
        self.positions = plan.positions
        self.claimed = False  # some shard runs it now
        self.trying = False  # main runs it, or is about to: it holds a barrier, or has one in the queues
        self.tried: trio.Event | None = None  # set when main has run it; None unless it runs now
        self.spoilt = False  # some key has had a value of another type
        self.time_is_up = False  # while it was tried
        self.lost = False  # a shard has died while it was tried
        super().__init__(waits, member, row, argv, tuple(plan.positions))

    def found_nothing(self, until: Until) -> None:
        """See `Wait`."""
        self._enlisted.add(self.shards, 1)
        super().found_nothing(until)

    def end(self, reply: bytes) -> None:
        """See `Wait`. Shards where the client may wait forget it."""
        self._forget()
        super().end(reply)

    def _finish(self) -> None:
        if self.waiting:
            self._enlisted.add(self.shards, -1)
        super()._finish()

    def _forget(self) -> None:
        """Passes the queues: what has been decided need not wait for anything."""
        if self.waiting and not self.claimed:
            for shard in self.shards:
                self._waits.links[shard].queue.call(wire.forget(self.number))

    def claimed_by(self, shard: int) -> None:
        """A shard runs it now, and it alone matters from now on: what another that dies has held is no loss."""
        self.claimed = True
        others = [other for other in self.shards if other != shard]
        for other in others:
            self._waits.links[other].submit(wire.forget(self.number), NOBODY)
        self._enlisted.add(others, -1)
        self._waits.move(self, (shard,))

    def time_out(self) -> None:
        """See `Wait`. A claim that was answered, and a try under way, come first."""
        if self.claimed:
            return
        if self.tried is not None:
            self.time_is_up = True
        else:
            self.give_up(timed_out(self.member))

    def leave(self) -> None:
        """See `Wait`."""
        self._forget()
        self._finish()

    def dismiss(self, *, at_once: bool) -> Awaitable[bool]:  # noqa: ARG002 - a try under way waits for no EXEC
        """See `Wait`."""
        return self._still_waits()

    async def _still_waits(self) -> bool:
        if self.tried is not None:
            await self.tried.wait()
        return self.waiting and not self.claimed and not self.over

    def shard_died(self, shard: int) -> None:  # noqa: ARG002 - any of them is enough
        """See `Wait`. The others forget the client. If a try under way finds something, the client has that."""
        if self.tried is not None:
            self.lost = True
        elif self.waiting:
            self.end(CommandError(errors.SHARD_DIED).line())


class Enlisted:
    """How many clients wait on several shards. `keep_places`: told when there are some, and when there are none."""

    def __init__(self, shards: int, keep_places: Callable[[bool], None]) -> None:
        self.by_shard = [0] * shards
        self._keep_places = keep_places

    def add(self, shards: Collection[int], count: int) -> None:
        """One more waits on these shards, or one less."""
        before = any(self.by_shard)
        for shard in shards:
            self.by_shard[shard] += count
        if any(self.by_shard) is not before:
            self._keep_places(not before)


class Claims:
    """Runs blocking commands with keys on several shards.

    spawn: runs an async function in a task that ends with the server.
    """

    def __init__(
        self, waits: Waits, sequencer: Sequencer, carrier: Carrier, poller: Poller, spawn: Callable[..., None]
    ) -> None:
        self._waits = waits
        self._sequencer = sequencer
        self._links = sequencer.links
        self._router = sequencer.router
        self._carrier = carrier
        self._poller = poller
        self._spawn = spawn
        # Kept by those who wait.
        self._enlisted = Enlisted(len(self._links), sequencer.keep_places)
        # Claims that were not answered yet: shard -> number of the wait.
        self.open: dict[int, int] = {}

    # -- the beginning

    def start(self, member: Member, row: Command, argv: Argv, plan: Plan) -> None:
        """Run a blocking command. It takes its place in the order now."""
        wait = SharedWait(self._waits, self._enlisted, member, row, argv, plan)
        wait.trying = True
        self._spawn(self._try, wait, self._sequencer.barrier(plan.positions))

    async def _try(self, wait: SharedWait, barrier: Barrier) -> None:
        """A task: run the command under its barrier, which is lifted whatever happens."""
        try:
            await barrier.reached()
            if not wait.over:
                await self._try_now(wait)
                if wait.over and not wait.row.by_key and wait.row.in_parts is None:
                    await self.settle(wait.positions)  # it has moved something, for which others may wait
        finally:
            with self._poller.round():
                barrier.lift()

    async def _try_now(self, wait: SharedWait, positions: dict[int, list[int]] | None = None) -> None:
        """Run the command; the caller holds a barrier over all its shards. The client has its reply then, or waits.

        With `positions` the barrier, and the keys that are looked at, are on these shards alone: for `by_key`. If there
        is nothing the command is tried again under its own barrier, because the others may have had something.
        """
        wait.trying = True
        wait.tried = trio.Event()
        try:
            found = await self._carrier.attempt(wait.caller, wait.row, wait.argv, positions or wait.positions)
            if not isinstance(found, bytes):
                if positions is None:
                    await (self._release(wait) if wait.waiting else self._enlist(wait, found))
                found = b""
        except CommandError as error:
            self._waits.counting.count_error(error)
            found = error.line()
        except Exception:
            log_exception(f"{wait.row.name} failed")
            found = CommandError(errors.INTERNAL).line()
        finally:
            tried, wait.tried = wait.tried, None
            tried.set()
            wait.trying = False
        if wait.over:
            return
        with self._poller.round():
            if found:
                wait.end(found)
            elif wait.lost:
                wait.shard_died(-1)
            elif wait.time_is_up:
                wait.give_up(timed_out(wait.member))
            elif positions is not None:
                self._try_again(wait)

    async def _enlist(self, wait: SharedWait, lacking: Lacking) -> None:
        """Let the client wait on each shard that has a key which it waits for."""
        wait.argv, until, keys, types, on_removal = lacking
        by_shard = self._router.by_shard(keys)
        calls = [
            self._links[shard].call(wire.enlist(wait.caller, wait.number, wait.argv, own, types, on_removal))
            for shard, own in by_shard.items()
        ]
        for call in calls:
            await call.result()
        if wait.over:  # the client has left
            for shard in by_shard:
                self._links[shard].call(wire.forget(wait.number))
            return
        with self._poller.round():
            self._waits.move(wait, tuple(by_shard))
            wait.found_nothing(until)

    async def _release(self, wait: SharedWait) -> None:
        for call in [self._links[shard].call(wire.release(wait.number)) for shard in wait.shards]:
            await call.result()

    # -- what shards ask and tell

    def claim(self, shard: int, number: int) -> None:
        """CLAIM: a shard has something for a waiter, and waits for the answer."""
        self.open[shard] = number
        self.look()

    def look(self) -> None:
        """Answer claims, as far as nothing older can come any more. To be called while there are open ones."""
        answered = True
        while answered:
            answered = False
            for shard, number in list(self.open.items()):
                wait = self._find(number)
                if wait is None or self._is_oldest(shard, wait):
                    del self.open[shard]
                    self._links[shard].queue.reply(self._judge(shard, wait))
                    answered = True

    def _is_oldest(self, shard: int, wait: SharedWait) -> bool:
        """Whether no other shard can claim the wait with something older; or it is decided anyway."""
        place = self._links[shard].queue.running
        others = (self._links[other].queue for other in wait.shards if other != shard)
        return wait.claimed or wait.trying or all(other.is_past(place) for other in others)

    def shard_died(self, shard: int) -> None:
        """Its claim has gone with it."""
        self.open.pop(shard, None)

    def _judge(self, shard: int, wait: SharedWait | None) -> int:
        if wait is None or wait.claimed:
            return wire.GONE
        if wait.trying:
            return wire.HOLD
        if self._by_one_shard(wait):
            wait.claimed_by(shard)
            return wire.YES
        self._try_again(wait)
        return wire.HOLD

    def _try_again(self, wait: SharedWait) -> None:
        wait.trying = True
        self._spawn(self._try, wait, self._sequencer.barrier(wait.positions))

    def spoilt(self, report: Report) -> None:
        """A SPOILT report, see `respcache.shard.wire`."""
        wait = self._find(report[2])
        if wait is not None:
            wait.spoilt = True

    def _find(self, number: int) -> SharedWait | None:
        wait = self._waits.get(number)
        return wait if isinstance(wait, SharedWait) else None

    # -- larger units

    async def settle(self, shards: Collection[int]) -> None:
        """Serve those who wait for what the owner of a barrier over `shards` has made ready, before it is lifted.

        What a shard that dies loses is not served. After cancellation the shards do it, when the barrier is lifted.
        """
        concerned = [shard for shard in shards if self._enlisted.by_shard[shard]]
        # The oldest of those that need other shards, too: they are tried later, and all younger ones after them.
        put_off = sys.maxsize
        while concerned:
            held: dict[int, None] = {}
            try:
                for call in [self._links[shard].call(wire.settle()) for shard in concerned]:
                    held.update(dict.fromkeys(await call.result()))
            except CommandError:
                return
            served = False
            # The oldest first: another one may take from a key for which it comes first.
            for number in sorted(held):
                wait = self._find(number)
                if wait is None or wait.trying or wait.claimed:
                    continue
                within = {shard: at for shard, at in wait.positions.items() if shard in shards}
                if number > put_off or not (len(within) == len(wait.positions) or self._by_one_shard(wait)):
                    put_off = min(put_off, number)
                    self._try_again(wait)
                    continue
                await self._try_now(wait, None if len(within) == len(wait.positions) else within)
                served |= wait.over
            # Each round ends at least one wait, or is the last.
            if not served:
                return

    @staticmethod
    def _by_one_shard(wait: SharedWait) -> bool:
        """Whether any shard with something for it may serve it, whatever the others have."""
        return wait.row.by_key and not wait.spoilt
