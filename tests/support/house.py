"""The whole main process without sockets and processes: bytes in, items out, answers in, bytes out.

    async with house(shards=2) as main:
        client = main.connect()
        client.send("RENAME", "a", "b")
        await main.settle()
        assert client.replies() == [...]

Everything is the real thing except what comes from the system: sockets are `FakeSocket`s, the clock has `FakeTime` for
its sources, and a frame for a shard is carried out by a real worker in this process, when the test says so. A test that
cares about the moment takes the steps itself: `turn` (a round of the poller), `tasks`, `work` (a frame of one shard),
or `take` and `answer`, by hand. `settle` does all of it until there is nothing left to do.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from itertools import count
from threading import Semaphore, Thread
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from respcache.clock import Clock
from respcache.config import Config
from respcache.server.clients.client import Client
from respcache.server.doors.http.door import HttpDoor
from respcache.server.io.poller import READ, WRITE, Callback, Poller, Ready
from respcache.server.server import Server
from respcache.server.shards.link import ShardLink
from respcache.shard import wire
from respcache.shard.channel import Frame
from respcache.shard.worker import Worker
from respcache.store.shard import Shard
from tests.support.http import HttpResponse, http_request, http_responses
from tests.support.resp import Closed, Connection, pack

# A house that is not quiet after so many steps never will be.
_FOREVER = 10_000


class FakeTime:
    """What the clock measures by: the system's monotonic clock and its wall clock, in nanoseconds."""

    def __init__(self) -> None:
        self.monotonic = 1_000 * 10**9
        self.wall = 1_700_000_000 * 10**9

    def pass_(self, seconds: float) -> None:
        """Time passes, on both."""
        self.monotonic += round(seconds * 10**9)
        self.wall += round(seconds * 10**9)

    def clock(self) -> Clock:
        return Clock(lambda: self.monotonic, lambda: self.wall)


class FakeSocket:
    """Our end of a connection. `room` is how many bytes the kernel takes until the peer reads; None: any number."""

    family = socket.AF_UNIX

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.room: int | None = None
        self.chunks: deque[bytes] = deque()  # sent by the peer; each is received by itself
        self.ended = False  # the peer has sent its last byte
        self.broken = False  # the peer is gone
        self.sent = bytearray()  # to the peer
        self.writes: list[tuple[bytes, int]] = []  # the same, by call, with the flags
        self.output_ended = False  # we have sent our last byte
        self.closed = False

    def fileno(self) -> int:
        return self.fd

    def setblocking(self, blocking: bool) -> None:
        assert not blocking

    def ready(self) -> int:
        """What epoll would say."""
        readable = self.chunks or self.ended or self.broken
        return (READ if readable else 0) | (WRITE if self.room != 0 or self.broken else 0)

    def recv(self, size: int, flags: int = 0) -> bytes:
        assert not self.closed
        if self.broken:
            raise ConnectionResetError
        if not self.chunks:
            if self.ended:
                return b""
            raise BlockingIOError
        if flags and flags & socket.MSG_PEEK:
            return self.chunks[0][:size]
        data = self.chunks.popleft()
        if len(data) > size:
            self.chunks.appendleft(data[size:])
        return data[:size]

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        assert not self.closed
        assert not self.output_ended
        if self.broken:
            raise BrokenPipeError
        if self.room == 0:
            raise BlockingIOError
        taken = bytes(data[: self.room])
        if self.room is not None:
            self.room -= len(taken)
        self.sent += taken
        self.writes.append((taken, flags))
        return len(taken)

    def shutdown(self, how: int) -> None:
        assert how == socket.SHUT_WR
        assert not self.closed
        assert not self.output_ended
        if self.broken:
            raise BrokenPipeError
        self.output_ended = True

    def close(self) -> None:
        self.closed = True


class FakeDescriptors:
    """What the poller waits for: fake sockets, and nothing that belongs to the system."""

    def __init__(self) -> None:
        self.sockets: dict[int, FakeSocket] = {}
        self.watched: dict[int, tuple[int, Callback]] = {}

    def fileno(self) -> int:
        raise AssertionError("nobody sleeps here")

    def close(self) -> None:
        self.watched.clear()

    def set(self, fd: int, events: int, callback: Callback) -> None:
        self.watched[fd] = (events, callback)

    def remove(self, fd: int) -> None:
        self.watched.pop(fd, None)

    def ready(self, timeout: float) -> Ready:
        assert not timeout
        found: Ready = []
        for fd, (events, callback) in self.watched.items():
            if fd in self.sockets and (now := self.sockets[fd].ready() & events):
                found.append((fd, callback, now))
        return found


