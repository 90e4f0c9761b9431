"""Keys as a whole, as a redis-cli session shows them."""

from __future__ import annotations

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

SYNTAX = "ERR syntax error"
INT32 = "ERR value is out of range, value must between -2147483648 and 2147483647"


def fill_one_of_each(do: Transcript) -> None:
    do("SET", "string", "x")
    do("RPUSH", "list", "a")
    do("SADD", "set", "a")
    do("ZADD", "zset", 1, "a")
    do("HSET", "hash", "f", "v")


def test_del_and_unlink(do: Transcript) -> None:
    for command in ("DEL", "UNLINK"):
        fill_one_of_each(do)
        assert do(command, "string", "list", "none", "string") == 2
        assert do(command, "set", "zset", "hash") == 3
        assert do(command, "set") == 0
        assert do("DBSIZE") == 0
        assert do.error(command) == f"ERR wrong number of arguments for '{command.lower()}' command"


def test_exists_and_touch_count_every_mention(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2)
    for command in ("EXISTS", "TOUCH"):
        assert do(command, "a") == 1
        assert do(command, "none") == 0
        assert do(command, "a", "b", "none", "a", "a") == 4
        assert do.error(command) == f"ERR wrong number of arguments for '{command.lower()}' command"


def test_type(do: Transcript) -> None:
    fill_one_of_each(do)
    for name in ("string", "list", "set", "zset", "hash"):
        assert do("TYPE", name) == name
    do("APPEND", "string", "y")
    assert do("TYPE", "string") == "string"
    assert do("TYPE", "nothing") == "none"
    assert do.error("TYPE") == "ERR wrong number of arguments for 'type' command"


def test_rename(do: Transcript) -> None:
    do("SET", "a", 1)
    assert do("RENAME", "a", "b") == "OK"
    assert do("EXISTS", "a") == 0
    assert do("GET", "b") == b"1"
    do("RPUSH", "l", *"xyz")
    assert do("RENAME", "l", "b") == "OK"
    assert do("LRANGE", "b", 0, -1) == [b"x", b"y", b"z"]
    assert do("RENAME", "b", "b") == "OK"
    assert do("LLEN", "b") == 3
    assert do.error("RENAME", "a", "b") == "ERR no such key"
    assert do.error("RENAME", "a", "a") == "ERR no such key"


def test_renamenx(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2)
    assert do("RENAMENX", "a", "b") == 0
    assert do("RENAMENX", "a", "a") == 0
    assert do("RENAMENX", "a", "c") == 1
    assert do("MGET", "a", "b", "c") == [None, b"2", b"1"]
    assert do.error("RENAMENX", "a", "b") == "ERR no such key"


def test_a_deadline_moves_with_its_key(do: Transcript) -> None:
    do("SET", "a", 1, "EX", 100)
    do("SET", "b", 2, "EX", 5000)
    do("RENAME", "a", "b")
    assert 95 <= do("TTL", "b") <= 100
    do("SET", "c", 3)
    do("RENAME", "c", "b")
    assert do("TTL", "b") == -1
    do("EXPIRE", "b", 100)
    do("COPY", "b", "d")
    assert 95 <= do("TTL", "d") <= 100
    do("COPY", "d", "a")
    do("PERSIST", "d")
    do("COPY", "d", "a", "REPLACE")
    assert do("TTL", "a") == -1
    do("EXPIRE", "a", 100)
    do("MOVE", "a", 3)
    do("SELECT", 3)
    assert 95 <= do("TTL", "a") <= 100


def test_copies_are_independent(do: Transcript) -> None:
    fill_one_of_each(do)
    do("APPEND", "string", "y")
    for name in ("string", "list", "set", "zset", "hash"):
        assert do("COPY", name, f"{name}2") == 1
        assert do("COPY", name, f"{name}2") == 0
        assert do("COPY", name, f"{name}2", "replace") == 1
    do("APPEND", "string2", "z")
    do("RPUSH", "list2", "b")
    do("SADD", "set2", "b")
    do("ZADD", "zset2", 2, "b")
    do("HSET", "hash2", "f", "w")
    assert do("GET", "string") == b"xy"
    assert do("LRANGE", "list", 0, -1) == [b"a"]
    assert do("SCARD", "set") == 1
    assert do("ZCARD", "zset") == 1
    assert do("HGET", "hash", "f") == b"v"
    assert do("GET", "string2") == b"xyz"
    assert do("SCARD", "set2") == 2
    assert do("COPY", "none", "list2", "REPLACE") == 0
    assert do("LLEN", "list2") == 2


def test_copy_to_another_database(do: Transcript) -> None:
    do("SET", "a", 1)
    assert do("COPY", "a", "a", "DB", 2) == 1
    assert do("COPY", "a", "a", "DB", 2) == 0
    assert do("COPY", "a", "b", "DB", 2) == 1
    do("SET", "a", 2)
    assert do("COPY", "a", "a", "REPLACE", "DB", 2) == 1
    assert do("EXISTS", "b") == 0
    do("SELECT", 2)
    assert do("MGET", "a", "b") == [b"2", b"1"]


def test_copy_errors(do: Transcript) -> None:
    do("SET", "a", 1)
    same = "ERR source and destination objects are the same"
    assert do.error("COPY", "a", "a") == same
    assert do.error("COPY", "none", "none", "REPLACE") == same
    assert do.error("COPY", "a", "a", "DB", 0) == same
    assert do.error("COPY", "a", "b", "DB") == SYNTAX
    assert do.error("COPY", "a", "b", "NX") == SYNTAX
    assert do.error("COPY", "a", "b", "DB", 16, "NX") == "ERR DB index is out of range"
    assert do.error("COPY", "a", "b", "DB", -1) == "ERR DB index is out of range"
    assert do.error("COPY", "a", "b", "DB", "x") == "ERR value is not an integer or out of range"
    assert do.error("COPY", "a", "b", "DB", 1 << 31) == INT32


