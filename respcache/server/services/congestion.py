"""Backpressure from the shards: while one of them has too much queued, no client is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from respcache.config import Config


class Queue(Protocol):
    """What waits to be sent to one shard."""

    @property
    def size(self) -> int:
        """About how many bytes."""


class Reader(Protocol):
    """The conversation with a client."""

    def stall(self, stalled: bool) -> None:
        """Stop taking what the client sends, or go on."""


class Congestion:
    """Looks at the queues at the end of each round. `active` while one has more than ``shard-queue-limit`` bytes."""

    def __init__(self, config: Config, queues: Sequence[Queue]) -> None:
        self.active = False
        self._config = config
        self._queues = queues  # of all shards
        self._stalled: dict[Reader, None] = {}  # not read from until it is over

    @property
    def stalled(self) -> int:
        """How many clients are not read from."""
        return len(self._stalled)

    def stall(self, reader: Reader) -> None:
        """A client has sent something during congestion: take nothing more from it until that is over."""
        if reader not in self._stalled:
            self._stalled[reader] = None
            reader.stall(True)

    def forget(self, reader: Reader) -> None:
        """This client has left."""
        self._stalled.pop(reader, None)

    def look(self) -> None:
        """Once the queues are half empty, all may go on."""
        limit = self._config.shard_queue_limit
        size = max(queue.size for queue in self._queues)
        if not self.active:
            self.active = size > limit
        elif size <= limit // 2:
            self.active = False
            stalled, self._stalled = self._stalled, {}
            for reader in stalled:
                reader.stall(False)