class _Coroutine:
    """A function that runs in a thread of its own, but only while somebody waits for it: never two at the same time.

    `resume` lets it go on until it calls `pause`. So plain functions, such as a worker's `ask`, can stop half-way.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._go, self._stop = Semaphore(0), Semaphore(0)
        self._value: Any = None  # that is passed from one side to the other
        self._failure: BaseException | None = None
        self.ended = False
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._function()
        except BaseException as failure:
            self._failure = failure
        self.ended = True
        self._stop.release()

    def resume(self, value: Any = None) -> Any:
        """Let it go on; what it passes to `pause` next. Raises what it raises."""
        self._value = value
        self._go.release()
        self._stop.acquire()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        return self._value

    def pause(self, value: Any) -> Any:
        """Within the function: stop; what it is resumed with."""
        self._value = value
        self._stop.release()
        self._go.acquire()
        return self._value


class InProcessShard:
    """The other end of a link that has no process: takes its frames, and works on them when told to.

    A worker that asks main something stops until main has answered, while everybody else goes on.
    """

    def __init__(self, link: ShardLink, shards: int, poller: Poller) -> None:
        self.link = link
        self._shape = (link.index, shards)
        self._poller = poller
        # Frames that the worker has set aside while it waited for an answer.
        self._put_back: deque[Frame] = deque()
        # Called once, when main has answered what the worker has asked, and the worker does not know it yet.
        self.meanwhile: Callable[[], object] | None = None
        self._begin()

    def _begin(self) -> None:
        index, shards = self._shape
        self.link.running = True
        self.worker = Worker(Shard(seed=1, index=index, shards=shards), self)
        self._life = life = _Coroutine(self._live)
        assert life.resume() is _IDLE

    def _live(self) -> None:
        """As `respcache.shard.__main__` does it."""
        while (frame := self._life.pause(_IDLE)) is not None:
            now, items = frame
            assert now is not None
            for payload in self.worker.answers(now, items):
                self.send(payload)

    # -- the channel of the worker

    def send(self, payload: Any) -> None:
        self._life.pause(payload)

    def receive(self) -> Frame | None:
        frame: Frame | None = self._life.pause(_ASKING)
        return frame

    def poll(self) -> deque[Frame]:
        while (frame := self.link.queue.take()) is not None:
            self._put_back += wire.FrameReader().feed(wire.pack(frame))
        return self._put_back

    def put_back(self, frames: Iterable[Frame]) -> None:
        self._put_back.extendleft(reversed([*frames]))

    # -- what tests do

    def take(self) -> list[wire.Item]:
        """The items of the next frame, to be answered by the test; empty if there is none."""
        frame = self.link.queue.take()
        return [] if frame is None else frame[1]

    def answer(self, *results: Any, reports: Iterable[Any] = ()) -> None:
        """Answer the oldest items that were taken."""
        with self._poller.round():
            self.link.take_answers(self.link.next_deadline, list(results), list(reports))

    def work(self) -> bool:
        """Carry out one frame, by way of the wire format, as far as main has the answers. False if there is none."""
        did = False
        life = self._life
        while (frame := self._next_frame(only_answers=did)) is not None:
            did = True
            said = life.resume(frame)
            while said is not _IDLE and said is not _ASKING:
                for answer in wire.FrameReader().feed(wire.pack(said)):
                    with self._poller.round():
                        self.link.take_answers(*answer)
                said = life.resume()
            if self.meanwhile is not None and said is _ASKING and self.link.queue._reply is not None:
                meanwhile, self.meanwhile = self.meanwhile, None
                meanwhile()
                if self._life is not life:
                    break  # it has died
        return did

    def _next_frame(self, *, only_answers: bool) -> Frame | None:
        if only_answers and self.link.queue._reply is None:
            return None
        if self._put_back and self.link.queue._reply is None:
            return self._put_back.popleft()
        frame = self.link.queue.take()
        if frame is None:
            return None
        (unpacked,) = wire.FrameReader().feed(wire.pack(frame))
        return tuple(unpacked)

    def die(self) -> None:
        """Everything that was taken is lost, and all data; a successor takes the rest."""
        self.end()
        self._put_back.clear()
        self._begin()
        with self._poller.round():
            self.link.restarts += 1
            self.link.queue.fail_taken()
            self.link._on_death(self.link.index)
            self.link.queue.begin_with(wire.configure(self.link._settings()))

    def end(self) -> None:
        """Main has closed the pipe."""
        with suppress(SystemExit):  # in the middle of an `ask`
            self._life.resume(None)
        assert self._life.ended


_IDLE, _ASKING = object(), object()  # what a worker waits for: more to do, or an answer


class _Replies(Connection):
    """The decoder of `tests.support.resp` on bytes instead of a socket."""

    def __init__(self, data: bytes) -> None:
        self._file = BytesIO(data)  # type: ignore[assignment]  # as good as what a socket makes


class Peer:
    """The client's side of one connection."""

    def __init__(self, sock: FakeSocket, client: Client) -> None:
        self.socket = sock
        self.client = client

    def send(self, *words: Any) -> None:
        self.send_raw(pack(words))

    def send_raw(self, *chunks: bytes) -> None:
        """Each chunk is received in a round of its own."""
        self.socket.chunks.extend(filter(None, chunks))

    def end(self) -> None:
        """Half-close: nothing more will be sent."""
        self.socket.ended = True

    def break_(self) -> None:
        """The connection is gone, as the server finds out when it next uses it."""
        self.socket.broken = True

    def stop_reading(self) -> None:
        self.socket.room = 0

    def read(self, size: int | None = None) -> None:
        """Read again: so many bytes more, or all from now on."""
        self.socket.room = size

    @property
    def closed(self) -> bool:
        """True if the server has hung up."""
        return self.socket.closed

    def received(self) -> bytes:
        """What has come since this was asked before."""
        data = bytes(self.socket.sent)
        self.socket.sent.clear()
        return data

    def replies(self) -> list[Any]:
        """The same as values. A reply that is not complete is an error."""
        data = self.received()
        source = _Replies(data)
        values = []
        while source._file.tell() < len(data):
            try:
                values.append(source.read())
            except Closed:
                raise AssertionError(f"not a whole number of replies: {data!r}") from None
        return values


