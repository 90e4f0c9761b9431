"""Commands that find keys: KEYS and RANDOMKEY ask all shards, SCAN one after the other."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from respcache.commands.scanning import parse_cursor, parse_options, scan_reply
from respcache.commands.table import READONLY, Part, Reach, concatenated, family
from respcache.datatypes.types import type_name
from respcache.glob import compile_glob
from respcache.resp.types import Reply

if TYPE_CHECKING:
    from respcache.commands.args import Args
    from respcache.store.shard import Shard

command = family("generic")


# How often RANDOMKEY looks for a key that has not expired while expired ones cannot be removed; as in Redis.
_TRIES = 100


@command(
    "KEYS",
    "pattern",
    arity=2,
    reach=Reach.ALL,
    gather=concatenated,
    flags=READONLY,
    since="1.0.0",
    categories=("dangerous",),
    tips=("request_policy:all_shards", "nondeterministic_output_order"),
)
def keys(shard: Shard, args: Args) -> Reply:
    """Return the names of all keys that match a pattern."""
    pattern = args.next()
    # "*" matches every name, the empty one included.
    names = shard.db.members if pattern == b"*" else filter(compile_glob(pattern), shard.db.members)

    deadlines = shard.db.deadlines
    if not deadlines:
        return list(names)
    now = shard.now - shard.db.shift
    return [name for name in names if deadlines.get(name, now) >= now]


@command(
    "SCAN",
    "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    arity=-2,
    reach=Reach.CURSOR,
    flags=READONLY,
    since="2.8.0",
    tips=("nondeterministic_output", "request_policy:special", "response_policy:special"),
)
def scan(shard: Shard, args: Args) -> Reply:
    """Return some of the names of the keys, and a cursor to go on with."""
    cursor, options = parse_cursor(args.next()), parse_options(args, allow_type=True)

    cursor, names = shard.db.scan(cursor, options.count)
    if options.match is not None:
        names = [name for name in names if options.match(name)]
    # Looking removes expired keys, which moves only keys that this walk has passed.
    found = [(name, value) for name in names if (value := shard.peek(name)) is not None]
    if options.type is not None:
        # An unknown type matches nothing; it is not an error before Redis 8.
        wanted = options.type.lower()
        found = [(name, value) for name, value in found if type_name(value) == wanted]
    return scan_reply(cursor, [name for name, _ in found])


def _choose(parts: list[Part]) -> Reply:
    """One of the keys that the shards chose, each as likely as its shard has keys.

    This runs in main, so chance comes from the shards, whose generators are seeded: the sum of their draws, modulo 1,
    is uniform even if all draw the same.
    """
    chosen = [part.reply for part in parts if part.reply is not None]
    if not chosen:
        return None
    counts = list(accumulate(count for count, _, _ in chosen))
    point = sum(draw for _, _, draw in chosen) % 1.0 * counts[-1]
    key: bytes = chosen[bisect_right(counts, point)][1]
    return key


@command(
    "RANDOMKEY",
    arity=1,
    reach=Reach.ALL,
    gather=_choose,
    flags=READONLY,
    since="1.0.0",
    tips=("request_policy:all_shards", "response_policy:special", "nondeterministic_output"),
)
def randomkey(shard: Shard, args: Args) -> tuple[int, bytes, float] | None:
    """Return the name of a random key."""
    tries = _TRIES
    while len(shard.db):
        key = shard.db.choice(shard.random)
        # Looking removes an expired key, which brings the end nearer; but nothing is removed during CLIENT PAUSE.
        if shard.peek(key) is not None or (shard.expiry_paused and not tries):
            return len(shard.db), key, shard.random.random()
        tries -= 1
    return None
