"""Sorted sets member by member, as a redis-cli session shows them."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
NOT_A_NUMBER = "ERR resulting score is not a number (NaN)"
NOT_POSITIVE = "ERR value is out of range, must be positive"
SYNTAX = "ERR syntax error"


def members(do: Transcript, key: str) -> list[tuple[bytes, float]]:
    """All members with their scores as floats, whatever the protocol returns."""
    return [(member, float(score)) for member, score in do.pairs(do("ZRANGE", key, 0, -1, "WITHSCORES"))]


def test_add(do: Transcript) -> None:
    assert do("ZADD", "z", 1, "a", 2, "b") == 2
    assert do("ZADD", "z", 3, "a", 2, "b", 0, "c") == 1
    assert members(do, "z") == [(b"c", 0), (b"b", 2), (b"a", 3)]
    assert do("ZADD", "z", "CH", 4, "a", 2, "b", 5, "d") == 2
    assert do("TYPE", "z") == "zset"
    # If a member is given several times, the last score stays and every change counts.
    assert do("ZADD", "y", 1, "a", 2, "a", 2, "a") == 1
    assert do("ZADD", "y", "CH", 1, "b", 2, "b", 2, "b") == 2
    assert members(do, "y") == [(b"a", 2), (b"b", 2)]


def test_add_with_conditions(do: Transcript) -> None:
    do("ZADD", "z", 5, "a")
    assert do("ZADD", "z", "NX", 9, "a", 1, "new") == 1
    assert do("ZADD", "z", "XX", "CH", 6, "a", 1, "newer") == 1
    assert do("ZADD", "z", "GT", "CH", 5, "a", 2, "newest") == 1
    assert do("ZADD", "z", "gt", "ch", 7, "a", 2, "newest") == 1
    assert do("ZADD", "z", "LT", "CH", 8, "a") == 0
    assert do("ZADD", "z", "LT", "CH", 4, "a") == 1
    assert do("ZADD", "z", "GT", "XX", "CH", 5, "a", 1, "none") == 1
    assert members(do, "z") == [(b"new", 1), (b"newest", 2), (b"a", 5)]
    assert do("ZADD", "none", "XX", 1, "a") == 0
    assert do("EXISTS", "none") == 0
    # The conditions of a pair apply after the changes of the pairs before it.
    assert do("ZADD", "y", "GT", "CH", 5, "a", 3, "a", 6, "a") == 2
    assert do("ZADD", "x", "NX", "CH", 5, "a", 3, "a") == 1
    assert members(do, "y") == [(b"a", 6)]
    assert members(do, "x") == [(b"a", 5)]


def test_add_as_an_increment(do: Transcript) -> None:
    assert do("ZADD", "z", "INCR", 1.5, "a") == do.double(1.5)
    assert do("ZADD", "z", "CH", "INCR", 1, "a") == do.double(2.5)
    assert do("ZADD", "z", "NX", "INCR", 1, "a") is None
    assert do("ZADD", "z", "XX", "INCR", 1, "b") is None
    assert do("ZADD", "none", "XX", "INCR", 1, "b") is None
    assert do("ZADD", "z", "GT", "INCR", -1, "a") is None
    assert do("ZADD", "z", "GT", "INCR", 0, "a") is None
    assert do("ZADD", "z", "LT", "INCR", -1, "a") == do.double(1.5)
    assert do("ZADD", "z", "INCR", 0, "a") == do.double(1.5)
    assert do("ZADD", "z", "NX", "INCR", 3, "b") == do.double(3)


def test_add_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    do("ZADD", "z", "inf", "a")
    assert do.error("ZADD", "z", 1) == "ERR wrong number of arguments for 'zadd' command"
    assert do.error("ZADD", "z", "XX", 1) == SYNTAX
    assert do.error("ZADD", "z", "NX", "XX") == SYNTAX
    assert do.error("ZADD", "z", 1, "a", 2) == SYNTAX
    assert do.error("ZADD", "z", "NX", "XX", 1, "a") == "ERR XX and NX options at the same time are not compatible"
    together = "ERR GT, LT, and/or NX options at the same time are not compatible"
    for one, other in (("GT", "LT"), ("NX", "GT"), ("LT", "NX")):
        assert do.error("ZADD", "z", one, other, "x", "a") == together
    assert do.error("ZADD", "z", "INCR", 1, "a", 2, "b") == "ERR INCR option supports a single increment-element pair"
    # After the first score, a word is not an option.
    assert do.error("ZADD", "z", 1, "a", "NX", "b") == NOT_A_FLOAT
    for score in ("x", "", "nan", "1 ", " 1", "1e400", "(1"):
        assert do.error("ZADD", "z", 1, "b", score, "c") == NOT_A_FLOAT
    assert do.error("ZADD", "l", "x", "a") == NOT_A_FLOAT
    assert do.error("ZADD", "l", 1, "a") == WRONG_TYPE
    assert do.error("ZADD", "l", "XX", 1, "a") == WRONG_TYPE
    assert do.error("ZADD", "z", "INCR", "-inf", "a") == NOT_A_NUMBER
    assert do.error("ZADD", "z", "GT", "INCR", "-inf", "a") == NOT_A_NUMBER
    assert do("ZADD", "z", "NX", "INCR", "-inf", "a") is None
    assert members(do, "z") == [(b"a", inf)]


def test_scores(do: Transcript) -> None:
    do("ZADD", "z", 1.5, "a", "+inf", "top", "-INF", "bottom", "1e3", "k", 16, "x", "-0", "o")
    assert do("ZSCORE", "z", "a") == do.double(1.5)
    assert do("ZSCORE", "z", "k") == do.double(1000)
    assert do("ZSCORE", "z", "o") == do.double(0)
    infinite = [inf, -inf] if do.protocol == 3 else [b"inf", b"-inf"]
    assert [do("ZSCORE", "z", "top"), do("ZSCORE", "z", "bottom")] == infinite
    assert do("ZMSCORE", "z", "a", "none", "k", "a") == [do.double(1.5), None, do.double(1000), do.double(1.5)]
    assert do("ZMSCORE", "none", "a", "b") == [None, None]
    assert do("ZSCORE", "z", "none") is None
    assert do("ZSCORE", "none", "a") is None
    assert do("ZCARD", "z") == 6
    assert do("ZCARD", "none") == 0


@pytest.mark.since("7.2")
def test_the_digits_of_scores(do: Transcript) -> None:
    given = ["-17.25", "-1e-7", "5e-324", "0.0001", "0.1", "3.3333333333333335", "123456789012345678", "1e20"]
    shown = ["-17.25", "-1e-7", "5e-324", "0.0001", "0.1", "3.3333333333333335", "123456789012345680", "1e+20"]
    for number, score in enumerate(given):
        do("ZADD", "z", score, number)
    scores = [score for _, score in do.pairs(do("ZRANGE", "z", 0, -1, "WITHSCORES"))]
    assert scores == ([float(text) for text in shown] if do.protocol == 3 else [text.encode() for text in shown])


def test_minus_zero(do: Transcript) -> None:
    # A skiplist keeps it, a listpack does not.
    do("ZADD", "small", "-0", "a")
    do("ZADD", "big", "-0", "x" * 65)
    assert str(do("ZSCORE", "small", "a")) == ("0.0" if do.protocol == 3 else "b'0'")
    assert str(do("ZSCORE", "big", "x" * 65)) == ("-0.0" if do.protocol == 3 else "b'-0'")
    # Adding 0 to a member with -0 changes nothing.
    assert do("ZADD", "big", "CH", 0, "x" * 65) == 0
    assert do("ZCOUNT", "big", 0, 0) == 1


def test_score_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    assert do.error("ZSCORE", "l", "a") == WRONG_TYPE
    assert do.error("ZMSCORE", "l", "a") == WRONG_TYPE
    assert do.error("ZCARD", "l") == WRONG_TYPE
    assert do.error("ZSCORE", "l", "a", "b") == "ERR wrong number of arguments for 'zscore' command"
    assert do.error("ZMSCORE", "l") == "ERR wrong number of arguments for 'zmscore' command"
    assert do.error("ZCARD") == "ERR wrong number of arguments for 'zcard' command"


def test_increment(do: Transcript) -> None:
    assert do("ZINCRBY", "z", 2, "a") == do.double(2)
    assert do("ZINCRBY", "z", "-0.5", "a") == do.double(1.5)
    do("ZINCRBY", "z", "inf", "a")
    assert members(do, "z") == [(b"a", inf)]
    do("RPUSH", "l", "x")
    assert do.error("ZINCRBY", "z", "-inf", "a") == NOT_A_NUMBER
    assert do.error("ZINCRBY", "l", "x", "a") == NOT_A_FLOAT
    assert do.error("ZINCRBY", "l", "nan", "a") == NOT_A_FLOAT
    assert do.error("ZINCRBY", "l", 1, "a") == WRONG_TYPE
    assert do.error("ZINCRBY", "l", 1) == "ERR wrong number of arguments for 'zincrby' command"


def test_remove(do: Transcript) -> None:
    do("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert do("ZREM", "z", "a", "none", "a", "c") == 2
    assert do("ZREM", "none", "a") == 0
    assert members(do, "z") == [(b"b", 2)]
    assert do("ZREM", "z", "b", "a") == 1
    assert do("EXISTS", "z") == 0
    do("RPUSH", "l", "x")
    assert do.error("ZREM", "l", "a") == WRONG_TYPE
    assert do.error("ZREM", "l") == "ERR wrong number of arguments for 'zrem' command"


def test_rank(do: Transcript) -> None:
    do("ZADD", "z", 1, "b", 1, "a", "-inf", "c", 5, "d")
    assert [do("ZRANK", "z", member) for member in "cabd"] == [0, 1, 2, 3]
    assert [do("ZREVRANK", "z", member) for member in "cabd"] == [3, 2, 1, 0]
    assert do("ZRANK", "z", "none") is None
    assert do("ZREVRANK", "none", "a") is None
    do("RPUSH", "l", "x")
    assert do.error("ZRANK", "l", "a") == WRONG_TYPE
    assert do.error("ZREVRANK", "l") == "ERR wrong number of arguments for 'zrevrank' command"


@pytest.mark.since("7.2")
def test_rank_with_score(do: Transcript) -> None:
    do("ZADD", "z", 1.5, "a", 2, "b")
    do("RPUSH", "l", "x")
    assert do("ZRANK", "z", "a", "WITHSCORE") == [0, do.double(1.5)]
    assert do("ZREVRANK", "z", "a", "withscore") == [1, do.double(1.5)]
    assert do("ZRANK", "z", "none", "WITHSCORE") is None
    assert do("ZRANK", "none", "a", "WITHSCORE") is None
    assert do.error("ZRANK", "l", "a", "WITHSCORES") == SYNTAX
    assert do.error("ZRANK", "l", "a", "WITHSCORE") == WRONG_TYPE
    assert do.error("ZREVRANK", "z", "a", "WITHSCORE", "x") == "ERR wrong number of arguments for 'zrevrank' command"


@pytest.mark.since("7.2")
def test_which_null_a_rank_with_score_is(do: Transcript, connect: Any) -> None:
    connection: Connection = connect(protocol=do.protocol)
    connection.send("ZRANK", "none", "a", "WITHSCORE")
    assert connection._file.readline() == (b"_\r\n" if do.protocol == 3 else b"*-1\r\n")
    connection.send("ZRANK", "none", "a")
    assert connection._file.readline() == (b"_\r\n" if do.protocol == 3 else b"$-1\r\n")


def test_pop(do: Transcript) -> None:
    do("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d", 5, "e", 6, "f")
    # Without a count it is one flat pair, in RESP3 too.
    assert do("ZPOPMIN", "z") == [b"a", do.double(1)]
    assert do("ZPOPMAX", "z") == [b"f", do.double(6)]
    assert do.pairs(do("ZPOPMIN", "z", 1)) == [(b"b", do.double(2))]
    assert do.pairs(do("ZPOPMAX", "z", 2)) == [(b"e", do.double(5)), (b"d", do.double(4))]
    assert do("ZPOPMIN", "z", 0) == []
    assert do.pairs(do("ZPOPMIN", "z", 100)) == [(b"c", do.double(3))]
    assert do("EXISTS", "z") == 0
    assert do("ZPOPMIN", "z") == []
    assert do("ZPOPMAX", "z", 3) == []


def test_pop_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    for command in ("ZPOPMIN", "ZPOPMAX"):
        assert do.error(command, "l") == WRONG_TYPE
        assert do.error(command, "l", 0) == WRONG_TYPE
        assert do.error(command, "l", -1) == NOT_POSITIVE
        assert do.error(command, "l", "x") == NOT_POSITIVE
        assert do.error(command, "l", "x", "y") == SYNTAX
        assert do.error(command) == f"ERR wrong number of arguments for '{command.lower()}' command"


def test_zmpop(do: Transcript) -> None:
    do("ZADD", "y", 1, "a", 2, "b", 3, "c")
    do("ZADD", "z", 9, "z")
    # Pairs are nested in both protocols.
    assert do("ZMPOP", 3, "x", "y", "z", "MIN") == [b"y", [[b"a", do.double(1)]]]
    assert do("ZMPOP", 2, "y", "z", "max", "count", 9) == [b"y", [[b"c", do.double(3)], [b"b", do.double(2)]]]
    assert do("ZMPOP", 2, "y", "z", "MAX", "COUNT", 1) == [b"z", [[b"z", do.double(9)]]]
    assert do("ZMPOP", 2, "y", "z", "MAX") is None
    assert do("DBSIZE") == 0


def test_zmpop_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    do("ZADD", "z", 1, "a")
    for count in (0, -1, "x"):
        assert do.error("ZMPOP", count, "z", "MIN") == "ERR numkeys should be greater than 0"
        assert do.error("ZMPOP", 1, "z", "MIN", "COUNT", count) == "ERR count should be greater than 0"
    assert do.error("ZMPOP", 1, "z") == "ERR wrong number of arguments for 'zmpop' command"
    assert do.error("ZMPOP", 2, "z", "MIN") == SYNTAX
    assert do.error("ZMPOP", 1, "z", "UP") == SYNTAX
    assert do.error("ZMPOP", 1, "z", "MIN", "COUNT") == SYNTAX
    assert do.error("ZMPOP", 1, "z", "MIN", "NONSENSE", 1) == SYNTAX
    assert do.error("ZMPOP", 1, "z", "MIN", "COUNT", 1, "COUNT", 1) == SYNTAX
    assert do.error("ZMPOP", 2, "none", "l", "MIN") == WRONG_TYPE
    # Keys after the first nonempty sorted set are not checked.
    assert do("ZMPOP", 2, "z", "l", "MIN") == [b"z", [[b"a", do.double(1)]]]


def test_random_members(do: Transcript) -> None:
    scores = {b"a": 1.0, b"b": 2.0, b"c": 3.0}
    do("ZADD", "z", 1, "a", 2, "b", 3, "c")
    assert do("ZRANDMEMBER", "z") in scores
    assert set(do("ZRANDMEMBER", "z", 10)) == set(scores)
    assert len(set(do("ZRANDMEMBER", "z", 2))) == 2
    repeated = do("ZRANDMEMBER", "z", -20)
    assert len(repeated) == 20
    assert set(repeated) <= set(scores)
    for count, expected in ((10, 3), (2, 2), (1, 1), (-20, 20)):
        pairs = do.pairs(do("ZRANDMEMBER", "z", count, "WITHSCORES"))
        assert len(pairs) == expected
        assert all(scores[member] == float(score) for member, score in pairs)
    assert do("ZRANDMEMBER", "z", 0) == []
    assert do("ZRANDMEMBER", "z", 0, "WITHSCORES") == []
    assert do("ZRANDMEMBER", "none") is None
    assert do("ZRANDMEMBER", "none", 1) == []


def test_random_members_of_a_skiplist(do: Transcript) -> None:
    everything = {b"m%d" % number: float(number) for number in range(200)}
    do("ZADD", "z", *(word for member, score in everything.items() for word in (score, member)))
    for count in (1, 10, 150, 199, 200, 1000):
        pairs = do.pairs(do("ZRANDMEMBER", "z", count, "WITHSCORES"))
        assert len(pairs) == len(dict(pairs)) == min(count, 200)
        assert all(everything[member] == float(score) for member, score in pairs)


def test_random_member_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    assert do.error("ZRANDMEMBER", "l") == WRONG_TYPE
    assert do.error("ZRANDMEMBER", "l", 1) == WRONG_TYPE
    assert do.error("ZRANDMEMBER", "l", "x", "y") == NOT_AN_INTEGER
    assert do.error("ZRANDMEMBER", "l", 1, "WITHSCORE") == SYNTAX
    assert do.error("ZRANDMEMBER", "l", 1, "WITHSCORES", "x") == SYNTAX
    assert do.error("ZRANDMEMBER", "l", (1 << 63) - 1, "WITHSCORES") == "ERR value is out of range"
    limit = (1 << 63) - 1
    outside = f"ERR value is out of range, value must between -{limit} and {limit}"
    assert do.error("ZRANDMEMBER", "l", -(1 << 63)) == outside


def scan_all(do: Transcript, key: str, *options: object) -> list[bytes]:
    found: list[bytes] = []
    cursor = b"0"
    while True:
        cursor, elements = do("ZSCAN", key, cursor, *options)
        found += elements
        if cursor == b"0":
            return found


def test_scan(do: Transcript) -> None:
    do("ZADD", "z", 2, "b", 1.5, "a", "-inf", "c")
    # A listpack is returned whole and in order, and scores are bulk strings in both protocols.
    assert do("ZSCAN", "z", 0, "COUNT", 1) == [b"0", [b"c", b"-inf", b"a", b"1.5", b"b", b"2"]]
    assert do("ZSCAN", "z", 12345) == do("ZSCAN", "z", 0)
    assert do("ZSCAN", "z", 0, "MATCH", "[ab]", "COUNT", 10) == [b"0", [b"a", b"1.5", b"b", b"2"]]
    assert do("ZSCAN", "none", 0) == [b"0", []]


def test_scan_of_a_skiplist(do: Transcript) -> None:
    do("ZADD", "z", *(word for number in range(300) for word in (number / 4, f"m{number}")))
    found = scan_all(do, "z")
    scores = dict(zip(found[::2], found[1::2], strict=True))
    assert {member: float(score) for member, score in scores.items()} == {b"m%d" % i: i / 4 for i in range(300)}
    matched = scan_all(do, "z", "MATCH", "m1?", "COUNT", 30)
    assert set(matched[::2]) == {b"m%d" % number for number in range(10, 20)}
    # A skiplist keeps all digits of a score.
    do("ZADD", "z", "XX", 0.1, "m0")
    assert dict(zip(*[iter(scan_all(do, "z", "MATCH", "m0"))] * 2, strict=True)) == {b"m0": b"0.10000000000000001"}


def test_scan_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    do("ZADD", "z", 1, "a")
    assert do.error("ZSCAN", "l", "x") == "ERR invalid cursor"
    assert do.error("ZSCAN", "l", 0, "NONSENSE") == WRONG_TYPE
    assert do.error("ZSCAN", "z", 0, "MATCH") == SYNTAX
    assert do.error("ZSCAN", "z", 0, "COUNT", 0) == SYNTAX
    assert do.error("ZSCAN", "z", 0, "COUNT", "x") == NOT_AN_INTEGER
    assert do.error("ZSCAN", "z", 0, "TYPE", "zset") == SYNTAX
    assert do.error("ZSCAN", "z") == "ERR wrong number of arguments for 'zscan' command"


def test_encoding_follows_the_size(do: Transcript) -> None:
    do("ZADD", "z", *(word for number in range(128) for word in (number, number)))
    assert do("OBJECT", "ENCODING", "z") == b"listpack"
    do("ZADD", "z", 0, "one more")
    assert do("OBJECT", "ENCODING", "z") == b"skiplist"
    do("ZREM", "z", "one more")
    assert do("OBJECT", "ENCODING", "z") == b"skiplist"
    do("ZADD", "y", 0, "x" * 64)
    assert do("OBJECT", "ENCODING", "y") == b"listpack"
    do("ZADD", "y", 0, "x" * 65)
    assert do("OBJECT", "ENCODING", "y") == b"skiplist"


@pytest.mark.since("7.2")
def test_encoding_follows_the_size_expected(do: Transcript) -> None:
    do("ZADD", "z", *[1, "a"] * 128)
    assert do("OBJECT", "ENCODING", "z") == b"listpack"
    do("ZADD", "z", *[1, "a"] * 129)
    assert do("OBJECT", "ENCODING", "z") == b"skiplist"


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect)

    def names() -> list[str]:
        return [f"{event} {key}" for _, event, key in events()]

    do("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d", 5, "e", 6, "f")
    assert names() == ["new z", "zadd z"]
    do("ZADD", "z", 1, "a")
    do("ZADD", "z", "XX", 1, "none")
    do("ZINCRBY", "z", 0, "a")
    do("ZREM", "z", "none")
    do("ZPOPMIN", "z", 0)
    assert names() == []
    do("ZADD", "z", 2, "a")
    do("ZADD", "z", "INCR", 1, "a")
    do("ZINCRBY", "z", 1, "a")
    assert names() == ["zadd z", "zincr z", "zincr z"]
    do("ZREM", "z", "a", "b")
    do("ZPOPMIN", "z")
    do("ZPOPMAX", "z", 2)
    do("ZMPOP", 2, "none", "z", "MAX")
    assert names() == ["zrem z", "zpopmin z", "zpopmax z", "zpopmax z", "del z"]
    do("ZADD", "y", 1, "a")
    do("ZREM", "y", "a")
    assert names() == ["new y", "zadd y", "zrem y", "del y"]


def test_changes_keep_the_deadline(do: Transcript) -> None:
    do("ZADD", "z", 1, "a", 2, "b")
    do("EXPIRE", "z", 1000)
    do("ZADD", "z", 3, "c")
    do("ZINCRBY", "z", 1, "a")
    do("ZPOPMIN", "z")
    do("ZREM", "z", "b")
    assert do("TTL", "z") > 0


def test_a_hexadecimal_score_that_is_too_large_is_not_taken_for_infinity(do: Transcript) -> None:
    assert do.error("ZADD", "z", "0x" + "f" * 300, "m") == "ERR value is not a valid float"
    assert do("ZADD", "z", "-InF", "m", "infinity", "n") == 2
