"""What a shard counts for INFO."""

from __future__ import annotations

import os
from time import process_time_ns
from typing import Any

from respcache.system import resident


class Figures:
    """Counters since the start, or since CONFIG RESETSTAT."""

    __slots__ = ("_counted_from", "changes", "expired", "expiring", "hits", "misses", "startup_memory")

    def __init__(self) -> None:
        # Look-ups by commands that read: the key existed, or did not.
        self.hits = 0
        self.misses = 0
        # Keys removed because they had expired.
        self.expired = 0
        # Modifications of keys; not reset, as it stands for what is not saved yet.
        self.changes = 0
        # Nanoseconds of processor time that active expiry took.
        self.expiring = 0
        # Resident memory of the process before it had any data, in bytes.
        self.startup_memory = resident(os.getpid())
        # The processor time of the process when counting began.
        self._counted_from = process_time_ns()

    @property
    def busy(self) -> int:
        """Nanoseconds of processor time that the shard took."""
        return process_time_ns() - self._counted_from

    def go_on_from(self, counted: dict[str, Any]) -> None:
        """Count on from what another process has counted, by the names that INFO's sections use; none: from zero."""
        self.hits += counted.get("keyspace_hits", 0)
        self.misses += counted.get("keyspace_misses", 0)
        self.expired += counted.get("expired_keys", 0)
        self.expiring += counted.get("expiring", 0)
        self._counted_from -= counted.get("busy", 0)

    def reset(self) -> None:
        """CONFIG RESETSTAT."""
        self.hits = self.misses = self.expired = self.expiring = 0
        self._counted_from = process_time_ns()
