"""Servers that tests run against: respcache and, if one is installed, a genuine one."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from respcache.testing import Server
from tests.support.resp import Connection

READY_WITHIN = 20.0


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """True if somebody does."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


class StartedServer:
    """A server process on a port of its own on loopback."""

    process: subprocess.Popen[bytes]
    port: int
    version: tuple[int, ...] = (7, 2, 0)
    # The address of its HTTP door, and what opens it; empty if it has none.
    rest_url = ""
    rest_token = ""

    def alive(self) -> bool:
        return self.process.poll() is None

    def reset(self) -> None:
        """Empty it, and undo what tests may change for others."""
        connection = Connection(self.port)
        changed = ("notify-keyspace-events", "", "client-query-buffer-limit", "1gb")
        connection.pipeline(("FLUSHALL",), ("CONFIG", "SET", *changed))
        connection.close()

    def stop(self) -> None:
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class RespcacheServer(StartedServer):
    """respcache from this source tree."""

    def __init__(self, *arguments: str, shards: int = 1, file: str = "", port: int = 0, http: bool = False) -> None:
        self.shards = shards
        self._handle = Server(
            shards=shards, args=arguments, file=file, port=port, http=http, start_timeout=READY_WITHIN
        )
        self._handle.start()
        self.process = self._handle.process
        self.port = self._handle.port
        if http:
            self.rest_url, self.rest_token = self._handle.rest_url, self._handle.rest_token

    def output(self) -> str:
        """Everything that it has logged."""
        return self._handle.log()

    def reset(self) -> None:
        self._handle.reset()

    def stop(self) -> None:
        self._handle.stop()


class ReferenceServer(StartedServer):
    """A genuine server program with the same command line."""

    def __init__(self, program: str, *arguments: str, port: int = 0) -> None:
        self.directory = tempfile.TemporaryDirectory()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            self.port = probe.getsockname()[1]
        command = [program, "--port", str(self.port), "--save", "", "--dir", self.directory.name]
        command += ["--enable-debug-command", "yes", "--logfile", str(Path(self.directory.name, "log")), *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_WITHIN
        while True:
            try:
                connection = Connection(self.port)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)  # as above
        info = connection.call("INFO", "server").decode()
        found = re.search(r"redis_version:([\d.]+)", info)
        assert found is not None
        self.version = tuple(int(part) for part in found[1].split("."))
        connection.close()

    def stop(self) -> None:
        super().stop()
        self.directory.cleanup()
