"""Keys on their way between shards, for commands that need keys of several: lent, used as guests, handed back.

Main holds a barrier over all shards of such a command, so nobody else's command sees a key while it is away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.datatypes.types import dump_value, load_value
from respcache.errors import REPLY_TOO_LARGE, CommandError
from respcache.shard.wire import MAX_CARRIED, MAX_RESULT, size_of
from respcache.store.accesses import INITIAL, store
from respcache.store.guests import ForeignKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.store.guests import ChangedGuest, Guest
    from respcache.store.keyspace import Place
    from respcache.store.shard import Shard

Loan = tuple[str, Any, int | None]  # type name, data, deadline


def borrow(shard: Shard, places: Sequence[Place]) -> tuple[list[Loan | None], int]:
    """Copies of values, and about how many bytes they take. Raises CommandError when they are too large.

    Each counts as an access, whatever the command does with the key.
    """
    loans: list[Loan | None] = []
    total = 0
    shard.client = 0  # whoever borrows: a key that has expired goes by itself
    for index, key in places:
        shard.select(index)
        value = shard.peek(key)
        if value is None:
            loans.append(None)
            continue
        shard.db.accessed[shard.db.slots[key]] = shard.now_seconds
        loan = (*dump_value(value), shard.deadline(key))
        total += size_of(loan)
        if total > MAX_RESULT:
            raise CommandError(REPLY_TOO_LARGE)
        loans.append(loan)
    return loans, total


def carry(
    shard: Shard, guests: Sequence[Guest], run: Callable[[], bytes]
) -> tuple[tuple[bytes, list[ChangedGuest], list[Place]], int]:
    """Run a command with `guests` in the databases: its reply, the guests that it changed, the keys that it lacked.

    Also returns about how many bytes these take. Raises CommandError when the changed guests are too large to travel.
    """
    reply, required = b"", []
    try:
        shard.guests.arrive(guests, shard.limits, shard.now)
        reply = run()
    except ForeignKeys as lacking:
        required = lacking.places
    finally:
        changed = shard.guests.leave()
    size = len(reply) + size_of(changed)
    if size > MAX_CARRIED:
        raise CommandError(REPLY_TOO_LARGE)
    return (reply, changed, required), size


def hand_back(shard: Shard, guests: Sequence[ChangedGuest], client: int) -> None:
    """Store the shard's own keys as another shard left them, for a client. Their events were reported there."""
    shard.client = client
    for index, key, name, data, deadline, created in guests:
        shard.select(index)
        value = None if name is None else load_value(shard.limits, name, data)
        slot = shard.db.slots.get(key)
        record = None if slot is None else shard.db.accessed[slot]
        shard.replace(key, value, deadline, created=created)
        if value is not None and created:
            shard.set_frequency(key, INITIAL)
        elif value is not None and record is not None:
            store(shard.db.accessed, shard.db.slots[key], record)  # that it was borrowed has been recorded already
