"""CLIENT PAUSE: until when commands are held back, and who waits for the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.alarms import Alarm, Alarms


class Held(Protocol):
    """A client whose next command waits for the end of a pause."""

    def end_of_pause(self) -> None:
        """Go on."""


class Pause:
    """`on_change`: called when a pause begins, ends, or becomes a stricter one."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self.only_writes = False  # commands that only read go on
        self.held: dict[Held, None] = {}  # in the order in which they came
        self.on_change: list[Callable[[], None]] = []
        # The end of the pause; None when there is no pause. Only it knows when that is: the clock may be set.
        self._alarm: Alarm | None = None

    @property
    def active(self) -> bool:
        return self._alarm is not None

    def begin(self, until: int, only_writes: bool) -> None:
        """Hold commands back until a time in milliseconds; a pause under way can only become longer and stricter."""
        self.only_writes = only_writes and (self.only_writes or not self.active)
        if self._alarm is not None:
            until = max(until, self._alarm.deadline)
        self._stop_alarm()
        self._alarm = self._alarms.at(until, self.end)
        self._changed()

    def end(self) -> None:
        """Let all held clients go, in the order in which they came."""
        self._stop_alarm()
        self.only_writes = False
        self._changed()
        held, self.held = self.held, {}
        for client in held:
            client.end_of_pause()

    def hold(self, client: Held) -> None:
        """This client waits for the end of the pause."""
        self.held[client] = None

    def forget(self, client: Held) -> None:
        """This client has left."""
        self.held.pop(client, None)

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _changed(self) -> None:
        for listener in self.on_change:
            listener()
