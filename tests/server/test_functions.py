"""Functions are the same in every shard, also in one that was restarted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Connection
from tests.support.waiting import eventually

pytestmark = pytest.mark.respcache_only("a genuine server has no shards")

LIBRARY = """#!lua name=lib
redis.register_function('set', function(keys, args) return redis.call('set', keys[1], args[1]) end)
redis.register_function('roam', function(keys, args) return redis.call('mget', unpack(args)) end)
redis.register_function('spin', function(keys) while true do redis.call('get', keys[1]) end end)
"""
KEYS = ("a", "b", "c")
BUSY = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."


@pytest.fixture
def server() -> Iterator[RespcacheServer]:
    server = RespcacheServer(shards=3)
    yield server
    server.stop()


@pytest.fixture
def admin(server: RespcacheServer) -> Iterator[Connection]:
    connection = Connection(server.port)
    yield connection
    connection.close()


def test_a_shard_that_is_restarted_has_them_all(admin: Connection) -> None:
    admin.call("FUNCTION", "LOAD", LIBRARY)
    admin.call("FUNCTION", "LOAD", "#!lua name=gone\nredis.register_function('f', function() end)")
    admin.call("FUNCTION", "DELETE", "gone")
    for _, pid, _, _ in admin.call("DEBUG", "SHARDS"):
        os.kill(pid, signal.SIGKILL)
    for key in KEYS:
        assert eventually(lambda key=key: admin.call("FCALL", "set", 1, key, key) == "OK")
        assert str(admin.call("FCALL", "f", 1, key)) == "ERR Function not found"
    assert admin.call("FCALL", "roam", 0, *KEYS) == [b"a", b"b", b"c"]


def test_a_library_that_comes_while_a_shard_is_down(admin: Connection) -> None:
    _, pid, _, _ = admin.call("DEBUG", "SHARDS")[1]
    os.kill(pid, signal.SIGKILL)
    admin.call("FUNCTION", "LOAD", LIBRARY)
    for key in KEYS:
        assert eventually(lambda key=key: admin.call("FCALL", "set", 1, key, key) == "OK")
    assert admin.call("FCALL", "roam", 0, *KEYS) == [b"a", b"b", b"c"]


def test_a_function_that_runs_for_too_long(server: RespcacheServer, admin: Connection) -> None:
    client = Connection(server.port)
    admin.call("FUNCTION", "LOAD", LIBRARY)
    admin.call("CONFIG", "SET", "busy-reply-threshold", 50)
    client.send("FCALL", "spin", 1, "a", "x")
    assert eventually(lambda: str(admin.call("GET", "b")) == BUSY)
    assert str(admin.call("SCRIPT", "KILL")) == BUSY
    stats = admin.call("FUNCTION", "STATS")
    running = dict(zip(stats[1][::2], stats[1][1::2], strict=True))
    assert running.pop(b"duration_ms") >= 50
    assert running == {b"name": b"spin", b"command": [b"FCALL", b"spin", b"1", b"a", b"x"]}
    assert admin.call("FUNCTION", "KILL") == "OK"
    assert str(client.read()) == ("ERR Script killed by user with SCRIPT KILL... script: spin, on @user_function:4.")
    assert admin.call("FUNCTION", "STATS")[1] is None
    client.close()


def test_a_library_that_takes_too_long_to_load(admin: Connection) -> None:
    assert "FUNCTION LOAD timeout" in str(admin.call("FUNCTION", "LOAD", "#!lua name=x\nwhile true do end"))
    assert admin.call("FUNCTION", "LIST") == []
    assert admin.call("SET", "a", 1) == "OK"


def test_libraries_and_scripts_while_a_script_calls_other_shards(server: RespcacheServer, admin: Connection) -> None:
    """Lua can do but one thing at a time: what others load has to wait, although the shard lets main in."""
    client, other = Connection(server.port), Connection(server.port)
    script = """
        redis.setresp(3)
        redis.call('hset', 'h{' .. ARGV[1] .. '}', 'f', 'v')
        for i = 1, 300 do
            for _, key in ipairs(ARGV) do
                if not redis.call('hgetall', 'h{' .. ARGV[1] .. '}').map then return 'not RESP3 in round ' .. i end
                redis.call('incr', key)
            end
        end
        return redis.call('mget', unpack(ARGV))
    """
    for home in KEYS:
        client.send("EVAL", script, 1, home, *KEYS)
        for i in range(20):
            assert admin.call("FUNCTION", "LOAD", "REPLACE", LIBRARY + f"-- {i}") == b"lib"
            assert len(admin.call("SCRIPT", "LOAD", f"return {i}")) == 40
            assert other.pipeline(("MULTI",), ("SCRIPT", "FLUSH"), ("SCRIPT", "LOAD", f"return {i}"), ("EXEC",))[-1]
            assert "used_memory_lua" in admin.call("INFO", "memory").decode()
        assert client.read() == [b"%d" % (300 * (KEYS.index(home) + 1))] * 3
    client.close()
    other.close()


def test_a_library_that_is_replaced_before_exec(admin: Connection) -> None:
    """What was certain of a function when it was queued need not be so when it runs."""
    admin.call("MSET", "a", 1, "b", 2, "c", 3)
    admin.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 0 end)")
    other = "#!lua name=lib\nredis.register_function('f', function() return redis.call('mget', 'a', 'b', 'c') end)"
    admin.call("MULTI")
    admin.call("FUNCTION", "LOAD", "REPLACE", other)
    admin.call("FCALL", "f", 1, "a")
    assert admin.call("EXEC") == [b"lib", [b"1", b"2", b"3"]]
