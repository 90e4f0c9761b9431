"""Which shards a command needs."""

from __future__ import annotations

from binascii import crc_hqx
from itertools import compress
from typing import TYPE_CHECKING, TypeVar

from respcache.slots import shards_of_slots, slot_of

if TYPE_CHECKING:
    from respcache.commands.table import Command

Argv = list[bytes]
T = TypeVar("T")


# For bytes.translate: 1 in place of the number of a shard, 0 in place of all others.
_EQUALS = [bytes(number) + b"\1" + bytes(255 - number) for number in range(256)]


def on_shard(shard: int, items: list[T], shards: bytes) -> list[T]:
    """Those of `items` that belong to a shard, in their order; `shards` says where each of them belongs."""
    return list(compress(items, shards.translate(_EQUALS[shard])))


class Router:
    """Finds the shards of commands, among `shards` of them."""

    __slots__ = ("_shard_of_crc", "shard_of_slot", "shards")

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.shard_of_slot = shards_of_slots(shards)
        # For the hot path. A slot is the CRC's lower 14 bits: the table four times over spares taking them. And to
        # join bytes is faster than to make them out of a list of numbers.
        names = [bytes((shard,)) for shard in range(shards)]
        self._shard_of_crc = [names[shard] for shard in self.shard_of_slot] * 4

    def shards_of(self, keys: list[bytes]) -> bytes:
        """The shard of each key."""
        if self.shards == 1:
            return bytes(len(keys))
        if b"{" in b"".join(keys):
            return bytes([self.shard_of(key) for key in keys])
        shard_of_crc = self._shard_of_crc
        return b"".join([shard_of_crc[crc_hqx(key, 0)] for key in keys])

    def shard_of(self, key: bytes) -> int:
        return self.shard_of_slot[slot_of(key)]

    def places(self, row: Command, argv: Argv) -> dict[int, list[int]]:
        """Shard -> indexes into `argv` of the keys that live there. Commands without keys go to shard 0.

        A command that may use keys it does not name needs all shards, some of them with no index.
        """
        if (len(argv) - row.min_words) % row.step:
            return {0: []}  # a group is not complete: not to be cut up, but to be refused as a whole
        positions = row.key_positions(argv)
        shards = self.shards_of(list(map(argv.__getitem__, positions)))
        places = {shard: on_shard(shard, positions, shards) for shard in dict.fromkeys(shards)}
        if row.roams is not None and row.roams(argv):
            for shard in range(self.shards):
                places.setdefault(shard, [])
        return places or {0: []}


def part_of(row: Command, argv: Argv, positions: list[int]) -> Argv:
    """The part of a split command that is about the keys at `positions`, each with the words that belong to it."""
    words = argv[: 1 + row.name.count(" ")]
    if row.step == 1:
        words += map(argv.__getitem__, positions)
    else:
        for at in positions:
            words += argv[at : at + row.step]
    return words
