"""Ranges of sorted sets, as a redis-cli session shows them."""

from __future__ import annotations

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR min or max is not a float"
NOT_A_STRING = "ERR min or max not valid string range item"
SYNTAX = "ERR syntax error"
ONLY_BY = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
NO_SCORES = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"

READING = ("ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZRANGEBYLEX", "ZREVRANGEBYLEX", "ZRANGE", "ZREVRANGE")


@pytest.fixture(params=["listpack", "skiplist"])
def numbers(request: pytest.FixtureRequest, do: Transcript) -> str:
    """A sorted set of a to e with scores 1 to 5, in either encoding."""
    do("ZADD", "z", 1, "a", 2, "b", 3, "c", 4, "d", 5, "e")
    if request.param == "skiplist":
        do("ZADD", "z", 6, "x" * 100)
        do("ZREM", "z", "x" * 100)
    assert do("OBJECT", "ENCODING", "z") == request.param.encode()
    return "z"


@pytest.fixture(params=["listpack", "skiplist"])
def names(request: pytest.FixtureRequest, do: Transcript) -> str:
    """A sorted set of a to e with the same score, in either encoding."""
    do("ZADD", "z", *(word for name in "caebd" for word in (7, name)))
    if request.param == "skiplist":
        do("ZADD", "z", 7, "x" * 100)
        do("ZREM", "z", "x" * 100)
    return "z"


def text(reply: list[bytes]) -> str:
    """Members of one letter, joined into one word."""
    return b"".join(reply).decode()


def test_by_rank(do: Transcript, numbers: str) -> None:
    for first, last, found in (
        (0, -1, "abcde"), (1, 2, "bc"), (-2, -1, "de"), (3, 1, ""), (5, 9, ""), (-100, 0, "a"), (4, 100, "e"),
        (-1, -2, ""), (-100, -90, ""), (2, 2, "c"),
    ):  # fmt: skip
        assert text(do("ZRANGE", numbers, first, last)) == found
    assert text(do("ZRANGE", numbers, 0, 1, "REV")) == "ed"
    assert text(do("ZREVRANGE", numbers, 0, 1)) == "ed"
    assert text(do("ZREVRANGE", numbers, -2, -1)) == "ba"
    assert text(do("ZREVRANGE", numbers, 3, 1)) == ""
    assert do("ZRANGE", "none", 0, -1) == []
    expected = [(b"e", do.double(5)), (b"d", do.double(4))]
    assert do.pairs(do("ZRANGE", numbers, 0, 1, "withscores", "rev")) == expected
    assert do.pairs(do("ZREVRANGE", numbers, 0, 1, "WITHSCORES")) == expected
    # A count of -1 means no limit, so LIMIT is allowed here.
    assert text(do("ZRANGE", numbers, 0, 2, "LIMIT", 1, -1)) == "abc"


def test_by_score(do: Transcript, numbers: str) -> None:
    for low, high, found in (
        ("-inf", "+inf", "abcde"), (2, 4, "bcd"), ("(2", 4, "cd"), (2, "(4", "bc"), ("(2", "(3", ""), (4, 2, ""),
        ("1.5", "3.5", "bc"), (6, 9, ""), (-9, 0, ""), (3, 3, "c"), ("(3", 3, ""), ("(-inf", "(inf", "abcde"),
        ("inf", "-inf", ""), ("(5", "inf", ""), ("2e0", "4.0", "bcd"), (4, "1e999", "de"),
    ):  # fmt: skip
        assert text(do("ZRANGEBYSCORE", numbers, low, high)) == found
        assert text(do("ZRANGE", numbers, low, high, "BYSCORE")) == found
        assert text(do("ZREVRANGEBYSCORE", numbers, high, low)) == found[::-1]
        assert text(do("ZRANGE", numbers, high, low, "BYSCORE", "REV")) == found[::-1]
        assert do("ZCOUNT", numbers, low, high) == len(found)
    scores = [(b"b", do.double(2)), (b"c", do.double(3))]
    assert do.pairs(do("ZRANGEBYSCORE", numbers, 2, 3, "WITHSCORES")) == scores
    assert do.pairs(do("ZREVRANGEBYSCORE", numbers, 3, 2, "WITHSCORES")) == scores[::-1]
    assert do.pairs(do("ZRANGE", numbers, 2, 3, "WITHSCORES", "BYSCORE")) == scores
    assert do("ZRANGEBYSCORE", "none", 1, 2) == []
    assert do("ZCOUNT", "none", 1, 2) == 0


