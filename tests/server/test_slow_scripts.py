"""Scripts that run for too long: BUSY for everybody else, SCRIPT KILL, and the end of the server."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from respcache.server.order.router import Router
from tests.support.processes import RespcacheServer
from tests.support.resp import Connection, ReplyError
from tests.support.transcript import Transcript
from tests.support.waiting import eventually

BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."
KILLED = "ERR Script killed by user with SCRIPT KILL... script: "
# They run on the shard of their key, under a barrier because of an unknown key, and because of main.
LOOPS = {
    "closed": "redis.call('get', KEYS[1]) while true do end",
    "open": "while true do redis.call('get', ARGV[1]) end",
    "stubborn": "while true do pcall(function() while true do end end) end",
    "calling": "redis.call('info', 'server') while true do end",
}

Connect = Callable[..., Connection]


@pytest.fixture
def ending(do: Transcript, connect: Connect) -> Iterator[Connection]:
    """Another connection. Scripts take too long soon; at the end of the test it kills what runs."""
    other = connect()
    do("CONFIG", "SET", "busy-reply-threshold", 50)
    yield other
    other.call("SCRIPT", "KILL")
    assert eventually(lambda: other.call("CONFIG", "SET", "busy-reply-threshold", 5000) == "OK")


def process_exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until_busy(connection: Connection, *words: Any) -> str:
    """Send a command again and again until it is refused; the refusal."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        reply = connection.call(*(words or ("GET", "any")))
        if isinstance(reply, ReplyError):
            return str(reply)
    raise AssertionError("never busy")


@pytest.mark.parametrize("loop", LOOPS)
def test_everybody_else_is_refused(do: Transcript, ending: Connection, loop: str) -> None:
    do.connection.send("EVAL", LOOPS[loop], 1, "a", "b")
    assert until_busy(ending) == BUSY
    for words in (("GET", "a"), ("GET", "b"), ("PING",), ("MGET", "a", "b", "c"), ("EVAL", "return 1", 0), ("DBSIZE",)):
        assert str(ending.call(*words)) == BUSY
    # What is wrong with a command is told before that.
    assert str(ending.call("GET")) == "ERR wrong number of arguments for 'get' command"
    assert ending.call("MULTI") == "OK"
    assert str(ending.call("GET", "a")) == BUSY
    assert str(ending.call("EXEC")) == f"EXECABORT Transaction discarded because of: {BUSY}"
    assert str(ending.call("SHUTDOWN")) == BUSY
    assert ending.call("SCRIPT", "KILL") == "OK"
    assert str(do.connection.read()).startswith(KILLED)
    assert ending.call("GET", "a") is None
    assert str(ending.call("SCRIPT", "KILL")) == "NOTBUSY No scripts in execution right now."


@pytest.mark.respcache_only(reason="a genuine server does not read them before the script is over")
@pytest.mark.parametrize("loop", LOOPS)
def test_those_who_came_before_it_was_too_long(do: Transcript, connect: Connect, ending: Connection, loop: str) -> None:
    """They stand behind the script in the shard's pipe, or behind the barrier: refused, and not carried out later."""
    do("CONFIG", "SET", "busy-reply-threshold", 300)
    others = [connect() for _ in range(3)]
    do.connection.send("EVAL", LOOPS[loop], 1, "a", "b")
    assert eventually(lambda: ending.call("DEBUG", "SHARDS") and waits_for_script(ending))
    for number, other in enumerate(others):
        other.send("SET", "a", number)
        other.send("INCR", "a")
    assert [str(other.read()) for other in others for _ in range(2)] == [BUSY] * 6
    assert ending.call("SCRIPT", "KILL") == "OK"
    assert str(do.connection.read()).startswith(KILLED)
    assert ending.call("GET", "a") is None


def waits_for_script(connection: Connection) -> bool:
    """True if some shard has something to answer."""
    return any(unanswered for _, _, _, unanswered in connection.call("DEBUG", "SHARDS"))


def test_its_own_client_waits(do: Transcript, ending: Connection) -> None:
    connection = do.connection
    connection.send("EVAL", LOOPS["closed"], 1, "a")
    connection.send("SET", "a", 1)
    until_busy(ending)
    connection.send("GET", "a")
    connection.send("PING")
    assert ending.call("SCRIPT", "KILL") == "OK"
    assert str(connection.read()).startswith(KILLED)
    assert [connection.read() for _ in range(3)] == ["OK", b"1", "PONG"]


