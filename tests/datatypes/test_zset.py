"""Sorted sets against a naive model: a dict that is sorted for every query."""

from __future__ import annotations

import marshal
from math import copysign, inf
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from respcache.datatypes.limits import Limits
from respcache.datatypes.zset import LexBound, LexRange, ScoreRange, ZSet

# Few of each, so that members repeat and scores collide.
MEMBERS = st.sampled_from([b"", b"a", b"B", b"aa", b"ab", b"b", b"\x00", b"\xff", b"10", b"9"])
SCORES = st.sampled_from([-inf, -1.5, -1.0, 0.0, 1.0, 1.0000000000000002, 2.0, 1e300, inf])
RANKS = st.integers(0, 12)
LIMITS = Limits()
SCORE_RANGES = st.builds(ScoreRange, SCORES, SCORES, st.booleans(), st.booleans())
LEX_BOUNDS = st.one_of(
    st.builds(LexBound, MEMBERS, open=st.booleans()), st.builds(LexBound, st.none(), last=st.booleans())
)
LEX_RANGES = st.builds(LexRange, LEX_BOUNDS, LEX_BOUNDS)


class ZSetMachine(RuleBasedStateMachine):
    """Every rule does the same to a `ZSet` and to a dict, and compares the results."""

    def __init__(self) -> None:
        super().__init__()
        self.zset = ZSet(LIMITS)
        self.model: dict[bytes, float] = {}

    def ordered(self) -> list[tuple[bytes, float]]:
        return sorted(self.model.items(), key=lambda item: (item[1], item[0]))

    @initialize(items=st.lists(st.tuples(MEMBERS, SCORES)))
    def build(self, items: list[tuple[bytes, float]]) -> None:
        self.zset = ZSet(LIMITS, items)
        self.model = dict(items)

    @rule(member=MEMBERS, score=SCORES)
    def set(self, member: bytes, score: float) -> None:
        self.zset[member] = score
        self.model[member] = score

    @rule(scores=st.dictionaries(MEMBERS, SCORES))
    def update(self, scores: dict[bytes, float]) -> None:
        self.zset.update(scores)
        self.model.update(scores)

    @rule(member=MEMBERS)
    def discard(self, member: bytes) -> None:
        assert self.zset.discard(member) == (self.model.pop(member, None) is not None)

    @rule(count=st.integers(0, 3), last=st.booleans())
    def pop(self, count: int, last: bool) -> None:
        expected = (self.ordered()[::-1] if last else self.ordered())[:count]
        assert self.zset.pop(count, last=last) == expected
        for member, _ in expected:
            del self.model[member]

    @rule(start=RANKS, stop=RANKS)
    def remove_slice(self, start: int, stop: int) -> None:
        gone = self.ordered()[start:stop]
        assert self.zset.remove_slice(start, stop) == len(gone)
        for member, _ in gone:
            del self.model[member]

    @rule(start=RANKS, stop=RANKS, reverse=st.booleans())
    def slice(self, start: int, stop: int, reverse: bool) -> None:
        expected = self.ordered()[start:stop]
        assert list(self.zset.slice(start, stop, reverse=reverse)) == (expected[::-1] if reverse else expected)

    @rule(wanted=SCORE_RANGES)
    def score_range(self, wanted: ScoreRange) -> None:
        low, high, low_open, high_open = wanted
        expected = [
            (member, score)
            for member, score in self.ordered()
            if (low < score if low_open else low <= score) and (score < high if high_open else score <= high)
        ]
        assert list(self.zset.slice(*self.zset.score_range(wanted))) == expected

    @rule(wanted=LEX_RANGES, score=SCORES, reverse=st.booleans())
    def lex_range_of_one_score(self, wanted: LexRange, score: float, reverse: bool) -> None:
        expected = [member for member in sorted(self.model) if wanted.starts_by(member) and wanted.goes_to(member)]
        flat = ZSet(LIMITS, ((member, score) for member in self.model))
        assert [member for member, _ in flat.slice(*flat.lex_range(wanted, reverse=reverse))] == expected

    @rule(wanted=LEX_RANGES, reverse=st.booleans())
    def lex_range_of_any_scores(self, wanted: LexRange, reverse: bool) -> None:
        # The result is undefined, except that its ranks lie within the set.
        start, stop = self.zset.lex_range(wanted, reverse=reverse)
        assert 0 <= start <= len(self.zset)
        assert 0 <= stop <= len(self.zset)

    @rule()
    def travel(self) -> None:
        self.zset = ZSet.load(LIMITS, marshal.loads(marshal.dumps(self.zset.dump())))

    @rule(seed=st.integers(0, 9), count=st.integers(1, 12))
    def choose(self, seed: int, count: int) -> None:
        if not self.model:
            return
        random = Random(seed)
        assert self.zset.choice(random) in self.model
        assert set(self.zset.choices(random, count)) <= self.model.keys()
        sampled = self.zset.sample(random, count)
        assert len(sampled) == len(set(sampled)) == min(count, len(self.model))
        assert set(sampled) <= self.model.keys()

    @invariant()
    def agrees(self) -> None:
        ordered = [member for member, _ in self.ordered()]
        assert list(self.zset) == ordered
        assert len(self.zset) == len(ordered)
        assert dict(self.zset.items()) == self.model
        for rank, member in enumerate(ordered):
            assert member in self.zset
            assert self.zset.rank(member) == rank
            assert self.zset.score(member) == self.model[member]
        assert self.zset.rank(b"missing") is None
        assert self.zset.score(b"missing") is None
        assert b"missing" not in self.zset


