"""XREAD without waiting, as a redis-cli session shows it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
# They live on different ones of three shards.
ONE, TWO, THREE = "key:one", "key:two", "key:three"


def read(do: Transcript, *words: Any) -> dict[str, list[str]] | None:
    """The reply of XREAD as a dictionary of ids. Its form, which differs between RESP2 and RESP3, is checked."""
    reply = do("XREAD", *words)
    if reply is None:
        return None
    assert isinstance(reply, dict if do.protocol == 3 else list)
    pairs = reply.items() if do.protocol == 3 else reply
    return {key.decode(): [id.decode() for id, _ in entries] for key, entries in pairs}


@pytest.fixture(autouse=True)
def streams(do: Transcript) -> None:
    for number in range(1, 6):
        do("XADD", ONE, f"{number}-0", "f", "v")
    do("XADD", TWO, "3-0", "f", "v", "g", "w")


def test_read(do: Transcript) -> None:
    reply = do("XREAD", "STREAMS", TWO, "0")
    entries = [[b"3-0", [b"f", b"v", b"g", b"w"]]]
    assert reply == ({TWO.encode(): entries} if do.protocol == 3 else [[TWO.encode(), entries]])
    assert read(do, "STREAMS", ONE, "3") == {ONE: ["4-0", "5-0"]}
    assert read(do, "STREAMS", ONE, "5-0") is None
    assert read(do, "STREAMS", THREE, "0") is None


def test_read_several(do: Transcript) -> None:
    assert read(do, "STREAMS", ONE, TWO, THREE, "4", "0", "0") == {ONE: ["5-0"], TWO: ["3-0"]}
    assert read(do, "STREAMS", TWO, ONE, "3", "4") == {ONE: ["5-0"]}
    assert read(do, "STREAMS", THREE, TWO, "0", "9") is None


def test_the_same_stream_twice(do: Transcript) -> None:
    reply = do("XREAD", "COUNT", 1, "STREAMS", ONE, ONE, 0, 0)
    entries = [[b"1-0", [b"f", b"v"]]]
    assert reply == ({ONE.encode(): entries} if do.protocol == 3 else [[ONE.encode(), entries]] * 2)


def test_count(do: Transcript) -> None:
    assert read(do, "COUNT", 2, "STREAMS", ONE, TWO, 0, 0) == {ONE: ["1-0", "2-0"], TWO: ["3-0"]}
    assert read(do, "count", 0, "streams", ONE, 3) == {ONE: ["4-0", "5-0"]}
    assert read(do, "COUNT", -1, "STREAMS", ONE, 3) == {ONE: ["4-0", "5-0"]}


def test_from_the_end(do: Transcript) -> None:
    assert read(do, "STREAMS", ONE, THREE, "$", "$") is None
    assert read(do, "STREAMS", ONE, TWO, "$", "0") == {TWO: ["3-0"]}


@pytest.mark.since("7.4")
def test_the_last_entry(do: Transcript) -> None:
    assert read(do, "STREAMS", ONE, "+") == {ONE: ["5-0"]}
    assert read(do, "COUNT", 3, "STREAMS", ONE, TWO, THREE, "+", "+", "+") == {ONE: ["5-0"], TWO: ["3-0"]}
    do("XDEL", ONE, "5-0")
    assert read(do, "STREAMS", ONE, "+") == {ONE: ["4-0"]}
    do("XTRIM", ONE, "MAXLEN", 0)
    assert read(do, "STREAMS", ONE, "+") is None


def test_deleted_entries(do: Transcript) -> None:
    do("XDEL", ONE, "2-0", "5-0")
    assert read(do, "STREAMS", ONE, 1) == {ONE: ["3-0", "4-0"]}
    assert read(do, "STREAMS", ONE, 4) is None
    do("XTRIM", ONE, "MAXLEN", 0)
    assert read(do, "STREAMS", ONE, 0) is None


def test_streams_named_like_options(do: Transcript) -> None:
    do("XADD", "streams", "1-1", "f", "v")
    assert read(do, "COUNT", 1, "STREAMS", "streams", 0) == {"streams": ["1-1"]}
    assert do("COMMAND", "GETKEYS", "XREAD", "COUNT", 1, "STREAMS", "STREAMS", "b", 0, 0) == [b"STREAMS", b"b"]


def test_a_transaction_never_waits(do: Transcript) -> None:
    assert do.transaction(("XREAD", "BLOCK", 0, "STREAMS", ONE, "$")) == [None]


def test_scripts_get_a_map_in_resp3(do: Transcript) -> None:
    do("XADD", "s", "1-1", "f", "v")
    do("XGROUP", "CREATE", "s", "g", 0)
    read = "redis.call('XREAD', 'STREAMS', KEYS[1], 0)"
    assert do("EVAL", f"return {read}", 1, "s") == [[b"s", [[b"1-1", [b"f", b"v"]]]]]
    assert do("EVAL", f"redis.setresp(3) return {read}.map.s", 1, "s") == [[b"1-1", [b"f", b"v"]]]
    read = "redis.call('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', KEYS[1], '>')"
    assert do("EVAL", f"redis.setresp(3) return {read}.map.s", 1, "s") == [[b"1-1", [b"f", b"v"]]]


def test_hits_and_misses(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")
    do("XREAD", "STREAMS", ONE, THREE, 0, 0)
    stats = do("INFO", "stats")
    text = (stats if isinstance(stats, bytes) else str(stats).encode()).decode()
    assert "keyspace_hits:2\r\n" in text
    assert "keyspace_misses:2\r\n" in text


def test_errors(do: Transcript) -> None:
    do("SET", "str", "x")
    for words in (("COUNT", 1, "x"), (ONE, 0, "x"), ("BLOCK", 1, ONE, 0)):
        assert do.error("XREAD", *words) == "ERR syntax error"
    assert do.error("XREAD", "COUNT", "STREAMS", ONE, 0) == "ERR value is not an integer or out of range"
    assert do.error("XREAD", "COUNT", "x", "STREAMS", ONE, 0) == "ERR value is not an integer or out of range"
    assert do.error("XREAD", "BLOCK", -1, "STREAMS", ONE, 0) == "ERR timeout is negative"
    assert do.error("XREAD", "BLOCK", "x", "STREAMS", ONE, 0) == "ERR timeout is not an integer or out of range"
    only = "option is only supported by XREADGROUP. You called XREAD instead."
    assert do.error("XREAD", "GROUP", "g", "c", "STREAMS", ONE, 0) == f"ERR The GROUP {only}"
    assert do.error("XREAD", "NOACK", "STREAMS", ONE, 0) == f"ERR The NOACK {only}"
    assert do.error("XREAD", "STREAMS", ONE, ">") == (
        "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."
    )
    for id in ("-", "x", "1-*", "(1"):
        assert do.error("XREAD", "STREAMS", ONE, id) == INVALID_ID
    assert do.error("XREAD", "STREAMS", "str", "x") == WRONG_TYPE
    # Each stream is looked at before the id of the next.
    assert do.error("XREAD", "STREAMS", "str", ONE, 0, "x") == WRONG_TYPE
    assert do.error("XREAD", "STREAMS", ONE, "str", "x", 0) == INVALID_ID


@pytest.mark.since("7.2")
def test_unbalanced(do: Transcript) -> None:
    assert do.error("XREAD", "STREAMS", ONE, TWO, 0).startswith(
        "ERR Unbalanced 'xread' list of streams: for each stream key an ID"
    )