@pytest.mark.parametrize("script", ["redis.call('set', KEYS[1], 1)", "local key = 'b' redis.call('set', key, 1)"])
def test_a_script_that_has_written_cannot_be_killed(do: Transcript, ending: Connection, script: str) -> None:
    other = ending
    script += " for i = 1, 2e8 do end return 'done'"
    do.connection.send("EVAL", script, 1, "a")
    assert until_busy(other) == BUSY
    assert str(other.call("SCRIPT", "KILL")).startswith("UNKILLABLE Sorry the script already executed write commands")
    assert str(other.call("GET", "a")) == BUSY
    assert do.connection.read() == b"done"
    assert other.call("EXISTS", "a", "b") == 1


def test_within_exec(do: Transcript, ending: Connection) -> None:
    connection = do.connection
    for loop in LOOPS.values():
        for words in (("MULTI",), ("SET", "a", 1), ("EVAL", loop, 1, "a", "b"), ("SET", "a", 2), ("EXEC",)):
            connection.send(*words)
        assert until_busy(ending) == BUSY
        assert ending.call("SCRIPT", "KILL") == "OK"
        assert [connection.read() for _ in range(4)] == ["OK", "QUEUED", "QUEUED", "QUEUED"]
        first, second, third = connection.read()
        assert (first, third) == ("OK", "OK")
        assert str(second).startswith(KILLED)


def test_to_kill_has_to_wait_until_it_is_too_long(do: Transcript, ending: Connection) -> None:
    do.connection.send("EVAL", LOOPS["closed"], 1, "a")
    while ending.call("SCRIPT", "KILL") != "OK":  # a genuine server may not have begun it
        pass
    assert str(do.connection.read()).startswith(KILLED)


@pytest.mark.respcache_only(reason="a genuine server may not have begun it")
def test_to_kill_has_to_wait_also_while_the_script_asks_for_something(do: Transcript, ending: Connection) -> None:
    do("CONFIG", "SET", "busy-reply-threshold", 300)
    do.connection.send("EVAL", "while true do redis.call('get', 'k' .. math.random(100)) end", 1, "a")
    assert eventually(lambda: waits_for_script(ending))
    assert ending.call("SCRIPT", "KILL") == "OK"
    assert str(do.connection.read()).startswith(KILLED)


def test_what_is_allowed_meanwhile(do: Transcript, ending: Connection) -> None:
    do.connection.send("EVAL", LOOPS["closed"], 1, "a")
    until_busy(ending)
    assert ending.call("HELLO", 2)
    assert ending.call("WATCH", "a") == "OK"
    assert ending.call("UNWATCH") == "OK"
    assert ending.call("MULTI") == "OK"
    assert ending.call("DISCARD") == "OK"
    assert str(ending.call("SUBSCRIBE", "c")) == BUSY


# -- bad days, on a server of its own


@pytest.fixture(params=[1, 3], ids=["1-shard", "3-shards"])
def own_server(request: pytest.FixtureRequest) -> Iterator[RespcacheServer]:
    server = RespcacheServer("--busy-reply-threshold", "50", shards=request.param)
    yield server
    server.stop()


@pytest.fixture
def client(own_server: RespcacheServer) -> Iterator[Connection]:
    connection = Connection(own_server.port)
    yield connection
    connection.close()


@pytest.fixture
def admin(own_server: RespcacheServer) -> Iterator[Connection]:
    connection = Connection(own_server.port)
    yield connection
    connection.close()


@pytest.mark.parametrize("loop", LOOPS)
def test_shutdown_ends_a_server_whose_script_hangs(
    own_server: RespcacheServer, client: Connection, admin: Connection, loop: str
) -> None:
    client.send("EVAL", LOOPS[loop], 1, "a", "b")
    assert until_busy(admin) == BUSY
    admin.send("SHUTDOWN", "NOSAVE")
    assert own_server.process.wait(10) == 0


def test_the_log_tells_of_it(own_server: RespcacheServer, client: Connection, admin: Connection) -> None:
    number = client.call("CLIENT", "ID")
    client.send("EVAL", LOOPS["closed"], 1, "a")
    until_busy(admin)
    assert f"A script of client {number} has run for " in own_server.output()
    assert "SCRIPT KILL ends it if it has not written" in own_server.output()
    assert admin.call("SCRIPT", "KILL") == "OK"
    code = "#!lua name=l\nredis.register_function('forever', function() while true do end end)"
    assert client.read() is not None
    client.call("FUNCTION", "LOAD", code)
    client.send("FCALL", "forever", 0)
    until_busy(admin)
    assert f"A function (forever) of client {number} has run for " in own_server.output()
    assert admin.call("FUNCTION", "KILL") == "OK"


