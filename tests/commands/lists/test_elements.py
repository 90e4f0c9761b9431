"""Lists, as a redis-cli session shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"


def test_push_and_range(do: Transcript) -> None:
    assert do("RPUSH", "l", "a", "b") == 2
    assert do("LPUSH", "l", "c", "d") == 4
    assert do("LRANGE", "l", 0, -1) == [b"d", b"c", b"a", b"b"]
    assert do("LRANGE", "l", -2, 100) == [b"a", b"b"]
    assert do("LRANGE", "l", 2, 1) == []
    assert do("LRANGE", "none", 0, -1) == []
    assert do("LLEN", "l") == 4
    assert do("LPUSHX", "none", "a") == 0
    assert do("RPUSHX", "l", "e") == 5
    assert do("LPUSHX", "l", "f") == 6


def test_push_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    for command in ("LPUSH", "RPUSH", "LPUSHX", "RPUSHX"):
        assert do.error(command, "s", "a") == WRONG_TYPE
        assert do.error(command, "s") == f"ERR wrong number of arguments for '{command.lower()}' command"
    assert do.error("LLEN", "s") == WRONG_TYPE
    assert do.error("LRANGE", "s", "a", "b") == NOT_AN_INTEGER
    assert do.error("LRANGE", "s", 0, 1) == WRONG_TYPE


def test_pop(do: Transcript) -> None:
    do("RPUSH", "l", *"abcdef")
    assert do("LPOP", "l") == b"a"
    assert do("RPOP", "l") == b"f"
    assert do("LPOP", "l", 0) == []
    assert do("LPOP", "l", 2) == [b"b", b"c"]
    assert do("RPOP", "l", 10) == [b"e", b"d"]
    assert do("EXISTS", "l") == 0
    assert do("LPOP", "l") is None
    assert do("LPOP", "l", 1) is None


def test_pop_errors(do: Transcript) -> None:
    do("SET", "s", "x")
    assert do.error("LPOP", "s") == WRONG_TYPE
    assert do.error("LPOP", "s", -1) == "ERR value is out of range, must be positive"
    assert do.error("RPOP", "s", "x") == "ERR value is out of range, must be positive"
    assert do.error("LPOP", "s", 1, 2) == "ERR wrong number of arguments for 'lpop' command"


def test_index_and_set(do: Transcript) -> None:
    do("RPUSH", "l", *"abc")
    assert do("LINDEX", "l", 0) == b"a"
    assert do("LINDEX", "l", -1) == b"c"
    assert do("LINDEX", "l", 3) is None
    assert do("LINDEX", "none", "x") is None
    assert do("LSET", "l", -2, "B") == "OK"
    assert do("LRANGE", "l", 0, -1) == [b"a", b"B", b"c"]


def test_index_and_set_errors(do: Transcript) -> None:
    do("RPUSH", "l", "a")
    do("SET", "s", "x")
    assert do.error("LINDEX", "s", 0) == WRONG_TYPE
    assert do.error("LINDEX", "l", "x") == NOT_AN_INTEGER
    assert do.error("LSET", "none", "x", "y") == "ERR no such key"
    assert do.error("LSET", "l", "x", "y") == NOT_AN_INTEGER
    assert do.error("LSET", "l", 1, "y") == "ERR index out of range"
    assert do.error("LSET", "s", 0, "y") == WRONG_TYPE


def test_trim_insert_and_remove(do: Transcript) -> None:
    do("RPUSH", "l", *"abcabc")
    assert do("LINSERT", "l", "before", "b", "x") == 7
    assert do("LINSERT", "l", "AFTER", "c", "y") == 8
    assert do("LINSERT", "l", "AFTER", "none", "y") == -1
    assert do("LINSERT", "none", "AFTER", "a", "y") == 0
    assert do("LRANGE", "l", 0, -1) == [b"a", b"x", b"b", b"c", b"y", b"a", b"b", b"c"]
    assert do("LREM", "l", -1, "a") == 1
    assert do("LREM", "l", 1, "b") == 1
    assert do("LREM", "l", 0, "c") == 2
    assert do("LREM", "l", 0, "none") == 0
    assert do("LREM", "none", 0, "a") == 0
    assert do("LRANGE", "l", 0, -1) == [b"a", b"x", b"y", b"b"]
    assert do("LTRIM", "l", 1, -2) == "OK"
    assert do("LRANGE", "l", 0, -1) == [b"x", b"y"]
    assert do("LTRIM", "l", 5, 9) == "OK"
    assert do("EXISTS", "l") == 0
    do("SET", "s", "x")
    assert do.error("LINSERT", "s", "sideways", "a", "b") == "ERR syntax error"
    assert do.error("LINSERT", "s", "BEFORE", "a", "b") == WRONG_TYPE
    assert do.error("LREM", "s", "x", "a") == NOT_AN_INTEGER
    assert do.error("LREM", "s", 1, "a") == WRONG_TYPE
    assert do.error("LTRIM", "s", 1, "a") == NOT_AN_INTEGER
    assert do.error("LTRIM", "s", 1, 2) == WRONG_TYPE


def test_lpos(do: Transcript) -> None:
    do("RPUSH", "l", *"abcabca")
    assert do("LPOS", "l", "a") == 0
    assert do("LPOS", "l", "a", "RANK", 2) == 3
    assert do("LPOS", "l", "a", "RANK", -1) == 6
    assert do("LPOS", "l", "a", "COUNT", 0) == [0, 3, 6]
    assert do("LPOS", "l", "a", "COUNT", 2, "RANK", -2) == [3, 0]
    assert do("LPOS", "l", "c", "MAXLEN", 2) is None
    assert do("LPOS", "l", "c", "MAXLEN", 2, "COUNT", 1) == []
    assert do("LPOS", "none", "a") is None
    assert do("LPOS", "none", "a", "COUNT", 1) == []
    do("SET", "s", "x")
    assert do.error("LPOS", "s", "a") == WRONG_TYPE
    assert do.error("LPOS", "s", "a", "RANK") == "ERR syntax error"
    assert do.error("LPOS", "s", "a", "COUNT", -1) == "ERR COUNT can't be negative"
    assert do.error("LPOS", "s", "a", "MAXLEN", -1) == "ERR MAXLEN can't be negative"
    assert do.error("LPOS", "s", "a", "RANK", 0).startswith("ERR RANK can't be zero: ")


def test_move(do: Transcript) -> None:
    do("RPUSH", "a", *"123")
    assert do("LMOVE", "a", "b", "LEFT", "RIGHT") == b"1"
    assert do("RPOPLPUSH", "a", "b") == b"3"
    assert do("LRANGE", "b", 0, -1) == [b"3", b"1"]
    assert do("LMOVE", "b", "b", "right", "left") == b"1"
    assert do("LRANGE", "b", 0, -1) == [b"1", b"3"]
    assert do("LMOVE", "a", "b", "LEFT", "LEFT") == b"2"
    assert do("EXISTS", "a") == 0
    assert do("LMOVE", "a", "b", "LEFT", "LEFT") is None
    do("SET", "s", "x")
    assert do.error("LMOVE", "b", "s", "LEFT", "UP") == "ERR syntax error"
    assert do.error("LMOVE", "b", "s", "LEFT", "LEFT") == WRONG_TYPE
    assert do.error("RPOPLPUSH", "s", "b") == WRONG_TYPE
    assert do("LLEN", "b") == 3


def test_lmpop(do: Transcript) -> None:
    do("RPUSH", "b", *"123")
    assert do("LMPOP", 2, "a", "b", "LEFT") == [b"b", [b"1"]]
    assert do("LMPOP", 2, "a", "b", "RIGHT", "COUNT", 5) == [b"b", [b"3", b"2"]]
    assert do("LMPOP", 2, "a", "b", "RIGHT") is None
    do("SET", "s", "x")
    assert do.error("LMPOP", 0, "a", "LEFT") == "ERR numkeys should be greater than 0"
    assert do.error("LMPOP", 2, "a", "LEFT") == "ERR syntax error"
    assert do.error("LMPOP", 1, "a", "UP") == "ERR syntax error"
    assert do.error("LMPOP", 1, "a", "LEFT", "COUNT", 0) == "ERR count should be greater than 0"
    assert do.error("LMPOP", 1, "s", "LEFT") == WRONG_TYPE


@pytest.mark.since("7.2")
@pytest.mark.since("7.2")
def test_encoding_follows_the_size(do: Transcript) -> None:
    do("RPUSH", "l", *"abc")
    assert do("OBJECT", "ENCODING", "l") == b"listpack"
    do("RPUSH", "l", "x" * 9000)
    assert do("OBJECT", "ENCODING", "l") == b"quicklist"


@pytest.fixture
def limit(do: Transcript) -> Iterator[Callable[[int], None]]:
    """Set `list-max-listpack-size`; the default is restored after the test."""

    def set_limit(size: int) -> None:
        assert do("CONFIG", "SET", "list-max-listpack-size", size) == "OK"

    yield set_limit
    set_limit(-2)


def _encoding(do: Transcript, key: str = "l") -> str:
    return do("OBJECT", "ENCODING", key).decode()


# Encodings as they are since 7.2; in 7.0 all lists are quicklists.


@pytest.mark.since("7.2")
def test_a_number_of_elements_limits_a_listpack(do: Transcript, limit: Callable[[int], None]) -> None:
    limit(3)
    do("RPUSH", "l", *"abc")
    assert _encoding(do) == "listpack"
    # Redis makes room for one more element before it checks the index, even if it is out of range.
    assert do.error("LSET", "l", 7, "x") == "ERR index out of range"
    assert _encoding(do) == "quicklist"
    do("RPOP", "l", 2)
    assert _encoding(do) == "listpack"
    do("RPUSH", "l", "b", "c")
    assert do("LINSERT", "l", "BEFORE", "missing", "x") == -1
    assert _encoding(do) == "quicklist"
    do("LSET", "l", 0, "x")
    do("LTRIM", "l", 0, 1)
    assert _encoding(do) == "quicklist"
    do("LREM", "l", 0, "b")
    assert _encoding(do) == "listpack"


@pytest.mark.since("7.2")
def test_moving_within_one_list_keeps_its_encoding(do: Transcript, limit: Callable[[int], None]) -> None:
    limit(6)
    do("RPUSH", "l", *"abcdef")
    assert do("LMOVE", "l", "l", "LEFT", "RIGHT") == b"a"
    assert _encoding(do) == "listpack"
    limit(8)
    do("RPUSH", "m", *"abcdefghi")
    do("LTRIM", "m", 0, 4)
    assert _encoding(do, "m") == "quicklist"
    # Between the two steps of LMOVE, the list is short enough for a listpack.
    do("LMOVE", "m", "m", "LEFT", "LEFT")
    assert _encoding(do, "m") == "quicklist"
    do("LPOP", "m")
    assert _encoding(do, "m") == "listpack"


@pytest.mark.since("7.2")
def test_bytes_limit_a_listpack(do: Transcript, limit: Callable[[int], None]) -> None:
    for size in (-2, 128):
        limit(size)
        do("DEL", "l")
        do("RPUSH", "l", *["x" * 1000] * 8)
        assert _encoding(do) == "listpack"
        do("RPUSH", "l", "x" * 200)
        assert _encoding(do) == "quicklist"
        do("RPOP", "l", 2)
        assert _encoding(do) == ("quicklist" if size < 0 else "listpack")
        do("LTRIM", "l", 0, 3)
        assert _encoding(do) == "listpack"
        do("LSET", "l", 0, "x" * 9000)
        assert _encoding(do) == "quicklist"


@pytest.mark.since("7.2")
def test_a_list_is_compact_again_after_a_smaller_replacement(do: Transcript) -> None:
    do("RPUSH", "l", "x" * 3000, "y" * 3000)
    do("LSET", "l", 0, "x" * 6000)
    assert _encoding(do) == "quicklist"
    do("LSET", "l", 0, "x")
    assert _encoding(do) == "listpack"


@pytest.mark.since("7.2")
@pytest.mark.parametrize(
    ("element", "size"),
    [("7", 2), ("-1", 3), ("a", 3), ("128", 3), ("5000", 4), ("-9000000", 6), ("9" * 18, 10), ("9" * 19, 21)],
)
def test_entries_are_as_large_as_in_redis(do: Transcript, element: str, size: int) -> None:
    """A list becomes compact again when its elements fit in half of the default limit, 8 KB."""
    fitting = (4096 - 7) // size
    do("RPUSH", "l", *[element] * (fitting + 1))
    do("RPUSH", "l", "x" * 4096)
    do("RPOP", "l")
    assert _encoding(do) == "quicklist"
    do("RPOP", "l")
    assert _encoding(do) == "listpack"
