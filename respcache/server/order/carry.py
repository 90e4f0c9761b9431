"""Carried commands: their keys are on several shards, and their data is needed together.

A barrier holds the shards. Once it is at the front of all their queues, the foreign keys are borrowed, the command runs
on its home shard (that of its first key) with them as guests, and the guests that it changed are handed back.

XREAD and XREADGROUP need no data together, only the knowledge that nothing is wrong with any key. They run in parts: no
key travels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache import errors
from respcache.commands.table import StreamKeys
from respcache.errors import CommandError
from respcache.resp.encode import encode
from respcache.resp.types import NULL_ARRAY, Encoded, PairedMap
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.order.router import Router
    from respcache.server.shards.link import ShardLink
    from respcache.store.call import Caller
    from respcache.store.guests import Guest
    from respcache.store.keyspace import Place

# How often a command may find out that it needs further keys: SORT does so for BY, and once more for GET.
_MAX_ATTEMPTS = 4


class Carrier:
    """Carries commands. `databases`: how many there are."""

    def __init__(self, links: Sequence[ShardLink], router: Router, databases: int) -> None:
        self._links = links
        self._router = router
        self._databases = databases

    async def carry(self, caller: Caller, row: Command, argv: Argv, positions: dict[int, list[int]]) -> bytes:
        """The reply of one command, encoded; errors are encoded too, except those of dying shards (CommandError).

        `positions` are those of its plan: shard -> indexes into `argv` of the keys that live there.

        The caller holds a barrier over all shards in `positions`, and it has been reached. A command that turns out to
        need further keys has changed nothing: it says which, and runs again with them.

        Cancellation, at the end of the server, may leave changed guests that were not handed back.
        """
        if row.in_parts is not None:
            reply, _ = await self.in_parts(caller, row, argv, positions)
            return encode(NULL_ARRAY, caller.protocol) if reply is None else reply
        home = self._links[self._router.shard_of(argv[row.key_positions(argv)[0]])]
        databases = row.key_databases(argv, caller.db)
        # Keys in a nonexistent database stay where they are: the handler says what is wrong.
        foreign = {
            (databases[at], argv[at]): shard
            for shard, indexes in positions.items()
            for at in indexes
            if databases[at] < self._databases
        }
        for _ in range(_MAX_ATTEMPTS):
            foreign = {place: shard for place, shard in foreign.items() if shard != home.index}
            guests = await self._borrow(foreign)
            reply, changed, required = await home.call(wire.carry(caller, argv, guests)).result()
            if not required:
                await self._hand_back(foreign, changed)
                encoded: bytes = reply
                return encoded
            foreign |= {(db, key): self._router.shard_of(key) for db, key in required}
        raise CommandError(errors.INTERNAL)

    async def in_parts(
        self, caller: Caller, row: Command, argv: Argv, positions: dict[int, list[int]]
    ) -> tuple[bytes | None, Argv]:
        """Like `carry`, for a row with `InParts`. None for the reply: there is nothing for any key.

        Also returns the words with the ids to go on with. Raises CommandError if anything is wrong; nothing was read
        then.
        """
        (keys,) = row.keys
        assert isinstance(keys, StreamKeys)
        words: dict[int, bytes] = {}
        wrong: dict[int, str] = {}
        for shard, answer in await self._ask_each(wire.check, caller, keys, argv, positions):
            if isinstance(answer, str):
                raise CommandError(answer)
            for at, (word, error) in zip(positions[shard], answer, strict=True):
                words[at] = word
                if error:
                    wrong[at] = error
        if wrong:
            raise CommandError(wrong[min(wrong)])

        argv = keys.with_ids(argv, [words[at] for at in sorted(words)])
        found = [
            (positions[shard][number], Encoded(encode(key, caller.protocol)), Encoded(value))
            for shard, answer in await self._ask_each(wire.find, caller, keys, argv, positions)
            for number, key, value in answer
        ]
        found.sort(key=lambda entry: entry[0])
        reply = encode(PairedMap((key, value) for _, key, value in found), caller.protocol) if found else None
        return reply, argv

    async def _ask_each(
        self,
        item: Callable[[Caller, Argv], wire.Item],
        caller: Caller,
        keys: StreamKeys,
        argv: Argv,
        positions: dict[int, list[int]],
    ) -> list[tuple[int, Any]]:
        """The answers of all shards to their parts."""
        calls = [
            (shard, self._links[shard].call(item(caller, keys.part(argv, indexes))))
            for shard, indexes in positions.items()
        ]
        return [(shard, await call.result()) for shard, call in calls]

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

    async def _hand_back(self, owners: dict[Place, int], changed: list[Guest]) -> None:
        returns: dict[int, list[Guest]] = {}
        for guest in changed:
            returns.setdefault(owners[guest[0], guest[1]], []).append(guest)
        for call in [self._links[shard].call(wire.hand_back(guests)) for shard, guests in returns.items()]:
            await call.result()
