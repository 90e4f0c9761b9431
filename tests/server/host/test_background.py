"""``daemonize``: the process that was started ends, and the server goes on without it, as genuine ones do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from respcache.testing import Server
from tests.conftest import REFERENCE
from tests.support.processes import free_port, listens
from tests.support.resp import Connection
from tests.support.waiting import eventually

OURS = [sys.executable, "-m", "respcache", "--shards", "1"]


class Daemon:
    """A server in the background. `starter` is what became of the process that was started."""

    def __init__(self, program: list[str], directory: Path, *arguments: str) -> None:
        self.port = free_port()
        self.pidfile, self.log = directory / "pid", directory / "log"
        words = [*program, "--port", str(self.port), "--daemonize", "yes", "--pidfile", str(self.pidfile)]
        # Both streams end with the starter: the server has let go of them.
        self.starter = subprocess.run([*words, *arguments], capture_output=True, text=True, timeout=30, check=False)

    def wait(self) -> int:
        """Wait until it serves; its process id."""
        assert eventually(lambda: listens(self.port) and self.pidfile.exists() and self.pidfile.read_text())
        return int(self.pidfile.read_text())


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    daemons: list[Daemon] = []

    def start_one(*arguments: str, genuine: bool = False) -> Daemon:
        if genuine and REFERENCE is None:
            pytest.skip(reason="no genuine redis-server found ($RESPCACHE_REFERENCE, or on the PATH)")
        daemons.append(Daemon([str(REFERENCE)] if genuine else OURS, tmp_path, *arguments))
        return daemons[-1]

    yield start_one
    for daemon in daemons:
        if daemon.pidfile.exists():
            pid = int(daemon.pidfile.read_text())
            os.kill(pid, signal.SIGTERM)
            assert eventually(lambda pid=pid: not alive(pid))


def alive(pid: int) -> bool:
    """False also for one that has ended and that nobody has waited for yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not status.exists() or "State:\tZ" not in status.read_text()


@pytest.mark.parametrize("genuine", [False, True], ids=["ours", "genuine"])
def test_the_server_goes_on(start: Callable[..., Daemon], genuine: bool, tmp_path: Path) -> None:
    daemon = start("--logfile", str(tmp_path / "log"), "--save", "", genuine=genuine)
    assert (daemon.starter.returncode, daemon.starter.stderr) == (0, "")
    pid = daemon.wait()
    connection = Connection(daemon.port)
    info = connection.call("INFO", "server").decode()
    assert f"process_id:{pid}\r\n" in info
    assert connection.call("SET", "k", "v") == "OK"
    connection.close()
    assert os.getsid(pid) == pid
    assert "Ready to accept connections" in daemon.log.read_text()
    assert f"{pid}:M " in daemon.log.read_text()
    if Path("/proc").exists():
        assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)] == [os.devnull] * 3
    os.kill(pid, signal.SIGTERM)
    assert eventually(lambda: not alive(pid))
    assert not daemon.pidfile.exists()


def test_without_a_log_file_nothing_is_said(start: Callable[..., Daemon]) -> None:
    daemon = start()
    assert (daemon.starter.returncode, daemon.starter.stdout, daemon.starter.stderr) == (0, "", "")
    daemon.wait()


def test_a_wrong_configuration_is_told_to_the_starter(start: Callable[..., Daemon]) -> None:
    daemon = start("--port", "x")
    assert daemon.starter.returncode == 1
    assert "argument couldn't be parsed into an integer" in daemon.starter.stderr


def test_a_port_in_use_is_told_to_the_log(start: Callable[..., Daemon], tmp_path: Path) -> None:
    """As in Redis, the starter does not wait for that."""
    first = start()
    pid = first.wait()
    log = tmp_path / "second"
    second = start("--port", str(first.port), "--logfile", str(log))
    assert second.starter.returncode == 0
    assert eventually(lambda: log.exists() and "Failed listening on port" in log.read_text())
    assert int(first.pidfile.read_text()) == pid


def test_the_usual_pid_file(start: Callable[..., Daemon]) -> None:
    daemon = start("--pidfile", "")
    assert eventually(lambda: listens(daemon.port))
    connection = Connection(daemon.port)
    assert connection.call("CONFIG", "GET", "pidfile") == [b"pidfile", b"/var/run/redis.pid"]
    connection.send("SHUTDOWN", "NOSAVE")
    assert eventually(lambda: not listens(daemon.port))
    connection.close()


def test_a_server_that_ends_with_its_tests_stays(tmp_path: Path) -> None:
    """A configuration from production must not let a server of a test get away."""
    with Server(args=["--daemonize", "yes", "--pidfile", tmp_path / "pid"]) as server:
        assert int((tmp_path / "pid").read_text()) == server.process.pid
        with server.client() as client:
            assert client.ping()
