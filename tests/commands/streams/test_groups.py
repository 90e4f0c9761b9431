"""Consumer groups: XGROUP, XINFO GROUPS and CONSUMERS, and what XINFO STREAM FULL says of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.events import Events
from tests.support.resp import Connection
from tests.support.transcript import Transcript

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
BAD_ID = "ERR Invalid stream ID specified as stream command argument"
NO_KEY = (
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically."
)


def no_group(group: str, key: str = "s") -> str:
    return f"NOGROUP No such consumer group '{group}' for key name '{key}'"


def bad_call(subcommand: str) -> str:
    return f"ERR unknown subcommand or wrong number of arguments for '{subcommand}'. Try XGROUP HELP."


def fill(do: Transcript, key: str, *ids: str) -> None:
    for id in ids:
        assert do("XADD", key, id, "f", id) == id.encode()


def groups_of(do: Transcript, key: str = "s") -> list[dict[bytes, Any]]:
    return [do.as_map(group) for group in do("XINFO", "GROUPS", key)]


def consumers_of(do: Transcript, group: str = "g", key: str = "s") -> dict[bytes, dict[bytes, Any]]:
    consumers = [do.as_map(consumer) for consumer in do("XINFO", "CONSUMERS", key, group)]
    return {consumer[b"name"]: consumer for consumer in consumers}


@pytest.fixture
def progress(do: Transcript) -> Callable[[], tuple[Any, Any]]:
    """entries-read and lag of the group `g` of the stream `s`."""

    def ask() -> tuple[Any, Any]:
        (group,) = (group for group in groups_of(do) if group[b"name"] == b"g")
        return group[b"entries-read"], group[b"lag"]

    return ask


def test_create(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0", "3-0")
    assert do("XGROUP", "CREATE", "s", "b", "2") == "OK"
    assert do("XGROUP", "CREATE", "s", "a", "$") == "OK"
    assert do("xgroup", "create", "s", "c", "9-9", "entriesread", 7, "mkstream") == "OK"
    expected = {b"consumers": 0, b"pending": 0, b"entries-read": None}
    assert groups_of(do) == [
        {b"name": b"a", b"last-delivered-id": b"3-0", b"lag": 0, **expected},
        {b"name": b"b", b"last-delivered-id": b"2-0", b"lag": None, **expected},
        {b"name": b"c", b"last-delivered-id": b"9-9", b"lag": -4, **expected, b"entries-read": 7},
    ]
    assert do("XLEN", "s") == 3


def test_create_makes_the_stream(do: Transcript) -> None:
    assert do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM") == "OK"
    assert do("TYPE", "s") == "stream"
    assert do("XLEN", "s") == 0
    assert groups_of(do)[0][b"last-delivered-id"] == b"0-0"
    assert do("XGROUP", "CREATE", "s", "h", "5-1", "MKSTREAM", "ENTRIESREAD", "-1") == "OK"
    assert do("XINFO", "GROUPS", "s")[1]
    assert do("XADD", "s", "1-0", "f", "v") == b"1-0"


def test_create_errors(do: Transcript) -> None:
    fill(do, "s", "1-0")
    do("SET", "string", "x")
    do("XGROUP", "CREATE", "s", "g", "0")
    create = ("XGROUP", "CREATE")
    assert do.error(*create, "s", "g", "0") == "BUSYGROUP Consumer Group name already exists"
    assert do.error(*create, "s", "g", "x") == BAD_ID
    assert do.error(*create, "s", "h", "-") == BAD_ID
    assert do.error(*create, "s", "h", "(1-0") == BAD_ID
    assert do.error(*create, "none", "g", "x") == NO_KEY
    assert do.error(*create, "none", "g", "x", "MKSTREAM") == BAD_ID
    assert do("EXISTS", "none") == 0
    assert do.error(*create, "string", "g", "x") == WRONG_TYPE
    assert do.error(*create, "string", "g", "x", "MKSTREAM") == WRONG_TYPE
    assert do.error(*create, "string", "g", "0", "ENTRIESREAD", "x") == NOT_AN_INTEGER
    assert do.error(*create, "string", "g", "0", "ENTRIESREAD", "-2") == (
        "ERR value for ENTRIESREAD must be positive or -1"
    )
    assert do.error(*create, "string", "g", "0", "ENTRIESREAD") == bad_call("CREATE")
    assert do.error("XGROUP", "create", "string", "g", "0", "NONSENSE") == bad_call("create")
    assert do.error(*create, "s", "h", "0", *["MKSTREAM"] * 4) == bad_call("CREATE")
    assert do.error(*create, "string", "h", "0", *["MKSTREAM"] * 4) == WRONG_TYPE
    assert do.error(*create, "s", "g") == "ERR wrong number of arguments for 'xgroup|create' command"
    assert do.error("XGROUP", "NONSENSE", "s") == "ERR unknown subcommand 'NONSENSE'. Try XGROUP HELP."
    assert do.error("XGROUP") == "ERR wrong number of arguments for 'xgroup' command"


def test_set_id(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0", "3-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    for given, kept in (
        ("2-5", b"2-5"),
        ("7", b"7-0"),
        ("$", b"3-0"),
        ("-", b"0-0"),
        ("+", b"%d-%d" % (2**64 - 1, 2**64 - 1)),
    ):
        assert do("XGROUP", "SETID", "s", "g", given) == "OK"
        assert groups_of(do)[0][b"last-delivered-id"] == kept
    assert do("XGROUP", "SETID", "s", "g", "2", "ENTRIESREAD", 2) == "OK"
    assert groups_of(do)[0][b"entries-read"] == 2
    assert do("XGROUP", "SETID", "s", "g", "2") == "OK"
    assert groups_of(do)[0][b"entries-read"] is None


def test_set_id_errors(do: Transcript) -> None:
    fill(do, "s", "1-0")
    do("SET", "string", "x")
    do("XGROUP", "CREATE", "s", "g", "0")
    assert do.error("XGROUP", "SETID", "s", "g", "x") == BAD_ID
    assert do.error("XGROUP", "SETID", "s", "g", "(1-0") == BAD_ID
    assert do.error("XGROUP", "SETID", "s", "h", "x") == no_group("h")
    assert do.error("XGROUP", "SETID", "none", "g", "0") == NO_KEY
    assert do.error("XGROUP", "SETID", "string", "g", "0") == WRONG_TYPE
    assert do.error("XGROUP", "SETID", "string", "g", "0", "ENTRIESREAD", "x") == NOT_AN_INTEGER
    assert do.error("XGROUP", "SETID", "s", "g", "0", "MKSTREAM") == bad_call("SETID")
    again = ("ENTRIESREAD", 1, "ENTRIESREAD", 2)
    assert do.error("XGROUP", "SETID", "s", "g", "0", *again) == bad_call("SETID")
    assert do.error("XGROUP", "SETID", "s", "h", "0", *again) == no_group("h")


def test_destroy(do: Transcript) -> None:
    fill(do, "s", "1-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    assert do("XGROUP", "DESTROY", "s", "none") == 0
    assert do("XGROUP", "DESTROY", "s", "g") == 1
    assert do("XGROUP", "DESTROY", "s", "g") == 0
    assert groups_of(do) == []
    assert do("XGROUP", "CREATE", "s", "g", "0") == "OK"
    assert do("XPENDING", "s", "g") == [0, None, None, None]
    do("SET", "string", "x")
    assert do.error("XGROUP", "DESTROY", "none", "g") == NO_KEY
    assert do.error("XGROUP", "DESTROY", "string", "g") == WRONG_TYPE


def test_consumers(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0", "3-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    assert do("XGROUP", "CREATECONSUMER", "s", "g", "b") == 1
    assert do("XGROUP", "CREATECONSUMER", "s", "g", "b") == 0
    do("XREADGROUP", "GROUP", "g", "a", "COUNT", 2, "STREAMS", "s", ">")
    assert list(consumers_of(do)) == [b"a", b"b"]
    assert [consumer[b"pending"] for consumer in consumers_of(do).values()] == [2, 0]
    assert groups_of(do)[0][b"consumers"] == 2
    assert do("XGROUP", "DELCONSUMER", "s", "g", "a") == 2
    assert do("XGROUP", "DELCONSUMER", "s", "g", "a") == 0
    assert do("XGROUP", "DELCONSUMER", "s", "g", "b") == 0
    assert do("XPENDING", "s", "g") == [0, None, None, None]
    assert consumers_of(do) == {}


def test_consumer_errors(do: Transcript) -> None:
    fill(do, "s", "1-0")
    do("SET", "string", "x")
    for subcommand in ("CREATECONSUMER", "DELCONSUMER"):
        assert do.error("XGROUP", subcommand, "s", "g", "c") == no_group("g")
        assert do.error("XGROUP", subcommand, "none", "g", "c") == NO_KEY
        assert do.error("XGROUP", subcommand, "string", "g", "c") == WRONG_TYPE
        expected = f"ERR wrong number of arguments for 'xgroup|{subcommand.lower()}' command"
        assert do.error("XGROUP", subcommand, "s", "g", "c", "d") == expected
    assert do.error("XGROUP", "DELCONSUMER", "s\0", "a\0b\r\n", "c") == NO_KEY


def test_info_errors(do: Transcript) -> None:
    fill(do, "s", "1-0")
    do("SET", "string", "x")
    assert do("XINFO", "GROUPS", "s") == []
    assert do.error("XINFO", "GROUPS", "none") == "ERR no such key"
    assert do.error("XINFO", "GROUPS", "string") == WRONG_TYPE
    assert do.error("XINFO", "CONSUMERS", "none", "g") == "ERR no such key"
    assert do.error("XINFO", "CONSUMERS", "string", "g") == WRONG_TYPE
    assert do.error("XINFO", "CONSUMERS", "s", "g\r\nh") == no_group("g  h")
    assert do.error("XINFO", "CONSUMERS", "s", "g\0h") == no_group("g")
    assert do.error("XINFO", "CONSUMERS", "s") == "ERR wrong number of arguments for 'xinfo|consumers' command"
    assert do.error("XINFO", "GROUPS", "s", "g") == "ERR wrong number of arguments for 'xinfo|groups' command"


@pytest.mark.since("7.2")
@pytest.mark.respcache_only(reason="lets time pass")
def test_when_a_consumer_was_seen_and_active(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0")
    do("XGROUP", "CREATE", "s", "g", "0")

    def times() -> tuple[int, int]:
        consumer = consumers_of(do)[b"c"]
        return consumer[b"idle"] // 100, consumer[b"inactive"] // 100

    do("XGROUP", "CREATECONSUMER", "s", "g", "c")
    do.advance(500)
    assert times() == (5, -1)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    do.advance(300)
    assert times() == (3, 3)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", "0")
    do.advance(100)
    assert times() == (1, 4)
    do("XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", "s", ">")
    assert times() == (0, 4)
    do("XACK", "s", "g", "1")
    do("XAUTOCLAIM", "s", "g", "c", 0, 0)
    do.advance(100)
    assert times() == (1, 5)
    do("XCLAIM", "s", "g", "c", 0, "2-0", "FORCE", "IDLE", 5000)
    assert times() == (0, 0)


@pytest.mark.since("7.2")
def test_times_of_consumers(do: Transcript) -> None:
    fill(do, "s", "1-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XGROUP", "CREATECONSUMER", "s", "g", "c")
    consumer = consumers_of(do)[b"c"]
    assert consumer == {b"name": b"c", b"pending": 0, b"idle": consumer[b"idle"], b"inactive": -1}
    assert 0 <= consumer[b"idle"] < 10_000
    do("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    assert 0 <= consumers_of(do)[b"c"][b"inactive"] < 10_000


@pytest.mark.since("7.2")
def test_full_information(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0", "3-0", "4-0")
    do("XGROUP", "CREATE", "s", "h", "$")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 2, "STREAMS", "s", ">")
    do("XREADGROUP", "GROUP", "g", "b", "COUNT", 1, "STREAMS", "s", ">")
    do("XGROUP", "CREATECONSUMER", "s", "g", "a")
    full = do.as_map(do("XINFO", "STREAM", "s", "FULL"))
    first, second = map(do.as_map, full[b"groups"])
    consumers = list(map(do.as_map, first[b"consumers"]))
    (seen, active), time = (consumers[2][key] for key in (b"seen-time", b"active-time")), first[b"pending"][0][2]
    assert [seen, active] == [time, time]
    assert first == {
        b"name": b"g",
        b"last-delivered-id": b"3-0",
        b"entries-read": 3,
        b"lag": 1,
        b"pel-count": 3,
        b"pending": [[b"1-0", b"c", time, 1], [b"2-0", b"c", time, 1], [b"3-0", b"b", first[b"pending"][2][2], 1]],
        b"consumers": first[b"consumers"],
    }
    assert second[b"pending"] == second[b"consumers"] == []
    assert [consumer[b"name"] for consumer in consumers] == [b"a", b"b", b"c"]
    assert consumers[0][b"active-time"] == -1
    pending = [[b"1-0", time, 1], [b"2-0", time, 1]]
    assert consumers[2] == {
        b"name": b"c",
        b"seen-time": time,
        b"active-time": time,
        b"pel-count": 2,
        b"pending": pending,
    }
    full = do.as_map(do("XINFO", "STREAM", "s", "FULL", "COUNT", 1))
    first = do.as_map(full[b"groups"][0])
    assert first[b"pel-count"] == 3
    assert first[b"pending"] == [[b"1-0", b"c", time, 1]]
    assert do.as_map(first[b"consumers"][2])[b"pending"] == pending[:1]
    full = do.as_map(do("XINFO", "STREAM", "s", "FULL", "COUNT", 0))
    assert len(do.as_map(full[b"groups"][0])[b"pending"]) == 3


def test_events(do: Transcript, connect: type[Connection]) -> None:
    events = Events(do, connect, "EtnK")
    do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    assert events() == [(0, "new", "s"), (0, "xgroup-create", "s")]
    do("XGROUP", "CREATE", "s", "h", "$", "MKSTREAM")
    do("XGROUP", "SETID", "s", "g", "0")
    assert events() == [(0, "xgroup-create", "s"), (0, "xgroup-setid", "s")]
    do("XGROUP", "CREATECONSUMER", "s", "g", "a")
    do("XGROUP", "CREATECONSUMER", "s", "g", "a")
    do("XGROUP", "DELCONSUMER", "s", "g", "b")
    assert events() == [(0, "xgroup-createconsumer", "s")]
    do("XGROUP", "DELCONSUMER", "s", "g", "a")
    do("XGROUP", "DESTROY", "s", "none")
    do("XGROUP", "DESTROY", "s", "h")
    assert events() == [(0, "xgroup-delconsumer", "s"), (0, "xgroup-destroy", "s")]
    do("XADD", "s", "1-0", "f", "v")
    do("XADD", "s", "2-0", "f", "v")
    events()
    do("XREADGROUP", "GROUP", "g", "a", "COUNT", 1, "STREAMS", "s", ">")
    do("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")
    do("XCLAIM", "s", "g", "c", 0, "1-0")
    do("XAUTOCLAIM", "s", "g", "d", 0, 0)
    do("XACK", "s", "g", "1-0", "2-0")
    assert events() == [(0, "xgroup-createconsumer", "s")] * 3
    do("CONFIG", "SET", "notify-keyspace-events", "")


def test_groups_are_no_content_for_watch(do: Transcript, connect: type[Connection]) -> None:
    other = Transcript(connect(protocol=2), do.server)
    fill(do, "s", "1-0", "2-0")

    def survives(*words: object) -> bool:
        do("WATCH", "s", "new")
        other(*words)
        return do.transaction(("PING",)) is not None

    assert survives("XGROUP", "CREATE", "s", "g", "0")
    assert survives("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">")
    assert survives("XGROUP", "SETID", "s", "g", "1")
    assert survives("XCLAIM", "s", "g", "d", 0, "1-0")
    assert survives("XAUTOCLAIM", "s", "g", "e", 0, 0)
    assert survives("XACK", "s", "g", "1-0")
    assert survives("XGROUP", "DELCONSUMER", "s", "g", "c")
    for key in ("t", "yet:another"):
        fill(do, key, "1-0")
        do("XGROUP", "CREATE", key, "g", "0")
    do("WATCH", "t", "yet:another")
    assert survives("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", "t", "yet:another", *">>>")
    assert survives("XGROUP", "DESTROY", "s", "g")
    assert not survives("XGROUP", "CREATE", "new", "g", "0", "MKSTREAM")


def test_changes_are_counted(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0", "3-0")

    def changes(*words: object) -> int:
        before = _changes(do)
        do(*words)
        return _changes(do) - before

    assert changes("XGROUP", "CREATE", "s", "g", "0") == 1
    assert changes("XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">") == 2
    assert changes("XACK", "s", "g", "1-0", "1-0", "2-0") == 2
    assert changes("XCLAIM", "s", "g", "c", 0, "3-0", "2-0") == 1
    assert changes("XCLAIM", "s", "g", "d", 0, "3-0") == 2
    assert changes("XCLAIM", "s", "g", "d", 0, "1-0", "LASTID", "9-9") == 1
    assert changes("XAUTOCLAIM", "s", "g", "d", 0, "0") == 1


def _changes(do: Transcript) -> int:
    found = re.search(r"rdb_changes_since_last_save:(\d+)", str(do("INFO", "persistence")))
    assert found is not None
    return int(found[1])


def test_groups_go_with_their_stream(do: Transcript) -> None:
    fill(do, "s", "1-0", "2-0", "3-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "b", "COUNT", 2, "STREAMS", "s", ">")
    do("XCLAIM", "s", "g", "a", 0, "2-0", "RETRYCOUNT", 9)
    for key in ("other", "{x}s", "yet:another"):  # whatever the shards
        do("COPY", "s", key)
        do("XACK", "s", "g", "1-0")
        assert do("XPENDING", key, "g") == [2, b"1-0", b"2-0", [[b"a", b"1"], [b"b", b"1"]]]
        do("RENAME", key, "s")
    assert do("XPENDING", "s", "g", "-", "+", 9)[1][3] == 9
    assert groups_of(do)[0][b"entries-read"] == 2
    assert do("XREADGROUP", "GROUP", "g", "a", "STREAMS", "s", ">")


# -- how far a group has read


def test_progress_of_a_group(do: Transcript, progress: Callable[[], tuple[Any, Any]]) -> None:
    do("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    assert progress() == (None, 0)
    fill(do, "s", "1-0", "2-0", "3-0", "4-0", "5-0")
    assert progress() == (None, 5)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (1, 4)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 2, "STREAMS", "s", ">")
    assert progress() == (3, 2)
    do("XREADGROUP", "GROUP", "g", "c", "NOACK", "STREAMS", "s", ">")
    assert progress() == (5, 0)
    fill(do, "s", "6-0")
    assert progress() == (5, 1)


def test_progress_from_an_arbitrary_id(do: Transcript, progress: Callable[[], tuple[Any, Any]]) -> None:
    fill(do, "s", "1-0", "2-0", "3-0", "4-0", "5-0")
    do("XGROUP", "CREATE", "s", "g", "3-0")
    assert progress() == (None, None)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (None, None)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (5, 0)
    do("XGROUP", "SETID", "s", "g", "1-0")
    assert progress() == (None, 4)
    do("XGROUP", "SETID", "s", "g", "0")
    assert progress() == (None, 5)
    do("XGROUP", "SETID", "s", "g", "3-0", "ENTRIESREAD", 3)
    assert progress() == (3, 2)
    do("XGROUP", "SETID", "s", "g", "9-0")
    assert progress() == (None, None)


def test_progress_after_deletions(do: Transcript, progress: Callable[[], tuple[Any, Any]]) -> None:
    fill(do, "s", "1-0", "2-0", "3-0", "4-0", "5-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    do("XDEL", "s", "3-0")
    assert progress() == (1, None)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (None, None)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (None, None)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (5, 0)
    do("XDEL", "s", "1-0")
    fill(do, "s", "6-0")
    assert progress() == (5, 1)
    do("XTRIM", "s", "MAXLEN", 0)


def test_progress_after_trimming(do: Transcript, progress: Callable[[], tuple[Any, Any]]) -> None:
    fill(do, "s", "1-0", "2-0", "3-0", "4-0", "5-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XTRIM", "s", "MAXLEN", 3)
    assert progress() == (None, 3)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (3, 2)
    do("XTRIM", "s", "MAXLEN", 0)
    do("XGROUP", "SETID", "s", "g", "0")
    assert progress() == (None, 0)


def test_progress_after_xsetid(do: Transcript, progress: Callable[[], tuple[Any, Any]]) -> None:
    fill(do, "s", "1-0", "2-0", "3-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 2, "STREAMS", "s", ">")
    do("XSETID", "s", "3-0", "ENTRIESADDED", 10)
    assert progress() == (2, 8)
    do("XSETID", "s", "7-0", "ENTRIESADDED", 10, "MAXDELETEDID", "6-0")
    assert progress() == (2, None)
    do("XSETID", "s", "7-0", "ENTRIESADDED", 10, "MAXDELETEDID", "1-0")
    assert progress() == (2, 8)
    do("XGROUP", "SETID", "s", "g", "7-0")
    assert progress() == (None, 0)


@pytest.mark.since("8.0")
def test_progress_of_a_group_that_was_behind_when_the_stream_was_trimmed(
    do: Transcript, progress: Callable[[], tuple[Any, Any]]
) -> None:
    fill(do, "s", "1-0", "2-0", "3-0", "4-0", "5-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    do("XTRIM", "s", "MAXLEN", 2)
    assert progress() == (1, 2)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (4, 1)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (5, 0)


@pytest.mark.since("7.2")
def test_progress_when_the_tombstone_is_before_the_first_entry(
    do: Transcript, progress: Callable[[], tuple[Any, Any]]
) -> None:
    """Redis 7.2.7 counts these right, older ones do not."""
    fill(do, "s", "1-0", "2-0", "3-0", "4-0")
    do("XGROUP", "CREATE", "s", "g", "0")
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    do("XDEL", "s", "1-0", "2-0")
    assert progress() == (1, 2)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (3, 1)
    do("XTRIM", "s", "MAXLEN", 1)
    assert progress() == (3, 1)
    do("XDEL", "s", "4-0")
    assert progress() == (3, 0)
    fill(do, "s", "5-0")
    assert progress() == (3, 1)
    do("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "s", ">")
    assert progress() == (5, 0)
