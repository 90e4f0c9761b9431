"""Disconnects clients that have said nothing for ``timeout`` seconds. While that is 0, this does nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.alarms import Alarm
    from respcache.server.parts import Parts

# Redis, too, looks about once a second.
_INTERVAL = 1000


class IdleClients:
    """Looks at all clients from time to time."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._alarm: Alarm | None = None
        parts.config.on_change("timeout", self.look)
        self.look()

    def look(self) -> None:
        """Disconnect those that are silent for too long. Who listens may be, and who waits for an answer."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        seconds = self._parts.config.timeout
        if not seconds:
            return
        self._alarm = self._parts.alarms.after(_INTERVAL, self.look)
        limit = self._parts.clock.now_ms() - seconds * 1000
        for client in self._parts.registry.all():
            waits = client.outbox.slots or client.blocked or client in client.namespace.pause.held
            listens = client.monitoring or len(client.subscriptions)
            if client.last_active < limit and not waits and not listens:
                client.close()
