"""The one global order.

A command takes its place in the order in one synchronous step, here, which appends to the queues of all shards that it
needs. Queues and pipes are first in, first out, so every shard sees the commands in that same order; that alone makes
commands over several shards atomic. No method of this class may ever await.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from respcache.server.order.gather import Gathering
from respcache.server.order.outbox import Batch
from respcache.server.order.plan import cut_up, empties
from respcache.server.order.router import on_shard
from respcache.server.order.scan import Scan, ScanTicket
from respcache.server.order.tickets import PartialRun, SplitBatch, WholeRun
from respcache.server.shards.queue import NOBODY, Barrier
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.order.counting import Counting
    from respcache.server.order.outbox import Outbox
    from respcache.server.order.plan import Plan
    from respcache.server.order.router import Router
    from respcache.server.shards.link import ShardLink
    from respcache.store.call import Caller


class Sequencer:
    """Puts commands into the queues of shards.

    wake: called when a task that waits for a barrier can go on.
    counting: told each command whose answers are merged.
    """

    def __init__(
        self, links: Sequence[ShardLink], router: Router, wake: Callable[[], None], counting: Counting
    ) -> None:
        self.links = links  # by shard
        self.router = router
        self._counting = counting
        self._wake = wake
        # Told for whom databases are emptied at this place in the order.
        self.on_flush: Callable[[Caller], None] = lambda _: None
        # Commands of one client for several shards keep their order among those, too: each has its own place.
        self._one_by_one = False

    def flush(self) -> bool:
        """Send everything that was queued since the last time. True if some shard has not taken all of it."""
        left = False
        for link in self.links:
            if link.flush():
                left = True
        return left

    def keep_places(self, wanted: bool) -> None:
        """Let the queues know in which order things happen on several shards; it costs time."""
        self._one_by_one = wanted
        for link in self.links:
            link.queue.keep_places(wanted)

    def run(
        self, caller: Caller, outbox: Outbox, commands: list[Argv], shards: bytes, size: int, alike: bool = False
    ) -> None:
        """Commands with their keys on one shard each, `shards` saying which: one run per shard, one batch for all.

        `size`: about how many bytes they have. `alike`: see `wire.run`.
        """
        count = len(commands)
        head = shards[0]
        if shards.count(head) == count:
            self.links[head].submit(wire.run(caller, commands, True, alike), WholeRun(Batch(outbox, count, 1)), size)
            return
        if self._one_by_one:
            self._run_one_by_one(caller, outbox, commands, shards, size)
            return
        involved = set(shards)
        batch = SplitBatch(outbox, shards, len(involved))
        for shard in involved:
            part = on_shard(shard, commands, shards)
            item = wire.run(caller, part, False, alike)
            self.links[shard].submit(item, PartialRun(batch, shard), size * len(part) // count)

    def _run_one_by_one(self, caller: Caller, outbox: Outbox, commands: list[Argv], shards: bytes, size: int) -> None:
        """The same with a run, and a place in the order, for each sequence of commands for one shard."""
        at = 0
        for shard, neighbours in groupby(shards):
            count = len(list(neighbours))
            item = wire.run(caller, commands[at : at + count], True)
            self.links[shard].submit(item, WholeRun(Batch(outbox, count, 1)), size * count // len(commands))
            at += count

    def one(self, caller: Caller, outbox: Outbox, argv: Argv, shard: int) -> None:
        """A ONE: a run by itself."""
        self.links[shard].submit(
            wire.run(caller, [argv], True, True), WholeRun(Batch(outbox, 1, 1)), size_of_words(argv)
        )

    def gather(
        self, caller: Caller, outbox: Outbox, row: Command, argv: Argv, plan: Plan, counting: Counting | None = None
    ) -> None:
        """A SPLIT or ALL: its parts are queued in one step, and their answers merged when all are in."""
        parts = cut_up(row, argv, plan, self.router)
        gathering = Gathering(row, argv, len(parts), caller, Batch(outbox, 1, 1), counting or self._counting)
        for index, (shard, words, positions) in enumerate(parts):
            ticket = gathering.ticket(index, positions)
            self.links[shard].submit(wire.part(caller, words), ticket, size_of_words(words))
        if empties(row, argv):
            self.on_flush(caller)

    def scan(self, caller: Caller, outbox: Outbox, row: Command, argv: Argv) -> None:
        """A CURSOR: its first step is queued now. Raises CommandError for an invalid cursor."""
        scan = Scan(caller, row, argv, self.router.shards, self._counting)
        ScanTicket(Batch(outbox, 1, 1), scan, self.links, self._counting.count_error).submit()

    def barrier(self, shards: Iterable[int]) -> Barrier:
        """A barrier in the queues of these shards, placed now. Its owner has to lift it, whatever happens."""
        return Barrier([self.links[shard].queue for shard in sorted(shards)], self._wake)

    def watch(self, caller: Caller, keys: list[bytes]) -> set[int]:
        """From this point of the order on, changes of these keys fail the client's EXEC. The shards that watch."""
        by_shard = self.router.by_shard(keys)
        for shard, watched in by_shard.items():
            places = [(caller.db, key) for key in watched]
            self.links[shard].submit(wire.watch(caller.client, places), NOBODY, size_of_words(keys))
        return set(by_shard)

    def unwatch(self, client: int, shards: Iterable[int]) -> None:
        """Forget what a client watches in these shards."""
        for shard in shards:
            self.links[shard].submit(wire.unwatch(client), NOBODY)


def size_of_words(words: Iterable[bytes]) -> int:
    """About how many bytes the words of a command take in a frame."""
    return sum(map(len, words))
