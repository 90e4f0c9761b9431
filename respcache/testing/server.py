"""A handle on a respcache server that runs as a child process.

Two pipes tie the child to this process:

* the *ready* pipe: the child writes its port into it when it accepts connections. It picked the port itself,
  so there is no moment in which somebody else could take it; and when the child dies instead, the pipe ends:
  no waiting for a timeout.
* the *lifeline*: the child reads from it and ends when it reaches the end of file. Only this process holds
  the writing end, and the kernel closes that however this process ends, `kill -9` included. So no server
  outlives its test run.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    import redis
    import redis.asyncio

_STOP_DEADLINE = 10.0
_PACKAGE_PARENT = str(Path(__file__).resolve().parents[2])


class StartError(RuntimeError):
    """The server did not start; `log` is all that it said."""

    def __init__(self, reason: str, log: str) -> None:
        super().__init__(f"respcache {reason}; its log:\n{log.rstrip() or '(empty)'}")
        self.log = log


class Server:
    """A respcache server of its own, on loopback, with nothing on disk that outlives it.

    Used as a context manager, `with` or (under trio and asyncio) `async with`; or with `start` and `stop`. It
    may be started again after a stop: empty, and on another port.

    shards: how many shard processes. More of them make a busy server faster, and the start slower.
    args: further directives, as on the command line: ``("--maxmemory", "10mb")``.
    unixsocket: listen on a unix socket too, at this path; True for one in a temporary directory.
    start_timeout: seconds within which the server must have started.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        *,
        shards: int = 1,
        args: Sequence[str] = (),
        unixsocket: str | os.PathLike[str] | bool = False,
        start_timeout: float = 30.0,
    ) -> None:
        self.shards = shards
        self.args = tuple(args)
        self._wanted_socket = unixsocket
        self._start_timeout = start_timeout
        self._running: _Running | None = None
        self._control: redis.Redis | None = None

    # Where it is.

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._require_running().port

    @property
    def unixsocket(self) -> str | None:
        """The path of the unix socket; None where none was asked for."""
        return self._require_running().unixsocket

    @property
    def url(self) -> str:
        """What `redis.Redis.from_url` and most programs' settings take."""
        return f"redis://{self.host}:{self.port}/0"

    @property
    def connection_kwargs(self) -> dict[str, Any]:
        """For clients that take keyword arguments: `redis.Redis(**server.connection_kwargs)`."""
        return {"host": self.host, "port": self.port}

    @property
    def pid(self) -> int:
        """The main process of the server."""
        return self._require_running().process.pid

    def log(self) -> str:
        """All that the server has logged since its start."""
        return self._require_running().log()

    # Its life.

    def start(self) -> None:
        """Start the server, and wait until it accepts connections.

        Errors: StartError, with the server's log; RuntimeError if it runs already.
        """
        if self._running is not None:
            raise RuntimeError("the server is running already")
        self._running = _Running(self.shards, self.args, self._wanted_socket, self._start_timeout)

    def stop(self) -> None:
        """End the server and wait for its end. Does nothing when it is not running."""
        control, self._control = self._control, None
        if control is not None:
            control.close()
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        try:
            await _in_thread(self.start)
        except BaseException:
            # Cancelled (asyncio delivers that late, see `_in_thread`): what has been started must not stay.
            self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _in_thread(self.stop)

    # Talking to it.

    def client(self, **options: Any) -> redis.Redis:
        """A new client; `options` as for `redis.Redis`. The caller closes it."""
        import redis

        return redis.Redis(**{**self.connection_kwargs, **options})

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """A new client for asyncio; `options` as for `redis.asyncio.Redis`. The caller closes it."""
        import redis.asyncio

        return redis.asyncio.Redis(**{**self.connection_kwargs, **options})

    def flush(self) -> None:
        """Remove all keys of all databases. Settings, scripts and the clock stay as they are."""
        self._command("FLUSHALL")

    def advance(self, seconds: float) -> None:
        """Let time pass for the server: deadlines, TIME, idle times and blocking timeouts together.

        Precise to a millisecond, of which it adds the last: a TTL of so many seconds has run out then. There is no way
        back, as with time.
        """
        if seconds < 0:
            raise ValueError("time does not run backwards")
        self._command("DEBUG", "ADVANCE-CLOCK", round(seconds * 1000))

    def _command(self, *words: str | int) -> None:
        # A client of the handle's own: what a test does to its connections must not get in the way.
        if self._control is None:
            self._control = self.client()
        self._control.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py gives it no types

    def _require_running(self) -> _Running:
        if self._running is None:
            raise RuntimeError("the server is not running: use `with Server() as server`, or call start()")
        return self._running


