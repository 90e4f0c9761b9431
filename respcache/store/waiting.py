"""Blocking commands beside the data: who waits for which key, and who is served next.

A handler that finds nothing to take raises `Blocked`; the worker makes a `Waiter` of it, which waits for its keys, in
one queue per key. The doors of a shard tell what happens to keys that somebody waits for (`Waiting.modified`), which
makes some of them *ready*. After each command the worker asks who is `due`, and runs their words again.

The order is that of Redis 7.2's `blocked.c`: ready keys in the order in which they became ready, the waiters of a key
in the order in which they came. A waiter that still finds nothing waits behind all others then, as if it had just come.
A key is ready once it comes into being; one that is overwritten (SORT ... STORE) is not, which Redis' clients can tell.
A stream is ready also when something is added to it.

Some waiters wait for keys of other shards as well. Whether one of these is to be served is main's decision: it may be
*held* in its place, and everybody behind it in the line, until main has made up its mind.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from respcache.resp.types import NULL_ARRAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from respcache.resp.types import Argv, Reply
    from respcache.store.call import Caller
    from respcache.store.keyspace import Keyspace, Place

# The reply when the time is up, whatever the command.
TIMED_OUT = NULL_ARRAY

# What happens to a key. OVERWRITTEN: there was another value, which is replaced as a whole.
CREATED, CHANGED, OVERWRITTEN, REMOVED = range(4)
# Changes that make the key ready once more; others have nothing to offer to those that wait.
_OFFERS = frozenset((b"xadd", b"xgroup-destroy"))


class Blocked(Exception):
    """A blocking command finds nothing to take. It has changed nothing, and is run again when one of its keys is ready.

    keys: of the selected database, in the order in which they are to be looked at.
    timeout: in milliseconds from now, 0 for never. When it is over the reply is `TIMED_OUT`.
    otherwise: the reply where nothing may wait (MULTI, scripts).
    kinds: the types of value that make a key ready.
    argv: the words to run again, where they differ from what the client has sent (``$`` of XREAD).
    on_removal: the command is run again also when a key is removed or gets another type (XREADGROUP).
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        timeout: int,
        otherwise: Reply,
        kinds: tuple[type, ...],
        *,
        argv: Argv | None = None,
        on_removal: bool = False,
    ) -> None:
        super().__init__(keys)
        self.keys = keys
        self.timeout = timeout
        self.otherwise = otherwise
        self.kinds = kinds
        self.argv = argv
        self.on_removal = on_removal


class Waiter:
    """A client that waits for keys."""

    __slots__ = (
        "argv",
        "caller",
        "held",
        "kinds",
        "number",
        "on_removal",
        "places",
        "shared",
        "spoilt",
        "tried",
    )

    def __init__(
        self,
        number: int,
        caller: Caller,
        argv: Argv,
        keys: Sequence[bytes],
        kinds: tuple[type, ...],
        on_removal: bool,
        shared: bool = False,
    ) -> None:
        self.number = number  # by which main knows it
        self.caller = caller
        self.argv = argv  # the words to run again
        self.kinds = kinds  # types of value that can serve it
        self.on_removal = on_removal  # it is run again when a key is gone, or has another type
        self.places = [(caller.db, key) for key in dict.fromkeys(keys)]
        # It waits for keys of other shards as well, so main decides.
        self.shared = shared
        # Main is about to run it: it keeps its place until then, and others stay behind it.
        self.held = False
        # Main knows that one of its keys has a value of another type.
        self.spoilt = False
        # The last change of a key that main knew of when it ran the words in vain.
        self.tried = -1


_Line = OrderedDict[int, Waiter]  # by number, the first in front


class _Queue:
    """Those who wait for one key."""

    __slots__ = ("by_kind", "changed", "cut", "on_removal", "shared")

    def __init__(self) -> None:
        # The number of the last change that made the key ready.
        self.changed = 0
        # The key was ready, and those behind a waiter that is held have not been looked at.
        self.cut = False
        # How many of them wait for keys of other shards as well.
        self.shared = 0
        # By the type of value that they wait for. Empty lines are removed.
        self.by_kind: dict[type, _Line] = {}
        # Those among them that want to know when the key is removed.
        self.on_removal: _Line = OrderedDict()

    def add(self, waiter: Waiter) -> None:
        for kind in waiter.kinds:
            self.by_kind.setdefault(kind, OrderedDict())[waiter.number] = waiter
        if waiter.on_removal:
            self.on_removal[waiter.number] = waiter
        self.shared += waiter.shared

    def remove(self, waiter: Waiter) -> None:
        for kind in waiter.kinds:
            line = self.by_kind[kind]
            del line[waiter.number]
            if not line:
                del self.by_kind[kind]
        if waiter.on_removal:
            del self.on_removal[waiter.number]
        self.shared -= waiter.shared

    def for_value(self, kind: type) -> _Line:
        """Whom a value of this type concerns; NoneType: there is no key."""
        return self.by_kind.get(kind) or self.on_removal

    def spoil(self, kind: type) -> list[Waiter]:
        """The key has a value of this type now: those whom main has to tell that it is not theirs."""
        spoilt = []
        for other, line in self.by_kind.items():
            if other is not kind:
                spoilt += [waiter for waiter in line.values() if waiter.shared and not waiter.spoilt]
        for waiter in spoilt:
            waiter.spoilt = True
        return spoilt


