"""Moves the clock for tests, and lets everything happen that is due by then: keys expire, alarms go off.

Time jumps: what is due happens in the order of its deadlines, but all of it at the time that is reached. What is set
back is the clock, not what was waited: whoever waits for an alarm goes on waiting for as long as he would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from respcache.alarms import Alarms
    from respcache.clock import Clock
    from respcache.server.io.poller import Poller
    from respcache.server.shards.expiry import ActiveExpiry
    from respcache.server.shards.link import ShardLink
    from respcache.server.shards.queue import Call

# What happens may make something else due. After so many rounds the rest is left to time.
_MOST_ROUNDS = 1000


class SlowScripts(Protocol):
    """Scripts that run for too long, by shard."""

    @property
    def scripts(self) -> Mapping[int, object]:
        """Those that run now."""

    async def answered(self, calls: Collection[Call]) -> bool:
        """Wait until all calls are answered: True. Or until one more script runs for too long: False."""


class Timekeeper:
    """The only one who moves the clock. Each of its async methods ends when what is due has happened.

    Nothing holds them up for good: a shard whose script runs for too long gets its share when the script has ended, and
    so do those that wait with it.

    on_step_back: told by how many milliseconds times have to be shifted so that ages stay what they were.
    on_reset: the same; but an age that is known in real time is that again.
    Cancellation leaves the clock where it was moved to, and what is due to the next tick.
    """

    def __init__(
        self,
        clock: Clock,
        alarms: Alarms,
        poller: Poller,
        links: Sequence[ShardLink],
        expiry: Sequence[ActiveExpiry],
        slow: SlowScripts,
        on_step_back: Callable[[int], None],
        on_reset: Callable[[int], None],
    ) -> None:
        self._clock = clock
        self._alarms = alarms
        self._poller = poller
        self._links = links
        self._expiry = expiry
        self._slow = slow
        self._on_step_back = on_step_back
        self._on_reset = on_reset

    async def advance(self, milliseconds: int, *, in_exec: bool = False) -> None:
        """Let so much time pass. `in_exec`: the caller may hold a barrier, and waits for no queue behind one."""
        if not in_exec:
            await self._finish_earlier()
        self._clock.advance(milliseconds)
        await self.let_happen(in_exec)

    async def set(self, milliseconds: int) -> None:
        """Set the time, in milliseconds since the epoch. Ages are as before if it goes back by that."""
        await self._finish_earlier()
        self._set(milliseconds)
        await self.let_happen()

    def put_back(self, milliseconds: int, *, frozen: bool) -> None:
        """Set the time, and let it stand still there or pass from there. `let_happen` is up to the caller."""
        if frozen:
            self._clock.freeze()
        self._set(milliseconds)
        if not frozen and self._clock.frozen:
            self._clock.resume()
            self._alarms.on_earlier()  # they were not waited for

    def _set(self, milliseconds: int) -> None:
        shift = self._clock.set(milliseconds)
        if shift < 0:
            self._alarms.shift(shift)
            self._look_again()
            self._on_step_back(shift)

    async def freeze(self) -> None:
        """Let time stand still."""
        self._clock.freeze()
        await self.let_happen()

    async def resume(self) -> None:
        """Let time pass by itself again."""
        self._clock.resume()
        self._alarms.on_earlier()  # they were not waited for
        await self.let_happen()

    def reset(self) -> None:
        """Take back what tests have done to time. What waits for a time still waits as long as it would have.

        So what a frozen clock has missed does not pass at once.
        """
        if not self._clock.moved:
            return  # as before most tests, which should not wait for this
        shift = self._clock.reset()
        self._alarms.shift(shift)
        self._look_again()
        self._on_reset(shift)

    def _look_again(self) -> None:
        for expiry in self._expiry:
            expiry.clock_was_set()

    async def _finish_earlier(self) -> None:
        """What has its place before this is carried out at the time at which it came."""
        calls = [
            link.ask(wire.skip(), passing=False)
            for link in self._links
            if link.queue.unanswered and not self._is_held_up(link)
        ]
        if calls:
            await self._slow.answered(calls)

    async def let_happen(self, in_exec: bool = False) -> None:
        """Let everything happen that is due."""
        done = True  # what was set in motion so far
        for _ in range(_MOST_ROUNDS):
            links = [link for link in self._links if not self._is_held_up(link, in_exec)]
            if done and not self._is_alarm_due() and not any(map(self._is_due, links)):
                return
            with self._poller.round():
                self._alarms.fire()
            # In their place in the order: what alarms have set in motion, barriers included, is done before.
            links = [link for link in links if not self._is_held_up(link, in_exec)]
            calls = [link.ask(wire.tick() if self._is_due(link) else wire.skip(), passing=False) for link in links]
            done = await self._slow.answered(calls)

    def _is_alarm_due(self) -> bool:
        deadline = self._alarms.next_deadline()
        return deadline is not None and deadline <= self._clock.now_ms()

    def _is_held_up(self, link: ShardLink, in_exec: bool = False) -> bool:
        """True if nothing can be expected of a shard for now."""
        return link.index in self._slow.scripts or (link.queue.corked and (in_exec or bool(self._slow.scripts)))

    def _is_due(self, link: ShardLink) -> bool:
        return 0 < link.next_deadline < self._clock.now_ms() and self._expiry[link.index].active
