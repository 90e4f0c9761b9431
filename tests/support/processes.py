"""Servers that tests run against: ours, and a genuine one where there is one. A server ends with its test run."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.resp import Connection

READY_WITHIN = 20.0


class StartedServer:
    """A server process on a port of its own on loopback."""

    process: subprocess.Popen[bytes]
    port: int
    version: tuple[int, ...] = (7, 2, 0)

    def alive(self) -> bool:
        return self.process.poll() is None

    def reset(self) -> None:
        """Empty it, and undo what tests may change for others."""
        connection = Connection(self.port)
        connection.pipeline(("FLUSHALL",), ("CONFIG", "SET", "notify-keyspace-events", ""))
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
    """respcache from this source tree. It picks its port itself, and says on its log when it is ready."""

    def __init__(self, *arguments: str, shards: int = 1, file: str = "", port: int = 0) -> None:
        command = [sys.executable, "-m", "respcache", *([file] if file else []), "--port", str(port)]
        command += ["--shards", str(shards), "--enable-debug-command", "yes", *arguments]
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the server
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        self.port = self._port_from_log()

    def output(self) -> str:
        """All that it logged up to now."""
        self.log.seek(0)
        return self.log.read().decode()

    def _port_from_log(self) -> int:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline and self.alive():
            if ready := re.search(r"Ready to accept connections.*?127\.0\.0\.1:(\d+)", self.output()):
                return int(ready[1])
            time.sleep(0.01)  # polls the start of a real process; nothing depends on how long it takes
        raise AssertionError(f"respcache did not start:\n{self.output()}")

    def stop(self) -> None:
        super().stop()
        self.log.close()


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
