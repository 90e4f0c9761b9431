"""Signals of the main process, from its first moment on. Imports nothing that takes time.

SIGTERM and SIGINT stop the server in order, SIGHUP is ignored, as in Redis. There are three phases:

1. `exit_when_told`: nothing exists yet that has to be removed, so a signal just ends the process, with status 0.
   Python may still be importing, or waiting for a configuration on standard input.
2. `note_when_told`: the server starts. A signal is noted, and obeyed at the end of the start (`told_to_stop`).
3. While the server runs, trio receives the signals (`respcache.server.app`). During the last moments of a shutdown they
   are only noted again: a second SIGTERM does not cut it short.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

STOPPING = (signal.SIGTERM, signal.SIGINT)

_noted: list[int] = []


def exit_when_told() -> None:
    """Begin phase 1."""
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in STOPPING:
        signal.signal(number, _exit)


def note_when_told() -> None:
    """Begin phase 2."""
    for number in STOPPING:
        signal.signal(number, _note)


def told_to_stop() -> bool:
    """Whether a signal came since phase 2 began (and outside phase 3)."""
    return bool(_noted)


def _exit(_number: int, _frame: FrameType | None) -> None:
    # Not SystemExit: raised at a random place, an import or a destructor, it may be swallowed.
    os._exit(0)


def _note(number: int, _frame: FrameType | None) -> None:
    _noted.append(number)
