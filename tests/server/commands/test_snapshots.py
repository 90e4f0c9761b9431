"""RESPCACHE SNAPSHOT, RESTORE, SNAPSHOTS, DROP: the whole server as it was, however it has changed since."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.changes import KEYS, Changes
from tests.support.resp import Connection, pack
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")

Connect = type[Connection]
Block = Callable[..., Connection]

DATABASES = range(3)
# A script that changes keys of all shards, and one that changes what its only key holds.
SPREAD = "for i, k in ipairs(ARGV) do redis.call('del', k) redis.call('rpush', k, i, i) end return #ARGV"
COUNT = "redis.call('del', KEYS[1]) redis.call('incr', KEYS[1]) return redis.call('pexpire', KEYS[1], 700)"
LIBRARY = "#!lua name=%s\nredis.register_function('%s', function() return '%s' end)"


@pytest.fixture(autouse=True)
def _as_before(do: Transcript) -> Iterator[None]:
    """Other tests share the server."""
    yield
    cleaner = Connection(do.server.port)
    for snapshot in cleaner.call("RESPCACHE", "SNAPSHOTS"):
        cleaner.call("RESPCACHE", "DROP", snapshot[1])
    cleaner.pipeline(("RESPCACHE", "RESET"), ("QUIT",))
    cleaner.close()


def now(do: Transcript) -> int:
    time = do("RESPCACHE", "CLOCK", "GET")
    assert isinstance(time, int)
    return time


def listed(do: Transcript) -> dict[bytes, dict[bytes, Any]]:
    found = [do.as_map(row) for row in do("RESPCACHE", "SNAPSHOTS")]
    return {row[b"name"]: row for row in found}


# -- everything that there is, as clients see it

READ: dict[str, list[tuple[Any, ...]]] = {
    "string": [("GET",)],
    "list": [("LRANGE", 0, -1)],
    "set": [("SMEMBERS",)],
    "hash": [("HGETALL",)],
    "zset": [("ZRANGE", 0, -1, "WITHSCORES")],
    "stream": [("XRANGE", "-", "+")],
}


def picture(connection: Connection) -> dict[tuple[int, bytes], list[Any]]:
    """Every key with its type, TTL, encoding and value."""
    seen: dict[tuple[int, bytes], list[Any]] = {}
    for db in DATABASES:
        connection.call("SELECT", db)
        keys = sorted(connection.call("KEYS", "*"))
        types = connection.pipeline(*[("TYPE", key) for key in keys])
        for key, kind in zip(keys, types, strict=True):
            reads = [(words[0], key, *words[1:]) for words in READ[kind]]
            if kind == "stream":
                reads.append(("XINFO", "STREAM", key, "FULL"))
            replies = connection.pipeline(("PTTL", key), ("OBJECT", "ENCODING", key), *reads)
            if kind == "set":
                replies[-1] = sorted(replies[-1])
            seen[db, key] = [kind, *replies]
    return seen


class Story:
    """Random commands of one client, transactions and scripts among them."""

    def __init__(self, connection: Connection, seed: int) -> None:
        self.connection = connection
        self.chance = random.Random(seed)
        self._changes = Changes(self.chance)

    def go_on(self) -> None:
        kind = self.chance.random()
        commands = [self._change() for _ in range(self.chance.randrange(1, 12))]
        if kind < 0.15:
            commands = [["MULTI"], *commands, ["EXEC"]]
        elif kind < 0.2:
            commands = [["EVAL", SPREAD, "0", *KEYS[:4]]]
        elif kind < 0.25:
            commands = [["EVAL", COUNT, "1", self.chance.choice(KEYS)]]
        elif kind < 0.3:
            commands = [["RESPCACHE", "CLOCK", "ADVANCE", str(self.chance.choice((1, 30, 900)))]]
        self.connection.pipeline(*map(tuple, commands))

    def _change(self) -> list[str]:
        """Time stands still, so nothing may wait."""
        while (words := self._changes.next())[0].startswith("B"):
            pass
        return words


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_between(do: Transcript, connect: Connect, seed: int) -> None:
    story, looker = Story(connect(), seed), connect()
    chance = story.chance
    kept: dict[str, tuple[int, Any]] = {}
    do("RESPCACHE", "CLOCK", "FREEZE")
    for _ in range(12):
        for _ in range(chance.randrange(8)):
            story.go_on()
        name = f"s{chance.randrange(5)}"
        if chance.random() < 0.5 or not kept:
            assert do("RESPCACHE", "SNAPSHOT", name) == "OK"
            kept[name] = now(do), picture(looker)
        elif chance.random() < 0.1 and name in kept:
            assert do("RESPCACHE", "DROP", name) == "OK"
            del kept[name]
        else:
            name = chance.choice(list(kept))
            time, before = kept[name]
            clock = ["clock"] if chance.random() < 0.5 else []
            assert do("RESPCACHE", "RESTORE", name, *clock) == "OK"
            if clock:
                assert now(do) == time
            assert picture(looker) == before
    assert set(listed(do)) == {name.encode() for name in kept}


def test_a_state_to_start_from(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2, "c", 3)
    do("SELECT", 5)
    do("RPUSH", "l", "x")
    assert do("RESPCACHE", "SNAPSHOT", "catalogue") == "OK"
    for _ in range(3):
        do("FLUSHALL")
        do("SET", "l", "y")
        assert do("RESPCACHE", "RESTORE", "catalogue") == "OK"
        assert do("LRANGE", "l", 0, -1) == [b"x"]
        do("RPUSH", "l", "z")
        do("SELECT", 0)
        assert do("MGET", "a", "b", "c") == [b"1", b"2", b"3"]
        do("DEL", "a", "b")
        do("SELECT", 5)


def test_a_reset_leaves_snapshots_alone(do: Transcript) -> None:
    do("SET", "k", "v")
    do("RESPCACHE", "SNAPSHOT", "s")
    assert do("RESPCACHE", "RESET") == "OK"
    assert do("DBSIZE") == 0
    do("RESPCACHE", "RESTORE", "s")
    assert do("GET", "k") == b"v"


def test_a_snapshot_of_the_same_name_replaces_the_older_one(do: Transcript) -> None:
    do("SET", "k", "old")
    do("RESPCACHE", "SNAPSHOT", "s")
    do("SET", "k", "new")
    do("RESPCACHE", "SNAPSHOT", "s")
    do("DEL", "k")
    do("RESPCACHE", "RESTORE", "s")
    assert do("GET", "k") == b"new"
    assert list(listed(do)) == [b"s"]


def test_the_list(do: Transcript) -> None:
    assert do("RESPCACHE", "SNAPSHOTS") == []
    do("RESPCACHE", "CLOCK", "FREEZE")
    do("MSET", "a", "x" * 1000, "b", "x" * 1000, "c", "x" * 1000)
    do("RESPCACHE", "SNAPSHOT", "first")
    do("RESPCACHE", "CLOCK", "ADVANCE", 5000)
    do("DEL", "a", "b")
    do("RESPCACHE", "SNAPSHOT", "second")
    first, second = listed(do).values()
    assert (first[b"name"], first[b"keys"], first[b"lost"]) == (b"first", 3, 0)
    assert (second[b"name"], second[b"keys"], second[b"time"]) == (b"second", 1, now(do))
    assert second[b"time"] - first[b"time"] in (5000, 5001)
    assert 3000 < first[b"bytes"] < 4000
    assert 1000 < second[b"bytes"] < 1500
    assert list(first) == [b"name", b"time", b"keys", b"bytes", b"lost"]
    shards = do("INFO", "shards")
    assert "snapshots:2\r" in str(shards) or b"snapshots:2\r" in shards


# -- time


def test_keys_have_the_time_left_that_they_had(do: Transcript) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    do("SET", "a", 1, "PX", 5000)
    do("SET", "b", 1, "PX", 100)
    do("SET", "c", 1)
    do("RESPCACHE", "SNAPSHOT", "s")
    do("RESPCACHE", "CLOCK", "ADVANCE", 3000)
    do("PEXPIRE", "c", 7000)
    do("RESPCACHE", "RESTORE", "s")
    assert [do("PTTL", key) for key in "abc"] == [5000, 100, -1]
    do("RESPCACHE", "CLOCK", "ADVANCE", 101)
    assert do("DBSIZE") == 2
    do("RESPCACHE", "CLOCK", "ADVANCE", 5000)
    assert do("DBSIZE") == 1


def test_time_that_passes_by_itself_is_no_different(do: Transcript) -> None:
    do("SET", "a", 1, "EX", 100)
    do("RESPCACHE", "SNAPSHOT", "s")
    do("RESPCACHE", "CLOCK", "ADVANCE", 99_000)
    do("RESPCACHE", "RESTORE", "s")
    assert do("TTL", "a") == 100


def test_the_clock_is_put_back_if_asked_for(do: Transcript) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    do("SET", "a", 1, "PX", 5000)
    before, time = now(do), do("TIME")
    expires = do("PEXPIRETIME", "a")
    do("RESPCACHE", "SNAPSHOT", "s")
    do("RESPCACHE", "CLOCK", "ADVANCE", 10_000)
    do("RESPCACHE", "RESTORE", "s")
    assert (now(do) - before, do("PTTL", "a")) == (10_001, 5000)
    do("RESPCACHE", "RESTORE", "s", "CLOCK")
    assert (now(do), do("PEXPIRETIME", "a")) == (before, expires)
    assert do("TIME")[0] == time[0]
    do("RESPCACHE", "CLOCK", "ADVANCE", 5000)
    assert do("DBSIZE") == 0


def test_a_clock_that_stood_still_does_so_again(do: Transcript) -> None:
    do("RESPCACHE", "SNAPSHOT", "passing")
    do("RESPCACHE", "CLOCK", "FREEZE")
    do("RESPCACHE", "SNAPSHOT", "still")
    do("RESPCACHE", "CLOCK", "RESUME")
    do("RESPCACHE", "RESTORE", "still", "CLOCK")
    assert now(do) == listed(do)[b"still"][b"time"]
    assert eventually(lambda: now(do) == now(do))
    do("RESPCACHE", "RESTORE", "passing", "CLOCK")
    before = now(do)
    assert eventually(lambda: now(do) > before)


def test_what_is_due_when_the_clock_is_put_forward(do: Transcript, block: Block) -> None:
    do("RESPCACHE", "CLOCK", "FREEZE")
    start = now(do)
    do("RESPCACHE", "CLOCK", "ADVANCE", 60_000)
    do("RESPCACHE", "SNAPSHOT", "later")
    do("RESPCACHE", "CLOCK", "SET", start)
    waiter = block("BLPOP", "l", 10)
    do("RESPCACHE", "RESTORE", "later", "CLOCK")
    assert waiter.read() is None


# -- what main has


def test_scripts_and_functions_belong_to_it(do: Transcript) -> None:
    sha = do("SCRIPT", "LOAD", "return 'kept'")
    do("FUNCTION", "LOAD", LIBRARY % ("one", "f", "old"))
    do("FUNCTION", "LOAD", LIBRARY % ("two", "g", "two"))
    do("RESPCACHE", "SNAPSHOT", "s")
    do("SCRIPT", "FLUSH")
    newer = do("SCRIPT", "LOAD", "return 'newer'")
    do("FUNCTION", "LOAD", "REPLACE", LIBRARY % ("one", "f", "new"))
    do("FUNCTION", "DELETE", "two")
    do("FUNCTION", "LOAD", LIBRARY % ("three", "h", "three"))
    assert do("FCALL", "f", 0) == b"new"
    do("RESPCACHE", "RESTORE", "s")
    assert do("SCRIPT", "EXISTS", sha, newer) == [1, 0]
    assert do("EVALSHA", sha, 0) == b"kept"
    assert (do("FCALL", "f", 0), do("FCALL", "g", 0)) == (b"old", b"two")
    assert do.error("FCALL", "h", 0) == "ERR Function not found"
    assert [do.as_map(row)[b"library_name"] for row in do("FUNCTION", "LIST")] == [b"one", b"two"]


def test_settings_only_if_asked_for(do: Transcript) -> None:
    do("CONFIG", "SET", "maxclients", 500, "hash-max-listpack-entries", 1)
    do("RESPCACHE", "SNAPSHOT", "s")
    do("CONFIG", "SET", "maxclients", 600, "hash-max-listpack-entries", 100, "timeout", 7)
    settings = ["maxclients", "hash-max-listpack-entries", "timeout"]
    do("RESPCACHE", "RESTORE", "s")
    assert list(do.as_map(do("CONFIG", "GET", *settings)).values()) == [b"600", b"100", b"7"]
    do("RESPCACHE", "RESTORE", "s", "CONFIG")
    assert list(do.as_map(do("CONFIG", "GET", *settings)).values()) == [b"500", b"1", b"0"]
    do("HSET", "h", "a", 1, "b", 2)  # the shards know
    assert do("OBJECT", "ENCODING", "h") == b"hashtable"
    do("RESPCACHE", "RESET")
    do("HSET", "h", "a", 1, "b", 2)
    assert do("OBJECT", "ENCODING", "h") == b"listpack"


# -- other clients


def test_who_watches_a_key_that_changes(do: Transcript, connect: Connect) -> None:
    do("MSET", "a", 1, "b", 2)
    do("RESPCACHE", "SNAPSHOT", "s")
    do("SET", "a", 5)
    watchers = {key: connect() for key in "abc"}
    for key, watcher in watchers.items():
        watcher.pipeline(("WATCH", key), ("MULTI",), ("PING",))
    do("RESPCACHE", "RESTORE", "s")
    assert {key: watcher.call("EXEC") for key, watcher in watchers.items()} == {"a": None, "b": ["PONG"], "c": ["PONG"]}


def test_who_waits_is_served(do: Transcript, block: Block) -> None:
    do("RPUSH", "l", "x", "y")
    do("RPUSH", "key:two", "z")
    do("RESPCACHE", "SNAPSHOT", "s")
    do("DEL", "l", "key:two")
    first, second, third = block("BLPOP", "l", 0), block("BLPOP", "key:one", "l", 0), block("BLPOP", "l", "key:two", 0)
    do("RESPCACHE", "RESTORE", "s")
    assert first.read() == [b"l", b"x"]
    assert second.read() == [b"l", b"y"]
    assert third.read() == [b"key:two", b"z"]
    assert do("DBSIZE") == 0
    do("RESPCACHE", "RESTORE", "s")  # what they took has changed since
    assert do("LRANGE", "l", 0, -1) == [b"x", b"y"]


def test_who_waits_is_served_after_a_flush(do: Transcript, block: Block) -> None:
    do("RPUSH", "l", "x", "y")
    do("RESPCACHE", "SNAPSHOT", "s")
    do("FLUSHALL")
    waiter = block("BLMOVE", "l", "key:two", "LEFT", "LEFT", 0)
    do("RESPCACHE", "RESTORE", "s")
    assert waiter.read() == b"x"
    assert (do("LLEN", "l"), do("LLEN", "key:two")) == (1, 1)


def test_who_waits_in_a_group_that_goes(do: Transcript, block: Block) -> None:
    do("RESPCACHE", "SNAPSHOT", "s")
    do("XGROUP", "CREATE", "x", "g", 0, "MKSTREAM")
    waiter = block("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "x", ">")
    do("RESPCACHE", "RESTORE", "s")
    assert str(waiter.read()).startswith("NOGROUP")


def test_connections_stay(do: Transcript, connect: Connect) -> None:
    do("RESPCACHE", "SNAPSHOT", "s")
    other = connect()
    other.pipeline(("SELECT", 3), ("CLIENT", "SETNAME", "me"), ("MULTI",), ("SET", "k", "v"))
    do("RESPCACHE", "RESTORE", "s", "CONFIG", "CLOCK")
    assert other.call("EXEC") == ["OK"]
    assert other.call("CLIENT", "GETNAME") == b"me"
    assert other.call("GET", "k") == b"v"


def test_no_keyspace_events(do: Transcript, connect: Connect) -> None:
    do("SET", "k", "v")
    do("RESPCACHE", "SNAPSHOT", "s")
    do("CONFIG", "SET", "notify-keyspace-events", "KEAnm")
    listener = connect()
    listener.call("PSUBSCRIBE", "__key*")
    do("SET", "k", "w")
    do("DEL", "k")
    do("RESPCACHE", "RESTORE", "s")
    do("SET", "last", 1)
    heard = []
    while not heard or heard[-1][3] != b"last" or heard[-1][2] != b"__keyevent@0__:set":
        heard.append(listener.read())
    assert [(push[2], push[3]) for push in heard if b"keyevent" in push[2]] == [
        (b"__keyevent@0__:set", b"k"),
        (b"__keyevent@0__:del", b"k"),
        (b"__keyevent@0__:new", b"last"),
        (b"__keyevent@0__:set", b"last"),
    ]


def test_a_restore_has_one_place_in_the_order(do: Transcript, connect: Connect) -> None:
    """Transactions of others over all shards come before it or after it."""
    do("MSET", "key:one", 0, "key:two", 0, "key:three", 0)
    do("RESPCACHE", "SNAPSHOT", "s")
    other = connect()
    step = [("MULTI",), *[("INCR", key) for key in KEYS[:3]], ("EXEC",), ("MGET", *KEYS[:3])]
    for _ in range(50):
        other.send_raw(b"".join(map(pack, step * 10)))
        do("RESPCACHE", "RESTORE", "s")
        replies = [other.read() for _ in step * 10]
        for values in replies[5::6]:
            assert len(set(values)) == 1


# -- bounds and errors


def test_the_limit(do: Transcript) -> None:
    do("CONFIG", "SET", "snapshot-limit", 5000)
    do("MSET", "a", "x" * 1000, "b", "x" * 1000, "c", "x" * 1000)
    assert do("RESPCACHE", "SNAPSHOT", "s") == "OK"
    do("MSET", "a", "y" * 1000, "b", "y" * 1000, "c", "y" * 1000)
    full = "ERR the snapshots would take more memory than 'snapshot-limit' allows. Drop some, or raise it."
    assert do.error("RESPCACHE", "SNAPSHOT", "t") == full
    assert list(listed(do)) == [b"s"]
    do("RESPCACHE", "RESTORE", "s")
    assert do("GET", "a") == b"x" * 1000
    do("RESPCACHE", "DROP", "s")
    assert do("RESPCACHE", "SNAPSHOT", "t") == "OK"


def test_the_number_is_limited(do: Transcript, connect: Connect) -> None:
    other = connect()
    assert other.pipeline(*[("RESPCACHE", "SNAPSHOT", f"s{number}") for number in range(1000)]) == ["OK"] * 1000
    assert do.error("RESPCACHE", "SNAPSHOT", "one too many") == "ERR too many snapshots. Drop some."
    assert do("RESPCACHE", "SNAPSHOT", "s7") == "OK"
    other.pipeline(*[("RESPCACHE", "DROP", f"s{number}") for number in range(1000)])


def test_errors(do: Transcript) -> None:
    do("SET", "k", "v")
    for command in "SNAPSHOT", "RESTORE", "DROP":
        lower = command.lower()
        assert do.error("RESPCACHE", command) == f"ERR wrong number of arguments for 'respcache|{lower}' command"
    assert do.error("RESPCACHE", "SNAPSHOTS", "x") == "ERR wrong number of arguments for 'respcache|snapshots' command"
    assert do.error("RESPCACHE", "DROP", "s", "t") == "ERR wrong number of arguments for 'respcache|drop' command"
    assert do.error("RESPCACHE", "SNAPSHOT", "") == "ERR the name of a snapshot must have 1 to 128 bytes"
    assert do.error("RESPCACHE", "SNAPSHOT", "x" * 129) == "ERR the name of a snapshot must have 1 to 128 bytes"
    assert do("RESPCACHE", "SNAPSHOT", "x" * 128) == "OK"
    assert do.error("RESPCACHE", "RESTORE", "s") == "ERR no such snapshot 's'"
    assert do.error("RESPCACHE", "DROP", "s") == "ERR no such snapshot 's'"
    do("RESPCACHE", "SNAPSHOT", "s")
    for words in ("ACL",), ("CLOCK", "CLOCK"), ("CONFIG", "CLOCK", "x"):
        assert do.error("RESPCACHE", "RESTORE", "s", *words) == "ERR syntax error"
    do("MULTI")
    assert do.error("RESPCACHE", "SNAPSHOT", "s") == "ERR Command not allowed inside a transaction"
    do("DISCARD")
    assert do("GET", "k") == b"v"
