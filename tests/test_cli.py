"""The command line, as used by people and by programs that would start redis-server."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Connection


def run(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "respcache", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("option", ["--version", "-v"])
def test_version_has_the_form_of_redis_server(option: str) -> None:
    done = run(option)
    assert done.returncode == 0
    # For example, pytest-redis finds the version with this pattern.
    assert re.match(r"Redis server v=\d+\.\d+\.\d+ sha=\S+ malloc=\S+ bits=\d+ build=\S+\n\Z", done.stdout)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_says_how_it_is_used(option: str) -> None:
    done = run(option)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: respcache [/path/to/redis.conf] [--directive value ...]")
    assert re.search(r"^  --port 6379\n +The TCP port\.", done.stdout, re.MULTILINE)
    assert "--appendonly" not in done.stdout  # it has no effect
    assert "-fd" not in done.stdout  # for programs that start respcache
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_mistake_is_reported_on_standard_error_and_ends_the_start() -> None:
    done = run("--nosuch", "1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert ">>> 'nosuch 1'\nBad directive or wrong number of arguments" in done.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--port=7000"], "--port 7000"),
        (["--prot", "7000", "--shards", "1"], "--port 7000"),
        (["-p", "7000"], "--port 7000"),
        (["-port", "7000"], "--port 7000"),
        (["--unix_socket", "/x y"], "--unixsocket /x y"),
        (["7000"], "--port 7000"),
        (["port", "7000"], "--port 7000"),
    ],
)
def test_a_common_mistake_is_reported_with_a_suggestion(words: list[str], meant: str) -> None:
    done = run(*words)
    assert done.returncode == 1
    assert done.stderr.endswith(f"\nDid you mean '{meant}'?\n")


def test_an_unknown_mistake_has_no_suggestion() -> None:
    assert "Did you mean" not in run("--xyzzy", "1").stderr
    assert "Did you mean" not in run("/nonexistent.conf").stderr


def test_no_plain_text_if_tls_was_requested() -> None:
    done = run("--port", "0", "--tls-port", "7000")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "respcache does not support TLS" in done.stderr


def test_a_port_in_use_is_reported_and_ends_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port), "--bind", "127.0.0.1")
    assert done.returncode == 1
    assert f"Could not create server TCP listening socket 127.0.0.1:{port}: bind: Address already in use" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order(stop: signal.Signals) -> None:
    server = RespcacheServer(shards=2)
    server.process.send_signal(stop)
    assert server.process.wait(10) == 0
    log = server.output()
    assert log.count("Ready to accept connections") == 1
    assert log.rstrip().endswith("Bye bye...")
    server.stop()


def test_an_unread_log_does_not_stop_the_server(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    command = [sys.executable, "-m", "respcache", "--unixsocket", str(path), "--port", "0", "--loglevel", "debug"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        while b"Ready to accept" not in process.stdout.readline():
            pass
        process.stdout.close()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"SHUTDOWN\r\n")  # which is logged
            assert connection.recv(1) == b""
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_unix_socket_without_tcp(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    command = [sys.executable, "-m", "respcache", "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "Ready" in line)
        assert f"unix:{path}" in line
        assert "127.0.0.1" not in line
        assert path.stat().st_mode & 0o777 == 0o700
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            assert client.recv(100) == b"+PONG\r\n"
        process.terminate()
        assert process.wait(10) == 0
    assert not path.exists()


def test_configuration_from_standard_input() -> None:
    command = [sys.executable, "-m", "respcache", "--port", "0", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("databases 2\n")
        process.stdin.close()
        line = next(line for line in process.stdout if "Ready" in line)
        port = int(re.search(r"127\.0\.0\.1:(\d+)", line)[1])  # type: ignore[index]  # else the test fails
        connection = Connection(port)
        assert connection.call("CONFIG", "GET", "databases") == [b"databases", b"2"]
        connection.close()
        process.terminate()
        assert process.wait(10) == 0


def test_one_warning_names_changed_directives_without_effect() -> None:
    server = RespcacheServer(
        "--hz", "10", "--appendonly", "yes", "--save", "", "--maxmemory", "10mb", "--cluster-enabled", "yes"
    )
    warning = "# WARNING: these directives have no effect in respcache: appendonly, cluster-enabled, maxmemory\n"
    assert server.output().count(warning) == 1
    assert server.output().count("no effect") == 1
    server.stop()


def test_no_warning_about_defaults() -> None:
    server = RespcacheServer("--appendonly", "no", "--save", "", "--maxmemory", "0")
    assert "effect" not in server.output()
    server.stop()


def test_mistakes_of_clients_are_not_logged() -> None:
    server = RespcacheServer()
    before = server.output()
    connection = Connection(server.port)
    connection.call("NOSUCH")
    connection.call("GET")
    connection.send_raw(b"*1\r\n!\r\n")
    connection.rest()
    connection.close()
    assert server.output() == before
    server.stop()
