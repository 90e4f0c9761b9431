"""The two pipes between a shard and main, as frames."""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from respcache.shard.wire import FrameReader, pack
from respcache.spin import Spinner

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# The payload of a frame from main: its time and its items, or None and the answer to what the shard has asked.
Frame = tuple[int | None, Any]


# What `poll` reads of frames that nobody receives; the pipe makes main wait then.
_MOST_POLLED = 64 << 20


class Channel(Protocol):
    """What a worker talks to main through."""

    def send(self, payload: Any) -> None:
        """Send one frame."""

    def receive(self) -> Frame | None:
        """The next frame; waits for it. None when main has closed the pipe, or died."""

    def poll(self) -> Sequence[Frame]:
        """All frames that can be received without waiting. They stay, and so do changes of their lists of items."""

    def put_back(self, frames: Iterable[Frame]) -> None:
        """Receive these frames, in this order, before all that come next."""


class Pipes:
    """The channel of a real shard: two file descriptors. `source` becomes non-blocking."""

    def __init__(self, source: int, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._reader = FrameReader()
        # Frames that were received and not asked for yet.
        self._frames: deque[Frame] = deque()
        # How many bytes of them came by `poll`.
        self._polled = 0
        # Looks for data a little longer before the process sleeps.
        self._spinner = Spinner()
        # For the sleep.
        self._readable = select.poll()
        self._readable.register(source, select.POLLIN)
        os.set_blocking(source, False)

    def receive(self) -> Frame | None:
        """See `Channel`."""
        frames = self._frames
        while not frames:
            self._polled = 0
            data = self._spinner.wait(self._look, self._sleep)
            if not data:
                return None
            frames.extend(self._reader.feed(data))
        return frames.popleft()

    def poll(self) -> Sequence[Frame]:
        """See `Channel`. Ends the process if main is gone: whoever polls is in the middle of something."""
        while self._polled < _MOST_POLLED and (data := self._look()) is not None:
            if not data:
                os._exit(0)
            self._polled += len(data)
            self._frames.extend(self._reader.feed(data))
        if self._polled >= _MOST_POLLED and any(event & select.POLLHUP for _, event in self._readable.poll(0)):
            os._exit(0)
        return self._frames

    def put_back(self, frames: Iterable[Frame]) -> None:
        """See `Channel`."""
        self._frames.extendleft(reversed([*frames]))

    def _look(self) -> bytes | None:
        try:
            return os.read(self._source, self._reader.wanted)
        except BlockingIOError:
            return None

    def _sleep(self) -> bytes:
        self._readable.poll()
        return os.read(self._source, self._reader.wanted)

    def send(self, payload: Any) -> None:
        """See `Channel`. Ends the process if main is gone."""
        data = pack(payload)
        try:
            written = os.write(self._sink, data)
            while written < len(data):
                written += os.write(self._sink, memoryview(data)[written:])
        except BrokenPipeError:
            sys.exit(0)
