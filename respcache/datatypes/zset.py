"""Sorted sets: members with scores, in the order of score and member.

Two structures hold the same members. An `IndexedDict` maps a member to its score in O(1), and provides random choice
and stable cursors. A `SortedList` of (score, member) provides the order, and the rank of a member or score in O(log n).
Tuples compare as in Redis: scores as numbers (so -0 equals 0), then members byte by byte.

A range is a pair of ranks, ``start`` and ``stop``, half-open like Python's. Whether a command gives ranks, scores or
names, counting, reading and removing work on ranks.
"""

from __future__ import annotations

from bisect import bisect_left
from math import inf, nextafter
from typing import TYPE_CHECKING, NamedTuple

from sortedcontainers import SortedList

from respcache.datatypes.indexed import IndexedDict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from random import Random

    from respcache.datatypes.limits import Limits

# Up to this many members are looked at one by one: as many as a listpack has by default.
_FEW = 128


class ScoreRange(NamedTuple):
    """Scores from `low` to `high`; an open end is excluded."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False


class LexBound(NamedTuple):
    """One end of a range by name. `member` None comes before all members, or, if `last`, after all of them."""

    member: bytes | None
    open: bool = False
    last: bool = False


class LexRange(NamedTuple):
    """Members from `low` to `high`, compared byte by byte."""

    low: LexBound
    high: LexBound

    def starts_by(self, member: bytes) -> bool:
        """Whether a member is at or above the lower end."""
        bound, is_open, last = self.low
        if bound is None:
            return not last
        return bound < member or (bound == member and not is_open)

    def goes_to(self, member: bytes) -> bool:
        """Whether a member is at or below the upper end."""
        bound, is_open, last = self.high
        if bound is None:
            return last
        return member < bound or (bound == member and not is_open)


class ZSet:
    """Members (byte strings) with scores (floats, never NaN). Iteration is over members, in order."""

    __slots__ = ("_limits", "_order", "_scores", "encoding")

    def __init__(self, limits: Limits, items: Iterable[tuple[bytes, float]] = (), *, compact: bool = True) -> None:
        """`items` are members with scores; the last score of a member counts. O(n log n), built at once.

        Not `compact`: a skiplist, even if the members fit in a listpack.
        """
        self._limits = limits
        scores = dict(items)
        fits = compact and len(scores) <= limits.zset_max_listpack_entries
        fits = fits and max(map(len, scores), default=0) <= limits.zset_max_listpack_value
        self.encoding = b"listpack" if fits else b"skiplist"
        self._scores: IndexedDict[float] = IndexedDict((member, self._kept(score)) for member, score in scores.items())
        self._order: SortedList[tuple[float, bytes]] = SortedList((score, member) for member, score in self.items())

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
        """Add a member, or change its score. O(log n)."""
        old = self._scores.get(member)
        if old is None:
            self._grows(member)
        elif old == score:
            return
        else:
            self._order.remove((old, member))
        score = self._kept(score)
        self._scores[member] = score
        self._order.add((score, member))

    def update(self, scores: Mapping[bytes, float]) -> None:
        """Set several scores; if they are many, the order is rebuilt at once instead of step by step."""
        if len(scores) * 4 < len(self):
            for member, score in scores.items():
                self[member] = score
            return
        for member, score in scores.items():
            old = self._scores.get(member)
            if old is None:
                self._grows(member)
            if old != score:
                self._scores[member] = self._kept(score)
        self._order = SortedList((score, member) for member, score in self.items())

    def discard(self, member: bytes) -> bool:
        """Remove a member; return whether it was there."""
        score = self._scores.get(member)
        if score is None:
            return False
        self._scores.discard(member)
        self._order.remove((score, member))
        return True

    def pop(self, count: int, *, last: bool) -> list[tuple[bytes, float]]:
        """Remove and return up to `count` members, lowest scores first, or, if `last`, highest scores first."""
        taken = []
        for _ in range(min(count, len(self))):
            score, member = self._order.pop(-1 if last else 0)
            self._scores.discard(member)
            taken.append((member, score))
        return taken

    def remove_slice(self, start: int, stop: int) -> int:
        """Remove the members with ranks start..stop-1; return how many there were."""
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
        """Members with ranks start..stop-1 and their scores, in reverse order if `reverse`."""
        if start >= stop:
            return iter(())
        return ((member, score) for score, member in self._order.islice(max(start, 0), stop, reverse))

    def score_range(self, wanted: ScoreRange) -> tuple[int, int]:
        """The ranks of all members whose score is in a range. O(log n)."""
        low, high, low_open, high_open = wanted
        start = self._after(low) if low_open else self._before(low)
        stop = self._before(high) if high_open else self._after(high)
        return start, max(start, stop)

    def lex_range(self, wanted: LexRange, *, reverse: bool = False) -> tuple[int, int]:
        """The ranks of all members whose name is in a range. O(log n).

        This is meant for sets whose members all have the same score. Otherwise, a listpack gives the members from the
        first match (`reverse`: the last one) to the first miss, as in Redis. A larger set is searched as if its names
        were in order, which finds some of the members, as in Redis.
        """
        if not self._order:
            return 0, 0
        (lowest, first), (highest, last) = self._order[0], self._order[-1]
        if not wanted.starts_by(last) or not wanted.goes_to(first):
            return 0, 0
        if lowest == highest:
            start = self._lex_position(lowest, wanted.low, after=wanted.low.open)
            stop = self._lex_position(lowest, wanted.high, after=not wanted.high.open)
        elif len(self) <= _FEW:
            return _walk_down(wanted, list(self)) if reverse else _walk_up(wanted, list(self))
        else:
            start = bisect_left(self._order, True, key=lambda entry: wanted.starts_by(entry[1]))
            stop = bisect_left(self._order, True, key=lambda entry: not wanted.goes_to(entry[1]))
        return start, max(start, stop)

    def _before(self, score: float) -> int:
        """How many members have a lower score."""
        return int(self._order.bisect_left((score,)))  # a tuple comes before its longer ones

    def _after(self, score: float) -> int:
        """How many members have this score or a lower one."""
        return len(self) if score == inf else self._before(nextafter(score, inf))

    def _lex_position(self, score: float, bound: LexBound, *, after: bool) -> int:
        """The rank at which a bound cuts members with the same score: before or after the member it names."""
        if bound.member is None:
            return len(self) if bound.last else 0
        find = self._order.bisect_right if after else self._order.bisect_left
        return int(find((score, bound.member)))

    # -- choosing

    def choice(self, random: Random) -> bytes:
        """A member chosen uniformly."""
        return self._scores.choice(random)

    def choices(self, random: Random, count: int) -> list[bytes]:
        """`count` members, each chosen uniformly from all, so the same one may repeat. The set is not empty."""
        return random.choices(self._scores.members, k=count)

    def sample(self, random: Random, count: int) -> list[bytes]:
        """`count` different members, chosen uniformly.

        As in Redis, all of them (if there are no more) are in reverse order, and those of a listpack in order.
        """
        if count >= len(self):
            return [member for member, _ in self.slice(0, len(self), reverse=True)]
        sampled = self._scores.sample(random, count)
        if self.encoding == b"listpack":
            sampled.sort(key=lambda member: (self._scores[member], member))
        return sampled

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        """The next cursor, and some members with their scores; see `IndexedSet.scan`.

        A listpack is returned whole, in order, whatever the cursor.
        """
        if self.encoding == b"listpack":
            return 0, list(self.slice(0, len(self)))
        cursor, members = self._scores.scan(cursor, count)
        return cursor, [(member, self._scores[member]) for member in members]

    # -- copies

    def copy(self) -> ZSet:
        return ZSet.load(self._limits, self.dump())

    def dump(self) -> tuple[bytes, list[bytes], list[float]]:
        """The encoding, which the members alone do not determine; members and scores in the order of cursors."""
        return self.encoding, list(self._scores.members), list(self._scores.values)

    @classmethod
    def load(cls, limits: Limits, data: tuple[bytes, list[bytes], list[float]]) -> ZSet:
        encoding, members, scores = data
        loaded = cls(limits)
        loaded.encoding = encoding
        loaded._scores = IndexedDict(zip(members, scores, strict=True))
        loaded._order = SortedList(zip(scores, members, strict=True))
        return loaded

    # -- encoding: a listpack that has grown beyond the limits becomes a skiplist, and stays one

    def expect(self, count: int) -> None:
        """`count` scores are about to be set. As in Redis, that can end a listpack, even if few members are new."""
        if count > self._limits.zset_max_listpack_entries:
            self.encoding = b"skiplist"

    def end_listpack(self) -> None:
        """From now on this is a skiplist, whatever its size."""
        self.encoding = b"skiplist"

    def _grows(self, member: bytes) -> None:
        """A new member is about to be added."""
        limits = self._limits
        if len(self) >= limits.zset_max_listpack_entries or len(member) > limits.zset_max_listpack_value:
            self.encoding = b"skiplist"

    def _kept(self, score: float) -> float:
        """A score as it is stored. In a listpack, Redis stores -0 as the integer 0: ``ZADD z -0 a``, ``ZSCORE z a``."""
        return score + 0.0 if self.encoding == b"listpack" else score


def _walk_up(wanted: LexRange, members: list[bytes]) -> tuple[int, int]:
    """The ranks from the first member in the range to the first one after it that is not."""
    start = next((rank for rank, member in enumerate(members) if wanted.starts_by(member)), len(members))
    stop = next((rank for rank in range(start, len(members)) if not wanted.goes_to(members[rank])), len(members))
    return start, stop


def _walk_down(wanted: LexRange, members: list[bytes]) -> tuple[int, int]:
    """The ranks from the last member in the range down to the first one before it that is not."""
    stop = next((rank + 1 for rank in reversed(range(len(members))) if wanted.goes_to(members[rank])), 0)
    start = next((rank + 1 for rank in reversed(range(stop)) if not wanted.starts_by(members[rank])), 0)
    return start, stop
