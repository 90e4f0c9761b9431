"""``client-output-buffer-limit``: a client that leaves too many replies unread is cut off.

At once over the hard limit; over the soft one when it has been over it for the configured time, whether anything is
sent to it meanwhile or not. The limits are those of its class; 0 is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.logs import log

if TYPE_CHECKING:
    from respcache.alarms import Alarm
    from respcache.server.clients.client import Client


def class_of(client: Client) -> str:
    """What CLIENT LIST TYPE, CLIENT KILL TYPE and the output limits go by."""
    return "pubsub" if len(client.subscriptions) else "normal"


class OutputLimit:
    """Watches what one client leaves unread."""

    __slots__ = ("_alarm", "_client")

    def __init__(self, client: Client) -> None:
        self._client = client
        self._alarm: Alarm | None = None  # set while the client is over the soft limit

    def look(self, unsent: int) -> None:
        """`unsent` bytes wait for the client. May close it."""
        parts = self._client.parts
        hard, soft, seconds = parts.config.client_output_buffer_limit[class_of(self._client)]
        if hard and unsent > hard:
            self._cut_off()
        elif not soft or unsent <= soft:
            self.forget()
        elif self._alarm is None:
            self._alarm = parts.alarms.after(seconds * 1000, self._cut_off)

    def forget(self) -> None:
        """The client is below its limits, or gone."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _cut_off(self) -> None:
        self.forget()
        client = self._client
        message = f"Client id={client.id} addr={client.transport.peer} closed: it leaves too many replies unread"
        log.warning(message, kind="output limit")
        client.parts.stats.output_limit_disconnections += 1
        client.close()
