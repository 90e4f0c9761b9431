"""The main process' end of one shard: its queue, tied to the pipes of its child process, which is kept running.

`flush` never blocks and cannot be cancelled half-way; a rest that the pipe does not take waits for the poller.

A child that dies is started again. So is one whose answers main cannot handle: an exception in here would leave a
shard that is never read from again, and every client that needs it would hang. The queue is then out of step with the
child, so the child is killed, and what was under way fails.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import trio

from respcache import errors
from respcache.errors import CommandError
from respcache.logs import log, log_exception
from respcache.server.io.poller import READ, WRITE
from respcache.server.shards.process import ShardProcess
from respcache.server.shards.queue import ShardQueue
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.clock import Clock
    from respcache.server.io.poller import Poller
    from respcache.server.shards.queue import Call, Order
    from respcache.shard.wire import Item
    from respcache.store.reports import Report

# Seconds. A shard that ran this long did not fail at start-up; it is restarted without delay.
_LONG_LIFE = 10.0
# Between two attempts to start a shard: this much more each time, up to the longest.
_DELAY, _LONGEST_DELAY = 0.05, 1.0


class ShardLink:
    """One shard, seen from main.

    settings: what the shard's `configure` item holds, asked for at each start.
    on_report: gets each report of the shard, in order with the answers.
    on_death: told the index of a shard that has died.
    """

    def __init__(
        self,
        index: int,
        shards: int,
        databases: int,
        poller: Poller,
        clock: Clock,
        order: Order,
        *,
        settings: Callable[[], dict[str, Any]],
        on_report: Callable[[Report], None],
        on_death: Callable[[int], None],
    ) -> None:
        self.index = index  # which shard it is
        self.queue = ShardQueue(clock, on_report, poller.yield_soon, order)
        self.submit = self.queue.submit  # one call less on the hot path
        self.running = False  # its child was started, and has not ended
        self.restarts = 0  # deaths of a child, after each of which there is a new one
        # Frames sent to all its children and received from them, and their bytes.
        self.frames_sent = self.bytes_sent = 0
        self.frames_received = self.bytes_received = 0
        # When the shard's next key expires, in milliseconds since the epoch; 0 for never. It comes with each answer.
        self.next_deadline = 0
        self.on_deadline: Callable[[], None] = lambda: None  # called when it has changed
        self._shards = shards  # how many there are
        self._databases = databases
        self._poller = poller
        self._settings = settings
        self._on_death = on_death
        self._unsent = memoryview(b"")  # the rest of a frame that the pipe has not taken
        self._process: ShardProcess | None = None  # None before the first start
        self._reader = wire.FrameReader()  # of the child's output
        self._stopping = False  # the end of the child is wanted
        self._ended = trio.Event()  # the child's output has ended

    @property
    def pid(self) -> int:
        """The child's process id; 0 before the first start."""
        return self._process.pid if self._process is not None else 0

    @property
    def size(self) -> int:
        """About how many bytes the shard has not been given yet."""
        return self.queue.size + len(self._unsent)

    def call(self, item: Item, asks: bool = False) -> Call:
        """Pass the queue: for the owner of a barrier, and for what needs no order. The answer is to be awaited."""
        call = self.queue.call(item, asks=asks)
        self.flush()
        return call

    def ask(self, item: Item, *, passing: bool) -> Call:
        """The same in its place in the order, or by `call`, for the owner of a barrier."""
        if passing:
            return self.call(item)
        call = self.queue.submit_call(item)
        self.flush()
        return call

    # -- the pipes

    def flush(self) -> bool:
        """Send what was submitted, as far as the pipe takes it. True if something is left, perhaps after a barrier."""
        while not self._unsent and self._process is not None and self._process.stdin >= 0:
            frame = self.queue.take()
            if frame is None:
                return self.queue.size > 0
            try:
                packed = wire.pack(frame)
            except (ValueError, MemoryError) as error:
                # Larger than a frame can be: values on their way between shards, or the commands of one EXEC.
                log.warning(f"{len(frame[1])} items for shard {self.index} were too large to send: {error!r}")
                self.queue.refuse(len(frame[1]), CommandError(errors.REQUEST_TOO_LARGE))
                continue
            self.frames_sent += 1
            self.bytes_sent += len(packed)
            try:
                self._write(memoryview(packed))
            except Exception:
                self._give_up("could not be written to")
        return True

    def _write(self, data: memoryview) -> None:
        assert self._process is not None
        try:
            while data:
                data = data[os.write(self._process.stdin, data) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            data = memoryview(b"")  # the shard is dying; `supervise` fails the tickets
        self._unsent = data
        if data:
            self._poller.watch(self._process.stdin, WRITE, self._on_writable)

    def _on_writable(self, _events: int) -> None:
        if self._process is None or self._process.stdin < 0:
            return
        self._poller.forget(self._process.stdin)
        try:
            self._write(self._unsent)
        except Exception:
            self._give_up("could not be written to")
        self.flush()

    def _on_readable(self, _events: int) -> None:
        try:
            self._receive()
        except Exception:
            self._give_up("has sent an answer that could not be handled")

    def _give_up(self, reason: str) -> None:
        """The exception being handled leaves main and the child out of step, so the child has to go."""
        log_exception(f"shard {self.index} {reason}: it is killed")
        self._lost()

    def _receive(self) -> None:
        if self._process is None or self._process.stdout < 0:
            return
        try:
            data = os.read(self._process.stdout, self._reader.wanted)
        except BlockingIOError:
            return
        if not data:
            self._lost()
            return
        self.bytes_received += len(data)
        for payload in self._reader.feed(data):
            self.take_answers(*payload)

    def take_answers(self, next_deadline: int, results: list[Any], reports: list[Report]) -> None:
        """The payload of one frame of the shard."""
        self.frames_received += 1
        self.queue.answer(results, reports)
        if next_deadline != self.next_deadline:
            self.next_deadline = next_deadline
            self.on_deadline()

    def drop(self) -> None:
        """Kill the child, for tests: what it was sent and has not answered fails, what is queued waits for the next."""
        if self._process is not None and self._process.stdin >= 0 and not self._stopping:
            log.warning(f"shard {self.index} is killed by a fault")
            self._lost()

    def _lost(self) -> None:
        """The child has ended, or must: nothing more is read from it or sent to it. `supervise` does the rest."""
        assert self._process is not None
        self.running = False
        self._forget_pipes()
        self._process.close_pipes()
        self._process.kill()
        self._ended.set()
        self._poller.yield_soon()

    # -- the child process

    async def supervise(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run the child, and start it again when it dies, until `stop`. Started: when the first child runs.

        Raises OSError if the first child cannot be started. On cancellation the child is left to `stop`.
        """
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
            await self._bury()
            # The first restart is immediate. A shard that dies again and again must not be started in a tight loop.
            await trio.sleep(delay)
            delay = min(_LONGEST_DELAY, delay + _DELAY)
            await self._start_again()

    async def _bury(self) -> None:
        """Collect a child that has ended, and fail the items that it did not answer."""
        assert self._process is not None
        self._forget_pipes()
        code = await self._process.reap()
        self.restarts += 1
        with self._poller.round():
            lost = self.queue.fail_taken()
            try:
                self._on_death(self.index)
            except Exception:  # a bug, which must not end the server
                log_exception(f"the death of shard {self.index} could not be dealt with")
        log.warning(f"shard {self.index} died ({code}); {lost} commands failed; it starts again, empty")

    async def _start_again(self) -> None:
        """Start a new child. While that fails, for want of descriptors or processes perhaps, try again."""
        while True:
            try:
                await self._start()
                return
            except OSError as error:
                log.warning(f"shard {self.index} could not be started: {error.strerror}; trying again")
                await trio.sleep(_LONGEST_DELAY)

    async def _start(self) -> None:
        process = await ShardProcess.start(self.index, self._shards, self._databases)
        self._ended = trio.Event()
        self._reader = wire.FrameReader()
        self._unsent = memoryview(b"")
        self.next_deadline = 0
        self._process = process
        self.running = True
        self._poller.watch(process.stdout, READ, self._on_readable)
        # Its settings come before everything that was queued in the meantime.
        self.queue.begin_with(wire.configure(self._settings()))
        self.flush()

    def _forget_pipes(self) -> None:
        if self._process is not None and self._process.stdin >= 0:
            self._poller.forget(self._process.stdin)
            self._poller.forget(self._process.stdout)

    async def stop(self) -> None:
        """Close the child's input, which ends it, and wait for that. Shielded from cancellation."""
        self._stopping = True
        if self._process is None:
            return
        with trio.CancelScope(shield=True):
            self.flush()
            self._forget_pipes()
            await self._process.reap()

    def tick(self) -> Call:
        """Let the shard expire what is due now, in its place in the order."""
        call = self.queue.submit_call(wire.tick())
        self.flush()
        return call


async def settled(call: Call) -> None:
    """Wait for an answer that is of no interest, or for the death of its shard."""
    try:
        await call.result()
    except CommandError:
        pass  # its death is on the log
