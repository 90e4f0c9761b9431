"""Strings, as a redis-cli session shows them."""

from __future__ import annotations

import pytest

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.commands.args import Args
from respcache.commands.table import TABLE
from respcache.store.shard import Shard
from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
SYNTAX = "ERR syntax error"
OVERFLOW = "ERR increment or decrement would overflow"
TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
# With three shards, the first three keys live on different ones.
SPREAD = ("a", "b", "c", "d", "e", "f")


def invalid_expire(name: str) -> str:
    return f"ERR invalid expire time in '{name}' command"


def test_set_and_get(do: Transcript) -> None:
    assert do("SET", "k", "v") == "OK"
    assert do("GET", "k") == b"v"
    assert do("SET", "k", b"\x00\xff\r\n") == "OK"
    assert do("GET", "k") == b"\x00\xff\r\n"
    assert do("GET", "none") is None
    do("RPUSH", "k2", "x")
    assert do("SET", "k2", "now a string") == "OK"
    assert do("TYPE", "k2") == "string"


def test_set_if(do: Transcript) -> None:
    assert do("SET", "k", "1", "XX") is None
    assert do("SET", "k", "1", "nx") == "OK"
    assert do("SET", "k", "2", "NX") is None
    assert do("SET", "k", "3", "XX") == "OK"
    assert do("GET", "k") == b"3"


def test_set_and_return_the_old_value(do: Transcript) -> None:
    assert do("SET", "k", "1", "GET") is None
    assert do("SET", "k", "2", "GET") == b"1"
    assert do("SET", "k", "3", "NX", "GET") == b"2"
    assert do("SET", "none", "3", "XX", "GET") is None
    assert do("GET", "k") == b"2"
    assert do("EXISTS", "none") == 0
    do("RPUSH", "l", "x")
    assert do.error("SET", "l", "v", "GET") == WRONG_TYPE
    assert do("TYPE", "l") == "list"


@pytest.mark.parametrize(
    ("option", "amount", "left"),
    [("EX", 100, 100_000), ("PX", 5_000, 5_000), ("EXAT", 4_000_000_000, None), ("PXAT", 4_000_000_000_000, None)],
)
def test_set_with_expiry(do: Transcript, option: str, amount: int, left: int | None) -> None:
    assert do("SET", "k", "v", option, amount) == "OK"
    if left is None:
        assert do("PEXPIRETIME", "k") == 4_000_000_000_000
    else:
        assert left - 2_000 < do("PTTL", "k") <= left
    assert do("SET", "k", "v2", "KEEPTTL") == "OK"
    assert do("PTTL", "k") > 0
    assert do("SET", "k", "v3") == "OK"
    assert do("PTTL", "k") == -1


def test_keepttl_keeps_nothing_of_a_key_that_has_expired() -> None:
    """The key is still there: the tick that removes it comes later."""
    shard = Shard()
    run = TABLE[b"SET"].handler
    shard.set_time(1_000)
    run(shard, Args([b"SET", b"k", b"old", b"PX", b"10"]))
    shard.set_time(2_000)
    run(shard, Args([b"SET", b"k", b"new", b"KEEPTTL"]))
    assert shard.find_string(b"k") == b"new"
    assert shard.deadline(b"k") is None


@pytest.mark.respcache_only(reason="lets time pass")
def test_set_expires(do: Transcript) -> None:
    do("SET", "k", "v", "PX", 1000)
    do("SETEX", "k2", 2, "v")
    do("PSETEX", "k3", 3000, "v")
    assert do("MGET", "k", "k2", "k3") == [b"v"] * 3
    do.advance(1001)
    assert do("MGET", "k", "k2", "k3") == [None, b"v", b"v"]
    do.advance(1000)
    assert do("MGET", "k", "k2", "k3") == [None, None, b"v"]
    do.advance(1000)
    assert do("DBSIZE") == 0
    assert do("SET", "k", "v", "NX") == "OK"


