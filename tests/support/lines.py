"""Who is served by what, when clients wait in a known order: Redis' rules, as a model.

Units (a command, a transaction, a script) put elements to the ends of keys. After each unit the keys that came into
being are ready, in that order; of each, those who wait are served in the order in which they came, as long as there is
something. A client that waits for several keys is served once, and takes from the first of its keys that has something.
Up to Redis 7.0 it is from the key that is ready (`by_words` is false).
"""

from __future__ import annotations

from collections import deque
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


class Lines:
    """Keys, what is in them, and the clients that wait, which are known by any number."""

    def __init__(self, by_words: bool) -> None:
        self._by_words = by_words
        self.data: dict[str, deque[bytes]] = {}
        self.waiting: dict[int, Wanted] = {}  # in the order in which they came

    def copy(self) -> Lines:
        """Another one, for something that may happen or not."""
        other = Lines(self._by_words)
        other.data = {key: deque(elements) for key, elements in self.data.items()}
        other.waiting = dict(self.waiting)
        return other

    def wait(self, number: int, wanted: Wanted) -> Any:
        """A blocking command: its reply, or None if the client waits now."""
        for key in wanted.keys:
            if key in self.data:
                reply, ready = self._take(key, wanted)
                self._serve(ready, {})
                return reply
        self.waiting[number] = wanted
        return None

    def leave(self, number: int) -> None:
        """A client waits no more."""
        del self.waiting[number]

    def feed(self, *pushed: tuple[str, Sequence[bytes]]) -> dict[int, Any]:
        """One unit that puts these elements to the right ends of keys. The replies of those who are served."""
        ready = [key for key, elements in pushed for key in self._put(key, elements)]
        served: dict[int, Any] = {}
        self._serve(ready, served)
        return served

    def _put(self, key: str, elements: Sequence[bytes]) -> list[str]:
        """The key, if it has come into being."""
        new = key not in self.data
        self.data.setdefault(key, deque()).extend(elements)
        return [key] * new

    def _serve(self, ready: list[str], served: dict[int, Any]) -> None:
        for key in ready:  # it grows meanwhile
            for number, wanted in list(self.waiting.items()):
                if key not in self.data:
                    break
                if key in wanted.keys:
                    del self.waiting[number]
                    source = next(k for k in wanted.keys if k in self.data) if self._by_words else key
                    served[number], more = self._take(source, wanted)
                    ready += more

    def _take(self, key: str, wanted: Wanted) -> tuple[Any, list[str]]:
        """The reply, and the key that came into being with it."""
        elements = self.data[key]
        taken = [
            elements.pop() if wanted.last else elements.popleft() for _ in range(min(wanted.count, len(elements)))
        ]
        if not elements:
            del self.data[key]
        more = [] if wanted.destination is None else self._put(wanted.destination, taken)
        return wanted.reply(key, taken), more
