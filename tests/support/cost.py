"""What an action costs, in a measure that is the same on every machine."""

from __future__ import annotations

import gc
import sys
from time import thread_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def calls_in(action: Callable[[], object]) -> int:
    """How many functions the action calls, Python's and C's; each step of a generator counts too."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # what it finds to finalize is called in the middle of whatever runs
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def seconds_of(action: Callable[[], object]) -> float:
    """The processor time that the action takes: for comparing one with another, a multiple of it. The better of two."""
    taken = []
    for _ in range(2):
        began = thread_time()
        action()
        taken.append(thread_time() - began)
    return min(taken)
