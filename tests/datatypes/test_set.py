"""Sets against Python's, and their encoding against the rules of Redis, member by member."""

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

from respcache.datatypes.limits import Limits
from respcache.datatypes.listpack import is_integer
from respcache.datatypes.set import Set

MEMBERS = st.sampled_from([b"1", b"2", b"3", b"-4", b"10", b"12345", b"007", b"", b"a", b"b", b"c", b"long!"])
LISTS = st.lists(MEMBERS, min_size=1, max_size=9)
INTSET, LISTPACK, LENGTH = 6, 4, 4
LIMITS = Limits()


def integer(member: bytes) -> bool:
    return member.lstrip(b"-").isdigit() and str(int(member)).encode() == member


class Model:
    """A set as Redis' `t_set.c` keeps it: its members, and its encoding after each step."""

    def __init__(self) -> None:
        self.members: set[bytes] = set()
        self.encoding = ""

    def sadd(self, members: list[bytes]) -> int:
        before = len(self.members)
        if not self.members:
            self.create(members[0], len(members))
        elif len(members) > {"intset": INTSET, "listpack": LISTPACK}.get(self.encoding, 99):
            self.encoding = "hashtable"
        for member in members:
            self.add(member)
        return len(self.members) - before

    def create(self, first: bytes, expected: int) -> None:
        if integer(first) and expected <= INTSET:
            self.encoding = "intset"
        else:
            self.encoding = "listpack" if expected <= LISTPACK else "hashtable"

    def add(self, member: bytes) -> None:
        if member in self.members:
            return
        self.members.add(member)
        if self.encoding == "intset" and integer(member):
            if len(self.members) > INTSET:
                self.encoding = "hashtable"
        elif self.encoding != "hashtable":
            checked = self.members if self.encoding == "intset" else {member}
            fits = len(self.members) <= LISTPACK and max(map(len, checked)) <= LENGTH
            self.encoding = "listpack" if fits else "hashtable"


