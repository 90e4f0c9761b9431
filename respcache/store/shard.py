"""What a command handler sees: the databases of its shard, and a few doors to them.

A handler looks at values through `look` and `find`, gets one to fill through `obtain`, and gives every modified value
back through `changed` (or `put`, `delete`). Behind these doors, and nowhere else, are expiry, the removal of empty
collections, watchers and keyspace notifications.

A shard never reads a clock: the main process stamps each frame, and `now` is that stamp.
"""

from __future__ import annotations

from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, cast

from respcache.datatypes.limits import LIMITS, Limits
from respcache.errors import WrongType
from respcache.slots import shards_of_slots, slot_of
from respcache.store.keyspace import Keyspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Set

T = TypeVar("T")

# The most keys that one tick of active expiry removes from a database, so that it never holds up commands for long;
# what is left is due at once, and the next tick comes at once.
EXPIRED_PER_TICK = 2000


class Event:
    """Keyspace notifications: which letter of ``notify-keyspace-events`` lets an event through."""

    GENERIC, STRING, LIST, SET, HASH, ZSET = "g", "$", "l", "s", "h", "z"
    EXPIRED, EVICTED, STREAM, MISS, NEW = "x", "e", "t", "m", "n"


class ForeignKeys(Exception):
    """A command needs keys that live on other shards: `places` holds (database, key). It has changed nothing yet."""

    def __init__(self, places: list[tuple[int, bytes]]) -> None:
        super().__init__(places)
        self.places = places


