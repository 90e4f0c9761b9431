"""SORT, as a redis-cli session shows it."""

from __future__ import annotations

import pytest

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.commands.args import Args
from respcache.commands.table import TABLE
from respcache.datatypes.list import List
from respcache.datatypes.zset import ZSet
from respcache.store.shard import Shard
from tests.support.cost import calls_in
from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
SYNTAX = "ERR syntax error"
NO_DOUBLE = "ERR One or more scores can't be converted into double"

# BY and GET name keys by pattern only, so the keys may be on other shards. With a common tag they are all on one shard.
TAG = "{t}"


def test_numbers(do: Transcript) -> None:
    do("RPUSH", "l", "10", "9", "-1.5", "1e3", "0x10")
    assert do("SORT", "l") == [b"-1.5", b"9", b"10", b"0x10", b"1e3"]
    assert do("SORT", "l", "DESC") == [b"1e3", b"0x10", b"10", b"9", b"-1.5"]
    assert do("SORT", "l", "desc", "asc") == [b"-1.5", b"9", b"10", b"0x10", b"1e3"]
    do("RPUSH", "ties", "1.0", "1", "01", "-0", "inf", "-inf", "")
    assert do("SORT", "ties") == [b"-inf", b"", b"-0", b"01", b"1", b"1.0", b"inf"]
    assert do("SORT", "none") == []


def test_text(do: Transcript) -> None:
    do("RPUSH", "l", "b", "a", "10", "9", "B")
    assert do("SORT", "l", "ALPHA") == [b"10", b"9", b"B", b"a", b"b"]
    assert do("SORT", "l", "ALPHA", "DESC") == [b"b", b"a", b"B", b"9", b"10"]


def test_sets_and_sorted_sets(do: Transcript) -> None:
    do("SADD", "s", 3, 1, 2)
    assert do("SORT", "s") == [b"1", b"2", b"3"]
    do("ZADD", "z", 1, 30, 2, 20, 3, 10)
    assert do("SORT", "z") == [b"10", b"20", b"30"]
    assert do("SORT", "z", "DESC", "LIMIT", 0, 2) == [b"30", b"20"]


def test_limit(do: Transcript) -> None:
    do("RPUSH", "l", *range(10))
    assert do("SORT", "l", "LIMIT", 2, 3) == [b"2", b"3", b"4"]
    assert do("SORT", "l", "LIMIT", -5, 2) == [b"0", b"1"]
    assert do("SORT", "l", "LIMIT", 8, -7) == [b"8", b"9"]
    assert do("SORT", "l", "LIMIT", 8, 100) == [b"8", b"9"]
    assert do("SORT", "l", "LIMIT", 10, 1) == []
    assert do("SORT", "l", "LIMIT", 0, 0) == []


def test_without_sorting(do: Transcript) -> None:
    do("RPUSH", "l", "c", "a", "b")
    assert do("SORT", "l", "BY", "nosort") == [b"c", b"a", b"b"]
    assert do("SORT", "l", "BY", "nosort", "DESC") == [b"b", b"a", b"c"]
    assert do("SORT", "l", "BY", "nosort", "DESC", "LIMIT", 1, 1) == [b"a"]
    do("ZADD", "z", 3, "a", 1, "b", 2, "c")
    assert do("SORT", "z", "BY", "nosort") == [b"b", b"c", b"a"]
    assert do("SORT", "z", "BY", "nosort", "DESC", "LIMIT", 0, 2) == [b"a", b"c"]
    do("SADD", "s", "c", "a", "b")
    assert sorted(do("SORT", "s", "BY", "nosort")) == [b"a", b"b", b"c"]
    assert do("SORT", "s", "BY", "nosort", "STORE", "sorted") == 3
    assert do("LRANGE", "sorted", 0, -1) == [b"a", b"b", b"c"]


