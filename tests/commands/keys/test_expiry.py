"""Keys that expire, as a redis-cli session shows them."""

from __future__ import annotations

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

FUTURE = 4_000_000_000  # seconds since the epoch, the year 2096
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
INT64_MAX = (1 << 63) - 1
COMMANDS = ("EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT")


def test_expire_and_ttl(do: Transcript) -> None:
    do("SET", "k", 1)
    assert do("EXPIRE", "k", 100) == 1
    assert 95 <= do("TTL", "k") <= 100
    assert 95_000 <= do("PTTL", "k") <= 100_000
    assert do("PEXPIRE", "k", 50_000) == 1
    assert 45_000 <= do("PTTL", "k") <= 50_000
    assert 45 <= do("TTL", "k") <= 50
    for command in COMMANDS:
        assert do(command, "none", FUTURE) == 0


def test_absolute_times(do: Transcript) -> None:
    do("SET", "k", 1)
    assert do("EXPIREAT", "k", FUTURE) == 1
    assert do("EXPIRETIME", "k") == FUTURE
    assert do("PEXPIRETIME", "k") == FUTURE * 1000
    assert do("PEXPIREAT", "k", FUTURE * 1000 + 499) == 1
    assert do("EXPIRETIME", "k") == FUTURE
    assert do("PEXPIREAT", "k", FUTURE * 1000 + 500) == 1
    assert do("EXPIRETIME", "k") == FUTURE + 1
    assert do("PEXPIRETIME", "k") == FUTURE * 1000 + 500
    now = int(do("TIME")[0])  # the server's own time, which other tests may have shifted
    do("EXPIRE", "k", 100)
    assert now + 90 < do("EXPIRETIME", "k") < now + 110


def test_ttl_without_a_deadline_or_key(do: Transcript) -> None:
    do("SET", "k", 1)
    for command in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"):
        assert do(command, "k") == -1
        assert do(command, "none") == -2
        assert do.error(command) == f"ERR wrong number of arguments for '{command.lower()}' command"


def test_persist(do: Transcript) -> None:
    do("SET", "k", 1, "EX", 100)
    assert do("PERSIST", "k") == 1
    assert do("TTL", "k") == -1
    assert do("PERSIST", "k") == 0
    assert do("PERSIST", "none") == 0


@pytest.mark.parametrize(
    "command",
    [("EXPIRE", 0), ("EXPIRE", -1), ("PEXPIRE", 0), ("PEXPIRE", -INT64_MAX - 1), ("EXPIREAT", 1), ("PEXPIREAT", -5)],
)
def test_a_time_in_the_past_removes_the_key(do: Transcript, command: tuple[str, int]) -> None:
    do("RPUSH", "k", "a")
    name, when = command
    assert do(name, "k", when) == 1
    assert do("EXISTS", "k") == 0
    assert do("DBSIZE") == 0
    assert do(name, "k", when) == 0


def test_nx_and_xx(do: Transcript) -> None:
    do("SET", "k", 1)
    assert do("EXPIRE", "k", 100, "XX") == 0
    assert do("TTL", "k") == -1
    assert do("EXPIRE", "k", 100, "nx") == 1
    assert do("EXPIRE", "k", 200, "NX") == 0
    assert do("TTL", "k") <= 100
    assert do("EXPIRE", "k", 200, "XX") == 1
    assert do("TTL", "k") > 100
    assert do("EXPIRE", "k", -1, "NX") == 0
    assert do("EXPIRE", "k", -1, "XX", "xx") == 1
    assert do("EXISTS", "k") == 0


def test_gt_and_lt(do: Transcript) -> None:
    do("SET", "k", 1)
    assert do("EXPIREAT", "k", FUTURE, "GT") == 0  # no deadline is later than every deadline
    assert do("EXPIREAT", "k", FUTURE, "LT", "XX") == 0
    assert do("EXPIREAT", "k", FUTURE, "LT") == 1
    assert do("EXPIREAT", "k", FUTURE, "LT") == 0
    assert do("EXPIREAT", "k", FUTURE, "GT") == 0
    assert do("EXPIREAT", "k", FUTURE + 1, "LT") == 0
    assert do("EXPIREAT", "k", FUTURE + 1, "GT", "XX") == 1
    assert do("EXPIREAT", "k", FUTURE, "GT") == 0
    assert do("EXPIREAT", "k", FUTURE, "XX", "LT") == 1
    assert do("EXPIRETIME", "k") == FUTURE
    assert do("EXPIRE", "k", -1, "GT") == 0
    assert do("EXPIRE", "k", -1, "LT") == 1
    assert do("EXISTS", "k") == 0