def test_a_part_of_a_range_by_score(do: Transcript, numbers: str) -> None:
    for offset, count, found in ((0, 2, "bc"), (1, 2, "cd"), (1, -1, "cde"), (1, -7, "cde"), (4, 1, ""), (0, 0, "")):
        assert text(do("ZRANGEBYSCORE", numbers, 2, 9, "LIMIT", offset, count)) == found
        assert text(do("ZRANGE", numbers, 2, 9, "limit", offset, count, "byscore")) == found
    for offset, count, found in ((0, 2, "dc"), (1, 2, "cb"), (1, -1, "cba"), (4, 1, ""), (0, 0, "")):
        assert text(do("ZREVRANGEBYSCORE", numbers, 4, 1, "LIMIT", offset, count)) == found
        assert text(do("ZRANGE", numbers, 4, 1, "BYSCORE", "LIMIT", offset, count, "REV")) == found
    found_with_score = do.pairs(do("ZRANGEBYSCORE", numbers, 2, 9, "LIMIT", 1, 1, "WITHSCORES"))
    assert found_with_score == [(b"c", do.double(3))]
    # The last LIMIT counts.
    assert text(do("ZRANGEBYSCORE", numbers, 2, 9, "LIMIT", 1, 1, "LIMIT", 0, 1)) == "b"


def test_by_name(do: Transcript, names: str) -> None:
    for low, high, found in (
        ("-", "+", "abcde"), ("[b", "[d", "bcd"), ("(b", "[d", "cd"), ("[b", "(d", "bc"), ("[bb", "+", "cde"),
        ("-", "(b", "a"), ("+", "-", ""), ("[d", "[b", ""), ("[c", "[c", "c"), ("[", "[a", "a"), ("(e", "+", ""),
        ("-", "-", ""), ("+", "+", ""),
    ):  # fmt: skip
        assert text(do("ZRANGEBYLEX", names, low, high)) == found
        assert text(do("ZRANGE", names, low, high, "BYLEX")) == found
        assert text(do("ZREVRANGEBYLEX", names, high, low)) == found[::-1]
        assert text(do("ZRANGE", names, high, low, "REV", "BYLEX")) == found[::-1]
        assert do("ZLEXCOUNT", names, low, high) == len(found)
    assert text(do("ZRANGEBYLEX", names, "-", "+", "LIMIT", 1, 2)) == "bc"
    assert text(do("ZREVRANGEBYLEX", names, "+", "-", "LIMIT", 1, 2)) == "dc"
    assert text(do("ZRANGE", names, "(a", "+", "BYLEX", "LIMIT", 1, -1)) == "cde"
    assert do("ZRANGEBYLEX", "none", "-", "+") == []
    assert do("ZLEXCOUNT", "none", "-", "+") == 0


def test_names_are_compared_byte_by_byte(do: Transcript) -> None:
    do("ZADD", "z", *(word for name in (b"\xff", b"\x00", b"B", b"a", b"", b"10", b"9") for word in (0, name)))
    assert do("ZRANGE", "z", 0, -1) == [b"", b"\x00", b"10", b"9", b"B", b"a", b"\xff"]
    assert do("ZRANGEBYLEX", "z", "-", "(B") == [b"", b"\x00", b"10", b"9"]
    assert do("ZRANGEBYLEX", "z", b"[\x00", "[9") == [b"\x00", b"10", b"9"]


@pytest.mark.parametrize("command", READING)
def test_reading_errors(do: Transcript, command: str) -> None:
    do("RPUSH", "l", "x")
    good, bad, complaint = (1, 2), ("x", "y"), NOT_A_FLOAT
    if "LEX" in command:
        good, bad, complaint = ("-", "+"), ("a", "b"), NOT_A_STRING  # type: ignore[assignment]  # all are words
    elif "SCORE" not in command:
        complaint = NOT_AN_INTEGER
    assert do.error(command, "l", *good) == WRONG_TYPE
    assert do.error(command, "l", *bad) == complaint
    assert do.error(command, "l", good[0], bad[1]) == complaint
    assert do.error(command, "none", *bad) == complaint
    assert do.error(command, "l", *bad, "NONSENSE") == SYNTAX
    assert do.error(command, "l", *bad, "LIMIT", 1) == SYNTAX
    assert do.error(command, "l", *bad, "LIMIT", "x", 1) == NOT_AN_INTEGER
    assert do.error(command, "l", *bad, "LIMIT", 1, "x") == NOT_AN_INTEGER
    assert do.error(command, "l", 1) == f"ERR wrong number of arguments for '{command.lower()}' command"
    if command != "ZRANGE":
        assert do.error(command, "l", *good, "REV") == SYNTAX
        assert do.error(command, "l", *good, "BYLEX") == SYNTAX
    if "LEX" in command:
        assert do.error(command, "l", *bad, "WITHSCORES") == NO_SCORES
    if "BY" not in command:
        assert do.error(command, "l", *bad, "LIMIT", 0, 1) == ONLY_BY


