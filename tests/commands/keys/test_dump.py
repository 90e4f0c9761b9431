"""DUMP and RESTORE, as a redis-cli session shows them.

How every type and encoding goes from one server to another is compared by `python -m compat twin --part payloads`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compat.values import COMMANDS, NEWER, OLDER, Command, sealed
from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

Connect = Callable[..., Connection]

HELLO = b"\x00\x05hello\n\x00cr\xdfve4 \n"  # of Redis 7.0

BUSY = "BUSYKEY Target key name already exists."
SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
WRONG_CHECKSUM = "ERR DUMP payload version or checksum are wrong"
BAD_DATA = "ERR Bad data format"
FUTURE = 4_000_000_000_000  # milliseconds since the epoch


def test_there_and_back(do: Transcript) -> None:
    do("SET", "k", "hello")
    assert do("DUMP", "k") == HELLO
    assert do("RESTORE", "other", 0, HELLO) == "OK"
    assert do("GET", "other") == b"hello"
    assert do("TTL", "other") == -1
    assert do("DUMP", "none") is None


@pytest.mark.parametrize("commands", COMMANDS.values(), ids=COMMANDS)
def test_every_type_and_encoding(do: Transcript, commands: tuple[Command, ...]) -> None:
    for words in commands:
        do(*words)
    payload = do("DUMP", "K")
    assert do("RESTORE", "copy", 0, payload) == "OK"
    kind = do("TYPE", "K")
    assert do("TYPE", "copy") == kind
    read = {
        "string": ("GET", ()),
        "list": ("LRANGE", (0, -1)),
        "set": ("SMEMBERS", ()),
        "hash": ("HGETALL", ()),
        "zset": ("ZRANGE", (0, -1, "WITHSCORES")),
        "stream": ("XRANGE", ("-", "+")),
    }
    command, rest = read[kind]
    original, copy = do(command, "K", *rest), do(command, "copy", *rest)
    if kind in ("set", "hash"):  # their order is their own
        as_list = sorted(do.as_map(original).items()) if kind == "hash" else sorted(original)
        assert as_list == (sorted(do.as_map(copy).items()) if kind == "hash" else sorted(copy))
    else:
        assert copy == original
    if kind != "string":  # one that was changed in place is stored as any other then
        assert do("OBJECT", "ENCODING", "copy") == do("OBJECT", "ENCODING", "K")


def test_a_stream_keeps_its_groups(do: Transcript) -> None:
    for words in COMMANDS["stream with groups"]:
        do(*words)
    do("RESTORE", "copy", 0, do("DUMP", "K"))
    assert do("XINFO", "GROUPS", "copy") == do("XINFO", "GROUPS", "K")
    for group in ("first", "second", ""):
        assert do("XPENDING", "copy", group) == do("XPENDING", "K", group)
        names = [do.as_map(consumer)[b"name"] for consumer in do("XINFO", "CONSUMERS", "K", group)]
        assert [do.as_map(consumer)[b"name"] for consumer in do("XINFO", "CONSUMERS", "copy", group)] == names
    assert [counted[3] for counted in do("XPENDING", "copy", "second", "-", "+", 10)] == [
        counted[3] for counted in do("XPENDING", "K", "second", "-", "+", 10)
    ]
    assert do("XADD", "copy", "12-1", "a", "b") == b"12-1"
    assert do.error("XADD", "copy", "12-0", "a", "b").startswith("ERR The ID specified in XADD is equal or smaller")


@pytest.mark.parametrize(("version", "body"), OLDER.values(), ids=OLDER)
def test_what_older_servers_have_written(do: Transcript, version: int, body: bytes) -> None:
    assert do("RESTORE", "k", 0, sealed(body, min(version, 10))) == "OK"
    assert do("TYPE", "k") in ("list", "set", "hash", "zset", "stream")
    assert do("RESTORE", "copy", 0, do("DUMP", "k")) == "OK"


@pytest.mark.respcache_only("genuine servers refuse what newer ones have written")
@pytest.mark.parametrize(("version", "body", "held"), NEWER.values(), ids=NEWER)
def test_what_newer_servers_have_written(do: Transcript, version: int, body: bytes, held: bool) -> None:
    payload = sealed(body, version)
    if held:
        assert do("RESTORE", "k", 0, payload) == "OK"
        assert do("RESTORE", "copy", 0, do("DUMP", "k")) == "OK"
    else:
        assert do.error("RESTORE", "k", 0, payload).startswith(f"{BAD_DATA}: a")
        assert do("EXISTS", "k") == 0


def test_replace(do: Transcript) -> None:
    do("RPUSH", "k", "a")
    do("EXPIRE", "k", 100)
    assert do.error("RESTORE", "k", 0, HELLO) == BUSY
    assert do("RESTORE", "k", 0, HELLO, "replace") == "OK"
    assert do("GET", "k") == b"hello"
    assert do("TTL", "k") == -1


def test_a_time_to_live(do: Transcript) -> None:
    do("RESTORE", "k", 100_000, HELLO)
    assert 90_000 < do("PTTL", "k") <= 100_000
    do("RESTORE", "k", FUTURE, HELLO, "REPLACE", "ABSTTL")
    assert do("PEXPIRETIME", "k") == FUTURE
    do("RESTORE", "k", 0, HELLO, "REPLACE", "ABSTTL")
    assert do("TTL", "k") == -1


def test_a_deadline_that_has_passed(do: Transcript, connect: Connect) -> None:
    events = Events(do, connect)  # type: ignore[arg-type]  # the fixture is a factory
    assert do("RESTORE", "k", 1, HELLO, "ABSTTL") == "OK"
    assert do("EXISTS", "k") == 0
    do("SET", "k", 1)
    assert events() == [(0, "new", "k"), (0, "set", "k")]
    assert do("RESTORE", "k", 1, HELLO, "ABSTTL", "REPLACE") == "OK"
    assert do("EXISTS", "k") == 0
    assert events() == [(0, "del", "k")]


@pytest.mark.respcache_only("time is shifted")
def test_it_expires(do: Transcript) -> None:
    do("RESTORE", "k", 1000, HELLO)
    do.advance(1001)
    assert do("EXISTS", "k") == 0


def test_idle_time_and_frequency(do: Transcript) -> None:
    do("RESTORE", "k", 0, HELLO, "IDLETIME", 1000)
    assert 1000 <= do("OBJECT", "IDLETIME", "k") < 1010
    do("RESTORE", "k", 0, HELLO, "REPLACE", "idletime", 1, "IDLETIME", 0)
    assert do("OBJECT", "IDLETIME", "k") < 10
    assert do("RESTORE", "k", 0, HELLO, "REPLACE", "FREQ", 255) == "OK"
    assert do("OBJECT", "IDLETIME", "k") < 10


def test_dump_is_an_access(do: Transcript) -> None:
    do("RESTORE", "k", 0, HELLO, "IDLETIME", 1000)
    do("DUMP", "k")
    assert do("OBJECT", "IDLETIME", "k") < 10


def test_events(do: Transcript, connect: Connect) -> None:
    events = Events(do, connect)  # type: ignore[arg-type]  # the fixture is a factory
    do("RESTORE", "k", 0, HELLO)
    assert events() == [(0, "new", "k"), (0, "restore", "k")]
    do("RESTORE", "k", 100_000, HELLO, "REPLACE")
    assert events() == [(0, "new", "k"), (0, "restore", "k")]
    do.error("RESTORE", "k", 0, HELLO)
    do.error("RESTORE", "k", 0, b"", "REPLACE")
    assert events() == []


def test_who_watches(do: Transcript, connect: Connect) -> None:
    other = connect()
    do("SET", "k", 1)
    do("WATCH", "k")
    assert isinstance(other.call("RESTORE", "k", 0, HELLO), Exception)
    assert do.transaction(("PING",)) == ["PONG"]
    do("WATCH", "k")
    assert other.call("RESTORE", "k", 0, HELLO, "REPLACE") == "OK"
    assert do.transaction(("PING",)) is None


def test_who_waits(do: Transcript, block: Callable[..., Connection]) -> None:
    do("RPUSH", "l", "a", "b")
    payload = do("DUMP", "l")
    waiter = block("BLPOP", "k", 0)
    do("RESTORE", "k", 0, payload)
    assert waiter.read() == [b"k", b"a"]
    assert do("LRANGE", "k", 0, -1) == [b"b"]


def test_in_a_transaction_and_a_script(do: Transcript) -> None:
    assert do.transaction(("RESTORE", "k", 0, HELLO), ("DUMP", "k"), ("GET", "k")) == ["OK", HELLO, b"hello"]
    script = "return redis.call('RESTORE', KEYS[2], 0, redis.call('DUMP', KEYS[1]))"
    do("SET", "{k}1", "x")
    assert do("EVAL", script, 2, "{k}1", "{k}2") == "OK"
    assert do("GET", "{k}2") == b"x"


def test_restore_asking(do: Transcript) -> None:
    assert do("RESTORE-ASKING", "k", 0, HELLO) == "OK"
    assert do.error("RESTORE-ASKING", "k", 0, HELLO) == BUSY
    assert do("RESTORE-ASKING", "k", 0, HELLO, "REPLACE") == "OK"


def test_compression_is_a_setting(do: Transcript) -> None:
    do("SET", "k", "x" * 100)
    assert do("DUMP", "k")[1] == 0xC3
    do("CONFIG", "SET", "rdbcompression", "no")
    assert do("DUMP", "k")[1:3] == b"\x40\x64"
    do("CONFIG", "SET", "rdbcompression", "yes")


def test_what_is_behind_the_value_does_not_matter(do: Transcript) -> None:
    assert do("RESTORE", "k", 0, sealed(b"\x00\x05hello and more")) == "OK"
    assert do("GET", "k") == b"hello"


def test_errors(do: Transcript) -> None:
    do("SET", "there", 1)
    for command in ("RESTORE", "RESTORE-ASKING"):
        for words in ((), ("k",), ("k", 0)):
            assert do.error(command, *words) == f"ERR wrong number of arguments for '{command.lower()}' command"
    assert do.error("DUMP") == "ERR wrong number of arguments for 'dump' command"
    # Options first,
    for options in (("X",), ("IDLETIME",), ("FREQ",), ("IDLETIME", 1, "FREQ", 1), ("FREQ", 1, "IDLETIME", 1)):
        assert do.error("RESTORE", "there", -1, b"", *options) == SYNTAX
    for option in ("IDLETIME", "FREQ"):
        assert do.error("RESTORE", "there", -1, b"", option, "x") == NOT_AN_INTEGER
    assert do.error("RESTORE", "there", 0, b"", "IDLETIME", -1) == "ERR Invalid IDLETIME value, must be >= 0"
    for frequency in (-1, 256):
        text = "ERR Invalid FREQ value, must be >= 0 and <= 255"
        assert do.error("RESTORE", "there", 0, b"", "FREQ", frequency) == text
    # then the key, the time to live, and the payload.
    assert do.error("RESTORE", "there", "x", b"") == BUSY
    assert do.error("RESTORE", "there", -1, b"") == BUSY
    assert do.error("RESTORE", "k", "x", b"") == NOT_AN_INTEGER
    assert do.error("RESTORE", "k", -1, b"") == "ERR Invalid TTL value, must be >= 0"
    for payload in (b"", b"x" * 30, HELLO[:-1], HELLO[:-1] + b"x", sealed(HELLO[:-10], 79), sealed(HELLO[:-10], 65535)):
        assert do.error("RESTORE", "k", 0, payload) == WRONG_CHECKSUM
    for body in (b"", b"\x00", b"\x06\x00", b"\x08\x00", b"\x63\x00", b"\x01\x00", b"\x02\x02\x01a\x01a"):
        assert do.error("RESTORE", "k", 0, sealed(body)) == BAD_DATA
        assert do.error("RESTORE", "there", 0, sealed(body), "REPLACE") == BAD_DATA
    assert do("GET", "there") == b"1"
    assert do("DBSIZE") == 1
