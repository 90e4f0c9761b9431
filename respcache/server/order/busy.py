"""Scripts that run for longer than ``busy-reply-threshold``.

While there is one, clients get BUSY errors, except for a few commands. The script can be killed unless it has written
something. A shard finds out by itself that its script takes too long, and answers what stands behind the script (see
`respcache.shard.patience`); here are the commands that barriers hold back.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import trio

from respcache import errors
from respcache.errors import CommandError
from respcache.logs import log
from respcache.server.shards.link import settled
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from respcache.resp.types import Argv
    from respcache.server.shards.link import ShardLink
    from respcache.server.shards.queue import Call
    from respcache.shard.wire import Item


class SlowScript(NamedTuple):
    """A script that runs for too long."""

    client: int  # the id of the client that called it
    function: bytes | None  # None for EVAL
    argv: Argv  # of FCALL
    since: float  # seconds, as `monotonic` counts them

    @property
    def duration(self) -> int:
        """For how many milliseconds it has been running."""
        return int((monotonic() - self.since) * 1000)


class Busy:
    """All of them. There may be one per shard. `wake`: called when a task that waits for one can go on."""

    def __init__(self, links: Sequence[ShardLink], wake: Callable[[], None]) -> None:
        self._links = links
        self._wake = wake
        self.scripts: dict[int, SlowScript] = {}  # by shard, in the order in which they became slow
        self._began = trio.Event()  # the next one is there

    def begin(self, shard: int, client: int, elapsed: int, function: bytes | None, argv: Argv) -> SlowScript:
        """The script of a shard runs for `elapsed` milliseconds already."""
        script = self.scripts[shard] = SlowScript(client, function, argv, monotonic() - elapsed / 1000)
        what, how = ("A script", "SCRIPT KILL") if function is None else ("A function", "FUNCTION KILL")
        name = "" if function is None else f" ({errors.printable(function)})"
        message = f"{what}{name} of client {client} has run for {elapsed} ms; {how} ends it if it has not written."
        log.warning(message, kind="slow script")
        for link in self._links:
            link.queue.refuse_backlog(self.error(), self._is_whole)
        self._began.set()
        self._began = trio.Event()
        self._wake()
        return script

    def end(self, shard: int) -> SlowScript | None:
        """The script of a shard has ended, or the shard has died. The script, if there was one."""
        return self.scripts.pop(shard, None)

    def error(self) -> CommandError:
        """What clients get while a script runs for too long."""
        script = next(iter(self.scripts.values()))
        return CommandError(errors.BUSY_SCRIPT if script.function is None else errors.BUSY_FUNCTION)

    def _is_whole(self, item: Item) -> bool:
        """True for commands that can be refused. Not for parts: other shards may have carried out theirs."""
        return item[0] in (wire.RUN, wire.EXECUTE) or (item[0] == wire.PART and len(self._links) == 1)

    async def kill(self, function: bool, *, passing: bool) -> None:
        """SCRIPT KILL, or FUNCTION KILL. Raises CommandError. Cancellation is safe.

        passing: the caller holds a barrier, perhaps over these very shards, so none of them runs a script.
        """
        if not passing:
            await self._begun()
        if not self.scripts:
            raise CommandError(errors.NO_SCRIPT_RUNS)
        killed, error = False, None
        for call in [self._links[shard].call(wire.kill(function)) for shard in self.scripts]:
            try:
                await call.result()
                killed = True
            except CommandError as refusal:
                error = error or refusal
        if not killed and error is not None:
            raise error

    async def _begun(self) -> None:
        """Wait until a script runs for too long, or it is certain that none does.

        As in Redis: before a script has run for so long, nothing can be done about it, and to kill it has to wait.
        """
        if self.scripts:
            return
        # In its place in the order: a script that asks for something lets in what passes the queue.
        await self.answered([link.ask(wire.skip(), passing=False) for link in self._links])

    async def answered(self, calls: Collection[Call]) -> bool:
        """Wait until shards have answered all calls: True. Or until one more script runs for too long: False.

        Cancellation is safe.
        """
        began = self._began
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_all_settled, calls, nursery.cancel_scope)
            await began.wait()
            nursery.cancel_scope.cancel()
        return not began.is_set()


async def _all_settled(calls: Collection[Call], scope: trio.CancelScope) -> None:
    """Cancel `scope` when all calls are answered."""
    for call in calls:
        await settled(call)
    scope.cancel()
