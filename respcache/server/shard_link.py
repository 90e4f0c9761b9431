"""The main process' end of one shard: a queue in, answers out, and the supervision of the child process.

Whatever is submitted takes its place in the queue synchronously. Frames are written by `flush`, which never blocks and
cannot be cancelled half-way; a rest that the pipe does not take waits for the poller. Answers come in the order of the
items, so a deque of tickets is all the correlation there is.

Barriers: `cork` puts one into the queue. When it comes to the front, items behind it are held back, while the owner of
the barrier talks to the shard with `call`; `uncork` lets the queue flow again. The shard knows nothing of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import trio

from respcache import errors
from respcache.errors import CommandError
from respcache.logs import log
from respcache.server.poller import READ, WRITE
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.clock import Clock
    from respcache.server.poller import Poller
    from respcache.shard.wire import Item

_PIPE_SIZE = 1 << 20
_STOP_DEADLINE = 5.0
# A shard that lived for so many seconds did not die of starting.
_LONG_LIFE = 10.0

# What the child runs: the parent's import path, then the shard. -I and -S spare it the site machinery.
_BOOT = (
    "import sys; sys.path[:] = sys.argv.pop(1).split('\\n'); "
    "from respcache.shard.__main__ import main; main(sys.argv[1:])"
)


class Ticket(Protocol):
    """Who gets the answer to one item."""

    def deliver(self, result: Any) -> None:
        """The shard's result, its form as in `respcache.shard.wire`."""

    def fail(self, error: CommandError) -> None:
        """There will be no answer."""


class Barrier:
    """A place in the queues of several shards at once; its owner waits until it has come to the front of all.

    `moment` is when it has (0 before), in milliseconds since the epoch: to all that its owner does the shards give this
    one time, so no key expires in the middle of it.
    """

    __slots__ = ("_missing", "_poller", "_reached", "links", "moment")

    def __init__(self, links: list[ShardLink], poller: Poller) -> None:
        self.links = links
        self.moment = 0
        self._poller = poller
        self._missing = len(links)
        self._reached = trio.Event()
        if not links:
            self._reached.set()
        for link in links:
            link.cork(self)

    def arrive(self, now: int) -> None:
        """One queue has come up to the barrier."""
        self._missing -= 1
        if not self._missing:
            self.moment = now
            self._reached.set()
            self._poller.yield_soon()

    async def reached(self) -> None:
        await self._reached.wait()

    def lift(self) -> None:
        """Let all queues flow again."""
        for link in self.links:
            link.uncork(self)


class Nobody:
    """A ticket for items whose answer nobody waits for."""

    def deliver(self, result: Any) -> None:
        pass

    def fail(self, error: CommandError) -> None:
        pass


NOBODY = Nobody()


