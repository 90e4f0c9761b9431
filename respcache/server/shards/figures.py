"""The figures of the shards, for INFO and /metrics.

A shard counts for itself, and what it has counted dies with it. So that the sums over all shards never decrease, its
successor counts on from what was last seen of it: nobody sees a counter that is lower than before, except after CONFIG
RESETSTAT. Only what it counted after somebody last looked is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from respcache.errors import CommandError
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.server.shards.link import ShardLink
    from respcache.server.shards.queue import Call

# The figures among `wire.stats` that are counters; the others are about the moment, or about one process.
_COUNTERS = ("keyspace_hits", "keyspace_misses", "expired_keys", "expiring", "busy", "errors", "commands")


class ShardFigures:
    """Asks the shards. Requests pass the queues, so answers are of no one moment in the order."""

    def __init__(self, links: Sequence[ShardLink]) -> None:
        self._links = links
        self._counted: list[dict[str, Any]] = [{} for _ in links]  # by shard: its counters when last seen
        self._resets = 0
        # By shard: a request whose answer somebody has stopped waiting for.
        self._overdue: dict[int, Call] = {}

    async def gather(self, memory: bool = False) -> list[dict[str, Any]]:
        """The figures of each shard, with what `memory` takes if that is asked for.

        Raises CommandError if a shard dies meanwhile. Cancellation is safe.
        """
        resets = self._resets
        calls = [link.call(wire.stats(memory)) for link in self._links]
        return [self._seen(shard, resets, await call.result()) for shard, call in enumerate(calls)]

    async def gather_within(self, seconds: float, memory: bool = False) -> list[dict[str, Any] | None]:
        """The same, but None for each shard that dies meanwhile, or has not answered in time.

        A shard that does not answer is not asked again before it has, so its queue does not grow. Cancellation is safe.
        """
        resets = self._resets
        calls = [self._ask(link, memory) for link in self._links]
        with trio.move_on_after(seconds):
            for call in calls:
                await call.wait()
        figures: list[dict[str, Any] | None] = []
        for shard, call in enumerate(calls):
            if not call.done:
                self._overdue[shard] = call
                figures.append(None)
                continue
            try:
                figures.append(self._seen(shard, resets, await call.result()))
            except CommandError:
                figures.append(None)
        return figures

    def _ask(self, link: ShardLink, memory: bool) -> Call:
        overdue = self._overdue.get(link.index)
        if overdue is not None and not overdue.done:
            return overdue
        self._overdue.pop(link.index, None)
        return link.call(wire.stats(memory))

    def _seen(self, shard: int, resets: int, figures: dict[str, Any]) -> dict[str, Any]:
        if resets == self._resets:
            self._counted[shard] = {name: figures[name] for name in _COUNTERS}
        return figures

    def counted(self, shard: int) -> dict[str, Any]:
        """The counters from which the successor of a shard goes on."""
        return dict(self._counted[shard])

    def reset(self) -> None:
        """CONFIG RESETSTAT."""
        self._resets += 1
        self._overdue.clear()  # their answers are from before
        self._counted = [{} for _ in self._links]
        for link in self._links:
            link.call(wire.reset_stats())
