"""Who is served by what, when clients wait in a known order: Redis' rules, as a model.

Units (a command, a transaction, a script) put elements to the ends of keys. After each unit the keys that came into
being are ready, in that order; of each, those who wait are served in the order in which they came, as long as there is
something. A client that waits for several keys is served once, and takes from the first of its keys that has something.
Up to Redis 7.0 it is from the key that is ready (`by_words` is false).

Where keys are on several shards, keys of one shard are ready in that order, but those of another one may come before or
after them, or in between; or whoever has waited longest for any of them comes first, as differences.toml says. So there
may be several outcomes. Among those who wait for one key the first is always served first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

Words = tuple[Any, ...]


class Wanted(NamedTuple):
    """A blocking command."""

    words: Words
    keys: tuple[str, ...]
    last: bool = False  # it takes from the right
    count: int = 1
    destination: str | None = None  # it moves what it takes there, to the right
    # The reply, from the key and what was taken.
    reply: Callable[[str, list[bytes]], Any] = lambda key, taken: [key.encode(), taken[0]]


class Outcome(NamedTuple):
    """What may be after a unit."""

    lines: Lines
    served: dict[int, Any]  # the replies by client


class Lines:
    """Keys, what is in them, and the clients that wait, which are known by any number."""

    def __init__(self, by_words: bool, shard_of: Callable[[str], int]) -> None:
        self._by_words = by_words
        self._shard_of = shard_of
        self.data: dict[str, list[bytes]] = {}
        self.waiting: dict[int, Wanted] = {}  # in the order in which they came

    def copy(self) -> Lines:
        """Another one, for something that may happen or not."""
        other = Lines(self._by_words, self._shard_of)
        other.data = {key: list(elements) for key, elements in self.data.items()}
        other.waiting = dict(self.waiting)
        return other

    def wait(self, number: int, wanted: Wanted) -> None:
        """A client that finds nothing waits."""
        assert not any(key in self.data for key in wanted.keys)
        self.waiting[number] = wanted

    def leave(self, number: int) -> None:
        """A client waits no more."""
        del self.waiting[number]

    def feed(self, *pushed: tuple[str, Sequence[bytes]]) -> list[Outcome]:
        """What may be after a unit that puts these elements to the right ends of keys."""
        after = self.copy()
        ready = [key for key, elements in pushed for key in after.put(key, elements)]
        on_several = len({self._shard_of(key) for key in ready}) > 1
        outcomes: list[Outcome] = []
        seen = set()
        left = [(after, ready, dict[int, Any]())]
        while left:
            lines, ready, served = left.pop()
            name = repr((lines.data, lines.waiting, ready, served))
            if name in seen:
                continue
            seen.add(name)
            if not ready:
                outcomes.append(Outcome(lines, served))
            # The first ready key of each shard may be the next.
            next_ones = set({self._shard_of(key): key for key in reversed(ready)}.values())
            if on_several:
                next_ones |= lines.waited_for_longest(ready)
            left += [lines.after_serving(key, ready, served) for key in next_ones]
        return outcomes

    def waited_for_longest(self, ready: list[str]) -> set[str]:
        """Those of the ready keys that the client waits for who came before all others; none if nobody does."""
        there = [key for key in ready if key in self.data]
        for wanted in self.waiting.values():
            if found := {key for key in there if key in wanted.keys}:
                return found
        return set()

    def after_serving(
        self, key: str, ready: list[str], served: dict[int, Any]
    ) -> tuple[Lines, list[str], dict[int, Any]]:
        """All this once the first in the line of a ready key is served. If there is none the key is ready no more."""
        lines = self.copy()
        first = next((number for number, wanted in self.waiting.items() if key in wanted.keys), None)
        if key not in self.data or first is None:
            return lines, [other for other in ready if other != key], served
        wanted = lines.waiting.pop(first)
        source = next(k for k in wanted.keys if k in self.data) if self._by_words else key
        reply, more = lines.take(source, wanted)
        return lines, [*ready, *(other for other in more if other not in ready)], {**served, first: reply}

    def put(self, key: str, elements: Sequence[bytes]) -> list[str]:
        """The key, if it has come into being."""
        new = key not in self.data
        self.data.setdefault(key, []).extend(elements)
        return [key] * new

    def take(self, key: str, wanted: Wanted) -> tuple[Any, list[str]]:
        """The reply, and the key that came into being with it."""
        elements = self.data[key]
        taken = [elements.pop(-1 if wanted.last else 0) for _ in range(min(wanted.count, len(elements)))]
        if not elements:
            del self.data[key]
        more = [] if wanted.destination is None else self.put(wanted.destination, taken)
        return wanted.reply(key, taken), more
