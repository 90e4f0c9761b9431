"""Which shard a key lives on, and which shards a command needs."""

from __future__ import annotations

from binascii import crc_hqx
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from respcache.commands._spec import Command

SLOTS = 16384

Argv = list[bytes]


def hash_tag(key: bytes) -> bytes:
    """The part of a key that is hashed: between the first ``{`` and the next ``}``, if something stands there."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            return key[start + 1 : end]
    return key


class Router:
    """Slots in contiguous ranges over `shards` shards, as Redis Cluster spreads them over nodes."""

    __slots__ = ("shard_of_slot", "shards")

    def __init__(self, shards: int) -> None:
        self.shards = shards
        self.shard_of_slot = bytes(slot * shards // SLOTS for slot in range(SLOTS))

    def shard_of(self, key: bytes) -> int:
        if b"{" in key:
            key = hash_tag(key)
        return self.shard_of_slot[crc_hqx(key, 0) & 16383]

    def places(self, row: Command, argv: Argv) -> dict[int, list[int]]:
        """Shard -> indexes into `argv` of the keys that live there. Commands without keys go to shard 0."""
        places: dict[int, list[int]] = {}
        for at in row.key_positions(argv):
            places.setdefault(self.shard_of(argv[at]), []).append(at)
        return places or {0: []}


def part_of(row: Command, argv: Argv, positions: list[int]) -> Argv:
    """The part of a split command that is about the keys at `positions`, each with the words that belong to it."""
    step = row.keys[0].step  # type: ignore[union-attr]  # only commands with keys at fixed places have a gather
    words = argv[: 1 + row.name.count(" ")]
    for at in positions:
        words += argv[at : at + step]
    return words
