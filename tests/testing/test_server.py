"""The handle on a server: real processes, real sockets, and nothing left over."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
import redis.asyncio
import trio
from redis.backoff import NoBackoff
from redis.retry import Retry

import respcache.commands.all
import respcache.server.commands  # noqa: F401 - fills the table with main's own commands
from respcache.commands.table import TABLE
from respcache.redis_commands import REDIS_COMMANDS
from respcache.testing import Server, StartError
from tests.support.waiting import eventually

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
    assert running.password == ""
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
        server.flush()
    with server:
        assert server.port == first
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
    assert not server.running
    assert not answers(server.port)


def test_stopped_under_trio_in_a_cancelled_scope() -> None:
    ports = []

    async def main() -> None:
        with trio.CancelScope() as scope:
            async with Server() as server:
                ports.append(server.port)
                scope.cancel()

    trio.run(main)
    assert not answers(ports[0])


# -- whose it is

OWNER = """
import os, sys
from respcache.testing import Server
with Server(shards=2, unixsocket=True) as server:
    {fork}
    print(server.port, child, flush=True)
    sys.stdin.read()
"""
FORKS = {
    "none": "child = 0",
    "os.fork": "child = os.fork()\n    if not child: import time; time.sleep(100)",
    "multiprocessing": (
        "import multiprocessing, time; fork = multiprocessing.get_context('fork')\n"
        "    process = fork.Process(target=time.sleep, args=(100,)); process.start(); child = process.pid"
    ),
}


@pytest.mark.parametrize("fork", FORKS)
def test_a_killed_test_run_leaves_nothing(fork: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No server, even if the test run has forked and the fork lives on; and no temporary directory."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    command = [sys.executable, "-c", OWNER.format(fork=FORKS[fork])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port, child = map(int, process.stdout.readline().split())
        assert answers(port)
        assert list(tmp_path.iterdir()) != []
        process.kill()
        process.wait()
        try:
            wait_until_gone(port)
            assert eventually(lambda: list(tmp_path.iterdir()) == [])
        finally:
            if child:
                os.kill(child, signal.SIGKILL)  # which proves that it was still there


def in_a_fork(function: Callable[[], object]) -> bool:
    """True if the function returns something true in a fork of this process."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if function() else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return status == 0


def test_a_fork_can_use_the_server_and_not_stop_it() -> None:
    with Server() as server, server.client() as client:
        client.set("k", "v")

        def use_and_stop() -> bool:
            with server.client() as mine:
                mine.set("by", "the fork")
            server.advance(1)
            alive = server.alive()
            server.stop()
            return alive and not server.running

        assert in_a_fork(use_and_stop)
        server.advance(1)
        assert client.get("by") == b"the fork"


def test_a_program_that_ends_without_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in docs/guides/unittest.md: the server has ended when the program has, and Python has nothing to warn of."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    program = "from respcache.testing import Server; server = Server(); server.start(); print(server.port)"
    ended = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert not answers(int(ended.stdout))
    assert list(tmp_path.iterdir()) == []


def test_no_directory_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Server(unixsocket=True):
        assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == []
    with Server() as server:
        os.kill(server.pid, signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StartError):
        Server(args=["--no-such-directive", "1"]).start()
    assert list(tmp_path.iterdir()) == []


def test_control_c_is_left_to_the_test_run(running: Server) -> None:
    # In a terminal the signal goes to all processes of the foreground group; the server is in none.
    assert os.getpgid(running.pid) != os.getpgrp()
    assert os.getsid(running.pid) != os.getsid(0)


# -- when it dies


def test_a_server_that_died_says_so_at_once() -> None:
    server = Server()
    assert server.death() is None
    with server, server.client() as client, server.client() as fresh:
        client.set("k", "v")
        server.flush()
        assert server.alive()
        os.kill(server.pid, signal.SIGKILL)
        assert eventually(lambda: not server.alive())
        death = server.death()
        assert death is not None
        assert death.startswith("the server died: it was killed by SIGKILL; its log:\n")
        assert "Ready to accept connections" in death
        for either in (client, fresh):
            with pytest.raises(redis.ConnectionError, match="the server died: it was killed by SIGKILL"):
                either.get("k")
        for call in (server.flush, server.reset, lambda: server.advance(1)):
            with pytest.raises(ConnectionError, match="the server died: it was killed by SIGKILL"):
                call()
        asyncio.run(asking_a_dead_server(server))
    assert server.death() is None
    assert not server.alive()


