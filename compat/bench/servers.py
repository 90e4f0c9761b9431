"""The programs under test: each is started on its own loopback port, watched, and stopped."""

from __future__ import annotations

import copy
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from compat.bench.wire import Wire, Word

_READY_WITHIN = 30.0
_STOP_DEADLINE = 10.0
_PROC = Path("/proc")


class ServerUnderTest:
    """One server program: its `name` in tables, the command line that starts it, and the process while it runs."""

    name: str

    def __init__(self, command: list[str], version: str) -> None:
        self._command = command
        self.version = version
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    @property
    def slow(self) -> bool:
        """True if the server is too slow for large loads."""
        return False

    def command(self, port: int | str) -> list[str]:
        """The command line on this port."""
        return [str(port) if word == "PORT" else word for word in self._command]

    def start(self) -> float:
        """Start the program. Returns the seconds until it answered a PING."""
        self.port = _free_port()
        self._directory = tempfile.TemporaryDirectory(prefix="bench-")
        started = time.perf_counter()
        try:
            with open(Path(self._directory.name, "log"), "wb") as log:
                self._process = subprocess.Popen(
                    self.command(self.port),
                    cwd=self._directory.name,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self._wait_for_pong(started)
        except BaseException:
            self.stop()  # on Control-C too: no one else would stop it
            raise
        return time.perf_counter() - started

    def _wait_for_pong(self, started: float) -> None:
        assert self._process is not None
        while True:
            try:
                with Wire(self.port, timeout=_READY_WITHIN) as wire:
                    wire.call("PING")
                return
            except OSError:
                # Refused: it does not listen yet. A longer wait would distort the result.
                time.sleep(0.0005)
            if self._process.poll() is not None or time.perf_counter() - started > _READY_WITHIN:
                raise RuntimeError(f"{self.name} did not start:\n{self._log()}")

    def _log(self) -> str:
        assert self._directory is not None
        return Path(self._directory.name, "log").read_text("utf-8", "replace")

    def stop(self) -> None:
        """Terminate the program, or kill it if it does not end by itself."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def another(self) -> Self:
        """The same program for another process beside this one; not started yet."""
        other = copy.copy(self)
        other._process = None
        other._directory = None
        return other

    def wire(self) -> Wire:
        """A new connection."""
        return Wire(self.port)

    def call(self, *words: Word) -> object:
        """Run one command on a new connection."""
        with self.wire() as wire:
            return wire.call(*words)

    # What the system reports about it; Linux only, None elsewhere.

    def memory(self) -> int | None:
        """Bytes of memory of all its processes; a page shared by several counts once (PSS)."""
        try:
            return sum(_proportional_set_size(pid) for pid in self._pids())
        except OSError:
            return None

    def processor_time(self) -> float | None:
        """Seconds of processor time used by all its processes."""
        try:
            return sum(map(_processor_time, self._pids()))
        except OSError:
            return None

    def _pids(self) -> list[int]:
        """Its process and all descendants."""
        assert self._process is not None
        children: dict[int, list[int]] = {}
        for entry in _PROC.iterdir():
            if entry.name.isdigit() and (parent := _parent(entry)) is not None:
                children.setdefault(parent, []).append(int(entry.name))
        found = [self._process.pid]
        for pid in found:  # grows as it goes
            found += children.get(pid, [])
        return found


class Respcache(ServerUnderTest):
    """respcache from this source tree."""

    name = "respcache"

    def __init__(self, shards: int | None) -> None:
        from respcache import __version__

        command = [sys.executable, "-m", "respcache", "--port", "PORT", "--save", ""]
        if shards is not None:
            command += ["--shards", str(shards)]
        super().__init__(command, __version__)


class GenuineRedis(ServerUnderTest):
    """The server that all others are compared with."""

    name = "redis-server"

    def __init__(self, program: str) -> None:
        said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
        version = next((word[2:] for word in said.split() if word.startswith("v=")), said.strip())
        super().__init__([program, "--port", "PORT", "--save", "", "--appendonly", "no"], version)


class FakeredisServer(ServerUnderTest):
    """fakeredis with its own TCP server: one thread per connection."""

    name = "fakeredis"

    def __init__(self) -> None:
        from importlib.metadata import version

        # Its accept queue has room for 5. If 50 clients connect at once, most would wait seconds for their
        # second attempt, and only that would be measured. So it gets a queue as long as the others'.
        script = (
            "import sys, fakeredis; fakeredis.TcpFakeServer.request_queue_size = 511; "
            'fakeredis.TcpFakeServer(("127.0.0.1", int(sys.argv[1])), server_type="redis").serve_forever()'
        )
        super().__init__([sys.executable, "-c", script, "PORT"], version("fakeredis"))

    @property
    def slow(self) -> bool:
        return True


def available(shards: int | None) -> list[ServerUnderTest]:
    """The servers that can be started here: always respcache, and the others if they are installed."""
    servers: list[ServerUnderTest] = []
    if program := os.environ.get("RESPCACHE_REFERENCE") or shutil.which("redis-server"):
        servers.append(GenuineRedis(program))
    servers.append(Respcache(shards))
    try:
        servers.append(FakeredisServer())
    except ModuleNotFoundError:  # PackageNotFoundError is one
        pass
    return servers


def _free_port() -> int:
    # Another program could take the port before the server does; the run then fails and has to be repeated.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _environment() -> dict[str, str]:
    """Variables that let servers find this source tree from their own directories."""
    source = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))}
    # As in an installation: without bytecode, every start would compile the source again.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _parent(process: Path) -> int | None:
    try:
        return int(_stat_fields(process)[1])
    except OSError:
        return None  # it has ended in the meantime


def _processor_time(pid: int) -> float:
    fields = _stat_fields(_PROC / str(pid))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime and stime


def _stat_fields(process: Path) -> list[str]:
    """The fields of /proc/PID/stat from the state on; the name before it may contain anything."""
    return (process / "stat").read_text().rpartition(")")[2].split()


def _proportional_set_size(pid: int) -> int:
    for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
