"""``supervised``: what systemd and upstart are told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import free_port, listens
from tests.support.resp import Connection
from tests.support.waiting import eventually

ABSTRACT = pytest.param(True, marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux' abstract namespace"))


@contextmanager
def supervised(mode: str, directory: Path, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """A server, its port, and its log. It is not there yet."""
    others = {name: value for name, value in os.environ.items() if name not in ("NOTIFY_SOCKET", "UPSTART_JOB")}
    port, log = free_port(), directory / "log"
    command = [sys.executable, "-m", "respcache", "--shards", "1", "--port", str(port), "--supervised", mode]
    process = subprocess.Popen([*command, "--logfile", str(log), "--daemonize", "yes"], env=others | environment)
    try:
        yield process, port, log
    finally:
        process.kill()
        process.wait()


def supervisor_of(port: int) -> str:
    connection = Connection(port)
    text = connection.call("INFO", "server").decode()
    connection.close()
    found: str = text.partition("process_supervised:")[2].partition("\r\n")[0]
    return found


class TestSystemd:
    @pytest.mark.parametrize("abstract", [False, ABSTRACT])
    @pytest.mark.parametrize("mode", ["systemd", "auto"])
    def test_told(self, mode: str, abstract: bool, tmp_path: Path) -> None:
        name = f"respcache-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(f"\0{name}" if abstract else name)
            systemd.settimeout(20)
            address = f"@{name}" if abstract else name
            with supervised(mode, tmp_path, NOTIFY_SOCKET=address) as (process, port, log):
                assert systemd.recv(100).startswith(b"STATUS=")
                assert systemd.recv(100) == b"STATUS=Ready to accept connections\n"
                assert systemd.recv(100) == b"READY=1\n"
                assert listens(port)
                assert process.poll() is None  # not daemonized: systemd watches the process that it has started
                assert supervisor_of(port) == "systemd"
                process.terminate()
                assert systemd.recv(100) == b"STOPPING=1\n"
                assert process.wait(10) == 0
                assert "* Supervised by systemd." in log.read_text()

    def test_gone(self, tmp_path: Path) -> None:
        """The server goes on without it."""
        with supervised("systemd", tmp_path, NOTIFY_SOCKET=str(tmp_path / "no")) as (process, port, log):
            assert eventually(lambda: listens(port))
            process.terminate()
            assert process.wait(10) == 0
            assert "# systemd supervision error: No such file or directory" in log.read_text()


class TestUpstart:
    @pytest.mark.parametrize("mode", ["upstart", "auto"])
    def test_told(self, mode: str, tmp_path: Path) -> None:
        with supervised(mode, tmp_path, UPSTART_JOB="redis") as (process, port, log):
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            assert os.WSTOPSIG(status) == signal.SIGSTOP
            assert "* supervised by upstart, will stop to signal readiness." in log.read_text()
            assert "Ready to accept connections" in log.read_text()
            process.send_signal(signal.SIGCONT)
            assert supervisor_of(port) == "upstart"


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("systemd", "# systemd supervision error: NOTIFY_SOCKET not found!"),
        ("upstart", "# upstart supervision requested, but UPSTART_JOB not found!"),
        ("auto", ""),
    ],
)
def test_nobody_there(mode: str, said: str, tmp_path: Path) -> None:
    """As in Redis: then it is not supervised, and `daemonize` counts."""
    with supervised(mode, tmp_path) as (process, port, log):
        assert process.wait(20) == 0
        assert eventually(lambda: listens(port))
        assert supervisor_of(port) == "no"
        assert said in log.read_text()
        connection = Connection(port)
        connection.send("SHUTDOWN")
        assert connection.rest() == b""
        connection.close()
