"""Dicts with numbered keys, against plain dicts. Walks miss nothing, whatever happens during them."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from respcache.datatypes.indexed import IndexedDict, IndexedSet

KEYS = st.sampled_from([b"", b"a", b"b", b"c", b"d", b"\xff", b"1", b"2"])
VALUES = st.integers(0, 9)


class IndexedMachine(RuleBasedStateMachine):
    """Every rule does the same to both classes and to a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.members = IndexedSet()
        self.mapping: IndexedDict[int] = IndexedDict()
        self.model: dict[bytes, int] = {}

    @initialize(model=st.dictionaries(KEYS, VALUES))
    def build(self, model: dict[bytes, int]) -> None:
        self.members, self.mapping, self.model = IndexedSet(model), IndexedDict(model.items()), dict(model)

    @rule(key=KEYS, value=VALUES)
    def add(self, key: bytes, value: int) -> None:
        assert self.members.add(key) == (key not in self.model)
        self.mapping[key] = value
        self.model[key] = value

    @rule(key=KEYS)
    def discard(self, key: bytes) -> None:
        present = self.model.pop(key, None) is not None
        assert self.members.discard(key) == present
        assert self.mapping.discard(key) == present

    @rule()
    def clear(self) -> None:
        self.mapping.clear()
        self.members = IndexedSet()
        self.model.clear()

    @rule(seed=st.integers(0, 9), count=st.integers(0, 9))
    def pick(self, seed: int, count: int) -> None:
        sampled = self.members.sample(Random(seed), count)
        assert len(sampled) == len(set(sampled)) == min(count, len(self.model))
        assert set(sampled) <= self.model.keys()
        if self.model:
            assert self.mapping.choice(Random(seed)) in self.model

    @invariant()
    def agrees(self) -> None:
        assert sorted(self.members) == sorted(self.mapping) == sorted(self.model)
        assert len(self.members) == len(self.mapping) == len(self.model)
        assert dict(self.mapping.items()) == self.model
        for key, value in self.model.items():
            assert key in self.members
            assert self.mapping[key] == self.mapping.get(key) == value
        assert b"missing" not in self.mapping
        assert self.mapping.get(b"missing") is None


TestIndexed = pytest.mark.timeout(60)(IndexedMachine.TestCase)
TestIndexed.settings = settings(max_examples=40, stateful_step_count=20, deadline=None, derandomize=True)


# What happens between two steps of a walk: (True to add, False to remove; the number).
MEANWHILE = st.lists(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=8), max_size=12)


@given(size=st.integers(0, 30), count=st.integers(1, 12), meanwhile=MEANWHILE)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_a_walk_meets_all_that_stay(size: int, count: int, meanwhile: list[list[tuple[bool, int]]]) -> None:
    members = IndexedSet(b"%d" % number for number in range(size))
    always = set(members)
    seen: Counter[bytes] = Counter()
    new: set[bytes] = set()
    changes = iter(meanwhile)
    cursor, found = members.scan(0, count)
    while True:
        assert len(found) <= count
        seen.update(found)
        if cursor == 0:
            break
        for adding, number in next(changes, []):
            member = b"%d" % number
            if not adding:
                members.discard(member)
                always.discard(member)
            elif members.add(member):
                new.add(member)
        cursor, found = members.scan(cursor, count)
    assert seen.keys() >= always
    assert {member for member, times in seen.items() if times > 1} <= new


@given(meanwhile=st.lists(st.tuples(st.sampled_from("abx"), st.integers(0, 40)), max_size=40))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_walks_that_take_turns_miss_nothing(meanwhile: list[tuple[str, int]]) -> None:
    """Two walks over the same members, and removals, in any order."""
    members: IndexedDict[int] = IndexedDict((b"%d" % number, number) for number in range(41))
    seen: dict[str, set[bytes]] = {"a": set(), "b": set()}
    cursors = {"a": -1, "b": -1}  # not yet begun
    always = set(members)

    def step(walk: str) -> None:
        if cursors[walk]:
            cursors[walk], found = members.scan(max(cursors[walk], 0), 3)
            seen[walk].update(found)

    for action, number in meanwhile:
        if action == "x":
            member = b"%d" % number
            members.discard(member)
            always.discard(member)
        else:
            step(action)
    while any(cursors.values()):
        step("a")
        step("b")
    assert seen["a"] >= always
    assert seen["b"] >= always
    assert dict(members.items()) == {member: int(member) for member in always}


def test_a_walk_takes_no_more_steps_than_necessary() -> None:
    members = IndexedSet(b"%d" % number for number in range(95))
    cursor, found = members.scan(0, 10)
    steps = 1
    while cursor:
        cursor, more = members.scan(cursor, 10)
        # If a walk met new members, it might never end.
        for number in range(20):
            members.add(b"new %d %d" % (steps, number))
        found += more
        steps += 1
    assert steps == 10
    assert sorted(found) == sorted(b"%d" % number for number in range(95))


def test_any_cursor_is_taken() -> None:
    members = IndexedSet([b"a", b"b"])
    assert sorted(members.scan(1 << 63, 10)[1]) == [b"a", b"b"]
    assert IndexedSet().scan(5, 10) == (0, [])


def test_choice_is_uniform() -> None:
    members = IndexedSet(b"%d" % number for number in range(10))
    random = Random(1)
    counts = Counter(members.choice(random) for _ in range(10_000))
    assert all(850 < counts[member] < 1150 for member in members)  # five standard deviations


def test_a_dict_refuses_a_key_without_a_value() -> None:
    with pytest.raises(TypeError):
        IndexedDict().add(b"a")
