"""Disconnects clients that have said nothing for ``timeout`` seconds. While that is 0, this sleeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from respcache.server.server import Server


class IdleClients:
    """`run` is its task; `check` looks at once, which is for when time was shifted."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._configured = trio.Event()
        server.config.on_change("timeout", lambda: self._configured.set())

    async def run(self) -> None:
        while True:
            self._configured = trio.Event()
            if not self._server.config.timeout:
                await self._configured.wait()
            self.check()
            # Redis, too, looks about once a second.
            with trio.move_on_after(1):
                await self._configured.wait()

    def check(self) -> None:
        """Disconnect who has been silent for too long. A subscriber has every right to be."""
        seconds = self._server.config.timeout
        if not seconds:
            return
        limit = self._server.clock.now_ms() - seconds * 1000
        for session in self._server.clients.all():
            if session.last_active < limit and not session.subscriptions and not session.outbox.slots:
                session.close()
