"""Waiting for the other process: look a few times before going to sleep.

Main and a shard answer each other within tens of microseconds. To be woken on another core takes as long again (it is
most of the latency of a single client), and the process that wakes a sleeping one pays for it as well. So both look
again for a moment before they sleep, as adaptive locks do, but only while that has paid off recently. Between two looks
the core is offered to others.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

# Seconds: how long to look at most; and the patience below which it is not worth looking again at all.
_LONGEST = 500e-6
_SHORTEST = 10e-6

_yield = getattr(os, "sched_yield", lambda: None)


class Spinner:
    """Decides how long to look, by how long the last waits have taken."""

    __slots__ = ("_patience",)

    def __init__(self) -> None:
        self._patience = 0.0

    def wait(self, look: Callable[[], T | None], sleep: Callable[[], T]) -> T:
        """What `look` returns as soon as that is not None, or else what `sleep` does, which waits for it."""
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
