"""Union, intersection and difference of sorted sets. Plain sets can be inputs; their members have score 1.

As in Redis, unions and intersections go through their inputs from the smallest to the largest: the last digits of a sum
of doubles depend on the order.
"""

from __future__ import annotations

from itertools import islice
from math import isnan
from typing import TYPE_CHECKING

from respcache.commands.table import DENYOOM, OVERWRITE, READONLY, WRITE, NumKeys, family
from respcache.commands.zsets.ranges import store
from respcache.datatypes.set import Set
from respcache.datatypes.zset import ZSet
from respcache.errors import LIMIT_NEGATIVE, WEIGHT_NOT_FLOAT, WrongSyntax, WrongType, no_input_keys
from respcache.resp.types import Pairs, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from respcache.commands.args import Args
    from respcache.store.shard import Shard

    Aggregate = Callable[[float, float], float]
    Combine = Callable[[list["_Source"], Aggregate], "Scores"]

command = family("sorted_set")

SOURCES = NumKeys(1, access="RO ACCESS")
STORE = (OVERWRITE, NumKeys(2, access="RO ACCESS"))
_WEIGHTED = "[WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]"


# How scores of one member become one


def _sum(one: float, other: float) -> float:
    """Infinity minus infinity is 0, by convention."""
    total = one + other
    return 0.0 if isnan(total) else total


def _min(one: float, other: float) -> float:
    return other if other < one else one


def _max(one: float, other: float) -> float:
    return other if other > one else one


_AGGREGATES: dict[bytes, Aggregate] = {b"SUM": _sum, b"MIN": _min, b"MAX": _max}


# Sources


class _Source:
    """One input with its weight; a nonexistent key is an empty input."""

    __slots__ = ("_value", "weight")

    def __init__(self, value: ZSet | Set | None) -> None:
        self._value = value
        self.weight = 1.0

    def __len__(self) -> int:
        return 0 if self._value is None else len(self._value)

    def __contains__(self, member: bytes) -> bool:
        return self._value is not None and member in self._value

    def items(self) -> Iterable[tuple[bytes, float]]:
        """Members with their scores, not weighted."""
        if isinstance(self._value, ZSet):
            return self._value.items()
        return ((member, 1.0) for member in self._value or ())

    def score(self, member: bytes) -> float | None:
        """Not weighted; None if there is no such member."""
        if isinstance(self._value, ZSet):
            return self._value.score(member)
        return 1.0 if member in self else None


def _take_sources(shard: Shard, args: Args, name: str) -> list[_Source]:
    """The inputs, given as a count and so many keys. Types are checked before options. Raises CommandError."""
    count = args.int()
    if count < 1:
        raise no_input_keys(name)
    if count > len(args):
        raise WrongSyntax
    return [_source(shard, args.next()) for _ in range(count)]


def _source(shard: Shard, key: bytes) -> _Source:
    value = shard.look(key)
    if value is not None and type(value) is not ZSet and type(value) is not Set:
        raise WrongType
    return _Source(value)


def _take_weights(args: Args, sources: list[_Source]) -> None:
    if len(args) < len(sources):
        raise WrongSyntax
    for source in sources:
        source.weight = args.float(WEIGHT_NOT_FLOAT)


def _weighted(score: float, weight: float) -> float:
    """Zero times infinity is 0 here."""
    product = score * weight
    return 0.0 if isnan(product) else product


# The operations. Each gives members with their scores, in no particular order.

Scores = dict[bytes, float]


def _union(sources: list[_Source], aggregate: Aggregate) -> Scores:
    scores: Scores = {}
    for source in sorted(sources, key=len):
        for member, own in source.items():
            score = _weighted(own, source.weight)
            before = scores.get(member)
            scores[member] = score if before is None else aggregate(before, score)
    return scores


def _intersection(sources: list[_Source], aggregate: Aggregate) -> Scores:
    smallest, *others = sorted(sources, key=len)
    scores: Scores = {}
    for member, own in smallest.items():
        score = _weighted(own, smallest.weight)
        for other in others:
            theirs = other.score(member)
            if theirs is None:
                break
            # Redis replaces NaN only in the first product; the aggregate handles the others.
            score = aggregate(score, theirs * other.weight)
        else:
            scores[member] = score
    return scores


def _difference(sources: list[_Source], _: Aggregate) -> Scores:
    first, *others = sources
    return {member: score for member, score in first.items() if not any(member in other for other in others)}


# Commands


