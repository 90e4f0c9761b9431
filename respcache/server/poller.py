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

import selectors
from time import monotonic
from typing import TYPE_CHECKING

import trio

from respcache.logs import log_exception
from respcache.spin import Spinner

if TYPE_CHECKING:
    from collections.abc import Callable

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

# How long to wait for the next round outside of trio, and how long to stay away from it altogether, in seconds.
_LINGER = 0.001
_MAX_AWAY = 0.005


class Poller:
    """Descriptors and who is called when they are ready."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._spinner = Spinner()
        self.in_round = False
        self._yielding = False
        # Called when a round begins: look at the clock.
        self.before_round: list[Callable[[], object]] = []
        # Called at the end of each round, in order: send what the round has produced.
        self.after_round: list[Callable[[], None]] = []

    def register(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback(events)` whenever `fd` is ready for one of `events`. Level triggered."""
        self._selector.register(fd, events, callback)

    def modify(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Change what to wait for; 0 pauses the descriptor, which stays known."""
        try:
            known = self._selector.get_key(fd)
        except KeyError:
            if events:
                self._selector.register(fd, events, callback)
            return
        if not events:
            self._selector.unregister(fd)
        elif known.events != events:
            self._selector.modify(fd, events, callback)

    def unregister(self, fd: int) -> None:
        """Forget a descriptor, known or not. Must come before it is closed."""
        try:
            self._selector.unregister(fd)
        except KeyError:
            pass

    def yield_soon(self) -> None:
        """A task was woken: let trio run it after this round."""
        self._yielding = True

    async def run(self) -> None:
        """Serve until cancelled."""
        fd = self._selector.fileno()
        try:
            while True:
                await trio.lowlevel.wait_readable(fd)
                self._yielding = False
                back_at = monotonic() + _MAX_AWAY
                while self._round() and not self._yielding and monotonic() < back_at:
                    pass
        finally:
            self._selector.close()

    def _round(self) -> bool:
        """Call back whoever is ready; whether anybody was."""
        ready = self._spinner.wait(self._look, self._linger)
        if not ready:
            return False
        self.in_round = True
        for begin in self.before_round:
            begin()
        for key, events in ready:
            try:
                key.data(events)
            except Exception:
                # A bug must not take the other clients down with it.
                log_exception("a descriptor's callback failed")
                self.unregister(key.fd)
        self.in_round = False
        for finish in self.after_round:
            finish()
        return True

    def _look(self) -> list[tuple[selectors.SelectorKey, int]] | None:
        return self._selector.select(0) or None

    def _linger(self) -> list[tuple[selectors.SelectorKey, int]]:
        return self._selector.select(_LINGER)
