"""The only clock. Time enters respcache here, in the main process, and travels to the shards on each frame.

`now_ms` is wall-clock time plus an offset that a test may move forward (DEBUG ADVANCE-CLOCK): deadlines, TIME, idle
times and everything else that asks for the time move together, and no test has to sleep.
"""

from __future__ import annotations

import time


class Clock:
    """Wall-clock time that can be shifted, and never runs backwards."""

    __slots__ = ("_last", "_offset")

    def __init__(self) -> None:
        self._offset = 0
        self._last = 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self.now_us() // 1000

    def now_us(self) -> int:
        """Microseconds since the epoch."""
        now = time.time_ns() // 1000 + self._offset
        # A step back of the system's clock must not bring expired keys back.
        self._last = max(self._last, now)
        return self._last

    @property
    def last_ms(self) -> int:
        """The last time anybody asked for, in milliseconds: for ages that need no precision, without a system call."""
        return self._last // 1000

    def advance(self, milliseconds: int) -> None:
        """Shift time by a positive number of milliseconds, and on to where the next millisecond begins.

        A deadline is over when its millisecond is. So what was given exactly this time has run out after it, however
        little real time has gone by.
        """
        self._offset += milliseconds * 1000 + 1000 - self.now_us() % 1000