def test_set_in_the_past(do: Transcript) -> None:
    do("SET", "k", "old")
    assert do("SET", "k", "v", "PXAT", 1) == "OK"
    assert do("GET", "k") is None
    assert do("DBSIZE") == 0


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("SET", "k", "v", "NX", "XX"), SYNTAX),
        (("SET", "k", "v", "EX"), SYNTAX),
        (("SET", "k", "v", "EX", "1", "PX", "1"), SYNTAX),
        (("SET", "k", "v", "EX", "1", "KEEPTTL"), SYNTAX),
        (("SET", "k", "v", "KEEPTTL", "EX", "1"), SYNTAX),
        (("SET", "k", "v", "PERSIST"), SYNTAX),
        (("SET", "k", "v", "nonsense"), SYNTAX),
        (("SET", "k", "v", "EX", "x"), NOT_AN_INTEGER),
        (("SET", "k", "v", "EX", "1.5"), NOT_AN_INTEGER),
        (("SET", "k", "v", "EX", "0"), invalid_expire("set")),
        (("SET", "k", "v", "PX", "-1"), invalid_expire("set")),
        (("SET", "k", "v", "EX", "9223372036854775807"), invalid_expire("set")),
        (("SET", "k", "v", "EX", "x", "nonsense"), SYNTAX),
        (("SETEX", "k", "0", "v"), invalid_expire("setex")),
        (("SETEX", "k", "x", "v"), NOT_AN_INTEGER),
        (("PSETEX", "k", "-5", "v"), invalid_expire("psetex")),
        (("GETEX", "k", "EX", "0"), invalid_expire("getex")),
        (("GETEX", "k", "EX", "x"), NOT_AN_INTEGER),
        (("GETEX", "k", "EX", "10", "PERSIST"), SYNTAX),
        (("GETEX", "k", "NX"), SYNTAX),
        (("SET", "k"), "ERR wrong number of arguments for 'set' command"),
        (("GET", "k", "k2"), "ERR wrong number of arguments for 'get' command"),
    ],
)
def test_errors_change_nothing(do: Transcript, words: tuple[str, ...], error: str) -> None:
    do("SET", "k", "before")
    assert do.error(*words) == error
    assert do("GET", "k") == b"before"
    assert do("TTL", "k") == -1


def test_setnx_and_getset(do: Transcript) -> None:
    assert do("SETNX", "k", "1") == 1
    assert do("SETNX", "k", "2") == 0
    assert do("GETSET", "k", "3") == b"1"
    assert do("GETSET", "none", "3") is None
    do("EXPIRE", "k", 100)
    assert do("GETSET", "k", "4") == b"3"
    assert do("TTL", "k") == -1
    do("SADD", "s", "x")
    assert do("SETNX", "s", "v") == 0
    assert do.error("GETSET", "s", "v") == WRONG_TYPE


def test_getdel(do: Transcript) -> None:
    do("SET", "k", "v")
    assert do("GETDEL", "k") == b"v"
    assert do("GETDEL", "k") is None
    do("SADD", "s", "x")
    assert do.error("GETDEL", "s") == WRONG_TYPE
    assert do("EXISTS", "s") == 1


def test_getex(do: Transcript) -> None:
    do("SET", "k", "v")
    assert do("GETEX", "k") == b"v"
    assert do("TTL", "k") == -1
    assert do("GETEX", "k", "EX", 100) == b"v"
    assert 98 <= do("TTL", "k") <= 100
    assert do("GETEX", "k", "PERSIST") == b"v"
    assert do("TTL", "k") == -1
    assert do("GETEX", "k", "PXAT", 4_000_000_000_000) == b"v"
    assert do("EXPIRETIME", "k") == 4_000_000_000
    assert do("GETEX", "none", "EX", 1) is None
    assert do("GETEX", "k", "EXAT", 1) == b"v"
    assert do("EXISTS", "k") == 0
    do("SADD", "s", "x")
    assert do.error("GETEX", "s", "EX", 10) == WRONG_TYPE


