"""Consumer groups against dicts, and what they cost."""

from __future__ import annotations

import marshal
from itertools import islice

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from respcache.datatypes.stream_groups import Delivery, Group, Pending
from tests.support.cost import calls_in

IDS = st.integers(1, 60)
NAMES = st.sampled_from([b"a", b"b", b"c"])


class GroupMachine(RuleBasedStateMachine):
    """Every rule does the same to a `Group`, and to a dict: id -> (consumer, time, count)."""

    def __init__(self) -> None:
        super().__init__()
        self.group = Group(0)
        self.model: dict[int, tuple[bytes, int, int]] = {}
        self.names: dict[bytes, int] = {}  # when each consumer was last given something
        self.now = 0

    def consumer(self, name: bytes) -> None:
        if name not in self.names:
            self.group.create_consumer(name, self.now)
            self.names[name] = -1

    @rule(name=NAMES, ids=st.lists(IDS, unique=True), in_order=st.booleans())
    def deliver(self, name: bytes, ids: list[int], in_order: bool) -> None:
        self.now += 1
        self.consumer(name)
        self.group.deliver(self.group.consumers[name], sorted(ids) if in_order else ids, self.now)
        self.model.update(dict.fromkeys(ids, (name, self.now, 1)))
        self.names[name] = self.now if ids else self.names[name]

    @rule(ids=st.lists(IDS, max_size=30))
    def acknowledge(self, ids: list[int]) -> None:
        for id in ids:
            assert self.group.acknowledge(id) == (self.model.pop(id, None) is not None)

    @rule(count=st.integers(1, 40))
    def acknowledge_the_first(self, count: int) -> None:
        for id in sorted(self.model)[:count]:
            assert self.group.acknowledge(id)
            del self.model[id]

    @rule(name=NAMES, id=IDS)
    def claim(self, name: bytes, id: int) -> None:
        self.consumer(name)
        consumer = self.group.consumers[name]
        delivery = self.group.pending.get(id)
        assert (delivery is None) == (id not in self.model)
        if delivery is None:
            delivery = self.group.add(id, consumer, self.now)
        self.group.give(id, delivery, consumer)
        self.model[id] = name, delivery.time, delivery.count

    @rule(name=NAMES)
    def remove_consumer(self, name: bytes) -> None:
        removed = [id for id, (owner, _, _) in self.model.items() if owner == name]
        expected = len(removed) if self.names.pop(name, None) is not None else None
        assert self.group.remove_consumer(name) == expected
        for id in removed:
            del self.model[id]

    @rule()
    def travel(self) -> None:
        self.group = Group.load(marshal.loads(marshal.dumps(self.group.dump())))

    @rule()
    def copy(self) -> None:
        original = self.group
        self.group = Group.load(original.dump())
        for name in list(original.consumers):
            original.remove_consumer(name)  # which must not change the copy

    @rule(start=IDS, count=st.integers(0, 9))
    def walk(self, start: int, count: int) -> None:
        expected = sorted(id for id in self.model if id >= start)
        assert [id for id, _ in islice(self.group.pending.walk(start), count)] == expected[:count]

    @rule(name=NAMES, start=IDS, end=IDS)
    def walk_through_a_consumer(self, name: bytes, start: int, end: int) -> None:
        if name in self.names:
            found = list(self.group.consumers[name].pending.walk(start, end))
            expected = {id: seen for id, seen in self.model.items() if seen[0] == name and start <= id <= end}
            assert [id for id, _ in found] == sorted(expected)
            assert {id: (d.consumer, d.time, d.count) for id, d in found} == expected

    @rule()
    def remove_while_walking(self) -> None:
        for id, _ in self.group.pending.walk():
            if id % 2:
                self.group.acknowledge(id)
        self.model = {id: seen for id, seen in self.model.items() if not id % 2}

    @rule()
    def ends(self) -> None:
        pending = self.group.pending
        assert pending.first() == min(self.model, default=None)
        assert pending.last() == max(self.model, default=None)

    @invariant()
    def agrees(self) -> None:
        assert len(self.group.pending) == len(self.model)
        assert {name: c.active_time for name, c in self.group.consumers.items()} == self.names
        for name, consumer in self.group.consumers.items():
            assert set(consumer.pending) == {id for id, (owner, _, _) in self.model.items() if owner == name}
        for id, expected in self.model.items():
            delivery = self.group.pending.get(id)
            assert delivery is not None
            assert (delivery.consumer, delivery.time, delivery.count) == expected
            assert self.group.consumers[delivery.consumer].pending.get(id) is delivery
        assert self.group.pending.get(0) is None


TestGroup = pytest.mark.timeout(60)(GroupMachine.TestCase)
TestGroup.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)


@pytest.fixture
def many() -> Pending:
    pending = Pending()
    for id in range(1, 20_001):
        pending[id] = Delivery(b"a", 0, 1)
    return pending


def test_reading_and_acknowledging_makes_no_order(many: Pending) -> None:
    def work() -> None:
        for id in range(20_001, 20_101):
            many[id] = Delivery(b"a", 0, 1)
            many.pop(id - 20_000)

    assert calls_in(work) < 100 * 8


def test_the_front_is_found_although_all_before_it_was_removed(many: Pending) -> None:
    assert many.first() == 1
    for id in range(2, 9_001):
        many.pop(id)

    def ask() -> None:
        for _ in range(100):
            assert [id for id, _ in islice(many.walk(), 2)] == [1, 9_001]

    # The 9,000 ids that are gone are passed once, not a hundred times.
    assert calls_in(ask) < 100 * 60 + 9_000 * 3


def test_pages_of_a_history_that_is_acknowledged_meanwhile(many: Pending) -> None:
    def work() -> None:
        start = 0
        while page := [id for id, _ in islice(many.walk(start), 10)]:
            for id in page:
                many.pop(id)
            start = page[-1]

    assert calls_in(work) < 20_000 * 30
    assert len(many) == 0


def test_an_order_is_not_kept_for_ids_that_are_gone(many: Pending) -> None:
    assert many.last() == 20_000
    for id in range(1, 20_000):
        many.pop(id)
    assert many._order is None or len(many._order) < 2_000
    assert many.first() == many.last() == 20_000