TestZSet = pytest.mark.timeout(60)(ZSetMachine.TestCase)
TestZSet.settings = settings(max_examples=40, stateful_step_count=20, deadline=None, derandomize=True)


def test_lex_ranges_of_many_members_with_several_scores() -> None:
    """Their results are undefined, but `- +` is the whole set, and few members are examined."""
    names = [b"%06d" % number for number in range(100_000)]
    zset = ZSet(LIMITS, ((name, float(number)) for number, name in enumerate(names)))
    looked_at = 0

    class Counted(LexRange):
        def starts_by(self, member: bytes) -> bool:
            nonlocal looked_at
            looked_at += 1
            return super().starts_by(member)

    for reverse in (False, True):
        assert zset.lex_range(Counted(bound("-"), bound("+")), reverse=reverse) == (0, len(names))
        assert zset.lex_range(Counted(bound("[050000"), bound("(060000")), reverse=reverse) == (50_000, 60_000)
        assert zset.lex_range(Counted(bound("[x"), bound("+")), reverse=reverse) == (0, 0)
    assert looked_at < 200


def bound(text: str) -> LexBound:
    return LexBound(None, last=text == "+") if text in "-+" else LexBound(text[1:].encode(), open=text[0] == "(")


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        ("-", "+", "abcde"),
        ("[b", "[d", "bcd"),
        ("(b", "(d", "c"),
        ("[bb", "[d", "cd"),
        ("(e", "+", ""),
        ("[f", "+", ""),
        ("-", "(a", ""),
        ("-", "-", ""),
        ("+", "-", ""),
        ("+", "+", ""),
        ("[d", "[b", ""),
        ("[c", "[c", "c"),
        ("(c", "[c", ""),
        ("[", "[b", "ab"),
    ],
)
def test_lex_ranges(low: str, high: str, found: str) -> None:
    zset = ZSet(LIMITS, ((member.encode(), 7.0) for member in "abcde"))
    start, stop = zset.lex_range(LexRange(bound(low), bound(high)))
    assert b"".join(member for member, _ in zset.slice(start, stop)).decode() == found


def test_the_largest_scores_and_infinity_differ() -> None:
    largest = 1.7976931348623157e308
    zset = ZSet(LIMITS, [(b"low", -inf), (b"least", -largest), (b"most", largest), (b"high", inf)])

    def found(*wanted: float | bool) -> list[bytes]:
        return [member for member, _ in zset.slice(*zset.score_range(ScoreRange(*wanted)))]

    assert found(-inf, inf) == [b"low", b"least", b"most", b"high"]
    assert found(-inf, inf, True, True) == [b"least", b"most"]
    assert found(largest, inf, True) == [b"high"]
    assert found(-inf, -largest, False, True) == [b"low"]
    assert found(inf, -inf) == []


def test_only_a_skiplist_keeps_minus_zero() -> None:
    small, big = ZSet(LIMITS, [(b"a", -0.0)]), ZSet(LIMITS, [(b"x" * 65, -0.0)])
    small[b"b"] = big[b"b"] = -0.0
    assert [copysign(1, score) for _, score in small.items()] == [1, 1]
    assert [copysign(1, score) for _, score in big.items()] == [-1, -1]
    # 0 and -0 are equal as scores, so nothing changes.
    big[b"b"] = 0.0
    assert str(big.score(b"b")) == "-0.0"
    assert big.rank(b"b") == 0


def test_encoding() -> None:
    full = ZSet(LIMITS, ((b"%d" % number, 0.0) for number in range(LIMITS.zset_max_listpack_entries)))
    assert full.encoding == b"listpack"
    full[b"1"] = 5.0
    assert full.encoding == b"listpack"
    full[b"one more"] = 0.0
    assert full.encoding == b"skiplist"
    full.discard(b"one more")
    assert full.encoding == full.copy().encoding == b"skiplist"

    assert ZSet(LIMITS, [(b"x" * LIMITS.zset_max_listpack_value, 0.0)]).encoding == b"listpack"
    assert ZSet(LIMITS, [(b"x" * (LIMITS.zset_max_listpack_value + 1), 0.0)]).encoding == b"skiplist"
    expecting = ZSet(LIMITS)
    expecting.expect(LIMITS.zset_max_listpack_entries)
    assert expecting.encoding == b"listpack"
    expecting.expect(LIMITS.zset_max_listpack_entries + 1)
    assert expecting.encoding == b"skiplist"


def test_a_scan_meets_every_member_that_stays() -> None:
    members = {b"member:%d" % number for number in range(500)}
    zset = ZSet(LIMITS, ((member, 0.0) for member in members))
    leaving = Random(1).sample(sorted(members), 200)
    seen: set[bytes] = set()
    cursor, steps = 0, 0
    while steps == 0 or cursor:
        cursor, items = zset.scan(cursor, 10)
        seen.update(member for member, _ in items)
        steps += 1
        for _ in range(4):
            if leaving:
                zset.discard(leaving.pop())
    assert seen >= set(zset)
    assert steps <= 51


def test_a_copy_is_independent() -> None:
    zset = ZSet(LIMITS, [(b"a", 1.0), (b"b", 2.0)])
    copied = zset.copy()
    copied[b"a"] = 3.0
    zset.discard(b"b")
    assert list(zset.slice(0, 9)) == [(b"a", 1.0)]
    assert list(copied.slice(0, 9)) == [(b"b", 2.0), (b"a", 3.0)]