def test_errors_of_the_ends(do: Transcript) -> None:
    for low, high in (("nan", 1), (1, "nan"), ("((1", 2), (1, "2)"), ("1 ", 2), ("[1", 2), ("-", "+")):
        assert do.error("ZRANGE", "none", low, high, "BYSCORE") == NOT_A_FLOAT
        assert do.error("ZCOUNT", "none", low, high) == NOT_A_FLOAT
    for low, high in (("a", "[b"), ("[a", "b"), ("-a", "+"), ("-", "+b"), ("", "+"), ("-inf", "+inf"), (1, 2)):
        assert do.error("ZRANGE", "none", low, high, "BYLEX") == NOT_A_STRING
        assert do.error("ZLEXCOUNT", "none", low, high) == NOT_A_STRING
    for first, last in (("x", 1), (1, "1.0"), (1 << 63, 1), ("", 1)):
        assert do.error("ZRANGE", "none", first, last) == NOT_AN_INTEGER
        assert do.error("ZREMRANGEBYRANK", "none", first, last) == NOT_AN_INTEGER


def test_options_that_exclude_each_other(do: Transcript) -> None:
    assert do.error("ZRANGE", "none", 0, 1, "BYLEX", "BYSCORE") == SYNTAX
    assert do.error("ZRANGE", "none", 0, 1, "BYSCORE", "BYSCORE") == SYNTAX
    assert do.error("ZRANGE", "none", 0, 1, "REV", "REV") == SYNTAX
    assert do.error("ZRANGE", "none", "-", "+", "BYLEX", "WITHSCORES") == NO_SCORES
    assert do.error("ZRANGE", "none", "x", "y", "LIMIT", 0, 1, "REV") == ONLY_BY
    assert do("ZRANGE", "none", 0, 1, "WITHSCORES", "WITHSCORES") == []


def test_store(do: Transcript, numbers: str) -> None:
    def stored(*range_and_options: object) -> str:
        count = do("ZRANGESTORE", "to", numbers, *range_and_options)
        found = do("ZRANGE", "to", 0, -1)
        assert len(found) == count
        return text(found)

    assert stored(0, -1) == "abcde"
    assert stored(1, 2) == "bc"
    # REV affects the choice of members, not the order of the stored set.
    assert stored(0, 1, "REV") == "de"
    assert stored("(2", "+inf", "BYSCORE") == "cde"
    assert stored("+inf", "(2", "BYSCORE", "REV", "LIMIT", 0, 2) == "de"
    assert stored("[b", "(d", "BYLEX") == "bc"
    assert do.pairs(do("ZRANGE", "to", 0, -1, "WITHSCORES")) == [(b"b", do.double(2)), (b"c", do.double(3))]
    # An empty result removes the destination; any other result replaces it, and its deadline.
    assert stored(9, 10) == ""
    assert do("EXISTS", "to") == 0
    do("RPUSH", "to", "x")
    do("EXPIRE", "to", 1000)
    assert stored(0, 0) == "a"
    assert do("TTL", "to") == -1
    assert do("ZRANGESTORE", "to", "none", 0, -1) == 0
    assert do("EXISTS", "to") == 0
    assert do("ZRANGESTORE", numbers, numbers, 1, -2) == 3
    assert text(do("ZRANGE", numbers, 0, -1)) == "bcd"


def test_a_stored_range_of_ranks_is_compact(do: Transcript, numbers: str) -> None:
    do("ZRANGESTORE", "to", numbers, 0, -1)
    assert do("OBJECT", "ENCODING", "to") == b"listpack"
    do("ZADD", "large", *(word for number in range(129) for word in (number, f"m{number}")))
    do("ZRANGESTORE", "to", "large", 0, 127)
    assert do("OBJECT", "ENCODING", "to") == b"listpack"
    do("ZRANGESTORE", "to", "large", 0, 128)
    assert do("OBJECT", "ENCODING", "to") == b"skiplist"


@pytest.mark.respcache_only(reason="7.2 does so; 7.0 and 8 make a listpack where it fits")
def test_other_stored_ranges_are_skiplists(do: Transcript, numbers: str) -> None:
    for low, high, by in (("-inf", "+inf", "BYSCORE"), ("-", "+", "BYLEX")):
        do("ZRANGESTORE", "to", numbers, low, high, by)
        assert do("OBJECT", "ENCODING", "to") == b"skiplist"
        assert do("ZCARD", "to") == do("ZCARD", numbers)


