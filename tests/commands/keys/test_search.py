"""Finding keys, as a redis-cli session shows it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.commands.args import Args
from respcache.commands.table import TABLE, Part
from respcache.store.shard import Event, Shard
from tests.support.transcript import Transcript

SYNTAX = "ERR syntax error"
INVALID_CURSOR = "ERR invalid cursor"


def scan_all(do: Transcript, *options: Any) -> list[bytes]:
    """The keys of a whole walk, in the order returned."""
    cursor, found = b"0", []
    while True:
        cursor, keys = do("SCAN", cursor, *options)
        found += keys
        if cursor == b"0":
            return found


def test_keys(do: Transcript) -> None:
    assert do("KEYS", "*") == []
    do("MSET", "one", 1, "two", 2, "three", 3, "f[x]", 4, "", 5)
    assert sorted(do("KEYS", "*")) == [b"", b"f[x]", b"one", b"three", b"two"]
    assert sorted(do("KEYS", "t*")) == [b"three", b"two"]
    assert do("KEYS", "?n?") == [b"one"]
    assert do("KEYS", "t[g-x]o") == [b"two"]
    assert do("KEYS", r"f\[x\]") == [b"f[x]"]
    assert do("KEYS", "one") == [b"one"]
    assert do("KEYS", "on") == []
    assert do("KEYS", "") == [b""]
    do("SELECT", 1)
    assert do("KEYS", "*") == []
    assert do.error("KEYS") == "ERR wrong number of arguments for 'keys' command"


def test_randomkey(do: Transcript) -> None:
    assert do("RANDOMKEY") is None
    do("SET", "a", 1)
    assert do("RANDOMKEY") == b"a"
    names = [b"key:%d" % i for i in range(10)]
    do("DEL", "a")
    for name in names:
        do("SET", name, 1)
    # The chance that one of ten keys is missing from 400 draws is 10 * 0.9**400, less than 1e-17.
    assert {do("RANDOMKEY") for _ in range(400)} == set(names)
    assert do.error("RANDOMKEY", "x") == "ERR wrong number of arguments for 'randomkey' command"


def test_randomkey_follows_the_seed() -> None:
    """With a given seed, three shards make the same choices each time, and each key is equally likely."""
    row = TABLE[b"RANDOMKEY"]
    assert row.gather is not None

    def choices() -> list[Any]:
        shards = [Shard(seed=7, index=index, shards=3) for index in range(3)]
        for shard, names in zip(shards, ([b"a"], [], [b"b", b"c", b"d"]), strict=True):
            for name in names:
                shard.put(name, b"1", Event.STRING, b"set")
        return [row.gather([Part(row.handler(shard, Args([])), []) for shard in shards]) for _ in range(4000)]

    chosen = choices()
    assert chosen == choices()
    counts = Counter(chosen)
    assert set(counts) == {b"a", b"b", b"c", b"d"}
    assert all(850 < count < 1150 for count in counts.values())  # more than 5 standard deviations, and seeded


def test_scan_returns_each_key(do: Transcript) -> None:
    assert do("SCAN", 0) == [b"0", []]
    names = {b"key:%d" % i for i in range(237)}
    for name in names:
        do("SET", name, 1)
    for options in ((), ("COUNT", 1), ("count", 50), ("COUNT", 100_000)):
        found = scan_all(do, *options)
        assert set(found) == names
        assert len(found) == len(names)
    do("SELECT", 1)
    assert do("SCAN", 0) == [b"0", []]


def test_scan_match(do: Transcript) -> None:
    for i in range(100):
        do("SET", f"key:{i}", 1)
    do("SET", "other", 1)
    assert sorted(scan_all(do, "MATCH", "key:?7")) == sorted(b"key:%d7" % i for i in range(1, 10))
    assert scan_all(do, "match", "o*", "COUNT", 7) == [b"other"]
    assert len(scan_all(do, "MATCH", "*")) == 101
    assert scan_all(do, "MATCH", "none*") == []


def test_scan_type(do: Transcript) -> None:
    do("SET", "string", 1)
    do("SET", "changed", 1)
    do("APPEND", "changed", "x")
    do("RPUSH", "list", 1)
    do("SADD", "set", 1)
    do("ZADD", "zset", 1, "a")
    do("HSET", "hash", "f", "v")
    assert sorted(scan_all(do, "TYPE", "string")) == [b"changed", b"string"]
    for name in ("list", "set", "zset", "hash"):
        assert scan_all(do, "TYPE", name.upper()) == [name.encode()]
    assert scan_all(do, "TYPE", "list", "MATCH", "h*") == []
    assert scan_all(do, "TYPE", "nonsense") == []


def test_scan_while_keys_come_and_go(do: Transcript) -> None:
    """A key that is present throughout is returned, whatever else happens."""
    stay = {b"stay:%d" % i for i in range(60)}
    for i, name in enumerate(stay):
        do("SET", name, 1)
        do("SET", f"go:{i}", 1)
    cursor, found, step = b"0", set(), 0
    while True:
        cursor, keys = do("SCAN", cursor, "COUNT", 5)
        found.update(keys)
        if cursor == b"0":
            break
        do("DEL", f"go:{step}", f"go:{59 - step}")
        do("SET", f"come:{step}", 1)
        step += 1
    assert found >= stay
    assert step > 3


@pytest.mark.parametrize("command", ["SCAN", "SSCAN", "HSCAN", "ZSCAN"])
def test_deletions_during_a_walk_repeat_nothing(do: Transcript, command: str) -> None:
    """Deletions of elements that the walk has just returned, or that it has not reached."""
    members = [f"member:{number}" for number in range(600)]
    fill: dict[str, tuple[object, ...]] = {
        "SCAN": ("MSET", *(word for member in members for word in (member, 1))),
        "SSCAN": ("SADD", "k", *members),
        "HSCAN": ("HSET", "k", *(word for member in members for word in (member, 1))),
        "ZSCAN": ("ZADD", "k", *(word for member in members for word in (1, member))),
    }
    remove = {"SCAN": ("DEL",), "SSCAN": ("SREM", "k"), "HSCAN": ("HDEL", "k"), "ZSCAN": ("ZREM", "k")}[command]
    walk, each = ((command,), 1) if command == "SCAN" else ((command, "k"), 1 if command == "SSCAN" else 2)
    do(*fill[command])
    seen: list[bytes] = []
    left = {member.encode() for member in members}
    cursor = b"0"
    while True:
        cursor, found = do(*walk, cursor, "COUNT", 40)
        seen += found[::each]
        if cursor == b"0":
            break
        unwanted = [*sorted(left - set(seen))[:7], seen[-1]]
        do(*remove, *unwanted)
        left -= set(unwanted)
    assert len(seen) == len(set(seen))
    assert left <= set(seen)


@pytest.mark.respcache_only("shifts the server's clock")
def test_scan_skips_expired_keys(do: Transcript) -> None:
    for i in range(50):
        do("SET", f"stay:{i}", 1)
        do("SET", f"go:{i}", 1, "PX", 10_000)
    do.advance(10_001)
    assert sorted(scan_all(do)) == sorted(b"stay:%d" % i for i in range(50))
    assert do("DBSIZE") == 50


def test_scan_errors(do: Transcript) -> None:
    assert do.error("SCAN") == "ERR wrong number of arguments for 'scan' command"
    for cursor in ("x", "1x", "1.5", 1 << 64, "9" * 5000):
        assert do.error("SCAN", cursor) == INVALID_CURSOR
        assert do.error("SCAN", cursor, "NONSENSE") == INVALID_CURSOR
    assert do.error("SCAN", 0, "NONSENSE") == SYNTAX
    assert do.error("SCAN", 0, "MATCH") == SYNTAX
    assert do.error("SCAN", 0, "TYPE") == SYNTAX
    assert do.error("SCAN", 0, "COUNT", 0) == SYNTAX
    for count in ("x", "9" * 5000, "0" * 5000):
        assert do.error("SCAN", 0, "COUNT", count) == "ERR value is not an integer or out of range"
    assert do.error("SCAN", 0, "COUNT", "x", "NONSENSE") == "ERR value is not an integer or out of range"


@pytest.mark.parametrize("cursor", [1, 17, (1 << 64) - 1])
def test_any_cursor_is_taken(do: Transcript, cursor: int) -> None:
    do("SET", "k", 1)
    next_cursor, keys = do("SCAN", cursor)
    assert next_cursor.isdigit()
    assert keys in ([], [b"k"])
