"""Lists that clients wait for, as redis-cli sessions show it."""

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
OUT_OF_RANGE = "ERR timeout is out of range"
NUMKEYS = "ERR numkeys should be greater than 0"


def test_nothing_to_wait_for(do: Transcript) -> None:
    do("RPUSH", "l", *"abcdefg")
    assert do("BLPOP", "l", 0) == [b"l", b"a"]
    assert do("BRPOP", "none", "l", 0) == [b"l", b"g"]
    assert do("BLMPOP", 0, 2, "none", "l", "LEFT") == [b"l", [b"b"]]
    assert do("BLMPOP", 0, 1, "l", "RIGHT", "COUNT", 2) == [b"l", [b"f", b"e"]]
    assert do("BLMOVE", "l", "other", "RIGHT", "LEFT", 0) == b"d"
    assert do("BRPOPLPUSH", "l", "other", 0) == b"c"
    assert do("LRANGE", "other", 0, -1) == [b"c", b"d"]
    assert do("EXISTS", "l") == 0
    assert do("BLMOVE", "other", "other", "LEFT", "RIGHT", 0) == b"c"
    assert do("LRANGE", "other", 0, -1) == [b"d", b"c"]


def test_the_first_key_that_has_something(do: Transcript) -> None:
    do("RPUSH", "b", "1")
    do("RPUSH", "a", "2")
    assert do("BLPOP", "a", "b", 0) == [b"a", b"2"]
    assert do("BLPOP", "a", "b", 0) == [b"b", b"1"]


def test_blpop(do: Transcript, block: Block) -> None:
    first, second = block("BLPOP", "l", 0), block("BRPOP", "l", 0)
    assert do("RPUSH", "l", "a", "b", "c") == 3
    assert first.read() == [b"l", b"a"]
    assert second.read() == [b"l", b"c"]
    assert do("LRANGE", "l", 0, -1) == [b"b"]


def test_blpop_of_several_keys(do: Transcript, block: Block) -> None:
    waiter = block("BLPOP", "a", "b", "c", "b", 0)
    do("RPUSH", "b", "x")
    assert waiter.read() == [b"b", b"x"]
    do("RPUSH", "a", "y")
    assert do("LLEN", "a") == 1
    block("BLPOP", "b", 0, on=waiter)
    do("RPUSH", "b", "z")
    assert waiter.read() == [b"b", b"z"]


def test_blmpop(do: Transcript, block: Block) -> None:
    waiter = block("BLMPOP", 0, 2, "a", "b", "RIGHT", "COUNT", 10)
    do("RPUSH", "a", *"123")
    assert waiter.read() == [b"a", [b"3", b"2", b"1"]]
    assert do("EXISTS", "a") == 0


def test_blmove(do: Transcript, block: Block) -> None:
    waiter = block("BLMOVE", "from", "to", "LEFT", "RIGHT", 0)
    do("RPUSH", "to", "x")
    do("RPUSH", "from", "1", "2")
    assert waiter.read() == b"1"
    assert do("LRANGE", "to", 0, -1) == [b"x", b"1"]
    assert do("LRANGE", "from", 0, -1) == [b"2"]
    block("BRPOPLPUSH", "other", "to", 0, on=waiter)
    do("RPUSH", "other", "3")
    assert waiter.read() == b"3"
    assert do("LRANGE", "to", 0, -1) == [b"3", b"x", b"1"]


def test_a_list_that_comes_back_to_itself(do: Transcript, block: Block) -> None:
    waiter = block("BLMOVE", "l", "l", "LEFT", "RIGHT", 0)
    do("RPUSH", "l", "1", "2")
    assert waiter.read() == b"1"
    assert do("LRANGE", "l", 0, -1) == [b"2", b"1"]


def test_blmove_to_what_is_no_list(do: Transcript, block: Block) -> None:
    waiter = block("BLMOVE", "from", "to", "LEFT", "RIGHT", 0)
    next_one = block("BLPOP", "from", 0)
    do("SET", "to", "x")
    do("RPUSH", "from", "1")
    assert str(waiter.read()) == WRONG_TYPE
    assert next_one.read() == [b"from", b"1"]


