"""Scripts that run for too long: everybody else is told so, and somebody may end them.

While a script runs, its shard answers nothing. After ``busy-reply-threshold`` milliseconds it tells main, which refuses
whatever clients send from then on. What was on its way already is refused here: commands that stand behind the script
in the frames that have come. Only whole commands can be, not parts of those over several shards: other shards may have
carried their parts out.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from respcache import errors
from respcache.errors import CommandError
from respcache.scripting import Killed
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.resp.types import Argv
    from respcache.shard.channel import Channel, Frame
    from respcache.shard.wire import Item
    from respcache.store.shard import Shard


class Patience:
    """With the running script of one shard.

    following: the time of the running frame as it came, its items, which may be exchanged, and the index of the next.
    send: sends what was reported so far.
    """

    def __init__(
        self,
        shard: Shard,
        channel: Channel,
        *,
        following: Callable[[], tuple[int, list[Item], int]],
        send: Callable[[], None],
    ) -> None:
        self.threshold = 5.0  # seconds
        self._shard = shard
        self._channel = channel
        self._following = following
        self._send = send
        # The running script: since when, by whom, which function (None for EVAL), and whether it has written.
        self._since: float | None = None
        self._client = 0
        self._function: bytes | None = None
        self._argv: Argv = []
        self._slow = False  # main knows of it
        self._condemned = False
        self.wrote = False

    def begin(self, function: bytes | None, argv: Argv) -> None:
        """A script runs from now on."""
        self._since = monotonic()
        self._client = self._shard.client
        self._function, self._argv = function, argv
        self._slow = self._condemned = self.wrote = False

    def end(self) -> None:
        """It has ended."""
        self._since = None
        self._argv = []  # it may be large
        if self._slow:
            self._slow = False
            self._shard.reports.end_of_slow_script(self._shard.index)

    def look(self) -> None:
        """Called from time to time while Lua runs. Raises Killed."""
        if self._since is None:
            return  # it compiles something
        frames = self._channel.poll()
        elapsed = monotonic() - self._since
        reports = self._shard.reports
        if not self._slow and elapsed >= self.threshold:
            self._slow = True
            index, milliseconds = self._shard.index, int(elapsed * 1000)
            reports.slow_script(index, self._client, milliseconds, self._function, self._argv)
        if self._slow:
            self._look_at(frames)
        if reports.waiting:
            self._send()
        if self._condemned:
            raise Killed(errors.SCRIPT_KILLED)

    def _look_at(self, frames: Sequence[Frame]) -> None:
        """Answer early what stands behind the running script."""
        refused: list[int] = []
        place = 1
        now: int | None
        for now, items, start in (self._following(), *((now, items, 0) for now, items in frames)):
            assert now is not None, "an answer to a question that nobody has asked"
            for at in range(start, len(items)):
                item = items[at]
                if item[0] == wire.KILL:
                    self._kill_early(item[1], place)
                    items[at] = wire.skip()
                elif now > 0 and self._is_refused(item):
                    refused.append(place)
                    items[at] = wire.skip()
                place += 1
        if refused:
            self._shard.reports.early(self._shard.index, refused, self._busy)

    def _is_refused(self, item: Item) -> bool:
        """True for a whole command of somebody else. What the script's own client has sent waits for the script."""
        kind = item[0]
        if kind not in (wire.RUN, wire.EXECUTE) and not (kind == wire.PART and self._shard.shards == 1):
            return False
        return wire.client_of(item) != self._client

    def _kill_early(self, function: bool, place: int) -> None:
        error = None
        try:
            self.kill(function)
        except CommandError as refusal:
            error = refusal.text
        self._shard.reports.early(self._shard.index, [place], error)

    def kill(self, function: bool) -> None:
        """SCRIPT KILL or FUNCTION KILL. Raises CommandError."""
        if self._since is None:
            raise CommandError(errors.NO_SCRIPT_RUNS)
        if self.wrote:
            raise CommandError(errors.UNKILLABLE)
        if function != (self._function is not None):
            raise CommandError(self._busy)
        self._condemned = True

    @property
    def _busy(self) -> str:
        return errors.BUSY_SCRIPT if self._function is None else errors.BUSY_FUNCTION
