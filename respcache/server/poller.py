"""One wait for everything: sockets of clients, listeners, and the pipes of the shards.

A trio task for each client costs a task switch and two system calls a chunk. Here one task waits, through trio, on one
poll object that holds all descriptors, and calls each ready one back; measured, that is worth a third of the whole
throughput (DESIGN section 6). Callbacks are synchronous and never block. What they enqueue for the shards and for
clients is sent once, at the end of the round.

While clients talk, even one visit to trio's scheduler a round is dear: a single client's command needs two rounds, one
for its bytes and one for the shard's answer, and trio would take longer than both. So after a round the poller waits
for the next one itself, for a moment, and goes back to trio when nothing came, when a callback woke a task
(`yield_soon`), or when trio has not been visited for a while: its timers and signals are late by that much at most.
An idle server waits in trio.
"""

from __future__ import annotations

import select
import selectors
from collections.abc import Callable
from time import monotonic

import trio

from respcache.logs import log_exception
from respcache.spin import Spinner

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

Callback = Callable[[int], None]
# Descriptors with their callbacks, and the events that they are ready for.
Ready = list[tuple[int, Callback, int]]

# How long to wait for the next round outside of trio, and how long to stay away from it altogether, in seconds.
_LINGER = 0.001
_MAX_AWAY = 0.005


# For epoll: what to ask for, by READ | WRITE; and what its answers mean. EPOLLIN is 1, EPOLLOUT 4; errors (8) and
# hang-ups (16) are told as both, whoever waits finds out by trying.
_MASKS = (0, 1, 4, 5)
_EVENTS = tuple((READ if mask & ~4 else 0) | (WRITE if mask & ~1 else 0) for mask in range(32))


class _Epoll:
    """What is used of a selector, straight on Linux' epoll: `selectors` takes longer to tell than the kernel does."""

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
    """Descriptors and who is called when they are ready."""

    def __init__(self) -> None:
        self._descriptors = _Epoll() if hasattr(select, "epoll") else _Portable()
        self._spinner = Spinner()
        self.in_round = False
        self._yielding = False
        # Called when a round begins: look at the clock.
        self.before_round: list[Callable[[], object]] = []
        # Called at the end of each round, in order: send what the round has produced.
        self.after_round: list[Callable[[], None]] = []

    def watch(self, fd: int, events: int, callback: Callback) -> None:
        """From now on call `callback(events)` whenever `fd` is ready for one of `events`. Level triggered.

        Takes the place of what was said about `fd` before; with `events` 0 it is left alone.
        """
        if events:
            self._descriptors.set(fd, events, callback)
        else:
            self._descriptors.remove(fd)

    def forget(self, fd: int) -> None:
        """Leave a descriptor alone, watched or not. Must come before it is closed."""
        self._descriptors.remove(fd)

    def yield_soon(self) -> None:
        """A task was woken: let trio run it after this round."""
        self._yielding = True

    async def run(self) -> None:
        """Serve until cancelled."""
        fd = self._descriptors.fileno()
        try:
            while True:
                await trio.lowlevel.wait_readable(fd)
                self._yielding = False
                back_at = monotonic() + _MAX_AWAY
                while self._round() and not self._yielding and monotonic() < back_at:
                    pass
        finally:
            self._descriptors.close()

    def _round(self) -> bool:
        """Call back whoever is ready; whether anybody was."""
        ready = self._spinner.wait(self._look, self._linger)
        if not ready:
            return False
        self.in_round = True
        for begin in self.before_round:
            begin()
        for fd, callback, events in ready:
            try:
                callback(events)
            except Exception:
                # A bug must not take the other clients down with it.
                log_exception("a descriptor's callback failed")
                self.forget(fd)
        self.in_round = False
        for finish in self.after_round:
            finish()
        return True

    def _look(self) -> Ready | None:
        return self._descriptors.ready(0) or None

    def _linger(self) -> Ready:
        return self._descriptors.ready(_LINGER)
