"""Moves the clock for tests, and lets everything happen that is due by then: keys expire, alarms go off.

Whatever is moved, what waits for a time that lies ahead goes on waiting: a clock that is set back does not make a
blocking command wait longer than it has asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.server.shards.link import settled
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.alarms import Alarms
    from respcache.clock import Clock
    from respcache.server.io.poller import Poller
    from respcache.server.shards.expiry import ActiveExpiry
    from respcache.server.shards.link import ShardLink

# What happens may make something else due. After so many rounds the rest is left to time.
_MOST_ROUNDS = 1000


class Timekeeper:
    """The only one who moves the clock. Each of its methods ends when what is due has happened.

    on_step_back: told the time when it has gone back.
    Cancellation leaves the clock where it was moved to, and what is due to the next tick.
    """

    def __init__(
        self,
        clock: Clock,
        alarms: Alarms,
        poller: Poller,
        links: Sequence[ShardLink],
        expiry: Sequence[ActiveExpiry],
        on_step_back: Callable[[int], None],
    ) -> None:
        self._clock = clock
        self._alarms = alarms
        self._poller = poller
        self._links = links
        self._expiry = expiry
        self._on_step_back = on_step_back

    async def advance(self, milliseconds: int) -> None:
        """Let so much time pass."""
        self._clock.advance(milliseconds)
        await self.let_happen()

    async def set(self, milliseconds: int) -> None:
        """Set the time, in milliseconds since the epoch."""
        self._went_back(self._clock.set(milliseconds))
        await self.let_happen()

    def put_back(self, milliseconds: int, *, frozen: bool) -> None:
        """Set the time, and let it stand still or pass from there. `let_happen` is the caller's business."""
        if frozen and not self._clock.frozen:
            self.freeze()
        self._went_back(self._clock.set(milliseconds))
        if self._clock.frozen and not frozen:
            self.resume()

    def freeze(self) -> None:
        """Let time stand still."""
        self._clock.freeze()

    def resume(self) -> None:
        """Let time pass by itself again."""
        self._clock.resume()
        self._alarms.on_earlier()  # they were not waited for

    def reset(self) -> None:
        """Take back what tests have done to time. What waits for a time still waits as long as it would have."""
        frozen = self._clock.frozen
        self._went_back(self._clock.reset())
        if frozen:
            self._alarms.on_earlier()

    def _went_back(self, milliseconds: int) -> None:
        if milliseconds > 0:
            self._alarms.clock_went_back(milliseconds)
            self._on_step_back(self._clock.now_ms())

    async def let_happen(self) -> None:
        """Let everything happen that is due."""
        for _ in range(_MOST_ROUNDS):
            with self._poller.round():
                self._alarms.fire()
            # A corked queue would hold these back, and the barrier may be that of the transaction that called this.
            links = [link for link in self._links if not link.queue.corked]
            for link in links:
                if self._is_due(link):
                    await settled(link.tick())
            # What alarms have asked of shards is answered before this.
            for call in [link.ask(wire.skip(), passing=False) for link in links]:
                await settled(call)
            deadline = self._alarms.next_deadline()
            if (deadline is None or deadline > self._clock.now_ms()) and not any(map(self._is_due, links)):
                return

    def _is_due(self, link: ShardLink) -> bool:
        return 0 < link.next_deadline < self._clock.now_ms() and self._expiry[link.index].active
