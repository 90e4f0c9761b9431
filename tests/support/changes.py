"""Random commands of all types that change keys, in every way there is, on few keys, so that they meet.

In the templates `K` stands for a key, `N` for a small number, `M` for a small word, and `T` for milliseconds that may
or may not be over soon.
"""

from __future__ import annotations

import random

# Of these, three live on different ones of three shards.
KEYS = ("key:one", "key:two", "key:three", "a", "b", "{a}c")

TEMPLATES = """
    SET K M
    SET K N
    SET K M PX T
    SET K M KEEPTTL
    SETEX K 1 M
    GETSET K M
    GETDEL K
    GETEX K PX T
    GETEX K PERSIST
    APPEND K M
    INCR K
    INCRBYFLOAT K 1.5
    SETRANGE K N M
    SETBIT K N 1
    SETBIT K N 0
    BITFIELD K SET u8 N 7
    BITFIELD K GET u8 N INCRBY i5 N 1
    BITOP OR K K K
    MSET K M K M
    MSETNX K M K M
    DEL K
    DEL K K
    UNLINK K K
    EXPIRE K 1
    PEXPIRE K T
    PERSIST K
    EXPIREAT K 1
    RENAME K K
    RENAMENX K K
    COPY K K REPLACE
    COPY K K DB 1 REPLACE
    MOVE K 1
    MOVE K 0
    SORT K ALPHA STORE K
    LPUSH K M M M
    RPUSH K M N
    RPUSHX K M
    LPOP K
    RPOP K 2
    LSET K 0 M
    LSET K 7 M
    LINSERT K BEFORE M M
    LINSERT K AFTER nothing M
    LREM K 0 M
    LTRIM K 0 1
    LMOVE K K LEFT RIGHT
    RPOPLPUSH K K
    LMPOP 2 K K LEFT
    BLPOP K K 0.001
    SADD K M M N
    SREM K M
    SPOP K
    SMOVE K K M
    SINTERSTORE K K K
    SUNIONSTORE K K K
    SDIFFSTORE K K K
    HSET K M N M M
    HSETNX K M N
    HDEL K M
    HINCRBY K N N
    HINCRBYFLOAT K N 0.5
    ZADD K N M N M
    ZADD K XX N M
    ZADD K GT CH N M N M
    ZINCRBY K N M
    ZREM K M
    ZPOPMIN K
    ZREMRANGEBYRANK K 0 0
    ZUNIONSTORE K 2 K K
    ZRANGESTORE K K 0 -1
    ZMPOP 2 K K MIN
    XADD K * M N
    XADD K MAXLEN 3 * M N
    XTRIM K MAXLEN 1
    XDEL K 1-1
    XGROUP CREATE K g 0 MKSTREAM
    XGROUP CREATE K M $
    XGROUP DESTROY K g
    XGROUP CREATECONSUMER K g M
    XGROUP DELCONSUMER K g M
    XGROUP SETID K g 0
    XREADGROUP GROUP g M COUNT N STREAMS K >
    XREADGROUP GROUP g M STREAMS K 0
    XREADGROUP GROUP g M NOACK STREAMS K >
    XAUTOCLAIM K g M 0 0
    XSETID K 99999999999999-1
    FLUSHDB
    SELECT 0
    SELECT 1
""".strip().splitlines()
# Rare: they leave little behind to look at.
RARE = ("FLUSHALL", "SWAPDB 0 1", "SWAPDB 1 2")

_WORDS = ("x", "y", "zzz", "3", "a" * 70)


class Changes:
    """An endless supply of commands, the same for the same `chance`."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def next(self) -> list[str]:
        """The words of one command; it may well be an error."""
        pick = self._chance.choice
        template = pick(RARE) if self._chance.random() < 0.01 else pick(TEMPLATES)
        return [self._word(word) for word in template.split()]

    def _word(self, word: str) -> str:
        match word:
            case "K":
                return self._chance.choice(KEYS)
            case "N":
                return str(self._chance.randrange(10))
            case "M":
                return self._chance.choice(_WORDS)
            case "T":
                return str(self._chance.choice((5, 50, 500, 100_000)))
        return word