def test_chains(do: Transcript, block: Block) -> None:
    """What one client is served with is what the next one waits for."""
    first = block("BLMOVE", "a", "b", "LEFT", "LEFT", 0)
    second = block("BLMOVE", "b", "c", "LEFT", "LEFT", 0)
    third = block("BLPOP", "c", 0)
    do("RPUSH", "a", "x")
    assert (first.read(), second.read(), third.read()) == (b"x", b"x", [b"c", b"x"])
    assert do("DBSIZE") == 0


def test_a_ring(do: Transcript, block: Block) -> None:
    first = block("BLMOVE", "a", "b", "LEFT", "LEFT", 0)
    second = block("BLMOVE", "b", "a", "LEFT", "LEFT", 0)
    do("RPUSH", "a", "x")
    assert (first.read(), second.read()) == (b"x", b"x")
    assert do("LRANGE", "a", 0, -1) == [b"x"]


def test_time_is_up(do: Transcript) -> None:
    do.connection.null_array = "no array"
    nothing = None if do.protocol == 3 else "no array"
    assert do("BLPOP", "l", "0.001") == nothing
    assert do("BRPOP", "l", "k", "0.001") == nothing
    assert do("BLMPOP", "0.001", 2, "l", "k", "LEFT") == nothing
    assert do("BLMOVE", "l", "k", "LEFT", "LEFT", "0.001") == nothing
    assert do("BRPOPLPUSH", "l", "k", "0.001") == nothing


@pytest.mark.respcache_only(reason="lets time pass")
def test_time_passes(do: Transcript, block: Block) -> None:
    first, second = block("BLPOP", "l", "1.5"), block("BLPOP", "l", 2)
    do.advance(1499)
    do("PING")
    do.advance(2)
    assert first.read() is None
    do("RPUSH", "l", "a")
    assert second.read() == [b"l", b"a"]
    block("BLPOP", "l", 1, on=first)
    do.advance(1000)
    do("RPUSH", "l", "b")
    assert first.read() is None
    assert do("LLEN", "l") == 1


def test_nobody_waits_in_a_transaction(do: Transcript) -> None:
    do.connection.null_array = "no array"
    nothing = None if do.protocol == 3 else "no array"
    replies = do.transaction(
        ("BLPOP", "a", "b", 0),
        ("BLMPOP", 0, 1, "a", "LEFT"),
        ("BLMOVE", "a", "b", "LEFT", "LEFT", 0),
        ("BRPOPLPUSH", "a", "b", 0),
        ("RPUSH", "a", "x"),
        ("BRPOP", "b", "a", 0),
    )
    # The one difference to a timeout: a move says that there is no element.
    assert replies == [nothing, nothing, None, None, 1, [b"a", b"x"]]


def test_another_type(do: Transcript, block: Block) -> None:
    """Who waits for a list goes on waiting while the key holds something else."""
    waiter = block("BLPOP", "k", 0)
    do("ZADD", "k", 1, "m")
    do("SET", "k", "x")
    do("DEL", "k")
    do("RPUSH", "k", "y")
    assert waiter.read() == [b"k", b"y"]


@pytest.mark.since("7.2")
def test_another_type_of_another_key(do: Transcript, block: Block) -> None:
    """The words are run again as they are: a key before the one that is ready may be wrong by now."""
    waiter = block("BLPOP", "a", "b", 0)
    do("SET", "a", "x")
    do("RPUSH", "b", "y")
    assert str(waiter.read()) == WRONG_TYPE
    assert do("LRANGE", "b", 0, -1) == [b"y"]


def test_keys_that_come_by_other_commands(do: Transcript, block: Block) -> None:
    do("RPUSH", "l", "2", "1")
    for bring in (
        ("COPY", "l", "{k}"),
        ("SORT", "l", "STORE", "{k}"),
        ("RENAME", "l", "{k}"),
        ("LMOVE", "{k}2", "{k}", "LEFT", "LEFT"),
        ("LPUSH", "{k}", "2"),
    ):
        do("RPUSH", "{k}2", "2")
        waiter = block("BLPOP", "{k}", 0)
        do(*bring)
        reply = waiter.read()
        assert reply in ([b"{k}", b"2"], [b"{k}", b"1"]), bring
        do("DEL", "{k}")


