"""Waiting for the other process: poll for a moment before going to sleep.

Main and a shard answer each other within tens of microseconds. Waking up on another core takes just as long (it is most
of the latency of a single client), and waking a sleeping process has a cost too. So both poll for a moment before they
sleep, as adaptive locks do: as long as polling has been successful lately, and not at all otherwise. Between two polls
they yield the core to other processes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

# Seconds. Polling longer than this is not worth a core's time; a patience below the shortest becomes none.
_LONGEST = 500e-6
_SHORTEST = 10e-6

_yield = getattr(os, "sched_yield", lambda: None)


class Spinner:
    """Decides how long to poll, based on the last waits."""

    __slots__ = ("_patience",)

    def __init__(self) -> None:
        self._patience = 0.0

    def wait(self, look: Callable[[], T | None], sleep: Callable[[], T]) -> T:
        """The result of `look` as soon as it is not None, or else of `sleep`, which blocks."""
        found = look()
        if found is not None:
            return found
        if self._patience:
            until = monotonic() + self._patience
            while monotonic() < until:
                _yield()
                found = look()
                if found is not None:
                    self._patience = _LONGEST
                    return found
            self._patience = self._patience / 2 if self._patience > _SHORTEST else 0.0
        begin = monotonic()
        result = sleep()
        if monotonic() - begin < _LONGEST:
            self._patience = _LONGEST
        return result
