"""One wait for everything: sockets of clients, listeners, and the pipes of the shards.

A trio task per client costs a task switch and two system calls per chunk. Here one task waits, through trio, on one
poll object that holds all descriptors, and calls each ready one back; measured, that is worth a third of the whole
throughput (docs/concepts/architecture.md). Callbacks are synchronous and never block.

What callbacks queue for shards and clients is sent once, at the end of the *round*. The same rule holds for everything
else in main that may produce output, such as tasks and alarms: they do it within `with poller.round():`. So nothing is
ever sent half-way through an action.

While clients talk, even one visit to trio's scheduler per round is expensive: a single client's command needs two
rounds, one for its bytes and one for the shard's answer, and trio would take longer than both. So after a round the
poller itself waits a moment for the next one, and returns to trio when nothing came, when a callback woke a task
(`yield_soon`), or when trio has not run for a while: its timers and signals are late by that much at most. An idle
server waits in trio.
"""

from __future__ import annotations

import os
import select
import selectors
from collections.abc import Callable
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import trio

from respcache.logs import log_exception
from respcache.spin import Spinner

if TYPE_CHECKING:
    from collections.abc import Iterator

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

Callback = Callable[[int], None]
# Descriptors with their callbacks, and the events that they are ready for.
Ready = list[tuple[int, Callback, int]]

# How long to wait for the next round outside of trio, and how long to stay away from it altogether, in seconds.
_LINGER = 0.001
_MAX_AWAY = 0.005


# For epoll: what to ask for, by READ | WRITE; and what its answers mean. EPOLLIN is 1, EPOLLOUT 4; errors (8) and
# hang-ups (16) are reported as both, and the callback finds out by trying.
_MASKS = (0, 1, 4, 5)
_EVENTS = tuple((READ if mask & ~4 else 0) | (WRITE if mask & ~1 else 0) for mask in range(32))


