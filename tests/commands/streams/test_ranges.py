"""XRANGE and XREVRANGE, as a redis-cli session shows them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
HIGHEST = "18446744073709551615"


def ids(reply: Any) -> list[str]:
    return [id.decode() for id, _ in reply]


@pytest.fixture
def stream(do: Transcript) -> str:
    for id in ("1-1", "1-2", "2-0", "3-5", f"3-{HIGHEST}", "4-0"):
        do("XADD", "s", id, "f", "v", "g", "w")
    return "s"


def test_range(do: Transcript, stream: str) -> None:
    assert do("XRANGE", stream, "1-2", "2") == [[b"1-2", [b"f", b"v", b"g", b"w"]], [b"2-0", [b"f", b"v", b"g", b"w"]]]
    assert ids(do("XRANGE", stream, "-", "+")) == ["1-1", "1-2", "2-0", "3-5", f"3-{HIGHEST}", "4-0"]
    assert ids(do("XRANGE", stream, 1, 1)) == ["1-1", "1-2"]
    assert ids(do("XRANGE", stream, 3, 3)) == ["3-5", f"3-{HIGHEST}"]
    assert ids(do("XRANGE", stream, 4, 1)) == []
    assert ids(do("XRANGE", stream, "+", "-")) == []
    assert do("XRANGE", "none", "-", "+") == []


def test_range_from_the_end(do: Transcript, stream: str) -> None:
    assert do("XREVRANGE", stream, "2", "1-2") == [
        [b"2-0", [b"f", b"v", b"g", b"w"]],
        [b"1-2", [b"f", b"v", b"g", b"w"]],
    ]
    assert ids(do("XREVRANGE", stream, "+", "-")) == ["4-0", f"3-{HIGHEST}", "3-5", "2-0", "1-2", "1-1"]
    assert ids(do("XREVRANGE", stream, 3, 3)) == [f"3-{HIGHEST}", "3-5"]
    assert ids(do("XREVRANGE", stream, "-", "+")) == []
    assert do("XREVRANGE", "none", "+", "-") == []


def test_exclusive(do: Transcript, stream: str) -> None:
    assert ids(do("XRANGE", stream, "(1-1", "(4")) == ["1-2", "2-0", "3-5", f"3-{HIGHEST}", "4-0"]
    assert ids(do("XRANGE", stream, "(1-1", "(4-0")) == ["1-2", "2-0", "3-5", f"3-{HIGHEST}"]
    assert ids(do("XREVRANGE", stream, f"(3-{HIGHEST}", "(1")) == ["3-5", "2-0", "1-2", "1-1"]
    assert ids(do("XRANGE", stream, f"(3-{HIGHEST}", "+")) == ["4-0"]


def test_count(do: Transcript, stream: str) -> None:
    assert ids(do("XRANGE", stream, "-", "+", "COUNT", 2)) == ["1-1", "1-2"]
    assert ids(do("XREVRANGE", stream, "+", "-", "count", 2)) == ["4-0", f"3-{HIGHEST}"]
    assert ids(do("XRANGE", stream, "-", "+", "COUNT", 1, "COUNT", 3)) == ["1-1", "1-2", "2-0"]
    assert do("XRANGE", stream, "-", "+", "COUNT", 0) is None
    assert do("XREVRANGE", stream, "+", "-", "COUNT", -1) is None
    assert do("XRANGE", "none", "-", "+", "COUNT", 0) == []


def test_over_many_nodes(do: Transcript) -> None:
    for number in range(1, 351):
        do("XADD", "s", f"{number}-0", "number", number)
    do("XDEL", "s", *range(95, 106), 200, 201, 350)
    left = [f"{number}-0" for number in range(1, 350) if not (95 <= number <= 105 or 200 <= number <= 201)]
    assert ids(do("XRANGE", "s", "-", "+")) == left
    assert ids(do("XREVRANGE", "s", "+", "-")) == left[::-1]
    assert ids(do("XRANGE", "s", 94, 300, "COUNT", 3)) == ["94-0", "106-0", "107-0"]
    assert ids(do("XREVRANGE", "s", 106, 90, "COUNT", 3)) == ["106-0", "94-0", "93-0"]


def test_errors(do: Transcript) -> None:
    do("SET", "str", "x")
    do("XADD", "s", "1-1", "a", "b")
    assert do.error("XRANGE", "str", "x", "+") == INVALID_ID
    assert do.error("XRANGE", "str", "-", "(+") == INVALID_ID
    assert do.error("XRANGE", "str", "(", "+") == INVALID_ID
    assert do.error("XRANGE", "str", "1-*", "+") == INVALID_ID
    assert do.error("XRANGE", "str", f"({HIGHEST}-{HIGHEST}", "x") == "ERR invalid start ID for the interval"
    assert do.error("XREVRANGE", "str", "x", f"({HIGHEST}-{HIGHEST}") == "ERR invalid start ID for the interval"
    assert do.error("XRANGE", "str", "-", "(0-0", "x") == "ERR invalid end ID for the interval"
    assert do.error("XRANGE", "str", "-", "+", "COUNT") == "ERR syntax error"
    assert do.error("XRANGE", "str", "-", "+", "x", 1) == "ERR syntax error"
    assert do.error("XRANGE", "str", "-", "+", "COUNT", "x") == "ERR value is not an integer or out of range"
    assert do.error("XRANGE", "str", "-", "+") == WRONG_TYPE
    assert do.error("XREVRANGE", "str", "+", "-") == WRONG_TYPE
    assert do.error("XLEN", "str") == WRONG_TYPE
