"""What main owes a client, on its way out: slots in the order of the commands, sent as far as they are filled.

A slot is a `Batch`, which shards fill in any order. Nothing is sent before the end of the poller's round, so all that a
client gets out of a round is one write.

The outbox also measures how many commands of this client may be under way (`window`): as many as their replies, by the
size of the latest ones, fill `_BUDGET`. So a pipeline of small GETs is limited by ``client-max-unanswered`` alone, and
one of large values does not pile up gigabytes in main.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from respcache.logs import log_exception

if TYPE_CHECKING:
    from collections.abc import Callable

    from respcache.server.services.interception import Tap

# What a handler of main returns when its reply is in a slot already, or when there is none to send.
IN_A_SLOT = object()

# Bytes of replies that commands under way may ask for.
_BUDGET = 16 << 20
# How many commands a new client may have under way, until the size of its replies is known.
_FIRST_WINDOW = 128
# Batches below this size say nothing about a limit.
_LARGE = 1 << 16


class Batch:
    """The replies of some consecutive commands of a client, in the client's outbox from the moment this is made."""

    __slots__ = ("count", "data", "missing", "muted", "outbox", "sent", "taps")

    def __init__(self, outbox: Outbox, count: int, missing: int, data: bytes = b"") -> None:
        self.outbox = outbox
        self.count = count  # commands
        self.missing = missing  # answers still to come
        self.data = data  # replies, joined: all of them, or what has come of them and was not sent yet
        self.sent = 0  # bytes of replies that were sent before the batch was complete
        self.muted = False  # CLIENT REPLY OFF: answered, but not sent
        self.taps: tuple[Tap, ...] = ()  # those who look at the reply
        outbox.expect(self)

    def arrived(self) -> None:
        """One of the missing answers is in."""
        self.missing -= 1
        if not self.missing:
            self.outbox.ready()

    def output(self) -> bytes:
        """What to send. To be called once, when nothing is missing."""
        data = b"" if self.muted else self.data
        if self.taps:
            for tap in self.taps:
                data = tap.output(data, True)
        return data

    def early_output(self) -> bytes:
        """What may be sent while something is missing, when all that came before was sent."""
        data, self.data = self.data, b""
        self.sent += len(data)
        data = b"" if self.muted else data
        for tap in self.taps:
            data = tap.output(data, False)
        return data


class _Pushed(Batch):
    """Out-of-band data that waits for the replies before it, or that is held back."""

    __slots__ = ("size",)

    def __init__(self, outbox: Outbox, missing: int, data: bytes, size: int) -> None:
        super().__init__(outbox, 0, missing, data)
        self.size = size  # bytes that are kept for it
        outbox.pushed += size


class _Relayed(_Pushed):
    """Out-of-band data for another client, whose time has come when the replies before it were sent to this one."""

    __slots__ = ("_send",)

    def __init__(self, outbox: Outbox, send: Callable[[], None], size: int) -> None:
        super().__init__(outbox, 0, b"", size)
        self._send = send

    def output(self) -> bytes:
        self._send()
        return b""


class Sink(Protocol):
    """Where replies go."""

    @property
    def closed(self) -> bool:
        """True once nothing can be sent any more."""

    def send(self, data: bytes) -> None:
        """Send bytes, or keep them until the client takes them."""

    def waits(self) -> None:
        """Out-of-band data waits for replies before it: that may be too much."""

    def flushed(self) -> None:
        """Replies were sent: that may have been the last one, or there may be room for more commands."""

    def close(self) -> None:
        """Hang up at once."""


class _Nowhere:
    @property
    def closed(self) -> bool:
        return True

    def send(self, data: bytes) -> None:
        pass

    def waits(self) -> None:
        pass

    def flushed(self) -> None:
        pass

    def close(self) -> None:
        pass


_NOWHERE = _Nowhere()


class Sent(Protocol):
    """Counts what all clients are sent."""

    bytes_out: int
    writes: int


class Outboxes:
    """Those that have something to send at the end of the round. What they send is added to `sent`."""

    def __init__(self, sent: Sent) -> None:
        self.sent = sent
        self.ready: list[Outbox] = []  # each once, in the order in which they became ready

    def flush(self) -> None:
        """Send what is complete. What flushing makes ready (a client goes on) is sent as well.

        A client whose outbox fails is cut off; the others get what is theirs.
        """
        while self.ready:
            outboxes, self.ready = self.ready, []
            for outbox in outboxes:
                try:
                    outbox.flush()
                except Exception:
                    log_exception("replies could not be sent")
                    outbox.break_off()


