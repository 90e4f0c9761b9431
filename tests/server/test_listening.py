"""What the server listens on: the ports of its doors, how they are told, and when they are closed."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from respcache.testing import Server
from tests.conftest import REFERENCE
from tests.support.processes import free_port, listens
from tests.support.resp import Connection
from tests.support.waiting import eventually

COMMAND = [sys.executable, "-m", "respcache", "--port", "0", "--shards", "1"]
READY = re.compile(r"Ready to accept connections on (.*)\n")
# Python imports it as it would import h11 where that is not installed.
NO_H11 = 'raise ModuleNotFoundError("No module named \'h11\'", name="h11")\n'


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


@pytest.fixture
def without_h11(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "packages"
    directory.mkdir()
    (directory / "h11.py").write_text(NO_H11)
    paths = [str(directory), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def get(port: int, path: str, host: str = "127.0.0.1") -> bytes:
    with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=10) as response:
        body: bytes = response.read()
        return body


def test_all_doors_on_all_addresses() -> None:
    """The log names each address. Those of `bind` that are missing are left out for all ports."""
    http, metrics = free_port(), free_port()
    words = ["--bind", "127.0.0.1", "127.0.0.2", "-203.0.113.1"]
    with Server(args=[*words, "--http-port", http, "--metrics-port", metrics], unixsocket=True) as server:
        hosts = ("127.0.0.1", "127.0.0.2")
        found = READY.search(server.log())
        assert found is not None
        assert found[1].split() == [
            *[f"{host}:{server.port}" for host in hosts],
            *[f"http://{host}:{http}" for host in hosts],
            *[word for host in hosts for word in ("metrics", f"http://{host}:{metrics}")],
            f"unix:{server.unixsocket}",
        ]
        for host in hosts:
            assert json.loads(get(http, "/ping", host)) == {"result": "PONG"}
            assert get(metrics, "/health", host)
        with server.client() as client:
            info = client.info("server")
        assert [info[f"listener{number}"]["name"] for number in (0, 1, 3, 4)] == ["tcp", "unix", "http", "metrics"]
        assert (info["listener3"]["port"], info["listener4"]["port"]) == (http, metrics)


def test_metrics_alone() -> None:
    port = free_port()
    with Server(args=["--metrics-port", port]) as server, server.client() as client:
        assert get(port, "/health")
        info = client.info("server")
        assert "listener3" not in info
        assert info["listener4"]["port"] == port


@pytest.mark.parametrize(("arguments", "ports"), [(["--respcache-http", "yes"], 2), ([], 1)])
def test_the_ready_pipe_gets_the_ports(arguments: list[str], ports: int) -> None:
    reader, writer = os.pipe()
    command = [*COMMAND, *arguments, "--respcache-ready-fd", str(writer)]
    with subprocess.Popen(command, pass_fds=[writer], stdout=subprocess.DEVNULL) as process:
        os.close(writer)
        with os.fdopen(reader) as told:
            words = told.read()
        assert re.fullmatch(r"\d+( \d+)?\n", words)
        first, *others = map(int, words.split())
        assert len(others) == ports - 1
        connection = Connection(first)
        assert connection.call("PING") == "PONG"
        connection.close()
        for port in others:
            assert json.loads(get(port, "/ping")) == {"result": "PONG"}
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize("name", ["http", "metrics"])
def test_a_port_that_is_in_use_ends_the_start(name: str, taken: int, tmp_path: Path) -> None:
    done = run(
        f"--{name}-port", str(taken), "--unixsocket", str(tmp_path / "socket"), "--pidfile", str(tmp_path / "pid")
    )
    assert done.returncode == 1
    protocol = {"http": "HTTP", "metrics": "metrics"}[name]
    said = f"Could not create server {protocol} listening socket 127.0.0.1:{taken}: bind: Address already in use\n"
    assert said in done.stdout
    assert done.stdout.endswith(f"# Failed listening on port {taken} ({name}), aborting.\n")
    assert list(tmp_path.iterdir()) == []


def test_two_doors_on_one_port() -> None:
    for first, second in [("port", "http-port"), ("port", "metrics-port"), ("http-port", "metrics-port")]:
        port = free_port()
        done = run(f"--{first}", str(port), f"--{second}", str(port))
        assert done.returncode == 1
        assert done.stdout.endswith(f"# {first} and {second} are both {port}; each needs a port of its own.\n")
        assert "in use" not in done.stdout


@pytest.mark.usefixtures("without_h11")
class TestWithoutH11:
    """The extra `http` of the package is not installed."""

    @pytest.mark.parametrize("name", ["http", "metrics"])
    def test_the_start_ends_with_what_to_do(self, name: str, tmp_path: Path) -> None:
        files = ["--unixsocket", str(tmp_path / "socket"), "--pidfile", str(tmp_path / "pid")]
        done = run(f"--{name}-port", str(free_port()), *files)
        assert done.returncode == 1
        assert done.stdout.endswith(
            "# The HTTP door needs the package h11, which is not installed. "
            "Get it with: pip install 'respcache[http]'\n"
        )
        assert not (tmp_path / "socket").exists()
        assert not (tmp_path / "pid").exists()

    def test_a_server_without_it_starts(self) -> None:
        with Server() as server:
            connection = Connection(server.port)
            assert connection.call("PING") == "PONG"
            assert str(connection.call("RESPCACHE", "HTTP")).startswith("ERR The HTTP door needs the package h11")
            assert connection.call("PING") == "PONG"
            connection.close()


@pytest.mark.parametrize(("arguments", "imported"), [(["--http-port", "{port}"], True), ([], False)])
def test_nothing_is_imported_unless_a_port_is_set(arguments: list[str], imported: bool) -> None:
    words = [word.format(port=free_port()) for word in arguments]
    command = [sys.executable, "-X", "importtime", *COMMAND[1:], *words, "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("Ready" in line for line in process.stdout)
        process.terminate()
        _, imports = process.communicate(timeout=20)
    names = {line.rpartition("|")[2].strip() for line in imports.splitlines()}
    assert "respcache.server.app" in names
    of_http = {
        name for name in names if name.partition(".")[0] == "h11" or name.startswith("respcache.server.doors.http")
    }
    assert bool(of_http) == imported


def test_nobody_can_connect_while_clients_get_their_last_answers() -> None:
    metrics = free_port()
    with Server(http=True, args=["--metrics-port", metrics]) as server:
        ports = [server.port, int(server.rest_url.rpartition(":")[2]), metrics]
        connection, other = Connection(server.port), Connection(server.port)
        other.call("CLIENT", "PAUSE", 60_000, "WRITE")
        connection.send("SET", "k", "v")
        assert eventually(lambda: b"flags=b" in other.call("CLIENT", "LIST"))
        assert all(map(listens, ports))
        server.process.terminate()
        assert eventually(lambda: not any(map(listens, ports)))
        assert other.call("CLIENT", "UNPAUSE") == "OK"
        assert connection.read() == "OK"
        connection.close()
        other.close()
        assert server.process.wait(10) == 0


class TestOnDemand:
    """RESPCACHE HTTP opens the door of a server that runs."""

    def test_once(self) -> None:
        with Server() as server:
            connection = Connection(server.port)
            port = connection.call("RESPCACHE", "HTTP")
            assert connection.call("RESPCACHE", "HTTP") == port
            assert json.loads(get(port, "/ping")) == {"result": "PONG"}
            assert f"http://127.0.0.1:{port}" in server.log()
            connection.close()
            server.process.terminate()
            assert server.process.wait(10) == 0
            assert not listens(port)

    def test_the_door_that_is_open(self) -> None:
        with Server(http=True) as server:
            connection = Connection(server.port)
            assert server.rest_url == f"http://127.0.0.1:{connection.call('RESPCACHE', 'HTTP')}"
            connection.close()

    def test_only_for_test_suites(self) -> None:
        with Server(args=["--enable-test-commands", "no"]) as server:
            connection = Connection(server.port)
            assert str(connection.call("RESPCACHE", "HTTP")).startswith("ERR RESPCACHE command not allowed.")
            assert "http" not in server.log()
            connection.close()


def listening_on(connection: Connection) -> dict[str, str]:
    """What INFO says about listeners, and CONFIG GET about where they are."""
    text = connection.call("INFO", "server").decode()
    info = dict(line.split(":", 1) for line in text.split("\r\n") if line.startswith(("tcp_port", "listener")))
    values = connection.call("CONFIG", "GET", "port", "bind")
    return info | {name.decode(): value.decode() for name, value in zip(values[::2], values[1::2], strict=True)}


FAILED = "ERR CONFIG SET failed (possibly related to argument '{}') - {}"
NO_PORT = FAILED.format("port", "Unable to listen on this port. Check server logs.")
NO_ADDRESS = FAILED.format("bind", "Failed to bind to specified addresses.")
ELSEWHERE = "203.0.113.1"  # an address that no machine has
HAS_IPV6 = Path("/proc/net/if_inet6").exists() and "lo" in Path("/proc/net/if_inet6").read_text()


class Moved:
    """A server of either kind that listens on 127.0.0.1 and a unix socket; a client over that socket."""

    def __init__(self, words: list[str], directory: Path) -> None:
        self.port = free_port()
        self.path = directory / "socket"
        self.log = directory / "log"
        words += ["--port", str(self.port), "--unixsocket", str(self.path), "--logfile", str(self.log)]
        self.process = subprocess.Popen([*words, "--bind", "127.0.0.1", "--save", ""])
        try:
            assert eventually(lambda: listens(self.port) and self._has_connected())
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _has_connected(self) -> bool:
        """The file is there a moment before the server listens."""
        try:
            self.client = Connection(self.port, host=str(self.path))
        except OSError:
            return False
        return True

    def set(self, *words: object) -> object:
        reply = self.client.call("CONFIG", "SET", *words)
        return reply if reply == "OK" else str(reply)

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        assert self.process.wait(10) == 0


@pytest.fixture(params=["ours", "genuine"])
def moved(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Moved]:
    if request.param == "genuine" and REFERENCE is None:
        pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
    program = [sys.executable, "-m", "respcache", "--shards", "1"] if request.param == "ours" else [str(REFERENCE)]
    server = Moved(program, tmp_path)
    yield server
    server.stop()


class TestMoving:
    """CONFIG SET changes `port` and `bind`."""

    def test_another_port(self, moved: Moved) -> None:
        old, new = moved.port, free_port()
        staying = Connection(old)
        assert moved.set("port", new) == "OK"
        assert (listens(old), listens(new)) == (False, True)
        assert staying.call("PING") == "PONG"
        staying.close()
        found = listening_on(moved.client)
        assert (found["port"], found["tcp_port"]) == (str(new), str(new))

    def test_other_addresses(self, moved: Moved) -> None:
        assert moved.set("bind", "127.0.0.1 127.0.0.2") == "OK"
        assert listens(moved.port)
        assert listens(moved.port, "127.0.0.2")
        assert moved.set("bind", "127.0.0.2") == "OK"
        assert not listens(moved.port)
        assert listens(moved.port, "127.0.0.2")
        assert listening_on(moved.client)["bind"] == "127.0.0.2"

    @pytest.mark.parametrize("names", [("port", "bind"), ("bind", "port")])
    def test_both_at_once(self, moved: Moved, names: tuple[str, str]) -> None:
        port = free_port()
        new = {"port": str(port), "bind": "127.0.0.2"}
        assert moved.set(*[word for name in names for word in (name, new[name])]) == "OK"
        assert not listens(moved.port)
        assert not listens(moved.port, "127.0.0.2")
        assert not listens(port)
        assert listens(port, "127.0.0.2")

    def test_an_address_in_the_way_of_all_addresses(self, moved: Moved) -> None:
        for bind in ("*", "127.0.0.1", "0.0.0.0", "localhost"):
            assert moved.set("bind", bind) == "OK"
            assert listens(moved.port)
            assert listens(moved.port, "127.0.0.3") == (bind in ("*", "0.0.0.0"))

    @pytest.mark.skipif(not HAS_IPV6, reason="no IPv6 here")
    def test_ipv6(self, moved: Moved) -> None:
        for bind in ("127.0.0.1 -::1", "* -::*", "::1", "::*", "* ::*"):
            assert moved.set("bind", bind) == "OK"
            assert listens(moved.port, "::1")
            assert listens(moved.port) == ("*" in bind.split() or "127.0.0.1" in bind)
        client = Connection(moved.port, host="::1")
        assert re.search(r" addr=\[::1\]:\d+ laddr=\[::1\]:\d+ ", client.call("CLIENT", "INFO").decode())
        client.close()

    def test_no_port(self, moved: Moved) -> None:
        staying = Connection(moved.port)
        assert moved.set("port", 0) == "OK"
        assert not listens(moved.port)
        assert staying.call("PING") == "PONG"
        staying.close()
        assert listening_on(moved.client)["tcp_port"] == "0"
        assert moved.set("bind", "127.0.0.2") == "OK"
        assert moved.set("port", moved.port) == "OK"
        assert listens(moved.port, "127.0.0.2")

    def test_no_address(self, moved: Moved) -> None:
        for bind in ("", f"-{ELSEWHERE}"):
            assert moved.set("bind", bind) == "OK"
            assert not listens(moved.port)
        assert moved.set("bind", f"-{ELSEWHERE} 127.0.0.1") == "OK"
        assert listens(moved.port)

    def test_what_cannot_be_had_changes_nothing(self, moved: Moved, taken: int) -> None:
        before = listening_on(moved.client)
        assert moved.set("port", taken) == NO_PORT
        assert moved.set("timeout", 7, "port", taken, "bind", "127.0.0.1") == NO_PORT
        assert moved.set("bind", ELSEWHERE) == NO_ADDRESS
        assert moved.set("bind", f"127.0.0.2 {ELSEWHERE}", "port", free_port()) == NO_ADDRESS
        assert moved.set("bind", "127.0.0.1 127.0.0.1") == NO_ADDRESS
        assert moved.set("bind", "* 127.0.0.1") == NO_ADDRESS
        assert moved.set("bind", "nosuch.invalid") == NO_ADDRESS
        assert moved.set("port", 70000) == FAILED.format("port", "argument must be between 0 and 65535 inclusive")
        assert moved.set("bind", " ".join(["::1"] * 17)) == FAILED.format("bind", "Too many bind addresses specified.")
        for name, value in (("tcp-backlog", 5), ("unixsocket", "/x"), ("unixsocketperm", 700)):
            assert moved.set(name, value) == FAILED.format(name, "can't set immutable config")
        assert listening_on(moved.client) == before
        assert moved.client.call("CONFIG", "GET", "timeout") == [b"timeout", b"0"]
        assert listens(moved.port)
        assert not listens(moved.port, "127.0.0.2")
        said = moved.log.read_text()
        refused = "# Warning: Could not create server TCP listening socket"
        assert f"{refused} 127.0.0.1:{taken}: bind: Address already in use\n" in said
        assert f"{refused} nosuch.invalid:{moved.port}: " in said
        assert "# Failed applying new configuration. Possibly related to new bind setting." in said

    @pytest.mark.parametrize("bind", ["-", "127.0.0.1 -", b"\xff\xfe", "a\0b", "localhost.."])
    def test_no_name(self, moved: Moved, bind: str | bytes) -> None:
        before = listening_on(moved.client)
        assert moved.set("bind", bind) == NO_ADDRESS
        assert listening_on(moved.client) == before
        assert listens(moved.port)
        assert not listens(moved.port, "127.0.0.2")

    def test_an_optional_address_may_be_missing_but_not_in_use(self, moved: Moved, taken: int) -> None:
        assert moved.set("bind", f"127.0.0.2 -{ELSEWHERE}", "port", taken) == "OK"
        assert moved.set("bind", "127.0.0.2 -127.0.0.1") == NO_ADDRESS
        assert listens(taken, "127.0.0.2")


def test_nobody_is_lost_who_has_connected_already() -> None:
    """Those whom the server has not accepted yet when it closes the socket."""
    with Server() as server:
        busy = Connection(server.port)
        busy.send("DEBUG", "SLEEP", 0.3)
        waiting = [Connection(server.port) for _ in range(100)]
        for connection in waiting:
            connection.send("PING")
        busy.send("CONFIG", "SET", "port", free_port())
        assert [busy.read(), busy.read()] == ["OK", "OK"]
        assert [connection.read() for connection in waiting] == ["PONG"] * 100
        for connection in (busy, *waiting):
            connection.close()


def test_the_other_doors_follow_bind() -> None:
    metrics = free_port()
    with Server(http=True, args=["--metrics-port", metrics]) as server:
        connection = Connection(server.port)
        http = int(server.rest_url.rpartition(":")[2])
        assert connection.call("CONFIG", "SET", "bind", "127.0.0.2") == "OK"
        for port in (server.port, http, metrics):
            assert listens(port, "127.0.0.2")
            assert not listens(port)
        assert json.loads(get(http, "/ping", "127.0.0.2")) == {"result": "PONG"}
        assert str(connection.call("CONFIG", "SET", "port", metrics)) == NO_PORT
        assert "# port and metrics-port are both" in server.log()
        assert connection.call("CONFIG", "SET", "port", 0) == "OK"
        assert listens(http, "127.0.0.2")
        assert connection.call("CONFIG", "SET", "port", server.port, "bind", "127.0.0.1") == "OK"
        connection.close()


def test_a_reset_puts_the_listeners_back() -> None:
    with Server() as server:
        connection = Connection(server.port)
        before = listening_on(connection)
        assert before["port"] == str(server.port)
        for change in (("port", free_port()), ("port", 0), ("bind", "127.0.0.2")):
            assert connection.call("CONFIG", "SET", *change) == "OK"
            assert not listens(server.port)
            assert connection.call("RESPCACHE", "RESET") == "OK"
            assert listens(server.port)
            assert listening_on(connection) == before
        connection.close()


def test_nothing_to_listen_on_ends_the_start() -> None:
    for bind in ("", f"-{ELSEWHERE}"):
        done = run("--bind", bind)
        assert done.returncode == 1
        assert done.stdout.endswith("# Configured to not listen anywhere, exiting.\n")


def test_permissions_of_the_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with Server(args=["--unixsocketperm", "640"], unixsocket=str(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert not path.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_keepalive() -> None:
    """The kernel's timers of the server's ends. Those that are accepted after CONFIG SET have the new interval."""
    with Server(args=["--tcp-keepalive", 30]) as server:
        connections = [Connection(server.port)]
        for seconds in (1000, 0):
            assert connections[0].call("CONFIG", "SET", "tcp-keepalive", seconds) == "OK"
            connections.append(Connection(server.port))
            connections[-1].call("PING")
        last, new, none = (connection.socket.getsockname()[1] for connection in connections)
        # While a reply is not acknowledged, the kernel has another timer.
        assert eventually(lambda: 20 < keepalive_timer(server.port, last) <= 30)
        assert eventually(lambda: 990 < keepalive_timer(server.port, new) <= 1000)
        assert keepalive_timer(server.port, none) == 0
        for connection in connections:
            connection.close()


def keepalive_timer(local: int, remote: int) -> float:
    """Seconds until the kernel sends a probe; 0 if it will not."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        ports = [int(address.rpartition(":")[2], 16) for address in words[1:3]]
        if ports == [local, remote]:
            timer, _, left = words[5].partition(":")
            return int(left, 16) / 100 if timer == "02" else 0
    raise AssertionError("no such connection")
