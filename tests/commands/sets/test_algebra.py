"""Operations on several sets, as a redis-cli session shows them."""

from __future__ import annotations

import pytest

from tests.commands.sets.replies import encoding, found
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"


def wrong_arity(command: str) -> str:
    return f"ERR wrong number of arguments for '{command.lower()}' command"


@pytest.fixture
def sets(do: Transcript) -> Transcript:
    """Three small sets, one of them an intset, and a key of another type."""
    do("SADD", "a", "1", "2", "3", "x", "y")
    do("SADD", "b", "2", "3", "4")
    do("SADD", "c", "3", "x", "z")
    do("SET", "w", "x")
    return do


def test_intersection(sets: Transcript) -> None:
    do = sets
    assert found(do, "SINTER", "a") == [b"1", b"2", b"3", b"x", b"y"]
    assert found(do, "SINTER", "a", "b") == [b"2", b"3"]
    assert found(do, "SINTER", "a", "b", "c", "a") == [b"3"]
    assert found(do, "SINTER", "a", "none") == []
    assert do("SINTERSTORE", "d", "a", "c") == 2
    assert found(do, "SMEMBERS", "d") == [b"3", b"x"]
    assert do("SINTERSTORE", "d", "b", "none") == 0
    assert do("EXISTS", "d") == 0


def test_intersection_size(sets: Transcript) -> None:
    do = sets
    assert do("SINTERCARD", 1, "a") == 5
    assert do("SINTERCARD", 2, "a", "b") == 2
    assert do("SINTERCARD", 2, "a", "b", "LIMIT", 1) == 1
    assert do("SINTERCARD", 2, "a", "b", "limit", 0) == 2
    assert do("SINTERCARD", 2, "a", "b", "LIMIT", 9) == 2
    assert do("SINTERCARD", 2, "a", "b", "LIMIT", 1, "LIMIT", 2) == 2
    assert do("SINTERCARD", 3, "a", "none", "b") == 0


def test_union(sets: Transcript) -> None:
    do = sets
    assert found(do, "SUNION", "b", "none", "c", "b") == [b"2", b"3", b"4", b"x", b"z"]
    assert found(do, "SUNION", "none") == []
    assert do("SUNIONSTORE", "d", "a", "b") == 6
    assert found(do, "SMEMBERS", "d") == [b"1", b"2", b"3", b"4", b"x", b"y"]
    assert do("SUNIONSTORE", "d", "none") == 0
    assert do("EXISTS", "d") == 0


def test_difference(sets: Transcript) -> None:
    do = sets
    assert found(do, "SDIFF", "a") == [b"1", b"2", b"3", b"x", b"y"]
    assert found(do, "SDIFF", "a", "b") == [b"1", b"x", b"y"]
    assert found(do, "SDIFF", "a", "none", "c", "b") == [b"1", b"y"]
    assert found(do, "SDIFF", "a", "b", "a") == []
    assert found(do, "SDIFF", "none", "a") == []
    # To subtract many small sets from a large one, another algorithm is used.
    do("SADD", "big", *range(100))
    assert len(found(do, "SDIFF", "big", *"bcbcb")) == 97
    assert do("SDIFFSTORE", "d", "a", "c") == 3
    assert found(do, "SMEMBERS", "d") == [b"1", b"2", b"y"]
    assert do("SDIFFSTORE", "d", "b", "b") == 0
    assert do("EXISTS", "d") == 0


def test_a_destination_is_replaced_whatever_it_was(sets: Transcript) -> None:
    do = sets
    do("EXPIRE", "a", 100)
    assert do("SUNIONSTORE", "a", "a", "c") == 6
    assert do("TTL", "a") == -1
    assert do("SINTERSTORE", "w", "a", "b") == 2
    assert do("TYPE", "w") == "set"
    assert do("SDIFFSTORE", "b", "c", "b") == 2
    assert found(do, "SMEMBERS", "b") == [b"x", b"z"]
    do("SET", "w", "x")
    assert do("SINTERSTORE", "w", "none", "a") == 0
    assert do("EXISTS", "w") == 0


def test_algebra_errors(sets: Transcript) -> None:
    do = sets
    for command in ("SINTER", "SUNION", "SDIFF"):
        # The other keys are checked even if a set is missing.
        for keys in (("w",), ("a", "w"), ("none", "w"), ("w", "none")):
            assert do.error(command, *keys) == WRONG_TYPE
            assert do.error(f"{command}STORE", "d", *keys) == WRONG_TYPE
        assert do.error(command) == wrong_arity(command)
        assert do.error(f"{command}STORE", "d") == wrong_arity(f"{command}STORE")
    assert do("EXISTS", "d") == 0
    for number in (0, -1, "x", ""):
        assert do.error("SINTERCARD", number, "w") == "ERR numkeys should be greater than 0"
    assert do.error("SINTERCARD", 2, "w") == "ERR Number of keys can't be greater than number of args"
    for limit in (-1, "x"):
        assert do.error("SINTERCARD", 1, "w", "LIMIT", limit) == "ERR LIMIT can't be negative"
    for rest in (["LIMIT"], ["x"], ["LIMIT", 1, "x"]):
        assert do.error("SINTERCARD", 1, "w", *rest) == SYNTAX
    assert do.error("SINTERCARD", 1, "w") == WRONG_TYPE


@pytest.mark.since("7.2")
def test_encoding_of_results(do: Transcript) -> None:
    do("SADD", "i", *range(300))
    do("SADD", "mixed", *range(250, 300), "x")
    do("SADD", "big", *range(600))
    do("SADD", "one", 1)
    for words, expected in (
        ("SUNIONSTORE d i", "intset"),
        ("SUNIONSTORE d i mixed", "hashtable"),
        ("SUNIONSTORE d mixed", "listpack"),
        ("SUNIONSTORE d big", "hashtable"),
        ("SINTERSTORE d i big", "intset"),
        ("SINTERSTORE d mixed i", "intset"),
        ("SINTERSTORE d mixed", "listpack"),
        ("SINTERSTORE d big", "hashtable"),
        ("SDIFFSTORE d i mixed", "intset"),
        ("SDIFFSTORE d mixed i", "listpack"),
        ("SDIFFSTORE d big i", "intset"),
        ("SDIFFSTORE d big i one one one", "hashtable"),  # here Redis removes members from a copy of "big"
    ):
        do(*words.split())
        assert encoding(do, "d") == expected, words