def test_move(do: Transcript) -> None:
    fill_one_of_each(do)
    for name in ("string", "list", "set", "zset", "hash"):
        assert do("MOVE", name, 4) == 1
        assert do("MOVE", name, 4) == 0
    assert do("DBSIZE") == 0
    do("SET", "list", 1)
    assert do("MOVE", "list", 4) == 0
    assert do("GET", "list") == b"1"
    do("SELECT", 4)
    assert do("DBSIZE") == 5
    assert do("LRANGE", "list", 0, -1) == [b"a"]
    assert do.error("MOVE", "list", 4) == "ERR source and destination objects are the same"
    assert do.error("MOVE", "list", 16) == "ERR DB index is out of range"
    assert do.error("MOVE", "list", "x") == "ERR value is not an integer or out of range"
    assert do.error("MOVE", "list", 1 << 31) == INT32


def test_dbsize_and_flush(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2, "c", 3)
    do("SELECT", 1)
    do("MSET", "d", 1, "e", 2)
    assert do("DBSIZE") == 2
    assert do("FLUSHDB") == "OK"
    assert do("DBSIZE") == 0
    assert do("FLUSHDB", "async") == "OK"
    do("SELECT", 0)
    assert do("DBSIZE") == 3
    do("EXPIRE", "a", 100)
    do("SELECT", 1)
    assert do("FLUSHALL", "SYNC") == "OK"
    do("SELECT", 0)
    assert do("DBSIZE") == 0
    do("SET", "a", 1)
    assert do("TTL", "a") == -1
    for command in ("FLUSHDB", "FLUSHALL"):
        assert do.error(command, "NOW") == SYNTAX
        assert do.error(command, "SYNC", "ASYNC") == SYNTAX
    assert do("DBSIZE") == 1


def test_swapdb(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2)
    do("SELECT", 1)
    do("MSET", "a", 10)
    assert do("SWAPDB", 0, 1) == "OK"
    assert do("MGET", "a", "b") == [b"1", b"2"]
    do("SELECT", 0)
    assert do("MGET", "a", "b") == [b"10", None]
    assert do("SWAPDB", 1, 1) == "OK"
    assert do.error("SWAPDB", "x", "y") == "ERR invalid first DB index"
    assert do.error("SWAPDB", 0, 1 << 31) == "ERR invalid second DB index"
    assert do.error("SWAPDB", 0, 16) == "ERR DB index is out of range"
    assert do.error("SWAPDB", -1, 0) == "ERR DB index is out of range"


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect)
    do("SET", "a", 1)
    assert events() == [(0, "new", "a"), (0, "set", "a")]
    do("RENAME", "a", "b")
    assert events() == [(0, "new", "b"), (0, "rename_from", "a"), (0, "rename_to", "b")]
    do("COPY", "b", "c", "DB", 3)
    assert events() == [(3, "new", "c"), (3, "copy_to", "c")]
    do("COPY", "b", "c")
    do("RENAME", "b", "c")
    assert events()[2:] == [(0, "new", "c"), (0, "rename_from", "b"), (0, "rename_to", "c")]
    do("MOVE", "c", 1)
    assert events() == [(1, "new", "c"), (0, "move_from", "c"), (1, "move_to", "c")]
    do("MSET", "x", 1)
    events()
    do("DEL", "x", "y")
    assert events() == [(0, "del", "x")]
    do("SET", "x", 1)
    events()
    do("UNLINK", "x", "y")
    assert events() == [(0, "del", "x")]
    do("FLUSHALL")
    assert events() == []


@pytest.mark.parametrize(
    "change",
    [
        ("DEL", "k"),
        ("UNLINK", "k"),
        ("RENAME", "k", "other"),
        ("RENAME", "other", "k"),
        ("RENAMENX", "k", "new"),
        ("COPY", "other", "k", "REPLACE"),
        ("MOVE", "k", 5),
        ("EXPIRE", "k", 100),
        ("PEXPIREAT", "k", 1),
        ("FLUSHDB",),
        ("FLUSHALL",),
        ("SWAPDB", 0, 5),
        ("SORT", "list", "STORE", "k"),
        ("SORT", "nolist", "STORE", "k"),
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_watch_sees(do: Transcript, connect: type[Connection], change: tuple[object, ...]) -> None:
    do("MSET", "k", 1, "other", 2)
    do("RPUSH", "list", 2, 1)
    other = connect()  # type: ignore[call-arg]  # the fixture has the port already
    do("WATCH", "k")
    other.call(*change)
    do("MULTI")
    do("PING")
    assert do("EXEC") is None


@pytest.mark.parametrize(
    "no_change",
    [
        ("DEL", "none"),
        ("RENAMENX", "k", "other"),
        ("RENAME", "k", "k"),
        ("COPY", "k", "new"),
        ("COPY", "other", "k"),
        ("COPY", "other", "k", "DB", 5),
        ("MOVE", "k", 0),
        ("EXPIRE", "k", 100, "XX"),
        ("PERSIST", "k"),
        ("TOUCH", "k"),
        ("SWAPDB", 5, 6),
        ("SORT", "list"),
    ],
    ids=lambda words: " ".join(map(str, words)),
)
def test_watch_ignores(do: Transcript, connect: type[Connection], no_change: tuple[object, ...]) -> None:
    do("MSET", "k", 1, "other", 2)
    do("RPUSH", "list", 2, 1)
    other = connect()  # type: ignore[call-arg]  # as above
    do("WATCH", "k")
    other.call(*no_change)
    do("MULTI")
    do("PING")
    assert do("EXEC") == ["PONG"]
