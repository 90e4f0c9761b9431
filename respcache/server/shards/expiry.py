"""Active expiry: a shard gets a tick, which removes expired keys, when a deadline of its keys has passed; only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.alarms import Alarm, Alarms
    from respcache.clock import Clock
    from respcache.server.shards.link import ShardLink

# Milliseconds between two ticks of one shard, at least.
_INTERVAL = 20


class ActiveExpiry:
    """Sends ticks to one shard, while `active`."""

    def __init__(self, link: ShardLink, alarms: Alarms, clock: Clock) -> None:
        self.active = True
        self._link = link
        self._alarms = alarms
        self._clock = clock
        self._alarm: Alarm | None = None  # the next tick
        # No tick before this time: what is left over from one that had too much to do comes after a pause.
        self._earliest = 0
        link.on_deadline = self.look

    def switch(self, active: bool) -> None:
        """DEBUG SET-ACTIVE-EXPIRE: send ticks, or leave expired keys until a command finds them."""
        self.active = active
        self.look()

    def look(self) -> None:
        """The shard's next deadline, or `active`, has changed: set the alarm accordingly."""
        deadline = self._link.next_deadline
        # A key has expired once the millisecond of its deadline is over.
        wanted = max(deadline + 1, self._earliest) if deadline and self.active else 0
        if self._alarm is not None:
            if wanted and self._alarm.deadline <= wanted:
                return  # one tick too many costs less than an alarm per change
            self._alarm.cancel()
            self._alarm = None
        if wanted:
            self._alarm = self._alarms.at(wanted, self._due)

    def clock_was_set(self) -> None:
        """What was the earliest time for a tick means nothing any more: it may lie in a far future."""
        self._earliest = 0
        self.look()

    def reset(self) -> None:
        """Be as at the start."""
        self.active = True
        self.clock_was_set()

    def _due(self) -> None:
        self._alarm = None
        self._earliest = self._clock.now_ms() + _INTERVAL
        self._link.tick()
        # The answer brings the next deadline. If that is the same one (more was due than one tick does), it does not
        # count as changed.
        self.look()
