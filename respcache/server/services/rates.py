"""How fast the counters grow, for INFO's ``instantaneous_*``: over the last 1.6 seconds, as in Redis.

The counters are read every 100 ms, but only while they move. After a window without a change the sampler sleeps: it
then looks at the counters at the end of each of the poller's rounds, and wakes up when they have changed. So a busy
server pays for ten samples per second, and an idle one for none.

A rate is per second of real time, whatever tests do to the clock: it tells what the machine does. While the clock is
frozen no samples are taken, and rates are those since the last one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.alarms import Alarms
    from respcache.clock import Clock
    from respcache.server.services.stats import Stats

# Milliseconds between two samples, and those over which a rate is taken.
_INTERVAL = 100
_WINDOW = 16 * _INTERVAL


class Rounds(Protocol):
    """The poller, as far as it is measured."""

    rounds: int
    after_round: list[Callable[[], object]]


class Counters(NamedTuple):
    """The counters at one time."""

    commands: int
    bytes_in: int
    bytes_out: int
    rounds: int
    busy: int  # nanoseconds of processor time


class Rates:
    """Samples of the counters in `stats` and `poller`."""

    def __init__(self, stats: Stats, poller: Rounds, alarms: Alarms, clock: Clock) -> None:
        self._stats = stats
        self._poller = poller
        self._alarms = alarms
        self._clock = clock
        # (milliseconds of real time, counters), the oldest first: those of one window, and the last one before it.
        self._samples: deque[tuple[int, Counters]] = deque()
        self._asleep = True
        poller.after_round.append(self._look)
        self.reset()

    def reset(self) -> None:
        """The counters were set back."""
        self._samples.clear()
        self._samples.append((self._clock.real_ms(), self._counters()))

    def growth(self) -> tuple[Counters, float]:
        """How much the counters grew in the window that ends now, and the length of the window in seconds."""
        now, current = self._clock.real_ms(), self._counters()
        since, before = self._samples[0]
        for time, counters in self._samples:
            if time <= now - _WINDOW:
                since, before = time, counters
        grown = Counters(*(after - earlier for after, earlier in zip(current, before, strict=True)))
        if self._asleep:  # only this command was counted since the last sample, and rounds without traffic
            return grown._replace(rounds=0, busy=0), _WINDOW / 1000
        return grown, max(now - since, _WINDOW) / 1000

    def _counters(self) -> Counters:
        stats = self._stats
        return Counters(stats.commands, stats.bytes_in, stats.bytes_out, self._poller.rounds, stats.busy)

    def _look(self) -> None:
        """End of a round, while asleep: wake up if there is traffic. Until this round the counters stood still."""
        stats = self._stats
        before = self._samples[-1][1]
        if self._asleep and (stats.commands, stats.bytes_in, stats.bytes_out) != before[:3]:
            self._asleep = False
            now = self._counters()
            self._samples.clear()
            self._samples.append((self._clock.real_ms(), before._replace(rounds=now.rounds - 1, busy=now.busy)))
            self._alarms.after(_INTERVAL, self._sample)

    def _sample(self) -> None:
        # Removed here, not in `_look`, which is called while the list is iterated.
        if self._look in self._poller.after_round:
            self._poller.after_round.remove(self._look)
        now = self._clock.real_ms()
        self._samples.append((now, self._counters()))
        while self._samples[1][0] <= now - _WINDOW:
            self._samples.popleft()
        if len({counters[:3] for _, counters in self._samples}) > 1:
            self._alarms.after(_INTERVAL, self._sample)
        else:
            self._asleep = True
            self._poller.after_round.append(self._look)
