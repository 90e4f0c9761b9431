"""How much memory Lua has.

Lua itself may use `limit` bytes: beyond that an allocation fails, and the script gets Lua's "not enough memory". But
lupa's own calls into Lua are not protected: an allocation that fails there would jump out of the middle of Python. So
nothing is handed over while Lua uses more than `half`; what may be needed on the way, such as a larger table of
strings, has the other half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Memory:
    """The memory of one interpreter. `used` returns bytes, and is called for each command of a script."""

    __slots__ = ("collect", "half", "limit", "used")

    def __init__(self, runtime: Any, limit: int) -> None:
        self.limit = limit
        self.half = limit // 2
        self.used: Callable[[], int] = runtime.get_memory_used
        self.collect: Callable[[], None] = runtime.gccollect

    def fits(self, size: int) -> bool:
        """True if `size` bytes may be handed over, after a collection if need be."""
        if self.used() + size <= self.half:
            return True
        self.collect()
        return self.used() + size <= self.half
