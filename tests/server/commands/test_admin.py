"""TIME, LOLWUT, DEBUG and SHUTDOWN."""

from __future__ import annotations

import re
import time

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Closed, Connection, ReplyError, VerbatimText
from tests.support.transcript import Transcript

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


@pytest.mark.respcache_only("Redis sleeps for ever")
def test_debug_sleep_for_no_time_that_there_is(do: Transcript) -> None:
    assert do("DEBUG", "SLEEP", "-1") == "OK"
    assert do.error("DEBUG", "SLEEP", "inf") == "ERR value is not a valid float"


def test_debug_populate(do: Transcript) -> None:
    assert do("DEBUG", "POPULATE", 3) == "OK"
    assert do("DEBUG", "POPULATE", 50, "other") == "OK"
    assert do("DBSIZE") == 53
    assert do("MGET", "key:0", "key:2", "other:49") == [b"value:0", b"value:2", b"value:49"]
    # Longer values are filled up, shorter ones are cut; what exists stays.
    do("DEBUG", "POPULATE", 2, "long", 10)
    do("DEBUG", "POPULATE", 2, "short", 3)
    do("DEBUG", "POPULATE", 4, "key", 1)
    assert do("MGET", "long:1", "short:1", "key:2", "key:3") == [b"value:1\0\0\0", b"val", b"value:2", b"v"]
    do("SELECT", 3)
    assert do.transaction(("DEBUG", "POPULATE", 20), ("DBSIZE",)) == ["OK", 20]
    assert do("DEBUG", "POPULATE", 0) == "OK"


def test_debug_populate_errors(do: Transcript) -> None:
    positive = "ERR value is out of range, must be positive"
    assert do.error("DEBUG", "POPULATE", "x") == positive
    assert do.error("DEBUG", "POPULATE", -1) == positive
    assert do.error("DEBUG", "POPULATE", 1, "key", "x") == positive
    assert do.error("DEBUG", "POPULATE", 1, "key", -1) == positive
    for words in ((), (1, "key", 1, 1)):
        assert do.error("DEBUG", "POPULATE", *words).startswith("ERR unknown subcommand or wrong number of arguments")
    assert do("DBSIZE") == 0


def test_debug_object(do: Transcript) -> None:
    def described(key: str) -> tuple[str, str, int]:
        """How many references, which encoding, and the length in an RDB file."""
        line = str(do("DEBUG", "OBJECT", key))
        found = re.match(
            r"Value at:0x[0-9a-f]+ refcount:(\d+) encoding:(\w+) serializedlength:(\d+) "
            r"lru:\d+ lru_seconds_idle:\d+(?: ql_|$)",
            line,
        )
        assert found, line
        return found[1], found[2], int(found[3])

    do("MSET", "small", 12, "large", 123456, "text", "hello", "huge", 123456789012, "negative", -70000)
    assert described("small") == ("2147483647", "int", 2)
    assert described("large") == ("1", "int", 5)
    assert described("text") == ("1", "embstr", 6)
    assert described("huge") == ("1", "int", 13)
    assert described("negative") == ("1", "int", 5)
    do("HSET", "hash", "a", 1)
    assert described("hash") == ("1", "listpack", 13)
    do("SADD", "numbers", 1, 70000)
    assert described("numbers") == ("1", "intset", 17)
    do("ZADD", "scores", 1, "a", 2.5, "b", "-1e30", "cc")
    assert described("scores") == ("1", "listpack", 33)
    do("HSET", "table", "x" * 65, 1)
    assert described("table")[1] == "hashtable"
    do("RPUSH", "list", *range(10_000, 14_001))
    do("CONFIG", "SET", "rdbcompression", "no")
    assert described("list") == ("1", "quicklist", 16025)
    do("CONFIG", "SET", "rdbcompression", "yes")
    assert str(do("DEBUG", "OBJECT", "list")).endswith(
        " ql_nodes:2 ql_avg_node:2000.50 ql_listpack_max:-2 ql_compressed:0 ql_uncompressed_size:16018"
    )
    do("CONFIG", "SET", "list-max-listpack-size", 4)
    do("RPUSH", "short", *range(8), "x" * 5000, "y" * 5000)
    do("CONFIG", "SET", "list-max-listpack-size", -2)
    assert described("short")[1] == "quicklist"
    # In its place: after what was sent before it, within a transaction too.
    replies = do.connection.pipeline(("SET", "k", 1), ("DEBUG", "OBJECT", "k"), ("SET", "k", "x"))
    assert " encoding:int " in str(replies[1])
    done = do.transaction(("SET", "k", "x"), ("DEBUG", "OBJECT", "k"), ("DEL", "k"))
    assert done is not None
    assert " encoding:embstr " in str(done[1])
    assert do.error("DEBUG", "OBJECT", "k") == "ERR no such key"
    for words in ((), ("k", "x", "x")):
        assert do.error("DEBUG", "OBJECT", *words).startswith("ERR unknown subcommand or wrong number of arguments")


@pytest.mark.since("7.2")
def test_debug_object_of_collections(do: Transcript) -> None:
    """Encodings that there are since 7.2."""
    do("SADD", "set", -5000, 4000, -1, 127, 128, 99999999999, "a", 8388608, -8388609)
    assert " encoding:listpack serializedlength:48 " in str(do("DEBUG", "OBJECT", "set"))
    do("RPUSH", "list", *range(1, 301))
    assert " encoding:listpack serializedlength:784 " in str(do("DEBUG", "OBJECT", "list"))


@pytest.mark.respcache_only("time is shifted")
def test_debug_object_tells_the_idle_time(do: Transcript) -> None:
    do("SET", "k", "v")
    do.advance(100_000)
    first, second = (re.search(r"lru:(\d+) lru_seconds_idle:(\d+)$", str(do("DEBUG", "OBJECT", "k"))) for _ in "12")
    assert first
    assert second
    assert first[1] == second[1]
    assert int(first[2]) in (100, 101)


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
