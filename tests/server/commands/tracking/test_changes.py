"""What counts as a change, FLUSHALL and its like, and when clients are told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.invocations import KEYS
from tests.support.resp import Connection, ReplyError, pack
from tests.support.tracking import Cache, push
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

Connect = Callable[..., Connection]
Block = Callable[..., Connection]

ONE, TWO, THREE = KEYS  # on three different shards

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
