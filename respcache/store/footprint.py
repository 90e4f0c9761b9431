"""About how much memory the databases of a shard take, estimated from samples: MEMORY STATS and INFO memory."""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING

from respcache.datatypes.sizes import memory_of

if TYPE_CHECKING:
    from respcache.store.keyspace import Keyspace

# How many elements of a container are measured, and how many keys of a database.
SAMPLES = 5
SAMPLED_KEYS = 100

# About what a key takes in the tables of its database, besides the key and the value: an entry in a half-full dict,
# three places in the parallel lists, and the index that the dict holds.
PLACE = 110

# What a deadline adds: an entry in the dict of deadlines, the deadline, and an entry in their heap.
DEADLINE = 220


def footprint(db: Keyspace) -> tuple[int, int, int]:
    """Bytes of the table of keys, of the deadlines, and of the values; from evenly spaced keys."""
    if not len(db):
        return 0, 0, 0
    keys, values = (column[:: -(-len(db) // SAMPLED_KEYS)] for column in (db.members, db.values))
    return (
        len(db) * PLACE + sum(map(getsizeof, keys)) * len(db) // len(keys),
        len(db.deadlines) * DEADLINE,
        sum(memory_of(value, SAMPLES) for value in values) * len(db) // len(values),
    )
