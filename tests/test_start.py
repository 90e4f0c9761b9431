"""Starting the server with obstacles: files, descriptors, signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import RespcacheServer
from tests.support.resp import Closed, Connection
from tests.support.waiting import eventually

DEBIAN = Path("/etc/redis/redis.conf")
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
COMMAND = [sys.executable, "-m", "respcache", "--port", "0", "--shards", "1"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture
def start() -> Iterator[Callable[..., RespcacheServer]]:
    servers: list[RespcacheServer] = []

    def start_one(*arguments: str, file: str = "") -> RespcacheServer:
        servers.append(RespcacheServer(*arguments, file=file))
        return servers[-1]

    yield start_one
    for server in servers:
        server.stop()


class TestSignals:
    """From the beginning, a signal stops the server in order."""

    # Sends a signal when a certain module is imported: at the same moment of the start in each run.
    AT_IMPORT = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == sys.argv[1]:\n"
        "            os.kill(os.getpid(), int(sys.argv[2]))\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from respcache.cli import main\n"
        "sys.exit(main(sys.argv[3:]))\n"
    )

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    @pytest.mark.parametrize("module", ["respcache.config.files", "respcache.server.app", "trio"])
    def test_while_it_starts(self, module: str, number: signal.Signals, tmp_path: Path) -> None:
        pid, path = tmp_path / "pid", tmp_path / "socket"
        command = [sys.executable, "-c", self.AT_IMPORT, module, str(int(number)), "--port", "0", "--shards", "2"]
        command += ["--pidfile", str(pid), "--unixsocket", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0
        assert done.stderr == ""
        assert list(tmp_path.iterdir()) == []

    @LINUX
    def test_while_it_waits_for_a_configuration(self) -> None:
        with subprocess.Popen([*COMMAND, "-"], stdin=subprocess.PIPE) as process:
            # Before that, the signal would end the interpreter itself.
            assert eventually(lambda: catches(process, signal.SIGTERM))
            process.terminate()
            assert process.wait(10) == 0

    def test_hang_up_is_ignored(self, start: Callable[..., RespcacheServer]) -> None:
        """As in Redis, closing the terminal does not stop the server."""
        server = start()
        connection = Connection(server.port)
        [(_, shard, _, _)] = connection.call("DEBUG", "SHARDS")
        for pid in (server.process.pid, shard):
            os.kill(pid, signal.SIGHUP)
        assert connection.call("SET", "k", "v") == "OK"
        [(_, after, restarts, _)] = connection.call("DEBUG", "SHARDS")
        assert (after, restarts) == (shard, 0)
        connection.close()


def catches(process: subprocess.Popen[bytes], number: signal.Signals) -> bool:
    """True if the process has a handler for the signal."""
    found = re.search(r"^SigCgt:\s*([0-9a-f]+)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    return found is not None and bool(int(found[1], 16) & 1 << number - 1)


class TestFiles:
    """Files that cannot be written."""

    def test_a_log_file_that_cannot_be_opened_ends_the_start(self, tmp_path: Path) -> None:
        for path, reason in ((tmp_path, "Is a directory"), (tmp_path / "no" / "log", "No such file or directory")):
            done = run("--logfile", str(path))
            assert done.returncode == 1
            assert done.stdout == ""
            assert re.fullmatch(
                rf"\n\*\*\* FATAL CONFIG FILE ERROR \(respcache .*\) \*\*\*\nCan't open the log file: {reason}\n",
                done.stderr,
            )

    def test_a_pid_file(self, start: Callable[..., RespcacheServer], tmp_path: Path) -> None:
        path = tmp_path / "pid"
        server = start("--pidfile", str(path))
        assert path.read_text() == f"{server.process.pid}\n"
        server.process.terminate()
        assert server.process.wait(10) == 0
        assert not path.exists()
        assert "* Removing the pid file.\n" in server.output()

    def test_an_unwritable_pid_file_does_not_stop_the_server(
        self, start: Callable[..., RespcacheServer], tmp_path: Path
    ) -> None:
        server = start("--pidfile", str(tmp_path))
        assert "# Failed to write PID file: Is a directory\n" in server.output()
        assert tmp_path.is_dir()

    def test_the_pid_file_of_the_server_that_has_the_port(
        self, start: Callable[..., RespcacheServer], tmp_path: Path
    ) -> None:
        path = tmp_path / "pid"
        first = start("--pidfile", str(path))
        assert run("--port", str(first.port), "--pidfile", str(path)).returncode == 1
        assert path.read_text() == f"{first.process.pid}\n"

    def test_a_unix_socket_that_cannot_be_created_ends_the_start(self, tmp_path: Path) -> None:
        too_long = "x" * 200
        for path, reason in (
            (tmp_path / "no" / "socket", "bind: No such file or directory"),
            (tmp_path, "bind: Address already in use"),
            (tmp_path / too_long, "bind: AF_UNIX path too long"),
        ):
            done = run("--unixsocket", str(path))
            assert done.returncode == 1
            assert done.stdout.endswith(f"# Failed opening Unix socket: {reason}\n")
            assert done.stderr == ""

    @pytest.mark.parametrize("name", ["respcache-ready-fd", "respcache-parent-fd"])
    def test_a_descriptor_that_is_not_open_ends_the_start(self, name: str) -> None:
        done = run(f"--{name}", "77")
        assert done.returncode == 1
        assert f"Can't use {name} 77: Bad file descriptor" in done.stderr

    def test_a_closed_ready_pipe(self) -> None:
        """The process that waited for the port has ended, but the server goes on."""
        reader, writer = os.pipe()
        os.close(reader)
        command = [*COMMAND, "--respcache-ready-fd", str(writer)]
        with subprocess.Popen(command, pass_fds=[writer], stdout=subprocess.PIPE, text=True) as process:
            os.close(writer)
            assert process.stdout is not None
            assert any("respcache-ready-fd" in line and "Broken pipe" in line for line in process.stdout)
            process.terminate()
            assert process.wait(10) == 0

    @pytest.mark.skipif(not os.access(DEBIAN, os.R_OK), reason=f"no {DEBIAN}, or not for this user")
    def test_debians_configuration(self, start: Callable[..., RespcacheServer], tmp_path: Path) -> None:
        """Unchanged, except for its directories, which belong to other users."""
        text = DEBIAN.read_text()
        for directory in ("/var/log/redis", "/var/lib/redis", "/run/redis"):
            text = text.replace(directory, str(tmp_path))
        (tmp_path / "redis.conf").write_text(text)
        path, pid = tmp_path / "redis-server.log", tmp_path / "redis-server.pid"
        server = start("--logfile", "", file=str(tmp_path / "redis.conf"))
        assert int(pid.read_text()) == server.process.pid  # `daemonize yes` is not for tests
        assert "no effect" not in server.output()
        server.stop()
        done = subprocess.run([*COMMAND[:3], str(tmp_path / "redis.conf"), *COMMAND[3:]], timeout=20, check=False)
        assert done.returncode == 0
        try:
            assert eventually(lambda: path.exists() and "Ready to accept connections" in path.read_text())
        finally:
            os.kill(int(pid.read_text()), signal.SIGTERM)
            assert eventually(lambda: not pid.exists())


class TestDescriptors:
    """`ulimit -n` below what `maxclients` needs."""

    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[tuple[int, str]]:
        """The port of a server with 64 descriptors, and everything logged at its start."""
        log = tmp_path / "log"
        words = " ".join([*COMMAND, "--logfile", str(log), "--enable-debug-command", "yes"])
        with subprocess.Popen(["/bin/sh", "-c", f"ulimit -n 64; exec {words}"]) as process:
            assert eventually(lambda: log.exists() and "Ready" in log.read_text())
            text = log.read_text()
            ready = re.search(r"127\.0\.0\.1:(\d+)", text)
            assert ready is not None
            yield int(ready[1]), text
            process.terminate()
            assert process.wait(10) == 0

    def test_maxclients_is_lowered_in_the_words_of_redis(self, server: tuple[int, str]) -> None:
        port, text = server
        connection = Connection(port)
        most = int(connection.call("CONFIG", "GET", "maxclients")[1])
        assert 20 <= most < 64
        wanted = 10_000 + 64 - most
        assert [line.partition(" # ")[2] for line in text.splitlines() if " # " in line] == [
            f"You requested maxclients of 10000 requiring at least {wanted} max file descriptors.",
            f"Server can't set maximum open files to {wanted} because of OS error: Operation not permitted.",
            f"Current maximum open files is 64. maxclients has been reduced to {most} to compensate for low ulimit. "
            "If you need higher maxclients increase 'ulimit -n'.",
        ]
        assert str(connection.call("CONFIG", "SET", "maxclients", most + 1)) == (
            "ERR CONFIG SET failed (possibly related to argument 'maxclients') - "
            f"The operating system is not able to handle the specified number of clients, try with {most}"
        )
        assert connection.call("CONFIG", "GET", "maxclients")[1] == b"%d" % most
        assert connection.call("CONFIG", "SET", "maxclients", most - 1) == "OK"
        connection.close()

    def test_with_all_clients_connected_everything_works(self, server: tuple[int, str]) -> None:
        """One more is refused with an error, and a shard that dies can be restarted."""
        port, _ = server
        first = Connection(port)
        most = int(first.call("CONFIG", "GET", "maxclients")[1])
        others = [Connection(port) for _ in range(most - 1)]
        assert [connection.call("PING") for connection in others] == ["PONG"] * (most - 1)
        refused = Connection(port)
        assert refused.rest() == b"-ERR max number of clients reached\r\n"
        [(_, shard, _, _)] = first.call("DEBUG", "SHARDS")
        os.kill(shard, signal.SIGKILL)
        assert eventually(lambda: first.call("SET", "k", "v") == "OK")
        assert first.call("DEBUG", "SHARDS")[0][2] == 1
        for connection in (first, refused, *others):
            connection.close()

    def test_too_few_to_start(self) -> None:
        words = " ".join(COMMAND)
        done = subprocess.run(
            ["/bin/sh", "-c", f"ulimit -n 24; exec {words}"], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 1
        assert re.search(
            r"# Your current 'ulimit -n' of 24 is not enough for the server to start\. "
            r"Please increase your open file limit to at least 100\d\d\. Exiting\.\n\Z",
            done.stdout,
        )


def test_an_unread_log_does_not_stop_the_server() -> None:
    """The pipe is full before the first line is logged."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    filled = 0
    try:
        while True:
            filled += os.write(writer, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    ready, tell = os.pipe()
    command = [*COMMAND, "--respcache-ready-fd", str(tell)]
    with subprocess.Popen(command, stdout=writer, pass_fds=[tell]) as process:
        os.close(writer)
        os.close(tell)
        port = int(os.read(ready, 64))
        for _ in range(30):
            with socket.create_connection(("127.0.0.1", port)) as browser:
                browser.sendall(b"POST / HTTP/1.1\r\n")
                assert browser.recv(1) == b""
        connection = Connection(port)
        assert connection.call("PING") == "PONG"
        assert os.read(reader, filled) == b"." * filled
        with pytest.raises(Closed):
            connection.call("SHUTDOWN")
        connection.close()
        assert process.wait(10) == 0
    with os.fdopen(reader, "rb") as log:
        lines = [line.partition(" # ")[2] for line in log.read().decode().splitlines()]
    # The lines of the start, and the ten about browsers that are logged in full.
    assert lines[0] == "12 lines are missing here: the log could not be written"
    assert lines[1] == "User requested shutdown..."
    os.close(ready)


def test_permissions_of_a_new_log_file(start: Callable[..., RespcacheServer], tmp_path: Path) -> None:
    path = tmp_path / "log"
    with subprocess.Popen([*COMMAND, "--logfile", str(path)], umask=0o027) as process:
        assert eventually(lambda: path.exists() and "Ready" in path.read_text())
        process.terminate()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
