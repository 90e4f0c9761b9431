"""The only clock. Time enters respcache here, in the main process, and travels to the shards in each frame.

Time is measured by the system's monotonic clock, plus an offset that follows the system's wall clock, plus a shift that
tests own. So it never runs backwards, and what is measured with it (TTLs, timeouts, pauses) lasts as long as it should:

* The wall clock jumps forward (it was set, or the machine slept): the offset follows at once, so keys whose deadline
  lies in the skipped time expire.
* The wall clock jumps back: the server goes on at the usual speed, ahead of it, and lets it catch up by 1 % of the time
  that passes. TIME is off meanwhile, but no TTL gets noticeably longer. (Redis reads the wall clock, so a jump back of
  an hour makes each of its TTLs an hour longer.)

The shift moves deadlines, TIME, idle times and everything else that asks for the time together: no test has to sleep.
While the clock is frozen, no time passes but what tests let pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable

# How often the wall clock is looked at, and by which part of that time it may be followed backwards. Microseconds.
_RESYNC = 1_000_000
_CATCH_UP = _RESYNC // 100
# The last moment that tests may move to (in 2106). Shards keep seconds in 32 bits; a day is left for time to pass.
LAST_MS = ((1 << 32) - 86_400) * 1000


class Clock:
    """Milliseconds and microseconds since the epoch. `monotonic` and `wall` are sources of nanoseconds, for tests."""

    __slots__ = ("_frozen", "_last", "_monotonic", "_offset", "_resync_at", "_shift", "_wall", "moved")

    def __init__(
        self, monotonic: Callable[[], int] = time.monotonic_ns, wall: Callable[[], int] = time.time_ns
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        # From the monotonic clock to the wall clock, in microseconds.
        self._offset = (wall() - monotonic()) // 1000
        # When, on the monotonic clock, the two are compared again.
        self._resync_at = monotonic() // 1000 + _RESYNC
        # What tests have added, in microseconds.
        self._shift = 0
        # Where time stands still, in microseconds; None while it passes.
        self._frozen: int | None = None
        # True once tests have done something to time, until `reset`.
        self.moved = False
        # The last time that was told.
        self._last = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self.now_us() // 1000

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        if self._frozen is not None:
            return self._frozen
        now = self._monotonic() // 1000
        if now >= self._resync_at:
            self._follow_wall_clock(now)
        self._last = now + self._offset + self._shift
        return self._last

    def wall_us(self) -> int:
        """What the system's clock says, in microseconds since the epoch: nothing moves it here."""
        return self._wall() // 1000

    def monotonic_us(self) -> int:
        """Microseconds since some moment: for how long something really took."""
        return self._monotonic() // 1000

    @property
    def last_ms(self) -> int:
        """The last time anybody asked for, in milliseconds: for ages that need no precision, without a system call."""
        return self._last // 1000

    def real_ms(self) -> int:
        """Milliseconds of the system's monotonic clock, which nobody moves: for how fast the machine works."""
        return self._monotonic() // 1_000_000

    @property
    def frozen(self) -> bool:
        """True while no time passes by itself."""
        return self._frozen is not None

    def freeze(self) -> None:
        """Let time stand still. Does nothing while it does."""
        self.moved = True
        self._frozen = self.now_us()

    def resume(self) -> None:
        """Let time pass again, from where it stands."""
        if self._frozen is not None:
            moment, self._frozen = self._frozen, None
            self._move_to(moment)

    def advance(self, milliseconds: int) -> None:
        """Shift time by a positive number of milliseconds, and on to where the next millisecond begins.

        A key has expired once the millisecond of its deadline is over, so a TTL of exactly this time has run out
        afterwards, however little real time has passed.
        """
        now = self.now_us()
        self._move_to(now + milliseconds * 1000 + 1000 - now % 1000)

    def set(self, milliseconds: int) -> int:
        """Set the time. Returns how many milliseconds it went forward by that; negative if it went back."""
        before = self.now_ms()
        self._move_to(milliseconds * 1000)
        return milliseconds - before

    def reset(self) -> int:
        """Take back everything that tests have done to time. Returns the same as `set`."""
        before = self.now_ms()
        self._frozen = None
        self._shift = 0
        self.moved = False
        return self.now_ms() - before

    def _move_to(self, microseconds: int) -> None:
        self.moved = True
        if self._frozen is not None:
            self._frozen = self._last = microseconds
        else:
            self._shift += microseconds - self.now_us()
            self._last = microseconds

    def _follow_wall_clock(self, now: int) -> None:
        self._resync_at = now + _RESYNC
        wanted = self._wall() // 1000 - now
        if wanted >= self._offset:
            self._offset = wanted
        else:
            self._offset = max(wanted, self._offset - _CATCH_UP)
