"""Which shard a key lives on."""

from __future__ import annotations

from binascii import crc_hqx
from itertools import compress
from typing import TYPE_CHECKING, TypeVar

from respcache.slots import shards_of_slots, slot_of

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")


# For bytes.translate: 1 in place of the number of a shard, 0 in place of all others.
_EQUALS = [bytes(number) + b"\1" + bytes(255 - number) for number in range(256)]


def on_shard(shard: int, items: list[T], shards: bytes) -> list[T]:
    """The items that belong to a shard, in their order; `shards` says where each item belongs."""
    return list(compress(items, shards.translate(_EQUALS[shard])))


class Router:
    """Finds the shards of keys, among `shards` of them."""

    __slots__ = ("_shard_of_crc", "shard_of_slot", "shards")

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.shard_of_slot = shards_of_slots(shards)
        # For the hot path. A slot is the lower 14 bits of the CRC: with the table four times over, they need not be
        # cut out. And joining bytes is faster than making them from a list of numbers.
        names = [bytes((shard,)) for shard in range(shards)]
        self._shard_of_crc = [names[shard] for shard in self.shard_of_slot] * 4

    def shards_of(self, keys: list[bytes]) -> bytes:
        """The shard of each key, a byte per key."""
        if self.shards == 1:
            return bytes(len(keys))
        if b"{" in b"".join(keys):
            return bytes([self.shard_of(key) for key in keys])
        shard_of_crc = self._shard_of_crc
        return b"".join([shard_of_crc[crc_hqx(key, 0)] for key in keys])

    def shard_of(self, key: bytes) -> int:
        """The shard of one key."""
        return self.shard_of_slot[slot_of(key)]

    def by_shard(self, keys: Iterable[bytes]) -> dict[int, list[bytes]]:
        """The keys of each shard that has any, in their order."""
        found: dict[int, list[bytes]] = {}
        for key in keys:
            found.setdefault(self.shard_of(key), []).append(key)
        return found
