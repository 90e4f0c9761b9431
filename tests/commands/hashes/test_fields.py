"""Hashes, as a redis-cli session shows them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript
from tests.test_glob import CASES

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
SYNTAX = "ERR syntax error"
BEYOND_COUNTS = f"ERR value is out of range, value must between {-(1 << 63) + 1} and {(1 << 63) - 1}"


def wrong_arity(command: str) -> str:
    return f"ERR wrong number of arguments for '{command.lower()}' command"


def test_set_and_get(do: Transcript) -> None:
    assert do("HSET", "h", "a", "1", "b", "2") == 2
    assert do("HSET", "h", "a", "3", "c", "", "c", "4") == 1
    assert do("HMSET", "h", "d", "5", "a", "6") == "OK"
    assert do("HGET", "h", "a") == b"6"
    assert do("HGET", "h", "none") is None
    assert do("HGET", "none", "a") is None
    assert do("HMGET", "h", "c", "none", "a", "c") == [b"4", None, b"6", b"4"]
    assert do("HMGET", "none", "a", "b") == [None, None]
    assert do("HLEN", "h") == 4
    assert do("HLEN", "none") == 0
    assert do("TYPE", "h") == "hash"


def test_set_if_missing(do: Transcript) -> None:
    assert do("HSETNX", "h", "a", "1") == 1
    assert do("HSETNX", "h", "a", "2") == 0
    assert do("HGET", "h", "a") == b"1"


def test_delete_and_ask(do: Transcript) -> None:
    do("HSET", "h", "a", "one", "b", "", b"\x00\xff", b"\r\n")
    assert do("HEXISTS", "h", "b") == 1
    assert do("HEXISTS", "h", "none") == 0
    assert do("HEXISTS", "none", "a") == 0
    assert [do("HSTRLEN", "h", field) for field in (b"a", b"b", b"\x00\xff", b"none")] == [3, 0, 2, 0]
    assert do("HSTRLEN", "none", "a") == 0
    assert do("HDEL", "h", "a", "none", "a") == 1
    assert do("HDEL", "none", "a") == 0
    assert do("HDEL", "h", "b", b"\x00\xff", "x") == 2
    assert do("EXISTS", "h") == 0


def test_all_fields_in_order(do: Transcript) -> None:
    do("HSET", "h", "b", "1", "a", "2", "c", "3")
    do("HDEL", "h", "b")
    do("HSET", "h", "b", "4", "a", "5")
    reply = do("HGETALL", "h")
    assert list(do.as_map(reply).items()) == [(b"a", b"5"), (b"c", b"3"), (b"b", b"4")]
    assert do("HKEYS", "h") == [b"a", b"c", b"b"]
    assert do("HVALS", "h") == [b"5", b"3", b"4"]
    assert do.as_map(do("HGETALL", "none")) == {}
    assert do("HKEYS", "none") == do("HVALS", "none") == []


def test_many_fields(do: Transcript) -> None:
    pairs = {b"f%d" % number: b"v%d" % number for number in range(1000)}
    assert do("HSET", "h", *[word for pair in pairs.items() for word in pair]) == 1000
    assert do("HDEL", "h", *[b"f%d" % number for number in range(0, 1000, 3)]) == 334
    left = {field: value for field, value in pairs.items() if int(field[1:]) % 3}
    assert do.as_map(do("HGETALL", "h")) == left
    fields, values = do("HKEYS", "h"), do("HVALS", "h")
    assert dict(zip(fields, values, strict=True)) == left
    assert do("HMGET", "h", "f0", "f1", "f999") == [None, b"v1", None]


def test_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    for words in (
        "HSET s a b",
        "HMSET s a b",
        "HSETNX s a b",
        "HGET s a",
        "HMGET s a",
        "HDEL s a",
        "HEXISTS s a",
        "HSTRLEN s a",
        "HLEN s",
        "HGETALL s",
        "HKEYS s",
        "HVALS s",
    ):
        command, *arguments = words.split()
        assert do.error(command, *arguments) == WRONG_TYPE
        assert do.error(command, *arguments[:-1]) == wrong_arity(command)
    for command in ("HSET", "HMSET"):
        assert do.error(command, "s", "a", "b", "c") == wrong_arity(command)
    for command in ("HGET", "HLEN", "HSETNX"):
        assert do.error(command, "s", "a", "b", "c", "d") == wrong_arity(command)


def test_increment(do: Transcript) -> None:
    assert do("HINCRBY", "h", "n", 5) == 5
    assert do("HINCRBY", "h", "n", "-7") == -2
    assert do("HGET", "h", "n") == b"-2"
    do("HSET", "h", "top", "9223372036854775806")
    assert do("HINCRBY", "h", "top", 1) == (1 << 63) - 1
    assert do("HINCRBY", "h", "bottom", -(1 << 63)) == -(1 << 63)
    assert do("HKEYS", "h") == [b"n", b"top", b"bottom"]


def test_increment_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    do("HSET", "h", "top", (1 << 63) - 1, "bottom", -(1 << 63), "word", "x", "empty", "", "blank", " 1", "float", "1.0")
    for increment in ("x", "", "1.0", " 1", 1 << 63):
        assert do.error("HINCRBY", "s", "n", increment) == NOT_AN_INTEGER
    assert do.error("HINCRBY", "s", "n", 1) == WRONG_TYPE
    for field in ("word", "empty", "blank", "float"):
        assert do.error("HINCRBY", "h", field, 1) == "ERR hash value is not an integer"
    assert do.error("HINCRBY", "h", "top", 1) == "ERR increment or decrement would overflow"
    assert do.error("HINCRBY", "h", "bottom", -1) == "ERR increment or decrement would overflow"
    assert do.error("HINCRBY", "h", "n") == wrong_arity("HINCRBY")


def test_increment_by_decimals(do: Transcript) -> None:
    assert do("HINCRBYFLOAT", "h", "n", "0.1") == b"0.1"
    assert do("HINCRBYFLOAT", "h", "n", "0.2") == b"0.3"
    assert do("HINCRBYFLOAT", "h", "n", "-3.3") == b"-3"
    assert do("HINCRBYFLOAT", "h", "n", "5.0e3") == b"4997"
    assert do("HINCRBYFLOAT", "h", "hex", "0x10") == b"16"
    do("HSET", "h", "huge", "1e17")
    assert do("HINCRBYFLOAT", "h", "huge", "1") == b"100000000000000001"
    assert do("HGET", "h", "n") == b"4997"
    assert do("HINCRBY", "h", "n", 3) == 5000


def test_increment_by_decimals_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    do("HSET", "h", "word", "x", "empty", "", "blank", " 1", "infinite", "inf")
    for increment in ("x", "", " 1", "1e5000"):
        assert do.error("HINCRBYFLOAT", "s", "n", increment) == NOT_A_FLOAT
    for increment in ("inf", "-INF", "infinity"):
        assert do.error("HINCRBYFLOAT", "s", "n", increment) == "ERR value is NaN or Infinity"
    assert do.error("HINCRBYFLOAT", "s", "n", 1) == WRONG_TYPE
    for field in ("word", "empty", "blank"):
        assert do.error("HINCRBYFLOAT", "h", field, 1) == "ERR hash value is not a float"
    assert do.error("HINCRBYFLOAT", "h", "infinite", 1) == "ERR increment would produce NaN or Infinity"
    assert do("EXISTS", "none") == 0


def test_random_fields(do: Transcript) -> None:
    do("HSET", "h", "a", "1", "b", "2", "c", "3")
    assert do("HRANDFIELD", "h") in (b"a", b"b", b"c")
    assert do("HRANDFIELD", "h", 0) == []
    two = do("HRANDFIELD", "h", 2)
    assert len(set(two)) == 2
    assert set(two) < {b"a", b"b", b"c"}
    assert do("HRANDFIELD", "h", 9) == [b"a", b"b", b"c"]
    many = do("HRANDFIELD", "h", -30)
    assert len(many) == 30
    assert set(many) <= {b"a", b"b", b"c"}
    assert do("HRANDFIELD", "none") is None
    assert do("HRANDFIELD", "none", 3) == do("HRANDFIELD", "none", -3, "WITHVALUES") == []


def test_random_fields_with_values(do: Transcript) -> None:
    do("HSET", "h", "a", "1", "b", "2", "c", "3")
    assert do.pairs(do("HRANDFIELD", "h", 5, "withvalues")) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]
    many = do.pairs(do("HRANDFIELD", "h", -20, "WITHVALUES"))
    assert len(many) == 20
    assert set(many) <= {(b"a", b"1"), (b"b", b"2"), (b"c", b"3")}
    assert do("HRANDFIELD", "h", 0, "WITHVALUES") == []


def test_random_fields_are_uniform(do: Transcript) -> None:
    do("HSET", "h", *[word for number in range(10) for word in (number, "x")])
    counts = Counter(do("HRANDFIELD", "h", -4000))
    assert all(260 < counts[b"%d" % number] < 540 for number in range(10))  # seven standard deviations
    singles = Counter(do.connection.pipeline(*[("HRANDFIELD", "h")] * 1000))
    pairs = Counter(field for pair in do.connection.pipeline(*[("HRANDFIELD", "h", 2)] * 500) for field in pair)
    for drawn in (singles, pairs):
        assert all(33 < drawn[b"%d" % number] < 167 for number in range(10))


def test_random_fields_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    assert do.error("HRANDFIELD", "s") == do.error("HRANDFIELD", "s", 1) == WRONG_TYPE
    assert do.error("HRANDFIELD", "s", "x") == NOT_AN_INTEGER
    assert do.error("HRANDFIELD", "s", "x", "y") == NOT_AN_INTEGER
    assert do.error("HRANDFIELD", "s", -(1 << 63)) == BEYOND_COUNTS
    assert do.error("HRANDFIELD", "s", 1 << 63) == NOT_AN_INTEGER
    assert do.error("HRANDFIELD", "s", 1, "x") == SYNTAX
    assert do.error("HRANDFIELD", "s", 1, "WITHVALUES", "x") == SYNTAX
    assert do.error("HRANDFIELD", "s", 1 << 62, "WITHVALUES") == "ERR value is out of range"
    assert do.error("HRANDFIELD", "s", -(1 << 62), "WITHVALUES") == "ERR value is out of range"


def test_scan_a_small_hash(do: Transcript) -> None:
    do("HSET", "h", "a", "1", "b", "2", "ab", "3")
    assert do("HSCAN", "h", 0) == [b"0", [b"a", b"1", b"b", b"2", b"ab", b"3"]]
    # A listpack is returned whole, whatever the count and the cursor.
    assert do("HSCAN", "h", 7, "COUNT", 1) == [b"0", [b"a", b"1", b"b", b"2", b"ab", b"3"]]
    assert do("HSCAN", "h", 0, "MATCH", "a*", "count", 5) == [b"0", [b"a", b"1", b"ab", b"3"]]
    assert do("HSCAN", "h", 0, "MATCH", "x", "MATCH", "b") == [b"0", [b"b", b"2"]]
    assert do("HSCAN", "none", 0, "NONSENSE") == [b"0", []]


@pytest.mark.since("7.4")
def test_scan_without_values(do: Transcript) -> None:
    do("HSET", "h", "a", "1", "b", "2")
    assert do("HSCAN", "h", 0, "NOVALUES") == [b"0", [b"a", b"b"]]
    assert do("HSCAN", "h", 0, "novalues", "MATCH", "b", "NOVALUES") == [b"0", [b"b"]]


def test_scan_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    do("HSET", "h", "a", "1")
    assert do.error("HSCAN", "s", "x", "NONSENSE") == "ERR invalid cursor"
    assert do.error("HSCAN", "none", "x") == "ERR invalid cursor"
    assert do.error("HSCAN", "h", 1 << 64) == "ERR invalid cursor"
    assert do.error("HSCAN", "h", "9" * 5000) == "ERR invalid cursor"
    assert do("HSCAN", "h", "0" * 5000) == [b"0", [b"a", b"1"]]
    assert do.error("HSCAN", "s", 0, "NONSENSE") == WRONG_TYPE
    assert do.error("HSCAN", "h", 0, "NONSENSE") == SYNTAX
    assert do.error("HSCAN", "h", 0, "COUNT") == SYNTAX
    assert do.error("HSCAN", "h", 0, "COUNT", 0) == SYNTAX
    assert do.error("HSCAN", "h", 0, "COUNT", "x") == NOT_AN_INTEGER
    assert do.error("HSCAN", "h", 0, "TYPE", "string") == SYNTAX
    assert do.error("HSCAN", "h") == wrong_arity("HSCAN")


def test_a_walk_meets_every_field_that_stays(do: Transcript) -> None:
    do("HSET", "h", *[word for number in range(1000) for word in (f"f{number}", number)])
    seen: dict[bytes, bytes] = {}
    cursor, step, leaving = b"0", 0, 0
    while step == 0 or cursor != b"0":
        cursor, found = do("HSCAN", "h", cursor, "COUNT", 50)
        assert step > 0 or len(found) < 400
        seen.update(zip(found[::2], found[1::2], strict=True))
        step += 1
        assert step < 100
        # Fields come and go during the walk: first the newest ones, on which a cursor might depend.
        for _ in range(20):
            leaving += 1
            do("HDEL", "h", f"f{1000 - leaving}")
            do("HSET", "h", f"new{leaving}", "x")
    for number in range(1000 - leaving):
        assert seen[b"f%d" % number] == b"%d" % number


def test_patterns(do: Transcript) -> None:
    """The table of `tests.test_glob`, which this checks on a genuine server."""
    subjects = {subject for _, matching, other in CASES for subject in matching + other}
    do("HSET", "h", *[word for subject in subjects for word in (subject, "x")])
    for pattern, matching, other in CASES:
        cursor, found = do("HSCAN", "h", 0, "MATCH", pattern, "COUNT", 1000)
        assert cursor == b"0"
        # A lone star does not count as a pattern.
        assert not set(found[::2]) & set(other) or pattern == b"*"
        assert set(found[::2]) >= set(matching)


@pytest.mark.since("7.0")
def test_encoding(do: Transcript) -> None:
    def encoding(*pairs: object) -> bytes:
        do("DEL", "h")
        do("HSET", "h", *pairs)
        return do("OBJECT", "ENCODING", "h")  # type: ignore[no-any-return]  # it is a bulk string

    many = [word for number in range(512) for word in (number, "x")]
    assert encoding(*many) == b"listpack"
    do("HSET", "h", "0", "y")
    assert do("OBJECT", "ENCODING", "h") == b"listpack"
    do("HSETNX", "h", "one more", "x")
    assert do("OBJECT", "ENCODING", "h") == b"hashtable"
    do("HDEL", "h", *range(500))
    assert do("OBJECT", "ENCODING", "h") == b"hashtable"
    do("COPY", "h", "{h}copy")
    assert do("OBJECT", "ENCODING", "{h}copy") == b"hashtable"

    assert encoding("f" * 64, "v" * 64) == b"listpack"
    assert encoding("f" * 65, "x") == b"hashtable"
    assert encoding("f", "v" * 65) == b"hashtable"
    assert encoding("f", "v" * 65, "f", "x") == b"hashtable"
    assert encoding("f", "x") == b"listpack"
    do("HINCRBY", "h", "n" * 65, 1)
    assert do("OBJECT", "ENCODING", "h") == b"hashtable"


@pytest.mark.since("7.2")
def test_encoding_by_the_number_of_arguments(do: Transcript) -> None:
    do("HSET", "h", *["f", "x"] * 512)
    assert do("OBJECT", "ENCODING", "h") == b"listpack"
    do("HSET", "h", *["f", "x"] * 513)
    assert do("OBJECT", "ENCODING", "h") == b"hashtable"
    assert do("HLEN", "h") == 1


@pytest.mark.since("7.0")
def test_encoding_by_other_limits(do: Transcript) -> None:
    try:
        do("CONFIG", "SET", "hash-max-listpack-entries", 2, "hash-max-listpack-value", 3)
        do("HSET", "a", "1", "abc", "2", "x")
        do("HSET", "b", "1", "abcd")
        do("HSET", "c", "1", "x", "2", "x", "3", "x")
        assert [do("OBJECT", "ENCODING", key) for key in "abc"] == [b"listpack", b"hashtable", b"hashtable"]
    finally:
        do("CONFIG", "SET", "hash-max-listpack-entries", 512, "hash-max-listpack-value", 64)


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect)
    do("HSET", "h", "a", "1", "b", "2")
    assert events() == [(0, "new", "h"), (0, "hset", "h")]
    do("HSET", "h", "a", "1")
    do("HMSET", "h", "c", "1")
    do("HSETNX", "h", "d", "1")
    assert events() == [(0, "hset", "h")] * 3
    do("HSETNX", "h", "d", "1")
    do("HDEL", "h", "none")
    do.error("HINCRBY", "none", "n", "x")
    assert events() == []
    do("HINCRBY", "h", "a", 1)
    do("HINCRBYFLOAT", "h", "a", 1)
    assert events() == [(0, "hincrby", "h"), (0, "hincrbyfloat", "h")]
    do("HDEL", "h", "a")
    do("HDEL", "h", "b", "c", "d")
    assert events() == [(0, "hdel", "h"), (0, "hdel", "h"), (0, "del", "h")]


def test_changes_keep_the_deadline(do: Transcript) -> None:
    do("HSET", "h", "a", "1")
    do("EXPIRE", "h", 100)
    do("HSET", "h", "b", "2")
    do("HINCRBY", "h", "a", 1)
    do("HDEL", "h", "b")
    assert do("TTL", "h") in (99, 100)