def test_by_and_get(do: Transcript) -> None:
    l = f"{TAG}l"  # noqa: E741  # as in a redis-cli session
    do("RPUSH", l, 1, 2, 3, 4)
    do("MSET", f"{TAG}w_1", 30, f"{TAG}w_2", 20, f"{TAG}w_3", 10, f"{TAG}n_1", "one", f"{TAG}n_3", "three")
    assert do("SORT", l, "BY", f"{TAG}w_*") == [b"4", b"3", b"2", b"1"]  # an element without a weight counts as 0
    assert do("SORT", l, "BY", f"{TAG}w_*", "DESC", "GET", f"{TAG}n_*") == [b"one", None, b"three", None]
    both = do("SORT", l, "GET", "#", "GET", f"{TAG}n_*", "LIMIT", 2, 2)
    assert both == [b"3", b"three", b"4", None]
    assert do("SORT", l, "BY", f"{TAG}n_*", "ALPHA") == [b"2", b"4", b"1", b"3"]
    assert do("SORT", l, "BY", f"{TAG}n_*", "ALPHA", "DESC") == [b"3", b"1", b"2", b"4"]
    assert do("SORT", l, "GET", "constant") == [None] * 4
    do("APPEND", f"{TAG}w_3", "000")
    assert do("SORT", l, "BY", f"{TAG}w_*") == [b"4", b"2", b"1", b"3"]


def test_fields_of_hashes(do: Transcript) -> None:
    l = f"{TAG}l"  # noqa: E741  # as above
    do("RPUSH", l, 1, 2, 3)
    for number, (weight, name) in enumerate([(5, "five"), (3, "three")], 1):
        do("HSET", f"{TAG}h_{number}:x", "weight", weight, "name", name)
    do("SET", f"{TAG}h_3:x", "no hash")
    assert do("SORT", l, "BY", f"{TAG}h_*:x->weight") == [b"3", b"2", b"1"]
    assert do("SORT", l, "GET", f"{TAG}h_*:x->name") == [b"five", b"three", None]
    assert do("SORT", l, "GET", f"{TAG}h_*:x->none") == [None] * 3
    assert do("SORT", l, "GET", f"{TAG}h_*:x") == [None, None, b"no hash"]
    do("SET", f"{TAG}h_1->", "arrow")
    assert do("SORT", l, "GET", f"{TAG}h_*->") == [b"arrow", None, None]


def test_store(do: Transcript, connect: type[Connection]) -> None:
    do("RPUSH", "l", 3, 1, 2)
    do("SET", "to", "x", "EX", 100)
    assert do("SORT", "l", "STORE", "to") == 3
    assert do("LRANGE", "to", 0, -1) == [b"1", b"2", b"3"]
    assert do("TTL", "to") == -1
    assert do("SORT", "l", "STORE", "other", "DESC", "STORE", "l") == 3
    assert do("LRANGE", "l", 0, -1) == [b"3", b"2", b"1"]
    assert do("EXISTS", "other") == 0
    assert do("SORT", "l", "GET", "none*", "GET", "#", "STORE", "to") == 6
    assert do("LRANGE", "to", 0, -1) == [b"", b"1", b"", b"2", b"", b"3"]
    events = Events(do, connect, "EA")
    do("SORT", "l", "STORE", "to")
    assert events() == [(0, "sortstore", "to")]
    assert do("SORT", "none", "STORE", "to") == 0
    assert events() == [(0, "del", "to")]
    assert do("SORT", "none", "STORE", "to") == 0
    assert events() == []


def test_sort_ro(do: Transcript) -> None:
    do("RPUSH", "l", 3, 1, 2)
    assert do("SORT_RO", "l", "DESC", "LIMIT", 0, 2) == [b"3", b"2"]
    assert do.error("SORT_RO", "l", "STORE", "to") == SYNTAX


