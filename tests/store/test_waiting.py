"""Who waits for which key, without commands: the order of `Waiting.due`, and what makes keys ready."""

from __future__ import annotations

from typing import Any

import pytest

from respcache.datatypes.hash import Hash
from respcache.datatypes.list import List
from respcache.datatypes.zset import ZSet
from respcache.store.call import Caller
from respcache.store.reports import Event
from respcache.store.shard import Shard
from respcache.store.waiting import Waiter
from tests.support.cost import calls_in


class Setup:
    """A shard with waiters. `due()` gives the numbers of those who are due, each of whom finds nothing (`blocked`) or
    takes what there is.
    """

    def __init__(self) -> None:
        self.shard = Shard(2)
        self.waiting = self.shard.waiting

    def wait(self, number: int, *keys: str, kind: type = List, db: int = 0, **how: Any) -> Waiter:
        caller = Caller(db, 2, number, True)
        on_removal, shared = how.get("on_removal", False), how.get("shared", False)
        waiter = Waiter(number, caller, [], [key.encode() for key in keys], (kind,), on_removal, shared)
        self.waiting.add(waiter)
        return waiter

    def push(self, key: str, *elements: str, kind: Any = List) -> None:
        items = self.shard.obtain(key.encode(), kind)
        if kind is List:
            items.extend([element.encode() for element in elements])
        elif kind is ZSet:
            items.update(dict.fromkeys([element.encode() for element in elements], 1.0))
        self.shard.changed(key.encode(), items, Event.LIST, b"rpush")

    def look(self, place: tuple[int, bytes]) -> Any:
        self.shard.select(place[0])
        return self.shard.peek(place[1])

    def due(self, *, blocked: tuple[int, ...] = (), hold: tuple[int, ...] = ()) -> list[int]:
        found = []
        for waiter in self.waiting.due(self.look):
            found.append(waiter.number)
            if waiter.number in hold:
                waiter.held = True
            elif waiter.number in blocked:
                self.waiting.add(waiter)
            else:
                self.take(waiter)
        self.shard.select(0)
        return found

    def take(self, waiter: Waiter) -> None:
        if waiter.shared:
            self.waiting.forget(waiter.number)
        for index, key in waiter.places:
            items = self.look((index, key))
            if type(items) is List:
                items.popleft()
                self.shard.changed(key, items, Event.LIST, b"lpop")
                return


@pytest.fixture
def it() -> Setup:
    return Setup()


class TestOrder:
    def test_first_come_first_served(self, it: Setup) -> None:
        for number in (3, 1, 2):
            it.wait(number, "k")
        it.push("k", "x", "y")
        assert it.due() == [3, 1]
        it.push("k", "z")
        assert it.due() == [2]
        assert it.waiting.places == {}

    def test_keys_in_the_order_in_which_they_came_into_being(self, it: Setup) -> None:
        for number, key in enumerate("abc"):
            it.wait(number, key)
        for key in "cab":
            it.push(key, "x")
        it.shard.delete(b"c")
        it.push("c", "y")
        assert it.due() == [2, 0, 1]

    def test_one_that_finds_nothing_is_the_last_then(self, it: Setup) -> None:
        for number in (1, 2, 3):
            it.wait(number, "k", "other")
        it.push("k", *"xyz")
        assert it.due(blocked=(1,)) == [1, 2, 3]
        it.push("other", "x")
        assert it.due() == [1]

    def test_each_key_once(self, it: Setup) -> None:
        it.wait(1, "k", "k", "l", "k")
        assert it.waiting.keys(2) == {0: (2, 0)}
        it.push("l", "x")
        assert it.due() == [1]
        assert it.waiting.keys(2) == {}

    def test_lines_by_type(self, it: Setup) -> None:
        it.wait(1, "k", kind=ZSet)
        it.wait(2, "k")
        it.wait(3, "k", kind=ZSet)
        it.push("k", "x")
        assert it.due() == [2]
        it.push("k", "m", kind=ZSet)
        assert it.due(blocked=(1, 3)) == [1, 3]

    def test_forgetting(self, it: Setup) -> None:
        for number in (1, 2, 3):
            it.wait(number, "k", "l")
        assert it.waiting.forget(2)
        assert not it.waiting.forget(2)
        assert not it.waiting.forget(4)
        it.push("k", *"xyz")
        assert it.due() == [1, 3]
        assert it.shard.observers == set()

    def test_a_database_of_another_number(self, it: Setup) -> None:
        it.wait(1, "k", db=1)
        it.push("k", "x")
        assert it.due() == []
        it.shard.select(1)
        it.push("k", "x")
        assert it.due() == [1]


