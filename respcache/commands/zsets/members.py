"""Sorted sets, member by member: ZADD to ZSCAN. Ranges are in `ranges`, those that block in `blocking`."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.args import INT64_MAX
from respcache.commands.sampling import parse_count, random_elements
from respcache.commands.scanning import parse_cursor, parse_options, scan_reply
from respcache.commands.table import (
    DELETE,
    DENYOOM,
    EXAMINE,
    FAST,
    MODIFY,
    READ,
    READONLY,
    TAKE,
    UPDATE,
    WRITE,
    NumKeys,
    family,
)
from respcache.commands.table.tips import RANDOM_OUTPUT
from respcache.datatypes.zset import ZSet
from respcache.errors import (
    COUNT_NOT_POSITIVE,
    NOT_POSITIVE,
    NUMKEYS_NOT_POSITIVE,
    OUT_OF_RANGE,
    SCORE_NAN,
    ZADD_GT_LT_NX,
    ZADD_INCR_PAIRS,
    ZADD_XX_WITH_NX,
    CommandError,
    WrongSyntax,
    wrong_arity,
)
from respcache.resp.encode import format_double
from respcache.resp.types import NULL_ARRAY, Pairs, Reply
from respcache.store.shard import Event, Shard

if TYPE_CHECKING:
    from respcache.commands.args import Args

command = family("sorted_set")


class Conditions(NamedTuple):
    """The options of ZADD."""

    nx: bool = False
    xx: bool = False
    gt: bool = False
    lt: bool = False
    ch: bool = False
    incr: bool = False

    def allow(self, old: float | None, new: float) -> bool:
        """True if a member may get the score `new`; `old` is None if the set does not have it yet."""
        if old is None:
            return not self.xx
        return not (self.nx or (self.gt and new <= old) or (self.lt and new >= old))


_UNCONDITIONAL = Conditions()
_KEYWORDS = {field.upper().encode(): field for field in Conditions._fields}


@command(
    "ZADD",
    "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
    arity=-4,
    keys=UPDATE,
    flags=WRITE | DENYOOM | FAST,
    since="1.2.0",
)
def zadd(shard: Shard, args: Args) -> Reply:
    """Add members to a sorted set, or change their scores; return how many are new."""
    key, conditions = args.next(), _take_conditions(args)
    items = [(args.float(), args.next()) for _ in range(len(args) // 2)]
    if conditions.incr:
        ((increment, member),) = items
        return _increment(shard, key, member, increment, conditions)
    return add(shard, key, items, conditions)


def add(shard: Shard, key: bytes, items: list[tuple[float, bytes]], conditions: Conditions) -> int:
    """Set scores of members, as ZADD does; what it answers."""
    zset = shard.edit(key, ZSet)
    if zset is None:
        if conditions.xx:
            return 0
        zset = ZSet(shard.limits)
    zset.expect(len(items))
    added, updated = _set_scores(zset, items, conditions)
    if added or updated:
        shard.changed(key, zset, Event.ZSET, b"zadd")
    else:
        shard.marked(key)
    return added + updated if conditions.ch else added


def _take_conditions(args: Args) -> Conditions:
    """The options before the scores. Raises CommandError."""
    given = {}
    while len(args) and (field := _KEYWORDS.get(args.argv[args.at].upper())):
        args.next()
        given[field] = True
    if not len(args) or len(args) % 2:
        raise WrongSyntax
    found = Conditions(**given) if given else _UNCONDITIONAL
    if found.nx and found.xx:
        raise CommandError(ZADD_XX_WITH_NX)
    if found.gt + found.lt + found.nx > 1:
        raise CommandError(ZADD_GT_LT_NX)
    if found.incr and len(args) > 2:
        raise CommandError(ZADD_INCR_PAIRS)
    return found


def _set_scores(zset: ZSet, items: list[tuple[float, bytes]], conditions: Conditions) -> tuple[int, int]:
    """Set the scores that the conditions allow. Returns how many members are new, and how many scores changed."""
    added = updated = 0
    scores: dict[bytes, float] = {}
    for score, member in items:
        # A member may be given several times; each score is compared with the one before.
        old = scores.get(member)
        if old is None:
            old = zset.score(member)
        if score == old or not conditions.allow(old, score):
            continue
        if old is None:
            added += 1
        else:
            updated += 1
        scores[member] = score
    zset.update(scores)
    return added, updated


def _increment(shard: Shard, key: bytes, member: bytes, increment: float, conditions: Conditions) -> Reply:
    """ZINCRBY, and ZADD ... INCR: the new score, or None if the conditions do not allow it."""
    zset = shard.edit(key, ZSet)
    if zset is None:
        zset = ZSet(shard.limits)
    old = zset.score(member)
    new = increment if old is None else old + increment
    if not conditions.allow(old, new):
        return None
    if isnan(new):
        raise CommandError(SCORE_NAN)
    if new != old:
        zset[member] = new
        shard.changed(key, zset, Event.ZSET, b"zincr")
    return new


@command("ZINCRBY", "key increment member", arity=4, keys=MODIFY, flags=WRITE | DENYOOM | FAST, since="1.2.0")
def zincrby(shard: Shard, args: Args) -> Reply:
    """Add to the score of a member, which counts as 0 if there is none; return the new score."""
    key, increment, member = args.next(), args.float(), args.next()
    return _increment(shard, key, member, increment, _UNCONDITIONAL)


@command("ZREM", "key member [member ...]", arity=-3, keys=DELETE, flags=WRITE | FAST, since="1.2.0")
def zrem(shard: Shard, args: Args) -> Reply:
    """Remove members; return how many were there."""
    key, members = args.next(), args.rest()
    zset = shard.edit(key, ZSet)
    if zset is None:
        return 0
    removed = sum(map(zset.discard, members))
    if removed:
        shard.changed(key, zset, Event.ZSET, b"zrem")
    return removed


@command("ZCARD", "key", arity=2, keys=EXAMINE, flags=READONLY | FAST, since="1.2.0")
def zcard(shard: Shard, args: Args) -> Reply:
    """Return the number of members."""
    return len(shard.find(args.next(), ZSet) or ())


@command("ZSCORE", "key member", arity=3, keys=READ, flags=READONLY | FAST, since="1.2.0")
def zscore(shard: Shard, args: Args) -> Reply:
    """Return the score of a member."""
    key, member = args.next(), args.next()
    zset = shard.find(key, ZSet)
    return None if zset is None else zset.score(member)


@command("ZMSCORE", "key member [member ...]", arity=-3, keys=READ, flags=READONLY | FAST, since="6.2.0")
def zmscore(shard: Shard, args: Args) -> Reply:
    """Return the scores of members."""
    key, members = args.next(), args.rest()
    zset = shard.find(key, ZSet)
    return [None if zset is None else zset.score(member) for member in members]


@command("ZRANK", "key member [WITHSCORE]", arity=-3, keys=READ, flags=READONLY | FAST, since="2.0.0")
def zrank(shard: Shard, args: Args) -> Reply:
    """Return how many members come before a member, lowest score first."""
    return _rank(shard, args, "zrank", reverse=False)


@command("ZREVRANK", "key member [WITHSCORE]", arity=-3, keys=READ, flags=READONLY | FAST, since="2.0.0")
def zrevrank(shard: Shard, args: Args) -> Reply:
    """Return how many members come before a member, highest score first."""
    return _rank(shard, args, "zrevrank", reverse=True)


def _rank(shard: Shard, args: Args, name: str, *, reverse: bool) -> Reply:
    if len(args) > 3:
        raise wrong_arity(name)
    key, member, with_score = args.next(), args.next(), args.flag(b"WITHSCORE")
    args.end()

    zset = shard.find(key, ZSet)
    rank = None if zset is None else zset.rank(member)
    if zset is None or rank is None:
        return NULL_ARRAY if with_score else None
    if reverse:
        rank = len(zset) - 1 - rank
    return [rank, zset.score(member)] if with_score else rank


@command("ZPOPMIN", "key [count]", arity=-2, keys=TAKE, flags=WRITE | FAST, since="5.0.0")
def zpopmin(shard: Shard, args: Args) -> Reply:
    """Remove and return the members with the lowest scores."""
    return _pop_command(shard, args, last=False)


@command("ZPOPMAX", "key [count]", arity=-2, keys=TAKE, flags=WRITE | FAST, since="5.0.0")
def zpopmax(shard: Shard, args: Args) -> Reply:
    """Remove and return the members with the highest scores."""
    return _pop_command(shard, args, last=True)


def _pop_command(shard: Shard, args: Args, *, last: bool) -> Reply:
    if len(args) > 2:
        raise WrongSyntax
    key = args.next()
    count = args.int(NOT_POSITIVE, low=0) if len(args) else None

    zset = shard.edit(key, ZSet)
    if zset is None or count == 0:
        return []
    taken = take(shard, key, zset, 1 if count is None else count, last=last)
    # Without a count the reply is one member with its score, which RESP3 does not nest.
    return list(taken[0]) if count is None else Pairs(taken)


def take(shard: Shard, key: bytes, zset: ZSet, count: int, *, last: bool) -> list[tuple[bytes, float]]:
    """Remove up to `count` members of the sorted set at `key`, those with the lowest or, `last`, the highest scores."""
    taken = zset.pop(count, last=last)
    shard.changed(key, zset, Event.ZSET, b"zpopmax" if last else b"zpopmin")
    return taken


@command(
    "ZMPOP",
    "numkeys key [key ...] <MIN | MAX> [COUNT count]",
    arity=-4,
    keys=NumKeys(1, access="RW ACCESS DELETE"),
    by_key=True,
    flags=WRITE,
    since="7.0.0",
)
def zmpop(shard: Shard, args: Args) -> Reply:
    """Remove and return members of the first sorted set that is not empty."""
    keys, last, count = take_zmpop(args)
    return pop_from_first(shard, keys, last, count) or NULL_ARRAY


def take_zmpop(args: Args) -> tuple[list[bytes], bool, int]:
    """The words of ZMPOP from `numkeys` on: keys, whether to take the highest, how many. Raises CommandError."""
    number = args.int(NUMKEYS_NOT_POSITIVE, low=1)
    if number >= len(args):
        raise WrongSyntax
    keys, where, count = [args.next() for _ in range(number)], args.option(), None
    if where not in (b"MIN", b"MAX"):
        raise WrongSyntax
    while len(args):
        if args.option() != b"COUNT" or count is not None or not len(args):
            raise WrongSyntax
        count = args.int(COUNT_NOT_POSITIVE, low=1)
    return keys, where == b"MAX", count or 1


def pop_from_first(shard: Shard, keys: list[bytes], last: bool, count: int) -> Reply:
    """ZMPOP's reply: the first key that has a sorted set, and up to `count` members of it; None if there is none."""
    for key in keys:
        zset = shard.edit(key, ZSet)
        if zset is not None:
            # Only here pairs are nested even in RESP2.
            return [key, [list(item) for item in take(shard, key, zset, count, last=last)]]
    return None