def test_the_last_of_repeated_expiries_counts(do: Transcript) -> None:
    for option, unit in (("EX", 1000), ("PX", 1), ("EXAT", 1000), ("PXAT", 1)):
        soon, late, ask = (4 * 10**12, 5 * 10**12, "PEXPIRETIME") if "AT" in option else (10**5, 10**6, "PTTL")
        assert do("SET", "k", "v", option, soon // unit, option.lower(), late // unit) == "OK"
        assert late - 20_000 < do(ask, "k") <= late
        assert do("GETEX", "k", option, late // unit, option, soon // unit) == b"v"
        assert soon - 20_000 < do(ask, "k") <= soon
    # The words are parsed first, then the last number, and then the key is checked.
    do("RPUSH", "l", "x")
    assert do("SET", "k", "v", "EX", "none", "EX", 10) == "OK"
    assert do("SET", "k", "v", "PX", "PXAT", "PX", 10_000) == "OK"
    assert do.error("SET", "k", "v", "PX", "PXAT", "PX", "d") == NOT_AN_INTEGER
    assert do.error("SET", "k", "v", "EX", 10, "EX", 0) == invalid_expire("set")
    assert do.error("SET", "k", "v", "EX", 10, "PX", 10) == SYNTAX
    assert do.error("SET", "k", "v", "EX", 10, "EX") == SYNTAX
    assert do.error("SET", "k", "v", "EX", 10, "EX", 10, "KEEPTTL") == SYNTAX
    assert do.error("GETEX", "k", "EX", 10, "EX", 10, "PERSIST") == SYNTAX
    assert do.error("GETEX", "k", "PERSIST", "EX", 10) == SYNTAX
    assert do.error("GETEX", "k", "EX", 10, "EX", "x") == NOT_AN_INTEGER
    assert do.error("GETEX", "l", "EX", 10, "EX", "x") == WRONG_TYPE
    assert do("GETEX", "none", "EX", 10, "EX", "x") is None


def test_many_keys_on_all_shards(do: Transcript) -> None:
    words = [word for key in SPREAD for word in (key, f"value of {key}")]
    assert do("MSET", *words) == "OK"
    assert do("MGET", *SPREAD) == [f"value of {key}".encode() for key in SPREAD]
    assert do("MGET", "a", "none", "a", "f") == [b"value of a", None, b"value of a", b"value of f"]
    do("DEL", "b")
    do("RPUSH", "b", "x")
    assert do("MGET", "a", "b") == [b"value of a", None]
    assert do("MSET", "a", "1", "b", "2", "a", "3") == "OK"
    assert do("MGET", "a", "b") == [b"3", b"2"]
    for words in (["a"], ["a", "1", "b"]):
        assert do.error("MSET", *words) == "ERR wrong number of arguments for 'mset' command"


def test_msetnx_sets_all_or_none(do: Transcript) -> None:
    assert do("MSETNX", "a", "1", "b", "2", "c", "3") == 1
    assert do("MSETNX", "d", "4", "e", "5", "c", "6") == 0
    assert do("MGET", *SPREAD) == [b"1", b"2", b"3", None, None, None]
    assert do("MSETNX", "d", "1", "d", "2") == 1
    assert do("GET", "d") == b"2"
    assert do.error("MSETNX", "x", "1", "y") == "ERR wrong number of arguments for 'msetnx' command"


def test_append_and_length(do: Transcript) -> None:
    assert do("APPEND", "k", "Hello") == 5
    assert do("APPEND", "k", "") == 5
    assert do("APPEND", "k", ", world") == 12
    assert do("GET", "k") == b"Hello, world"
    assert do("STRLEN", "k") == 12
    assert do("STRLEN", "none") == 0
    do("SET", "n", 10)
    assert do("APPEND", "n", "0") == 3
    assert do("INCR", "n") == 101
    do("SADD", "s", "x")
    assert do.error("APPEND", "s", "x") == WRONG_TYPE
    assert do.error("STRLEN", "s") == WRONG_TYPE


def test_a_value_that_was_read_does_not_change_afterwards(do: Transcript) -> None:
    do("SET", "k", "abc")
    do("APPEND", "k", "d")
    first, _, second = do.connection.pipeline(("GET", "k"), ("SETRANGE", "k", 0, "X"), ("GET", "k"))
    assert (first, second) == (b"abcd", b"Xbcd")
    do("COPY", "k", "k2")
    do("SETRANGE", "k", 0, "Y")
    assert do("GET", "k2") == b"Xbcd"


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, -1, b"This is a string"), (0, 3, b"This"), (-3, -1, b"ing"), (10, 100, b"string"), (5, 3, b""),
     (-100, 3, b"This"), (-1, -100, b""), (16, 20, b""), (0, 0, b"T"), (-100, -100, b"T"), (0, -100, b"T")],
)  # fmt: skip
def test_getrange(do: Transcript, start: int, end: int, expected: bytes) -> None:
    do("SET", "k", "This is a string")
    assert do("GETRANGE", "k", start, end) == expected
    assert do("SUBSTR", "k", start, end) == expected


def test_getrange_of_other_types(do: Transcript) -> None:
    assert do("GETRANGE", "none", 0, -1) == b""
    do("SADD", "s", "x")
    assert do.error("GETRANGE", "s", 0, -1) == WRONG_TYPE
    assert do.error("GETRANGE", "s", "x", -1) == NOT_AN_INTEGER
    do("SET", "n", 12345)
    assert do("GETRANGE", "n", 1, 3) == b"234"


def test_setrange(do: Transcript) -> None:
    do("SET", "k", "Hello World")
    assert do("SETRANGE", "k", 6, "Redis") == 11
    assert do("GET", "k") == b"Hello Redis"
    assert do("SETRANGE", "new", 3, "x") == 4
    assert do("GET", "new") == b"\0\0\0x"
    assert do("SETRANGE", "k", 20, "") == 11
    assert do("SETRANGE", "none", 5, "") == 0
    assert do("EXISTS", "none") == 0
    assert do.error("SETRANGE", "k", -1, "x") == "ERR offset is out of range"
    assert do.error("SETRANGE", "k", "x", "x") == NOT_AN_INTEGER
    assert do.error("SETRANGE", "k", 536870912, "x") == TOO_LONG
    do("SADD", "s", "x")
    assert do.error("SETRANGE", "s", 0, "x") == WRONG_TYPE