def test_which_words_are_keys(do: Transcript) -> None:
    assert do("COMMAND", "GETKEYS", "SORT", "a") == [b"a"]
    assert do("COMMAND", "GETKEYS", "SORT", "a", "BY", "STORE", "GET", "store", "STORE", "b") == [b"a", b"b"]
    assert do("COMMAND", "GETKEYS", "SORT", "a", "STORE", "b", "LIMIT", 0, "STORE", "STORE", "c") == [b"a", b"c"]


@pytest.mark.parametrize("command", ["SORT", "SORT_RO"])
def test_errors(do: Transcript, command: str) -> None:
    do("SET", "s", "x")
    do("RPUSH", "l", "1", "x")
    assert do.error(command) == f"ERR wrong number of arguments for '{command.lower()}' command"
    assert do.error(command, "s") == WRONG_TYPE
    assert do.error(command, "s", "NONSENSE") == SYNTAX
    for option in (("LIMIT", 1), ("BY",), ("GET",)):
        assert do.error(command, "s", *option) == SYNTAX
    assert do.error(command, "s", "LIMIT", 0, "x", "NONSENSE") == "ERR value is not an integer or out of range"
    assert do.error(command, "l") == NO_DOUBLE
    for text in ("nan", "1e999", "1 ", "1x"):
        do("DEL", "l")
        do("RPUSH", "l", text)
        assert do.error(command, "l") == NO_DOUBLE
        assert do(command, "l", "ALPHA") == [text.encode()]


def test_a_piece_without_sorting(do: Transcript) -> None:
    members = [f"member:{number:04}" for number in range(2_000)]
    do("RPUSH", "l", *members)
    do("ZADD", "z", *(word for member in members for word in (0, member)))
    for key in ("l", "z"):
        for direction, ordered in (("ASC", members), ("DESC", members[::-1])):
            for start, count in ((0, 5), (1_000, 700), (1_998, 5), (2_000, 5), (10, -1)):
                piece = do("SORT", key, "BY", "nosort", direction, "LIMIT", start, count)
                stop = None if count < 0 else start + count
                assert [element.decode() for element in piece] == ordered[start:stop]


def test_elements_outside_of_such_a_piece_cost_nothing() -> None:
    shard = Shard()
    members = [b"%d" % number for number in range(20_000)]
    shard.db.insert(b"l", List(shard.limits, members), 0)
    shard.db.insert(b"z", ZSet(shard.limits, ((member, 0) for member in members)), 0)
    for key in (b"l", b"z"):
        for direction in (b"ASC", b"DESC"):
            words = [b"SORT", key, b"BY", b"nosort", direction, b"LIMIT", b"50", b"5"]
            assert calls_in(lambda: TABLE[b"SORT"].handler(shard, Args(words))) < 200  # noqa: B023 - called at once


@pytest.mark.since("7.2")
def test_the_encoding_of_a_stored_result(do: Transcript) -> None:
    """It is a listpack if Redis' quicklist would have all elements in one node."""
    for elements, encoding in (
        (["x" * 1000] * 8, "listpack"),
        (["x" * 1000] * 9, "quicklist"),
        (["x" * 8178], "listpack"),
        (["x" * 8179], "quicklist"),
        (["x", "y" * 8200], "quicklist"),
    ):
        do("DEL", TAG + "l")
        do("RPUSH", TAG + "l", *elements)
        assert do("SORT", TAG + "l", "ALPHA", "STORE", TAG + "stored") == len(elements)
        assert do("OBJECT", "ENCODING", TAG + "stored").decode() == encoding


@pytest.mark.parametrize("options", [(), ("LIMIT", 0, 0), ("BY", "none")])
def test_a_sorted_set_is_a_skiplist_afterwards(do: Transcript, options: tuple[object, ...]) -> None:
    do("ZADD", "z", 1, "1", 2, "2")
    assert do("OBJECT", "ENCODING", "z") == b"listpack"
    do("SORT_RO", "z", *options)
    assert do("OBJECT", "ENCODING", "z") == b"skiplist"
