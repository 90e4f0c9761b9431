"""SLOWLOG: what is kept of which commands, and what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

SYNTAX = "ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP."
COUNT = "ERR count should be greater than or equal to -1"


@pytest.fixture(autouse=True)
def everything(do: Transcript) -> Iterator[None]:
    """All commands are slow, and none is kept yet. What does this is."""
    do("CONFIG", "SET", "slowlog-log-slower-than", 0, "slowlog-max-len", 128)
    do("SLOWLOG", "RESET")
    yield
    do("CONFIG", "SET", "slowlog-log-slower-than", 10_000, "slowlog-max-len", 128)


def commands(do: Transcript) -> list[list[bytes]]:
    """The words of all that is kept, the oldest first, without what the fixture sends."""
    entries = [entry[3] for entry in do("SLOWLOG", "GET", -1)]
    return [words for words in reversed(entries) if words[0].upper() != b"SLOWLOG"]


def test_an_entry(do: Transcript, connect: type[Connection]) -> None:
    other = connect()
    other.call("CLIENT", "SETNAME", "worker")
    other.call("SLOWLOG", "RESET")
    other.call("SET", "k", "v")
    number, time, microseconds, words, address, name = do("SLOWLOG", "GET", 1)[0]
    assert isinstance(number, int)
    assert abs(time - int(do("TIME")[0])) <= 5
    assert microseconds >= 0
    assert words == [b"SET", b"k", b"v"]
    assert address == other.call("CLIENT", "INFO").split(b" addr=")[1].split(b" ")[0]
    assert name == b"worker"


def test_the_latest_come_first_and_ten_by_default(do: Transcript) -> None:
    for number in range(12):
        do("SET", "k", number)
    assert len(do("SLOWLOG", "GET")) == 10
    latest = do("SLOWLOG", "GET", 3)
    assert [entry[3][0] for entry in latest] == [b"SLOWLOG", b"SET", b"SET"]
    assert latest[1][3] == [b"SET", b"k", b"11"]
    assert len(do("SLOWLOG", "GET", 0)) == 0
    assert len(do("SLOWLOG", "GET", 1000)) == len(do("SLOWLOG", "GET", -1)) - 1


def test_numbers_go_on(do: Transcript) -> None:
    do("SET", "k", "v")
    before = do("SLOWLOG", "GET", 1)[0][0]
    do("SLOWLOG", "RESET")
    do("SET", "k", "v")
    assert do("SLOWLOG", "GET", 1)[0][0] > before
    numbers = [entry[0] for entry in do("SLOWLOG", "GET", -1)]
    assert numbers == sorted(numbers, reverse=True)


def test_the_length(do: Transcript) -> None:
    do("SLOWLOG", "RESET")
    do("CONFIG", "SET", "slowlog-log-slower-than", -1)
    length = do("SLOWLOG", "LEN")
    assert length == 1  # RESET, after it has emptied the log; CONFIG SET has switched it off before it ended
    do("SET", "k", "v")
    assert do("SLOWLOG", "LEN") == length
    assert do("SLOWLOG", "RESET") == "OK"
    assert do("SLOWLOG", "LEN") == 0


def test_a_threshold(do: Transcript) -> None:
    do("CONFIG", "SET", "slowlog-log-slower-than", 100_000)
    do("SLOWLOG", "RESET")
    do("SET", "k", "v")
    assert do("SLOWLOG", "LEN") == 0
    do("CONFIG", "SET", "slowlog-log-slower-than", 2_000)
    do("SLOWLOG", "RESET")
    do("EVAL", "for i = 1, 1000000 do end", 0)
    slow = do("SLOWLOG", "GET", -1)
    assert [b"EVAL", b"for i = 1, 1000000 do end", b"0"] in [entry[3] for entry in slow]
    assert all(entry[2] >= 2_000 for entry in slow)


def test_one_slow_command_of_a_pipeline(do: Transcript, connect: type[Connection]) -> None:
    other = connect()
    do("CONFIG", "SET", "slowlog-log-slower-than", 20_000)
    do("SLOWLOG", "RESET")
    slow = ("EVAL", "for i = 1, 10000000 do end", "0")
    other.pipeline(*[("GET", "k")] * 50, slow, *[("GET", "k"), ("LRANGE", "l", "0", "0")] * 20)
    assert commands(do) == [[word.encode() for word in slow]]


def test_as_many_as_wanted(do: Transcript) -> None:
    do("CONFIG", "SET", "slowlog-max-len", 3)
    for number in range(5):
        do("SET", "k", number)
    assert do("SLOWLOG", "LEN") == 3
    assert [entry[3][-1] for entry in do("SLOWLOG", "GET", 3)] == [b"LEN", b"4", b"3"]
    do("CONFIG", "SET", "slowlog-max-len", 1)
    assert do("SLOWLOG", "LEN") == 1


def test_long_commands_are_trimmed(do: Transcript) -> None:
    do("RPUSH", "l", *range(40))
    do("SET", "k", "x" * 128)
    do("SET", "k", "x" * 130)
    do("RPUSH", "m", *range(30))
    assert commands(do) == [
        [b"RPUSH", b"l", *(b"%d" % number for number in range(29)), b"... (11 more arguments)"],
        [b"SET", b"k", b"x" * 128],
        [b"SET", b"k", b"x" * 128 + b"... (2 more bytes)"],
        [b"RPUSH", b"m", *(b"%d" % number for number in range(30))],
    ]


def test_passwords_are_not_kept(do: Transcript) -> None:
    do("CONFIG", "SET", "masterauth", "secret")
    do("CONFIG", "SET", "masterauth", "")
    do.error("AUTH", "secret")
    do.error("AUTH", "nobody", "secret")
    do.error("HELLO", 2, "AUTH", "nobody", "secret")
    hidden = b"(redacted)"
    assert commands(do) == [
        [b"CONFIG", b"SET", b"masterauth", hidden],
        [b"CONFIG", b"SET", b"masterauth", hidden],
        [b"AUTH", hidden],
        [b"AUTH", hidden, hidden],
        [b"HELLO", b"2", b"AUTH", hidden, hidden],
    ]


def test_transactions(do: Transcript) -> None:
    """Its commands are kept, EXEC is not."""
    do.transaction(("SET", "{t}a", 1), ("INCR", "{t}a"))
    do.transaction(("SET", "a", 1), ("PING",), ("MSET", "a", 1, "b", 2, "c", 3), ("DBSIZE",))
    assert commands(do) == [
        [b"MULTI"],
        [b"SET", b"{t}a", b"1"],
        [b"INCR", b"{t}a"],
        [b"MULTI"],
        [b"SET", b"a", b"1"],
        [b"PING"],
        [b"MSET", b"a", b"1", b"b", b"2", b"c", b"3"],
        [b"DBSIZE"],
    ]


def test_scripts(do: Transcript) -> None:
    """What they call is kept, too, before the script itself; who has called it is not told."""
    sha = do("SCRIPT", "LOAD", "return redis.call('GET', KEYS[1])")
    do("SLOWLOG", "RESET")
    do("EVALSHA", sha, 1, "k")
    do.error("EVALSHA", "0" * 40, 0)
    do.error("EVALSHA", "x", 0)
    assert commands(do) == [
        [b"GET", b"k"],
        [b"EVALSHA", sha, b"1", b"k"],
        [b"EVALSHA", b"0" * 40, b"0"],
        [b"EVALSHA", b"x", b"0"],
    ]
    inner = next(entry for entry in do("SLOWLOG", "GET", -1) if entry[3] == [b"GET", b"k"])
    assert inner[4] in (b"", b"?:0")
    assert inner[5] == b""


def test_nobody_has_sent_what_scripts_call(do: Transcript, connect: type[Connection]) -> None:
    """Wherever the keys are."""
    other = connect()
    other.call("CLIENT", "SETNAME", "worker")
    other.call("SLOWLOG", "RESET")
    calls = [
        ("SET", "a", "1"),
        ("SET", "b", "1"),
        ("MGET", "a", "b", "c"),
        ("DBSIZE",),
        ("SCAN", "0"),
        ("RENAME", "a", "c"),
        ("PUBLISH", "x", "y"),
    ]
    quoted = [",".join(f"'{word}'" for word in words) for words in calls]
    other.call("EVAL", "".join(f"redis.call({words}) " for words in quoted), 0)
    entries = {entry[3][0]: entry for entry in do("SLOWLOG", "GET", -1)}
    for words in calls:
        assert entries[words[0].encode()][4] in (b"", b"?:0"), words
        assert entries[words[0].encode()][5] == b""
    assert entries[b"EVAL"][4:] == [other.call("CLIENT", "INFO").split(b" addr=")[1].split(b" ")[0], b"worker"]


def test_refused_commands_are_not_kept(do: Transcript) -> None:
    do.error("NOSUCH")
    do.error("GET")
    do.error("CLIENT", "NOSUCH")
    do.error("LPUSH", "k")
    assert commands(do) == []


def test_failing_commands_are(do: Transcript) -> None:
    do("SET", "k", "v")
    do.error("INCR", "k")
    do.error("RENAME", "nosuch", "other")
    do.error("SCAN", "x")
    assert [words[0] for words in commands(do)] == [b"SET", b"INCR", b"RENAME", b"SCAN"]


def test_over_all_shards(do: Transcript) -> None:
    asked: list[tuple[Any, ...]] = [
        ("MSET", "a", "1", "b", "2", "c", "3"),
        ("MGET", "a", "b", "c"),
        ("DEL", "a", "b"),
        ("DBSIZE",),
        ("SCAN", "0"),
        ("SADD", "s1", "x"),
        ("SADD", "s2", "x"),
        ("SINTER", "s1", "s2"),
        ("SINTERSTORE", "s3", "s1", "s2"),
        ("RENAME", "s1", "s4"),
        ("XADD", "x1", "1-1", "f", "v"),
        ("XADD", "x2", "1-1", "f", "v"),
        ("XREAD", "STREAMS", "x1", "x2", "0", "0"),
        ("FLUSHALL",),
    ]
    for words in asked:
        do(*words)
    assert commands(do) == [[word.encode() for word in words] for words in asked]


def test_a_pipeline_comes_in_order(do: Transcript, connect: type[Connection]) -> None:
    """SLOWLOG comes after what was sent before it, and keys of one shard after each other."""
    other = connect()
    for words in (("SET", "a", "1"), ("GET", "a"), ("INCR", "a"), ("SLOWLOG", "GET", "3")):
        other.send(*words)
    replies = [other.read() for _ in range(4)]
    assert [entry[3][0] for entry in reversed(replies[-1])] == [b"SET", b"GET", b"INCR"]


@pytest.mark.since("7.2")
def test_commands_that_wait(do: Transcript, connect: type[Connection]) -> None:
    """They are kept when they are done; the time in which they waited is not theirs."""
    other = connect()
    assert other.call("BLPOP", "l", "0.01") is None
    other.send("BLPOP", "l", "m", "0")
    assert eventually(lambda: "blocked_clients:1" in str(do("INFO", "clients")))
    do("SLOWLOG", "RESET")
    do("RPUSH", "m", "x")
    assert other.read() == [b"m", b"x"]
    assert [words for words in commands(do) if words[0] not in (b"CLIENT", b"INFO")] == [
        [b"RPUSH", b"m", b"x"],
        [b"BLPOP", b"l", b"m", b"0"],
    ]


@pytest.mark.respcache_only(reason="namespaces and the virtual clock")
class TestOfOurOwn:
    def test_namespaces_have_their_own(self, do: Transcript, connect: type[Connection]) -> None:
        other = connect()
        other.call("RESPCACHE", "NAMESPACE", "ns")
        other.call("RESPCACHE", "RESET")
        other.call("SET", "k", "of the other")
        assert [entry[3][0] for entry in other.call("SLOWLOG", "GET")] == [b"SET"]
        do("SET", "k", "mine")
        assert commands(do) == [[b"SET", b"k", b"mine"]]
        other.call("SLOWLOG", "RESET")
        assert commands(do) == [[b"SET", b"k", b"mine"]]

    def test_time_is_that_of_the_server(self, do: Transcript) -> None:
        do("RESPCACHE", "CLOCK", "SET", 1_000_000_000_000)
        do("SET", "k", "v")
        assert do("SLOWLOG", "GET", 1)[0][1] == 1_000_000_000

    def test_a_frozen_clock_does_not_stop_durations(self, do: Transcript) -> None:
        do("RESPCACHE", "CLOCK", "FREEZE")
        do("CONFIG", "SET", "slowlog-log-slower-than", 5_000)
        do("EVAL", "for i = 1, 3000000 do end", 0)
        assert b"EVAL" in [words[0] for words in commands(do)]

    def test_reset(self, do: Transcript) -> None:
        do("SET", "k", "v")
        do("RESPCACHE", "RESET")
        assert do("SLOWLOG", "LEN") == 0
        do("CONFIG", "SET", "slowlog-log-slower-than", 0)
        do("SET", "k", "v")
        assert {entry[0] for entry in do("SLOWLOG", "GET")} <= {0, 1}


def test_errors(do: Transcript) -> None:
    assert do.error("SLOWLOG", "GET", "x") == COUNT
    assert do.error("SLOWLOG", "GET", -2) == COUNT
    assert do.error("SLOWLOG", "GET", 1, 2) == SYNTAX
    assert do.error("SLOWLOG", "LEN", 1) == "ERR wrong number of arguments for 'slowlog|len' command"
    assert do.error("SLOWLOG", "NOSUCH") == "ERR unknown subcommand 'NOSUCH'. Try SLOWLOG HELP."
    assert do.error("SLOWLOG") == "ERR wrong number of arguments for 'slowlog' command"
