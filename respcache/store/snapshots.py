"""Snapshots: what the databases of a shard held at a moment, so that they can hold it again.

The doors of a shard tell of a change when it has happened, too late to keep the old value. So taking a snapshot
copies the databases: strings by reference, as `bytes` never change, all other values in the form in which they travel
between shards (`respcache.store.images`). From then on the keys that change are noted: restoring puts back only those,
and the next snapshot copies only those.

The databases always derive from one snapshot, the one that was taken or restored last, and `_changed` says where they
differ from it. Where two snapshots differ is known for those that were taken one after the other. That makes a tree,
and what has to be put back to get to any snapshot is the sum along the way to it.

Too much to note is not noted key by key: a difference may cover a *whole* database. Restoring that costs as much as the
snapshot has keys. FLUSHALL would be such a case in every test that cleans up; so what it removes is put *aside*, and
restored in one piece.

Deadlines move along: a key has as much time left as it had. All that did not change move by the same time, which costs
nothing (`Keyspace.shift`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.errors import CommandError
from respcache.errors.texts import SNAPSHOT_GONE, SNAPSHOT_LIMIT
from respcache.store.images import Image, unpack
from respcache.store.waiting import CREATED, REMOVED

if TYPE_CHECKING:
    from respcache.datatypes.limits import Limits
    from respcache.store.figures import Figures
    from respcache.store.guests import Guests
    from respcache.store.keyspace import Contents, Keyspace, Place
    from respcache.store.waiting import Waiting
    from respcache.store.watching import Watching

# This many changed keys are always noted. More are only while they are fewer than twice the keys of the snapshot.
_FEW = 1024

# Places, in the order in which they changed: they are restored in that order, which those who wait for them can tell.
_Places = dict["Place", None]


class _Difference:
    """Where two states of the databases may differ: in these places, and anywhere in databases that are `whole`."""

    __slots__ = ("places", "whole")

    def __init__(self, places: _Places | None = None, whole: set[int] | None = None) -> None:
        self.places: _Places = {} if places is None else places
        self.whole: set[int] = set() if whole is None else whole

    def add(self, other: _Difference) -> None:
        self.places |= other.places
        self.whole |= other.whole

    def cover(self, index: int) -> None:
        """Anything may differ in database number `index`."""
        self.whole.add(index)
        self.take(index)

    def take(self, index: int) -> _Places:
        """Remove the places in one database."""
        places = {place: None for place in self.places if place[0] == index}
        self.places = {place: None for place in self.places if place[0] != index}
        return places

    def limit(self, most: int) -> None:
        """Note no more than so many places."""
        if len(self.places) > most:
            self.whole |= {index for index, _ in self.places}
            self.places = {}


class _Aside:
    """The contents of a database before it was emptied, and where they differ from those of the snapshot."""

    __slots__ = ("contents", "difference", "size")

    def __init__(self, contents: Contents, places: _Places, size: int) -> None:
        self.contents = contents
        self.difference = _Difference(places)
        self.size = size  # in bytes, about


class _Snapshot:
    __slots__ = ("images", "neighbours", "shift")

    def __init__(self, images: dict[int, Image], shift: int) -> None:
        self.images = images  # by the number of the database
        self.shift = shift  # of the deadlines, at that time
        # Snapshots with the difference to them: a tree.
        self.neighbours: dict[_Snapshot, _Difference] = {}

    @property
    def keys(self) -> int:
        return sum(image.count for image in self.images.values())

    @property
    def size(self) -> int:
        """Bytes that it would take alone, about."""
        return sum(image.size for image in self.images.values())

    def join(self, other: _Snapshot, difference: _Difference) -> None:
        self.neighbours[other] = other.neighbours[self] = difference


class Snapshots:
    """The snapshots of a block of databases of one shard, by numbers that main gives them.

    `observers` holds this object while there are any: then it is told of changes.
    """

    __slots__ = (
        "_aside",
        "_at",
        "_block",
        "_by_number",
        "_changed",
        "_databases",
        "_figures",
        "_guests",
        "_held",
        "_limits",
        "_most",
        "_observers",
        "_waiting",
        "_watching",
    )

    def __init__(
        self,
        databases: list[Keyspace],
        block: range,
        limits: Limits,
        figures: Figures,
        observers: set[object],
        watching: Watching,
        guests: Guests,
        waiting: Waiting,
    ) -> None:
        self._databases = databases
        self._block = block  # the numbers of those that the snapshots are about
        self._limits = limits
        self._figures = figures
        self._observers = observers
        self._watching = watching
        self._guests = guests
        self._waiting = waiting
        self._by_number: dict[int, _Snapshot] = {}
        # Bytes of all their images, about.
        self._held = 0
        # The one that the databases derive from; None if there is none at all.
        self._at: _Snapshot | None = None
        # Where they differ from it, besides the databases of `_aside`: by number, those that were emptied since.
        self._changed = _Difference()
        self._aside: dict[int, _Aside] = {}
        # How many changed places are noted.
        self._most = _FEW

    def __contains__(self, number: int) -> bool:
        return number in self._by_number

    @property
    def held(self) -> int:
        """Bytes that all of them take, about."""
        return self._held + sum(aside.size for aside in self._aside.values())

    # -- what happens to keys

    def modified(self, place: Place) -> None:
        """A key was created, changed or removed."""
        if self._at is None:
            return
        index, changed = place[0], self._changed
        if index in changed.whole or index in self._aside:
            return
        changed.places[place] = None
        if len(changed.places) > self._most:
            changed.limit(self._most)

    def flushed(self, index: int) -> None:
        """Database number `index` is about to lose all its keys."""
        if self._at is None or index in self._changed.whole or index in self._aside:
            return
        db, image = self._databases[index], self._at.images[index]
        places = self._changed.take(index)
        # It is worth putting aside if most of it is needed; and what belongs to others must not come back.
        if len(places) <= image.count and not any(place[0] == index for place in self._guests.places):
            self._aside[index] = _Aside(db.detach(), places, image.size)
        else:
            self._changed.cover(index)

    def swapped(self, first: int, second: int) -> None:
        """Two databases are exchanged."""
        if self._at is not None:
            for index in (first, second):
                if index not in self._aside:
                    self._changed.cover(index)

    # -- snapshots

    def take(self, number: int, limit: int) -> tuple[int, int]:
        """Keep the databases as they are now: how many keys, and about how many bytes they take by themselves.

        Raises CommandError if all snapshots together would hold more than `limit` bytes.
        """
        at = self._at
        difference = _Difference(self._changed.places, self._changed.whole.union(self._aside))
        changed: dict[int, list[bytes]] = {}
        for index, key in difference.places:
            changed.setdefault(index, []).append(key)
        images: dict[int, Image] = {}
        room = limit - self.held
        for index in self._block:
            db = self._databases[index]
            if at is None or index in difference.whole:
                images[index] = Image.of(db)
            elif index in changed:
                images[index] = at.images[index].updated(db, changed[index])
            else:
                images[index] = at.images[index]
                continue
            room -= images[index].own
            if room < 0:
                raise CommandError(SNAPSHOT_LIMIT)
        snapshot = self._by_number[number] = _Snapshot(images, self._databases[self._block[0]].shift)
        self._keep(snapshot)
        if at is not None:
            snapshot.join(at, difference)
        self._arrive(snapshot)
        self._observers.add(self)
        return snapshot.keys, snapshot.size

    def restore(self, number: int, elapsed: int, now: int) -> None:
        """Let the databases hold what they held then. Deadlines are `elapsed` milliseconds later than they were.

        Watchers and waiters are told. Raises CommandError if there is no such snapshot.
        """
        target, at = self._by_number.get(number), self._at
        if target is None or at is None:
            raise CommandError(SNAPSHOT_GONE)
        refilled = [*self._aside]
        for index in refilled:
            self._tell_all(index)
        for index, aside in self._aside.items():
            self._databases[index].attach(aside.contents)
        difference = self._sum_to(target)
        for index in self._block:
            db = self._databases[index]
            db.shift = target.shift + elapsed
            if index in difference.whole:
                if index not in self._aside:
                    self._tell_all(index)
                    refilled.append(index)
                packed, deadlines = target.images[index].contents()
                db.fill({key: unpack(self._limits, value) for key, value in packed.items()}, deadlines, now)
                self._figures.changes += len(packed)
        for place in difference.places:
            if place[0] not in difference.whole:
                self._put_back(place, target.images[place[0]], now)
        for index in refilled:
            self._tell_all(index)
            self._waiting.filled(index, self._databases[index])
        self._arrive(target)

    def drop(self, number: int) -> None:
        """Forget a snapshot, if there is one."""
        dropped = self._by_number.pop(number, None)
        if dropped is None:
            return
        self._let_go(dropped)
        neighbours = dropped.neighbours
        # One of its neighbours takes its place: between the others, and for the databases.
        heir = next(iter(neighbours), None)
        for other in neighbours:
            del other.neighbours[dropped]
        if heir is None:
            self._at = None
            self._changed = _Difference()
            self._aside.clear()
            self._observers.discard(self)
            return
        way = neighbours.pop(heir)
        for other, difference in neighbours.items():
            difference.add(way)
            difference.limit(_most(other))
            other.join(heir, difference)
        if self._at is dropped:
            self._derive_from(heir, way)

    def _derive_from(self, heir: _Snapshot, way: _Difference) -> None:
        """The databases derived from a snapshot that is gone; `way` is its difference to its heir."""
        self._at = heir
        self._most = _most(heir)
        for index in way.whole.intersection(self._aside):
            del self._aside[index]
        for index, aside in self._aside.items():
            aside.difference.places |= {place: None for place in way.places if place[0] == index}
        self._changed.whole |= way.whole
        self._changed.places |= {place: None for place in way.places if place[0] not in self._aside}
        self._changed.limit(self._most)

    def _keep(self, snapshot: _Snapshot) -> None:
        """Count its images, with all that they need."""
        for image in snapshot.images.values():
            layer: Image | None = image
            while layer is not None:
                layer.users += 1
                if layer.users == 1:
                    self._held += layer.own
                layer = layer.base

    def _let_go(self, snapshot: _Snapshot) -> None:
        for image in snapshot.images.values():
            layer: Image | None = image
            while layer is not None:
                layer.users -= 1
                if not layer.users:
                    self._held -= layer.own
                layer = layer.base

    def _arrive(self, snapshot: _Snapshot) -> None:
        """The databases hold what this one has."""
        self._at = snapshot
        self._changed = _Difference()
        self._aside = {}
        self._most = _most(snapshot)

    def _sum_to(self, target: _Snapshot) -> _Difference:
        """Where the databases, with everything back that was put aside, may differ from a snapshot."""
        at = self._at
        assert at is not None
        total = self._changed
        for aside in self._aside.values():
            total.add(aside.difference)
        before: dict[_Snapshot, _Snapshot] = {at: at}
        ways = [at]
        for snapshot in ways:
            for other in snapshot.neighbours:
                if other not in before:
                    before[other] = snapshot
                    ways.append(other)
        while target is not at:
            total.add(target.neighbours[before[target]])
            target = before[target]
        return total

    def _put_back(self, place: Place, image: Image, now: int) -> None:
        index, key = place
        db = self._databases[index]
        kept = image.get(key)
        if kept is not None:
            packed, deadline = kept
            db.insert(key, unpack(self._limits, packed), now)
            db.set_deadline(key, None if deadline is None else deadline + db.shift)
        elif not db.discard(key):
            return
        self._figures.changes += 1
        self._watching.modified(place)
        self._waiting.modified(place, REMOVED if kept is None else CREATED, b"")

    def _tell_all(self, index: int) -> None:
        """Every key that a database has now is modified by what happens."""
        db = self._databases[index]
        self._watching.flushed(index, db)
        self._waiting.flushed(index, db)


def _most(snapshot: _Snapshot) -> int:
    return _FEW + 2 * snapshot.keys
