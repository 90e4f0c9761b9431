"""Keys on their way to another server (MIGRATE): read in the form that RESTORE takes, and removed once they are there.

Main holds a barrier over the shards of such keys from the first reading to the last removal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from respcache.errors import REPLY_TOO_LARGE, CommandError
from respcache.rdb import payload
from respcache.rdb.writing import Writer
from respcache.shard.wire import MAX_RESULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.store.shard import Shard

Dumped = tuple[bytes, int]  # the payload, and the milliseconds that the key has left, 0 for ever


def dump(shard: Shard, keys: Sequence[bytes], most: int) -> tuple[list[Dumped | None], int]:
    """Keys of the selected database, until they have more than `most` bytes, and how many bytes that is.

    Raises CommandError for a value that is too large.
    """
    dumped: list[Dumped | None] = []
    total = 0
    for key in keys:
        value = shard.look(key)
        if value is None:
            dumped.append(None)
            continue
        data = payload.dump(value, Writer(compressed=shard.limits.rdbcompression))
        if len(data) > MAX_RESULT:
            raise CommandError(REPLY_TOO_LARGE)
        deadline = shard.deadline(key)
        dumped.append((data, 0 if deadline is None else max(deadline - shard.now, 1)))
        total += len(data)
        if total > most:
            break
    return dumped, total


def remove(shard: Shard, db: int, protocol: int, client: int, touch: bool, keys: Sequence[bytes]) -> None:
    """They are elsewhere now."""
    shard.enter(db, protocol, client, touch)
    for key in keys:
        shard.delete(key)