class Call:
    """A ticket that a task waits for."""

    __slots__ = ("_done", "_error", "_poller", "_result")

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._done = trio.Event()
        self._result: Any = None
        self._error: CommandError | None = None

    def deliver(self, result: Any) -> None:
        self._result = result
        self._wake()

    def fail(self, error: CommandError) -> None:
        self._error = error
        self._wake()

    def _wake(self) -> None:
        self._done.set()
        self._poller.yield_soon()

    async def result(self) -> Any:
        """Wait for the answer. Raises CommandError when the shard died."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result


class ShardLink:
    """One shard, seen from main.

    `on_events` gets (database, event, key) in order with the answers; `settings` gives what the shard's CONFIGURE item
    takes, at each start; `on_death` is told the index of a shard that died.
    """

    def __init__(
        self,
        index: int,
        shards: int,
        poller: Poller,
        clock: Clock,
        databases: int,
        on_events: Callable[[int, bytes, bytes], None],
        settings: Callable[[], dict[str, Any]],
        on_death: Callable[[int], None],
    ) -> None:
        self.index = index
        self.restarts = 0
        self.pid = 0
        self.next_deadline = 0
        self.active_expiry = True
        self._shards = shards
        self._poller = poller
        self._clock = clock
        self._databases = databases
        self._on_events = on_events
        self._settings = settings
        self._on_death = on_death
        self._items: list[Item] = []  # submitted, not yet in a frame
        self._tickets: deque[Ticket] = deque()  # of frames under way, then of `_items`
        self._backlog: deque[tuple[Item, Ticket] | Barrier] = deque()  # behind a barrier
        self._corked_by: Barrier | None = None
        self._unsent = memoryview(b"")
        self._process: trio.Process | None = None
        self._stdin = self._stdout = -1
        self._reader = wire.FrameReader()
        self._deadline_changed = trio.Event()
        self._stopping = False
        self._ended = trio.Event()

    # -- the queue

    def submit(self, item: Item, ticket: Ticket) -> None:
        """Take the next place in this shard's order."""
        if self._corked_by is None:
            self._items.append(item)
            self._tickets.append(ticket)
        else:
            self._backlog.append((item, ticket))

    @property
    def corked(self) -> bool:
        """Whether what is submitted now waits for a barrier to be lifted."""
        return self._corked_by is not None

    @property
    def queued(self) -> int:
        """Items without an answer."""
        return len(self._tickets) + len(self._backlog)

    def cork(self, barrier: Barrier) -> None:
        """Take the next place with a barrier."""
        if self._corked_by is None:
            self._corked_by = barrier
            barrier.arrive(self._clock.now_ms())
        else:
            self._backlog.append(barrier)

    def uncork(self, barrier: Barrier) -> None:
        """Lift the barrier, wherever in the queue it stands; go on up to the next one."""
        if self._corked_by is not barrier:
            if barrier in self._backlog:
                self._backlog.remove(barrier)
            return
        self._corked_by = None
        while self._backlog:
            entry = self._backlog.popleft()
            if isinstance(entry, Barrier):
                self._corked_by = entry
                entry.arrive(self._clock.now_ms())
                break
            self._items.append(entry[0])
            self._tickets.append(entry[1])
        self.flush()

    def call_soon(self, item: Item) -> Call:
        """For the owner of the barrier (or for what needs no order): pass the queue; the answer to wait for."""
        ticket = Call(self._poller)
        self._items.append(item)
        self._tickets.append(ticket)
        self.flush()
        return ticket

    async def call(self, item: Item) -> Any:
        """`call_soon`, and wait. Raises CommandError when the shard dies over it."""
        return await self.call_soon(item).result()

    # -- the pipes

    def flush(self) -> None:
        """Send what was submitted as one frame, as far as the pipe takes it."""
        if not self._items or self._unsent or self._stdin < 0:
            return
        moment = self._corked_by.moment if self._corked_by is not None else 0
        frame = wire.pack((moment or self._clock.now_ms(), self._items))
        self._items = []
        self._write(memoryview(frame))

    def _write(self, data: memoryview) -> None:
        try:
            while data:
                data = data[os.write(self._stdin, data) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            data = memoryview(b"")  # the shard is dying; its supervisor fails the tickets
        self._unsent = data
        if data:
            self._poller.watch(self._stdin, WRITE, self._on_writable)

    def _on_writable(self, _events: int) -> None:
        self._poller.watch(self._stdin, 0, self._on_writable)
        self._write(self._unsent)
        self.flush()

    def _on_readable(self, _events: int) -> None:
        try:
            data = os.read(self._stdout, self._reader.wanted)
        except BlockingIOError:
            return
        if not data:
            self._poller.forget(self._stdout)
            self._ended.set()
            self._poller.yield_soon()
            return
        for next_deadline, results, events in self._reader.feed(data):
            if events:
                self._deliver_with_events(results, events)
            else:
                popleft = self._tickets.popleft
                for result in results:
                    popleft().deliver(result)
            if next_deadline != self.next_deadline:
                self.next_deadline = next_deadline
                self._deadline_changed.set()

    def _deliver_with_events(self, results: list[Any], events: list[tuple[int, int, bytes, bytes]]) -> None:
        """Events go out before the reply to the command that made them, as in Redis."""
        at = 0
        for index, result in enumerate(results):
            while at < len(events) and events[at][0] == index:
                self._on_events(*events[at][1:])
                at += 1
            self._tickets.popleft().deliver(result)

    # -- time

    def tick_soon(self) -> None:
        """Time was shifted: look at the deadlines again."""
        self._deadline_changed.set()

    async def expire_actively(self, hz: float = 50.0) -> None:
        """Send a tick when the earliest deadline of the shard is over, at most `hz` times a second; else sleep."""
        while True:
            self._deadline_changed = trio.Event()
            if not self.next_deadline or not self.active_expiry:
                await self._deadline_changed.wait()
                continue
            left = (self.next_deadline + 1 - self._clock.now_ms()) / 1000
            if left > 0:
                with trio.move_on_after(left):
                    await self._deadline_changed.wait()
                continue
            await self.tick()
            await trio.sleep(1 / hz)

    async def tick(self) -> None:
        """Let the shard expire what is due now."""
        ticket = Call(self._poller)
        self.submit((wire.TICK,), ticket)
        self.flush()
        try:
            await ticket.result()
        except CommandError:
            pass  # it died; the supervisor has said so

    # -- the child process

    async def supervise(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the child, and start it again when it dies, until `stop`."""
        await self._start()
        task_status.started()
        delay = 0.0
        while True:
            started = trio.current_time()
            await self._ended.wait()
            if self._stopping:
                return
            if trio.current_time() - started > _LONG_LIFE:
                delay = 0.0
            code = await self._reap()
            self.restarts += 1
            lost = self._fail_tickets()
            self._on_death(self.index)
            log.warning(f"shard {self.index} died ({code}); {lost} commands failed; it starts again, empty")
            # A shard that cannot live must not be started in a tight loop; the first restart is immediate.
            await trio.sleep(delay)
            delay = min(1.0, delay + 0.05)
            await self._start()

    async def _start(self) -> None:
        seed = os.environ.get("RESPCACHE_SEED", "")
        command = [sys.executable, "-I", "-S", "-c", _BOOT, "\n".join(os.path.abspath(path) for path in sys.path)]
        command += [str(self.index), str(self._shards), str(self._databases), seed]
        self._process = process = await trio.lowlevel.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self.pid = process.pid
        self._ended = trio.Event()
        self._stdin = process.stdin.fileno()  # type: ignore[attr-defined]  # trio's pipes on POSIX have it
        self._stdout = process.stdout.fileno()  # type: ignore[attr-defined]  # as above
        self._reader = wire.FrameReader()
        self._unsent = memoryview(b"")
        self.next_deadline = 0
        for fd in (self._stdin, self._stdout):
            os.set_blocking(fd, False)
            _widen(fd)
        self._poller.watch(self._stdout, READ, self._on_readable)
        # Its settings come before everything that was queued in the meantime.
        self._items.insert(0, (wire.CONFIGURE, self._settings()))
        self._tickets.appendleft(NOBODY)
        self.flush()

    async def _reap(self) -> int:
        """Collect the child, killing it if it lingers without its pipe; its exit code."""
        assert self._process is not None
        self._close_pipes()
        with trio.move_on_after(_STOP_DEADLINE) as scope:
            await self._process.wait()
        if scope.cancelled_caught:
            self._process.kill()
            await self._process.wait()
        return self._process.returncode or 0

    def _close_pipes(self) -> None:
        assert self._process is not None
        if self._stdin < 0:
            return
        for fd in (self._stdin, self._stdout):
            self._poller.forget(fd)
        self._stdin = self._stdout = -1
        for pipe in (self._process.stdin, self._process.stdout):
            pipe.close()  # type: ignore[union-attr]  # trio's pipes on POSIX are FdStreams, with a synchronous close

    def _fail_tickets(self) -> int:
        """Fail what the shard took with it; what was not sent yet stays for its successor."""
        lost = len(self._tickets) - len(self._items)
        for _ in range(lost):
            self._tickets.popleft().fail(CommandError(errors.SHARD_DIED))
        return lost

    async def stop(self) -> None:
        """Close the child's standard input, upon which it exits, and wait for its end (killed after a deadline)."""
        self._stopping = True
        if self._process is None:
            return
        with trio.CancelScope(shield=True):
            self.flush()
            await self._reap()


def _widen(fd: int) -> None:
    """A larger pipe means fewer wake-ups for large frames; Linux only, and a mere wish there."""
    try:
        import fcntl

        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    except (ImportError, AttributeError, OSError):
        pass
