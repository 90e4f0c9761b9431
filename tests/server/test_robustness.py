"""Floods and broken clients: the server keeps its limits and serves the other clients."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import respcache.commands.all  # noqa: F401 - fills the table
from respcache.server.order.router import Router
from tests.support.processes import RespcacheServer, StartedServer
from tests.support.resp import Connection, pack
from tests.support.waiting import eventually

Connect = Callable[..., Connection]

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
STOPPED_READING = 0.3  # seconds without room in the socket's buffers


@pytest.fixture
def ours(started: dict[str, StartedServer]) -> StartedServer:
    """An empty server with three shards."""
    if "3-shards" not in started or not started["3-shards"].alive():
        started["3-shards"] = RespcacheServer(shards=3)
    started["3-shards"].reset()
    return started["3-shards"]


@pytest.fixture
def connect_ours(ours: StartedServer) -> Iterator[Connect]:
    opened: list[Connection] = []

    def open_connection() -> Connection:
        opened.append(Connection(ours.port))
        return opened[-1]

    yield open_connection
    for connection in opened:
        connection.close()


@LINUX
class TestFloods:
    """Clients that send more than the server can handle at once."""

    def test_a_client_that_never_reads(self, ours: StartedServer, connect_ours: Connect) -> None:
        """Its whole pipeline is read, as in Redis, but run only as far as replies can be sent. When it reads, it gets
        all of them.
        """
        value = b"v" * 100
        others, deaf = connect_ours(), connect_ours()
        others.call("RPUSH", "l", value)
        request, reply, times = b"LINDEX l 0\r\n", b"$100\r\n" + value + b"\r\n", 400_000
        before = memory(ours)
        with configured(others, "client-output-pause", 1 << 20):
            deaf.socket.sendall(request * times)  # the server reads all of it
            # Of 42 MB of replies only 1 MB waits, plus up to 10,000 unanswered commands and the requests themselves.
            assert memory(ours) - before < (24 << 20)
            assert others.pipeline(*[("LINDEX", "l", 0)] * 100) == [value] * 100
            deaf.socket.shutdown(socket.SHUT_WR)
            assert deaf.rest() == reply * times

    def test_a_client_that_never_reads_and_sends_without_end(self, connect_ours: Connect) -> None:
        """The unprocessed input counts against `client-query-buffer-limit`."""
        others, deaf = connect_ours(), connect_ours()
        others.call("RPUSH", "l", b"v" * 1000)
        with (
            configured(others, "client-output-pause", 1 << 20),
            configured(others, "client-query-buffer-limit", 1 << 20),
        ):
            request = b"LINDEX l 0\r\n" * 1000
            assert send_until_blocked(deaf.socket, request, times=10_000) < 1000 * len(request)
            assert others.call("PING") == "PONG"
            assert len(others.call("CLIENT", "LIST").splitlines()) == 1

    def test_a_client_that_sends_one_command_without_end(self, connect_ours: Connect) -> None:
        """The incomplete command counts against `client-query-buffer-limit`, complete words included."""
        others, endless = connect_ours(), connect_ours()
        limit = 1 << 20
        with configured(others, "client-query-buffer-limit", limit):
            endless.send_raw(b"*1000000\r\n$5\r\nRPUSH\r\n")
            sent = send_until_blocked(endless.socket, b"$1000\r\n" + b"x" * 1000 + b"\r\n", times=100_000)
            assert sent < 100 * limit
            assert others.call("PING") == "PONG"

    def test_10_000_connections_opened_and_closed(self, ours: StartedServer, connect_ours: Connect) -> None:
        """Closed in order, by force, or in the middle of a command: nothing is left of them."""
        admin = connect_ours()
        admin.call("PING")
        descriptors, before = open_descriptors(ours), memory(ours)
        for number in range(10_000):
            with socket.create_connection(("127.0.0.1", ours.port)) as client:
                client.sendall((b"", b"PING\r\n", b"*2\r\n$4\r\nEC", b"*x\r\n")[number % 4])
                # Avoid TIME_WAIT: ten thousand would use up the ports. The server sees a lost connection.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert eventually(lambda: len(admin.call("CLIENT", "LIST").splitlines()) == 1)
        assert open_descriptors(ours) == descriptors
        assert memory(ours) - before < 16 << 20

    def test_max_number_of_clients(self, connect: Connect) -> None:
        admin = connect()
        assert eventually(lambda: len(admin.call("CLIENT", "LIST").splitlines()) == 1)
        with configured(admin, "maxclients", 3):
            welcome = [connect(), connect()]
            assert [client.call("PING") for client in welcome] == ["PONG", "PONG"]
            assert connect().rest() == b"-ERR max number of clients reached\r\n"
            assert connect().rest() == b"-ERR max number of clients reached\r\n"
            assert [client.call("PING") for client in welcome] == ["PONG", "PONG"]
            welcome.pop().close()
            assert eventually(lambda: len(admin.call("CLIENT", "LIST").splitlines()) == 2)
            assert connect().call("PING") == "PONG"


class TestBrokenClients:
    @pytest.fixture
    def stopped_shard(self, connect_ours: Connect) -> Iterator[int]:
        """Stop the process of the shard that has "l", so that its commands stay unanswered."""
        shard = Router(3).shard_of(b"l")
        pid = next(row[1] for row in connect_ours().call("DEBUG", "SHARDS") if row[0] == shard)
        os.kill(pid, signal.SIGSTOP)
        yield pid
        os.kill(pid, signal.SIGCONT)

    def test_a_protocol_error_is_answered_once(self, connect_ours: Connect, stopped_shard: int) -> None:
        """However much follows it, and while the commands before it are still running."""
        client, other = connect_ours(), connect_ours()
        for _ in range(3):
            client.send_raw(b"LLEN l\r\n*x\r\n")
            assert other.call("PING") == "PONG"  # the server has read everything sent before
        os.kill(stopped_shard, signal.SIGCONT)
        assert client.rest() == b":0\r\n-ERR Protocol error: invalid multibulk length\r\n"

    def test_nothing_is_taken_after_quit(self, connect_ours: Connect, stopped_shard: int) -> None:
        """Not even while the commands before it are still running."""
        client, other = connect_ours(), connect_ours()
        for chunk in (b"LLEN l\r\nQUIT\r\n", pack(("RPUSH", "l", "a")) + pack(("RPUSH", "l", "b")), b"RPUSH l c\r\n"):
            client.send_raw(chunk)
            assert other.call("PING") == "PONG"  # the server has read everything sent before
        os.kill(stopped_shard, signal.SIGCONT)
        assert client.rest() == b":0\r\n+OK\r\n"
        assert other.call("EXISTS", "l") == 0

    def test_a_client_that_hangs_up_while_its_commands_are_under_way(
        self, connect_ours: Connect, stopped_shard: int
    ) -> None:
        """They are run, and their replies are dropped: the next client must not get them."""
        client, other = connect_ours(), connect_ours()
        client.send_raw(b"RPUSH l a\r\nRPUSH l b\r\nRENAME l m\r\n")
        assert other.call("PING") == "PONG"
        client.close()
        following = connect_ours()
        following.send("LLEN", "m")
        os.kill(stopped_shard, signal.SIGCONT)
        assert following.read() in (0, 2)  # RENAME came first, but takes longer
        assert other.call("EXISTS", "l", "m") == 1

    def test_a_client_that_closes_without_reading(self, connect_ours: Connect) -> None:
        """Writing to it fails in the middle of a round."""
        others = connect_ours()
        others.call("RPUSH", "l", b"x" * 100_000)
        for _ in range(10):
            client = connect_ours()
            client.send_raw(b"LRANGE l 0 -1\r\n" * 20)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        assert eventually(lambda: len(others.call("CLIENT", "LIST").splitlines()) == 1)


def test_commands_held_back_run_when_the_pause_ends(connect: Connect) -> None:
    """Without any other event: no client sends anything, and no shard answers."""
    client, admin = connect(), connect()
    assert client.pipeline(*[("LLEN", key) for key in "abcdef"]) == [0] * 6
    assert admin.call("CLIENT", "PAUSE", 20) == "OK"
    assert client.pipeline(*[("LLEN", key) for key in "abcdef"]) == [0] * 6


@contextmanager
def configured(admin: Connection, name: str, value: int) -> Iterator[None]:
    """Change a directive for the duration of the block."""
    _, before = admin.call("CONFIG", "GET", name)
    assert admin.call("CONFIG", "SET", name, value) == "OK"
    try:
        yield
    finally:
        assert admin.call("CONFIG", "SET", name, before) == "OK"


def processes_of(server: StartedServer) -> list[int]:
    """The server and its shards."""
    connection = Connection(server.port)
    shards = [row[1] for row in connection.call("DEBUG", "SHARDS")]
    connection.close()
    return [server.process.pid, *shards]


def memory(server: StartedServer) -> int:
    """Bytes of memory of all its processes."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) for pid in processes_of(server)]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def open_descriptors(server: StartedServer) -> int:
    """The number of open descriptors of the main process."""
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def send_until_blocked(sock: socket.socket, data: bytes, times: int) -> int:
    """Send data repeatedly until the peer stops reading or hangs up. Returns how many bytes it took."""
    sent = 0
    sock.setblocking(False)
    try:
        while sent < times * len(data):
            if not select.select([], [sock], [], STOPPED_READING)[1]:
                break
            sent += sock.send(data[sent % len(data) :])
    except ConnectionError:
        pass
    sock.setblocking(True)
    return sent