class _Running:
    """One run of the server: a process that accepts connections, and all that has to go when it ends."""

    def __init__(
        self,
        shards: int,
        args: tuple[str, ...],
        unixsocket: str | os.PathLike[str] | bool,
        start_timeout: float,
    ) -> None:
        with ExitStack() as lasting, ExitStack() as starting:
            directory = lasting.enter_context(tempfile.TemporaryDirectory(prefix="respcache-"))
            self._log = Path(directory, "log")
            self.unixsocket = _socket_path(unixsocket, directory)
            with ExitStack() as childs:
                ready, ready_child = _pipe(starting, childs)
                lifeline_child, _ = _pipe(childs, lasting)
                pipes = {"--respcache-ready-fd": ready_child, "--respcache-parent-fd": lifeline_child}
                command = _command_line(shards, directory, self.unixsocket)
                self.process = _spawn([*command, *args], pipes, self._log)
                lasting.callback(self._end_process)
            self.port = self._wait_for_port(ready, start_timeout)
            # Had anything failed, all would be cleaned up by now; from here on, `stop` does it.
            self._resources = lasting.pop_all()

    def stop(self) -> None:
        self._resources.close()

    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def _wait_for_port(self, ready: int, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(ready, selectors.EVENT_READ)
            while not said.endswith(b"\n"):
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise StartError(f"did not start within {timeout} s", self.log())
                received = os.read(ready, 64)
                if not received:
                    raise StartError(f"ended with status {self._status()} when it was started", self.log())
                said += received
        return int(said)

    def _status(self) -> int | str:
        """Its exit status. The pipe may end a moment before the process does."""
        try:
            return self.process.wait(_STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            return "unknown"

    def _end_process(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(_STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _socket_path(wanted: str | os.PathLike[str] | bool, directory: str) -> str | None:
    if isinstance(wanted, bool):
        return os.path.join(directory, "socket") if wanted else None
    return os.path.abspath(wanted)


def _command_line(shards: int, directory: str, unixsocket: str | None) -> list[str]:
    command = [sys.executable, "-P", "-m", "respcache", "--port", "0", "--shards", str(shards)]
    command += ["--enable-debug-command", "yes"]  # DEBUG ADVANCE-CLOCK
    command += ["--save", "", "--dir", directory]  # nothing is written into the directory the tests run in
    if unixsocket is not None:
        command += ["--unixsocket", unixsocket]
    return command


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """A pipe, each end closed with its owner. No program that is started inherits it, unless told to."""
    read, write = os.pipe()
    reader.callback(os.close, read)
    writer.callback(os.close, write)
    return read, write


def _spawn(command: list[str], pipes: dict[str, int], log: Path) -> subprocess.Popen[bytes]:
    for option, descriptor in pipes.items():
        command += [option, str(descriptor)]
    with open(log, "wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=tuple(pipes.values()),
            env=_environment(),
            # Control-C in a terminal is for the test run, which then ends the server in its own time.
            start_new_session=True,
        )


def _environment() -> dict[str, str]:
    """The child imports the respcache that this process has imported, from a source tree too."""
    environment = dict(os.environ)
    if not _PACKAGE_PARENT.endswith("-packages"):
        paths = [_PACKAGE_PARENT, *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment


async def _in_thread(job: Callable[[], None]) -> None:
    """Run a blocking job beside the event loop; a cancellation is held back until the job is done."""
    import sniffio

    if sniffio.current_async_library() == "trio":
        import trio

        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(job)
    else:
        await _in_asyncio_thread(job)


async def _in_asyncio_thread(job: Callable[[], None]) -> None:
    import asyncio

    worker = asyncio.ensure_future(asyncio.to_thread(job))
    cancelled: asyncio.CancelledError | None = None
    while not worker.done():
        try:
            await asyncio.wait([worker])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    worker.result()
