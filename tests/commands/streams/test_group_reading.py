"""XREADGROUP."""

from __future__ import annotations

import pytest

from tests.commands.streams.test_groups import BAD_ID, NOT_AN_INTEGER, WRONG_TYPE, consumers_of, fill, groups_of
from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

NO_GROUP = "NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option"


def read(do: Transcript, consumer: str, *words: object) -> list[tuple[bytes, list[tuple[bytes, object]]]] | None:
    """What XREADGROUP gives a consumer of the group `g`: (key, [(id, value of the field f)])."""
    reply = do("XREADGROUP", "GROUP", "g", consumer, *words)
    if reply is None:
        return None
    assert isinstance(reply, dict if do.protocol == 3 else list)
    streams = reply.items() if do.protocol == 3 else reply
    return [(key, [(id, fields and fields[1]) for id, fields in entries]) for key, entries in streams]


def given(*ids: str) -> list[tuple[bytes, bytes]]:
    return [(id.encode(), id.encode()) for id in ids]


def test_new_entries(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0", "3-0", "4-0")
    do("XGROUP", "CREATE", "s", "g", "1")
    assert read(do, "a", "COUNT", 1, "STREAMS", "s", ">") == [(b"s", given("2-0"))]
    assert read(do, "b", "COUNT", 1, "STREAMS", "s", ">") == [(b"s", given("3-0"))]
    assert read(do, "a", "COUNT", 0, "STREAMS", "s", ">") == [(b"s", given("4-0"))]
    assert read(do, "a", "STREAMS", "s", ">") is None
    fill(do, "s", "5-0", "6-0")
    assert read(do, "a", "COUNT", "-1", "STREAMS", "s", ">") == [(b"s", given("5-0", "6-0"))]
    assert do("XPENDING", "s", "g") == [5, b"2-0", b"6-0", [[b"a", b"4"], [b"b", b"1"]]]
    assert groups_of(do)[0][b"last-delivered-id"] == b"6-0"


def test_the_shape_of_the_reply(do: Transcript) -> None:
    do("XADD", "s", "1-0", "f", "v", "f", "w")
    do("XGROUP", "CREATE", "s", "g", "0")
    entries = [[b"1-0", [b"f", b"v", b"f", b"w"]]]
    expected = {b"s": entries} if do.protocol == 3 else [[b"s", entries]]
    assert do("xreadgroup", "group", "g", "c", "count", 1, "block", 1, "streams", "s", ">") == expected


def test_history(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0", "3-0", "4-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    read(do, "a", "COUNT", 3, "STREAMS", "s", ">")
    assert read(do, "a", "STREAMS", "s", "0") == [(b"s", given("1-0", "2-0", "3-0"))]
    assert read(do, "a", "COUNT", 1, "STREAMS", "s", "1") == [(b"s", given("2-0"))]
    assert read(do, "b", "STREAMS", "s", "0") == [(b"s", [])]
    assert [count for _, _, _, count in do("XPENDING", "s", "g", "-", "+", 9)] == [2, 3, 2]
    do("XACK", "s", "g", "2-0")
    do("XDEL", "s", "1-0")
    assert read(do, "a", "STREAMS", "s", "0-0") == [(b"s", [(b"1-0", None), (b"3-0", b"3-0")])]
    assert [count for _, _, _, count in do("XPENDING", "s", "g", "-", "+", 9)] == [2, 3]
    assert groups_of(do)[0][b"last-delivered-id"] == b"3-0"
    # History is given at once, even if there is none.
    assert read(do, "a", "BLOCK", 0, "STREAMS", "s", "9-9") == [(b"s", [])]
    assert read(do, "a", "NOACK", "STREAMS", "s", "1") == [(b"s", given("3-0"))]


def test_without_acknowledgement(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    assert read(do, "a", "NOACK", "COUNT", 1, "STREAMS", "s", ">") == [(b"s", given("1-0"))]
    assert do("XPENDING", "s", "g") == [0, None, None, None]
    assert read(
        do,
        "a",
        "NOACK",
        "STREAMS",
        "s",
        ">",
    ) == [(b"s", given("2-0"))]
    assert read(do, "a", "STREAMS", "s", "0") == [(b"s", [])]
    assert groups_of(do)[0][b"last-delivered-id"] == b"2-0"


def test_several_streams(do: Transcript) -> None:
    keys = ("s", "t", "another", "yet:another")
    for key in keys:
        fill(do, key, "1-0", "2-0")
        do("XGROUP", "CREATE", key, "g", "1" if key == "t" else "0")
    assert read(do, "c", "COUNT", 1, "STREAMS", *keys, *">>>>") == [
        (b"s", given("1-0")),
        (b"t", given("2-0")),
        (b"another", given("1-0")),
        (b"yet:another", given("1-0")),
    ]
    assert read(do, "c", "STREAMS", *keys, ">", ">", "0", "1") == [
        (b"s", given("2-0")),
        (b"another", given("1-0")),
        (b"yet:another", []),
    ]
    assert read(do, "c", "STREAMS", "t", "s", *">>") is None
    for key, pending in zip(keys, (2, 1, 1, 1), strict=True):
        assert do("XPENDING", key, "g")[0] == pending


def test_the_same_stream_twice(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    reply = do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", "s", ">", ">")
    if do.protocol == 2:
        assert reply == [[b"s", [[b"1-0", [b"f", b"1-0"]]]], [b"s", [[b"2-0", [b"f", b"2-0"]]]]]
    assert do("XPENDING", "s", "g")[0] == 2
    fill(do, "t", "5-0")
    do("XGROUP", "CREATE", "t", "g", "0")
    reply = do("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "t", "s", ">", ">", "1")
    if do.protocol == 2:  # in the order of the words, whatever the shards
        assert reply == [[b"t", [[b"5-0", [b"f", b"5-0"]]]], [b"s", [[b"2-0", [b"f", b"2-0"]]]]]


def test_entries_read_again_change_their_owner(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    read(do, "a", "STREAMS", "s", ">")
    read(do, "a", "STREAMS", "s", "0")
    do("XGROUP", "SETID", "s", "g", "1-0")
    assert read(do, "b", "STREAMS", "s", ">") == [(b"s", given("2-0"))]
    assert [entry[1::2] for entry in do("XPENDING", "s", "g", "-", "+", 9)] == [[b"a", 2], [b"b", 1]]
    do("XGROUP", "SETID", "s", "g", "0")
    read(do, "b", "STREAMS", "s", ">")
    assert do("XPENDING", "s", "g")[3] == [[b"b", b"2"]]
    assert read(do, "a", "STREAMS", "s", "0") == [(b"s", [])]


def test_an_emptied_stream(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XDEL", "s", "2-0")
    assert read(do, "c", "STREAMS", "s", ">") == [(b"s", given("1-0"))]
    assert read(do, "c", "STREAMS", "s", ">") is None
    do("XDEL", "s", "1-0")
    assert read(do, "c", "STREAMS", "s", ">") is None
    assert read(do, "c", "STREAMS", "s", "0") == [(b"s", [(b"1-0", None)])]


@pytest.mark.since("7.2")
def test_a_consumer_exists_as_soon_as_it_asks(do: Transcript, connect: type[Connection]) -> None:
    do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    events = Events(do, connect, "Et")
    assert read(do, "a", "STREAMS", "s", ">") is None
    assert read(do, "a", "STREAMS", "s", ">") is None
    assert do.transaction(("XREADGROUP", "GROUP", "g", "b", "BLOCK", 0, "STREAMS", "s", ">")) == [None]
    assert list(consumers_of(do)) == [b"a", b"b"]
    assert events() == [(0, "xgroup-createconsumer", "s")] * 2
    do("CONFIG", "SET", "notify-keyspace-events", "")


def test_nothing_waits_in_a_transaction(do: Transcript) -> None:
    do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    command = ("XREADGROUP", "GROUP", "g", "c", "BLOCK", 0, "STREAMS", "s", ">")
    reply = do.transaction(command, ("XADD", "s", "1-0", "f", "v"), command)
    assert reply is not None
    assert reply[:2] == [None, b"1-0"]
    assert reply[2]


def test_errors(do: Transcript) -> None:
    fill(do, "s", "1-0")
    do("SET", "string", "x")
    do("XGROUP", "CREATE", "s", "g", "0")
    group = ("XREADGROUP", "GROUP", "g", "c")

    assert do.error(*group, "STREAMS", "none", ">") == NO_GROUP.format("none", "g")
    assert do.error("XREADGROUP", "GROUP", "h\r\n", "c", "STREAMS", "s", ">") == NO_GROUP.format("s", "h  ")
    assert do.error("XREADGROUP", "GROUP", "h\0i", "c", "STREAMS", "s", ">") == NO_GROUP.format("s", "h")
    assert do.error(*group, "STREAMS", "string", ">") == WRONG_TYPE
    assert do.error(*group, "STREAMS", "s", "x") == BAD_ID
    assert do.error(*group, "STREAMS", "s", "-") == BAD_ID
    assert do.error(*group, "STREAMS", "s", "(1") == BAD_ID
    assert do.error(*group, "STREAMS", "s", "$").startswith("ERR The $ ID is meaningless in the context of XREADGROUP:")
    # One stream after the other, and nothing is read if one is wrong.
    assert do.error(*group, "STREAMS", "s", "string", "x", ">") == BAD_ID
    assert do.error(*group, "STREAMS", "s", "string", ">", "x") == WRONG_TYPE
    assert do.error(*group, "STREAMS", "s", "none", ">", "x") == NO_GROUP.format("none", "g")
    assert do.error(*group, "STREAMS", "s", "s", ">", "$").startswith("ERR The $ ID is meaningless")
    assert do("XPENDING", "s", "g") == [0, None, None, None]
    assert do.error("XREADGROUP", "GROUP", "g") == "ERR wrong number of arguments for 'xreadgroup' command"


def test_errors_of_syntax(do: Transcript) -> None:
    do("SET", "string", "x")
    group = ("XREADGROUP", "GROUP", "g", "c")
    syntax = "ERR syntax error"
    assert do.error(*group, "COUNT", 1, "string", ">") == syntax
    assert do.error(*group, "COUNT", "x", "string", ">") == NOT_AN_INTEGER
    assert do.error(*group, "COUNT", 1, "BLOCK", 1) == syntax
    assert do.error(*group, "COUNT", 1, "STREAMS") == syntax
    assert do.error(*group, "BLOCK", "x", "nonsense") == "ERR timeout is not an integer or out of range"
    assert do.error(*group, "BLOCK", "-1", "nonsense") == "ERR timeout is negative"
    assert do.error(*group, "BLOCK", "1.5", "nonsense") == "ERR timeout is not an integer or out of range"
    assert do.error("XREADGROUP", "STREAMS", "s", "s", "s", "0", "0", "0") == "ERR Missing GROUP option for XREADGROUP"
    assert do.error("XREADGROUP", "STREAMS", "a", "b", "c", "0", "0", "0") == "ERR Missing GROUP option for XREADGROUP"
    assert do.error("XREADGROUP", "COUNT", 1, "COUNT", 1, "STREAMS", "string", ">") == (
        "ERR Missing GROUP option for XREADGROUP"
    )
    assert do.error("XREADGROUP", "COUNT", 1, "COUNT", 1, "COUNT", 1, "GROUP", "g") == syntax


@pytest.mark.since("7.2")
def test_a_timeout_that_is_too_long(do: Transcript) -> None:
    words = ("XREADGROUP", "GROUP", "g", "c", "NOACK", "BLOCK", 2**63 - 1, "nonsense")
    assert do.error(*words) == "ERR timeout is out of range"


@pytest.mark.since("7.2")
def test_an_id_is_missing(do: Transcript) -> None:
    """Redis 7.0 names the wrong command here."""
    unbalanced = "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
    assert do.error("XREADGROUP", "GROUP", "g", "c", "STREAMS", "a", "b", ">") == unbalanced
    assert do.error("XREADGROUP", "COUNT", 1, "COUNT", 1, "STREAMS", "a", "b", ">") == unbalanced
