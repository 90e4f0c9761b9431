"""The data behind the sections: the parts of the server, and the figures of its shards, collected once per INFO."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

from respcache.server.commands.info.footprint import Footprint
from respcache.store.tally import Tally

if TYPE_CHECKING:
    from respcache.server.clients.client import Client
    from respcache.server.order.namespaces import Namespace
    from respcache.server.parts import Parts

# Names and values of a section, in order. A value for which all clients have to be looked at is a function that returns
# it; the others take time in proportion to shards and databases at most.
Fields = dict[str, object]


class Facts:
    """`shards`: the figures of each shard, as `wire.stats` gives them.

    With a `namespace`, databases, clients, channels and scripts are its own; all else is of the whole server.
    """

    def __init__(self, parts: Parts, shards: list[dict[str, Any]], namespace: Namespace | None = None) -> None:
        self.parts = parts
        self.shards = shards
        # The one that is told of; None for the whole server, whose databases are those of the default namespace.
        self._only = namespace
        self.namespace = namespace or parts.namespaces.default
        self.now = parts.clock.now_ms()

    @classmethod
    async def gather(cls, client: Client, *, memory: bool) -> Facts:
        """Ask all shards. Pass `memory` if `footprint` will be used: it takes the shards a moment to estimate."""
        # With the default namespace alone the figures of the whole server are the same, and cost less.
        namespace = client.namespace if len(client.parts.namespaces.all()) > 1 else None
        return cls(client.parts, await client.parts.figures.gather(memory), namespace)

    def total(self, figure: str) -> int:
        """The sum of one figure of all shards."""
        return sum(shard[figure] for shard in self.shards)

    def blocking_keys(self, on_removal: bool) -> int:
        """How many keys somebody waits for; or only those whose removal somebody wants to know."""
        return sum(shard["blocking_keys"].get(self.namespace.number, (0, 0))[on_removal] for shard in self.shards)

    @property
    def tracking_clients(self) -> int:
        """Clients that have sent CLIENT TRACKING."""
        return self.parts.tracking.clients(self._only)

    def tracked(self, column: int) -> int:
        """How many keys are remembered for clients that track (0), or how many readers these have together (1)."""
        return sum(shard["tracking"].get(self.namespace.number, (0, 0))[column] for shard in self.shards)

    @cached_property
    def footprint(self) -> Footprint:
        return Footprint(self.parts, self.shards)

    @cached_property
    def clients(self) -> list[Client]:
        """To be asked for only where it has to be: all clients are looked at."""
        return [client for client in self.parts.registry.all() if self._only is None or client.namespace is self._only]

    @property
    def connected(self) -> int:
        """How many clients there are."""
        return len(self.parts.registry) if self._only is None else len(self.clients)

    @property
    def waiting(self) -> int:
        """Clients that wait, for a key or for the end of a pause."""
        if self._only is None:
            return self.parts.waits.blocked + self.parts.namespaces.held
        return sum(client.blocked for client in self.clients) + len(self._only.pause.held)

    @property
    def with_timeout(self) -> int:
        """Clients that wait for a key up to some time."""
        if self._only is None:
            return self.parts.waits.with_timeout
        return sum(client.wait is not None and client.wait.alarm is not None for client in self.clients)

    @cached_property
    def databases(self) -> list[tuple[int, int, int]]:
        """By number: keys, how many of them expire, and their average TTL in milliseconds, 0 if none does."""
        rows = []
        for number in range(self.parts.config.databases):
            index = self.namespace.first + number
            found = [shard["databases"][index] for shard in self.shards if index in shard["databases"]]
            keys = sum(row[0] for row in found)
            expires = sum(row[1] for row in found)
            mean = sum(row[1] * row[2] for row in found) // expires - self.now if expires else 0
            rows.append((keys, expires, max(mean, 0)))
        return rows

    @cached_property
    def commands(self) -> Tally:
        """The calls of all commands, of main and of all shards."""
        tally = Tally()
        tally.add(self.parts.times.tally.counts())
        for shard in self.shards:
            tally.add(shard["commands"])
        return tally

    @property
    def calls(self) -> int:
        """Commands that were carried out. As in Redis, refused ones are not among them, and what scripts call is."""
        calls = sum(entry.calls for _, entry in self.parts.times.tally.entries())
        for shard in self.shards:
            calls += sum(counts[0] for counts in shard["commands"].values())
        return calls

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
