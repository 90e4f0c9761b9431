"""What the server listens on: the ports of its doors, how they are told, and when they are closed."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from respcache.testing import Server
from tests.support.resp import Connection
from tests.support.waiting import eventually

COMMAND = [sys.executable, "-m", "respcache", "--port", "0", "--shards", "1"]
READY = re.compile(r"Ready to accept connections on (.*)\n")
# Python imports it as it would import h11 where that is not installed.
NO_H11 = 'raise ModuleNotFoundError("No module named \'h11\'", name="h11")\n'


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


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
    with Server(http=True, args=["--metrics-port", metrics, "--busy-reply-threshold", 1]) as server:
        ports = [server.port, int(server.rest_url.rpartition(":")[2]), metrics]
        connection, other = Connection(server.port), Connection(server.port)
        connection.send("EVAL", "while true do end", 0)
        assert eventually(lambda: str(other.call("GET", "k")).startswith("BUSY"))
        assert all(map(listens, ports))
        server.process.terminate()
        assert eventually(lambda: not any(map(listens, ports)))
        assert other.call("SCRIPT", "KILL") == "OK"
        assert "Script killed by user" in str(connection.read())
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