class Shard:
    """The data of one shard, and the circumstances of the command that is running.

    `now` is in milliseconds since the epoch. `client` is the id of the client whose command runs (0: main itself).
    """

    def __init__(
        self, databases: int = 16, seed: int | None = None, limits: Limits = LIMITS, index: int = 0, shards: int = 1
    ) -> None:
        self.index = index
        self.databases = [Keyspace() for _ in range(databases)]
        self.db = self.databases[0]
        self.db_index = 0
        self.now = 0
        self.client = 0
        self.protocol = 2
        self.touch = True  # CLIENT NO-TOUCH turns off that reads count as access
        # CLIENT PAUSE: keys whose time is over are no longer seen, but only removed after the pause.
        self.expiry_paused = False
        self.random = Random(seed)
        self.limits = limits
        self.hits = self.misses = self.expired = self.changes = 0
        self.notify_flags = ""
        # (database, event, key), in order; the worker sends them along with the replies.
        self.events: list[tuple[int, bytes, bytes]] = []
        # Who watches a key, and whose EXEC must fail. WATCH is kept here, beside the data.
        self.watchers: dict[tuple[int, bytes], set[int]] = {}
        self.watched_by: dict[int, set[tuple[int, bytes]]] = {}
        self.dirty: set[int] = set()
        # While keys of other shards are guests here: which these are, and which keys were modified.
        self.guests: Set[tuple[int, bytes]] = frozenset()
        self.touched: set[tuple[int, bytes]] | None = None
        self._shard_of_slot = shards_of_slots(shards)

    def select(self, index: int) -> None:
        self.db_index = index
        self.db = self.databases[index]

    @contextmanager
    def within(self, index: int) -> Iterator[None]:
        """Another database for the length of a `with` block (MOVE, COPY)."""
        home = self.db_index
        self.select(index)
        try:
            yield
        finally:
            self.select(home)

    def require(self, keys: Iterable[bytes]) -> None:
        """Keys of the current database that the command is going to look at without having named them.

        Raises ForeignKeys when some live on other shards and are no guests here; so it comes before any change.
        """
        places = [
            (self.db_index, key)
            for key in keys
            if self._shard_of_slot[slot_of(key)] != self.index and (self.db_index, key) not in self.guests
        ]
        if places:
            raise ForeignKeys(places)

    # -- looking

    def look(self, key: bytes) -> Any:
        """The live value of a key whatever its type, or None. Counts as an access, a hit or a miss."""
        db = self.db
        slot = db.slots.get(key)
        if slot is None or (db.deadlines and self._expire_if_due(key)):
            self.misses += 1
            if self.notify_flags and "m" in self.notify_flags:
                self.notify(Event.MISS, b"keymiss", key)
            return None
        self.hits += 1
        if self.touch:
            db.accessed[slot] = self.now // 1000
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
        if value is None or type(value) is bytes or type(value) is bytearray:
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
        if value is None or type(value) is bytes or type(value) is bytearray:
            return value
        raise WrongType

    def obtain(self, key: bytes, kind: Callable[[], T]) -> T:
        """The value of a key to be written, or a new, empty one (stored by `changed`, if it is not empty then)."""
        value = self.look_to_write(key)
        if value is None:
            return kind()
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
            db.accessed[slot] = self.now // 1000
        return db.values[slot]

    # -- changing

    def changed(self, key: bytes, value: Any, kind: str, event: bytes) -> None:
        """The one door back for a value that was modified in place or made by `obtain`; the deadline stays.

        An empty collection is removed. `kind` is a letter of `Event`, `event` the name that subscribers see.
        """
        db = self.db
        slot = db.slots.get(key)
        if slot is None:
            if len(value) == 0 and type(value) is not bytes and type(value) is not bytearray:
                return
            db.insert(key, value, self.now)
            if self.notify_flags and "n" in self.notify_flags:
                self.notify(Event.NEW, b"new", key)
        else:
            db.values[slot] = value
        self._touched(key)
        if self.notify_flags:
            self.notify(kind, event, key)
        if len(value) == 0 and type(value) is not bytes and type(value) is not bytearray:
            db.discard(key)
            if self.notify_flags:
                self.notify(Event.GENERIC, b"del", key)

    def recast(self, key: bytes, value: bytes | bytearray) -> None:
        """Hold an existing string in another form, with the same content: nothing has changed for anybody."""
        db = self.db
        db.values[db.slots[key]] = value

    def put(self, key: bytes, value: Any, kind: str, event: bytes, *, keep_ttl: bool = False) -> None:
        """Store a value under a key whatever was there; its deadline goes unless `keep_ttl`."""
        db = self.db
        if self.notify_flags and "n" in self.notify_flags and key not in db.slots:
            self.notify(Event.NEW, b"new", key)
        db.insert(key, value, self.now)
        if db.deadlines and not keep_ttl:
            db.deadlines.pop(key, None)
        self.changes += 1
        if self.watchers or self.touched is not None:
            self._mark(key)
        if self.notify_flags:
            self.notify(kind, event, key)

    def delete(self, key: bytes, event: bytes = b"del") -> bool:
        """Remove a key; whether it was there (a key whose time is over was not)."""
        db = self.db
        if key not in db.slots or (db.deadlines and self._expire_if_due(key)):
            return False
        db.discard(key)
        self._touched(key)
        if self.notify_flags:
            self.notify(Event.GENERIC, event, key)
        return True

    def deadline(self, key: bytes) -> int | None:
        """When a key expires, in milliseconds since the epoch; None for never."""
        return self.db.deadlines.get(key)

    def set_deadline(self, key: bytes, deadline: int | None) -> None:
        """Give an existing key a deadline, or none. Sends no event: the names differ by command."""
        self.db.set_deadline(key, deadline)
        self._touched(key)

    def replace(self, key: bytes, value: Any, deadline: int | None) -> None:
        """Store a value with its deadline, or remove the key (None). Sends no event: those of RENAME, MOVE and COPY
        differ, and what another shard made of a key was told by that shard.
        """
        if value is None:
            self.db.discard(key)
        else:
            self.db.insert(key, value, self.now)
            self.db.set_deadline(key, deadline)
        self._touched(key)

    def flush(self, index: int) -> int:
        """Empty one database; how many keys it had."""
        db = self.databases[index]
        for watched in list(self.watchers):
            if watched[0] == index and watched[1] in db.slots:
                self._mark_watchers(watched)
        count = len(db)
        if self.touched is not None:
            self.touched.update((index, key) for key in db.members)
        db.clear()
        self.changes += count
        return count

    def swap(self, first: int, second: int) -> None:
        """Exchange two databases. A watched key counts as modified when it is in either of them."""
        if first == second:
            return
        for watched in list(self.watchers):
            index, key = watched
            if index in (first, second) and any(key in self.databases[i].slots for i in (first, second)):
                self._mark_watchers(watched)
        self.databases[first], self.databases[second] = self.databases[second], self.databases[first]
        self.select(self.db_index)
        self.changes += 1

    def notify(self, kind: str, event: bytes, key: bytes) -> None:
        """Record a keyspace event of the current database if ``notify-keyspace-events`` asks for its kind."""
        if kind in self.notify_flags:
            self.events.append((self.db_index, event, key))

    # -- time

    def _expire_if_due(self, key: bytes) -> bool:
        """Lazy expiry: remove the key if its time is over; whether it was."""
        deadline = self.db.deadlines.get(key)
        if deadline is None or deadline >= self.now:
            return False
        if not self.expiry_paused:
            self._expire(key)
        return True

    def _expire(self, key: bytes) -> None:
        self.db.discard(key)
        self.expired += 1
        self._touched(key)
        if self.notify_flags:
            self.notify(Event.EXPIRED, b"expired", key)

    def next_deadline(self) -> int:
        """The earliest deadline in any database, 0 if there is none, or none that matters now."""
        if self.expiry_paused:
            return 0
        deadlines = [deadline for db in self.databases if db.deadlines and (deadline := db.next_deadline())]
        return min(deadlines, default=0)

    def expire_due(self) -> None:
        """Active expiry: remove keys whose time is over, a bounded number of them."""
        if self.expiry_paused:
            return
        selected = self.db_index
        for index, db in enumerate(self.databases):
            if db.deadlines:
                self.select(index)
                for key in db.due(self.now, EXPIRED_PER_TICK):
                    self._expire(key)
        self.select(selected)

    # -- watching

    def watch(self, client: int, key: bytes) -> None:
        """From now on a change of the key fails the client's next EXEC."""
        # A key whose time is over already is removed first: that it goes later is no change then.
        self._expire_if_due(key)
        place = (self.db_index, key)
        self.watched_by.setdefault(client, set()).add(place)
        self.watchers.setdefault(place, set()).add(client)

    def unwatch(self, client: int) -> None:
        for place in self.watched_by.pop(client, ()):
            watching = self.watchers[place]
            watching.discard(client)
            if not watching:
                del self.watchers[place]
        self.dirty.discard(client)

    def is_dirty(self, client: int) -> bool:
        """Whether a key that the client watches was modified, or has expired since.

        A client that watches nothing here asks all the same if it watched keys of a shard that died: they are gone.
        """
        if client in self.dirty or client not in self.watched_by:
            return True
        for index, key in self.watched_by[client]:
            deadline = self.databases[index].deadlines.get(key)
            if deadline is not None and deadline < self.now:
                return True
        return False

    def _touched(self, key: bytes) -> None:
        self.changes += 1
        if self.watchers or self.touched is not None:
            self._mark(key)

    def _mark(self, key: bytes) -> None:
        """Tell whoever wants to know that a key was modified."""
        self._mark_watchers((self.db_index, key))
        if self.touched is not None:
            self.touched.add((self.db_index, key))

    def _mark_watchers(self, place: tuple[int, bytes]) -> None:
        self.dirty.update(self.watchers.get(place, ()))