class TestReadiness:
    def test_only_coming_into_being_counts(self, it: Setup) -> None:
        it.wait(1, "k")
        it.shard.put(b"k", b"string", Event.STRING, b"set")
        assert it.due() == []
        list_ = List(it.shard.limits)
        list_.extend([b"x"])
        it.shard.put(b"k", list_, Event.LIST, b"sortstore")
        it.push("k", "y")
        it.shard.set_deadline(b"k", 10**15)
        assert it.due() == []
        it.shard.replace(b"k", list_, None)
        assert it.due() == [1]

    def test_put_where_something_has_expired(self, it: Setup) -> None:
        it.wait(1, "k")
        it.shard.put(b"k", b"string", Event.STRING, b"set")
        it.shard.set_deadline(b"k", 1000)
        it.shard.set_time(1001)
        list_ = List(it.shard.limits)
        list_.extend([b"x"])
        it.shard.put(b"k", list_, Event.LIST, b"sortstore")
        assert it.due() == [1]

    def test_what_is_gone_again(self, it: Setup) -> None:
        it.wait(1, "k")
        it.push("k", "x")
        it.shard.delete(b"k")
        assert it.due() == []
        assert not it.waiting.ready

    @pytest.mark.parametrize("event", [b"xadd", b"xgroup-destroy"])
    def test_offers_to_what_is_there(self, it: Setup, event: bytes) -> None:
        it.push("k", "x")
        it.wait(1, "k")
        it.shard.changed(b"k", it.look((0, b"k")), Event.STREAM, b"xdel")
        assert it.due() == []
        it.shard.changed(b"k", it.look((0, b"k")), Event.STREAM, event)
        assert it.due() == [1]

    def test_removal(self, it: Setup) -> None:
        it.push("k", "x")
        it.wait(1, "k", on_removal=True)
        it.wait(2, "k")
        assert it.waiting.keys(2)[0][1] == 1
        it.shard.delete(b"k")
        assert it.due() == [1]
        assert it.waiting.keys(2)[0][1] == 0

    @pytest.mark.parametrize("how", ["expiry", "flush", "swap", "another type", "emptied"])
    def test_kinds_of_removal(self, it: Setup, how: str) -> None:
        it.push("k", "x")
        it.wait(1, "k", on_removal=True)
        match how:
            case "expiry":
                it.shard.set_deadline(b"k", 1000)
                it.shard.set_time(1001)
                it.shard.expiry.expire_due(1001)
            case "flush":
                it.shard.flush(0)
            case "swap":
                it.shard.swap(0, 1)
            case "another type":
                it.shard.put(b"k", Hash(it.shard.limits), Event.HASH, b"hset")
            case "emptied":
                items = it.look((0, b"k"))
                items.popleft()
                it.shard.changed(b"k", items, Event.LIST, b"lpop")
        assert it.due() == [1]

    def test_swapping_databases(self, it: Setup) -> None:
        it.wait(1, "k")
        it.wait(2, "k", db=1)
        it.push("l", "x")
        it.shard.swap(0, 1)
        assert it.due() == []
        it.shard.select(1)
        it.push("m", "x")
        it.wait(3, "l", "m")
        it.shard.swap(1, 0)
        assert it.due() == [3]


class TestHolding:
    """Waiters that main decides about."""

    def test_others_stay_behind(self, it: Setup) -> None:
        it.wait(1, "k", shared=True)
        it.wait(2, "k")
        it.push("k", "x", "y")
        assert it.due(hold=(1,)) == [1]
        it.push("k", "z")
        assert it.due() == []
        it.waiting.forget(1)
        assert it.due() == [2]

    def test_it_keeps_its_place(self, it: Setup) -> None:
        it.wait(1, "k", shared=True)
        it.wait(2, "k")
        it.push("k", "x")
        assert it.due(hold=(1,)) == [1]
        it.shard.delete(b"k")  # somebody was faster
        it.waiting.release(1)
        assert it.due() == []
        it.push("k", "y", "z")
        assert it.due() == [1, 2]

    def test_it_is_tried_once_for_each_change(self, it: Setup) -> None:
        it.wait(1, "k", shared=True)
        it.wait(2, "k")
        it.push("k", "x", "y")
        assert it.due(hold=(1,)) == [1]
        it.waiting.release(1)
        assert it.due(blocked=(2,)) == [2]
        assert it.due() == []
        it.shard.changed(b"k", it.look((0, b"k")), Event.STREAM, b"xadd")
        assert it.due(hold=(1,)) == [1]

    def test_only_keys_that_were_ready_are_ready_again(self, it: Setup) -> None:
        """It waits for a stream, say, to which nothing was added: others who do so have nothing to look for."""
        it.push("quiet", "x")
        it.wait(1, "k", "quiet", shared=True)
        it.wait(2, "quiet", shared=True)
        it.push("k", "x")
        assert it.due(hold=(1,)) == [1]
        it.waiting.release(1)
        assert it.due() == []
        it.push("k", "y")
        it.shard.changed(b"k", it.look((0, b"k")), Event.STREAM, b"xadd")
        assert it.due(hold=(1,)) == [1]
        it.waiting.forget(1)
        assert it.due() == []

    def test_releasing_one_that_is_gone(self, it: Setup) -> None:
        it.waiting.release(1)
        assert it.due() == []

    def test_another_type_is_told_once(self, it: Setup) -> None:
        it.wait(1, "k", shared=True)
        it.wait(2, "k", kind=ZSet, shared=True)
        it.wait(3, "k")
        it.push("k", "m", kind=ZSet)
        assert it.due(hold=(2,)) == [2]
        assert [waiter.number for waiter in it.waiting.spoilt] == [1]
        it.waiting.spoilt.clear()
        it.shard.delete(b"k")
        it.push("k", "m", kind=ZSet)
        assert it.due() == []
        assert it.waiting.spoilt == []


def test_a_thousand_clients_on_one_key(it: Setup) -> None:
    """Each push costs the same, however many wait."""
    few, many = Setup(), it
    for number in range(10):
        few.wait(number, "k")
    for number in range(1000):
        many.wait(number, "k")

    def push(setup: Setup) -> None:
        setup.push("k", "x")
        assert len(setup.due()) == 1

    assert calls_in(lambda: push(many)) == calls_in(lambda: push(few))
    for _ in range(998):
        push(many)
    assert calls_in(lambda: push(many)) <= calls_in(lambda: push(few)) + 5
    assert many.waiting.keys(2) == {}
