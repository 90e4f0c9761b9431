"""CONFIG, as a redis-cli session shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Connection
from tests.support.transcript import Transcript

FAILED = "ERR CONFIG SET failed (possibly related to argument '{}') - {}"


@pytest.fixture(autouse=True)
def _defaults(do: Transcript) -> Iterator[None]:
    """Restore the directives: other tests share the server."""
    before = do.as_map(do("CONFIG", "GET", "maxclients", "timeout", "save", "hz", "hash-max-listpack-entries"))
    yield
    for name, value in before.items():
        do("CONFIG", "SET", name, value)


def test_get(do: Transcript) -> None:
    assert do.as_map(do("CONFIG", "GET", "databases")) == {b"databases": b"16"}
    assert do.as_map(do("CONFIG", "GET", "DATABASES")) == {b"DATABASES": b"16"}
    assert do.as_map(do("CONFIG", "GET", "nosuch")) == {}
    assert do.as_map(do("CONFIG", "GET", "hash-max-*")) == {
        b"hash-max-listpack-entries": b"512",
        b"hash-max-listpack-value": b"64",
        b"hash-max-ziplist-entries": b"512",
        b"hash-max-ziplist-value": b"64",
    }
    several = do.as_map(do("CONFIG", "GET", "maxclients", "databases", "max[c]lients"))
    assert several == {b"maxclients": b"10000", b"databases": b"16"}


def test_set_and_get(do: Transcript) -> None:
    assert do("CONFIG", "SET", "timeout", 100, "MAXCLIENTS", 5000) == "OK"
    assert do.as_map(do("CONFIG", "GET", "timeout", "maxclients")) == {b"timeout": b"100", b"maxclients": b"5000"}
    do("CONFIG", "SET", "save", "60 1 900 10")
    assert do.as_map(do("CONFIG", "GET", "save")) == {b"save": b"60 1 900 10"}
    do("CONFIG", "SET", "save", "")
    assert do.as_map(do("CONFIG", "GET", "save")) == {b"save": b""}
    do("CONFIG", "SET", "maxmemory", "1gb")
    assert do.as_map(do("CONFIG", "GET", "maxmemory")) == {b"maxmemory": b"1073741824"}
    do("CONFIG", "SET", "maxmemory", 0)


def test_all_directives_are_set_or_none(do: Transcript) -> None:
    assert do.error("CONFIG", "SET", "timeout", 100, "hz", "abc") == FAILED.format(
        "hz", "argument couldn't be parsed into an integer"
    )
    assert do.as_map(do("CONFIG", "GET", "timeout")) == {b"timeout": b"0"}


def test_a_setting_reaches_the_shards(do: Transcript) -> None:
    do("CONFIG", "SET", "hash-max-ziplist-entries", 1)
    do("HSET", "h", "a", 1, "b", 2)
    assert do("OBJECT", "ENCODING", "h") == b"hashtable"


def test_set_errors(do: Transcript) -> None:
    assert do.error("CONFIG", "SET", "nosuch", 1) == (
        "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"
    )
    assert do.error("CONFIG", "SET", "hash-max-ziplist-entries", "x") == FAILED.format(
        "hash-max-ziplist-entries", "argument couldn't be parsed into an integer"
    )
    assert do.error("CONFIG", "SET", "dbfilename", "x") == FAILED.format("dbfilename", "can't set protected config")
    assert do.error("CONFIG", "SET", "a") == "ERR wrong number of arguments for 'config|set' command"
    assert do.error("CONFIG", "SET", "timeout", 1, "hz") == "ERR syntax error"
    assert do.error("CONFIG", "SET", "databases", 4) == FAILED.format("databases", "can't set immutable config")
    assert do.error("CONFIG", "SET", "timeout", 1, "timeout", 2) == FAILED.format("timeout", "duplicate parameter")
    assert do.error("CONFIG", "SET", "maxclients", 0) == FAILED.format(
        "maxclients", "argument must be between 1 and 4294967295 inclusive"
    )
    assert do.error("CONFIG", "SET", "maxmemory", "1z") == FAILED.format("maxmemory", "argument must be a memory value")
    assert do.error("CONFIG", "SET", "appendonly", "maybe") == FAILED.format(
        "appendonly", "argument must be 'yes' or 'no'"
    )
    assert do.error("CONFIG", "SET", "save", "60") == FAILED.format("save", "Invalid save parameters")
    assert do.error("CONFIG", "NOSUCH") == "ERR unknown subcommand 'NOSUCH'. Try CONFIG HELP."
    assert do.error("CONFIG") == "ERR wrong number of arguments for 'config' command"


def test_resetstat(do: Transcript) -> None:
    do("SET", "k", "v")
    do("GET", "k")
    do.error("NOSUCH")
    assert do("CONFIG", "RESETSTAT") == "OK"
    info = dict(line.split(":", 1) for line in text(do("INFO", "stats", "errorstats")).split("\r\n") if ":" in line)
    assert info["keyspace_hits"] == "0"
    assert info["total_commands_processed"] in ("0", "1")  # the INFO itself may count
    assert "errorstat_ERR" not in info


def text(reply: object) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)


def test_rewrite(tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text("maxclients 100\n")
    server = RespcacheServer(file=str(path))
    connection = Connection(server.port)
    assert connection.call("CONFIG", "SET", "timeout", 7) == "OK"
    assert connection.call("CONFIG", "REWRITE") == "OK"
    assert "maxclients 100\n" in path.read_text()
    assert "timeout 7\n" in path.read_text()
    connection.close()
    server.stop()


def test_rewrite_without_a_file(do: Transcript) -> None:
    assert do.error("CONFIG", "REWRITE") == "ERR The server is running without a config file"
