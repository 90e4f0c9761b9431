"""Unions, intersections and differences of sorted sets, as a redis-cli session shows them."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"
OPERATIONS = ("ZUNION", "ZINTER", "ZDIFF")


@pytest.fixture
def sources(do: Transcript) -> None:
    """x and y are sorted sets, s is a plain set."""
    do("ZADD", "x", 1, "a", 2, "b", 3, "c")
    do("ZADD", "y", 10, "b", 20, "c", 30, "d")
    do("SADD", "s", "c", "d", "e")


@pytest.fixture
def found(do: Transcript) -> Any:
    """Run an operation in all its forms, check that they agree, and return members and scores."""

    def run(operation: str, *words: object) -> list[tuple[str, float]]:
        pairs = do.pairs(do(operation, *words, "WITHSCORES"))
        assert do(operation, *words) == [member for member, _ in pairs]
        assert do(f"{operation}STORE", "to", *words) == len(pairs)
        assert do.pairs(do("ZRANGE", "to", 0, -1, "WITHSCORES")) == pairs
        assert do("EXISTS", "to") == bool(pairs)
        return [(member.decode(), float(score)) for member, score in pairs]

    return run


@pytest.mark.usefixtures("sources")
def test_union(found: Any) -> None:
    assert found("ZUNION", 2, "x", "y") == [("a", 1), ("b", 12), ("c", 23), ("d", 30)]
    assert found("ZUNION", 1, "x") == [("a", 1), ("b", 2), ("c", 3)]
    assert found("ZUNION", 2, "x", "x") == [("a", 2), ("b", 4), ("c", 6)]
    assert found("ZUNION", 2, "none", "x") == [("a", 1), ("b", 2), ("c", 3)]
    assert found("ZUNION", 2, "x", "s") == [("a", 1), ("d", 1), ("e", 1), ("b", 2), ("c", 4)]
    assert found("ZUNION", 1, "s") == [("c", 1), ("d", 1), ("e", 1)]
    assert found("ZUNION", 1, "none") == []


@pytest.mark.usefixtures("sources")
def test_intersection(do: Transcript, found: Any) -> None:
    assert found("ZINTER", 2, "x", "y") == [("b", 12), ("c", 23)]
    assert found("ZINTER", 3, "x", "y", "s") == [("c", 24)]
    assert found("ZINTER", 2, "x", "x") == [("a", 2), ("b", 4), ("c", 6)]
    assert found("ZINTER", 2, "x", "none") == []
    assert found("ZINTER", 1, "s") == [("c", 1), ("d", 1), ("e", 1)]
    assert do("ZINTERCARD", 2, "x", "y") == 2
    assert do("ZINTERCARD", 2, "x", "s") == 1
    assert do("ZINTERCARD", 2, "x", "none") == 0
    assert do("ZINTERCARD", 2, "x", "y", "LIMIT", 1) == 1
    assert do("ZINTERCARD", 2, "x", "y", "limit", 0) == 2
    assert do("ZINTERCARD", 2, "x", "y", "LIMIT", 9) == 2


@pytest.mark.usefixtures("sources")
def test_difference(do: Transcript, found: Any) -> None:
    assert found("ZDIFF", 2, "x", "y") == [("a", 1)]
    assert found("ZDIFF", 2, "y", "x") == [("d", 30)]
    assert found("ZDIFF", 3, "x", "none", "s") == [("a", 1), ("b", 2)]
    assert found("ZDIFF", 2, "s", "x") == [("d", 1), ("e", 1)]
    assert found("ZDIFF", 2, "x", "x") == []
    assert found("ZDIFF", 2, "none", "x") == []
    assert found("ZDIFF", 1, "x") == [("a", 1), ("b", 2), ("c", 3)]


@pytest.mark.usefixtures("sources")
def test_weights_and_aggregates(found: Any) -> None:
    assert found("ZUNION", 2, "x", "y", "WEIGHTS", 10, "0.5") == [("a", 10), ("d", 15), ("b", 25), ("c", 40)]
    assert found("ZUNION", 2, "x", "s", "weights", 1, -1) == [("d", -1), ("e", -1), ("a", 1), ("b", 2), ("c", 2)]
    assert found("ZUNION", 2, "x", "y", "AGGREGATE", "MIN") == [("a", 1), ("b", 2), ("c", 3), ("d", 30)]
    assert found("ZUNION", 2, "x", "y", "AGGREGATE", "max") == [("a", 1), ("b", 10), ("c", 20), ("d", 30)]
    assert found("ZUNION", 2, "x", "y", "AGGREGATE", "MIN", "WEIGHTS", -1, 1) == [
        ("c", -3),
        ("b", -2),
        ("a", -1),
        ("d", 30),
    ]
    assert found("ZINTER", 2, "x", "y", "WEIGHTS", 10, 1, "AGGREGATE", "MAX") == [("b", 20), ("c", 30)]
    assert found("ZINTER", 2, "x", "y", "AGGREGATE", "SUM", "AGGREGATE", "MIN") == [("b", 2), ("c", 3)]
    assert found("ZINTER", 2, "x", "y", "WEIGHTS", 0, 0) == [("b", 0), ("c", 0)]


def test_infinite_scores(do: Transcript, found: Any) -> None:
    do("ZADD", "up", "inf", "a", "inf", "b")
    do("ZADD", "down", "-inf", "a", 1, "b")
    # Infinity minus infinity counts as 0, and so does 0 times infinity.
    assert found("ZUNION", 2, "up", "down") == [("a", 0), ("b", inf)]
    assert found("ZINTER", 2, "up", "down") == [("a", 0), ("b", inf)]
    assert found("ZUNION", 2, "up", "down", "AGGREGATE", "MIN") == [("a", -inf), ("b", 1)]
    assert found("ZUNION", 1, "up", "WEIGHTS", 0) == [("a", 0), ("b", 0)]
    assert found("ZINTER", 1, "up", "WEIGHTS", 0) == [("a", 0), ("b", 0)]
    assert found("ZINTER", 2, "down", "up", "WEIGHTS", 1, 0) == [("a", 0), ("b", 0)]
    assert found("ZUNION", 2, "up", "down", "WEIGHTS", "-inf", "inf") == [("a", -inf), ("b", 0)]


def test_sums_go_from_the_smallest_source_to_the_largest(do: Transcript, found: Any) -> None:
    # In the given order the sum would be 0: 1 is lost when added to 1e16.
    do("ZADD", "one", 1, "a", 0, "x", 0, "y")
    do("ZADD", "much", 1e16, "a")
    do("ZADD", "less", -1e16, "a", 0, "x")
    for operation in ("ZUNION", "ZINTER"):
        assert dict(found(operation, 3, "one", "much", "less"))["a"] == 1


def test_store_replaces_the_destination(do: Transcript) -> None:
    do("ZADD", "z", 1, "a", 2, "b")
    do("RPUSH", "to", "x")
    do("EXPIRE", "to", 1000)
    assert do("ZUNIONSTORE", "to", 1, "z") == 2
    assert do("TTL", "to") == -1
    # The destination may also be a source.
    assert do("ZUNIONSTORE", "z", 2, "z", "z") == 2
    assert do.pairs(do("ZRANGE", "z", 0, -1, "WITHSCORES")) == [(b"a", do.double(2)), (b"b", do.double(4))]
    for command in ("ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"):
        do("RPUSH", "l", "x")
        assert do(command, "l", 1, "none") == 0
        assert do("EXISTS", "l") == 0


def test_encoding_of_stored_results(do: Transcript) -> None:
    do("ZADD", "z", *(word for number in range(200) for word in (number, number)))
    do("ZADD", "few", *(word for number in range(128) for word in (number, number)))
    do("ZADD", "long", 1, "x" * 65)
    assert do("ZINTERSTORE", "to", 2, "z", "few") == 128
    assert do("OBJECT", "ENCODING", "to") == b"listpack"
    assert do("ZUNIONSTORE", "to", 2, "few", "long") == 129
    assert do("OBJECT", "ENCODING", "to") == b"skiplist"
    assert do("ZDIFFSTORE", "to", 2, "long", "z") == 1
    assert do("OBJECT", "ENCODING", "to") == b"skiplist"
    assert do("ZDIFFSTORE", "to", 2, "z", "few") == 72
    assert do("OBJECT", "ENCODING", "to") == b"listpack"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_errors(do: Transcript, operation: str) -> None:
    do("RPUSH", "l", "x")
    do("ZADD", "z", 1, "a")
    for command in ((operation,), (f"{operation}STORE", "z")):
        name = command[0].lower()
        assert do.error(*command, 1) == f"ERR wrong number of arguments for '{name}' command"
        assert do.error(*command, "x", "l") == NOT_AN_INTEGER
        for count in (0, -1):
            assert do.error(*command, count, "l") == f"ERR at least 1 input key is needed for '{name}' command"
        assert do.error(*command, 2, "l") == SYNTAX
        assert do.error(*command, 1, "l", "NONSENSE") == WRONG_TYPE
        assert do.error(*command, 2, "z", "l") == WRONG_TYPE
        assert do.error(*command, 1, "z", "NONSENSE") == SYNTAX
        assert do.error(*command, 1, "z", "LIMIT", 1) == SYNTAX
    assert do.error(f"{operation}STORE", "z", 1, "z", "WITHSCORES") == SYNTAX
    assert do("ZCARD", "z") == 1


@pytest.mark.parametrize("command", ["ZUNION", "ZINTER", "ZUNIONSTORE to", "ZINTERSTORE to"])
def test_errors_of_weights_and_aggregates(do: Transcript, command: str) -> None:
    do("ZADD", "z", 1, "a")
    start = (*command.split(), 2, "z", "none")
    not_a_float = "ERR weight value is not a float"
    assert do.error(*start, "WEIGHTS") == SYNTAX
    assert do.error(*start, "WEIGHTS", 1) == SYNTAX
    assert do.error(*start, "WEIGHTS", 1, 2, 3) == SYNTAX
    assert do.error(*start, "WEIGHTS", 1, "x") == not_a_float
    assert do.error(*start, "WEIGHTS", "nan", 1) == not_a_float
    assert do.error(*start, "AGGREGATE") == SYNTAX
    assert do.error(*start, "AGGREGATE", "AVG") == SYNTAX
    assert do.error(*start, "WEIGHTS", 1, "x", "AGGREGATE", "AVG") == not_a_float


def test_a_difference_has_no_weights(do: Transcript) -> None:
    assert do.error("ZDIFF", 1, "none", "WEIGHTS", 1) == SYNTAX
    assert do.error("ZDIFF", 1, "none", "AGGREGATE", "SUM") == SYNTAX
    assert do.error("ZDIFFSTORE", "to", 1, "none", "WEIGHTS", 1) == SYNTAX


def test_zintercard_errors(do: Transcript) -> None:
    do("RPUSH", "l", "x")
    assert do.error("ZINTERCARD", 1) == "ERR wrong number of arguments for 'zintercard' command"
    assert do.error("ZINTERCARD", 0, "l") == "ERR at least 1 input key is needed for 'zintercard' command"
    assert do.error("ZINTERCARD", "x", "l") == NOT_AN_INTEGER
    assert do.error("ZINTERCARD", 2, "l") == SYNTAX
    assert do.error("ZINTERCARD", 1, "l", "NONSENSE") == WRONG_TYPE
    assert do.error("ZINTERCARD", 1, "none", "LIMIT") == SYNTAX
    assert do.error("ZINTERCARD", 1, "none", "WITHSCORES") == SYNTAX
    assert do.error("ZINTERCARD", 1, "none", "WEIGHTS", 1) == SYNTAX
    for limit in (-1, "x"):
        assert do.error("ZINTERCARD", 1, "none", "LIMIT", limit) == "ERR LIMIT can't be negative"


def test_events(do: Transcript, connect: type[Connection]) -> None:
    do("ZADD", "z", 1, "a")
    events = Events(do, connect, flags="EA")
    for operation in ("ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"):
        do(operation, "to", 1, "z")
        do(operation, "to", 1, "none")
        do(operation, "to", 1, "none")
        assert events() == [(0, operation.lower(), "to"), (0, "del", "to")]
