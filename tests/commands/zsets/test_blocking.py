"""Sorted sets that clients wait for, as redis-cli sessions show it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript

Block = Callable[..., Connection]

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NOT_A_FLOAT = "ERR timeout is not a float or out of range"
NEGATIVE = "ERR timeout is negative"


def test_nothing_to_wait_for(do: Transcript) -> None:
    do("ZADD", "z", 1, "a", 1.5, "b", 2, "c", 3, "d", 4, "e", 5, "f")
    assert do("BZPOPMIN", "z", 0) == [b"z", b"a", do.double(1)]
    assert do("BZPOPMAX", "none", "z", 0) == [b"z", b"f", do.double(5)]
    assert do("BZMPOP", 0, 2, "none", "z", "MIN") == [b"z", [[b"b", do.double(1.5)]]]
    assert do("BZMPOP", 0, 1, "z", "MAX", "COUNT", 2) == [b"z", [[b"e", do.double(4)], [b"d", do.double(3)]]]
    assert do("BZMPOP", 0, 1, "z", "MAX", "COUNT", 9) == [b"z", [[b"c", do.double(2)]]]
    assert do("EXISTS", "z") == 0


def test_waiting(do: Transcript, block: Block) -> None:
    lowest, highest = block("BZPOPMIN", "y", "z", 0), block("BZPOPMAX", "z", 0)
    assert do("ZADD", "z", 1, "a", 2, "b", 3, "c") == 3
    assert lowest.read() == [b"z", b"a", do.double(1)]
    assert highest.read() == [b"z", b"c", do.double(3)]
    assert do("ZRANGE", "z", 0, -1) == [b"b"]


def test_bzmpop(do: Transcript, block: Block) -> None:
    waiter = block("BZMPOP", 0, 2, "y", "z", "MAX", "COUNT", 2)
    do("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert waiter.read() == [b"z", [[b"c", do.double(3)], [b"b", do.double(2)]]]
    assert do("ZRANGE", "z", 0, -1) == [b"a"]


def test_lists_and_sorted_sets(do: Transcript, block: Block) -> None:
    """Clients may wait for different types of one key; each gets its own."""
    for_list = block("BLPOP", "k", 0)
    for_zset = block("BZPOPMIN", "k", 0)
    do("ZADD", "k", 1, "m")
    assert for_zset.read() == [b"k", b"m", do.double(1)]
    do("RPUSH", "k", "x")
    assert for_list.read() == [b"k", b"x"]


def test_keys_that_come_by_other_commands(do: Transcript, block: Block) -> None:
    for bring in (
        ("ZUNIONSTORE", "{k}", 1, "z"),
        ("ZINTERSTORE", "{k}", 1, "z"),
        ("ZRANGESTORE", "{k}", "z", 0, -1),
        ("COPY", "z", "{k}"),
        ("ZINCRBY", "{k}", 1, "m"),
        ("RENAME", "z", "{k}"),
    ):
        do("ZADD", "z", 1, "m")
        waiter = block("BZPOPMAX", "{k}", 0)
        do(*bring)
        assert waiter.read() == [b"{k}", b"m", do.double(1)], bring
        assert do("EXISTS", "{k}") == 0


def test_overwritten_is_not_created(do: Transcript, block: Block) -> None:
    """As in Redis: a result that is stored over another value serves nobody."""
    waiter = block("BZPOPMIN", "k", 0)
    do("SET", "k", "x")
    do("ZADD", "z", 1, "m")
    do("ZUNIONSTORE", "k", 1, "z")
    assert do("ZCARD", "k") == 1
    do("DEL", "k")
    do("ZADD", "k", 2, "n")
    assert waiter.read() == [b"k", b"n", do.double(2)]


def test_time_is_up(do: Transcript) -> None:
    do.connection.null_array = "no array"
    nothing = None if do.protocol == 3 else "no array"
    assert do("BZPOPMIN", "y", "z", "0.001") == nothing
    assert do("BZPOPMAX", "z", "0.001") == nothing
    assert do("BZMPOP", "0.001", 2, "y", "z", "MIN") == nothing
    assert do.transaction(("BZPOPMIN", "z", 0), ("BZMPOP", 0, 1, "z", "MIN")) == [nothing, nothing]


def test_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    for name in ("BZPOPMIN", "BZPOPMAX"):
        assert do.error(name, "s") == f"ERR wrong number of arguments for '{name.lower()}' command"
        assert do.error(name, "s", "abc") == NOT_A_FLOAT
        assert do.error(name, "s", "-1") == NEGATIVE
        assert do.error(name, "none", "s", 0) == WRONG_TYPE
    assert do.error("BZMPOP", "abc", 0, "s", "MIN") == "ERR numkeys should be greater than 0"
    assert do.error("BZMPOP", "abc", 2, "s", "MIN") == SYNTAX
    assert do.error("BZMPOP", "abc", 1, "s", "UP") == SYNTAX
    assert do.error("BZMPOP", "abc", 1, "s", "MIN", "COUNT", 0) == "ERR count should be greater than 0"
    assert do.error("BZMPOP", "abc", 1, "s", "MIN", "COUNT", 1, "COUNT", 1) == SYNTAX
    assert do.error("BZMPOP", "abc", 1, "s", "MIN") == NOT_A_FLOAT
    assert do.error("BZMPOP", 1, 1, "s", "MIN") == WRONG_TYPE


@pytest.mark.since("7.2")
def test_timeouts_that_are_too_long(do: Transcript) -> None:
    assert do.error("BZPOPMIN", "z", "1e30") == "ERR timeout is out of range"
