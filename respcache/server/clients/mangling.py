"""What faults do to replies and messages on their way out: taps, which see what is sent at the moment it is sent.

Each of them is also what its fault holds up (`Holder`): it is done with when the fault is deleted, and what was held
back is sent then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.server.clients.client import IN_FAULT

if TYPE_CHECKING:
    from respcache.alarms import Alarm
    from respcache.server.clients.client import Client
    from respcache.server.order.outbox import Batch
    from respcache.server.services.faults import Fault


class Replaced:
    """Something else is sent."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def output(self, data: bytes, complete: bool) -> bytes:  # noqa: ARG002 - a Tap is given it
        """See `Tap`."""
        return self._data if complete else b""


class Cut:
    """So many bytes are sent, then the connection is closed.

    suspend: the client's next commands are not carried out meanwhile.
    """

    def __init__(self, client: Client, fault: Fault, size: int, *, suspend: bool = False) -> None:
        self._client = client
        self.fault = fault
        self._left = size
        self._disarmed = False
        if suspend:
            client.suspend(IN_FAULT)
        client.parts.faults.hold(client, self)

    def output(self, data: bytes, complete: bool) -> bytes:
        """See `Tap`."""
        if self._disarmed:
            return data
        data = data[: self._left]
        self._left -= len(data)
        if complete or not self._left:
            self._client.parts.faults.let_go(self._client, self)
            self._client.finish()
            self._client.outbox.drop()
        return data

    def release(self) -> None:
        """See `Holder`."""
        self.cancel()
        self._client.parts.faults.let_go(self._client, self)
        self._client.resume(IN_FAULT)

    def cancel(self) -> None:
        """See `Holder`."""
        self._disarmed = True


class _Holding:
    """Holds data back in a slot of its own, before everything that is sent later; until `release`, at the latest."""

    def __init__(self, client: Client, fault: Fault) -> None:
        self._client = client
        self.fault = fault
        self._data = b""  # that is to be sent, and how much of it was
        self._at = 0
        self._slot: Batch | None = None  # while data is held back
        # When something is to be sent. It keeps the deadline: alarms follow a clock that is set back.
        self._alarm: Alarm | None = None
        self._released = fault.deleted
        client.parts.faults.hold(client, self)

    def _hold(self) -> None:
        """Hold back what is there."""
        self._slot = self._client.outbox.hold_back(len(self._data) - self._at)

    def _take(self, size: int) -> bytes:
        begin = self._at
        self._at += size
        return self._data[begin : self._at]

    def release(self) -> None:
        """See `Holder`: send the rest, and nothing is held back any more."""
        self.cancel()
        self._released = True
        self._client.parts.faults.let_go(self._client, self)
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.data += self._take(len(self._data))
            self._data = b""
            slot.arrived()

    def cancel(self) -> None:
        """See `Holder`."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None


class Late(_Holding):
    """Everything is sent some time after this was made."""

    def __init__(self, client: Client, fault: Fault) -> None:
        super().__init__(client, fault)
        self._alarm = client.parts.alarms.after(fault.action.milliseconds, self.release)

    def output(self, data: bytes, complete: bool) -> bytes:
        """See `Tap`."""
        self._data += data
        if self._released:
            data, self._data = self._data, b""
            return data
        if complete:
            self._hold()
        return b""


class Dribble(_Holding):
    """A few bytes at a time are sent, the first ones at once."""

    def output(self, data: bytes, complete: bool) -> bytes:
        """See `Tap`."""
        self._data += data
        if not complete:
            return b""
        action = self.fault.action
        first = self._take(len(self._data) if self._released else action.number)
        if self._at < len(self._data):
            self._hold()
            self._alarm = self._client.parts.alarms.after(action.milliseconds, self._on_time)
        else:
            self.release()
        return first

    def _on_time(self) -> None:
        """Send what is due by now: time may have made a jump."""
        action = self.fault.action
        assert self._slot is not None
        assert self._alarm is not None
        late = self._client.parts.clock.now_ms() - self._alarm.deadline
        portions = 1 + max(0, late) // action.milliseconds
        if portions * action.number >= len(self._data) - self._at:
            self.release()
            return
        self._slot.data += self._take(portions * action.number)
        self._client.outbox.ready()
        deadline = self._alarm.deadline + portions * action.milliseconds
        self._alarm = self._client.parts.alarms.at(deadline, self._on_time)


class Silence:
    """Nothing is sent from here on."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def output(self, data: bytes, complete: bool) -> bytes:  # noqa: ARG002 - a Tap is given it
        """See `Tap`."""
        if complete and not self._client.closed:
            self._client.outbox.hold_back()  # for ever
        return b""


class Silenced:
    """The client itself is what the fault holds up: it cannot go on where it was."""

    def __init__(self, client: Client, fault: Fault) -> None:
        self._client = client
        self.fault = fault

    def release(self) -> None:
        """The connection is closed."""
        self._client.close()

    def cancel(self) -> None:
        """Nothing is left to do."""
