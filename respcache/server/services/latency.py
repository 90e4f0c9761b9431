"""LATENCY: what held the server up, by kind of event, as redis 7.2's `latency.c` keeps it.

| event          | what took at least ``latency-monitor-threshold`` milliseconds      |
|----------------|--------------------------------------------------------------------|
| `command`      | a command                                                          |
| `fast-command` | a command with the flag `fast`                                     |
| `expire-cycle` | one tick of active expiry, in one shard                            |
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

# Samples that are kept of each event.
_MOST = 160


class Sample(NamedTuple):
    """The longest of one second."""

    time: int  # seconds since the epoch, of the server's clock
    milliseconds: int


class Event:
    """One kind of event."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=_MOST)  # the oldest first
        self.longest = 0  # milliseconds, since it was reset

    def add(self, sample: Sample) -> None:
        self.longest = max(self.longest, sample.milliseconds)
        if self.samples and self.samples[-1].time == sample.time:
            latest = self.samples.pop()
            sample = max(latest, sample)
        self.samples.append(sample)


class LatencyMonitor:
    """All events so far."""

    def __init__(self) -> None:
        self._events: dict[str, Event] = {}

    def add(self, name: str, time: int, milliseconds: int) -> None:
        """One more."""
        self._events.setdefault(name, Event()).add(Sample(time, milliseconds))

    def find(self, name: str) -> Event | None:
        return self._events.get(name)

    def all(self) -> dict[str, Event]:
        """By name."""
        return dict(self._events)

    def forget(self, names: list[str]) -> int:
        """Forget these events, or all if none is named. How many there were."""
        chosen = names or list(self._events)
        return sum(self._events.pop(name, None) is not None for name in chosen)

    def reset(self) -> None:
        """RESPCACHE RESET."""
        self._events.clear()
