"""Which shard a key lives on: Redis Cluster's hash slots, spread over the shards in contiguous ranges.

`binascii.crc_hqx(key, 0)` is Redis' CRC16, in C.
"""

from __future__ import annotations

from binascii import crc_hqx
from functools import cache

SLOTS = 16384


def hash_tag(key: bytes) -> bytes:
    """The part of a key that is hashed: between the first ``{`` and the next ``}`` if not empty, else the whole key."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            return key[start + 1 : end]
    return key


def slot_of(key: bytes) -> int:
    """The hash slot of a key, 0 to 16383."""
    if b"{" in key:
        key = hash_tag(key)
    return crc_hqx(key, 0) & 16383


@cache
def shards_of_slots(shards: int) -> bytes:
    """The shard of each slot, as a table."""
    return bytes(slot * shards // SLOTS for slot in range(SLOTS))