def test_expire_errors(do: Transcript) -> None:
    do("SET", "k", 1)
    for command in COMMANDS:
        name = command.lower()
        overflow = f"ERR invalid expire time in '{name}' command"
        assert do.error(command, "k") == f"ERR wrong number of arguments for '{name}' command"
        assert do.error(command, "k", "x", "Foo") == "ERR Unsupported option Foo"
        assert do.error(command, "k", "x", "NX", "GT", "Foo") == "ERR Unsupported option Foo"
        incompatible = "options at the same time are not compatible"
        assert do.error(command, "k", "x", "NX", "GT") == f"ERR NX and XX, GT or LT {incompatible}"
        assert do.error(command, "k", "x", "NX", "XX") == f"ERR NX and XX, GT or LT {incompatible}"
        assert do.error(command, "k", "x", "LT", "GT") == f"ERR GT and LT {incompatible}"
        assert do.error(command, "none", "x") == NOT_AN_INTEGER
        assert do.error(command, "none", "1.5") == NOT_AN_INTEGER
        assert do.error(command, "none", INT64_MAX + 1) == NOT_AN_INTEGER
        if command != "PEXPIREAT":
            assert do.error(command, "none", INT64_MAX) == overflow
        if command.startswith("EXPIRE"):
            assert do.error(command, "none", INT64_MAX // 1000 + 1) == overflow
            assert do.error(command, "none", -(INT64_MAX // 1000) - 1) == overflow
    assert do("TTL", "k") == -1


def test_other_commands_and_the_deadline(do: Transcript) -> None:
    do("SET", "k", 1, "EX", 100)
    do("INCR", "k")
    do("APPEND", "k", "0")
    assert do("TTL", "k") > 0
    do("SET", "k", 1)
    assert do("TTL", "k") == -1
    do("RPUSH", "l", "a")
    do("EXPIRE", "l", 100)
    do("RPUSH", "l", "b")
    assert do("TTL", "l") > 0
    do("DEL", "l")
    do("RPUSH", "l", "a")
    assert do("TTL", "l") == -1
    do("EXPIRE", "l", 100)
    do("LPOP", "l")
    do("RPUSH", "l", "a")
    assert do("TTL", "l") == -1


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect, "EA")
    do("SET", "k", 1)
    events()
    do("EXPIRE", "k", 100)
    do("EXPIRE", "k", 100, "NX")
    assert events() == [(0, "expire", "k")]
    do("PERSIST", "k")
    do("PERSIST", "k")
    assert events() == [(0, "persist", "k")]
    do("PEXPIREAT", "k", 1)
    assert events() == [(0, "del", "k")]


@pytest.mark.respcache_only("shifts the server's clock")
def test_time_passes(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect, "EA")
    do("SET", "k", 1)
    do("PEXPIRE", "k", 10_000)
    do("RPUSH", "l", "a")
    do("PEXPIRE", "l", 60_000)
    do("SET", "s", 1)
    events()
    do.advance(5_000)
    assert 4_000 <= do("PTTL", "k") <= 5_000
    do.advance(5_001)
    assert do("GET", "k") is None
    assert events() == [(0, "expired", "k")]
    assert do("TTL", "k") == -2
    assert do("EXISTS", "k", "l") == 1
    do.advance(60_000)
    assert do("LLEN", "l") == 0
    assert do("TYPE", "l") == "none"
    assert do("KEYS", "*") == [b"s"]
    assert do("RANDOMKEY") == b"s"


@pytest.mark.respcache_only("shifts the server's clock")
def test_an_expired_key_is_missing_for_commands_that_change_keys(do: Transcript) -> None:
    for name in "abcdef":
        do("SET", name, 1, "PX", 10_000)
    do("SET", "x", 1)
    do.advance(10_001)
    assert do("DEL", "a") == 0
    assert do.error("RENAME", "b", "y") == "ERR no such key"
    assert do("RENAMENX", "x", "c") == 1
    assert do("TTL", "c") == -1
    assert do("COPY", "c", "d") == 1
    assert do("MOVE", "e", 1) == 0
    assert do("PERSIST", "f") == 0
    assert do("EXPIRE", "f", 100) == 0


@pytest.mark.respcache_only("shifts the server's clock")
def test_watching_a_key_that_expires(do: Transcript) -> None:
    do("SET", "k", 1, "PX", 10_000)
    do("WATCH", "k")
    do.advance(10_001)
    do("MULTI")
    do("PING")
    assert do("EXEC") is None

    do("SET", "k", 1, "PX", 10_000)
    do.advance(10_001)
    do("WATCH", "k")  # expired already: its removal is not a change
    do("GET", "k")
    do("MULTI")
    do("PING")
    assert do("EXEC") == ["PONG"]