def test_store_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    do("ZADD", "z", 1, "a")
    assert do.error("ZRANGESTORE", "z", "l", 0, -1) == WRONG_TYPE
    assert do.error("ZRANGESTORE", "z", "l", 0, -1, "WITHSCORES") == SYNTAX
    assert do.error("ZRANGESTORE", "z", "l", 0, "x") == NOT_AN_INTEGER
    assert do.error("ZRANGESTORE", "z", "l", 0, "x", "BYSCORE") == NOT_A_FLOAT
    assert do.error("ZRANGESTORE", "z", "l", 0, "x", "BYLEX") == NOT_A_STRING
    assert do.error("ZRANGESTORE", "z", "l", 0, "x", "LIMIT", 0, 1) == ONLY_BY
    assert do.error("ZRANGESTORE", "z", "l", 0) == "ERR wrong number of arguments for 'zrangestore' command"
    assert do("ZCARD", "z") == 1


def test_count_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    assert do.error("ZCOUNT", "l", 1, 2) == WRONG_TYPE
    assert do.error("ZCOUNT", "l", 1, "x") == NOT_A_FLOAT
    assert do.error("ZCOUNT", "l", 1) == "ERR wrong number of arguments for 'zcount' command"
    assert do.error("ZLEXCOUNT", "l", "-", "+") == WRONG_TYPE
    assert do.error("ZLEXCOUNT", "l", "-", "x") == NOT_A_STRING
    assert do.error("ZLEXCOUNT", "l", "-", "+", 1) == "ERR wrong number of arguments for 'zlexcount' command"


def test_remove_by_rank(do: Transcript, numbers: str) -> None:
    assert do("ZREMRANGEBYRANK", numbers, 5, 9) == 0
    assert do("ZREMRANGEBYRANK", numbers, 2, 1) == 0
    assert do("ZREMRANGEBYRANK", numbers, 1, 2) == 2
    assert text(do("ZRANGE", numbers, 0, -1)) == "ade"
    assert do("ZREMRANGEBYRANK", numbers, -1, -1) == 1
    assert do("ZREMRANGEBYRANK", numbers, -100, 100) == 2
    assert do("EXISTS", numbers) == 0
    assert do("ZREMRANGEBYRANK", numbers, 0, 1) == 0


def test_remove_by_score(do: Transcript, numbers: str) -> None:
    assert do("ZREMRANGEBYSCORE", numbers, "(1", 3) == 2
    assert text(do("ZRANGE", numbers, 0, -1)) == "ade"
    assert do("ZSCORE", numbers, "b") is None
    assert do("ZREMRANGEBYSCORE", numbers, 9, 1) == 0
    assert do("ZREMRANGEBYSCORE", numbers, "-inf", "+inf") == 3
    assert do("EXISTS", numbers) == 0
    assert do("ZREMRANGEBYSCORE", numbers, 0, 1) == 0


def test_remove_by_name(do: Transcript, names: str) -> None:
    assert do("ZREMRANGEBYLEX", names, "(a", "[c") == 2
    assert text(do("ZRANGE", names, 0, -1)) == "ade"
    assert do("ZREMRANGEBYLEX", names, "+", "-") == 0
    assert do("ZREMRANGEBYLEX", names, "-", "+") == 3
    assert do("EXISTS", names) == 0
    assert do("ZREMRANGEBYLEX", names, "-", "+") == 0


def test_remove_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    for by, good, bad, complaint in (
        ("RANK", (0, 1), (0, "x"), NOT_AN_INTEGER),
        ("SCORE", (0, 1), (0, "x"), NOT_A_FLOAT),
        ("LEX", ("-", "+"), ("-", "x"), NOT_A_STRING),
    ):
        assert do.error(f"ZREMRANGEBY{by}", "l", *good) == WRONG_TYPE
        assert do.error(f"ZREMRANGEBY{by}", "l", *bad) == complaint
        arity = f"ERR wrong number of arguments for 'zremrangeby{by.lower()}' command"
        assert do.error(f"ZREMRANGEBY{by}", "l", *good, 1) == arity


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect, flags="EA")

    def happened() -> list[str]:
        return [f"{event} {key}" for _, event, key in events()]

    do("ZADD", "z", 1, "a", 1, "b", 1, "c", 1, "d")
    assert happened() == ["zadd z"]
    do("ZREMRANGEBYRANK", "z", 9, 10)
    do("ZREMRANGEBYRANK", "z", 0, 0)
    do("ZREMRANGEBYLEX", "z", "[b", "[b")
    do("ZREMRANGEBYSCORE", "z", 2, 3)
    assert happened() == ["zremrangebyrank z", "zremrangebylex z"]
    do("ZRANGESTORE", "to", "z", 0, -1)
    do("ZRANGESTORE", "to", "z", 9, 10)
    do("ZRANGESTORE", "to", "z", 9, 10)
    do("ZREMRANGEBYSCORE", "z", "-inf", "inf")
    assert happened() == ["zrangestore to", "del to", "zremrangebyscore z", "del z"]
