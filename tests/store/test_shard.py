"""The methods of a shard against a naive model: data, reports, and which watchers become dirty."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from respcache.datatypes.limits import Limits
from respcache.datatypes.list import List
from respcache.datatypes.set import Set
from respcache.errors import WrongType
from respcache.store.guests import ForeignKeys
from respcache.store.reports import EVENT, Event, EventFilter
from respcache.store.shard import Shard

KEYS = st.sampled_from([b"a", b"b", b"c"])
DATABASES = st.integers(0, 1)
CLIENTS = st.integers(1, 2)


class ShardMachine(RuleBasedStateMachine):
    """Every rule does the same to a `Shard` and to a dict of (database, key) -> [elements, deadline]."""

    def __init__(self) -> None:
        super().__init__()
        self.shard = Shard(2)
        self.shard.reports.listen(EventFilter.parse("Eglxmn"))
        self.shard.set_time(1000)
        self.model: dict[tuple[int, bytes], list[Any]] = {}
        self.events: list[tuple[int, bytes, bytes]] = []
        self.watches: dict[int, set[tuple[int, bytes]]] = {}
        self.dirty: set[int] = set()

    # -- the model

    @property
    def db(self) -> int:
        return self.shard.db_index

    def modified(self, place: tuple[int, bytes]) -> None:
        self.dirty |= {client for client, places in self.watches.items() if place in places}

    def expired(self, place: tuple[int, bytes]) -> bool:
        return place in self.model and self.model[place][1] is not None and self.model[place][1] < self.shard.now

    def look(self, key: bytes) -> list[Any] | None:
        """The entry of a live key. An expired key is removed, as by any access."""
        place = (self.db, key)
        if self.expired(place):
            if self.shard.expiry.paused:
                return None
            self.expire(place)
        return self.model.get(place)

    def expire(self, place: tuple[int, bytes]) -> None:
        del self.model[place]
        self.modified(place)
        self.events.append((place[0], b"expired", place[1]))

    def changed(self, key: bytes, event: bytes) -> None:
        self.modified((self.db, key))
        self.events.append((self.db, event, key))

    # -- what handlers do

    @rule(db=DATABASES)
    def select(self, db: int) -> None:
        self.shard.select(db)

    @rule(key=KEYS, element=st.sampled_from([b"x", b"y"]))
    def push(self, key: bytes, element: bytes) -> None:
        entry = self.look(key)
        if entry is None and (self.db, key) in self.model:
            return  # hidden by a pause, during which nothing is written
        elements = self.shard.obtain(key, List)
        elements.extend([element])
        self.shard.changed(key, elements, Event.LIST, b"rpush")
        if entry is None:
            self.model[self.db, key] = entry = [[], None]
            self.events.append((self.db, b"new", key))
        entry[0].append(element)
        self.changed(key, b"rpush")

    @rule(key=KEYS)
    def pop(self, key: bytes) -> None:
        entry = self.look(key)
        elements = self.shard.edit(key, List)
        if elements is None:
            assert entry is None
            return
        assert entry is not None
        assert elements.pop() == entry[0].pop()
        self.shard.changed(key, elements, Event.LIST, b"rpop")
        self.changed(key, b"rpop")
        if not entry[0]:
            del self.model[self.db, key]
            self.events.append((self.db, b"del", key))

    @rule(key=KEYS, keep_ttl=st.booleans())
    def put(self, key: bytes, keep_ttl: bool) -> None:
        if self.look(key) is None and (self.db, key) in self.model:
            return  # as in `push`
        # SET looks the key up first, so this does too: it removes an expired key.
        self.shard.look_to_write(key)
        self.shard.put(key, List(self.shard.limits, [b"z"]), Event.LIST, b"set", keep_ttl=keep_ttl)
        if (self.db, key) not in self.model:
            self.events.append((self.db, b"new", key))
        deadline = self.model.get((self.db, key), [None, None])[1] if keep_ttl else None
        self.model[self.db, key] = [[b"z"], deadline]
        self.changed(key, b"set")

    @rule(key=KEYS)
    def delete(self, key: bytes) -> None:
        live = self.look(key) is not None
        assert self.shard.delete(key) is live
        if live:
            del self.model[self.db, key]
            self.changed(key, b"del")

    @rule(key=KEYS, after=st.integers(0, 20) | st.none())
    def set_deadline(self, key: bytes, after: int | None) -> None:
        entry = self.look(key)
        self.shard.look_to_write(key)  # as handlers do: what has expired is gone
        if entry is not None:
            entry[1] = None if after is None else self.shard.now + after
            self.shard.set_deadline(key, entry[1])
            self.modified((self.db, key))

    @rule(key=KEYS)
    def find(self, key: bytes) -> None:
        entry = self.look(key)
        found = self.shard.find(key, List)
        assert (None if found is None else list(found)) == (None if entry is None else entry[0])
        if entry is None:
            self.events.append((self.db, b"keymiss", key))

    @rule(key=KEYS)
    def peek(self, key: bytes) -> None:
        assert (self.shard.peek(key) is None) is (self.look(key) is None)

    @rule(db=DATABASES)
    def flush(self, db: int) -> None:
        places = [place for place in self.model if place[0] == db]
        assert self.shard.flush(db) == len(places)
        for place in places:
            del self.model[place]
            self.modified(place)

    @rule()
    def swap(self) -> None:
        """Watched keys that have expired go first, wherever they are."""
        self.shard.swap(0, 1)
        for key in [key for places in self.watches.values() for _, key in places]:
            for place in (0, key), (1, key):
                if self.expired(place) and not self.shard.expiry.paused:
                    self.expire(place)
        self.model = {(1 - db, key): entry for (db, key), entry in self.model.items()}
        for db, key in list(self.model):
            self.modified((db, key))
            self.modified((1 - db, key))

    # -- time, and WATCH

    @rule(milliseconds=st.integers(1, 15))
    def wait(self, milliseconds: int) -> None:
        self.shard.set_time(self.shard.now + milliseconds)

    @rule(paused=st.booleans())
    def pause_expiry(self, paused: bool) -> None:
        self.shard.expiry.paused = paused

    @rule()
    def tick(self) -> None:
        self.shard.expiry.expire_due(self.shard.now)
        due = [] if self.shard.expiry.paused else [place for place in self.model if self.expired(place)]
        # Keys with the same deadline go in any order.
        assert sorted(self.heard()) == sorted((db, b"expired", key) for db, key in due)
        for place in due:
            del self.model[place]
            self.modified(place)

    @rule(client=CLIENTS, key=KEYS)
    def watch(self, client: int, key: bytes) -> None:
        self.look(key)
        self.shard.peek(key)
        self.shard.watching.watch(client, (self.db, key))
        self.watches.setdefault(client, set()).add((self.db, key))

    @rule(client=CLIENTS)
    def execute(self, client: int) -> None:
        dirty = self.shard.watching.is_dirty(client, self.shard.databases, self.shard.now)
        watched = self.watches.pop(client, None)
        if watched is not None:
            assert dirty is (client in self.dirty or any(map(self.expired, watched)))
        self.shard.watching.forget(client)
        self.dirty.discard(client)

    # -- always

    def heard(self) -> list[tuple[int, bytes, bytes]]:
        _, reports = self.shard.reports.take()
        assert all(report[:2] == (EVENT, 0) for report in reports)
        return [report[2:] for report in reports]

    @invariant()
    def reports_what_happened(self) -> None:
        assert self.heard() == self.events
        self.events = []

    @invariant()
    def holds_the_same(self) -> None:
        for index, db in enumerate(self.shard.databases):
            assert {key: list(value) for key, value in db.items()} == {
                key: entry[0] for (at, key), entry in self.model.items() if at == index
            }
        deadlines = [entry[1] for entry in self.model.values() if entry[1] is not None]
        assert self.shard.expiry.next_deadline() == (0 if self.shard.expiry.paused else min(deadlines, default=0))
        watched = {place for places in self.watches.values() for place in places}
        assert set(self.shard.watching.watchers) == watched


ShardMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
TestShard = ShardMachine.TestCase


@pytest.fixture
def shard() -> Shard:
    shard = Shard()
    shard.set_time(10_000)
    return shard


class TestLooking:
    def test_only_reads_count_as_hits_and_misses(self, shard: Shard) -> None:
        shard.put(b"k", b"v", Event.STRING, b"set")
        for look in (shard.look, shard.look_untouched, shard.find_string):
            assert look(b"k") == b"v"
            assert look(b"none") is None
        assert (shard.figures.hits, shard.figures.misses) == (3, 3)
        for look in (shard.peek, shard.look_to_write, shard.edit_string):
            assert look(b"k") == b"v"
            assert look(b"none") is None
        assert (shard.figures.hits, shard.figures.misses) == (3, 3)

    @pytest.mark.parametrize(
        ("door", "touches"),
        [("look", True), ("look_to_write", True), ("find_string", True), ("look_untouched", False), ("peek", False)],
    )
    @pytest.mark.parametrize("touch", [True, False])
    def test_access_times(self, shard: Shard, door: str, touches: bool, touch: bool) -> None:
        shard.put(b"k", b"v", Event.STRING, b"set")
        shard.set_time(20_000)
        shard.touch = touch  # False after CLIENT NO-TOUCH
        getattr(shard, door)(b"k")
        assert shard.db.accessed[0] == (20 if touches and touch else 10)
        assert shard.touch is touch

    def test_wrong_types(self, shard: Shard) -> None:
        shard.put(b"s", b"v", Event.STRING, b"set")
        shard.put(b"l", List(shard.limits, [b"x"]), Event.LIST, b"rpush")
        for door, key, kind in ((shard.find, b"s", List), (shard.edit, b"l", Set), (shard.obtain, b"s", Set)):
            with pytest.raises(WrongType):
                door(key, kind)
        for string in (shard.find_string, shard.edit_string):
            with pytest.raises(WrongType):
                string(b"l")

    def test_collections_get_the_limits_of_the_shard(self) -> None:
        limits = Limits()
        limits.set_max_intset_entries = 1
        made = Shard(limits=limits).obtain(b"k", Set)
        made.update([b"1", b"2"])
        assert made.encoding != b"intset"
        other = Shard().obtain(b"k", Set)
        other.update([b"1", b"2"])
        assert other.encoding == b"intset"


class TestChanging:
    def test_an_empty_string_stays(self, shard: Shard) -> None:
        for key, empty in ((b"k", b""), (b"buffer", bytearray())):
            shard.changed(key, empty, Event.STRING, b"append")
            assert shard.look(key) == b""

    def test_recasting_is_not_a_change(self, shard: Shard) -> None:
        shard.put(b"k", b"v", Event.STRING, b"set")
        shard.watching.watch(1, (0, b"k"))
        changes = shard.figures.changes
        shard.recast(b"k", bytearray(b"v"))
        assert type(shard.look(b"k")) is bytearray
        assert shard.figures.changes == changes
        assert not shard.watching.is_dirty(1, shard.databases, shard.now)

    def test_replace_also_replaces_the_deadline(self, shard: Shard) -> None:
        shard.reports.listen(EventFilter.parse("KEg$"))
        shard.watching.watch(1, (0, b"k"))
        shard.replace(b"k", b"v", 12_000)
        assert (shard.look(b"k"), shard.deadline(b"k")) == (b"v", 12_000)
        shard.replace(b"k", b"v", None)
        assert shard.deadline(b"k") is None
        shard.replace(b"k", None, None)
        assert shard.look(b"k") is None
        assert shard.reports.take() == ([], [])
        assert shard.watching.is_dirty(1, shard.databases, shard.now)

    def test_within_another_database(self, shard: Shard) -> None:
        shard.reports.listen(EventFilter.parse("K$"))

        def fail() -> None:
            with shard.within(5):
                shard.put(b"k", b"v", Event.STRING, b"set")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert (shard.db_index, shard.db) == (0, shard.databases[0])
        assert shard.reports.take()[1] == [(EVENT, 0, 5, b"set", b"k")]

    def test_a_swap_moves_the_selected_database(self, shard: Shard) -> None:
        shard.put(b"k", b"v", Event.STRING, b"set")
        shard.swap(0, 3)
        assert shard.look(b"k") is None
        shard.select(3)
        assert shard.look(b"k") == b"v"


class TestForeignKeys:
    """Keys of other shards: b"a" lives on the second of two, b"b" on the first."""

    def test_missing_foreign_keys_are_requested(self) -> None:
        shard = Shard(index=0, shards=2)
        shard.select(3)
        shard.require([b"b"])
        with pytest.raises(ForeignKeys) as lacking:
            shard.require([b"b", b"a", b"{a}1"])
        assert lacking.value.places == [(3, b"a"), (3, b"{a}1")]

    def test_guests_are_here_until_they_leave(self) -> None:
        shard = Shard(index=0, shards=2)
        guests = [(0, b"a", "string", b"v", 9), (2, b"a", None, None, None), (0, b"{a}", "string", b"w", None)]
        shard.guests.arrive(guests, shard.limits, 0)
        shard.require([b"a", b"{a}"])
        assert (shard.look(b"a"), shard.deadline(b"a")) == (b"v", 9)
        shard.put(b"b", b"own", Event.STRING, b"set")
        shard.set_deadline(b"a", None)
        with shard.within(2):
            shard.put(b"a", b"new", Event.STRING, b"set")
        changed = [(0, b"a", "string", b"v", None, False), (2, b"a", "string", b"new", None, True)]
        assert shard.guests.leave() == changed
        assert [list(db) for db in shard.databases[:3]] == [[b"b"], [], []]
        with pytest.raises(ForeignKeys):
            shard.require([b"a"])

    def test_a_flush_removes_guests(self) -> None:
        shard = Shard(index=0, shards=2)
        shard.guests.arrive([(0, b"a", "string", b"v", None), (1, b"a", "string", b"v", None)], shard.limits, 0)
        shard.flush(0)
        assert shard.guests.leave() == [(0, b"a", None, None, None, False)]
        assert shard.guests.leave() == []