class Waiting:
    """All waiters of a shard. `observers` holds this object while there are any: then the doors tell it of changes."""

    __slots__ = ("_changes", "_observers", "_waiters", "places", "ready", "spoilt")

    def __init__(self, observers: set[object]) -> None:
        self._observers = observers
        # Keys that somebody waits for.
        self.places: dict[Place, _Queue] = {}
        # Those of them that are ready, in that order. The worker holds on to this very object.
        self.ready: OrderedDict[Place, None] = OrderedDict()
        self._waiters: dict[int, Waiter] = {}  # by number
        # How many times a key became ready.
        self._changes = 0
        # Who has to be told that a key has another type; the worker empties it.
        self.spoilt: list[Waiter] = []

    def add(self, waiter: Waiter) -> None:
        """Let a client wait, behind all that wait already."""
        self._observers.add(self)
        self._waiters[waiter.number] = waiter
        for place in waiter.places:
            queue = self.places.get(place)
            if queue is None:
                queue = self.places[place] = _Queue()
            queue.add(waiter)

    def forget(self, number: int) -> bool:
        """Let a client wait no more. False if it did not."""
        waiter = self._waiters.pop(number, None)
        if waiter is None:
            return False
        for place in waiter.places:
            queue = self.places[place]
            queue.remove(waiter)
            if not queue.by_kind:
                del self.places[place]
            elif waiter.held:
                self._go_on(place, queue)
        if not self.places:
            self._observers.discard(self)
        return True

    def release(self, number: int) -> None:
        """Main has found nothing for a waiter that was held: it goes on waiting in its place."""
        waiter = self._waiters.get(number)
        if waiter is None:
            return
        waiter.held = False
        waiter.tried = self._changes
        for place in waiter.places:
            self._go_on(place, self.places[place])

    def _go_on(self, place: Place, queue: _Queue) -> None:
        """A waiter is held no more: those behind it have their turn, if the key was ready."""
        if queue.cut:
            queue.cut = False
            self.ready.setdefault(place)

    # -- what becomes ready

    def modified(self, place: Place, change: int, event: bytes) -> None:
        """Something happens to a key. `event`: the name of its keyspace event, for CHANGED."""
        queue = self.places.get(place)
        if queue is None:
            return
        if change == CREATED or (change == CHANGED and event in _OFFERS) or (change != CHANGED and queue.on_removal):
            self._make_ready(place, queue)

    def flushed(self, index: int, db: Keyspace) -> None:
        """Database number `index` is about to lose all its keys."""
        for place, queue in self.places.items():
            if place[0] == index and queue.on_removal and place[1] in db.slots:
                self._make_ready(place, queue)

    def filled(self, index: int, db: Keyspace) -> None:
        """All keys of database number `index` are new."""
        for place, queue in self.places.items():
            if place[0] == index and place[1] in db.slots:
                self._make_ready(place, queue)

    def swapped(self, databases: list[Keyspace], first: int, second: int) -> None:
        """Two databases are about to be exchanged. Those who wait stay with the numbers."""
        others = {first: databases[second], second: databases[first]}
        for place, queue in self.places.items():
            index, key = place
            if index in others and (key in others[index].slots or (queue.on_removal and key in databases[index].slots)):
                self._make_ready(place, queue)

    def _make_ready(self, place: Place, queue: _Queue) -> None:
        self._changes += 1
        queue.changed = self._changes
        self.ready.setdefault(place)

    def due(self, look: Callable[[Place], Any]) -> Iterator[Waiter]:
        """Those whose words are to be run again now, one after the other, until no key is ready.

        None of them waits any longer; `add` those that still find nothing. Those that are `shared` do wait, and are to
        be held or forgotten. `look` gives the value of a key. What the caller does with one of them may make more keys
        ready: their waiters come in their turn.
        """
        while self.ready:
            place, _ = self.ready.popitem(last=False)
            yield from self._due_for(place, look)

    def _due_for(self, place: Place, look: Callable[[Place], Any]) -> Iterator[Waiter]:
        queue = self.places.get(place)
        if queue is None:
            return
        kind = type(look(place))
        if queue.shared and kind is not type(None):
            self.spoilt += queue.spoil(kind)
        line = queue.for_value(kind)
        # Not more than there are now: those that find nothing come to the end of the line again.
        for count in range(len(line)):
            if not line or (count and type(look(place)) is not kind):
                return
            waiter = next(iter(line.values()))
            if waiter.held:
                queue.cut = True
                return
            if waiter.tried >= queue.changed:
                line.move_to_end(waiter.number)
                continue
            if not waiter.shared:
                self.forget(waiter.number)
            yield waiter

    # -- figures

    @property
    def keys(self) -> int:
        """How many keys somebody waits for."""
        return len(self.places)

    @property
    def keys_on_removal(self) -> int:
        """How many of them somebody waits for who wants to know when they are removed."""
        return sum(bool(queue.on_removal) for queue in self.places.values())
