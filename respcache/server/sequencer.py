"""The one global order.

A command takes its place in the order in one synchronous step, here, which appends to the queues of all shards that it
needs. Queues and pipes are first in, first out, so every shard sees the commands in that same order; this is all that
makes commands over several shards atomic. No method of this class may ever await.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.commands.table import Command, Reach
from respcache.server.replies import Batch, Gathering, PartialRun, SplitBatch, WholeRun
from respcache.server.router import Router, on_shard, part_of
from respcache.server.shard_link import NOBODY, Barrier, ShardLink
from respcache.shard import wire

if TYPE_CHECKING:
    from respcache.server.poller import Poller
    from respcache.server.session import Session

Argv = list[bytes]


class Sequencer:
    """Puts commands into the queues of shards."""

    def __init__(self, links: list[ShardLink], router: Router, poller: Poller) -> None:
        self._poller = poller
        self.links = links
        self.router = router

    def flush(self) -> None:
        """Send everything that was queued since the last time."""
        for link in self.links:
            link.flush()

    def run(self, session: Session, commands: list[Argv], shards: bytes) -> None:
        """Commands with their keys on one shard each, `shards` saying which: one run a shard, one batch for all."""
        count = len(commands)
        head = shards[0]
        if shards.count(head) == count:
            batch = Batch(session, count, 1)
            session.outbox.expect(batch)
            item = (wire.RUN, session.db, session.protocol, session.id, session.touch, True, commands)
            self.links[head].submit(item, WholeRun(batch))
            return
        involved = set(shards)
        batch = SplitBatch(session, shards, len(involved))
        session.outbox.expect(batch)
        for shard in involved:
            part = on_shard(shard, commands, shards)
            item = (wire.RUN, session.db, session.protocol, session.id, session.touch, False, part)
            self.links[shard].submit(item, PartialRun(batch, shard))

    def gather(self, session: Session, row: Command, parts: list[tuple[int, Argv, list[int]]]) -> None:
        """One command in `parts` of (shard, words, where its keys are): queued in one step, merged when all are in."""
        batch = Batch(session, 1, 1)
        session.outbox.expect(batch)
        gathering = Gathering(row, len(parts), session.protocol, batch)
        for index, (shard, argv, positions) in enumerate(parts):
            item = (wire.PART, session.db, session.protocol, session.id, session.touch, argv)
            self.links[shard].submit(item, gathering.ticket(index, positions))

    def parts(self, row: Command, argv: Argv, places: dict[int, list[int]]) -> list[tuple[int, Argv, list[int]]]:
        """How `gather` wants a command: cut by key, or whole for every shard."""
        if row.reach is Reach.ALL:
            return [(shard, argv, []) for shard in range(self.router.shards)]
        return [(shard, part_of(row, argv, positions), positions) for shard, positions in places.items()]

    def barrier(self, shards: set[int]) -> Barrier:
        """A barrier in the queues of these shards, placed now."""
        return Barrier([self.links[shard] for shard in sorted(shards)], self._poller)

    def watch(self, session: Session, keys: list[bytes]) -> None:
        """From this point of the order on, changes of these keys fail the session's EXEC."""
        places: dict[int, list[tuple[int, bytes]]] = {}
        for key in keys:
            places.setdefault(self.router.shard_of(key), []).append((session.db, key))
        for shard, watched in places.items():
            self.links[shard].submit((wire.WATCH, session.id, watched), NOBODY)
            session.watching.add(shard)

    def unwatch(self, session: Session) -> None:
        for shard in session.watching:
            self.links[shard].submit((wire.UNWATCH, session.id), NOBODY)
        session.watching.clear()
        session.watch_lost = False
