"""What a command handler sees: the databases of its shard, and a few doors to them.

A handler looks at values through `look` and `find`, gets one to fill through `obtain`, and gives every modified value
back through `changed` (or `put`, `delete`). These doors, and nothing else, see to expiry, the removal of empty
collections, watchers and keyspace events. `touch` is about the access time, `modified` about modification.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, cast

from respcache.datatypes.limits import Limits
from respcache.datatypes.types import MAY_BE_EMPTY
from respcache.errors import WrongType
from respcache.slots import shards_of_slots, slot_of
from respcache.store.accesses import Accesses, frequency, store
from respcache.store.call import Call
from respcache.store.expiry import Expiry
from respcache.store.figures import Figures
from respcache.store.guests import ForeignKeys, Guests
from respcache.store.reports import Event, Reports
from respcache.store.snapshots import Snapshots
from respcache.store.tracking import Tracking
from respcache.store.waiting import CHANGED, CREATED, OVERWRITTEN, REMOVED, Waiting
from respcache.store.watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from respcache.store.keyspace import Place

__all__ = ["Event", "Shard"]

T = TypeVar("T")


class Shard(Call):
    """The data of one shard, and the circumstances of the command that is running."""

    def __init__(
        self,
        databases: int = 16,
        seed: int | None = None,
        limits: Limits | None = None,
        index: int = 0,
        shards: int = 1,
    ) -> None:
        # The one source of randomness.
        self.random = Random(seed)
        # Whether it is recorded when keys were last accessed, or how often.
        self.accesses = Accesses(self.random)
        super().__init__(databases, self.accesses)
        # Which of all shards this is, and how many there are.
        self.index = index
        self.shards = shards
        # The settings that decide encodings and sizes; shared with every collection, so it is never replaced.
        self.limits = limits or Limits()
        # What INFO shows.
        self.figures = Figures()
        # What main must hear, and which keyspace events it wants to hear.
        self.reports = Reports()
        # Those of the next five that have to be told of changes of keys. Mostly empty, which is all that is looked at
        # with every change.
        self.observers: set[object] = set()
        # Whose EXEC must fail.
        self.watching = Watching(self.observers)
        # Keys of other shards that are here while one command runs.
        self.guests = Guests(self.databases, self.observers)
        # Who waits for which key.
        self.waiting = Waiting(self.observers)
        # What the databases held at earlier moments.
        self.snapshots = Snapshots(
            self.databases,
            range(databases),
            self.limits,
            self.figures,
            self.observers,
            self.watching,
            self.guests,
            self.waiting,
        )
        # Who has read which key, for clients that cache.
        self.tracking = Tracking(self.observers, self.reports, self.random, databases, index, shards)
        # When keys go because of their deadlines.
        self.expiry = Expiry(self.databases, self._remove_expired)
        # What runs scripts, set by the worker: `respcache.commands.scripting.running.Scripting`.
        self.scripting: Any = None
        # The shard of each hash slot.
        self._shard_of_slot = shards_of_slots(shards)

    def require(self, keys: Iterable[bytes]) -> None:
        """Announce keys of the selected database that the command is going to use without having named them.

        Raises ForeignKeys if some live on other shards and are no guests here, so call it before any change.
        """
        places = [
            (self.db_index, key)
            for key in keys
            if not self.owns(key) and (self.db_index, key) not in self.guests.places
        ]
        if places:
            raise ForeignKeys(places)

    def owns(self, key: bytes) -> bool:
        """True if the key belongs to this shard."""
        return self._shard_of_slot[slot_of(key)] == self.index

    # -- looking

    def look(self, key: bytes) -> Any:
        """The live value of a key whatever its type, or None. Counts as an access, a hit or a miss."""
        db = self.db
        slot = db.slots.get(key)
        if slot is None or (db.deadlines and self._expire_if_due(key)):
            self.figures.misses += 1
            if self.reports.kinds:
                self.notify(Event.MISS, b"keymiss", key)
            return None
        self.figures.hits += 1
        if self.touch:
            db.accessed[slot] = self.now_seconds
        return db.values[slot]

    def look_untouched(self, key: bytes) -> Any:
        """Like `look`, but the access time stays (EXISTS, TYPE, TTL)."""
        touch, self.touch = self.touch, False
        value = self.look(key)
        self.touch = touch
        return value

    def peek(self, key: bytes) -> Any:
        """Like `look`, but leaves no trace: no access time, no hit or miss (OBJECT, SCAN, RANDOMKEY)."""
        db = self.db
        slot = db.slots.get(key)
        if slot is None or (db.deadlines and self._expire_if_due(key)):
            return None
        return db.values[slot]

    def find(self, key: bytes, kind: type[T]) -> T | None:
        """The value of a key, which must be a `kind`, or None. Raises WrongType. For commands that read."""
        value = self.look(key)
        if value is None or type(value) is kind:
            return value
        raise WrongType

    def find_string(self, key: bytes) -> bytes | bytearray | None:
        """Like `find`, for strings, which come as `bytes`, or as `bytearray` once changed in place."""
        value = self.look(key)
        if type(value) is bytes or value is None or type(value) is bytearray:
            return value
        raise WrongType

    def edit(self, key: bytes, kind: type[T]) -> T | None:
        """Like `find`, for commands that write: neither a hit nor a miss. None if there is no such key."""
        value = self.look_to_write(key)
        if value is None or type(value) is kind:
            return value
        raise WrongType

    def edit_string(self, key: bytes) -> bytes | bytearray | None:
        """Like `find_string`, for commands that write."""
        value = self.look_to_write(key)
        if type(value) is bytes or value is None or type(value) is bytearray:
            return value
        raise WrongType

    def obtain(self, key: bytes, kind: Callable[[Limits], T]) -> T:
        """The value of a key to be written, or a new, empty one (stored by `changed`, if it is not empty then)."""
        value = self.look_to_write(key)
        if value is None:
            return kind(self.limits)
        if type(value) is kind:
            return cast("T", value)
        raise WrongType

    def look_to_write(self, key: bytes) -> Any:
        """The live value of a key that is about to be changed, or None: an access, but neither a hit nor a miss."""
        db = self.db
        slot = db.slots.get(key)
        if slot is None or (db.deadlines and self._expire_if_due(key)):
            return None
        if self.touch:
            db.accessed[slot] = self.now_seconds
        return db.values[slot]

    # -- accesses of an existing key, for commands that show or set them

    def idle_seconds(self, key: bytes) -> int:
        """For how long it was not accessed."""
        return self.accesses.idle_seconds(self.db.accessed[self.db.slots[key]], self.now_seconds)

    def frequency(self, key: bytes) -> int:
        """About the logarithm of how often it was accessed, from 0 to 255. Means something with an LFU policy only."""
        return self.accesses.counter(self.db.accessed[self.db.slots[key]], self.now_seconds)

    def set_idle(self, key: bytes, seconds: int) -> None:
        """Let it be as if it was last accessed so long ago. As in Redis, nothing happens with an LFU policy."""
        if not self.accesses.counting:
            self.db.accessed[self.db.slots[key]] = max(self.now_seconds - seconds, 0)

    def set_frequency(self, key: bytes, counter: int) -> None:
        """Let it have this frequency, from 0 to 255. As in Redis, nothing happens without an LFU policy."""
        if self.accesses.counting:
            store(self.db.accessed, self.db.slots[key], frequency(counter, self.now_seconds))

    # -- changing

    def changed(self, key: bytes, value: Any, kind: str, event: bytes) -> None:
        """The one door back for a value that was modified in place or made by `obtain`; the deadline stays.

        An empty collection is removed, unless it is a stream. `kind` is a letter of `Event`, `event` the name that
        subscribers see.
        """
        db = self.db
        slot = db.slots.get(key)
        if slot is None:
            if len(value) == 0 and type(value) not in MAY_BE_EMPTY:
                return
            db.insert(key, value, self.now)
            if self.reports.kinds:
                self.notify(Event.NEW, b"new", key)
        else:
            db.values[slot] = value
        self.figures.changes += 1
        if self.observers:
            self._tell((self.db_index, key), CREATED if slot is None else CHANGED, event)
        if self.reports.kinds:
            self.notify(kind, event, key)
        if len(value) == 0 and type(value) not in MAY_BE_EMPTY:
            db.discard(key)
            if self.observers:
                self._tell((self.db_index, key), REMOVED)
            if self.reports.kinds:
                self.notify(Event.GENERIC, b"del", key)

    def noted(self, key: bytes, kind: str = "", event: bytes = b"", *, changes: int = 1) -> None:
        """A value was modified in what does not count as its content: WATCH is not told (the groups of a stream).

        Sends a keyspace event if one is named. `changes` is how many changes INFO counts.
        """
        self.figures.changes += changes
        if self.observers:
            place = self.db_index, key
            self.guests.modified(place, CHANGED)
            self.waiting.modified(place, CHANGED, event)
            self.snapshots.modified(place)
        if event and self.reports.kinds:
            self.notify(kind, event, key)

    def recast(self, key: bytes, value: bytes | bytearray) -> None:
        """Hold an existing string in another form with the same content, which modifies nothing."""
        db = self.db
        db.values[db.slots[key]] = value
        self.marked(key)

    def modified(self, key: bytes) -> None:
        """A value was modified in place by what has no keyspace event (the count that PFCOUNT keeps in it)."""
        self._modified(key, CHANGED)

    def marked(self, key: bytes) -> None:
        """A value has changed in a way that is a modification to nobody: its form, or who was seen reading it."""
        if self.observers:
            self.snapshots.modified((self.db_index, key))

    def put(self, key: bytes, value: Any, kind: str, event: bytes, *, keep_ttl: bool = False) -> None:
        """Store a value under a key whatever was there; its deadline goes unless `keep_ttl`."""
        db = self.db
        if self.reports.kinds and key not in db.slots:
            self.notify(Event.NEW, b"new", key)
        self.figures.changes += 1
        if self.observers:
            there = key in db.slots and not db.has_expired(key, self.now)
            self._tell((self.db_index, key), OVERWRITTEN if there else CREATED)
        db.insert(key, value, self.now)
        if db.deadlines and not keep_ttl:
            db.deadlines.pop(key, None)
        if self.reports.kinds:
            self.notify(kind, event, key)

    def delete(self, key: bytes, event: bytes = b"del") -> bool:
        """Remove a key. False if there was none; an expired key counts as none."""
        db = self.db
        if key not in db.slots or (db.deadlines and self._expire_if_due(key)):
            return False
        db.discard(key)
        self._modified(key, REMOVED)
        if self.reports.kinds:
            self.notify(Event.GENERIC, event, key)
        return True

    def deadline(self, key: bytes) -> int | None:
        """When a key expires, in milliseconds since the epoch; None for never."""
        return self.db.deadline(key)

    def set_deadline(self, key: bytes, deadline: int | None) -> None:
        """Give an existing key a deadline, or none. Sends no event: the names differ by command."""
        self.db.set_deadline(key, deadline)
        self._modified(key, CHANGED)

    def replace(self, key: bytes, value: Any, deadline: int | None, *, created: bool = True) -> None:
        """Store a value with its deadline, or remove the key (None). Sends no event: those of RENAME, MOVE and COPY
        differ, and what another shard made of a key was reported by that shard.

        The key counts as `created` by this, whatever was there.
        """
        if value is None:
            self.db.discard(key)
        else:
            self.db.insert(key, value, self.now)
            self.db.set_deadline(key, deadline)
        self._modified(key, REMOVED if value is None else CREATED if created else OVERWRITTEN)

    def flush(self, index: int) -> int:
        """Empty one database; how many keys it had."""
        db = self.databases[index]
        count = len(db)
        self.watching.flushed(index, db)
        self.guests.flushed(index)
        self.waiting.flushed(index, db)
        self.snapshots.flushed(index)
        db.clear()
        self.figures.changes += count
        return count

    def flush_all(self, indexes: Iterable[int]) -> None:
        """FLUSHALL and FLUSHDB: empty databases of the caller's namespace, and forget what clients cache of it."""
        for index in indexes:
            self.flush(index)
        self.tracking.flushed(self.namespace, self.client)

    def swap(self, first: int, second: int) -> None:
        """Exchange two databases. As in Redis, clients that cache are not told."""
        if first == second:
            return
        databases = self.databases
        # What has expired is not there: neither its going nor its coming is a change to those who watch the key.
        for key in self.watching.keys_of(first, second):
            for index in (first, second):
                if databases[index].has_expired(key, self.now):
                    self.expiry.expire(index, key)
        self.watching.swapped(databases, first, second)
        self.waiting.swapped(databases, first, second)
        self.snapshots.swapped(first, second)
        databases.exchange(first, second)
        self.select(self.db_index)
        self.figures.changes += 1

    def drop(self, namespace: int) -> None:
        """Forget a namespace. Its clients have gone."""
        for index in self.databases.block(namespace):
            self.flush(index)
        self.databases.drop(namespace)
        self.tracking.drop(namespace)

    def notify(self, kind: str, event: bytes, key: bytes) -> None:
        """Report a keyspace event of the selected database if ``notify-keyspace-events`` asks for its kind."""
        if kind in self.reports.kinds:
            self.reports.event(self.db_index, event, key)

    def _modified(self, key: bytes, change: int) -> None:
        """A key of the selected database was created, changed or removed."""
        self.figures.changes += 1
        if self.observers:
            self._tell((self.db_index, key), change)

    def _tell(self, place: Place, change: int, event: bytes = b"", *, expired: bool = False) -> None:
        """Tell whoever has to know. Mostly it is one of them: snapshots, in a test run that has prepared a state."""
        if self.watching.watchers:
            self.watching.modified(place)
        if self.tracking in self.observers and place not in self.guests.places:  # their own shards tell of guests
            self.tracking.modified(place, self.client, expired)
        if self.guests.places:
            self.guests.modified(place, change)
        if self.waiting.places:
            self.waiting.modified(place, change, event)
        self.snapshots.modified(place)

    # -- expiry

    @property
    def expiry_paused(self) -> bool:
        """True during CLIENT PAUSE: expired keys are hidden, but removed only after the pause."""
        return self.namespace in self.expiry.paused

    def _expire_if_due(self, key: bytes) -> bool:
        """Lazy expiry. True if the key has expired; it is removed then."""
        db = self.db
        deadline = db.deadlines.get(key)
        if deadline is None or deadline + db.shift >= self.now:
            return False
        self.expiry.expire(self.db_index, key)
        return True

    def _remove_expired(self, index: int, key: bytes) -> None:
        self.databases[index].discard(key)
        self.figures.expired += 1
        self.figures.changes += 1
        if self.observers:
            self._tell((index, key), REMOVED, expired=True)
        if Event.EXPIRED in self.reports.kinds:
            self.reports.event(index, b"expired", key)