def test_counting(do: Transcript) -> None:
    assert do("INCR", "n") == 1
    assert do("INCRBY", "n", 41) == 42
    assert do("DECR", "n") == 41
    assert do("DECRBY", "n", 100) == -59
    assert do("GET", "n") == b"-59"
    do("EXPIRE", "n", 100)
    do("INCR", "n")
    assert do("TTL", "n") > 0


@pytest.mark.parametrize("value", ["x", "", " 1", "1 ", "+1", "01", "1.0", "9223372036854775808", "1_0"])
def test_counting_from_a_value_that_is_not_an_integer(do: Transcript, value: str) -> None:
    do("SET", "n", value)
    assert do.error("INCR", "n") == NOT_AN_INTEGER
    assert do.error("INCRBY", "other", value) == NOT_AN_INTEGER
    assert do("GET", "n") == value.encode()


def test_counting_to_the_limits(do: Transcript) -> None:
    do("SET", "n", (1 << 63) - 2)
    assert do("INCR", "n") == (1 << 63) - 1
    assert do.error("INCR", "n") == OVERFLOW
    do("SET", "n", -(1 << 63))
    assert do.error("DECR", "n") == OVERFLOW
    assert do.error("DECRBY", "n", -(1 << 63)) == "ERR decrement would overflow"
    assert do("INCRBY", "n", (1 << 63) - 1) == -1
    do("SADD", "s", "x")
    assert do.error("INCR", "s") == WRONG_TYPE


@pytest.mark.parametrize(
    ("value", "increment", "expected"),
    [("10.50", "0.1", b"10.6"), ("5.0e3", "2.0e2", b"5200"), ("0", "1.23", b"1.23"), ("3", "-1.5", b"1.5"),
     ("1", "-1", b"0"), ("0.1", "0.2", b"0.3"), ("1e20", "1", b"100000000000000000000"),
     ("-0.5", "0.5", b"0"), ("4611686018427387904", "0.5", b"4611686018427387904.5")],
)  # fmt: skip
def test_incrbyfloat(do: Transcript, value: str, increment: str, expected: bytes) -> None:
    do("SET", "n", value)
    assert do("INCRBYFLOAT", "n", increment) == expected
    assert do("GET", "n") == expected


def test_incrbyfloat_errors(do: Transcript) -> None:
    do("SET", "n", "x")
    assert do.error("INCRBYFLOAT", "n", "1") == NOT_A_FLOAT
    do("SET", "n", "1")
    for increment in ("x", "", "nan", " 1", "1 "):
        assert do.error("INCRBYFLOAT", "n", increment) == NOT_A_FLOAT
    assert do.error("INCRBYFLOAT", "n", "inf") == "ERR increment would produce NaN or Infinity"
    do("SADD", "s", "x")
    assert do.error("INCRBYFLOAT", "s", "1") == WRONG_TYPE


def test_encodings(do: Transcript) -> None:
    for value, encoding in (
        ("12345", b"int"),
        ("-9223372036854775808", b"int"),
        ("9223372036854775808", b"embstr"),
        ("012", b"embstr"),
        ("", b"embstr"),
        ("x" * 44, b"embstr"),
        ("x" * 45, b"raw"),
    ):
        do("SET", "k", value)
        assert do("OBJECT", "ENCODING", "k") == encoding, value
    do("SET", "k", "short")
    do("APPEND", "k", "er")
    assert do("OBJECT", "ENCODING", "k") == b"raw"


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect)
    do("SET", "k", "v")
    do("SET", "k", "v", "EX", 100)
    do("APPEND", "k", "x")
    do("SETRANGE", "k", 0, "x")
    do("GETEX", "k", "PERSIST")
    do("GETEX", "k", "EX", 10)
    do("GETDEL", "k")
    do("INCR", "n")
    do("INCRBYFLOAT", "n", "1.5")
    # Both keys are on one shard: the parts of a split command may report their events in any order.
    do("MSET", "{n}a", "1", "{n}b", "2")
    assert events() == [
        (0, "new", "k"), (0, "set", "k"), (0, "set", "k"), (0, "expire", "k"), (0, "append", "k"), (0, "setrange", "k"),
        (0, "persist", "k"), (0, "expire", "k"), (0, "del", "k"), (0, "new", "n"), (0, "incrby", "n"),
        (0, "incrbyfloat", "n"), (0, "new", "{n}a"), (0, "set", "{n}a"), (0, "new", "{n}b"), (0, "set", "{n}b"),
    ]  # fmt: skip
