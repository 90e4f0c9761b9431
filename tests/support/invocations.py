"""Some valid call of every command that has keys, made from the command table.

Most commands accept the filler for every word that is not a key; `TEMPLATES` has the others. Commands that are added to
the table are covered at once, if only by a call that is a syntax error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache.commands.table import TABLE, Command, Keys, NumKeys, Reach

FILLER = "1"
# They live on different ones of three shards.
KEYS = ("key:one", "key:two", "key:three")

# `K` stands for a key.
TEMPLATES = """
    BITFIELD K GET u8 0
    BITFIELD_RO K GET u8 0
    BITOP AND K K
    BLMOVE K K LEFT RIGHT 0.01
    BLMPOP 0.01 1 K LEFT
    BLPOP K K 0.01
    BRPOP K K 0.01
    BRPOPLPUSH K K 0.01
    BZMPOP 0.01 1 K MIN
    BZPOPMAX K K 0.01
    BZPOPMIN K K 0.01
    GEOADD K 1 1 m
    GEODIST K m m
    GEORADIUS K 1 1 1 m
    GEORADIUS_RO K 1 1 1 m
    GEORADIUSBYMEMBER K m 1 m
    GEORADIUSBYMEMBER_RO K m 1 m
    GEOSEARCH K FROMLONLAT 1 1 BYRADIUS 1 m
    GEOSEARCHSTORE K K FROMLONLAT 1 1 BYRADIUS 1 m
    LINSERT K BEFORE 1 1
    LMOVE K K LEFT RIGHT
    LMPOP 2 K K LEFT
    MSET K 1 K 1
    MSETNX K 1 K 1
    RESTORE K 0 1
    SINTERCARD 2 K K
    SORT K BY nosort LIMIT 0 1
    SORT_RO K BY nosort LIMIT 0 1
    XADD K 9-9 1 1
    XAUTOCLAIM K g c 1 0
    XCLAIM K g c 1 1-1
    XGROUP CREATE K g $
    XGROUP SETID K g $
    XPENDING K g
    XRANGE K - +
    XREAD STREAMS K K 0 0
    XREADGROUP GROUP g c STREAMS K >
    XREVRANGE K + -
    XSETID K 9-9
    XTRIM K MAXLEN 1
    ZDIFF 2 K K
    ZINTER 2 K K
    ZINTERCARD 2 K K
    ZLEXCOUNT K - +
    ZMPOP 2 K K MIN
    ZRANGEBYLEX K - +
    ZRANGESTORE K K 0 -1
    ZREMRANGEBYLEX K - +
    ZREVRANGEBYLEX K + -
    ZUNION 2 K K
    ZDIFFSTORE K 2 K K
    ZINTERSTORE K 2 K K
    ZUNIONSTORE K 2 K K
"""

# Commands that make a key of each type, and the group of commands that is about that type.
TYPES = {
    "string": ("SET {} 10", ("string", "bitmap", "hyperloglog")),
    "list": ("RPUSH {} 1 2 3", ("list",)),
    "hash": ("HSET {} 1 2 m 3", ("hash",)),
    "set": ("SADD {} 1 2 m", ("set",)),
    "zset": ("ZADD {} 1 1 2 m", ("sorted_set", "geo")),
    "stream": ("XADD {} 1-1 1 2", ("stream",)),
}
KINDS = [kind for kind, (line, _) in TYPES.items() if line.split()[0].encode() in TABLE]


def rows() -> Iterator[Command]:
    """All commands that have keys and run beside the data, subcommands among them."""
    for container in TABLE.values():
        for row in (container, *container.subcommands.values()):
            if row.keys and row.reach is Reach.KEYS:
                yield row


def invocation(row: Command) -> list[str]:
    """A call of the command, with `KEYS` for its keys, the first of them first."""
    name = row.name.split()
    templates = (line.split() for line in TEMPLATES.strip().splitlines())
    words = next((words for words in templates if words[: len(name)] == name), [])
    if not words:
        words = name + [FILLER] * (row.min_words - len(name))
        if any(isinstance(spec, NumKeys) or (isinstance(spec, Keys) and spec.last == -1) for spec in row.keys):
            words.append(FILLER)  # one key more
        for at in positions(row, words):
            words[at] = "K"
    for number, at in enumerate(at for at, word in enumerate(words) if word == "K"):
        words[at] = KEYS[number % len(KEYS)]
    return words


def positions(row: Command, words: Sequence[str]) -> list[int]:
    """Where the keys stand."""
    return [at for at in row.key_positions([word.encode() for word in words]) if at < len(words)]
