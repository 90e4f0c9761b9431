"""Client-side caching: CLIENT TRACKING, CACHING, TRACKINGINFO, GETREDIR, and who is told what."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.invocations import KEYS
from tests.support.resp import Closed, Connection, PushData, ReplyError, pack
from tests.support.tracking import CHANNEL, Cache
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]
Block = Callable[..., Connection]

ONE, TWO, THREE = KEYS  # on three different shards


def push(*words: Any) -> PushData:
    return PushData(words)


class TestReading:
    """What counts as reading a key."""

    def test_a_key_that_was_read(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        assert cache("GET", "k") is None
        do("SET", "k", 1)
        assert cache.told() == [["k"]]

    def test_once_until_it_is_read_again(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        do("SET", "k", 1)
        do("SET", "k", 2)
        assert cache.told() == [["k"]]
        cache("GET", "k")
        cache("GET", "k")
        do("SET", "k", 3)
        assert cache.told() == [["k"]]

    def test_not_before_it_was_read(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, do.protocol)
        reader("GET", "other")
        do("SET", "k", 1)
        do("GET", "k")
        do("SET", "k", 2)
        assert reader.told() == []

    def test_all_who_have_read_it(self, do: Transcript, connect: Connect) -> None:
        caches = [Cache(connect, 2 + number % 2) for number in range(4)]
        for cache in caches:
            cache("GET", "k")
        do("SET", "k", 1)
        assert [cache.told() for cache in caches] == [[["k"]]] * 4
        caches[2]("GET", "k")
        do("SET", "k", 1)
        assert [cache.told() for cache in caches] == [[], [], [["k"]], []]

    @pytest.mark.parametrize(
        "line",
        [
            f"MGET {ONE} {TWO}",
            f"EXISTS {ONE} {TWO} {ONE}",
            f"TOUCH {ONE} {TWO}",
            f"SINTERCARD 2 {ONE} {TWO}",
            f"LCS {ONE} {TWO}",
            f"ZUNION 2 {ONE} {TWO}",
            f"XREAD STREAMS {ONE} {TWO} 0 0",
            f"SUNION {ONE} {TWO} other",
        ],
    )
    def test_several_keys_on_several_shards(self, do: Transcript, connect: Connect, line: str) -> None:
        cache = Cache(connect, do.protocol)
        cache.any(*line.split())
        do("MSET", ONE, 1, TWO, 1, THREE, 1)
        assert cache.keys() == sorted([ONE, TWO])

    @pytest.mark.parametrize(
        "line",
        [
            "get k",
            "STRLEN k",
            "TYPE k",
            "TTL k",
            "OBJECT ENCODING k",
            "object refcount k",
            "MEMORY USAGE k",
            "SORT_RO k BY nosort",
            "BITFIELD_RO k GET u8 0",
            "XINFO STREAM k",
            "HGETALL k",
            "GETRANGE k 0 -1",
            "HSCAN k 0",
        ],
    )
    def test_commands_that_read(self, do: Transcript, connect: Connect, line: str) -> None:
        """Whether the key exists, or has the right type, makes no difference."""
        cache = Cache(connect, do.protocol)
        cache.any(*line.split())
        do("SADD", "k", "x")
        assert cache.told() == [["k"]]
        cache.any(*line.split())
        do("DEL", "k")
        assert cache.told() == [["k"]]

    @pytest.mark.parametrize(
        "line",
        [
            "GETEX k",
            "SORT k BY nosort",
            "BITFIELD k GET u8 0",
            "COPY k other",
            "XREADGROUP GROUP g c STREAMS k >",
            "WATCH k",
            "SCAN 0",
            "KEYS *",
            "DBSIZE",
            "STRLEN",
            "STRLEN k k",
            "NOSUCH k",
            "PUBLISH k m",
        ],
    )
    def test_what_does_not_count(self, do: Transcript, connect: Connect, line: str) -> None:
        """Commands that may write, those that name no key, and those that are refused before they run."""
        cache = Cache(connect, do.protocol)
        cache.any(*line.split())
        do("SET", "k", 1)
        assert cache.told() == []

    def test_databases_make_no_difference(self, do: Transcript, connect: Connect) -> None:
        """As in Redis, where the table knows names only."""
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        do("SELECT", 3)
        do("SET", "k", 1)
        assert cache.told() == [["k"]]

    def test_keys_of_any_bytes(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3)
        key = b"\0\r\n*\xff"
        reader("GET", key)
        do("SET", key, 1)
        assert reader.connection.read() == push(b"invalidate", [key])

    def test_within_a_transaction(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("MULTI")
        for words in (("GET", ONE), ("SET", "other", 1), ("MGET", TWO, THREE), ("GET",)):
            cache.any(*words)
        cache.any("EXEC")
        cache("MULTI")
        cache("GET", ONE)
        cache("MGET", TWO, THREE)
        cache("EXEC")
        do("MSET", ONE, 1, TWO, 2, THREE, 3, "other", 4)
        assert cache.keys() == sorted(KEYS)

    def test_what_was_queued_is_not_read(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("MULTI")
        cache("GET", "k")
        do("SET", "k", 1)
        cache("DISCARD")
        do("SET", "k", 2)
        assert cache.told() == []

    @pytest.mark.since("7.2")
    @pytest.mark.parametrize("declared", [True, False])
    def test_within_a_script(self, do: Transcript, connect: Connect, declared: bool) -> None:
        """What the script reads counts, and nothing else."""
        cache = Cache(connect, do.protocol)
        if declared:
            script = "redis.call('GET', KEYS[1]) redis.call('SET', KEYS[2], 1) return redis.call('EXISTS', KEYS[1])"
            cache("EVAL", script, 3, ONE, TWO, THREE)
        else:
            cache("EVAL", f"redis.call('GET', '{ONE}') redis.call('SET', '{TWO}', 1)", 0)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.told() == [[ONE]]
        cache("EVAL_RO", "return redis.call('MGET', KEYS[1], KEYS[2])", 2, ONE, TWO)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == sorted([ONE, TWO])

    def test_a_function(self, do: Transcript, connect: Connect) -> None:
        code = "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('GET', keys[1]) end)"
        do("FUNCTION", "LOAD", "REPLACE", code)
        cache = Cache(connect, do.protocol)
        cache("FCALL", "f", 1, ONE)
        do("SET", ONE, 1)
        assert cache.told() == [[ONE]]
        do("FUNCTION", "FLUSH")

    def test_a_client_that_waits(self, do: Transcript, connect: Connect, block: Block) -> None:
        """It is told, and then served."""
        reader = Cache(connect, 3)
        for streams in ([ONE], [ONE, TWO]):
            block("XREAD", "BLOCK", 0, "STREAMS", *streams, *["$"] * len(streams), on=reader.connection)
            do("XADD", ONE, "1-1", "f", "v")
            assert reader.connection.read() == push(b"invalidate", [ONE.encode()])
            assert reader.connection.read() == {ONE.encode(): [[b"1-1", [b"f", b"v"]]]}
            do("DEL", ONE)
            reader.told()

    @pytest.mark.since("7.2")
    @pytest.mark.parametrize("streams", [[ONE], [ONE, TWO]])
    def test_what_it_is_served_counts(self, do: Transcript, connect: Connect, block: Block, streams: list[str]) -> None:
        reader = Cache(connect, 3)
        block("XREAD", "BLOCK", 0, "STREAMS", *streams, *["$"] * len(streams), on=reader.connection)
        do("XADD", ONE, "1-1", "f", "v")
        reader.reply()
        assert reader.told() == [[ONE]]
        do("XADD", ONE, "2-1", "f", "v")
        assert reader.told() == [[ONE]]

    def test_a_client_that_does_not_track_any_more(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        cache("CLIENT", "TRACKING", "OFF")
        do("SET", "k", 1)
        cache("GET", "k")
        do("SET", "k", 1)
        assert cache.told() == []


# Keys that exist, a command, and which of them it changes.
CHANGES = {
    "SET a 1": "a",
    "GETSET a 1": "a",
    "APPEND a x": "a",
    "SETRANGE a 0 x": "a",
    "INCR a": "a",
    "DEL a b": "a b",
    "UNLINK a": "a",
    "GETDEL a": "a",
    "RENAME a b": "a b",
    "RENAME a b{x}": "a",
    "COPY a b REPLACE": "b",
    "MOVE a 1": "a",
    "EXPIRE a 100": "a",
    "EXPIRE a -1": "a",
    "PERSIST expires": "expires",
    "GETEX a EX 10": "a",
    "SORT list STORE a": "a",
    "SORT nosuch STORE a": "a",
    "SUNIONSTORE a set nosuch": "a",
    "SINTERSTORE a set nosuch": "a",
    "SMOVE set set2 m": "set set2",
    "ZADD zset 2 m": "zset",
    "ZRANGESTORE a zset 0 -1": "a",
    "RPUSH list x": "list",
    "LMOVE list list2 LEFT RIGHT": "list list2",
    "LPOP list": "list",
    "BLPOP list 1": "list",
    "LMPOP 2 nosuch list LEFT": "list",
    "HSET hash f 2": "hash",
    "XADD stream * f v": "stream",
    "XDEL stream 1-1": "stream",
    "XTRIM stream MAXLEN 0": "stream",
    "BITOP NOT b a": "b",
    "SETBIT a 1 1": "a",
    "MSET a 1 b 2": "a b",
    "SET a 1 NX": "",
    "MSETNX a 1 new 1": "",
    "GETEX a": "",
    "TOUCH a": "",
    "SADD set m": "",
    "ZADD zset 1 m": "",
    "HSETNX hash f 2": "",
    "LTRIM list 0 -1": "list",
    "RPUSHX nosuch x": "",
    "DEL nosuch": "",
    "XGROUP CREATE stream g2 $": "",
    "XREADGROUP GROUP g c STREAMS stream >": "",
    "XACK stream g 1-1": "",
    "XGROUP CREATE nosuch g $ MKSTREAM": "nosuch",
    "XGROUP DESTROY stream g": "",
    "INCR list": "",
    "SWAPDB 0 1": "",
}
ALL = ("a", "b", "expires", "list", "list2", "set", "set2", "zset", "hash", "stream", "new", "nosuch")


class TestChanging:
    """What counts as a change."""

    @pytest.mark.parametrize("line", CHANGES)
    def test_commands(self, do: Transcript, connect: Connect, line: str) -> None:
        cache = Cache(connect, do.protocol)
        do("MSET", "a", 1, "b", 2)
        do("SETEX", "expires", 1000, "v")
        do("RPUSH", "list", 3, 4)
        do("SADD", "set", "m", "n")
        do("ZADD", "zset", 1, "m")
        do("HSET", "hash", "f", 1)
        do("XADD", "stream", "1-1", "f", "v")
        do("XGROUP", "CREATE", "stream", "g", "0")
        cache("EXISTS", *ALL)
        words = line.split()
        reply = do.connection.call(*words)
        assert not isinstance(reply, ReplyError) or line == "INCR list"
        assert cache.keys() == sorted(CHANGES[line].split())
        if words[0] == "SWAPDB":
            do(*words)

    def test_in_a_script(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("MGET", ONE, TWO, THREE)
        do("EVAL", "redis.call('SET', KEYS[1], 1) redis.call('SET', KEYS[1], 2)", 1, ONE)
        assert cache.told() == [[ONE]]
        do("EVAL", f"redis.call('RENAME', '{ONE}', '{TWO}')", 0)
        assert cache.keys() == [TWO]

    def test_in_a_transaction(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("MGET", ONE, TWO, THREE)
        do.transaction(("SET", ONE, 1), ("SET", ONE, 2), ("RENAME", ONE, TWO))
        assert cache.keys() == sorted([ONE, TWO])

    def test_a_client_that_is_served(self, do: Transcript, connect: Connect, block: Block) -> None:
        cache = Cache(connect, do.protocol)
        cache("LLEN", TWO)
        waiter = block("BLMOVE", ONE, TWO, "LEFT", "LEFT", 0)
        do("RPUSH", ONE, "x")
        assert waiter.read() == b"x"
        assert cache.told() == [[TWO]]

    @pytest.mark.respcache_only(reason="lets time pass")
    @pytest.mark.parametrize("looks", [True, False])
    def test_expiry(self, do: Transcript, connect: Connect, looks: bool) -> None:
        cache = Cache(connect, do.protocol)
        listener = Cache(connect, do.protocol, "BCAST", "NOLOOP")
        if looks:
            do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        do("SET", "k", "v", "PX", 100)
        do("SET", "other", "v", "PX", 100_000)
        cache("MGET", "k", "other")
        assert listener.told() == [["k"], ["other"]]
        do.advance(200)
        if looks:
            assert cache.told() == listener.told() == []
            assert do("GET", "k") is None
        assert cache.told() == listener.told() == [["k"]]

    def test_what_has_expired_for_the_reader_itself(self, do: Transcript, connect: Connect) -> None:
        """It is told of the value that is gone, and of the next one."""
        reader = Cache(connect, 3)
        do("SET", "k", "v", "PX", 1)
        reader("GET", "k")
        assert eventually(lambda: do("PTTL", "k") == -2)
        assert reader.keys() in (["k"], [])  # unless it had expired before it was read
        assert reader("GET", "k") is None
        do("SET", "k", 1)
        assert reader.told() == [["k"]]


class TestFlush:
    @pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC", "FLUSHDB SYNC"])
    def test_everything_may_have_changed(self, do: Transcript, connect: Connect, command: str) -> None:
        """All who track are told, once, whatever they have read, and in whatever mode."""
        caches = [Cache(connect, do.protocol, *options) for options in ((), ("BCAST", "PREFIX", "x"), ("OPTIN",))]
        caches[0]("MGET", ONE, TWO, THREE)
        do(*command.split())
        assert [cache.told() for cache in caches] == [[None]] * 3
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert [cache.told() for cache in caches] == [[]] * 3
        do.transaction(("FLUSHDB",), ("FLUSHDB",))
        assert [cache.told() for cache in caches] == [[None, None]] * 3
        do("EVAL", "return redis.call('FLUSHDB')", 0)
        assert [cache.told() for cache in caches] == [[None]] * 3

    def test_of_another_database(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        do("SELECT", 2)
        do("FLUSHDB")
        assert cache.told() == [None]
        do("SET", "k", 1)
        assert cache.told() == []

    @pytest.mark.parametrize("inside", ["alone", "MULTI"])
    def test_by_the_client_itself(self, connect: Connect, inside: str) -> None:
        """After the reply."""
        reader = Cache(connect, 3, "NOLOOP").connection
        if inside == "alone":
            assert reader.call("FLUSHALL") == "OK"
        else:
            assert reader.pipeline(("MULTI",), ("FLUSHDB",), ("EXEC",)) == ["OK", "QUEUED", ["OK"]]
        assert reader.read() == push(b"invalidate", None)


class TestOrder:
    """Where messages come among replies, in RESP3."""

    def test_own_changes_come_after_the_reply(self, connect: Connect) -> None:
        reader = Cache(connect, 3).connection
        reader.call("MGET", ONE, TWO)
        assert reader.call("SET", ONE, 1) == "OK"
        assert reader.read() == push(b"invalidate", [ONE.encode()])
        assert reader.call("GET", ONE) == b"1"
        assert reader.call("DEL", ONE, TWO) == 1
        assert reader.read() == push(b"invalidate", [ONE.encode()])

    def test_own_changes_in_a_pipeline(self, do: Transcript, connect: Connect) -> None:
        """Each after the reply to its command, and before the next one."""
        reader = Cache(connect, 3).connection
        for key in (ONE, TWO):
            do("SET", key, 1)
        lines = f"MGET {ONE} {TWO}", f"GET {ONE}", f"SET {ONE} 2", f"GET {ONE}", f"MSET {ONE} 3 {TWO} 4", "PING"
        reader.send_raw(b"".join(pack(tuple(line.split())) for line in lines))
        one, two = push(b"invalidate", [ONE.encode()]), push(b"invalidate", [TWO.encode()])
        received = [reader.read() for _ in range(9)]
        assert received[:6] == [[b"1", b"1"], b"1", "OK", one, b"2", "OK"]
        assert sorted(received[6:8]) == sorted([one, two])
        assert received[8] == "PONG"

    def test_own_changes_in_a_transaction(self, connect: Connect) -> None:
        reader = Cache(connect, 3).connection
        for keys in ((ONE, ONE), (ONE, TWO)):
            reader.call("MGET", *keys)
            reader.pipeline(("MULTI",), *[("INCR", key) for key in keys], ("GET", THREE))
            assert len(reader.call("EXEC")) == 3
            told = [reader.read() for _ in set(keys)]
            assert sorted(told) == [push(b"invalidate", [key.encode()]) for key in sorted(set(keys))]

    def test_own_changes_of_carried_commands(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3).connection
        do("SET", ONE, 1)
        reader.call("MGET", ONE, TWO)
        assert reader.call("RENAME", ONE, TWO) == "OK"
        told = [reader.read(), reader.read()]
        assert sorted(told) == [push(b"invalidate", [key.encode()]) for key in sorted([ONE, TWO])]

    def test_own_changes_of_a_script(self, connect: Connect) -> None:
        reader = Cache(connect, 3).connection
        for script in ("return redis.call('INCR', KEYS[1])", f"return redis.call('INCR', '{ONE}')"):
            reader.call("GET", ONE)
            assert isinstance(reader.call("EVAL", script, 1, ONE), int)
            assert reader.read() == push(b"invalidate", [ONE.encode()])

    @pytest.mark.parametrize(("source", "target"), [("l{x}", "m{x}"), (ONE, TWO)])
    def test_own_changes_of_a_command_that_has_waited(
        self, do: Transcript, connect: Connect, block: Block, source: str, target: str
    ) -> None:
        reader = Cache(connect, 3).connection
        reader.call("LLEN", target)
        block("BLMOVE", source, target, "LEFT", "LEFT", 0, on=reader)
        do("RPUSH", source, "x")
        assert reader.read() == b"x"
        assert reader.read() == push(b"invalidate", [target.encode()])

    def test_before_what_is_asked_later(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3).connection
        for number in range(50):
            reader.call("GET", ONE)
            do("SET", ONE, number)
            reader.send("GET", TWO)
            assert [reader.read(), reader.read()] == [push(b"invalidate", [ONE.encode()]), None]

    def test_while_replies_are_off(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3).connection
        reader.call("GET", ONE)
        reader.send("CLIENT", "REPLY", "OFF")
        reader.send("SET", ONE, 1)
        assert reader.read() == push(b"invalidate", [ONE.encode()])
        reader.send("GET", ONE)
        reader.send("CLIENT", "REPLY", "ON")
        assert reader.read() == "OK"
        do("SET", ONE, 2)
        assert reader.read() == push(b"invalidate", [ONE.encode()])


class TestNoloop:
    def test_own_changes_are_not_told(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3, "NOLOOP")
        reader("MGET", ONE, TWO, THREE)
        reader("SET", ONE, 1)
        reader("EVAL", "return redis.call('SET', KEYS[1], 1)", 1, TWO)
        assert reader.told() == []
        do("MSET", ONE, 1, TWO, 1, THREE, 1)
        assert reader.told() == [[THREE]]

    def test_in_bcast_mode(self, do: Transcript, connect: Connect) -> None:
        """There, what its scripts do counts as done by others."""
        listener = Cache(connect, 3, "BCAST", "NOLOOP")
        listener("SET", ONE, 1)
        listener("RENAME", ONE, TWO)
        assert listener.told() == []
        do("SET", ONE, 1)
        assert listener.told() == [[ONE]]
        listener("EVAL", "return redis.call('SET', KEYS[1], 1)", 1, ONE)
        assert listener.told() == [[ONE]]

    def test_the_last_one_who_has_changed_it(self, connect: Connect) -> None:
        listener = Cache(connect, 3, "BCAST", "NOLOOP")
        listener("MULTI")
        listener("SET", "k", 1)
        listener("SET", "k", 2)
        listener("EXEC")
        assert listener.told() == []


class TestBcast:
    def test_all_keys(self, do: Transcript, connect: Connect) -> None:
        listener = Cache(connect, do.protocol, "BCAST")
        do("SET", ONE, 1)
        assert listener.told() == [[ONE]]
        do("SET", ONE, 2)
        do("DEL", ONE)
        do("DEL", ONE)
        assert listener.told() == [[ONE], [ONE]]

    def test_reading_makes_no_difference(self, do: Transcript, connect: Connect) -> None:
        listener = Cache(connect, do.protocol, "BCAST", "PREFIX", "x")
        listener("GET", "k")
        do("SET", "k", 1)
        assert listener.told() == []

    def test_prefixes(self, do: Transcript, connect: Connect) -> None:
        listener = Cache(connect, do.protocol, "BCAST", "PREFIX", "user:", "PREFIX", "a")
        other = Cache(connect, do.protocol, "BCAST", "PREFIX", "user:1")
        for key in ("user:1", "user", "user:", "a", "b", "User:1", "user:2"):
            do("SET", key, 1)
        assert listener.keys() == ["a", "user:", "user:1", "user:2"]
        assert other.keys() == ["user:1"]

    def test_one_message_for_a_step(self, do: Transcript, connect: Connect) -> None:
        """By prefix, in alphabetical order."""
        listener = Cache(connect, do.protocol, "BCAST", "PREFIX", "b", "PREFIX", "a")
        do("MSET", "b2{t}", 1, "b1{t}", 1, "c{t}", 1, "a{t}", 1)
        do("MSET", "c{t}", 1)
        assert listener.told() == [["a{t}"], ["b1{t}", "b2{t}"]]
        do.transaction(("SET", "a2{t}", 1), ("SET", "a1{t}", 1), ("SET", "a2{t}", 1))
        assert listener.told() == [["a1{t}", "a2{t}"]]

    def test_prefixes_add_up(self, do: Transcript, connect: Connect) -> None:
        listener = Cache(connect, do.protocol, "BCAST", "PREFIX", "a")
        listener.track("BCAST", "PREFIX", "b")
        do("MSET", "a", 1, "b", 1, "c", 1)
        assert listener.keys() == ["a", "b"]
        listener.track("BCAST")  # the empty one, which is not compared to the others
        do("SET", "a", 1)
        assert listener.told() == [["a"], ["a"]]
        listener("CLIENT", "TRACKING", "OFF")
        do("MSET", "a", 1, "b", 1)
        assert listener.told() == []
        listener.track("BCAST", "PREFIX", "b")
        do("MSET", "a", 1, "b", 1)
        assert listener.told() == [["b"]]

    def test_what_was_read_before(self, do: Transcript, connect: Connect) -> None:
        """Nothing is told of it in the other mode."""
        cache = Cache(connect, do.protocol)
        cache("GET", "k")
        cache("CLIENT", "TRACKING", "OFF")
        cache.track("BCAST", "PREFIX", "x")
        do("SET", "k", 1)
        assert cache.told() == []


class TestCaching:
    def test_optin(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol, "OPTIN")
        cache("GET", ONE)
        assert cache("CLIENT", "CACHING", "YES") == "OK"
        cache("GET", TWO)
        cache("GET", THREE)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.told() == [[TWO]]

    def test_optout(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol, "OPTOUT")
        cache("GET", ONE)
        assert cache("CLIENT", "CACHING", "no") == "OK"
        cache("GET", TWO)
        cache("GET", THREE)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == sorted([ONE, THREE])

    @pytest.mark.parametrize(
        ("line", "reads"),
        [
            (f"MGET {TWO} {THREE}", [TWO, THREE]),
            (f"SINTER {TWO} {THREE}", [TWO, THREE]),
            (f"XREAD STREAMS {TWO} {THREE} 0 0", [TWO, THREE]),
            (f"EVAL return{{redis.call('GET','{TWO}'),redis.call('MGET','{ONE}','{THREE}')}} 0", [ONE, TWO, THREE]),
            ("NOSUCH", []),
            ("PING", []),
            ("SET other 1", []),
            ("GET", []),
        ],
    )
    @pytest.mark.parametrize("mode", ["OPTIN", "OPTOUT"])
    @pytest.mark.since("7.2")
    def test_it_is_for_one_command(
        self, do: Transcript, connect: Connect, line: str, reads: list[str], mode: str
    ) -> None:
        """Which may be refused."""
        cache = Cache(connect, do.protocol, mode)
        cache("CLIENT", "CACHING", "YES" if mode == "OPTIN" else "NO")
        cache.any(*line.split())
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == (sorted(reads) if mode == "OPTIN" else [])
        cache.any(*line.split())
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == (sorted(reads) if mode == "OPTOUT" else [])

    def test_commands_of_client_do_not_count(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol, "OPTIN")
        cache("CLIENT", "CACHING", "YES")
        cache("CLIENT", "ID")
        cache.any("CLIENT", "CACHING", "NO")
        cache("GET", ONE)
        do("SET", ONE, 1)
        assert cache.told() == [[ONE]]

    def test_a_transaction_counts_as_one(self, do: Transcript, connect: Connect) -> None:
        cache = Cache(connect, do.protocol, "OPTIN")
        cache("CLIENT", "CACHING", "YES")
        cache("MULTI")
        cache("GET", ONE)
        cache("GET", TWO)
        cache("EXEC")
        cache("GET", THREE)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == sorted([ONE, TWO])
        cache("MULTI")
        cache("GET", ONE)
        cache("EXEC")
        do("SET", ONE, 1)
        assert cache.told() == []

    def test_within_a_transaction(self, do: Transcript, connect: Connect) -> None:
        """What follows in it counts."""
        cache = Cache(connect, do.protocol, "OPTIN")
        cache("MULTI")
        cache("GET", ONE)
        cache("CLIENT", "CACHING", "YES")
        cache("GET", TWO)
        cache("GET", THREE)
        assert cache("EXEC") == [None, "OK", None, None]
        cache("GET", ONE)
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert cache.keys() == sorted([TWO, THREE])

    @pytest.mark.since("7.2")
    @pytest.mark.parametrize("streams", [[ONE], [ONE, TWO]])
    def test_a_command_that_waits(self, do: Transcript, connect: Connect, block: Block, streams: list[str]) -> None:
        reader = Cache(connect, 3, "OPTIN")
        reader("CLIENT", "CACHING", "YES")
        block("XREAD", "BLOCK", 0, "STREAMS", *streams, *["$"] * len(streams), on=reader.connection)
        do("XADD", ONE, "1-1", "f", "v")
        reader.reply()
        assert reader.told() == [[ONE]]
        do("XADD", ONE, "2-1", "f", "v")
        assert reader.told() == [[ONE]]
        reader("XLEN", ONE)
        do("XADD", ONE, "3-1", "f", "v")
        assert reader.told() == []

    def test_switching_within_a_transaction(self, do: Transcript, connect: Connect) -> None:
        reader = connect(protocol=3)
        words = [("MULTI",), ("GET", ONE), ("CLIENT", "TRACKING", "ON"), ("GET", TWO), ("MGET", ONE, THREE), ("EXEC",)]
        assert reader.pipeline(*words)[-1] == [None, "OK", None, [None, None]]
        do("SET", TWO, 1)
        assert reader.read() == push(b"invalidate", [TWO.encode()])
        words = [("MULTI",), ("CLIENT", "TRACKING", "OFF"), ("GET", TWO), ("EXEC",)]
        assert reader.pipeline(*words)[-1] == ["OK", b"1"]
        do("MSET", ONE, 1, TWO, 1)
        assert reader.call("PING") == "PONG"


class TestRedirect:
    def test_to_resp3(self, do: Transcript, connect: Connect) -> None:
        """It gets pushes, subscribed or not."""
        target = connect(protocol=3)
        do("CLIENT", "TRACKING", "ON", "REDIRECT", target.call("CLIENT", "ID"))
        do("GET", "k")
        connect().call("SET", "k", 1)
        assert target.read() == push(b"invalidate", [b"k"])
        connect().call("FLUSHALL")
        assert target.read() == push(b"invalidate", None)

    def test_to_resp2(self, do: Transcript, connect: Connect) -> None:
        """It gets messages if it is subscribed to anything."""
        target, writer = connect(protocol=2), connect()
        do("CLIENT", "TRACKING", "ON", "REDIRECT", target.call("CLIENT", "ID"))
        do("GET", "k")
        writer.call("SET", "k", 1)
        assert target.call("PING") == "PONG"
        for subscribe, unsubscribe in (("SUBSCRIBE", "UNSUBSCRIBE"), ("PSUBSCRIBE", "PUNSUBSCRIBE")):
            assert target.call(subscribe, "other")[0] == subscribe.lower().encode()
            do("GET", "k")
            writer.call("SET", "k", 1)
            assert target.read() == [b"message", CHANNEL.encode(), [b"k"]]
            target.call(unsubscribe, "other")
        do("GET", "k")
        writer.call("SET", "k", 1)
        assert target.call("PING") == "PONG"

    def test_to_itself(self, connect: Connect) -> None:
        reader = connect(protocol=3)
        assert reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", reader.call("CLIENT", "ID")) == "OK"
        reader.call("GET", "k")
        assert reader.call("SET", "k", 1) == "OK"
        assert reader.read() == push(b"invalidate", [b"k"])

    @pytest.mark.since("7.2")
    def test_to_the_one_who_changes_it(self, do: Transcript, connect: Connect) -> None:
        writer = connect(protocol=3)
        do("CLIENT", "TRACKING", "ON", "REDIRECT", writer.call("CLIENT", "ID"))
        do("GET", "k")
        assert writer.call("SET", "k", 1) == "OK"
        assert writer.read() == push(b"invalidate", [b"k"])

    def test_several_to_one(self, do: Transcript, connect: Connect) -> None:
        target = connect(protocol=3)
        for key in ("a", "b"):
            reader = connect(protocol=2)
            reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", target.call("CLIENT", "ID"))
            reader.call("GET", key)
            reader.call("GET", "both")
        do("SET", "b", 1)
        do("SET", "both", 1)
        do("SET", "a", 1)
        assert [target.read()[1] for _ in range(4)] == [[b"b"], [b"both"], [b"both"], [b"a"]]

    @pytest.mark.parametrize("bcast", [True, False])
    def test_to_one_that_has_gone(self, do: Transcript, connect: Connect, bcast: bool) -> None:
        target = connect(protocol=2)
        number = target.call("CLIENT", "ID")
        reader = connect(protocol=3)
        reader.call("CLIENT", "TRACKING", "ON", "REDIRECT", number, *["BCAST"] * bcast)
        reader.call("GET", "k")
        target.call("QUIT")
        assert eventually(lambda: f"id={number} " not in str(do("CLIENT", "LIST")))
        info = reader.call("CLIENT", "TRACKINGINFO")
        assert b"broken_redirect" not in info[b"flags"]
        do("SET", "k", 1)
        assert reader.read() == push(b"tracking-redir-broken", number)
        info = reader.call("CLIENT", "TRACKINGINFO")
        assert info[b"flags"][-1] == b"broken_redirect"
        assert info[b"redirect"] == reader.call("CLIENT", "GETREDIR") == number
        assert ("flags=tRB " if bcast else "flags=tR ") in str(reader.call("CLIENT", "INFO"))
        do("FLUSHALL")
        assert reader.read() == push(b"tracking-redir-broken", number)
        reader.call("CLIENT", "TRACKING", "ON", *["BCAST"] * bcast)
        assert b"broken_redirect" not in reader.call("CLIENT", "TRACKINGINFO")[b"flags"]

    def test_resp2_without_redirection(self, do: Transcript, connect: Connect) -> None:
        """Nothing can be told, until it speaks RESP3."""
        reader = connect(protocol=2)
        reader.call("CLIENT", "TRACKING", "ON")
        reader.call("GET", "k")
        do("SET", "k", 1)
        reader.call("GET", "k")
        reader.call("HELLO", 3)
        do("SET", "k", 2)
        assert reader.read() == push(b"invalidate", [b"k"])
        reader.call("GET", "k")
        reader.call("HELLO", 2)
        do("SET", "k", 2)
        assert reader.call("PING") == "PONG"


class TestState:
    def test_info_without_tracking(self, do: Transcript) -> None:
        info = do.as_map(do("CLIENT", "TRACKINGINFO"))
        assert info == {b"flags": [b"off"], b"redirect": -1, b"prefixes": []}
        assert do("CLIENT", "GETREDIR") == -1
        assert do("CLIENT", "TRACKING", "OFF") == "OK"

    @pytest.mark.parametrize(
        ("options", "flags"),
        [
            ("", "on"),
            ("NOLOOP", "on noloop"),
            ("optin noloop", "on optin noloop"),
            ("OPTOUT", "on optout"),
            ("BCAST PREFIX b PREFIX a NOLOOP", "on bcast noloop"),
            ("BCAST", "on bcast"),
        ],
    )
    def test_info(self, do: Transcript, options: str, flags: str) -> None:
        do("CLIENT", "TRACKING", "ON", *options.split())
        info = do.as_map(do("CLIENT", "TRACKINGINFO"))
        assert info[b"flags"] == flags.encode().split()
        assert info[b"redirect"] == do("CLIENT", "GETREDIR") == 0
        assert info[b"prefixes"] == ([b"a", b"b"] if "PREFIX" in options else [b""] if "BCAST" in options else [])
        shown = "flags=tB " if "BCAST" in options else "flags=t "
        assert shown in str(do("CLIENT", "INFO"))
        assert " redir=0 " in str(do("CLIENT", "INFO"))
        if "optin" in options or "OPTOUT" in options:
            do("CLIENT", "CACHING", "YES" if "optin" in options else "NO")
            caching = b"caching-yes" if "optin" in options else b"caching-no"
            assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"][2] == caching

    def test_switching(self, do: Transcript) -> None:
        do("CLIENT", "TRACKING", "ON", "NOLOOP", "OPTIN")
        do("CLIENT", "TRACKING", "ON")
        assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"] == [b"on"]
        do("CLIENT", "TRACKING", "ON", "OPTOUT")
        assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"] == [b"on", b"optout"]

    def test_reset(self, do: Transcript, connect: Connect) -> None:
        for options in ((), ("BCAST",)):
            reader = connect(protocol=3)
            reader.call("CLIENT", "TRACKING", "ON", *options)
            reader.call("GET", "k")
            assert reader.call("RESET") == "RESET"
            assert reader.call("CLIENT", "GETREDIR") == -1
            reader.call("HELLO", 3)
            do("SET", "k", 1)
            assert reader.call("PING") == "PONG"

    def test_figures(self, do: Transcript, connect: Connect) -> None:
        before = figures(do)["clients"]
        readers = [Cache(connect, 3) for _ in range(3)]
        connect(protocol=3).call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b")
        connect(protocol=3).call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a")
        readers[0]("MGET", ONE, TWO)
        readers[1]("MGET", TWO, THREE)
        readers[2]("GET", TWO)
        expected = {"clients": before + 5, "total_keys": 3, "total_items": 5, "total_prefixes": 2}
        assert figures(do) == expected
        do("SET", TWO, 1)
        assert figures(do) == expected | {"total_keys": 2, "total_items": 2}
        readers[0]("CLIENT", "TRACKING", "OFF")
        assert figures(do) == expected | {"clients": before + 4, "total_keys": 2, "total_items": 2}
        do("FLUSHDB")
        assert figures(do) == expected | {"clients": before + 4, "total_keys": 0, "total_items": 0}

    def test_the_limit_of_the_table(self, do: Transcript, connect: Connect) -> None:
        reader = Cache(connect, 3)
        keys = [f"k{number}" for number in range(300)]
        try:
            do("CONFIG", "SET", "tracking-table-max-keys", 100)
            for key in keys:
                reader("GET", key)
            assert eventually(lambda: figures(do)["total_keys"] == 100)
            told = reader.keys()
            assert len(told) == len(set(told)) == 200
            do("CONFIG", "SET", "tracking-table-max-keys", 10)
            assert eventually(lambda: figures(do)["total_keys"] == 10)
            more = reader.keys()
            assert len(set(told + more)) == 290
            # What is still remembered is what they were not told of.
            do("MSET", *[word for key in keys for word in (key, 1)])
            assert sorted(set(keys).difference(told, more)) == reader.keys()
            do("CONFIG", "SET", "tracking-table-max-keys", 0)
            reader("MGET", *keys)
            assert figures(do)["total_keys"] == 300
        finally:
            do("CONFIG", "SET", "tracking-table-max-keys", 1_000_000)


def read_on(connection: Connection) -> None:
    """Read until the connection is closed. Raises what says so."""
    while True:
        connection.read()


def figures(do: Transcript) -> dict[str, int]:
    """What INFO says of tracking."""
    return {name: int(value) for name, value in re.findall(r"tracking_(\w+):(\d+)", str(do("INFO")))}


ON_OR_OFF = (
    "ERR You can't switch {} before disabling tracking for this client, and then re-enabling it with a different mode."
)
NO_CACHING = (
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
)


class TestErrors:
    @pytest.mark.parametrize(
        ("line", "error"),
        [
            ("TRACKING", "ERR wrong number of arguments for 'client|tracking' command"),
            ("TRACKING maybe", "ERR syntax error"),
            ("TRACKING ON NOSUCH", "ERR syntax error"),
            ("TRACKING ON REDIRECT", "ERR syntax error"),
            ("TRACKING ON BCAST PREFIX", "ERR syntax error"),
            ("TRACKING ON REDIRECT x", "ERR value is not an integer or out of range"),
            ("TRACKING ON REDIRECT 0", "ERR The client ID you want redirect to does not exist"),
            ("TRACKING ON REDIRECT 999999", "ERR The client ID you want redirect to does not exist"),
            ("TRACKING maybe REDIRECT 999999", "ERR The client ID you want redirect to does not exist"),
            ("TRACKING ON PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"),
            ("TRACKING OFF PREFIX a NOSUCH", "ERR syntax error"),
            ("TRACKING ON BCAST OPTIN OPTOUT", "ERR OPTIN and OPTOUT are not compatible with BCAST"),
            ("TRACKING ON OPTIN OPTOUT", "ERR You can't specify both OPTIN mode and OPTOUT mode"),
            ("TRACKING ON OPTIN PREFIX a", "ERR PREFIX option requires BCAST mode to be enabled"),
            ("CACHING", "ERR wrong number of arguments for 'client|caching' command"),
            ("CACHING YES", NO_CACHING),
            ("CACHING maybe", NO_CACHING),
            ("TRACKINGINFO x", "ERR wrong number of arguments for 'client|trackinginfo' command"),
            ("GETREDIR x", "ERR wrong number of arguments for 'client|getredir' command"),
        ],
    )
    def test_without_tracking(self, do: Transcript, line: str, error: str) -> None:
        assert do.error("CLIENT", *line.split()) == error
        assert do("CLIENT", "GETREDIR") == -1

    @pytest.mark.parametrize(
        ("first", "line", "error"),
        [
            ("", "TRACKING ON BCAST", ON_OR_OFF.format("BCAST mode on/off")),
            ("BCAST", "TRACKING ON", ON_OR_OFF.format("BCAST mode on/off")),
            ("BCAST", "TRACKING ON OPTIN PREFIX x", "ERR PREFIX option requires BCAST mode to be enabled"),
            ("", "TRACKING ON BCAST OPTIN", ON_OR_OFF.format("BCAST mode on/off")),
            ("OPTIN", "TRACKING ON OPTOUT", ON_OR_OFF.format("OPTIN/OPTOUT mode")),
            ("OPTOUT", "TRACKING ON OPTIN", ON_OR_OFF.format("OPTIN/OPTOUT mode")),
            ("OPTOUT", "CACHING YES", "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."),
            ("OPTIN", "CACHING NO", "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."),
            ("BCAST", "CACHING YES", "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."),
            ("OPTIN", "CACHING maybe", "ERR syntax error"),
        ],
    )
    def test_with_tracking(self, do: Transcript, first: str, line: str, error: str) -> None:
        do("CLIENT", "TRACKING", "ON", *first.split())
        flags = do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"]
        assert do.error("CLIENT", *line.split()) == error
        assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"flags"] == flags

    @pytest.mark.parametrize(
        ("first", "then", "error"),
        [
            ("", "ab a", "Prefix 'ab' overlaps with another provided prefix 'a'."),
            ("", "a ab", "Prefix 'a' overlaps with another provided prefix 'ab'."),
            ("b a", "ax", "Prefix 'ax' overlaps with an existing prefix 'a'."),
            ("bb aa", "c a b", "Prefix 'a' overlaps with an existing prefix 'aa'."),
            ("a", "a", "Prefix 'a' overlaps with an existing prefix 'a'."),
            ("a", "bc b a", "Prefix 'bc' overlaps with another provided prefix 'b'."),
        ],
    )
    def test_prefixes(self, do: Transcript, first: str, then: str, error: str) -> None:
        def options(prefixes: str) -> list[str]:
            return [word for prefix in prefixes.split() for word in ("PREFIX", prefix)]

        if first:
            do("CLIENT", "TRACKING", "ON", "BCAST", *options(first))
        whole = f"ERR {error} Prefixes for a single client must not overlap."
        assert do.error("CLIENT", "TRACKING", "ON", "BCAST", *options(then)) == whole
        assert do.as_map(do("CLIENT", "TRACKINGINFO"))[b"prefixes"] == sorted(first.encode().split())

    def test_redirected_twice(self, do: Transcript) -> None:
        own = do("CLIENT", "ID")
        words = ["CLIENT", "TRACKING", "ON", "REDIRECT", own, "REDIRECT", 999_999]
        assert do.error(*words) == "ERR A client can only redirect to a single other client"


@pytest.mark.respcache_only(reason="namespaces, snapshots, RESPCACHE RESET")
class TestRespcache:
    def test_namespaces(self, do: Transcript, connect: Connect) -> None:
        """Clients are told of what happens in their own, and can be redirected there only."""
        here, listener = Cache(connect, 3), Cache(connect, 3, "BCAST")
        others = []
        for options in ((), ("BCAST",)):
            other = connect(protocol=3)
            other.call("RESPCACHE", "NAMESPACE", "elsewhere")
            other.call("CLIENT", "TRACKING", "ON", *options)
            other.call("GET", "k")
            others.append(other)
        here("GET", "k")
        do("SET", "k", 1)
        assert here.told() == listener.told() == [["k"]]
        assert [other.call("PING") for other in others] == ["PONG", "PONG"]
        here("GET", "k")
        writer = connect()
        writer.call("RESPCACHE", "NAMESPACE", "elsewhere")
        writer.call("SET", "k", 1)
        assert [other.read() for other in others] == [push(b"invalidate", [b"k"])] * 2
        writer.call("FLUSHALL")
        assert [other.read() for other in others] == [push(b"invalidate", None)] * 2
        assert here.told() == listener.told() == []
        number = here("CLIENT", "ID")
        assert "does not exist" in str(writer.call("CLIENT", "TRACKING", "ON", "REDIRECT", number))
        counted = re.findall(r"tracking_\w+:(\d+)", str(writer.call("INFO")))
        assert counted == ["2", "0", "0", "1"]
        do("RESPCACHE", "NAMESPACE", "DROP", "elsewhere")

    def test_leaving_a_namespace_ends_it(self, do: Transcript, connect: Connect) -> None:
        for options in ((), ("BCAST",)):
            reader = connect(protocol=3)
            reader.call("CLIENT", "TRACKING", "ON", *options)
            reader.call("GET", "k")
            reader.call("RESPCACHE", "NAMESPACE", "elsewhere")
            assert reader.call("CLIENT", "GETREDIR") == -1
            do("SET", "k", 1)
            assert reader.call("PING") == "PONG"
        do("RESPCACHE", "NAMESPACE", "DROP", "elsewhere")

    def test_reset(self, do: Transcript, connect: Connect) -> None:
        """Others are told that everything may have changed; the client itself tracks no more."""
        other, own = Cache(connect, do.protocol), Cache(connect, do.protocol)
        other("GET", "k")
        own("RESPCACHE", "RESET")
        assert own("CLIENT", "GETREDIR") == -1
        assert other.told() == [None]
        assert own.told() == []

    def test_restore(self, do: Transcript, connect: Connect) -> None:
        do("SET", "k", 1)
        do("RESPCACHE", "SNAPSHOT", "s")
        do("SET", "k", 2)
        reader, listener = Cache(connect, do.protocol), Cache(connect, do.protocol, "BCAST")
        reader("GET", "k")
        do("RESPCACHE", "RESTORE", "s")
        assert reader.told() == listener.told() == [None]
        reader("GET", "k")
        do("SET", "k", 3)
        assert reader.told() == listener.told() == [["k"]]
        do("RESPCACHE", "DROP", "s")

    def test_the_bytes_of_the_table_are_bounded(self, do: Transcript, connect: Connect) -> None:
        """Keys may be as long as values: then fewer of them are remembered."""
        reader = Cache(connect, 3)
        size = 60 << 20
        for number in range(10):
            reader("EXISTS", f"{number}{{x}}" + "k" * size)
        kept = figures(do)["total_keys"]
        shards = do.server.shards  # type: ignore[attr-defined]  # it is one of ours
        assert 1 <= kept <= (512 << 20) // shards // size
        assert len(reader.keys()) == 10 - kept

    @pytest.mark.parametrize("redirected", [True, False])
    def test_a_client_that_does_not_read_is_cut_off(self, do: Transcript, connect: Connect, redirected: bool) -> None:
        """By the limit of its class: that of subscribers for a connection that is subscribed."""
        keys = [f"{number:04}" + "k" * 10_000 for number in range(40)]
        victim, other = Cache(connect, 2 if redirected else 3, *["BCAST"] * (not redirected)), Cache(connect, 3)
        gone = victim.redirect if redirected else victim("CLIENT", "ID")
        do("CONFIG", "SET", "client-output-buffer-limit", ("pubsub" if redirected else "normal") + " 1mb 0 0")
        for _ in range(100):
            if redirected:
                victim("EXISTS", *keys)
            other("EXISTS", *keys)
            do("MSET", *[word for key in keys for word in (key, 1)])
            assert other.keys() == keys
            if f"id={gone} " not in str(do("CLIENT", "LIST")):
                break
        else:
            raise AssertionError("it was not cut off")
        with pytest.raises((Closed, ConnectionResetError)):
            read_on(victim.listener)
        if redirected:
            assert victim("EXISTS", keys[0]) == 1
