"""Expiry: a key goes when it is looked at after its deadline (lazily), or when main sends a tick (actively).

Either way it is removed by the same callback, which knows watchers and keyspace events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.store.keyspace import Keyspace

# The most keys that one tick removes from a database, so that it never holds up commands for long; what is left is
# due at once, and the next tick comes at once.
EXPIRED_PER_TICK = 2000


class Expiry:
    """The expiry of all databases of one shard. `remove(database, key)` removes one expired key."""

    __slots__ = ("_databases", "_remove", "paused")

    def __init__(self, databases: list[Keyspace], remove: Callable[[int, bytes], None]) -> None:
        # The databases of the shard.
        self._databases = databases
        # Removes an expired key.
        self._remove = remove
        # True during CLIENT PAUSE: expired keys are hidden, but removed only after the pause.
        self.paused = False

    def expire(self, index: int, key: bytes) -> None:
        """Lazy expiry: a key was found to have expired."""
        if not self.paused:
            self._remove(index, key)

    def expire_due(self, now: int) -> None:
        """Active expiry: remove expired keys, a bounded number of them."""
        if self.paused:
            return
        for index, db in enumerate(self._databases):
            if db.deadlines:
                for key in db.due(now, EXPIRED_PER_TICK):
                    self._remove(index, key)

    def expire_all(self, now: int) -> None:
        """Remove every expired key."""
        if self.paused:
            return
        for index, db in enumerate(self._databases):
            for key in db.due(now, len(db.deadlines)):
                self._remove(index, key)

    def next_deadline(self) -> int:
        """The earliest deadline in any database, 0 if there is none, or none that matters now."""
        if self.paused:
            return 0
        deadlines = [deadline for db in self._databases if db.deadlines and (deadline := db.next_deadline())]
        return min(deadlines, default=0)
