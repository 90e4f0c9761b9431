"""Clients that wait in XREAD, as redis-cli sessions show it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.resp import Connection
from tests.support.transcript import Transcript

Block = Callable[..., Connection]

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def given(do: Transcript, key: str, *ids: str) -> Any:
    """What a client is given of one stream."""
    entries = [[id.encode(), [b"f", b"v"]] for id in ids]
    return {key.encode(): entries} if do.protocol == 3 else [[key.encode(), entries]]


def add(do: Transcript, key: str, *ids: str) -> None:
    do.transaction(*[("XADD", key, id, "f", "v") for id in ids])


def test_nothing_to_wait_for(do: Transcript) -> None:
    add(do, "s", "1-0", "2-0")
    assert do("XREAD", "BLOCK", 0, "STREAMS", "s", 0) == given(do, "s", "1-0", "2-0")
    assert do("XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "none", "s", "$", "1-0") == given(do, "s", "2-0")


def test_all_that_wait_are_served(do: Transcript, block: Block) -> None:
    add(do, "s", "1-0")
    waiters = [block("XREAD", "BLOCK", 0, "STREAMS", "s", id) for id in ("$", "1-0", "1-5")]
    add(do, "s", "2-0", "3-0")
    assert [waiter.read() for waiter in waiters] == [given(do, "s", "2-0", "3-0")] * 3
    assert do("XLEN", "s") == 3


def test_a_stream_that_does_not_exist_yet(do: Transcript, block: Block) -> None:
    waiter = block("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    add(do, "s", "0-1")
    assert waiter.read() == given(do, "s", "0-1")


def test_lower_ids_serve_nobody(do: Transcript, block: Block) -> None:
    waiter = block("XREAD", "BLOCK", 0, "STREAMS", "s", "5-0")
    add(do, "s", "1-0", "5-0")
    add(do, "s", "6-0")
    assert waiter.read() == given(do, "s", "6-0")


@pytest.mark.since("7.2")  # in 7.0 a deleted entry ends the waiting
def test_the_dollar_keeps_its_meaning(do: Transcript, block: Block) -> None:
    """It is the last id of the time when the client began to wait."""
    add(do, "s", "1-0")
    waiter = block("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    do.transaction(("XADD", "s", "2-0", "f", "v"), ("XDEL", "s", "2-0"))
    add(do, "s", "3-0")
    assert waiter.read() == given(do, "s", "3-0")


def test_several_entries_at_once(do: Transcript, block: Block) -> None:
    first = block("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    second = block("XREAD", "COUNT", 1, "BLOCK", 0, "STREAMS", "s", "$")
    add(do, "s", "1-0", "2-0")
    assert first.read() == given(do, "s", "1-0", "2-0")
    assert second.read() == given(do, "s", "1-0")


def test_other_types_are_waited_out(do: Transcript, block: Block) -> None:
    waiter = block("XREAD", "BLOCK", 0, "STREAMS", "s", "$")
    do("SET", "s", "x")
    do("DEL", "s")
    do("RPUSH", "s", "x")
    do("DEL", "s")
    add(do, "s", "1-0")
    assert waiter.read() == given(do, "s", "1-0")


def test_a_stream_that_gets_the_name(do: Transcript, block: Block) -> None:
    add(do, "t", "1-0")
    for words in (("RENAME", "t", "s"), ("COPY", "s", "t")):
        waiter = block("XREAD", "BLOCK", 0, "STREAMS", words[2], "$")
        do(*words)
        assert waiter.read() == given(do, words[2], "1-0")


def test_the_time_is_up(do: Transcript) -> None:
    assert do("XREAD", "BLOCK", 10, "STREAMS", "s", "$") is None


@pytest.mark.respcache_only(reason="time is shifted")
def test_the_time_is_that_of_the_clock(do: Transcript, block: Block) -> None:
    waiter = block("XREAD", "BLOCK", 3_600_000, "STREAMS", "s", "$")
    do.advance(3_600_000)
    assert waiter.read() is None


@pytest.mark.since("7.4")
def test_the_last_entry(do: Transcript, block: Block) -> None:
    waiter = block("XREAD", "BLOCK", 0, "STREAMS", "s", "+")
    add(do, "s", "1-0", "2-0")
    assert waiter.read() == given(do, "s", "2-0")
    assert do("XREAD", "BLOCK", 0, "STREAMS", "s", "+") == given(do, "s", "2-0")


def test_errors(do: Transcript) -> None:
    do("SET", "string", "x")
    assert do.error("XREAD", "BLOCK", 0, "STREAMS", "string", "$") == WRONG_TYPE
    assert do.error("XREAD", "BLOCK", 0, "STREAMS", "s", "x").startswith("ERR Invalid stream ID")


def test_several_streams(do: Transcript, block: Block) -> None:
    """They live on different ones of three shards."""
    keys = ("key:one", "key:two", "key:three")
    add(do, "key:two", "5-0")
    waiters = [block("XREAD", "BLOCK", 0, "STREAMS", *keys, "$", "$", 0) for _ in range(2)]
    add(do, "key:two", "5-1")
    assert [waiter.read() for waiter in waiters] == [given(do, "key:two", "5-1")] * 2
    waiter = block("XREAD", "BLOCK", 0, "STREAMS", *keys, "$", "$", 0)
    add(do, "key:three", "1-0", "2-0")
    assert waiter.read() == given(do, "key:three", "1-0", "2-0")
    assert do("XREAD", "BLOCK", 0, "STREAMS", *keys, 0, "5-0", "1-0") == (
        given(do, "key:two", "5-1") | given(do, "key:three", "2-0")
        if do.protocol == 3
        else given(do, "key:two", "5-1") + given(do, "key:three", "2-0")
    )