def test_a_signal_does_so_at_once(own_server: RespcacheServer, client: Connection, admin: Connection) -> None:
    """Even before the script has run for too long."""
    pids = [pid for _, pid, _, _ in admin.call("DEBUG", "SHARDS")]
    admin.call("CONFIG", "SET", "busy-reply-threshold", 5000)
    client.send("EVAL", LOOPS["stubborn"], 1, "a")
    assert eventually(lambda: waits_for_script(admin))
    own_server.process.terminate()
    assert own_server.process.wait(10) == 0
    assert not any(map(process_exists, pids))


def test_no_shard_outlives_a_main_process_that_is_killed(
    own_server: RespcacheServer, client: Connection, admin: Connection
) -> None:
    pids = [pid for _, pid, _, _ in admin.call("DEBUG", "SHARDS")]
    client.send("EVAL", LOOPS["open"], 1, "a", "b")
    assert until_busy(admin) == BUSY
    own_server.process.kill()
    assert eventually(lambda: not any(map(process_exists, pids)))


@pytest.mark.parametrize("loop", LOOPS)
def test_a_shard_is_killed_while_it_runs_a_script(
    own_server: RespcacheServer, client: Connection, admin: Connection, loop: str
) -> None:
    """The script's client gets an error, the barrier is lifted, and nobody is refused any more."""
    pids = [pid for _, pid, _, _ in admin.call("DEBUG", "SHARDS")]
    client.send("EVAL", LOOPS[loop], 1, "a", "b")
    assert until_busy(admin) == BUSY
    home = Router(len(pids)).shard_of(b"a")
    os.kill(pids[home], signal.SIGKILL)
    assert str(client.read()).startswith("ERR the shard of this command died")
    assert eventually(lambda: admin.call("SET", "a", 1) == "OK")
    assert admin.call("EVAL", "return redis.call('mget', 'a', 'b', 'c')", 0) == [b"1", None, None]
    assert client.call("PING") == "PONG"


def test_another_shard_is_killed_while_a_script_calls_it(
    own_server: RespcacheServer, client: Connection, admin: Connection
) -> None:
    pids = [pid for _, pid, _, _ in admin.call("DEBUG", "SHARDS")]
    if len(pids) == 1:
        pytest.skip("there is no other shard")
    admin.call("SET", "b", 0)
    script = """
        while true do
            local reply = redis.pcall('get', ARGV[1])
            if type(reply) == 'table' then return reply.err end
            if not reply then return 'none' end
        end
    """
    client.send("EVAL", script, 1, "a", "b")
    assert until_busy(admin) == BUSY
    os.kill(pids[Router(len(pids)).shard_of(b"b")], signal.SIGKILL)
    # The call that it was carrying out failed; or it was between two, and the next one finds it restarted and empty.
    reply = client.read()
    assert reply == b"none" or reply.startswith(b"ERR the shard of this command died")
    assert eventually(lambda: admin.call("SET", "b", 1) == "OK")
    assert client.call("EVAL", "return redis.call('get', ARGV[1])", 1, "a", "b") == b"1"


@pytest.mark.parametrize(
    "script",
    [
        "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end",
        "local s = 'x' while true do s = s .. s end",
        "local function f() return 1 + f() end return f()",
        "local t = {} for i = 1, 1e8 do t[i] = {} end",
    ],
)
def test_what_takes_too_much(client: Connection, admin: Connection, script: str) -> None:
    """An error, and the shard lives."""
    admin.call("CONFIG", "SET", "busy-reply-threshold", 20_000)
    admin.call("SET", "k", "kept")
    client.socket.settimeout(50)  # to fill the memory takes a busy machine its time
    assert str(client.call("EVAL", script, 1, "k")).startswith("ERR ")
    assert client.call("EVAL", "return redis.call('get', KEYS[1])", 1, "k") == b"kept"
    assert [restarts for _, _, restarts, _ in admin.call("DEBUG", "SHARDS")] == [0] * (
        len(admin.call("DEBUG", "SHARDS"))
    )


def test_an_error_after_a_write(client: Connection) -> None:
    """What was written stays."""
    for script in ("redis.call('set', KEYS[1], 1) error('no')", "redis.call('set', 'b', 1) local t = nil .. t"):
        assert isinstance(client.call("EVAL", script, 1, "a"), ReplyError)
    assert client.call("MGET", "a", "b") == [b"1", b"1"]
