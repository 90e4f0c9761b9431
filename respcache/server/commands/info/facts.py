"""The data behind the sections: the parts of the server, and the figures of its shards, collected once per INFO."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from respcache.server.commands.info.footprint import Footprint

if TYPE_CHECKING:
    from respcache.server.clients.client import Client
    from respcache.server.parts import Parts

# Names and values of a section, in order. A value for which all clients have to be looked at is a function that returns
# it; the others take time in proportion to shards and databases at most.
Fields = dict[str, object]


class Facts:
    """`shards`: the figures of each shard, as `wire.stats` gives them."""

    def __init__(self, parts: Parts, shards: list[dict[str, Any]]) -> None:
        self.parts = parts
        self.shards = shards
        self.now = parts.clock.now_ms()

    @classmethod
    async def gather(cls, parts: Parts, *, memory: bool) -> Facts:
        """Ask all shards. Pass `memory` if `footprint` will be used: it takes the shards a moment to estimate."""
        return cls(parts, await parts.figures.gather(memory))

    def total(self, figure: str) -> int:
        """The sum of one figure of all shards."""
        return sum(shard[figure] for shard in self.shards)

    @cached_property
    def footprint(self) -> Footprint:
        return Footprint(self.parts, self.shards)

    @cached_property
    def clients(self) -> list[Client]:
        members: list[Client] = self.parts.registry.all()
        return members

    @property
    def waiting(self) -> int:
        """Clients that wait, for a key or for the end of a pause."""
        return self.parts.waits.blocked + len(self.parts.pause.held)

    @cached_property
    def databases(self) -> list[tuple[int, int, int]]:
        """By number: keys, how many of them expire, and their average TTL in milliseconds, 0 if none does."""
        rows = []
        for of_shards in zip(*(shard["databases"] for shard in self.shards), strict=True):
            keys = sum(row[0] for row in of_shards)
            expires = sum(row[1] for row in of_shards)
            mean = sum(row[1] * row[2] for row in of_shards) // expires - self.now if expires else 0
            rows.append((keys, expires, max(mean, 0)))
        return rows

    @cached_property
    def errors(self) -> Counter[str]:
        """Error replies by their first word, of main and of all shards."""
        counts = Counter(self.parts.stats.errors.by_code)
        for shard in self.shards:
            counts.update(shard["errors"])
        return counts


def human(size: int) -> str:
    """A size as INFO prints it for people: two digits after the point, and a unit."""
    if size < 1024:
        return f"{size}B"
    power = min((size.bit_length() - 1) // 10, 5)
    return f"{size / 1024**power:.2f}{' KMGTP'[power]}"
