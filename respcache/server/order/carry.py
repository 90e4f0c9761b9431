"""Carried commands: their keys are on several shards, and their data is needed together.

A barrier holds the shards. Once it is at the front of all their queues, the foreign keys are borrowed, the command runs
on its home shard (that of its first key) with them as guests, and the guests that it changed are handed back.

XREAD and XREADGROUP run in parts instead (`respcache.server.order.in_parts`). Commands that take from the first of
their keys that exists (LMPOP, BLPOP) run on its shard, as they are: there is nothing for them anywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache import errors
from respcache.commands.reading import reads
from respcache.errors import CommandError
from respcache.server.order.in_parts import run_in_parts
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.order.counting import Counting
    from respcache.server.order.in_parts import Lacking
    from respcache.server.order.router import Router
    from respcache.server.shards.link import ShardLink
    from respcache.shard.wire import Item
    from respcache.store.call import Caller
    from respcache.store.guests import ChangedGuest, Guest
    from respcache.store.keyspace import Place

# How often a command may find out that it needs further keys: SORT does so for BY, and once more for GET.
_MAX_ATTEMPTS = 4


class Carrier:
    """Carries commands.

    databases: how many a client sees.
    tracks: tells if a client, by its id, caches.
    counting: told each command that runs in parts. All others are counted by the shard that runs them.
    """

    def __init__(
        self,
        links: Sequence[ShardLink],
        router: Router,
        databases: int,
        tracks: Callable[[int], bool],
        counting: Counting,
    ) -> None:
        self._counting = counting
        self._links = links
        self._router = router
        self._databases = databases
        self._tracks = tracks

    async def carry(self, caller: Caller, row: Command, argv: Argv, positions: dict[int, list[int]]) -> bytes:
        """The reply of one command, encoded; errors are encoded too, except those of dying shards (CommandError).

        `positions` are those of its plan: shard -> indexes into `argv` of the keys that live there.

        The caller holds a barrier over all shards in `positions`, and it has been reached. A command that turns out to
        need further keys has changed nothing: it says which, and runs again with them.

        Cancellation, at the end of the server, may leave changed guests that were not handed back.
        """
        reply, _ = await self._run(wire.carry, caller, row, argv, positions)
        return reply

    async def attempt(
        self, caller: Caller, row: Command, argv: Argv, positions: dict[int, list[int]]
    ) -> bytes | Lacking:
        """Like `carry`, for a command that may wait: its reply, or what it waits for."""
        reply, lacking = await self._run(wire.attempt, caller, row, argv, positions)
        return lacking or reply

    async def _run(
        self,
        item: Callable[[Caller, Argv, Sequence[Guest]], Item],
        caller: Caller,
        row: Command,
        argv: Argv,
        positions: dict[int, list[int]],
    ) -> tuple[bytes, Lacking | None]:
        if row.in_parts is not None:
            return await self._run_in_parts(caller, row, argv, positions, may_wait=item is wire.attempt)
        if row.by_key:
            home = self._links[await self._first_that_exists(caller, argv, positions)]
            reply, _, _, *lacking = await home.call(item(caller, argv, [])).result()
            return reply, lacking[0] if lacking else None
        home = self._links[self._router.shard_of(argv[row.key_positions(argv)[0]])]
        databases = row.key_databases(argv)
        # Keys in a nonexistent database stay where they are: the handler says what is wrong.
        foreign = {
            (self._database(caller, databases[at]), argv[at]): shard
            for shard, indexes in positions.items()
            for at in indexes
            if (databases[at] or 0) < self._databases
        }
        for _ in range(_MAX_ATTEMPTS):
            foreign = {place: shard for place, shard in foreign.items() if shard != home.index}
            guests = await self._borrow(foreign)
            reply, changed, required, *lacking = await home.call(item(caller, argv, guests)).result()
            if not required:
                if self._tracks(caller.client) and reads(row):
                    self._remember(caller, argv, {**positions, home.index: []})
                await self._hand_back(foreign, changed, caller.client)
                return reply, lacking[0] if lacking else None
            foreign |= {(db, key): self._router.shard_of(key) for db, key in required}
        raise CommandError(errors.INTERNAL)

    async def _run_in_parts(
        self, caller: Caller, row: Command, argv: Argv, positions: dict[int, list[int]], *, may_wait: bool
    ) -> tuple[bytes, Lacking | None]:
        times: list[int] = []
        try:
            reply, lacking = await run_in_parts(self._links, caller, row, argv, positions, times.append)
        except CommandError:
            self._counting.ran(row, argv, caller, sum(times), failed=True)
            raise
        if lacking is None or not may_wait:
            self._counting.ran(row, argv, caller, sum(times))
        return reply, lacking

    def _database(self, caller: Caller, named: int | None) -> int:
        """The database that a command names, or that its caller has selected, as shards know it."""
        return caller.db if named is None else caller.db - caller.db % self._databases + named

    async def _first_that_exists(self, caller: Caller, argv: Argv, positions: dict[int, list[int]]) -> int:
        """The shard of the first key that exists; any shard if none does."""
        calls = []
        for shard, indexes in positions.items():
            item = wire.exist([(caller.db, argv[at]) for at in indexes])
            calls.append((shard, indexes, self._links[shard].call(item)))
        existing = {}
        for shard, indexes, call in calls:
            existing.update({at: shard for at, exists in zip(indexes, await call.result(), strict=True) if exists})
        return existing[min(existing)] if existing else next(iter(positions))

    async def _borrow(self, foreign: dict[Place, int]) -> list[Guest]:
        """Copies of keys that live on other shards."""
        wanted: dict[int, list[Place]] = {}
        for place, shard in foreign.items():
            wanted.setdefault(shard, []).append(place)
        calls = [(places, self._links[shard].call(wire.borrow(places))) for shard, places in wanted.items()]
        guests: list[Guest] = []
        for places, call in calls:
            for place, lent in zip(places, await call.result(), strict=True):
                guests.append((*place, *(lent or (None, None, None))))
        return guests

    def _remember(self, caller: Caller, argv: Argv, positions: dict[int, list[int]]) -> None:
        """Let each shard know which of its keys a client that caches has read."""
        for shard, indexes in positions.items():
            if indexes:
                keys = [argv[at] for at in indexes]
                self._links[shard].call(wire.remember(caller.client, caller.db, keys))

    async def _hand_back(self, owners: dict[Place, int], changed: list[ChangedGuest], client: int) -> None:
        returns: dict[int, list[ChangedGuest]] = {}
        for guest in changed:
            returns.setdefault(owners[guest[0], guest[1]], []).append(guest)
        for call in [self._links[shard].call(wire.hand_back(guests, client)) for shard, guests in returns.items()]:
            await call.result()