class Descriptors(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """A descriptor that is readable while `ready` has something to tell."""

    def set(self, fd: int, events: int, callback: Callback) -> None:
        """Watch `fd` for READ | WRITE, or for something else than before."""

    def remove(self, fd: int) -> None:
        """Forget `fd`, watched or not."""

    def ready(self, timeout: float) -> Ready:
        """What is ready, or becomes ready within `timeout` seconds."""

    def close(self) -> None:
        """Give back what the system holds for this."""


class _Epoll:
    """The part of a selector that is needed, directly on Linux' epoll: `selectors` adds more time than the kernel."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self.fileno = self._epoll.fileno
        self.close = self._epoll.close

    def set(self, fd: int, events: int, callback: Callback) -> None:
        if fd in self._callbacks:
            self._epoll.modify(fd, _MASKS[events])
        else:
            self._epoll.register(fd, _MASKS[events])
        self._callbacks[fd] = callback

    def remove(self, fd: int) -> None:
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def ready(self, timeout: float) -> Ready:
        events, callbacks = _EVENTS, self._callbacks
        return [(fd, callbacks[fd], events[mask]) for fd, mask in self._epoll.poll(timeout)]


class _Portable:
    """The same for other systems."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self.fileno = self._selector.fileno  # kqueue has one
        self.close = self._selector.close

    def set(self, fd: int, events: int, callback: Callback) -> None:
        try:
            self._selector.modify(fd, events, callback)
        except KeyError:
            self._selector.register(fd, events, callback)

    def remove(self, fd: int) -> None:
        try:
            self._selector.unregister(fd)
        except KeyError:
            pass

    def ready(self, timeout: float) -> Ready:
        return [(key.fd, key.data, events) for key, events in self._selector.select(timeout)]


class Poller:
    """Descriptors, and what to call when they are ready. By default they are those of the system."""

    def __init__(self, descriptors: Descriptors | None = None) -> None:
        self._descriptors = descriptors or (_Epoll() if hasattr(select, "epoll") else _Portable())
        # Looks for the next round a few times before the poller waits for it.
        self._spinner = Spinner()
        # True from the first callback of a round to the end of `after_round`.
        self.in_round = False
        self.rounds = 0  # that have ended; CONFIG RESETSTAT sets it back
        # A task was woken, so trio must run after this round.
        self._yielding = False
        # What the next round begins with; it comes at once if there is anything.
        self._next: list[Callable[[], object]] = []
        # Written to when `run` sleeps in trio but has something to do. Both ends are the poller's own.
        self._wake_reader, self._wake_writer = os.pipe()
        for fd in (self._wake_reader, self._wake_writer):
            os.set_blocking(fd, False)
        self.watch(self._wake_reader, READ, self._on_woken)
        # True while `run` sleeps in trio.
        self._asleep = False
        # Called when a round begins: look at the clock.
        self.before_round: list[Callable[[], object]] = []
        # Called at the end of each round, in order: send what the round has produced. An exception is contained.
        self.after_round: list[Callable[[], object]] = []

    def watch(self, fd: int, events: int, callback: Callback) -> None:
        """From now on call `callback(events)` whenever `fd` is ready for one of `events`. Level triggered.

        Replaces an earlier watch of `fd`; `events` 0 ends it. An exception in a callback is logged, and its descriptor
        forgotten: a callback that owns more than its descriptor handles its own errors.
        """
        if events:
            self._descriptors.set(fd, events, callback)
        else:
            self._descriptors.remove(fd)

    def forget(self, fd: int) -> None:
        """Leave a descriptor alone, watched or not. Must be called before it is closed."""
        self._descriptors.remove(fd)

    def yield_soon(self) -> None:
        """A task was woken: let trio run it after this round."""
        self._yielding = True

    def next_round(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called at the beginning of the next round, which comes at once."""
        self._next.append(callback)
        if self._asleep:
            self._asleep = False
            os.write(self._wake_writer, b"!")

    @contextmanager
    def round(self) -> Iterator[None]:
        """What is done in this block is sent at its end. For tasks and alarms; within a round it changes nothing."""
        if self.in_round:
            yield
            return
        self.in_round = True
        try:
            yield
        finally:
            self._end_round()

    async def run(self) -> None:
        """Serve until cancelled, then close. Exceptions of callbacks are logged, so none ends this."""
        fd = self._descriptors.fileno()
        try:
            while True:
                if self._next:
                    await trio.lowlevel.checkpoint()
                else:
                    self._asleep = True
                    await trio.lowlevel.wait_readable(fd)
                    self._asleep = False
                self._yielding = False
                back_at = monotonic() + _MAX_AWAY
                while self.turn(linger=True) and not self._yielding and monotonic() < back_at:
                    pass
        finally:
            self.close()

    def close(self) -> None:
        """Give back the poller's own descriptors. Those that it watches belong to others."""
        self._descriptors.close()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def turn(self, *, linger: bool = False) -> bool:
        """One round: call back what is ready; with `linger`, wait a moment for it. False if there was nothing to do."""
        ready = self._spinner.wait(self._look, self._linger) if linger and not self._next else self._look()
        if not ready and not self._next:
            return False
        self.in_round = True
        for begin in self.before_round:
            begin()
        if self._next:
            waiting, self._next = self._next, []
            for action in waiting:
                _contained(action)
        for fd, callback, events in ready or ():
            try:
                callback(events)
            except Exception:
                log_exception("a descriptor's callback failed")
                self.forget(fd)
        self._end_round()
        return True

    def _end_round(self) -> None:
        self.rounds += 1
        for finish in self.after_round:
            try:
                finish()
            except Exception:
                log_exception("the end of a round failed")
        self.in_round = False

    def _look(self) -> Ready | None:
        return self._descriptors.ready(0) or None

    def _linger(self) -> Ready:
        return self._descriptors.ready(_LINGER)

    def _on_woken(self, _events: int) -> None:
        os.read(self._wake_reader, 64)


def _contained(action: Callable[[], object]) -> None:
    try:
        action()
    except Exception:
        log_exception("an action of the poller's round failed")
