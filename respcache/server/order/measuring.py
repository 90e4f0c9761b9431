"""Asks shards how large keys are, in its place among the commands, without a task that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from respcache.logs import log_exception
from respcache.server.services.lint.sizes import Size
from respcache.shard import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from respcache.errors import CommandError
    from respcache.server.order.sequencer import Sequencer

    Then = Callable[[list[Size | None], int], None]


class Measuring:
    """The `respcache.server.services.lint.sizes.Measure` of a server."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._links = sequencer.links
        self._router = sequencer.router

    def __call__(self, db: int, keys: Sequence[bytes], all_keys: bool, then: Then) -> None:
        """Ask. `then` is not called if a shard dies."""
        parts: dict[int, list[int]] = {shard: [] for shard in range(self._router.shards)} if all_keys else {}
        for at, key in enumerate(keys):
            parts.setdefault(self._router.shard_of(key), []).append(at)
        answer = _Answer(len(keys), len(parts), then)
        for shard, positions in parts.items():
            words = [keys[at] for at in positions]
            self._links[shard].submit(wire.measure(db, words), _Part(answer, positions), sum(map(len, words)))


class _Answer:
    """What is known so far."""

    __slots__ = ("count", "missing", "sizes", "then")

    def __init__(self, keys: int, parts: int, then: Then) -> None:
        self.sizes: list[Size | None] = [None] * keys
        self.count = 0  # keys in the database
        self.missing = parts
        self.then = then


class _Part:
    """A ticket: one shard's part of the answer."""

    __slots__ = ("_answer", "_positions")

    def __init__(self, answer: _Answer, positions: list[int]) -> None:
        self._answer = answer
        self._positions = positions

    def deliver(self, result: Any) -> None:
        answer = self._answer
        count, found = result
        answer.count += count
        for at, size in zip(self._positions, found, strict=True):
            answer.sizes[at] = None if size is None else Size(*size)
        answer.missing -= 1
        if not answer.missing:
            try:
                answer.then(answer.sizes, answer.count)
            except Exception:  # a bug: those who wait for the next answers are not to suffer
                log_exception("what was asked of shards could not be used")

    def deliver_piece(self, result: Any) -> None:
        """There are no pieces."""

    def fail(self, error: CommandError) -> None:
        """The shard died: the answer stays incomplete, and nobody waits for it."""
