"""Hashes against a plain dict."""

from __future__ import annotations

import marshal
import tracemalloc
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from respcache.datatypes.hash import Hash
from respcache.datatypes.limits import Limits

FIELDS = st.sampled_from([b"", b"a", b"b", b"c", b"d", b"e", b"\xff", b"long"])
VALUES = st.sampled_from([b"", b"1", b"x", b"yyy", b"long!"])
PAIRS = st.lists(st.tuples(FIELDS, VALUES), min_size=1, max_size=8)
ENTRIES, LENGTH = 5, 4
LIMITS = Limits()


class HashMachine(RuleBasedStateMachine):
    """Every rule does the same to a `Hash` and to a dict. The limits are so low that both encodings occur."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits()
        self.limits.hash_max_listpack_entries = ENTRIES
        self.limits.hash_max_listpack_value = LENGTH
        self.hash = Hash(self.limits)
        self.model: dict[bytes, bytes] = {}
        self.listpack = True

    def expect(self, pairs: list[tuple[bytes, bytes]]) -> None:
        """Update the model and the expected encoding."""
        self.model.update(pairs)
        longest = max(len(text) for pair in pairs for text in pair)
        self.listpack = self.listpack and longest <= LENGTH and max(len(pairs), len(self.model)) <= ENTRIES

    @initialize(pairs=PAIRS)
    def build(self, pairs: list[tuple[bytes, bytes]]) -> None:
        self.hash = Hash(self.limits, pairs)
        self.expect(pairs)

    @rule(pairs=PAIRS)
    def update(self, pairs: list[tuple[bytes, bytes]]) -> None:
        assert self.hash.update(pairs) == len({field for field, _ in pairs} - self.model.keys())
        self.expect(pairs)

    @rule(field=FIELDS)
    def discard(self, field: bytes) -> None:
        assert self.hash.discard(field) == (field in self.model)
        self.model.pop(field, None)

    @rule()
    def travel(self) -> None:
        self.hash = Hash.load(self.limits, marshal.loads(marshal.dumps(self.hash.dump())))

    @rule(pairs=PAIRS)
    def copy(self, pairs: list[tuple[bytes, bytes]]) -> None:
        original = self.hash
        self.hash = original.copy()
        original.update(pairs)  # which must not change the copy

    @rule(seed=st.integers(0, 9), count=st.integers(0, 9))
    def pick(self, seed: int, count: int) -> None:
        sampled = self.hash.sample(Random(seed), count)
        assert len(sampled) == len(set(sampled)) == min(count, len(self.model))
        assert set(sampled) <= self.model.keys()
        if self.model:
            chosen = self.hash.choices(Random(seed), count)
            assert len(chosen) == count
            assert set(chosen) <= self.model.keys()

    @rule(count=st.integers(1, 3))
    def walk(self, count: int) -> None:
        cursor, found = self.hash.scan(0, count)
        assert len(found) <= count or self.listpack
        while cursor:
            cursor, more = self.hash.scan(cursor, count)
            found += more
        assert sorted(found) == sorted(self.model)

    @invariant()
    def agrees(self) -> None:
        assert self.hash.encoding == (b"listpack" if self.listpack else b"hashtable")
        assert dict(self.hash.items()) == self.model
        assert list(zip(self.hash, self.hash.values(), strict=True)) == list(self.hash.items())
        if self.listpack:
            assert list(self.hash) == list(self.model)  # in insertion order
        assert len(self.hash) == len(self.model)
        for field, value in self.model.items():
            assert field in self.hash
            assert self.hash.get(field) == value
        assert b"missing" not in self.hash
        assert self.hash.get(b"missing") is None


TestHash = pytest.mark.timeout(60)(HashMachine.TestCase)
TestHash.settings = settings(max_examples=40, stateful_step_count=20, deadline=None, derandomize=True)


@pytest.fixture(params=[10, 1000], ids=["listpack", "hashtable"])
def numbers(request: pytest.FixtureRequest) -> Hash:
    return Hash(LIMITS, ((b"%d" % number, b"") for number in range(request.param)))


@pytest.mark.parametrize("draw", [Hash.choices, Hash.sample])
def test_random_fields_are_uniform(numbers: Hash, draw: Callable[[Hash, Random, int], list[bytes]]) -> None:
    random = Random(1)
    drawn = [int(field) for _ in range(1000) for field in draw(numbers, random, 5)]
    counts = Counter(number * 10 // len(numbers) for number in drawn)
    assert all(390 < counts[tenth] < 610 for tenth in range(10))  # five standard deviations


def test_a_big_hash_is_not_copied_for_a_few_fields() -> None:
    fields = Hash(LIMITS, ((b"%d" % number, b"") for number in range(50_000)))
    random = Random(1)
    tracemalloc.start()
    try:
        assert len(fields.sample(random, 10)) == len(fields.choices(random, 10)) == len(fields.scan(0, 10)[1]) == 10
        assert tracemalloc.get_traced_memory()[1] < 50_000  # less than one byte per field
    finally:
        tracemalloc.stop()
