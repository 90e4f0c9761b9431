"""Keys of other shards, in the databases of this one for as long as one command runs.

A command that needs keys of several shards runs on one of them, with the others' keys as guests: it finds them in the
databases like any other key. Afterwards they leave, and those that were modified are handed back to their owners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.datatypes.types import dump_value, load_value
from respcache.store.waiting import CREATED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.datatypes.limits import Limits
    from respcache.store.keyspace import Keyspace, Place

# Database, key, type name (None for a nonexistent key), its data as `dump_value` gives it, deadline.
Guest = tuple[int, bytes, str | None, Any, int | None]
# The same, and whether the key came into being while it was a guest.
ChangedGuest = tuple[int, bytes, str | None, Any, int | None, bool]


class ForeignKeys(Exception):
    """A command needs keys that live on other shards: `places` holds (database, key). It has changed nothing yet."""

    def __init__(self, places: list[Place]) -> None:
        super().__init__(places)
        self.places = places


class Guests:
    """The guests of one shard."""

    __slots__ = ("_databases", "_modified", "_observers", "places")

    def __init__(self, databases: list[Keyspace], observers: set[object]) -> None:
        """`observers` holds this object while there are guests: then it is told of changes."""
        self._observers = observers
        # The databases of the shard.
        self._databases = databases
        # Where guests may be found now, nonexistent keys included. Empty except while such a command runs.
        self.places: dict[Place, None] = {}
        # Which of them were modified, and whether they came into being by that.
        self._modified: dict[Place, bool] = {}

    def arrive(self, guests: Sequence[Guest], limits: Limits, now: int) -> None:
        """Put the guests of a command into the databases."""
        self._observers.add(self)
        self.places = dict.fromkeys((guest[0], guest[1]) for guest in guests)
        for index, key, name, data, deadline in guests:
            if name is not None:
                db = self._databases[index]
                db.insert(key, load_value(limits, name, data), now)
                db.set_deadline(key, deadline)

    def modified(self, place: Place, change: int) -> None:
        """A key was created, changed or removed, maybe that of a guest."""
        if place in self.places:
            self._modified[place] = change == CREATED or self._modified.get(place, False)

    def flushed(self, index: int) -> None:
        """Database number `index` loses all its keys, those of guests too."""
        for place in self.places:
            if place[0] == index:
                self._modified[place] = False

    def leave(self) -> list[ChangedGuest]:
        """Remove all guests. Returns those that were modified, as they are now."""
        changed: list[ChangedGuest] = []
        for place in self.places:
            index, key = place
            db = self._databases[index]
            if place in self._modified:
                value = db.get(key)
                name, data = (None, None) if value is None else dump_value(value)
                changed.append((index, key, name, data, db.deadline(key), self._modified[place]))
            db.discard(key)
        self.places = {}
        self._observers.discard(self)
        self._modified.clear()
        return changed
