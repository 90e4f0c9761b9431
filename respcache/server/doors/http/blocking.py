"""``http-blocking-limit``: how long one command of a request may wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import lookup
from respcache.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from respcache.alarms import Alarm
    from respcache.resp.types import Argv
    from respcache.server.clients.client import Client


# Commands that wait, but for nothing in the data, so Redis 7.2 does not count them as blocking.
_WAIT = ("WAIT", "WAITAOF")


class BlockingLimit:
    """Ends the waits of one client while its commands are carried out. Each has the whole time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._alarm: Alarm | None = None  # between `begin` and `end`, if any command may wait

    def begin(self, commands: Iterable[Argv]) -> None:
        """These commands will be carried out."""
        if any(map(_may_wait, commands)):
            self._look_after(self._limit)

    def end(self) -> None:
        """They are answered, or the client is gone."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    @property
    def _limit(self) -> int:
        """In milliseconds; 0: none."""
        return self._client.parts.config.http_blocking_limit * 1000

    def _look_after(self, milliseconds: int) -> None:
        if milliseconds:
            self._alarm = self._client.parts.alarms.after(milliseconds, self._look)

    def _look(self) -> None:
        """A command that has waited for the whole time gives up, as if its own was up. Others may follow it."""
        left = limit = self._limit
        wait = self._client.wait
        if limit and wait is not None and wait.waiting and not wait.over:
            left = min(wait.since + limit - self._client.parts.clock.now_ms(), limit)
            if left <= 0:
                wait.time_out()
                left = limit
        if not self._client.closed:
            self._look_after(left)


def _may_wait(argv: Argv) -> bool:
    try:
        row = lookup(argv)
    except CommandError:
        return False
    return row.blocking or row.name in _WAIT
