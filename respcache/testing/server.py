"""A handle on a respcache server that runs as a child process."""

from __future__ import annotations

import atexit
import os
import re
import shlex
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

from respcache.testing.clock import AsyncServerClock, ServerClock
from respcache.testing.control import Control, Word, fields_of
from respcache.testing.endpoint import Endpoint
from respcache.testing.faults import AsyncServerFaults, ServerFaults
from respcache.testing.given import given
from respcache.testing.journal import AsyncJournal, Journal, Recording, latest_calls
from respcache.testing.lint import AsyncServerLint, ServerLint
from respcache.testing.namespaces import Namespace, new_name
from respcache.testing.process import ServerProcess, StartError, how_ended
from respcache.testing.snapshots import AsyncServerSnapshots, ServerSnapshots
from respcache.testing.threads import in_thread

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import timedelta
    from types import TracebackType

    import redis
    import redis.asyncio

__all__ = ["Server", "StartError"]

_LOOPBACK = "127.0.0.1"
_MISSING = re.compile(r"respcache has no (.+) yet: see ")


class Server:
    """A respcache server of its own, on loopback, with nothing on disk that outlives it.

    Used as a context manager, `with` or (under trio and asyncio) `async with`; or with `start` and `stop`. It may be
    started again after a stop: empty, and on the same port. It ends with the process that started it, however that
    ends; a fork of that process may use it, and cannot stop it.

    shards: how many shard processes. More of them make a busy server faster, and the start slower.
    args: further directives, as on the command line: ``["--maxmemory", "10mb"]``.
    file: a configuration file for it, such as the redis.conf of your production. `args` come after it.
    port: the TCP port; 0 for a free one, which it then keeps.
    unixsocket: listen on a unix socket too, at this path; True for one in a temporary directory.
    http: open the HTTP door too, on a free port that it then keeps. It needs ``respcache[http]``.
    start_timeout: seconds within which the server must have started.
    """

    # True for what stands for a part of a server in tests that share it: `respcache.testing.shared`.
    shared: ClassVar[bool] = False

    def __init__(
        self,
        *,
        shards: int = 1,
        args: Sequence[str | int] = (),
        file: str | os.PathLike[str] = "",
        port: int = 0,
        unixsocket: str | os.PathLike[str] | bool = False,
        http: bool = False,
        start_timeout: float = 30.0,
    ) -> None:
        if isinstance(args, (str, bytes)):
            words = shlex.split(os.fsdecode(args))
            raise TypeError(f"`args` is a list of words, not one text: try args={words!r}")
        self.shards = shards
        self.args = tuple(map(str, args))
        self._file = os.path.abspath(file) if file else ""
        self._given = given(self._file, self.args)
        self._wanted_port = port
        self._http = http
        self._wanted_http_port = 0  # 0 until it is known
        self._wanted_socket = unixsocket if isinstance(unixsocket, bool) else os.path.abspath(unixsocket)
        self._start_timeout = start_timeout
        self._running: ServerProcess | None = None
        # Commands of Redis that were called and that respcache does not have: of the runs that are over.
        self._missing: set[str] = set()

    # Where it is.

    @property
    def host(self) -> str:
        """The address to connect to: 127.0.0.1, unless `--bind` leaves that out."""
        addresses = [address.lstrip("-") for address in self._given.get("bind", [])]
        if not addresses or {_LOOPBACK, "*", "0.0.0.0"}.intersection(addresses):
            return _LOOPBACK
        return {"::": "::1", "::*": "::1"}.get(addresses[0], addresses[0])

    @property
    def port(self) -> int:
        """The TCP port. A stopped server is known by the port that it will have again."""
        if self._running is None and self._wanted_port:
            return self._wanted_port
        running = self._require_running()
        try:
            self._wanted_port, *http = running.wait_ready(self._start_timeout)
        except BaseException:
            self.stop()
            raise
        if http:
            [self._wanted_http_port] = http
        return self._wanted_port

    @property
    def unixsocket(self) -> str | None:
        """The path of the unix socket; None where none was asked for."""
        return self._first("unixsocket") or self._require_running().unixsocket

    @property
    def password(self) -> str:
        """The password that it asks for, if `--requirepass` or its file gave it one; else empty."""
        return self._first("requirepass")

    @property
    def url(self) -> str:
        """What `redis.Redis.from_url` and most programs' settings take."""
        return self._endpoint.url

    @property
    def connection_kwargs(self) -> dict[str, Any]:
        """For clients that take keyword arguments: `redis.Redis(**server.connection_kwargs)`."""
        return self._endpoint.connection_kwargs

    @property
    def rest_url(self) -> str:
        """The base URL of its HTTP door, such as ``http://127.0.0.1:12345``: what UPSTASH_REDIS_REST_URL takes.

        Errors: RuntimeError if it has none: it needs `http=True`, or `open_http`.
        """
        _ = self.port  # waits for it
        if not self._wanted_http_port:
            raise RuntimeError("the server has no HTTP door: use Server(http=True), or call open_http()")
        return f"http://{self._endpoint.host_in_urls}:{self._wanted_http_port}"

    @property
    def rest_token(self) -> str:
        """The token for `rest_url`: the password; `respcache` where there is none, since any token is accepted then."""
        return self.password or "respcache"

    @property
    def pid(self) -> int:
        """The main process of the server."""
        return self._require_running().process.pid

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The same as a `subprocess.Popen`, for tests that send it signals or wait for its end."""
        return self._require_running().process

    def log(self, since: int = 0) -> str:
        """What the server has logged since its start, or after the first `since` bytes of that."""
        return self._require_running().log(since)

    def log_size(self) -> int:
        """How many bytes the server has logged since its start."""
        return self._require_running().log_size()

    def missing_commands(self) -> list[str]:
        """The commands of Redis that were called and that respcache does not have yet, in alphabetical order."""
        log = self._running.log() if self._running is not None else ""
        return sorted(self._missing.union(_MISSING.findall(log)))

    # Its life.

    def start(self) -> None:
        """Start the server, and wait until it accepts connections.

        Errors: StartError, with the server's log; RuntimeError if it runs already.
        """
        self.start_soon()
        _ = self.port

    def start_soon(self) -> None:
        """Start the server without waiting for it. What needs it waits, and raises StartError if it does not start.

        Errors: RuntimeError if it runs already.
        """
        if self._running is not None:
            raise RuntimeError("the server is running already")
        directives = ["--port", str(self._wanted_port), "--shards", str(self.shards)]
        directives += ["--enable-debug-command", "yes", "--enable-test-commands", "yes", "--save", ""]
        if self._http:
            directives += ["--respcache-http", "yes"]
        if self._wanted_http_port:
            directives += ["--http-port", str(self._wanted_http_port)]
        directives += ["--logfile", "", *self.args]
        self._running = ServerProcess(self._file, directives, self._wanted_socket)
        # Otherwise Python would warn, when it exits, of a process that nobody has waited for.
        atexit.register(self.stop)

    def stop(self) -> None:
        """End the server and wait for its end. Does nothing when it is not running."""
        if self._running is not None:
            atexit.unregister(self.stop)
            self._missing.update(self.missing_commands())
            running, self._running = self._running, None
            running.end()

    @property
    def running(self) -> bool:
        """True from `start` to `stop`, whether or not the process has ended by itself."""
        return self._running is not None

    def alive(self) -> bool:
        """True if the server was started, and neither stopped nor ended by itself."""
        return self._running is not None and self._running.status() is None

    def death(self) -> str | None:
        """What a server died of that nobody stopped, with its log; None if it runs, was stopped, or shut down."""
        status = self._running.status() if self._running is not None else None
        if not status:
            return None
        return f"the server died: it {how_ended(status)}; its log:\n{self.log().rstrip() or '(empty)'}"

    def wait_for_end(self, timeout: float) -> bool:
        """Wait until the server has ended, at most this many seconds. True if it has ended, or was not running."""
        return self._running is None or self._running.wait(timeout)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        """A cancellation takes effect when the server has started; it is stopped then."""
        try:
            await in_thread(self.start)
        except BaseException:
            self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A cancellation takes effect when the server has stopped."""
        await in_thread(self.stop)

    # Talking to it.

    def client(self, **options: Any) -> redis.Redis:
        """A new client, of a stopped server too; `options` as for `redis.Redis`. The caller closes it."""
        return self._endpoint.client(**options)

    def async_client(self, **options: Any) -> redis.asyncio.Redis:
        """A new client for asyncio; `options` as for `redis.asyncio.Redis`. The caller closes it."""
        return self._endpoint.async_client(**options)

    def flush(self) -> None:
        """Remove all keys of all databases. Settings and the clock stay as they are.

        Errors: ConnectionError if the server died.
        """
        self._command("FLUSHALL", leave=True)

    def reset(self) -> None:
        """Put the server back as it was at its start: keys, settings, clock, faults, journal. One round trip.

        Connections stay, with their subscriptions and transactions; who waits in a blocking command goes on waiting.
        Snapshots and other namespaces stay, too. Errors: ConnectionError if the server died.
        """
        self._command("RESPCACHE", "RESET", leave=True)

    def open_http(self) -> None:
        """Open the HTTP door of a server that was started without one. It stays open, also after `stop` and `start`.

        Errors: RuntimeError if ``respcache[http]`` is not installed; ConnectionError if the server died.
        """
        _ = self.port  # waits for it
        if not self._wanted_http_port:
            self._wanted_http_port = int(self._command("RESPCACHE", "HTTP"))

    def advance(self, time: float | timedelta) -> None:
        """Let so many seconds pass for the server: the same as `clock.advance`. `reset` takes it back.

        Errors: ConnectionError if the server died.
        """
        self.clock.advance(time)

    @property
    def clock(self) -> ServerClock:
        """The server's time, which tests may stop and move: see [ServerClock](#serverclock)."""
        return ServerClock(self._command)

    @property
    def faults(self) -> ServerFaults:
        """What goes wrong on the server, when a test says so: errors, delays, lost connections."""
        return ServerFaults(self._command, self.alive)

    @property
    def async_faults(self) -> AsyncServerFaults:
        """The same for trio and asyncio."""
        return AsyncServerFaults(self.faults)

    @property
    def async_clock(self) -> AsyncServerClock:
        """The same for trio and asyncio."""
        return AsyncServerClock(self.clock)

    def journal(self, max: int | None = None) -> Journal:
        """Record what clients send within a ``with`` block, which gets the `Calls`.

            with server.journal() as calls:
                ...
            calls.assert_called("GET", "user:1", times=1)

        Meanwhile commands take longer: a request about twice as long in the server, a command of a pipeline ten times.
        Errors: RuntimeError at the end of a block in which the server was reset, which ends its journal;
        ConnectionError if the server died.
        max: how many calls are kept, 10,000 unless this or an outer journal says otherwise; the oldest make room.
        """
        return Journal(self._recording(max))

    def async_journal(self, max: int | None = None) -> AsyncJournal:
        """The same for trio and asyncio: ``async with server.async_journal() as calls``.

        Within the block the calls are those of the last ``await calls.update()``.
        """
        return AsyncJournal(self._recording(max))

    def start_journal(self, max: int) -> None:
        """Record calls from now on, so many, for `latest_calls`. `reset` ends it.

        Errors: ConnectionError if the server died.
        """
        self._command("RESPCACHE", "JOURNAL", "START", "MAX", max)

    def latest_calls(self, count: int = 50) -> str:
        """What the journal has recorded last, as a session of redis-cli; empty if nothing was recorded. One round trip.

        Errors: ConnectionError if the server died.
        """
        return latest_calls(self._command, self._endpoint.address, count)

    def _recording(self, max: int | None) -> Recording:
        return Recording(self._command, self._endpoint.address, max)

    @property
    def snapshots(self) -> ServerSnapshots:
        """The server's snapshots: prepare a state once, and let each test start from it."""
        return ServerSnapshots(self._command)

    @property
    def async_snapshots(self) -> AsyncServerSnapshots:
        """The same for trio and asyncio."""
        return AsyncServerSnapshots(self.snapshots)

    def load_json(self, path: str | os.PathLike[str], *, db: int = 0) -> int:
        """Make the keys that a JSON file describes, in one pipeline; how many they are.

        The module `respcache.testing.keys` describes the form. Existing keys of the same names are replaced, others
        stay.
        Errors: OSError; ValueError for what cannot be understood, and nothing is made then; RuntimeError if the server
        refuses a command.
        """
        from respcache.testing.keys import read

        return self.load_keys(read(path), db=db)

    def load_keys(self, keys: Mapping[str, Any], *, db: int = 0) -> int:
        """The same for keys that are Python objects, as `json` would load them."""
        from respcache.testing.keys import commands

        pipeline = [*commands(keys)]
        with self._death_explained():
            Control(self.host, self.port, self.password).pipeline(pipeline, db)
        return len(keys)

    @property
    def lint(self) -> ServerLint:
        """What would break or hurt in production, as far as ``--lint`` has found it."""
        return ServerLint(self._command)

    @property
    def async_lint(self) -> AsyncServerLint:
        """The same for trio and asyncio."""
        return AsyncServerLint(self.lint)

    def namespace(self, name: str = "") -> Namespace:
        """A server within this server, for a test that shares it with others; without a name, a new one.

        Names are of printable ASCII characters without spaces.
        """
        name = name or new_name()
        return Namespace(self, name, partial(self._command, namespace=name))

    def namespaces(self) -> list[str]:
        """The names of the namespaces that there are."""
        described = map(fields_of, self._command("RESPCACHE", "NAMESPACES"))
        return [fields["name"].decode() for fields in described if fields["name"]]

    def _command(self, *words: Word, leave: bool = False, namespace: str = "") -> Any:
        with self._death_explained():
            announce = self._require_running().announce
            return Control(self.host, self.port, self.password, announce, namespace).call(*words, leave=leave)

    @contextmanager
    def _death_explained(self) -> Iterator[None]:
        self._require_running()
        try:
            yield
        except OSError:
            if (death := self.death()) is not None:
                raise ConnectionError(death) from None
            raise

    @property
    def _endpoint(self) -> Endpoint:
        return Endpoint(self.host, self.port, self.password, self.death)

    def _first(self, directive: str) -> str:
        words = self._given.get(directive)
        return words[0] if words else ""

    def _require_running(self) -> ServerProcess:
        if self._running is None:
            raise RuntimeError("the server is not running: use `with Server() as server`, or call start()")
        return self._running