def test_keys_that_come_by_a_database(do: Transcript, block: Block) -> None:
    """Clients wait in a database by its number."""
    do("SELECT", 9)
    do("RPUSH", "l", "1")
    do("RPUSH", "m", "2")
    waiters = [block("BLPOP", key, 0) for key in "lm"]
    assert do("MOVE", "m", 0) == 1
    assert waiters[1].read() == [b"m", b"2"]
    do("SWAPDB", 0, 9)
    assert waiters[0].read() == [b"l", b"1"]
    assert do("EXISTS", "l") == 0


def test_overwritten_is_not_created(do: Transcript, block: Block) -> None:
    """As in Redis: SORT ... STORE over another value serves nobody; the next time the key comes into being does."""
    waiter = block("BLPOP", "k", 0)
    do("SET", "k", "x")
    do("RPUSH", "l", "1")
    do("SORT", "l", "STORE", "k")
    do("RPUSH", "k", "2")
    assert do("LRANGE", "k", 0, -1) == [b"1", b"2"]
    do("RENAME", "l", "k")
    assert waiter.read() == [b"k", b"1"]


def test_a_transaction_is_one_unit(do: Transcript, block: Block) -> None:
    """What is pushed and taken back within it was never there; what is left at its end is what clients get."""
    waiter = block("BLPOP", "k", 0)
    do.transaction(("RPUSH", "k", "1"), ("DEL", "k"))
    do.transaction(("RPUSH", "k", "1"), ("RPUSH", "k", "2"), ("LPOP", "k"))
    assert waiter.read() == [b"k", b"2"]
    waiter = block("BLPOP", "k", 0)
    do.transaction(("RPUSH", "k", "1"), ("DEL", "k"), ("ZADD", "k", 1, "m"), ("DEL", "k"), ("RPUSH", "k", "3"))
    assert waiter.read() == [b"k", b"3"]


def test_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    for name in ("BLPOP", "BRPOP"):
        assert do.error(name, "s") == f"ERR wrong number of arguments for '{name.lower()}' command"
        assert do.error(name, "s", "abc") == NOT_A_FLOAT
        assert do.error(name, "s", "-1") == NEGATIVE
        assert do.error(name, "none", "s", 0) == WRONG_TYPE
    assert do.error("BLMOVE", "s", "l", "UP", "LEFT", "abc") == SYNTAX
    assert do.error("BLMOVE", "s", "l", "RIGHT", "UP", "abc") == SYNTAX
    assert do.error("BLMOVE", "s", "l", "RIGHT", "LEFT", "abc") == NOT_A_FLOAT
    assert do.error("BLMOVE", "s", "l", "RIGHT", "LEFT", 0) == WRONG_TYPE
    assert do.error("BRPOPLPUSH", "s", "l", "-0.1") == NEGATIVE
    assert do.error("BRPOPLPUSH", "s", "l", "0.1") == WRONG_TYPE
    do("RPUSH", "l", "x")
    assert do.error("BRPOPLPUSH", "l", "s", 0) == WRONG_TYPE
    assert do.error("BLMPOP", "abc", 0, "s", "LEFT") == NUMKEYS
    assert do.error("BLMPOP", "abc", 2, "s", "LEFT") == SYNTAX
    assert do.error("BLMPOP", "abc", 1, "s", "UP") == SYNTAX
    assert do.error("BLMPOP", "abc", 1, "s", "LEFT", "COUNT") == SYNTAX
    assert do.error("BLMPOP", "abc", 1, "s", "LEFT", "COUNT", 0) == "ERR count should be greater than 0"
    assert do.error("BLMPOP", "abc", 1, "s", "LEFT", "COUNT", 1, "COUNT", 1) == SYNTAX
    assert do.error("BLMPOP", "abc", 1, "s", "LEFT") == NOT_A_FLOAT
    assert do.error("BLMPOP", -1, 1, "s", "LEFT") == NEGATIVE
    assert do.error("BLMPOP", 1, 1, "s", "LEFT") == WRONG_TYPE


@pytest.mark.since("7.2")
def test_timeouts_that_are_too_long(do: Transcript) -> None:
    assert do.error("BLPOP", "l", "9223372036854776") == OUT_OF_RANGE
    assert do.error("BLMOVE", "l", "k", "LEFT", "LEFT", "inf") == OUT_OF_RANGE
    assert do.error("BLMPOP", "1e30", 1, "l", "LEFT") == OUT_OF_RANGE
