"""SLOWLOG of one namespace: the latest commands of its clients that took long."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from respcache.resp.types import Argv


class SlowCommand(NamedTuple):
    """One of them."""

    number: int
    time: int  # seconds since the epoch, of the server's clock
    microseconds: int  # how long it took, in real time
    argv: Argv  # trimmed, without passwords
    address: bytes  # of the client, and its name; both empty for what a script calls
    name: bytes


class SlowLog:
    """The latest ones. Numbers go on when it is emptied."""

    def __init__(self) -> None:
        self._entries: deque[SlowCommand] = deque()  # the latest first
        self.next_number = 0  # of the next one

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, time: int, microseconds: int, argv: Argv, address: bytes, name: bytes, *, most: int) -> None:
        """Keep one more, and at most so many in all."""
        if not most:
            return
        self._entries.appendleft(SlowCommand(self.next_number, time, microseconds, argv, address, name))
        self.next_number += 1
        while len(self._entries) > most:
            self._entries.pop()

    def latest(self, count: int) -> list[SlowCommand]:
        """So many of the latest ones, the latest first; all for -1."""
        if count < 0 or count >= len(self._entries):
            return list(self._entries)
        return [self._entries[at] for at in range(count)]

    def clear(self) -> None:
        """SLOWLOG RESET."""
        self._entries.clear()

    def reset(self) -> None:
        """RESPCACHE RESET: be as at the start."""
        self.clear()
        self.next_number = 0
