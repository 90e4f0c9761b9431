"""RESPCACHE RESET: the server is as at its start again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Connection, ReplyError
from tests.support.transcript import Transcript

pytestmark = pytest.mark.respcache_only(reason="RESPCACHE is respcache's own command")

Connect = Callable[..., Connection]


@pytest.fixture(autouse=True)
def _as_before(do: Transcript) -> Iterator[None]:
    """Other tests share the server."""
    yield
    do.connection.call("RESPCACHE", "RESET")


def setting(do: Transcript, name: str) -> bytes:
    value = do.as_map(do("CONFIG", "GET", name))[name.encode()]
    assert isinstance(value, bytes)
    return value


def test_keys_of_all_databases_are_gone(do: Transcript) -> None:
    do("MSET", "a", 1, "b", 2, "c", 3)
    do("SELECT", 9)
    do("RPUSH", "l", "x")
    assert do("RESPCACHE", "RESET") == "OK"
    assert do("DBSIZE") == 0
    do("SELECT", 0)
    assert do("DBSIZE") == 0


def test_settings_are_those_of_the_start(do: Transcript) -> None:
    before = do("CONFIG", "GET", "*")
    do("CONFIG", "SET", "maxclients", 77, "notify-keyspace-events", "KEA", "save", "60 1")
    do("CONFIG", "SET", "maxclients", 78, "client-output-buffer-limit", "pubsub 1 1 1", "timeout", 5)
    do("RESPCACHE", "RESET")
    assert do("CONFIG", "GET", "*") == before


def test_settings_reach_those_who_need_them(do: Transcript) -> None:
    """The shards, that is: they have their own copies of some."""
    do("CONFIG", "SET", "hash-max-listpack-entries", 1)
    do("HSET", "h", "a", 1, "b", 2)
    assert do("OBJECT", "ENCODING", "h") == b"hashtable"
    do("RESPCACHE", "RESET")
    do("HSET", "h", "a", 1, "b", 2)
    assert do("OBJECT", "ENCODING", "h") == b"listpack"


def test_no_password_is_left(do: Transcript, connect: Connect) -> None:
    do("CONFIG", "SET", "requirepass", "secret")
    stranger = connect()
    assert str(stranger.call("PING")).startswith("NOAUTH")
    assert stranger.call("RESPCACHE", "RESET") == "OK"
    assert connect().call("PING") == "PONG"


def test_time_is_real_time_again(do: Transcript) -> None:
    before = int(do("TIME")[0])
    do.advance(1_000_000)
    do("SET", "k", "v", "EX", 100)
    assert int(do("TIME")[0]) >= before + 1000
    do("RESPCACHE", "RESET")
    assert before <= int(do("TIME")[0]) < before + 900


def test_keys_expire_after_the_clock_went_back(do: Transcript) -> None:
    """Actively, too: the next tick does not wait for a time that lies in the future again."""
    do("SET", "k", "v", "PX", 1)
    do.advance(1_000_000)  # a tick is sent
    do("RESPCACHE", "RESET")
    do("SET", "k", "v", "PX", 100)
    do.advance(100)
    assert do("DBSIZE") == 0


def test_active_expiry_is_on_again(do: Transcript) -> None:
    do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    do("RESPCACHE", "RESET")
    do("SET", "k", "v", "PX", 100)
    do.advance(100)
    assert do("DBSIZE") == 0


def test_idle_clients_are_as_idle_as_they_were(do: Transcript, connect: Connect) -> None:
    do.advance(1_000_000)
    other = connect()
    other.call("PING")
    do("RESPCACHE", "RESET")
    for line in do("CLIENT", "LIST").decode().split("\n")[:-1] if do.protocol == 2 else []:
        fields = dict(field.split("=", 1) for field in line.split(" "))
        assert 0 <= int(fields["age"]) < 900
        assert 0 <= int(fields["idle"]) < 900
    do("CONFIG", "SET", "timeout", 10)
    do.advance(20_000)
    assert other.rest() == b""  # hung up


def test_a_pause_ends(do: Transcript, connect: Connect) -> None:
    waiting = connect()
    do("CLIENT", "PAUSE", 3_600_000, "ALL")
    waiting.send("SET", "k", "v")
    assert do("RESPCACHE", "RESET") == "OK"
    assert waiting.read() == "OK"


def test_counters_are_at_zero(do: Transcript) -> None:
    do("GET", "nosuch")
    do.error("NOSUCH")
    do("RESPCACHE", "RESET")
    text = str(do("INFO", "stats"), "utf-8") if do.protocol == 2 else do("INFO", "stats").removeprefix("txt:")
    figures = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    assert figures["total_commands_processed"] == "0"  # INFO itself is counted when it is done
    assert figures["keyspace_misses"] == figures["total_error_replies"] == "0"


def test_other_connections_are_left_alone(do: Transcript, connect: Connect) -> None:
    """Their subscriptions and transactions are still there; what they watch has changed if it existed."""
    subscriber, queuing, watching, unaffected = (connect() for _ in range(4))
    do("SET", "k", "v")
    subscriber.call("SUBSCRIBE", "c")
    queuing.pipeline(("MULTI",), ("SET", "queued", 1))
    watching.pipeline(("WATCH", "k"), ("MULTI",), ("SET", "watched", 1))
    unaffected.pipeline(("WATCH", "nosuch"), ("MULTI",), ("SET", "unaffected", 1))
    do("RESPCACHE", "RESET")
    assert do("PUBLISH", "c", "hello") == 1
    assert subscriber.read() == [b"message", b"c", b"hello"]
    assert queuing.call("EXEC") == ["OK"]
    assert watching.call("EXEC") is None
    assert unaffected.call("EXEC") == ["OK"]
    assert do("MGET", "queued", "watched", "unaffected") == [b"1", None, b"1"]


def test_it_takes_its_place_in_the_order(do: Transcript) -> None:
    commands = [
        ("MSET", *range(20)),
        ("DBSIZE",),
        ("RESPCACHE", "RESET"),
        ("DBSIZE",),
        ("MSET", *range(20)),
        ("DBSIZE",),
    ]
    assert do.connection.pipeline(*commands) == ["OK", 10, "OK", 0, "OK", 10]


def test_its_own_connection_starts_over(do: Transcript) -> None:
    """In its protocol, and logged in: the client library need not know."""
    do("CONFIG", "SET", "requirepass", "secret")
    do("SELECT", 3)
    do("CLIENT", "SETNAME", "x")
    do("WATCH", "k")
    do("MULTI")
    do("SET", "k", "v")
    assert do("RESPCACHE", "RESET") == "OK"
    assert do("CLIENT", "GETNAME") is None
    assert setting(do, "requirepass") == b""
    do("SET", "in", "database 0")
    do("SELECT", 0)
    assert do("GET", "in") == b"database 0"
    assert do.error("EXEC") == "ERR EXEC without MULTI"


def test_it_ends_subscriptions_of_its_own_connection(do: Transcript) -> None:
    do("SUBSCRIBE", "c")
    assert do("RESPCACHE", "RESET") == "OK"
    assert do("PUBLISH", "c", "nobody") == 0


@pytest.mark.parametrize("mode", ["OFF", "SKIP"])
def test_it_is_answered_while_replies_are_off(do: Transcript, mode: str) -> None:
    do.connection.send("CLIENT", "REPLY", mode)
    assert do("RESPCACHE", "RESET") == "OK"
    assert do("PING") == "PONG"


def test_errors(do: Transcript) -> None:
    assert do.error("RESPCACHE") == "ERR wrong number of arguments for 'respcache' command"
    assert do.error("RESPCACHE", "RESET", "x") == "ERR wrong number of arguments for 'respcache|reset' command"
    assert do.error("RESPCACHE", "NOSUCH") == "ERR unknown subcommand 'NOSUCH'. Try RESPCACHE HELP."


def test_it_is_off_unless_it_is_allowed() -> None:
    server = RespcacheServer("--enable-test-commands", "no")
    connection = Connection(server.port)
    refused = connection.call("RESPCACHE", "RESET")
    assert isinstance(refused, ReplyError)
    assert str(refused).startswith("ERR RESPCACHE command not allowed. If the enable-test-commands option is set to")
    assert connection.call("RESPCACHE", "HELP") == refused
    connection.close()
    server.stop()
