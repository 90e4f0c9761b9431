"""RESPCACHE JOURNAL: what clients have sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Connection, ReplyError
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")

Connect = Callable[..., Connection]
Record = dict[bytes, Any]


@pytest.fixture(autouse=True)
def _as_before(do: Transcript) -> Iterator[None]:
    """Other tests share the server."""
    yield
    do.connection.call("RESPCACHE", "RESET")


def state(do: Transcript, *words: Any) -> dict[str, int]:
    return {name.decode(): value for name, value in do.as_map(do("RESPCACHE", "JOURNAL", *words)).items()}


@pytest.fixture
def since(do: Transcript) -> int:
    """The journal has begun; the id of the last record before that."""
    do("PING")
    return state(do, "START")["last-id"]


def records(do: Transcript, since: int, *words: Any) -> list[Record]:
    return [do.as_map(record) for record in do("RESPCACHE", "JOURNAL", "READ", "SINCE", since, *words)]


def words_of(found: list[Record]) -> list[list[bytes]]:
    return [record[b"words"] for record in found]


def replies_of(found: list[Record]) -> list[tuple[bytes, bytes]]:
    return [(record[b"reply-kind"], record[b"reply"]) for record in found]


# -- a record


def test_a_record(do: Transcript, connect: Connect, since: int) -> None:
    other = connect()
    other.pipeline(("CLIENT", "SETNAME", "worker"), ("SELECT", 3))
    client = other.call("CLIENT", "ID")
    before = time.time_ns() // 1000
    do("RESPCACHE", "CLOCK", "SET", 1_000_000_000_000)
    do("RESPCACHE", "CLOCK", "FREEZE")
    now = do("RESPCACHE", "CLOCK", "GET")
    other.call("SET", "a", "hello")
    record = records(do, since)[-1]
    assert 0 <= record.pop(b"microseconds") < 20_000_000
    assert before <= record.pop(b"real-time") <= time.time_ns() // 1000
    assert now * 1000 <= record.pop(b"time") < now * 1000 + 1000
    assert record.pop(b"id") > since
    assert record.pop(b"round-trip") >= 3
    assert record == {
        b"client": client,
        b"name": b"worker",
        b"db": 3,
        b"words": [b"SET", b"a", b"hello"],
        b"word-count": 3,
        b"cut-words": [],
        b"reply-kind": b"status",
        b"reply": b"OK",
        b"reply-size": 5,
    }


def test_ids_have_no_gaps(do: Transcript, since: int) -> None:
    for _ in range(5):
        do("PING")
    assert [record[b"id"] for record in records(do, since)] == list(range(since + 1, since + 6))


def test_kinds_of_replies(do: Transcript, since: int) -> None:
    do("SET", "s", "text")
    do("GET", "s")
    do("GET", "nosuch")
    do("SET", "long", "x" * 1000)
    do("GET", "long")
    do("RPUSH", "l", 1, 2)
    do("LRANGE", "l", 0, -1)
    do("HSET", "h", "f", "v")
    do("HGETALL", "h")
    do("SADD", "set", "m")
    do("SMEMBERS", "set")
    do("ZADD", "z", 1.5, "m")
    do("ZSCORE", "z", "m")
    do.error("GET", "l")
    do("EVAL", "return redis.setresp(3)", 0)
    do("INFO", "cluster")
    do("BLMPOP", 0.001, 1, "nosuch", "LEFT")
    wrong_type = b"WRONGTYPE Operation against a key holding the wrong kind of value"
    info = b"# Cluster\r\ncluster_enabled:0\r\n"
    assert replies_of(records(do, since)) == [
        (b"status", b"OK"),
        (b"string", b"text"),
        (b"null", b""),
        (b"status", b"OK"),
        (b"string", b"x" * 128),
        (b"integer", b"2"),
        (b"array", b"2"),
        (b"integer", b"1"),
        (b"map", b"1") if do.protocol == 3 else (b"array", b"2"),
        (b"integer", b"1"),
        (b"set" if do.protocol == 3 else b"array", b"1"),
        (b"integer", b"1"),
        (b"double" if do.protocol == 3 else b"string", b"1.5"),
        (b"error", wrong_type),
        (b"null", b""),
        (b"verbatim" if do.protocol == 3 else b"string", info),
        (b"null", b""),
    ]
    assert [record[b"reply-size"] for record in records(do, since)][:5] == [
        5,
        10,
        3 if do.protocol == 3 else 5,
        5,
        1009,
    ]


def test_refused_commands(do: Transcript, since: int) -> None:
    do.error("NOSUCH", "a")
    do.error("GET")
    do.error("EXEC")
    found = records(do, since)
    assert words_of(found) == [[b"NOSUCH", b"a"], [b"GET"], [b"EXEC"]]
    assert [record[b"reply-kind"] for record in found] == [b"error"] * 3
    assert found[1][b"reply"] == b"ERR wrong number of arguments for 'get' command"


def test_before_logging_in(do: Transcript, connect: Connect, since: int) -> None:
    do("CONFIG", "SET", "requirepass", "secret")
    other = Connection(do.server.port)
    assert isinstance(other.call("GET", "a"), ReplyError)
    other.close()
    assert replies_of(records(do, since))[-1] == (b"error", b"NOAUTH Authentication required.")


def test_a_transaction(do: Transcript, since: int) -> None:
    """The queued commands, and EXEC."""
    do.transaction(("SET", "a", 1), ("INCR", "a"))
    do("MULTI")
    do("SET", "a", 1)
    do("DISCARD")
    found = records(do, since)
    assert words_of(found)[:4] == [[b"MULTI"], [b"SET", b"a", b"1"], [b"INCR", b"a"], [b"EXEC"]]
    queued, done = (b"status", b"QUEUED"), (b"status", b"OK")
    assert replies_of(found) == [done, queued, queued, (b"array", b"2"), done, queued, done]


def test_a_script(do: Transcript, since: int) -> None:
    """The call; what it calls is its own business."""
    do("EVAL", "return redis.call('INCR', KEYS[1])", 1, "n")
    assert words_of(records(do, since)) == [[b"EVAL", b"return redis.call('INCR', KEYS[1])", b"1", b"n"]]


def test_keys_on_several_shards(do: Transcript, since: int) -> None:
    do("MSET", *range(20))
    do("DEL", *range(20))
    do("SET", "from", "x")
    do("RENAME", "from", "to")
    assert [words[0] for words in words_of(records(do, since))] == [b"MSET", b"DEL", b"SET", b"RENAME"]


def test_a_blocked_command(do: Transcript, connect: Connect, since: int) -> None:
    """One record: without a reply while it waits, and then with the time it took."""
    other = connect()
    other.send("BLPOP", "k", 0)
    assert eventually(lambda: len(blpops(do, since)) == 1)
    (record,) = blpops(do, since)
    assert (record[b"reply-kind"], record[b"reply-size"], record[b"microseconds"]) == (b"none", 0, None)
    do("RPUSH", "k", "x")
    assert other.read() == [b"k", b"x"]
    (record,) = blpops(do, since)
    assert (record[b"reply-kind"], record[b"reply"]) == (b"array", b"2")
    push = records(do, since)[-1]
    assert record[b"microseconds"] >= push[b"real-time"] - record[b"real-time"] - 1000


def blpops(do: Transcript, since: int) -> list[Record]:
    return [record for record in records(do, since) if record[b"words"][0] == b"BLPOP"]


def test_subscriptions(do: Transcript, connect: Connect, since: int) -> None:
    """The call, and not the messages."""
    other = connect()
    other.send("SUBSCRIBE", "a", "b")
    assert [other.read()[2], other.read()[2]] == [1, 2]
    do("PUBLISH", "a", "x")
    other.read()
    found = records(do, since)
    assert words_of(found)[-2:] == [[b"SUBSCRIBE", b"a", b"b"], [b"PUBLISH", b"a", b"x"]]
    assert replies_of(found)[-2:] == [(b"array", b"3"), (b"integer", b"1")]


def test_replies_that_are_off(do: Transcript, since: int) -> None:
    do.connection.send("CLIENT", "REPLY", "OFF")
    do.connection.send("SET", "a", 1)
    assert do("CLIENT", "REPLY", "ON") == "OK"
    assert replies_of(records(do, since)) == [(b"none", b""), (b"none", b""), (b"status", b"OK")]
    assert len({record[b"round-trip"] for record in records(do, since)}) == 1


def test_a_client_that_has_gone(do: Transcript, connect: Connect, since: int) -> None:
    other = connect()
    other.send("BLPOP", "k", 0)
    assert eventually(lambda: len(blpops(do, since)) == 1)
    other.close()
    assert eventually(lambda: "cmd=blpop" not in str(do("CLIENT", "LIST")))
    (record,) = blpops(do, since)
    assert (record[b"reply-kind"], record[b"microseconds"]) == (b"none", None)


# -- what is kept of words


def test_long_words(do: Transcript, since: int) -> None:
    do("SET", "a" * 600, "b" * 100_000)
    do("MSET", *["k" * 10, "v" * 10] * 1000)
    first, second = records(do, since)
    assert first[b"words"] == [b"SET", b"a" * 512, b"b" * 512]
    assert first[b"cut-words"] == [1, 600, 2, 100_000]
    assert second[b"word-count"] == 2001
    assert 1000 < len(second[b"words"]) < 2000
    assert second[b"words"] == [b"MSET", *[b"k" * 10, b"v" * 10] * 1000][: len(second[b"words"])]


def test_the_database_is_as_the_client_knows_it(do: Transcript, connect: Connect, since: int) -> None:
    """Those of a namespace have other numbers within the server."""
    other = connect()
    other.pipeline(("AUTH", "ns.journal", "any"), ("SELECT", 2), ("SET", "a", 1))
    assert [record[b"db"] for record in records(do, since)][-2:] == [0, 2]
    do("RESPCACHE", "NAMESPACE", "DROP", "journal")


HIDDEN = b"(redacted)"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["AUTH", "secret"], [b"AUTH", HIDDEN]),
        (["auth", "user", "secret"], [b"auth", HIDDEN, HIDDEN]),
        (["AUTH", "a", "secret", "b"], [b"AUTH", HIDDEN, HIDDEN, HIDDEN]),
        (["HELLO", 9, "AUTH", "user", "secret"], [b"HELLO", b"9", b"AUTH", HIDDEN, HIDDEN]),
        (["hello", 9, "setname", "x", "auth", "u"], [b"hello", b"9", b"setname", b"x", b"auth", HIDDEN]),
        (["CONFIG", "SET", "requirepass", ""], [b"CONFIG", b"SET", b"requirepass", HIDDEN]),
        (
            ["config", "set", "timeout", 0, "MasterAuth", "secret"],
            [b"config", b"set", b"timeout", b"0", b"MasterAuth", HIDDEN],
        ),
        (["CONFIG", "SET", "timeout", "0"], [b"CONFIG", b"SET", b"timeout", b"0"]),
        (["ACL", "SETUSER", "joe", "on", ">secret"], [b"ACL", b"SETUSER", b"joe", HIDDEN, HIDDEN]),
        (
            ["MIGRATE", "127.0.0.1", 1, "k", 0, 1, "AUTH2", "user", "secret", "COPY"],
            [b"MIGRATE", b"127.0.0.1", b"1", b"k", b"0", b"1", b"AUTH2", HIDDEN, HIDDEN, b"COPY"],
        ),
        (
            ["MIGRATE", "h", 1, "", 0, 1, "auth", "AUTH", "AUTH", "secret", "KEYS", "auth", "k"],
            [b"MIGRATE", b"h", b"1", b"", b"0", b"1", b"auth", HIDDEN, b"AUTH", HIDDEN, b"KEYS", b"auth", b"k"],
        ),
        (
            ["HELLO", 9, "AUTH", "a", "b", "AUTH", "user", "secret"],
            [b"HELLO", b"9", b"AUTH", HIDDEN, HIDDEN, b"AUTH", HIDDEN, HIDDEN],
        ),
    ],
)
def test_passwords(do: Transcript, since: int, words: list[Any], kept: list[bytes]) -> None:
    do.connection.call(*words)
    assert words_of(records(do, since)) == [kept]


# -- round trips


def trips_of(found: list[Record]) -> list[int]:
    """How many commands each round trip has, in order."""
    trips = [record[b"round-trip"] for record in found]
    assert trips == sorted(trips)
    return [trips.count(trip) for trip in dict.fromkeys(trips)]


def test_requests_one_by_one(do: Transcript, since: int) -> None:
    for _ in range(10):
        do("GET", "a")
    assert trips_of(records(do, since)) == [1] * 10


def test_pipelines(do: Transcript, since: int) -> None:
    do.connection.pipeline(("SET", "a", 1), ("MGET", "a", "b", "c"), ("GET", "a"))
    do.connection.pipeline(("MULTI",), ("INCR", "a"), ("INCR", "b"), ("EXEC",))
    do.connection.pipeline(("BLPOP", "l", 0.001), ("EVAL", "return 1", 0), ("DBSIZE",))
    assert trips_of(records(do, since)) == [3, 4, 3]


def test_a_large_pipeline(do: Transcript, since: int) -> None:
    """It comes in many pieces, is carried out in portions, and counts once."""
    do("RESPCACHE", "JOURNAL", "START", "MAX", 20_000)
    do.connection.pipeline(*[("SET", f"k{number}", "v" * 100) for number in range(5_000)])
    do.connection.pipeline(*[("GET", f"k{number}") for number in range(5_000)])
    found: list[Record] = []
    while more := records(do, found[-1][b"id"] if found else since):
        found += more
    assert trips_of(found) == [5_000, 5_000]


def test_one_long_word(do: Transcript, since: int) -> None:
    do("SET", "a", "x" * 1_000_000)
    do("STRLEN", "a")
    assert trips_of(records(do, since)) == [1, 1]


# -- its commands


def test_it_is_off_at_first(do: Transcript) -> None:
    before = state(do, "STOP")
    do("PING")
    assert state(do, "STOP") == before
    assert before["was-running"] == 0
    assert before["first-id"] == before["last-id"] + 1
    assert (before["dropped"], before["max"]) == (0, 10_000)


def test_start_and_stop(do: Transcript) -> None:
    first = state(do, "START")
    assert first["was-running"] == 0
    do("ECHO", "a")
    assert state(do, "START")["was-running"] == 1
    do("ECHO", "b")
    assert state(do, "STOP")["was-running"] == 1
    do("ECHO", "not recorded")
    assert state(do, "START")["was-running"] == 0
    do("ECHO", "c")
    assert [words[1] for words in words_of(records(do, first["last-id"]))] == [b"a", b"b", b"c"]


def test_reset_forgets_and_goes_on(do: Transcript, since: int) -> None:
    do("ECHO", "a")
    after = state(do, "RESET")
    assert (after["was-running"], after["last-id"], after["first-id"]) == (1, since + 1, since + 2)
    assert records(do, 0) == []
    do("ECHO", "b")
    (record,) = records(do, 0)
    assert record[b"id"] == since + 2


def test_a_server_that_is_reset_forgets_and_stops(do: Transcript, since: int) -> None:
    do("RESPCACHE", "JOURNAL", "START", "MAX", 5)
    do("PING")
    do("RESPCACHE", "RESET")
    do("PING")
    assert state(do, "STOP") == {
        "was-running": 0,
        "first-id": since + 2,
        "last-id": since + 1,
        "dropped": 0,
        "max": 10_000,
    }


def test_the_oldest_make_room(do: Transcript, since: int) -> None:
    do("RESPCACHE", "JOURNAL", "START", "MAX", 3)
    for number in range(5):
        do("ECHO", number)
    found = records(do, since)
    assert [record[b"id"] for record in found] == [since + 3, since + 4, since + 5]
    after = state(do, "START", "MAX", 2)
    assert (after["first-id"], after["dropped"], after["max"]) == (since + 4, 3, 2)


def test_portions(do: Transcript, since: int) -> None:
    do.connection.pipeline(*[("ECHO", number) for number in range(1100)])
    assert len(records(do, since)) == 1000
    assert len(records(do, since + 1000)) == 100
    assert len(records(do, since, "COUNT", 5_000)) == 1000
    assert [record[b"words"][1] for record in records(do, since + 3, "COUNT", 2)] == [b"3", b"4"]
    assert records(do, since + 1100) == records(do, since + 5000) == []
    assert [do.as_map(record)[b"words"][1] for record in do("RESPCACHE", "JOURNAL", "READ", "LAST", 2)] == [
        b"1098",
        b"1099",
    ]
    do.connection.pipeline(*[("DEL", *["x" * 500] * 15) for _ in range(400)])
    assert 0 < len(records(do, since + 1100)) < 200  # no reply is large


def test_errors(do: Transcript) -> None:
    assert do.error("RESPCACHE", "JOURNAL") == "ERR wrong number of arguments for 'respcache|journal' command"
    unknown = "ERR unknown subcommand or wrong number of arguments for '{}'. Try RESPCACHE HELP."
    assert do.error("RESPCACHE", "JOURNAL", "NOSUCH") == unknown.format("NOSUCH")
    assert do.error("RESPCACHE", "JOURNAL", "STOP", "x") == unknown.format("STOP")
    assert do.error("RESPCACHE", "JOURNAL", "RESET", "x") == unknown.format("RESET")
    assert do.error("RESPCACHE", "JOURNAL", "START", "x") == "ERR syntax error"
    assert do.error("RESPCACHE", "JOURNAL", "START", "MAX") == "ERR syntax error"
    assert do.error("RESPCACHE", "JOURNAL", "START", "MAX", 1, "x") == "ERR syntax error"
    assert do.error("RESPCACHE", "JOURNAL", "START", "MAX", "x") == "ERR value is not an integer or out of range"
    assert do.error("RESPCACHE", "JOURNAL", "START", "MAX", 0) == "ERR value is out of range"
    assert do.error("RESPCACHE", "JOURNAL", "START", "MAX", 1_000_001) == "ERR value is out of range"
    assert do.error("RESPCACHE", "JOURNAL", "READ", "x") == "ERR syntax error"
    assert do.error("RESPCACHE", "JOURNAL", "READ", "SINCE") == "ERR syntax error"
    assert do.error("RESPCACHE", "JOURNAL", "READ", "SINCE", "x") == "ERR value is not an integer or out of range"
    assert do.error("RESPCACHE", "JOURNAL", "READ", "SINCE", -1) == "ERR value is out of range"
    assert do.error("RESPCACHE", "JOURNAL", "READ", "COUNT", 0) == "ERR value is out of range"
    assert do.error("RESPCACHE", "JOURNAL", "READ", "LAST", 0) == "ERR value is out of range"
    do("MULTI")
    assert do.error("RESPCACHE", "JOURNAL", "STOP") == "ERR Command not allowed inside a transaction"
    do("DISCARD")


def test_it_is_off_unless_it_is_allowed() -> None:
    server = RespcacheServer("--enable-test-commands", "no")
    connection = Connection(server.port)
    for words in (["START"], ["STOP"], ["READ"], ["RESET"], ["READ", "SINCE", 0]):
        refused = connection.call("RESPCACHE", "JOURNAL", *words)
        assert isinstance(refused, ReplyError)
        assert str(refused).startswith("ERR RESPCACHE command not allowed.")
    connection.close()
    server.stop()
