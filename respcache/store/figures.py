"""What a shard counts for INFO."""

from __future__ import annotations


class Figures:
    """Counters since the start, or since CONFIG RESETSTAT."""

    __slots__ = ("changes", "expired", "hits", "misses")

    def __init__(self) -> None:
        # Look-ups by commands that read: the key existed, or did not.
        self.hits = 0
        self.misses = 0
        # Keys removed because they had expired.
        self.expired = 0
        # Modifications of keys; not reset, as it stands for what is not saved yet.
        self.changes = 0

    def reset(self) -> None:
        """CONFIG RESETSTAT."""
        self.hits = self.misses = self.expired = 0
