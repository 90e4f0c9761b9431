"""A database of a shard, compared with a plain dict; the guarantees of cursors; the heap of deadlines."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from respcache.store.keyspace import _LITTER, Keyspace

KEYS = st.binary(max_size=1) | st.sampled_from([b"key:%d" % i for i in range(40)])
TIMES = st.integers(0, 50)


class KeyspaceMachine(RuleBasedStateMachine):
    """Every rule does the same to a `Keyspace` and to plain dicts, while one walk with a cursor goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.keyspace = Keyspace()
        self.values: dict[bytes, int] = {}
        self.accessed: dict[bytes, int] = {}
        self.deadlines: dict[bytes, int] = {}
        self.cursor = 0
        self.all_the_time: set[bytes] = set()  # present since the walk began
        self.seen: set[bytes] = set()

    @rule(key=KEYS, value=st.integers(), now=TIMES)
    def insert(self, key: bytes, value: int, now: int) -> None:
        self.keyspace.insert(key, value, now * 1000 + 999)
        self.values[key], self.accessed[key] = value, now

    @rule(key=KEYS)
    def discard(self, key: bytes) -> None:
        assert self.keyspace.discard(key) is (key in self.values)
        self._forget(key)

    @rule(key=KEYS, deadline=TIMES | st.none())
    def set_deadline(self, key: bytes, deadline: int | None) -> None:
        if key not in self.values:
            return
        self.keyspace.set_deadline(key, deadline)
        if deadline is None:
            self.deadlines.pop(key, None)
        else:
            self.deadlines[key] = deadline

    @rule(now=TIMES, limit=st.integers(0, 5))
    def expire(self, now: int, limit: int) -> None:
        over = sorted(deadline for deadline in self.deadlines.values() if deadline < now)
        removed = []
        for key in self.keyspace.due(now, limit):
            removed.append(self.deadlines[key])
            self.keyspace.discard(key)
            self._forget(key)
        assert removed == over[:limit]

    @rule()
    def clear(self) -> None:
        self.keyspace.clear()
        for key in list(self.values):
            self._forget(key)

    @rule(seed=st.integers())
    @precondition(lambda self: self.values)
    def choose(self, seed: int) -> None:
        assert self.keyspace.choice(Random(seed)) in self.values

    @rule(count=st.integers(1, 10))
    def scan(self, count: int) -> None:
        if self.cursor == 0:
            self.all_the_time, self.seen = set(self.values), set()
        self.cursor, keys = self.keyspace.scan(self.cursor, count)
        assert len(keys) <= count
        assert self.values.keys() >= set(keys)
        self.seen.update(keys)
        if self.cursor == 0:
            assert self.seen >= self.all_the_time

    def _forget(self, key: bytes) -> None:
        for known in (self.values, self.accessed, self.deadlines):
            known.pop(key, None)
        self.all_the_time.discard(key)

    @invariant()
    def holds_the_same(self) -> None:
        assert dict(self.keyspace.items()) == self.values
        assert len(self.keyspace) == len(self.values)
        assert dict(zip(self.keyspace.members, self.keyspace.accessed, strict=True)) == self.accessed
        assert self.keyspace.slots == {key: slot for slot, key in enumerate(self.keyspace.members)}
        assert self.keyspace.deadlines == self.deadlines
        assert self.keyspace.next_deadline() == min(self.deadlines.values(), default=None)


KeyspaceMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestKeyspace = KeyspaceMachine.TestCase


def test_the_heap_stays_small_when_deadlines_change() -> None:
    keyspace = Keyspace()
    for i in range(10):
        keyspace.insert(b"%d" % i, i, 0)
    for deadline in range(20_000):
        keyspace.set_deadline(b"%d" % (deadline % 10), deadline)
        assert len(keyspace._heap) <= 2 * 10 + _LITTER
    assert keyspace.next_deadline() == 19_990


def test_the_heap_stays_small_when_keys_come_and_go() -> None:
    keyspace = Keyspace()
    for i in range(20_000):
        keyspace.insert(b"k", i, 0)
        keyspace.set_deadline(b"k", 1_000_000 + i)
        assert len(keyspace._heap) <= 2 + _LITTER
        keyspace.discard(b"k")
    assert keyspace.next_deadline() is None
    assert not keyspace._heap


def test_a_key_expires_after_its_deadline_not_at_it() -> None:
    keyspace = Keyspace()
    keyspace.insert(b"k", 1, 0)
    keyspace.set_deadline(b"k", 1000)
    assert list(keyspace.due(1000, 10)) == []
    assert list(keyspace.due(1001, 1)) == [b"k"]
