"""`server.clock` and `server.async_clock`, and the same by plain commands of other languages' clients."""

from __future__ import annotations

import asyncio
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
import trio

from respcache.testing import Server
from tests.support.cancelling import cancel_block
from tests.support.node import CLIENTS, tell
from tests.support.waiting import eventually

MOMENT = datetime(2030, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture(scope="module", params=[1, 3], ids=["1-shard", "3-shards"])
def running(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(shards=request.param) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.reset()
    return running


def test_time_is_the_tests(server: Server) -> None:
    clock = server.clock
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=10)
    with clock.freeze():
        assert clock.set(MOMENT) == clock.now() == MOMENT
        assert clock.advance(60) == MOMENT + timedelta(seconds=60) + MILLISECOND
        assert clock.advance(timedelta(days=1)) == clock.now()
        assert clock.set(MOMENT.timestamp() + 0.5) == MOMENT + timedelta(seconds=0.5)
        naive = datetime(2031, 1, 1)
        assert clock.set(naive) == naive.astimezone(UTC)
    assert clock.resume() > MOMENT


def test_keys_expire(server: Server) -> None:
    with server.client() as client, server.clock.freeze():
        client.set("a", 1, ex=60)
        client.set("b", 1, ex=60)
        server.clock.advance(59.5)
        assert client.dbsize() == 2
        server.advance(timedelta(seconds=0.5))
        assert client.dbsize() == 0


def frozen(server: Server) -> bool:
    """Whether TIME stays the same over many commands."""
    with server.client() as client:
        first = client.time()
        return all(client.time() == first for _ in range(100))


def fail_while_frozen(server: Server, *, stop: bool = False) -> None:
    """A block that raises ZeroDivisionError."""
    with server.clock.freeze():
        assert frozen(server)
        if stop:
            server.stop()
        _ = 1 / 0


def test_time_passes_again_after_a_block_that_failed(server: Server) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_while_frozen(server)
    assert not frozen(server)


def test_without_a_block_it_stays_frozen(server: Server) -> None:
    server.clock.freeze()
    assert frozen(server)
    server.clock.resume()
    assert not frozen(server)


def test_the_failure_of_a_block_is_not_hidden() -> None:
    """Nor is it by a server that has gone meanwhile."""
    with Server() as server:
        with pytest.raises(ZeroDivisionError):
            fail_while_frozen(server, stop=True)
        with pytest.raises(RuntimeError, match="not running"):
            server.clock.now()


def test_what_it_refuses(server: Server) -> None:
    with pytest.raises(ValueError, match="does not run backwards"):
        server.clock.advance(-1)
    with pytest.raises(RuntimeError, match=r"RESPCACHE CLOCK SET .*out of range"):
        server.clock.set(datetime(2107, 1, 1, tzinfo=UTC))
    with pytest.raises(RuntimeError, match="out of range"):
        server.clock.set(0)
    with Server(args=["--enable-test-commands", "no"]) as other:
        for words in (("GET",), ("FREEZE",), ("RESUME",), ("ADVANCE", 1), ("SET", 1)):
            with pytest.raises(RuntimeError, match="RESPCACHE command not allowed"):
                other._command("RESPCACHE", "CLOCK", *words)


def test_of_a_server_with_a_password() -> None:
    with Server(args=["--requirepass", "secret"]) as server, server.clock.freeze():
        assert server.clock.set(MOMENT) == MOMENT


async def _fail_while_frozen(server: Server) -> None:
    clock = server.async_clock
    async with clock.freeze():
        assert await clock.set(MOMENT) == MOMENT
        assert await clock.now() == MOMENT
        assert await clock.advance(1) == MOMENT + timedelta(seconds=1) + MILLISECOND
        _ = 1 / 0


async def _async_story(server: Server) -> None:
    clock = server.async_clock
    with pytest.raises(ZeroDivisionError):
        await _fail_while_frozen(server)
    assert not frozen(server)
    await clock.freeze()
    assert frozen(server)
    await clock.resume()
    assert not frozen(server)


def test_under_asyncio(server: Server) -> None:
    asyncio.run(_async_story(server))


def test_under_trio(server: Server) -> None:
    trio.run(_async_story, server)


def test_cancelled_while_it_freezes(server: Server) -> None:
    """Nothing stays frozen that nobody would resume."""

    def check() -> None:
        assert not frozen(server)

    cancel_block(server.async_clock.freeze, check)


def test_a_blocked_client_of_redis_py(server: Server) -> None:
    """Its reply comes with the time, whatever the library's own clock says."""

    async def main() -> Any:
        client = server.async_client()
        waiting = asyncio.create_task(client.blpop(["nothing"], timeout=30))
        with server.client() as other:
            while not other.info("clients")["blocked_clients"]:
                await asyncio.sleep(0)
        await server.async_clock.advance(31)
        reply = await waiting
        await client.aclose()
        return reply

    assert asyncio.run(main()) is None


def test_a_shard_that_dies_meanwhile() -> None:
    with Server(shards=3) as server, server.client() as client, server.clock.freeze():
        before = server.clock.now()
        for number in range(30):
            client.set(f"k{number}", 1, ex=10)
        pid = next(int(info["pid"]) for info in shards_of(client))
        subprocess.run(["kill", "-9", str(pid)], check=True)
        assert server.clock.advance(10) > before + timedelta(seconds=10)
        assert client.dbsize() == 0
        client.set("k0", 1, ex=10)
        server.clock.advance(10)
        assert client.dbsize() == 0


def shards_of(client: Any) -> list[dict[str, str]]:
    """The shards' lines of INFO."""
    fields = client.info("shards")
    return [line for name, line in fields.items() if name.startswith("shard") and isinstance(line, dict)]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def test_slow_requests_over_http() -> None:
    """The door's time for a request passes with the clock, and only with it."""
    pytest.importorskip("h11")
    port, http_port = free_port(), free_port()
    command = [sys.executable, "-m", "respcache", "--port", str(port), "--http-port", str(http_port), "--shards", "1"]
    command += ["--http-request-timeout", "5", "--enable-test-commands", "yes", "--save", ""]
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        stack.callback(process.terminate)
        control = stack.enter_context(redis.Redis(port=port))

        def started() -> bool:
            try:
                return bool(control.ping())
            except redis.ConnectionError:
                return False

        assert eventually(started, within=20)
        control.execute_command("RESPCACHE", "CLOCK", "FREEZE")
        slow = stack.enter_context(socket.create_connection(("127.0.0.1", http_port), timeout=10))
        slow.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\n")

        def answered() -> bool:
            control.execute_command("RESPCACHE", "CLOCK", "ADVANCE", 6000)
            return bool(select.select([slow], [], [], 0)[0])

        assert eventually(answered)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


# -- other languages

_STORY = """
const before = await call("RESPCACHE", "CLOCK", "FREEZE");
assert.equal(typeof before, "number");
assert.equal(await call("RESPCACHE", "CLOCK", "SET", "1893456000000"), 1893456000000);
await call("SET", "session", "abc", "EX", "60");
assert.equal(await call("XADD", "s", "*", "f", "v"), "1893456000000-0");
assert.equal(await call("RESPCACHE", "CLOCK", "ADVANCE", "60000"), 1893456060001);
assert.equal(await call("GET", "session"), null);
assert.equal(await call("RESPCACHE", "CLOCK", "GET"), 1893456060001);
await assert.rejects(call("RESPCACHE", "CLOCK", "ADVANCE", "-1"), /out of range/);
await call("RESPCACHE", "CLOCK", "RESUME");
assert.equal(await call("RESPCACHE", "RESET"), "OK");
"""


@pytest.mark.parametrize("client", CLIENTS)
def test_plain_commands_from_node(server: Server, client: str, tmp_path: Path) -> None:
    tell(client, _STORY, server.url, tmp_path)
