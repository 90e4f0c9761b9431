"""What the metrics are read from: the facts that INFO is made of, gathered once for all metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.server.commands.info import SECTIONS
from respcache.server.commands.info.facts import Facts

if TYPE_CHECKING:
    from respcache.server.commands.info.facts import Fields
    from respcache.server.parts import Parts

# Seconds that shards have to answer: half of what Prometheus waits by default. One that runs a script that takes too
# long does not answer; the others, and main, are worth telling about even so.
_PATIENCE = 5.0


class Scrape:
    """`answers`: the figures of each shard, None for one that has not answered. `facts` are without those."""

    def __init__(self, parts: Parts, answers: list[dict[str, Any] | None]) -> None:
        self.parts = parts
        self.answers = answers
        self.complete = None not in answers
        self.facts = Facts(parts, [answer for answer in answers if answer is not None])
        self._sections: dict[str, Fields] = {}

    @classmethod
    async def gather(cls, parts: Parts) -> Scrape:
        """Ask all shards. Cancellation is safe."""
        return cls(parts, await parts.figures.gather_within(_PATIENCE, memory=True))

    def field(self, section: str, name: str) -> Any:
        """A field of INFO, but none of those that look at all clients."""
        if section not in self._sections:
            self._sections[section] = SECTIONS[section](self.facts)
        value = self._sections[section][name]
        assert not callable(value), f"{name} looks at all clients"
        return value
