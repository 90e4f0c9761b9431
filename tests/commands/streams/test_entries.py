"""XADD, XDEL, XTRIM, XLEN, XSETID, as a redis-cli session shows them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
TOO_SMALL = "ERR The ID specified in XADD is equal or smaller than the target stream top item"
EXHAUSTED = "ERR The stream has exhausted the last possible ID, unable to add more items"
BOTH_STRATEGIES = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
HIGHEST = "18446744073709551615"


def ids(do: Transcript, key: str = "s") -> list[str]:
    return [id.decode() for id, _ in do("XRANGE", key, "-", "+")]


def fill(do: Transcript, count: int, key: str = "s") -> None:
    for number in range(1, count + 1):
        do("XADD", key, f"{number}-0", "name", f"value {number}")


@pytest.fixture
def nodes_of(do: Transcript) -> Iterator[Callable[[int], None]]:
    """Set how many entries a node may have. The default is restored after the test."""

    def set_limit(entries: int) -> None:
        assert do("CONFIG", "SET", "stream-node-max-entries", entries) == "OK"

    yield set_limit
    set_limit(100)


# -- XADD


def test_add(do: Transcript) -> None:
    assert do("XADD", "s", "1-1", "a", "b") == b"1-1"
    assert do("XADD", "s", "1-2", "a", "b", "c", "d") == b"1-2"
    assert do("XADD", "s", 5, "a", "") == b"5-0"
    assert do("XLEN", "s") == 3
    assert do("XLEN", "none") == 0
    assert do("XRANGE", "s", "-", "+") == [
        [b"1-1", [b"a", b"b"]],
        [b"1-2", [b"a", b"b", b"c", b"d"]],
        [b"5-0", [b"a", b""]],
    ]
    assert do("TYPE", "s") == "stream"
    assert do("OBJECT", "ENCODING", "s") == b"stream"


def test_the_server_makes_ids(do: Transcript) -> None:
    first, *others = (do("XADD", "s", "*", "a", "b") for _ in range(20))
    seconds, _ = do("TIME")
    assert re.fullmatch(rb"\d+-\d+", first)
    assert abs(int(first.split(b"-")[0]) - int(seconds) * 1000) < 60_000
    parts = [tuple(map(int, id.split(b"-"))) for id in (first, *others)]
    assert all(one < other for one, other in pairwise(parts))


@pytest.mark.respcache_only(reason="the clock stands still only here")
def test_ids_follow_the_clock(do: Transcript) -> None:
    first = do("XADD", "s", "*", "a", "b")
    do.advance(86_400_000)
    assert int(do("XADD", "s", "*", "a", "b").split(b"-")[0]) - int(first.split(b"-")[0]) >= 86_400_000


def test_ids_never_go_back(do: Transcript) -> None:
    assert do("XADD", "s", "99999999999999-7", "a", "b") == b"99999999999999-7"
    assert do("XADD", "s", "*", "a", "b") == b"99999999999999-8"
    do("XADD", "s", f"99999999999999-{HIGHEST}", "a", "b")
    assert do("XADD", "s", "*", "a", "b") == b"100000000000000-0"


def test_the_server_makes_sequence_numbers(do: Transcript) -> None:
    assert do("XADD", "s", "0-*", "a", "b") == b"0-1"
    assert do("XADD", "s", "5-*", "a", "b") == b"5-0"
    assert do("XADD", "s", "5-*", "a", "b") == b"5-1"
    assert do.error("XADD", "s", "4-*", "a", "b") == TOO_SMALL
    do("XADD", "s", f"5-{HIGHEST}", "a", "b")
    assert do("XADD", "s", "6-*", "a", "b") == b"6-0"


@pytest.mark.since("7.2")  # in 7.0 the elements are said to be too large
def test_no_sequence_number_is_left(do: Transcript) -> None:
    do("XADD", "s", f"5-{HIGHEST}", "a", "b")
    assert do.error("XADD", "s", "5-*", "a", "b") == TOO_SMALL


def test_the_last_id(do: Transcript) -> None:
    do("XADD", "s", f"{HIGHEST}-{HIGHEST}", "a", "b")
    for id in ("*", "1-1", f"{HIGHEST}-*"):
        assert do.error("XADD", "s", id, "a", "b") == EXHAUSTED
    assert do.error("XADD", "t", "18446744073709551616", "a", "b") == INVALID_ID


def test_ids_as_c_reads_them(do: Transcript) -> None:
    for word, id in (("007-01", b"7-1"), (" 8", b"8-0"), ("+9-+1", b"9-1"), ("10-1\0x", b"10-1")):
        assert do("XADD", "s", word, "a", "b") == id
    for word in ("", "-", "+", "1-", "-1", "1-x", "x-1", "1-1-1", "1--1", "1.5", "*-1", "(1", "0x1", "1-" + "0" * 130):
        assert do.error("XADD", "s", word, "a", "b") == INVALID_ID


def test_no_stream_is_made(do: Transcript) -> None:
    assert do("XADD", "s", "NOMKSTREAM", "1-1", "a", "b") is None
    assert do("EXISTS", "s") == 0
    do("XADD", "s", "1-1", "a", "b")
    assert do("XADD", "s", "nomkstream", "MAXLEN", 1, "1-2", "a", "b") == b"1-2"
    assert ids(do) == ["1-2"]


def test_add_and_trim(do: Transcript) -> None:
    fill(do, 5)
    do("XADD", "s", "MAXLEN", 3, "6-0", "a", "b")
    assert ids(do) == ["4-0", "5-0", "6-0"]
    do("XADD", "s", "MAXLEN", "=", 3, "7-0", "a", "b")
    assert ids(do) == ["5-0", "6-0", "7-0"]
    do("XADD", "s", "MINID", "6-1", "8-0", "a", "b")
    assert ids(do) == ["7-0", "8-0"]
    do("XADD", "s", "maxlen", "~", 1, "9-0", "a", "b")
    assert ids(do) == ["7-0", "8-0", "9-0"]
    assert do("XADD", "s", "MAXLEN", 0, "10-0", "a", "b") == b"10-0"
    assert do("XLEN", "s") == 0
    assert do("EXISTS", "s") == 1


def test_add_errors(do: Transcript) -> None:
    do("SET", "str", "x")
    arity = "ERR wrong number of arguments for 'xadd' command"
    for words in (("1-1", "a"), ("1-1", "a", "b", "c"), ("NOMKSTREAM", "1-1", "a"), ("MAXLEN", 1, "*"), ("*", "a")):
        assert do.error("XADD", "str", *words) == arity
    assert do.error("XADD", "str", "0-0", "a", "b") == "ERR The ID specified in XADD must be greater than 0-0"
    assert do.error("XADD", "str", "1-1", "a", "b") == WRONG_TYPE
    assert do.error("XADD", "str", "NOMKSTREAM", "1-1", "a", "b") == WRONG_TYPE
    assert do.error("XADD", "str", "MAXLEN", "x", "y", "a", "b") == NOT_AN_INTEGER
    assert do.error("XADD", "str", "MAXLEN", -1, "*", "a", "b") == "ERR The MAXLEN argument must be >= 0."
    assert do.error("XADD", "str", "MAXLEN", 1, "MINID", 1, "*", "a", "b") == BOTH_STRATEGIES
    assert do.error("XADD", "str", "MAXLEN", 1, "MAXLEN", 1, "*", "a", "b") == BOTH_STRATEGIES
    assert do.error("XADD", "str", "MINID", "-", "*", "a", "b") == INVALID_ID
    assert do.error("XADD", "str", "LIMIT", "x", "*", "a", "b") == NOT_AN_INTEGER
    assert do.error("XADD", "str", "MAXLEN", "~", 1, "LIMIT", -1, "*", "a", "b").endswith(
        "LIMIT argument must be >= 0."
    )
    assert do.error("XADD", "str", "LIMIT", 1, "*", "a", "b") == (
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
    )
    without_tilde = "ERR syntax error, LIMIT cannot be used without the special ~ option"
    assert do.error("XADD", "str", "LIMIT", 0, "*", "a", "b") == without_tilde
    assert do.error("XADD", "str", "MAXLEN", 1, "LIMIT", 1, "*", "a", "b") == without_tilde
    do("XADD", "s", "5-5", "a", "b")
    for id in ("5-5", "5-4", "4"):
        assert do.error("XADD", "s", id, "a", "b") == TOO_SMALL


# -- XDEL


def test_delete(do: Transcript) -> None:
    fill(do, 5)
    assert do("XDEL", "s", "2-0", "2-0", 4, "9-9") == 2
    assert ids(do) == ["1-0", "3-0", "5-0"]
    assert do("XDEL", "s", 1, 3, 5) == 3
    # A stream without entries remains.
    assert do("XLEN", "s") == 0
    assert do("XRANGE", "s", "-", "+") == []
    assert do("EXISTS", "s") == 1
    assert do.error("XADD", "s", "5-0", "a", "b") == TOO_SMALL
    assert do("DEL", "s") == 1
    assert do("XADD", "s", "1-0", "a", "b") == b"1-0"


def test_delete_errors(do: Transcript) -> None:
    do("SET", "str", "x")
    assert do.error("XDEL", "str", "x") == WRONG_TYPE
    assert do("XDEL", "none", "x") == 0
    fill(do, 2)
    assert do.error("XDEL", "s", 1, "x") == INVALID_ID
    assert do("XLEN", "s") == 2


# -- XTRIM


def test_trim_exactly(do: Transcript) -> None:
    fill(do, 10)
    assert do("XTRIM", "s", "MAXLEN", 20) == 0
    assert do("XTRIM", "s", "MAXLEN", "=", 8) == 2
    assert ids(do)[0] == "3-0"
    assert do("XTRIM", "s", "MINID", "=", "5") == 2
    assert do("XTRIM", "s", "minid", "6-1") == 2
    assert ids(do) == ["7-0", "8-0", "9-0", "10-0"]
    assert do("XTRIM", "s", "MINID", 0) == 0
    assert do("XTRIM", "s", "MAXLEN", 0) == 4
    assert do("EXISTS", "s") == 1
    assert do("XTRIM", "none", "MAXLEN", 0) == 0


def test_approximate_trimming_removes_whole_nodes(do: Transcript, nodes_of: Callable[[int], None]) -> None:
    nodes_of(4)
    fill(do, 10)
    assert do("XTRIM", "s", "MAXLEN", "~", 7) == 0
    assert do("XTRIM", "s", "MAXLEN", "~", 6) == 4
    assert do("XTRIM", "s", "MINID", "~", "8-0") == 0
    assert do("XTRIM", "s", "MINID", "~", "8-1") == 4
    assert ids(do) == ["9-0", "10-0"]
    # Entries keep their places in a node when they are deleted.
    do("XDEL", "s", "9-0")
    for number in (11, 12, 13):
        do("XADD", "s", f"{number}-0", "a", "b")
    assert do("XTRIM", "s", "MAXLEN", "~", 1) == 3
    assert ids(do) == ["13-0"]


def test_limited_trimming(do: Transcript, nodes_of: Callable[[int], None]) -> None:
    nodes_of(3)
    fill(do, 12)
    assert do("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 2) == 0
    assert do("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 5) == 3
    assert do("XTRIM", "s", "MINID", "~", 100, "LIMIT", 6) == 6
    assert do("XTRIM", "s", "MAXLEN", "~", 0, "LIMIT", 0) == 3


def test_approximate_trimming_has_a_limit_of_its_own(do: Transcript, nodes_of: Callable[[int], None]) -> None:
    nodes_of(1)
    fill(do, 150)
    assert do("XTRIM", "s", "MAXLEN", "~", 0) == 100
    assert do("XTRIM", "s", "MAXLEN", "~", 0) == 50


def test_trim_errors(do: Transcript) -> None:
    do("SET", "str", "x")
    assert do.error("XTRIM", "str", "x", 1) == "ERR syntax error"
    assert do.error("XTRIM", "str", "MAXLEN", 1, "NOMKSTREAM") == "ERR syntax error"
    assert do.error("XTRIM", "str", "MAXLEN", 1, "*") == "ERR syntax error"
    assert do.error("XTRIM", "str", "MAXLEN", "~") == NOT_AN_INTEGER
    assert do.error("XTRIM", "str", "MAXLEN", 1, "MINID", 1) == BOTH_STRATEGIES
    assert do.error("XTRIM", "str", "MAXLEN", 1, "LIMIT") == "ERR syntax error"
    assert do.error("XTRIM", "str", "LIMIT", 0) == "ERR syntax error, XTRIM must be called with a trimming strategy"
    assert do.error("XTRIM", "str", "LIMIT", 1) == (
        "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
    )
    assert do.error("XTRIM", "str", "MAXLEN", 1) == WRONG_TYPE


# -- XSETID


def test_set_id(do: Transcript) -> None:
    fill(do, 3)
    assert do("XSETID", "s", "9-9") == "OK"
    assert do.error("XADD", "s", "9-9", "a", "b") == TOO_SMALL
    assert do("XSETID", "s", "3-0", "ENTRIESADDED", 100, "MAXDELETEDID", "2-5") == "OK"
    about = do.as_map(do("XINFO", "STREAM", "s"))
    assert about[b"last-generated-id"] == b"3-0"
    assert about[b"entries-added"] == 100
    assert about[b"max-deleted-entry-id"] == b"2-5"
    assert do("XSETID", "s", "5-0", "maxdeletedid", "0-0") == "OK"
    assert do.as_map(do("XINFO", "STREAM", "s"))[b"max-deleted-entry-id"] == b"2-5"


def test_set_id_does_not_disturb_a_transaction(do: Transcript) -> None:
    """WATCH is about the entries."""
    fill(do, 1)
    do("WATCH", "s")
    do("XSETID", "s", "9-9")
    assert do.transaction(("XLEN", "s")) == [1]


def test_set_id_errors(do: Transcript) -> None:
    do("SET", "str", "x")
    fill(do, 3)
    assert do.error("XSETID", "none", "-") == INVALID_ID
    assert do.error("XSETID", "none", "1-*") == INVALID_ID
    assert do.error("XSETID", "none", "1", "ENTRIESADDED") == "ERR syntax error"
    assert do.error("XSETID", "none", "1", "ENTRIESADDED", "x") == NOT_AN_INTEGER
    assert do.error("XSETID", "none", "1", "ENTRIESADDED", -1) == "ERR entries_added must be positive"
    assert do.error("XSETID", "none", "1", "MAXDELETEDID", "+") == INVALID_ID
    assert do.error("XSETID", "none", "1", "MAXDELETEDID", "1-1") == (
        "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"
    )
    assert do.error("XSETID", "none", "1") == "ERR no such key"
    assert do.error("XSETID", "str", "1") == WRONG_TYPE
    assert do.error("XSETID", "s", "2-9") == (
        "ERR The ID specified in XSETID is smaller than the target stream top item"
    )
    assert do.error("XSETID", "s", "3-0", "ENTRIESADDED", 2) == (
        "ERR The entries_added specified in XSETID is smaller than the target stream length"
    )


@pytest.mark.since("7.2")  # 7.0 knows no such error
def test_set_id_below_a_deleted_one(do: Transcript) -> None:
    fill(do, 4)
    do("XDEL", "s", "4-0")
    assert do.error("XSETID", "s", "3-5") == (
        "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"
    )


# -- what all of them share


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect, "Etgn")
    fill(do, 5)
    assert events() == [(0, "new", "s"), *[(0, "xadd", "s")] * 5]
    do("XADD", "s", "MAXLEN", 4, "6-0", "a", "b")
    assert events() == [(0, "xadd", "s"), (0, "xtrim", "s")]
    do("XADD", "s", "MAXLEN", 10, "7-0", "a", "b")
    do("XADD", "none", "NOMKSTREAM", "7-0", "a", "b")
    assert events() == [(0, "xadd", "s")]
    do("XDEL", "s", "3-0", "4-0")
    do("XDEL", "s", "3-0")
    assert events() == [(0, "xdel", "s")]
    do("XTRIM", "s", "MAXLEN", 100)
    do("XTRIM", "s", "MAXLEN", 0)
    assert events() == [(0, "xtrim", "s")]
    do("XSETID", "s", "100-0")
    assert events() == [(0, "xsetid", "s")]
    do("CONFIG", "SET", "notify-keyspace-events", "")


def test_changes_disturb_a_transaction(do: Transcript) -> None:
    fill(do, 5)
    for words in (("XADD", "s", "9-*", "a", "b"), ("XDEL", "s", "1-0"), ("XTRIM", "s", "MAXLEN", 1)):
        do("WATCH", "s")
        do(*words)
        assert do.transaction(("XLEN", "s")) is None
    for words in (("XDEL", "s", "1-0"), ("XTRIM", "s", "MAXLEN", 1), ("XLEN", "s")):
        do("WATCH", "s")
        do(*words)
        assert do.transaction(("XLEN", "s")) == [1]


def test_a_stream_expires(do: Transcript) -> None:
    fill(do, 1)
    do("PEXPIREAT", "s", 1)
    assert do("XLEN", "s") == 0
    assert do("XADD", "s", "1-0", "a", "b") == b"1-0"
    assert do("TTL", "s") == -1


def test_a_copy_is_independent(do: Transcript) -> None:
    fill(do, 250)
    do("XDEL", "s", "120-0")
    assert do("COPY", "s", "t") == 1
    do("XTRIM", "s", "MAXLEN", 0)
    assert do("XLEN", "t") == 249
    assert do("XADD", "t", "251-*", "a", "b") == b"251-0"
    assert do("XREVRANGE", "t", "121", "119") == [
        [b"121-0", [b"name", b"value 121"]],
        [b"119-0", [b"name", b"value 119"]],
    ]


def test_a_stream_moves(do: Transcript) -> None:
    fill(do, 250)
    for name in ("a", "b", "c"):
        assert do("RENAME", "s", name) == "OK"
        assert do("XLEN", name) == 250
        do("RENAME", name, "s")
    assert do("MOVE", "s", 1) == 1
    do("SELECT", 1)
    assert do("XRANGE", "s", "250", "+") == [[b"250-0", [b"name", b"value 250"]]]


def test_an_empty_stream_is_kept_wherever_it_goes(do: Transcript) -> None:
    do("XADD", "s", "MAXLEN", 0, "5-5", "a", "b")
    for name in ("a", "b", "c"):
        do("COPY", "s", name)
        assert do("EXISTS", name) == 1
        assert do.error("XADD", name, "5-5", "a", "b") == TOO_SMALL
