"""Sorted sets, range by range: ZRANGE and its many older spellings, counting, and removing.

A range is given by rank, by score (BYSCORE) or by name (BYLEX). `_ranks` turns any of them into the ranks that it
covers, and from there on all commands treat them alike.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.args import parse_any_float, parse_int
from respcache.commands.table import DELETE, DENYOOM, FAST, OVERWRITE, READ, READONLY, WRITE, family
from respcache.datatypes.zset import LexBound, LexRange, ScoreRange, ZSet
from respcache.errors import (
    LIMIT_ONLY_BY,
    MIN_MAX_NOT_FLOAT,
    MIN_MAX_NOT_STRING,
    WITHSCORES_BYLEX,
    CommandError,
    NotAnInteger,
    WrongSyntax,
)
from respcache.resp.types import Pairs, Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from respcache.commands.args import Args

command = family("sorted_set")


class By(Enum):
    """What a range is about."""

    RANK = "rank"
    SCORE = "score"
    LEX = "lex"


class RankRange(NamedTuple):
    """From one rank to another, both included; negative ones count from the end."""

    first: int
    last: int


Range = RankRange | ScoreRange | LexRange


# Parsing ranges


def _parse_range(by: By, low: bytes, high: bytes) -> Range:
    """Raises CommandError."""
    if by is By.SCORE:
        return _parse_score_range(low, high)
    if by is By.LEX:
        return LexRange(_parse_lex_bound(low), _parse_lex_bound(high))
    first, last = parse_int(low), parse_int(high)
    if first is None or last is None:
        raise NotAnInteger
    return RankRange(first, last)


def _parse_score_range(low: bytes, high: bytes) -> ScoreRange:
    open_ends = low[:1] == b"(", high[:1] == b"("
    return ScoreRange(_score(low.removeprefix(b"(")), _score(high.removeprefix(b"(")), *open_ends)


def _score(text: bytes) -> float:
    """One end of a range, without its bracket. Raises CommandError.

    C's strtod reads it: leading blanks are skipped, and an empty text is zero (``ZRANGEBYSCORE z "" (``).
    """
    value = parse_any_float(text.lstrip()) if text else 0.0
    if value is None:
        raise CommandError(MIN_MAX_NOT_FLOAT)
    return value


def _parse_lex_bound(text: bytes) -> LexBound:
    """``-``, ``+``, ``[member`` or ``(member``. Raises CommandError."""
    mark, member = text[:1], text[1:]
    if mark in (b"[", b"("):
        return LexBound(member, open=mark == b"(")
    if text not in (b"-", b"+"):
        raise CommandError(MIN_MAX_NOT_STRING)
    return LexBound(None, last=text == b"+")


# From ranges to ranks


def _ranks(zset: ZSet, wanted: Range, *, reverse: bool = False) -> tuple[int, int]:
    """The ranks, start to stop - 1, that a range covers. With `reverse`, ranks count from the highest score."""
    if isinstance(wanted, ScoreRange):
        return zset.score_range(wanted)
    if isinstance(wanted, LexRange):
        return zset.lex_range(wanted, reverse=reverse)
    size = len(zset)
    first, last = (rank + size if rank < 0 else rank for rank in wanted)
    start, stop = max(first, 0), min(last + 1, size)
    return (size - stop, size - start) if reverse else (start, stop)


# Reading


class _Query(NamedTuple):
    """What ZRANGE and its older spellings may ask for."""

    key: bytes
    range: Range
    reverse: bool = False
    with_scores: bool = False
    offset: int = 0
    limit: int = -1  # negative: all

    def run(self, shard: Shard) -> Iterator[tuple[bytes, float]]:
        """The members it finds, with their scores. Raises WrongType."""
        zset = shard.find(self.key, ZSet)
        if zset is None:
            return iter(())
        start, stop = _ranks(zset, self.range, reverse=self.reverse)
        if isinstance(self.range, RankRange):  # an offset may be given, but has no effect: ZRANGE z 0 -1 LIMIT 5 -1
            return zset.slice(start, stop, reverse=self.reverse)
        if self.offset < 0:
            return iter(())
        if self.reverse:
            stop -= self.offset
            start = start if self.limit < 0 else max(start, stop - self.limit)
        else:
            start += self.offset
            stop = stop if self.limit < 0 else min(stop, start + self.limit)
        return zset.slice(start, stop, reverse=self.reverse)


def _parse_query(args: Args, *, by: By | None = None, reverse: bool | None = None, store: bool = False) -> _Query:
    """The key, the range and the options, which also tell `by` and `reverse` if they are None. Raises CommandError."""
    key, low, high = args.next(), args.next(), args.next()
    chosen, backwards, with_scores, offset, limit = by, reverse, False, 0, -1
    while len(args):
        match args.option():
            case b"WITHSCORES" if not store:
                with_scores = True
            case b"LIMIT" if len(args) >= 2:
                offset, limit = args.int(), args.int()
            # ZRANGE takes these options only once: `ZRANGE z 0 1 REV REV` is an error.
            case b"REV" if backwards is None:
                backwards = True
            case b"BYLEX" if chosen is None:
                chosen = By.LEX
            case b"BYSCORE" if chosen is None:
                chosen = By.SCORE
            case _:
                raise WrongSyntax
    chosen = chosen or By.RANK
    if limit != -1 and chosen is By.RANK:
        raise CommandError(LIMIT_ONLY_BY)
    if with_scores and chosen is By.LEX:
        raise CommandError(WITHSCORES_BYLEX)

    if backwards and chosen is not By.RANK:
        low, high = high, low
    return _Query(key, _parse_range(chosen, low, high), bool(backwards), with_scores, offset, limit)


def _reply(shard: Shard, query: _Query) -> Reply:
    found = query.run(shard)
    return Pairs(found) if query.with_scores else [member for member, _ in found]


@command(
    "ZRANGE",
    "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
    arity=-4,
    keys=READ,
    flags=READONLY,
    since="1.2.0",
)
def zrange(shard: Shard, args: Args) -> Reply:
    """Return the members in a range of ranks, of scores, or of names."""
    return _reply(shard, _parse_query(args))


@command("ZREVRANGE", "key start stop [WITHSCORES]", arity=-4, keys=READ, flags=READONLY, since="1.2.0")
def zrevrange(shard: Shard, args: Args) -> Reply:
    """Return the members in a range of ranks, highest score first."""
    return _reply(shard, _parse_query(args, by=By.RANK, reverse=True))


@command(
    "ZRANGEBYSCORE", "key min max [WITHSCORES] [LIMIT offset count]", arity=-4, keys=READ, flags=READONLY, since="1.0.5"
)
def zrangebyscore(shard: Shard, args: Args) -> Reply:
    """Return the members in a range of scores."""
    return _reply(shard, _parse_query(args, by=By.SCORE, reverse=False))


@command(
    "ZREVRANGEBYSCORE",
    "key max min [WITHSCORES] [LIMIT offset count]",
    arity=-4,
    keys=READ,
    flags=READONLY,
    since="2.2.0",
)
def zrevrangebyscore(shard: Shard, args: Args) -> Reply:
    """Return the members in a range of scores, highest first."""
    return _reply(shard, _parse_query(args, by=By.SCORE, reverse=True))


@command("ZRANGEBYLEX", "key min max [LIMIT offset count]", arity=-4, keys=READ, flags=READONLY, since="2.8.9")
def zrangebylex(shard: Shard, args: Args) -> Reply:
    """Return the members in a range of names, where all have one score."""
    return _reply(shard, _parse_query(args, by=By.LEX, reverse=False))


@command("ZREVRANGEBYLEX", "key max min [LIMIT offset count]", arity=-4, keys=READ, flags=READONLY, since="2.8.9")
def zrevrangebylex(shard: Shard, args: Args) -> Reply:
    """Return the members in a range of names, last first, where all have one score."""
    return _reply(shard, _parse_query(args, by=By.LEX, reverse=True))


@command(
    "ZRANGESTORE",
    "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
    arity=-5,
    keys=(OVERWRITE, READ.at(2)),
    flags=WRITE | DENYOOM,
    since="6.2.0",
)
def zrangestore(shard: Shard, args: Args) -> Reply:
    """Store the members in a range under another key; return how many they are."""
    destination, query = args.next(), _parse_query(args, store=True)
    # Redis 7.2 expects any number of members in a range whose length it does not know in advance. (7.0 and 8 do not.)
    stored = ZSet(shard.limits, query.run(shard), compact=isinstance(query.range, RankRange))
    store(shard, destination, stored, b"zrangestore")
    return len(stored)


def store(shard: Shard, destination: bytes, zset: ZSet, event: bytes) -> None:
    """Store a result in place of whatever the key holds; an empty one removes the key."""
    if len(zset):
        shard.put(destination, zset, Event.ZSET, event)
    else:
        shard.delete(destination)


# Counting


@command("ZCOUNT", "key min max", arity=4, keys=READ, flags=READONLY | FAST, since="2.0.0")
def zcount(shard: Shard, args: Args) -> Reply:
    """Count the members in a range of scores."""
    return _count(shard, args, By.SCORE)


@command("ZLEXCOUNT", "key min max", arity=4, keys=READ, flags=READONLY | FAST, since="2.8.9")
def zlexcount(shard: Shard, args: Args) -> Reply:
    """Count the members in a range of names, where all have one score."""
    return _count(shard, args, By.LEX)


def _count(shard: Shard, args: Args, by: By) -> int:
    key, wanted = args.next(), _parse_range(by, args.next(), args.next())
    zset = shard.find(key, ZSet)
    if zset is None:
        return 0
    start, stop = _ranks(zset, wanted)
    return stop - start


# Removing


@command("ZREMRANGEBYRANK", "key start stop", arity=4, keys=DELETE, flags=WRITE, since="2.0.0")
def zremrangebyrank(shard: Shard, args: Args) -> Reply:
    """Remove the members in a range of ranks; return how many they were."""
    return _remove(shard, args, By.RANK)


@command("ZREMRANGEBYSCORE", "key min max", arity=4, keys=DELETE, flags=WRITE, since="1.2.0")
def zremrangebyscore(shard: Shard, args: Args) -> Reply:
    """Remove the members in a range of scores; return how many they were."""
    return _remove(shard, args, By.SCORE)


@command("ZREMRANGEBYLEX", "key min max", arity=4, keys=DELETE, flags=WRITE, since="2.8.9")
def zremrangebylex(shard: Shard, args: Args) -> Reply:
    """Remove the members in a range of names, where all have one score; return how many they were."""
    return _remove(shard, args, By.LEX)


def _remove(shard: Shard, args: Args, by: By) -> int:
    key, wanted = args.next(), _parse_range(by, args.next(), args.next())
    zset = shard.edit(key, ZSet)
    if zset is None:
        return 0
    removed = zset.remove_slice(*_ranks(zset, wanted))
    if removed:
        shard.changed(key, zset, Event.ZSET, b"zremrangeby" + by.value.encode())
    return removed
