"""Keyspace events: what `notify-keyspace-events` lets through, on which channels, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.events import Events
from tests.support.invocations import KEYS
from tests.support.resp import Connection, PushData
from tests.support.transcript import Transcript

Connect = Callable[..., Connection]

ONE, TWO, THREE = KEYS  # on three different shards


class TestChannels:
    @pytest.mark.parametrize(
        ("flags", "expected"),
        [
            ("KEA", [(b"__keyspace@0__:k", b"set"), (b"__keyevent@0__:set", b"k")]),
            ("KA", [(b"__keyspace@0__:k", b"set")]),
            ("EA", [(b"__keyevent@0__:set", b"k")]),
            ("A", []),
            ("KE", []),
            ("", []),
        ],
    )
    def test_which(self, do: Transcript, connect: Connect, flags: str, expected: list[tuple[bytes, bytes]]) -> None:
        listener = connect()
        listener.call("PSUBSCRIBE", "__key*")
        do("CONFIG", "SET", "notify-keyspace-events", flags)
        do("SET", "k", "v")
        do("PUBLISH", "__key:end", "end")
        expected = [*expected, (b"__key:end", b"end")]
        assert [tuple(listener.read()[2:]) for _ in expected] == expected

    def test_plain_subscriptions(self, do: Transcript, connect: Connect) -> None:
        listener = connect(protocol=3)
        listener.call("SUBSCRIBE", "__keyspace@0__:k", "__keyevent@0__:del")
        listener.read()
        do("CONFIG", "SET", "notify-keyspace-events", "KEg")
        do("SET", "k", "v")
        do("DEL", "k")
        assert listener.read() == PushData([b"message", b"__keyspace@0__:k", b"del"])
        assert listener.read() == PushData([b"message", b"__keyevent@0__:del", b"k"])

    def test_keys_of_any_bytes(self, do: Transcript, connect: Connect) -> None:
        key = b"\0\r\n:\xff"
        listener = connect()
        listener.call("PSUBSCRIBE", "__keyspace@0__:*")
        do("CONFIG", "SET", "notify-keyspace-events", "K$")
        do("SET", key, "v")
        assert listener.read()[2:] == [b"__keyspace@0__:" + key, b"set"]

    def test_databases(self, do: Transcript, connect: Connect) -> None:
        events = Events(do, connect)
        do("SELECT", 9)
        do("SET", "k", "v")
        do("MOVE", "k", 5)
        do("SELECT", 0)
        do("SET", "k", "v")
        do("COPY", "k", "k2", "DB", 3)
        seen = [event for event in events() if event[1] != "new"]
        assert seen == [
            (9, "set", "k"),
            (9, "move_from", "k"),
            (5, "move_to", "k"),
            (0, "set", "k"),
            (3, "copy_to", "k2"),
        ]


# Flag -> a command, the event of that class that it causes, and the key.
KINDS = {
    "g": ("DEL a", "del", "a"),
    "$": ("APPEND s x", "append", "s"),
    "l": ("RPUSH l x", "rpush", "l"),
    "s": ("SADD t x", "sadd", "t"),
    "h": ("HSET h f v", "hset", "h"),
    "z": ("ZADD z 1 m", "zadd", "z"),
    "t": ("XADD x 1-1 f v", "xadd", "x"),
    "m": ("GET missing", "keymiss", "missing"),
}


class TestKinds:
    @pytest.mark.parametrize("flag", [*KINDS, "A", "Am", "gh"])
    def test_each_flag_lets_its_kind_through(self, do: Transcript, connect: Connect, flag: str) -> None:
        do("SET", "a", "v")
        events = Events(do, connect, flags="E" + flag)
        for line, _, _ in KINDS.values():
            do(*line.split())
        shown = flag.replace("A", "g$lshzt")
        assert events() == [(0, event, key) for kind, (_, event, key) in KINDS.items() if kind in shown]

    def test_new_comes_first(self, do: Transcript, connect: Connect) -> None:
        """The flag `n` is not part of `A`."""
        events = Events(do, connect, flags="EAn")
        do("RPUSH", "l", "x")
        do("RPUSH", "l", "x")
        assert events() == [(0, "new", "l"), (0, "rpush", "l"), (0, "rpush", "l")]
        do("CONFIG", "SET", "notify-keyspace-events", "EA")
        do("RPUSH", "l2", "x")
        assert events() == [(0, "rpush", "l2")]

    def test_keymiss(self, do: Transcript, connect: Connect) -> None:
        """Only commands that read cause it. The flag `m` is not part of `A`."""
        events = Events(do, connect, flags="Em")
        do("SET", "k", "v")
        do("MGET", "k", "none")
        do("EXISTS", "other")
        do("LLEN", "other")
        assert events() == [(0, "keymiss", "none"), (0, "keymiss", "other"), (0, "keymiss", "other")]
        do("CONFIG", "SET", "notify-keyspace-events", "EA")
        do("GET", "none")
        assert events() == []

    def test_the_flags_as_they_are_shown(self, do: Transcript) -> None:
        for flags, shown in {"KEA": b"AKE", "g$lshzxetdKE": b"AKE", "Ex": b"xE", "": b"", "AKEm": b"AKEm"}.items():
            do("CONFIG", "SET", "notify-keyspace-events", flags)
            got = do.as_map(do("CONFIG", "GET", "notify-keyspace-events"))[b"notify-keyspace-events"]
            assert sorted(got) == sorted(shown)

    def test_unknown_flags(self, do: Transcript) -> None:
        assert do.error("CONFIG", "SET", "notify-keyspace-events", "KEq").startswith(
            "ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class"
        )

    def test_no_event_without_a_change(self, do: Transcript, connect: Connect) -> None:
        do("SADD", "s", "a")
        do("SET", "k", "v")
        events = Events(do, connect)
        do("DEL", "none")
        do("SADD", "s", "a")
        do("SETNX", "k", "w")
        do("PERSIST", "k")
        do.error("RPUSH", "k", "x")
        do("GET", "k")
        do("TOUCH", "k")
        assert events() == []

    def test_a_collection_that_becomes_empty(self, do: Transcript, connect: Connect) -> None:
        do("RPUSH", "l", "a")
        do("SADD", "s", "a")
        do("HSET", "h", "a", 1)
        do("ZADD", "z", 1, "a")
        events = Events(do, connect)
        do("LPOP", "l")
        do("SREM", "s", "a")
        do("HDEL", "h", "a")
        do("ZREM", "z", "a")
        names = [("lpop", "l"), ("srem", "s"), ("hdel", "h"), ("zrem", "z")]
        assert events() == [(0, *pair) for name, key in names for pair in ((name, key), ("del", key))]


class TestOrder:
    def test_of_commands_over_several_shards(self, do: Transcript, connect: Connect) -> None:
        do("MSET", ONE, 1, TWO, 2)
        do("RPUSH", "l", "x")
        events = Events(do, connect, flags="EA")
        do("RENAME", ONE, THREE)
        do("COPY", THREE, ONE)
        do("LMOVE", "l", "l2", "LEFT", "RIGHT")
        assert events() == [
            (0, "rename_from", ONE),
            (0, "rename_to", THREE),
            (0, "copy_to", ONE),
            (0, "rpush", "l2"),
            (0, "lpop", "l"),
            (0, "del", "l"),
        ]

    def test_of_split_commands(self, do: Transcript, connect: Connect) -> None:
        """One event per key, in any order if the keys are on several shards."""
        events = Events(do, connect, flags="EA")
        do("MSET", ONE, 1, TWO, 2, THREE, 3)
        assert sorted(events()) == sorted((0, "set", key) for key in KEYS)
        do("DEL", *KEYS, "none")
        assert sorted(events()) == sorted((0, "del", key) for key in KEYS)

    def test_of_a_pipeline(self, do: Transcript, connect: Connect) -> None:
        events = Events(do, connect, flags="EA")
        do.connection.pipeline(*[("SETRANGE", "k", number, "x") for number in range(100)], ("DEL", "k"))
        assert events() == [(0, "setrange", "k")] * 100 + [(0, "del", "k")]

    def test_of_a_transaction(self, do: Transcript, connect: Connect) -> None:
        events = Events(do, connect, flags="EA")
        do.connection.pipeline(
            ("MULTI",), ("SET", ONE, 1), ("INCR", TWO), ("DEL", ONE), ("SELECT", 1), ("RPUSH", THREE, "x"), ("EXEC",)
        )
        do("SELECT", 0)
        assert events() == [(0, "set", ONE), (0, "incrby", TWO), (0, "del", ONE), (1, "rpush", THREE)]

    def test_none_of_a_transaction_that_fails(self, do: Transcript, connect: Connect) -> None:
        events = Events(do, connect, flags="EA")
        do("WATCH", "k")
        connect().call("SET", "k", "v")
        do.connection.pipeline(("MULTI",), ("DEL", "k"), ("EXEC",))
        assert events() == [(0, "set", "k")]

    def test_the_event_is_there_before_the_reply(self, do: Transcript, connect: Connect) -> None:
        """A subscriber that gets the event sees the change; the reply means that the event was sent."""
        listener, reader = connect(), connect()
        do("CONFIG", "SET", "notify-keyspace-events", "EA")
        listener.call("SUBSCRIBE", "__keyevent@0__:set")
        for number in range(100):
            do.connection.send("SET", f"key:{number}", number)
            (_, _, key) = listener.read()
            assert reader.call("GET", key) == b"%d" % number
            assert do.connection.read() == "OK"

    @pytest.mark.since("7.2")
    def test_own_events_follow_the_reply(self, do: Transcript, connect: Connect) -> None:
        client = connect(protocol=3)
        do("CONFIG", "SET", "notify-keyspace-events", "EA")
        client.call("SUBSCRIBE", "__keyevent@0__:set")
        for number in range(20):
            assert client.call("SET", f"key:{number}", number) == "OK"
            assert client.read() == PushData([b"message", b"__keyevent@0__:set", b"key:%d" % number])


class TestExpiry:
    def test_deadlines_that_have_passed(self, do: Transcript, connect: Connect) -> None:
        do("SET", "k", "v")
        do("SET", "k2", "v")
        events = Events(do, connect, flags="EA")
        do("EXPIRE", "k", -1)
        do("PEXPIREAT", "k2", 1)
        assert events() == [(0, "del", "k"), (0, "del", "k2")]

    def test_setting_deadlines(self, do: Transcript, connect: Connect) -> None:
        events = Events(do, connect, flags="EA")
        do("SET", "k", "v", "EX", 100)
        do("EXPIRE", "k", 200)
        do("PERSIST", "k")
        do("GETEX", "k", "PX", 100_000)
        names = ["set", "expire", "expire", "persist", "expire"]
        assert events() == [(0, name, "k") for name in names]

    def test_in_time(self, do: Transcript, connect: Connect) -> None:
        """A key expires in real time without being accessed."""
        do("CONFIG", "SET", "notify-keyspace-events", "Ex")
        listener = connect()
        listener.call("SUBSCRIBE", "__keyevent@0__:expired")
        for key in KEYS:
            do("SET", key, "v", "PX", 20)
        assert {listener.read()[2] for _ in KEYS} == {key.encode() for key in KEYS}

    @pytest.mark.respcache_only("shifts the server's clock")
    def test_active_expiry(self, do: Transcript, connect: Connect) -> None:
        do("SELECT", 7)
        for key in KEYS:
            do("SET", key, "v", "EX", 10)
        events = Events(do, connect, flags="Ex")
        do.advance(9000)
        assert events() == []
        do.advance(2000)
        assert sorted(events()) == sorted((7, "expired", key) for key in KEYS)

    @pytest.mark.respcache_only("shifts the server's clock")
    def test_lazy_expiry(self, do: Transcript, connect: Connect) -> None:
        """Without active expiry a key is removed when it is accessed, with one event."""
        do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
        try:
            do("SET", "k", "v", "EX", 10)
            events = Events(do, connect, flags="EAm")
            do.advance(11_000)
            assert events() == []
            do("GET", "k")
            do("GET", "k")
            assert events() == [(0, "expired", "k"), (0, "keymiss", "k"), (0, "keymiss", "k")]
        finally:
            do("DEBUG", "SET-ACTIVE-EXPIRE", 1)

    @pytest.mark.parametrize("words", [("FLUSHDB",), ("FLUSHALL",), ("SWAPDB", 0, 1)])
    def test_whole_databases_make_no_events(self, do: Transcript, connect: Connect, words: tuple[object, ...]) -> None:
        do("SET", "k", "v")
        events = Events(do, connect)
        do(*words)
        assert events() == []