@command(
    "ZRANDMEMBER", "key [count [WITHSCORES]]", arity=-2, keys=READ, flags=READONLY, since="6.2.0", tips=RANDOM_OUTPUT
)
def zrandmember(shard: Shard, args: Args) -> Reply:
    """Return random members: different ones, or, if the count is negative, each chosen anew."""
    key = args.next()
    if not len(args):
        zset = shard.find(key, ZSet)
        return None if zset is None else zset.choice(shard.random)
    count, with_scores = parse_count(args), args.flag(b"WITHSCORES")
    args.end()
    if with_scores and abs(count) > INT64_MAX // 2:
        raise CommandError(OUT_OF_RANGE)

    zset = shard.find(key, ZSet)
    if zset is None:
        return []
    members = random_elements(zset, shard.random, count)
    return Pairs((member, zset.score(member)) for member in members) if with_scores else list(members)


@command(
    "ZSCAN",
    "key cursor [MATCH pattern] [COUNT count]",
    arity=-3,
    keys=READ,
    flags=READONLY,
    since="2.8.0",
    tips=RANDOM_OUTPUT,
)
def zscan(shard: Shard, args: Args) -> Reply:
    """Return some members with their scores, and a cursor to go on with."""
    key, cursor = args.next(), parse_cursor(args.next())
    zset = shard.find(key, ZSet)
    if zset is None:
        return scan_reply(0, [])
    options = parse_options(args)

    # Scores are bulk strings in both protocols here, and those of a skiplist are printed with all digits.
    exact = zset.encoding == b"skiplist"
    cursor, items = zset.scan(cursor, options.count)
    elements: list[bytes] = []
    for member, score in items:
        if options.match is None or options.match(member):
            elements += member, b"%.17g" % score if exact else format_double(score)
    return scan_reply(cursor, elements)