class HttpPeer(Peer):
    """The client's side of a connection to the HTTP door."""

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> None:
        """Send a request; a body that is no bytes as JSON. In the names of headers, underscores stand for dashes."""
        self.send_raw(http_request(method, target, body, **headers))

    def post(self, *rows: Any, to: str = "/", **headers: str) -> None:
        """One command, or with `to` several of them."""
        self.ask("POST", to, list(rows), **headers)

    def responses(self, *, heads: int = 0) -> list[HttpResponse]:
        """What has come, as whole responses. `heads`: so many of them, the first ones, answer HEAD."""
        return http_responses(self.received(), heads=heads)

    def response(self) -> HttpResponse:
        """The only one."""
        (response,) = self.responses()
        return response


class House:
    """Clients, main and shards. `server` and `parts` are the real ones."""

    def __init__(self, tasks: trio.Nursery, shards: int, **settings: str) -> None:
        config = Config()
        for name, value in {"shards": str(shards), "enable-debug-command": "yes", **settings}.items():
            config.put(name.replace("_", "-"), value.split())
        self.time = FakeTime()
        self.descriptors = FakeDescriptors()
        self.poller = Poller(self.descriptors)
        self.server = Server(config, self.poller, self.time.clock())
        self.server.tasks = tasks
        self.parts = self.server.parts
        self.shards = [InProcessShard(link, shards, self.poller) for link in self.server.links]
        for shard in self.shards:
            shard.link.queue.begin_with(wire.configure(config.shard_values()))
            shard.work()
        self._fds = count(1_000_000)
        self._http: HttpDoor | None = None  # once there is a client for it

    def socket(self) -> FakeSocket:
        """One more connected socket."""
        sock = FakeSocket(next(self._fds))
        self.descriptors.sockets[sock.fd] = sock
        return sock

    def connect(self) -> Peer:
        sock = self.socket()
        self.server.accept(sock, "127.0.0.1:50000", "127.0.0.1:6379")  # type: ignore[arg-type]  # a fake
        return Peer(sock, self.server.registry.all()[-1])

    def knock_at_http(self, peer: str = "127.0.0.1:50000") -> FakeSocket:
        """Somebody connects to the HTTP door, and is let in or not."""
        if self._http is None:
            self._http = HttpDoor(self.parts)
        sock = self.socket()
        self._http.accept(sock, peer, "127.0.0.1:8079")  # type: ignore[arg-type]  # a fake
        return sock

    def connect_http(self, peer: str = "127.0.0.1:50000") -> HttpPeer:
        """A client of the HTTP door."""
        sock = self.knock_at_http(peer)
        return HttpPeer(sock, self.server.registry.all()[-1])

    def turn(self) -> bool:
        """One round of the poller. False if there was nothing to do."""
        return self.poller.turn()

    async def tasks(self) -> None:
        """Let commands that await something go on as far as they can."""
        await wait_all_tasks_blocked()

    async def settle(self) -> None:
        """Until nobody has anything to do."""
        for _ in range(_FOREVER):
            await self.tasks()
            busy = self.turn()
            for shard in self.shards:
                busy |= shard.work()
            if not busy:
                return
        raise AssertionError("it goes on for ever")

    async def advance(self, milliseconds: int) -> None:
        """Let time pass; alarms fire."""
        self.time.pass_(milliseconds / 1000)
        with self.poller.round():
            self.parts.alarms.fire()
        await self.settle()

    def next_alarm(self) -> int | None:
        """When the next alarm is due; None if there is none. INFO's sampler, which traffic keeps awake, is left out."""
        waiting = [
            alarm.deadline
            for _, _, alarm in self.parts.alarms._heap
            if alarm.callback is not None and getattr(alarm.callback, "__self__", None) is not self.parts.rates
        ]
        return min(waiting, default=None)


@asynccontextmanager
async def house(shards: int = 1, **settings: str) -> AsyncIterator[House]:
    """A main process with its shards; `settings` are directives, with underscores."""
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        main = House(nursery, shards, **settings)
        try:
            yield main
        except Exception as error:
            failure = error  # of the test: it should be seen as it is, in no group
        nursery.cancel_scope.cancel()
        for shard in main.shards:
            shard.end()
    main.poller.close()
    if failure is not None:
        raise failure
