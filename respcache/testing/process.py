"""One run of the server program, tied to this process.

Two pipes tie the child to this process:

* the *ready* pipe: the child writes its ports into it when it accepts connections. It picks free ports itself, so
  nobody else can take them in between; and if the child dies instead, the pipe ends: nobody waits for a timeout.
* the *lifeline*: the child reads from it (see `announce`), and ends when it reaches the end of file. Only this process
  holds the writing end, and the kernel closes that however this process ends, `kill -9` included. So no server outlives
  its test run.

Children that this process forks must not hold the writing end, or the server would live as long as they do. Programs
that it starts do not inherit it, and in a process that is merely forked it is closed at once. There, the server belongs
to the parent: it can be used, and `end` does nothing.

The child works in a temporary directory, which it removes when it ends, and this process does if it cannot. The log is
a file without a name.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_STOP_DEADLINE = 10.0
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


class StartError(RuntimeError):
    """The server did not start; `log` is all that it said."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(f"respcache {reason}; its log:\n{log.rstrip() or '(empty)'}")
        self.log = log


class ServerProcess:
    """A server that is starting, runs, or has ended by itself.

    file: a configuration file; empty for none.
    directives: as on the command line.
    unixsocket: the path of a unix socket; True for one in the temporary directory.
    """

    def __init__(self, file: str, directives: Sequence[str], unixsocket: str | bool) -> None:
        self.directory = tempfile.mkdtemp(prefix="respcache-")
        self.unixsocket = os.path.join(self.directory, "socket") if unixsocket is True else unixsocket or None
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as this object
        self._owned = True  # by this process: False in a fork of it
        self._lock = threading.Lock()  # held by the thread that waits for the child to be ready
        self._ports: tuple[int, ...] = ()  # empty until the child has told them
        self._ready = self._lifeline = -1
        _running.add(self)
        command = [sys.executable, "-P", "-m", "respcache", *([file] if file else [])]
        if self.unixsocket is not None:
            command += ["--unixsocket", self.unixsocket]
        command += ["--dir", self.directory, "--respcache-temporary-dir", self.directory, *directives]
        try:
            self.process = self._spawn(command)
        except BaseException:
            self._release()
            raise

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        self._ready, tell = os.pipe()
        watch, self._lifeline = os.pipe()
        pipes = {"--respcache-ready-fd": tell, "--respcache-parent-fd": watch}
        for option, descriptor in pipes.items():
            command += [option, str(descriptor)]
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                pass_fds=tuple(pipes.values()),
                env=_environment(),
                # Control-C in a terminal is for the test run, which then ends the server in its own time.
                start_new_session=True,
            )
        finally:
            for descriptor in pipes.values():
                os.close(descriptor)

    def wait_ready(self, timeout: float) -> tuple[int, ...]:
        """Wait until the server accepts connections; its port, and that of its HTTP door if it was started with one.

        Raises StartError.
        """
        with self._lock:
            if not self._ports:
                self._ports = self._read_ports(timeout)
            return self._ports

    def _read_ports(self, timeout: float) -> tuple[int, ...]:
        deadline = time.monotonic() + timeout
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._ready, selectors.EVENT_READ)
            while not said.endswith(b"\n"):
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise StartError(f"did not start within {timeout} s", self.log())
                received = os.read(self._ready, 64)
                if not received:
                    raise StartError(f"{self._wait_for_end()} when it was started", self.log())
                said += received
        return tuple(map(int, said.split()))

    def _wait_for_end(self) -> str:
        """How the process ended. The pipe may end a moment before the process does."""
        try:
            return how_ended(self.process.wait(_STOP_DEADLINE))
        except subprocess.TimeoutExpired:
            return "closed its pipe"

    def status(self) -> int | None:
        """The exit status; negative for a signal. None while the process runs, and in a fork of this process."""
        return self.process.poll() if self._owned else None

    def wait(self, timeout: float) -> bool:
        """Wait for the end of the process; False if it has not ended within `timeout` seconds."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def log_size(self) -> int:
        """Bytes that the server has logged."""
        return os.fstat(self._log.fileno()).st_size

    def log(self, since: int = 0) -> str:
        """What the server has logged after its first `since` bytes."""
        # The position in the file is shared with the child, so it must not move.
        return os.pread(self._log.fileno(), max(self.log_size() - since, 0), since).decode("utf-8", "replace")

    def announce(self, port: int) -> bool:
        """Tell the server that this process is about to connect from a port. False if this process cannot."""
        if self._lifeline < 0:
            return False
        os.write(self._lifeline, b"%d\n" % port)
        return True

    def end(self) -> None:
        """End the server and wait for its end. In a fork of this process: forget it."""
        try:
            if self._owned:
                self._terminate()
        finally:
            self._release()

    def _terminate(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(_STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _release(self) -> None:
        self._close_pipes()
        self._log.close()
        if self._owned:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _close_pipes(self) -> None:
        for descriptor in (self._ready, self._lifeline):
            if descriptor >= 0:
                os.close(descriptor)
        self._ready = self._lifeline = -1

    def disown(self) -> None:
        """In a fork of the process that started the server: it is not ours to keep alive, or to end."""
        self._owned = False
        self._lock = threading.Lock()
        self._close_pipes()


# Those that have not been ended.
_running: weakref.WeakSet[ServerProcess] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for process in list(_running):
        process.disown()


os.register_at_fork(after_in_child=_after_fork_in_child)


def how_ended(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def _environment() -> dict[str, str]:
    """The child imports the respcache that this process has imported, from a source tree too."""
    environment = dict(os.environ)
    if not _PACKAGE_PARENT.endswith("-packages"):
        paths = [_PACKAGE_PARENT, *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
