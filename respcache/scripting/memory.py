"""How much memory Lua has.

Lua itself may use `limit` bytes: beyond that an allocation fails, and the script gets Lua's "not enough memory". But
lupa's own calls into Lua are not protected: an allocation that fails there would jump out of the middle of Python. So
nothing is handed over while Lua uses more than `half`; what may be needed on the way, such as a larger table of
strings, has the other half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# A collection is only worth its time if it leaves room for a while.
_ENOUGH = 0.9


class Memory:
    """The memory of one interpreter. `used` returns bytes, and is called for each command of a script."""

    __slots__ = ("_relieve_at", "collect", "half", "limit", "used")

    def __init__(self, runtime: Any, limit: int) -> None:
        self.limit = limit
        self.half = limit // 2
        self.used: Callable[[], int] = runtime.get_memory_used
        self.collect: Callable[[], None] = runtime.gccollect
        self._relieve_at = self._mostly_used()

    def fits(self, size: int) -> bool:
        """True if `size` bytes may be handed over, after a collection if need be."""
        if self.used() + size <= self.half:
            return True
        self.collect()
        return self.used() + size <= self.half * _ENOUGH

    def start(self) -> None:
        """A script is about to run."""
        self._relieve_at = self._mostly_used()

    def relieve(self) -> None:
        """Collect before the memory is used up; called now and then while a script runs.

        Lua 5.1 does not do that by itself when an allocation fails, and it lets garbage grow to the size of the rest.
        """
        if self.used() > self._relieve_at:
            self.collect()
            self._relieve_at = max(self._mostly_used(), self.used() * 1.1)

    def _mostly_used(self) -> float:
        return self.limit * 0.75
