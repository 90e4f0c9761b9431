"""Waiting for what the kernel or another process does in its own time. Not for anything inside one process."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], bool], within: float = 10.0) -> bool:
    """True as soon as `holds()` is; False if it is not within so many seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