async def asking_a_dead_server(server: Server) -> None:
    async with server.async_client() as client:
        with pytest.raises(redis.ConnectionError, match="the server died: it was killed by SIGKILL"):
            await client.get("k")


def test_an_orderly_end_is_no_death() -> None:
    with Server() as server, server.client() as client:
        client.shutdown()
        assert eventually(lambda: not server.alive())
        assert server.death() is None


def test_redis_is_down_and_back() -> None:
    with Server() as server:
        url = server.url
        with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 1)) as client:
            client.set("k", "v")
            server.stop()
            with pytest.raises(redis.ConnectionError):
                client.get("k")
            # A program may start, too, while Redis is down.
            assert server.url == url
            with server.client() as early, pytest.raises(redis.ConnectionError):
                early.ping()
            server.start()
            assert server.url == url
            assert client.get("k") is None


# -- how it was started


def test_args_are_words() -> None:
    with pytest.raises(TypeError, match=r"try args=\['--maxmemory', '10mb'\]"):
        Server(args="--maxmemory 10mb")
    with Server(args=["--databases", 4]) as server, server.client() as client:
        assert client.config_get("databases") == {"databases": "4"}


PASSWORD = "pass: word/@é"


@pytest.mark.parametrize("way", ["words", "one word", "file"])
def test_a_password(way: str, tmp_path: Path) -> None:
    file = tmp_path / "redis.conf"
    file.write_text(f'requirepass "{PASSWORD}"\nport 1\ndatabases 3\nlogfile {tmp_path}/log\n')
    options: dict[str, Any] = {
        "words": {"args": ["--requirepass", PASSWORD, "--databases", "3"]},
        "one word": {"args": [f'--requirepass "{PASSWORD}"', "--databases", "3"]},
        "file": {"file": file},
    }[way]
    with Server(**options) as server:
        assert server.password == PASSWORD
        with server.client(password=None) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        for client in (server.client(), redis.Redis.from_url(server.url), redis.Redis(**server.connection_kwargs)):
            with client:
                client.set("k", "v", ex=60)
                assert client.config_get("databases") == {"databases": "3"}
        server.advance(61)
        with server.client() as client:
            assert client.dbsize() == 0
            client.set("k", "v")
            server.flush()
            assert client.dbsize() == 0
            client.config_set("requirepass", "")
            server.reset()
            assert client.config_get("requirepass") == {"requirepass": PASSWORD}
        assert "Ready to accept connections" in server.log()


def test_a_port_of_choice() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Server(port=port) as server:
        assert server.port == port
        second = Server(port=port)
        with pytest.raises(StartError, match="Address already in use"):
            second.start()
        assert not second.running