class Outbox:
    """The replies of one client."""

    __slots__ = ("_flush_due", "_limit", "_outboxes", "_sink", "pushed", "slots", "unanswered", "window")

    def __init__(self, sink: Sink, outboxes: Outboxes, limit: int) -> None:
        """`limit` is the largest window."""
        self.slots: deque[Batch] = deque()
        self.unanswered = 0  # commands in `slots`
        self.pushed = 0  # bytes of out-of-band data that wait there for replies before them
        self.window = min(_FIRST_WINDOW, limit)  # commands that may be under way
        self._limit = limit  # of the window
        self._sink: Sink = sink
        self._outboxes = outboxes
        self._flush_due = False  # it is in `outboxes.ready`

    def expect(self, batch: Batch) -> None:
        """Take the next slot for replies that come now or later."""
        self.slots.append(batch)
        self.unanswered += batch.count

    def withdraw(self, batch: Batch) -> None:
        """Take back a slot without an answer: what comes after it does not wait for it. `expect` gives a new one."""
        self.slots.remove(batch)
        self.unanswered -= batch.count
        self.ready()

    def hold_back(self, size: int = 0) -> Batch:
        """A slot before all others, for data that comes later: what is behind it waits until it has `arrived`.

        `size`: how many bytes are kept for it.
        """
        batch = _Pushed(self, 1, b"", size)
        self.slots.rotate(1)
        return batch

    def push(self, data: bytes, taps: tuple[Tap, ...] = ()) -> None:
        """Send out-of-band data: after the replies that are under way, as things happened in that order."""
        if self.slots or taps:
            _Pushed(self, 0, data, len(data)).taps = taps
            self.ready()
            self._sink.waits()
        else:
            self._send(data)

    def relay(self, send: Callable[[], None], size: int) -> None:
        """Call `send` when the replies that are under way were sent. It keeps so many bytes until then."""
        if self.slots:
            _Relayed(self, send, size)
            self.ready()
            self._sink.waits()
        else:
            send()

    def push_after(self, batch: Batch, data: bytes, taps: tuple[Tap, ...] = ()) -> None:
        """Send out-of-band data after the replies of a batch, and what was put there before."""
        slots = self.slots
        if batch not in slots:  # its client has gone, or it is on its way already
            self.push(data, taps)
            return
        at = slots.index(batch) + 1
        while at < len(slots) and isinstance(slots[at], _Pushed):
            at += 1
        pushed = _Pushed(self, 0, data, len(data))
        pushed.taps = taps
        slots.pop()  # where it has put itself
        slots.insert(at, pushed)
        self.ready()
        self._sink.waits()

    def hold(self, data: bytes) -> Callable[[], None]:
        """Hold bytes back, and what comes after them, until the function that this returns is called: once."""
        batch = self.hold_back(len(data))

        def release() -> None:
            batch.data = data
            batch.arrived()

        return release

    def ready(self) -> None:
        """Some batch is complete, or a part of one: send what can be sent at the end of this round."""
        if not self._flush_due:
            self._flush_due = True
            self._outboxes.ready.append(self)

    def flush(self) -> None:
        """Send the replies of all batches that are complete, up to the first that is not."""
        self._flush_due = False
        slots = self.slots
        if self._sink.closed:
            self.close()
            return
        if slots and not slots[0].missing:
            data = self._take()
            if slots and not slots[0].missing:
                pieces = [data]
                while slots and not slots[0].missing:
                    pieces.append(self._take())
                data = b"".join(pieces)
            self._send(data)
        if slots and slots[0].data and slots[0].missing:
            self._send(slots[0].early_output())
        self._sink.flushed()

    def _take(self) -> bytes:
        batch = self.slots.popleft()
        self.unanswered -= batch.count
        if not batch.count and isinstance(batch, _Pushed):
            self.pushed -= batch.size
        data = batch.output()
        size = len(data) + batch.sent
        if size > _LARGE:
            self.window = max(1, min(self._limit, _BUDGET * (batch.count or 1) // size))
        elif self.window < self._limit:
            self.window = min(self._limit, self.window * 2)
        return data

    def _send(self, data: bytes) -> None:
        if data:
            sent = self._outboxes.sent
            sent.bytes_out += len(data)
            sent.writes += 1
            self._sink.send(data)

    def drop(self) -> None:
        """Send nothing of what is in the slots. Answers that still come are dropped with their batches."""
        self.slots.clear()
        self.unanswered = self.pushed = 0

    def close(self) -> None:
        """The client has gone: nothing more is sent."""
        self.drop()
        self._sink = _NOWHERE

    def break_off(self) -> None:
        """Hang up: a reply was sent in part and cannot be completed, so nothing that follows would be understood."""
        self._sink.close()
