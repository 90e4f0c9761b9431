"""`python -m respcache.health`: does the right server answer?"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from respcache.health import Place, Unknown, main, place_of, place_of_the_running, words_of_the_server
from respcache.testing import Server
from tests.support.processes import RespcacheServer


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a password, on a port and a unix socket."""
    with Server(args=["--requirepass", "secret"], unixsocket=True) as server:
        yield server


@pytest.mark.parametrize(
    "where",
    [
        ["{port}"],
        ["127.0.0.1", "{port}"],
        ["localhost:{port}"],
        [":{port}"],
        ["redis://127.0.0.1:{port}"],
        ["redis://:secret@localhost:{port}/3"],
        ["{path}"],
        ["unix://{path}?db=2"],
        ["--port", "{port}"],
        ["--bind", "*", "-::*", "--port", "{port}", "--logfile", "/nonexistent/log", "--respcache-ready-fd", "77"],
        ["--port", "0", "--unixsocket", "{path}"],
    ],
)
def test_healthy(server: Server, where: list[str]) -> None:
    """It does not need the password, and reads the server's command line without acting on it."""
    assert main([word.format(port=server.port, path=server.unixsocket) for word in where]) == 0


def test_healthy_by_a_configuration_file(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "redis.conf"
    path.write_text(f"requirepass secret\nport {server.port}\n")
    assert main([str(path), "--bind", "*"]) == 0


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        (["--nosuch", "directive"], "Bad directive"),
        (["nonsense"], "'nonsense' is not a port"),
        (["localhost", "70000"], "'70000' is not a port"),
        (["localhost", "6379", "x"], "neither a server's address nor its command line"),
        (["rediss://localhost:1"], "only redis:// and unix:// are known"),
        (["redis://localhost:x"], "is not a URL of a server"),
        (["/nonexistent/socket"], "No such file or directory"),
        (["--port", "0"], "say which one the server got"),
    ],
)
def test_unhealthy_if_unknown_or_unreachable(where: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(where) == 1
    assert reason in capsys.readouterr().err


def test_unhealthy_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        assert main([str(port)]) == 1
    assert capsys.readouterr().err == f"127.0.0.1:{port}: Connection refused\n"


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "HOST PORT, HOST:PORT, PORT" in capsys.readouterr().out


def test_unhealthy_where_something_else_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(10)
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "respcache.health", str(port)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as check:
            connection, _ = other.accept()
            connection.sendall(b"-ERR max number of clients reached\r\n")
            assert check.communicate(timeout=10)[1] == "-ERR max number of clients reached\n"
            connection.close()
        assert check.returncode == 1


def test_defaults_of_a_place() -> None:
    assert place_of(["redis://"]) == Place("127.0.0.1", 6379)
    assert place_of(["redis://[::1]:7000/0"]) == Place("::1", 7000)
    assert place_of(["[::1]:7000"]) == Place("::1", 7000)
    assert place_of(["unix:///a%20b"]) == Place(path="/a b")


class TestTheRunningServer:
    """Without arguments, the server is looked up among the processes."""

    @pytest.fixture
    def processes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """/proc with an init, and other programs with respcache in their command lines."""
        monkeypatch.chdir(tmp_path)
        add(tmp_path, 1, "/sbin/docker-init", "--", "entrypoint", "--port", "7001")
        add(tmp_path, 2, "vim", "/src/respcache", "--port", "7002")
        add(tmp_path, 3, "/usr/bin/python3", "-I", "-S", "-c", "import respcache", "respcache", "0")
        add(tmp_path, 4, "python", "-m", "respcache.health")
        (tmp_path / "5").mkdir()
        (tmp_path / "self").mkdir()
        return tmp_path

    def test_the_first_one_by_number(self, processes: Path) -> None:
        add(processes, 12, "/opt/bin/python", "-m", "respcache", "--port", "7012")
        add(processes, 7, "/opt/bin/python", "/opt/bin/respcache", "--bind", "*", "--port", "7007")
        assert place_of_the_running(processes) == Place("127.0.0.1", 7007)

    def test_its_files_are_relative_to_its_directory(self, processes: Path) -> None:
        add(processes, 7, "python3.11", "-P", "-m", "respcache", "redis.conf")
        (processes / "7" / "cwd" / "redis.conf").write_text("port 7007\n")
        assert place_of_the_running(processes) == Place("127.0.0.1", 7007)

    def test_none(self, processes: Path) -> None:
        """A server on the default port would belong to somebody else."""
        with pytest.raises(Unknown, match="no respcache process of this user is running"):
            place_of_the_running(processes)

    def test_one_of_another_user(self, processes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        add(processes, 7, "python", "-m", "respcache", "--port", "7007")
        monkeypatch.setattr("os.geteuid", lambda: processes.stat().st_uid + 1)
        with pytest.raises(Unknown):
            place_of_the_running(processes)

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_a_real_one(self, tmp_path: Path) -> None:
        """With a /proc that has only this process: others may run servers on this machine."""
        server = RespcacheServer()
        os.symlink(f"/proc/{server.process.pid}", tmp_path / str(server.process.pid))
        before = os.getcwd()
        try:
            with pytest.raises(Unknown, match="port 0 is any free port"):
                place_of_the_running(tmp_path)
        finally:
            os.chdir(before)
            server.stop()


def add(processes: Path, number: int, *words: str) -> None:
    directory = processes / str(number)
    (directory / "cwd").mkdir(parents=True)
    (directory / "cmdline").write_text("".join(f"{word}\0" for word in words))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("python -m respcache --port 1", ["--port", "1"]),
        ("/x/python3 -X dev -W error -u -m respcache", []),
        ("/x/python3 -P /x/bin/respcache a.conf", ["a.conf"]),
        ("pypy3 respcache", []),
        ("python -m pytest respcache", None),
        ("python respcache.py", None),
        ("python", None),
        ("python -m", None),
        ("tail -f respcache", None),
        ("", None),
    ],
)
def test_command_lines(line: str, words: list[str] | None) -> None:
    assert words_of_the_server(line.split()) == words