def _take_options(args: Args, sources: list[_Source], *, storing: bool, weighing: bool) -> tuple[Aggregate, bool]:
    """How to aggregate, and whether scores are wanted; sets the weights of the sources. Raises CommandError."""
    aggregate: Aggregate = _sum
    with_scores = False
    while len(args):
        match args.option():
            case b"WEIGHTS" if weighing:
                _take_weights(args, sources)
            case b"AGGREGATE" if weighing:
                chosen = _AGGREGATES.get(args.option())
                if chosen is None:
                    raise WrongSyntax
                aggregate = chosen
            case b"WITHSCORES" if not storing:
                with_scores = True
            case _:
                raise WrongSyntax
    return aggregate, with_scores


def _read(shard: Shard, args: Args, name: str, combine: Combine) -> Reply:
    """ZUNION, ZINTER, ZDIFF: the members in order."""
    sources = _take_sources(shard, args, name)
    aggregate, with_scores = _take_options(args, sources, storing=False, weighing=combine is not _difference)
    scores = combine(sources, aggregate)
    ordered = sorted((score, member) for member, score in scores.items())
    return Pairs((member, score) for score, member in ordered) if with_scores else [member for _, member in ordered]


def _store(shard: Shard, args: Args, name: str, combine: Combine) -> Reply:
    """ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE: how many members were stored."""
    destination, sources = args.next(), _take_sources(shard, args, name)
    aggregate, _ = _take_options(args, sources, storing=True, weighing=combine is not _difference)
    scores = combine(sources, aggregate)
    store(shard, destination, ZSet(shard.limits, scores.items()), name.encode())
    return len(scores)


@command(
    "ZUNION", f"numkeys key [key ...] {_WEIGHTED} [WITHSCORES]", arity=-3, keys=SOURCES, flags=READONLY, since="6.2.0"
)
def zunion(shard: Shard, args: Args) -> Reply:
    """Return the members of any of several sorted sets."""
    return _read(shard, args, "zunion", _union)


@command(
    "ZINTER", f"numkeys key [key ...] {_WEIGHTED} [WITHSCORES]", arity=-3, keys=SOURCES, flags=READONLY, since="6.2.0"
)
def zinter(shard: Shard, args: Args) -> Reply:
    """Return the members that several sorted sets have in common."""
    return _read(shard, args, "zinter", _intersection)


@command("ZDIFF", "numkeys key [key ...] [WITHSCORES]", arity=-3, keys=SOURCES, flags=READONLY, since="6.2.0")
def zdiff(shard: Shard, args: Args) -> Reply:
    """Return the members of a sorted set that others do not have."""
    return _read(shard, args, "zdiff", _difference)


@command(
    "ZUNIONSTORE",
    f"destination numkeys key [key ...] {_WEIGHTED}",
    arity=-4,
    keys=STORE,
    flags=WRITE | DENYOOM,
    since="2.0.0",
)
def zunionstore(shard: Shard, args: Args) -> Reply:
    """Store the members of any of several sorted sets; return how many they are."""
    return _store(shard, args, "zunionstore", _union)


@command(
    "ZINTERSTORE",
    f"destination numkeys key [key ...] {_WEIGHTED}",
    arity=-4,
    keys=STORE,
    flags=WRITE | DENYOOM,
    since="2.0.0",
)
def zinterstore(shard: Shard, args: Args) -> Reply:
    """Store the members that several sorted sets have in common; return how many they are."""
    return _store(shard, args, "zinterstore", _intersection)


@command("ZDIFFSTORE", "destination numkeys key [key ...]", arity=-4, keys=STORE, flags=WRITE | DENYOOM, since="6.2.0")
def zdiffstore(shard: Shard, args: Args) -> Reply:
    """Store the members of a sorted set that others do not have; return how many they are."""
    return _store(shard, args, "zdiffstore", _difference)


@command("ZINTERCARD", "numkeys key [key ...] [LIMIT limit]", arity=-3, keys=SOURCES, flags=READONLY, since="7.0.0")
def zintercard(shard: Shard, args: Args) -> Reply:
    """Count the members that several sorted sets have in common, up to a limit."""
    sources, limit = _take_sources(shard, args, "zintercard"), 0
    while len(args):
        if args.option() != b"LIMIT" or not len(args):
            raise WrongSyntax
        limit = args.int(LIMIT_NEGATIVE, low=0)

    smallest, *others = sorted(sources, key=len)
    common = (member for member, _ in smallest.items() if all(member in other for other in others))
    return sum(1 for _ in islice(common, limit or None))
