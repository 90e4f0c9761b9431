"""INFO, TIME, LOLWUT, DEBUG and SHUTDOWN."""

from __future__ import annotations

import time

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Closed, Connection, ReplyError, VerbatimText
from tests.support.transcript import Transcript


def info(do: Transcript, *sections: str) -> dict[str, str]:
    """The fields of INFO. Also checks the type of the reply."""
    reply = do("INFO", *sections)
    assert isinstance(reply, VerbatimText if do.protocol == 3 else bytes)
    text = str(reply).removeprefix("txt:") if do.protocol == 3 else reply.decode()
    return dict(line.split(":", 1) for line in text.split("\r\n") if line and not line.startswith("#"))


# -- INFO


def test_info_sections(do: Transcript) -> None:
    assert info(do, "replication")["role"] == "master"
    assert "redis_version" not in info(do, "replication")
    assert {"role", "redis_version"} <= set(info(do, "replication", "SERVER"))
    assert info(do, "nosuch") == {}
    for everything in ((), ("default",), ("all",), ("everything",)):
        assert {"redis_version", "connected_clients", "used_memory", "role", "cluster_enabled"} <= set(
            info(do, *everything)
        )


def test_info_counts_what_happens(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")
    do("SET", "k", "v")
    do("GET", "k")
    do("GET", "none")
    do.error("LPUSH", "k", "v")
    do.error("NOSUCH")
    stats = info(do, "stats", "errorstats")
    assert (stats["keyspace_hits"], stats["keyspace_misses"]) == ("1", "1")
    assert stats["total_error_replies"] == "2"
    assert (stats["errorstat_WRONGTYPE"], stats["errorstat_ERR"]) == ("count=1", "count=1")
    assert int(stats["total_commands_processed"]) >= 5
    assert int(stats["total_net_input_bytes"]) > 100


def test_info_counts_errors_inside_transactions(do: Transcript) -> None:
    do("CONFIG", "RESETSTAT")
    do("RPUSH", "l", "a")
    do("MULTI")
    for words in (("INCR", "l"), ("SELECT", 99), ("SET", "k", "v", "NOSUCH"), ("CONFIG", "SET", "hz", "x")):
        do(*words)
    do("EXEC")
    stats = info(do, "errorstats")
    assert (stats["errorstat_WRONGTYPE"], stats["errorstat_ERR"]) == ("count=1", "count=3")


def test_info_keyspace(do: Transcript) -> None:
    assert info(do, "keyspace") == {}
    for n in range(10):
        do("SET", f"k{n}", n)
    do("EXPIRE", "k1", 1000)
    do("SELECT", 3)
    do("SET", "k", "v")
    found = info(do, "keyspace")
    assert set(found) == {"db0", "db3"}
    assert found["db0"].startswith("keys=10,expires=1,avg_ttl=")
    # A genuine server updates this estimate from time to time, and reports 0 at first.
    assert 0 <= int(found["db0"].split(",")[2].partition("=")[2]) <= 1_000_000
    assert found["db3"].startswith("keys=1,expires=0,avg_ttl=0")


def test_info_counts_clients(do: Transcript, connect: type[Connection]) -> None:
    before = int(info(do, "clients")["connected_clients"])
    connect().call("PING")  # type: ignore[call-arg]  # the fixture has the port already
    assert int(info(do, "clients")["connected_clients"]) == before + 1


# -- TIME and LOLWUT


def test_time(do: Transcript) -> None:
    seconds, microseconds = map(int, do("TIME"))
    assert abs(seconds - time.time()) < 10**6  # other tests may have shifted the clock
    assert 0 <= microseconds < 10**6
    again = [int(part) for part in do("TIME")]
    assert again >= [seconds, microseconds]
    assert do.error("TIME", "x") == "ERR wrong number of arguments for 'time' command"


def test_lolwut(do: Transcript) -> None:
    for arguments in ((), ("VERSION", 5), ("VERSION", 6, 40, 10)):
        reply = do("LOLWUT", *arguments)
        assert isinstance(reply, VerbatimText if do.protocol == 3 else bytes)
        assert "Redis ver." in (reply if isinstance(reply, str) else reply.decode())


# -- DEBUG


def test_debug_errors(do: Transcript) -> None:
    assert do.error("DEBUG", "NOSUCH") == (
        "ERR unknown subcommand or wrong number of arguments for 'NOSUCH'. Try DEBUG HELP."
    )
    assert do.error("DEBUG") == "ERR wrong number of arguments for 'debug' command"


def test_debug_error_and_sleep(do: Transcript) -> None:
    assert do.error("DEBUG", "ERROR", "MY own words") == "MY own words"
    assert do("DEBUG", "SLEEP", "0") == "OK"
    assert do("DEBUG", "SLEEP", "0.001") == "OK"


@pytest.mark.respcache_only("time is shifted")
def test_debug_set_active_expire(do: Transcript) -> None:
    do("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    do("SET", "k", "v", "PX", 100)
    do.advance(1000)
    assert do("DBSIZE") == 1
    do("DEBUG", "SET-ACTIVE-EXPIRE", 1)
    do.advance(1)
    assert do("DBSIZE") == 0


def test_debug_is_off_by_default() -> None:
    server = RespcacheServer("--enable-debug-command", "no")
    connection = Connection(server.port)
    refused = connection.call("DEBUG", "SLEEP", "0")
    assert str(refused).startswith("ERR DEBUG command not allowed. If the enable-debug-")
    replies = connection.pipeline(("MULTI",), ("DEBUG", "SLEEP", "0"), ("EXEC",))
    assert replies[1:] == [refused, ReplyError("EXECABORT Transaction discarded because of previous errors.")]
    connection.call("CONFIG", "SET", "requirepass", "secret")
    stranger = Connection(server.port)
    assert stranger.call("DEBUG", "SLEEP", "0") == refused
    assert str(stranger.call("GET", "k")).startswith("NOAUTH")
    stranger.close()
    connection.close()
    server.stop()


# -- SHUTDOWN


@pytest.mark.parametrize("words", [(), ("NOSAVE",), ("nosave", "NOW", "FORCE")])
def test_shutdown(words: tuple[str, ...]) -> None:
    server = RespcacheServer(shards=2)
    connection, other = Connection(server.port), Connection(server.port)
    other.call("SET", "k", "v")
    connection.send("SHUTDOWN", *words)
    with pytest.raises(Closed):
        connection.read()
    with pytest.raises(Closed):
        other.read()
    connection.close()
    other.close()
    assert server.process.wait(10) == 0
    server.stop()


def test_shutdown_errors(do: Transcript) -> None:
    assert do.error("SHUTDOWN", "x") == "ERR syntax error"
    assert do.error("SHUTDOWN", "SAVE", "NOSAVE") == "ERR syntax error"
    assert do.error("SHUTDOWN", "ABORT", "NOW") == "ERR syntax error"
    assert do.error("SHUTDOWN", "ABORT") == "ERR No shutdown in progress."
