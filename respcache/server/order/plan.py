"""How a command runs. The one place that decides it, for single commands and for those of a transaction.

| kind   | which commands                                       | how they run                                        |
|--------|------------------------------------------------------|-----------------------------------------------------|
| LOCAL  | PING, SUBSCRIBE, CLIENT ...                          | main answers; of MIGRATE, `positions` says which    |
|        |                                                      | shards have to stand still meanwhile                |
| ONE    | all keys are on one shard, or there are none         | forwarded as it is                                  |
| SPLIT  | keys on several shards, and the row has `gather`     | each shard gets the part with its keys, in one step |
| ALL    | DBSIZE, FLUSHALL, KEYS ...                           | one part per shard, in one step                     |
| CURSOR | SCAN                                                 | one shard after the other; the cursor names it      |
| CARRY  | keys on several shards whose data is needed together | under a barrier, with foreign keys as guests; XREAD |
|        |                                                      | and XREADGROUP in parts, without                    |
| WAIT   | BLPOP ..., where it may wait: not within MULTI       | waits beside the data if there is nothing for it    |
| SCRIPT | scripts that may need more than one shard has        | under a barrier, on the shard of their first key    |

Scripts that need no more are ONE; `respcache.server.order.scripts` plans both.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from respcache.commands.table import Reach
from respcache.server.order.router import on_shard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.commands.table import Command
    from respcache.resp.types import Argv
    from respcache.server.order.router import Router


class Kind(Enum):
    """See the table above."""

    LOCAL = "local"
    ONE = "one"
    SPLIT = "split"
    ALL = "all"
    CURSOR = "cursor"
    CARRY = "carry"
    SCRIPT = "script"
    WAIT = "wait"


class Plan(NamedTuple):
    """`positions`: shard -> indexes into the words of the keys that live there. Empty for ALL, CURSOR, and most LOCAL.

    A command without keys runs on shard 0, and one that may use keys it does not name has all shards in `positions`,
    some of them with no index.
    """

    kind: Kind
    positions: dict[int, list[int]]

    @property
    def shard(self) -> int:
        """The shard of a ONE, or of a script: that of its first key."""
        return next(iter(self.positions))

    def shards(self, router: Router) -> Sequence[int]:
        """The shards that the command needs at one moment."""
        if self.kind in (Kind.ALL, Kind.CURSOR):
            return range(router.shards)
        return list(self.positions)


_ALONE = {
    Reach.LOCAL: Plan(Kind.LOCAL, {}),
    Reach.ALL: Plan(Kind.ALL, {}),
    Reach.CURSOR: Plan(Kind.CURSOR, {}),
}
# Which keys they are makes no difference there.
_ON_THE_ONLY_SHARD = Plan(Kind.ONE, {0: []})


_WAIT_ON_THE_ONLY_SHARD = Plan(Kind.WAIT, {0: []})


def plan(row: Command, argv: Argv, router: Router, *, may_wait: bool = False) -> Plan:
    """How the call `argv` of the command `row` runs; a blocking one waits only if it may."""
    if row.reach is Reach.HELD:
        return Plan(Kind.LOCAL, _positions(row, argv, router))
    if row.reach is not Reach.KEYS:
        return _ALONE[row.reach]
    waits = may_wait and row.blocking and row.waits(argv)
    if router.shards == 1:
        return _WAIT_ON_THE_ONLY_SHARD if waits else _ON_THE_ONLY_SHARD
    positions = _positions(row, argv, router)
    if waits:
        return Plan(Kind.WAIT, positions)
    if len(positions) == 1:
        return Plan(Kind.ONE, positions)
    return Plan(Kind.CARRY if row.gather is None else Kind.SPLIT, positions)


def _positions(row: Command, argv: Argv, router: Router) -> dict[int, list[int]]:
    if (len(argv) - row.min_words) % row.step:
        return {0: []}  # a group is not complete: not to be cut up, but to be refused as a whole
    indexes = row.key_positions(argv)
    shards = router.shards_of(list(map(argv.__getitem__, indexes)))
    positions = {shard: on_shard(shard, indexes, shards) for shard in dict.fromkeys(shards)}
    if row.roams is not None and row.roams(argv):
        for shard in range(router.shards):
            positions.setdefault(shard, [])
    return positions or {0: []}


def cut_up(row: Command, argv: Argv, plan: Plan, router: Router) -> list[tuple[int, Argv, list[int]]]:
    """The parts of a SPLIT or ALL: (shard, the words for it, where its keys are in the whole command)."""
    if plan.kind is Kind.ALL:
        return [(shard, argv, []) for shard in range(router.shards)]
    return [(shard, _part_of(row, argv, indexes), indexes) for shard, indexes in plan.positions.items()]


def empties(row: Command, argv: Argv) -> bool:
    """True for FLUSHALL and FLUSHDB, if they will not be refused."""
    return row.name in _FLUSHES and (len(argv) == 1 or (len(argv) == 2 and argv[1].upper() in (b"ASYNC", b"SYNC")))


_FLUSHES = frozenset(("FLUSHALL", "FLUSHDB"))


def _part_of(row: Command, argv: Argv, indexes: list[int]) -> Argv:
    """The name, and the keys at `indexes`, each with the words that belong to it."""
    words = argv[: row.words_of_name]
    if row.step == 1:
        words += map(argv.__getitem__, indexes)
    else:
        for at in indexes:
            words += argv[at : at + row.step]
    return words
