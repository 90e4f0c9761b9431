"""Figures about the running server, for INFO."""

from __future__ import annotations

import os
from time import process_time_ns

from respcache.errors import CommandError, ErrorCounts
from respcache.system import resident


class Stats:
    """Counters since the start, or since CONFIG RESETSTAT. Times are milliseconds since the epoch."""

    __slots__ = (
        "_counted_from",
        "_really_started",
        "bytes_in",
        "bytes_out",
        "commands",
        "connections",
        "errors",
        "output_limit_disconnections",
        "peak_memory",
        "reads",
        "rejected",
        "started",
        "startup_memory",
        "writes",
    )

    def __init__(self, now: int, real: int) -> None:
        """`now` and `real`: as `Clock.now_ms` and `Clock.real_ms` tell them."""
        self.started = now
        self._really_started = real
        # Resident memory of main before it had clients, and the highest total of all processes seen so far; in bytes.
        self.startup_memory = resident(os.getpid())
        self.peak_memory = 0
        self.reset()

    def reset(self) -> None:
        # That clients have sent, refused ones included: for what there is per second. INFO counts those that ran.
        self.commands = 0
        self.connections = 0
        self.rejected = 0
        self.errors = ErrorCounts()  # those that main answers; shards count theirs
        self.output_limit_disconnections = 0
        # Bytes received from and sent to clients, and the number of reads and writes.
        self.bytes_in = self.reads = 0
        self.bytes_out = self.writes = 0
        # The processor time of the main process when counting began.
        self._counted_from = process_time_ns()

    def clock_was_reset(self, now: int, real: int) -> None:
        """Tests have taken back what they did to time: the server has been running for as long as it has."""
        self.started = now - (real - self._really_started)

    @property
    def busy(self) -> int:
        """Nanoseconds of processor time that the main process took."""
        return process_time_ns() - self._counted_from

    def count_error(self, error: CommandError) -> None:
        """Count an error that main answers with."""
        self.errors.count(error)
