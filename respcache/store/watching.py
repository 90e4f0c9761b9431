"""WATCH, kept beside the data: who watches which key, and whose next EXEC must fail.

A client becomes dirty when a key that it watches is modified in any way, expiry and FLUSHALL included. It stays dirty
until its watches are forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.store.databases import Databases
    from respcache.store.keyspace import Keyspace, Place


class Watching:
    """The watches of all clients on the keys of one shard. Clients are ids."""

    __slots__ = ("_dirty", "_observers", "_places", "watchers")

    def __init__(self, observers: set[object]) -> None:
        """`observers` holds this object while anybody watches anything: then it is told of changes."""
        self._observers = observers
        # Watched keys, each with its clients.
        self.watchers: dict[Place, set[int]] = {}
        # The same the other way round.
        self._places: dict[int, set[Place]] = {}
        # Clients of whose keys at least one was modified.
        self._dirty: set[int] = set()

    def watch(self, client: int, place: Place) -> None:
        """From now on a modification of the key makes the client dirty."""
        self._observers.add(self)
        self._places.setdefault(client, set()).add(place)
        self.watchers.setdefault(place, set()).add(client)

    def forget(self, client: int) -> None:
        """Drop all watches of a client, which is clean then."""
        for place in self._places.pop(client, ()):
            clients = self.watchers[place]
            clients.discard(client)
            if not clients:
                del self.watchers[place]
        if not self.watchers:
            self._observers.discard(self)
        self._dirty.discard(client)

    def modified(self, place: Place) -> None:
        """A key was created, changed or removed."""
        self._dirty.update(self.watchers.get(place, ()))

    def flushed(self, index: int, db: Keyspace) -> None:
        """Database number `index` is about to lose all its keys, or has got them all. Only those are modified."""
        for place in self.watchers:
            if place[0] == index and place[1] in db.slots:
                self.modified(place)

    def keys_of(self, *databases: int) -> list[bytes]:
        """The keys that are watched in any of these databases."""
        return [key for index, key in self.watchers if index in databases]

    def swapped(self, databases: Databases, first: int, second: int) -> None:
        """Two databases are exchanged. A watched key counts as modified if either of them has it."""
        for place in self.watchers:
            index, key = place
            if index in (first, second) and (key in databases[first].slots or key in databases[second].slots):
                self.modified(place)

    def dirty(self, clients: list[int]) -> list[int]:
        """Those of these clients of whose keys one is known to have been modified."""
        return [client for client in clients if client in self._dirty]

    def is_dirty(self, client: int, databases: Databases, now: int) -> bool:
        """True if a key that the client watches was modified, or has expired since.

        A client without watches here is asked about only if it watched keys of this shard before the shard died: those
        keys are gone, so it is dirty.
        """
        if client in self._dirty or client not in self._places:
            return True
        return any(databases[index].has_expired(key, now) for index, key in self._places[client])
