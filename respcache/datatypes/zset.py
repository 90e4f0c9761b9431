"""Sorted sets: members with scores, in the order of score and member.

Two structures hold the same members. An `IndexedDict` maps a member to its score in O(1), and gives random choice and
stable cursors; a `SortedList` of (score, member) gives order, and the rank of a member or of a score in O(log n).
Tuples compare as Redis does: scores as numbers (so that -0 is 0), then members byte by byte.

A range is a pair of ranks, ``start`` and ``stop``, half-open like Python's: whether it was asked for by rank, by score
or by name, counting, reading and removing are the same from there on.
"""

from __future__ import annotations

from math import inf, nextafter
from typing import TYPE_CHECKING, NamedTuple

from sortedcontainers import SortedList

from respcache.datatypes.indexed import IndexedDict
from respcache.datatypes.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from random import Random


class ScoreRange(NamedTuple):
    """Scores from `low` to `high`; an open end is not included itself."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False


class LexBound(NamedTuple):
    """One end of a range by name. `member` None stands before all members, or behind all of them (`last`)."""

    member: bytes | None
    open: bool = False
    last: bool = False

    def is_below(self, member: bytes) -> bool:
        """Whether, as the lower end, it lets a member in."""
        if self.member is None:
            return not self.last
        return self.member < member or (self.member == member and not self.open)

    def is_above(self, member: bytes) -> bool:
        """Whether, as the upper end, it lets a member in."""
        if self.member is None:
            return self.last
        return member < self.member or (self.member == member and not self.open)


class LexRange(NamedTuple):
    """Members from `low` to `high`."""

    low: LexBound
    high: LexBound


class ZSet:
    """Members (byte strings) with scores (floats, never NaN). Iteration is over members, in order."""

    __slots__ = ("_order", "_scores", "encoding")

    def __init__(self, items: Iterable[tuple[bytes, float]] = ()) -> None:
        """`items` are members with scores; the last score of a member counts. O(n log n), built in one go."""
        self._scores: IndexedDict[float] = IndexedDict()
        self._order: SortedList[tuple[float, bytes]] = SortedList()
        self.encoding = b"listpack"
        self.update(dict(items))

    def __len__(self) -> int:
        return len(self._scores)

    def __iter__(self) -> Iterator[bytes]:
        return (member for _, member in self._order)

    def __contains__(self, member: bytes) -> bool:
        return member in self._scores

    def score(self, member: bytes) -> float | None:
        return self._scores.get(member)

    def items(self) -> Iterator[tuple[bytes, float]]:
        """Members with their scores, in no particular order; faster than `slice`."""
        return self._scores.items()

    # -- changing

    def __setitem__(self, member: bytes, score: float) -> None:
        """Add a member, or give it another score. O(log n)."""
        old = self._scores.get(member)
        if old is None:
            self._added(member)
        elif old == score:
            return
        else:
            self._order.remove((old, member))
        if self.encoding == b"listpack":
            score += 0.0  # Redis writes -0 to a listpack as the integer 0: ZADD z -0 a; ZSCORE z a
        self._scores[member] = score
        self._order.add((score, member))

    def update(self, scores: Mapping[bytes, float]) -> None:
        """Set many at once; where they are many, the order is built anew instead of step by step."""
        if len(scores) * 4 < len(self):
            for member, score in scores.items():
                self[member] = score
            return
        for member, score in scores.items():
            old = self._scores.get(member)
            if old is None:
                self._added(member)
            if old != score:
                self._scores[member] = score + 0.0 if self.encoding == b"listpack" else score
        self._order = SortedList((score, member) for member, score in self._scores.items())

    def discard(self, member: bytes) -> bool:
        """Whether it was there."""
        score = self._scores.get(member)
        if score is None:
            return False
        self._scores.discard(member)
        self._order.remove((score, member))
        return True

    def pop(self, count: int, *, last: bool) -> list[tuple[bytes, float]]:
        """Remove and return up to `count` members with the lowest scores, or, `last`, with the highest, those first."""
        taken = []
        for _ in range(min(count, len(self))):
            score, member = self._order.pop(-1 if last else 0)
            self._scores.discard(member)
            taken.append((member, score))
        return taken

    def remove_slice(self, start: int, stop: int) -> int:
        """Remove the members with ranks start..stop-1; how many that were."""
        members = [member for member, _ in self.slice(start, stop)]
        if members:
            del self._order[start:stop]
        for member in members:
            self._scores.discard(member)
        return len(members)

    # -- ranks and ranges

    def rank(self, member: bytes) -> int | None:
        """How many members come before this one. O(log n)."""
        score = self._scores.get(member)
        return None if score is None else int(self._order.bisect_left((score, member)))

    def slice(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[tuple[bytes, float]]:
        """Members with ranks start..stop-1 and their scores; `reverse` gives the same ones backwards."""
        if start >= stop:
            return iter(())
        return ((member, score) for score, member in self._order.islice(max(start, 0), stop, reverse))

    def score_range(self, wanted: ScoreRange) -> tuple[int, int]:
        """The ranks of all members whose score lies in a range. O(log n)."""
        low, high, low_open, high_open = wanted
        start = self._behind(low) if low_open else self._before(low)
        stop = self._before(high) if high_open else self._behind(high)
        return start, max(start, stop)

    def lex_range(self, wanted: LexRange, *, reverse: bool = False) -> tuple[int, int]:
        """The ranks of all members whose name lies in a range.

        That is meant for sets whose members all have one score, and takes O(log n) then. Redis walks from the first
        match (`reverse`: the last one) to the first miss, whatever the scores are, and so does this, in O(n).
        """
        if not self._order:
            return 0, 0
        (lowest, first), (highest, last) = self._order[0], self._order[-1]
        if not wanted.low.is_below(last) or not wanted.high.is_above(first):
            return 0, 0
        if lowest == highest:
            start, stop = self._lex_position(lowest, wanted.low), self._lex_position(lowest, wanted.high, high=True)
            return start, max(start, stop)
        if reverse:
            stop = _run(reversed(self._order), wanted.high.is_above, False, len(self))
            return stop - _run(self._order.islice(0, stop, True), wanted.low.is_below, True, stop), stop
        start = len(self) - _run(iter(self._order), wanted.low.is_below, False, len(self))
        return start, start
