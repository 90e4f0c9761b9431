"""The handle on a server: real processes, real sockets, and nothing that stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio
import trio

from respcache.testing import Server, StartError

GONE_WITHIN = 20.0


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server(unixsocket=True) as server:
        yield server


def run_in_trio(main: Callable[[], Awaitable[None]]) -> None:
    trio.run(main)


def run_in_asyncio(main: Callable[[], Awaitable[None]]) -> None:
    async def coroutine() -> None:
        await main()

    asyncio.run(coroutine())


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def wait_until_gone(port: int) -> None:
    deadline = time.monotonic() + GONE_WITHIN
    while answers(port):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.01)  # polls the end of a process that is not our child


def test_where_it_is(running: Server) -> None:
    assert running.host == "127.0.0.1"
    assert running.url == f"redis://127.0.0.1:{running.port}/0"
    assert running.connection_kwargs == {"host": "127.0.0.1", "port": running.port}
    with redis.Redis.from_url(running.url) as client:
        assert client.info("server")["tcp_port"] == running.port
        assert client.info("server")["process_id"] == running.pid


def test_clients(running: Server) -> None:
    with running.client(decode_responses=True, db=3) as client:
        client.set("k", "v")
        assert client.get("k") == "v"
    with running.client() as client:
        assert client.get("k") is None


def test_client_by_unix_socket(running: Server) -> None:
    assert running.unixsocket is not None
    with redis.Redis(unix_socket_path=running.unixsocket) as client:
        assert client.ping() is True


def test_async_client(running: Server) -> None:
    async def main() -> None:
        async with running.async_client(decode_responses=True) as client:
            assert isinstance(client, redis.asyncio.Redis)
            await client.set("k", "async")
            assert await client.get("k") == "async"

    asyncio.run(main())


def test_flush_empties_every_database(running: Server) -> None:
    with running.client() as first, running.client(db=9) as ninth:
        first.set("a", 1)
        ninth.set("b", 1)
        running.flush()
        assert first.dbsize() == 0
        assert ninth.dbsize() == 0


def test_time_passes_when_told(running: Server) -> None:
    with running.client() as client:
        before, _ = client.time()
        client.set("k", "v", ex=3600)
        running.advance(3599)
        assert client.get("k") == b"v"
        running.advance(1.5)
        assert client.get("k") is None
        after, _ = client.time()
        assert after - before >= 3600
    with pytest.raises(ValueError, match="backwards"):
        running.advance(-1)


def test_a_waiting_client_goes_on_when_time_passes(running: Server) -> None:
    with running.client() as waiting, running.client() as other:
        other.client_pause(3_600_000, all=False)
        connection = waiting.connection_pool.get_connection()
        connection.send_command("SET", "k", "v")
        assert not connection.can_read(timeout=0.05)
        running.advance(3601)
        assert connection.read_response() == b"OK"
        waiting.connection_pool.release(connection)


def test_further_directives() -> None:
    args = ["--maxmemory", "10mb", "--databases", "4"]
    with Server(shards=2, args=args) as server, server.client() as client:
        assert client.config_get("maxmemory") == {"maxmemory": str(10 << 20)}
        assert client.config_get("databases") == {"databases": "4"}


def test_stop_and_start_again(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    server = Server(unixsocket=path)
    server.stop()  # never started: nothing to do
    server.start()
    with pytest.raises(RuntimeError, match="running already"):
        server.start()
    first = server.port
    with server.client() as client:
        client.set("k", "v")
    server.flush()
    server.stop()
    assert not answers(first)
    assert not path.exists()
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.port
    with server:
        assert server.unixsocket == str(path)
        server.flush()
        with server.client() as client:
            assert client.get("k") is None


def test_nothing_is_written_into_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Server() as server, server.client() as client:
        client.set("k", "v")
    assert list(tmp_path.iterdir()) == []


def test_modules_in_the_working_directory_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # People's projects have files called select.py, redis.py or respcache.py.
    for name in ("respcache", "trio", "struct"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    monkeypatch.chdir(tmp_path)
    with Server() as server, server.client() as client:
        assert client.ping() is True


def test_a_failed_start_shows_the_log() -> None:
    server = Server(args=["--no-such-directive", "1"])
    with pytest.raises(StartError, match="no-such-directive") as caught:
        server.start()
    assert "ended with status" in str(caught.value)
    assert "no-such-directive" in caught.value.log
    server.stop()


@pytest.mark.parametrize("run", [run_in_trio, run_in_asyncio])
def test_async_context(run: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
    ports = []

    async def main() -> None:
        async with Server() as server:
            ports.append(server.port)
            assert answers(server.port)

    run(main)
    assert not answers(ports[0])


def test_the_event_loop_goes_on_during_the_start() -> None:
    async def main() -> int:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.sleep(0.001)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            async with Server():
                nursery.cancel_scope.cancel()
        return turns

    assert trio.run(main) > 10


def test_cancelled_under_asyncio_while_it_starts() -> None:
    server = Server()

    async def enter() -> None:
        async with server:
            pytest.fail("cancelled before")

    async def main() -> None:
        task = asyncio.ensure_future(enter())
        await asyncio.sleep(0)  # it runs up to the thread that starts the server
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.port


def test_stopped_under_trio_in_a_cancelled_scope() -> None:
    ports = []

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with Server() as server:
                ports.append(server.port)
                scope.cancel()

    trio.run(main)
    assert not answers(ports[0])


KILLED = """
import sys
from respcache.testing import Server
with Server(shards=2) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""


def test_a_killed_test_run_leaves_no_server() -> None:
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert answers(port)
        process.kill()
    wait_until_gone(port)


def test_control_c_is_left_to_the_test_run(running: Server) -> None:
    # In a terminal the signal goes to all processes of the foreground group; the server is in none.
    assert os.getpgid(running.pid) != os.getpgrp()
    assert os.getsid(running.pid) != os.getsid(0)


def test_a_server_that_died_can_be_stopped() -> None:
    with Server() as server:
        os.kill(server.pid, signal.SIGKILL)
        wait_until_gone(server.port)
