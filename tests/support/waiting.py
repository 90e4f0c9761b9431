"""Waiting for what the kernel or another process does in its own time. Nothing inside one process is waited for so."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], bool], within: float = 10.0) -> bool:
    """Whether something becomes true, within so many seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