class SetMachine(RuleBasedStateMachine):
    """Every rule does the same to a `Set` and to a model. The limits are so low that all encodings occur."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits()
        self.limits.set_max_intset_entries = INTSET
        self.limits.set_max_listpack_entries = LISTPACK
        self.limits.set_max_listpack_value = LENGTH
        self.set = Set(self.limits)
        self.model = Model()

    @initialize(members=LISTS)
    def build(self, members: list[bytes]) -> None:
        """As for a union or a difference: members are added one by one to an intset."""
        self.set, self.model = Set(self.limits, members), Model()
        self.model.encoding = "intset"
        for member in members:
            self.model.add(member)

    @rule(members=LISTS)
    def update(self, members: list[bytes]) -> None:
        if not self.model.members:
            self.set = Set(self.limits)  # the key was removed when its set became empty
        assert self.set.update(members) == self.model.sadd(members)

    @rule(member=MEMBERS)
    def discard(self, member: bytes) -> None:
        assert self.set.discard(member) == (member in self.model.members)
        self.model.members.discard(member)

    @rule(seed=st.integers(0, 9), count=st.integers(1, 9))
    def pop(self, seed: int, count: int) -> None:
        popped = self.set.pop(Random(seed), count)
        assert len(popped) == len(set(popped)) == min(count, len(self.model.members))
        assert set(popped) <= self.model.members
        left = self.model.members - set(popped)
        if self.model.encoding == "hashtable" and left and len(left) * 5 <= count:
            # Here Redis puts the remaining members into a new set.
            self.model.members, self.model.encoding = set(), "listpack"
            for member in left:
                self.model.add(member)
        self.model.members = left

    @rule()
    def travel(self) -> None:
        self.set = Set.load(self.limits, marshal.loads(marshal.dumps(self.set.dump())))

    @rule(members=LISTS)
    def copy(self, members: list[bytes]) -> None:
        original = self.set
        self.set = original.copy()
        original.update(members)  # which must not change the copy

    @rule(seed=st.integers(0, 9), count=st.integers(0, 9))
    def pick(self, seed: int, count: int) -> None:
        sampled = self.set.sample(Random(seed), count)
        assert len(sampled) == len(set(sampled)) == min(count, len(self.model.members))
        assert set(sampled) <= self.model.members
        if self.model.members:
            chosen = self.set.choices(Random(seed), count)
            assert len(chosen) == count
            assert set(chosen) <= self.model.members

    @rule(count=st.integers(1, 3))
    def walk(self, count: int) -> None:
        cursor, found = self.set.scan(0, count)
        assert len(found) <= count or self.model.encoding != "hashtable"
        while cursor:
            cursor, more = self.set.scan(cursor, count)
            found += more
        assert sorted(found) == sorted(self.model.members)

    @invariant()
    def agrees(self) -> None:
        assert sorted(self.set) == sorted(self.set.lookup) == sorted(self.model.members)
        assert len(self.set) == len(self.model.members)
        if self.model.members:
            assert self.set.encoding.decode() == self.model.encoding
        if self.set.encoding == b"intset":
            assert list(self.set) == sorted(self.model.members, key=int)
        assert all(member in self.set for member in self.model.members)
        assert b"missing" not in self.set


TestSet = pytest.mark.timeout(60)(SetMachine.TestCase)
TestSet.settings = settings(max_examples=60, stateful_step_count=20, deadline=None, derandomize=True)


@pytest.mark.parametrize(
    ("member", "fits"),
    [
        (b"0", True),
        (b"-1", True),
        (b"9223372036854775807", True),
        (b"9223372036854775808", False),
        (b"-9223372036854775808", True),
        (b"-9223372036854775809", False),
        (b"10000000000000000000", False),
        (b"-0", False),
        (b"00", False),
        (b"+1", False),
        (b" 1", False),
        (b"1\n", False),
        (b"1.0", False),
        (b"", False),
        (b"-", False),
        (b"\xd9\xa1", False),  # a digit, but not an ASCII one
    ],
)
def test_what_an_intset_can_hold(member: bytes, fits: bool) -> None:
    assert is_integer(member) is fits


def test_a_small_set_keeps_its_order_unless_it_is_an_intset() -> None:
    mixed = Set(LIMITS, [b"b", b"3", b"a", b"1"])
    mixed.discard(b"3")
    mixed.update([b"0", b"3"])
    assert list(mixed) == [b"b", b"a", b"1", b"0", b"3"]
    # Integers added before the first other member were sorted by the intset.
    assert list(Set(LIMITS, [b"3", b"1", b"2", b"b", b"0"])) == [b"1", b"2", b"3", b"b", b"0"]


def test_the_encoding_of_an_intersection() -> None:
    many = [b"%d" % number for number in range(512)]
    assert Set.of_intersection(LIMITS, many).encoding == b"intset"
    assert Set.of_intersection(LIMITS, [*many, b"512"]).encoding == b"hashtable"
    assert Set.of_intersection(LIMITS, [b"1", b"a"]).encoding == b"listpack"
    assert Set.of_intersection(LIMITS, [*many[:128], b"a"]).encoding == b"hashtable"
    assert Set.of_intersection(LIMITS, [b"x" * 65]).encoding == b"hashtable"


@pytest.mark.parametrize("count", [50, 840, 890])
def test_popping_does_not_lead_a_walk_astray(count: int) -> None:
    """With 100 of 1000 members still to come, many are popped. The walk returns those of the 100 that stay."""
    for seed in range(5):
        members = Set(LIMITS, (b"m%d" % number for number in range(1000)))
        cursor, found = members.scan(0, 900)
        gone = set(members.pop(Random(seed), count))
        while cursor:
            cursor, more = members.scan(cursor, 10)
            found += more
        assert set(found) >= set(members)
        assert not gone & set(members)


KINDS = {
    "intset": [b"%d" % number for number in range(10)],
    "listpack": [b"m%d" % number for number in range(10)],
    "hashtable": [b"m%d" % number for number in range(1000)],
}


def chosen(members: list[bytes], random: Random) -> list[bytes]:
    return Set(LIMITS, members).choices(random, 5)


def sampled(members: list[bytes], random: Random) -> list[bytes]:
    return Set(LIMITS, members).sample(random, 5)


def popped(members: list[bytes], random: Random) -> list[bytes]:
    return Set(LIMITS, members).pop(random, 5)


def left_by_a_big_pop(members: list[bytes], random: Random) -> list[bytes]:
    left = Set(LIMITS, members)
    left.pop(random, len(members) - 1)
    return list(left)


@pytest.mark.parametrize("draw", [chosen, sampled, popped, left_by_a_big_pop])
@pytest.mark.parametrize("kind", KINDS)
def test_random_members_are_uniform(kind: str, draw: Callable[[list[bytes], Random], list[bytes]]) -> None:
    members, random = KINDS[kind], Random(1)
    assert Set(LIMITS, members).encoding.decode() == kind
    tenths = {member: at * 10 // len(members) for at, member in enumerate(members)}
    counts = Counter(tenths[member] for _ in range(200) for member in draw(members, random))
    fair = counts.total() / 10
    assert all(abs(counts[tenth] - fair) < 5 * fair**0.5 for tenth in range(10))  # five standard deviations


def test_a_big_set_is_not_copied_for_a_few_members() -> None:
    members = Set(LIMITS, (b"m%d" % number for number in range(50_000)))
    random = Random(1)
    tracemalloc.start()
    try:
        assert len(members.sample(random, 10)) == len(members.choices(random, 10)) == len(members.scan(0, 10)[1]) == 10
        assert len(members.pop(random, 10)) == 10
        assert tracemalloc.get_traced_memory()[1] < 50_000  # less than one byte per member
    finally:
        tracemalloc.stop()