class TestHttp:
    """The HTTP door, and where it is."""

    def ping(self, server: Server) -> Any:
        request = urllib.request.Request(
            f"{server.rest_url}/ping", headers={"Authorization": f"Bearer {server.rest_token}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def test_from_the_start(self) -> None:
        with Server(http=True) as server:
            url = server.rest_url
            assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", url)
            assert server.rest_token == "respcache"
            assert self.ping(server) == {"result": "PONG"}
        assert server.rest_url == url
        with server:
            assert server.rest_url == url
            assert self.ping(server) == {"result": "PONG"}

    def test_later(self) -> None:
        with Server() as server:
            with pytest.raises(RuntimeError, match="no HTTP door: use Server"):
                _ = server.rest_url
            server.open_http()
            url = server.rest_url
            server.open_http()
            assert server.rest_url == url
            server.reset()
            assert self.ping(server) == {"result": "PONG"}
        with server:
            assert server.rest_url == url
            assert self.ping(server) == {"result": "PONG"}

    def test_not_running(self) -> None:
        server = Server(http=True)
        with pytest.raises(RuntimeError, match="not running"):
            _ = server.rest_url
        with pytest.raises(RuntimeError, match="not running"):
            server.open_http()

    def test_a_password_is_the_token(self) -> None:
        with Server(args=["--requirepass", PASSWORD]) as server:
            server.open_http()
            assert server.rest_token == PASSWORD
            quoted = quote(server.rest_token, safe="")
            with urllib.request.urlopen(f"{server.rest_url}/ping?_token={quoted}", timeout=10) as response:
                assert json.load(response) == {"result": "PONG"}
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{server.rest_url}/ping", timeout=10)
            assert refused.value.code == 401
            refused.value.close()

    @pytest.mark.parametrize("way", ["words", "file"])
    def test_a_port_of_choice(self, way: str, tmp_path: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        file = tmp_path / "redis.conf"
        file.write_text(f"http-port {port}\nbind ::1 127.0.0.1\n")
        options: dict[str, Any] = {"words": {"args": ["--http-port", port]}, "file": {"file": file}}[way]
        with Server(**options) as server:
            assert server.rest_url == f"http://127.0.0.1:{port}"
            assert self.ping(server) == {"result": "PONG"}

    def test_an_address_of_ipv6(self) -> None:
        with Server(http=True, args=["--bind", "::1"]) as server:
            assert server.rest_url.startswith("http://[::1]:")
            assert self.ping(server) == {"result": "PONG"}

    def test_without_h11(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "h11.py").write_text('raise ModuleNotFoundError("No module named \'h11\'", name="h11")\n')
        paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
        server = Server(http=True)
        with pytest.raises(StartError, match=r"pip install 'respcache\[http\]'"):
            server.start()
        with Server() as server, pytest.raises(RuntimeError, match=r"pip install 'respcache\[http\]'"):
            server.open_http()


def test_other_addresses() -> None:
    assert Server(args=["--bind", "0.0.0.0"]).host == "127.0.0.1"
    assert Server(args=["--bind", "127.0.0.1", "-::1"]).host == "127.0.0.1"
    with Server(args=["--bind", "::1"]) as server, server.client() as client:
        assert server.url == f"redis://[::1]:{server.port}/0"
        assert client.ping() is True
        server.flush()


def test_starting_in_the_background() -> None:
    server = Server()
    server.start_soon()
    with pytest.raises(RuntimeError, match="running already"):
        server.start_soon()
    assert answers(server.port)
    server.stop()
    broken = Server(args=["--no-such-directive", "1"])
    broken.start_soon()
    with pytest.raises(StartError, match="no-such-directive"):
        _ = broken.url
    assert not broken.running


# -- what it does


def test_reset(running: Server) -> None:
    with running.client() as client, running.client(db=9) as ninth:
        client.set("a", 1)
        ninth.set("b", 1)
        before, _ = client.time()
        running.advance(3600)
        client.config_set("maxclients", 77)
        client.client_pause(3_600_000)
        running.reset()
        assert client.dbsize() == ninth.dbsize() == 0
        assert client.config_get("maxclients") == {"maxclients": "10000"}
        assert client.time()[0] - before < 1800


def test_it_has_no_connection_of_its_own(running: Server) -> None:
    """Tests may count clients."""
    with running.client() as client:
        running.reset()
        assert len(client.client_list()) == 1
        running.flush()
        assert len(client.client_list()) == 1


def test_threads_may_control_it_at_the_same_time(running: Server) -> None:
    with running.client() as client, ThreadPoolExecutor(4) as threads:
        before, _ = client.time()
        advances = [threads.submit(running.advance, 60) for _ in range(200)]
        wait(advances, timeout=20)
        for advance in advances:
            advance.result(timeout=0)
        assert client.time()[0] - before >= 200 * 60
        running.reset()


def test_refusals_are_told() -> None:
    refused = pytest.raises(RuntimeError, match="RESPCACHE CLOCK ADVANCE 1000: ERR RESPCACHE command not allowed")
    with Server(args=["--enable-test-commands", "no"]) as server, refused:
        server.advance(1)


def test_missing_commands() -> None:
    missing = [name for name in REDIS_COMMANDS if " " not in name and name.encode() not in TABLE][-2:]
    if not missing:
        pytest.skip(reason="respcache has all commands of Redis")
    server = Server()
    assert server.missing_commands() == []
    for command in reversed(missing):
        with server, server.client() as client:
            for _ in range(2):
                with pytest.raises(redis.ResponseError, match="unknown command"):
                    client.execute_command(command, "1")
                with pytest.raises(redis.ResponseError, match="unknown command"):
                    client.execute_command("NONSENSE")
            assert command in server.missing_commands()
    assert server.missing_commands() == missing


def test_the_async_client_says_what_it_cannot_do(running: Server) -> None:
    async def main() -> None:
        client = running.async_client()
        with pytest.raises(RuntimeError, match="redis-py's client for asyncio, and it runs under trio"):
            await client.get("k")
        with pytest.raises(RuntimeError, match="runs under trio"):
            await client.pipeline().get("k").execute()

    trio.run(main)
