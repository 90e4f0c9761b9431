"""XACK and XPENDING."""

from __future__ import annotations

import pytest

from tests.commands.streams.test_groups import BAD_ID, NOT_AN_INTEGER, WRONG_TYPE, fill
from tests.support.transcript import Transcript

SYNTAX = "ERR syntax error"


def ids(entries: list[list[object]]) -> list[object]:
    return [entry[0] for entry in entries]


@pytest.fixture
def pending(do: Transcript) -> Transcript:
    """A stream of which a has 1-0 and 2-0 pending, b 3-1 and 3-2."""
    fill(do, "s", "1-0", "2-0", "3-1", "3-2", "4-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "a", "COUNT", 2, "STREAMS", "s", ">")
    do("XREADGROUP", "GROUP", "g", "b", "COUNT", 2, "STREAMS", "s", ">")
    return do


def test_acknowledge(pending: Transcript) -> None:
    do = pending
    assert do("XACK", "s", "g", "1-0", "9-9", "3") == 1
    assert do("XACK", "s", "g", "1-0") == 0
    assert do("XACK", "s", "g", "2", "2-0", "3-2") == 2
    assert do("XPENDING", "s", "g") == [1, b"3-1", b"3-1", [[b"b", b"1"]]]
    assert do("XACK", "s", "none", "x") == 0
    assert do("XACK", "none", "g", "x") == 0
    do("SET", "string", "x")
    assert do.error("XACK", "string", "g", "x") == WRONG_TYPE
    assert do.error("XACK", "s", "g", "3-1", "x") == BAD_ID
    assert do.error("XACK", "s", "g", "3-1", "+") == BAD_ID
    assert do("XPENDING", "s", "g")[0] == 1
    assert do.error("XACK", "s", "g") == "ERR wrong number of arguments for 'xack' command"


def test_summary(pending: Transcript) -> None:
    do = pending
    do("XGROUP", "CREATECONSUMER", "s", "g", "c")
    assert do("XPENDING", "s", "g") == [4, b"1-0", b"3-2", [[b"a", b"2"], [b"b", b"2"]]]
    do("XDEL", "s", "1-0")
    do("XACK", "s", "g", "3-2")
    assert do("XPENDING", "s", "g") == [3, b"1-0", b"3-1", [[b"a", b"2"], [b"b", b"1"]]]
    do("XACK", "s", "g", "1-0", "2-0", "3-1")
    assert do("XPENDING", "s", "g") == [0, None, None, None]


def test_range(pending: Transcript) -> None:
    do = pending
    found = do("XPENDING", "s", "g", "-", "+", 10)
    assert [[id, consumer, count] for id, consumer, _, count in found] == [
        [b"1-0", b"a", 1],
        [b"2-0", b"a", 1],
        [b"3-1", b"b", 1],
        [b"3-2", b"b", 1],
    ]
    assert all(0 <= idle < 10_000 for _, _, idle, _ in found)
    assert ids(do("XPENDING", "s", "g", "-", "+", 2)) == [b"1-0", b"2-0"]
    assert ids(do("XPENDING", "s", "g", "2", "3", 10)) == [b"2-0", b"3-1", b"3-2"]
    assert ids(do("XPENDING", "s", "g", "(2", "(3-2", 10)) == [b"3-1"]
    assert ids(do("XPENDING", "s", "g", "(2", "(3", 10)) == [b"3-1", b"3-2"]
    assert ids(do("XPENDING", "s", "g", "3", "2", 10)) == []
    assert ids(do("XPENDING", "s", "g", "-", "+", 0)) == ids(do("XPENDING", "s", "g", "-", "+", -1)) == []
    assert ids(do("XPENDING", "s", "g", "2", "+", 10, "a")) == [b"2-0"]
    assert ids(do("XPENDING", "s", "g", "-", "+", 1, "b")) == [b"3-1"]
    assert ids(do("XPENDING", "s", "g", "-", "+", 1, "none")) == []
    # Redis does not look at further words.
    assert ids(do("XPENDING", "s", "g", "-", "+", 1, "b", "more", "words")) == [b"3-1"]


@pytest.mark.respcache_only(reason="lets time pass")
def test_idle(pending: Transcript) -> None:
    do = pending
    do.advance(1000)
    do("XREADGROUP", "GROUP", "g", "b", "COUNT", 2, "STREAMS", "s", "3-1")
    do.advance(100)
    found = do("XPENDING", "s", "g", "-", "+", 10)
    assert [(idle // 100, count) for _, _, idle, count in found] == [(11, 1), (11, 1), (11, 1), (1, 2)]
    assert ids(do("XPENDING", "s", "g", "IDLE", 1000, "-", "+", 10)) == [b"1-0", b"2-0", b"3-1"]
    assert ids(do("XPENDING", "s", "g", "IDLE", 1000, "-", "+", 10, "b")) == [b"3-1"]
    assert ids(do("XPENDING", "s", "g", "IDLE", 1000, "(1", "+", 1)) == [b"2-0"]
    assert ids(do("XPENDING", "s", "g", "IDLE", 100_000, "-", "+", 10)) == []


def test_idle_without_time(pending: Transcript) -> None:
    do = pending
    do("XCLAIM", "s", "g", "a", 0, "3-1", "IDLE", 100_000)
    assert ids(do("XPENDING", "s", "g", "idle", 90_000, "-", "+", 10)) == [b"3-1"]
    assert ids(do("XPENDING", "s", "g", "IDLE", 90_000, "-", "+", 10, "b")) == []
    assert len(do("XPENDING", "s", "g", "IDLE", 0, "-", "+", 10)) == 4
    assert len(do("XPENDING", "s", "g", "IDLE", -5, "-", "+", 10)) == 4


def test_pending_errors(pending: Transcript) -> None:
    do = pending
    do("SET", "string", "x")
    no_group = "NOGROUP No such key 's' or consumer group 'none'"
    assert do.error("XPENDING", "s", "none") == no_group
    assert do.error("XPENDING", "s", "none", "-", "+", 10) == no_group
    assert do.error("XPENDING", "none", "g") == "NOGROUP No such key 'none' or consumer group 'g'"
    assert do.error("XPENDING", "string", "g") == WRONG_TYPE
    assert do.error("XPENDING", "s") == "ERR wrong number of arguments for 'xpending' command"
    assert do.error("XPENDING", "string", "g", "-") == SYNTAX
    assert do.error("XPENDING", "string", "g", "-", "+") == SYNTAX
    assert do.error("XPENDING", "string", "g", *"-+1234x") == SYNTAX
    assert do.error("XPENDING", "string", "g", "-", "x", "y") == NOT_AN_INTEGER
    assert do.error("XPENDING", "string", "g", "-", "x", 1) == BAD_ID
    assert do.error("XPENDING", "string", "g", "x", "(0", 1) == BAD_ID
    assert do.error("XPENDING", "string", "g", "IDLE", "x", "-") == NOT_AN_INTEGER
    assert do.error("XPENDING", "string", "g", "IDLE", 1, "-") == SYNTAX
    assert do.error("XPENDING", "string", "g", "IDLE", 1, "-", "+") == SYNTAX
    assert do.error("XPENDING", "string", "g", "IDLE", 1, "-", "+", "x") == NOT_AN_INTEGER
    assert do.error("XPENDING", "string", "g", "IDLE", 1, "x", "+", 1) == BAD_ID
    assert do.error("XPENDING", "string", "g", "(+", "+", 1) == BAD_ID
    last = f"({2**64 - 1}-{2**64 - 1}"
    assert do.error("XPENDING", "string", "g", last, "x", 1) == "ERR invalid start ID for the interval"
    assert do.error("XPENDING", "string", "g", "-", "(0", 1) == WRONG_TYPE
    assert do.error("XPENDING", "string", "g", "-", "(0-0", 1) == "ERR invalid end ID for the interval"
    assert do.error("XPENDING", "string", "g", "-", "(0-1", 1) == WRONG_TYPE
