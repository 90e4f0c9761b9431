"""One set, as a redis-cli session shows it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.commands.sets.replies import encoding, found
from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_POSITIVE = "ERR value is out of range, must be positive"
SYNTAX = "ERR syntax error"
BEYOND_COUNTS = f"ERR value is out of range, value must between {-(1 << 63) + 1} and {(1 << 63) - 1}"


def wrong_arity(command: str) -> str:
    return f"ERR wrong number of arguments for '{command.lower()}' command"


def test_add_and_remove(do: Transcript) -> None:
    assert do("SADD", "s", "a", "b", "a") == 2
    assert do("SADD", "s", "b", "c", "") == 2
    assert do("SADD", "s", "a") == 0
    assert found(do, "SMEMBERS", "s") == [b"", b"a", b"b", b"c"]
    assert do("SCARD", "s") == 4
    assert do("SREM", "s", "a", "none", "a") == 1
    assert do("SREM", "none", "a") == 0
    assert do("SREM", "s", "", "b", "c", "d") == 3
    assert do("EXISTS", "s") == 0
    assert do("SCARD", "s") == 0
    assert found(do, "SMEMBERS", "s") == []
    assert do("SADD", "s", "a") == 1
    assert do("TYPE", "s") == "set"


def test_membership(do: Transcript) -> None:
    do("SADD", "s", "a", "1", b"\x00\xff")
    assert [do("SISMEMBER", "s", member) for member in (b"a", b"1", b"01", b"\x00\xff", b"A")] == [1, 1, 0, 1, 0]
    assert do("SMISMEMBER", "s", "a", "none", "1", "a") == [1, 0, 1, 1]
    assert do("SISMEMBER", "none", "a") == 0
    assert do("SMISMEMBER", "none", "a", "b") == [0, 0]


def test_integers_keep_their_spelling(do: Transcript) -> None:
    members = [b"1", b"01", b"+1", b"1.0", b"-0", b"0", b" 1", b"9223372036854775807", b"9223372036854775808"]
    assert do("SADD", "s", *members) == len(members)
    assert found(do, "SMEMBERS", "s") == sorted(members)
    assert do("SADD", "i", "1", "-9223372036854775808", "9223372036854775807", "10", "9") == 5
    reply = do("SMEMBERS", "i")
    assert reply == [b"-9223372036854775808", b"1", b"9", b"10", b"9223372036854775807"]


@pytest.mark.since("7.2")
def test_a_small_set_is_in_order(do: Transcript) -> None:
    do("SADD", "s", "b", "3", "a", "1")
    do("SREM", "s", "3")
    do("SADD", "s", "a", "3")
    assert do("SMEMBERS", "s") == [b"b", b"a", b"1", b"3"]
    do("SADD", "i", "3", "1", "2")
    do("SADD", "i", "x", "0")
    assert do("SMEMBERS", "i") == [b"1", b"2", b"3", b"x", b"0"]
    assert do("SINTER", "i", "s") == [b"1", b"3"]
    assert do("SSCAN", "i", 0) == [b"0", [b"1", b"2", b"3", b"x", b"0"]]


def test_move(do: Transcript) -> None:
    do("SADD", "a", "1", "2")
    do("SADD", "b", "2", "x")
    assert do("SMOVE", "a", "b", "1") == 1
    assert do("SMOVE", "a", "b", "none") == 0
    assert do("SMOVE", "a", "b", "2") == 1
    assert do("EXISTS", "a") == 0
    assert found(do, "SMEMBERS", "b") == [b"1", b"2", b"x"]
    assert do("SMOVE", "b", "c", "x") == 1
    assert found(do, "SMEMBERS", "c") == [b"x"]
    assert do("SMOVE", "c", "c", "x") == 1
    assert do("SMOVE", "c", "c", "y") == 0
    assert found(do, "SMEMBERS", "c") == [b"x"]
    assert do("SMOVE", "none", "c", "x") == 0


def test_errors(do: Transcript) -> None:
    do("SET", "w", "x")
    for words in (
        "SADD w a",
        "SREM w a",
        "SISMEMBER w a",
        "SMISMEMBER w a",
        "SCARD w",
        "SMEMBERS w",
        "SINTER w",
        "SUNION w",
        "SDIFF w",
        "SINTERSTORE d w",
        "SUNIONSTORE d w",
        "SDIFFSTORE d w",
    ):
        command, *arguments = words.split()
        assert do.error(command, *arguments) == WRONG_TYPE
        assert do.error(command, *arguments[:-1]) == wrong_arity(command)
    for command in ("SCARD", "SMEMBERS", "SISMEMBER"):
        assert do.error(command, "w", "a", "b") == wrong_arity(command)


def test_move_errors(do: Transcript) -> None:
    do("SET", "w", "x")
    do("SADD", "s", "a")
    assert do.error("SMOVE", "w", "s", "a") == WRONG_TYPE
    assert do.error("SMOVE", "s", "w", "a") == WRONG_TYPE
    assert do.error("SMOVE", "s", "w", "none") == WRONG_TYPE
    assert do("SMOVE", "none", "w", "a") == 0
    assert do("SCARD", "s") == 1
    assert do.error("SMOVE", "s", "w") == wrong_arity("SMOVE")


def test_pop(do: Transcript) -> None:
    do("SADD", "s", *"abcdef")
    popped = do("SPOP", "s")
    assert popped in [b"a", b"b", b"c", b"d", b"e", b"f"]
    assert do("SISMEMBER", "s", popped) == 0
    assert found(do, "SPOP", "s", 0) == []
    two = found(do, "SPOP", "s", 2)
    assert len({popped, *two}) == 3
    rest = found(do, "SPOP", "s", 9)
    assert sorted([popped, *two, *rest]) == [b"a", b"b", b"c", b"d", b"e", b"f"]
    assert do("EXISTS", "s") == 0
    assert do("SPOP", "s") is None
    assert found(do, "SPOP", "s", 1) == []
    do("SADD", "s", "1")
    assert do("SPOP", "s") == b"1"
    assert do("EXISTS", "s") == 0


@pytest.mark.parametrize("count", [1, 100, 800, 999, 1000, 1001])
def test_pop_many(do: Transcript, count: int) -> None:
    members = {b"m%d" % number for number in range(1000)}
    do("SADD", "s", *members)
    popped = found(do, "SPOP", "s", count)
    left = found(do, "SMEMBERS", "s")
    assert len(popped) == min(count, 1000)
    assert sorted(popped + left) == sorted(members)
    assert do("SMISMEMBER", "s", *popped[:5]) == [0] * min(count, 5)


def test_pop_errors(do: Transcript) -> None:
    do("SET", "w", "x")
    do("SADD", "s", "a")
    assert do.error("SPOP", "w") == do.error("SPOP", "w", 0) == WRONG_TYPE
    for count in ("x", "", -1, 1 << 63, "1.0"):
        assert do.error("SPOP", "w", count) == NOT_POSITIVE
    assert do.error("SPOP", "w", 1, 2) == SYNTAX
    assert do.error("SPOP") == wrong_arity("SPOP")
    assert do("SCARD", "s") == 1


def test_random_members(do: Transcript) -> None:
    do("SADD", "s", *"abc")
    assert do("SRANDMEMBER", "s") in (b"a", b"b", b"c")
    two = do("SRANDMEMBER", "s", 2)
    # An array, unlike the other replies here: with a negative count, members may repeat.
    assert type(two) is list
    assert len(set(two)) == 2
    assert sorted(do("SRANDMEMBER", "s", 9)) == [b"a", b"b", b"c"]
    many = do("SRANDMEMBER", "s", -30)
    assert len(many) == 30
    assert set(many) <= {b"a", b"b", b"c"}
    assert do("SRANDMEMBER", "s", 0) == []
    assert do("SRANDMEMBER", "none") is None
    assert do("SRANDMEMBER", "none", 2) == do("SRANDMEMBER", "none", -2) == []
    assert do("SCARD", "s") == 3


@pytest.mark.parametrize("prefix", ["", "m"], ids=["intset", "listpack"])
def test_random_members_are_uniform(do: Transcript, prefix: str) -> None:
    members = [f"{prefix}{number}".encode() for number in range(10)]
    do("SADD", "s", *members)
    many = Counter(do("SRANDMEMBER", "s", -4000))
    assert all(200 < many[member] < 600 for member in members)
    singles = Counter(do.connection.pipeline(*[("SRANDMEMBER", "s")] * 1000))
    pairs = Counter(member for pair in do.connection.pipeline(*[("SRANDMEMBER", "s", 2)] * 500) for member in pair)
    pops = Counter(do.connection.pipeline(*[("SPOP", "s"), ("SADD", "s", *members)] * 1000)[::2])
    for drawn in (singles, pairs, pops):
        assert drawn.total() == 1000
        assert all(25 < drawn[member] < 175 for member in members)


def test_random_members_errors(do: Transcript) -> None:
    do("SET", "w", "x")
    assert do.error("SRANDMEMBER", "w") == do.error("SRANDMEMBER", "w", 0) == WRONG_TYPE
    assert do.error("SRANDMEMBER", "w", "x") == NOT_AN_INTEGER
    assert do.error("SRANDMEMBER", "w", -(1 << 63)) == BEYOND_COUNTS
    assert do.error("SRANDMEMBER", "w", 1, 2) == SYNTAX


@pytest.mark.since("7.2")
def test_encoding(do: Transcript) -> None:
    do("SADD", "s", *range(512))
    assert encoding(do, "s") == "intset"
    do("SADD", "s", 512)
    assert encoding(do, "s") == "hashtable"
    do("SREM", "s", *range(1, 513))
    assert encoding(do, "s") == "hashtable"

    do("SADD", "listpack", *range(127), "x")
    assert encoding(do, "listpack") == "listpack"
    do("SADD", "listpack", 1, "y" * 64)
    assert encoding(do, "listpack") == "hashtable"
    do("SADD", "late", *range(127))
    do("SADD", "late", "x")
    assert encoding(do, "late") == "listpack"
    do("SADD", "too late", *range(128))
    do("SADD", "too late", "x")
    assert encoding(do, "too late") == "hashtable"
    do("SADD", "short", "x" * 64)
    do("SADD", "long", "x" * 65)
    assert [encoding(do, "short"), encoding(do, "long")] == ["listpack", "hashtable"]
    # The encoding changes back only if the set becomes empty.
    do("SREM", "long", "x" * 65)
    do("SADD", "long", "1")
    assert encoding(do, "long") == "intset"


@pytest.mark.since("7.2")
def test_encoding_by_the_number_of_arguments(do: Transcript) -> None:
    for key, arguments, expected in (
        ("a", ["1"] * 512, "intset"),
        ("b", ["1"] * 513, "hashtable"),
        ("c", ["x"] * 128, "listpack"),
        ("d", ["x"] * 129, "hashtable"),
        ("e", ["1", *"x" * 128], "listpack"),  # starts as an intset, because the first member is an integer
    ):
        do("SADD", key, *arguments)
        assert encoding(do, key) == expected, key
    do("SADD", "a", *["1"] * 513)
    do("SADD", "c", *["x"] * 129)
    assert [encoding(do, "a"), encoding(do, "c")] == ["hashtable", "hashtable"]


@pytest.mark.since("7.2")
def test_encoding_of_what_a_big_pop_leaves(do: Transcript) -> None:
    for key in ("a", "b"):
        do("SADD", key, *(f"m{number}" for number in range(600)))
    do("SPOP", "a", 499)
    do("SPOP", "b", 500)
    assert [encoding(do, "a"), encoding(do, "b")] == ["hashtable", "listpack"]


@pytest.mark.since("7.2")
def test_encoding_by_other_limits(do: Transcript) -> None:
    names = ("set-max-intset-entries", "set-max-listpack-entries", "set-max-listpack-value")
    try:
        do("CONFIG", "SET", names[0], 4, names[1], 3, names[2], 2)
        for key, arguments, expected in (
            ("a", "1 2 3 4", "intset"),
            ("b", "1 2 3 4 5", "hashtable"),
            ("c", "1 2 x", "listpack"),
            ("d", "1 2 3 x", "hashtable"),
            ("e", "123 x", "hashtable"),
            ("f", "x yyy", "hashtable"),
        ):
            do("SADD", key, *arguments.split())
            assert encoding(do, key) == expected, key
    finally:
        do("CONFIG", "SET", names[0], 512, names[1], 128, names[2], 64)


def test_scan_an_intset(do: Transcript) -> None:
    do("SADD", "s", *range(40))
    everything = [b"%d" % number for number in range(40)]
    assert do("SSCAN", "s", 0, "COUNT", 1) == [b"0", everything]
    assert do("SSCAN", "s", 0, "MATCH", "?") == [b"0", everything[:10]]
    assert do("SSCAN", "none", 0, "NONSENSE") == [b"0", []]


def test_scan_errors(do: Transcript) -> None:
    do("SET", "w", "x")
    do("SADD", "s", "1")
    assert do.error("SSCAN", "w", "x", "NONSENSE") == "ERR invalid cursor"
    assert do.error("SSCAN", "none", "x") == "ERR invalid cursor"
    assert do.error("SSCAN", "w", 0, "NONSENSE") == WRONG_TYPE
    for rest in (["NONSENSE"], ["MATCH"], ["COUNT", 0], ["TYPE", "set"], ["COUNT", 5, "x"]):
        assert do.error("SSCAN", "s", 0, *rest) == SYNTAX
    assert do.error("SSCAN", "s", 0, "COUNT", "x") == NOT_AN_INTEGER
    assert do.error("SSCAN", "s") == wrong_arity("SSCAN")


def test_a_walk_meets_every_member_that_stays(do: Transcript) -> None:
    do("SADD", "s", *(f"m{number}" for number in range(1000)))
    seen: set[bytes] = set()
    cursor, step, leaving = b"0", 0, 0
    while step == 0 or cursor != b"0":
        cursor, members = do("SSCAN", "s", cursor, "COUNT", 50)
        seen.update(members)
        step += 1
        assert step < 100
        for _ in range(20):
            leaving += 1
            do("SMOVE", "s", "elsewhere", f"m{1000 - leaving}")
            do("SADD", "s", f"new{leaving}")
    assert seen >= {b"m%d" % number for number in range(1000 - leaving)}
    assert do("SCARD", "elsewhere") == leaving


def test_a_walk_goes_on_after_most_members_were_popped(do: Transcript) -> None:
    do("SADD", "s", *(f"m{number}" for number in range(1000)))
    cursor, members = do("SSCAN", "s", 0, "COUNT", 900)
    seen = set(members)
    assert cursor != b"0"
    do("SPOP", "s", 840)
    while cursor != b"0":
        cursor, members = do("SSCAN", "s", cursor, "COUNT", 10)
        seen.update(members)
    assert seen >= set(do("SMEMBERS", "s"))


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect)
    do("SADD", "s", "a", "b", "c", "d")
    do("SADD", "s", "a")
    assert events() == [(0, "new", "s"), (0, "sadd", "s")]
    do("SREM", "s", "none")
    do("SREM", "s", "d", "none")
    do("SPOP", "s", 0)
    do("SPOP", "s")
    assert events() == [(0, "srem", "s"), (0, "spop", "s")]
    do("SPOP", "s", 2)
    assert events() == [(0, "spop", "s"), (0, "del", "s")]
    do("SADD", "s", "a", "b")
    assert do("SREM", "s", "a", "b") == 2
    assert events()[-2:] == [(0, "srem", "s"), (0, "del", "s")]


def test_events_of_two_keys(do: Transcript, connect: type[Connection]) -> None:
    do("SADD", "a", "1", "2")
    do("SADD", "b", "2")
    events = Events(do, connect, "EA")
    do("SMOVE", "a", "b", "1")
    do("SMOVE", "b", "b", "1")
    assert events() == [(0, "srem", "a"), (0, "sadd", "b")]
    do("SMOVE", "a", "b", "2")  # a member that "b" already has
    assert events() == [(0, "srem", "a"), (0, "del", "a")]
    do("SINTERSTORE", "d", "b")
    do("SUNIONSTORE", "d", "b", "none")
    do("SDIFFSTORE", "d", "b", "none")
    assert events() == [(0, "sinterstore", "d"), (0, "sunionstore", "d"), (0, "sdiffstore", "d")]
    do("SDIFFSTORE", "d", "b", "b")
    do("SUNIONSTORE", "d", "none")
    assert events() == [(0, "del", "d")]
