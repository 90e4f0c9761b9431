"""Figures about the running server, for INFO."""

from __future__ import annotations

from respcache.errors import CommandError, ErrorCounts


class Stats:
    """Counters since the start, or since CONFIG RESETSTAT. Times are milliseconds since the epoch."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "commands",
        "connections",
        "errors",
        "output_limit_disconnections",
        "peak_memory",
        "rejected",
        "started",
    )

    def __init__(self, now: int) -> None:
        self.started = now
        self.peak_memory = 0
        self.reset()

    def reset(self) -> None:
        self.commands = 0
        self.connections = 0
        self.rejected = 0
        self.errors = ErrorCounts()  # those that main answers; shards count theirs
        self.output_limit_disconnections = 0
        self.bytes_in = 0
        self.bytes_out = 0

    def count_error(self, error: CommandError) -> None:
        """Count an error that main answers with."""
        self.errors.count(error)
