"""OBJECT FREQ and the policies that decide about it, as a redis-cli session shows them.

With ``lfu-log-factor 0`` each access adds exactly 1, so accesses can be counted.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript

_ADJUSTING = (
    "Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
)
NOT_LFU = f"ERR An LFU maxmemory policy is not selected, access frequency not tracked. {_ADJUSTING}"
LFU = f"ERR An LFU maxmemory policy is selected, idle time not tracked. {_ADJUSTING}"


@pytest.fixture
def policy(do: Transcript) -> Iterator[Transcript]:
    """An LFU policy that counts exactly; undone after the test, also on a genuine server."""
    do("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-log-factor", 0)
    yield do
    do("CONFIG", "SET", "maxmemory-policy", "noeviction", "lfu-log-factor", 10, "lfu-decay-time", 1)


def freq(do: Transcript, key: str) -> int:
    return int(do("OBJECT", "FREQ", key))


@pytest.mark.usefixtures("policy")
def test_accesses_are_counted(do: Transcript) -> None:
    do("SET", "k", "v")
    assert freq(do, "k") == 5
    for _ in range(3):
        do("GET", "k")
    assert freq(do, "k") == freq(do, "k") == 8
    for _ in range(260):
        do("GET", "k")
    assert freq(do, "k") == 255
    assert do("OBJECT", "FREQ", "none") is None


@pytest.mark.usefixtures("policy")
def test_restore_takes_a_frequency_and_no_idle_time(do: Transcript) -> None:
    do("SET", "k", "v")
    payload = do("DUMP", "k")
    for options, expected in ((("FREQ", 100), 100), (("IDLETIME", 1000), 5), ((), 5)):
        do("RESTORE", "k", 0, payload, "REPLACE", *options)
        assert freq(do, "k") == expected


# Commands, by how often they access the key that they name first.
ONE = (
    *("SET k v", "SET k v XX", "SET k v NX", "SETEX k 100 v", "APPEND k v", "GETRANGE k 0 1", "STRLEN k"),
    *("SETBIT k 1 1", "BITCOUNT k", "TOUCH k", "EXPIRE k 100", "PERSIST k", "SETNX k v", "MSET k v", "LPUSH l a"),
    *("LRANGE l 0 -1", "LLEN l", "SADD s x", "SMEMBERS s", "ZADD z 1 q", "ZRANGE z 0 -1", "HSET h f v", "HGET h f"),
    *("XADD x * f v", "XLEN x", "GEOPOS z a", "GEOSEARCH z FROMLONLAT 0 0 BYRADIUS 1 m"),
)  # fmt: skip
NONE = ("EXISTS k", "TYPE k", "TTL k", "OBJECT ENCODING k", "OBJECT FREQ k", "SCAN 0", "KEYS *", "RANDOMKEY", "DBSIZE")
TWO = ("GETSET k v", "SET k v GET", "MGET k k", "MSET k v k w", "SINTERSTORE s s")


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize(
    ("line", "more"),
    [(line, count) for count, lines in enumerate((NONE, ONE, TWO)) for line in lines],
)
def test_what_counts_as_an_access(do: Transcript, line: str, more: int) -> None:
    for words in ("SET k text", "RPUSH l a b", "SADD s a b", "ZADD z 1 a 2 b", "HSET h f v", "XADD x 1-1 f v"):
        do(*words.split())
    do.connection.call(*line.split())
    key = next(word for word in [*line.split(), "k"] if len(word) == 1 and word.islower())
    assert freq(do, key) == 5 + more


@pytest.mark.usefixtures("policy")
def test_keys_of_other_shards_count_too(do: Transcript) -> None:
    for key in ("a", "b", "c", "d"):
        do("SADD", key, 1, 2)
    do("SINTER", "a", "b", "c", "d")
    assert [freq(do, key) for key in ("a", "b", "c", "d")] == [6, 6, 6, 6]
    # What is changed elsewhere and comes back was accessed once.
    do("SMOVE", "a", "d", 3)
    do("SADD", "a", 3)
    do("SMOVE", "a", "d", 3)
    assert [freq(do, key) for key in ("a", "d")] == [9, 8]


@pytest.mark.since("7.2")
@pytest.mark.usefixtures("policy")
def test_a_key_under_another_name_is_a_new_key(do: Transcript) -> None:
    do("SET", "k", "v")
    do("GET", "k")
    do("RENAME", "k", "other")
    assert freq(do, "other") == 5
    do("GET", "other")
    do("COPY", "other", "k")
    assert [freq(do, key) for key in ("other", "k")] == [7, 5]
    do("GET", "k")
    do("RENAME", "other", "k")
    assert freq(do, "k") == 5


def test_each_policy_has_one_of_two(do: Transcript) -> None:
    do("SET", "k", "v")
    try:
        for policy in ("volatile-lfu", "allkeys-lfu"):
            do("CONFIG", "SET", "maxmemory-policy", policy)
            assert isinstance(do("OBJECT", "FREQ", "k"), int)
            assert do.error("OBJECT", "IDLETIME", "k") == LFU
            assert do("OBJECT", "IDLETIME", "none") is None
        for policy in ("allkeys-lru", "volatile-ttl", "allkeys-random", "noeviction"):
            do("CONFIG", "SET", "maxmemory-policy", policy)
            assert isinstance(do("OBJECT", "IDLETIME", "k"), int)
            assert do.error("OBJECT", "FREQ", "k") == NOT_LFU
    finally:
        do("CONFIG", "SET", "maxmemory-policy", "noeviction")


@pytest.mark.usefixtures("policy")
def test_clients_that_touch_nothing(do: Transcript, connect: type[Connection]) -> None:
    do("SET", "k", "v")
    if do.server.version >= (7, 2):
        do("CLIENT", "NO-TOUCH", "on")
        do("GET", "k")
        assert freq(do, "k") == 5
        do("TOUCH", "k")
        assert freq(do, "k") == 6
        do("CLIENT", "NO-TOUCH", "off")


def test_the_higher_the_counter_the_rarer_it_grows(do: Transcript) -> None:
    do("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu", "lfu-log-factor", 10)
    try:
        do("SET", "k", "v")
        do.connection.pipeline(*[("GET", "k")] * 100)
        assert 6 <= freq(do, "k") <= 20
        do.connection.pipeline(*[("GET", "k")] * 1000)
        assert 10 <= freq(do, "k") <= 40
    finally:
        do("CONFIG", "SET", "maxmemory-policy", "noeviction")


@pytest.mark.respcache_only(reason="shifts the server's clock")
@pytest.mark.usefixtures("policy")
def test_counters_fall(do: Transcript) -> None:
    minute = 60_000
    do("SET", "k", "v")
    for _ in range(15):
        do("GET", "k")
    do.advance(3 * minute)
    assert freq(do, "k") == 17
    do("GET", "k")
    assert freq(do, "k") == 18
    do("CONFIG", "SET", "lfu-decay-time", 5)
    do.advance(10 * minute)
    assert freq(do, "k") == 16
    do("CONFIG", "SET", "lfu-decay-time", 0)
    do.advance(1000 * minute)
    assert freq(do, "k") == 18
    do("CONFIG", "SET", "lfu-decay-time", 1)
    assert freq(do, "k") == 0
    do("GET", "k")
    assert freq(do, "k") == 1


@pytest.mark.respcache_only(reason="shifts the server's clock")
def test_a_change_of_the_policy_keeps_the_bits(do: Transcript) -> None:
    """As in Redis: they mean something else then. Accesses put that right."""
    do("SET", "k", "v")
    do.advance(1000_000)
    do("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    assert freq(do, "k") in range(256)
    do("SET", "new", "v")
    assert freq(do, "new") == 5
    do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    # Never accessed while it was on: nothing was lost.
    assert 1000 <= do("OBJECT", "IDLETIME", "k") <= 1002
    assert do("OBJECT", "IDLETIME", "new") in range(1 << 24)
    do("GET", "new")
    assert do("OBJECT", "IDLETIME", "new") <= 1


@pytest.mark.respcache_only(reason="RESPCACHE")
@pytest.mark.usefixtures("policy")
def test_snapshots_and_other_databases(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2, "c", 3)
    do("RESPCACHE", "SNAPSHOT", "s")
    for key in ("a", "a", "b"):
        do("GET", key)
    do("DEL", "c")
    do("FLUSHALL")
    do("RESPCACHE", "RESTORE", "s")
    do("RESPCACHE", "DROP", "s")
    # What was kept all the time may go on as it is; what is made again begins anew.
    assert all(freq(do, key) in (5, 6, 7) for key in ("a", "b", "c"))
    do("GET", "c")
    before = freq(do, "a")
    do("SWAPDB", 0, 1)
    do("SELECT", 1)
    assert freq(do, "a") == before
    do("SELECT", 0)


@pytest.mark.respcache_only(reason="RESPCACHE RESET")
def test_a_fresh_server_has_the_default_policy(do: Transcript) -> None:
    do("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    do("SET", "k", "v")
    do("RESPCACHE", "RESET")
    do("SET", "k", "v")
    assert do("OBJECT", "IDLETIME", "k") <= 1
    assert do.error("OBJECT", "FREQ", "k") == NOT_LFU
